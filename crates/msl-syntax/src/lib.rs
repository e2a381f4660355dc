//! MSL text to an abstract syntax tree: lexer, preprocessor, parser.
//!
//! Knows no types and no names' meanings; files come through a trait.

pub mod ast;
pub mod lexer;
pub mod preprocess;
pub mod token;

//! MSL text to an abstract syntax tree: lexer, preprocessor, parser.
//!
//! Knows no types and no names' meanings; files come through a trait.

pub mod ast;
pub mod dump;
pub mod foreign;
pub mod lexer;
pub mod parse;
pub mod preprocess;
pub mod token;

pub use parse::{Scopes, parse};

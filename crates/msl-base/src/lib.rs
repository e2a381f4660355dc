//! What every front-end and IR crate shares: typed ids and arenas, interned
//! names, the source map with macro-expansion tracking, and diagnostics as data.
//!
//! Nothing here renders, reads files or knows a language construct.

pub mod arena;
pub mod diagnostic;
pub mod hash;
pub mod similar;
pub mod source;
pub mod stack;
pub mod symbol;

pub use arena::{Arena, Id};
pub use diagnostic::{Diagnostic, Diagnostics, Label, Note, Severity};
pub use hash::{FxBuild, FxMap, FxSet};
pub use source::{Expansion, ExpansionId, FileId, Location, SourceFile, SourceMap, Span};
pub use symbol::Symbol;

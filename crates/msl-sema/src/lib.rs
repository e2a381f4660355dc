//! Names, types, templates, overloads: the syntax tree to the [`hir`].
//!
//! Does no IO, knows no target.

pub mod hir;
pub mod types;

//! Passes.
pub mod inline_calls;

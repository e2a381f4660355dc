//! Changes to the IR. One pass, one file, one test; [`pipeline`] puts them in order.
//!
//! A pass keeps the meaning of the function, as the interpreter defines it. Passes may leave
//! instructions in the arena that are in no block any more.

pub mod infer_access;
pub mod inline_calls;
pub mod pipeline;
pub mod rewrite;
#[cfg(test)]
pub(crate) mod testing;

pub use pipeline::{Facts, Options, PASSES, run as run_pipeline};

//! Changes to the IR. One pass, one file, one test; [`pipeline`] puts them in order.
//!
//! A pass keeps the meaning of the function, as the interpreter defines it. Passes may leave
//! instructions in the arena that are in no block any more.

pub mod assume_conditions;
pub mod assume_textures;
pub mod eliminate_common;
pub mod expand_copies;
pub mod expand_matrix_products;
pub mod expand_switches;
pub mod fold_constants;
pub mod forward_stores;
pub mod hoist_invariants;
pub mod infer_access;
pub mod inline_calls;
pub mod join_accesses;
pub mod legalize_pointers;
pub mod other_threads;
pub mod pipeline;
pub mod remove_dead;
pub mod remove_functions;
pub mod rewrite;
pub mod simplify;
pub mod simplify_control;
pub mod specialize_builtins;
pub mod split_aggregates;
#[cfg(test)]
pub(crate) mod testing;
pub mod unroll_loops;
pub mod whole_vectors;
pub mod widths;

pub use pipeline::{Facts, Options, PASSES, run as run_pipeline};

//! What is learned about a function without changing it. Analyses are nouns, one per file.
//!
//! All of them take a function as it is (calls are allowed but make results conservative; run
//! [`crate::passes::inline_calls`] first) and describe it by [`ValueId`](crate::ValueId),
//! [`LocalId`](crate::LocalId) and [`BlockRef`](tree::BlockRef). They stay valid until the function is changed.

pub mod barriers;
pub mod bitset;
pub mod divergence;
pub mod layout;
pub mod liveness;
pub mod provenance;
pub mod shape;
pub mod tree;
pub mod uniformity;

pub use barriers::Barriers;
pub use divergence::Divergence;
pub use layout::GangLayout;
pub use liveness::Liveness;
pub use provenance::{Provenance, Root};
pub use shape::{Lanes, Parts, Shape};
pub use tree::{BlockRef, Tree};
pub use uniformity::{Split, Uniformity};

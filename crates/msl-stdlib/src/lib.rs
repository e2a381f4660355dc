//! The Metal standard library: headers written in MSL (`msl/*.metal`) over the small table of
//! intrinsics below.
//!
//! An intrinsic is a name `__metal_<name>` that only the headers use. The checker types calls
//! by [`Intrinsic::rule`]; lowering maps each to operations of the IR. Everything that can be
//! written in MSL is written there, not here.

mod intrinsics;

pub use intrinsics::{Intrinsic, Rule};

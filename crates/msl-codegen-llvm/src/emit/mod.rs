//! The emitter that targets share: from the structured IR to LLVM IR, for one gang at a time.
//!
//! `shape` and `flow` say how values vary and how control is done; `value` holds values in the
//! form of their shape; `arith` is scalar arithmetic on LLVM values, `divide` the
//! part of it that divides integers. A target with one thread per value is a gang of one lane.

pub mod aligned;
pub mod arith;
pub mod divide;
pub mod flow;
pub mod live;
pub mod shape;
pub mod value;

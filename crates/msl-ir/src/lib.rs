//! The structured IR: what every target sees.
//!
//! [`ir`] defines the form and, in its module documentation, its meaning. The IR knows
//! neither the syntax of MSL nor any target. It can be built, printed, parsed, verified,
//! transformed and executed.

pub mod analysis;
pub mod builder;
pub mod interp;
pub mod ir;
pub mod log;
pub mod matrix;
pub mod passes;
pub mod random_kernel;
pub mod reflect;
pub mod text;
pub mod types;
pub mod verify;

pub use ir::*;
pub use reflect::*;
pub use types::*;
pub use verify::{VerifyError, verify};

//! The front end in one piece: MSL text in; entry points, IR modules and messages out.
pub mod conformance;
mod guard;
pub mod json;
mod options;
pub mod render;
pub mod report;

pub use options::{CompileOptions, ConstantValue, FunctionConstantValues, MathMode};
pub use render::Style;
pub use report::{CompileError, Message, Place, Report};

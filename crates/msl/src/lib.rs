//! The front end in one piece: MSL text in; entry points, IR modules and messages out.
mod guard;
pub mod json;
pub mod render;
pub mod report;

pub use render::Style;
pub use report::{CompileError, Message, Place, Report};

//! The front end in one piece: MSL text in; entry points, IR modules and messages out.
//!
//! [`Library::open`] reads a source, [`Library::compile`] compiles one of its entry points. Included files come
//! through a [`FileProvider`]. Promised: total. Any source gives a module or messages; failures of the
//! compiler itself are caught and become the message `ice`. Everything may be used from several threads at once.
//!
//! Not here: files, devices, machine code.

pub mod conformance;
mod decode;
mod guard;
mod include_files;
pub mod json;
mod library;
mod options;
mod prelude;
pub mod render;
pub mod report;
mod semantics;
mod stage;

pub use decode::decode;
pub use include_files::include_files;
pub use library::{Compiled, FunctionConstant, Library, OpenTimes, VisibleFunction};
pub use msl_syntax::preprocess::{FileProvider, IncludedFile, MemoryFiles, NoFiles};
pub use options::{CompileOptions, ConstantValue, FunctionConstantValues, MathMode};
pub use render::Style;
pub use report::{CompileError, Message, Place, Report};
pub use stage::{EmitOptions, Stage, emit};

/// Starts reading the standard library in the background, unless it was read. For hosts that will compile soon.
pub fn warm_up() {
    prelude::begin();
}

/// How long reading the standard library took; reads it if that has not happened yet.
pub fn prelude_time() -> Result<std::time::Duration, CompileError> {
    prelude::prelude().map(|p| p.time)
}

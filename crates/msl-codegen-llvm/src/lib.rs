//! Machine code from the IR, through LLVM: CPU kernels (SPMD over vector lanes) and PTX for NVIDIA GPUs.
//!
//! In: a verified [`msl_ir::Module`] in which everything is inlined into the entry point, the name
//! of the entry point, and the threadgroup size to specialize for. Out: a [`CompiledKernel`] that can
//! be called, or text. Promised: a kernel never reads or writes memory it was not given, never
//! traps, and calls no library. This is the only crate that links LLVM. Not here: dispatch,
//! memory objects, caches.

pub mod abi;
mod compiler;
pub mod cpu;
pub mod emit;
mod error;
mod fuse;
mod gate;
mod jit;
mod lines;
mod llvm;
pub mod nvptx;
#[cfg(all(feature = "static", target_os = "linux", target_env = "gnu"))]
mod old_libc;
mod overlaps;
mod remarks;
pub mod slow_paths;
mod target;

pub use compiler::{CompileOptions, CompileStats, CompiledKernel, CpuCompiler, FaultKind, FaultSite, Groups, Quick};
pub use error::CodegenError;
pub use gate::close;
pub use lines::AsmLine;
pub use nvptx::{NvptxCompiler, NvptxKernel, NvptxOptions};
pub use remarks::{Explanation, Form, Remark};
pub use target::{Isa, TargetOptions};

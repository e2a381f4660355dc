//! The CPU device: kernels as machine code, threadgroups spread over a pool of threads.
//!
//! In: what [`metallic_hal`] hands to a device, validated. Out: buffers and textures in memory of
//! the host, pipelines of machine code, command lists executed. Promised: a launch and the wait
//! for it cost a few microseconds; a kernel that leaves its buffers ends as a fault of its command
//! list. Not here: code generation (`msl-codegen-llvm`), validation (`metallic`).
//!
//! * [`device`]: makes everything else;
//! * `pipeline`: machine code per threadgroup size, compiled when first needed;
//! * `start`: what code kernels start with, and who makes better code;
//! * `encoder`: executes commands: binds arguments, splits the grid, reports faults;
//! * [`pool`]: the threads; `processors`: how many there are by default;
//! * `compiler`: the code generator and its cache on disk.

mod compiler;
pub mod device;
mod edge;
mod encoder;
mod pipeline;
pub mod pool;
mod processors;
mod scratch;
mod start;

pub use device::CpuDevice;
pub use start::Start;

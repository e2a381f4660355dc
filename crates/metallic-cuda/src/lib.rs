//! NVIDIA GPUs through the CUDA driver.
//!
//! In: what [`metallic_hal`] hands to a device, validated. Out: memory, pipelines and queues of one
//! GPU. The driver is looked for when a device is opened; nothing is linked. Promised: without a driver or
//! a GPU, opening says so and nothing else happens; a kernel that leaves its buffers ends as a fault
//! of its command list. Not here: PTX (`msl-codegen-llvm`), validation (`metallic`).
//!
//! * [`device`]: makes everything else;
//! * `memory`: buffers and textures, each with a copy for the host unless it is private;
//! * `library`: PTX of a kernel; `pipeline`: loaded machine code per threadgroup size;
//! * `encoder`: executes commands on a stream, moves what host and GPU share;
//! * `convert`: errors and faults; `driver`: the functions of the driver.

mod convert;
pub mod device;
mod driver;
mod encoder;
mod library;
mod memory;
mod pipeline;

pub use device::{CudaDevice, count};
pub use library::emit;

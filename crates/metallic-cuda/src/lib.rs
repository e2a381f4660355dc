//! NVIDIA GPUs through the CUDA driver.
//!
//! In: what [`metallic_hal`] hands to a device, validated. Out: memory, pipelines and queues of one
//! GPU. The driver is looked for when a device is opened; nothing is linked. Promised: without a driver or
//! a GPU, opening says so and nothing else happens; a kernel that leaves its buffers ends as a fault
//! of its command list. Not here: PTX (`msl-codegen-llvm`), validation (`metallic`).
//!
//! * [`device`]: makes everything else;
//! * `memory`, `texture`: resources, with a copy for the host where it looks at them; `pool`: the memory they are
//!   made of; `transfer`: copies between the two sides, `upload`: large ones by several threads;
//! * `library`: PTX of a kernel; `sass`: machine code to read; `pipeline`: loaded machine code for each way of dispatching it;
//! * `queue`: command lists on their way; `encoder`: commands as calls of the driver; `flight`: what came of
//!   them; `clock`: when they ran; `marks`, `graph`: launches that come again, which the driver takes faster at once;
//! * `convert`: faults; `context`: the GPU and its streams, events and functions; `driver`: the driver's functions.

mod clock;
mod context;
mod convert;
pub mod device;
mod driver;
mod encoder;
#[cfg(test)]
mod fake;
mod flight;
mod graph;
mod library;
mod marks;
mod memory;
mod pipeline;
mod pool;
mod queue;
#[cfg(test)]
mod queue_tests;
mod sass;
mod texture;
mod transfer;
mod upload;

pub use device::{CudaDevice, count};
pub use library::emit;

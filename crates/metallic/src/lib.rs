//! Metal's object model for compute, on any machine.
//!
//! [`Device`] makes everything else: [`CommandQueue`], [`Buffer`], [`Texture`], [`Library`],
//! [`ComputePipelineState`]. A [`CommandBuffer`] is filled by a [`ComputeCommandEncoder`] or a
//! [`BlitCommandEncoder`], one at a time, committed, and completes on its own.
//!
//! Names are Metal's in snake case. All validation of API use happens here, before anything runs:
//! a device behind [`metallic_hal`] may rely on it. Handles are cheap to clone and may be used from
//! any thread; a command buffer keeps alive what it uses.
//!
//! Not here: the language (`msl`), devices (`metallic-hal`, `metallic-cpu`), Python and C.

mod blit_command_encoder;
mod buffer;
mod command_buffer;
mod command_encoder;
mod command_queue;
mod compute_command_encoder;
mod compute_pipeline_state;
mod device;
mod error;
mod event;
mod function;
mod library;
mod sampler;
mod source;
mod staging;
mod texture;
mod visible_function_table;

pub use blit_command_encoder::BlitCommandEncoder;
pub use buffer::{Buffer, Plain, View};
pub use command_buffer::{CommandBuffer, CommandBufferDescriptor, CommandBufferStatus};
pub use command_queue::{CommandQueue, CommandQueueDescriptor};
pub use compute_command_encoder::{BarrierScope, ComputeCommandEncoder};
pub use compute_pipeline_state::ComputePipelineState;
pub use device::Device;
pub use error::{CompileError, Diagnostic, DiagnosticNote, Error, Place, Result};
pub use event::{Event, SharedEvent};
pub use function::{ConstantValue, Function, FunctionConstant, FunctionConstantValues, FunctionType};
pub use library::{CompileOptions, Library};
pub use sampler::{
    AddressMode, BorderColor, CompareFunction, MinMagFilter, MipFilter, SamplerDescriptor, SamplerReductionMode,
    SamplerState,
};
pub use source::msl_constants;
pub use texture::Texture;
pub use visible_function_table::{FunctionHandle, VisibleFunctionTable, VisibleFunctionTableDescriptor};

/// The device traits, for those who bring a device of their own.
pub use metallic_hal as hal;
pub use metallic_hal::log::{LogLevel, LogRecord, LogState};
pub use metallic_hal::{
    DeviceMemory, Fault, Origin, PixelFormatInfo, Region, Size, StorageMode, TextureDescriptor, TextureSlice,
    TextureType, TextureUsage, env,
};
/// Reflection of kernel arguments.
pub use msl_ir::{Access, HostField, HostType, Param, ParamKind, PixelFormat, Scalar, TextureDimension};

/// Buffer, texture, sampler and threadgroup memory indices are below these.
pub mod limits {
    pub const BUFFERS: u32 = 31;
    pub const TEXTURES: u32 = 128;
    pub const SAMPLERS: u32 = 16;
    pub const THREADGROUP_MEMORIES: u32 = 31;
    /// Bytes that `set_bytes` takes.
    pub const BYTES: usize = 4096;
}

//! What a device is: memory, pipelines and the execution of command lists.
//!
//! The `metallic` crate turns Metal's object model into calls of these traits and validates every
//! use of the API first; a device may rely on that and reports only what a caller could not
//! foresee (memory exhausted, a fault inside of a kernel, a lost driver). A device needs:
//!
//! * [`Device`]: makes buffers, textures, pipelines and queues;
//! * [`Buffer`] and [`Texture`]: memory. Devices that share memory with the host use
//!   [`HostBuffer`] and [`HostTexture`];
//! * [`Pipeline`]: one kernel made ready to run;
//! * [`Queue`]: executes [`CommandList`]s in order. Devices that execute on the host implement
//!   [`Executor`] and let [`SerialQueue`] do the rest.
//!
//! The [`null`] device accepts everything and runs no kernel; the [`interp`] device executes the IR with
//! the interpreter and so defines what a kernel must do.
//!
//! Not here: Metal's object model and its validation (`metallic`), MSL (`msl`), machine code
//! (`msl-codegen-llvm`).

pub mod bytes;
pub mod cache;
pub mod command;
pub mod env;
pub mod error;
pub mod event;
pub mod explain;
pub mod history;
pub mod interp;
pub mod kernel_code;
pub mod log;
#[cfg(unix)]
mod mapping;
pub mod memory;
pub mod null;
pub mod pixel_format;
pub mod process;
pub mod queue;
pub mod source_text;
pub mod texel;
pub mod texture;
pub mod threads;
pub mod transfer;

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

pub use command::{Argument, Command, CommandList, Dispatch, Grid, InlineBytes, Origin, Region, Size, TextureSlice};
pub use error::{Error, Fault, Result};
pub use event::Event;
pub use explain::Explanation;
pub use kernel_code::{KernelCode, KernelFacts, KernelOrigin};
pub use memory::{HostBuffer, HostMemory};
pub use pixel_format::{ComponentKind, PixelFormatInfo};
pub use queue::{Executor, SerialQueue};
pub use source_text::{FunctionConstantValue, LibraryText, SourceText};
pub use texture::{HostTexture, TextureDescriptor, TextureType, TextureUsage};

use msl_ir::Module;

/// Where a resource lives and who may touch it, with Metal's numbers (`MTLStorageMode`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum StorageMode {
    #[default]
    Shared = 0,
    Managed = 1,
    Private = 2,
}

impl StorageMode {
    pub fn from_raw(value: u32) -> Option<StorageMode> {
        match value {
            0 => Some(StorageMode::Shared),
            1 => Some(StorageMode::Managed),
            2 => Some(StorageMode::Private),
            _ => None,
        }
    }
}

/// What a device is called and can do. Limits are those of a Metal device of family Apple7 unless a
/// device has less.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// For people: `CPU (AMD EPYC …)`.
    pub name: String,
    /// What selects it: `cpu`, `interp`, `cuda:0`.
    pub id: String,
    pub registry_id: u64,
    pub has_unified_memory: bool,
    pub max_threads_per_threadgroup: [u32; 3],
    pub max_total_threads_per_threadgroup: u32,
    pub max_threadgroup_memory_length: u32,
    pub max_buffer_length: u64,
    pub thread_execution_width: u32,
    pub supports_shader_barycentric_coordinates: bool,
    /// Threads or multiprocessors that execute kernels.
    pub compute_units: u32,
}

impl DeviceInfo {
    /// The limits of Metal, for a device that shares memory with the host.
    pub fn host(name: impl Into<String>, id: impl Into<String>, registry_id: u64) -> DeviceInfo {
        DeviceInfo {
            name: name.into(),
            id: id.into(),
            registry_id,
            has_unified_memory: true,
            max_threads_per_threadgroup: [1024, 1024, 1024],
            max_total_threads_per_threadgroup: 1024,
            max_threadgroup_memory_length: 32 * 1024,
            // What an allocation may be at most; less may be free.
            max_buffer_length: 1 << 46,
            thread_execution_width: 32,
            supports_shader_barycentric_coordinates: false,
            compute_units: 1,
        }
    }
}

/// A device. All methods may be called from any thread.
pub trait Device: Any + Send + Sync {
    fn info(&self) -> &DeviceInfo;
    /// Memory reads as zero until written.
    fn make_buffer(&self, length: u64, storage_mode: StorageMode) -> Result<Arc<dyn Buffer>>;
    /// The same with anything in it, for those who write all of it before anybody reads. Devices that need not clear
    /// memory, or have some that was used before, are quicker.
    fn make_buffer_for_overwrite(&self, length: u64, storage_mode: StorageMode) -> Result<Arc<dyn Buffer>> {
        self.make_buffer(length, storage_mode)
    }
    /// A shared buffer over memory that already exists; devices that cannot reach it say `Unsupported`.
    fn make_buffer_no_copy(&self, memory: HostMemory) -> Result<Arc<dyn Buffer>> {
        drop(memory);
        Err(Error::Unsupported(format!("device {} cannot use memory of the host without a copy", self.info().id)))
    }
    /// A private buffer over memory of the device that another library of the process owns.
    ///
    /// # Safety
    /// Nobody else writes the memory while commands use it, and it has the length that is said.
    unsafe fn make_buffer_over_device_memory(&self, memory: DeviceMemory) -> Result<Arc<dyn Buffer>> {
        drop(memory);
        Err(Error::Unsupported(format!("device {} has no memory that others may give it", self.info().id)))
    }
    /// The number by which libraries for NVIDIA GPUs know the device.
    fn gpu_number(&self) -> Option<u32> {
        None
    }
    /// The stream, by the driver's number, after whose work commands that are submitted later start.
    fn import_stream(&self) -> Option<u64> {
        None
    }
    /// A buffer that starts with a copy of `bytes`, where that is less work than writing into a new one.
    fn make_buffer_with_bytes(&self, _bytes: &[u8], _storage_mode: StorageMode) -> Option<Result<Arc<dyn Buffer>>> {
        None
    }
    /// Whether the device failed for good; opening it again gives another one.
    fn is_lost(&self) -> bool {
        false
    }
    fn make_texture(&self, descriptor: &TextureDescriptor) -> Result<Arc<dyn Texture>>;
    /// Whether its driver compiles MSL, so that it needs [`PipelineSource::text`].
    fn compiles_text(&self) -> bool {
        false
    }
    fn make_compute_pipeline_state(&self, source: &PipelineSource) -> Result<Arc<dyn Pipeline>>;
    fn make_command_queue(&self) -> Result<Arc<dyn Queue>>;
    /// What an argument buffer holds in the place of a sampler.
    fn sampler_resource_id(&self, sampler: msl_ir::SamplerState) -> Result<u64> {
        Ok(sampler.0)
    }
    /// What code generation makes of a kernel, as text, at a stage that the device names
    /// (`llvm`, `asm`, `ptx`, `sass`), for looking at.
    fn emit(&self, _source: &PipelineSource, stage: &str, _threadgroup: [u32; 3]) -> Result<String> {
        Err(Error::Unsupported(format!("device {} has no stage {stage}", self.info().id)))
    }
    /// How code generation treats the lines of a kernel, and what would make it faster.
    fn explain(&self, _source: &PipelineSource, _threadgroup: [u32; 3]) -> Result<Explanation> {
        Err(Error::Unsupported(format!("device {} cannot explain how it compiles kernels", self.info().id)))
    }
}

/// Memory of a device that another library of the process owns.
pub struct DeviceMemory {
    pub address: u64,
    pub length: u64,
    /// The driver's number of the stream whose work so far must come first.
    pub after: Option<u64>,
    /// Keeps the memory alive.
    pub owner: Box<dyn Any + Send + Sync>,
}

/// Memory of a device.
pub trait Buffer: Any + Send + Sync {
    fn length(&self) -> u64;
    fn storage_mode(&self) -> StorageMode;
    /// The bytes as the host sees them; `None` for private storage. Valid as long as the buffer. The host may read
    /// and write them at any time from now on, until [`Buffer::release_contents`] was called as often.
    fn contents(&self) -> Option<NonNull<u8>>;
    /// Gives the device's memory to other libraries, who may read and write it from now on: its address.
    fn share_device_memory(&self) -> Result<u64> {
        Err(Error::Unsupported("the buffer's memory is the host's".into()))
    }
    /// Ends what one call of [`Buffer::contents`] began.
    fn release_contents(&self) {}
    /// Copies bytes into the buffer, which is not private; the range was validated.
    fn write(&self, offset: u64, bytes: &[u8]) {
        if let Some(to) = self.contents() {
            // SAFETY: the range is within the buffer; the bytes may be another part of it.
            unsafe { std::ptr::copy(bytes.as_ptr(), to.as_ptr().add(offset as usize), bytes.len()) };
            self.release_contents();
        }
    }
    /// Copies bytes out of the buffer, which is not private; the range was validated.
    fn read(&self, offset: u64, bytes: &mut [u8]) {
        if let Some(from) = self.contents() {
            // SAFETY: as for `write`.
            unsafe { std::ptr::copy(from.as_ptr().add(offset as usize), bytes.as_mut_ptr(), bytes.len()) };
            self.release_contents();
        }
    }
    /// The address that kernels see, for argument buffers.
    fn gpu_address(&self) -> u64;
    /// The host wrote these bytes of a managed buffer.
    fn did_modify_range(&self, _start: u64, _end: u64) {}
    /// Makes the device's writes visible to the host (managed buffers; a device with unified memory does nothing).
    fn synchronize(&self) {}
}

/// Image memory of a device. Regions were validated against the descriptor and the level.
pub trait Texture: Any + Send + Sync {
    fn descriptor(&self) -> &TextureDescriptor;
    /// Host bytes → texture. `bytes` holds the last row of the last image in full.
    fn replace_region(&self, region: Region, at: TextureSlice, bytes: &[u8], bytes_per_row: u64, bytes_per_image: u64);
    /// Texture → host bytes.
    fn get_bytes(&self, bytes: &mut [u8], bytes_per_row: u64, bytes_per_image: u64, region: Region, at: TextureSlice);
    /// What an argument buffer holds in the place of this texture.
    fn gpu_resource_id(&self) -> u64;
}

/// A kernel made ready to run on one device.
pub trait Pipeline: Any + Send + Sync {
    fn max_total_threads_per_threadgroup(&self) -> u32;
    fn thread_execution_width(&self) -> u32 {
        32
    }
    fn static_threadgroup_memory_length(&self) -> u32;
}

/// What a pipeline is made of.
#[derive(Clone)]
pub struct PipelineSource {
    pub code: Arc<KernelCode>,
    /// The text, for devices whose driver compiles MSL itself.
    pub text: Option<SourceText>,
    pub label: String,
    /// Whether to find out all errors of code generation now; otherwise a device may put off the
    /// work until the first dispatch. Pipelines for checking set it.
    pub eager: bool,
}

impl PipelineSource {
    pub fn facts(&self) -> &KernelFacts {
        self.code.facts()
    }
    pub fn entry_point(&self) -> &msl_ir::EntryPoint {
        &self.facts().entry
    }
    /// Holds exactly the code that the entry point reaches. What asks for it may have to wait for the front end.
    pub fn module(&self) -> Result<&Arc<Module>> {
        self.code.module()
    }

    /// `file:line:column` of a span of the module.
    pub fn location(&self, span: msl_base::Span) -> Option<String> {
        let location = self.code.source_map()?.location(span)?;
        Some(format!("{}:{}:{}", location.file, location.line, location.column))
    }
}

/// Executes command lists in the order of submission.
pub trait Queue: Any + Send + Sync {
    /// Returns at once. `on_complete` is called exactly once, from any thread, after everything
    /// the list used has been released.
    fn submit(&self, list: CommandList, on_complete: OnComplete) -> Arc<dyn Submission>;
}

/// See [`Queue::submit`].
pub type OnComplete = Box<dyn FnOnce(Completion) + Send>;

/// A command list on its way.
pub trait Submission: Send + Sync {
    /// Whether `on_complete` has returned.
    fn is_completed(&self) -> bool;
    /// Returns when `on_complete` has returned; the calling thread may be put to work meanwhile.
    fn wait(&self);
    /// The same for at most about `timeout`; whether it has returned. For threads that must look at other things
    /// in between: they are put to work only with what is known to be short.
    fn wait_timeout(&self, timeout: std::time::Duration) -> bool;
}

/// The end of a command list.
#[derive(Clone, Debug)]
pub struct Completion {
    /// The first fault; commands after it did not run.
    pub result: std::result::Result<(), Fault>,
    pub times: Times,
}

/// When a command list ran, in seconds on the clock of [`timestamp`]. Devices that must ask for it are asked when
/// somebody wants to know.
#[derive(Clone)]
pub struct Times(When);

#[derive(Clone)]
enum When {
    Known(f64, f64),
    Later(Arc<dyn Fn() -> (f64, f64) + Send + Sync>),
}

impl Times {
    pub fn known(start: f64, end: f64) -> Times {
        Times(When::Known(start, end))
    }
    pub fn later(ask: impl Fn() -> (f64, f64) + Send + Sync + 'static) -> Times {
        Times(When::Later(Arc::new(ask)))
    }
    /// Start and end.
    pub fn get(&self) -> (f64, f64) {
        match &self.0 {
            When::Known(start, end) => (*start, *end),
            When::Later(ask) => ask(),
        }
    }
}

impl std::fmt::Debug for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (start, end) = self.get();
        write!(f, "{start}..{end}")
    }
}

/// Seconds on a monotonic clock that starts with the process.
pub fn timestamp() -> f64 {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed().as_secs_f64()
}

//! Devices: which there are, and the objects they make.

use std::ptr::NonNull;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use metallic_hal::{self as hal, DeviceInfo, HostMemory, StorageMode, TextureDescriptor, env};

use crate::staging::StagingPool;
use crate::{
    Buffer, CommandQueue, CommandQueueDescriptor, CompileOptions, ComputePipelineState, Error, Event, Function,
    Library, LogLevel, LogState, Plain, Result, SamplerDescriptor, SamplerState, SharedEvent, Texture,
};

/// A device (`MTLDevice`). Clones are the same device.
#[derive(Clone)]
pub struct Device {
    pub(crate) hal: Arc<dyn hal::Device>,
    pub(crate) staging: Arc<StagingPool>,
}

/// A kind of device that every build has, and how to open it.
struct Builtin {
    id: &'static str,
    /// Whether [`Device::all`] lists it; others are for tests and must be named.
    is_listed: bool,
    open: fn() -> hal::Result<Arc<dyn hal::Device>>,
}

/// In the order of preference.
const BUILTIN: &[Builtin] = &[
    #[cfg(target_os = "macos")]
    Builtin { id: "apple", is_listed: true, open: || Ok(Arc::new(metallic_apple::AppleDevice::system_default()?)) },
    Builtin { id: "cpu", is_listed: true, open: || Ok(Arc::new(metallic_cpu::CpuDevice::new()?)) },
    Builtin { id: "interp", is_listed: false, open: || Ok(Arc::new(hal::interp::InterpDevice::new())) },
    Builtin { id: "null", is_listed: false, open: || Ok(Arc::new(hal::null::NullDevice::new())) },
];

/// Devices opened so far: opening twice gives the same device.
static OPEN: LazyLock<Mutex<Vec<Device>>> = LazyLock::new(Mutex::default);

impl Device {
    /// The device that `PYMETALLIC_DEVICE` names, or else the first that there is
    /// (`MTLCreateSystemDefaultDevice`).
    pub fn system_default() -> Result<Device> {
        match env::DEVICE.get().filter(|name| !name.is_empty()) {
            Some(name) => Device::by_name(&name),
            None => {
                let mut listed = BUILTIN.iter().filter(|b| b.is_listed);
                listed.find_map(|b| Device::open(b).ok()).map_or_else(|| Device::open(&BUILTIN[0]), Ok)
            }
        }
    }

    /// All devices that do real work. `interp` and `null` exist besides, by name.
    pub fn all() -> Vec<Device> {
        if check_process().is_err() {
            return Vec::new();
        }
        let builtin = BUILTIN.iter().filter(|b| b.is_listed).filter_map(|b| Device::open(b).ok());
        builtin.chain((0..metallic_cuda::count()).filter_map(|n| Device::open_cuda(n).ok())).collect()
    }

    /// A device by its id: `apple` (on a Mac), `cpu`, `cuda:0` (NVIDIA GPUs, counted from 0), `interp`, `null`.
    pub fn by_name(name: &str) -> Result<Device> {
        if let Some(number) = cuda_number(name) {
            return Device::open_cuda(number);
        }
        match BUILTIN.iter().find(|b| b.id.eq_ignore_ascii_case(name)) {
            Some(builtin) => Device::open(builtin),
            None => {
                let known = Device::ids().join(", ");
                Err(Error::Device(format!("there is no device \"{name}\"; there are: {known}")))
            }
        }
    }

    /// What [`Device::by_name`] accepts.
    pub fn ids() -> Vec<String> {
        let builtin = BUILTIN.iter().map(|b| b.id.to_string());
        builtin.chain((0..metallic_cuda::count()).map(|n| format!("cuda:{n}"))).collect()
    }

    /// A device of one's own.
    pub fn from_hal(hal: Arc<dyn hal::Device>) -> Device {
        hal::process::watch();
        Device { hal, staging: Arc::default() }
    }

    fn open(builtin: &Builtin) -> Result<Device> {
        Device::open_once(builtin.id, builtin.open)
    }
    fn open_cuda(number: u32) -> Result<Device> {
        Device::open_once(&format!("cuda:{number}"), || Ok(Arc::new(metallic_cuda::CudaDevice::new(number)?)))
    }
    fn open_once(id: &str, make: impl FnOnce() -> hal::Result<Arc<dyn hal::Device>>) -> Result<Device> {
        check_process()?;
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|d| d.id() == id) {
            if !open[at].hal.is_lost() {
                return Ok(open[at].clone());
            }
            open.remove(at);
        }
        // Who opens a device will compile for it; Metal itself has a compiler of its own.
        if id != "apple" {
            msl::warm_up();
        }
        let device = Device::from_hal(make()?);
        open.push(device.clone());
        Ok(device)
    }

    // ---- facts -------------------------------------------------------------------------

    pub fn info(&self) -> &DeviceInfo {
        self.hal.info()
    }
    pub fn name(&self) -> &str {
        &self.info().name
    }
    /// What [`Device::by_name`] knows it as.
    pub fn id(&self) -> &str {
        &self.info().id
    }
    pub fn registry_id(&self) -> u64 {
        self.info().registry_id
    }
    pub fn has_unified_memory(&self) -> bool {
        self.info().has_unified_memory
    }
    pub fn supports_shader_barycentric_coordinates(&self) -> bool {
        self.info().supports_shader_barycentric_coordinates
    }
    pub fn max_threads_per_threadgroup(&self) -> hal::Size {
        self.info().max_threads_per_threadgroup.into()
    }
    pub fn max_threadgroup_memory_length(&self) -> u32 {
        self.info().max_threadgroup_memory_length
    }
    pub fn max_buffer_length(&self) -> u64 {
        self.info().max_buffer_length
    }

    /// Memory that the device keeps for the next uploads, in bytes: see
    /// [`BlitCommandEncoder::copy_from_bytes`](crate::BlitCommandEncoder::copy_from_bytes).
    pub fn free_staging_length(&self) -> u64 {
        self.staging.free_bytes()
    }

    /// Whether the two are one device.
    pub fn is_same(&self, other: &Device) -> bool {
        Arc::ptr_eq(&self.hal, &other.hal)
    }
    /// Fails when a resource is another device's.
    pub(crate) fn check_own(&self, other: &Device, what: &str) -> Result<()> {
        if self.is_same(other) {
            return Ok(());
        }
        Err(Error::invalid(format!("{what} belongs to device {}, not to device {}", other.id(), self.id())))
    }

    // ---- objects -----------------------------------------------------------------------

    pub fn make_command_queue(&self) -> Result<CommandQueue> {
        CommandQueue::new(self, &CommandQueueDescriptor::default())
    }
    pub fn make_command_queue_with_descriptor(&self, descriptor: &CommandQueueDescriptor) -> Result<CommandQueue> {
        CommandQueue::new(self, descriptor)
    }
    /// Takes the log records of kernels (`os_log`) from a level on. Command queues and command buffers are told to use it.
    pub fn make_log_state(&self, level: LogLevel) -> Arc<LogState> {
        Arc::new(LogState::new(level))
    }

    /// A buffer of zeros.
    pub fn make_buffer(&self, length: u64, storage_mode: StorageMode) -> Result<Buffer> {
        self.check_new_buffer(length)?;
        Ok(Buffer::new(self, self.hal.make_buffer(length, storage_mode)?))
    }

    /// A buffer with anything in it that buffers of this process held before, for those who write all of it, or record
    /// a command that does, before anybody reads: memory that was used before is quicker to fill.
    pub fn make_buffer_for_overwrite(&self, length: u64, storage_mode: StorageMode) -> Result<Buffer> {
        self.check_new_buffer(length)?;
        Ok(Buffer::new(self, self.hal.make_buffer_for_overwrite(length, storage_mode)?))
    }

    fn check_new_buffer(&self, length: u64) -> Result<()> {
        check_process()?;
        if length == 0 {
            return Err(Error::invalid("a buffer must have at least one byte"));
        }
        let limit = self.max_buffer_length();
        if length > limit {
            return Err(Error::Memory(format!("a buffer of {length} bytes exceeds the limit of {limit} bytes")));
        }
        Ok(())
    }

    /// A buffer that starts with a copy of `bytes`.
    pub fn make_buffer_with_bytes(&self, bytes: &[u8], storage_mode: StorageMode) -> Result<Buffer> {
        if !bytes.is_empty()
            && bytes.len() as u64 <= self.max_buffer_length()
            && let Some(buffer) = self.hal.make_buffer_with_bytes(bytes, storage_mode)
        {
            return Ok(Buffer::new(self, buffer?));
        }
        let buffer = self.make_buffer_for_overwrite(bytes.len() as u64, storage_mode)?;
        if storage_mode != StorageMode::Private {
            buffer.write_bytes(0, bytes)?;
            return Ok(buffer);
        }
        let command_buffer = self.make_command_queue()?.make_command_buffer()?;
        let encoder = command_buffer.make_blit_command_encoder()?;
        encoder.copy_from_bytes(bytes, &buffer, 0)?;
        encoder.end_encoding()?;
        command_buffer.commit()?;
        command_buffer.wait_until_completed()?;
        Ok(buffer)
    }

    /// A private buffer with the bytes of another.
    pub fn copy_of_buffer(&self, buffer: &Buffer) -> Result<Buffer> {
        let copy = self.make_buffer(buffer.length(), StorageMode::Private)?;
        let command_buffer = self.make_command_queue()?.make_command_buffer()?;
        let encoder = command_buffer.make_blit_command_encoder()?;
        encoder.copy_from_buffer(buffer, 0, &copy, 0, buffer.length())?;
        encoder.end_encoding()?;
        command_buffer.commit()?;
        command_buffer.wait_until_completed()?;
        Ok(copy)
    }

    /// A shared buffer that starts with a copy of `values`.
    pub fn make_buffer_with_slice<T: Plain>(&self, values: &[T]) -> Result<Buffer> {
        self.make_buffer_with_bytes(Plain::as_bytes(values), StorageMode::Shared)
    }

    /// A shared buffer over memory of the host that stays in place. Not every device can.
    ///
    /// # Safety
    /// `pointer` must be valid for reads and writes of `length` bytes, from any thread, as long as
    /// `owner` lives; the buffer drops it when nothing uses the memory any more.
    pub unsafe fn make_buffer_with_bytes_no_copy(
        &self,
        pointer: NonNull<u8>,
        length: usize,
        owner: Box<dyn std::any::Any + Send + Sync>,
    ) -> Result<Buffer> {
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { self.make_buffer_over(pointer, length, owner, false) }
    }

    /// The same over memory that must not be written. The buffer is refused wherever something would write it:
    /// as an argument of a kernel that is not read-only, as the destination of a blit, in `use_resource`.
    ///
    /// # Safety
    /// `pointer` must be valid for reads of `length` bytes, from any thread, as long as `owner` lives.
    pub unsafe fn make_read_only_buffer_with_bytes_no_copy(
        &self,
        pointer: NonNull<u8>,
        length: usize,
        owner: Box<dyn std::any::Any + Send + Sync>,
    ) -> Result<Buffer> {
        // SAFETY: nothing writes to a read-only buffer, so memory that can be read is enough.
        unsafe { self.make_buffer_over(pointer, length, owner, true) }
    }

    /// # Safety
    /// `pointer` must be valid for reads, and for writes unless `is_read_only`, of `length` bytes while `owner` lives.
    unsafe fn make_buffer_over(
        &self,
        pointer: NonNull<u8>,
        length: usize,
        owner: Box<dyn std::any::Any + Send + Sync>,
        is_read_only: bool,
    ) -> Result<Buffer> {
        check_process()?;
        if length == 0 {
            return Err(Error::invalid("a buffer must have at least one byte"));
        }
        // SAFETY: the caller's promise is the one that `external` asks for, but for writes, which read-only
        // buffers are kept from.
        let memory = unsafe { HostMemory::external(pointer, length, owner) };
        Ok(Buffer::with_access(self, self.hal.make_buffer_no_copy(memory)?, is_read_only))
    }

    /// The number by which libraries for NVIDIA GPUs know the device.
    pub fn gpu_number(&self) -> Option<u32> {
        self.hal.gpu_number()
    }
    /// The stream, by the driver's number, after whose work the device's memory may be used by commands that are
    /// submitted later. Producers of tensors are asked to let it wait for them.
    pub fn import_stream(&self) -> Option<u64> {
        self.hal.import_stream()
    }

    /// A private buffer over memory of the device that another library of the process owns.
    ///
    /// # Safety
    /// As for [`hal::Device::make_buffer_over_device_memory`].
    pub unsafe fn make_buffer_over_device_memory(
        &self,
        memory: hal::DeviceMemory,
        is_read_only: bool,
    ) -> Result<Buffer> {
        if memory.length == 0 {
            return Err(Error::invalid("a buffer must have at least one byte"));
        }
        // SAFETY: the caller's promise.
        let hal = unsafe { self.hal.make_buffer_over_device_memory(memory)? };
        Ok(Buffer::with_access(self, hal, is_read_only))
    }

    pub fn make_texture(&self, descriptor: &TextureDescriptor) -> Result<Texture> {
        check_process()?;
        Texture::new(self, descriptor)
    }
    pub fn make_sampler_state(&self, descriptor: &SamplerDescriptor) -> Result<SamplerState> {
        SamplerState::new(self, descriptor)
    }

    /// Compiles MSL. Functions are compiled further when pipelines are made of them.
    pub fn make_library(&self, source: &str, options: &CompileOptions) -> Result<Library> {
        check_process()?;
        Library::new(self, source, options)
    }
    /// A library from the text form of the IR.
    pub fn make_library_with_ir(&self, text: &str) -> Result<Library> {
        check_process()?;
        Library::from_ir(self, text)
    }

    pub fn make_compute_pipeline_state(&self, function: &Function) -> Result<ComputePipelineState> {
        check_process()?;
        ComputePipelineState::new(self, function, &[])
    }
    /// The same with `[[visible]]` functions (`MTLLinkedFunctions`) that its tables may hold.
    pub fn make_compute_pipeline_state_with_linked_functions(
        &self,
        function: &Function,
        linked_functions: &[Function],
    ) -> Result<ComputePipelineState> {
        check_process()?;
        ComputePipelineState::new(self, function, linked_functions)
    }

    /// What code generation makes of a function, as text, at a stage such as `llvm`, `asm`, `ptx` or `sass`.
    pub fn emit(&self, function: &Function, stage: &str, threadgroup: hal::Size) -> Result<String> {
        let source = crate::compute_pipeline_state::pipeline_source(function)?;
        // Text for NVIDIA GPUs needs none.
        if matches!(stage, "ptx" | "sass") && cuda_number(self.id()).is_none() {
            return Ok(metallic_cuda::emit(&source, stage, threadgroup.to_array(), None)?);
        }
        Ok(self.hal.emit(&source, stage, threadgroup.to_array())?)
    }

    /// How the device compiles a function for threadgroups of a size: which lines became vectors, which
    /// gather or run under masks, and what to change.
    pub fn explain(&self, function: &Function, threadgroup: hal::Size) -> Result<hal::Explanation> {
        let source = crate::compute_pipeline_state::pipeline_source(function)?;
        Ok(self.hal.explain(&source, threadgroup.to_array())?)
    }

    pub fn make_event(&self) -> Event {
        Event::new()
    }
    pub fn make_shared_event(&self) -> SharedEvent {
        Event::new()
    }
}

/// Fails in a process that was forked from one that used devices: see [`hal::process`].
pub(crate) fn check_process() -> Result<()> {
    if hal::process::is_forked() {
        return Err(Error::Device(
            "this process was forked from one that had opened a device, and devices do not survive fork(): open \
             devices after the fork only, or start processes by other means (multiprocessing: the start methods \
             \"spawn\" and \"forkserver\")"
                .into(),
        ));
    }
    Ok(())
}

/// `cuda:1` is 1, `cuda` is 0.
fn cuda_number(name: &str) -> Option<u32> {
    let (kind, number) = name.split_once(':').unwrap_or((name, "0"));
    if kind.eq_ignore_ascii_case("cuda") { number.parse().ok() } else { None }
}

impl PartialEq for Device {
    fn eq(&self, other: &Device) -> bool {
        self.is_same(other)
    }
}
impl Eq for Device {}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.id())
    }
}

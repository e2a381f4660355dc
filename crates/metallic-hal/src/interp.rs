//! The interp device: executes the IR with the interpreter, slowly and with every access checked.
//!
//! What it does is what a kernel means; other devices are compared with it. `PYMETALLIC_CHECK`
//! turns on the search for data races, and for what hardware forgives.

use std::sync::Arc;

use msl_base::Span;
use msl_ir::interp::{self, BufferRef, DispatchKind, Machine, Options, RaceCheck, TextureRef};

use crate::{
    Argument, Buffer, Command, Device, DeviceInfo, Dispatch, Error, Executor, Fault, Grid, HostBuffer, HostMemory,
    HostTexture, Pipeline, PipelineSource, Queue, Result, SerialQueue, StorageMode, Texture, TextureDescriptor, env,
    log, transfer,
};

/// See the module.
pub struct InterpDevice {
    info: DeviceInfo,
    executor: Arc<Interpreter>,
}

struct Interpreter {
    options: Options,
}

impl Default for InterpDevice {
    fn default() -> Self {
        InterpDevice::new()
    }
}

impl InterpDevice {
    /// With what `PYMETALLIC_CHECK` asks for.
    pub fn new() -> InterpDevice {
        let mut options = Options::default();
        for word in env::CHECK.get().unwrap_or_default().split(',') {
            match word.trim() {
                "strict" => options.strict = true,
                "races" => options.races = RaceCheck::Threadgroup,
                "races-grid" => options.races = RaceCheck::Grid,
                _ => {}
            }
        }
        InterpDevice::with_options(options)
    }
    pub fn with_options(options: Options) -> InterpDevice {
        let info = DeviceInfo::host("Interpreter", "interp", 0x696e);
        InterpDevice { info, executor: Arc::new(Interpreter { options }) }
    }
}

impl Device for InterpDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }
    fn make_buffer(&self, length: u64, storage_mode: StorageMode) -> Result<Arc<dyn Buffer>> {
        HostBuffer::make(&self.info.id, length, storage_mode)
    }
    fn make_buffer_for_overwrite(&self, length: u64, storage_mode: StorageMode) -> Result<Arc<dyn Buffer>> {
        HostBuffer::make_for_overwrite(&self.info.id, length, storage_mode)
    }
    fn make_buffer_no_copy(&self, memory: HostMemory) -> Result<Arc<dyn Buffer>> {
        Ok(Arc::new(HostBuffer::new(memory, StorageMode::Shared)))
    }
    fn make_texture(&self, descriptor: &TextureDescriptor) -> Result<Arc<dyn Texture>> {
        HostTexture::make(&self.info.id, descriptor)
    }
    fn make_compute_pipeline_state(&self, source: &PipelineSource) -> Result<Arc<dyn Pipeline>> {
        // Finds a malformed module now instead of at the first dispatch.
        Machine::new(source.module()?, source.entry_point().name.as_str(), self.executor.options)
            .map_err(|error| Error::Pipeline { message: format!("kernel {}: {error}", source.label) })?;
        Ok(Arc::new(InterpPipeline { source: source.clone() }))
    }
    fn make_command_queue(&self) -> Result<Arc<dyn Queue>> {
        Ok(SerialQueue::new(self.executor.clone()))
    }
}

struct InterpPipeline {
    source: PipelineSource,
}

impl Pipeline for InterpPipeline {
    fn max_total_threads_per_threadgroup(&self) -> u32 {
        1024
    }
    fn static_threadgroup_memory_length(&self) -> u32 {
        self.source.facts().static_threadgroup_memory_length
    }
}

impl Executor for Interpreter {
    fn execute(&self, command: &Command) -> std::result::Result<(), Fault> {
        match command {
            Command::Dispatch(dispatch) => self.dispatch(dispatch),
            other => transfer::execute(other),
        }
    }
}

impl Interpreter {
    fn dispatch(&self, dispatch: &Dispatch) -> std::result::Result<(), Fault> {
        let pipeline: &dyn std::any::Any = &*dispatch.pipeline;
        let Some(InterpPipeline { source }) = pipeline.downcast_ref() else {
            return Err(Fault::new("pipeline of another device"));
        };
        let (threads, groups) = dispatch.resolve_grid()?;
        if threads.is_empty() {
            return Ok(());
        }
        let module = source.module().map_err(|error| Fault::new(error.to_string()))?;
        let mut machine = Machine::new(module, source.entry_point().name.as_str(), self.options)
            .map_err(|error| Fault::new(error.to_string()))?;
        for (position, argument) in dispatch.arguments.iter().enumerate() {
            machine.bind(position, bind(argument)?);
        }
        for buffer in dispatch.resident.iter() {
            machine.make_resident(host_range(&**buffer, 0)?, buffer.gpu_address());
        }
        let group = dispatch.threads_per_threadgroup.to_array();
        let result = match dispatch.grid {
            Grid::Threads(_) => machine.dispatch(threads.to_array(), group, DispatchKind::Threads),
            Grid::Threadgroups(_) | Grid::Indirect { .. } => {
                machine.dispatch(groups.to_array(), group, DispatchKind::Threadgroups)
            }
        };
        for record in machine.take_logs() {
            log::emit(dispatch.log_state.as_deref(), &record.record);
        }
        result.map_err(|fault| describe(source, fault))
    }
}

fn bind(argument: &Argument) -> std::result::Result<interp::Argument<'_>, Fault> {
    Ok(match argument {
        Argument::Unbound => interp::Argument::Unbound,
        Argument::Buffer { buffer, offset } => interp::Argument::Buffer(host_range(&**buffer, *offset)?),
        Argument::Bytes(bytes) => interp::Argument::Bytes(bytes.as_slice().to_vec()),
        Argument::Textures(textures) => interp::Argument::Textures(
            textures
                .iter()
                .map(|texture| {
                    let texture = HostTexture::of(&**texture).ok_or_else(|| Fault::new("texture of another device"))?;
                    let memory = texture.memory();
                    // SAFETY: the texture lives as long as the dispatch that borrows it here, and
                    // nobody makes references to its memory.
                    let data = unsafe { BufferRef::from_raw(memory.as_ptr(), memory.len()) };
                    Ok(TextureRef { descriptor: *texture.layout(), data })
                })
                .collect::<std::result::Result<_, Fault>>()?,
        ),
        Argument::Sampler(state) => interp::Argument::Sampler(*state),
        Argument::Threadgroup { length } => interp::Argument::Threadgroup(*length),
    })
}

fn host_range(buffer: &dyn Buffer, offset: u64) -> std::result::Result<BufferRef<'_>, Fault> {
    let memory = HostBuffer::of(buffer).ok_or_else(|| Fault::new("buffer of another device"))?.memory();
    let length = (memory.len() as u64).checked_sub(offset).ok_or_else(|| Fault::new("offset beyond the buffer"))?;
    // SAFETY: the range is in the memory, which lives as long as the borrowed buffer; nobody makes
    // references to it.
    Ok(unsafe { BufferRef::from_raw(memory.as_ptr().add(offset as usize), length as usize) })
}

fn describe(source: &PipelineSource, fault: interp::Fault) -> Fault {
    Fault {
        id: fault.kind.id(),
        message: fault.message,
        kernel: Some(source.label.clone()),
        argument: fault.argument.map(|name| name.to_string()),
        location: (fault.span != Span::NONE).then(|| source.location(fault.span)).flatten().map(String::into_boxed_str),
        thread: fault.thread,
    }
}

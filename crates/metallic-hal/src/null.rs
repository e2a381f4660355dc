//! The null device: accepts everything, records commands, runs no kernel.
//!
//! Copies and fills do take place, so a host program sees the data that it moved itself.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    Buffer, Command, Device, DeviceInfo, Executor, Fault, Grid, HostBuffer, HostMemory, HostTexture, Pipeline,
    PipelineSource, Queue, Result, SerialQueue, StorageMode, Texture, TextureDescriptor, transfer,
};

/// See the module.
pub struct NullDevice {
    info: DeviceInfo,
    executor: Arc<Recorder>,
}

#[derive(Default)]
struct Recorder {
    log: Mutex<Vec<String>>,
}

impl Default for NullDevice {
    fn default() -> Self {
        NullDevice::new()
    }
}

impl NullDevice {
    pub fn new() -> NullDevice {
        NullDevice { info: DeviceInfo::host("Null device", "null", 0x6e75), executor: Arc::default() }
    }
    /// Takes what was executed since the last call: one line per command.
    pub fn take_log(&self) -> Vec<String> {
        std::mem::take(&mut self.executor.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Device for NullDevice {
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
        Ok(Arc::new(NullPipeline { static_memory: source.facts().static_threadgroup_memory_length }))
    }
    fn make_command_queue(&self) -> Result<Arc<dyn Queue>> {
        Ok(SerialQueue::new(self.executor.clone()))
    }
}

struct NullPipeline {
    static_memory: u32,
}

impl Pipeline for NullPipeline {
    fn max_total_threads_per_threadgroup(&self) -> u32 {
        1024
    }
    fn static_threadgroup_memory_length(&self) -> u32 {
        self.static_memory
    }
}

impl Executor for Recorder {
    fn execute(&self, command: &Command) -> std::result::Result<(), Fault> {
        let line = match command {
            Command::Dispatch(dispatch) => {
                let (threads, groups) = dispatch.resolve_grid()?;
                let how = match dispatch.grid {
                    Grid::Threads(_) => "threads",
                    Grid::Threadgroups(_) => "threadgroups",
                    Grid::Indirect { .. } => "indirect",
                };
                let (label, group) = (&dispatch.label, dispatch.threads_per_threadgroup);
                format!("dispatch {label} by {how}: {threads} threads, {groups} threadgroups of {group}")
            }
            Command::CopyBuffer { size, .. } => format!("copy buffer {size}"),
            Command::FillBuffer { length, value, .. } => format!("fill buffer {length} with {value}"),
            Command::CopyBufferToTexture { region, .. } => format!("copy buffer to texture {}", region.size),
            Command::CopyTextureToBuffer { region, .. } => format!("copy texture to buffer {}", region.size),
            Command::CopyTexture { region, .. } => format!("copy texture {}", region.size),
            Command::GenerateMipmaps { .. } => "generate mipmaps".into(),
            Command::Synchronize { .. } => "synchronize".into(),
            Command::SignalEvent { .. } | Command::WaitEvent { .. } => return Ok(()),
        };
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        match command {
            Command::Dispatch(_) => Ok(()),
            other => transfer::execute(other),
        }
    }
}

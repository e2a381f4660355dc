//! The device.

use std::sync::Arc;

use metallic_hal::{
    Buffer, Device, DeviceInfo, DeviceMemory, Error, HostMemory, Pipeline, PipelineSource, Queue, Result, StorageMode,
    Texture, TextureDescriptor,
};

use crate::context::{Attribute, Context, Event, Stream};
use crate::driver::Driver;
use crate::memory::CudaBuffer;
use crate::pipeline::CudaPipeline;
use crate::queue::CudaQueue;
use crate::texture::CudaTexture;
use crate::transfer::Transfers;

/// One NVIDIA GPU as a Metal device.
pub struct CudaDevice {
    info: DeviceInfo,
    context: Arc<Context>,
    transfers: Arc<Transfers>,
}

/// How many GPUs there are; 0 without a driver.
pub fn count() -> u32 {
    Driver::get().map_or(0, Driver::count)
}

impl CudaDevice {
    /// The GPU of this number, counted from 0.
    pub fn new(index: u32) -> Result<CudaDevice> {
        CudaDevice::of(Context::open(index)?)
    }

    pub(crate) fn of(context: Arc<Context>) -> Result<CudaDevice> {
        let index = context.index;
        let mut info = DeviceInfo::host(context.name(), context.id.clone(), 0x6375_6461_0000 + u64::from(index));
        info.has_unified_memory = false;
        info.max_threads_per_threadgroup = [1024, 1024, 64];
        info.max_buffer_length = context.memory();
        // Apple's GPUs have 32 KB, what a host is told too.
        let shared = context.attribute(Attribute::MaxDynamicShared);
        info.max_threadgroup_memory_length = info.max_threadgroup_memory_length.max(shared);
        info.compute_units = context.attribute(Attribute::Multiprocessors);
        let transfers = Transfers::new(&context)?;
        Ok(CudaDevice { info, context, transfers })
    }

    /// 12.4 is 12040.
    pub fn driver_version(&self) -> u32 {
        self.context.driver_version()
    }
}

impl Device for CudaDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }
    fn make_buffer(&self, length: u64, storage_mode: StorageMode) -> Result<Arc<dyn Buffer>> {
        Ok(Arc::new(CudaBuffer::new(&self.transfers, length, storage_mode)?))
    }
    fn make_buffer_no_copy(&self, memory: HostMemory) -> Result<Arc<dyn Buffer>> {
        Ok(Arc::new(CudaBuffer::over(&self.transfers, memory)?))
    }
    fn make_buffer_with_bytes(&self, bytes: &[u8], storage_mode: StorageMode) -> Option<Result<Arc<dyn Buffer>>> {
        let buffer = CudaBuffer::with_bytes(&self.transfers, bytes, storage_mode);
        Some(buffer.map(|buffer| Arc::new(buffer) as Arc<dyn Buffer>))
    }
    unsafe fn make_buffer_over_device_memory(&self, memory: DeviceMemory) -> Result<Arc<dyn Buffer>> {
        match self.context.owner_of(memory.address) {
            Some(owner) if owner == self.context.index => {}
            Some(other) => {
                let id = &self.info.id;
                return Err(Error::Device(format!("the memory is of GPU {other}; device {id} cannot use it")));
            }
            None => {
                self.context.check_alive()?;
                return Err(Error::Device(format!("there is no memory of a GPU at {:#x}", memory.address)));
            }
        }
        if let Some(number) = memory.after {
            let event = Event::new(&self.context, false)?;
            Stream::borrowed(&self.context, number).record(&event)?;
            self.transfers.up.wait_for(&event)?;
        }
        // Commands wait for that stream, which waited for the owner's work.
        self.transfers.count();
        Ok(Arc::new(CudaBuffer::external(&self.transfers, memory.address, memory.length, memory.owner)))
    }
    fn gpu_number(&self) -> Option<u32> {
        Some(self.context.index)
    }
    fn import_stream(&self) -> Option<u64> {
        Some(self.transfers.up.number())
    }
    fn is_lost(&self) -> bool {
        self.context.is_lost()
    }
    fn make_texture(&self, descriptor: &TextureDescriptor) -> Result<Arc<dyn Texture>> {
        Ok(Arc::new(CudaTexture::new(&self.transfers, descriptor)?))
    }
    fn make_compute_pipeline_state(&self, source: &PipelineSource) -> Result<Arc<dyn Pipeline>> {
        Ok(Arc::new(CudaPipeline::new(source, &self.context)?))
    }
    fn make_command_queue(&self) -> Result<Arc<dyn Queue>> {
        Ok(CudaQueue::make(&self.transfers)?)
    }
    fn emit(&self, source: &PipelineSource, stage: &str, threadgroup: [u32; 3]) -> Result<String> {
        crate::library::emit(source, stage, threadgroup, Some(self.context.capability()))
    }
}

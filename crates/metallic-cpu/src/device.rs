//! The device.

use std::sync::Arc;

use metallic_hal::{
    Buffer, Device, DeviceInfo, Explanation, HostBuffer, HostMemory, HostTexture, Pipeline, PipelineSource, Queue,
    Result, SerialQueue, StorageMode, Texture, TextureDescriptor, env,
};

use crate::compiler::Compiler;
use crate::encoder::Encoder;
use crate::pipeline::CpuPipeline;
use crate::pool::{Counts, Pool};
use crate::processors::default_threads;
use crate::start::Start;

/// All processors of the machine as one Metal device.
pub struct CpuDevice {
    info: DeviceInfo,
    compiler: Arc<Compiler>,
    start: Start,
    executor: Arc<Encoder>,
}

impl CpuDevice {
    /// With as many threads as `PYMETALLIC_THREADS` says or the process may run at once (affinity and
    /// control groups considered); an error where it says no number.
    pub fn new() -> Result<CpuDevice> {
        CpuDevice::with_threads(default_threads()?)
    }

    pub fn with_threads(threads: usize) -> Result<CpuDevice> {
        CpuDevice::with_features(threads, &env::CPU_FEATURES.get().unwrap_or_default())
    }

    /// With the vector instructions that a value of `PYMETALLIC_CPU_FEATURES` stands for; an error where the machine
    /// lacks them.
    pub fn with_features(threads: usize, features: &str) -> Result<CpuDevice> {
        CpuDevice::with_start(threads, features, Start::of_environment()?)
    }

    /// Likewise, with what code kernels start.
    pub fn with_start(threads: usize, features: &str, start: Start) -> Result<CpuDevice> {
        let mut info = DeviceInfo::host(format!("CPU ({})", processor_name()), "cpu", 0x6370);
        info.compute_units = u32::try_from(threads).unwrap_or(u32::MAX);
        let compiler = Arc::new(Compiler::new(features)?);
        Ok(CpuDevice { info, compiler, start, executor: Arc::new(Encoder::new(Pool::new(threads))) })
    }

    /// What its threads have done so far.
    pub fn counts(&self) -> Counts {
        self.executor.counts()
    }
}

impl Device for CpuDevice {
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
        Ok(Arc::new(CpuPipeline::new(source, self.compiler.clone(), self.start)?))
    }
    fn make_command_queue(&self) -> Result<Arc<dyn Queue>> {
        Ok(SerialQueue::new(self.executor.clone()))
    }
    fn emit(&self, source: &PipelineSource, stage: &str, threadgroup: [u32; 3]) -> Result<String> {
        self.compiler.emit(source, stage, threadgroup)
    }
    fn explain(&self, source: &PipelineSource, threadgroup: [u32; 3]) -> Result<Explanation> {
        self.compiler.explain(source, threadgroup)
    }
}

/// As the operating system knows it, or the architecture.
fn processor_name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name.trim()));
    model.unwrap_or(std::env::consts::ARCH).to_string()
}

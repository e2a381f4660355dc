//! The device, and what its objects share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use metallic_hal::{
    Buffer, Device, DeviceInfo, Error, HostMemory, Pipeline, PipelineSource, Queue, Result, StorageMode, Texture,
    TextureDescriptor,
};
use msl_ir::SamplerState;
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_metal::{
    MTLBlitCommandEncoder, MTLCommandBuffer, MTLCommandEncoder, MTLCommandQueue, MTLCopyAllDevices,
    MTLCreateSystemDefaultDevice, MTLDevice, MTLGPUFamily, MTLSamplerState, MTLSharedEventListener,
};

use crate::convert;
use crate::encoder::ByteKernels;
use crate::library::Libraries;
use crate::memory::{AppleBuffer, AppleTexture};
use crate::pipeline::ApplePipeline;
use crate::queue::AppleQueue;

type Sampler = Retained<ProtocolObject<dyn MTLSamplerState>>;

/// An `MTLDevice`.
pub struct AppleDevice {
    info: DeviceInfo,
    context: Arc<Context>,
}

/// What the objects of a device share.
pub(crate) struct Context {
    pub raw: Retained<ProtocolObject<dyn MTLDevice>>,
    pub id: String,
    pub has_unified_memory: bool,
    /// Whether copies and fills take any offset and length, not only multiples of four bytes.
    pub has_byte_blits: bool,
    pub libraries: Libraries,
    /// See `encoder`; made when first needed.
    pub byte_kernels: OnceLock<std::result::Result<ByteKernels, String>>,
    samplers: Mutex<HashMap<u64, Sampler>>,
    listener: OnceLock<Retained<MTLSharedEventListener>>,
    transfer_queue: OnceLock<Retained<ProtocolObject<dyn MTLCommandQueue>>>,
}

impl AppleDevice {
    /// The device that the system prefers: `apple`.
    pub fn system_default() -> Result<AppleDevice> {
        let raw = autoreleasepool(|_| MTLCreateSystemDefaultDevice());
        let raw = raw.ok_or_else(|| Error::Device("this system has no Metal device".into()))?;
        Ok(AppleDevice::new(raw, "apple".into()))
    }

    /// All devices, the preferred one first; the others are `apple:1` and so on.
    pub fn all() -> Vec<AppleDevice> {
        let Ok(first) = AppleDevice::system_default() else { return Vec::new() };
        let registry_id = first.info.registry_id;
        let mut devices = vec![first];
        autoreleasepool(|_| {
            for raw in MTLCopyAllDevices() {
                if raw.registryID() != registry_id {
                    let id = format!("apple:{}", devices.len());
                    devices.push(AppleDevice::new(raw, id));
                }
            }
        });
        devices
    }

    fn new(raw: Retained<ProtocolObject<dyn MTLDevice>>, id: String) -> AppleDevice {
        autoreleasepool(|_| {
            let threads = raw.maxThreadsPerThreadgroup();
            let axis = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
            let info = DeviceInfo {
                name: raw.name().to_string(),
                id: id.clone(),
                registry_id: raw.registryID(),
                has_unified_memory: raw.hasUnifiedMemory(),
                max_threads_per_threadgroup: [axis(threads.width), axis(threads.height), axis(threads.depth)],
                // Metal has no name for it: it is what one axis may take, and each pipeline may say less.
                max_total_threads_per_threadgroup: axis(threads.width),
                max_threadgroup_memory_length: axis(raw.maxThreadgroupMemoryLength()),
                max_buffer_length: raw.maxBufferLength() as u64,
                // Pipelines say it; 32 on every device that we know of but some of Intel's.
                thread_execution_width: 32,
                supports_shader_barycentric_coordinates: raw.supportsShaderBarycentricCoordinates(),
                // Metal does not tell.
                compute_units: 1,
            };
            let context = Context {
                id,
                has_unified_memory: info.has_unified_memory,
                has_byte_blits: raw.supportsFamily(MTLGPUFamily::Apple1),
                raw,
                libraries: Libraries::default(),
                byte_kernels: OnceLock::new(),
                samplers: Mutex::default(),
                listener: OnceLock::new(),
                transfer_queue: OnceLock::new(),
            };
            AppleDevice { info, context: Arc::new(context) }
        })
    }
}

impl Device for AppleDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }
    fn make_buffer(&self, length: u64, storage_mode: StorageMode) -> Result<Arc<dyn Buffer>> {
        Ok(Arc::new(AppleBuffer::new(&self.context, length, storage_mode)?))
    }
    fn make_buffer_no_copy(&self, memory: HostMemory) -> Result<Arc<dyn Buffer>> {
        Ok(Arc::new(AppleBuffer::no_copy(&self.context, memory)?))
    }
    fn make_texture(&self, descriptor: &TextureDescriptor) -> Result<Arc<dyn Texture>> {
        Ok(Arc::new(AppleTexture::new(&self.context, descriptor)?))
    }
    fn compiles_text(&self) -> bool {
        true
    }
    fn make_compute_pipeline_state(&self, source: &PipelineSource) -> Result<Arc<dyn Pipeline>> {
        Ok(Arc::new(ApplePipeline::new(&self.context, source)?))
    }
    fn make_command_queue(&self) -> Result<Arc<dyn Queue>> {
        Ok(AppleQueue::make(&self.context)?)
    }
    fn sampler_resource_id(&self, sampler: SamplerState) -> Result<u64> {
        let state = self.context.sampler(sampler);
        let state = state.ok_or_else(|| Error::Device(format!("device {} made no sampler state", self.context.id)))?;
        Ok(state.gpuResourceID().to_raw())
    }
}

impl Context {
    /// Made once for each state: programs bind the same few again and again, and Metal allows only so many.
    pub fn sampler(&self, state: SamplerState) -> Option<Sampler> {
        let mut samplers = self.samplers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sampler) = samplers.get(&state.0) {
            return Some(sampler.clone());
        }
        let descriptor = convert::sampler_descriptor(state)?;
        let sampler = autoreleasepool(|_| self.raw.newSamplerStateWithDescriptor(&descriptor))?;
        samplers.insert(state.0, sampler.clone());
        Some(sampler)
    }

    /// Calls back, from a thread of the system, when shared events are signaled.
    pub fn listener(&self) -> &MTLSharedEventListener {
        self.listener.get_or_init(MTLSharedEventListener::new)
    }

    /// Has the device do something for the host, which waits. Does nothing when the device has no
    /// command buffer to give; it is lost then, and so is what the host waits for.
    pub fn blit_and_wait(&self, encode: impl FnOnce(&ProtocolObject<dyn MTLBlitCommandEncoder>)) {
        autoreleasepool(|_| {
            let queue = match self.transfer_queue.get() {
                Some(queue) => queue,
                None => {
                    let Some(queue) = self.raw.newCommandQueue() else { return };
                    self.transfer_queue.get_or_init(|| queue)
                }
            };
            let Some(buffer) = queue.commandBuffer() else { return };
            let Some(encoder) = buffer.blitCommandEncoder() else { return };
            encode(&encoder);
            encoder.endEncoding();
            buffer.commit();
            buffer.waitUntilCompleted();
        });
    }
}

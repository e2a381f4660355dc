//! Buffers and textures. Each has memory of the GPU and, unless it is private, a copy for the host.
//!
//! Buffers are made coherent where Metal makes them so: the host's bytes go to the GPU when a command
//! list first uses the buffer, and come back when the list is complete, if it may have written them.
//! Textures know who wrote last, because the host reaches them through functions only.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use metallic_hal::{
    Buffer, Error, HostBuffer, HostMemory, HostTexture, Region, Result, StorageMode, Texture, TextureDescriptor,
    TextureSlice,
};
use msl_ir::TextureDescriptor as TextureLayout;

use crate::driver::{Address, Context, DeviceMemory, PinnedMemory, Stream};

/// Below this, pinning costs more than it saves.
const PINNED_FROM: u64 = 64 * 1024;

pub struct CudaBuffer {
    context: Arc<Context>,
    pub device: DeviceMemory,
    host: Option<HostBuffer>,
    storage_mode: StorageMode,
    length: u64,
}

impl CudaBuffer {
    pub fn new(context: &Arc<Context>, length: u64, storage_mode: StorageMode) -> Result<CudaBuffer> {
        let out_of_memory = || Error::OutOfMemory { device: context.id.clone(), requested: length };
        let size = usize::try_from(length).map_err(|_| out_of_memory())?;
        let device = DeviceMemory::allocate(context, size)?;
        if storage_mode == StorageMode::Private {
            let stream = Stream::new(context)?;
            // SAFETY: the allocation has this size.
            unsafe { stream.fill(device.address, 0, size)? };
            stream.synchronize()?;
            return Ok(CudaBuffer { context: context.clone(), device, host: None, storage_mode, length });
        }
        let pinned = if length >= PINNED_FROM { PinnedMemory::allocate(context, size).ok() } else { None };
        let memory = match pinned.and_then(|p| Some((NonNull::new(p.pointer)?, p))) {
            // SAFETY: the owner keeps the memory, which has this length.
            Some((pointer, owner)) => unsafe { HostMemory::external(pointer, size, Box::new(owner)) },
            None => HostMemory::allocate(size).ok_or_else(out_of_memory)?,
        };
        let host = Some(HostBuffer::new(memory, storage_mode));
        Ok(CudaBuffer { context: context.clone(), device, host, storage_mode, length })
    }

    /// A shared buffer whose host side is memory that exists.
    pub fn over(context: &Arc<Context>, memory: HostMemory) -> Result<CudaBuffer> {
        let device = DeviceMemory::allocate(context, memory.len())?;
        let length = memory.len() as u64;
        let host = Some(HostBuffer::new(memory, StorageMode::Shared));
        Ok(CudaBuffer { context: context.clone(), device, host, storage_mode: StorageMode::Shared, length })
    }

    /// The buffer behind a trait object, if it is of this GPU.
    pub fn of<'a>(buffer: &'a dyn Buffer, context: &Arc<Context>) -> Option<&'a CudaBuffer> {
        let buffer: &CudaBuffer = (buffer as &dyn Any).downcast_ref()?;
        Arc::ptr_eq(&buffer.context, context).then_some(buffer)
    }

    pub fn is_private(&self) -> bool {
        self.host.is_none()
    }
    /// The host's bytes to the GPU.
    pub fn upload(&self, stream: &Stream) -> Result<()> {
        let Some(host) = &self.host else { return Ok(()) };
        // SAFETY: both sides have the buffer's length; the command list keeps the buffer.
        unsafe { stream.upload(self.device.address, host.memory().as_ptr(), self.length as usize) }
    }
    /// The GPU's bytes to the host.
    pub fn download(&self, stream: &Stream) -> Result<()> {
        let Some(host) = &self.host else { return Ok(()) };
        // SAFETY: as above.
        unsafe { stream.download(host.memory().as_ptr(), self.device.address, self.length as usize) }
    }
    /// A copy of the GPU's bytes in memory of the host.
    pub fn snapshot(&self, stream: &Stream) -> Result<Arc<dyn Buffer>> {
        let copy = HostBuffer::make(&self.context.id, self.length, StorageMode::Shared)?;
        if let Some(to) = copy.contents() {
            // SAFETY: the copy has the same length and lives until the stream is synchronized.
            unsafe { stream.download(to.as_ptr(), self.device.address, self.length as usize)? };
            stream.synchronize()?;
        }
        Ok(copy)
    }
    /// Replaces the GPU's bytes.
    pub fn restore(&self, from: &dyn Buffer, stream: &Stream) -> Result<()> {
        if let Some(from) = from.contents() {
            // SAFETY: `from` is a snapshot of this buffer; the copy is complete on return.
            unsafe { stream.upload(self.device.address, from.as_ptr(), self.length as usize)? };
            stream.synchronize()?;
        }
        Ok(())
    }
}

impl Buffer for CudaBuffer {
    fn length(&self) -> u64 {
        self.length
    }
    fn storage_mode(&self) -> StorageMode {
        self.storage_mode
    }
    fn contents(&self) -> Option<NonNull<u8>> {
        self.host.as_ref()?.contents()
    }
    fn gpu_address(&self) -> u64 {
        self.device.address
    }
}

pub struct CudaTexture {
    context: Arc<Context>,
    host: Arc<dyn Texture>,
    data: DeviceMemory,
    descriptor: DeviceMemory,
    newer: Mutex<Newer>,
}

/// Who wrote last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Newer {
    Neither,
    Host,
    Gpu,
}

impl CudaTexture {
    pub fn new(context: &Arc<Context>, descriptor: &TextureDescriptor) -> Result<CudaTexture> {
        let host = HostTexture::make(&context.id, descriptor)?;
        let texture = host_texture(&*host)?;
        let data = DeviceMemory::allocate(context, texture.memory().len())?;
        let layout = TextureLayout { data: data.address, ..*texture.layout() };
        let memory = DeviceMemory::allocate(context, size_of::<TextureLayout>())?;
        let stream = Stream::new(context)?;
        // SAFETY: the layout is plain data that outlives the copy.
        unsafe { stream.upload(memory.address, (&raw const layout).cast(), size_of::<TextureLayout>())? };
        stream.synchronize()?;
        let newer = Mutex::new(Newer::Host);
        Ok(CudaTexture { context: context.clone(), host, data, descriptor: memory, newer })
    }

    pub fn of<'a>(texture: &'a dyn Texture, context: &Arc<Context>) -> Option<&'a CudaTexture> {
        let texture: &CudaTexture = (texture as &dyn Any).downcast_ref()?;
        Arc::ptr_eq(&texture.context, context).then_some(texture)
    }

    /// Where kernels find the descriptor.
    pub fn address(&self) -> Address {
        self.descriptor.address
    }
    /// The descriptor itself.
    pub fn layout(&self) -> Result<TextureLayout> {
        Ok(TextureLayout { data: self.data.address, ..*host_texture(&*self.host)?.layout() })
    }
    /// The host's side, for commands that are executed there.
    pub fn host(&self) -> &Arc<dyn Texture> {
        &self.host
    }

    /// Makes the GPU's side the newest, before a kernel uses it; `written` if the kernel writes it.
    pub fn prepare(&self, stream: &Stream, written: bool) -> Result<()> {
        let mut newer = self.lock();
        if *newer == Newer::Host {
            let memory = host_texture(&*self.host)?.memory();
            // SAFETY: both sides have the same length; the command list keeps the texture.
            unsafe { stream.upload(self.data.address, memory.as_ptr(), memory.len())? };
            *newer = Newer::Neither;
        }
        if written {
            *newer = Newer::Gpu;
        }
        Ok(())
    }

    /// Makes the host's side the newest; `written` if the host is about to write it.
    pub fn fetch(&self, written: bool) -> Result<()> {
        let mut newer = self.lock();
        if *newer == Newer::Gpu {
            let memory = host_texture(&*self.host)?.memory();
            let stream = Stream::new(&self.context)?;
            // SAFETY: as above; the copy is complete on return.
            unsafe { stream.download(memory.as_ptr(), self.data.address, memory.len())? };
            stream.synchronize()?;
            *newer = Newer::Neither;
        }
        if written {
            *newer = Newer::Host;
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Newer> {
        self.newer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Texture for CudaTexture {
    fn descriptor(&self) -> &TextureDescriptor {
        self.host.descriptor()
    }
    fn replace_region(&self, region: Region, at: TextureSlice, bytes: &[u8], bytes_per_row: u64, bytes_per_image: u64) {
        // A driver that fails here fails the next command, too, which can say so.
        let _ = self.fetch(true);
        self.host.replace_region(region, at, bytes, bytes_per_row, bytes_per_image);
    }
    fn get_bytes(&self, bytes: &mut [u8], bytes_per_row: u64, bytes_per_image: u64, region: Region, at: TextureSlice) {
        let _ = self.fetch(false);
        self.host.get_bytes(bytes, bytes_per_row, bytes_per_image, region, at);
    }
    fn gpu_resource_id(&self) -> u64 {
        self.descriptor.address
    }
}

fn host_texture(texture: &dyn Texture) -> Result<&HostTexture> {
    HostTexture::of(texture).ok_or_else(|| Error::Device("a texture without memory of the host".into()))
}

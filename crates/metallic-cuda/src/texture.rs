//! Textures: memory of the GPU, laid out as the standard library's own addressing wants it, and a copy for the host.
//!
//! Textures know who wrote last, because the host reaches them through functions only.

use std::any::Any;
use std::sync::{Arc, Mutex, PoisonError};

use metallic_hal::{Error, HostTexture, Region, Result, Texture, TextureDescriptor, TextureSlice};
use msl_ir::TextureDescriptor as TextureLayout;

use crate::context::Context;
use crate::driver::Address;
use crate::pool::DeviceMemory;
use crate::transfer::Transfers;

pub struct CudaTexture {
    transfers: Arc<Transfers>,
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
    pub fn new(transfers: &Arc<Transfers>, descriptor: &TextureDescriptor) -> Result<CudaTexture> {
        let context = &transfers.context;
        let host = HostTexture::make(&context.id, descriptor)?;
        let texture = host_texture(&*host)?;
        let data = DeviceMemory::allocate(context, texture.memory().len())?;
        let layout = TextureLayout { data: data.address, ..*texture.layout() };
        let memory = DeviceMemory::allocate(context, size_of::<TextureLayout>())?;
        // SAFETY: the layout is plain data without padding; the memory has its size.
        unsafe {
            let bytes = std::slice::from_raw_parts((&raw const layout).cast(), size_of::<TextureLayout>());
            transfers.upload(memory.address, bytes)?;
        }
        let newer = Mutex::new(Newer::Host);
        Ok(CudaTexture { transfers: transfers.clone(), host, data, descriptor: memory, newer })
    }

    pub fn of<'a>(texture: &'a dyn Texture, context: &Arc<Context>) -> Option<&'a CudaTexture> {
        let texture: &CudaTexture = (texture as &dyn Any).downcast_ref()?;
        Arc::ptr_eq(&texture.transfers.context, context).then_some(texture)
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
    pub fn prepare(&self, written: bool) -> Result<()> {
        let mut newer = self.lock();
        if *newer == Newer::Host {
            let memory = host_texture(&*self.host)?.memory();
            // SAFETY: both sides have the same length; the command list keeps the texture.
            unsafe {
                let bytes = std::slice::from_raw_parts(memory.as_ptr(), memory.len());
                self.transfers.upload(self.data.address, bytes)?;
            }
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
            // SAFETY: as above.
            unsafe { self.transfers.download(memory.as_ptr(), self.data.address, memory.len())? };
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

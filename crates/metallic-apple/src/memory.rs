//! Buffers and textures.

use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

use block2::RcBlock;
use metallic_hal::{Buffer, Error, HostMemory, Region, Result, StorageMode, Texture, TextureDescriptor, TextureSlice};
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_foundation::NSRange;
use objc2_metal::{MTLBlitCommandEncoder, MTLBuffer, MTLDevice, MTLResource, MTLTexture};

use crate::convert;
use crate::device::Context;

/// The unit in which memory is mapped: it differs between Apple's processors and Intel's.
fn page_size() -> usize {
    unsafe extern "C" {
        safe fn getpagesize() -> std::ffi::c_int;
    }
    getpagesize() as usize
}

/// An `MTLBuffer`, or a part of one.
pub struct AppleBuffer {
    pub(crate) raw: Retained<ProtocolObject<dyn MTLBuffer>>,
    /// Where we start in it: memory of the host need not start on a page.
    pub(crate) base: usize,
    length: u64,
    storage_mode: StorageMode,
    context: Arc<Context>,
}

// SAFETY: Metal allows resources to be used from every thread; the bindings do not say so because
// contents are shared with the device, and those are reached through raw pointers only.
unsafe impl Send for AppleBuffer {}
// SAFETY: as above.
unsafe impl Sync for AppleBuffer {}

impl AppleBuffer {
    pub(crate) fn new(context: &Arc<Context>, length: u64, storage_mode: StorageMode) -> Result<AppleBuffer> {
        let out_of_memory = || Error::OutOfMemory { device: context.id.clone(), requested: length };
        let count = usize::try_from(length).map_err(|_| out_of_memory())?;
        let options = convert::resource_options(storage_mode);
        let raw = autoreleasepool(|_| context.raw.newBufferWithLength_options(count, options));
        let raw = raw.ok_or_else(out_of_memory)?;
        Ok(AppleBuffer { raw, base: 0, length, storage_mode, context: context.clone() })
    }

    /// Metal takes whole pages, so the buffer is of all the pages that the memory touches.
    pub(crate) fn no_copy(context: &Arc<Context>, memory: HostMemory) -> Result<AppleBuffer> {
        let page = page_size();
        let base = memory.as_ptr() as usize % page;
        let length = memory.len() as u64;
        let pages = (base + memory.len()).next_multiple_of(page);
        // SAFETY: this is the start of a page that belongs to the process: the memory begins in it.
        let start = unsafe { memory.pointer().cast().byte_sub(base) };
        let options = convert::resource_options(StorageMode::Shared);
        // Metal lets go of the block after it has called it, or when it refuses the memory.
        let owner = std::cell::Cell::new(Some(memory));
        let release = RcBlock::new(move |_: NonNull<std::ffi::c_void>, _: usize| drop(owner.take()));
        // SAFETY: the block, which owns the memory, keeps it as long as Metal keeps the buffer; bytes of
        // the pages that are not ours are reached by no valid kernel.
        let raw = autoreleasepool(|_| unsafe {
            context.raw.newBufferWithBytesNoCopy_length_options_deallocator(start, pages, options, Some(&release))
        });
        let raw = raw.ok_or_else(|| {
            let id = &context.id;
            Error::Unsupported(format!("device {id} cannot use this memory of the host without a copy"))
        })?;
        Ok(AppleBuffer { raw, base, length, storage_mode: StorageMode::Shared, context: context.clone() })
    }

    /// The buffer behind a trait object.
    pub fn of(buffer: &dyn Buffer) -> Option<&AppleBuffer> {
        (buffer as &dyn Any).downcast_ref()
    }
}

impl Buffer for AppleBuffer {
    fn length(&self) -> u64 {
        self.length
    }
    fn storage_mode(&self) -> StorageMode {
        self.storage_mode
    }
    fn contents(&self) -> Option<NonNull<u8>> {
        if self.storage_mode == StorageMode::Private {
            return None;
        }
        // SAFETY: the buffer has more than `base` bytes.
        Some(unsafe { self.raw.contents().cast::<u8>().add(self.base) })
    }
    fn gpu_address(&self) -> u64 {
        self.raw.gpuAddress() + self.base as u64
    }
    fn did_modify_range(&self, start: u64, end: u64) {
        if self.storage_mode == StorageMode::Managed && start < end {
            self.raw.didModifyRange(NSRange::new(self.base + start as usize, (end - start) as usize));
        }
    }
    fn synchronize(&self) {
        // Where there is one memory, there is one copy.
        if self.storage_mode == StorageMode::Managed && !self.context.has_unified_memory {
            self.context.blit_and_wait(|encoder| {
                let resource: &ProtocolObject<dyn MTLResource> = ProtocolObject::from_ref(&*self.raw);
                encoder.synchronizeResource(resource);
            });
        }
    }
}

/// An `MTLTexture`.
pub struct AppleTexture {
    pub(crate) raw: Retained<ProtocolObject<dyn MTLTexture>>,
    descriptor: TextureDescriptor,
    /// Whether host and device have a copy each.
    is_managed: bool,
    context: Arc<Context>,
}

// SAFETY: as for `AppleBuffer`.
unsafe impl Send for AppleTexture {}
// SAFETY: as for `AppleBuffer`.
unsafe impl Sync for AppleTexture {}

impl AppleTexture {
    pub(crate) fn new(context: &Arc<Context>, descriptor: &TextureDescriptor) -> Result<AppleTexture> {
        // A device with memory of its own has no shared textures; managed ones are the next best.
        let mode = match descriptor.storage_mode {
            StorageMode::Shared if !context.has_unified_memory => StorageMode::Managed,
            mode => mode,
        };
        // No host reaches into samples.
        let mode = if descriptor.texture_type.is_multisample() { StorageMode::Private } else { mode };
        let raw =
            autoreleasepool(|_| context.raw.newTextureWithDescriptor(&convert::texture_descriptor(descriptor, mode)));
        let raw = raw.ok_or_else(|| {
            let size = descriptor.level_size(0).volume() * u128::from(descriptor.bytes_per_texel());
            let all = size.saturating_mul(u128::from(descriptor.slice_count()));
            Error::OutOfMemory { device: context.id.clone(), requested: u64::try_from(all).unwrap_or(u64::MAX) }
        })?;
        let is_managed = mode == StorageMode::Managed && !context.has_unified_memory;
        Ok(AppleTexture { raw, descriptor: descriptor.clone(), is_managed, context: context.clone() })
    }

    /// The texture behind a trait object.
    pub fn of(texture: &dyn Texture) -> Option<&AppleTexture> {
        (texture as &dyn Any).downcast_ref()
    }
}

impl Texture for AppleTexture {
    fn descriptor(&self) -> &TextureDescriptor {
        &self.descriptor
    }

    fn replace_region(&self, region: Region, at: TextureSlice, bytes: &[u8], bytes_per_row: u64, bytes_per_image: u64) {
        if region.size.is_empty() {
            return;
        }
        let (row, image) = convert::strides(&self.descriptor, region.size, bytes_per_row, bytes_per_image);
        // SAFETY: region, level and slice were validated against the descriptor, and the length of
        // `bytes` against the region; Metal reads `width` texels of each row and nothing behind them.
        unsafe {
            self.raw.replaceRegion_mipmapLevel_slice_withBytes_bytesPerRow_bytesPerImage(
                convert::region(region),
                at.level as usize,
                at.slice as usize,
                NonNull::from(bytes).cast(),
                row,
                image,
            );
        }
    }

    fn get_bytes(&self, bytes: &mut [u8], bytes_per_row: u64, bytes_per_image: u64, region: Region, at: TextureSlice) {
        if region.size.is_empty() {
            return;
        }
        if self.is_managed {
            self.context.blit_and_wait(|encoder| {
                let resource: &ProtocolObject<dyn MTLResource> = ProtocolObject::from_ref(&*self.raw);
                encoder.synchronizeResource(resource);
            });
        }
        let (row, image) = convert::strides(&self.descriptor, region.size, bytes_per_row, bytes_per_image);
        // SAFETY: as in `replace_region`; Metal writes the texels of each row and nothing between.
        unsafe {
            self.raw.getBytes_bytesPerRow_bytesPerImage_fromRegion_mipmapLevel_slice(
                NonNull::from(bytes).cast(),
                row,
                image,
                convert::region(region),
                at.level as usize,
                at.slice as usize,
            );
        }
    }

    fn gpu_resource_id(&self) -> u64 {
        self.raw.gpuResourceID().to_raw()
    }
}

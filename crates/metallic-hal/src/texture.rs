//! Textures: what they look like, and linear ones in memory of the host.

use std::any::Any;
use std::sync::Arc;

use msl_ir::{PixelFormat, TextureDescriptor as TextureLayout};

use crate::{Error, HostMemory, PixelFormatInfo, Region, Result, Size, StorageMode, Texture, TextureSlice};

/// `MTLTextureType`, with its numbers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum TextureType {
    D1 = 0,
    D1Array = 1,
    #[default]
    D2 = 2,
    D2Array = 3,
    D2Multisample = 4,
    Cube = 5,
    CubeArray = 6,
    D3 = 7,
    D2MultisampleArray = 8,
    TextureBuffer = 9,
}

impl TextureType {
    pub fn from_raw(value: u32) -> Option<TextureType> {
        use TextureType::*;
        [D1, D1Array, D2, D2Array, D2Multisample, Cube, CubeArray, D3, D2MultisampleArray, TextureBuffer]
            .into_iter()
            .find(|t| *t as u32 == value)
    }
    pub fn is_cube(self) -> bool {
        matches!(self, TextureType::Cube | TextureType::CubeArray)
    }
    pub fn is_array(self) -> bool {
        use TextureType::*;
        matches!(self, D1Array | D2Array | CubeArray | D2MultisampleArray)
    }
    pub fn is_multisample(self) -> bool {
        matches!(self, TextureType::D2Multisample | TextureType::D2MultisampleArray)
    }
    /// As MSL spells it.
    pub fn name(self) -> &'static str {
        match self {
            TextureType::D1 => "texture1d",
            TextureType::D1Array => "texture1d_array",
            TextureType::D2 => "texture2d",
            TextureType::D2Array => "texture2d_array",
            TextureType::D2Multisample => "texture2d_ms",
            TextureType::Cube => "texturecube",
            TextureType::CubeArray => "texturecube_array",
            TextureType::D3 => "texture3d",
            TextureType::D2MultisampleArray => "texture2d_ms_array",
            TextureType::TextureBuffer => "texture_buffer",
        }
    }
}

/// `MTLTextureUsage`: a set of bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TextureUsage(pub u32);

impl TextureUsage {
    /// Anything goes.
    pub const UNKNOWN: TextureUsage = TextureUsage(0);
    pub const SHADER_READ: TextureUsage = TextureUsage(1);
    pub const SHADER_WRITE: TextureUsage = TextureUsage(2);
    pub const READ_WRITE: TextureUsage = TextureUsage(3);

    pub fn allows(self, needed: TextureUsage) -> bool {
        self == TextureUsage::UNKNOWN || self.0 & needed.0 == needed.0
    }
}

/// `MTLTextureDescriptor`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextureDescriptor {
    pub texture_type: TextureType,
    pub pixel_format: PixelFormat,
    pub width: u32,
    pub height: u32,
    pub depth: u32,
    pub mipmap_level_count: u32,
    pub sample_count: u32,
    pub array_length: u32,
    pub usage: TextureUsage,
    pub storage_mode: StorageMode,
}

impl Default for TextureDescriptor {
    fn default() -> Self {
        TextureDescriptor::new_2d(PixelFormat::RGBA8Unorm, 1, 1, false)
    }
}

impl TextureDescriptor {
    pub fn new_2d(pixel_format: PixelFormat, width: u32, height: u32, mipmapped: bool) -> TextureDescriptor {
        let mut descriptor = TextureDescriptor {
            texture_type: TextureType::D2,
            pixel_format,
            width,
            height,
            depth: 1,
            mipmap_level_count: 1,
            sample_count: 1,
            array_length: 1,
            usage: TextureUsage::READ_WRITE,
            storage_mode: StorageMode::Shared,
        };
        if mipmapped {
            descriptor.mipmap_level_count = descriptor.max_mipmap_level_count();
        }
        descriptor
    }
    /// Down to one texel.
    pub fn max_mipmap_level_count(&self) -> u32 {
        32 - self.width.max(self.height).max(self.depth).max(1).leading_zeros()
    }
    /// The size of a mipmap level, in texels.
    pub fn level_size(&self, level: u32) -> Size {
        let at = |n: u32| n.checked_shr(level).unwrap_or(0).max(1);
        Size::new(at(self.width), at(self.height), at(self.depth))
    }
    /// Array slices, cube faces counted one by one.
    pub fn slice_count(&self) -> u32 {
        self.array_length * if self.texture_type.is_cube() { 6 } else { 1 }
    }
    pub fn bytes_per_texel(&self) -> u32 {
        PixelFormatInfo::of(self.pixel_format).bytes_per_texel
    }
}

/// A texture in memory of the host, linear: see [`msl_ir::TextureDescriptor`] for where a texel lies.
pub struct HostTexture {
    descriptor: TextureDescriptor,
    memory: Arc<dyn AsRef<HostMemory> + Send + Sync>,
    layout: Box<TextureLayout>,
}

impl AsRef<HostMemory> for HostMemory {
    fn as_ref(&self) -> &HostMemory {
        self
    }
}

impl HostTexture {
    pub fn make(device: &str, descriptor: &TextureDescriptor) -> Result<Arc<dyn Texture>> {
        if descriptor.texture_type.is_multisample() {
            let name = descriptor.texture_type.name();
            return Err(Error::Unsupported(format!("{name} textures are not supported by device {device}")));
        }
        let d = descriptor;
        let texel = u64::from(d.bytes_per_texel());
        let mut layout = TextureLayout {
            data: 0,
            width: d.width,
            height: d.height,
            depth: d.depth,
            array_length: d.slice_count(),
            mip_levels: d.mipmap_level_count,
            samples: d.sample_count,
            format: d.pixel_format as u32,
            bytes_per_texel: texel as u32,
            level_offset: [0; 16],
            row_stride: [0; 16],
            plane_stride: [0; 16],
            slice_stride: [0; 16],
        };
        let out_of_memory = || Error::OutOfMemory { device: device.into(), requested: u64::MAX };
        let mut offset = 0u64;
        for level in 0..d.mipmap_level_count.min(16) {
            let size = d.level_size(level);
            let row = (u64::from(size.width) * texel).next_multiple_of(16);
            let plane = row.checked_mul(u64::from(size.height)).ok_or_else(out_of_memory)?;
            let slice = plane.checked_mul(u64::from(size.depth)).ok_or_else(out_of_memory)?;
            let l = level as usize;
            layout.level_offset[l] = offset;
            layout.row_stride[l] = u32::try_from(row).map_err(|_| out_of_memory())?;
            layout.plane_stride[l] = plane;
            layout.slice_stride[l] = slice;
            let all = slice.checked_mul(u64::from(d.slice_count())).ok_or_else(out_of_memory)?;
            offset = offset.checked_add(all).ok_or_else(out_of_memory)?.next_multiple_of(64);
        }
        let memory = usize::try_from(offset)
            .ok()
            .and_then(HostMemory::allocate)
            .ok_or_else(|| Error::OutOfMemory { device: device.into(), requested: offset })?;
        layout.data = memory.as_ptr() as u64;
        Ok(Arc::new(HostTexture { descriptor: d.clone(), memory: Arc::new(memory), layout: Box::new(layout) }))
    }

    /// What a kernel receives; its address stays the same as long as the texture lives.
    pub fn layout(&self) -> &TextureLayout {
        &self.layout
    }
    pub fn memory(&self) -> &HostMemory {
        (*self.memory).as_ref()
    }
    /// The host texture behind a trait object.
    pub fn of(texture: &dyn Texture) -> Option<&HostTexture> {
        (texture as &dyn Any).downcast_ref()
    }

    /// Offset of a row of texels of the region from the start of the memory; within it for all rows of a
    /// region that lies inside of the level.
    pub(crate) fn row_offset(&self, region: Region, at: TextureSlice, y: u32, z: u32) -> usize {
        let l = at.level as usize;
        let layout = &self.layout;
        (layout.level_offset[l]
            + u64::from(at.slice) * layout.slice_stride[l]
            + u64::from(region.origin.z + z) * layout.plane_stride[l]
            + u64::from(region.origin.y + y) * u64::from(layout.row_stride[l])
            + u64::from(region.origin.x) * u64::from(layout.bytes_per_texel)) as usize
    }

    /// Calls `f` with (offset in the texture, offset in a linear image, length in bytes) for each row.
    pub(crate) fn for_each_row(
        &self,
        region: Region,
        at: TextureSlice,
        bytes_per_row: u64,
        bytes_per_image: u64,
        mut f: impl FnMut(usize, usize, usize),
    ) {
        let length = region.size.width as usize * self.layout.bytes_per_texel as usize;
        for z in 0..region.size.depth {
            for y in 0..region.size.height {
                let linear = u64::from(z) * bytes_per_image + u64::from(y) * bytes_per_row;
                let offset = self.row_offset(region, at, y, z);
                assert!(offset + length <= self.memory().len(), "the region was validated");
                f(offset, linear as usize, length);
            }
        }
    }
}

impl Texture for HostTexture {
    fn descriptor(&self) -> &TextureDescriptor {
        &self.descriptor
    }
    fn replace_region(&self, region: Region, at: TextureSlice, bytes: &[u8], bytes_per_row: u64, bytes_per_image: u64) {
        let base = self.memory().as_ptr();
        self.for_each_row(region, at, bytes_per_row, bytes_per_image, |offset, linear, length| {
            let row = &bytes[linear..linear + length];
            // SAFETY: `for_each_row` checked that the row lies in the memory; the slice is host memory elsewhere.
            unsafe { std::ptr::copy_nonoverlapping(row.as_ptr(), base.add(offset), length) }
        });
    }
    fn get_bytes(&self, bytes: &mut [u8], bytes_per_row: u64, bytes_per_image: u64, region: Region, at: TextureSlice) {
        let base = self.memory().as_ptr();
        self.for_each_row(region, at, bytes_per_row, bytes_per_image, |offset, linear, length| {
            let row = &mut bytes[linear..linear + length];
            // SAFETY: as in `replace_region`.
            unsafe { std::ptr::copy_nonoverlapping(base.add(offset), row.as_mut_ptr(), length) }
        });
    }
    fn gpu_resource_id(&self) -> u64 {
        &raw const *self.layout as u64
    }
}

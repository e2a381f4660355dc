//! Our types as Metal's. Enumerations that share Metal's numbers are passed on by number.

use metallic_hal::{FunctionConstantValue, Origin, PixelFormatInfo, Region, Size, StorageMode};
use metallic_hal::{TextureDescriptor, TextureType};
use msl_ir::{PixelFormat, SamplerState, Scalar};
use objc2::rc::Retained;
use objc2_metal::{
    MTLCompareFunction, MTLDataType, MTLLanguageVersion, MTLOrigin, MTLPixelFormat, MTLRegion, MTLResourceOptions,
    MTLSamplerAddressMode, MTLSamplerBorderColor, MTLSamplerDescriptor, MTLSamplerMinMagFilter, MTLSamplerMipFilter,
    MTLSamplerReductionMode, MTLSize, MTLStorageMode, MTLTextureDescriptor, MTLTextureType, MTLTextureUsage,
};

pub fn size(size: Size) -> MTLSize {
    MTLSize { width: size.width as usize, height: size.height as usize, depth: size.depth as usize }
}

pub fn origin(origin: Origin) -> MTLOrigin {
    MTLOrigin { x: origin.x as usize, y: origin.y as usize, z: origin.z as usize }
}

pub fn region(region: Region) -> MTLRegion {
    MTLRegion { origin: origin(region.origin), size: size(region.size) }
}

pub fn storage_mode(mode: StorageMode) -> MTLStorageMode {
    match mode {
        StorageMode::Shared => MTLStorageMode::Shared,
        StorageMode::Managed => MTLStorageMode::Managed,
        StorageMode::Private => MTLStorageMode::Private,
    }
}

pub fn resource_options(mode: StorageMode) -> MTLResourceOptions {
    match mode {
        StorageMode::Shared => MTLResourceOptions::StorageModeShared,
        StorageMode::Managed => MTLResourceOptions::StorageModeManaged,
        StorageMode::Private => MTLResourceOptions::StorageModePrivate,
    }
}

pub fn pixel_format(format: PixelFormat) -> MTLPixelFormat {
    MTLPixelFormat(format as usize)
}

pub fn language_version((major, minor): (u32, u32)) -> MTLLanguageVersion {
    MTLLanguageVersion(((major as usize) << 16) + minor as usize)
}

/// `mode` may differ from that of the descriptor: see `memory`.
pub fn texture_descriptor(d: &TextureDescriptor, mode: StorageMode) -> Retained<MTLTextureDescriptor> {
    let out = MTLTextureDescriptor::new();
    out.setTextureType(MTLTextureType(d.texture_type as usize));
    out.setPixelFormat(pixel_format(d.pixel_format));
    // SAFETY: the descriptor was validated: sizes and counts are those that its type may have.
    unsafe {
        out.setWidth(d.width as usize);
        out.setHeight(d.height as usize);
        out.setDepth(d.depth as usize);
        out.setMipmapLevelCount(d.mipmap_level_count as usize);
        out.setSampleCount(d.sample_count as usize);
        out.setArrayLength(d.array_length as usize);
    }
    out.setStorageMode(storage_mode(mode));
    out.setUsage(MTLTextureUsage(d.usage.0 as usize));
    out
}

/// Unpacks the state; [`SamplerState`] says where the fields are. `None` where the system does not know all of it.
pub fn sampler_descriptor(state: SamplerState) -> Option<Retained<MTLSamplerDescriptor>> {
    let mut rest = state.0;
    let mut field = |width: u32| {
        let value = rest & ((1 << width) - 1);
        rest >>= width;
        value as usize
    };
    // What is packed highest is what no level can be: unlimited.
    let lod = |packed: usize| if packed == 0xffff { f32::MAX } else { packed as f32 / 16.0 };
    let out = MTLSamplerDescriptor::new();
    out.setSAddressMode(MTLSamplerAddressMode(field(3)));
    out.setTAddressMode(MTLSamplerAddressMode(field(3)));
    out.setRAddressMode(MTLSamplerAddressMode(field(3)));
    out.setMinFilter(MTLSamplerMinMagFilter(field(1)));
    out.setMagFilter(MTLSamplerMinMagFilter(field(1)));
    out.setMipFilter(MTLSamplerMipFilter(field(2)));
    out.setNormalizedCoordinates(field(1) == 0);
    // 8 is "none" to a sampler that MSL declares; to Metal a sampler that compares with nothing
    // is one that never passes, which is its default.
    out.setCompareFunction(MTLCompareFunction(match field(4) {
        compare @ 0..=7 => compare,
        _ => 0,
    }));
    out.setBorderColor(MTLSamplerBorderColor(field(2)));
    out.setMaxAnisotropy(field(4) + 1);
    out.setLodMinClamp(lod(field(16)));
    out.setLodMaxClamp(lod(field(16)));
    let reduction = field(2);
    if reduction != 0 {
        if !objc2::available!(macos = 26.0, ios = 26.0, tvos = 26.0, visionos = 26.0) {
            return None;
        }
        out.setReductionMode(MTLSamplerReductionMode(reduction));
    }
    out.setSupportArgumentBuffers(true);
    Some(out)
}

/// The type of a function constant.
pub fn data_type(value: &FunctionConstantValue) -> MTLDataType {
    let first = match value.scalar {
        Scalar::Bool => MTLDataType::Bool,
        Scalar::I8 => MTLDataType::Char,
        Scalar::U8 => MTLDataType::UChar,
        Scalar::I16 => MTLDataType::Short,
        Scalar::U16 => MTLDataType::UShort,
        Scalar::I32 => MTLDataType::Int,
        Scalar::U32 => MTLDataType::UInt,
        Scalar::I64 => MTLDataType::Long,
        Scalar::U64 => MTLDataType::ULong,
        Scalar::F16 => MTLDataType::Half,
        Scalar::BF16 => MTLDataType::BFloat,
        Scalar::F32 => MTLDataType::Float,
    };
    // Vectors of two, three and four follow their scalar.
    MTLDataType(first.0 + usize::from(value.len) - 1)
}

/// Strides of linear memory as Metal wants them: at least those of the region even where they
/// do not matter, and none between images of textures that have but one.
pub fn strides(d: &TextureDescriptor, size: Size, bytes_per_row: u64, bytes_per_image: u64) -> (usize, usize) {
    let row = u64::from(size.width) * u64::from(PixelFormatInfo::of(d.pixel_format).bytes_per_texel);
    let bytes_per_row = if size.height > 1 { bytes_per_row } else { bytes_per_row.max(row) };
    let image = bytes_per_row.saturating_mul(u64::from(size.height));
    let bytes_per_image = match d.texture_type {
        TextureType::D3 if size.depth > 1 => bytes_per_image,
        TextureType::D3 => bytes_per_image.max(image),
        _ => 0,
    };
    (bytes_per_row as usize, bytes_per_image as usize)
}

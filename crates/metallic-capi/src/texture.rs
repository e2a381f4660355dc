//! Textures and sampler states.
//!
//! Descriptors begin with their own size: a caller who did not call the function that fills in the
//! defaults is told, and later versions may append members.

use std::ffi::{c_char, c_void};

use metallic::{
    AddressMode, BorderColor, CompareFunction, Device, MinMagFilter, MipFilter, Origin, PixelFormat, PixelFormatInfo,
    Region, SamplerDescriptor, SamplerReductionMode, SamplerState, Size, Texture, TextureDescriptor, TextureType,
    TextureUsage,
};

use crate::error::{Failure, Result, done, guard, make};
use crate::handle::{Handle, get};
use crate::{alloc, convert, object};

/// `struct metal_region`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MetalRegion {
    pub x: u32,
    pub y: u32,
    pub z: u32,
    pub width: u32,
    pub height: u32,
    pub depth: u32,
}

/// # Safety
/// `region` is NULL or points to one.
pub unsafe fn region(region: *const MetalRegion, what: &str) -> Result<Region> {
    // SAFETY: the caller's promise.
    let MetalRegion { x, y, z, width, height, depth } = unsafe { convert::structure(region, what) }?;
    Ok(Region { origin: Origin { x, y, z }, size: Size::new(width, height, depth) })
}

// ---- textures ------------------------------------------------------------------------------

/// `struct metal_texture_descriptor`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MetalTextureDescriptor {
    pub struct_size: u32,
    pub texture_type: u32,
    pub pixel_format: u32,
    pub width: u32,
    pub height: u32,
    pub depth: u32,
    pub mipmap_level_count: u32,
    pub sample_count: u32,
    pub array_length: u32,
    pub usage: u32,
    pub options: i32,
}

/// # Safety
/// `descriptor` is NULL or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_texture_descriptor_init(descriptor: *mut MetalTextureDescriptor) -> bool {
    done("metal_texture_descriptor_init", || {
        let defaults = MetalTextureDescriptor {
            struct_size: size_of::<MetalTextureDescriptor>() as u32,
            texture_type: TextureType::D2 as u32,
            pixel_format: PixelFormat::RGBA8Unorm as u32,
            width: 1,
            height: 1,
            depth: 1,
            mipmap_level_count: 1,
            sample_count: 1,
            array_length: 1,
            usage: TextureUsage::READ_WRITE.0,
            options: 0,
        };
        // SAFETY: the caller's promise.
        unsafe { fill(descriptor, defaults) }
    })
}

/// # Safety
/// `descriptor` is NULL or points to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_make_texture(
    device: Handle,
    descriptor: *const MetalTextureDescriptor,
) -> Handle {
    make("metal_device_make_texture", || {
        let device: Device = get(device, "device")?;
        // SAFETY: the caller's promise.
        let d = unsafe { convert::structure(descriptor, "descriptor") }?;
        check_size::<MetalTextureDescriptor>(d.struct_size, "metal_texture_descriptor_init")?;
        let texture_type = TextureType::from_raw(d.texture_type).ok_or_else(|| {
            Failure::argument(format!("texture_type is {}, none of METAL_TEXTURE_TYPE", d.texture_type))
        })?;
        if d.usage > TextureUsage::READ_WRITE.0 {
            return Err(Failure::argument(format!("usage is {}, no set of METAL_TEXTURE_USAGE", d.usage)));
        }
        let descriptor = TextureDescriptor {
            texture_type,
            pixel_format: pixel_format(d.pixel_format)?,
            width: d.width,
            height: d.height,
            depth: d.depth,
            mipmap_level_count: d.mipmap_level_count,
            sample_count: d.sample_count,
            array_length: d.array_length,
            usage: TextureUsage(d.usage),
            storage_mode: convert::storage_mode(d.options)?,
        };
        Ok(device.make_texture(&descriptor)?)
    })
}

/// A 2-D texture of one mipmap level for reading and writing.
#[unsafe(no_mangle)]
pub extern "C" fn metal_device_make_texture_2d(
    device: Handle,
    format: u32,
    width: u32,
    height: u32,
    options: i32,
) -> Handle {
    make("metal_device_make_texture_2d", || {
        let device: Device = get(device, "device")?;
        let mut descriptor = TextureDescriptor::new_2d(pixel_format(format)?, width, height, false);
        descriptor.storage_mode = convert::storage_mode(options)?;
        Ok(device.make_texture(&descriptor)?)
    })
}

/// # Safety
/// `region` is NULL or points to one; `bytes` is NULL or points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_texture_replace_region(
    texture: Handle,
    region: *const MetalRegion,
    level: i32,
    slice: i32,
    bytes: *const c_void,
    length: u64,
    bytes_per_row: u64,
    bytes_per_image: u64,
) -> bool {
    done("metal_texture_replace_region", || {
        let texture: Texture = get(texture, "texture")?;
        let (level, slice) = (convert::unsigned(level, "level")?, convert::unsigned(slice, "slice")?);
        // SAFETY: the caller's promise.
        let (region, bytes) = unsafe { (self::region(region, "region")?, convert::bytes(bytes, length, "bytes")?) };
        Ok(texture.replace_region(region, level, slice, bytes, bytes_per_row, bytes_per_image)?)
    })
}

/// # Safety
/// `region` is NULL or points to one; `bytes` is NULL or has room for `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_texture_get_bytes(
    texture: Handle,
    bytes: *mut c_void,
    length: u64,
    bytes_per_row: u64,
    bytes_per_image: u64,
    region: *const MetalRegion,
    level: i32,
    slice: i32,
) -> bool {
    done("metal_texture_get_bytes", || {
        let texture: Texture = get(texture, "texture")?;
        let (level, slice) = (convert::unsigned(level, "level")?, convert::unsigned(slice, "slice")?);
        // SAFETY: the caller's promise.
        let (region, bytes) = unsafe { (self::region(region, "region")?, convert::bytes_mut(bytes, length, "bytes")?) };
        Ok(texture.get_bytes(bytes, bytes_per_row, bytes_per_image, region, level, slice)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_texture_get_width(texture: Handle) -> u32 {
    guard("metal_texture_get_width", 0, || Ok(get::<Texture>(texture, "texture")?.width()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_texture_get_height(texture: Handle) -> u32 {
    guard("metal_texture_get_height", 0, || Ok(get::<Texture>(texture, "texture")?.height()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_texture_get_depth(texture: Handle) -> u32 {
    guard("metal_texture_get_depth", 0, || Ok(get::<Texture>(texture, "texture")?.depth()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_texture_get_pixel_format(texture: Handle) -> u32 {
    guard("metal_texture_get_pixel_format", 0, || Ok(get::<Texture>(texture, "texture")?.pixel_format() as u32))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_texture_get_label(texture: Handle) -> *mut c_char {
    alloc::text("metal_texture_get_label", || Ok(Some(get::<Texture>(texture, "texture")?.label())))
}

/// # Safety
/// `label` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_texture_set_label(texture: Handle, label: *const c_char) -> bool {
    done("metal_texture_set_label", || {
        let texture: Texture = get(texture, "texture")?;
        // SAFETY: the caller's promise.
        texture.set_label(unsafe { convert::text(label, "label") }?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_texture_release(texture: Handle) {
    object::release::<Texture>("metal_texture_release", texture);
}

fn pixel_format(number: u32) -> Result<PixelFormat> {
    let info = PixelFormatInfo::from_raw(number);
    info.map(|info| info.format)
        .ok_or_else(|| Failure::argument(format!("pixel format {}", PixelFormatInfo::why_not_number(number))))
}

// ---- sampler states ------------------------------------------------------------------------

/// `struct metal_sampler_descriptor`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MetalSamplerDescriptor {
    pub struct_size: u32,
    pub s_address_mode: u32,
    pub t_address_mode: u32,
    pub r_address_mode: u32,
    pub min_filter: u32,
    pub mag_filter: u32,
    pub mip_filter: u32,
    pub normalized_coordinates: u32,
    pub compare_function: u32,
    pub border_color: u32,
    pub max_anisotropy: u32,
    pub lod_min_clamp: f32,
    pub lod_max_clamp: f32,
    pub reduction_mode: u32,
}

/// # Safety
/// `descriptor` is NULL or has room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_sampler_descriptor_init(descriptor: *mut MetalSamplerDescriptor) -> bool {
    done("metal_sampler_descriptor_init", || {
        let d = SamplerDescriptor::default();
        let defaults = MetalSamplerDescriptor {
            struct_size: size_of::<MetalSamplerDescriptor>() as u32,
            s_address_mode: d.s_address_mode as u32,
            t_address_mode: d.t_address_mode as u32,
            r_address_mode: d.r_address_mode as u32,
            min_filter: d.min_filter as u32,
            mag_filter: d.mag_filter as u32,
            mip_filter: d.mip_filter as u32,
            normalized_coordinates: u32::from(d.normalized_coordinates),
            compare_function: d.compare_function as u32,
            border_color: d.border_color as u32,
            max_anisotropy: d.max_anisotropy,
            lod_min_clamp: d.lod_min_clamp,
            lod_max_clamp: d.lod_max_clamp,
            reduction_mode: d.reduction_mode as u32,
        };
        // SAFETY: the caller's promise.
        unsafe { fill(descriptor, defaults) }
    })
}

/// # Safety
/// `descriptor` is NULL or points to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_make_sampler_state(
    device: Handle,
    descriptor: *const MetalSamplerDescriptor,
) -> Handle {
    make("metal_device_make_sampler_state", || {
        let device: Device = get(device, "device")?;
        // SAFETY: the caller's promise.
        let d = unsafe { convert::structure(descriptor, "descriptor") }?;
        check_size::<MetalSamplerDescriptor>(d.struct_size, "metal_sampler_descriptor_init")?;
        Ok(device.make_sampler_state(&sampler_descriptor(&d)?)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_sampler_state_release(sampler: Handle) {
    object::release::<SamplerState>("metal_sampler_state_release", sampler);
}

fn sampler_descriptor(d: &MetalSamplerDescriptor) -> Result<SamplerDescriptor> {
    use convert::one_of;
    // In the order of Metal's numbers.
    const ADDRESS_MODES: &[AddressMode] = &[
        AddressMode::ClampToEdge,
        AddressMode::MirrorClampToEdge,
        AddressMode::Repeat,
        AddressMode::MirrorRepeat,
        AddressMode::ClampToZero,
        AddressMode::ClampToBorderColor,
    ];
    const FILTERS: &[MinMagFilter] = &[MinMagFilter::Nearest, MinMagFilter::Linear];
    const MIP_FILTERS: &[MipFilter] = &[MipFilter::NotMipmapped, MipFilter::Nearest, MipFilter::Linear];
    const COMPARE_FUNCTIONS: &[CompareFunction] = &[
        CompareFunction::Never,
        CompareFunction::Less,
        CompareFunction::Equal,
        CompareFunction::LessEqual,
        CompareFunction::Greater,
        CompareFunction::NotEqual,
        CompareFunction::GreaterEqual,
        CompareFunction::Always,
    ];
    const BORDER_COLORS: &[BorderColor] =
        &[BorderColor::TransparentBlack, BorderColor::OpaqueBlack, BorderColor::OpaqueWhite];
    const REDUCTION_MODES: &[SamplerReductionMode] =
        &[SamplerReductionMode::WeightedAverage, SamplerReductionMode::Minimum, SamplerReductionMode::Maximum];
    Ok(SamplerDescriptor {
        s_address_mode: one_of(ADDRESS_MODES, d.s_address_mode, "s_address_mode")?,
        t_address_mode: one_of(ADDRESS_MODES, d.t_address_mode, "t_address_mode")?,
        r_address_mode: one_of(ADDRESS_MODES, d.r_address_mode, "r_address_mode")?,
        min_filter: one_of(FILTERS, d.min_filter, "min_filter")?,
        mag_filter: one_of(FILTERS, d.mag_filter, "mag_filter")?,
        mip_filter: one_of(MIP_FILTERS, d.mip_filter, "mip_filter")?,
        normalized_coordinates: d.normalized_coordinates != 0,
        compare_function: one_of(COMPARE_FUNCTIONS, d.compare_function, "compare_function")?,
        border_color: one_of(BORDER_COLORS, d.border_color, "border_color")?,
        max_anisotropy: d.max_anisotropy,
        lod_min_clamp: d.lod_min_clamp,
        lod_max_clamp: d.lod_max_clamp,
        reduction_mode: one_of(REDUCTION_MODES, d.reduction_mode, "reduction_mode")?,
    })
}

// ---- descriptors ---------------------------------------------------------------------------

fn check_size<T>(struct_size: u32, init: &str) -> Result<()> {
    if struct_size as usize == size_of::<T>() {
        return Ok(());
    }
    let size = size_of::<T>();
    Err(Failure::argument(format!("struct_size of the descriptor is {struct_size}, not {size}: call {init} first")))
}

/// # Safety
/// `target` is NULL or has room for a `T`, aligned or not.
unsafe fn fill<T>(target: *mut T, value: T) -> Result<()> {
    if target.is_null() {
        return Err(Failure::argument("descriptor is NULL"));
    }
    // SAFETY: not NULL, and the caller promises the rest.
    unsafe { target.write_unaligned(value) };
    Ok(())
}

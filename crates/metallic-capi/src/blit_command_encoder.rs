//! Blit command encoders.

use std::ffi::c_void;
use std::sync::Arc;

use metallic::{BlitCommandEncoder, Buffer, Texture, TextureSlice};

use crate::buffer::{Deallocator, Lent};
use crate::command_buffer::{Encoder, encode, own};
use crate::error::{Failure, Result, make};
use crate::handle::{Handle, get};
use crate::texture::{MetalRegion, region};
use crate::{convert, object};

pub type BlitEncoder = Encoder<BlitCommandEncoder>;

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_make_blit_command_encoder(command_buffer: Handle) -> Handle {
    make("metal_command_buffer_make_blit_command_encoder", || {
        let command_buffer = own(command_buffer)?;
        Ok(Encoder::new(command_buffer.inner.make_blit_command_encoder()?, &command_buffer))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_blit_command_encoder_copy_buffer(
    encoder: Handle,
    source: Handle,
    source_offset: u64,
    dest: Handle,
    dest_offset: u64,
    size: u64,
) {
    blit("metal_blit_command_encoder_copy_buffer", encoder, |encoder| {
        let source: Buffer = get(source, "source")?;
        let dest: Buffer = get(dest, "dest")?;
        Ok(encoder.copy_from_buffer(&source, source_offset, &dest, dest_offset, size)?)
    });
}

/// # Safety
/// `bytes` is NULL or points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_blit_command_encoder_copy_bytes(
    encoder: Handle,
    bytes: *const c_void,
    length: u64,
    dest: Handle,
    dest_offset: u64,
) -> bool {
    blit("metal_blit_command_encoder_copy_bytes", encoder, |encoder| {
        // SAFETY: the caller's promise.
        let bytes = unsafe { convert::bytes(bytes, length, "bytes") }?;
        Ok(encoder.copy_from_bytes(bytes, &get::<Buffer>(dest, "dest")?, dest_offset)?)
    })
}

/// # Safety
/// `bytes` is NULL or points to `length` bytes that stay valid and are not written until `deallocator` is called, or
/// for good without one; `deallocator` may be called from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_blit_command_encoder_copy_bytes_no_copy(
    encoder: Handle,
    bytes: *const c_void,
    length: u64,
    deallocator: Deallocator,
    user_data: *mut c_void,
    dest: Handle,
    dest_offset: u64,
) -> bool {
    blit("metal_blit_command_encoder_copy_bytes_no_copy", encoder, |encoder| {
        if length == 0 {
            return Err(Failure::argument("length is 0: there is nothing to keep until the copy is done"));
        }
        let dest: Buffer = get(dest, "dest")?;
        // SAFETY: the caller's promise. Nothing writes to the memory.
        let lent = unsafe { Lent::new(bytes.cast_mut(), length, deallocator, user_data) }?;
        lent.hand_over(|pointer, length, owner| {
            // SAFETY: the memory is valid until the deallocator is called, which `owner` does when it is dropped.
            unsafe { encoder.copy_from_bytes_no_copy(pointer, length, owner, &dest, dest_offset) }
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_blit_command_encoder_fill_buffer(
    encoder: Handle,
    buffer: Handle,
    offset: u64,
    length: u64,
    value: u8,
) -> bool {
    blit("metal_blit_command_encoder_fill_buffer", encoder, |encoder| {
        Ok(encoder.fill_buffer(&get::<Buffer>(buffer, "buffer")?, offset, length, value)?)
    })
}

/// # Safety
/// `region` is NULL or points to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_blit_command_encoder_copy_buffer_to_texture(
    encoder: Handle,
    source: Handle,
    source_offset: u64,
    bytes_per_row: u64,
    bytes_per_image: u64,
    dest: Handle,
    slice: i32,
    level: i32,
    dest_region: *const MetalRegion,
) -> bool {
    blit("metal_blit_command_encoder_copy_buffer_to_texture", encoder, |encoder| {
        let source: Buffer = get(source, "source")?;
        let dest: Texture = get(dest, "dest")?;
        let at = texture_slice(slice, level)?;
        // SAFETY: the caller's promise.
        let region = unsafe { region(dest_region, "dest_region") }?;
        Ok(encoder.copy_from_buffer_to_texture(
            &source,
            source_offset,
            bytes_per_row,
            bytes_per_image,
            &dest,
            at,
            region,
        )?)
    })
}

/// # Safety
/// `region` is NULL or points to one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_blit_command_encoder_copy_texture_to_buffer(
    encoder: Handle,
    source: Handle,
    slice: i32,
    level: i32,
    source_region: *const MetalRegion,
    dest: Handle,
    dest_offset: u64,
    bytes_per_row: u64,
    bytes_per_image: u64,
) -> bool {
    blit("metal_blit_command_encoder_copy_texture_to_buffer", encoder, |encoder| {
        let source: Texture = get(source, "source")?;
        let dest: Buffer = get(dest, "dest")?;
        let at = texture_slice(slice, level)?;
        // SAFETY: the caller's promise.
        let region = unsafe { region(source_region, "source_region") }?;
        Ok(encoder.copy_from_texture_to_buffer(
            &source,
            at,
            region,
            &dest,
            dest_offset,
            bytes_per_row,
            bytes_per_image,
        )?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_blit_command_encoder_generate_mipmaps(encoder: Handle, texture: Handle) -> bool {
    blit("metal_blit_command_encoder_generate_mipmaps", encoder, |encoder| {
        Ok(encoder.generate_mipmaps(&get::<Texture>(texture, "texture")?)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_blit_command_encoder_synchronize_resource(encoder: Handle, buffer: Handle) -> bool {
    blit("metal_blit_command_encoder_synchronize_resource", encoder, |encoder| {
        Ok(encoder.synchronize_resource(&get::<Buffer>(buffer, "buffer")?)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_blit_command_encoder_end_encoding(encoder: Handle) {
    blit("metal_blit_command_encoder_end_encoding", encoder, |encoder| Ok(encoder.end_encoding()?));
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_blit_command_encoder_release(encoder: Handle) {
    object::release::<Arc<BlitEncoder>>("metal_blit_command_encoder_release", encoder);
}

fn blit(function: &str, encoder: Handle, body: impl FnOnce(&BlitCommandEncoder) -> Result<()>) -> bool {
    encode(function, encoder, body)
}

fn texture_slice(slice: i32, level: i32) -> Result<TextureSlice> {
    Ok(TextureSlice { slice: convert::unsigned(slice, "slice")?, level: convert::unsigned(level, "level")? })
}

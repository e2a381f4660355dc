//! Compute command encoders.

use std::ffi::c_void;

use metallic::{
    BarrierScope, Buffer, ComputeCommandEncoder, ComputePipelineState, SamplerState, Texture, VisibleFunctionTable,
};

use crate::command_buffer::{Encoder, encode, own};
use crate::error::{Failure, make};
use crate::handle::{Handle, get};
use crate::{convert, object};

pub type ComputeEncoder = Encoder<ComputeCommandEncoder>;

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_make_compute_command_encoder(command_buffer: Handle) -> Handle {
    make("metal_command_buffer_make_compute_command_encoder", || {
        let command_buffer = own(command_buffer)?;
        Ok(Encoder::new(command_buffer.inner.make_compute_command_encoder()?, &command_buffer))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_set_compute_pipeline_state(encoder: Handle, pipeline: Handle) {
    compute("metal_compute_command_encoder_set_compute_pipeline_state", encoder, |encoder| {
        Ok(encoder.set_compute_pipeline_state(&get::<ComputePipelineState>(pipeline, "pipeline")?)?)
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_set_buffer(encoder: Handle, buffer: Handle, offset: u64, index: i32) {
    compute("metal_compute_command_encoder_set_buffer", encoder, |encoder| {
        let index = convert::unsigned(index, "index")?;
        Ok(encoder.set_buffer(&get::<Buffer>(buffer, "buffer")?, offset, index)?)
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_set_buffer_offset(encoder: Handle, offset: u64, index: i32) -> bool {
    compute("metal_compute_command_encoder_set_buffer_offset", encoder, |encoder| {
        Ok(encoder.set_buffer_offset(offset, convert::unsigned(index, "index")?)?)
    })
}

/// # Safety
/// `bytes` is NULL or points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_compute_command_encoder_set_bytes(
    encoder: Handle,
    bytes: *const c_void,
    length: u64,
    index: i32,
) -> bool {
    compute("metal_compute_command_encoder_set_bytes", encoder, |encoder| {
        // SAFETY: the caller's promise.
        let bytes = unsafe { convert::bytes(bytes, length, "bytes") }?;
        Ok(encoder.set_bytes(bytes, convert::unsigned(index, "index")?)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_set_visible_function_table(
    encoder: Handle,
    table: Handle,
    index: i32,
) -> bool {
    compute("metal_compute_command_encoder_set_visible_function_table", encoder, |encoder| {
        let index = convert::unsigned(index, "index")?;
        Ok(encoder.set_visible_function_table(&get::<VisibleFunctionTable>(table, "table")?, index)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_set_texture(encoder: Handle, texture: Handle, index: i32) -> bool {
    compute("metal_compute_command_encoder_set_texture", encoder, |encoder| {
        let index = convert::unsigned(index, "index")?;
        Ok(encoder.set_texture(&get::<Texture>(texture, "texture")?, index)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_set_sampler_state(
    encoder: Handle,
    sampler: Handle,
    index: i32,
) -> bool {
    compute("metal_compute_command_encoder_set_sampler_state", encoder, |encoder| {
        let index = convert::unsigned(index, "index")?;
        Ok(encoder.set_sampler_state(&get::<SamplerState>(sampler, "sampler")?, index)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_set_threadgroup_memory_length(
    encoder: Handle,
    length: u64,
    index: i32,
) {
    compute("metal_compute_command_encoder_set_threadgroup_memory_length", encoder, |encoder| {
        // What does not fit is beyond every limit; the encoder knows the limit and says so.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        Ok(encoder.set_threadgroup_memory_length(length, convert::unsigned(index, "index")?)?)
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_use_resource(encoder: Handle, buffer: Handle) -> bool {
    compute("metal_compute_command_encoder_use_resource", encoder, |encoder| {
        Ok(encoder.use_resource(&get::<Buffer>(buffer, "buffer")?)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_memory_barrier(encoder: Handle, scope: i32) -> bool {
    compute("metal_compute_command_encoder_memory_barrier", encoder, |encoder| {
        if !(1..=3).contains(&scope) {
            return Err(Failure::argument(format!("scope is {scope}; it is 1 buffers, 2 textures or 3 both")));
        }
        for one in [BarrierScope::Buffers, BarrierScope::Textures] {
            if scope & one as i32 != 0 {
                encoder.memory_barrier(one)?;
            }
        }
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_dispatch_threads(
    encoder: Handle,
    x: i32,
    y: i32,
    z: i32,
    tx: i32,
    ty: i32,
    tz: i32,
) {
    compute("metal_compute_command_encoder_dispatch_threads", encoder, |encoder| {
        let threads = convert::size([x, y, z], "the grid")?;
        Ok(encoder.dispatch_threads(threads, convert::size([tx, ty, tz], "the threadgroup")?)?)
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_dispatch_threadgroups(
    encoder: Handle,
    gx: i32,
    gy: i32,
    gz: i32,
    tx: i32,
    ty: i32,
    tz: i32,
) {
    compute("metal_compute_command_encoder_dispatch_threadgroups", encoder, |encoder| {
        let groups = convert::size([gx, gy, gz], "the number of threadgroups")?;
        Ok(encoder.dispatch_threadgroups(groups, convert::size([tx, ty, tz], "the threadgroup")?)?)
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_dispatch_threadgroups_with_indirect_buffer(
    encoder: Handle,
    buffer: Handle,
    offset: u64,
    tx: i32,
    ty: i32,
    tz: i32,
) -> bool {
    compute("metal_compute_command_encoder_dispatch_threadgroups_with_indirect_buffer", encoder, |encoder| {
        let buffer: Buffer = get(buffer, "buffer")?;
        let group = convert::size([tx, ty, tz], "the threadgroup")?;
        Ok(encoder.dispatch_threadgroups_with_indirect_buffer(&buffer, offset, group)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_end_encoding(encoder: Handle) {
    compute("metal_compute_command_encoder_end_encoding", encoder, |encoder| Ok(encoder.end_encoding()?));
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_command_encoder_release(encoder: Handle) {
    object::release::<std::sync::Arc<ComputeEncoder>>("metal_compute_command_encoder_release", encoder);
}

fn compute(
    function: &str,
    encoder: Handle,
    body: impl FnOnce(&ComputeCommandEncoder) -> crate::error::Result<()>,
) -> bool {
    encode(function, encoder, body)
}

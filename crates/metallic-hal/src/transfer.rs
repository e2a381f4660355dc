//! Copies and fills, for devices whose resources are [`HostBuffer`]s and [`HostTexture`]s.
//!
//! Ranges and regions were validated; those of an indirect dispatch too.

use crate::{Buffer, Command, Fault, HostBuffer, HostTexture, Region, Texture, texel};

/// Executes every command that is neither a dispatch nor about events.
pub fn execute(command: &Command) -> Result<(), Fault> {
    match command {
        Command::CopyBuffer { source, source_offset, destination, destination_offset, size } => {
            let (from, to) =
                (range(&**source, *source_offset, *size)?, range(&**destination, *destination_offset, *size)?);
            // SAFETY: `range` checked both; `copy` allows overlap.
            unsafe { std::ptr::copy(from, to, *size as usize) }
        }
        Command::FillBuffer { buffer, offset, length, value } => {
            let to = range(&**buffer, *offset, *length)?;
            // SAFETY: `range` checked it.
            unsafe { std::ptr::write_bytes(to, *value, *length as usize) }
        }
        Command::CopyBufferToTexture {
            source,
            source_offset,
            bytes_per_row,
            bytes_per_image,
            destination,
            region,
            at,
        } => {
            let texture = host_texture(&**destination)?;
            let mut result = Ok(());
            texture.for_each_row(*region, *at, *bytes_per_row, *bytes_per_image, |offset, linear, length| {
                match range(&**source, source_offset + linear as u64, length as u64) {
                    // SAFETY: both sides were checked; a buffer and a texture do not overlap.
                    Ok(from) => unsafe {
                        std::ptr::copy_nonoverlapping(from, texture.memory().as_ptr().add(offset), length);
                    },
                    Err(fault) => result = Err(fault),
                }
            });
            result?;
        }
        Command::CopyTextureToBuffer {
            source,
            region,
            at,
            destination,
            destination_offset,
            bytes_per_row,
            bytes_per_image,
        } => {
            let texture = host_texture(&**source)?;
            let mut result = Ok(());
            texture.for_each_row(*region, *at, *bytes_per_row, *bytes_per_image, |offset, linear, length| {
                match range(&**destination, destination_offset + linear as u64, length as u64) {
                    // SAFETY: as above.
                    Ok(to) => unsafe {
                        std::ptr::copy_nonoverlapping(texture.memory().as_ptr().add(offset), to, length);
                    },
                    Err(fault) => result = Err(fault),
                }
            });
            result?;
        }
        Command::CopyTexture { source, region, source_at, destination, destination_origin, destination_at } => {
            let (from, to) = (host_texture(&**source)?, host_texture(&**destination)?);
            let target = Region { origin: *destination_origin, size: region.size };
            let length = region.size.width as usize * from.layout().bytes_per_texel as usize;
            for z in 0..region.size.depth {
                for y in 0..region.size.height {
                    let a = from.row_offset(*region, *source_at, y, z);
                    let b = to.row_offset(target, *destination_at, y, z);
                    if a + length > from.memory().len() || b + length > to.memory().len() {
                        return Err(Fault::new("texture copy outside of the texture"));
                    }
                    // SAFETY: just checked; `copy` allows overlap within one texture.
                    unsafe { std::ptr::copy(from.memory().as_ptr().add(a), to.memory().as_ptr().add(b), length) }
                }
            }
        }
        Command::GenerateMipmaps { texture } => texel::generate_mipmaps(host_texture(&**texture)?)?,
        Command::Synchronize { .. } => {}
        Command::Dispatch(_) | Command::SignalEvent { .. } | Command::WaitEvent { .. } => {
            unreachable!("executed by the caller")
        }
    }
    Ok(())
}

/// Copies bytes out of a host buffer.
pub fn read_buffer(buffer: &dyn Buffer, offset: u64, bytes: &mut [u8]) {
    if let Ok(from) = range(buffer, offset, bytes.len() as u64) {
        // SAFETY: `range` checked it.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) }
    }
}

fn range(buffer: &dyn Buffer, offset: u64, length: u64) -> Result<*mut u8, Fault> {
    let buffer = HostBuffer::of(buffer).ok_or_else(|| Fault::new("buffer of another device"))?;
    if offset.checked_add(length).is_none_or(|end| end > buffer.length()) {
        return Err(Fault::new("copy outside of the buffer"));
    }
    // SAFETY: `offset` is within the memory.
    Ok(unsafe { buffer.memory().as_ptr().add(offset as usize) })
}

fn host_texture(texture: &dyn Texture) -> Result<&HostTexture, Fault> {
    HostTexture::of(texture).ok_or_else(|| Fault::new("texture of another device"))
}

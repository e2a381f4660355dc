//! Copies and fills (`MTLBlitCommandEncoder`).

use std::any::Any;
use std::ptr::NonNull;

use metallic_hal::{Command, Origin, Region, TextureSlice, texel};

use crate::command_encoder::CommandEncoder;
use crate::{Buffer, CommandBuffer, Error, PixelFormatInfo, Result, Texture, TextureType};

/// Records copies into a command buffer. Ends when dropped.
pub struct BlitCommandEncoder {
    encoder: CommandEncoder,
}

impl BlitCommandEncoder {
    pub(crate) fn new(command_buffer: &CommandBuffer) -> BlitCommandEncoder {
        BlitCommandEncoder { encoder: CommandEncoder::new(command_buffer) }
    }

    pub fn command_buffer(&self) -> &CommandBuffer {
        self.encoder.command_buffer()
    }

    pub fn copy_from_buffer(
        &self,
        source: &Buffer,
        source_offset: u64,
        destination: &Buffer,
        destination_offset: u64,
        size: u64,
    ) -> Result<()> {
        // NVIDIA GPUs copy from each other.
        let are_peers = source.device().gpu_number().is_some() && destination.device().gpu_number().is_some();
        if !are_peers {
            self.check_buffer(source, "the source buffer")?;
        }
        self.check_target(destination, "the destination buffer")?;
        source.check_range("a copy from the source", source_offset, size)?;
        destination.check_range("a copy to the destination", destination_offset, size)?;
        self.encoder.push(Command::CopyBuffer {
            source: source.hal().clone(),
            source_offset,
            destination: destination.hal().clone(),
            destination_offset,
            size,
        })
    }

    /// Copies bytes of the host into a buffer of any storage mode. They are staged now, so that they may change
    /// afterwards; the commands that follow see them in the buffer. The staging memory comes from a pool, to which it
    /// returns when the command buffer has completed.
    pub fn copy_from_bytes(&self, bytes: &[u8], destination: &Buffer, destination_offset: u64) -> Result<()> {
        self.check_target(destination, "the destination buffer")?;
        let size = bytes.len() as u64;
        destination.check_range("a copy to the destination", destination_offset, size)?;
        if bytes.is_empty() {
            return Ok(());
        }
        let device = self.encoder.device();
        let staged = device.staging.take(&*device.hal, size)?;
        let source = staged.buffer().clone();
        source.write(0, bytes);
        self.encoder.push(Command::CopyBuffer {
            source,
            source_offset: 0,
            destination: destination.hal().clone(),
            destination_offset,
            size,
        })?;
        self.command_buffer().own(Box::new(staged));
        Ok(())
    }

    /// The same without staging: the device reads the bytes when the command runs. `owner` is dropped when the command
    /// buffer has completed, or was never committed. Not every device can.
    ///
    /// # Safety
    /// `pointer` must be valid for reads of `length` bytes, from any thread, and nobody may write them, as long as
    /// `owner` lives.
    pub unsafe fn copy_from_bytes_no_copy(
        &self,
        pointer: NonNull<u8>,
        length: usize,
        owner: Box<dyn Any + Send + Sync>,
        destination: &Buffer,
        destination_offset: u64,
    ) -> Result<()> {
        self.check_target(destination, "the destination buffer")?;
        destination.check_range("a copy to the destination", destination_offset, length as u64)?;
        if length == 0 {
            return Ok(());
        }
        // SAFETY: the caller's promise is the one that is asked for.
        let source = unsafe { self.encoder.device().make_read_only_buffer_with_bytes_no_copy(pointer, length, owner) }?;
        self.copy_from_buffer(&source, 0, destination, destination_offset, length as u64)
    }

    pub fn fill_buffer(&self, buffer: &Buffer, offset: u64, length: u64, value: u8) -> Result<()> {
        self.check_target(buffer, "the buffer")?;
        buffer.check_range("a fill", offset, length)?;
        self.encoder.push(Command::FillBuffer { buffer: buffer.hal().clone(), offset, length, value })
    }

    pub fn copy_from_buffer_to_texture(
        &self,
        source: &Buffer,
        source_offset: u64,
        bytes_per_row: u64,
        bytes_per_image: u64,
        destination: &Texture,
        at: TextureSlice,
        region: Region,
    ) -> Result<()> {
        self.check_buffer(source, "the source buffer")?;
        self.check_texture(destination, "the destination texture")?;
        destination.check_region(region, at)?;
        let length = destination.linear_length(region.size, bytes_per_row, bytes_per_image)?;
        source.check_range("a copy from the source", source_offset, length)?;
        self.encoder.push(Command::CopyBufferToTexture {
            source: source.hal().clone(),
            source_offset,
            bytes_per_row,
            bytes_per_image,
            destination: destination.hal().clone(),
            region,
            at,
        })
    }

    pub fn copy_from_texture_to_buffer(
        &self,
        source: &Texture,
        at: TextureSlice,
        region: Region,
        destination: &Buffer,
        destination_offset: u64,
        bytes_per_row: u64,
        bytes_per_image: u64,
    ) -> Result<()> {
        self.check_texture(source, "the source texture")?;
        self.check_target(destination, "the destination buffer")?;
        source.check_region(region, at)?;
        let length = source.linear_length(region.size, bytes_per_row, bytes_per_image)?;
        destination.check_range("a copy to the destination", destination_offset, length)?;
        self.encoder.push(Command::CopyTextureToBuffer {
            source: source.hal().clone(),
            region,
            at,
            destination: destination.hal().clone(),
            destination_offset,
            bytes_per_row,
            bytes_per_image,
        })
    }

    pub fn copy_from_texture(
        &self,
        source: &Texture,
        source_at: TextureSlice,
        region: Region,
        destination: &Texture,
        destination_at: TextureSlice,
        destination_origin: Origin,
    ) -> Result<()> {
        self.check_texture(source, "the source texture")?;
        self.check_texture(destination, "the destination texture")?;
        source.check_region(region, source_at)?;
        destination.check_region(Region { origin: destination_origin, size: region.size }, destination_at)?;
        let (from, to) = (source.pixel_format(), destination.pixel_format());
        if PixelFormatInfo::of(from).bytes_per_texel != PixelFormatInfo::of(to).bytes_per_texel {
            return Err(Error::invalid(format!("texels of {from:?} and {to:?} differ in size")));
        }
        self.encoder.push(Command::CopyTexture {
            source: source.hal().clone(),
            region,
            source_at,
            destination: destination.hal().clone(),
            destination_origin,
            destination_at,
        })
    }

    /// Fills each mipmap level from the one above it.
    pub fn generate_mipmaps(&self, texture: &Texture) -> Result<()> {
        self.check_texture(texture, "the texture")?;
        let format = texture.pixel_format();
        if texture.mipmap_level_count() == 1 {
            return Err(Error::invalid("the texture has one mipmap level only"));
        }
        if !texel::is_filterable(format) || texture.texture_type() == TextureType::TextureBuffer {
            return Err(Error::invalid(format!("mipmaps of format {format:?} cannot be generated")));
        }
        self.encoder.push(Command::GenerateMipmaps { texture: texture.hal().clone() })
    }

    /// Makes what kernels wrote to a managed buffer visible to the host.
    pub fn synchronize_resource(&self, buffer: &Buffer) -> Result<()> {
        self.check_buffer(buffer, "the buffer")?;
        self.encoder.push(Command::Synchronize { buffer: buffer.hal().clone() })
    }

    pub fn end_encoding(&self) -> Result<()> {
        self.encoder.end()
    }

    fn check_buffer(&self, buffer: &Buffer, what: &str) -> Result<()> {
        self.encoder.check_open()?;
        self.encoder.device().check_own(buffer.device(), what)
    }
    /// A buffer that is written.
    fn check_target(&self, buffer: &Buffer, what: &str) -> Result<()> {
        self.check_buffer(buffer, what)?;
        buffer.check_writable(what)
    }
    fn check_texture(&self, texture: &Texture, what: &str) -> Result<()> {
        self.encoder.check_open()?;
        self.encoder.device().check_own(texture.device(), what)
    }
}

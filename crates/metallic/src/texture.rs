//! Textures (`MTLTexture`).

use std::sync::{Arc, Mutex, PoisonError};

use metallic_hal::{self as hal, Region, Size, StorageMode, TextureDescriptor, TextureSlice, TextureType};
use msl_ir::PixelFormat;

use crate::{Device, Error, Result};

/// Image memory of a device. Clones are the same texture.
#[derive(Clone)]
pub struct Texture {
    inner: Arc<Inner>,
}

struct Inner {
    device: Device,
    hal: Arc<dyn hal::Texture>,
    label: Mutex<String>,
}

impl Texture {
    pub(crate) fn new(device: &Device, descriptor: &TextureDescriptor) -> Result<Texture> {
        check_descriptor(descriptor)?;
        let hal = device.hal.make_texture(descriptor)?;
        Ok(Texture { inner: Arc::new(Inner { device: device.clone(), hal, label: Mutex::default() }) })
    }

    pub fn device(&self) -> &Device {
        &self.inner.device
    }
    pub fn descriptor(&self) -> &TextureDescriptor {
        self.inner.hal.descriptor()
    }
    pub fn width(&self) -> u32 {
        self.descriptor().width
    }
    pub fn height(&self) -> u32 {
        self.descriptor().height
    }
    pub fn depth(&self) -> u32 {
        self.descriptor().depth
    }
    pub fn pixel_format(&self) -> PixelFormat {
        self.descriptor().pixel_format
    }
    pub fn texture_type(&self) -> TextureType {
        self.descriptor().texture_type
    }
    pub fn mipmap_level_count(&self) -> u32 {
        self.descriptor().mipmap_level_count
    }
    pub fn array_length(&self) -> u32 {
        self.descriptor().array_length
    }
    pub fn storage_mode(&self) -> StorageMode {
        self.descriptor().storage_mode
    }
    /// What an argument buffer holds in the place of this texture.
    pub fn gpu_resource_id(&self) -> u64 {
        self.inner.hal.gpu_resource_id()
    }
    pub fn label(&self) -> String {
        self.inner.label.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    pub fn set_label(&self, label: &str) {
        *self.inner.label.lock().unwrap_or_else(PoisonError::into_inner) = label.into();
    }

    /// Copies host bytes into a region. `bytes_per_image` counts for 3-D regions only.
    pub fn replace_region(
        &self,
        region: Region,
        level: u32,
        slice: u32,
        bytes: &[u8],
        bytes_per_row: u64,
        bytes_per_image: u64,
    ) -> Result<()> {
        let at = TextureSlice { slice, level };
        self.check_host_access("replace_region", region, at, bytes.len() as u64, bytes_per_row, bytes_per_image)?;
        self.inner.hal.replace_region(region, at, bytes, bytes_per_row, bytes_per_image);
        Ok(())
    }

    /// Copies a region into host bytes.
    pub fn get_bytes(
        &self,
        bytes: &mut [u8],
        bytes_per_row: u64,
        bytes_per_image: u64,
        region: Region,
        level: u32,
        slice: u32,
    ) -> Result<()> {
        let at = TextureSlice { slice, level };
        self.check_host_access("get_bytes", region, at, bytes.len() as u64, bytes_per_row, bytes_per_image)?;
        self.inner.hal.get_bytes(bytes, bytes_per_row, bytes_per_image, region, at);
        Ok(())
    }

    pub(crate) fn hal(&self) -> &Arc<dyn hal::Texture> {
        &self.inner.hal
    }

    /// Fails when the region is not in that level of that slice.
    pub(crate) fn check_region(&self, region: Region, at: TextureSlice) -> Result<()> {
        let d = self.descriptor();
        if at.level >= d.mipmap_level_count {
            return Err(Error::invalid(format!("level {} of a texture with {}", at.level, d.mipmap_level_count)));
        }
        if at.slice >= d.slice_count() {
            return Err(Error::invalid(format!("slice {} of a texture with {}", at.slice, d.slice_count())));
        }
        let size = d.level_size(at.level);
        let fits = |origin: u32, extent: u32, limit: u32| origin.checked_add(extent).is_some_and(|end| end <= limit);
        let Region { origin, size: extent } = region;
        if fits(origin.x, extent.width, size.width)
            && fits(origin.y, extent.height, size.height)
            && fits(origin.z, extent.depth, size.depth)
        {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "region {extent} at ({}, {}, {}) exceeds level {} of size {size}",
            origin.x, origin.y, origin.z, at.level
        )))
    }

    /// How many bytes a region takes in linear memory; fails when rows or images would overlap.
    pub(crate) fn linear_length(&self, size: Size, bytes_per_row: u64, bytes_per_image: u64) -> Result<u64> {
        if size.is_empty() {
            return Ok(0);
        }
        let row = u64::from(size.width) * u64::from(self.descriptor().bytes_per_texel());
        if size.height > 1 && bytes_per_row < row {
            return Err(Error::invalid(format!("bytes_per_row is {bytes_per_row}, a row of the region has {row}")));
        }
        let length = || {
            let image = u64::from(size.height - 1).checked_mul(bytes_per_row)?.checked_add(row)?;
            if size.depth > 1 && bytes_per_image < image {
                return Some(Err(Error::invalid(format!(
                    "bytes_per_image is {bytes_per_image}, an image of the region has {image}"
                ))));
            }
            Some(Ok(u64::from(size.depth - 1).checked_mul(bytes_per_image)?.checked_add(image)?))
        };
        length().unwrap_or_else(|| Err(Error::invalid("bytes_per_row or bytes_per_image is too large")))
    }

    fn check_host_access(
        &self,
        what: &str,
        region: Region,
        at: TextureSlice,
        length: u64,
        bytes_per_row: u64,
        bytes_per_image: u64,
    ) -> Result<()> {
        if self.storage_mode() == StorageMode::Private {
            return Err(Error::invalid(format!("{what} on a texture of private storage; copy it with a blit")));
        }
        self.check_region(region, at)?;
        let needed = self.linear_length(region.size, bytes_per_row, bytes_per_image)?;
        if length < needed {
            return Err(Error::invalid(format!("{what} needs {needed} bytes and was given {length}")));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Texture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Texture({:?}, {:?})", self.device(), self.descriptor())
    }
}

fn check_descriptor(d: &TextureDescriptor) -> Result<()> {
    use TextureType::*;
    let name = d.texture_type.name();
    let limit = if d.texture_type == TextureBuffer { 1 << 28 } else { 16384 };
    let limits = match d.texture_type {
        D1 | D1Array | TextureBuffer => [limit, 1, 1],
        D2 | D2Array | D2Multisample | D2MultisampleArray | Cube | CubeArray => [16384, 16384, 1],
        D3 => [2048, 2048, 2048],
    };
    for (what, value, limit) in
        [("width", d.width, limits[0]), ("height", d.height, limits[1]), ("depth", d.depth, limits[2])]
    {
        if value == 0 || value > limit {
            return Err(Error::invalid(format!("{what} of a {name} is {value}, not between 1 and {limit}")));
        }
    }
    if d.texture_type.is_cube() && d.width != d.height {
        return Err(Error::invalid(format!("a {name} of {} × {} is not square", d.width, d.height)));
    }
    let most = if d.texture_type.is_array() { 2048 } else { 1 };
    if d.array_length == 0 || d.array_length > most {
        return Err(Error::invalid(format!(
            "array length of a {name} is {}, not between 1 and {most}",
            d.array_length
        )));
    }
    let levels = match d.texture_type {
        D1 | D1Array | TextureBuffer | D2Multisample | D2MultisampleArray => 1,
        _ => d.max_mipmap_level_count(),
    };
    if d.mipmap_level_count == 0 || d.mipmap_level_count > levels {
        let count = d.mipmap_level_count;
        return Err(Error::invalid(format!(
            "mipmap level count of this {name} is {count}, not between 1 and {levels}"
        )));
    }
    if d.texture_type.is_multisample() != (d.sample_count > 1) || d.sample_count == 0 {
        return Err(Error::invalid(format!("a {name} with {} samples", d.sample_count)));
    }
    Ok(())
}

//! Texels as numbers, for mipmap generation on the host.

use half::f16;
use msl_ir::PixelFormat;

use crate::{ComponentKind, Fault, HostTexture, Origin, PixelFormatInfo, Region, Size, Texture, TextureSlice};

/// How a channel is stored, for formats whose channels are all alike.
#[derive(Clone, Copy)]
enum Channel {
    Unorm8,
    Srgb8,
    Snorm8,
    Unorm16,
    Snorm16,
    F16,
    F32,
}

fn channel(format: PixelFormat) -> Option<Channel> {
    use PixelFormat::*;
    Some(match format {
        A8Unorm | R8Unorm | RG8Unorm | RGBA8Unorm | BGRA8Unorm => Channel::Unorm8,
        R8UnormSrgb | RG8UnormSrgb | RGBA8UnormSrgb | BGRA8UnormSrgb => Channel::Srgb8,
        R8Snorm | RG8Snorm | RGBA8Snorm => Channel::Snorm8,
        R16Unorm | RG16Unorm | RGBA16Unorm => Channel::Unorm16,
        R16Snorm | RG16Snorm | RGBA16Snorm => Channel::Snorm16,
        R16Float | RG16Float | RGBA16Float => Channel::F16,
        R32Float | RG32Float | RGBA32Float => Channel::F32,
        _ => return None,
    })
}

impl Channel {
    fn size(self) -> usize {
        match self {
            Channel::Unorm8 | Channel::Srgb8 | Channel::Snorm8 => 1,
            Channel::Unorm16 | Channel::Snorm16 | Channel::F16 => 2,
            Channel::F32 => 4,
        }
    }
    /// `alpha` channels of sRGB formats are linear.
    fn decode(self, b: &[u8], is_alpha: bool) -> f32 {
        let wide = || u16::from_le_bytes([b[0], b[1]]);
        match self {
            Channel::Unorm8 => f32::from(b[0]) / 255.0,
            Channel::Srgb8 if is_alpha => f32::from(b[0]) / 255.0,
            Channel::Srgb8 => {
                let c = f32::from(b[0]) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            }
            Channel::Snorm8 => (f32::from(b[0] as i8) / 127.0).max(-1.0),
            Channel::Unorm16 => f32::from(wide()) / 65535.0,
            Channel::Snorm16 => (f32::from(wide() as i16) / 32767.0).max(-1.0),
            Channel::F16 => f16::from_bits(wide()).to_f32(),
            Channel::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        }
    }
    fn encode(self, value: f32, is_alpha: bool, out: &mut [u8]) {
        match self {
            Channel::Srgb8 if !is_alpha => {
                let c = value.clamp(0.0, 1.0);
                let s = if c <= 0.003_130_8 { c * 12.92 } else { 1.055 * c.powf(1.0 / 2.4) - 0.055 };
                out[0] = (s * 255.0).round_ties_even() as u8;
            }
            Channel::Unorm8 | Channel::Srgb8 => out[0] = (value.clamp(0.0, 1.0) * 255.0).round_ties_even() as u8,
            Channel::Snorm8 => out[0] = (value.clamp(-1.0, 1.0) * 127.0).round_ties_even() as i8 as u8,
            Channel::Unorm16 => {
                out[..2].copy_from_slice(&((value.clamp(0.0, 1.0) * 65535.0).round_ties_even() as u16).to_le_bytes())
            }
            Channel::Snorm16 => {
                out[..2].copy_from_slice(&((value.clamp(-1.0, 1.0) * 32767.0).round_ties_even() as i16).to_le_bytes())
            }
            Channel::F16 => out[..2].copy_from_slice(&f16::from_f32(value).to_le_bytes()),
            Channel::F32 => out[..4].copy_from_slice(&value.to_le_bytes()),
        }
    }
}

/// Whether [`generate_mipmaps`] can filter the format: floats and normalized formats of equal channels.
pub fn is_filterable(format: PixelFormat) -> bool {
    PixelFormatInfo::of(format).kind == ComponentKind::Float && channel(format).is_some()
}

/// Fills each level from the one above it with the mean of 2×2(×2) texels.
pub fn generate_mipmaps(texture: &HostTexture) -> Result<(), Fault> {
    let descriptor = texture.descriptor();
    let info = PixelFormatInfo::of(descriptor.pixel_format);
    let Some(channel) = channel(descriptor.pixel_format) else {
        return Err(Fault::new(format!("mipmaps of format {} cannot be generated", info.name)));
    };
    let texel = info.bytes_per_texel as usize;
    for slice in 0..descriptor.slice_count() {
        let mut above = level_bytes(texture, slice, 0);
        for level in 1..descriptor.mipmap_level_count {
            let (from, to) = (descriptor.level_size(level - 1), descriptor.level_size(level));
            let mut below = vec![0u8; to.volume() as usize * texel];
            for_each(to, |x, y, z, index| {
                for c in 0..info.channels as usize {
                    let is_alpha = c == 3;
                    let mut sum = 0.0;
                    for corner in 0..8u32 {
                        let at = |n: u32, bit: u32, limit: u32| (2 * n + (corner >> bit & 1)).min(limit - 1) as usize;
                        let (sx, sy, sz) = (at(x, 0, from.width), at(y, 1, from.height), at(z, 2, from.depth));
                        let source = (sz * from.height as usize + sy) * from.width as usize + sx;
                        sum += channel.decode(&above[source * texel + c * channel.size()..], is_alpha);
                    }
                    channel.encode(sum / 8.0, is_alpha, &mut below[index * texel + c * channel.size()..]);
                }
            });
            let row = u64::from(to.width) * texel as u64;
            let region = Region { origin: Origin::default(), size: to };
            texture.replace_region(region, TextureSlice { slice, level }, &below, row, row * u64::from(to.height));
            above = below;
        }
    }
    Ok(())
}

fn level_bytes(texture: &HostTexture, slice: u32, level: u32) -> Vec<u8> {
    let size = texture.descriptor().level_size(level);
    let row = u64::from(size.width) * u64::from(texture.descriptor().bytes_per_texel());
    let mut bytes = vec![0; (row * u64::from(size.height) * u64::from(size.depth)) as usize];
    let region = Region { origin: Origin::default(), size };
    texture.get_bytes(&mut bytes, row, row * u64::from(size.height), region, TextureSlice { slice, level });
    bytes
}

fn for_each(size: Size, mut f: impl FnMut(u32, u32, u32, usize)) {
    let mut index = 0;
    for z in 0..size.depth {
        for y in 0..size.height {
            for x in 0..size.width {
                f(x, y, z, index);
                index += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TextureDescriptor;

    #[test]
    fn mipmaps_are_means() {
        let mut d = TextureDescriptor::new_2d(PixelFormat::R32Float, 4, 2, true);
        assert_eq!(d.mipmap_level_count, 3);
        d.mipmap_level_count = 3;
        let texture = HostTexture::make("test", &d).unwrap();
        let data: Vec<u8> = (0..8).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let region = Region::new_2d(0, 0, 4, 2);
        texture.replace_region(region, TextureSlice::default(), &data, 16, 32);
        let host = HostTexture::of(&*texture).unwrap();
        generate_mipmaps(host).unwrap();
        let floats = |bytes: Vec<u8>| -> Vec<f32> {
            bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
        };
        assert_eq!(floats(level_bytes(host, 0, 1)), [2.5, 4.5]);
        assert_eq!(floats(level_bytes(host, 0, 2)), [3.5]);
    }
}

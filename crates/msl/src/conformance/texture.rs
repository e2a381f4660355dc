//! Textures and samplers of directives: one level, one slice, texels without padding.

use msl_ir::{PixelFormat, SamplerState, Scalar, TextureDescriptor};

use super::value::TypedValues;

#[derive(Clone, Debug, PartialEq)]
pub struct Texture {
    pub format: PixelFormat,
    pub bytes_per_texel: u32,
    /// Width, height, depth.
    pub size: [u32; 3],
    pub bytes: Vec<u8>,
}

/// Metal's name, bytes of a texel, and what directives give values in.
const FORMATS: &[(&str, PixelFormat, u32, Scalar)] = &[
    ("r8Unorm", PixelFormat::R8Unorm, 1, Scalar::U8),
    ("r8Uint", PixelFormat::R8Uint, 1, Scalar::U8),
    ("r16Float", PixelFormat::R16Float, 2, Scalar::F16),
    ("r32Uint", PixelFormat::R32Uint, 4, Scalar::U32),
    ("r32Sint", PixelFormat::R32Sint, 4, Scalar::I32),
    ("r32Float", PixelFormat::R32Float, 4, Scalar::F32),
    ("rg32Float", PixelFormat::RG32Float, 8, Scalar::F32),
    ("rgba8Unorm", PixelFormat::RGBA8Unorm, 4, Scalar::U8),
    ("rgba8Unorm_srgb", PixelFormat::RGBA8UnormSrgb, 4, Scalar::U8),
    ("rgba8Uint", PixelFormat::RGBA8Uint, 4, Scalar::U8),
    ("bgra8Unorm", PixelFormat::BGRA8Unorm, 4, Scalar::U8),
    ("rgba16Float", PixelFormat::RGBA16Float, 8, Scalar::F16),
    ("rgba32Uint", PixelFormat::RGBA32Uint, 16, Scalar::U32),
    ("rgba32Float", PixelFormat::RGBA32Float, 16, Scalar::F32),
];

impl Texture {
    /// `rgba8Unorm 4x4 = VALUES`; missing texels are zero.
    pub fn parse(text: &str) -> Result<Texture, String> {
        let (head, values) = text.split_once('=').unwrap_or((text, ""));
        let mut words = head.split_whitespace();
        let (Some(name), Some(extent)) = (words.next(), words.next()) else {
            return Err("expected 'FORMAT WIDTHxHEIGHT = VALUES'".into());
        };
        let found = FORMATS.iter().find(|f| f.0 == name).ok_or_else(|| format!("'{name}' is not a known format"))?;
        let &(_, format, bytes_per_texel, scalar) = found;
        let mut size = [1u32; 3];
        for (i, part) in extent.split('x').enumerate() {
            let slot = size.get_mut(i).ok_or("a texture has three dimensions at most")?;
            *slot = part.parse().map_err(|_| format!("'{part}' is not a size"))?;
        }
        let texels = size.iter().try_fold(1usize, |n, &s| n.checked_mul(s as usize)).filter(|&n| n <= 1 << 20);
        let length = texels.ok_or("the texture is too large")? * bytes_per_texel as usize;
        let mut bytes = TypedValues::parse(scalar, values)?.to_bytes();
        if bytes.len() > length {
            return Err(format!("{} bytes are too many for the texture", bytes.len()));
        }
        bytes.resize(length, 0);
        Ok(Texture { format, bytes_per_texel, size, bytes })
    }

    /// As the standard library sees it; the address is the device's business.
    pub fn descriptor(&self) -> TextureDescriptor {
        let row = self.size[0] * self.bytes_per_texel;
        let plane = u64::from(row) * u64::from(self.size[1]);
        let mut d = TextureDescriptor {
            data: 0,
            width: self.size[0],
            height: self.size[1],
            depth: self.size[2],
            array_length: 1,
            mip_levels: 1,
            samples: 1,
            format: self.format as u32,
            bytes_per_texel: self.bytes_per_texel,
            level_offset: [0; 16],
            row_stride: [0; 16],
            plane_stride: [0; 16],
            slice_stride: [0; 16],
        };
        d.row_stride[0] = row;
        d.plane_stride[0] = plane;
        d.slice_stride[0] = plane * u64::from(self.size[2]);
        d
    }
}

/// Words: `nearest`, `linear`; `clamp`, `repeat`, `mirror`, `zero`; `pixel` (coordinates in texels).
pub fn parse_sampler(text: &str) -> Result<SamplerState, String> {
    let mut bits = 0u64;
    let mut address = 0u64;
    for word in text.split_whitespace() {
        match word {
            "nearest" => {}
            "linear" => bits |= 0b11 << 9,
            "clamp" => address = 0,
            "repeat" => address = 2,
            "mirror" => address = 3,
            "zero" => address = 4,
            "pixel" => bits |= 1 << 13,
            _ => return Err(format!("unknown word '{word}' of a sampler")),
        }
    }
    bits |= address | address << 3 | address << 6;
    // Compare: none. The greatest level of detail is unlimited.
    bits |= 8 << 14;
    bits |= 0xffff << 40;
    Ok(SamplerState(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_texture_has_its_texels_and_zeros() {
        let t = Texture::parse("r32Float 2x3 = 1 2").unwrap();
        assert_eq!((t.size, t.bytes.len()), ([2, 3, 1], 24));
        assert_eq!(t.descriptor().row_stride[0], 8);
        assert!(Texture::parse("r32Float 1x1 = 1 2").is_err());
        assert!(Texture::parse("r33Float 1x1").is_err());
    }
}

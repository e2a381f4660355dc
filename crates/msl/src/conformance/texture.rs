//! Textures and samplers of directives: texels without padding, level by level, in each slice by slice.

use msl_ir::{PixelFormat, SamplerState, Scalar, TextureDescriptor};

use super::value::TypedValues;

#[derive(Clone, Debug, PartialEq)]
pub struct Texture {
    pub format: PixelFormat,
    pub bytes_per_texel: u32,
    /// Width, height, depth.
    pub size: [u32; 3],
    /// Array slices or cube faces.
    pub slices: u32,
    pub levels: u32,
    pub bytes: Vec<u8>,
}

/// Metal's name, bytes of a texel, and what directives give values in; packed formats are given as they lie in memory.
const FORMATS: &[(&str, PixelFormat, u32, Scalar)] = &[
    ("a8Unorm", PixelFormat::A8Unorm, 1, Scalar::U8),
    ("r8Unorm", PixelFormat::R8Unorm, 1, Scalar::U8),
    ("r8Unorm_srgb", PixelFormat::R8UnormSrgb, 1, Scalar::U8),
    ("r8Snorm", PixelFormat::R8Snorm, 1, Scalar::I8),
    ("r8Uint", PixelFormat::R8Uint, 1, Scalar::U8),
    ("r8Sint", PixelFormat::R8Sint, 1, Scalar::I8),
    ("r16Unorm", PixelFormat::R16Unorm, 2, Scalar::U16),
    ("r16Snorm", PixelFormat::R16Snorm, 2, Scalar::I16),
    ("r16Uint", PixelFormat::R16Uint, 2, Scalar::U16),
    ("r16Sint", PixelFormat::R16Sint, 2, Scalar::I16),
    ("r16Float", PixelFormat::R16Float, 2, Scalar::F16),
    ("rg8Unorm", PixelFormat::RG8Unorm, 2, Scalar::U8),
    ("rg8Unorm_srgb", PixelFormat::RG8UnormSrgb, 2, Scalar::U8),
    ("rg8Snorm", PixelFormat::RG8Snorm, 2, Scalar::I8),
    ("rg8Uint", PixelFormat::RG8Uint, 2, Scalar::U8),
    ("rg8Sint", PixelFormat::RG8Sint, 2, Scalar::I8),
    ("b5g6r5Unorm", PixelFormat::B5G6R5Unorm, 2, Scalar::U16),
    ("a1bgr5Unorm", PixelFormat::A1BGR5Unorm, 2, Scalar::U16),
    ("abgr4Unorm", PixelFormat::ABGR4Unorm, 2, Scalar::U16),
    ("bgr5A1Unorm", PixelFormat::BGR5A1Unorm, 2, Scalar::U16),
    ("r32Uint", PixelFormat::R32Uint, 4, Scalar::U32),
    ("r32Sint", PixelFormat::R32Sint, 4, Scalar::I32),
    ("r32Float", PixelFormat::R32Float, 4, Scalar::F32),
    ("rg16Unorm", PixelFormat::RG16Unorm, 4, Scalar::U16),
    ("rg16Snorm", PixelFormat::RG16Snorm, 4, Scalar::I16),
    ("rg16Uint", PixelFormat::RG16Uint, 4, Scalar::U16),
    ("rg16Sint", PixelFormat::RG16Sint, 4, Scalar::I16),
    ("rg16Float", PixelFormat::RG16Float, 4, Scalar::F16),
    ("rgba8Unorm", PixelFormat::RGBA8Unorm, 4, Scalar::U8),
    ("rgba8Unorm_srgb", PixelFormat::RGBA8UnormSrgb, 4, Scalar::U8),
    ("rgba8Snorm", PixelFormat::RGBA8Snorm, 4, Scalar::I8),
    ("rgba8Uint", PixelFormat::RGBA8Uint, 4, Scalar::U8),
    ("rgba8Sint", PixelFormat::RGBA8Sint, 4, Scalar::I8),
    ("bgra8Unorm", PixelFormat::BGRA8Unorm, 4, Scalar::U8),
    ("bgra8Unorm_srgb", PixelFormat::BGRA8UnormSrgb, 4, Scalar::U8),
    ("rgb10a2Unorm", PixelFormat::RGB10A2Unorm, 4, Scalar::U32),
    ("rgb10a2Uint", PixelFormat::RGB10A2Uint, 4, Scalar::U32),
    ("rg11b10Float", PixelFormat::RG11B10Float, 4, Scalar::U32),
    ("rgb9e5Float", PixelFormat::RGB9E5Float, 4, Scalar::U32),
    ("bgr10a2Unorm", PixelFormat::BGR10A2Unorm, 4, Scalar::U32),
    ("rg32Uint", PixelFormat::RG32Uint, 8, Scalar::U32),
    ("rg32Sint", PixelFormat::RG32Sint, 8, Scalar::I32),
    ("rg32Float", PixelFormat::RG32Float, 8, Scalar::F32),
    ("rgba16Unorm", PixelFormat::RGBA16Unorm, 8, Scalar::U16),
    ("rgba16Snorm", PixelFormat::RGBA16Snorm, 8, Scalar::I16),
    ("rgba16Uint", PixelFormat::RGBA16Uint, 8, Scalar::U16),
    ("rgba16Sint", PixelFormat::RGBA16Sint, 8, Scalar::I16),
    ("rgba16Float", PixelFormat::RGBA16Float, 8, Scalar::F16),
    ("rgba32Uint", PixelFormat::RGBA32Uint, 16, Scalar::U32),
    ("rgba32Sint", PixelFormat::RGBA32Sint, 16, Scalar::I32),
    ("rgba32Float", PixelFormat::RGBA32Float, 16, Scalar::F32),
    ("depth16Unorm", PixelFormat::Depth16Unorm, 2, Scalar::U16),
    ("depth32Float", PixelFormat::Depth32Float, 4, Scalar::F32),
    ("stencil8", PixelFormat::Stencil8, 1, Scalar::U8),
    ("bgra10_xr", PixelFormat::BGRA10Xr, 8, Scalar::U16),
    ("bgra10_xr_srgb", PixelFormat::BGRA10XrSrgb, 8, Scalar::U16),
    ("bgr10_xr", PixelFormat::BGR10Xr, 4, Scalar::U32),
    ("bgr10_xr_srgb", PixelFormat::BGR10XrSrgb, 4, Scalar::U32),
];

impl Texture {
    /// `rgba8Unorm 4x4 array=2 levels=3 = VALUES`; missing texels are zero.
    pub fn parse(text: &str) -> Result<Texture, String> {
        // Values follow the sign that stands alone.
        let (head, values) = text.split_once(" = ").unwrap_or((text, ""));
        let mut words = head.split_whitespace();
        let (Some(name), Some(extent)) = (words.next(), words.next()) else {
            return Err("expected 'FORMAT WIDTHxHEIGHT = VALUES'".into());
        };
        let found = FORMATS.iter().find(|f| f.0 == name).ok_or_else(|| format!("'{name}' is not a known format"))?;
        let &(_, format, bytes_per_texel, scalar) = found;
        let mut texture = Texture { format, bytes_per_texel, size: [1; 3], slices: 1, levels: 1, bytes: Vec::new() };
        let count = |part: &str| match part.parse() {
            Ok(n) if (1..=16384).contains(&n) => Ok(n),
            _ => Err(format!("'{part}' is not a size")),
        };
        for (i, part) in extent.split('x').enumerate() {
            let slot = texture.size.get_mut(i).ok_or("a texture has three dimensions at most")?;
            *slot = count(part)?;
        }
        for word in words {
            match word.split_once('=') {
                Some(("array", n)) => texture.slices = count(n)?,
                Some(("levels", n)) => texture.levels = count(n)?.min(16),
                _ => return Err(format!("unknown word '{word}' of a texture")),
            }
        }
        let length = (0..texture.levels).map(|l| texture.slice_bytes(l) * u64::from(texture.slices)).sum::<u64>();
        if length > 1 << 24 {
            return Err("the texture is too large".into());
        }
        texture.bytes = TypedValues::parse(scalar, values)?.to_bytes();
        if texture.bytes.len() as u64 > length {
            return Err(format!("{} bytes are too many for the texture", texture.bytes.len()));
        }
        texture.bytes.resize(length as usize, 0);
        Ok(texture)
    }

    /// Width, height and depth of a level.
    pub fn level_size(&self, level: u32) -> [u32; 3] {
        self.size.map(|n| (n >> level).max(1))
    }

    /// The bytes of one slice of a level.
    pub fn slice_bytes(&self, level: u32) -> u64 {
        self.level_size(level).iter().map(|&n| u64::from(n)).product::<u64>() * u64::from(self.bytes_per_texel)
    }

    /// As the standard library sees it; the address is the device's business.
    pub fn descriptor(&self) -> TextureDescriptor {
        let mut d = TextureDescriptor {
            data: 0,
            width: self.size[0],
            height: self.size[1],
            depth: self.size[2],
            array_length: self.slices,
            mip_levels: self.levels,
            samples: 1,
            format: self.format as u32,
            bytes_per_texel: self.bytes_per_texel,
            level_offset: [0; 16],
            row_stride: [0; 16],
            plane_stride: [0; 16],
            slice_stride: [0; 16],
        };
        let mut offset = 0;
        for level in 0..self.levels {
            let [width, height, _] = self.level_size(level);
            let l = level as usize;
            d.level_offset[l] = offset;
            d.row_stride[l] = width * self.bytes_per_texel;
            d.plane_stride[l] = u64::from(d.row_stride[l]) * u64::from(height);
            d.slice_stride[l] = self.slice_bytes(level);
            offset += d.slice_stride[l] * u64::from(self.slices);
        }
        d
    }
}

/// Words: `nearest`, `linear`; `mip_nearest`, `mip_linear`; `clamp`, `repeat`, `mirror`, `mirror_clamp`, `zero`, `border`;
/// `opaque_black`, `opaque_white`; `pixel` (coordinates in texels); `minimum`, `maximum`.
pub fn parse_sampler(text: &str) -> Result<SamplerState, String> {
    let mut bits = 0u64;
    let mut address = 0u64;
    for word in text.split_whitespace() {
        match word {
            "nearest" => {}
            "linear" => bits |= 0b11 << 9,
            "mip_nearest" => bits |= 1 << 11,
            "mip_linear" => bits |= 2 << 11,
            "clamp" => address = 0,
            "mirror_clamp" => address = 1,
            "repeat" => address = 2,
            "mirror" => address = 3,
            "zero" => address = 4,
            "border" => address = 5,
            "opaque_black" => bits |= 1 << 18,
            "opaque_white" => bits |= 2 << 18,
            "pixel" => bits |= 1 << 13,
            "minimum" => bits |= 1 << 56,
            "maximum" => bits |= 2 << 56,
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
        let t = Texture::parse("r8Uint 4x2 array=3 levels=2 = 7").unwrap();
        assert_eq!((t.bytes.len(), t.descriptor().level_offset[1], t.descriptor().slice_stride[1]), (30, 24, 2));
    }
}

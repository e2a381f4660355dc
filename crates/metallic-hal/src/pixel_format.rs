//! Facts about pixel formats (`MTLPixelFormat`; MSL specification, section 7.7).

use msl_ir::PixelFormat;

/// What a kernel reads from a texture of the format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ComponentKind {
    /// `float` or `half`: float, normalized and packed formats.
    Float,
    Sint,
    Uint,
}

/// Size and meaning of one texel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PixelFormatInfo {
    pub format: PixelFormat,
    /// As Metal spells it.
    pub name: &'static str,
    pub bytes_per_texel: u32,
    pub channels: u8,
    pub kind: ComponentKind,
}

macro_rules! formats {
    ($($name:ident $bytes:literal $channels:literal $kind:ident;)*) => {
        /// Every format, by ascending number.
        pub const ALL: &[PixelFormatInfo] = &[$(PixelFormatInfo {
            format: PixelFormat::$name, name: stringify!($name), bytes_per_texel: $bytes,
            channels: $channels, kind: ComponentKind::$kind,
        }),*];
    };
}

formats! {
    A8Unorm 1 1 Float; R8Unorm 1 1 Float; R8UnormSrgb 1 1 Float; R8Snorm 1 1 Float; R8Uint 1 1 Uint; R8Sint 1 1 Sint;
    R16Unorm 2 1 Float; R16Snorm 2 1 Float; R16Uint 2 1 Uint; R16Sint 2 1 Sint; R16Float 2 1 Float;
    RG8Unorm 2 2 Float; RG8UnormSrgb 2 2 Float; RG8Snorm 2 2 Float; RG8Uint 2 2 Uint; RG8Sint 2 2 Sint;
    B5G6R5Unorm 2 3 Float; A1BGR5Unorm 2 4 Float; ABGR4Unorm 2 4 Float; BGR5A1Unorm 2 4 Float;
    R32Uint 4 1 Uint; R32Sint 4 1 Sint; R32Float 4 1 Float;
    RG16Unorm 4 2 Float; RG16Snorm 4 2 Float; RG16Uint 4 2 Uint; RG16Sint 4 2 Sint; RG16Float 4 2 Float;
    RGBA8Unorm 4 4 Float; RGBA8UnormSrgb 4 4 Float; RGBA8Snorm 4 4 Float; RGBA8Uint 4 4 Uint; RGBA8Sint 4 4 Sint;
    BGRA8Unorm 4 4 Float; BGRA8UnormSrgb 4 4 Float;
    RGB10A2Unorm 4 4 Float; RGB10A2Uint 4 4 Uint; RG11B10Float 4 3 Float; RGB9E5Float 4 3 Float; BGR10A2Unorm 4 4 Float;
    RG32Uint 8 2 Uint; RG32Sint 8 2 Sint; RG32Float 8 2 Float;
    RGBA16Unorm 8 4 Float; RGBA16Snorm 8 4 Float; RGBA16Uint 8 4 Uint; RGBA16Sint 8 4 Sint; RGBA16Float 8 4 Float;
    RGBA32Uint 16 4 Uint; RGBA32Sint 16 4 Sint; RGBA32Float 16 4 Float;
    Depth16Unorm 2 1 Float; Depth32Float 4 1 Float; Stencil8 1 1 Uint;
    BGRA10Xr 8 4 Float; BGRA10XrSrgb 8 4 Float; BGR10Xr 4 3 Float; BGR10XrSrgb 4 3 Float;
}

impl PixelFormatInfo {
    pub fn of(format: PixelFormat) -> &'static PixelFormatInfo {
        ALL.iter().find(|info| info.format == format).expect("every format is in the table")
    }
    /// By Metal's number.
    pub fn from_raw(number: u32) -> Option<&'static PixelFormatInfo> {
        ALL.iter().find(|info| info.format as u32 == number)
    }
    /// Whether kernels can write texels of the format; of depth and stencil they can only read.
    pub fn is_writable(&self) -> bool {
        !matches!(self.format, PixelFormat::Depth16Unorm | PixelFormat::Depth32Float | PixelFormat::Stencil8)
    }
    /// By Metal's name, in any case: `rgba8unorm`, `RGBA8Unorm`, `rgba8unorm_srgb`.
    pub fn from_name(name: &str) -> Option<&'static PixelFormatInfo> {
        let name: String = name.chars().filter(|c| *c != '_').collect();
        ALL.iter().find(|info| info.name.eq_ignore_ascii_case(&name))
    }
    /// What is said of a number of `MTLPixelFormat` for which there is no format here.
    pub fn why_not_number(number: u32) -> String {
        let what = match number {
            130..=236 => {
                "a compressed format, which is not supported: decompress the texels to a format such as RGBA8Unorm"
            }
            240 | 241 => {
                "a format of pixels that share colors, which is not supported: convert the texels to a format such as RGBA8Unorm"
            }
            255 | 260..=262 => {
                "a format of depth and stencil together, which is not supported: use Depth32Float and Stencil8"
            }
            _ => "no pixel format",
        };
        format!("{number} is {what}")
    }
    /// What is said of a name for which there is no format here.
    pub fn why_not_name(name: &str) -> String {
        let plain: String = name.chars().filter(|c| *c != '_').collect::<String>().to_ascii_lowercase();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|p| plain.starts_with(p));
        // A number of each kind says the rest.
        let number = if starts(&["bc1", "bc2", "bc3", "bc4", "bc5", "bc6", "bc7", "pvrtc", "eac", "etc2", "astc"]) {
            130
        } else if starts(&["gbgr422", "bgrg422"]) {
            240
        } else if plain.contains("stencil8") {
            260
        } else {
            0
        };
        Self::why_not_number(number).replacen(&number.to_string(), name, 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_found_by_number_and_name() {
        assert_eq!(PixelFormatInfo::from_raw(70).unwrap().name, "RGBA8Unorm");
        assert_eq!(PixelFormatInfo::from_name("rgba8unorm_srgb").unwrap().format, PixelFormat::RGBA8UnormSrgb);
        assert_eq!(PixelFormatInfo::from_raw(2), None);
        assert_eq!(PixelFormatInfo::from_name("bgr10_xr_srgb").unwrap().format as u32, 555);
        for name in ["bc7_rgbaUnorm", "astc_4x4_srgb", "PVRTC_RGB_2BPP", "etc2_rgb8"] {
            assert!(PixelFormatInfo::why_not_name(name).contains("compressed"), "{name}");
        }
        assert!(PixelFormatInfo::why_not_number(204).starts_with("204 is a compressed format"));
        assert!(PixelFormatInfo::why_not_name("depth24Unorm_stencil8").contains("depth and stencil"));
        assert_eq!(PixelFormatInfo::why_not_name("rgba9"), "rgba9 is no pixel format");
        assert!(ALL.windows(2).all(|w| (w[0].format as u32) < w[1].format as u32));
    }
}

//! What a host needs to know about an entry point: its arguments, their types and limits.

use msl_base::Symbol;

use crate::ir::FunctionId;

/// A kernel function, compiled for one set of function-constant values.
#[derive(Clone, Debug, PartialEq)]
pub struct EntryPoint {
    /// The name the host asks for (`host_name`, or the function's own).
    pub name: Symbol,
    pub function: FunctionId,
    /// One per parameter of the IR function, in order. Builtin inputs are not parameters: the
    /// front end reads them with [`Op::Builtin`](crate::Op::Builtin).
    pub params: Vec<Param>,
    /// `[[max_total_threads_per_threadgroup(n)]]`.
    pub max_total_threads: Option<u32>,
    /// `[[required_threads_per_threadgroup(x, y, z)]]`.
    pub required_threads: Option<[u32; 3]>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    pub name: Symbol,
    pub kind: ParamKind,
    /// The index in its table (`[[buffer(n)]]`, `[[texture(n)]]`, `[[sampler(n)]]`, `[[threadgroup(n)]]`).
    pub index: u32,
    pub access: Access,
    /// Whether the kernel uses it at all (an unused argument need not be bound).
    pub used: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    ReadOnly,
    WriteOnly,
    ReadWrite,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ParamKind {
    /// A pointer or reference to `device` or `constant` memory. IR type: pointer in that space.
    Buffer {
        is_constant: bool,
        /// A reference, or a pointer to one structure: the type the host may pass by value.
        is_reference: bool,
        /// What one element is.
        element: HostType,
    },
    /// Host-sized threadgroup memory. IR type: pointer in the `threadgroup` space.
    Threadgroup { element: HostType },
    /// IR type: `pointer(constant, texture descriptor)`, see [`TextureDescriptor`]. For an array of textures the
    /// pointer is to the first of `array_len` consecutive descriptors.
    Texture { dimension: TextureDimension, component: crate::Scalar, array_len: u32 },
    /// IR type: `u64`, a packed sampler state, see [`SamplerState`](crate::reflect::SamplerState).
    Sampler,
}

/// A type as the host lays it out.
#[derive(Clone, Debug, PartialEq)]
pub enum HostType {
    Scalar(crate::Scalar),
    /// `size` distinguishes packed from unpacked vectors.
    Vector {
        elem: crate::Scalar,
        len: u8,
        size: u32,
    },
    Matrix {
        elem: crate::Scalar,
        columns: u8,
        rows: u8,
        size: u32,
    },
    Array {
        elem: Box<HostType>,
        len: u64,
        stride: u64,
    },
    Struct {
        name: Symbol,
        size: u64,
        align: u32,
        fields: Vec<HostField>,
    },
    /// A pointer inside of an argument buffer: 8 bytes.
    Pointer,
    Texture,
    Sampler,
    /// A table of functions of the type that is spelled: where the table is, in an argument buffer. A table has 64-bit
    /// words, the number of its entries and the number of the function in each.
    FunctionTable {
        function: Symbol,
    },
    Other {
        size: u64,
        align: u32,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct HostField {
    pub name: Symbol,
    pub offset: u64,
    pub ty: HostType,
}

impl HostType {
    /// Size in bytes in memory.
    pub fn size(&self) -> u64 {
        match self {
            HostType::Scalar(s) => u64::from(s.size()),
            HostType::Vector { size, .. } | HostType::Matrix { size, .. } => u64::from(*size),
            HostType::Array { len, stride, .. } => len.saturating_mul(*stride),
            HostType::Struct { size, .. } | HostType::Other { size, .. } => *size,
            HostType::Pointer | HostType::Texture | HostType::Sampler | HostType::FunctionTable { .. } => 8,
        }
    }
    /// The spelling in MSL, as far as it has one; for people.
    pub fn msl_name(&self) -> String {
        match self {
            HostType::Scalar(s) => s.msl_name().into(),
            HostType::Vector { elem, len, size } => {
                let is_packed = *len == 3 && *size == 3 * elem.size();
                format!("{}{}{len}", if is_packed { "packed_" } else { "" }, elem.msl_name())
            }
            HostType::Matrix { elem, columns, rows, .. } => format!("{}{columns}x{rows}", elem.msl_name()),
            HostType::Array { elem, len, .. } => format!("array<{}, {len}>", elem.msl_name()),
            HostType::Struct { name, .. } => name.to_string(),
            HostType::Pointer => "pointer".into(),
            HostType::Texture => "texture".into(),
            HostType::Sampler => "sampler".into(),
            HostType::FunctionTable { function } => format!("visible_function_table<{function}>"),
            HostType::Other { size, .. } => format!("{size} bytes"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextureDimension {
    D1,
    D1Array,
    D2,
    D2Array,
    D2Multisample,
    D2MultisampleArray,
    D3,
    Cube,
    CubeArray,
    Buffer,
    Depth2D,
    Depth2DArray,
    DepthCube,
    DepthCubeArray,
}

impl TextureDimension {
    /// The template of MSL.
    pub fn msl_name(self) -> &'static str {
        match self {
            TextureDimension::D1 => "texture1d",
            TextureDimension::D1Array => "texture1d_array",
            TextureDimension::D2 => "texture2d",
            TextureDimension::D2Array => "texture2d_array",
            TextureDimension::D2Multisample => "texture2d_ms",
            TextureDimension::D2MultisampleArray => "texture2d_ms_array",
            TextureDimension::D3 => "texture3d",
            TextureDimension::Cube => "texturecube",
            TextureDimension::CubeArray => "texturecube_array",
            TextureDimension::Buffer => "texture_buffer",
            TextureDimension::Depth2D => "depth2d",
            TextureDimension::Depth2DArray => "depth2d_array",
            TextureDimension::DepthCube => "depthcube",
            TextureDimension::DepthCubeArray => "depthcube_array",
        }
    }
}

/// What a texture argument points to, as the standard library's MSL sees it
/// (`struct __texture_descriptor`); the two definitions are checked against each other.
/// Texel (x, y, z) of slice s and level l lies at
/// `data + level_offset[l] + s * slice_stride[l] + z * plane_stride[l] + y * row_stride[l] + x * bytes_per_texel`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextureDescriptor {
    /// Device address of the first byte.
    pub data: u64,
    pub width: u32,
    pub height: u32,
    pub depth: u32,
    /// Slices, cube faces counted one by one.
    pub array_length: u32,
    pub mip_levels: u32,
    pub samples: u32,
    /// A [`PixelFormat`] as a number.
    pub format: u32,
    pub bytes_per_texel: u32,
    pub level_offset: [u64; 16],
    pub row_stride: [u32; 16],
    /// Between depth planes.
    pub plane_stride: [u64; 16],
    /// Between array slices or cube faces.
    pub slice_stride: [u64; 16],
}

/// Metal's numbers for the pixel formats (`MTLPixelFormat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum PixelFormat {
    A8Unorm = 1,
    R8Unorm = 10,
    R8UnormSrgb = 11,
    R8Snorm = 12,
    R8Uint = 13,
    R8Sint = 14,
    R16Unorm = 20,
    R16Snorm = 22,
    R16Uint = 23,
    R16Sint = 24,
    R16Float = 25,
    RG8Unorm = 30,
    RG8UnormSrgb = 31,
    RG8Snorm = 32,
    RG8Uint = 33,
    RG8Sint = 34,
    B5G6R5Unorm = 40,
    A1BGR5Unorm = 41,
    ABGR4Unorm = 42,
    BGR5A1Unorm = 43,
    R32Uint = 53,
    R32Sint = 54,
    R32Float = 55,
    RG16Unorm = 60,
    RG16Snorm = 62,
    RG16Uint = 63,
    RG16Sint = 64,
    RG16Float = 65,
    RGBA8Unorm = 70,
    RGBA8UnormSrgb = 71,
    RGBA8Snorm = 72,
    RGBA8Uint = 73,
    RGBA8Sint = 74,
    BGRA8Unorm = 80,
    BGRA8UnormSrgb = 81,
    RGB10A2Unorm = 90,
    RGB10A2Uint = 91,
    RG11B10Float = 92,
    RGB9E5Float = 93,
    BGR10A2Unorm = 94,
    RG32Uint = 103,
    RG32Sint = 104,
    RG32Float = 105,
    RGBA16Unorm = 110,
    RGBA16Snorm = 112,
    RGBA16Uint = 113,
    RGBA16Sint = 114,
    RGBA16Float = 115,
    RGBA32Uint = 123,
    RGBA32Sint = 124,
    RGBA32Float = 125,
    Depth16Unorm = 250,
    Depth32Float = 252,
    Stencil8 = 253,
    BGRA10Xr = 552,
    BGRA10XrSrgb = 553,
    BGR10Xr = 554,
    BGR10XrSrgb = 555,
}

/// The state of a sampler packed in 64 bits, as the standard library's MSL sees it
/// (`struct sampler { ulong __state; }`). Fields, from bit 0 (width in bits):
/// s_address (3), t_address (3), r_address (3), min_filter (1), mag_filter (1), mip_filter (2),
/// is_pixel_coord (1), compare_func (4), border_color (2), max_anisotropy−1 (4),
/// lod_min_clamp × 16 (16), lod_max_clamp × 16 (16), reduction (2).
///
/// Addresses: 0 clamp_to_edge, 1 mirror_clamp_to_edge, 2 repeat, 3 mirrored_repeat, 4 clamp_to_zero, 5 clamp_to_border.
/// Filters: 0 nearest, 1 linear; mip: 0 none, 1 nearest, 2 linear.
/// Compare: 0 never, 1 less, 2 equal, 3 less_equal, 4 greater, 5 not_equal, 6 greater_equal, 7 always, 8 none.
/// Border: 0 transparent_black, 1 opaque_black, 2 opaque_white.
/// Reduction: 0 weighted_average, 1 minimum, 2 maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SamplerState(pub u64);

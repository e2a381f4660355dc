//! Validated commands, in the order in which they take effect.

use std::sync::Arc;

use crate::{Buffer, Event, Pipeline, Texture};

/// What a command buffer holds when it is committed. Owns everything that its commands use.
#[derive(Default)]
pub struct CommandList {
    pub label: String,
    pub commands: Vec<Command>,
    /// Whatever else must live until the commands have completed; released before the list completes.
    pub owned: Vec<Box<dyn std::any::Any + Send>>,
    /// Completion runs code of the user, which may take long or wait for something.
    pub has_handlers: bool,
}

pub enum Command {
    Dispatch(Dispatch),
    CopyBuffer {
        source: Arc<dyn Buffer>,
        source_offset: u64,
        destination: Arc<dyn Buffer>,
        destination_offset: u64,
        size: u64,
    },
    FillBuffer {
        buffer: Arc<dyn Buffer>,
        offset: u64,
        length: u64,
        value: u8,
    },
    CopyBufferToTexture {
        source: Arc<dyn Buffer>,
        source_offset: u64,
        bytes_per_row: u64,
        bytes_per_image: u64,
        destination: Arc<dyn Texture>,
        region: Region,
        at: TextureSlice,
    },
    CopyTextureToBuffer {
        source: Arc<dyn Texture>,
        region: Region,
        at: TextureSlice,
        destination: Arc<dyn Buffer>,
        destination_offset: u64,
        bytes_per_row: u64,
        bytes_per_image: u64,
    },
    /// Both textures have texels of one size.
    CopyTexture {
        source: Arc<dyn Texture>,
        region: Region,
        source_at: TextureSlice,
        destination: Arc<dyn Texture>,
        destination_origin: Origin,
        destination_at: TextureSlice,
    },
    GenerateMipmaps {
        texture: Arc<dyn Texture>,
    },
    /// Makes the device's writes to a managed buffer visible to the host.
    Synchronize {
        buffer: Arc<dyn Buffer>,
    },
    SignalEvent {
        event: Arc<Event>,
        value: u64,
    },
    WaitEvent {
        event: Arc<Event>,
        value: u64,
    },
}

/// One execution of a kernel over a grid.
pub struct Dispatch {
    pub pipeline: Arc<dyn Pipeline>,
    /// One per parameter of the entry point, in order.
    pub arguments: Vec<Argument>,
    pub grid: Grid,
    pub threads_per_threadgroup: Size,
    /// Resources that the kernel reaches through argument buffers.
    pub resident: Arc<[Arc<dyn Buffer>]>,
    /// Names the dispatch in messages.
    pub label: Arc<str>,
    /// Where log records of the kernel go; to standard output where there is none.
    pub log_state: Option<Arc<crate::log::LogState>>,
}

pub enum Argument {
    /// The kernel does not use the parameter.
    Unbound,
    Buffer {
        buffer: Arc<dyn Buffer>,
        offset: u64,
    },
    Bytes(InlineBytes),
    /// One, or as many as the parameter's array holds.
    Textures(Vec<Arc<dyn Texture>>),
    Sampler(msl_ir::SamplerState),
    /// Host-sized threadgroup memory, in bytes; a multiple of 16.
    Threadgroup {
        length: u32,
    },
}

#[derive(Clone)]
pub enum Grid {
    /// Threads; threadgroups at the far edges may be smaller.
    Threads(Size),
    Threadgroups(Size),
    /// Three `u32` threadgroup counts read from a buffer when the command starts. A device checks
    /// that the number of threads fits into 32 bits along each axis.
    Indirect {
        buffer: Arc<dyn Buffer>,
        offset: u64,
    },
}

/// Bytes passed by value, aligned for every MSL type.
#[derive(Clone)]
pub struct InlineBytes {
    chunks: Arc<[Chunk]>,
    length: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(32))]
struct Chunk([u8; 32]);

impl InlineBytes {
    pub fn new(bytes: &[u8]) -> InlineBytes {
        let chunks = bytes
            .chunks(32)
            .map(|part| {
                let mut chunk = Chunk([0; 32]);
                chunk.0[..part.len()].copy_from_slice(part);
                chunk
            })
            .collect();
        InlineBytes { chunks, length: bytes.len() }
    }
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `Chunk` is 32 plain bytes without padding and `length` does not exceed 32 × the
        // number of chunks (see `new`, the only constructor).
        unsafe { std::slice::from_raw_parts(self.chunks.as_ptr().cast(), self.length) }
    }
    pub fn len(&self) -> usize {
        self.length
    }
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Width, height, depth (`MTLSize`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Size {
    pub width: u32,
    pub height: u32,
    pub depth: u32,
}

impl Size {
    pub const fn new(width: u32, height: u32, depth: u32) -> Size {
        Size { width, height, depth }
    }
    /// The product; of three `u32` it needs up to 96 bits.
    pub fn volume(self) -> u128 {
        u128::from(self.width) * u128::from(self.height) * u128::from(self.depth)
    }
    pub fn is_empty(self) -> bool {
        self.width == 0 || self.height == 0 || self.depth == 0
    }
    pub fn to_array(self) -> [u32; 3] {
        [self.width, self.height, self.depth]
    }
    /// How many groups of `group` cover it; `group` is not empty.
    pub fn div_ceil(self, group: Size) -> Size {
        Size {
            width: self.width.div_ceil(group.width),
            height: self.height.div_ceil(group.height),
            depth: self.depth.div_ceil(group.depth),
        }
    }
}

impl From<[u32; 3]> for Size {
    fn from([width, height, depth]: [u32; 3]) -> Size {
        Size { width, height, depth }
    }
}
impl From<(u32, u32, u32)> for Size {
    fn from((width, height, depth): (u32, u32, u32)) -> Size {
        Size { width, height, depth }
    }
}
impl From<u32> for Size {
    fn from(width: u32) -> Size {
        Size { width, height: 1, depth: 1 }
    }
}
impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({}, {}, {})", self.width, self.height, self.depth)
    }
}

/// A position in a texture (`MTLOrigin`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Origin {
    pub x: u32,
    pub y: u32,
    pub z: u32,
}

/// A box of texels (`MTLRegion`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Region {
    pub origin: Origin,
    pub size: Size,
}

impl Region {
    pub fn new_2d(x: u32, y: u32, width: u32, height: u32) -> Region {
        Region { origin: Origin { x, y, z: 0 }, size: Size::new(width, height, 1) }
    }
    pub fn new_3d(x: u32, y: u32, z: u32, size: Size) -> Region {
        Region { origin: Origin { x, y, z }, size }
    }
}

/// Which image of a texture: an array slice (or cube face) and a mipmap level.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct TextureSlice {
    pub slice: u32,
    pub level: u32,
}

impl Dispatch {
    /// Grid size in threads and in threadgroups. Fails for an indirect grid beyond 32 bits.
    pub fn resolve_grid(&self) -> Result<(Size, Size), crate::Fault> {
        let group = self.threads_per_threadgroup;
        let groups = match &self.grid {
            Grid::Threads(threads) => return Ok((*threads, threads.div_ceil(group))),
            Grid::Threadgroups(groups) => *groups,
            Grid::Indirect { buffer, offset } => {
                let mut counts = [0u8; 12];
                crate::transfer::read_buffer(&**buffer, *offset, &mut counts);
                let at = |i: usize| u32::from_le_bytes(counts[4 * i..4 * i + 4].try_into().expect("four bytes"));
                Size::new(at(0), at(1), at(2))
            }
        };
        let axis = |groups: u32, group: u32| groups.checked_mul(group);
        match (axis(groups.width, group.width), axis(groups.height, group.height), axis(groups.depth, group.depth)) {
            (Some(width), Some(height), Some(depth)) => Ok((Size { width, height, depth }, groups)),
            _ => Err(crate::Fault {
                kernel: Some(self.label.to_string()),
                ..crate::Fault::new(format!("{groups} threadgroups of {group} threads exceed 32 bits along an axis"))
            }),
        }
    }
}

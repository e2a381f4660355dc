//! The interpreter: a slow executor that defines what the IR means.
//!
//! In: a verified [`Module`], an entry point, arguments and a grid. Out: memory changed as the
//! kernel says, log records, or a [`Fault`] that names kernel, instruction, span and thread.
//!
//! Promised: strict float semantics whatever the flags of an instruction (never contracted,
//! never reassociated; see [`scalar`]); the same result every time; every access checked
//! (bounds, address space, writability), in every address space; on request, data races, poisoned
//! uninitialized memory, and what is [forgiven](crate::ir#what-is-forgiven). Reading from a thread that does not
//! take part gives the poison pattern.
//!
//! How: a threadgroup runs in lock step. A value is a row of one word per thread; a block is
//! executed for a list of active threads, which branches split and join. Barriers and simdgroup
//! operations are then simply executed for the threads that are there. Threadgroups run one
//! after the other. A thread that waits in a loop for another one of its threadgroup therefore
//! never sees it proceed; [`Options::step_limit`] ends such loops.
//!
//! Not here: validation of arguments against reflection beyond what keeps memory safe.
//!
//! ```
//! use msl_ir::interp::{Argument, BufferRef, DispatchKind, Machine, Options};
//!
//! let module = msl_ir::text::parse(
//!     "fn double_all(%p: ptr<device, u32>) -> void {
//!        %gid = builtin thread_position_in_grid
//!        %i = extract %gid, 0
//!        %q = ptr_offset %p, %i
//!        %x = load %q
//!        %y = add %x, %x
//!        store %q, %y
//!      }
//!      kernel double_all = @double_all { p: buffer 0 device read_write u32 }",
//! ).unwrap();
//! let mut data = [1u32, 2, 3];
//! let mut machine = Machine::new(&module, "double_all", Options::default()).unwrap();
//! machine.bind(0, Argument::Buffer(BufferRef::of(&mut data)));
//! machine.dispatch([3, 1, 1], [2, 1, 1], DispatchKind::Threads).unwrap();
//! drop(machine);
//! assert_eq!(data, [2, 4, 6]);
//! ```

mod decode;
mod elementwise;
mod exec;
mod memory;
mod memory_ops;
pub mod scalar;
mod simd;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;

use msl_base::{Span, Symbol};

use crate::*;

/// How strictly a kernel is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What uninitialized locals and threadgroup memory are filled with, and what unspecified
    /// values are made of; zeros when `None`.
    pub poison: Option<u8>,
    pub races: RaceCheck,
    /// What hardware forgives is a fault: misaligned accesses, barriers that part of a simdgroup misses,
    /// reads just beyond threadgroup memory.
    pub strict: bool,
    /// Instructions (each counted once for all its threads) after which a dispatch ends with
    /// [`FaultKind::StepLimit`].
    pub step_limit: Option<u64>,
}

impl Default for Options {
    fn default() -> Options {
        Options { poison: Some(0xa5), races: RaceCheck::Off, strict: false, step_limit: None }
    }
}

/// Which data races are looked for, in device and threadgroup memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum RaceCheck {
    #[default]
    Off,
    /// Between the threads of a threadgroup.
    Threadgroup,
    /// Between threadgroups, too: nothing but atomics may be shared in one dispatch.
    Grid,
}

/// Memory of the host that a kernel may access while a [`Machine`] has it.
#[derive(Clone, Copy, Debug)]
pub struct BufferRef<'a> {
    ptr: *mut u8,
    len: usize,
    is_writable: bool,
    lifetime: PhantomData<&'a mut [u8]>,
}

/// Numbers without padding, for which every pattern of bits is a value.
pub trait Plain: private::Sealed + Copy {}
mod private {
    pub trait Sealed {}
}
macro_rules! plain {
    ($($t:ty),*) => { $(impl private::Sealed for $t {} impl Plain for $t {})* };
}
plain!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, half::f16, half::bf16);

impl<'a> BufferRef<'a> {
    pub fn new(bytes: &'a mut [u8]) -> BufferRef<'a> {
        BufferRef::of(bytes)
    }
    pub fn of<T: Plain>(values: &'a mut [T]) -> BufferRef<'a> {
        BufferRef {
            ptr: values.as_mut_ptr().cast(),
            len: size_of_val(values),
            is_writable: true,
            lifetime: PhantomData,
        }
    }
    /// Memory that the kernel may only read; a write is a fault.
    pub fn read_only<T: Plain>(values: &'a [T]) -> BufferRef<'a> {
        BufferRef {
            ptr: values.as_ptr().cast_mut().cast(),
            len: size_of_val(values),
            is_writable: false,
            lifetime: PhantomData,
        }
    }
    /// Any memory, which may overlap other buffers.
    ///
    /// # Safety
    /// `ptr` must be valid for reads and writes of `len` bytes for the lifetime `'a`, and no
    /// reference to them may be used during a dispatch.
    pub unsafe fn from_raw(ptr: *mut u8, len: usize) -> BufferRef<'a> {
        BufferRef { ptr, len, is_writable: true, lifetime: PhantomData }
    }
}

/// What a parameter of the entry point is bound to.
#[derive(Clone, Debug, Default)]
pub enum Argument<'a> {
    /// An access through it is a fault.
    #[default]
    Unbound,
    Buffer(BufferRef<'a>),
    /// Passed by value; read only.
    Bytes(Vec<u8>),
    /// One, or as many as the parameter's array holds.
    Textures(Vec<TextureRef<'a>>),
    Sampler(SamplerState),
    /// Host-sized threadgroup memory, in bytes.
    Threadgroup(u32),
}

/// A texture: its descriptor, whose `data` is ignored, and its bytes.
#[derive(Clone, Copy, Debug)]
pub struct TextureRef<'a> {
    pub descriptor: TextureDescriptor,
    pub data: BufferRef<'a>,
}

/// What the grid of a dispatch counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DispatchKind {
    /// Threads; threadgroups at the far edges may be smaller.
    Threads,
    Threadgroups,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    OutOfBounds,
    Misaligned,
    /// A write to memory bound for reading.
    ReadOnly,
    /// Null, dangling or of another address space.
    InvalidPointer,
    DivergentBarrier,
    Race,
    /// [`Op::Trap`].
    Trap,
    /// [`Op::Unreachable`] was reached.
    Unreachable,
    StepLimit,
    /// The dispatch itself cannot be executed: its sizes, or its arguments.
    Dispatch,
}

impl FaultKind {
    pub fn id(self) -> &'static str {
        match self {
            FaultKind::OutOfBounds => "out-of-bounds",
            FaultKind::Misaligned => "misaligned",
            FaultKind::ReadOnly => "read-only",
            FaultKind::InvalidPointer => "invalid-pointer",
            FaultKind::DivergentBarrier => "divergent-barrier",
            FaultKind::Race => "race",
            FaultKind::Trap => "trap",
            FaultKind::Unreachable => "unreachable",
            FaultKind::StepLimit => "step-limit",
            FaultKind::Dispatch => "dispatch",
        }
    }
}

/// Why a dispatch ended early. Memory keeps what was written until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// What happened, in one sentence.
    pub message: String,
    pub kernel: Symbol,
    /// The function that holds the instruction, which the kernel calls.
    pub function: Option<Symbol>,
    /// The instruction as it prints.
    pub inst: Option<String>,
    pub span: Span,
    /// The argument it touched.
    pub argument: Option<Symbol>,
    /// `thread_position_in_grid`.
    pub thread: Option<[u32; 3]>,
    pub threadgroup: Option<[u32; 3]>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}, in kernel {}", self.kind.id(), self.message, self.kernel)?;
        if let Some([x, y, z]) = self.thread {
            write!(f, ", thread ({x}, {y}, {z})")?;
        }
        if let Some([x, y, z]) = self.threadgroup {
            write!(f, " of threadgroup ({x}, {y}, {z})")?;
        }
        match &self.inst {
            Some(inst) => write!(f, " (`{inst}`)"),
            None => Ok(()),
        }
    }
}
impl std::error::Error for Fault {}

/// Why there is no machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetupError {
    UnknownEntryPoint(String),
    /// The module is malformed.
    Malformed(Vec<VerifyError>),
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetupError::UnknownEntryPoint(name) => write!(f, "there is no kernel named '{name}'"),
            SetupError::Malformed(errors) => {
                f.write_str("the module is malformed")?;
                errors.iter().try_for_each(|e| write!(f, "\n{e}"))
            }
        }
    }
}
impl std::error::Error for SetupError {}

/// A record of [`Op::Log`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    pub record: log::LogRecord,
    /// `thread_position_in_grid`.
    pub thread: [u32; 3],
    pub span: Span,
}

/// An entry point with its arguments.
pub struct Machine<'a> {
    module: &'a Module,
    entry: &'a EntryPoint,
    options: Options,
    arguments: Vec<Argument<'a>>,
    resident: Vec<(BufferRef<'a>, u64)>,
    logs: Vec<LogRecord>,
}

impl<'a> Machine<'a> {
    /// Verifies the module.
    pub fn new(module: &'a Module, entry_point: &str, options: Options) -> Result<Machine<'a>, SetupError> {
        verify(module).map_err(SetupError::Malformed)?;
        let Some(entry) = module.entry_points.iter().find(|e| e.name == entry_point) else {
            return Err(SetupError::UnknownEntryPoint(entry_point.to_owned()));
        };
        Ok(Machine {
            module,
            entry,
            options,
            arguments: vec![Argument::Unbound; entry.params.len()],
            resident: Vec::new(),
            logs: Vec::new(),
        })
    }

    /// Binds a parameter, by its position. Positions the entry point does not have are ignored.
    pub fn bind(&mut self, param: usize, argument: Argument<'a>) {
        if let Some(slot) = self.arguments.get_mut(param) {
            *slot = argument;
        }
    }

    /// Makes a buffer reachable at an address that the kernel finds in memory (argument buffers).
    pub fn make_resident(&mut self, buffer: BufferRef<'a>, address: u64) {
        self.resident.push((buffer, address));
    }

    /// Runs the kernel over the grid.
    pub fn dispatch(&mut self, grid: [u32; 3], threadgroup: [u32; 3], kind: DispatchKind) -> Result<(), Fault> {
        exec::run(self, grid, threadgroup, kind).map_err(|fault| *fault)
    }

    /// What was logged since the last call, in the order of execution.
    pub fn take_logs(&mut self) -> Vec<LogRecord> {
        std::mem::take(&mut self.logs)
    }
}

/// The bytes of a descriptor as the standard library's MSL lays it out.
fn descriptor_bytes(d: &TextureDescriptor) -> Vec<u8> {
    let mut out = Vec::with_capacity(size_of::<TextureDescriptor>());
    out.extend(d.data.to_le_bytes());
    let words = [d.width, d.height, d.depth, d.array_length, d.mip_levels, d.samples, d.format, d.bytes_per_texel];
    out.extend(words.iter().flat_map(|w| w.to_le_bytes()));
    out.extend(d.level_offset.iter().flat_map(|w| w.to_le_bytes()));
    out.extend(d.row_stride.iter().flat_map(|w| w.to_le_bytes()));
    out.extend(d.plane_stride.iter().flat_map(|w| w.to_le_bytes()));
    out.extend(d.slice_stride.iter().flat_map(|w| w.to_le_bytes()));
    debug_assert_eq!(out.len(), size_of::<TextureDescriptor>());
    out
}

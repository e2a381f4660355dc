//! NVIDIA GPUs: PTX from the IR.
//!
//! In: a module, the name of an entry point and what to specialize for ([`NvptxOptions`]). Out: an
//! [`NvptxKernel`]: PTX with one entry named [`SYMBOL`], and what a host must know to launch it. One
//! thread of the GPU runs one thread of the grid, a warp is a simdgroup, shared memory is threadgroup
//! memory. Promised: every access of device and constant memory that is not proven to be in bounds is
//! tested; a thread that fails the test records it in the [`status`] block and ends, and nothing outside of
//! the kernel's memory is touched. Not here: the driver, memory, launches (`metallic-cuda`).
//!
//! * `kernel`: the entry: parameters, positions, the end of a thread;
//! * `inst`, `math`, `remainder`: values; `memory`, `atomic`: pointers and accesses; `ahead`, `hoist`, `versions`: fewer tests of them;
//!   `align`, `misaligned`: wider ones; `interval`, `lanes`: what is known of places while compiling;
//! * `async_copy`, `async_waits`: from device to threadgroup memory past the registers;
//! * `control`: branches; `fault`: how a thread ends that may not go on;
//! * `masks`, `meetings`: which threads of a warp are together, and barriers that only some of them reach;
//! * `simdgroup`: operations among the threads of a warp; `matrix`, `matrix_load`: tensor cores;
//! * `assembler`: what NVIDIA's assembler gets wrong, written otherwise.

mod ahead;
mod align;
mod assembler;
mod async_copy;
mod async_waits;
mod atomic;
mod bytes;
mod control;
mod fault;
mod hoist;
mod inst;
mod interval;
mod kernel;
mod lanes;
mod masks;
mod math;
mod matrix;
mod matrix_load;
mod meetings;
mod memory;
mod misaligned;
mod remainder;
mod simdgroup;
mod versions;

use msl_base::Span;
use msl_ir::passes::pipeline;
use msl_ir::passes::unroll_loops::Growth;
use msl_ir::{EntryPoint, Module};

use crate::CodegenError;
use crate::compiler::FaultSite;
use crate::gate;
use crate::llvm::Ll;
use crate::target::Target;

/// The name of the entry in the PTX.
pub const SYMBOL: &str = "metallic_kernel";

/// What a kernel is specialized for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NvptxOptions {
    /// Threads per threadgroup, as dispatched.
    pub threadgroup: [u32; 3],
    /// The grid may end in smaller threadgroups. Without, all must be full.
    pub edge_groups: bool,
    /// The buffers bound do not overlap where one of them is written.
    pub noalias: bool,
    /// Compute capability: 80 for 8.0.
    pub sm: u32,
    /// Run the IR's own passes first. Off only if the caller has.
    pub run_passes: bool,
    /// By parameter: how many bytes are bound by value, or 0. Where the kernel only reads them they are parameters of
    /// the entry, see [`NvptxKernel::inlined`].
    pub by_value: Vec<u32>,
    /// Each buffer bound has fewer than 2³² elements: indices of 32 bits are compared as they are.
    pub small: bool,
    /// Each buffer bound starts at a multiple of 16.
    pub aligned: bool,
    /// The grid has so few threads that a multiprocessor gets 1024 of them at most: each may have twice the registers that
    /// the assembler gives it where there are more. It hides latency with other work of the same thread instead.
    pub few_threads: bool,
}

impl NvptxOptions {
    pub fn new(threadgroup: [u32; 3]) -> NvptxOptions {
        NvptxOptions {
            threadgroup,
            edge_groups: true,
            noalias: true,
            sm: 80,
            run_passes: true,
            by_value: Vec::new(),
            small: true,
            aligned: true,
            few_threads: false,
        }
    }

    /// The version of PTX we write: old enough for the first driver that knows the GPU.
    fn ptx_version(&self) -> u32 {
        match self.sm {
            120.. => 87,
            100.. => 86,
            90.. => 80,
            89 => 78,
            87 => 74,
            86 => 71,
            _ => 70,
        }
    }

    /// The newest architecture that both we and the GPU know.
    fn known_sm(&self) -> u32 {
        const KNOWN: [u32; 10] = [70, 72, 75, 80, 86, 87, 89, 90, 100, 120];
        KNOWN.into_iter().rev().find(|k| *k <= self.sm).unwrap_or(70)
    }
}

/// The block of words that a kernel reports through, in memory of the GPU. All words are 32 bits wide; all but
/// [`HOST`](status::HOST) and [`LOG_CAPACITY`](status::LOG_CAPACITY) start zeroed.
pub mod status {
    /// 1 as soon as a thread has faulted; later launches with the same block do nothing. That thread's record is
    /// written to memory of the host, with the same offsets; the word is 1 there, too.
    pub const CLAIMED: u64 = 0;
    /// Index into [`NvptxKernel::sites`](super::NvptxKernel::sites).
    pub const SITE: u64 = 4;
    /// The number that the launch was given.
    pub const DISPATCH: u64 = 8;
    /// `thread_position_in_grid`, three words.
    pub const THREAD: u64 = 12;
    /// Byte offset in the argument, or an address; 64 bits.
    pub const OFFSET: u64 = 24;
    /// 64-bit words of log records written (or wanted), and how many there is room for.
    pub const LOG_USED: u64 = 32;
    pub const LOG_CAPACITY: u64 = 36;
    /// The address of the record in memory of the host; 64 bits.
    pub const HOST: u64 = 40;
    /// Log records follow: `format | count << 32`, then `count` words. The format is an index into
    /// [`NvptxKernel::formats`](super::NvptxKernel::formats).
    pub const SIZE: u64 = 64;
}

/// The last parameters of the entry. Before them come, for every parameter of the kernel, two words of 64 bits (see
/// [`ArgumentSlot`](crate::abi::ArgumentSlot); threadgroup memory has its offset in the dynamic
/// shared memory in the place of an address; for a third one see [`NvptxKernel::elements`]), or the bytes of an
/// inlined argument, aligned to 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaunchInfo {
    /// `threads_per_grid`.
    pub grid: [u32; 3],
    /// `threadgroups_per_grid`.
    pub groups: [u32; 3],
    /// Where the first threadgroup of this launch is; a large grid takes several launches.
    pub base: [u32; 3],
    /// The number of the launch among those with one status block.
    pub dispatch: u32,
    /// Bytes of dynamic shared memory.
    pub dynamic_shared: u32,
    pub range_count: u32,
    /// Device address of the [`status`] block.
    pub status: u64,
    /// Device address of `range_count` pairs of 64-bit words: start and end of each resident buffer.
    pub ranges: u64,
}

impl LaunchInfo {
    /// Appends them to the block of parameters, which ends at a multiple of 8.
    pub fn write(&self, block: &mut Vec<u8>) {
        block.extend(self.status.to_le_bytes());
        block.extend(self.ranges.to_le_bytes());
        let counts = [self.dispatch, self.dynamic_shared, self.range_count];
        for word in self.grid.iter().chain(&self.groups).chain(&self.base).chain(&counts) {
            block.extend(word.to_le_bytes());
        }
    }
}

/// PTX of one kernel for one threadgroup size, and what its launch must know.
#[derive(Clone, Debug, PartialEq)]
pub struct NvptxKernel {
    pub ptx: String,
    /// By parameter of the kernel: how many bytes of it are a parameter of the entry themselves.
    pub inline: Vec<Option<u32>>,
    /// By parameter of the kernel: bytes of an element, for buffers. They have a third word: how many
    /// whole elements are bound.
    pub elements: Vec<Option<u64>>,
    /// Bytes of threadgroup memory the kernel declares itself; see [`NvptxKernel::declared_dynamic_shared`].
    pub static_shared: u64,
    /// Indexed by the fault record's site.
    pub sites: Vec<FaultSite>,
    /// Format strings of log records.
    pub formats: Vec<String>,
    /// The kernel follows pointers found in memory: the ranges of resident buffers must be passed.
    pub needs_ranges: bool,
    /// Threads per threadgroup: the only size it can be launched with.
    pub threadgroup: [u32; 3],
}

/// NVIDIA's limit for what a kernel declares; a launch may allocate more.
const MOST_STATIC_SHARED: u64 = 48 << 10;

/// Whether so many bytes that a kernel declares are allocated with each launch.
fn is_dynamic(static_shared: u64) -> bool {
    static_shared > MOST_STATIC_SHARED
}

impl NvptxKernel {
    /// How many bytes of what the kernel declares a launch must allocate, before those of its arguments.
    pub fn declared_dynamic_shared(&self) -> u64 {
        if is_dynamic(self.static_shared) { self.static_shared.next_multiple_of(16) } else { 0 }
    }
    /// Whether a launch with so many bytes in all needs the driver's leave.
    pub fn needs_much_shared(&self, dynamic: u64) -> bool {
        let declared = if is_dynamic(self.static_shared) { 0 } else { self.static_shared };
        declared + dynamic > MOST_STATIC_SHARED
    }
    /// Whether an argument by value is passed as it is, and how many bytes; otherwise address and length are.
    pub fn inlined(&self, param: usize) -> Option<u32> {
        self.inline.get(param).copied().flatten()
    }
}

/// Compiles kernels for NVIDIA GPUs.
#[derive(Clone, Copy, Debug, Default)]
pub struct NvptxCompiler;

impl NvptxCompiler {
    pub fn compile(&self, module: &Module, entry: &str, options: &NvptxOptions) -> Result<NvptxKernel, CodegenError> {
        let _inside = gate::enter()?;
        let (ll, target, mut kernel) = self.build(module, entry, options, true)?;
        kernel.ptx = assembler::corrected(&String::from_utf8_lossy(&target.emit(&ll, true)?));
        Ok(kernel)
    }

    /// LLVM IR as text, before or after optimization.
    pub fn emit_llvm_ir(
        &self,
        module: &Module,
        entry: &str,
        options: &NvptxOptions,
        optimized: bool,
    ) -> Result<String, CodegenError> {
        let _inside = gate::enter()?;
        Ok(self.build(module, entry, options, optimized)?.0.to_text())
    }

    fn build(
        &self,
        module: &Module,
        entry: &str,
        options: &NvptxOptions,
        optimize: bool,
    ) -> Result<(Ll, Target, NvptxKernel), CodegenError> {
        let find = |m: &Module| -> Result<EntryPoint, CodegenError> {
            let found = m.entry_points.iter().find(|e| e.name == entry).cloned();
            found.ok_or_else(|| CodegenError::NoEntryPoint(entry.into()))
        };
        let mut point = find(module)?;
        let threads: u64 = options.threadgroup.iter().map(|n| u64::from(*n)).product();
        if !(1..=1024).contains(&threads) {
            return Err(CodegenError::ThreadgroupSize(options.threadgroup));
        }
        let prepared;
        let mut module = module;
        if options.run_passes {
            let mut m = module.clone();
            let facts = pipeline::Facts {
                matrix_products: if matrix::are_usable(module, options) {
                    pipeline::MatrixProducts::Halves
                } else {
                    pipeline::MatrixProducts::Expanded
                },
                growth: Growth::Large,
                loads_for_shuffles: true,
                joins_accesses: false,
                threads_per_threadgroup: Some(options.threadgroup),
                full_threadgroups: !options.edge_groups,
                threads_per_grid: None,
            };
            pipeline::run(&mut m, point.function, pipeline::Options { facts, ..Default::default() }).map_err(|d| {
                CodegenError::Unsupported { id: "unsupported-kernel", message: d.message.clone(), span: Span::NONE }
            })?;
            prepared = m;
            module = &prepared;
            point = find(module)?;
        }
        let target = Target::nvptx(options.known_sm(), options.ptx_version())?;
        let ll = Ll::new(entry);
        target.prepare(&ll);
        let kernel = kernel::emit_kernel(&ll, module, &point, options)?;
        if cfg!(debug_assertions) || std::env::var_os("METALLIC_VERIFY").is_some() {
            ll.verify().map_err(|e| CodegenError::Llvm(format!("{e}\n{}", ll.to_text())))?;
        }
        if optimize {
            target.run_passes(&ll, "default<O2>")?;
        }
        Ok((ll, target, kernel))
    }
}

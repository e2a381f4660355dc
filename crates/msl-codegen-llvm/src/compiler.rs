//! From an IR module to a callable kernel.

use std::time::Instant;

use msl_base::{Span, Symbol};
use msl_ir::passes::assume_textures::{KnownTexture, assume_textures};
use msl_ir::passes::expand_switches::{expand_switches, has_switches_with_barriers};
use msl_ir::passes::pipeline;
use msl_ir::passes::unroll_loops::Growth;
use msl_ir::{EntryPoint, Function, HOST_SLACK, Module, Op, READ_SLACK};

use crate::CodegenError;
use crate::abi::EntryFn;
use crate::cpu::{Body, any_inst, emit_kernel};
use crate::fuse::fuse;
use crate::gate;
use crate::jit::LoadedObject;
use crate::lines::{AsmLine, Lines};
use crate::llvm::{CONTRACT, Ll, REORDER};
use crate::remarks::{Explanation, Remarks};
use crate::target::{Lease, TargetOptions};

/// Which threadgroups a kernel has code for. A grid may end in threadgroups that are not full, which take
/// slower code, and as much time to compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Groups {
    /// One version for full threadgroups and one for others.
    #[default]
    All,
    /// Full ones whose threads all take the expected way; others are handed to
    /// [`LaunchContext::edge`](crate::abi::LaunchContext).
    Full,
    /// One version for full ones, whatever way their threads take, which must be all that it is given: where that is
    /// quicker than code for any size ([`CompiledKernel::has_whole`]). Its fault sites have
    /// [`WHOLE_SITE`](crate::abi::WHOLE_SITE) set.
    Whole,
    /// One version for any size. Its fault sites have [`EDGE_SITE`](crate::abi::EDGE_SITE) set.
    Any,
}

/// Whether to make code in a quarter of the time, that takes up to six times as long and gives the same results to the bit.
/// [`CompiledKernel::is_quick`] says what was made: very large kernels have code made well nevertheless, as has everything
/// on processors on which quick ways were not tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Quick {
    #[default]
    No,
    /// For kernels without loops, in whose code no thread stays for long.
    IfBrief,
    Always,
}

/// What a kernel is specialized for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CompileOptions {
    /// Threads per threadgroup, as dispatched.
    pub threadgroup: [u32; 3],
    /// The buffers bound do not overlap where one of them is written.
    pub noalias: bool,
    pub groups: Groups,
    /// What is known about the textures that will be bound.
    pub textures: Vec<KnownTexture>,
    pub quick: Quick,
    /// Run the IR's own passes first. Off only if the caller has.
    pub run_passes: bool,
    /// Vectors that run in step, instead of what the compiler would choose; at least a simdgroup's.
    pub parts: Option<u32>,
}

impl CompileOptions {
    pub fn new(threadgroup: [u32; 3]) -> CompileOptions {
        CompileOptions {
            threadgroup,
            noalias: true,
            groups: Groups::All,
            textures: Vec::new(),
            quick: Quick::No,
            run_passes: true,
            parts: None,
        }
    }
}

/// Who wants to know what is decided about a kernel, and where its code comes from.
#[derive(Clone, Copy, Default)]
pub(crate) struct Watch<'a> {
    pub remarks: Option<&'a Remarks>,
    pub lines: Option<&'a Lines>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Outside of the memory the pointer came from.
    Read,
    Write,
    Atomic,
    /// The program stopped itself.
    Trap,
    /// A barrier that not all simdgroups come by.
    Barrier,
}

/// A place in the program that can fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultSite {
    pub kind: FaultKind,
    /// The parameter whose memory it was, if known.
    pub param: Option<u32>,
    pub span: Span,
    pub message: Option<String>,
}

/// What a fault says of an access through a pointer that may point into several objects.
pub(crate) fn outside_of_all(kind: FaultKind, names: impl Iterator<Item = Symbol>) -> String {
    let names: Vec<String> = names.map(|name| format!("'{name}'")).collect();
    let verb = if kind == FaultKind::Read { "read" } else { "write" };
    format!("{verb} outside of all that the pointer may point into: {}", names.join(", "))
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CompileStats {
    /// Threads that run in step.
    pub gang: u32,
    /// Gangs of a full threadgroup.
    pub gangs: u32,
    /// The kernel was split at barriers.
    pub is_split: bool,
    /// Code is made quickly rather than well.
    pub is_quick: bool,
    /// The kernel has no loops.
    pub is_brief: bool,
    pub passes_ms: f64,
    pub emit_ms: f64,
    pub optimize_ms: f64,
    pub codegen_ms: f64,
    pub load_ms: f64,
}

/// Machine code for one kernel and threadgroup size, ready to run. The code lives as long as this.
pub struct CompiledKernel {
    loaded: LoadedObject,
    fixed_scratch: u64,
    /// Bytes of threadgroup memory the kernel declares itself.
    pub static_threadgroup_bytes: u64,
    /// Full threadgroups that it hands over are for code for [`Groups::Whole`], not for any size.
    pub has_whole: bool,
    /// The code was made quickly, as was asked for.
    pub is_quick: bool,
    /// There are no loops in it.
    pub is_brief: bool,
    /// The object file, for a cache.
    pub object: Vec<u8>,
    /// Indexed by the fault record's `site`.
    pub sites: Vec<FaultSite>,
    pub stats: CompileStats,
}

/// What LLVM does with all code, before products are fused with sums ([`fuse`]).
const FIRST_PASSES: &str = "function(sroa<modify-cfg>,early-cse,simplifycfg)";
/// What LLVM does then with the vector code, where it is to be good. No vectorizers: the code is vectors already.
/// Redundant loads and checks go first, then loops are rotated and what does not change leaves them.
const PASSES: &str = "function(early-cse<memssa>,simplifycfg,\
instcombine<no-verify-fixpoint;max-iterations=1>,\
loop-mssa(loop-rotate<header-duplication;no-prepare-for-lto>,licm<allowspeculation>),\
loop-unroll<O2>,early-cse<memssa>,adce,simplifycfg)";

/// The name of the entry function in every object.
const SYMBOL: &str = "metallic_kernel";

impl CompiledKernel {
    pub fn entry(&self) -> EntryFn {
        // SAFETY: the object defines the symbol with this signature (see `emit_kernel`); the code
        // outlives `self` only if the caller breaks the contract of the pointer's use.
        unsafe { std::mem::transmute::<usize, EntryFn>(self.loaded.entry()) }
    }

    /// Bytes of scratch memory a worker needs, given the lengths of host-sized threadgroup memory.
    pub fn scratch_size(&self, dynamic_threadgroup: &[u64]) -> u64 {
        self.fixed_scratch
            + dynamic_threadgroup.iter().map(|n| n.next_multiple_of(16) + HOST_SLACK).sum::<u64>()
            + READ_SLACK
    }

    /// The part of [`scratch_size`](Self::scratch_size) that does not depend on the dispatch.
    pub fn fixed_scratch(&self) -> u64 {
        self.fixed_scratch
    }

    /// Loads a kernel from a cache: what an earlier [`CpuCompiler::compile`] on this machine gave.
    pub fn from_object(
        object: Vec<u8>,
        fixed_scratch: u64,
        static_threadgroup_bytes: u64,
        [has_whole, is_quick, is_brief]: [bool; 3],
        sites: Vec<FaultSite>,
    ) -> Result<CompiledKernel, CodegenError> {
        let loaded = LoadedObject::load(&object, SYMBOL)?;
        let stats = CompileStats::default();
        Ok(CompiledKernel {
            loaded,
            fixed_scratch,
            static_threadgroup_bytes,
            has_whole,
            is_quick,
            is_brief,
            object,
            sites,
            stats,
        })
    }
}

/// Compiles kernels for one CPU.
#[derive(Clone, Debug, Default)]
pub struct CpuCompiler {
    options: TargetOptions,
}

impl CpuCompiler {
    pub fn new(options: TargetOptions) -> CpuCompiler {
        CpuCompiler { options }
    }

    /// Names the CPU and features that code is made for, as part of a cache key.
    pub fn target_key(&self) -> Result<String, CodegenError> {
        let _inside = gate::enter()?;
        let t = Lease::new(&self.options, false)?;
        Ok(format!("{} {} {}", t.triple, t.cpu, t.features))
    }

    pub fn compile(
        &self,
        module: &Module,
        entry: &str,
        options: &CompileOptions,
    ) -> Result<CompiledKernel, CodegenError> {
        let _inside = gate::enter()?;
        let (ll, target, body, mut stats) = self.build(module, entry, options, true, Watch::default())?;
        let t = Instant::now();
        let object = target.emit(&ll, false)?;
        if stats.is_quick && ll.has_large_frame() {
            drop(ll);
            return self.compile(module, entry, &CompileOptions { quick: Quick::No, ..options.clone() });
        }
        stats.codegen_ms = ms(t);
        let t = Instant::now();
        let loaded = LoadedObject::load(&object, SYMBOL)?;
        stats.load_ms = ms(t);
        Ok(CompiledKernel {
            loaded,
            fixed_scratch: body.scratch,
            static_threadgroup_bytes: body.static_threadgroup,
            has_whole: body.has_whole,
            is_quick: stats.is_quick,
            is_brief: stats.is_brief,
            object,
            sites: body.sites,
            stats,
        })
    }

    /// Whether a kernel can be compiled: all errors but LLVM's own, for a fraction of the time.
    pub fn check(&self, module: &Module, entry: &str, options: &CompileOptions) -> Result<(), CodegenError> {
        let _inside = gate::enter()?;
        self.build(module, entry, options, false, Watch::default()).map(|_| ())
    }

    /// LLVM IR as text, before or after optimization.
    pub fn emit_llvm_ir(
        &self,
        module: &Module,
        entry: &str,
        options: &CompileOptions,
        optimized: bool,
    ) -> Result<String, CodegenError> {
        let _inside = gate::enter()?;
        let (ll, ..) = self.build(module, entry, options, optimized, Watch::default())?;
        Ok(ll.to_text())
    }

    /// Assembly text.
    pub fn emit_asm(&self, module: &Module, entry: &str, options: &CompileOptions) -> Result<String, CodegenError> {
        let _inside = gate::enter()?;
        let (ll, target, ..) = self.build(module, entry, options, true, Watch::default())?;
        let bytes = target.emit(&ll, true)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Assembly text, with the places in the source that instructions come from.
    pub fn emit_asm_lines(
        &self,
        module: &Module,
        entry: &str,
        options: &CompileOptions,
    ) -> Result<Vec<AsmLine>, CodegenError> {
        let _inside = gate::enter()?;
        let lines = Lines::default();
        let watch = Watch { lines: Some(&lines), remarks: None };
        let (ll, target, ..) = self.build(module, entry, options, true, watch)?;
        let bytes = target.emit(&ll, true)?;
        Ok(lines.split(&String::from_utf8_lossy(&bytes)))
    }

    /// What becomes of the kernel's lines, and why.
    pub fn explain(&self, module: &Module, entry: &str, options: &CompileOptions) -> Result<Explanation, CodegenError> {
        let _inside = gate::enter()?;
        let sink = Remarks::default();
        let (_, _, body, _) = self.build(module, entry, options, false, Watch { remarks: Some(&sink), lines: None })?;
        let point = module.entry_points.iter().find(|e| e.name == entry);
        if let Some(f) = point.map(|point| &module.functions[point.function]) {
            sink.say_what_became_of_loops(f);
        }
        Ok(sink.into_explanation(body.lanes, body.gang, body.gangs))
    }

    fn build(
        &self,
        module: &Module,
        entry: &str,
        options: &CompileOptions,
        optimize: bool,
        watch: Watch,
    ) -> Result<(Ll, Lease, Body, CompileStats), CodegenError> {
        let find = |m: &Module| m.entry_points.iter().find(|e| e.name == entry).cloned();
        let point: EntryPoint = find(module).ok_or_else(|| CodegenError::NoEntryPoint(entry.into()))?;
        let [x, y, z] = options.threadgroup;
        let threads = u64::from(x) * u64::from(y) * u64::from(z);
        if !(1..=1024).contains(&threads) {
            return Err(CodegenError::ThreadgroupSize(options.threadgroup));
        }
        let mut stats = CompileStats::default();
        let t = Instant::now();
        let prepared;
        let mut module = module;
        let mut point = point;
        if options.run_passes {
            let mut m = module.clone();
            let facts = pipeline::Facts {
                matrix_products: pipeline::MatrixProducts::Expanded,
                growth: Growth::Moderate,
                loads_for_shuffles: false,
                joins_accesses: true,
                threads_per_threadgroup: Some(options.threadgroup),
                // Some kernels have code for both kinds.
                full_threadgroups: false,
                threads_per_grid: None,
            };
            if !options.textures.is_empty() {
                // First: it leaves less to do for all that follows.
                assume_textures(&mut m, point.function, &options.textures);
            }
            pipeline::run(&mut m, point.function, pipeline::Options { facts, ..Default::default() }).map_err(|d| {
                CodegenError::Unsupported { id: "unsupported-kernel", message: d.message.clone(), span: Span::NONE }
            })?;
            prepared = m;
            module = &prepared;
            point = find(module).ok_or_else(|| CodegenError::NoEntryPoint(entry.into()))?;
        }
        let split;
        if has_switches_with_barriers(&module.functions[point.function]) {
            let mut m = module.clone();
            expand_switches(&mut m, point.function);
            split = m;
            module = &split;
        }
        stats.passes_ms = ms(t);
        let t = Instant::now();
        let function = &module.functions[point.function];
        stats.is_brief = is_brief(function);
        stats.is_quick = may_be_quick(function)
            && match options.quick {
                Quick::No => false,
                Quick::IfBrief => stats.is_brief,
                Quick::Always => true,
            };
        let target = Lease::new(&self.options, stats.is_quick)?;
        let mut ll = Ll::new(entry);
        ll.allowed_flags = CONTRACT | REORDER;
        target.prepare(&ll);
        let body = emit_kernel(&ll, &target, module, &point, options, SYMBOL, watch)?;
        (stats.gang, stats.gangs, stats.is_split) = (body.gang, body.gangs, body.is_split);
        stats.emit_ms = ms(t);
        if cfg!(debug_assertions) || std::env::var_os("METALLIC_VERIFY").is_some() {
            ll.verify().map_err(|e| CodegenError::Llvm(format!("{e}\n{}", ll.to_text())))?;
        }
        let t = Instant::now();
        if optimize {
            target.run_passes(&ll, FIRST_PASSES)?;
            fuse(&ll, target.has_fma);
            if !stats.is_quick {
                target.run_passes(&ll, PASSES)?;
            }
            if !target.has_mask_registers {
                ll.widen_mask_phis();
            }
            if target.has_avx512 && !stats.is_quick {
                ll.share_overlapping_loads();
            }
        }
        stats.optimize_ms = ms(t);
        Ok((ll, target, body, stats))
    }
}

/// Whether a thread is done soon, whatever code it runs.
fn is_brief(f: &Function) -> bool {
    const MOST: usize = 1000;
    f.insts.len() <= MOST && !any_inst(f, &f.body, &|_, op| matches!(op, Op::Loop { .. } | Op::Call { .. }))
}

/// Whether a kernel may have code made quickly. There each value that lives on has a place on the stack, so that there should
/// not be too many; and what takes seconds to make well would keep a process from ending. Only on x86 has the way
/// been tried on all our tests.
fn may_be_quick(f: &Function) -> bool {
    const MOST: usize = 20_000;
    cfg!(target_arch = "x86_64") && f.insts.len() <= MOST
}

fn ms(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

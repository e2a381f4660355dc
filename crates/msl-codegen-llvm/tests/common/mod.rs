//! Runs kernels given as IR text on the CPU and in the interpreter.
#![allow(dead_code)]

use std::sync::atomic::AtomicU32;

use msl_codegen_llvm::abi::{self, ArgumentSlot, FaultRecord, LaunchContext, find_no_range, ignore_log, record_fault};
use msl_codegen_llvm::{CompileOptions, CompiledKernel, CpuCompiler, Groups, Isa, Quick, TargetOptions};
use msl_ir::interp::{Argument, BufferRef, DispatchKind, Machine, Options};
use msl_ir::{Module, ParamKind, text};

/// One argument.
#[derive(Clone, Debug)]
pub enum Arg {
    Bytes(Vec<u8>),
    Threadgroup(u32),
}

pub fn f32s(v: &[f32]) -> Arg {
    Arg::Bytes(v.iter().flat_map(|x| x.to_le_bytes()).collect())
}
pub fn u32s(v: &[u32]) -> Arg {
    Arg::Bytes(v.iter().flat_map(|x| x.to_le_bytes()).collect())
}
pub fn bytes(v: &[u8]) -> Arg {
    Arg::Bytes(v.to_vec())
}
impl Arg {
    pub fn as_f32(&self) -> Vec<f32> {
        match self {
            Arg::Bytes(b) => b.chunks(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect(),
            Arg::Threadgroup(_) => Vec::new(),
        }
    }
    pub fn as_u32(&self) -> Vec<u32> {
        match self {
            Arg::Bytes(b) => b.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect(),
            Arg::Threadgroup(_) => Vec::new(),
        }
    }
    pub fn as_bytes(&self) -> Vec<u8> {
        match self {
            Arg::Bytes(b) => b.clone(),
            Arg::Threadgroup(_) => Vec::new(),
        }
    }
}

pub fn parse(source: &str) -> Module {
    match text::parse(source) {
        Ok(m) => m,
        Err(e) => panic!("{e:?}"),
    }
}

pub struct Outcome {
    pub args: Vec<Arg>,
    pub fault: Option<(u32, [u32; 3], u32, u64)>,
}

pub fn compile(source: &str, entry: &str, options: &CompileOptions) -> CompiledKernel {
    compile_for(Isa::Host, source, entry, options)
}

pub fn compile_for(isa: Isa, source: &str, entry: &str, options: &CompileOptions) -> CompiledKernel {
    let module = parse(source);
    match CpuCompiler::new(TargetOptions { isa }).compile(&module, entry, options) {
        Ok(k) => k,
        Err(e) => panic!("{e}"),
    }
}

/// Runs compiled code over a grid of threads.
pub fn launch(kernel: &CompiledKernel, grid: [u32; 3], threadgroup: [u32; 3], args: &[Arg]) -> Outcome {
    launch_with(kernel, grid, threadgroup, args, false)
}

/// `streams`: as for a dispatch larger than the caches.
pub fn launch_with(
    kernel: &CompiledKernel,
    grid: [u32; 3],
    threadgroup: [u32; 3],
    args: &[Arg],
    streams: bool,
) -> Outcome {
    let mut args = args.to_vec();
    let mut dynamic = Vec::new();
    // Aligned as the allocations of devices are.
    let mut memory: Vec<Vec<u8>> = Vec::new();
    let slots: Vec<ArgumentSlot> = args
        .iter()
        .map(|a| match a {
            Arg::Bytes(b) => {
                let mut m = vec![0; b.len() + 64];
                let start = m.as_ptr().align_offset(64);
                m[start..start + b.len()].copy_from_slice(b);
                let address = m[start..].as_mut_ptr() as u64;
                memory.push(m);
                ArgumentSlot { address, length: b.len() as u64 }
            }
            Arg::Threadgroup(n) => {
                dynamic.push(u64::from(*n));
                ArgumentSlot { address: 0, length: u64::from(*n) }
            }
        })
        .collect();
    let groups: [u32; 3] = std::array::from_fn(|i| grid[i].div_ceil(threadgroup[i]));
    let stop = AtomicU32::new(0);
    let fault = FaultRecord::default();
    let context = LaunchContext {
        arguments: slots.as_ptr(),
        grid_threads: grid,
        groups,
        threadgroup,
        flags: if streams { abi::STREAM } else { 0 },
        stop: &stop,
        fault: &fault,
        on_fault: record_fault,
        find_range: find_no_range,
        on_log: ignore_log,
        slow_paths: &raw const msl_codegen_llvm::slow_paths::SLOW_PATHS,
        edge: abi::unreachable_edge,
        user: std::ptr::null_mut(),
    };
    let size = kernel.scratch_size(&dynamic) as usize;
    let mut scratch = vec![0xa5u8; size + 64];
    let aligned = unsafe { scratch.as_mut_ptr().add(scratch.as_ptr().align_offset(64)) };
    let total = groups.iter().map(|g| u64::from(*g)).product();
    // SAFETY: the context is complete, the scratch large enough and aligned.
    unsafe { kernel.entry()(&raw const context, 0, total, aligned) };
    let mut written = memory.into_iter();
    for b in args.iter_mut().filter_map(|a| if let Arg::Bytes(b) = a { Some(b) } else { None }) {
        let m = written.next().unwrap();
        let start = m.as_ptr().align_offset(64);
        let n = b.len();
        b.copy_from_slice(&m[start..start + n]);
    }
    Outcome { args, fault: fault.get() }
}

pub fn interpret(source: &str, entry: &str, grid: [u32; 3], threadgroup: [u32; 3], args: &[Arg]) -> Vec<Arg> {
    interpret_with(source, entry, grid, threadgroup, args, 0).unwrap_or_else(|e| panic!("interpreter: {e}"))
}

/// `poison` fills memory that was never written.
pub fn interpret_with(
    source: &str,
    entry: &str,
    grid: [u32; 3],
    threadgroup: [u32; 3],
    args: &[Arg],
    poison: u8,
) -> Result<Vec<Arg>, String> {
    let module = parse(source);
    let mut args = args.to_vec();
    let point = module.entry_points.iter().find(|e| e.name == entry).unwrap();
    let mut machine = Machine::new(
        &module,
        entry,
        Options {
            poison: Some(poison),
            step_limit: Some(if cfg!(debug_assertions) { 2_000_000 } else { 20_000_000 }),
            ..Default::default()
        },
    )
    .unwrap();
    for (i, a) in args.iter_mut().enumerate() {
        let arg = match a {
            Arg::Bytes(b) if matches!(&point.params[i].kind, ParamKind::Buffer { is_constant: true, .. }) => {
                Argument::Bytes(b.clone())
            }
            Arg::Bytes(b) => Argument::Buffer(BufferRef::new(b)),
            Arg::Threadgroup(n) => Argument::Threadgroup(*n),
        };
        machine.bind(i, arg);
    }
    machine.dispatch(grid, threadgroup, DispatchKind::Threads).map_err(|f| f.to_string())?;
    drop(machine);
    Ok(args)
}

/// Compiles, runs on both, and checks that the results agree to the byte.
pub fn check(source: &str, entry: &str, grid: [u32; 3], threadgroup: [u32; 3], args: &[Arg]) -> Vec<Arg> {
    check_within(source, entry, grid, threadgroup, args, None)
}

/// Likewise, with floats allowed to differ by a relative error.
pub fn check_within(
    source: &str,
    entry: &str,
    grid: [u32; 3],
    threadgroup: [u32; 3],
    args: &[Arg],
    tolerance: Option<f32>,
) -> Vec<Arg> {
    let expected = interpret(source, entry, grid, threadgroup, args);
    let base = CompileOptions::new(threadgroup);
    let mut variants = vec![base.clone()];
    variants.push(CompileOptions { run_passes: false, noalias: false, ..base.clone() });
    for parts in [2, 4, 8] {
        variants.push(CompileOptions { parts: Some(parts), ..base.clone() });
    }
    // As code is made that is there at once, and that for the few threadgroups that others leave.
    variants.push(CompileOptions { quick: Quick::Always, ..base.clone() });
    variants.push(CompileOptions { quick: Quick::IfBrief, groups: Groups::Any, ..base.clone() });
    let mut last = Vec::new();
    let mut good = None;
    for (i, options) in variants.into_iter().enumerate() {
        let kernel = compile(source, entry, &options);
        let out = launch_with(&kernel, grid, threadgroup, args, i == 2);
        assert_eq!(out.fault, None, "{options:?} {:?}", kernel.sites);
        for (i, (a, b)) in out.args.iter().zip(&expected).enumerate() {
            match tolerance {
                None => {
                    let (x, y) = (a.as_bytes(), b.as_bytes());
                    if let Some(at) = (0..x.len()).find(|k| x[*k] != y[*k]) {
                        let w = at / 4 * 4;
                        panic!(
                            "argument {i} differs at byte {at}: {:?} instead of {:?}, {options:?}, gang {}",
                            &x[w..(w + 4).min(x.len())],
                            &y[w..(w + 4).min(x.len())],
                            kernel.stats.gang
                        );
                    }
                }
                Some(t) => {
                    for (k, (x, y)) in a.as_f32().iter().zip(b.as_f32()).enumerate() {
                        let ok = (x - y).abs() <= t * y.abs().max(1e-3) || (x.is_nan() && y.is_nan()) || *x == y;
                        assert!(ok, "argument {i}[{k}]: {x} instead of {y}, {options:?}");
                    }
                }
            }
        }
        // Where floats may be rounded in several ways, too: code that is made quickly may start what other code ends.
        let good = good.get_or_insert_with(|| out.args.clone());
        if options == (CompileOptions { quick: Quick::Always, ..base.clone() }) {
            let differs = out.args.iter().zip(good).any(|(a, b)| a.as_bytes() != b.as_bytes());
            assert!(!differs, "code that is made quickly rounds in another way");
        }
        last = out.args;
    }
    last
}

//! Times kernels given as IR text (what `metallic emit --stage ir` prints) on all cores:
//! `bench DIRECTORY [kernel…]`. One line per kernel: rate, compile times, gang. Not a test.
//! With `THREADS=1` times are of the processor, not the clock, for noisy machines. `GROUP=X,Y,Z` sets the
//! threadgroup, `PARTS=N` the gang, `EDGES=1` allows smaller threadgroups at the edges,
//! `ISA=avx2` restricts the instructions.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use msl_codegen_llvm::abi::{ArgumentSlot, FaultRecord, LaunchContext, find_no_range, ignore_log, record_fault};
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

struct Case {
    name: &'static str,
    grid: [u32; 3],
    threadgroup: [u32; 3],
    /// Sizes in bytes of buffers, or words.
    args: Vec<Arg>,
    work: f64,
    unit: &'static str,
    /// Threadgroups per chunk of work.
    chunk: u64,
}

enum Arg {
    Floats(usize),
    Bytes(usize),
    Words(Vec<u32>),
}

fn main() {
    let argv: Vec<String> = std::env::args().collect();
    let (n, m) = (1usize << 24, 1024usize);
    let e = 1e9;
    let side: u32 = std::env::var("SIDE").ok().and_then(|s| s.parse().ok()).unwrap_or(2048);
    let cases = vec![
        Case {
            name: "vector_add",
            grid: [n as u32, 1, 1],
            threadgroup: [1024, 1, 1],
            args: vec![Arg::Floats(n), Arg::Floats(n), Arg::Floats(n)],
            work: 12.0 * n as f64 / e,
            unit: "GB/s",
            chunk: 64,
        },
        Case {
            name: "matmul_naive",
            grid: [1024, 1024, 1],
            threadgroup: [16, 16, 1],
            args: vec![Arg::Floats(m * m), Arg::Floats(m * m), Arg::Floats(m * m), Arg::Words(vec![1024])],
            work: 2.0 * (m * m * m) as f64 / e,
            unit: "GFLOP/s",
            chunk: 16,
        },
        Case {
            name: "matrix_multiply",
            grid: [1024, 1024, 1],
            threadgroup: [32, 8, 1],
            args: vec![
                Arg::Floats(m * m),
                Arg::Floats(m * m),
                Arg::Floats(m * m),
                Arg::Words(vec![1024]),
                Arg::Words(vec![1024]),
                Arg::Words(vec![1024]),
            ],
            work: 2.0 * (m * m * m) as f64 / e,
            unit: "GFLOP/s",
            chunk: 16,
        },
        Case {
            name: "matmul_tiled",
            grid: [1024, 1024, 1],
            threadgroup: [16, 16, 1],
            args: vec![Arg::Floats(m * m), Arg::Floats(m * m), Arg::Floats(m * m), Arg::Words(vec![1024])],
            work: 2.0 * (m * m * m) as f64 / e,
            unit: "GFLOP/s",
            chunk: 16,
        },
        Case {
            name: "mandelbrot",
            grid: [2048, 2048, 1],
            threadgroup: [32, 8, 1],
            args: vec![Arg::Floats(2048 * 2048), Arg::Words(vec![2048, 2048, 256, 0])],
            work: 2048.0 * 2048.0 / 1e6,
            unit: "Mpixel/s",
            chunk: 16,
        },
        Case {
            name: "reduce",
            grid: [n as u32, 1, 1],
            threadgroup: [256, 1, 1],
            args: vec![Arg::Floats(n), Arg::Floats(n / 256)],
            work: 4.0 * n as f64 / e,
            unit: "GB/s",
            chunk: 64,
        },
        Case {
            name: "nbody",
            grid: [4096, 1, 1],
            threadgroup: [256, 1, 1],
            args: vec![
                Arg::Floats(4 * 4096),
                Arg::Floats(4 * 4096),
                Arg::Words(vec![4096]),
                Arg::Words(vec![0.001f32.to_bits()]),
            ],
            work: 4096.0 * 4096.0 / e,
            unit: "Ginter/s",
            chunk: 1,
        },
        Case {
            name: "life",
            grid: [4096, 4096, 1],
            threadgroup: [32, 8, 1],
            args: vec![Arg::Bytes(1 << 24), Arg::Bytes(1 << 24), Arg::Words(vec![4096])],
            work: 4096.0 * 4096.0 / 1e6,
            unit: "Mcell/s",
            chunk: 64,
        },
        Case {
            name: "jacobi",
            grid: [side, side, 1],
            threadgroup: [32, 8, 1],
            args: vec![Arg::Floats(1 << 22), Arg::Floats(1 << 22), Arg::Words(vec![side])],
            work: 8.0 * f64::from(side * side) / e,
            unit: "GB/s",
            chunk: 64,
        },
    ];
    let threads: usize = std::env::var("THREADS").ok().and_then(|s| s.parse().ok()).unwrap_or(2);
    for mut case in cases {
        if let Ok(size) = std::env::var("GROUP") {
            let size: Vec<u32> = size.split(',').map(|x| x.parse().expect("a number")).collect();
            case.threadgroup = [size[0], size[1], size[2]];
        }
        if argv.len() > 2 && !argv[2..].iter().any(|a| a == case.name) {
            continue;
        }
        let Ok(source) = std::fs::read_to_string(format!("{}/{}.ir", argv[1], case.name)) else { continue };
        let module = msl_ir::text::parse(&source).expect("IR text");
        let mut options = CompileOptions::new(case.threadgroup);
        options.parts = std::env::var("PARTS").ok().and_then(|s| s.parse().ok());
        options.groups = if std::env::var_os("EDGES").is_some() { Groups::All } else { Groups::Full };
        let isa = Isa::restricted(&std::env::var("ISA").unwrap_or_default()).expect("an instruction set");
        let compiler = CpuCompiler::new(TargetOptions { isa });
        let mut kernel = compiler.compile(&module, case.name, &options).expect("compiles");
        let mut best = f64::MAX;
        for _ in 0..5 {
            let t = cpu_nanoseconds();
            kernel = compiler.compile(&module, case.name, &options).expect("compiles");
            best = best.min((cpu_nanoseconds() - t) as f64 * 1e-6);
        }
        let mut buffers: Vec<Vec<u32>> = case
            .args
            .iter()
            .map(|a| match a {
                Arg::Floats(n) => (0..*n).map(|i| ((i * 7919 % 1000) as f32 * 1e-3).to_bits()).collect(),
                Arg::Bytes(n) => {
                    (0..*n / 4).map(|i| (i as u32).wrapping_mul(2_654_435_761) >> 7 & 0x0101_0101).collect()
                }
                Arg::Words(w) => w.clone(),
            })
            .collect();
        let slots: Vec<ArgumentSlot> = buffers
            .iter_mut()
            .map(|b| {
                // Where devices put large buffers.
                let length = b.len() * 4;
                b.resize(b.len() + 1024, 0);
                let at = b.as_ptr().cast::<u8>().align_offset(4096);
                b.copy_within(..length / 4, at / 4);
                ArgumentSlot { address: b.as_mut_ptr() as u64 + at as u64, length: length as u64 }
            })
            .collect();
        let groups: [u32; 3] = std::array::from_fn(|i| case.grid[i].div_ceil(case.threadgroup[i]));
        let total: u64 = groups.iter().map(|g| u64::from(*g)).product();
        let stop = AtomicU32::new(0);
        let fault = FaultRecord::default();
        let context = LaunchContext {
            arguments: slots.as_ptr(),
            grid_threads: case.grid,
            groups,
            threadgroup: case.threadgroup,
            flags: u32::from(std::env::var_os("STREAM").is_some()),
            stop: &stop,
            fault: &fault,
            on_fault: record_fault,
            find_range: find_no_range,
            on_log: ignore_log,
            slow_paths: &raw const msl_codegen_llvm::slow_paths::SLOW_PATHS,
            edge: msl_codegen_llvm::abi::unreachable_edge,
            user: std::ptr::null_mut(),
        };
        let size = kernel.scratch_size(&[]) as usize + 64;
        let address = &raw const context as usize;
        let mut times = Vec::new();
        let start = Instant::now();
        while times.len() < 9 || (start.elapsed().as_secs_f64() < 1.0 && times.len() < 100) {
            let next = AtomicU64::new(0);
            let t = Instant::now();
            let busy = AtomicU64::new(0);
            std::thread::scope(|s| {
                for _ in 0..threads {
                    s.spawn(|| {
                        let before = cpu_nanoseconds();
                        let mut scratch = vec![0u64; size / 8 + 16];
                        let aligned =
                            // SAFETY: the vector is larger than the offset.
                            unsafe { scratch.as_mut_ptr().cast::<u8>().add(scratch.as_ptr().cast::<u8>().align_offset(64)) };
                        loop {
                            let first = next.fetch_add(case.chunk, Ordering::Relaxed);
                            if first >= total {
                                break;
                            }
                            // SAFETY: the context outlives the scope; scratch is large and aligned.
                            unsafe { kernel.entry()(address as *const LaunchContext, first, (first + case.chunk).min(total), aligned) };
                        }
                        busy.fetch_add(cpu_nanoseconds() - before, Ordering::Relaxed);
                    });
                }
            });
            let clock = t.elapsed().as_secs_f64();
            times.push(if threads == 1 { busy.into_inner() as f64 * 1e-9 } else { clock });
        }
        times.sort_by(f64::total_cmp);
        let s = &kernel.stats;
        println!(
            "{:14} {:9.2} {:9} best {:9.2}  compile {best:5.1} ms (passes {:.1} emit {:.1} opt {:.1} codegen {:.1} load {:.1})  gang {} x {}{}  {:?}",
            case.name,
            case.work / times[times.len() / 2],
            case.unit,
            case.work / times[0],
            s.passes_ms,
            s.emit_ms,
            s.optimize_ms,
            s.codegen_ms,
            s.load_ms,
            s.gang,
            s.gangs,
            if s.is_split { " split" } else { "" },
            fault.get(),
        );
    }
}

/// Time this thread has run.
fn cpu_nanoseconds() -> u64 {
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
    }
    let mut t = [0i64; 2];
    // SAFETY: `t` has the layout of a `timespec` on 64-bit Linux; clock 3 is this thread's.
    unsafe { clock_gettime(3, &raw mut t) };
    t[0] as u64 * 1_000_000_000 + t[1] as u64
}

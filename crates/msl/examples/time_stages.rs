//! Says what each stage of the front end costs, in milliseconds of processor time (the least of several runs):
//! `cargo run --release -p msl --example time_stages -- [--rounds N] [FILE [KERNEL…]]`.
//!
//! Without a file: all kernels of the package. Function constants are `false` or 2. Times of threads that a stage starts are included. Run it twice,
//! interleaved with the other build, before believing a difference.

use std::path::{Path, PathBuf};

use msl::{CompileOptions, ConstantValue, FileProvider, FunctionConstantValues, IncludedFile, Library};
use msl_ir::passes::pipeline;

/// Files beside the includer.
struct Files;

impl FileProvider for Files {
    fn read(&self, path: &str, includer: &str, _system: bool) -> Result<Option<IncludedFile>, String> {
        let folder = Path::new(includer).parent().unwrap_or(Path::new(""));
        let places = [folder.join(path), folder.join("..").join(path), folder.join("../..").join(path)];
        let Some(full) = places.into_iter().find(|p| p.is_file()) else { return Ok(None) };
        let text = std::fs::read_to_string(&full).map_err(|e| e.to_string())?;
        Ok(Some(IncludedFile { name: full.to_string_lossy().into_owned(), text: text.into() }))
    }
}

/// The time this process has spent on processors, in milliseconds.
#[cfg(unix)]
fn now() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec that the call fills in; the clock exists on every Unix.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

#[cfg(not(unix))]
fn now() -> f64 {
    use std::sync::LazyLock;
    use std::time::Instant;
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64() * 1e3
}

/// Runs `f` and keeps the smaller of its time and `least`.
fn timed<R>(least: &mut f64, f: impl FnOnce() -> R) -> R {
    let start = now();
    let result = f();
    *least = least.min(now() - start);
    result
}

#[derive(Clone, Copy)]
struct Stages {
    open: f64,
    preprocess: f64,
    parse: f64,
    declare: f64,
    check: f64,
    lower: f64,
    passes: f64,
}

const NEVER: f64 = f64::INFINITY;
const UNKNOWN: Stages =
    Stages { open: NEVER, preprocess: NEVER, parse: NEVER, declare: NEVER, check: NEVER, lower: NEVER, passes: NEVER };

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let mut rounds = 20;
    if args.first().is_some_and(|a| a == "--rounds") {
        rounds = args.get(1).ok_or("--rounds N")?.parse()?;
        args.drain(..2);
    }
    let start = now();
    msl::prelude_time()?;
    println!("prelude {:.2}", now() - start);
    println!(
        "{:44} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7} {:>6}",
        "kernel", "open", "prep", "parse", "declare", "check", "lower", "passes", "sum", "insts"
    );
    if let [file, wanted @ ..] = &args[..] {
        return measure(Path::new(file), wanted, rounds);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../python/pymetallic/kernels");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "metal"));
    files.sort();
    for file in files {
        measure(&file, &[], rounds)?;
    }
    Ok(())
}

fn measure(file: &Path, wanted: &[String], rounds: usize) -> Result<(), Box<dyn std::error::Error>> {
    let source = std::fs::read_to_string(file)?;
    let name = file.to_string_lossy().into_owned();
    let options = CompileOptions::default();
    let mut common = UNKNOWN;
    let mut library = None;
    for _ in 0..rounds {
        let opened = timed(&mut common.open, || Library::open(&name, &source, &options, &Files))?;
        let times = opened.times();
        common.preprocess = common.preprocess.min(times.preprocess.as_secs_f64() * 1e3);
        common.parse = common.parse.min(times.parse.as_secs_f64() * 1e3);
        common.declare = common.declare.min(times.declare.as_secs_f64() * 1e3);
        library = Some(opened);
    }
    let Some(library) = library else { return Ok(()) };
    let mut constants = FunctionConstantValues::default();
    for constant in library.function_constants() {
        let bits = if constant.scalar == msl_ir::Scalar::Bool { 0 } else { 2 };
        let value = ConstantValue { scalar: constant.scalar, len: constant.len, bits: [bits; 4] };
        constants.set_index(constant.index, value);
    }
    let entries = library.entry_points();
    println!("{name}: {} kernels, open {:.2}", entries.len(), common.open);
    for entry in entries.iter().filter(|e| wanted.is_empty() || wanted.contains(e)) {
        let mut s = common;
        let mut insts = 0;
        for _ in 0..rounds {
            let checked = timed(&mut s.check, || library.check(entry, &constants));
            let Ok((program, _)) = checked else {
                println!("{entry:44} does not compile");
                break;
            };
            let Ok(mut module) = timed(&mut s.lower, || msl_lower::lower(&program)) else {
                println!("{entry:44} cannot be lowered");
                break;
            };
            let function = module.entry_points[0].function;
            timed(&mut s.passes, || pipeline::run(&mut module, function, pipeline::Options::default()))
                .map_err(|d| d.message.clone())?;
            insts = module.functions[function].insts.len();
        }
        println!(
            "{entry:44} {:7.2} {:7.2} {:7.2} {:7.2} {:7.2} {:7.2} {:7.2} {:7.2} {insts:6}",
            s.open,
            s.preprocess,
            s.parse,
            s.declare,
            s.check,
            s.lower,
            s.passes,
            s.open + s.check + s.lower + s.passes
        );
    }
    Ok(())
}

//! Random programs in MSL: what the CPU device computes is, bit for bit, what the interpreter computes.
//!
//! A seed gives a program ([`program`]) that Metal defines completely: it ends, has no races, stays in bounds, never
//! looks at the bits of a NaN. It is compiled with strict math. The interpreter runs the IR as lowering leaves it, so
//! that the passes are under test, too; the CPU device runs what it always runs, with all vector instructions of the
//! machine and with fewer. Some programs are also run with the search for races and with other poison, to hold the
//! generator to its promise.
//!
//! `METALLIC_RANDOM_SECONDS` says for how long (`make test-random`: an hour), `METALLIC_RANDOM_FIRST` from which seed,
//! `METALLIC_RANDOM_SEED` chooses one, and `METALLIC_RANDOM_DUMP` names a file to write its program to; with
//! `METALLIC_RANDOM_REDUCE` a program that differs is made shorter first. `METALLIC_RANDOM_DEVICE` (`cuda:0`) takes the
//! place of the CPU device.

mod expression;
mod program;
mod reduce;
mod statement;
mod types;

use std::sync::Arc;
use std::time::{Duration, Instant};

use metallic::{CompileOptions, Device, StorageMode};
use metallic_cpu::{CpuDevice, Start};
use msl_ir::interp::{Argument, BufferRef, DispatchKind, Machine, Options, RaceCheck};

use program::{INPUT_WORDS, Program, WORDS};
use types::Random;

/// Instructions of one program; far more than any needs.
const STEPS: u64 = 3_000_000;

/// What a program is given: input, output, atomic objects, parameters.
fn buffers(seed: u64, p: &Program) -> [Vec<u32>; 4] {
    let mut random = Random::new(seed ^ 0xabcdef);
    let threads = p.grid.threads();
    let input = (0..8 * threads + INPUT_WORDS)
        .map(|_| match random.below(6) {
            0 => random.below(40) as u32,
            1 => (random.below(2000) as f32 / 8.0 - 100.0).to_bits(),
            2 => random.pick(&[
                0x7f80_0000,
                0xff80_0000,
                0x7fc0_0000,
                1,
                0x8000_0000,
                u32::MAX,
                0x7f7f_ffff,
                0x3f80_0000,
            ]),
            3 => (random.below(9) as u32).wrapping_sub(4),
            // Two numbers of type `half`.
            4 => 0x3c00_4200 ^ (random.next() as u32 & 0x03ff_03ff),
            _ => random.next() as u32,
        })
        .collect();
    let atoms = (0..32u32).map(|k| k.wrapping_mul(0x0123_4567)).collect();
    let (r, n) = (&mut random, p.grid.n);
    let half = u32::from(half::f16::from_f32(r.below(100) as f32 / 16.0).to_bits());
    let short = r.next() as u32 & 0xffff;
    let (k, f) = (r.next() as u32, r.below(5000) as f32 / 64.0 - 20.0);
    let mut params = vec![n, k, f.to_bits(), half | short << 16];
    params.extend([r.next() as u32, r.below(8) as u32, r.below(300) as u32, 0x4049_0fdb]);
    params.extend([1.5f32.to_bits(), (-2.25f32).to_bits(), 1e-3f32.to_bits(), r.next() as u32]);
    [input, vec![0; threads * WORDS], atoms, params]
}

/// Output and atomic objects as the interpreter leaves them, from the IR as lowering leaves it.
fn interpret(source: &str, seed: u64, p: &Program, options: Options) -> Result<[Vec<u32>; 2], String> {
    let compile = msl::CompileOptions { math_mode: msl::MathMode::Safe, ..msl::CompileOptions::default() };
    let library = msl::Library::open("random.metal", source, &compile, &msl::NoFiles).map_err(|e| e.to_string())?;
    let module =
        library.compile_unoptimized("k", &msl::FunctionConstantValues::default()).map_err(|e| e.to_string())?;
    msl_ir::verify(&module).map_err(|errors| format!("malformed: {}", errors[0]))?;
    let [input, mut output, mut atoms, params] = buffers(seed, p);
    let mut machine = Machine::new(&module, "k", options).map_err(|e| e.to_string())?;
    machine.bind(0, Argument::Buffer(BufferRef::read_only(&input)));
    machine.bind(1, Argument::Buffer(BufferRef::of(&mut output)));
    machine.bind(2, Argument::Buffer(BufferRef::of(&mut atoms)));
    machine.bind(3, Argument::Buffer(BufferRef::read_only(&params)));
    let kind = if p.grid.is_threads { DispatchKind::Threads } else { DispatchKind::Threadgroups };
    machine.dispatch(p.grid.size, p.grid.threadgroup, kind).map_err(|fault| format!("{fault:?}"))?;
    drop(machine);
    Ok([output, atoms])
}

fn execute(device: &Device, source: &str, seed: u64, p: &Program) -> metallic::Result<[Vec<u32>; 2]> {
    let options = CompileOptions { fast_math_enabled: false, ..CompileOptions::default() };
    let function = device.make_library(source, &options)?.make_function("k")?;
    let pipeline = device.make_compute_pipeline_state(&function)?;
    let [input, output, atoms, params] = buffers(seed, p);
    let input = device.make_buffer_with_slice(&input)?;
    let atoms = device.make_buffer_with_slice(&atoms)?;
    let result = device.make_buffer(4 * output.len() as u64, StorageMode::Shared)?;
    let command_buffer = device.make_command_queue()?.make_command_buffer()?;
    let encoder = command_buffer.make_compute_command_encoder()?;
    encoder.set_compute_pipeline_state(&pipeline)?;
    for (index, buffer) in [&input, &result, &atoms].into_iter().enumerate() {
        encoder.set_buffer(buffer, 0, index as u32)?;
    }
    let bytes: Vec<u8> = params.iter().flat_map(|w| w.to_le_bytes()).collect();
    encoder.set_bytes(&bytes, 3)?;
    if p.grid.is_threads {
        encoder.dispatch_threads(p.grid.size, p.grid.threadgroup)?;
    } else {
        encoder.dispatch_threadgroups(p.grid.size, p.grid.threadgroup)?;
    }
    encoder.end_encoding()?;
    command_buffer.commit()?;
    command_buffer.wait_until_completed()?;
    Ok([result.to_vec()?, atoms.to_vec()?])
}

struct Devices(Vec<(String, Device)>);

impl Devices {
    fn open() -> Devices {
        if let Ok(id) = std::env::var("METALLIC_RANDOM_DEVICE") {
            let device = Device::all().into_iter().find(|device| device.id() == id);
            return Devices(vec![(id.clone(), device.unwrap_or_else(|| panic!("there is no device {id}")))]);
        }
        let open = |(name, start)| {
            let device = CpuDevice::with_start(2, name, start).ok()?;
            Some((format!("{name}, {start:?}"), Device::from_hal(Arc::new(device))))
        };
        // With code that is made well, and with code that takes over from what was made quickly.
        let starts = |name| [(name, Start::Well), (name, Start::QuicklyFor(1))];
        Devices(["host", "avx2", "sse4"].into_iter().flat_map(starts).filter_map(open).collect())
    }
    /// One for each program: half of them run with all instructions of the machine.
    fn of_seed(&self, seed: u64) -> usize {
        let others = (self.0.len() as u64 / 2).saturating_sub(1);
        let features = if seed.is_multiple_of(2) || others == 0 { 0 } else { 1 + (seed / 2 % others) as usize };
        (2 * features + (seed / 8 % 2) as usize).min(self.0.len() - 1)
    }
}

/// What a program is found guilty of.
enum Finding {
    /// The generator's mistake, or the interpreter's: it has no meaning to compare with.
    Invalid(String),
    Different(String),
}

fn examine(source: &str, seed: u64, p: &Program, devices: &Devices, d: usize) -> Option<Finding> {
    let options = Options { step_limit: Some(STEPS), ..Options::default() };
    let expected = match interpret(source, seed, p, options) {
        Ok(expected) => expected,
        Err(e) => return Some(Finding::Invalid(e)),
    };
    let (name, device) = &devices.0[d];
    let got = match execute(device, source, seed, p) {
        Ok(got) => got,
        Err(e) => return Some(Finding::Different(format!("{name}: {e}"))),
    };
    for (at, what, words) in [(0, "output", WORDS), (1, "atomics", 1)] {
        if let Some(i) = (0..got[at].len()).find(|&i| got[at][i] != expected[at][i]) {
            let (is, shall) = (got[at][i], expected[at][i]);
            let m = format!("{name}: {what} {} word {}: {is:#x} instead of {shall:#x}", i / words, i % words);
            return Some(Finding::Different(m));
        }
    }
    None
}

/// Whether the result depends on what is not defined.
fn is_well_defined(source: &str, seed: u64, p: &Program) -> Result<(), String> {
    let strict = Options {
        poison: Some(0xa5),
        races: RaceCheck::Threadgroup,
        step_limit: Some(4 * STEPS),
        ..Options::default()
    };
    let loose =
        Options { poison: Some(0x3c), races: RaceCheck::Off, step_limit: Some(4 * STEPS), ..Options::default() };
    let [a, b] = [interpret(source, seed, p, strict)?, interpret(source, seed, p, loose)?];
    if a == b { Ok(()) } else { Err("the result depends on uninitialized memory".into()) }
}

fn try_seed(seed: u64, devices: &Devices) {
    let p = program::program(seed);
    if let Some(d) = std::env::var_os("METALLIC_RANDOM_DUMP") {
        std::fs::write(d, &p.source).unwrap();
    }
    let d = devices.of_seed(seed);
    let Some(finding) = examine(&p.source, seed, &p, devices, d) else {
        if seed.is_multiple_of(16)
            && let Err(e) = is_well_defined(&p.source, seed, &p)
        {
            panic!("seed {seed} is not well defined: {e}\n{}\n{:?}", p.source, p.grid);
        }
        return;
    };
    match finding {
        Finding::Invalid(m) => panic!("seed {seed} has no meaning: {m}\n{}\n{:?}", p.source, p.grid),
        Finding::Different(m) => {
            let mut source = p.source.clone();
            if std::env::var_os("METALLIC_RANDOM_REDUCE").is_some() {
                source = reduce::reduce(&source, |text| {
                    matches!(examine(text, seed, &p, devices, d), Some(Finding::Different(..)))
                        && is_well_defined(text, seed, &p).is_ok()
                });
            }
            panic!("seed {seed}: {m}\n{source}\n{:?}", p.grid);
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn random_programs_compute_what_the_interpreter_computes() {
    let devices = Devices::open();
    if let Some(seed) = variable("METALLIC_RANDOM_SEED") {
        return try_seed(seed, &devices);
    }
    let first = variable("METALLIC_RANDOM_FIRST").unwrap_or(1);
    let seconds = variable("METALLIC_RANDOM_SECONDS").unwrap_or(5);
    let begin = Instant::now();
    let mut failures = Vec::new();
    let mut reported = 0;
    for seed in first.. {
        let elapsed = begin.elapsed();
        if elapsed >= Duration::from_secs(seconds) {
            println!("{} programs, seeds {first} to {}, in {elapsed:.0?}", seed - first, seed - 1);
            break;
        }
        if elapsed.as_secs() / 60 > reported {
            reported = elapsed.as_secs() / 60;
            println!("{reported} min: {} programs", seed - first);
        }
        // The last thing to be read where the process ends with a signal.
        eprintln!("seed {seed}");
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| try_seed(seed, &devices))).is_err() {
            failures.push(seed);
            if failures.len() >= 20 {
                break;
            }
        }
    }
    assert!(failures.is_empty(), "seeds {failures:?}");
}

#[test]
fn a_seed_gives_one_program() {
    assert_eq!(program::program(7).source, program::program(7).source);
    assert_ne!(program::program(7).source, program::program(8).source);
}

//! What it costs to get from MSL text to a kernel that has run once: the packaged kernels and the
//! tiled matrix multiplication of the benchmarks.
//!
//! `cargo run --release -p metallic --example compile [-- kernel…]`, from the root of the repository.
//! Columns: library, pipeline, first dispatch (small, so that it is compilation that shows) and their sum;
//! then the sum in time of the processor (all threads), and the sum when the disk cache has it all. Medians
//! in milliseconds. Every round has a source and a place in the cache of its own; a kernel that has
//! nothing to do with it was compiled before.

use std::time::Instant;

use metallic::{
    CommandQueue, CompileOptions, Device, ParamKind, PixelFormat, Result, StorageMode, TextureDescriptor, TextureUsage,
};

const ROUNDS: usize = 7;

const FILES: [&str; 6] = [
    "python/pymetallic/kernels/demo_kernels.metal",
    "python/pymetallic/kernels/linalg_kernels.metal",
    "python/pymetallic/kernels/helper_kernels.metal",
    "python/pymetallic/kernels/game_of_life.metal",
    "python/pymetallic/kernels/fluid_simulation.metal",
    "python/pymetallic/kernels/image_processing.metal",
];
/// Only the kernel, as somebody would have it in a file of its own.
const MATMUL: &str = "#include <metal_stdlib>\nusing namespace metal;\n";

const WARM_UP: &str = "kernel void other(device half* a, uint i [[thread_position_in_grid]]) { a[i] = a[i] * 2.0h; }";

fn main() -> Result<()> {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let read = |path: &str| {
        std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("run from the root of the repository: {path}: {error}"))
    };
    let mut cases = Vec::new();
    for path in FILES {
        let source = read(path);
        cases.extend(kernels(&source).into_iter().map(|name| (name, source.clone())));
    }
    let all = read("benches/kernels.metal");
    let from = all.find("kernel void matmul_tiled").expect("the kernel is there");
    let end = all[from..].find("\n}\n").expect("it ends") + from + 3;
    cases.push(("matmul_tiled".into(), format!("{MATMUL}{}", &all[from..end])));

    let directory = std::env::temp_dir().join(format!("metallic-compile-{}", std::process::id()));
    // SAFETY: no other thread has been started yet.
    unsafe { std::env::set_var("PYMETALLIC_CACHE_DIR", &directory) };
    let device = Device::by_name("cpu")?;
    let queue = device.make_command_queue()?;
    build(&device, &queue, WARM_UP, "other")?;
    println!(
        "{:26} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "", "library", "pipeline", "dispatch", "total", "cpu", "cached"
    );
    for (case, (name, source)) in cases.iter().enumerate() {
        if !only.is_empty() && !only.contains(name) {
            continue;
        }
        let mut rows = Vec::new();
        for round in 0..ROUNDS {
            // Other positions make it another program for the cache.
            let salted =
                format!("//{}\n{source}", "-".repeat(case * ROUNDS + round + std::process::id() as usize % 1000));
            let cpu = processor_time();
            let [library, pipeline, dispatch] = build(&device, &queue, &salted, name)?;
            let cpu = processor_time() - cpu;
            let cached: f64 = build(&device, &queue, &salted, name)?.iter().sum();
            rows.push([library, pipeline, dispatch, library + pipeline + dispatch, cpu, cached]);
        }
        let median = |column: usize| {
            let mut values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2] * 1e3
        };
        print!("{name:26}");
        (0..6).for_each(|column| print!(" {:8.1}", median(column)));
        println!();
    }
    let _ = std::fs::remove_dir_all(directory);
    Ok(())
}

fn kernels(source: &str) -> Vec<String> {
    let names = source.split("kernel void ").skip(1);
    names.filter_map(|rest| rest.split_once('(').map(|(name, _)| name.to_string())).collect()
}

/// Seconds for the library, the pipeline and the first dispatch.
fn build(device: &Device, queue: &CommandQueue, source: &str, name: &str) -> Result<[f64; 3]> {
    let start = Instant::now();
    let library = device.make_library(source, &CompileOptions::default())?;
    let library_time = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let pipeline = device.make_compute_pipeline_state(&library.make_function(name)?)?;
    let pipeline_time = start.elapsed().as_secs_f64();
    let command_buffer = queue.make_command_buffer()?;
    let encoder = command_buffer.make_compute_command_encoder()?;
    encoder.set_compute_pipeline_state(&pipeline)?;
    let words: Vec<u8> = [64u32; 64].iter().flat_map(|word| word.to_le_bytes()).collect();
    for param in pipeline.reflection() {
        match &param.kind {
            ParamKind::Buffer { is_constant: true, .. } => encoder.set_bytes(&words, param.index)?,
            ParamKind::Buffer { .. } => {
                encoder.set_buffer(&device.make_buffer(1 << 20, StorageMode::Shared)?, 0, param.index)?;
            }
            ParamKind::Texture { .. } => {
                let mut descriptor = TextureDescriptor::new_2d(PixelFormat::RGBA8Unorm, 64, 64, false);
                descriptor.usage = TextureUsage::READ_WRITE;
                encoder.set_texture(&device.make_texture(&descriptor)?, param.index)?;
            }
            ParamKind::Threadgroup { .. } => encoder.set_threadgroup_memory_length(1024, param.index)?,
            ParamKind::Sampler => {}
        }
    }
    let has_rows = source.split(&format!("void {name}(")).nth(1).and_then(|rest| rest.split_once('{'));
    if has_rows.is_some_and(|(head, _)| head.contains("uint2")) {
        encoder.dispatch_threads([64, 64, 1], [16, 16, 1])?;
    } else {
        encoder.dispatch_threads(4096, 256)?;
    }
    encoder.end_encoding()?;
    let start = Instant::now();
    command_buffer.commit()?;
    command_buffer.wait_until_completed()?;
    Ok([library_time, pipeline_time, start.elapsed().as_secs_f64()])
}

/// Seconds of processor time that all threads of the process took.
#[cfg(target_os = "linux")]
fn processor_time() -> f64 {
    let stat = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = stat.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    nanoseconds.sum::<u64>() as f64 * 1e-9
}

#[cfg(not(target_os = "linux"))]
fn processor_time() -> f64 {
    0.0
}

//! What a device reaches on three simple kernels over private buffers: launches, memory, arithmetic.
//!
//! `cargo run --release -p metallic --example throughput -- cuda:0`

use std::time::Instant;

use metallic::*;

const SOURCE: &str = r"
#include <metal_stdlib>
using namespace metal;

kernel void nothing(device float* a [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    if (i == 0) a[0] = 1.0f;
}

kernel void add(device const float4* a [[buffer(0)]], device const float4* b [[buffer(1)]],
                device float4* out [[buffer(2)]], uint i [[thread_position_in_grid]]) {
    out[i] = a[i] + b[i];
}

kernel void matmul(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                   device float* out [[buffer(2)]], constant uint& n [[buffer(3)]],
                   uint2 gid [[thread_position_in_grid]], uint2 tid [[thread_position_in_threadgroup]]) {
    threadgroup float ta[16][16];
    threadgroup float tb[16][16];
    float sum = 0.0f;
    for (uint k = 0; k < n; k += 16) {
        ta[tid.y][tid.x] = a[gid.y * n + k + tid.x];
        tb[tid.y][tid.x] = b[(k + tid.y) * n + gid.x];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint j = 0; j < 16; j++) sum += ta[tid.y][j] * tb[j][tid.x];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    out[gid.y * n + gid.x] = sum;
}
";

/// Seconds for one of `count` dispatches in one command buffer: the best of five.
fn measure(device: &Device, name: &str, count: u32, encode: impl Fn(&ComputeCommandEncoder)) -> Result<f64> {
    let library = device.make_library(SOURCE, &CompileOptions::default())?;
    let pipeline = device.make_compute_pipeline_state(&library.make_function(name)?)?;
    let queue = device.make_command_queue()?;
    let mut best = f64::INFINITY;
    for _ in 0..6 {
        let start = Instant::now();
        let command_buffer = queue.make_command_buffer()?;
        let encoder = command_buffer.make_compute_command_encoder()?;
        encoder.set_compute_pipeline_state(&pipeline)?;
        for _ in 0..count {
            encode(&encoder);
        }
        encoder.end_encoding()?;
        command_buffer.commit()?;
        command_buffer.wait_until_completed()?;
        best = best.min(start.elapsed().as_secs_f64() / f64::from(count));
    }
    Ok(best)
}

fn main() -> Result<()> {
    let device = match std::env::args().nth(1) {
        Some(name) => Device::by_name(&name)?,
        None => Device::system_default()?,
    };
    println!("{} ({})", device.name(), device.id());
    let buffer = |bytes: u64| device.make_buffer(bytes, StorageMode::Private);

    let one = buffer(4)?;
    for count in [1, 1000] {
        let seconds = measure(&device, "nothing", count, |e| {
            e.set_buffer(&one, 0, 0).expect("a buffer");
            e.dispatch_threads(32, 32).expect("a dispatch");
        })?;
        println!("launch, {count} in a command buffer: {:.2} us", seconds * 1e6);
    }

    let n = 1u32 << 24;
    let (a, b, out) = (buffer(u64::from(n) * 16)?, buffer(u64::from(n) * 16)?, buffer(u64::from(n) * 16)?);
    let seconds = measure(&device, "add", 20, |e| {
        for (i, x) in [&a, &b, &out].into_iter().enumerate() {
            e.set_buffer(x, 0, i as u32).expect("a buffer");
        }
        e.dispatch_threads(n, 256).expect("a dispatch");
    })?;
    println!("add, 3 x 256 MiB: {:.0} GB/s", f64::from(n) * 48.0 / seconds * 1e-9);

    let n = 4096u32;
    let seconds = measure(&device, "matmul", 5, |e| {
        for (i, x) in [&a, &b, &out].into_iter().enumerate() {
            e.set_buffer(x, 0, i as u32).expect("a buffer");
        }
        e.set_bytes(&n.to_le_bytes(), 3).expect("a number");
        e.dispatch_threads((n, n, 1), (16, 16, 1)).expect("a dispatch");
    })?;
    println!("tiled matmul, {n}: {:.0} GFLOP/s", 2.0 * f64::from(n).powi(3) / seconds * 1e-9);
    Ok(())
}

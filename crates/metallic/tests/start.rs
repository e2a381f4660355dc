//! Kernels start with code that was made quickly, and other code takes over in the middle of a dispatch: nobody can tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metallic::{CompileOptions, Device, StorageMode};
use metallic_cpu::{CpuDevice, Start};

fn cpu(start: Start) -> Device {
    Device::from_hal(Arc::new(CpuDevice::with_start(2, "", start).unwrap()))
}

const STARTS: [Start; 5] =
    [Start::Well, Start::OnlyQuickly, Start::QuicklyFor(1), Start::QuicklyFor(5), Start::Quickly];

/// Loops, barriers, edges, guards that some threads of a threadgroup pass, sums of products, what fast mode is free to
/// reorder, divisions, roots and functions of the library.
const SOURCE: &str = r#"
#include <metal_stdlib>
using namespace metal;
kernel void walk(device const float* a [[buffer(0)]], device float* out [[buffer(1)]], constant uint4& n [[buffer(2)]],
                 uint2 p [[thread_position_in_grid]], uint2 grid [[threads_per_grid]],
                 uint t [[thread_index_in_threadgroup]]) {
    threadgroup float tile[128];
    float x = a[(p.y * 31 + p.x) % n.z];
    // Threadgroups at the edge have few threads.
    if (t == 0) for (uint k = 0; k < 16; k++) tile[k] = float(k);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    tile[t] = x * 0.75f - 1.0f;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (p.x >= n.x || p.y >= n.y) return;
    float sum = 0.0f, other = 1.0f;
    for (uint k = 0; k < 20 + (p.x & 3); k++) {
        float y = a[(p.x * 7 + k * p.y) % n.z];
        sum += x * y - tile[(t ^ k) & 15] * 0.3f;
        other = other * 0.5f + x * y + y * 2.0f - (x * 3.0f) * 0.1f;
        if (sum > 40.0f) sum = x - sum * y;
    }
    out[p.y * grid.x + p.x] = sum / (fabs(other) + 0.5f) + rsqrt(fabs(sum) + 1.0f) + exp(-fabs(other)) * sin(x)
        + sqrt(fabs(x)) + max(sum, other) * 0.0f;
}
kernel void reduce(device const float* a [[buffer(0)]], device float* out [[buffer(1)]], constant uint4& n [[buffer(2)]],
                   uint2 p [[thread_position_in_grid]], uint2 grid [[threads_per_grid]],
                   uint t [[thread_index_in_threadgroup]]) {
    uint i = p.y * grid.x + p.x;
    float2 v = float2(a[i % n.z], a[(i * 3 + 1) % n.z]);
    float4 w = float4(v, v * v.x - v.y);
    float s = simd_sum(dot(w, w.wzyx)) + length(v) + fma(v.x, v.y, 1.0f);
    out[i] = s * s * s - v.x * v.y / (s + 3.0f) + float(half(v.x) * half(v.y) + half(s));
}
"#;

fn run(device: &Device, name: &str, is_fast: bool, grid: [u32; 2], group: [u32; 2], size: [u32; 2]) -> Vec<u32> {
    let options = CompileOptions { fast_math_enabled: is_fast, ..CompileOptions::default() };
    let library = device.make_library(SOURCE, &options).unwrap();
    let pipeline = device.make_compute_pipeline_state(&library.make_function(name).unwrap()).unwrap();
    const LENGTH: u32 = 997;
    let data: Vec<f32> = (0..LENGTH).map(|i| (i * 7919 % 1000) as f32 * 0.0037 - 1.6).collect();
    let input = device.make_buffer_with_slice(&data).unwrap();
    let out = device.make_buffer(u64::from(grid[0] * grid[1]) * 4, StorageMode::Shared).unwrap();
    let command_buffer = device.make_command_queue().unwrap().make_command_buffer().unwrap();
    let encoder = command_buffer.make_compute_command_encoder().unwrap();
    encoder.set_compute_pipeline_state(&pipeline).unwrap();
    encoder.set_buffer(&input, 0, 0).unwrap();
    encoder.set_buffer(&out, 0, 1).unwrap();
    encoder.set_bytes(&[size[0], size[1], LENGTH, 0].map(u32::to_le_bytes).concat(), 2).unwrap();
    encoder.dispatch_threads([grid[0], grid[1], 1], [group[0], group[1], 1]).unwrap();
    encoder.end_encoding().unwrap();
    command_buffer.commit().unwrap();
    command_buffer.wait_until_completed().unwrap();
    out.to_vec().unwrap()
}

const CASES: [([u32; 2], [u32; 2], [u32; 2]); 4] = [
    ([128, 32], [32, 4], [200, 200]),
    ([100, 30], [16, 8], [90, 21]),
    ([70, 9], [8, 4], [70, 9]),
    ([640, 3], [64, 1], [500, 3]),
];

#[test]
fn code_may_change_in_the_middle_of_a_dispatch() {
    let interp = Device::by_name("interp").unwrap();
    for start in STARTS {
        let device = cpu(start);
        for (grid, group, size) in CASES {
            for name in ["walk", "reduce"] {
                let expected = run(&interp, name, false, grid, group, size);
                let got = run(&device, name, false, grid, group, size);
                assert_eq!(got, expected, "{name} {start:?} {grid:?} {group:?}");
            }
        }
    }
    // Nothing is to be made when the process ends.
    metallic::hal::process::exit();
}

#[test]
fn fast_math_rounds_alike_in_all_code() {
    // With instructions that fuse products with sums and without.
    for features in ["host", "avx2", "sse4"] {
        let Ok(well) = CpuDevice::with_start(2, features, Start::Well) else { continue };
        fast_math_rounds_alike_on(features, &Device::from_hal(Arc::new(well)));
    }
    metallic::hal::process::exit();
}

fn fast_math_rounds_alike_on(features: &str, well: &Device) {
    for start in STARTS {
        let device = Device::from_hal(Arc::new(CpuDevice::with_start(2, features, start).unwrap()));
        for (grid, group, size) in CASES {
            for name in ["walk", "reduce"] {
                let expected = run(well, name, true, grid, group, size);
                let got = run(&device, name, true, grid, group, size);
                let differs = (0..got.len()).find(|&i| got[i] != expected[i]);
                let differs = differs.map(|i| (i, f32::from_bits(got[i]), f32::from_bits(expected[i])));
                assert_eq!(differs, None, "{features} {name} {start:?} {grid:?} {group:?}");
            }
        }
    }
}

/// Many pipelines whose code is still being made when the process ends.
#[test]
fn a_process_ends_while_code_is_made() {
    const CHILD: &str = "METALLIC_TEST_ENDS";
    if std::env::var_os(CHILD).is_some() {
        let device = cpu(Start::Quickly);
        for i in 0..20 {
            let source = format!("//{}\n{SOURCE}", "-".repeat(i));
            let library = device.make_library(&source, &CompileOptions::default()).unwrap();
            let pipeline = device.make_compute_pipeline_state(&library.make_function("walk").unwrap()).unwrap();
            std::mem::forget(pipeline);
        }
        run(&device, "walk", true, [64, 8], [32, 4], [64, 8]);
        metallic::hal::process::exit();
        std::process::exit(7);
    }
    let start = Instant::now();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_ends_while_code_is_made", "--nocapture"])
        .env(CHILD, "1")
        .env("PYMETALLIC_CACHE_DIR", "")
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7));
    // Without the code of most of them, which would take a minute here.
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

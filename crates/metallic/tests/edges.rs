//! Threadgroups that the code for most of them leaves to others: at the edges of a grid, and full ones whose threads
//! part at a guard. Every device gives what the interpreter gives, and blames the same thread.

use std::sync::Arc;

use metallic::{CompileOptions, Device, StorageMode};
use metallic_cpu::{CpuDevice, Start};

const SOURCE: &str = r#"
using namespace metal;
struct Sizes { uint2 size; uint most; };
kernel void sums(device uint* out [[buffer(0)]], constant Sizes& s [[buffer(1)]],
                 uint2 p [[thread_position_in_grid]], uint2 n [[threads_per_grid]],
                 uint t [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
    threadgroup uint tile[128];
    uint v = 1;
    if (p.x < s.size.x && p.y < s.size.y) v = p.x * 3 + p.y;
    tile[t] = simd_sum(v);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    uint i = p.y * n.x + p.x;
    if (i < s.most) out[i] = tile[t ^ 1] + lane * 1000;
    else out[i + 1000000] = 1;
}
"#;

/// The buffer after a dispatch, and what went wrong.
fn run(device: &Device, grid: [u32; 2], group: [u32; 2], size: [u32; 2], most: u32) -> (Vec<u32>, String) {
    let library = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
    let pipeline = device.make_compute_pipeline_state(&library.make_function("sums").unwrap()).unwrap();
    let out = device.make_buffer(u64::from(grid[0] * grid[1]) * 4, StorageMode::Shared).unwrap();
    let command_buffer = device.make_command_queue().unwrap().make_command_buffer().unwrap();
    let encoder = command_buffer.make_compute_command_encoder().unwrap();
    encoder.set_compute_pipeline_state(&pipeline).unwrap();
    encoder.set_buffer(&out, 0, 0).unwrap();
    let sizes = [size[0], size[1], most, 0];
    encoder.set_bytes(&sizes.map(u32::to_le_bytes).concat(), 1).unwrap();
    encoder.dispatch_threads([grid[0], grid[1], 1], [group[0], group[1], 1]).unwrap();
    encoder.end_encoding().unwrap();
    command_buffer.commit().unwrap();
    let error = command_buffer.wait_until_completed().err().map_or(String::new(), |error| error.to_string());
    (out.to_vec().unwrap(), error)
}

#[test]
fn every_threadgroup_has_its_code() {
    let Ok(interp) = Device::by_name("interp") else { return };
    // Whatever the code is that runs first, and whatever takes over.
    for start in [Start::Well, Start::QuicklyFor(1)] {
        let device = CpuDevice::with_start(2, "", start).unwrap();
        every_threadgroup_has_its_code_on(&interp, &Device::from_hal(Arc::new(device)));
    }
}

fn every_threadgroup_has_its_code_on(interp: &Device, device: &Device) {
    for group in [[32, 4], [16, 8], [64, 1], [8, 4]] {
        for grid in [[128, 16], [100, 16], [128, 15], [70, 9], [20, 3]] {
            // All pass, some threadgroups part, nobody passes.
            for size in [[200, 200], [72, 6], [0, 0]] {
                let case = format!("group {group:?}, grid {grid:?}, size {size:?}");
                let all = u32::MAX;
                assert_eq!(run(device, grid, group, size, all), run(interp, grid, group, size, all), "{case}");
                // One thread writes where no memory is: of the last row.
                let most = grid[0] * grid[1] - 1;
                let (_, expected) = run(interp, grid, group, size, most);
                let (_, error) = run(device, grid, group, size, most);
                let thread = format!("thread ({}, {}, 0) [out-of-bounds]", grid[0] - 1, grid[1] - 1);
                for what in ["program_source:14:10: ", "argument out, in kernel sums, ", &thread] {
                    assert!(expected.contains(what) && error.contains(what), "{case}: {expected}\n{error}");
                }
            }
        }
    }
}

/// Threadgroups that few others accompany have code that was made quickly, until there have been many.
#[test]
fn results_stay_when_edges_become_many() {
    let source = "kernel void f(device uint* out, constant uint2& size, uint2 p [[thread_position_in_grid]]) {
        if (p.x < size.x && p.y < size.y) out[p.y * size.x + p.x] += p.x * 7 + p.y; }";
    let Ok(device) = Device::by_name("cpu") else { return };
    let library = device.make_library(source, &CompileOptions::default()).unwrap();
    let pipeline = device.make_compute_pipeline_state(&library.make_function("f").unwrap()).unwrap();
    let queue = device.make_command_queue().unwrap();
    let (width, height) = (40, 4000);
    let out = device.make_buffer(width * height * 4, StorageMode::Shared).unwrap();
    // Half of the threadgroups of a dispatch are at the edge: 1000 of them.
    let dispatches = 20;
    for _ in 0..dispatches {
        let command_buffer = queue.make_command_buffer().unwrap();
        let encoder = command_buffer.make_compute_command_encoder().unwrap();
        encoder.set_compute_pipeline_state(&pipeline).unwrap();
        encoder.set_buffer(&out, 0, 0).unwrap();
        encoder.set_bytes(&[width as u32, height as u32].map(u32::to_le_bytes).concat(), 1).unwrap();
        encoder.dispatch_threads([width as u32, height as u32, 1], [32, 4, 1]).unwrap();
        encoder.end_encoding().unwrap();
        command_buffer.commit().unwrap();
        command_buffer.wait_until_completed().unwrap();
    }
    let expected: Vec<u32> =
        (0..height as u32).flat_map(|y| (0..width as u32).map(move |x| (x * 7 + y) * dispatches)).collect();
    assert_eq!(out.to_vec::<u32>().unwrap(), expected);
}

//! What threads share: libraries and pipelines that several ask for at once, code that comes up in the middle of
//! a dispatch, staging memory, events, handlers and listeners, objects that die elsewhere. From source, on every
//! device that executes kernels; `make test-threads` runs it with ThreadSanitizer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};

use metallic::*;

const THREADS: usize = 4;

/// Guards, so that groups part and are cut off; a function constant, so that one library makes many kernels.
const SOURCE: &str = r"
#include <metal_stdlib>
using namespace metal;
constant uint factor [[function_constant(0)]];
kernel void scale(device uint* data [[buffer(0)]], constant uint& count [[buffer(1)]], uint i [[thread_position_in_grid]])
{
    if (i >= count) {
        return;
    }
    data[i] = data[i] * factor + i;
}
kernel void turn(device const uint* in [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_grid]],
                 uint t [[thread_index_in_threadgroup]], uint size [[threads_per_threadgroup]])
{
    threadgroup uint tile[64];
    tile[t] = in[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = tile[size - 1 - t];
}
";

fn devices() -> Vec<Device> {
    ["interp", "cpu", "cuda:0"].into_iter().filter_map(|id| Device::by_name(id).ok()).collect()
}

fn pipeline(library: &Library, name: &str, factor: u32) -> ComputePipelineState {
    let mut constants = FunctionConstantValues::new();
    constants.set(0, factor);
    let function = library.make_function_with_constants(name, &constants).unwrap();
    library.device().make_compute_pipeline_state(&function).unwrap()
}

fn encode_scale(commands: &CommandBuffer, scale: &ComputePipelineState, data: &Buffer, count: u32, grid: u32) {
    let encoder = commands.make_compute_command_encoder().unwrap();
    encoder.set_compute_pipeline_state(scale).unwrap();
    encoder.set_buffer(data, 0, 0).unwrap();
    encoder.set_bytes(&count.to_le_bytes(), 1).unwrap();
    encoder.dispatch_threads(grid, 64).unwrap();
    encoder.end_encoding().unwrap();
}

/// Runs `work(number)` on all threads from one moment on.
fn together(work: impl Fn(usize) + Sync) {
    let barrier = Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for number in 0..THREADS {
            let (work, barrier) = (&work, &barrier);
            scope.spawn(move || {
                barrier.wait();
                work(number);
            });
        }
    });
}

fn wait_for(what: &str, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn pipelines_are_made_by_many_threads() {
    for device in devices() {
        let shared = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
        together(|number| {
            // One of everybody's library and one of a library of its own, with everybody's text.
            let own = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
            for (library, factor) in [(&shared, 3), (&own, 3 + number as u32)] {
                let scale = pipeline(library, "scale", factor);
                let data = device.make_buffer_with_slice(&[1u32; 100]).unwrap();
                let commands = device.make_command_queue().unwrap().make_command_buffer().unwrap();
                encode_scale(&commands, &scale, &data, 90, 100);
                commands.commit().unwrap();
                commands.wait_until_completed().unwrap();
                let expected: Vec<u32> = (0..100).map(|i| if i < 90 { factor + i } else { 1 }).collect();
                assert_eq!(data.to_vec::<u32>().unwrap(), expected);
            }
        });
    }
}

#[test]
fn one_pipeline_meets_new_shapes_and_edges_on_many_threads() {
    for device in devices() {
        let library = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
        let scale = pipeline(&library, "scale", 2);
        let turn = pipeline(&library, "turn", 2);
        let groups = if device.id() == "interp" { 2 } else { 50 };
        together(|_| {
            // The same order on all of them, so that they ask for the same code at the same time.
            for group in [64u32, 32, 7] {
                let length = groups * group;
                let data = device.make_buffer_with_slice(&vec![1u32; length as usize]).unwrap();
                let turned = device.make_buffer(4 * u64::from(length), StorageMode::Shared).unwrap();
                let commands = device.make_command_queue().unwrap().make_command_buffer().unwrap();
                let encoder = commands.make_compute_command_encoder().unwrap();
                encoder.set_compute_pipeline_state(&scale).unwrap();
                encoder.set_buffer(&data, 0, 0).unwrap();
                // Parts a group in its middle; the grid ends in the middle of another.
                encoder.set_bytes(&(length - group / 2 - 1).to_le_bytes(), 1).unwrap();
                encoder.dispatch_threads(length - 1, group).unwrap();
                encoder.set_compute_pipeline_state(&turn).unwrap();
                encoder.set_buffer(&data, 0, 0).unwrap();
                encoder.set_buffer(&turned, 0, 1).unwrap();
                encoder.dispatch_threads(length, group).unwrap();
                encoder.end_encoding().unwrap();
                commands.commit().unwrap();
                commands.wait_until_completed().unwrap();
                let value = |i: u32| if i < length - group / 2 - 1 { 2 + i } else { 1 };
                let expected = (0..length).map(|i| value(i - i % group + (group - 1 - i % group)));
                assert_eq!(turned.to_vec::<u32>().unwrap(), expected.collect::<Vec<_>>());
            }
        });
    }
}

#[test]
fn uploads_of_many_threads_share_staging_memory() {
    let rounds = if cfg!(debug_assertions) { 20 } else { 200 };
    for device in devices() {
        let queue = device.make_command_queue().unwrap();
        together(|number| {
            for round in 0..rounds {
                let values = vec![(number * rounds + round) as u32; 3000];
                let data = device.make_buffer(12_000, StorageMode::Private).unwrap();
                let back = device.make_buffer(12_000, StorageMode::Shared).unwrap();
                let commands = queue.make_command_buffer().unwrap();
                let blit = commands.make_blit_command_encoder().unwrap();
                blit.copy_from_bytes(bytes_of(&values), &data, 0).unwrap();
                blit.copy_from_buffer(&data, 0, &back, 0, 12_000).unwrap();
                blit.end_encoding().unwrap();
                drop(values);
                // Some are never committed, some are waited for in pieces.
                if round % 5 == 4 {
                    continue;
                }
                commands.commit().unwrap();
                while !commands.wait_until_completed_timeout(Duration::from_millis(1)).unwrap() {}
                assert_eq!(back.to_vec::<u32>().unwrap(), [(number * rounds + round) as u32; 3000]);
            }
        });
    }
}

fn bytes_of(values: &[u32]) -> &[u8] {
    // SAFETY: any four bytes of a number are four bytes.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

#[test]
fn queues_take_turns_by_events() {
    let rounds: u64 = if cfg!(debug_assertions) { 20 } else { 200 };
    for device in devices() {
        let library = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
        let scale = pipeline(&library, "scale", 1);
        let data = device.make_buffer_with_slice(&[0u32; 16]).unwrap();
        let event = device.make_shared_event();
        let notified = Arc::new(AtomicUsize::new(0));
        // Thread n does turns n, n + THREADS, ...; each adds its index to all elements.
        together(|number| {
            let queue = device.make_command_queue().unwrap();
            for turn in (number as u64..rounds * THREADS as u64).step_by(THREADS) {
                let commands = queue.make_command_buffer().unwrap();
                commands.encode_wait_for_event(&event, turn).unwrap();
                encode_scale(&commands, &scale, &data, 16, 16);
                commands.encode_signal_event(&event, turn + 1).unwrap();
                let notified = notified.clone();
                event.notify_listener(turn + 1, move || {
                    notified.fetch_add(1, Ordering::Relaxed);
                });
                commands.commit().unwrap();
                if turn % 3 == 0 {
                    commands.wait_until_completed().unwrap();
                }
            }
        });
        let turns = rounds * THREADS as u64;
        assert!(event.wait_until_signaled_value(turns, Some(Duration::from_secs(60))));
        wait_for("listeners", || notified.load(Ordering::Relaxed) as u64 == turns);
        let expected: Vec<u32> = (0..16).map(|i| i * turns as u32).collect();
        assert_eq!(data.to_vec::<u32>().unwrap(), expected);
    }
}

#[test]
fn handlers_listeners_and_waits_meet_on_one_command_buffer() {
    let rounds = if cfg!(debug_assertions) { 20 } else { 200 };
    for device in devices() {
        let library = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
        let scale = pipeline(&library, "scale", 1);
        let queue = device.make_command_queue().unwrap();
        for _ in 0..rounds {
            let data = device.make_buffer_with_slice(&[1u32; 64]).unwrap();
            let commands = queue.make_command_buffer().unwrap();
            encode_scale(&commands, &scale, &data, 64, 64);
            let handled = Arc::new(AtomicUsize::new(0));
            let (send, told) = mpsc::channel();
            for _ in 0..2 {
                let handled = handled.clone();
                let count = move |_: &CommandBuffer| {
                    handled.fetch_add(1, Ordering::Relaxed);
                };
                commands.add_completed_handler(count).unwrap();
            }
            together(|number| {
                let send = send.clone();
                commands.notify_completed(move |same| send.send(same.status()).unwrap());
                if number == 0 {
                    commands.commit().unwrap();
                }
                while commands.status() < CommandBufferStatus::Committed {
                    std::thread::yield_now();
                }
                commands.wait_until_completed().unwrap();
                // Handlers have run when a wait returns.
                assert_eq!(handled.load(Ordering::Relaxed), 2);
                assert_eq!(data.to_vec::<u32>().unwrap()[3], 4);
            });
            drop(send);
            let told: Vec<_> = told.iter().collect();
            assert_eq!(told, [CommandBufferStatus::Completed; THREADS]);
        }
    }
}

#[test]
fn objects_die_on_other_threads_while_commands_run() {
    for device in devices() {
        let (send, receive) = mpsc::channel::<(Buffer, CommandBuffer, ComputePipelineState, Library, CommandQueue)>();
        let collector = std::thread::spawn(move || receive.iter().count());
        together(|number| {
            for round in 0..3 {
                let library = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
                let scale = pipeline(&library, "scale", (number + round) as u32);
                let queue = device.make_command_queue().unwrap();
                let data = device.make_buffer_with_slice(&[1u32; 500]).unwrap();
                let commands = queue.make_command_buffer().unwrap();
                encode_scale(&commands, &scale, &data, 500, 500);
                commands.commit().unwrap();
                send.send((data, commands, scale, library, queue)).unwrap();
            }
        });
        drop(send);
        assert_eq!(collector.join().unwrap(), 3 * THREADS);
    }
}

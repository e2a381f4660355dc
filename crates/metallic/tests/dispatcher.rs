//! What running small kernels costs beside the kernels themselves, counted rather than timed: threads that are woken and
//! ranges that are opened to others. And how many threads there are, and where they may run.
//!
//! Whether work is small is known from how long it took before. A machine with much else to do may make it look large now
//! and then, so that tests ask for what happens at last.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metallic::{Buffer, CommandQueue, CompileOptions, ComputePipelineState, Device, StorageMode};
use metallic_cpu::pool::Counts;
use metallic_cpu::{CpuDevice, Start};

const SOURCE: &str = r"
#include <metal_stdlib>
using namespace metal;
kernel void scale(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) { x[i] = x[i] * 2.0f; }
kernel void busy(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    float sum = x[i];
    for (uint k = 0; k < 20000; k++) sum = sum * 0.5f + float(k & i);
    x[i] = sum;
}
";

struct Cpu {
    hal: Arc<CpuDevice>,
    queue: CommandQueue,
    scale: ComputePipelineState,
    busy: ComputePipelineState,
    data: Buffer,
}

impl Cpu {
    fn new(threads: usize) -> Cpu {
        let hal = Arc::new(CpuDevice::with_start(threads, "", Start::Well).unwrap());
        let device = Device::from_hal(hal.clone());
        let library = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
        let make = |name| device.make_compute_pipeline_state(&library.make_function(name).unwrap()).unwrap();
        let [scale, busy] = ["scale", "busy"].map(make);
        let data = device.make_buffer(4 * 65536, StorageMode::Shared).unwrap();
        Cpu { hal, queue: device.make_command_queue().unwrap(), scale, busy, data }
    }

    /// Runs a command buffer of so many dispatches; what the threads of the device did in that time.
    fn run(&self, pipeline: &ComputePipelineState, dispatches: usize, threads: u32) -> Counts {
        let before = self.hal.counts();
        let command_buffer = self.queue.make_command_buffer().unwrap();
        let encoder = command_buffer.make_compute_command_encoder().unwrap();
        encoder.set_compute_pipeline_state(pipeline).unwrap();
        encoder.set_buffer(&self.data, 0, 0).unwrap();
        for _ in 0..dispatches {
            encoder.dispatch_threads(threads, 256).unwrap();
        }
        encoder.end_encoding().unwrap();
        command_buffer.commit().unwrap();
        command_buffer.wait_until_completed().unwrap();
        let after = self.hal.counts();
        Counts {
            queues: after.queues - before.queues,
            ranges: after.ranges - before.ranges,
            wakes: after.wakes - before.wakes,
        }
    }
}

fn at_last(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
    }
}

#[test]
fn small_grids_run_on_the_thread_that_drives_the_queue() {
    let cpu = Cpu::new(4);
    for threads in [1, 256, 4096] {
        at_last("a small grid is opened to other threads each time", || cpu.run(&cpu.scale, 1, threads).ranges == 0);
    }
    // A single threadgroup is nothing to share, however long it takes.
    for _ in 0..3 {
        assert_eq!(cpu.run(&cpu.busy, 1, 256).ranges, 0);
    }
}

#[test]
fn large_grids_are_opened_to_other_threads_once() {
    let cpu = Cpu::new(4);
    // The first threadgroup says how long they take; a second of them is more than a small grid may take.
    for _ in 0..3 {
        assert_eq!(cpu.run(&cpu.busy, 1, 16384).ranges, 1);
    }
}

#[test]
fn a_command_buffer_of_many_small_dispatches_wakes_nobody_between_them() {
    let cpu = Cpu::new(4);
    at_last("threads are woken for small dispatches", || {
        let counts = cpu.run(&cpu.scale, 500, 1024);
        // One thread is told of the command buffer, whether it needs to be woken or not.
        assert_eq!(counts.queues, 1);
        counts.ranges == 0 && counts.wakes <= 1
    });
}

#[test]
fn one_thread_opens_no_range() {
    let cpu = Cpu::new(1);
    for _ in 0..3 {
        let counts = cpu.run(&cpu.busy, 2, 16384);
        assert_eq!((counts.queues, counts.ranges), (1, 0));
    }
}

/// Set in the process that runs [`child`].
const MARK: &str = "METALLIC_TEST_DISPATCHER";

fn child_with(threads: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(MARK, "1")
        .env("PYMETALLIC_THREADS", threads)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Says how many threads the device has and where they may run.
#[test]
fn child() {
    if std::env::var_os(MARK).is_none() {
        return;
    }
    let device = match CpuDevice::new() {
        Ok(device) => Device::from_hal(Arc::new(device)),
        Err(error) => return println!("error: {error}"),
    };
    println!("units: {}", device.info().compute_units);
    let queue = device.make_command_queue().unwrap();
    let command_buffer = queue.make_command_buffer().unwrap();
    let buffer = device.make_buffer(64, StorageMode::Shared).unwrap();
    let encoder = command_buffer.make_blit_command_encoder().unwrap();
    encoder.fill_buffer(&buffer, 0, 64, 1).unwrap();
    encoder.end_encoding().unwrap();
    command_buffer.commit().unwrap();
    command_buffer.wait_until_completed().unwrap();
    #[cfg(target_os = "linux")]
    print_workers();
}

#[cfg(target_os = "linux")]
fn print_workers() {
    let allowed = |path: &std::path::Path| {
        let status = std::fs::read_to_string(path.join("status")).unwrap();
        let field = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).unwrap().trim().to_string();
        (field("Name:"), field("Cpus_allowed_list:"))
    };
    let (_, own) = allowed(std::path::Path::new("/proc/self"));
    // A thread has its name when it runs for the first time.
    let workers = |count: u32| {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let all = tasks.map(|task| allowed(&task.unwrap().path()));
        let workers: Vec<_> =
            all.filter(|(name, _)| name.starts_with("metallic-") && name != "metallic-queue").collect();
        (workers.len() >= count as usize).then_some(workers)
    };
    let count: u32 = std::env::var("PYMETALLIC_THREADS").unwrap().parse().unwrap();
    let mut found = None;
    at_last("the threads have not started", || {
        found = workers(count);
        found.is_some()
    });
    let found = found.unwrap();
    println!("workers: {}", found.len());
    println!("pinned: {}", found.iter().filter(|(_, list)| *list != own).count());
}

#[test]
fn as_many_threads_as_were_asked_for_run_anywhere() {
    for threads in ["1", "3"] {
        let text = child_with(threads);
        assert!(text.contains(&format!("units: {threads}\n")), "{text}");
        if cfg!(target_os = "linux") {
            assert!(text.contains(&format!("workers: {threads}\n")), "{text}");
            assert!(text.contains("pinned: 0\n"), "{text}");
        }
    }
}

#[test]
fn a_number_of_threads_that_is_none_is_an_error() {
    for wrong in ["0", "-2", "many", "1000000"] {
        let text = child_with(wrong);
        assert!(text.contains("error: ") && text.contains("PYMETALLIC_THREADS") && text.contains(wrong), "{text}");
    }
}

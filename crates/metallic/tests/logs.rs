//! What kernels log reaches the handlers of a log state. On every device that executes kernels.

use std::sync::{Arc, Mutex};

use metallic::*;

const SOURCE: &str = r#"
#include <metal_stdlib>
#include <metal_logging>
using namespace metal;
constant os_log tiles("org.example", "tiles");
static void describe(float x) { tiles.log_error("x is %g, %e, %.3d, %a", x, x, 7, x); }
kernel void talk(device int* p) {
    os_log_default.log("value %d of %f", p[0], 1.5f);
    os_log_default.log_debug("quiet");
    describe(1e10f);
    tiles.log_with_type(log_type_fault, "%v4hlf|%v2hhu|%x", float4(1, 2, 3, 4), uchar2(5, 255), 255u);
}
"#;

type Seen = (Option<String>, Option<String>, LogLevel, String);

fn run(device: &Device, queue: &CommandQueueDescriptor, buffer: &CommandBufferDescriptor) {
    let library = device.make_library(SOURCE, &CompileOptions::default()).unwrap();
    let function = library.make_function("talk").unwrap();
    let pipeline = device.make_compute_pipeline_state(&function).unwrap();
    let data = device.make_buffer(4, StorageMode::Shared).unwrap();
    let queue = device.make_command_queue_with_descriptor(queue).unwrap();
    let commands = queue.make_command_buffer_with_descriptor(buffer).unwrap();
    let encoder = commands.make_compute_command_encoder().unwrap();
    encoder.set_compute_pipeline_state(&pipeline).unwrap();
    encoder.set_buffer(&data, 0, 0).unwrap();
    encoder.dispatch_threads(1, 1).unwrap();
    encoder.end_encoding().unwrap();
    commands.commit().unwrap();
    commands.wait_until_completed().unwrap();
}

fn listening(device: &Device, level: LogLevel) -> (Arc<LogState>, Arc<Mutex<Vec<Seen>>>) {
    let state = device.make_log_state(level);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    state.add_log_handler(move |r: &LogRecord| {
        sink.lock().unwrap().push((r.subsystem.clone(), r.category.clone(), r.level, r.message.clone()));
    });
    (state, seen)
}

#[test]
fn records_say_where_they_come_from() {
    for device in ["interp", "cpu", "cuda:0"].into_iter().filter_map(|id| Device::by_name(id).ok()) {
        let (state, seen) = listening(&device, LogLevel::Debug);
        run(&device, &CommandQueueDescriptor { log_state: Some(state) }, &CommandBufferDescriptor::default());
        let example = || (Some("org.example".to_owned()), Some("tiles".to_owned()));
        let (subsystem, category) = example();
        let (again, and_again) = example();
        let expected = vec![
            (None, None, LogLevel::Notice, "value 0 of 1.500000".to_owned()),
            (None, None, LogLevel::Debug, "quiet".to_owned()),
            (subsystem, category, LogLevel::Error, "x is 1e+10, 1.000000e+10, 007, 0x1.2a05f2p+33".to_owned()),
            (again, and_again, LogLevel::Fault, "1.000000,2.000000,3.000000,4.000000|5,255|ff".to_owned()),
        ];
        assert_eq!(*seen.lock().unwrap(), expected, "{}", device.id());
    }
}

#[test]
fn a_command_buffer_says_otherwise_than_its_queue() {
    let device = Device::by_name("interp").unwrap();
    let (unused, nothing) = listening(&device, LogLevel::Debug);
    let (state, seen) = listening(&device, LogLevel::Error);
    let queue = CommandQueueDescriptor { log_state: Some(unused) };
    run(&device, &queue, &CommandBufferDescriptor { log_state: Some(state) });
    assert!(nothing.lock().unwrap().is_empty());
    let levels: Vec<_> = seen.lock().unwrap().iter().map(|s| s.2).collect();
    assert_eq!(levels, [LogLevel::Error, LogLevel::Fault]);
}

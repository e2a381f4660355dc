//! Tables of functions that the host fills and kernels call. On every device that executes kernels.

use metallic::*;

const SOURCE: &str = r#"
#include <metal_stdlib>
using namespace metal;
[[visible]] float add(float x, float y) { return x + y; }
[[visible]] float multiply(float x, float y) { return x * y; }
[[visible]] float negate(float x) { return -x; }
constant bool squares [[function_constant(0)]];
[[visible]] float late(float x, float y) { return squares ? x * x : y; }
kernel void apply(device float* data [[buffer(0)]], visible_function_table<float(float, float)> table [[buffer(1)]],
                  uint i [[thread_position_in_grid]]) {
    data[i] = table[i % table.size()](data[i], 10);
}
struct Arguments { visible_function_table<float(float)> table; };
kernel void through_memory(device float* data [[buffer(0)]], device Arguments& arguments [[buffer(1)]],
                           uint i [[thread_position_in_grid]]) {
    data[i] = arguments.table[0](data[i]);
}
"#;

fn devices() -> Vec<Device> {
    ["interp", "cpu", "cuda:0"].into_iter().filter_map(|id| Device::by_name(id).ok()).collect()
}

fn library(device: &Device) -> Library {
    let options = CompileOptions { checks_bodies: false, ..CompileOptions::default() };
    device.make_library(SOURCE, &options).unwrap()
}

fn constants() -> FunctionConstantValues {
    let mut constants = FunctionConstantValues::new();
    constants.set(0, true);
    constants
}

/// The kernel `apply` with the functions that are named.
fn pipeline(library: &Library, linked: &[&str]) -> ComputePipelineState {
    let kernel = library.make_function_with_constants("apply", &constants()).unwrap();
    let linked: Vec<Function> = linked.iter().map(|name| library.make_function(name).unwrap()).collect();
    library.device().make_compute_pipeline_state_with_linked_functions(&kernel, &linked).unwrap()
}

fn handle(pipeline: &ComputePipelineState, name: &str) -> FunctionHandle {
    let library = pipeline.function().library().clone();
    pipeline.function_handle(&library.make_function(name).unwrap()).unwrap()
}

fn run(
    pipeline: &ComputePipelineState,
    data: &Buffer,
    bind: impl Fn(&ComputeCommandEncoder) -> Result<()>,
) -> Result<()> {
    let queue = pipeline.device().make_command_queue()?;
    let command_buffer = queue.make_command_buffer()?;
    let encoder = command_buffer.make_compute_command_encoder()?;
    encoder.set_compute_pipeline_state(pipeline)?;
    encoder.set_buffer(data, 0, 0)?;
    bind(&encoder)?;
    encoder.dispatch_threads([6, 1, 1], [6, 1, 1])?;
    encoder.end_encoding()?;
    command_buffer.commit()?;
    command_buffer.wait_until_completed()
}

fn floats(buffer: &Buffer) -> Vec<f32> {
    let mut bytes = vec![0; buffer.length() as usize];
    buffer.read_bytes(0, &mut bytes).unwrap();
    bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

#[test]
fn kernels_call_what_is_in_a_table() {
    for device in devices() {
        let library = library(&device);
        assert_eq!(library.visible_function_names(), ["add", "multiply", "negate", "late"]);
        assert_eq!(library.function_names(), ["apply", "through_memory"]);
        assert_eq!(library.make_function("add").unwrap().function_type(), FunctionType::Visible);
        let pipeline = pipeline(&library, &["add", "multiply", "late"]);
        let table =
            pipeline.make_visible_function_table(&VisibleFunctionTableDescriptor { function_count: 3 }).unwrap();
        let all: Vec<_> = ["add", "multiply", "late"].iter().map(|name| Some(handle(&pipeline, name))).collect();
        table.set_functions(&all, 0).unwrap();
        let data = device.make_buffer_with_slice(&[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let bind = |encoder: &ComputeCommandEncoder| encoder.set_visible_function_table(&table, 1);
        run(&pipeline, &data, bind).unwrap();
        assert_eq!(floats(&data), [11.0, 20.0, 9.0, 14.0, 50.0, 36.0], "{}", device.id());
        // What is in a table is what is called from then on.
        table.set_function(Some(&handle(&pipeline, "multiply")), 0).unwrap();
        table.set_function(None, 2).unwrap();
        run(&pipeline, &data, bind).unwrap();
        assert_eq!(floats(&data)[..2], [110.0, 200.0], "{}", device.id());
    }
}

#[test]
fn tables_lie_in_argument_buffers() {
    for device in devices() {
        let library = library(&device);
        let kernel = library.make_function("through_memory").unwrap();
        let negate = library.make_function("negate").unwrap();
        let pipeline =
            device.make_compute_pipeline_state_with_linked_functions(&kernel, std::slice::from_ref(&negate)).unwrap();
        let table =
            pipeline.make_visible_function_table(&VisibleFunctionTableDescriptor { function_count: 1 }).unwrap();
        table.set_function(Some(&pipeline.function_handle(&negate).unwrap()), 0).unwrap();
        let arguments = device.make_buffer_with_bytes(&table.gpu_address().to_le_bytes(), StorageMode::Shared).unwrap();
        let data = device.make_buffer_with_slice(&[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        let bind = |encoder: &ComputeCommandEncoder| {
            encoder.set_buffer(&arguments, 0, 1)?;
            encoder.use_resource(table.buffer())
        };
        run(&pipeline, &data, bind).unwrap();
        assert_eq!(floats(&data), [-1.0, -2.0, -3.0, -4.0, -5.0, -6.0], "{}", device.id());
    }
}

#[test]
fn wrong_use_of_tables_is_refused() {
    let device = Device::by_name("interp").unwrap();
    let library = library(&device);
    let first = pipeline(&library, &["add", "negate"]);
    let message = |result: Result<()>| result.unwrap_err().to_string();
    let table_of = |count| VisibleFunctionTableDescriptor { function_count: count };
    let table = first.make_visible_function_table(&table_of(2)).unwrap();
    let multiply = library.make_function("multiply").unwrap();
    assert_eq!(
        first.function_handle(&multiply).unwrap_err().to_string(),
        "function multiply is not linked to the pipeline of apply"
    );
    assert_eq!(
        device.make_compute_pipeline_state(&multiply).unwrap_err().to_string(),
        "multiply is a visible function, not a kernel: link it to the pipeline of a kernel that calls it"
    );
    let kernel = library.make_function_with_constants("apply", &constants()).unwrap();
    let link = |function: &Function| {
        device
            .make_compute_pipeline_state_with_linked_functions(&kernel, std::slice::from_ref(function))
            .unwrap_err()
            .to_string()
    };
    assert_eq!(link(&kernel), "kernel apply: linked function apply is not [[visible]]");
    let other = self::library(&device).make_function("add").unwrap();
    assert_eq!(
        link(&other),
        "kernel apply: linked function add is of another library: functions of several libraries are not linked here, put \
         them into one source"
    );
    let mut values = FunctionConstantValues::new();
    values.set(0, false);
    let late = library.make_function_with_constants("late", &values).unwrap();
    assert_eq!(
        link(&late),
        "kernel apply: linked function late has other values of function constants than the kernel"
    );
    assert_eq!(message(table.set_function(None, 2)), "entry 2 of a visible function table of 2 functions");
    let second = pipeline(&library, &["add"]);
    assert_eq!(
        message(table.set_function(Some(&handle(&second, "add")), 0)),
        "the handle of function add is of another pipeline than the table, which is of apply"
    );
    assert!(first.make_visible_function_table(&table_of(0)).is_err());

    let data = device.make_buffer_with_slice(&[1f32; 6]).unwrap();
    let bind = |encoder: &ComputeCommandEncoder| encoder.set_visible_function_table(&table, 1);
    assert_eq!(
        message(run(&second, &data, bind)),
        "kernel apply: argument table (buffer 1): the visible function table was made by another pipeline, of apply"
    );
    table.set_function(Some(&handle(&first, "negate")), 1).unwrap();
    assert_eq!(
        message(run(&first, &data, bind)),
        "kernel apply: argument table (buffer 1): entry 1 of the visible function table is negate, 'float (float)'; the \
         kernel calls 'float (float, float)'"
    );
    assert_eq!(
        message(run(&first, &data, |encoder| encoder.set_buffer(&data, 0, 1))),
        "kernel apply: argument table (buffer 1): no visible function table is bound: call set_visible_function_table"
    );
    assert_eq!(
        message(run(&first, &data, |encoder| encoder.set_visible_function_table(&table, 0))),
        "kernel apply: argument data (buffer 0): a visible function table is bound; the kernel takes a buffer"
    );
}

"""Tables of functions that kernels call."""

import numpy as np
import pytest

import pymetallic as pm

SOURCE = """
#include <metal_stdlib>
using namespace metal;
[[visible]] float add(float x, float y) { return x + y; }
[[visible]] float multiply(float x, float y) { return x * y; }
[[visible]] float negate(float x) { return -x; }
kernel void apply(device float* data [[buffer(0)]], visible_function_table<float(float, float)> table [[buffer(1)]],
                  uint i [[thread_position_in_grid]]) {
    data[i] = table[i % table.size()](data[i], 10);
}
"""


def run(pipeline, data, table):
    commands = pm.CommandQueue(pipeline.device).make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(pipeline)
    encoder.set_buffer(data, 0, 0)
    encoder.set_visible_function_table(table, 1)
    try:
        encoder.dispatch_threads(data.size // 4, 32)
    finally:
        encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    return data.to_numpy(np.float32)


def test_kernels_call_what_is_in_a_table(device):
    library = device.make_library(SOURCE)
    assert library.function_names == ["apply"] and library.visible_function_names == ["add", "multiply", "negate"]
    kernel, add, multiply, negate = (library.make_function(name) for name in ("apply", "add", "multiply", "negate"))
    assert kernel.function_type == "kernel" and add.function_type == "visible"
    for pipeline in (device.make_compute_pipeline_state(kernel, [add, multiply, negate]),
                     pm.ComputePipelineState(device, kernel, linked_functions=[add, multiply, negate])):
        assert pipeline.reflection[1]["type"] == "visible_function_table<float (float, float)>"
        handles = [pipeline.function_handle(f) for f in (add, multiply, negate)]
        assert [h.name for h in handles] == ["add", "multiply", "negate"]
        table = pipeline.make_visible_function_table(2)
        assert len(table) == 2 and table.gpu_address != 0
        table.set_functions(handles[:2])
        data = device.make_buffer_from_numpy(np.arange(5, dtype=np.float32))
        assert run(pipeline, data, table).tolist() == [10, 10, 12, 30, 14]
        table.set_function(handles[1], 0)
        assert run(pipeline, data, table).tolist() == [100, 100, 120, 300, 140]
        table.set_function(handles[2], 1)
        with pytest.raises(pm.MetalValidationError, match=r"entry 1 of the visible function table is negate, 'float \(float\)'"):
            run(pipeline, data, table)
        with pytest.raises(pm.MetalValidationError, match="entry 2 of a visible function table of 2 functions"):
            table.set_function(None, 2)


def test_functions_have_to_be_linked(device):
    library = device.make_library(SOURCE)
    pipeline = device.make_compute_pipeline_state(library.make_function("apply"))
    with pytest.raises(pm.MetalError, match="function add is not linked to the pipeline of apply"):
        pipeline.function_handle(library.make_function("add"))
    with pytest.raises(pm.MetalError, match="add is a visible function, not a kernel"):
        device.make_compute_pipeline_state(library.make_function("add"))
    with pytest.raises(pm.MetalValidationError):
        pipeline.make_visible_function_table(-1)

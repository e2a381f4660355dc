"""Mistakes are exceptions that say what is wrong; the process and everything else go on."""

from __future__ import annotations

import numpy as np
import pytest
from support import HEADER, buffer_of, launch

import pymetallic as pm
from pymetallic.kernels import get_kernel_source

ADD = get_kernel_source("demo_kernels")


def encoder_of(device: pm.Device, source: str = ADD, name: str = "vector_add") -> pm.ComputeCommandEncoder:
    encoder = device.command_encoder
    encoder.set_compute_pipeline_state(device.make_kernel(source, name).pipeline_state)
    return encoder


# ---- source --------------------------------------------------------------------------------------


def test_wrong_source_names_the_place(device):
    source = HEADER + "\nkernel void f(device float* x [[buffer(0)]], uint i [[thread_position_in_grid]])\n{\n    x[i] = undeclared;\n}\n"
    with pytest.raises(pm.MetalError) as caught:
        device.make_library(source).make_function("f")
    error = caught.value
    assert isinstance(error, pm.MetalCompileError)
    assert "program_source:6:12" in str(error) or ("program_source" in str(error) and "undeclared" in str(error))
    (first,) = [d for d in error.diagnostics if d["severity"] == "error"]
    assert (first["file"], first["line"], first["column"]) == ("program_source", 6, 12)
    assert "undeclared" in first["message"] and first["id"]


def test_the_source_may_have_a_name(device):
    with pytest.raises(pm.MetalCompileError, match="blur.metal") as caught:
        device.make_library("kernel void f(device float* x) { x[0] = ; }", {"name": "blur.metal"}).make_function("f")
    assert caught.value.diagnostics[0]["file"] == "blur.metal"


@pytest.mark.parametrize("source", ["This is not valid Metal code!", "kernel void f(", "#error stop", "#include <no_such_file>\n", "}", "\0\1\2", "kernel void f() { return 1; }",
                                    "kernel int f() { return 1; }", "kernel void f(device nothing* x) {}", '"'])
def test_wrong_sources(device, source):
    with pytest.raises(pm.MetalCompileError) as caught:
        library = device.make_library(source)
        device.make_compute_pipeline_state(library.make_function("f"))
    assert caught.value.diagnostics and str(caught.value)


def test_a_source_without_kernels(device):
    library = device.make_library(HEADER)
    assert library.function_names == []
    with pytest.raises(pm.MetalError, match="no kernel function"):
        library.make_function("f")


def test_unknown_function(device):
    library = device.make_library(ADD)
    with pytest.raises(pm.MetalError, match='"vector_sub".*vector_add'):
        library.make_function("vector_sub")
    with pytest.raises(TypeError):
        library.make_function(3)


def test_wrong_function_constants(device):
    library = device.make_library("constant int c [[function_constant(0)]];\nkernel void f(device int* o) { o[0] = c; }")
    for constants in ({}, None, {"d": 1}, {5: 1}):
        with pytest.raises(pm.MetalError):
            device.make_compute_pipeline_state(library.make_function("f", constants))
    with pytest.raises(TypeError):
        library.make_function("f", {0: object()})


def test_wrong_types_are_type_errors(device):
    for call in (lambda: pm.Library(device, 5), lambda: pm.Library("cpu", ADD), lambda: pm.Buffer(None, 4), lambda: pm.CommandQueue(3),
                 lambda: pm.ComputePipelineState(device, "vector_add"), lambda: device.command_encoder.set_buffer(np.zeros(3), 0, 0),
                 lambda: device.command_encoder.set_compute_pipeline_state(None), lambda: pm.Buffer.from_numpy_no_copy(device, 3).size):
        with pytest.raises((TypeError, pm.MetalError)):
            call()


@pytest.mark.parametrize("name", ["CommandBuffer", "ComputeCommandEncoder", "BlitCommandEncoder", "Function", "Texture", "SamplerState", "Event"])
def test_classes_that_are_made_by_others(name):
    with pytest.raises(TypeError):
        getattr(pm, name)()


# ---- arguments -----------------------------------------------------------------------------------


def test_an_argument_is_missing(device):
    encoder = encoder_of(device)
    encoder.set_buffer(device.make_buffer(64), 0, 0)
    with pytest.raises(pm.MetalValidationError, match=r"vector_add.*b \(buffer 1\).*no buffer"):
        encoder.dispatch_threads(16, 16)


def test_no_pipeline(device):
    with pytest.raises(pm.MetalValidationError, match="set_compute_pipeline_state"):
        device.command_encoder.dispatch_threads(1, 1)


def test_a_buffer_that_is_too_small_for_its_type(device):
    source = HEADER + "struct P { float4 a; uint b; };\nkernel void f(constant P& p, device float* out) { out[0] = p.a.x + p.b; }"
    encoder = encoder_of(device, source, "f")
    encoder.set_buffer(device.make_buffer(4), 0, 1)
    encoder.set_buffer(device.make_buffer(16), 0, 0)
    with pytest.raises(pm.MetalValidationError, match="32 bytes.*16"):
        encoder.dispatch_threads(1, 1)
    encoder.set_bytes(bytes(20), 0)
    with pytest.raises(pm.MetalValidationError, match="32 bytes.*20"):
        encoder.dispatch_threads(1, 1)


def test_bytes_cannot_be_written(device):
    encoder = encoder_of(device)
    for index in range(3):
        encoder.set_bytes(np.zeros(4, np.float32), index)
    with pytest.raises(pm.MetalValidationError, match="write"):
        encoder.dispatch_threads(4, 4)


@pytest.mark.parametrize("size", [0, 4097])
def test_set_bytes_has_limits(device, size):
    with pytest.raises(pm.MetalValidationError, match="4096"):
        device.command_encoder.set_bytes(bytes(size), 0)


def test_indices_and_offsets(device):
    encoder, buffer = encoder_of(device), device.make_buffer(64)
    for index in (31, 1000, -1, 1 << 40):
        with pytest.raises(pm.MetalValidationError, match="index"):
            encoder.set_buffer(buffer, 0, index)
        with pytest.raises(pm.MetalValidationError, match="index"):
            encoder.set_bytes(b"1234", index)
    for offset in (64, 65, -4, 1 << 60):
        with pytest.raises(pm.MetalValidationError, match="offset"):
            encoder.set_buffer(buffer, offset, 0)
    with pytest.raises(pm.MetalValidationError):
        encoder.set_buffer_offset(4, 5)
    for index in range(3):
        encoder.set_buffer(buffer, 2, index)
    with pytest.raises(pm.MetalValidationError, match="multiple of 4"):
        encoder.dispatch_threads(1, 1)


def test_a_buffer_of_another_device(device):
    with pytest.raises(pm.MetalValidationError, match="null"):
        encoder_of(device).set_buffer(pm.Device("null").make_buffer(16), 0, 0)


@pytest.mark.parametrize("group", [(0, 1, 1), (1, 0, 1), 0, (1025, 1, 1), (32, 33, 1), (1, 1, 1025), (16, 16, 16), (1 << 31, 1, 1)], ids=str)
def test_threadgroups_that_cannot_be(device, group):
    encoder = encoder_of(device)
    for index in range(3):
        encoder.set_buffer(device.make_buffer(64), 0, index)
    for dispatch in (encoder.dispatch_threads, encoder.dispatch_threadgroups):
        with pytest.raises(pm.MetalValidationError, match="vector_add.*threadgroup"):
            dispatch((1, 1, 1), group)


@pytest.mark.parametrize("grid, error", [((-1, 1, 1), pm.MetalError), ((1, 2, 3, 4), pm.MetalError), ((), pm.MetalError), (1.5, TypeError), ("abc", TypeError),
                                         (None, TypeError), ((1 << 32, 1, 1), pm.MetalError), (((1 << 32) - 1,) * 3, pm.MetalError)], ids=str)
def test_grids_that_cannot_be(device, grid, error):
    encoder = encoder_of(device)
    for index in range(3):
        encoder.set_buffer(device.make_buffer(64), 0, index)
    with pytest.raises(error):
        encoder.dispatch_threads(grid, 1)


def test_an_empty_grid_does_nothing(device):
    out = buffer_of(device, np.full(4, 5, np.float32))
    for grid in ((0, 1, 1), (1, 0, 1), 0):
        launch(device, "demo_kernels", "vector_add", [out, out, out], grid, 4)
    assert (out.to_numpy(np.float32) == 5).all()


def test_threadgroup_memory(device):
    source = HEADER + "kernel void f(threadgroup float* m [[threadgroup(0)]], device float* out, uint t [[thread_index_in_threadgroup]]) { m[t] = t; out[t] = m[t]; }"
    encoder = encoder_of(device, source, "f")
    encoder.set_buffer(device.make_buffer(128), 0, 0)
    with pytest.raises(pm.MetalValidationError, match="set_threadgroup_memory_length"):
        encoder.dispatch_threads(32, 32)
    with pytest.raises(pm.MetalValidationError, match="limit"):
        encoder.set_threadgroup_memory_length(1 << 30, 0)
    with pytest.raises(pm.MetalValidationError):
        encoder.set_threadgroup_memory_length(-4, 0)
    encoder.set_threadgroup_memory_length(128, 0)
    encoder.dispatch_threads(32, 32)
    encoder.end_encoding()
    encoder.commit()
    encoder.wait_until_completed()


def test_kernel_calls(device):
    kernel = device.make_kernel(ADD, "vector_add")
    a, b, out = np.zeros((3, 8), np.float32)
    with pytest.raises(pm.MetalValidationError, match=r"3 arguments \(a, b, result\), 2"):
        kernel(a, b)
    with pytest.raises(pm.MetalValidationError, match="argument b points to float, the array holds float64"):
        kernel(a, np.zeros(8), out)
    with pytest.raises(pm.MetalValidationError, match="result.*read-only"):
        kernel(a, b, np.broadcast_to(np.float32(1), 8))
    with pytest.raises(pm.MetalValidationError, match="argument a is a buffer"):
        kernel(3.0, b, out)
    with pytest.raises(pm.MetalValidationError, match="empty"):
        kernel(a[:0], b, out)
    with pytest.raises(pm.MetalValidationError, match="grid"):
        device.make_kernel("kernel void f() {}", "f")()
    with pytest.raises(TypeError):
        kernel(a, b, out, nonsense=1)
    kernel(a, b, out)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value, reason", [
    (-1, "-1 does not fit uint"), (1.5, "1.5 does not fit"), (1 << 32, "4294967296 does not fit"), (1 << 70, "does not fit|is one uint, not"),
    (float("nan"), "nan does not fit"), ([1, 2], "array of 2"), ("one", "is one uint, not 'one'"), (None, "is one uint, not None"),
    (object, "is one uint, not <class 'object'>"), (1 + 2j, "is one uint"),
])
def test_values_that_do_not_fit(device, value, reason):
    source = HEADER + "kernel void f(constant uint& n, device uint* out) { out[0] = n; }"
    with pytest.raises(pm.MetalValidationError, match=f"kernel f: argument n.*({reason})"):
        device.make_kernel(source, "f")(value, np.zeros(1, np.uint32))


# ---- encoders and command buffers ----------------------------------------------------------------


def test_after_end_encoding(device):
    encoder = encoder_of(device)
    encoder.end_encoding()
    buffer = device.make_buffer(16)
    for call in (encoder.end_encoding, lambda: encoder.set_buffer(buffer, 0, 0), lambda: encoder.dispatch_threads(1, 1), lambda: encoder.set_bytes(b"1", 0),
                 lambda: encoder.set_threadgroup_memory_length(16, 0), encoder.memory_barrier):
        with pytest.raises(pm.MetalValidationError, match="ended|end_encoding"):
            call()
    blit = device.command_buffer.make_blit_command_encoder()
    blit.end_encoding()
    with pytest.raises(pm.MetalValidationError):
        blit.copy_from_buffer(buffer, 0, buffer, 8, 4)


def test_one_encoder_at_a_time(device):
    commands = device.command_buffer
    encoder = commands.make_compute_command_encoder()
    with pytest.raises(pm.MetalValidationError, match="end_encoding"):
        commands.make_blit_command_encoder()
    with pytest.raises(pm.MetalValidationError, match="end_encoding"):
        commands.commit()
    encoder.end_encoding()
    commands.make_blit_command_encoder().end_encoding()
    commands.commit()
    commands.wait_until_completed()


def test_commit_twice(device):
    commands = device.command_buffer
    commands.commit()
    for call in (commands.commit, commands.make_compute_command_encoder, commands.make_blit_command_encoder, commands.enqueue,
                 lambda: commands.add_completed_handler(print), lambda: commands.encode_signal_event(device.make_event(), 1)):
        with pytest.raises(pm.MetalValidationError, match="committed"):
            call()
    commands.wait_until_completed()
    commands.wait_until_completed()


def test_waiting_for_what_is_not_committed(device):
    with pytest.raises(pm.MetalValidationError, match="not been committed"):
        device.command_buffer.wait_until_completed()


def test_blit_ranges(device):
    a, b = device.make_buffer(16), device.make_buffer(8)
    blit = device.command_buffer.make_blit_command_encoder()
    for arguments in ((a, 0, b, 0, 9), (a, 12, b, 0, 8), (a, 0, b, 4, 8), (a, -1, b, 0, 1), (a, 0, b, 0, -1), (a, 1 << 62, b, 0, 1)):
        with pytest.raises(pm.MetalValidationError):
            blit.copy_from_buffer(*arguments)
    with pytest.raises((pm.MetalError, OverflowError)):
        blit.fill_buffer(a, 256)
    with pytest.raises(pm.MetalError):
        blit.fill_buffer(a, 0, 8, 9)


# ---- errors while running ------------------------------------------------------------------------

OUT_OF_BOUNDS = HEADER + """
kernel void writes_beyond(device float* data [[buffer(0)]], constant uint& where [[buffer(1)]], uint i [[thread_position_in_grid]])
{ data[where + i] = 1.0f; }
kernel void reads_beyond(device const float* data [[buffer(0)]], constant uint& where [[buffer(1)]], device float* out [[buffer(2)]],
                         uint i [[thread_position_in_grid]])
{ out[i] = data[where + i]; }
"""


@pytest.mark.usefixtures("finds_faults")
@pytest.mark.parametrize("where", [1 << 12, 1 << 20, 1 << 29], ids=hex)
@pytest.mark.parametrize("name", ["writes_beyond", "reads_beyond"])
def test_out_of_bounds(device, name, where):
    """Far outside: the command buffer fails and names the kernel; other buffers keep their contents."""
    neighbors = [buffer_of(device, np.full(1024, i, np.float32)) for i in range(8)]
    data, out = device.make_buffer(4096), device.make_buffer(4096)
    commands = device.command_buffer
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(OUT_OF_BOUNDS, name).pipeline_state)
    encoder.set_buffer(data, 0, 0)
    encoder.set_bytes(np.uint32(where), 1)
    if name == "reads_beyond":
        encoder.set_buffer(out, 0, 2)
    encoder.dispatch_threads(64, 32)
    encoder.end_encoding()
    commands.commit()
    with pytest.raises(pm.MetalExecutionError, match=name):
        commands.wait_until_completed()
    assert commands.get_status() == -1 and commands.status == "error"
    assert isinstance(commands.error, pm.MetalExecutionError) and name in str(commands.error)
    for i, neighbor in enumerate(neighbors):
        assert (neighbor.to_numpy(np.float32) == i).all()
    # The device works as before.
    result = device.make_buffer(4096)
    launch(device, "linalg_kernels", "vector_add", [neighbors[1], neighbors[2], result], 1024, 256)
    assert (result.to_numpy(np.float32) == 3).all()


@pytest.mark.usefixtures("finds_faults")
@pytest.mark.parametrize("beyond", [0, 1, 5])
def test_a_little_out_of_bounds(device, beyond):
    """The first elements after the end, with a buffer whose size is no multiple of anything."""
    data = buffer_of(device, np.zeros(1001, np.float32))
    commands = device.command_buffer
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(OUT_OF_BOUNDS, "writes_beyond").pipeline_state)
    encoder.set_buffer(data, 0, 0)
    encoder.set_bytes(np.uint32(beyond), 1)
    encoder.dispatch_threads(1001, 256)
    encoder.end_encoding()
    commands.commit()
    if beyond == 0:
        commands.wait_until_completed()
        assert (data.to_numpy(np.float32) == 1).all()
    else:
        with pytest.raises(pm.MetalExecutionError, match="writes_beyond"):
            commands.wait_until_completed()


@pytest.mark.usefixtures("finds_faults")
def test_a_kernel_call_raises_what_happened_on_the_device(device):
    with pytest.raises(pm.MetalExecutionError, match="writes_beyond"):
        device.make_kernel(OUT_OF_BOUNDS, "writes_beyond")(np.zeros(16, np.float32), 1 << 24)


@pytest.mark.usefixtures("finds_faults")
def test_commands_after_an_error_do_not_hide_it(device, queue):
    bad = queue.make_command_buffer()
    encoder = bad.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(OUT_OF_BOUNDS, "writes_beyond").pipeline_state)
    encoder.set_buffer(device.make_buffer(16), 0, 0)
    encoder.set_bytes(np.uint32(1 << 24), 1)
    encoder.dispatch_threads(1, 1)
    encoder.end_encoding()
    bad.commit()
    good = queue.make_command_buffer()
    good.commit()
    good.wait_until_completed()
    assert good.get_status() == 1 and good.error is None
    with pytest.raises(pm.MetalExecutionError):
        bad.wait_until_completed()


def test_division_by_zero_ends_nothing(device):
    source = HEADER + "kernel void f(device int* a, device int* b, uint i [[thread_position_in_grid]]) { a[i] = a[i] / b[i] + a[i] % b[i]; }"
    a, b = np.full(33, -(1 << 31), np.int32), np.tile(np.array([0, -1, 5], np.int32), 11)
    device.make_kernel(source, "f")(a, b)
    assert (a[2::3] == -(1 << 31) // 5 + 1 - 3).all()


@pytest.mark.usefixtures("finds_faults")
def test_no_error_is_lost_when_nobody_waits(device):
    commands = device.command_buffer
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(OUT_OF_BOUNDS, "writes_beyond").pipeline_state)
    encoder.set_buffer(device.make_buffer(16), 0, 0)
    encoder.set_bytes(np.uint32(1 << 24), 1)
    encoder.dispatch_threads(1, 1)
    encoder.end_encoding()
    seen = []
    commands.add_completed_handler(lambda c: seen.append((c.status, str(c.error))))
    commands.commit()
    with pytest.raises(pm.MetalExecutionError):
        commands.wait_until_completed()
    assert len(seen) == 1 and seen[0][0] == "error" and "writes_beyond" in seen[0][1]


@pytest.mark.usefixtures("finds_faults")
def test_variables_that_fit_into_no_memory(device, queue):
    """An array of eight gigabytes for each thread: an error of the command buffer, and the queue goes on."""
    source = """kernel void huge(device float* out, uint i [[thread_position_in_grid]]) {
        float t[1ul << 31];
        t[i] = 1;
        out[i] = t[i + 1];
    }"""
    out = pm.Buffer(device, 16)
    with pytest.raises(pm.MetalError, match="memory"):
        pm.Kernel(device, source, "huge")(out, grid=4)
    ones = pm.Kernel(device, "kernel void ones(device float* out, uint i [[thread_position_in_grid]]) { out[i] = 1; }", "ones")
    ones(out, grid=4)
    assert out.to_numpy(np.float32).tolist() == [1, 1, 1, 1]

"""Names, signatures, defaults and results that programs written for PyMetallic 0.3 rely on."""

from __future__ import annotations

import dataclasses
import gc
import inspect
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import HEADER, devices

import pymetallic as pm
from pymetallic import kernels, metallic
from pymetallic.metallic import fill_u32, kernel_cache, read_scalar

DOUBLE = HEADER + """
kernel void twice(device float* data [[buffer(0)]], uint i [[thread_position_in_grid]]) { data[i] *= 2.0f; }
kernel void thrice(device float* data [[buffer(0)]], uint i [[thread_position_in_grid]]) { data[i] *= 3.0f; }
"""

EXPORTS = [
    "MetalError", "Device", "CommandQueue", "Buffer", "Library", "Function", "ComputePipelineState", "CommandBuffer",
    "ComputeCommandEncoder", "BlitCommandEncoder", "Kernel", "async_buffer_from_numpy", "get_default_device",
    "run_simple_compute_example", "scalar_add", "scalar_multiply",
]


def names_of(function: object) -> dict[str, object]:
    """Parameters and their defaults."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "self"}


# ---- names ---------------------------------------------------------------------------------------


def test_exports():
    for name in EXPORTS:
        assert hasattr(pm, name) and hasattr(metallic, name) and name in pm.__all__
    for name in ("fill_u32", "read_scalar", "kernel_cache", "_KernelCache", "_resource_manager"):
        assert hasattr(metallic, name)
    for name in (*pm.__all__, *metallic.__all__):
        assert hasattr(metallic, name) or hasattr(pm, name)


def test_errors_derive_from_metal_error():
    for name in ("MetalCompileError", "MetalValidationError", "MetalDeviceError", "MetalMemoryError", "MetalExecutionError"):
        assert issubclass(getattr(pm, name), pm.MetalError)
    assert issubclass(pm.MetalError, Exception)


@pytest.mark.parametrize("function, expected", [
    (pm.Buffer, {"device": ..., "size": ..., "storage_mode": 0}),
    (pm.Buffer.from_numpy, {"device": ..., "array": ..., "storage_mode": 0}),
    (pm.Buffer.to_numpy, {"dtype": ..., "shape": None}),
    (pm.Device.make_buffer, {"size": ..., "storage_mode": None}),
    (pm.Device.make_buffer_from_numpy, {"array": ..., "storage_mode": None}),
    (pm.Device.read_scalar, {"buffer": ..., "dtype": ..., "i": ...}),
    (pm.ComputeCommandEncoder.set_buffer, {"buffer": ..., "offset": ..., "index": ...}),
    (pm.ComputeCommandEncoder.set_threadgroup_memory_length, {"length": ..., "index": ...}),
    (pm.ComputeCommandEncoder.dispatch_threads, {"grid": ..., "threadgroup": ...}),
    (pm.ComputeCommandEncoder.dispatch_threadgroups, {"groups": ..., "threadgroup": ...}),
    (pm.BlitCommandEncoder.copy_from_buffer, {"source_buffer": ..., "source_offset": ..., "dest_buffer": ..., "dest_offset": ..., "size": ...}),
    # `linked_functions` is ours.
    (pm.ComputePipelineState, {"device": ..., "function": ..., "linked_functions": None}),
    (pm.CommandQueue, {"device": ...}),
    (pm.Kernel, {"device": ..., "source": ..., "func": ..., "constants": None, "options": None}),
    (kernel_cache.get, {"device": ..., "source": ..., "func_name": ..., "constants": None, "options": None}),
    # `copy` is ours.
    (pm.async_buffer_from_numpy, {"device": ..., "array": ..., "command_buffer": ..., "storage_mode": 2, "copy": None}),
    (fill_u32, {"device": ..., "buffer": ..., "value": ..., "count_u32": None}),
    (pm.scalar_add, {"device": ..., "buffer": ..., "scalar": ..., "count": None}),
    (pm.scalar_multiply, {"device": ..., "buffer": ..., "scalar": ..., "count": None}),
    (read_scalar, {"queue": ..., "buffer": ..., "dtype": ..., "i": None}),
])
def test_signatures(function, expected):
    found = names_of(function)
    assert list(found) == list(expected)
    for name, default in expected.items():
        assert found[name] == (inspect.Parameter.empty if default is ... else default), name


def test_kernel_sources():
    for constant in ("HELPER", "DEMO", "LINALG", "IMAGE_PROCESSING", "GAME_OF_LIFE", "FLUID_SIMULATION"):
        assert "kernel void" in getattr(kernels, f"{constant}_KERNELS")
    for name in ("helper_kernels", "demo_kernels", "linalg_kernels", "image_processing", "game_of_life", "fluid_simulation"):
        assert "kernel void" in kernels.get_kernel_source(name)
        assert kernels.get_kernel_source(f"{name}.metal") == kernels.get_kernel_source(name)
    with pytest.raises(FileNotFoundError, match="helper_kernels"):
        kernels.get_kernel_source("no_such_kernels")
    with pytest.raises(AttributeError):
        _ = kernels.NO_SUCH_KERNELS


# ---- devices -------------------------------------------------------------------------------------


def test_the_default_device_is_the_first():
    devices = pm.Device.get_all_devices()
    assert devices and all(isinstance(d, pm.Device) for d in devices)
    assert pm.Device.get_default_device() == devices[0] == pm.get_default_device() == pm.Device()


def test_two_devices_need_no_driver():
    assert {"cpu", "interp"} <= {d.id for d in devices()}


def test_the_environment_chooses_the_default_device(device, monkeypatch):
    monkeypatch.setenv("PYMETALLIC_DEVICE", device.id)
    assert pm.Device.get_default_device() == device
    monkeypatch.setenv("PYMETALLIC_DEVICE", "abacus")
    with pytest.raises(pm.MetalError, match='"abacus".*interp'):
        pm.Device.get_default_device()


def test_device(device):
    assert isinstance(device.name, str) and device.name
    assert device.supports_shader_barycentric_coordinates() in (True, False)
    assert device == pm.Device(device.id) and hash(device) == hash(pm.Device(device.id))
    assert device.id in repr(device)
    assert device != pm.Device("null")
    assert isinstance(device.command_queue, pm.CommandQueue) and device.command_queue is not device.command_queue
    assert isinstance(device.command_buffer, pm.CommandBuffer)
    assert isinstance(device.command_encoder, pm.ComputeCommandEncoder)
    assert pm.CommandQueue(device).device == device
    with pytest.raises(pm.MetalError, match="abacus"):
        pm.Device("abacus")


def test_the_encoder_of_a_device_commits_its_own_command_buffer(device):
    buffer = device.make_buffer_from_numpy(np.arange(5, dtype=np.float32))
    encoder = device.command_encoder
    encoder.set_compute_pipeline_state(device.make_kernel(DOUBLE, "twice").pipeline_state)
    encoder.set_buffer(buffer, 0, 0)
    encoder.dispatch_threads((5, 1, 1), (32, 1, 1))
    encoder.end_encoding()
    encoder.commit()
    encoder.wait_until_completed()
    assert encoder.command_buffer.get_status() == 1
    assert np.array_equal(buffer.to_numpy(np.float32), 2 * np.arange(5))


# ---- libraries, functions, pipelines -------------------------------------------------------------


def test_library_function_pipeline(device):
    for library in (device.make_library(DOUBLE), pm.Library(device, DOUBLE)):
        assert library.function_names == ["twice", "thrice"]
        function = library.make_function("thrice")
        assert function.name == "thrice" and function.library is library
        for pipeline in (device.make_compute_pipeline_state(function), pm.ComputePipelineState(device, function)):
            assert pipeline.device == device and pipeline.function is function
            assert 32 <= pipeline.max_total_threads_per_threadgroup <= 1024
            assert pipeline.thread_execution_width == 32
    (parameter,) = pipeline.reflection
    assert (parameter["name"], parameter["kind"], parameter["index"], parameter["access"]) == ("data", "buffer", 0, "read_write")
    assert (parameter["type"], parameter["size"], np.dtype(parameter["dtype"])) == ("float", 4, np.float32)


def test_function_constants(device):
    source = HEADER + """
    constant int factor [[function_constant(0)]];
    constant bool negate [[function_constant(7)]];
    kernel void f(device int* out, uint i [[thread_position_in_grid]]) { out[i] = int(i) * (negate ? -factor : factor); }
    """
    assert sorted(device.make_library(source).function_constants) == [("factor", 0, "int"), ("negate", 7, "bool")]
    for constants, sign in (({0: 3, 7: False}, 1), ({"factor": 3, "negate": True}, -1), ({0: np.int32(3), "negate": np.True_}, -1)):
        out = np.zeros(9, np.int32)
        pm.Kernel(device, source, "f", constants)(out)
        assert np.array_equal(out, sign * 3 * np.arange(9))


def test_compile_options(device):
    source = '#include "mine.h"\n' + HEADER + "kernel void f(device int* out) { out[0] = VALUE * TIMES(2); }"
    options = {"headers": {"mine.h": "#define VALUE 21"}, "macros": {"TIMES(x)": "(x)"}, "language_version": "3.1", "name": "mine.metal", "fast_math": False}
    out = np.zeros(1, np.int32)
    pm.Kernel(device, source, "f", None, options)(out)
    assert out[0] == 42
    with pytest.raises(TypeError, match="fast_maths"):
        device.make_library(source, {"fast_maths": True})
    with pytest.raises(pm.MetalError, match="language_version"):
        device.make_library(source, {"language_version": "new"})


def test_include_directories(device, tmp_path):
    (tmp_path / "one.h").write_text("#define ONE 1\n")
    out = np.zeros(1, np.int32)
    pm.Kernel(device, '#include "one.h"\nkernel void f(device int* out) { out[0] = ONE; }', "f", None, {"include_directories": [str(tmp_path)]})(out)
    assert out[0] == 1


# ---- buffers -------------------------------------------------------------------------------------


def test_storage_modes(device):
    assert (pm.Buffer.STORAGE_SHARED, pm.Buffer.STORAGE_MANAGED, pm.Buffer.STORAGE_PRIVATE) == (0, 1, 2)
    for mode in (0, 1, 2):
        for buffer in (pm.Buffer(device, 16, mode), device.make_buffer(16, mode), device.make_buffer_from_numpy(np.zeros(4, "f4"), mode)):
            assert buffer.size == buffer.length == len(buffer) == 16 and buffer.storage_mode == mode and buffer.device == device
    assert device.make_buffer(16).storage_mode == device.make_buffer(16, None).storage_mode == 0
    for mode in (3, -1, 1 << 40):
        with pytest.raises(ValueError, match="STORAGE_SHARED"):
            pm.Buffer(device, 16, mode)
        with pytest.raises(ValueError):
            device.make_buffer_from_numpy(np.zeros(4), mode)


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8", "c8", [("a", "f4"), ("b", "u1")]], ids=str)
def test_from_numpy_copies_any_dtype(device, dtype):
    array = np.frombuffer(np.random.default_rng(1).bytes(6 * np.dtype(dtype).itemsize), dtype if dtype != "?" else "u1").reshape(2, 3)
    array = array % 2 == 0 if dtype == "?" else array.copy()
    buffer = pm.Buffer.from_numpy(device, array)
    assert buffer.to_numpy(array.dtype, (2, 3)).tobytes() == array.tobytes()


def test_from_numpy_makes_contiguous(device):
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (array.T, array[::2, ::-1], array[:, 1], np.asfortranarray(array), np.broadcast_to(np.float32(3), (2, 5)), np.array(7.0, np.float32)):
        buffer = pm.Buffer.from_numpy(device, view)
        assert np.array_equal(buffer.to_numpy(np.float32, view.shape), view)
    big_endian = np.arange(3, dtype=">f4")
    with pytest.raises(pm.MetalError, match="byte order"):
        pm.Buffer.from_numpy(device, big_endian)
    with pytest.raises(pm.MetalError, match="objects"):
        pm.Buffer.from_numpy(device, np.array([object()]))
    with pytest.raises(pm.MetalError, match="at least one byte"):
        pm.Buffer.from_numpy(device, np.zeros(0))


def test_from_numpy_is_a_copy(device):
    array = np.arange(4, dtype=np.int32)
    buffer = pm.Buffer.from_numpy(device, array)
    array[:] = 0
    assert np.array_equal(buffer.to_numpy(np.int32), [0, 1, 2, 3])


def test_to_numpy_is_a_writable_view(device):
    buffer = device.make_buffer(24)
    a, b = buffer.to_numpy(np.float32), buffer.to_numpy("f4", (2, 3))
    assert a.shape == (6,) and b.shape == (2, 3) and a.flags.writeable
    assert not a.any()
    a[4] = 5.0
    assert b[1, 1] == 5.0 and np.shares_memory(a, b)
    assert buffer.to_numpy(np.uint8).size == 24
    assert buffer.to_numpy(np.float64, 3).shape == (3,) and buffer.to_numpy(np.int16, (-1, 4)).shape == (3, 4)
    assert buffer.to_numpy(np.dtype([("a", "f4"), ("b", "u4")])).shape == (3,)


def test_to_numpy_of_what_does_not_fit(device):
    buffer = device.make_buffer(10)
    with pytest.raises(pm.MetalError, match="10 bytes.*4 bytes"):
        buffer.to_numpy(np.float32)
    with pytest.raises(pm.MetalError, match="5 elements"):
        buffer.to_numpy(np.int16, (2, 3))
    with pytest.raises(pm.MetalError, match="private"):
        device.make_buffer(16, pm.Buffer.STORAGE_PRIVATE).to_numpy(np.float32)
    with pytest.raises(TypeError):
        buffer.to_numpy("no such type")


def test_kernels_and_views_see_each_other(device, queue):
    buffer = device.make_buffer(4 * 100, pm.Buffer.STORAGE_SHARED)
    view = buffer.to_numpy(np.float32)
    kernel = device.make_kernel(DOUBLE, "twice")
    for i in range(1, 5):
        view += 1.0
        kernel(queue, (100, 1, 1), buffers=[(buffer, 0)])
        assert (view == 2.0 ** (i + 1) - 2).all()


def test_sizes_that_cannot_be(device):
    for size in (0, -1, -(1 << 40)):
        with pytest.raises(pm.MetalError):
            pm.Buffer(device, size)
    for size in (1 << 62, (1 << 63) - 1):
        with pytest.raises(pm.MetalMemoryError):
            pm.Buffer(device, size)
    with pytest.raises((TypeError, OverflowError)):
        pm.Buffer(device, 1 << 70)
    with pytest.raises(TypeError):
        pm.Buffer(device, "16")


def test_no_copy(device):
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")
    array = np.arange(8, dtype=np.float32)
    buffer = pm.Buffer.from_numpy_no_copy(device, array)
    assert np.shares_memory(buffer.to_numpy(np.float32), array)
    device.make_kernel(DOUBLE, "twice")(device.make_command_queue(), 8, buffers=[(buffer, 0)])
    assert np.array_equal(array, 2 * np.arange(8))
    array.flags.writeable = False
    with pytest.raises(pm.MetalError, match="read-only"):
        pm.Buffer.from_numpy_no_copy(device, array)
    with pytest.raises(pm.MetalError, match="contiguous"):
        pm.Buffer.from_numpy_no_copy(device, np.zeros((4, 4))[:, 1])


def test_labels(device):
    buffer, queue = device.make_buffer(4), device.make_command_queue()
    for thing in (buffer, queue, queue.make_command_buffer()):
        thing.label = "mine"
        assert thing.label == "mine"


# ---- lifetimes -----------------------------------------------------------------------------------


def test_a_view_outlives_its_buffer(device):
    views = []
    for i in range(50):
        buffer = device.make_buffer(1 << 16)
        view = buffer.to_numpy(np.uint32)
        view[:] = i
        views.append(view[100:200])
        del buffer, view
    gc.collect()
    rest = [device.make_buffer(1 << 16) for _ in range(50)]
    for buffer in rest:
        buffer.to_numpy(np.uint32)[:] = 99
    assert all((view == i).all() for i, view in enumerate(views))


def test_a_command_buffer_keeps_what_it_uses(device):
    def commands_for(view_holder):
        buffer = device.make_buffer_from_numpy(np.arange(1000, dtype=np.float32))
        view_holder.append(buffer.to_numpy(np.float32))
        commands = device.make_command_queue().make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pm.ComputePipelineState(device, pm.Library(device, DOUBLE).make_function("twice")))
        encoder.set_buffer(buffer, 0, 0)
        encoder.dispatch_threads(1000, 64)
        encoder.end_encoding()
        return commands

    views = []
    commands = commands_for(views)
    gc.collect()
    commands.commit()
    commands.wait_until_completed()
    assert np.array_equal(views[0], 2 * np.arange(1000))


def test_objects_may_die_while_commands_run(device):
    views = []
    for _ in range(30):
        buffer = device.make_buffer_from_numpy(np.ones(5000, np.float32))
        views.append(buffer.to_numpy(np.float32))
        commands = device.make_command_queue().make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(device.make_kernel(DOUBLE, "twice").pipeline_state)
        encoder.set_buffer(buffer, 0, 0)
        encoder.dispatch_threads(5000, 256)
        encoder.end_encoding()
        commands.commit()
        # Nobody waits, and everything goes.
        del buffer, commands, encoder
    last = device.make_command_queue().make_command_buffer()
    last.commit()
    last.wait_until_completed()
    for view in views:
        deadline = threading.Event()
        for _ in range(3000):
            if view[-1] == 2.0 and (view == 2.0).all():
                break
            deadline.wait(0.01)
        assert (view == 2.0).all()


def test_an_array_without_copy_lives_as_long_as_its_buffer(device):
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")

    class Array(np.ndarray):
        pass

    array = np.zeros(16, np.float32).view(Array)
    gone = weakref.ref(array)
    buffer = pm.Buffer.from_numpy_no_copy(device, array)
    del array
    gc.collect()
    assert gone() is not None
    buffer.to_numpy(np.float32)[:] = 1.0
    del buffer
    gc.collect()
    assert gone() is None


def test_released_objects_are_counted(device):
    manager = metallic._resource_manager
    gc.collect()
    before, attempts = manager.get_cleanup_count(), manager.get_cleanup_attempts()
    queue = device.make_command_queue()
    library = device.make_library(DOUBLE)
    function = library.make_function("twice")
    pipeline = device.make_compute_pipeline_state(function)
    buffers = [device.make_buffer(16) for _ in range(3)]
    commands = queue.make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.end_encoding()
    del queue, library, function, pipeline, buffers, commands, encoder
    gc.collect()
    assert manager.get_cleanup_count() - before == 9
    assert manager.get_cleanup_attempts() - attempts >= 9


def resident_megabytes() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def test_nothing_leaks(device):
    def round_trip() -> None:
        for _ in range(40):
            buffer = device.make_buffer_from_numpy(np.ones(1 << 18, np.float32))
            view = buffer.to_numpy(np.float32)
            commands = device.make_command_queue().make_command_buffer()
            private = pm.async_buffer_from_numpy(device, view, commands)
            commands.add_completed_handler(lambda _: None)
            commands.commit()
            commands.wait_until_completed()
            assert private.size == view.nbytes

    try:
        resident_megabytes()
    except OSError:
        pytest.skip("no /proc")
    round_trip()
    gc.collect()
    before = resident_megabytes()
    for _ in range(3):
        round_trip()
    gc.collect()
    # 120 rounds of 3 MB.
    assert resident_megabytes() - before < 40


def test_memory_goes_back_to_the_system(device):
    """Also when a buffer that was made last lives on."""
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")
    try:
        before = resident_megabytes()
    except OSError:
        pytest.skip("no /proc")
    array = np.ones(1 << 20, np.float32)
    buffers = [device.make_buffer_from_numpy(array) for _ in range(50)]
    assert resident_megabytes() - before > 150
    del buffers[:-1]
    gc.collect()
    assert resident_megabytes() - before < 60


# ---- kernels and their cache ---------------------------------------------------------------------


def test_kernel_is_a_dataclass(device):
    kernel = pm.Kernel(device, DOUBLE, "twice")
    assert dataclasses.is_dataclass(kernel)
    assert (kernel.device, kernel.source, kernel.func, kernel.constants, kernel.options) == (device, DOUBLE, "twice", None, None)
    assert kernel == device.make_kernel(DOUBLE, "twice") and hash(kernel) == hash(device.make_kernel(DOUBLE, "twice"))
    assert kernel != pm.Kernel(device, DOUBLE, "thrice")
    assert "twice" in repr(kernel)


def test_equal_kernels_share_a_pipeline(device):
    source = DOUBLE + f"// {device.id}\n" + HEADER + "constant int c [[function_constant(0)]];\nkernel void f(device int* o) { o[0] = c; }"
    a = pm.Kernel(device, source, "f", {0: 1})
    assert a._pso is pm.Kernel(device, source, "f", {0: 1})._pso is kernel_cache.get(device, source, "f", {0: 1})
    assert a._pso is pm.Kernel(device, source, "f", {0: 1}, None)._pso
    different = [a._pso, pm.Kernel(device, source, "f", {0: 2})._pso, pm.Kernel(device, source, "f", {0: 1}, {"fast_math": False})._pso,
                 pm.Kernel(device, source, "twice")._pso, pm.Kernel(device, source + " ", "f", {0: 1})._pso]
    assert len({id(p) for p in different}) == len(different)


def test_eight_threads_get_one_pipeline(device):
    source = DOUBLE + "\n// only here"
    before = kernel_cache.stats()
    start = threading.Barrier(8)

    def ask() -> pm.ComputePipelineState:
        start.wait()
        return kernel_cache.get(device, source + device.id, "twice")

    with ThreadPoolExecutor(8) as pool:
        pipelines = [f.result() for f in [pool.submit(ask) for _ in range(8)]]
    assert len({id(p) for p in pipelines}) == 1
    after = kernel_cache.stats()
    assert after["misses"] - before["misses"] == 1 and after["hits"] - before["hits"] == 7
    assert after["pipelines"] - before["pipelines"] == 1


def test_threads_compile_and_run_different_kernels(device):
    def work(k: int) -> bool:
        source = HEADER + f"kernel void k{k}(device int* out, uint i [[thread_position_in_grid]]) {{ out[i] += {k} * int(i); }}"
        kernel = pm.Kernel(device, source, f"k{k}")
        out = np.zeros(300, np.int32)
        for _ in range(5):
            kernel(out)
        return np.array_equal(out, 5 * k * np.arange(300))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


def test_what_failed_to_compile_is_not_cached(device):
    entries = kernel_cache.stats()["pipelines"]
    for _ in range(2):
        with pytest.raises(pm.MetalError):
            kernel_cache.get(device, "kernel void f(", "f")
        with pytest.raises(pm.MetalError):
            kernel_cache.get(device, DOUBLE, "f")
    assert kernel_cache.stats()["pipelines"] == entries


def test_kernel_by_index(device, queue):
    source = HEADER + """
    kernel void axpy(device const float* x [[buffer(0)]], device float* y [[buffer(1)]], constant float& a [[buffer(3)]],
                     uint i [[thread_position_in_grid]]) { y[i] += a * x[i]; }
    """
    kernel = device.make_kernel(source, "axpy")
    x, y = (pm.Buffer.from_numpy(device, np.arange(10, dtype=np.float32)) for _ in range(2))
    a = np.array([2.0], np.float32)
    view = y.to_numpy(np.float32)
    calls = [
        lambda: kernel(queue, (10, 1, 1), (4, 1, 1), buffers=[(x, 0), (y, 1)], bytes_args=[(a, 3)]),
        lambda: kernel(queue, (10, 1, 1), None, [(x, 0), (y, 1)], [(a, 3)]),
        lambda: kernel(queue, 10, tgs=8, buffers=[(x, 0), (y, 1)], bytes_args=[(a, 3)]),
        lambda: kernel(queue=queue, grid=(10, 1), buffers=[(x, 0), (y, 1)], bytes_args=[(a, 3)]),
        lambda: kernel(grid=[10], buffers=[(x, 0), (y, 1)], bytes_args=[(np.float32(2.0), 3)]),
    ]
    for n, call in enumerate(calls):
        assert call() is None
        assert np.array_equal(view, (1 + 2 * (n + 1)) * np.arange(10))
    with pytest.raises(TypeError):
        kernel(queue, buffers=[(x, 0)])
    with pytest.raises(TypeError, match="twice"):
        kernel(queue, 10, grid=10, buffers=[(x, 0)])


def test_kernel_by_reflection(device):
    source = HEADER + """
    struct Params { float scale; uint2 shift; };
    kernel void f(device const float* in [[buffer(1)]], device float* out [[buffer(0)]], constant Params& p [[buffer(4)]],
                  uint2 at [[thread_position_in_grid]], uint2 size [[threads_per_grid]])
    { out[at.y * size.x + at.x] = p.scale * in[at.y * size.x + at.x] + float(p.shift.y); }
    """
    kernel = device.make_kernel(source, "f")
    params = np.zeros(1, np.dtype({"names": ["scale", "shift"], "formats": ["f4", ("u4", 2)], "offsets": [0, 8], "itemsize": 16}))
    params["scale"], params["shift"] = 3.0, (0, 7)
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    for out in (np.zeros((3, 4), np.float32), np.zeros((4, 3), np.float32).T.copy()):
        kernel(array, out, params)
        assert np.array_equal(out, 3 * array + 7)
    kernel(array, out, (2.0, (0, 1)))
    assert np.array_equal(out, 2 * array + 1)
    # What is not contiguous goes through a copy, and back.
    strided = np.zeros((3, 8), np.float32)
    kernel(array, strided[:, ::2], params)
    assert np.array_equal(strided[:, ::2], 3 * array + 7) and not strided[:, 1::2].any()
    # Buffers work too, with a grid.
    buffer = device.make_buffer(48)
    kernel(array, buffer, params, grid=(4, 3))
    assert np.array_equal(buffer.to_numpy(np.float32, (3, 4)), 3 * array + 7)


def test_vectors_need_no_aligned_arrays(device):
    source = HEADER + "kernel void f(device float4* data, uint i [[thread_position_in_grid]]) { data[i] *= 2.0f; }"
    storage = np.ones(4 * 10 + 3, np.float32)
    device.make_kernel(source, "f")(storage[1:41].reshape(10, 4))
    assert np.array_equal(storage, [1.0] + [2.0] * 40 + [1.0] * 2)


# ---- functions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 31, 32, 33, 100, 255, 256, 257, 1000, 4096, 9999, 10_000])
def test_scalar_operations(device, n):
    values = np.random.default_rng(n).standard_normal(n, dtype=np.float32)
    buffer = device.make_buffer_from_numpy(values)
    assert pm.scalar_add(device, buffer, 2.5) is None
    values = values + np.float32(2.5)
    assert np.array_equal(buffer.to_numpy(np.float32), values)
    pm.scalar_multiply(device, buffer, -0.1)
    values = values * np.float32(-0.1)
    assert np.array_equal(buffer.to_numpy(np.float32), values)
    pm.scalar_add(device, buffer, 1.0, n // 2)
    values[: n // 2] += np.float32(1.0)
    assert np.array_equal(buffer.to_numpy(np.float32), values)
    for bad in (-1, n + 1):
        with pytest.raises(pm.MetalError, match=f"{n}"):
            pm.scalar_add(device, buffer, 1.0, bad)


def test_fill_u32(device):
    buffer = device.make_buffer(4 * 100)
    view = buffer.to_numpy(np.uint32)
    fill_u32(device, buffer, 0xFFFFFFFF)
    assert (view == 0xFFFFFFFF).all()
    fill_u32(device, buffer, 7, 60)
    assert (view[:60] == 7).all() and (view[60:] == 0xFFFFFFFF).all()
    fill_u32(device, buffer, 0, 0)
    assert view[0] == 7
    with pytest.raises(pm.MetalError):
        fill_u32(device, buffer, 0, 101)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_read_scalar(device, queue, mode):
    array = np.array([1, 2, 3, 40000], np.uint32)
    buffer = device.make_buffer_from_numpy(array, mode)
    assert read_scalar(queue, buffer, np.uint32) == 1
    assert [read_scalar(queue, buffer, np.uint32, i) for i in range(4)] == [1, 2, 3, 40000]
    assert device.read_scalar(buffer, "u4", 3) == 40000 and type(device.read_scalar(buffer, "u4", 3)) is int
    assert type(read_scalar(queue, buffer, np.float32, 2)) is float
    assert read_scalar(queue, buffer, np.uint16, 6) == 40000
    for index in (4, -1):
        with pytest.raises(pm.MetalError, match="4 elements"):
            read_scalar(queue, buffer, np.uint32, index)


@pytest.mark.parametrize("mode", [0, 1, 2])
def test_async_buffer_from_numpy(device, queue, mode):
    arrays = [np.full(1000, i, np.float32) for i in range(12)]
    expected = [2 * a for a in arrays]
    commands = queue.make_command_buffer()
    buffers = [pm.async_buffer_from_numpy(device, a, commands, mode) for a in arrays]
    assert commands.get_status() == -1 and commands.status == "not_enqueued"
    for a in arrays:
        a[:] = -1.0  # staged already
    # A later encoder of the same command buffer sees the data.
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(device.make_kernel(DOUBLE, "twice").pipeline_state)
    for buffer in buffers:
        encoder.set_buffer(buffer, 0, 0)
        encoder.dispatch_threads(1000, 256)
    encoder.end_encoding()
    back = [device.make_buffer(4000) for _ in buffers]
    blit = commands.make_blit_command_encoder()
    for source, destination in zip(buffers, back):
        blit.copy_from_buffer(source, 0, destination, 0, 4000)
    blit.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    for buffer, values in zip(back, expected):
        assert np.array_equal(buffer.to_numpy(np.float32), values)
    assert all(b.storage_mode == mode for b in buffers)


def test_async_buffer_is_private_by_default(device, queue):
    commands = queue.make_command_buffer()
    assert pm.async_buffer_from_numpy(device, np.zeros(3), commands).storage_mode == pm.Buffer.STORAGE_PRIVATE


def test_run_simple_compute_example(capsys):
    pm.run_simple_compute_example()
    assert "vector_add" in capsys.readouterr().out

"""Memory shared with other libraries: arrays without a copy, the buffer protocol, DLPack."""

from __future__ import annotations

import array
import ctypes
import gc
import io
import mmap
import sys
import weakref

import numpy as np
import pytest
from support import HEADER

import pymetallic as pm
from pymetallic._native import as_array

SOURCE = HEADER + """
kernel void add(device const float* a, device const float* b, device float* out, uint i [[thread_position_in_grid]])
{ out[i] = a[i] + b[i]; }
kernel void twice(device float* data, uint i [[thread_position_in_grid]]) { data[i] *= 2.0f; }
"""


@pytest.fixture
def shared_device(device):
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")
    return device


# ---- from_array ----------------------------------------------------------------------------------


def test_from_array_without_copy(shared_device):
    values = np.arange(1000, dtype=np.float32)
    buffer = pm.Buffer.from_array(values, copy=False, device=shared_device)
    assert buffer.size == 4000 and not buffer.is_read_only and buffer.device == shared_device
    assert np.shares_memory(buffer.to_numpy(np.float32), values)
    shared_device.make_kernel(SOURCE, "twice")(shared_device.make_command_queue(), 1000, buffers=[(buffer, 0)])
    assert np.array_equal(values, 2 * np.arange(1000))
    values[:] = 7
    assert (buffer.to_numpy(np.float32) == 7).all()


def test_from_array_at_any_aligned_address(shared_device):
    """Neither pages nor cache lines matter."""
    storage = np.zeros(5000, np.float32)
    for start in (1, 3, 7, 1023):
        part = storage[start : start + 1000]
        storage[:] = 1
        buffer = pm.Buffer.from_array(part, copy=False, device=shared_device)
        shared_device.make_kernel(SOURCE, "twice")(shared_device.make_command_queue(), 1000, buffers=[(buffer, 0)])
        assert (part == 2).all() and storage.sum() == 5000 + 1000


def test_unaligned_memory_is_an_error_and_not_a_crash(shared_device):
    bytes_ = np.zeros(4001, np.uint8)
    for start in (1, 2, 3):
        part = bytes_[start : start + 3996]
        if part.ctypes.data % 4 == 0:
            continue
        buffer = pm.Buffer.from_array(part, copy=False, device=shared_device)
        with pytest.raises(pm.MetalError, match="aligned to 4 bytes"):
            shared_device.make_kernel(SOURCE, "twice")(shared_device.make_command_queue(), 999, buffers=[(buffer, 0)])


def test_from_array_copies_on_demand(device):
    values = np.arange(6, dtype=np.float32)
    buffer = pm.Buffer.from_array(values, copy=True, device=device)
    values[:] = 0
    assert np.array_equal(buffer.to_numpy(np.float32), np.arange(6))
    # What cannot be shared is copied, unless that is forbidden.
    for strided in (np.arange(12, dtype=np.float32).reshape(3, 4).T, np.arange(8, dtype=np.float32)[::2]):
        assert np.array_equal(pm.Buffer.from_array(strided, device=device).to_numpy(np.float32, strided.shape), strided)
        with pytest.raises(pm.MetalError, match="contiguous"):
            pm.Buffer.from_array(strided, copy=False, device=device)
    assert np.array_equal(pm.Buffer.from_array([1.0, 2.0], device=device).to_numpy(np.float64), [1, 2])
    for wrong in ([1.0, 2.0], 3, object(), "text", None):
        with pytest.raises(pm.MetalError, match="is no array"):
            pm.Buffer.from_array(wrong, copy=False, device=device)
    with pytest.raises(pm.MetalError, match="at least one byte"):
        pm.Buffer.from_array(np.zeros(0), copy=False, device=device)


def test_memory_that_belongs_to_the_capsule(shared_device):
    """Scalars of NumPy, and others, give the memory of an array that lives no longer than the capsule."""

    class Temporary:
        @property
        def __array_struct__(self):
            return np.full(1 << 20, 7, dtype=np.int32).__array_struct__

    buffer = pm.Buffer.from_array(Temporary(), device=shared_device)
    assert np.all(buffer.to_numpy(np.int32) == 7)


def test_from_array_uses_the_default_device():
    assert pm.Buffer.from_array(np.zeros(4)).device == pm.Device()


def test_read_only_arrays_make_read_only_buffers(shared_device):
    values = np.arange(100, dtype=np.float32)
    values.flags.writeable = False
    buffer = pm.Buffer.from_array(values, copy=False, device=shared_device)
    assert buffer.is_read_only and not buffer.to_numpy(np.float32).flags.writeable
    queue = shared_device.make_command_queue()
    out = shared_device.make_buffer(400)
    shared_device.make_kernel(SOURCE, "add")(queue, 100, buffers=[(buffer, 0), (buffer, 1), (out, 2)])
    assert np.array_equal(out.to_numpy(np.float32), 2 * np.arange(100))
    with pytest.raises(pm.MetalError, match="data.*read-only"):
        shared_device.make_kernel(SOURCE, "twice")(queue, 100, buffers=[(buffer, 0)])
    blit = queue.make_command_buffer().make_blit_command_encoder()
    with pytest.raises(pm.MetalError, match="destination buffer is read-only"):
        blit.copy_from_buffer(out, 0, buffer, 0, 400)
    with pytest.raises(pm.MetalError, match="read-only"):
        blit.fill_buffer(buffer, 0)
    blit.copy_from_buffer(buffer, 0, out, 0, 400)
    with pytest.raises(pm.MetalError, match="read-only"):
        queue.make_command_buffer().make_compute_command_encoder().use_resource(buffer)
    assert np.array_equal(values, np.arange(100))


def test_no_copy_takes_no_time_that_depends_on_the_size(shared_device):
    """The memory is never touched: a mapping much larger than what is free would not survive that."""
    if sys.platform != "linux":
        pytest.skip("needs sparse mappings")
    size = 1 << 38
    try:
        mapping = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000)  # MAP_NORESERVE
    except (OSError, ValueError):
        pytest.skip("no sparse mappings here")
    buffer = pm.Buffer.from_array(mapping, copy=False, device=shared_device)
    assert buffer.size == size
    view = buffer.to_numpy(np.float32)
    view[:4] = 1, 2, 3, 4
    shared_device.make_kernel(SOURCE, "twice")(shared_device.make_command_queue(), 4, buffers=[(buffer, 0)])
    assert np.frombuffer(mapping, np.float32, 4).tolist() == [2, 4, 6, 8]


def test_memory_without_copy_lives_as_long_as_its_buffer_and_views(shared_device):
    class Array(np.ndarray):
        pass

    values = np.zeros(16, np.float32).view(Array)
    gone = weakref.ref(values)
    buffer = pm.Buffer.from_array(values, copy=False, device=shared_device)
    del values
    view = buffer.to_numpy(np.float32)
    del buffer
    gc.collect()
    assert gone() is not None
    view[:] = 1
    del view
    gc.collect()
    assert gone() is None


# ---- the buffer protocol -------------------------------------------------------------------------


def objects_with_buffers() -> list[tuple[str, object]]:
    floats = array.array("f", range(12))
    mapping = mmap.mmap(-1, 48)
    mapping[:] = floats.tobytes()
    c_array = (ctypes.c_float * 12)(*range(12))
    return [("array", floats), ("memoryview", memoryview(floats)), ("memoryview 2d", memoryview(floats).cast("B").cast("f", (3, 4))),
            ("bytearray", bytearray(floats.tobytes())), ("bytes", floats.tobytes()), ("mmap", mapping), ("ctypes", c_array)]


@pytest.mark.parametrize("name", [name for name, _ in objects_with_buffers()])
def test_anything_with_the_buffer_protocol(shared_device, name):
    value = dict(objects_with_buffers())[name]
    buffer = pm.Buffer.from_array(value, copy=False, device=shared_device)
    assert np.array_equal(buffer.to_numpy(np.float32), np.arange(12)) and buffer.is_read_only == (name == "bytes")
    if name != "bytes":
        buffer.to_numpy(np.float32)[3] = 99
        assert as_array(value).tobytes() == buffer.to_numpy(np.uint8).tobytes()
    assert np.array_equal(pm.Buffer.from_numpy(shared_device, value).to_numpy(np.uint8), buffer.to_numpy(np.uint8))


def test_kernels_take_buffers_in_place(device):
    a, b, out = array.array("f", range(50)), memoryview(np.full(50, 2, np.float32)), array.array("f", bytes(200))
    device.make_kernel(SOURCE, "add")(a, b, out)
    assert list(out) == [i + 2 for i in range(50)]
    with pytest.raises(pm.MetalError, match="out.*read-only"):
        device.make_kernel(SOURCE, "add")(a, b, memoryview(bytes(200)).cast("f"))
    with pytest.raises(pm.MetalError, match="argument a points to float"):
        device.make_kernel(SOURCE, "add")(array.array("d", range(50)), b, out)
    with pytest.raises(pm.MetalError, match="argument b is a buffer: pass an array or a Buffer, not str"):
        device.make_kernel(SOURCE, "add")(a, "b", out)


def test_buffers_have_the_buffer_protocol(device):
    buffer = device.make_buffer_from_numpy(np.arange(10, dtype=np.int32))
    view = memoryview(buffer)
    assert (view.format, view.shape, view.strides, view.readonly, view.nbytes, view.c_contiguous) == ("B", (40,), (1,), False, 40, True)
    assert view.cast("i").tolist() == list(range(10)) and bytes(buffer) == np.arange(10, dtype=np.int32).tobytes()
    view.cast("i")[3] = 99
    assert buffer.to_numpy(np.int32)[3] == 99
    assert np.shares_memory(np.frombuffer(buffer, np.int32), buffer.to_numpy(np.int32))
    del buffer
    gc.collect()
    assert view.cast("i")[3] == 99
    file = io.BytesIO()
    file.write(view)
    assert len(file.getvalue()) == 40
    with pytest.raises(BufferError, match="private"):
        memoryview(device.make_buffer(16, pm.Buffer.STORAGE_PRIVATE))


def test_read_only_buffers_have_read_only_views(shared_device):
    buffer = pm.Buffer.from_array(b"read only", copy=False, device=shared_device)
    assert memoryview(buffer).readonly and bytes(memoryview(buffer)) == b"read only"
    with pytest.raises((BufferError, TypeError), match="read-only|read-write"):
        io.BytesIO(b"12345").readinto(buffer)


# ---- DLPack --------------------------------------------------------------------------------------


class Tensor:
    """A producer of DLPack by hand: NumPy's capsules, with what NumPy cannot say."""

    def __init__(self, values: np.ndarray, place: tuple[int, int] = (1, 0), versioned: bool = True) -> None:
        self.values, self.place, self.versioned, self.calls = values, place, versioned, []

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.place

    def __dlpack__(self, **arguments: object) -> object:
        self.calls.append(arguments)
        if not self.versioned:
            if "max_version" in arguments:
                raise TypeError("unexpected keyword argument 'max_version'")
            return self.values.__dlpack__()
        return self.values.__dlpack__(**arguments)


@pytest.mark.parametrize("versioned", [True, False], ids=["version 1", "version 0"])
def test_from_dlpack(shared_device, versioned):
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    tensor = Tensor(values, versioned=versioned)
    buffer = pm.Buffer.from_dlpack(tensor, device=shared_device)
    assert tensor.calls[0] == {"max_version": (1, 0)}
    assert np.shares_memory(buffer.to_numpy(np.float32), values)
    pm.Kernel(shared_device, SOURCE, "twice")(tensor, grid=24)
    assert np.array_equal(values, 2 * np.arange(24).reshape(4, 6))


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "c16"])
def test_dlpack_keeps_dtype_and_shape(dtype):
    values = np.ones((2, 3, 4), dtype)[:, ::-1, ::2]
    seen = as_array(Tensor(values))
    assert seen.dtype == values.dtype and seen.shape == values.shape and seen.strides == values.strides
    assert np.shares_memory(seen, values)
    for shape in ((), (0,), (1, 0, 3)):
        empty = np.zeros(shape, dtype)
        assert as_array(Tensor(empty)).shape == shape


def test_dlpack_of_strided_tensors(device):
    values = np.arange(24, dtype=np.float32).reshape(4, 6)
    with pytest.raises(pm.MetalError, match="contiguous"):
        pm.Buffer.from_dlpack(Tensor(values.T), device=device)
    expected = 2 * values[:, ::2]
    pm.Kernel(device, SOURCE, "twice")(Tensor(values[:, ::2]), grid=12)
    assert np.array_equal(values[:, ::2], expected) and values[0, 1] == 1.0


def test_dlpack_keeps_the_tensor_alive(shared_device):
    class Array(np.ndarray):
        pass

    values = np.zeros(16, np.float32).view(Array)
    gone = weakref.ref(values)
    buffer = pm.Buffer.from_dlpack(Tensor(values), device=shared_device)
    del values
    gc.collect()
    assert gone() is not None
    buffer.to_numpy(np.float32)[:] = 1.0
    del buffer
    gc.collect()
    assert gone() is None


def test_dlpack_of_read_only_tensors(shared_device):
    values = np.arange(4, dtype=np.float32)
    values.flags.writeable = False
    assert pm.Buffer.from_dlpack(Tensor(values), device=shared_device).is_read_only
    with pytest.raises(pm.MetalError, match="read-only"):
        pm.Kernel(shared_device, SOURCE, "twice")(Tensor(values))


def test_tensors_elsewhere_are_refused(shared_device):
    tensor = Tensor(np.zeros(4, np.float32), place=(2, 1))
    with pytest.raises(pm.MetalError, match="CUDA device 1"):
        pm.Buffer.from_dlpack(tensor, device=shared_device)
    with pytest.raises(pm.MetalError, match="argument data.*CUDA device 1"):
        pm.Kernel(shared_device, SOURCE, "twice")(tensor)
    assert tensor.calls == []


def test_wrong_producers(device):
    class Wrong(Tensor):
        def __dlpack__(self, **_: object) -> object:
            return self.values

    for wrong in (None, 3, np.zeros(3)):
        with pytest.raises(pm.MetalError, match="no DLPack capsule"):
            pm.Buffer.from_dlpack(Wrong(wrong), device=device)
    used = Tensor(np.zeros(3, np.float32)).__dlpack__()
    once = Wrong(used)
    pm.Buffer.from_dlpack(once, device=device)
    with pytest.raises(pm.MetalError, match="used already"):
        pm.Buffer.from_dlpack(once, device=device)
    with pytest.raises(TypeError, match="int has no __dlpack__"):
        pm.Buffer.from_dlpack(3, device=device)


def test_buffers_of_a_gpu_are_tensors_there(device):
    if not device.id.startswith("cuda"):
        with pytest.raises(AttributeError):
            device.make_buffer(16).__cuda_array_interface__
        pytest.skip("not an NVIDIA GPU")
    number = int(device.id.split(":")[1])
    buffer = device.make_buffer_from_numpy(np.arange(10, dtype=np.float32))
    assert buffer.__dlpack_device__() == (2, number)
    interface = buffer.__cuda_array_interface__
    assert interface["data"] == (buffer.gpu_address, False) and interface["shape"] == (40,)
    again = pm.Buffer.from_dlpack(buffer, device=device)
    pm.Kernel(device, SOURCE, "twice")(again, grid=10)
    assert buffer.to_numpy(np.float32).tolist() == [2.0 * i for i in range(10)]


def test_numpy_takes_buffers_by_dlpack(device):
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")
    buffer = device.make_buffer_from_numpy(np.arange(10, dtype=np.float32))
    assert buffer.__dlpack_device__() == (1, 0)
    view = np.from_dlpack(buffer)
    assert view.dtype == np.uint8 and view.shape == (40,)
    assert np.shares_memory(view, buffer.to_numpy(np.float32))
    assert np.array_equal(view.view(np.float32), np.arange(10))
    copy = np.from_dlpack(buffer, copy=True) if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else view.copy()
    assert not np.shares_memory(copy, view)
    again = pm.Buffer.from_dlpack(buffer, device=device)
    assert np.shares_memory(again.to_numpy(np.uint8), view)
    del buffer, again
    gc.collect()
    assert np.array_equal(view.view(np.float32), np.arange(10))


def test_dlpack_of_buffers_that_cannot(device):
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")
    private = device.make_buffer(16, pm.Buffer.STORAGE_PRIVATE)
    for call in (private.__dlpack__, private.__dlpack_device__):
        with pytest.raises(BufferError, match="private"):
            call()
    shared = device.make_buffer(16)
    with pytest.raises(BufferError, match="elsewhere"):
        shared.__dlpack__(dl_device=(2, 0))
    assert "dltensor_versioned" in repr(shared.__dlpack__(max_version=(1, 0)))
    assert '"dltensor"' in repr(shared.__dlpack__(max_version=(0, 8))) and '"dltensor"' in repr(shared.__dlpack__())
    assert shared.__dlpack__(dl_device=(1, 0), copy=False, stream=None) is not None


def test_unused_capsules_release_their_buffer(device):
    """A capsule that nobody takes gives its reference back when it dies."""
    if not device.has_unified_memory:
        pytest.skip("the device has memory of its own")

    class Array(np.ndarray):
        pass

    for version in (None, (1, 0)):
        values = np.zeros(16, np.float32).view(Array)
        gone = weakref.ref(values)
        capsule = pm.Buffer.from_array(values, copy=False, device=device).__dlpack__(max_version=version)
        del values
        gc.collect()
        assert gone() is not None
        del capsule
        gc.collect()
        assert gone() is None


def test_read_only_buffers_by_dlpack(shared_device):
    buffer = pm.Buffer.from_array(b"bytes", copy=False, device=shared_device)
    with pytest.raises(BufferError, match="DLPack 1"):
        buffer.__dlpack__()
    assert pm.Buffer.from_dlpack(buffer, device=shared_device).is_read_only


def test_torch(shared_device):
    torch = pytest.importorskip("torch")
    a, b, out = torch.arange(10, dtype=torch.float32), torch.full((10,), 2.0), torch.zeros(10)
    shared_device.make_kernel(SOURCE, "add")(a, b, out)
    assert torch.equal(out, a + b)
    buffer = pm.Buffer.from_dlpack(out, device=shared_device)
    buffer.to_numpy(np.float32)[0] = 7.0
    assert out[0] == 7.0
    back = torch.from_dlpack(buffer).view(torch.float32)
    assert back.data_ptr() == out.data_ptr()
    assert as_array(torch.zeros(3, dtype=torch.bfloat16)).dtype == np.uint16

"""The functions of the package: uploads, fills, scalar arithmetic, reads."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._kernel import Kernel, default_queue
from ._native import (
    Buffer,
    CommandQueue,
    Device,
    MetalValidationError,
    async_buffer_from_numpy,
    async_buffer_to_numpy,
)
from .kernels import get_kernel_source

__all__ = [
    "async_buffer_from_numpy", "async_buffer_to_numpy", "fill_u32", "get_default_device", "read_scalar", "run_simple_compute_example",
    "scalar_add", "scalar_multiply",
]


def get_default_device() -> Device:
    """Same as ``Device.get_default_device()``. Raises MetalError when there is none."""
    return Device.get_default_device()


def _count(buffer: Buffer, count: int | None, name: str) -> int:
    available = buffer.size // 4
    if count is None:
        return available
    if not 0 <= count <= available:
        raise MetalValidationError(f"{name}: {count} elements in a buffer of {available}")
    return int(count)


def _run_helper(device: Device, kernel: str, buffer: Buffer, count: int, values: list[np.ndarray]) -> None:
    if count == 0:
        return
    helper = Kernel(device, get_kernel_source("helper_kernels"), kernel)
    helper(default_queue(device), (count, 1, 1), None, buffers=[(buffer, 0)], bytes_args=[(v, i + 1) for i, v in enumerate(values)])


def fill_u32(device: Device, buffer: Buffer, value: int, count_u32: int | None = None) -> None:
    """Sets the first ``count_u32`` (all by default) 32-bit words of a buffer to ``value``, 0 to 2**32 - 1.

    Raises MetalValidationError when the buffer holds fewer.
    """
    count = _count(buffer, count_u32, "fill_u32")
    _run_helper(device, "fill_u32", buffer, count, [np.array([count, value], dtype=np.uint32)])


def scalar_add(device: Device, buffer: Buffer, scalar: float, count: int | None = None) -> None:
    """Adds ``scalar`` to the first ``count`` (all by default) float32 elements, in place.

    Raises MetalValidationError when the buffer holds fewer.
    """
    n = _count(buffer, count, "scalar_add")
    _run_helper(device, "scalar_add_f32", buffer, n, [np.array([scalar], dtype=np.float32), np.array([n], dtype=np.uint32)])


def scalar_multiply(device: Device, buffer: Buffer, scalar: float, count: int | None = None) -> None:
    """Multiplies the first ``count`` (all by default) float32 elements by ``scalar``, in place.

    Raises MetalValidationError when the buffer holds fewer.
    """
    n = _count(buffer, count, "scalar_multiply")
    _run_helper(device, "scalar_multiply_f32", buffer, n, [np.array([scalar], dtype=np.float32), np.array([n], dtype=np.uint32)])


def read_scalar(queue: CommandQueue, buffer: Buffer, dtype: Any, i: int | None = None) -> Any:
    """Element ``i`` (the first by default) of a buffer of any storage mode, as a Python scalar.

    dtype: of the elements, any of NumPy's. Raises MetalValidationError when there is no such element.
    """
    dtype = np.dtype(dtype)
    index = 0 if i is None else int(i)
    count = buffer.size // dtype.itemsize
    if not 0 <= index < count:
        raise MetalValidationError(f"read_scalar: element {index} of a buffer of {count} elements of {dtype}")
    staging = Buffer(buffer.device, dtype.itemsize, Buffer.STORAGE_SHARED)
    commands = queue.make_command_buffer()
    encoder = commands.make_blit_command_encoder()
    encoder.copy_from_buffer(buffer, index * dtype.itemsize, staging, 0, dtype.itemsize)
    encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    return staging.to_numpy(dtype)[0].item()


def run_simple_compute_example() -> np.ndarray:
    """Adds two vectors on the default device, prints what it did, and returns the sum."""
    device = Device.get_default_device()
    n = 1024
    a = np.arange(n, dtype=np.float32)
    b = np.full(n, 2.0, dtype=np.float32)
    result = np.zeros(n, dtype=np.float32)
    Kernel(device, get_kernel_source("demo_kernels"), "vector_add")(a, b, result)
    if not np.array_equal(result, a + b):
        raise AssertionError("the result differs from NumPy's")
    print(f"vector_add of {n} floats on {device.name}: result[:5] = {result[:5]}")
    return result

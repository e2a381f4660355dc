"""Everything of the package, under the name that programs written for PyMetallic 0.3 import it from."""

from __future__ import annotations

from . import _native
from ._functions import (
    async_buffer_from_numpy,
    async_buffer_to_numpy,
    fill_u32,
    get_default_device,
    read_scalar,
    run_simple_compute_example,
    scalar_add,
    scalar_multiply,
)
from ._kernel import Kernel, _KernelCache, kernel_cache
from ._native import (
    BlitCommandEncoder,
    Buffer,
    CommandBuffer,
    CommandQueue,
    ComputeCommandEncoder,
    ComputePipelineState,
    Device,
    Event,
    Function,
    FunctionHandle,
    Library,
    LogState,
    MetalCompileError,
    MetalDeviceError,
    MetalError,
    MetalExecutionError,
    MetalMemoryError,
    MetalValidationError,
    SamplerState,
    Texture,
    VisibleFunctionTable,
)

__all__ = [
    "BlitCommandEncoder", "Buffer", "CommandBuffer", "CommandQueue", "ComputeCommandEncoder", "ComputePipelineState",
    "Device", "Event", "Function", "FunctionHandle", "Kernel", "Library", "LogState", "MetalCompileError", "MetalDeviceError", "MetalError",
    "MetalExecutionError", "MetalMemoryError", "MetalValidationError", "SamplerState", "Texture", "VisibleFunctionTable", "_KernelCache",
    "_resource_manager", "async_buffer_from_numpy", "async_buffer_to_numpy", "fill_u32", "get_default_device", "kernel_cache", "read_scalar",
    "run_simple_compute_example", "scalar_add", "scalar_multiply",
]


class _ResourceManager:
    """How many native objects were released when their Python objects died."""

    def get_cleanup_count(self) -> int:
        return _native.released_objects()

    def get_cleanup_attempts(self) -> int:
        return _native.released_objects()


_resource_manager = _ResourceManager()

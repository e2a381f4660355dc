"""Metal compute on any machine: write kernels in the Metal Shading Language, run them from Python.

    import numpy as np, pymetallic as pm

    kernel = pm.Device().make_kernel(source, "vector_add")
    kernel(a, b, out)

The classes are Metal's, in snake case. See ``Kernel`` for the short way, ``Device`` for the long one.
"""

from ._native import __version__
from .metallic import (
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
    Kernel,
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
    async_buffer_from_numpy,
    async_buffer_to_numpy,
    get_default_device,
    run_simple_compute_example,
    scalar_add,
    scalar_multiply,
)

__all__ = [
    "BlitCommandEncoder", "Buffer", "CommandBuffer", "CommandQueue", "ComputeCommandEncoder", "ComputePipelineState",
    "Device", "Event", "Function", "FunctionHandle", "Kernel", "Library", "LogState", "MetalCompileError", "MetalDeviceError", "MetalError",
    "MetalExecutionError", "MetalMemoryError", "MetalValidationError", "SamplerState", "Texture", "VisibleFunctionTable", "__version__",
    "async_buffer_from_numpy", "async_buffer_to_numpy", "get_default_device", "run_simple_compute_example", "scalar_add", "scalar_multiply",
]

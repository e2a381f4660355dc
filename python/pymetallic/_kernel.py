"""Pipelines by source and name, compiled once, and kernels that are called like functions."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._native import (
    Buffer,
    CommandQueue,
    ComputePipelineState,
    Device,
    Library,
    MetalValidationError,
    SamplerState,
    Texture,
    as_array,
    gpu_array,
)

__all__ = ["Kernel", "kernel_cache"]


class _KernelCache:
    """Compiled pipelines by (device, source, function, constants, options).

    Any number of threads may ask; each different pipeline is compiled once, and different ones in parallel.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._libraries: dict[tuple, _Once] = {}
        self._pipelines: dict[tuple, _Once] = {}
        self._hits = 0
        self._misses = 0

    def get(self, device: Device, source: str, func_name: str, constants: Mapping | None = None,
            options: Mapping | None = None) -> ComputePipelineState:
        """The pipeline of a kernel, compiled when asked for the first time.

        constants: values of function constants, by index or name.
        options: compile options, see ``Device.make_library``.
        """
        library_key = (device, source, _freeze(options))
        key = (*library_key, func_name, _freeze(constants))
        with self._lock:
            once = self._pipelines.get(key)
            if once is None:
                self._misses += 1
                once = self._pipelines[key] = _Once()
            else:
                self._hits += 1
            library_once = self._libraries.setdefault(library_key, _Once())

        def make() -> ComputePipelineState:
            library = library_once.get(lambda: Library(device, source, dict(options) if options else None))
            function = library.make_function(func_name, dict(constants) if constants else None)
            return ComputePipelineState(device, function)

        try:
            return once.get(make)
        except Exception:
            # What failed is not kept: files that it includes may change.
            with self._lock:
                if self._pipelines.get(key) is once:
                    del self._pipelines[key]
                if not library_once.is_done and self._libraries.get(library_key) is library_once:
                    del self._libraries[library_key]
            raise

    def stats(self) -> dict[str, int]:
        """How often ``get`` found a pipeline (hits) or had to compile (misses), and how many there are."""
        with self._lock:
            return {"hits": self._hits, "misses": self._misses, "pipelines": len(self._pipelines), "libraries": len(self._libraries)}

    def clear(self) -> None:
        """Forgets all pipelines; those in use live on."""
        with self._lock:
            self._pipelines.clear()
            self._libraries.clear()


class _Once:
    """A value that is made by the first thread that asks, while the others wait for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value: Any = None
        self.is_done = False

    def get(self, make: Callable[[], Any]) -> Any:
        if self.is_done:
            return self._value
        with self._lock:
            if not self.is_done:
                self._value = make()
                self.is_done = True
            return self._value


def _freeze(value: Any) -> Any:
    """A hashable equivalent of nested dicts and lists."""
    if isinstance(value, Mapping):
        return tuple(sorted(((str(k), _freeze(v)) for k, v in value.items()), key=lambda item: item[0]))
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, (list, tuple)):
        return tuple(_freeze(v) for v in value)
    if isinstance(value, np.generic):
        return (value.dtype.str, value.item())
    # 1, 1.0 and True are different constants.
    return (type(value).__name__, value) if isinstance(value, (bool, int, float)) else value


kernel_cache = _KernelCache()
if hasattr(os, "register_at_fork"):
    # Devices do not survive a fork, and what another thread had locked then stays locked: the child gets the error
    # that says so, and not a wait for ever.
    os.register_at_fork(after_in_child=kernel_cache.__init__)  # type: ignore[misc]

_queues: dict[str, CommandQueue] = {}


def default_queue(device: Device) -> CommandQueue:
    """The queue that calls without one use, one per device."""
    queue = _queues.get(device.id)
    if queue is None or queue.device != device:
        # A device that was lost and opened again is another one.
        queue = _queues[device.id] = device.make_command_queue()
    return queue


def _is_on_gpu(value: Any) -> bool:
    """Whether an argument is an array in memory of an NVIDIA GPU (PyTorch, CuPy, JAX, Numba)."""
    place = getattr(value, "__dlpack_device__", None)
    if place is not None:
        return int(place()[0]) == 2
    return hasattr(value, "__cuda_array_interface__")


@dataclass(repr=False)
class Kernel:
    """A kernel of MSL source, called like a function.

    ``kernel(a, b, out, scale)`` binds arguments to the kernel's buffers, textures and samplers in the order in
    which the kernel declares them: arrays (NumPy's, anything with the buffer protocol or DLPack; used in place where
    the device shares memory with the host, copied in and out where not), :class:`Buffer`, :class:`Texture`, :class:`SamplerState`, and scalars,
    structured scalars or small arrays for arguments that are passed by value. ``grid`` is the number of threads;
    without it, one thread per element of the first array that the kernel writes (``(width, height)`` for
    two dimensions). Returns after completion.

    ``kernel(queue, grid, tgs, buffers=[(buffer, index)], bytes_args=[(ndarray, index)])`` binds by index.

    Pipelines come from :data:`kernel_cache`: equal kernels share one.
    """

    device: Device
    source: str
    func: str
    constants: Mapping | None = None
    options: Mapping | None = None
    _pso: ComputePipelineState = field(init=False, repr=False, compare=False)
    _reflection: list[Any] | None = field(init=False, repr=False, compare=False, default=None)
    _params: list[Any] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        self._pso = kernel_cache.get(self.device, self.source, self.func, self.constants, self.options)

    def __hash__(self) -> int:
        return hash((self.device, self.source, self.func, _freeze(self.constants), _freeze(self.options)))

    @property
    def pipeline_state(self) -> ComputePipelineState:
        """The compiled pipeline."""
        return self._pso

    @property
    def reflection(self) -> list[Any]:
        """The kernel's arguments, see ``ComputePipelineState.reflection``."""
        if self._reflection is None:
            self._reflection = self._pso.reflection
        return self._reflection

    def __repr__(self) -> str:
        return f"<pymetallic.Kernel {self.func} on {self.device.id}>"

    def __call__(self, *args: Any, grid: Any = None, threadgroup: Any = None, tgs: Any = None,
                 buffers: Sequence[tuple[Buffer, int]] | None = None,
                 bytes_args: Sequence[tuple[Any, int]] | None = None, queue: CommandQueue | None = None) -> None:
        by_index = {"grid": grid, "tgs": threadgroup if tgs is None else tgs, "buffers": buffers, "bytes_args": bytes_args}
        if args and isinstance(args[0], CommandQueue):
            if queue is not None:
                raise TypeError("the queue is given twice")
            queue, args = args[0], args[1:]
        elif buffers is None and bytes_args is None:
            self._run_by_reflection(queue or default_queue(self.device), args, grid, by_index["tgs"])
            return
        if len(args) > len(by_index):
            raise TypeError("expected kernel(queue, grid, tgs=None, buffers=[...], bytes_args=[...])")
        for name, value in zip(by_index, args):
            if by_index[name] is not None:
                raise TypeError(f"{name} is given twice")
            by_index[name] = value
        if by_index["grid"] is None:
            raise TypeError("expected kernel(queue, grid, tgs=None, buffers=[...], bytes_args=[...])")
        self._run_by_index(queue or default_queue(self.device), by_index["grid"], by_index["tgs"],
                           by_index["buffers"] or (), by_index["bytes_args"] or ())

    # ---- by index ----------------------------------------------------------------------

    def _run_by_index(self, queue: CommandQueue, grid: Any, threadgroup: Any, buffers: Sequence, bytes_args: Sequence) -> None:
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(self._pso)
        for buffer, index in buffers:
            encoder.set_buffer(buffer, 0, index)
        for value, index in bytes_args:
            encoder.set_bytes(value, index)
        encoder.dispatch_threads(grid, self._threadgroup(grid) if threadgroup is None else threadgroup)
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()

    # ---- by reflection -----------------------------------------------------------------

    def _run_by_reflection(self, queue: CommandQueue, args: tuple, grid: Any, threadgroup: Any) -> None:
        params = self._params
        if params is None:
            params = self._params = [p for p in self.reflection if p["kind"] != "threadgroup"]
        if len(args) != len(params):
            names = ", ".join(p["name"] for p in params)
            raise MetalValidationError(f"kernel {self.func} takes {len(params)} arguments ({names}), {len(args)} were given")
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        try:
            encoder.set_compute_pipeline_state(self._pso)
            copies: list[tuple[np.ndarray, Buffer]] = []
            inferred = None
            for param, value in zip(params, args):
                shape = self._bind(encoder, param, value, copies)
                if shape is not None and (inferred is None or (param["access"] != "read" and not inferred[1])):
                    inferred = (shape, param["access"] != "read")
            if grid is None:
                if inferred is None:
                    raise MetalValidationError(f"kernel {self.func}: no argument tells the grid; pass grid=…")
                grid = inferred[0]
            encoder.dispatch_threads(grid, self._threadgroup(grid) if threadgroup is None else threadgroup)
        finally:
            encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()
        for array, buffer in copies:
            np.copyto(array, buffer.to_numpy(array.dtype, array.shape))

    def _bind(self, encoder: Any, param: dict, value: Any, copies: list) -> tuple | None:
        """Binds one argument; gives the grid that it suggests."""
        index = param["index"]
        if isinstance(value, Buffer) and param["kind"] == "buffer":
            encoder.set_buffer(value, 0, index)
            return (max(value.size // max(param["size"], 1), 1),) if not param["by_value"] else None
        where = f"kernel {self.func}: argument {param['name']}"
        if param["kind"] == "texture":
            if not isinstance(value, Texture):
                raise MetalValidationError(f"{where} is a texture, not {type(value).__name__}")
            encoder.set_texture(value, index)
            return (value.width, value.height, value.depth)
        if param["kind"] == "sampler":
            if not isinstance(value, SamplerState):
                raise MetalValidationError(f"{where} is a sampler, not {type(value).__name__}")
            encoder.set_sampler_state(value, index)
            return None
        if param["by_value"] and param["access"] == "read":
            encoder.set_bytes(self._value(where, param, value), index)
            return None
        if not isinstance(value, np.ndarray):
            try:
                on_gpu = gpu_array(self.device, value) if _is_on_gpu(value) else None
            except MetalValidationError as error:
                raise MetalValidationError(f"{where}: {error}") from None
            if on_gpu is not None:
                buffer, dtype, shape = on_gpu
                # Says what the array holds and takes no memory.
                stand_in = np.lib.stride_tricks.as_strided(np.zeros(1, dtype), shape, (0,) * len(shape))
                self._check_dtype(where, param, stand_in)
                encoder.set_buffer(buffer, 0, index)
                return self._grid_of(param, stand_in)
            try:
                value = as_array(value)
            except MetalValidationError as error:
                raise MetalValidationError(f"{where} is a buffer: pass an array or a Buffer, not {type(value).__name__} ({error})") from None
        self._check_dtype(where, param, value)
        if value.size == 0:
            raise MetalValidationError(f"{where}: the array is empty")
        is_read = param["access"] == "read"
        flags = value.flags
        in_place = self.device.has_unified_memory and flags.c_contiguous and flags.aligned and value.dtype.isnative
        if in_place and param["size"] > value.itemsize:
            # Vectors and structures may need more alignment than the array's own elements.
            in_place = value.__array_interface__["data"][0] % 16 == 0
        if not is_read and not value.flags.writeable:
            raise MetalValidationError(f"{where} is written to, but the array is read-only")
        if in_place:
            buffer = Buffer.from_array(value, copy=False, device=self.device)
        else:
            buffer = Buffer.from_numpy(self.device, value)
            if not is_read:
                copies.append((value, buffer))
        encoder.set_buffer(buffer, 0, index)
        return self._grid_of(param, value)

    def _value(self, where: str, param: dict, value: Any) -> np.ndarray:
        dtype = param["dtype"]
        if dtype is None:
            return np.ascontiguousarray(value)
        target = np.dtype(dtype)
        if target.fields is not None and not isinstance(value, (np.ndarray, np.generic)):
            return self._packed(where, param, target, value)
        array = np.asarray(value)
        if array.dtype == target:
            result = array
        elif target.fields is not None or array.dtype.fields is not None or target.subdtype is not None:
            if array.nbytes == target.itemsize and array.dtype.fields is not None:
                return np.ascontiguousarray(array)
            return self._packed(where, param, target, value)
        else:
            if array.size != 1:
                raise MetalValidationError(f"{where} is one {param['type']}, not an array of {array.size}")
            try:
                if array.dtype.kind == "c":
                    raise TypeError
                with np.errstate(invalid="ignore"):
                    result = array.astype(target)
            except (TypeError, ValueError, OverflowError):
                raise MetalValidationError(f"{where} is one {param['type']}, not {value!r}") from None
            if target.kind in "iu" and not np.array_equal(result, array):
                raise MetalValidationError(f"{where}: {value} does not fit {param['type']}")
        return np.ascontiguousarray(result)

    def _packed(self, where: str, param: dict, target: np.dtype, value: Any) -> np.ndarray:
        """A structure or vector from a tuple, a list or an array."""
        result = np.zeros(1, dtype=target)
        try:
            result[...] = value
        except (TypeError, ValueError) as error:
            raise MetalValidationError(f"{where} is a {param['type']} of {param['size']} bytes: {error}") from None
        return result

    def _check_dtype(self, where: str, param: dict, array: np.ndarray) -> None:
        """A scalar or vector element must agree in its component type; structures and bytes only in size."""
        dtype = param["dtype"]
        if dtype is None or array.dtype.fields is not None or array.dtype == np.uint8:
            return
        target = np.dtype(dtype)
        base = target.subdtype[0] if target.subdtype else target
        if base.fields is not None:
            return
        if array.dtype != base:
            raise MetalValidationError(f"{where} points to {param['type']}, the array holds {array.dtype}")

    def _grid_of(self, param: dict, array: np.ndarray) -> tuple[int, ...]:
        """Threads for one per element, x along the last axis."""
        shape = list(array.shape)
        components = param["size"] // array.itemsize if param["dtype"] is not None else 1
        if components > 1 and shape and shape[-1] == components:
            shape.pop()
        if len(shape) > 3:
            shape = [int(np.prod(shape))]
        return tuple(reversed(shape)) or (1,)

    def _threadgroup(self, grid: Any) -> tuple[int, int, int]:
        """A shape for kernels that did not say: 256 threads along x, 32 x 8 in two dimensions, 8 x 8 x 4 in three."""
        sizes = [grid] if isinstance(grid, int) else list(grid) if np.iterable(grid) else [grid]
        sizes += [1] * (3 - len(sizes))
        limit = self._pso.max_total_threads_per_threadgroup
        shape = (8, 8, 4) if sizes[2] > 1 else (32, 8, 1) if sizes[1] > 1 else (256, 1, 1)
        while shape[0] * shape[1] * shape[2] > limit:
            shape = (shape[0], max(shape[1] // 2, 1), shape[2]) if shape[1] > 1 else (shape[0] // 2, 1, max(shape[2] // 2, 1))
        return shape

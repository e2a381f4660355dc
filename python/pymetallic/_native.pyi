"""The native classes of PyMetallic. Import them from ``pymetallic``.

Sizes are in bytes, times in seconds, grids and threadgroups in threads: an int or a sequence (x[, y[, z]]).
Regions of textures are (x, y, z, width, height, depth) in texels. Whatever is used wrongly raises
:class:`MetalValidationError`, which says kernel, argument and reason, before anything runs.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from os import PathLike
from typing import Any, Literal, SupportsIndex, TypeAlias, TypedDict, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._kernel import Kernel

_Size: TypeAlias = SupportsIndex | Sequence[SupportsIndex]
_Region: TypeAlias = Sequence[int] | None
_Constants: TypeAlias = Mapping[int, Any] | Mapping[str, Any] | Mapping[int | str, Any]
_Status: TypeAlias = Literal["not_enqueued", "enqueued", "committed", "scheduled", "completed", "error"]

class _CompileOptions(TypedDict, total=False):
    """Options of ``Device.make_library``, of kernels and of the kernel cache. (For type checkers only.)"""

    fast_math: bool
    """Whether floating-point rules may be relaxed, as Metal does by default. False: results are exact IEEE ones
    wherever MSL requires that."""
    language_version: str
    """``"3.1"``; the newest by default."""
    macros: Mapping[str, Any]
    """Names (perhaps with parameters) and what replaces them."""
    include_directories: Sequence[str | PathLike[str]]
    """Where ``#include`` searches, in order."""
    headers: Mapping[str, str]
    """Files that ``#include`` finds by name, before any directory."""
    name: str
    """What diagnostics call the source."""

class _Parameter(TypedDict, total=False):
    name: str
    kind: Literal["buffer", "texture", "sampler", "threadgroup"]
    index: int
    access: Literal["read", "write", "read_write"]
    used: bool
    type: str
    size: int
    dtype: Any
    is_constant: bool
    by_value: bool
    count: int

__all__ = [
    "__version__", "MetalError", "MetalCompileError", "MetalValidationError", "MetalDeviceError", "MetalMemoryError",
    "MetalExecutionError", "Device", "Buffer", "Texture", "SamplerState", "Library", "Function", "FunctionHandle", "VisibleFunctionTable", "ComputePipelineState",
    "CommandQueue", "CommandBuffer", "ComputeCommandEncoder", "BlitCommandEncoder", "Event", "as_array", "gpu_array", "async_buffer_from_numpy", "async_buffer_to_numpy",
    "released_objects", "run_command_line",
]

__version__: str

class MetalError(Exception):
    """Something that Metal reports. All errors of this package derive from it."""

class MetalCompileError(MetalError):
    """The source is not valid MSL, or uses something that is not supported yet. The text shows file, line and column."""

    diagnostics: list[dict[str, Any]]
    """One dict per message: id, severity ("error" or "warning"), message, file, line, column, notes, help."""

class MetalValidationError(MetalError):
    """Wrong use of the API, found before anything ran."""

class MetalDeviceError(MetalError):
    """No such device, or its driver failed."""

class MetalMemoryError(MetalError):
    """Not enough memory."""

class MetalExecutionError(MetalError):
    """A command failed while it ran: the text names the kernel and what it did."""

@final
class Device:
    """A device that runs kernels. ``Device("cpu")`` is one by its id, ``Device()`` the default one. Equal when the same."""

    def __new__(cls, name: str | None = None) -> Device: ...
    @classmethod
    def get_default_device(cls) -> Device:
        """The device that ``PYMETALLIC_DEVICE`` names, or the best there is. Raises MetalError when there is none."""
    @classmethod
    def get_all_devices(cls) -> list[Device]:
        """All devices that do real work, the default one first."""
    @property
    def name(self) -> str:
        """What people call it: "CPU (AMD EPYC)"."""
    @property
    def id(self) -> str:
        """What ``Device(name)`` accepts: "cpu", "interp", …"""
    @property
    def registry_id(self) -> int:
        """A number that tells devices of one process apart."""
    @property
    def has_unified_memory(self) -> bool:
        """Whether kernels work on memory of the host, so that arrays need not be copied."""
    @property
    def max_threads_per_threadgroup(self) -> tuple[int, int, int]:
        """The most threads along x, y and z. Kernels may allow fewer in all."""
    @property
    def max_threadgroup_memory_length(self) -> int:
        """In bytes, of all threadgroup variables and arguments of a kernel together."""
    @property
    def max_buffer_length(self) -> int:
        """The largest buffer, in bytes."""
    @property
    def free_staging_length(self) -> int:
        """Memory that is kept for the next uploads (see ``async_buffer_from_numpy``), in bytes; given back when idle."""
    def supports_shader_barycentric_coordinates(self) -> bool:
        """Whether fragment shaders see barycentric coordinates: False, but on Apple GPUs that have them. We compute only."""
    def make_command_queue(self, log_state: LogState | None = None) -> CommandQueue:
        """A new queue of this device. Raises MetalDeviceError when its driver fails.

        log_state: takes what kernels of its command buffers log; by default that is printed.
        """
    def make_log_state(self, level: str = "debug") -> LogState:
        """Takes what kernels log with ``os_log``, from a level on: "debug", "info", "notice", "error" or "fault"."""
    @property
    def command_queue(self) -> CommandQueue:
        """A new command queue each time."""
    @property
    def command_buffer(self) -> CommandBuffer:
        """A new command buffer of a new queue each time."""
    @property
    def command_encoder(self) -> ComputeCommandEncoder:
        """A new encoder of a new command buffer each time; its ``commit`` and ``wait_until_completed`` act on that."""
    def make_library(self, source: str, options: _CompileOptions | dict[str, Any] | None = None) -> Library:
        """Compiles MSL. Raises MetalCompileError with file, line, column and message.

        options: fast_math (bool), language_version ("3.1"), macros (dict of name and text), include_directories (list
        of paths), headers (dict of name and text), name (of the source in messages).
        """
    def make_compute_pipeline_state(
        self, function: Function, linked_functions: Sequence[Function] | None = None
    ) -> ComputePipelineState:
        """Compiles a function for this device. Raises MetalError when the device cannot run it.

        linked_functions: the visible functions of the same library that its tables may hold.
        """
    def make_buffer(self, size: int, storage_mode: int | None = None) -> Buffer:
        """``size`` bytes of zeros, shared by default. Raises MetalMemoryError when there is not enough memory."""
    def make_buffer_from_numpy(self, array: ArrayLike, storage_mode: int | None = None) -> Buffer:
        """A buffer with a copy of an array of any dtype and layout."""
    def make_texture(
        self,
        width: int,
        height: int = 1,
        depth: int = 1,
        *,
        pixel_format: str | int | None = None,
        texture_type: str | None = None,
        mipmap_level_count: int = 1,
        array_length: int = 1,
        storage_mode: int | None = None,
        usage: Literal["read", "write", "read_write"] = "read_write",
    ) -> Texture:
        """A texture.

        pixel_format: "rgba32float" (the default), "r8unorm", … in any case, or Metal's number.
        texture_type: "1d", "1d_array", "2d", "2d_array", "cube", "cube_array", "3d" or "buffer"; by default "2d",
        or "3d" when depth exceeds 1. usage: what kernels may do with it.
        """
    def make_sampler_state(self, **options: Any) -> SamplerState:
        """A sampler state.

        address, or s_address, t_address, r_address: "clamp_to_edge" (the default), "mirror_clamp_to_edge", "repeat",
        "mirrored_repeat", "clamp_to_zero", "clamp_to_border". filter, or min_filter, mag_filter: "nearest" (the
        default), "linear". mip_filter: "none" (the default), "nearest", "linear". normalized_coordinates: bool.
        compare_function: "never" (the default), "less", "equal", "less_equal", "greater", "not_equal",
        "greater_equal", "always". border_color: "transparent_black", "opaque_black", "opaque_white".
        max_anisotropy: 1 to 16. lod_min_clamp, lod_max_clamp: float. reduction_mode: "weighted_average" (the default),
        "minimum", "maximum".
        """
    def make_event(self) -> Event:
        """An event that starts at 0, for the command buffers of this device."""
    def make_shared_event(self) -> Event:
        """An event that starts at 0 and that the host can wait for, too."""
    def make_kernel(
        self, source: str, func: str, constants: _Constants | None = None, options: Mapping[str, Any] | None = None
    ) -> Kernel:
        """Same as ``Kernel(device, source, func, constants, options)``."""
    def read_scalar(self, buffer: Buffer, dtype: DTypeLike, i: int) -> Any:
        """Element ``i`` of a buffer of any storage mode, as a Python scalar."""
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Buffer:
    """Memory of a device: ``size`` bytes of zeros.

    storage_mode: STORAGE_SHARED (the default), STORAGE_MANAGED or STORAGE_PRIVATE; anything else raises ValueError.
    """

    STORAGE_SHARED: int
    """0: visible to host and device."""
    STORAGE_MANAGED: int
    """1: host and device may have a copy each, made equal at commit and completion."""
    STORAGE_PRIVATE: int
    """2: of the device alone; reached by blits."""
    def __new__(cls, device: Device, size: int, storage_mode: int | None = 0) -> Buffer: ...
    @staticmethod
    def from_numpy(device: Device, array: ArrayLike, storage_mode: int | None = 0) -> Buffer:
        """A buffer with a copy of an array of any dtype and layout (made contiguous)."""
    @staticmethod
    def from_numpy_no_copy(device: Device, array: NDArray[Any]) -> Buffer:
        """A shared buffer that *is* the memory of a writable C-contiguous array, of any dtype and shape; it keeps the
        array alive.

        Raises MetalError on devices that do not share memory with the host.
        """
    @staticmethod
    def from_array(array: Any, *, copy: bool | None = None, device: Device | None = None) -> Buffer:
        """A shared buffer with the bytes of an array: a NumPy array, anything with the buffer protocol (bytes,
        memoryview, array.array, mmap) or with DLPack (PyTorch, JAX), of any dtype and shape.

        copy: False makes a buffer that *is* the array's memory, in no time that depends on its size, and raises
        MetalError where that cannot be (an array that is not C-contiguous, a device that cannot use memory of the
        host); True always copies; None copies where it must. Kernels and the array see each other's writes.
        A read-only array makes a read-only buffer, which kernels may only read. The array is kept alive.
        device: the default device when not given.
        """
    @staticmethod
    def from_dlpack(tensor: Any, *, device: Device | None = None) -> Buffer:
        """A shared buffer that *is* the memory of a DLPack tensor, C-contiguous and in memory of the host, of any
        dtype and shape; the tensor is kept alive.

        Raises TypeError for objects without DLPack, MetalError for tensors that the device cannot use.
        """
    def to_numpy(self, dtype: DTypeLike, shape: int | Sequence[int] | None = None) -> NDArray[Any]:
        """The contents as an array: a view, not a copy, writable unless the buffer is read-only. It keeps the memory
        alive.

        dtype: of an element. shape: one-dimensional by default, with as many elements as there are.
        Raises MetalError for private storage, a size that is no multiple of the dtype, or a shape of another element
        count.
        """
    def did_modify_range(self, start: int, end: int) -> None:
        """Tells that the host wrote bytes start..end of a managed buffer."""
    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """DLPack: a capsule with the bytes (uint8, one-dimensional), which keeps the memory alive. Raises BufferError
        for private storage, or where the consumer cannot take a read-only buffer."""
    def __dlpack_device__(self) -> tuple[int, int]:
        """DLPack: (device type, device number); (1, 0) is memory of the host."""
    @property
    def __array_interface__(self) -> dict[str, Any]:
        """NumPy's protocol: the bytes, as uint8."""
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """The bytes in memory of an NVIDIA GPU, for CuPy, Numba and others; what the device was given before is done."""
    @property
    def size(self) -> int:
        """Its size in bytes."""
    @property
    def length(self) -> int:
        """Metal's name of ``size``."""
    @property
    def device(self) -> Device:
        """The device that the memory belongs to."""
    @property
    def storage_mode(self) -> int:
        """STORAGE_SHARED, STORAGE_MANAGED or STORAGE_PRIVATE."""
    @property
    def is_read_only(self) -> bool:
        """Whether the buffer lies over memory that must not be written."""
    @property
    def gpu_address(self) -> int:
        """What kernels see as its address; for argument buffers, with ``use_resource``."""
    @property
    def label(self) -> str:
        """A name for messages; empty at first, and yours to set."""
    @label.setter
    def label(self, value: str) -> None: ...
    def __len__(self) -> int:
        """Its size in bytes."""

@final
class Texture:
    """Image memory of a device; made by ``Device.make_texture``."""

    def replace_region(self, array: ArrayLike, region: _Region = None, level: int = 0, slice: int = 0) -> None:
        """Copies an array ((depth,) height, width(, channels), of the format's own type) into a region.

        region: (x, y, z, width, height, depth), by default all of the level.
        """
    def to_numpy(self, region: _Region = None, level: int = 0, slice: int = 0) -> NDArray[Any]:
        """A copy of a region as an array ((depth,) height, width(, channels)) of the format's own type."""
    @property
    def width(self) -> int:
        """In texels, of level 0."""
    @property
    def height(self) -> int:
        """In texels, of level 0; 1 for one-dimensional textures."""
    @property
    def depth(self) -> int:
        """In texels, of level 0; 1 but for three-dimensional textures."""
    @property
    def array_length(self) -> int:
        """How many slices; 1 for textures that are no arrays."""
    @property
    def mipmap_level_count(self) -> int:
        """How many levels; each is half as large as the one before, rounded down, but 1 at least."""
    @property
    def pixel_format(self) -> str:
        """As Metal spells it: "RGBA32Float"."""
    @property
    def texture_type(self) -> str:
        """As MSL spells it: "texture2d"."""
    @property
    def device(self) -> Device:
        """The device that the memory belongs to."""

@final
class SamplerState:
    """How a kernel reads between texels; made by ``Device.make_sampler_state``."""

@final
class Library:
    """Compiled MSL source; options: fast_math (bool), language_version ("3.1"),
    macros (dict), include_directories (list), headers (dict of name and text), name (of the source in messages)."""

    def __new__(cls, device: Device, source: str, options: _CompileOptions | dict[str, Any] | None = None) -> Library: ...
    def make_function(self, name: str, constants: _Constants | None = None) -> Function:
        """The kernel or visible function ``name``. Raises MetalError when unknown.

        constants: values of function constants by index or name; bool, int, float or a sequence of those.
        """
    @property
    def visible_function_names(self) -> list[str]:
        """The functions that are ``[[visible]]``, which ``make_function`` finds too, to be linked to pipelines."""
    @property
    def function_names(self) -> list[str]:
        """The kernels that ``make_function`` finds."""
    @property
    def function_constants(self) -> list[tuple[str, int, str]]:
        """(name, index, type) of each function constant that the source declares."""
    @property
    def device(self) -> Device:
        """The device that it is compiled for."""

@final
class Function:
    """A kernel of a library, or a function that kernels call through tables."""

    @property
    def name(self) -> str:
        """As ``make_function`` was asked for it."""
    @property
    def function_type(self) -> Literal["kernel", "visible"]:
        """"kernel" or "visible"."""
    @property
    def library(self) -> Library:
        """The library that it comes from."""

@final
class FunctionHandle:
    """A function as the tables of one pipeline hold it; made by ``ComputePipelineState.function_handle``."""

    @property
    def name(self) -> str:
        """The function's name."""

@final
class VisibleFunctionTable:
    """Functions by number, for kernels to call; made by ``ComputePipelineState.make_visible_function_table``."""

    def set_function(self, function: FunctionHandle | None, index: int) -> None:
        """Puts a function of the table's pipeline into an entry; None takes away what is there."""
    def set_functions(self, functions: Sequence[FunctionHandle | None], first: int = 0) -> None:
        """The same for the entries from ``first`` on."""
    @property
    def gpu_address(self) -> int:
        """Where kernels find the table, for argument buffers; announce ``buffer`` with ``use_resource`` then."""
    @property
    def buffer(self) -> Buffer:
        """The memory of the table."""
    def __len__(self) -> int: ...

@final
class ComputePipelineState:
    """A kernel compiled for a device."""

    def __new__(
        cls, device: Device, function: Function, linked_functions: Sequence[Function] | None = None
    ) -> ComputePipelineState: ...
    def function_handle(self, function: Function) -> FunctionHandle:
        """What stands for a linked function in this pipeline's tables. Raises MetalError for others."""
    def make_visible_function_table(self, function_count: int) -> VisibleFunctionTable:
        """A table of so many entries, without functions yet, for ``ComputeCommandEncoder.set_visible_function_table``."""
    @property
    def device(self) -> Device:
        """The device that it is compiled for."""
    @property
    def function(self) -> Function:
        """The function that was compiled."""
    @property
    def max_total_threads_per_threadgroup(self) -> int:
        """The most threads, width times height times depth, that a threadgroup of this kernel may have."""
    @property
    def thread_execution_width(self) -> int:
        """Threads of a simdgroup."""
    @property
    def static_threadgroup_memory_length(self) -> int:
        """Bytes of the threadgroup variables that the kernel declares."""
    @property
    def reflection(self) -> list[_Parameter]:
        """The kernel's arguments in order.

        Dicts with name, kind, index, access, used; for buffers also type, size (bytes of an element), dtype (a NumPy
        dtype specification, or None), is_constant and by_value (a reference, not a pointer).
        """

@final
class LogState:
    """Takes what kernels log with ``os_log``; made by ``Device.make_log_state``, given to a command queue or command buffer."""

    def add_log_handler(self, handler: Callable[[str | None, str | None, str, str], object]) -> None:
        """Calls ``handler(subsystem, category, level, message)`` for each record, from any thread, before the command buffer
        completes.

        The first two are None of ``os_log_default``; the level is "debug", "info", "notice", "error" or "fault". Without
        handlers, records are printed.
        """
    @property
    def level(self) -> str:
        """Records below it are dropped."""

@final
class CommandQueue:
    """Executes command buffers in order."""

    def __new__(cls, device: Device) -> CommandQueue: ...
    def make_command_buffer(self, log_state: LogState | None = None) -> CommandBuffer:
        """A new, empty command buffer.

        log_state: takes what its kernels log, instead of the queue's.
        """
    @property
    def device(self) -> Device:
        """The device that executes."""
    @property
    def label(self) -> str:
        """A name for messages; empty at first, and yours to set."""
    @label.setter
    def label(self, value: str) -> None: ...

@final
class CommandBuffer:
    """Commands on their way to a device; made by ``CommandQueue.make_command_buffer``.

    ``await command_buffer`` commits it if nobody has, waits without blocking the event loop, and raises its error.
    """

    def make_compute_command_encoder(self) -> ComputeCommandEncoder:
        """An encoder for kernels. One encoder at a time: MetalValidationError while another has not ended, or after
        ``commit``.
        """
    def compute_command_encoder(self) -> ComputeCommandEncoder:
        """Same as ``make_compute_command_encoder``."""
    def make_blit_command_encoder(self) -> BlitCommandEncoder:
        """An encoder for copies. Raises as ``make_compute_command_encoder`` does."""
    def commit(self) -> None:
        """Hands the commands to the device and returns at once. Once only."""
    def enqueue(self) -> None:
        """Takes a place in the queue without committing yet."""
    def wait_until_completed(self) -> None:
        """Returns when the commands have completed and handlers have run. Raises MetalExecutionError when one failed.

        Other threads run meanwhile. Ctrl-C raises KeyboardInterrupt here; the commands go on, and one may wait again.
        """
    def wait_until_scheduled(self) -> None:
        """Returns when the commands have been handed to the device."""
    def get_status(self) -> int:
        """1: completed; 0: in progress; -1: failed, or not committed."""
    @property
    def status(self) -> _Status:
        """Metal's status: "not_enqueued", "enqueued", "committed", "scheduled", "completed" or "error"."""
    @property
    def error(self) -> MetalError | None:
        """The exception that ``wait_until_completed`` raises, or None."""
    @property
    def gpu_start_time(self) -> float:
        """When the device started, in seconds of its clock; 0.0 before completion."""
    @property
    def gpu_end_time(self) -> float:
        """When the device was done, in seconds of its clock; 0.0 before completion."""
    def add_completed_handler(self, handler: Callable[[CommandBuffer], object]) -> None:
        """Calls ``handler(command_buffer)`` after completion or failure, on a thread of the runtime, before waits return.

        An exception goes to ``sys.unraisablehook``. Raises MetalValidationError after ``commit``, as Metal does; see
        ``future`` for what may be asked for at any time.
        """
    def future(self) -> Future[CommandBuffer]:
        """A future whose result is this command buffer, or its error. May be asked for at any time; it neither commits
        nor cancels. ``asyncio.wrap_future``, ``concurrent.futures.wait`` and ``as_completed`` take it."""
    def _notify_completed(self, listener: Callable[[CommandBuffer], object]) -> None:
        """Calls ``listener`` once the commands have completed or failed, also when that is long past."""
    def add_scheduled_handler(self, handler: Callable[[CommandBuffer], object]) -> None:
        """Calls ``handler(command_buffer)`` once the commands have been handed to the device."""
    def encode_signal_event(self, event: Event, value: int) -> None:
        """Raises ``event`` to ``value`` when everything encoded so far has completed."""
    def encode_wait_for_event(self, event: Event, value: int) -> None:
        """Holds up everything encoded from now on until ``event`` has reached ``value``."""
    def __await__(self) -> Generator[Any, None, CommandBuffer]: ...
    @property
    def device(self) -> Device:
        """The device that executes."""
    @property
    def command_queue(self) -> CommandQueue:
        """The queue that it came from."""
    @property
    def label(self) -> str:
        """A name for messages; empty at first, and yours to set."""
    @label.setter
    def label(self, value: str) -> None: ...

@final
class ComputeCommandEncoder:
    """Records dispatches into a command buffer; each sees what earlier ones wrote."""

    def set_compute_pipeline_state(self, pipeline_state: ComputePipelineState) -> None:
        """Chooses the kernel of the dispatches that follow."""
    def set_buffer(self, buffer: Buffer, offset: int, index: int) -> None:
        """Binds a buffer, from ``offset`` bytes on, at a buffer index (0 to 30)."""
    def set_buffer_offset(self, offset: int, index: int) -> None:
        """Binds the buffer that is there already from another offset on."""
    def set_bytes(self, data: ArrayLike | bytes | bytearray, index: int) -> None:
        """Binds a copy of 1 to 4096 bytes at a buffer index: an array, a NumPy scalar or bytes."""
    def set_visible_function_table(self, table: VisibleFunctionTable, index: int) -> None:
        """Binds a table of functions at a buffer index."""
    def set_texture(self, texture: Texture, index: int) -> None:
        """Binds a texture at a texture index."""
    def set_sampler_state(self, sampler_state: SamplerState, index: int) -> None:
        """Binds a sampler at a sampler index."""
    def set_threadgroup_memory_length(self, length: int, index: int) -> None:
        """Sizes a ``threadgroup`` argument, in bytes."""
    def use_resource(self, buffer: Buffer) -> None:
        """Announces a buffer that kernels reach through addresses in other buffers."""
    def dispatch_threads(self, grid: _Size, threadgroup: _Size) -> None:
        """Runs the kernel for each thread of a grid; threadgroups at its far edges may be smaller."""
    def dispatch_threadgroups(self, groups: _Size, threadgroup: _Size) -> None:
        """Runs the kernel for a grid of full threadgroups; ``groups`` counts those."""
    def dispatch_threadgroups_with_indirect_buffer(self, indirect_buffer: Buffer, offset: int, threadgroup: _Size) -> None:
        """Like ``dispatch_threadgroups``, with the three uint32 counts read from a buffer when it runs."""
    def memory_barrier(self) -> None:
        """Dispatches are in order already; this states what a Metal device may need."""
    def end_encoding(self) -> None:
        """Ends the encoder, once; only then may its command buffer be committed or make another one."""
    @property
    def command_buffer(self) -> CommandBuffer:
        """The command buffer that it records into."""
    def commit(self) -> None:
        """Commits the encoder's command buffer."""
    def wait_until_completed(self) -> None:
        """Waits for the encoder's command buffer."""

@final
class BlitCommandEncoder:
    """Records copies into a command buffer."""

    def copy_from_buffer(
        self, source_buffer: Buffer, source_offset: int, dest_buffer: Buffer, dest_offset: int, size: int
    ) -> None:
        """Copies ``size`` bytes from one buffer to another. Offsets are in bytes."""
    def fill_buffer(self, buffer: Buffer, value: int = 0, offset: int = 0, length: int | None = None) -> None:
        """Sets ``length`` bytes (to the end by default) from ``offset`` on to ``value`` (0 to 255)."""
    def copy_from_buffer_to_texture(
        self,
        source_buffer: Buffer,
        dest_texture: Texture,
        source_offset: int = 0,
        bytes_per_row: int | None = None,
        bytes_per_image: int | None = None,
        region: _Region = None,
        level: int = 0,
        slice: int = 0,
    ) -> None:
        """Copies texels of a buffer into a region (x, y, z, width, height, depth) of a texture, by default all of the
        level.

        source_offset, bytes_per_row and bytes_per_image are in bytes. Rows and images follow each other without gaps
        unless their strides are given.
        """
    def copy_from_texture_to_buffer(
        self,
        source_texture: Texture,
        dest_buffer: Buffer,
        dest_offset: int = 0,
        bytes_per_row: int | None = None,
        bytes_per_image: int | None = None,
        region: _Region = None,
        level: int = 0,
        slice: int = 0,
    ) -> None:
        """Copies a region of a texture into a buffer; the arguments are those of ``copy_from_buffer_to_texture``."""
    def copy_from_texture(
        self,
        source_texture: Texture,
        dest_texture: Texture,
        region: _Region = None,
        dest_origin: Sequence[int] | None = None,
        source_level: int = 0,
        source_slice: int = 0,
        dest_level: int = 0,
        dest_slice: int = 0,
    ) -> None:
        """Copies a region (x, y, z, width, height, depth), by default all of the level, to the place ``dest_origin``
        (x, y, z; by default 0, 0, 0) of another texture whose texels have the same size."""
    def generate_mipmaps(self, texture: Texture) -> None:
        """Fills each mipmap level from the one above it."""
    def synchronize_resource(self, buffer: Buffer) -> None:
        """Makes what kernels wrote to a managed buffer visible to the host."""
    def end_encoding(self) -> None:
        """Ends the encoder, once; only then may its command buffer be committed or make another one."""
    @property
    def command_buffer(self) -> CommandBuffer:
        """The command buffer that it records into."""

@final
class Event:
    """A counter that command buffers and the host raise and wait for; made by ``Device.make_shared_event``."""

    @property
    def signaled_value(self) -> int:
        """The value that it has reached. Setting it raises it; a smaller one changes nothing."""
    @signaled_value.setter
    def signaled_value(self, value: int) -> None: ...
    def wait_until_signaled_value(self, value: int, timeout: float | None = None) -> bool:
        """Waits until the value has been reached: True, or False when ``timeout`` seconds were over first (None: no
        limit)."""

def as_array(object: Any) -> NDArray[Any]:
    """The NumPy array that shares the memory of an array, of anything with the buffer protocol (bytes, memoryview,
    array.array, mmap, ctypes arrays) or of a DLPack tensor in memory of the host.

    dtype and shape are the object's own; types that NumPy lacks (bfloat16) become unsigned integers of their size.
    No copy is made, and the object is kept alive. Raises MetalValidationError for everything else.
    """

def async_buffer_from_numpy(
    device: Device, array: Any, command_buffer: CommandBuffer, storage_mode: int | None = 2, *, copy: bool | None = None
) -> Buffer:
    """A buffer that holds a copy of ``array`` once ``command_buffer`` has run that far; until then it may hold anything.

    array: any dtype and shape; an array of NumPy, or anything with the buffer protocol or DLPack. The copy is recorded on
    ``command_buffer``, which is neither committed nor waited for: later encoders of the same command buffer see the data.

    copy: True copies the array to staging memory before the function returns (other Python threads run meanwhile), so
    it may change afterwards. The staging memory is kept until the command buffer has completed, and used again. False
    copies nothing before the function returns, which takes no time that depends on the size: the device reads the array
    itself when it runs the command buffer. The array is kept alive, and must not change before that has completed.
    Raises MetalError where that cannot be, as Buffer.from_array does. None, the default, stages what may change: not
    bytes, nor arrays that are read-only together with all that they are views of.

    Raises MetalValidationError when the command buffer belongs to another device, is committed, or has an open encoder.
    """

def async_buffer_to_numpy(
    buffer: Buffer, dtype: DTypeLike, command_buffer: CommandBuffer, shape: int | Sequence[int] | None = None
) -> NDArray[Any]:
    """An array that holds a copy of ``buffer`` once ``command_buffer`` has completed.

    buffer: of any storage mode. The copy is recorded on ``command_buffer``, after everything encoded so far; the command
    buffer is neither committed nor waited for, and until it has completed the array reads as zeros or as part of the
    data. dtype: what one element is; shape: all of them by default, one-dimensional.

    Raises MetalValidationError when the buffer belongs to another device, has no whole number of elements or not the
    shape, or when the command buffer is committed or has an open encoder.
    """
def gpu_array(device: Device, object: Any) -> tuple[Buffer, str, list[int]] | None:
    """The buffer, element type and shape of an array in memory of a GPU; None when the object is none."""

def released_objects() -> int:
    """How many native objects (of all classes but Device) were released when their Python objects died."""

def run_command_line(arguments: Sequence[str]) -> int:
    """Runs the ``metallic`` command with the arguments of a process, the first of which is its name.

    Prints to the process's own standard output and error, not to ``sys.stdout``. Returns the exit code.
    """

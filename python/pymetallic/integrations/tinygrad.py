"""tinygrad's METAL device on any device of PyMetallic.

    import pymetallic.integrations.tinygrad     # before tinygrad opens a device
    from tinygrad import Tensor

    print((Tensor([1.0, 2.0]) @ Tensor([3.0, 4.0])).item())

tinygrad renders its kernels as MSL; this module stands where its own ``tinygrad.runtime.ops_metal`` would drive macOS.
``PYMETALLIC_DEVICE`` chooses the device, ``METAL:1`` and so on are further queues of the same one. Written for
tinygrad 0.14. It uses nothing of PyMetallic that is not public: a runtime of another package looks the same.
"""

from __future__ import annotations

import decimal
import functools
import math
import sys
from typing import Any

import numpy as np
from tinygrad.device import Compiled, CompileError, Compiler, LRUAllocator, ProfileDeviceEvent, Program, TinyELF
from tinygrad.helpers import PROFILE, ProfileRangeEvent, cpu_profile, to_mv
from tinygrad.renderer import cstyle

import pymetallic as pm

__all__ = ["MetalAllocator", "MetalCompiler", "MetalDevice", "MetalProgram", "MetalRenderer"]

#: tinygrad uses simdgroup_matrix from Apple7 and bfloat from Apple6 on; every device has both.
_ARCHITECTURE = "Apple9"
#: How many command buffers may be on their way before the host waits.
_MAX_IN_FLIGHT = 1024


@functools.lru_cache(maxsize=1024)
def _pipeline(source: str) -> pm.ComputePipelineState:
    # tinygrad passes -fno-fast-math: its tests look at NaN and infinities.
    library = pm.Device().make_library(source, {"fast_math": False})
    return pm.ComputePipelineState(library.device, library.make_function(library.function_names[0]))


class MetalCompiler(Compiler):
    """Finds mistakes early; what is handed on is the source, because machine code belongs to a pipeline."""

    def __init__(self) -> None:
        super().__init__(None)

    def compile(self, src: str) -> bytes:
        try:
            _pipeline(src)
        except pm.MetalError as error:
            raise CompileError(str(error)) from error
        return src.encode()


class MetalRenderer(cstyle.MetalRenderer):
    """tinygrad's own, under a name that brings this module along into tinygrad's worker processes."""


class MetalBuffer:
    """Memory, or a view of it that starts at an offset."""

    def __init__(self, buf: pm.Buffer, size: int, offset: int = 0) -> None:
        self.buf, self.size, self.offset = buf, size, offset


class MetalAllocator(LRUAllocator):
    def _alloc(self, size: int, options: Any) -> MetalBuffer:
        try:
            if options.external_ptr:
                array = np.frombuffer(to_mv(options.external_ptr, size), dtype=np.uint8)
                return MetalBuffer(pm.Buffer.from_numpy_no_copy(self.dev.sysdevice, array), size)
            return MetalBuffer(self.dev.sysdevice.make_buffer(size), size)
        except (pm.MetalMemoryError, OverflowError) as error:
            raise MemoryError(str(error)) from error

    def _free(self, opaque: MetalBuffer, options: Any) -> None:
        del opaque.buf

    def _offset(self, buf: MetalBuffer, size: int, offset: int) -> MetalBuffer:
        return MetalBuffer(buf.buf, size, offset)

    def _as_buffer(self, src: MetalBuffer) -> memoryview:
        return src.buf.to_numpy(np.uint8).data[src.offset : src.offset + src.size]

    def _copyin(self, dest: MetalBuffer, src: memoryview) -> None:
        self.dev.synchronize()
        with cpu_profile("TINY -> METAL", f"{self.dev.device}:COPY"):
            self._as_buffer(dest)[:] = src

    def _copyout(self, dest: memoryview, src: MetalBuffer) -> None:
        self.dev.synchronize()
        with cpu_profile("METAL -> TINY", f"{self.dev.device}:COPY"):
            dest[:] = self._as_buffer(src)

    def _transfer(self, dest: MetalBuffer, src: MetalBuffer, sz: int, src_dev: MetalDevice, dest_dev: MetalDevice) -> None:
        dest_dev.synchronize()
        commands = src_dev.queue.make_command_buffer()
        encoder = commands.make_blit_command_encoder()
        encoder.copy_from_buffer(src.buf, src.offset, dest.buf, dest.offset, sz)
        encoder.end_encoding()
        src_dev.commit(commands, f"COPY {src_dev.device} -> {dest_dev.device}")
        src_dev.synchronize()


class MetalProgram(Program):
    def __init__(self, dev: MetalDevice, obj: TinyELF) -> None:
        self.dev, self.name, self.signature, self.profile_key = dev, obj.name, obj.signature, obj.profile_key
        try:
            self.pipeline = _pipeline(obj.lib.decode())
        except pm.MetalError as error:
            raise RuntimeError(str(error)) from error

    def __call__(self, *bufs: MetalBuffer, global_size: tuple = (1, 1, 1), local_size: tuple = (1, 1, 1),
                 vals: tuple = (), wait: bool = False, **_: Any) -> float | None:
        """Runs it: ``global_size`` in threadgroups, ``local_size`` in threads. Gives the seconds it took if ``wait``."""
        most = self.pipeline.max_total_threads_per_threadgroup
        if math.prod(local_size) > most:
            raise RuntimeError(f"{self.name}: local size {local_size} exceeds the {most} threads of a threadgroup")
        commands = self.dev.queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(self.pipeline)
        for index, buf in enumerate(bufs):
            encoder.set_buffer(buf.buf, buf.offset, index)
        for value, (_name, slot, dtype, _shape) in zip(vals, self.signature[len(bufs) :]):
            bits = int(value) & ((1 << dtype.bitsize) - 1)
            encoder.set_bytes(bits.to_bytes(dtype.itemsize, "little"), slot)
        encoder.dispatch_threadgroups(global_size, local_size)
        encoder.end_encoding()
        self.dev.commit(commands, self.name, self.profile_key)
        if not wait:
            return None
        self.dev.synchronize()
        return commands.gpu_end_time - commands.gpu_start_time


class MetalDevice(Compiled):
    def __init__(self, device: str) -> None:
        self.sysdevice = pm.Device()
        self.queue = self.sysdevice.make_command_queue()
        self.in_flight: list[tuple[pm.CommandBuffer, str, bytes | None]] = []
        Compiled.profile_events += [ProfileDeviceEvent(device)]
        super().__init__(device, MetalAllocator(self), [MetalRenderer], MetalProgram, arch=_ARCHITECTURE)

    def commit(self, commands: pm.CommandBuffer, name: str, profile_key: bytes | None = None) -> None:
        commands.label = name
        commands.commit()
        self.in_flight.append((commands, name, profile_key))
        if len(self.in_flight) >= _MAX_IN_FLIGHT:
            self.synchronize()

    def synchronize(self) -> None:
        in_flight, self.in_flight = self.in_flight, []
        for commands, name, profile_key in in_flight:
            try:
                commands.wait_until_completed()
            except pm.MetalError as error:
                raise RuntimeError(str(error)) from error
            if PROFILE:
                start, end = (decimal.Decimal(t) * 1_000_000 for t in (commands.gpu_start_time, commands.gpu_end_time))
                Compiled.profile_events += [ProfileRangeEvent(self.device, name, start, end, profile_key)]


_REPLACED = "tinygrad.runtime.ops_metal"
if sys.modules.get(_REPLACED, sys.modules[__name__]) is not sys.modules[__name__]:
    raise ImportError(f"{_REPLACED} is in use already; import {__name__} before tinygrad opens a METAL device")
sys.modules[_REPLACED] = sys.modules[__name__]

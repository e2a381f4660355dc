"""What the tests share: devices, and launches by index."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import numpy as np

import pymetallic as pm
from pymetallic.kernels import get_kernel_source

#: Compile options of runs that are compared bit by bit.
STRICT = {"fast_math": False}

HEADER = "#include <metal_stdlib>\nusing namespace metal;\n"


def devices() -> list[pm.Device]:
    """Every device that computes: those that are listed, and the interpreter. Null records only."""
    found = pm.Device.get_all_devices()
    if all(d.id != "interp" for d in found):
        try:
            found.append(pm.Device("interp"))
        except pm.MetalError:
            pass
    return found


def is_slow(device: pm.Device) -> bool:
    return device.id == "interp"


def words(*values: int) -> list[np.ndarray]:
    """Arguments of type ``constant uint&``."""
    return [np.array([v], dtype=np.uint32) for v in values]


def buffer_of(device: pm.Device, array: np.ndarray) -> pm.Buffer:
    return pm.Buffer.from_numpy(device, array)


def launch(device, file_or_source, name, arguments, grid, threadgroup, options=None, constants=None):
    """Runs a kernel: Buffers and Textures are bound, arrays passed by value; None leaves an index out.

    Gives the command buffer, completed.
    """
    source = file_or_source if "\n" in file_or_source else get_kernel_source(file_or_source)
    kernel = pm.Kernel(device, source, name, constants, options)
    commands = device.make_command_queue().make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(kernel.pipeline_state)
    textures = 0
    for index, argument in enumerate(arguments):
        if isinstance(argument, pm.Buffer):
            encoder.set_buffer(argument, 0, index)
        elif isinstance(argument, pm.Texture):
            encoder.set_texture(argument, textures)
            textures += 1
        elif argument is not None:
            encoder.set_bytes(argument, index)
    encoder.dispatch_threads(grid, threadgroup)
    encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    return commands


def leaves_python_to_others(call: Callable[[], object], attempts: int = 50) -> bool:
    """Whether other Python threads run while ``call()`` does.

    Nobody is asked to make room: another thread, which is ready before, comes to run only when the call itself lets
    the interpreter go. It may be late, so there are more attempts than one.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000.0)
    try:
        for _ in range(attempts):
            go, ran = threading.Lock(), []
            go.acquire()
            other = threading.Thread(target=lambda: (go.acquire(), ran.append(1)))
            other.start()
            go.release()
            call()
            was_free = bool(ran)
            other.join()
            if was_free:
                return True
        return False
    finally:
        sys.setswitchinterval(interval)

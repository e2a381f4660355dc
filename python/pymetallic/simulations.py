"""The game of life and a fluid, with their state on a device: what the demos, the gallery and benchmarks run."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .kernels import get_kernel_source
from .metallic import Buffer, CommandQueue, ComputeCommandEncoder, Device, Kernel

__all__ = ["Fluid", "Launch", "Life"]


class Life:
    """Conway's game of life on a torus.

    cells: (height, width), uint8, 1 is alive. ``run(steps)`` encodes all steps into one command buffer.
    """

    def __init__(self, device: Device, cells: np.ndarray, threadgroup: tuple[int, int, int] = (16, 16, 1),
                 queue: CommandQueue | None = None) -> None:
        cells = np.ascontiguousarray(cells, dtype=np.uint8)
        if cells.ndim != 2:
            raise ValueError(f"cells are (height, width), not of shape {cells.shape}")
        self.height, self.width = cells.shape
        self.threadgroup = threadgroup
        self._queue = queue or device.make_command_queue()
        self._kernel = Kernel(device, get_kernel_source("game_of_life"), "life_step")
        self._now = Buffer.from_numpy(device, cells)
        self._next = Buffer(device, cells.size)
        self._params = np.array([self.width, self.height], dtype=np.uint32)

    def run(self, steps: int = 1) -> None:
        """Advances by ``steps`` generations and waits for them."""
        commands = self._queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(self._kernel.pipeline_state)
        encoder.set_bytes(self._params, 2)
        for _ in range(steps):
            encoder.set_buffer(self._now, 0, 0)
            encoder.set_buffer(self._next, 0, 1)
            encoder.dispatch_threads((self.width, self.height, 1), self.threadgroup)
            self._now, self._next = self._next, self._now
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()

    @property
    def cells(self) -> np.ndarray:
        """The present generation (h, w), uint8, 0 or 1: a view, valid until the next ``run``."""
        return self._now.to_numpy(np.uint8, (self.height, self.width))


class Launch(NamedTuple):
    """One kernel of a fluid step: the arrays it binds at 0, 1, … (the last is written), and the two that
    change places afterwards."""

    kernel: str
    arrays: tuple[str, ...]
    swap: tuple[str, str] | None = None


class Fluid:
    """Stable fluids: a swirl moves around and stirs a dye.

    The arrays, in ``views`` by name: ``velocity`` (height, width, 2), ``pressure``, ``divergence`` and ``dye``
    (height, width), all float32. ``viscosity`` is the share of the velocity that is lost per unit of time.
    """

    #: The launches of one step, in order.
    STEP = (
        Launch("add_force", ("velocity",)),
        Launch("advect_vel", ("velocity", "velocity2"), ("velocity", "velocity2")),
        Launch("divergence", ("velocity", "divergence")),
        *[Launch("jacobi_pressure", ("pressure", "divergence", "pressure2"), ("pressure", "pressure2"))] * 20,
        Launch("subtract_gradient", ("velocity", "pressure", "velocity2"), ("velocity", "velocity2")),
        Launch("advect_scalar", ("dye", "velocity", "dye2"), ("dye", "dye2")),
    )
    PARAMS = np.dtype([("width", "u4"), ("height", "u4"), ("dt", "f4"), ("fx", "f4"), ("fy", "f4"), ("fr", "f4"), ("fs", "f4")])

    def __init__(self, device: Device, width: int, height: int, dt: float = 0.1, viscosity: float = 0.0,
                 threadgroup: tuple[int, int, int] = (16, 16, 1), queue: CommandQueue | None = None) -> None:
        self.width, self.height, self.dt, self.viscosity = width, height, dt, viscosity
        self.threadgroup = threadgroup
        self._queue = queue or device.make_command_queue()
        source = get_kernel_source("fluid_simulation")
        self._kernels = {name: Kernel(device, source, name) for name in dict.fromkeys(launch.kernel for launch in self.STEP)}
        self._slow_down = Kernel(device, get_kernel_source("helper_kernels"), "scalar_multiply_f32")
        scalar, vector = (height, width), (height, width, 2)
        shapes = {"velocity": vector, "velocity2": vector, "divergence": scalar, "pressure": scalar,
                  "pressure2": scalar, "dye": scalar, "dye2": scalar}
        self._buffers = {name: Buffer(device, 4 * int(np.prod(shape))) for name, shape in shapes.items()}
        self.views = {name: buffer.to_numpy(np.float32, shapes[name]) for name, buffer in self._buffers.items()}
        y, x = np.mgrid[0:height, 0:width]
        self.views["dye"][...] = (x // max(width // 8, 1) + y // max(height // 8, 1)) % 2
        self._step = 0

    def params(self, step: int) -> np.ndarray:
        """The kernels' parameters at a step, one element of dtype ``PARAMS``: the force goes around the center."""
        angle = 0.13 * step
        record = np.zeros(1, dtype=self.PARAMS)
        record[0] = (self.width, self.height, self.dt, self.width * (0.5 + 0.25 * np.cos(angle)),
                     self.height * (0.5 + 0.25 * np.sin(angle)), self.width / 10.0, 4.0)
        return record

    def _encode(self, encoder: ComputeCommandEncoder, launch: Launch, params: np.ndarray) -> np.ndarray:
        """Records a launch; gives the view of what it writes."""
        encoder.set_compute_pipeline_state(self._kernels[launch.kernel].pipeline_state)
        for index, name in enumerate(launch.arrays):
            encoder.set_buffer(self._buffers[name], 0, index)
        encoder.set_bytes(params, 3)
        encoder.dispatch_threads((self.width, self.height, 1), self.threadgroup)
        result = self.views[launch.arrays[-1]]
        if launch.swap is not None:
            a, b = launch.swap
            self._buffers[a], self._buffers[b] = self._buffers[b], self._buffers[a]
            self.views[a], self.views[b] = self.views[b], self.views[a]
        return result

    def launch(self, launch: Launch, params: np.ndarray) -> np.ndarray:
        """Runs one launch and waits for it; gives a view of what it wrote, float32, (h, w) or (h, w, 2)."""
        commands = self._queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        result = self._encode(encoder, launch, params)
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()
        return result

    def run(self, steps: int = 1) -> None:
        """Advances by ``steps`` and waits for them; all launches are in one command buffer."""
        commands = self._queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        for _ in range(steps):
            params = self.params(self._step)
            for launch in self.STEP:
                self._encode(encoder, launch, params)
            if self.viscosity > 0.0:
                self._encode_viscosity(encoder)
            self._step += 1
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()

    def _encode_viscosity(self, encoder: ComputeCommandEncoder) -> None:
        count = self.width * self.height * 2
        encoder.set_compute_pipeline_state(self._slow_down.pipeline_state)
        encoder.set_buffer(self._buffers["velocity"], 0, 0)
        encoder.set_bytes(np.float32(1.0 / (1.0 + self.viscosity * self.dt)), 1)
        encoder.set_bytes(np.uint32(count), 2)
        encoder.dispatch_threads(count, (256, 1, 1))

"""Every kernel of the package on real input: run, checked against NumPy, timed, drawn.

``run_gallery(device, out)`` is what ``make demo`` and ``metallic-demo`` call. It returns one
:class:`Row` per kernel and writes PNGs and GIFs to ``out`` when it is given.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import reference
from .kernels import get_kernel_source
from .metallic import Buffer, Device, Kernel
from .simulations import Fluid, Life

__all__ = ["Row", "format_table", "load_photograph", "run_gallery"]


@dataclass
class Row:
    """One kernel's result. ``error`` is the largest absolute difference from NumPy; ``tolerance`` what is allowed."""

    kernel: str
    device: str
    size: str
    seconds: float
    rate: str
    error: float
    tolerance: float
    #: Said beside the error where it is not a plain maximum.
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the error is within the tolerance."""
        return bool(self.error <= self.tolerance)


def format_table(rows: Iterable[Row]) -> str:
    """The rows as text, one line each, columns aligned."""
    header = ("kernel", "device", "size", "time", "rate", "error vs NumPy", "")
    lines = [header]
    for r in rows:
        error = f"{r.error:.2e}" + (f" ({r.note})" if r.note else "")
        lines.append((r.kernel, r.device, r.size, f"{r.seconds * 1e3:.3f} ms", r.rate, error, "ok" if r.ok else "WRONG"))
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    text = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(text)


def load_photograph(size: int | None = None) -> np.ndarray:
    """An (h, w, 4) float32 photograph in [0, 1], from an installed package that ships one.

    Falls back to a drawn picture, with a warning on stderr, when neither scikit-image nor matplotlib is installed.
    """
    for package, path in (("skimage", "data/astronaut.png"), ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")):
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        file = Path(spec.submodule_search_locations[0]) / path
        if file.exists():
            from PIL import Image

            image = Image.open(file).convert("RGBA")
            if size is not None:
                image = image.resize((size, size))
            return np.asarray(image, dtype=np.float32) / np.float32(255.0)
    print("no package with a photograph is installed (pip install scikit-image); drawing one", file=sys.stderr)
    side = size or 512
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) / np.float32(side)
    rgb = np.stack([x, y, 0.5 + 0.5 * np.sin(40 * x * y)], axis=-1)
    return np.concatenate([rgb, np.ones((side, side, 1))], axis=-1).astype(np.float32)


# ---- small helpers ---------------------------------------------------------------------


def progress(items: Iterable, description: str, total: int | None = None, quiet: bool = False) -> Iterable:
    """``items`` behind a progress bar, when tqdm is installed and stderr is a terminal or a log."""
    if quiet:
        return items
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, desc=description, total=total, leave=False, mininterval=0.2)


def _median_seconds(run: Callable[[], None], repeat: int = 5) -> float:
    run()
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def _error(actual: np.ndarray, expected: np.ndarray) -> float:
    if actual.size == 0:
        return 0.0
    return float(np.max(np.abs(actual.astype(np.float64) - expected.astype(np.float64))))


def _rate(amount: float, seconds: float, unit: str) -> str:
    value = amount / seconds
    for prefix in ("", "k", "M", "G", "T"):
        if value < 1000.0 or prefix == "T":
            return f"{value:.3g} {prefix}{unit}"
        value /= 1000.0
    raise AssertionError


def save_png(path: Path, image: np.ndarray) -> None:
    """A (h, w), (h, w, 3) or (h, w, 4) picture in [0, 1]."""
    from PIL import Image

    Image.fromarray((np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)).save(path)


def save_gif(path: Path, frames: list[np.ndarray], milliseconds: int = 50, loop: bool = True, **options: Any) -> None:
    """Frames (h, w) or (h, w, 3) in [0, 1], gray or RGB; ``loop`` for ever or play once; ``options`` are Pillow's."""
    from PIL import Image

    images = [Image.fromarray((np.clip(f, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)) for f in frames]
    if loop:
        options["loop"] = 0
    images[0].save(path, save_all=True, append_images=images[1:], duration=milliseconds, **options)


def heat(values: np.ndarray) -> np.ndarray:
    """Values (h, w) in [0, 1] as colors (h, w, 3) from black over red and yellow to white."""
    v = np.clip(values, 0.0, 1.0)
    return np.stack([np.clip(3 * v, 0, 1), np.clip(3 * v - 1, 0, 1), np.clip(3 * v - 2, 0, 1)], axis=-1)


class _Job:
    """What all the demos share: the device, where pictures go, and the rows so far."""

    def __init__(self, device: Device, out: Path | None, quiet: bool, quick: bool) -> None:
        self.device, self.out, self.quiet, self.quick = device, out, quiet, quick
        self.queue = device.make_command_queue()
        self.rows: list[Row] = []
        self.rng = np.random.default_rng(20)

    def kernel(self, file: str, name: str) -> Kernel:
        return Kernel(self.device, get_kernel_source(file), name)

    def buffer(self, array: np.ndarray) -> Buffer:
        return Buffer.from_numpy(self.device, array)

    def run(self, kernel: Kernel, grid: Any, threadgroup: Any, buffers: Any, values: Any = ()) -> float:
        """Seconds of one launch, median."""
        arguments = [(b, i) for i, b in buffers]
        inline = [(np.asarray(v), i) for i, v in values]
        return _median_seconds(lambda: kernel(self.queue, grid, threadgroup, buffers=arguments, bytes_args=inline))

    def add(self, kernel: str, size: str, seconds: float, rate: str, error: float, tolerance: float, note: str = "") -> None:
        self.rows.append(Row(kernel, self.device.name, size, seconds, rate, error, tolerance, note))

    def png(self, name: str, image: np.ndarray) -> None:
        if self.out is not None:
            save_png(self.out / name, image)


# ---- the kernels -----------------------------------------------------------------------


def _helpers(job: _Job) -> None:
    n = 1000 if job.quick else 1_000_003
    data = job.rng.standard_normal(n, dtype=np.float32)
    buffer = job.buffer(np.zeros(n, dtype=np.uint32))
    params = np.array([n, 0xC0FFEE], dtype=np.uint32)
    seconds = job.run(job.kernel("helper_kernels", "fill_u32"), (n, 1, 1), (256, 1, 1), [(0, buffer)], [(1, params)])
    job.add("fill_u32", f"{n}", seconds, _rate(4 * n, seconds, "B/s"), _error(buffer.to_numpy(np.uint32), np.full(n, 0xC0FFEE)), 0)
    for name, operation in (("scalar_add_f32", np.add), ("scalar_multiply_f32", np.multiply)):
        scalar = np.float32(1.25)
        kernel = job.kernel("helper_kernels", name)
        once = job.buffer(data)
        inline = [(scalar.reshape(1), 1), (np.array([n], dtype=np.uint32), 2)]
        kernel(job.queue, (n, 1, 1), (256, 1, 1), buffers=[(once, 0)], bytes_args=inline)
        error = _error(once.to_numpy(np.float32), operation(data, scalar))
        seconds = job.run(kernel, (n, 1, 1), (256, 1, 1), [(0, once)], [(i, v) for v, i in inline])
        job.add(name, f"{n}", seconds, _rate(8 * n, seconds, "B/s"), error, 0)


def _vectors(job: _Job) -> None:
    n = 4096 if job.quick else 1 << 24
    a, b = (job.rng.standard_normal(n, dtype=np.float32) for _ in range(2))
    buffers = [job.buffer(a), job.buffer(b), job.buffer(np.zeros(n, dtype=np.float32))]
    cases = [("demo_kernels", "vector_add", np.add), ("linalg_kernels", "vector_add", np.add), ("linalg_kernels", "vector_multiply", np.multiply)]
    for file, name, operation in cases:
        seconds = job.run(job.kernel(file, name), (n, 1, 1), (256, 1, 1), list(enumerate(buffers)))
        label = f"{name} ({file.split('_')[0]})" if name == "vector_add" else name
        job.add(label, f"{n}", seconds, _rate(12 * n, seconds, "B/s"), _error(buffers[2].to_numpy(np.float32), operation(a, b)), 0)
    scale = np.float32(-0.75)
    seconds = job.run(job.kernel("linalg_kernels", "vector_scale"), (n, 1, 1), (256, 1, 1), [(0, buffers[0]), (1, buffers[2])], [(2, scale.reshape(1))])
    job.add("vector_scale", f"{n}", seconds, _rate(8 * n, seconds, "B/s"), _error(buffers[2].to_numpy(np.float32), a * scale), 0)


def _reduction(job: _Job) -> None:
    n = 5000 if job.quick else (1 << 24) - 77
    values = job.rng.standard_normal(n, dtype=np.float32)
    groups = -(-n // 256)
    source, sums = job.buffer(values), job.buffer(np.zeros(groups, dtype=np.float32))
    seconds = job.run(job.kernel("linalg_kernels", "reduce_sum"), (groups * 256, 1, 1), (256, 1, 1), [(0, source), (1, sums)], [(2, np.array([n], dtype=np.uint32))])
    # 8 rounds of additions of values of magnitude at most about 5 in groups of 256.
    job.add("reduce_sum", f"{n}", seconds, _rate(4 * n, seconds, "B/s"), _error(sums.to_numpy(np.float32), reference.reduce_sum(values, 256)), 1e-4)


def _matrices(job: _Job) -> None:
    m, n, k = (65, 33, 47) if job.quick else (1024, 1024, 1024)
    a = job.rng.standard_normal((m, k), dtype=np.float32)
    b = job.rng.standard_normal((k, n), dtype=np.float32)
    buffers = [job.buffer(a), job.buffer(b), job.buffer(np.zeros((m, n), dtype=np.float32))]
    sizes = [(3 + i, np.array([v], dtype=np.uint32)) for i, v in enumerate((m, n, k))]
    seconds = job.run(job.kernel("linalg_kernels", "matrix_multiply"), (n, m, 1), (16, 16, 1), list(enumerate(buffers)), sizes)
    expected = a.astype(np.float64) @ b.astype(np.float64)
    error = _error(buffers[2].to_numpy(np.float32, (m, n)), expected)
    # Probabilistic bound of k roundings: sqrt(k) u |A||B| (Higham and Mary, 2019).
    tolerance = np.sqrt(k) * 2.0**-24 * float(np.max(np.abs(a) @ np.abs(b)))
    job.add("matrix_multiply", f"{m}x{n}x{k}", seconds, _rate(2 * m * n * k, seconds, "FLOP/s"), error, tolerance)


def _mandelbrot(job: _Job) -> None:
    width, height, iterations = (96, 64, 40) if job.quick else (1536, 1024, 256)
    output = job.buffer(np.zeros(width * height, dtype=np.float32))
    values = [(1 + i, np.array([v], dtype=np.uint32)) for i, v in enumerate((width, height, iterations))]
    seconds = job.run(job.kernel("demo_kernels", "mandelbrot"), (width, height, 1), (32, 8, 1), [(0, output)], values)
    picture = output.to_numpy(np.float32, (height, width))
    expected = reference.mandelbrot(width, height, iterations)
    # Fast math contracts and the orbit is chaotic at the boundary: count the pixels that differ.
    differ = float(np.mean(picture != expected))
    job.add("mandelbrot", f"{width}x{height}", seconds, _rate(width * height, seconds, "pixel/s"), differ, 0.02, "share of pixels")
    inside = picture >= 1.0
    job.png("mandelbrot.png", heat(np.where(inside, 0.0, np.sqrt(np.clip(picture * 4.0, 0.0, 1.0)))))


def _images(job: _Job) -> None:
    photograph = load_photograph(64 if job.quick else None)
    height, width = photograph.shape[:2]
    size = [np.array([v], dtype=np.uint32) for v in (width, height)]
    source = job.buffer(photograph)
    output, temp = (job.buffer(np.zeros_like(photograph)) for _ in range(2))
    seconds = job.run(job.kernel("image_processing", "image_processing_pipeline"), (width, height, 1), (16, 16, 1),
                      [(0, source), (1, output), (2, temp)], [(3, size[0]), (4, size[1])])
    expected, blurred = reference.image_pipeline(photograph)
    result = output.to_numpy(np.float32, photograph.shape).copy()
    error = max(_error(result, expected), _error(temp.to_numpy(np.float32, photograph.shape), blurred))
    job.add("image_processing_pipeline", f"{width}x{height}", seconds, _rate(width * height, seconds, "pixel/s"), error, 2e-5)
    job.png("photograph.png", photograph)
    job.png("image_pipeline.png", result)

    seconds = job.run(job.kernel("image_processing", "gaussian_blur_5x5_buffer"), (width, height, 1), (16, 16, 1),
                      [(0, source), (1, output)], [(2, size[0]), (3, size[1]), (4, np.array([4], dtype=np.uint32))])
    result = output.to_numpy(np.float32, photograph.shape).copy()
    job.add("gaussian_blur_5x5_buffer", f"{width}x{height}x4", seconds, _rate(width * height, seconds, "pixel/s"), _error(result, reference.gaussian_blur(photograph, 5)), 1e-6)
    job.png("blur_5x5.png", result)

    kernel = job.kernel("image_processing", "gaussian_blur_3x3")
    first = job.device.make_texture(width, height, pixel_format="rgba32float")
    second = job.device.make_texture(width, height, pixel_format="rgba32float")
    first.replace_region(photograph)

    def blur() -> None:
        commands = job.queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(kernel.pipeline_state)
        encoder.set_texture(first, 0)
        encoder.set_texture(second, 1)
        encoder.dispatch_threads((width, height, 1), (16, 16, 1))
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()

    seconds = _median_seconds(blur)
    result = second.to_numpy()
    job.add("gaussian_blur_3x3", f"{width}x{height} texture", seconds, _rate(width * height, seconds, "pixel/s"), _error(result, reference.gaussian_blur(photograph, 3)), 1e-6)
    job.png("blur_3x3_texture.png", result)


def _life(job: _Job) -> None:
    width, height, steps = (48, 40, 10) if job.quick else (512, 512, 200)
    start = (job.rng.random((height, width)) < 0.2).astype(np.uint8)
    life = Life(job.device, start, queue=job.queue)
    frames, expected, seconds, every = [], start, 0.0, 4
    for done in progress(range(0, steps, every), "life", quiet=job.quiet):
        count = min(every, steps - done)
        began = time.perf_counter()
        life.run(count)
        seconds += time.perf_counter() - began
        for _ in range(count):
            expected = reference.life_step(expected)
        if job.out is not None:
            frames.append(life.cells.astype(np.float32))
    job.add("life_step", f"{width}x{height}, {steps} steps", seconds, _rate(width * height * steps, seconds, "cell/s"), _error(life.cells, expected), 0)
    if job.out is not None:
        save_gif(job.out / "life.gif", frames)
        save_png(job.out / "life.png", frames[-1])


def _fluid_reference(kernel: str, state: dict[str, np.ndarray], p: np.void) -> np.ndarray:
    """What the launch of ``kernel`` will write, from the state before it."""
    velocity, pressure = state["velocity"], state["pressure"]
    match kernel:
        case "add_force":
            return reference.add_force(velocity, p["dt"], p["fx"], p["fy"], p["fr"], p["fs"])
        case "advect_vel":
            return reference.advect(velocity, velocity, p["dt"])
        case "divergence":
            return reference.divergence(velocity)
        case "jacobi_pressure":
            return reference.jacobi(pressure, state["divergence"])
        case "subtract_gradient":
            return reference.subtract_gradient(velocity, pressure)
        case _:
            return reference.advect(state["dye"], velocity, p["dt"])


def _fluid(job: _Job) -> None:
    width, height, steps = (40, 32, 4) if job.quick else (512, 512, 100)
    fluid = Fluid(job.device, width, height, queue=job.queue)
    names = list(dict.fromkeys(launch.kernel for launch in Fluid.STEP))
    spent, worst, calls = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0), dict.fromkeys(names, 0)
    check_every = 1 if job.quick else 20
    frames = []
    for step in progress(range(steps), "fluid", quiet=job.quiet):
        params = fluid.params(step)
        for launch in Fluid.STEP:
            name = launch.kernel
            expected = _fluid_reference(name, fluid.views, params[0]) if step % check_every == 0 else None
            began = time.perf_counter()
            result = fluid.launch(launch, params)
            spent[name] += time.perf_counter() - began
            calls[name] += 1
            if expected is not None:
                worst[name] = max(worst[name], _error(result, expected))
        if step % 2 == 0 and job.out is not None:
            frames.append(heat(fluid.views["dye"].copy() * 0.9))
    for name in names:
        job.add(name, f"{width}x{height}, {calls[name]} calls", spent[name], _rate(width * height * calls[name], spent[name], "cell/s"), worst[name], 5e-4 if name.startswith("advect") else 2e-5)
    if not job.quiet:
        print(f"fluid: {steps} steps in {sum(spent.values()):.3f} s", file=sys.stderr)
    if job.out is not None:
        save_gif(job.out / "fluid.gif", frames)
        save_png(job.out / "fluid.png", frames[-1])


def run_gallery(device: Device | None = None, out: Path | str | None = None, quiet: bool = False, quick: bool = False) -> list[Row]:
    """Runs all 20 kernels; ``quick`` uses small, awkward sizes (for tests), ``quiet`` shows no progress."""
    device = device or Device.get_default_device()
    folder = None
    if out is not None:
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
    job = _Job(device, folder, quiet, quick)
    parts = (_helpers, _vectors, _reduction, _matrices, _mandelbrot, _images, _life, _fluid)
    for part in parts:
        part(job)
    return job.rows

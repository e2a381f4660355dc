"""What programs written for PyMetallic 0.3 import beside the core: a stop watch, animations, matrix operations, demos.

The checked and timed run over all kernels is :mod:`pymetallic.gallery`; the demos here show the API, step by step.
"""

from __future__ import annotations

import sys
import time
import traceback
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import reference
from .gallery import heat, load_photograph, save_gif
from .kernels import get_kernel_source
from .metallic import (
    Buffer,
    Device,
    Kernel,
    MetalError,
    async_buffer_from_numpy,
    fill_u32,
    kernel_cache,
    read_scalar,
    scalar_add,
    scalar_multiply,
)
from .simulations import Fluid, Life

__all__ = ["AnimateIt", "MetalMatrixOperations", "MetallicDemo", "StopWatch", "display_array", "run_comprehensive_example"]


class StopWatch:
    """Adds up the time spent in ``with`` blocks.

    ``elapsed_time`` is in seconds, over ``clicks`` blocks.
    """

    def __init__(self) -> None:
        self.elapsed_time = 0.0
        self.clicks = 0
        self._start = 0.0

    def __enter__(self) -> StopWatch:
        self._start = time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        self.elapsed_time += time.perf_counter() - self._start
        self.clicks += 1

    def __str__(self) -> str:
        if self.clicks == 0:
            return "not started"
        return f"{self.elapsed_time:.3f} s in {self.clicks} steps, {self.elapsed_time / self.clicks:.6f} s each"


class AnimateIt:
    """Collects pictures and saves them as a GIF, ``out_path/name.gif``.

    duration: milliseconds of a frame; seconds: of the whole instead. loop: for ever, or play once.
    colorful: color (h, w) frames; normalize: stretch those to [0, 1] before. Other arguments are Pillow's for saving.
    Without ``out_path`` or without Pillow, nothing is saved.
    """

    def __init__(self, name: str = "animation", mode: str | None = None, duration: int = 100, seconds: float | None = None,
                 loop: bool = False, out_path: str | Path | None = None, colorful: bool = False, normalize: bool = True,
                 **kwargs: Any) -> None:
        self.name, self.mode, self.duration, self.seconds, self.loop = name, mode, duration, seconds, loop
        self.path = None if out_path is None else str(Path(out_path) / f"{name}.gif")
        self.colorful, self.normalize = colorful, normalize
        self.save_args = kwargs
        self.frames: list[np.ndarray] = []
        self.times: list[float] = []

    def colorize(self, frame: np.ndarray) -> np.ndarray:
        """Colors for a floating-point (h, w) frame; other frames as they are."""
        if frame.ndim != 2 or not np.issubdtype(frame.dtype, np.floating):
            return frame
        low, high = float(np.nanmin(frame)), float(np.nanmax(frame))
        if self.normalize:
            frame = (frame - low) / (high - low) if high > low else np.zeros_like(frame)
        return heat(np.nan_to_num(frame))

    def add_frame(self, array: np.ndarray) -> None:
        """A picture in [0, 1]: (h, w), (h, w, 3) or (h, w, 4). It is copied."""
        frame = np.array(array)
        self.times.append(time.time())
        self.frames.append(self.colorize(frame) if self.colorful else frame)

    def save(self) -> str | None:
        """Writes the GIF; its path, or None when nothing was written."""
        if self.path is None or not self.frames:
            return None
        milliseconds = self.duration if self.seconds is None else max(1, round(1000 * self.seconds / len(self.frames)))
        try:
            save_gif(Path(self.path), self.frames, milliseconds, self.loop, **self.save_args)
        except ImportError:
            print(f"{self.name}: Pillow is not installed (pip install pillow), no GIF", file=sys.stderr)
            return None
        return self.path

    def show(self) -> None:
        """Saves the GIF and opens it."""
        path = self.save()
        if path is not None:
            webbrowser.open(Path(path).resolve().as_uri())


def display_array(array: np.ndarray, title: str | None = None, normalize: bool = True) -> bool:
    """Opens a picture (h, w), (h, w, 3) or (h, w, 4) in the viewer of the desktop.

    normalize: stretch what is not uint8 from its own range (gray) or from [0, 1] (color) to full brightness.
    False when it is no picture or cannot be shown.
    """
    values = np.asarray(array)
    if values.ndim == 3 and values.shape[2] not in (3, 4) or values.ndim not in (2, 3) or values.size == 0:
        return False
    if values.dtype != np.uint8:
        values = values.astype(np.float32)
        if normalize and values.ndim == 2:
            low, high = float(values.min()), float(values.max())
            values = (values - low) / ((high - low) or 1.0)
        values = np.clip(values * (255.0 if normalize else 1.0), 0.0, 255.0).astype(np.uint8)
    try:
        from PIL import Image

        Image.fromarray(values).show(title)
    except Exception:  # noqa: BLE001 - no Pillow, no display, no viewer: all mean that it was not shown
        return False
    return True


class MetalMatrixOperations:
    """Matrices and vectors of NumPy, float32, multiplied and added on a device.

    Every operation gives a new array. Shapes that do not fit raise ``ValueError``.
    """

    def __init__(self, device: Device | None = None, quiet: bool = False) -> None:
        self.device = device or Device.get_default_device()
        self.queue = self.device.make_command_queue()
        self.quiet = quiet
        linalg = get_kernel_source("linalg_kernels")
        names = ("matrix_multiply", "vector_add", "vector_multiply", "vector_scale")
        self._kernels = {name: Kernel(self.device, linalg, name) for name in names}
        self._kernels["blur"] = Kernel(self.device, get_kernel_source("image_processing"), "gaussian_blur_5x5_buffer")

    def _run(self, name: str, shape: tuple[int, ...], arrays: list[np.ndarray], values: list[Any], grid: tuple[int, ...]) -> np.ndarray:
        result = np.zeros(shape, dtype=np.float32)
        if result.size:
            kernel = self._kernels[name]
            kernel(*(np.ascontiguousarray(a, dtype=np.float32) for a in arrays), result, *values, grid=grid, queue=self.queue)
        return result

    def matrix_multiply(self, A: np.ndarray, B: np.ndarray) -> np.ndarray:
        """The product (m, n) of A (m, k) and B (k, n)."""
        A, B = np.asarray(A), np.asarray(B)
        if A.ndim != 2 or B.ndim != 2 or A.shape[1] != B.shape[0]:
            raise ValueError(f"matrices of shapes {A.shape} and {B.shape} cannot be multiplied")
        (m, k), n = A.shape, B.shape[1]
        if k == 0:
            return np.zeros((m, n), dtype=np.float32)
        return self._run("matrix_multiply", (m, n), [A, B], [m, n, k], (n, m))

    def vector_operations(self, a: np.ndarray, b: np.ndarray, operation: str) -> np.ndarray:
        """Element by element: operation "add" or "multiply"."""
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            raise ValueError(f"shapes {a.shape} and {b.shape} differ")
        if operation not in ("add", "multiply"):
            raise ValueError(f'operation {operation!r} is neither "add" nor "multiply"')
        return self._run(f"vector_{operation}", a.shape, [a, b], [], (a.size,))

    def vector_scale(self, v: np.ndarray, s: float) -> np.ndarray:
        """``v`` of any shape times ``s``, float32."""
        v = np.asarray(v)
        result = np.zeros(v.shape, dtype=np.float32)
        if result.size:
            self._kernels["vector_scale"](np.ascontiguousarray(v, dtype=np.float32), result, s, grid=v.size, queue=self.queue)
        return result

    def gaussian_blur_5x5(self, image2d: np.ndarray) -> np.ndarray:
        """A gray picture (h, w), blurred; edges are clamped."""
        image = np.asarray(image2d)
        if image.ndim != 2:
            raise ValueError(f"an image is (height, width), not of shape {image.shape}")
        height, width = image.shape
        return self._run("blur", image.shape, [image], [width, height, 1], (width, height))


class MetallicDemo:
    """Short programs that show the API, each checked against NumPy.

    quiet: print nothing. out_path: where GIFs go; none are made without. device: the default one when None.
    quick: small sizes, for slow devices. A demo whose result is wrong raises ``AssertionError``.
    """

    def __init__(self, quiet: bool = False, out_path: str | Path | None = None, *, device: Device | None = None,
                 quick: bool = False) -> None:
        self.quiet, self.quick = quiet, quick
        self.out_path = None if out_path is None else Path(out_path)
        if self.out_path is not None:
            self.out_path.mkdir(parents=True, exist_ok=True)
        self.device = device or Device.get_default_device()
        self.queue = self.device.make_command_queue()
        self.metal_ops = MetalMatrixOperations(self.device, quiet)
        self._rng = np.random.default_rng(3)

    def print(self, *args: Any, **kwargs: Any) -> None:
        """Like ``print``, unless the demos are quiet."""
        if not self.quiet:
            print(*args, **kwargs)

    def get_demos(self) -> dict[str, Callable[[], None]]:
        """The demos by name, in alphabetical order."""
        return {name.removeprefix("demo_"): getattr(self, name) for name in sorted(dir(self)) if name.startswith("demo_")}

    def run_complete_demo(self) -> list[str]:
        """Runs all demos, reports those that fail and goes on; the names of those."""
        failed = []
        for name, demo in self.get_demos().items():
            self.print(f"== {name}")
            try:
                demo()
            except Exception:  # noqa: BLE001 - the next demo does not depend on this one
                failed.append(name)
                traceback.print_exc()
        count = len(self.get_demos())
        self.print(f"{count - len(failed)} of {count} demos succeeded on {self.device.name}" + (f"; failed: {', '.join(failed)}" if failed else ""))
        return failed

    def _check(self, what: str, actual: np.ndarray, expected: np.ndarray, tolerance: float = 0.0) -> None:
        error = float(np.max(np.abs(np.asarray(actual, dtype=np.float64) - expected), initial=0.0))
        if not error <= tolerance:
            raise AssertionError(f"{what} differs from NumPy by {error:.3g}, more than {tolerance:.3g}")
        self.print(f"{what}: largest difference from NumPy {error:.2e}")

    def _animation(self, name: str, **options: Any) -> AnimateIt:
        return AnimateIt(name, out_path=self.out_path, loop=True, **options)

    def _saved(self, animation: AnimateIt) -> None:
        path = animation.save()
        if path is not None:
            self.print(f"saved {path}")

    def demo_device_info(self) -> None:
        """What there is to compute on."""
        for device in Device.get_all_devices():
            width, height, depth = device.max_threads_per_threadgroup
            self.print(f"{device.id}: {device.name}; threadgroups up to {width}x{height}x{depth}, "
                       f"{device.max_threadgroup_memory_length} bytes of threadgroup memory, "
                       f"{'unified' if device.has_unified_memory else 'separate'} memory")
        self.print(f"these demos run on {self.device.id}")

    def demo_basic_compute(self) -> None:
        """Metal's own steps, from source to result."""
        n = 1000 if self.quick else 100_000
        a, b = (self._rng.standard_normal(n, dtype=np.float32) for _ in range(2))
        library = self.device.make_library(get_kernel_source("demo_kernels"))
        pipeline = self.device.make_compute_pipeline_state(library.make_function("vector_add"))
        buffers = [self.device.make_buffer_from_numpy(a), self.device.make_buffer_from_numpy(b), self.device.make_buffer(4 * n)]
        commands = self.queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pipeline)
        for index, buffer in enumerate(buffers):
            encoder.set_buffer(buffer, 0, index)
        encoder.dispatch_threads((n, 1, 1), (256, 1, 1))
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()
        self._check(f"vector_add of {n}", buffers[2].to_numpy(np.float32), a + b)

    def demo_matrix_operations(self) -> None:
        """Products, sums and blurs of NumPy arrays."""
        m, k, n = (17, 33, 9) if self.quick else (256, 512, 128)
        a, b = (self._rng.standard_normal(shape, dtype=np.float32) for shape in ((m, k), (k, n)))
        ops = self.metal_ops
        self._check(f"matrix_multiply {m}x{k}x{n}", ops.matrix_multiply(a, b), a.astype(np.float64) @ b.astype(np.float64), 2e-7 * k * 4)
        self._check("vector add", ops.vector_operations(a, a[::-1], "add"), a + a[::-1])
        self._check("vector multiply", ops.vector_operations(a, a[::-1], "multiply"), a * a[::-1])
        self._check("vector scale", ops.vector_scale(a, 0.5), a * np.float32(0.5))
        self._check("gaussian_blur_5x5", ops.gaussian_blur_5x5(a), reference.gaussian_blur(a, 5), 2e-6)

    def demo_advanced_features(self) -> None:
        """Threadgroup memory and barriers, function constants, several kernels in one command buffer, events."""
        source = """
            #include <metal_stdlib>
            using namespace metal;
            constant bool squares [[function_constant(0)]];
            kernel void partial_sums(device const float* in, device float* out, constant uint& n,
                                     threadgroup float* part [[threadgroup(0)]],
                                     uint i [[thread_position_in_grid]], uint t [[thread_index_in_threadgroup]],
                                     uint g [[threadgroup_position_in_grid]], uint size [[threads_per_threadgroup]])
            {
                float x = i < n ? in[i] : 0.0f;
                part[t] = squares ? x * x : x;
                for (uint half_size = size / 2; half_size > 0; half_size /= 2) {
                    threadgroup_barrier(mem_flags::mem_threadgroup);
                    if (t < half_size) {
                        part[t] += part[t + half_size];
                    }
                }
                if (t == 0) {
                    out[g] = part[0];
                }
            }
        """
        n, group = (500, 64) if self.quick else (100_000, 256)
        groups = -(-n // group)
        values = self._rng.random(n, dtype=np.float32)
        data = self.device.make_buffer_from_numpy(values)
        sums = [self.device.make_buffer(4 * groups) for _ in range(2)]
        event = self.device.make_shared_event()
        commands = self.queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        for squares, out in zip((False, True), sums):
            encoder.set_compute_pipeline_state(kernel_cache.get(self.device, source, "partial_sums", {"squares": squares}))
            encoder.set_buffer(data, 0, 0)
            encoder.set_buffer(out, 0, 1)
            encoder.set_bytes(np.uint32(n), 2)
            encoder.set_threadgroup_memory_length(4 * group, 0)
            encoder.dispatch_threadgroups((groups, 1, 1), (group, 1, 1))
        encoder.end_encoding()
        commands.encode_signal_event(event, 1)
        commands.commit()
        if not event.wait_until_signaled_value(1, 600.0):
            raise AssertionError("the event did not arrive")
        commands.wait_until_completed()
        exact = values.astype(np.float64)
        self._check("sum", sums[0].to_numpy(np.float32).sum(dtype=np.float64), exact.sum(), 1e-6 * n)
        self._check("sum of squares", sums[1].to_numpy(np.float32).sum(dtype=np.float64), (exact**2).sum(), 1e-6 * n)
        self.print(f"both in one command buffer, {1e3 * (commands.gpu_end_time - commands.gpu_start_time):.3f} ms on the device")

    def demo_memory_patterns(self) -> None:
        """Storage modes, views, uploads that wait for nobody, fills and scalars."""
        n = 300 if self.quick else 50_000
        data = self._rng.standard_normal(n, dtype=np.float32)
        shared = Buffer.from_numpy(self.device, data)
        view = shared.to_numpy(np.float32)
        scalar_add(self.device, shared, 1.5)
        scalar_multiply(self.device, shared, 2.0)
        self._check("(x + 1.5) * 2 in place, seen through a view", view, (data + np.float32(1.5)) * np.float32(2.0))
        commands = self.queue.make_command_buffer()
        private = async_buffer_from_numpy(self.device, data, commands)
        back = self.device.make_buffer(private.size)
        blit = commands.make_blit_command_encoder()
        blit.copy_from_buffer(private, 0, back, 0, private.size)
        blit.end_encoding()
        commands.commit()
        commands.wait_until_completed()
        self._check("through private memory and back", back.to_numpy(np.float32), data)
        fill_u32(self.device, back, 0xC0FFEE)
        self._check("fill_u32", np.asarray([read_scalar(self.queue, back, np.uint32, i) for i in (0, n - 1)]), np.full(2, 0xC0FFEE))

    def demo_image_processing(self) -> None:
        """Blur, edges, mix and gamma of a photograph."""
        image = load_photograph(48 if self.quick else 512)
        height, width = image.shape[:2]
        output, blurred = np.zeros_like(image), np.zeros_like(image)
        kernel = Kernel(self.device, get_kernel_source("image_processing"), "image_processing_pipeline")
        kernel(image, output, blurred, width, height, queue=self.queue)
        expected, expected_blur = reference.image_pipeline(image)
        self._check("blurred", blurred, expected_blur, 1e-6)
        self._check("image_processing_pipeline", output, expected, 2e-5)
        animation = self._animation("image_processing", duration=1000)
        for frame in (image, blurred, output):
            animation.add_frame(frame[..., :3])
        self._saved(animation)

    def demo_cellular_automata(self, width: int = 512, height: int = 512, steps: int = 200, seed_probability: float = 0.05,
                               threadgroup: tuple[int, int, int] = (16, 16, 1)) -> None:
        """Conway's game of life."""
        if self.quick:
            width, height, steps = min(width, 40), min(height, 32), min(steps, 8)
        start = (self._rng.random((height, width)) < seed_probability).astype(np.uint8)
        life = Life(self.device, start, threadgroup, self.queue)
        animation = self._animation("cellular_automata", duration=50)
        watch = StopWatch()
        every = 2 if self.out_path is not None else steps
        for done in range(0, steps, every):
            with watch:
                life.run(min(every, steps - done))
            animation.add_frame(life.cells.astype(np.float32))
        self.print(f"{width}x{height}, {steps} generations in {watch.elapsed_time:.3f} s, {int(life.cells.sum())} alive")
        expected = start
        for _ in range(steps):
            expected = reference.life_step(expected)
        self._check("life_step", life.cells, expected)
        self._saved(animation)

    def demo_fluid_dynamics(self, width: int = 512, height: int = 512, steps: int = 100, dt: float = 0.1, visc: float = 0.0001,
                            threadgroup: tuple[int, int, int] = (16, 16, 1)) -> None:
        """A fluid that is stirred."""
        if self.quick:
            width, height, steps = min(width, 40), min(height, 32), min(steps, 3)
        fluid = Fluid(self.device, width, height, dt, visc, threadgroup, self.queue)
        animation = self._animation("fluid_dynamics", duration=50, colorful=True, normalize=False)
        watch = StopWatch()
        every = 2 if self.out_path is not None else max(steps, 1)
        for done in range(0, steps, every):
            with watch:
                fluid.run(min(every, steps - done))
            animation.add_frame(0.9 * fluid.views["dye"])
        dye, velocity = fluid.views["dye"], fluid.views["velocity"]
        if not (np.isfinite(dye).all() and np.isfinite(velocity).all() and -1e-5 <= dye.min() and dye.max() <= 1.0 + 1e-5):
            raise AssertionError("the fluid has left the range of its dye")
        self.print(f"{width}x{height}, {steps} steps in {watch.elapsed_time:.3f} s; fastest cell {np.abs(velocity).max():.2f}")
        self._saved(animation)

    def demo_performance_benchmark(self) -> None:
        """A few sizes beside NumPy."""
        self.benchmark_matrix_multiply([16, 32] if self.quick else [128, 256, 512])
        self.benchmark_vector_operations(1000 if self.quick else 1_000_000)

    def benchmark_matrix_multiply(self, sizes: list[int]) -> None:
        """Times square products here and in NumPy, copies included."""
        for size in sizes:
            a, b = (self._rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
            self._compare(f"matrix_multiply {size}x{size}", self.metal_ops.matrix_multiply, np.matmul, (a, b), 1e-5 * size)

    def benchmark_vector_operations(self, size: int = 1_000_000) -> None:
        """Times sums and products here and in NumPy, copies included."""
        a, b = (self._rng.standard_normal(size, dtype=np.float32) for _ in range(2))
        self._compare(f"add {size}", lambda x, y: self.metal_ops.vector_operations(x, y, "add"), np.add, (a, b), 0.0)
        self._compare(f"multiply {size}", lambda x, y: self.metal_ops.vector_operations(x, y, "multiply"), np.multiply, (a, b), 0.0)

    def _compare(self, what: str, ours: Callable[..., np.ndarray], theirs: Callable[..., np.ndarray],
                 arguments: tuple[np.ndarray, ...], tolerance: float) -> None:
        ours(*arguments)
        here, there = StopWatch(), StopWatch()
        with here:
            result = ours(*arguments)
        with there:
            expected = theirs(*arguments)
        if not np.allclose(result, expected, rtol=0.0, atol=tolerance):
            raise AssertionError(f"{what} differs from NumPy")
        self.print(f"{what}: {1e3 * here.elapsed_time:.3f} ms, NumPy {1e3 * there.elapsed_time:.3f} ms")

    def demo_error_handling(self) -> None:
        """What mistakes look like."""
        source = get_kernel_source("demo_kernels")
        mistakes: dict[str, Callable[[], object]] = {
            "a mistake in the source": lambda: self.device.make_library("kernel void f(device flaot* x) {}").make_function("f"),
            "an unknown function": lambda: self.device.make_library(source).make_function("vector_ad"),
            "an argument is missing": lambda: Kernel(self.device, source, "vector_add")(self.queue, 8, 8, buffers=[]),
            "a wrong dtype": lambda: Kernel(self.device, source, "vector_add")(*np.zeros((3, 8))),
            "a threadgroup that is too large": lambda: Kernel(self.device, source, "vector_add")(*np.zeros((3, 8), np.float32), threadgroup=4096),
            "a view of private memory": lambda: self.device.make_buffer(16, Buffer.STORAGE_PRIVATE).to_numpy(np.float32),
        }
        for what, make in mistakes.items():
            try:
                make()
            except MetalError as error:
                self.print(f"{what}: {type(error).__name__}: {error}")
            else:
                raise AssertionError(f"{what} went unnoticed")


def run_comprehensive_example() -> None:
    """Runs the demos one after the other on the default device; raises ``AssertionError`` when one fails."""
    failed = MetallicDemo().run_complete_demo()
    if failed:
        raise AssertionError(f"demos failed: {', '.join(failed)}")

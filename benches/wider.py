"""The wider set: kernels of different natures beside C and NumPy; `cpu.py` measures and prints them.

`ours` and `c_peer` and `numpy_peer` give, by label, what to run and how to check it; every result is compared with
NumPy's.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROWS, COLUMNS = 4096, 1024
BYTES, KEYS, ITEMS, SIDE, TRANSFORMS, WEIGHTS, SPHERES, TEXT, M = 1 << 24, 1 << 18, 1 << 24, 2048, 2048, 4096, 64, 1 << 24, 1024
WORD = b"needle"

UNITS: dict[str, tuple[str, Callable[[float], float]]] = {
    "w1 softmax": ("Melem/s", lambda t: ROWS * COLUMNS / t / 1e6),
    "w2 histogram": ("Melem/s", lambda t: BYTES / t / 1e6),
    "w3 bitonic sort": ("Mkey/s", lambda t: KEYS / t / 1e6),
    "w4 prefix scan": ("GB/s", lambda t: 8 * ITEMS / t / 1e9),
    "w5 convolution": ("Mpixel/s", lambda t: SIDE * SIDE / t / 1e6),
    "w6 FFT 1024": ("GFLOP/s", lambda t: TRANSFORMS * 5 * 1024 * 10 / t / 1e9),
    "w7 matvec q8": ("GB/s", lambda t: WEIGHTS**2 / t / 1e9),
    "w8 ray-sphere": ("Mray/s", lambda t: SIDE * SIDE / t / 1e6),
    "w9 string search": ("MB/s", lambda t: TEXT / t / 1e6),
    "w10 layer norm": ("Melem/s", lambda t: ROWS * COLUMNS / t / 1e6),
    "w11 gemm simdgroup": ("GFLOP/s", lambda t: 2 * M**3 / t / 1e9),
}


class Data:
    """Inputs and expected results, the same for all."""

    def __init__(self) -> None:
        rng = np.random.default_rng(99)
        self.rows = rng.standard_normal((ROWS, COLUMNS), dtype=np.float32)
        self.gain, self.bias = rng.random(COLUMNS, dtype=np.float32), rng.random(COLUMNS, dtype=np.float32)
        self.bytes = rng.integers(0, 256, BYTES, dtype=np.uint8)
        self.keys = rng.integers(0, 1 << 32, KEYS, dtype=np.uint32)
        self.items = rng.integers(0, 256, ITEMS, dtype=np.uint32)
        self.image = rng.random((SIDE, SIDE), dtype=np.float32)
        self.weights = rng.random(25, dtype=np.float32) / 12
        self.signal = (rng.standard_normal((TRANSFORMS, 1024)) + 1j * rng.standard_normal((TRANSFORMS, 1024))).astype(np.complex64)
        self.q8 = rng.integers(-127, 128, (WEIGHTS, WEIGHTS), dtype=np.int8)
        self.scales = (rng.random((WEIGHTS, WEIGHTS // 32)) / 64).astype(np.float16)
        self.vector = rng.standard_normal(WEIGHTS, dtype=np.float32)
        center = np.concatenate([rng.random((SPHERES, 2)) * 4 - 2, rng.random((SPHERES, 1)) * 6 + 4, rng.random((SPHERES, 1)) * 0.4 + 0.1], 1)
        self.spheres = center.astype(np.float32)
        text = rng.integers(97, 123, TEXT + 16, dtype=np.uint8)
        for at in rng.integers(0, TEXT - 16, 2000):
            text[at : at + len(WORD)] = np.frombuffer(WORD, np.uint8)
        self.text, self.word = text, np.frombuffer(WORD, np.uint8).copy()
        self.A, self.B = rng.random((M, M), dtype=np.float32) - 0.5, rng.random((M, M), dtype=np.float32) - 0.5

    def right(self, label: str, result: np.ndarray) -> bool:
        """Whether a result is NumPy's; of large ones a part is compared."""
        f64 = np.float64
        if label == "w1 softmax":
            x = np.exp(self.rows[:64].astype(f64))
            return np.allclose(result.reshape(ROWS, COLUMNS)[:64], x / x.sum(1, keepdims=True), rtol=1e-4, atol=1e-7)
        if label == "w2 histogram":
            return np.array_equal(result, np.bincount(self.bytes, minlength=256))
        if label == "w3 bitonic sort":
            return np.array_equal(result, np.sort(self.keys))
        if label == "w4 prefix scan":
            return np.array_equal(result, np.cumsum(self.items, dtype=np.uint32))
        if label == "w5 convolution":
            padded, w = np.pad(self.image, 2, mode="edge"), self.weights.reshape(5, 5)
            expected = sum(w[i, j] * padded[i : i + SIDE, j : j + SIDE] for i in range(5) for j in range(5))
            return np.allclose(result.reshape(SIDE, SIDE), expected, atol=1e-4)
        if label == "w6 FFT 1024":
            return np.allclose(result.view(np.complex64).reshape(-1, 1024)[:64], np.fft.fft(self.signal[:64]), atol=1e-2)
        if label == "w7 matvec q8":
            w = self.q8[:64].astype(f64) * np.repeat(self.scales[:64].astype(f64), 32, 1)
            return np.allclose(result[:64], w @ self.vector, atol=1e-2, rtol=1e-3)
        if label == "w8 ray-sphere":
            return np.mean(np.abs(result.reshape(SIDE, SIDE)[::64] - self.depth()) > 2e-3) < 1e-3
        if label == "w9 string search":
            found = np.ones(TEXT, bool)
            for i, c in enumerate(self.word):
                found &= self.text[i : i + TEXT] == c
            return np.array_equal(result, found)
        if label == "w10 layer norm":
            x = self.rows[:64].astype(f64)
            expected = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-5) * self.gain + self.bias
            return np.allclose(result.reshape(ROWS, COLUMNS)[:64], expected, atol=1e-3)
        return np.allclose(result.reshape(M, M), self.A @ self.B, atol=1e-3)

    def depth(self) -> np.ndarray:
        x, y = np.meshgrid((np.arange(SIDE) + 0.5) / SIDE - 0.5, (np.arange(0, SIDE, 64) + 0.5) / SIDE - 0.5)
        d = np.stack([x, y, np.ones_like(x)], -1)
        d /= np.linalg.norm(d, axis=-1, keepdims=True)
        nearest = np.full(x.shape, float(np.float32(1e30)))
        for s in self.spheres.astype(np.float64):
            b = d @ s[:3]
            h = b * b - (s[:3] @ s[:3] - s[3] ** 2)
            t = b - np.sqrt(np.maximum(h, 0))
            nearest = np.where((h > 0) & (t > 0) & (t < nearest), t, nearest)
        return nearest


def ours(data: Data, device: Any, add: Callable[..., None]) -> None:
    """Calls `add(label, run, check)` for every kernel."""
    import pymetallic as pm

    queue = device.make_command_queue()
    source = (HERE / "wider.metal").read_text()
    pipeline = {n: pm.Kernel(device, source, n)._pso for n in device.make_library(source).function_names}
    u32 = np.uint32

    def buffer(array: np.ndarray) -> Any:
        return pm.Buffer.from_numpy(device, array)

    def empty(size: int) -> Any:
        return pm.Buffer(device, size)

    def launcher(*dispatches: tuple) -> Callable[[], None]:
        """One command buffer: (kernel, threads or threadgroups, threads per threadgroup, arguments) each."""

        def run() -> None:
            commands = queue.make_command_buffer()
            encoder = commands.make_compute_command_encoder()
            for kernel, grid, group, arguments in dispatches:
                encoder.set_compute_pipeline_state(pipeline[kernel])
                for i, argument in enumerate(arguments):
                    if isinstance(argument, pm.Buffer):
                        encoder.set_buffer(argument, 0, i)
                    else:
                        encoder.set_bytes(argument, i)
                encoder.dispatch_threads(grid, group)
            encoder.end_encoding()
            commands.commit()
            commands.wait_until_completed()

        return run

    def kernel(label: str, run: Callable[[], None], out: Any, dtype: Any) -> None:
        add(label, run, lambda: data.right(label, out.to_numpy(dtype)))

    rows, out = buffer(data.rows), empty(data.rows.nbytes)
    kernel("w1 softmax", launcher(("softmax", (256 * ROWS,), (256,), (rows, out, u32(COLUMNS)))), out, np.float32)
    normed = empty(data.rows.nbytes)
    arguments = (rows, normed, buffer(data.gain), buffer(data.bias), u32(COLUMNS))
    kernel("w10 layer norm", launcher(("layer_norm", (256 * ROWS,), (256,), arguments)), normed, np.float32)

    bins = empty(1024)
    count = launcher(("histogram", (BYTES // 64,), (256,), (buffer(data.bytes), bins, u32(BYTES))))

    def histogram() -> None:
        bins.to_numpy(u32)[:] = 0
        count()

    kernel("w2 histogram", histogram, bins, u32)

    keys, steps = buffer(data.keys), []
    for k in (1 << i for i in range(1, KEYS.bit_length())):
        for j in (k >> i for i in range(1, k.bit_length())):
            steps.append(("bitonic", (KEYS // 2,), (256,), (keys, u32(k), u32(j))))
    network = launcher(*steps)

    def sort() -> None:
        keys.to_numpy(u32)[:] = data.keys
        network()

    kernel("w3 bitonic sort", sort, keys, u32)

    # Sums of blocks, of blocks of blocks, and so on.
    levels = [(buffer(data.items), empty(4 * ITEMS), ITEMS)]
    while levels[-1][2] > 1024:
        n = levels[-1][2] // 1024
        size = max(4 * n, 4096)
        levels.append((empty(size), empty(size), n))
    scans = [("scan_blocks", (max(n // 4, 256),), (256,), (a, b, levels[i + 1][0] if i + 1 < len(levels) else empty(4096))) for i, (a, b, n) in enumerate(levels)]
    adds = [("scan_add", (n,), (256,), (levels[i][1], levels[i + 1][1])) for i, (_, _, n) in enumerate(levels[:-1])]
    kernel("w4 prefix scan", launcher(*scans, *reversed(adds)), levels[0][1], u32)

    picture, size = empty(data.image.nbytes), np.array([SIDE, SIDE], u32)
    kernel("w5 convolution", launcher(("convolve", (SIDE, SIDE), (32, 8), (buffer(data.image), picture, data.weights, size))), picture, np.float32)
    spectrum = empty(data.signal.nbytes)
    kernel("w6 FFT 1024", launcher(("fft", (TRANSFORMS * 256,), (256,), (buffer(data.signal), spectrum))), spectrum, np.float32)
    y = empty(4 * WEIGHTS)
    arguments = (buffer(data.q8), buffer(data.scales), buffer(data.vector), y, u32(WEIGHTS))
    kernel("w7 matvec q8", launcher(("matvec_q8", (32 * WEIGHTS,), (32,), arguments)), y, np.float32)
    depth = empty(4 * SIDE * SIDE)
    kernel("w8 ray-sphere", launcher(("rays", (SIDE, SIDE), (32, 8), (buffer(data.spheres), depth, u32(SPHERES), size))), depth, np.float32)
    found = empty(TEXT)
    kernel("w9 string search", launcher(("find", (TEXT,), (256,), (buffer(data.text), found, data.word, u32(len(WORD))))), found, np.uint8)
    product = empty(data.A.nbytes)
    kernel("w11 gemm simdgroup", launcher(("gemm", (M, M // 32), (32, 1), (buffer(data.A), buffer(data.B), product, u32(M)))), product, np.float32)


def c_peer(data: Data, lib: Any, add: Callable[..., None]) -> None:
    at = lambda array: ctypes.c_void_p(array.ctypes.data)  # noqa: E731
    i64 = ctypes.c_int64

    def kernel(label: str, run: Callable[[], None], out: np.ndarray) -> None:
        add(label, run, lambda: data.right(label, out))

    out, normed, bins = np.empty_like(data.rows), np.empty_like(data.rows), np.zeros(256, np.uint32)
    keys, sums, picture = data.keys.copy(), np.empty_like(data.items), np.empty_like(data.image)
    spectrum, y, depth = np.empty_like(data.signal), np.empty(WEIGHTS, np.float32), np.empty_like(data.image)
    found = np.empty(TEXT, np.uint8)

    def histogram() -> None:
        bins[:] = 0
        lib.histogram(at(data.bytes), at(bins), i64(BYTES))

    def sort() -> None:
        keys[:] = data.keys
        lib.bitonic(at(keys), i64(KEYS))

    kernel("w1 softmax", lambda: lib.softmax(at(data.rows), at(out), i64(ROWS), i64(COLUMNS)), out)
    kernel("w2 histogram", histogram, bins)
    kernel("w3 bitonic sort", sort, keys)
    kernel("w4 prefix scan", lambda: lib.scan(at(data.items), at(sums), i64(ITEMS)), sums)
    kernel("w5 convolution", lambda: lib.convolve(at(data.image), at(picture), at(data.weights), i64(SIDE), i64(SIDE)), picture)
    kernel("w6 FFT 1024", lambda: lib.fft(at(data.signal), at(spectrum), i64(TRANSFORMS)), spectrum.view(np.float32))
    kernel("w7 matvec q8", lambda: lib.matvec_q8(at(data.q8), at(data.scales), at(data.vector), at(y), i64(WEIGHTS), i64(WEIGHTS)), y)
    kernel("w8 ray-sphere", lambda: lib.rays(at(data.spheres), at(depth), i64(SPHERES), i64(SIDE), i64(SIDE)), depth)
    kernel("w9 string search", lambda: lib.find(at(data.text), at(found), at(data.word), i64(len(WORD)), i64(TEXT)), found)
    kernel("w10 layer norm", lambda: lib.layer_norm(at(data.rows), at(normed), at(data.gain), at(data.bias), i64(ROWS), i64(COLUMNS)), normed)


def numpy_peer(data: Data, add: Callable[..., None]) -> None:
    product, sums = np.empty_like(data.A), np.empty_like(data.items)
    add("w2 histogram", lambda: np.bincount(data.bytes, minlength=256), None)
    add("w4 prefix scan", lambda: np.cumsum(data.items, dtype=np.uint32, out=sums), None)
    add("w6 FFT 1024", lambda: np.fft.fft(data.signal), None)
    add("w11 gemm simdgroup", lambda: np.matmul(data.A, data.B, out=product), None)

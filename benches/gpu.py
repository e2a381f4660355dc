"""An NVIDIA GPU: our kernels beside the same kernels in CUDA C++, one command, one table, all in the same run.

    python benches/gpu.py [--only vector_add,life] [--device cuda:0] [--json FILE]

Ours and CuPy's `RawKernel` (NVRTC) work on the same arrays; their launches alternate, and times are those of
events on the GPU, medians. The ceiling is what a library reaches on the same problem (CuPy: cuBLAS, CUB); products with
simdgroup matrices (`gemm.metal`) are compared with that alone. The last line of the first part is a copy within the
GPU's memory. A `!` marks a result that differs from CUDA's. Then launches, transfers and compilation, as seen from Python.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cupy as cp
import numpy as np

import pymetallic as pm

HERE = Path(__file__).resolve().parent
SOURCE = (HERE / "kernels.metal").read_text() + """
kernel void nothing(device float* a, uint i [[thread_position_in_grid]]) { if (i == 1000000u) a[0] = 1.0f; }
"""
CUDA_SOURCE = (HERE / "gpu.cu").read_text()
ROUNDS = 15


@dataclass
class Case:
    """One kernel: arguments are arrays of the GPU, or NumPy scalars passed by value."""

    kernel: str
    grid: tuple[int, int]
    threadgroup: tuple[int, int]
    arguments: list[Any]
    outputs: list[int]
    unit: str
    rate: Callable[[float], float]
    tolerance: float = 1e-4
    ceiling: Callable[[], Any] | None = None
    notes: dict[str, float] = field(default_factory=dict)


def cases(device_memory: int) -> list[Case]:
    """The kernels of the table; smaller where memory is short."""
    shift = 0 if device_memory > 16 << 30 else 3
    n = 1 << (28 - shift)
    rng = cp.random.default_rng(1234)

    def array(*shape: int) -> Any:
        return rng.random(shape, dtype=np.float32)

    a, b, c = array(n), array(n), cp.empty(n, np.float32)
    m = 4096
    ma, mb = (a[: m * m] - 0.5).reshape(m, m).copy(), (b[: m * m] - 0.5).reshape(m, m).copy()
    mc = cp.empty((m, m), np.float32)
    side, bodies, life, jacobi = 8192, 65536, 16384, 8192
    p = array(bodies, 4)
    cells = (array(life, life) < 0.3).astype(np.uint8)
    uint = np.uint32
    size3 = np.array((side, side, 256, 0), uint)
    return [
        Case("vector_add", (n, 1), (256, 1), [a, b, c], [2], "GB/s", lambda t: 12 * n / t / 1e9,
             ceiling=lambda: cp.add(a, b, out=c)),
        Case("reduce", (n, 1), (256, 1), [a, cp.empty(n // 256, np.float32)], [1], "GB/s", lambda t: 4 * n / t / 1e9,
             ceiling=lambda: cp.sum(a)),
        Case("matmul_naive", (m, m), (16, 16), [ma, mb, mc, uint(m)], [2], "TFLOP/s", lambda t: 2 * m**3 / t / 1e12, 1e-3,
             ceiling=lambda: cp.matmul(ma, mb, out=mc)),
        Case("matmul_tiled", (m, m), (16, 16), [ma, mb, mc, uint(m)], [2], "TFLOP/s", lambda t: 2 * m**3 / t / 1e12, 1e-3,
             ceiling=lambda: cp.matmul(ma, mb, out=mc)),
        Case("mandelbrot", (side, side), (16, 16), [cp.empty((side, side), uint), size3], [0], "Gpixel/s",
             lambda t: side * side / t / 1e9, 0.05),
        Case("nbody", (bodies, 1), (256, 1), [p, cp.empty((bodies, 4), np.float32), uint(bodies), np.float32(1e-3)], [1],
             "Ginter/s", lambda t: bodies**2 / t / 1e9, 1e-3),
        Case("life", (life, life), (32, 8), [cells, cp.empty_like(cells), uint(life)], [1], "Gcell/s",
             lambda t: life * life / t / 1e9, 0),
        Case("jacobi", (jacobi, jacobi), (32, 8), [a[: jacobi**2], b[: jacobi**2].copy(), uint(jacobi)], [1], "GB/s",
             lambda t: 8 * jacobi**2 / t / 1e9),
    ]


def products() -> list[Case]:
    """Matrix products with simdgroup matrices; cuBLAS is the one to compare with."""
    m = 4096
    rng = cp.random.default_rng(5)
    a, b = ((rng.random((m, m), dtype=np.float32) - 0.5) for _ in range(2))
    found = []
    for kernel, dtype, tile in (("gemm_half", np.float16, (128, 256)), ("gemm_float", np.float32, (128, 128))):
        x, y = a.astype(dtype), b.astype(dtype)
        c = cp.empty((m, m), dtype)
        # A row of the grid has the threads of one threadgroup for each tile.
        threads = 256
        found.append(Case(kernel, (m // tile[1] * threads, m // tile[0]), (threads, 1), [x, y, c, np.uint32(m)], [2], "TFLOP/s",
                          lambda t: 2 * m**3 / t / 1e12, 2e-3 if dtype == np.float16 else 1e-5,
                          ceiling=lambda x=x, y=y: cp.matmul(x, y)))
    return found


class Ours:
    """Our side of a case, ready to run."""

    def __init__(self, device: pm.Device, queue: pm.CommandQueue, library: pm.Library, case: Case) -> None:
        self.queue, self.case = queue, case
        self.pipeline = device.make_compute_pipeline_state(library.make_function(case.kernel))
        is_value = [not isinstance(x, cp.ndarray) for x in case.arguments]
        self.buffers = [None if v else pm.Buffer.from_dlpack(x, device=device) for x, v in zip(case.arguments, is_value)]

    def run(self) -> float:
        commands = self.queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(self.pipeline)
        for i, (buffer, value) in enumerate(zip(self.buffers, self.case.arguments)):
            if buffer is None:
                encoder.set_bytes(np.atleast_1d(value), i)
            else:
                encoder.set_buffer(buffer, 0, i)
        encoder.dispatch_threads((*self.case.grid, 1), (*self.case.threadgroup, 1))
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()
        return commands.gpu_end_time - commands.gpu_start_time


def event_time(run: Callable[[], Any]) -> float:
    start, end = cp.cuda.Event(), cp.cuda.Event()
    start.record()
    run()
    end.record()
    end.synchronize()
    return cp.cuda.get_elapsed_time(start, end) * 1e-3


def kernels(device: pm.Device, only: set[str]) -> dict[str, dict[str, float]]:
    module = cp.RawModule(code=CUDA_SOURCE, options=("-std=c++17",))
    library = device.make_library(SOURCE)
    queue = device.make_command_queue()
    results: dict[str, dict[str, float]] = {}
    print(f"{'kernel':<14}{'unit':<10}{'ours':>9}{'CUDA C++':>10}{'ratio':>8}{'library':>9}")
    for case in cases(cp.cuda.runtime.memGetInfo()[1]):
        if only and case.kernel not in only:
            continue
        theirs = module.get_function(case.kernel)
        blocks = tuple(g // t for g, t in zip(case.grid, case.threadgroup))
        # A vector by value is three numbers in CUDA.
        arguments = tuple(x for v in case.arguments for x in (v[:3] if isinstance(v, np.ndarray) else (v,)))
        ours = Ours(device, queue, library, case)

        def run_theirs() -> None:
            theirs(blocks, case.threadgroup, arguments)

        expected = []
        for fill, run in ((0, run_theirs), (1, ours.run)):
            for i in case.outputs:
                if case.kernel != "jacobi":
                    case.arguments[i].fill(fill)
            cp.cuda.Device().synchronize()
            run()
            cp.cuda.Device().synchronize()
            expected.append([case.arguments[i].copy() for i in case.outputs])
        is_right = all(differ(x, y) <= case.tolerance for x, y in zip(*expected))
        del expected
        times: tuple[list[float], ...] = ([], [], [])
        for _ in range(ROUNDS):
            times[0].append(ours.run())
            times[1].append(event_time(run_theirs))
            if case.ceiling is not None:
                times[2].append(event_time(case.ceiling))
        medians = [statistics.median(t) if t else float("nan") for t in times]
        rates = [case.rate(t) for t in medians]
        mark = "" if is_right else " !"
        print(f"{case.kernel:<14}{case.unit:<10}{rates[0]:>9.5g}{rates[1]:>10.5g}{rates[0] / rates[1]:>8.3f}{rates[2]:>9.5g}{mark}", flush=True)
        results[case.kernel] = {"ours": rates[0], "cuda": rates[1], "library": rates[2], "right": is_right}
    library = device.make_library((HERE / "gemm.metal").read_text())
    for case in products():
        if only and case.kernel not in only:
            continue
        assert case.ceiling is not None
        ours, expected = Ours(device, queue, library, case), case.ceiling()
        case.arguments[2].fill(0)
        cp.cuda.Device().synchronize()
        ours.run()
        is_right = differ(expected, case.arguments[2]) <= case.tolerance
        pairs = [(ours.run(), event_time(case.ceiling)) for _ in range(ROUNDS)]
        rates = [case.rate(statistics.median(side)) for side in zip(*pairs)]
        mark = "" if is_right else " !"
        print(f"{case.kernel:<14}{case.unit:<10}{rates[0]:>9.5g}{'':>10}{rates[0] / rates[1]:>8.3f}{rates[1]:>9.5g}{mark}", flush=True)
        results[case.kernel] = {"ours": rates[0], "library": rates[1], "right": is_right}
    source = cp.empty(1 << 30, np.uint8)
    target = cp.empty_like(source)
    copy = statistics.median(event_time(lambda: cp.copyto(target, source)) for _ in range(ROUNDS))
    print(f"{'copy, device':<14}{'GB/s':<10}{'':>9}{2 * source.size / copy / 1e9:>10.5g}")
    return results


def differ(x: Any, y: Any) -> float:
    """How far two results are apart: relative to their size, or the share of different integers."""
    if x.dtype.kind in "iu":
        return float((x != y).mean())
    x, y = x.astype(np.float64), y.astype(np.float64)
    distance = float(cp.linalg.norm((x - y).ravel()) / cp.maximum(cp.linalg.norm(x.ravel()), 1e-30))
    return distance if np.isfinite(distance) else float("inf")


def launches(device: pm.Device) -> dict[str, float]:
    """Microseconds per empty kernel, from Python."""
    queue = device.make_command_queue()
    pipeline = device.make_compute_pipeline_state(device.make_library(SOURCE).make_function("nothing"))
    buffer = pm.Buffer(device, 4, pm.Buffer.STORAGE_PRIVATE)
    theirs = cp.RawModule(code=CUDA_SOURCE).get_function("nothing")
    array = cp.zeros(1, np.float32)

    def ours(wait: bool) -> pm.CommandBuffer:
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pipeline)
        encoder.set_buffer(buffer, 0, 0)
        encoder.dispatch_threads(32, 32)
        encoder.end_encoding()
        commands.commit()
        if wait:
            commands.wait_until_completed()
        return commands

    def ours_batched(count: int) -> None:
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pipeline)
        encoder.set_buffer(buffer, 0, 0)
        for _ in range(count):
            encoder.dispatch_threads(32, 32)
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()

    def ours_list(wait: bool) -> None:
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pipeline)
        encoder.set_buffer(buffer, 0, 0)
        for _ in range(20):
            encoder.dispatch_threads(32, 32)
        encoder.end_encoding()
        commands.commit()
        if wait:
            commands.wait_until_completed()

    def cupy(wait: bool) -> None:
        theirs((1,), (32,), (array,))
        if wait:
            cp.cuda.get_current_stream().synchronize()

    def cupy_list(wait: bool) -> None:
        for _ in range(20):
            theirs((1,), (32,), (array,))
        if wait:
            cp.cuda.get_current_stream().synchronize()

    def many(run: Callable[[bool], Any], wait: bool, count: int = 1000) -> float:
        run(True)
        start = time.perf_counter()
        for _ in range(count - 1):
            run(wait)
        run(True)
        return (time.perf_counter() - start) / count * 1e6

    rows = {
        "launch, asynchronous": (lambda: many(ours, False), lambda: many(cupy, False)),
        "launch + wait": (lambda: many(ours, True), lambda: many(cupy, True)),
        "a list of 20 + wait": (lambda: many(ours_list, True, 200), lambda: many(cupy_list, True, 200)),
    }
    results = {}
    print(f"\n{'':<28}{'ours':>10}{'CuPy':>10}")
    for name, sides in rows.items():
        values = [min(side() for _ in range(7)) for side in sides]
        print(f"{name:<28}{values[0]:>8.2f}us{values[1]:>8.2f}us", flush=True)
        results[name] = values[0]
        results[f"{name}, CuPy"] = values[1]
    start = time.perf_counter()
    ours_batched(1000)
    print(f"{'launch, 1000 in a list':<28}{(time.perf_counter() - start) * 1e3:>8.2f}us")
    kernel = pm.Kernel(device, SOURCE, "nothing")
    value = min(many(lambda wait: kernel(buffer, grid=32), True) for _ in range(3))
    print(f"{'kernel(buffer), waits':<28}{value:>8.2f}us")
    return results


def transfers(device: pm.Device) -> dict[str, float]:
    """Uploads of 16 arrays of 16 MiB."""
    arrays = [np.random.default_rng(i).random(2 << 20) for i in range(16)]
    size = sum(a.nbytes for a in arrays)
    queue = device.make_command_queue()
    targets = [cp.empty(a.size) for a in arrays]

    def ours() -> list[pm.Buffer]:
        commands = queue.make_command_buffer()
        buffers = [pm.async_buffer_from_numpy(device, a, commands) for a in arrays]
        commands.commit()
        commands.wait_until_completed()
        return buffers

    def pageable() -> None:
        for a, t in zip(arrays, targets):
            cp.cuda.runtime.memcpy(t.data.ptr, a.ctypes.data, a.nbytes, 1)

    pinned = cp.cuda.alloc_pinned_memory(size)

    def from_pinned() -> None:
        at = 0
        for a, t in zip(arrays, targets):
            cp.cuda.runtime.memcpyAsync(t.data.ptr, pinned.ptr + at, a.nbytes, 1, 0)
            at += a.nbytes
        cp.cuda.Device().synchronize()

    def rate(run: Callable[[], Any]) -> float:
        run()
        times = []
        for _ in range(7):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        return size / statistics.median(times) / 1e9

    results = {"upload": rate(ours), "pageable": rate(pageable), "pinned": rate(from_pinned)}
    print(f"\nupload 16 x 16 MiB: ours {results['upload']:.1f} GB/s, pageable copy {results['pageable']:.1f}, "
          f"pinned copy {results['pinned']:.1f}; ratio to pageable {results['upload'] / results['pageable']:.2f}")
    back = ours()[7]
    check = pm.Buffer(device, back.size)
    commands = queue.make_command_buffer()
    blit = commands.make_blit_command_encoder()
    blit.copy_from_buffer(back, 0, check, 0, back.size)
    blit.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    assert np.array_equal(check.to_numpy(np.float64), arrays[7])
    # Beside a long kernel: the sum of both alone against both together.
    busy = Busy(device)
    alone = busy.run(lambda: None)
    start = time.perf_counter()
    ours()
    upload = time.perf_counter() - start
    both = busy.run(ours)
    print(f"beside a kernel of {alone * 1e3:.1f} ms: upload {upload * 1e3:.1f} ms alone, together {both * 1e3:.1f} ms")
    results |= {"kernel_ms": alone * 1e3, "upload_ms": upload * 1e3, "together_ms": both * 1e3}
    return results


class Busy:
    """A kernel that takes some milliseconds, on a queue of its own."""

    def __init__(self, device: pm.Device) -> None:
        self.queue = device.make_command_queue()
        self.pipeline = device.make_compute_pipeline_state(device.make_library(SOURCE).make_function("nbody"))
        n = 1 << 16
        self.buffers = [pm.Buffer(device, 16 * n, pm.Buffer.STORAGE_PRIVATE) for _ in range(2)]
        self.count = n
        self.run(lambda: None)

    def run(self, beside: Callable[[], Any]) -> float:
        start = time.perf_counter()
        commands = self.queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(self.pipeline)
        for i, buffer in enumerate(self.buffers):
            encoder.set_buffer(buffer, 0, i)
        encoder.set_bytes(np.array([self.count], np.uint32), 2)
        encoder.set_bytes(np.array([1e-3], np.float32), 3)
        for _ in range(4):
            encoder.dispatch_threads(self.count, 256)
        encoder.end_encoding()
        commands.commit()
        beside()
        commands.wait_until_completed()
        return time.perf_counter() - start


COLD = """
import sys, time, os
import numpy as np, pymetallic as pm
source, name = open(sys.argv[1]).read(), sys.argv[2]
d = pm.Device(sys.argv[3]); q = d.make_command_queue()
def go(name, tag):
    start = time.perf_counter()
    library = d.make_library(source + "// " + tag)
    pipeline = d.make_compute_pipeline_state(library.make_function(name))
    made = time.perf_counter()
    big = pm.Buffer(d, 1 << 20, pm.Buffer.STORAGE_PRIVATE)
    c = q.make_command_buffer(); e = c.make_compute_command_encoder(); e.set_compute_pipeline_state(pipeline)
    k = 0
    for p in pipeline.reflection:
        if p["by_value"]: e.set_bytes(np.full(max(p["size"] // 4, 1), 16, np.uint32), p["index"])
        else: e.set_buffer(big, 0, p["index"])
    e.dispatch_threads((16, 16, 1), (16, 16, 1)) if "matmul" in name else e.dispatch_threads(256, 256)
    e.end_encoding(); c.commit(); c.wait_until_completed()
    return (time.perf_counter() - start) * 1e3
go("saxpy", "warm")
print(min(go(name, str(i)) for i in range(3)))
"""


def compiles(device: str) -> None:
    """Milliseconds from source to a kernel that ran, nothing cached, beside NVRTC."""
    names = ["vector_add", "matmul_naive", "matmul_tiled", "mandelbrot", "reduce", "nbody", "life", "jacobi"]
    environment = {**os.environ, "PYMETALLIC_CACHE_DIR": ""}
    print(f"\n{'source to first result, cold':<30}{'ours':>10}{'NVRTC':>10}")
    for name in names:
        run = subprocess.run([sys.executable, "-c", COLD, str(HERE / "kernels.metal"), name, device], env=environment,
                             capture_output=True, text=True)
        try:
            ours = float(run.stdout)
        except ValueError:
            print(name, run.stderr[-500:])
            continue
        times = []
        for i in range(3):
            text = CUDA_SOURCE + f"// {os.getpid()} {i} {name}"
            start = time.perf_counter()
            cp.RawModule(code=text).get_function(name)
            times.append((time.perf_counter() - start) * 1e3)
        print(f"{name:<30}{ours:>8.1f}ms{min(times):>8.1f}ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="kernels, separated by commas")
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--part", default="kernels,launches,transfers,compiles")
    options = parser.parse_args()
    device = pm.Device(options.device)
    print(f"{device.name} ({device.id}), CuPy {cp.__version__}")
    parts = set(options.part.split(","))
    results: dict[str, Any] = {}
    if "kernels" in parts:
        results["kernels"] = kernels(device, set(filter(None, options.only.split(","))))
    if "launches" in parts:
        results["launches"] = launches(device)
    if "transfers" in parts:
        results["transfers"] = transfers(device)
    if "compiles" in parts:
        compiles(options.device)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, default=float))


if __name__ == "__main__":
    main()

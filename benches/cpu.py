"""The CPU device beside its peers: one command, one table, all in the same run.

    python benches/cpu.py [--only k3,k5] [--json FILE]

Ours, NumPy, the same loops in C with OpenMP (where there is a compiler) and PoCL (where `pyopencl` and
Debian's `pocl-opencl-icd` are installed). Numbers are rates from the median time of launch + wait; a `!` marks a
result that failed its check. Every kernel is interleaved over the peers, so that a noisy machine disturbs all alike.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import wider

HERE = Path(__file__).resolve().parent
PACKAGED = HERE.parent / "python" / "pymetallic" / "kernels"
N, M, SIDE, LIMIT, BODIES, LIFE, GRID, STEPS = 1 << 24, 1024, 2048, 256, 4096, 4096, 2048, 50
EPS2 = np.float32(1e-3)

UNITS: dict[str, tuple[str, Callable[[float], float]]] = {
    "k1 vector add": ("GB/s", lambda t: 12 * N / t / 1e9),
    "k2 launch + wait": ("us", lambda t: t * 1e6),
    "k3 matmul naive": ("GFLOP/s", lambda t: 2 * M**3 / t / 1e9),
    "k4 matmul tiled": ("GFLOP/s", lambda t: 2 * M**3 / t / 1e9),
    "k5 mandelbrot": ("Mpixel/s", lambda t: SIDE * SIDE / t / 1e6),
    "k6 reduce": ("GB/s", lambda t: 4 * N / t / 1e9),
    "k7 nbody": ("Ginter/s", lambda t: BODIES**2 / t / 1e9),
    "k8 life": ("Mcell/s", lambda t: LIFE**2 / t / 1e6),
    "k9 jacobi": ("GB/s", lambda t: 8 * GRID**2 * STEPS / t / 1e9),
    "matrix_multiply": ("GFLOP/s", lambda t: 2 * M**3 / t / 1e9),
    "mandelbrot": ("Mpixel/s", lambda t: SIDE * SIDE / t / 1e6),
    "k10 cold compile": ("ms", lambda t: t * 1e3),
    **wider.UNITS,
}


@dataclass
class Case:
    """One kernel on one peer: `run` is timed, `check` says whether the result is right."""

    run: Callable[[], None]
    check: Callable[[], bool] | None = None


class Data:
    """Inputs and expected results, the same for all."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1234)
        self.a, self.b = rng.random(N, dtype=np.float32), rng.random(N, dtype=np.float32)
        self.A, self.B = rng.random((M, M), dtype=np.float32) - 0.5, rng.random((M, M), dtype=np.float32) - 0.5
        self.bodies = rng.random((BODIES, 4), dtype=np.float32)
        self.cells = (rng.random((LIFE, LIFE)) < 0.35).astype(np.uint8)
        self.heat = np.zeros((GRID, GRID), np.float32)
        self.heat[0, :], self.heat[:, 0] = 1.0, 0.5
        self.wider = wider.Data()

    def product(self) -> np.ndarray:
        return self.A @ self.B

    def forces(self) -> np.ndarray:
        p = self.bodies.astype(np.float64)
        d = p[None, :, :3] - p[:64, None, :3]
        r2 = (d * d).sum(-1) + float(EPS2)
        return (d * (p[None, :, 3] / (r2 * np.sqrt(r2)))[..., None]).sum(1)

    def next_generation(self) -> np.ndarray:
        s = sum(np.roll(self.cells, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j)
        return ((s == 3) | ((s == 2) & (self.cells == 1))).astype(np.uint8)


def jacobi_numpy(a: np.ndarray, b: np.ndarray) -> None:
    b[1:-1, 1:-1] = np.float32(0.25) * (a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:])


def ours(data: Data, cases: dict[str, dict[str, Case]]) -> None:
    import pymetallic as pm

    device, name = pm.Device("cpu"), "ours"
    queue = device.make_command_queue()
    source = (HERE / "kernels.metal").read_text()
    pipeline = {n: pm.Kernel(device, source, n)._pso for n in device.make_library(source).function_names}

    def buffer(array: np.ndarray) -> pm.Buffer:
        return pm.Buffer.from_numpy(device, array)

    def launcher(kernel: str, grid: tuple, group: tuple, *arguments: object, repeat: int = 1) -> Callable[[], None]:
        def run() -> None:
            commands = queue.make_command_buffer()
            encoder = commands.make_compute_command_encoder()
            encoder.set_compute_pipeline_state(pipeline[kernel])
            for i, argument in enumerate(arguments):
                if isinstance(argument, pm.Buffer):
                    encoder.set_buffer(argument, 0, i)
                else:
                    encoder.set_bytes(argument, i)
            for _ in range(repeat):
                encoder.dispatch_threads(grid, group)
            encoder.end_encoding()
            commands.commit()
            commands.wait_until_completed()
        return run

    def add(label: str, case: Case) -> None:
        cases.setdefault(label, {})[name] = case

    a, b, c = buffer(data.a), buffer(data.b), pm.Buffer(device, data.a.nbytes)
    add("k1 vector add", Case(launcher("vector_add", (N,), (256,), a, b, c), lambda: np.array_equal(c.to_numpy(np.float32), data.a + data.b)))
    x, y = buffer(data.a[:1024]), buffer(data.b[:1024])
    add("k2 launch + wait", Case(launcher("saxpy", (1024,), (256,), y, x, np.float32(1e-6))))
    A, B, C = buffer(data.A), buffer(data.B), pm.Buffer(device, data.A.nbytes)
    right = lambda: np.allclose(C.to_numpy(np.float32, (M, M)), data.product(), atol=1e-3)  # noqa: E731
    add("k3 matmul naive", Case(launcher("matmul_naive", (M, M), (16, 16), A, B, C, np.uint32(M)), right))
    add("k4 matmul tiled", Case(launcher("matmul_tiled", (M, M), (16, 16), A, B, C, np.uint32(M)), right))
    picture = pm.Buffer(device, 4 * SIDE * SIDE)
    size = np.array([SIDE, SIDE, LIMIT, 0], np.uint32)
    pipeline["k5"] = pipeline.pop("mandelbrot")
    add("k5 mandelbrot", Case(launcher("k5", (SIDE, SIDE), (32, 8), picture, size), lambda: check_mandelbrot(picture.to_numpy(np.uint32))))
    partial = pm.Buffer(device, 4 * (N // 256))
    add("k6 reduce", Case(launcher("reduce", (N,), (256,), a, partial), lambda: np.isclose(partial.to_numpy(np.float32).sum(dtype=np.float64), data.a.sum(dtype=np.float64), rtol=1e-5)))
    p, f = buffer(data.bodies), pm.Buffer(device, data.bodies.nbytes)
    add("k7 nbody", Case(launcher("nbody", (BODIES,), (256,), p, f, np.uint32(BODIES), EPS2), lambda: np.allclose(f.to_numpy(np.float32, (BODIES, 4))[:64, :3], data.forces(), rtol=2e-3, atol=2e-1)))
    g, h = buffer(data.cells), pm.Buffer(device, data.cells.nbytes)
    add("k8 life", Case(launcher("life", (LIFE, LIFE), (32, 8), g, h, np.uint32(LIFE)), lambda: np.array_equal(h.to_numpy(np.uint8, (LIFE, LIFE)), data.next_generation())))
    u, v = buffer(data.heat), buffer(data.heat)

    def jacobi() -> None:
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pipeline["jacobi"])
        encoder.set_bytes(np.uint32(GRID), 2)
        for step in range(STEPS):
            encoder.set_buffer((u, v)[step % 2], 0, 0)
            encoder.set_buffer((v, u)[step % 2], 0, 1)
            encoder.dispatch_threads((GRID, GRID), (32, 8))
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()

    add("k9 jacobi", Case(jacobi))

    # The package's own kernels, whose guards let grids of any size run.
    for file, kernel in (("linalg_kernels", "matrix_multiply"), ("demo_kernels", "mandelbrot")):
        pipeline[kernel] = pm.Kernel(device, (PACKAGED / f"{file}.metal").read_text(), kernel)._pso
    m, side, limit = np.uint32(M), np.uint32(SIDE), np.uint32(LIMIT)
    D = pm.Buffer(device, data.A.nbytes)
    add("matrix_multiply", Case(launcher("matrix_multiply", (M, M), (16, 16), A, B, D, m, m, m), lambda: np.allclose(D.to_numpy(np.float32, (M, M)), data.product(), atol=1e-3)))
    shares = pm.Buffer(device, 4 * SIDE * SIDE)
    add("mandelbrot", Case(launcher("mandelbrot", (SIDE, SIDE), (16, 16), shares, side, side, limit), lambda: check_mandelbrot(np.rint(shares.to_numpy(np.float32) * LIMIT).astype(np.uint32))))

    # Callable means called: some machine code waits for the size of threadgroups.
    launch_cold = launcher("cold", (16, 16), (16, 16), A, B, D, np.uint32(16))

    def compile_cold() -> None:
        # A name that no cache has seen.
        name = f"matmul_{time.time_ns()}"
        library = device.make_library(source.replace("matmul_tiled", name))
        pipeline["cold"] = device.make_compute_pipeline_state(library.make_function(name))
        launch_cold()

    add("k10 cold compile", Case(compile_cold))
    wider.ours(data.wider, device, lambda label, run, check: add(label, Case(run, check)))


def numpy_peer(data: Data, cases: dict[str, dict[str, Case]]) -> None:
    out, product = np.empty_like(data.a), np.empty_like(data.A)
    u, v = data.heat.copy(), data.heat.copy()

    def jacobi() -> None:
        for step in range(STEPS):
            jacobi_numpy((u, v)[step % 2], (v, u)[step % 2])

    cases.setdefault("k1 vector add", {})["numpy"] = Case(lambda: np.add(data.a, data.b, out=out))
    cases.setdefault("k3 matmul naive", {})["numpy"] = Case(lambda: np.matmul(data.A, data.B, out=product))
    cases.setdefault("k6 reduce", {})["numpy"] = Case(lambda: data.a.sum())
    cases.setdefault("k9 jacobi", {})["numpy"] = Case(jacobi)
    wider.numpy_peer(data.wider, lambda label, run, check: cases.setdefault(label, {}).update(numpy=Case(run, check)))


def c_peers(data: Data, cases: dict[str, dict[str, Case]], folder: Path, machine: str = "native") -> list[str]:
    """The same with each C compiler found: which one is better depends on the kernel."""
    found = [next((c for c in names if shutil.which(c)), None) for names in (("clang-22", "clang"), ("gcc", "cc"))]
    return [c_peer(data, cases, folder, c, machine) for c in found if c] or ["no C compiler"]


def c_peer(data: Data, cases: dict[str, dict[str, Case]], folder: Path, compiler: str, machine: str) -> str:
    library_file = folder / f"{compiler}.so"
    sources = [str(HERE / "kernels.c"), str(HERE / "wider.c")]
    command = [compiler, "-O3", f"-march={machine}", "-ffast-math", "-fopenmp", "-shared", "-fPIC", *sources, "-o", str(library_file), "-lm"]
    built = subprocess.run(command, capture_output=True, text=True)
    if built.returncode != 0:
        return f"{compiler} failed: {built.stderr.splitlines()[:1]}"
    lib = ctypes.CDLL(str(library_file))
    at = lambda array: ctypes.c_void_p(array.ctypes.data)  # noqa: E731
    i64 = ctypes.c_int64
    out, product, image, cells = np.empty_like(data.a), np.empty_like(data.A), np.empty((SIDE, SIDE), np.uint32), np.empty_like(data.cells)
    x, y = data.a[:1024].copy(), data.b[:1024].copy()
    u, v = data.heat.copy(), data.heat.copy()

    def jacobi() -> None:
        for step in range(STEPS):
            lib.jacobi(at((u, v)[step % 2]), at((v, u)[step % 2]), i64(GRID))

    name = f"{compiler} OpenMP"
    for label, case in {
        "k1 vector add": Case(lambda: lib.vector_add(at(data.a), at(data.b), at(out), i64(N))),
        "k2 launch + wait": Case(lambda: lib.saxpy(at(y), at(x), ctypes.c_float(1e-6), i64(1024))),
        "k3 matmul naive": Case(lambda: lib.matmul_naive(at(data.A), at(data.B), at(product), i64(M))),
        "k5 mandelbrot": Case(lambda: lib.mandelbrot(at(image), i64(SIDE), i64(SIDE), i64(LIMIT)), lambda: check_mandelbrot(image)),
        "k8 life": Case(lambda: lib.life(at(data.cells), at(cells), i64(LIFE)), lambda: np.array_equal(cells, data.next_generation())),
        "k9 jacobi": Case(jacobi),
    }.items():
        cases.setdefault(label, {})[name] = case
    wider.c_peer(data.wider, lib, lambda label, run, check: cases.setdefault(label, {}).update({name: Case(run, check)}))
    return name


def pocl_peer(data: Data, cases: dict[str, dict[str, Case]]) -> str:
    try:
        import pyopencl as cl
    except ImportError:
        return "PoCL: pip install pyopencl, apt install pocl-opencl-icd"
    platforms = [p for p in cl.get_platforms() if "pocl" in (p.name + p.version).lower() or "portable" in p.name.lower()]
    if not platforms:
        return "PoCL: no such OpenCL platform"
    source = (HERE / "kernels.cl").read_text()
    options = ["-cl-fast-relaxed-math", "-cl-std=CL1.2"]
    # Old builds do not know new processors: the first that compiles serves.
    for platform in platforms:
        context = cl.Context([platform.get_devices()[0]])
        try:
            program = cl.Program(context, source).build(options=options, cache_dir=False)
            break
        except cl.RuntimeError:
            continue
    else:
        return "PoCL: it does not know this processor (pip's is old; try Debian's pocl-opencl-icd)"
    queue = cl.CommandQueue(context)
    flags = cl.mem_flags.READ_WRITE

    def buffer(array: np.ndarray | None = None, size: int = 0) -> cl.Buffer:
        return cl.Buffer(context, flags | cl.mem_flags.COPY_HOST_PTR, hostbuf=array) if array is not None else cl.Buffer(context, flags, size)

    def launcher(name: str, grid: tuple, group: tuple, *arguments: object) -> Callable[[], None]:
        kernel = cl.Kernel(program, name)
        kernel.set_args(*arguments)

        def run() -> None:
            cl.enqueue_nd_range_kernel(queue, kernel, grid, group)
            queue.finish()
        # An OpenCL kernel does not keep its arguments alive.
        run.arguments = arguments
        return run

    a, b, c = buffer(data.a), buffer(data.b), buffer(size=data.a.nbytes)
    A, B, C = buffer(data.A), buffer(data.B), buffer(size=data.A.nbytes)
    p, f = buffer(data.bodies), buffer(size=data.bodies.nbytes)
    u, v = buffer(data.heat), buffer(data.heat)
    steps = [launcher("jacobi", (GRID, GRID), (32, 8), *pair, np.uint32(GRID)) for pair in ((u, v), (v, u))]
    u32 = np.uint32

    def compile_cold() -> None:
        cl.Program(context, source + f"\nconstant int salt = {time.time_ns() % 1_000_000_007};\n").build(options=options, cache_dir=False)

    for label, run in {
        "k1 vector add": launcher("vector_add", (N,), (256,), a, b, c),
        "k2 launch + wait": launcher("saxpy", (1024,), (256,), buffer(data.b[:1024].copy()), buffer(data.a[:1024].copy()), np.float32(1e-6)),
        "k3 matmul naive": launcher("matmul_naive", (M, M), (16, 16), A, B, C, u32(M)),
        "k4 matmul tiled": launcher("matmul_tiled", (M, M), (16, 16), A, B, C, u32(M)),
        "k5 mandelbrot": launcher("mandelbrot", (SIDE, SIDE), (32, 8), buffer(size=4 * SIDE * SIDE), u32(SIDE), u32(SIDE), u32(LIMIT)),
        "matrix_multiply": launcher("matrix_multiply", (M, M), (16, 16), A, B, C, u32(M), u32(M), u32(M)),
        "mandelbrot": launcher("mandelbrot_share", (SIDE, SIDE), (16, 16), buffer(size=4 * SIDE * SIDE), u32(SIDE), u32(SIDE), u32(LIMIT)),
        "k6 reduce": launcher("reduce", (N,), (256,), a, buffer(size=4 * (N // 256))),
        "k7 nbody": launcher("nbody", (BODIES,), (256,), p, f, u32(BODIES), EPS2),
        "k8 life": launcher("life", (LIFE, LIFE), (32, 8), buffer(data.cells), buffer(size=data.cells.nbytes), u32(LIFE)),
        "k9 jacobi": lambda: [steps[i % 2]() for i in range(STEPS)] and None,
        "k10 cold compile": compile_cold,
    }.items():
        cases.setdefault(label, {})["PoCL"] = Case(run)
    return f"PoCL: {platform.version}"


_EXPECTED: list[int] = []


def check_mandelbrot(image: np.ndarray) -> bool:
    """Iterations of every 16th row add up to NumPy's, but for a few pixels on the border."""
    if not _EXPECTED:
        f = np.float32
        cx = (f(-2.5) + f(3.5) * (np.arange(SIDE, dtype=f) / f(SIDE)))[None, :]
        cy = (f(-1.0) + f(2.0) * (np.arange(SIDE, dtype=f) / f(SIDE)))[::16, None]
        zx = np.zeros((cy.shape[0], SIDE), f)
        zy, count, live = zx.copy(), np.zeros(zx.shape, np.int64), np.ones(zx.shape, bool)
        for _ in range(LIMIT):
            x2, y2 = zx * zx, zy * zy
            live &= x2 + y2 <= 4
            count += live
            zx, zy = np.where(live, x2 - y2 + cx, zx), np.where(live, 2 * zx * zy + cy, zy)
        _EXPECTED.append(int(count.sum()))
    return abs(int(image.reshape(SIDE, SIDE)[::16].astype(np.int64).sum()) - _EXPECTED[0]) <= 2e-3 * _EXPECTED[0]


def measure(peers: dict[str, Case], seconds: float) -> dict[str, tuple[float, bool]]:
    """Median seconds per peer, and whether its result is right; the peers take turns."""
    for case in peers.values():
        case.run()
        case.run()
    correct = {name: case.check is None or bool(case.check()) for name, case in peers.items()}
    times: dict[str, list[float]] = {name: [] for name in peers}
    end = time.perf_counter() + seconds * len(peers)
    # At least seven of each, but for peers that need seconds.
    while time.perf_counter() < end or min(map(len, times.values())) < (7 if time.perf_counter() < end + 10 else 3):
        for name, case in peers.items():
            # The threads of OpenMP spin for 200 ms when their work is done, on the cores of those who follow.
            time.sleep(0.25)
            case.run()
            # Several launches in a row, so that caches and threads are as warm as in a program.
            turn = time.perf_counter() + 0.1
            for i in range(100):
                if i >= 3 and time.perf_counter() > turn:
                    break
                start = time.perf_counter()
                case.run()
                times[name].append(time.perf_counter() - start)
    return {name: (statistics.median(t), correct[name]) for name, t in times.items()}


def cold(case: Case) -> float:
    """Median seconds to a kernel that has run, of programs that have nothing else to do before or after."""
    times = []
    for _ in range(21):
        # The thread that makes good code of the last one has other work than this.
        time.sleep(0.2)
        start = time.perf_counter()
        case.run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma-separated beginnings of kernel names")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--seconds", type=float, default=1.0, help="per kernel and peer")
    parser.add_argument("--pocl-only", action="store_true", help="measure PoCL alone and print JSON")
    parser.add_argument("--cold-only", action="store_true", help="measure our cold compilation alone and print JSON")
    options = parser.parse_args()
    data, cases = Data(), {}
    if options.pocl_only:
        note = pocl_peer(data, cases)
        print(json.dumps({"note": note, "results": {k: measure(v, options.seconds)["PoCL"] for k, v in cases.items()}}))
        return 0
    if options.cold_only:
        ours(data, cases)
        print(json.dumps(cold(cases["k10 cold compile"]["ours"])))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        # What is compiled here is of no use to others. Rates are those of good code, from the first launch on.
        os.environ["PYMETALLIC_CACHE_DIR"] = folder
        os.environ["PYMETALLIC_QUICK"] = "off"
        ours(data, cases)
        numpy_peer(data, cases)
        notes = c_peers(data, cases, Path(folder))
        chosen = [k for k in UNITS if k in cases and (not options.only or any(k.startswith(o) for o in options.only.split(",")))]
        results = {}
        for label in chosen:
            results[label] = measure(cases[label], options.seconds)
            print(".", end="", file=sys.stderr, flush=True)
    if "k10 cold compile" in results:
        # What a program finds that asks for nothing else: code that is made quickly comes first.
        command = [sys.executable, __file__, "--cold-only"]
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "PYMETALLIC_CACHE_DIR": folder, "PYMETALLIC_QUICK": "on"}
            child = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        good = results["k10 cold compile"]["ours"][0]
        notes.append(f"k10: {1e3 * good:.3g} ms to good code")
        results["k10 cold compile"]["ours"] = (json.loads(child.stdout.splitlines()[-1]), True)
    # PoCL brings another LLVM, which some builds do not survive in one process with ours: a process of its own, in the
    # same run, when the others are quiet.
    command = [sys.executable, __file__, "--pocl-only", "--seconds", str(options.seconds)]
    child = subprocess.run(command, capture_output=True, text=True)
    try:
        answer = json.loads(child.stdout.splitlines()[-1])
        notes.append(answer["note"])
        for label, (seconds, is_right) in answer["results"].items():
            if label in results:
                results[label]["PoCL"] = (seconds, is_right)
    except (IndexError, ValueError):
        notes.append(f"PoCL: {(child.stderr.splitlines() or ['failed'])[-1]}")
    print(file=sys.stderr)
    names = ["ours"] + sorted({n for r in results.values() for n in r} - {"ours"})
    rows = [["kernel", "unit", *names, "ours / best peer"]]
    for label, result in results.items():
        unit, rate = UNITS[label]
        values = {n: rate(t) for n, (t, _) in result.items()}
        cells = [f"{values[n]:.4g}{'' if result[n][1] else '!'}" if n in values else "-" for n in names]
        peers = [t for n, (t, _) in result.items() if n != "ours"]
        ratio = f"{min(peers) / result['ours'][0]:.2f}x" if peers else "-"
        rows.append([label, unit, *cells, ratio])
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.rjust(w) if i > 1 else cell.ljust(w) for i, (cell, w) in enumerate(zip(row, widths))))
    print("\n".join(f"# {note}" for note in notes))
    if options.json:
        options.json.write_text(json.dumps({k: {n: {"seconds": t, "ok": ok} for n, (t, ok) in r.items()} for k, r in results.items()}, indent=1))
    return 0 if all(ok for r in results.values() for _, ok in r.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

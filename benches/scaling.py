"""How the CPU device scales with threads: kernels of the table at 1, 2, 4, … threads, each count in a process of its own.

    python benches/scaling.py [--most N] [--rounds R]

Prints rates and, for kernels that compute, the share of linear scaling from one thread. NumPy's product of matrices of
the same size, with as many threads, tells what the machine gives: threads that share a core share its units, which
virtual machines do not always tell (`lscpu`: threads per core).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Kernel, unit, and whether memory limits it.
ROWS = [("matmul_tiled", "GFLOP/s", False), ("mandelbrot", "Mpixel/s", False), ("nbody", "Ginter/s", False),
        ("life", "Gcell/s", False), ("vector_add", "GB/s", True), ("numpy.matmul", "GFLOP/s", False)]


def measure(rounds: int) -> dict[str, float]:
    """Best rates of this process."""
    import numpy as np

    import pymetallic as pm

    device = pm.Device("cpu")
    queue = device.make_command_queue()
    library = device.make_library((HERE / "kernels.metal").read_text())
    n, bodies, side, cells, m = 1 << 26, 1 << 14, 4096, 8192, 2048
    rng = np.random.default_rng(1)

    def buffer(array: np.ndarray) -> pm.Buffer:
        return pm.Buffer.from_numpy(device, array)

    a = buffer(rng.random(n, dtype=np.float32))
    b, c = buffer(rng.random(n, dtype=np.float32)), buffer(np.zeros(n, np.float32))
    grid = buffer((rng.random((cells, cells)) < 0.3).astype(np.uint8))
    positions, pixels = buffer(rng.random((bodies, 4), dtype=np.float32)), buffer(np.zeros(side * side, np.uint32))
    after = buffer(np.zeros((bodies, 4), np.float32))
    next_grid = buffer(np.zeros((cells, cells), np.uint8))
    size = np.uint32
    cases = {
        "matmul_tiled": ((m, m), (16, 16), [a, b, c, size(m)], 2 * m**3 / 1e9),
        "mandelbrot": ((side, side), (16, 16), [pixels, np.array([side, side, 256, 0], np.uint32)], side * side / 1e6),
        "nbody": ((bodies,), (256,), [positions, after, size(bodies), np.float32(1e-3)], bodies**2 / 1e9),
        "life": ((cells, cells), (32, 8), [grid, next_grid, size(cells)], cells**2 / 1e9),
        "vector_add": ((n,), (256,), [a, b, c], 12 * n / 1e9),
    }
    rates = {}
    for name, (threads, group, arguments, work) in cases.items():
        pipeline = device.make_compute_pipeline_state(library.make_function(name))
        best = float("inf")
        for _ in range(rounds):
            commands = queue.make_command_buffer()
            encoder = commands.make_compute_command_encoder()
            encoder.set_compute_pipeline_state(pipeline)
            for i, value in enumerate(arguments):
                if isinstance(value, pm.Buffer):
                    encoder.set_buffer(value, 0, i)
                else:
                    encoder.set_bytes(np.atleast_1d(value), i)
            encoder.dispatch_threads(threads, group)
            encoder.end_encoding()
            start = time.perf_counter()
            commands.commit()
            commands.wait_until_completed()
            best = min(best, time.perf_counter() - start)
        rates[name] = work / best
    x, y = (rng.random((m, m), dtype=np.float32) for _ in range(2))
    best = float("inf")
    for _ in range(rounds + 1):
        start = time.perf_counter()
        x @ y
        best = min(best, time.perf_counter() - start)
    rates["numpy.matmul"] = 2 * m**3 / best / 1e9
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=len(os.sched_getaffinity(0)), help="threads, at most")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.rounds)))
        return
    counts = [1 << i for i in range(options.most.bit_length()) if 1 << i <= options.most]
    table = {}
    for count in counts:
        environment = {**os.environ, "PYMETALLIC_THREADS": str(count), "PYMETALLIC_QUICK": "off", "OPENBLAS_NUM_THREADS": str(count)}
        command = [sys.executable, __file__, "--measure", "--rounds", str(options.rounds)]
        table[count] = json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    print(f"{'threads':<14}{'':<10}" + "".join(f"{count:>16}" for count in counts))
    for name, unit, is_memory in ROWS:
        cells = []
        for count in counts:
            rate = table[count][name]
            share = "" if is_memory else f" ({rate / table[1][name] / count:.2f})"
            cells.append(f"{rate:.4g}{share}")
        print(f"{name:<14}{unit:<10}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()

"""Transfers between arrays and buffers of a device, beside `numpy.copy`: one command, one table, all in the same run.

    python benches/transfers.py [--device cpu] [--rounds 15]

16 arrays of 16 MiB go up each round. Rows are interleaved, so that a noisy machine disturbs all alike; the table
shows the least and the median time of a round, what the least is as a rate, and both as a ratio to the row of NumPy
that does the same: a copy to memory that was never touched, or to memory that was used before. What buffers give back
is kept for later ones, up to 33 MiB, so a row in fresh memory first takes all of it away. The last rows show that what
takes no copy takes no time that depends on the size, and what a launch costs.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable

import numpy as np

import pymetallic as pm

COUNT, SIZE = 16, 16 << 20
SOURCE = "kernel void f(device float* a [[buffer(0)]]) {}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    device = pm.Device(arguments.device)
    queue = device.make_command_queue()
    arrays = [np.full(SIZE // 4, k, np.float32) for k in range(COUNT)]
    targets = [np.empty_like(a) for a in arrays]

    def numpy_copy() -> object:
        return [a.copy() for a in arrays]

    def numpy_copy_warm() -> None:
        for a, b in zip(arrays, targets):
            np.copyto(b, a)

    def from_numpy() -> object:
        return [pm.Buffer.from_numpy(device, a) for a in arrays]

    def one_by_one() -> None:
        for a in arrays:
            commands = queue.make_command_buffer()
            pm.async_buffer_from_numpy(device, a, commands)
            commands.commit()
            commands.wait_until_completed()

    def recorded() -> object:
        commands = [queue.make_command_buffer() for _ in arrays]
        for a, c in zip(arrays, commands):
            pm.async_buffer_from_numpy(device, a, c)
        return commands

    def asynchronous(copy: bool, returned: list[float]) -> None:
        start = time.perf_counter()
        commands = []
        for a in arrays:
            commands.append(queue.make_command_buffer())
            pm.async_buffer_from_numpy(device, a, commands[-1], copy=copy)
            commands[-1].commit()
        returned.append(time.perf_counter() - start)
        commands[-1].wait_until_completed()

    fresh, used = "numpy.copy, fresh memory", "numpy.copyto, used memory"
    staged: list[float] = []
    unstaged: list[float] = []
    # What is done, what it is compared with, and whether all memory is to be fresh.
    rows: dict[str, tuple[Callable[[], object], str, bool]] = {
        fresh: (numpy_copy, fresh, True),
        "Buffer.from_numpy, fresh memory": (from_numpy, fresh, True),
        used: (numpy_copy_warm, used, False),
        "Buffer.from_numpy, used memory": (from_numpy, used, False),
        "async_buffer_from_numpy, recorded only": (recorded, used, False),
        "async_buffer_from_numpy, one by one": (one_by_one, used, False),
        "async_buffer_from_numpy, then wait": (lambda: asynchronous(True, staged), used, False),
    }
    if device.has_unified_memory:
        rows["the same with copy=False"] = (lambda: asynchronous(False, unstaged), used, False)
    times: dict[str, list[float]] = {name: [] for name in rows}
    for round_ in range(arguments.rounds + 1):
        for name, (row, _, is_fresh) in rows.items():
            # Buffers that take what is kept.
            taken = [pm.Buffer.from_numpy(device, a) for a in arrays] if is_fresh else None
            start = time.perf_counter()
            kept = row()
            elapsed = time.perf_counter() - start
            del kept, taken
            if round_ > 0:
                times[name].append(elapsed)
    print(f"{COUNT} arrays of {SIZE >> 20} MiB on {device.name}, {arguments.rounds} rounds")
    print(f"{'':40}{'least':>10}{'median':>10}{'rate':>14}{'ratios':>14}")

    def show(name: str, values: list[float], beside: str) -> None:
        least, median = min(values), statistics.median(values)
        ratios = f"{least / min(times[beside]):8.2f}{median / statistics.median(times[beside]):6.2f}"
        print(f"{name:40}{least * 1e3:7.2f} ms{median * 1e3:7.2f} ms{COUNT * SIZE / least / 1e9:9.1f} GB/s{ratios}")

    for name, (_, beside, _) in rows.items():
        show(name, times[name], beside)
        if name.endswith("then wait"):
            show("  of it until the last call returned", staged[1:], used)
        if name.endswith("copy=False"):
            show("  of it until the last call returned", unstaged[1:], used)

    overlap(lambda: asynchronous_commands(device, queue, arrays), arguments.rounds)

    if device.has_unified_memory:
        print("\nBuffer.from_array(a, copy=False)")
        for size in (1 << 12, 1 << 20, 1 << 28):
            array = np.zeros(size, np.uint8)
            print(f"{size:>12} bytes {least_microseconds(lambda: pm.Buffer.from_array(array, copy=False, device=device)):7.2f} us")

    pipeline = device.make_kernel(SOURCE, "f").pipeline_state
    buffer = device.make_buffer(64)

    def launch() -> None:
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pipeline)
        encoder.set_buffer(buffer, 0, 0)
        encoder.dispatch_threads(1, 1)
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()

    print(f"\nlaunch and wait from Python {least_microseconds(launch):14.2f} us least of medians")


def asynchronous_commands(device: pm.Device, queue: pm.CommandQueue, arrays: list[np.ndarray]) -> list[pm.CommandBuffer]:
    """Uploads on their way, nothing of them staged where the device reads arrays itself."""
    all_commands = []
    for array in arrays:
        all_commands.append(queue.make_command_buffer())
        pm.async_buffer_from_numpy(device, array, all_commands[-1], copy=False if device.has_unified_memory else None)
        all_commands[-1].commit()
    return all_commands


def overlap(upload: Callable[[], list[pm.CommandBuffer]], rounds: int) -> None:
    """Uploads while the caller computes something that takes about as long and needs no memory."""
    block = bytes(1 << 16)
    count = 1

    def work() -> None:
        for _ in range(count):
            hashlib.sha256(block)

    def both() -> None:
        commands = upload()
        work()
        commands[-1].wait_until_completed()

    def alone() -> None:
        upload()[-1].wait_until_completed()

    def timed(function: Callable[[], None]) -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    alone()
    count = max(1, round(min(timed(alone) for _ in range(5)) / min(timed(work) for _ in range(50))))
    times = [[timed(function) for function in (alone, work, both)] for _ in range(rounds)]
    copies, works, together = (min(column) for column in zip(*times))
    print(f"\nuploads {copies * 1e3:.2f} ms, work of the caller {works * 1e3:.2f} ms, both {together * 1e3:.2f} ms: "
          f"{(copies + works - together) / min(copies, works):.0%} of the shorter one hidden")


def least_microseconds(function: Callable[[], object], repeats: int = 20, count: int = 500) -> float:
    """The least of several medians."""
    medians = []
    for _ in range(repeats):
        times = []
        for _ in range(count):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
        medians.append(statistics.median(times))
    return min(medians) * 1e6


if __name__ == "__main__":
    main()

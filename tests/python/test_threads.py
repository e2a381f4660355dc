"""Many threads at once; the same program with and without Python's global lock."""

from __future__ import annotations

import asyncio
import gc
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import pymetallic as pm
from pymetallic.metallic import kernel_cache

THREADS = 8

SCALE = """
#include <metal_stdlib>
using namespace metal;
constant int factor [[function_constant(0)]];
kernel void scale(device int* x, uint i [[thread_position_in_grid]]) { x[i] = x[i] * factor + int(i); }
"""


def together(work) -> list:
    """Runs ``work(number)`` on all threads from one moment on; what they gave."""
    barrier = threading.Barrier(THREADS)

    def start(number: int):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(start, range(THREADS)))


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="this Python has a global lock")
def test_the_package_leaves_the_global_lock_off():
    assert not sys._is_gil_enabled()


def test_kernels_of_many_threads(device):
    n = 257

    def work(number: int) -> bool:
        kernel = pm.Kernel(device, SCALE, "scale", {"factor": number})
        ok = True
        for step in range(20):
            x = np.full(n, step, dtype=np.int32)
            kernel(x)
            ok &= np.array_equal(x, step * number + np.arange(n))
        return ok

    assert all(together(work))


def test_one_pipeline_for_all_threads(device):
    source = SCALE + f"// {device.id}: a source of its own\n"
    before = kernel_cache.stats()
    found = together(lambda _: [kernel_cache.get(device, source, "scale", {"factor": 1}) for _ in range(50)])
    assert len({id(pipeline) for pipelines in found for pipeline in pipelines}) == 1
    after = kernel_cache.stats()
    assert after["misses"] - before["misses"] == 1
    assert after["hits"] - before["hits"] == THREADS * 50 - 1


def test_one_buffer_one_queue(device):
    """Threads add to disjoint parts of one buffer, through one queue."""
    n = 64
    buffer = device.make_buffer(4 * n * THREADS)
    queue = device.make_command_queue()
    pipeline = kernel_cache.get(device, SCALE, "scale", {"factor": 1})

    def work(number: int) -> None:
        for _ in range(10):
            commands = queue.make_command_buffer()
            encoder = commands.make_compute_command_encoder()
            encoder.set_compute_pipeline_state(pipeline)
            encoder.set_buffer(buffer, 4 * n * number, 0)
            encoder.dispatch_threads(n, 32)
            encoder.end_encoding()
            commands.commit()
            commands.wait_until_completed()

    together(work)
    assert np.array_equal(buffer.to_numpy(np.int32, (THREADS, n)), np.tile(10 * np.arange(n), (THREADS, 1)))


def test_all_threads_wait_for_one_command_buffer(device):
    x = device.make_buffer(4 * 1000)
    commands = device.make_command_queue().make_command_buffer()
    called: list[int] = []
    for number in range(THREADS):
        commands.add_completed_handler(lambda c, number=number: called.append(number))
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(kernel_cache.get(device, SCALE, "scale", {"factor": 1}))
    encoder.set_buffer(x, 0, 0)
    encoder.dispatch_threads(1000, 100)
    encoder.end_encoding()

    def work(number: int) -> str:
        if number == 0:
            commands.commit()
        while commands.status == "not_enqueued":
            pass
        commands.wait_until_completed()
        return commands.status

    assert together(work) == ["completed"] * THREADS
    assert sorted(called) == list(range(THREADS))
    assert np.array_equal(x.to_numpy(np.int32), np.arange(1000))


def test_one_encoder_of_many_threads(device):
    """Nobody should do this; it gives results or errors, and harms nothing."""
    commands = device.make_command_queue().make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(kernel_cache.get(device, SCALE, "scale", {"factor": 1}))
    buffers = [device.make_buffer(4 * 64) for _ in range(THREADS)]

    def work(number: int) -> int:
        done = 0
        for _ in range(50):
            try:
                encoder.set_buffer(buffers[number], 0, 0)
                encoder.dispatch_threads(64, 32)
                done += 1
                if number == 0 and done == 40:
                    encoder.end_encoding()
            except pm.MetalValidationError:
                pass
        return done

    done = together(work)
    commands.commit()
    commands.wait_until_completed()
    total = sum(int(b.to_numpy(np.int32)[1]) for b in buffers)
    assert total == sum(done)


def test_views_and_buffers_die_on_other_threads(device):
    def work(number: int) -> int:
        views = []
        for size in range(1, 100):
            buffer = pm.Buffer.from_numpy(device, np.full(size, number, dtype=np.int64))
            views.append(buffer.to_numpy(np.int64))
            del buffer
        return sum(int(view.sum()) for view in views) + len(views)

    results = together(work)
    gc.collect()
    assert results == [number * 4950 + 99 for number in range(THREADS)]


def test_errors_stay_with_their_thread(device):
    def work(number: int) -> str:
        text = ""
        for _ in range(5):
            try:
                device.make_library(f"kernel void broken{number}(device int* x) {{ x[0] = nothing{number}; }}")
            except pm.MetalCompileError as error:
                text = str(error)
        return text

    for number, text in enumerate(together(work)):
        assert f"nothing{number}" in text


def test_one_capsule_gives_its_tensor_once(device):
    """A producer that gives the same capsule to everybody: one thread takes the tensor, the others get an error."""

    class Once:
        def __init__(self) -> None:
            self.array = np.arange(1024, dtype=np.float32)
            self.capsule = self.array.__dlpack__()

        def __dlpack__(self, **_):
            return self.capsule

        def __dlpack_device__(self):
            return (1, 0)

    for _ in range(50):
        tensor = Once()

        def work(number: int) -> int:
            try:
                pm.Buffer.from_dlpack(tensor, device=device)
            except pm.MetalValidationError:
                return 0
            return 1

        assert sum(together(work)) == 1
        del tensor
    gc.collect()


def test_event_loops_of_many_threads_await_one_command_buffer(device, queue):
    for _ in range(10):
        x = device.make_buffer(4 * 100)
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(kernel_cache.get(device, SCALE, "scale", {"factor": 1}))
        encoder.set_buffer(x, 0, 0)
        encoder.dispatch_threads(100, 32)
        encoder.end_encoding()

        async def wait(commands=commands) -> str:
            await commands
            return commands.status

        assert together(lambda _: asyncio.run(wait())) == ["completed"] * THREADS
        assert np.array_equal(x.to_numpy(np.int32), np.arange(100))

"""The end of things: leaks, Ctrl-C, fork, interpreter exit. What may hang or crash runs in a process of its own."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import HEADER, devices, leaves_python_to_others

import pymetallic as pm
from pymetallic.metallic import _resource_manager, kernel_cache

PRELUDE = """
import os, signal, sys, threading, time
import numpy as np
import pymetallic as pm

SOURCE = '''
#include <metal_stdlib>
using namespace metal;
kernel void spin(device uint* data, constant uint& rounds, uint i [[thread_position_in_grid]])
{
    uint x = data[i] + i;
    for (uint k = 0; k < rounds; k++) {
        x = x * 1664525u + (x >> 7);
    }
    data[i] = x;
}
'''
# Whoever runs the tests in the background may have them ignore it.
signal.signal(signal.SIGINT, signal.default_int_handler)
device = pm.Device("cpu")
queue = device.make_command_queue()
kernel = device.make_kernel(SOURCE, "spin")

def commands_for(rounds, queue=queue):
    buffer = device.make_buffer(4)
    commands = queue.make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(kernel.pipeline_state)
    encoder.set_buffer(buffer, 0, 0)
    encoder.set_bytes(np.uint32(rounds), 1)
    encoder.dispatch_threads(1, 1)
    encoder.end_encoding()
    return commands, buffer

LONG = 4_000_000_000

def interrupted(wait, after=0.3):
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        wait()
    except KeyboardInterrupt:
        return True
    return False
"""

needs_cpu = pytest.mark.skipif(all(d.id != "cpu" for d in devices()), reason="no cpu device")
posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals and fork")


def run(script: str, timeout: float = 120) -> subprocess.CompletedProcess:
    code = PRELUDE + textwrap.dedent(script)
    return subprocess.run([sys.executable, "-X", "faulthandler", "-c", code], capture_output=True, text=True, timeout=timeout)


def check(script: str, expected: str = "done\n", timeout: float = 120) -> None:
    result = run(script, timeout)
    sys.stderr.write(result.stderr)
    assert (result.returncode, result.stdout) == (0, expected), result.stdout + result.stderr


# ---- Ctrl-C --------------------------------------------------------------------------------------


@needs_cpu
@posix
def test_ctrl_c_while_a_kernel_runs():
    """The kernel takes long; the wait does not. Everything works afterwards, also a second wait."""
    check("""
    commands, buffer = commands_for(LONG)
    commands.commit()
    assert interrupted(commands.wait_until_completed)
    assert commands.get_status() == 0, "the kernel is over: it was too short for this test"
    # Another queue is not held up.
    other, result = commands_for(3, device.make_command_queue())
    other.commit()
    other.wait_until_completed()
    assert interrupted(commands.wait_until_completed)
    print("done", flush=True)
    os._exit(0)
    """)


@needs_cpu
@posix
def test_ctrl_c_in_other_waits():
    check("""
    event = device.make_shared_event()
    assert interrupted(lambda: event.wait_until_signaled_value(1))
    assert interrupted(lambda: event.wait_until_signaled_value(1, 60.0))
    blocked = queue.make_command_buffer()
    blocked.encode_wait_for_event(event, 1)
    blocked.commit()
    assert interrupted(blocked.wait_until_completed)
    place = device.make_command_queue()
    first, second = place.make_command_buffer(), place.make_command_buffer()
    first.enqueue()
    second.commit()
    assert interrupted(second.wait_until_scheduled) and interrupted(second.wait_until_completed)
    assert interrupted(lambda: kernel(np.zeros(1, np.uint32), np.uint32(LONG), grid=1))
    event.signaled_value = 1
    blocked.wait_until_completed()
    first.commit()
    second.wait_until_completed()
    print("done", flush=True)
    os._exit(0)
    """)


@needs_cpu
@posix
def test_other_signal_handlers_run_while_waiting():
    check("""
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1) or setattr(event, "signaled_value", 1))
    event = device.make_shared_event()
    commands = queue.make_command_buffer()
    commands.encode_wait_for_event(event, 1)
    commands.commit()
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    commands.wait_until_completed()
    assert seen == [1]
    print("done")
    """)


# ---- interpreter exit ----------------------------------------------------------------------------


@needs_cpu
def test_exit_with_commands_in_flight():
    check("""
    all_commands = [commands_for(50_000_000) for _ in range(20)]
    for commands, buffer in all_commands:
        commands.commit()
    print("done")
    """)


@needs_cpu
def test_exit_with_a_kernel_that_goes_on_for_long():
    check("""
    commands, buffer = commands_for(LONG)
    commands.commit()
    time.sleep(0.05)
    print("done")
    """)


@needs_cpu
def test_exit_with_views_alive():
    check("""
    views = []
    for i in range(20):
        commands, buffer = commands_for(1_000_000)
        views.append(buffer.to_numpy(np.uint32))
        commands.commit()
        array = np.zeros(1000, np.float32)
        shared = pm.Buffer.from_array(array, copy=False, device=device)
        views += [shared, np.from_dlpack(shared), shared.__dlpack__(), array]
    sys.kept_for_ever = views
    print("done")
    """)


@needs_cpu
def test_exit_with_handlers_pending_and_running():
    """Those that run are waited for; those that have not started are left out; none crashes."""
    check("""
    started, ended = threading.Event(), threading.Event()
    def slow(_):
        started.set()
        ended.wait()
        time.sleep(0.2)
        sys.stdout.write("slow is through\\n")
    first = queue.make_command_buffer()
    first.add_completed_handler(slow)
    first.commit()
    started.wait()
    for _ in range(50):
        commands, buffer = commands_for(20_000_000)
        commands.add_completed_handler(lambda c: c.status)
        commands.add_scheduled_handler(lambda c: c.status)
        commands.future()
        commands.commit()
    print("done", flush=True)
    ended.set()
    """, "done\nslow is through\n")


@needs_cpu
def test_exit_with_a_handler_that_never_ends():
    check("""
    blocked = threading.Event()
    commands = queue.make_command_buffer()
    commands.add_completed_handler(lambda _: (blocked.set(), threading.Event().wait()))
    commands.commit()
    blocked.wait()
    print("done")
    """)


@needs_cpu
def test_exit_while_daemon_threads_wait_and_launch():
    check("""
    event = device.make_shared_event()
    commands = queue.make_command_buffer()
    commands.encode_wait_for_event(event, 1)
    commands.commit()
    def launch():
        mine = device.make_command_queue()
        while True:
            c, _ = commands_for(10, mine)
            c.add_completed_handler(lambda c: c.status)
            c.commit()
            c.wait_until_completed()
    threads = [threading.Thread(target=commands.wait_until_completed, daemon=True) for _ in range(4)]
    threads += [threading.Thread(target=launch, daemon=True) for _ in range(3)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    print("done")
    """)


@needs_cpu
def test_exit_without_waiting_after_an_upload():
    check("""
    commands = queue.make_command_buffer()
    kept = [pm.async_buffer_from_numpy(device, np.zeros(1 << 20), commands) for _ in range(4)]
    commands.commit()
    never = queue.make_command_buffer()
    pm.async_buffer_from_numpy(device, np.zeros(1 << 20), never)
    print("done")
    """)


# ---- fork ----------------------------------------------------------------------------------------


@needs_cpu
@posix
def test_a_forked_child_gets_an_error_and_does_not_hang():
    check("""
    import warnings
    warnings.simplefilter("ignore")
    running, buffer = commands_for(2_000_000_000)
    running.commit()
    array = device.make_buffer_from_numpy(np.arange(5)).to_numpy(np.int64)
    def attempts():
        yield lambda: pm.Device("cpu")
        yield lambda: pm.Device.get_default_device()
        yield lambda: device.make_buffer(16)
        yield lambda: device.make_buffer_from_numpy(np.zeros(4))
        yield lambda: pm.Buffer.from_array(np.zeros(4), copy=False, device=device)
        yield lambda: device.make_texture(4, 4)
        yield lambda: device.make_library(SOURCE)
        yield lambda: device.make_command_queue()
        yield lambda: queue.make_command_buffer()
        yield lambda: kernel(array.astype(np.uint32), np.uint32(1))
        yield lambda: device.make_kernel(SOURCE + "// new", "spin")
        yield running.wait_until_completed
    ready, _ = commands_for(1)
    child = os.fork()
    if child == 0:
        failures = 0
        for attempt in (*attempts(), ready.commit):
            try:
                attempt()
            except pm.MetalDeviceError as error:
                failures += "fork" in str(error)
        good = failures == 13 and array.tolist() == [0, 1, 2, 3, 4] and pm.Device.get_all_devices() == []
        sys.exit(0 if good else failures + 1)
    _, status = os.waitpid(child, 0)
    print("done" if status == 0 else status)
    ready.commit()
    """)


@needs_cpu
@posix
def test_a_fork_before_the_first_use_is_harmless():
    code = textwrap.dedent("""
    import os, sys
    import numpy as np
    import pymetallic as pm
    child = os.fork()
    out = np.ones(10, np.float32)
    pm.Kernel(pm.Device("cpu"), "kernel void f(device float* a, uint i [[thread_position_in_grid]]) { a[i] += 1; }", "f")(out)
    assert (out == 2).all()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        print("done")
    """)
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


# ---- leaks ---------------------------------------------------------------------------------------

@needs_cpu
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ten_thousand_cycles_leak_nothing():
    """Buffer, library, pipeline and command buffer, made and dropped: less than 1 MB after warm-up, all released.

    PYMETALLIC_TEST_LEAK_CYCLES says how many; `make test-slow` runs all 10,000.
    """
    check("""
    import gc
    from pymetallic.metallic import _resource_manager
    CYCLES = int(os.environ.get("PYMETALLIC_TEST_LEAK_CYCLES", "300"))
    def cycle(i):
        buffer = device.make_buffer_from_numpy(np.ones(256, np.float32))
        library = device.make_library('kernel void f(device float* d, uint i [[thread_position_in_grid]]) { d[i] += %d; }' % (i % 100))
        function = library.make_function("f")
        pipeline = device.make_compute_pipeline_state(function)
        commands = queue.make_command_buffer()
        encoder = commands.make_compute_command_encoder()
        encoder.set_compute_pipeline_state(pipeline)
        encoder.set_buffer(buffer, 0, 0)
        encoder.dispatch_threads(256, 64)
        encoder.end_encoding()
        commands.commit()
        commands.wait_until_completed()
        assert buffer.to_numpy(np.float32)[7] == 1 + i % 100
    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    for i in range(300):
        cycle(i)
    before, count = resident(), _resource_manager.get_cleanup_count()
    for i in range(CYCLES):
        cycle(i)
    growth = resident() - before
    released = _resource_manager.get_cleanup_count() - count
    # Buffer, library, function, pipeline, command buffer, encoder.
    assert released == 6 * CYCLES, released
    assert growth < 1e6, growth
    print(f"{CYCLES} cycles: RSS grew by {growth / 1024:.0f} KiB", file=sys.stderr)
    print("done")
    """, timeout=3600)


def test_all_objects_are_counted_when_they_are_released(device):
    import gc

    gc.collect()
    before = _resource_manager.get_cleanup_count()
    for _ in range(50):
        commands = device.make_command_queue().make_command_buffer()
        buffer = pm.async_buffer_from_numpy(device, np.zeros(4), commands)
        commands.add_completed_handler(lambda _: None)
        commands.commit()
        commands.wait_until_completed()
        del commands, buffer
    deadline = time.monotonic() + 30
    # Queue, command buffer, buffer, and the command buffer that the handler was given.
    while _resource_manager.get_cleanup_count() - before < 200 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _resource_manager.get_cleanup_count() - before == 200


# ---- the cache of kernels ------------------------------------------------------------------------


def test_64_threads_times_1000_requests_compile_once(device, monkeypatch):
    source = HEADER + f"kernel void once(device int* out) {{ out[0] = 1; }} // {device.id} {time.time_ns()}"
    compiled = []
    library = pm.Library
    monkeypatch.setattr("pymetallic._kernel.Library", lambda *a: compiled.append(1) or library(*a))
    pipeline = pm.ComputePipelineState
    monkeypatch.setattr("pymetallic._kernel.ComputePipelineState", lambda *a: compiled.append(2) or pipeline(*a))
    before = kernel_cache.stats()
    start = threading.Barrier(64)

    def ask(_: int) -> set[int]:
        start.wait()
        return {id(kernel_cache.get(device, source, "once")) for _ in range(1000)}

    with ThreadPoolExecutor(64) as pool:
        found = set().union(*pool.map(ask, range(64)))
    after = kernel_cache.stats()
    assert len(found) == 1 and compiled == [1, 2]
    assert after["misses"] - before["misses"] == 1 and after["hits"] - before["hits"] == 64_000 - 1


def test_different_kernels_compile_at_the_same_time(device, monkeypatch):
    """Each compilation waits until four of them are under way: behind one lock, they would wait for ever."""
    together = threading.Barrier(4)
    pipeline = pm.ComputePipelineState

    def make(*arguments: object) -> pm.ComputePipelineState:
        together.wait(60)
        return pipeline(*arguments)

    monkeypatch.setattr("pymetallic._kernel.ComputePipelineState", make)
    source = HEADER + "".join(f"kernel void k{k}(device int* out) {{ out[0] = {k}; }}\n" for k in range(2))

    def compile_(k: int) -> pm.ComputePipelineState:
        # Two functions of each of two libraries.
        return kernel_cache.get(device, source + f"// {device.id} {k // 2} {os.getpid()}", f"k{k % 2}")

    with ThreadPoolExecutor(4) as pool:
        assert len({id(p) for p in pool.map(compile_, range(4))}) == 4


def test_the_interpreter_is_free_while_a_kernel_compiles(device):
    body = "".join(f"x = x * {k}.5f + float(i % {k + 2});" for k in range(200))
    source = HEADER + f"kernel void f(device float* d, uint i [[thread_position_in_grid]]) {{ float x = 0.0f; {body} d[i] = x; }}"
    numbers = itertools.count()
    assert leaves_python_to_others(lambda: pm.Library(device, f"{source}// {device.id} {os.getpid()} {next(numbers)}"))
    libraries = (pm.Library(device, f"{source}// {device.id} {os.getpid()} {next(numbers)}") for _ in range(50))
    functions = [library.make_function("f") for library in libraries]
    assert leaves_python_to_others(lambda: pm.ComputePipelineState(device, functions.pop()))

"""The end of a process, in every way there is, while a thread of the CPU device makes good code for kernels that have
code made quickly: no process crashes, hangs or loses its exit code. ``PYMETALLIC_TEST_EXIT_ROUNDS`` says how many of each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

ROUNDS = int(os.environ.get("PYMETALLIC_TEST_EXIT_ROUNDS", "2"))

#: Makes pipelines whose good code takes much longer than they do. No text is like another, so each has code of its own.
SETUP = """
import os, sys, threading
import numpy as np
import pymetallic as pm
SOURCE = '''
#include <metal_stdlib>
using namespace metal;
kernel void walk(device float* x, uint i [[thread_position_in_grid]]) {
    float sum = x[i], other = float(%d);
    for (int k = 0; k < 24; k++) {
        if (sum > 3.0f) sum = pow(fabs(sum), 0.3f) + tan(other) * x[(i + k) & 1023];
        sum += sin(sum) * other / (fabs(other) + 1.0f);
        other = exp(-fabs(sum)) + float(k) - atan2(sum, other);
    }
    x[i] = sum * 0.0f + float(i);
}
'''
device = pm.Device("cpu")
queue = device.make_command_queue()
def make(i):
    return device.make_compute_pipeline_state(device.make_library(SOURCE % i).make_function("walk"))
def commit(pipeline):
    buffer = device.make_buffer(4 * 1024)
    commands = queue.make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(pipeline)
    encoder.set_buffer(buffer, 0, 0)
    encoder.dispatch_threads(1024, 256)
    encoder.end_encoding()
    commands.commit()
    return commands, buffer
"""

MANY = "pipelines = [make(i) for i in range(8)]\n"

#: How a process ends, with the exit code that it must have.
ENDINGS: dict[str, tuple[str, int]] = {
    "the end of the program": (MANY, 0),
    "pipelines that are gone before": (MANY + "del pipelines", 0),
    "sys.exit": (MANY + "sys.exit(3)", 3),
    "an exception": (MANY + "raise ValueError('on purpose')", 1),
    "os._exit": (MANY + "os._exit(4)", 4),
    "Ctrl-C": (MANY + "import signal; os.kill(os.getpid(), signal.SIGINT)\nwhile True: pass", -signal.SIGINT),
    "command buffers that nobody waits for": (MANY + "[commit(p) for p in pipelines for _ in range(20)]", 0),
    "a thread that goes on": ("threading.Thread(target=lambda: [make(i) for i in range(8)]).start()", 0),
    "a thread that is not waited for": (
        """
def work():
    i = 0
    while True:
        commit(make(i))
        i += 1
threading.Thread(target=work, daemon=True).start()
""" + MANY,
        0,
    ),
    "a child without the device": (
        MANY + "child = os.fork()\nif child == 0: sys.exit(5)\nsys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))",
        5,
    ),
    "a process of multiprocessing": (
        MANY + """
import multiprocessing
child = multiprocessing.get_context("fork").Process(target=sys.exit, args=(6,))
child.start()
child.join()
sys.exit(child.exitcode)
""",
        6,
    ),
}

#: Exit functions that were registered before those of the package come after them; the device still works there.
LATE = """
import atexit, os
def late():
    commands, buffer = commit(make(100))
    commands.wait_until_completed()
    if (np.frombuffer(buffer, dtype=np.float32) == np.arange(1024)).all():
        os.write(1, b"late work is done")
atexit.register(late)
"""


def start(program: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    others = {name: value for name, value in os.environ.items() if name != "PYMETALLIC_QUICK"}
    environment = {**others, "PYMETALLIC_CACHE_DIR": "", **variables}
    command = [sys.executable, "-W", "ignore", "-c", program, *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
    return process.returncode, out, err


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_ends_while_code_is_made(ending):
    program, code = ENDINGS[ending]
    processes = [start(SETUP + program) for _ in range(ROUNDS)]
    ended = [finish(process) for process in processes]
    assert [returned for returned, _, _ in ended] == [code] * ROUNDS, [err for _, _, err in ended]


def test_exit_functions_may_use_the_device():
    processes = [start(LATE + SETUP + MANY) for _ in range(ROUNDS)]
    ended = [finish(process) for process in processes]
    assert [(code, out) for code, out, _ in ended] == [(0, "late work is done")] * ROUNDS, [err for _, _, err in ended]


def test_both_kinds_of_code_are_made_and_kept(tmp_path):
    """Without being asked. The folders of the cache have names that say what code was made for."""
    program = SETUP + """
commands, _ = commit(make(200))
commands.wait_until_completed()
folder, count = os.environ["PYMETALLIC_CACHE_DIR"], int(sys.argv[1])
import time
for _ in range(60_000):
    if len(os.listdir(folder)) >= count: break
    time.sleep(0.001)
"""

    def names(folder: str, count: int, **variables: str) -> set[str]:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        code, _, err = finish(start(program, str(count), PYMETALLIC_CACHE_DIR=str(path), **variables))
        assert code == 0, err
        return {entry.name for entry in path.iterdir()}

    quick = names("quick", 0, PYMETALLIC_QUICK="only")
    good = names("good", 0, PYMETALLIC_QUICK="off")
    assert quick - good and good - quick
    # Which shapes of threadgroups get quick code depends on what is ready when; one does, and it gets good code too.
    both = names("both", len(quick | good))
    assert both <= quick | good
    assert both & (quick - good) and both & (good - quick)
    # Good code on disk is all that a process wants.
    assert names("good", 0) == good


def test_one_thread_is_enough():
    """Code is made beside the one thread that runs kernels."""
    process = start(SETUP + MANY + "commands, _ = commit(pipelines[-1]); commands.wait_until_completed()", PYMETALLIC_THREADS="1")
    assert finish(process)[0] == 0

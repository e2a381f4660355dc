"""What it takes to open a large library of somebody else's and to use one kernel of it: ggml in one file.

`python benches/opening.py [FILE] [--every N] [--only REGEX]` prints the time to open the library, then, over its kernels, the
time from a function to a pipeline whose first dispatch of one threadgroup has run: cold, to code that is made quickly, as
kernels start in Python; in a new process to good code; and then all of it again in another with everything in the disk cache. FILE is a `ggml-metal.metal`; without it that of `whisper-rs-sys` is taken, 10,000 lines (sdists of
`llama-cpp-python` had larger ones until ggml cut the file in pieces). Threads and function constants are those that ggml would
choose (`tests/corpora/launch.py`). Time is that of the processor, all threads: other work on the machine hardly matters.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CORPORA = Path(__file__).resolve().parents[1] / "tests" / "corpora"
sys.path.insert(0, str(CORPORA))
import fetch  # noqa: E402
import launch  # noqa: E402

ROUNDS = 5
# Set in the processes that come after the first: what they find in the cache.
AGAIN = "PYMETALLIC_BENCH_AGAIN"
# Kernels walk along what their arguments say, which are zeros: a little memory is enough.
BYTES = 1 << 20


def first_dispatch(device: Any, library: Any, name: str) -> float:
    """Milliseconds from the function to the end of its first threadgroup."""
    threads, constants = launch.ggml(name)
    known = {constant for constant, _, _ in library.function_constants}
    given = {constant: 1 for constant in known} | {k: v for k, v in constants.items() if k in known}
    start = time.process_time()
    pipeline = device.make_compute_pipeline_state(library.make_function(name, given))
    made = time.process_time() - start
    commands = device.make_command_queue().make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(pipeline)
    zeros = bytes(4096)
    for parameter in pipeline.reflection:
        if parameter["kind"] == "threadgroup":
            encoder.set_threadgroup_memory_length(32768 - 1024, parameter["index"])
        elif parameter.get("is_constant"):
            encoder.set_bytes(zeros, parameter["index"])
        else:
            encoder.set_buffer(device.make_buffer(BYTES), 0, parameter["index"])
    start = time.process_time()
    encoder.dispatch_threadgroups((1, 1, 1), threads)
    encoder.end_encoding()
    commands.commit()
    try:
        commands.wait_until_completed()
    except Exception as error:  # A threadgroup without work may fault; its code has been made.
        if "dispatch" in str(error):
            raise
    return (made + time.process_time() - start) * 1e3


def summary(what: str, times: dict[str, float], limit: float) -> None:
    values = sorted(times.values())
    slowest = sorted(times, key=lambda name: -times[name])[:5]
    within = sum(value <= limit for value in values)
    print(f"{what}: {within} of {len(values)} within {limit:g} ms; median {statistics.median(values):.1f} ms; slowest:")
    for name in slowest:
        print(f"  {times[name]:9.1f} ms  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--every", type=int, default=1, help="only every so many kernels")
    parser.add_argument("--only", default="", help="kernels of such a name")
    arguments = parser.parse_args()
    again = os.environ.get(AGAIN)
    if again is None:
        # Without good code, which a thread would make in the same time.
        os.environ["PYMETALLIC_QUICK"] = "only"
    if again != "all":
        os.environ["PYMETALLIC_CACHE_DIR"] = tempfile.mkdtemp()
    import pymetallic as pm

    folder = fetch.folder("ggml-one-file")
    if folder is None:
        raise SystemExit("the headers of ggml could not be fetched")
    file = arguments.file or folder / "ggml-metal" / "ggml-metal.metal"
    source = file.read_text()
    device = pm.Device("cpu")
    # A thread of the device reads the standard library, meanwhile.
    time.sleep(0.5)
    options = {"include_directories": [str(folder), str(folder / "ggml-metal")], "macros": {"GGML_METAL_HAS_BF16": 1}}
    opened = []
    # A text that was not read before, or the last of these.
    for i in [ROUNDS - 1] if again == "all" else range(ROUNDS):
        start = time.process_time()
        library = device.make_library(f"//{i}\n{source}", options)
        opened.append((time.process_time() - start) * 1e3)
    lines = source.count("\n")
    names = [name for name in library.function_names if re.search(arguments.only, name)][:: arguments.every]
    rounds = f" (least of {ROUNDS})" if len(opened) > 1 else ""
    print(f"library of {lines} lines, {len(library.function_names)} kernels: {min(opened):.1f} ms{rounds}")
    times = {name: first_dispatch(device, library, name) for name in names}
    if again == "all":
        summary("pipelines from the disk cache", times, 2)
        return
    summary("pipelines, cold, code made " + ("quickly" if again is None else "well"), times, 300)
    print("in a new process:", flush=True)
    following = {AGAIN: "nothing" if again is None else "all", "PYMETALLIC_QUICK": "off"}
    subprocess.run([sys.executable, *sys.argv], env={**os.environ, **following}, check=True)
    shutil.rmtree(os.environ["PYMETALLIC_CACHE_DIR"])


if __name__ == "__main__":
    main()

"""How the tests here run a kernel of somebody else's and compare what it does.

A test module has a table of ``Case``: a kernel of a corpus (see ``tests/corpora/fetch.py``) and a function that makes a
``Call``: arguments in the order of the buffer indices, a grid, and what has to be in the buffers afterwards, computed
with NumPy from the definition of the operation. ``check`` runs it on a device.

On the interpreter the sizes are smaller (``Sizes``): it executes every thread one by one, with every check.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pymetallic as pm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "corpora"))
import fetch  # noqa: E402

# ---- types of elements ---------------------------------------------------------------------------------------------

# NumPy has no bfloat16: values are float32 that bfloat16 can represent, and become their upper halves in buffers.
DTYPES = {
    "f32": np.float32, "f16": np.float16, "bf16": np.uint16, "u8": np.uint8, "u32": np.uint32, "i64": np.int64,
    "i32": np.int32, "i16": np.int16, "i8": np.int8, "u16": np.uint16, "u64": np.uint64, "bool": np.uint8,
}  # fmt: skip


def encode(values: Any, t: str) -> np.ndarray:
    """The values as a buffer has them; floats are rounded to the nearest even."""
    if t != "bf16":
        return np.asarray(values).astype(DTYPES[t])
    bits = np.asarray(values, np.float32).view(np.uint32)
    rounded = ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(np.asarray(values, np.float32)), np.uint16(0x7FC0), rounded).astype(np.uint16)


def decode(array: np.ndarray, t: str) -> np.ndarray:
    """What is in a buffer, as float64 or integers."""
    if t == "bf16":
        return (array.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def rounded(values: Any, t: str) -> np.ndarray:
    """The values that elements of a type hold, as float64 or integers."""
    return decode(encode(values, t), t)


# ---- tolerances ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tolerance:
    relative: float
    absolute: float
    why: str


EXACT = Tolerance(0, 0, "nothing is rounded")
# A result is rounded once to its type: half a unit in the last place, and one for an intermediate in that type.
UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


def ulps(t: str, count: float, absolute: float = 0.0, why: str = "rounding of the result") -> Tolerance:
    """Some units in the last place; integers are exact."""
    return Tolerance(count * UNIT.get(t, 0), absolute, why)


def sums(t: str, length: int, magnitude: float, why: str = "sums in another order") -> Tolerance:
    """A sum of so many terms of such a magnitude, in float, then rounded to the type."""
    return Tolerance(2 * UNIT.get(t, 0), 4 * length**0.5 * magnitude * UNIT["f32"], why)


# ---- calls ---------------------------------------------------------------------------------------------------------


@dataclass
class Out:
    """A buffer that a kernel writes. ``type`` is that of its elements; what is not written stays as ``before``."""

    expected: Any
    type: str = "f32"
    tolerance: Tolerance = EXACT
    before: np.ndarray | None = None
    # By how much each element may differ, where a tolerance for all would be too wide for some.
    bound: np.ndarray | None = None
    # Compares in another way than element by element: gets the elements, raises AssertionError.
    judge: Callable[[np.ndarray], None] | None = None

    def initial(self) -> np.ndarray:
        if self.before is not None:
            return np.ascontiguousarray(self.before)
        # A pattern that no kernel writes by chance: what is missing shows.
        count = np.asarray(self.expected).size * np.dtype(DTYPES[self.type]).itemsize
        return np.full(count, 0xA5, np.uint8)


@dataclass(frozen=True)
class Same:
    """The buffer that is bound at another index, too."""

    index: int


@dataclass
class Call:
    """Arguments are arrays (buffers), NumPy scalars and bytes (copied), ``Out``, ``Same``, or None (nothing is bound)."""

    arguments: Sequence[Any] | Mapping[int, Any]
    threads: Sequence[int] | int | None = None
    groups: Sequence[int] | int | None = None
    threadgroup: Sequence[int] | int = 64
    threadgroup_memory: Mapping[int, int] = field(default_factory=dict)
    constants: Mapping[Any, Any] | None = None


@dataclass
class Sizes:
    """Whether a device wants large or small sizes, and where random values come from."""

    is_small: bool
    rng: np.random.Generator

    def __call__(self, large: int, small: int) -> int:
        return small if self.is_small else large

    def normal(self, shape: Any, t: str = "f32", scale: float = 1.0) -> np.ndarray:
        """Normal numbers that the type holds, as float64."""
        return rounded(self.rng.normal(0, scale, shape), t)

    def uniform(self, low: float, high: float, shape: Any, t: str = "f32") -> np.ndarray:
        return rounded(self.rng.uniform(low, high, shape), t)


@dataclass
class Case:
    corpus: str
    file: str
    kernel: str
    make: Callable[[Sizes], Call]
    note: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    # What is compiled instead of the file; it includes files of the corpus.
    text: str = ""

    def __str__(self) -> str:
        return f"{self.corpus}-{self.kernel}{'-' if self.note else ''}{self.note}"


# ---- running -------------------------------------------------------------------------------------------------------


def corpus_folder(name: str) -> Path:
    at = fetched(name)
    if at is None:
        pytest.skip(f"the corpus {name} could not be fetched: offline, or cargo or pip is missing")
    return at


@lru_cache(None)
def fetched(name: str) -> Path | None:
    return fetch.folder(name)


# A library keeps the text and its syntax tree; there are hundreds with one kernel each.
@lru_cache(8)
def library(device: str, corpus: str, file: str, text: str, options: tuple[tuple[str, Any], ...]) -> pm.Library:
    at = corpus_folder(corpus)
    path = at / file
    includes = [str(path.parent), str(at), str(at / "ggml-metal")]
    given = {"include_directories": includes, "name": file} | {k: dict(v) if k == "macros" else v for k, v in options}
    return pm.Device(device).make_library(text or path.read_text(), given)


def frozen(options: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((k, tuple(sorted(v.items())) if isinstance(v, Mapping) else v) for k, v in sorted(options.items()))


def triple(size: Sequence[int] | int) -> tuple[int, ...]:
    return (int(size),) if isinstance(size, (int, np.integer)) else tuple(int(n) for n in size)


def check(case: Case, device: str) -> None:
    """Runs a case on a device and compares every buffer with what is expected."""
    run(case, device, library(device, case.corpus, case.file, case.text, frozen(case.options)))


def run(case: Case, device: str, of: pm.Library) -> None:
    seed = zlib.crc32(str(case).encode())
    call = case.make(Sizes(device == "interp", np.random.default_rng(seed)))
    d = of.device
    pipeline = d.make_compute_pipeline_state(of.make_function(case.kernel, call.constants))
    commands = d.make_command_queue().make_command_buffer()
    encoder = commands.make_compute_command_encoder()
    encoder.set_compute_pipeline_state(pipeline)
    arguments = call.arguments if isinstance(call.arguments, Mapping) else dict(enumerate(call.arguments))
    buffers: dict[int, pm.Buffer] = {}
    for index, value in arguments.items():
        if value is None:
            continue
        if isinstance(value, Same):
            encoder.set_buffer(buffers[value.index], 0, index)
            continue
        if isinstance(value, (bytes, np.generic)):
            encoder.set_bytes(value if isinstance(value, bytes) else np.asarray(value).tobytes(), index)
            continue
        array = value.initial() if isinstance(value, Out) else np.ascontiguousarray(value)
        buffers[index] = pm.Buffer.from_numpy(d, array if array.size else np.zeros(16, np.uint8))
        encoder.set_buffer(buffers[index], 0, index)
    for index, size in call.threadgroup_memory.items():
        encoder.set_threadgroup_memory_length(size, index)
    if call.threads is not None:
        encoder.dispatch_threads(triple(call.threads), triple(call.threadgroup))
    else:
        encoder.dispatch_threadgroups(triple(call.groups or 1), triple(call.threadgroup))
    encoder.end_encoding()
    commands.commit()
    commands.wait_until_completed()
    outputs = {index: value for index, value in arguments.items() if isinstance(value, Out)}
    assert outputs, "a case without results"
    for index, out in outputs.items():
        compare(buffers[index], out, f"buffer {index}")


def compare(buffer: pm.Buffer, out: Out, what: str) -> None:
    expected = np.asarray(out.expected)
    size = expected.size * np.dtype(DTYPES[out.type]).itemsize
    found = np.array(buffer.to_numpy(np.uint8)[:size]).view(DTYPES[out.type])
    found = decode(found, out.type).reshape(expected.shape)
    if out.judge is not None:
        out.judge(found)
    elif out.bound is not None:
        # Written so that a NaN is wrong.
        wrong = ~(np.abs(found - expected) <= out.bound)
        at = np.argwhere(wrong)[:5]
        assert not wrong.any(), (what, int(wrong.sum()), wrong.size, at, found[wrong][:5], expected[wrong][:5])
    elif out.tolerance.relative == 0 and out.tolerance.absolute == 0:
        np.testing.assert_array_equal(found, expected, err_msg=what)
    else:
        t = out.tolerance
        np.testing.assert_allclose(
            found, expected.astype(np.float64), rtol=t.relative, atol=t.absolute, err_msg=f"{what} ({t.why})"
        )


# ---- what arguments are made of --------------------------------------------------------------------------------------


def size_t(n: int) -> np.uint64:
    return np.uint64(n)


def sizes(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.uint64)


def strided(values: np.ndarray, order: Sequence[int]) -> tuple[np.ndarray, list[int], list[int]]:
    """The memory, dims and strides (in elements) of a view of an array with its axes in another order."""
    view = np.transpose(values, order)
    return view, list(view.shape), [s // values.itemsize for s in view.strides]

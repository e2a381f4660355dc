"""Gathers, scatters and selections by index."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, Tolerance, check, encode, rounded, size_t, sizes


def test_indexing(case, device):
    check(case, device)


FLOATS = ("f32", "f16", "bf16")
UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}
LARGEST = {"u8": 0xFF, "u32": 0xFFFFFFFF, "i64": 2**63 - 1}  # the index that means "nothing"


def values(s: Sizes, shape, t: str) -> np.ndarray:
    return s.normal(shape, t) if t in FLOATS else encode(s.rng.integers(0, 50, shape), t)


def indices(s: Sizes, n: int, shape, t: str) -> np.ndarray:
    """Some of them are nothing."""
    found = s.rng.integers(0, n, shape).astype(object)
    found[s.rng.random(shape) < 0.1] = LARGEST[t]
    return np.array(found.tolist(), {"u8": np.uint8, "u32": np.uint32, "i64": np.int64}[t])


def select(i: str, t: str, is_contiguous: bool = True) -> Case:
    def make(s: Sizes) -> Call:
        left, n, right, count = s(4, 2), s(9, 5), s(13, 3), s(11, 4)
        x = values(s, (left, n, right), t)
        ids = indices(s, n, count, i)
        nothing = ids == LARGEST[i]
        result = x[:, np.where(nothing, 0, ids).astype(int)]
        result[:, nothing] = 0
        numbers = [result.size, left, n, right, count]
        arguments = [*map(size_t, numbers), np.uint8(is_contiguous), sizes(x.shape), sizes([n * right, right, 1]), encode(x, t), ids, Out(result, t)]
        return Call(arguments, threads=result.size)

    return Case("candle", "indexing.metal", f"is_{i}_{t}", make)


def gather(i: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        left, n, right, count = s(4, 2), s(9, 5), s(13, 3), s(6, 4)
        x = values(s, (left, n, right), t)
        ids = indices(s, n, (left, count, right), i)
        nothing = ids == LARGEST[i]
        result = np.take_along_axis(x, np.where(nothing, 0, ids).astype(int), axis=1)
        result[nothing] = 0
        arguments = [*map(size_t, (result.size, left, n, right, count)), encode(x, t), ids, Out(result, t)]
        return Call(arguments, threads=result.size)

    return Case("candle", "indexing.metal", f"gather_{i}_{t}", make)


def scatter(i: str, t: str, is_sum: bool) -> Case:
    def make(s: Sizes) -> Call:
        left, n, right, count = s(4, 2), s(9, 5), s(13, 3), s(6, 4)
        x, before = values(s, (left, count, right), t), values(s, (left, n, right), t)
        ids = indices(s, n, x.shape, i)
        result = before.copy()
        for at in np.ndindex(*x.shape):
            if ids[at] != LARGEST[i]:
                to = (at[0], int(ids[at]), at[2])
                result[to] = rounded(result[to] + x[at], t) if is_sum else x[at]
        arguments = [*map(size_t, (left * right, left, count, right, n)), encode(x, t), ids]
        return Call([*arguments, Out(result, t, before=encode(before, t))], threads=left * right)

    return Case("candle", "indexing.metal", f"{'sa' if is_sum else 's'}_{i}_{t}", make)


def index_add(i: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        left, n, right, count = s(4, 2), s(9, 5), s(13, 3), s(6, 4)
        x, before = values(s, (left, count, right), t), values(s, (left, n, right), t)
        ids = indices(s, n, count, i)
        result = before.copy()
        for j, k in enumerate(ids):
            if k != LARGEST[i]:
                result[:, int(k)] = rounded(result[:, int(k)] + x[:, j], t)
        arguments = [*map(size_t, (left * right, left, count, right, n, count)), encode(x, t), ids]
        tolerance = Tolerance(UNIT.get(t, 0), 0, "sums in the order of the indices")
        return Call([*arguments, Out(result, t, tolerance, encode(before, t))], threads=left * right)

    return Case("candle", "indexing.metal", f"ia_{i}_{t}", make)


CASES = (
    [select(i, t) for i, t in (("i64", "i64"), ("i64", "f32"), ("u32", "f16"), ("u32", "u8"), ("u8", "bf16"), ("u8", "u32"), ("u32", "f32"))]
    + [gather(i, t) for i, t in (("u8", "f32"), ("i64", "f16"), ("u32", "f32"), ("i64", "bf16"), ("u8", "u8"), ("u32", "i64"))]
    + [scatter(i, t, False) for i, t in (("u32", "f32"), ("u8", "f16"), ("i64", "bf16"), ("u32", "u32"))]
    + [scatter(i, t, True) for i, t in (("u32", "f32"), ("u8", "f16"), ("i64", "bf16"), ("u32", "u32"))]
    + [index_add(i, t) for i, t in (("i64", "f32"), ("u32", "f16"), ("u8", "bf16"), ("u8", "u8"), ("u32", "i64"), ("i64", "u32"))]
)

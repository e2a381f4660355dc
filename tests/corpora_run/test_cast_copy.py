"""Conversions and copies, contiguous and with strides."""

from __future__ import annotations

import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, check, decode, encode, rounded, size_t, sizes, strided

FLOATS = ("f32", "f16", "bf16")
PER_THREAD = {"f32": 2, "u32": 2, "i64": 1, "u8": 8, "f16": 4, "bf16": 4}
TYPES = tuple(PER_THREAD)


def test_cast_copy(case, device):
    check(case, device)


def source(s: Sizes, t: str, u: str, shape) -> np.ndarray:
    """Values that both types can hold, but for rounding."""
    if t in FLOATS:
        if u in FLOATS:
            return s.normal(shape, t, 100)
        return s.uniform(0 if u in ("u8", "u32") else -200, 200, shape, t)
    if u == "u8" or t == "u8":
        # Integers wrap.
        return encode(s.rng.integers(0, 256 if u in FLOATS else 100000, shape), t)
    return encode(s.rng.integers(-60000 if t == "i64" and u != "u32" else 0, 60000, shape), t)


def converted(x: np.ndarray, t: str, u: str) -> Out:
    if t in FLOATS and u not in FLOATS:
        return Out(encode(np.trunc(x), u), u)
    if u in FLOATS:
        return Out(rounded(x.astype(np.float32), u), u)
    return Out(x.astype(encode([0], u).dtype), u)


def cast(t: str, u: str, is_strided: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        x = source(s, t, u, (s(31, 5), s(29, 7)))
        if is_strided:
            view, dims, strides = strided(x, (1, 0))
            arguments = [size_t(x.size), size_t(2), sizes(dims), sizes(strides), encode(x, t), converted(view, t, u)]
            return Call(arguments, threads=x.size)
        return Call([size_t(x.size), encode(x, t), converted(x, t, u)], threads=-(-x.size // PER_THREAD[t]))

    return Case("candle", "cast.metal", f"cast_{t}_{u}{'_strided' if is_strided else ''}", make)


def copy2d(t: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, columns, source_stride, stride = s(17, 3), s(23, 5), s(31, 8), s(27, 7)
        bits = {"f32": "u32", "f16": "u16", "bf16": "u16"}.get(t, t)
        x = encode(s.rng.integers(0, 100, (rows, source_stride)), bits)
        before = np.full((rows, stride), 7, x.dtype)
        after = before.copy()
        after[:, :columns] = x[:, :columns]
        arguments = [np.int64(rows), np.int64(columns), np.int64(source_stride), np.int64(stride), x, Out(after, bits, EXACT, before)]
        return Call(arguments, threads=(rows, columns), threadgroup=(8, 8))

    return Case("candle", "unary.metal", f"copy2d_{t}", make)


def copy_strided(t: str) -> Case:
    """Five dimensions, one with stride zero."""

    def make(s: Sizes) -> Call:
        x = encode(s.rng.integers(0, 99, (s(3, 2), 2, 1, s(5, 2), 3)), t)
        view = np.broadcast_to(np.transpose(x, (4, 1, 2, 0, 3)), (3, 2, 4, x.shape[0], x.shape[3]))
        strides = [n // x.itemsize for n in view.strides]
        n = view.size
        return Call([size_t(n), size_t(5), sizes(view.shape), sizes(strides), x, Out(decode(view.reshape(-1).copy(), t), t)], threads=n)

    return Case("candle", "unary.metal", f"copy_{t}_strided", make)


CASES = (
    [cast(t, u) for t in TYPES for u in TYPES]
    + [cast(t, u, True) for t, u in (("f32", "bf16"), ("bf16", "f16"), ("f16", "i64"), ("u8", "f32"), ("i64", "u8"), ("u32", "f16"))]
    + [copy2d(t) for t in (*TYPES, "i32", "i16")]
    + [copy_strided(t) for t in ("f32", "u8", "i64", "f16", "bf16", "u32")]
)

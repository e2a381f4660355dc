"""Sums, products, extremes and their indices, over rows."""

from __future__ import annotations

import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, Tolerance, check, encode, rounded, strided


def test_reduce(case, device):
    check(case, device)


FUNCTIONS = {"sum": np.sum, "mul": np.prod, "min": np.min, "max": np.max}
UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


def values(s: Sizes, name: str, t: str, shape) -> np.ndarray:
    if t in UNIT:
        # Products stay near one.
        return s.uniform(0.9, 1.1, shape, t) if name == "mul" else s.uniform(-2, 2, shape, t)
    if t == "i64":
        return s.rng.integers(-(2**40), 2**40, shape)
    return encode(s.rng.integers(0, 2 ** (8 if t == "u8" else 32), shape), t)


def reduced(name: str, t: str, x: np.ndarray, block: int) -> Out:
    with np.errstate(over="ignore"):
        result = FUNCTIONS[name](x, axis=-1, **({"dtype": x.dtype} if name in ("sum", "mul") else {}))
    if t not in UNIT or name in ("min", "max"):
        return Out(result, t)
    # Each thread adds a share of the elements and then a tree adds the threads, in the type itself: so many roundings
    # of values that are no larger than the sum of magnitudes of a share.
    steps = x.shape[-1] / block + np.log2(block) + 2
    if name == "mul":
        # Every one of the products is rounded by up to half a unit, and relative errors of all add up: a walk of n steps
        # at random, of 0.29 units each. This is seven times its standard deviation, and far below n half units.
        return Out(result, t, Tolerance(2 * x.shape[-1] ** 0.5 * UNIT[t], 0, "roundings of all products"))
    partial = np.abs(x).max() * x.shape[-1] ** 0.5 * 2
    return Out(result, t, Tolerance(0, steps * UNIT[t] * partial, "roundings of partial sums in the type itself"))


def reduce(name: str, t: str, columns: tuple[int, int], block: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(*columns)
        x = values(s, name, t, (rows, n))
        arguments = [np.uint32(x.size), np.uint32(2), np.array(x.shape, np.uint32), np.uint32(n), encode(x, t)]
        return Call([*arguments, reduced(name, t, x, block)], groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"fast_{name}_{t}", make, str(block))


def reduce_strided(name: str, t: str, block: int) -> Case:
    def make(s: Sizes) -> Call:
        x = values(s, name, t, (s(70, 9), s(3, 2), s(4, 2)))
        view, dims, strides = strided(x, (1, 2, 0))
        rows, n = dims[0] * dims[1], dims[2]
        arguments = [np.uint32(x.size), np.uint32(3), np.array(dims, np.uint32), np.array(strides, np.uint32), np.uint32(n)]
        return Call([*arguments, encode(x, t), reduced(name, t, view.reshape(rows, n), block)], groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"fast_{name}_{t}_strided", make)


def arg(name: str, t: str, block: int, is_strided: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(6, 2), s(333, 40)
        x = values(s, name, t, (n, rows) if is_strided else (rows, n))
        view = x.T if is_strided else x
        # Of equal ones, the first counts.
        extreme = view.max() if name == "argmax" else view.min()
        view[0, n // 2], view[0, n // 2 + 3], view[1, n - 1] = extreme, extreme, extreme
        result = (np.argmax if name == "argmax" else np.argmin)(view, axis=1)
        dims = [np.uint32(x.size), np.uint32(2), np.array(view.shape, np.uint32)]
        if is_strided:
            dims.append(np.array([1, rows], np.uint32))
        return Call([*dims, np.uint32(n), encode(x, t), Out(result, "u32", EXACT)], groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"fast_{name}_{t}{'_strided' if is_strided else ''}", make)


def infinities(name: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        x = s.normal((4, 70), t)
        x[0, 3], x[1, 9], x[2, 5], x[2, 6] = np.inf, -np.inf, 0.0, -0.0
        arguments = [np.uint32(x.size), np.uint32(2), np.array(x.shape, np.uint32), np.uint32(70), encode(x, t)]
        return Call([*arguments, Out(rounded(FUNCTIONS[name](x, axis=1), t), t)], groups=4, threadgroup=32)

    return Case("candle", "reduce.metal", f"fast_{name}_{t}", make, "infinities", {"fast_math": False})


TYPES = ("f32", "f16", "bf16", "u8", "u32", "i64")
CASES = (
    [reduce(name, t, (333, 41), 64) for name in FUNCTIONS for t in TYPES]
    + [reduce("sum", "f32", (n, m), b) for n, m, b in ((1, 1, 1), (5, 5, 4), (31, 7, 16), (2500, 130, 1024), (100, 90, 128))]
    + [reduce("max", "f16", (700, 65), 256)]
    + [reduce_strided(name, t, 32) for name, t in (("sum", "f32"), ("max", "u32"), ("min", "bf16"), ("mul", "f16"), ("sum", "i64"))]
    + [arg(name, t, 64) for name in ("argmin", "argmax") for t in TYPES]
    + [arg("argmax", "f32", 16, True), arg("argmin", "f16", 128, True)]
    + [infinities(name, t) for name in ("min", "max") for t in ("f32", "f16")]
)

"""Quantised matrices of every format: their rows, their products with vectors and with matrices."""

from __future__ import annotations

import ggml
import numpy as np
from harness import Call, Case, Out, Sizes, Tolerance, check
from quant import FORMATS, matrix


def test_quantized(case, device):
    check(case, device)


def bounded(expected: np.ndarray, bound: np.ndarray, t: str = "f32") -> Out:
    """Each element has a bound of its own."""

    def judge(found: np.ndarray) -> None:
        wrong = ~(np.abs(found - expected) <= bound)
        assert not wrong.any(), (np.argwhere(wrong)[:5], found[wrong][:5], expected[wrong][:5], bound[wrong][:5])

    return Out(expected, t, judge=judge)


def columns(s: Sizes, name: str) -> int:
    """A few blocks, not a power of two; kernels for vectors want whole vectors of four."""
    size = FORMATS[name].size
    return size * s(3, 1) if size == 256 else s(480, 128) // max(size, 4) * max(size, 4) if size > 1 else s(516, 132)


def product(s: Sizes, name: str, rows: int, vectors: int, unit: float, multiple: int = 1) -> tuple:
    k = -(-columns(s, name) // multiple) * multiple
    b, w, stride = matrix(s.rng, name, rows, k)
    x = s.normal((vectors, k)).astype(np.float32)
    exact, magnitude = x.astype(np.float64) @ w.T, np.abs(x).astype(np.float64) @ np.abs(w).T
    # Sums in float, after both sides have been rounded as the unit says.
    return k, b, w, stride, x, bounded(exact, magnitude * (unit + 2.0**-20))


def get_rows(name: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, count = s(7, 3), s(5, 2)
        k = columns(s, name)
        b, w, stride = matrix(s.rng, name, rows, k)
        ids = s.rng.integers(0, rows, count).astype(np.int32)
        per = 1 if FORMATS[name].size == 1 else 16
        values = {"nb01": stride, "nb02": stride * rows, "nb03": stride * rows, "nb10": 4, "nb11": 4 * count, "nb12": 4 * count}
        values |= {"ne00t": k // per, "ne00": k, "ne10": count, "nb1": 4 * k, "nb2": 4 * k * count, "nb3": 4 * k * count}
        # What is subtracted from what may be as large as the largest value of the row.
        out = Out(w[ids], "f32", Tolerance(2e-6, 2e-6 * float(np.abs(w).max()), "two products and a difference in float"))
        threads = min(k // per, 64)
        return Call([ggml.arguments("get_rows", **values), b, ids, out], groups=(-(-k // per // threads) * count, 1, 1), threadgroup=threads)

    return Case("ggml", "ggml-metal/kernels/quantize.metal", f"kernel_get_rows_{name}", make, options=ggml.OPTIONS)


def mat_vec(name: str, rows: tuple[int, int], batches: int = 1) -> Case:
    def make(s: Sizes) -> Call:
        n = s(*rows)
        k, b, w, stride, x, out = product(s, name, n, batches, 2.0**-23)
        is_plain = FORMATS[name].size == 1
        per_group = 2 if is_plain else ggml.number(f"N_R0_{name.upper()}")
        simdgroups = min(4, (k + 127) // 128) if is_plain else ggml.number(f"N_SG_{name.upper()}")
        in_groups = per_group if is_plain or name == "q8_0" else per_group * simdgroups
        size = FORMATS[name].dtype.itemsize
        values = {"ne00": k, "ne01": n, "ne02": 1, "nb00": size, "nb01": stride, "nb02": stride * n, "nb03": stride * n}
        values |= {"ne10": k, "ne11": 1, "ne12": batches, "nb10": 4, "nb11": 4 * k, "nb12": 4 * k, "nb13": 4 * k * batches}
        values |= {"ne0": n, "ne1": 1, "nr0": per_group, "r2": batches, "r3": 1}
        fc = ggml.number("FC_MUL_MV")
        constants = {fc: simdgroups, fc + 2: batches, fc + 3: batches, fc + 4: 1, fc + 5: False}
        # Simdgroups read whole sets of rows and write those that exist; ggml's buffers are large enough for that.
        padded = np.concatenate([b.view(np.uint8).reshape(-1), np.zeros(32 * stride, np.uint8)])
        arguments = [ggml.arguments("mul_mv", **values), padded, x, out]
        return Call(arguments, groups=(-(-n // in_groups), 1, batches), threadgroup=(32, simdgroups, 1), threadgroup_memory={0: 8192}, constants=constants)

    return Case("ggml", "ggml-metal/kernels/mul_mv.metal", f"kernel_mul_mv_{name}_f32", make, "batched" if batches > 1 else "", ggml.OPTIONS)


def mat_mat(name: str, rows: tuple[int, int], vectors: tuple[int, int]) -> Case:
    def make(s: Sizes) -> Call:
        # Rows of the result are written in vectors of four: their length is a multiple of it.
        n, m = s(*rows), s(*vectors)
        # Both sides become half, or bfloat.
        unit = 2.0**-7 if name == "bf16" else 2.0**-10
        k, b, w, stride, x, out = product(s, name, n, m, unit, 32)
        values = {"ne00": k, "ne02": 1, "nb01": stride, "nb02": stride * n, "nb03": stride * n, "ne12": 1, "nb10": 4, "nb11": 4 * k}
        values |= {"nb12": 4 * k * m, "nb13": 4 * k * m, "ne0": n, "ne1": m, "r2": 1, "r3": 1}
        fc = ggml.number("FC_MUL_MM")
        constants = {fc: False, fc + 1: bool(n % 64 or m % 32), fc + 2: 1, fc + 3: 1, fc + 4: 1, fc + 5: 1, fc + 6: False}
        arguments = [ggml.arguments("mul_mm", **values), b, x, out]
        return Call(arguments, groups=(-(-m // 32), -(-n // 64), 1), threadgroup=(32, 4, 1), threadgroup_memory={0: 8192}, constants=constants)

    note = "" if rows[0] % 64 else "whole"
    return Case("ggml", "ggml-metal/kernels/mul_mm.metal", f"kernel_mul_mm_{name}_f32", make, note, ggml.OPTIONS)


def candle_mat_vec(name: str) -> Case:
    threads = {"q2_K": (2, 32, 8), "q3_K": (2, 32, 4), "q4_K": (4, 8, 4), "q5_K": (2, 32, 4), "q6_K": (2, 32, 2)}
    threads |= dict.fromkeys(("f16", "bf16", "f32"), (32, 1, 1))

    def make(s: Sizes) -> Call:
        # The kernels of the K formats write all rows of a group, whether they exist or not.
        n, m = (s(24, 8) if name.endswith("_K") else s(19, 7)), 2
        k, b, w, stride, x, out = product(s, name, n, m, 2.0**-23)
        tx, ty, align = threads.get(name, (8, 8, 8))
        # Metal's simdgroups are 32 consecutive threads of the threadgroup.
        first = [k, n, 1, *((FORMATS[name].dtype.itemsize, stride, stride * n) if FORMATS[name].size == 1 else (0, 0, 0))]
        second = [k, m, 1, *((4, 4 * k, 4 * k * m) if FORMATS[name].size == 1 else (0, 0, 0))]
        numbers = [*map(np.int64, (*first, *second, n, m)), np.uint32(1), np.uint32(1)]
        padded = np.concatenate([b.view(np.uint8).reshape(-1), np.zeros(32 * stride, np.uint8)])
        return Call([padded, x, out, *numbers], groups=(-(-n // align), m, 1), threadgroup=(tx, ty, 1))

    return Case("candle", "quantized.metal", f"kernel_mul_mv_{name}_f32", make)


def candle_mat_mat(name: str) -> Case:
    def make(s: Sizes) -> Call:
        n, m = s(76, 36), s(37, 5)
        k, b, w, stride, x, out = product(s, name, n, m, 2.0**-7 if name == "bf16" else 2.0**-10, 32)
        numbers = [k, 1, stride, stride * n, stride * n, 1, 4, 4 * k, 4 * k * m, 4 * k * m, n, m]
        arguments = [b, x, out, *map(np.int64, numbers), np.uint32(1), np.uint32(1)]
        return Call(arguments, groups=(-(-m // 32), -(-n // 64), 1), threadgroup=128, threadgroup_memory={0: 8192})

    return Case("candle", "quantized.metal", f"kernel_mul_mm_{name}_f32", make)


OF_CANDLE = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K")
CASES = (
    [get_rows(name) for name in FORMATS]
    + [mat_vec(name, (19, 7)) for name in FORMATS]
    + [mat_vec("q4_0", (33, 9), 3), mat_vec("q6_K", (9, 5), 2)]
    + [mat_mat(name, (76, 36), (37, 5)) for name in FORMATS]
    + [mat_mat("q4_0", (128, 64), (64, 32)), mat_mat("q4_K", (64, 64), (32, 32))]
    + [candle_mat_vec(name) for name in (*OF_CANDLE, "f16", "f32")]
    + [candle_mat_mat(name) for name in (*OF_CANDLE, "f16", "bf16", "f32")]
)

"""Softmax and normalisations of rows."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, Tolerance, check, encode, rounded, ulps


def test_norm(case, device):
    check(case, device)


UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


def softmax(t: str, columns: tuple[int, int], block: int, offset: float = 0) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(*columns)
        x = rounded(s.normal((rows, n), t, 3) + offset, t)
        e = np.exp(x - x.max(axis=1, keepdims=True))
        # Sum and exponentials are in the type itself: about one unit for each halving of the row.
        tolerance = ulps(t, 16, UNIT[t] / 8, "exponentials and sums in the type itself")
        out = Out(e / e.sum(axis=1, keepdims=True), t, tolerance)
        return Call([np.uint32(x.size), np.uint32(n), encode(x, t), out], groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"softmax_{t}", make, f"{block}{'-large' if offset else ''}")


def rms_norm(t: str, columns: tuple[int, int], block: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(4, 2), s(*columns)
        x, alpha = s.normal((rows, n), t), s.uniform(0.5, 1.5, n, t)
        result = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-5) * alpha
        out = Out(result, t, Tolerance(4 * UNIT[t], 1e-6, "two products in the type; a sum in another order"))
        return Call([np.uint32(x.size), np.uint32(n), encode(x, t), out, encode(alpha, t), np.float32(1e-5)], groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"rmsnorm_{t}", make, str(block))


def layer_norm(t: str, columns: tuple[int, int], block: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(4, 2), s(*columns)
        x, alpha, beta = rounded(s.normal((rows, n), t) + 2, t), s.uniform(0.5, 1.5, n, t), s.normal(n, t)
        d = x - x.mean(axis=1, keepdims=True)
        result = d / np.sqrt((d * d).mean(axis=1, keepdims=True) + 1e-5) * alpha + beta
        # The mean is rounded to the type before it is subtracted: values of up to 8 with an error of half a unit.
        out = Out(result, t, Tolerance(4 * UNIT[t], 8 * UNIT[t], "a difference of values of up to 8 in the type"))
        arguments = [np.uint32(x.size), np.uint32(n), encode(x, t), out, encode(alpha, t), encode(beta, t), np.float32(1e-5)]
        return Call(arguments, groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"layernorm_{t}", make, str(block))


CASES = (
    [softmax(t, (n, m), b) for t in UNIT for n, m, b in ((301, 45, 64), (33, 33, 32))]
    + [softmax("f32", (1500, 140), 1024), softmax("f32", (7, 5), 2), softmax("f32", (100, 40), 64, 5000.0)]
    + [rms_norm(t, (n, m), b) for t in UNIT for n, m, b in ((515, 70, 128), (30, 19, 32))]
    + [layer_norm(t, (n, m), b) for t in UNIT for n, m, b in ((515, 70, 128), (30, 19, 32))]
    + [rms_norm("f32", (2000, 70), 1024), layer_norm("f32", (2000, 70), 512), layer_norm("f32", (40, 10), 8)]
)

"""Rotary position embeddings, in all their layouts."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, Tolerance, check, encode, size_t


def test_rope(case, device):
    check(case, device)


UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


def rotated(a, b, cos, sin, t) -> tuple[np.ndarray, np.ndarray, Tolerance]:
    # Each of two products and their sum is rounded to the type; values are up to 8.
    return a * cos - b * sin, a * sin + b * cos, Tolerance(2 * UNIT[t], 6 * UNIT[t], "two products and a sum in the type")


def rope(t: str, layout: str, is_batched: bool) -> Case:
    def make(s: Sizes) -> Call:
        batch, heads, tokens, dim = s(3, 2), s(4, 2), s(7, 3), s(34, 6)
        angle = s.rng.uniform(-3, 3, ((batch,) if is_batched else ()) + (tokens, dim // 2))
        from harness import rounded

        cos, sin = rounded(np.cos(angle), t), rounded(np.sin(angle), t)
        shape = (batch, tokens, heads, dim) if layout == "thd" else (batch, heads, tokens, dim)
        x = s.normal(shape, t)
        # (batch, heads, tokens, dim / 2), or tokens before heads.
        c, n = (v[:, None] if is_batched else v[None, None] for v in (cos, sin))
        if layout == "thd":
            c, n = np.moveaxis(np.broadcast_to(c, (batch, 1, tokens, dim // 2)), 1, 2), np.moveaxis(np.broadcast_to(n, (batch, 1, tokens, dim // 2)), 1, 2)
        result = np.empty_like(x)
        if layout == "i":
            result[..., ::2], result[..., 1::2], tolerance = rotated(x[..., ::2], x[..., 1::2], c, n, t)
        else:
            half = dim // 2
            result[..., :half], result[..., half:], tolerance = rotated(x[..., :half], x[..., half:], c, n, t)
        stride = size_t(heads * tokens * dim if is_batched else 0)
        data = [encode(x, t), encode(cos, t), encode(sin, t), Out(result, t, tolerance)]
        bh, td = size_t(batch * heads), size_t(tokens * dim)
        if layout == "i":
            arguments = [bh, td, stride, *data]
        elif layout == "thd":
            arguments = [size_t(batch), size_t(tokens), size_t(heads), size_t(dim), stride, *data]
        else:
            arguments = [bh, td, size_t(dim), stride, *data]
        return Call(arguments, threads=x.size // 2)

    name = {"i": "rope_i", "thd": "rope_thd", "": "rope"}[layout]
    return Case("candle", "reduce.metal", f"{name}_{t}", make, "batched" if is_batched else "")


CASES = [rope(t, layout, b) for t in UNIT for layout in ("", "i", "thd") for b in (False, True)]

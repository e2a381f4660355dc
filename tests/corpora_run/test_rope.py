"""Rotary position embeddings, in all their layouts."""

from __future__ import annotations

import ggml
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


# ---- ggml ----------------------------------------------------------------------------------------------------------

SECTIONS = (5, 4, 3, 4)


def positions_of(mode: str, pairs: int, positions: np.ndarray) -> np.ndarray:
    """The position that turns each pair, by token; `multi` and `vision` have four positions of a token."""
    if mode in ("norm", "neox"):
        return np.broadcast_to(positions[0][:, None], (positions.shape[1], pairs))
    sector = np.arange(pairs) % (sum(SECTIONS) if mode != "vision" else sum(SECTIONS[:2]))
    if mode == "vision":
        which = np.where(sector < SECTIONS[1], 0, 1)
    elif mode == "imrope":
        t, h, w = SECTIONS[:3]
        rest = sector % 3
        which = np.where((rest == 1) & (sector < 3 * h), 1, np.where((rest == 2) & (sector < 3 * w), 2, np.where((rest == 0) & (sector < 3 * t), 0, 3)))
    else:
        which = np.digitize(sector, np.cumsum(SECTIONS[:3]))
    return positions[which].T


def ggml_rope(mode: str, t: str, dims: tuple[int, int], has_factors: bool = False, yarn: bool = False, is_back: bool = False) -> Case:
    """The first ``dims[0]`` of ``dims[1]`` elements are turned, in pairs of neighbors or of halves; the rest is copied."""

    def make(s: Sizes) -> Call:
        turned, all_dims = dims
        shape = (2, s(4, 2), s(3, 2), all_dims)  # batch, tokens, heads, elements
        x = s.normal(shape, t)
        positions = s.rng.integers(0, 40, (4, shape[1])).astype(np.int32)
        base, scale, ext, factor = 10000.0, (0.5 if yarn else 1.0), (1.0 if yarn else 0.0), 1.0
        pairs = turned if mode == "vision" else turned // 2
        ic = np.arange(pairs)
        # In the exponent: the element of a pair, or of `vision` the place in its section.
        exponent = 2.0 * ic
        if mode == "vision":
            sector = ic % sum(SECTIONS[:2])
            exponent = 2.0 * np.where(sector < SECTIONS[1], sector, sector - SECTIONS[0])
        factors = s.uniform(0.5, 2, pairs) if has_factors else np.ones(pairs)
        theta = positions_of(mode, pairs, positions) * base ** (-exponent / turned) / factors
        mscale = factor
        if yarn:
            corr = [turned * np.log(4096 / (rot * 2 * np.pi)) / (2 * np.log(base)) for rot in (32.0, 1.0)]
            low, high = max(0.0, np.floor(corr[0])), min(turned - 1.0, np.ceil(corr[1]))
            ramp = 1 - np.clip((ic - low) / max(0.001, high - low), 0, 1)
            theta = theta * scale * (1 - ramp * ext) + theta * ramp * ext
            mscale *= 1 + 0.1 * np.log(1 / scale)
        cos, sin = np.cos(theta) * mscale, np.sin(theta) * mscale * (-1 if is_back else 1)
        c, n = cos[None, :, None], sin[None, :, None]
        result = x.copy()
        if mode == "norm":
            i, j = slice(0, turned, 2), slice(1, turned, 2)
        else:
            i, j = slice(0, pairs), slice(pairs, 2 * pairs)
        a, b = x[..., i], x[..., j]
        result[..., i], result[..., j] = a * c - b * n, a * n + b * c
        # An angle is wrong by the 16 units of pow, a quotient and two products; Metal's fast cos and sin by 2^-13.
        angle = np.abs(theta) * 24 * 2.0**-23 + 2.0**-13
        wrong = (np.abs(a) + np.abs(b)) * (angle[None, :, None] * mscale + 4 * 2.0**-23)
        bound = np.zeros(shape)
        bound[..., i] = bound[..., j] = wrong
        bound = bound + np.abs(result) * UNIT[t] / 2 * (bound > 0)
        stored = encode(x, t)
        values = {"n_dims": turned, "n_ctx_orig": 4096, "freq_base": base, "freq_scale": scale, "ext_factor": ext, "attn_factor": factor}
        values |= {"beta_fast": 32.0, "beta_slow": 1.0, "src2": has_factors} | {f"sect_{k}": v for k, v in enumerate(SECTIONS)}
        args = ggml.of("rope", {"0": stored, "": stored}, **values)
        frequencies = factors.astype(np.float32) if has_factors else stored
        at = ggml.number("FC_ROPE")
        arguments = [args, stored, positions, frequencies, Out(result, t, bound=bound)]
        constants = {at: mode == "imrope", at + 1: is_back}
        return Call(arguments, groups=shape[2::-1], threadgroup=min(1024, all_dims), constants=constants)

    notes = [f"{dims[0]}of{dims[1]}", *["factors"] * has_factors, *["yarn"] * yarn, *["back"] * is_back, *["interleaved"] * (mode == "imrope")]
    return ggml.case("rope", f"rope_{'multi' if mode == 'imrope' else mode}_{t}", make, "-".join(notes))


CASES += (
    [ggml_rope(mode, t, (32, 48)) for mode in ("norm", "neox", "multi") for t in ("f32", "f16")]
    + [ggml_rope("vision", t, (24, 48)) for t in ("f32", "f16")] + [ggml_rope("imrope", "f32", (64, 64))]
    + [ggml_rope(mode, "f32", (64, 64), True, True) for mode in ("norm", "neox")] + [ggml_rope("norm", "f32", (16, 16), is_back=True)]
)  # fmt: skip

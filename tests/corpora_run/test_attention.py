"""Attention: one query against all keys, and blocks of queries against blocks of keys (flash attention)."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, Tolerance, check, encode, size_t


def test_attention(case, device):
    check(case, device)


UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}
VECTOR = {"f32": "float", "f16": "float16_t", "bf16": "bfloat16_t"}
FULL = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}


def attention(q, k, v, scale: float, allowed=None, cap: float = 1.0, plus=0.0) -> np.ndarray:
    """q: (…, queries, dim), k and v: (…, keys, dim)."""
    scores = scale * q @ np.swapaxes(k, -1, -2)
    if cap != 1.0:
        scores = np.tanh(scores) * cap
    scores = scores + plus
    if allowed is not None:
        scores = np.where(allowed, scores, -np.inf)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True) @ v


def vector(t: str, dim: int, has_mask: bool = False, cap: float = 1.0) -> Case:
    def make(s: Sizes) -> Call:
        heads, kv_heads, n = s(6, 2), s(3, 1), s(77, 35)
        q, k, v = s.normal((heads, 1, dim), t), s.normal((kv_heads, n, dim), t), s.normal((kv_heads, n, dim), t)
        scale = 1 / dim**0.5 / cap
        factor = heads // kv_heads
        mask = s.rng.random((heads, n)) < 0.7
        mask[:, 0] = True
        result = attention(q, k.repeat(factor, 0), v.repeat(factor, 0), scale, mask[:, None] if has_mask else None, cap)
        out = Out(result, t, Tolerance(2 * UNIT[t], 2e-5, "exponentials and sums in float; values of up to 4"))
        numbers = [np.int32(factor), np.int32(n), size_t(n * dim), size_t(n * dim), np.float32(scale), np.float32(cap)]
        arguments = [encode(q, t), encode(k, t), encode(v, t), out, *numbers]
        if has_mask:
            arguments += [mask.astype(np.uint8), np.int32(1), np.int32(n)]
        return Call(arguments, groups=(1, heads), threadgroup=1024, constants={20: has_mask})

    note = "mask" if has_mask else "cap" if cap != 1 else ""
    return Case("candle", "scaled_dot_product_attention.metal", f"sdpa_vector_{VECTOR[t]}_{dim}", make, note)


PARAMETERS = np.dtype(
    [(n, np.int32) for n in ("B", "H", "D", "qL", "kL", "gqa_factor")]
    + [("scale", np.float32), ("softcapping", np.float32)]
    + [(n, np.int32) for n in ("NQ", "NK", "NQ_aligned", "NK_aligned", "qL_rem", "kL_rem", "qL_off")]
    + [(n, np.int64, 3) for n in ("Q_strides", "K_strides", "V_strides", "O_strides")],
    align=True,
)


def full(t: str, dim: int, tile: tuple[int, int, int, int], mask: str = "", is_causal: bool = False) -> Case:
    bq, bk, wm, wn = tile

    def make(s: Sizes) -> Call:
        heads, kv_heads, queries, keys = s(4, 2), s(2, 1), s(45, 9), s(61, 13)
        q = s.normal((heads, queries, dim), t)
        k, v = s.normal((kv_heads, keys, dim), t), s.normal((kv_heads, keys, dim), t)
        factor, scale = heads // kv_heads, 1 / dim**0.5
        allowed, plus = None, 0.0
        if is_causal:
            allowed = np.arange(keys)[None, :] <= np.arange(queries)[:, None] + (keys - queries)
        if mask == "bool_":
            given = s.rng.random((heads, queries, keys)) < 0.7
            given[..., 0] = True
            allowed = given
        elif mask:
            given = plus = s.normal((heads, queries, keys), t)
        result = attention(q, k.repeat(factor, 0), v.repeat(factor, 0), scale, allowed, 1.0, plus)
        out = Out(result, t, Tolerance(4 * UNIT[t], max(4e-5, 4 * UNIT[t]), "probabilities are of the type; values of up to 4"))
        p = np.zeros((), PARAMETERS)
        p["B"], p["H"], p["D"], p["qL"], p["kL"], p["gqa_factor"], p["scale"], p["softcapping"] = 1, heads, dim, queries, keys, factor, scale, 1
        p["NQ"], p["NK"], p["NQ_aligned"], p["NK_aligned"] = -(-queries // bq), -(-keys // bk), queries // bq, keys // bk
        p["qL_rem"], p["kL_rem"], p["qL_off"] = queries % bq, keys % bk, keys - queries
        for name, x in (("Q", q), ("K", k), ("V", v), ("O", q)):
            p[f"{name}_strides"] = (x.size, x.shape[1] * dim, dim)
        # Up to the last query's block, whether there are so many keys or not: MLX has corrected that since. What is read
        # there is masked, but has to be a number.
        beyond = np.zeros((bq + bk) * dim) if is_causal else np.zeros(0)
        sides = [encode(np.concatenate([x.reshape(-1), beyond]), t) for x in (k, v)]
        arguments = {0: encode(q, t), 1: sides[0], 2: sides[1], 3: out, 4: p.tobytes()}
        if mask:
            arguments[5] = np.array([given.size, queries * keys, keys], np.int64).tobytes()
            arguments[6] = given.astype(np.uint8) if mask == "bool_" else encode(given, t)
        constants = {200: queries % bq == 0, 201: keys % bk == 0, 300: bool(mask), 301: is_causal}
        return Call(arguments, groups=(int(p["NQ"]), heads, 1), threadgroup=(32, wm, wn), constants=constants)

    of = FULL[t]
    name = f"steel_attention_{of}_bq{bq}_bk{bk}_bd{dim}_wm{wm}_wn{wn}_mask{mask or of}"
    return Case("candle", "scaled_dot_product_attention.metal", name, make, "causal" if is_causal else "masked" if mask else "")


CASES = (
    [vector(t, dim) for t in UNIT for dim in (32, 64, 128)]
    + [vector("f32", 96), vector("f16", 256), vector("f32", 64, True), vector("f16", 128, True), vector("f32", 32, False, 5.0)]
    + [full(t, dim, (32, 32 if dim < 128 else 16, 4, 1)) for t in UNIT for dim in (64, 128)]
    + [full("f32", 64, (32, 32, 4, 1), is_causal=True), full("f16", 128, (32, 16, 4, 1), is_causal=True)]
    + [full("f32", 64, (32, 32, 4, 1), "float32"), full("f16", 64, (32, 32, 4, 1), "bool_"), full("bf16", 128, (32, 16, 4, 1), "bool_")]
)

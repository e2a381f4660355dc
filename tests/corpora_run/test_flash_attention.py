"""ggml's flash attention: for one query or a few (`vec`), and for blocks of eight with `simdgroup_matrix`."""

from __future__ import annotations

from dataclasses import dataclass

import ggml
import numpy as np
from harness import Call, Case, Out, Sizes, check, encode, rounded
from quant import FORMATS, matrix


def test_flash_attention(case, device):
    check(case, device)


# Half a unit in the last place of float, half and bfloat: what one rounding is wrong by.
HALF = {"f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}


@dataclass
class Options:
    has_mask: bool = False
    has_sinks: bool = False
    has_bias: bool = False
    cap: float = 0.0
    is_padded: bool = False  # the number of keys is not a multiple of a block

    def __str__(self) -> str:
        names = {"mask": self.has_mask, "sinks": self.has_sinks, "alibi": self.has_bias, "cap": self.cap, "pad": self.is_padded}
        return "-".join(name for name, on in names.items() if on)


def cache(s: Sizes, t: str, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Keys or values of a type or format: their bytes, what they stand for, and strides in bytes."""
    *outer, n, dim = shape
    if t in HALF:
        x = s.normal(shape, t, 0.5)
        stored = encode(x, t)
        return stored, x, stored.strides
    b, w, row = matrix(s.rng, t, int(np.prod(outer)) * n, dim)
    return b.view(np.uint8), w.reshape(shape), (row * n * outer[-1], row * n, row, FORMATS[t].dtype.itemsize)


def attention(s: Sizes, t: str, dim: tuple[int, int], queries: int, keys: int, o: Options, block: int, is_matrix: bool):
    """The arguments of both kernels (but for what they count in), the result and its bound."""
    dk, dv = dim
    batch, heads, kv_heads = 2, s(4, 2), s(2, 1)
    # Queries become half, or bfloat where products of matrices are of bfloats.
    q = rounded(s.normal((batch, heads, queries, dk)), "bf16" if t == "bf16" and is_matrix else "f16")
    kb, k, ks = cache(s, t, (batch, kv_heads, keys, dk))
    vb, v, vs = cache(s, t, (batch, kv_heads, keys, dv))
    factor = heads // kv_heads
    full_k, full_v = k.repeat(factor, 1), v.repeat(factor, 1)
    cap, scale = o.cap or 1.0, 1 / dk**0.5 / (o.cap or 1.0)
    z = np.float64(np.float32(scale)) * q @ full_k.swapaxes(-1, -2)
    # Products with keys that were rounded (formats), and sums of them in float.
    unit_k = HALF["f16"] if t not in ("f32", "f16") and not (t == "bf16" and is_matrix) else 0.0
    wrong = scale * (np.abs(q) @ np.abs(full_k).swapaxes(-1, -2)) * (unit_k + HALF["f32"] * (dk / 8 + 8))
    if o.cap:
        z, wrong = cap * np.tanh(z), cap * wrong + 4 * HALF["f32"] * cap
    slope = np.ones((heads, 1, 1))
    log2 = 1 << int(np.log2(heads))
    m0, m1 = 2.0 ** (-8.0 / log2), 2.0 ** (-4.0 / log2)
    if o.has_bias:
        slope = np.array([m0 ** (h + 1) if h < log2 else m1 ** (2 * (h - log2) + 1) for h in range(heads)])[:, None, None]
    mask = np.zeros((1, 1, queries, keys))
    if o.has_mask:
        mask = s.normal((1, 1, queries, keys), "f16")
        mask[..., s.rng.random((queries, keys)) < 0.3] = -np.inf
        mask[..., 0] = 0
    biased = np.where(np.isinf(mask), 0, mask) * slope
    z = np.where(np.isinf(mask), -np.inf, z + biased)
    most = z.max(axis=-1, keepdims=True)
    sinks = s.normal(heads, "f32") if o.has_sinks else np.zeros(heads)
    if o.has_sinks:
        most = np.maximum(most, sinks[:, None, None])
    e = np.exp(z - most)
    total = e.sum(axis=-1, keepdims=True) + (np.exp(sinks[:, None, None] - most) if o.has_sinks else 0)
    p = e / total
    # Metal's fast exp has 3 + |2 x| units; it is applied a few times, for each block of keys; a power has 16.
    far = np.where(np.isinf(z), 0, most - z)
    relative = wrong + HALF["f32"] * (3 * (np.abs(most) + far) + 2 * (3 + 2 * far) * 3 + 32 * np.abs(biased))
    blocks = -(-keys // block)
    unit = relative.max() + HALF["f32"] * (32 + 4 * blocks)
    # Values are rounded as keys; results of bfloat are kept as half.
    unit += (HALF["f16"] if unit_k else 0) + (HALF["f16"] * 3 * (blocks + 8) if t == "bf16" and is_matrix else 0)
    result = p @ full_v
    bound = ((p * relative) @ np.abs(full_v)) + (p @ np.abs(full_v)) * unit
    # What half cannot represent as a normal number is wrong by its least one.
    bound += 2.0**-24 * (t not in ("f32", "f16"))
    # Heads before queries in the kernel's inputs, after them in its result.
    out = Out(result.swapaxes(1, 2), bound=bound.swapaxes(1, 2))
    qf = q.astype(np.float32)
    masks = np.where(np.isinf(mask), -np.inf, mask).astype(np.float16)
    values = {"ne01": queries, "ne02": heads, "ne03": batch, "nb01": qf.strides[2], "nb02": qf.strides[1], "nb03": qf.strides[0]}
    values |= {"ne11": keys, "ne_12_2": kv_heads, "ne_12_3": batch, "ns10": ks[2] // ks[3], "ns20": vs[2] // vs[3]}
    values |= {"nb11": ks[2], "nb12": ks[1], "nb13": ks[0], "nb21": vs[2], "nb22": vs[1], "nb23": vs[0]}
    values |= {"ne31": queries, "ne32": 1, "ne33": 1, "nb31": 2 * keys, "nb32": 2 * keys * queries, "nb33": 2 * keys * queries}
    values |= {"ne1": heads, "ne2": queries, "ne3": batch, "scale": scale, "max_bias": 8.0 * o.has_bias, "m0": m0, "m1": m1}
    values |= {"n_head_log2": log2, "logit_softcap": o.cap}
    # The last block of keys, values and masks, filled up.
    start = keys // block * block
    parts = []
    for stored, strides in ((kb, ks), (vb, vs)):
        rows = np.zeros((batch * kv_heads, block, strides[2]), np.uint8)
        rows[:, : keys - start] = stored.reshape(-1).view(np.uint8).reshape(batch * kv_heads, keys, strides[2])[:, start:]
        parts.append(rows.reshape(-1))
    masked = np.full((queries, block), -65504, np.float16)
    masked[:, : keys - start] = masks[0, 0, :, start:]
    pad = np.concatenate([*parts, masked.reshape(-1).view(np.uint8)]) if o.is_padded else np.zeros(16, np.uint8)
    arrays = [qf, kb, vb, masks if o.has_mask else qf, sinks.astype(np.float32) if o.has_sinks else qf, pad]
    return values, arrays, out, masks[0, 0]


def constants(first: str, o: Options, **values: int | bool) -> dict[int, int | bool]:
    at = ggml.number(first)
    given = {at: o.has_mask, at + 1: o.has_sinks, at + 2: o.has_bias, at + 3: bool(o.cap), at + 4: o.is_padded}
    return given | {at + int(offset[1:]): value for offset, value in values.items()}


def name_of(t: str, dim: tuple[int, int]) -> str:
    return f"{t}_dk{dim[0]}_dv{dim[1]}"


def vec(t: str, dim: tuple[int, int], o: Options | None = None, simdgroups: int = 1, tuned: tuple[int, int] | None = None) -> Case:
    o = o or Options()

    def make(s: Sizes) -> Call:
        queries, per_group = s(3, 2), tuned[0] if tuned else 1
        keys = s(160, 64) - 13 * o.is_padded
        values, arrays, out, _ = attention(s, t, dim, queries, keys, o, 32, False)
        dk, dv = (-(-n // 128) * 128 for n in dim)
        memory = (dk + 4 * 32 + 2 * dv) * per_group * simdgroups * 2
        given = constants("FC_FLASH_ATTN_EXT_VEC", o, _5=False, _20=values["ns10"], _21=values["ns20"], _22=simdgroups, _23=1)
        arguments = [ggml.arguments("flash_attn_ext_vec", **values), *arrays, out, np.zeros(4, np.int32)]
        groups = (-(-queries // per_group), values["ne02"], values["ne03"])
        return Call(arguments, groups=groups, threadgroup=(32, simdgroups, 1), threadgroup_memory={0: memory}, constants=given)

    file = f"fa_vec_{t if t in FORMATS and FORMATS[t].size > 1 or t == 'f32' else 'f16'}"
    kernel = f"flash_attn_ext_vec_{name_of(t, dim)}" + (f"_q{tuned[0]}_ne{tuned[1]}" if tuned else "")
    return ggml.case(file, kernel, make, f"{simdgroups}{'-' if str(o) else ''}{o}")


def full(t: str, dim: tuple[int, int], o: Options | None = None) -> Case:
    o = o or Options()

    def make(s: Sizes) -> Call:
        queries, keys = s(21, 11), s(192, 64) - 13 * o.is_padded
        values, arrays, out, masks = attention(s, t, dim, queries, keys, o, 64, True)
        nsg = 8 if dim[0] >= 512 else 4
        dv = -(-dim[1] // 64) * 64
        memory = 8 * (dim[0] + 2 * dv + 4 * 64) * 2 + (16 * 32 * nsg * 2 if t not in HALF else 0)
        # Blocks of the mask: 0 where all is minus infinity, 2 where all is zero.
        blocks = np.ones((-(-queries // 8), -(-keys // 64)), np.uint8)
        at = {"_10": o.has_mask and queries % 8 != 0, "_20": values["ns10"], "_21": values["ns20"], "_22": nsg}
        given = constants("FC_FLASH_ATTN_EXT", o, **at)
        # Whole tiles of values are read: beyond the last row where the head is not a multiple of 64.
        arrays[2] = np.concatenate([arrays[2].reshape(-1).view(np.uint8), np.zeros(256, np.uint8)])
        arguments = [ggml.arguments("flash_attn_ext", **values), *arrays, blocks, out]
        groups = (-(-queries // 8), values["ne02"], values["ne03"])
        return Call(arguments, groups=groups, threadgroup=(32, nsg, 1), threadgroup_memory={0: memory}, constants=given)

    file = f"fa_{t if t in FORMATS and FORMATS[t].size > 1 or t == 'f32' else 'f16'}"
    return ggml.case(file, f"flash_attn_ext_{name_of(t, dim)}", make, str(o))


def mask_blocks() -> Case:
    def make(s: Sizes) -> Call:
        queries, keys = 29, s(300, 150)
        mask = np.zeros((queries, keys), np.float16)
        mask[:16, 64:128] = -np.inf
        mask[16:24, :128] = s.rng.normal(0, 1, (8, 128))
        blocks = np.ones((-(-queries // 8), -(-keys // 64)), np.int8)
        for i in range(queries // 8):
            for j in range(keys // 64):
                part = mask[8 * i : 8 * i + 8, 64 * j : 64 * j + 64]
                blocks[i, j] = 0 if np.isinf(part).all() else 2 if (part == 0).all() else 1
        values = {"ne01": queries, "ne30": keys, "ne31": queries, "ne32": 1, "ne33": 1}
        values |= {"nb31": mask.strides[0], "nb32": mask.nbytes, "nb33": mask.nbytes}
        at = ggml.number("FC_FLASH_ATTN_EXT_BLK")
        arguments = [ggml.arguments("flash_attn_ext_blk", **values), mask, Out(blocks, "i8")]
        return Call(arguments, groups=blocks.shape[::-1], threadgroup=32, constants={at + 24: 8, at + 25: 64})

    return ggml.case("fa_aux", "flash_attn_ext_blk", make)


def reduced(groups: int) -> Case:
    """Joins what so many threadgroups made of their parts of the keys."""

    def make(s: Sizes) -> Call:
        rows, dim = s(5, 2), 64
        parts, sums, most = s.normal((rows, dim, groups)), s.uniform(1, 30, (rows, groups)), s.normal((rows, groups), "f32", 3)
        weight = np.exp(most - most.max(axis=1, keepdims=True))
        result = (parts * weight[:, None]).sum(axis=2) / (sums * weight).sum(axis=1)[:, None]
        # Vectors of four, the threadgroups within.
        stored = parts.reshape(rows, dim // 4, 4, groups).swapaxes(2, 3).astype(np.float32)
        tail = np.stack([sums, most], axis=2).astype(np.float32)
        temporary = np.concatenate([stored.reshape(-1), tail.reshape(-1)])
        far = most.max(axis=1) - most.min(axis=1)
        magnitude = (np.abs(parts) * weight[:, None]).sum(axis=2) / (sums * weight).sum(axis=1)[:, None]
        bound = magnitude * HALF["f32"] * (2 * (8 + 2 * far[:, None]) + 24)
        at = ggml.number("FC_FLASH_ATTN_EXT_VEC_REDUCE")
        arguments = [ggml.arguments("flash_attn_ext_vec_reduce", nrows=rows), temporary, Out(result, bound=bound)]
        return Call(arguments, groups=rows, threadgroup=32 * groups, constants={at: dim, at + 1: groups})

    return ggml.case("fa_aux", "flash_attn_ext_vec_reduce", make)


FORMS = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0")
EVERYTHING = Options(True, True, True, 5.0, True)
CASES = (
    [vec(t, (64, 64)) for t in ("f32", "f16", "bf16", *FORMS)]
    + [vec("f16", (128, 128), o) for o in (Options(has_mask=True), Options(has_sinks=True), Options(is_padded=True), EVERYTHING)]
    + [vec("f16", (96, 64), simdgroups=2), vec("q8_0", (128, 128), EVERYTHING, 4), vec("f16", (192, 128), Options(has_mask=True), 4)]
    + [vec("f16", (64, 64), Options(has_mask=True), 1, (2, 4)), vec("q4_0", (128, 128), None, 2, (4, 1))]
    + [full(t, (64, 64)) for t in ("f32", "f16", "bf16", *FORMS)]
    + [full("f16", (128, 128), o) for o in (Options(has_mask=True), Options(has_sinks=True), Options(is_padded=True), EVERYTHING)]
    + [full("f16", (40, 40)), full("f16", (192, 128), Options(has_mask=True)), full("q8_0", (96, 96), EVERYTHING)]
    + [mask_blocks(), reduced(32)]
)

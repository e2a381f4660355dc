"""mistral.rs: weights of bitsandbytes and HQQ, bits, and attention over a cache in pages."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, check, encode, rounded


def test_mistralrs(case, device):
    check(case, device)


NAMES = {"f32": "float", "f16": "half", "bf16": "bfloat16_t"}
HALF = {"f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}
STANDARD = {"language_version": "3.1"}
NF4 = np.array([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])  # fmt: skip
FP4 = np.array([0, 5.208333333e-03, 2 / 3, 1, 1 / 3, 0.5, 1 / 6, 0.25])


def bits_and_bytes(name: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        # In bytes of two values; each block has a scale.
        size, n = 32, s(32 * 9 + 11, 70)
        q = s.rng.integers(0, 256, n).astype(np.uint8)
        scales = s.uniform(0.1, 3, -(-2 * n // size) + 2)
        nibbles = np.stack([q >> 4, q & 15], axis=1)
        values = NF4[nibbles] if name == "nf4" else FP4[nibbles & 7] * np.where(nibbles & 8, -1, 1)
        # A thread has so many bytes, and one scale for them.
        scale = scales[(np.arange(n) // size * size) // (size // 2)]
        result = (values * scale[:, None]).reshape(-1)
        bound = np.abs(result) * (2 * HALF["f32"] + HALF[t])
        arguments = [np.zeros(16, np.float32), q, scales.astype(np.float32), Out(result, t, bound=bound), np.int32(size), np.int32(n)]
        return Call(arguments, threads=-(-n // size))

    return Case("mistralrs-quant", "bnb_dequantize.metal", f"kernel_dequantize_{name}_{NAMES[t]}", make, options=STANDARD)


def hqq(bits: int, t: str) -> Case:
    def make(s: Sizes) -> Call:
        h, w = s(9, 3), s(37, 11)
        q = s.rng.integers(0, 128 if bits == 8 else 256, (h, w)).astype(np.uint8)
        scale, zero = s.uniform(0.01, 0.1, w, t), s.uniform(3, 9, w, t)
        parts = [q] if bits == 8 else [q >> 4, q & 15]
        # A difference and a product in the type.
        result = np.concatenate([rounded(p - zero, t) * scale for p in parts])
        bound = np.abs(result) * 2 * HALF[t]
        arguments = [q, encode(scale, t), encode(zero, t), Out(result, t, bound=bound), np.uint32(h), np.uint32(w)]
        return Call(arguments, threads=h * w)

    return Case("mistralrs-quant", "hqq_dequantize.metal", f"dequantize_{bits}bit_{NAMES[t]}", make, options=STANDARD)


def bitwise(op: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        name = {"u8": np.uint8, "u32": np.uint32, "i64": np.int64}[t]
        a, b = (np.frombuffer(s.rng.bytes(n := s(300, 30) * 8), name)[: n // 8] for _ in range(2))
        result = {"or": np.bitwise_or, "xor": np.bitwise_xor, "and": np.bitwise_and}[op](a, b)
        return Call([a, b, Out(result, t)], threads=len(a))

    kind = {"u8": "uint8_t", "u32": "uint32_t", "i64": "int64_t"}[t]
    return Case("mistralrs-quant", "bitwise.metal", f"bitwise_{op}_{kind}", make, options=STANDARD)


def pages(x: np.ndarray, block: int) -> np.ndarray:
    """Keys of (blocks, heads, block, size) as the cache has them: (blocks, heads, size / x, block, x)."""
    blocks, heads, n, size = x.shape
    lanes = 16 // x.itemsize
    return np.ascontiguousarray(x.reshape(blocks, heads, n, size // lanes, lanes).transpose(0, 1, 3, 2, 4))


def reshape_and_cache(t: str) -> Case:
    def make(s: Sizes) -> Call:
        tokens, heads, size, block, blocks = s(7, 3), 2, 32, 16, 3
        k, v = (encode(s.normal((tokens, heads, size), t), t) for _ in range(2))
        slots = s.rng.permutation(block * blocks)[:tokens].astype(np.int64)
        slots[0] = -1  # a token that is only there to fill up
        keys, values = (np.zeros((blocks, heads, block, size), k.dtype) for _ in range(2))
        for token, slot in enumerate(slots):
            if slot >= 0:
                keys[slot // block, :, slot % block], values[slot // block, :, slot % block] = k[token], v[token]
        bits = {"f32": "f32", "f16": "f16", "bf16": "u16"}[t]
        lanes = 16 // k.itemsize
        zeros = np.zeros(keys.size, k.dtype)
        outs = [Out(pages(keys, block), bits, before=zeros), Out(values.transpose(0, 1, 3, 2).copy(), bits, before=zeros)]
        numbers = [np.int32(n) for n in (heads * size, heads * size, heads, size, block, lanes)]
        return Call([k, v, *outs, slots, None, None, *numbers], groups=tokens, threadgroup=32, constants={10: False})

    kind = NAMES[t]
    return Case("mistralrs-paged-attn", "reshape_and_cache.metal", f"reshape_and_cache_kv_{kind}_cache_{kind}", make, options=STANDARD)


def paged_attention(t: str, size: int, block: int) -> Case:
    def make(s: Sizes) -> Call:
        sequences, heads, kv_heads = 2, s(4, 2), s(2, 1)
        lengths = np.array([s(77, 21), s(33, 9)], np.uint32)
        most = -(-int(lengths.max()) // block)
        blocks = sequences * most + 1
        q = s.normal((sequences, heads, size), t)
        k, v = s.normal((blocks, kv_heads, block, size), t), s.normal((blocks, kv_heads, block, size), t)
        tables = s.rng.permutation(blocks)[: sequences * most].reshape(sequences, most).astype(np.uint32)
        scale = float(np.float32(1 / size**0.5))
        result, bound = np.zeros((sequences, heads, size)), np.zeros((sequences, heads, size))
        for i in range(sequences):
            # (kv heads, tokens, size), of the pages in their order
            ks, vs = (x[tables[i]].transpose(1, 0, 2, 3).reshape(kv_heads, -1, size)[:, : lengths[i]].repeat(heads // kv_heads, 0) for x in (k, v))
            z = scale * np.einsum("hd,hnd->hn", q[i], ks)
            e = np.exp(z - z.max(axis=1, keepdims=True))
            p = e / e.sum(axis=1, keepdims=True)
            result[i] = np.einsum("hn,hnd->hd", p, vs)
            # Scores are sums in float; fast exp has 3 + |2 x| units; probabilities and products with values are of the type.
            wrong = scale * np.einsum("hd,hnd->hn", np.abs(q[i]), np.abs(ks)) * HALF["f32"] * (size / 4 + 8)
            wrong = wrong + HALF["f32"] * (3 * np.abs(z).max() + 2 * (3 + 2 * (z.max() - z)))
            narrow = 4 * HALF[t] if t != "f32" else 0
            bound[i] = np.einsum("hn,hnd->hd", p, np.abs(vs)) * (2 * wrong.max() + HALF["f32"] * 64 + narrow) + np.abs(result[i]) * HALF[t]
        memory = max(-(-int(lengths.max()) // block) * block * 4, 256 // 32 // 2 * size * 4) + 64
        arguments = {2: Out(result, t, bound=bound), 3: encode(q, t), 4: pages(encode(k, t), block), 5: encode(v, t).transpose(0, 1, 3, 2).copy()}
        arguments |= {8: np.int32(kv_heads), 9: np.float32(scale), 10: np.float32(1), 11: tables, 12: lengths, 13: np.int32(most)}
        arguments |= {15: np.int32(heads * size), 16: np.int32(kv_heads * block * size), 17: np.int32(block * size)}
        constants = {10: False, 20: False, 30: False, 40: False}
        return Call(arguments, groups=(heads, sequences, 1), threadgroup=256, threadgroup_memory={0: -(-memory // 16) * 16}, constants=constants)

    name = f"paged_attention_{NAMES[t]}_cache_{NAMES[t]}_hs{size}_bs{block}_nt256_nsl32_ps0"
    return Case("mistralrs-paged-attn", "pagedattention.metal", name, make, options=STANDARD)


CASES = (
    [bits_and_bytes(name, t) for name in ("nf4", "fp4") for t in ("f32", "f16")]
    + [hqq(bits, t) for bits in (8, 4) for t in ("f32", "f16")]
    + [bitwise(op, t) for op, t in (("or", "u8"), ("xor", "u32"), ("and", "i64"))]
    + [reshape_and_cache(t) for t in NAMES]
    + [paged_attention(t, size, block) for t, size, block in (("f32", 64, 16), ("f16", 128, 32), ("bf16", 64, 8))]
)

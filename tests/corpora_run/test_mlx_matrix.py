"""MLX: products of matrices and vectors, attention, Fourier and Hadamard transforms, quantised weights."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, check, encode
from instances import FLOATS, HALF, case, int32s, int64s


def test_mlx_matrix(case, device):
    check(case, device)


def product(t: str, a: np.ndarray, b: np.ndarray, steps: float = 8) -> tuple[np.ndarray, np.ndarray]:
    """A product of matrices and its bound: sums in float, where a term goes through so many roundings and one for each
    eight columns, and the result rounded to the type."""
    result = a @ b
    return result, (np.abs(a) @ np.abs(b)) * HALF["f32"] * (a.shape[-1] / 4 + steps) + np.abs(result) * HALF[t]


# ---- gemm and gemv ---------------------------------------------------------------------------------------------------

GEMM = np.dtype(
    [(n, np.int32) for n in ("M", "N", "K", "lda", "ldb", "ldd", "tiles_n", "tiles_m")]
    + [(n, np.int64) for n in ("batch_stride_a", "batch_stride_b", "batch_stride_d")]
    + [(n, np.int32) for n in ("swizzle_log", "gemm_k_iterations_aligned", "batch_ndim")],
    align=True,
)
SPLIT = np.dtype([(n, np.int32) for n in (
    "M", "N", "K", "lda", "ldb", "ldc", "tiles_n", "tiles_m", "split_k_partitions", "split_k_partition_stride",
    "split_k_partition_size", "swizzle_log", "gemm_k_iterations_aligned",
)])  # fmt: skip


def stored(a: np.ndarray, is_transposed: bool) -> np.ndarray:
    return np.ascontiguousarray(a.swapaxes(-1, -2)) if is_transposed else a


def gemm(t: str, trans: str, tile: tuple[int, ...], shape: tuple[tuple[int, int], ...], batch: int = 1) -> Case:
    bm, bn, bk, wm, wn = tile

    def make(s: Sizes) -> Call:
        m, n, k = (s(*v) for v in shape)
        a, b = s.normal((batch, m, k), t), s.normal((batch, k, n), t)
        sa, sb = stored(a, trans[0] == "t"), stored(b, trans[1] == "t")
        p = np.zeros((), GEMM)
        p["M"], p["N"], p["K"], p["lda"], p["ldb"], p["ldd"] = m, n, k, sa.shape[2], sb.shape[2], n
        p["tiles_n"], p["tiles_m"], p["batch_ndim"] = -(-n // bn), -(-m // bm), 1
        p["batch_stride_a"], p["batch_stride_b"], p["batch_stride_d"] = m * k, k * n, m * n
        p["gemm_k_iterations_aligned"] = k // bk
        result, bound = product(t, a, b)
        arguments = {0: encode(sa, t), 1: encode(sb, t), 3: Out(result, t, bound=bound), 4: p.tobytes()}
        if batch > 1:
            arguments |= {6: int32s([batch]), 7: int64s([m * k, k * n])}
        constants = {10: batch > 1, 100: False, 110: False, 200: m % bm == 0, 201: n % bn == 0, 202: k % bk == 0}
        groups = (int(p["tiles_n"]), int(p["tiles_m"]), batch)
        return Call(arguments, groups=groups, threadgroup=(32, wn, wm), constants=constants)

    note = f"{shape[0][0]}x{shape[1][0]}x{shape[2][0]}{'-batch' if batch > 1 else ''}"
    return case("steel_gemm_fused", "gemm", (t, *tile, trans[0] == "t", trans[1] == "t"), make, note)


def split_k(t: str) -> Case:
    """Parts of the sums by themselves, in float."""

    def make(s: Sizes) -> Call:
        m, n, k, parts = s(45, 17), s(37, 9), 128, 4
        a, b = s.normal((m, k), t), s.normal((k, n), t)
        each = [product("f32", a[:, i : i + 32], b[i : i + 32]) for i in range(0, k, 32)]
        p = np.zeros((), SPLIT)
        p["M"], p["N"], p["K"], p["lda"], p["ldb"], p["ldc"] = m, n, k, k, n, n
        p["tiles_n"], p["tiles_m"], p["split_k_partitions"] = -(-n // 32), -(-m // 32), parts
        p["split_k_partition_stride"], p["split_k_partition_size"], p["gemm_k_iterations_aligned"] = m * n, 32, 2
        out = Out(np.stack([r for r, _ in each]), bound=np.stack([b for _, b in each]))
        groups = (int(p["tiles_n"]), int(p["tiles_m"]), parts)
        return Call([encode(a, t), encode(b, t), out, p.tobytes()], groups=groups, threadgroup=(32, 2, 2))

    return case("steel_gemm_splitk", "gemm_splitk", (t, "f32", 32, 32, 16, 2, 2, False, False, False, True), make)


def accumulate(t: str) -> Case:
    def make(s: Sizes) -> Call:
        m, n, parts = s(9, 3), s(31, 7), 5
        x = s.normal((parts, m, n))
        bound = np.abs(x).sum(axis=0) * HALF["f32"] * parts + np.abs(x.sum(axis=0)) * HALF[t]
        arguments = [x.astype(np.float32), Out(x.sum(axis=0), t, bound=bound), np.int32(parts), np.int32(m * n), np.int32(n)]
        return Call(arguments, threads=(n, m), threadgroup=(8, 4))

    return case("steel_gemm_splitk", "gemm_splitk_accum", ("f32", t), make)


def gemv(t: str, is_transposed: bool, tile: tuple[int, ...], shape: tuple[tuple[int, int], ...], axpby: bool = False) -> Case:
    bm, bn, sm, sn, tm, tn = tile

    def make(s: Sizes) -> Call:
        outs, ins, batch = s(*shape[0]), s(*shape[1]), 2
        matrix, vector, bias = s.normal((outs, ins), t), s.normal((batch, ins), t), s.normal(outs, t)
        alpha, beta = (0.5, 2.0) if axpby else (1.0, 0.0)
        plain, bound = product(t, vector, matrix.T, 16)
        result = alpha * plain + beta * bias * axpby
        if axpby:
            # The sum, both products and their sum are of the type itself.
            bound = bound + HALF[t] * (2 * np.abs(alpha * plain) + np.abs(beta * bias) + np.abs(result))
        out = Out(result, t, bound=bound)
        kept = matrix.T if is_transposed else matrix
        numbers = [np.int32(ins), np.int32(outs), np.int32(kept.shape[1]), np.float32(alpha), np.float32(beta), np.int32(1)]
        strides = [int64s([ins]), int64s([0]), int64s([0]), np.int32(1)]
        arguments = [encode(kept, t), encode(vector, t), encode(bias, t), out, *numbers, int32s([batch]), *strides]
        per_group = bn * sn * tn if is_transposed else bm * sm * tm
        return Call(arguments, groups=(-(-outs // per_group), 1, batch), threadgroup=(32, bn, bm))

    return case("gemv", "gemv_t" if is_transposed else "gemv", (t, *tile, False, axpby), make)


# ---- attention -------------------------------------------------------------------------------------------------------


def attention(q, k, v, scale: float, allowed, t: str) -> tuple[np.ndarray, np.ndarray]:
    """With its bound: scores are sums in float; fast exp has 3 + |2 x| units and is applied to keys a few times."""
    z = scale * (q @ k.swapaxes(-1, -2))
    wrong = scale * (np.abs(q) @ np.abs(k).swapaxes(-1, -2)) * HALF["f32"] * (q.shape[-1] / 4 + 8)
    z = np.where(allowed, z, -np.inf)
    most = z.max(axis=-1, keepdims=True)
    e = np.exp(z - most)
    p = e / e.sum(axis=-1, keepdims=True)
    far = np.where(np.isinf(z), 0, most - z)
    relative = wrong + HALF["f32"] * (3 * (np.abs(most) + far) + 6 * (3 + 2 * far))
    result, magnitude = p @ v, p @ np.abs(v)
    bound = (p * relative) @ np.abs(v) + magnitude * (relative.max() + HALF["f32"] * (64 + z.shape[-1] / 8)) + np.abs(result) * HALF[t]
    return result, bound


def vector_attention(t: str, dim: int, kind: str = "") -> Case:
    """One query of each head against all keys; ``kind`` says what is left out of them."""

    def make(s: Sizes) -> Call:
        heads, kv_heads, n = s(6, 2), s(3, 1), s(77, 35)
        q, k, v = s.normal((heads, 1, dim), t), s.normal((kv_heads, n, dim), t), s.normal((kv_heads, n, dim), t)
        factor, scale = heads // kv_heads, float(np.float32(1 / dim**0.5))
        allowed = np.ones((heads, 1, n), bool)
        if kind == "mask":
            allowed = s.rng.random((heads, 1, n)) < 0.7
            allowed[..., 0] = True
        result, bound = attention(q, k.repeat(factor, 0), v.repeat(factor, 0), scale, allowed, t)
        arguments = {0: encode(q, t), 1: encode(k, t), 2: encode(v, t), 3: Out(result, t, bound=bound), 4: np.int32(factor), 5: np.int32(n)}
        arguments |= {6: np.uint64(n * dim), 7: np.uint64(dim), 8: np.uint64(n * dim), 9: np.uint64(dim), 10: np.float32(scale)}
        if kind == "mask":
            arguments |= {11: allowed.astype(np.uint8), 13: np.int32(1), 14: np.int32(n), 15: np.int32(n)}
        constants = {20: kind == "mask", 21: False, 22: False, 23: kind == "mask", 24: False, 25: False, 26: 1}
        return Call(arguments, groups=(heads, 1, 1), threadgroup=1024, constants=constants)

    return case("attention", "sdpa_vector", (t, dim), make, kind)


STEEL = np.dtype(
    [(n, np.int32) for n in ("B", "H", "D", "qL", "kL", "gqa_factor")] + [("scale", np.float32)]
    + [(n, np.int32) for n in ("NQ", "NK", "NQ_aligned", "NK_aligned", "qL_rem", "kL_rem", "qL_off")]
    + [(n, np.int64, 3) for n in ("Q_strides", "K_strides", "V_strides", "O_strides")],
    align=True,
)  # fmt: skip


def steel_attention(t: str, dim: int, bk: int, is_causal: bool, mask: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        heads, kv_heads, queries, keys = s(4, 2), s(2, 1), s(45, 9), s(61, 13)
        q = s.normal((heads, queries, dim), t)
        k, v = s.normal((kv_heads, keys, dim), t), s.normal((kv_heads, keys, dim), t)
        factor, scale = heads // kv_heads, float(np.float32(1 / dim**0.5))
        allowed = np.ones((heads, queries, keys), bool)
        if is_causal:
            allowed &= np.arange(keys)[None, :] <= np.arange(queries)[:, None] + (keys - queries)
        if mask:
            given = s.rng.random((heads, queries, keys)) < 0.7
            given[..., 0] = True
            allowed &= given
        result, bound = attention(q, k.repeat(factor, 0), v.repeat(factor, 0), scale, allowed, t)
        # Queries are scaled by log2(e) in the type, and probabilities are of the type where they meet the values.
        full_v = np.abs(v.repeat(factor, 0))
        if t != "f32":
            z = scale * (np.abs(q) @ np.abs(k.repeat(factor, 0)).swapaxes(-1, -2)) * 1.5 * HALF[t]
            bound = bound + z.max() * 2 * full_v.max() + 2 * HALF[t] * full_v.max()
        p = np.zeros((), STEEL)
        p["B"], p["H"], p["D"], p["qL"], p["kL"], p["gqa_factor"], p["scale"] = 1, heads, dim, queries, keys, factor, scale
        p["NQ"], p["NK"], p["NQ_aligned"], p["NK_aligned"] = -(-queries // 32), -(-keys // bk), queries // 32, keys // bk
        p["qL_rem"], p["kL_rem"], p["qL_off"] = queries % 32, keys % bk, keys - queries
        for name, x in (("Q", q), ("K", k), ("V", v), ("O", q)):
            p[f"{name}_strides"] = (x.size, x.shape[1] * dim, dim)
        arguments = {0: encode(q, t), 1: encode(k, t), 2: encode(v, t), 3: Out(result, t, bound=bound), 4: p.tobytes()}
        if mask:
            arguments |= {5: int64s([heads * queries * keys, queries * keys, keys]).tobytes(), 6: given.astype(np.uint8)}
        constants = {200: queries % 32 == 0, 201: keys % bk == 0, 300: mask, 301: is_causal, 302: False, 303: False}
        return Call(arguments, groups=(int(p["NQ"]), heads, 1), threadgroup=(32, 4, 1), constants=constants)

    note = "-".join(["causal"] * is_causal + ["mask"] * mask)
    return case("steel_attention", "attention", (t, 32, bk, dim, dim, 4, 1, "bool" if mask else t), make, note)


# ---- transforms ------------------------------------------------------------------------------------------------------

RADIXES = (13, 11, 8, 7, 6, 5, 4, 3, 2)


def plan(n: int) -> list[int]:
    """How many steps of each radix."""
    steps = []
    for radix in RADIXES:
        count = 0
        while n % radix == 0:
            n, count = n // radix, count + 1
        steps.append(count)
    assert n == 1
    return steps


def fft(n: int, kind: str = "", is_inverse: bool = False) -> Case:
    """Complex to complex, from reals, or to reals."""

    def make(s: Sizes) -> Call:
        rows = s(3, 2)
        used = [radix for radix, count in zip(RADIXES, plan(n)) if count]
        elements = max(used)
        threads = -(-n // elements)
        x = (s.normal((rows, n)) + 1j * s.normal((rows, n))).astype(np.complex64)
        if kind == "real":
            x = x.real.astype(np.float32)
            result = np.fft.fft(x.astype(np.float64))[:, : n // 2 + 1]
        elif kind == "to-real":
            x = np.fft.rfft(s.normal((rows, n))).astype(np.complex64)
            result = np.fft.irfft(x.astype(np.complex128), n)
        else:
            result = np.fft.ifft(x) if is_inverse else np.fft.fft(x.astype(np.complex128))
        # Each step multiplies by factors of fast sin and cos, wrong by up to 2e-6 of the root of the mean square.
        size = np.sqrt((np.abs(result) ** 2).mean())
        bound = np.full((*result.shape, 2) if np.iscomplexobj(result) else result.shape, 4e-6 * (sum(plan(n)) + 2) * size)
        flat = np.stack([result.real, result.imag], axis=-1) if np.iscomplexobj(result) else result
        is_power = n & (n - 1) == 0
        constants: dict = {0: is_inverse or kind == "to-real", 1: is_power, 2: elements, 3: 1, 22: False}
        constants |= {4 + i: c for i, c in enumerate(plan(n))} | {13 + i: 0 for i in range(9)}
        # Two real transforms are done as one complex.
        per = 2 if kind else 1
        arguments = [x.view(np.float32) if np.iscomplexobj(x) else x, Out(flat, bound=bound), np.int32(n), np.int32(rows)]
        return Call(arguments, threads=(-(-rows // per), 1, threads), threadgroup=(1, 1, threads), constants=constants)

    types = {"": ("float2", "float2"), "real": ("float", "float2"), "to-real": ("float2", "float")}[kind]
    return case("fft", "fft", (256 if n <= 256 else 1024 if n <= 1024 else 4096, *types), make, f"{n}{'-' if kind else ''}{kind}{'-inverse' if is_inverse else ''}")


def hadamard(t: str, n: int, radix: int, width: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, scale = s(5, 2), 1 / n**0.5
        x = s.normal((rows, n), t)
        h = np.ones((1, 1))
        while len(h) < n:
            h = np.block([[h, h], [h, -h]])
        result = x @ h.T * np.float32(scale)
        # After each step of so many bits all values are rounded to the type; each is at most the sum of magnitudes.
        steps = -(-int(np.log2(n)) // int(np.log2(radix)))
        rms = np.sqrt((x**2).sum(axis=1, keepdims=True) * n) * scale
        bound = np.broadcast_to(rms * (steps + 1) * 4 * HALF[t] + rms * np.log2(n) * 4 * HALF["f32"], result.shape)
        threads = n // radix
        return Call([encode(x, t), Out(result, t, bound=bound), np.float32(scale)], threads=(threads, rows), threadgroup=(threads, 1))

    return case("hadamard", "hadamard_n", (t, n, radix, width), make)


def dot(t: str) -> Case:
    """Each threadgroup adds up its part."""
    items = 16 // np.dtype(encode([0], t).dtype).itemsize

    def make(s: Sizes) -> Call:
        n, part = s(5000, 300), items * 256
        a, b = s.normal(n, t), s.normal(n, t)
        parts = [slice(i, i + part) for i in range(0, n, part)]
        result = np.array([a[p] @ b[p] for p in parts])
        bound = np.array([np.abs(a[p]) @ np.abs(b[p]) for p in parts]) * HALF["f32"] * (items + 16)
        return Call([encode(a, t), encode(b, t), Out(result, bound=bound), np.int32(n)], groups=len(parts), threadgroup=256)

    return case("dot", "dot_product", (t, items, 256, 8), make)


# ---- quantised weights -------------------------------------------------------------------------------------------------


def packed(q: np.ndarray, bits: int) -> np.ndarray:
    """Values of so many bits one after the other, the lowest bits first."""
    flat = ((q[..., None] >> np.arange(bits)) & 1).astype(np.uint8).reshape(*q.shape[:-1], -1)
    return np.packbits(flat, axis=-1, bitorder="little")


def weights(s: Sizes, t: str, rows: int, columns: int, group: int, bits: int):
    q = s.rng.integers(0, 2**bits, (rows, columns)).astype(np.uint32)
    scales, biases = s.uniform(0.01, 0.05, (rows, columns // group), t), s.uniform(-0.5, 0.1, (rows, columns // group), t)
    w = q * scales.repeat(group, 1) + biases.repeat(group, 1)
    magnitude = q * scales.repeat(group, 1) + np.abs(biases.repeat(group, 1))
    return packed(q, bits), encode(scales, t), encode(biases, t), w, magnitude


NO_BATCH = [np.int32(0), int32s([1]), int64s([0]), np.int32(0), int32s([1]), int64s([0]), int64s([0]), int64s([0])]


def quantized_vector(t: str, group: int, bits: int, kernel: str) -> Case:
    def make(s: Sizes) -> Call:
        is_fast, is_left = kernel == "qmv_fast", kernel == "qvm"
        outs, ins = s(24, 8), 512 if is_fast else s(320, 128)
        if is_left:
            outs = s(128, 64)
        rows, columns = (ins, outs) if is_left else (outs, ins)
        w, scales, biases, values, magnitude = weights(s, t, rows, columns, group, bits)
        x = s.normal((2, ins), t)
        matrix, size = (values, magnitude) if is_left else (values.T, magnitude.T)
        result = x @ matrix
        # Sums in float: products with scales and with the sum of the vector apart.
        bound = (np.abs(x) @ size) * HALF["f32"] * (ins / 32 + 24) + np.abs(result) * HALF[t]
        arguments = [w, scales, biases, encode(x, t), Out(result, t, bound=bound), np.int32(ins), np.int32(outs), *NO_BATCH]
        per = 64 if is_left else 8
        return Call(arguments, groups=(2, -(-outs // per), 1), threadgroup=(32, 2, 1))

    return case("quantized", f"affine_{kernel}", (t, group, bits, False), make)


def quantized_matrix(t: str, group: int, bits: int, is_transposed: bool) -> Case:
    def make(s: Sizes) -> Call:
        m, n, k = s(45, 9), s(128, 64), s(192, 64)
        rows, columns = (n, k) if is_transposed else (k, n)
        w, scales, biases, values, magnitude = weights(s, t, rows, columns, group, bits)
        x = s.normal((m, k), t)
        matrix, size = (values.T, magnitude.T) if is_transposed else (values, magnitude)
        result = x @ matrix
        # Weights become the type: a product and a sum are rounded to it.
        bound = (np.abs(x) @ size) * (2 * HALF[t] + HALF["f32"] * (k / 4 + 8)) + np.abs(result) * HALF[t]
        arguments = [w, scales, biases, encode(x, t), Out(result, t, bound=bound), np.int32(k), np.int32(n), np.int32(m), *NO_BATCH]
        return Call(arguments, groups=(-(-n // 32), -(-m // 32), 1), threadgroup=(32, 2, 2))

    template = (t, group, bits, False, False) if is_transposed else (t, group, bits, False)
    return case("quantized", "affine_qmm_t" if is_transposed else "affine_qmm_n", template, make)


def dequantize(t: str, group: int, bits: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, columns = s(7, 3), s(256, 128)
        w, scales, biases, values, magnitude = weights(s, t, rows, columns, group, bits)
        out = Out(values, t, bound=magnitude * 2 * HALF[t])
        per = {3: 8, 5: 8, 6: 4}.get(bits, 8 // bits)
        return Call([w, scales, biases, out], threads=(columns // per, rows))

    return case("quantized", "affine_dequantize", (t, group, bits), make)


ODD = ((67, 9), (45, 13), (51, 19))
TILES = ((64, 64, 16, 2, 2), (64, 32, 32, 2, 2), (32, 64, 16, 1, 2), (32, 32, 16, 2, 2))
CASES = (
    [gemm(t, trans, TILES[3], ODD) for t, trans in (("f32", "nn"), ("f16", "nt"), ("bf16", "tn"), ("f32", "tt"))]
    + [gemm(t, "nn", tile, ODD) for t, tile in (("f16", TILES[0]), ("f32", TILES[1]), ("bf16", TILES[2]))]
    + [gemm("f32", "nt", TILES[3], ODD, 3), gemm("f16", "nn", TILES[3], ((64, 32), (64, 32), (64, 32)))]
    + [split_k(t) for t in ("f32", "f16")] + [accumulate(t) for t in ("f32", "bf16")]
    + [gemv(t, False, (4, 1, 1, 32, 4, 4), ((131, 17), (203, 35))) for t in FLOATS]
    + [gemv("f32", False, (1, 8, 1, 32, 4, 4), ((37, 9), (333, 50))), gemv("f16", False, (4, 1, 1, 32, 4, 4), ((131, 17), (203, 35)), True)]
    + [gemv(t, True, tile, ((150, 64), (203, 35))) for t, tile in (("f32", (1, 4, 8, 4, 4, 4)), ("bf16", (1, 16, 4, 8, 4, 4)), ("f16", (1, 2, 8, 4, 4, 1)))]
    + [vector_attention(t, 64) for t in FLOATS] + [vector_attention("f32", 128), vector_attention("f16", 96, "mask")]
    + [steel_attention("f32", 64, 32, False), steel_attention("f16", 128, 16, True), steel_attention("bf16", 80, 32, False, True)]
    + [fft(n) for n in (256, 64, 60, 77, 1024)] + [fft(128, "", True), fft(120, "real"), fft(64, "to-real")]
    + [hadamard(t, n, r, w) for t, n, r, w in (("f32", 64, 2, 2), ("f16", 256, 4, 4), ("bf16", 256, 4, 4), ("f32", 2048, 16, 4))]
    + [dot(t) for t in FLOATS]
    + [quantized_vector(t, 64, bits, k) for k in ("qmv", "qmv_fast", "qvm") for t, bits in (("f32", 4), ("f16", 8))]
    + [quantized_vector("bf16", 64, bits, "qmv") for bits in (2, 3, 5, 6)]
    + [quantized_matrix(t, 64, bits, tr) for t, bits in (("f32", 4), ("f16", 3), ("bf16", 8)) for tr in (False, True)]
    + [dequantize(t, 32, bits) for t, bits in (("f32", 2), ("f16", 3), ("f32", 4), ("bf16", 5), ("f32", 6), ("f16", 8))]
)  # fmt: skip

"""MLX: kernels for matrix units (tensors of Metal 4 whose elements threads set themselves), and the gated delta rule in the
three ways that MLX has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from harness import Call, Case, Out, Sizes, check, encode
from instances import HALF, case
from test_mlx_matrix import SPLIT, gemm, product, quantized_matrix, steel_attention, stored
from test_mlx_more import fp_matrix, gather_rhs, segmented


def test_mlx_nax(case, device):
    check(case, device)


def tiled(kernel: str, file: str, t: str, tile: tuple[int, ...], trans: str, like: Case, turn=lambda call: call) -> Case:
    """A case of another kernel that does the same."""

    def make(s: Sizes) -> Call:
        return turn(like.make(s))

    return case(file, kernel, (t, *tile, trans[0] == "t", trans[1] == "t"), make, like.note)


def fused(t: str, trans: str, shape: tuple[tuple[int, int], ...]) -> Case:
    tile = (64, 64, 256, 2, 2)
    return tiled("gemm", "steel_gemm_fused_nax", t, tile, trans, gemm(t, trans, tile, shape))


def gathered_rows(t: str, trans: str, groups: int) -> Case:
    tile = (32, 128, 64, 1, 4)

    def turn(call: Call) -> Call:
        return replace(call, constants={i: v for i, v in call.constants.items() if i != 10})

    return tiled("gather_mm_rhs_nax", "steel_gemm_gather_nax", t, tile, trans, gather_rhs(t, trans, tile, ODD, groups), turn)


def in_segments(t: str, trans: str, shape: tuple[tuple[int, int], ...], is_contiguous: bool) -> Case:
    tile = (64, 64, 64, 2, 2)

    def turn(call: Call) -> Call:
        # Short steps: segments are next to each other in the grid, then columns, then rows.
        return replace(call, groups=(call.groups[2], call.groups[0], call.groups[1]))

    return tiled("segmented_mm_nax", "steel_gemm_segmented_nax", t, tile, trans, segmented(t, trans, tile, shape, is_contiguous), turn)


def split_k(t: str, trans: str) -> Case:
    tile = (64, 64, 64, 2, 2)

    def make(s: Sizes) -> Call:
        m, n, k, part, parts = s(75, 17), s(90, 21), s(220, 84), s(96, 64), s(3, 2)
        a, b = s.normal((m, k), t), s.normal((k, n), t)
        each = [product("f32", a[:, i : i + part], b[i : i + part]) for i in range(0, k, part)]
        sa, sb = stored(a, trans[0] == "t"), stored(b, trans[1] == "t")
        p = np.zeros((), SPLIT)
        p["M"], p["N"], p["K"], p["lda"], p["ldb"], p["ldc"] = m, n, k, sa.shape[1], sb.shape[1], n
        p["tiles_n"], p["tiles_m"], p["split_k_partitions"] = -(-n // 64), -(-m // 64), parts
        p["split_k_partition_stride"], p["split_k_partition_size"], p["gemm_k_iterations_aligned"] = m * n, part, part // 64
        out = Out(np.stack([r for r, _ in each]), bound=np.stack([e for _, e in each]))
        groups = int(p["tiles_n"] * p["tiles_m"]) * parts
        constants = {200: False, 201: False}
        return Call([encode(sa, t), encode(sb, t), out, p.tobytes()], groups=groups, threadgroup=(32, 2, 2), constants=constants)

    return case("steel_gemm_splitk_nax", "gemm_splitk_nax", (t, *tile, trans[0] == "t", trans[1] == "t"), make)


def thin(t: str, is_transposed: bool, shape: tuple[tuple[int, int], ...], has_source: bool = False) -> Case:
    """Few rows: simdgroups share the inner size, and tensors end where the matrices do."""
    um, un, sm, sn, ks = 1, 2, 1, 2, 2

    def make(s: Sizes) -> Call:
        m, n, k = (s(*v) for v in shape)
        like = gemm(t, "nt" if is_transposed else "nn", (16 * um * sm, 16 * un * sn, 64, 0, 0), shape).make(s)
        arguments = dict(like.arguments)
        p = np.frombuffer(arguments[4], np.uint8).copy()
        # Steps are of 64 for each of the groups that share the inner size.
        p[-8:-4].view(np.int32)[:] = -(-k // (64 * ks))
        arguments[4] = p.tobytes()
        if has_source:
            c, alpha, beta = s.normal((m, n), t), 0.5, 2.0
            source = np.dtype([("ldc", np.int32), ("fdc", np.int32), ("stride", np.int64), ("alpha", np.float32), ("beta", np.float32)])
            arguments |= {2: encode(c, t), 5: np.array((n, 1, m * n, alpha, beta), source).tobytes()}
            plain = arguments[3]
            result = alpha * plain.expected[0] + beta * c
            bound = plain.bound[0] * alpha + (np.abs(result) + np.abs(beta * c)) * (2 * HALF["f32"] + HALF[t])
            arguments[3] = Out(result, t, bound=bound)
        constants = {100: has_source, 110: has_source, 200: m % 16 == 0, 201: n % 64 == 0, 202: k % 64 == 0}
        groups = -(-m // 16) * -(-n // 64)
        return Call(arguments, groups=groups, threadgroup=32 * sm * sn * ks, constants=constants)

    note = f"{shape[0][0]}x{shape[1][0]}x{shape[2][0]}{'-source' if has_source else ''}"
    return case("steel_gemm_thin_nax", "gemm_thin_nax", (t, um, un, sm, sn, ks, is_transposed), make, note)


def attention(t: str, dim: int, is_causal: bool, mask: bool) -> Case:
    like = steel_attention(t, dim, 32, is_causal, mask)

    def make(s: Sizes) -> Call:
        call = like.make(s)
        arguments = dict(call.arguments)
        p = np.frombuffer(arguments[4], np.int32).copy()
        # Blocks of 64 queries instead of 32: NQ, NQ_aligned and qL_rem.
        queries = int(p[3])
        p[7], p[9], p[11] = -(-queries // 64), queries // 64, queries % 64
        arguments[4] = p.tobytes()
        constants = dict(call.constants) | {200: queries % 64 == 0}
        return replace(call, arguments=arguments, groups=(int(p[7]), *call.groups[1:]), constants=constants)

    template = (t, 64, 32, dim, dim, 4, 1, "bool" if mask else t)
    return case("steel_attention_nax", "attention_nax", template, make, like.note)


def blocks_of_64(call: Call, n: int, m: int) -> Call:
    return replace(call, groups=(-(-n // 64), -(-m // 64), 1))


def few_rows(s: Sizes) -> Sizes:
    """Sizes with which the simdgroups of a threadgroup have as many rows each, or none: others go different ways around
    barriers, which Metal leaves undefined."""
    return replace(s, is_small=True)


def affine(t: str, group: int, bits: int, is_transposed: bool) -> Case:
    def make(s: Sizes) -> Call:
        call = quantized_matrix(t, group, bits, is_transposed).make(few_rows(s) if is_transposed else s)
        return blocks_of_64(call, int(call.arguments[6]), int(call.arguments[7]))

    template = (t, group, bits, *([False] if is_transposed else []), False)
    return case("quantized_nax", "affine_qmm_t_nax" if is_transposed else "affine_qmm_n_nax", template, make)


def small_floats(t: str, group: int, bits: int) -> Case:
    def make(s: Sizes) -> Call:
        call = fp_matrix(t, group, bits, True).make(few_rows(s))
        return blocks_of_64(call, int(call.arguments[6]), int(call.arguments[7]))

    return case("fp_quantized_nax", "fp_qmm_t_nax", (t, group, bits, False, False), make)


# ---- the gated delta rule ------------------------------------------------------------------------------------------


def delta_rule(kernel: str, t: str, size: int, tokens: tuple[int, int]) -> Case:
    """A state is decayed, told the difference between a value and what it has at a key, and read at a query: token by
    token, or in chunks as products of matrices."""
    keys, heads = 2, 4
    chunk = {"gated_delta_seq": 1, "gated_delta_fused_chunk": 8, "gated_delta_fused_nax": 16}[kernel]

    def make(s: Sizes) -> Call:
        batch, steps = s(2, 1), s(*tokens)
        q, k = (s.normal((batch, steps, keys, size), t, size**-0.5) for _ in range(2))
        v, state = s.normal((batch, steps, heads, size), t), s.normal((batch, heads, size, size), scale=0.3)
        decay, beta = s.uniform(0.4, 0.99, (batch, steps, heads), t), s.uniform(0.1, 0.9, (batch, steps, heads), t)
        shared = np.arange(heads) // (heads // keys)
        y, bound, now, wrong = np.zeros(v.shape), np.zeros(v.shape), state.copy(), np.zeros(state.shape)
        # In chunks, decays are sums of fast logarithms; the same sums are done in other orders, of terms as large as these.
        unit, most = HALF["f32"] * (size / 16 + 24) * (8 if chunk > 1 else 1), np.abs(state)
        for i in range(steps):
            key, query = k[:, i, shared][:, :, None, :], q[:, i, shared][:, :, None, :]
            g, b = decay[:, i, :, None, None], beta[:, i, :, None, None]
            now, wrong, most = now * g, wrong * g + np.abs(now) * g * unit, most * g
            has, size_of = (now * key).sum(-1, keepdims=True), (most * np.abs(key)).sum(-1, keepdims=True)
            off = (wrong * np.abs(key)).sum(-1, keepdims=True) + size_of * unit
            d = (v[:, i, :, :, None] - has) * b
            now = now + key * d
            wrong = wrong + np.abs(key) * (off * b + np.abs(d) * unit)
            most = most + np.abs(key) * (np.abs(v[:, i, :, :, None]) + size_of) * b
            y[:, i] = (now * query).sum(-1)
            bound[:, i] = ((wrong + most * unit) * np.abs(query)).sum(-1) + np.abs(y[:, i]) * HALF[t]
        data = [encode(x, t) for x in (q, k, v)] + [state.astype(np.float32), encode(decay, t), encode(beta, t)]
        outs = [Out(y, t, bound=bound), Out(now, bound=wrong + most * unit)]
        arguments = [*data, *outs, np.int32(steps)]
        if kernel == "gated_delta_fused_nax":
            # Where the states of the backward pass go; nothing is kept.
            arguments += [np.zeros(4, np.float32)] * 3
        rows = {"gated_delta_seq": size, "gated_delta_fused_chunk": size // 8, "gated_delta_fused_nax": size // 16}[kernel]
        constants = {200: False}
        return Call(arguments, threads=(32, rows, batch * heads), threadgroup=(32, min(4, rows), 1), constants=constants)

    last = {"gated_delta_seq": (32,), "gated_delta_fused_chunk": (8,), "gated_delta_fused_nax": (16, 4)}[kernel]
    file = "gated_delta_nax" if kernel.endswith("nax") else "gated_delta"
    return case(file, kernel, (t, size, size, keys, heads, *last), make, f"{tokens[0]}")


ODD = ((67, 9), (45, 13), (51, 19))
WHOLE = ((64, 64), (64, 64), (256, 64))
LONG = ((70, 20), (65, 40), (300, 70))
CASES = (
    [fused(*p) for p in (("f32", "nn", ODD), ("f16", "nt", ODD), ("bf16", "tn", ODD), ("f16", "nn", WHOLE), ("f32", "nt", LONG))]
    + [gathered_rows(t, trans, n) for t, trans, n in (("f32", "nn", 5), ("f16", "nt", 9))]
    + [in_segments(t, trans, shape, c) for t, trans, shape, c in (("f32", "nn", ODD, True), ("f16", "nt", ODD, False))]
    + [split_k("f32", "nn"), split_k("f16", "nt")]
    + [thin("f32", False, ((5, 5), (77, 45), (150, 70))), thin("f16", True, ((16, 16), (64, 64), (256, 128)))]
    + [thin("bf16", False, ((21, 19), (90, 70), (131, 67)))]
    + [thin("f32", True, ((9, 9), (100, 40), (70, 70)), True)]
    + [attention("f32", 64, False, False), attention("f16", 64, True, False), attention("bf16", 64, False, True)]
    + [affine("f16", 64, 4, True), affine("bf16", 64, 8, False), small_floats("f16", 32, 4), small_floats("bf16", 16, 4)]
    + [delta_rule("gated_delta_seq", t, 128, (11, 3)) for t in HALF]
    + [delta_rule("gated_delta_fused_chunk", t, 64, (21, 11)) for t in ("f32", "bf16")]
    + [delta_rule("gated_delta_fused_nax", t, 64, (37, 19)) for t in ("f32", "f16")]
)  # fmt: skip

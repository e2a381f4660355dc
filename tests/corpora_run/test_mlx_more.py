"""MLX: products of matrices that are chosen, masked or in segments, convolutions, weights in small floats, transforms of
lengths that have large primes."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, check, encode
from instances import HALF, case, int32s, int64s
from quant import FP4
from test_mlx_matrix import GEMM, packed, plan, product, stored, weights


def test_mlx_more(case, device):
    check(case, device)


# ---- products of matrices ------------------------------------------------------------------------------------------


def gemm_params(m: int, n: int, k: int, tile: tuple[int, ...], lda: int, ldb: int) -> np.ndarray:
    p = np.zeros((), GEMM)
    p["M"], p["N"], p["K"], p["lda"], p["ldb"], p["ldd"] = m, n, k, lda, ldb, n
    p["tiles_n"], p["tiles_m"], p["gemm_k_iterations_aligned"] = -(-n // tile[1]), -(-m // tile[0]), k // tile[2]
    p["batch_ndim"], p["batch_stride_d"] = 1, m * n
    return p


def aligned(m: int, n: int, k: int, tile: tuple[int, ...]) -> dict[int, bool]:
    return {200: m % tile[0] == 0, 201: n % tile[1] == 0, 202: k % tile[2] == 0}


def gather(t: str, trans: str, tile: tuple[int, ...], shape: tuple[tuple[int, int], ...], has_batch: bool) -> Case:
    """Matrices chosen by two lists of indices."""

    def make(s: Sizes) -> Call:
        m, n, k = (s(*v) for v in shape)
        a, b = s.normal((4, m, k), t), s.normal((3, k, n), t)
        left, right = s.rng.integers(0, 4, 6).astype(np.uint32), s.rng.integers(0, 3, 6).astype(np.uint32)
        sa, sb = stored(a, trans[0] == "t"), stored(b, trans[1] == "t")
        p = gemm_params(m, n, k, tile, sa.shape[2], sb.shape[2])
        p["batch_stride_a"] = p["batch_stride_b"] = 1
        order = right
        shape_of, first, second = int32s([6]), int64s([1]), int64s([1])
        if has_batch:
            # The second list is seen as a matrix whose columns come first.
            order = right.reshape(3, 2).T.reshape(-1)
            shape_of, first, second, p["batch_ndim"] = int32s([2, 3]), int64s([3, 1]), int64s([1, 2]), 2
        pairs = [product(t, a[i], b[j]) for i, j in zip(left, order, strict=True)]
        out = Out(np.stack([r for r, _ in pairs]), t, bound=np.stack([e for _, e in pairs]))
        arguments = [encode(sa, t), encode(sb, t), left, right, out, p.tobytes(), shape_of, first, second]
        arguments += [np.int32(1), int32s([4]), int64s([m * k]), np.int32(1), int32s([3]), int64s([k * n])]
        groups = (int(p["tiles_n"]), int(p["tiles_m"]), 6)
        return Call(arguments, groups=groups, threadgroup=(32, tile[4], tile[3]), constants={10: has_batch} | aligned(m, n, k, tile))

    note = f"{shape[0][0]}{'-batch' if has_batch else ''}"
    return case("steel_gemm_gather", "gather_mm", (t, *tile, trans[0] == "t", trans[1] == "t"), make, note)


def grouped(s: Sizes, total: int, groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the rows of each group begin, some of them without any, and the group of each row."""
    of_row = np.sort(s.rng.choice([g for g in range(groups) if g % 5 != 3], total))
    return np.searchsorted(of_row, np.arange(groups)).astype(np.int32), of_row


def gather_rhs(t: str, trans: str, tile: tuple[int, ...], shape: tuple[tuple[int, int], ...], groups: int) -> Case:
    """Rows in groups, each with a matrix of its own."""

    def make(s: Sizes) -> Call:
        m, n, k = (s(*v) for v in shape)
        offsets, of_row = grouped(s, m, groups)
        a, b = s.normal((m, k), t), s.normal((groups, k, n), t)
        sa, sb = stored(a, trans[0] == "t"), stored(b, trans[1] == "t")
        p = gemm_params(m, n, k, tile, sa.shape[1], sb.shape[2])
        p["batch_stride_b"] = k * n
        pairs = [product(t, a[i : i + 1], b[g]) for i, g in enumerate(of_row)]
        out = Out(np.concatenate([r for r, _ in pairs]), t, bound=np.concatenate([e for _, e in pairs]))
        tiles = -(-m // tile[0]) + groups
        arguments = [encode(sa, t), encode(sb, t), offsets, out, p.tobytes(), np.int32(groups)]
        constants = {10: False} | aligned(m, n, k, tile)
        return Call(arguments, groups=(int(p["tiles_n"]), tiles, 1), threadgroup=(32, tile[4], tile[3]), constants=constants)

    return case("steel_gemm_gather", "gather_mm_rhs", (t, *tile, trans[0] == "t", trans[1] == "t"), make, f"{groups}")


def segmented(t: str, trans: str, tile: tuple[int, ...], shape: tuple[tuple[int, int], ...], is_contiguous: bool) -> Case:
    """Sums over parts of the inner size, each of its own length; one has none."""

    def make(s: Sizes) -> Call:
        m, n, k = (s(*v) for v in shape)
        a, b = s.normal((m, k), t), s.normal((k, n), t)
        cuts = np.sort(s.rng.integers(0, k, 3))
        ends = np.array([0, cuts[0], cuts[0], cuts[1], cuts[2], k], np.uint32)
        segments = np.stack([ends[:-1], ends[1:]], axis=1)
        if is_contiguous:
            segments = segments[[3, 0, 2, 1]]
        pairs = [product(t, a[:, i:j], b[i:j]) if j > i else (np.zeros((m, n)), np.zeros((m, n))) for i, j in segments]
        out = Out(np.stack([r for r, _ in pairs]), t, bound=np.stack([e for _, e in pairs]))
        sa, sb = stored(a, trans[0] == "t"), stored(b, trans[1] == "t")
        p = gemm_params(m, n, k, tile, sa.shape[1], sb.shape[1])
        arguments = [encode(sa, t), encode(sb, t), segments if is_contiguous else ends, out, p.tobytes()]
        constants = {199: is_contiguous} | {i: v for i, v in aligned(m, n, k, tile).items() if i != 202}
        groups = (int(p["tiles_n"]), int(p["tiles_m"]), len(segments))
        return Call(arguments, groups=groups, threadgroup=(32, tile[4], tile[3]), constants=constants)

    note = f"{shape[0][0]}{'-pairs' if is_contiguous else ''}"
    return case("steel_gemm_segmented", "segmented_mm", (t, *tile, trans[0] == "t", trans[1] == "t"), make, note)


def mask(s: Sizes, t: str, shape: tuple[int, ...]) -> np.ndarray:
    """Of blocks: whether they count, or what they are multiplied by; some not at all."""
    values = (s.rng.random(shape) < 0.6).astype(np.float64)
    return values if t == "bool" else values * s.normal(shape, t)


def spread(values: np.ndarray, block: int, rows: int, columns: int) -> np.ndarray:
    return values.repeat(block, -2).repeat(block, -1)[..., :rows, :columns]


def masked(t: str, out_mask: str, op_mask: str, block: int, trans: str, shape: tuple[tuple[int, int], ...]) -> Case:
    def make(s: Sizes) -> Call:
        m, n, k = (s(*v) for v in shape)
        batch, tiles = 2, [-(-size // block) for size in (m, n, k)]
        a, b = s.normal((batch, m, k), t), s.normal((batch, k, n), t)
        sa, sb = stored(a, trans[0] == "t"), stored(b, trans[1] == "t")
        p = gemm_params(m, n, k, (block, block, 16), sa.shape[2], sb.shape[2])
        p["batch_stride_a"], p["batch_stride_b"] = m * k, k * n
        arguments = {0: encode(sa, t), 1: encode(sb, t), 4: p.tobytes(), 6: int32s([batch])}
        batch_strides, strides, extra = [m * k, k * n], [], np.zeros((batch, m, n))
        left, right, over = a, b, np.ones((batch, m, n))
        if out_mask != "nomask_t":
            given = mask(s, out_mask, (batch, tiles[0], tiles[1]))
            arguments[10], over = encode(given, out_mask), spread(given, block, m, n)
            batch_strides, strides = [*batch_strides, given[0].size], [1, tiles[1]]
        if op_mask != "nomask_t":
            first, second = mask(s, op_mask, (batch, tiles[0], tiles[2])), mask(s, op_mask, (batch, tiles[2], tiles[1]))
            arguments |= {11: encode(first, op_mask), 12: encode(second, op_mask)}
            left, right = a * spread(first, block, m, k), b * spread(second, block, k, n)
            batch_strides += [first[0].size, second[0].size]
            strides += [1, tiles[2], 1, tiles[1]]
            if op_mask != "bool":
                # Both sides are rounded to the type after the products.
                extra = 2 * HALF[t] * (np.abs(left) @ np.abs(right)) * np.abs(over)
        result, bound = product(t, left, right)
        arguments[3] = Out(result * over, t, bound=(bound + np.abs(result) * HALF[t]) * np.abs(over) + extra)
        arguments |= {7: int64s(batch_strides), 13: int32s(strides or [0])}
        groups = (int(p["tiles_n"]), int(p["tiles_m"]), batch)
        return Call(arguments, groups=groups, threadgroup=(32, 2, 2))

    sizes_aligned = all(v % block == 0 for size in shape[:2] for v in size), all(v % 16 == 0 for v in shape[2])
    arguments = (t, out_mask, op_mask, block, block, 16, 2, 2, trans[0] == "t", trans[1] == "t", *sizes_aligned)
    return case("steel_gemm_masked", "block_masked_gemm", arguments, make)


def masked_vector(t: str, out_mask: str, op_mask: str, is_transposed: bool) -> Case:
    """Blocks of the matrix and of both vectors are left out, or multiplied."""
    bm, bn, sm, sn, tm, tn = (2, 4, 8, 4, 4, 4) if is_transposed else (4, 1, 1, 32, 4, 4)
    rows, columns = bm * sm * tm, bn * sn * tn
    block = max(rows, columns)

    def make(s: Sizes) -> Call:
        outs, ins, batch = s(3 * block + 8, block + 4), s(2 * block + 37, block + 9), 2
        tiles = -(-outs // block), -(-ins // block)
        w, x = s.normal((batch, outs, ins), t), s.normal((batch, ins), t)
        kept = np.ascontiguousarray(w.swapaxes(1, 2)) if is_transposed else w
        arguments = {0: encode(kept, t), 1: encode(x, t), 4: np.int32(ins), 5: np.int32(outs), 6: np.int32(kept.shape[2]), 9: np.int32(1)}
        arguments |= {10: int32s([batch]), 11: int64s([ins]), 12: int64s([outs * ins])}
        strides, batch_strides, over, seen, vector = [], [], np.ones((batch, outs)), w, x
        if out_mask != "nomask_t":
            given = mask(s, out_mask, (batch, tiles[0]))
            arguments[20], over = encode(given, out_mask), given.repeat(block, 1)[:, :outs]
            strides, batch_strides = [1, 1], [tiles[0]]
        if op_mask != "nomask_t":
            first, second = mask(s, op_mask, (batch, *tiles)), mask(s, op_mask, (batch, tiles[1]))
            stored_mask = first.swapaxes(1, 2) if is_transposed else first
            arguments |= {21: encode(stored_mask, op_mask), 22: encode(second, op_mask)}
            seen, vector = w * spread(first, block, outs, ins), x * second.repeat(block, 1)[:, :ins]
            strides += [1, stored_mask.shape[2], 1, 1]
            batch_strides += [first[0].size, tiles[1]]
        result, magnitude = np.einsum("boi,bi->bo", seen, vector), np.einsum("boi,bi->bo", np.abs(seen), np.abs(vector))
        # A product of two scales is of the type.
        bound = magnitude * (HALF["f32"] * (ins / 32 + 24) + HALF[t] * (op_mask == t)) + np.abs(result) * 2 * HALF[t]
        arguments[3] = Out(result * over, t, bound=bound * np.abs(over))
        arguments |= {23: int32s(strides or [0]), 24: int64s(batch_strides or [0])}
        per = columns if is_transposed else rows
        return Call(arguments, groups=(-(-outs // per), 1, batch), threadgroup=(32, bn, bm))

    arguments = (t, out_mask, op_mask, bm, bn, sm, sn, tm, tn, False)
    return case("gemv_masked", "gemv_t_masked" if is_transposed else "gemv_masked", arguments, make)


# ---- convolutions --------------------------------------------------------------------------------------------------


def conv_params(d: int) -> np.dtype:
    fields = [(n, np.int32) for n in "NCO"] + [(n, np.int32, d) for n in ("iS", "wS", "oS", "str", "pad", "kdil", "idil")]
    strides = [(f"{n}_strides", np.int64, d + 2) for n in ("in", "wt", "out")]
    return np.dtype([*fields, *strides, ("groups", np.int32), ("flip", np.bool_)], align=True)


def convolution(s: Sizes, t: str, image: tuple, k: tuple, channels: tuple, how: dict) -> tuple:
    """The parameters and data of a convolution, channels last, and its result."""
    d, n, (c, o) = len(k), s(2, 1), channels
    stride, pad, dilation, spread_by = (how.get(name, (1,) * d) for name in ("stride", "pad", "dilation", "spread"))
    pad = how.get("pad", (0,) * d)
    groups, flip = how.get("groups", 1), how.get("flip", False)
    x, w = s.normal((n, *image, c), t), s.normal((o, *k, c // groups), t)
    # Zeros between the pixels and around them; the taps apart from each other.
    wide = np.zeros((n, *((i - 1) * e + 1 for i, e in zip(image, spread_by, strict=True)), c))
    wide[(slice(None), *(slice(None, None, e) for e in spread_by))] = x
    wide = np.pad(wide, [(0, 0), *((p, p) for p in pad), (0, 0)])
    taps = np.flip(w, tuple(range(1, d + 1))) if flip else w
    span = tuple((size - 1) * e + 1 for size, e in zip(k, dilation, strict=True))
    seen = np.lib.stride_tricks.sliding_window_view(wide, span, axis=tuple(range(1, d + 1)))
    seen = seen[(slice(None), *(slice(None, None, e) for e in stride), slice(None), *(slice(None, None, e) for e in dilation))]
    size = seen.shape[1 : d + 1]
    seen = np.moveaxis(seen, d + 1, -1).reshape(n, *size, -1, groups, c // groups)
    each = taps.reshape(groups, o // groups, -1, c // groups)
    result = np.einsum("n...tgc,gotc->n...go", seen, each).reshape(n, *size, o)
    magnitude = np.einsum("n...tgc,gotc->n...go", np.abs(seen), np.abs(each)).reshape(n, *size, o)
    bound = magnitude * HALF["f32"] * (each[0, 0].size / 4 + 16) + np.abs(result) * HALF[t]
    p = np.zeros((), conv_params(d))
    p["N"], p["C"], p["O"], p["iS"], p["wS"], p["oS"], p["groups"], p["flip"] = n, c, o, image, k, size, groups, flip
    p["str"], p["pad"], p["kdil"], p["idil"] = stride, pad, dilation, spread_by
    for name, a in (("in", x), ("wt", w), ("out", result)):
        p[f"{name}_strides"] = [v // 8 for v in np.ascontiguousarray(a).strides]
    return p, encode(x, t), encode(w, t), Out(result, t, bound=bound)


def conv_2d(t: str, tile: tuple[int, ...], channels: tuple[int, int], k: tuple[int, int], small: bool, note: str, **how) -> Case:
    bm, bn, bk, wm, wn = tile

    def make(s: Sizes) -> Call:
        p, x, w, out = convolution(s, t, (s(13, 6), s(9, 7)), k, channels, how)
        each, o = channels[0] // int(p["groups"]), channels[1] // int(p["groups"])
        # Few channels: taps and channels in one row; otherwise a row of channels for each tap.
        per_tap = {1: 1, 2: 2, 3: 4, 4: 4}.get(each)
        steps = -(-k[0] * k[1] * per_tap // bk) if per_tap else k[0] * k[1] * (each // bk)
        sign, across = -1 if p["flip"] else 1, int(p["in_strides"][2] * p["kdil"][1])
        down = int(p["in_strides"][1] * p["kdil"][0])
        m = int(p["N"] * np.prod(p["oS"]))
        jumps = [sign * across, sign * (down - (k[1] - 1) * across), bk - sign * ((k[0] - 1) * down + (k[1] - 1) * across)]
        tiles = -(-o // bn), -(-m // bm)
        # Weights are read in whole tiles.
        w = np.concatenate([w.reshape(-1), np.zeros(bn * k[0] * k[1] * each, w.dtype)])
        numbers = int32s([m, o, k[0] * k[1] * each, steps, *jumps, *tiles, 0])
        return Call([x, w, out, p.tobytes(), numbers.tobytes()], groups=(*tiles, int(p["groups"])), threadgroup=(32, wn, wm))

    few = channels[0] // how.get("groups", 1)
    return case("steel_conv", "implicit_gemm_conv_2d", (t, *tile, few if few <= 4 else 0, small), make, note)


def conv_2d_general(t: str, tile: tuple[int, ...], channels: tuple[int, int], k: tuple[int, int], note: str, **how) -> Case:
    """With zeros between the pixels: which taps meet pixels depends on the place."""
    bm, bn, bk, wm, wn = tile

    def make(s: Sizes) -> Call:
        p, x, w, out = convolution(s, t, (s(7, 4), s(9, 5)), k, channels, how)
        wide, apart, stride, pad = ([int(v) for v in p[n]] for n in ("idil", "kdil", "str", "pad"))
        weight_jumps = [int(np.lcm(i, e)) // e for i, e in zip(wide, apart, strict=True)]
        out_jumps = [int(np.lcm(i, e)) // e for i, e in zip(wide, stride, strict=True)]
        sizes = [-(-int(size) // jump) for size, jump in zip(p["oS"], out_jumps, strict=True)]
        m = int(p["N"]) * sizes[0] * sizes[1]
        bases = []
        for axis in range(2):
            rows = []
            for place in range(out_jumps[axis]):
                at = place * stride[axis] - pad[axis] + ((k[axis] - 1) * apart[axis] if p["flip"] else 0)
                jump = -apart[axis] if p["flip"] else apart[axis]
                first = next((i for i in range(k[axis]) if (at + i * jump) % wide[axis] == 0), k[axis])
                rows.append([first, -(-(k[axis] - first) // weight_jumps[axis])])
            bases.append(int32s(rows))
        o, c = channels[1], channels[0]
        tiles = -(-o // bn), -(-m // bm)
        numbers = int32s([m, o, k[0] * k[1] * c, -(-c // bk), 0, 0, 0, *tiles, 0])
        jumps = int32s([*weight_jumps, *out_jumps, *sizes, sizes[0] * sizes[1], m])
        arguments = [x, w, out, p.tobytes(), numbers.tobytes(), jumps.tobytes(), *bases]
        return Call(arguments, groups=(*tiles, out_jumps[0] * out_jumps[1]), threadgroup=(32, wn, wm), constants={200: c % bk == 0})

    return case("steel_conv_general", "implicit_gemm_conv_2d_general", (t, *tile), make, note)


def conv_3d(t: str, tile: tuple[int, ...], channels: tuple[int, int], k: tuple[int, ...], small: bool, note: str, **how) -> Case:
    bm, bn, bk, wm, wn = tile

    def make(s: Sizes) -> Call:
        p, x, w, out = convolution(s, t, (s(5, 4), s(7, 4), s(6, 5)), k, channels, how)
        sign = -1 if p["flip"] else 1
        deep, down, across = (int(v) for v in p["in_strides"][1:4] * p["kdil"])
        back = (k[0] - 1) * deep, (k[1] - 1) * down, (k[2] - 1) * across
        jumps = [sign * across, sign * (down - back[2]), sign * (deep - back[1] - back[2]), bk - sign * sum(back)]
        m, (c, o) = int(p["N"] * np.prod(p["oS"])), channels
        tiles = -(-o // bn), -(-m // bm)
        numbers = int32s([m, o, int(np.prod(k)) * c, int(np.prod(k)) * (c // bk), *jumps, *tiles, 0])
        return Call([x, w, out, p.tobytes(), numbers.tobytes()], groups=(*tiles, 1), threadgroup=(32, wn, wm))

    return case("steel_conv_3d", "implicit_gemm_conv_3d", (t, *tile, small), make, note)


# ---- weights in small floats ---------------------------------------------------------------------------------------


def small_float(q: np.ndarray) -> np.ndarray:
    """Eight bits: a sign, four of an exponent, three of a fraction."""
    exponent, fraction = (q >> 3 & 15).astype(np.int64), (q & 7) / 8
    value = np.where(exponent == 0, fraction * 2.0**-6, (1 + fraction) * 2.0 ** (exponent - 7))
    return np.where(q & 128, -value, value)


def scale_values(stored: np.ndarray, group: int) -> np.ndarray:
    """Powers of two for groups of 32; small floats for groups of 16."""
    return 2.0 ** (stored.astype(np.float64) - 127) if group == 32 else small_float(stored)


def small_weights(s: Sizes, shape: tuple[int, ...], group: int, bits: int):
    q = s.rng.integers(0, 2**bits, shape).astype(np.uint32)
    if bits == 8:
        # The largest numbers are rare, and one pattern is no number.
        q = np.where(q & 127 > 0x50, q & 0x8F, q)
    low, high = (122, 127) if group == 32 else (0x18, 0x3C)
    scales = s.rng.integers(low, high, (*shape[:-1], shape[-1] // group)).astype(np.uint8)
    values = (small_float(q) if bits == 8 else FP4[q]) * scale_values(scales, group).repeat(group, -1)
    return packed(q, bits), scales, values


NUMBERS = 448.0 * 6.0  # what a scale for all is divided by
BATCH = [np.int32(0), int32s([1]), int64s([0]), np.int32(0), int32s([1]), int64s([0]), int64s([0])]


def fp_vector(t: str, group: int, bits: int, kernel: str, is_scaled: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        is_left, dim = kernel == "qvm", 64
        outs, ins = s(24, 8), {"qmv_fast": 512, "qmv_quad": dim}.get(kernel, s(320, 128))
        outs = s(128, 64) if is_left else outs
        w, scales, values = small_weights(s, (ins, outs) if is_left else (outs, ins), group, bits)
        total = np.float32(321.0)
        matrix = (values if is_left else values.T) * (total / NUMBERS if is_scaled else 1)
        x = s.normal((2, ins), t)
        result = x @ matrix
        bound = (np.abs(x) @ np.abs(matrix)) * HALF["f32"] * (ins / 32 + 24) + np.abs(result) * HALF[t]
        # Scales are read for whole sets of rows.
        scales = np.concatenate([scales.reshape(-1), np.zeros(64 * ins // group, np.uint8)])
        first = [w, scales] + ([] if kernel == "qmv_quad" else [np.array([total], np.float32)])
        arguments = [*first, encode(x, t), Out(result, t, bound=bound), np.int32(ins), np.int32(outs), *BATCH]
        per = 2 * group if is_left else 64 if kernel == "qmv_quad" else 8
        return Call(arguments, groups=(2, -(-outs // per), 1), threadgroup=(32, 2, 1))

    if kernel == "qmv_quad":
        template = (t, group, bits, 64, False)
    else:
        template = (t, group, bits, False, *(([is_scaled] if kernel == "qvm" else [False, is_scaled]) if is_scaled else []))
    return case("fp_quantized", f"fp_{kernel}", template, make)


def fp_matrix(t: str, group: int, bits: int, is_transposed: bool, is_scaled: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        m, n, k = s(45, 9), s(128, 64) if not is_transposed else s(100, 40), s(192, 64)
        w, scales, values = small_weights(s, (n, k) if is_transposed else (k, n), group, bits)
        total = np.float32(777.0)
        matrix = (values.T if is_transposed else values) * (total / NUMBERS if is_scaled else 1)
        x = s.normal((m, k), t)
        result = x @ matrix
        # Weights become the type, by a product in it.
        bound = (np.abs(x) @ np.abs(matrix)) * (2 * HALF[t] + HALF["f32"] * (k / 4 + 8)) + np.abs(result) * HALF[t]
        first = [w, scales] + ([np.array([total], np.float32)] if is_transposed else [])
        arguments = [*first, encode(x, t), Out(result, t, bound=bound), np.int32(k), np.int32(n), np.int32(m), *BATCH]
        return Call(arguments, groups=(-(-n // 32), -(-m // 32), 1), threadgroup=(32, 2, 2))

    template = (t, group, bits, *([False] if is_transposed else []), False, *([True] if is_scaled else []))
    return case("fp_quantized", "fp_qmm_t" if is_transposed else "fp_qmm_n", template, make)


def fp_parts(t: str, group: int, bits: int) -> Case:
    """Parts of the sums by themselves, in float."""

    def make(s: Sizes) -> Call:
        m, n, part, parts = s(45, 9), s(64, 32), s(96, 32), 3
        k = part * parts
        w, scales, values = small_weights(s, (n, k), group, bits)
        x = s.normal((m, k), t)
        pieces = [(x[:, i : i + part], values.T[i : i + part]) for i in range(0, k, part)]
        result = np.stack([a @ b for a, b in pieces])
        bound = np.stack([np.abs(a) @ np.abs(b) for a, b in pieces]) * (2 * HALF[t] + HALF["f32"] * (part / 4 + 8))
        arguments = [w, scales, encode(x, t), Out(result, bound=bound), *map(np.int32, (k, n, m, part, m * n))]
        return Call(arguments, groups=(-(-n // 32), -(-m // 32), parts), threadgroup=(32, 2, 2))

    return case("fp_quantized", "fp_qmm_t_splitk", (t, group, bits, True), make)


def gathered(prefix: str, t: str, group: int, bits: int, kernel: str) -> Case:
    """Vectors or matrices with chosen matrices of weights."""
    is_fp, is_vector = prefix == "fp_", kernel == "qmv"

    def make(s: Sizes) -> Call:
        m, n, k, count = (1 if is_vector else s(37, 5)), s(72, 40), s(320, 64), 3
        if kernel == "qmm_n":
            n = s(128, 64)
        shape = (count, k, n) if kernel == "qmm_n" else (count, n, k)
        if is_fp:
            w, scales, values = small_weights(s, shape, group, bits)
            first, magnitude = [w, scales, np.ones(count, np.float32)], np.abs(values)
        else:
            w, scales, biases, values, magnitude = weights(s, t, shape[0] * shape[1], shape[2], group, bits)
            first, values, magnitude = [w, scales, biases], values.reshape(shape), magnitude.reshape(shape)
        if kernel != "qmm_n":
            values, magnitude = values.swapaxes(1, 2), magnitude.swapaxes(1, 2)
        x = s.normal((4, m, k), t)
        left, right = s.rng.integers(0, 4, 5).astype(np.uint32), s.rng.integers(0, count, 5).astype(np.uint32)
        result, size = x[left] @ values[right], np.abs(x[left]) @ magnitude[right]
        bound = size * (HALF["f32"] * (k / 4 + 24) + (0 if is_vector else 2 * HALF[t])) + np.abs(result) * HALF[t]
        words, per = shape[1] * shape[2] * bits // 32, shape[1] * shape[2] // group
        numbers = [np.int32(k), np.int32(n)] + ([] if is_vector else [np.int32(m)])
        batch = [np.int32(1), int32s([4, m, k]), int64s([m * k, k, 1]), np.int32(1), int32s(shape), int64s([words, 1, 1]), int64s([per, 1, 1])]
        batch += [] if is_fp else [int64s([per, 1, 1])]
        batch += [np.int32(1), int32s([5]), int64s([1]), int64s([1])]
        arguments = [*first, encode(x, t), left, right, Out(result, t, bound=bound), *numbers, *batch]
        if is_vector:
            return Call(arguments, groups=(m, -(-n // 8), 5), threadgroup=(32, 2, 1))
        return Call(arguments, groups=(-(-n // 32), -(-m // 32), 5), threadgroup=(32, 2, 2))

    template = (t, group, bits, *([False] if kernel == "qmm_t" else []))
    return case("fp_quantized" if is_fp else "quantized", f"{prefix}gather_{kernel}", template, make)


def gathered_rows(prefix: str, t: str, group: int, bits: int, is_transposed: bool) -> Case:
    """Rows in groups, each with a matrix of weights of its own."""
    is_fp = prefix == "fp_"

    def make(s: Sizes) -> Call:
        m, n, k, count = s(75, 21), s(96, 64), s(160, 64) if group < 64 else s(192, 64), 9
        offsets, of_row = grouped(s, m, count)
        shape = (count, n, k) if is_transposed else (count, k, n)
        n, k = (shape[1], shape[2]) if is_transposed else (shape[2], shape[1])
        if is_fp:
            w, scales, values = small_weights(s, shape, group, bits)
            last, magnitude = np.ones(count, np.float32), np.abs(values)
        else:
            w, scales, last, values, magnitude = weights(s, t, shape[0] * shape[1], shape[2], group, bits)
            values, magnitude = values.reshape(shape), magnitude.reshape(shape)
        if is_transposed:
            values, magnitude = values.swapaxes(1, 2), magnitude.swapaxes(1, 2)
        x = s.normal((m, k), t)
        result = np.einsum("mk,mkn->mn", x, values[of_row])
        size = np.einsum("mk,mkn->mn", np.abs(x), magnitude[of_row])
        bound = size * (2 * HALF[t] + HALF["f32"] * (k / 4 + 8)) + np.abs(result) * HALF[t]
        arguments = [encode(x, t), w, scales, last, offsets, Out(result, t, bound=bound), *map(np.int32, (m, n, k, count))]
        constants = {200: False, 201: n % 32 == 0, 202: k % 32 == 0}
        return Call(arguments, groups=(-(-n // 32), -(-m // 16) + count, 1), threadgroup=(32, 2, 1), constants=constants)

    return case("fp_quantized" if is_fp else "quantized", f"{prefix}gather_qmm_rhs", (t, group, bits, 16, 32, 32, 1, 2, is_transposed), make)


def nearest(x: np.ndarray, bits: int) -> np.ndarray:
    """The code of the nearest number that there is, the even one of two; larger ones become the largest."""
    codes = np.arange(8 if bits == 4 else 127)
    table = FP4[:8] if bits == 4 else small_float(codes)
    size = np.abs(x)[..., None]
    distance = np.abs(size - table)
    best = distance.min(axis=-1, keepdims=True)
    # Of two that are as near, the one whose last bit is 0.
    chosen = np.where(distance == best, codes % 2, 2).argmin(axis=-1)
    return np.where(np.signbit(x), chosen | (8 if bits == 4 else 128), chosen).astype(np.uint32)


def quantize(t: str, group: int, bits: int, kind: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, columns = s(6, 2), s(192, 64)
        x = s.normal((rows, columns), t, 5)
        x[0, :group] = 0
        parts = x.reshape(rows, -1, group)
        wanted = np.abs(parts).max(axis=2) / (6 if bits == 4 else 448)
        if group == 32:
            # The smallest power of two that is not less.
            with np.errstate(divide="ignore"):
                scales = np.where(wanted > 0, np.ceil(np.log2(wanted)) + 127, 0).astype(np.uint8)
        else:
            scales = nearest(wanted, 8).astype(np.uint8)
        step = scale_values(scales, group)[..., None]
        # The kernel divides a scale's reciprocal into the number, in float.
        q = nearest((parts.astype(np.float32) * np.where(step == 0, 0, 1 / np.where(step == 0, 1, step)).astype(np.float32)), bits)
        values = ((small_float(q) if bits == 8 else FP4[q]) * step).reshape(x.shape)
        none = np.ones(1, np.float32)
        if kind == "quantize":
            # The scale of nothing but zeros goes through the logarithm of a subnormal number, of which fast math says
            # nothing; zeros are zeros with any.
            def same_scales(found: np.ndarray) -> None:
                np.testing.assert_array_equal(np.where(wanted > 0, found, 0), np.where(wanted > 0, scales, 0))

            out, found = Out(packed(q.reshape(x.shape), bits), "u8"), Out(scales, "u8", judge=same_scales)
            return Call([encode(x, t), out, found, none], threads=(columns, rows), threadgroup=(32, 1))
        result = Out(values, t, bound=np.abs(values) * HALF[t] * (t != "f32"))
        if kind == "quantize_dequantize":
            return Call([encode(x, t), none, result], threads=(columns, rows), threadgroup=(32, 1))
        return Call([packed(q.reshape(x.shape), bits), scales, none, result], threads=(columns * bits // 8, rows), threadgroup=(16, 1))

    return case("fp_quantized", f"fp_{kind}", (t, group, bits, False), make)


# ---- transforms ----------------------------------------------------------------------------------------------------


def steps_of(n: int) -> list[int]:
    return plan(n) if n > 1 else [0] * 9


def elements_for(*plans: list[int]) -> int:
    used = sorted({radix for steps in plans for radix, count in zip((13, 11, 8, 7, 6, 5, 4, 3, 2), steps, strict=True) if count})
    return used[0] if len(used) <= 2 else used[1]


def complex_rows(s: Sizes, n: int) -> np.ndarray:
    rows = s(3, 2)
    return (s.normal((rows, n)) + 1j * s.normal((rows, n))).astype(np.complex64)


def pairs(x: np.ndarray) -> np.ndarray:
    return np.stack([x.real, x.imag], axis=-1)


def transformed(x: np.ndarray, is_inverse: bool, steps: int) -> Out:
    result = np.fft.ifft(x.astype(np.complex128)) if is_inverse else np.fft.fft(x.astype(np.complex128))
    # Each step multiplies by factors of fast sin and cos, wrong by up to 2e-6 of the root of the mean square.
    bound = 4e-6 * (steps + 2) * np.sqrt((np.abs(result) ** 2).mean())
    return Out(pairs(result), bound=np.full((*result.shape, 2), bound))


def root(p: int) -> int:
    """Whose powers are all numbers below a prime."""
    return next(g for g in range(2, p) if len({pow(g, i, p) for i in range(p - 1)}) == p - 1)


def rader(n: int, prime: int, is_inverse: bool = False) -> Case:
    """A transform of prime length is a convolution along the powers of a root."""

    def make(s: Sizes) -> Call:
        x, rest = complex_rows(s, n), n // prime
        inner, outer = steps_of(prime - 1), steps_of(rest)
        elements = elements_for(inner, outer)
        g = root(prime)
        powers, inverse = [pow(g, i, prime) for i in range(prime - 1)], [pow(g, -i, prime) for i in range(prime - 1)]
        factors = np.fft.fft(np.exp(-2j * np.pi * np.array(inverse) / prime)).astype(np.complex64)
        threads = -(-n // elements)
        constants = {0: is_inverse, 1: False, 2: elements, 3: rest, 22: False}
        constants |= {4 + i: c for i, c in enumerate(outer)} | {13 + i: c for i, c in enumerate(inner)}
        # There and back for the convolution, then the other factors.
        out = transformed(x, is_inverse, 2 * (2 * sum(inner) + sum(outer)))
        tables = [pairs(factors).astype(np.float32), np.array(powers, np.int16), np.array(inverse, np.int16)]
        arguments = [pairs(x).astype(np.float32), out, *tables, np.int32(n), np.int32(len(x)), np.int32(prime)]
        return Call(arguments, threads=(len(x), 1, threads), threadgroup=(1, 1, threads), constants=constants)

    return case("fft", "rader_fft", (1024, "float2", "float2"), make, f"{n}{'-inverse' if is_inverse else ''}")


def bluestein(n: int, is_inverse: bool = False) -> Case:
    """Any length: a convolution with a chirp, in a length that is a power of two."""

    def make(s: Sizes) -> Call:
        x, padded = complex_rows(s, n), 1 << (2 * n - 2).bit_length()
        steps = steps_of(padded)
        elements = elements_for(steps)
        at = np.arange(-n + 1, n, dtype=np.float64)
        chirp = np.zeros(padded, np.complex128)
        chirp[: 2 * n - 1] = np.exp(1j * np.pi * at**2 / n)
        w_q, w_k = np.fft.fft(chirp), np.exp(-1j * np.pi * np.arange(n, dtype=np.float64) ** 2 / n)
        threads = padded // elements
        constants = {0: is_inverse, 1: True, 2: elements, 3: 1, 22: False}
        constants |= {4 + i: c for i, c in enumerate(steps)} | {13 + i: 0 for i in range(9)}
        out = transformed(x, is_inverse, 4 * sum(steps) + 4)
        tables = [pairs(w_q).astype(np.float32), pairs(w_k).astype(np.float32)]
        arguments = [pairs(x).astype(np.float32), out, *tables, np.int32(n), np.int32(padded), np.int32(len(x))]
        return Call(arguments, threads=(len(x), 1, threads), threadgroup=(1, 1, threads), constants=constants)

    return case("fft", "bluestein_fft", (1024, "float2", "float2"), make, f"{n}{'-inverse' if is_inverse else ''}")


def four_step(step: int, is_inverse: bool) -> Case:
    """Half of a long transform: along the columns of a matrix, with factors for each element; or along its rows, which go
    to columns."""

    def make(s: Sizes) -> Call:
        batch, n1, n2, together = s(2, 1), 64, 32, 8
        x = (s.normal((batch, n1, n2)) + 1j * s.normal((batch, n1, n2))).astype(np.complex64)
        total, n = n1 * n2, (n1, n2)[step]
        wide = x.astype(np.complex128)
        if step == 0:
            # What is inverted is the conjugate, here, and the result in the other half.
            turned = np.fft.fft(wide.conj() if is_inverse else wide, axis=1)
            result = turned * np.exp(-2j * np.pi * np.arange(n1)[:, None] * np.arange(n2)[None, :] / total)
        else:
            result = np.fft.fft(wide, axis=2).swapaxes(1, 2)
            result = result.conj() / total if is_inverse else result
        steps = steps_of(n)
        elements = elements_for(steps)
        threads = n // elements
        rows = batch * total // n
        constants = {0: is_inverse, 1: True, 2: elements, 3: 1, 22: False}
        constants |= {4 + i: c for i, c in enumerate(steps)} | {13 + i: 0 for i in range(9)}
        bound = np.full((*result.shape, 2), 4e-6 * (sum(steps) + 4) * np.sqrt((np.abs(result) ** 2).mean()))
        out = Out(pairs(result), bound=bound)
        arguments = [pairs(x).astype(np.float32), out, np.int32(n1), np.int32(n2), np.int32(rows)]
        size = (rows // together, together, threads)
        return Call(arguments, threads=size, threadgroup=(1, together, threads), constants=constants)

    return case("fft", "four_step_fft", (1024, "float2", "float2", step), make, "inverse" if is_inverse else "")


ODD = ((67, 9), (45, 13), (51, 19))
WHOLE = ((64, 32), (64, 32), (64, 32))
TILES = ((64, 64, 16, 2, 2), (64, 32, 32, 2, 2), (32, 64, 16, 1, 2), (32, 32, 16, 2, 2))
SMALL, WIDE = (32, 8, 16, 4, 1), (32, 32, 16, 2, 2)
CASES = (
    [gather(t, trans, TILES[3], ODD, b) for t, trans, b in (("f32", "nn", False), ("f16", "nt", True), ("bf16", "tn", True), ("f32", "tt", False))]
    + [gather("f16", "nn", TILES[3], WHOLE, False), gather("f32", "nt", TILES[0], ODD, True), gather("bf16", "nn", TILES[2], ODD, False)]
    + [gather_rhs(t, trans, tile, ODD, n) for t, trans, tile, n in (("f32", "nn", TILES[3], 5), ("f16", "nt", TILES[3], 40), ("bf16", "nn", TILES[1], 7))]
    + [gather_rhs("f32", "nt", TILES[3], WHOLE, 3)]
    + [segmented(t, trans, TILES[3], shape, c) for t, trans, shape, c in (
        ("f32", "nn", ODD, True), ("f16", "nt", ODD, False), ("bf16", "tn", WHOLE, True), ("f32", "tt", WHOLE, False),
    )]
    + [masked(t, m, o, 32, trans, shape) for t, m, o, trans, shape in (
        ("f32", "bool", "bool", "nn", ODD), ("f16", "bool", "nomask_t", "nt", ODD), ("bf16", "nomask_t", "bool", "tn", WHOLE),
        ("f32", "f32", "f32", "tt", ODD), ("f16", "f16", "f16", "nn", WHOLE), ("f32", "nomask_t", "nomask_t", "nt", ODD),
    )]
    + [masked("f32", "bool", "bool", 64, "nn", ((100, 70), (130, 65), (150, 80)))]
    + [masked_vector(*p, tr) for tr in (False, True) for p in (
        ("f32", "bool", "bool"), ("f16", "nomask_t", "bool"), ("bf16", "bool", "nomask_t"), ("f32", "f32", "f32"),
    )]
    + [conv_2d("f32", SMALL, (1, 5), (3, 3), False, "one", pad=(1, 1)), conv_2d("f16", SMALL, (3, 7), (5, 3), False, "three", pad=(2, 1), stride=(2, 1))]
    + [conv_2d("bf16", WIDE, (4, 32), (3, 3), False, "four", dilation=(2, 1), pad=(2, 1)), conv_2d("f32", SMALL, (2, 8), (3, 2), False, "two", flip=True)]
    + [conv_2d("f32", WIDE, (32, 48), (3, 3), True, "small", pad=(1, 1)), conv_2d("f16", WIDE, (16, 16), (2, 3), True, "small", stride=(1, 2), dilation=(2, 2), pad=(0, 3))]
    + [conv_2d("f32", WIDE, (32, 32), (3, 3), True, "groups", groups=2, pad=(1, 0)), conv_2d("bf16", WIDE, (16, 32), (3, 4), False, "large", pad=(3, 1), stride=(2, 1))]
    + [conv_2d("f16", WIDE, (16, 32), (3, 4), False, "flip", flip=True)]
    + [conv_2d_general("f32", SMALL, (5, 7), (3, 3), "spread", spread=(2, 2), pad=(1, 1))]
    + [conv_2d_general("f16", (64, 32, 16, 2, 2), (16, 40), (4, 3), "both", spread=(2, 3), dilation=(1, 2), stride=(3, 2), pad=(2, 1), flip=True)]
    + [conv_2d_general("bf16", SMALL, (33, 8), (2, 5), "plain", pad=(1, 2), stride=(2, 1))]
    + [conv_3d("f32", SMALL, (16, 8), (3, 2, 3), True, "small", pad=(1, 0, 1))]
    + [conv_3d("f16", WIDE, (32, 32), (2, 3, 2), False, "large", stride=(1, 2, 1), dilation=(2, 1, 1), flip=True)]
    + [fp_vector(t, g, b, k) for k in ("qmv", "qmv_fast", "qvm") for t, g, b in (("f32", 32, 4), ("f16", 32, 8), ("bf16", 16, 4))]
    + [fp_vector("f32", 32, 4, "qmv_quad"), fp_vector("f16", 16, 4, "qmv_quad"), fp_vector("f16", 16, 4, "qmv", True)]
    + [fp_matrix(t, g, b, tr) for t, g, b in (("f32", 32, 4), ("f16", 32, 8), ("bf16", 16, 4)) for tr in (False, True)] + [fp_matrix("f16", 16, 4, True, True)]
    + [fp_parts("f32", 32, 8), fp_parts("f16", 16, 4)]
    + [gathered("fp_", t, g, b, k) for k in ("qmv", "qmm_t", "qmm_n") for t, g, b in (("f32", 32, 4), ("bf16", 32, 8), ("f16", 16, 4))]
    + [gathered("affine_", t, g, b, k) for k in ("qmv", "qmm_t", "qmm_n") for t, g, b in (("f32", 64, 4), ("bf16", 32, 3), ("f16", 64, 8))]
    + [gathered_rows("fp_", t, g, b, tr) for t, g, b, tr in (("f32", 32, 4, True), ("f16", 32, 8, False), ("bf16", 16, 4, True))]
    + [gathered_rows("affine_", t, g, b, tr) for t, g, b, tr in (("f32", 64, 4, True), ("f16", 32, 6, False))]
    + [quantize(t, g, b, k) for k in ("quantize", "dequantize", "quantize_dequantize") for t, g, b in (("f32", 32, 4), ("bf16", 32, 8), ("f16", 16, 4))]
    + [rader(*p) for p in ((17, 17), (34, 17), (76, 19), (102, 17), (37, 37), (341, 31))] + [rader(68, 17, True)]
    + [bluestein(n) for n in (23, 59, 307)] + [bluestein(47, True)] + [four_step(step, i) for step in (0, 1) for i in (False, True)]
)  # fmt: skip

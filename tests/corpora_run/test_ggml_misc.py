"""ggml: copies, joins and repetitions, padding, transforms, small rows of everything else; products with a few vectors by
matrices of simdgroups."""

from __future__ import annotations

import math

import ggml
import numpy as np
from harness import DTYPES, EXACT, Call, Case, Out, Sizes, check, decode, encode
from quant import FORMATS, blocks
from test_conv_pool import sums, windows
from test_ggml_models import quantised
from test_quantized import product

HALF = {"f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}


def test_ggml_misc(case, device):
    check(case, device)


def numbers(s: Sizes, t: str, shape: tuple[int, ...]) -> np.ndarray:
    """As a buffer has them."""
    if t in HALF:
        return encode(s.normal(shape, t, 40), t)
    info = np.iinfo(DTYPES[t])
    return s.rng.integers(info.min, info.max, shape, DTYPES[t], endpoint=True)


# ---- copies --------------------------------------------------------------------------------------------------------


def convert(t: str, u: str) -> Case:
    """From a view with its axes exchanged to a contiguous result of another shape."""

    def make(s: Sizes) -> Call:
        stored = numbers(s, t, (2, s(11, 5), 3, s(70, 9)))
        if (t, u) == ("i32", "f32"):
            stored = stored >> 7
        view = np.swapaxes(stored, 1, 2)
        # Conversions to integers drop the fraction; no value is out of range.
        values = decode(view, t)
        result = np.trunc(values) if u == "i32" and t in HALF else values
        shape = (1, view.shape[0] * view.shape[1], view.shape[2], view.shape[3])
        size = np.dtype(DTYPES[u]).itemsize
        given = ggml.extents("0", view.shape, view.strides) | {"nk0": view.shape[3]}
        given |= {"ne0": shape[3], "ne1": shape[2], "ne2": shape[1], "ne3": 1, "nb0": size, "nb1": size * shape[3]}
        given |= {"nb2": size * shape[3] * shape[2], "nb3": size * stored.size}
        expected = decode(encode(result, u), u)
        if s.is_small:
            threads, groups = (16, 2), (-(-view.shape[2] // 2), view.shape[1], view.shape[0])
        else:
            threads, groups = (32, 1), (-(-view.shape[3] // 32) * view.shape[2], view.shape[1], view.shape[0])
        return Call([ggml.arguments("cpy", **given), stored, Out(expected, u)], groups=groups, threadgroup=threads)

    return ggml.case("quantize", f"cpy_{t}_{u}", make)


def join(t: str, axis: int) -> Case:
    """Two arrays one after the other along an axis (the last is 0); blocks of quantised formats are elements."""

    def make(s: Sizes) -> Call:
        form = FORMATS.get(t) if t not in DTYPES else None
        size = form.dtype.itemsize if form else np.dtype(DTYPES[t]).itemsize
        shape = [2, 3, s(7, 3), s(45, 7)]
        other = list(shape)
        other[3 - axis] += 2
        x, y = (s.rng.integers(0, 256, (*n, size), np.uint8) for n in (shape, other))
        result = np.concatenate([x, y], axis=3 - axis)
        parts = {n: v for k, a in (("0", x), ("1", y), ("", result)) for n, v in ggml.extents(k, a.shape[:4], a.strides[:4]).items()}
        chunks = s(2, 1)
        args = ggml.arguments("concat", **parts, dim=axis, nc0=chunks)
        threads, groups = (8, 1), (result.shape[2] * chunks, result.shape[1], result.shape[0])
        if chunks == 1:
            threads, groups = (8, 4), (-(-result.shape[2] // 4), result.shape[1], result.shape[0])
        return Call([args, x, y, Out(result, "u8")], groups=groups, threadgroup=threads)

    return ggml.case("quantize", f"concat_{t}", make, f"{axis}")


def repeat(t: str) -> Case:
    def make(s: Sizes) -> Call:
        x, times = numbers(s, t, (2, 1, s(5, 2), s(13, 5))), (1, 3, 2, 4)
        result = np.tile(x, times)
        args = ggml.of("repeat", {"0": x, "": result})
        return Call([args, x, Out(decode(result, t), t)], groups=result.shape[2::-1], threadgroup=s(32, 8))

    return ggml.case("binbcast", f"repeat_{t}", make)


def set_rows(t: str, index: str, u: str) -> Case:
    """Rows that go to chosen places, where the places of a plane are those of another."""

    def make(s: Sizes) -> Call:
        planes, rows, total, k = 4, s(5, 3), s(9, 4), s(37, 5)
        x = numbers(s, t, (1, planes, rows, k))
        ids = np.stack([s.rng.permutation(total)[:rows] for _ in range(2)]).astype(DTYPES[index])
        before = numbers(s, u, (1, planes, total, k))
        result = decode(before, u)
        for p in range(planes):
            result[0, p, ids[p % 2]] = decode(encode(decode(x[0, p], t), u), u)
        values = ggml.extents("0", x.shape, x.strides) | ggml.extents("", before.shape, before.strides)
        values = {n: v for n, v in values.items() if n in ggml.struct("set_rows").names}
        values |= {"nk0": k, "ne11": 2, "ne12": 1, "nb10": ids.itemsize, "nb11": ids.strides[0], "nb12": ids.nbytes}
        groups = (-(-rows // 2), planes, 1)
        return Call([ggml.arguments("set_rows", **values), x, ids, Out(result, u, EXACT, before)], groups=groups, threadgroup=(8, 2, 1))

    return ggml.case("quantize", f"set_rows_{t}_{index}_{u}", make)


def set_rows_of_blocks(index: str) -> Case:
    def make(s: Sizes) -> Call:
        name, rows, total = "tq2_0", s(4, 2), s(7, 3)
        form = FORMATS[name]
        k = form.size * s(3, 1)
        x = s.normal((rows, k)).astype(np.float32)
        ids = s.rng.permutation(total)[:rows].astype(DTYPES[index])
        stride = k // form.size * form.dtype.itemsize
        part = quantised(name, x.astype(np.float64))

        def judge(found: np.ndarray) -> None:
            table = found.reshape(total, stride)
            part.judge(np.ascontiguousarray(table[ids]).reshape(-1))
            np.testing.assert_array_equal(table[np.setdiff1d(np.arange(total), ids)], 0xA5)

        values = {"nk0": k // form.size, "ne01": rows, "nb01": 4 * k, "nb02": 4 * k * rows, "nb03": 4 * k * rows, "ne11": 1, "ne12": 1}
        values |= {"nb10": ids.itemsize, "nb11": ids.nbytes, "nb12": ids.nbytes, "nb1": stride, "nb2": stride * total, "nb3": stride * total}
        out = Out(np.zeros(total * stride), "u8", judge=judge)
        return Call([ggml.arguments("set_rows", **values), x, ids, out], groups=(-(-rows // 2), 1, 1), threadgroup=(2, 2, 1))

    return ggml.case("quantize", f"set_rows_f32_{index}_tq2_0", make)


def from_blocks(name: str, t: str) -> Case:
    """Each plane from a view whose rows are further apart than they are long."""

    def make(s: Sizes) -> Call:
        form, planes, rows, per = FORMATS[name], 2, s(3, 2), s(3, 1)
        b = blocks(s.rng, name, planes * rows * (per + 1)).reshape(planes, rows, per + 1)
        k = per * form.size
        values = form.values(b[:, :, :per].reshape(-1)).reshape(planes, rows, k)
        block, width = form.dtype.itemsize, {"f32": 4, "f16": 2}[t]
        given = {"ne00": k, "ne01": rows, "ne02": planes, "ne03": 1, "nk0": k // 16, "nb00": block, "nb01": block * (per + 1)}
        given |= {"nb02": block * (per + 1) * rows, "nb03": b.size * block, "ne0": k, "ne1": rows, "ne2": planes, "ne3": 1}
        given |= {"nb0": width, "nb1": width * k, "nb2": width * k * rows, "nb3": width * k * rows * planes}
        bound = np.abs(values) * (HALF[t] + 2.0**-22) + np.abs(values).max() * 2.0**-20 * (t == "f32") + (t == "f16") * 2.0**-24
        groups = (-(-(k // 16) // 8) * rows, planes, 1)
        return Call([ggml.arguments("cpy", **given), b, Out(values, t, bound=bound)], groups=groups, threadgroup=8)

    return ggml.case("quantize", f"cpy_{name}_{t}", make, "strided")


def to_blocks(name: str) -> Case:
    def make(s: Sizes) -> Call:
        form, planes, rows, per = FORMATS[name], 2, s(3, 2), s(5, 3) if FORMATS[name].size < 256 else s(3, 1)
        k, block = per * form.size, form.dtype.itemsize
        x = s.normal((planes, rows, k + 7)).astype(np.float32)
        seen = x[:, :, :k]
        given = {"ne00": k, "ne01": rows, "ne02": planes, "ne03": 1, "nk0": per, "nb00": 4, "nb01": x.strides[1], "nb02": x.strides[0]}
        given |= {"nb03": x.nbytes, "ne0": k, "ne1": rows, "ne2": planes, "ne3": 1, "nb0": block, "nb1": block * per}
        given |= {"nb2": block * per * rows, "nb3": block * per * rows * planes}
        out = quantised(name, np.ascontiguousarray(seen, np.float64))
        if name == "q1_0":
            out.judge = lambda found: signs_only(found, form, seen)
        threads = min(per, 2)
        return Call([ggml.arguments("cpy", **given), x, out], groups=(-(-per // threads) * rows, planes, 1), threadgroup=threads)

    return ggml.case("quantize", f"cpy_f32_{name}", make, "strided")


def signs_only(found: np.ndarray, form, x: np.ndarray) -> None:
    """Of one bit each: the sign, times the mean of the magnitudes."""
    values = form.values(found.view(form.dtype))
    groups = x.reshape(values.shape).astype(np.float64)
    mean = np.abs(groups).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(values, np.where(groups >= 0, mean, -mean), rtol=2.0**-10)


# ---- padding, places and sequences ---------------------------------------------------------------------------------


def pad(is_circular: bool, before: tuple[int, ...], after: tuple[int, ...]) -> Case:
    """Amounts are for the last axis first."""

    def make(s: Sizes) -> Call:
        x = s.normal((2, 3, s(7, 3), s(1030, 9))).astype(np.float32)
        width = list(zip(before, after, strict=True))[::-1]
        result = np.pad(x, width, mode="wrap" if is_circular else "constant")
        lp = {f"lp{i}": n for i, n in enumerate(before)}
        args = ggml.of("pad", {"0": x, "": result}, **lp)
        groups = (-(-result.shape[3] // 1024) * result.shape[2], result.shape[1], result.shape[0])
        return Call([args, x, Out(result)], groups=groups, threadgroup=s(256, 16), constants={ggml.number("FC_PAD"): is_circular})

    return ggml.case("misc", "pad_f32", make, "circular" if is_circular else f"{''.join(map(str, before))}")


def pad_reflected() -> Case:
    def make(s: Sizes) -> Call:
        x = s.normal((2, 1, 3, s(45, 9))).astype(np.float32)
        result = np.pad(x, [(0, 0)] * 3 + [(4, 7)], mode="reflect")
        args = ggml.of("pad_reflect_1d", {"0": x, "": result}, p0=4, p1=7)
        return Call([args, x, Out(result)], groups=result.shape[2::-1], threadgroup=8)

    return ggml.case("misc", "pad_reflect_1d_f32", make)


def roll() -> Case:
    def make(s: Sizes) -> Call:
        x, by = s.normal((2, 3, s(7, 4), s(45, 9))).astype(np.float32), (5, -2, 1, 0)
        result = np.roll(x, by[::-1], axis=(0, 1, 2, 3))
        args = ggml.of("roll", {"0": x, "": result}, **{f"s{i}": n for i, n in enumerate(by)})
        return Call([args, x, Out(result)], groups=x.shape[2::-1], threadgroup=8)

    return ggml.case("misc", "roll_f32", make)


def diagonal() -> Case:
    def make(s: Sizes) -> Call:
        n = s(45, 9)
        x = s.normal((2, 3, 1, n)).astype(np.float32)
        result = np.eye(n, dtype=np.float32) * x
        args = ggml.of("diag", {"0": x, "": result}, nb01=result.strides[2])
        return Call([args, x, Out(result)], groups=result.shape[2::-1], threadgroup=32)

    return ggml.case("misc", "diag_f32", make)


def largest(threads: int) -> Case:
    """Where the largest is; no two are the same."""

    def make(s: Sizes) -> Call:
        rows, n = s(7, 3), s(1000, 77)
        x = np.stack([s.rng.permutation(n) for _ in range(rows)]).astype(np.float32) - n / 2
        x[0] -= 2.0 * n
        args = ggml.arguments("argmax", ne00=n, nb01=x.strides[0])
        return Call([args, x, Out(x.argmax(axis=1), "i32")], groups=rows, threadgroup=threads, threadgroup_memory={0: 256})

    return ggml.case("misc", "argmax_f32", make, f"{threads}")


def sequence() -> Case:
    def make(s: Sizes) -> Call:
        n, start, step = s(301, 37), np.float32(-3.7), np.float32(0.3)
        result = np.float64(start) + np.float64(step) * np.arange(n)
        out = Out(result, bound=(np.abs(result) + np.abs(step * np.arange(n))) * 2.0**-23)
        return Call([ggml.arguments("arange", ne0=n, start=start, step=step), out], groups=1, threadgroup=32)

    return ggml.case("misc", "arange_f32", make)


def timestep(dim: int) -> Case:
    def make(s: Sizes) -> Call:
        n, most, half = s(5, 2), 10000, dim // 2
        x = s.uniform(0, 50, n, "f32")
        frequency = np.exp(-math.log(most) * np.arange(half) / half)
        angle = x[:, None] * frequency
        result = np.zeros((n, dim + 3), np.float32)
        before = np.full(result.shape, 7, np.float32)
        result[:, dim:] = 7
        result[:, :half], result[:, half : 2 * half] = np.cos(angle), np.sin(angle)
        bound = np.zeros(result.shape)
        # The exponent is a product in float; fast exp, then sin and cos of an angle that is off by that.
        off = angle * (np.abs(math.log(most) * np.arange(half) / half) * 6 + 6) * HALF["f32"]
        bound[:, :half] = bound[:, half : 2 * half] = off + 4e-6
        args = ggml.arguments("timestep_embedding", nb1=result.strides[0], dim=dim, max_period=most)
        return Call([args, x.astype(np.float32), Out(result, bound=bound, before=before)], groups=n, threadgroup=16)

    return ggml.case("misc", "timestep_embedding_f32", make, f"{dim}")


def fill() -> Case:
    def make(s: Sizes) -> Call:
        n, value = s(77, 9), -(2**62) - 12345
        before = np.full(n + 8, 3, np.int64)
        result = np.where(np.arange(n + 8) < n, value, 3)
        return Call([ggml.arguments("memset", val=value), Out(result, "i64", EXACT, before)], threads=n, threadgroup=16)

    return ggml.case("misc", "memset_i64", make)


def count_equal() -> Case:
    def make(s: Sizes) -> Call:
        shape, simdgroups = (2, 2, s(5, 3), s(150, 37)), s(4, 2)
        x = s.rng.integers(0, 3, shape).astype(np.int32)
        y = np.ascontiguousarray(s.rng.integers(0, 3, shape[::-1]).astype(np.int32)).T
        args = ggml.of("count_equal", {"0": x, "1": y})
        y_memory = np.ascontiguousarray(y.T)
        out = Out(np.array([10 + (x == y).sum()]), "i32", EXACT, np.array([10], np.int32))
        constants, memory = {ggml.number("FC_COUNT_EQUAL"): simdgroups}, {0: 128}
        return Call([args, x, y_memory, out], groups=shape[2::-1], threadgroup=32 * simdgroups, threadgroup_memory=memory, constants=constants)

    return ggml.case("misc", "count_equal_i32", make)


# ---- functions of elements and rows --------------------------------------------------------------------------------


def snake(t: str) -> Case:
    def make(s: Sizes) -> Call:
        channels, n = s(5, 3), s(77, 13)
        x, a, inverse = s.normal((channels, n), t), s.uniform(0.2, 2, (channels, 1), "f32"), s.uniform(0.5, 3, (channels, 1), "f32")
        sine = np.sin(a * x)
        result = x + sine**2 * inverse
        bound = np.abs(result) * HALF[t] * (t != "f32") + inverse * (2 * np.abs(sine) + 1e-5) * (2e-6 + 2 * np.abs(a * x) * HALF["f32"]) + np.abs(x) * 2.0**-22
        args = ggml.arguments("snake", T=n, C=channels)
        data = [encode(x, t), a.astype(np.float32), inverse.astype(np.float32)]
        return Call([args, *data, Out(result, t, bound=bound)], groups=-(-x.size // 32), threadgroup=32)

    return ggml.case("misc", f"snake_{t}", make)


def hadamard(t: str, n: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, simdgroups = s(5, 3), 2 if n < 512 else 8
        x = s.normal((rows, n), t)
        h = np.ones((1, 1))
        while len(h) < n:
            h = np.block([[h, h], [h, -h]])
        result = x @ h / n**0.5
        # One addition for each bit, of numbers whose squares add up to what the row's do.
        norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
        bound = np.broadcast_to(norm * HALF["f32"] * (np.log2(n) + 3) * 2, result.shape)
        groups = rows if n >= 512 else -(-rows // simdgroups)
        return Call([ggml.arguments("fwht", nrows=rows), encode(x, t), Out(result, bound=bound)], groups=groups, threadgroup=32 * simdgroups)

    return ggml.case("misc", f"fwht_{t}_{n}", make)


def gated_limited(name: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, n, alpha, limit = s(7, 3), s(130, 40), 1.702, 2.5
        x = s.uniform(-4, 4, (rows, 2 * n), t)
        gate, up = np.minimum(x[:, :n], limit), np.clip(x[:, n:], -limit, limit)
        if name == "swiglu_oai":
            result, factor = gate / (1 + np.exp(-gate * np.float32(alpha))) * (1 + up), np.abs(1 + up) + 1
        else:
            result, factor = gate / (1 + np.exp(-gate)) * up, np.abs(up)
        bound = (np.abs(result) * 48 + np.abs(gate) * factor * 2) * HALF["f32"] + np.abs(result) * HALF[t] * (t != "f32")
        bound += 2.0**-25 * (t == "f16")
        stored = encode(x, t)
        row = stored.strides[0]
        values = {"ne00": 2 * n, "nb01": row, "ne10": 2 * n, "nb11": row, "ne0": n, "nb1": row // 2, "i00": 0, "i10": n}
        args = ggml.arguments("glu", **values, alpha=alpha, limit=limit)
        return Call([args, stored, stored, Out(result, t, bound=bound)], groups=rows, threadgroup=32)

    return ggml.case("unary", f"{name}_{t}", make)


def silu_back() -> Case:
    def make(s: Sizes) -> Call:
        n = s(301, 37)
        dy, x = s.normal(n), s.uniform(-6, 6, n)
        sigmoid = 1 / (1 + np.exp(-x))
        result = dy * sigmoid * (1 + x * (1 - sigmoid))
        bound = np.abs(dy) * sigmoid * (1 + np.abs(x)) * 64 * HALF["f32"]
        data = [dy.astype(np.float32), x.astype(np.float32)]
        dy, x = (v.astype(np.float64) for v in data)
        return Call([ggml.arguments("silu_back", ne=n), *data, Out(result, bound=bound)], groups=-(-n // 32), threadgroup=32)

    return ggml.case("unary", "silu_back_f32", make)


def sum_all(threads: int) -> Case:
    def make(s: Sizes) -> Call:
        n = s(5003, 301)
        x = s.normal(n).astype(np.float32)
        bound = np.abs(x).sum() * HALF["f32"] * (n / threads + 16)
        out = Out(np.array([x.astype(np.float64).sum()]), bound=np.array([bound]))
        return Call([ggml.arguments("sum", np=n), x, out], groups=1, threadgroup=threads, threadgroup_memory={0: 128})

    return ggml.case("reduce", "op_sum_f32", make, f"{threads}")


def add_block_sums() -> Case:
    """The last step of a running sum: what all blocks before add up to is added to each."""

    def make(s: Sizes) -> Call:
        n, threads, rows, planes = s(150, 37), s(32, 8), 3, 2
        count = -(-n // threads)
        x, before = s.normal((planes, rows, count)).astype(np.float32), s.normal((planes, rows, n)).astype(np.float32)
        block = np.arange(n) // threads
        result = before + np.where(block > 0, x[:, :, np.maximum(block - 1, 0)], np.float32(0))
        values = {"ne00": n, "ne01": rows, "ne02": planes, "ne03": 1, "net0": count, "net1": rows, "net2": planes, "net3": 1}
        values |= {"nbt0": 4, "nbt1": x.strides[1], "nbt2": x.strides[0], "nbt3": x.nbytes}
        args = ggml.arguments("cumsum_add", **values)
        return Call([args, x, Out(result, "f32", EXACT, before)], groups=(count * rows, planes, 1), threadgroup=threads)

    return ggml.case("reduce", "cumsum_add_f32", make)


def balanced() -> Case:
    """Square tables whose rows and columns are made to add up to one, in turns."""

    def make(s: Sizes) -> Call:
        tokens, turns, eps = s(7, 3), 5, 1e-3
        mixes, scale, base = s.normal((tokens, 24), scale=2.0), s.uniform(0.5, 2, 3), s.normal(24)
        mixes, scale, base = (v.astype(np.float32) for v in (mixes, scale, base))
        v = mixes[:, 8:].astype(np.float64) * scale[2] + base[8:]
        v = v.reshape(tokens, 4, 4)
        v = np.exp(v - v.max(axis=2, keepdims=True))
        v = v / v.sum(axis=2, keepdims=True) + eps
        v = v / (v.sum(axis=1, keepdims=True) + eps)
        for _ in range(turns - 1):
            v = v / (v.sum(axis=2, keepdims=True) + eps)
            v = v / (v.sum(axis=1, keepdims=True) + eps)
        values = {"n_tokens": tokens, "n_iter": turns, "nb_m0": 4, "nb_m1": 96, "nb_s0": 4, "nb_b0": 4, "nb_d0": 4, "nb_d1": 16, "nb_d2": 64}
        out = Out(v, bound=v * HALF["f32"] * (64 + 12 * turns) * 8)
        args = ggml.arguments("dsv4_hc_comb", **values, eps=eps)
        return Call([args, mixes, scale, base, out], groups=-(-tokens // 2), threadgroup=(32, 2))

    return ggml.case("misc", "dsv4_hc_comb_f32", make)


def streams_in(is_gated: bool) -> Case:
    """Streams are added up with weights."""

    def make(s: Sizes) -> Call:
        tokens, n, streams, scale = s(3, 2), s(150, 37), 4, 1.5
        x = s.normal((tokens, streams, n)).astype(np.float32)
        w = s.normal((tokens, streams, n) if is_gated else (tokens, streams)).astype(np.float32)
        factor = 1 / (1 + np.exp(-w.astype(np.float64))) if is_gated else w.astype(np.float64)[..., None]
        result, size = (x * factor).sum(axis=1) * scale, (np.abs(x) * np.abs(factor)).sum(axis=1) * scale
        values = {"n_embd": n, "n_tokens": tokens, "nb_x0": 4, "nb_x1": x.strides[1], "nb_x2": x.strides[0], "nb_d0": 4, "nb_d1": 4 * n}
        values |= {"nb_w0": 4, "nb_w1": w.strides[1] if is_gated else w.strides[0], "nb_w2": w.strides[0]}
        args = ggml.arguments("dsv4_hc_pre", **values, scale=scale)
        out = Out(result, bound=size * HALF["f32"] * (48 if is_gated else 8))
        constants = {ggml.number("FC_DSV4_HC"): streams}
        return Call([args, x, w, out], groups=(-(-n // 64), tokens, 1), threadgroup=(32, 2), constants=constants)

    return ggml.case("misc", f"dsv4_hc_pre_{'gated_' if is_gated else ''}f32", make)


def streams_out(is_combined: bool) -> Case:
    """A layer's result goes into each stream, and the streams are mixed."""

    def make(s: Sizes) -> Call:
        tokens, n, streams = s(3, 2), s(150, 37), 4
        x, r = s.normal((tokens, n)).astype(np.float32), s.normal((tokens, streams, n)).astype(np.float32)
        post, comb = s.normal((tokens, streams)).astype(np.float32), s.normal((tokens, streams, streams)).astype(np.float32)
        matrix = comb.astype(np.float64) if is_combined else np.broadcast_to(np.eye(streams), comb.shape)
        result = np.einsum("tn,td->tdn", x, post) + np.einsum("tsn,tsd->tdn", r, matrix)
        size = np.einsum("tn,td->tdn", np.abs(x), np.abs(post)) + np.einsum("tsn,tsd->tdn", np.abs(r), np.abs(matrix))
        values = {"n_embd": n, "n_tokens": tokens, "nb_x0": 4, "nb_x1": 4 * n, "nb_r0": 4, "nb_r1": r.strides[1], "nb_r2": r.strides[0]}
        values |= {"nb_p0": 4, "nb_p1": 16, "nb_c0": 4, "nb_c1": 16, "nb_c2": 64, "nb_d0": 4, "nb_d1": r.strides[1], "nb_d2": r.strides[0]}
        out = Out(result, bound=size * HALF["f32"] * 8)
        data = [x, r, post, *([comb] if is_combined else []), out]
        return Call([ggml.arguments("dsv4_hc_post", **values), *data], groups=(-(-n // 64), tokens, 1), threadgroup=(32, 2))

    return ggml.case("misc", f"dsv4_hc_post_{'' if is_combined else 'nocomb_'}f32", make)


# ---- convolutions and images ---------------------------------------------------------------------------------------


def fold(t: str) -> Case:
    """Columns are added to the places that they were taken from; some places at the beginning are not wanted."""

    def make(s: Sizes) -> Call:
        channels, k, length, stride, cropped = s(5, 2), 4, s(13, 5), 3, 2
        col = s.normal((length, channels, k), t)
        full, size = np.zeros((2, channels, (length - 1) * stride + k))
        for i in range(length):
            full[:, i * stride : i * stride + k] += col[i]
            size[:, i * stride : i * stride + k] += np.abs(col[i])
        full, size = full[:, cropped:], size[:, cropped:]
        values = {"T_in": length, "T_out": full.shape[1], "OC": channels, "K": k, "K_OC": k * channels, "s0": stride, "p0": cropped}
        out = Out(full, t, bound=np.abs(full) * HALF[t] + size * 2 * HALF["f32"])
        return Call([ggml.arguments("col2im_1d", **values), encode(col, t), out], groups=-(-full.size // 32), threadgroup=32)

    return ggml.case("conv", f"col2im_1d_{t}", make)


def convolution_3d(t: str) -> Case:
    def make(s: Sizes) -> Call:
        batch, ic, oc, image, k = s(2, 1), s(3, 2), s(4, 2), (s(6, 4), s(5, 4), s(9, 5)), (3, 2, 3)
        stride, padding, dilation = (1, 1, 2), (1, 0, 2), (1, 2, 1)
        x, w = s.normal((batch, ic, *image)).astype(np.float32), s.normal((oc, ic, *k), t)
        seen = windows(x.astype(np.float64), k, stride, padding, dilation)
        result = np.einsum("ncdhwxyz,ocxyz->nodhw", seen, w)
        magnitude = np.einsum("ncdhwxyz,ocxyz->nodhw", np.abs(seen), np.abs(w))
        stored, out = encode(w, t), np.zeros(result.shape, np.float32)
        values = {f"{n}{a}": v for n, size in (("I", image), ("O", result.shape[2:]), ("K", k)) for a, v in zip("DHW", size, strict=True)}
        values |= {f"{n}{i}": v for n, size in (("s", stride), ("p", padding), ("d", dilation)) for i, v in enumerate(size[::-1])}
        for n, a in (("0", stored), ("1", x), ("", out)):
            # Channels of all images, or of all results, are one axis.
            values |= {f"nb{n}{i}": v for i, v in enumerate(a.strides[:0:-1])}
        values |= {"IC": ic, "N": batch, "OC": oc}
        places = int(np.prod(result.shape[2:]))
        call = [ggml.arguments("conv_3d", **values), stored, x, sums(result, magnitude, ic * int(np.prod(k)))]
        return Call(call, groups=(-(-places // 32), oc, batch), threadgroup=32)

    return ggml.case("conv", f"conv_3d_{t}_f32", make)


def bicubic() -> Case:
    """Enlarged with the cubic whose slope at the first neighbor is -0.75; what is outside is as at the edge."""

    def kernel(x: np.ndarray) -> np.ndarray:
        a, x = -0.75, np.abs(x)
        near = (a + 2) * x**3 - (a + 3) * x**2 + 1
        far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
        return np.where(x <= 1, near, np.where(x < 2, far, 0))

    def matrix(n: int, factor: int) -> np.ndarray:
        at = (np.arange(n * factor) + 0.5) / factor - 0.5
        out = np.zeros((n * factor, n))
        for i in range(-1, 3):
            place = np.floor(at).astype(int) + i
            np.add.at(out, (np.arange(n * factor), np.clip(place, 0, n - 1)), kernel(at - place))
        return out

    def make(s: Sizes) -> Call:
        x, (fy, fx) = s.normal((1, s(3, 2), s(7, 3), s(9, 4))).astype(np.float32), (3, 2)
        rows, across = matrix(x.shape[2], fy), matrix(x.shape[3], fx)
        result = rows @ x.astype(np.float64) @ across.T
        bound = np.full(result.shape, np.abs(x).max() * 64 * HALF["f32"] * max(result.shape[2:]))
        out = np.zeros(result.shape, np.float32)
        args = ggml.of("upscale", {"0": x, "": out}, sf0=fx, sf1=fy, sf2=1, sf3=1, poffs=0.5)
        return Call([args, x, Out(result, bound=bound)], groups=result.shape[2::-1], threadgroup=8)

    return ggml.case("upscale", "upscale_bicubic_f32", make)


# ---- products ------------------------------------------------------------------------------------------------------


def mat_vec(t: str, u: str, form: str) -> Case:
    """Plain matrices with plain vectors, whole vectors of four or short rows."""

    def make(s: Sizes) -> Call:
        n, batches = s(19, 7), 2
        k = {"": s(203, 77), "_4": s(260, 132), "_short": s(29, 13)}[form]
        w, x = s.normal((n, k), t), s.normal((batches, k), u)
        sw, sx = encode(w, t), encode(x, u)
        values = {"ne00": k, "ne01": n, "ne02": 1, "nb00": sw.itemsize, "nb01": sw.strides[0], "nb02": sw.nbytes, "nb03": sw.nbytes}
        values |= {"ne10": k, "ne11": batches, "ne12": 1, "nb10": sx.itemsize, "nb11": sx.strides[0], "nb12": sx.nbytes, "nb13": sx.nbytes}
        values |= {"ne0": n, "ne1": batches, "nr0": 2, "r2": 1, "r3": 1}
        # Where both are of the same small type, so are products.
        unit = HALF["f32"] * (k / 8 + 16) + (t == u != "f32" and form != "_short") * HALF[t]
        out = Out(x @ w.T, bound=np.abs(x) @ np.abs(w).T * unit)
        fc, simdgroups = ggml.number("FC_MUL_MV"), 1 if form == "_short" else 2
        constants = {fc: simdgroups, fc + 2: 1, fc + 3: 1, fc + 4: 1, fc + 5: False}
        # Rows come in pairs; of the last one only what exists is written.
        padded = np.concatenate([sw.reshape(-1), np.zeros(2 * k, sw.dtype)])
        groups = (-(-n // 32), batches, 1) if form == "_short" else (-(-n // 2), batches, 1)
        arguments = [ggml.arguments("mul_mv", **values), padded, sx, out]
        return Call(arguments, groups=groups, threadgroup=(32, simdgroups, 1), threadgroup_memory={0: 8192}, constants=constants)

    return ggml.case("mul_mv", f"mul_mv_{t}_{u}{form}", make)


def by_tiles(name: str, tiles: int, rows_of_tiles: int, is_added: bool = False) -> Case:
    """A few vectors at once, as 8 by 8 tiles whose elements threads set themselves."""

    def make(s: Sizes) -> Call:
        n, m, simdgroups = s(8 * tiles + 11, 8 * tiles + 3), 8 * rows_of_tiles - 3, s(4, 2)
        k, b, w, stride, x, out = product(s, name, n, m, 0, 64)
        exact, magnitude = x.astype(np.float64) @ w.T, np.abs(x).astype(np.float64) @ np.abs(w).T
        residual = s.normal((m, n)).astype(np.float32)
        # Quants may be made floats as 1024 + q, from which 1024 times the sum of the vector is taken again; weights of other
        # formats are rounded to half.
        steps = np.abs(w).max() * np.abs(x).sum(axis=1, keepdims=True) * 1024 / 7 * HALF["f32"]
        bound = magnitude * (2.0**-10 if name not in ("q4_0", "q8_0", "q5_K") else 2.0**-19) + steps
        out = Out(exact + residual * is_added, bound=bound + np.abs(residual) * 2 * HALF["f32"])
        size = FORMATS[name].dtype.itemsize
        values = {"ne00": k, "ne01": n, "ne02": 1, "nb00": size, "nb01": stride, "nb02": stride * n, "nb03": stride * n}
        values |= {"ne10": k, "ne11": m, "ne12": 1, "nb10": 4, "nb11": 4 * k, "nb12": 4 * k * m, "nb13": 4 * k * m}
        values |= {"ne0": n, "ne1": m, "r2": 1, "r3": 1}
        fc = ggml.number("FC_MUL_MV_MMA")
        constants = {fc: simdgroups, fc + 1: 1, fc + 2: 1, fc + 3: 1, fc + 4: k, fc + 5: is_added}
        groups = (-(-n // (8 * tiles)), -(-m // (8 * rows_of_tiles)), 1)
        memory = {0: simdgroups * tiles * rows_of_tiles * 256}
        arguments = [ggml.arguments("mul_mv_ext", **values), b, x, out, residual]
        return Call(arguments, groups=groups, threadgroup=(32, simdgroups, 1), threadgroup_memory=memory, constants=constants)

    note = "added" if is_added else ""
    return ggml.case("mul_mv_mma", f"mul_mv_mma_{name}_f32_nt{tiles}_rt{rows_of_tiles}", make, note)


MADE_OF = ("q1_0", "q2_0", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "tq2_0")
CASES = (
    [convert(*p.split("_")) for p in ("f32_f32", "f32_f16", "f32_i32", "i32_f32", "i32_i32", "f32_bf16", "f16_f32", "f16_f16", "bf16_f32", "bf16_bf16")]
    + [join(t, i % 4) for i, t in enumerate(("f32", "f16", "bf16", "i8", "i16", "i32", "i64", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"))]
    + [repeat(t) for t in ("f32", "f16", "bf16", "i32", "i16")]
    + [set_rows(t, i, u) for t, u in (("f32", "f32"), ("f32", "f16"), ("f32", "bf16"), ("f16", "f16"), ("bf16", "bf16")) for i in ("i32", "i64")]
    + [set_rows_of_blocks(i) for i in ("i32", "i64")] + [from_blocks(n, t) for n in MADE_OF for t in ("f32", "f16")]
    + [to_blocks(n) for n in (*MADE_OF, "iq4_nl")]
    + [pad(False, (0, 0, 0, 0), (3, 2, 1, 0)), pad(False, (2, 1, 0, 1), (5, 0, 2, 0)), pad(True, (2, 1, 0, 1), (5, 1, 2, 0))]
    + [pad_reflected(), roll(), diagonal(), sequence(), fill(), count_equal(), silu_back(), balanced(), bicubic(), add_block_sums()]
    + [largest(n) for n in (32, 128)] + [timestep(n) for n in (32, 25)] + [snake(t) for t in HALF]
    + [hadamard(t, n) for t, n in (("f32", 64), ("f16", 128), ("f32", 256), ("f32", 512), ("f16", 1024), ("f16", 2048), ("f32", 4096))]
    + [gated_limited(name, t) for name in ("swiglu_oai", "swiglu_clamp") for t in ("f32", "f16")] + [sum_all(n) for n in (32, 256)]
    + [streams_in(g) for g in (False, True)] + [streams_out(c) for c in (False, True)]
    + [fold(t) for t in HALF] + [convolution_3d(t) for t in ("f32", "f16")]
    + [mat_vec(t, u, f) for t, u in (("f32", "f32"), ("f16", "f16"), ("bf16", "f32"), ("bf16", "bf16"), ("f32", "bf16")) for f in ("", "_4", "_short")]
    + [by_tiles(n, (1, 2, 4)[i % 3], 1 + i % 2) for i, n in enumerate(("q4_0", "q8_0", "q5_K", "q4_1", "q5_0", "q5_1", "q4_K", "q6_K", "f16", "f32"))]
    + [by_tiles("q4_0", 2, 2), by_tiles("q8_0", 4, 1, True), by_tiles("q8_0", 1, 2), by_tiles("q5_K", 4, 2), by_tiles("q4_0", 4, 2, True)]
)  # fmt: skip

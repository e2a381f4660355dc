"""ggml: products with a few vectors and with chosen experts, copies to and from quantised formats, RWKV 7, enlarged images,
steps of optimisers, transposed convolutions in two dimensions."""

from __future__ import annotations

import ggml
import numpy as np
from harness import Call, Case, Out, Sizes, check
from quant import FORMATS, blocks, matrix
from test_quantized import bounded, columns, product

HALF = 2.0**-24


def test_ggml_models(case, device):
    check(case, device)


# ---- products ------------------------------------------------------------------------------------------------------


def few(name: str, vectors: int, nx: int) -> Case:
    """A matrix with 2 to 5 vectors at once; ``nx`` threads share a row."""

    def make(s: Sizes) -> Call:
        n, m = s(21, 9), vectors + 1
        # Threads take four chunks each, and the formats come in whole blocks.
        k, b, w, stride, x, out = product(s, name, n, m, 2.0**-23, max(4 * 4 * nx, FORMATS[name].size))
        size = FORMATS[name].dtype.itemsize
        values = {"ne00": k, "ne01": n, "ne02": 1, "nb00": size, "nb01": stride, "nb02": stride * n, "nb03": stride * n}
        values |= {"ne10": k, "ne11": m, "ne12": 1, "nb10": 4, "nb11": 4 * k, "nb12": 4 * k * m, "nb13": 4 * k * m}
        values |= {"ne0": n, "ne1": m, "r2": 1, "r3": 1}
        fc, simdgroups = ggml.number("FC_MUL_MV"), 2
        constants = {fc: simdgroups, fc + 1: nx, fc + 2: 1, fc + 3: 1, fc + 4: 1, fc + 5: False}
        groups = (-(-n // (32 // nx * simdgroups)), -(-m // vectors), 1)
        return Call([ggml.arguments("mul_mv_ext", **values), b, x, out], groups=groups, threadgroup=(32, simdgroups, 1), constants=constants)

    return ggml.case("mul_mv", f"mul_mv_ext_{name}_f32_r1_{vectors}", make, f"{nx}")


def experts(name: str) -> Case:
    """Each token's vector with the matrices of the experts that it chose."""

    def make(s: Sizes) -> Call:
        n, count, chosen, tokens = s(19, 7), 4, 2, s(3, 2)
        k = columns(s, name)
        b, w, stride = matrix(s.rng, name, n * count, k)
        w = w.reshape(count, n, k)
        x = s.normal((tokens, chosen, k)).astype(np.float32)
        ids = np.stack([s.rng.permutation(count)[:chosen] for _ in range(tokens)]).astype(np.int32)
        exact = np.einsum("tcnk,tck->tcn", w[ids], x.astype(np.float64))
        magnitude = np.einsum("tcnk,tck->tcn", np.abs(w[ids]), np.abs(x).astype(np.float64))
        is_plain = FORMATS[name].size == 1
        per_group = 2 if is_plain else ggml.number(f"N_R0_{name.upper()}")
        simdgroups = min(4, (k + 127) // 128) if is_plain else ggml.number(f"N_SG_{name.upper()}")
        in_groups = per_group if is_plain or name == "q8_0" else per_group * simdgroups
        values = {"nei0": chosen, "nei1": tokens, "nbi1": 4 * chosen, "ne00": k, "ne01": n, "ne02": count, "nb00": FORMATS[name].dtype.itemsize}
        values |= {"nb01": stride, "nb02": stride * n, "ne10": k, "ne11": chosen, "ne12": tokens, "ne13": 1, "nb10": 4, "nb11": 4 * k}
        values |= {"nb12": 4 * k * chosen, "ne0": n, "ne1": chosen, "nb1": 4 * n, "nr0": per_group}
        fc = ggml.number("FC_MUL_MV")
        constants = {fc: simdgroups, fc + 2: 1, fc + 3: 1, fc + 4: 1, fc + 5: False}
        padded = np.concatenate([b.view(np.uint8).reshape(-1), np.zeros(32 * stride, np.uint8)])
        arguments = [ggml.arguments("mul_mv_id", **values), padded, x, bounded(exact, magnitude * (2.0**-23 + 2.0**-20)), ids]
        groups = (-(-n // in_groups), 1, chosen * tokens)
        return Call(arguments, groups=groups, threadgroup=(32, simdgroups, 1), threadgroup_memory={0: 8192}, constants=constants)

    return ggml.case("mul_mv", f"mul_mv_id_{name}_f32", make)


# ---- quantising ----------------------------------------------------------------------------------------------------


def quantised(name: str, x: np.ndarray) -> Out:
    """Blocks that stand for these values: each is as near as the format's steps in its block allow."""
    form = FORMATS[name]
    groups = x.reshape(-1, form.size)
    low, high, most = groups.min(axis=1), groups.max(axis=1), np.abs(groups).max(axis=1)
    # Steps between the values of a block. With a scale that is the largest value over a power of two, the opposite end
    # is one step short; the non-linear format's widest steps are at its ends.
    steps = {
        "q8_0": most / 127, "q4_0": most / 8 * 2, "q5_0": most / 16 * 2, "q4_1": (high - low) / 15, "q5_1": (high - low) / 31,
        "iq4_nl": most / 127 * 24 * 2, "q1_0": 4 * most, "q2_0": 4 * most, "tq2_0": most,
    }[name]  # fmt: skip
    bound = (steps * 0.5 + most * 2.0**-10)[:, None]

    def judge(found: np.ndarray) -> None:
        values = form.values(found.view(form.dtype)).reshape(groups.shape)
        wrong = ~(np.abs(values - groups) <= bound)
        assert not wrong.any(), (np.argwhere(wrong)[:5], values[wrong][:5], groups[wrong][:5])

    count = groups.shape[0] * form.dtype.itemsize
    return Out(np.zeros(count, np.uint8), "u8", judge=judge)


def copy_extents(ne: tuple[int, int], stride: int, size: int, to_size: int, to_stride: int) -> dict[str, int]:
    k, rows = ne
    values = {"ne00": k, "ne01": rows, "ne02": 1, "ne03": 1, "nb00": size, "nb01": stride, "nb02": stride * rows, "nb03": stride * rows}
    return values | {"ne0": k, "ne1": rows, "ne2": 1, "ne3": 1, "nb0": to_size, "nb1": to_stride, "nb2": to_stride * rows, "nb3": to_stride * rows}


def to_quantised(name: str) -> Case:
    def make(s: Sizes) -> Call:
        form, rows = FORMATS[name], s(5, 2)
        k = form.size * s(5, 3)
        x = s.normal((rows, k)).astype(np.float32)
        nk = k // form.size
        values = copy_extents((k, rows), 4 * k, 4, form.dtype.itemsize, nk * form.dtype.itemsize) | {"nk0": nk}
        threads = min(nk, 4)
        groups = (-(-nk // threads) * rows, 1, 1)
        return Call([ggml.arguments("cpy", **values), x, quantised(name, x.astype(np.float64))], groups=groups, threadgroup=threads)

    return ggml.case("quantize", f"cpy_f32_{name}", make)


def from_quantised(name: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        form, rows = FORMATS[name], s(5, 2)
        k = form.size * s(5, 3)
        b = blocks(s.rng, name, rows * k // form.size)
        values = form.values(b).reshape(rows, k)
        width = {"f32": 4, "f16": 2}[t]
        given = copy_extents((k, rows), k // form.size * form.dtype.itemsize, form.dtype.itemsize, width, width * k) | {"nk0": k // 16}
        bound = np.abs(values) * (2.0**-10 if t == "f16" else 2.0**-22) + np.abs(values).max() * 2.0**-20 + (t == "f16") * 2.0**-24
        threads = min(k // 16, 8)
        groups = (-(-(k // 16) // threads) * rows, 1, 1)
        return Call([ggml.arguments("cpy", **given), b, bounded(values, bound, t)], groups=groups, threadgroup=threads)

    return ggml.case("quantize", f"cpy_{name}_{t}", make)


def set_rows(name: str, index: str) -> Case:
    """Rows that go to chosen places of a quantised matrix."""

    def make(s: Sizes) -> Call:
        form, rows, total = FORMATS[name], s(5, 3), s(9, 4)
        k = form.size * s(3, 2)
        x = s.normal((rows, k)).astype(np.float32)
        ids = s.rng.permutation(total)[:rows].astype({"i32": np.int32, "i64": np.int64}[index])
        stride = k // form.size * form.dtype.itemsize
        part = quantised(name, x.astype(np.float64))
        before = np.full(total * stride, 0xA5, np.uint8)

        def judge(found: np.ndarray) -> None:
            table = found.reshape(total, stride)
            part.judge(np.ascontiguousarray(table[ids]).reshape(-1))
            rest = np.setdiff1d(np.arange(total), ids)
            np.testing.assert_array_equal(table[rest], 0xA5)

        values = {"nk0": k // form.size, "ne01": rows, "nb01": 4 * k, "nb02": 4 * k * rows, "nb03": 4 * k * rows, "ne11": 1, "ne12": 1}
        size = ids.itemsize
        values |= {"nb10": size, "nb11": size * rows, "nb12": size * rows, "nb1": stride, "nb2": stride * total, "nb3": stride * total}
        out = Out(before, "u8", before=before, judge=judge)
        return Call([ggml.arguments("set_rows", **values), x, ids, out], groups=(-(-rows // 2), 1, 1), threadgroup=(2, 2, 1))

    return ggml.case("quantize", f"set_rows_f32_{index}_{name}", make)


# ---- others --------------------------------------------------------------------------------------------------------


def wkv7() -> Case:
    """RWKV 7: the state is decayed, corrected along a direction, and gets a product of key and value."""

    def make(s: Sizes) -> Call:
        batch, heads, tokens, size = s(2, 1), 2, s(5, 2), 64
        shape = (batch, tokens, heads, size)
        r, k, v = (s.normal(shape, scale=0.5) for _ in range(3))
        w = s.uniform(0.2, 0.9, shape)
        a, b = (s.normal(shape, scale=0.1) for _ in range(2))
        state = s.normal((batch, heads, size, size), scale=0.5)
        result, bound = np.zeros(shape), np.zeros(shape)
        now, wrong = state.copy(), np.zeros(state.shape)
        for i in range(tokens):
            # By row of the state, which is a thread; columns are summed over.
            at = [x[:, i, :, None, :] for x in (r, w, k, a, b)]
            sums, size_of = (at[3] * now).sum(-1, keepdims=True), (np.abs(at[3]) * np.abs(now)).sum(-1, keepdims=True)
            terms = now * at[1], at[2] * v[:, i, :, :, None], sums * at[4]
            carried = (np.abs(at[3]) * wrong).sum(-1, keepdims=True)
            wrong = wrong * at[1] + sum(map(np.abs, terms)) * 4 * HALF + (size_of * HALF * 24 + carried) * np.abs(at[4])
            now = sum(terms)
            result[:, i] = (now * at[0]).sum(-1)
            bound[:, i] = (np.abs(now * at[0]) * HALF * 40 + wrong * np.abs(at[0])).sum(-1)
        out = Out(np.concatenate([result.reshape(-1), now.reshape(-1)]), bound=np.concatenate([bound.reshape(-1), wrong.reshape(-1) + 1e-9]))
        data = [x.astype(np.float32) for x in (r, w, k, v, a, b, state)]
        numbers = [np.uint32(n) for n in (batch, batch * tokens, heads * size, heads)]
        return Call([*data, out, *numbers], groups=batch * heads, threadgroup=size)

    return ggml.case("wkv", "rwkv_wkv7_f32", make)


def enlarge(how: str, is_aligned: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        planes, (h, w), (fy, fx) = s(3, 2), (s(7, 3), s(9, 4)), (3, 2)
        x = s.normal((1, planes, h, w)).astype(np.float32)
        big = (h * fy, w * fx)
        scale = [(n - 1) / (m - 1) for n, m in zip(big, (h, w), strict=True)] if is_aligned else [fy, fx]
        shift = 0.0 if is_aligned else 0.5
        if how == "nearest":
            result, bound = x.repeat(fy, axis=2).repeat(fx, axis=3), np.zeros((1, planes, *big))
        else:
            # In float, as the kernel: which pixels are neighbors may depend on the last bit.
            at = [((np.arange(n, dtype=np.float32) + np.float32(shift)) / np.float32(f) - np.float32(shift)) for n, f in zip(big, scale, strict=True)]
            low = [np.clip(np.floor(p), 0, n - 1).astype(int) for p, n in zip(at, (h, w), strict=True)]
            up = [np.clip(i + 1, 0, n - 1) for i, n in zip(low, (h, w), strict=True)]
            t = [np.clip(p - i, 0, 1).astype(np.float64) for p, i in zip(at, low, strict=True)]
            rows = x[:, :, low[0]] * (1 - t[0])[:, None] + x[:, :, up[0]] * t[0][:, None]
            result = rows[..., low[1]] * (1 - t[1]) + rows[..., up[1]] * t[1]
            bound = np.full(result.shape, np.abs(x).max() * 32 * HALF * max(big))
        out = np.zeros(result.shape, np.float32)
        args = ggml.of("upscale", {"0": x, "": out}, sf0=scale[1], sf1=scale[0], sf2=1, sf3=1, poffs=shift)
        constants = None if how == "nearest" else {ggml.number("FC_UPSCALE"): False}
        return Call([args, x, Out(result, bound=bound)], groups=(big[0], planes, 1), threadgroup=8, constants=constants)

    return ggml.case("upscale", f"upscale_{how}_f32", make, "aligned" if is_aligned else "")


def step(name: str) -> Case:
    def make(s: Sizes) -> Call:
        n = s(1001, 77)
        x, g = s.normal(n), s.normal(n)
        if name == "sgd":
            rate, decay = 0.01, 0.1
            result = x * (1 - rate * decay) - rate * g
            out = Out(result, before=x.astype(np.float32), bound=(np.abs(x) + np.abs(rate * g)) * 8 * HALF)
            data = [out, g.astype(np.float32), np.array([rate, decay], np.float32)]
        else:
            m, v = s.normal(n, scale=0.1), s.uniform(0, 1, n)
            rate, b1, b2, eps, decay, h1, h2 = np.array([0.01, 0.9, 0.99, 1e-8, 0.1, 1.2, 1.1], np.float32).astype(np.float64)
            first, second = m * b1 + g * (1 - b1), v * b2 + g * g * (1 - b2)
            change = rate * first * h1 / (np.sqrt(second * h2) + eps)
            outs = [
                Out(x * (1 - rate * decay) - change, before=x.astype(np.float32), bound=(np.abs(x) + np.abs(change) + rate) * 64 * HALF),
                Out(first, before=m.astype(np.float32), bound=(np.abs(m) + np.abs(g)) * 8 * HALF),
                Out(second, before=v.astype(np.float32), bound=(v + g * g) * 8 * HALF),
            ]
            data = [outs[0], g.astype(np.float32), *outs[1:], np.array([rate, b1, b2, eps, decay, h1, h2], np.float32)]
        return Call([ggml.arguments(f"opt_step_{name}", np=n), *data], groups=-(-n // 64), threadgroup=64)

    return ggml.case("misc", f"opt_step_{name}_f32", make)


def transposed(t: str) -> Case:
    def make(s: Sizes) -> Call:
        n, ic, oc, h, w, kh, kw, stride = s(2, 1), s(3, 2), s(4, 2), s(5, 3), s(6, 4), 3, 2, 2
        x, weights = s.normal((n, ic, h, w)).astype(np.float32), s.normal((ic, oc, kh, kw), t)
        shape = (n, oc, (h - 1) * stride + kh, (w - 1) * stride + kw)
        result, magnitude = np.zeros(shape), np.zeros(shape)
        for i in range(kh):
            for j in range(kw):
                part = slice(i, i + (h - 1) * stride + 1, stride), slice(j, j + (w - 1) * stride + 1, stride)
                result[:, :, part[0], part[1]] += np.einsum("nchw,co->nohw", x, weights[:, :, i, j])
                magnitude[:, :, part[0], part[1]] += np.einsum("nchw,co->nohw", np.abs(x), np.abs(weights[:, :, i, j]))
        out = np.zeros(shape, np.float32)
        names = {"IC": ic, "IH": h, "IW": w, "KH": kh, "KW": kw, "OC": oc, "s0": stride}
        args = ggml.arguments("conv_transpose_2d", **names, nb0=4, nb1=out.strides[2], nb2=out.strides[1], nb3=out.strides[0])
        stored = weights.astype({"f32": np.float32, "f16": np.float16}[t])
        arguments = [args, stored, x, Out(result, bound=magnitude * HALF * (ic * kh * kw + 4) + 1e-9)]
        return Call(arguments, groups=(shape[3], shape[2], oc * n), threadgroup=(kw, kh, 1), threadgroup_memory={0: 4 * kw * kh})

    return ggml.case("conv", f"conv_transpose_2d_{t}_f32", make)


SMALL = ("q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "iq4_nl")
CASES = (
    [few(name, 2 + i % 4, (4, 8, 16)[i % 3]) for i, name in enumerate(("f32", "f16", "bf16", *SMALL, "mxfp4", "q4_K", "q5_K", "q6_K"))]
    + [few("q8_0", r, 8) for r in (2, 3, 4, 5)]
    + [experts(name) for name in FORMATS]
    + [to_quantised(name) for name in SMALL] + [from_quantised(name, t) for name in SMALL[:5] for t in ("f32", "f16")]
    + [set_rows(name, index) for name in SMALL for index in ("i32", "i64")]
    + [wkv7(), enlarge("nearest"), enlarge("bilinear"), enlarge("bilinear", True), step("adamw"), step("sgd"), transposed("f32"), transposed("f16")]
)  # fmt: skip
# One of each name.
CASES = list({str(case): case for case in CASES}.values())

"""Softmax and normalisations of rows."""

from __future__ import annotations

import ggml
import numpy as np
from harness import Call, Case, Out, Same, Sizes, Tolerance, check, encode, rounded, ulps


def test_norm(case, device):
    check(case, device)


UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


def softmax(t: str, columns: tuple[int, int], block: int, offset: float = 0) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(*columns)
        x = rounded(s.normal((rows, n), t, 3) + offset, t)
        e = np.exp(x - x.max(axis=1, keepdims=True))
        # Sum and exponentials are in the type itself: about one unit for each halving of the row.
        tolerance = ulps(t, 16, UNIT[t] / 8, "exponentials and sums in the type itself")
        out = Out(e / e.sum(axis=1, keepdims=True), t, tolerance)
        return Call([np.uint32(x.size), np.uint32(n), encode(x, t), out], groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"softmax_{t}", make, f"{block}{'-large' if offset else ''}")


def rms_norm(t: str, columns: tuple[int, int], block: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(4, 2), s(*columns)
        x, alpha = s.normal((rows, n), t), s.uniform(0.5, 1.5, n, t)
        result = x / np.sqrt((x * x).mean(axis=1, keepdims=True) + 1e-5) * alpha
        out = Out(result, t, Tolerance(4 * UNIT[t], 1e-6, "two products in the type; a sum in another order"))
        return Call([np.uint32(x.size), np.uint32(n), encode(x, t), out, encode(alpha, t), np.float32(1e-5)], groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"rmsnorm_{t}", make, str(block))


def layer_norm(t: str, columns: tuple[int, int], block: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(4, 2), s(*columns)
        x, alpha, beta = rounded(s.normal((rows, n), t) + 2, t), s.uniform(0.5, 1.5, n, t), s.normal(n, t)
        d = x - x.mean(axis=1, keepdims=True)
        result = d / np.sqrt((d * d).mean(axis=1, keepdims=True) + 1e-5) * alpha + beta
        # The mean is rounded to the type before it is subtracted: values of up to 8 with an error of half a unit.
        out = Out(result, t, Tolerance(4 * UNIT[t], 8 * UNIT[t], "a difference of values of up to 8 in the type"))
        arguments = [np.uint32(x.size), np.uint32(n), encode(x, t), out, encode(alpha, t), encode(beta, t), np.float32(1e-5)]
        return Call(arguments, groups=rows, threadgroup=block)

    return Case("candle", "reduce.metal", f"layernorm_{t}", make, str(block))


# ---- ggml ----------------------------------------------------------------------------------------------------------

# Half a unit in the last place of float: what one rounding is wrong by.
HALF = 2.0**-24
MEMORY = {0: 32 * 4}


def summed(x: np.ndarray, threads: int, width: int) -> float:
    """How many roundings a term of a sum goes through: those of its thread, a simdgroup and the simdgroups."""
    return x.shape[-1] / (threads * width) + np.log2(width) + 10


def ggml_softmax(mask: str, width: int, columns: tuple[int, int], threads: int, bias: float = 0.0, has_sinks: bool = False) -> Case:
    """With a scale, a mask of a type or none, biases that fall with distance (ALiBi), and sinks."""

    def make(s: Sizes) -> Call:
        shape = (2, s(3, 2), s(5, 2), s(*columns))
        x = s.normal(shape, "f32", 3)
        scale, heads = 0.75, shape[1]
        log2 = 1 << int(np.log2(heads))
        m0, m1 = 2.0 ** (-bias / log2), 2.0 ** (-bias / 2 / log2)
        slope = np.array([m0 ** (h + 1) if h < log2 else m1 ** (2 * (h - log2) + 1) for h in range(heads)]) if bias else np.ones(heads)
        given = s.normal((1, 1, *shape[2:]), mask) if mask else np.zeros((1, 1, *shape[2:]))
        z = np.float32(scale) * x + slope[:, None, None] * given
        sinks = s.normal(heads, "f32", 3) if has_sinks else None
        most = z.max(axis=-1, keepdims=True)
        if has_sinks:
            most = np.maximum(most, sinks[:, None, None])
        e = np.exp(z - most)
        total = e.sum(axis=-1, keepdims=True) + (np.exp(sinks[:, None, None] - most) if has_sinks else 0)
        result = e / total
        # An exponent is rounded three times (scale, slope and sum, difference), each time by half a unit of what is no
        # larger than the largest score; Metal's fast exp has 3 + |2 x| units.
        largest = np.abs(z).max() + np.abs(most).max()
        relative = 3 * HALF * largest + 2 * HALF * (3 + 2 * (most - z)) + HALF * (summed(x, threads, width) + 4)
        # The slope is a power, with 16 units.
        relative += 32 * HALF * np.abs(slope[:, None, None] * given) * (bias > 0)
        out = Out(result, bound=result * (relative + relative.max()))
        values = {"ne00": shape[3], "ne01": shape[2], "ne02": shape[1], "scale": scale, "max_bias": bias}
        values |= {"m0": m0, "m1": m1, "n_head_log2": log2, "ne11": shape[2], "ne12": 1, "ne13": 1}
        stored = x.astype(np.float32)
        masks = encode(given, mask or "f32")
        args = ggml.of("soft_max", {"0": stored, "1": masks, "": stored}, **values)
        arguments = [args, stored, masks if mask else Same(1), sinks.astype(np.float32) if has_sinks else Same(1), out]
        return Call(arguments, groups=shape[:0:-1][1:] + shape[:1], threadgroup=threads, threadgroup_memory=MEMORY)

    name = f"soft_max_{mask or 'f32'}{'_4' if width == 4 else ''}"
    note = "-".join([str(threads), *["mask"] * bool(mask), *["alibi"] * bool(bias), *["sinks"] * has_sinks])
    return ggml.case("softmax", name, make, note)


def ggml_norm(name: str, fused: int, width: int, columns: tuple[int, int], threads: int, use_scale: bool = False) -> Case:
    """Normalised by mean and variance, or by the mean square; then with a product; then with a sum."""

    def make(s: Sizes) -> Call:
        shape = (2, s(3, 2), s(4, 2), s(*columns))
        x = s.normal(shape) + (1.5 if name == "norm" else 0)
        x = rounded(x, "f32")
        # Of the factors each axis may be broadcast.
        f0, f1 = s.uniform(0.5, 1.5, (1, shape[1], 1, shape[3])), s.normal((2, 1, shape[2], shape[3]))
        d = x - x.mean(axis=-1, keepdims=True) if name == "norm" else x
        root = np.sqrt((d * d).mean(axis=-1, keepdims=True) + 1e-5)
        unit = d / root
        product = unit * (0.7 if use_scale else f0) if fused > 1 else unit
        result = product + f1 if fused > 2 else product
        # The mean is wrong by the roundings of a sum of magnitudes, the root by half of those of its squares, and by
        # those of sqrt, quotient and three products; fast math has 4 units for 1 / sqrt.
        steps = summed(x, threads, width)
        wrong = HALF * ((steps + 2) * np.abs(x).mean(axis=-1, keepdims=True) + np.abs(x)) if name == "norm" else 0.0
        bound = (wrong / root + np.abs(unit) * HALF * (steps + 16 + 2 * wrong / HALF / root)) * np.abs(product / unit)
        bound = bound + HALF * (np.abs(product) + np.abs(result)) if fused > 2 else bound
        values = {"ne00": shape[3], "ne00_t": shape[3] // width, "eps": 1e-5, "scale": 0.7}
        arrays = [a.astype(np.float32) for a in (x, f0, f1)]
        for axis in (1, 2, 3):
            values[f"nb{axis}"] = arrays[0].strides[3 - axis]
            values[f"nef{axis}"] = [a.shape[3 - axis] for a in arrays]
            values[f"nbf{axis}"] = [a.strides[3 - axis] for a in arrays]
        arguments = [ggml.arguments("norm", **values), *arrays, Out(result, bound=bound)]
        groups = (shape[2], shape[1], shape[0])
        return Call(arguments, groups=groups, threadgroup=threads, threadgroup_memory=MEMORY, constants={ggml.number("FC_NORM"): use_scale})

    kernel = f"{name}{('', '', '_mul', '_mul_add')[fused]}_f32{'_4' if width == 4 else ''}"
    return ggml.case("norm", kernel, make, f"{threads}{'-scale' if use_scale else ''}")


def l2_norm(width: int, columns: tuple[int, int], threads: int) -> Case:
    def make(s: Sizes) -> Call:
        x = s.normal((2, 2, s(3, 2), s(*columns))).astype(np.float32)
        # A row of zeros is divided by epsilon.
        x[0, 0, 0] = 0
        result = x.astype(np.float64)
        result = result / np.maximum(np.sqrt((result * result).sum(axis=-1, keepdims=True)), 1e-3)
        out = Out(result, bound=np.abs(result) * HALF * (summed(x, threads, width) + 12))
        args = ggml.of("l2_norm", {"0": x, "": x}, ne00=x.shape[3] // width, eps=1e-3)
        return Call([args, x, out], groups=x.shape[2::-1], threadgroup=threads, threadgroup_memory=MEMORY)

    return ggml.case("norm", f"l2_norm_f32_f32{'_4' if width == 4 else ''}", make, str(threads))


def group_norm(groups: int, threads: int) -> Case:
    def make(s: Sizes) -> Call:
        # The last group may have fewer channels; it is divided by the size of a full one, as ggml does.
        x = rounded(s.normal((s(7, 4), s(5, 3), s(9, 5))) + 1, "f32")
        per = -(-x.shape[0] // groups)
        size = per * x.shape[1] * x.shape[2]
        result, bound = np.zeros_like(x), np.zeros_like(x)
        for at in range(0, x.shape[0], per):
            part = x[at : at + per]
            d = part - part.sum() / size
            root = np.sqrt((d * d).sum() / size + 1e-6)
            result[at : at + per] = d / root
            steps = size / threads + 12
            wrong = HALF * ((steps + 2) * np.abs(part).mean() + np.abs(part))
            bound[at : at + per] = wrong / root + np.abs(d / root) * HALF * (steps + 16 + 2 * wrong / HALF / root)
        values = {"ne00": x.shape[2], "ne01": x.shape[1], "ne02": x.shape[0], "ngrp": groups, "eps": 1e-6}
        args = ggml.arguments("group_norm", **values)
        return Call([args, x.astype(np.float32), Out(result, bound=bound)], groups=groups, threadgroup=threads, threadgroup_memory=MEMORY)

    return ggml.case("norm", "group_norm_f32", make, f"{groups}-{threads}")


CASES = (
    [softmax(t, (n, m), b) for t in UNIT for n, m, b in ((301, 45, 64), (33, 33, 32))]
    + [softmax("f32", (1500, 140), 1024), softmax("f32", (7, 5), 2), softmax("f32", (100, 40), 64, 5000.0)]
    + [rms_norm(t, (n, m), b) for t in UNIT for n, m, b in ((515, 70, 128), (30, 19, 32))]
    + [layer_norm(t, (n, m), b) for t in UNIT for n, m, b in ((515, 70, 128), (30, 19, 32))]
    + [rms_norm("f32", (2000, 70), 1024), layer_norm("f32", (2000, 70), 512), layer_norm("f32", (40, 10), 8)]
)
CASES += (
    [ggml_softmax(m, w, (n, k), b) for m in ("", "f16", "f32") for w, n, k, b in ((1, 301, 45, 64), (4, 516, 68, 32))]
    + [ggml_softmax("f16", 1, (77, 35), 256, bias=8.0), ggml_softmax("f32", 4, (1024, 64), 128, bias=4.0, has_sinks=True)]
    + [ggml_softmax("", 1, (33, 33), 32, has_sinks=True), ggml_softmax("f16", 4, (4096, 256), 1024, has_sinks=True)]
    + [ggml_norm(name, f, w, (516, 68), b) for name in ("norm", "rms_norm") for f in (1, 2, 3) for w, b in ((1, 128), (4, 32))]
    + [ggml_norm(name, 2, 1, (301, 45), 64, True) for name in ("norm", "rms_norm")]
    + [ggml_norm("rms_norm", 1, 4, (8192, 256), 1024), l2_norm(1, (301, 45), 64), l2_norm(4, (516, 68), 32)]
    + [group_norm(3, 64), group_norm(4, 32), group_norm(1, 256)]
)

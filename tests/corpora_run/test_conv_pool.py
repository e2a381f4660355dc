"""Convolutions as matrices, transposed convolutions, pooling and scaling of images."""

from __future__ import annotations

import ggml
import numpy as np
from harness import Call, Case, Out, Sizes, Tolerance, check, encode, rounded, size_t, sizes, ulps


def test_conv_pool(case, device):
    check(case, device)


FLOATS = ("f32", "f16", "bf16")
UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}


def image(s: Sizes, shape, t: str) -> np.ndarray:
    return s.normal(shape, t) if t in FLOATS else encode(s.rng.integers(0, 16, shape), t)


def element_strides(x: np.ndarray) -> np.ndarray:
    return sizes([n // x.itemsize for n in x.strides])


def im2col(t: str, stride: int, padding: int, dilation: int) -> Case:
    def make(s: Sizes) -> Call:
        b, c, h, w, hk, wk = 2, s(3, 2), s(11, 5), s(9, 6), 3, 2
        x = image(s, (b, c, h, w), t)
        ho, wo = ((n + 2 * padding - dilation * (k - 1) - 1) // stride + 1 for n, k in ((h, hk), (w, wk)))
        padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        result = np.zeros((b, ho, wo, c, hk, wk), x.dtype)
        for i in range(hk):
            for j in range(wk):
                part = padded[:, :, i * dilation : i * dilation + stride * ho : stride, j * dilation : j * dilation + stride * wo : stride]
                result[..., i, j] = np.moveaxis(part[:, :, :ho, :wo], 1, 3)
        numbers = [result.size, ho, wo, hk, wk, stride, padding, dilation]
        arguments = [*map(size_t, numbers), sizes(x.shape), element_strides(x), encode(x, t), Out(result, t)]
        return Call(arguments, threads=result.size)

    return Case("candle", "conv.metal", f"im2col_{t}", make, f"{stride}{padding}{dilation}")


def im2col1d(t: str, stride: int, padding: int, dilation: int) -> Case:
    def make(s: Sizes) -> Call:
        b, c, n, k = 2, s(5, 2), s(31, 9), 3
        x = image(s, (b, c, n), t)
        out = (n + 2 * padding - dilation * (k - 1) - 1) // stride + 1
        padded = np.pad(x, ((0, 0), (0, 0), (padding, padding)))
        result = np.zeros((b, out, c, k), x.dtype)
        for i in range(k):
            result[..., i] = np.moveaxis(padded[:, :, i * dilation : i * dilation + stride * out : stride][:, :, :out], 1, 2)
        numbers = [result.size, out, k, stride, padding, dilation]
        arguments = [*map(size_t, numbers), sizes(x.shape), element_strides(x), encode(x, t), Out(result, t)]
        return Call(arguments, threads=result.size)

    return Case("candle", "conv.metal", f"im2col1d_{t}", make, f"{stride}{padding}{dilation}")


def col2im1d(t: str, stride: int) -> Case:
    def make(s: Sizes) -> Call:
        b, l_in, c, k = 2, s(13, 4), s(5, 2), 4
        x = image(s, (b, l_in, c, k), t)
        l_out = (l_in - 1) * stride + k
        result = np.zeros((b, c, l_out), x.dtype)
        for i in range(l_in):
            for j in range(k):
                result[:, :, i * stride + j] += x[:, i, :, j]
        out = Out(rounded(result, t), t, Tolerance(0, 8 * k * UNIT.get(t, 0), "sums in the type") if t in FLOATS else ulps(t, 0))
        arguments = [*map(size_t, (result.size, l_out, l_in, c, k, stride)), encode(x, t), out]
        return Call(arguments, threads=result.size)

    return Case("candle", "conv.metal", f"col2im1d_{t}", make, str(stride))


def transposed(t: str, dims: int) -> Case:
    def make(s: Sizes) -> Call:
        stride, padding, dilation, out_padding = 2, 1, 2, 1
        b, ci, co = 2, s(4, 2), s(3, 2)
        extent, k = (s(9, 4), s(7, 3))[:dims], (3, 2)[:dims]
        x, w = image(s, (b, ci, *extent), t), image(s, (ci, co, *k), t)
        out = [(n - 1) * stride - 2 * padding + dilation * (m - 1) + out_padding + 1 for n, m in zip(extent, k)]
        full = np.zeros((b, co, *[n + 2 * padding for n in out]))
        for at in np.ndindex(*extent):
            for tap in np.ndindex(*k):
                to = tuple(p * stride + q * dilation for p, q in zip(at, tap))
                full[(slice(None), slice(None), *to)] += np.einsum("bi,io->bo", x[(..., *at)].astype(float), w[(..., *tap)].astype(float))
        result = full[(slice(None), slice(None), *[slice(padding, padding + n) for n in out])]
        if t not in FLOATS:
            result = encode(result.astype(np.int64), t)
        tolerance = Tolerance(2 * UNIT[t], 1e-5, "sums of up to 24 products in float") if t in FLOATS else ulps(t, 0)
        # In two dimensions the width comes before the height.
        numbers = [*out[::-1], stride, padding, out_padding, dilation]
        data = [sizes(x.shape), element_strides(x), sizes(w.shape), element_strides(w), encode(x, t), encode(w, t)]
        return Call([*map(size_t, numbers), *data, Out(result, t, tolerance)], threads=result.size)

    return Case("candle", "conv.metal", f"conv_transpose{dims}d_{t}", make)


def pool(name: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        b, c, w, h, wk, hk, ws, hs = 2, s(3, 1), s(13, 6), s(11, 5), 3, 2, 2, 1
        x = image(s, (b, c, w, h), t)
        wo, ho = (w - wk) // ws + 1, (h - hk) // hs + 1
        windows = np.lib.stride_tricks.sliding_window_view(x, (wk, hk), axis=(2, 3))[:, :, ::ws, ::hs]
        if name == "max":
            out = Out(windows.max(axis=(4, 5)), t)
        elif t in FLOATS:
            out = Out(windows.mean(axis=(4, 5)), t, Tolerance(2 * UNIT[t], 1e-6, "sums of 6 in float"))
        else:
            out = Out((windows.sum(axis=(4, 5), dtype=x.dtype) // (wk * hk)).astype(x.dtype), t)
        assert out.expected.shape == (b, c, wo, ho)
        arguments = [*map(size_t, (wk, hk, ws, hs)), sizes(x.shape), element_strides(x), encode(x, t), out]
        return Call(arguments, threads=out.expected.size)

    return Case("candle", "conv.metal", f"{name}_pool2d_{t}", make)


def nearest(t: str) -> Case:
    def make(s: Sizes) -> Call:
        b, c, w, h, wo, ho = 2, s(3, 1), s(7, 3), s(5, 4), s(17, 5), s(9, 3)
        x = image(s, (b, c, w, h), t)
        ws, hs = np.float32(w / wo), np.float32(h / ho)
        i = np.minimum((np.arange(wo, dtype=np.float32) * ws).astype(int), w - 1)
        j = np.minimum((np.arange(ho, dtype=np.float32) * hs).astype(int), h - 1)
        out = Out(x[:, :, i][:, :, :, j], t)
        arguments = [size_t(wo), size_t(ho), ws, hs, sizes(x.shape), element_strides(x), encode(x, t), out]
        return Call(arguments, threads=out.expected.size)

    return Case("candle", "conv.metal", f"upsample_nearest2d_{t}", make)


def bilinear(t: str, align: bool) -> Case:
    def make(s: Sizes) -> Call:
        b, c, h, w, ho, wo = 2, s(3, 1), s(7, 3), s(5, 4), s(17, 5), s(9, 7)
        x = image(s, (b, c, h, w), t).astype(float)

        def axis(n, m):
            if align:
                at = np.arange(m) * ((n - 1) / (m - 1))
            else:
                at = np.maximum((np.arange(m) + 0.5) * (n / m) - 0.5, 0)
            low = np.floor(at + 1e-9).astype(int)
            return low, np.minimum(low + 1, n - 1), np.clip(at - low, 0, 1)

        (i0, i1, fi), (j0, j1, fj) = axis(h, ho), axis(w, wo)
        fi = fi[:, None]
        top = x[:, :, i0][:, :, :, j0] * (1 - fj) + x[:, :, i0][:, :, :, j1] * fj
        bottom = x[:, :, i1][:, :, :, j0] * (1 - fj) + x[:, :, i1][:, :, :, j1] * fj
        result = top * (1 - fi) + bottom * fi
        # Positions are floats of up to 16: their error is that of the weights.
        out = Out(result, t, Tolerance(2 * UNIT[t], 1e-4, "weights with an error of 2e-6 at positions up to 16; values of up to 8"))
        flags = [np.uint8(align), np.uint8(0), np.float32(0), np.uint8(0), np.float32(0)]
        arguments = [size_t(wo), size_t(ho), *flags, sizes(x.shape), element_strides(x), encode(x, t), out]
        return Call(arguments, threads=result.size)

    return Case("candle", "conv.metal", f"upsample_bilinear2d_{t}", make, "aligned" if align else "")


CASES = (
    [im2col(t, *p) for t, p in (("f32", (1, 0, 1)), ("f32", (2, 1, 2)), ("f16", (1, 2, 1)), ("bf16", (3, 1, 1)), ("u8", (2, 0, 1)), ("u32", (1, 1, 2)))]
    + [im2col1d(t, *p) for t, p in (("f32", (1, 1, 1)), ("f16", (2, 0, 2)), ("bf16", (1, 2, 3)), ("u8", (3, 1, 1)), ("u32", (1, 0, 1)))]
    + [col2im1d(t, n) for t, n in (("f32", 2), ("f32", 5), ("f16", 1), ("bf16", 3), ("u8", 2), ("u32", 2))]
    + [transposed(t, 1) for t in (*FLOATS, "u8", "u32")]
    + [transposed(t, 2) for t in FLOATS]
    + [pool(name, t) for name in ("max", "avg") for t in (*FLOATS, "u8", "u32")]
    + [nearest(t) for t in (*FLOATS, "u8", "u32")]
    + [bilinear(t, a) for t in FLOATS for a in (False, True)]
)


# ---- ggml ----------------------------------------------------------------------------------------------------------


def windows(x: np.ndarray, k: tuple[int, ...], stride: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...]) -> np.ndarray:
    """Of the last axes: (…, places, taps)."""
    d = len(k)
    x = np.pad(x, [(0, 0)] * (x.ndim - d) + [(p, p) for p in padding])
    span = tuple((n - 1) * e + 1 for n, e in zip(k, dilation))
    found = np.lib.stride_tricks.sliding_window_view(x, span, axis=tuple(range(x.ndim - d, x.ndim)))
    places, taps = tuple(slice(None, None, n) for n in stride), tuple(slice(None, None, n) for n in dilation)
    return found[(..., *places, *taps)]


def sums(result: np.ndarray, magnitude: np.ndarray, terms: int) -> Out:
    """Sums of so many products in float, one after the other."""
    return Out(result, bound=magnitude * 2.0**-24 * (terms + 1))


def ggml_im2col(t: str, is_ext: bool) -> Case:
    def make(s: Sizes) -> Call:
        n, c, h, w, kh, kw = s(3, 2), s(4, 2), s(9, 5), s(11, 6), 3, 2
        x = s.normal((n, c, h, w)).astype(np.float32)
        taps = windows(x, (kh, kw), (2, 1), (1, 2), (1, 2))
        oh, ow = taps.shape[2:4]
        result = rounded(taps.transpose(0, 2, 3, 1, 4, 5), t)
        values = {"ofs0": c * h * w, "ofs1": h * w, "IW": w, "IH": h, "CHW": c * kh * kw, "s0": 1, "s1": 2, "p0": 2, "p1": 1}
        values |= {"d0": 2, "d1": 1, "N": n, "KH": kh, "KW": kw, "KHW": kh * kw}
        if is_ext:
            groups, threads = (-(-n // 2) * c * kh * kw, oh, ow), (2, 1, 1)
        else:
            groups, threads = (c, oh, ow), (n, kh, kw)
        return Call([ggml.arguments("im2col", **values), x, Out(result, t)], groups=groups, threadgroup=threads)

    return ggml.case("conv", f"im2col{'_ext' if is_ext else ''}_{t}", make)


def ggml_conv2d(t: str) -> Case:
    def make(s: Sizes) -> Call:
        n, ci, co, h, w, kh, kw = 2, s(5, 2), s(4, 3), s(9, 5), s(11, 6), 3, 2
        x, k = s.normal((n, ci, h, w)).astype(np.float32), s.normal((co, ci, kh, kw), t)
        taps = windows(x.astype(np.float64), (kh, kw), (2, 1), (1, 2), (1, 2))
        result, magnitude = (np.einsum("ncyxij,ocij->noyx", f(taps), f(k)) for f in (lambda v: v, np.abs))
        kernel, out = encode(k, t), np.zeros(result.shape, np.float32)
        values = {"s0": 1, "s1": 2, "p0": 2, "p1": 1, "d0": 2, "d1": 1, "IW": w, "IH": h, "KW": kw, "KH": kh, "IC": ci, "OC": co}
        values |= {"OW": out.shape[3], "OH": out.shape[2], "N": n}
        args = ggml.of("conv_2d", {"0": kernel, "1": x, "": out}, **values)
        return Call([args, kernel, x, sums(result, magnitude, ci * kh * kw)], groups=(3, 2), threadgroup=(32, 1, 1))

    return ggml.case("conv", f"conv_2d_{t}_f32", make)


def ggml_depthwise(t: str, is_tiled: bool) -> Case:
    def make(s: Sizes) -> Call:
        n, c, h, w, kh, kw = 2, s(37, 5), s(9, 5), s(11, 6), 3, 2
        x, k = s.normal((n, c, h, w)).astype(np.float32), s.normal((c, 1, kh, kw), t)
        taps = windows(x.astype(np.float64), (kh, kw), (2, 1), (1, 2), (1, 2))
        result, magnitude = (np.einsum("ncyxij,cij->ncyx", f(taps), f(k[:, 0])) for f in (lambda v: v, np.abs))
        kernel, out = encode(k, t), np.zeros(result.shape, np.float32)
        oh, ow = out.shape[2:]
        values = {"s0": 1, "s1": 2, "p0": 2, "p1": 1, "d0": 2, "d1": 1, "IW": w, "IH": h, "KW": kw, "KH": kh, "C": c, "OW": ow, "OH": oh, "N": n}
        # Kernels have the channel where others have the output channel.
        given = ggml.extents("0", kernel.shape, kernel.strides) | {"nb02": kernel.strides[0]}
        given |= ggml.extents("1", x.shape, x.strides) | ggml.extents("", out.shape, out.strides) | values
        args = ggml.arguments("conv_2d_dw", **{name: v for name, v in given.items() if name in ggml.struct("conv_2d_dw").names})
        groups = (-(-c // 32), oh, ow * n) if is_tiled else (-(-ow // 32), oh, c * n)
        return Call([args, kernel, x, sums(result, magnitude, kh * kw)], groups=groups, threadgroup=32)

    return ggml.case("conv", f"conv_2d_dw{'_tiled' if is_tiled else ''}_{t}_f32", make)


def ggml_pool(name: str, dims: int) -> Case:
    def make(s: Sizes) -> Call:
        c, h, w = s(5, 2), s(9, 5), s(11, 6)
        x = s.normal((c, h, w) if dims == 2 else (c, w)).astype(np.float32)
        k, stride, padding = ((3, 2), (2, 1), (1, 1)) if dims == 2 else ((3,), (2,), (1,))
        fill = np.pad(x.astype(np.float64), [(0, 0)] + [(p, p) for p in padding], constant_values=-np.inf if name == "max" else 0)
        taps = windows(fill, k, stride, (0,) * dims, (1,) * dims)
        axes = tuple(range(-dims, 0))
        if name == "max":
            out = Out(taps.max(axis=axes))
        else:
            # In one dimension only what exists is counted.
            inside = windows(np.ones_like(x), k, stride, padding, (1,) * dims).sum(axis=axes) if dims == 1 else np.prod(k)
            result = taps.sum(axis=axes) / inside
            out = Out(result, bound=np.abs(taps).sum(axis=axes) * 2.0**-24 * 10)
        values = {"k0": k[-1], "s0": stride[-1], "p0": padding[-1], "IW": w, "OW": out.expected.shape[-1], "np": out.expected.size}
        if dims == 2:
            values |= {"k1": k[0], "s1": stride[0], "p1": padding[0], "IH": h, "OH": out.expected.shape[1]}
        return Call([ggml.arguments(f"pool_{dims}d", **values), x, out], threads=out.expected.size)

    return ggml.case("pool", f"pool_{dims}d_{name}_f32", make)


def ggml_transposed(t: str) -> Case:
    def make(s: Sizes) -> Call:
        ci, co, n, k, stride = s(5, 3), s(4, 2), s(13, 6), 4, 2
        x, w = s.normal((ci, n)).astype(np.float32), s.normal((ci, co, k), t)
        out = np.zeros((co, (n - 1) * stride + k), np.float32)
        result, magnitude = np.zeros(out.shape), np.zeros(out.shape)
        for i in range(n):
            for total, f in ((result, lambda v: v), (magnitude, np.abs)):
                total[:, i * stride : i * stride + k] += np.einsum("c,cok->ok", f(x[:, i].astype(np.float64)), f(w))
        args = ggml.arguments("conv_transpose_1d", IC=ci, IL=n, K=k, s0=stride, nb0=4, nb1=out.strides[0])
        return Call([args, encode(w, t), x, sums(result, magnitude, 2 * ci)], groups=(out.shape[1], co, 1), threadgroup=1)

    return ggml.case("conv", f"conv_transpose_1d_{t}_f32", make)


CASES += (
    [ggml_im2col(t, e) for t in ("f32", "f16") for e in (False, True)]
    + [ggml_conv2d(t) for t in ("f32", "f16")] + [ggml_depthwise(t, tiled) for t in ("f32", "f16") for tiled in (False, True)]
    + [ggml_pool(name, dims) for name in ("max", "avg") for dims in (1, 2)] + [ggml_transposed(t) for t in ("f32", "f16")]
)  # fmt: skip

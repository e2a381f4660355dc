"""ggml: unary and binary operations, gated units, sums of rows, triangles, state spaces and linear attention."""

from __future__ import annotations

import math

import ggml
import numpy as np
from harness import Call, Case, Out, Sizes, check, encode


def test_ggml_more(case, device):
    check(case, device)


HALF = {"f32": 2.0**-24, "f16": 2.0**-11, "bf16": 2.0**-8}
erf = np.vectorize(math.erf)
GELU = 0.79788456080286535587989211986876

# Operation: reference, range of arguments, units in the last place of float, absolute error (Metal's fast functions; the
# formula of the error function is good to 1.5e-7 and goes through a few roundings).
UNARY = {
    "SQR": (np.square, (-9, 9), 1, 0), "SQRT": (np.sqrt, (0, 90), 2, 0), "SIN": (np.sin, (-3, 3), 8, 1e-6),
    "COS": (np.cos, (-3, 3), 8, 1e-6), "LOG": (np.log, (0.01, 100), 4, 2e-6), "TANH": (np.tanh, (-9, 9), 8, 1e-6),
    "RELU": (lambda x: np.maximum(x, 0), (-9, 9), 0, 0), "SIGMOID": (lambda x: 1 / (1 + np.exp(-x)), (-9, 9), 24, 0),
    "GELU": (lambda x: 0.5 * x * (1 + np.tanh(GELU * x * (1 + 0.044715 * x * x))), (-4, 5), 16, 2e-6),
    "GELU_ERF": (lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))), (-4, 5), 16, 3e-6),
    "GELU_QUICK": (lambda x: x / (1 + np.exp(-1.702 * x)), (-4, 5), 24, 0), "SILU": (lambda x: x / (1 + np.exp(-x)), (-9, 9), 24, 0),
    "ELU": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), (-4, 4), 8, 4e-7), "NEG": (np.negative, (-9, 9), 0, 0),
    "ABS": (np.abs, (-9, 9), 0, 0), "SGN": (np.sign, (-9, 9), 0, 0), "STEP": (lambda x: (x > 0) * 1.0, (-9, 9), 0, 0),
    "HARDSWISH": (lambda x: x * np.clip(x / 6 + 0.5, 0, 1), (-9, 9), 4, 1e-6), "EXP": (np.exp, (-10, 10), 24, 0),
    "HARDSIGMOID": (lambda x: np.clip(x / 6 + 0.5, 0, 1), (-9, 9), 4, 1e-7), "SOFTPLUS": (lambda x: np.log1p(np.exp(x)), (-9, 30), 8, 2e-6),
    "EXPM1": (np.expm1, (-4, 4), 24, 4e-7), "FLOOR": (np.floor, (-9, 9), 0, 0), "CEIL": (np.ceil, (-9, 9), 0, 0), "TRUNC": (np.trunc, (-9, 9), 0, 0),
}  # fmt: skip


def unary(op: str, t: str, width: int) -> Case:
    reference, (low, high), units, absolute = UNARY[op]

    def make(s: Sizes) -> Call:
        x = s.uniform(low, high, (2, 2, s(5, 2), s(300, 40)), t)
        result = reference(x)
        bound = np.abs(result) * (2 * units * HALF["f32"] + HALF[t] * (t != "f32" and units > 0)) + absolute
        # Results that are subnormal in half have its least unit.
        bound += 2.0**-25 * (t == "f16")
        stored = encode(x, t)
        n = x.shape[3] // width
        args = ggml.of("unary", {"0": stored, "": stored}, ne00=n, ne0=n)
        threads = min(n, 64)
        constants = {ggml.number("FC_UNARY"): ggml.number(f"OP_UNARY_NUM_{op}"), ggml.number("FC_UNARY") + 1: False}
        groups = (-(-n // threads) * x.shape[2], x.shape[1], x.shape[0])
        return Call([args, stored, Out(result, t, bound=bound)], groups=groups, threadgroup=threads, constants=constants)

    return ggml.case("unary", f"unary_{t}_{t}{'_4' if width == 4 else ''}", make, op.lower())


def binary(op: int, t: str, width: int, fused: int) -> Case:
    """Sums, differences, products or quotients with one or more others, which are repeated along two axes."""

    def make(s: Sizes) -> Call:
        shape, other = (2, 3, s(5, 2), s(64, 16)), (1, 3, 1, s(64, 16))
        x, ys = s.normal(shape, t), [s.uniform(0.5, 2, other, t) for _ in range(fused)]
        result, bound = x, np.zeros(shape)
        for y in ys:
            result = [np.add, np.subtract, np.multiply, np.divide][op](result, y)
            factor = np.abs(y) if op == 2 else 1 / np.abs(y) if op == 3 else 1.0
            # Each is rounded to the type; fast quotients are good to 2.5 units.
            bound = bound * factor + np.abs(result) * HALF[t] * (6 if op == 3 and t == "f32" else 2)
        stored, others = encode(x, t), np.stack([encode(y, t) for y in ys])
        n, m = shape[3] // width, other[3] // width
        values = {"ne00": n, "ne0": n, "ne10": m, "o1": [i * others[0].nbytes for i in range(fused)] + [0] * (8 - fused)}
        args = ggml.of("bin", {"0": stored, "1": others[0], "": stored}, **values)
        at = ggml.number("FC_BIN")
        constants = {at: op, at + 1: fused, at + 2: False, at + 3: False}
        return Call([args, stored, others, Out(result, t, bound=bound)], groups=shape[2::-1], threadgroup=min(n, 32), constants=constants)

    return ggml.case("binbcast", f"bin_fuse_{t}_{t}_{t}{'_4' if width == 4 else ''}", make, f"{('add', 'sub', 'mul', 'div')[op]}{fused}")


GATED = {
    "reglu": (lambda x: np.maximum(x, 0), 1, 0), "geglu": (UNARY["GELU"][0], 16, 2e-6), "swiglu": (UNARY["SILU"][0], 24, 0),
    "geglu_erf": (UNARY["GELU_ERF"][0], 16, 3e-6), "geglu_quick": (UNARY["GELU_QUICK"][0], 24, 0),
}


def gated(name: str, t: str) -> Case:
    reference, units, absolute = GATED[name]

    def make(s: Sizes) -> Call:
        rows, n = s(7, 3), s(130, 40)
        x = s.uniform(-4, 4, (rows, 2 * n), t)
        left, right = x[:, :n], x[:, n:]
        result = reference(left) * right
        bound = np.abs(result) * (2 * (units + 1) * HALF["f32"] + HALF[t] * (t != "f32")) + absolute * np.abs(right)
        stored = encode(x, t)
        row = stored.strides[0]
        args = ggml.arguments("glu", ne00=2 * n, nb01=row, ne10=2 * n, nb11=row, ne0=n, nb1=row // 2, i00=0, i10=n)
        return Call([args, stored, stored, Out(result, t, bound=bound)], groups=rows, threadgroup=32)

    return ggml.case("unary", f"{name}_{t}", make)


def sum_rows(op: str, width: int) -> Case:
    def make(s: Sizes) -> Call:
        x = s.normal((2, 2, s(4, 2), s(516, 68))).astype(np.float32)
        n = x.shape[3]
        factor = 1 / n if op == "MEAN" else 1.0
        result = x.astype(np.float64).sum(axis=-1, keepdims=True) * factor
        bound = np.abs(x).sum(axis=-1, keepdims=True) * factor * HALF["f32"] * (n / (32 * width) + 16)
        out = np.zeros(result.shape, np.float32)
        args = ggml.of("sum_rows", {"0": x, "": out}, ne00=n // width)
        constants = {ggml.number("FC_SUM_ROWS"): ggml.number(f"OP_SUM_ROWS_NUM_{op}")}
        memory = {0: 32 * 4 * width}
        return Call([args, x, Out(result, bound=bound)], groups=x.shape[2::-1], threadgroup=32 if s.is_small else 64, threadgroup_memory=memory, constants=constants)

    return ggml.case("reduce", f"sum_rows_f32_f32{'_4' if width == 4 else ''}", make, op.lower())


def triangle(t: str, kind: int) -> Case:
    def make(s: Sizes) -> Call:
        x = s.normal((2, 1, s(20, 7), s(20, 7)), t)
        i, r = np.arange(x.shape[3])[None, :], np.arange(x.shape[2])[:, None]
        keep = [i >= r, i > r, i <= r, i < r][kind]
        stored = encode(x, t)
        return Call([ggml.of("tri", {"0": stored, "": stored}), stored, Out(x * keep, t)], groups=x.shape[2::-1], threadgroup=16)

    return ggml.case("tri", f"tri_{t}_{kind}", make)


def state_convolution(is_batched: bool, width: int, has_silu: bool) -> Case:
    def make(s: Sizes) -> Call:
        taps, rows, tokens, sequences = 4, s(6, 3), s(11, 5), 2
        x, w = s.normal((sequences, rows, tokens + taps - 1)).astype(np.float32), s.normal((rows, taps)).astype(np.float32)
        seen = np.lib.stride_tricks.sliding_window_view(x.astype(np.float64), taps, axis=2)
        result = np.einsum("srtk,rk->str", seen, w)
        bound = np.einsum("srtk,rk->str", np.abs(seen), np.abs(w)) * HALF["f32"] * (taps + 2)
        if has_silu:
            bound = bound * 1.1 + np.abs(result) * 48 * HALF["f32"]
            result = result / (1 + np.exp(-result))
        values = {"ne00": x.shape[2], "ne01": rows, "ne02": sequences, "nb00": 4, "nb01": x.strides[1], "nb02": x.strides[0]}
        values |= {"ne11": rows, "nb10": 4, "nb11": w.strides[0], "ne0": rows, "ne1": tokens, "ne2": sequences, "nb0": 4, "nb1": 4 * rows}
        args = ggml.arguments("ssm_conv", **values, nb2=4 * rows * tokens)
        at, batch = ggml.number("FC_SSM_CONV"), 8
        constants = {at: batch, at + 1: has_silu, at + 2: taps}
        groups = (rows, -(-tokens // batch), sequences) if is_batched else (rows, tokens, sequences)
        return Call([args, x, w, Out(result, bound=bound)], groups=groups, threadgroup=batch if is_batched else 1, constants=constants)

    return ggml.case("ssm", f"ssm_conv_f32_f32{'_batched' if is_batched else ''}{'_4' if width == 4 else ''}", make, "silu" if has_silu else "")


def wkv6() -> Case:
    """RWKV: a matrix of state for each head, which decays by channel."""

    def make(s: Sizes) -> Call:
        batch, heads, tokens, size = s(2, 1), 2, s(5, 2), 64
        shape = (batch, tokens, heads, size)
        k, v, r = (s.normal(shape, scale=0.5) for _ in range(3))
        first, decay = s.normal((heads, size)), s.uniform(0.2, 0.9, shape)
        state = s.normal((batch, heads, size, size), scale=0.5)
        result, bound, now, wrong = np.zeros(shape), np.zeros(shape), state.copy(), np.abs(state) * 0
        for i in range(tokens):
            kv = k[:, i, :, :, None] * v[:, i, :, None, :]
            sums = first[None, :, :, None] * kv + now
            size_of = np.abs(first[None, :, :, None] * kv) + np.abs(now)
            result[:, i] = np.einsum("bhj,bhjd->bhd", r[:, i], sums)
            bound[:, i] = np.einsum("bhj,bhjd->bhd", np.abs(r[:, i]), size_of * HALF["f32"] * (size / 4 + 8) + wrong)
            wrong = wrong * decay[:, i, :, :, None] + (np.abs(now) + np.abs(kv)) * 3 * HALF["f32"]
            now = now * decay[:, i, :, :, None] + kv
        out = Out(np.concatenate([result.reshape(-1), now.reshape(-1)]), bound=np.concatenate([bound.reshape(-1), wrong.reshape(-1) + 1e-9]))
        data = [x.astype(np.float32) for x in (k, v, r, first, decay, state)]
        numbers = [np.uint32(n) for n in (batch, batch * tokens, heads * size, heads)]
        return Call([*data, out, *numbers], groups=batch * heads, threadgroup=size)

    return ggml.case("wkv", "rwkv_wkv6_f32", make)


CASES = (
    [unary(op, "f32", 4 if i % 2 else 1) for i, op in enumerate(UNARY)] + [unary(op, "f16", 1) for op in ("SILU", "EXP", "RELU", "TANH")]
    + [binary(op, t, w, f) for op in range(4) for t, w, f in (("f32", 1, 1), ("f32", 4, 1), ("f16", 4, 1))]
    + [binary(0, "f32", 1, 3), binary(2, "f32", 4, 2), binary(0, "f16", 1, 4)]
    + [gated(name, t) for name in GATED for t in ("f32", "f16")]
    + [sum_rows(op, w) for op in ("SUM_ROWS", "MEAN") for w in (1, 4)] + [triangle(t, k) for k in range(4) for t in ("f32", "bf16")]
    + [state_convolution(b, w, silu) for b in (False, True) for w, silu in ((1, False), (4, True))] + [wkv6()]
)  # fmt: skip

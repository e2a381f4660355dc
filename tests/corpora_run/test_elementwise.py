"""Unary, binary and ternary operations, affine maps and fills."""

from __future__ import annotations

import math

import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, check, encode, rounded, size_t, sizes, strided, ulps


def test_elementwise(case, device):
    check(case, device)


FLOATS = ("f32", "f16", "bf16")
erf = np.vectorize(math.erf)

# Operation: reference, range of arguments, units in the last place of float, absolute error.
# The functions of fast math have absolute bounds near zeros; candle's erf is a formula (Abramowitz and Stegun 7.1.26) that
# is good to 1.5e-7, and takes a polynomial with coefficients of 4.5 in sum, where each goes through up to ten roundings of
# 6e-8, from 1: at worst 2.7e-6. Half a dozen roundings are allowed.
UNARY = {
    "exp": (np.exp, (-10, 10), 16, 0), "log": (np.log, (0.01, 100), 4, 2e-6), "sin": (np.sin, (-3, 3), 8, 1e-6),
    "cos": (np.cos, (-3, 3), 8, 1e-6), "sqr": (np.square, (-9, 9), 1, 0), "sqrt": (np.sqrt, (0, 90), 2, 0),
    "neg": (np.negative, (-9, 9), 0, 0), "recip": (np.reciprocal, (0.1, 9), 4, 0), "abs": (np.abs, (-9, 9), 0, 0),
    "ceil": (np.ceil, (-9, 9), 0, 0), "floor": (np.floor, (-9, 9), 0, 0), "copy": (lambda x: x, (-9, 9), 0, 0),
    "round": (lambda x: np.trunc(x + np.copysign(0.5, x)), (-9, 9), 0, 0), "relu": (lambda x: np.maximum(x, 0), (-9, 9), 0, 0),
    "sign": (np.sign, (-9, 9), 0, 0), "tanh": (np.tanh, (-50, 50), 8, 1e-6), "erf": (erf, (-4, 4), 4, 6e-7),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (-9, 9), 16, 0), "silu": (lambda x: x / (1 + np.exp(-x)), (-9, 9), 16, 0),
    "gelu": (lambda x: 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), (-4, 5), 16, 2e-6),
    "gelu_erf": (lambda x: x * (1 + erf(x / math.sqrt(2))) / 2, (-4, 5), 16, 2e-6),
}  # fmt: skip


def unary(name: str, t: str) -> Case:
    reference, (low, high), units, absolute = UNARY[name]

    def make(s: Sizes) -> Call:
        n = s(1003, 37)
        x = s.uniform(low, high, n, t)
        # In narrow types, candle's formulas round every step: a few units of the type.
        steps = 1 if units <= 1 else (2 if t == "f32" else 3)
        tolerance = ulps(t, max(units, 0) if t == "f32" else steps * (units > 0), absolute if t == "f32" else 4 * steps * (units > 0) * 2.0 ** (-11 if t == "f16" else -8))
        return Call([size_t(n), encode(x, t), Out(rounded(reference(x), t), t, tolerance)], threads=-(-n // per_thread(t)))

    return Case("candle", "unary.metal", f"{name}_{t}", make)


def per_thread(t: str) -> int:
    """How many elements candle's kernels do per thread."""
    return 8 // {"f32": 4, "u32": 4, "i64": 8, "u8": 1}.get(t, 2)


def unary_strided(name: str, t: str) -> Case:
    reference, (low, high), units, absolute = UNARY[name]

    def make(s: Sizes) -> Call:
        base = s.uniform(low, high, (s(7, 3), s(5, 2), s(11, 3)), t)
        view, dims, strides = strided(base, (2, 0, 1))
        n = view.size
        tolerance = ulps(t, units, absolute)
        arguments = [size_t(n), size_t(3), sizes(dims), sizes(strides), encode(base, t), Out(rounded(reference(view), t), t, tolerance)]
        return Call(arguments, threads=n)

    return Case("candle", "unary.metal", f"{name}_{t}_strided", make)


BINARY = {
    "badd": np.add, "bsub": np.subtract, "bmul": np.multiply, "bdiv": np.divide, "bminimum": np.minimum, "bmaximum": np.maximum,
    "eq": np.equal, "ne": np.not_equal, "le": np.less_equal, "lt": np.less, "ge": np.greater_equal, "gt": np.greater,
}  # fmt: skip
INTEGER = {"u8": (1, 255), "u32": (1, 2**32 - 1), "i64": (-(2**62), 2**62)}


def operands(s: Sizes, t: str, shape) -> tuple[np.ndarray, np.ndarray]:
    if t in INTEGER:
        low, high = INTEGER[t]
        a, b = (encode(s.rng.integers(low, high, shape, endpoint=True), t) for _ in range(2))
        b[b == 0] = 1
    else:
        a, b = s.uniform(-9, 9, shape, t), s.uniform(0.5, 9, shape, t)
    # Comparisons need equal ones.
    np.copyto(b, a, where=s.rng.random(shape) < 0.2)
    b[b == 0] = 1
    return a, b


def binary_result(name: str, t: str, a, b) -> Out:
    if name in ("eq", "ne", "le", "lt", "ge", "gt"):
        return Out(BINARY[name](a, b).astype(np.uint8), "bool")
    if t in INTEGER:
        if name == "bdiv":
            # C rounds to zero, NumPy down.
            quotient = np.abs(a).astype(object) // np.abs(b).astype(object)
            return Out(encode(quotient * np.sign(a).astype(object) * np.sign(b).astype(object), t), t)
        with np.errstate(over="ignore"):
            return Out(BINARY[name](a, b), t)
    return Out(rounded(BINARY[name](a, b), t), t, ulps(t, 3 if name == "bdiv" and t == "f32" else 1))


def binary(name: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        n = s(1021, 29)
        a, b = operands(s, t, n)
        return Call([size_t(n), encode(a, t), encode(b, t), binary_result(name, t, a, b)], threads=-(-n // per_thread(t)))

    return Case("candle", "binary.metal", f"{name}_{t}", make)


def binary_strided(name: str, t: str, variant: str) -> Case:
    """Each side is contiguous, strided, or one element."""
    left, right = {
        "strided": "ss", "lstrided": "sc", "rstrided": "cs", "scalar": "11", "cs": "c1", "sc": "1c", "rss": "1s", "lss": "s1",
    }[variant]  # fmt: skip

    def make(s: Sizes) -> Call:
        shape = (s(6, 2), s(5, 3), s(7, 2))
        a, b = operands(s, t, shape)
        order = {"c": (0, 1, 2), "s": (2, 0, 1), "1": (0, 1, 2)}
        out_shape = strided(a, order["s"])[1] if "s" in left + right else list(shape)

        def side(values, kind):
            if kind == "c":
                return values, values.reshape(out_shape), [0, 0, 0]
            if kind == "1":
                return values, np.broadcast_to(values.reshape(-1)[:1].reshape(1, 1, 1), out_shape), [0, 0, 0]
            view, _, strides = strided(values, order["s"])
            return values, view, strides

        (am, av, astrides), (bm, bv, bstrides) = side(a, left), side(b, right)
        n = math.prod(out_shape)
        arguments = [size_t(n), size_t(3), sizes(out_shape), sizes(astrides), sizes(bstrides), encode(am, t), encode(bm, t)]
        return Call([*arguments, binary_result(name, t, av, bv)], threads=-(-n // per_thread(t)))

    return Case("candle", "binary.metal", f"{name}_{t}_{variant}", make)


def affine(t: str, is_strided: bool) -> Case:
    def make(s: Sizes) -> Call:
        base = s.uniform(-9, 9, (s(13, 3), s(17, 5)), t) if t in FLOATS else encode(s.rng.integers(0, 50, (s(13, 3), s(17, 5))), t)
        view, dims, strides = strided(base, (1, 0))
        mul, add = np.float32(1.75), np.float32(3.5)
        x = view if is_strided else base
        result = x.astype(np.float64) * 1.75 + 3.5
        out = Out(rounded(np.trunc(result) if t not in FLOATS else result, t), t, ulps(t, 1))
        if is_strided:
            return Call([size_t(x.size), size_t(2), sizes(dims), sizes(strides), mul, add, encode(base, t), out], threads=x.size)
        return Call([size_t(x.size), mul, add, encode(x, t), out], threads=-(-x.size // per_thread(t)))

    return Case("candle", "affine.metal", f"affine_{t}{'_strided' if is_strided else ''}", make)


def power_or_elu(name: str, t: str, is_strided: bool) -> Case:
    def make(s: Sizes) -> Call:
        base = s.uniform(0.1, 4, (s(13, 3), s(17, 5)), t) if name == "powf" else s.uniform(-4, 4, (s(13, 3), s(17, 5)), t)
        view, dims, strides = strided(base, (1, 0))
        parameter = 1.5
        x = view if is_strided else base
        result = x**parameter if name == "powf" else np.where(x > 0, x, parameter * np.expm1(np.minimum(x, 0)))
        # exp(x) - 1 cancels near zero: an absolute error of a unit of the type.
        unit = {"f32": 2.0**-22, "f16": 2.0**-9, "bf16": 2.0**-6}[t]
        out = Out(rounded(result, t), t, ulps(t, 16 if t == "f32" else 2, 0 if name == "powf" else 2 * unit))
        if is_strided:
            return Call([size_t(x.size), size_t(2), sizes(dims), sizes(strides), np.float32(parameter), encode(base, t), out], threads=x.size)
        return Call([size_t(x.size), np.float32(parameter), encode(x, t), out], threads=-(-x.size // per_thread(t)))

    return Case("candle", "affine.metal", f"{name}_{t}{'_strided' if is_strided else ''}", make)


def where(index: str, t: str, contiguous: tuple[bool, bool, bool]) -> Case:
    def make(s: Sizes) -> Call:
        shape = (s(9, 3), s(14, 4))
        a, b = operands(s, t, shape)
        condition = encode(s.rng.integers(0, 2, shape) * 3, index)
        views, all_strides = [], []
        for values, c in zip((condition, a, b), contiguous):
            # The contiguous ones have the shape of the views of the others.
            view, dims, strides = strided(values, (1, 0))
            views.append(values.reshape(dims) if c else view)
            all_strides.append(sizes(strides))
        n = views[0].size
        result = np.where(views[0] != 0, views[1], views[2])
        arguments = [size_t(n), size_t(2), sizes(dims), *all_strides, condition, encode(a, t), encode(b, t), Out(result, t)]
        return Call(arguments, threads=-(-n // per_thread(t)), constants=dict(enumerate(contiguous)))

    note = "".join("cs"[not c] for c in contiguous)
    return Case("candle", "ternary.metal", f"where_{index}_{t}", make, note)


def fill(t: str) -> Case:
    def make(s: Sizes) -> Call:
        n = s(777, 21)
        before = np.full(n + 3, 7, encode([0], t).dtype)
        expected = before.copy()
        expected[:n] = encode([42], t)
        return Call([Out(rounded_bits(expected, t), t, EXACT, before), encode([42], t), size_t(n)], threads=1024)

    return Case("candle", "fill.metal", f"fill_{t}", make)


def rounded_bits(array: np.ndarray, t: str) -> np.ndarray:
    from harness import decode

    return decode(array, t)


def const_set(t: str, is_strided: bool) -> Case:
    def make(s: Sizes) -> Call:
        rows, columns = s(12, 3), s(15, 4)
        n = rows * columns
        if not is_strided:
            return Call([size_t(n), encode([3], t), Out(rounded(np.full(n, 3), t), t)], threads=-(-n // per_thread(t)))
        # Every second column.
        before = encode(np.zeros((rows, 2 * columns)), t)
        after = np.zeros((rows, 2 * columns))
        after[:, ::2] = 3
        arguments = [size_t(n), size_t(2), sizes([rows, columns]), sizes([2 * columns, 2]), encode([3], t)]
        return Call([*arguments, Out(rounded(after, t), t, EXACT, before)], threads=n)

    return Case("candle", "unary.metal", f"const_set_{t}{'_strided' if is_strided else ''}", make)


SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 3.4e38, -3.4e38, 1e-38, 0.5, -0.5, 2.5, -2.5], np.float64)


def special(name: str) -> Case:
    """Infinities, zeros and NaNs, with math that keeps them."""

    def make(s: Sizes) -> Call:
        x = SPECIAL.astype(np.float32)
        with np.errstate(all="ignore"):
            expected = UNARY[name][0](x.astype(np.float64)).astype(np.float32).astype(np.float64)
        subnormal = np.abs(expected) < 2.0**-126

        def judge(found):
            # A device may take subnormals for zeros.
            expected_here = np.where(subnormal & (found == 0), 0.0, expected)
            small = np.abs(x) < 2.0**-126
            ok = small | (found == expected_here) | (np.isnan(found) & np.isnan(expected_here))
            ok |= np.abs(found - expected_here) <= 1e-6 * np.abs(expected_here)
            assert ok.all(), (name, x[~ok], found[~ok], expected_here[~ok])

        return Call([size_t(x.size), x, Out(expected, "f32", EXACT, judge=judge)], threads=-(-x.size // 2))

    return Case("candle", "unary.metal", f"{name}_f32", make, "special", {"fast_math": False})


CASES = (
    [unary(name, t) for name in UNARY for t in FLOATS]
    + [unary_strided(name, t) for name, t in (("exp", "f32"), ("neg", "f16"), ("copy", "bf16"), ("sqrt", "f32"))]
    + [special(name) for name in ("exp", "log", "sqrt", "abs", "neg", "ceil", "floor", "sqr", "relu", "tanh", "sin")]
    + [binary(name, t) for name in BINARY for t in (("f32", "i64") if name in ("le", "gt") else ("f32", "f16", "u8"))]
    + [binary(name, t) for name, t in (("badd", "bf16"), ("bmul", "u32"), ("bdiv", "i64"), ("bdiv", "u32"), ("bmul", "i64"))]
    + [binary_strided("bsub", "f32", v) for v in ("strided", "lstrided", "rstrided", "scalar", "cs", "sc", "rss", "lss")]
    + [binary_strided("lt", "f16", "strided"), binary_strided("bmul", "bf16", "rstrided")]
    + [affine(t, st) for t in ("f32", "f16", "bf16", "u8", "u32", "i64") for st in (False, True)]
    + [power_or_elu(name, t, st) for name in ("powf", "elu") for t in FLOATS for st in (False, True)]
    + [where("u8", "f32", c) for c in ((True, True, True), (False, True, True), (True, False, False), (False, False, False))]
    + [where(i, t, (False, True, False)) for i, t in (("u32", "f16"), ("i64", "bf16"), ("u8", "i64"), ("u32", "u8"))]
    + [fill(t) for t in ("f32", "f16", "bf16", "u8", "u32", "i64")]
    + [const_set(t, st) for t in ("f32", "f16", "u8", "i64") for st in (False, True)]
)

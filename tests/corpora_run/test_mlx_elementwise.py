"""MLX: unary, binary and ternary operations, copies."""

from __future__ import annotations

import math

import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, check, decode, encode, rounded
from instances import FLOATS, HALF, case, element_strides, int32s, int64s


def test_mlx_elementwise(case, device):
    check(case, device)


erf = np.vectorize(math.erf)
PER_THREAD = {"f32": 2, "f16": 4, "bf16": 4, "i32": 2, "u32": 2, "i64": 1, "u8": 8, "bool": 8, "i16": 4, "i8": 8, "u64": 1}

# Operation: reference, range of arguments, and what Metal's fast functions may be wrong by: units in the last place and
# an absolute error. Some have series of their own in MLX; that of Expm1 takes multiples (here up to 8) of ln 2 away with
# an error of 1.43e-6 each.
UNARY = {
    "Abs": (np.abs, (-9, 9), 0, 0), "Negative": (np.negative, (-9, 9), 0, 0), "Square": (np.square, (-9, 9), 1, 0),
    "Sign": (np.sign, (-9, 9), 0, 0), "ArcCos": (np.arccos, (-1, 1), 5, 2e-6), "ArcSin": (np.arcsin, (-1, 1), 5, 2e-6),
    "ArcTan": (np.arctan, (-9, 9), 5, 0), "ArcSinh": (np.arcsinh, (0.1, 9), 8, 1e-6), "ArcCosh": (np.arccosh, (1.1, 9), 8, 1e-6),
    "ArcTanh": (np.arctanh, (-0.9, 0.9), 8, 1e-6), "Cos": (np.cos, (-3, 3), 8, 1e-6), "Cosh": (np.cosh, (-5, 5), 16, 0),
    "Sinh": (np.sinh, (-5, 5), 16, 1e-6), "Sin": (np.sin, (-3, 3), 8, 1e-6), "Tan": (np.tan, (-1.4, 1.4), 8, 2e-6),
    "Tanh": (np.tanh, (-9, 9), 8, 1e-6), "Exp": (np.exp, (-10, 10), 24, 0), "Expm1": (np.expm1, (-5, 5), 96, 1e-7),
    "Log": (np.log, (0.01, 100), 4, 2e-6), "Log2": (np.log2, (0.01, 100), 4, 2e-6), "Log10": (np.log10, (0.01, 100), 4, 2e-6),
    "Log1p": (np.log1p, (-0.9, 9), 8, 1e-6), "Sqrt": (np.sqrt, (0, 90), 2, 0), "Rsqrt": (lambda x: 1 / np.sqrt(x), (0.1, 9), 4, 0),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (-9, 9), 24, 0), "Erf": (erf, (-4, 4), 4, 1e-6),
    "Round": (np.rint, (-9, 9), 0, 0), "Ceil": (np.ceil, (-9, 9), 0, 0), "Floor": (np.floor, (-9, 9), 0, 0),
}  # fmt: skip


def bound_of(result: np.ndarray, t: str, units: float, absolute: float) -> np.ndarray:
    """An operation in float with such an error, or in a narrower type; the result is rounded to the type."""
    size = np.abs(result)
    least = {"f32": 2.0**-126, "f16": 2.0**-24, "bf16": 2.0**-126}[t]
    # In narrow types the operation is done in float, and the result rounded once.
    if t == "f32":
        return size * 2 * units * HALF["f32"] + absolute + (least if units else 0)
    return (size * (2 * units * HALF["f32"] + HALF[t] * (units > 0)) + absolute + least) * (units > 0)


def bound_of_sigmoid(result: np.ndarray, t: str, absolute: float) -> np.ndarray:
    """MLX computes 1 / (1 + exp(|x|)) in the type, with three roundings, and takes it from 1 where x is positive."""
    return np.minimum(result, 1 - result) * 4 * HALF[t] + result * HALF[t] + absolute


def unary(op: str, t: str, kind: str = "v") -> Case:
    reference, (low, high), units, absolute = UNARY[op]

    def make(s: Sizes) -> Call:
        if kind == "g":
            x = s.uniform(low, high, (s(5, 2), s(7, 3), s(9, 5)), t)
            view = np.transpose(encode(x, t), (2, 0, 1))
            result = reference(np.transpose(x, (2, 0, 1)))
            out = Out(result, t, bound=bound_of(result, t, units, absolute))
            dims = view.shape
            arguments = [encode(x, t), out, int32s(dims), element_strides(view), np.int32(3)]
            return Call(arguments, threads=(-(-dims[2] // 4), dims[1], dims[0]), threadgroup=(4, 2, 2))
        n = s(1003, 37)
        x = s.uniform(low, high, n, t)
        result = reference(x)
        is_narrow_sigmoid = op == "Sigmoid" and t != "f32"
        bound = bound_of_sigmoid(result, t, 1e-7) if is_narrow_sigmoid else bound_of(result, t, units, absolute)
        out = Out(result, t, bound=bound)
        threads = -(-n // PER_THREAD[t])
        if kind == "v2":
            return Call([encode(x, t), out, np.int64(n)], threads=(-(-threads // 3), 3))
        return Call([encode(x, t), out, np.uint32(n)], threads=threads)

    template = (t, t, op, 4, "int") if kind == "g" else (t, t, op)
    return case("unary", f"unary_{kind}", template, make)


def as_complex(x: np.ndarray) -> np.ndarray:
    return np.stack([x.real, x.imag], axis=-1).astype(np.float32)


def complex_unary(op: str, reference) -> Case:
    def make(s: Sizes) -> Call:
        n = s(101, 13)
        x = (s.normal(n) + 1j * s.normal(n)).astype(np.complex64).astype(np.complex128)
        result = reference(x)
        # Each part by what both parts are worth: products of parts cancel.
        bound = np.abs(result)[:, None] * 2**-19 + 1e-6 + np.zeros((n, 2))
        return Call([as_complex(x), Out(as_complex(result).astype(np.float64), bound=bound), np.uint32(n)], threads=n)

    return case("unary", "unary_v", ("complex64_t", "complex64_t", op), make)


def fp8(t: str) -> Case:
    """From eight bits (e4m3), all of them."""

    def make(s: Sizes) -> Call:
        x = np.arange(256, dtype=np.uint8)
        e, m = (x >> 3) & 15, (x & 7).astype(np.float64)
        value = np.where(e == 0, m / 8 * 2.0**-6, (1 + m / 8) * 2.0 ** (e.astype(int) - 7))
        value = np.where(x & 0x80, -value, value)
        special = (x & 0x7F) == 0x7F

        def judge(found: np.ndarray) -> None:
            np.testing.assert_array_equal(found[~special], value[~special])

        return Call([x, Out(value, t, judge=judge), np.uint32(256)], threads=32)

    return case("unary", "unary_v", ("u8", t, "FromFP8"), make)


BINARY = {
    "Add": (np.add, 1), "Subtract": (np.subtract, 1), "Multiply": (np.multiply, 1), "Divide": (np.divide, 3),
    "Maximum": (np.maximum, 0), "Minimum": (np.minimum, 0), "Power": (np.power, 40), "ArcTan2": (np.arctan2, 8),
    "LogAddExp": (np.logaddexp, 24), "Remainder": (np.mod, 4), "FloorDivide": (np.floor_divide, 0),
    "Equal": (np.equal, 0), "NotEqual": (np.not_equal, 0), "Greater": (np.greater, 0), "GreaterEqual": (np.greater_equal, 0),
    "Less": (np.less, 0), "LessEqual": (np.less_equal, 0), "LogicalAnd": (np.logical_and, 0), "LogicalOr": (np.logical_or, 0),
    "BitwiseAnd": (np.bitwise_and, 0), "BitwiseOr": (np.bitwise_or, 0), "BitwiseXor": (np.bitwise_xor, 0),
    "LeftShift": (np.left_shift, 0), "RightShift": (np.right_shift, 0),
}  # fmt: skip
COMPARES = ("Equal", "NotEqual", "Greater", "GreaterEqual", "Less", "LessEqual")
INTEGERS = {"u8": (0, 256), "i32": (-(2**31), 2**31), "u32": (0, 2**32), "i64": (-(2**62), 2**62), "i16": (-(2**15), 2**15), "bool": (0, 2)}


def operands(s: Sizes, op: str, t: str, shape) -> tuple[np.ndarray, np.ndarray]:
    if t in INTEGERS:
        low, high = INTEGERS[t]
        a, b = (encode(s.rng.integers(low, high, shape), t) for _ in range(2))
        if "Shift" in op:
            b = encode(s.rng.integers(0, 8 * b.itemsize - 1, shape), t)
        if op == "Power":
            a, b = encode(s.rng.integers(0, 9, shape), t), encode(s.rng.integers(0, 5, shape), t)
        if op in ("Divide", "Remainder", "FloorDivide"):
            b[b == 0] = 1
    else:
        a, b = s.uniform(0.3, 5, shape, t), s.uniform(-3, 3, shape, t)
        b = np.where(np.abs(b) < 0.3, 0.5, b)
        if op in ("Subtract", "Add", "Maximum", *COMPARES):
            a = a - rounded(3, t)
        a = rounded(a, t)
    if op in COMPARES:
        np.copyto(b, a, where=s.rng.random(shape) < 0.3)
    return a, b


def binary_out(op: str, t: str, a: np.ndarray, b: np.ndarray) -> Out:
    reference, units = BINARY[op]
    with np.errstate(all="ignore"):
        if op in COMPARES or op.startswith("Logical"):
            return Out(reference(a, b).astype(np.uint8), "bool")
        if t in INTEGERS:
            if op == "Divide":
                # C rounds to zero.
                a, b = a.astype(object), b.astype(object)
                return Out(encode(np.abs(a) // np.abs(b) * np.where((a < 0) != (b < 0), -1, 1), t), t)
            return Out(reference(a, b).astype(a.dtype), t)
        result = reference(a, b)
    if op in ("Remainder", "FloorDivide"):
        # Near a multiple of the divisor both may be on the other side of the jump.
        q = a / b
        near = np.abs(q - np.rint(q)) < 64 * HALF[t] * np.abs(q)
        jump = np.abs(b) if op == "Remainder" else 1.0
        return Out(result, t, bound=near * jump + np.abs(result) * 4 * HALF[t] + np.abs(a) * 4 * HALF["f32"] * (op == "Remainder"))
    return Out(result, t, bound=bound_of(result, t, units, 2e-6 if op == "LogAddExp" else 0) if units else EXACT.relative * result)


def binary(op: str, t: str, kind: str = "vv") -> Case:
    def make(s: Sizes) -> Call:
        n = s(1021, 29)
        a, b = operands(s, op, t, n)
        out = binary_out(op, t, a if kind[0] == "v" else np.broadcast_to(a[:1], n), b if kind[1] == "v" else np.broadcast_to(b[:1], n))
        return Call([encode(a, t), encode(b, t), out, np.uint32(n)], threads=-(-n // PER_THREAD[t]))

    to = "bool" if op in COMPARES else t
    return case("binary", f"binary_{kind}", (t, to, op), make)


def binary_strided(op: str, t: str, dims: int) -> Case:
    """One side transposed, the other broadcast along its first axis."""

    def make(s: Sizes) -> Call:
        shape = (s(4, 2), s(3, 2), s(6, 3), s(7, 5))[-dims:]
        a, b = operands(s, op, t, shape)
        order = tuple(range(dims))[::-1]
        stored_a, stored_b = encode(a, t), np.ascontiguousarray(encode(b, t).transpose(order)[:1])
        av = stored_a.transpose(order)
        bv = np.broadcast_to(stored_b, av.shape)
        out = binary_out(op, t, decode(av, t), decode(bv, t))
        sides = [element_strides(av), element_strides(bv)]
        if dims == 4:
            grid = (-(-av.shape[3] // 2), av.shape[2], av.shape[0] * av.shape[1])
            return Call([stored_a, stored_b, out, int32s(av.shape), *sides, np.int32(4)], threads=grid, threadgroup=(4, 2, 2))
        return Call([stored_a, stored_b, out, *sides], threads=av.shape[::-1], threadgroup=(4, 2, 2))

    kernel, more = ("binary_g", (2, "int")) if dims == 4 else (f"binary_g_nd{dims}", ("int",))
    return case("binary", kernel, (t, t, op, *more), make)


def complex_binary(op: str, reference) -> Case:
    def make(s: Sizes) -> Call:
        n = s(101, 13)
        a, b = ((s.normal(n) + 1j * s.normal(n)).astype(np.complex64).astype(np.complex128) for _ in range(2))
        result = reference(a, b)
        bound = np.abs(result)[:, None] * 2**-20 + np.zeros((n, 2))
        return Call([as_complex(a), as_complex(b), Out(as_complex(result).astype(np.float64), bound=bound), np.uint32(n)], threads=n)

    return case("binary", "binary_vv", ("complex64_t", "complex64_t", op), make)


def divmod_(t: str) -> Case:
    def make(s: Sizes) -> Call:
        n = s(501, 29)
        a, b = operands(s, "Divide", t, n)
        if t == "f32":
            # Quotients by powers of two are exact.
            b = 2.0 ** np.rint(b)
        outs = [Out(np.floor_divide(a, b), t), Out(np.mod(a, b), t)]
        return Call([encode(a, t), encode(b, t), *outs, np.uint32(n)], threads=-(-n // PER_THREAD[t]))

    return case("binary_two", "binary_vv", (t, t, "DivMod"), make)


def select(t: str, dims: int, scalars: tuple[bool, bool] = (False, False)) -> Case:
    def make(s: Sizes) -> Call:
        shape = (s(3, 2), s(4, 2), s(5, 3), s(7, 5))
        a, b = operands(s, "Select", t, shape)
        condition = encode(s.rng.integers(0, 2, shape), "bool")
        if not dims:
            n = a.size
            b0, c0 = (v.reshape(-1)[:1] if scalar else v.reshape(-1) for v, scalar in zip((a, b), scalars))
            out = Out(np.where(condition.reshape(-1), b0, c0), t)
            return Call([condition, encode(a, t), encode(b, t), out, np.uint32(n)], threads=-(-n // PER_THREAD[t]))
        views = [x.transpose(3, 2, 1, 0) for x in (condition, encode(a, t), encode(b, t))]
        out = Out(np.where(views[0], decode(views[1], t), decode(views[2], t)), t)
        dims_of = views[0].shape
        strides = [element_strides(v) for v in views]
        arguments = [condition, encode(a, t), encode(b, t), out, int32s(dims_of), *strides, np.int32(4)]
        return Call(arguments, threads=(-(-dims_of[3] // 2), dims_of[2], dims_of[0] * dims_of[1]), threadgroup=(4, 2, 2))

    if dims:
        return case("ternary", "ternary_g", (t, "Select", 2, "int"), make)
    return case("ternary", "ternary_v", (t, "Select", *scalars), make)


def converted(x: np.ndarray, t: str, u: str) -> np.ndarray:
    if u == "bool":
        return (x != 0).astype(np.uint8)
    if u in FLOATS:
        return rounded(np.asarray(x, np.float32), u)
    return encode(np.trunc(x) if t in FLOATS else x, u)


def source(s: Sizes, t: str, u: str, shape) -> np.ndarray:
    if t in FLOATS:
        return s.normal(shape, t, 20) if u in (*FLOATS, "i32", "i64", "i16", "bool") else s.uniform(0, 200, shape, t)
    return encode(s.rng.integers(0, 2 if t == "bool" else 120, shape), t)


def copy(kind: str, t: str, u: str) -> Case:
    def make(s: Sizes) -> Call:
        n = s(777, 29)
        x = source(s, t, u, n)
        result = converted(x if kind[0] == "v" else np.broadcast_to(x[:1], n), t, u)
        threads = -(-n // PER_THREAD[u])
        if kind.endswith("2"):
            return Call([encode(x, t), Out(result, u), np.int64(n)], threads=(-(-threads // 3), 3))
        return Call([encode(x, t), Out(result, u), np.uint32(n)], threads=threads)

    return case("copy", f"copy_{kind}", (t, u), make)


def copy_strided(t: str, u: str, kind: str) -> Case:
    """From one order of axes to another."""

    def make(s: Sizes) -> Call:
        shape = (s(3, 2), s(4, 2), s(5, 3), s(7, 5))
        x = source(s, t, u, shape)
        stored = encode(x, t)
        view = stored.transpose(2, 0, 3, 1)
        result = converted(x.transpose(2, 0, 3, 1), t, u)
        grid = (-(-view.shape[3] // 2), view.shape[2], view.shape[0] * view.shape[1])
        arguments = {0: stored, 2: int32s(view.shape), 3: element_strides(view), 5: np.int32(4)}
        if kind == "gg":
            # The result lies in the order of the source.
            target = encode(np.zeros(shape), u).transpose(2, 0, 3, 1)
            arguments[1] = Out(result.transpose(1, 3, 0, 2).copy(), u)
            arguments[4] = element_strides(target)
        else:
            arguments[1] = Out(result, u)
        return Call(dict(sorted(arguments.items())), threads=grid, threadgroup=(4, 2, 2))

    return case("copy", f"copy_{kind}", (t, u, 2, "int"), make)


CASES = (
    [unary(op, t) for op in UNARY for t in (("f32", "f16") if op in ("Exp", "Tanh", "Log", "Square", "Round") else ("f32",))]
    + [unary(op, "bf16") for op in ("Exp", "Sigmoid", "Abs", "Rsqrt")]
    + [unary("Sqrt", "f32", "v2"), unary("Exp", "f32", "g"), unary("Negative", "bf16", "g")]
    + [complex_unary(*o) for o in (("Exp", np.exp), ("Conjugate", np.conj), ("Square", np.square), ("Sqrt", np.sqrt), ("Sin", np.sin), ("Log", np.log))]
    + [fp8(t) for t in FLOATS]
    + [binary(op, "f32") for op in BINARY if not op.startswith(("Bitwise", "Logical")) and "Shift" not in op]
    + [binary(op, t) for op in ("Add", "Multiply", "Less") for t in ("f16", "bf16", "u8", "i64")]
    + [binary(op, t) for op in ("Remainder", "FloorDivide", "Power", "Divide") for t in ("i32", "u32")]
    + [binary(op, t) for op in ("BitwiseAnd", "BitwiseXor", "LeftShift", "RightShift") for t in ("i32", "u8")]
    + [binary(op, "bool") for op in ("LogicalAnd", "LogicalOr")]
    + [binary("Subtract", "f32", k) for k in ("sv", "vs")]
    + [binary_strided("Subtract", t, n) for t, n in (("f32", 1), ("i32", 2), ("f16", 3), ("f32", 4), ("bf16", 4))]
    + [complex_binary(*o) for o in (("Multiply", np.multiply), ("Divide", np.divide), ("Add", np.add))]
    + [divmod_(t) for t in ("i32", "u32", "f32")]
    + [select(t, n) for t in ("f32", "i64", "bf16") for n in (0, 4)] + [select("f16", 0, (True, False)), select("u8", 0, (False, True))]
    + [copy(k, t, u) for k, t, u in (("v", "f32", "bf16"), ("v", "bf16", "f16"), ("s", "f32", "i32"), ("v2", "i64", "f16"), ("v", "f32", "bool"))]
    + [copy(k, t, u) for k, t, u in (("v", "f16", "u8"), ("v", "u8", "f32"), ("s", "bool", "bf16"), ("v", "i32", "i64"))]
    + [copy_strided(t, u, k) for t, u in (("f32", "f32"), ("bf16", "f32"), ("i64", "i32")) for k in ("g", "gg")]
)  # fmt: skip

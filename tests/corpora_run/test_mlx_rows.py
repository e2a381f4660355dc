"""MLX: reductions, scans, sorts, softmax and its relatives, gathers and scatters."""

from __future__ import annotations

import mlx
import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, check, encode, rounded
from instances import FLOATS, HALF, NAMES, case, element_strides, int32s, int64s, of_text


def test_mlx_rows(case, device):
    check(case, device)


# ---- reductions ----------------------------------------------------------------------------------------------------

REDUCE = {"Sum": np.sum, "Prod": np.prod, "Min": np.min, "Max": np.max, "And": np.all, "Or": np.any}


def result_type(op: str, t: str) -> str:
    if op in ("And", "Or"):
        return "bool"
    return {"i8": "i32", "i16": "i32", "bool": "i32", "u8": "u32", "u16": "u32"}.get(t, t) if op in ("Sum", "Prod") else t


def values(s: Sizes, op: str, t: str, shape) -> np.ndarray:
    if t in FLOATS:
        return s.uniform(0.9, 1.1, shape, t) if op == "Prod" else s.uniform(-2, 2, shape, t)
    if op in ("And", "Or"):
        # Both results occur.
        return encode(s.rng.random(shape) < (0.99 if op == "And" else 0.01), t)
    low, high = {"u8": (0, 256), "i8": (-128, 128), "bool": (0, 2)}.get(t, (-1000, 1000))
    return encode(s.rng.integers(low, high, shape), t)


def reduced(op: str, t: str, x: np.ndarray, axis, steps: float) -> Out:
    """``steps`` is how many roundings a term of a sum goes through, in the type itself; a product has those of all."""
    u = result_type(op, t)
    if t in FLOATS and op in ("Sum", "Prod"):
        result = REDUCE[op](x, axis=axis)
        roundings = steps if op == "Sum" else x.size / np.size(result)
        bound = (np.abs(x).sum(axis=axis) if op == "Sum" else np.abs(result)) * roundings * HALF[t]
        return Out(result, u, bound=bound)
    if op in ("Sum", "Prod"):
        with np.errstate(over="ignore"):
            return Out(REDUCE[op](x, axis=axis, dtype=encode([0], u).dtype), u)
    return Out(REDUCE[op](x, axis=axis), u)


def template(op: str, t: str, *more) -> tuple:
    u = result_type(op, t)
    return (t, u, f"{op}<{NAMES[u]}>", *more)


def all_reduce(op: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, size = s(3, 2), s(5000, 300)
        n = rows * size - 13
        x = values(s, op, t, n)
        padded = np.array_split(x, [size * i for i in range(1, rows)])
        outs = [reduced(op, t, part, -1, size / 128 + 12) for part in padded]
        out = Out(np.array([o.expected for o in outs]), outs[0].type, bound=np.array([o.bound if o.bound is not None else 0 for o in outs]))
        return Call([encode(x, t), out, np.uint64(n), np.uint64(size)], groups=(1, rows), threadgroup=128)

    return case("reduce", "all_reduce", template(op, t), make)


def row_simple(op: str, t: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(7, 5), s(700, 140)
        x = values(s, op, t, (rows, n))
        return Call([encode(x, t), reduced(op, t, x, -1, n / 64 + 12), np.uint64(n), np.int64(rows)], groups=(1, -(-rows // 4)), threadgroup=64)

    return case("reduce", "row_reduce_simple", template(op, t), make)


def row_reduce(op: str, t: str, kind: str, shape: tuple[tuple[int, int], ...]) -> Case:
    """Over the last axis and the first; the one in the middle stays."""

    def make(s: Sizes) -> Call:
        outer, kept, n = (s(*v) for v in shape)
        x = values(s, op, t, (outer, kept, n))
        out = reduced(op, t, x, (0, 2), outer * n / (32 if kind == "looped" else 1) + 16)
        numbers = [np.int64(n), np.int64(outer), int32s([kept]), int64s([n]), np.int32(1), int32s([outer]), int64s([kept * n]), np.int32(1)]
        if kind == "looped":
            return Call([encode(x, t), out, *numbers], groups=(1, kept), threadgroup=32)
        if outer <= 8:
            # A thread for each result.
            return Call([encode(x, t), out, *numbers], threads=kept, threadgroup=kept)
        return Call([encode(x, t), out, *numbers], groups=(1, kept), threadgroup=32)

    note = "x".join(str(v[0]) for v in shape)
    return case("reduce", f"row_reduce_{kind}", template(op, t, "int", 1), make, note)


def col_reduce(op: str, t: str, kind: str) -> Case:
    """Over the middle axis; rows of the result are contiguous."""

    def make(s: Sizes) -> Call:
        outer, n, columns = s(3, 2), s(77, 9), s(45, 34)
        x = values(s, op, t, (outer, n, columns))
        out = reduced(op, t, x, 1, n / 8 + 40)
        numbers = [np.uint64(n), np.int64(columns), int32s([outer]), int64s([n * columns]), np.int32(1)]
        numbers += [int32s([n]), int64s([columns]), np.int32(1), np.uint64(1)]
        if kind == "small":
            return Call([encode(x, t), out, *numbers], groups=(-(-columns // 32), outer), threadgroup=(8, 4))
        return Call([encode(x, t), out, *numbers, np.int64(0)], groups=(-(-columns // 32), outer), threadgroup=256)

    more = ("int", 1) if kind == "small" else ("int", 1, 32, 32)
    return case("reduce", f"col_reduce_{kind}", template(op, t, *more), make)


# ---- scans ---------------------------------------------------------------------------------------------------------

SCAN = {"CumSum": np.add, "CumProd": np.multiply, "CumMax": np.maximum, "CumMin": np.minimum, "CumLogaddexp": np.logaddexp}
INIT = {"CumSum": 0, "CumProd": 1, "CumMax": -np.inf, "CumMin": np.inf, "CumLogaddexp": -np.inf}


def scan(op: str, t: str, inclusive: bool, reverse: bool, is_strided: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        outer, n, inner = s(3, 2), s(500, 70), s(45, 33) if is_strided else 1
        if t in FLOATS:
            x = s.uniform(0.95, 1.05, (outer, n, inner), t) if op == "CumProd" else s.uniform(-2, 2, (outer, n, inner), t)
        else:
            x = encode(s.rng.integers(-9, 9, (outer, n, inner)), t)
        order = x[:, ::-1] if reverse else x
        # In the type of the elements where that matters: integers wrap.
        work = order.astype(np.float64) if t in FLOATS else order
        result = SCAN[op].accumulate(work, axis=1)
        if not inclusive:
            result = np.concatenate([np.full_like(result[:, :1], INIT[op]), result[:, :-1]], axis=1)
        result = result[:, ::-1] if reverse else result
        tolerance: dict = {}
        if t in FLOATS and op not in ("CumMax", "CumMin"):
            # A term goes through 4 sums of its thread, two scans of 32, and one for each block.
            steps = 4 + 12 + n / 128 + 2
            if op == "CumSum":
                total = np.abs(x).sum(axis=1, keepdims=True)
                tolerance["bound"] = np.broadcast_to(total * steps * HALF[t], result.shape)
            elif op == "CumProd":
                tolerance["bound"] = np.abs(result) * (n + steps) * HALF[t]
            else:
                # Each step has an exp and a log1p, whose error is absolute.
                tolerance["bound"] = np.where(np.isinf(result), 0, (np.abs(result) + 4) * (n / 4 + steps) * 2 * HALF[t])
        if "bound" in tolerance:
            finite = np.isfinite(result)
            bound = tolerance.pop("bound")

            def judge(found: np.ndarray) -> None:
                assert (found[~finite] == result[~finite]).all()
                wrong = ~(np.abs(found[finite] - result[finite]) <= bound[finite])
                assert not wrong.any(), (int(wrong.sum()), found[finite][wrong][:5], result[finite][wrong][:5])

            tolerance["judge"] = judge
        out = Out(result, t, **tolerance)
        if is_strided:
            blocks = -(-inner // 32)
            numbers = [np.uint64(n), np.uint64(inner), np.uint64(blocks)]
            return Call([encode(x, t), out, *numbers], groups=(1, outer * blocks), threadgroup=256)
        return Call([encode(x, t), out, np.uint64(n)], groups=(1, outer), threadgroup=32 if s.is_small else 64)

    kernel = "strided_scan" if is_strided else "contiguous_scan"
    return case("scan", kernel, (t, t, f"{op}<{NAMES[t]}>", 4, inclusive, reverse), make)


# ---- sorts ---------------------------------------------------------------------------------------------------------


def sortable(s: Sizes, t: str, shape) -> np.ndarray:
    """With equal ones among them."""
    if t in FLOATS:
        x = s.normal(shape, t)
        x[..., ::7] = x[..., :1]
        return x
    low, high = {"u8": (0, 256), "i16": (-(2**15), 2**15), "bool": (0, 2)}.get(t, (-(2**31), 2**31))
    return encode(s.rng.integers(low, high, shape), t)


def order_judge(x: np.ndarray):
    """Indices that sort each row, equal ones in any order."""

    def judge(found: np.ndarray) -> None:
        found = found.reshape(x.shape).astype(np.int64)
        assert (np.sort(found, axis=-1) == np.arange(x.shape[-1])).all(), "not a permutation"
        np.testing.assert_array_equal(np.take_along_axis(x, found, axis=-1), np.sort(x, axis=-1))

    return judge


def sort(t: str, is_index: bool, is_strided: bool = False) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(3, 2), s(900, 77)
        x = sortable(s, t, (rows, n))
        out = Out(np.zeros((rows, n)), "u32", judge=order_judge(x)) if is_index else Out(np.sort(x, axis=1), t)
        if not is_strided:
            return Call([encode(x, t), out, *map(np.int32, (n, 1, 1, n, n))], groups=(1, rows), threadgroup=128)
        # Sorted along the first axis of what is stored; the result is contiguous.
        stored = np.ascontiguousarray(encode(x, t).T)
        numbers = [np.int32(n), np.int32(rows), np.int32(1), np.int32(1), int32s([rows]), int64s([1]), int64s([n])]
        return Call([stored, out, *numbers], groups=(1, rows), threadgroup=128)

    kernel = "block_sort_nc" if is_strided else "block_sort"
    return case("sort", kernel, (t, "u32" if is_index else t, is_index, 128, 8), make)


def merged(t: str) -> Case:
    """The last of three steps for long rows; the first two in NumPy."""

    def make(s: Sizes) -> Call:
        block = 256 * 8
        n = block + s(1234, 301)
        x = sortable(s, t, (1, n))[0]
        index = np.concatenate([np.argsort(x[:block], kind="stable"), block + np.argsort(x[block:], kind="stable")]).astype(np.uint32)
        order = np.argsort(x[index], kind="stable")
        parts = np.array([0, (order[:block] < block).sum(), block], np.uint32)
        outs = [Out(np.sort(x), t), Out(np.zeros((1, n)), "u32", judge=order_judge(x[None]))]
        return Call([parts, encode(x[index], t), index, *outs, *map(np.int32, (n, 2, 2))], groups=(2, 1), threadgroup=256)

    return case("sort", "mb_block_merge", (t, "u32", True, 256, 8), make)


def searchsorted(t: str, is_right: bool) -> Case:
    def make(s: Sizes) -> Call:
        n, count = s(300, 30), s(77, 9)
        a = np.sort(sortable(s, t, n))
        v = sortable(s, t, count)
        v[::3] = a[: len(v[::3])]
        out = Out(np.searchsorted(a, v, "right" if is_right else "left"), "u32")
        return Call([encode(a, t), encode(v, t), out, np.uint32(n), np.int64(1)], threads=count)

    return case("rows", "searchsorted", (t, is_right), make)


# ---- softmax and relatives -----------------------------------------------------------------------------------------


def exps(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Exponentials under the largest, their sum, and the error of one: the difference, and 3 + |2 x| units of fast exp."""
    most = x.max(axis=-1, keepdims=True)
    e = np.exp(x - most)
    return e, e.sum(axis=-1, keepdims=True), HALF["f32"] * (np.abs(most - x) + 2 * (3 + 2 * (most - x)))


def softmax(t: str, is_looped: bool, in_float: bool) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(1500 if is_looped else 500, 150)
        x = s.normal((rows, n), t, 3)
        e, total, relative = exps(x)
        result = e / total
        if in_float or t == "f32":
            bound = result * (relative + relative.max() * 3 + HALF["f32"] * 40) + result * HALF[t] * (t != "f32")
            bound += 2.0**-25 * (t == "f16")
        else:
            # All in the type: each exponential is rounded, and each of the partial sums; what is too small for it is lost.
            terms = 4 + 10 + n / 256
            bound = result * (relative + HALF[t] * (np.abs(x).max() * 2 + 3) + HALF[t] * (terms + 4)) + 2.0**-24 * 2
        # Those that loop take it for granted that there are 32 simdgroups.
        threads = 1024 if is_looped else 64 if s.is_small else 128
        return Call([encode(x, t), Out(result, t, bound=bound), np.int32(n)], groups=rows, threadgroup=threads)

    kernel = "softmax_looped" if is_looped else "softmax_single_row"
    return case("rows", kernel, (t, "f32") if in_float else (t,), make)


def logsumexp(t: str, is_looped: bool) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(1500 if is_looped else 500, 150)
        x = s.normal((rows, n), t, 3)
        _, total, relative = exps(x)
        result = (x.max(axis=-1, keepdims=True) + np.log(total))[:, 0]
        bound = relative.max(axis=1) * 3 + HALF["f32"] * (40 + 8 * np.abs(result)) + HALF[t] * np.abs(result)
        return Call([encode(x, t), Out(result, t, bound=bound), np.int32(n)], groups=rows, threadgroup=1024 if is_looped else 64 if s.is_small else 128)

    return case("rows", "logsumexp_looped" if is_looped else "logsumexp", (t,), make)


def cross_entropy(t: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(700, 150)
        x = s.normal((rows, n), t, 3)
        targets = s.rng.integers(-n, n, rows).astype(np.int32)
        most, (_, total, relative) = x.max(axis=-1), exps(x)
        gap = most - x[np.arange(rows), targets]
        result = np.log(total[:, 0]) + gap
        bound = relative.max(axis=1) * 3 + HALF["f32"] * (40 + 8 * (np.abs(result) + gap))
        return Call([encode(x, t), targets, Out(result, bound=bound), np.int32(n)], groups=rows, threadgroup=64)

    return case("rows", "cross_entropy", (t,), make)


def cross_entropy_vjp(t: str) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(700, 150)
        x = s.normal((rows, n), t, 3)
        targets = s.rng.integers(0, n, rows).astype(np.int32)
        own = x[np.arange(rows), targets]
        loss, cotan = rounded(np.log(np.exp(x - own[:, None]).sum(axis=1)), "f32"), s.normal(rows)
        z = (x - x[np.arange(rows), targets][:, None]) - loss[:, None]
        p = np.exp(z)
        result = cotan[:, None] * (p - (np.arange(n)[None] == targets[:, None]))
        wrong = p * HALF["f32"] * (3 * np.abs(z) + 2 * loss[:, None] + 2 * (3 + 2 * np.abs(z))) + HALF["f32"] * 2
        bound = np.abs(cotan)[:, None] * wrong + np.abs(result) * (HALF[t] + 2 * HALF["f32"]) + 2.0**-24 * (t == "f16")
        arguments = [encode(x, t), targets, loss.astype(np.float32), cotan.astype(np.float32), Out(result, t, bound=bound), np.int32(n)]
        return Call(arguments, groups=rows, threadgroup=64)

    return case("rows", "cross_entropy_vjp", (t,), make)


def arange(t: str) -> Case:
    def make(s: Sizes) -> Call:
        n = s(300, 30)
        start, step = (1.5, 0.25) if t in FLOATS else (3, 2)
        if t in FLOATS:
            # The index becomes the type, and a product and a sum are rounded to it.
            i = rounded(np.arange(n), t)
            result = start + i * step
            out = Out(result, t, bound=np.abs(i * step) * 2 * HALF[t] + np.abs(result) * HALF[t] + i * step * HALF[t])
        else:
            out = Out(encode(start + np.arange(n) * step, t), t)
        return Call([encode([start], t), encode([step], t), out], threads=n)

    return case("rows", "arange", (t,), make)


# ---- gathers and scatters --------------------------------------------------------------------------------------------


def elements(s: Sizes, t: str, shape) -> np.ndarray:
    if t in FLOATS:
        return s.normal(shape, t)
    return encode(s.rng.integers(0, 2 if t == "bool" else 100, shape), t)


def indices(s: Sizes, n: int, shape, t: str) -> np.ndarray:
    """Of signed types some count from the end."""
    return encode(s.rng.integers(-n if t[0] == "i" else 0, n, shape), t)


def gather_axis(t: str, i: str, is_contiguous: bool) -> Case:
    def make(s: Sizes) -> Call:
        pre, n, post, count = s(4, 2), s(9, 5), s(13, 3), s(6, 4)
        x, ids = elements(s, t, (pre, n, post)), indices(s, n, (pre, count, post), i)
        result = np.take_along_axis(x, ids.astype(np.int64), axis=1)
        shape = int32s([pre, post])
        # Strides of what is left without the axis.
        if is_contiguous:
            xs, si, sx, ii = encode(x, t), ids, int64s([n * post, post]), int64s([count * post, post])
            sx, ii, ax, ai = int64s([n * post, 1]), int64s([count * post, 1]), post, post
        else:
            # Both are stored with the last axis first.
            xs, si = np.ascontiguousarray(encode(x, t).transpose(2, 1, 0)), np.ascontiguousarray(ids.transpose(2, 1, 0))
            sx, ii, ax, ai = int64s([1, n * pre]), int64s([1, count * pre]), pre, pre
        numbers = [shape, sx, ii, np.uint64(2), np.int32(1), np.int32(n), np.uint64(ax), np.uint64(ai)]
        return Call([xs, si, Out(result, t), *numbers], threads=(post, count, pre), threadgroup=(4, 4, 4))

    return case("indexing", "gather_axis", (t, i, "int", is_contiguous, is_contiguous), make)


def scatter_axis(t: str, i: str, op: str) -> Case:
    def make(s: Sizes) -> Call:
        pre, n, post, count = s(4, 2), s(9, 5), s(13, 3), s(6, 4)
        x, before = elements(s, t, (pre, count, post)), elements(s, t, (pre, n, post))
        # Small numbers: sums are exact in any order.
        if op != "None":
            x, before = (rounded(np.rint(4 * v), t) if t in FLOATS else v for v in (x, before))
        ids = indices(s, n, (pre, count, post), i)
        if op == "None":
            # Each place at most once.
            ids = np.argsort(s.rng.random((pre, n, post)), axis=1)[:, :count].astype(ids.dtype)
        result = before.copy()
        for at in np.ndindex(*x.shape):
            to = (at[0], int(ids[at]), at[2])
            result[to] = result[to] + x[at] if op != "None" else x[at]
        out = Out(result, t, before=encode(before, t))
        sx, numbers = int64s([count * post, 1]), [np.uint64(2), np.int32(1), np.int32(n), np.uint64(post), np.uint64(post)]
        return Call([encode(x, t), ids, out, int32s([pre, post]), sx, sx, *numbers], threads=(post, count, pre), threadgroup=(4, 4, 4))

    return case("indexing", "scatter_axis", (t, i, "int", op if op == "None" else f"{op}<{NAMES[t]}>", True, True), make)


def gather_front(t: str, i: str) -> Case:
    def make(s: Sizes) -> Call:
        n, row, count = s(9, 5), s(30, 7), s(11, 4)
        x, ids = elements(s, t, (n, row)), indices(s, n, count, i)
        out = Out(x[ids.astype(np.int64)], t)
        return Call([encode(x, t), ids, out, np.int64(row), np.int32(n)], threads=(-(-row // 4), count), threadgroup=(4, 4))

    return case("indexing", "gather_front", (t, i, "int", 4), make)


def masked_assign(t: str) -> Case:
    def make(s: Sizes) -> Call:
        n = s(200, 40)
        mask = s.rng.integers(0, 2, n).astype(np.uint8)
        offsets = (np.cumsum(mask) - mask).astype(np.uint32)
        source, before = elements(s, t, n), elements(s, t, n)
        result = np.where(mask, source[offsets], before)
        shape = [int32s([n]), int64s([1]), np.int32(1), np.int64(n), np.int64(n)]
        return Call([mask, offsets, encode(source, t), Out(result, t, before=encode(before, t)), *shape], threads=n)

    return case("indexing", "masked_assign_impl", (t, True), make)


def runtime_text() -> tuple[str, dict[str, str]]:
    """What MLX writes at run time: the includes, and kernels by name."""
    text = mlx.text("indexing")
    includes = text[: text.index("[[kernel]]")]
    kernels = {}
    for part in text[text.index("[[kernel]]") :].split("[[kernel]] void ")[1:]:
        kernels[part[: part.index("(")]] = "[[kernel]] void " + part[: part.index("instantiate_kernel") if "instantiate_kernel" in part else None]
    return includes, kernels


INCLUDES, KERNELS = runtime_text()
TYPES = {"float": "f32", "half": "f16", "int64_t": "i64"}


def gather(t: str, dims: int) -> Case:
    """Rows and columns are picked by two arrays of indices; slices of one column."""
    name = f"gather_{t}_2_{dims}"

    def make(s: Sizes) -> Call:
        u = TYPES[t]
        n, m, depth = s(9, 5), s(8, 4), s(5, 3)
        shape = ((), (s(7, 3),), (s(4, 2), s(3, 2)))[dims]
        x = elements(s, u, (n, m, depth))
        rows, columns = indices(s, n, shape, "i32"), indices(s, m, shape, "i32")
        result = x[rows, columns]
        steps = [1] * dims if not dims else list(element_strides(np.zeros(shape)))
        idx_shapes, idx_strides = int32s([*shape, *shape] or [0]), int64s([*steps, *steps] or [0])
        arguments = {0: encode(x, u), 1: Out(result, u), 2: int32s(x.shape), 3: element_strides(x), 4: np.uint64(3)}
        arguments |= {5: int32s([1, 1, depth]), 6: int32s([0, 1]), 7: idx_shapes, 8: idx_strides, 9: np.ones(2, np.uint8)}
        arguments |= {10: np.int32(dims), 20: rows, 21: columns}
        first, rest = (shape[0] if dims else 1), (shape[1] if dims == 2 else 1)
        return Call(arguments, threads=(first, rest, depth), threadgroup=(4, 2, 4))

    return of_text(name, INCLUDES + KERNELS[name], make)


def scatter(t: str, op: str) -> Case:
    name = f"scatter_{t}_1_{op}"

    def make(s: Sizes) -> Call:
        u = TYPES[t]
        n, row, count = s(9, 5), s(6, 4), s(7, 4)
        x, before = (rounded(np.rint(4 * elements(s, u, shape)), u) for shape in ((count, 1, row), (n, row)))
        ids = indices(s, n, count, "i32") if op != "None" else s.rng.permutation(n)[:count].astype(np.int32)
        result = before.copy()
        for k, to in enumerate(ids):
            result[to] = x[k, 0] if op == "None" else result[to] + x[k, 0] if op == "Sum" else np.maximum(result[to], x[k, 0])
        arguments = {1: encode(x, u), 2: Out(result, u, EXACT, encode(before, u)), 3: int32s(x.shape), 4: element_strides(x)}
        arguments |= {5: np.uint64(3), 6: np.uint64(row), 7: int32s([n, row]), 8: int64s([row, 1]), 9: np.uint64(2), 10: int32s([0])}
        arguments |= {11: int32s([count]), 12: int64s([1]), 13: np.ones(1, np.uint8), 14: np.int32(1), 15: np.uint64(count), 20: ids}
        return Call(arguments, threads=(row, count), threadgroup=(4, 4))

    return of_text(name, INCLUDES + KERNELS[name], make)


CASES = (
    [all_reduce(op, t) for op, t in (("Sum", "f32"), ("Sum", "i8"), ("Max", "bf16"), ("Min", "i64"), ("Prod", "f32"), ("And", "bool"), ("Or", "i32"))]
    + [row_simple(op, t) for op, t in (("Sum", "f32"), ("Sum", "f16"), ("Max", "f32"), ("Prod", "f32"), ("Min", "u8"), ("Sum", "bool"), ("Or", "bool"))]
    + [row_reduce("Sum", "f32", k, ((5, 2), (7, 4), (90, 33))) for k in ("small", "looped")]
    + [row_reduce(op, t, k, ((70, 40), (6, 3), (8, 5))) for op, t, k in (("Sum", "f32", "small"), ("Max", "f16", "small"), ("Sum", "u8", "looped"))]
    + [col_reduce(op, t, k) for op, t in (("Sum", "f32"), ("Max", "bf16"), ("Sum", "i16"), ("Prod", "f32")) for k in ("small", "looped")]
    + [scan("CumSum", t, i, r) for t in ("f32", "i32") for i in (True, False) for r in (True, False)]
    + [scan(op, t, True, False) for op, t in (("CumProd", "f32"), ("CumMax", "f16"), ("CumMin", "i64"), ("CumLogaddexp", "f32"), ("CumSum", "bf16"))]
    + [scan("CumSum", "i32", i, r, True) for i in (True, False) for r in (True, False)]
    + [scan(op, t, False, False, st) for op, t, st in (("CumProd", "f32", True), ("CumMax", "f32", True), ("CumLogaddexp", "f32", False))]
    + [sort(t, i, st) for t in ("f32", "u8", "bf16", "i64") for i in (False, True) for st in (False, True)]
    + [merged("f32"), merged("i32")]
    + [searchsorted(t, r) for t in ("f32", "i16") for r in (False, True)]
    + [softmax(t, looped, f) for t in FLOATS for looped in (False, True) for f in (False, True)]
    + [logsumexp(t, looped) for t in FLOATS for looped in (False, True)]
    + [cross_entropy(t) for t in FLOATS] + [cross_entropy_vjp(t) for t in FLOATS]
    + [arange(t) for t in ("f32", "i64", "u8", "f16")]
    + [gather_axis(t, i, c) for t, i, c in (("f32", "i32", True), ("bf16", "u8", False), ("u8", "i32", False), ("bool", "u8", True))]
    + [scatter_axis(t, i, op) for t, i, op in (("f32", "i32", "None"), ("f32", "u8", "Sum"), ("i32", "i32", "Sum"), ("bf16", "i32", "None"))]
    + [gather_front(t, i) for t, i in (("f32", "i32"), ("u8", "u8"), ("bf16", "i32"))] + [masked_assign(t) for t in ("f32", "bool")]
    + [gather(t, d) for t, d in (("float", 0), ("half", 1), ("int64_t", 2), ("float", 2))]
    + [scatter(t, op) for t, op in (("float", "None"), ("float", "Sum"), ("half", "Sum"), ("float", "Max"))]
)  # fmt: skip

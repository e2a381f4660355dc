"""Sorting of rows and the indices that sort them."""

from __future__ import annotations

import ggml
import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, check, encode


def test_sort(case, device):
    check(case, device)


FLOATS = ("f32", "f16", "bf16")
MLX = {"f32": "float32", "f16": "float16", "bf16": "bfloat16", "u8": "uint8", "u32": "uint32", "i64": "int64"}

def values(s: Sizes, t: str, shape) -> np.ndarray:
    """With equal ones among them."""
    if t in FLOATS:
        x = s.normal(shape, t)
        x[..., ::7] = x[..., :1]
        return x
    low, high = {"u8": (0, 256), "u32": (0, 2**32), "i64": (-(2**62), 2**62)}[t]
    return encode(s.rng.integers(low, high, shape), t)


def sorting(x: np.ndarray, is_descending: bool = False):
    """Judges indices: a permutation of each row that sorts it. Equal values may come in any order."""

    def judge(found: np.ndarray) -> None:
        found = found.reshape(x.shape)
        assert (np.sort(found, axis=1) == np.arange(x.shape[1])).all(), "not a permutation"
        taken = np.take_along_axis(x, found.astype(np.int64), axis=1)
        expected = np.sort(x, axis=1)
        np.testing.assert_array_equal(taken, expected[:, ::-1] if is_descending else expected)

    return judge


def bitonic(t: str, is_descending: bool, columns: tuple[int, int]) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(5, 2), s(*columns)
        padded = 1 << (n - 1).bit_length()
        x = values(s, t, (rows, n))
        out = Out(np.zeros((rows, n)), "u32", EXACT, judge=sorting(x, is_descending))
        arguments = [encode(x, t), out, np.int64(n), np.int64(padded)]
        return Call(arguments, groups=(1, rows), threadgroup=padded, threadgroup_memory={0: max(16, padded * 4)})

    return Case("candle", "sort.metal", f"asort_{'desc' if is_descending else 'asc'}_{t}", make, str(columns[0]))


def block(t: str, size: int, is_index: bool, columns: tuple[int, int]) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(3, 2), s(*columns)
        x = values(s, t, (rows, n))
        if is_index:
            out = Out(np.zeros((rows, n)), "u32", EXACT, judge=sorting(x))
        else:
            out = Out(np.sort(x, axis=1), t)
        strides = [np.int32(v) for v in (n, 1, 1, n, n)]
        return Call([encode(x, t), out, *strides], groups=(1, rows), threadgroup=size)

    name = f"carg_block_sort_{MLX[t]}_uint32" if is_index else f"c_block_sort_{MLX[t]}_{MLX[t]}"
    return Case("candle", "mlx_sort.metal", f"{name}_bn{size}_tn8", make)


def multi_block(t: str, size: int) -> Case:
    """The first of three steps: blocks of a long row are sorted, with indices of the row."""

    def make(s: Sizes) -> Call:
        rows, n = 2, s(size * 8 * 2 + 77, size * 8 + 77)
        x = values(s, t, (rows, n))
        blocks = -(-n // (size * 8))
        edges = range(0, n, size * 8)
        expected = np.concatenate([np.sort(x[:, e : e + size * 8], axis=1) for e in edges], axis=1)

        def judge(found):
            found = found.reshape(rows, n).astype(np.int64)
            for e in edges:
                assert (np.sort(found[:, e : e + size * 8], axis=1) == np.arange(e, min(n, e + size * 8))).all()
            np.testing.assert_array_equal(np.take_along_axis(x, found, axis=1), expected)

        out = [Out(expected, t), Out(np.zeros((rows, n)), "u32", EXACT, judge=judge)]
        shape = [np.int32(n), np.int32(1), np.int32(1), np.array([rows], np.int32), np.array([n], np.int64)]
        return Call([encode(x, t), *out, *shape], groups=(blocks, rows), threadgroup=size)

    return Case("candle", "mlx_sort.metal", f"sort_mbsort_{MLX[t]}_uint32_bn{size}_tn8", make)


def halves(s: Sizes, t: str, size: int):
    """Two sorted blocks, the second shorter, as merging finds them."""
    n = size * 8 + s(size * 5, 301)
    x = values(s, t, (1, n))[0]
    index = np.concatenate([np.argsort(x[: size * 8], kind="stable"), size * 8 + np.argsort(x[size * 8 :], kind="stable")])
    return n, x, index.astype(np.uint32)


def partitions(x: np.ndarray, index: np.ndarray, size: int) -> np.ndarray:
    """How many of the first half come before each output block, and where the first half ends."""
    half = size * 8
    order = np.argsort(x[index], kind="stable")  # positions in the two blocks, the first block's first among equals
    return np.array([(order[:at] < half).sum() for at in range(0, 2 * half, half)] + [0], np.uint32)


def partition(t: str, size: int) -> Case:
    def make(s: Sizes) -> Call:
        n, x, index = halves(s, t, size)
        expected = partitions(x, index, size)
        # The last one belongs to the next pair of blocks, which is empty: it starts at the end.
        expected[2] = n
        shape = [np.int32(n), np.int32(2), np.int32(2)]
        return Call([Out(expected, "u32"), encode(x[index], t), index, *shape], groups=(1, 1), threadgroup=3)

    return Case("candle", "mlx_sort.metal", f"partition_mbsort_{MLX[t]}_uint32_bn{size}_tn8", make)


def merge(t: str, size: int) -> Case:
    def make(s: Sizes) -> Call:
        n, x, index = halves(s, t, size)
        given = partitions(x, index, size)
        given[2] = n
        out = [Out(np.sort(x), t), Out(np.zeros((1, n)), "u32", EXACT, judge=sorting(x[None]))]
        shape = [np.int32(n), np.int32(2), np.int32(2)]
        return Call([given, encode(x[index], t), index, *out, *shape], groups=(2, 1), threadgroup=size)

    return Case("candle", "mlx_sort.metal", f"merge_mbsort_{MLX[t]}_uint32_bn{size}_tn8", make)


TYPES = tuple(MLX)
CASES = (
    [bitonic(t, d, (200, 21)) for t in TYPES for d in (False, True)]
    + [bitonic("f32", False, (1000, 33)), bitonic("f16", True, (1, 1)), bitonic("u32", False, (64, 16))]
    + [block(t, 128, i, (777, 90)) for t in TYPES for i in (False, True)]
    + [block("f32", 512, True, (4000, 300)), block("bf16", 256, False, (2000, 200))]
    + [partition(t, 256 if t == "i64" else 512) for t in ("f32", "i64", "u8")]
    + [multi_block("f32", 512), multi_block("u8", 512), merge("f32", 512)]
)


# ---- ggml ----------------------------------------------------------------------------------------------------------


def argsort(is_descending: bool, columns: tuple[int, int], threads: int) -> Case:
    """Blocks of a row by themselves; a row of one block is done with that."""

    def make(s: Sizes) -> Call:
        rows, n = s(3, 2), s(*columns)
        x = values(s, "f32", (rows, n)).astype(np.float32)
        blocks = -(-n // threads)

        def judge(found: np.ndarray) -> None:
            found = found.reshape(rows, n).astype(np.int64)
            for e in range(0, n, threads):
                part = slice(e, min(n, e + threads))
                assert (np.sort(found[:, part], axis=1) == np.arange(n)[part]).all()
                taken = np.take_along_axis(x, found[:, part], axis=1)
                expected = np.sort(x[:, part], axis=1)
                np.testing.assert_array_equal(taken, expected[:, ::-1] if is_descending else expected)

        args = ggml.of("argsort", {"0": x, "": x}, top_k=threads)
        out = Out(np.zeros((rows, n)), "i32", judge=judge)
        return Call([args, x, out], groups=(blocks * rows, 1, 1), threadgroup=threads, threadgroup_memory={0: max(16, 4 * threads)})

    return ggml.case("argsort", f"argsort_f32_i32_{'desc' if is_descending else 'asc'}", make, f"{columns[0]}in{threads}")


def argsort_merge(is_descending: bool) -> Case:
    def make(s: Sizes) -> Call:
        rows, n, length = s(3, 2), s(230, 50), s(64, 16)
        x = values(s, "f32", (rows, n)).astype(np.float32)
        sign = -1 if is_descending else 1
        blocks = [e + np.argsort(sign * x[:, e : e + length], axis=1, kind="stable") for e in range(0, n, length)]
        sorted_blocks = np.concatenate(blocks, axis=1).astype(np.int32)

        def judge(found: np.ndarray) -> None:
            found = found.reshape(rows, n).astype(np.int64)
            for e in range(0, n, 2 * length):
                part = slice(e, min(n, e + 2 * length))
                assert (np.sort(found[:, part], axis=1) == np.arange(n)[part]).all()
                taken = np.take_along_axis(x, found[:, part], axis=1)
                np.testing.assert_array_equal(sign * taken, np.sort(sign * x[:, part], axis=1))

        args = ggml.of("argsort_merge", {"0": x, "": x}, top_k=n, len=length)
        out = Out(np.zeros((rows, n)), "i32", judge=judge)
        return Call([args, x, sorted_blocks, out], groups=(-(-n // (2 * length)) * rows, 1, 1), threadgroup=32)

    return ggml.case("argsort", f"argsort_merge_f32_i32_{'desc' if is_descending else 'asc'}", make)


def top_k(k: int) -> Case:
    def make(s: Sizes) -> Call:
        rows, n = s(3, 2), s(900, 150)
        x = s.normal((rows, n)).astype(np.float32)
        x[:, ::5] = x[:, :1]

        def judge(found: np.ndarray) -> None:
            found = found.reshape(rows, k).astype(np.int64)
            assert all(len(set(row)) == k for row in found)
            np.testing.assert_array_equal(np.sort(np.take_along_axis(x, found, axis=1)), np.sort(x)[:, n - k :])

        args = ggml.of("top_k", {"0": x}, top_k=k)
        memory = {0: 1024, 1: 16, 2: 16, 3: 16}
        return Call([args, x, Out(np.zeros((rows, k)), "i32", judge=judge)], groups=(rows, 1, 1), threadgroup=128, threadgroup_memory=memory)

    return ggml.case("argsort", "top_k_f32_i32", make, str(k))


CASES += (
    [argsort(d, (200, 21), n) for d, n in ((False, 256), (True, 256), (False, 64), (True, 32))]
    + [argsort_merge(d) for d in (False, True)] + [top_k(k) for k in (1, 7, 100)]
)  # fmt: skip

"""Running sums of rows."""

from __future__ import annotations

import ggml
import numpy as np
from harness import EXACT, Call, Case, Out, Sizes, Tolerance, check


def test_scan(case, device):
    check(case, device)


def blocks(is_exact: bool, size: tuple[int, int], threads: int) -> Case:
    """Each block of a row by itself, and the sums of blocks."""

    def make(s: Sizes) -> Call:
        shape = (2, 2, 3, s(*size))
        x = (s.rng.integers(-9, 9, shape) if is_exact else s.rng.normal(0, 1, shape)).astype(np.float32)
        n = shape[3]
        count = -(-n // threads)
        padded = np.zeros((*shape[:3], count * threads))
        padded[..., :n] = x
        runs = padded.reshape(*shape[:3], count, threads).cumsum(axis=-1)
        # Sums of up to 32 partial sums of 32.
        tolerance = EXACT if is_exact else Tolerance(0, 64 * 2.0**-23 * 8, "sums in another order")
        result, last = runs.reshape(*shape[:3], -1)[..., :n], runs[..., -1]
        values = {f"net{i}": v for i, v in enumerate((count, 3, 2, 2))} | {"outb": 1}
        arguments = [ggml.of("cumsum_blk", {"0": x}, **values), x, Out(last, "f32", tolerance), Out(result, "f32", tolerance)]
        return Call(arguments, groups=(count * 3, 2, 2), threadgroup=threads, threadgroup_memory={0: 128})

    return Case("ggml", "ggml-metal/kernels/reduce.metal", "kernel_cumsum_blk_f32", make, f"{threads}{'' if is_exact else '-float'}", ggml.OPTIONS)


CASES = [blocks(e, n, t) for e in (True, False) for n, t in (((777, 100), 64), ((1000, 200), 1024 // 4), ((33, 33), 32))]

"""Products of matrices in tiles of `simdgroup_matrix`, and of matrices and vectors."""

from __future__ import annotations

import numpy as np
from harness import Call, Case, Out, Sizes, check, encode, sizes


def test_gemm(case, device):
    check(case, device)


UNIT = {"f32": 2.0**-23, "f16": 2.0**-10, "bf16": 2.0**-7}
MLX = {"f32": "float32", "f16": "float16", "bf16": "bfloat16"}
PARAMETERS = np.dtype(
    [(n, np.int32) for n in ("m", "n", "k", "lda", "ldb", "ldd", "tiles_n", "tiles_m")]
    + [(n, np.uint64) for n in ("batch_stride_a", "batch_stride_b", "batch_stride_d")]
    + [(n, np.int32) for n in ("swizzle_log", "gemm_k_iterations_aligned", "batch_ndim")],
    align=True,
)


def rounded_sums(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What a product of matrices in float is wrong by. Each of k sums is rounded, by up to half a unit of what is no larger
    than the sum of all magnitudes; the roundings are a walk of k steps at random, of 0.29 units each: twice the root
    of k half units is about seven times its standard deviation."""
    return (np.abs(a) @ np.abs(b)) * UNIT["f32"] / 2 * (2 * a.shape[-1] ** 0.5 + 4)


def product(t: str, a: np.ndarray, b: np.ndarray, alpha: float = 1.0, plus: np.ndarray | float = 0) -> Out:
    """``plus`` is added in float; the result is rounded to the type."""
    result = alpha * (a @ b) + plus
    bound = alpha * rounded_sums(a, b) + 2 * (np.abs(alpha * (a @ b)) + np.abs(plus)) * UNIT["f32"] + np.abs(result) * UNIT[t] / 2
    return Out(result, t, bound=bound)


def gemm(t: str, trans: str, tile: tuple[int, ...], shape: tuple[tuple[int, int], ...], batch: int = 1, add: tuple[float, float] | None = None) -> Case:
    bm, bn, bk, wm, wn = tile

    def make(s: Sizes) -> Call:
        m, n, k = (s(*v) for v in shape)
        a, b = s.normal((batch, m, k), t), s.normal((batch, k, n), t)
        c = s.normal((batch, m, n), t)
        am = a.swapaxes(1, 2) if trans[0] == "t" else a
        bm_ = b.swapaxes(1, 2) if trans[1] == "t" else b
        p = np.zeros((), PARAMETERS)
        p["m"], p["n"], p["k"], p["lda"], p["ldb"], p["ldd"] = m, n, k, am.shape[2], bm_.shape[2], n
        p["tiles_n"], p["tiles_m"] = -(-n // bn), -(-m // bm)
        p["batch_stride_a"], p["batch_stride_b"], p["batch_stride_d"] = m * k, k * n, m * n
        p["gemm_k_iterations_aligned"], p["batch_ndim"] = k // bk, 1
        alpha, beta = add or (1.0, 1.0)
        arguments = {0: encode(am, t), 1: encode(bm_, t), 4: p.tobytes()}
        arguments[3] = product(t, a, b) if add is None else product(t, a, b, alpha, beta * c)
        if batch > 1:
            arguments |= {6: np.array([batch], np.int32), 7: sizes([m * k, k * n, m * n])}
        if add is not None:
            # ldc, fdc, the batch stride, alpha and beta
            # Rows of a tile are read whether they exist or not.
            arguments[2] = np.concatenate([encode(c, t).reshape(-1), encode(np.zeros(bm * n), t)])
            arguments[5] = np.array([(n, 1, m * n, alpha, beta)], np.dtype([("ldc", "i4"), ("fdc", "i4"), ("stride", "u8"), ("alpha", "f4"), ("beta", "f4")], align=True)).tobytes()
        constants = {10: batch > 1, 100: add is not None, 110: add is not None and add != (1.0, 1.0), 300: False}
        constants |= {200: m % bm == 0, 201: n % bn == 0, 202: k % bk == 0}
        return Call(arguments, groups=(int(p["tiles_n"]), int(p["tiles_m"]), batch), threadgroup=(32, wn, wm), constants=constants)

    name = f"gemm_{trans}_{t}_{t}_{bm}_{bn}_{bk}_{wm}_{wn}"
    note = f"{shape[0][0]}x{shape[1][0]}x{shape[2][0]}" + (f"-batch{batch}" if batch > 1 else "") + ("-add" if add else "")
    return Case("candle", "mlx_gemm.metal", name, make, note)


def gemv(t: str, is_transposed: bool, tile: tuple[int, ...], shape: tuple[tuple[int, int], ...], axpby: bool, batch: int = 1) -> Case:
    bm, bn, sm, sn, tm, tn = tile

    def make(s: Sizes) -> Call:
        outs, ins = (s(*v) for v in shape)
        matrix, vector, bias = s.normal((outs, ins), t), s.normal((batch, ins), t), s.normal(outs, t)
        alpha, beta = (0.5, 2.0) if axpby else (1.0, 0.0)
        plain = vector @ matrix.T
        result = alpha * plain + beta * bias * axpby
        bound = alpha * rounded_sums(vector, matrix.T) + np.abs(result) * UNIT[t] / 2
        if axpby:
            # The sum, both products and their sum are of the type itself.
            bound += UNIT[t] / 2 * (2 * np.abs(alpha * plain) + np.abs(beta * bias) + np.abs(result))
        out = Out(result, t, bound=bound)
        stored = matrix.T if is_transposed else matrix
        strides = [np.array([v], np.int64) for v in (ins, 0, 0)]
        numbers = [np.int32(ins), np.int32(outs), np.int32(stored.shape[1]), np.float32(alpha), np.float32(beta), np.int32(1), np.array([batch], np.int32)]
        arguments = [encode(stored, t), encode(vector, t), encode(bias, t), out, *numbers, *strides, np.int32(1)]
        per_group = bn * sn * tn if is_transposed else bm * sm * tm
        return Call(arguments, groups=(-(-outs // per_group), 1, batch), threadgroup=(32, bn, bm))

    name = f"{'gemv_t' if is_transposed else 'gemv'}_{MLX[t]}_bm{bm}_bn{bn}_sm{sm}_sn{sn}_tm{tm}_tn{tn}_nc0_axpby{int(axpby)}"
    return Case("candle", "gemv.metal", name, make, f"{shape[0][0]}x{shape[1][0]}")


TILES = ((32, 32, 16, 2, 2), (64, 64, 16, 2, 2), (64, 64, 16, 1, 2), (64, 32, 32, 2, 2), (32, 64, 16, 1, 2))
ODD = ((67, 9), (45, 13), (51, 19))
WHOLE = ((128, 64), (64, 64), (64, 32))
CASES = (
    [gemm(t, trans, TILES[0], ODD) for t in UNIT for trans in ("nn", "nt", "tn", "tt")]
    + [gemm(t, trans, tile, ODD) for t, trans, tile in zip(("f32", "f16", "bf16", "f32"), ("nt", "nn", "tt", "tn"), TILES[1:])]
    + [gemm(t, trans, tile, WHOLE) for t, trans, tile in zip(("f16", "f32", "bf16", "f16"), ("tn", "nn", "nt", "tt"), TILES[1:])]
    + [gemm("f32", "nn", TILES[0], ODD, 3), gemm("f16", "nt", TILES[0], ((1, 1), (33, 5), (7, 3)))]
    + [gemm("f32", "nt", TILES[0], ODD, add=(1.0, 1.0)), gemm("f16", "nn", TILES[3], ODD, add=(0.5, 2.0))]
    + [gemv(t, False, (4, 1, 1, 32, 4, 4), ((131, 17), (203, 35)), a) for t, a in (("f32", False), ("f16", True), ("bf16", False))]
    + [gemv("f32", False, tile, ((37, 9), (333, 50)), False, 2) for tile in ((1, 8, 1, 32, 4, 4), (1, 1, 8, 4, 4, 4), (8, 1, 1, 32, 4, 4), (1, 8, 1, 32, 1, 4))]
    + [gemv(t, True, (1, 2, 8, 4, 4, 4), ((131, 64), (203, 35)), a) for t, a in (("f32", True), ("f16", False), ("bf16", False))]
    + [gemv("f32", True, tile, ((70, 512), (150, 40)), False, 2) for tile in ((1, 2, 8, 4, 4, 1), (1, 4, 8, 4, 4, 4), (1, 16, 4, 8, 4, 4), (1, 16, 8, 4, 4, 4))]
)

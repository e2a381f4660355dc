"""MLX's kernels: its package has them as templates in headers, and makes instances of them when it is built or at run
time. This makes the instances: texts that include the headers and instantiate each template over the types and sizes
that MLX uses it with.
"""

from itertools import product
from pathlib import Path

KERNELS = "mlx/backend/metal/kernels"

FLOATS = ["float", "half", "bfloat16_t"]
SIGNED = ["int8_t", "int16_t", "int32_t", "int64_t"]
UNSIGNED = ["uint8_t", "uint16_t", "uint32_t", "uint64_t"]
INTEGERS = SIGNED + UNSIGNED
REAL = ["bool", *INTEGERS, *FLOATS]
ALL = [*REAL, "complex64_t"]
BOTH = ["false", "true"]


def unary():
    out = []
    names = {
        "Abs Negative Square Sign": ALL[1:],
        "ArcCos ArcCosh ArcSin ArcSinh ArcTan ArcTanh Cos Cosh Exp Expm1 Log Log2 Log10 Log1p Sigmoid Sin Sinh Sqrt"
        " Rsqrt Tan Tanh Round": [*FLOATS, "complex64_t"],
        "Erf ErfInv": FLOATS,
        "Ceil Floor": REAL,
        "BitwiseInvert": INTEGERS,
    }
    for ops, types in names.items():
        for op, t in product(ops.split(), types):
            if t == "complex64_t" and op in ("Sigmoid", "Expm1"):
                continue
            out += [("unary_v", t, t, op), ("unary_v2", t, t, op), ("unary_g", t, t, op, 4, "int")]
            out += [("unary_g", t, t, op)] if t == "float" else []
    out += [(f, "complex64_t", "float", op) for f in ("unary_v", "unary_v2") for op in ("Real", "Imag")]
    out += [("unary_v", "complex64_t", "complex64_t", "Conjugate"), ("unary_v", "bool", "bool", "LogicalNot")]
    for t in FLOATS:
        out += [("unary_v", t, "uint8_t", "ToFP8"), ("unary_v", "uint8_t", t, "FromFP8")]
    return out


def binary_kernels(t, u, op, large):
    out = [(f, t, u, op) for f in ("binary_ss", "binary_sv", "binary_vs", "binary_vv")]
    out += [("binary_g", t, u, op, 2, "int"), ("binary_g_nd1", t, u, op, "int"), ("binary_g_nd2", t, u, op, "int")]
    if large:
        out += [(f, t, u, op) for f in ("binary_sv2", "binary_vs2", "binary_vv2", "binary_g_nd3")]
        out += [("binary_g", t, u, op, 4)]
    return out


def binary():
    out = []
    for op in "Add Subtract Multiply Divide Maximum Minimum Power Remainder FloorDivide".split():
        for t in ALL:
            if (op, t) in (("FloorDivide", "complex64_t"), ("FloorDivide", "bool"), ("Remainder", "bool")):
                continue
            out += binary_kernels(t, t, op, t == "float")
    for op in "Equal NotEqual Greater GreaterEqual Less LessEqual".split():
        for t in ALL:
            out += binary_kernels(t, "bool", op, t == "half")
    for t in [*FLOATS, "complex64_t"]:
        out += binary_kernels(t, "bool", "NaNEqual", False) + binary_kernels(t, t, "LogAddExp", False)
    for t in FLOATS:
        out += binary_kernels(t, t, "ArcTan2", False)
    for op in ("LogicalAnd", "LogicalOr"):
        out += binary_kernels("bool", "bool", op, True)
    for op in "BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift".split():
        for t in INTEGERS + (["bool"] if op.startswith("Bitwise") else []):
            out += binary_kernels(t, t, op, False)
    return out


def binary_two():
    return [k for t in [*INTEGERS, *FLOATS] for k in binary_kernels(t, t, "DivMod", t == "int32_t")]


def ternary():
    out = []
    for t in ALL:
        out += [(f, t, "Select", b, c) for f in ("ternary_v", "ternary_v2") for b, c in product(BOTH, BOTH)]
        out += [(f"ternary_g_nd{n}", t, "Select", "int") for n in (1, 2, 3)]
        out += [("ternary_g", t, "Select", 2, "int"), ("ternary_g", t, "Select", 4)]
    return out


def copy():
    out = []
    for t, u in product(ALL, ALL):
        if t == "complex64_t" and u != t:
            continue
        out += [(f, t, u) for f in ("copy_s", "copy_v", "copy_v2", "copy_g_nd1", "copy_gg_nd2")]
        out += [("copy_g", t, u, 2, "int"), ("copy_gg", t, u, 2, "int")]
    for t in ("float", "bfloat16_t", "int64_t"):
        out += [(f, t, t) for f in ("copy_s2", "copy_g_nd2", "copy_g_nd3", "copy_gg_nd1", "copy_gg_nd3")]
        out += [(f"copy_gg_dynamic_nd{n}", t, t) for n in (1, 2, 3)] + [("copy_gg_dynamic", t, t, 4)]
    return out


def reduce():
    out = []
    for op in ("And", "Or"):
        for t in ("bool", *SIGNED):
            out += reductions(t, "bool", f"{op}<bool>", [1, 2])
    for op in ("Sum", "Prod"):
        for t in ALL:
            u = {"bool": "int32_t", "int8_t": "int32_t", "int16_t": "int32_t"}.get(t, t)
            u = {"uint8_t": "uint32_t", "uint16_t": "uint32_t"}.get(t, u)
            out += reductions(t, u, f"{op}<{u}>", [1, 2, 5] if t == "float" else [1])
    for op in ("Min", "Max"):
        for t in ALL:
            out += reductions(t, t, f"{op}<{t}>", [1])
    return out


def reductions(t, u, op, dims):
    out = [("init_reduce", u, op), ("all_reduce", t, u, op), ("row_reduce_simple", t, u, op)]
    for n in dims:
        out += [(f, t, u, op, "int", n) for f in ("row_reduce_small", "row_reduce_looped", "col_reduce_small")]
        out += [("col_reduce_longcolumn", t, u, op, "int", n), ("col_reduce_looped", t, u, op, "int", n, 32, 32)]
        out += [("col_reduce_2pass", t, u, op, "int", n, 32, 32)]
    return out


def arg_reduce_scan_sort():
    out = []
    for t in ALL:
        for op in ("CumSum", "CumProd"):
            out += [(f, t, t, f"{op}<{t}>", 4, i, r) for f in SCANS for i, r in product(BOTH, BOTH)]
        if t != "bool":
            for op in ("CumMax", "CumMin"):
                out += [(f, t, t, f"{op}<{t}>", 4, i, "false") for f in SCANS for i in BOTH]
    for t in [*FLOATS, "complex64_t"]:
        out += [(f, t, t, f"CumLogaddexp<{t}>", 4, i, r) for f in SCANS for i, r in product(BOTH, BOTH)]
    return out


SCANS = ("contiguous_scan", "strided_scan")


def sort():
    out = []
    for t in ALL:
        out += [("block_sort", t, u, a, n, 8) for u, a in ((t, "false"), ("uint32_t", "true")) for n in (128, 256)]
        out += [("block_sort_nc", t, u, a, 128, 8) for u, a in ((t, "false"), ("uint32_t", "true"))]
        out += [(f, t, "uint32_t", "true", 256, 8) for f in ("mb_block_sort", "mb_block_partition", "mb_block_merge")]
    return out


def rows():
    """Kernels over the rows of a matrix."""
    out = [(f, t) for f in ("softmax_single_row", "softmax_looped") for t in FLOATS]
    out += [(f, t, "float") for f in ("softmax_single_row", "softmax_looped") for t in FLOATS]
    out += [(f, t) for f in ("logsumexp", "logsumexp_looped", "cross_entropy", "cross_entropy_vjp") for t in FLOATS]
    out += [("arange", t) for t in REAL[1:]]
    out += [("searchsorted", t, r) for t in REAL[1:] for r in BOTH]
    return out


def indexing():
    out = []
    for t, i in product(["bool", "uint8_t", "int32_t", "float", "bfloat16_t", "complex64_t"], ["int32_t", "uint8_t"]):
        out += [("gather_front", t, i, "int", 4)]
        out += [("gather_axis", t, i, "int", s, c) for s, c in product(BOTH, BOTH)]
        out += [("scatter_axis", t, i, "int", op, s, s) for op in ("None", f"Sum<{t}>") for s in BOTH if t != "bool"]
    out += [("masked_assign_impl", t, c) for t in ("float", "bool", "complex64_t") for c in BOTH]
    for t in ("float", "int32_t", "half"):
        out += [("slice_update_op_impl", t, "int", f"{o}<{t}>", "true", "false", "false", 2, n) for o in REDUCE_OPS for n in (0, 1, 3)]
    return out


REDUCE_OPS = ("Sum", "Prod", "Min", "Max")


def gather_scatter_text():
    """What MLX writes itself at run time, with as many index buffers as there are."""
    out = []
    for t, n in product(["float", "half", "int64_t", "complex64_t"], [1, 2]):
        ids = range(n)
        params = " ".join(f"const device int32_t* idx{k} [[buffer({20 + k})]]," for k in ids)
        list = ", ".join(f"idx{k}" for k in ids)
        for dims in (0, 1, 2):
            out.append(f"""[[kernel]] void gather_{t}_{n}_{dims}(
    const device {t}* src [[buffer(0)]], device {t}* out [[buffer(1)]], const constant int* src_shape [[buffer(2)]],
    const constant int64_t* src_strides [[buffer(3)]], const constant size_t& src_ndim [[buffer(4)]],
    const constant int* slice_sizes [[buffer(5)]], const constant int* axes [[buffer(6)]],
    const constant int* idx_shapes [[buffer(7)]], const constant int64_t* idx_strides [[buffer(8)]],
    const constant bool* idx_contigs [[buffer(9)]], const constant int& idx_ndim [[buffer(10)]], {params}
    uint3 index [[thread_position_in_grid]], uint3 grid_dim [[threads_per_grid]]) {{
  Indices<int32_t, {n}> idxs{{{{ {list} }}, idx_shapes, idx_strides, idx_contigs, idx_ndim}};
  return gather_impl<{t}, int32_t, {n}, {dims}, int>(
      src, out, src_shape, src_strides, src_ndim, slice_sizes, axes, idxs, index, grid_dim);
}}""")
        for op in ("None", f"Sum<{t}>", f"Max<{t}>"):
            if t == "int64_t" or (t == "complex64_t" and op != "None"):
                continue
            out.append(f"""[[kernel]] void scatter_{t}_{n}_{op.partition("<")[0]}(
    const device {t}* updates [[buffer(1)]], device mlx_atomic<{t}>* out [[buffer(2)]],
    const constant int* upd_shape [[buffer(3)]], const constant int64_t* upd_strides [[buffer(4)]],
    const constant size_t& upd_ndim [[buffer(5)]], const constant size_t& upd_size [[buffer(6)]],
    const constant int* out_shape [[buffer(7)]], const constant int64_t* out_strides [[buffer(8)]],
    const constant size_t& out_ndim [[buffer(9)]], const constant int* axes [[buffer(10)]],
    const constant int* idx_shapes [[buffer(11)]], const constant int64_t* idx_strides [[buffer(12)]],
    const constant bool* idx_contigs [[buffer(13)]], const constant int& idx_ndim [[buffer(14)]],
    const constant size_t& idx_size [[buffer(15)]], {params} uint2 gid [[thread_position_in_grid]]) {{
  Indices<int32_t, {n}> idxs{{{{ {list} }}, idx_shapes, idx_strides, idx_contigs, idx_ndim}};
  return scatter_impl<{t}, int32_t, {op}, {n}, true, 1, int>(
      updates, out, upd_shape, upd_strides, upd_ndim, upd_size, out_shape, out_strides, out_ndim, axes, idx_size, idxs,
      gid);
}}""")
    return "\n".join(out)


def gemv():
    out = []
    for t in [*FLOATS, "complex64_t"]:
        for tile in ((1, 8, 1, 32, 4, 4), (4, 1, 1, 32, 4, 4), (8, 1, 1, 32, 1, 4)):
            out += [("gemv", t, *tile, b, a) for b, a in product(BOTH, BOTH)] + [("gemv_gather", t, *tile)]
        for tile in ((1, 2, 8, 4, 4, 1), (1, 4, 8, 4, 4, 4), (1, 16, 4, 8, 4, 4)):
            out += [("gemv_t", t, *tile, b, a) for b, a in product(BOTH, BOTH)] + [("gemv_t_gather", t, *tile)]
    return out


def gemv_masked():
    out = []
    for t in FLOATS:
        for m, o in (("bool", "bool"), ("bool", "nomask_t"), ("nomask_t", "bool"), (t, t)):
            out += [("gemv_masked", t, m, o, 4, 1, 1, 32, 4, 4, "false"), ("gemv_t_masked", t, m, o, 1, 4, 8, 4, 4, 4, "false")]
    return out


def attention():
    out = []
    for t in FLOATS:
        out += [(f, t, d) for d in (64, 96, 128, 256) for f in ("sdpa_vector", "sdpa_vector_2pass_1")]
        out += [("sdpa_vector_2pass_2", t, d) for d in (64, 128)] + [("sdpa_vector", t, 192, 128)]
        out += [(f, t) for f in ("sdpa_blocked_scale_copy", "sdpa_blocked_causal_mask")]
    return out


def steel_attention():
    return [
        ("attention", t, bq, bk, d, d, 4, 1, m)
        for t, m in ((t, m) for t in FLOATS for m in (t, "bool"))
        for bq, bk, d in ((32, 16, 128), (32, 32, 80), (32, 32, 64))
    ]


TILES = ((64, 64, 16, 2, 2), (64, 64, 16, 1, 2), (64, 32, 32, 2, 2), (32, 64, 16, 1, 2), (32, 32, 16, 2, 2))


def steel_gemm(*kernels):
    types = [*FLOATS, "complex64_t"] if kernels == ("gemm",) else FLOATS
    return [(k, t, *tile, a, b) for k in kernels for t in types for tile in TILES for a, b in product(BOTH, BOTH)]


def splitk():
    out = [("gemm_splitk", t, "float", 32, 32, 16, 2, 2, a, b, m, k) for t in FLOATS for a, b, m, k in product(BOTH, BOTH, BOTH, BOTH)]
    out += [(f, "float", t) for f in ("gemm_splitk_accum", "gemm_splitk_accum_axpby") for t in FLOATS]
    return out


def masked():
    out = []
    for t, (m, o) in product(FLOATS, (("bool", "bool"), ("nomask_t", "nomask_t"))):
        out += [("block_masked_gemm", t, m, o, b, b, 16, 2, 2, x, y, "true", "false") for b in (32, 64) for x, y in product(BOTH, BOTH)]
    return out


def conv():
    tiles = ((32, 8, 16, 4, 1), (64, 8, 16, 4, 1), (32, 32, 16, 2, 2), (64, 32, 16, 2, 2))
    out = []
    for t, tile in product(FLOATS, tiles):
        out += [("implicit_gemm_conv_2d", t, *tile, c, s) for c, s in ((0, "false"), (0, "true"), (1, "false"), (4, "false"))]
    return out


def conv_general():
    return [("implicit_gemm_conv_2d_general", t, *tile) for t in FLOATS for tile in ((32, 8, 16, 4, 1), (64, 32, 16, 2, 2))]


def conv_3d():
    return [("implicit_gemm_conv_3d", t, *tile, s) for t in FLOATS for tile in ((32, 8, 16, 4, 1), (32, 32, 16, 2, 2)) for s in BOTH]


def fft():
    out = [("fft", m, a, b) for m in (256, 1024, 4096) for a, b in (("float2", "float2"), ("float", "float2"), ("float2", "float"))]
    out += [(f, 1024, "float2", "float2") for f in ("rader_fft", "bluestein_fft")]
    out += [("four_step_fft", 1024, "float2", "float2", s) for s in (0, 1)]
    return out


def hadamard():
    out = [("hadamard_n", t, n, r, w) for t in FLOATS for n, r, w in ((64, 2, 2), (256, 4, 4), (2048, 16, 4))]
    return out


def quantized():
    out = []
    for t, g, b in product(FLOATS, (32, 64, 128), (2, 3, 4, 5, 6, 8)):
        if g == 64 or (t == "half" and b == 4):
            out += quantized_kernels("affine_", t, g, b)
        out += [("affine_quantize", t, g, b), ("affine_dequantize", t, g, b)]
    return out


def fp_quantized():
    out = []
    for t, (g, b) in product(FLOATS, ((32, 4), (32, 8), (16, 4))):
        out += quantized_kernels("fp_", t, g, b)
        out += [(f, t, g, b, "false") for f in ("fp_quantize", "fp_dequantize", "fp_quantize_dequantize")]
    return out


def quantized_kernels(prefix, t, g, b):
    out = [(prefix + "qmv_quad", t, g, b, d, x) for d in (64, 128) for x in BOTH]
    out += [(prefix + f, t, g, b, x) for f in ("qmv_fast", "qmv", "qvm", "qmm_n") for x in BOTH]
    out += [(prefix + "qvm_split_k", t, g, b, k) for k in (8, 32)]
    out += [(prefix + "qmm_t", t, g, b, a, x) for a, x in product(BOTH, BOTH)]
    out += [(prefix + f, t, g, b) for f in ("gather_qmv_fast", "gather_qmv", "gather_qvm", "gather_qmm_n")]
    out += [(prefix + f, t, g, b, a) for f in ("gather_qmm_t", "qmm_t_splitk") for a in BOTH]
    out += [(prefix + "gather_qmm_rhs", t, g, b, 16, 32, 32, 1, 2, x) for x in BOTH]
    return out


def dot():
    return [("dot_product", t, 4, 256, 8) for t in FLOATS]


def gated_delta():
    out = [("gated_delta_seq", t, 128, 128, 16, 32, 0) for t in FLOATS]
    return out + [("gated_delta_fused_chunk", t, 128, 128, 16, 32, 8) for t in FLOATS]


NAX_GEMM = ["utils.h", "steel/gemm/gemm_nax.h"]


def nax_gemm(kernel, tile):
    # Whether the right side is transposed changes the code most.
    return [(kernel, t, *tile, "false", b) for t, b in (("float", "false"), ("half", "true"), ("bfloat16_t", "false"))]


# File: the headers, and the instances: a kernel and its template arguments.
FILES = {
    "unary": (["utils.h", "unary_ops.h", "unary.h"], unary()),
    "binary": (["utils.h", "binary_ops.h", "binary.h"], binary()),
    "binary_two": (["utils.h", "binary_ops.h", "binary_two.h"], binary_two()),
    "ternary": (["utils.h", "ternary_ops.h", "ternary.h"], ternary()),
    "copy": (["utils.h", "copy.h"], copy()),
    "reduce": (["utils.h", "atomic.h", "reduction/ops.h", "reduce.h"], reduce()),
    "scan": (["utils.h", "binary_ops.h", "scan.h"], arg_reduce_scan_sort()),
    "sort": (["utils.h", "sort.h"], sort()),
    "rows": (["utils.h", "softmax.h", "logsumexp.h", "cross_entropy.h", "arange.h", "sort.h", "searchsorted.h"], rows()),
    "indexing": (
        ["utils.h", "atomic.h", "reduction/ops.h", "indexing/scatter.h", "indexing/gather.h", "indexing/gather_front.h"]
        + ["indexing/gather_axis.h", "indexing/scatter_axis.h", "indexing/masked_scatter.h"],
        indexing(),
    ),
    "gemv": (["utils.h", "gemv.h"], gemv()),
    "gemv_masked": (["utils.h", "steel/utils.h", "gemv_masked.h"], gemv_masked()),
    "attention": (["utils.h", "sdpa_vector.h", "sdpa_blocked.h"], attention()),
    "steel_attention": (["utils.h", "steel/attn/kernels/steel_attention.h"], steel_attention()),
    "steel_gemm_fused": (["utils.h", "steel/gemm/gemm.h", "steel/gemm/kernels/steel_gemm_fused.h"], steel_gemm("gemm")),
    "steel_gemm_gather": (
        ["utils.h", "steel/gemm/gemm.h", "steel/gemm/kernels/steel_gemm_gather.h"],
        steel_gemm("gather_mm", "gather_mm_rhs"),
    ),
    "steel_gemm_segmented": (
        ["utils.h", "steel/gemm/gemm.h", "steel/gemm/kernels/steel_gemm_segmented.h"],
        steel_gemm("segmented_mm"),
    ),
    "steel_gemm_splitk": (["utils.h", "steel/gemm/gemm.h", "steel/gemm/kernels/steel_gemm_splitk.h"], splitk()),
    "steel_gemm_masked": (["utils.h", "steel/gemm/gemm.h", "steel/gemm/kernels/steel_gemm_masked.h"], masked()),
    "steel_conv": (["utils.h", "steel/gemm/mma.h", "steel/conv/conv.h", "steel/conv/params.h", "steel/conv/kernels/steel_conv.h"], conv()),
    "steel_conv_general": (
        ["utils.h", "steel/gemm/mma.h", "steel/conv/conv.h", "steel/conv/params.h", "steel/conv/kernels/steel_conv_general.h"],
        conv_general(),
    ),
    "steel_conv_3d": (
        ["utils.h", "steel/gemm/mma.h", "steel/conv/conv.h", "steel/conv/params.h", "steel/conv/kernels/steel_conv_3d.h"],
        conv_3d(),
    ),
    "fft": (["utils.h", "fft.h"], fft()),
    "hadamard": (["utils.h", "steel/defines.h", "hadamard.h"], hadamard()),
    "quantized": (["utils.h", "steel/gemm/gemm.h", "quantized_utils.h", "quantized.h"], quantized()),
    "fp_quantized": (["utils.h", "steel/gemm/gemm.h", "quantized_utils.h", "fp_quantized.h"], fp_quantized()),
    "dot": (["utils.h", "dot.h"], dot()),
    "gated_delta": (["utils.h", "gated_delta_update.h"], gated_delta()),
    # Matrix units by way of Metal Performance Primitives.
    "gated_delta_nax": (["utils.h", "steel/gemm/gemm_nax.h", "gated_delta_update_nax.h"], [("gated_delta_fused_nax", "half", 128, 128, 16, 32, 16, 4)]),
    "steel_gemm_fused_nax": (NAX_GEMM + ["steel/gemm/kernels/steel_gemm_fused_nax.h"], nax_gemm("gemm", (64, 64, 256, 2, 2))),
    "steel_gemm_gather_nax": (
        NAX_GEMM + ["steel/gemm/kernels/steel_gemm_gather_nax.h"],
        nax_gemm("gather_mm_rhs_nax", (32, 128, 64, 1, 4)),
    ),
    "steel_gemm_segmented_nax": (
        NAX_GEMM + ["steel/gemm/kernels/steel_gemm_segmented_nax.h"],
        nax_gemm("segmented_mm_nax", (64, 64, 64, 2, 2)),
    ),
    "steel_gemm_splitk_nax": (NAX_GEMM + ["steel/gemm/kernels/steel_gemm_splitk_nax.h"], nax_gemm("gemm_splitk_nax", (64, 64, 64, 2, 2))),
    "steel_gemm_thin_nax": (NAX_GEMM + ["steel/gemm/kernels/steel_gemm_thin_nax.h"], [("gemm_thin_nax", t, 1, 2, 1, 2, 2, b) for t in FLOATS for b in BOTH]),
    "steel_attention_nax": (
        ["utils.h", "steel/attn/kernels/steel_attention_nax.h"],
        [("attention_nax", t, 64, 32, d, d, 4, 1, m) for t, d, m in (("float", 64, "bool"), ("half", 128, "half"), ("bfloat16_t", 64, "bool"))],
    ),
    "quantized_nax": (
        ["utils.h", "quantized_utils.h", "steel/gemm/gemm_nax.h", "quantized_nax.h"],
        [("affine_qmm_t_nax", "half", 64, 4, "false", "false"), ("affine_qmm_n_nax", "bfloat16_t", 64, 8, "false")],
    ),
    "fp_quantized_nax": (
        ["utils.h", "quantized_utils.h", "steel/gemm/gemm_nax.h", "fp_quantized_nax.h"],
        [("fp_qmm_t_nax", "half", 32, 4, "false", "false"), ("fp_qmm_t_nax", "bfloat16_t", 16, 4, "true", "false")],
    ),
}


def text(name: str) -> str:
    headers, instances = FILES[name]
    lines = [f'#include "{KERNELS}/{header}"' for header in headers]
    if name == "hadamard":
        lines.append("template <typename T> void hadamard_radix_m(thread T* x) {}")
    if name == "indexing":
        lines.append(gather_scatter_text())
    for kernel, *arguments in dict.fromkeys(instances):
        label = "_".join([kernel, *(str(a).replace("<", "_").replace(">", "") for a in arguments)])
        lines.append(f'instantiate_kernel("{label}", {kernel}, {", ".join(map(str, arguments))})')
    return "\n".join(lines) + "\n"


def write(folder: Path) -> list[Path]:
    """Writes the files below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for name in FILES:
        path = folder / f"{name}.metal"
        path.write_text(text(name))
        out.append(path)
    return out

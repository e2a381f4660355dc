"""How ggml runs its kernels: threads of a threadgroup and function constants, as its host code chooses them.

    threads, constants = ggml("kernel_mul_mv_q4_K_f32")      # (32, 2, 1), {"FC_mul_mv_nsg": 2, …}

Both decide what code a kernel becomes. Where the host's choice depends on sizes, they are those of a language model
of ordinary size: rows of 4096 values, heads of the size in the kernel's name, 8 heads in the cache of keys.
"""

import re

HEADS = 8

# What no row below changes. All others are 1 (or true) in `msl-codegen-llvm`'s example `corpus`.
COMMON = {
    "FC_mul_mv_nsg": 2,
    "FC_mul_mv_nxpsg": 8,
    "FC_mul_mv_split": 0,
    "FC_bin_op": 2,
    "FC_unary_op": 103,
    "FC_unary_cnt": 1,
    "FC_sum_rows_op": 10,
    "FC_rope_is_back": 0,
    "FC_ssm_conv_bs": 32,
    "FC_solve_tri_nsg": 4,
    "FC_solve_tri_n": 64,
    "FC_solve_tri_k": 32,
    "FC_gated_delta_net_ne20": 128,
    "FC_gated_delta_net_ne30": 1,
    "FC_flash_attn_ext_pad_ncpsg": 64,
    "FC_flash_attn_ext_blk_nqptg": 8,
    "FC_flash_attn_ext_blk_ncpsg": 64,
    "FC_flash_attn_ext_vec_reduce_DV": 128,
    "FC_flash_attn_ext_vec_reduce_NWG": 32,
    "FC_count_equal_nsg": 8,
}
for kernel in ("flash_attn_ext", "flash_attn_ext_vec"):
    # A model of the common kind: a mask, and nothing of what only some have.
    COMMON |= {f"FC_{kernel}_has_{what}": 0 for what in ("sinks", "bias", "scap", "kvpad", "sparse")}
COMMON["FC_flash_attn_ext_bc_mask"] = 0

# The first that matches: threads, and constants.
FAMILIES: list[tuple[str, tuple[int, int, int], dict[str, int]]] = [
    (r"flash_attn_ext_(pad|blk)", (32, 1, 1), {}),
    (r"flash_attn_ext_vec_reduce", (1024, 1, 1), {}),
    (r"flash_attn_ext_vec_", (32, 1, 1), {"FC_flash_attn_ext_vec_nsg": 1, "FC_flash_attn_ext_vec_nwg": 32}),
    (r"flash_attn_ext_.*dk(512|576)", (32, 8, 1), {"FC_flash_attn_ext_nsg": 8}),
    (r"flash_attn_ext_", (32, 4, 1), {"FC_flash_attn_ext_nsg": 4}),
    (r"mul_mm_id_map0", (256, 1, 1), {}),
    (r"mul_mm", (128, 1, 1), {}),
    (r"mul_mv_ext", (32, 2, 1), {}),
    (r"mul_mv_mma", (32, 4, 1), {"FC_mul_mv_mma_nsg": 4, "FC_mul_mv_mma_ne00": 4096}),
    (r"mul_mv_(id_)?(f32|f16|bf16|q8_0)_", (32, 4, 1), {"FC_mul_mv_nsg": 4}),
    (r"mul_mv_", (32, 2, 1), {}),
    (r"rwkv", (64, 1, 1), {}),
    (r"gated_delta_net_\w*_(\d)", (32, 4, 1), {}),
    (r"solve_tri", (32, 4, 1), {}),
    (r"ssm_scan", (128, 1, 1), {}),
    (r"ssm_conv\w*batched", (32, 1, 1), {}),
    (r"ssm_conv", (1, 1, 1), {}),
    (r"im2col", (32, 3, 3), {}),
    (r"conv_transpose_1d", (1, 1, 1), {}),
    (r"conv_transpose_2d", (3, 3, 1), {}),
    (r"kernel_(norm|rms_norm|l2_norm|group_norm|soft_max|argsort|cumsum|argmax|op_sum)", (1024, 1, 1), {}),
]


def ggml(entry: str) -> tuple[tuple[int, int, int], dict[str, int]]:
    threads, given = next(((t, c) for pattern, t, c in FAMILIES if re.search(pattern, entry)), ((256, 1, 1), {}))
    constants = COMMON | given
    if heads := re.search(r"dk(\d+)_dv(\d+)", entry):
        for kernel in ("flash_attn_ext", "flash_attn_ext_vec"):
            constants[f"FC_{kernel}_ns10"] = int(heads[1]) * HEADS
            constants[f"FC_{kernel}_ns20"] = int(heads[2]) * HEADS
    return threads, constants

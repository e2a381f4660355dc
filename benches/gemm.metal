// Matrix products with simdgroup_matrix: C = A B, all row-major, n a multiple of the tile.
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
using namespace metal;

// 128 x 128 of C per threadgroup of 128 threads: each of four simdgroups has 64 x 64, in 8 x 8 tiles.
kernel void gemm_half(device const half* A [[buffer(0)]], device const half* B [[buffer(1)]], device half* C [[buffer(2)]],
                      constant uint& n [[buffer(3)]], uint2 group [[threadgroup_position_in_grid]],
                      uint index [[thread_index_in_threadgroup]], uint simd [[simdgroup_index_in_threadgroup]])
{
    // Rows are longer than they need be, so that the rows of a tile lie in different banks.
    constexpr uint AS = 40, BS = 136;
    threadgroup half As[128 * AS];
    threadgroup half Bs[32 * BS];
    simdgroup_float8x8 sum[8][8];
    for (uint i = 0; i < 8; i++)
        for (uint j = 0; j < 8; j++) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    const uint row = simd / 2 * 64, column = simd % 2 * 64;
    // Each thread moves 4 x 8 elements of both tiles.
    const uint ar = index / 4, ac = index % 4 * 8, br = index / 16, bc = index % 16 * 8;
    device const half* a = A + (group.y * 128 + ar) * n + ac;
    device const half* b = B + br * n + group.x * 128 + bc;
    uint4 ax[4], bx[4];
    for (uint i = 0; i < 4; i++) {
        ax[i] = *(device const uint4*)(a + i * 32 * n);
        bx[i] = *(device const uint4*)(b + i * 8 * n);
    }
    for (uint k = 0; k < n; k += 32) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint i = 0; i < 4; i++) {
            *(threadgroup uint4*)(As + (ar + i * 32) * AS + ac) = ax[i];
            *(threadgroup uint4*)(Bs + (br + i * 8) * BS + bc) = bx[i];
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (k + 32 < n) {
            a += 32;
            b += 32 * n;
            for (uint i = 0; i < 4; i++) {
                ax[i] = *(device const uint4*)(a + i * 32 * n);
                bx[i] = *(device const uint4*)(b + i * 8 * n);
            }
        }
#pragma unroll
        for (uint kk = 0; kk < 32; kk += 16) {
            simdgroup_half8x8 x[2][8], y[2][8];
#pragma unroll
            for (uint h = 0; h < 2; h++)
#pragma unroll
                for (uint i = 0; i < 8; i++) {
                    simdgroup_load(x[h][i], As + (row + i * 8) * AS + kk + h * 8, AS);
                    simdgroup_load(y[h][i], Bs + (kk + h * 8) * BS + column + i * 8, BS);
                }
#pragma unroll
            for (uint h = 0; h < 2; h++)
#pragma unroll
                for (uint i = 0; i < 8; i++)
#pragma unroll
                    for (uint j = 0; j < 8; j++) simdgroup_multiply_accumulate(sum[i][j], x[h][i], y[h][j], sum[i][j]);
        }
    }
#pragma unroll
    for (uint i = 0; i < 8; i++)
#pragma unroll
        for (uint j = 0; j < 8; j++) {
            simdgroup_half8x8 result;
            result.thread_elements() = half2(sum[i][j].thread_elements());
            simdgroup_store(result, C + (group.y * 128 + row + i * 8) * n + group.x * 128 + column + j * 8, n);
        }
}

// 128 x 64 of C per threadgroup of 128 threads: each of four simdgroups has 64 x 32.
kernel void gemm_float(device const float* A [[buffer(0)]], device const float* B [[buffer(1)]], device float* C [[buffer(2)]],
                       constant uint& n [[buffer(3)]], uint2 group [[threadgroup_position_in_grid]],
                       uint index [[thread_index_in_threadgroup]], uint simd [[simdgroup_index_in_threadgroup]])
{
    constexpr uint AS = 20, BS = 68;
    threadgroup float As[128 * AS];
    threadgroup float Bs[16 * BS];
    simdgroup_float8x8 sum[8][4];
    for (uint i = 0; i < 8; i++)
        for (uint j = 0; j < 4; j++) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    const uint row = simd / 2 * 64, column = simd % 2 * 32;
    const uint ar = index / 4, ac = index % 4 * 4, br = index / 16, bc = index % 16 * 4;
    device const float* a = A + (group.y * 128 + ar) * n + ac;
    device const float* b = B + br * n + group.x * 64 + bc;
    float4 ax[4], bx[2];
    for (uint i = 0; i < 4; i++) ax[i] = *(device const float4*)(a + i * 32 * n);
    for (uint i = 0; i < 2; i++) bx[i] = *(device const float4*)(b + i * 8 * n);
    for (uint k = 0; k < n; k += 16) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        for (uint i = 0; i < 4; i++) *(threadgroup float4*)(As + (ar + i * 32) * AS + ac) = ax[i];
        for (uint i = 0; i < 2; i++) *(threadgroup float4*)(Bs + (br + i * 8) * BS + bc) = bx[i];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (k + 16 < n) {
            a += 16;
            b += 16 * n;
            for (uint i = 0; i < 4; i++) ax[i] = *(device const float4*)(a + i * 32 * n);
            for (uint i = 0; i < 2; i++) bx[i] = *(device const float4*)(b + i * 8 * n);
        }
        for (uint kk = 0; kk < 16; kk += 8) {
            simdgroup_float8x8 x[8], y[4];
#pragma unroll
            for (uint i = 0; i < 8; i++) simdgroup_load(x[i], As + (row + i * 8) * AS + kk, AS);
#pragma unroll
            for (uint j = 0; j < 4; j++) simdgroup_load(y[j], Bs + kk * BS + column + j * 8, BS);
#pragma unroll
            for (uint i = 0; i < 8; i++)
#pragma unroll
                for (uint j = 0; j < 4; j++) simdgroup_multiply_accumulate(sum[i][j], x[i], y[j], sum[i][j]);
        }
    }
#pragma unroll
    for (uint i = 0; i < 8; i++)
#pragma unroll
        for (uint j = 0; j < 4; j++)
            simdgroup_store(sum[i][j], C + (group.y * 128 + row + i * 8) * n + group.x * 64 + column + j * 8, n);
}

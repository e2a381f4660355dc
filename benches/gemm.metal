// Products with simdgroup_matrix: C = A B, all row-major, n a multiple of 256. Each of eight simdgroups of a threadgroup
// has its part of C in 8 x 8 tiles; what the next step needs is on its way from memory during each.
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
using namespace metal;

// 128 x 256 of C per threadgroup: 64 x 64 for each simdgroup, 32 deep at a time.
kernel void gemm_half(device const half* A [[buffer(0)]], device const half* B [[buffer(1)]], device half* C [[buffer(2)]],
                      constant uint& n [[buffer(3)]], uint2 group [[threadgroup_position_in_grid]],
                      uint index [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
                      uint simd [[simdgroup_index_in_threadgroup]])
{
    // Rows are longer than they need be, so that what is read together lies in different banks. B lies in pairs of
    // rows: element (k, x) beside (k + 1, x), which is how matrix units take the right operand.
    constexpr uint AS = 40, BS = 2 * (256 + 8);
    threadgroup half As[128 * AS];
    threadgroup half Bs[16 * BS];
    simdgroup_float8x8 sum[8][8];
#pragma unroll
    for (uint i = 0; i < 8; i++)
#pragma unroll
        for (uint j = 0; j < 8; j++) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    const uint row = simd / 4 * 64, column = simd % 4 * 64;
    // The elements of an 8 x 8 matrix that this thread holds are (r, c) and (r, c + 1).
    const uint r = ((lane >> 2) & 4u) | ((lane >> 1) & 3u), c = ((lane >> 1) & 4u) | ((lane & 1u) << 1);
    const uint own = r / 2 * BS + c * 2 + r % 2;
    // Each thread moves 2 x 8 elements of A, and 8 columns of two pairs of rows of B.
    const uint ar = index / 4, ac = index % 4 * 8, br = index / 32, bc = index % 32 * 8;
    device const half* a = A + (group.y * 128 + ar) * n + ac;
    device const half* b = B + 2 * br * n + group.x * 256 + bc;
    uint4 ax[2], bx[2][2];
#pragma unroll
    for (uint i = 0; i < 2; i++) {
        ax[i] = *(device const uint4*)(a + i * 64 * n);
        bx[i][0] = *(device const uint4*)(b + i * 16 * n);
        bx[i][1] = *(device const uint4*)(b + (i * 16 + 1) * n);
    }
    for (uint k = 0; k < n; k += 32) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
#pragma unroll
        for (uint i = 0; i < 2; i++) {
            *(threadgroup uint4*)(As + (ar + i * 64) * AS + ac) = ax[i];
            const uint4 even = (bx[i][0] & 0xffffu) | (bx[i][1] << 16), odd = (bx[i][0] >> 16) | (bx[i][1] & 0xffff0000u);
            threadgroup half* pairs = Bs + (br + i * 8) * BS + bc * 2;
            *(threadgroup uint4*)pairs = uint4(even.x, odd.x, even.y, odd.y);
            *(threadgroup uint4*)(pairs + 8) = uint4(even.z, odd.z, even.w, odd.w);
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (k + 32 < n) {
            a += 32;
            b += 32 * n;
#pragma unroll
            for (uint i = 0; i < 2; i++) {
                ax[i] = *(device const uint4*)(a + i * 64 * n);
                bx[i][0] = *(device const uint4*)(b + i * 16 * n);
                bx[i][1] = *(device const uint4*)(b + (i * 16 + 1) * n);
            }
        }
        threadgroup half* as = As + row * AS;
        threadgroup half* bs = Bs + column * 2;
#pragma unroll
        for (uint kk = 0; kk < 32; kk += 16) {
            simdgroup_half8x8 x[2][8], y[2][8];
#pragma unroll
            for (uint h = 0; h < 2; h++)
#pragma unroll
                for (uint i = 0; i < 8; i++) {
                    simdgroup_load(x[h][i], as + i * 8 * AS + kk + h * 8, AS);
                    threadgroup half* tile = bs + (kk + h * 8) / 2 * BS + i * 16;
                    y[h][i].thread_elements() = half2(tile[own], tile[own + 2]);
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
            simdgroup_store(result, C + (group.y * 128 + row + i * 8) * n + group.x * 256 + column + j * 8, n);
        }
}

// 128 x 128 of C per threadgroup: 64 x 32 for each simdgroup, 16 deep at a time.
kernel void gemm_float(device const float* A [[buffer(0)]], device const float* B [[buffer(1)]], device float* C [[buffer(2)]],
                       constant uint& n [[buffer(3)]], uint2 group [[threadgroup_position_in_grid]],
                       uint index [[thread_index_in_threadgroup]], uint simd [[simdgroup_index_in_threadgroup]])
{
    constexpr uint AS = 20, BS = 132;
    threadgroup float As[128 * AS];
    threadgroup float Bs[16 * BS];
    simdgroup_float8x8 sum[8][4];
#pragma unroll
    for (uint i = 0; i < 8; i++)
#pragma unroll
        for (uint j = 0; j < 4; j++) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    const uint row = simd / 4 * 64, column = simd % 4 * 32;
    const uint ar = index / 4, ac = index % 4 * 4, br = index / 32, bc = index % 32 * 4;
    device const float* a = A + (group.y * 128 + ar) * n + ac;
    device const float* b = B + br * n + group.x * 128 + bc;
    float4 ax[2], bx[2];
#pragma unroll
    for (uint i = 0; i < 2; i++) {
        ax[i] = *(device const float4*)(a + i * 64 * n);
        bx[i] = *(device const float4*)(b + i * 8 * n);
    }
    for (uint k = 0; k < n; k += 16) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
#pragma unroll
        for (uint i = 0; i < 2; i++) {
            *(threadgroup float4*)(As + (ar + i * 64) * AS + ac) = ax[i];
            *(threadgroup float4*)(Bs + (br + i * 8) * BS + bc) = bx[i];
        }
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (k + 16 < n) {
            a += 16;
            b += 16 * n;
#pragma unroll
            for (uint i = 0; i < 2; i++) {
                ax[i] = *(device const float4*)(a + i * 64 * n);
                bx[i] = *(device const float4*)(b + i * 8 * n);
            }
        }
#pragma unroll
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
            simdgroup_store(sum[i][j], C + (group.y * 128 + row + i * 8) * n + group.x * 128 + column + j * 8, n);
}

// Products with simdgroup_matrix: C = A B, all row-major, n a multiple of 256. Each of eight simdgroups of a threadgroup
// has its part of C in 8 x 8 tiles; what the next step needs is on its way from memory during each.
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
using namespace metal;

// 128 x 256 of C per threadgroup: 64 x 64 for each simdgroup, 32 deep at a time. Three steps are on their way to
// threadgroup memory while one is worked on (more of that memory than Apple's GPUs have), and half a step to registers.
namespace {

// Rows are longer than they need be, so that what is read together lies in different banks.
constexpr constant uint DEPTH = 32, A_ROW = DEPTH + 8, B_ROW = 256 + 8;

struct Halves {
    simdgroup_half8x8 a[2][8], b[2][8];
};

inline void load(thread Halves& now, threadgroup const half* a, threadgroup const half* b)
{
#pragma unroll
    for (uint h = 0; h < 2; h++)
#pragma unroll
        for (uint i = 0; i < 8; i++) {
            simdgroup_load(now.a[h][i], a + i * 8 * A_ROW + h * 8, A_ROW);
            simdgroup_load(now.b[h][i], b + h * 8 * B_ROW + i * 8, B_ROW);
        }
}

inline void multiply(thread simdgroup_float8x8 (&sum)[8][8], thread const Halves& now)
{
#pragma unroll
    for (uint h = 0; h < 2; h++)
#pragma unroll
        for (uint i = 0; i < 8; i++)
#pragma unroll
            for (uint j = 0; j < 8; j++) simdgroup_multiply_accumulate(sum[i][j], now.a[h][i], now.b[h][j], sum[i][j]);
}

// Where a thread's elements are, eight at a time.
struct Source {
    device const uint4* a;
    device const uint4* b;
    uint from_a, from_b, row, own_a, own_b;

    // What the step at depth k needs.
    void fetch(threadgroup half* to_a, threadgroup half* to_b, uint k) const
    {
#pragma unroll
        for (uint i = 0; i < 2; i++) *(threadgroup uint4*)(to_a + own_a + i * 64 * A_ROW) = a[from_a + i * 64 * row + k];
#pragma unroll
        for (uint i = 0; i < 4; i++)
            *(threadgroup uint4*)(to_b + own_b + i * 8 * B_ROW) = b[from_b + i * 8 * row + k * (8 * row)];
    }
};

} // namespace

kernel void gemm_half(device const uint4* A [[buffer(0)]], device const uint4* B [[buffer(1)]], device half* C [[buffer(2)]],
                      constant uint& n [[buffer(3)]], uint2 group [[threadgroup_position_in_grid]],
                      uint index [[thread_index_in_threadgroup]], uint simd [[simdgroup_index_in_threadgroup]])
{
    threadgroup half As0[128 * A_ROW], As1[128 * A_ROW], As2[128 * A_ROW], As3[128 * A_ROW];
    threadgroup half Bs0[DEPTH * B_ROW], Bs1[DEPTH * B_ROW], Bs2[DEPTH * B_ROW], Bs3[DEPTH * B_ROW];
    simdgroup_float8x8 sum[8][8];
#pragma unroll
    for (uint i = 0; i < 8; i++)
#pragma unroll
        for (uint j = 0; j < 8; j++) sum[i][j] = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    const uint row = simd / 4 * 64, column = simd % 4 * 64;
    // Of A, four threads have a row of a step; of B, 32. Depths are counted in eights.
    const uint ar = index / 4, ac = index % 4, br = index / 32, bc = index % 32;
    const uint length = n / 8;
    const Source source = {A, B, (group.y * 128 + ar) * length + ac, br * length + group.x * 32 + bc, length,
                           ar * A_ROW + ac * 8, br * B_ROW + bc * 8};
    Halves now, next;
    source.fetch(As0, Bs0, 0);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    source.fetch(As1, Bs1, DEPTH / 8);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    source.fetch(As2, Bs2, 2 * DEPTH / 8);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    load(now, As0 + row * A_ROW, Bs0 + column);
    // Step s: its second half is loaded and its first half multiplied, and the other way around with the next step.
#define STEP(s, then, fetch)                                                \
    load(next, As##s + row * A_ROW + 16, Bs##s + 16 * B_ROW + column);      \
    fetch;                                                                  \
    multiply(sum, now);                                                     \
    threadgroup_barrier(mem_flags::mem_threadgroup);                        \
    load(now, As##then + row * A_ROW, Bs##then + column);                   \
    multiply(sum, next);
    const uint last = length - 4 * DEPTH / 8;
    for (uint k = 0; k < last; k += 4 * DEPTH / 8) {
        STEP(0, 1, source.fetch(As3, Bs3, k + 3 * DEPTH / 8))
        STEP(1, 2, source.fetch(As0, Bs0, k + 4 * DEPTH / 8))
        STEP(2, 3, source.fetch(As1, Bs1, k + 5 * DEPTH / 8))
        STEP(3, 0, source.fetch(As2, Bs2, k + 6 * DEPTH / 8))
    }
    STEP(0, 1, source.fetch(As3, Bs3, last + 3 * DEPTH / 8))
    STEP(1, 2, )
    STEP(2, 3, )
    load(next, As3 + row * A_ROW + 16, Bs3 + 16 * B_ROW + column);
    multiply(sum, now);
    multiply(sum, next);
#undef STEP
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

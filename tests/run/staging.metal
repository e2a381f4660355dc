// Pieces of device memory in threadgroup memory: what is on its way while a kernel works on others, and what must be there.
//--- a ring of three buffers
// buffer 0: u32 = iota(1536)
// buffer 1: u32 = zeros(64)
// dispatch: f grid=64 threadgroup=64
// expect 1: u32 = iota(63, 3864, 24) 3840
#include <metal_stdlib>
using namespace metal;
kernel void f(device const uint4* in [[buffer(0)]], device uint* out [[buffer(1)]], uint t [[thread_position_in_threadgroup]]) {
    threadgroup uint4 a[64], b[64], c[64];
    uint sum = 0;
    a[t] = in[t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    b[t] = in[64 + t];
    const uint other = (t + 1) % 64;
    for (uint k = 0; k < 6; k += 3) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        c[t] = in[(k + 2) * 64 + t];
        sum += a[other].x;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (k + 3 < 6) a[t] = in[(k + 3) * 64 + t];
        sum += b[other].x;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (k + 4 < 6) b[t] = in[(k + 4) * 64 + t];
        sum += c[other].x;
    }
    out[t] = sum;
}
//--- a thread sees what it copied before any barrier
// buffer 0: u32 = iota(256)
// buffer 1: u32 = zeros(64)
// dispatch: f grid=64 threadgroup=64
// expect 1: u32 = iota(63, 4, 8) 252
#include <metal_stdlib>
using namespace metal;
kernel void f(device const uint4* in [[buffer(0)]], device uint* out [[buffer(1)]], uint t [[thread_position_in_threadgroup]]) {
    threadgroup uint4 a[64];
    a[t] = in[t];
    const uint own = a[t].x;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[t] = own + a[(t + 1) % 64].x;
}
//--- one place is copied to again and again
// buffer 0: u32 = iota(1024)
// buffer 1: u32 = zeros(64)
// dispatch: f grid=64 threadgroup=64
// expect 1: u32 = iota(63, 772, 4) 768
#include <metal_stdlib>
using namespace metal;
kernel void f(device const uint4* in [[buffer(0)]], device uint* out [[buffer(1)]], uint t [[thread_position_in_threadgroup]]) {
    threadgroup uint4 a[64];
    for (uint k = 0; k < 4; k++) a[t] = in[k * 64 + t];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[t] = a[(t + 1) % 64].x;
}
//--- part of what was copied is written over
// buffer 0: u32 = iota(256)
// buffer 1: u32 = zeros(64)
// dispatch: f grid=64 threadgroup=64
// expect 1: u32 = iota(63, 12, 4) 8
#include <metal_stdlib>
using namespace metal;
kernel void f(device const uint4* in [[buffer(0)]], device uint* out [[buffer(1)]], uint t [[thread_position_in_threadgroup]]) {
    threadgroup uint4 a[64];
    a[t] = in[t];
    a[t].y = 7;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const uint4 v = a[(t + 1) % 64];
    out[t] = v.x + v.y + 1;
}
//--- a loop is left between a copy and the barrier
// buffer 0: u32 = iota(1024)
// buffer 1: u32 = zeros(64)
// dispatch: f grid=64 threadgroup=64
// expect 1: u32 = iota(63, 776, 12) 1020
#include <metal_stdlib>
using namespace metal;
kernel void f(device const uint4* in [[buffer(0)]], device uint* out [[buffer(1)]],
              uint t [[thread_position_in_threadgroup]]) {
    threadgroup uint4 a[64];
    uint sum = 0;
    for (uint k = 0; k < 4; k++) {
        a[t] = in[k * 64 + t];
        if (k == 2) break;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum += a[(t + 1) % 64].x;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    out[t] = sum + a[t].x;
}
//--- a product of staged halves, laid out in several ways
// buffer 0: f32 = zeros(8)
// dispatch: f grid=64 threadgroup=64
// expect 0: f32 = 0 0 0 0 0 0 0 0
#include <metal_stdlib>
#include <metal_simdgroup_matrix>
using namespace metal;
// Differences of x y from the sums, where x and y begin at these places, with these rows, perhaps transposed.
template <uint X, uint XR, bool XT, uint Y, uint YR, bool YT>
float differences(threadgroup const half* m, uint lane) {
    simdgroup_half8x8 x0, x1, y0, y1;
    simdgroup_load(x0, m + X, XR, ulong2(0), XT);
    simdgroup_load(x1, m + X + (XT ? 8 * XR : 8), XR, ulong2(0), XT);
    simdgroup_load(y0, m + Y, YR, ulong2(0), YT);
    simdgroup_load(y1, m + Y + (YT ? 8 : 8 * YR), YR, ulong2(0), YT);
    simdgroup_float8x8 sum = make_filled_simdgroup_matrix<float, 8, 8>(1.0f);
    simdgroup_multiply_accumulate(sum, x0, y0, sum);
    simdgroup_multiply_accumulate(sum, x1, y1, sum);
    const uint r = ((lane >> 2) & 4u) | ((lane >> 1) & 3u), c = ((lane >> 1) & 4u) | ((lane & 1u) << 1);
    float found = 0;
    for (uint j = 0; j < 2; j++) {
        float expected = 1;
        for (uint k = 0; k < 16; k++) {
            const float a = m[X + (XT ? k * XR + r : r * XR + k)], b = m[Y + (YT ? (c + j) * YR + k : k * YR + c + j)];
            expected += a * b;
        }
        found += abs(sum.thread_elements()[j] - expected);
    }
    return simd_sum(found);
}
kernel void f(device float* out [[buffer(0)]], uint t [[thread_index_in_threadgroup]], uint lane [[thread_index_in_simdgroup]]) {
    threadgroup half m[1024];
    for (uint i = t; i < 1024; i += 64) m[i] = half(int(i * 37 % 23) - 11);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    const float d[8] = {
        differences<0, 24, false, 512, 24, false>(m, lane), differences<0, 24, true, 512, 24, false>(m, lane),
        differences<8, 24, false, 512, 24, true>(m, lane),  differences<16, 40, true, 520, 24, true>(m, lane),
        differences<0, 17, false, 512, 19, false>(m, lane), differences<3, 24, false, 513, 24, false>(m, lane),
        differences<4, 24, true, 516, 24, true>(m, lane),   differences<0, 16, false, 256, 8, false>(m, lane)};
    if (t == 0)
        for (uint i = 0; i < 8; i++) out[i] = d[i];
}

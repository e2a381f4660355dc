// What Metal leaves undefined and Apple's GPUs and CPUs forgive, while published kernels rely on it: the chapter
// "What is forgiven" of crates/msl-ir/src/ir.rs.
//--- addresses that are not a multiple of the alignment of the type, the same for all threads and not
// buffer 0: f32 = iota(80)
// buffer 1: f32 = zeros(64)
// buffer 2: f32 = zeros(4)
// dispatch: a grid=16 threadgroup=16
// expect 1: f32 = iota(64, 1)
// expect 2: f32 = 3 4 5 6
#include <metal_stdlib>
using namespace metal;
kernel void a(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], device float* one [[buffer(2)]],
              uint i [[thread_position_in_threadgroup]]) {
    threadgroup float s[64 + 1];
    device const float4* from = (device const float4*)(in + 1);
    *(threadgroup float4*)(s + 1 + 4 * i) = from[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    ((device float4*)out)[i] = *(threadgroup float4*)(s + 1 + 4 * i);
    *(device float4*)one = *(device const float4*)(in + 3);
}
//--- one thread of each simdgroup reaches a barrier
// buffer 0: i32 = zeros(2)
// dispatch: b grid=128 threadgroup=64
// expect 0: i32 = 2016 6112
#include <metal_stdlib>
using namespace metal;
kernel void b(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]], uint group [[threadgroup_position_in_grid]],
              uint lane [[thread_index_in_simdgroup]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
    threadgroup int partial[2];
    int sum = simd_sum(int(i));
    if (lane == 0) {
        partial[simdgroup] = sum;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (simdgroup == 0) sum += partial[1];
    }
    if (lane == 0 && simdgroup == 0) out[group] = sum;
}
//--- simdgroups that have returned are not waited for
// buffer 0: i32 = zeros(64)
// dispatch: c grid=96 threadgroup=96
// expect 0: i32 = iota(64, 63, -1)
#include <metal_stdlib>
using namespace metal;
kernel void c(device int* out [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup int s[64];
    if (i >= 64) return;
    s[i] = int(i);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = s[63 - i];
}
//--- the element after the end of threadgroup memory is read and not used
// buffer 0: i32 = iota(256)
// threadgroup 0: 256
// dispatch: d grid=64 threadgroup=64
// expect 0: i32 = 3 7 iota(254, 2)
#include <metal_stdlib>
using namespace metal;
kernel void d(device int* out [[buffer(0)]], threadgroup int* given [[threadgroup(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup int4 s[64];
    s[i] = int4(i, 1, 2, 0);
    given[i] = 7;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    int4 next = s[i + 1];
    int after = given[i + 1];
    int4 sum = simd_max(i < 63 ? s[i] + next * 0 : s[i]);
    int most = simd_max(i < 63 ? after : 7);
    if (i == 0) { out[0] = sum.y + sum.z; out[1] = most; }
}
//--- memory whose size the host gives is cleared beyond its end
// buffer 0: i32 = zeros(32)
// threadgroup 0: 256
// dispatch: e grid=32 threadgroup=32
// expect 0: i32 = iota(32, 31, -1)
#include <metal_stdlib>
using namespace metal;
kernel void e(device int* out [[buffer(0)]], threadgroup int4* given [[threadgroup(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup int s[32];
    given[i] = int4(0);
    s[i] = int(i);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    out[i] = s[31 - i] + given[i % 16].x;
}
//--- two bytes at odd addresses, in any order
// buffer 0: u8 = iota(66)
// buffer 1: u16 = zeros(16)
// buffer 2: u16 = zeros(16)
// dispatch: g grid=16 threadgroup=16
// expect 1: u16 = expr(16, 257 * (1 + 2 * (i * 7 % 16)) + 256)
// expect 2: u16 = expr(16, 257 * (3 * (i * 5 % 16)) + 256)
#include <metal_stdlib>
using namespace metal;
kernel void g(device const uchar* in [[buffer(0)]], device ushort* out [[buffer(1)]], device ushort* other [[buffer(2)]],
              uint i [[thread_position_in_grid]]) {
    out[i] = ((device const ushort*)(in + 1))[i * 7 % 16];
    other[i] = *(device const ushort*)(in + 3 * (i * 5 % 16));
}
//--- simdgroups go different ways around barriers that order no memory, in loops and before a return
// buffer 0: i32 = zeros(256)
// buffer 1: i32 = iota(8)
// buffer 2: i32 = 3 2
// dispatch: h grid=256 threadgroup=128
// expect 0: i32 = zeros(32) fill(32, 14) fill(64, 6) zeros(32) fill(32, 14) fill(64, 6)
#include <metal_stdlib>
using namespace metal;
kernel void h(device int* out [[buffer(0)]], device const int* in [[buffer(1)]], constant int2& sizes [[buffer(2)]],
              uint i [[thread_position_in_grid]], uint simdgroup [[simdgroup_index_in_threadgroup]]) {
    int sum = 0;
    if (int(simdgroup) >= sizes.y) {
        for (int k = 0; k < sizes.x; k++) {
            threadgroup_barrier(mem_flags::mem_none);
            sum += 2 * in[k];
        }
    } else {
        for (int k = 0; k < sizes.x; k++) {
            threadgroup_barrier(mem_flags::mem_none);
            if (simdgroup == 0) continue;
            sum += in[k] + 2;
        }
        if (simdgroup == 0) return;
        sum += in[5];
    }
    out[i] = sum;
}

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
//--- threads of a simdgroup go through a loop with a barrier differently often, and leave it in its middle
// buffer 0: i32 = zeros(96)
// dispatch: k grid=96 threadgroup=96
// expect 0: i32 = expr(96, eq(i % 4, 1) + 103 * eq(i % 4, 2) + 106 * eq(i % 4, 3) + 3000 * lt(29, i % 32))
#include <metal_stdlib>
using namespace metal;
kernel void k(device int* out [[buffer(0)]], uint i [[thread_position_in_threadgroup]], uint lane [[thread_index_in_simdgroup]],
              uint simdgroup [[simdgroup_index_in_threadgroup]]) {
    threadgroup int turn[3];
    int sum = 0;
    for (int round = 0; round < int(lane % 4); round++) {
        if (lane == 3) turn[simdgroup] = round + 1;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum += turn[(simdgroup + 1) % 3];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (lane % 4 == 1) break;
        if (round == 0 && lane < 32) continue;
        if (round == 1) sum += 100;
        if (lane < 30) continue;
    }
    while (lane >= 30) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum += 1000;
        if (sum >= 3000) break;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    out[i] = sum;
}
//--- a barrier in a function that most threads have left, in both branches of a condition, and before some return
// buffer 0: i32 = zeros(128)
// dispatch: l grid=128 threadgroup=64
// expect 0: i32 = expr(128, (1 - eq(i % 32, 31)) * (lt(i % 32, 3) * (10 - 10 * (floor(i / 32) % 2) + i % 32) + 7000 + 100 * (i % 2)) - 5 * eq(i % 32, 31))
#include <metal_stdlib>
using namespace metal;
static int exchanged(threadgroup int* s, uint lane, uint simdgroup) {
    if (lane > 2) return 0;
    s[4 * simdgroup + lane] = int(10 * simdgroup + lane);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    return s[4 * (1 - simdgroup) + lane];
}
kernel void l(device int* out [[buffer(0)]], uint at [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]],
              uint simdgroup [[simdgroup_index_in_threadgroup]]) {
    threadgroup int s[8];
    threadgroup int t[4];
    int sum = exchanged(s, lane, simdgroup);
    if (lane % 2 == 0) {
        t[simdgroup] = 7000;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum += t[1 - simdgroup];
    } else {
        t[2 + simdgroup] = t[1 - simdgroup] + 100;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (lane == 31) { out[at] = -5; return; }
        sum += t[3 - simdgroup];
    }
    out[at] = sum;
}

// SIMD-group and quad-group functions (MSL specification, section 6.9.2).
//--- reductions of a full and a partial simdgroup
// buffer 0: i32 = zeros(480)
// buffer 1: f32 = zeros(40)
// dispatch: reduce grid=40 threadgroup=40
// expect 0: i32 = fill(32, 528) fill(8, 292)
// expect 0[40]: i32 = fill(32, 1) fill(8, 33)
// expect 0[80]: i32 = fill(32, 32) fill(8, 40)
// expect 0[120]: i32 = fill(32, 0) fill(8, 32)
// expect 0[160]: i32 = fill(32, 63) fill(8, 47)
// expect 0[200]: i32 = fill(32, 32) fill(8, 8)
// expect 0[240]: i32 = fill(32, 4096) fill(8, 256)
// expect 0[280]: i32 = fill(32, 1) fill(8, 33)
// expect 1: f32 = fill(32, 264) fill(8, 146)
#include <metal_stdlib>
using namespace metal;
kernel void reduce(device int* out [[buffer(0)]], device float* f [[buffer(1)]], uint i [[thread_index_in_threadgroup]]) {
    int x = int(i) + 1;
    out[i] = simd_sum(x);
    out[40 + i] = simd_min(x);
    out[80 + i] = simd_max(x);
    out[120 + i] = simd_and(x | 32) & ~(i < 32 ? 32 : 0);
    out[160 + i] = simd_or(x);
    out[200 + i] = simd_xor(x);
    out[240 + i] = simd_product(i % 32 < 12 || i >= 32 ? 2 : 1);
    out[280 + i] = simd_broadcast_first(x);
    f[i] = simd_sum(float(x) * 0.5f);
}
//--- prefixes
// buffer 0: i32 = zeros(160)
// dispatch: prefix grid=40 threadgroup=40
// expect 0: i32 = expr(32, (i+1)*(i+2)/2) expr(8, i+1 + 32*(i+1) + i*(i+1)/2)
// expect 0[40]: i32 = expr(32, i*(i+1)/2) expr(8, i + 32*i + (i-1)*i/2)
// expect 0[80]: i32 = expr(32, pow(2, min(i + 1, 10))) expr(8, pow(2, i + 1))
// expect 0[120]: i32 = expr(32, pow(2, min(i, 10))) expr(8, pow(2, i))
#include <metal_stdlib>
using namespace metal;
kernel void prefix(device int* out [[buffer(0)]], uint i [[thread_index_in_threadgroup]]) {
    int x = int(i) + 1, y = i % 32 < 10 ? 2 : 1;
    out[i] = simd_prefix_inclusive_sum(x);
    out[40 + i] = simd_prefix_exclusive_sum(x);
    out[80 + i] = simd_prefix_inclusive_product(y);
    out[120 + i] = simd_prefix_exclusive_product(y);
}
//--- shuffles
// buffer 0: i32 = zeros(320)
// dispatch: shuffle grid=32 threadgroup=32
// expect 0: i32 = expr(32, 31 - i)
// expect 0[32]: i32 = fill(32, 5)
// expect 0[64]: i32 = expr(32, i + 1 - 2*(i%2))
// expect 0[96]: i32 = 0 1 iota(30)
// expect 0[128]: i32 = iota(29, 3) 29 30 31
// expect 0[160]: i32 = 31 iota(31)
// expect 0[192]: i32 = iota(30, 2) 0 1
// expect 0[224]: i32 = 129 130 131 iota(29)
// expect 0[256]: i32 = iota(30, 2) 100 101
// expect 0[288]: i32 = 107 0 1 2 3 4 5 6  115 8 9 10 11 12 13 14  123 16 17 18 19 20 21 22  131 24 25 26 27 28 29 30
#include <metal_stdlib>
using namespace metal;
kernel void shuffle(device int* out [[buffer(0)]], ushort i [[thread_index_in_simdgroup]]) {
    int x = i;
    out[i] = simd_shuffle(x, 31 - i);
    out[32 + i] = simd_broadcast(x, 5);
    out[64 + i] = simd_shuffle_xor(x, 1);
    out[96 + i] = simd_shuffle_up(x, 2);
    out[128 + i] = simd_shuffle_down(x, 3);
    out[160 + i] = simd_shuffle_rotate_up(x, 1);
    out[192 + i] = simd_shuffle_rotate_down(x, 2);
    // Filling comes from the end of the other value, as if it lay beside this one.
    out[224 + i] = simd_shuffle_and_fill_up(x, x + 100, 3);
    out[256 + i] = simd_shuffle_and_fill_down(x, x + 100, 2);
    out[288 + i] = simd_shuffle_and_fill_up(x, x + 100, 1, 8);
}
//--- types of shuffles
// buffer 0: f32 = zeros(128)
// buffer 1: u32 = zeros(32)
// dispatch: types grid=32 threadgroup=32
// expect 0: f32 = 1 2 3 4  0 1 2 3
// expect 1: u32 = fill(32, 63)
#include <metal_stdlib>
using namespace metal;
kernel void types(device float4* out [[buffer(0)]], device uint* ok [[buffer(1)]], uint i [[thread_index_in_simdgroup]]) {
    float4 v = float4(0, 1, 2, 3) + float(i);
    out[i] = simd_shuffle_xor(v, 1);
    uint n = (i + 1) % 32;
    ok[i] = (simd_shuffle_rotate_down(half(i), 1) == half(n) ? 1 : 0) | (simd_shuffle_rotate_down(uchar(i), 1) == n ? 2 : 0)
          | (simd_shuffle_rotate_down(short(i), 1) == short(n) ? 4 : 0) | (all(simd_shuffle_rotate_down(half2(i, 1), 1) == half2(n, 1)) ? 8 : 0)
          | (all(simd_shuffle_rotate_down(uint3(i, 1, 2), 1) == uint3(n, 1, 2)) ? 16 : 0) | (all(simd_sum(float2(1, 2)) == float2(32, 64)) ? 32 : 0);
}
//--- votes
// buffer 0: u32 = zeros(12)
// buffer 1: u32 = zeros(32)
// dispatch: vote grid=32 threadgroup=32
// expect 0: u32 = 1 0 1 1 0xffff0000 0xffffffff 0 1 1 0x0000fffe 1 0
// expect 1: u32 = 1 zeros(31)
#include <metal_stdlib>
using namespace metal;
kernel void vote(device uint* out [[buffer(0)]], device uint* first [[buffer(1)]], uint i [[thread_index_in_simdgroup]]) {
    bool high = i >= 16;
    bool any_high = simd_any(high), all_high = simd_all(high), all_true = simd_all(i < 32), none = simd_any(i > 40);
    ulong ballot = ulong(simd_ballot(high)), active = ulong(simd_active_threads_mask());
    simd_vote v = simd_ballot(high);
    bool v_all = v.all(), v_any = v.any();
    first[i] = simd_is_first();
    bool inner_first = false;
    ulong inner_active = 0;
    if (i >= 1 && i < 16) {
        inner_first = simd_is_first();
        inner_active = ulong(simd_active_threads_mask());
    }
    if (i == 1) {
        out[0] = any_high; out[1] = all_high; out[2] = all_true; out[3] = !none;
        out[4] = uint(ballot); out[5] = uint(active); out[6] = v_all; out[7] = v_any;
        out[8] = inner_first; out[9] = uint(inner_active); out[10] = (active >> 32) == 0;
    }
}
//--- in divergent control flow only active threads count
// buffer 0: i32 = zeros(32)
// dispatch: divergent grid=32 threadgroup=32
// expect 0: i32 = expr(32, 240 + 16 * (i % 2))
#include <metal_stdlib>
using namespace metal;
kernel void divergent(device int* out [[buffer(0)]], uint i [[thread_index_in_simdgroup]]) {
    if (i % 2 == 0) out[i] = simd_sum(int(i));
    else out[i] = simd_sum(int(i));
}
//--- quad-groups
// buffer 0: i32 = zeros(240)
// dispatch: quad grid=8 threadgroup=8
// expect 0: i32 = 10 10 10 10 26 26 26 26
// expect 0[8]: i32 = 24 24 24 24 1680 1680 1680 1680
// expect 0[16]: i32 = 1 1 1 1 5 5 5 5
// expect 0[24]: i32 = 4 4 4 4 8 8 8 8
// expect 0[32]: i32 = 3 3 3 3 7 7 7 7
// expect 0[40]: i32 = 2 1 4 3 6 5 8 7
// expect 0[48]: i32 = 1 1 2 3 5 5 6 7
// expect 0[56]: i32 = 2 3 4 4 6 7 8 8
// expect 0[64]: i32 = 4 1 2 3 8 5 6 7
// expect 0[72]: i32 = 2 3 4 1 6 7 8 5
// expect 0[80]: i32 = 1 3 6 10 5 11 18 26
// expect 0[88]: i32 = 0 1 3 6 0 5 11 18
// expect 0[96]: i32 = 1 2 6 24 5 30 210 1680
// expect 0[104]: i32 = 1 1 2 6 1 5 30 210
// expect 0[112]: i32 = 0 0 0 0 4 4 4 4
// expect 0[120]: i32 = 7 7 7 7 15 15 15 15
// expect 0[128]: i32 = 4 4 4 4 12 12 12 12
// expect 0[136]: i32 = 12 12 12 12 15 15 15 15
// expect 0[144]: i32 = 1 1 1 1 5 5 5 5
// expect 0[152]: i32 = 1 0 0 0 1 0 0 0
// expect 0[160]: i32 = 1 1 1 1 1 1 1 1
// expect 0[168]: i32 = 0 0 0 0 1 1 1 1
// expect 0[176]: i32 = 101 1 2 3 105 5 6 7
// expect 0[184]: i32 = 6 6 6 6 14 14 14 14
#include <metal_stdlib>
using namespace metal;
kernel void quad(device int* out [[buffer(0)]], uint i [[thread_index_in_threadgroup]]) {
    int x = int(i) + 1;
    out[i] = quad_sum(x);
    out[8 + i] = quad_product(x);
    out[16 + i] = quad_min(x);
    out[24 + i] = quad_max(x);
    out[32 + i] = quad_broadcast(x, 2);
    out[40 + i] = quad_shuffle_xor(x, 1);
    out[48 + i] = quad_shuffle_up(x, 1);
    out[56 + i] = quad_shuffle_down(x, 1);
    out[64 + i] = quad_shuffle_rotate_up(x, 1);
    out[72 + i] = quad_shuffle_rotate_down(x, 1);
    out[80 + i] = quad_prefix_inclusive_sum(x);
    out[88 + i] = quad_prefix_exclusive_sum(x);
    out[96 + i] = quad_prefix_inclusive_product(x);
    out[104 + i] = quad_prefix_exclusive_product(x);
    out[112 + i] = quad_and(x < 8 ? x : 12);
    out[120 + i] = quad_or(x);
    out[128 + i] = quad_xor(x);
    out[136 + i] = int(uint(quad_ballot(x > 2)));
    out[144 + i] = quad_broadcast_first(x);
    out[152 + i] = quad_is_first();
    out[160 + i] = quad_any(x > 3);
    out[168 + i] = quad_all(x > 3);
    out[176 + i] = quad_shuffle_and_fill_up(x, 100 + x - 3, 1);
    // Only the threads that take part.
    int part = 6;
    if (i % 4 != 3) part = quad_sum(x) - (i < 4 ? 0 : 4);
    out[184 + i] = i % 4 == 3 ? (i < 4 ? 6 : 14) : part;
}

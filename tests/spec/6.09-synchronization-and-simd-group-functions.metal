// 6.9 Synchronization and SIMD-group Functions
#include <metal_stdlib>
using namespace metal;
//--- 6.9.1 `threadgroup_barrier` with every flag
// gives 64: i32 = expr(64, 63 - i)
kernel void f(device int* o, uint i [[thread_index_in_threadgroup]]) {
    threadgroup int t[64];
    t[i] = i;
    threadgroup_barrier(mem_flags::mem_none); threadgroup_barrier(mem_flags::mem_device); threadgroup_barrier(mem_flags::mem_texture);
    threadgroup_barrier(mem_flags::mem_device | mem_flags::mem_threadgroup);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    o[i] = t[63 - i];
}
//--- `simdgroup_barrier` with every flag
// gives 32: i32 = expr(32, 31 - i)
kernel void f(device int* o, uint i [[thread_index_in_threadgroup]]) {
    threadgroup int t[32];
    t[i] = i;
    simdgroup_barrier(mem_flags::mem_none); simdgroup_barrier(mem_flags::mem_device); simdgroup_barrier(mem_flags::mem_texture);
    simdgroup_barrier(mem_flags::mem_threadgroup);
    o[i] = t[31 - i];
}
//--- barriers with orders and scopes
// gives 32: i32 = expr(32, 31 - i)
kernel void f(device int* o, uint i [[thread_index_in_threadgroup]]) {
    threadgroup int t[32];
    t[i] = i;
    threadgroup_barrier(mem_flags::mem_threadgroup, memory_order_acq_rel, thread_scope_threadgroup);
    simdgroup_barrier(mem_flags::mem_threadgroup, memory_order_seq_cst, thread_scope_simdgroup);
    o[i] = t[31 - i];
}
//--- `threadgroup_barrier` without flags
// error: no-matching-function
kernel void f(device int* o) { threadgroup_barrier(); o[0] = 1; }
//--- 6.9.2 reductions: `simd_sum`, `simd_product`, `simd_min`, `simd_max`, `simd_and`, `simd_or`, `simd_xor`
// see: tests/run/std_simd.metal (reductions of a full and a partial simdgroup)
//--- prefixes, inclusive and exclusive
// see: tests/run/std_simd.metal (prefixes)
//--- shuffles, rotations, filling, broadcasts
// see: tests/run/std_simd.metal (shuffles)
//--- of every type
// see: tests/run/std_simd.metal (types of shuffles)
//--- votes: `simd_all`, `simd_any`, `simd_ballot`, `simd_vote`, `simd_active_threads_mask`, `simd_is_first`
// see: tests/run/std_simd.metal (votes)
//--- threads that are not active take no part
// see: tests/run/std_simd.metal (in divergent control flow only active threads count)
//--- 6.9.3 quad-group functions
// see: tests/run/std_simd.metal (quad-groups)
//--- reductions of vectors and of small types
// gives 32: f32 = 32 64 16 31 3
kernel void f(device float* o, uint i [[thread_index_in_threadgroup]]) { float2 s = simd_sum(float2(1, 2)); half h = simd_max(half(i)); char c = simd_min(char(int(i) + 3)); short p = simd_sum(short(i / 16)); if (i == 0) { o[0] = s.x; o[1] = s.y; o[2] = p; o[3] = h; o[4] = c; } }
//--- `quad_sum`, prefixes and votes of quad-groups
// gives 8: i32 = 6 22 0 1 3 6 1 15
kernel void f(device int* o, uint i [[thread_index_in_threadgroup]]) { int s = quad_sum(int(i)), p = quad_prefix_inclusive_sum(int(i)); bool a = quad_all(i < 8); ulong b = quad_vote::vote_t(quad_ballot(i < 4)); if (i == 0) { o[0] = s; o[6] = a; o[7] = b; } if (i == 4) o[1] = s; if (i < 4) o[2 + i] = p; }
//--- `simd_shuffle` of `float` with a value that no thread has
// gives 32: i32 = 5
kernel void f(device int* o, uint i [[thread_index_in_threadgroup]]) { int x = simd_broadcast(int(i), 5); if (i == 0) o[0] = x; }
//--- `quad_vote` keeps four bits
// gives: u32 = 15 1 0
kernel void f(device uint* o) { o[0] = uint(quad_vote(0xffu)); o[1] = quad_vote(0x1fu).all(); o[2] = quad_vote(0xf0u).any(); }

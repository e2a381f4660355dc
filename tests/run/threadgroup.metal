// Threadgroup memory, barriers, atomics, simdgroups.
//--- tree reduction
// buffer 0: f32 = iota(256)
// buffer 1: f32 = zeros(2)
// dispatch: reduce grid=256 threadgroup=128
// expect 1: f32 = 8128 24512
#include <metal_stdlib>
using namespace metal;
kernel void reduce(device const float* in [[buffer(0)]], device float* out [[buffer(1)]],
                   uint gid [[thread_position_in_grid]], uint tid [[thread_position_in_threadgroup]],
                   uint group [[threadgroup_position_in_grid]], uint size [[threads_per_threadgroup]]) {
    threadgroup float partial[128];
    partial[tid] = in[gid];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint stride = size / 2; stride > 0; stride /= 2) {
        if (tid < stride) partial[tid] += partial[tid + stride];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    if (tid == 0) out[group] = partial[0];
}
//--- host-sized threadgroup memory
// buffer 0: i32 = iota(64)
// threadgroup 0: 256
// dispatch: reverse grid=64 threadgroup=64
// expect 0: i32 = iota(64, 63, -1)
#include <metal_stdlib>
using namespace metal;
kernel void reverse(device int* p [[buffer(0)]], threadgroup int* shared [[threadgroup(0)]], uint i [[thread_position_in_threadgroup]], uint n [[threads_per_threadgroup]]) {
    shared[i] = p[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    p[i] = shared[n - 1 - i];
}
//--- atomics
// buffer 0: u32 = 0 0 100 0
// dispatch: count grid=100 threadgroup=32
// expect 0: u32 = 100 99 0 4950
#include <metal_stdlib>
using namespace metal;
kernel void count(device atomic_uint* p [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    atomic_fetch_add_explicit(&p[0], 1u, memory_order_relaxed);
    atomic_fetch_max_explicit(&p[1], i, memory_order_relaxed);
    atomic_fetch_min_explicit(&p[2], i, memory_order_relaxed);
    uint old = atomic_load_explicit(&p[3], memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&p[3], &old, old + i, memory_order_relaxed, memory_order_relaxed)) {}
}
//--- simdgroup sums and shuffles
// buffer 0: i32 = zeros(64)
// buffer 1: i32 = zeros(64)
// dispatch: s grid=64 threadgroup=64
// expect 0: i32 = fill(32, 496) fill(32, 1520)
// expect 1: i32 = expr(31, i + 1)
#include <metal_stdlib>
using namespace metal;
kernel void s(device int* sum [[buffer(0)]], device int* next [[buffer(1)]], uint i [[thread_position_in_grid]], uint lane [[thread_index_in_simdgroup]]) {
    sum[i] = simd_sum(int(i));
    next[i] = simd_shuffle_down(int(i), 1);
}
//--- positions
// buffer 0: u32 = zeros(24)
// dispatch: where grid=6,4 threadgroup=3,2
// expect 0: u32 = 0 1 2 100 101 102  3 4 5 103 104 105  200 201 202 300 301 302  203 204 205 303 304 305
#include <metal_stdlib>
using namespace metal;
kernel void where(device uint* out [[buffer(0)]], uint2 gid [[thread_position_in_grid]], uint2 size [[threads_per_grid]],
                  ushort2 group [[threadgroup_position_in_grid]], ushort2 groups [[threadgroups_per_grid]],
                  uint index [[thread_index_in_threadgroup]]) {
    out[gid.y * size.x + gid.x] = (group.y * groups.x + group.x) * 100 + index;
}
//--- attributes in the type of a cast
// buffer 0: f32 = iota(16)
// dispatch: through grid=4 threadgroup=4
// expect 0: f32 = 12 13 14 15  8 9 10 11  4 5 6 7  0 1 2 3
#include <metal_stdlib>
using namespace metal;
kernel void through(device float* p [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup __attribute__((aligned(16))) float shared[16];
    *((threadgroup __attribute__((aligned(16))) float4*)((shared + 4 * i))) = *((device float4*)(p + 4 * i));
    threadgroup_barrier(mem_flags::mem_threadgroup);
    float4 v = (*((threadgroup alignas(16) float4 *)(shared + 4 * (3 - i))));
    *((device float4* __attribute__((unused)))(p + 4 * i)) = v;
}
//--- stores for all threads between an `if` of some threads and a loop with barriers
// The `if` waits for the loop over the threads; what is stored meanwhile for all of them at once must not be forgotten.
// The second threadgroup would see the sums of the first.
// buffer 0: i32 = zeros(128)
// buffer 1: i32 = 3
// dispatch: put_off grid=128 threadgroup=64
// expect 0: i32 = expr(64, (63 - i) * 6) expr(64, (63 - i) * 6)
#include <metal_stdlib>
using namespace metal;
kernel void put_off(device int* out [[buffer(0)]], constant int& n [[buffer(1)]],
                    uint i [[thread_position_in_threadgroup]], uint at [[thread_position_in_grid]]) {
    threadgroup int s[64];
    if (i % 3 != 1) {
        s[i] = int(i);
    } else {
        s[i] = 0;
        for (uint k = 0; k < i; k++) s[i] += 1;
    }
    int sum = 0;
    for (int k = 1; k <= n; k++) {
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum += s[63 - i] * k;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    out[at] = sum;
}
//--- a pointer for all threads that goes over to another buffer in a loop with barriers
// buffer 0: f32 = iota(64)
// buffer 1: f32 = expr(40, 100 * i)
// buffer 2: f32 = zeros(64)
// buffer 3: i32 = 50
// dispatch: goes_over grid=64 threadgroup=64
// expect 2: f32 = expr(64, (63 - i) % 32 + 100 * ((63 - i) % 32 + 1))
#include <metal_stdlib>
using namespace metal;
kernel void goes_over(device const char* a [[buffer(0)]], device const char* b [[buffer(1)]], device float* out [[buffer(2)]],
                      constant int& n [[buffer(3)]], uint i [[thread_position_in_threadgroup]],
                      uint simdgroup [[simdgroup_index_in_threadgroup]]) {
    threadgroup float s[64];
    threadgroup half m[256];
    float sum = 0;
    for (int k = 0;; k++) {
        int c = k * 32;
        if (c >= n) break;
        if (c + 32 > n) {
            a = b + 4;
            for (int j = i % 32; j < 64; j += 32) {
                if (c + j >= n) m[j + 64 * simdgroup] = -1;
            }
            c = 0;
        }
        s[i] = ((device const float*)(a + c * 4))[i % 32];
        threadgroup_barrier(mem_flags::mem_threadgroup);
        sum += s[63 - i];
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    out[i] = sum;
}
//--- pointers into threadgroup memory that change places
// buffer 0: u32 = iota(256)
// buffer 1: u32 = zeros(256)
// dispatch: swap grid=256 threadgroup=256
// expect 1: u32 = expr(249, i + 14) expr(7, i + 7)
#include <metal_stdlib>
using namespace metal;
kernel void swap(device const uint* in [[buffer(0)]], device uint* out [[buffer(1)]], uint l [[thread_position_in_threadgroup]]) {
    threadgroup uint a[256];
    threadgroup uint b[256];
    threadgroup uint* from = a;
    threadgroup uint* to = b;
    a[l] = in[l];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    for (uint s = 1; s < 8; s <<= 1) {
        for (uint t = l; t < 256; t += 256) to[t] = from[(l + s) & 255] + s;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        threadgroup uint* other = from;
        from = to;
        to = other;
    }
    out[l] = from[l];
}
//--- a variable of all threads that changes after some have left
// buffer 0: u32 = iota(256)
// buffer 1: u32 = zeros(256)
// dispatch: k grid=256 threadgroup=256
// expect 1: u32 = expr(100, i * 8 + 100) expr(156, (i + 100) * 8)
#include <metal_stdlib>
using namespace metal;
kernel void k(device const uint* in [[buffer(0)]], device uint* out [[buffer(1)]], uint l [[thread_position_in_threadgroup]]) {
    threadgroup uint a[256];
    uint all = 1;
    uint own = in[l];
    for (uint i = 0; i < 3; i++) {
        if (l < 100) own += 100;
        all = all * 2;
        a[l] = own;
        threadgroup_barrier(mem_flags::mem_threadgroup);
        if (l < 100) own = a[l] - 100;
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    out[l] = own * all + (l < 100 ? 100 : 0);
}

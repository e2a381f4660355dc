// Atomic functions (MSL specification, section 6.15).
//--- every operation on device memory
// buffer 0: i32 = 10 10 10 -10 -10 12 12 12 5 7
// buffer 1: i32 = zeros(16)
// dispatch: operations grid=1
// expect 0: i32 = 13 7 3 -10 4 8 14 6 6 8
// expect 1: i32 = 10 10 10 -10 -10 12 12 12 5 6 1 0 8 7 8 0
#include <metal_stdlib>
using namespace metal;
kernel void operations(device atomic_int* p [[buffer(0)]], device int* out [[buffer(1)]]) {
    out[0] = atomic_fetch_add_explicit(&p[0], 3, memory_order_relaxed);
    out[1] = atomic_fetch_sub_explicit(&p[1], 3, memory_order_relaxed);
    out[2] = atomic_fetch_min_explicit(&p[2], 3, memory_order_relaxed);
    out[3] = atomic_fetch_min_explicit(&p[3], 4, memory_order_relaxed);
    out[4] = atomic_fetch_max_explicit(&p[4], 4, memory_order_relaxed);
    out[5] = atomic_fetch_and_explicit(&p[5], 10, memory_order_relaxed);
    out[6] = atomic_fetch_or_explicit(&p[6], 10, memory_order_relaxed);
    out[7] = atomic_fetch_xor_explicit(&p[7], 10, memory_order_relaxed);
    out[8] = atomic_exchange_explicit(&p[8], 6, memory_order_relaxed);
    out[9] = atomic_load_explicit(&p[8], memory_order_relaxed);
    int expected = 7;
    out[10] = atomic_compare_exchange_weak_explicit(&p[9], &expected, 8, memory_order_relaxed, memory_order_relaxed);
    out[11] = atomic_compare_exchange_weak_explicit(&p[9], &expected, 9, memory_order_relaxed, memory_order_relaxed);
    out[12] = expected;
    device atomic_int* q = p + 1;
    out[13] = atomic_load_explicit(q, memory_order_relaxed);
    atomic_store_explicit(&p[9], 8, memory_order_relaxed);
    out[14] = atomic_load_explicit(&p[9], memory_order_relaxed);
}
//--- many threads
// buffer 0: u32 = 0 0xffffffff 0 0 0 0xffffffff
// buffer 1: f32 = 0
// dispatch: many grid=1000 threadgroup=64
// expect 0: u32 = 1000 0 999 499500 1023 0xfffffc00
// expect 1: f32 = 500
#include <metal_stdlib>
using namespace metal;
kernel void many(device atomic_uint* p [[buffer(0)]], device atomic_float* f [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    atomic_fetch_add_explicit(p, 1, memory_order_relaxed);
    atomic_fetch_min_explicit(p + 1, i, memory_order_relaxed);
    atomic_fetch_max_explicit(p + 2, i, memory_order_relaxed);
    if (i % 2 == 0) atomic_fetch_add_explicit(p + 3, i, memory_order_relaxed);
    else atomic_fetch_add_explicit(p + 3, i, memory_order_relaxed);
    atomic_fetch_or_explicit(p + 4, i, memory_order_relaxed);
    atomic_fetch_and_explicit(p + 5, ~i, memory_order_relaxed);
    atomic_fetch_add_explicit(f, 0.5f, memory_order_relaxed);
}
//--- threadgroup memory
// buffer 0: u32 = zeros(12)
// dispatch: histogram grid=96 threadgroup=32
// expect 0: u32 = 8 8 8 8  8 8 8 8  8 8 8 8
#include <metal_stdlib>
using namespace metal;
kernel void histogram(device uint* out [[buffer(0)]], uint i [[thread_position_in_grid]], uint t [[thread_position_in_threadgroup]],
                      uint g [[threadgroup_position_in_grid]]) {
    threadgroup atomic_uint bins[4];
    if (t < 4) atomic_store_explicit(&bins[t], 0, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    atomic_fetch_add_explicit(&bins[i % 4], 1, memory_order_relaxed);
    threadgroup_barrier(mem_flags::mem_threadgroup);
    if (t < 4) out[g * 4 + t] = atomic_load_explicit(&bins[t], memory_order_relaxed);
}
//--- in structures and of other types
// buffer 0: u32 = 1 2 3 0
// buffer 1: u64 = 5 18446744073709551615
// buffer 2: bool = 0 1
// buffer 3: i32 = zeros(4)
// dispatch: others grid=1
// expect 0: u32 = 1 12 3 0
// expect 1: u64 = 9 7
// expect 2: bool = 1 1
// expect 3: i32 = 0 1 0 0
#include <metal_stdlib>
using namespace metal;
struct Queue { uint head; atomic_uint tail; uint size; };
static uint bump(device Queue& q, uint n) { return atomic_fetch_add_explicit(&q.tail, n, memory_order_relaxed); }
kernel void others(device Queue& q [[buffer(0)]], device atomic_ulong* wide [[buffer(1)]], device atomic_bool* flags [[buffer(2)]],
                   device int* out [[buffer(3)]]) {
    bump(q, 10);
    atomic_max_explicit(wide, 9ul, memory_order_relaxed);
    atomic_min_explicit(wide + 1, 7ul, memory_order_relaxed);
    out[0] = atomic_exchange_explicit(flags, true, memory_order_relaxed);
    out[1] = atomic_load_explicit(&flags[1], memory_order_relaxed);
    atomic_thread_fence(mem_flags::mem_device, memory_order_relaxed);
}

// 6.15 Atomic Functions
#include <metal_stdlib>
using namespace metal;
//--- 6.15.1 orders: `memory_order_relaxed`, and those of Metal 3.2 and 4
// gives: i32 = 1 2
kernel void f(device atomic_int* o) { atomic_store_explicit(o, 1, memory_order_relaxed); atomic_thread_fence(mem_flags::mem_device, memory_order_release, thread_scope_device); atomic_store_explicit(o + 1, 2, memory_order_relaxed); }
//--- 6.15.3 `atomic_thread_fence` with scopes
// gives: i32 = 1
kernel void f(device int* o) { atomic_thread_fence(mem_flags::mem_device, memory_order_acq_rel, thread_scope_threadgroup); atomic_thread_fence(mem_flags::mem_threadgroup, memory_order_seq_cst); o[0] = 1; }
//--- 6.15.4 load, store, exchange, compare and exchange, add, sub, min, max, and, or, xor
// see: tests/run/std_atomic.metal (every operation on device memory)
//--- many threads
// see: tests/run/std_atomic.metal (many threads)
//--- in threadgroup memory
// see: tests/run/std_atomic.metal (threadgroup memory)
//--- `atomic_bool`, `atomic_float`, in structures
// see: tests/run/std_atomic.metal (in structures and of other types)
//--- `atomic_float`: add, sub, exchange, of many threads
// gives 64: f32 = 64
kernel void f(device atomic_float* o) { atomic_fetch_add_explicit(o, 2.0f, memory_order_relaxed); atomic_fetch_sub_explicit(o, 1.0f, memory_order_relaxed); }
//--- `atomic_ulong`: `atomic_min_explicit`, `atomic_max_explicit`
// gives 64: u64 = 163 0
kernel void f(device atomic_ulong* o, uint i [[thread_position_in_grid]]) { atomic_max_explicit(o, ulong(i) + 100ul, memory_order_relaxed); atomic_min_explicit(o + 1, ulong(i), memory_order_relaxed); }
//--- adding to `atomic_bool`
// error: no-matching-function
kernel void f(device atomic_bool* o) { atomic_fetch_add_explicit(o, true, memory_order_relaxed); }
//--- an atomic function of what is not atomic
// error: no-matching-function
kernel void f(device int* o) { atomic_fetch_add_explicit(o, 1, memory_order_relaxed); }
//--- values are compared bit by bit: NaN is equal to itself, zeros of different signs are not equal
// buffer 0: u32 = 2143289344 0
// buffer 1: u32 = zeros(3)
// dispatch: f grid=1
// expect 0: u32 = 1065353216 0
// expect 1: u32 = 1 0 0
kernel void f(device atomic_float* a [[buffer(0)]], device uint* o [[buffer(1)]]) {
  float e = NAN;
  o[0] = atomic_compare_exchange_weak_explicit(a, &e, 1.0f, memory_order_relaxed, memory_order_relaxed);
  e = -0.0f;
  o[1] = atomic_compare_exchange_weak_explicit(a + 1, &e, 1.0f, memory_order_relaxed, memory_order_relaxed);
  o[2] = as_type<uint>(e);
}

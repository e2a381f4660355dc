// 6.7 SIMD-group Matrix Functions
#include <metal_stdlib>
using namespace metal;
//--- 6.7.1 `simdgroup_load`, `simdgroup_store` with strides, origins, transposed
// see: tests/run/std_simdgroup_matrix.metal (load and store with strides, origins, transposed)
//--- `make_filled_simdgroup_matrix`, diagonal constructors
// see: tests/run/std_simdgroup_matrix.metal (of half, filled and edited)
//--- 6.7.2 `simdgroup_multiply`, `simdgroup_multiply_accumulate`, `*`
// see: tests/run/std_simdgroup_matrix.metal (products)
//--- a tiled product
// see: tests/run/std_simdgroup_matrix.metal (a tiled product of 16 by 16)
//--- `bfloat` with accumulation in `float`
// gives 32: f32 = fill(64, 16)
kernel void f(device float* o) {
    simdgroup_bfloat8x8 a = make_filled_simdgroup_matrix<bfloat, 8, 8>(1.0bf), b = make_filled_simdgroup_matrix<bfloat, 8>(2.0bf);
    simdgroup_float8x8 c = make_filled_simdgroup_matrix<float, 8, 8>(0.0f);
    simdgroup_multiply_accumulate(c, a, b, c);
    simdgroup_store(c, o, 8);
}
//--- `simdgroup_async_copy` and events, as published code declares them
// gives 32: f32 = expr(32, i)
struct _simdgroup_event_t;
thread _simdgroup_event_t* __metal_simdgroup_async_copy_1d(ulong, ulong, threadgroup void*, const device void*, ulong) __asm("air.simdgroup_async_copy_1d.p3i8.p1i8");
thread _simdgroup_event_t* __metal_simdgroup_async_copy_1d(ulong, ulong, device void*, const threadgroup void*, ulong) __asm("air.simdgroup_async_copy_1d.p1i8.p3i8");
void __metal_wait_simdgroup_events(int, thread _simdgroup_event_t**) __asm("air.wait_simdgroup_events");
kernel void f(device float* o [[buffer(0)]], uint i [[thread_index_in_threadgroup]]) {
    threadgroup float t[32];
    t[i] = i;
    simdgroup_barrier(mem_flags::mem_threadgroup);
    thread _simdgroup_event_t* e = __metal_simdgroup_async_copy_1d(sizeof(float), alignof(float), (device void*)o, (const threadgroup void*)t, 32);
    __metal_wait_simdgroup_events(1, &e);
}
//--- copies of tiles, edges filled with zeros
// buffer 0: f32 = iota(24)
// buffer 1: f32 = zeros(16)
// dispatch: f grid=32 threadgroup=32
// expect 1: f32 = 7 8 9 0 13 14 15 0 19 20 21 0 0 0 0 0
struct _simdgroup_event_t;
thread _simdgroup_event_t* __metal_simdgroup_async_copy_2d(ulong, ulong, threadgroup void*, ulong, ulong, ulong2, const device void*, ulong, ulong, ulong2, long2, int) __asm("air.simdgroup_async_copy_2d.p3i8.p1i8");
void __metal_wait_simdgroup_events(int, thread _simdgroup_event_t**) __asm("air.wait_simdgroup_events");
kernel void f(const device float* a [[buffer(0)]], device float* o [[buffer(1)]], uint i [[thread_index_in_threadgroup]]) {
    threadgroup float t[16];
    thread _simdgroup_event_t* e = __metal_simdgroup_async_copy_2d(4, 4, (threadgroup void*)t, 4, 1, ulong2(4, 4), (const device void*)(a + 7), 6, 1, ulong2(3, 3), long2(0), 0);
    __metal_wait_simdgroup_events(1, &e);
    if (i < 16) o[i] = t[i];
}

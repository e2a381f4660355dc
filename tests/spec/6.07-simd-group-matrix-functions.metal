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
// known failure: being worked on
// gives 32: f32 = expr(32, i)
struct _simdgroup_event_t;
thread _simdgroup_event_t* __metal_simdgroup_async_copy_2d(ulong, ulong, threadgroup void*, ulong, ulong, ulong2, const device void*, ulong, ulong, ulong2, long2, int) __asm("air.simdgroup_async_copy_2d.p3i8.p1i8");
void __metal_wait_simdgroup_events(int, thread _simdgroup_event_t**) __asm("air.wait_simdgroup_events");
kernel void f(device float* o [[buffer(0)]], uint i [[thread_index_in_threadgroup]]) {
    threadgroup float t[32];
    o[i] = i;
    simdgroup_barrier(mem_flags::mem_device);
    thread _simdgroup_event_t* e = __metal_simdgroup_async_copy_2d(4, 4, (threadgroup void*)t, 8, 1, ulong2(8, 4), (const device void*)o, 8, 1, ulong2(8, 4), long2(0), 0);
    __metal_wait_simdgroup_events(1, &e);
    o[i] = t[i];
}

// 2.4 SIMD-group Matrix Data Types
#include <metal_stdlib>
using namespace metal;
//--- `simdgroup_float8x8`, `simdgroup_half8x8`, `simdgroup_bfloat8x8`, `simdgroup_matrix<T, 8, 8>`
// gives 32: i32 = 1 1 1
kernel void f(device int* o) { o[0] = is_same_v<simdgroup_float8x8, simdgroup_matrix<float, 8, 8>>; o[1] = is_same_v<simdgroup_half8x8, simdgroup_matrix<half, 8, 8>>; o[2] = is_same_v<simdgroup_bfloat8x8, simdgroup_matrix<bfloat, 8, 8>>; }
//--- which elements a thread holds
// see: tests/run/std_simdgroup_matrix.metal (which elements a thread holds)
//--- other sizes and types are none
// error: static-assert
kernel void f(device float* o) { simdgroup_matrix<float, 4, 4> m; o[0] = m.thread_elements()[0]; }
//--- integers are none
// error: static-assert
kernel void f(device int* o) { simdgroup_matrix<int, 8, 8> m; o[0] = m.thread_elements()[0]; }

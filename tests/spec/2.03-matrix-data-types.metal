// 2.3 Matrix Data Types
#include <metal_stdlib>
using namespace metal;
//--- names, `matrix<T, C, R>`, sizes
// gives: i32 = 64 48 32 8 16 1
kernel void f(device int* o) { o[0] = sizeof(float4x4); o[1] = sizeof(float3x3); o[2] = sizeof(half4x3); o[3] = sizeof(half2x2); o[4] = sizeof(float2x2); o[5] = is_same_v<float3x4, matrix<float, 3, 4>>; }
//--- 2.3.1 columns and elements
// see: tests/run/std_matrix.metal (construction, columns and elements)
//--- 2.3.2 constructors: diagonal, columns, elements, of another matrix
// gives: f32 = 2 0 1 2 3 4 5 6
kernel void f(device float* o) {
    float2x2 d(2.0f); o[0] = d[1][1]; o[1] = d[0][1];
    float2x2 e(1, 2, 3, 4); o[2] = e[0][0]; o[3] = e[0][1]; o[4] = e[1][0];
    float2x2 c(float2(1, 2), float2(3, 4)); o[5] = c[1].y;
    half2x2 h(half2(5, 6), half2(7, 8)); float2x2 x(h); o[6] = x[0][0]; o[7] = x[0][1];
}
//--- lists in braces, of columns and of elements
// gives: f32 = 3 4 3
kernel void f(device float* o) { float2x2 a = {float2(1, 2), float2(3, 4)}; float2x2 b = {1, 2, 3, 4}; o[0] = a[1][0]; o[1] = b[1][1]; float2x2 c = {{1, 2}, {3, 4}}; o[2] = c[1].x; }
//--- `bfloat` matrices
// gives: i32 = 8 1
kernel void f(device int* o) { o[0] = sizeof(bfloat2x2); o[1] = is_same_v<bfloat4x4, matrix<bfloat, 4, 4>>; }
//--- integer matrices are none
// error: unknown-identifier
kernel void f(device int* o) { int2x2 m; o[0] = 1; }
//--- columns of another length
// error: no-matching-function
kernel void f(device float* o) { float2x2 m(float3(1), float3(2)); o[0] = m[0][0]; }

// 6.6 Matrix Functions
#include <metal_stdlib>
using namespace metal;
//--- `determinant`
// see: tests/run/std_matrix.metal (determinants and products of larger matrices)
//--- `transpose`
// gives: f32 = 1 3 5 2 4 6
kernel void f(device float* o) { float3x2 m(float2(1, 2), float2(3, 4), float2(5, 6)); float2x3 t = transpose(m); for (int c = 0; c < 2; c++) for (int r = 0; r < 3; r++) o[c * 3 + r] = t[c][r]; }
//--- the determinant of a matrix that is not square
// error: no-matching-function
kernel void f(device float* o) { float3x2 m(1.0f); o[0] = determinant(m); }

// 3.2 Matrix Operators
#include <metal_stdlib>
using namespace metal;
//--- sums, differences, negation, scalars on either side, products
// see: tests/run/std_matrix.metal (arithmetic)
//--- products of any sizes that fit
// gives: f32 = 14 32 5 7 9
kernel void f(device float* o) { float3x2 m(float2(1, 4), float2(2, 5), float2(3, 6)); float2 r = m * float3(1, 2, 3); o[0] = r.x; o[1] = r.y; float3 l = float2(1, 1) * m; o[2] = l.x; o[3] = l.y; o[4] = l.z; }
//--- sizes that do not fit
// error: invalid-operands
kernel void f(device float* o) { float2x2 a(1); float3x3 b(1); o[0] = (a * b)[0][0]; }
//--- division of a matrix
// error: invalid-operands
kernel void f(device float* o) { float2x2 a(1); o[0] = (a / a)[0][0]; }
//--- compound assignment and comparison
// gives: f32 = 2 3 9 1
kernel void f(device float* o) { float2x2 a(1); a += a; o[0] = a[0][0]; a -= float2x2(-1.0f); o[1] = a[0][0]; a *= a; o[2] = a[0][0]; o[3] = a == float2x2(9); }

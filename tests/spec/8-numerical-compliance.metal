// 8 Numerical Compliance
#include <metal_stdlib>
using namespace metal;
//--- 8.1 infinity and NaN
// options: math=safe
// gives: i32 = 1 1 1 1
kernel void f(device int* o) { float z = o[0]; o[0] = isinf(1.0f / z); o[1] = isnan(z / z); o[2] = isnan(sqrt(-1.0f)); o[3] = isinf(exp(1000.0f)); }
//--- 8.2 to nearest even
// options: math=safe
// gives: f32 = 16777216 16777220 0.1
kernel void f(device float* o) { float a = 16777216.0f; o[0] = a + 1; o[1] = a + 3; o[2] = 0.1; }
//--- 8.6 conversions: float to integer is towards zero, integer to float to nearest
// gives: f32 = 3 -3 16777216 16777220
kernel void f(device float* o) { o[0] = int(3.9f); o[1] = int(-3.9f); int a = 16777217; o[2] = a; a += 2; o[3] = a; }
//--- conversions to `half` round to nearest even and keep infinity
// gives: f16 = 2048 2050 inf 5.9604644775390625e-08
kernel void f(device half* o) { o[0] = half(2049.0f); o[1] = half(2051.0f) - 2; o[2] = half(1e10f); o[3] = half(0x1p-24f); }
//--- 8.7 conversions of normalized pixels
// see: tests/run/std_texture_formats.metal (float and normalized formats are read and written)
//--- edge values of normalized, packed and extended-range formats
// see: tests/run/std_texture_edges.metal (edge values of float and normalized formats: NaN, infinities, what is out of range, rounding)
//--- formats of an extended range: `BGR10_XR`, `BGRA10_XR`, with and without sRGB
// see: tests/run/std_texture_edges.metal (formats of an extended range are read; beyond them is zero)
//--- formats of depth and stencil
// see: tests/run/std_texture_edges.metal (depth and stencil are read, sampled and compared)

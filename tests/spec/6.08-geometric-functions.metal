// 6.8 Geometric Functions
#include <metal_stdlib>
using namespace metal;
//--- `cross`, `distance`, `dot`, `faceforward`, `length`, `normalize`, `reflect`, `refract`, squares
// see: tests/run/std_common.metal (geometric functions)
//--- of `half` and `bfloat`
// gives: f32 = 5 11 3
kernel void f(device float* o) { o[0] = length(half2(3, 4)); o[1] = float(dot(bfloat2(1, 2), bfloat2(3, 4))); o[2] = distance(half3(0), half3(1, 2, 2)); }
//--- `cross` of vectors of two
// error: no-matching-function
kernel void f(device float* o) { o[0] = cross(float2(1), float2(2)).x; }
//--- `dot` of integers
// gives: i32 = 11
kernel void f(device int* o) { o[0] = dot(int2(1, 2), int2(3, 4)); }
//--- `fast::` and `precise::` forms
// gives: f32 ~ 1e-4 = 5 1
kernel void f(device float* o) { o[0] = fast::length(float2(3, 4)); o[1] = precise::length(precise::normalize(float3(1, 2, 3))); }

// 5.4 Sampling and Interpolation Attributes to 5.7 Signature Matching
#include <metal_stdlib>
using namespace metal;
//--- structures with attributes of graphics, in memory that kernels use
// gives: i32 = 16
struct V { float4 position [[position]]; };
struct W { float a [[flat]]; float b [[center_no_perspective]]; half4 c [[color(0)]]; float d [[user(x)]]; };
kernel void f(device int* o) { o[0] = sizeof(V); }

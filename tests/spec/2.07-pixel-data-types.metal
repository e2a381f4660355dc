// 2.7 Pixel Data Types
#include <metal_stdlib>
using namespace metal;
//--- `r8unorm<T>`, `rgba8unorm<T>`, …
// graphics-only: unsupported-graphics
kernel void f(device half4* o) { rgba8unorm<half4> x; o[0] = half4(x); }

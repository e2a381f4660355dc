// 6.18 Ray-Tracing Functions
#include <metal_stdlib>
using namespace metal;
//--- `intersector<…>::intersect`
// error: unsupported-ray-tracing
using namespace metal::raytracing;
kernel void f(device int* o) { intersector<triangle_data> i; o[0] = 1; }

// 2.17 Ray-Tracing Types
#include <metal_stdlib>
using namespace metal;
//--- `raytracing::ray`, `intersector`, `intersection_query`
// error: unsupported-ray-tracing
kernel void f(device int* o) { raytracing::ray r; o[0] = 1; }
//--- `acceleration_structure` as an argument
// error: unsupported-ray-tracing
kernel void f(device int* o, raytracing::primitive_acceleration_structure s [[buffer(1)]]) { o[0] = 1; }
//--- `intersection_function_table`
// error: unsupported-ray-tracing
kernel void f(device int* o, raytracing::intersection_function_table<> t [[buffer(1)]]) { o[0] = 1; }

struct S { int x = 3; float4 y[100]; };
#include <metal_stdlib>
using namespace metal;
kernel void f(device int* p [[buffer(0)]], uint i [[thread_position_in_grid]]) { S a[100000] = {}; p[0]=a[i].x; }

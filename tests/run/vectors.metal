// Vectors: construction, swizzles, components, operators.
//--- swizzles
// buffer 0: f32 = 1 2 3 4
// buffer 1: f32 = zeros(16)
// dispatch: f grid=1
// expect 1: f32 = 4 3 2 1  1 1 9 8  3 5 3 4  2 4 6 8
#include <metal_stdlib>
using namespace metal;
kernel void f(device const float4* in [[buffer(0)]], device float4* out [[buffer(1)]]) {
    float4 v = in[0];
    out[0] = v.wzyx;
    float4 w = v.xxxx;
    w.zw = float2(9, 8);
    out[1] = w;
    w = v;
    w.x = v.z;
    w.g = 5;
    out[2] = w;
    out[3] = v * 2;
}
//--- stores to components of device memory
// buffer 0: f32 = 1 2 3 4  5 6 7 8
// dispatch: g grid=4 threadgroup=4
// expect 0: f32 = 1 2 3 4  50 60 70 80
kernel void g(device float4* p [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {
    p[1][i] *= 10;
}
//--- swizzled assignment swaps
// buffer 0: i32 = 1 2 3 4
// dispatch: h grid=1
// expect 0: i32 = 2 1 3 7
kernel void h(device int4* p [[buffer(0)]]) {
    p->xy = p->yx;
    p->w += p->z;
}
//--- comparison and select
// buffer 0: f32 = 1 5 3 7
// buffer 1: f32 = 4 4 4 4
// buffer 2: f32 = zeros(5)
// dispatch: k grid=1
// expect 2: f32 = 4 5 4 7 1
#include <metal_stdlib>
using namespace metal;
kernel void k(device const float4* a [[buffer(0)]], device const float4* b [[buffer(1)]], device float* out [[buffer(2)]]) {
    bool4 less = a[0] < b[0];
    float4 r = select(a[0], b[0], less);
    for (int i = 0; i < 4; i++) out[i] = r[i];
    out[4] = any(less) && !all(less);
}
//--- packed vectors and three components
// buffer 0: f32 = 1 2 3 4 5 6
// buffer 1: f32 = zeros(8)
// dispatch: m grid=2 threadgroup=2
// expect 1: f32 = 2 4 6 0 8 10 12 0
#include <metal_stdlib>
using namespace metal;
kernel void m(device const packed_float3* in [[buffer(0)]], device float3* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float3 v = in[i];
    out[i] = v + float3(in[i]);
}
//--- constructors
// buffer 0: f32 = zeros(8)
// dispatch: n grid=1
// expect 0: f32 = 1 2 3 4 7 7 7 9
#include <metal_stdlib>
using namespace metal;
kernel void n(device float4* out [[buffer(0)]]) {
    float2 a(1, 2);
    out[0] = float4(a, 3, 4);
    out[1] = float4(float3(7), 9);
}

// 2.8 Buffers
#include <metal_stdlib>
using namespace metal;
//--- pointers and references to device memory
// buffer 0: f32 = 3 4
// buffer 1: f32 = zeros(3)
// dispatch: f grid=1
// expect 1: f32 = 3 4 3
kernel void f(device const float* a [[buffer(0)]], device float* o [[buffer(1)]]) { device const float& first = a[0]; o[0] = first; o[1] = a[1]; o[2] = *a; }
//--- constant memory: scalars, structures, arrays, without an attribute
// buffer 0: f32 = 2 3 4
// buffer 1: u32 = 5
// buffer 2: f32 = zeros(3)
// dispatch: f grid=1
// expect 2: f32 = 2 4 5
struct P { float a; packed_float2 b; };
kernel void f(constant P& p, constant uint& n, device float* o) { o[0] = p.a; o[1] = p.b.y; o[2] = n; }
//--- references to arrays
// buffer 0: f32 = 1 2 3 4
// buffer 1: f32 = zeros(2)
// dispatch: f grid=1
// expect 1: f32 = 4 10
kernel void f(constant array<float, 4>& a [[buffer(0)]], device float* o [[buffer(1)]]) { o[0] = a[3]; o[1] = a[0] + a[1] + a[2] + a[3]; }
//--- device memory of a class with member functions
// buffer 0: i32 = 3 4
// dispatch: f grid=1
// expect 0: i32 = 5 4
struct S { int v; void add(int n) device { v += n; } };
kernel void f(device S* s [[buffer(0)]]) { s[0].add(2); }
//--- a buffer argument by value
// error: missing-attribute
kernel void f(device int* o [[buffer(0)]], int n [[buffer(1)]]) { o[0] = n; }
//--- pointers to pointers as arguments
// error: invalid-kernel-parameter
kernel void f(device int* device* o [[buffer(0)]]) { o[0][0] = 1; }

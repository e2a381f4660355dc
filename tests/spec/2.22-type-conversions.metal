// 2.22 Type Conversions and Re-interpreting Data
#include <metal_stdlib>
using namespace metal;
//--- `static_cast` and constructors between scalars and between vectors
// gives: i32 = 3 -3 1 2 255
kernel void f(device int* o) { o[0] = static_cast<int>(3.7f); o[1] = int(-3.7f); int2 v = int2(float2(1.5f, 2.5f)); o[2] = v.x; o[3] = v.y; o[4] = static_cast<uchar>(-1); }
//--- `as_type` between types of one size
// see: tests/run/std_pack.metal (as_type between types of one size)
//--- `as_type` between types of different sizes
// error: size-mismatch
kernel void f(device int* o) { o[0] = as_type<int>(1.0h); }
//--- 2.23 implicit conversions of scalars; a scalar to a vector
// gives: f32 = 1 2 65 3
kernel void f(device float* o) { bool b = true; o[0] = b; half h = 2; o[1] = h; o[2] = 'A'; float4 v = 3; o[3] = v.w; }
//--- vectors do not convert by themselves
// error: no-conversion
kernel void f(device float* o) { int4 i(1); float4 v = i; o[0] = v.x; }
//--- pointers of one address space do not convert to another
// error: no-conversion
kernel void f(device float* o) { thread float* p = o; o[0] = *p; }
//--- floats beyond the range of integers
// gives: i32 = 0 2147483647 -2147483648 255
kernel void f(device int* o) { float n = as_type<float>(0x7fc00000); o[0] = int(n); o[1] = int(1e20f); o[2] = int(-1e20f); o[3] = uchar(255.9f); }

// 2.2 Vector Data Types
#include <metal_stdlib>
using namespace metal;
//--- names, `vec<T, n>`, sizes and alignments
// see: tests/run/std_types.metal (vector types of every element)
//--- 2.2.1 components by `xyzw` and `rgba`, in any order and number
// gives: f32 = 2 4 3 2 1 1 1 4 1 1 2
kernel void f(device float* o) {
    float4 v(1, 2, 3, 4);
    o[0] = v.y; o[1] = v.a;
    float3 w = v.zyx; o[2] = w.x; o[3] = w.g; o[4] = w.b;
    float2 d = v.xx; o[5] = d.x; o[6] = d.y;
    float4 r = v.wxxy; o[7] = r.x; o[8] = r.y; o[9] = r.z; o[10] = r.w;
}
//--- components are assigned to, several at once
// gives: f32 = 4 3 2 1 9 5 6 7
kernel void f(device float* o) {
    float4 v(1, 2, 3, 4);
    v.xyzw = v.wzyx;
    for (int i = 0; i < 4; i++) o[i] = v[i];
    v.x = 9; v.yzw = float3(5, 6, 7);
    for (int i = 0; i < 4; i++) o[4 + i] = v[i];
}
//--- components by index
// gives: f32 = 3 7
kernel void f(device float* o) { float4 v(1, 2, 3, 4); int i = 2; o[0] = v[i]; v[i] += 4; o[1] = v.z; }
//--- a component that the vector lacks
// error: unknown-component
kernel void f(device float* o) { float2 v(1, 2); o[0] = v.z; }
//--- `xyzw` mixed with `rgba`
// error: unknown-component
kernel void f(device float* o) { float4 v(1); o[0] = v.xg.x; }
//--- a component assigned twice
// error: not-assignable
kernel void f(device float* o) { float4 v(1); v.xx = float2(1, 2); o[0] = v.x; }
//--- the address of components
// error: address-of-swizzle
kernel void f(device float* o) { float4 v(1); thread float2* p = &v.xy; o[0] = (*p).x; }
//--- the address of one component
// gives: f32 = 5
static void set(thread float& x) { x = 5; }
kernel void f(device float* o) { float4 v(1); set(v.y); o[0] = v.y; }
//--- 2.2.2 constructors: of scalars, of vectors, of one scalar, conversions
// gives: f32 = 1 2 3 4 7 7 1 2 5
kernel void f(device float* o) {
    float4 v(float2(1, 2), 3, 4); for (int i = 0; i < 4; i++) o[i] = v[i];
    float3 s(7); o[4] = s.x; o[5] = s.z;
    float2 c = float2(int2(1, 2)); o[6] = c.x; o[7] = c.y;
    float4 e = {5}; o[8] = e.x + e.y;
}
//--- too few and too many components
// error: component-count
kernel void f(device float* o) { float3 v = float3(1, 2); o[0] = v.x; }
//--- a scalar becomes a vector by itself
// gives: f32 = 2 2 6
kernel void f(device float* o) { float3 v = 2; o[0] = v.x; o[1] = v.z; v *= 3; o[2] = v.y; }
//--- vectors of different types do not mix
// error: invalid-operands
kernel void f(device float* o) { float4 a(1); int4 b(1); o[0] = (a + b).x; }
//--- 2.2.3 packed vectors: sizes, alignment, arithmetic, components
// gives: f32 = 12 4 6 5 1 14
struct S { float a; packed_float3 v; };
kernel void f(device float* o) {
    packed_float3 p(1, 2, 3);
    float3 q = p * 2;
    o[0] = sizeof(packed_float3); o[1] = alignof(packed_float3); o[2] = q.z;
    p.x = 5; o[3] = p[0];
    S s; s.v = float3(1); o[4] = s.v.x; o[5] = dot(float3(p), float3(1, 3, 1));
}
//--- `packed_vec<T, n>` and packed vectors of every type
// gives: i32 = 3 6 6 8 2 12
kernel void f(device int* o) { o[0] = sizeof(packed_uchar3); o[1] = sizeof(packed_half3); o[2] = sizeof(packed_bfloat3); o[3] = sizeof(packed_float2); o[4] = sizeof(packed_char2); o[5] = sizeof(packed_vec<int, 3>); }
//--- `bool` vectors
// gives: i32 = 1 0 4 1
kernel void f(device int* o) { bool3 b(true, false, true); o[0] = any(b); o[1] = all(b); o[2] = sizeof(b); o[3] = !b.y; }
//--- vectors of `bfloat`
// gives: bf16 = 3 1.5
kernel void f(device bfloat* o) { bfloat4 v(1, 2, 3, 4); o[0] = v.z; o[1] = (v * bfloat(0.5bf)).z; }
//--- vectors of more than four components: `vec<T, 8>`
// gives: i32 = 8 3 32 10
template <typename T, int N> int length(thread vec<T, N>& v) { return N; }
kernel void f(device int* o) { vec<int, 8> v(3); o[0] = length(v); o[1] = v[7]; o[2] = sizeof(v); v[2] = 7; v = v + 3; o[3] = v[2]; }
//--- vectors by attributes of Clang: `ext_vector_type`, `vector_size`
// gives: f32 = 3 16 8 4 2 12
typedef float v4 __attribute__((ext_vector_type(4)));
typedef __attribute__((__ext_vector_type__(2))) float v2;
template <typename T, int N> using v = T __attribute__((ext_vector_type(N)));
typedef float b16 __attribute__((vector_size(16)));
kernel void f(device float* o) {
    v4 x = {1, 2, 3, 4};
    static_assert(is_same_v<v4, float4>);
    o[0] = x.z; o[1] = sizeof(v4); o[2] = sizeof(v2);
    float4 y = x;
    o[3] = y.w;
    v<half, 4> h = {1, 2};
    o[4] = h.y;
    b16 b = {3, 4};
    b *= 3;
    o[5] = b[1];
}
//--- a vector of what is no number
// error: invalid-vector
struct S {};
typedef S v4 __attribute__((ext_vector_type(4)));
kernel void f(device float* o) { v4 x; }

// Common, relational and geometric functions (MSL specification, sections 6.2, 6.3 and 6.8).
//--- common functions of every float type
// options: math=safe
// buffer 0: f32 = zeros(40)
// buffer 1: f32 = zeros(40)
// buffer 2: f32 = zeros(40)
// dispatch: common_float grid=1
// expect 0: f32 = 2.5 -2 3 0.5 1 0 -1 0.25 0.75 1 0 0.5 0.5 1 0 1 0 -2 7 -3 0 3 1 0.5 5 1.5 4 -4 2 0 0.75 0.25 -0.0 2
#define T float
#define NAME common_float
#include "tests/run/include/common_functions.h"
//--- common functions of half
// options: math=safe
// buffer 0: f16 = zeros(40)
// dispatch: common_half grid=1
// expect 0: f16 = 2.5 -2 3 0.5 1 0 -1 0.25 0.75 1 0 0.5 0.5 1 0 1 0 -2 7 -3 0 3 1 0.5 5 1.5 4 -4 2 0 0.75 0.25 -0.0 2
#define T half
#define NAME common_half
#include "tests/run/include/common_functions.h"
//--- common functions of bfloat
// options: math=safe
// buffer 0: bf16 = zeros(40)
// dispatch: common_bfloat grid=1
// expect 0: bf16 = 2.5 -2 3 0.5 1 0 -1 0.25 0.75 1 0 0.5 0.5 1 0 1 0 -2 7 -3 0 3 1 0.5 5 1.5 4 -4 2 0 0.75 0.25 -0.0 2
#define T bfloat
#define NAME common_bfloat
#include "tests/run/include/common_functions.h"
//--- NaN, infinity and signed zeros
// options: math=safe
// buffer 0: f32 = zeros(20)
// dispatch: special grid=1
// expect 0: f32 = 1 1 1 1 0 -0.0 0 nan 1 0 -3 -3 3 -0.0 2 -2 0 -1 1
#include <metal_stdlib>
using namespace metal;
kernel void special(device float* out [[buffer(0)]]) {
    float n = NAN;
    out[0] = min(n, 1.0f); out[1] = min(1.0f, n); out[2] = max(n, 1.0f); out[3] = fmax(1.0f, n);
    out[4] = sign(n); out[5] = sign(-0.0f); out[6] = saturate(n); out[7] = fract(n);
    out[8] = clamp(n, 1.0f, 2.0f); out[9] = step(INFINITY, 3.0f);
    out[10] = round(-2.5f); out[11] = round(-3.49f); out[12] = round(2.5f); out[13] = round(-0.4f);
    out[14] = rint(2.5f); out[15] = rint(-1.5f); out[16] = rint(0.5f); out[17] = floor(-0.5f);
    out[18] = fract(-1e-10f) < 1.0f;
}
//--- vectors with scalar arguments
// options: math=safe
// buffer 0: f32 = zeros(36)
// dispatch: mixed grid=1
// expect 0: f32 ~ 1e-6 = 2 3 4 0  0 1 1 0  0 0.5 1 0  1 2 2 0  1 1 2 0  1 2 3 0  2 2 3 0  2.5 2 1.5 0  1 4 9 0
#include <metal_stdlib>
using namespace metal;
kernel void mixed(device float3* out [[buffer(0)]]) {
    float3 v(1, 2, 3);
    out[0] = mix(v, v + 2, 0.5f);
    out[1] = step(2.0f, v);
    out[2] = smoothstep(1.0f, 3.0f, v);
    out[3] = min(v, 2.0f);
    out[4] = clamp(v - 1, 1.0f, 2.0f);
    out[5] = clamp(v, 0, 3);
    out[6] = max(2, v);
    out[7] = mix(v.zyx, 2, 0.5);
    out[8] = pow(v, 2);
}
//--- mixed scalar types as programs write them
// options: math=safe
// buffer 0: f32 = zeros(16)
// dispatch: literals grid=1
// expect 0: f32 ~ 1e-6 = 2 3 3 8 0.5 1 4 5 2 0 3 2 7 1 2 0.25
#include <metal_stdlib>
using namespace metal;
kernel void literals(device float* out [[buffer(0)]]) {
    float x = 2.0f;
    half h = 3.0h;
    uint u = 4;
    ushort s = 5;
    out[0] = max(x, 0.0f);
    out[1] = max(h, 0.0h);
    out[2] = min(3, 5);
    out[3] = pow(x, 3.0f);
    out[4] = saturate(0.5f);
    out[5] = clamp(x, 0.0f, 1.0f);
    out[6] = min(u, 9u);
    out[7] = max(s, ushort(1));
    out[8] = abs(-2);
    out[9] = max(-1, 0);
    out[10] = clamp(7, 1, 3);
    out[11] = sqrt(4.0f);
    out[12] = fma(x, 3.0f, 1.0f);
    out[13] = select(0.0f, 1.0f, x > 1.0f);
    out[14] = fabs(-x);
    out[15] = 1.0f / exp2(x);
}
//--- calls that convert
// options: math=safe
// buffer 0: f32 = zeros(24)
// buffer 1: f32 = 3 0 4 0
// dispatch: converts grid=1
// expect 0: f32 ~ 1e-6 = 0.5 0.15625 3 1 2 0.5 5 7 2 1 5 0.6 1 9 1 4 3 0.25 2 1 2 3 5 4
#include <metal_stdlib>
using namespace metal;
enum { TILE = 2 };
enum Small : ushort { four = 4 };
struct Params { int n; packed_float3 v; };
struct Celsius { float degrees; operator float() const { return degrees; } };
kernel void converts(device float* out [[buffer(0)]], constant packed_float3& v [[buffer(1)]]) {
    float x = 0.25f;
    int n = 0;
    threadgroup float shared;
    shared = 7;
    out[n++] = mix(0, 2, x);
    out[n++] = smoothstep(0, 1, x);
    out[n++] = max(3, TILE);
    out[n++] = fma(2, x, 0.5f);
    out[n++] = min(TILE, 9);
    out[n++] = pow(x, 0.5f) * step(0, x);
    out[n++] = length(v);
    out[n++] = max(shared, x);
    out[n++] = pow(4, 0.5f);
    out[n++] = max(true, false);
    out[n++] = distance(v, float3(0));
    out[n++] = normalize(v).x;
    out[n++] = step(0.5, float3(1)).y;
    out[n++] = dot(v, packed_float3(3, 0, 0));
    out[n++] = clamp(int2(7), 0, 1).y;
    out[n++] = max(v, 3.5f).z;
    out[n++] = abs(ushort(3));
    out[n++] = fmod(2.25f, 2);
    out[n++] = fast::clamp(x, 2.0f, 3.0f);
    out[n++] = all(precise::exp(float2(0)) == 1);
    out[n++] = fast::max(2.0f, x);
    out[n++] = sqrt(half(9));
    out[n++] = floor(float(Celsius{5.5f}));
    out[n++] = min(four, 5);
}
//--- two scalar types are not mixed
// error: no-matching-function
// dispatch: f grid=1
#include <metal_stdlib>
using namespace metal;
kernel void f(device float* p [[buffer(0)]]) { p[0] = max(p[0], 0); }
//--- nor half with float
// error: no-matching-function
// dispatch: f grid=1
#include <metal_stdlib>
using namespace metal;
kernel void f(device half* p [[buffer(0)]]) { p[0] = pow(p[0], 2.0f); }
//--- a program's own functions go before the library's
// buffer 0: f32 = zeros(4)
// dispatch: own grid=1
// expect 0: f32 = 42 43 44 3
#include <metal_stdlib>
using namespace metal;
static float fract(float) { return 42; }
template <typename T> static T sign(T) { return T(43); }
template <typename T> static T max(T, T) { return T(44); }
kernel void own(device float* out [[buffer(0)]]) {
    out[0] = fract(0.5f);
    out[1] = sign(-1.0f);
    out[2] = max(1.0f, 2.0f);
    out[3] = metal::max(1, 3);
}
//--- relational functions
// buffer 0: i32 = zeros(24)
// dispatch: relational grid=1
// expect 0: i32 = 1 0 1 0  1 1 0 1  10 2 30 4  1 2 7 8  1 0 1  1 1 0 1 0
#include <metal_stdlib>
using namespace metal;
kernel void relational(device int* out [[buffer(0)]]) {
    bool4 b(true, false, true, false);
    out[0] = any(b); out[1] = all(b); out[2] = any(b.xy); out[3] = all(b.xyz);
    out[4] = all(bool2(true)); out[5] = any(bool3(false, false, true)); out[6] = any(false); out[7] = all(true);
    int4 r = select(int4(1, 2, 3, 4), int4(10, 20, 30, 40), b);
    for (int i = 0; i < 4; i++) out[8 + i] = r[i];
    uint4 s = select(uint4(1, 2, 3, 4), uint4(5, 6, 7, 8), uint4(1) < uint4(0, 1, 2, 3));
    for (int i = 0; i < 4; i++) out[12 + i] = int(s[i]);
    out[16] = isnan(float2(NAN, 0)).x; out[17] = isinf(float2(NAN, 0)).x; out[18] = all(isfinite(float3(1, 2, 3)));
    out[19] = isunordered(NAN, 1.0f); out[20] = isordered(2.0f, 1.0f); out[21] = isnormal(0.0h); out[22] = signbit(-0.0f);
    out[23] = not(b).x;
}
//--- geometric functions
// options: math=safe
// buffer 0: f32 = zeros(32)
// dispatch: geometric grid=1
// expect 0: f32 ~ 1e-6 = 32 11 70 -3 6 -3  5 25 3 9 0.6 0.8  1 -1 0  -1 -2  1 2  0.70710678 -0.70710678 0 0  2 3 20 100
#include <metal_stdlib>
using namespace metal;
kernel void geometric(device float* out [[buffer(0)]]) {
    float3 a(1, 2, 3), b(4, 5, 6);
    out[0] = dot(a, b);
    out[1] = dot(float2(1, 2), float2(3, 4));
    out[2] = dot(float4(1, 2, 3, 4), float4(5, 6, 7, 8));
    float3 c = cross(a, b);
    out[3] = c.x; out[4] = c.y; out[5] = c.z;
    out[6] = length(float2(3, 4)); out[7] = length_squared(float2(3, 4));
    out[8] = distance(float3(1, 2, 2), float3(0)); out[9] = distance_squared(float3(1, 2, 2), float3(0));
    float2 n = normalize(float2(3, 4));
    out[10] = n.x; out[11] = n.y;
    float3 r = reflect(float3(1, 1, 0), float3(0, 1, 0));
    out[12] = r.x; out[13] = r.y; out[14] = r.z;
    float2 f = faceforward(float2(1, 2), float2(1, 0), float2(1, 0));
    out[15] = f.x; out[16] = f.y;
    f = faceforward(float2(1, 2), float2(-1, 0), float2(1, 0));
    out[17] = f.x; out[18] = f.y;
    // Straight through, at an angle of 45 degrees; then total reflection.
    float2 t = refract(normalize(float2(1, -1)), float2(0, 1), 1.0f);
    out[19] = t.x; out[20] = t.y;
    t = refract(normalize(float2(1, -0.1)), float2(0, 1), 1.5f);
    out[21] = t.x; out[22] = t.y;
    out[23] = length(-2.0f); out[24] = distance(5.0f, 2.0f);
    out[25] = dot(int3(1, 2, 3), int3(2, 3, 4));
    packed_float3 p = packed_float3(0, 6, 8);
    out[26] = length_squared(p);
}

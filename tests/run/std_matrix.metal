// Matrices (MSL specification, sections 2.3 and 6.10).
//--- construction, columns and elements
// options: math=safe
// buffer 0: f32 = zeros(40)
// dispatch: make grid=1
// expect 0: f32 = 1 2 3 4 5 6  2 0 0 0 2 0 0 0 2  1 2 3 4  7 8  3 0 0 3 0 0  4 1 2 3  16 12 48 64 16 8  8 2 0
#include <metal_stdlib>
using namespace metal;
kernel void make(device float* out [[buffer(0)]]) {
    int n = 0;
    float2x3 a(float3(1, 2, 3), float3(4, 5, 6));
    for (int c = 0; c < 2; c++) for (int r = 0; r < 3; r++) out[n++] = a[c][r];
    float3x3 d(2.0f);
    for (int c = 0; c < 3; c++) for (int r = 0; r < 3; r++) out[n++] = d[c][r];
    float2x2 s(1, 2, 3, 4);
    out[n++] = s[0][0]; out[n++] = s[0].y; out[n++] = s.columns[1].x; out[n++] = s.columns[1][1];
    s[1] = float2(7, 8);
    out[n++] = s[1].x; out[n++] = s[1][1];
    float3x2 t(3.0f);
    for (int c = 0; c < 3; c++) for (int r = 0; r < 2; r++) out[n++] = t[c][r];
    half2x2 h(half2(4, 1), half2(2, 3));
    float2x2 wide = float2x2(h);
    for (int c = 0; c < 2; c++) for (int r = 0; r < 2; r++) out[n++] = wide[c][r];
    out[n++] = sizeof(float2x2); out[n++] = sizeof(half2x3) - 4; out[n++] = sizeof(float3x3); out[n++] = sizeof(float4x4);
    out[n++] = alignof(float2x3); out[n++] = alignof(float3x2);
    out[n++] = sizeof(half2x2); out[n] = matrix<float, 2, 3>(a)[0][1];
}
//--- arithmetic
// options: math=safe
// buffer 0: f32 = zeros(40)
// dispatch: calculate grid=1
// expect 0: f32 = 6 8 10 12  -4 -4 -4 -4  2 4 6 8  23 34 31 46  1 3 2 4  7 10  5 11  9 12 15  14 32  -1 -2 -3 -4  1 0 1 1 1 1
#include <metal_stdlib>
using namespace metal;
static void put(device float* out, thread int& n, float2x2 m) {
    for (int c = 0; c < 2; c++) for (int r = 0; r < 2; r++) out[n++] = m[c][r];
}
kernel void calculate(device float* out [[buffer(0)]]) {
    int n = 0;
    float2x2 a(float2(1, 2), float2(3, 4)), b(float2(5, 6), float2(7, 8));
    put(out, n, a + b);
    put(out, n, a - b);
    put(out, n, 2 * a);
    put(out, n, a * b);
    put(out, n, transpose(a));
    float2 v = a * float2(1, 2);
    out[n++] = v.x; out[n++] = v.y;
    v = float2(1, 2) * a;
    out[n++] = v.x; out[n++] = v.y;
    float2x3 m(float3(1, 2, 3), float3(4, 5, 6));
    float3 w = m * float2(1, 2);
    out[n++] = w.x; out[n++] = w.y; out[n++] = w.z;
    float2 u = float3(1, 2, 3) * m;
    out[n++] = u.x; out[n++] = u.y;
    put(out, n, -a);
    out[n++] = a == a; out[n++] = a == b; out[n++] = a != b;
    float2x2 c = a;
    c += b; c -= b; c *= 1.0f;
    out[n++] = c == a;
    c *= float2x2(1.0f);
    out[n++] = c == a;
    float2x2 p = m * float3x2(1.0f) * 0.0f == float3x3(0.0f) ? a : b;
    out[n++] = p == a;
}
//--- determinants and products of larger matrices
// options: math=safe
// buffer 0: f32 = zeros(24)
// dispatch: larger grid=1
// expect 0: f32 = -2 -306 -78 24  30 36 42 66 81 96 102 126 150  1 5 9 13  10 26 42 58
#include <metal_stdlib>
using namespace metal;
kernel void larger(device float* out [[buffer(0)]]) {
    out[0] = determinant(float2x2(1, 2, 3, 4));
    out[1] = determinant(float3x3(float3(6, 1, 1), float3(4, -2, 5), float3(2, 8, 7)));
    out[2] = determinant(float4x4(float4(1, 2, 3, 1), float4(-2, 1, 1, 3), float4(1, 1, 2, -4), float4(0, 2, -1, 1)));
    out[3] = determinant(float4x4(float4(1, 0, 0, 0), float4(5, 2, 0, 0), float4(7, 8, 3, 0), float4(9, 1, 2, 4)));
    float3x3 a(1, 2, 3, 4, 5, 6, 7, 8, 9);
    float3x3 s = a * a;
    for (int c = 0; c < 3; c++) for (int r = 0; r < 3; r++) out[4 + 3 * c + r] = s[c][r];
    float4x4 m(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    float4x4 t = transpose(m);
    for (int r = 0; r < 4; r++) out[13 + r] = t[0][r];
    float4 v = float4(1) * m;
    for (int r = 0; r < 4; r++) out[17 + r] = v[r];
}
//--- matrices in device, constant and threadgroup memory
// buffer 0: f32 = iota(16)
// buffer 1: f32 = 1 0 0 0  0 2 0 0  0 0 3 0  0 0 0 4
// buffer 2: f32 = 1 1 1 1
// dispatch: transform grid=1
// expect 0: f32 = 0 1 2 3  8 10 12 14  24 27 30 33  48 52 100 60
// expect 2: f32 = 80 90 200 110
#include <metal_stdlib>
using namespace metal;
struct Uniforms { float4x4 scale; };
kernel void transform(device float4x4& m [[buffer(0)]], constant Uniforms& u [[buffer(1)]], device float4* v [[buffer(2)]]) {
    threadgroup float4x4 shared;
    shared = m;
    m = shared * u.scale;
    m[3][2] = 100;
    v[0] = m * v[0];
    v->z += shared[3].w - 15 + u.scale[1][1] - 2 + 56;
}

// The math functions of the standard library.
//--- elementary
// options: math=safe
// buffer 0: f32 = 0.25 0.5 1 1.5 2 3
// buffer 1: f32 = zeros(60)
// dispatch: f grid=6 threadgroup=6
// expect 1: f32 ~ 1e-6 = 0.5 0.70710678 1 1.2247449 1.4142136 1.7320508
// expect 1[6]: f32 ~ 1e-6 = 0.24740396 0.47942554 0.84147098 0.99749499 0.90929743 0.14112001
// expect 1[12]: f32 ~ 1e-6 = 1.2840254 1.6487213 2.7182818 4.4816891 7.3890561 20.085537
// expect 1[18]: f32 ~ 1e-6 = -1.3862944 -0.69314718 0 0.40546511 0.69314718 1.0986123
// expect 1[24]: f32 ~ 1e-6 = 0.03125 0.17677670 1 2.7556760 5.6568542 15.588457
// expect 1[30]: f32 = 0 0 1 1 2 3
// expect 1[36]: f32 ~ 1e-6 = 0.24491866 0.46211716 0.76159416 0.90514825 0.96402758 0.99505475
#include <metal_stdlib>
using namespace metal;
kernel void f(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float x = in[i];
    out[i] = sqrt(x);
    out[6 + i] = sin(x);
    out[12 + i] = exp(x);
    out[18 + i] = log(x);
    out[24 + i] = pow(x, 2.5f);
    out[30 + i] = floor(x);
    out[36 + i] = tanh(x);
}
//--- common and geometric
// buffer 0: f32 = zeros(12)
// dispatch: g grid=1
// expect 0: f32 ~ 1e-6 = 1 0.5 2.5 0 0.5 32 5 -3 6 -3 0.6 0.8
#include <metal_stdlib>
using namespace metal;
kernel void g(device float* out [[buffer(0)]]) {
    out[0] = clamp(3.0f, 0.0f, 1.0f);
    out[1] = saturate(0.5f);
    out[2] = mix(2.0f, 3.0f, 0.5f);
    out[3] = step(1.0f, 0.5f);
    out[4] = smoothstep(0.0f, 1.0f, 0.5f);
    out[5] = dot(float3(1, 2, 3), float3(4, 5, 6));
    out[6] = length(float2(3, 4));
    float3 c = cross(float3(1, 2, 3), float3(4, 5, 6));
    out[7] = c.x; out[8] = c.y; out[9] = c.z;
    float2 n = normalize(float2(3, 4));
    out[10] = n.x; out[11] = n.y;
}
//--- integer functions
// buffer 0: u32 = zeros(6)
// dispatch: h grid=1
// expect 0: u32 = 3 29 0 0xe0000000 5 7
#include <metal_stdlib>
using namespace metal;
kernel void h(device uint* out [[buffer(0)]]) {
    out[0] = popcount(7u);
    out[1] = clz(7u);
    out[2] = ctz(7u);
    out[3] = reverse_bits(7u);
    out[4] = abs(-5);
    out[5] = max(min(9, 7), 3);
}
//--- matrices
// buffer 0: f32 = zeros(6)
// dispatch: m grid=1
// expect 0: f32 = 5 11 1 3 -2 10
#include <metal_stdlib>
using namespace metal;
kernel void m(device float* out [[buffer(0)]]) {
    float2x2 a(float2(1, 3), float2(2, 4));
    float2 v = a * float2(1, 2);
    out[0] = v.x; out[1] = v.y;
    float2x2 t = transpose(a);
    out[2] = t[0][0]; out[3] = t[1][0];
    out[4] = determinant(a);
    float2x2 p = a * a;
    out[5] = p[1].x;
}

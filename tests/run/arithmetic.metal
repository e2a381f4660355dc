// Integer and float arithmetic, promotion, conversion.
//--- vector add
// buffer 0: f32 = iota(33)
// buffer 1: f32 = fill(33, 0.5)
// buffer 2: f32 = zeros(33)
// dispatch: add grid=33 threadgroup=32
// expect 2: f32 = expr(33, i + 0.5)
#include <metal_stdlib>
using namespace metal;
kernel void add(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]],
                device float* out [[buffer(2)]], uint i [[thread_position_in_grid]]) {
    out[i] = a[i] + b[i];
}
//--- integer promotion and wrap
// buffer 0: i32 = zeros(12)
// dispatch: f grid=1
// expect 0: i32 = 44 300 -1 1 -128 2147483647 -2 -3 1 -1 3 255
kernel void f(device int* out [[buffer(0)]]) {
    uchar a = 200, b = 100;
    out[0] = (uchar)(a + b);
    out[1] = a + b;
    out[2] = (int)(~0u);
    short s = 32767;
    s += 2;
    out[3] = s < 0;
    char c = 127;
    c++;
    out[4] = c;
    uint big = 0x80000000u;
    out[5] = int(big - 1u);
    out[6] = -7 / 3;
    out[7] = -7 >> 1 == -4 ? -3 : 0;
    out[8] = 7 % 3;
    out[9] = -7 % 3;
    out[10] = 13 >> 2;
    out[11] = (uchar)-1;
}
//--- conversions between float and integer
// buffer 0: i32 = zeros(8)
// buffer 1: f32 = 2.75 -2.75 nan 1e20 -1e20 0.5 300.0 -1.0
// dispatch: g grid=8 threadgroup=8
// expect 0: i32 = 2 -2 0 2147483647 -2147483648 0 300 -1
kernel void g(device int* out [[buffer(0)]], device const float* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = int(in[i]);
}
//--- bool and half
// buffer 0: f32 = zeros(6)
// dispatch: h grid=1
// expect 0: f32 = 1 0 1 0.333251953125 2048 1
kernel void h(device float* out [[buffer(0)]]) {
    bool t = 0.25f;
    out[0] = t;
    out[1] = !t;
    out[2] = bool(-3) + 0;
    half third = half(1.0f / 3.0f);
    out[3] = third;
    out[4] = half(2049.0f);
    out[5] = true && t;
}
//--- remainders where an index begins again, and where it does not
// buffer 0: u32 = 0 1 5 9 10 19 20 4294967295 4294967286 2147483648
// buffer 1: u32 = 10 10 10 10 10 10 10 10 10 3000000000
// buffer 2: u32 = zeros(30)
// buffer 3: i32 = 0 -1 -9 -10 -11 9 10 19 20 2147483647 -2147483648 5 5
// buffer 4: i32 = 10 10 10 10 10 10 10 10 10 10 10 -3 -2147483648
// buffer 5: i32 = zeros(39)
// dispatch: natural grid=10 threadgroup=10
// dispatch: signs grid=13 threadgroup=13
// expect 2: u32 = 9 1 5 0 2 0 4 6 4 8 0 8 9 1 9 8 0 8 9 1 9 8 0 4 5 7 5 852516351 2147483649 2147483647
// expect 5: i32 = 1 -1 1 0 -2 0 -8 0 2 -9 -1 1 0 -2 0 0 8 0 1 9 1 0 8 0 1 9 1 -8 6 2 -7 7 3 0 1 0 6 4 -2147483642
kernel void natural(device const uint* x [[buffer(0)]], device const uint* n [[buffer(1)]], device uint* out [[buffer(2)]],
                    uint i [[thread_position_in_grid]]) {
    uint a = x[i], b = n[i];
    uint before = (a + b - 1) % b, after = (a + 1) % b, below = (a - 1) % b;
    out[3 * i] = before;
    out[3 * i + 1] = after;
    out[3 * i + 2] = below;
}
kernel void signs(device const int* x [[buffer(3)]], device const int* n [[buffer(4)]], device int* out [[buffer(5)]],
                  uint i [[thread_position_in_grid]]) {
    int a = x[i], b = n[i];
    out[3 * i] = (a + 1) % b;
    out[3 * i + 1] = (a - 1) % b;
    out[3 * i + 2] = ((a + 1) % b + b) % b;
}

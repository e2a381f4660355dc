// What random programs found: a device did not do what the interpreter does.
//--- pointers to private memory are compared where only one varies
// buffer 0: u32 = 0 1 2 3 3 2 1 0
// buffer 1: u32 = zeros(8)
// dispatch: compare grid=8 threadgroup=8
// expect 1: u32 = 1000 100 10 1  1 10 100 1000
kernel void compare(device const uint* in [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    uint a[4] = { 0, 0, 0, 0 };
    thread uint* chosen = a + (in[i] & 3u);
    for (thread uint* q = a; q != a + 4; q++)
        if (q == chosen) *q = 1;
    out[i] = a[0] * 1000 + a[1] * 100 + a[2] * 10 + a[3];
}
//--- the order in which floats of a simdgroup are added
// options: math=safe
// buffer 0: f32 = 1e8 fill(31, 1)
// buffer 1: f32 = zeros(64)
// dispatch: sum grid=32 threadgroup=32
// expect 1: f32 = fill(32, 100000024) 1e8
// expect 1[63]: f32 = 100000024
// dispatch: some grid=32 threadgroup=32
// expect 1: f32 = fill(20, 100000016) fill(12, -1)
// dispatch: sum grid=20 threadgroup=32
// expect 1: f32 = fill(20, 100000016)
#include <metal_stdlib>
using namespace metal;
kernel void sum(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = simd_sum(in[i]);
    out[32 + i] = simd_prefix_inclusive_sum(in[i]);
}
kernel void some(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    float total = -1.0f;
    if (i < 20) total = simd_sum(in[i]);
    out[i] = total;
}
//--- absent threads add nothing, not even a sign
// options: math=safe
// buffer 0: f32 = fill(32, -0.0)
// buffer 1: u32 = zeros(96)
// dispatch: zeros grid=20 threadgroup=20
// expect 1: u32 = fill(20, 0x80000000)
// expect 1[32]: u32 = fill(20, 0x80000000)
// expect 1[64]: u32 = zeros(20)
// buffer 0: f32 = fill(32, nan)
// buffer 1: f32 = zeros(96)
// dispatch: least grid=20 threadgroup=20
// expect 1: f32 = fill(20, nan)
// expect 1[32]: f32 = fill(20, nan)
#include <metal_stdlib>
using namespace metal;
kernel void zeros(device const float* in [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = as_type<uint>(simd_sum(in[i]));
    out[32 + i] = as_type<uint>(simd_prefix_inclusive_sum(in[i]));
    out[64 + i] = as_type<uint>(simd_prefix_exclusive_sum(in[i]));
}
kernel void least(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = simd_min(in[i]);
    out[32 + i] = simd_max(in[i]);
}
//--- wide integers become bfloat by rounding once
// options: math=safe
// buffer 0: u32 = 0x80800001 0x80800000 0x81800000 7
// buffer 1: i32 = -1077936129 1077936129 -1077936128 -7
// buffer 2: u64 = 0x8080000000000001 0x4040000000000001 0x4040000000000000 0x40400001
// buffer 3: i64 = -4629700416936869889 0x4040000000000001 -4629700416936869888 -1077936129
// buffer 4: f32 = zeros(16)
// dispatch: convert grid=4 threadgroup=4
// expect 4: f32 = 2164260864 2147483648 2181038080 7  -1082130432 1082130432 -1073741824 -7
// expect 4[8]: f32 = 9295429630892703744 4647714815446351872 4611686018427387904 1082130432
// expect 4[12]: f32 = -4647714815446351872 4647714815446351872 -4611686018427387904 -1082130432
kernel void convert(device const uint* a [[buffer(0)]], device const int* b [[buffer(1)]], device const ulong* c [[buffer(2)]],
                    device const long* d [[buffer(3)]], device float* out [[buffer(4)]], uint i [[thread_position_in_grid]]) {
    out[i] = float(bfloat(a[i]));
    out[4 + i] = float(bfloat(b[i]));
    out[8 + i] = float(bfloat(c[i]));
    out[12 + i] = float(bfloat(d[i]));
}
//--- fma of bfloat rounds once
// options: math=safe
// buffer 0: f32 = 1e-30 -1e-30 0 1.2676506002282294e30
// buffer 1: f32 = zeros(4)
// dispatch: once grid=4 threadgroup=4
// expect 1: f32 = 1.1328125 1.125 1.125 1.2676506002282294e30
#include <metal_stdlib>
using namespace metal;
kernel void once(device const float* in [[buffer(0)]], device float* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    // The product lies halfway between two numbers.
    bfloat a = bfloat(1.0625f) + bfloat(in[2]);
    out[i] = float(fma(a, a, bfloat(in[i])));
}
//--- numbers of 8 and 16 bits wrap where they are made
// buffer 1: i32 = zeros(512)
// dispatch: narrow grid=256 threadgroup=64
// expect 1[120]: i32 = 123 124 125 126 127 -128 -127 -126  -125 -124
// expect 1[256]: i32 = 32760 32761 32762 32763 32764 32765 32766 32767  -32768 -32767
// expect 1[380]: i32 = -32652 -32651 -32650 -32649
kernel void narrow(device int* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = char(3 + char(i));
    out[256 + i] = short(i + 32760);
}
//--- the least short is its own negative, as an integer, too
// buffer 0: i16 = -32768 5 0 32767
// buffer 1: i32 = zeros(4)
// dispatch: f grid=4 threadgroup=4
// expect 1: i32 = -32768 -5 0 -32767
#include <metal_stdlib>
using namespace metal;
kernel void f(device const short* in [[buffer(0)]], device int* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    short negative = short(-in[i]);
    out[i] = int(negative);
}
//--- halves between two constants have no other bits
// buffer 0: f16 = -1 0.5 1.5 100
// buffer 1: u32 = zeros(4)
// dispatch: f grid=4 threadgroup=4
// expect 1: u32 = 15360 15360 15872 16384
#include <metal_stdlib>
using namespace metal;
kernel void f(device const half* in [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = as_type<ushort>(clamp(in[i], 1.0h, 2.0h));
}
//--- the greatest of a short and nothing is looked at
// buffer 0: i16 = -32768 5 0 -7
// buffer 1: i32 = zeros(4)
// dispatch: f grid=4 threadgroup=4
// expect 1: i32 = 0 0 16 0
#include <metal_stdlib>
using namespace metal;
kernel void f(device const short* in [[buffer(0)]], device int* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = int(ctz(short(float(in[i]))));
    if (in[i] == -32768) out[i] -= 15;
}
//--- minus nothing is chosen
// buffer 0: f32 = 0 1 2 3
// buffer 1: u32 = zeros(4)
// dispatch: f grid=4 threadgroup=4
// expect 1: u32 = 3212836864 3212836864 2147483648 2147483648
#include <metal_stdlib>
using namespace metal;
kernel void f(device const float* in [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = as_type<uint>(-step(in[i], 1.0f));
}
//--- the lesser of a ushort and a constant above 32767
// buffer 0: u16 = 65534 5 32768 40000
// buffer 1: u32 = zeros(4)
// dispatch: f grid=4 threadgroup=4
// expect 1: u32 = 32768 5 32768 32768
#include <metal_stdlib>
using namespace metal;
kernel void f(device const ushort* in [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = min(in[i], ushort(32768));
}
//--- a large power of two is infinite in half
// buffer 0: u32 = 0x80000000 1 0x10000 0
// buffer 1: f32 = zeros(8)
// dispatch: f grid=4 threadgroup=4
// expect 1: f32 = inf 1 inf 0 -inf 1 inf 0
#include <metal_stdlib>
using namespace metal;
kernel void f(device const uint* in [[buffer(0)]], device float* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = half(in[i] & 0x80010001u);
    out[4 + i] = half(int(in[i] & 0x80010001u));
}
//--- a negative number in the greatest of three
// buffer 0: i32 = 5 -3 -2147483648 2147483647
// buffer 1: i32 = zeros(8)
// dispatch: f grid=4 threadgroup=4
// expect 1: i32 = -3 3 2147483647 5 -5 -2147483648 -2147483648 -2147483647
#include <metal_stdlib>
using namespace metal;
kernel void f(device const int* in [[buffer(0)]], device int* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    int x = in[i], y = in[(i + 1) & 3];
    out[i] = max3(y, -x, -100);
    out[4 + i] = min3(y, -x, 100);
}
//--- the least number stays negative
// buffer 0: i32 = 5 -3 -2147483648 2147483647
// buffer 1: i32 = zeros(4)
// dispatch: f grid=4 threadgroup=4
// expect 1: i32 = 5 3 100 2147483647
#include <metal_stdlib>
using namespace metal;
kernel void f(device const int* in [[buffer(0)]], device int* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    int x = int(abs(in[i]));
    out[i] = x < 0 ? 100 : x;
}
//--- half of a sum of pairs
// buffer 0: i16 = 5 -3 300 7
// buffer 1: i32 = zeros(2)
// dispatch: f grid=2 threadgroup=2
// expect 1: i32 = 4 43
#include <metal_stdlib>
using namespace metal;
kernel void f(device const short2* in [[buffer(0)]], device int* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    short2 sum = in[i] + short2(255, 255);
    out[i] = i < 100 ? int(uchar(sum.x)) : int(sum.y);
}
//--- the lowest bits of a sum of floats
// buffer 0: f32 = 1.1920928955078125e-7 3.5762786865234375e-7 0 1
// buffer 1: u8 = zeros(4)
// dispatch: f grid=4 threadgroup=4
// expect 1: u8 = 1 3 0 0
#include <metal_stdlib>
using namespace metal;
kernel void f(device const float* in [[buffer(0)]], device uchar* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = uchar(as_type<uint>(in[i] + 1.0f));
}
//--- two halves of a short
// buffer 0: u16 = 15360 7
// buffer 1: f16 = zeros(2)
// dispatch: f grid=1 threadgroup=1
// expect 1: f16 = 4.172325134277344e-07 0
#include <metal_stdlib>
using namespace metal;
struct P { half h; ushort s; };
kernel void f(constant P& p [[buffer(0)]], device half2* out [[buffer(1)]]) {
    half2 both = as_type<half2>(uint(p.s));
    out[0] = select(both, half2(1), isnan(both));
}

// 6.3 Integer Functions
#include <metal_stdlib>
using namespace metal;
//--- all of `char`
// see: tests/run/std_integer.metal (functions of char)
//--- all of `uchar`
// see: tests/run/std_integer.metal (functions of uchar)
//--- all of `short`
// see: tests/run/std_integer.metal (functions of short)
//--- all of `ushort`
// see: tests/run/std_integer.metal (functions of ushort)
//--- all of `int`
// see: tests/run/std_integer.metal (functions of int)
//--- all of `uint`
// see: tests/run/std_integer.metal (functions of uint)
//--- all of `long`
// see: tests/run/std_integer.metal (functions of long)
//--- all of `ulong`
// see: tests/run/std_integer.metal (functions of ulong)
//--- of vectors
// gives: i32 = 3 1 2 16 31 7 5
kernel void f(device int* o) { o[0] = abs(int2(-3, 3)).x; o[1] = absdiff(uint2(3, 2), uint2(2, 3)).y; o[2] = popcount(uint3(3)).z; o[3] = rotate(uint2(1), uint2(4)).x; o[4] = clz(int2(1)).y; o[5] = max3(int2(1), int2(7), int2(3)).x; o[6] = median3(1, 5, 9); }
//--- `min` and `max` of vectors of small integers; `clamp`
// gives: i32 = -3 200 5
kernel void f(device int* o) { o[0] = min(char3(-3), char3(2)).x; o[1] = max(uchar2(200), uchar2(100)).x; o[2] = clamp(short4(9), short4(1), short4(5)).w; }
//--- `extract_bits`, `insert_bits` at the edges
// gives: u32 = 0xf 0 0xffffffff 0xff00 7
kernel void f(device uint* o) { o[0] = extract_bits(0xf0u, 4, 4); o[1] = extract_bits(0xf0u, 0, 0); o[2] = uint(extract_bits(int(0xf0), 4, 4)); o[3] = insert_bits(0u, 0xffu, 8, 8); o[4] = insert_bits(7u, 9u, 4, 0); }
//--- `ctz` and `clz` of zero
// gives: i32 = 32 32 16 8
kernel void f(device int* o) { o[0] = ctz(0u); o[1] = clz(0u); o[2] = clz(ushort(0)); o[3] = ctz(uchar(0)); }
//--- integer functions of floats
// error: no-matching-function
kernel void f(device float* o) { o[0] = popcount(1.0f); }

// 2.1 Scalar Data Types
#include <metal_stdlib>
using namespace metal;
//--- `bool`
// gives: i32 = 1 1 0 1
kernel void f(device int* o) { bool t = true; o[0] = t; o[1] = sizeof(bool); o[2] = !t; o[3] = bool(0.5f); }
//--- `char`, `signed char`, `int8_t`, `uchar`, `unsigned char`, `uint8_t`
// gives: i32 = -128 255 1 1 -1
kernel void f(device int* o) {
    char a = 127; a++; uchar b = 0; b--;
    o[0] = a; o[1] = b; o[2] = is_same_v<uint8_t, unsigned char>; o[3] = sizeof(int8_t); o[4] = (signed char)255;
}
//--- `short`, `int16_t`, `ushort`, `unsigned short`, `uint16_t`
// gives: i32 = -32768 65535 1 2
kernel void f(device int* o) { short a = 32767; a++; ushort b = 0; b--; o[0] = a; o[1] = b; o[2] = is_same_v<uint16_t, unsigned short>; o[3] = sizeof(int16_t); }
//--- `int`, `int32_t`, `uint`, `unsigned int`, `uint32_t`, which wrap
// gives: u32 = 0 1 0xfffffffe 1
kernel void f(device uint* o) { uint a = 0xffffffff; a++; o[0] = a; o[1] = is_same_v<uint32_t, unsigned>; o[2] = 0xffffffffu * 2u; o[3] = is_same_v<int32_t, signed int>; }
//--- `long`, `int64_t`, `ulong`, `unsigned long`, `uint64_t`
// gives: u64 = 0x100000000 0xffffffffffffffff 12 8
kernel void f(device ulong* o) { o[0] = 1ul << 32; o[1] = long(-1); o[2] = ulong(144115188075855884l >> 2) & 0xff ? 12 : 0; o[3] = sizeof(int64_t); }
//--- `half`, with the suffixes `h` and `H`
// gives: f16 = 1.5 0.0999755859375 65504 inf
kernel void f(device half* o) { o[0] = 1.5h; o[1] = 0.1H; o[2] = 65504; o[3] = half(65520.0f); }
//--- `float`, with the suffixes `f` and `F`; a literal without one is a `float`
// gives: f32 = 1.5 0.25 1 3
kernel void f(device float* o) { o[0] = 1.5f; o[1] = 0.25F; o[2] = sizeof(1.0) == 4; o[3] = 0x1.8p1f; }
//--- `bfloat`, with the suffixes `bf` and `BF`
// gives: bf16 = 1.5 0.10009765625 3 0.5
kernel void f(device bfloat* o) { o[0] = 1.5bf; o[1] = 0.1BF; bfloat a = 1.0bf; o[2] = a + 2.0bf; o[3] = bfloat(0.5f); }
//--- `size_t`, `ptrdiff_t`, `void`
// gives: i32 = 8 8 1
static void nothing() {}
kernel void f(device int* o) { nothing(); o[0] = sizeof(size_t); o[1] = sizeof(ptrdiff_t); o[2] = is_same_v<decltype(sizeof(int)), size_t>; }
//--- arithmetic of small types is promoted to `int`
// gives: i32 = 300 -1 1
kernel void f(device int* o) { uchar a = 200, b = 100; o[0] = a + b; o[1] = ~uchar(0); o[2] = is_same_v<decltype(short(1) * short(1)), int>; }
//--- `half` with `float` is `float`, with `int` is `half`
// gives: i32 = 1 1 1
kernel void f(device int* o) { o[0] = is_same_v<decltype(1.0h + 1.0f), float>; o[1] = is_same_v<decltype(1.0h + 1), half>; o[2] = is_same_v<decltype(1.0f * 1ul), float>; }
//--- `double`
// error: double-type
kernel void f(device float* o) { double x = 1.0; o[0] = x; }
//--- `long long`
// gives: i32 = 8
kernel void f(device int* o) { o[0] = sizeof(long long); }

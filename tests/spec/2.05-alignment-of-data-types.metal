// 2.5 Alignment of Data Types
#include <metal_stdlib>
using namespace metal;
//--- `alignas` of types, members and variables
// gives: i32 = 16 32 1 1
struct alignas(16) A { float x; };
struct B { char c; alignas(32) float y; };
kernel void f(device int* o) { alignas(64) int v = 1; o[0] = sizeof(A); o[1] = alignof(B); o[2] = sizeof(B) == 64; o[3] = v; }
//--- members are laid out by their alignment
// gives: i32 = 48 16 24 8
struct A { char c; float3 v; char d; };
struct B { char c; packed_float3 v; half h; };
struct C { ulong a; char b; uint c; ushort d; };
kernel void f(device int* o) { o[0] = sizeof(A); o[1] = alignof(A); o[2] = sizeof(C); o[3] = alignof(C); }
//--- an alignment that is no power of two
// error: invalid-alignment
struct alignas(3) A { float x; };
kernel void f(device int* o) { o[0] = sizeof(A); }
//--- `__attribute__((aligned(n)))`
// gives: i32 = 16
struct S { int x; } __attribute__((aligned(16)));
kernel void f(device int* o) { o[0] = sizeof(S); }
//--- `__attribute__((packed))`
// error: unsupported-packed
struct __attribute__((packed)) S { char c; int x; };
kernel void f(device int* o) { o[0] = sizeof(S); }

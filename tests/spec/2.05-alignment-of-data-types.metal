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
// gives: i32 = 15 1 20 6 15 9 20 7 258 0
struct __attribute__((packed)) S { char c; int x; short s; long l; };
struct T { char c; S s; int x; };
struct M { char c; int x __attribute__((packed)); char d; };
struct F { char c; int x : 20; } __attribute__((packed));
kernel void f(device int* o) {
    o[0] = sizeof(S); o[1] = alignof(S); o[2] = sizeof(T) + (alignof(T) - 4); o[3] = sizeof(M);
    o[4] = offsetof(T, x) - 1; o[5] = offsetof(T, s.s) + 3;
    S s = {1, 2, 3, 4};
    T t = {1, s, 7};
    t.s.x += 18;
    device S* d = (device S*)(o + 8);
    if (sizeof(F) == 4) o[6] = t.s.x;
    o[7] = t.x;
    d->c = 2; d->x = 1;
}
//--- the attributes spelled with underscores
// gives: i32 = 5 32
struct __attribute__((__packed__)) S { char c; int x; };
struct A { int x; } __attribute__((__aligned__(32)));
kernel void f(device int* o) { o[0] = sizeof(S); o[1] = sizeof(A); }
//--- `#pragma pack`
// gives: i32 = 5 16 8 4 5 9
#pragma pack(push, 1)
struct A { char c; int x; };
#pragma pack(2)
struct B { char c; int x; short s; long l; };
#pragma pack(pop)
struct C { char c; int x; };
#pragma pack(4)
struct D { char c; alignas(16) long x; };
#pragma pack()
kernel void f(device int* o) {
    o[0] = sizeof(A); o[1] = sizeof(B); o[2] = sizeof(C); o[3] = alignof(D);
    A a[2] = {{1, 2}, {3, 4}};
    thread A* p = a + 1;
    p->x += 1;
    o[4] = a[1].x;
    o[5] = a[0].x + a[1].x + offsetof(B, x);
}

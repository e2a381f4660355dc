// Places where values, objects and addresses meet.
//--- a conditional can be assigned to
// buffer 0: i32 = 1 2 3
// dispatch: f grid=1
// expect 0: i32 = 1 9 8
kernel void f(device int* p [[buffer(0)]]) {
    (p[0] > 5 ? p[0] : p[1]) = 9;
    int a = 0, b = 8;
    p[2] = p[0] > 5 ? a : b;
}
//--- pointer arithmetic and differences
// buffer 0: i32 = 10 20 30 40 0 0 0
// dispatch: g grid=1
// expect 0: i32 = 10 20 30 41 3 -2 30
kernel void g(device int* p [[buffer(0)]]) {
    device int* q = p + 3;
    ++*q;
    p[4] = q - p;
    device int* r = q--;
    p[5] = (p + 1) - r;
    q += 1;
    q -= 1;
    p[6] = *q;
}
//--- an object is complete before it replaces another
// buffer 0: f32 = zeros(4)
// dispatch: h grid=1
// expect 0: f32 = 2 1 4 3
struct Two { float a, b; };
static Two swapped(Two t) { return Two{t.b, t.a}; }
kernel void h(device float* out [[buffer(0)]]) {
    Two t = {1, 2};
    t = Two{t.b, t.a};
    out[0] = t.a; out[1] = t.b;
    Two u = {3, 4};
    u = swapped(u);
    out[2] = u.a; out[3] = u.b;
}
//--- conditional objects, arrays within objects
// buffer 0: i32 = zeros(4)
// dispatch: k grid=2 threadgroup=2
// expect 0: i32 = 6 15 3 6
struct Row { int v[3]; int sum() const { return v[0] + v[1] + v[2]; } };
kernel void k(device int* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    Row a = {{1, 2, 3}}, b = {{4, 5, 6}};
    Row c = i == 0 ? a : b;
    out[i] = c.sum();
    Row d = c;
    d.v[0] = 0;
    out[2 + i] = c.v[2] + d.v[0];
}
//--- compound assignment computes in the common type and converts back
// buffer 0: i32 = zeros(5)
// dispatch: m grid=1
// expect 0: i32 = 44 3 -1 1 96
kernel void m(device int* out [[buffer(0)]]) {
    uchar c = 200;
    c += 100;
    out[0] = c;
    int i = 2;
    i *= 1.9f;
    out[1] = i;
    short s = 0;
    s -= 1u;
    out[2] = s;
    bool t = false;
    t |= true;
    out[3] = t;
    uchar shifted = 0x83;
    shifted <<= 5;
    out[4] = shifted;
}
//--- large and small objects are cleared
// buffer 0: i32 = zeros(3)
// dispatch: n grid=1
// expect 0: i32 = 0 0 7
struct Big { int head; float4 v[50]; int tail; };
kernel void n(device int* out [[buffer(0)]]) {
    Big b = {};
    float sum = 0;
    for (int i = 0; i < 50; i++) sum += b.v[i].x + b.v[i].w;
    out[0] = b.head + b.tail;
    out[1] = sum;
    int some[100] = {3, 4};
    int total = 0;
    for (int i = 0; i < 100; i++) total += some[i];
    out[2] = total;
}
//--- threadgroup objects and objects in device memory
// buffer 0: f32 = 1 2 3 4
// dispatch: o grid=2 threadgroup=2
// expect 0: f32 = 3 4 1 2
#include <metal_stdlib>
using namespace metal;
struct Pair { float a, b; };
kernel void o(device Pair* p [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    threadgroup Pair shared[2];
    shared[1 - i] = p[i];
    threadgroup_barrier(mem_flags::mem_threadgroup);
    p[i] = shared[i];
}

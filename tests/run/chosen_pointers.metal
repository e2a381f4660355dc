// Pointers that are chosen while a kernel runs, between objects that are not buffers alone.
#include <metal_stdlib>
using namespace metal;
constant int a = 5, b = 6;
constant int first[3] = {1, 2, 3}, second[4] = {10, 20, 30, 40};
static int sum(constant int* p, uint n) {
    int s = 0;
    for (uint k = 0; k < n; ++k) s += *p++;
    return s;
}
//--- constants of the program, as threads differ
// buffer 0: i32 = 0 1 1 0 1
// dispatch: differ grid=5 threadgroup=5
// expect 0: i32 = 6 5 5 6 5
kernel void differ(device int* o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    constant int* p = o[i] ? &a : &b;
    o[i] = p[0];
}
//--- constants of the program, as an argument says
// buffer 0: i32 = zeros(5)
// buffer 1: i32 = 1
// dispatch: same grid=5 threadgroup=5
// expect 0: i32 = 5 5 5 5 5
// buffer 1: i32 = 0
// dispatch: same grid=5 threadgroup=5
// expect 0: i32 = 6 6 6 6 6
kernel void same(device int* o [[buffer(0)]], constant int& c [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant int* p = c ? &a : &b;
    o[i] = p[0];
}
//--- arrays, indexed and handed to functions
// buffer 0: i32 = 0 1 1 0 1 0
// dispatch: arrays grid=6 threadgroup=6
// expect 0: i32 = 10060 2006 3006 10060 2006 30060
kernel void arrays(device int* o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    constant int* p = o[i] ? first : second;
    o[i] = p[i % 3] * 1000 + sum(p, 3);
}
//--- a constant of the program or an argument
// buffer 0: i32 = 0 1 1 0 1 0
// buffer 1: i32 = 7 8 9
// dispatch: mixed grid=6 threadgroup=6
// expect 0: i32 = 724 206 306 724 206 924
kernel void mixed(device int* o [[buffer(0)]], constant int* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant int* p = o[i] ? first : in;
    o[i] = p[i % 3] * 100 + sum(p, 3);
}
//--- one for all threads
// buffer 0: i32 = zeros(4)
// buffer 1: i32 = 7 8 9
// buffer 2: i32 = 1
// dispatch: either grid=4 threadgroup=4
// expect 0: i32 = 106 206 306 106
// buffer 2: i32 = 0
// dispatch: either grid=4 threadgroup=4
// expect 0: i32 = 724 824 924 724
kernel void either(device int* o [[buffer(0)]], constant int* in [[buffer(1)]], constant int& c [[buffer(2)]],
                   uint i [[thread_position_in_grid]]) {
    constant int* p = in;
    if (c != 0) p = first;
    o[i] = p[i % 3] * 100 + sum(p, 3);
}
//--- kept in a loop, each time another one
// buffer 0: i32 = 1 2 3 4 5 6 7 8
// buffer 1: i32 = 100 200 300 400
// dispatch: alternating grid=8 threadgroup=8
// expect 0: i32 = 1 21 321 322 342 642 642 642
kernel void alternating(device int* o [[buffer(0)]], constant int* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant int* p = first;
    constant int* q = second;
    constant int* r = in;
    int s = 0;
    for (int k = 0; k < o[i] && k < 6; ++k) {
        s += p[k % 3];
        constant int* next = q;
        q = r;
        r = p;
        p = next;
    }
    o[i] = s;
}
//--- vectors, structures and places within them
// buffer 0: f32 = 0 1 0 1
// buffer 1: f32 = 1 2 3 4 5 6 7 8
// dispatch: vectors grid=4 threadgroup=4
// expect 0: f32 = 36 109 36 119
struct Pair { float4 x; float y[4]; };
constant Pair pairs[2] = {{float4(1, 2, 3, 4), {5, 6, 7, 8}}, {float4(10, 20, 30, 40), {1, 3, 5, 7}}};
kernel void vectors(device float* o [[buffer(0)]], constant Pair& in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant Pair* p = o[i] != 0 ? &pairs[i / 2] : &in;
    constant Pair& r = o[i] != 0 ? pairs[1] : in;
    Pair copy = *p;
    constant float* y = p->y;
    float s = dot(p->x, float4(1)) + y[0] + y[1] + y[2] + y[3];
    if (o[i] == 0) o[i] = s;
    else o[i] = i == 1 ? r.x.w + copy.y[3] + s + 25 : r.x[3] + copy.x[3] + copy.y[2] - copy.y[0] + 35;
}
//--- small elements
// buffer 0: i32 = 0 1 0 1 1
// buffer 1: u8 = 11 12 13
// dispatch: bytes grid=5 threadgroup=5
// expect 0: i32 = 11 201 13 203 200
constant uchar low[4] = {200, 201, 202, 203};
kernel void bytes(device int* o [[buffer(0)]], constant uchar* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant uchar* p = o[i] ? low : in;
    o[i] = p[i % 4];
}
//--- kept in an array and in a structure
// buffer 0: i32 = 0 1 2 3 2 1 0
// buffer 1: i32 = 7 8 9
// dispatch: kept grid=7 threadgroup=7
// expect 0: i32 = 1 20 9 5 9 20 1
struct Holder { constant int* list; int at; };
kernel void kept(device int* o [[buffer(0)]], constant int* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant int* lists[4] = {first, second, in, &a};
    Holder h = {lists[o[i]], o[i] % 3};
    thread Holder& again = h;
    o[i] = again.list[again.at];
}
//--- a choice by switch, handed through a function
// buffer 0: i32 = 0 1 2 3 4
// buffer 1: i32 = 7 8 9
// dispatch: by_switch grid=5 threadgroup=5
// expect 0: i32 = 6 60 24 5 6
static constant int* choose(int k, constant int* in) {
    switch (k) {
    case 0: return first;
    case 1: return second;
    case 2: return in;
    case 3: return &a;
    default: return &b;
    }
}
kernel void by_switch(device int* o [[buffer(0)]], constant int* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    int k = o[i];
    constant int* p = choose(k, in);
    o[i] = k < 3 ? sum(p, 3) : *p;
}
//--- none at all
// buffer 0: i32 = 0 1 2
// dispatch: none grid=3 threadgroup=3
// expect 0: i32 = -1 1 10
kernel void none(device int* o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    constant int* p = o[i] == 0 ? nullptr : o[i] == 1 ? first : second;
    o[i] = p ? p[0] : -1;
}
//--- variables of a thread
// buffer 0: i32 = 0 1 0 1
// buffer 1: i32 = 1
// dispatch: variables grid=4 threadgroup=4
// expect 0: i32 = 1314 1804 1314 1804
static void add(thread int& x, int by) { x += by; }
kernel void variables(device int* o [[buffer(0)]], constant int& c [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    int x = 3, y = 4, list[2] = {5, 6};
    thread int* p = o[i] ? &x : &y;
    *p += 10;
    thread int* q = c ? &x : list;
    add(*q, 10);
    if (o[i]) { p = list; p[1] -= 6; x -= 5; }
    o[i] = x * 100 + y;
}
//--- variables of a threadgroup
// buffer 0: i32 = 0 1 0 1
// dispatch: groups grid=4 threadgroup=4
// expect 0: i32 = 13 2 11 0
kernel void groups(device int* o [[buffer(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup int x[4], y[4];
    x[i] = i;
    y[i] = i + 10;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    threadgroup int* p = o[i] ? x : y;
    o[i] = p[3 - i];
}
//--- variables and an argument of a threadgroup
// buffer 0: i32 = 0 1 2 0
// threadgroup 0: 16
// dispatch: shared grid=4 threadgroup=4
// expect 0: i32 = 13 2 101 10
kernel void shared(device int* o [[buffer(0)]], threadgroup int* z [[threadgroup(0)]], uint i [[thread_position_in_threadgroup]]) {
    threadgroup int x[4], y[4];
    x[i] = i;
    y[i] = i + 10;
    z[i] = i + 100;
    threadgroup_barrier(mem_flags::mem_threadgroup);
    threadgroup int* p = o[i] == 0 ? y : o[i] == 1 ? x : z;
    o[i] = p[3 - i];
}
//--- two buffers, and writes and atomic operations through the pointer
// buffer 0: i32 = 0 1 0 1
// buffer 1: i32 = 10 20 30 40 1
// buffer 2: i32 = 50 60 70 80 2
// dispatch: buffers grid=4 threadgroup=4
// expect 0: i32 = 50 20 70 40
// expect 1: i32 = 10 21 30 41 3
// expect 2: i32 = 51 60 71 80 4
kernel void buffers(device int* o [[buffer(0)]], device int* x [[buffer(1)]], device int* y [[buffer(2)]],
                    uint i [[thread_position_in_grid]]) {
    device int* p = o[i] ? x : y;
    o[i] = p[i];
    p[i] += 1;
    atomic_fetch_add_explicit((device atomic_int*)(p + 4), 1, memory_order_relaxed);
}
//--- beyond the chosen one
// buffer 0: i32 = 0 1 0 1
// fault: out-of-bounds
// dispatch: beyond grid=4 threadgroup=4
kernel void beyond(device int* o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    constant int* p = o[i] ? first : second;
    o[i] = p[i + 1000000];
}
//--- beyond an argument that was chosen
// buffer 0: i32 = 0 1 0 1
// buffer 1: i32 = 7 8 9
// fault: out-of-bounds
// dispatch: beyond grid=4 threadgroup=4
kernel void beyond(device int* o [[buffer(0)]], constant int* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant int* p = o[i] ? first : in;
    if (i == 2) o[i] = p[i + 1000000];
}
//--- a variable of a thread or none
// buffer 0: i32 = 0 1 2 0
// dispatch: maybe grid=4 threadgroup=4
// expect 0: i32 = -1 3 4 -1
kernel void maybe(device int* o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    int x = 3, y = 4;
    thread int* p = o[i] == 0 ? nullptr : o[i] == 1 ? &x : &y;
    o[i] = p ? *p : -1;
}
//--- a variable of a threadgroup or none
// buffer 0: i32 = 0 1 2 0
// dispatch: maybe grid=4 threadgroup=4
// expect 0: i32 = -1 3 4 -1
kernel void maybe(device int* o [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    threadgroup int x[1], y[1];
    if (i == 0) {
        x[0] = 3;
        y[0] = 4;
    }
    threadgroup_barrier(mem_flags::mem_threadgroup);
    threadgroup int* p = o[i] == 0 ? nullptr : o[i] == 1 ? x : y;
    o[i] = p != nullptr ? *p : -1;
}
//--- references
// buffer 0: i32 = 0 1 1 0
// buffer 1: i32 = 7 8
// dispatch: references grid=4 threadgroup=4
// expect 0: i32 = 75 60 60 75
kernel void references(device int* o [[buffer(0)]], constant int* in [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    constant int& r = o[i] ? second[1] : in[0];
    int x = 30;
    const int y = 40;
    const thread int& s = o[i] ? x : y;
    x += 10;
    constant int& t = o[i] ? first[0] : first[2];
    constant const int& u = o[i] ? b : a;
    o[i] = r + s + (r == 7 ? 20 : 0) + (t == 1 || t == 3 ? 0 : 100) + (u == 5 ? 8 : 0);
}

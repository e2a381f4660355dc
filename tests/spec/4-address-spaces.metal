// 4 Address Spaces
#include <metal_stdlib>
using namespace metal;
//--- 4.1 `device`
// gives: i32 = 4 5
static void put(device int* p, int v) { *p = v; }
kernel void f(device int* o) { put(o, 4); put(&o[1], 5); }
//--- 4.2 `constant`: program scope, arrays, structures, arguments
// gives: i32 = 3 20 7
struct S { int a; int b; };
constant int three = 3;
constant int table[] = {10, 20};
constant S s = {6, 7};
kernel void f(device int* o) { o[0] = three; o[1] = table[o[0] / 3]; o[2] = s.b; }
//--- a constant in the program's scope has to be initialized
// error: uninitialized-constant
constant int x;
kernel void f(device int* o) { o[0] = x; }
//--- a variable in the program's scope that is not constant
// error: global-address-space
int x = 1;
kernel void f(device int* o) { o[0] = x; }
//--- writing to constant memory
// error: const-object
kernel void f(constant int* c) { c[0] = 1; }
//--- 4.3 `thread`: local variables, pointers and references to them
// gives: i32 = 6
static void add(thread int& x, thread const int* y) { x += *y; }
kernel void f(device int* o) { thread int a = 2; int b = 4; add(a, &b); o[0] = a; }
//--- 4.4 `threadgroup`: variables in kernels
// gives 4: i32 = 3 2 1 0
kernel void f(device int* o, uint i [[thread_index_in_threadgroup]]) { threadgroup int t[4]; t[i] = i; threadgroup_barrier(mem_flags::mem_threadgroup); o[i] = t[3 - i]; }
//--- `threadgroup`: arguments whose size the host gives
// see: tests/run/threadgroup.metal (host-sized threadgroup memory)
//--- threadgroup variables with initializers, which are ignored with a warning
// gives: i32 = 4
kernel void f(device int* o) { threadgroup int t = 3; t = 4; o[0] = t; }
//--- threadgroup variables in other functions
// error: threadgroup-variable
static int g(uint i) { threadgroup int s[4]; s[i] = 1; return s[0]; }
kernel void f(device int* o, uint i [[thread_position_in_threadgroup]]) { o[i] = g(i); }
//--- a device variable in a function
// error: local-address-space
kernel void f(device int* o) { device int x; o[0] = x; }
//--- `threadgroup_imageblock`
// graphics-only: unsupported-address-space
kernel void f(device int* o) { threadgroup_imageblock int* p; o[0] = 1; }
//--- 4.6 `ray_data`
// error: unsupported-address-space
kernel void f(device int* o, ray_data int& p) { o[0] = p; }
//--- 4.7 `object_data`
// graphics-only: unsupported-address-space
kernel void f(device int* o, object_data int& p) { o[0] = p; }
//--- pointers without an address space in a kernel's arguments
// error: missing-address-space
kernel void f(int* o) { o[0] = 1; }
//--- 4.8 `coherent(device)` and `memory_coherence`
// gives: i32 = 3
kernel void f(coherent(device) device int* o) { o[0] = 3; }
//--- `volatile` device memory
// gives: i32 = 3
kernel void f(volatile device int* o) { o[0] = 3; }
//--- 4.2 constants that hold addresses of other constants: tables, structures, lists, texts
// gives: i32 = 3 6 5 3 2 8 98 5
constant int t1[] = {1, 2, 3};
constant int t2[] = {4, 5, 6};
constant int* constant tables[] = {t1, t2};
struct Node { int v; constant Node* next; };
constant Node c = {3, nullptr};
constant Node b = {2, &c};
constant Node a = {1, &b};
constant Node* constant heads[] = {&a, &b, nullptr};
constant float4 v4[2] = {float4(1, 2, 3, 4), float4(5, 6, 7, 8)};
constant float* constant part = (constant float*)&v4[1];
constant char* constant names[] = {"ab", "cd"};
constant int& five = t2[1];
static int total(constant Node* n) { int s = 0; while (n) { s += n->v; n = n->next; } return s; }
kernel void f(device int* o) {
    for (int i = 0; i < 2; i++) o[i] = tables[i][2];
    o[2] = total(heads[o[3] + 1]);
    Node k = *heads[0];
    o[3] = k.next->v + 1;
    o[4] = heads[2] == nullptr ? 2 : 1;
    o[5] = part[3];
    o[6] = names[o[7]][1];
    o[7] = five;
}
//--- 4.2 constants that a constructor makes of a text
// gives: i32 = 205
struct Named { constant char* name; constexpr Named(constant char* n) : name(n) {} };
constant Named named("abcdg");
kernel void f(device int* o) { o[0] = named.name[4] + named.name[5] + 102; }
//--- each thread follows its own address in a constant
// gives 4: i32 = 1 5 3 7
constant int t1[] = {1, 2, 3, 4};
constant int t2[] = {4, 5, 6, 7};
struct Table { constant int* p; int n; };
constant Table tables[] = {{t1, 4}, {t2, 4}};
kernel void f(device int* o, uint i [[thread_position_in_grid]]) { Table t = tables[i & 1]; o[i] = t.p[i % t.n]; }
//--- a constant does not hold its own address
// error: recursive-initializer
struct Node { int v; constant Node* next; };
constant Node a = {1, &a};
kernel void f(device int* o) { o[0] = a.next->v; }
//--- beyond a constant whose address another one holds nothing is read
// buffer 0: i32 = zeros(1)
// fault: read
// dispatch: f grid=1
// expect 0: i32 = 0
constant int t1[] = {1, 2, 3};
constant int* constant tables[] = {t1};
kernel void f(device int* o) { o[0] = tables[o[0]][1 << 28]; }

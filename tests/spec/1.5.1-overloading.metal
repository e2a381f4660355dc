// 1.5.1 Overloading
#include <metal_stdlib>
using namespace metal;
//--- by type, number of arguments and vector size
// gives: i32 = 1 2 3 4 5
static int g(int) { return 1; }
static int g(float) { return 2; }
static int g(float2) { return 3; }
static int g(int, int) { return 4; }
static int g(half) { return 5; }
kernel void f(device int* o) { o[0] = g(1); o[1] = g(1.0f); o[2] = g(float2(1)); o[3] = g(1, 1); o[4] = g(1.0h); }
//--- by address space of a pointer or reference
// gives: i32 = 1 2 3 4
static int g(device int*) { return 1; }
static int g(thread int*) { return 2; }
static int g(threadgroup int*) { return 3; }
static int g(constant int*) { return 4; }
constant int c = 0;
kernel void f(device int* o) {
    threadgroup int t;
    int l;
    o[0] = g(o); o[1] = g(&l); o[2] = g(&t); o[3] = g(&c);
}
//--- of operators
// gives: f32 = 4 6 2 4
struct C { float re, im; };
static C operator+(C a, C b) { return {a.re + b.re, a.im + b.im}; }
static C operator*(float s, C a) { return {s * a.re, s * a.im}; }
kernel void f(device float* o) { C a = {1, 2}, b = {3, 4}; C s = a + b, t = 2.0f * a; o[0] = s.re; o[1] = s.im; o[2] = t.re; o[3] = t.im; }
//--- by `const`
// gives: i32 = 1 2
struct S { int g() { return 1; } int g() const { return 2; } };
kernel void f(device int* o) { S s; const S c = S(); o[0] = s.g(); o[1] = c.g(); }
//--- a call that two functions fit equally
// error: ambiguous-call
static int g(int, float) { return 1; }
static int g(float, int) { return 2; }
kernel void f(device int* o) { o[0] = g(1, 1); }
//--- kernels cannot be overloaded
// error: duplicate-entry-point
kernel void f(device int* o) { o[0] = 1; }
kernel void f(device float* o) { o[0] = 1; }

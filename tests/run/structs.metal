// Structures, arrays, unions, pointers.
//--- structure arguments by constant reference
// buffer 0: f32 = 2.5 u32: 4 i16: -3 u8: 7 1
// buffer 1: f32 = zeros(4)
// dispatch: f grid=1
// expect 1: f32 = 2.5 4 -3 7
struct Params {
    float scale;
    uint count;
    short bias;
    uchar flag;
};
kernel void f(constant Params& p [[buffer(0)]], device float* out [[buffer(1)]]) {
    out[0] = p.scale;
    out[1] = p.count;
    out[2] = p.bias;
    out[3] = p.flag;
}
//--- values are copied
// buffer 0: f32 = zeros(6)
// dispatch: g grid=1
// expect 0: f32 = 1 2 5 2 5 9
struct P { float x; float y; };
static P move(P p, float dx) { p.x += dx; return p; }
kernel void g(device float* out [[buffer(0)]]) {
    P a = {1, 2};
    P b = move(a, 4);
    out[0] = a.x; out[1] = a.y; out[2] = b.x; out[3] = b.y;
    a = b;
    b.x = 9;
    out[4] = a.x; out[5] = b.x;
}
//--- arrays of structures in device memory
// buffer 0: f32 = 1 2 3 0  4 5 6 0
// buffer 1: f32 = zeros(2)
// dispatch: h grid=2 threadgroup=2
// expect 1: f32 = 6 15
#include <metal_stdlib>
using namespace metal;
struct Body { float3 position; };
kernel void h(device const Body* bodies [[buffer(0)]], device float* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    Body b = bodies[i];
    out[i] = b.position.x + b.position.y + b.position.z;
}
//--- member functions, constructors, operators
// buffer 0: f32 = zeros(4)
// dispatch: k grid=1
// expect 0: f32 = 4 6 -1 10
struct Complex {
    float re, im;
    Complex(float r, float i) : re(r), im(i) {}
    Complex operator+(Complex o) const { return Complex(re + o.re, im + o.im); }
    float dot(thread const Complex& o) const { return re * o.re - im * o.im; }
    thread Complex& twice() { re *= 2; im *= 2; return *this; }
};
kernel void k(device float* out [[buffer(0)]]) {
    Complex a(1, 2), b(3, 4);
    Complex c = a + b;
    out[0] = c.re; out[1] = c.im;
    out[2] = Complex(1, 2).dot(Complex(1, 1));
    out[3] = b.twice().re + c.re;
}
//--- local arrays and pointers to them
// buffer 0: i32 = zeros(5)
// dispatch: m grid=1
// expect 0: i32 = 3 4 5 0 12
static int total(thread const int* p, int n) { int s = 0; for (int i = 0; i < n; i++) s += p[i]; return s; }
kernel void m(device int* out [[buffer(0)]]) {
    int a[4] = {3, 4, 5};
    for (int i = 0; i < 4; i++) out[i] = a[i];
    thread int* p = a;
    out[4] = total(p, 4);
}
//--- unions and bit casts
// buffer 0: u32 = zeros(3)
// dispatch: n grid=1
// expect 0: u32 = 0x3f800000 0x40000000 0x3c00
#include <metal_stdlib>
using namespace metal;
union U { float f; uint u; };
kernel void n(device uint* out [[buffer(0)]]) {
    U u;
    u.f = 1.0f;
    out[0] = u.u;
    out[1] = as_type<uint>(2.0f);
    out[2] = as_type<ushort>(half(1.0h));
}
//--- pointer casts between element types
// buffer 0: f32 = 1 2 3 4 5 6 7 8
// buffer 1: f32 = zeros(1)
// dispatch: o grid=1
// expect 1: f32 = 26
#include <metal_stdlib>
using namespace metal;
kernel void o(device const float* p [[buffer(0)]], device float* out [[buffer(1)]]) {
    float4 v = *((device const float4*)(p + 4));
    out[0] = v.x + v.y + v.z + v.w;
}
//--- inheritance
// buffer 0: i32 = zeros(3)
// dispatch: q grid=1
// expect 0: i32 = 1 2 3
struct A { int a; int get() const { return a; } };
struct B { int b; int other() const { return b; } };
struct C : A, B { int c; };
kernel void q(device int* out [[buffer(0)]]) {
    C c;
    c.a = 1; c.b = 2; c.c = 3;
    out[0] = c.get(); out[1] = c.other(); out[2] = c.c;
}
//--- elements that a list leaves out are zero, also where the default constructor is defaulted beside others
// What was in the memory before must not show: the first kernel leaves something there.
// buffer 0: f32 = zeros(64)
// buffer 1: f32 = 1 1 1 1 1 1
// buffer 2: i32 = 3
// dispatch: dirty grid=64 threadgroup=64
// dispatch: u grid=1
// expect 1: f32 = 0 0 0 5 0 7
#include <metal_stdlib>
using namespace metal;
struct Defaulted {
    float2 v;
    Defaulted() thread = default;
    explicit Defaulted(float x) thread { v = float2(x); }
};
struct Initialised { float a; float b = 5.0f; };
struct Holder { Defaulted d[4] = { Defaulted(1.0f) }; float f; Initialised i; };
kernel void dirty(device float* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    float local[64];
    for (int j = 0; j < 64; j++) local[j] = 1e6f * (j + 1 + i);
    float sum = 0.0f;
    for (int j = 0; j < 64; j++) sum += local[(j * 7 + i) % 64];
    out[i] = sum;
}
kernel void u(device float* out [[buffer(1)]], constant int& n [[buffer(2)]]) {
    Defaulted d[4] = { Defaulted(2.0f) };
    simdgroup_matrix<float, 8, 8> m[4] = { simdgroup_matrix<float, 8, 8>(3.0f) };
    Initialised i[4] = { { 1.0f, 2.0f } };
    Holder h = {};
    out[0] = d[n].v.x + d[n - 1].v.y;
    out[1] = m[n].thread_elements()[0] + m[n - 2].thread_elements()[1];
    out[2] = i[n].a + h.f + h.i.a + Initialised().a;
    out[3] = i[n].b;
    out[4] = h.d[n].v.x;
    out[5] = i[0].b + h.i.b;
}
//--- members of a structure are read as a larger type than the structure is aligned to
// buffer 0: u16 = 0x3c00 0x0201 0x0403 5 6 7 8 9 10 11 12 0x4000 0x1211 0x1413 15 16 17 18 19 20 21 22
// buffer 1: u32 = zeros(4)
// dispatch: v grid=2
// expect 1: u32 = 0x04030201 0x14131211 0x00060005 0x0010000f
#include <metal_stdlib>
using namespace metal;
typedef struct { half d; uint8_t qh[4]; uint8_t qs[16]; } block_q5_0;
static_assert(sizeof(block_q5_0) == 22, "aligned to two");
kernel void v(device const block_q5_0* x [[buffer(0)]], device uint* out [[buffer(1)]], uint i [[thread_position_in_grid]]) {
    out[i] = *((device const uint32_t*)x[i].qh);
    device const uint32_t* qs = (device const uint32_t*)x[i].qs;
    out[i + 2] = qs[0];
}
//--- long arrays of structures with initializers
// gives: i32 = 3 3 7 3 0 3
struct S { int x = 3; int y; };
kernel void f(device int* o) {
  S a[5000];
  S b[300] = {{7, 1}};
  S c[40] = {};
  o[0] = a[0].x;
  o[1] = a[4999].x;
  o[2] = b[0].x;
  o[3] = b[299].x;
  o[4] = b[299].y + c[39].y;
  o[5] = c[39].x;
}

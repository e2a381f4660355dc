// 5.9 Program Scope Global Built-ins and Bindings
#include <metal_stdlib>
using namespace metal;
//--- inputs of kernels as variables of the program's scope
// gives 4: i32 = 0 1 2 3
uint index [[thread_position_in_grid]];
static int where() { return index; }
kernel void f(device int* o) { o[index] = where(); }
//--- buffers as variables of the program's scope
// buffer 0: i32 = zeros(4)
// buffer 1: i32 = 5 6
// buffer 2: i32 = 7
// dispatch: f grid=4 threadgroup=4
// expect 0: i32 = 12 14 14 16
// dispatch: g grid=1 threadgroup=1
// expect 0: i32 = 6 14 14 16
struct P { int k; };
device int* out [[buffer(0)]];
constant int* in [[buffer(1)]];
constant P& p [[buffer(2)]];
uint i [[thread_position_in_grid]];
static int scaled(int x) { return x + p.k; }
template <typename T> void put(T v) { out[i] = v; }
struct S {
    int n;
    S(int k) : n(k + in[0]) {}
    int get() const { return scaled(n) - 5 + i; }
};
kernel void f() {
    int local = 0;
    if (i % 2) {
        int a = in[1] + 7;
        local = a;
        put(scaled(in[1]) + (i == 3 ? 3 : 1));
        return;
    }
    S s(0);
    put(s.get() + 5);
    auto twice = [&](int q) { return in[0] * q; };
    local += twice(2);
}
kernel void g(constant int* q [[buffer(1)]]) { *out = q[1]; }
//--- textures, samplers and threadgroup memory as variables of the program's scope
// texture 0: r32Float 2x2 = 1 2 3 4
// sampler 0: nearest
// buffer 0: f32 = zeros(2)
// threadgroup 0: 16
// dispatch: f grid=1 threadgroup=1
// expect 0: f32 = 4 7
texture2d<float> t [[texture(0)]];
sampler s [[sampler(0)]];
threadgroup float* tg [[threadgroup(0)]];
device float& o [[buffer(0)]];
static float look(float2 at) { return t.sample(s, at).x; }
kernel void f() { o = look(float2(0.75)); tg[0] = 3; (&o)[1] = o + tg[0]; }
//--- what the program's scope binds is not free for parameters
// buffer 0: i32 = zeros(1)
// buffer 1: i32 = 3
// dispatch: f grid=1 threadgroup=1
// expect 0: i32 = 3
device int* out [[buffer(0)]];
kernel void f(device int* o) { out[0] = *o; }
//--- a parameter and the program's scope bind the same index
// error: duplicate-index
device int* out [[buffer(0)]];
kernel void f(device int* o [[buffer(0)]]) { out[0] = o[1]; }
//--- a pointer that the host binds is not assigned to
// error: const-object
device int* out [[buffer(0)]];
kernel void f(device int* o [[buffer(1)]]) { out = o; }
//--- bound by the wrong attribute
// error: wrong-attribute
device int* out [[texture(0)]];
kernel void f() { out[0] = 1; }
//--- bound without an address space
// error: missing-address-space
int* out [[buffer(0)]];
kernel void f() { out[0] = 1; }
//--- 5.11 restrictions: arguments that are written to a `constant` buffer
// error: const-object
kernel void f(constant float4& c [[buffer(0)]]) { c.x = 1; }

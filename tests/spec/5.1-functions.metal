// 5.1 Functions
#include <metal_stdlib>
using namespace metal;
//--- 5.1.1 vertex functions
// graphics-only: unsupported-entry-point
vertex float4 f(uint i [[vertex_id]]) { return float4(i); }
//--- 5.1.2 fragment functions
// graphics-only: unsupported-entry-point
fragment float4 f() { return float4(1); }
//--- 5.1.3 kernels: `kernel` and `[[kernel]]`
// gives: i32 = 1
[[kernel]] void f(device int* o) { o[0] = 1; }
//--- a library may hold graphics functions beside kernels
// gives: i32 = 1
struct V { float4 position [[position]]; float2 uv [[user(locn0)]]; };
vertex V v(uint i [[vertex_id]], constant float4* p [[buffer(0)]]) { V r; r.position = p[i]; r.uv = 0; return r; }
fragment half4 g(V in [[stage_in]], texture2d<half> t [[texture(0)]]) { return t.read(uint2(0)); }
kernel void f(device int* o) { o[0] = 1; }
//--- 5.1.4 `[[visible]]` functions are called like others
// gives: i32 = 4
[[visible]] int twice(int x) { return 2 * x; }
kernel void f(device int* o) { o[0] = twice(2); }
//--- 5.1.5 `[[stitchable]]` functions are called like others
// gives: i32 = 4
[[stitchable]] int twice(int x) { return 2 * x; }
kernel void f(device int* o) { o[0] = twice(2); }
//--- 5.1.6 intersection functions
// error: unsupported-entry-point
[[intersection(triangle)]] bool f() { return true; }
//--- 5.1.7 object functions
// graphics-only: unsupported-entry-point
[[object]] void f() {}
//--- 5.1.8 mesh functions
// graphics-only: unsupported-entry-point
[[mesh]] void f() {}
//--- 5.1.10 `[[host_name("…")]]`
// buffer 0: i32 = 0
// dispatch: another grid=1
// expect 0: i32 = 3
[[host_name("another")]] kernel void f(device int* o) { o[0] = 3; }
//--- 5.1.11 templates as kernels
// see: tests/run/templates.metal (function and class templates with host names)
//--- 5.1.12 `[[user_annotation("…")]]`
// gives: i32 = 1
[[user_annotation("mine")]] kernel void f(device int* o) { o[0] = 1; }
//--- `[[max_total_threads_per_threadgroup(n)]]`, with a constant expression
// gives: i32 = 1
constant constexpr int n = 64;
[[max_total_threads_per_threadgroup(n * 2)]] kernel void f(device int* o) { o[0] = 1; }
//--- `[[required_threads_per_threadgroup(x, y, z)]]`
// gives 4: i32 = 1
[[required_threads_per_threadgroup(4, 1, 1)]] kernel void f(device int* o) { o[0] = 1; }
//--- `inline`, `static`, `extern`, `METAL_FUNC`, `__attribute__((always_inline))`, `noinline`
// gives: i32 = 10
static inline int a() { return 1; }
METAL_FUNC int b() { return 2; }
__attribute__((always_inline)) int c() { return 3; }
[[gnu::noinline]] int d() { return 4; }
extern int d();
kernel void f(device int* o) { o[0] = a() + b() + c() + d(); }
//--- functions that are declared before they are defined
// gives: i32 = 5
static int later(int x);
kernel void f(device int* o) { o[0] = later(4); }
static int later(int x) { return x + 1; }
//--- functions that are declared but not defined
// error: undefined-function
int nowhere(int x);
kernel void f(device int* o) { o[0] = nowhere(1); }
//--- default arguments
// gives: i32 = 123 145
static int g(int a, int b = 2, int c = 3) { return a * 100 + b * 10 + c; }
kernel void f(device int* o) { o[0] = g(1); o[1] = g(1, 4, 5); }

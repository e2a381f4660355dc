// 2.12 Aggregate Types
#include <metal_stdlib>
using namespace metal;
//--- structures of data, copied, nested, in every address space
// see: tests/run/structs.metal (values are copied)
//--- `array<T, N>`: elements, `size`, `data`, loops, comparison of sizes
// gives: i32 = 6 3 2 12 4 1
kernel void f(device int* o) {
    array<int, 3> a = {1, 2, 3};
    int s = 0; for (int x : a) s += x;
    o[0] = s; o[1] = a.size(); o[2] = a.data()[1]; o[3] = sizeof(a);
    a[0] = 4; o[4] = a.front(); o[5] = !a.empty();
}
//--- 2.12.1 arrays of textures and samplers
// texture 0: r32Float 1x1 = 5
// texture 1: r32Float 1x1 = 6
// buffer 0: f32 = zeros(3)
// dispatch: f grid=1
// expect 0: f32 = 5 6 2
kernel void f(array<texture2d<float>, 2> t [[texture(0)]], device float* o [[buffer(0)]]) { for (uint i = 0; i < 2; i++) o[i] = t[i].read(uint2(0)).x; o[2] = t.size(); }
//--- `array_ref<T>`
// see: tests/run/std_types.metal (array_ref, uniform and more traits)
//--- 2.12.2 structures of buffers, textures and samplers
// texture 0: r32Float 1x1 = 5
// buffer 0: f32 = zeros(1)
// dispatch: f grid=1
// expect 0: f32 = 5
struct Args { texture2d<float> t [[texture(0)]]; device float* o [[buffer(0)]]; };
static void work(Args a) { a.o[0] = a.t.read(uint2(0)).x; }
kernel void f(texture2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) { Args a = {t, o}; work(a); }
//--- `make_array_ref` of arrays, of pointers and lengths
// gives: i32 = 9 17 5
static int sum(array_ref<int> a) { int r = int(a.size()); for (auto x : a) r += x; return r; }
kernel void f(device int* o) {
  array<int, 3> a = { 1, 2, 3 };
  int c[2] = { 7, 8 };
  o[0] = sum(make_array_ref(a)); o[1] = sum(make_array_ref(c)); o[2] = sum(make_array_ref(a.data(), 2));
}

struct A { int a[1000000]; };
constexpr A mk() { A a = {}; for (int i = 0; i < 100; i++) { A b = a; b.a[i] = i; a = b; } return a; }
constant A X = mk();
#include <metal_stdlib>
using namespace metal;
kernel void f(device int* p [[buffer(0)]], uint i [[thread_position_in_grid]]) { p[0]=X.a[5]; }

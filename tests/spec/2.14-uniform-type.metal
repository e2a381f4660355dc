// 2.14 Uniform Type
#include <metal_stdlib>
using namespace metal;
//--- `uniform<T>`, `make_uniform`, arithmetic with it
// gives: i32 = 5 6 1
kernel void f(device int* o) { uniform<int> n = make_uniform(5); o[0] = n; o[1] = n + 1; if (n > 4) o[2] = 1; }

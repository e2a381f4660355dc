// 6.2 Common Functions
//--- `clamp`, `mix`, `saturate`, `sign`, `smoothstep`, `step` of `float`
// see: tests/run/std_common.metal (common functions of every float type)
//--- the same of `half`
// see: tests/run/std_common.metal (common functions of half)
//--- the same of `bfloat`
// see: tests/run/std_common.metal (common functions of bfloat)
//--- NaN, infinity, signed zeros
// see: tests/run/std_common.metal (NaN, infinity and signed zeros)
//--- scalar arguments beside vectors
// see: tests/run/std_common.metal (vectors with scalar arguments)
//--- `precise::` and `fast::` forms
// gives: f32 = 0.5 1 2
#include <metal_stdlib>
using namespace metal;
kernel void f(device float* o) { o[0] = fast::saturate(0.5f); o[1] = precise::clamp(3.0f, 0.0f, 1.0f); o[2] = fast::mix(1.0f, 3.0f, 0.5f); }

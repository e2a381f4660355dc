// 6.10 Graphics Functions, 6.11 Pull-Model Interpolation
#include <metal_stdlib>
using namespace metal;
//--- `dfdx`, `dfdy`, `fwidth`
// graphics-only: unsupported-graphics
kernel void f(device float* o) { o[0] = dfdx(o[1]); }
//--- `discard_fragment`, `get_num_samples`, `get_sample_position`
// graphics-only: unsupported-graphics
kernel void f(device float* o) { discard_fragment(); }

// Functions of the math library, one a kernel; `asm.rs` looks at their machine code.
#include <metal_stdlib>
using namespace metal;

kernel void exponential(device const float* a, device float* o, uint i [[thread_position_in_grid]]) { o[i] = exp(a[i]); }
kernel void precise_exponential(device const float* a, device float* o, uint i [[thread_position_in_grid]]) { o[i] = precise::exp(a[i]); }
kernel void sine(device const float* a, device float* o, uint i [[thread_position_in_grid]]) { o[i] = sin(a[i]); }
kernel void arc_tangent(device const float* a, device float* o, uint i [[thread_position_in_grid]]) { o[i] = atan(a[i]); }
kernel void hyperbolic_sine(device const float* a, device float* o, uint i [[thread_position_in_grid]]) { o[i] = sinh(a[i]); }

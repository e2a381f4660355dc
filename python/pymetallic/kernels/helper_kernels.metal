// Small kernels that the package itself uses.
#include <metal_stdlib>
using namespace metal;

struct FillParams {
    uint n;
    uint value;
};

/// Writes `value` to the first `n` elements.
kernel void fill_u32(device uint* data [[buffer(0)]],
                     constant FillParams& params [[buffer(1)]],
                     uint i [[thread_position_in_grid]])
{
    if (i < params.n) {
        data[i] = params.value;
    }
}

/// Adds `scalar` to the first `n` elements, in place.
kernel void scalar_add_f32(device float* data [[buffer(0)]],
                           constant float& scalar [[buffer(1)]],
                           constant uint& n [[buffer(2)]],
                           uint i [[thread_position_in_grid]])
{
    if (i < n) {
        data[i] += scalar;
    }
}

/// Multiplies the first `n` elements by `scalar`, in place.
kernel void scalar_multiply_f32(device float* data [[buffer(0)]],
                                constant float& scalar [[buffer(1)]],
                                constant uint& n [[buffer(2)]],
                                uint i [[thread_position_in_grid]])
{
    if (i < n) {
        data[i] *= scalar;
    }
}

// 7 Metal Performance Primitives
#include <metal_stdlib>
#include <metal_tensor>
#include <MetalPerformancePrimitives/MetalPerformancePrimitives.h>
using namespace metal;
using namespace mpp::tensor_ops;
//--- 7.2.1 `matmul2d` of tensors in device memory by one SIMD-group
// known failure: being worked on
// buffer 0: f32 = expr(128, i % 7)
// buffer 1: f32 = expr(128, i % 5)
// buffer 2: f32 = zeros(64)
// buffer 3: f32 = zeros(1)
// dispatch: f grid=32 threadgroup=32
// dispatch: check grid=1
// expect 3: f32 = 0
kernel void f(device float* a [[buffer(0)]], device float* b [[buffer(1)]], device float* c [[buffer(2)]]) {
    auto A = tensor<device float, dextents<int32_t, 2>, tensor_inline>(a, dextents<int32_t, 2>(16, 8));
    auto B = tensor<device float, dextents<int32_t, 2>, tensor_inline>(b, dextents<int32_t, 2>(8, 16));
    auto C = tensor<device float, dextents<int32_t, 2>, tensor_inline>(c, dextents<int32_t, 2>(8, 8));
    constexpr auto descriptor = matmul2d_descriptor(8, 8, 16, false, false, false);
    matmul2d<descriptor, execution_simdgroup> op;
    op.run(A, B, C);
}
kernel void check(device float* a [[buffer(0)]], device float* b [[buffer(1)]], device float* c [[buffer(2)]], device float* o [[buffer(3)]]) {
    for (int y = 0; y < 8; y++) for (int x = 0; x < 8; x++) {
        float s = 0;
        for (int k = 0; k < 16; k++) s += a[y * 16 + k] * b[k * 8 + x];
        o[0] += abs(s - c[y * 8 + x]);
    }
}

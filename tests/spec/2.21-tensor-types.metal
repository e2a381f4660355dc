// 2.21 Tensor Types
#include <metal_stdlib>
#include <metal_tensor>
using namespace metal;
//--- `extents<I, …>`, `dextents<I, n>`: rank, extent, static and dynamic ones
// gives: i32 = 2 4 7 1 2
kernel void f(device int* o) {
    extents<int, 4, dynamic_extent> e(7);
    o[0] = e.rank(); o[1] = e.extent(0); o[2] = e.extent(1); o[3] = e.rank_dynamic();
    o[4] = dextents<int, 2>::rank();
}
//--- tensors over device memory: `tensor_inline`, extents, strides, elements
// gives: f32 = 1 2 3 4 5 6 3 2 6 3
kernel void f(device float* o) {
    tensor<device float, dextents<int32_t, 2>, tensor_inline> t(o, dextents<int32_t, 2>(3, 2));
    for (int y = 0; y < 2; y++) for (int x = 0; x < 3; x++) t[x, y] = y * 3 + x + 1;
    o[6] = t.get_extent(0); o[7] = t.get_extent(1); o[8] = t[2, 1]; o[9] = t.get_stride(1);
}
//--- strides of one's own; tensors of threadgroup memory
// gives: f32 = 10 20 5 7
kernel void f(device float* o) {
    threadgroup float m[16];
    for (int i = 0; i < 16; i++) m[i] = i;
    tensor<threadgroup float, dextents<int, 2>, tensor_inline> t(m, dextents<int, 2>(2, 2), array<int, 2>{1, 5});
    t[0, 1] = 10;
    o[0] = m[5]; t[1, 1] = 20; o[1] = m[6]; o[2] = t.get_stride(1); o[3] = m[7];
}
//--- slices keep strides and the extents that are left
// gives: i32 = 5 2 3 14
kernel void f(device int* o) {
    threadgroup int m[16];
    for (int i = 0; i < 16; i++) m[i] = i;
    tensor<threadgroup int, dextents<int, 2>, tensor_inline> t(m, dextents<int, 2>(4, 4));
    auto s = t.slice(1, 1);
    o[0] = s[0, 0]; 
    auto u = t.slice<2, 3>(1, 1);
    o[1] = u.get_extent(0); o[2] = u.get_extent(1); o[3] = u[1, 2];
}
//--- `tensor_handle`: tensors of the host
// error: unsupported-tensor-handle
kernel void f(device int* o [[buffer(0)]], tensor<device int, dextents<int, 2>> t [[buffer(1)]]) { o[0] = t[0, 0]; }

// 7 Metal Performance Primitives
#include <metal_stdlib>
#include <metal_tensor>
#include <MetalPerformancePrimitives/MetalPerformancePrimitives.h>
#include <MetalPerformancePrimitives/MPPTensorOpsConvolution2d.h>
using namespace metal;
using namespace mpp::tensor_ops;
//--- 7.2.1 `matmul2d` of tensors in device memory by one SIMD-group
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
//--- tiles of a larger product, four SIMD-groups, `dynamic_extent`, slices, edges
// buffer 0: f16 = expr(1330, i % 7 - 3)
// buffer 1: f16 = expr(760, i % 5 - 2)
// buffer 2: f32 = zeros(2800)
// buffer 3: f32 = zeros(2)
// dispatch: f groups=2,2 threadgroup=128
// dispatch: check grid=1
// expect 3: f32 = 0 1330
constant constexpr int M = 70, N = 40, K = 19;
kernel void f(device half* a [[buffer(0)]], device half* b [[buffer(1)]], device float* c [[buffer(2)]], uint2 g [[threadgroup_position_in_grid]]) {
    auto A = tensor(a, dextents<int, 2>(K, M));
    auto B = tensor(b, dextents<int, 2>(N, K));
    auto C = tensor(c, dextents<int, 2>(N, M));
    constexpr auto descriptor = matmul2d_descriptor(64, 32, static_cast<int>(dynamic_extent));
    matmul2d<descriptor, execution_simdgroups<4>> op;
    auto mA = A.slice(0, g.y * 64);
    auto mB = B.slice(g.x * 32, 0);
    auto mC = C.slice(g.x * 32, g.y * 64);
    op.run(mA, mB, mC);
}
kernel void check(device half* a [[buffer(0)]], device half* b [[buffer(1)]], device float* c [[buffer(2)]], device float* o [[buffer(3)]]) {
    for (int y = 0; y < M; y++) for (int x = 0; x < N; x++) {
        float s = 0;
        for (int k = 0; k < K; k++) s += float(a[y * K + k]) * float(b[k * N + x]);
        o[0] += abs(s - c[y * N + x]);
    }
    o[1] = M * K;
}
//--- operands transposed, of different types, in threadgroup memory; sums that go on in a cooperative tensor
// buffer 0: f32 = expr(1280, i % 9 - 4)
// buffer 1: f32 = expr(2560, i % 5 - 2)
// buffer 2: f32 = zeros(2048)
// buffer 3: f32 = zeros(2)
// dispatch: f grid=128 threadgroup=128
// dispatch: check grid=1
// expect 3: f32 = 0 1
kernel void f(device float* a [[buffer(0)]], device float* b [[buffer(1)]], device float* c [[buffer(2)]], uint i [[thread_index_in_threadgroup]]) {
    // c[32][64] = a[32][40] b[64][40]^T, in two parts of k; b is brought into threadgroup memory as half.
    threadgroup half t[64 * 32];
    constexpr auto mode = matmul2d_descriptor::mode::multiply_accumulate;
    matmul2d<matmul2d_descriptor(32, 64, static_cast<int>(dynamic_extent), false, true, true, mode), execution_simdgroups<4>> op;
    auto tA = tensor(a, dextents<int, 2>(40, 32));
    auto tB = tensor(t, dextents<int, 2>(32, 64));
    auto sum = op.get_destination_cooperative_tensor<decltype(tA), decltype(tB), float>();
    for (ushort e = 0; e < sum.get_capacity(); e++) if (sum.is_valid_element(e)) sum[e] = 1;
    for (int k = 0; k < 40; k += 32) {
        int n = min(32, 40 - k);
        for (int j = i; j < 64 * n; j += 128) t[j / n * 32 + j % n] = half(b[j / n * 40 + k + j % n]);
        threadgroup_barrier(mem_flags::mem_threadgroup);
        auto pA = tensor(a + k, dextents<int, 2>(n, 32), array<int, 2>({1, 40}));
        auto pB = tensor(t, dextents<int, 2>(n, 64), array<int, 2>({1, 32}));
        op.run(pA, pB, sum);
        threadgroup_barrier(mem_flags::mem_threadgroup);
    }
    for (ushort e = 0; e < sum.get_capacity(); e++) {
        auto at = sum.get_multidimensional_index(e);
        if (sum.is_valid_element(e)) sum[e] *= float(at[1] + 1);
    }
    sum.store(tensor(c, dextents<int, 2>(64, 32)));
}
kernel void check(device float* a [[buffer(0)]], device float* b [[buffer(1)]], device float* c [[buffer(2)]], device float* o [[buffer(3)]]) {
    for (int y = 0; y < 32; y++) for (int x = 0; x < 64; x++) {
        float s = 1;
        for (int k = 0; k < 40; k++) s += a[y * 40 + k] * b[x * 40 + k];
        o[0] += abs(s * (y + 1) - c[y * 64 + x]);
    }
    o[1] = c[1] != c[65];
}
//--- cooperative tensors as operands, transposed and not
// buffer 0: f16 = expr(256, i % 7 - 3)
// buffer 1: f16 = expr(512, i % 5 - 2)
// buffer 2: f32 = zeros(2048)
// buffer 3: f32 = zeros(4)
// dispatch: f grid=32 threadgroup=32
// dispatch: check grid=1
// expect 3: f32 = 0 0 0 0
template <bool left, bool right> void product(device half* a, device half* b, device float* c) {
    constexpr auto d = matmul2d_descriptor(16, 32, 16, left, right, true, matmul2d_descriptor::mode::multiply_accumulate);
    matmul2d<d, execution_simdgroup> op;
    auto ta = op.template get_left_input_cooperative_tensor<half, half, float>();
    auto tb = op.template get_right_input_cooperative_tensor<half, half, float>();
    auto tc = op.template get_destination_cooperative_tensor<remove_addrspace_t<decltype(ta)>, remove_addrspace_t<decltype(tb)>, float>();
    ta.load(tensor(a, dextents<int, 2>(16, 16)));
    tb.load(tensor(b, dextents<int, 2>(right ? 16 : 32, right ? 32 : 16)));
    for (int i = 0; i < tc.get_capacity(); i++) tc[i] = 0;
    op.run(ta, tb, tc);
    tc.store(tensor(c, dextents<int, 2>(32, 16)));
}
kernel void f(device half* a [[buffer(0)]], device half* b [[buffer(1)]], device float* c [[buffer(2)]]) {
    product<false, false>(a, b, c);
    product<true, false>(a, b, c + 512);
    product<false, true>(a, b, c + 1024);
    product<true, true>(a, b, c + 1536);
}
kernel void check(device half* a [[buffer(0)]], device half* b [[buffer(1)]], device float* c [[buffer(2)]], device float* o [[buffer(3)]]) {
    for (int t = 0; t < 4; t++) for (int y = 0; y < 16; y++) for (int x = 0; x < 32; x++) {
        float s = 0;
        for (int k = 0; k < 16; k++) s += float(t & 1 ? a[k * 16 + y] : a[y * 16 + k]) * float(t & 2 ? b[x * 16 + k] : b[k * 32 + x]);
        o[t] += abs(s - c[t * 512 + y * 32 + x]);
    }
}
//--- integers are summed without loss
// buffer 0: i8 = expr(512, i % 251 - 125)
// buffer 1: i8 = expr(512, i % 241 - 120)
// buffer 2: i32 = zeros(256)
// buffer 3: i32 = zeros(1)
// dispatch: f grid=32 threadgroup=32
// dispatch: check grid=1
// expect 3: i32 = 0
kernel void f(device char* a [[buffer(0)]], device char* b [[buffer(1)]], device int* c [[buffer(2)]]) {
    matmul2d<matmul2d_descriptor(16, 16, 32), execution_simdgroup> op;
    op.run(tensor(a, dextents<int, 2>(32, 16)), tensor(b, dextents<int, 2>(16, 32)), tensor(c, dextents<int, 2>(16, 16)));
}
kernel void check(device char* a [[buffer(0)]], device char* b [[buffer(1)]], device int* c [[buffer(2)]], device int* o [[buffer(3)]]) {
    for (int y = 0; y < 16; y++) for (int x = 0; x < 16; x++) {
        int s = 0;
        for (int k = 0; k < 32; k++) s += a[y * 32 + k] * b[k * 16 + x];
        o[0] += abs(s - c[y * 16 + x]);
    }
}
//--- one thread alone: `execution_thread`
// gives: f32 = 19 22 43 50
kernel void f(device float* o) {
    float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8};
    matmul2d<matmul2d_descriptor(2, 2, 2), execution_thread> op;
    op.run(tensor(a, dextents<int, 2>(2, 2)), tensor(b, dextents<int, 2>(2, 2)), tensor(o, dextents<int, 2>(2, 2)));
}
//--- `reduce_rows`, `reduce_columns`: of one SIMD-group; rows go with the elements of the matrix
// buffer 0: f32 = zeros(20)
// buffer 1: f32 = zeros(24)
// buffer 2: f32 = zeros(480)
// dispatch: f grid=32 threadgroup=32
// expect 0: f32 = expr(20, 23 + 100 * i)
// expect 1: f32 = expr(24, 20 * i + 19000)
// expect 2[0]: f32 = -23 -22
// expect 2[24]: f32 = -23
template <typename C> void fill(thread C& c) { for (uint i = 0; i < c.get_capacity(); i++) { auto at = c.get_multidimensional_index(i); c[i] = at[0] + 100 * at[1]; } }
kernel void f(device float* o [[buffer(0)]], device float* q [[buffer(1)]], device float* z [[buffer(2)]]) {
    matmul2d<matmul2d_descriptor(20, 24, 8), execution_simdgroup> op;
    auto c = op.get_destination_cooperative_tensor<float, float, float>();
    fill(c);
    auto r = op.get_row_reduction_destination_cooperative_tensor<float, float, float>();
    reduce_rows(c, r, reduction_operation::max, -INFINITY);
    r.store(tensor(o, dextents<int, 1>(20)));
    auto k = op.get_column_reduction_destination_cooperative_tensor<float, float, float>();
    reduce_columns(c, k);
    k.store(tensor(q, dextents<int, 1>(24)));
    for (auto it = c.begin(); it != c.end(); it++) *it -= *r.map_iterator(it);
    c.store(tensor(z, dextents<int, 2>(24, 20)));
}
//--- reductions by one thread
// gives: i32 = 6 15 5 7 9 1 2
kernel void f(device int* o) {
    matmul2d<matmul2d_descriptor(2, 3, 2), execution_thread> op;
    auto c = op.get_destination_cooperative_tensor<int, int, int>();
    for (uint i = 0; i < c.get_capacity(); i++) c[i] = int(i) + 1;
    auto r = op.get_row_reduction_destination_cooperative_tensor<int, int, int>();
    reduce_rows(c, r);
    auto k = op.get_column_reduction_destination_cooperative_tensor<int, int, int>();
    reduce_columns(c, k);
    o[0] = r[0]; o[1] = r[1]; o[2] = k[0]; o[3] = k[1]; o[4] = k[2];
    reduce_rows(c, r, reduction_operation::min, 100);
    o[5] = r[0];
    reduce_columns(c, k, reduction_operation::max, 2);
    o[6] = is_iterator_compatible(c, k) && k[0] == 4 ? 2 : 0;
}
//--- reductions over several SIMD-groups
// error: static-assert
kernel void f(device int* o) {
    matmul2d<matmul2d_descriptor(32, 32, 8), execution_simdgroups<4>> op;
    auto c = op.get_destination_cooperative_tensor<float, float, float>();
    auto r = op.get_row_reduction_destination_cooperative_tensor<float, float, float>();
    reduce_rows(c, r);
}
//--- 7.2.2 `convolution2d`: a window of 3 by 3, zero beyond the image
// buffer 0: f32 = expr(150, i % 7 - 3)
// buffer 1: f32 = expr(108, i % 5 - 2)
// buffer 2: f32 = zeros(1)
// buffer 3: f32 = fill(100, 5)
// dispatch: f grid=32 threadgroup=32
// expect 2: f32 = 0
// The sums are those of the definition; the pixels are kept in order: channels, x, y.
kernel void f(device float* a [[buffer(0)]], device float* w [[buffer(1)]], device float* o [[buffer(2)]], device float* d [[buffer(3)]], uint i [[thread_position_in_grid]]) {
    auto activation = tensor(a, dextents<int, 4>(3, 5, 5, 2));
    auto weights = tensor(w, dextents<int, 4>(4, 3, 3, 3));
    auto destination = tensor(d, dextents<int, 4>(4, 5, 5, 1));
    constexpr auto how = convolution2d_descriptor(int4(4, 5, 5, 1), int4(3, 5, 5, 1), int2(3, 3));
    static_assert(how.convolution2d_mode == convolution2d_descriptor::mode::multiply && how.groups == 1);
    convolution2d<how, execution_simdgroup> op;
    op.run(activation, weights, destination);
    simdgroup_barrier(mem_flags::mem_device);
    if (i != 0) return;
    for (int y = 0; y < 5; y++) for (int x = 0; x < 5; x++) for (int c = 0; c < 4; c++) {
        float sum = 0;
        for (int ky = 0; ky < 3; ky++) for (int kx = 0; kx < 3; kx++) for (int k = 0; k < 3; k++) {
            int sx = x + kx - 1, sy = y + ky - 1;
            if (sx >= 0 && sy >= 0 && sx < 5 && sy < 5) sum += a[k + 3 * (sx + 5 * sy)] * w[c + 4 * (k + 3 * (kx + 3 * ky))];
        }
        o[0] += abs(sum - d[c + 4 * (x + 5 * y)]);
    }
}
//--- tiles of convolutions: strides, dilations, offsets, two batches, groups, sums in a cooperative tensor
// buffer 0: f16 = expr(704, i % 9 - 4)
// buffer 1: f16 = expr(576, i % 5 - 2)
// buffer 2: f32 = zeros(3)
// buffer 3: f16 = zeros(2304)
// dispatch: f grid=128 threadgroup=64
// expect 2: f32 = 0 0 3
constant constexpr int C = 4, W = 11, H = 8, N = 2, O = 24, OW = 6, OH = 4;
template <int groups, bool adds> void convolve(device half* a, device half* w, device half* d, uint tile) {
    tensor<device half, dextents<int, 4>, tensor_inline> activation(a, dextents<int, 4>(C, W, H, N));
    tensor<device half, dextents<int, 4>, tensor_inline> weights(w, dextents<int, 4>(O, C / groups, 3, 2));
    tensor<device half, dextents<int, 4>, tensor_inline> destination(d, dextents<int, 4>(O, OW, OH, N));
    constexpr auto how = convolution2d_descriptor(int4(O, OW, 2, N), int4(-1, W, H, N), int2(3, 2), convolution2d_activation_layout::nhwc,
        convolution2d_weights_layout::hwio, int2(2, 2), int2(2, 1), groups, true, convolution2d_descriptor::mode::multiply_accumulate);
    convolution2d<how, execution_simdgroups<2>> op;
    // No room at the left, one row at the top.
    op.set_offsets(int2(((3 - 1) * 2 + 1) / 2, 4 * int(tile) + (1 * 1 + 1) / 2 - 1));
    auto sums = op.template get_destination_cooperative_tensor<decltype(activation), decltype(weights), float>();
    sums.fill(1);
    if (adds) op.run(activation, weights, sums);
    op.run(activation, weights, sums);
    for (uint16_t i = 0; i < sums.get_capacity(); i++) {
        auto at = sums.get_multidimensional_index(i);
        if (sums.is_valid_element(i)) sums[i] += float(at[0] % 3) + 10 * at[3];
    }
    sums.store(destination.slice(0, 0, 2 * int(tile), 0));
}
static float expected(const device half* a, const device half* w, int c, int x, int y, int n, int groups) {
    float sum = 0;
    int depth = C / groups, group = c / (O / groups);
    for (int ky = 0; ky < 2; ky++) for (int kx = 0; kx < 3; kx++) for (int k = 0; k < depth; k++) {
        int sx = x * 2 + kx * 2, sy = y * 2 + ky - 1;
        if (sx < W && sy >= 0 && sy < H) sum += float(a[group * depth + k + C * (sx + W * (sy + H * n))]) * float(w[c + O * (k + depth * (kx + 3 * ky))]);
    }
    return sum;
}
kernel void f(device half* a [[buffer(0)]], device half* w [[buffer(1)]], device float* o [[buffer(2)]], device half* d [[buffer(3)]],
              uint g [[threadgroup_position_in_grid]], uint i [[thread_index_in_threadgroup]]) {
    convolve<1, true>(a, w, d, g);
    convolve<2, false>(a, w, d + 1152, g);
    threadgroup_barrier(mem_flags::mem_device);
    if (i == 0) o[2] = 3;
    if (i != 0) return;
    for (int n = 0; n < N; n++) for (int y = 2 * int(g); y < 2 * int(g) + 2; y++) for (int x = 0; x < OW; x++) for (int c = 0; c < O; c++) {
        int at = c + O * (x + OW * (y + OH * n));
        float more = 1 + c % 3 + 10 * n;
        if (abs(2 * expected(a, w, c, x, y, n, 1) + more - float(d[at])) > 0) o[0] += 1;
        if (abs(expected(a, w, c, x, y, n, 2) + more - float(d[1152 + at])) > 0) o[1] += 1;
    }
}
//--- a convolution by one thread
// error: static-assert
kernel void f(device float* o) {
    convolution2d<convolution2d_descriptor(int4(1), int4(1), int2(3)), execution_thread> op;
    op.set_offsets(int2(0));
}

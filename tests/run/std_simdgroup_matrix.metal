// simdgroup_matrix (MSL specification, sections 2.3.1 and 6.7).
//--- which elements a thread holds
// buffer 0: f32 = iota(64)
// buffer 1: f32 = zeros(64)
// dispatch: layout grid=32 threadgroup=32
// expect 1: f32 = 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27  4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31
// expect 1[32]: f32 = 32 33 34 35 40 41 42 43 48 49 50 51 56 57 58 59  36 37 38 39 44 45 46 47 52 53 54 55 60 61 62 63
#include <metal_stdlib>
using namespace metal;
// Lane bits 4, 2, 1 are the row; bits 3, 0 the pair of columns.
kernel void layout(device const float* in [[buffer(0)]], device float2* out [[buffer(1)]], uint i [[thread_index_in_simdgroup]]) {
    simdgroup_float8x8 m;
    simdgroup_load(m, in);
    out[i] = m.thread_elements();
}
//--- load and store with strides, origins, transposed
// buffer 0: f32 = iota(160)
// buffer 1: f32 = zeros(160)
// buffer 2: f32 = zeros(64)
// buffer 3: f32 = zeros(160)
// dispatch: memory grid=32 threadgroup=32
// expect 1[16]: f32 = 0 0 19 20 21 22 23 24 25 26 0 0 0 0 0 0
// expect 1[128]: f32 = 0 0 131 132 133 134 135 136 137 138 0 0 0 0 0 0
// expect 2: f32 = 0 16 32 48 64 80 96 112  1 17 33 49 65 81 97 113
// expect 2[56]: f32 = 7 23 39 55 71 87 103 119
// expect 3: f32 = zeros(17) 17 33 49 65 81 97 113 129 zeros(8) 18 34
#include <metal_stdlib>
using namespace metal;
kernel void memory(device const float* in [[buffer(0)]], device float* moved [[buffer(1)]], device float* transposed [[buffer(2)]],
                   device float* both [[buffer(3)]], uint i [[thread_index_in_simdgroup]]) {
    simdgroup_float8x8 m, t;
    // The origin is (column, row).
    simdgroup_load(m, in, 16, ulong2(3, 1));
    simdgroup_store(m, moved, 16, ulong2(2, 1));
    threadgroup float shared[128];
    for (uint k = i; k < 128; k += 32) shared[k] = in[k];
    simdgroup_barrier(mem_flags::mem_threadgroup);
    simdgroup_load(t, shared, 16, ulong2(0, 0), true);
    simdgroup_store(t, transposed);
    simdgroup_load(m, in + 17, 16);
    simdgroup_store(m, both + 17, 16, 0, true);
}
//--- products
// buffer 0: f32 = expr(64, i % 7 - 3)
// buffer 1: f32 = expr(64, i % 5 - 1)
// buffer 2: f32 = expr(64, i)
// buffer 3: f32 = zeros(256)
// dispatch: products grid=32 threadgroup=32
// expect 3[0]: f32 = 4 1 -7 -15 2 4 1 -7 -4 -11 7 -5 3 -4 -11 7 9 -2 7 -9 -10 9 -2 7 8 -7 -7 8 -2 8 -7 -7 -7 9 0 11 -8 -7 9 0 -1 11 -7 0 7 -1 11 -7 -9 -1 7 10 8 -9 -1 7 4 1 -7 -15 2 4 1 -7
// expect 3[64]: f32 = 4 2 -5 -12 6 9 7 0 4 -2 17 6 15 9 3 22 25 15 25 10 10 30 20 30 32 18 19 35 26 37 23 24 25 42 34 46 28 30 47 39 39 52 35 43 51 44 57 40 39 48 57 61 60 44 53 62 60 58 51 44 62 65 63 56
// expect 3[128]: f32 = 4 2 -5 -12 6 9 7 0 4 -2 17 6 15 9 3 22 25 15 25 10 10 30 20 30 32 18 19 35 26 37 23 24 25 42 34 46 28 30 47 39 39 52 35 43 51 44 57 40 39 48 57 61 60 44 53 62 60 58 51 44 62 65 63 56
// expect 3[192]: f32 = -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6 -4 -2 0 2 4 6 -6
#include <metal_stdlib>
using namespace metal;
kernel void products(device const float* pa [[buffer(0)]], device const float* pb [[buffer(1)]], device const float* pc [[buffer(2)]],
                     device float* out [[buffer(3)]]) {
    simdgroup_matrix<float, 8, 8> a, b, c, d;
    simdgroup_load(a, pa);
    simdgroup_load(b, pb);
    simdgroup_load(c, pc);
    simdgroup_multiply(d, a, b);
    simdgroup_store(d, out);
    simdgroup_multiply_accumulate(d, a, b, c);
    simdgroup_store(d, out + 64);
    // Into its own accumulator.
    simdgroup_multiply_accumulate(c, a, b, c);
    simdgroup_store(c, out + 128);
    simdgroup_float8x8 scaled = simdgroup_float8x8(2.0f);
    simdgroup_store(a * scaled, out + 192);
}
//--- of half, filled and edited
// buffer 0: f16 = expr(64, i % 4)
// buffer 1: f16 = zeros(64)
// buffer 2: f32 = zeros(64)
// buffer 3: bf16 = zeros(64)
// dispatch: halves grid=64 threadgroup=64
// expect 1: f16 = expr(64, (i % 4) * 3 + 1)
// expect 2: f32 = expr(64, (i % 4) * 3 + 2)
// expect 3: bf16 = fill(64, 1.5)
#include <metal_stdlib>
using namespace metal;
kernel void halves(device const half* in [[buffer(0)]], device half* out [[buffer(1)]], device float* wide [[buffer(2)]],
                   device bfloat* filled [[buffer(3)]], uint group [[simdgroup_index_in_threadgroup]]) {
    simdgroup_half8x8 a, b(3.0h), d;
    simdgroup_float8x8 e;
    simdgroup_load(a, in);
    simdgroup_multiply_accumulate(d, a, b, make_filled_simdgroup_matrix<half, 8, 8>(1.0h));
    simdgroup_multiply_accumulate(e, a, b, make_filled_simdgroup_matrix<float, 8>(1.0f));
    e.thread_elements()[0] += 1;
    e.thread_elements()[1] += 1;
    // Each of the two simdgroups has matrices of its own.
    if (group == 1) {
        simdgroup_store(d, out);
        simdgroup_store(e, wide);
        simdgroup_store(make_filled_simdgroup_matrix<bfloat, 8, 8>(bfloat(1.5f)), filled);
    }
}
//--- a tiled product of 16 by 16
// buffer 0: f32 = expr(256, i % 3)
// buffer 1: f32 = expr(256, i % 5)
// buffer 2: f32 = zeros(256)
// dispatch: tiles grid=128 threadgroup=128
// expect 2[0]: f32 = 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 31 32 33 34 30 31 32 33 34 30 31 32 33 34 30 30 32 34 36 38 30 32 34 36 38 30 32 34 36 38 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30
// expect 2[64]: f32 = 30 31 32 33 34 30 31 32 33 34 30 31 32 33 34 30 30 32 34 36 38 30 32 34 36 38 30 32 34 36 38 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 31 32 33 34 30 31 32 33 34 30 31 32 33 34 30
// expect 2[128]: f32 = 30 32 34 36 38 30 32 34 36 38 30 32 34 36 38 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 31 32 33 34 30 31 32 33 34 30 31 32 33 34 30 30 32 34 36 38 30 32 34 36 38 30 32 34 36 38 30
// expect 2[192]: f32 = 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 31 32 33 34 30 31 32 33 34 30 31 32 33 34 30 30 32 34 36 38 30 32 34 36 38 30 32 34 36 38 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30
#include <metal_stdlib>
using namespace metal;
kernel void tiles(device const float* a [[buffer(0)]], device const float* b [[buffer(1)]], device float* c [[buffer(2)]],
                  uint group [[simdgroup_index_in_threadgroup]]) {
    uint row = group / 2 * 8, column = group % 2 * 8;
    simdgroup_float8x8 sum(0.0f), x, y;
    for (uint k = 0; k < 16; k += 8) {
        simdgroup_load(x, a + row * 16 + k, 16);
        simdgroup_load(y, b + k * 16 + column, 16);
        simdgroup_multiply_accumulate(sum, x, y, sum);
    }
    simdgroup_store(sum, c + row * 16 + column, 16);
}

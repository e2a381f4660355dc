// Packing and unpacking (MSL specification, section 6.14), packed vectors, `as_type`.
//--- float to packed
// buffer 0: u32 = zeros(8)
// buffer 1: u32 = zeros(8)
// dispatch: pack grid=1
// expect 0: u32 = 0xff8033 0xe07f4019 0xffbc7c 0x80003333 0xe0001999 0xbff800cd 0x341f 0
// expect 1: u32 = 0xff8033 0xe07f4019 0xffbc7c 0x0 0x0 0xbff800cd 0x341f 0
#include <metal_stdlib>
using namespace metal;
kernel void pack(device uint* out [[buffer(0)]], device uint* from_half [[buffer(1)]]) {
    float4 v(0.2f, 0.5f, 1.5f, -0.25f);
    float4 w(v.xyz, 0.7f);
    out[0] = pack_float_to_unorm4x8(v);
    out[1] = pack_float_to_snorm4x8(v);
    out[2] = pack_float_to_srgb_unorm4x8(v);
    out[3] = pack_float_to_unorm2x16(v.xy);
    out[4] = pack_float_to_snorm2x16(v.xw);
    out[5] = pack_float_to_unorm10a2(w);
    out[6] = pack_float_to_unorm565(v.xyz);
    half4 h(v), k(w);
    from_half[0] = pack_half_to_unorm4x8(h);
    from_half[1] = pack_half_to_snorm4x8(h);
    from_half[2] = pack_half_to_srgb_unorm4x8(h);
    from_half[5] = pack_half_to_unorm10a2(k);
    from_half[6] = pack_half_to_unorm565(h.xyz);
}
//--- packed to float
// buffer 0: f32 = zeros(23)
// buffer 1: f32 = zeros(23)
// buffer 2: u32 = 0x80ff407f
// buffer 3: u16 = 0x9d3c
// dispatch: unpack grid=1
// expect 0: f32 ~ 1e-6 = 0.49803922 0.25098039 1 0.50196078 1 0.50393701 -0.0078740157 -1 0.21223076 0.051269458 1 0.50196078 0.25194171 0.50389868 0.50389111 -0.9922483 0.12414467 0.9540567 0.014662757 0.66666667 0.61290323 0.65079365 0.90322581
// expect 1: f32 ~ 1e-3 = 0.49803922 0.25098039 1 0.50196078 1 0.50393701 -0.0078740157 -1 0.21223076 0.051269458 1 0.50196078 0.25194171 0.50389868 0.50389111 -0.9922483 0.12414467 0.9540567 0.014662757 0.66666667 0.61290323 0.65079365 0.90322581
#include <metal_stdlib>
using namespace metal;
template <typename T> static void put(device float* out, thread int& n, T v, int count) {
    for (int i = 0; i < count; i++) out[n++] = float(v[i]);
}
kernel void unpack(device float* out [[buffer(0)]], device float* halves [[buffer(1)]], device const uint& word [[buffer(2)]],
                   device const ushort& small [[buffer(3)]]) {
    int n = 0;
    put(out, n, unpack_unorm4x8_to_float(word), 4);
    put(out, n, unpack_snorm4x8_to_float(word), 4);
    put(out, n, unpack_unorm4x8_srgb_to_float(word), 4);
    put(out, n, unpack_unorm2x16_to_float(word), 2);
    put(out, n, unpack_snorm2x16_to_float(word), 2);
    put(out, n, unpack_unorm10a2_to_float(word), 4);
    put(out, n, unpack_unorm565_to_float(small), 3);
    n = 0;
    put(halves, n, unpack_unorm4x8_to_half(word), 4);
    put(halves, n, unpack_snorm4x8_to_half(word), 4);
    put(halves, n, unpack_unorm4x8_srgb_to_half(word), 4);
    put(halves, n, unpack_unorm2x16_to_half(word), 2);
    put(halves, n, unpack_snorm2x16_to_half(word), 2);
    put(halves, n, unpack_unorm10a2_to_half(word), 4);
    put(halves, n, unpack_unorm565_to_half(small), 3);
}
//--- every byte survives
// buffer 0: u32 = zeros(4)
// dispatch: round_trip grid=256 threadgroup=64
// expect 0: u32 = 0 0 0 0
#include <metal_stdlib>
using namespace metal;
kernel void round_trip(device atomic_uint* wrong [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    uint word = i | ((255 - i) << 8) | ((i ^ 85) << 16) | (i << 24);
    if (pack_float_to_unorm4x8(unpack_unorm4x8_to_float(word)) != word) atomic_fetch_add_explicit(&wrong[0], 1, memory_order_relaxed);
    if (pack_float_to_srgb_unorm4x8(unpack_unorm4x8_srgb_to_float(word)) != word) atomic_fetch_add_explicit(&wrong[1], 1, memory_order_relaxed);
    // -128 and -127 stand for the same number.
    uint signed_word = i == 128 ? 0 : i * 0x01010101u;
    if (pack_float_to_snorm4x8(unpack_snorm4x8_to_float(signed_word)) != signed_word) atomic_fetch_add_explicit(&wrong[2], 1, memory_order_relaxed);
    uint wide = i * 257;
    if (pack_float_to_unorm2x16(unpack_unorm2x16_to_float(wide)) != wide) atomic_fetch_add_explicit(&wrong[3], 1, memory_order_relaxed);
}
//--- packed vectors have no padding and convert to vectors
// buffer 0: f32 = iota(12)
// buffer 1: u32 = zeros(12)
// dispatch: packed grid=1
// expect 0: f32 = 0 1 2  6 10 14  3 4 5  9 10 99
// expect 1: u32 = 12 4 6 2 3 16 16 8 1 24 8 32
#include <metal_stdlib>
using namespace metal;
struct Vertex { packed_float3 position; packed_short3 normal; };
kernel void packed(device packed_float3* p [[buffer(0)]], device uint* sizes [[buffer(1)]]) {
    float3 a = p[1];
    p[1] = a + float3(p[1]);
    p[1][2] = p[1].z + 4;
    p[1].y += 2;
    packed_float3 t = p[2];
    t = packed_float3(t.x - 3, t.y - 3, t[2] - 3);
    p[2] = t;
    p[3].z = 99;
    sizes[0] = sizeof(packed_float3); sizes[1] = alignof(packed_float3); sizes[2] = sizeof(packed_half3);
    sizes[3] = alignof(packed_half3); sizes[4] = sizeof(packed_uchar3); sizes[5] = sizeof(float3); sizes[6] = alignof(float3);
    sizes[7] = sizeof(half3); sizes[8] = alignof(packed_uchar4); sizes[9] = sizeof(packed_long3); sizes[10] = alignof(packed_long2);
    sizes[11] = sizeof(ulong3);
}
//--- as_type between types of one size
// buffer 0: u32 = zeros(10)
// dispatch: bits grid=1
// expect 0: u32 = 0x3f800000 0x3c00 0x04030201 0x3f80 0x40000000 0x3c004000 0xfffffffe 0x0a 0x3f800000 1
#include <metal_stdlib>
using namespace metal;
kernel void bits(device uint* out [[buffer(0)]]) {
    out[0] = as_type<uint>(1.0f);
    out[1] = as_type<ushort>(1.0h);
    out[2] = as_type<uint>(uchar4(1, 2, 3, 4));
    out[3] = as_type<ushort>(bfloat(1.0f));
    out[4] = as_type<uint2>(float2(1, 2)).y;
    out[5] = as_type<uint>(half2(2.0h, 1.0h));
    out[6] = as_type<uint>(-2);
    out[7] = as_type<uchar>(char(10));
    ulong wide = as_type<ulong>(float2(0, 1));
    out[8] = uint(wide >> 32);
    out[9] = as_type<float>(0x3f800000u) == 1.0f && as_type<float4>(uint4(0x40000000u)).w == 2.0f;
}

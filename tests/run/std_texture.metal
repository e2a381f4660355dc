// Textures of every dimension, mipmap levels, addressing and filtering, gather, comparison (MSL specification, section 6.12).
//--- one dimension
// texture 0: r32Float 4x1 = 1 2 3 4
// texture 1: r32Float 4x1
// texture 2: r32Uint 3x1 array=2 = 1 2 3 4 5 6
// texture 3: r32Uint 3x1 array=2
// buffer 0: f32 = zeros(16)
// dispatch: one grid=1
// expect 0: f32 = 4 1 4 0 2 2.5 4 3 2 5 3 0
// expect texture 1: f32 = 0 8 0 9
// expect texture 3: u32 = 0 7 0  0 0 6
#include <metal_stdlib>
using namespace metal;
kernel void one(texture1d<float> t [[texture(0)]], texture1d<float, access::write> w [[texture(1)]],
                texture1d_array<uint> a [[texture(2)]], texture1d_array<uint, access::write> wa [[texture(3)]], device float* out [[buffer(0)]]) {
    constexpr sampler nearest(coord::normalized, filter::nearest, address::clamp_to_edge);
    constexpr sampler linear(coord::normalized, filter::linear, address::clamp_to_edge);
    out[0] = t.get_width(); out[1] = t.get_num_mip_levels();
    out[2] = t.read(3u).x; out[3] = t.read(4u).x;
    out[4] = t.sample(nearest, 0.3f).x; out[5] = t.sample(linear, 0.5f).x; out[6] = t.sample(linear, 2.0f).x;
    out[7] = a.get_width(); out[8] = a.get_array_size();
    out[9] = a.read(1u, 1u).x; out[10] = a.sample(nearest, 0.9f, 0u).x; out[11] = a.read(1u, 2u).x;
    w.write(float4(8), 1u); w.write(float4(9), ushort(3)); w.write(float4(9), 4u);
    wa.write(uint4(7), 1u, 0u); wa.write(uint4(a.read(2u, 1u).x), 2u, 1u);
}
//--- slices of two dimensions
// texture 0: r32Float 2x2 array=3 = 1 2 3 4  5 6 7 8  9 10 11 12
// texture 1: r32Float 2x2 array=3
// buffer 0: f32 = zeros(10)
// dispatch: slices grid=1
// expect 0: f32 = 2 2 3 1 12 6 2.5 12 0 5
// expect texture 1: f32 = 0 0 0 0  0 3 0 0  0 0 1 0
#include <metal_stdlib>
using namespace metal;
kernel void slices(texture2d_array<float> t [[texture(0)]], texture2d_array<float, access::write> w [[texture(1)]], device float* out [[buffer(0)]]) {
    constexpr sampler nearest(filter::nearest);
    constexpr sampler linear(filter::linear);
    out[0] = t.get_width(); out[1] = t.get_height(); out[2] = t.get_array_size();
    out[3] = t.read(uint2(0, 0), 0).x; out[4] = t.read(uint2(1, 1), 2).x; out[5] = t.read(ushort2(1, 0), 1).x;
    out[6] = t.sample(linear, float2(0.5), 0).x;
    // The slice is clamped.
    out[7] = t.sample(nearest, float2(0.9), 7).x;
    out[8] = t.read(uint2(0, 0), 3).x;
    out[9] = t.sample(nearest, float2(0), 1).x;
    w.write(float4(3), uint2(1, 0), 1); w.write(float4(1), ushort2(0, 1), 2); w.write(float4(1), uint2(0, 1), 3);
}
//--- three dimensions
// texture 0: r32Float 2x2x2 = 0 1 2 3 4 5 6 7
// texture 1: r32Sint 2x3x2
// buffer 0: f32 = zeros(10)
// dispatch: cubes grid=1
// expect 0: f32 = 2 2 2 6 3.5 1.75 7 0 4
// expect texture 1: i32 = 0 0 0 0 0 -5  0 0 0 4 0 0
#include <metal_stdlib>
using namespace metal;
kernel void cubes(texture3d<float> t [[texture(0)]], texture3d<int, access::write> w [[texture(1)]], device float* out [[buffer(0)]]) {
    constexpr sampler linear(filter::linear, address::clamp_to_edge);
    constexpr sampler zero(filter::nearest, address::clamp_to_zero);
    out[0] = t.get_width(); out[1] = t.get_height(); out[2] = t.get_depth();
    out[3] = t.read(uint3(0, 1, 1)).x;
    out[4] = t.sample(linear, float3(0.5)).x;
    // A quarter of the way in each direction between the first two texels: 0.25 * (1 + 2 + 4).
    out[5] = t.sample(linear, float3(0.375)).x;
    out[6] = t.sample(linear, float3(5)).x;
    out[7] = t.sample(zero, float3(0.5, 0.5, 1.5)).x;
    out[8] = t.sample(zero, float3(0.2), int3(0, 0, 1)).x;
    w.write(int4(-5), uint3(1, 2, 0)); w.write(int4(4), ushort3(1, 1, 1)); w.write(int4(4), uint3(0, 0, 2));
}
//--- cubes
// texture 0: r32Float 2x2 array=6 = 0 1 2 3  10 11 12 13  20 21 22 23  30 31 32 33  40 41 42 43  50 51 52 53
// texture 1: r32Float 1x1 array=12 = 0 1 2 3 4 5 6 7 8 9 10 11
// buffer 0: f32 = zeros(20)
// dispatch: directions grid=1
// expect 0: f32 = 1.5 11.5 21.5 31.5 41.5 51.5  2 32  0 1 2 3  52  2 9 0 11
#include <metal_stdlib>
using namespace metal;
kernel void directions(texturecube<float> t [[texture(0)]], texturecube_array<float> a [[texture(1)]], device float* out [[buffer(0)]]) {
    constexpr sampler linear(filter::linear);
    constexpr sampler nearest(filter::nearest);
    out[0] = t.sample(linear, float3(1, 0, 0)).x; out[1] = t.sample(linear, float3(-2, 0, 0)).x;
    out[2] = t.sample(linear, float3(0, 1, 0)).x; out[3] = t.sample(linear, float3(0, -1, 0)).x;
    out[4] = t.sample(linear, float3(0, 0, 1)).x; out[5] = t.sample(linear, float3(0, 0, -1)).x;
    out[6] = t.get_width(); out[7] = t.read(uint2(0, 1), 3).x;
    // On the face of +x: to the right is -z, down is -y.
    out[8] = t.sample(nearest, float3(1, 0.5, 0.5)).x; out[9] = t.sample(nearest, float3(1, 0.5, -0.5)).x;
    out[10] = t.sample(nearest, float3(1, -0.5, 0.5)).x; out[11] = t.sample(nearest, float3(1, -0.5, -0.5)).x;
    // On the face of -z: to the right is -x.
    out[12] = t.sample(nearest, float3(0.5, -0.5, -1)).x;
    out[13] = a.get_array_size(); out[14] = a.sample(nearest, float3(0, -1, 0), 1).x; out[15] = a.sample(nearest, float3(1, 0, 0), 0).x;
    out[16] = a.read(uint2(0, 0), 5, 1).x;
}
//--- levels of detail
// texture 0: r32Float 4x4 levels=3 = fill(16, 1) 10 20 30 40 100
// texture 1: r32Float 4x4 levels=3
// buffer 0: f32 = zeros(20)
// dispatch: levels grid=1
// expect 0: f32 = 3 2 1 1 20 100 0 1 1 10 17.5 100 100 25 62.5 1 25 1 10
// expect texture 1: f32 = zeros(16) 0 0 0 5 6
#include <metal_stdlib>
using namespace metal;
kernel void levels(texture2d<float> t [[texture(0)]], texture2d<float, access::write> w [[texture(1)]], device float* out [[buffer(0)]]) {
    constexpr sampler none(filter::nearest);
    constexpr sampler near(filter::nearest, mip_filter::nearest);
    constexpr sampler between(filter::nearest, mip_filter::linear);
    constexpr sampler smooth(filter::linear, mip_filter::linear);
    constexpr sampler clamped(filter::nearest, mip_filter::nearest, lod_clamp(1.0f, 1.0f));
    out[0] = t.get_num_mip_levels(); out[1] = t.get_width(1); out[2] = t.get_height(2);
    out[3] = t.read(uint2(3, 3)).x; out[4] = t.read(uint2(1, 0), 1).x; out[5] = t.read(uint2(0, 0), 2).x; out[6] = t.read(uint2(2, 0), 1).x;
    float2 c(0.25);
    out[7] = t.sample(none, c, level(2)).x;
    out[8] = t.sample(near, c).x;
    out[9] = t.sample(near, c, level(1.4)).x;
    out[10] = t.sample(smooth, float2(0.375, 0.375), level(1)).x;
    out[11] = t.sample(near, c, level(1.6)).x;
    out[12] = t.sample(between, c, level(9)).x;
    out[13] = t.sample(smooth, float2(0.5), level(1)).x;
    out[14] = t.sample(smooth, float2(0.5), level(1.5)).x;
    out[15] = t.sample(between, c, level(-3)).x;
    out[16] = t.sample(smooth, float2(0.5), gradient2d(float2(0.5, 0), float2(0, 0.25))).x;
    out[17] = t.sample(near, c, level(0.3)).x;
    out[18] = t.sample(clamped, c, level(0)).x;
    w.write(float4(5), uint2(1, 1), 1); w.write(float4(6), uint2(0, 0), 2); w.write(float4(7), uint2(0, 0), 3);
}
//--- every address mode
// texture 0: r32Float 4x1 = 1 2 3 4
// buffer 0: f32 = zeros(72)
// dispatch: addresses grid=12 threadgroup=12
// expect 0: f32 = 1 1 1 1 1 2 3 4 4 4 4 4
// expect 0[12]: f32 = 4 3 2 1 1 2 3 4 4 4 4 4
// expect 0[24]: f32 = 1 2 3 4 1 2 3 4 1 2 3 4
// expect 0[36]: f32 = 4 3 2 1 1 2 3 4 4 3 2 1
// expect 0[48]: f32 = 0 0 0 0 1 2 3 4 0 0 0 0
// expect 0[60]: f32 = 9 9 9 9 1 2 3 4 9 9 9 9
#include <metal_stdlib>
using namespace metal;
kernel void addresses(texture2d<float> t [[texture(0)]], device float* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    constexpr sampler clamp(address::clamp_to_edge, filter::nearest);
    constexpr sampler mirror_clamp(s_address::mirror_clamp_to_edge, filter::nearest);
    constexpr sampler repeat(s_address::repeat, t_address::clamp_to_edge, filter::nearest);
    constexpr sampler mirror(address::mirrored_repeat, filter::nearest);
    constexpr sampler zero(address::clamp_to_zero, filter::nearest);
    constexpr sampler border(address::clamp_to_border, border_color::opaque_white, filter::nearest);
    // Twelve texels from -4 to 7.
    float2 c((float(i) - 3.5f) / 4, 0.5f);
    out[i] = t.sample(clamp, c).x;
    out[12 + i] = t.sample(mirror_clamp, c).x;
    out[24 + i] = t.sample(repeat, c).x;
    out[36 + i] = t.sample(mirror, c).x;
    out[48 + i] = t.sample(zero, c).x;
    float4 b = t.sample(border, c);
    out[60 + i] = all(b == float4(1)) ? 9 : b.x;
}
//--- bilinear filtering, offsets and texel coordinates
// texture 0: rgba32Float 2x2 = 0 0 0 1  4 0 0 1  0 8 0 1  4 8 0 0
// buffer 0: f32 = zeros(32)
// dispatch: bilinear grid=1
// expect 0: f32 ~ 1e-6 = 2 4 0 0.75  1 2 0 0.9375  4 8 0 0  2 4 0 0.75  0 0 0 1  3 6 0 0.4375  4 0 0 1  4 8 0 0
#include <metal_stdlib>
using namespace metal;
kernel void bilinear(texture2d<float> t [[texture(0)]], device float4* out [[buffer(0)]]) {
    constexpr sampler smooth(filter::linear, address::clamp_to_edge);
    constexpr sampler texels(coord::pixel, filter::linear, address::clamp_to_edge);
    constexpr sampler nearest(coord::pixel, filter::nearest, address::clamp_to_edge);
    out[0] = t.sample(smooth, float2(0.5));
    out[1] = t.sample(smooth, float2(0.375));
    out[2] = t.sample(smooth, float2(1));
    out[3] = t.sample(texels, float2(1));
    out[4] = t.sample(texels, float2(0.5));
    out[5] = t.sample(texels, float2(1.25));
    out[6] = t.sample(nearest, float2(0.5), int2(1, 0));
    out[7] = t.sample(nearest, float2(1.9));
}
//--- gather
// texture 0: rg32Float 3x2 = 1 10 2 20 3 30  4 40 5 50 6 60
// buffer 0: f32 = zeros(16)
// dispatch: four grid=1
// expect 0: f32 = 4 5 2 1  40 50 20 10  5 6 3 2  1 1 1 1
#include <metal_stdlib>
using namespace metal;
kernel void four(texture2d<float> t [[texture(0)]], device float4* out [[buffer(0)]]) {
    constexpr sampler s(coord::pixel, address::clamp_to_edge);
    // Counter-clockwise from the lower left.
    out[0] = t.gather(s, float2(1, 1));
    out[1] = t.gather(s, float2(1, 1), int2(0), component::y);
    out[2] = t.gather(s, float2(1, 1), int2(1, 0));
    out[3] = t.gather(s, float2(-5, -5));
}
//--- comparison
// texture 0: r32Float 2x2 = 0.25 0.5 0.75 1
// buffer 0: f32 = zeros(8)
// dispatch: shadow grid=1
// expect 0: f32 = 0.25 1 0 1 0.5 0.25 1 2
#include <metal_stdlib>
using namespace metal;
kernel void shadow(depth2d<float> t [[texture(0)]], device float* out [[buffer(0)]]) {
    constexpr sampler less(compare_func::less, filter::nearest);
    constexpr sampler smooth(compare_func::greater_equal, filter::linear);
    constexpr sampler plain(filter::nearest);
    out[0] = t.read(uint2(0, 0));
    // Reference against texel.
    out[1] = t.sample_compare(less, float2(0.75, 0.25), 0.3f);
    out[2] = t.sample_compare(less, float2(0.25, 0.25), 0.3f);
    out[3] = t.sample_compare(smooth, float2(0.5), 2.0f);
    out[4] = t.sample_compare(smooth, float2(0.5), 0.5f);
    out[5] = t.sample_compare(smooth, float2(0.5), 0.3f);
    out[6] = t.sample(plain, float2(0.75));
    out[7] = t.get_width();
}
//--- reading and writing one texture, half and short
// texture 0: rgba16Float 2x1 = 1 2 3 4  5 6 7 8
// texture 1: rgba16Sint 2x1 = 1 2 3 4  5 6 7 8
// texture 2: r32Uint 4x1 = 5 6 7 8
// dispatch: update grid=2 threadgroup=2
// expect texture 0: f16 = 2 4 6 8  10 12 14 16
// expect texture 1: i16 = 2 3 4 5  6 7 8 9
// expect texture 2: u32 = 6 8 7 8
#include <metal_stdlib>
using namespace metal;
kernel void update(texture2d<half, access::read_write> h [[texture(0)]], texture2d<short, access::read_write> s [[texture(1)]],
                   texture_buffer<uint, access::read_write> b [[texture(2)]], ushort2 i [[thread_position_in_grid]]) {
    h.write(h.read(i) * 2, i);
    s.write(s.read(i) + 1, i);
    b.write(b.read(i.x) + 1 + i.x, i.x);
    b.fence();
}
//--- textures as arguments and members
// texture 0: r32Float 2x1 = 3 4
// texture 1: r32Float 2x1 = 5 6
// texture 2: r32Float 2x1 = 3 4
// texture 3: r32Float 2x1 = 5 6
// sampler 0: nearest repeat
// buffer 0: f32 = zeros(6)
// dispatch: pass grid=1
// expect 0: f32 = 3 6 8 3 5 4
#include <metal_stdlib>
using namespace metal;
struct Source { texture2d<float> image; sampler s; float at(float x) const { return image.sample(s, float2(x, 0)).x; } };
static float first(texture2d<float> t) { return t.read(uint2(0, 0)).x; }
template <typename T> static float width_of(T t) { return t.get_width() + t.read(uint2(0)).x; }
kernel void pass(texture2d<float> a [[texture(0)]], texture2d<float> b [[texture(1)]], sampler s [[sampler(0)]], device float* out [[buffer(0)]],
                 array<texture2d<float>, 2> both [[texture(2)]]) {
    Source source = {b, s};
    out[0] = first(a); out[1] = source.at(0.75f);
    out[2] = a.read(uint2(0)).x + b.read(uint2(0)).x;
    float sum = 0;
    for (uint i = 0; i < 2; i++) { sum = both[i].read(uint2(0)).x; out[3 + i] = sum; }
    out[5] = width_of(a) - 1;
}
//--- options of samples
// texture 0: r32Float 4x4 array=2 levels=3 = fill(32, 1) 10 20 30 40 50 60 70 80 100 200
// texture 1: r32Float 4x4x4 levels=2 = fill(64, 3) fill(8, 7)
// texture 2: r32Float 2x2 array=6 levels=2 = fill(24, 2) 3 4 5 6 7 8
// buffer 0: f32 = zeros(12)
// dispatch: options grid=1
// expect 0: f32 = 65 65 65 200 7 7 5 3 5 2 12.5 100
#include <metal_stdlib>
using namespace metal;
kernel void options(texture2d_array<float> t [[texture(0)]], texture3d<float> v [[texture(1)]], texturecube<float> c [[texture(2)]],
                    device float* out [[buffer(0)]]) {
    constexpr sampler s(filter::linear, mip_filter::linear);
    float2 m(0.5);
    out[0] = t.sample(s, m, 1, level(1)).x;
    out[1] = t.sample(s, m, 1, bias(1)).x;
    out[2] = t.sample(s, m, 1, gradient2d(float2(0.5, 0), float2(0))).x;
    out[3] = t.sample(s, m, 1, level(0.5), min_lod_clamp(2)).x;
    out[4] = v.sample(s, float3(0.5), level(1)).x;
    out[5] = v.sample(s, float3(0.5), gradient3d(float3(0), float3(0, 0, 0.5))).x;
    out[6] = v.sample(s, float3(0.5), min_lod_clamp(0.5)).x;
    out[7] = c.sample(s, float3(1, 0, 0), level(1)).x;
    out[8] = c.sample(s, float3(0, 1, 0), gradientcube(float3(2, 0, 0), float3(0))).x;
    out[9] = c.sample(s, float3(0, 1, 0)).x;
    out[10] = t.sample(s, float2(0.375, 0.25), 0, level(1), int2(0)).x;
    out[11] = t.sample(s, float2(0.3), 0, level(5)).x;
}
//--- gathers of arrays and cubes, comparisons of depth
// texture 0: r32Float 2x2 array=2 = 1 2 3 4  5 6 7 8
// texture 1: r32Float 2x2 array=6 = iota(24)
// texture 2: r32Float 2x2 array=2 = 0.1 0.2 0.3 0.4  0.5 0.6 0.7 0.8
// texture 3: r32Float 1x1 array=6 = 0.1 0.2 0.3 0.4 0.5 0.6
// buffer 0: f32 = zeros(20)
// dispatch: gathers grid=1
// expect 0: f32 = 7 8 6 5  6 7 5 4  0 1 0 0  0.5 1 0.75 0 1 0.5 0.7 0
#include <metal_stdlib>
using namespace metal;
kernel void gathers(texture2d_array<float> a [[texture(0)]], texturecube<float> c [[texture(1)]], depth2d_array<float> d [[texture(2)]],
                    depthcube<float> e [[texture(3)]], device float* out [[buffer(0)]]) {
    constexpr sampler s(filter::linear);
    constexpr sampler less(filter::linear, compare_func::less);
    constexpr sampler equal(compare_func::greater);
    float4 v = a.gather(s, float2(0.5), 1);
    for (int i = 0; i < 4; i++) out[i] = v[i];
    v = c.gather(s, float3(-1, 0, 0));
    for (int i = 0; i < 4; i++) out[4 + i] = v[i];
    v = d.gather_compare(less, float2(0.5), 0, 0.35f);
    for (int i = 0; i < 4; i++) out[8 + i] = v[i];
    out[12] = d.sample(s, float2(0), 1);
    out[13] = d.get_array_size() == 2 && d.read(uint2(1, 1), 0) == 0.4f;
    out[14] = d.sample_compare(less, float2(0.5), 1, 0.55f);
    out[15] = e.sample_compare(equal, float3(0, 0, 1), 0.45f);
    out[16] = e.sample_compare(equal, float3(0, 0, 1), 0.55f);
    out[17] = e.sample(s, float3(0, 0, 1));
    out[18] = d.gather(s, float2(0.5), 1).x;
    out[19] = is_null_texture(a);
}
//--- atomic operations
// texture 0: r32Uint 2x2
// texture 1: r32Sint 4x1 = 5 5 5 5
// buffer 0: u32 = zeros(4)
// dispatch: count grid=64 threadgroup=32
// expect texture 0: u32 = 64 63 2016 0
// expect texture 1: i32 = -64 5 5 70
// expect 0: u32 = 1 0 9 7
#include <metal_stdlib>
using namespace metal;
kernel void count(texture2d<uint, access::read_write> t [[texture(0)]], texture1d<int, access::read_write> s [[texture(1)]],
                  device uint* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    t.atomic_fetch_add(uint2(0, 0), uint4(1));
    t.atomic_fetch_max(uint2(1, 0), uint4(i));
    t.atomic_fetch_add(uint2(0, 1), uint4(i));
    t.atomic_fetch_add(uint2(2, 0), uint4(1));
    s.atomic_fetch_min(0u, int4(-int(i) - 1));
    if (i == 0) {
        s.atomic_store(int4(9), 3u);
        int4 wanted(9);
        out[0] = s.atomic_compare_exchange_weak(3u, &wanted, int4(7));
        out[1] = s.atomic_compare_exchange_weak(3u, &wanted, int4(8));
        out[2] = 2 + wanted.x;
        out[3] = s.atomic_exchange(3u, int4(70)).x;
    }
}

// 2.10 Samplers
#include <metal_stdlib>
using namespace metal;
//--- constants with every option
// texture 0: r32Float 2x2 = 1 2 3 4
// buffer 0: f32 = zeros(3)
// dispatch: f grid=1
// expect 0: f32 = 4 1 2.5
constexpr sampler nearest(coord::pixel, filter::nearest, address::clamp_to_edge);
constexpr sampler linear(coord::normalized, mag_filter::linear, min_filter::linear, mip_filter::none, s_address::repeat, t_address::mirrored_repeat, r_address::clamp_to_zero, compare_func::none, max_anisotropy(4), lod_clamp(0.0f, 8.0f), border_color::opaque_white);
kernel void f(texture2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) {
    o[0] = t.sample(nearest, float2(9, 9)).x; o[1] = t.sample(nearest, float2(0.5f, 0.5f)).x; o[2] = t.sample(linear, float2(0.5f)).x;
}
//--- samplers of the host
// see: tests/run/textures.metal (a sampler argument that repeats)
//--- every address mode and border color
// see: tests/run/std_texture.metal (every address mode)
//--- `reduction::minimum`, `reduction::maximum`: of the texels that have a part in the mean
// texture 0: r32Float 3x2 = 1 2 30 4 5 60
// texture 1: rgba8Unorm 2x1 = 0 255 0 255  255 0 0 0
// texture 2: r32Float 2x2x2 = 3 9 2 8 7 1 6 5
// buffer 0: f32 = zeros(13)
// dispatch: f grid=1
// expect 0: f32 = 1 5 3 2 4 30 60 0 0 1 1 1 9
constexpr sampler least(coord::pixel, filter::linear, address::clamp_to_edge, reduction::minimum);
constexpr sampler greatest(coord::pixel, filter::linear, address::clamp_to_edge, reduction::maximum);
constexpr sampler mean(coord::pixel, filter::linear, reduction::weighted_average);
constexpr sampler nearest(coord::pixel, filter::nearest, reduction::minimum);
kernel void f(texture2d<float> t [[texture(0)]], texture2d<half> c [[texture(1)]], texture3d<float> v [[texture(2)]], device float* o [[buffer(0)]]) {
    o[0] = t.sample(least, float2(1, 1)).x;
    o[1] = t.sample(greatest, float2(1, 1)).x;
    o[2] = t.sample(mean, float2(1, 1)).x;
    o[3] = t.sample(least, float2(1.75f, 0.5f)).x;
    o[4] = t.sample(least, float2(0.5f, 1.5f)).x;
    o[5] = t.sample(greatest, float2(1.75f, 0.5f)).x;
    o[6] = t.sample(nearest, float2(2.9f, 1.9f)).x;
    o[7] = c.sample(least, float2(1, 0.5f)).x; o[8] = c.sample(least, float2(1, 0.5f)).w;
    o[9] = c.sample(greatest, float2(1, 0.5f)).x; o[10] = c.sample(greatest, float2(1, 0.5f)).y;
    o[11] = v.sample(least, float3(1)).x;
    o[12] = v.sample(greatest, float3(1)).x;
}
//--- samplers of the host that reduce
// texture 0: r32Float 2x2 = 1 2 3 4
// sampler 0: linear minimum
// sampler 1: linear maximum
// gives: f32 = 1 4 2
kernel void f(texture2d<float> t [[texture(0)]], sampler least [[sampler(0)]], sampler greatest [[sampler(1)]], device float* o [[buffer(0)]]) {
  o[0] = t.sample(least, float2(0.5f)).x; o[1] = t.sample(greatest, float2(0.5f)).x; o[2] = t.sample(least, float2(0.75f, 0.25f)).x;
}
//--- reductions over two mipmap levels
// texture 0: r32Float 2x1 levels=2 = 4 6  9
// buffer 0: f32 = zeros(2)
// dispatch: f grid=1
// expect 0: f32 = 4 9
constexpr sampler least(filter::linear, mip_filter::linear, address::clamp_to_edge, reduction::minimum);
constexpr sampler greatest(filter::linear, mip_filter::linear, address::clamp_to_edge, reduction::maximum);
kernel void f(texture2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) {
    o[0] = t.sample(least, float2(0.5f), level(0.5f)).x; o[1] = t.sample(greatest, float2(0.5f), level(0.5f)).x;
}

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
//--- `reduction::minimum`, `reduction::maximum`
// error: unsupported-sampler-reduction
constexpr sampler least(filter::linear, reduction::minimum);
kernel void f(texture2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) { o[0] = t.sample(least, float2(0.5f)).x; }

// Textures and samplers.
//--- read and write
// texture 0: rgba8Unorm 2x2 = 255 0 0 255  0 255 0 255  0 0 255 255  51 102 153 204
// texture 1: rgba32Float 2x2
// dispatch: copy grid=2,2 threadgroup=2,2
// expect texture 1: f32 ~ 1e-6 = 1 0 0 1  0 1 0 1  0 0 1 1  0.2 0.4 0.6 0.8
#include <metal_stdlib>
using namespace metal;
kernel void copy(texture2d<float, access::read> in [[texture(0)]], texture2d<float, access::write> out [[texture(1)]],
                 uint2 gid [[thread_position_in_grid]]) {
    if (gid.x >= out.get_width() || gid.y >= out.get_height()) return;
    out.write(in.read(gid), gid);
}
//--- sampling, nearest and linear
// texture 0: r32Float 2x1 = 0 10
// buffer 0: f32 = zeros(6)
// dispatch: sample_it grid=1
// expect 0: f32 ~ 1e-5 = 0 10 5 2.5 0 10
#include <metal_stdlib>
using namespace metal;
kernel void sample_it(texture2d<float> t [[texture(0)]], device float* out [[buffer(0)]]) {
    constexpr sampler near(filter::nearest, address::clamp_to_edge);
    constexpr sampler smooth(filter::linear, address::clamp_to_edge);
    out[0] = t.sample(near, float2(0.25, 0.5)).x;
    out[1] = t.sample(near, float2(0.75, 0.5)).x;
    out[2] = t.sample(smooth, float2(0.5, 0.5)).x;
    out[3] = t.sample(smooth, float2(0.375, 0.5)).x;
    out[4] = t.sample(smooth, float2(-3, 0.5)).x;
    out[5] = t.sample(smooth, float2(3, 0.5)).x;
}
//--- a sampler argument that repeats
// texture 0: r32Float 4x1 = 1 2 3 4
// sampler 0: nearest repeat
// buffer 0: f32 = zeros(3)
// dispatch: wrap grid=3 threadgroup=3
// expect 0: f32 = 1 2 3
#include <metal_stdlib>
using namespace metal;
kernel void wrap(texture2d<float> t [[texture(0)]], sampler s [[sampler(0)]], device float* out [[buffer(0)]], uint i [[thread_position_in_grid]]) {
    out[i] = t.sample(s, float2((float(i) + 0.5f) / 4 + 1, 0.5)).x;
}

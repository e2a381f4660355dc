// Methods of textures that other files leave out, one by one (MSL specification, section 6.12).
//--- every atomic operation on every type of texture
// texture 0: r32Uint 2x1 = 12 12
// texture 1: r32Uint 2x1 array=2 = 0 0 12 12
// texture 2: r32Sint 2x2 = -12 0 0 0
// texture 3: r32Uint 2x1 array=2 = 0 0 12 12
// texture 4: r32Uint 1x1x2 = 12 12
// texture 5: r32Uint 2x1 = 12 12
// buffer 0: i32 = zeros(24)
// dispatch: atomics grid=1
// expect 0: i32 = 12 17 12 12  12 14 10 -12 0 1 -5  12 8 0 8 12  12 5 12  12 13 0 0 9
// expect texture 0: u32 = 12 14
// expect texture 1: u32 = 0 0 14 10
// expect texture 2: i32 = 33 0 0 -7
// expect texture 3: u32 = 0 0 8 12
// expect texture 4: u32 = 9 5
// expect texture 5: u32 = 13 9
#include <metal_stdlib>
using namespace metal;
kernel void atomics(texture1d<uint, access::read_write> a [[texture(0)]], texture1d_array<uint, access::read_write> b [[texture(1)]],
                    texture2d<int, access::read_write> c [[texture(2)]], texture2d_array<uint, access::read_write> d [[texture(3)]],
                    texture3d<uint, access::read_write> e [[texture(4)]], texture_buffer<uint, access::read_write> f [[texture(5)]], device int* o [[buffer(0)]]) {
    o[0] = a.atomic_fetch_add(0u, uint4(5)).x; o[1] = a.atomic_fetch_sub(ushort(0), uint4(5)).x; o[2] = a.atomic_load(0u).x;
    o[3] = a.atomic_exchange(1u, uint4(14)).x;
    o[4] = b.atomic_fetch_or(0u, 1u, uint4(2)).x; o[5] = b.atomic_load(0u, 1u).x;
    b.atomic_store(uint4(10), 1u, 1u); o[6] = b.atomic_load(1u, 1u).x;
    // Of what fails, the value that was there is told.
    int4 wanted(-12);
    o[7] = c.atomic_load(uint2(0)).x;
    o[8] = c.atomic_compare_exchange_weak(uint2(1, 0), &wanted, int4(5));
    wanted.x = -12;
    o[9] = c.atomic_compare_exchange_weak(uint2(0), &wanted, int4(33));
    c.atomic_store(int4(-5), ushort2(1, 1));
    o[10] = c.atomic_fetch_xor(uint2(1, 1), int4(2)).x;
    o[11] = d.atomic_fetch_and(uint2(0), 1u, uint4(8)).x; o[12] = d.atomic_load(uint2(0), 1u).x;
    // Beyond the texture there is nothing.
    o[13] = d.atomic_fetch_add(uint2(0), 2u, uint4(1)).x; o[14] = d.atomic_fetch_max(uint2(0), 1u, uint4(7)).x; o[15] = d.atomic_fetch_min(uint2(1, 0), 1u, uint4(70)).x;
    o[16] = e.atomic_fetch_min(uint3(0, 0, 1), uint4(5)).x; o[17] = e.atomic_load(ushort3(0, 0, 1)).x; o[18] = e.atomic_exchange(uint3(0), uint4(9)).x;
    o[19] = f.atomic_fetch_add(0u, uint4(1)).x; o[20] = f.atomic_load(0u).x; o[21] = f.atomic_load(2u).x; f.atomic_store(uint4(3), 2u); f.atomic_store(uint4(9), 1u);
    o[22] = f.atomic_load(0u).y; o[23] = f.atomic_load(1u).x;
}
//--- every function of comparison
// texture 0: depth32Float 1x1 = 0.5
// texture 1: depth32Float 1x1 array=12 = fill(6, 9) 0.1 0.2 0.3 0.4 0.5 0.6
// buffer 0: f32 = zeros(30)
// dispatch: comparisons grid=1
// expect 0: f32 = 0 0 0  1 0 0  0 1 0  1 1 0  0 0 1  1 0 1  0 1 1  1 1 1  0 1 0.4 0.3 1 2
#include <metal_stdlib>
using namespace metal;
template <compare_func f> static void three(depth2d<float> t, device float* o) {
    constexpr sampler s(f, filter::nearest);
    // The reference is less, equal, greater.
    for (int i = 0; i < 3; i++) o[i] = t.sample_compare(s, float2(0.5f), 0.25f * (i + 1));
}
kernel void comparisons(depth2d<float> t [[texture(0)]], depthcube_array<float> c [[texture(1)]], device float* o [[buffer(0)]]) {
    three<compare_func::never>(t, o);
    three<compare_func::less>(t, o + 3);
    three<compare_func::equal>(t, o + 6);
    three<compare_func::less_equal>(t, o + 9);
    three<compare_func::greater>(t, o + 12);
    three<compare_func::not_equal>(t, o + 15);
    three<compare_func::greater_equal>(t, o + 18);
    three<compare_func::always>(t, o + 21);
    constexpr sampler s(compare_func::less);
    o[24] = c.sample_compare(s, float3(0, -1, 0), 1, 0.45f);
    o[25] = c.sample_compare(s, float3(0, -1, 0), 1, 0.35f, level(0));
    o[26] = c.gather(s, float3(0, -1, 0), 1).w;
    o[27] = c.sample(s, float3(0, 1, 0), 1, level(0));
    o[28] = all(c.gather_compare(s, float3(0, 0, 1), 1, 0.05f) == float4(1));
    o[29] = c.get_array_size();
}
//--- addresses in three dimensions and filtering over their edges
// texture 0: r32Float 2x2x2 = 1 2 3 4 5 6 7 8
// texture 1: rgba32Float 2x1 = 1 1 1 1  3 3 3 3
// texture 2: r32Sint 2x2 array=2 = 0 0 0 0 -1 -2 -3 -4
// buffer 0: f32 = zeros(16)
// dispatch: addresses grid=1
// expect 0: f32 = 2 7 2 0 4.5  2 1 1.5 1.5 2 1  -4 -3 -2 -1 -2
#include <metal_stdlib>
using namespace metal;
kernel void addresses(texture3d<float> t [[texture(0)]], texture2d<float> u [[texture(1)]], texture2d_array<int> a [[texture(2)]], device float* o [[buffer(0)]]) {
    constexpr sampler each(coord::normalized, s_address::repeat, t_address::mirrored_repeat, r_address::clamp_to_edge, filter::nearest);
    constexpr sampler black(s_address::clamp_to_edge, t_address::clamp_to_edge, r_address::clamp_to_zero, filter::nearest);
    constexpr sampler all_repeat(address::repeat, filter::linear);
    o[0] = t.sample(each, float3(-0.25f, -0.25f, -5)).x;
    o[1] = t.sample(each, float3(1.25f, 1.25f, 5)).x;
    o[2] = t.sample(each, float3(0.25f, 0.25f, 0.25f), int3(-1, 0, 0)).x;
    o[3] = t.sample(black, float3(0.25f, 0.25f, 1.25f)).x;
    // Halves of both ends in each direction.
    o[4] = t.sample(all_repeat, float3(1)).x;
    constexpr sampler repeat(address::repeat, filter::linear), mirror(address::mirrored_repeat, filter::linear);
    constexpr sampler zero(address::clamp_to_zero, filter::linear), border(address::clamp_to_border, border_color::opaque_black, filter::linear);
    constexpr sampler white(s_address::clamp_to_border, border_color::opaque_white, filter::linear);
    o[5] = u.sample(repeat, float2(0, 0.5f)).x;
    o[6] = u.sample(mirror, float2(0, 0.5f)).x;
    o[7] = u.sample(zero, float2(1, 0.5f)).w;
    o[8] = u.sample(border, float2(1, 0.5f)).x;
    o[9] = u.sample(border, float2(1, 0.5f)).w;
    o[10] = u.sample(white, float2(-3, 0.5f)).x;
    int4 g = a.gather(each, float2(0.5f), 1);
    // From the lower left, counter-clockwise; the components of integers, too.
    o[11] = g.y; o[12] = g.x; o[13] = g.z; o[14] = g.w;
    o[15] = a.sample(black, float2(0.75f, 0.25f), 1).x;
}
//--- limits of the level of detail
// texture 0: r32Float 8x8 levels=4 = fill(64, 1) fill(16, 2) fill(4, 4) 8
// buffer 0: f32 = zeros(12)
// dispatch: limits grid=1
// expect 0: f32 = 2 4 3 1 8 4 1.5 1.5 2 2 6 1
#include <metal_stdlib>
using namespace metal;
kernel void limits(texture2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) {
    constexpr sampler s(mip_filter::nearest, lod_clamp(1.0f, 2.0f)), l(mip_filter::linear, filter::linear), part(mip_filter::linear, lod_clamp(0.5f, 0.5f));
    float2 c(0.5f);
    o[0] = t.sample(s, c).x; o[1] = t.sample(s, c, level(9)).x;
    o[2] = t.sample(l, c, level(1.5f)).x; o[3] = t.sample(l, c, bias(-2)).x;
    o[4] = t.sample(l, c, bias(7)).x; o[5] = t.sample(l, c, min_lod_clamp(2)).x;
    o[6] = t.sample(part, c).x; o[7] = t.sample(part, c, level(3)).x;
    // The longer of the two directions counts: two texels a step are one level.
    o[8] = t.sample(l, c, gradient2d(float2(0.25f, 0), float2(0.125f))).x;
    o[9] = t.sample(l, c, gradient2d(float2(0), float2(0, 0.25f)), min_lod_clamp(0.5f)).x;
    o[10] = t.sample(l, c, gradient2d(float2(0), float2(0)), min_lod_clamp(2.5f)).x;
    o[11] = t.sample(l, c, gradient2d(float2(0), float2(0))).x;
}
//--- faces of cubes are written, levels of every type are read
// texture 0: r32Float 2x2 array=6
// texture 1: r32Float 1x1 array=12
// texture 2: r32Float 2x2 array=6 levels=2 = zeros(24) 1 2 3 4 5 6
// texture 3: r32Float 2x2x2 levels=2 = zeros(8) 7
// texture 4: r32Float 2x2 array=2 levels=2 = zeros(8) 8 9
// buffer 0: f32 = zeros(8)
// dispatch: faces grid=1
// expect texture 0: f32 = zeros(7) 3 zeros(12) 4 zeros(3)
// expect texture 1: f32 = zeros(5) 5 zeros(3) 6 0 0
// expect 0: f32 = 4 4 7 9 9 1 1 1
#include <metal_stdlib>
using namespace metal;
kernel void faces(texturecube<float, access::write> a [[texture(0)]], texturecube_array<float, access::write> b [[texture(1)]], texturecube<float> c [[texture(2)]],
                  texture3d<float> d [[texture(3)]], texture2d_array<float> e [[texture(4)]], device float* o [[buffer(0)]]) {
    a.write(float4(3), uint2(1, 1), 1); a.write(float4(4), ushort2(0, 0), 5, 0);
    b.write(float4(5), uint2(0, 0), 5, 0); b.write(float4(6), ushort2(0, 0), 3, 1);
    o[0] = c.read(uint2(0), 3, 1).x; o[1] = c.read(ushort2(0), 3, 1).x;
    o[2] = d.read(uint3(0), 1).x; o[3] = e.read(uint2(0), 1, 1).x; o[4] = e.read(ushort2(0), 1, 1).x;
    o[5] = c.get_width(1); o[6] = d.get_depth(1); o[7] = e.get_height(7);
}

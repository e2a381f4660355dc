// Cubes are filtered as if they had no edges (MSL specification, section 6.12).
//--- a cube is filtered across its edges; in its corners, where three texels meet, the fourth is their mean
// texture 0: r32Float 3x3 array=6 = 0 0.75 0.65625 0.71875 0.9375 0.3125 0.84375 0.53125 0.375  0.375 0.53125 0.84375 0.3125 0.9375 0.71875 0.65625 0.75 0  0.40625 0.96875 0.6875 0.5625 0.59375 0.78125 0.125 0.625 0.28125  0.09375 0.0625 0.1875 0.46875 0.90625 0.5 0.25 0.15625 0.21875  0.4375 0.8125 0.34375 0.03125 0.875 0.875 0.03125 0.34375 0.8125  0.4375 0.21875 0.15625 0.25 0.5 0.90625 0.46875 0.1875 0.0625
// texture 1: r32Float 3x3 array=6 = 0 0.75 0.65625 0.71875 0.9375 0.3125 0.84375 0.53125 0.375  0.375 0.53125 0.84375 0.3125 0.9375 0.71875 0.65625 0.75 0  0.40625 0.96875 0.6875 0.5625 0.59375 0.78125 0.125 0.625 0.28125  0.09375 0.0625 0.1875 0.46875 0.90625 0.5 0.25 0.15625 0.21875  0.4375 0.8125 0.34375 0.03125 0.875 0.875 0.03125 0.34375 0.8125  0.4375 0.21875 0.15625 0.25 0.5 0.90625 0.46875 0.1875 0.0625
// texture 2: r32Float 3x3 array=12 = zeros(54) 0 0.75 0.65625 0.71875 0.9375 0.3125 0.84375 0.53125 0.375  0.375 0.53125 0.84375 0.3125 0.9375 0.71875 0.65625 0.75 0  0.40625 0.96875 0.6875 0.5625 0.59375 0.78125 0.125 0.625 0.28125  0.09375 0.0625 0.1875 0.46875 0.90625 0.5 0.25 0.15625 0.21875  0.4375 0.8125 0.34375 0.03125 0.875 0.875 0.03125 0.34375 0.8125  0.4375 0.21875 0.15625 0.25 0.5 0.90625 0.46875 0.1875 0.0625
// buffer 0: f32 = 1 -0.25 0.9375 1 0.5 -0.875 1 0.90625 -0.125 1 -0.8125 0.375 1 0.875 0.9375 1 0.96875 -0.84375 1 -0.9375 0.8125 1 -0.875 -0.90625 -1 -0.25 -0.9375 -1 0.5 0.875 -1 0.90625 0.125 -1 -0.8125 -0.375 -1 0.875 -0.9375 -1 0.96875 0.84375 -1 -0.9375 -0.8125 -1 -0.875 0.90625 -0.9375 1 0.25 0.875 1 -0.5 0.125 1 -0.90625 -0.375 1 0.8125 -0.9375 1 -0.875 0.84375 1 -0.96875 -0.8125 1 0.9375 0.90625 1 0.875 -0.9375 -1 -0.25 0.875 -1 0.5 0.125 -1 0.90625 -0.375 -1 -0.8125 -0.9375 -1 0.875 0.84375 -1 0.96875 -0.8125 -1 -0.9375 0.90625 -1 -0.875 -0.9375 -0.25 1 0.875 0.5 1 0.125 0.90625 1 -0.375 -0.8125 1 -0.9375 0.875 1 0.84375 0.96875 1 -0.8125 -0.9375 1 0.90625 -0.875 1 0.9375 -0.25 -1 -0.875 0.5 -1 -0.125 0.90625 -1 0.375 -0.8125 -1 0.9375 0.875 -1 -0.84375 0.96875 -1 0.8125 -0.9375 -1 -0.90625 -0.875 -1
// buffer 1: f32 = zeros(48)
// buffer 2: f32 = zeros(48)
// buffer 3: f32 = zeros(192)
// buffer 4: f32 = zeros(48)
// dispatch: seams grid=48 threadgroup=16
// expect 1[0]: f32 ~ 2e-6 = 0.8005371 0.5141602 0.7436523 0.623291 0.1746419 0.6273499 0.6110433 0.3645426 0.501709 0.6635742 0.5505371 0.6203613 0.3117676 0.5004272 0.4205729 0.03116862
// expect 1[16]: f32 ~ 2e-6 = 0.5 0.7011719 0.6801758 0.4001465 0.3392334 0.5884857 0.3480835 0.2160848 0.5200195 0.421875 0.2101746 0.1889038 0.0493571 0.5422109 0.2497355 0.3226115
// expect 1[32]: f32 ~ 2e-6 = 0.2010498 0.3837891 0.6656494 0.1487427 0.4969482 0.256719 0.04795329 0.6728719 0.3336182 0.3486328 0.4428711 0.3119507 0.5648193 0.2900238 0.3670451 0.2759806
// expect 2[0]: f32 ~ 2e-6 = 1 0.515625 1 0.78125 0 0.8146159 0.6529948 0 0.4765625 0.6875 0.9326172 0.78125 0 0.4417318 0.4934896 0
// expect 2[16]: f32 ~ 2e-6 = 0.7773438 1 0.640625 0.4375 0 0.6271159 0.1595052 0 0.40625 0.3125 0.06738281 0 0 0.5582682 0.1595052 0
// expect 2[32]: f32 ~ 2e-6 = 0.2539062 0.25 0.8125 0 0.3216146 0 0 0.7623698 0 0.171875 0.2919922 0 0.5494792 0 0 0.2845052
// expect 3[0]: f32 ~ 1e-6 = 0.8125 0.84375 0.71875 0.875 0.3125 0.25 0.4375 0.65625 0.75 0.65625 0.6875 0.78125 0.1875 0.5 0.53125 0.84375 0.34375 0 0.28125 0.2083333 0.65625 0.4375 0.59375 0.6875 0.6145833 0.1875 0.84375 0.8125 0.21875 0.3541667 0.46875 0.375
// expect 3[32]: f32 ~ 1e-6 = 0.0625 0.65625 0.3125 0.90625 0.71875 0.03125 0.4375 0.84375 0.53125 0.84375 0.125 0.5625 0.25 0.46875 0.75 0.65625 0.15625 0.375 0.40625 0.3125 0.84375 0.4375 0.46875 0.125 0.3229167 0.25 0.65625 0.0625 0.09375 0.04166667 0.03125 0
// expect 3[64]: f32 ~ 1e-6 = 0.84375 0.125 0.5625 0.53125 0.78125 0.75 0.65625 0.6875 0.96875 0.6875 0.4375 0.21875 0.4375 0.8125 0.625 0.125 0.375 0.40625 0.15625 0.3125 0.6875 0.65625 0.59375 0.4375 0.46875 0.4375 0.125 0.84375 0.34375 0.2083333 0 0.28125
// expect 3[96]: f32 ~ 1e-6 = 0.65625 0.25 0.46875 0.75 0.5 0.53125 0.84375 0.1875 0.0625 0.1875 0.8125 0.34375 0.0625 0.1875 0.15625 0.25 0 0.09375 0.03125 0.04166667 0.1875 0.84375 0.6145833 0.8125 0.3229167 0.0625 0.25 0.65625 0.46875 0.3541667 0.375 0.21875
// expect 3[128]: f32 ~ 1e-6 = 0 0.03125 0.03125 0.71875 0.875 0.71875 0 0.34375 0.8125 0.34375 0.28125 0.625 0.09375 0.0625 0.34375 0.03125 0.84375 0.4375 0.125 0.46875 0.34375 0 0.2083333 0.28125 0.04166667 0.09375 0.03125 0 0.1875 0.6145833 0.84375 0.8125
// expect 3[160]: f32 ~ 1e-6 = 0.375 0.46875 0.25 0.3125 0.90625 0.3125 0.375 0.15625 0.21875 0.15625 0.40625 0.96875 0.21875 0.15625 0.1875 0.46875 0.65625 0.4375 0.6875 0.59375 0.15625 0.375 0.3125 0.40625 0.3541667 0.21875 0.46875 0.375 0.25 0.3229167 0.65625 0.0625
// expect 4: f32 = fill(48, 1)
#include <metal_stdlib>
using namespace metal;
// Eight directions of each face: beside each edge and towards each corner. The values are those of a reference that looks for
// the texel of the other face that lies nearest to the place beyond the edge.
kernel void seams(texturecube<float> t [[texture(0)]], depthcube<float> z [[texture(1)]], texturecube_array<float> a [[texture(2)]],
                  device const packed_float3* directions [[buffer(0)]], device float* samples [[buffer(1)]], device float* shares [[buffer(2)]],
                  device float4* gathers [[buffer(3)]], device float* agree [[buffer(4)]], uint i [[thread_position_in_grid]]) {
    // Address modes mean nothing here.
    constexpr sampler s(filter::linear, address::clamp_to_zero, compare_func::less);
    constexpr sampler low(filter::linear, reduction::minimum);
    float3 d = directions[i];
    samples[i] = t.sample(s, d).x;
    shares[i] = z.sample_compare(s, d, 0.5f);
    gathers[i] = t.gather(s, d);
    float4 g = t.gather(s, d), passed = float4(float4(0.5f) < g);
    agree[i] = a.sample(s, d, 1).x == samples[i] && a.sample(s, d, 7).x == samples[i] && all(a.gather(s, d, 1) == g) && z.sample(s, d) == samples[i]
        && all(z.gather_compare(s, d, 0.5f) == passed) && t.sample(low, d).x == min(min(g.x, g.y), min(g.z, g.w));
}
//--- a cube of faces of one texel, levels of a cube, and the edges and corners themselves
// texture 0: r32Float 1x1 array=6 = 1 2 4 8 16 32
// texture 1: r32Float 2x2 array=6 levels=2 = fill(24, 0) 1 2 4 8 16 32
// texture 2: r32Uint 1x1 array=6 = 1 2 4 8 16 32
// buffer 0: f32 = zeros(11)
// dispatch: small grid=1
// expect 0: f32 ~ 1e-5 = 1 1.25 2.5 7 7 3.5 1 16 16 1 2
#include <metal_stdlib>
using namespace metal;
kernel void small(texturecube<float> t [[texture(0)]], texturecube<float> u [[texture(1)]], texturecube<uint> v [[texture(2)]], device float* o [[buffer(0)]]) {
    constexpr sampler s(filter::linear, mip_filter::linear);
    constexpr sampler nearest(filter::nearest);
    o[0] = t.sample(s, float3(1, 0, 0)).x;
    // A sixth of the way to the edge, where both faces count alike.
    o[1] = t.sample(s, float3(1, 1.0f / 6, 0)).x;
    o[2] = t.sample(s, float3(1, 1, 0)).x;
    // The mean of +x, +y and +z.
    o[3] = t.sample(s, float3(1)).x;
    o[4] = u.sample(s, float3(1), level(1)).x;
    o[5] = u.sample(s, float3(1), level(0.5)).x;
    // On an edge the nearest texel is one of those at it: of z before y before x.
    o[6] = t.sample(nearest, float3(1, 0.5, -0.5)).x;
    o[7] = t.sample(nearest, float3(1, 1, 1)).x;
    o[8] = t.sample(nearest, float3(-1, 0, 1)).x;
    // Integers have no mean.
    uint4 g = v.gather(nearest, float3(1, 0.9, 0.9));
    o[9] = popcount(g.x | g.y | g.z | g.w) == 3;
    o[10] = v.sample(nearest, float3(-1, 0.9, 0)).x;
}

// 6.12 Texture Functions
#include <metal_stdlib>
using namespace metal;
//--- 6.12.1 1D textures and arrays of them
// see: tests/run/std_texture.metal (one dimension)
//--- 6.12.3 2D textures: `read`, `write`
// see: tests/run/textures.metal (read and write)
//--- 2D textures: `sample`
// see: tests/run/textures.metal (sampling, nearest and linear)
//--- bilinear filtering, offsets, texel coordinates
// see: tests/run/std_texture.metal (bilinear filtering, offsets and texel coordinates)
//--- 2D arrays
// see: tests/run/std_texture.metal (slices of two dimensions)
//--- 3D textures
// see: tests/run/std_texture.metal (three dimensions)
//--- cubes and arrays of cubes
// see: tests/run/std_texture.metal (cubes)
//--- `level`, `bias`, `gradient2d`, `min_lod_clamp`
// see: tests/run/std_texture.metal (options of samples)
//--- mipmap levels
// see: tests/run/std_texture.metal (levels of detail)
//--- `gather`
// see: tests/run/std_texture.metal (gather)
//--- `gather` and `gather_compare` of arrays, cubes, depth
// see: tests/run/std_texture.metal (gathers of arrays and cubes, comparisons of depth)
//--- depth textures: `sample_compare`
// see: tests/run/std_texture.metal (comparison)
//--- atomic functions of textures
// see: tests/run/std_texture.metal (atomic operations)
//--- `fence`, read after write of one thread
// texture 0: r32Float 2x1 = 1 2
// buffer 0: f32 = 0
// dispatch: f grid=1
// expect 0: f32 = 7
kernel void f(texture2d<float, access::read_write> t [[texture(0)]], device float* o [[buffer(0)]]) { t.write(float4(7), uint2(0)); t.fence(); o[0] = t.read(uint2(0)).x; }
//--- `get_width`, `get_height`, `get_depth`, `get_array_size`, `get_num_mip_levels`
// texture 0: r32Float 4x2x3 = zeros(24)
// buffer 0: i32 = zeros(4)
// dispatch: f grid=1
// expect 0: i32 = 4 2 3 1
kernel void f(texture3d<float> t [[texture(0)]], device int* o [[buffer(0)]]) { o[0] = t.get_width(); o[1] = t.get_height(); o[2] = t.get_depth(); o[3] = t.get_num_mip_levels(); }
//--- `ushort` coordinates, reads beyond the texture give zero, writes there are dropped
// texture 0: r32Float 2x2 = 1 2 3 4
// buffer 0: f32 = zeros(2)
// dispatch: f grid=1
// expect 0: f32 = 4 0
kernel void f(texture2d<float, access::read_write> t [[texture(0)]], device float* o [[buffer(0)]]) { t.write(float4(9), ushort2(5, 5)); o[0] = t.read(ushort2(1, 1)).x; o[1] = t.read(uint2(2, 0)).x; }
//--- `calculate_clamped_lod`, `calculate_unclamped_lod`
// graphics-only: unsupported-graphics
constexpr sampler s;
kernel void f(texture2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) { o[0] = t.calculate_clamped_lod(s, float2(0)); }
//--- sparse textures: `sparse_sample`, `sparse_read`, `sparse_gather`, `sparse_color`; all of every texture is there
// texture 0: r32Float 2x2 = 1 2 3 4
// texture 1: r32Float 2x2 = 1 2 3 4
// gives: f32 = 2.5 1 4 1 3 4 2 1 4 7 8
constexpr sampler s(filter::linear, address::clamp_to_edge, compare_func::less);
kernel void f(texture2d<float> t [[texture(0)]], depth2d<float> d [[texture(1)]], device float* o [[buffer(0)]]) {
  sparse_color<float4> c = t.sparse_sample(s, float2(0.5f), level(0), int2(0));
  o[0] = c.value().x;
  o[1] = c.resident();
  auto r = t.sparse_read(ushort2(1, 1));
  o[2] = r.value().x; o[3] = r.resident() && t.sparse_sample(s, float2(0.5f), min_lod_clamp(0)).resident();
  float4 g = t.sparse_gather(s, float2(0.5f), int2(0), component::x).value();
  o[4] = g.x; o[5] = g.y; o[6] = g.z; o[7] = g.w;
  sparse_color<float> at = d.sparse_sample(s, float2(1));
  o[8] = at.value();
  sparse_color<float4> all(float4(7), false);
  o[9] = all.resident() ? 0 : all.value().w;
  o[10] = d.sparse_sample_compare(s, float2(0.5f), 0.0f).value() == d.sample_compare(s, float2(0.5f), 0.0f) &&
    d.sparse_gather_compare(s, float2(0.5f), 0.0f).resident() ? 8 : 0;
}
//--- a cube has no sparse function that it does not have otherwise
// error: no-matching-function
kernel void f(texturecube<float> t [[texture(0)]], device float* o [[buffer(0)]]) { o[0] = t.sparse_sample(sampler(), 1, 2, 3).value().x; }
//--- atomic functions of textures at coordinates of 16 bits; minima and maxima of `ulong`
// texture 0: r32Uint 2x2 = 1 2 3 4
// texture 1: rg32Uint 2 = 5 0 6 1
// gives: u32 = 2 5 4
// expect texture 0: u32 = 1 7 3 0
// expect texture 1: u32 = 3 0 9 1
kernel void f(texture2d<uint, access::read_write> t [[texture(0)]], texture1d<ulong, access::read_write> l [[texture(1)]], device uint* o [[buffer(0)]]) {
  o[0] = t.atomic_fetch_add(ushort2(1, 0), uint4(5)).x;
  l.atomic_min(0, ulong4(3));
  l.atomic_max(ushort(1), ulong4((1ul << 32) + 9));
  o[1] = t.atomic_load(ushort2(1, 0)).x - 2;
  uint4 was(4);
  if (t.atomic_compare_exchange_weak(ushort2(1, 1), &was, uint4(0))) o[2] = was.x;
}
//--- `is_null_texture`
// texture 0: r32Float 1x1 = 5
// buffer 0: i32 = 3
// dispatch: f grid=1
// expect 0: i32 = 0
kernel void f(texture2d<float> t [[texture(0)]], device int* o [[buffer(0)]]) { o[0] = is_null_texture(t); }

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
//--- filtering across the edges and corners of cubes
// see: tests/run/std_texture_cube.metal (a cube is filtered across its edges; in its corners, where three texels meet, the fourth is their mean)
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
//--- atomic functions of every type of texture
// see: tests/run/std_texture_methods.metal (every atomic operation on every type of texture)
//--- every function of comparison
// see: tests/run/std_texture_methods.metal (every function of comparison)
//--- `lod_clamp`, gradients, `min_lod_clamp`
// see: tests/run/std_texture_methods.metal (limits of the level of detail)
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
//--- `ushort` coordinates, writes beyond the texture are dropped
// texture 0: r32Float 2x2 = 1 2 3 4
// buffer 0: f32 = zeros(2)
// dispatch: f grid=1
// expect 0: f32 = 4 0
kernel void f(texture2d<float, access::read_write> t [[texture(0)]], device float* o [[buffer(0)]]) { t.write(float4(9), ushort2(5, 5)); o[0] = t.read(ushort2(1, 1)).x; o[1] = t.read(uint2(2, 0)).x; }
//--- reads beyond the texture: channels that the format lacks are 0, alpha is 1
// texture 0: r32Float 2x2 = 1 2 3 4
// texture 1: rgba8Unorm 1x1 = 255 255 255 255
// texture 2: rg16Uint 1x1 = 5 6
// buffer 0: f32 = zeros(12)
// dispatch: f grid=1
// expect 0: f32 = 0 0 0 1  0 0 0 0  0 0 0 1
kernel void f(texture2d<float> t [[texture(0)]], texture2d<float> u [[texture(1)]], texture2d<uint, access::read> v [[texture(2)]],
              device float4* o [[buffer(0)]]) {
  o[0] = t.read(uint2(2, 0));
  o[1] = u.read(uint2(0, 0), 1);
  o[2] = float4(v.read(ushort2(0, 1)));
}
//--- `address::clamp_to_zero`: black, opaque where the format has no alpha
// texture 0: r32Float 1x1 = 5
// texture 1: rgba32Float 1x1 = 5 5 5 5
// buffer 0: f32 = zeros(8)
// dispatch: f grid=1
// expect 0: f32 = 0 0 0 1  0 0 0 0
constexpr sampler s(address::clamp_to_zero);
kernel void f(texture2d<float> t [[texture(0)]], texture2d<float> u [[texture(1)]], device float4* o [[buffer(0)]]) {
  o[0] = t.sample(s, float2(2, 0));
  o[1] = u.sample(s, float2(0, -1));
}
//--- depth textures at coordinates of 16 bits: `depth2d`, arrays, cubes, arrays of cubes
// texture 0: r32Float 2x2 = 1 2 3 4
// texture 1: r32Float 2x1 array=2 = 1 2  3 4
// texture 2: r32Float 1x1 array=6 = 0 1 2 3 4 5
// texture 3: r32Float 1x1 array=12 = 0 1 2 3 4 5 6 7 8 9 10 11
// buffer 0: f32 = zeros(4)
// dispatch: f grid=1
// expect 0: f32 = 2 4 3 9
kernel void f(depth2d<float> t [[texture(0)]], depth2d_array<float> a [[texture(1)]], depthcube<float> c [[texture(2)]],
              depthcube_array<float> d [[texture(3)]], device float* o [[buffer(0)]]) {
  o[0] = t.read(ushort2(1, 0));
  o[1] = a.read(ushort2(1, 0), ushort(1));
  o[2] = c.read(ushort2(0, 0), ushort(3));
  o[3] = d.read(ushort2(0, 0), ushort(3), ushort(1));
}
//--- depth textures: `sample` and `sample_compare` with `level`, `bias` and `min_lod_clamp`, gradients
// texture 0: r32Float 2x2 levels=2 = 0.25 0.5 0.75 1  0.375
// buffer 0: f32 = zeros(10)
// dispatch: f grid=1
// expect 0: f32 = 0.75 1 0 0.875 1 1 0.375 0.375 0.625 0
constexpr sampler s(filter::linear, mip_filter::linear, compare_func::less, address::clamp_to_edge);
kernel void f(depth2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) {
  float2 c = float2(0.5f);
  o[0] = t.sample_compare(s, c, 0.3f);
  o[1] = t.sample_compare(s, c, 0.3f, level(1));
  o[2] = t.sample_compare(s, c, 0.4f, level(1));
  o[3] = t.sample_compare(s, c, 0.3f, level(0.5f));
  o[4] = t.sample_compare(s, c, 0.3f, bias(0), min_lod_clamp(1));
  o[5] = t.sample_compare(s, c, 0.3f, gradient2d(float2(0), float2(0)), min_lod_clamp(1), int2(0));
  o[6] = t.sample(s, c, bias(0), min_lod_clamp(1));
  o[7] = t.sample(s, c, gradient2d(float2(0), float2(0)), min_lod_clamp(1), int2(0));
  o[8] = t.sample(s, c);
  o[9] = t.sample_compare(s, c, 0.4f, min_lod_clamp(1));
}
//--- multisampled textures and arrays of them, color and depth: `read` of a sample, at coordinates of 16 bits too, `sparse_read`
// constant on: bool = 0
// gives: f32 = 1 1
constant bool on [[function_constant(0)]];
kernel void f(device float* o, depth2d_ms<float> t [[texture(0), function_constant(on)]],
              depth2d_ms_array<float, access::read> a [[texture(1), function_constant(on)]], texture2d_ms<half> u [[texture(2), function_constant(on)]],
              texture2d_ms_array<uint> v [[texture(3), function_constant(on)]]) {
  o[0] = is_same_v<decltype(t.read(uint2(0), 1u)), float> && is_same_v<decltype(u.read(ushort2(0), ushort(1))), half4>;
  o[1] = 1;
  if (on) {
    o[2] = t.read(uint2(1, 0), 1u) + t.read(ushort2(0, 0), ushort(1)) + t.sparse_read(uint2(0, 0), 0u).value() + t.get_num_samples();
    o[3] = a.read(uint2(0), 1u, 0u) + a.read(ushort2(0), ushort(0), ushort(1)) + a.get_array_size() + a.sparse_read(uint2(0), 1u, 1u).value();
    o[4] = float(u.read(uint2(1, 0), 2u).x + u.read(ushort2(0, 0), ushort(3)).x) + u.sparse_read(uint2(0), 0u).resident() + u.get_width();
    o[5] = v.read(uint2(0), 1u, 0u).x + v.read(ushort2(0), ushort(0), ushort(1)).x + v.get_array_size() + v.get_num_samples();
    o[6] = is_null_texture(v) || is_null_texture(t) || is_null_texture(a) || is_null_texture(u);
  }
}
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

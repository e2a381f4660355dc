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
//--- sparse textures: `sparse_sample`, `sparse_color`
// error: unsupported-sparse-texture
constexpr sampler s;
kernel void f(texture2d<float> t [[texture(0)]], device float* o [[buffer(0)]]) { o[0] = t.sparse_sample(s, float2(0)).value().x; }
//--- `is_null_texture`
// texture 0: r32Float 1x1 = 5
// buffer 0: i32 = 3
// dispatch: f grid=1
// expect 0: i32 = 0
kernel void f(texture2d<float> t [[texture(0)]], device int* o [[buffer(0)]]) { o[0] = is_null_texture(t); }

// 2.9 Textures
#include <metal_stdlib>
using namespace metal;
//--- `texture1d` to `texturecube_array`, `depth…`, `texture_buffer` as arguments and members
// see: tests/run/std_texture.metal (textures as arguments and members)
//--- access: sample, read, write, read_write
// see: tests/run/std_texture.metal (reading and writing one texture, half and short)
//--- all formats that a kernel can read and write
// see: tests/run/std_texture_formats.metal (float and normalized formats are read and written)
//--- `texture2d_ms`, read
// gives: i32 = 1
kernel void f(device int* o) { o[0] = is_same_v<texture2d_ms<float>, texture2d_ms<float, access::read>>; }
//--- 2.9.1 texture buffers
// texture 0: r32Float 4 = 1 2 3 4
// buffer 0: f32 = zeros(2)
// dispatch: f grid=1
// expect 0: f32 = 3 4
kernel void f(texture_buffer<float> t [[texture(0)]], device float* o [[buffer(0)]]) { o[0] = t.read(2).x; o[1] = t.get_width(); }
//--- writing a texture that is for sampling
// error: static-assert
kernel void f(texture2d<float> t [[texture(0)]]) { t.write(float4(1), uint2(0)); }
//--- sampling a texture that is for writing
// error: static-assert
constexpr sampler s;
kernel void f(texture2d<float, access::write> t [[texture(0)]], device float4* o [[buffer(0)]]) { o[0] = t.sample(s, float2(0)); }
//--- a texture of vectors
// error: static-assert
kernel void f(texture2d<float4> t [[texture(0)]]) { (void)t; }
//--- memory coherence of a texture
// gives: i32 = 1
kernel void f(device int* o) { o[0] = sizeof(texture2d<float, access::read_write, memory_coherence_device>) > 0; }

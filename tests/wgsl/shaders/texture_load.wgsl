//@ dispatch 1 1 1
//@ texture 0 rgba8unorm 8 8 random
//@ texture 1 rgba8uint 8 8 random
//@ texture 2 r32float 8 8 values 1065353216 1073741824 3225419776 1040187392
//@ texture 3 rgba8snorm 8 8 random
//@ texture 4 rgba16float 8 8 float16 -4 4
//@ out 5 512
//@ compare 5 ulp:2 ulp:2 x x x ulp:2 x x
// Texels of several formats, and sizes.
@group(0) @binding(0) var a: texture_2d<f32>;
@group(0) @binding(1) var b: texture_2d<u32>;
@group(0) @binding(2) var c: texture_2d<f32>;
@group(0) @binding(3) var d: texture_2d<f32>;
@group(0) @binding(4) var e: texture_2d<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let k = i * 8u;
    let p = textureLoad(a, l.xy, 0);
    out[k] = p.x;
    out[k + 1u] = p.w;
    let q = textureLoad(b, vec2<i32>(l.yx), 0);
    out[k + 2u] = f32(q.x * 1000u + q.y);
    out[k + 3u] = f32(q.z + q.w * 7u);
    out[k + 4u] = textureLoad(c, l.xy, 0).x;
    out[k + 5u] = textureLoad(d, l.xy, 0).y;
    out[k + 6u] = textureLoad(e, l.xy, 0).z;
    let size = textureDimensions(a) * textureDimensions(b, 0);
    out[k + 7u] = f32(size.x + size.y * 100u + textureNumLevels(a));
}

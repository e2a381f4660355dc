//@ dispatch 1 1 1
//@ texture 0 rgba8unorm 8 8 random
//@ texture 1 rgba8uint 8 8 random
//@ sampler 2 nearest clamp
//@ out 3 512
//@ compare 3 ulp:2 ulp:2 ulp:2 ulp:2 x x x x
// The four texels around the corner of texels, counterclockwise.
@group(0) @binding(0) var t: texture_2d<f32>;
@group(0) @binding(1) var u: texture_2d<u32>;
@group(0) @binding(2) var s: sampler;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let p = vec2<f32>(l.xy) / 8.0;
    out[2u * i] = textureGather(1, t, s, p);
    out[2u * i + 1u] = vec4<f32>(textureGather(2, u, s, p));
}

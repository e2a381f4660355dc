//@ dispatch 1 1 1
//@ texture 0 rgba8unorm 8 8 random
//@ sampler 1 nearest repeat
//@ sampler 2 nearest clamp
//@ sampler 3 nearest mirror
//@ in 4 f32 128 float -2.5 3.5
//@ out 5 256
//@ compare 5 ulp:2
// Coordinates far outside; those near the edge of a texel are moved to its middle.
@group(0) @binding(0) var t: texture_2d<f32>;
@group(0) @binding(1) var s: sampler;
@group(0) @binding(2) var c: sampler;
@group(0) @binding(3) var m: sampler;
@group(0) @binding(4) var<storage, read> at: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let p = (floor(at[i] * 8.0) + 0.5) / 8.0;
    out[4u * i] = textureSampleLevel(t, s, p, 0.0).x;
    out[4u * i + 1u] = textureSampleLevel(t, c, p, 0.0).y;
    out[4u * i + 2u] = textureSampleLevel(t, m, p, 0.0).z;
    out[4u * i + 3u] = textureSampleLevel(t, s, p, 0.0, vec2<i32>(1, -2)).w;
}

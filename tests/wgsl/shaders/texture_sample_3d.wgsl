//@ dispatch 1 1 1
//@ texture 0 rgba8unorm 4 4 4 random
//@ sampler 1 linear clamp
//@ sampler 2 nearest repeat
//@ in 3 f32 256 float -0.5 1.5
//@ out 4 128
//@ compare 4 abs:0.008 ulp:2
@group(0) @binding(0) var t: texture_3d<f32>;
@group(0) @binding(1) var s: sampler;
@group(0) @binding(2) var n: sampler;
@group(0) @binding(3) var<storage, read> at: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    out[2u * i] = textureSampleLevel(t, s, at[i].xyz, 0.0).x;
    out[2u * i + 1u] = textureSampleLevel(t, n, (floor(at[i].xyz * 4.0) + 0.5) / 4.0, 0.0).y;
}

//@ dispatch 1 1 1
//@ texture 0 rgba8uint 4 4 4 random
//@ texture 1 r32sint 4 4 4 random
//@ out 2 128
@group(0) @binding(0) var a: texture_3d<u32>;
@group(0) @binding(1) var b: texture_3d<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(4, 4, 4)
fn main(@builtin(local_invocation_id) l: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let p = textureLoad(a, l.zyx, 0);
    out[2u * i] = dot(p, vec4<u32>(1u, 256u, 65536u, 16777216u)) + textureDimensions(a).z;
    out[2u * i + 1u] = bitcast<u32>(textureLoad(b, vec3<i32>(l), 0).x);
}

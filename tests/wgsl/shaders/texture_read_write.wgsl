//@ dispatch 1 1 1
//@ storage 0 r32uint 8 8 random
//@ storage 1 r32float 8 8 values 1065353216 1073741824 3225419776
//@ needs texture-formats
// Textures that are read and written.
@group(0) @binding(0) var a: texture_storage_2d<r32uint, read_write>;
@group(0) @binding(1) var b: texture_storage_2d<r32float, read_write>;

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3<u32>) {
    let x = textureLoad(a, l.xy).x;
    textureStore(a, l.xy, vec4<u32>(x * 3u + l.x));
    let y = textureLoad(b, l.xy).x;
    textureStore(b, l.xy, vec4<f32>(y * 0.5 + f32(l.y)));
}

//@ dispatch 1 1 1
//@ storage 0 rgba8unorm 8 8
//@ storage 1 rgba8uint 8 8
//@ storage 2 rgba32float 8 8
//@ storage 3 rgba16float 8 8
//@ storage 4 rgba8snorm 8 8
//@ storage 5 rgba32sint 8 8
//@ storage 6 rgba8sint 8 8
//@ storage 7 rgba16uint 8 8
// Values within the format's range.
@group(0) @binding(0) var a: texture_storage_2d<rgba8unorm, write>;
@group(0) @binding(1) var b: texture_storage_2d<rgba8uint, write>;
@group(0) @binding(2) var c: texture_storage_2d<rgba32float, write>;
@group(0) @binding(3) var d: texture_storage_2d<rgba16float, write>;
@group(0) @binding(4) var e: texture_storage_2d<rgba8snorm, write>;
@group(0) @binding(5) var f: texture_storage_2d<rgba32sint, write>;
@group(0) @binding(6) var g: texture_storage_2d<rgba8sint, write>;
@group(0) @binding(7) var h: texture_storage_2d<rgba16uint, write>;

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3<u32>) {
    let v = vec4<f32>(vec2<f32>(l.xy) / 8.0, 0.5, 1.0);
    textureStore(a, l.xy, v);
    textureStore(b, l.yx, vec4<u32>(l.x * 30u, l.y * 20u, 255u, l.x + l.y));
    textureStore(c, vec2<i32>(l.xy), v * 3.0 - 1.5);
    textureStore(d, l.xy, v * 64.0);
    textureStore(e, l.xy, v * 2.0 - 1.0);
    textureStore(f, l.xy, vec4<i32>(vec3<i32>(l) - 4, -1000000));
    textureStore(g, l.xy, vec4<i32>(vec2<i32>(l.xy) * 10 - 40, 127, -128));
    textureStore(h, l.xy, vec4<u32>(l.x * 5000u, l.y * 9000u, 65535u, 1u));
}

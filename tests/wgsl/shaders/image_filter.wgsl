//@ dispatch 2 2 1
//@ texture 0 rgba8uint 16 16 random
//@ storage 1 rgba8uint 16 16
// A 3 by 3 filter over a tile with a border in workgroup memory.
@group(0) @binding(0) var source: texture_2d<u32>;
@group(0) @binding(1) var result: texture_storage_2d<rgba8uint, write>;
var<workgroup> tile: array<array<vec4<u32>, 10>, 10>;

@compute @workgroup_size(8, 8)
fn main(@builtin(local_invocation_id) l: vec3<u32>, @builtin(workgroup_id) g: vec3<u32>,
        @builtin(local_invocation_index) i: u32) {
    let size = vec2<i32>(textureDimensions(source));
    for (var k = i; k < 100u; k += 64u) {
        let p = vec2<i32>(g.xy * 8u + vec2<u32>(k % 10u, k / 10u)) - 1;
        tile[k / 10u][k % 10u] = textureLoad(source, clamp(p, vec2<i32>(0), size - 1), 0);
    }
    workgroupBarrier();
    var total = vec4<u32>(0u);
    for (var y = 0u; y < 3u; y++) {
        for (var x = 0u; x < 3u; x++) {
            total += tile[l.y + y][l.x + x] * ((1u + x % 2u) * (1u + y % 2u));
        }
    }
    textureStore(result, g.xy * 8u + l.xy, total / 16u);
}

//@ dispatch 2 4 1
//@ in 0 u32 16 random
//@ out 1 16
// Bits of words are cells; atomic operations put them together.
@group(0) @binding(0) var<storage, read> cells: array<u32, 16>;
@group(0) @binding(1) var<storage, read_write> next: array<atomic<u32>, 16>;

fn alive(x: i32, y: i32) -> i32 {
    return i32((cells[(y + 16) % 16] >> u32((x + 32) % 32)) & 1u);
}

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let p = vec2<i32>(id.xy);
    var n = -alive(p.x, p.y);
    for (var dy = -1; dy <= 1; dy++) {
        for (var dx = -1; dx <= 1; dx++) { n += alive(p.x + dx, p.y + dy); }
    }
    if n == 3 || (n == 2 && alive(p.x, p.y) == 1) { atomicOr(&next[id.y], 1u << id.x); }
}

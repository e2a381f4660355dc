//@ dispatch 2 2 1
//@ in 0 f32 1024 ramp
//@ out 1 1024
// A transposition by tiles, in two dimensions.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
var<workgroup> tile: array<array<f32, 17>, 16>;

@compute @workgroup_size(16, 16)
fn main(@builtin(local_invocation_id) l: vec3<u32>, @builtin(workgroup_id) g: vec3<u32>) {
    tile[l.y][l.x] = a[(g.y * 16u + l.y) * 32u + g.x * 16u + l.x];
    workgroupBarrier();
    out[(g.x * 16u + l.y) * 32u + g.y * 16u + l.x] = tile[l.x][l.y];
}

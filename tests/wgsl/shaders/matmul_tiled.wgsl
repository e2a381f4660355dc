//@ dispatch 2 2 1
//@ in 0 f32 1024 values 1 2 -1 3 0 5 -2 4 7 -3 2
//@ in 1 f32 1024 values 2 -1 3 1 4 -5 0
//@ in 2 u32 4 values 32 32 32 0
//@ out 3 1024
// A product of matrices of small integers, which is exact.
struct Sizes { m: u32, n: u32, k: u32, }
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
const TILE = 16u;
var<workgroup> ta: array<array<f32, TILE>, TILE>;
var<workgroup> tb: array<array<f32, TILE>, TILE>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>) {
    var total = 0.0;
    for (var t = 0u; t < sizes.k; t += TILE) {
        ta[l.y][l.x] = a[id.y * sizes.k + t + l.x];
        tb[l.y][l.x] = b[(t + l.y) * sizes.n + id.x];
        workgroupBarrier();
        for (var k = 0u; k < TILE; k++) { total = fma(ta[l.y][k], tb[k][l.x], total); }
        workgroupBarrier();
    }
    c[id.y * sizes.n + id.x] = total;
}

//@ dispatch 3 1 1
//@ in 0 u32 32 random
//@ out 1 96
// Workgroup memory begins with zeros, structures and nested arrays, too.
struct Cell { a: u32, b: vec3<f32>, c: array<vec2<u32>, 3>, }
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<workgroup> cells: array<Cell, 8>;
var<workgroup> total: atomic<u32>;
var<workgroup> matrix: mat4x4<f32>;

@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let c = &cells[i % 8u];
    var seen = (*c).a + u32((*c).b.x + (*c).b.z) + (*c).c[2].y + u32(matrix[i % 4u].w);
    workgroupBarrier();
    if i < 8u { cells[i].a = a[i]; cells[i].c[i % 3u] = vec2<u32>(a[i + 8u], i); }
    if i == 9u { matrix[1] = vec4<f32>(4.0); }
    atomicAdd(&total, a[i]);
    workgroupBarrier();
    seen += cells[(i + 3u) % 8u].c[1].x ^ cells[i % 8u].a;
    out[group.x * 32u + i] = seen + atomicLoad(&total) + u32(matrix[1].y + matrix[2].x);
}

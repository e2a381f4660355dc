//@ dispatch 1 1 1
//@ in 0 u32 64 ramp
//@ out 1 128
// Sizes, alignments and offsets in storage and uniform buffers.
struct Inner { a: f32, b: vec3<u32>, c: u32, }
struct Odd { x: vec3<u32>, y: array<vec2<u32>, 3>, @align(16) z: u32, @size(32) w: u32, last: Inner, }
struct Table { m: mat3x3<f32>, n: mat2x2<f32>, k: vec2<u32>, }
@group(0) @binding(0) var<uniform> words: array<vec4<u32>, 16>;
@group(0) @binding(1) var<storage, read_write> out: Out;
struct Out { odd: Odd, table: Table, rest: array<u32>, }

@compute @workgroup_size(1)
fn main() {
    out.odd.x = words[0].yzw;
    for (var i = 0u; i < 3u; i++) { out.odd.y[i] = words[i + 1u].xw; }
    out.odd.z = words[5].x;
    out.odd.w = words[6].y;
    out.odd.last.a = f32(words[7].z);
    out.odd.last.b = words[8].xyz + 100u;
    out.odd.last.c = 0xabcdefu;
    out.table.m = mat3x3<f32>(vec3<f32>(1.0, 2.0, 3.0), vec3<f32>(4.0, 5.0, 6.0), vec3<f32>(7.0, 8.0, 9.0));
    out.table.n = mat2x2<f32>(10.0, 11.0, 12.0, 13.0);
    out.table.k = vec2<u32>(14u, 15u);
    let n = arrayLength(&out.rest);
    for (var i = 0u; i < n; i++) { out.rest[i] = n * 1000u + i; }
    let copy = out.odd;
    out.rest[n - 1u] = copy.last.b.z + copy.y[2].y;
}

//@ dispatch 1 1 1
//@ in 0 f16 128 float -8 8
//@ out 1 32
//@ needs f16
// Structures and matrices of half floats in memory.
enable f16;
struct Mixed { a: f16, b: vec3<f16>, c: f32, d: array<f16, 3>, m: mat2x3<f16>, last: f16, }
@group(0) @binding(0) var<storage, read> a: array<f16>;
@group(0) @binding(1) var<storage, read_write> out: Out;
struct Out { one: Mixed, two: Mixed, }

@compute @workgroup_size(1)
fn main() {
    out.one.a = a[0];
    out.one.b = vec3<f16>(a[1], a[2], a[3]);
    out.one.c = f32(a[4]);
    out.one.d = array<f16, 3>(a[5], a[6], a[7]);
    out.one.m = mat2x3<f16>(vec3<f16>(a[8], a[9], a[10]), vec3<f16>(a[11], a[12], a[13]));
    out.one.last = a[14];
    out.two.b = out.one.b.zyx;
    out.two.m = mat2x3<f16>(out.one.m[1], out.one.m[0]);
    out.two.last = out.one.d[2];
}

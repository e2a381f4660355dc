//@ dispatch 1 1 1
//@ in 0 f16 256 float -8 8
//@ out 1 512
//@ compare 1 x x x abs:0.01 abs:0.02 x x x
//@ needs f16
// Half floats in memory and in arithmetic.
enable f16;
@group(0) @binding(0) var<storage, read> a: array<vec4<f16>>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let v = a[i];
    let k = i * 8u;
    out[k] = f32(v.x + v.y);
    out[k + 1u] = f32(v.z * v.w);
    out[k + 2u] = f32(floor(v.x) + abs(v.y));
    out[k + 3u] = f32(v.x / (abs(v.y) + 1.0h));
    out[k + 4u] = f32(sqrt(abs(v.z)));
    out[k + 5u] = f32(i32(v.w * 100.0h));
    out[k + 6u] = f32(max(v, v.wzyx).x) + f32(clamp(v.y, -2.0h, 3.0h));
    out[k + 7u] = f32(f16(i) * 0.5h) + f32(all(v < v.yzwx));
}

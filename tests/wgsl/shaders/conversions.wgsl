//@ dispatch 1 1 1
//@ in 0 f32 64 values 0 -0.5 0.5 1.5 2.5 -2.75 1e9 -1e9 3e9 -3e9 1e20 -1e20 2147483520 4294967040 16777217 0.999
//@ in 1 i32 64 edges
//@ out 2 640
//@ compare 2 x x x x x x x x x x
// Floats to integers saturate; integers to floats round to nearest even; bits stay bits.
@group(0) @binding(0) var<storage, read> f: array<f32>;
@group(0) @binding(1) var<storage, read> n: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = f[i];
    let y = n[i];
    let k = i * 10u;
    out[k] = bitcast<u32>(i32(x));
    out[k + 1u] = u32(x);
    out[k + 2u] = bitcast<u32>(f32(y));
    out[k + 3u] = bitcast<u32>(f32(bitcast<u32>(y)));
    out[k + 4u] = bitcast<u32>(i32(u32(y)));
    out[k + 5u] = u32(bool(y)) + 2u * u32(bool(x));
    out[k + 6u] = bitcast<u32>(f32(x > 1.0)) + u32(i32(y < 0));
    let v = vec3<i32>(vec3<f32>(x, -x, x * 0.5));
    out[k + 7u] = bitcast<u32>(v.x ^ v.y ^ v.z);
    let w = vec2<f32>(vec2<u32>(u32(y), i));
    out[k + 8u] = bitcast<u32>(w.x) ^ bitcast<u32>(w.y);
    out[k + 9u] = bitcast<vec2<u32>>(vec2<f32>(x, f32(i))).y;
}

//@ dispatch 1 1 1
//@ in 0 f32 256 values 0 1 -1 0.5 -0.5 0.25 0.75 2 -2 0.1 100 -0.3 0.9 -0.9 0.3333 0.0001
//@ in 1 u32 64 random
//@ out 2 512
//@ compare 2 any any x x x x x x
// Packed formats; values that lie between two integers may round either way, and are compared elsewhere.
@group(0) @binding(0) var<storage, read> f: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> u: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let v = f[i];
    let x = u[i];
    let k = i * 8u;
    out[k] = pack4x8snorm(v);
    out[k + 1u] = pack4x8unorm(v) ^ pack2x16snorm(v.xy) ^ pack2x16unorm(v.zw);
    out[k + 2u] = pack2x16float(v.xw * 0.25);
    let h = unpack2x16float(pack2x16float(v.yz));
    out[k + 3u] = bitcast<u32>(h.x) ^ bitcast<u32>(h.y) >> 1u;
    out[k + 4u] = pack4xU8(vec4<u32>(x, x >> 3u, x >> 5u, x >> 9u)) ^ pack4xI8(vec4<i32>(bitcast<i32>(x)) >> vec4<u32>(0u, 1u, 2u, 3u));
    out[k + 5u] = pack4xU8Clamp(vec4<u32>(x, x >> 20u, x >> 24u, 255u)) ^ pack4xI8Clamp(vec4<i32>(bitcast<i32>(x), 5, -5, bitcast<i32>(x) >> 24u));
    let s = unpack4xI8(x);
    let t = unpack4xU8(x);
    out[k + 6u] = bitcast<u32>(s.x * s.y - s.z * s.w) + t.x * t.y * t.z * t.w;
    out[k + 7u] = bitcast<u32>(dot4I8Packed(x, u[63u - i])) ^ dot4U8Packed(x, u[63u - i]);
}

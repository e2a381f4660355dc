//@ dispatch 2 1 1
//@ in 0 u32 64 edges
//@ in 1 u32 64 ramp
//@ out 2 512
// Shifts by more than there are bits: the amount counts modulo 32.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> by: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let x = a[i];
    let s = by[i];
    out[i * 8u] = x << s;
    out[i * 8u + 1u] = x >> s;
    out[i * 8u + 2u] = bitcast<u32>(bitcast<i32>(x) >> s);
    out[i * 8u + 3u] = bitcast<u32>(bitcast<i32>(x) << s);
    let v = vec4<u32>(x, ~x, x * 3u, x ^ 0x55555555u);
    let w = (v << vec4<u32>(s, s + 1u, s * 2u, 31u)) ^ (v >> vec4<u32>(s, 0u, 31u, s + 7u));
    out[i * 8u + 4u] = w.x;
    out[i * 8u + 5u] = w.y;
    out[i * 8u + 6u] = w.z;
    out[i * 8u + 7u] = w.w;
}

//@ dispatch 1 1 1
//@ in 0 u32 128 random
//@ out 1 512
//@ needs int64
// Integers of 64 bits.
@group(0) @binding(0) var<storage, read> a: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> out: array<u64>;

fn wide(v: vec2<u32>) -> u64 { return (u64(v.x) << 32u) | u64(v.y); }

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = wide(a[i]);
    let y = wide(a[63u - i]) >> (i % 50u);
    let s = i64(x);
    out[i * 4u] = x * y + (x ^ y);
    out[i * 4u + 1u] = x / y + x % y;
    out[i * 4u + 2u] = u64(s / (i64(y) | 1li)) - u64(s >> 7u);
    out[i * 4u + 3u] = max(x, y) - min(x, y) + u64(x > y) + (x >> (i % 64u)) + u64(abs(s));
}

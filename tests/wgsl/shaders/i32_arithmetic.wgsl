//@ dispatch 4 1 1
//@ in 0 i32 128 edges
//@ in 1 i32 128 random
//@ out 2 1024
// Sums, products and quotients of signed integers, with wraparound, division by zero and the quotient that overflows.
@group(0) @binding(0) var<storage, read> a: array<i32>;
@group(0) @binding(1) var<storage, read> b: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let x = a[i];
    let y = a[(i * 7u + 3u) % 128u];
    let z = b[i];
    out[i * 8u] = x + y * z;
    out[i * 8u + 1u] = x - z;
    out[i * 8u + 2u] = x / y;
    out[i * 8u + 3u] = x % y;
    out[i * 8u + 4u] = z / x;
    out[i * 8u + 5u] = z % x;
    out[i * 8u + 6u] = -x;
    out[i * 8u + 7u] = abs(x) + sign(z) - min(x, y) * max(y, z);
}

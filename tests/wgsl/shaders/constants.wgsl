//@ dispatch 1 1 1
//@ out 0 32
// Constant expressions, overridable constants with their defaults, tables that are indexed.
const N = 4;
const PRIMES = array<u32, 8>(2, 3, 5, 7, 11, 13, 17, 19);
const M = mat2x2<f32>(1.0, 2.0, 3.0, 4.0);
const SHIFTED = (1u << 5u) + u32(N * N) % 7u;
const SMALL = -7 / 2 + -7 % 3;
const_assert N == 4;
struct Pair { x: i32, y: vec2<f32>, }
const PAIR = Pair(-3, vec2<f32>(0.5, 0.25));
@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(N * 2)
fn main(@builtin(local_invocation_index) i: u32) {
    out[4u * i] = f32(PRIMES[i] * SHIFTED) + f32(SMALL);
    out[4u * i + 1u] = (M * PAIR.y)[i % 2u] + f32(PAIR.x);
    let table = array(1.5, 2.5, -0.0);
    out[4u * i + 2u] = table[i % 3u];
    out[4u * i + 3u] = f32(countOneBits(0xf0fu)) + max(1.5, f32(i)) + f32(vec3(1, 2, 3)[i % 3u]);
}

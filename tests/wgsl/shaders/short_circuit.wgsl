//@ dispatch 1 1 1
//@ in 0 u32 64 random
//@ out 1 128
// The right side of && and || is evaluated only where it counts.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<private> calls: u32;

fn probe(x: u32, bit: u32) -> bool { calls += 1u << (4u * bit); return (x >> bit & 1u) != 0u; }

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = a[i];
    let r = (probe(x, 0u) && probe(x, 1u)) || (probe(x, 2u) && !probe(x, 3u)) || probe(x, 4u);
    let s = probe(x, 5u) & probe(x, 6u) | r;
    out[2u * i] = u32(r) + 2u * u32(s);
    out[2u * i + 1u] = calls;
}

//@ dispatch 2 2 1
//@ in 0 u32 256 random
//@ out 1 256
// Neighbors that loop for very different times, and leave in different ways.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

fn gcd(p: u32, q: u32) -> u32 {
    var x = p;
    var y = q;
    while y != 0u { let t = x % y; x = y; y = t; }
    return x;
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.y * 16u + id.x;
    let x = a[i];
    if x % 13u == 0u { out[i] = 0xffffffffu; return; }
    var total = gcd(x & 0xffffu, (x >> 16u) | 1u);
    for (var k = 0u; k < (x & 31u); k++) {
        if (x >> k) % 5u == 0u { continue; }
        switch (x >> k) & 3u {
            case 0u: { total += k; continue; }
            case 1u: { total ^= k * 7u; break; }
            case 2u: { if total % 3u == 0u { out[i] = total; return; } }
            default: { total = total * 3u + 1u; }
        }
        if total > 0xf0000000u { break; }
    }
    out[i] = total;
}

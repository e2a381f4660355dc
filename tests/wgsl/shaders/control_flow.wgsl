//@ dispatch 2 1 1
//@ in 0 u32 64 random
//@ out 1 256
// Loops with continuing, break if, nested breaks, switches with several selectors and a default in the middle.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

fn collatz(start: u32) -> u32 {
    var n = start;
    var steps = 0u;
    loop {
        if n <= 1u || steps > 300u { break; }
        if n % 2u == 0u { n = n / 2u; steps++; continue; }
        n = 3u * n + 1u;
        continuing { steps += 1u; }
    }
    return steps;
}

fn kind(x: u32) -> u32 {
    switch x % 11u {
        case 0u: { return 1u; }
        case 1u, 2u, 3u: { if x > 0x80000000u { return 2u; } }
        default: { return 3u; }
        case 4u: { }
        case 5u, 10u: { for (var i = 0u; i < 5u; i++) { if i == x % 7u { return 40u + i; } } }
    }
    return 5u;
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let x = a[i];
    out[i * 4u] = collatz(x % 1000u);
    out[i * 4u + 1u] = kind(x);
    var total = 0u;
    for (var y = 0u; y < 10u; y++) {
        for (var z = y; z < 10u; z++) {
            if (x >> z & 1u) == 0u { continue; }
            if z * y > 40u { break; }
            total += z * y + 1u;
        }
        if total > 120u { break; }
    }
    out[i * 4u + 2u] = total;
    var n = x;
    var rounds = 0;
    loop {
        n = n >> 3u;
        rounds++;
        continuing {
            total ^= n;
            break if n == 0u;
        }
    }
    while rounds > 0 { rounds -= 2; total = total * 5u + 1u; }
    out[i * 4u + 3u] = total;
}

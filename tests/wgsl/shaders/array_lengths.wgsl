//@ dispatch 1 1 1
//@ in 0 u32 23 random
//@ in 1 u32 40 random
//@ inout 2 u32 10 ramp
//@ out 3 8
// Lengths of arrays without one, at the end of structures, of elements of several words.
struct Header { count: u32, flags: u32, items: array<vec3<u32>>, }
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: Header;
@group(0) @binding(2) var<storage, read_write> c: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

fn sum(limit: u32) -> u32 {
    var total = 0u;
    for (var i = 0u; i < min(arrayLength(&a), limit); i++) { total += a[i]; }
    return total;
}

@compute @workgroup_size(1)
fn main() {
    out[0] = arrayLength(&a);
    out[1] = arrayLength(&b.items);
    out[2] = arrayLength(&c);
    out[3] = arrayLength(&out);
    out[4] = sum(1000u);
    out[5] = b.items[arrayLength(&b.items) - 1u].y + b.flags;
    c[arrayLength(&c) - 1u] += vec2<u32>(5u, 6u);
    out[6] = b.items[0].z;
}

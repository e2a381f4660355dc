//@ dispatch 1 1 1
//@ in 0 u32 64 random
//@ out 1 768
//@ compare 1 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3 ulp:3
@group(0) @binding(0) var<storage, read> u: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = u[i];
    let a = unpack4x8snorm(x);
    let b = unpack4x8unorm(x);
    let c = unpack2x16snorm(x);
    let d = unpack2x16unorm(x);
    for (var k = 0u; k < 4u; k++) {
        out[i * 12u + k] = a[k];
        out[i * 12u + 4u + k] = b[k];
    }
    out[i * 12u + 8u] = c.x;
    out[i * 12u + 9u] = c.y;
    out[i * 12u + 10u] = d.x;
    out[i * 12u + 11u] = d.y;
}

//@ dispatch 1 1 1
//@ in 0 f32 64 float -100 100
//@ in 1 f32 64 float 0.01 10
//@ out 2 512
//@ compare 2 ulp:2.5 ulp:5 ulp:5 ulp:2 ulp:3 abs:1e-4 abs:2e-5 ulp:1
// Quotients, roots, remainders.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = a[i];
    let y = b[i];
    let k = i * 8u;
    out[k] = x / y;
    out[k + 1u] = sqrt(y);
    out[k + 2u] = sqrt(abs(x));
    out[k + 3u] = inverseSqrt(y);
    out[k + 4u] = 1.0 / x;
    // Where the quotient is near an integer, the remainder may be one more divisor.
    out[k + 5u] = select(x % y, 0.0, abs(x / y - round(x / y)) < 1e-3);
    out[k + 6u] = fract(x);
    out[k + 7u] = ldexp(y, i32(i) - 32);
}

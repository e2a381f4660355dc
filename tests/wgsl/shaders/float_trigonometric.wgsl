//@ dispatch 1 1 1
//@ in 0 f32 64 float -3.1 3.1
//@ in 1 f32 64 float -0.99 0.99
//@ out 2 768
//@ compare 2 abs:4.9e-4 abs:4.9e-4 abs:2e-3|ulp:20000 abs:1e-4|ulp:4096 abs:1e-4|ulp:4096 ulp:4096 ulp:4096 abs:1e-5|ulp:4096 abs:1e-5|ulp:64 abs:1e-5|ulp:64 x ulp:2
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = a[i];
    let y = b[i];
    let k = i * 12u;
    out[k] = sin(x);
    out[k + 1u] = cos(x);
    out[k + 2u] = select(tan(x), 0.0, abs(cos(x)) < 0.05);
    out[k + 3u] = asin(y);
    out[k + 4u] = acos(y);
    out[k + 5u] = atan(x);
    out[k + 6u] = atan2(x, y);
    out[k + 7u] = asinh(x);
    out[k + 8u] = acosh(1.5 + abs(x));
    out[k + 9u] = atanh(y);
    out[k + 10u] = f32(x > y);
    out[k + 11u] = degrees(x) + radians(y) * 0.0;
}

//@ dispatch 1 1 1
//@ in 0 f32 64 values 1 -1 0.75 -3.25 100.5 1e-3 -1e6 12345.678 0.1 -0.1 8 1e10 -2.5 3.5 4.5 0.5
//@ out 1 512
// Mantissas and exponents, whole and fractional parts, rounding of halves; all exact.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = a[i] * f32(1u << (i / 16u));
    let k = i * 8u;
    let f = frexp(x);
    out[k] = f.fract;
    out[k + 1u] = f32(f.exp);
    let m = modf(x);
    out[k + 2u] = m.fract;
    out[k + 3u] = m.whole;
    out[k + 4u] = round(x);
    out[k + 5u] = trunc(x) - floor(x);
    let v = modf(vec2<f32>(x, -x));
    out[k + 6u] = v.whole.x + v.fract.y;
    let g = frexp(vec3<f32>(x, x * 0.5, -x));
    out[k + 7u] = f32(g.exp.x + g.exp.y) + g.fract.z;
}

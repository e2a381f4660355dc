//@ dispatch 1 1 1
//@ in 0 f32 64 float -8 8
//@ in 1 f32 64 float 0.1 30
//@ out 2 512
//@ compare 2 ulp:19 ulp:19 ulp:3|abs:4.8e-7 ulp:3|abs:4.8e-7 ulp:130|abs:1e-5 ulp:40|abs:1e-6 ulp:40 ulp:40|abs:3e-5
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = a[i];
    let y = b[i];
    let k = i * 8u;
    out[k] = exp(x);
    out[k + 1u] = exp2(x);
    out[k + 2u] = log(y);
    out[k + 3u] = log2(y);
    out[k + 4u] = pow(y, x);
    out[k + 5u] = sinh(x);
    out[k + 6u] = cosh(x);
    out[k + 7u] = tanh(x);
}

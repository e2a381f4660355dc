//@ dispatch 1 1 1
//@ in 0 f32 64 float -100 100
//@ in 1 f32 64 float -10 10
//@ out 2 768
//@ compare 2 x x x x x x x x x x x x
// What is correctly rounded, one operation each.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = a[i];
    let y = b[i];
    let k = i * 12u;
    out[k] = x + y;
    out[k + 1u] = x - y;
    out[k + 2u] = x * y;
    out[k + 3u] = floor(x) + ceil(y);
    out[k + 4u] = trunc(x);
    out[k + 5u] = round(x * 0.5);
    out[k + 6u] = abs(x);
    out[k + 7u] = sign(x);
    out[k + 8u] = min(x, y);
    out[k + 9u] = max(x, y);
    out[k + 10u] = clamp(x, -50.0, 50.0);
    out[k + 11u] = step(x, y) + saturate(y);
}

//@ dispatch 1 1 1
//@ in 0 i32 32 values 0 1 2 3 4 5 100 -1 -100 7 8 2147483647 -2147483648 6 3 2
//@ out 1 128
//@ styles wgpu zero
// What is read beyond the end of a variable's array or vector may be anything, and does not show. Only translations
// that check indices stay within bounds.
@group(0) @binding(0) var<storage, read> at: array<i32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<private> table: array<u32, 4> = array<u32, 4>(10u, 20u, 30u, 40u);

@compute @workgroup_size(32)
fn main(@builtin(local_invocation_index) i: u32) {
    let k = at[i];
    let inside = k >= 0 && k < 4;
    var v = vec4<u32>(1u, 2u, 3u, 4u);
    out[i * 4u] = select(0u, table[k], inside);
    out[i * 4u + 1u] = select(0u, v[k], inside);
    if inside { v[k] = 9u; table[k] += i; }
    out[i * 4u + 2u] = v.x + v.y * 10u + v.z * 100u + v.w * 1000u;
    out[i * 4u + 3u] = table[0] + table[1] + table[2] + table[3];
}

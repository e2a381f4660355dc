//@ dispatch 2 1 1
//@ in 0 u32 4 values 12345 6789 0 0
//@ out 1 256
// PCG and Philox: products of 32 by 32 bits to 64, from parts.
@group(0) @binding(0) var<uniform> key: vec2<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

fn pcg(x: u32) -> u32 {
    let state = x * 747796405u + 2891336453u;
    let word = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (word >> 22u) ^ word;
}
fn high(a: u32, b: u32) -> u32 {
    let al = a & 0xffffu;
    let ah = a >> 16u;
    let bl = b & 0xffffu;
    let bh = b >> 16u;
    let middle = ah * bl + (al * bl >> 16u);
    return ah * bh + (middle >> 16u) + ((al * bh + (middle & 0xffffu)) >> 16u);
}
fn philox(counter: vec4<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0; round < 10; round++) {
        let h = vec2<u32>(high(0xD2511F53u, c.x), high(0xCD9E8D57u, c.z));
        let l = vec2<u32>(0xD2511F53u * c.x, 0xCD9E8D57u * c.z);
        c = vec4<u32>(h.y ^ c.y ^ k.x, l.y, h.x ^ c.w ^ k.y, l.x);
        k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let r = philox(vec4<u32>(id.x, 1u, 2u, 3u));
    out[4u * id.x] = r.x ^ pcg(id.x);
    out[4u * id.x + 1u] = r.y + pcg(r.x);
    out[4u * id.x + 2u] = r.z;
    out[4u * id.x + 3u] = r.w;
}

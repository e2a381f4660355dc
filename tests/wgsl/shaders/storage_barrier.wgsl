//@ dispatch 2 1 1
//@ inout 0 u32 128 random
// Threads of a workgroup that see each other's storage memory.
@group(0) @binding(0) var<storage, read_write> data: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) g: vec3<u32>) {
    let base = g.x * 64u;
    for (var round = 0u; round < 5u; round++) {
        let x = data[base + (i + 1u) % 64u] * 3u + data[base + (i * 5u) % 64u];
        storageBarrier();
        data[base + i] = x ^ round;
        storageBarrier();
    }
}

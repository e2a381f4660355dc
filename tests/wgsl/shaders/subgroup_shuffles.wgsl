//@ dispatch 1 1 1
//@ in 0 u32 64 random
//@ out 1 64
//@ needs subgroups
// Exchanges among neighbors of four, which every subgroup holds.

@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32, @builtin(subgroup_invocation_id) lane: u32) {
    let x = a[i];
    var r = subgroupShuffleXor(x, 1u) * 3u;
    r += subgroupShuffle(x, lane ^ 3u) * 5u;
    r ^= subgroupShuffle(x, lane & ~3u);
    let up = subgroupShuffleUp(x, 1u);
    let down = subgroupShuffleDown(x, 2u);
    if (lane & 3u) >= 1u { r += up; }
    if (lane & 3u) < 2u { r ^= down; }
    out[i] = r;
}

//@ dispatch 2 1 1
//@ in 0 u32 128 random
//@ out 1 128
//@ out 2 8
//@ needs subgroups
// Sums over subgroups, made independent of how large they are.

@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read_write> sums: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(subgroup_invocation_id) lane: u32,
        @builtin(subgroup_size) size: u32) {
    let x = a[id.x];
    let sum = subgroupAdd(x);
    let bits = subgroupXor(x);
    let most = subgroupMax(x);
    let least = subgroupMin(x);
    let all = subgroupAnd(x | 0xffu);
    let some = subgroupOr(x & 0xffff00u);
    if lane == 0u {
        atomicAdd(&sums[0], sum);
        atomicXor(&sums[1], bits);
        atomicMax(&sums[2], most);
        atomicMin(&sums[3], least);
        atomicAnd(&sums[4], all);
        atomicOr(&sums[5], some);
    }
    let before = subgroupExclusiveAdd(1u);
    let upto = subgroupInclusiveAdd(2u);
    let factor = x | 1u;
    let product = subgroupInclusiveMul(factor);
    let others = subgroupExclusiveMul(factor);
    let first = subgroupBroadcastFirst(id.x);
    var ok = 0u;
    ok |= select(0u, 1u, before == lane);
    ok |= select(0u, 2u, upto == 2u * lane + 2u);
    ok |= select(0u, 4u, product == others * factor);
    ok |= select(0u, 8u, first == id.x - lane);
    ok |= select(0u, 16u, subgroupAll(x >= least) && subgroupAny(x == most));
    let votes = subgroupBallot((x & 1u) == 1u);
    let odd = subgroupAdd(x & 1u);
    ok |= select(0u, 32u, countOneBits(votes.x) + countOneBits(votes.y) + countOneBits(votes.z) + countOneBits(votes.w) == odd);
    out[id.x] = ok;
}

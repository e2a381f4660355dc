//@ dispatch 2 1 1
//@ in 0 u32 64 random
//@ out 1 8
// Locks and lists from exchange and compare-exchange: what is in the end does not depend on the order.
@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
var<workgroup> largest: atomic<u32>;
var<workgroup> chain: atomic<u32>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let v = values[id.x];
    // A maximum by compare-exchange.
    var seen = atomicLoad(&largest);
    loop {
        if seen >= v { break; }
        let r = atomicCompareExchangeWeak(&largest, seen, v);
        if r.exchanged { break; }
        seen = r.old_value;
    }
    // What goes round: all that was put in comes out, but one.
    let before = atomicExchange(&chain, v);
    atomicXor(&out[0], before);
    atomicXor(&out[0], v);
    workgroupBarrier();
    if i == 0u {
        atomicXor(&out[0], atomicLoad(&chain));
        atomicMax(&out[1], atomicLoad(&largest));
        atomicAdd(&out[2], atomicLoad(&largest));
    }
}

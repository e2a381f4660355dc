//@ dispatch 4 1 1
//@ in 0 u32 1024 random
//@ out 1 64
// Bins in workgroup memory, then added up.
@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>, 64>;
var<workgroup> local: array<atomic<u32>, 64>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    for (var k = id.x; k < arrayLength(&values); k += 256u) {
        atomicAdd(&local[values[k] >> 26u], 1u);
        atomicAdd(&local[values[k] & 15u], 1u);
    }
    workgroupBarrier();
    atomicAdd(&bins[i], atomicLoad(&local[i]));
}

//@ dispatch 3 2 2
//@ out 0 1152
// All positions, in three dimensions.
@group(0) @binding(0) var<storage, read_write> out: array<u32>;
struct Inputs {
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
}

@compute @workgroup_size(4, 2, 3)
fn main(in: Inputs, @builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>) {
    let size = vec3<u32>(4u, 2u, 3u) * in.groups;
    let at = (id.z * size.y + id.y) * size.x + id.x;
    out[at * 4u] = dot(id, vec3<u32>(1u, 100u, 10000u));
    out[at * 4u + 1u] = dot(l, vec3<u32>(1u, 10u, 100u)) + in.index * 1000u;
    out[at * 4u + 2u] = dot(in.group, vec3<u32>(1u, 10u, 100u));
    out[at * 4u + 3u] = dot(in.groups, vec3<u32>(1u, 10u, 100u));
}

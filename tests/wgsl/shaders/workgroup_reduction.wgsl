//@ dispatch 5 1 1
//@ in 0 u32 640 random
//@ out 1 640
// A tree of sums and a scan in workgroup memory, with barriers in loops.
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<workgroup> sums: array<u32, 128>;
var<workgroup> scan: array<array<u32, 128>, 2>;

@compute @workgroup_size(128)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let x = a[group.x * 128u + i];
    sums[i] = x;
    scan[0][i] = x;
    for (var s = 64u; s > 0u; s = s / 2u) {
        workgroupBarrier();
        if i < s { sums[i] += sums[i + s]; }
    }
    var side = 0u;
    for (var s = 1u; s < 128u; s = s * 2u) {
        workgroupBarrier();
        var value = scan[side][i];
        if i >= s { value += scan[side][i - s]; }
        scan[1u - side][i] = value;
        side = 1u - side;
    }
    workgroupBarrier();
    out[group.x * 128u + i] = scan[side][i] ^ workgroupUniformLoad(&sums)[0];
}

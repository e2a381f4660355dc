//@ dispatch 2 1 1
//@ inout 0 u32 256 random
// A bitonic sort in workgroup memory.
@group(0) @binding(0) var<storage, read_write> data: array<u32>;
var<workgroup> w: array<u32, 128>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32, @builtin(workgroup_id) g: vec3<u32>) {
    w[i] = data[g.x * 128u + i];
    w[i + 64u] = data[g.x * 128u + i + 64u];
    for (var size = 2u; size <= 128u; size *= 2u) {
        for (var stride = size / 2u; stride > 0u; stride /= 2u) {
            workgroupBarrier();
            let low = 2u * i - (i & (stride - 1u));
            let high = low + stride;
            let ascending = (low & size) == 0u;
            let x = w[low];
            let y = w[high];
            if (x > y) == ascending { w[low] = y; w[high] = x; }
        }
    }
    workgroupBarrier();
    data[g.x * 128u + i] = w[i];
    data[g.x * 128u + i + 64u] = w[i + 64u];
}

//@ dispatch 1 1 1
//@ in 0 u32 64 random
//@ out 1 64
// Arrays of structures of arrays, copied as a whole, compared and changed by index.
struct Leaf { v: vec3<u32>, k: array<u32, 3>, }
struct Node { leaves: array<Leaf, 2>, tag: u32, }
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<private> tree: array<Node, 3>;

fn touch(node: Node, by: u32) -> Node {
    var n = node;
    n.leaves[by % 2u].k[by % 3u] += by;
    n.leaves[0].v = n.leaves[1].v.zxy + by;
    n.tag ^= by;
    return n;
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let x = a[i];
    tree[x % 3u] = touch(tree[(x >> 2u) % 3u], x);
    tree[1] = touch(tree[x % 3u], i);
    let n = tree[(x >> 4u) % 3u];
    var copy = tree;
    copy[0].leaves = n.leaves;
    tree = copy;
    var total = 0u;
    for (var k = 0; k < 3; k++) {
        for (var l = 0; l < 2; l++) {
            total = total * 31u + dot(tree[k].leaves[l].v, vec3<u32>(1u, 2u, 3u));
            for (var m = 0; m < 3; m++) { total = total * 7u + tree[k].leaves[l].k[m]; }
        }
        total ^= tree[k].tag;
    }
    out[i] = total;
}

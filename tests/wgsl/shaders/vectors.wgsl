//@ dispatch 1 1 1
//@ in 0 i32 256 random
//@ out 1 512
// Swizzles, components by index, comparisons, select, all and any.
@group(0) @binding(0) var<storage, read> a: array<vec4<i32>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<i32>>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let v = a[i];
    let w = a[63u - i].wzyx;
    var r = v.xxyz - w.yyxx;
    r[i % 4u] = v[(i / 4u) % 4u];
    r.z = dot(v, w) + dot(v.xy, w.zw);
    out[2u * i] = r;
    let less = v < w;
    let chosen = select(v, w, less);
    var flags = 0;
    if all(less) { flags |= 1; }
    if any(less) { flags |= 2; }
    if any(v == w) { flags |= 4; }
    if all(v.xyz != w.xyz) { flags |= 8; }
    out[2u * i + 1u] = vec4<i32>(chosen.xy ^ chosen.zw, flags, select(chosen.x, chosen.y, i % 3u == 0u));
}

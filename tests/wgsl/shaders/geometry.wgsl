//@ dispatch 1 1 1
//@ in 0 f32 256 float -5 5
//@ out 1 768
//@ compare 1 abs:1e-4 ulp:8 ulp:8|abs:1e-6 ulp:8|abs:1e-6 ulp:8|abs:1e-6 abs:2e-5 abs:2e-5 abs:2e-5 abs:1e-3 abs:1e-3 abs:1e-4 abs:1e-5
// Products, lengths, reflections of small vectors.
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let v = a[i].xyz;
    let w = a[(i + 9u) % 64u].zyw;
    let k = i * 12u;
    out[k] = dot(v, w);
    out[k + 1u] = length(v);
    let n = normalize(v);
    out[k + 2u] = n.x;
    out[k + 3u] = n.y;
    out[k + 4u] = n.z;
    let c = cross(v, w);
    out[k + 5u] = c.x;
    out[k + 6u] = c.y;
    out[k + 7u] = c.z;
    let r = reflect(w, n);
    out[k + 8u] = r.x + r.y + r.z;
    let q = refract(normalize(w), n, 0.75);
    out[k + 9u] = q.x - q.y + q.z;
    out[k + 10u] = distance(v, w) + dot(faceForward(n, w, v), n);
    let m = mix(v, w, vec3<f32>(0.25)) + mix(v, w, 0.5) + smoothstep(vec3<f32>(-5.0), vec3<f32>(5.0), v);
    out[k + 11u] = m.x;
}

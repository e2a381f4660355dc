//@ dispatch 1 1 1
//@ in 0 f32 1024 float -2 2
//@ out 1 1024
//@ compare 1 abs:1e-4|ulp:64
// Products, transposes, determinants of matrices of several shapes; columns by index.
@group(0) @binding(0) var<storage, read> a: array<mat4x4<f32>>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    let m = a[i];
    let n = a[63u - i];
    let k = i * 16u;
    let p = m * n;
    let v = p * vec4<f32>(1.0, -1.0, 0.5, 2.0);
    let w = vec4<f32>(1.0, 0.0, -0.5, 0.25) * transpose(m);
    let r = mat3x3<f32>(m[0].xyz, m[1].yzw, n[2].xyz);
    let s = mat2x3<f32>(m[0].xyz, n[1].xyz);
    let t = mat3x2<f32>(m[0].xy, n[1].zw, m[2].yx);
    let q = s * t;
    out[k] = v.x;
    out[k + 1u] = v.w;
    out[k + 2u] = w.y + w.z;
    out[k + 3u] = determinant(r);
    out[k + 4u] = determinant(mat2x2<f32>(m[0].xy, m[1].zw));
    out[k + 5u] = q[i % 3u][(i / 3u) % 3u];
    let u = t * s;
    out[k + 6u] = u[0].y * u[1].x;
    out[k + 7u] = (m + n * 2.0 - m * 0.5)[i % 4u].z;
    var x = m;
    x[i % 4u] = n[1];
    x[2][i % 4u] = 7.0;
    let d = transpose(s) * vec3<f32>(1.0, 2.0, 3.0);
    out[k + 8u] = x[0].x + x[1].y;
    out[k + 9u] = x[2].z - x[3].w;
    out[k + 10u] = d.x;
    out[k + 11u] = d.y;
    out[k + 12u] = determinant(mat4x4<f32>(m[0], vec4<f32>(0.0, 1.0, 0.0, 0.5), n[2], vec4<f32>(1.0, 0.0, 2.0, 0.0)));
    out[k + 13u] = (vec2<f32>(1.0, 2.0) * u).x;
    out[k + 14u] = (mat4x2<f32>(m[0].xy, m[1].xy, m[2].xy, m[3].xy) * vec4<f32>(1.0)).y;
    out[k + 15u] = (vec3<f32>(1.0) * mat4x3<f32>(m[0].xyz, m[1].xyz, m[2].xyz, n[3].xyz)).w;
}

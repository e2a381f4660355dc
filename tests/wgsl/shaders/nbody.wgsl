//@ dispatch 2 1 1
//@ in 0 f32 256 float -10 10
//@ in 1 f32 4 values 0.01 0.5 0 0
//@ out 2 512
//@ compare 2 abs:2e-4|ulp:256
// Structures in arrays, a loop over tiles in workgroup memory, floats.
struct Body { position: vec3<f32>, mass: f32, velocity: vec3<f32>, pad: f32, }
struct Params { step: f32, softening: f32, }
@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(1) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> bodies: array<Body>;
var<workgroup> tile: array<vec4<f32>, 32>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32) {
    let me = a[id.x];
    var force = vec3<f32>(0.0);
    for (var t = 0u; t < 2u; t++) {
        tile[i] = a[t * 32u + i];
        workgroupBarrier();
        for (var k = 0u; k < 32u; k++) {
            let d = tile[k].xyz - me.xyz;
            let r = dot(d, d) + params.softening;
            force += d * (abs(tile[k].w) * inverseSqrt(r) / r);
        }
        workgroupBarrier();
    }
    var body = bodies[id.x];
    body.velocity += force * params.step;
    body.position = me.xyz + body.velocity * params.step;
    body.mass = me.w;
    bodies[id.x] = body;
}

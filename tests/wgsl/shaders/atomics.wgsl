//@ dispatch 4 1 1
//@ in 0 u32 256 random
//@ inout 1 u32 16 edges
//@ out 2 8
// Every operation on atomic objects in storage memory whose order does not matter.
struct Atoms { add: atomic<u32>, sub: atomic<u32>, mx: atomic<u32>, mn: atomic<u32>, a: atomic<u32>, o: atomic<u32>,
    x: atomic<u32>, signed_add: atomic<i32>, signed_max: atomic<i32>, signed_min: atomic<i32>, rest: array<atomic<i32>, 6>, }
@group(0) @binding(0) var<storage, read> values: array<u32>;
@group(0) @binding(1) var<storage, read_write> atoms: Atoms;
@group(0) @binding(2) var<storage, read_write> out: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let v = values[id.x];
    atomicAdd(&atoms.add, v);
    atomicSub(&atoms.sub, v);
    atomicMax(&atoms.mx, v);
    atomicMin(&atoms.mn, v);
    atomicAnd(&atoms.a, v | 0xf0u);
    atomicOr(&atoms.o, v & 0x1111u);
    atomicXor(&atoms.x, v);
    atomicAdd(&atoms.signed_add, bitcast<i32>(v));
    atomicMax(&atoms.signed_max, bitcast<i32>(v));
    atomicMin(&atoms.signed_min, bitcast<i32>(v));
    let old = atomicAdd(&atoms.rest[id.x % 6u], 1);
    if old == atomicLoad(&atoms.rest[5]) - 1000 { atomicStore(&out[7], 1u); }
    // Each gets another number.
    let ticket = atomicAdd(&out[0], 1u);
    atomicXor(&out[1], ticket * 0x9e3779b9u);
    atomicMax(&out[2], ticket);
}

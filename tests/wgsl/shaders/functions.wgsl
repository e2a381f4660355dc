//@ dispatch 1 1 1
//@ in 0 u32 64 random
//@ out 1 192
// Pointers to variables of functions and modules as parameters, structures as values and results, early returns.
struct Pair { a: u32, b: vec2<u32>, }
@group(0) @binding(0) var<storage, read> input: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
var<private> counter: u32 = 5u;

fn bump(p: ptr<private, u32>, by: u32) -> u32 { *p = *p + by; return *p * 2u; }
fn swap(p: ptr<function, u32>, q: ptr<function, u32>) { let t = *p; *p = *q; *q = t; }
fn make(x: u32) -> Pair { var p: Pair; p.a = x; p.b = vec2<u32>(x + 1u, x * x); return p; }
fn digest(p: Pair) -> u32 {
    if p.a % 2u == 0u { return p.b.x; }
    return p.a ^ p.b.y;
}
fn fill(p: ptr<function, array<u32, 5>>, x: u32) { for (var i = 0; i < 5; i++) { (*p)[i] = x + u32(i); } }

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) i: u32) {
    var x = input[i];
    var y = input[63u - i];
    swap(&x, &y);
    var list: array<u32, 5>;
    fill(&list, x);
    let r = &list[i % 5u];
    *r = 77u;
    out[i * 3u] = digest(make(x)) + digest(Pair(y, vec2<u32>(1u, 2u)));
    out[i * 3u + 1u] = bump(&counter, x) + bump(&counter, 1u) + counter;
    out[i * 3u + 2u] = list[0] ^ list[1] ^ list[2] ^ list[3] * 3u ^ list[4];
}

//! Accesses that are partly out of bounds take a slow way: what is alive around it survives on all instruction sets,
//! every lane gets its own, and faults name the thread to blame.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, Isa};

/// `out[i]` from four elements of `a` from `places[i]` on; the loads stand in the order of `order`.
fn kernel(ty: &str, order: [u32; 4], in_index: bool) -> String {
    let mut body = String::new();
    for k in order {
        body += &if in_index {
            format!("  %k{k}: i32 = const {k}\n  %i{k} = add %t, %k{k}\n  %p{k} = ptr_offset %a, %i{k}\n")
        } else {
            format!("  %k{k}: i32 = const {k}\n  %p{k} = ptr_offset %from, %k{k}\n")
        };
        body += &format!("  %x{k}: {ty} = load %p{k}\n  %y{k}: f32 = convert %x{k}\n");
    }
    format!(
        "fn f(%a: ptr<device, {ty}>, %out: ptr<device, f32>, %places: ptr<device, i32>) -> void {{
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %pt = ptr_offset %places, %i
  %t: i32 = load %pt
  %from = ptr_offset %a, %t
{body}
  %three: f32 = const 3.0
  %s1 = mul %y0, %three
  %s2 = add %s1, %y1
  %s3 = mul %s2, %three
  %s4 = add %s3, %y2
  %s5 = mul %s4, %three
  %s6 = add %s5, %y3
  %q = ptr_offset %out, %i
  store %q, %s6
}}
kernel f = @f {{
  a: buffer 0 device read {ty}
  out: buffer 1 device write f32
  places: buffer 2 device read i32
}}
"
    )
}

fn element(ty: &str, k: u32) -> Vec<u8> {
    let n = k * 37 % 101;
    match ty {
        "u8" | "i8" => vec![n as u8],
        "u16" => (n as u16 * 300).to_le_bytes().to_vec(),
        // Small halves by their bits.
        "f16" => (0x3c00 + n as u16).to_le_bytes().to_vec(),
        _ => (n as f32).to_le_bytes().to_vec(),
    }
}

const TYPES: [&str; 5] = ["u8", "i8", "u16", "f16", "f32"];

fn places(n: u32, most: u32) -> Arg {
    u32s(&(0..n).map(|i| i * 7919 % (most + 1)).collect::<Vec<_>>())
}

#[test]
fn every_lane_gets_its_neighbors() {
    for ty in TYPES {
        let data: Vec<u8> = (0..300).flat_map(|k| element(ty, k)).collect();
        for (order, in_index) in
            [([0, 1, 2, 3], false), ([2, 0, 3, 1], false), ([0, 1, 2, 3], true), ([3, 2, 1, 0], true)]
        {
            let source = kernel(ty, order, in_index);
            // The last elements are those at the end of the buffer.
            let args = [bytes(&data), u32s(&[0; 77]), places(77, 296)];
            let expected = interpret(&source, "f", [77, 1, 1], [32, 1, 1], &args);
            for name in ["host", "avx2", "sse4"] {
                let Ok(isa) = Isa::restricted(name) else { continue };
                let kernel = compile_for(isa, &source, "f", &CompileOptions::new([32, 1, 1]));
                let out = launch(&kernel, [77, 1, 1], [32, 1, 1], &args);
                assert_eq!(out.fault, None, "{name} {source}");
                assert_eq!(out.args[1].as_u32(), expected[1].as_u32(), "{name} {source}");
            }
        }
    }
}

#[test]
fn a_fault_names_the_thread_and_the_place() {
    for ty in TYPES {
        let size = element(ty, 0).len();
        let source = kernel(ty, [0, 1, 2, 3], false);
        let data: Vec<u8> = (0..103).flat_map(|k| element(ty, k)).collect();
        // One thread's third element lies beyond the end.
        let mut at = vec![5u32; 64];
        at[41] = 101;
        let args = [bytes(&data), u32s(&[0; 64]), u32s(&at)];
        let kernel = compile(&source, "f", &CompileOptions::new([32, 1, 1]));
        let out = launch(&kernel, [64, 1, 1], [32, 1, 1], &args);
        let (_, group, thread, offset) = out.fault.expect("a fault");
        assert_eq!((group, thread, offset), ([1, 0, 0], 9, 103 * size as u64), "{ty}");
        // All else is what it should be.
        let whole: Vec<u8> = (0..120).flat_map(|k| element(ty, k)).collect();
        let expected = interpret(&source, "f", [64, 1, 1], [32, 1, 1], &[bytes(&whole), u32s(&[0; 64]), u32s(&at)]);
        let (mut got, mut want) = (out.args[1].as_u32(), expected[1].as_u32());
        got.truncate(32);
        want.truncate(32);
        assert_eq!(got, want, "{ty}");
    }
}

/// The two elements of a matrix of 8 times 8 that a thread of a simdgroup holds, with rows that are `stride` apart.
fn matrix(ty: &str, stride: u32, is_transposed: bool) -> String {
    let (outer, inner) = if is_transposed { ("%column", "%row") } else { ("%row", "%column") };
    let step = if is_transposed { stride } else { 1 };
    format!(
        "fn f(%a: ptr<device, {ty}>, %out: ptr<device, f32>, %pu: ptr<constant, u32>) -> void {{
  %lane = builtin thread_index_in_simdgroup
  %u = load %pu
  %one: u32 = const 1
  %two: u32 = const 2
  %three: u32 = const 3
  %four: u32 = const 4
  %r2 = shr %lane, %two
  %r4 = and %r2, %four
  %l1 = shr %lane, %one
  %r3 = and %l1, %three
  %row = or %r4, %r3
  %c4 = and %l1, %four
  %l0 = and %lane, %one
  %c2 = shl %l0, %one
  %column = or %c4, %c2
  %stride: u32 = const {stride}
  %start = mul {outer}, %stride
  %index = add %start, {inner}
  %from = ptr_offset %a, %u
  %p = ptr_offset %from, %index
  %x: {ty} = load %p
  %step: u32 = const {step}
  %p1 = ptr_offset %p, %step
  %y: {ty} = load %p1
  %xf: f32 = convert %x
  %yf: f32 = convert %y
  %hundred: f32 = const 1000.0
  %xh = mul %xf, %hundred
  %sum = add %xh, %yf
  %q = ptr_offset %out, %lane
  store %q, %sum
}}
kernel f = @f {{
  a: buffer 0 device read {ty}
  out: buffer 1 device write f32
  u: buffer 2 constant reference read u32
}}
"
    )
}

#[test]
fn what_is_alive_survives() {
    for ty in ["f32", "f16", "u8"] {
        for stride in [8, 20, 1000] {
            for is_transposed in [false, true] {
                let source = matrix(ty, stride, is_transposed);
                let data: Vec<u8> = (0..7 * stride + 8).flat_map(|k| element(ty, k)).collect();
                let args = [bytes(&data), u32s(&[0; 32]), u32s(&[0])];
                let expected = interpret(&source, "f", [32, 1, 1], [32, 1, 1], &args);
                for name in ["host", "avx2", "sse4"] {
                    let Ok(isa) = Isa::restricted(name) else { continue };
                    let kernel = compile_for(isa, &source, "f", &CompileOptions::new([32, 1, 1]));
                    let out = launch(&kernel, [32, 1, 1], [32, 1, 1], &args);
                    assert_eq!(out.fault, None, "{name} {source}");
                    assert_eq!(out.args[1].as_u32(), expected[1].as_u32(), "{name} {source}");
                    // One further, the last thread's second element is not there.
                    let beyond =
                        launch(&kernel, [32, 1, 1], [32, 1, 1], &[args[0].clone(), args[1].clone(), u32s(&[1])]);
                    let (_, _, thread, offset) = beyond.fault.expect("a fault");
                    assert_eq!((thread, offset), (31, data.len() as u64), "{name} {source}");
                }
            }
        }
    }
}

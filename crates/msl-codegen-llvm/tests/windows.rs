//! Atomic operations whose results nobody asks for are collected over several threadgroups: what is in the buffers at the
//! end is what the interpreter leaves there, wherever the places are.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// `body` has `%i`, the number of the thread, `%l`, that in its threadgroup, and `%x`, a number below 6000.
fn kernel(ty: &str, body: &str) -> String {
    format!(
        "fn f(%in: ptr<device, u32>, %out: ptr<device, {ty}>) -> void {{
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %lid = builtin thread_position_in_threadgroup
  %l = extract %lid, 0
  %p = ptr_offset %in, %i
  %x = load %p
{body}
}}
kernel f = @f {{
  in: buffer 0 device read u32
  out: buffer 1 device read_write {ty}
}}
"
    )
}

const THREADS: u32 = 700;

fn numbers() -> Arg {
    u32s(&(0..THREADS).map(|i| i.wrapping_mul(2_654_435_761) >> 8).map(|x| x % 6000).collect::<Vec<_>>())
}

fn agrees(source: &str, bytes_of_out: usize) {
    let out: Vec<u8> = (0..bytes_of_out).map(|i| ((i * 37) >> 3) as u8).collect();
    for threads in [THREADS, 64] {
        check(source, "f", [threads, 1, 1], [64, 1, 1], &[numbers(), bytes(&out)]);
    }
}

#[test]
fn results_are_those_of_the_interpreter() {
    let kinds = [
        ("add", "u32"),
        ("sub", "i32"),
        ("min", "i32"),
        ("min", "u32"),
        ("max", "i32"),
        ("max", "u64"),
        ("and", "u32"),
        ("or", "u32"),
        ("xor", "u64"),
        ("add", "u64"),
    ];
    for (turn, (op, ty)) in kinds.into_iter().enumerate() {
        let size = if ty.ends_with("64") { 8 } else { 4 };
        let act = |place: &str| {
            format!("  %v: {ty} = convert %x\n  %q = ptr_offset %out, {place}\n  atomic.{op} %q, %v device")
        };
        // To one place, to the threads' own, to any, some of them past the window.
        let zero = format!("  %c: u32 = const 5\n{}", act("%c"));
        let bodies = [zero, act("%l"), act("%x")];
        for (i, body) in bodies.iter().enumerate() {
            // All for sums, one for others.
            if op != "add" && i != turn % 3 {
                continue;
            }
            let masked = format!("  %few: u32 = const 3000\n  %y = lt %x, %few\n  if %y {{\n{body}\n  }}");
            if op == "add" {
                agrees(&kernel(ty, body), 6000 * size);
            }
            agrees(&kernel(ty, &masked), 6000 * size);
        }
    }
}

#[test]
fn rows_anywhere_are_those_of_the_interpreter() {
    let add = |place: &str| format!("{place}  %q = ptr_offset %out, %j\n  atomic.add %q, %x device");
    for place in [
        // Up to the end of a window and beyond, with gaps, and backward.
        "  %c: u32 = const 2016\n  %j = add %l, %c\n",
        "  %c: u32 = const 3\n  %j = mul %l, %c\n",
        "  %c: u32 = const 63\n  %j = sub %c, %l\n",
        "  %c: u32 = const 7\n  %j = and %l, %c\n",
    ] {
        agrees(&kernel("u32", &add(place)), 4 * 2100);
        let masked = format!("  %few: u32 = const 40\n  %y = lt %l, %few\n  if %y {{\n{}\n  }}", add(place));
        agrees(&kernel("u32", &masked), 4 * 2100);
    }
}

/// A short buffer ends within the window; beyond it is a fault, and what came before stays.
#[test]
fn places_past_the_end_fault() {
    let source = kernel("u32", "  %q = ptr_offset %out, %x\n  atomic.add %q, %x device");
    let mut input = vec![3u32; THREADS as usize];
    input[500] = 50;
    for isa in ["avx512", "avx2", "sse4"].into_iter().filter_map(|name| Isa::restricted(name).ok()) {
        let k = compile_for(isa, &source, "f", &CompileOptions::new([64, 1, 1]));
        let out = launch(&k, [THREADS, 1, 1], [64, 1, 1], &[u32s(&input), u32s(&[1; 50])]);
        assert_eq!(out.fault.map(|f| f.1), Some([500 / 64, 0, 0]), "{isa:?}");
        let counts = out.args[1].as_u32();
        assert!(counts[3] > 3 * 448 && (counts[3] - 1).is_multiple_of(3), "{isa:?} {}", counts[3]);
        assert_eq!(counts.iter().sum::<u32>(), counts[3] + 49);
    }
}

/// Locked instructions in code for full threadgroups, without those at the end.
fn locked(options: &CompileOptions, source: &str) -> (usize, bool) {
    let options = CompileOptions { groups: Groups::Full, ..options.clone() };
    let ir =
        CpuCompiler::new(TargetOptions { isa: Isa::Avx512 }).emit_llvm_ir(&parse(source), "f", &options, true).unwrap();
    let start = ir.find("define void @metallic_kernel").unwrap();
    let text = &ir[start..start + ir[start..].find("\n}").unwrap()];
    (text.matches("atomicrmw").count(), text.contains("\ninside"))
}

#[test]
fn only_what_nobody_reads_is_collected() {
    let options = CompileOptions::new([64, 1, 1]);
    let is_collected = |ty: &str, body: &str| locked(&options, &kernel(ty, body)).1;
    let add = "  %q = ptr_offset %out, %l\n  atomic.add %q, %x device\n";
    assert!(is_collected("u32", add));
    // Several operations of one kind.
    assert!(is_collected("u32", &format!("{add}  atomic.add %out, %l device")));
    // Of two kinds, with a result that is used, next to a load, where floats are rounded.
    assert!(!is_collected("u32", &format!("{add}  atomic.max %out, %l device")));
    assert!(!is_collected("u32", &format!("{add}  %old = atomic.add %out, %l device\n  store %p, %old")));
    assert!(!is_collected("u32", &format!("{add}  %y = load %out\n  store %p, %y")));
    assert!(!is_collected("f32", "  %v: f32 = convert %x\n  atomic.add %out, %v device"));
    // Where the buffers may be the same memory.
    let overlapping = CompileOptions { noalias: false, ..options.clone() };
    assert!(!locked(&overlapping, &kernel("u32", add)).1);
}

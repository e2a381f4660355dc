//! Accesses of which threadgroups know at their start that they are within bounds, and threadgroups that are
//! run as one: the code is as short as it should be, does the same as the interpreter where indices wrap or
//! end just within a buffer, and faults in the thread to blame.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// A kernel that reads `in` at `%j` and writes `out` at `%i`, its place in the grid.
fn kernel(index: &str) -> String {
    format!(
        "fn f(%in: ptr<device, u32>, %out: ptr<device, u32>, %p: ptr<constant, u32>, %q: ptr<constant, i32>) -> void {{
  %gid = builtin thread_position_in_grid
  %x = extract %gid, 0
  %y = extract %gid, 1
  %z = extract %gid, 2
  %grid = builtin threads_per_grid
  %w = extract %grid, 0
  %h = extract %grid, 1
  %slice = mul %z, %h
  %line = add %slice, %y
  %row = mul %line, %w
  %i = add %row, %x
  %n: u32 = load %p
  %s: i32 = load %q
  %one: u32 = const 1
  %ione: i32 = const 1
  %ix: i32 = convert %x
  %iw: i32 = convert %w
  %wide: u64 = convert %i
  %iwide: i64 = convert %ix
{index}
  %from = ptr_offset %in, %j
  %v: u32 = load %from
  %sum = add %v, %i
  %to = ptr_offset %out, %i
  store %to, %sum
}}
kernel f = @f {{
  in: buffer 0 device read u32
  out: buffer 1 device write u32
  p: buffer 2 constant reference read u32
  q: buffer 3 constant reference read i32
}}
"
    )
}

/// How an index is made, and whether a check at the start of a threadgroup is enough. It is not where what
/// lies between lanes is read too.
const INDICES: &[(&str, bool)] = &[
    ("  %j = add %i, %n", true),
    ("  %j = sub %i, %n", true),
    ("  %a = add %i, %n\n  %j = sub %a, %one", true),
    ("  %a = sub %w, %one\n  %b = sub %a, %x\n  %j = add %row, %b", true),
    ("  %a = add %ix, %s\n  %j = add %a, %ione", true),
    ("  %a = sub %ix, %s\n  %z0: i32 = const 0\n  %b = max %a, %z0\n  %m = sub %iw, %ione\n  %j = min %b, %m", true),
    ("  %a: u64 = convert %n\n  %j = add %wide, %a", true),
    ("  %a: u64 = convert %n\n  %j = mul %wide, %a", true),
    ("  %a: i64 = convert %s\n  %j = add %iwide, %a", true),
    ("  %a: i64 = convert %s\n  %b = sub %iwide, %a\n  %c: i64 = const 3\n  %j = mul %b, %c", false),
    ("  %m = mul %x, %n\n  %j = add %m, %y", true),
    ("  %c: u32 = const 2\n  %j = shl %x, %c", false),
    ("  %c: u32 = const 2\n  %j = shr %i, %c", true),
    ("  %c: u32 = const 31\n  %j = and %i, %c", true),
    ("  %c: u32 = const 29\n  %a = add %i, %n\n  %j = rem %a, %c", true),
    ("  %a: u16 = convert %i\n  %j: u32 = convert %a", true),
    ("  %c: u32 = const 2147483648\n  %a = mul %x, %c\n  %j = add %a, %x", true),
    // What threads read decides.
    ("  %a = ptr_offset %in, %x\n  %b: u32 = load %a\n  %c: u32 = const 63\n  %j = min %b, %c", true),
    (
        "  %a = ptr_offset %in, %x\n  %b: u32 = load %a\n  %c: u32 = const 63\n  %d = xor %b, %x\n  %j = rem %d, %c",
        false,
    ),
    ("  %j = mul %x, %y", false),
];

fn llvm(source: &str, entry: &str, threadgroup: [u32; 3], groups: Groups) -> String {
    let c = CpuCompiler::new(TargetOptions { isa: Isa::Avx512 });
    let options = CompileOptions { groups, ..CompileOptions::new(threadgroup) };
    c.emit_llvm_ir(&parse(source), entry, &options, false).unwrap()
}

#[test]
fn results_and_faults_are_those_of_the_interpreter() {
    for (index, _) in INDICES {
        let source = kernel(index);
        for (grid, threadgroup) in [
            ([70u32, 9, 1], [32u32, 8, 1]),
            ([96, 3, 2], [32, 2, 1]),
            ([192, 2, 1], [64, 1, 1]),
            ([45, 4, 1], [16, 2, 1]),
        ] {
            let options = CompileOptions { noalias: false, ..CompileOptions::new(threadgroup) };
            let kernel = compile(&source, "f", &options);
            let size = grid.iter().product::<u32>();
            for (n, s) in [(0u32, 0i32), (1, 1), (33, -5), (u32::MAX, i32::MIN)] {
                for more in [0, 40, 3 * size] {
                    let input: Vec<u32> = (0..size + more).map(|i| i * 7 % 64).collect();
                    let args = [u32s(&input), u32s(&vec![0; size as usize]), u32s(&[n]), u32s(&[s as u32])];
                    let expected = interpret_with(&source, "f", grid, threadgroup, &args, 0);
                    let out = launch(&kernel, grid, threadgroup, &args);
                    match expected {
                        Ok(expected) => {
                            assert_eq!(out.fault, None, "{index} {grid:?} {n} {s} {more}");
                            assert_eq!(out.args[1].as_u32(), expected[1].as_u32(), "{index} {grid:?} {n} {s} {more}");
                        }
                        Err(fault) => {
                            let (site, group, thread, offset) = out.fault.expect(&fault);
                            // It names a thread that reads beyond the end: alone, it faults at the same byte.
                            assert_eq!(kernel.sites[site as usize].param, Some(0), "{fault}");
                            let [sx, sy, _] = threadgroup;
                            let at = [thread % sx, thread / sx % sy, thread / (sx * sy)];
                            let p: Vec<u32> = (0..3).map(|i| group[i] * threadgroup[i] + at[i]).collect();
                            assert!((0..3).all(|i| p[i] < grid[i]), "{index} {p:?} {grid:?}");
                            assert!(
                                offset as i64 > 4 * i64::from(size + more) - 4 || (offset as i64) < 0,
                                "{index} {offset}"
                            );
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn clamps_are_for_borders_only() {
    let (index, _) = INDICES.iter().find(|(index, _)| index.contains("min %b")).unwrap();
    let text = llvm(&kernel(index), "f", [32, 8, 1], Groups::Full);
    // Bounds of the whole threadgroup are compared, threads are not.
    assert!(text.contains("load <16 x i32>") && !text.contains("x i32> @llvm.smin"), "{text}");
}

/// Calls of what looks at threads one by one, which is given scratch memory first; edges get the context.
fn slow_calls(text: &str) -> usize {
    let is_slow = |l: &&str| l.contains("call void %") && l.contains("(ptr %3,") || l.contains("@scattered.");
    text.lines().filter(is_slow).filter(|l| !l.starts_with("define")).count()
}

#[test]
fn what_is_known_is_not_checked_again() {
    for (index, known) in INDICES {
        // In the version for threadgroups that are well nothing can fail.
        let text = llvm(&kernel(index), "f", [32, 8, 1], Groups::Full);
        let checks = slow_calls(&text);
        // What is left asks whether indices without a sign may pass for some with one, for a gather.
        let gathers = ["and %i", "shr %i", "rem %a", "u16", "u32 = load", "mul %x"].iter().any(|op| index.contains(op));
        let most = 2 * usize::from(gathers);
        assert!(if *known { checks <= most } else { checks > 0 }, "{index}: {checks}");
    }
    for (source, name, size, most) in [
        (include_str!("kernels/vector_add.ir"), "vector_add", [256, 1, 1], 0),
        (include_str!("kernels/jacobi.ir"), "jacobi", [32, 8, 1], 0),
        (include_str!("kernels/mandelbrot.ir"), "mandelbrot", [32, 8, 1], 0),
        // Neighbors across the wrap are looked for one by one where they are not consecutive.
        (include_str!("kernels/life.ir"), "life", [32, 8, 1], 6),
    ] {
        let text = llvm(source, name, size, Groups::Full);
        let checks = slow_calls(&text);
        assert!(checks <= most, "{name}: {checks}");
    }
}

#[test]
fn rows_of_threadgroups_are_run_as_one() {
    let jacobi = include_str!("kernels/jacobi.ir");
    let text = llvm(jacobi, "jacobi", [32, 8, 1], Groups::Full);
    assert!(text.contains("\nattempt") && text.contains("\nendrow"), "{text}");
    // One row after the other, in steps of a gang.
    let c = CpuCompiler::new(TargetOptions { isa: Isa::Avx512 });
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([32, 8, 1]) };
    let asm = c.emit_asm(&parse(jacobi), "jacobi", &options).unwrap();
    let neighbor =
        |d: &str| asm.lines().any(|l| l.contains("vaddps\t") && l.contains(&format!("{d}(")) && l.contains("zmm"));
    assert!(neighbor("-4") && neighbor("4") && neighbor("60") && neighbor("68"), "{asm}");
    // Not where threads know their threadgroup, or have loops to share loads in.
    for (source, name, size) in [
        (include_str!("kernels/reduce256.ir"), "reduce256", [256, 1, 1]),
        (include_str!("kernels/matmul_naive.ir"), "matmul", [16, 16, 1]),
        (include_str!("kernels/nbody.ir"), "nbody", [256, 1, 1]),
    ] {
        assert!(!llvm(source, name, size, Groups::Full).contains("\nattempt"), "{name}");
    }
}

#[test]
fn a_guard_that_parts_some_threadgroups_leaves_the_others_joined() {
    // The threads of every fourth threadgroup disagree, and there are smaller ones at the end.
    let source = "fn f(%out: ptr<device, u32>, %p: ptr<constant, u32>) -> void {
  %gid = builtin thread_position_in_grid
  %x = extract %gid, 0
  %y = extract %gid, 1
  %grid = builtin threads_per_grid
  %w = extract %grid, 0
  %row = mul %y, %w
  %i = add %row, %x
  %n: u32 = load %p
  %c: u32 = const 5
  %s = shr %x, %c
  %t = add %s, %y
  %q = ge %x, %n
  if %q {
    %o = ptr_offset %out, %i
    store %o, %t
  } else {
    %o2 = ptr_offset %out, %i
    store %o2, %x
  }
}
kernel f = @f {
  out: buffer 0 device write u32
  p: buffer 1 constant reference read u32
}
";
    for grid in [[32 * 9, 8, 1], [32 * 17 + 5, 21, 1], [1000, 3, 1]] {
        for threadgroup in [[32, 8, 1], [64, 2, 1], [32, 1, 1]] {
            let kernel = compile(source, "f", &CompileOptions::new(threadgroup));
            for n in [0, 1, 31, 32, 33, 100, 160, 300, 2000] {
                let args = [u32s(&vec![9; (grid[0] * grid[1]) as usize]), u32s(&[n])];
                let expected = interpret(source, "f", grid, threadgroup, &args);
                let out = launch(&kernel, grid, threadgroup, &args);
                assert_eq!(out.fault, None);
                assert_eq!(out.args[0].as_u32(), expected[0].as_u32(), "{grid:?} {threadgroup:?} {n}");
            }
        }
    }
}

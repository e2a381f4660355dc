//! Loops: what they become for threadgroups whose threads agree on all iterations, and the same results as the
//! interpreter's where they do not.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// Optimized, for full threadgroups.
fn optimized(isa: Isa, source: &str, entry: &str, threadgroup: [u32; 3]) -> String {
    let c = CpuCompiler::new(TargetOptions { isa });
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new(threadgroup) };
    c.emit_llvm_ir(&parse(source), entry, &options, true).unwrap()
}

const NEIGHBORHOOD: &str = include_str!("kernels/neighborhood.ir");

#[test]
fn loops_over_neighbors_leave_only_loads() {
    for (isa, lanes) in [(Isa::Avx512, 16), (Isa::Avx2, 8)] {
        let text = optimized(isa, NEIGHBORHOOD, "neighborhood", [32, 8, 1]);
        // 25 neighbors in each vector of a simdgroup, along rows of many threadgroups; no clamps, checks or masks.
        // Vectors as long as lines of the cache are loaded once: three have all that a simdgroup reads of a row.
        assert!(text.contains("\nendrow"), "{text}");
        let loads = if isa == Isa::Avx512 { 5 * 3 } else { 25 * 32 / lanes };
        assert_eq!(text.matches(&format!("load <{lanes} x i32>")).count(), loads, "{text}");
        assert_eq!(text.matches(&format!("mul <{lanes} x i32>")).count(), 25 * 32 / lanes, "{text}");
        for absent in ["gather", "x i1>", "\nslow", "x i32> @llvm.smax"] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }
}

#[test]
fn loops_whose_places_are_not_known_stay() {
    // What a thread reads says where its neighbors are.
    let place = "%x: u32 = extract %4, 0\n  %q = ptr_offset %0, %x\n  %13: u32 = load %q";
    let source = NEIGHBORHOOD.replace("%13: u32 = extract %4, 0", place);
    let text = optimized(Isa::Avx512, &source, "neighborhood", [32, 8, 1]);
    assert!(text.matches("mul <16 x i32>").count() < 25, "{text}");
}

#[test]
fn neighborhoods_are_those_of_the_interpreter() {
    for (grid, threadgroup) in [
        ([70u32, 9, 1], [32u32, 8, 1]),
        ([96, 3, 1], [32, 2, 1]),
        ([45, 7, 1], [16, 2, 1]),
        ([3, 2, 1], [32, 1, 1]),
        ([129, 1, 1], [64, 1, 1]),
    ] {
        let count = grid[0] * grid[1];
        let kernels: Vec<_> = [true, false]
            .iter()
            .map(|n| {
                compile(
                    NEIGHBORHOOD,
                    "neighborhood",
                    &CompileOptions { noalias: *n, ..CompileOptions::new(threadgroup) },
                )
            })
            .collect();
        let input: Vec<u32> = (0..count).map(|i| i.wrapping_mul(2_654_435_761) >> 7).collect();
        let weights: Vec<u32> = (0..25).map(|i| 3 * i + 1).collect();
        for (w, h, weights) in [
            (grid[0], grid[1], &weights[..]),
            (grid[0], 1, &weights),
            // Beyond the end, and indices that wrap.
            (grid[0], grid[1] + 1, &weights),
            (grid[0] + 2, grid[1], &weights),
            (0, 0, &weights),
            (1 << 31, 1, &weights),
            (grid[0], grid[1], &weights[..24]),
        ] {
            let args = [u32s(&input), u32s(&vec![7; count as usize]), u32s(weights), u32s(&[w, h])];
            let expected = interpret_with(NEIGHBORHOOD, "neighborhood", grid, threadgroup, &args, 0);
            for kernel in &kernels {
                let out = launch(kernel, grid, threadgroup, &args);
                match &expected {
                    Ok(expected) => {
                        assert_eq!(out.fault, None, "{grid:?} {threadgroup:?} {w} {h}");
                        assert_eq!(out.args[1].as_u32(), expected[1].as_u32(), "{grid:?} {threadgroup:?} {w} {h}");
                    }
                    Err(fault) => assert!(out.fault.is_some(), "{grid:?} {threadgroup:?} {w} {h}: {fault}"),
                }
            }
        }
    }
}

/// A thread adds up what it finds from its place on in steps, tells how far it came, and after a barrier hands its sum
/// to its neighbor.
fn strided(ty: &str, test: &str, step: &str, body: &str) -> String {
    format!(
        "global shared: array<u32, 256> threadgroup
fn f(%in: ptr<device, u32>, %out: ptr<device, u32>, %sums: ptr<device, u32>, %p: ptr<constant, {ty}>) -> void {{
  local i: {ty}
  local sum: u32
  %gid = builtin thread_position_in_grid
  %x0 = extract %gid, 0
  %t0 = builtin thread_index_in_threadgroup
  %x: {ty} = convert %x0
  %zero: u32 = const 0
  %one: u32 = const 1
  %two: u32 = const 2
  %n: {ty} = load %p
  %k1: u32 = const 1
  %ps = ptr_offset %p, %k1
  %s: {ty} = load %ps
  %start = add %s, %x
  %i = local_addr i
  %sum = local_addr sum
  store %i, %start
  store %sum, %zero
  %step: {ty} = const {step}
  loop l {{
    %iv = load %i
    {test}
    if %stay {{ }} else {{ break l }}
    {body}
  }} continuing {{
    %w = load %i
    %next = add %w, %step
    store %i, %next
  }}
  %end = load %i
  %e: u32 = convert %end
  %total = load %sum
  %a = global_addr @shared
  %mine = index_addr %a, %t0
  store %mine, %total
  barrier threadgroup [threadgroup]
  %t1 = xor %t0, %one
  %its = index_addr %a, %t1
  %other = load %its
  %at = mul %x0, %two
  %at1 = add %at, %one
  %q0 = ptr_offset %sums, %at
  store %q0, %e
  %q1 = ptr_offset %sums, %at1
  store %q1, %other
}}
kernel f = @f {{
  in: buffer 0 device read u32
  out: buffer 1 device read_write u32
  sums: buffer 2 device write u32
  p: buffer 3 constant read {ty}
}}
"
    )
}

const ADD: &str = "%q = ptr_offset %in, %iv
    %v = load %q
    %before = load %sum
    %more = add %before, %v
    store %sum, %more
    %twice = mul %v, %two
    %o = ptr_offset %out, %iv
    store %o, %twice";

/// Threads skip odd numbers.
const SKIP: &str = "%q = ptr_offset %in, %iv
    %v = load %q
    %bit = and %v, %one
    %odd = eq %bit, %one
    if %odd { continue l }
    %before = load %sum
    %more = add %before, %v
    store %sum, %more";

const SUM: &str = "%q = ptr_offset %in, %iv
    %v = load %q
    %before = load %sum
    %more = add %before, %v
    store %sum, %more";

/// Without memory: counters may be anywhere.
const COUNT: &str = "%v: u32 = convert %iv
    %before = load %sum
    %more = add %before, %v
    store %sum, %more";

/// Some threads leave when they have enough.
const ENOUGH: &str = "%q = ptr_offset %in, %iv
    %v = load %q
    %before = load %sum
    %more = add %before, %v
    store %sum, %more
    %most: u32 = const 300
    %enough = gt %more, %most
    if %enough { break l }";

/// Runs a strided loop here and in the interpreter, with limits and starts.
fn compare(source: &str, cases: &[(i32, i32)], what: &str) {
    for (grid, threadgroup) in [(64u32, 64u32), (192, 96), (90, 64), (40, 40)] {
        let kernel = compile(source, "f", &CompileOptions::new([threadgroup, 1, 1]));
        let (grid, threadgroup) = ([grid, 1, 1], [threadgroup, 1, 1]);
        let input: Vec<u32> = (0..600).map(|i| i * 7 % 64).collect();
        for (n, s) in cases {
            let sums = vec![0; 2 * grid[0] as usize];
            let args = [u32s(&input), u32s(&[9; 600]), u32s(&sums), u32s(&[*n as u32, *s as u32])];
            let expected = interpret_with(source, "f", grid, threadgroup, &args, 0);
            let out = launch(&kernel, grid, threadgroup, &args);
            match expected {
                Ok(expected) => {
                    assert_eq!(out.fault, None, "{what} {grid:?} {n} {s}");
                    let pairs = out.args.iter().zip(&expected);
                    for (x, y) in pairs {
                        assert_eq!(x.as_u32(), y.as_u32(), "{what} {grid:?} {n} {s}");
                    }
                }
                Err(fault) => assert!(out.fault.is_some(), "{what} {grid:?} {n} {s}: {fault}"),
            }
        }
    }
}

#[test]
fn strided_loops_give_what_the_interpreter_gives() {
    let up = [(0, 0), (1, 0), (63, 0), (64, 0), (65, 0), (300, 5), (599, 0), (600, 3), (10, 300), (700, 0)];
    let down = [(0, 300), (1, 0), (5, 0), (100, 400), (63, 150), (-1, 200), (200, 399), (-70, 100), (0, 590)];
    let loops: &[(&str, &str, &str, &[(i32, i32)])] = &[
        ("u32", "%stay = lt %iv, %n", "64", &up),
        ("u32", "%stay = le %iv, %n", "96", &up),
        ("u32", "%stay = gt %n, %iv", "40", &up),
        ("u32", "%leave = ge %iv, %n\n    %stay = not %leave", "64", &up),
        ("i32", "%stay = lt %iv, %n", "64", &up),
        ("i32", "%stay = ge %iv, %n", "-64", &down),
        ("i32", "%stay = gt %iv, %n", "-33", &down),
        // The test is of a number that counts down.
        ("i32", "%back = sub %n, %iv\n    %stay = gt %back, %step", "7", &up),
    ];
    for (ty, test, step, cases) in loops {
        for body in [ADD, SUM, SKIP, ENOUGH] {
            compare(&strided(ty, test, step, body), cases, &format!("{ty} {test} {step} {body}"));
        }
    }
}

#[test]
fn counters_that_wrap_do_so_in_each_thread() {
    let high = [(-0x1000_0000, -16), (0x7000_0000, 0x7fff_fff0), (16, -16), (0, 0)];
    for (ty, test) in [
        ("u32", "%stay = lt %iv, %n"),
        ("u32", "%stay = gt %n, %iv"),
        ("i32", "%stay = lt %iv, %n"),
        ("i32", "%leave = ge %iv, %n\n    %stay = not %leave"),
    ] {
        compare(&strided(ty, test, "268435456", COUNT), &high, &format!("{ty} {test}"));
    }
}

#[test]
fn strided_loops_run_without_masks_or_checks_while_all_threads_are_in() {
    let source = strided("u32", "%stay = lt %iv, %n", "64", SUM);
    for isa in [Isa::Avx512, Isa::Avx2] {
        let text = optimized(isa, &source, "f", [64, 1, 1]);
        let start = text.find("\nallstay:").unwrap();
        let block = &text[start + 1..];
        let block = &block[..=block.find("\n\n").unwrap()];
        assert!(block.contains("load <") && !block.contains("x i1>"), "{block}");
        // Nothing but the counter is tested.
        assert!(block.contains("label %allstay,") || block.contains("label %instep\n"), "{block}");
        assert!(block.matches("label %").count() <= 2, "{block}");
    }
}

/// `for (int i = …; i < n; i += threads_per_threadgroup.x)`: the step is added as a number without a sign, and constant in
/// code for threadgroups of one size.
#[test]
fn steps_of_all_threads_are_constants() {
    let by_threads = |body: &str| {
        let source = strided("i32", "%stay = lt %iv, %n", "64", body);
        source
            .replace("%step: i32 = const 64", "%tpt = builtin threads_per_threadgroup\n  %step = extract %tpt, 0")
            .replace(
                "%next = add %w, %step",
                "%wu: u32 = convert %w\n    %nu = add %wu, %step\n    %next: i32 = convert %nu",
            )
    };
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Neon] {
        let source = by_threads(SUM);
        let e = CpuCompiler::new(TargetOptions { isa }).explain(&parse(&source), "f", &CompileOptions::new([64, 1, 1]));
        let remarks = e.unwrap().remarks;
        assert!(remarks.iter().any(|r| r.id == "hoisted-checks"), "{remarks:?}");
        let text = optimized(isa, &source, "f", [64, 1, 1]);
        let start = text.find("\nallstay:").unwrap();
        let block = &text[start + 1..];
        let block = &block[..=block.find("\n\n").unwrap()];
        assert!(block.contains("load <") && block.matches("label %").count() <= 2, "{block}");
    }
    let cases = [(0, 0), (1, 0), (63, 0), (65, 0), (300, 5), (599, 0), (600, 3), (10, 300), (700, 0), (-5, -3)];
    for body in [ADD, SUM, SKIP] {
        compare(&by_threads(body), &cases, body);
    }
    // Close to the greatest number and the least.
    let high = [(i32::MAX - 300, i32::MAX - 400), (i32::MIN + 100, i32::MIN)];
    compare(&by_threads(COUNT), &high, "high");
}

/// From the thread's number in steps of all threads to a multiple of them: everybody leaves at once.
#[test]
fn strided_loops_to_a_multiple_are_left_together() {
    let whole = |body: &str| {
        let source = strided("u32", "%stay = lt %iv, %n", "64", body);
        source
            .replace("%n: u32 = load %p", "%n: u32 = const 512")
            .replace("%start = add %s, %x", "%start = add %x, %zero")
    };
    for isa in [Isa::Avx512, Isa::Avx2] {
        let text = optimized(isa, &whole(SUM), "f", [64, 1, 1]);
        let start = text.find("define void @metallic_kernel").unwrap();
        let text = &text[start..start + text[start..].find("\n}").unwrap()];
        // Neither a version for when all are in it nor masks for those who have left, and no checks in the version
        // that is taken.
        assert!(!text.contains("allstay") && !text.contains("masked.load") && !text.contains("x i1>"), "{text}");
        let kernel = parse(&whole(SUM));
        let e =
            CpuCompiler::new(TargetOptions { isa }).explain(&kernel, "f", &CompileOptions::new([64, 1, 1])).unwrap();
        let ids: Vec<&str> = e.remarks.iter().map(|r| r.id).collect();
        assert!(ids.contains(&"hoisted-checks") && !ids.contains(&"masked-loop"), "{ids:?}");
    }
    for body in [ADD, SKIP] {
        compare(&whole(body), &[(0, 0)], body);
        // The last ones reach beyond the end.
        compare(&whole(body).replace("const 512", "const 640"), &[(0, 0)], body);
    }
}

/// Counts what it reads, in threadgroup memory and then for all.
const HISTOGRAM: &str = "global bins: array<u32, 256> threadgroup
fn f(%in: ptr<device, u8>, %out: ptr<device, u32>, %p: ptr<constant, u32>) -> void {
  local i: u32
  %t = builtin thread_index_in_threadgroup
  %zero: u32 = const 0
  %one: u32 = const 1
  %step: u32 = const 256
  %b = global_addr @bins
  %mine = index_addr %b, %t
  store %mine, %zero
  barrier threadgroup [threadgroup]
  %n: u32 = load %p
  %i = local_addr i
  store %i, %t
  loop l {
    %iv = load %i
    %stay = lt %iv, %n
    if %stay { } else { break l }
    %q = ptr_offset %in, %iv
    %v: u8 = load %q
    %bin: u32 = convert %v
    %at = index_addr %b, %bin
    atomic.add %at, %one threadgroup
  } continuing {
    %w = load %i
    %next = add %w, %step
    store %i, %next
  }
  barrier threadgroup [threadgroup]
  %count = load %mine
  %o = ptr_offset %out, %t
  atomic.add %o, %count device
}
kernel f = @f {
  in: buffer 0 device read u8
  out: buffer 1 device read_write u32
  p: buffer 2 constant reference read u32
}
";

#[test]
fn what_threads_count_is_taken_out_of_words_of_several_lanes() {
    let words = |text: &str, lanes: u32| text.matches(&format!("extractelement <{lanes} x i64>")).count();
    let text = optimized(Isa::Avx512, HISTOGRAM, "f", [256, 1, 1]);
    // 32 threads in the loop, and again where some have left it: eight bytes in a word, before they were widened.
    assert!(words(&text, 2) >= 4, "{text}");
    // What is added in device memory at the end comes through memory, and nothing lane by lane.
    assert!(text.matches("load volatile i32").count() <= 32, "{text}");
    let by_lane = |l: &&str| l.contains("extractelement <16 x i32>") && l.contains(", i64 ");
    assert_eq!(text.lines().filter(by_lane).count(), 0, "{text}");
    // Two numbers of 32 bits in a word.
    let wide =
        HISTOGRAM.replace("%v: u8 =", "%v: u32 =").replace("read u8", "read u32").replace("device, u8", "device, u32");
    let wide = wide.replace("%bin: u32 = convert %v", "%mask: u32 = const 255\n    %bin = and %v, %mask");
    let text = optimized(Isa::Avx512, &wide, "f", [256, 1, 1]);
    assert!(words(&text, 8) >= 16, "{text}");
    // To places in a row in device memory, for each thread of a simdgroup.
    assert!(text.matches("atomicrmw add").count() > 32, "{text}");
}

#[test]
fn counts_are_those_of_the_interpreter() {
    let input: Vec<u8> = (0..3000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let kernel = compile(HISTOGRAM, "f", &CompileOptions::new([256, 1, 1]));
    for grid in [256u32, 600] {
        // At the end some of the counters, or of what is counted, are not there.
        for (counters, n) in [(256, 0), (256, 1), (256, 255), (256, 300), (256, 3000), (100, 300), (256, 3001)] {
            let args = [bytes(&input), u32s(&vec![5; counters]), u32s(&[n])];
            let expected = interpret_with(HISTOGRAM, "f", [grid, 1, 1], [256, 1, 1], &args, 0);
            let out = launch(&kernel, [grid, 1, 1], [256, 1, 1], &args);
            assert_eq!(out.fault.is_some(), expected.is_err(), "{grid} {counters} {n}");
            if let Ok(expected) = expected {
                assert_eq!(out.args[1].as_u32(), expected[1].as_u32(), "{grid} {counters} {n}");
            }
        }
    }
}

#[test]
fn limits_of_what_counts_up_are_no_gathers() {
    // At the left border lanes are kept within limits: they lie in one vector, from which they are picked.
    let calls = [(Isa::Avx512, "16 x i32> @llvm.x86.avx512.permvar"), (Isa::Avx2, "8 x i32> @llvm.x86.avx2.permd")];
    for (isa, call) in calls {
        let c = CpuCompiler::new(TargetOptions { isa });
        let options = CompileOptions { groups: Groups::Whole, ..CompileOptions::new([32, 8, 1]) };
        let text = c.emit_llvm_ir(&parse(NEIGHBORHOOD), "neighborhood", &options, true).unwrap();
        assert!(text.contains(&format!("call <{call}")), "{call}: {text}");
    }
}

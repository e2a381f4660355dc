//! Conditions that whole threadgroups agree on: the versions without masks are there where they should
//! be, and do the same as the interpreter where the condition cuts through threadgroups, through rows,
//! and where numbers wrap.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, Quick, TargetOptions};

/// A kernel that computes `%c` and stores one of two numbers.
fn kernel(condition: &str) -> String {
    format!(
        "fn f(%out: ptr<device, u32>, %p: ptr<constant, u32>, %q: ptr<constant, i32>) -> void {{
  local l: bool align 1
  %gid = builtin thread_position_in_grid
  %x = extract %gid, 0
  %y = extract %gid, 1
  %lid = builtin thread_position_in_threadgroup
  %lx = extract %lid, 0
  %grid = builtin threads_per_grid
  %w = extract %grid, 0
  %h = extract %grid, 1
  %depth = extract %gid, 2
  %slice = mul %depth, %h
  %line = add %slice, %y
  %row = mul %line, %w
  %i = add %row, %x
  %o = ptr_offset %out, %i
  %n: u32 = load %p
  %a = local_addr l
  %zero: u32 = const 0
  %one: u32 = const 1
{condition}
  if %c {{
    %then = add %x, %one
    store %o, %then
  }} else {{
    %far: u32 = const 100000
    %else0 = add %y, %far
    %else1 = mul %else0, %i
    store %o, %else1
  }}
}}
kernel f = @f {{
  out: buffer 0 device read_write u32
  p: buffer 1 constant reference read u32
  q: buffer 2 constant reference read i32
}}
"
    )
}

/// Conditions, and whether threadgroups can be told to agree on them.
const CONDITIONS: &[(&str, bool)] = &[
    ("  %c = lt %x, %n", true),
    ("  %c = ge %y, %n", true),
    ("  %c = eq %x, %n", true),
    ("  %c = ne %y, %n", true),
    ("  %d = sub %x, %one\n  %c = lt %d, %n", true),
    ("  %m = sub %n, %one\n  %c = le %x, %m", true),
    ("  %four: u32 = const 4\n  %d = mul %x, %four\n  %e = add %d, %n\n  %c = gt %e, %four", true),
    ("  %k: u32 = const 3000000000\n  %d = mul %x, %k\n  %c = lt %d, %n", true),
    ("  %d = mul %n, %x\n  %hundred: u32 = const 100\n  %c = lt %d, %hundred", true),
    ("  %s: i32 = load %q\n  %d: i32 = convert %x\n  %e = sub %d, %s\n  %z: i32 = const 0\n  %c = ge %e, %z", true),
    ("  %s: i32 = load %q\n  %d: i32 = convert %x\n  %e = mul %d, %s\n  %z: i32 = const -20\n  %c = ge %e, %z", true),
    ("  %d: u64 = convert %x\n  %e: u64 = convert %n\n  %c = lt %d, %e", true),
    ("  %d: u16 = convert %x\n  %e: u16 = convert %n\n  %c = lt %d, %e", true),
    ("  %d = lt %x, %n\n  %e = gt %y, %zero\n  %c = and %d, %e", true),
    ("  %d = ge %x, %n\n  %e = ge %y, %n\n  %f = or %d, %e\n  %c = not %f", true),
    ("  %d = gt %x, %zero\n  store %a, %d\n  if %d { %e = lt %y, %n\n    store %a, %e }\n  %c = load %a", true),
    ("  %d = gt %n, %zero\n  store %a, %d\n  if %d { %e = lt %x, %n\n    store %a, %e }\n  %c = load %a", true),
    ("  %two: u32 = const 2\n  %d = shr %x, %two\n  %e = min %d, %n\n  %c = lt %e, %n", true),
    ("  %big = gt %n, %one\n  %d = select %big, %x, %y\n  %c = lt %d, %n", true),
    ("  %d = lt %x, %n\n  if %d { return }\n  %c = gt %y, %n", true),
    // What differs within each threadgroup, or is not known when it starts.
    ("  %c = eq %lx, %zero", false),
    ("  %d = and %x, %one\n  %c = eq %d, %zero", false),
    ("  %r = rem %x, %n\n  %c = eq %r, %zero", false),
    ("  %v = load %o\n  %c = lt %v, %n", false),
    ("  %c = lt %n, %one", false),
];

fn text(source: &str, options: &CompileOptions) -> String {
    let c = CpuCompiler::new(TargetOptions { isa: Isa::Avx512 });
    c.emit_llvm_ir(&parse(source), "f", options, false).unwrap()
}

#[test]
fn versions_without_masks_agree_with_the_interpreter() {
    for (condition, qualifies) in CONDITIONS {
        let source = kernel(condition);
        for (grid, threadgroup) in [
            ([70u32, 9, 1], [32u32, 8, 1]),
            ([45, 20, 1], [16, 16, 1]),
            ([130, 1, 1], [32, 1, 1]),
            ([64, 3, 2], [8, 4, 2]),
        ] {
            let options = CompileOptions { noalias: false, ..CompileOptions::new(threadgroup) };
            if threadgroup[1] > 1 {
                assert_eq!(text(&source, &options).contains("\ninner"), *qualifies, "{condition}");
            }
            let size: usize = grid.iter().product::<u32>() as usize;
            let wide = CompileOptions { parts: Some(8), ..options.clone() };
            let kernels = [options, wide].map(|o| compile(&source, "f", &o));
            for (n, s) in [(0u32, -3i32), (1, 0), (33, 5), (64, 40), (65535, 1), (u32::MAX, i32::MAX)] {
                if n == 0 && condition.contains("rem") {
                    continue;
                }
                let args = [u32s(&vec![7; size]), u32s(&[n]), u32s(&[s as u32])];
                let expected = interpret(&source, "f", grid, threadgroup, &args);
                for k in &kernels {
                    let out = launch(k, grid, threadgroup, &args);
                    assert_eq!(out.fault, None);
                    assert_eq!(out.args[0].as_u32(), expected[0].as_u32(), "{condition} {grid:?} {n} {s}");
                }
            }
        }
    }
}

#[test]
fn a_guard_that_reads_too_far_faults_as_before() {
    let source = kernel("  %c = lt %x, %n");
    let k = compile(&source, "f", &CompileOptions::new([32, 8, 1]));
    let out = launch(&k, [64, 8, 1], [32, 8, 1], &[u32s(&[7; 512]), bytes(&[1, 2]), u32s(&[0])]);
    let (site, ..) = out.fault.expect("a fault");
    assert_eq!(k.sites[site as usize].param, Some(1));
}

#[test]
fn faults_at_the_edges_name_the_thread() {
    // One element is missing; the grid ends in smaller threadgroups in both directions.
    let plain = kernel("  %c = lt %x, %n");
    let counting = kernel("  %t = builtin thread_index_in_threadgroup\n  %c = lt %t, %n");
    for source in [plain, counting] {
        let k = compile(&source, "f", &CompileOptions::new([32, 8, 1]));
        let (w, h) = (40u32, 11u32);
        let out = launch(&k, [w, h, 1], [32, 8, 1], &[u32s(&vec![7; (w * h - 1) as usize]), u32s(&[9]), u32s(&[0])]);
        let (_, group, thread, offset) = out.fault.expect("a fault");
        assert_eq!(u64::from(w * h - 1) * 4, offset);
        let at = [group[0] * 32 + thread % 32, group[1] * 8 + thread / 32];
        assert_eq!(at, [w - 1, h - 1]);
    }
}

#[test]
fn guarded_loops_are_jammed() {
    let guard = "  %c0 = ge %y, %n\n  store %a, %c0\n  if %c0 {} else { %c1 = ge %x, %n\n    store %a, %c1 }\n  %c2 = load %a\n  if %c2 { return }";
    let source = format!(
        "fn f(%A: ptr<device, f32>, %B: ptr<device, f32>, %C: ptr<device, f32>, %p: ptr<constant, u32>) -> void {{
  local l: bool align 1
  local sum: f32 align 4
  local k: u32 align 4
  %gid = builtin thread_position_in_grid
  %x = extract %gid, 0
  %y = extract %gid, 1
  %n = load %p
  %a = local_addr l
  %one: u32 = const 1
{guard}
  %s = local_addr sum
  %fz: f32 = const 0.0
  store %s, %fz
  %kp = local_addr k
  %z: u32 = const 0
  store %kp, %z
  %row = mul %y, %n
  loop l0 {{
    %kv = load %kp
    %go = lt %kv, %n
    if %go {{}} else {{ break l0 }}
    %ai = add %row, %kv
    %ap = ptr_offset %A, %ai
    %av = load %ap
    %bi0 = mul %kv, %n
    %bi = add %bi0, %x
    %bp = ptr_offset %B, %bi
    %bv = load %bp
    %prod = mul %av, %bv
    %old = load %s
    %new = add %old, %prod
    store %s, %new
  }} continuing {{
    %kv2 = load %kp
    %kn = add %kv2, %one
    store %kp, %kn
  }}
  %ci = add %row, %x
  %cp = ptr_offset %C, %ci
  %r = load %s
  store %cp, %r
}}
kernel f = @f {{
  A: buffer 0 device read f32
  B: buffer 1 device read f32
  C: buffer 2 device write f32
  p: buffer 3 constant reference read u32
}}
"
    );
    let k = compile_for(Isa::Host, &source, "f", &CompileOptions::new([32, 8, 1]));
    assert!(k.stats.gang > 32, "{:?}", k.stats);
    let options = CompileOptions { groups: Groups::Any, quick: Quick::IfBrief, ..CompileOptions::new([32, 8, 1]) };
    assert!(!compile(&source, "f", &options).is_quick);
    for n in [1u32, 31, 40, 64] {
        let m: Vec<f32> = (0..n * n).map(|i| (i % 13) as f32 * 0.5 - 2.0).collect();
        let args = [f32s(&m), f32s(&m), f32s(&vec![0.0; m.len()]), u32s(&[n])];
        // As hosts do that round the grid up.
        let grid = [n.next_multiple_of(32), n.next_multiple_of(8), 1];
        check(&source, "f", grid, [32, 8, 1], &args);
        check(&source, "f", [n, n, 1], [16, 16, 1], &args);
    }
}

/// For the few threadgroups that others leave; kernels with loops only where that was asked for.
#[test]
fn kernels_are_compiled_quickly_for_those_who_ask() {
    let is_quick = |source: &str, quick| {
        let options = CompileOptions { groups: Groups::Any, quick, ..CompileOptions::new([32, 4, 1]) };
        compile(source, "f", &options).is_quick
    };
    let source = kernel("  %c = lt %x, %n");
    assert_eq!(is_quick(&source, Quick::IfBrief), cfg!(target_arch = "x86_64"));
    assert!(!is_quick(&source, Quick::No));
    let with_loop = include_str!("kernels/matmul_tiled.ir");
    let entry = "matmul_tiled";
    for (quick, expected) in
        [(Quick::No, false), (Quick::IfBrief, false), (Quick::Always, cfg!(target_arch = "x86_64"))]
    {
        let kernel = compile(with_loop, entry, &CompileOptions { quick, ..CompileOptions::new([16, 16, 1]) });
        assert_eq!(kernel.is_quick, expected);
    }
}

/// Where full and other threadgroups are laid out in different ways, those that do not agree have code of their own,
/// which is not in the code for those that do.
#[test]
fn code_for_the_expected_way_has_nothing_for_others() {
    let source = kernel("  %c = lt %x, %n").replace(
        "    store %o, %then\n",
        "    %lane = builtin thread_index_in_simdgroup\n    %counted = add %then, %lane\n    store %o, %counted\n",
    );
    let text = |groups| text(&source, &CompileOptions { groups, ..CompileOptions::new([32, 4, 1]) });
    let versions = |groups| {
        let text = text(groups);
        let has = |name: &str| text.contains(&format!("\n{name}:"));
        [has("inner"), has("full"), has("edge")]
    };
    assert_eq!(versions(Groups::All), [true, true, true]);
    assert_eq!(versions(Groups::Full), [true, false, false]);
    assert_eq!(versions(Groups::Whole), [false, true, false]);
    assert_eq!(versions(Groups::Any), [false, false, true]);
    let c = CpuCompiler::new(TargetOptions { isa: Isa::Host });
    let has_whole = |threadgroup, groups| {
        let options = CompileOptions { groups, ..CompileOptions::new(threadgroup) };
        c.compile(&parse(&source), "f", &options).unwrap().has_whole
    };
    assert!(has_whole([32, 4, 1], Groups::Full));
    assert!(!has_whole([32, 4, 1], Groups::Whole) && !has_whole([32, 4, 1], Groups::All));
    assert!(!has_whole([64, 1, 1], Groups::Full), "both are laid out alike");
}

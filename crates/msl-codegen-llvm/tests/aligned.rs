//! Numbers that count up from a multiple of a power of two: quotients and remainders of threads' numbers, comparisons
//! with multiples. What is the same for a gang, or counts up with its lanes, is found to be; and everything is what the
//! interpreter says it is.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// `body` computes `%j` from `%g` (the thread's position), `%t` (its number in the threadgroup), `%l` (in the
/// simdgroup) and `%n` (a number of the host's).
fn kernel(body: &str) -> String {
    format!(
        "fn f(%a: ptr<device, u32>, %out: ptr<device, u32>, %pn: ptr<constant, u32>) -> void {{
  %gid = builtin thread_position_in_grid
  %g = extract %gid, 0
  %gy = extract %gid, 1
  %tid = builtin thread_position_in_threadgroup
  %ty = extract %tid, 1
  %t = builtin thread_index_in_threadgroup
  %l = builtin thread_index_in_simdgroup
  %n = load %pn
{body}
  %size = builtin threads_per_grid
  %sx = extract %size, 0
  %row = mul %gy, %sx
  %at = add %row, %g
  %limit: u32 = const 1023
  %in = and %j, %limit
  %p = ptr_offset %a, %in
  %x = load %p
  %sum = add %x, %j
  %q = ptr_offset %out, %at
  store %q, %sum
}}
kernel f = @f {{
  a: buffer 0 device read u32
  out: buffer 1 device write u32
  n: buffer 2 constant reference read u32
}}
"
    )
}

fn agrees(source: &str, shapes: &[([u32; 3], [u32; 3])]) {
    let data: Vec<u32> = (0..1024u32).map(|i| i.wrapping_mul(2_654_435_761) >> 9).collect();
    for (grid, group) in shapes {
        let out = vec![0; (grid[0] * grid[1]) as usize];
        check(source, "f", *grid, *group, &[u32s(&data), u32s(&out), u32s(&[24])]);
    }
}

const SHAPES: [([u32; 3], [u32; 3]); 6] = [
    ([600, 1, 1], [256, 1, 1]),
    ([100, 1, 1], [48, 1, 1]),
    ([70, 9, 1], [32, 8, 1]),
    ([40, 20, 1], [16, 16, 1]),
    ([64, 3, 1], [64, 2, 1]),
    ([21, 13, 1], [10, 10, 1]),
];

/// One operation by a constant.
fn step(op: &str, a: &str, k: i64) -> String {
    format!("  %k: u32 = const {}\n  %j = {op} {a}, %k", k as u32)
}

#[test]
fn results_are_those_of_the_interpreter() {
    let mut turn = 0;
    for (op, constants) in [
        ("div", [2i64, 4, 16, 32, 64, 3].as_slice()),
        ("rem", &[2, 16, 32, 64, 256, 12]),
        ("shr", &[1, 3, 4, 5, 8]),
        ("and", &[1, 15, 31, 48, 63, -16, -32, -4, 0xf0]),
        ("or", &[1, 15, 31, 32, 96, -32]),
        ("xor", &[1, 15, 31, 32, 48, 96]),
    ] {
        for k in constants {
            for a in ["%g", "%t", "%l", "%ty"] {
                // Each operation meets some of the numbers and shapes.
                turn += 1;
                if turn % 3 != 0 {
                    agrees(&kernel(&step(op, a, *k)), &[SHAPES[turn / 2 % SHAPES.len()]]);
                }
            }
        }
    }
}

#[test]
fn chains_are_those_of_the_interpreter() {
    let bodies = [
        // Rows and columns of tiles, as people compute them.
        "  %c: u32 = const 32\n  %r0 = div %t, %c\n  %c0 = rem %t, %c\n  %w = mul %r0, %n\n  %j = add %w, %c0",
        "  %c: u32 = const 4\n  %s = mul %g, %c\n  %c2: u32 = const 6\n  %r0 = shr %s, %c2\n  %c3: u32 = const 63\n  %c0 = and %s, %c3\n  %w = mul %r0, %n\n  %j = add %w, %c0",
        // From another start than 0.
        "  %c: u32 = const 96\n  %s = add %t, %c\n  %c2: u32 = const 5\n  %j = shr %s, %c2",
        "  %c: u32 = const 33\n  %s = add %t, %c\n  %c2: u32 = const 5\n  %j = shr %s, %c2",
        "  %c: u32 = const 64\n  %s = sub %t, %c\n  %c2: u32 = const 31\n  %j = and %s, %c2",
        // Backward, and back.
        "  %c: u32 = const 31\n  %s = xor %g, %c\n  %d = xor %s, %c\n  %e = and %d, %c\n  %j = add %e, %n",
        "  %c: u32 = const 15\n  %j = xor %g, %c",
        // Of fewer bits than the numbers have.
        "  %b: u8 = convert %t\n  %c: u8 = const 4\n  %s = mul %b, %c\n  %c2: u8 = const 2\n  %h = shr %s, %c2\n  %j: u32 = convert %h",
        "  %b: i8 = convert %t\n  %c: i8 = const 5\n  %h = shr %b, %c\n  %j: u32 = convert %h",
        "  %b: i32 = convert %t\n  %c: i32 = const 100\n  %s = sub %b, %c\n  %c2: i32 = const 32\n  %h = div %s, %c2\n  %j: u32 = convert %h",
        // Numbers at which threads turn.
        "  %c: u32 = const 64\n  %y = lt %t, %c\n  %j = select %y, %n, %t",
        "  %c: u32 = const 31\n  %y = le %g, %c\n  %j = select %y, %n, %g",
        "  %c: u32 = const 32\n  %y = le %c, %g\n  %j = select %y, %n, %g",
        "  %c: u32 = const 4\n  %y = ge %ty, %c\n  %j = select %y, %n, %g",
        "  %c: u32 = const 33\n  %y = gt %t, %c\n  %j = select %y, %n, %g",
        "  %b: i32 = convert %t\n  %z: i32 = const 128\n  %s = sub %b, %z\n  %c: i32 = const -64\n  %y = lt %s, %c\n  %j = select %y, %n, %g",
    ];
    for (turn, body) in bodies.into_iter().enumerate() {
        let shapes: Vec<_> = SHAPES.iter().copied().skip(turn % 2).step_by(2).collect();
        agrees(&kernel(body), &shapes);
    }
}

/// A number that is added to in a loop, and one that is halved.
#[test]
fn what_loops_leave_of_alignment_is_known() {
    let body = "  %pi = local_addr i\n  %pd = local_addr d\n  %ps = local_addr s
  store %pi, %t\n  %first: u32 = const 128\n  store %pd, %first\n  %zero: u32 = const 0\n  store %ps, %zero
  %one: u32 = const 1\n  %five: u32 = const 5\n  %step: u32 = const STEP
  loop l {
    %d = load %pd
    %more = gt %d, %zero
    if %more { } else { break l }
    %i = load %pi
    %w = shr %i, %five
    %y = lt %i, %d
    if %y {
      %s = load %ps
      %s1 = add %s, %w
      store %ps, %s1
    }
  } continuing {
    %i2 = load %pi\n    %i3 = add %i2, %step\n    store %pi, %i3
    %d2 = load %pd\n    %d3 = shr %d2, %one\n    store %pd, %d3
  }
  %j = load %ps";
    for step in ["32", "8", "5"] {
        let source = kernel(&body.replace("STEP", step));
        let source = source.replacen("-> void {", "-> void {\n  local i: u32\n  local d: u32\n  local s: u32", 1);
        agrees(&source, &SHAPES);
    }
}

/// The function of a kernel for full threadgroups of 256 threads in a row.
fn entry(isa: Isa, body: &str) -> String {
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([256, 1, 1]) };
    let compiler = CpuCompiler::new(TargetOptions { isa });
    let ir = compiler.emit_llvm_ir(&parse(&kernel(body)), "f", &options, true).unwrap();
    let start = ir.find("define void @metallic_kernel").unwrap();
    ir[start..start + ir[start..].find("\n}").unwrap()].to_string()
}

#[test]
fn quotients_and_remainders_of_a_simdgroup_stay_scalar() {
    for (isa, lanes) in [(Isa::Avx512, 16), (Isa::Avx2, 8), (Isa::Neon, 4)] {
        let uniform = ["  %k: u32 = const 32\n  %j = div %t, %k", "  %k: u32 = const 4294967264\n  %j = and %g, %k"];
        for body in uniform {
            let ir = entry(isa, body);
            // One element for all, and no vector on the way to it.
            assert!(!ir.contains(&format!("load <{lanes} x i32>")), "{isa:?}: {ir}");
            assert!(!ir.contains("gather"), "{isa:?}: {ir}");
        }
        let linear = [
            "  %k: u32 = const 32\n  %j = rem %g, %k",
            "  %k: u32 = const 32\n  %d = div %g, %k\n  %w = mul %d, %n\n  %r = rem %g, %k\n  %j = add %w, %r",
        ];
        for body in linear {
            // Without what the test's own kernel does to places, which may lie anywhere.
            let source = kernel(body).replace("  %p = ptr_offset %a, %in", "  %p = ptr_offset %a, %j");
            let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([256, 1, 1]) };
            let compiler = CpuCompiler::new(TargetOptions { isa });
            let ir = compiler.emit_llvm_ir(&parse(&source), "f", &options, true).unwrap();
            let start = ir.find("define void @metallic_kernel").unwrap();
            let ir = &ir[start..start + ir[start..].find("\n}").unwrap()];
            assert!(ir.contains(&format!("load <{lanes} x i32>")), "{isa:?}: {ir}");
            let shuffles = ["gather", "vpermi2var", "permd"];
            assert!(!shuffles.iter().any(|s| ir.contains(s)), "{isa:?}: {ir}");
        }
    }
}

#[test]
fn threads_that_agree_branch_without_masks() {
    let branch = |condition: &str| {
        format!("{condition}\n  %pw = ptr_offset %out, %t\n  if %y {{\n    store %pw, %n\n  }}\n  %j = add %t, %n")
    };
    for isa in [Isa::Avx512, Isa::Avx2] {
        for (condition, is_shared) in [
            ("  %c: u32 = const 64\n  %y = lt %t, %c", true),
            ("  %c: u32 = const 127\n  %y = gt %t, %c", true),
            ("  %c: u32 = const 5\n  %w = shr %t, %c\n  %two: u32 = const 2\n  %y = eq %w, %two", true),
            ("  %c: u32 = const 65\n  %y = lt %t, %c", false),
            ("  %c: u32 = const 64\n  %y = le %t, %c", false),
        ] {
            let ir = entry(isa, &branch(condition));
            assert_eq!(!ir.contains("masked.store"), is_shared, "{isa:?} {condition}: {ir}");
        }
    }
}

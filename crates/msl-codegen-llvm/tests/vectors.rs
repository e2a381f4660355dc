//! What stays in vectors: division, strided accesses, atomic operations, 16-bit floats, conversions. The code
//! is looked at for three machines and its results are compared with the interpreter's.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

const MACHINES: [Isa; 3] = [Isa::Avx512, Isa::Avx2, Isa::Neon];

/// `out[i] = …` of two inputs and a number.
fn kernel(ty: &str, out: &str, body: &str) -> String {
    format!(
        "fn f(%a: ptr<device, {ty}>, %b: ptr<device, {ty}>, %out: ptr<device, {out}>, %n: ptr<constant, {ty}>) -> void {{
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
{body}
}}
kernel f = @f {{
  a: buffer 0 device read {ty}
  b: buffer 1 device read {ty}
  out: buffer 2 device read_write {out}
  n: buffer 3 constant reference read {ty}
}}
"
    )
}

/// The entry function in optimized IR, and all of the assembly.
fn code(isa: Isa, source: &str) -> (String, String) {
    let module = parse(source);
    let c = CpuCompiler::new(TargetOptions { isa });
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([64, 1, 1]) };
    let ir = c.emit_llvm_ir(&module, "f", &options, true).unwrap();
    let start = ir.find("define void @metallic_kernel").unwrap();
    let end = start + ir[start..].find("\n}").unwrap();
    (ir[start..end].to_string(), c.emit_asm(&module, "f", &options).unwrap())
}

fn calls_no_library(asm: &str) {
    for name in ["fmod", "__udiv", "__div", "__mod", "__umod", "__gnu", "__extend", "__trunc", "__fix", "__float"] {
        assert!(!asm.contains(name), "{name}:\n{asm}");
    }
}

fn data(n: usize, seed: u32) -> Vec<u8> {
    let mut x = seed;
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (x >> 24) as u8
    };
    (0..n).map(next).collect()
}

/// Grids with an edge, against the interpreter. Divisors are not zero, which may give anything, and 16-bit
/// floats are finite.
fn agrees(source: &str) {
    let is_half = source.contains("device read f16") || source.contains("device read bf16");
    let data = |n, seed, odd: u8| {
        let mut out = data(n, seed);
        out.iter_mut().for_each(|x| *x = (*x | odd) & if is_half { 0xbf } else { 0xff });
        bytes(&out)
    };
    let args = [data(4096, 1, 0), data(4096, 2, 1), bytes(&[0; 4096]), data(16, 3, 1)];
    for grid in [64, 150] {
        check(source, "f", [grid, 1, 1], [64, 1, 1], &args);
    }
}

#[test]
fn division_stays_in_vectors() {
    for ty in ["u8", "i8", "u16", "i16", "u32", "i32"] {
        for op in ["div", "rem"] {
            let body = |divisor: &str| {
                format!(
                    "  %p = ptr_offset %a, %i\n  %x = load %p\n{divisor}\n  %z = {op} %x, %y\n  %o = ptr_offset %out, %i\n  store %o, %z"
                )
            };
            let varying = kernel(ty, ty, &body("  %q = ptr_offset %b, %i\n  %y = load %q"));
            let uniform = kernel(ty, ty, &body("  %y = load %n"));
            for isa in MACHINES {
                for source in [&varying, &uniform] {
                    let (ir, asm) = code(isa, source);
                    for scalar in ["udiv <", "urem <", "sdiv <", "srem <", "extractelement"] {
                        assert!(!ir.contains(scalar), "{ty} {op} {isa:?}: {scalar}\n{ir}");
                    }
                    calls_no_library(&asm);
                }
                // The reciprocal of the divisor is all that is divided, once for all vectors.
                let (ir, _) = code(isa, &uniform);
                if ty.ends_with("32") {
                    assert_eq!(ir.matches("fdiv <").count(), 1, "{ty} {op} {isa:?}: {ir}");
                }
            }
            if !ty.ends_with("16") {
                agrees(&varying);
                agrees(&uniform);
            }
        }
    }
}

#[test]
fn strided_loads_are_vectors_and_shuffles() {
    for ty in ["u8", "u16", "f32"] {
        for stride in [2, 3, 4] {
            let source = kernel(
                ty,
                ty,
                &format!(
                    "  %s: u32 = const {stride}\n  %j = mul %i, %s\n  %one: u32 = const 1\n  %k = add %j, %one\n  %p = ptr_offset %a, %k\n  %x = load %p\n  %o = ptr_offset %out, %i\n  store %o, %x"
                ),
            );
            for isa in MACHINES {
                let (ir, asm) = code(isa, &source);
                assert!(!ir.contains("gather") && ir.contains("shufflevector"), "{ty} {stride} {isa:?}: {ir}");
                calls_no_library(&asm);
            }
            if stride == 3 {
                agrees(&source);
            }
        }
    }
}

#[test]
fn addresses_that_count_down_are_vectors_and_shuffles() {
    for ty in ["u8", "f32"] {
        for stride in [1, 2] {
            let down = format!(
                "  %m: u32 = const 300\n  %s: u32 = const {stride}\n  %j = mul %i, %s\n  %k = sub %m, %j\n  %p = ptr_offset %a, %k\n  %x = load %p\n"
            );
            let load = kernel(ty, ty, &format!("{down}  %o = ptr_offset %out, %i\n  store %o, %x"));
            let store = "  %m: u32 = const 300\n  %k = sub %m, %i\n  %p = ptr_offset %a, %i\n  %x = load %p\n  %o = ptr_offset %out, %k\n  store %o, %x";
            let store = kernel(ty, ty, store);
            for isa in MACHINES {
                for source in [&load, &store] {
                    // What goes lane by lane is on the way taken when bounds may be exceeded.
                    let (ir, _) = code(isa, source);
                    let turned = ["i32 1, i32 0>", "i32 2, i32 0>"].iter().any(|order| ir.contains(order));
                    assert!(turned, "{ty} {stride} {isa:?}: {ir}");
                    let fast = ir.find("\nfast").map_or(0, |at| at);
                    let end = fast + ir[fast + 1..].find("\n\n").unwrap_or(ir.len() - fast - 1);
                    assert!(!ir[fast..end].contains("gather"), "{ty} {stride} {isa:?}: {ir}");
                }
            }
            agrees(&load);
            agrees(&store);
            // Masked, in part out of bounds where lanes are off: indices below zero wrap.
            let half = kernel(
                ty,
                ty,
                "  %h: u32 = const 40\n  %k = sub %h, %i\n  %c = lt %i, %h\n  if %c {\n    %p = ptr_offset %a, %k\n    %x = load %p\n    %o = ptr_offset %out, %k\n    store %o, %x\n  }",
            );
            agrees(&half);
        }
    }
}

#[test]
fn a_gang_does_one_atomic_operation() {
    for (ty, op) in [("u32", "add"), ("i32", "max"), ("u32", "or"), ("f32", "add")] {
        let source = kernel(
            ty,
            ty,
            &format!(
                "  %p = ptr_offset %a, %i\n  %x = load %p\n  %q = ptr_offset %b, %i\n  %y = load %q\n  %c = lt %x, %y\n  if %c {{\n    atomic.{op} %out, %x device\n  }}"
            ),
        );
        for isa in MACHINES {
            let (ir, _) = code(isa, &source);
            let operations = ir.matches("atomicrmw").count() + ir.matches("cmpxchg").count();
            assert_eq!(operations, 1, "{ty} {op} {isa:?}: {ir}");
            // And no loop over lanes around it.
            assert!(!ir.contains("llvm.cttz"), "{ty} {op} {isa:?}: {ir}");
        }
        if ty != "f32" {
            agrees(&source);
        }
    }
}

#[test]
fn sixteen_bit_floats_are_rounded_once_a_statement_in_fast_math() {
    let body = |fp: &str| {
        format!(
            "  %p = ptr_offset %a, %i\n  %x = load %p\n  %q = ptr_offset %b, %i\n  %y = load %q\n  %m = mul{fp} %x, %y\n  %s = add{fp} %m, %x\n  %k = mul{fp} %y, %y\n  %r = sub{fp} %s, %k\n  %o = ptr_offset %out, %i\n  store %o, %r"
        )
    };
    for isa in MACHINES {
        let parts = if isa == Isa::Avx512 {
            2
        } else if isa == Isa::Avx2 {
            4
        } else {
            8
        };
        let (fast, asm) = code(isa, &kernel("f16", "f16", &body(".fast")));
        // Two operands widened and one result rounded for each vector, and four roundings as written.
        assert_eq!((fast.matches("fpext <").count(), fast.matches("fptrunc <").count()), (2 * parts, parts), "{fast}");
        calls_no_library(&asm);
        let (strict, asm) = code(isa, &kernel("f16", "f16", &body("")));
        assert_eq!(strict.matches("fmul <").count(), 2 * parts, "{strict}");
        assert!(strict.matches("fptrunc <").count() == 0 && strict.contains(" x half>"), "{strict}");
        calls_no_library(&asm);
        // Rounding to bfloat compares with NaN: once for the result.
        let (fast, _) = code(isa, &kernel("bf16", "bf16", &body(".fast")));
        let (strict, _) = code(isa, &kernel("bf16", "bf16", &body("")));
        assert_eq!(strict.matches("fcmp uno").count(), 4 * parts, "{strict}");
        assert!(fast.matches("fcmp uno").count() <= parts, "{fast}");
    }
    for ty in ["f16", "bf16"] {
        agrees(&kernel(ty, ty, &body("")));
    }
}

#[test]
fn float_to_integer_conversions_saturate_in_vectors() {
    for from in ["f32", "f16", "bf16"] {
        for to in ["i8", "u16", "i32", "u32"] {
            let body = format!(
                "  %p = ptr_offset %a, %i\n  %x = load %p\n  %r: {to} = convert %x\n  %o = ptr_offset %out, %i\n  store %o, %r"
            );
            let source = kernel(from, to, &body);
            for isa in MACHINES {
                let (ir, asm) = code(isa, &source);
                assert!(
                    !ir.contains("extractelement") && !ir.contains("fptosi.sat") && !ir.contains("fptoui.sat"),
                    "{from} {to} {isa:?}: {ir}"
                );
                calls_no_library(&asm);
            }
            agrees(&source);
        }
    }
}

/// LLVM would make a branch of each lane of such a gather: thousands in a large kernel. What they give is tested in
/// `tests/run/published_code.metal`.
#[test]
fn small_elements_of_one_buffer_or_another_come_in_words() {
    for ty in ["u8", "u16", "f16"] {
        let body = "  %seven: u32 = const 7
  %x = mul %i, %seven
  %six: u32 = const 63
  %at = and %x, %six
  %one: u32 = const 1
  %bit = and %x, %one
  %odd = eq %bit, %one
  %p = select %odd, %a, %b
  %q = ptr_offset %p, %at
  %v = load %q
  %r = ptr_offset %out, %i
  store %r, %v";
        let source = kernel(ty, ty, body);
        for isa in [Isa::Avx512, Isa::Avx2] {
            let (ir, _) = code(isa, &source);
            let small = [".v16i8", ".v16i16", ".v16f16", ".v8i8", ".v8i16", ".v8f16"];
            assert!(
                ir.contains("masked.gather") && !small.iter().any(|t| ir.contains(&format!("gather{t}"))),
                "{isa:?}: {ir}"
            );
        }
    }
}

#[test]
fn fast_reciprocal_square_roots_are_estimated_well_enough() {
    let source = kernel(
        "f32",
        "f32",
        "  %p = ptr_offset %a, %i\n  %x = load %p\n  %y = rsqrt.fast %x\n  %o = ptr_offset %out, %i\n  store %o, %y",
    );
    for isa in [Isa::Avx2, Isa::Sse4] {
        let (_, asm) = code(isa, &source);
        assert!(asm.contains("rsqrtps") && !asm.contains("sqrtps\t(") && !asm.contains("divps"), "{asm}");
    }
    if !cfg!(target_arch = "x86_64") || !std::is_x86_feature_detected!("avx2") || !std::is_x86_feature_detected!("fma")
    {
        return;
    }
    // From two binades, between which the error repeats.
    const COUNT: u32 = 1 << 18;
    let input: Vec<f32> = (0..COUNT).map(|i| f32::from_bits(0x3f80_0000 + i * 64 + i % 61)).collect();
    for isa in [Isa::Avx2, Isa::Sse4] {
        let kernel = compile_for(isa, &source, "f", &CompileOptions::new([256, 1, 1]));
        let args = [f32s(&input), f32s(&[0.0]), f32s(&vec![0.0; input.len()]), f32s(&[0.0])];
        let out = launch(&kernel, [COUNT, 1, 1], [256, 1, 1], &args);
        for (x, y) in input.iter().zip(out.args[2].as_f32()) {
            let exact = 1.0 / f64::from(*x).sqrt();
            let ulp = f64::from(f32::from_bits((exact as f32).to_bits() + 1)) - f64::from(exact as f32);
            assert!((f64::from(y) - exact).abs() <= 1.5 * ulp, "{isa:?} {x}: {y}");
        }
    }
}

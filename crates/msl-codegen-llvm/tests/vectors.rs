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

/// What is done for each gang in a kernel without branches.
fn gang(ir: &str) -> &str {
    let start = ir.find("\ngang:").expect("a loop over gangs");
    &ir[start..start + ir[start..].find("\n\n").unwrap_or(ir.len() - start)]
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
                    assert!(!gang(&ir).contains("div"), "{ty} {op} {isa:?}: {ir}");
                }
            }
            if !ty.ends_with("16") {
                agrees(&varying);
                agrees(&uniform);
            }
        }
    }
}

/// Quotients where estimates are at their worst: next to multiples, of the largest and smallest numbers.
fn hard_numbers(bits: u32) -> (Vec<u64>, Vec<u64>) {
    let ones = u64::MAX >> (64 - bits);
    let half = 1u64 << (bits / 2);
    let mut divisors =
        vec![1, 2, 3, 5, 7, 10, half - 1, half, half + 1, ones, ones - 1, ones / 2, ones / 2 + 1, ones / 3];
    divisors.extend((1..bits).step_by(3).map(|k| (1 << k) - 1));
    divisors.extend((1..bits).step_by(3).map(|k| (1 << k) + 1));
    let mut x = 88_172_645_463_325_252u64;
    let mut random = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        x
    };
    for k in 0..16 {
        divisors.push((random() & ones) >> (k % bits));
    }
    divisors.iter_mut().for_each(|d| *d = (*d).max(1) & ones);
    let (mut dividends, mut by) = (Vec::new(), Vec::new());
    for d in divisors {
        let most = ones / d;
        for q in [most, random() % most.max(1)] {
            for off in [u64::MAX, 0, 1, d - 1] {
                dividends.push((q * d).wrapping_add(off) & ones);
                by.push(d);
            }
        }
    }
    // The least number by -1 is unspecified.
    for (a, b) in dividends.iter_mut().zip(&by) {
        if *b == ones && *a == ones / 2 + 1 {
            *a += 1;
        }
    }
    (dividends, by)
}

fn packed(numbers: &[u64], bits: u32) -> Arg {
    bytes(&numbers.iter().flat_map(|x| x.to_le_bytes()[..bits as usize / 8].to_vec()).collect::<Vec<u8>>())
}

/// Machines whose code runs here.
fn runnable() -> impl Iterator<Item = Isa> {
    ["avx512", "avx2", "sse4"].into_iter().filter_map(|name| Isa::restricted(name).ok())
}

/// On all machines the bytes that the interpreter gives.
fn agrees_everywhere(source: &str, threads: u32, args: &[Arg]) {
    agree_everywhere(source, threads, &[args.to_vec()]);
}

/// Likewise with several lists of arguments.
fn agree_everywhere(source: &str, threads: u32, lists: &[Vec<Arg>]) {
    let kernels: Vec<_> =
        runnable().map(|isa| (isa, compile_for(isa, source, "f", &CompileOptions::new([64, 1, 1])))).collect();
    for args in lists {
        let expected = interpret(source, "f", [threads, 1, 1], [64, 1, 1], args);
        for (isa, kernel) in &kernels {
            let out = launch(kernel, [threads, 1, 1], [64, 1, 1], args);
            assert_eq!(out.fault, None);
            for (x, y) in out.args.iter().zip(&expected) {
                if let Some(at) = (0..x.as_bytes().len()).find(|k| x.as_bytes()[*k] != y.as_bytes()[*k]) {
                    panic!("{isa:?}: byte {at} differs: {source}");
                }
            }
        }
    }
}

#[test]
fn division_is_exact_everywhere() {
    for ty in ["u32", "i32", "u64", "i64"] {
        let bits: u32 = ty[1..].parse().unwrap();
        let (dividends, divisors) = hard_numbers(bits);
        let n = dividends.len();
        for op in ["div", "rem"] {
            let body = |divisor: &str| {
                format!(
                    "  %p = ptr_offset %a, %i\n  %x = load %p\n{divisor}\n  %z = {op} %x, %y\n  %o = ptr_offset %out, %i\n  store %o, %z"
                )
            };
            let varying = kernel(ty, ty, &body("  %q = ptr_offset %b, %i\n  %y = load %q"));
            let size = bits as usize / 8;
            let zeros = || bytes(&vec![0; n * size]);
            let args = |d: u64| [packed(&dividends, bits), packed(&divisors, bits), zeros(), packed(&[d; 16], bits)];
            // As they are, all small, and some of both.
            let below = |k: u32, list: &[u64]| list.iter().map(|x| (x >> k).max(1)).collect::<Vec<u64>>();
            let mut lists = vec![args(1).to_vec()];
            for (k, l) in [(bits / 5, bits / 5), (bits / 5, bits / 2), (0, bits / 2)] {
                let (a, b) = (below(k, &dividends), below(l, &divisors));
                lists.push(vec![packed(&a, bits), packed(&b, bits), zeros(), packed(&[1; 16], bits)]);
            }
            agree_everywhere(&varying, n as u32, &lists);
            let uniform = kernel(ty, ty, &body("  %y = load %n"));
            let by = |d: u64| {
                let mut args = args(d);
                // The least number by -1 is unspecified.
                if d == u64::MAX >> (64 - bits) {
                    let least = 1u64 << (bits - 1);
                    let others: Vec<u64> = dividends.iter().map(|a| if *a == least { 1 } else { *a }).collect();
                    args[0] = packed(&others, bits);
                }
                args.to_vec()
            };
            let divisors: Vec<u64> = divisors.iter().step_by(divisors.len() / 8).copied().collect();
            agree_everywhere(&uniform, n as u32, &divisors.iter().map(|d| by(*d)).collect::<Vec<_>>());
            for d in [7, u64::MAX - 9] {
                let d = if ty.starts_with('i') {
                    (d as i64).to_string()
                } else {
                    (d & u64::MAX >> (64 - bits)).to_string()
                };
                let constant = kernel(ty, ty, &body(&format!("  %y: {ty} = const {d}")));
                agrees_everywhere(&constant, n as u32, &args(1));
            }
        }
    }
}

/// Of 64 bits, too, where there is an instruction for a lane but none for a vector.
#[test]
fn division_of_long_integers_stays_in_vectors() {
    for (ty, short) in [("u64", "u32"), ("i64", "i32")] {
        for op in ["div", "rem"] {
            let body = |divisor: &str| {
                format!(
                    "  %p = ptr_offset %a, %i\n  %x = load %p\n{divisor}\n  %z = {op} %x, %y\n  %o = ptr_offset %out, %i\n  store %o, %z"
                )
            };
            let varying = kernel(ty, ty, &body("  %q = ptr_offset %b, %i\n  %y = load %q"));
            let uniform = kernel(ty, ty, &body("  %y = load %n"));
            let constant = kernel(ty, ty, &body(&format!("  %y: {ty} = const 1000003")));
            for isa in [Isa::Avx512, Isa::Avx2, Isa::Sse4] {
                for source in [&varying, &uniform, &constant] {
                    let (ir, asm) = code(isa, source);
                    for scalar in ["udiv <", "urem <", "sdiv <", "srem <", "extractelement"] {
                        assert!(!ir.contains(scalar), "{ty} {op} {isa:?}: {scalar}\n{ir}");
                    }
                    assert!(!asm.contains("pextrq"), "{ty} {op} {isa:?}: {asm}");
                    calls_no_library(&asm);
                }
                // What is the same for all is divided once, before the loop.
                for source in [&uniform, &constant] {
                    let (ir, _) = code(isa, source);
                    let within = gang(&ir);
                    assert!(within.contains("mul <") && !within.contains("div"), "{ty} {op} {isa:?}: {within}");
                }
            }
            // Numbers that were of 32 bits are divided as such.
            let short = kernel(
                short,
                ty,
                &format!(
                    "  %p = ptr_offset %a, %i\n  %x = load %p\n  %q = ptr_offset %b, %i\n  %y = load %q\n  %lx: {ty} = convert %x\n  %ly: {ty} = convert %y\n  %z = {op} %lx, %ly\n  %o = ptr_offset %out, %i\n  store %o, %z"
                ),
            );
            for isa in [Isa::Avx512, Isa::Avx2, Isa::Sse4] {
                let (ir, _) = code(isa, &short);
                assert!(!ir.contains("mul <16 x i64>") && !ir.contains("mul <8 x i64>"), "{ty} {op} {isa:?}: {ir}");
            }
            let (dividends, divisors) = hard_numbers(32);
            let n = dividends.len();
            let args = [packed(&dividends, 32), packed(&divisors, 32), bytes(&vec![0; 8 * n]), packed(&[1; 16], 32)];
            agrees_everywhere(&short, n as u32, &args);
        }
    }
}

#[test]
fn upper_halves_of_long_products_stay_in_vectors() {
    for ty in ["u64", "i64"] {
        let source = kernel(
            ty,
            ty,
            "  %p = ptr_offset %a, %i\n  %x = load %p\n  %q = ptr_offset %b, %i\n  %y = load %q\n  %z = mul_high %x, %y\n  %o = ptr_offset %out, %i\n  store %o, %z",
        );
        for isa in [Isa::Avx512, Isa::Avx2, Isa::Sse4] {
            let (ir, asm) = code(isa, &source);
            assert!(!ir.contains("i128") && !asm.contains("pextrq"), "{ty} {isa:?}: {ir}");
        }
        let (a, b) = hard_numbers(64);
        let n = a.len();
        agrees_everywhere(
            &source,
            n as u32,
            &[packed(&a, 64), packed(&b, 64), bytes(&vec![0; 8 * n]), bytes(&[0; 16])],
        );
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
            // What was collected over threadgroups is added at the end.
            let blocks = ir.split("\n\n").filter(|block| !block.starts_with("element"));
            let ir = blocks.collect::<Vec<_>>().join("\n\n");
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

/// Numbers around the ends of all integer types, and NaN.
fn floats() -> Vec<f32> {
    let mut list =
        vec![f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 0.5, -0.5, -0.999, 1e-40, 3e38];
    for bits in [7, 8, 15, 16, 31, 32, 63, 64] {
        let x = 2f32.powi(bits);
        for y in [x.next_down().next_down(), x.next_down(), x, x.next_up(), x - 1.0, x - 0.5, x + 0.5, x + 1.0] {
            list.extend([y, -y]);
        }
    }
    list
}

#[test]
fn float_to_integer_conversions_saturate_in_vectors() {
    for from in ["f32", "f16", "bf16"] {
        for to in ["i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64"] {
            let body = format!(
                "  %p = ptr_offset %a, %i\n  %x = load %p\n  %r: {to} = convert %x\n  %o = ptr_offset %out, %i\n  store %o, %r"
            );
            let source = kernel(from, to, &body);
            for isa in MACHINES {
                let (ir, asm) = code(isa, &source);
                if isa != Isa::Neon && !(isa == Isa::Avx2 && to.ends_with("64")) {
                    let own = ir.contains("extractelement") || ir.contains("fptosi") || ir.contains("fptoui");
                    assert!(!own && !asm.contains("cvttss2si"), "{from} {to} {isa:?}: {ir}");
                }
                calls_no_library(&asm);
            }
            let numbers: Vec<u8> = match from {
                "f32" => floats().iter().flat_map(|x| x.to_le_bytes()).collect(),
                _ => (0..=u16::MAX).step_by(127).flat_map(u16::to_le_bytes).collect(),
            };
            let n = numbers.len() / if from == "f32" { 4 } else { 2 };
            let out = bytes(&vec![0; 8 * n]);
            agrees_everywhere(&source, n as u32, &[bytes(&numbers), bytes(&numbers), out, bytes(&[0; 16])]);
        }
    }
}

/// How often an instruction is in the loop over vectors, for each vector of `f32` that is loaded.
fn per_vector(asm: &str, names: &[&str]) -> usize {
    let start = asm.find("metallic_kernel:").unwrap();
    let code = &asm[start..start + asm[start..].find(".Lfunc_end").unwrap()];
    let count = |name: &str| code.lines().filter(|l| l.trim_start().starts_with(name)).count();
    let conversions = count("vcvttps2");
    assert!(conversions > 0, "{code}");
    names.iter().map(|n| count(n)).sum::<usize>().div_ceil(conversions)
}

/// The instructions around the conversion are as few as the machine allows.
#[test]
fn saturation_takes_few_instructions() {
    let convert = |to: &str, x: &str| {
        kernel(
            "f32",
            to,
            &format!(
                "  %p = ptr_offset %a, %i\n  %v = load %p\n{x}  %r: {to} = convert %x\n  %o = ptr_offset %out, %i\n  store %o, %r"
            ),
        )
    };
    let any = "  %zero: f32 = const 0.0\n  %x = add %v, %zero\n";
    let clamped = |low: &str, high: &str| {
        format!("  %l: f32 = const {low}\n  %h: f32 = const {high}\n  %m = max %v, %l\n  %x = min %m, %h\n")
    };
    let compares = ["vcmp", "vblend", "vmin", "vmax", "vpmin", "vpmax", "vand", "vpand"];
    for (to, machine, instruction, most) in [
        ("u8", Isa::Avx512, "vpmovusdb", 1),
        ("u16", Isa::Avx512, "vpmovusdw", 1),
        ("i8", Isa::Avx512, "vpmovsdb", 2),
        ("i16", Isa::Avx512, "vpmovsdw", 2),
        ("u32", Isa::Avx512, "vcvttps2udq", 1),
        ("i32", Isa::Avx512, "vcvttps2dq", 2),
        ("u8", Isa::Avx2, "vpackuswb", 2),
        ("u16", Isa::Avx2, "vpackusdw", 2),
        ("i8", Isa::Avx2, "vpacksswb", 3),
        ("i16", Isa::Avx2, "vpackssdw", 3),
        ("i32", Isa::Avx2, "vcvttps2dq", 3),
    ] {
        let (_, asm) = code(machine, &convert(to, any));
        assert!(asm.contains(instruction), "{to} {machine:?}: {asm}");
        assert!(per_vector(&asm, &compares) <= most, "{to} {machine:?}: {asm}");
    }
    // What was clamped to the type's range is converted and nothing more.
    for (to, low, high) in
        [("u8", "0.0", "255.0"), ("i8", "-128.0", "127.0"), ("i32", "-1.0", "1e9"), ("u32", "0.0", "4e9")]
    {
        let source = convert(to, &clamped(low, high));
        for isa in [Isa::Avx512, Isa::Avx2] {
            let (_, asm) = code(isa, &source);
            if !(isa == Isa::Avx2 && to == "u32") {
                let beside = ["vcmpord", "vcmpnlt", "vcmpge", "vpmins", "vpmaxs"];
                assert_eq!(per_vector(&asm, &beside), 0, "{to} {isa:?}: {asm}");
            }
        }
        let numbers: Vec<u8> = floats().iter().flat_map(|x| x.to_le_bytes()).collect();
        let n = numbers.len() / 4;
        agrees_everywhere(
            &source,
            n as u32,
            &[bytes(&numbers), bytes(&numbers), bytes(&vec![0; 8 * n]), bytes(&[0; 16])],
        );
    }
}

/// Sums that saturate have instructions of their own for bytes and words, and few for others.
#[test]
fn saturating_sums_stay_in_vectors() {
    for ty in ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64"] {
        let bits: u32 = ty[1..].parse().unwrap();
        for op in ["add_sat", "sub_sat"] {
            let source = kernel(
                ty,
                ty,
                &format!(
                    "  %p = ptr_offset %a, %i\n  %x = load %p\n  %q = ptr_offset %b, %i\n  %y = load %q\n  %z = {op} %x, %y\n  %o = ptr_offset %out, %i\n  store %o, %z"
                ),
            );
            for isa in [Isa::Avx512, Isa::Avx2, Isa::Sse4] {
                let (_, asm) = code(isa, &source);
                assert!(!asm.contains("pextr") && !asm.contains("pinsr"), "{ty} {op} {isa:?}: {asm}");
                if bits <= 16 {
                    let stem = if op == "add_sat" { "padd" } else { "psub" };
                    let kind = if ty.starts_with('u') { "us" } else { "s" };
                    let name = format!("{stem}{kind}{}", if bits == 8 { "b" } else { "w" });
                    assert!(asm.contains(&name), "{ty} {op} {isa:?}: {asm}");
                }
            }
            let (a, b) = hard_numbers(bits);
            let n = a.len();
            let out = bytes(&vec![0; n * bits as usize / 8]);
            agrees_everywhere(&source, n as u32, &[packed(&a, bits), packed(&b, bits), out, bytes(&[0; 16])]);
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

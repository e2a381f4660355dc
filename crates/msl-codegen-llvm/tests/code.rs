//! What the emitted code looks like, where that is the point: widths, gathers, library calls.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

fn text(isa: Isa, source: &str, entry: &str, threadgroup: [u32; 3]) -> (String, String) {
    let module = parse(source);
    let c = CpuCompiler::new(TargetOptions { isa });
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new(threadgroup) };
    let ir = c.emit_llvm_ir(&module, entry, &options, true).unwrap();
    (ir, c.emit_asm(&module, entry, &options).unwrap())
}

/// The entry function alone: helpers for accesses out of bounds may gather.
fn entry(ir: &str) -> &str {
    let start = ir.find("define void @metallic_kernel").unwrap();
    let end = ir[start..].find("\n}").unwrap();
    &ir[start..start + end]
}

const KERNELS: [(&str, &str, [u32; 3]); 8] = [
    (include_str!("kernels/vector_add.ir"), "vector_add", [256, 1, 1]),
    (include_str!("kernels/matmul_naive.ir"), "matmul", [16, 16, 1]),
    (include_str!("kernels/mandelbrot.ir"), "mandelbrot", [32, 8, 1]),
    (include_str!("kernels/reduce256.ir"), "reduce256", [256, 1, 1]),
    (include_str!("kernels/matmul_tiled.ir"), "matmul_tiled", [16, 16, 1]),
    (include_str!("kernels/jacobi.ir"), "jacobi", [32, 8, 1]),
    (include_str!("kernels/nbody.ir"), "nbody", [256, 1, 1]),
    (include_str!("kernels/life.ir"), "life", [32, 8, 1]),
];

#[test]
fn rows_are_vectors_and_nothing_is_gathered() {
    for (source, name, size) in KERNELS {
        let (ir, asm) = text(Isa::Avx512, source, name, size);
        assert!(entry(&ir).contains("<16 x "), "{name}");
        if name == "life" {
            // Neighbors across the wrap are consecutive but for one row of threads: tested at run time.
            assert!(entry(&ir).matches("load <16 x i8>").count() >= 9, "{name}");
        } else {
            assert!(!entry(&ir).contains("masked.gather"), "{name}");
        }
        assert!(asm.contains("zmm"), "{name}");
        let (ir, asm) = text(Isa::Avx2, source, name, size);
        assert!(entry(&ir).contains("<8 x ") && asm.contains("ymm"), "{name}");
    }
}

#[test]
fn no_library_is_called() {
    for (source, name, size) in KERNELS {
        for isa in [Isa::Avx512, Isa::Avx2, Isa::Sse4, Isa::Neon] {
            let (_, asm) = text(isa, source, name, size);
            for line in asm.lines().filter(|l| l.contains("call") || l.trim_start().starts_with("bl\t")) {
                let target = line.split_whitespace().last().unwrap_or("");
                let own = [
                    "load_",
                    "store_",
                    "loads_",
                    "stores_",
                    "scalars_",
                    "check",
                    "record",
                    "resident",
                    "OUTLINED_FUNCTION",
                    "*",
                    "\"",
                    ".",
                ];
                assert!(own.iter().any(|o| target.starts_with(o)) || line.contains("cfi"), "{name} {isa:?}: {line}");
            }
        }
    }
}

#[test]
fn rows_of_a_matrix_product_share_registers() {
    let (source, name, size) = KERNELS[1];
    let (_, asm) = text(Isa::Avx512, source, name, size);
    // One multiply-add a row, its scalar broadcast from memory.
    assert!(asm.matches("{1to16}").count() >= 16, "{asm}");
}

/// Products of four matrices by four, whose sums are more vectors than there are registers: each comes from memory
/// and goes back once, not at every step.
#[test]
fn products_are_computed_one_after_the_other() {
    let mut body = String::new();
    let mut load = |name: &str, at: usize| {
        body += &format!(
            "  %n{name}: u32 = const {at}\n  %p{name} = ptr_offset %own, %n{name}\n  %{name} = load %p{name}\n"
        );
    };
    (0..4).for_each(|i| load(&format!("a{i}"), 32 * i));
    (0..4).for_each(|j| load(&format!("b{j}"), 32 * (4 + j)));
    (0..16).for_each(|s| load(&format!("c{s}"), 32 * (8 + s)));
    for s in 0..16 {
        body += &format!("  %z{s} = simd.matrix_multiply.fast %a{}, %b{}, %c{s}\n", s / 4, s % 4);
    }
    (0..16).for_each(|s| body += &format!("  store %pc{s}, %z{s}\n"));
    let source = format!(
        "fn f(%p: ptr<device, vec2<f32>>) -> void {{\n  %i = builtin thread_index_in_threadgroup\n  %own = ptr_offset %p, %i\n{body}}}\nkernel f = @f {{ p: buffer 0 device read_write f32 }}"
    );
    // With half as many registers, half as long, operands come from memory as well.
    for (isa, products, most) in [(Isa::Avx512, 512, 512), (Isa::Avx2, 1024, 1536)] {
        let (_, asm) = text(isa, &source, "f", [32, 1, 1]);
        let code = function(&asm);
        let first = code.find("vfmadd").expect("products");
        let within = &code[first..code.rfind("vfmadd").unwrap()];
        assert!(code.matches("vfmadd").count() >= products, "{isa:?}");
        let spilled = within.matches("(%rsp)").count();
        assert!(spilled < most, "{isa:?}: {spilled} for {products} products");
    }
}

/// The function of a kernel in assembly, without its helpers.
fn function(asm: &str) -> &str {
    let start = asm.find("metallic_kernel:").unwrap();
    let end = asm[start..].find(".Lfunc_end").unwrap();
    &asm[start..start + end]
}

#[test]
fn masks_have_the_form_of_the_machine() {
    let (source, name, size) = KERNELS[2];
    // Registers of their own: compared into, merged under, never spread over vectors.
    let (_, asm) = text(Isa::Avx512, source, name, size);
    let code = function(&asm);
    assert!(code.contains("%k1") && !code.contains("vpmovm2d"), "{code}");
    // Vectors like what they mask: blended with, never packed into smaller ones.
    let (_, asm) = text(Isa::Avx2, source, name, size);
    let code = function(&asm);
    assert!(code.contains("vblendvps") && !code.contains("vpack"), "{code}");
    let (_, asm) = text(Isa::Neon, source, name, size);
    let code = function(&asm);
    assert!(code.contains("fcmgt\tv") && (code.contains("bsl\tv") || code.contains("bit\tv")), "{code}");
}

#[test]
fn rows_of_a_guarded_kernel_are_stored_without_masks() {
    // The threadgroups inside of the border take the first version.
    let (source, name, size) = KERNELS[5];
    for isa in [Isa::Avx512, Isa::Avx2] {
        let (ir, _) = text(isa, source, name, size);
        let entry = entry(&ir);
        let lanes = if isa == Isa::Avx512 { 16 } else { 8 };
        assert!(entry.contains(&format!("store <{lanes} x float>")), "{isa:?} {entry}");
    }
}

#[test]
fn large_outputs_go_around_the_caches() {
    let (source, name, size) = KERNELS[5];
    let (_, asm) = text(Isa::Avx512, source, name, size);
    assert!(function(&asm).contains("vmovntps\t%zmm") && function(&asm).contains("sfence"), "{asm}");
    // What the kernel reads as well stays in them.
    let (_, asm) = text(Isa::Avx512, include_str!("kernels/saxpy.ir"), "saxpy", [256, 1, 1]);
    assert!(!asm.contains("vmovnt") && !asm.contains("sfence"));
}

#[test]
fn restricted_machines_are_named() {
    assert_eq!(Isa::restricted(""), Ok(Isa::Host));
    assert!(Isa::restricted("avx1024").is_err_and(|e| e.contains("avx1024")));
}

#[test]
fn compilation_is_deterministic() {
    let (source, name, size) = KERNELS[3];
    assert_eq!(text(Isa::Avx512, source, name, size).1, text(Isa::Avx512, source, name, size).1);
}

/// The lessons hold for NEON as they do for AVX-512 and AVX2.
#[test]
fn rows_are_vectors_on_arm_too() {
    for (source, name, size) in KERNELS {
        let (ir, asm) = text(Isa::Neon, source, name, size);
        let entry = entry(&ir);
        assert!(entry.contains("<4 x float>") || entry.contains("<4 x i32>"), "{name}");
        assert!(asm.contains(".4s"), "{name}");
        if name == "life" {
            // Four neighbors are one load where they are consecutive, which is tested at run time.
            assert!(entry.matches("load <4 x i8>").count() >= 9, "{name}: {entry}");
        } else {
            assert!(!entry.contains("masked.gather") && !entry.contains("masked.load"), "{name}");
        }
    }
}

/// What no lane reads any more is not blended, and what all live lanes have counted alike is a scalar.
#[test]
fn loops_that_lanes_leave_blend_only_what_is_read_after_them() {
    let (source, name, size) = KERNELS[2];
    for (isa, lanes) in [(Isa::Avx512, 16), (Isa::Avx2, 8), (Isa::Neon, 4)] {
        let (ir, _) = text(isa, source, name, size);
        let code = entry(&ir);
        let at = code.find("\nloop:").expect("a loop");
        let head = &code[at + 1..at + 1 + code[at + 1..].find("\n\n").unwrap()];
        // Iterations are counted once for all lanes: added to and compared as one number.
        assert!(head.contains("phi i32"), "{isa:?} {head}");
        let whole = &code[at..];
        for absent in [format!("add <{lanes} x i32>"), format!("icmp ult <{lanes} x i32>")] {
            assert!(!whole.contains(&absent), "{isa:?} {absent}: {whole}");
        }
        // Coordinates are computed on by lanes that have left; only their counts are kept, where they leave.
        let is_blend = |l: &&str| l.contains("= select <") && l.contains(&format!(", <{lanes} x float>"));
        assert_eq!(whole.lines().filter(is_blend).count(), 0, "{isa:?} {whole}");
        let counts = whole.lines().filter(|l| l.contains("= select <") && l.contains(&format!("<{lanes} x i32>")));
        // At the exit by the limit and that in the middle, for each vector of a simdgroup.
        assert!((1..=2 * 32 / lanes).contains(&counts.count()), "{isa:?} {whole}");
    }
}

/// Several gangs in lock step share rows and scalars, in as many vectors as the machine has registers for.
#[test]
fn rows_share_registers_on_every_machine() {
    let (source, name, size) = KERNELS[1];
    for (isa, product, lanes) in [(Isa::Avx512, "vfmadd", 16), (Isa::Avx2, "vfmadd", 8), (Isa::Neon, "fmla\tv", 4)] {
        let module = parse(source);
        let compiler = CpuCompiler::new(TargetOptions { isa });
        let e = compiler.explain(&module, name, &CompileOptions::new(size)).unwrap();
        assert!(e.gang >= 64, "{isa:?}: {:?}", e.summary);
        let (ir, asm) = text(isa, source, name, size);
        let code = function(&asm);
        // A vector of a row is loaded once for all rows of the gang that multiply it.
        let products = code.matches(product).count();
        let (vectors, rows) = (size[0] / lanes, e.gang / size[0]);
        assert!(products >= (vectors * rows) as usize, "{isa:?}: {products}: {code}");
        assert!(rows >= 4, "{isa:?}: {rows}");
        let loads = entry(&ir).matches(&format!("load <{lanes} x float>")).count();
        assert!(loads < products, "{isa:?}: {loads} loads for {products} products");
    }
}

#[test]
fn large_outputs_go_around_the_caches_of_all_x86() {
    let (source, name, size) = KERNELS[5];
    let (_, asm) = text(Isa::Avx2, source, name, size);
    assert!(function(&asm).contains("vmovntps\t%ymm") && function(&asm).contains("sfence"), "{asm}");
}

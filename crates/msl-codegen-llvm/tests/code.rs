//! What the emitted code looks like, where that is the point: widths, gathers, library calls.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Isa, TargetOptions};

fn text(isa: Isa, source: &str, entry: &str, threadgroup: [u32; 3]) -> (String, String) {
    let module = parse(source);
    let c = CpuCompiler::new(TargetOptions { isa });
    let options = CompileOptions { edge_groups: false, ..CompileOptions::new(threadgroup) };
    let ir = c.emit_llvm_ir(&module, entry, &options, true).unwrap();
    (ir, c.emit_asm(&module, entry, &options).unwrap())
}

/// The entry function alone: helpers for accesses out of bounds may gather.
fn entry(ir: &str) -> &str {
    let start = ir.find("define void @metallic_kernel").unwrap();
    let end = ir[start..].find("\n}").unwrap();
    &ir[start..start + end]
}

const KERNELS: [(&str, &str, [u32; 3]); 4] = [
    (include_str!("kernels/vector_add.ir"), "vector_add", [256, 1, 1]),
    (include_str!("kernels/matmul_naive.ir"), "matmul", [16, 16, 1]),
    (include_str!("kernels/mandelbrot.ir"), "mandelbrot", [32, 8, 1]),
    (include_str!("kernels/reduce256.ir"), "reduce256", [256, 1, 1]),
];

#[test]
fn rows_are_vectors_and_nothing_is_gathered() {
    for (source, name, size) in KERNELS {
        let (ir, asm) = text(Isa::Avx512, source, name, size);
        assert!(entry(&ir).contains("<16 x "), "{name}");
        assert!(!entry(&ir).contains("masked.gather"), "{name}");
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

#[test]
fn compilation_is_deterministic() {
    let (source, name, size) = KERNELS[3];
    assert_eq!(text(Isa::Avx512, source, name, size).1, text(Isa::Avx512, source, name, size).1);
}

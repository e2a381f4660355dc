//! What the code generator says about a kernel.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Explanation, Form, Isa, TargetOptions};

fn explain(isa: Isa, source: &str, entry: &str, threadgroup: [u32; 3]) -> Explanation {
    let compiler = CpuCompiler::new(TargetOptions { isa });
    compiler.explain(&parse(source), entry, &CompileOptions::new(threadgroup)).unwrap()
}

fn ids(e: &Explanation) -> Vec<&str> {
    e.remarks.iter().map(|r| r.id).collect()
}

#[test]
fn gangs_have_their_size_for_a_reason() {
    let matmul = include_str!("kernels/matmul_naive.ir");
    let table = [
        (matmul, "matmul", [16, 16, 1], 256, "gangs are as large as they get"),
        (matmul, "matmul", [16, 4, 1], 64, "the threadgroup has no more threads"),
        (include_str!("kernels/mandelbrot.ir"), "mandelbrot", [32, 8, 1], 32, "threads take different sides"),
        (include_str!("kernels/saxpy.ir"), "saxpy", [256, 1, 1], 32, "there is no loop or barrier"),
        (include_str!("kernels/nbody.ir"), "nbody", [256, 1, 1], 64, "26 fit the registers"),
    ];
    for (source, name, size, gang, why) in table {
        let e = explain(Isa::Avx512, source, name, size);
        assert_eq!((e.lanes, e.gang), (16, gang), "{name}");
        assert!(e.summary.iter().any(|s| s.contains(why)), "{name}: {:?}", e.summary);
    }
}

#[test]
fn decisions_are_reported_once_and_only_if_they_were_made() {
    let e = explain(Isa::Avx512, include_str!("kernels/matmul_naive.ir"), "matmul", [16, 16, 1]);
    let ids = ids(&e);
    // The loop is emitted twice, with checks and without.
    assert_eq!(ids.iter().filter(|id| **id == "jammed-loop").count(), 1, "{ids:?}");
    assert!(ids.contains(&"hoisted-checks") && !ids.contains(&"gather") && !ids.contains(&"masked-branch"), "{ids:?}");
    assert!(e.values.iter().any(|v| v.1 == Form::Varying) && e.values.iter().any(|v| v.1 == Form::Uniform));
    // With rows that are no multiple of the lanes, nothing is contiguous.
    let e = explain(Isa::Avx512, include_str!("kernels/matmul_naive.ir"), "matmul", [10, 10, 1]);
    assert!(e.summary.iter().any(|s| s.contains("make the width a multiple of 16")), "{:?}", e.summary);
    assert!(e.remarks.iter().any(|r| r.id == "gather" && r.help.is_some()), "{:?}", e.remarks);
}

#[test]
fn listening_changes_nothing() {
    let module = parse(include_str!("kernels/reduce256.ir"));
    let compiler = CpuCompiler::new(TargetOptions { isa: Isa::Avx2 });
    let options = CompileOptions::new([256, 1, 1]);
    let before = compiler.emit_llvm_ir(&module, "reduce256", &options, false).unwrap();
    compiler.explain(&module, "reduce256", &options).unwrap();
    assert_eq!(before, compiler.emit_llvm_ir(&module, "reduce256", &options, false).unwrap());
}

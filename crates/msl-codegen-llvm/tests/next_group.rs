//! What the next threadgroup accesses is fetched where gangs leap over each other's pieces, and nowhere else.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// A threadgroup walks twice through a row: it adds up, then scales.
const ROWS: &str = include_str!("kernels/rows.ir");

fn optimized(isa: Isa, source: &str, threadgroup: [u32; 3]) -> String {
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new(threadgroup) };
    CpuCompiler::new(TargetOptions { isa }).emit_llvm_ir(&parse(source), "rows", &options, true).unwrap()
}

/// Calls that ask for a line to read and to write.
fn fetches(text: &str) -> (usize, usize) {
    let count = |is_store: u32| text.matches(&format!("i32 {is_store}, i32 3, i32 1)")).count();
    (count(0), count(1))
}

#[test]
fn rows_of_the_next_threadgroup_are_fetched_once() {
    // Two lines for the 128 bytes of a gang; in the first loop for what is read, in the second for what is written. All
    // threadgroups read the same `gain`.
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Neon] {
        let text = optimized(isa, ROWS, [256, 1, 1]);
        assert_eq!(fetches(&text), (2, 2), "{text}");
    }
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([256, 1, 1]) };
    let compiler = CpuCompiler::new(TargetOptions { isa: Isa::Avx512 });
    let asm = compiler.emit_asm(&parse(ROWS), "rows", &options).unwrap();
    assert!(asm.contains("prefetcht0"), "{asm}");
}

#[test]
fn what_is_accessed_in_order_is_left_to_the_processor() {
    // One gang, whose iterations are side by side.
    let dense = ROWS.replace("const 256", "const 32").replace("f32, 256>", "f32, 32>");
    assert_eq!(fetches(&optimized(Isa::Avx512, &dense, [32, 1, 1])), (0, 0));
    // Gangs that leap over more than all of them access: columns of a matrix.
    let columns = ROWS.replace("const 256", "const 4096");
    assert_eq!(fetches(&optimized(Isa::Avx512, &columns, [256, 1, 1])), (0, 0));
    // Every threadgroup walks through the same row.
    let same = ROWS.replace("%14: u32 = mul %5, %13", "%14: u32 = mul %13, %13");
    assert_eq!(fetches(&optimized(Isa::Avx512, &same, [256, 1, 1])), (0, 0));
}

#[test]
fn results_are_those_of_the_interpreter() {
    // Rows longer and shorter than a threadgroup, ragged ones, and one too long to fetch ahead.
    for (n, rows) in [(1024u32, 5u32), (256, 3), (1000, 4), (7, 6), (40_000, 2), (0, 3)] {
        let values = |count: u32, k: u32| -> Vec<f32> { (0..count).map(|i| (i * k % 251) as f32 * 0.25).collect() };
        let args = [f32s(&values(n * rows, 7)), f32s(&values(n, 3)), f32s(&vec![0.0; (n * rows) as usize]), u32s(&[n])];
        let (grid, threadgroup) = ([256 * rows, 1, 1], [256, 1, 1]);
        let expected = interpret(ROWS, "rows", grid, threadgroup, &args);
        for noalias in [true, false] {
            let kernel = compile(ROWS, "rows", &CompileOptions { noalias, ..CompileOptions::new(threadgroup) });
            for streams in [true, false] {
                let got = launch_with(&kernel, grid, threadgroup, &args, streams);
                assert!(got.fault.is_none());
                assert_eq!(got.args[2].as_bytes(), expected[2].as_bytes(), "{n} {rows}");
            }
        }
    }
}

//! How many threads run in step where the registers are few, and what that leaves as it is.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

const MANDELBROT: &str = include_str!("kernels/mandelbrot.ir");

fn explain(isa: Isa, source: &str, entry: &str, threadgroup: [u32; 3]) -> msl_codegen_llvm::Explanation {
    CpuCompiler::new(TargetOptions { isa }).explain(&parse(source), entry, &CompileOptions::new(threadgroup)).unwrap()
}

/// The same loop, but that threads say where they are in their simdgroup.
fn counted() -> String {
    let lane = "  %lane = builtin thread_index_in_simdgroup\n  %sum = add %x, %lane\n  %fx: f32 = convert %sum";
    MANDELBROT.replace("  %fx: f32 = convert %x", lane)
}

/// The same loop behind a barrier.
fn behind_a_barrier() -> String {
    MANDELBROT.replace("  %fx: f32 = convert %x", "  barrier threadgroup [threadgroup]\n  %fx: f32 = convert %x")
}

#[test]
fn simdgroups_whose_vectors_do_not_fit_the_registers_run_in_pieces() {
    for (isa, source, gang) in [
        (Isa::Avx512, MANDELBROT.to_string(), 32),
        // Four vectors of each variable, and 16 registers.
        (Isa::Avx2, MANDELBROT.to_string(), 16),
        (Isa::Sse4, MANDELBROT.to_string(), 8),
        (Isa::Avx2, counted(), 32),
        (Isa::Avx2, behind_a_barrier(), 32),
    ] {
        assert_eq!(explain(isa, &source, "mandelbrot", [32, 8, 1]).gang, gang, "{isa:?} {source}");
    }
    let e = explain(Isa::Avx2, MANDELBROT, "mandelbrot", [32, 8, 1]);
    assert!(e.summary.iter().any(|line| line.contains("fit the registers")), "{:?}", e.summary);
}

#[test]
fn pieces_of_simdgroups_compute_what_simdgroups_do() {
    for ([w, h], threadgroup) in [
        ([70u32, 9], [32u32, 8, 1]),
        ([64, 8], [32, 8, 1]),
        ([45, 7], [16, 2, 1]),
        ([5, 3], [3, 3, 1]),
        ([33, 2], [8, 1, 1]),
    ] {
        let args = [u32s(&vec![0; (w * h) as usize]), u32s(&[w]), u32s(&[h]), u32s(&[100])];
        let expected = interpret(MANDELBROT, "mandelbrot", [w, h, 1], threadgroup, &args);
        for isa in [Isa::Host, Isa::Avx2, Isa::Sse4] {
            for (parts, groups) in [(None, Groups::All), (Some(2), Groups::All), (Some(1), Groups::All)] {
                let options = CompileOptions { parts, groups, ..CompileOptions::new(threadgroup) };
                let kernel = compile_for(isa, MANDELBROT, "mandelbrot", &options);
                let out = launch(&kernel, [w, h, 1], threadgroup, &args);
                assert_eq!(out.fault, None);
                assert_eq!(out.args[0].as_bytes(), expected[0].as_bytes(), "{isa:?} {parts:?} {w} {h} {threadgroup:?}");
            }
        }
    }
}

/// Threads below 17 add the value of a thread that is not among them, in threadgroup memory.
const PAIRS: &str = "global s: array<f32, 64> threadgroup
fn f(%out: ptr<device, f32>) -> void {
  %t = builtin thread_index_in_threadgroup
  %base = global_addr @s
  %own = index_addr %base, %t
  %v: f32 = convert %t
  store %own, %v
  barrier threadgroup [threadgroup]
  %most: u32 = const 17
  %in = lt %t, %most
  %next = add %t, %most
  if %in {
    %from = index_addr %base, %next
    %a = load %own
    %b = load %from
    %sum = add %a, %b
    store %own, %sum
  }
  barrier threadgroup [threadgroup]
  %to = ptr_offset %out, %t
  %r = load %own
  store %to, %r
}
kernel f = @f {
  out: buffer 0 device write f32
}
";

#[test]
fn some_lanes_of_threadgroup_memory_are_stored_with_the_others() {
    let asm = |isa| {
        let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([64, 1, 1]) };
        CpuCompiler::new(TargetOptions { isa }).emit_asm(&parse(PAIRS), "f", &options).unwrap()
    };
    assert!(!asm(Isa::Avx2).contains("vmaskmov"), "{}", asm(Isa::Avx2));
    // What threads see of memory that others write, too, is stored under masks.
    let device =
        PAIRS.replace("  %r = load %own\n  store %to, %r", "  if %in {\n    %r = load %own\n    store %to, %r\n  }");
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new([64, 1, 1]) };
    let compiler = CpuCompiler::new(TargetOptions { isa: Isa::Avx2 });
    assert!(compiler.emit_asm(&parse(&device), "f", &options).unwrap().contains("vmaskmov"));
    for source in [PAIRS, &device] {
        for grid in [64, 128, 100, 37] {
            let args = [f32s(&vec![-1.0; grid as usize])];
            let expected = interpret(source, "f", [grid, 1, 1], [64, 1, 1], &args);
            for isa in [Isa::Host, Isa::Avx2, Isa::Sse4] {
                let kernel = compile_for(isa, source, "f", &CompileOptions::new([64, 1, 1]));
                let out = launch(&kernel, [grid, 1, 1], [64, 1, 1], &args);
                assert_eq!(out.args[0].as_bytes(), expected[0].as_bytes(), "{isa:?} {grid}");
            }
        }
    }
}

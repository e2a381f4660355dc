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
        (include_str!("kernels/mandelbrot.ir"), "mandelbrot", [32, 8, 1], 32, "threads leave at different times"),
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

/// A threadgroup of several gangs with a barrier in the middle; `before` and `after` stand on its sides.
fn split(before: &str, after: &str) -> String {
    format!(
        "global s: array<f32, 1024> threadgroup
fn f(%a: ptr<device, f32>, %out: ptr<device, f32>, %pn: ptr<constant, u32>) -> void {{
  %t = builtin thread_index_in_threadgroup
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %k: u32 = const 3
  %n = load %pn
  %base = global_addr @s
  %own = index_addr %base, %t
{before}
  barrier threadgroup [threadgroup]
  %x1 = xor %t, %k
  %its = index_addr %base, %x1
  %y = load %its
{after}
}}
kernel f = @f {{
  a: buffer 0 device read f32
  out: buffer 1 device write f32
  n: buffer 2 constant reference read u32
}}
"
    )
}

#[test]
fn what_is_cheap_is_computed_again_after_a_barrier() {
    // Addresses and numbers that follow from the thread's, and what is the same for all threads.
    let before = "  %j0 = mul %i, %k\n  %j = add %j0, %n\n  %p = ptr_offset %a, %i\n  %x = load %p\n  store %own, %x";
    let again = "  %q = ptr_offset %out, %j\n  store %q, %y";
    // What was loaded and computed.
    let kept = "  %q = ptr_offset %out, %j\n  %z = add %y, %x\n  store %q, %z";
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Neon] {
        let scratch = |after: &str| {
            let source = split(before, after);
            let says = explain(isa, &source, "f", [1024, 1, 1]).summary;
            let kept = says.iter().find(|s| s.contains("from barrier to barrier")).expect("barriers are explained");
            kept.clone()
        };
        assert!(scratch(again).starts_with("nothing of the threads"), "{isa:?} {}", scratch(again));
        assert!(scratch(kept).contains("about 4 bytes of each thread"), "{isa:?} {}", scratch(kept));
    }
    // As much memory as it says, in code for full threadgroups and in that for those at the edges.
    let size = |after: &str| compile(&split(before, after), "f", &CompileOptions::new([1024, 1, 1])).scratch_size(&[]);
    assert_eq!(size(kept) - size(again), 2 * 4 * 1024);
}

#[test]
fn a_barrier_is_free_where_the_whole_threadgroup_runs_in_step() {
    let tiled = include_str!("kernels/matmul_tiled.ir");
    for isa in [Isa::Avx512, Isa::Avx2, Isa::Neon] {
        let e = explain(isa, tiled, "matmul_tiled", [16, 16, 1]);
        let barriers: Vec<_> = ids(&e).into_iter().filter(|id| ["split", "free-barrier"].contains(id)).collect();
        let whole = e.gang == 256;
        // Where there are registers for it.
        assert_eq!(whole, isa == Isa::Avx512, "{isa:?} {:?}", e.summary);
        assert!(barriers.iter().all(|id| *id == if whole { "free-barrier" } else { "split" }), "{isa:?} {barriers:?}");
    }
}

#[test]
fn loops_that_disappear_are_mentioned() {
    let e = explain(Isa::Avx512, include_str!("kernels/neighborhood.ir"), "neighborhood", [32, 8, 1]);
    assert!(ids(&e).contains(&"unrolled-loop"), "{:?}", ids(&e));
    let e = explain(Isa::Avx512, include_str!("kernels/matmul_naive.ir"), "matmul", [16, 16, 1]);
    assert!(!ids(&e).contains(&"unrolled-loop"), "{:?}", ids(&e));
}

#[test]
fn large_outputs_are_said_to_go_around_the_caches() {
    let jacobi = include_str!("kernels/jacobi.ir");
    for (isa, expected) in [(Isa::Avx512, true), (Isa::Avx2, true), (Isa::Neon, false)] {
        let e = explain(isa, jacobi, "jacobi", [32, 8, 1]);
        assert_eq!(ids(&e).contains(&"streamed-store"), expected, "{isa:?} {:?}", ids(&e));
    }
}

#[test]
fn long_divisions_are_where_the_machine_has_them() {
    let source = "fn f(%a: ptr<device, i64>, %out: ptr<device, i64>) -> void {
  %gid = builtin thread_position_in_grid
  %i = extract %gid, 0
  %p = ptr_offset %a, %i
  %x = load %p
  %q = ptr_offset %out, %i
  %y = load %q
  %z = div %x, %y
  store %q, %z
}
kernel f = @f { a: buffer 0 device read i64 out: buffer 1 device read_write i64 }
";
    for (isa, expected) in
        [(Isa::Avx512, "vector-division"), (Isa::Avx2, "vector-division"), (Isa::Neon, "scalarized-division")]
    {
        let e = explain(isa, source, "f", [64, 1, 1]);
        assert!(ids(&e).contains(&expected), "{isa:?} {:?}", ids(&e));
    }
}

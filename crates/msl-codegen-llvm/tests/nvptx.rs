//! PTX of whole kernels: instructions that should be there, and acceptance by `ptxas` where it is
//! installed (`METALLIC_PTXAS` names it, or it is on the path).

use std::process::Command;

use msl_codegen_llvm::{NvptxCompiler, NvptxKernel, NvptxOptions};
use msl_ir::text;

const VECTOR_ADD: &str = include_str!("kernels/vector_add.ir");
const LIFE: &str = include_str!("kernels/life.ir");
const MATMUL: &str = include_str!("kernels/matmul_naive.ir");
const MANDELBROT: &str = include_str!("kernels/mandelbrot.ir");
const STENCIL: &str = include_str!("kernels/stencil.ir");
const REDUCE: &str = include_str!("kernels/reduce256.ir");
const PRODUCT: &str = include_str!("kernels/matrix_product.ir");
const SCORES: &str = include_str!("kernels/matrix_scores.ir");
const CARRIED: &str = include_str!("kernels/matrix_carried.ir");
const RING: &str = include_str!("kernels/staged_ring.ir");
const SEEN: &str = include_str!("kernels/staged_seen.ir");
const IN_LOOP: &str = include_str!("kernels/simd_in_loop.ir");
const FLOAT_PRODUCT: &str = include_str!("kernels/matrix_product_float.ir");

fn compile(source: &str, entry: &str, options: &NvptxOptions) -> NvptxKernel {
    let module = text::parse(source).unwrap_or_else(|e| panic!("{e:?}"));
    NvptxCompiler.compile(&module, entry, options).unwrap_or_else(|e| panic!("{e}"))
}

/// Assembles; what `ptxas` says about resources, or `None` where there is no `ptxas`.
fn assemble(name: &str, kernel: &NvptxKernel, sm: u32) -> Option<String> {
    let program = std::env::var("METALLIC_PTXAS").unwrap_or_else(|_| "ptxas".into());
    let file = std::env::temp_dir().join(format!("metallic-{}-{name}-{sm}.ptx", std::process::id()));
    std::fs::write(&file, &kernel.ptx).unwrap();
    let arch = format!("--gpu-name=sm_{sm}");
    let out = Command::new(program).args(["-v", &arch, "-o", "/dev/null"]).arg(&file).output();
    let _ = std::fs::remove_file(&file);
    let Ok(out) = out else {
        eprintln!("no ptxas: {name} was not assembled");
        return None;
    };
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{name}: {text}\n{}", kernel.ptx);
    Some(text)
}

#[test]
fn kernels_assemble_for_several_architectures() {
    let kernels = [
        ("vector_add", VECTOR_ADD, "vector_add", [256, 1, 1]),
        ("matmul", MATMUL, "matmul", [16, 16, 1]),
        ("mandelbrot", MANDELBROT, "mandelbrot", [32, 8, 1]),
        ("reduce256", REDUCE, "reduce256", [256, 1, 1]),
    ];
    for (name, source, entry, threadgroup) in kernels {
        for (sm, edge_groups) in [(80, true), (90, false), (90, true), (100, true)] {
            let options = NvptxOptions { sm, edge_groups, ..NvptxOptions::new(threadgroup) };
            let kernel = compile(source, entry, &options);
            assert!(!kernel.ptx.contains(".local"), "{name} uses local memory:\n{}", kernel.ptx);
            if let Some(text) = assemble(name, &kernel, sm) {
                assert!(text.contains("0 bytes spill stores"), "{name}: {text}");
            }
        }
    }
}

#[test]
fn read_only_buffers_go_through_the_read_only_cache() {
    let kernel = compile(VECTOR_ADD, "vector_add", &NvptxOptions::new([256, 1, 1]));
    assert!(kernel.ptx.contains("ld.global.nc"), "{}", kernel.ptx);
    let options = NvptxOptions { noalias: false, ..NvptxOptions::new([256, 1, 1]) };
    let kernel = compile(VECTOR_ADD, "vector_add", &options);
    assert!(!kernel.ptx.contains("ld.global.nc"), "{}", kernel.ptx);
}

#[test]
fn fast_arithmetic_uses_approximate_instructions() {
    let kernel = compile(MATMUL, "matmul", &NvptxOptions::new([16, 16, 1]));
    assert!(kernel.ptx.contains("fma.rn"), "{}", kernel.ptx);
    let mut calls = kernel.ptx.lines().filter(|line| line.contains("call."));
    assert!(calls.all(|line| line.contains("fault")), "{}", kernel.ptx);
}

/// A block that all of them share would keep the threads of a warp apart after each branch that has a test on one side.
#[test]
fn each_test_has_its_own_end() {
    let kernel = compile(LIFE, "life", &NvptxOptions { edge_groups: false, ..NvptxOptions::new([32, 8, 1]) });
    // The size, eight loads, one that depends on their sum, the store. There are so few that each has a record of its own.
    assert_eq!(kernel.ptx.matches(".cas.b32").count(), 4, "{}", kernel.ptx);
    assert!(!kernel.ptx.contains("call"), "{}", kernel.ptx);
    assemble("life", &kernel, 90);
}

/// A version of the kernel has no tests at all: its loads can be on their way together.
#[test]
fn accesses_in_branches_are_tested_before_with_the_others() {
    let by_value = vec![0, 0, 8];
    let options = NvptxOptions { by_value, edge_groups: false, sm: 90, ..NvptxOptions::new([32, 8, 1]) };
    let kernel = compile(STENCIL, "stencil", &options);
    let untested: Vec<&str> = kernel
        .ptx
        .lines()
        .skip_while(|line| !line.contains("ld.global.nc"))
        .take_while(|line| !line.contains("st.global"))
        .collect();
    let count = |what: &str| untested.iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("ld.global.nc"), count("setp"), count("bra")), (5, 4, 4), "{}", kernel.ptx);
    // The other version finds out whether a thread comes to an access: a load, four under a condition, a store.
    assert_eq!(kernel.sites.len(), 6, "{}", kernel.ptx);
    assemble("stencil", &kernel, 90);
}

/// With tests that each have a branch of their own.
fn scattered(count: u32) -> String {
    let mut text =
        String::from("fn scattered(%out: ptr<device, f32>, %n: ptr<constant, u32>) -> void {\n  %k = load %n\n");
    for i in 0..count {
        let place = format!("  %c{i}: u32 = const {i}\n  %i{i} = mul %k, %c{i}\n  %p{i} = ptr_offset %out, %i{i}\n");
        text += &format!("{place}  %v{i} = load %p{i}\n  store %p{i}, %v{i}\n  barrier threadgroup [threadgroup]\n");
    }
    text + "}\nkernel scattered = @scattered {\n  out: buffer 0 device read_write f32\n  n: buffer 1 constant reference read u32\n}\n"
}

#[test]
fn many_tests_share_a_function_that_ends_the_thread() {
    let kernel = compile(&scattered(12), "scattered", &NvptxOptions::new([64, 1, 1]));
    assert_eq!(kernel.ptx.matches(".cas.b32").count(), 1, "{}", kernel.ptx);
    assert!(kernel.ptx.matches("call.uni fault").count() >= 12 && kernel.ptx.contains(".noreturn"), "{}", kernel.ptx);
    assemble("scattered", &kernel, 90);
}

/// The four remainders at the edges of the grid, whose indices are not larger than it; with its size by value, places
/// are computed before the first access, and the remainders with them.
#[test]
fn remainders_at_edges_are_subtractions_and_share_one_test() {
    for by_value in [vec![], vec![0, 0, 4]] {
        let options = NvptxOptions { by_value, edge_groups: false, sm: 90, ..NvptxOptions::new([32, 8, 1]) };
        let kernel = compile(LIFE, "life", &options);
        let lines: Vec<&str> = kernel.ptx.lines().collect();
        let divisions: Vec<usize> = (0..lines.len()).filter(|i| lines[*i].contains("rem.u32")).collect();
        assert_eq!(divisions.len(), 4, "{}", kernel.ptx);
        let between = &lines[divisions[0]..divisions[3]];
        assert!(!between.iter().any(|line| line.contains("bra")), "{}", kernel.ptx);
        assert_eq!(kernel.ptx.matches("min.u32").count(), 4, "{}", kernel.ptx);
    }
}

#[test]
fn barriers_and_shared_memory_are_instructions() {
    let kernel = compile(REDUCE, "reduce256", &NvptxOptions::new([256, 1, 1]));
    assert!(kernel.ptx.contains("bar") && kernel.ptx.contains(".shared"), "{}", kernel.ptx);
    assert_eq!(kernel.static_shared, 1024);
    assert!(kernel.ptx.contains(".reqntid 256"), "{}", kernel.ptx);
}

#[test]
fn arguments_by_value_are_parameters_of_the_entry() {
    let options = NvptxOptions { by_value: vec![0, 0, 0, 4], edge_groups: false, ..NvptxOptions::new([16, 16, 1]) };
    let kernel = compile(MATMUL, "matmul", &options);
    assert_eq!((kernel.inlined(2), kernel.inlined(3)), (None, Some(4)));
    assert!(kernel.ptx.contains(".b8 metallic_kernel_param_9[4]"), "{}", kernel.ptx);
    assert!(!kernel.ptx.contains(".local"), "{}", kernel.ptx);
    assemble("by_value", &kernel, 80);
}

#[test]
fn loops_that_stay_in_bounds_run_without_tests_and_unrolled() {
    let kernel = compile(MATMUL, "matmul", &NvptxOptions { edge_groups: false, ..NvptxOptions::new([16, 16, 1]) });
    // Eight rounds at a time, those left over, and the version with tests.
    let rounds = kernel.ptx.matches("fma.rn").count();
    assert!((9..=12).contains(&rounds), "{rounds}: {}", kernel.ptx);
}

#[test]
fn threadgroup_memory_that_stays_in_bounds_is_not_clamped() {
    let kernel = compile(REDUCE, "reduce256", &NvptxOptions { edge_groups: false, ..NvptxOptions::new([256, 1, 1]) });
    assert!(!kernel.ptx.contains("min.u64"), "{}", kernel.ptx);
}

/// Rows of 9 numbers; thread (x, y) of an 8 x 8 threadgroup takes the one at x + 1 in its row and in the next.
fn padded(rows: u32) -> String {
    format!(
        "global tile: array<f32, {}> threadgroup
fn padded(%out: ptr<device, f32>) -> void {{
  %p = builtin thread_position_in_threadgroup
  %x = extract %p, 0
  %y = extract %p, 1
  %one: u32 = const 1
  %nine: u32 = const 9
  %tile = global_addr @tile
  %row = mul %y, %nine
  %column = add %x, %one
  %i = add %row, %column
  %j = add %i, %nine
  %a = index_addr %tile, %i
  %b = index_addr %tile, %j
  %first = load %out
  store %a, %first
  barrier threadgroup [threadgroup]
  %u = load %a
  %v = load %b
  %w = add %u, %v
  store %out, %w
}}
kernel padded = @padded {{
  out: buffer 0 device read_write f32
}}
",
        rows * 9
    )
}

#[test]
fn places_that_no_thread_can_leave_are_not_clamped() {
    let options = NvptxOptions { edge_groups: false, ..NvptxOptions::new([8, 8, 1]) };
    let kernel = compile(&padded(9), "padded", &options);
    assert!(!kernel.ptx.contains("min."), "{}", kernel.ptx);
    // The second of the loads is at a constant distance.
    assert!(kernel.ptx.contains("+36]"), "{}", kernel.ptx);
    // Without the last row, the second load is beyond the end in the last row of threads.
    let kernel = compile(&padded(8), "padded", &options);
    assert!(kernel.ptx.contains("min."), "{}", kernel.ptx);
}

#[test]
fn products_of_halves_share_tensor_core_instructions() {
    let options = NvptxOptions { sm: 90, edge_groups: false, ..NvptxOptions::new([32, 1, 1]) };
    let kernel = compile(PRODUCT, "product", &options);
    // Two rows of matrices and two steps are one instruction.
    assert_eq!(kernel.ptx.matches("mma.sync.aligned.m16n8k16").count(), 1, "{}", kernel.ptx);
    assert_eq!(kernel.ptx.matches("movmatrix").count(), 2, "{}", kernel.ptx);
    assemble("product", &kernel, 90);
    // Where a simdgroup may be cut off by the edge of the grid, threads exchange elements.
    let kernel = compile(PRODUCT, "product", &NvptxOptions { edge_groups: true, ..options });
    assert!(!kernel.ptx.contains("mma.sync") && kernel.ptx.contains("shfl.sync"), "{}", kernel.ptx);
}

#[test]
fn right_operands_that_lie_transposed_in_memory_are_not_transposed_again() {
    let options = NvptxOptions { sm: 90, edge_groups: false, ..NvptxOptions::new([32, 1, 1]) };
    let kernel = compile(SCORES, "scores", &options);
    assert_eq!(kernel.ptx.matches("mma.sync.aligned.m16n8k16").count(), 2, "{}", kernel.ptx);
    assert!(!kernel.ptx.contains("movmatrix"), "{}", kernel.ptx);
    // All of both operands come from memory by two instructions for each of the products, four matrices at once.
    assert_eq!(kernel.ptx.matches("ldmatrix.sync.aligned.m8n8.x4.shared.b16").count(), 2, "{}", kernel.ptx);
    assemble("scores", &kernel, 90);
}

#[test]
fn right_operands_of_later_rounds_are_loaded_transposed() {
    let options = NvptxOptions { sm: 90, edge_groups: false, ..NvptxOptions::new([32, 1, 1]) };
    let kernel = compile(CARRIED, "carried", &options);
    assert!(kernel.ptx.contains("mma.sync") && kernel.ptx.contains("x1.trans.shared"), "{}", kernel.ptx);
    assert!(!kernel.ptx.contains("movmatrix"), "{}", kernel.ptx);
    assemble("carried", &kernel, 90);
}

#[test]
fn products_of_floats_load_what_they_need_from_threadgroup_memory() {
    let options = NvptxOptions { sm: 90, edge_groups: false, ..NvptxOptions::new([32, 1, 1]) };
    let kernel = compile(FLOAT_PRODUCT, "matrix_product_float", &options);
    assert!(!kernel.ptx.contains("shfl") && !kernel.ptx.contains("mma.sync"), "{}", kernel.ptx);
    // A row of the left matrix is two loads, a pair of columns of the right one is one per row.
    let loads = |width: &str| kernel.ptx.matches(&format!("ld.shared.{width}.b32")).count();
    let steps = kernel.ptx.matches("fma.rn").count() / 32;
    assert_eq!((loads("v4"), loads("v2")), (4 * steps, 8 * steps), "{}", kernel.ptx);
    assemble("float product", &kernel, 90);
}

#[test]
fn copies_to_threadgroup_memory_go_past_the_registers_and_are_waited_for_when_needed() {
    let options = NvptxOptions { sm: 90, edge_groups: false, ..NvptxOptions::new([64, 1, 1]) };
    let kernel = compile(RING, "f", &options);
    assert_eq!(kernel.ptx.matches("cp.async.cg.shared.global").count(), 6, "{}", kernel.ptx);
    assert!(!kernel.ptx.contains("st.shared"), "{}", kernel.ptx);
    // Of three buffers, one is worked on and the newest copy may still be under way.
    let waits: Vec<&str> = kernel.ptx.lines().filter_map(|l| l.trim().strip_prefix("cp.async.wait_group")).collect();
    assert!(waits.len() >= 4 && waits[1..].iter().all(|w| w.trim() == "1;"), "{}", kernel.ptx);
    assemble("ring", &kernel, 90);
    // Behind a barrier of a simdgroup others do not see what was waited for there.
    let barrier = "barrier threadgroup [threadgroup]";
    let kernel =
        compile(&RING.replace(barrier, &format!("{barrier}\n  barrier simdgroup [threadgroup]")), "f", &options);
    let waits = kernel.ptx.matches("cp.async.wait_group").count();
    assert!(waits > 0 && kernel.ptx.matches("cp.async.wait_group \t0;").count() == waits, "{}", kernel.ptx);
    // What the thread itself reads before a barrier is stored as ever.
    let kernel = compile(SEEN, "f", &options);
    assert!(!kernel.ptx.contains("cp.async") && kernel.ptx.contains("st.shared.v4"), "{}", kernel.ptx);
}

#[test]
fn what_a_kernel_declares_beyond_the_hardwares_limit_is_allocated_with_the_launch() {
    let options = NvptxOptions { sm: 90, edge_groups: false, ..NvptxOptions::new([64, 1, 1]) };
    let kernel = compile(&SEEN.replace("64>", "4096>"), "f", &options);
    assert_eq!((kernel.static_shared, kernel.declared_dynamic_shared()), (1 << 16, 1 << 16));
    assert!(kernel.needs_much_shared(1 << 16) && kernel.ptx.contains(".extern .shared"), "{}", kernel.ptx);
    assemble("much", &kernel, 90);
}

#[test]
fn kernels_with_few_threads_may_have_more_registers() {
    let options = NvptxOptions { few_threads: true, ..NvptxOptions::new([256, 1, 1]) };
    assert!(compile(VECTOR_ADD, "vector_add", &options).ptx.contains(".minnctapersm 1"));
}

#[test]
fn threads_of_a_simdgroup_follow_from_the_program() {
    let options = NvptxOptions { edge_groups: false, ..NvptxOptions::new([32, 1, 1]) };
    // Each round asks who goes on; all of them are there behind the loop.
    let kernel = compile(IN_LOOP, "f", &options);
    let count = |text: &str| kernel.ptx.matches(text).count();
    assert_eq!((count("vote.sync.ballot"), count("activemask"), count("bar.warp.sync")), (1, 0, 0), "{}", kernel.ptx);
    assemble("in_loop", &kernel, 90);
    // Those that did not return meet before they are asked who they are.
    let returns = "    %90: bool = lt %10, %13\n    if %90 {\n      return\n    } else {\n    }\n    %17";
    let kernel = compile(&IN_LOOP.replacen("    %17", returns, 1), "f", &options);
    let after = kernel.ptx.split("bar.warp.sync").nth(1).expect("they meet");
    assert_eq!(kernel.ptx.matches("activemask").count(), 1, "{}", kernel.ptx);
    assert!(after.contains("activemask"), "{}", kernel.ptx);
    // Where nothing asks, nothing is known.
    let kernel = compile(&IN_LOOP.replace("simd.reduce_add %11", "add %11, %11"), "f", &options);
    assert!(!kernel.ptx.contains("vote.") && !kernel.ptx.contains("activemask"), "{}", kernel.ptx);
}

//! Loads that overlap: neighbors are shifted out of vectors that are loaded anyway, with the interpreter's results.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// A thread adds up the `count` numbers from its place on, in two halves: the first is stored to `out` before the
/// second is loaded from `from`.
fn neighbors(count: u32, from: &str, ty: &str) -> String {
    let mut text = format!(
        "fn f(%in: ptr<device, {ty}>, %out: ptr<device, {ty}>) -> void {{
  %gid = builtin thread_position_in_grid
  %x = extract %gid, 0
  %y = extract %gid, 1
  %size = builtin threads_per_grid
  %w = extract %size, 0
  %row = mul %y, %w
  %i = add %row, %x
  %to = ptr_offset %out, %i
"
    );
    // What is also read is not stored past the caches, which would be another branch.
    text += &format!("  %old: {ty} = load %to\n");
    let mut sum = "%old".to_string();
    for k in 0..count {
        let source = if k < count / 2 { "%in" } else { from };
        text += &format!("  %k{k}: u32 = const {k}\n  %i{k} = add %i, %k{k}\n  %q{k} = ptr_offset {source}, %i{k}\n");
        text += &format!("  %v{k}: {ty} = load %q{k}\n");
        text += &format!("  %s{k} = add {sum}, %v{k}\n");
        sum = format!("%s{k}");
        if k + 1 == count / 2 {
            text += &format!("  store %to, {sum}\n");
        }
    }
    text + &format!(
        "  store %to, {sum}\n}}\nkernel f = @f {{\n  in: buffer 0 device read {ty}\n  out: buffer 1 device read_write {ty}\n}}\n"
    )
}

fn optimized(isa: Isa, source: &str, noalias: bool) -> String {
    let c = CpuCompiler::new(TargetOptions { isa });
    let options = CompileOptions { groups: Groups::Full, noalias, ..CompileOptions::new([64, 1, 1]) };
    c.emit_llvm_ir(&parse(source), "f", &options, true).unwrap()
}

/// Loads of vectors, two of them of `out`, and shuffles of two vectors, of the block that has most loads.
fn loads(text: &str, vector: &str) -> (usize, usize) {
    let blocks = text
        .split("\n\n")
        .map(|b| (b.matches(&format!("load <{vector}>")).count(), b.matches("shufflevector").count()));
    blocks.max().unwrap_or_default()
}

#[test]
fn neighbors_are_loaded_once() {
    // Two vectors of a simdgroup and their neighbors: 32 numbers and up to seven more lie in three vectors.
    let text = optimized(Isa::Avx512, &neighbors(8, "%in", "u32"), true);
    assert_eq!(loads(&text, "16 x i32"), (2 + 3, 14), "{text}");
    // Where vectors are half as long, half of them are on one line of the cache: they are loaded.
    let text = optimized(Isa::Avx2, &neighbors(8, "%in", "u32"), true);
    assert_eq!(loads(&text, "8 x i32").0, 4 + 32, "{text}");
}

#[test]
fn memory_that_may_change_is_loaded_again() {
    // What is stored may be what is loaded next.
    for (from, noalias) in [("%in", false), ("%out", true)] {
        let text = optimized(Isa::Avx512, &neighbors(4, from, "u32"), noalias);
        assert_eq!(loads(&text, "16 x i32").0, 2 + 8, "{from} {noalias}: {text}");
    }
}

#[test]
fn a_few_loads_stay() {
    // Three vectors for four: a shuffle is no cheaper.
    let text = optimized(Isa::Avx512, &neighbors(2, "%in", "u32"), true);
    assert_eq!(loads(&text, "16 x i32"), (2 + 4, 0), "{text}");
}

#[test]
fn sums_of_neighbors_are_those_of_the_interpreter() {
    for count in [2, 3, 5, 8, 13, 17, 33] {
        for ty in ["u32", "i64"] {
            for (grid, threadgroup) in
                [([64u32, 1, 1], [64u32, 1, 1]), ([200, 3, 1], [32, 1, 1]), ([97, 2, 1], [96, 2, 1])]
            {
                let source = neighbors(count, "%in", ty);
                let n = grid[0] * grid[1];
                let words = if ty == "u32" { 1 } else { 2 };
                let input: Vec<u32> = (0..(n + count) * words).map(|i| i.wrapping_mul(2_654_435_761) >> 7).collect();
                check(&source, "f", grid, threadgroup, &[u32s(&input), u32s(&vec![7; (n * words) as usize])]);
            }
        }
    }
}

//! Loops: what they become for threadgroups whose threads agree on all iterations, and the same results as the
//! interpreter's where they do not.

mod common;
use common::*;
use msl_codegen_llvm::{CompileOptions, CpuCompiler, Groups, Isa, TargetOptions};

/// Optimized, for full threadgroups.
fn optimized(isa: Isa, source: &str, entry: &str, threadgroup: [u32; 3]) -> String {
    let c = CpuCompiler::new(TargetOptions { isa });
    let options = CompileOptions { groups: Groups::Full, ..CompileOptions::new(threadgroup) };
    c.emit_llvm_ir(&parse(source), entry, &options, true).unwrap()
}

const NEIGHBORHOOD: &str = include_str!("kernels/neighborhood.ir");

#[test]
fn loops_over_neighbors_leave_only_loads() {
    for (isa, lanes) in [(Isa::Avx512, 16), (Isa::Avx2, 8)] {
        let text = optimized(isa, NEIGHBORHOOD, "neighborhood", [32, 8, 1]);
        // 25 neighbors in each vector of a simdgroup, along rows of many threadgroups; no clamps, checks or masks.
        assert!(text.contains("\nendrow"), "{text}");
        assert_eq!(text.matches(&format!("load <{lanes} x i32>")).count(), 25 * 32 / lanes, "{text}");
        assert_eq!(text.matches(&format!("mul <{lanes} x i32>")).count(), 25 * 32 / lanes, "{text}");
        for absent in ["gather", "x i1>", "\nslow", "x i32> @llvm.smax"] {
            assert!(!text.contains(absent), "{absent}: {text}");
        }
    }
}

#[test]
fn loops_whose_places_are_not_known_stay() {
    // What a thread reads says where its neighbors are.
    let place = "%x: u32 = extract %4, 0\n  %q = ptr_offset %0, %x\n  %13: u32 = load %q";
    let source = NEIGHBORHOOD.replace("%13: u32 = extract %4, 0", place);
    let text = optimized(Isa::Avx512, &source, "neighborhood", [32, 8, 1]);
    assert!(text.matches("mul <16 x i32>").count() < 25, "{text}");
}

#[test]
fn neighborhoods_are_those_of_the_interpreter() {
    for (grid, threadgroup) in [
        ([70u32, 9, 1], [32u32, 8, 1]),
        ([96, 3, 1], [32, 2, 1]),
        ([45, 7, 1], [16, 2, 1]),
        ([3, 2, 1], [32, 1, 1]),
        ([129, 1, 1], [64, 1, 1]),
    ] {
        let count = grid[0] * grid[1];
        let kernels: Vec<_> = [true, false]
            .iter()
            .map(|n| {
                compile(
                    NEIGHBORHOOD,
                    "neighborhood",
                    &CompileOptions { noalias: *n, ..CompileOptions::new(threadgroup) },
                )
            })
            .collect();
        let input: Vec<u32> = (0..count).map(|i| i.wrapping_mul(2_654_435_761) >> 7).collect();
        let weights: Vec<u32> = (0..25).map(|i| 3 * i + 1).collect();
        for (w, h, weights) in [
            (grid[0], grid[1], &weights[..]),
            (grid[0], 1, &weights),
            // Beyond the end, and indices that wrap.
            (grid[0], grid[1] + 1, &weights),
            (grid[0] + 2, grid[1], &weights),
            (0, 0, &weights),
            (1 << 31, 1, &weights),
            (grid[0], grid[1], &weights[..24]),
        ] {
            let args = [u32s(&input), u32s(&vec![7; count as usize]), u32s(weights), u32s(&[w, h])];
            let expected = interpret_with(NEIGHBORHOOD, "neighborhood", grid, threadgroup, &args, 0);
            for kernel in &kernels {
                let out = launch(kernel, grid, threadgroup, &args);
                match &expected {
                    Ok(expected) => {
                        assert_eq!(out.fault, None, "{grid:?} {threadgroup:?} {w} {h}");
                        assert_eq!(out.args[1].as_u32(), expected[1].as_u32(), "{grid:?} {threadgroup:?} {w} {h}");
                    }
                    Err(fault) => assert!(out.fault.is_some(), "{grid:?} {threadgroup:?} {w} {h}: {fault}"),
                }
            }
        }
    }
}

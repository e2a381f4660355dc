//! Whole kernels: memory, loops, divergence, barriers.

mod common;
use common::*;

pub const VECTOR_ADD: &str = include_str!("kernels/vector_add.ir");
pub const MATMUL: &str = include_str!("kernels/matmul_naive.ir");
pub const MANDELBROT: &str = include_str!("kernels/mandelbrot.ir");
pub const REDUCE: &str = include_str!("kernels/reduce256.ir");

fn ramp(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + 11) % 101) as f32 * 0.25 - 7.0).collect()
}

#[test]
fn vector_add_at_every_length_around_a_vector() {
    for n in [1u32, 2, 15, 16, 17, 31, 32, 33, 63, 64, 255, 256, 257, 1000] {
        let a = f32s(&ramp(n as usize));
        let out = f32s(&vec![0.0; n as usize]);
        check(VECTOR_ADD, "vector_add", [n, 1, 1], [64, 1, 1], &[a.clone(), a.clone(), out]);
    }
}

#[test]
fn matmul_in_lock_step_and_at_ragged_edges() {
    for (n, tg) in [(32u32, [16, 16, 1]), (37, [16, 16, 1]), (20, [7, 5, 1]), (24, [8, 8, 1]), (33, [32, 4, 1])] {
        let a = f32s(&ramp((n * n) as usize));
        let out = f32s(&vec![0.0; (n * n) as usize]);
        check_within(MATMUL, "matmul", [n, n, 1], tg, &[a.clone(), a.clone(), out, u32s(&[n])], Some(1e-4));
    }
}

#[test]
fn mandelbrot_leaves_its_loop_lane_by_lane() {
    for (w, h, tg) in [(64u32, 16u32, [32, 8, 1]), (50, 13, [16, 4, 1]), (9, 9, [3, 3, 1])] {
        let out = u32s(&vec![0; (w * h) as usize]);
        check(MANDELBROT, "mandelbrot", [w, h, 1], tg, &[out, u32s(&[w]), u32s(&[h]), u32s(&[200])]);
    }
}

#[test]
fn tree_reduction_waits_at_its_barriers() {
    let n = 1024;
    let a = f32s(&(0..n).map(|i| (i % 17) as f32).collect::<Vec<_>>());
    let out = check(REDUCE, "reduce256", [n as u32, 1, 1], [256, 1, 1], &[a, f32s(&[0.0; 4])]);
    let total: f32 = out[1].as_f32().iter().sum();
    assert_eq!(total, (0..n).map(|i| (i % 17) as f32).sum::<f32>());
}

//! What bit operations and comparisons make of numbers that count up with the lanes from a multiple of a power of two.
//!
//! In: the shape of a number and a constant. Out: the shape of the result, where it is one that [`Shape`] can say. Where
//! lane 0 holds a multiple of 2^k and what the other lanes add stays below 2^k, no carry crosses that bit: quotients by
//! 2^k are the same in all lanes, remainders count up from 0, and all lanes are on the same side of every multiple of
//! 2^k. So `t / 32`, `t % 32`, `t & ~3`, `t ^ 31` and `t < 128` are what they are to their author: uniform, linear or
//! reversed. What has no such form is left to patterns (`cpu/pattern.rs`).

use msl_ir::CompareOp;

use super::shape::{ALL, L, P, Shape, zeros};
use super::value::Gang;

/// Whose numbers they are, and how many bits these have besides a sign.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    pub gang: Gang,
    pub bits: u8,
}

/// A number of a form that no carry crosses.
struct Steps {
    /// From lane to lane.
    stride: i64,
    /// From part to part, where it is known.
    part_stride: Option<i64>,
    /// What the lanes of a part add takes so many bits, all of them zero in lane 0.
    lane_bits: u8,
    /// Likewise of all lanes of the gang and lane 0 of the first part.
    gang_bits: Option<u8>,
}

/// An operation on the bits of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BitOp {
    And,
    Or,
    Xor,
}

/// The bits that numbers from 0 to `most` take.
fn width(most: i64) -> u8 {
    (i64::BITS - most.leading_zeros()) as u8
}

fn ones(n: u8) -> i64 {
    (1 << n.min(62)) - 1
}

impl Shape {
    fn steps(self, of: Threads) -> Option<Steps> {
        let gang = of.gang;
        let l = self.as_linear().filter(|l| l.stride >= 0)?;
        let across_lanes = l.stride * i64::from(gang.lanes - 1);
        let lane_bits = width(across_lanes);
        if lane_bits > of.bits {
            return None;
        }
        let gang_bits = match l.part_stride {
            Some(q) if q >= 0 => Some(width(across_lanes + q * i64::from(gang.parts - 1))),
            _ => None,
        };
        // Where all parts together cross no bit, neither does any.
        let gang_bits = gang_bits.filter(|k| *k <= self.align.min(of.bits));
        // Where parts overlap, bits are known of all of them together only.
        let lane_bits = if self.part_align() < lane_bits { gang_bits? } else { lane_bits };
        Some(Steps { stride: l.stride, part_stride: l.part_stride, lane_bits, gang_bits })
    }

    /// With a constant, sign extended.
    pub fn bit_op(self, op: BitOp, constant: i64, of: Threads) -> Option<Shape> {
        let s = self.steps(of)?;
        // What becomes of bits from `low` up to `high` that step by `stride` while all others stay.
        let step = |stride: i64, low: u8, high: u8| {
            let all = ones(high) & !ones(low);
            match (op, constant & all) {
                _ if stride == 0 => Some(0),
                (BitOp::And, 0) => Some(0),
                (BitOp::Or, bits) if bits == all => Some(0),
                (BitOp::And, bits) if bits == all => Some(stride),
                (BitOp::Or | BitOp::Xor, 0) => Some(stride),
                (BitOp::Xor, bits) if bits == all => Some(-stride),
                _ => None,
            }
        };
        let stride = step(s.stride, 0, s.lane_bits)?;
        let part_stride = s.part_stride.and_then(|q| match s.gang_bits {
            // The bits of the parts lie above those of the lanes.
            Some(high) if zeros(q) >= s.lane_bits => step(q, s.lane_bits, high),
            Some(high) => step(q, 0, high),
            // The parts may step over any bit from their own lowest one on.
            None => match op {
                BitOp::And if constant & !ones(zeros(q)) == 0 => Some(0),
                BitOp::And if constant | ones(zeros(q)) == -1 => Some(q),
                BitOp::Or | BitOp::Xor if constant & !ones(zeros(q)) == 0 => Some(q),
                _ => None,
            },
        });
        let own = if part_stride.is_some() { self.align } else { self.part_align() };
        let align = match op {
            // Nothing is left of what lane 0 of the first part holds.
            BitOp::And if part_stride.is_some() && s.gang_bits.is_some_and(|k| constant & !ones(k) == 0) => zeros(0),
            BitOp::And => own.max(zeros(constant)),
            BitOp::Or | BitOp::Xor => own.min(zeros(constant)),
        };
        Some(Shape::linear(self.bits & ALL, stride, part_stride, true).aligned(align))
    }

    /// By a constant.
    pub fn shifted_right(self, by: u8, of: Threads) -> Option<Shape> {
        let s = self.steps(of)?;
        let step = |stride: i64, bits: u8| match stride {
            _ if bits <= by => Some(0),
            _ if zeros(stride) >= by => Some(stride >> by),
            _ => None,
        };
        let stride = step(s.stride, s.lane_bits)?;
        let part_stride = s.part_stride.and_then(|q| match s.gang_bits {
            _ if q == 0 => Some(0),
            Some(bits) => step(q, bits),
            None => None,
        });
        let own = if part_stride.is_some() { self.align } else { self.part_align() };
        Some(Shape::linear(self.bits & ALL, stride, part_stride, true).aligned(own.saturating_sub(by)))
    }

    /// Of a number on the left with one that is the same in all lanes, `constant` if that is known.
    pub fn compared(self, op: CompareOp, other: Shape, constant: Option<i64>, of: Threads) -> Option<Shape> {
        if !self.lanes() || other.lanes() {
            return None;
        }
        let s = self.steps(of)?;
        // The other one is a multiple, or just below one.
        let same_side = |k: u8, align: u8| match op {
            CompareOp::Lt | CompareOp::Ge => align >= k,
            CompareOp::Le | CompareOp::Gt => constant.is_some_and(|c| c & ones(k) == ones(k)),
            CompareOp::Eq | CompareOp::Ne => false,
        };
        let bits = (self.bits | other.bits) & ALL;
        if !other.parts() && s.gang_bits.is_some_and(|k| same_side(k, other.align)) {
            return Some(Shape::of(bits & !(L | P)));
        }
        (self.part_align() >= s.lane_bits && same_side(s.lane_bits, other.part_align())).then(|| Shape::of(bits & !L))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emit::shape::G;

    const GANG: Gang = Gang { lanes: 8, parts: 4 };
    const ALL_BITS: Threads = Threads { gang: GANG, bits: 32 };

    /// The numbers of all lanes, part by part.
    fn numbers(base: i64, stride: i64, part_stride: i64) -> Vec<i64> {
        let (lanes, parts) = (i64::from(GANG.lanes), i64::from(GANG.parts));
        (0..parts).flat_map(|p| (0..lanes).map(move |l| base + p * part_stride + l * stride)).collect()
    }

    /// A shape says nothing of the numbers that is not so.
    fn holds(shape: Shape, numbers: &[i64]) {
        let parts: Vec<&[i64]> = numbers.chunks(GANG.lanes as usize).collect();
        let part_of = |p: usize| parts[p][0];
        if let Some(l) = shape.as_linear() {
            for (p, part) in parts.iter().enumerate() {
                for (i, x) in part.iter().enumerate() {
                    assert_eq!(*x, part_of(p) + l.stride * i as i64, "{shape:?} {numbers:?}");
                }
                if let Some(q) = l.part_stride {
                    assert_eq!(part_of(p), part_of(0) + q * p as i64, "{shape:?} {numbers:?}");
                }
                assert_eq!(part_of(p) & ones(shape.part_align()), 0, "{shape:?} {numbers:?}");
            }
            assert_eq!(part_of(0) & ones(shape.align), 0, "{shape:?} {numbers:?}");
        }
    }

    /// Every form with bases of every alignment that it allows.
    fn forms(mut f: impl FnMut(Shape, &[i64])) {
        for stride in [0, 1, 2, 3, 4] {
            for part_stride in [0, 1, 8, 16, 24, 32, -8] {
                for align in 0..8 {
                    let mut shape = Shape::linear(G, stride, Some(part_stride), true).aligned(align);
                    if shape.linear.is_none() {
                        shape = Shape::of(G).aligned(align);
                    }
                    let mut per_part = Shape::linear(G, stride, None, true).aligned(shape.part_align());
                    if per_part.linear.is_none() {
                        per_part = Shape::of(G | P).aligned(shape.part_align());
                    }
                    for k in [0, 1, 2, 5, 13] {
                        let list = numbers((k << align) + 4096, stride, part_stride);
                        f(shape, &list);
                        f(per_part, &list);
                    }
                }
            }
        }
    }

    #[test]
    fn results_have_the_shape_that_is_said() {
        let constants = [0, 1, 3, 7, 8, 15, 16, 24, 31, 32, 63, 96, 127, -1, -2, -4, -8, -16, -32, -64];
        let mut known = 0;
        forms(|shape, list| {
            for c in constants {
                for (op, f) in [
                    (BitOp::And, (|a, b| a & b) as fn(i64, i64) -> i64),
                    (BitOp::Or, |a, b| a | b),
                    (BitOp::Xor, |a, b| a ^ b),
                ] {
                    if let Some(out) = shape.bit_op(op, c, ALL_BITS) {
                        holds(out, &list.iter().map(|x| f(*x, c)).collect::<Vec<_>>());
                        known += 1;
                    }
                }
                for (op, f) in [
                    (CompareOp::Lt, (|a, b| a < b) as fn(i64, i64) -> bool),
                    (CompareOp::Le, |a, b| a <= b),
                    (CompareOp::Gt, |a, b| a > b),
                    (CompareOp::Ge, |a, b| a >= b),
                ] {
                    let c = c + 4096;
                    let other = Shape::UNIFORM.aligned(zeros(c));
                    if let Some(out) = shape.compared(op, other, Some(c), ALL_BITS) {
                        let results: Vec<bool> = list.iter().map(|x| f(*x, c)).collect();
                        assert!(!out.lanes());
                        for part in results.chunks(GANG.lanes as usize) {
                            let all = if out.parts() { part } else { &results };
                            assert!(all.iter().all(|x| *x == part[0]), "{shape:?} {op:?} {c} {list:?}");
                        }
                        known += 1;
                    }
                }
            }
            for by in 0..8 {
                if let Some(out) = shape.shifted_right(by, ALL_BITS) {
                    holds(out, &list.iter().map(|x| x >> by).collect::<Vec<_>>());
                    known += 1;
                }
            }
        });
        assert!(known > 10_000, "{known}");
    }

    #[test]
    fn threads_of_a_simdgroup_are_told_apart() {
        let t = Shape::linear(G | L, 1, Some(8), true).aligned(5);
        let uniform = |s: Option<Shape>| s.is_some_and(|s| s.is_gang_uniform());
        assert!(uniform(t.shifted_right(5, ALL_BITS)) && uniform(t.bit_op(BitOp::And, !31, ALL_BITS)));
        let lane = t.bit_op(BitOp::And, 31, ALL_BITS).unwrap();
        assert_eq!((lane.linear, lane.align), (t.linear, MOST));
        assert_eq!(
            t.bit_op(BitOp::Xor, 31, ALL_BITS).unwrap().linear.map(|l| (l.stride, l.part_stride)),
            Some((-1, Some(-8)))
        );
        // A vector has eight lanes.
        let row = t.bit_op(BitOp::And, 7, ALL_BITS).unwrap();
        assert_eq!(row.linear.map(|l| (l.stride, l.part_stride)), Some((1, Some(0))));
        assert!(!t.shifted_right(3, ALL_BITS).unwrap().lanes());
        assert!(t.shifted_right(2, ALL_BITS).is_none() && t.bit_op(BitOp::And, 3, ALL_BITS).is_none());
        let limit = |c: i64| t.compared(CompareOp::Lt, Shape::UNIFORM.aligned(zeros(c)), Some(c), ALL_BITS);
        assert!(uniform(limit(64)) && limit(8).is_some_and(|s| !s.lanes() && s.parts()) && limit(4).is_none());
        let below = |c: i64| t.compared(CompareOp::Le, Shape::UNIFORM.aligned(zeros(c)), Some(c), ALL_BITS);
        assert!(uniform(below(31)) && below(32).is_none());
    }

    #[test]
    fn numbers_that_do_not_fit_their_type_have_no_form() {
        let bytes = Threads { gang: GANG, bits: 8 };
        let t = Shape::linear(G | L, 4, Some(32), true).aligned(7);
        assert!(t.shifted_right(2, bytes).is_some() && t.shifted_right(2, Threads { bits: 7, ..bytes }).is_some());
        let t = t.scale(4);
        assert!(t.shifted_right(4, bytes).is_none_or(|s| s.linear.is_some_and(|l| l.part_stride.is_none())));
        let t = t.scale(8);
        assert!(t.shifted_right(4, bytes).is_none() && t.bit_op(BitOp::And, 255, bytes).is_none());
    }

    const MOST: u8 = crate::emit::shape::MOST_ALIGN;
}

//! How many bits the numbers take that a value may be.
//!
//! In: a value of integers. Out: a width such that all of them are at least 0 and below 2 to the width, if one follows from
//! how the value is made: what comes from narrower types, from masks and shifts, and the numbers of threads, of which no
//! threadgroup has many. Not here: what variables hold, and what conditions say.

use crate::ir::{BinaryOp, Builtin, Function, Op, ValueId};
use crate::types::{Scalar, TypeTable};

/// Steps that are followed back.
const MOST_STEPS: u32 = 8;

/// See the module.
pub fn width(types: &TypeTable, f: &Function, v: ValueId) -> Option<u32> {
    width_within(types, f, v, MOST_STEPS)
}

fn width_within(types: &TypeTable, f: &Function, v: ValueId, steps: u32) -> Option<u32> {
    let s = types.scalar_of(f.insts[v].ty)?;
    if s == Scalar::Bool {
        return Some(1);
    }
    if s.is_float() {
        return None;
    }
    // Without a sign every number is one of the type's.
    let any = (!s.is_signed()).then_some(s.bits());
    let Some(steps) = steps.checked_sub(1) else { return any };
    let of = |v: ValueId| width_within(types, f, v, steps);
    let both = |a: ValueId, b: ValueId, g: fn(u32, u32) -> u32| Some(g(of(a)?, of(b)?));
    let constant = |v: ValueId| match f.insts[v].op {
        Op::Const(bits) => Some(bits),
        _ => None,
    };
    let known = match &f.insts[v].op {
        Op::Const(bits) => {
            let unused = 64 - s.bits();
            Some(64 - (bits << unused >> unused).leading_zeros())
        }
        Op::Convert(a) => of(*a),
        Op::Splat(a) => of(*a),
        Op::Compose(list) => list.iter().map(|a| of(*a)).collect::<Option<Vec<u32>>>()?.into_iter().max(),
        Op::Select { a, b, .. } => both(*a, *b, u32::max),
        Op::Binary(op, a, b) => match op {
            BinaryOp::And => match (of(*a), of(*b)) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            BinaryOp::Or | BinaryOp::Xor | BinaryOp::Max => both(*a, *b, u32::max),
            BinaryOp::Add => both(*a, *b, |a, b| a.max(b) + 1),
            BinaryOp::Mul => both(*a, *b, |a, b| a + b),
            BinaryOp::Shl => constant(*b).filter(|k| *k < 64).and_then(|k| Some(of(*a)? + k as u32)),
            BinaryOp::Shr => match constant(*b).filter(|k| *k < u64::from(s.bits())) {
                Some(k) => of(*a).map(|n| n.saturating_sub(k as u32)),
                None => of(*a),
            },
            BinaryOp::Min => both(*a, *b, u32::min),
            // Neither is larger than the dividend, if none is negative.
            BinaryOp::Div => both(*a, *b, |a, _| a),
            BinaryOp::Rem => both(*a, *b, u32::min),
            _ => None,
        },
        Op::Extract { vector, .. } | Op::Shuffle { vector, .. } => of(*vector),
        Op::Builtin(b) => match b {
            Builtin::ThreadIndexInSimdgroup | Builtin::SimdgroupIndexInThreadgroup => Some(5),
            Builtin::ThreadPositionInThreadgroup
            | Builtin::ThreadIndexInThreadgroup
            | Builtin::ThreadsPerThreadgroup
            | Builtin::DispatchThreadsPerThreadgroup => Some(16),
            _ => None,
        },
        _ => None,
    };
    // What does not fit wraps.
    let room = s.bits() - u32::from(s.is_signed());
    known.filter(|n| *n <= room).or(any)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module};
    use super::*;

    #[test]
    fn widths_follow_from_how_values_are_made() {
        let m = module(
            "fn k(%p: ptr<device, u32>, %h: ptr<device, u16>, %s: ptr<device, i32>) -> void {
               %a = load %p
               %b = load %h
               %c = load %s
               %b32: i32 = convert %b
               %b16: i16 = convert %b
               %three: i32 = const 3
               %minus: i32 = const -1
               %wide = mul %b32, %b32
               %sum = add %b32, %three
               %masked = and %c, %three
               %high = shr %sum, %three
               %l = builtin thread_index_in_simdgroup
               %l32: i32 = convert %l
               %twice = add %l32, %l32
               %neg = sub %l32, %three
               %rest = rem %c, %three
               store %p, %a
             }
             kernel k = @k { p: buffer 0 device read_write u32 h: buffer 1 device read u16 s: buffer 2 device read i32 }",
        );
        let f = &m.functions[entry(&m)];
        let named: Vec<Option<u32>> = f.body.insts.iter().map(|v| width(&m.types, f, *v)).collect();
        let expected = [
            Some(32),
            Some(16),
            None,
            Some(16),
            None,
            Some(2),
            None,
            None,
            Some(17),
            Some(2),
            Some(14),
            Some(5),
            Some(5),
            Some(6),
            None,
            None,
        ];
        // After the three parameters.
        assert_eq!(named[3..19], expected);
    }
}

//! Vectors that are a number plus a pattern of their lanes.
//!
//! In: integer operations, as they are emitted. Out: for vectors that are not linear, a scalar and a vector whose
//! sum they are. What follows from the thread's position by sums, multiples and bit operations with uniform
//! numbers has such a form: where the lowest bits of what lane 0 holds are zero, `(base + lane) & m` is
//! `(base & m) + (lane & m)`. The pattern `lane & m` is the same for all gangs, so that what is to be known of it is
//! found out once, and where it is a constant while compiling; [`super::memory`] makes vector accesses and shuffles of it.

use msl_base::Id;
use msl_ir::{BinaryOp, FpFlags, Op, Scalar, ValueId};

use super::kernel::Emit;
use crate::emit::arith;
use crate::emit::value::{Comp, Val};
use crate::llvm::V;

/// `base + pattern` in each lane, modulo the width of the type, if `holds`.
#[derive(Clone, Copy)]
pub struct Pattern {
    /// A scalar.
    pub base: V,
    /// A vector.
    pub lanes: V,
    /// An `i1`.
    pub holds: V,
    /// No lane of the pattern has higher bits than these, and none is negative.
    bits: Option<u32>,
}

impl Emit<'_> {
    /// Such a form of one part of a component, if it is known.
    pub fn pattern_of(&self, c: &Comp, part: u32) -> Option<Pattern> {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let holds = ll.cbool(true);
        if let Some(l) = c.shape.linear {
            let base = c.base(ll, part);
            let most = u64::try_from(l.stride).ok()? * u64::from(lanes - 1);
            let bits = Some(u64::BITS - most.leading_zeros());
            return Some(Pattern { base, lanes: ll.iota(ll.type_of(base), lanes, l.stride as u64), holds, bits });
        }
        let v = c.v[if c.shape.parts() { part as usize } else { 0 }];
        if !c.shape.lanes() {
            let zero = ll.zero(ll.vec(ll.type_of(v), lanes));
            return Some(Pattern { base: v, lanes: zero, holds, bits: Some(0) });
        }
        self.patterns.borrow().get(&v).copied()
    }

    /// Notes the forms of what was just emitted.
    pub fn note_patterns(&self, id: ValueId, value: &Val) {
        let Val::Comps(comps) = value else { return };
        let s = self.scalar_of(id);
        if !s.is_integer() {
            return;
        }
        let (op, a, b) = match self.f.insts[id].op {
            Op::Binary(op, a, b) => (Some(op), a, Some(b)),
            Op::Convert(a) if self.scalar_of(a).is_integer() => (None, a, None),
            _ => return,
        };
        for (i, c) in comps.iter().enumerate() {
            if !c.shape.lanes() || c.shape.linear.is_some() {
                continue;
            }
            for (part, v) in c.v.iter().enumerate() {
                let of = |x: ValueId| self.pattern_of(&self.comp(x, i), part as u32);
                let Some(x) = of(a) else { break };
                let pattern = match (op, b) {
                    (Some(op), Some(b)) => of(b).and_then(|y| self.combined(op, s, x, y)),
                    _ => self.converted(self.scalar_of(a), s, x),
                };
                let Some(pattern) = pattern else { break };
                self.patterns.borrow_mut().insert(*v, pattern);
            }
        }
    }

    fn combined(&self, op: BinaryOp, s: Scalar, x: Pattern, y: Pattern) -> Option<Pattern> {
        let ll = self.ll;
        let do_op = |op, a: V, b: V| arith::binary(ll, op, s, FpFlags::STRICT, a, b);
        let holds = ll.and(x.holds, y.holds);
        let is_uniform = |p: &Pattern| p.bits == Some(0);
        let (x, y) = match op {
            BinaryOp::Add | BinaryOp::Mul | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor if is_uniform(&x) => (y, x),
            _ => (x, y),
        };
        let constant = ll.as_const_int(y.base).filter(|_| is_uniform(&y));
        // Divisions by powers of two are bit operations.
        let (op, y) = match (op, constant.filter(|k| k.is_power_of_two() && !s.is_signed())) {
            (BinaryOp::Div, Some(k)) => {
                (BinaryOp::Shr, Pattern { base: ll.cint(ll.type_of(y.base), u64::from(k.trailing_zeros())), ..y })
            }
            (BinaryOp::Rem, Some(k)) => (BinaryOp::And, Pattern { base: ll.cint(ll.type_of(y.base), k - 1), ..y }),
            _ => (op, y),
        };
        let splat = |v: V| ll.splat(v, self.gang.lanes);
        match op {
            BinaryOp::Add | BinaryOp::Sub => {
                let bits = match (x.bits, y.bits) {
                    (a, Some(0)) => a,
                    (Some(a), Some(b)) if op == BinaryOp::Add => Some(a.max(b) + 1).filter(|b| *b < s.bits()),
                    _ => None,
                };
                let lanes = if is_uniform(&y) { x.lanes } else { do_op(op, x.lanes, y.lanes) };
                Some(Pattern { base: do_op(op, x.base, y.base), lanes, holds, bits })
            }
            BinaryOp::Mul | BinaryOp::Shl if is_uniform(&y) => {
                let more = match op {
                    BinaryOp::Shl => constant.and_then(|k| u32::try_from(k).ok()),
                    _ => constant.map(|k| u64::BITS - k.leading_zeros()),
                };
                let bits = x.bits.zip(more).map(|(a, b)| a.saturating_add(b)).filter(|b| *b < s.bits());
                let lanes = do_op(op, x.lanes, splat(y.base));
                Some(Pattern { base: do_op(op, x.base, y.base), lanes, holds, bits })
            }
            // No carry crosses the lowest bits, which are the pattern's alone.
            BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Shr if is_uniform(&y) => {
                let bits = x.bits.filter(|b| *b < s.bits() - 1)?;
                let t = ll.type_of(x.base);
                let low = ll.cint(t, (1u64 << bits) - 1);
                let holds = ll.and(holds, ll.eq(ll.and(x.base, low), ll.zero(t)));
                if op == BinaryOp::Shr {
                    if s.is_signed() {
                        return None;
                    }
                    let lanes = do_op(op, x.lanes, splat(y.base));
                    return Some(Pattern { base: do_op(op, x.base, y.base), lanes, holds, bits: Some(bits) });
                }
                let lanes = do_op(op, x.lanes, splat(ll.and(y.base, low)));
                let base = do_op(op, x.base, ll.and(y.base, ll.not(low)));
                Some(Pattern { base, lanes, holds, bits: Some(bits) })
            }
            _ => None,
        }
    }

    fn converted(&self, from: Scalar, to: Scalar, x: Pattern) -> Option<Pattern> {
        let ll = self.ll;
        let (n, m) = (from.bits(), to.bits());
        let t = ll.int(m);
        let vt = ll.vec(t, self.gang.lanes);
        if m <= n {
            let narrow = |v: V, t| if m == n { v } else { ll.trunc(v, t) };
            let bits = x.bits.filter(|b| *b < m);
            return Some(Pattern { base: narrow(x.base, t), lanes: narrow(x.lanes, vt), holds: x.holds, bits });
        }
        // Small numbers that are not negative: nothing wraps, whatever their sign would mean.
        let bits = x.bits.filter(|b| *b < n - 1)?;
        let small = ll.ult(x.base, ll.cint(ll.type_of(x.base), 1 << (n - 2)));
        let small = if bits < n - 2 { small } else { return None };
        let holds = ll.and(x.holds, small);
        Some(Pattern { base: ll.zext(x.base, t), lanes: ll.zext(x.lanes, vt), holds, bits: Some(bits) })
    }

    /// The lanes of a pattern that is a constant, as numbers with a sign.
    pub fn constant_lanes_of(&self, pattern: V, bits: u32) -> Option<Vec<i64>> {
        // SAFETY: a live vector value of the module under construction.
        unsafe {
            if llvm_sys::core::LLVMIsConstant(pattern) == 0 {
                return None;
            }
            (0..self.gang.lanes)
                .map(|i| {
                    let e = llvm_sys::core::LLVMGetAggregateElement(pattern, i);
                    if e.is_null() {
                        return None;
                    }
                    let shift = 64 - bits;
                    self.ll.as_const_int(e).map(|x| ((x as i64) << shift) >> shift)
                })
                .collect()
        }
    }
}

impl Emit<'_> {
    /// Whether this is one of the operations whose forms are noted.
    pub fn may_have_pattern(&self, id: ValueId) -> bool {
        matches!(self.f.insts[id].op, Op::Binary(..) | Op::Convert(_)) && id.index() < self.flow.shapes.len() && {
            let s = self.flow.shapes[id.index()];
            s.root.is_none() && s.c.iter().any(|c| c.lanes() && c.linear.is_none())
        }
    }
}

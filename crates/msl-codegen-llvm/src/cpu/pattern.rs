//! Vectors that are a number plus a pattern of their lanes.
//!
//! In: integer operations, as they are emitted. Out: for vectors that are not linear, a scalar and a vector whose
//! sum they are. What follows from the thread's position by sums, multiples and bit operations with uniform
//! numbers has such a form: where the lowest bits of what lane 0 holds are zero, `(base + lane) & m` is
//! `(base & m) + (lane & m)`. The pattern `lane & m` is the same for all gangs, so that what is to be known of it is
//! found out once, and where it is a constant while compiling; [`super::memory`] makes vector accesses and shuffles of it.

use std::rc::Rc;

use msl_base::Id;
use msl_ir::{BinaryOp, FpFlags, Op, Scalar, ValueId};

use super::kernel::Emit;
use crate::emit::arith;
use crate::emit::value::{Comp, Val};
use crate::llvm::V;

/// Lanes of a pattern as numbers known while compiling, plus a scalar times such numbers: of matrices and images,
/// columns, and rows times a width.
#[derive(Clone)]
pub struct Rows {
    pub number: Vec<i64>,
    pub times: Option<(V, Vec<i64>)>,
}

/// `base + pattern` in each lane, modulo the width of the type, if `holds`.
#[derive(Clone)]
pub struct Pattern {
    /// A scalar.
    pub base: V,
    /// A vector.
    pub lanes: V,
    /// An `i1`.
    pub holds: V,
    /// No lane of the pattern has higher bits than these, and none is negative.
    bits: Option<u32>,
    pub rows: Option<Rc<Rows>>,
}

impl Rows {
    fn numbers(number: Vec<i64>) -> Option<Rc<Rows>> {
        Some(Rc::new(Rows { number, times: None }))
    }

    /// The sum or difference, if it has not two scalars.
    fn plus(&self, other: &Rows, sign: i64) -> Option<Rows> {
        let sum = |a: &[i64], b: &[i64]| -> Option<Vec<i64>> {
            a.iter().zip(b).map(|(x, y)| x.checked_add(y.checked_mul(sign)?)).collect()
        };
        let none = vec![0; self.number.len()];
        let times = match (&self.times, &other.times) {
            (None, None) => None,
            (Some(a), None) => Some(a.clone()),
            (None, Some((v, b))) => Some((*v, sum(&none, b)?)),
            (Some((v, a)), Some((w, b))) if v == w => Some((*v, sum(a, b)?)),
            _ => return None,
        };
        Some(Rows { number: sum(&self.number, &other.number)?, times })
    }

    fn scaled(&self, by: i64) -> Option<Rows> {
        let all = |a: &[i64]| a.iter().map(|x| x.checked_mul(by)).collect::<Option<Vec<i64>>>();
        let times = match &self.times {
            Some((v, a)) => Some((*v, all(a)?)),
            None => None,
        };
        Some(Rows { number: all(&self.number)?, times })
    }

    /// What is not negative and known altogether.
    fn natural(&self, f: impl Fn(i64) -> i64) -> Option<Rows> {
        let known = self.times.is_none() && self.number.iter().all(|n| *n >= 0);
        known.then(|| Rows { number: self.number.iter().map(|n| f(*n)).collect(), times: None })
    }
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
            let rows = Rows::numbers((0..i64::from(lanes)).map(|i| i * l.stride).collect());
            return Some(Pattern { base, lanes: ll.iota(ll.type_of(base), lanes, l.stride as u64), holds, bits, rows });
        }
        let v = c.v[if c.shape.parts() { part as usize } else { 0 }];
        if !c.shape.lanes() {
            let zero = ll.zero(ll.vec(ll.type_of(v), lanes));
            let rows = Rows::numbers(vec![0; lanes as usize]);
            return Some(Pattern { base: v, lanes: zero, holds, bits: Some(0), rows });
        }
        if let Some(known) = self.patterns.borrow().get(&v) {
            return Some(known.clone());
        }
        // A constant is a pattern on its own.
        let e = ll.elem(ll.type_of(v));
        let width = [8, 16, 32, 64].into_iter().find(|n| ll.int(*n) == e)?;
        let number = self.constant_lanes_of(v, width)?;
        let bits = number.iter().copied().max().filter(|_| number.iter().all(|n| *n >= 0));
        let bits = bits.map(|most| u64::BITS - (most as u64).leading_zeros());
        Some(Pattern { base: ll.zero(e), lanes: v, holds, bits, rows: Rows::numbers(number) })
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
                // What is an operand again keeps the form that is there wherever the operand is.
                self.patterns.borrow_mut().entry(*v).or_insert(pattern);
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
        let rows = self.combined_rows(op, s, &x, &y, constant).map(Rc::new);
        match op {
            BinaryOp::Add | BinaryOp::Sub => {
                let bits = match (x.bits, y.bits) {
                    (a, Some(0)) => a,
                    (Some(a), Some(b)) if op == BinaryOp::Add => Some(a.max(b) + 1).filter(|b| *b < s.bits()),
                    _ => None,
                };
                let lanes = if is_uniform(&y) { x.lanes } else { do_op(op, x.lanes, y.lanes) };
                Some(Pattern { base: do_op(op, x.base, y.base), lanes, holds, bits, rows })
            }
            BinaryOp::Mul | BinaryOp::Shl if is_uniform(&y) => {
                let more = match op {
                    BinaryOp::Shl => constant.and_then(|k| u32::try_from(k).ok()),
                    _ => constant.map(|k| u64::BITS - k.leading_zeros()),
                };
                let bits = x.bits.zip(more).map(|(a, b)| a.saturating_add(b)).filter(|b| *b < s.bits());
                let lanes = do_op(op, x.lanes, splat(y.base));
                Some(Pattern { base: do_op(op, x.base, y.base), lanes, holds, bits, rows })
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
                    return Some(Pattern { base: do_op(op, x.base, y.base), lanes, holds, bits: Some(bits), rows });
                }
                let lanes = do_op(op, x.lanes, splat(ll.and(y.base, low)));
                let base = do_op(op, x.base, ll.and(y.base, ll.not(low)));
                Some(Pattern { base, lanes, holds, bits: Some(bits), rows })
            }
            _ => None,
        }
    }

    fn combined_rows(&self, op: BinaryOp, s: Scalar, x: &Pattern, y: &Pattern, constant: Option<u64>) -> Option<Rows> {
        let (a, b) = (x.rows.as_ref()?, y.rows.as_ref()?);
        let shift = 64 - s.bits();
        let signed = constant.map(|k| ((k as i64) << shift) >> shift);
        let low = |k: u64| x.bits.map(|b| k as i64 & ((1 << b.min(62)) - 1));
        match (op, signed, constant) {
            (BinaryOp::Add, ..) => a.plus(b, 1),
            (BinaryOp::Sub, ..) => a.plus(b, -1),
            (BinaryOp::Mul, Some(k), _) => a.scaled(k),
            (BinaryOp::Mul, None, _) if y.bits == Some(0) => {
                let none = vec![0; a.number.len()];
                a.times.is_none().then(|| Rows { number: none, times: Some((y.base, a.number.clone())) })
            }
            (BinaryOp::Shl, _, Some(k)) if k < 32 => a.scaled(1 << k),
            (BinaryOp::Shr, _, Some(k)) if k < 63 => a.natural(|n| n >> k),
            (BinaryOp::And, _, Some(k)) => low(k).and_then(|m| a.natural(|n| n & m)),
            (BinaryOp::Or, _, Some(k)) => low(k).and_then(|m| a.natural(|n| n | m)),
            (BinaryOp::Xor, _, Some(k)) => low(k).and_then(|m| a.natural(|n| n ^ m)),
            _ => None,
        }
    }

    /// Notes what is known of positions in threadgroups whose rows are shorter than vectors and divide them: lanes
    /// in order, row by row.
    pub fn note_positions(&self, x: &Comp, y: &Comp) {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let [sx, _, sz] = self.layout.size;
        if self.layout.edge || sz != 1 || sx >= lanes || !lanes.is_multiple_of(sx) {
            return;
        }
        let list = |f: &dyn Fn(u32) -> u32| (0..lanes).map(|i| i64::from(f(i))).collect::<Vec<i64>>();
        for part in 0..self.gang.parts {
            let first = self.linear_index.base(ll, part);
            let row = ll.bin(llvm_sys::LLVMOpcode::LLVMUDiv, first, ll.c32(sx));
            for (c, base, number) in [(x, ll.c32(0), list(&|i| i % sx)), (y, row, list(&|i| i / sx))] {
                let Some(v) = c.v.get(part as usize) else { continue };
                let most = number.iter().copied().max().unwrap_or(0);
                let bits = Some(u64::BITS - (most as u64).leading_zeros());
                let vector = ll.cvec(&number.iter().map(|n| ll.c32(*n as u32)).collect::<Vec<_>>());
                let rows = Rows::numbers(number);
                let pattern = Pattern { base, lanes: vector, holds: ll.cbool(true), bits, rows };
                self.patterns.borrow_mut().insert(*v, pattern);
            }
        }
    }

    /// Notes the form of sums of something and a number that is the same for all threads.
    pub fn note_moved(&self, from: &Comp, by: V, to: &Comp) {
        if !to.shape.lanes() || to.shape.linear.is_some() {
            return;
        }
        for (part, v) in to.v.iter().enumerate() {
            if let Some(p) = self.pattern_of(from, part as u32) {
                let base = self.ll.add(p.base, by);
                self.patterns.borrow_mut().entry(*v).or_insert(Pattern { base, ..p });
            }
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
            let rows = x.rows.filter(|r| m == n || r.times.is_none());
            return Some(Pattern { base: narrow(x.base, t), lanes: narrow(x.lanes, vt), holds: x.holds, bits, rows });
        }
        // Small numbers that are not negative: nothing wraps, whatever their sign would mean.
        let bits = x.bits.filter(|b| *b < n - 1)?;
        let small = ll.ult(x.base, ll.cint(ll.type_of(x.base), 1 << (n - 2)));
        let small = if bits < n - 2 { small } else { return None };
        let holds = ll.and(x.holds, small);
        let rows = x.rows.filter(|r| r.times.is_none());
        Some(Pattern { base: ll.zext(x.base, t), lanes: ll.zext(x.lanes, vt), holds, bits: Some(bits), rows })
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

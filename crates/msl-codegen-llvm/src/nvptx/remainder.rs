//! Remainders that mostly take one subtraction.
//!
//! In: `(x + n - 1) % n`, `(x + 1) % n` and the like: sums of few things that are not larger than the divisor, where indices
//! begin again at an edge. Out: the number itself or what is left after the divisor was taken away once, with a test
//! whether that is the remainder, and the division where it is not. Without, a division of numbers that are not known while
//! compiling takes eight instructions, and ten for each divisor. Remainders that follow each other share one test.

use std::collections::HashSet;

use llvm_sys::LLVMIntPredicate as IP;
use msl_base::Id;
use msl_ir::{BinaryOp, Op, Scalar, ValueId};

use super::kernel::{Emit, Val};
use crate::CodegenError;
use crate::emit::divide;
use crate::llvm::V;

/// Summands at most.
const MOST_TERMS: usize = 4;
/// Constants in the sum are steps, not the additions of random number generators.
const LARGEST_STEP: u32 = 256;
/// Remainders that one branch tests at most.
const MOST: usize = 16;

/// Whether a number of 32 bits is small, or its negative is.
fn is_step(n: u64) -> bool {
    (n as u32 as i32).unsigned_abs() <= LARGEST_STEP
}

impl Emit<'_> {
    /// Computes the first instruction of the list, if it is such a remainder, and those after it that can be computed with it.
    /// The same where the list begins with an access: places of others may be computed there, and so these.
    pub fn remainders_ahead(&mut self, list: &[ValueId]) -> Result<(), CodegenError> {
        if !self.wraps_around(list[0]) && self.access(list[0]).is_none() {
            return Ok(());
        }
        let here: HashSet<ValueId> = list.iter().copied().collect();
        let mut writes_locals = false;
        let mut found = Vec::new();
        for id in list {
            let op = &self.f.insts[*id].op;
            if let Op::Store { .. } = op {
                writes_locals = true;
            }
            if !super::ahead::is_quiet(op) || found.len() == MOST {
                break;
            }
            let Op::Binary(BinaryOp::Rem, a, b) = *op else { continue };
            // One of them may be an operand of another, which then waits for its own turn.
            if self.wraps_around(*id)
                && self.vals[id.index()].is_none()
                && !self.is_made_of(a, &found)
                && self.compute_ahead(a, &here, writes_locals)?
                && self.compute_ahead(b, &here, writes_locals)?
            {
                found.push(*id);
            }
        }
        if !found.is_empty() {
            self.emit_remainders(&found);
        }
        Ok(())
    }

    pub fn emit_remainders(&mut self, list: &[ValueId]) {
        let ll = self.ll;
        let mut all = ll.cbool(true);
        // By instruction, by component: dividend, divisor, and what is likely the remainder.
        let mut parts: Vec<(ValueId, Scalar, Vec<[V; 3]>)> = Vec::new();
        for id in list {
            let Op::Binary(_, a, b) = self.f.insts[*id].op else { continue };
            let s = self.scalar_of(a);
            let mut comps = Vec::new();
            for (a, b) in self.comps(a).into_iter().zip(self.comps(b)) {
                let (likely, ok) = self.likely_remainder(s, a, b);
                all = ll.and(all, ok);
                comps.push([a, b, likely]);
            }
            parts.push((*id, s, comps));
        }
        let (divide, after) = (ll.new_block("divide"), ll.new_block("remainder"));
        let before = ll.current();
        ll.likely_br(all, after, divide);
        ll.at_end(divide);
        let slow: Vec<Vec<V>> = parts
            .iter()
            .map(|(_, s, comps)| comps.iter().map(|[a, b, _]| divide::divide(ll, true, *s, *a, *b)).collect())
            .collect();
        let divided = ll.current();
        ll.br(after);
        ll.at_end(after);
        for ((id, s, comps), slow) in parts.into_iter().zip(slow) {
            let t = ll.int(s.bits());
            let joined =
                comps.iter().zip(slow).map(|([_, _, likely], slow)| ll.phi(t, &[(*likely, before), (slow, divided)]));
            self.vals[id.index()] = Some(Val::Comps(joined.collect()));
            self.ahead.insert(id);
        }
    }

    /// What is the remainder if the divisor goes into the dividend less than twice, and whether that is so.
    fn likely_remainder(&self, s: Scalar, a: V, b: V) -> (V, V) {
        let ll = self.ll;
        let t = ll.int(32);
        let less = ll.sub(a, b);
        if !s.is_signed() {
            // What is negative is large. Nothing is less than a divisor of zero.
            let likely = ll.intrinsic1("umin", t, &[a, less]);
            return (likely, ll.ult(likely, b));
        }
        // Dividends between the negative of a positive divisor and zero are their own remainders.
        let is_less = ll.icmp(IP::LLVMIntSLT, a, b);
        let likely = ll.select(is_less, a, less);
        let size = ll.intrinsic1("smax", t, &[likely, ll.sub(ll.c32(0), likely)]);
        // The greatest of negative numbers has no positive counterpart and stays negative: it is large here.
        let fits = ll.icmp(IP::LLVMIntULT, size, b);
        (likely, ll.and(fits, ll.icmp(IP::LLVMIntSGT, b, ll.c32(0))))
    }

    /// Whether an instruction is a remainder whose dividend is most likely less than twice the divisor.
    pub fn wraps_around(&self, id: ValueId) -> bool {
        let Op::Binary(BinaryOp::Rem, a, b) = self.f.insts[id].op else { return false };
        // By a constant it is a multiplication.
        if !matches!(self.scalar_of(a), Scalar::U32 | Scalar::I32) || self.is_constant(b, |_| true) {
            return false;
        }
        let mut terms = Vec::new();
        if !self.summands(a, true, &mut terms) || terms.len() < 2 {
            return false;
        }
        terms.iter().all(|(v, is_added)| match &self.f.insts[*v].op {
            _ if *v == b => *is_added,
            _ if self.is_constant(*v, |_| true) => self.is_constant(*v, is_step),
            Op::Binary(BinaryOp::Rem, _, divisor) => *divisor == b,
            Op::Binary(..) | Op::Unary(..) | Op::Select { .. } | Op::Fma(..) => false,
            _ => true,
        }) && terms.iter().any(|(v, _)| *v == b || self.is_constant(*v, is_step))
    }

    /// Whether all components are constants of which something holds.
    fn is_constant(&self, v: ValueId, holds: fn(u64) -> bool) -> bool {
        match &self.f.insts[v].op {
            Op::Const(n) => holds(*n),
            Op::Splat(a) => self.is_constant(*a, holds),
            Op::Compose(list) => list.iter().all(|v| self.is_constant(*v, holds)),
            _ => false,
        }
    }

    /// The values that a sum is made of, and whether they are added; false if there are too many.
    fn summands(&self, v: ValueId, is_added: bool, out: &mut Vec<(ValueId, bool)>) -> bool {
        match self.f.insts[v].op {
            Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
                self.summands(a, is_added, out) && self.summands(b, is_added == (op == BinaryOp::Add), out)
            }
            _ => {
                out.push((v, is_added));
                out.len() <= MOST_TERMS
            }
        }
    }

    fn is_made_of(&self, v: ValueId, parts: &[ValueId]) -> bool {
        let mut terms = Vec::new();
        !self.summands(v, true, &mut terms) || terms.iter().any(|(v, _)| parts.contains(v))
    }
}

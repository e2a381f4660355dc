//! Conditions that whole threadgroups agree on.
//!
//! Most kernels start with `if (position.x >= width) return;`, treat the border of an image apart, or
//! store under such a condition. It differs between threads, but in nearly all threadgroups all
//! agree. In: a kernel, and what is known when a threadgroup starts. Out: [`Guards`], the direction
//! that each such condition is expected to take, and one test, emitted at the start of a threadgroup,
//! that holds only if it takes it in every thread. The caller then runs a version of the kernel that
//! takes the directions for granted, without masks.
//!
//! A condition qualifies if the least and the greatest values of what it compares are known over a
//! threadgroup ([`super::ranges`]). Nothing but the test is decided here: a threadgroup for which it fails runs
//! the general version.

use llvm_sys::LLVMIntPredicate as IP;
use msl_ir::analysis::tree::falls_through;
use msl_ir::{BinaryOp, Block, CompareOp, Function, Op, ValueId};

use super::ranges::{Known, Ranges, Start, Visitor};
use crate::llvm::V;

/// The conditions that were found, and whether they all go the expected way.
pub struct Guards {
    pub holds: V,
    pub directions: Vec<(ValueId, bool)>,
    /// The results of `min` and `max`, and the operand that each is: clamps at the borders of an image.
    pub equal: Vec<(ValueId, ValueId)>,
}

/// More would cost more to test than masks do.
const MOST: usize = 12;

/// As many clamps as a kernel with a neighborhood has.
const MOST_CLAMPS: usize = 48;

#[derive(Default)]
struct Search {
    tests: Vec<V>,
    directions: Vec<(ValueId, bool)>,
    equal: Vec<(ValueId, ValueId)>,
    looks_at_clamps: bool,
}

impl Start<'_> {
    /// Emits the test where the builder stands, if there are such conditions. Clamps are only looked at where
    /// one test serves many threadgroups.
    pub fn guards(&self) -> Option<Guards> {
        let mut search = Search { looks_at_clamps: self.count.is_some(), ..Search::default() };
        Ranges::new(self, false).walk(&mut search);
        let holds = search.tests.into_iter().reduce(|a, b| self.ll.and(a, b))?;
        Some(Guards { holds, directions: search.directions, equal: search.equal })
    }
}

impl Visitor for Search {
    /// The direction a branch is expected to take, if that can be tested and may hold.
    fn decide(
        &mut self,
        ranges: &mut Ranges,
        condition: ValueId,
        then: &Block,
        otherwise: &Block,
        rest: &[ValueId],
    ) -> Option<bool> {
        if let Some((_, direction)) = self.directions.iter().find(|d| d.0 == condition) {
            return Some(*direction);
        }
        let [Known::Truth { always, never, varies: true }] = ranges.eval(condition)?[..] else { return None };
        let direction = expected(ranges.start.f, condition, then, otherwise, rest);
        let test = if direction { always } else { never };
        if self.directions.len() == MOST || ranges.start.ll.as_const_int(test) == Some(0) {
            return None;
        }
        self.tests.push(test);
        self.directions.push((condition, direction));
        Some(direction)
    }

    fn access(&mut self, _: &mut Ranges, _: ValueId, _: bool) {}

    /// A clamp is expected to change nothing if it keeps what differs between threads from going below zero, or
    /// beyond what the host or the grid says.
    fn value(&mut self, ranges: &mut Ranges, id: ValueId) {
        let ll = ranges.start.ll;
        let Op::Binary(op @ (BinaryOp::Min | BinaryOp::Max), a, b) = ranges.start.f.insts[id].op else { return };
        if !self.looks_at_clamps || self.equal.len() == MOST_CLAMPS {
            return;
        }
        let (Some(x), Some(y)) = (ranges.bounds_of(a), ranges.bounds_of(b)) else { return };
        let (same, (lo, hi, ok), bound) = match (x.3, y.3) {
            (true, false) => (a, (x.0, x.1, x.2), y),
            (false, true) => (b, (y.0, y.1, y.2), x),
            _ => return,
        };
        let constant = ll.as_const_int(bound.0);
        let test = match op {
            BinaryOp::Max if constant == Some(0) => ll.icmp(IP::LLVMIntSGE, lo, bound.0),
            BinaryOp::Min if constant.is_none() => ll.icmp(IP::LLVMIntSLE, hi, bound.0),
            _ => return,
        };
        let test = ll.and(test, ll.and(ok, bound.2));
        if ll.as_const_int(test) != Some(0) {
            self.tests.push(test);
            self.equal.push((id, same));
        }
    }
}

/// Threads that differ are rarely equal to something; else the greater part of the work counts.
fn expected(f: &Function, condition: ValueId, then: &Block, otherwise: &Block, rest: &[ValueId]) -> bool {
    match f.insts[condition].op {
        Op::Compare(CompareOp::Eq, ..) => return false,
        Op::Compare(CompareOp::Ne, ..) => return true,
        _ => {}
    }
    let work = |b: &Block, other: &Block| {
        // Those that leave miss the rest.
        let more = if falls_through(f, b) && !falls_through(f, other) { weight(f, rest) + 1 } else { 0 };
        weight(f, &b.insts) + more
    };
    work(then, otherwise) >= work(otherwise, then)
}

/// Instructions that a list runs, those of loops several times.
fn weight(f: &Function, list: &[ValueId]) -> u64 {
    list.iter()
        .map(|id| {
            let op = &f.insts[*id].op;
            let inner: u64 = op.blocks().iter().map(|b| weight(f, &b.insts)).sum();
            1 + if matches!(op, Op::Loop { .. }) { inner.saturating_mul(8) } else { inner }
        })
        .fold(0, u64::saturating_add)
}

//! Loops that threads leave at different times, as long as all of them are in.
//!
//! `for (uint i = thread; i < n; i += threads)` ends for some threads of a gang one iteration before it ends for
//! others, if at all. In: a loop whose body begins with a test that leaves it, of a number that counts up
//! or down with the lane against one that is the same in all lanes. Out: before the loop with its masks, the same
//! loop without them, for as long as the numbers of the first and the last lane both pass the test; with bounds
//! checks done before it ([`super::hoist`]). What is left for the masks is one iteration or none.

use std::collections::HashSet;

use llvm_sys::LLVMIntPredicate as IP;
use msl_base::Id;
use msl_ir::{Block, CompareOp, LabelId, Op, ValueId};

use super::control::{Frame, FrameKind};
use super::kernel::Emit;
use crate::CodegenError;
use crate::emit::flow::Point;
use crate::emit::shape::Shape;
use crate::emit::value::Comp;
use crate::llvm::V;

/// Larger loops are not emitted twice.
const MOST: usize = 256;

/// The test that a loop begins with.
pub struct LeadingTest {
    /// Where it stands in the body; before it only values are computed.
    pub at: usize,
    pub condition: ValueId,
    /// The condition holds for threads that stay.
    pub stays_if: bool,
}

impl Emit<'_> {
    /// The test at the start of a loop by which threads leave it.
    pub fn leading_test(&self, label: LabelId, body: &Block) -> Option<LeadingTest> {
        for (at, id) in body.insts.iter().enumerate() {
            match &self.f.insts[*id].op {
                Op::If { condition, then, otherwise } => {
                    let leaves = |b: &Block| b.insts.len() == 1 && self.f.insts[b.insts[0]].op == Op::Break(label);
                    let stays_if = match (leaves(then), leaves(otherwise)) {
                        (false, true) => true,
                        (true, false) => false,
                        _ => return None,
                    };
                    return Some(LeadingTest { at, condition: *condition, stays_if });
                }
                Op::Load { volatile: false, .. } => {}
                op if msl_ir::passes::remove_dead::is_removable(op) => {}
                _ => return None,
            }
        }
        None
    }

    /// Emits the loop for as long as all lanes stay, if the test is of that kind and nothing else leaves the loop;
    /// gives the test. The state after is that at its head.
    pub fn emit_while_all_stay(
        &mut self,
        id: ValueId,
        label: LabelId,
        body: &Block,
        continuing: &Block,
    ) -> Result<Option<LeadingTest>, CodegenError> {
        let Some(test) = self.leading_test(label, body) else { return Ok(None) };
        let divides = self.flow.masked_break.contains(&label) && self.flow.divergent[body.insts[test.at].index()];
        let mut exits = Exits { others: false, count: 0 };
        self.look_for_exits(label, &body.insts[test.at + 1..], &mut HashSet::new(), &mut exits);
        self.look_for_exits(label, &continuing.insts, &mut HashSet::new(), &mut exits);
        if self.layout.edge || !divides || exits.others || exits.count > MOST || !self.is_lane_test(&test) {
            return Ok(None);
        }
        let ll = self.ll;
        let entry = self.mask.clone();
        let head_state = self.point(id, Point::Head);
        self.coerce_state(&head_state, &[]);
        let hoisted = self.hoist_checks(id, body, continuing, Some(&test))?;
        let (head, next, stay, rest) =
            (ll.new_block("instep"), ll.new_block("instepcontinue"), ll.new_block("allstay"), ll.new_block("somestay"));
        match &hoisted {
            Some(h) if !ll.is_const_ones(h.ok) => ll.likely_br(h.ok, head, rest),
            _ => ll.br(head),
        }
        ll.at_end(head);
        self.wide.forget();
        for v in &body.insts[..test.at] {
            self.value_inst(*v)?;
        }
        let all = self.agree(&test, true);
        ll.likely_br(all, stay, rest);
        ll.at_end(stay);
        let frame = |kind, target| Frame { kind, id, label: Some(label), target: Some(target), escaped: None };
        self.frames.push(frame(FrameKind::Loop, rest));
        self.frames.push(frame(FrameKind::LoopBody, next));
        let outer = self.unchecked.clone();
        self.unchecked.extend(hoisted.into_iter().flat_map(|h| h.accesses));
        let continuing_state = self.point(id, Point::Continuing);
        let Op::If { then, otherwise, .. } = &self.f.insts[body.insts[test.at]].op else { return Ok(None) };
        let arm = if test.stays_if { then } else { otherwise };
        if self.block(arm)? && self.list(&body.insts[test.at + 1..])? {
            self.coerce_state(&continuing_state, &[]);
            ll.br(next);
        }
        ll.at_end(next);
        self.state = continuing_state;
        self.mask.clone_from(&entry);
        if self.block(continuing)? {
            self.coerce_state(&head_state, &[]);
            ll.br(head);
        }
        self.unchecked = outer;
        self.frames.pop();
        self.frames.pop();
        ll.at_end(rest);
        self.wide.forget();
        self.state = head_state;
        self.mask = entry;
        if let Some(sink) = self.remarks {
            let message = "without masks while all threads of a gang are in it: they count in step";
            sink.add(self.f.insts[id].span, "loop-in-step", message.into(), None);
        }
        Ok(Some(test))
    }

    /// Before the loop with masks: whether nothing is left for it.
    pub fn none_stay(&mut self, test: &LeadingTest, body: &Block) -> Result<V, CodegenError> {
        for v in &body.insts[..test.at] {
            self.value_inst(*v)?;
        }
        Ok(self.agree(test, false))
    }

    /// Whether the test compares what counts with the lane and what is the same in all lanes.
    pub fn is_lane_test(&self, test: &LeadingTest) -> bool {
        let Op::Compare(op, a, b) = self.f.insts[test.condition].op else { return false };
        let shape = |v: ValueId| self.flow.shapes[v.index()].c[0];
        let is_integer = self.module.types.scalar_of(self.f.insts[a].ty).is_some_and(|s| s.is_integer());
        let counts = |s: Shape| s.linear.is_some_and(|l| l.stride != 0);
        let pair = counts(shape(a)) && !shape(b).lanes() || counts(shape(b)) && !shape(a).lanes();
        is_integer && pair && !matches!(op, CompareOp::Eq | CompareOp::Ne)
    }

    /// Whether all lanes stay, or all leave: the first and the last do, and the numbers between them do not wrap.
    fn agree(&self, test: &LeadingTest, stay: bool) -> V {
        let ll = self.ll;
        let Op::Compare(op, a, b) = self.f.insts[test.condition].op else { return ll.cbool(false) };
        let is_signed = self.scalar_of(a).is_signed();
        let (x, y) = (self.comp(a, 0), self.comp(b, 0));
        let predicate = |op: CompareOp| match (op, is_signed) {
            (CompareOp::Lt, false) => IP::LLVMIntULT,
            (CompareOp::Le, false) => IP::LLVMIntULE,
            (CompareOp::Gt, false) => IP::LLVMIntUGT,
            (CompareOp::Lt, true) => IP::LLVMIntSLT,
            (CompareOp::Le, true) => IP::LLVMIntSLE,
            (CompareOp::Gt, true) => IP::LLVMIntSGT,
            (_, true) => IP::LLVMIntSGE,
            (_, false) => IP::LLVMIntUGE,
        };
        let op = match op {
            op if test.stays_if == stay => op,
            CompareOp::Lt => CompareOp::Ge,
            CompareOp::Le => CompareOp::Gt,
            CompareOp::Gt => CompareOp::Le,
            _ => CompareOp::Lt,
        };
        let last = |c: &Comp, first: V| {
            let across = c.shape.linear.map_or(0, |l| l.stride.wrapping_mul(i64::from(self.gang.lanes) - 1));
            (ll.add(first, ll.cint(ll.type_of(first), across as u64)), across)
        };
        let mut all = ll.cbool(true);
        for part in 0..self.gang.parts {
            let (x0, y0) = (x.base(ll, part), y.base(ll, part));
            let ((x1, across_x), (y1, across_y)) = (last(&x, x0), last(&y, y0));
            let (from, to, across) = if across_x != 0 { (x0, x1, across_x) } else { (y0, y1, across_y) };
            let ordered = ll.icmp(predicate(if across > 0 { CompareOp::Le } else { CompareOp::Ge }), from, to);
            let both = ll.and(ll.icmp(predicate(op), x0, y0), ll.icmp(predicate(op), x1, y1));
            all = ll.and(all, ll.and(ordered, both));
        }
        all
    }

    fn look_for_exits(&self, own: LabelId, insts: &[ValueId], inner: &mut HashSet<LabelId>, out: &mut Exits) {
        for id in insts {
            out.count += 1;
            let op = &self.f.insts[*id].op;
            match op {
                Op::Continue(l) if *l == own => {}
                Op::Break(l) | Op::Continue(l) => out.others |= !inner.contains(l),
                Op::Return(_) => out.others = true,
                Op::Loop { label, .. } | Op::Scope { label, .. } | Op::Switch { label, .. } => {
                    inner.insert(*label);
                }
                _ => {}
            }
            for b in op.blocks() {
                self.look_for_exits(own, &b.insts, inner, out);
            }
        }
    }
}

/// What a loop holds besides its first test.
struct Exits {
    /// Anything that leaves it, but for `continue`.
    others: bool,
    count: usize,
}

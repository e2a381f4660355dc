//! Structured control as real branches.

use msl_ir::{Block, Case, LabelId, LoopHint, Op, ValueId};

use super::kernel::{Emit, Val};
use super::meetings::Meetings;
use crate::CodegenError;
use crate::llvm::B;

/// Where `break` and `continue` of a label go.
pub struct Frame {
    label: LabelId,
    on_break: B,
    on_continue: Option<B>,
}

impl Emit<'_> {
    /// Emits a block; false when control cannot reach its end.
    pub fn block(&mut self, block: &Block) -> Result<bool, CodegenError> {
        self.list(&block.insts)
    }

    pub fn list(&mut self, list: &[ValueId]) -> Result<bool, CodegenError> {
        for (i, id) in list.iter().enumerate() {
            if self.ahead.remove(id) {
                continue;
            }
            if matches!(self.f.insts[*id].op, Op::Simd(msl_ir::SimdOp::MatrixMultiply, _)) {
                self.multiply_ahead(&list[i..])?;
                continue;
            }
            self.load_matrices_ahead(&list[i..])?;
            self.remainders_ahead(&list[i..])?;
            if self.ahead.remove(id) {
                continue;
            }
            if !self.keeps_mask(&list[i..]) && self.in_two_versions(&list[i..])? {
                return Ok(true);
            }
            if !self.known.contains_key(id) {
                self.check_ahead(&list[i..])?;
            }
            if !self.inst(*id)? {
                return Ok(false);
            }
            self.keep_mask(*id);
        }
        Ok(true)
    }

    fn block_to(&mut self, block: &Block, to: B) -> Result<(), CodegenError> {
        self.nesting += 1;
        let goes_on = self.block(block)?;
        self.nesting -= 1;
        if goes_on {
            self.ll.br(to);
        }
        Ok(())
    }

    /// Emits one instruction; false when control does not go on after it.
    fn inst(&mut self, id: ValueId) -> Result<bool, CodegenError> {
        let (ll, f) = (self.ll, self.f);
        match &f.insts[id].op {
            Op::If { condition, then, otherwise } => {
                let c = self.scalar(*condition);
                let (yes, no, after) = (ll.new_block("then"), ll.new_block("else"), ll.new_block("endif"));
                let masks = (self.mask, self.branch_masks(id, c, then, otherwise));
                let meetings = self.enter(id);
                ll.cond_br(c, yes, no);
                ll.at_end(yes);
                self.mask = masks.1[0];
                self.block_to(then, after)?;
                ll.at_end(no);
                self.mask = masks.1[1];
                self.wait_for_deeper(meetings.between);
                self.block_to(otherwise, after)?;
                ll.at_end(after);
                self.leave(meetings);
                self.mask = self.mask_after_if(id, masks.0, masks.1, then, otherwise);
            }
            Op::Loop { label, body, continuing, hint } => {
                let after = ll.new_block("endloop");
                let mask = self.mask;
                let meetings = self.enter(id);
                if let Some((ok, known)) = self.hoist_checks(id, body, continuing, *label)? {
                    let (fast, slow) = (ll.new_block("unchecked"), ll.new_block("checked"));
                    ll.likely_br(ok, fast, slow);
                    ll.at_end(fast);
                    let saved = (self.checked.clone(), self.ahead.clone());
                    let outer = std::mem::replace(&mut self.known, known);
                    self.known.extend(outer.iter().map(|(k, v)| (*k, *v)));
                    self.loop_to(id, *label, body, continuing, (*hint, meetings), after)?;
                    self.known = outer;
                    (self.checked, self.ahead) = saved;
                    self.forget(body);
                    self.forget(continuing);
                    ll.at_end(slow);
                    // One version of what is inside is enough here.
                    let may_hoist = std::mem::replace(&mut self.may_hoist, false);
                    self.loop_to(id, *label, body, continuing, (*hint, meetings), after)?;
                    self.may_hoist = may_hoist;
                } else {
                    self.loop_to(id, *label, body, continuing, (*hint, meetings), after)?;
                }
                ll.at_end(after);
                self.leave(meetings);
                self.mask = self.mask_after(mask, *label, [body, continuing]);
            }
            Op::Scope { label, body } => {
                let after = ll.new_block("endscope");
                let mask = self.mask;
                let meetings = self.enter(id);
                self.frames.push(Frame { label: *label, on_break: after, on_continue: None });
                self.block_to(body, after)?;
                self.frames.pop();
                ll.at_end(after);
                self.leave(meetings);
                self.mask = self.mask_after(mask, *label, [body]);
            }
            Op::Switch { label, value, cases } => self.switch(id, *label, *value, cases)?,
            Op::Break(label) => {
                let to = self.frames.iter().rev().find(|f| f.label == *label).map_or(self.end, |f| f.on_break);
                ll.br(to);
                return Ok(false);
            }
            Op::Continue(label) => {
                let frame = self.frames.iter().rev().find(|f| f.label == *label);
                ll.br(frame.and_then(|f| f.on_continue).unwrap_or(self.end));
                return Ok(false);
            }
            Op::Return(_) => {
                ll.br(self.end);
                return Ok(false);
            }
            Op::Unreachable => {
                ll.unreachable();
                return Ok(false);
            }
            Op::Trap(message) => {
                let (span, text) = (f.insts[id].span, message.to_string());
                let site = self.site(crate::FaultKind::Trap, None, span, Some(text));
                self.end_with_fault(site, ll.c64(0));
                return Ok(false);
            }
            _ => {
                let v: Option<Val> = self.value(id)?;
                self.vals[id.0 as usize] = v;
            }
        }
        Ok(true)
    }

    fn loop_to(
        &mut self,
        id: ValueId,
        label: LabelId,
        body: &Block,
        continuing: &Block,
        (hint, meetings): (LoopHint, Meetings),
        after: B,
    ) -> Result<(), CodegenError> {
        let ll = self.ll;
        let (head, next) = (ll.new_block("loop"), ll.new_block("continue"));
        let needs_mask = self.needs_mask(body) || self.needs_mask(continuing);
        let rounds = if needs_mask { self.rounds(id, label, body, continuing) } else { None };
        let stays = self.mask.filter(|_| needs_mask && rounds.is_none());
        ll.br(head);
        ll.at_end(head);
        self.mask = rounds.as_ref().map(|rounds| self.mask_of_round(rounds)).or(stays);
        self.frames.push(Frame { label, on_break: after, on_continue: Some(next) });
        let is_kept = rounds.is_some();
        self.rounds.extend(rounds);
        self.block_to(body, next)?;
        ll.at_end(next);
        self.wait_for_deeper(meetings.between);
        self.mask = self.rounds.pop_if(|_| is_kept).map(|rounds| self.mask_after_round(&rounds)).or(stays);
        if self.block(continuing)? {
            let back = ll.br_back(head);
            let size = self.size_of(body);
            match hint {
                LoopHint::NoUnroll => ll.loop_hint(back, "llvm.loop.unroll.disable", None),
                LoopHint::Unroll(n) if n > 1 => ll.loop_hint(back, "llvm.loop.unroll.count", Some(n)),
                LoopHint::Unroll(_) => ll.loop_hint(back, "llvm.loop.unroll.enable", None),
                // The version that finds who left a buffer is not there to be fast.
                LoopHint::None if !self.may_hoist => ll.loop_hint(back, "llvm.loop.unroll.disable", None),
                // Loads of several rounds can be on their way together. Left to itself LLVM takes two rounds.
                LoopHint::None if size <= 80 && self.has_constant_limit(body) => {
                    ll.loop_hint(back, "llvm.loop.unroll.enable", None);
                }
                LoopHint::None if size <= 30 => ll.loop_hint(back, "llvm.loop.unroll.count", Some(8)),
                LoopHint::None if size <= 60 => ll.loop_hint(back, "llvm.loop.unroll.count", Some(4)),
                LoopHint::None => {}
            }
        }
        self.frames.pop();
        Ok(())
    }

    pub fn is_in_loop(&self) -> bool {
        self.frames.iter().any(|f| f.on_continue.is_some())
    }

    /// What copies of a loop's body cost: its instructions; many where there are loops inside.
    fn size_of(&self, body: &Block) -> usize {
        let mut count = 0;
        msl_ir::analysis::tree::walk(self.f, body, &mut |v| {
            count += if matches!(self.f.insts[v].op, Op::Loop { .. }) { 1000 } else { 1 };
        });
        count
    }

    /// Whether the test at the start of a loop's body compares with a constant: LLVM may know how often it runs.
    fn has_constant_limit(&self, body: &Block) -> bool {
        let test = body.insts.iter().find_map(|v| match &self.f.insts[*v].op {
            Op::If { condition, .. } => Some(*condition),
            _ => None,
        });
        let is_constant = |v: ValueId| matches!(self.f.insts[v].op, Op::Const(_));
        test.is_some_and(|c| match self.f.insts[c].op {
            Op::Compare(_, a, b) => is_constant(a) || is_constant(b),
            _ => false,
        })
    }

    /// Makes the values of a block unknown again, before it is emitted once more.
    fn forget(&mut self, block: &Block) {
        let mut all = Vec::new();
        msl_ir::analysis::tree::walk(self.f, block, &mut |v| all.push(v));
        for v in all {
            self.vals[v.0 as usize] = None;
            self.flipped.remove(&v);
        }
    }

    fn switch(&mut self, id: ValueId, label: LabelId, value: ValueId, cases: &[Case]) -> Result<(), CodegenError> {
        let ll = self.ll;
        let v = self.scalar(value);
        let bits = self.module.types.scalar_of(self.ty(value)).map_or(32, |s| s.bits());
        let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
        let after = ll.new_block("endswitch");
        let blocks: Vec<B> = cases.iter().map(|_| ll.new_block("case")).collect();
        let default = cases.iter().position(|c| c.is_default).map_or(after, |i| blocks[i]);
        let mut seen = std::collections::HashSet::new();
        let mut list = Vec::new();
        for (case, block) in cases.iter().zip(&blocks) {
            for value in &case.values {
                let value = *value as u64 & mask;
                if seen.insert(value) {
                    list.push((value, *block));
                }
            }
        }
        let (mask, masks) = (self.mask, self.case_masks(id, v, bits, cases));
        let meetings = self.enter(id);
        ll.switch(v, default, &list);
        self.frames.push(Frame { label, on_break: after, on_continue: None });
        for (i, case) in cases.iter().enumerate() {
            ll.at_end(blocks[i]);
            self.mask = masks[i];
            self.block_to(&case.body, blocks.get(i + 1).copied().unwrap_or(after))?;
        }
        self.frames.pop();
        ll.at_end(after);
        self.leave(meetings);
        self.mask = self.mask_after(mask, label, cases.iter().map(|case| &case.body));
        Ok(())
    }
}

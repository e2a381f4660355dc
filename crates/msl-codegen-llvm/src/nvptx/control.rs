//! Structured control as real branches.

use msl_ir::{Block, Case, LabelId, Op, ValueId};

use super::kernel::{Emit, Val};
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
        for id in &block.insts {
            if !self.inst(*id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn block_to(&mut self, block: &Block, to: B) -> Result<(), CodegenError> {
        if self.block(block)? {
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
                ll.cond_br(c, yes, no);
                ll.at_end(yes);
                self.block_to(then, after)?;
                ll.at_end(no);
                self.block_to(otherwise, after)?;
                ll.at_end(after);
            }
            Op::Loop { label, body, continuing, .. } => {
                let (head, next, after) = (ll.new_block("loop"), ll.new_block("continue"), ll.new_block("endloop"));
                ll.br(head);
                ll.at_end(head);
                self.frames.push(Frame { label: *label, on_break: after, on_continue: Some(next) });
                self.block_to(body, next)?;
                ll.at_end(next);
                self.block_to(continuing, head)?;
                self.frames.pop();
                ll.at_end(after);
            }
            Op::Scope { label, body } => {
                let after = ll.new_block("endscope");
                self.frames.push(Frame { label: *label, on_break: after, on_continue: None });
                self.block_to(body, after)?;
                self.frames.pop();
                ll.at_end(after);
            }
            Op::Switch { label, value, cases } => self.switch(*label, *value, cases)?,
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
                self.go_to_fault(site, ll.c64(0));
                return Ok(false);
            }
            _ => {
                let v: Option<Val> = self.value(id)?;
                self.vals[id.0 as usize] = v;
            }
        }
        Ok(true)
    }

    fn switch(&mut self, label: LabelId, value: ValueId, cases: &[Case]) -> Result<(), CodegenError> {
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
        ll.switch(v, default, &list);
        self.frames.push(Frame { label, on_break: after, on_continue: None });
        for (i, case) in cases.iter().enumerate() {
            ll.at_end(blocks[i]);
            self.block_to(&case.body, blocks.get(i + 1).copied().unwrap_or(after))?;
        }
        self.frames.pop();
        ll.at_end(after);
        Ok(())
    }
}

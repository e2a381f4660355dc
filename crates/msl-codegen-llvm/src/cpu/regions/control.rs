//! Control flow that holds barriers: it runs once for the threadgroup, around the loops over gangs.
//!
//! What a condition or an exit needs of the gangs is brought to one scalar; instructions that are the
//! same for all threads are emitted here, all others wait for the next loop over gangs.

use std::collections::HashSet;

use msl_base::Id;
use msl_ir::{Block, LabelId, LocalId, Op, ValueId};

use super::Slot;
use crate::CodegenError;
use crate::cpu::control::{Frame, FrameKind};
use crate::cpu::kernel::Emit;
use crate::emit::flow::Point;
use crate::llvm::V;

impl Emit<'_> {
    pub(super) fn group_block(&mut self, block: &Block) -> Result<bool, CodegenError> {
        for id in &block.insts {
            if !self.group_inst(*id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn group_inst(&mut self, id: ValueId) -> Result<bool, CodegenError> {
        let f = self.f;
        let op = &f.insts[id].op;
        let barrier = self.flow.barrier[id.index()];
        self.set_line(id);
        match op {
            Op::Barrier { flags, .. } if barrier => {
                self.flush()?;
                if flags.0 != 0 {
                    self.check_arrivals(id);
                }
                Ok(true)
            }
            Op::If { condition, then, otherwise } if barrier => self.group_if(id, *condition, then, otherwise),
            Op::Loop { label, body, continuing, .. } if barrier => self.group_loop(id, *label, body, continuing),
            Op::Scope { label, body } if barrier => self.group_scope(id, *label, body),
            Op::Switch { .. } if barrier => Err(CodegenError::Llvm("a switch around a barrier was not split".into())),
            Op::Break(label) if !self.flow.masked_exit[id.index()] => self.group_exit(Some(*label), true),
            Op::Continue(label) if !self.flow.masked_exit[id.index()] => self.group_exit(Some(*label), false),
            Op::Return(_) if !self.flow.masked_exit[id.index()] => self.group_exit(None, true),
            _ if self.is_group_level(id) => {
                if let Op::Store { ptr, .. } | Op::Load { ptr, .. } = op
                    && let Some(place) = self.places.get(*ptr)
                    && self.pending_touches(place.local)
                {
                    self.flush()?;
                }
                self.value_inst(id)?;
                Ok(true)
            }
            _ => {
                self.regions.pending.push(id);
                Ok(true)
            }
        }
    }

    /// Can be emitted once for the threadgroup: the same for all threads, without effects on memory.
    pub(super) fn is_group_level(&self, id: ValueId) -> bool {
        // What is the same for all threads may still have been computed with the gangs.
        let uniform = |v: &ValueId| self.flow.shapes[v.index()].is_uniform() && self.vals[v.index()].is_some();
        match &self.f.insts[id].op {
            Op::Store { ptr, value, .. } => match self.places.get(*ptr) {
                Some(_) => {
                    uniform(value)
                        && !self.flow.blend[id.index()]
                        && self.flow.stored.get(&id).is_some_and(|s| s.is_uniform())
                }
                None => false,
            },
            Op::Load { ptr, volatile, .. } => match self.places.get(*ptr) {
                Some(_) => self.flow.shapes[id.index()].is_uniform(),
                None => {
                    let root = self.flow.shapes[ptr.index()].root.map(|r| r.0);
                    !volatile
                        && uniform(ptr)
                        && self.flow.shapes[id.index()].is_uniform()
                        && root.is_some_and(|r| self.read_only(r))
                }
            },
            Op::Const(_)
            | Op::Undef
            | Op::Splat(_)
            | Op::Compose(_)
            | Op::Extract { .. }
            | Op::ExtractDynamic { .. }
            | Op::Insert { .. }
            | Op::InsertDynamic { .. }
            | Op::Shuffle { .. }
            | Op::Unary(..)
            | Op::Binary(..)
            | Op::Compare(..)
            | Op::Select { .. }
            | Op::Fma(..)
            | Op::Convert(_)
            | Op::Bitcast(_)
            | Op::Param(_)
            | Op::LocalAddr(_)
            | Op::GlobalAddr(_)
            | Op::FieldAddr { .. }
            | Op::IndexAddr { .. }
            | Op::PtrOffset { .. }
            | Op::PtrCast(_)
            | Op::PtrDiff(..)
            | Op::PtrToInt(_)
            | Op::IntToPtr(_)
            | Op::AssumeValid(_)
            | Op::Builtin(_) => {
                let mut all = self.flow.shapes[id.index()].is_uniform();
                self.f.insts[id].op.for_each_operand(|v| all &= uniform(&v));
                all
            }
            _ => false,
        }
    }

    pub(super) fn pending_touches(&self, l: LocalId) -> bool {
        self.regions.pending.iter().any(|id| {
            let (mut loads, mut stores) = (HashSet::new(), HashSet::new());
            self.accessed(*id, &mut loads, &mut stores);
            loads.contains(&l) || stores.contains(&l)
        })
    }

    /// Promoted locals an instruction (and what it holds) loads and stores.
    pub(super) fn accessed(&self, id: ValueId, loads: &mut HashSet<LocalId>, stores: &mut HashSet<LocalId>) {
        match &self.f.insts[id].op {
            Op::Load { ptr, .. } => {
                if let Some(p) = self.places.get(*ptr) {
                    loads.insert(p.local);
                }
            }
            Op::Store { ptr, .. } => {
                if let Some(p) = self.places.get(*ptr) {
                    stores.insert(p.local);
                }
            }
            op => {
                for b in op.blocks() {
                    for i in &b.insts {
                        self.accessed(*i, loads, stores);
                    }
                }
            }
        }
    }

    pub(super) fn group_exit(&mut self, label: Option<LabelId>, is_break: bool) -> Result<bool, CodegenError> {
        self.flush()?;
        let found = self.frames.iter().rposition(|fr| {
            label.is_some()
                && fr.label == label
                && if is_break {
                    matches!(fr.kind, FrameKind::Loop | FrameKind::Scope)
                } else {
                    fr.kind == FrameKind::LoopBody
                }
        });
        match found {
            Some(t) => {
                let frame = self.frames[t].clone();
                let point = if frame.kind == FrameKind::LoopBody { Point::Continuing } else { Point::After };
                if frame.kind == FrameKind::Loop {
                    self.group_capture(frame.id)?;
                }
                let captures = self.flow.captures.get(&frame.id).cloned().unwrap_or_default();
                let except = if frame.kind == FrameKind::Loop { captures } else { Vec::new() };
                let state = self.point(frame.id, point);
                self.group_coerce(&state, &except)?;
                if let Some(b) = frame.target {
                    self.ll.br(b);
                }
            }
            None => self.ll.br(self.end),
        }
        Ok(false)
    }

    /// A condition at this level as one scalar. Where threads may differ, MSL demands that they
    /// do not; the first gang speaks for all.
    pub(super) fn group_condition(&mut self, v: ValueId) -> Result<V, CodegenError> {
        if self.vals[v.index()].is_some() {
            return Ok(self.comp_scalar(v, 0));
        }
        let slot = self.value_slot(v, 0);
        let ll = self.ll;
        let p = ll.gep_const(self.scratch, slot.0);
        let byte = ll.load(ll.int(8), p, 1);
        Ok(ll.ne(byte, ll.zero(ll.int(8))))
    }

    pub(super) fn group_if(
        &mut self,
        id: ValueId,
        condition: ValueId,
        then: &Block,
        otherwise: &Block,
    ) -> Result<bool, CodegenError> {
        self.flush()?;
        let frame = Frame { kind: FrameKind::If, id, label: None, target: None, escaped: None };
        if self.flow.divergent[id.index()] {
            return self.group_masked_if(id, condition, then, otherwise, frame);
        }
        let c = self.group_condition(condition)?;
        self.frames.push(frame);
        let ll = self.ll;
        let (t, e, m) = (ll.new_block("then"), ll.new_block("else"), ll.new_block("endif"));
        ll.cond_br(c, t, e);
        let before = self.state.clone();
        let after = self.point(id, Point::After);
        let mut falls = false;
        for (bb, block) in [(t, then), (e, otherwise)] {
            ll.at_end(bb);
            self.state.clone_from(&before);
            if self.group_block(block)? {
                self.flush()?;
                self.group_coerce(&after, &[])?;
                ll.br(m);
                falls = true;
            }
        }
        self.frames.pop();
        ll.at_end(m);
        if falls {
            self.state = after;
        } else {
            ll.unreachable();
        }
        Ok(falls)
    }

    /// A barrier under a condition that differs: legal only if it does not at run time, or if the
    /// threads that are off have left the kernel. Both sides run with the lanes concerned.
    pub(super) fn group_masked_if(
        &mut self,
        id: ValueId,
        condition: ValueId,
        then: &Block,
        otherwise: &Block,
        frame: Frame,
    ) -> Result<bool, CodegenError> {
        let Some(mask) = self.regions.group_mask else {
            return Err(CodegenError::Llvm("no mask for a divergent barrier".into()));
        };
        let saved = self.take_mask_slot();
        self.regions.slots.insert(Slot::Saved(id), saved);
        let values = self.vals.clone();
        self.for_each_gang(|me| {
            let m = me.read_group_mask(mask);
            me.write_group_mask(saved, &m);
            me.restore_value(condition)?;
            let c = me.comp_vectors(condition, 0);
            let m = me.mask_and(&m, &c);
            me.write_group_mask(mask, &m);
            me.vals.clone_from(&values);
            Ok(())
        })?;
        self.frames.push(frame);
        let (middle, after) = (self.point(id, Point::Middle(0)), self.point(id, Point::After));
        self.group_block(then)?;
        self.flush()?;
        self.group_coerce(&middle, &[])?;
        self.for_each_gang(|me| {
            me.restore_value(condition)?;
            let c = me.comp_vectors(condition, 0);
            let m = me.read_group_mask(saved);
            let m = me.mask_and_not(&m, &c);
            me.write_group_mask(mask, &m);
            me.vals.clone_from(&values);
            Ok(())
        })?;
        self.group_block(otherwise)?;
        self.flush()?;
        self.group_coerce(&after, &[])?;
        self.frames.pop();
        self.for_each_gang(|me| {
            let m = me.read_group_mask(saved);
            me.write_group_mask(mask, &m);
            Ok(())
        })?;
        self.regions.slots.remove(&Slot::Saved(id));
        Ok(true)
    }

    pub(super) fn group_loop(
        &mut self,
        id: ValueId,
        label: LabelId,
        body: &Block,
        continuing: &Block,
    ) -> Result<bool, CodegenError> {
        self.flush()?;
        let i = id.index();
        let by_mask = self.flow.masked_break.contains(&label) || self.flow.escaped[i];
        let mask = self.regions.group_mask;
        let after = self.flow.states.get(&(id, Point::After)).cloned();
        let captures = self.flow.captures.get(&id).cloned().unwrap_or_default();
        self.group_captures(id, true)?;
        if by_mask {
            let saved = self.take_mask_slot();
            self.regions.slots.insert(Slot::Saved(id), saved);
            self.for_each_gang(|me| {
                if let Some(mask) = mask {
                    let m = me.read_group_mask(mask);
                    me.write_group_mask(saved, &m);
                }
                Ok(())
            })?;
        }
        let head_state = self.point(id, Point::Head);
        self.group_coerce(&head_state, &[])?;
        let ll = self.ll;
        let (head, next, out) = (ll.new_block("loop"), ll.new_block("continue"), ll.new_block("endloop"));
        ll.br(head);
        ll.at_end(head);
        let frame = |kind, target| Frame { kind, id, label: Some(label), target: Some(target), escaped: None };
        let iteration = if self.flow.masked_continue.contains(&label) { mask } else { None };
        if let Some(mask) = iteration {
            let slot = self.take_mask_slot();
            self.regions.slots.insert(Slot::Iteration(id), slot);
            self.for_each_gang(|me| {
                let m = me.read_group_mask(mask);
                me.write_group_mask(slot, &m);
                Ok(())
            })?;
        }
        self.frames.push(frame(FrameKind::Loop, out));
        self.frames.push(frame(FrameKind::LoopBody, next));
        let continuing_state = self.point(id, Point::Continuing);
        if self.group_block(body)? {
            self.flush()?;
            self.group_coerce(&continuing_state, &[])?;
            ll.br(next);
        }
        ll.at_end(next);
        self.state = continuing_state;
        if let (Some(mask), Some(slot)) = (iteration, self.regions.slots.remove(&Slot::Iteration(id))) {
            self.for_each_gang(|me| {
                let m = me.read_group_mask(slot);
                me.write_group_mask(mask, &m);
                Ok(())
            })?;
        }
        if self.group_block(continuing)? {
            self.flush()?;
            if by_mask && let Some(mask) = mask {
                let any = ll.alloca(ll.int(1), 0);
                ll.store(ll.cbool(false), any, 0);
                self.for_each_gang(|me| {
                    let m = me.read_group_mask(mask);
                    let a = me.ll.or(me.ll.load(me.ll.int(1), any, 0), me.any(&m));
                    me.ll.store(a, any, 0);
                    Ok(())
                })?;
                let any = ll.load(ll.int(1), any, 0);
                let (again, done) = (ll.new_block("again"), ll.new_block("done"));
                ll.cond_br(any, again, done);
                let bottom = self.state.clone();
                ll.at_end(again);
                self.group_coerce(&head_state, &[])?;
                ll.br(head);
                ll.at_end(done);
                self.state = bottom;
                if let Some(a) = &after {
                    self.group_coerce(a, &captures)?;
                }
                ll.br(out);
            } else {
                self.group_coerce(&head_state, &[])?;
                ll.br(head);
            }
        }
        self.frames.pop();
        self.frames.pop();
        ll.at_end(out);
        let Some(after) = after else {
            ll.unreachable();
            return Ok(false);
        };
        self.state = after;
        self.group_captures(id, false)?;
        if by_mask && let (Some(mask), Some(saved)) = (mask, self.regions.slots.remove(&Slot::Saved(id))) {
            self.for_each_gang(|me| {
                let m = me.read_group_mask(saved);
                me.write_group_mask(mask, &m);
                Ok(())
            })?;
        }
        Ok(true)
    }

    pub(super) fn group_scope(&mut self, id: ValueId, label: LabelId, body: &Block) -> Result<bool, CodegenError> {
        self.flush()?;
        if self.flow.masked_break.contains(&label) {
            let saved = self.take_mask_slot();
            self.regions.slots.insert(Slot::Saved(id), saved);
            let mask = self.regions.group_mask;
            self.for_each_gang(|me| {
                if let Some(mask) = mask {
                    let m = me.read_group_mask(mask);
                    me.write_group_mask(saved, &m);
                }
                Ok(())
            })?;
        }
        let out = self.ll.new_block("endscope");
        self.frames.push(Frame { kind: FrameKind::Scope, id, label: Some(label), target: Some(out), escaped: None });
        let after = self.point(id, Point::After);
        if self.group_block(body)? {
            self.flush()?;
            self.group_coerce(&after, &[])?;
            self.ll.br(out);
        }
        self.frames.pop();
        self.ll.at_end(out);
        self.state = after;
        if let (Some(mask), Some(saved)) = (self.regions.group_mask, self.regions.slots.remove(&Slot::Saved(id))) {
            self.for_each_gang(|me| {
                let m = me.read_group_mask(saved);
                me.write_group_mask(mask, &m);
                Ok(())
            })?;
        }
        Ok(true)
    }
}

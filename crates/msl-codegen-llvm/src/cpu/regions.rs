//! Threadgroups of several gangs with barriers between them.
//!
//! The body is cut into regions at barriers and at the constructs that hold them. Those constructs
//! run once for the threadgroup; each region is a loop over the gangs. What a later region needs
//! is kept per gang in scratch memory: the locals that differ between gangs, values (unless they
//! are cheap to compute again), and, where lanes can leave before a barrier, the mask. Uniform
//! values are computed once, outside of the loops over gangs.

use std::collections::{HashMap, HashSet};

use msl_base::Id;
use msl_ir::{Block, LabelId, LocalId, Op, Scalar, ValueId};

use super::control::{Frame, FrameKind};
use super::kernel::Emit;
use super::masks::Mask;
use crate::CodegenError;
use crate::emit::flow::{Point, State};
use crate::emit::shape::Shape;
use crate::emit::value::{Comp, Val, Varying, memory_type, register_type};
use crate::llvm::{B, V};

/// What regions share.
#[derive(Default)]
pub struct Regions {
    /// Scratch memory of locals with addresses: start and bytes per gang.
    pub private: Option<(u64, u64)>,
    slots: HashMap<Slot, (u64, u64)>,
    /// Lanes that are on, per gang; only where that can change.
    group_mask: Option<(u64, u64)>,
    /// Instructions waiting for the loop over gangs.
    pending: Vec<ValueId>,
    users: HashMap<ValueId, Vec<ValueId>>,
    /// Whether code of a gang is being emitted.
    in_gang: bool,
    /// By value: computed once for the threadgroup.
    at_group_level: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    /// A component of the storage of a local or captured value.
    Local(usize, usize),
    Value(ValueId, usize),
    Saved(ValueId),
    /// The mask at the start of an iteration.
    Iteration(ValueId),
}

impl Emit<'_> {
    /// Emits the body of a threadgroup whose gangs meet at barriers.
    pub fn emit_regions(&mut self, next: B) -> Result<(), CodegenError> {
        let f = self.f;
        self.regions.users = users(f, &f.body);
        self.end = self.ll.new_block("endregions");
        let entry_full = self.layout.is_full();
        if self.needs_group_mask(&f.body) {
            let slot = self.take_mask_slot();
            self.regions.group_mask = Some(slot);
            self.for_each_gang(|me| {
                me.write_group_mask(slot, &me.entry_mask.clone());
                Ok(())
            })?;
        }
        let _ = entry_full;
        if self.group_block(&f.body)? {
            self.flush()?;
            self.ll.br(self.end);
        }
        self.ll.at_end(self.end);
        self.ll.br(next);
        Ok(())
    }

    /// Whether lanes can be switched off from one region to the next.
    fn needs_group_mask(&self, block: &Block) -> bool {
        block.insts.iter().any(|id| {
            let op = &self.f.insts[*id].op;
            self.flow.masked_exit[id.index()]
                || (self.flow.barrier[id.index()] && self.flow.divergent[id.index()])
                || op.blocks().iter().any(|b| self.needs_group_mask(b))
        })
    }

    fn take_mask_slot(&mut self) -> (u64, u64) {
        let size = u64::from(self.gang.parts) * 8;
        (self.plan.take(size * u64::from(self.layout.gangs), 64), size)
    }

    fn mask_address(&self, slot: (u64, u64), part: u32) -> V {
        let ll = self.ll;
        let g = ll.zext(self.gang_index, ll.int(64));
        let p = ll.gep(ll.gep_const(self.scratch, slot.0), ll.mul(g, ll.c64(slot.1)));
        ll.gep_const(p, u64::from(part) * 8)
    }
    fn write_group_mask(&self, slot: (u64, u64), m: &Mask) {
        for p in 0..self.gang.parts {
            let bits = self.ll.zext(self.mask_bits(self.mask_part(m, p)), self.ll.int(64));
            self.ll.store(bits, self.mask_address(slot, p), 8);
        }
    }
    fn read_group_mask(&self, slot: (u64, u64)) -> Mask {
        let ll = self.ll;
        Some(
            (0..self.gang.parts)
                .map(|p| {
                    let bits = ll.load(ll.int(64), self.mask_address(slot, p), 8);
                    ll.bitcast(ll.trunc(bits, ll.int(self.gang.lanes)), self.mask_type())
                })
                .collect(),
        )
    }

    /// Lanes leave for a construct around the loop over gangs: they are off in the regions that
    /// follow. `frames` from `first` on are left; those keep the lanes they would give back.
    pub fn group_escape_from(&mut self, first: usize) {
        let Some(slot) = self.regions.group_mask else { return };
        let off = self.mask.clone();
        let gone = self.mask_parts(&off);
        let clear = |me: &Self, slot| {
            let m = me.read_group_mask(slot);
            let m = me.mask_and_not(&m, &gone);
            me.write_group_mask(slot, &m);
        };
        clear(self, slot);
        let saved: Vec<(u64, u64)> = self.frames[first.min(self.frames.len())..]
            .iter()
            .filter_map(|fr| {
                let key = if fr.kind == FrameKind::LoopBody { Slot::Iteration(fr.id) } else { Slot::Saved(fr.id) };
                self.regions.slots.get(&key).copied()
            })
            .collect();
        for s in saved {
            clear(self, s);
        }
    }

    // ---- the level of the threadgroup ------------------------------------------------------------
    fn group_block(&mut self, block: &Block) -> Result<bool, CodegenError> {
        for id in &block.insts {
            if !self.group_inst(*id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn group_inst(&mut self, id: ValueId) -> Result<bool, CodegenError> {
        let f = self.f;
        let op = &f.insts[id].op;
        let barrier = self.flow.barrier[id.index()];
        match op {
            Op::Barrier { .. } if barrier => {
                self.flush()?;
                Ok(true)
            }
            Op::If { condition, then, otherwise } if barrier => self.group_if(id, *condition, then, otherwise),
            Op::Loop { label, body, continuing, .. } if barrier => self.group_loop(id, *label, body, continuing),
            Op::Scope { label, body } if barrier => self.group_scope(id, *label, body),
            Op::Switch { .. } if barrier => Err(CodegenError::unsupported(
                "unsupported-barrier-in-switch",
                "a threadgroup barrier inside of a switch",
                f.insts[id].span,
            )),
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
    fn is_group_level(&self, id: ValueId) -> bool {
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

    fn pending_touches(&self, l: LocalId) -> bool {
        self.regions.pending.iter().any(|id| {
            let (mut loads, mut stores) = (HashSet::new(), HashSet::new());
            self.accessed(*id, &mut loads, &mut stores);
            loads.contains(&l) || stores.contains(&l)
        })
    }

    /// Promoted locals an instruction (and what it holds) loads and stores.
    fn accessed(&self, id: ValueId, loads: &mut HashSet<LocalId>, stores: &mut HashSet<LocalId>) {
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

    fn group_exit(&mut self, label: Option<LabelId>, is_break: bool) -> Result<bool, CodegenError> {
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

    /// All threads still in the loop leave it: what they take out is added to what others took.
    fn group_capture(&mut self, id: ValueId) -> Result<(), CodegenError> {
        let list = self.flow.captures.get(&id).cloned().unwrap_or_default();
        if list.is_empty() {
            return Ok(());
        }
        self.regions.in_gang = true;
        self.for_each_gang(|me| {
            for l in &list {
                me.load_context(*l);
                me.load_capture(id, *l);
            }
            me.capture(id);
            for l in &list {
                me.save_capture(id, *l);
            }
            Ok(())
        })?;
        self.regions.in_gang = false;
        Ok(())
    }

    /// Before or after a loop that threads leave one by one: moves captured locals to where
    /// leaving threads put them, or back.
    fn group_captures(&mut self, id: ValueId, begin: bool) -> Result<(), CodegenError> {
        let list = self.flow.captures.get(&id).cloned().unwrap_or_default();
        let after = self.flow.states.get(&(id, Point::After)).cloned();
        if list.is_empty() || after.is_none() {
            return Ok(());
        }
        self.for_each_gang(|me| {
            if begin {
                for l in &list {
                    me.load_context(*l);
                }
                me.begin_captures(id, &list, after.as_ref());
                for l in &list {
                    me.save_capture(id, *l);
                }
            } else {
                for l in &list {
                    me.load_capture(id, *l);
                }
                me.end_captures(id, &list);
                for l in &list {
                    me.save_context(*l);
                }
            }
            Ok(())
        })
    }

    fn load_capture(&mut self, id: ValueId, l: LocalId) {
        let storage = self.capture_storage(id, l);
        let (n, s) = self.local_components(l);
        for c in 0..n {
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(storage, c), bytes);
            let comp = self.read_comp(self.context_address(slot), Shape::VARYING, s);
            self.write_slot(storage, c, &comp);
        }
    }
    fn save_capture(&mut self, id: ValueId, l: LocalId) {
        let storage = self.capture_storage(id, l);
        let (n, s) = self.local_components(l);
        for c in 0..n {
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(storage, c), bytes);
            let comp = self.read_slot(storage, c, Shape::VARYING, s);
            self.write_comp(self.context_address(slot), &comp, s);
        }
    }

    /// A condition at this level as one scalar. Where threads may differ, MSL demands that they
    /// do not; the first gang speaks for all.
    fn group_condition(&mut self, v: ValueId) -> Result<V, CodegenError> {
        if self.vals[v.index()].is_some() {
            return Ok(self.comp_scalar(v, 0));
        }
        let slot = self.value_slot(v, 0);
        let ll = self.ll;
        let p = ll.gep_const(self.scratch, slot.0);
        let byte = ll.load(ll.int(8), p, 1);
        Ok(ll.ne(byte, ll.zero(ll.int(8))))
    }

    fn group_if(
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
    fn group_masked_if(
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

    fn group_loop(
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

    fn group_scope(&mut self, id: ValueId, label: LabelId, body: &Block) -> Result<bool, CodegenError> {
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

    // ---- loops over gangs ------------------------------------------------------------------------
    fn for_each_gang(&mut self, body: impl FnOnce(&mut Self) -> Result<(), CodegenError>) -> Result<(), CodegenError> {
        let ll = self.ll;
        let count = self.gang_count();
        let from = ll.current();
        let (head, out) = (ll.new_block("gang"), ll.new_block("endgang"));
        ll.br(head);
        ll.at_end(head);
        let g = ll.phi(ll.int(32), &[(ll.c32(0), from)]);
        self.begin_gang(g);
        if let Some((at, per_gang)) = self.regions.private {
            let offset = ll.mul(ll.zext(g, ll.int(64)), ll.c64(per_gang));
            self.private_segment = ll.gep(ll.gep_const(self.scratch, at), offset);
        }
        if let Some(slot) = self.regions.group_mask
            && self.regions.in_gang
        {
            self.mask = self.read_group_mask(slot);
        }
        body(self)?;
        let end = ll.current();
        let g1 = ll.add(g, ll.c32(1));
        ll.add_incoming(g, &[(g1, end)]);
        ll.cond_br(ll.ult(g1, count), head, out);
        ll.at_end(out);
        Ok(())
    }

    /// Emits the waiting instructions as a loop over gangs.
    fn flush(&mut self) -> Result<(), CodegenError> {
        let run = std::mem::take(&mut self.regions.pending);
        if run.is_empty() {
            return Ok(());
        }
        let mut inside = HashSet::new();
        let (mut loads, mut stores) = (HashSet::new(), HashSet::new());
        for id in &run {
            tree(self.f, *id, &mut inside);
            self.accessed(*id, &mut loads, &mut stores);
        }
        let mut needed = Vec::new();
        for id in &inside {
            self.f.insts[*id].op.for_each_operand(|v| {
                if !inside.contains(&v) && self.vals[v.index()].is_none() && !needed.contains(&v) {
                    needed.push(v);
                }
            });
        }
        needed.sort();
        // Exits take the values of captured locals along.
        let mut captures: Vec<(ValueId, LocalId)> = Vec::new();
        if inside.iter().any(|id| self.flow.masked_exit[id.index()]) {
            for frame in self.frames.iter().filter(|fr| fr.kind == FrameKind::Loop) {
                for l in self.flow.captures.get(&frame.id).into_iter().flatten() {
                    captures.push((frame.id, *l));
                    loads.insert(*l);
                }
            }
        }
        let mut touched: Vec<LocalId> = loads.union(&stores).copied().collect();
        touched.sort();
        let mut stored: Vec<LocalId> = stores.iter().copied().collect();
        stored.sort();
        self.regions.in_gang = true;
        // A local that was uniform so far starts every gang with that value, whatever the last
        // gang did to it.
        let mut starts: Vec<(usize, usize, Comp)> = Vec::new();
        for l in &stored {
            if let Some(state) = self.state[l.index()] {
                let (n, s) = self.local_components(*l);
                for c in (0..n).filter(|c| state.c[*c].is_uniform()) {
                    let v = self.read_slot(l.index(), c, state.c[c], s);
                    starts.push((l.index(), c, v));
                }
            }
        }
        let before = self.vals.clone();
        self.regions.at_group_level = before.iter().map(Option::is_some).collect();
        self.for_each_gang(|me| {
            for (l, c, v) in &starts {
                me.write_slot(*l, *c, v);
            }
            for l in &touched {
                me.load_context(*l);
            }
            for (id, l) in &captures {
                me.load_capture(*id, *l);
            }
            for v in &needed {
                me.restore_value(*v)?;
            }
            for id in &run {
                let reached = me.block(&Block { insts: vec![*id] })?;
                debug_assert!(reached, "a region ends where it began");
            }
            for l in &stored {
                me.save_context(*l);
            }
            for (id, l) in &captures {
                me.save_capture(*id, *l);
            }
            for id in &run {
                me.save_value(*id, &inside);
            }
            // Values of a gang end with it, those computed again on the way included.
            me.vals.clone_from(&before);
            Ok(())
        })?;
        self.regions.in_gang = false;
        Ok(())
    }

    /// Brings locals to the form of a join, for all gangs.
    fn group_coerce(&mut self, to: &State, except: &[LocalId]) -> Result<(), CodegenError> {
        let list: Vec<LocalId> = (0..to.len())
            .map(LocalId::from_index)
            .filter(|l| {
                let (from, to) = (self.state[l.index()], to[l.index()]);
                from.is_some() && to.is_some() && from != to && !except.contains(l) && self.places.promoted[l.index()]
            })
            .collect();
        // Differences that change neither form nor place need no code.
        let real: Vec<LocalId> = list
            .iter()
            .copied()
            .filter(|l| {
                let (Some(a), Some(b)) = (self.state[l.index()], to[l.index()]) else { return false };
                let n = self.local_components(*l).0;
                a.root != b.root
                    || (0..n).any(|c| {
                        a.c[c].linear != b.c[c].linear
                            || (a.c[c].bits ^ b.c[c].bits) & 3 != 0
                            || a.c[c].is_uniform() != b.c[c].is_uniform()
                    })
            })
            .collect();
        if !real.is_empty() {
            self.regions.in_gang = true;
            let before = self.state.clone();
            self.for_each_gang(|me| {
                for l in &real {
                    me.load_context(*l);
                }
                let mut target = me.state.clone();
                for l in &real {
                    target[l.index()] = to[l.index()];
                }
                me.coerce_state(&target, &[]);
                for l in &real {
                    me.save_context(*l);
                }
                Ok(())
            })?;
            self.state = before;
            self.regions.in_gang = false;
        }
        self.state = to.clone();
        Ok(())
    }

    // ---- what crosses regions ------------------------------------------------------------------------
    fn context_slot(&mut self, key: Slot, bytes: u64) -> (u64, u64) {
        if let Some(s) = self.regions.slots.get(&key) {
            return *s;
        }
        let size = bytes.next_multiple_of(64);
        let at = self.plan.take(size * u64::from(self.layout.gangs), 64);
        self.regions.slots.insert(key, (at, size));
        (at, size)
    }
    fn context_address(&self, slot: (u64, u64)) -> V {
        let ll = self.ll;
        let g = ll.zext(self.gang_index, ll.int(64));
        ll.gep(ll.gep_const(self.scratch, slot.0), ll.mul(g, ll.c64(slot.1)))
    }
    fn most_bytes(&self, s: Scalar) -> u64 {
        u64::from(s.size()) * u64::from(self.gang.threads())
    }
    fn value_slot(&mut self, v: ValueId, c: usize) -> (u64, u64) {
        let s = if self.module.types.pointee(self.f.insts[v].ty).is_some() { Scalar::U64 } else { self.scalar_of(v) };
        let bytes = self.most_bytes(s);
        self.context_slot(Slot::Value(v, c), bytes)
    }

    fn write_comp(&self, at: V, comp: &Comp, s: Scalar) {
        let ll = self.ll;
        let mut offset = 0;
        for v in &comp.v {
            let x = if s == Scalar::Bool { ll.zext(*v, ll.like(ll.int(8), *v)) } else { *v };
            ll.store(x, ll.gep_const(at, offset), s.size());
            offset += u64::from(s.size()) * u64::from(ll.lanes(ll.type_of(*v)));
        }
    }
    fn read_comp(&self, at: V, shape: Shape, s: Scalar) -> Comp {
        let ll = self.ll;
        let vector = shape.lanes() && shape.linear.is_none();
        let e = memory_type(ll, s);
        let t = if vector { self.vector_type(e) } else { e };
        let step = u64::from(s.size()) * if vector { u64::from(self.gang.lanes) } else { 1 };
        let v = (0..shape.copies(self.gang.parts))
            .map(|i| {
                let x = ll.load(t, ll.gep_const(at, u64::from(i) * step), s.size());
                if s == Scalar::Bool { ll.ne(x, ll.zero(t)) } else { x }
            })
            .collect();
        Comp { shape, v }
    }

    fn load_context(&mut self, l: LocalId) {
        let Some(state) = self.state[l.index()] else { return };
        let (n, s) = self.local_components(l);
        for c in 0..n {
            if state.c[c].is_uniform() {
                continue;
            }
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(l.index(), c), bytes);
            let comp = self.read_comp(self.context_address(slot), state.c[c], s);
            self.write_slot(l.index(), c, &comp);
        }
    }
    fn save_context(&mut self, l: LocalId) {
        let Some(state) = self.state[l.index()] else { return };
        let (n, s) = self.local_components(l);
        for c in 0..n {
            if state.c[c].is_uniform() {
                continue;
            }
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(l.index(), c), bytes);
            let comp = self.read_slot(l.index(), c, state.c[c], s);
            self.write_comp(self.context_address(slot), &comp, s);
        }
    }

    /// Whether computing a value again is as good as keeping it.
    fn is_cheap(&self, v: ValueId, depth: u32) -> bool {
        if self.regions.at_group_level.get(v.index()).copied().unwrap_or(false) {
            return true;
        }
        if depth == 0 {
            return false;
        }
        let cheap = match &self.f.insts[v].op {
            Op::Const(_) | Op::Builtin(_) | Op::Param(_) | Op::LocalAddr(_) | Op::GlobalAddr(_) | Op::Undef => true,
            Op::Extract { .. }
            | Op::Splat(_)
            | Op::Compose(_)
            | Op::FieldAddr { .. }
            | Op::IndexAddr { .. }
            | Op::PtrOffset { .. }
            | Op::PtrCast(_)
            | Op::Compare(..)
            | Op::Convert(_) => true,
            Op::Binary(op, ..) => {
                use msl_ir::BinaryOp as Bin;
                self.scalar_of(v).is_integer()
                    && matches!(op, Bin::Add | Bin::Sub | Bin::Mul | Bin::And | Bin::Or | Bin::Shl | Bin::Shr)
            }
            _ => false,
        };
        let mut all = cheap;
        if cheap {
            self.f.insts[v].op.for_each_operand(|o| all &= self.is_cheap(o, depth - 1));
        }
        all
    }

    /// Keeps a value for later regions, if they use it and it is not cheap.
    fn save_value(&mut self, v: ValueId, inside: &HashSet<ValueId>) {
        let used_later = self.regions.users.get(&v).is_some_and(|list| list.iter().any(|u| !inside.contains(u)));
        if !used_later {
            return;
        }
        let condition_above = self.regions.users[&v]
            .iter()
            .any(|u| self.flow.barrier[u.index()] && matches!(self.f.insts[*u].op, Op::If { .. } | Op::Switch { .. }));
        if self.is_cheap(v, 8) && !condition_above {
            return;
        }
        match self.vals[v.index()].clone() {
            Some(Val::Comps(list)) => {
                let s = self.scalar_of(v);
                for (c, comp) in list.iter().enumerate() {
                    let slot = self.value_slot(v, c);
                    self.write_comp(self.context_address(slot), comp, s);
                }
            }
            Some(Val::Pointer(p)) => {
                let slot = self.value_slot(v, 0);
                self.write_comp(self.context_address(slot), &p.scalar, Scalar::I64);
                if let Some(var) = &p.var {
                    let slot = self.value_slot(v, 1);
                    self.write_comp(self.context_address(slot), &var.index, var.ty);
                    self.regions_note(v, var);
                }
            }
            None => {}
        }
    }

    fn regions_note(&mut self, v: ValueId, var: &Varying) {
        self.regions.slots.insert(Slot::Value(v, 2), (var.ty.size().into(), var.scale as u64));
        let signed = u64::from(var.ty.is_signed());
        self.regions.slots.insert(Slot::Value(v, 3), (signed, 0));
    }

    /// Makes a value of an earlier region available in this one.
    fn restore_value(&mut self, v: ValueId) -> Result<(), CodegenError> {
        if self.vals[v.index()].is_some() {
            return Ok(());
        }
        let kept = self.regions.slots.contains_key(&Slot::Value(v, 0));
        if !kept {
            let mut operands = Vec::new();
            self.f.insts[v].op.for_each_operand(|o| operands.push(o));
            for o in operands {
                self.restore_value(o)?;
            }
            return self.value_inst(v);
        }
        let shape = self.flow.shapes[v.index()];
        let val = if let Some((root, valid)) = shape.root {
            let slot = self.value_slot(v, 0);
            let scalar = self.read_comp(self.context_address(slot), shape.c[0], Scalar::I64);
            let note = self.regions.slots.get(&Slot::Value(v, 2)).copied();
            let var = note.map(|(size, scale)| {
                let signed = self.regions.slots.get(&Slot::Value(v, 3)).is_some_and(|s| s.0 != 0);
                let ty = match (size, signed) {
                    (1, false) => Scalar::U8,
                    (1, true) => Scalar::I8,
                    (2, false) => Scalar::U16,
                    (2, true) => Scalar::I16,
                    (4, false) => Scalar::U32,
                    (4, true) => Scalar::I32,
                    (_, false) => Scalar::U64,
                    (_, true) => Scalar::I64,
                };
                let slot = self.value_slot(v, 1);
                let index = self.read_comp(self.context_address(slot), shape.c[1], ty);
                Varying { index, ty, scale: scale as i64 }
            });
            Val::Pointer(crate::emit::value::Pointer { root, valid, scalar, var })
        } else {
            let s = self.scalar_of(v);
            let comps = (0..self.count_of(v))
                .map(|c| {
                    let slot = self.value_slot(v, c);
                    self.read_comp(self.context_address(slot), shape.c[c], s)
                })
                .collect();
            Val::Comps(comps)
        };
        self.vals[v.index()] = Some(val);
        let _ = register_type;
        Ok(())
    }
}

/// An instruction and everything nested in it.
fn tree(f: &msl_ir::Function, id: ValueId, out: &mut HashSet<ValueId>) {
    out.insert(id);
    for b in f.insts[id].op.blocks() {
        for i in &b.insts {
            tree(f, *i, out);
        }
    }
}

/// Who uses each value.
fn users(f: &msl_ir::Function, block: &Block) -> HashMap<ValueId, Vec<ValueId>> {
    fn walk(f: &msl_ir::Function, b: &Block, out: &mut HashMap<ValueId, Vec<ValueId>>) {
        for id in &b.insts {
            f.insts[*id].op.for_each_operand(|v| out.entry(v).or_default().push(*id));
            for b in f.insts[*id].op.blocks() {
                walk(f, b, out);
            }
        }
    }
    let mut out = HashMap::new();
    walk(f, block, &mut out);
    out
}

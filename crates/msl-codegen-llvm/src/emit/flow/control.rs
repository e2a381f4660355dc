//! The walk over blocks and constructs: which branches diverge, which exits need masks, and what
//! arrives at each join.

use msl_base::Id;
use msl_ir::{AddressSpace, Block, LabelId, Op, ValueId};

use super::values::offset_parts;
use super::{Frame, FrameKind, Point, State, Walk};
use crate::emit::live::{Set, stored_in};
use crate::emit::shape::{ALL, G, Shape, ValueShape};

impl Walk<'_> {
    /// Walks a block; false when control cannot reach its end.
    pub(super) fn block(&mut self, block: &Block, state: &mut State) -> bool {
        for id in &block.insts {
            if !self.inst(*id, state) {
                return false;
            }
        }
        true
    }

    pub(super) fn inst(&mut self, id: ValueId, state: &mut State) -> bool {
        let f = self.f;
        let op = &f.insts[id].op;
        self.flow.masked[id.index()] = self.mask_partial;
        // A uniform condition under which all threads leave a construct with barriers is decided once
        // for the threadgroup, like the construct itself.
        if let Op::If { condition, then, otherwise } = op
            && self.gangs.is_split()
            && !self.in_gang
            && !self.flow.barrier[id.index()]
            && self.flow.shapes[condition.index()].c[0].is_uniform()
            && [then, otherwise].iter().any(|b| self.leaves(b))
        {
            Self::set(&mut self.flow.barrier[id.index()], &mut self.changed);
        }
        // Below a construct that holds no barrier everything belongs to one gang.
        let was_in_gang = self.in_gang;
        if !op.blocks().is_empty() && !self.flow.barrier[id.index()] {
            self.in_gang = true;
        }
        let falls = match op {
            Op::If { condition, then, otherwise } => {
                let c = self.flow.shapes[condition.index()].c[0];
                // Around a barrier a real branch is one for the whole threadgroup. Gangs may go different ways,
                // though: nobody need come by a barrier that orders no memory.
                let is_for_all = self.gangs.is_split() && !self.in_gang;
                if !self.is_real(c) || is_for_all && c.bits & G != 0 {
                    Self::set(&mut self.flow.divergent[id.index()], &mut self.changed);
                }
                self.walk_if(id, then, otherwise, state)
            }
            Op::Loop { label, body, continuing, .. } => self.walk_loop(id, *label, body, continuing, state),
            Op::Scope { label, body } => {
                self.flow.owner.insert(*label, id);
                self.targets.insert((*label, true), None);
                self.frames.push(Frame { kind: FrameKind::Scope(*label), id });
                let partial = self.mask_partial;
                let falls = self.block(body, state);
                self.frames.pop();
                self.mask_partial = partial || self.flow.escaped[id.index()];
                self.finish(id, *label, falls, state)
            }
            Op::Switch { label, value, cases } => {
                let c = self.flow.shapes[value.index()].c[0];
                if !self.is_real(c) {
                    Self::set(&mut self.flow.divergent[id.index()], &mut self.changed);
                }
                self.walk_switch(id, *label, cases, state)
            }
            Op::Break(label) => self.exit(id, Some(*label), true, state),
            Op::Continue(label) => self.exit(id, Some(*label), false, state),
            Op::Return(_) => self.exit(id, None, true, state),
            // Nothing is emitted for it: where lanes diverge others may pass.
            Op::Unreachable => true,
            Op::Store { ptr, value, .. } => {
                if let Some(place) = self.places.get(*ptr) {
                    let blend = self.needs_blend(place);
                    self.flow.blend[id.index()] = blend;
                    let value = self.flow.shapes[value.index()];
                    self.assign(place, value, blend, state);
                    if let Some(s) = state[place.local.index()] {
                        self.flow.stored.insert(id, s);
                    }
                }
                true
            }
            Op::Load { ptr, .. } => {
                self.flow.shapes[id.index()] = match self.places.get(*ptr) {
                    Some(place) => {
                        let ty = f.locals[place.local].ty;
                        let s = state[place.local.index()].unwrap_or_else(|| self.initial(ty));
                        match place.component {
                            None if s.root.is_some() => offset_parts(s),
                            None => s,
                            Some(c) => ValueShape::splat(s.c[usize::from(c)]),
                        }
                    }
                    None => self.memory_load(id, *ptr),
                };
                true
            }
            _ => {
                self.flow.shapes[id.index()] = self.value(id);
                true
            }
        };
        self.in_gang = was_in_gang;
        falls
    }

    /// Whether a block has an exit to a construct that holds barriers, or out of the function.
    pub(super) fn leaves(&self, block: &Block) -> bool {
        block.insts.iter().any(|id| match &self.f.insts[*id].op {
            Op::Return(_) => true,
            Op::Break(l) | Op::Continue(l) => self.flow.owner.get(l).is_some_and(|o| self.flow.barrier[o.index()]),
            op => op.blocks().iter().any(|b| self.leaves(b)),
        })
    }

    pub(super) fn walk_if(&mut self, id: ValueId, then: &Block, otherwise: &Block, state: &mut State) -> bool {
        let divergent = self.flow.divergent[id.index()];
        let before = state.clone();
        let partial = self.mask_partial;
        self.mask_partial |= divergent;
        self.frames.push(Frame { kind: FrameKind::If { divergent, in_then: true }, id });
        let then_falls = self.block(then, state);
        self.frames.pop();
        self.mask_partial = partial || divergent;
        self.frames.push(Frame { kind: FrameKind::If { divergent, in_then: false }, id });
        let falls = if divergent {
            // Both sides run, one after the other; either may be jumped over.
            let mut middle = before;
            if then_falls {
                self.join(&mut middle, state);
            }
            self.flow.states.insert((id, Point::Middle(0)), middle.clone());
            let mut end = middle.clone();
            let falls = self.block(otherwise, &mut end);
            if falls {
                self.join(&mut middle, &end);
            }
            *state = middle;
            true
        } else {
            let mut end = before;
            let else_falls = self.block(otherwise, &mut end);
            match (then_falls, else_falls) {
                (true, true) => self.join(state, &end),
                (false, true) => *state = end,
                _ => {}
            }
            then_falls || else_falls
        };
        self.frames.pop();
        self.mask_partial = partial || self.flow.escaped[id.index()];
        self.flow.states.insert((id, Point::After), state.clone());
        falls
    }

    pub(super) fn walk_loop(
        &mut self,
        id: ValueId,
        label: LabelId,
        body: &Block,
        continuing: &Block,
        state: &mut State,
    ) -> bool {
        self.flow.owner.insert(label, id);
        let partial = self.mask_partial;
        let mut head = state.clone();
        let mut bottom;
        let mut rounds = 0;
        loop {
            rounds += 1;
            self.targets.insert((label, true), None);
            self.targets.insert((label, false), None);
            let mut s = head.clone();
            self.mask_partial |= self.flow.masked_break.contains(&label) || self.flow.escaped[id.index()];
            let loop_partial = self.mask_partial;
            self.frames.push(Frame { kind: FrameKind::Loop(label), id });
            self.frames.push(Frame { kind: FrameKind::LoopBody(label), id });
            let mut falls = self.block(body, &mut s);
            self.frames.pop();
            if let Some(c) = self.targets.get(&(label, false)).cloned().flatten() {
                if falls {
                    self.join(&mut s, &c);
                } else {
                    s = c;
                }
                falls = true;
            }
            self.mask_partial = loop_partial || self.flow.body_escaped[id.index()];
            self.flow.states.insert((id, Point::Continuing), s.clone());
            if falls {
                falls = self.block(continuing, &mut s);
            }
            self.frames.pop();
            self.mask_partial = partial;
            bottom = falls.then(|| s.clone());
            if !falls {
                break;
            }
            let mut new_head = head.clone();
            self.join(&mut new_head, &s);
            if rounds > 1 {
                forget_alignments(&mut new_head, &head);
            }
            if new_head == head || rounds > 40 {
                break;
            }
            head = new_head;
        }
        self.flow.states.insert((id, Point::Head), head);
        // Where lanes leave one by one, the loop ends at its bottom when none is left.
        let by_mask = self.flow.masked_break.contains(&label) || self.flow.escaped[id.index()];
        let mut after = self.targets.get(&(label, true)).cloned().flatten();
        if by_mask && let Some(b) = bottom {
            after = Some(match after {
                None => b,
                Some(mut a) => {
                    self.join(&mut a, &b);
                    a
                }
            });
        }
        let mut captured = Vec::new();
        if self.flow.masked_break.contains(&label)
            && let Some(live) = self.live.after.get(&id)
        {
            let mut stored = Set::new(self.f.locals.len());
            stored_in(self.f, self.places, id, &mut stored);
            captured = stored.iter().filter(|l| live.has(*l)).collect();
            if let Some(after) = &mut after {
                for l in &captured {
                    let ty = self.f.locals[*l].ty;
                    let old = state[l.index()];
                    let new = after[l.index()];
                    let mut shape = ValueShape::splat(Shape::of(self.gangs.varying().bits & ALL));
                    let roots = [old, new].into_iter().flatten().filter_map(|s| s.root);
                    let all = self.capture_roots.get(&(id, *l)).copied().into_iter().chain(roots);
                    let space = self.space_of(ty).unwrap_or(AddressSpace::Device);
                    shape.root = all.reduce(|(a, v), (b, w)| (a.join(b, space), v && w));
                    after[l.index()] = Some(shape);
                }
            }
        }
        self.flow.captures.insert(id, captured);
        self.mask_partial = partial || self.flow.escaped[id.index()];
        match after {
            Some(s) => {
                *state = s.clone();
                self.flow.states.insert((id, Point::After), s);
                true
            }
            None => false,
        }
    }

    pub(super) fn walk_switch(
        &mut self,
        id: ValueId,
        label: LabelId,
        cases: &[msl_ir::Case],
        state: &mut State,
    ) -> bool {
        self.flow.owner.insert(label, id);
        self.targets.insert((label, true), None);
        let divergent = self.flow.divergent[id.index()];
        let partial = self.mask_partial;
        self.frames.push(Frame { kind: FrameKind::Switch(label), id });
        self.frames.push(Frame { kind: FrameKind::Case { divergent }, id });
        let before = state.clone();
        let mut falls = false;
        let has_default = cases.iter().any(|c| c.is_default);
        for (i, case) in cases.iter().enumerate() {
            self.mask_partial = partial || divergent || self.flow.body_escaped[id.index()];
            let mut s = if divergent { state.clone() } else { before.clone() };
            if !divergent && falls {
                self.join(&mut s, state);
            }
            self.flow.states.insert((id, Point::Middle(i as u32)), s.clone());
            let case_falls = self.block(&case.body, &mut s);
            if divergent {
                if case_falls {
                    self.join(state, &s);
                }
                falls = true;
            } else {
                *state = s;
                falls = case_falls;
            }
        }
        self.frames.pop();
        self.frames.pop();
        if !divergent && !has_default {
            if falls {
                self.join(state, &before);
            } else {
                *state = before;
            }
            falls = true;
        }
        self.mask_partial = partial || self.flow.escaped[id.index()];
        self.finish(id, label, falls || divergent, state)
    }

    /// Joins the real breaks of a scope or switch with its end.
    pub(super) fn finish(&mut self, id: ValueId, label: LabelId, falls: bool, state: &mut State) -> bool {
        let breaks = self.targets.get(&(label, true)).cloned().flatten();
        let reached = falls || breaks.is_some();
        if let Some(b) = breaks {
            if falls {
                self.join(state, &b);
            } else {
                *state = b;
            }
        }
        self.flow.states.insert((id, Point::After), state.clone());
        reached
    }

    /// Decides how an exit is done. `label` is `None` for a return.
    pub(super) fn exit(&mut self, id: ValueId, label: Option<LabelId>, is_break: bool, state: &State) -> bool {
        let target = |k: FrameKind| match (label, is_break) {
            (None, _) => false,
            (Some(l), true) => matches!(k, FrameKind::Loop(x) | FrameKind::Scope(x) | FrameKind::Switch(x) if x == l),
            (Some(l), false) => k == FrameKind::LoopBody(l),
        };
        let crossed: Vec<Frame> = self.frames.iter().rev().copied().take_while(|fr| !target(fr.kind)).collect();
        let mut masked = self.flow.masked_exit[id.index()];
        for frame in &crossed {
            masked |= match frame.kind {
                FrameKind::If { divergent, .. } | FrameKind::Case { divergent } => divergent,
                FrameKind::LoopBody(l) => self.flow.masked_continue.contains(&l),
                FrameKind::Loop(l) | FrameKind::Scope(l) | FrameKind::Switch(l) => self.flow.masked_break.contains(&l),
            };
        }
        // A branch must not leave the loop over gangs for a construct outside of it.
        if self.gangs.is_split() && self.in_gang {
            let owner = label.and_then(|l| self.flow.owner.get(&l));
            masked |= owner.is_none_or(|o| self.flow.barrier[o.index()]);
        }
        if !masked {
            if let Some(l) = label {
                self.join_target(l, is_break, state);
            }
            return false;
        }
        Self::set(&mut self.flow.masked_exit[id.index()], &mut self.changed);
        for frame in &crossed {
            let flag = match frame.kind {
                FrameKind::LoopBody(_) | FrameKind::Case { .. } => &mut self.flow.body_escaped[frame.id.index()],
                _ => &mut self.flow.escaped[frame.id.index()],
            };
            Self::set(flag, &mut self.changed);
        }
        if let Some(l) = label {
            let set = if is_break { &mut self.flow.masked_break } else { &mut self.flow.masked_continue };
            if set.insert(l) {
                self.changed = true;
            }
            if is_break && let Some(owner) = self.flow.owner.get(&l).copied() {
                self.note_capture_roots(owner, state);
            }
            for frame in &crossed {
                if matches!(frame.kind, FrameKind::Loop(_)) {
                    self.note_capture_roots(frame.id, state);
                }
            }
        }
        self.mask_partial = true;
        true
    }

    /// Where the pointers that lanes take out of a loop come from.
    pub(super) fn note_capture_roots(&mut self, owner: ValueId, state: &State) {
        for (i, s) in state.iter().enumerate() {
            let l = msl_ir::LocalId::from_index(i);
            if let Some(ValueShape { root: Some((r, v)), .. }) = s {
                let space = self.space_of(self.f.locals[l].ty).unwrap_or(AddressSpace::Device);
                let old = self.capture_roots.get(&(owner, l)).copied();
                let new = old.map_or((*r, *v), |(a, w)| (a.join(*r, space), w && *v));
                self.capture_roots.insert((owner, l), new);
            }
        }
    }
}

/// What lost zeros at its end again is taken to lose them all: numbers that are halved in each iteration.
fn forget_alignments(new: &mut State, old: &State) {
    for (new, old) in new.iter_mut().zip(old) {
        if let (Some(new), Some(old)) = (new, old) {
            for (n, o) in new.c.iter_mut().zip(&old.c) {
                if n.align < o.align {
                    n.align = 0;
                }
            }
        }
    }
}

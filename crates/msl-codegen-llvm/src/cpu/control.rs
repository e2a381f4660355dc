//! Control flow inside of one gang. Conditions that agree in all lanes branch; others run both
//! sides under masks, jumping over a side that no lane takes when it is worth testing.

use msl_base::Id;
use msl_ir::{Block, Case, LabelId, LocalId, Op, ValueId};

use super::in_step::LeadingTest;
use super::kernel::Emit;
use super::masks::{Mask, MaskSlot};
use crate::CodegenError;
use crate::emit::flow::Point;
use crate::emit::live::{Set, stored_in};
use crate::emit::shape::{Root, Shape};
use crate::emit::value::Val;
use crate::llvm::{B, V};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    If,
    Loop,
    LoopBody,
    Scope,
    Switch,
    Case,
}

/// An open construct.
#[derive(Clone)]
pub struct Frame {
    pub kind: FrameKind,
    pub id: ValueId,
    pub label: Option<LabelId>,
    /// Where a real exit to it branches.
    pub target: Option<B>,
    /// Lanes that left it for an outer construct.
    pub escaped: Option<MaskSlot>,
}

impl Emit<'_> {
    /// Emits a block; false when control cannot reach its end (the LLVM block is then finished).
    pub fn block(&mut self, block: &Block) -> Result<bool, CodegenError> {
        self.wide.forget();
        let falls = self.list(&block.insts)?;
        self.wide.forget();
        Ok(falls)
    }

    /// Instructions of a block.
    pub fn list(&mut self, list: &[ValueId]) -> Result<bool, CodegenError> {
        for id in list {
            if !self.inst(*id)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn inst(&mut self, id: ValueId) -> Result<bool, CodegenError> {
        let f = self.f;
        self.set_line(id);
        match &f.insts[id].op {
            Op::If { condition, then, otherwise } => self.emit_if(id, *condition, then, otherwise),
            Op::Loop { label, body, continuing, .. } => self.emit_loop(id, *label, body, continuing),
            Op::Scope { label, body } => self.emit_scope(id, *label, body),
            Op::Switch { label, value, cases } => self.emit_switch(id, *label, *value, cases),
            Op::Break(label) => self.exit(id, Some(*label), true),
            Op::Continue(label) => self.exit(id, Some(*label), false),
            Op::Return(_) => self.exit(id, None, true),
            Op::Unreachable => Ok(true),
            _ => {
                self.value_inst(id)?;
                Ok(true)
            }
        }
    }

    fn escape_slot(&self, needed: bool) -> Option<MaskSlot> {
        needed.then(|| {
            let s = self.new_mask_slot();
            self.clear_mask(&s);
            s
        })
    }

    /// The mask after a construct: what entered it, less what left for good.
    fn mask_after(&self, entry: &Mask, escaped: &Option<MaskSlot>) -> Mask {
        match escaped {
            None => entry.clone(),
            Some(slot) => {
                let gone = self.read_mask(slot);
                self.mask_and_not(entry, &gone)
            }
        }
    }

    fn emit_if(
        &mut self,
        id: ValueId,
        condition: ValueId,
        then: &Block,
        otherwise: &Block,
    ) -> Result<bool, CodegenError> {
        let entry = self.mask.clone();
        let escaped = self.escape_slot(self.flow.escaped[id.index()]);
        self.frames.push(Frame { kind: FrameKind::If, id, label: None, target: None, escaped: escaped.clone() });
        let falls = if self.flow.divergent[id.index()] {
            let c: Vec<V> = self.comp_vectors(condition, 0);
            let then_mask = self.mask_and(&entry, &c);
            let else_mask = self.mask_and_not(&entry, &c);
            let (middle, after) = (self.point(id, Point::Middle(0)), self.point(id, Point::After));
            self.masked_block(then, then_mask, &middle)?;
            self.masked_block(otherwise, else_mask, &after)?;
            true
        } else {
            let c = self.comp_scalar(condition, 0);
            let (t, e, m) = (self.ll.new_block("then"), self.ll.new_block("else"), self.ll.new_block("endif"));
            self.ll.cond_br(c, t, e);
            let before = self.state.clone();
            let after = self.point(id, Point::After);
            let mut falls = false;
            for (bb, block) in [(t, then), (e, otherwise)] {
                self.ll.at_end(bb);
                self.state.clone_from(&before);
                self.mask.clone_from(&entry);
                if self.block(block)? {
                    self.coerce_state(&after, &[]);
                    self.ll.br(m);
                    falls = true;
                }
            }
            self.ll.at_end(m);
            if falls {
                self.state = after;
            } else {
                self.ll.unreachable();
            }
            falls
        };
        self.frames.pop();
        if falls {
            self.mask = self.mask_after(&entry, &escaped);
        }
        Ok(falls)
    }

    /// Emits a block under a mask, ending in the given state.
    fn masked_block(&mut self, block: &Block, mask: Mask, end: &crate::emit::flow::State) -> Result<(), CodegenError> {
        if block.insts.is_empty() {
            self.coerce_state(end, &[]);
            return Ok(());
        }
        if !self.is_worth_a_test(block) {
            self.mask = mask;
            self.block(block)?;
            self.coerce_state(end, &[]);
            return Ok(());
        }
        let any = self.any(&mask);
        let (on, off, next) = (self.ll.new_block("on"), self.ll.new_block("off"), self.ll.new_block("next"));
        self.ll.cond_br(any, on, off);
        let before = self.state.clone();
        self.ll.at_end(on);
        self.mask = mask;
        if self.block(block)? {
            self.coerce_state(end, &[]);
            self.ll.br(next);
        }
        self.ll.at_end(off);
        self.state = before;
        self.coerce_state(end, &[]);
        self.ll.br(next);
        self.ll.at_end(next);
        Ok(())
    }

    /// A loop; where its bounds checks can be done before it, in two versions.
    fn emit_loop(
        &mut self,
        id: ValueId,
        label: LabelId,
        body: &Block,
        continuing: &Block,
    ) -> Result<bool, CodegenError> {
        if let Some(test) = self.emit_while_all_stay(id, label, body, continuing)? {
            return self.emit_one_loop(id, label, body, continuing, Some(&test));
        }
        let Some(hoisted) = self.hoist_checks(id, body, continuing, None)? else {
            return self.emit_one_loop(id, label, body, continuing, None);
        };
        let ll = self.ll;
        let known = |me: &mut Self| -> Result<bool, CodegenError> {
            let outer = me.unchecked.clone();
            me.unchecked.extend(hoisted.accesses.iter().cloned());
            let falls = me.emit_one_loop(id, label, body, continuing, None)?;
            me.unchecked = outer;
            Ok(falls)
        };
        if ll.is_const_ones(hoisted.ok) {
            return known(self);
        }
        let (fast, slow, join) = (ll.new_block("unchecked"), ll.new_block("checked"), ll.new_block("loopjoin"));
        ll.likely_br(hoisted.ok, fast, slow);
        let (state, mask) = (self.state.clone(), self.mask.clone());
        ll.at_end(slow);
        let falls = self.emit_one_loop(id, label, body, continuing, None)?;
        if falls {
            ll.br(join);
        }
        ll.at_end(fast);
        self.state = state;
        self.mask.clone_from(&mask);
        if known(self)? {
            ll.br(join);
        }
        ll.at_end(join);
        if !falls {
            ll.unreachable();
        }
        self.mask = mask;
        Ok(falls)
    }

    /// `in_step`: the test of the same loop that was emitted for as long as all lanes stay.
    fn emit_one_loop(
        &mut self,
        id: ValueId,
        label: LabelId,
        body: &Block,
        continuing: &Block,
        in_step: Option<&LeadingTest>,
    ) -> Result<bool, CodegenError> {
        let entry = self.mask.clone();
        let i = id.index();
        let by_mask = self.flow.masked_break.contains(&label) || self.flow.escaped[i];
        let escaped = self.escape_slot(self.flow.escaped[i]);
        let body_escaped = self.flow.body_escaped[i].then(|| self.new_mask_slot());
        let active = by_mask.then(|| {
            let s = self.new_mask_slot();
            self.write_mask(&s, &entry);
            s
        });
        let captures = self.flow.captures.get(&id).cloned().unwrap_or_default();
        let after = self.flow.states.get(&(id, Point::After)).cloned();
        self.begin_captures(id, &captures, after.as_ref());

        let head_state = self.point(id, Point::Head);
        self.coerce_state(&head_state, &[]);
        let head = self.ll.new_block("loop");
        let next = self.ll.new_block("continue");
        let out = self.ll.new_block("endloop");
        // Locals that the loop stores and that are not taken out of it are not used after it.
        let mut stored = Set::new(self.f.locals.len());
        stored_in(self.f, self.places, id, &mut stored);
        let stored: Vec<LocalId> = stored.iter().collect();
        match (in_step, &after) {
            (Some(test), Some(after)) => {
                let none = self.none_stay(test, body)?;
                let left = self.ll.new_block("allleft");
                self.ll.cond_br(none, left, head);
                self.ll.at_end(left);
                self.coerce_state(after, &stored);
                self.ll.br(out);
                self.state.clone_from(&head_state);
            }
            _ => self.ll.br(head),
        }
        self.ll.at_end(head);
        let iteration: Mask = match &active {
            Some(s) => Some(self.read_mask(s)),
            None => entry.clone(),
        };
        self.mask.clone_from(&iteration);
        if let Some(s) = &body_escaped {
            self.clear_mask(s);
        }
        self.frames.push(Frame {
            kind: FrameKind::Loop,
            id,
            label: Some(label),
            target: Some(out),
            escaped: escaped.clone(),
        });
        self.frames.push(Frame {
            kind: FrameKind::LoopBody,
            id,
            label: Some(label),
            target: Some(next),
            escaped: body_escaped.clone(),
        });
        let continuing_state = self.point(id, Point::Continuing);
        // Where threads leave by a test at the start, the body is not run for none of them.
        let tested = match &after {
            Some(after) if by_mask => self
                .leading_test(label, body)
                .filter(|t| self.flow.divergent[body.insts[t.at].index()])
                .map(|t| (t.at, after)),
            _ => None,
        };
        self.wide.forget();
        let mut falls = true;
        let rest = match tested {
            None => &body.insts[..],
            Some((at, after)) => {
                falls = self.list(&body.insts[..=at])?;
                let any = self.any(&self.mask);
                let (some, none) = (self.ll.new_block("some"), self.ll.new_block("none"));
                self.ll.cond_br(any, some, none);
                self.ll.at_end(none);
                let here = self.state.clone();
                self.coerce_state(after, &stored);
                self.ll.br(out);
                self.ll.at_end(some);
                self.state = here;
                &body.insts[at + 1..]
            }
        };
        let falls = falls && self.list(rest)?;
        self.wide.forget();
        if falls {
            self.coerce_state(&continuing_state, &[]);
            self.ll.br(next);
        }
        self.ll.at_end(next);
        self.state = continuing_state;
        self.mask = self.mask_after(&iteration, &body_escaped);
        if self.block(continuing)? {
            match &active {
                Some(slot) => {
                    // Breaks in `continuing` shrink the mask after the body's are accounted for.
                    let m = self.mask_after(&self.mask.clone(), &body_escaped);
                    self.write_mask(slot, &m);
                    if tested.is_some() {
                        self.coerce_state(&head_state, &[]);
                        self.ll.br(head);
                    } else {
                        let any = self.any(&m);
                        let (again, done) = (self.ll.new_block("again"), self.ll.new_block("done"));
                        self.ll.cond_br(any, again, done);
                        let bottom = self.state.clone();
                        self.ll.at_end(again);
                        self.coerce_state(&head_state, &[]);
                        self.ll.br(head);
                        self.ll.at_end(done);
                        self.state = bottom;
                        if let Some(a) = &after {
                            self.coerce_state(a, &captures);
                        }
                        self.ll.br(out);
                    }
                }
                None => {
                    self.coerce_state(&head_state, &[]);
                    self.ll.br(head);
                }
            }
        }
        self.frames.pop();
        self.frames.pop();
        self.ll.at_end(out);
        let Some(after) = after else {
            self.ll.unreachable();
            return Ok(false);
        };
        self.state = after;
        self.end_captures(id, &captures);
        self.mask = self.mask_after(&entry, &escaped);
        Ok(true)
    }

    fn emit_scope(&mut self, id: ValueId, label: LabelId, body: &Block) -> Result<bool, CodegenError> {
        let entry = self.mask.clone();
        let escaped = self.escape_slot(self.flow.escaped[id.index()]);
        let out = self.ll.new_block("endscope");
        self.frames.push(Frame {
            kind: FrameKind::Scope,
            id,
            label: Some(label),
            target: Some(out),
            escaped: escaped.clone(),
        });
        let after = self.point(id, Point::After);
        if self.block(body)? {
            self.coerce_state(&after, &[]);
            self.ll.br(out);
        }
        self.frames.pop();
        self.ll.at_end(out);
        self.state = after;
        self.mask = self.mask_after(&entry, &escaped);
        Ok(true)
    }

    fn emit_switch(
        &mut self,
        id: ValueId,
        label: LabelId,
        value: ValueId,
        cases: &[Case],
    ) -> Result<bool, CodegenError> {
        let entry = self.mask.clone();
        let i = id.index();
        let escaped = self.escape_slot(self.flow.escaped[i]);
        let body_escaped = self.escape_slot(self.flow.body_escaped[i]);
        let out = self.ll.new_block("endswitch");
        let frame = |kind, target, escaped| Frame { kind, id, label: Some(label), target, escaped };
        self.frames.push(frame(FrameKind::Switch, Some(out), escaped.clone()));
        self.frames.push(frame(FrameKind::Case, None, body_escaped.clone()));
        let after = self.point(id, Point::After);
        if self.flow.divergent[i] {
            self.masked_switch(id, value, cases)?;
            self.coerce_state(&after, &[]);
            self.ll.br(out);
        } else {
            let v = self.comp_scalar(value, 0);
            let from = self.ll.current();
            let blocks: Vec<B> = cases.iter().map(|_| self.ll.new_block("case")).collect();
            let before = self.state.clone();
            let edge = |me: &mut Self, state: &crate::emit::flow::State, to: B| {
                let b = me.ll.new_block("edge");
                me.ll.at_end(b);
                me.state.clone_from(&before);
                me.coerce_state(state, &[]);
                me.ll.br(to);
                b
            };
            let mut list = Vec::new();
            let mut default = None;
            for (k, case) in cases.iter().enumerate() {
                let state = self.point(id, Point::Middle(k as u32));
                let b = edge(self, &state, blocks[k]);
                list.extend(case.values.iter().map(|v| (*v as u64, b)));
                if case.is_default {
                    default = Some(b);
                }
            }
            let default = match default {
                Some(b) => b,
                None => edge(self, &after, out),
            };
            self.ll.at_end(from);
            self.ll.switch(v, default, &list);
            for (k, case) in cases.iter().enumerate() {
                self.ll.at_end(blocks[k]);
                self.state = self.point(id, Point::Middle(k as u32));
                self.mask = self.mask_after(&entry, &body_escaped);
                if self.block(&case.body)? {
                    let (state, to) = match blocks.get(k + 1) {
                        Some(b) => (self.point(id, Point::Middle(k as u32 + 1)), *b),
                        None => (after.clone(), out),
                    };
                    self.coerce_state(&state, &[]);
                    self.ll.br(to);
                }
            }
        }
        self.frames.pop();
        self.frames.pop();
        self.ll.at_end(out);
        self.state = after;
        self.mask = self.mask_after(&entry, &escaped);
        Ok(true)
    }

    /// All cases in order, each for the lanes that match it or fall into it.
    fn masked_switch(&mut self, id: ValueId, value: ValueId, cases: &[Case]) -> Result<(), CodegenError> {
        let entry = self.mask.clone();
        let v = self.comp_vectors(value, 0);
        let mut unmatched = self.mask_parts(&entry);
        let mut matches = Vec::new();
        for case in cases {
            let mut m = vec![self.all_off(); v.len()];
            for k in &case.values {
                for (p, x) in v.iter().enumerate() {
                    let c = self.ll.cint(self.ll.type_of(*x), *k as u64);
                    let hit = self.ll.eq(*x, c);
                    m[p] = self.ll.or(m[p], hit);
                }
            }
            for (p, u) in unmatched.iter_mut().enumerate() {
                *u = self.ll.and(*u, self.ll.not(m[p]));
            }
            matches.push(m);
        }
        let fall = self.new_mask_slot();
        self.clear_mask(&fall);
        for (k, case) in cases.iter().enumerate() {
            let state = self.point(id, Point::Middle(k as u32));
            self.coerce_state(&state, &[]);
            let fallen = self.read_mask(&fall);
            let mut m = self.mask_parts(&self.mask_and(&entry, &matches[k]));
            for (p, x) in m.iter_mut().enumerate() {
                if case.is_default {
                    *x = self.ll.or(*x, unmatched[p]);
                }
                *x = self.ll.or(*x, fallen[p]);
            }
            self.mask = Some(m);
            self.block(&case.body)?;
            let end = self.mask.clone();
            self.write_mask(&fall, &end);
        }
        // What the last case left behind joins the state the analysis gives the end.
        Ok(())
    }

    /// `break`, `continue` (with a label) or `return`.
    fn exit(&mut self, id: ValueId, label: Option<LabelId>, is_break: bool) -> Result<bool, CodegenError> {
        let is_target = |fr: &Frame| {
            label.is_some()
                && fr.label == label
                && if is_break {
                    matches!(fr.kind, FrameKind::Loop | FrameKind::Scope | FrameKind::Switch)
                } else {
                    fr.kind == FrameKind::LoopBody
                }
        };
        let target = self.frames.iter().rposition(is_target);
        let is_loop_break = is_break && target.is_some_and(|t| self.frames[t].kind == FrameKind::Loop);
        if is_loop_break && let Some(t) = target {
            let loop_id = self.frames[t].id;
            self.capture(loop_id);
        }
        // Lanes that leave several loops at once take their values out of each.
        if label.is_some() && self.flow.masked_exit[id.index()] {
            for k in (target.map_or(0, |t| t + 1)..self.frames.len()).rev() {
                if self.frames[k].kind == FrameKind::Loop {
                    self.capture(self.frames[k].id);
                }
            }
        }
        if self.flow.masked_exit[id.index()] {
            let first = target.map_or(0, |t| t + 1);
            for k in (first..self.frames.len()).rev() {
                if let Some(s) = self.frames[k].escaped.clone() {
                    self.join_mask(&s, &self.mask.clone());
                }
            }
            // Lanes that leave for a construct around the loop over gangs stay off in later regions.
            if self.is_split && target.is_none_or(|t| self.flow.barrier[self.frames[t].id.index()]) {
                self.group_escape_from(first);
            }
            self.mask = Some(vec![self.all_off(); self.gang.parts as usize]);
            return Ok(true);
        }
        match target {
            Some(t) => {
                let frame = self.frames[t].clone();
                let (point, except) = match frame.kind {
                    FrameKind::LoopBody => (Point::Continuing, Vec::new()),
                    FrameKind::Loop => (Point::After, self.flow.captures.get(&frame.id).cloned().unwrap_or_default()),
                    _ => (Point::After, Vec::new()),
                };
                let state = self.point(frame.id, point);
                self.coerce_state(&state, &except);
                if let Some(b) = frame.target {
                    self.ll.br(b);
                }
            }
            None => self.ll.br(self.end),
        }
        Ok(false)
    }

    // ---- values taken out of a loop by leaving lanes ---------------------------------------------
    pub fn capture_storage(&mut self, id: ValueId, l: LocalId) -> usize {
        if let Some(s) = self.captured.get(&(id, l)) {
            return *s;
        }
        self.storage.push(super::locals::Storage::default());
        self.captured.insert((id, l), self.storage.len() - 1);
        self.storage.len() - 1
    }

    fn capture_root(&self, id: ValueId, l: LocalId) -> Option<Root> {
        let after = self.flow.states.get(&(id, Point::After))?;
        after[l.index()].and_then(|s| s.root).map(|r| r.0)
    }

    pub fn begin_captures(&mut self, id: ValueId, list: &[LocalId], after: Option<&crate::emit::flow::State>) {
        if after.is_none() {
            return;
        }
        for l in list {
            let storage = self.capture_storage(id, *l);
            let root = self.capture_root(id, *l);
            for c in 0..self.local_components(*l).0 {
                let v = self.read_as(*l, c, Shape::VARYING, root);
                self.write_slot(storage, c, &v);
            }
        }
    }

    pub fn capture(&mut self, id: ValueId) {
        let list = self.flow.captures.get(&id).cloned().unwrap_or_default();
        for l in list {
            let storage = self.capture_storage(id, l);
            let root = self.capture_root(id, l);
            let (n, s) = self.local_components(l);
            for c in 0..n {
                let mut v = self.read_as(l, c, Shape::VARYING, root);
                if self.mask.is_some() {
                    let old = self.read_slot(storage, c, Shape::VARYING, s);
                    for (p, x) in v.v.iter_mut().enumerate() {
                        *x = self.ll.select(self.mask_part(&self.mask, p as u32), *x, old.v[p]);
                    }
                }
                self.write_slot(storage, c, &v);
            }
        }
    }

    pub fn end_captures(&mut self, id: ValueId, list: &[LocalId]) {
        for l in list {
            let storage = self.capture_storage(id, *l);
            let (n, s) = self.local_components(*l);
            for c in 0..n {
                let v = self.read_slot(storage, c, Shape::VARYING, s);
                self.write_slot(l.index(), c, &v);
            }
        }
    }

    /// One scalar for the gang.
    pub fn comp_scalar(&self, v: ValueId, c: usize) -> V {
        match &self.vals[v.index()] {
            Some(Val::Comps(list)) => list[c].get(self.ll, self.gang, 0, false),
            _ => self.ll.cbool(false),
        }
    }
    /// One vector per part.
    pub fn comp_vectors(&self, v: ValueId, c: usize) -> Vec<V> {
        match &self.vals[v.index()] {
            Some(Val::Comps(list)) => (0..self.gang.parts).map(|p| list[c].get(self.ll, self.gang, p, true)).collect(),
            _ => vec![self.all_off(); self.gang.parts as usize],
        }
    }
}

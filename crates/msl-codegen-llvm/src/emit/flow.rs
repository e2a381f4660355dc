//! The flow analysis behind the emitter: the shape of every value, which branches diverge, which
//! exits must be done with masks, and how each promoted local is represented at each join.
//!
//! In: a function without calls, the shapes of its builtins, and whether the threadgroup is
//! split at barriers. Out: [`Flow`]. It is flow sensitive: a local that is uniform in one loop and
//! varying after it is kept in a scalar register inside the loop. The emitter walks the tree in
//! the same order and relies on every fact recorded here.
//!
//! Masked control: lanes that leave a construct early wait at its end, while the rest goes on
//! through the same code. A store by the rest must keep the waiting lanes' value (a *blend*) if
//! it is live where they wait. A loop that lanes leave one by one *captures* the locals live
//! after it at each exit instead, so that inside of it they stay uniform or linear.

use std::collections::{HashMap, HashSet};

use msl_base::Id;
use msl_ir::{
    AddressSpace, AtomicOp, BinaryOp, Block, Builtin, Function, LabelId, Module, Op, SimdOp, Type, UnaryOp, ValueId,
};

use super::live::{Liveness, Place, Places, Set, barriers, stored_in};
use super::shape::{ALL, G, Linear, Root, Shape, ValueShape};

/// What the analysis must know about the target's gangs.
pub trait Gangs {
    fn builtin(&self, b: Builtin) -> [Shape; 3];
    /// Of a value that is the same in all threads of a simdgroup.
    fn simdgroup_uniform(&self) -> Shape;
    /// Of a value that differs between all threads.
    fn varying(&self) -> Shape;
    /// Several gangs run between two barriers.
    fn is_split(&self) -> bool;
    /// No thread is masked off at the start.
    fn starts_full(&self) -> bool;
    /// Memory this parameter points to is not written by the kernel.
    fn is_read_only(&self, root: Root) -> bool;
}

/// The representation of each promoted local at one point; `None` where it was never stored.
pub type State = Vec<Option<ValueShape>>;

/// A join of a construct.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Point {
    /// Divergent `if`: between `then` and `else`. Divergent `switch`: before each case.
    Middle(u32),
    Head,
    Continuing,
    After,
}

#[derive(Default)]
pub struct Flow {
    /// By value; valid for reached instructions.
    pub shapes: Vec<ValueShape>,
    /// By `if` or `switch`: its condition differs within a gang.
    pub divergent: Vec<bool>,
    /// By store: lanes that are off must keep their value.
    pub blend: Vec<bool>,
    /// By `break`, `continue`, `return`: done with masks.
    pub masked_exit: Vec<bool>,
    /// By construct: a masked exit leaves it for an outer one.
    pub escaped: Vec<bool>,
    /// By loop: likewise for its body (breaks of the loop included).
    pub body_escaped: Vec<bool>,
    pub masked_break: HashSet<LabelId>,
    pub masked_continue: HashSet<LabelId>,
    /// By instruction: is or holds a threadgroup barrier.
    pub barrier: Vec<bool>,
    pub states: HashMap<(ValueId, Point), State>,
    /// By loop with masked breaks: locals whose value is taken as lanes leave.
    pub captures: HashMap<ValueId, Vec<msl_ir::LocalId>>,
    /// By label: the construct that carries it.
    pub owner: HashMap<LabelId, ValueId>,
    /// By store to a promoted local: the local's form after it.
    pub stored: HashMap<ValueId, ValueShape>,
    /// The mask may be partial at this construct or store.
    pub masked: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum FrameKind {
    If { divergent: bool, in_then: bool },
    Loop(LabelId),
    LoopBody(LabelId),
    Scope(LabelId),
    Switch(LabelId),
    Case { divergent: bool },
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: FrameKind,
    id: ValueId,
}

/// Runs the analysis.
pub fn analyze(module: &Module, f: &Function, places: &Places, live: &Liveness, gangs: &dyn Gangs) -> Flow {
    let n = f.insts.len();
    let mut walk = Walk {
        module,
        f,
        places,
        live,
        gangs,
        flow: Flow {
            shapes: vec![ValueShape::splat(Shape::UNIFORM); n],
            divergent: vec![false; n],
            blend: vec![false; n],
            masked_exit: vec![false; n],
            escaped: vec![false; n],
            body_escaped: vec![false; n],
            barrier: barriers(f),
            masked: vec![false; n],
            ..Flow::default()
        },
        frames: Vec::new(),
        targets: HashMap::new(),
        capture_roots: HashMap::new(),
        changed: false,
        in_gang: !gangs.is_split(),
        mask_partial: false,
    };
    // Divergence only grows; a pass that adds none is the last.
    for _ in 0..64 {
        walk.changed = false;
        walk.frames.clear();
        walk.targets.clear();
        walk.flow.states.clear();
        walk.mask_partial = !gangs.starts_full();
        let mut state: State = vec![None; f.locals.len()];
        walk.block(&f.body, &mut state);
        if !walk.changed {
            break;
        }
    }
    walk.flow
}

struct Walk<'a> {
    module: &'a Module,
    f: &'a Function,
    places: &'a Places,
    live: &'a Liveness,
    gangs: &'a dyn Gangs,
    flow: Flow,
    frames: Vec<Frame>,
    /// States that arrive at a label's break and continue targets by real branches.
    targets: HashMap<(LabelId, bool), Option<State>>,
    /// By loop and local: where the pointers taken out by leaving lanes come from.
    capture_roots: HashMap<(ValueId, msl_ir::LocalId), (Root, bool)>,
    changed: bool,
    /// Inside of the loop over gangs, below the level where barriers are.
    in_gang: bool,
    mask_partial: bool,
}

fn join_value(a: &ValueShape, b: &ValueShape, space: Option<AddressSpace>) -> ValueShape {
    let mut c = a.c;
    for (x, y) in c.iter_mut().zip(&b.c) {
        *x = x.join(*y);
    }
    let root = match (a.root, b.root, space) {
        (Some((r, v)), Some((s, w)), Some(space)) => Some((r.join(s, space), v && w)),
        (r, s, _) => r.or(s),
    };
    ValueShape { c, root }
}

impl Walk<'_> {
    fn space_of(&self, ty: msl_ir::TypeId) -> Option<AddressSpace> {
        self.module.types.pointee(ty).map(|p| p.0)
    }

    fn join(&self, a: &mut State, b: &State) {
        for (i, (x, y)) in a.iter_mut().zip(b).enumerate() {
            *x = match (*x, y) {
                (Some(p), Some(q)) if p == *q => Some(p),
                (Some(p), Some(q)) => {
                    let ty = self.f.locals[msl_ir::LocalId::from_index(i)].ty;
                    Some(join_value(&p, q, self.space_of(ty)))
                }
                (None, q) => *q,
                (p, None) => p,
            };
        }
    }
    fn join_target(&mut self, label: LabelId, is_break: bool, state: &State) {
        let old = self.targets.remove(&(label, is_break)).flatten();
        let new = match old {
            None => state.clone(),
            Some(mut old) => {
                self.join(&mut old, state);
                old
            }
        };
        self.targets.insert((label, is_break), Some(new));
    }
    fn set(flag: &mut bool, changed: &mut bool) {
        if !*flag {
            *flag = true;
            *changed = true;
        }
    }

    /// Whether a branch on this condition can be a real one.
    fn is_real(&self, c: Shape) -> bool {
        c.is_gang_uniform()
    }

    /// Walks a block; false when control cannot reach its end.
    fn block(&mut self, block: &Block, state: &mut State) -> bool {
        for id in &block.insts {
            if !self.inst(*id, state) {
                return false;
            }
        }
        true
    }

    fn inst(&mut self, id: ValueId, state: &mut State) -> bool {
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
                if !self.is_real(c) {
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
    fn leaves(&self, block: &Block) -> bool {
        block.insts.iter().any(|id| match &self.f.insts[*id].op {
            Op::Return(_) => true,
            Op::Break(l) | Op::Continue(l) => self.flow.owner.get(l).is_some_and(|o| self.flow.barrier[o.index()]),
            op => op.blocks().iter().any(|b| self.leaves(b)),
        })
    }

    /// A local that was never stored: nothing is known to differ.
    fn initial(&self, ty: msl_ir::TypeId) -> ValueShape {
        let root = self.space_of(ty).map(|s| (Root::unknown(s), false));
        ValueShape { c: [Shape::UNIFORM; 4], root }
    }

    fn assign(&mut self, place: Place, value: ValueShape, blend: bool, state: &mut State) {
        let ty = self.f.locals[place.local].ty;
        let old = state[place.local.index()].unwrap_or_else(|| self.initial(ty));
        let mut value = if value.root.is_some() { self.collapse(value) } else { value };
        if self.gangs.is_split() && self.in_gang {
            for s in &mut value.c {
                s.bits |= G;
            }
        }
        let mut new = old;
        match place.component {
            None => new = value,
            Some(c) => new.c[usize::from(c)] = value.c[0],
        }
        if blend {
            let n = usize::from(self.module.types.component_count(ty)).max(1);
            for (i, s) in new.c.iter_mut().enumerate().take(n) {
                if place.component.is_none_or(|c| usize::from(c) == i) {
                    *s = Shape::of(self.gangs.varying().bits & ALL);
                }
            }
            if let (Some((a, v)), Some((b, w)), Some(space)) = (old.root, new.root, self.space_of(ty)) {
                let known = state[place.local.index()].is_some();
                new.root = Some(if known { (a.join(b, space), v && w) } else { (b, w) });
            }
        }
        state[place.local.index()] = Some(new);
    }

    /// The two parts of a pointer's offset as one 64-bit number.
    fn collapse(&self, v: ValueShape) -> ValueShape {
        let (s, var) = (v.c[0], v.c[1]);
        let c = if var.lanes() || var.linear.is_some() {
            let scale = v.c[2].linear;
            match (var.linear, scale) {
                (Some(l), Some(k)) if l.exact || k.exact => s.plus(var.scale(k.stride)),
                _ => Shape::of((s.bits | var.bits) & ALL),
            }
        } else {
            s
        };
        ValueShape { c: [c, Shape::UNIFORM, Shape::UNIFORM, Shape::UNIFORM], root: v.root }
    }

    /// Whether lanes that are off at this store may still read the local's present value.
    fn needs_blend(&self, place: Place) -> bool {
        let l = place.local;
        let has = |m: &HashMap<ValueId, Set>, id: ValueId| m.get(&id).is_some_and(|s| s.has(l));
        for frame in self.frames.iter().rev() {
            let id = frame.id;
            match frame.kind {
                FrameKind::If { divergent: true, in_then } => {
                    if has(&self.live.after, id) || (in_then && has(&self.live.second, id)) {
                        return true;
                    }
                }
                FrameKind::If { divergent: false, .. } | FrameKind::Case { divergent: false } => {}
                FrameKind::Case { divergent: true } => {
                    if has(&self.live.after, id) || has(&self.live.second, id) {
                        return true;
                    }
                }
                FrameKind::LoopBody(label) => {
                    if self.flow.masked_continue.contains(&label) && has(&self.live.second, id) {
                        return true;
                    }
                }
                FrameKind::Loop(label) => {
                    if self.flow.masked_break.contains(&label) && has(&self.live.after, id) {
                        // Captured: the value of lanes outside of the loop is elsewhere.
                        return false;
                    }
                }
                FrameKind::Scope(label) | FrameKind::Switch(label) => {
                    if self.flow.masked_break.contains(&label) && has(&self.live.after, id) {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn walk_if(&mut self, id: ValueId, then: &Block, otherwise: &Block, state: &mut State) -> bool {
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

    fn walk_loop(&mut self, id: ValueId, label: LabelId, body: &Block, continuing: &Block, state: &mut State) -> bool {
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

    fn walk_switch(&mut self, id: ValueId, label: LabelId, cases: &[msl_ir::Case], state: &mut State) -> bool {
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
    fn finish(&mut self, id: ValueId, label: LabelId, falls: bool, state: &mut State) -> bool {
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
    fn exit(&mut self, id: ValueId, label: Option<LabelId>, is_break: bool, state: &State) -> bool {
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
    fn note_capture_roots(&mut self, owner: ValueId, state: &State) {
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

    /// Bytes per step of an index.
    fn index_scale(&self, base: ValueId, op: &Op) -> i64 {
        let types = &self.module.types;
        let Some((_, pointee)) = types.pointee(self.f.insts[base].ty) else { return 1 };
        let size = match (op, types.get(pointee)) {
            (Op::IndexAddr { .. }, Type::Array { elem, .. }) => types.size_of(*elem),
            (Op::IndexAddr { .. }, Type::Vector { elem, .. }) => u64::from(elem.size()),
            _ => types.size_of(pointee),
        };
        i64::try_from(size).unwrap_or(1)
    }
    /// The index, extended to 64 bits, is known not to have wrapped.
    fn is_exact_index(&self, index: ValueId) -> bool {
        self.module.types.scalar_of(self.f.insts[index].ty).is_some_and(|s| s.is_signed() || s.bits() == 64)
    }

    fn memory_load(&self, id: ValueId, ptr: ValueId) -> ValueShape {
        let p = self.flow.shapes[ptr.index()];
        let (root, _) = p.root.unwrap_or((Root::Raw, false));
        let mut bits = p.bits();
        match root {
            Root::Local(_) | Root::Private => bits = self.gangs.varying().bits & ALL,
            r if !self.gangs.is_read_only(r) && self.gangs.is_split() => bits |= G,
            _ => {}
        }
        let mut out = ValueShape::splat(Shape::of(bits));
        if let Some(space) = self.space_of(self.f.insts[id].ty) {
            out.root = Some((Root::unknown(space), false));
            out = offset_parts(out);
        }
        out
    }

    /// The bits of a scalar constant, sign extended.
    fn constant(&self, v: ValueId, component: usize) -> Option<i64> {
        let inst = &self.f.insts[v];
        match &inst.op {
            Op::Const(bits) => {
                let s = self.module.types.scalar_of(inst.ty)?;
                if !s.is_integer() {
                    return None;
                }
                let shift = 64 - s.bits();
                Some(((*bits as i64) << shift) >> shift)
            }
            Op::Splat(a) => self.constant(*a, 0),
            Op::Compose(list) => self.constant(*list.get(component)?, 0),
            _ => None,
        }
    }

    fn value(&self, id: ValueId) -> ValueShape {
        let inst = &self.f.insts[id];
        let shape = |v: &ValueId| self.flow.shapes[v.index()];
        let types = &self.module.types;
        let is_integer = types.scalar_of(inst.ty).is_some_and(|s| s.is_integer());
        let pointer = |root: Root, valid: bool, scalar: Shape, var: Shape| ValueShape {
            c: [scalar, var, Shape::UNIFORM, Shape::UNIFORM],
            root: Some((root, valid)),
        };
        let each = |list: &[&ValueId], g: &dyn Fn(usize, &[Shape]) -> Shape| {
            let mut out = ValueShape::splat(Shape::UNIFORM);
            for (i, c) in out.c.iter_mut().enumerate() {
                let operands: Vec<Shape> = list.iter().map(|v| shape(v).c[i]).collect();
                *c = g(i, &operands);
            }
            out
        };
        let mixed = |list: &[&ValueId]| each(list, &|_, s| s.iter().fold(Shape::UNIFORM, |a, b| a.mix(*b)));
        match &inst.op {
            Op::Const(_) | Op::Undef | Op::Fence { .. } | Op::Barrier { .. } | Op::Trap(_) | Op::Log { .. } => {
                match types.pointee(inst.ty) {
                    Some((space, _)) => pointer(Root::unknown(space), false, Shape::UNIFORM, Shape::UNIFORM),
                    None => ValueShape::splat(Shape::UNIFORM),
                }
            }
            Op::Splat(a) => ValueShape::splat(shape(a).c[0]),
            Op::Compose(list) => {
                let mut out = ValueShape::splat(Shape::UNIFORM);
                for (c, v) in out.c.iter_mut().zip(list) {
                    *c = shape(v).c[0];
                }
                out
            }
            Op::Extract { vector, index } => ValueShape::splat(shape(vector).c[usize::from(*index & 3)]),
            Op::ExtractDynamic { vector, index } => {
                let n = usize::from(types.component_count(self.f.insts[*vector].ty));
                let all = shape(vector).c[..n].iter().fold(shape(index).c[0], |a, b| a.mix(*b));
                ValueShape::splat(Shape::of(all.bits & ALL))
            }
            Op::Insert { vector, value, index } => {
                let mut out = shape(vector);
                out.c[usize::from(*index & 3)] = shape(value).c[0];
                out
            }
            Op::InsertDynamic { vector, value, index } => {
                let (v, i) = (shape(value).c[0], shape(index).c[0]);
                each(&[vector], &|_, s| s[0].mix(v).mix(i))
            }
            Op::Shuffle { vector, components } => {
                let v = shape(vector);
                let mut out = ValueShape::splat(Shape::UNIFORM);
                for (c, i) in out.c.iter_mut().zip(components) {
                    *c = v.c[usize::from(*i & 3)];
                }
                out
            }
            Op::Unary(UnaryOp::Neg, a) if is_integer => each(&[a], &|_, s| s[0].scale(-1)),
            Op::Unary(_, a) => mixed(&[a]),
            Op::Binary(op, a, b) if is_integer => each(&[a, b], &|i, s| match op {
                BinaryOp::Add => s[0].plus(s[1]),
                BinaryOp::Sub => s[0].minus(s[1]),
                BinaryOp::Mul => match (self.constant(*a, i), self.constant(*b, i)) {
                    (_, Some(k)) => s[0].scale(k),
                    (Some(k), _) => s[1].scale(k),
                    _ => s[0].mix(s[1]),
                },
                BinaryOp::Shl => match self.constant(*b, i) {
                    Some(k) if (0..31).contains(&k) => s[0].scale(1 << k),
                    _ => s[0].mix(s[1]),
                },
                BinaryOp::Min | BinaryOp::Max | BinaryOp::Rem => s[0].mix_near(s[1]),
                _ => s[0].mix(s[1]),
            }),
            Op::Binary(_, a, b) | Op::Compare(_, a, b) => mixed(&[a, b]),
            Op::Select { condition, a, b } => {
                let c = shape(condition);
                let is_vector = types.component_count(self.f.insts[*condition].ty) > 1;
                if let Some((space, _)) = types.pointee(inst.ty) {
                    let (x, y) = (self.collapse(shape(a)), self.collapse(shape(b)));
                    let root = match (x.root, y.root) {
                        (Some((r, v)), Some((s, w))) => (r.join(s, space), v && w),
                        _ => (Root::unknown(space), false),
                    };
                    let s = x.c[0].mix(y.c[0]).mix(c.c[0]);
                    return if s.lanes() {
                        let mut p = pointer(root.0, root.1, Shape::UNIFORM, s);
                        p.c[2] = scale_of(1, true);
                        p
                    } else {
                        pointer(root.0, root.1, s, Shape::UNIFORM)
                    };
                }
                each(&[a, b], &|i, s| {
                    let c = c.c[if is_vector { i } else { 0 }];
                    match (s[0].linear, s[1].linear) {
                        (Some(x), Some(y)) if c.is_gang_uniform() && x.stride == y.stride && is_integer => {
                            let part = if x.part_stride == y.part_stride { x.part_stride } else { None };
                            Shape::linear(s[0].bits | s[1].bits | c.bits, x.stride, part, x.exact && y.exact)
                        }
                        _ => s[0].mix_near(s[1]).mix_near(Shape::of(c.bits)),
                    }
                })
            }
            Op::Fma(a, b, c) => mixed(&[a, b, c]),
            Op::Convert(a) => {
                let from = types.scalar_of(self.f.insts[*a].ty);
                let to = types.scalar_of(inst.ty);
                each(&[a], &|_, s| match (from, to) {
                    (Some(x), Some(y)) if x.is_integer() && y.is_integer() => match s[0].linear {
                        Some(l) if y.bits() <= x.bits() || l.exact || x.is_signed() => {
                            let exact = l.exact && y.bits() >= 32;
                            Shape::linear(s[0].bits, l.stride, l.part_stride, exact)
                        }
                        _ => s[0].mix_near(Shape::UNIFORM),
                    },
                    _ => s[0].mix(Shape::UNIFORM),
                })
            }
            Op::Bitcast(a) => {
                let from = types.scalar_of(self.f.insts[*a].ty);
                let to = types.scalar_of(inst.ty);
                let (n, m) = (types.component_count(self.f.insts[*a].ty), types.component_count(inst.ty));
                if from.zip(to).is_some_and(|(x, y)| x.is_integer() && y.is_integer()) && n == m {
                    return shape(a);
                }
                if n == m {
                    return mixed(&[a]);
                }
                let all = shape(a).c[..usize::from(n)].iter().fold(Shape::UNIFORM, |x, y| x.mix(*y));
                ValueShape::splat(all)
            }
            Op::Param(i) => match types.pointee(inst.ty) {
                Some(_) => pointer(Root::Param(*i), false, Shape::UNIFORM, Shape::UNIFORM),
                None => ValueShape::splat(Shape::UNIFORM),
            },
            Op::LocalAddr(l) => pointer(Root::Local(*l), false, Shape::UNIFORM, Shape::UNIFORM),
            Op::GlobalAddr(g) => pointer(Root::Global(*g), false, Shape::UNIFORM, Shape::UNIFORM),
            Op::FieldAddr { base, .. } | Op::PtrCast(base) => shape(base),
            Op::AssumeValid(base) => {
                let mut s = shape(base);
                s.root = s.root.map(|r| (r.0, true));
                s
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let (p, i) = (shape(base), shape(index).c[0]);
                let mut out = p;
                if !i.lanes() {
                    out.c[0] = Shape::of((p.c[0].bits | i.bits) & ALL);
                } else if !p.c[1].lanes() {
                    out.c[1] = i;
                    out.c[2] = scale_of(self.index_scale(*base, &inst.op), self.is_exact_index(*index));
                } else {
                    out.c[1] = p.c[1].mix_near(i);
                    out.c[2] = scale_of(1, true);
                }
                out
            }
            Op::PtrDiff(a, b) => {
                let (x, y) = (shape(a), shape(b));
                ValueShape::splat(Shape::of(x.bits() | y.bits()))
            }
            Op::PtrToInt(a) => ValueShape::splat(Shape::of(shape(a).bits())),
            Op::IntToPtr(a) => {
                let s = shape(a).c[0];
                let space = types.pointee(inst.ty).map_or(AddressSpace::Device, |p| p.0);
                if s.lanes() {
                    let mut p = pointer(Root::unknown(space), false, Shape::UNIFORM, Shape::of(s.bits & ALL));
                    p.c[2] = scale_of(1, true);
                    p
                } else {
                    pointer(Root::unknown(space), false, Shape::of(s.bits & ALL), Shape::UNIFORM)
                }
            }
            Op::Atomic { op: AtomicOp::Load, ptr, .. } => {
                let b = shape(ptr).bits();
                ValueShape::splat(Shape::of(if self.gangs.is_split() { b | G } else { b }))
            }
            Op::Atomic { .. } | Op::CompareExchange { .. } => ValueShape::splat(self.gangs.varying()),
            Op::Builtin(b) => {
                let s = self.gangs.builtin(*b);
                ValueShape { c: [s[0], s[1], s[2], Shape::UNIFORM], root: None }
            }
            Op::Simd(op, args) => match op {
                SimdOp::BroadcastFirst
                | SimdOp::Ballot
                | SimdOp::ReduceAdd
                | SimdOp::ReduceMul
                | SimdOp::ReduceMin
                | SimdOp::ReduceMax
                | SimdOp::ReduceAnd
                | SimdOp::ReduceOr
                | SimdOp::ReduceXor => ValueShape::splat(self.gangs.simdgroup_uniform()),
                SimdOp::Shuffle => {
                    let lane_uniform = args.get(1).is_some_and(|v| shape(v).c[0].is_gang_uniform());
                    ValueShape::splat(if lane_uniform {
                        let mut s = self.gangs.simdgroup_uniform();
                        s.bits |= args.get(1).map_or(0, |v| shape(v).c[0].bits) & ALL;
                        s
                    } else {
                        self.gangs.varying()
                    })
                }
                _ => ValueShape::splat(self.gangs.varying()),
            },
            Op::Copy { .. }
            | Op::Store { .. }
            | Op::Load { .. }
            | Op::Call { .. }
            | Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Unreachable => ValueShape::splat(Shape::UNIFORM),
        }
    }
}

/// A pointer read from a local: its offset is one number, which either differs between lanes or not.
fn offset_parts(s: ValueShape) -> ValueShape {
    let o = s.c[0];
    let mut out = ValueShape { c: [Shape::UNIFORM; 4], root: s.root };
    if o.lanes() {
        out.c[1] = o;
        out.c[2] = scale_of(1, true);
    } else {
        out.c[0] = Shape::of(o.bits & ALL);
    }
    out
}

/// Records by how much a pointer's varying index is multiplied (its third component).
fn scale_of(scale: i64, exact: bool) -> Shape {
    Shape { bits: 0, linear: Some(Linear { stride: scale, part_stride: Some(0), exact }) }
}

/// Whether a type is one that lives in registers.
pub fn is_value_type(ty: &Type) -> bool {
    matches!(ty, Type::Scalar(_) | Type::Vector { .. } | Type::Pointer { .. })
}

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

mod control;
mod values;

use std::collections::{HashMap, HashSet};

use msl_base::Id;
use msl_ir::{AddressSpace, Builtin, Function, LabelId, Module, Type, ValueId};

use super::live::{Liveness, Place, Places, Set, barriers};
use super::shape::{ALL, G, Root, Shape, ValueShape};
use super::value::Gang;

/// What the analysis must know about the target's gangs.
pub trait Gangs {
    fn gang(&self) -> Gang;
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
    /// By `if` or `switch`: its condition differs within a gang, or, around a barrier, between gangs.
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
}

/// Whether a type is one that lives in registers.
pub fn is_value_type(ty: &Type) -> bool {
    matches!(ty, Type::Scalar(_) | Type::Vector { .. } | Type::Pointer { .. })
}

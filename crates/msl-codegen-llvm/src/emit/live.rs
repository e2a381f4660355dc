//! Which locals are kept in registers, and where they are live.
//!
//! In: a function without calls. Out: for each local whether it is *promoted* (a scalar, vector or
//! pointer of which only whole values or fixed components are loaded and stored), and for each
//! construct the set of promoted locals live at its joins. The emitter uses liveness to leave out
//! blends that no thread could observe.

use std::collections::HashMap;

use msl_base::Id;
use msl_ir::{Block, Function, LabelId, LocalId, Op, Type, TypeTable, ValueId};

/// A set of locals.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Set(Vec<u64>);

impl Set {
    pub fn new(n: usize) -> Set {
        Set(vec![0; n.div_ceil(64)])
    }
    pub fn has(&self, l: LocalId) -> bool {
        self.0.get(l.index() / 64).is_some_and(|w| w >> (l.index() % 64) & 1 != 0)
    }
    pub fn insert(&mut self, l: LocalId) {
        if let Some(w) = self.0.get_mut(l.index() / 64) {
            *w |= 1 << (l.index() % 64);
        }
    }
    pub fn remove(&mut self, l: LocalId) {
        if let Some(w) = self.0.get_mut(l.index() / 64) {
            *w &= !(1 << (l.index() % 64));
        }
    }
    pub fn union(&mut self, other: &Set) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }
    pub fn iter(&self) -> impl Iterator<Item = LocalId> + '_ {
        let n = self.0.len() * 64;
        (0..n).map(LocalId::from_index).filter(|l| self.has(*l))
    }
}

/// A promoted local, or one component of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub local: LocalId,
    pub component: Option<u8>,
}

/// The local (component) that each address value names, for promoted locals.
pub struct Places {
    pub promoted: Vec<bool>,
    places: HashMap<ValueId, Place>,
}

impl Places {
    pub fn get(&self, address: ValueId) -> Option<Place> {
        self.places.get(&address).copied().filter(|p| self.promoted[p.local.index()])
    }

    pub fn find(f: &Function, types: &TypeTable) -> Places {
        let mut promoted: Vec<bool> = f.locals.values().map(|l| types.component_count(l.ty) != 0).collect();
        let mut places = HashMap::new();
        for (id, inst) in f.insts.iter() {
            if let Op::LocalAddr(local) = inst.op {
                places.insert(id, Place { local, component: None });
            }
        }
        for (id, inst) in f.insts.iter() {
            if let Op::IndexAddr { base, index } = inst.op
                && let Some(Place { local, component: None }) = places.get(&base).copied()
                && let Op::Const(i) = f.insts[index].op
                && let Type::Vector { len, packed: false, .. } = *types.get(f.locals[local].ty)
                && i < u64::from(len)
            {
                places.insert(id, Place { local, component: Some(i as u8) });
            }
        }
        let mut in_tree = vec![false; f.insts.len()];
        mark_tree(f, &f.body, &mut in_tree);
        for (id, inst) in f.insts.iter().filter(|(id, _)| in_tree[id.index()]) {
            let place_of = |v: ValueId| places.get(&v).copied();
            let whole = |v: ValueId, ty| {
                place_of(v).is_some_and(|p| match p.component {
                    None => f.locals[p.local].ty == ty,
                    Some(_) => types.component_count(ty) == 1,
                })
            };
            match &inst.op {
                Op::Load { ptr, volatile: false, .. } if whole(*ptr, inst.ty) => {}
                Op::Store { ptr, value, volatile: false, .. } if whole(*ptr, f.insts[*value].ty) => {
                    if let Some(p) = place_of(*value) {
                        promoted[p.local.index()] = false;
                    }
                }
                Op::IndexAddr { base, .. } if places.contains_key(&id) && place_of(*base).is_some() => {}
                op => op.for_each_operand(|v| {
                    if let Some(p) = place_of(v) {
                        promoted[p.local.index()] = false;
                    }
                }),
            }
        }
        Places { promoted, places }
    }
}

fn mark_tree(f: &Function, block: &Block, seen: &mut [bool]) {
    for id in &block.insts {
        seen[id.index()] = true;
        for b in f.insts[*id].op.blocks() {
            mark_tree(f, b, seen);
        }
    }
}

/// Live sets at the joins of constructs.
#[derive(Default)]
pub struct Liveness {
    /// After a construct (where its breaks go).
    pub after: HashMap<ValueId, Set>,
    /// At the start of the `else` of an `if`, of `continuing`, or of any but the first case.
    pub second: HashMap<ValueId, Set>,
    /// At the head of a loop.
    pub head: HashMap<ValueId, Set>,
}

impl Liveness {
    pub fn compute(f: &Function, places: &Places) -> Liveness {
        let mut w = Walk { f, places, n: f.locals.len(), labels: HashMap::new(), out: Liveness::default() };
        w.block(&f.body, Set::new(w.n));
        w.out
    }
}

struct Walk<'a> {
    f: &'a Function,
    places: &'a Places,
    n: usize,
    /// Live at the target of break and continue.
    labels: HashMap<LabelId, (Set, Set)>,
    out: Liveness,
}

impl Walk<'_> {
    /// The set live at the start of the block.
    fn block(&mut self, block: &Block, mut live: Set) -> Set {
        for id in block.insts.iter().rev() {
            match &self.f.insts[*id].op {
                Op::Load { ptr, .. } => {
                    if let Some(p) = self.places.get(*ptr) {
                        live.insert(p.local);
                    }
                }
                Op::Store { ptr, .. } => {
                    if let Some(Place { local, component: None }) = self.places.get(*ptr) {
                        live.remove(local);
                    }
                }
                Op::If { then, otherwise, .. } => {
                    self.out.after.insert(*id, live.clone());
                    let mut a = self.block(otherwise, live.clone());
                    self.out.second.insert(*id, a.clone());
                    a.union(&self.block(then, live));
                    live = a;
                }
                Op::Loop { label, body, continuing, .. } => {
                    self.out.after.insert(*id, live.clone());
                    let mut head = self.out.head.get(id).cloned().unwrap_or_else(|| Set::new(self.n));
                    loop {
                        self.labels.insert(*label, (live.clone(), Set::new(self.n)));
                        let c = self.block(continuing, head.clone());
                        self.out.second.insert(*id, c.clone());
                        self.labels.insert(*label, (live.clone(), c.clone()));
                        let mut new_head = self.block(body, c);
                        new_head.union(&head);
                        if new_head == head {
                            break;
                        }
                        head = new_head;
                    }
                    self.out.head.insert(*id, head.clone());
                    live = head;
                }
                Op::Scope { label, body } => {
                    self.out.after.insert(*id, live.clone());
                    self.labels.insert(*label, (live.clone(), Set::new(self.n)));
                    live = self.block(body, live);
                }
                Op::Switch { label, cases, .. } => {
                    self.out.after.insert(*id, live.clone());
                    self.labels.insert(*label, (live.clone(), Set::new(self.n)));
                    let mut next = live.clone();
                    let mut all = live;
                    let mut later = Set::new(self.n);
                    for (i, case) in cases.iter().enumerate().rev() {
                        next = self.block(&case.body, next);
                        all.union(&next);
                        if i > 0 {
                            later.union(&next);
                        }
                    }
                    self.out.second.insert(*id, later);
                    live = all;
                }
                Op::Break(l) => live = self.labels.get(l).map_or_else(|| Set::new(self.n), |x| x.0.clone()),
                Op::Continue(l) => live = self.labels.get(l).map_or_else(|| Set::new(self.n), |x| x.1.clone()),
                Op::Return(_) | Op::Unreachable => live = Set::new(self.n),
                _ => {}
            }
        }
        live
    }
}

/// The locals stored anywhere in the blocks of an instruction.
pub fn stored_in(f: &Function, places: &Places, id: ValueId, out: &mut Set) {
    for b in f.insts[id].op.blocks() {
        for i in &b.insts {
            if let Op::Store { ptr, .. } = f.insts[*i].op
                && let Some(p) = places.get(ptr)
            {
                out.insert(p.local);
            }
            stored_in(f, places, *i, out);
        }
    }
}

/// For each instruction, whether it is, or holds, a threadgroup barrier.
pub fn barriers(f: &Function) -> Vec<bool> {
    fn walk(f: &Function, b: &Block, out: &mut Vec<bool>) -> bool {
        let mut any = false;
        for id in &b.insts {
            let op = &f.insts[*id].op;
            let mut has = matches!(op, Op::Barrier { scope: msl_ir::BarrierScope::Threadgroup, .. });
            for b in op.blocks() {
                has |= walk(f, b, out);
            }
            out[id.index()] = has;
            any |= has;
        }
        any
    }
    let mut out = vec![false; f.insts.len()];
    walk(f, &f.body, &mut out);
    out
}

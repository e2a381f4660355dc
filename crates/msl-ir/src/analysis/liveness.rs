//! Which locals may still be read, and which stores under a mask must blend.
//!
//! *Liveness* is a property of one thread: a local is live at a point when the thread may
//! read it from there before overwriting it. Escaping locals are always live.
//!
//! *Blending* is a property of a gang that runs divergent control flow under masks. A store
//! writes the lanes of the active threads; whether the other lanes must keep their values
//! depends on where the other threads wait: at the other branch, after the loop or scope
//! that they left, before the `continuing` block of a loop they continued. A store needs a
//! blend exactly when the local is live at one of those points; otherwise overwriting all
//! lanes is right and cheaper.

use msl_base::{FxMap, Id};

use super::bitset::BitSet;
use super::divergence::Divergence;
use super::provenance::{LocalUse, Provenance, Root};
use super::tree::{BlockRef, Tree, falls_through, nested_count};
use crate::ir::{AtomicOp, Function, LabelId, LocalId, Module, Op, ValueId};
use crate::types::{Type, TypeId, TypeTable};

/// Whether a value of type `value` fills memory of type `memory` (vectors may be packed there).
pub fn same_value_type(types: &TypeTable, memory: TypeId, value: TypeId) -> bool {
    memory == value
        || matches!((types.get(memory), types.get(value)),
            (Type::Vector { elem: a, len: n, .. }, Type::Vector { elem: b, len: m, .. }) if a == b && n == m)
}

#[derive(Clone, Debug)]
pub struct Liveness {
    after: FxMap<ValueId, BitSet>,
    entry: FxMap<BlockRef, BitSet>,
    dead: Vec<bool>,
}

impl Liveness {
    pub fn new(module: &Module, function: &Function, provenance: &Provenance) -> Liveness {
        let count = function.locals.len();
        let mut always = BitSet::new(count);
        for l in function.locals.ids() {
            if provenance.local_use(l) == LocalUse::Escapes {
                always.insert(l.index());
            }
        }
        let mut b = Builder {
            module,
            function,
            provenance,
            always,
            targets: FxMap::default(),
            back: FxMap::default(),
            changed: false,
            out: Liveness { after: FxMap::default(), entry: FxMap::default(), dead: vec![false; function.insts.len()] },
        };
        // One backward walk per nesting level of loops, roughly: what is live at the start of
        // a loop is remembered from walk to walk and only grows.
        loop {
            b.changed = false;
            let end = b.always.clone();
            b.block(BlockRef::BODY, end);
            if !b.changed {
                return b.out;
            }
        }
    }

    /// Whether a local is live right after an instruction that holds blocks.
    pub fn is_live_after(&self, construct: ValueId, l: LocalId) -> bool {
        self.after.get(&construct).is_none_or(|s| s.contains(l.index()))
    }
    /// Whether a local is live at the start of a block.
    pub fn is_live_at(&self, block: BlockRef, l: LocalId) -> bool {
        self.entry.get(&block).is_none_or(|s| s.contains(l.index()))
    }
    /// Whether a store to a local is never read.
    pub fn is_dead_store(&self, store: ValueId) -> bool {
        self.dead.get(store.index()).copied().unwrap_or(false)
    }
    /// The locals live at the start of a block.
    pub fn live_at(&self, block: BlockRef) -> Option<&BitSet> {
        self.entry.get(&block)
    }
}

struct Builder<'a> {
    module: &'a Module,
    function: &'a Function,
    provenance: &'a Provenance,
    always: BitSet,
    /// Live sets at the targets of `break` and `continue`.
    targets: FxMap<LabelId, (BitSet, BitSet)>,
    /// Live at the start of each loop's body, as known so far.
    back: FxMap<ValueId, BitSet>,
    changed: bool,
    out: Liveness,
}

impl Builder<'_> {
    fn block(&mut self, block: BlockRef, mut live: BitSet) -> BitSet {
        let function = self.function;
        for &v in block.of(function).insts.iter().rev() {
            live = self.inst(v, live);
        }
        self.out.entry.insert(block, live.clone());
        live
    }

    fn reads(&self, ptr: ValueId, live: &mut BitSet) {
        for r in self.provenance.roots(ptr) {
            if let Root::Local(l) = r {
                live.insert(l.index());
            }
        }
    }

    fn inst(&mut self, v: ValueId, mut live: BitSet) -> BitSet {
        let function = self.function;
        let op = &function.insts[v].op;
        if nested_count(op) > 0 {
            self.out.after.insert(v, live.clone());
        }
        match op {
            Op::Load { ptr, .. } => self.reads(*ptr, &mut live),
            Op::Store { ptr, value, .. } => {
                let mut dead = false;
                if let [Root::Local(l)] = *self.provenance.roots(*ptr) {
                    dead = !live.contains(l.index());
                    let whole = matches!(function.insts[*ptr].op, Op::LocalAddr(_))
                        && same_value_type(&self.module.types, function.locals[l].ty, function.insts[*value].ty);
                    if whole && !self.always.contains(l.index()) {
                        live.remove(l.index());
                    }
                }
                self.out.dead[v.index()] = dead;
            }
            Op::Copy { dst, src, .. } => {
                let mut dead = false;
                if let [Root::Local(l)] = *self.provenance.roots(*dst) {
                    dead = !live.contains(l.index());
                    let covers = self.module.types.pointee(function.insts[*dst].ty).map(|p| p.1);
                    if matches!(function.insts[*dst].op, Op::LocalAddr(_))
                        && covers == Some(function.locals[l].ty)
                        && !self.always.contains(l.index())
                    {
                        live.remove(l.index());
                    }
                }
                self.out.dead[v.index()] = dead;
                if !dead {
                    self.reads(*src, &mut live);
                }
            }
            Op::Atomic { op, ptr, .. } => {
                if *op != AtomicOp::Store {
                    self.reads(*ptr, &mut live);
                }
            }
            Op::CompareExchange { ptr, .. } => self.reads(*ptr, &mut live),
            Op::Call { args, .. } => args.iter().for_each(|a| self.reads(*a, &mut live)),
            Op::If { .. } => {
                let other = self.block(BlockRef::new(v, 1), live.clone());
                live = self.block(BlockRef::new(v, 0), live);
                live.union(&other);
            }
            Op::Scope { label, .. } => {
                self.targets.insert(*label, (live.clone(), BitSet::default()));
                live = self.block(BlockRef::new(v, 0), live);
            }
            Op::Switch { label, cases, .. } => {
                self.targets.insert(*label, (live.clone(), BitSet::default()));
                let has_default = cases.iter().any(|c| c.is_default);
                let mut result = if has_default { BitSet::default() } else { live.clone() };
                for i in (0..cases.len()).rev() {
                    live = self.block(BlockRef::new(v, i), live);
                    result.union(&live);
                }
                live = result;
            }
            Op::Loop { label, .. } => {
                let back = self.back.entry(v).or_insert_with(|| self.always.clone()).clone();
                self.targets.insert(*label, (live.clone(), BitSet::default()));
                let continuing = self.block(BlockRef::new(v, 1), back.clone());
                self.targets.insert(*label, (live, continuing.clone()));
                let start = self.block(BlockRef::new(v, 0), continuing);
                if start != back {
                    let mut grown = back;
                    if grown.union(&start) {
                        self.changed = true;
                        self.back.insert(v, grown.clone());
                    }
                }
                live = start;
            }
            Op::Break(label) => live = self.targets.get(label).map(|t| t.0.clone()).unwrap_or_else(|| self.all()),
            Op::Continue(label) => live = self.targets.get(label).map(|t| t.1.clone()).unwrap_or_else(|| self.all()),
            Op::Return(_) | Op::Unreachable => live = self.always.clone(),
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
            | Op::Fence { .. }
            | Op::Builtin(_)
            | Op::Barrier { .. }
            | Op::Simd(..)
            | Op::Log { .. }
            | Op::Trap(_) => {}
        }
        live
    }

    fn all(&self) -> BitSet {
        let mut s = BitSet::new(self.function.locals.len());
        for l in self.function.locals.ids() {
            s.insert(l.index());
        }
        s
    }
}

/// Whether a write to the local `l` by the instruction `at` must keep the values of threads that are not active there.
pub fn needs_blend(
    function: &Function,
    tree: &Tree,
    liveness: &Liveness,
    divergence: &Divergence,
    at: ValueId,
    l: LocalId,
) -> bool {
    // Either the exit comes first, or a loop inside the construct brings control back to `at`.
    let may_precede = |exit: ValueId, construct: ValueId| {
        let (Some(e), Some(s)) = (tree.place(exit), tree.place(at)) else { return true };
        e.first < s.first
            || matches!(function.insts[construct].op, Op::Loop { .. })
            || tree.loops_around(function, at, Some(construct)).any(|o| tree.contains(o, exit))
    };
    tree.ancestors(at).any(|block| {
        let Some(construct) = block.owner else { return false };
        let op = &function.insts[construct].op;
        let waits_after = divergence
            .breaks(construct)
            .iter()
            .any(|e| divergence.is_divergent(*e) && may_precede(*e, construct) && !tree.contains(at, *e));
        if waits_after && liveness.is_live_after(construct, l) {
            return true;
        }
        match op {
            Op::If { then, .. } if divergence.is_divergent(construct) => {
                if block.index == 0 {
                    liveness.is_live_at(BlockRef::new(construct, 1), l)
                } else {
                    falls_through(function, then) && liveness.is_live_after(construct, l)
                }
            }
            Op::Switch { cases, .. } if divergence.is_divergent(construct) => {
                let later = (block.index as usize + 1..cases.len())
                    .any(|i| liveness.is_live_at(BlockRef::new(construct, i), l));
                let unmatched = !cases.iter().any(|c| c.is_default) && liveness.is_live_after(construct, l);
                // Threads that take a case before this one either fall into this one or have left by a break.
                let broke = divergence.breaks(construct).iter().any(|e| may_precede(*e, construct))
                    && liveness.is_live_after(construct, l);
                later || unmatched || broke
            }
            Op::Loop { .. } if block.index == 0 => {
                // The `continuing` block comes after the body: only continues met before count.
                let waits = divergence.continues(construct).iter().any(|e| {
                    divergence.is_divergent(*e) && {
                        let (Some(e_at), Some(s)) = (tree.place(*e), tree.place(at)) else { return true };
                        e_at.first < s.first
                            || tree.loops_around(function, at, Some(construct)).any(|o| tree.contains(o, *e))
                    }
                });
                waits && liveness.is_live_at(BlockRef::new(construct, 1), l)
            }
            _ => false,
        }
    })
}

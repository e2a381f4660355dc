//! Which instructions run under a partial mask, given which branches diverge.
//!
//! The walk numbers the constructs around a point from the outside in; the function is 0. A
//! point is *full from k* when every thread that is still inside construct k (in the same
//! iteration, for a loop) is active there. A `break` of construct j at a point that is full
//! from k ≤ j takes everyone along; otherwise some threads stay behind and the exit is
//! divergent. After a divergent `break` of j, what remains of j is full from j; after a
//! divergent `continue` of j, threads of j wait elsewhere in it, so what remains is full only
//! from j + 1. Threads that returned are inside nothing.

use msl_base::{FxMap, Id};

use super::bitset::BitSet;
use super::tree::{BlockRef, Tree};
use crate::ir::{Function, Op, ValueId};

#[derive(Clone, Debug)]
pub struct Divergence {
    divergent: BitSet,
    full_from: Vec<u32>,
    returned: BitSet,
    breaks: FxMap<ValueId, Vec<ValueId>>,
    continues: FxMap<ValueId, Vec<ValueId>>,
}

impl Divergence {
    /// `diverges` tells for an `if` or `switch` whether threads may choose differently.
    pub fn new(function: &Function, tree: &Tree, diverges: impl Fn(ValueId) -> bool) -> Divergence {
        let mut out = Divergence {
            divergent: BitSet::new(function.insts.len()),
            full_from: vec![0; function.insts.len()],
            returned: BitSet::new(function.insts.len()),
            breaks: FxMap::default(),
            continues: FxMap::default(),
        };
        for &v in tree.order() {
            match &function.insts[v].op {
                Op::Break(label) => {
                    tree.label(*label).into_iter().for_each(|c| out.breaks.entry(c).or_default().push(v));
                }
                Op::Continue(label) => {
                    tree.label(*label).into_iter().for_each(|c| out.continues.entry(c).or_default().push(v));
                }
                Op::If { .. } | Op::Switch { .. } if diverges(v) => {
                    out.divergent.insert(v.index());
                }
                _ => {}
            }
        }
        let mut w = Walk { function, tree, out, stack: Vec::new(), changed: false, returned: false };
        // Divergent exits found late in a loop make its start partial: repeat until none is new.
        loop {
            w.changed = false;
            w.returned = false;
            w.block(BlockRef::BODY, 0);
            if !w.changed {
                return w.out;
            }
        }
    }

    /// For `if` and `switch`: threads may choose differently. For `break`, `continue` and
    /// `return`: some threads of the construct that is left may stay behind.
    pub fn is_divergent(&self, v: ValueId) -> bool {
        self.divergent.contains(v.index())
    }
    /// Whether all threads that entered the function are active at this instruction.
    pub fn is_full(&self, v: ValueId) -> bool {
        self.is_full_of_remaining(v) && !self.returned.contains(v.index())
    }
    /// Whether all threads that have not returned are active at this instruction.
    pub fn is_full_of_remaining(&self, v: ValueId) -> bool {
        self.full_from.get(v.index()) == Some(&0)
    }
    /// The `break`s that leave a construct by its label.
    pub fn breaks(&self, construct: ValueId) -> &[ValueId] {
        self.breaks.get(&construct).map_or(&[], |b| b)
    }
    /// The `continue`s of a loop.
    pub fn continues(&self, construct: ValueId) -> &[ValueId] {
        self.continues.get(&construct).map_or(&[], |b| b)
    }
    /// Whether some `break` of this construct leaves threads behind: for a loop, whether it needs a mask.
    pub fn has_divergent_break(&self, construct: ValueId) -> bool {
        self.breaks(construct).iter().any(|b| self.is_divergent(*b))
    }
    pub fn has_divergent_continue(&self, construct: ValueId) -> bool {
        self.continues(construct).iter().any(|b| self.is_divergent(*b))
    }
}

struct Walk<'a> {
    function: &'a Function,
    tree: &'a Tree,
    out: Divergence,
    /// The constructs around; the one at `stack[i]` has number i + 1.
    stack: Vec<ValueId>,
    changed: bool,
    returned: bool,
}

impl Walk<'_> {
    fn depth_of(&self, construct: Option<ValueId>) -> u32 {
        self.stack.iter().position(|c| Some(*c) == construct).map_or(0, |i| i as u32 + 1)
    }

    fn mark(&mut self, v: ValueId) {
        self.changed |= self.out.divergent.insert(v.index());
    }

    /// How partial the mask is, inside `construct` and after it, because of divergent exits in it
    /// that go to `construct` or further out.
    fn after_exits(&self, construct: ValueId, include_own: bool) -> u32 {
        let mut full = 0;
        for &v in self.tree.inside(construct) {
            if !self.out.divergent.contains(v.index()) {
                continue;
            }
            let (label, extra) = match self.function.insts[v].op {
                Op::Break(label) => (label, 0),
                Op::Continue(label) => (label, 1),
                _ => continue,
            };
            let Some(target) = self.tree.label(label) else { continue };
            if self.tree.contains(construct, target) || (target == construct && (!include_own || extra == 1)) {
                continue;
            }
            full = full.max(self.depth_of(Some(target)) + extra);
        }
        full
    }

    fn block(&mut self, block: BlockRef, mut full: u32) {
        let function = self.function;
        for &v in &block.of(function).insts {
            self.out.full_from[v.index()] = full;
            if self.returned {
                self.out.returned.insert(v.index());
            }
            let op = &function.insts[v].op;
            match op {
                Op::Break(label) | Op::Continue(label) if full > self.depth_of(self.tree.label(*label)) => {
                    self.mark(v);
                }
                Op::Return(_) if full > 0 => {
                    self.mark(v);
                    self.returned = true;
                }
                Op::If { .. } | Op::Switch { .. } | Op::Loop { .. } | Op::Scope { .. } => {
                    self.stack.push(v);
                    let depth = self.stack.len() as u32;
                    let mut inside = full;
                    if self.out.divergent.contains(v.index()) {
                        inside = inside.max(depth);
                    }
                    match op {
                        Op::If { .. } => {
                            self.block(BlockRef::new(v, 0), inside);
                            self.block(BlockRef::new(v, 1), inside);
                        }
                        Op::Scope { .. } => self.block(BlockRef::new(v, 0), inside),
                        Op::Switch { cases, .. } => {
                            for i in 0..cases.len() {
                                // Threads that fell in from the case before may lack those that broke out of it.
                                let from_exits = if i > 0 { self.after_exits(v, true) } else { 0 };
                                self.block(BlockRef::new(v, i), inside.max(from_exits));
                            }
                        }
                        Op::Loop { .. } => {
                            let inside = inside.max(self.after_exits(v, true));
                            self.returned |= self.tree.inside(v).iter().any(|i| {
                                matches!(function.insts[*i].op, Op::Return(_)) && self.out.divergent.contains(i.index())
                            });
                            self.block(BlockRef::new(v, 0), inside);
                            self.block(BlockRef::new(v, 1), inside);
                        }
                        _ => {}
                    }
                    // `depth_of` must still see the constructs around, and not this one.
                    let after = self.after_exits(v, false);
                    self.stack.pop();
                    full = full.max(after);
                }
                _ => {}
            }
        }
    }
}

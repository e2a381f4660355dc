//! Replaces loads of locals by the value that was stored or loaded before, where control flow
//! leaves no doubt about it.
//!
//! The walk keeps, for each local that is only used whole, the value it is known to hold. At the start
//! of a loop nothing is known about locals that the loop stores to; after a branch only about those
//! that no branch stores to. Stores stay; [`remove_dead`](super::remove_dead) takes those nobody reads any more.

use msl_base::FxMap;
use std::collections::BTreeSet;

use super::rewrite::{Replacements, put_nested, take_nested};
use crate::FunctionId;
use crate::analysis::liveness::same_value_type;
use crate::analysis::provenance::LocalUse;
use crate::analysis::tree::{falls_through, nested, nested_count};
use crate::analysis::{Provenance, Tree};
use crate::ir::{Block, Function, LocalId, Module, Op, ValueId};
use crate::types::TypeTable;

type Known = FxMap<LocalId, ValueId>;

pub fn forward_stores(module: &mut Module, id: FunctionId) -> bool {
    let f = &module.functions[id];
    let provenance = Provenance::new(module, f);
    let tree = Tree::new(f);
    let f = &mut module.functions[id];
    let mut pass =
        Pass { types: &module.types, provenance, tree, replaced: Replacements::default(), stores: FxMap::default() };
    pass.find_stores(f);
    let body = std::mem::take(&mut f.body.insts);
    f.body.insts = pass.list(f, body, &mut Known::default());
    let changed = !pass.replaced.is_empty();
    pass.replaced.apply(f);
    changed
}

struct Pass<'a> {
    types: &'a TypeTable,
    provenance: Provenance,
    /// Of the function as it was; only loads go, so it stays right about what is visible where.
    tree: Tree,
    replaced: Replacements,
    /// The locals stored to inside each construct.
    stores: FxMap<ValueId, BTreeSet<LocalId>>,
}

impl Pass<'_> {
    fn find_stores(&mut self, f: &Function) {
        for &v in self.tree.order() {
            if let Some(l) = self.stored(f, v) {
                for block in self.tree.ancestors(v) {
                    if let Some(owner) = block.owner {
                        self.stores.entry(owner).or_default().insert(l);
                    }
                }
            }
        }
    }

    fn tracked(&self, f: &Function, ptr: ValueId) -> Option<LocalId> {
        match f.insts[ptr].op {
            Op::LocalAddr(l) if self.provenance.local_use(l) == LocalUse::Whole => Some(l),
            _ => None,
        }
    }

    fn stored(&self, f: &Function, v: ValueId) -> Option<LocalId> {
        match f.insts[v].op {
            Op::Store { ptr, .. } => self.tracked(f, ptr),
            _ => None,
        }
    }

    fn forget(&self, known: &mut Known, construct: ValueId) {
        if let Some(stored) = self.stores.get(&construct) {
            known.retain(|l, _| !stored.contains(l));
        }
    }

    fn list(&mut self, f: &mut Function, list: Vec<ValueId>, known: &mut Known) -> Vec<ValueId> {
        let mut out = Vec::with_capacity(list.len());
        for v in list {
            match f.insts[v].op {
                Op::Load { ptr, volatile: false, .. } => {
                    if let Some(l) = self.tracked(f, ptr) {
                        match known.get(&l) {
                            Some(&value) if f.insts[value].ty == f.insts[v].ty => {
                                self.replaced.insert(v, value);
                                continue;
                            }
                            _ => {
                                known.insert(l, v);
                            }
                        }
                    }
                }
                Op::Store { ptr, value, volatile: false, .. } => {
                    if let Some(l) = self.tracked(f, ptr) {
                        let value = self.replaced.get(value);
                        if known.get(&l) == Some(&value) {
                            // It holds that value already.
                            continue;
                        }
                        known.insert(l, value);
                    }
                }
                Op::Store { ptr, .. } => {
                    self.tracked(f, ptr).map(|l| known.remove(&l));
                }
                Op::If { .. } => self.branch(f, v, known),
                Op::Scope { .. } | Op::Switch { .. } => {
                    let before = known.clone();
                    for i in 0..nested_count(&f.insts[v].op) {
                        let mut inside = before.clone();
                        if i > 0 {
                            // Control may come from the case before.
                            self.forget(&mut inside, v);
                        }
                        let inner = take_nested(f, v, i);
                        let inner = self.list(f, inner, &mut inside);
                        put_nested(f, v, i, inner);
                    }
                    self.forget(known, v);
                }
                Op::Loop { .. } => {
                    self.forget(known, v);
                    for i in 0..2 {
                        let mut inside = known.clone();
                        let inner = take_nested(f, v, i);
                        let inner = self.list(f, inner, &mut inside);
                        put_nested(f, v, i, inner);
                    }
                }
                _ => {}
            }
            out.push(v);
        }
        out
    }

    fn branch(&mut self, f: &mut Function, v: ValueId, known: &mut Known) {
        let mut ends: Vec<Known> = Vec::new();
        for i in 0..2 {
            let mut inside = known.clone();
            let inner = take_nested(f, v, i);
            let inner = self.list(f, inner, &mut inside);
            let goes_on = falls_through(f, &Block { insts: inner.clone() });
            put_nested(f, v, i, inner);
            if goes_on {
                ends.push(inside);
            }
        }
        debug_assert!(nested(&f.insts[v].op, 1).is_some());
        self.forget(known, v);
        // Both branches may leave the same value, one that is visible here: computed before the `if`.
        if let Some((first, rest)) = ends.split_first() {
            for (l, value) in first {
                if self.tree.dominates(*value, v)
                    && rest.iter().all(|other| other.get(l) == Some(value))
                    && same_value_type(self.types, f.locals[*l].ty, f.insts[*value].ty)
                {
                    known.insert(*l, *value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn values_flow_through_branches_that_leave_them_alone() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>) -> void {
               local a: u32
               local b: u32
               %a = local_addr a
               %b = local_addr b
               %x = load %p
               store %a, %x
               store %b, %x
               %z: u32 = const 0
               %c = eq %x, %z
               if %c { %y = load %a
                 store %b, %y } else { store %b, %z }
               %u = load %a
               %v = load %b
               store %p, %u
               store %p, %v
             }
             kernel k = @k { p: buffer 0 device read_write u32 }",
        );
        let k = entry(&m);
        forward_stores(&mut m, k);
        super::super::remove_dead::remove_dead(&mut m, k);
        let t = text(&m, k);
        assert!(!t.contains("local_addr local0"), "{t}");
        assert_eq!(t.matches("load").count(), 2, "{t}");
    }

    #[test]
    fn loops_forget_what_they_change() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>) -> void {
               local i: u32
               local n: u32
               %i = local_addr i
               %n = local_addr n
               %zero: u32 = const 0
               %one: u32 = const 1
               %ten: u32 = const 10
               store %i, %zero
               store %n, %ten
               loop l {
                 %iv = load %i
                 %nv = load %n
                 %done = ge %iv, %nv
                 if %done { break l }
                 store %p, %iv
               } continuing {
                 %w = load %i
                 %next = add %w, %one
                 store %i, %next
               }
             }
             kernel k = @k { p: buffer 0 device read_write u32 }",
        );
        let k = entry(&m);
        forward_stores(&mut m, k);
        let t = text(&m, k);
        assert_eq!(t.matches(" load ").count(), 2, "{t}");
    }
}

//! Moves what does not change in a loop in front of it.
//!
//! Pure operations whose operands are all computed outside; from below a branch only when they are cheap, because the
//! branch may be rare. Loads move when nothing in the loop (and no other thread between two barriers in it)
//! writes memory of that address space, and they would be executed anyway: they stand before the first
//! exit, branch or effect of the body. Loads of trusted constant memory ([`Op::AssumeValid`]) may always move.

use super::rewrite::{contains, put_nested, take_nested};
use crate::FunctionId;
use crate::analysis::Provenance;
use crate::analysis::tree::{nested_count, walk};
use crate::ir::{BinaryOp, Function, Module, Op, UnaryOp, ValueId};
use crate::types::{AddressSpace, TypeTable};
use msl_base::FxSet;

pub fn hoist_invariants(module: &mut Module, id: FunctionId) -> bool {
    if !contains(&module.functions[id], |op| matches!(op, Op::Loop { .. })) {
        return false;
    }
    let provenance = Provenance::new(module, &module.functions[id]);
    let f = &mut module.functions[id];
    let mut pass = Pass { types: &module.types, provenance, changed: false };
    let body = std::mem::take(&mut f.body.insts);
    f.body.insts = pass.list(f, body);
    pass.changed
}

struct Pass<'a> {
    types: &'a TypeTable,
    provenance: Provenance,
    changed: bool,
}

/// What a loop does to memory, per address space.
#[derive(Default)]
struct Effects {
    writes: [bool; 4],
    synchronizes: bool,
}

impl Pass<'_> {
    fn list(&mut self, f: &mut Function, list: Vec<ValueId>) -> Vec<ValueId> {
        let mut out = Vec::with_capacity(list.len());
        for v in list {
            for i in 0..nested_count(&f.insts[v].op) {
                let inner = take_nested(f, v, i);
                let inner = self.list(f, inner);
                put_nested(f, v, i, inner);
            }
            if matches!(f.insts[v].op, Op::Loop { .. }) {
                let mut inside = FxSet::default();
                for b in f.insts[v].op.blocks() {
                    walk(f, b, &mut |w| {
                        inside.insert(w);
                    });
                }
                let effects = self.effects(f, &inside);
                for i in 0..2 {
                    let block = take_nested(f, v, i);
                    let block = self.hoist(f, block, &mut inside, &effects, i == 0, true, &mut out);
                    put_nested(f, v, i, block);
                }
            }
            out.push(v);
        }
        out
    }

    fn effects(&self, f: &Function, inside: &FxSet<ValueId>) -> Effects {
        let mut e = Effects::default();
        for &v in inside {
            let mut write = |ptr: ValueId| match self.types.pointee(f.insts[ptr].ty) {
                Some((s, _)) => e.writes[s as usize] = true,
                None => e.synchronizes = true,
            };
            match &f.insts[v].op {
                Op::Store { ptr, .. } | Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => write(*ptr),
                Op::Copy { dst, .. } => write(*dst),
                Op::Barrier { .. } | Op::Fence { .. } | Op::Call { .. } | Op::Trap(_) | Op::Log { .. } => {
                    e.synchronizes = true;
                }
                _ => {}
            }
        }
        e
    }

    /// `certain`: the start of this list is executed whenever the loop is. `top`: it is a block of the loop itself.
    fn hoist(
        &mut self,
        f: &mut Function,
        list: Vec<ValueId>,
        inside: &mut FxSet<ValueId>,
        effects: &Effects,
        mut certain: bool,
        top: bool,
        out: &mut Vec<ValueId>,
    ) -> Vec<ValueId> {
        let mut stay = Vec::with_capacity(list.len());
        for v in list {
            let mut invariant = true;
            f.insts[v].op.for_each_operand(|a| invariant &= !inside.contains(&a));
            if invariant && self.may_move(f, v, effects, certain, top) {
                inside.remove(&v);
                out.push(v);
                self.changed = true;
                continue;
            }
            for i in 0..nested_count(&f.insts[v].op) {
                let inner = take_nested(f, v, i);
                let inner = self.hoist(f, inner, inside, effects, false, false, out);
                put_nested(f, v, i, inner);
            }
            certain &= super::remove_dead::is_removable(&f.insts[v].op);
            stay.push(v);
        }
        stay
    }

    fn may_move(&self, f: &Function, v: ValueId, effects: &Effects, certain: bool, top: bool) -> bool {
        match &f.insts[v].op {
            Op::Load { ptr, volatile: false, .. } => {
                let Some((space, _)) = self.types.pointee(f.insts[*ptr].ty) else { return false };
                if space == AddressSpace::Constant {
                    return certain || self.provenance.is_trusted(*ptr);
                }
                // Locals belong to this thread: forwarding deals with them.
                let shared = space != AddressSpace::Thread;
                certain && shared && !effects.writes[space as usize] && !effects.synchronizes
            }
            // Their place decides which threads take part.
            Op::Load { .. } | Op::Simd(..) => false,
            // A target folds these into their uses; moving them only lengthens lives.
            Op::Const(_) | Op::Undef | Op::Param(_) | Op::LocalAddr(_) | Op::GlobalAddr(_) | Op::Builtin(_) => true,
            Op::Unary(op, _) => top || !matches!(op, UnaryOp::Sqrt | UnaryOp::Rsqrt),
            Op::Binary(op, ..) => top || !matches!(op, BinaryOp::Div | BinaryOp::Rem),
            op => super::remove_dead::is_removable(op),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, find, module, text};
    use super::*;
    use crate::analysis::Tree;

    #[test]
    fn invariant_arithmetic_and_constant_loads_leave_the_loop() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>, %n: ptr<constant, u32>) -> void {
               local i: u32
               %i = local_addr i
               %zero: u32 = const 0
               store %i, %zero
               loop l {
                 %nv = load %n
                 %d = load %p
                 %three: u32 = const 3
                 %m = mul %nv, %three
                 %iv = load %i
                 %done = ge %iv, %m
                 if %done { break l }
                 %e = add %d, %m
                 store %p, %e
               } continuing {
                 %w = load %i
                 %next = add %w, %nv2
                 store %i, %next
               }
             }
             kernel k = @k { p: buffer 0 device read_write u32 n: buffer 1 constant read u32 }"
                .replace("%w = load %i", "%nv2 = load %n\n %w = load %i")
                .as_str(),
        );
        let k = entry(&m);
        assert!(hoist_invariants(&mut m, k));
        let tree = Tree::new(&m.functions[k]);
        let outside = |pattern, n| tree.parent(find(&m, k, pattern, n)).is_none();
        let t = text(&m, k);
        assert!(outside("mul", 0), "{t}");
        assert!(outside("load", 0), "{t}");
        assert!(!outside("= add", 0), "{t}");
        // The loop writes device memory; the second load of `n` is behind an exit.
        assert_eq!((1..5).filter(|i| outside("load", *i)).count(), 0, "{t}");
    }
}

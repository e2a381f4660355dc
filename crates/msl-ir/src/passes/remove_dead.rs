//! Removes instructions whose value nobody uses and that do nothing else, stores that nobody reads, and
//! locals that are never read.
//!
//! A load that is not volatile counts as doing nothing else: dropping one may drop a fault, which
//! MSL leaves undefined.

use msl_base::Id;

use super::rewrite::edit_blocks;
use crate::FunctionId;
use crate::analysis::{Liveness, Provenance};
use crate::ir::{Function, Module, Op, ValueId};
use crate::types::{Type, TypeTable};

pub fn remove_dead(module: &mut Module, id: FunctionId) -> bool {
    let mut any = false;
    // A dead store keeps its value alive, and that the store before it.
    for _ in 0..8 {
        let f = &module.functions[id];
        let provenance = Provenance::new(module, f);
        let liveness = Liveness::new(module, f, &provenance);
        let f = &mut module.functions[id];
        let mut changed = false;
        edit_blocks(f, &mut |f, mut list| {
            let before = list.len();
            list.retain(|v| {
                let volatile = matches!(f.insts[*v].op, Op::Store { volatile: true, .. });
                volatile || !liveness.is_dead_store(*v)
            });
            changed |= list.len() != before;
            list
        });
        let (removed, read) = remove_unused(&module.types, f);
        any |= changed | removed;
        // Only what reads memory or takes an address keeps a store alive.
        if !changed && !read {
            break;
        }
    }
    any
}

/// Whether an instruction may be removed when its value is not used.
pub fn is_removable(op: &Op) -> bool {
    match op {
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
        | Op::Builtin(_)
        | Op::Simd(..) => true,
        Op::Load { volatile, .. } => !volatile,
        Op::Store { .. }
        | Op::Copy { .. }
        | Op::Atomic { .. }
        | Op::CompareExchange { .. }
        | Op::Fence { .. }
        | Op::Barrier { .. }
        | Op::Log { .. }
        | Op::Trap(_)
        | Op::Call { .. }
        | Op::If { .. }
        | Op::Loop { .. }
        | Op::Switch { .. }
        | Op::Scope { .. }
        | Op::Break(_)
        | Op::Continue(_)
        | Op::Return(_)
        | Op::Unreachable => false,
    }
}

/// Whether anything was removed, and whether some of it read memory or had to do with an address.
fn remove_unused(types: &TypeTable, f: &mut Function) -> (bool, bool) {
    let mut used = vec![false; f.insts.len()];
    let mut work: Vec<ValueId> = Vec::new();
    crate::analysis::tree::walk(f, &f.body, &mut |v| {
        if !is_removable(&f.insts[v].op) {
            used[v.index()] = true;
            work.push(v);
        }
    });
    while let Some(v) = work.pop() {
        f.insts[v].op.for_each_operand(|a| {
            if !used[a.index()] {
                used[a.index()] = true;
                work.push(a);
            }
        });
    }
    let (mut changed, mut read) = (false, false);
    let is_pointer = |f: &Function, v: ValueId| matches!(types.get(f.insts[v].ty), Type::Pointer { .. });
    edit_blocks(f, &mut |f, mut list| {
        list.retain(|v| {
            if used[v.index()] {
                return true;
            }
            changed = true;
            read |= is_pointer(f, *v);
            f.insts[*v].op.for_each_operand(|a| read |= is_pointer(f, a));
            false
        });
        list
    });
    (changed, read)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn stores_that_nobody_reads_go_with_what_they_stored() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>) -> void {
               local a: u32
               local b: u32
               %a = local_addr a
               %b = local_addr b
               %x = load %p
               store %a, %x
               %y = load %a
               store %b, %y
               store %a, %y
               %z = load %a
               store %p, %z
             }
             kernel k = @k { p: buffer 0 device read_write u32 }",
        );
        let k = entry(&m);
        remove_dead(&mut m, k);
        let t = text(&m, k);
        assert_eq!(t.matches("store").count(), 3, "{t}");
        assert!(!t.contains("local_addr local1"), "{t}");
    }
}

//! A version of a function for when some conditions are known.
//!
//! In: boolean values and what they are in every thread that the version will run, and other values with
//! those that they equal there: what a clamp does not change. The caller tests that before. Out: the function
//! without the branches that are not taken and without what only those used.

use msl_base::FxMap;

use super::{hoist_invariants, pipeline};
use crate::ir::{FunctionId, Module, Op, ValueId};
use crate::types::Scalar;

pub fn assume_conditions(module: &mut Module, id: FunctionId, known: &[(ValueId, bool)], equal: &[(ValueId, ValueId)]) {
    if !equal.is_empty() {
        let equal: FxMap<ValueId, ValueId> = equal.iter().copied().collect();
        for inst in module.functions[id].insts.iter_mut() {
            inst.1.op.map_operands(|mut v| {
                while let Some(same) = equal.get(&v) {
                    v = *same;
                }
                v
            });
        }
    }
    let bool_ty = module.types.scalar(Scalar::Bool);
    for (v, value) in known {
        let inst = &mut module.functions[id].insts[*v];
        if inst.ty == bool_ty {
            inst.op = Op::Const(u64::from(*value));
        }
    }
    pipeline::clean(module, id);
    if hoist_invariants::hoist_invariants(module, id) {
        pipeline::clean(module, id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, find, module, text};
    use super::*;

    #[test]
    fn a_known_guard_leaves_only_what_it_guards() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>, %n: ptr<constant, u32>) -> void {
               local exits: bool align 1
               %g = builtin thread_position_in_grid
               %x = extract %g, 0
               %y = extract %g, 1
               %limit = load %n
               %a = ge %x, %limit
               %e = local_addr exits
               store %e, %a
               if %a {} else {
                 %b = ge %y, %limit
                 store %e, %b
               }
               %c = load %e
               if %c { return }
               %q = ptr_offset %p, %x
               store %q, %y
             }
             kernel k = @k { p: buffer 0 device write u32  n: buffer 1 constant reference read u32 }",
        );
        let k = entry(&m);
        let conditions = [(find(&m, k, "ge", 0), false), (find(&m, k, "load", 1), false)];
        assume_conditions(&mut m, k, &conditions, &[]);
        let t = text(&m, k);
        assert!(!t.contains("if") && !t.contains("return") && !t.contains("ge "), "{t}");
        assert_eq!(t.matches("store").count(), 1, "{t}");
    }

    #[test]
    fn a_clamp_that_changes_nothing_is_left_out() {
        let mut m = module(
            "fn k(%p: ptr<device, i32>, %n: ptr<constant, i32>) -> void {
               %g = builtin thread_position_in_grid
               %x = extract %g, 0
               %i: i32 = convert %x
               %z: i32 = const 0
               %limit = load %n
               %low = max %i, %z
               %both = min %low, %limit
               %q = ptr_offset %p, %both
               store %q, %both
             }
             kernel k = @k { p: buffer 0 device write i32  n: buffer 1 constant reference read i32 }",
        );
        let k = entry(&m);
        let (low, both, i) = (find(&m, k, "max", 0), find(&m, k, "min", 0), find(&m, k, "convert", 0));
        assume_conditions(&mut m, k, &[], &[(low, i), (both, low)]);
        let t = text(&m, k);
        assert!(!t.contains("max ") && !t.contains("min ") && !t.contains("load"), "{t}");
    }
}

//! A version of a function for when some conditions are known.
//!
//! In: boolean values and what they are in every thread that the version will run. The caller
//! tests that before. Out: the function without the branches that are not taken and without what
//! only those used.

use super::{hoist_invariants, pipeline};
use crate::ir::{FunctionId, Module, Op, ValueId};
use crate::types::Scalar;

pub fn assume_conditions(module: &mut Module, id: FunctionId, known: &[(ValueId, bool)]) {
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
        assume_conditions(&mut m, k, &conditions);
        let t = text(&m, k);
        assert!(!t.contains("if") && !t.contains("return") && !t.contains("ge "), "{t}");
        assert_eq!(t.matches("store").count(), 1, "{t}");
    }
}

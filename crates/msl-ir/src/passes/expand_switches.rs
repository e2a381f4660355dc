//! Turns switches that hold barriers into scopes and conditions.
//!
//! Where threads run together, a barrier splits what holds it into parts. Code generators know how to do that for
//! conditions, loops and scopes; a switch is the same said differently:
//!
//! ```text
//! switch l0 v {            scope l0 {
//!   case 1: A                scope l2 {
//!   default: B                 scope l1 {
//! }                              if v == 1 { break l1 }
//!                                break l2
//!                              }
//!                              A
//!                            }
//!                            B
//!                          }
//! ```
//!
//! The end of a case falls into the next one in both forms. Switches without barriers stay as they are.

use super::rewrite::{push, push_const, take_nested, with_function};
use crate::FunctionId;
use crate::analysis::tree::{nested_count, walk};
use crate::ir::{Block, CompareOp, Function, LabelId, Module, Op, ValueId};
use crate::types::{Scalar, TypeTable};

/// Whether there is anything to do.
pub fn has_switches_with_barriers(f: &Function) -> bool {
    let mut found = false;
    walk(f, &f.body, &mut |v| found |= matches!(f.insts[v].op, Op::Switch { .. }) && holds_barrier(f, v));
    found
}

pub fn expand_switches(module: &mut Module, id: FunctionId) -> bool {
    with_function(module, id, |module, f| {
        let body = std::mem::take(&mut f.body.insts);
        let (body, changed) = list(&mut module.types, f, body);
        f.body.insts = body;
        changed
    })
}

fn list(types: &mut TypeTable, f: &mut Function, insts: Vec<ValueId>) -> (Vec<ValueId>, bool) {
    let mut changed = false;
    for &v in &insts {
        for i in 0..nested_count(&f.insts[v].op) {
            let inner = take_nested(f, v, i);
            let (inner, inside) = list(types, f, inner);
            super::rewrite::put_nested(f, v, i, inner);
            changed |= inside;
        }
        if matches!(f.insts[v].op, Op::Switch { .. }) && holds_barrier(f, v) {
            expand(types, f, v);
            changed = true;
        }
    }
    (insts, changed)
}

fn holds_barrier(f: &Function, v: ValueId) -> bool {
    matches!(f.insts[v].op, Op::Barrier { .. })
        || f.insts[v].op.blocks().iter().any(|b| b.insts.iter().any(|i| holds_barrier(f, *i)))
}

/// The switch becomes the outermost scope.
fn expand(types: &mut TypeTable, f: &mut Function, v: ValueId) {
    let span = f.insts[v].span;
    let void = f.insts[v].ty;
    let Op::Switch { label, value, cases } = std::mem::replace(&mut f.insts[v].op, Op::Unreachable) else { return };
    let bool_type = types.scalar(Scalar::Bool);
    let value_type = f.insts[value].ty;
    let bits = types.scalar_of(value_type).map_or(64, Scalar::bits);
    let mask = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
    let labels: Vec<LabelId> = cases.iter().map(|_| f.make_label()).collect();
    // Where each case starts: after the scope of its label.
    let mut insts = Vec::new();
    for (case, to) in cases.iter().zip(&labels) {
        for wanted in &case.values {
            let scalar = types.scalar_of(value_type).unwrap_or(Scalar::I64);
            let constant = push_const(types, f, scalar, *wanted as u64 & mask);
            let is_equal = push(f, Op::Compare(CompareOp::Eq, value, constant), bool_type, span);
            let leave = push(f, Op::Break(*to), void, span);
            let then = Block { insts: vec![leave] };
            let branch = Op::If { condition: is_equal, then, otherwise: Block::default() };
            insts.extend([constant, is_equal, push(f, branch, void, span)]);
        }
    }
    let default = cases.iter().position(|c| c.is_default).map_or(label, |i| labels[i]);
    insts.push(push(f, Op::Break(default), void, span));
    for (case, label) in cases.into_iter().zip(labels) {
        let scope = push(f, Op::Scope { label, body: Block { insts } }, void, span);
        insts = vec![scope];
        insts.extend(case.body.insts);
    }
    f.insts[v].op = Op::Scope { label, body: Block { insts } };
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    const SOURCE: &str = "fn k(%p: ptr<device, i32>) -> void {
       %v: i32 = load %p
       switch s %v {
         case 0, -1 { %a: i32 = const 10
           store %p, %a
           BARRIER
           break s }
         case default { %b: i32 = const 11
           store %p, %b }
         case 2 { %c: i32 = const 12
           store %p, %c }
       }
     }
     kernel k = @k { p: buffer 0 device read_write i32 }";

    #[test]
    fn cases_follow_the_scopes_that_lead_to_them() {
        let mut m = module(&SOURCE.replace("BARRIER", "barrier threadgroup [threadgroup]"));
        let k = entry(&m);
        assert!(expand_switches(&mut m, k));
        let t = text(&m, k);
        assert!(!t.contains("switch"), "{t}");
        assert_eq!(
            (t.matches("scope").count(), t.matches("if ").count(), t.matches("store").count()),
            (4, 3, 3),
            "{t}"
        );
    }

    #[test]
    fn without_a_barrier_a_switch_stays() {
        let mut m = module(&SOURCE.replace("BARRIER", ""));
        let k = entry(&m);
        assert!(!expand_switches(&mut m, k));
        assert!(text(&m, k).contains("switch"));
    }
}

//! Turns switches that hold threadgroup barriers into `if`s.
//!
//! In: a function. Out: the same without such switches, for targets that cut functions at barriers and
//! want few kinds of constructs around them. `switch l v { case 1 {a} case default {b} }` becomes
//! `scope l { entered = v == 1; if entered {a}  entered |= v != 1; if entered {b} }`: a case is entered
//! by its values or from the case before, and `break l` leaves the scope.

use msl_base::Span;

use super::fold_constants::from_int;
use super::rewrite::{self, edit_blocks, take_nested, with_function};
use crate::analysis::tree::walk;
use crate::ir::{BarrierScope, BinaryOp, Block, CompareOp, Function, FunctionId, Local, Module, Op, UnaryOp, ValueId};
use crate::types::{AddressSpace, Scalar, TypeId, TypeTable};

/// Whether there is anything to do.
pub fn has_switches_with_barriers(f: &Function) -> bool {
    let mut found = false;
    walk(f, &f.body, &mut |v| found |= is_candidate(f, v));
    found
}

fn is_candidate(f: &Function, v: ValueId) -> bool {
    let op = &f.insts[v].op;
    let mut barrier = false;
    if let Op::Switch { cases, .. } = op {
        for c in cases {
            walk(f, &c.body, &mut |i| {
                barrier |= matches!(f.insts[i].op, Op::Barrier { scope: BarrierScope::Threadgroup, .. });
            });
        }
    }
    barrier
}

pub fn split_switches(module: &mut Module, id: FunctionId) -> bool {
    with_function(module, id, |module, f| {
        let mut changed = false;
        edit_blocks(f, &mut |f, list| {
            for &v in &list {
                if is_candidate(f, v) {
                    split(&mut module.types, f, v);
                    changed = true;
                }
            }
            list
        });
        changed
    })
}

/// Instructions in the making.
struct Body<'a> {
    f: &'a mut Function,
    out: Vec<ValueId>,
    span: Span,
    bool_ty: TypeId,
}

impl Body<'_> {
    fn put(&mut self, op: Op, ty: TypeId) -> ValueId {
        let v = rewrite::push(self.f, op, ty, self.span);
        self.out.push(v);
        v
    }
    fn or(&mut self, a: Option<ValueId>, b: ValueId) -> ValueId {
        let ty = self.bool_ty;
        a.map_or(b, |a| self.put(Op::Binary(BinaryOp::Or, a, b), ty))
    }
}

fn split(types: &mut TypeTable, f: &mut Function, v: ValueId) {
    let span = f.insts[v].span;
    let Op::Switch { label, value, cases } = f.insts[v].op.clone() else { return };
    let bodies: Vec<Vec<ValueId>> = (0..cases.len()).map(|i| take_nested(f, v, i)).collect();
    let (bool_ty, void, value_ty) = (types.scalar(Scalar::Bool), types.void(), f.insts[value].ty);
    let scalar = types.scalar_of(value_ty).unwrap_or(Scalar::I32);
    let pointer = types.pointer(AddressSpace::Thread, bool_ty);
    let entered = f.locals.push(Local { name: "entered".into(), ty: bool_ty, align: 1 });
    let mut body = Body { f, out: Vec::new(), span, bool_ty };
    let mut matched = Vec::new();
    let mut any = None;
    for c in &cases {
        let mut own = None;
        for k in &c.values {
            let k = body.put(Op::Const(from_int(scalar, i128::from(*k))), value_ty);
            let hit = body.put(Op::Compare(CompareOp::Eq, value, k), bool_ty);
            own = Some(body.or(own, hit));
        }
        if let Some(own) = own {
            any = Some(body.or(any, own));
        }
        matched.push(own);
    }
    // The default has the values that no case has.
    let rest = match any {
        Some(any) => body.put(Op::Unary(UnaryOp::Not, any), bool_ty),
        None => body.put(Op::Const(1), bool_ty),
    };
    let ptr = body.put(Op::LocalAddr(entered), pointer);
    let load = Op::Load { ptr, align: 1, volatile: false };
    let mut is_first = true;
    for ((c, own), insts) in cases.iter().zip(matched).zip(bodies) {
        let mut enters = if c.is_default { Some(body.or(own, rest)) } else { own };
        if !is_first {
            let fallen = body.put(load.clone(), bool_ty);
            enters = Some(enters.map_or(fallen, |own| body.or(Some(fallen), own)));
        }
        let Some(condition) = enters else { continue };
        is_first = false;
        body.put(Op::Store { ptr, value: condition, align: 1, volatile: false }, void);
        body.put(Op::If { condition, then: Block { insts }, otherwise: Block::default() }, void);
    }
    let insts = body.out;
    f.insts[v].op = Op::Scope { label, body: Block { insts } };
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn only_switches_with_barriers_are_split() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>, %n: ptr<constant, i32>) -> void {
               %v = load %n
               %i = builtin thread_index_in_threadgroup
               switch a %v {
                 case 0 { store %p, %i }
                 case default { }
               }
               switch b %v {
                 case -1 4 { barrier threadgroup [threadgroup]
                   store %p, %i }
                 case 2 { barrier threadgroup [threadgroup]
                   break b }
                 case default { store %p, %i }
               }
             }
             kernel k = @k { p: buffer 0 device read_write u32  n: buffer 1 constant reference read i32 }",
        );
        let k = entry(&m);
        assert!(has_switches_with_barriers(&m.functions[k]));
        assert!(split_switches(&mut m, k));
        let t = text(&m, k);
        assert_eq!((t.matches("switch").count(), t.matches("scope").count()), (1, 1), "{t}");
        assert!(t.contains("const -1") && !split_switches(&mut m, k), "{t}");
    }
}

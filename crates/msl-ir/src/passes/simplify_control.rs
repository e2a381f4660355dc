//! Removes control flow that decides nothing.
//!
//! * `if`, `switch` on a constant; blocks after a terminator; empty `if`s.
//! * A `break`, `continue` or `return` that goes where control goes anyway.
//! * A scope that nothing breaks out of; a loop that never comes back.
//! * `if c { a; break l } rest` in tail position of l becomes `if c { a } else { rest }`: the
//!   branches meet again where they would have, and no mask outlives the `if`. The same for
//!   `continue` and `return`, unless `rest` holds a barrier.

use super::fold_constants::to_int;
use super::rewrite::{put_nested, take_nested, with_function};
use crate::analysis::tree::{falls_through, nested, nested_count};
use crate::ir::{BarrierScope, Block, Function, FunctionId, LabelId, Module, Op, UnaryOp, ValueId};
use crate::types::{Scalar, TypeTable};

pub fn simplify_control(module: &mut Module, id: FunctionId) -> bool {
    with_function(module, id, |module, f| {
        let bool_ty = module.types.scalar(Scalar::Bool);
        let mut any = false;
        for _ in 0..8 {
            let mut pass = Pass { types: &module.types, bool_ty, changed: false };
            let body = std::mem::take(&mut f.body.insts);
            f.body.insts = pass.list(f, body, &[Target::Return]);
            any |= pass.changed;
            if !pass.changed {
                break;
            }
        }
        any
    })
}

/// An exit that would go where control goes at the end of a block anyway.
#[derive(Clone, Copy, PartialEq)]
enum Target {
    Break(LabelId),
    Continue(LabelId),
    Return,
}

struct Pass<'a> {
    types: &'a TypeTable,
    bool_ty: crate::TypeId,
    changed: bool,
}

fn exit_of(f: &Function, v: ValueId) -> Option<Target> {
    match f.insts[v].op {
        Op::Break(l) => Some(Target::Break(l)),
        Op::Continue(l) => Some(Target::Continue(l)),
        Op::Return(None) => Some(Target::Return),
        _ => None,
    }
}

fn constant(f: &Function, v: ValueId) -> Option<u64> {
    match f.insts[v].op {
        Op::Const(bits) => Some(bits),
        _ => None,
    }
}

fn mentions(f: &Function, list: &[ValueId], test: &dyn Fn(&Op) -> bool) -> bool {
    list.iter().any(|v| {
        let op = &f.insts[*v].op;
        test(op) || (0..nested_count(op)).filter_map(|i| nested(op, i)).any(|b| mentions(f, &b.insts, test))
    })
}

fn breaks_to(f: &Function, list: &[ValueId], label: LabelId) -> bool {
    mentions(f, list, &|op| matches!(op, Op::Break(l) if *l == label))
}

fn has_barrier(f: &Function, list: &[ValueId]) -> bool {
    mentions(f, list, &|op| matches!(op, Op::Barrier { scope: BarrierScope::Threadgroup, .. }))
}

impl Pass<'_> {
    /// `tail`: the exits that do nothing at the end of this list.
    fn list(&mut self, f: &mut Function, list: Vec<ValueId>, tail: &[Target]) -> Vec<ValueId> {
        let mut out: Vec<ValueId> = Vec::with_capacity(list.len());
        let mut rest = std::collections::VecDeque::from(list);
        while let Some(v) = rest.pop_front() {
            let is_last = rest.is_empty();
            match f.insts[v].op {
                Op::If { condition, .. } => {
                    if let Some(c) = constant(f, condition) {
                        let taken = take_nested(f, v, usize::from(c & 1 == 0));
                        self.changed = true;
                        self.splice(f, taken, &mut rest);
                        continue;
                    }
                    if let Op::Unary(UnaryOp::Not, inner) = f.insts[condition].op
                        && f.insts[inner].ty == self.bool_ty
                    {
                        let (then, otherwise) = (take_nested(f, v, 0), take_nested(f, v, 1));
                        f.insts[v].op = Op::If {
                            condition: inner,
                            then: Block { insts: otherwise },
                            otherwise: Block { insts: then },
                        };
                        self.changed = true;
                    }
                    self.merge_rest(f, v, &mut rest, tail);
                    let inner_tail: &[Target] = if rest.is_empty() { tail } else { &[] };
                    for i in 0..2 {
                        let inner = take_nested(f, v, i);
                        let inner = self.list(f, inner, inner_tail);
                        put_nested(f, v, i, inner);
                    }
                    let Op::If { then, otherwise, .. } = &f.insts[v].op else { continue };
                    if then.insts.is_empty() && otherwise.insts.is_empty() {
                        self.changed = true;
                        continue;
                    }
                    let ends = !falls_through(f, then) && !falls_through(f, otherwise);
                    out.push(v);
                    if ends {
                        self.changed |= !rest.is_empty();
                        return out;
                    }
                }
                Op::Scope { label, .. } => {
                    let mut inner_tail = vec![Target::Break(label)];
                    if is_last {
                        inner_tail.extend_from_slice(tail);
                    }
                    let inner = take_nested(f, v, 0);
                    let inner = self.list(f, inner, &inner_tail);
                    if breaks_to(f, &inner, label) {
                        put_nested(f, v, 0, inner);
                        out.push(v);
                    } else {
                        self.changed = true;
                        let ends = !falls_through(f, &Block { insts: inner.clone() });
                        out.extend(inner);
                        if ends {
                            return out;
                        }
                    }
                }
                Op::Loop { label, .. } => {
                    let body = take_nested(f, v, 0);
                    let body = self.list(f, body, &[Target::Continue(label)]);
                    let continuing = take_nested(f, v, 1);
                    let continuing = self.list(f, continuing, &[]);
                    let continues = mentions(f, &body, &|op| matches!(op, Op::Continue(l) if *l == label));
                    if !continues && !falls_through(f, &Block { insts: body.clone() }) {
                        // The body runs at most once.
                        f.insts[v].op = Op::Scope { label, body: Block { insts: body } };
                        self.changed = true;
                        rest.push_front(v);
                        continue;
                    }
                    put_nested(f, v, 0, body);
                    put_nested(f, v, 1, continuing);
                    out.push(v);
                }
                Op::Switch { label, value, ref cases } => {
                    let count = cases.len();
                    if let Some(bits) = constant(f, value) {
                        self.changed = true;
                        let scope = self.chosen(f, v, value, bits);
                        f.insts[v].op = Op::Scope { label, body: Block { insts: scope } };
                        rest.push_front(v);
                        continue;
                    }
                    for i in 0..count {
                        let inner = take_nested(f, v, i);
                        let inner_tail: &[Target] = if i + 1 == count { &[Target::Break(label)] } else { &[] };
                        let inner = self.list(f, inner, inner_tail);
                        put_nested(f, v, i, inner);
                    }
                    out.push(v);
                }
                ref op => {
                    let ends = op.is_terminator();
                    if is_last && exit_of(f, v).is_some_and(|e| tail.contains(&e)) {
                        self.changed = true;
                        continue;
                    }
                    out.push(v);
                    if ends {
                        self.changed |= !is_last;
                        return out;
                    }
                }
            }
        }
        out
    }

    /// Puts the instructions of a block that is certainly executed in front of the rest.
    fn splice(&mut self, f: &Function, taken: Vec<ValueId>, rest: &mut std::collections::VecDeque<ValueId>) {
        if !falls_through(f, &Block { insts: taken.clone() }) {
            rest.clear();
        }
        for v in taken.into_iter().rev() {
            rest.push_front(v);
        }
    }

    /// Moves what follows an `if` into the branch that goes on, where the other leaves for a place
    /// that the rest would reach by itself.
    fn merge_rest(
        &mut self,
        f: &mut Function,
        v: ValueId,
        rest: &mut std::collections::VecDeque<ValueId>,
        tail: &[Target],
    ) {
        if rest.is_empty() {
            return;
        }
        for (leaves, stays) in [(0, 1), (1, 0)] {
            let Op::If { then, otherwise, .. } = &f.insts[v].op else { return };
            let blocks = [then, otherwise];
            let Some(&last) = blocks[leaves].insts.last() else { continue };
            let Some(exit) = exit_of(f, last) else { continue };
            if !tail.contains(&exit) || !falls_through(f, blocks[stays]) {
                continue;
            }
            let following: Vec<ValueId> = rest.iter().copied().collect();
            if has_barrier(f, &following) {
                return;
            }
            let mut leaving = take_nested(f, v, leaves);
            leaving.pop();
            put_nested(f, v, leaves, leaving);
            let mut staying = take_nested(f, v, stays);
            staying.extend(rest.drain(..));
            put_nested(f, v, stays, staying);
            self.changed = true;
            return;
        }
    }

    /// The instructions that a switch on a constant executes.
    fn chosen(&self, f: &mut Function, v: ValueId, value: ValueId, bits: u64) -> Vec<ValueId> {
        let Op::Switch { cases, .. } = &f.insts[v].op else { return Vec::new() };
        let scalar = self.types.scalar_of(f.insts[value].ty).unwrap_or(Scalar::I64);
        let bits = to_int(scalar, bits) as i64;
        let matched =
            cases.iter().position(|c| c.values.contains(&bits)).or_else(|| cases.iter().position(|c| c.is_default));
        let Some(first) = matched else { return Vec::new() };
        let mut out = Vec::new();
        for i in first..cases.len() {
            let body = nested(&f.insts[v].op, i).map(|b| b.insts.clone()).unwrap_or_default();
            let goes_on = falls_through(f, &Block { insts: body.clone() });
            out.extend(body);
            if !goes_on {
                break;
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn early_exits_in_tail_position_become_branches() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>) -> void {
               %i = builtin thread_index_in_threadgroup
               %ten: u32 = const 10
               %c = ge %i, %ten
               if %c { return }
               scope s {
                 %d = lt %i, %ten
                 if %d { store %p, %i
                   break s }
                 store %p, %ten
                 break s
               }
             }
             kernel k = @k { p: buffer 0 device read_write u32 }",
        );
        let k = entry(&m);
        assert!(simplify_control(&mut m, k));
        let t = text(&m, k);
        assert!(!t.contains("return") && !t.contains("scope") && !t.contains("break"), "{t}");
        assert_eq!(t.matches("store").count(), 2);
    }

    #[test]
    fn constant_switches_keep_what_falls_through() {
        let mut m = module(
            "fn k(%p: ptr<device, i32>) -> void {
               %v: i32 = const -1
               switch s %v {
                 case 0 { %a: i32 = const 10
                   store %p, %a }
                 case -1 { %b: i32 = const 11
                   store %p, %b }
                 case default { %c: i32 = const 12
                   store %p, %c
                   break s }
                 case 3 { %d: i32 = const 13
                   store %p, %d }
               }
             }
             kernel k = @k { p: buffer 0 device read_write i32 }",
        );
        let k = entry(&m);
        assert!(simplify_control(&mut m, k));
        let t = text(&m, k);
        assert!(t.contains("const 11") && t.contains("const 12"), "{t}");
        assert!(!t.contains("const 10") && !t.contains("const 13") && !t.contains("switch"), "{t}");
    }
}

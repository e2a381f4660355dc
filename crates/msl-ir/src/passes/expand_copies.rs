//! Turns copies of small aggregates from or to locals into loads and stores of their members.
//!
//! Then [`split_aggregates`](super::split_aggregates) sees accesses to members only. Copies of large
//! arrays, of structures with overlapping fields, and between buffers stay.

use msl_base::Span;

use super::rewrite::{contains, edit_blocks, push, push_const, with_function};
use crate::FunctionId;
use crate::analysis::{Provenance, Root};
use crate::ir::{Function, Module, Op, ValueId};
use crate::types::{Scalar, Type, TypeId, TypeTable};

/// Members of an object that is copied one by one.
const LIMIT: usize = 16;

#[derive(Clone, Copy)]
enum Step {
    Field(u32),
    Element(u64),
}

struct Leaf {
    path: Vec<Step>,
    offset: u64,
}

pub fn expand_copies(module: &mut Module, id: FunctionId) -> bool {
    if !contains(&module.functions[id], |op| matches!(op, Op::Copy { .. })) {
        return false;
    }
    let provenance = Provenance::new(module, &module.functions[id]);
    let is_local = |v: ValueId| provenance.roots(v).iter().any(|r| matches!(r, Root::Local(_)));
    with_function(module, id, |module, f| {
        let mut changed = false;
        edit_blocks(f, &mut |f, list| {
            let mut out = Vec::with_capacity(list.len());
            for v in list {
                let Op::Copy { dst, src, align } = f.insts[v].op else {
                    out.push(v);
                    continue;
                };
                let types = &mut module.types;
                let ty = types.pointee(f.insts[dst].ty).map(|p| p.1);
                let same = ty.is_some() && ty == types.pointee(f.insts[src].ty).map(|p| p.1);
                let mut leaves = Vec::new();
                let fits = ty.is_some_and(|ty| collect(types, ty, &mut Vec::new(), 0, &mut leaves));
                if !same || !fits || !(is_local(dst) || is_local(src)) {
                    out.push(v);
                    continue;
                }
                changed = true;
                let span = f.insts[v].span;
                for leaf in leaves {
                    let from = address(types, f, src, &leaf.path, span, &mut out);
                    let to = address(types, f, dst, &leaf.path, span, &mut out);
                    let align = 1u32 << leaf.offset.trailing_zeros().min(align.max(1).trailing_zeros());
                    let Some((_, member)) = types.pointee(f.insts[from].ty) else { continue };
                    let ty = match *types.get(member) {
                        Type::Vector { elem, len, packed: true } => types.vector(elem, len),
                        _ => member,
                    };
                    let value = push(f, Op::Load { ptr: from, align, volatile: false }, ty, span);
                    let void = types.void();
                    let store = push(f, Op::Store { ptr: to, value, align, volatile: false }, void, span);
                    out.extend([value, store]);
                }
            }
            out
        });
        changed
    })
}

/// The members of a type; false where there are too many or they overlap.
fn collect(types: &TypeTable, ty: TypeId, path: &mut Vec<Step>, offset: u64, out: &mut Vec<Leaf>) -> bool {
    if out.len() >= LIMIT {
        return false;
    }
    match types.get(ty) {
        Type::Void => false,
        Type::Scalar(_) | Type::Vector { .. } | Type::Pointer { .. } => {
            out.push(Leaf { path: path.clone(), offset });
            true
        }
        Type::Array { elem, len } => (0..*len).all(|i| {
            path.push(Step::Element(i));
            let fits = collect(types, *elem, path, offset + i * types.size_of(*elem), out);
            path.pop();
            fits
        }),
        Type::Struct(s) => {
            let mut end = 0;
            types.structure(*s).fields.iter().enumerate().all(|(i, field)| {
                if field.offset < end {
                    return false;
                }
                end = field.offset + types.size_of(field.ty);
                path.push(Step::Field(i as u32));
                let fits = collect(types, field.ty, path, offset + field.offset, out);
                path.pop();
                fits
            })
        }
    }
}

fn address(
    types: &mut TypeTable,
    f: &mut Function,
    base: ValueId,
    path: &[Step],
    span: Span,
    out: &mut Vec<ValueId>,
) -> ValueId {
    let mut at = base;
    for step in path {
        let Some((space, ty)) = types.pointee(f.insts[at].ty) else { return at };
        let (op, member) = match (*step, types.get(ty)) {
            (Step::Field(i), Type::Struct(s)) => {
                let member = types.structure(*s).fields[i as usize].ty;
                (Op::FieldAddr { base: at, field: i }, member)
            }
            (Step::Element(i), Type::Array { elem, .. }) => {
                let member = *elem;
                let index = push_const(types, f, Scalar::U64, i);
                out.push(index);
                (Op::IndexAddr { base: at, index }, member)
            }
            _ => return at,
        };
        let ty = types.pointer(space, member);
        at = push(f, op, ty, span);
        out.push(at);
    }
    at
}

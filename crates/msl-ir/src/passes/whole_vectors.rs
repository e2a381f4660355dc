//! Accesses to components of vector locals become accesses to the vector: a load and an extract, or a load,
//! an insert and a store. Then the local is only used whole and its value can be forwarded.

use msl_base::Id;

use super::rewrite::{contains, edit_blocks, push, push_local_addr, with_function};
use crate::FunctionId;
use crate::analysis::{Provenance, Tree};
use crate::ir::{Function, LocalId, Module, Op, ValueId};
use crate::types::{Type, TypeTable};

pub fn whole_vectors(module: &mut Module, id: FunctionId) -> bool {
    let f = &module.functions[id];
    let is_vector = |l: LocalId| matches!(module.types.get(f.locals[l].ty), Type::Vector { .. });
    if !contains(f, |op| matches!(op, Op::LocalAddr(l) if is_vector(*l))) {
        return false;
    }
    let tree = Tree::new(f);
    let provenance = Provenance::new(module, f);
    let mut fit = vec![true; f.locals.len()];
    for (l, local) in f.locals.iter() {
        fit[l.index()] = matches!(module.types.get(local.ty), Type::Vector { .. })
            && provenance.local_use(l) == crate::analysis::provenance::LocalUse::Parts;
    }
    // Every use of an address of the local must be an access that can be rewritten.
    for &v in tree.order() {
        if let Op::LocalAddr(l) = f.insts[v].op {
            fit[l.index()] &= tree.uses(v).iter().all(|u| match f.insts[*u].op {
                Op::Load { ptr, volatile: false, .. } => ptr == v,
                Op::Store { ptr, value, volatile: false, .. } => ptr == v && value != v,
                Op::IndexAddr { base, .. } => {
                    base == v
                        && tree.uses(*u).iter().all(|w| match f.insts[*w].op {
                            Op::Load { ptr, volatile: false, .. } => {
                                ptr == *u
                                    && module.types.scalar_of(f.insts[*w].ty) == module.types.scalar_of(f.locals[l].ty)
                            }
                            Op::Store { ptr, value, volatile: false, .. } => ptr == *u && value != *u,
                            _ => false,
                        })
                }
                _ => false,
            });
        }
    }
    if !fit.contains(&true) {
        return false;
    }
    with_function(module, id, |module, f| {
        edit_blocks(f, &mut |f, list| {
            let mut out = Vec::with_capacity(list.len());
            for v in list {
                if !rewrite(&mut module.types, f, v, &fit, &mut out) {
                    out.push(v);
                }
            }
            out
        });
    });
    true
}

/// The local and index of a component address.
fn component(f: &Function, ptr: ValueId, fit: &[bool]) -> Option<(LocalId, ValueId)> {
    let Op::IndexAddr { base, index } = f.insts[ptr].op else { return None };
    match f.insts[base].op {
        Op::LocalAddr(l) if fit[l.index()] => Some((l, index)),
        _ => None,
    }
}

fn rewrite(types: &mut TypeTable, f: &mut Function, v: ValueId, fit: &[bool], out: &mut Vec<ValueId>) -> bool {
    let span = f.insts[v].span;
    let (ptr, stored) = match f.insts[v].op {
        Op::Load { ptr, .. } => (ptr, None),
        Op::Store { ptr, value, .. } => (ptr, Some(value)),
        _ => return false,
    };
    let Some((l, index)) = component(f, ptr, fit) else { return false };
    let Type::Vector { elem, len, .. } = *types.get(f.locals[l].ty) else { return false };
    let ty = types.vector(elem, len);
    let align = f.locals[l].align;
    let address = push_local_addr(types, f, l, span);
    let whole = push(f, Op::Load { ptr: address, align, volatile: false }, ty, span);
    out.extend([address, whole]);
    match stored {
        None => f.insts[v].op = Op::ExtractDynamic { vector: whole, index },
        Some(value) => {
            let new = push(f, Op::InsertDynamic { vector: whole, value, index }, ty, span);
            out.push(new);
            f.insts[v].op = Op::Store { ptr: address, value: new, align, volatile: false };
        }
    }
    // The index of a component access is `u32`.
    let index_ty = types.scalar(crate::Scalar::U32);
    if f.insts[index].ty != index_ty {
        let converted = push(f, Op::Convert(index), index_ty, span);
        let at = out.len() - usize::from(stored.is_some());
        out.insert(at, converted);
        let target = if stored.is_some() { out[out.len() - 1] } else { v };
        f.insts[target].op.map_operands(|a| if a == index { converted } else { a });
    }
    out.push(v);
    true
}

//! Replaces locals that hold pointers by locals that hold offsets.
//!
//! A local whose every stored pointer is derived from the same parameter or global, or from a load of
//! the local itself (`p++`), becomes an `i64` distance in bytes from that root. Loads become root + offset.
//! Then every address has a known root and its distance takes part in uniformity analysis, as an index would.

use std::collections::BTreeMap;

use msl_base::{FxMap, Span};

use super::rewrite::{contains, edit_blocks, push, push_const, push_local_addr, with_function};
use crate::FunctionId;
use crate::analysis::provenance::LocalUse;
use crate::analysis::{Provenance, Root, Tree};
use crate::ir::{BinaryOp, Function, Local, LocalId, Module, Op, ValueId};
use crate::types::{AddressSpace, Scalar, Type, TypeId, TypeTable};

pub fn legalize_pointers(module: &mut Module, id: FunctionId) -> bool {
    let f = &module.functions[id];
    let is_pointer = |l: LocalId| matches!(module.types.get(f.locals[l].ty), Type::Pointer { .. });
    if !contains(f, |op| matches!(op, Op::LocalAddr(l) if is_pointer(*l))) {
        return false;
    }
    let provenance = Provenance::new(module, &module.functions[id]);
    with_function(module, id, |module, f| {
        let tree = Tree::new(f);
        let mut roots: BTreeMap<LocalId, Root> = BTreeMap::new();
        for (l, local) in f.locals.iter() {
            if !matches!(module.types.get(local.ty), Type::Pointer { .. }) || provenance.local_use(l) != LocalUse::Whole
            {
                continue;
            }
            if let [root @ (Root::Param(_) | Root::Global(_))] = *provenance.contents(l) {
                roots.insert(l, root);
            }
        }
        // Every stored pointer must be reachable from its root by steps that have an offset.
        loop {
            let before = roots.len();
            for &v in tree.order() {
                if let Op::Store { ptr, value, volatile, .. } = f.insts[v].op
                    && let Op::LocalAddr(l) = f.insts[ptr].op
                    && roots.contains_key(&l)
                    && (volatile || !has_offset(f, &roots, value))
                {
                    roots.remove(&l);
                }
            }
            if roots.len() == before {
                break;
            }
        }
        if roots.is_empty() {
            return false;
        }
        let types = &mut module.types;
        let i64_ty = types.scalar(Scalar::I64);
        let mut offsets: FxMap<LocalId, LocalId> = FxMap::default();
        for l in roots.keys() {
            let name = f.locals[*l].name;
            offsets.insert(*l, f.locals.push(Local { name, ty: i64_ty, align: 8 }));
        }
        edit_blocks(f, &mut |f, list| {
            let mut out = Vec::with_capacity(list.len());
            for v in list {
                let mut emit = Emit { types, f, roots: &roots, offsets: &offsets, out: &mut out, i64_ty };
                emit.inst(v);
            }
            out
        });
        true
    })
}

/// Whether the distance of a pointer from its root can be computed.
fn has_offset(f: &Function, roots: &BTreeMap<LocalId, Root>, v: ValueId) -> bool {
    match &f.insts[v].op {
        Op::Param(_) | Op::GlobalAddr(_) => true,
        Op::FieldAddr { base, .. } | Op::IndexAddr { base, .. } | Op::PtrOffset { base, .. } | Op::PtrCast(base) => {
            has_offset(f, roots, *base)
        }
        Op::Select { a, b, .. } => has_offset(f, roots, *a) && has_offset(f, roots, *b),
        Op::Load { ptr, volatile: false, .. } => {
            matches!(f.insts[*ptr].op, Op::LocalAddr(l) if roots.contains_key(&l))
        }
        _ => false,
    }
}

struct Emit<'a> {
    types: &'a mut TypeTable,
    f: &'a mut Function,
    roots: &'a BTreeMap<LocalId, Root>,
    offsets: &'a FxMap<LocalId, LocalId>,
    out: &'a mut Vec<ValueId>,
    i64_ty: TypeId,
}

impl Emit<'_> {
    fn add(&mut self, op: Op, ty: TypeId, span: Span) -> ValueId {
        let v = push(self.f, op, ty, span);
        self.out.push(v);
        v
    }

    fn inst(&mut self, v: ValueId) {
        let span = self.f.insts[v].span;
        match self.f.insts[v].op {
            Op::Store { ptr, value, .. } => {
                if let Op::LocalAddr(l) = self.f.insts[ptr].op
                    && let Some(&offset_local) = self.offsets.get(&l)
                {
                    let offset = self.offset(value, span);
                    let address = push_local_addr(self.types, self.f, offset_local, span);
                    self.out.push(address);
                    self.f.insts[v].op = Op::Store { ptr: address, value: offset, align: 8, volatile: false };
                }
            }
            Op::Load { ptr, .. } => {
                if let Op::LocalAddr(l) = self.f.insts[ptr].op
                    && let (Some(&offset_local), Some(&root)) = (self.offsets.get(&l), self.roots.get(&l))
                {
                    let address = push_local_addr(self.types, self.f, offset_local, span);
                    self.out.push(address);
                    let load = Op::Load { ptr: address, align: 8, volatile: false };
                    let offset = self.add(load, self.i64_ty, span);
                    let (space, _) =
                        self.types.pointee(self.f.insts[v].ty).unwrap_or((AddressSpace::Device, self.i64_ty));
                    let base = self.root(root, space, span);
                    let byte = self.types.scalar(Scalar::U8);
                    let bytes = self.types.pointer(space, byte);
                    let base = self.add(Op::PtrCast(base), bytes, span);
                    let moved = self.add(Op::PtrOffset { base, offset }, bytes, span);
                    self.f.insts[v].op = Op::PtrCast(moved);
                }
            }
            _ => {}
        }
        self.out.push(v);
    }

    fn root(&mut self, root: Root, space: AddressSpace, span: Span) -> ValueId {
        match root {
            Root::Param(i) => {
                let ty = self.f.params[i as usize];
                self.add(Op::Param(i), ty, span)
            }
            // Only parameters and globals are collected.
            Root::Global(g) => {
                let known = self.f.insts.values().find(|i| i.op == Op::GlobalAddr(g)).map(|i| i.ty);
                let byte = self.types.scalar(Scalar::U8);
                let ty = known.unwrap_or_else(|| self.types.pointer(space, byte));
                self.add(Op::GlobalAddr(g), ty, span)
            }
            Root::Local(_) | Root::Unknown { .. } => {
                let byte = self.types.scalar(Scalar::U8);
                let ty = self.types.pointer(space, byte);
                self.add(Op::Undef, ty, span)
            }
        }
    }

    fn constant(&mut self, value: u64) -> ValueId {
        let v = push_const(self.types, self.f, Scalar::I64, value);
        self.out.push(v);
        v
    }

    /// The distance in bytes of a pointer from its root.
    fn offset(&mut self, v: ValueId, span: Span) -> ValueId {
        let pointee = |e: &Emit<'_>, v: ValueId| e.types.pointee(e.f.insts[v].ty).map(|p| p.1);
        match self.f.insts[v].op {
            Op::PtrCast(base) => self.offset(base, span),
            Op::FieldAddr { base, field } => {
                let distance = match pointee(self, base).map(|p| self.types.get(p)) {
                    Some(Type::Struct(s)) => {
                        self.types.structure(*s).fields.get(field as usize).map_or(0, |f| f.offset)
                    }
                    _ => 0,
                };
                let a = self.offset(base, span);
                if distance == 0 {
                    return a;
                }
                let b = self.constant(distance);
                self.add(Op::Binary(BinaryOp::Add, a, b), self.i64_ty, span)
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let size = pointee(self, v).map_or(1, |p| self.types.size_of(p));
                let a = self.offset(base, span);
                let index = if self.f.insts[index].ty == self.i64_ty {
                    index
                } else {
                    self.add(Op::Convert(index), self.i64_ty, span)
                };
                let size = self.constant(size);
                let b = self.add(Op::Binary(BinaryOp::Mul, index, size), self.i64_ty, span);
                self.add(Op::Binary(BinaryOp::Add, a, b), self.i64_ty, span)
            }
            Op::Select { condition, a, b } => {
                let a = self.offset(a, span);
                let b = self.offset(b, span);
                self.add(Op::Select { condition, a, b }, self.i64_ty, span)
            }
            // A load of a pointer local was rewritten when it was met: root, cast, offset, cast.
            _ => match self.f.insts[v].op {
                Op::Load { ptr, .. } => {
                    if let Op::LocalAddr(l) = self.f.insts[ptr].op
                        && let Some(&offset_local) = self.offsets.get(&l)
                    {
                        let address = push_local_addr(self.types, self.f, offset_local, span);
                        self.out.push(address);
                        return self.add(Op::Load { ptr: address, align: 8, volatile: false }, self.i64_ty, span);
                    }
                    self.constant(0)
                }
                _ => self.constant(0),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text, uniformity};
    use super::*;
    use crate::analysis::{GangLayout, Lanes};

    #[test]
    fn a_walking_pointer_becomes_an_offset_from_its_parameter() {
        let mut m = module(
            "fn k(%a: ptr<device, f32>, %out: ptr<device, f32>) -> void {
               local p: ptr<device, f32>
               local i: u32
               %gid = builtin thread_position_in_grid
               %x = extract %gid, 0
               %p = local_addr p
               %i = local_addr i
               %zero: u32 = const 0
               %one: u32 = const 1
               %n: u32 = const 100
               store %i, %zero
               %start = ptr_offset %a, %x
               store %p, %start
               loop l {
                 %iv = load %i
                 %done = ge %iv, %n
                 if %done { break l }
                 %q = load %p
                 %v = load %q
                 %o = ptr_offset %out, %x
                 store %o, %v
                 %nq = ptr_offset %q, %n
                 store %p, %nq
               } continuing {
                 %w = load %i
                 %next = add %w, %one
                 store %i, %next
               }
             }
             kernel k = @k { a: buffer 0 device read f32 out: buffer 1 device read_write f32 }",
        );
        let k = entry(&m);
        assert!(legalize_pointers(&mut m, k));
        super::super::pipeline::clean(&mut m, k);
        let t = text(&m, k);
        let f = &m.functions[k];
        let u = uniformity(&m, &GangLayout::consecutive(Some([32, 1, 1]), 16, 2));
        let tree = Tree::new(f);
        let strides: Vec<_> = tree
            .order()
            .iter()
            .filter(|v| matches!(f.insts[**v].op, Op::Load { ptr, .. } if u.shape(ptr).lanes == Lanes::Linear(4)))
            .collect();
        assert_eq!(strides.len(), 1, "{t}");
    }
}

//! Scalar replacement: splits locals of structure and array type into one local for each part
//! that is accessed at a constant place.
//!
//! The parts that must stay together are found first: a member that is loaded or stored, an array
//! that is indexed by a value, whatever an address is kept of. Parts that overlap (unions)
//! share the larger one. Where all of that is the whole local, it stays.

use msl_base::{FxMap, FxSet};
use std::collections::BTreeMap;

use super::rewrite::{contains, edit_blocks, push, push_const, push_local_addr, with_function};
use crate::FunctionId;
use crate::analysis::tree;
use crate::ir::{Function, Local, LocalId, Module, Op, ValueId};
use crate::types::{AddressSpace, Scalar, Type, TypeId, TypeTable};

/// A pointer at a constant place in a local.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    local: LocalId,
    offset: u64,
    ty: TypeId,
    /// The outermost array that the pointer goes into: pointer arithmetic may reach all of it.
    array: Option<(u64, TypeId)>,
    /// The type was changed on the way: what arithmetic may reach is not known.
    is_cast: bool,
    /// The pointer that this one is derived from.
    from: Option<ValueId>,
}

#[derive(Clone, Copy)]
struct Slot {
    offset: u64,
    size: u64,
    ty: TypeId,
    local: LocalId,
}

#[derive(Default)]
struct Plan {
    whole: bool,
    pins: Vec<(u64, TypeId)>,
    slots: Vec<Slot>,
}

pub fn split_aggregates(module: &mut Module, id: FunctionId) -> bool {
    let f = &module.functions[id];
    let is_split = |l: LocalId| matches!(module.types.get(f.locals[l].ty), Type::Array { .. } | Type::Struct(_));
    if !contains(f, |op| matches!(op, Op::LocalAddr(l) if is_split(*l))) {
        return false;
    }
    let goes_outward = goes_outward(module, id);
    with_function(module, id, |module, f| {
        let mut finder = Finder {
            types: &module.types,
            f,
            places: FxMap::default(),
            plans: BTreeMap::new(),
            pinned: FxSet::default(),
            goes_outward,
        };
        let mut order = Vec::new();
        tree::walk(f, &f.body, &mut |v| order.push(v));
        for &v in &order {
            finder.visit(v);
        }
        let Finder { places, mut plans, pinned, .. } = finder;
        let mut any = false;
        for (l, plan) in &mut plans {
            any |= choose_slots(&module.types, f, *l, plan);
        }
        if any {
            rewrite(&mut module.types, f, &order, &places, &plans, &pinned);
        }
        any
    })
}

struct Finder<'a> {
    types: &'a TypeTable,
    f: &'a Function,
    places: FxMap<ValueId, Place>,
    plans: BTreeMap<LocalId, Plan>,
    /// Pointers that are accessed or kept.
    pinned: FxSet<ValueId>,
    /// Kept pointers to a structure may lead to what it is part of.
    goes_outward: bool,
}

/// Whether pointers to a base become pointers to what derives from it.
fn goes_outward(module: &Module, id: FunctionId) -> bool {
    let types = &module.types;
    let thread_pointee = |f: &Function, v: ValueId| match types.pointee(f.insts[v].ty) {
        Some((AddressSpace::Thread, pointee)) => Some(pointee),
        _ => None,
    };
    let is_struct = |t: TypeId| matches!(types.get(t), Type::Struct(_));
    let outward = |f: &Function| {
        f.insts.values().any(|inst| match inst.op {
            Op::PtrCast(base) => match (thread_pointee(f, base), types.pointee(inst.ty)) {
                (Some(from), Some((_, to))) => {
                    is_struct(from) && is_struct(to) && types.size_of(from) < types.size_of(to)
                }
                _ => false,
            },
            Op::PtrOffset { base, offset } => {
                thread_pointee(f, base).is_some_and(|t| types.scalar_of(t) == Some(Scalar::U8))
                    && matches!(f.insts[offset].op, Op::Const(bits) if (bits as i64) < 0)
            }
            _ => false,
        })
    };
    let f = &module.functions[id];
    outward(f) || contains(f, |op| matches!(op, Op::Call { .. })) && module.functions.values().any(outward)
}

impl Finder<'_> {
    fn constant(&self, v: ValueId) -> Option<u64> {
        match self.f.insts[v].op {
            Op::Const(bits) => {
                let s = self.types.scalar_of(self.f.insts[v].ty)?;
                u64::try_from(super::fold_constants::to_int(s, bits)).ok()
            }
            _ => None,
        }
    }

    /// The object at this place must stay together.
    fn pin(&mut self, v: ValueId) {
        if let Some(p) = self.places.get(&v) {
            self.pinned.insert(v);
            self.plans.entry(p.local).or_default().pins.push((p.offset, p.ty));
        }
    }

    /// The address is kept, or arithmetic is done on it.
    fn roam(&mut self, v: ValueId) {
        let Some(p) = self.places.get(&v).copied() else { return };
        self.pinned.insert(v);
        let is_part = self.goes_outward && p.array.is_none() && matches!(self.types.get(p.ty), Type::Struct(_));
        let plan = self.plans.entry(p.local).or_default();
        if p.is_cast || is_part {
            plan.whole = true;
        } else {
            plan.pins.push(p.array.unwrap_or((p.offset, p.ty)));
        }
    }

    /// What lies around the place may be reached from it.
    fn keep_whole(&mut self, v: ValueId) {
        let Some(p) = self.places.get(&v).copied() else { return };
        self.pinned.insert(v);
        self.plans.entry(p.local).or_default().whole = true;
    }

    fn visit(&mut self, v: ValueId) {
        let inst = &self.f.insts[v];
        match &inst.op {
            Op::LocalAddr(l) => {
                let ty = self.f.locals[*l].ty;
                let place = Place { local: *l, offset: 0, ty, array: None, is_cast: false, from: None };
                self.places.insert(v, place);
            }
            Op::FieldAddr { base, field } => {
                let Some(p) = self.places.get(base).copied() else { return };
                if let Type::Struct(s) = self.types.get(p.ty)
                    && let Some(member) = self.types.structure(*s).fields.get(*field as usize)
                {
                    let offset = p.offset + member.offset;
                    self.places.insert(v, Place { offset, ty: member.ty, from: Some(*base), ..p });
                } else {
                    self.roam(*base);
                }
            }
            Op::IndexAddr { base, index } => {
                let Some(p) = self.places.get(base).copied() else { return };
                let at = self.constant(*index);
                match (self.types.get(p.ty), at) {
                    (Type::Array { elem, len }, Some(i)) if i < *len => {
                        let offset = p.offset + i * self.types.size_of(*elem);
                        let array = p.array.or(Some((p.offset, p.ty)));
                        self.places.insert(v, Place { offset, ty: *elem, array, from: Some(*base), ..p });
                    }
                    _ => self.pin(*base),
                }
            }
            Op::PtrOffset { base, offset } => {
                let Some(p) = self.places.get(base).copied() else { return };
                let is_known = matches!(self.f.insts[*offset].op, Op::Const(_));
                match self.constant(*offset) {
                    Some(0) => {
                        self.places.insert(v, Place { from: Some(*base), ..p });
                    }
                    // From a base to the object it is part of: nothing else moves a pointer to what is not an array.
                    _ if is_known && p.array.is_none() => self.keep_whole(*base),
                    _ => self.roam(*base),
                }
            }
            Op::PtrCast(base) | Op::AssumeValid(base) => {
                let Some(p) = self.places.get(base).copied() else { return };
                let Some((_, ty)) = self.types.pointee(inst.ty) else { return };
                if p.offset + self.types.size_of(ty) > self.types.size_of(self.f.locals[p.local].ty) {
                    self.roam(*base);
                    return;
                }
                self.places.insert(v, Place { ty, is_cast: p.is_cast || ty != p.ty, from: Some(*base), ..p });
            }
            Op::Load { ptr, .. } => self.pin(*ptr),
            Op::Store { ptr, value, .. } => {
                self.pin(*ptr);
                self.roam(*value);
            }
            Op::Copy { dst, src, .. } => {
                self.pin(*dst);
                self.pin(*src);
            }
            Op::PtrToInt(p) => {
                if let Some(place) = self.places.get(p) {
                    self.plans.entry(place.local).or_default().whole = true;
                }
            }
            op => {
                let mut list = Vec::new();
                op.for_each_operand(|a| list.push(a));
                list.into_iter().for_each(|a| self.roam(a));
            }
        }
    }
}

/// The alignment of a place at an offset in a local.
fn placed(offset: u64, align: u32) -> u32 {
    1 << offset.trailing_zeros().min(align.max(1).trailing_zeros())
}

/// Makes the locals for the parts; false where the local stays as it is.
fn choose_slots(types: &TypeTable, f: &mut Function, l: LocalId, plan: &mut Plan) -> bool {
    let local = f.locals[l].clone();
    if plan.whole || plan.pins.is_empty() || !matches!(types.get(local.ty), Type::Array { .. } | Type::Struct(_)) {
        return false;
    }
    let mut pins: Vec<(u64, u64, TypeId)> = plan.pins.iter().map(|(o, t)| (*o, types.size_of(*t), *t)).collect();
    // Larger objects first; among equals, those that are made of members, then any fixed order.
    let is_whole = |t: TypeId| matches!(types.get(t), Type::Array { .. } | Type::Struct(_));
    pins.sort_by_key(|(o, s, t)| (*o, u64::MAX - s, !is_whole(*t), matches!(types.get(*t), Type::Scalar(_)), *t));
    pins.dedup();
    let mut slots: Vec<(u64, u64, TypeId)> = Vec::new();
    for (offset, size, ty) in pins {
        match slots.last() {
            Some((o, s, _)) if offset < o + s => {
                if offset + size > o + s {
                    return false;
                }
            }
            _ => slots.push((offset, size, ty)),
        }
    }
    if let [(_, size, _)] = slots[..]
        && size == types.size_of(local.ty)
        && slots[0].2 == local.ty
    {
        return false;
    }
    for (offset, size, ty) in slots {
        // Accesses may rely on the alignment of their place in the whole.
        let align = placed(offset, local.align).max(types.align_of(ty));
        let new = f.locals.push(Local { name: local.name, ty, align });
        plan.slots.push(Slot { offset, size, ty, local: new });
    }
    true
}

fn rewrite(
    types: &mut TypeTable,
    f: &mut Function,
    order: &[ValueId],
    places: &FxMap<ValueId, Place>,
    plans: &BTreeMap<LocalId, Plan>,
    pinned: &FxSet<ValueId>,
) {
    // Pointers that stand for a slot exactly, and those derived from such, with the alignment of the slot in the whole:
    // what lies behind its start may have been better aligned there.
    let mut based: FxMap<ValueId, u32> = FxMap::default();
    let mut exact: FxMap<ValueId, LocalId> = FxMap::default();
    let mut inner: FxMap<ValueId, Slot> = FxMap::default();
    for v in order {
        let Some(p) = places.get(v) else { continue };
        let Some(plan) = plans.get(&p.local).filter(|p| !p.slots.is_empty()) else { continue };
        if let Some(known) = p.from.and_then(|from| based.get(&from)) {
            based.insert(*v, *known);
            continue;
        }
        let size = types.size_of(p.ty);
        let at = plan.slots.partition_point(|s| s.offset <= p.offset);
        let Some(slot) = at.checked_sub(1).map(|i| plan.slots[i]) else { continue };
        if slot.offset == p.offset && slot.ty == p.ty {
            exact.insert(*v, slot.local);
            based.insert(*v, placed(slot.offset, f.locals[p.local].align));
        } else if pinned.contains(v) && p.offset + size <= slot.offset + slot.size {
            // Another view of a part: a member of a union, or a cast.
            inner.insert(*v, slot);
            based.insert(*v, placed(slot.offset, f.locals[p.local].align));
        }
    }
    for (v, l) in exact {
        f.insts[v].op = Op::LocalAddr(l);
    }
    for (_, inst) in f.insts.iter_mut() {
        let known = |ptr: &ValueId| based.get(ptr).copied().unwrap_or(u32::MAX);
        match &mut inst.op {
            Op::Load { ptr, align, .. } | Op::Store { ptr, align, .. } => *align = (*align).min(known(ptr)),
            Op::Copy { dst, src, align } => *align = (*align).min(known(dst)).min(known(src)),
            _ => {}
        }
    }
    edit_blocks(f, &mut |f, list| {
        let mut out = Vec::with_capacity(list.len());
        for v in list {
            if let (Some(slot), Some(place)) = (inner.get(&v), places.get(&v)) {
                let span = f.insts[v].span;
                let mut at = push_local_addr(types, f, slot.local, span);
                out.push(at);
                if place.offset > slot.offset {
                    let byte = types.scalar(Scalar::U8);
                    let bytes = types.pointer(AddressSpace::Thread, byte);
                    at = push(f, Op::PtrCast(at), bytes, span);
                    let offset = push_const(types, f, Scalar::U64, place.offset - slot.offset);
                    let moved = push(f, Op::PtrOffset { base: at, offset }, bytes, span);
                    out.extend([at, offset, moved]);
                    at = moved;
                }
                f.insts[v].op = Op::PtrCast(at);
            }
            out.push(v);
        }
        out
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn members_get_locals_and_indexed_arrays_stay_together() {
        let mut m = module(
            "struct S size 32 align 4 { x: f32 @0 y: f32 @4 a: array<f32, 4> @8 }
             fn k(%p: ptr<device, f32>) -> void {
               local s: S
               %s = local_addr s
               %x = field_addr %s, 0
               %a = field_addr %s, 2
               %v = load %p
               store %x, %v
               %j = builtin thread_index_in_threadgroup
               %e = index_addr %a, %j
               store %e, %v
               %three: u32 = const 3
               %g = index_addr %a, %three
               %w = load %g
               %u = load %x
               store %p, %w
               store %p, %u
             }
             kernel k = @k { p: buffer 0 device read_write f32 }",
        );
        let k = entry(&m);
        assert!(split_aggregates(&mut m, k));
        assert!(!split_aggregates(&mut m, k));
        let f = &m.functions[k];
        let types: Vec<String> = f.locals.values().map(|l| crate::text::print_type(&m, l.ty)).collect();
        assert_eq!(types, ["S", "f32", "array<f32, 4>"], "{}", text(&m, k));
    }

    #[test]
    fn accesses_do_not_rely_on_where_a_part_was() {
        let mut m = module(
            "struct S size 80 align 16 { v: vec4<f32> @0 x: u64 @16 a: array<vec2<f32>, 4> @24 }
             fn k(%p: ptr<device, vec2<f32>>) -> void {
               local s: S align 16
               %s = local_addr s
               %x = field_addr %s, 1
               %one: u64 = const 1
               store %x, %one
               %a = field_addr %s, 2
               %n: u32 = const 1
               %e = index_addr %a, %n
               %v = load %p
               store %e, %v align 16
               %j = builtin thread_index_in_threadgroup
               %d = index_addr %a, %j
               %w = load %d
               store %p, %w
             }
             kernel k = @k { p: buffer 0 device read_write vec2<f32> }",
        );
        let k = entry(&m);
        assert!(split_aggregates(&mut m, k));
        let t = text(&m, k);
        let is_access = |line: &&str| line.contains("load") || line.contains("store");
        assert!(t.contains("array<vec2<f32>, 4> align 8"), "{t}");
        assert!(t.lines().filter(is_access).all(|line| !line.contains("align 16")), "{t}");
    }

    #[test]
    fn copies_of_small_structures_split_too() {
        let mut m = module(
            "struct P size 16 align 4 { x: f32 @0 y: f32 @4 z: array<f32, 2> @8 }
             fn k(%p: ptr<device, P>) -> void {
               local s: P
               %s = local_addr s
               copy %s, %p
               %y = field_addr %s, 1
               %v = load %y
               store %y, %v
               copy %p, %s
             }
             kernel k = @k { p: buffer 0 device read_write f32 }",
        );
        let k = entry(&m);
        assert!(super::super::expand_copies::expand_copies(&mut m, k));
        assert!(split_aggregates(&mut m, k));
        super::super::forward_stores::forward_stores(&mut m, k);
        super::super::remove_dead::remove_dead(&mut m, k);
        let t = text(&m, k);
        assert!(!t.contains("local_addr") && !t.contains("copy"), "{t}");
        assert_eq!(t.matches("store").count(), 4, "{t}");
    }
}

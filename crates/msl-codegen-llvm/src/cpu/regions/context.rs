//! What crosses from one region to a later one: a slot of scratch memory per gang.

use std::collections::HashSet;

use msl_base::Id;
use msl_ir::{LocalId, Op, Scalar, ValueId};

use super::Slot;
use crate::CodegenError;
use crate::cpu::kernel::Emit;
use crate::emit::flow::Point;
use crate::emit::shape::Shape;
use crate::emit::value::{Comp, Val, Varying, memory_type};
use crate::llvm::V;
use crate::remarks::Remarks;

impl Emit<'_> {
    /// Reports what crosses barriers in memory.
    pub fn explain_kept(&self, sink: &Remarks) {
        let mut names = Vec::new();
        let (mut others, mut bytes) = (0, 0);
        for (slot, (_, size)) in &self.regions.slots {
            bytes += size;
            match slot {
                Slot::Local(l, _) => names.push(format!("`{}`", self.f.locals[LocalId::from_index(*l)].name)),
                _ => others += 1,
            }
        }
        names.sort();
        names.dedup();
        if others > 0 {
            names.push(if others == 1 { "1 result".into() } else { format!("{others} results") });
        }
        let per_thread = bytes.div_ceil(u64::from(self.gang.threads()));
        sink.summary(match names.pop() {
            None => "nothing of the threads is kept in memory from barrier to barrier".into(),
            Some(last) => {
                let and = if names.is_empty() { "" } else { " and " };
                format!(
                    "from barrier to barrier about {per_thread} bytes of each thread are kept in memory: {}{and}{last}; \
                     the rest is the same for all or computed again",
                    names.join(", ")
                )
            }
        });
    }

    pub(super) fn context_slot(&mut self, key: Slot, bytes: u64) -> (u64, u64) {
        if let Some(s) = self.regions.slots.get(&key) {
            return *s;
        }
        let size = bytes.next_multiple_of(64);
        let at = self.plan.take(size * u64::from(self.layout.gangs), 64);
        self.regions.slots.insert(key, (at, size));
        (at, size)
    }

    pub(super) fn context_address(&self, slot: (u64, u64)) -> V {
        let ll = self.ll;
        let g = ll.zext(self.gang_index, ll.int(64));
        ll.gep(ll.gep_const(self.scratch, slot.0), ll.mul(g, ll.c64(slot.1)))
    }

    pub(super) fn most_bytes(&self, s: Scalar) -> u64 {
        u64::from(s.size()) * u64::from(self.gang.threads())
    }

    pub(super) fn value_slot(&mut self, v: ValueId, c: usize) -> (u64, u64) {
        let s = if self.module.types.pointee(self.f.insts[v].ty).is_some() { Scalar::U64 } else { self.scalar_of(v) };
        let bytes = self.most_bytes(s);
        self.context_slot(Slot::Value(v, c), bytes)
    }

    pub(super) fn write_comp(&self, at: V, comp: &Comp, s: Scalar) {
        let ll = self.ll;
        let mut offset = 0;
        for v in &comp.v {
            let x = if s == Scalar::Bool { ll.zext(*v, ll.like(ll.int(8), *v)) } else { *v };
            ll.store(x, ll.gep_const(at, offset), s.size());
            offset += u64::from(s.size()) * u64::from(ll.lanes(ll.type_of(*v)));
        }
    }

    pub(super) fn read_comp(&self, at: V, shape: Shape, s: Scalar) -> Comp {
        let ll = self.ll;
        let vector = shape.lanes() && shape.linear.is_none();
        let e = memory_type(ll, s);
        let t = if vector { self.vector_type(e) } else { e };
        let step = u64::from(s.size()) * if vector { u64::from(self.gang.lanes) } else { 1 };
        let v = (0..shape.copies(self.gang.parts))
            .map(|i| {
                let x = ll.load(t, ll.gep_const(at, u64::from(i) * step), s.size());
                if s == Scalar::Bool { ll.ne(x, ll.zero(t)) } else { x }
            })
            .collect();
        Comp { shape, v }
    }

    pub(super) fn load_context(&mut self, l: LocalId) {
        let Some(state) = self.state[l.index()] else { return };
        let (n, s) = self.local_components(l);
        for c in 0..n {
            if state.c[c].is_uniform() {
                continue;
            }
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(l.index(), c), bytes);
            let comp = self.read_comp(self.context_address(slot), state.c[c], s);
            self.write_slot(l.index(), c, &comp);
        }
    }

    pub(super) fn save_context(&mut self, l: LocalId) {
        let Some(state) = self.state[l.index()] else { return };
        let (n, s) = self.local_components(l);
        for c in 0..n {
            if state.c[c].is_uniform() {
                continue;
            }
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(l.index(), c), bytes);
            let comp = self.read_slot(l.index(), c, state.c[c], s);
            self.write_comp(self.context_address(slot), &comp, s);
        }
    }

    /// Whether computing a value again is as good as keeping it.
    pub(super) fn is_cheap(&self, v: ValueId, depth: u32) -> bool {
        if self.regions.at_group_level.get(v.index()).copied().unwrap_or(false) {
            return true;
        }
        if depth == 0 {
            return false;
        }
        let cheap = match &self.f.insts[v].op {
            Op::Const(_) | Op::Builtin(_) | Op::Param(_) | Op::LocalAddr(_) | Op::GlobalAddr(_) | Op::Undef => true,
            Op::Extract { .. }
            | Op::Splat(_)
            | Op::Compose(_)
            | Op::FieldAddr { .. }
            | Op::IndexAddr { .. }
            | Op::PtrOffset { .. }
            | Op::PtrCast(_)
            | Op::Compare(..)
            | Op::Convert(_) => true,
            Op::Binary(op, ..) => {
                use msl_ir::BinaryOp as Bin;
                self.scalar_of(v).is_integer()
                    && matches!(op, Bin::Add | Bin::Sub | Bin::Mul | Bin::And | Bin::Or | Bin::Shl | Bin::Shr)
            }
            _ => false,
        };
        let mut all = cheap;
        if cheap {
            self.f.insts[v].op.for_each_operand(|o| all &= self.is_cheap(o, depth - 1));
        }
        all
    }

    /// Keeps a value for later regions, if they use it and it is not cheap.
    pub(super) fn save_value(&mut self, v: ValueId, inside: &HashSet<ValueId>) {
        let used_later = self.regions.users.get(&v).is_some_and(|list| list.iter().any(|u| !inside.contains(u)));
        if !used_later {
            return;
        }
        let condition_above = self.regions.users[&v]
            .iter()
            .any(|u| self.flow.barrier[u.index()] && matches!(self.f.insts[*u].op, Op::If { .. } | Op::Switch { .. }));
        if self.is_cheap(v, 8) && !condition_above {
            return;
        }
        match self.vals[v.index()].clone() {
            Some(Val::Comps(list)) => {
                let s = self.scalar_of(v);
                for (c, comp) in list.iter().enumerate() {
                    let slot = self.value_slot(v, c);
                    self.write_comp(self.context_address(slot), comp, s);
                }
            }
            Some(Val::Pointer(p)) => {
                let slot = self.value_slot(v, 0);
                self.write_comp(self.context_address(slot), &p.scalar, Scalar::I64);
                if let Some(var) = &p.var {
                    let slot = self.value_slot(v, 1);
                    self.write_comp(self.context_address(slot), &var.index, var.ty);
                    self.regions_note(v, var);
                }
            }
            None => {}
        }
    }

    pub(super) fn regions_note(&mut self, v: ValueId, var: &Varying) {
        self.regions.slots.insert(Slot::Value(v, 2), (var.ty.size().into(), var.scale as u64));
        let signed = u64::from(var.ty.is_signed());
        self.regions.slots.insert(Slot::Value(v, 3), (signed, 0));
    }

    /// Makes a value of an earlier region available in this one.
    pub(super) fn restore_value(&mut self, v: ValueId) -> Result<(), CodegenError> {
        if self.vals[v.index()].is_some() {
            return Ok(());
        }
        let kept = self.regions.slots.contains_key(&Slot::Value(v, 0));
        if !kept {
            let mut operands = Vec::new();
            self.f.insts[v].op.for_each_operand(|o| operands.push(o));
            for o in operands {
                self.restore_value(o)?;
            }
            return self.value_inst(v);
        }
        let shape = self.flow.shapes[v.index()];
        let val = if let Some((root, valid)) = shape.root {
            let slot = self.value_slot(v, 0);
            let scalar = self.read_comp(self.context_address(slot), shape.c[0], Scalar::I64);
            let note = self.regions.slots.get(&Slot::Value(v, 2)).copied();
            let var = note.map(|(size, scale)| {
                let signed = self.regions.slots.get(&Slot::Value(v, 3)).is_some_and(|s| s.0 != 0);
                let ty = match (size, signed) {
                    (1, false) => Scalar::U8,
                    (1, true) => Scalar::I8,
                    (2, false) => Scalar::U16,
                    (2, true) => Scalar::I16,
                    (4, false) => Scalar::U32,
                    (4, true) => Scalar::I32,
                    (_, false) => Scalar::U64,
                    (_, true) => Scalar::I64,
                };
                let slot = self.value_slot(v, 1);
                let index = self.read_comp(self.context_address(slot), shape.c[1], ty);
                Varying { index, ty, scale: scale as i64 }
            });
            Val::Pointer(crate::emit::value::Pointer { root, valid, scalar, var })
        } else {
            let s = self.scalar_of(v);
            let comps = (0..self.count_of(v))
                .map(|c| {
                    let slot = self.value_slot(v, c);
                    self.read_comp(self.context_address(slot), shape.c[c], s)
                })
                .collect();
            Val::Comps(comps)
        };
        self.vals[v.index()] = Some(val);
        Ok(())
    }

    /// All threads still in the loop leave it: what they take out is added to what others took.
    pub(super) fn group_capture(&mut self, id: ValueId) -> Result<(), CodegenError> {
        let list = self.flow.captures.get(&id).cloned().unwrap_or_default();
        if list.is_empty() {
            return Ok(());
        }
        self.regions.in_gang = true;
        self.for_each_gang(|me| {
            for l in &list {
                me.load_context(*l);
                me.load_capture(id, *l);
            }
            me.capture(id);
            for l in &list {
                me.save_capture(id, *l);
            }
            Ok(())
        })?;
        self.regions.in_gang = false;
        Ok(())
    }

    /// Before or after a loop that threads leave one by one: moves captured locals to where
    /// leaving threads put them, or back.
    pub(super) fn group_captures(&mut self, id: ValueId, begin: bool) -> Result<(), CodegenError> {
        let list = self.flow.captures.get(&id).cloned().unwrap_or_default();
        let after = self.flow.states.get(&(id, Point::After)).cloned();
        if list.is_empty() || after.is_none() {
            return Ok(());
        }
        self.for_each_gang(|me| {
            if begin {
                for l in &list {
                    me.load_context(*l);
                }
                me.begin_captures(id, &list, after.as_ref());
                for l in &list {
                    me.save_capture(id, *l);
                }
            } else {
                for l in &list {
                    me.load_capture(id, *l);
                }
                me.end_captures(id, &list);
                for l in &list {
                    me.save_context(*l);
                }
            }
            Ok(())
        })
    }

    pub(super) fn load_capture(&mut self, id: ValueId, l: LocalId) {
        let storage = self.capture_storage(id, l);
        let (n, s) = self.local_components(l);
        for c in 0..n {
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(storage, c), bytes);
            let comp = self.read_comp(self.context_address(slot), Shape::VARYING, s);
            self.write_slot(storage, c, &comp);
        }
    }

    pub(super) fn save_capture(&mut self, id: ValueId, l: LocalId) {
        let storage = self.capture_storage(id, l);
        let (n, s) = self.local_components(l);
        for c in 0..n {
            let bytes = self.most_bytes(s);
            let slot = self.context_slot(Slot::Local(storage, c), bytes);
            let comp = self.read_slot(storage, c, Shape::VARYING, s);
            self.write_comp(self.context_address(slot), &comp, s);
        }
    }
}

//! Loads and stores through pointers: device, constant and threadgroup memory.
//!
//! The shape of the address decides: the same in all lanes, one scalar access; linear, vector
//! accesses after one check of the first and last byte; a number plus a pattern of lanes, vector accesses and
//! shuffles; anything else a test for consecutive lanes where that is likely, then gathers and scatters. Every access is within the bounds of
//! what the pointer was derived from; failing the quick test leads to the helpers in `check`.

mod linear;
mod masked;
mod patterned;
mod scattered;
mod uniform;

use msl_base::Id;
use msl_ir::{Scalar, Type, TypeId, ValueId};

use super::explain::AccessForm;
use super::kernel::Emit;
use crate::CodegenError;
use crate::compiler::FaultKind;
use crate::emit::shape::{Root, Shape};
use crate::emit::value::{Comp, Pointer, Val};
use crate::llvm::V;

/// What is accessed: `count` consecutive scalars.
#[derive(Clone, Copy)]
pub struct Element {
    pub scalar: Scalar,
    pub count: usize,
}

/// What is relied on: nothing. The alignment that an access states is only what its type suggests, and
/// published kernels cast pointers to types that are aligned more than what they point to.
pub const ALIGN: u32 = 1;

impl Element {
    pub fn size(&self) -> u64 {
        u64::from(self.scalar.size()) * self.count as u64
    }
}

/// What to do there.
pub enum Access<'a> {
    Load,
    /// Values in register form.
    Store(&'a [Comp]),
}

impl Emit<'_> {
    pub fn element(&self, ty: TypeId) -> Element {
        match *self.module.types.get(ty) {
            Type::Scalar(s) => Element { scalar: s, count: 1 },
            Type::Vector { elem, len, .. } => Element { scalar: elem, count: usize::from(len) },
            _ => Element { scalar: Scalar::U64, count: 1 },
        }
    }

    pub fn load(&mut self, id: ValueId, ptr: ValueId, volatile: bool) -> Result<Val, CodegenError> {
        let ty = self.f.insts[id].ty;
        let e = self.element(ty);
        let p = self.pointer(ptr);
        let shape = self.flow.shapes[id.index()];
        let is_pointer = self.module.types.pointee(ty);
        let comps = self.access(id, &p, e, &Access::Load, volatile)?;
        if let Some((space, _)) = is_pointer {
            return Ok(Val::Pointer(self.pointer_from_offset(Root::unknown(space), false, comps[0].clone())));
        }
        let (ll, gang) = (self.ll, self.gang);
        Ok(Val::Comps(comps.iter().enumerate().map(|(i, c)| c.coerce(ll, gang, shape.c[i])).collect()))
    }

    pub fn store(&mut self, id: ValueId, ptr: ValueId, value: ValueId, volatile: bool) -> Result<(), CodegenError> {
        let e = self.element(self.f.insts[value].ty);
        let p = self.pointer(ptr);
        let comps = match &self.vals[value.index()] {
            Some(Val::Pointer(q)) => vec![self.address(&q.clone())],
            _ => self.comps(value),
        };
        self.access(id, &p, e, &Access::Store(&comps), volatile)?;
        Ok(())
    }

    /// Bytes of what a load or store accesses, padding included.
    pub fn accessed_size(&self, id: ValueId) -> u64 {
        let inst = &self.f.insts[id];
        let ty = if let msl_ir::Op::Store { value, .. } = inst.op { self.f.insts[value].ty } else { inst.ty };
        self.module.types.size_of(ty)
    }

    /// Performs an access; loads give components in the form of the address.
    pub fn access(
        &mut self,
        id: ValueId,
        p: &Pointer,
        e: Element,
        what: &Access,
        volatile: bool,
    ) -> Result<Vec<Comp>, CodegenError> {
        let is_store = matches!(what, Access::Store(_));
        if matches!(p.root, Root::Local(_) | Root::Private) {
            self.remark_access(id, p.root, is_store, AccessForm::Private);
            return Ok(self.private_access(p, e, what));
        }
        let kind = if is_store { FaultKind::Write } else { FaultKind::Read };
        let span = self.f.insts[id].span;
        if p.root == Root::Raw && !p.valid {
            let into = self.candidates(id, is_store);
            let site = self.raw_site(kind, &into, span);
            self.remark_access(id, p.root, is_store, AccessForm::Raw);
            return Ok(self.raw_access(p, e, what, site, &into));
        }
        let varying_store = matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.lanes()));
        self.is_within = self.bounds.accesses.contains(&id) && matches!(p.root, Root::Param(_));
        let known = match self.unchecked.get(&id).cloned() {
            Some(known) => Some(self.known_places(&known)),
            None => self.places_within(p, self.accessed_size(id)),
        };
        self.ahead = self.unchecked.get(&id).and_then(|k| k.ahead);
        let site = if p.valid || known.is_some() { self.ll.c32(0) } else { self.site(kind, p.root, span) };
        self.remark_access(id, p.root, is_store, self.access_form(p, e, what, varying_store));
        let streamed_before = self.did_stream.replace(false);
        let out = self.access_by_shape(p, e, what, site, volatile, known, varying_store);
        if self.did_stream.get()
            && let Some(sink) = self.remarks
        {
            let message = "around the caches, where the buffers of a dispatch are larger than those";
            sink.add(span, "streamed-store", message.into(), None);
        }
        self.did_stream.set(self.did_stream.get() || streamed_before);
        out
    }

    #[expect(clippy::too_many_arguments, reason = "what an access comes to")]
    fn access_by_shape(
        &mut self,
        p: &Pointer,
        e: Element,
        what: &Access,
        site: V,
        volatile: bool,
        known: Option<Vec<V>>,
        varying_store: bool,
    ) -> Result<Vec<Comp>, CodegenError> {
        match &p.var {
            None => {
                let last;
                let what = match what {
                    Access::Store(values) if varying_store => {
                        last = self.last_active(values);
                        &Access::Store(&last)
                    }
                    _ => what,
                };
                Ok(self.scalar_access(p, e, what, site, volatile, known))
            }
            Some(var) => match var.index.shape.linear {
                Some(l) if l.stride * var.scale > 0 => Ok(self.linear_access(p, var, l, e, what, site, known)),
                Some(l) if self.is_reversible(p, var, l, e, what) => Ok(self.reversed_access(p, var, l, e, what, site)),
                _ => Ok(self.scattered_access(p, var, e, what, site)),
            },
        }
    }

    /// What [`access`](Self::access) makes of an address, for people.
    fn access_form(&self, p: &Pointer, e: Element, what: &Access, varying_store: bool) -> AccessForm {
        let differs = p.scalar.shape.parts() || matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.parts()));
        match &p.var {
            None if varying_store => AccessForm::Contended,
            None if differs => AccessForm::PerVector,
            None => AccessForm::Uniform,
            Some(var) => match var.index.shape.linear {
                Some(l) if l.stride * var.scale > 0 => {
                    let stride = (l.stride * var.scale) as u64;
                    match self.way_of_stride(stride, e, what) {
                        linear::Way::Run => AccessForm::Contiguous,
                        linear::Way::Shuffle => AccessForm::Interleaved(stride),
                        linear::Way::Lanes => AccessForm::Strided(stride),
                    }
                }
                Some(l) if self.is_reversible(p, var, l, e, what) => AccessForm::Reversed,
                _ if self.has_patterns(p, var, e) => AccessForm::Patterned,
                _ if self.is_likely_consecutive(p, var, e) => AccessForm::Tested,
                _ => AccessForm::Scattered,
            },
        }
    }

    /// Copies an object word by word (or byte by byte where the alignment is lower).
    pub fn copy(&mut self, id: ValueId, dst: ValueId, src: ValueId, align: u32) -> Result<(), CodegenError> {
        let types = &self.module.types;
        let Some((_, ty)) = types.pointee(self.f.insts[src].ty) else { return Ok(()) };
        let size = types.size_of(ty);
        let (scalar, unit) = match align {
            a if a >= 4 && size.is_multiple_of(4) => (Scalar::U32, 4),
            a if a >= 2 && size.is_multiple_of(2) => (Scalar::U16, 2),
            _ => (Scalar::U8, 1),
        };
        let (to, from) = (self.pointer(dst), self.pointer(src));
        let e = Element { scalar, count: 1 };
        let words = size / unit;
        let at = |me: &Self, p: &Pointer, o: V| {
            let mut p = p.clone();
            p.scalar.v = p.scalar.v.iter().map(|v| me.ll.add(*v, o)).collect();
            p
        };
        if words <= 64 {
            for w in 0..words {
                let o = self.ll.c64(w * unit);
                let v = self.access(id, &at(self, &from, o), e, &Access::Load, false)?;
                self.access(id, &at(self, &to, o), e, &Access::Store(&v), false)?;
            }
            return Ok(());
        }
        let ll = self.ll;
        let before = ll.current();
        let (body, out) = (ll.new_block("copy"), ll.new_block("copied"));
        ll.br(body);
        ll.at_end(body);
        let i = ll.phi(ll.int(64), &[(ll.c64(0), before)]);
        let v = self.access(id, &at(self, &from, i), e, &Access::Load, false)?;
        self.access(id, &at(self, &to, i), e, &Access::Store(&v), false)?;
        let next = ll.add(i, ll.c64(unit));
        let end = ll.current();
        ll.add_incoming(i, &[(next, end)]);
        ll.cond_br(ll.ult(next, ll.c64(size)), body, out);
        ll.at_end(out);
        Ok(())
    }

    fn stored_form(&self, s: Scalar, v: V) -> V {
        if s == Scalar::Bool { self.ll.zext(v, self.ll.like(self.ll.int(8), v)) } else { v }
    }

    fn loaded(&self, s: Scalar, v: V) -> V {
        if s == Scalar::Bool { self.ll.ne(v, self.ll.zero(self.ll.type_of(v))) } else { v }
    }

    /// `length - size + 1`, or 0: offsets below it are fine.
    pub fn limit(&self, length: V, size: u64) -> V {
        if let Some(n) = self.ll.as_const_int(length) {
            return self.ll.c64(n.saturating_sub(size - 1));
        }
        self.ll.intrinsic1("usub.sat", self.ll.int(64), &[length, self.ll.c64(size - 1)])
    }

    /// Branches to a fast and a slow version and joins what they give.
    fn two_ways(
        &mut self,
        ok: V,
        fast: impl FnOnce(&mut Self) -> Vec<V>,
        slow: impl FnOnce(&mut Self) -> Vec<V>,
    ) -> Vec<V> {
        if self.ll.is_const_ones(ok) {
            return fast(self);
        }
        let ll = self.ll;
        let (f, s, j) = (ll.new_block("fast"), ll.new_block("slow"), ll.new_block("join"));
        ll.likely_br(ok, f, s);
        ll.at_end(f);
        let a = fast(self);
        let fe = ll.current();
        ll.br(j);
        ll.at_end(s);
        let b = slow(self);
        let se = ll.current();
        ll.br(j);
        ll.at_end(j);
        a.iter().zip(&b).map(|(x, y)| ll.phi(ll.type_of(*x), &[(*x, fe), (*y, se)])).collect()
    }

    /// `good ? f() : zeros`.
    fn two_ways_plain(&self, good: V, n: usize, t: crate::llvm::T, f: impl FnOnce(&Self) -> Vec<V>) -> Vec<V> {
        let ll = self.ll;
        let (yes, join) = (ll.new_block("good"), ll.new_block("loaded"));
        let from = ll.current();
        ll.cond_br(good, yes, join);
        ll.at_end(yes);
        let v = f(self);
        let end = ll.current();
        ll.br(join);
        ll.at_end(join);
        (0..n).map(|k| ll.phi(t, &[(v[k], end), (ll.zero(t), from)])).collect()
    }

    fn join_parts(&self, out: Vec<V>, n: u32, e: Element, shape: Shape, what: &Access) -> Vec<Comp> {
        if matches!(what, Access::Store(_)) {
            return Vec::new();
        }
        let shape = if n > 1 { Shape::of(shape.bits | crate::emit::shape::P) } else { shape };
        (0..e.count)
            .map(|k| {
                let v = (0..n as usize).map(|i| self.loaded(e.scalar, out[i * e.count + k])).collect();
                Comp { shape, v }
            })
            .collect()
    }

    /// What offsets of a vouched-for pointer count from.
    fn valid_base(&self, p: &Pointer, base: V) -> V {
        if p.root == Root::Raw { self.ll.null() } else { base }
    }

    /// What threads store that all store to one place: any of them may win, but only an active one. Of each part it is the
    /// last, as if they stored in their order.
    fn last_active(&self, values: &[Comp]) -> Vec<Comp> {
        let ll = self.ll;
        let lane = |part: u32| match &self.mask {
            None => ll.c32(self.gang.lanes - 1),
            Some(m) => {
                let bits = self.mask_bits(m[part as usize]);
                let above = ll.intrinsic1("ctlz", ll.type_of(bits), &[bits, ll.cbool(false)]);
                // Where none is, nothing is stored.
                let lane = ll.sub(ll.cint(ll.type_of(bits), u64::from(self.gang.lanes - 1)), above);
                ll.and(ll.zext(lane, ll.int(32)), ll.c32(self.gang.lanes - 1))
            }
        };
        let of = |c: &Comp| {
            let pick = |part| ll.extract_at(c.get(ll, self.gang, part, true), lane(part));
            let v = (0..self.gang.parts).map(pick).collect();
            Comp { shape: Shape::of(c.shape.bits & !crate::emit::shape::L | crate::emit::shape::P), v }
        };
        values.iter().map(of).collect()
    }

    /// The element of the first active lane of a part.
    pub fn first_active(&self, v: V, part: u32) -> V {
        let ll = self.ll;
        match &self.mask {
            None => ll.extract(v, 0),
            Some(m) => {
                let bits = self.mask_bits(m[part as usize]);
                let t = ll.type_of(bits);
                let lane = ll.intrinsic1("cttz", t, &[bits, ll.cbool(false)]);
                let lane = ll.and(ll.zext(lane, ll.int(32)), ll.c32(self.gang.lanes - 1));
                ll.extract_at(v, lane)
            }
        }
    }

    /// Runs `f(part, lane)` for every active lane, in order.
    pub fn for_each_active_lane(&mut self, mut f: impl FnMut(&mut Self, u32, V)) {
        let ll = self.ll;
        for part in 0..self.gang.parts {
            let m = self.mask_part(&self.mask, part);
            let bits = ll.zext(self.mask_bits(m), ll.int(64));
            let before = ll.current();
            let (head, body, out) = (ll.new_block("lanes"), ll.new_block("lane"), ll.new_block("endlanes"));
            ll.br(head);
            ll.at_end(head);
            let left = ll.phi(ll.int(64), &[(bits, before)]);
            ll.cond_br(ll.ne(left, ll.c64(0)), body, out);
            ll.at_end(body);
            let lane = ll.intrinsic1("cttz", ll.int(64), &[left, ll.cbool(true)]);
            let lane = ll.trunc(lane, ll.int(32));
            f(self, part, lane);
            let next = ll.and(left, ll.sub(left, ll.c64(1)));
            let end = ll.current();
            ll.add_incoming(left, &[(next, end)]);
            ll.br(head);
            ll.at_end(out);
        }
    }
}

//! Loads and stores through pointers: device, constant and threadgroup memory.
//!
//! The shape of the address decides: the same in all lanes, one scalar access; linear, vector
//! accesses after one check of the first and last byte; anything else a test for consecutive
//! lanes where that is likely, then gathers and scatters. Every access is within the bounds of
//! what the pointer was derived from; failing the quick test leads to the helpers in `check`.

use llvm_sys::LLVMIntPredicate as IP;
use msl_base::Id;
use msl_ir::{Scalar, Type, TypeId, ValueId};

use super::kernel::Emit;
use super::masks::Mask;
use crate::CodegenError;
use crate::compiler::FaultKind;
use crate::emit::shape::{ALL, Linear, NEAR, Root, Shape};
use crate::emit::value::{Comp, Pointer, Val, Varying, memory_type};
use crate::llvm::V;

/// What is accessed: `count` consecutive scalars.
#[derive(Clone, Copy)]
pub struct Element {
    pub scalar: Scalar,
    pub count: usize,
    pub align: u32,
}

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
    pub fn element(&self, ty: TypeId, align: u32) -> Element {
        match *self.module.types.get(ty) {
            Type::Scalar(s) => Element { scalar: s, count: 1, align },
            Type::Vector { elem, len, .. } => Element { scalar: elem, count: usize::from(len), align },
            _ => Element { scalar: Scalar::U64, count: 1, align },
        }
    }

    pub fn load(&mut self, id: ValueId, ptr: ValueId, align: u32, volatile: bool) -> Result<Val, CodegenError> {
        let ty = self.f.insts[id].ty;
        let e = self.element(ty, align);
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

    pub fn store(
        &mut self,
        id: ValueId,
        ptr: ValueId,
        value: ValueId,
        align: u32,
        volatile: bool,
    ) -> Result<(), CodegenError> {
        let e = self.element(self.f.insts[value].ty, align);
        let p = self.pointer(ptr);
        let comps = match &self.vals[value.index()] {
            Some(Val::Pointer(q)) => vec![self.address(&q.clone())],
            _ => self.comps(value),
        };
        self.access(id, &p, e, &Access::Store(&comps), volatile)?;
        Ok(())
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
        if matches!(p.root, Root::Local(_) | Root::Private) {
            return Ok(self.private_access(p, e, what));
        }
        let kind = if matches!(what, Access::Load) { FaultKind::Read } else { FaultKind::Write };
        let span = self.f.insts[id].span;
        if p.root == Root::Raw && !p.valid {
            let site = self.site(kind, p.root, span);
            return Ok(self.raw_access(p, e, what, site));
        }
        let known = self.unchecked.get(&id).cloned().map(|k| self.known_places(&k));
        let site = if p.valid || known.is_some() { self.ll.c32(0) } else { self.site(kind, p.root, span) };
        let varying_store = matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.lanes()));
        match &p.var {
            None if !varying_store => Ok(self.scalar_access(p, e, what, site, volatile, known)),
            None => {
                // Different values to one place: any of them may win, but only active lanes' may.
                let zero = Comp::uniform(self.ll.c32(0));
                let index = zero.coerce(self.ll, self.gang, Shape::of(crate::emit::shape::L));
                let var = Varying { index, ty: Scalar::U32, scale: 1 };
                Ok(self.scattered_access(p, &var, e, what, site))
            }
            Some(var) => match var.index.shape.linear {
                Some(l) if l.stride * var.scale > 0 => Ok(self.linear_access(p, var, l, e, what, site, known)),
                _ => Ok(self.scattered_access(p, var, e, what, site)),
            },
        }
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

    // ---- one address for all lanes ---------------------------------------------------------------
    fn scalar_access(
        &mut self,
        p: &Pointer,
        e: Element,
        what: &Access,
        site: V,
        volatile: bool,
        known: Option<Vec<V>>,
    ) -> Vec<Comp> {
        let ll = self.ll;
        let mask = self.mask.clone();
        let parts_differ =
            p.scalar.shape.parts() || matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.parts()));
        let shape =
            Shape::of(if parts_differ { p.scalar.shape.bits | crate::emit::shape::P } else { p.scalar.shape.bits });
        let n = if parts_differ { self.gang.parts } else { 1 };
        let offsets: Vec<V> = match &known {
            Some(places) => (0..n as usize).map(|i| places[i.min(places.len() - 1)]).collect(),
            None => (0..n).map(|i| p.scalar.get(ll, self.gang, i, false)).collect(),
        };
        let (base, length) =
            if p.root == Root::Raw { (ll.null(), ll.c64(u64::MAX)) } else { self.root_address(p.root) };
        let active: Vec<V> = (0..n)
            .map(|i| if n == 1 { self.any(&mask) } else { self.any(&mask.as_ref().map(|m| vec![m[i as usize]])) })
            .collect();
        let mt = memory_type(ll, e.scalar);
        let root = p.root;
        let load_one = |me: &Self, o: V| -> Vec<V> {
            let at = if root == Root::Raw { ll.int_to_ptr(o) } else { ll.gep(base, o) };
            if e.count == 1 {
                let v = ll.load(mt, at, e.align);
                if volatile {
                    ll.set_volatile(v);
                }
                me.annotate(v, root);
                return vec![v];
            }
            let v = ll.load(ll.vec(mt, e.count as u32), at, e.align);
            me.annotate(v, root);
            (0..e.count).map(|k| ll.extract(v, k as u32)).collect()
        };
        let store_one = |me: &Self, o: V, vals: &[V]| {
            let at = if root == Root::Raw { ll.int_to_ptr(o) } else { ll.gep(base, o) };
            let v = if e.count == 1 {
                vals[0]
            } else {
                let mut v = ll.poison(ll.vec(mt, e.count as u32));
                for (k, x) in vals.iter().enumerate() {
                    v = ll.insert(v, *x, k as u32);
                }
                v
            };
            let st = ll.store(v, at, e.align);
            if volatile {
                ll.set_volatile(st);
            }
            me.annotate(st, root);
        };
        let limit = self.limit(length, e.size());
        match what {
            Access::Load => {
                let ok = if known.is_some() {
                    ll.cbool(true)
                } else if p.valid {
                    // Trusted addresses are only good while some lane is on.
                    active.iter().copied().reduce(|a, b| ll.and(a, b)).unwrap_or_else(|| ll.cbool(true))
                } else {
                    let all = offsets.iter().map(|o| ll.ult(*o, limit)).reduce(|a, b| ll.and(a, b));
                    all.unwrap_or_else(|| ll.cbool(true))
                };
                let valid = p.valid;
                let out = self.two_ways(
                    ok,
                    |me| offsets.iter().flat_map(|o| load_one(me, *o)).collect(),
                    |me| {
                        if !valid {
                            return me.slow_scalars(e, base, length, &offsets, &active, site);
                        }
                        let mut out = Vec::new();
                        for (i, o) in offsets.iter().enumerate() {
                            out.extend(me.two_ways_plain(active[i], e.count, mt, |me| load_one(me, *o)));
                        }
                        out
                    },
                );
                (0..e.count)
                    .map(|k| {
                        let v = (0..n as usize).map(|i| self.loaded(e.scalar, out[i * e.count + k])).collect();
                        Comp { shape, v }
                    })
                    .collect()
            }
            Access::Store(values) => {
                for (i, o) in offsets.iter().enumerate() {
                    let vals: Vec<V> = values
                        .iter()
                        .map(|c| self.stored_form(e.scalar, c.get(ll, self.gang, i as u32, false)))
                        .collect();
                    let inside = if p.valid || known.is_some() { ll.cbool(true) } else { ll.ult(*o, limit) };
                    let ok = ll.and(inside, active[i]);
                    let (yes, no, done) = (ll.new_block("store"), ll.new_block("skip"), ll.new_block("stored"));
                    if ll.is_const_ones(ok) {
                        store_one(self, *o, &vals);
                        ll.br(done);
                        ll.at_end(yes);
                        ll.unreachable();
                        ll.at_end(no);
                        ll.unreachable();
                    } else {
                        ll.cond_br(ok, yes, no);
                        ll.at_end(yes);
                        store_one(self, *o, &vals);
                        ll.br(done);
                        ll.at_end(no);
                        if !p.valid && known.is_none() {
                            let bad = ll.and(active[i], ll.not(inside));
                            let cold = ll.new_block("outside");
                            ll.likely_br(ll.not(bad), done, cold);
                            ll.at_end(cold);
                            self.slow_check(e.size(), length, *o, active[i], site, i as u32);
                        }
                        ll.br(done);
                    }
                    ll.at_end(done);
                }
                Vec::new()
            }
        }
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

    // ---- addresses that count up with the lane -----------------------------------------------------
    fn linear_access(
        &mut self,
        p: &Pointer,
        var: &Varying,
        l: Linear,
        e: Element,
        what: &Access,
        site: V,
        known: Option<Vec<V>>,
    ) -> Vec<Comp> {
        let ll = self.ll;
        let (gang, scale) = (self.gang, var.scale);
        let stride = (l.stride * scale) as u64;
        let lanes = u64::from(gang.lanes);
        // Lanes or parts that never differ are accessed once.
        let store_parts = matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.parts()));
        let parts_differ = p.scalar.shape.parts() || var.index.shape.parts() || store_parts;
        let n = if parts_differ { gang.parts } else { 1 };
        let (base, length) = self.root_address(p.root);
        let firsts: Vec<V> = (0..n)
            .map(|i| {
                if let Some(places) = &known {
                    return places[(i as usize).min(places.len() - 1)];
                }
                let index = self.widen(var.index.base(ll, i), var.ty);
                let bytes = if scale == 1 { index } else { ll.mul(index, ll.c64(scale as u64)) };
                ll.add(p.scalar.get(ll, gang, i, false), bytes)
            })
            .collect();
        // Whole elements are read, padding included, when lanes interleave.
        let extent = if e.count == 1 && stride == e.size() { (lanes - 1) * stride + e.size() } else { lanes * stride };
        // A 32-bit unsigned index that wraps within the vector would be a different place: lengths
        // are cut where that could happen, and the slow way sorts it out.
        let exact = l.exact || var.ty.is_signed() || var.ty.bits() == 64;
        let bound = if exact || p.valid {
            length
        } else {
            let most = (scale as u64).saturating_mul(1u64 << var.ty.bits());
            ll.intrinsic1("umin", ll.int(64), &[length, ll.c64(most)])
        };
        let mask =
            if matches!(what, Access::Store(_)) || p.valid || p.root == Root::Raw { self.mask.clone() } else { None };
        let ok = if p.valid || known.is_some() {
            ll.cbool(true)
        } else {
            let one_run = !p.scalar.shape.parts() && l.part_stride.is_some_and(|q| q >= 0) && n > 1;
            if one_run {
                let across = (l.part_stride.unwrap_or(0) * scale) as u64 * u64::from(n - 1);
                ll.ult(firsts[0], self.limit(bound, across + extent))
            } else {
                let limit = self.limit(bound, extent);
                let all = firsts.iter().map(|f| ll.ult(*f, limit)).reduce(|a, b| ll.and(a, b));
                all.unwrap_or_else(|| ll.cbool(true))
            }
        };
        let shape = Shape::of((p.scalar.shape.bits | var.index.shape.bits) & ALL);
        let root = p.root;
        let at = |o: V| if root == Root::Raw { ll.int_to_ptr(o) } else { ll.gep(base, o) };
        let values: Vec<Vec<V>> = match what {
            Access::Load => Vec::new(),
            Access::Store(v) => (0..n)
                .map(|i| v.iter().map(|c| self.stored_form(e.scalar, c.get(ll, gang, i, true))).collect())
                .collect(),
        };
        let out = self.two_ways(
            ok,
            |me| {
                let mut out = Vec::new();
                for (i, f) in firsts.iter().enumerate() {
                    let m = mask.as_ref().map(|m| m[i]);
                    if values.is_empty() {
                        out.extend(me.strided_load(at(*f), stride, e, m, root));
                    } else {
                        me.strided_store(at(*f), stride, e, m, &values[i], root);
                    }
                }
                out
            },
            |me| {
                let places: Vec<(V, V)> = (0..n)
                    .map(|i| {
                        let first = me.widen(var.index.base(ll, i), var.ty);
                        (p.scalar.get(ll, gang, i, false), first)
                    })
                    .collect();
                // One access for all parts stands for the lanes that are on in any of them.
                let mut masks = me.mask_parts(&me.mask);
                if n == 1 {
                    masks = vec![masks.into_iter().reduce(|a, b| ll.or(a, b)).unwrap_or_else(|| me.all_on())];
                }
                me.slow_linear(e, base, length, &places, (var.ty, l.stride, scale), &masks, &values, site)
            },
        );
        self.join_parts(out, n, e, shape, what)
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

    /// The checked helpers, for one part.
    fn slow_part(
        &mut self,
        e: Element,
        base: V,
        length: V,
        offsets: V,
        values: &[Vec<V>],
        site: V,
        part: u32,
        n: u32,
    ) -> Vec<V> {
        let ll = self.ll;
        // One access for all parts stands for the lanes that are on in any of them.
        let m = if n == 1 && self.gang.parts > 1 {
            self.mask_parts(&self.mask).into_iter().reduce(|a, b| ll.or(a, b)).unwrap_or_else(|| self.all_on())
        } else {
            self.mask_part(&self.mask, part)
        };
        let mut out = Vec::new();
        for k in 0..e.count {
            let o = ll.add(offsets, ll.cint(ll.type_of(offsets), k as u64 * u64::from(e.scalar.size())));
            if values.is_empty() {
                out.push(self.slow_load(e.scalar, base, length, o, m, site, part));
            } else {
                self.slow_store(e.scalar, values[part as usize][k], base, length, o, m, site, part);
            }
        }
        out
    }

    /// All lanes' byte offsets in one part.
    pub fn offsets64(&self, p: &Pointer, var: &Varying, part: u32) -> V {
        let ll = self.ll;
        let i = self.widen(var.index.get(ll, self.gang, part, true), var.ty);
        let i = if var.scale == 1 { i } else { ll.mul(i, ll.cint(ll.type_of(i), var.scale as u64)) };
        ll.add(p.scalar.get(ll, self.gang, part, true), i)
    }

    /// Loads one part whose lanes are `stride` bytes apart. The mask is only needed where the
    /// memory may not be there.
    fn strided_load(&self, at: V, stride: u64, e: Element, mask: Option<V>, root: Root) -> Vec<V> {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let size = u64::from(e.scalar.size());
        let t = memory_type(ll, e.scalar);
        let step = stride / size;
        if !stride.is_multiple_of(size) || step > 4 || (step > 1 && mask.is_some()) {
            let offsets = ll.iota(ll.int(64), lanes, stride);
            let vt = ll.vec(t, lanes);
            let m = mask.unwrap_or_else(|| self.all_on());
            let align = e.scalar.size().min(e.align);
            return (0..e.count)
                .map(|k| {
                    let ptrs = ll.gep(ll.gep_const(at, k as u64 * size), offsets);
                    ll.gather(vt, ptrs, align, m, ll.zero(vt))
                })
                .collect();
        }
        let total = lanes * step as u32;
        let vt = ll.vec(t, total);
        let align = e.align.min(e.scalar.size());
        let v = match mask {
            Some(m) => ll.masked_load(vt, at, align, m, ll.zero(vt)),
            None => ll.load(vt, at, align),
        };
        self.annotate(v, root);
        if step == 1 {
            return vec![v];
        }
        (0..e.count)
            .map(|k| {
                let pick: Vec<u32> = (0..lanes).map(|i| i * step as u32 + k as u32).collect();
                ll.shuffle1(v, &pick)
            })
            .collect()
    }

    fn strided_store(&self, at: V, stride: u64, e: Element, mask: Option<V>, values: &[V], root: Root) {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let size = u64::from(e.scalar.size());
        let step = stride / size;
        let align = e.align.min(e.scalar.size());
        if !stride.is_multiple_of(size) || step > 4 || (step > 1 && e.count == 1) {
            let offsets = ll.iota(ll.int(64), lanes, stride);
            let m = mask.unwrap_or_else(|| self.all_on());
            for (k, v) in values.iter().enumerate() {
                let ptrs = ll.gep(ll.gep_const(at, k as u64 * size), offsets);
                ll.scatter(*v, ptrs, align, m);
            }
            return;
        }
        if step == 1 {
            let s = match mask {
                Some(m) => ll.masked_store(values[0], at, align, m),
                None => ll.store(values[0], at, align),
            };
            self.annotate(s, root);
            return;
        }
        // Interleave: lane i's components go to i * step + k.
        let step = step as u32;
        let mut padded = values.to_vec();
        while !padded.len().is_power_of_two() {
            padded.push(ll.poison(ll.type_of(values[0])));
        }
        let wide = ll.concat(&padded);
        let order: Vec<u32> = (0..lanes * step)
            .map(|j| {
                let (i, k) = (j / step, j % step);
                if (k as usize) < values.len() { k * lanes + i } else { i }
            })
            .collect();
        let v = ll.shuffle1(wide, &order);
        let has_padding = (step as usize) > values.len();
        if mask.is_none() && !has_padding {
            let s = ll.store(v, at, align);
            self.annotate(s, root);
            return;
        }
        let component: Vec<V> = (0..lanes * step).map(|j| ll.cbool(((j % step) as usize) < values.len())).collect();
        let mut m = ll.cvec(&component);
        if let Some(lane_mask) = mask {
            let spread: Vec<u32> = (0..lanes * step).map(|j| j / step).collect();
            m = ll.and(m, ll.shuffle1(lane_mask, &spread));
        }
        let s = ll.masked_store(v, at, align, m);
        self.annotate(s, root);
    }

    // ---- any addresses -----------------------------------------------------------------------------
    fn scattered_access(&mut self, p: &Pointer, var: &Varying, e: Element, what: &Access, site: V) -> Vec<Comp> {
        let ll = self.ll;
        let gang = self.gang;
        let store_parts = matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.parts()));
        let parts_differ = p.scalar.shape.parts() || var.index.shape.parts() || store_parts || self.mask.is_some();
        let n = if parts_differ { gang.parts } else { 1 };
        let (base, length) = self.root_address(p.root);
        let shape = Shape::of((p.scalar.shape.bits | var.index.shape.bits) & ALL);
        let values: Vec<Vec<V>> = match what {
            Access::Load => Vec::new(),
            Access::Store(v) => (0..n)
                .map(|i| v.iter().map(|c| self.stored_form(e.scalar, c.get(ll, gang, i, true))).collect())
                .collect(),
        };
        let near = var.index.shape.bits & NEAR != 0 && var.scale as u64 == e.size() && e.count == 1 && !p.valid;
        let out = if near {
            let (ok, firsts) = self.consecutive(p, var, e, length, n);
            let mask = if values.is_empty() { None } else { self.mask.clone() };
            self.two_ways(
                ok,
                |me| {
                    let mut out = Vec::new();
                    for (i, f) in firsts.iter().enumerate() {
                        let at = ll.gep(base, *f);
                        let m = mask.as_ref().map(|m| m[i]);
                        if values.is_empty() {
                            out.extend(me.strided_load(at, e.size(), e, m, p.root));
                        } else {
                            me.strided_store(at, e.size(), e, m, &values[i], p.root);
                        }
                    }
                    out
                },
                |me| me.gathered(p, var, e, base, length, &values, site, n),
            )
        } else {
            self.gathered(p, var, e, base, length, &values, site, n)
        };
        self.join_parts(out, n, e, shape, what)
    }

    /// Whether the lanes of each part happen to be consecutive and within bounds, and where each
    /// part then starts.
    fn consecutive(&mut self, p: &Pointer, var: &Varying, e: Element, length: V, n: u32) -> (V, Vec<V>) {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let limit = self.limit(length, u64::from(lanes) * e.size());
        let mut conds = Vec::new();
        let mut inside = Vec::new();
        let mut firsts = Vec::new();
        for i in 0..n {
            let v = var.index.get(ll, self.gang, i, true);
            let first = ll.extract(v, 0);
            let expect = ll.add(ll.splat(first, lanes), ll.iota(ll.type_of(first), lanes, 1));
            conds.push(ll.eq(v, expect));
            let bytes = ll.mul(self.widen(first, var.ty), ll.c64(var.scale as u64));
            let f = ll.add(p.scalar.get(ll, self.gang, i, false), bytes);
            inside.push(ll.ult(f, limit));
            firsts.push(f);
        }
        let mask: Mask = self.mask.clone();
        let run =
            if n == 1 && self.gang.parts > 1 { self.all_of(&conds) } else { self.holds_where_active(&conds, &mask) };
        let ok = inside.into_iter().fold(run, |a, b| ll.and(a, b));
        (ok, firsts)
    }

    /// Hardware gathers where the fast test of all lanes succeeds, the helpers otherwise.
    fn gathered(
        &mut self,
        p: &Pointer,
        var: &Varying,
        e: Element,
        base: V,
        length: V,
        values: &[Vec<V>],
        site: V,
        n: u32,
    ) -> Vec<V> {
        let ll = self.ll;
        let gang = self.gang;
        let small = e.scalar.size() < 4;
        if small && !values.is_empty() {
            // There is no instruction for these; a function does it lane by lane.
            let (base, length) = if p.valid { (self.valid_base(p, base), ll.c64(u64::MAX)) } else { (base, length) };
            let mut out = Vec::new();
            for i in 0..n {
                let offsets = self.offsets64(p, var, i);
                out.extend(self.slow_part(e, base, length, offsets, values, site, i, n));
            }
            return out;
        }
        // Indices stay 32 bits wide if possible: the hardware takes them with a scale up to 8.
        let narrow = var.ty.bits() == 32 && !p.valid && !small;
        let size = e.size();
        let t = memory_type(ll, e.scalar);
        let vt = ll.vec(t, gang.lanes);
        let mut oks = Vec::new();
        let mut places: Vec<(V, V, crate::llvm::T)> = Vec::new();
        for i in 0..n {
            let scalar = p.scalar.get(ll, gang, i, false);
            if narrow {
                let scale = var.scale.max(1) as u64;
                let (unit, times) = match scale {
                    1 | 2 | 4 | 8 => (scale, 1),
                    s if s % 8 == 0 => (8, s / 8),
                    s if s % 4 == 0 => (4, s / 4),
                    s => (1, s),
                };
                // Valid indices are those below the number of elements left after the scalar offset.
                let negative = ll.icmp(IP::LLVMIntSLT, scalar, ll.c64(0));
                let taken = ll.add(scalar, ll.c64(size - 1));
                let left = ll.intrinsic1("usub.sat", ll.int(64), &[length, taken]);
                let left = ll.select(negative, ll.c64(0), left);
                let rounded = ll.add(ll.intrinsic1("usub.sat", ll.int(64), &[left, ll.c64(1)]), ll.c64(scale));
                let count = ll.select(
                    ll.eq(left, ll.c64(0)),
                    ll.c64(0),
                    ll.bin(llvm_sys::LLVMOpcode::LLVMUDiv, rounded, ll.c64(scale)),
                );
                let count = ll.intrinsic1("umin", ll.int(64), &[count, ll.c64((1 << 31) / times)]);
                let count = ll.trunc(count, ll.int(32));
                let v = var.index.get(ll, gang, i, true);
                oks.push(ll.ult(v, ll.splat(count, gang.lanes)));
                let v = if times == 1 { v } else { ll.mul(v, ll.cint(ll.type_of(v), times)) };
                let index = ll.sext(v, ll.vec(ll.int(64), gang.lanes));
                places.push((ll.gep(base, scalar), index, ll.array(ll.int(8), unit)));
            } else {
                let o = self.offsets64(p, var, i);
                if !p.valid {
                    let limit = ll.splat(self.limit(length, size), gang.lanes);
                    oks.push(ll.ult(o, limit));
                }
                let from = if p.root == Root::Raw { ll.null() } else { base };
                places.push((from, o, ll.int(8)));
            }
        }
        let mask = self.mask.clone();
        let one_for_all = n == 1 && gang.parts > 1;
        let ok = if p.valid {
            ll.cbool(true)
        } else if one_for_all {
            self.all_of(&oks)
        } else {
            self.holds_where_active(&oks, &mask)
        };
        let align = e.scalar.size().min(e.align);
        self.two_ways(
            ok,
            |me| {
                let mut out = Vec::new();
                for (i, (from, index, unit)) in places.iter().enumerate() {
                    let m = if one_for_all { me.all_on() } else { me.mask_part(&mask, i as u32) };
                    for k in 0..e.count {
                        let from = ll.gep_const(*from, k as u64 * u64::from(e.scalar.size()));
                        let ptrs = ll.gep_typed(*unit, from, *index);
                        if small {
                            out.push(me.gather_small(e.scalar, ptrs, m));
                        } else if values.is_empty() {
                            let g = ll.gather(vt, ptrs, align, m, ll.zero(vt));
                            me.annotate(g, p.root);
                            out.push(g);
                        } else {
                            let s = ll.scatter(values[i][k], ptrs, align, m);
                            me.annotate(s, p.root);
                        }
                    }
                }
                out
            },
            |me| {
                let mut out = Vec::new();
                for i in 0..n {
                    let offsets = me.offsets64(p, var, i);
                    out.extend(me.slow_part(e, base, length, offsets, values, site, i, n));
                }
                out
            },
        )
    }

    /// What offsets of a vouched-for pointer count from.
    fn valid_base(&self, p: &Pointer, base: V) -> V {
        if p.root == Root::Raw { self.ll.null() } else { base }
    }

    /// Elements of one or two bytes: gathers the aligned words that hold them. Such a word never
    /// reaches into a page that the element is not in.
    fn gather_small(&self, s: Scalar, ptrs: V, mask: V) -> V {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let (wide, words) = (ll.vec(ll.int(64), lanes), ll.vec(ll.int(32), lanes));
        let address = ll.ptr_to_int(ptrs);
        let aligned = ll.int_to_ptr(ll.and(address, ll.cint(wide, !3)));
        let word = ll.gather(words, aligned, 4, mask, ll.zero(words));
        let shift = ll.trunc(ll.shl(ll.and(address, ll.cint(wide, 3)), ll.cint(wide, 3)), words);
        let t = ll.vec(ll.int(s.size() * 8), lanes);
        ll.bitcast(ll.trunc(ll.lshr(word, shift), t), ll.vec(memory_type(ll, s), lanes))
    }

    /// Addresses from nowhere known: the host says lane by lane what they may touch.
    fn raw_access(&mut self, p: &Pointer, e: Element, what: &Access, site: V) -> Vec<Comp> {
        let ll = self.ll;
        let gang = self.gang;
        let address = self.collapse(p, Root::Raw);
        let t = memory_type(ll, e.scalar);
        let vt = ll.vec(t, gang.lanes);
        let align = e.scalar.size().min(e.align);
        let mut out: Vec<Vec<V>> = vec![Vec::new(); e.count];
        // An address that is the same everywhere is checked and read once.
        let one = !address.shape.lanes() && !address.shape.parts() && matches!(what, Access::Load);
        let n = if one { 1 } else { gang.parts };
        for i in 0..n {
            let a = address.get(ll, gang, i, true);
            let mut m = if one {
                let any = self.any(&self.mask);
                let first = ll.zext(any, ll.int(gang.lanes));
                ll.bitcast(first, self.mask_type())
            } else {
                self.mask_part(&self.mask, i)
            };
            m = self.raw_check(e.size(), a, m, site, i);
            for (k, out) in out.iter_mut().enumerate() {
                let o = ll.add(a, ll.cint(ll.type_of(a), k as u64 * u64::from(e.scalar.size())));
                let ptrs = ll.int_to_ptr(o);
                match what {
                    Access::Load => {
                        let v = ll.gather(vt, ptrs, align, m, ll.zero(vt));
                        out.push(if one { ll.extract(v, 0) } else { v });
                    }
                    Access::Store(values) => {
                        let v = self.stored_form(e.scalar, values[k].get(ll, gang, i, true));
                        ll.scatter(v, ptrs, align, m);
                    }
                }
            }
        }
        if matches!(what, Access::Store(_)) {
            return Vec::new();
        }
        let scalars = !address.shape.lanes();
        out.into_iter()
            .map(|list| {
                if one {
                    return Comp {
                        shape: Shape::of(address.shape.bits & ALL),
                        v: vec![self.loaded(e.scalar, list[0])],
                    };
                }
                let v: Vec<V> = list
                    .iter()
                    .enumerate()
                    .map(|(i, v)| {
                        let v = if scalars { self.first_active(*v, i as u32) } else { *v };
                        self.loaded(e.scalar, v)
                    })
                    .collect();
                Comp { shape: Shape::of((address.shape.bits | crate::emit::shape::P) & ALL), v }
            })
            .collect()
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
        let e = Element { scalar, count: 1, align: unit as u32 };
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

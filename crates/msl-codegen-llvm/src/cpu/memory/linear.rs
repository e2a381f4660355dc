//! Accesses to addresses that count up with the lane: vector loads and stores, with a stride or without.

use super::masked::StoreMask;
use super::scattered::units;
use super::{ALIGN, Access, Element};
use crate::cpu::kernel::Emit;
use crate::emit::shape::{ALL, Linear, Root, Shape};
use crate::emit::value::{Comp, Pointer, Varying, memory_type};
use crate::llvm::V;

/// How lanes that are a stride apart are accessed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing lies between them.
    Run,
    /// Everything between them is accessed too, and shuffled.
    Shuffle,
    /// Gathered or scattered.
    Lanes,
}

impl Emit<'_> {
    /// The way for a stride, in bytes.
    pub(super) fn way_of_stride(&self, stride: u64, e: Element, what: &Access) -> Way {
        let size = u64::from(e.scalar.size());
        let step = stride / size;
        let is_store = matches!(what, Access::Store(_));
        match step {
            // Lanes that overlap go their own ways, too.
            _ if !stride.is_multiple_of(size) || step > 4 || stride < e.size() => Way::Lanes,
            0 | 1 => Way::Run,
            _ if is_store && e.count == 1 => Way::Lanes,
            _ => Way::Shuffle,
        }
    }

    pub(super) fn linear_access(
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
        let (base, length) = self.reach(p.root, matches!(what, Access::Store(_)));
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
        let end = (lanes - 1) * stride + e.size();
        let extent = if e.count == 1 && stride == e.size() { end } else { end.max(lanes * stride) };
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
        // Whole lines of memory that the kernel only writes can go around the caches.
        let bytes = lanes * e.size();
        let is_run = n > 1 && l.part_stride.is_some_and(|q| (q * scale) as u64 == bytes) && !p.scalar.shape.parts();
        let run = if is_run { bytes * u64::from(n) } else { bytes };
        let streams =
            !values.is_empty() && mask.is_none() && e.count == 1 && stride == e.size() && self.may_stream(root, run);
        let out = self.two_ways(
            ok,
            |me| {
                let places: Vec<V> = firsts.iter().map(|f| at(*f)).collect();
                if !streams {
                    me.fetch_ahead(&places, bytes, !values.is_empty());
                } else {
                    me.streamed_stores(&places, stride, e, &values, root);
                    return Vec::new();
                }
                let mut out = Vec::new();
                for (i, place) in places.iter().enumerate() {
                    let m = mask.as_ref().map(|m| m[i]);
                    if values.is_empty() {
                        out.extend(me.strided_load(*place, stride, e, m, root));
                    } else {
                        let m = m.map(|lanes| StoreMask { lanes, is_there: !p.valid && root != Root::Raw });
                        me.strided_store(*place, stride, e, m, &values[i], root);
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
                let index = (var.ty, l.stride, scale);
                if me.mask.is_none() {
                    return me.slow_linear(e, base, length, &places, index, &masks, &values, site);
                }
                // A loop that threads leave one by one ends with an iteration for none of them, beyond the end of
                // what it walks along.
                let any = me.any(&Some(masks.clone()));
                let (some, join) = (ll.new_block("some"), ll.new_block("none"));
                let from = ll.current();
                ll.cond_br(any, some, join);
                ll.at_end(some);
                let out = me.slow_linear(e, base, length, &places, index, &masks, &values, site);
                let end = ll.current();
                ll.br(join);
                ll.at_end(join);
                out.into_iter().map(|v| ll.phi(ll.type_of(v), &[(v, end), (ll.zero(ll.type_of(v)), from)])).collect()
            },
        );
        self.join_parts(out, n, e, shape, what)
    }

    /// Whether lanes that count down are accessed as vectors, from the last one's place up.
    pub(super) fn is_reversible(&self, p: &Pointer, var: &Varying, l: Linear, e: Element, what: &Access) -> bool {
        let stride = l.stride.checked_mul(var.scale).unwrap_or(0);
        stride < 0
            && stride.unsigned_abs() >= e.size()
            && !p.valid
            && p.root != Root::Raw
            && self.way_of_stride(stride.unsigned_abs(), e, what) != Way::Lanes
    }

    /// Such an access. Where some lane might be out of bounds or indices might wrap, each goes its own way.
    pub(super) fn reversed_access(
        &mut self,
        p: &Pointer,
        var: &Varying,
        l: Linear,
        e: Element,
        what: &Access,
        site: V,
    ) -> Vec<Comp> {
        let ll = self.ll;
        let gang = self.gang;
        let lanes = gang.lanes;
        let stride = (l.stride * var.scale).unsigned_abs();
        let is_within = self.is_within && stride == e.size();
        let store_parts = matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.parts()));
        let parts_differ = p.scalar.shape.parts() || var.index.shape.parts() || store_parts || self.mask.is_some();
        let n = if parts_differ { gang.parts } else { 1 };
        let (base, length) = self.reach(p.root, matches!(what, Access::Store(_)));
        // From the last lane to the first the index counts up; it must not wrap on the way.
        let most = (var.scale.unsigned_abs()).saturating_mul(1u64.checked_shl(var.ty.bits()).unwrap_or(u64::MAX));
        let signed = var.ty.is_signed() || var.ty.bits() == 64;
        let bound = if signed { length } else { ll.intrinsic1("umin", ll.int(64), &[length, ll.c64(most)]) };
        let limit = self.limit(bound, u64::from(lanes) * stride);
        let mut ok = ll.cbool(true);
        let mut firsts = Vec::new();
        for i in 0..n {
            let lane0 = var.index.base(ll, i);
            let across = (l.stride.wrapping_mul(i64::from(lanes) - 1)) as u64;
            let last = self.widen(ll.add(lane0, ll.cint(ll.type_of(lane0), across)), var.ty);
            let scalar = p.scalar.get(ll, gang, i, false);
            let first = ll.add(scalar, ll.mul(last, ll.c64(var.scale as u64)));
            if !is_within {
                ok = ll.and(ok, ll.ult(first, limit));
            }
            firsts.push(first);
        }
        let values: Vec<Vec<V>> = match what {
            Access::Load => Vec::new(),
            Access::Store(v) => (0..n)
                .map(|i| v.iter().map(|c| self.stored_form(e.scalar, c.get(ll, gang, i, true))).collect())
                .collect(),
        };
        let mask = if values.is_empty() { None } else { self.mask.clone() };
        let down: Vec<u32> = (0..lanes).rev().collect();
        let shape = Shape::of((p.scalar.shape.bits | var.index.shape.bits) & ALL);
        let out = self.two_ways(
            ok,
            |me| {
                let mut out = Vec::new();
                for (i, first) in firsts.iter().enumerate() {
                    let at = ll.gep(base, *first);
                    let m = mask.as_ref().map(|m| ll.shuffle1(m[i], &down));
                    if values.is_empty() {
                        let v = me.strided_load(at, stride, e, m, p.root);
                        out.extend(v.into_iter().map(|v| ll.shuffle1(v, &down)));
                    } else {
                        let turned: Vec<V> = values[i].iter().map(|v| ll.shuffle1(*v, &down)).collect();
                        let m = m.map(|lanes| StoreMask { lanes, is_there: true });
                        me.strided_store(at, stride, e, m, &turned, p.root);
                    }
                }
                out
            },
            |me| me.gathered(p, var, e, base, length, &values, site, n),
        );
        self.join_parts(out, n, e, shape, what)
    }

    /// Whether stores of `run` consecutive bytes to a buffer should go around the caches where the
    /// dispatch is large: the kernel does not read it, and they fill lines.
    fn may_stream(&self, root: Root, run: u64) -> bool {
        let Root::Param(i) = root else { return false };
        let only_written = self.entry.params.get(i as usize).is_some_and(|p| p.access == msl_ir::Access::WriteOnly);
        only_written && !self.is_shared(root) && run.is_multiple_of(64) && self.target.has_streaming_stores
    }

    /// Stores of all parts, past the caches if the dispatch asks for it and they are aligned.
    fn streamed_stores(&self, places: &[V], stride: u64, e: Element, values: &[Vec<V>], root: Root) {
        let ll = self.ll;
        let bytes = u64::from(self.gang.lanes) * e.size();
        let all = places.iter().map(|p| ll.ptr_to_int(*p)).reduce(|a, b| ll.or(a, b)).unwrap_or_else(|| ll.c64(0));
        let aligned = ll.eq(ll.and(all, ll.c64(bytes - 1)), ll.c64(0));
        let (past, through, join) = (ll.new_block("stream"), ll.new_block("cached"), ll.new_block("stored"));
        ll.cond_br(ll.and(self.streams, aligned), past, through);
        ll.at_end(past);
        for (place, v) in places.iter().zip(values) {
            let s = ll.store(v[0], *place, bytes as u32);
            ll.set_md(s, "nontemporal", ll.md_node(&[ll.md_int(1)]));
            self.annotate(s, root);
        }
        self.did_stream.set(true);
        ll.br(join);
        ll.at_end(through);
        self.fetch_ahead(places, bytes, true);
        for (place, v) in places.iter().zip(values) {
            self.strided_store(*place, stride, e, None, v, root);
        }
        ll.br(join);
        ll.at_end(join);
    }

    /// The helpers' part of an access whose lanes each have an offset.
    pub(super) fn slow_lanes(
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
        let offsets: Vec<V> = (0..n).map(|i| self.offsets64(p, var, i)).collect();
        // One access for all parts stands for the lanes that are on in any of them.
        let masks: Vec<V> = if n == 1 && self.gang.parts > 1 {
            let all = self.mask_parts(&self.mask).into_iter().reduce(|a, b| ll.or(a, b));
            vec![all.unwrap_or_else(|| self.all_on())]
        } else {
            (0..n).map(|i| self.mask_part(&self.mask, i)).collect()
        };
        self.slow_parts(e, base, length, &offsets, &masks, values, site)
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
    pub(super) fn strided_load(&self, at: V, stride: u64, e: Element, mask: Option<V>, root: Root) -> Vec<V> {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let size = u64::from(e.scalar.size());
        let t = memory_type(ll, e.scalar);
        let step = stride / size;
        if !stride.is_multiple_of(size) || step > 4 || stride < e.size() || (step > 1 && mask.is_some()) {
            let offsets = ll.iota(ll.int(64), lanes, stride);
            let m = mask.unwrap_or_else(|| self.all_on());
            let mut out = Vec::new();
            for u in units(e) {
                let ptrs = ll.gep(ll.gep_const(at, u.first as u64 * size), offsets);
                if u.bytes < 4 {
                    let vt = ll.vec(t, lanes);
                    out.push(ll.gather(vt, ptrs, ALIGN, m, ll.zero(vt)));
                } else {
                    out.extend(self.gathered_unit(e.scalar, &u, ptrs, m, false, root));
                }
            }
            return out;
        }
        let total = lanes * step as u32;
        let vt = ll.vec(t, total);
        let v = match mask {
            Some(m) => ll.masked_load(vt, at, ALIGN, m, ll.zero(vt)),
            None => ll.load(vt, at, ALIGN),
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

    pub(super) fn strided_store(
        &self,
        at: V,
        stride: u64,
        e: Element,
        mask: Option<StoreMask>,
        values: &[V],
        root: Root,
    ) {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let size = u64::from(e.scalar.size());
        let step = stride / size;
        if !stride.is_multiple_of(size) || step > 4 || stride < e.size() || (step > 1 && e.count == 1) {
            let offsets = ll.iota(ll.int(64), lanes, stride);
            let m = mask.map_or_else(|| self.all_on(), |m| m.lanes);
            for u in units(e) {
                let ptrs = ll.gep(ll.gep_const(at, u.first as u64 * size), offsets);
                let s = ll.scatter(self.joined_unit(&u, &values[u.first..]), ptrs, ALIGN, m);
                self.annotate(s, root);
            }
            return;
        }
        if step == 1 {
            match mask {
                Some(m) => self.masked_store(values[0], at, m, root),
                None => self.annotate(ll.store(values[0], at, ALIGN), root),
            }
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
            let s = ll.store(v, at, ALIGN);
            self.annotate(s, root);
            return;
        }
        let component: Vec<V> = (0..lanes * step).map(|j| ll.cbool(((j % step) as usize) < values.len())).collect();
        let mut m = StoreMask { lanes: ll.cvec(&component), is_there: mask.is_none_or(|m| m.is_there) };
        if let Some(on) = mask {
            let spread: Vec<u32> = (0..lanes * step).map(|j| j / step).collect();
            m.lanes = ll.and(m.lanes, ll.shuffle1(on.lanes, &spread));
        }
        self.masked_store(v, at, m, root);
    }
}

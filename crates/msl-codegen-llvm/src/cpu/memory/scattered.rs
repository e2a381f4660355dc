//! Accesses to any addresses: gathers, scatters, and the test for lanes that are consecutive after all;
//! addresses that the program computed from numbers.

use llvm_sys::LLVMIntPredicate as IP;
use msl_ir::Scalar;

use super::masked::StoreMask;
use super::patterned::Request;
use super::{ALIGN, Access, Element};
use crate::cpu::check::Candidates;
use crate::cpu::kernel::Emit;
use crate::cpu::masks::Mask;
use crate::emit::shape::{ALL, NEAR, Root, Shape};
use crate::emit::value::{Comp, Pointer, Varying, memory_type};
use crate::llvm::V;

/// Components of an element that are gathered or scattered together.
pub(super) struct Unit {
    pub first: usize,
    pub count: usize,
    pub bytes: u32,
}

/// As few as there can be: instructions move four or eight bytes for a lane.
pub(super) fn units(e: Element) -> Vec<Unit> {
    let size = e.scalar.size();
    let mut out = Vec::new();
    let mut first = 0;
    while first < e.count {
        let left = e.count - first;
        let count = [8, 4, 2].into_iter().find(|n| *n <= left && matches!(*n as u32 * size, 4 | 8)).unwrap_or(1);
        out.push(Unit { first, count, bytes: count as u32 * size });
        first += count;
    }
    out
}

impl Emit<'_> {
    pub(super) fn scattered_access(
        &mut self,
        p: &Pointer,
        var: &Varying,
        e: Element,
        what: &Access,
        site: V,
    ) -> Vec<Comp> {
        let ll = self.ll;
        let gang = self.gang;
        let store_parts = matches!(what, Access::Store(v) if v.iter().any(|c| c.shape.parts()));
        let parts_differ = p.scalar.shape.parts() || var.index.shape.parts() || store_parts || self.mask.is_some();
        let n = if parts_differ { gang.parts } else { 1 };
        let (base, length) = self.reach(p.root, matches!(what, Access::Store(_)));
        let shape = Shape::of((p.scalar.shape.bits | var.index.shape.bits) & ALL);
        let values: Vec<Vec<V>> = match what {
            Access::Load => Vec::new(),
            Access::Store(v) => (0..n)
                .map(|i| v.iter().map(|c| self.stored_form(e.scalar, c.get(ll, gang, i, true))).collect())
                .collect(),
        };
        let out = if let Some(patterns) = self.access_patterns(p, var, e, n) {
            let values = &values;
            let request = Request { p, var, e, base, length, values, site, n };
            self.patterned_access(&request, &patterns)
        } else if self.is_likely_consecutive(p, var, e) {
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
                            let m = m.map(|lanes| StoreMask { lanes, is_there: false });
                            me.strided_store(at, e.size(), e, m, &values[i], p.root);
                        }
                    }
                    out
                },
                |me| {
                    let may_be_near = values.is_empty() && e.scalar.size() == 4 && var.ty.bits() == 32;
                    if !may_be_near || !me.target.has_permutes() {
                        return me.gathered(p, var, e, base, length, &values, site, n);
                    }
                    let (near, lanes) = me.near_first(var, e, length, &firsts);
                    me.two_ways(
                        near,
                        |me| {
                            let pick = |(f, index): (&V, &V)| me.picked_load(ll.gep(base, *f), *index, e, p.root);
                            firsts.iter().zip(&lanes).map(pick).collect()
                        },
                        |me| me.gathered(p, var, e, base, length, &values, site, n),
                    )
                },
            )
        } else {
            self.gathered(p, var, e, base, length, &values, site, n)
        };
        self.join_parts(out, n, e, shape, what)
    }

    /// Whether it is worth testing for that.
    pub(super) fn is_likely_consecutive(&self, p: &Pointer, var: &Varying, e: Element) -> bool {
        var.index.shape.bits & NEAR != 0 && var.scale as u64 == e.size() && e.count == 1 && !p.valid
    }

    /// Whether the lanes of each part happen to be consecutive and within bounds, and where each
    /// part then starts.
    pub(super) fn consecutive(&mut self, p: &Pointer, var: &Varying, e: Element, length: V, n: u32) -> (V, Vec<V>) {
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
            if !self.is_within {
                inside.push(ll.ult(f, limit));
            }
            firsts.push(f);
        }
        let mask: Mask = self.mask.clone();
        let run =
            if n == 1 && self.gang.parts > 1 { self.all_of(&conds) } else { self.holds_where_active(&conds, &mask) };
        let ok = inside.into_iter().fold(run, |a, b| ll.and(a, b));
        (ok, firsts)
    }

    /// Whether all lanes are in the vector that begins where the first lane is, which is within bounds, and where in it
    /// they are. What counts up and is then kept within limits is like that at the limits: only there is it not
    /// consecutive.
    fn near_first(&mut self, var: &Varying, e: Element, length: V, firsts: &[V]) -> (V, Vec<V>) {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let limit = self.limit(length, u64::from(lanes) * e.size());
        let least = if var.ty.is_signed() { IP::LLVMIntSGE } else { IP::LLVMIntUGE };
        let (mut conds, mut inside, mut places) = (Vec::new(), ll.cbool(true), Vec::new());
        for (i, f) in firsts.iter().enumerate() {
            let v = var.index.get(ll, self.gang, i as u32, true);
            let first = ll.splat(ll.extract(v, 0), lanes);
            let place = ll.sub(v, first);
            let within = ll.ult(place, ll.splat(ll.c32(lanes), lanes));
            conds.push(ll.and(within, ll.icmp(least, v, first)));
            inside = ll.and(inside, ll.ult(*f, limit));
            places.push(place);
        }
        let mask = self.mask.clone();
        let one_for_all = firsts.len() == 1 && self.gang.parts > 1;
        let near = if one_for_all { self.all_of(&conds) } else { self.holds_where_active(&conds, &mask) };
        (ll.and(near, inside), places)
    }

    /// Hardware gathers where the fast test of all lanes succeeds, the helpers otherwise.
    pub(super) fn gathered(
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
        let units = units(e);
        if units.iter().any(|u| u.bytes < 4) && !values.is_empty() {
            // There is no instruction for these; a function does it lane by lane.
            let (base, length) = if p.valid { (self.valid_base(p, base), ll.c64(u64::MAX)) } else { (base, length) };
            return self.slow_lanes(p, var, e, base, length, values, site, n);
        }
        // Indices stay 32 bits wide if possible: the hardware takes them with a scale up to 8.
        let narrow = var.ty.bits() == 32 && !p.valid && !small;
        let size = e.size();
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
                if !self.is_within {
                    oks.push(ll.ult(v, ll.splat(count, gang.lanes)));
                }
                let v = if times == 1 { v } else { ll.mul(v, ll.cint(ll.type_of(v), times)) };
                let index = ll.sext(v, ll.vec(ll.int(64), gang.lanes));
                places.push((ll.gep(base, scalar), index, ll.array(ll.int(8), unit)));
            } else {
                let o = self.offsets64(p, var, i);
                if !p.valid && !self.is_within {
                    let limit = ll.splat(self.limit(length, size), gang.lanes);
                    oks.push(ll.ult(o, limit));
                }
                let from = if p.root == Root::Raw { ll.null() } else { base };
                places.push((from, o, ll.int(8)));
            }
        }
        let mask = self.mask.clone();
        let one_for_all = n == 1 && gang.parts > 1;
        let ok = if self.is_within && narrow && !var.ty.is_signed() {
            // The instruction takes indices with a sign.
            ll.ult(length, ll.c64(1 << 31))
        } else if p.valid || self.is_within {
            ll.cbool(true)
        } else if one_for_all {
            self.all_of(&oks)
        } else {
            self.holds_where_active(&oks, &mask)
        };
        // Where the lanes are whole elements of two bytes apart, the first says whether they are at odd addresses.
        let steps_are_even = var.scale % 2 == 0;
        let ok = if e.scalar.size() == 2 && steps_are_even && !p.valid {
            let start = ll.ptr_to_int(base);
            let odd = (0..n).map(|i| ll.add(start, p.scalar.get(ll, gang, i, false))).reduce(|a, b| ll.or(a, b));
            let odd = ll.and(odd.unwrap_or(start), ll.c64(1));
            ll.and(ok, ll.eq(odd, ll.c64(0)))
        } else {
            ok
        };
        self.two_ways(
            ok,
            |me| {
                let mut out = Vec::new();
                for (i, (from, index, unit)) in places.iter().enumerate() {
                    let m = if one_for_all { me.all_on() } else { me.mask_part(&mask, i as u32) };
                    for u in &units {
                        let from = ll.gep_const(*from, u.first as u64 * u64::from(e.scalar.size()));
                        let ptrs = ll.gep_typed(*unit, from, *index);
                        if values.is_empty() {
                            out.extend(me.gathered_unit(e.scalar, u, ptrs, m, !steps_are_even, p.root));
                        } else {
                            let s = ll.scatter(me.joined_unit(u, &values[i][u.first..]), ptrs, ALIGN, m);
                            me.annotate(s, p.root);
                        }
                    }
                }
                out
            },
            |me| me.slow_lanes(p, var, e, base, length, values, site, n),
        )
    }

    /// The components of one unit, each as a vector.
    pub(super) fn gathered_unit(
        &self,
        s: Scalar,
        u: &Unit,
        ptrs: V,
        mask: V,
        may_straddle: bool,
        root: Root,
    ) -> Vec<V> {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        if u.bytes < 4 {
            return vec![self.gather_small(s, ptrs, mask, may_straddle)];
        }
        let t = memory_type(ll, s);
        let vt = ll.vec(if u.count == 1 { t } else { ll.int(u.bytes * 8) }, lanes);
        let g = ll.gather(vt, ptrs, ALIGN, mask, ll.zero(vt));
        self.annotate(g, root);
        if u.count == 1 {
            return vec![g];
        }
        let n = u.count as u32;
        let all = ll.bitcast(g, ll.vec(t, lanes * n));
        (0..n).map(|k| ll.shuffle1(all, &(0..lanes).map(|i| i * n + k).collect::<Vec<_>>())).collect()
    }

    /// The first components of a value as the numbers that one unit stores.
    pub(super) fn joined_unit(&self, u: &Unit, values: &[V]) -> V {
        let ll = self.ll;
        let (lanes, n) = (self.gang.lanes, u.count as u32);
        if n == 1 {
            return values[0];
        }
        let wide = ll.concat(&values[..u.count]);
        let order: Vec<u32> = (0..lanes * n).map(|j| j % n * lanes + j / n).collect();
        ll.bitcast(ll.shuffle1(wide, &order), ll.vec(ll.int(u.bytes * 8), lanes))
    }

    /// Elements of one or two bytes: gathers the aligned words that hold them. Such a word never
    /// reaches into a page that the element is not in. Two bytes may be in two of them, if the caller does
    /// not rule it out.
    pub(super) fn gather_small(&self, s: Scalar, ptrs: V, mask: V, may_straddle: bool) -> V {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let (wide, words) = (ll.vec(ll.int(64), lanes), ll.vec(ll.int(32), lanes));
        let address = ll.ptr_to_int(ptrs);
        let aligned = ll.int_to_ptr(ll.and(address, ll.cint(wide, !3)));
        let word = ll.gather(words, aligned, 4, mask, ll.zero(words));
        let shift = ll.trunc(ll.shl(ll.and(address, ll.cint(wide, 3)), ll.cint(wide, 3)), words);
        let t = ll.vec(ll.int(s.size() * 8), lanes);
        let mut bits = ll.lshr(word, shift);
        if may_straddle && s.size() == 2 {
            let both = ll.and(mask, ll.eq(ll.and(address, ll.cint(wide, 3)), ll.cint(wide, 3)));
            let next = ll.int_to_ptr(ll.add(ll.and(address, ll.cint(wide, !3)), ll.cint(wide, 4)));
            let upper = ll.gather(words, next, 4, both, ll.zero(words));
            bits = ll.or(bits, ll.shl(upper, ll.cint(words, 8)));
        }
        ll.bitcast(ll.trunc(bits, t), ll.vec(memory_type(ll, s), lanes))
    }

    /// Addresses whose root differs or is not known: tested lane by lane against what they may point into.
    pub(super) fn raw_access(
        &mut self,
        p: &Pointer,
        e: Element,
        what: &Access,
        site: V,
        into: &Candidates,
    ) -> Vec<Comp> {
        let ll = self.ll;
        let gang = self.gang;
        let address = self.collapse(p, Root::Raw);
        let t = memory_type(ll, e.scalar);
        let vt = ll.vec(t, gang.lanes);
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
            m = self.raw_check(e.size(), a, m, site, i, into);
            for (k, out) in out.iter_mut().enumerate() {
                let o = ll.add(a, ll.cint(ll.type_of(a), k as u64 * u64::from(e.scalar.size())));
                let ptrs = ll.int_to_ptr(o);
                match what {
                    Access::Load => {
                        let v = if e.scalar.size() < 4 {
                            self.gather_small(e.scalar, ptrs, m, true)
                        } else {
                            ll.gather(vt, ptrs, ALIGN, m, ll.zero(vt))
                        };
                        out.push(if one { ll.extract(v, 0) } else { v });
                    }
                    Access::Store(values) => {
                        let v = self.stored_form(e.scalar, values[k].get(ll, gang, i, true));
                        ll.scatter(v, ptrs, ALIGN, m);
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
}

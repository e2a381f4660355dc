//! Accesses to one address for all lanes.

use super::{ALIGN, Access, Element};
use crate::cpu::kernel::Emit;
use crate::emit::shape::{Root, Shape};
use crate::emit::value::{Comp, Pointer, memory_type};
use crate::llvm::V;

impl Emit<'_> {
    pub(super) fn scalar_access(
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
        let is_store = matches!(what, Access::Store(_));
        let (base, length) =
            if p.root == Root::Raw { (ll.null(), ll.c64(u64::MAX)) } else { self.reach(p.root, is_store) };
        let is_around = self.is_around_gangs();
        let mut active: Vec<V> = (0..n)
            .map(|i| if n == 1 { self.any(&mask) } else { self.any(&mask.as_ref().map(|m| vec![m[i as usize]])) })
            .collect();
        let mt = memory_type(ll, e.scalar);
        let root = p.root;
        let load_one = |me: &Self, o: V| -> Vec<V> {
            let at = if root == Root::Raw { ll.int_to_ptr(o) } else { ll.gep(base, o) };
            if e.count == 1 {
                let v = ll.load(mt, at, ALIGN);
                if volatile {
                    ll.set_volatile(v);
                }
                me.annotate(v, root);
                return vec![v];
            }
            let v = ll.load(ll.vec(mt, e.count as u32), at, ALIGN);
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
            let st = ll.store(v, at, ALIGN);
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
                    if is_around {
                        active.fill(self.any_of_group());
                    }
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
                            let on = if is_around { vec![me.any_of_group(); n as usize] } else { Vec::new() };
                            let active = if is_around { &on } else { &active };
                            return me.slow_scalars(e, base, length, &offsets, active, site);
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
                            let thread = self.first_active_thread(i as u32);
                            self.slow_check(e.size(), length, *o, active[i], site, thread);
                        }
                        ll.br(done);
                    }
                    ll.at_end(done);
                }
                Vec::new()
            }
        }
    }
}

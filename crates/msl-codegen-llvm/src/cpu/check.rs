//! What happens when an access might be out of bounds: helper functions, one per element type and
//! module, that test every lane, record the fault and touch only what is allowed.
//!
//! The fast paths in `memory` test a whole gang with one comparison; these helpers are called when
//! that fails, be it for a real fault or because the lanes beyond the end are switched off.

use msl_base::{Span, Symbol};
use msl_ir::{Scalar, ValueId};

use super::kernel::Emit;
use super::layout::Rows;
use crate::abi;
use crate::compiler::{FaultKind, FaultSite};
use crate::emit::shape::Root;
use crate::emit::value::memory_type;
use crate::llvm::{T, V};

/// LLVM's `fastcc`. (Its `coldcc` restores the low part of the registers that return vectors.)
const COLD: u32 = 8;

impl Emit<'_> {
    /// Registers a place that can fault.
    pub fn site(&mut self, kind: FaultKind, root: Root, span: Span) -> V {
        let param = match root {
            Root::Param(i) => Some(i),
            _ => None,
        };
        self.sites.push(FaultSite { kind, param, span, message: None });
        self.ll.c32(self.sites.len() as u32 - 1)
    }

    /// Linear index of a part's first thread in the threadgroup; marked where it counts the threads of
    /// a smaller one.
    pub fn first_thread(&self, part: u32) -> V {
        let first = self.linear_index.base(self.ll, part);
        let is_packed = self.layout.edge && self.layout.rows == Rows::Scattered;
        if is_packed { self.ll.or(first, self.ll.c32(abi::PACKED)) } else { first }
    }

    fn helper(&self, name: &str, ret: T, params: &[T], body: impl FnOnce(&Self, V)) -> (T, V) {
        let ll = self.ll;
        let ty = ll.fn_type(ret, params);
        if let Some(f) = ll.named_function(name) {
            return (ty, f);
        }
        let here = ll.current();
        let f = ll.add_function(name, ty, true);
        for a in ["noinline", "cold", "minsize", "optsize"] {
            ll.attr(f, a);
        }
        ll.set_call_conv(f, COLD);
        self.target.function_attributes(ll, f);
        let entry = ll.block(f, "entry");
        ll.at_end(entry);
        body(self, f);
        ll.at_end(here);
        (ty, f)
    }

    fn call_helper(&self, (ty, f): (T, V), args: &[V]) -> V {
        let c = self.ll.call(ty, f, args);
        self.ll.set_instr_call_conv(c, COLD);
        c
    }

    /// `record(scratch, site, thread, offset)`.
    fn record(&self, scratch: V, site: V, thread: V, offset: V) {
        let ll = self.ll;
        let (p, i, l) = (ll.ptr(), ll.int(32), ll.int(64));
        let h = self.helper("record", ll.void(), &[p, i, i, l], |me, f| {
            let s = ll.param(f, 0);
            let context = ll.load(p, ll.gep_const(s, abi::header::CONTEXT), 8);
            let call = ll.load(p, ll.gep_const(context, abi::offset::ON_FAULT), 8);
            let ty = ll.fn_type(ll.void(), &[p, i, p, i, l]);
            let group = ll.gep_const(s, abi::header::GROUP);
            ll.call(ty, call, &[context, ll.param(f, 1), group, ll.param(f, 2), ll.param(f, 3)]);
            ll.ret_void();
            let _ = me;
        });
        self.call_helper(h, &[scratch, site, thread, offset]);
    }

    /// Records the first lane of `bad`, if there is one.
    fn record_lane(&self, scratch: V, site: V, first: V, offsets: V, bad: V) {
        let ll = self.ll;
        let any = self.any_of(&[bad]);
        let (yes, no) = (ll.new_block("fault"), ll.new_block("checked"));
        ll.cond_br(any, yes, no);
        ll.at_end(yes);
        let bits = self.mask_bits(bad);
        let t = ll.type_of(bits);
        let lane = ll.intrinsic1("cttz", t, &[bits, ll.cbool(false)]);
        let lane32 = if self.gang.lanes < 32 { ll.zext(lane, ll.int(32)) } else { lane };
        let offset = ll.extract_at(offsets, lane32);
        self.record(scratch, site, ll.add(first, lane32), offset);
        ll.br(no);
        ll.at_end(no);
    }

    /// Loads lanes that are active and within bounds; zero elsewhere.
    pub fn slow_load(&self, s: Scalar, base: V, length: V, offsets: V, mask: V, site: V, part: u32) -> V {
        let ll = self.ll;
        let (p, i, l) = (ll.ptr(), ll.int(32), ll.int(64));
        let e = memory_type(ll, s);
        let (vt, ot) = (ll.vec(e, self.gang.lanes), ll.vec(l, self.gang.lanes));
        let name = format!("load_{}", ll.suffix(vt));
        let h = self.helper(&name, vt, &[p, p, l, ot, self.mask_type(), i, i], |me, f| {
            let (offsets, mask) = (ll.param(f, 3), ll.param(f, 4));
            let limit = ll.splat(me.limit(ll.param(f, 2), u64::from(s.size())), me.gang.lanes);
            let inside = ll.ult(offsets, limit);
            let bad = ll.and(mask, ll.not(inside));
            me.record_lane(ll.param(f, 0), ll.param(f, 5), ll.param(f, 6), offsets, bad);
            let ptrs = ll.gep(ll.param(f, 1), offsets);
            let v = ll.gather(vt, ptrs, s.size(), ll.and(mask, inside), ll.zero(vt));
            ll.ret(v);
        });
        self.call_helper(h, &[self.scratch, base, length, offsets, mask, site, self.first_thread(part)])
    }

    pub fn slow_store(&self, s: Scalar, v: V, base: V, length: V, offsets: V, mask: V, site: V, part: u32) {
        let ll = self.ll;
        let (p, i, l) = (ll.ptr(), ll.int(32), ll.int(64));
        let e = memory_type(ll, s);
        let (vt, ot) = (ll.vec(e, self.gang.lanes), ll.vec(l, self.gang.lanes));
        let name = format!("store_{}", ll.suffix(vt));
        let h = self.helper(&name, ll.void(), &[p, vt, p, l, ot, self.mask_type(), i, i], |me, f| {
            let (offsets, mask) = (ll.param(f, 4), ll.param(f, 5));
            let limit = ll.splat(me.limit(ll.param(f, 3), u64::from(s.size())), me.gang.lanes);
            let inside = ll.ult(offsets, limit);
            let bad = ll.and(mask, ll.not(inside));
            me.record_lane(ll.param(f, 0), ll.param(f, 6), ll.param(f, 7), offsets, bad);
            let ptrs = ll.gep(ll.param(f, 2), offsets);
            ll.scatter(ll.param(f, 1), ptrs, s.size(), ll.and(mask, inside));
            ll.ret_void();
        });
        self.call_helper(h, &[self.scratch, v, base, length, offsets, mask, site, self.first_thread(part)]);
    }

    /// Stack memory for the arguments of helpers; all calls share it.
    fn slow_buffer(&self, kind: u8, size: u64) -> V {
        let size = size.next_power_of_two().max(64);
        if let Some(v) = self.slow_buffers.borrow().get(&(kind, size)) {
            return *v;
        }
        let v = self.ll.alloca(self.ll.array(self.ll.int(8), size), 64);
        self.slow_buffers.borrow_mut().insert((kind, size), v);
        v
    }

    /// Linear accesses of all parts in one call: `places` gives each part's scalar offset and first
    /// index. Loads return `count` vectors for each part; stores take them.
    pub fn slow_linear(
        &mut self,
        e: super::memory::Element,
        base: V,
        length: V,
        places: &[(V, V)],
        index: (Scalar, i64, i64),
        masks: &[V],
        values: &[Vec<V>],
        site: V,
    ) -> Vec<V> {
        let ll = self.ll;
        let (p, i, l) = (ll.ptr(), ll.int(32), ll.int(64));
        let lanes = self.gang.lanes;
        let t = memory_type(ll, e.scalar);
        let vt = ll.vec(t, lanes);
        let bytes = u64::from(e.scalar.size());
        let is_store = !values.is_empty();
        let (ty, stride, scale) = index;
        let n = places.len() as u64;
        let name = format!("{}_{}_{}", if is_store { "stores" } else { "loads" }, ll.suffix(vt), ty.name());
        // Each part: scalar offset, first index, mask.
        let table = self.slow_buffer(0, 24 * n);
        let data = self.slow_buffer(1, n * e.count as u64 * u64::from(lanes) * bytes);
        for (k, (scalar, first)) in places.iter().enumerate() {
            let at = |j: u64| ll.gep_const(table, (k as u64 * 3 + j) * 8);
            ll.store(*scalar, at(0), 8);
            ll.store(*first, at(1), 8);
            ll.store(ll.zext(self.mask_bits(masks[k]), l), at(2), 8);
        }
        let step = bytes * u64::from(lanes);
        for (k, v) in values.iter().flatten().enumerate() {
            ll.store(*v, ll.gep_const(data, k as u64 * step), 64.min(e.scalar.size()));
        }
        let h = self.helper(&name, ll.void(), &[p, p, l, p, p, l, l, i, i, i, i], |me, f| {
            let [scratch, base, length, table, data] = [0, 1, 2, 3, 4].map(|k| ll.param(f, k));
            let (stride, scale) = (ll.param(f, 5), ll.param(f, 6));
            let (n, count, site, thread) = (ll.param(f, 7), ll.param(f, 8), ll.param(f, 9), ll.param(f, 10));
            let from = ll.current();
            let (parts, comps, next, done) =
                (ll.new_block("parts"), ll.new_block("comps"), ll.new_block("next"), ll.new_block("done"));
            let limit = ll.splat(me.limit(length, bytes), lanes);
            ll.br(parts);
            ll.at_end(parts);
            let k = ll.phi(i, &[(ll.c32(0), from)]);
            let row = ll.gep(table, ll.mul(ll.zext(k, l), ll.c64(24)));
            let scalar = ll.load(l, row, 8);
            let first = ll.load(l, ll.gep_const(row, 8), 8);
            let mask = ll.load(l, ll.gep_const(row, 16), 8);
            let mask = ll.bitcast(ll.trunc(mask, ll.int(lanes)), me.mask_type());
            // The index counts in its own width, where it may wrap.
            let wide = ll.vec(l, lanes);
            let steps = ll.mul(ll.splat(stride, lanes), ll.iota(l, lanes, 1));
            let index = ll.add(ll.splat(first, lanes), steps);
            let narrow = ll.trunc(index, ll.vec(ll.int(ty.bits()), lanes));
            let index = if ty.is_signed() { ll.sext(narrow, wide) } else { ll.zext(narrow, wide) };
            let offsets = ll.add(ll.mul(index, ll.splat(scale, lanes)), ll.splat(scalar, lanes));
            ll.br(comps);
            ll.at_end(comps);
            let c = ll.phi(i, &[(ll.c32(0), parts)]);
            let o = ll.add(offsets, ll.splat(ll.mul(ll.zext(c, l), ll.c64(bytes)), lanes));
            let inside = ll.ult(o, limit);
            let bad = ll.and(mask, ll.not(inside));
            me.record_lane(scratch, site, ll.add(thread, ll.mul(k, ll.c32(lanes))), o, bad);
            let m = ll.and(mask, inside);
            let ptrs = ll.gep(base, o);
            let at = ll.add(ll.mul(k, count), c);
            let cell = ll.gep(data, ll.mul(ll.zext(at, l), ll.c64(step)));
            if is_store {
                let v = ll.load(vt, cell, e.scalar.size());
                ll.scatter(v, ptrs, e.scalar.size(), m);
            } else {
                let v = ll.gather(vt, ptrs, e.scalar.size(), m, ll.zero(vt));
                ll.store(v, cell, e.scalar.size());
            }
            let end = ll.current();
            let c1 = ll.add(c, ll.c32(1));
            ll.add_incoming(c, &[(c1, end)]);
            ll.cond_br(ll.ult(c1, count), comps, next);
            ll.at_end(next);
            let k1 = ll.add(k, ll.c32(1));
            ll.add_incoming(k, &[(k1, next)]);
            ll.cond_br(ll.ult(k1, n), parts, done);
            ll.at_end(done);
            ll.ret_void();
        });
        let args = [
            self.scratch,
            base,
            length,
            table,
            data,
            ll.c64(stride as u64),
            ll.c64(scale as u64),
            ll.c32(n as u32),
            ll.c32(e.count as u32),
            site,
            self.first_thread(0),
        ];
        self.call_helper(h, &args);
        if is_store {
            return Vec::new();
        }
        (0..n * e.count as u64).map(|k| ll.load(vt, ll.gep_const(data, k * step), e.scalar.size())).collect()
    }

    /// Scalar loads of several parts in one call: `count` values for each.
    pub fn slow_scalars(
        &mut self,
        e: super::memory::Element,
        base: V,
        length: V,
        offsets: &[V],
        active: &[V],
        site: V,
    ) -> Vec<V> {
        let ll = self.ll;
        let (p, i, l, b) = (ll.ptr(), ll.int(32), ll.int(64), ll.int(8));
        let t = memory_type(ll, e.scalar);
        let bytes = u64::from(e.scalar.size());
        let n = offsets.len() as u64;
        let table = self.slow_buffer(0, 8 * n);
        let on = self.slow_buffer(2, n);
        let data = self.slow_buffer(1, n * e.count as u64 * bytes);
        for (k, o) in offsets.iter().enumerate() {
            ll.store(*o, ll.gep_const(table, k as u64 * 8), 8);
            ll.store(ll.zext(active[k], b), ll.gep_const(on, k as u64), 1);
        }
        let it = ll.int(e.scalar.size() * 8);
        let name = format!("scalars_{bytes}");
        let lanes = self.gang.lanes;
        let h = self.helper(&name, ll.void(), &[p, p, l, p, p, p, i, i, i, i], |me, f| {
            let [scratch, base, length, table, on, data] = [0, 1, 2, 3, 4, 5].map(|k| ll.param(f, k));
            let (n, count, site, thread) = (ll.param(f, 6), ll.param(f, 7), ll.param(f, 8), ll.param(f, 9));
            let from = ll.current();
            let (head, fault, test, comps, join, next, done) = (
                ll.new_block("head"),
                ll.new_block("fault"),
                ll.new_block("test"),
                ll.new_block("comps"),
                ll.new_block("load"),
                ll.new_block("next"),
                ll.new_block("done"),
            );
            let size = ll.mul(ll.zext(count, l), ll.c64(bytes));
            let limit = ll.intrinsic1("usub.sat", l, &[length, ll.sub(size, ll.c64(1))]);
            ll.br(head);
            ll.at_end(head);
            let k = ll.phi(i, &[(ll.c32(0), from)]);
            let k64 = ll.zext(k, l);
            let offset = ll.load(l, ll.gep(table, ll.mul(k64, ll.c64(8))), 8);
            let active = ll.ne(ll.load(b, ll.gep(on, k64), 1), ll.zero(b));
            let inside = ll.ult(offset, limit);
            let good = ll.and(inside, active);
            ll.cond_br(ll.and(active, ll.not(inside)), fault, test);
            ll.at_end(fault);
            me.record(scratch, site, ll.add(thread, ll.mul(k, ll.c32(lanes))), offset);
            ll.br(test);
            ll.at_end(test);
            let first = ll.mul(k, count);
            ll.br(comps);
            ll.at_end(comps);
            let c = ll.phi(i, &[(ll.c32(0), test)]);
            let c64 = ll.zext(c, l);
            let cell = ll.gep(data, ll.mul(ll.zext(ll.add(first, c), l), ll.c64(bytes)));
            ll.store(ll.zero(it), cell, e.scalar.size());
            let (load, skip) = (join, ll.new_block("skip"));
            ll.cond_br(good, load, skip);
            ll.at_end(load);
            let v = ll.load(it, ll.gep(base, ll.add(offset, ll.mul(c64, ll.c64(bytes)))), e.scalar.size());
            ll.store(v, cell, e.scalar.size());
            ll.br(skip);
            ll.at_end(skip);
            let c1 = ll.add(c, ll.c32(1));
            ll.add_incoming(c, &[(c1, skip)]);
            ll.cond_br(ll.ult(c1, count), comps, next);
            ll.at_end(next);
            let k1 = ll.add(k, ll.c32(1));
            ll.add_incoming(k, &[(k1, next)]);
            ll.cond_br(ll.ult(k1, n), head, done);
            ll.at_end(done);
            ll.ret_void();
        });
        let count = ll.c32(e.count as u32);
        let thread = self.first_thread(0);
        self.call_helper(h, &[self.scratch, base, length, table, on, data, ll.c32(n as u32), count, site, thread]);
        (0..n * e.count as u64).map(|k| ll.load(t, ll.gep_const(data, k * bytes), e.scalar.size())).collect()
    }

    /// One scalar access: whether it may be done. Records a fault if not and `active`.
    pub fn slow_check(&self, size: u64, length: V, offset: V, active: V, site: V, part: u32) -> V {
        let ll = self.ll;
        let (p, i, l, b) = (ll.ptr(), ll.int(32), ll.int(64), ll.int(1));
        let h = self.helper("check", b, &[p, l, l, l, b, i, i], |me, f| {
            let limit = ll.intrinsic1("usub.sat", l, &[ll.param(f, 2), ll.sub(ll.param(f, 1), ll.c64(1))]);
            let inside = ll.ult(ll.param(f, 3), limit);
            let bad = ll.and(ll.not(inside), ll.param(f, 4));
            let (yes, no) = (ll.new_block("fault"), ll.new_block("checked"));
            ll.cond_br(bad, yes, no);
            ll.at_end(yes);
            me.record(ll.param(f, 0), ll.param(f, 5), ll.param(f, 6), ll.param(f, 3));
            ll.br(no);
            ll.at_end(no);
            ll.ret(ll.and(inside, ll.param(f, 4)));
        });
        self.call_helper(h, &[self.scratch, ll.c64(size), length, offset, active, site, self.first_thread(part)])
    }

    /// Which lanes of a part may access `size` bytes at these addresses, which came from nowhere
    /// the compiler knows. Asks the host for the allocation around each.
    pub fn raw_check(&self, size: u64, addresses: V, mask: V, site: V, part: u32) -> V {
        let ll = self.ll;
        let n = self.gang.lanes;
        let (p, i, l) = (ll.ptr(), ll.int(32), ll.int(64));
        let (at, mt) = (ll.vec(l, n), self.mask_type());
        let h = self.helper("resident", mt, &[p, l, at, mt, i, i], |me, f| {
            let (scratch, size, addresses, mask) = (ll.param(f, 0), ll.param(f, 1), ll.param(f, 2), ll.param(f, 3));
            let range = ll.alloca(ll.array(l, 2), 8);
            let ok = ll.alloca(mt, 0);
            ll.store(ll.zero(mt), ok, 0);
            ll.store(ll.c64(0), range, 8);
            ll.store(ll.c64(0), ll.gep_const(range, 8), 8);
            let context = ll.load(p, ll.gep_const(scratch, abi::header::CONTEXT), 8);
            let find = ll.load(p, ll.gep_const(context, abi::offset::FIND_RANGE), 8);
            let find_ty = ll.fn_type(ll.void(), &[p, l, p]);
            let from = ll.current();
            let (head, body, ask, test, good, next, done) = (
                ll.new_block("head"),
                ll.new_block("body"),
                ll.new_block("ask"),
                ll.new_block("test"),
                ll.new_block("good"),
                ll.new_block("next"),
                ll.new_block("done"),
            );
            ll.br(head);
            ll.at_end(head);
            let k = ll.phi(i, &[(ll.c32(0), from)]);
            ll.cond_br(ll.ult(k, ll.c32(n)), body, done);
            ll.at_end(body);
            let address = ll.extract_at(addresses, k);
            let active = ll.extract_at(mask, k);
            let within = || {
                let (lo, hi) = (ll.load(l, range, 8), ll.load(l, ll.gep_const(range, 8), 8));
                let room = ll.intrinsic1("usub.sat", l, &[ll.sub(hi, lo), ll.sub(size, ll.c64(1))]);
                ll.ult(ll.sub(address, lo), room)
            };
            // A neighbor's allocation is usually the same one.
            let known = ll.or(within(), ll.not(active));
            ll.cond_br(known, test, ask);
            ll.at_end(ask);
            ll.call(find_ty, find, &[context, address, range]);
            ll.br(test);
            ll.at_end(test);
            let inside = within();
            ll.cond_br(inside, good, next);
            ll.at_end(good);
            let old = ll.load(mt, ok, 0);
            ll.store(ll.insert_at(old, active, k), ok, 0);
            ll.br(next);
            ll.at_end(next);
            ll.add_incoming(k, &[(ll.add(k, ll.c32(1)), next)]);
            ll.br(head);
            ll.at_end(done);
            let ok = ll.load(mt, ok, 0);
            let bad = ll.and(mask, ll.not(ok));
            me.record_lane(scratch, ll.param(f, 4), ll.param(f, 5), addresses, bad);
            ll.ret(ok);
        });
        self.call_helper(h, &[self.scratch, ll.c64(size), addresses, mask, site, self.first_thread(part)])
    }

    /// `Op::Trap`: a fault with a message, if any lane is active.
    pub fn trap(&mut self, id: ValueId, message: &Symbol) {
        let span = self.f.insts[id].span;
        let site = self.site(FaultKind::Trap, Root::Raw, span);
        if let Some(s) = self.sites.last_mut() {
            s.message = Some(message.to_string());
        }
        let zero = self.ll.zero(self.ll.vec(self.ll.int(64), self.gang.lanes));
        for p in 0..self.gang.parts {
            let m = self.mask_part(&self.mask, p);
            self.record_lane(self.scratch, site, self.first_thread(p), zero, m);
        }
    }
}

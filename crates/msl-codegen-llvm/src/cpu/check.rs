//! What happens when an access might be out of bounds: calls of the functions in
//! [`slow_paths`], which test every lane, record the fault and touch only what is allowed.
//!
//! The fast paths in `memory` test a whole gang with one comparison; these calls are made when
//! that fails, be it for a real fault or because the lanes beyond the end are switched off. They stand in
//! blocks that are cold, and pass what they can in stack memory to keep those small.

use std::collections::HashSet;

use msl_base::{Span, Symbol};
use msl_ir::analysis::Provenance;
use msl_ir::{Op, Scalar, ValueId};

use super::kernel::Emit;
use super::layout::Rows;
use crate::abi;
use crate::compiler::{FaultKind, FaultSite, outside_of_all};
use crate::emit::shape::Root;
use crate::emit::value::memory_type;
use crate::llvm::{T, V};
use crate::slow_paths::{self, Form};

/// What an address may point into.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Buffers and constants.
    roots: Vec<Root>,
    /// Other buffers too: those that the host knows of.
    others: bool,
}

impl Emit<'_> {
    /// Registers a place that can fault.
    pub fn site(&mut self, kind: FaultKind, root: Root, span: Span) -> V {
        let param = match root {
            Root::Param(i) => Some(i),
            _ => None,
        };
        self.sites.push(FaultSite { kind, param, span, message: self.outside(kind, root) });
        self.ll.c32((self.sites.len() as u32 - 1) | self.site_flag)
    }

    /// What is said of memory that belongs to the kernel, not to an argument.
    fn outside(&self, kind: FaultKind, root: Root) -> Option<String> {
        let verb = if kind == FaultKind::Read { "read" } else { "write" };
        match root {
            Root::Global(g) => {
                let (name, size) = (&self.module.globals[g].name, self.module.types.size_of(self.module.globals[g].ty));
                Some(format!("{verb} outside of '{name}', which holds {size} bytes"))
            }
            Root::Shared => Some(format!("{verb} outside of threadgroup memory")),
            Root::Param(_) | Root::Local(_) | Root::Private | Root::Raw => None,
        }
    }

    /// Linear index of a part's first thread in the threadgroup; marked where it counts the threads of
    /// a smaller one.
    pub fn first_thread(&self, part: u32) -> V {
        let first = self.linear_index.base(self.ll, part);
        let is_packed = self.layout.edge && self.layout.rows == Rows::Scattered;
        if is_packed { self.ll.or(first, self.ll.c32(abi::PACKED)) } else { first }
    }

    /// That of the first thread that is on, of the parts from `part` on, one of which has such a thread.
    pub fn first_active_thread(&self, part: u32) -> V {
        let ll = self.ll;
        let Some(masks) = &self.mask else { return self.first_thread(part) };
        let mut parts = (part..self.gang.parts).rev().map(|p| {
            let bits = self.mask_bits(masks[p as usize]);
            let t = ll.type_of(bits);
            let lane = ll.intrinsic1("cttz", t, &[bits, ll.cbool(false)]);
            (ll.ne(bits, ll.zero(t)), ll.add(self.first_thread(p), ll.zext(lane, ll.int(32))))
        });
        let last = parts.next().map_or_else(|| self.first_thread(part), |(_, thread)| thread);
        parts.fold(last, |later, (any, thread)| ll.select(any, thread, later))
    }

    /// Calls a function of the table of slow paths.
    fn call_slow(&self, which: u64, ret: T, args: &[V]) -> V {
        let ll = self.ll;
        self.note_group();
        let table = ll.load(ll.ptr(), ll.gep_const(self.context, abi::offset::SLOW_PATHS), 8);
        let function = ll.load(ll.ptr(), ll.gep_const(table, which), 8);
        let types: Vec<T> = args.iter().map(|v| ll.type_of(*v)).collect();
        ll.call(ll.fn_type(ret, &types), function, args)
    }

    /// A mask as the slow paths take it.
    fn wide_bits(&self, mask: V) -> V {
        self.ll.zext(self.mask_bits(mask), self.ll.int(64))
    }

    /// Records a fault of one thread.
    fn record(&self, site: V, thread: V, offset: V) {
        let ll = self.ll;
        let (p, i, l) = (ll.ptr(), ll.int(32), ll.int(64));
        let call = ll.load(p, ll.gep_const(self.context, abi::offset::ON_FAULT), 8);
        let ty = ll.fn_type(ll.void(), &[p, i, p, i, l]);
        self.note_group();
        let group = ll.gep_const(self.scratch, abi::header::GROUP);
        ll.call(ty, call, &[self.context, site, group, thread, offset]);
    }

    /// Records the first lane of `bad`, if there is one.
    fn record_lane(&self, site: V, first: V, offsets: V, bad: V) {
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
        self.record(site, ll.add(first, lane32), offset);
        ll.br(no);
        ll.at_end(no);
    }

    /// Accesses of parts whose lanes each have an offset, in as few calls as masks fit into a word: loads give `count`
    /// vectors for each part, with zero where a lane is off or out of bounds; stores take them.
    pub fn slow_parts(
        &self,
        e: super::memory::Element,
        base: V,
        length: V,
        offsets: &[V],
        masks: &[V],
        values: &[Vec<V>],
        site: V,
    ) -> Vec<V> {
        let ll = self.ll;
        let lanes = self.gang.lanes;
        let vt = ll.vec(memory_type(ll, e.scalar), lanes);
        let bytes = e.scalar.size();
        let step = u64::from(lanes * bytes);
        let is_store = !values.is_empty();
        let most = (64 / lanes).max(1) as usize;
        let mut out = Vec::new();
        for (call, offsets) in offsets.chunks(most).enumerate() {
            let first = call * most;
            let n = offsets.len() as u64;
            let table = self.slow_buffer(0, 8 * u64::from(lanes) * n);
            let data = self.slow_buffer(1, n * e.count as u64 * step);
            let mut mask = None;
            for (k, o) in offsets.iter().enumerate() {
                ll.store(*o, ll.gep_const(table, k as u64 * 8 * u64::from(lanes)), 8);
                let bits = self.wide_bits(masks[first + k]);
                let bits = if k == 0 { bits } else { ll.shl(bits, ll.c64(k as u64 * u64::from(lanes))) };
                mask = Some(mask.map_or(bits, |mask| ll.or(mask, bits)));
            }
            for (k, v) in values.iter().skip(first).take(offsets.len()).flatten().enumerate() {
                ll.store(*v, ll.gep_const(data, k as u64 * step), bytes);
            }
            let (count, parts) = (e.count as u32, n as u32);
            let form = ll.c64(Form { bytes, lanes, count, parts, is_store, ..Form::default() }.pack());
            let (thread, mask) = (self.first_thread(first as u32), mask.unwrap_or_else(|| ll.c64(0)));
            let args = [self.scratch, base, length, table, data, form, site, thread, mask];
            self.call_slow(slow_paths::offset::VECTORS, ll.void(), &args);
            if !is_store {
                out.extend((0..n * e.count as u64).map(|k| ll.load(vt, ll.gep_const(data, k * step), bytes)));
            }
        }
        out
    }

    fn form_of_lanes(&self, bytes: u32) -> V {
        self.ll.c64(Form { bytes, lanes: self.gang.lanes, ..Form::default() }.pack())
    }

    /// Stack memory for the arguments of slow paths; all calls share it.
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
        let l = ll.int(64);
        let lanes = self.gang.lanes;
        let t = memory_type(ll, e.scalar);
        let vt = ll.vec(t, lanes);
        let bytes = u64::from(e.scalar.size());
        let is_store = !values.is_empty();
        let (ty, stride, scale) = index;
        let n = places.len() as u64;
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
        let form = Form {
            bytes: e.scalar.size(),
            lanes,
            count: e.count as u32,
            parts: n as u32,
            index_bits: ty.bits(),
            index_is_signed: ty.is_signed(),
            is_store,
        };
        let (form, thread) = (ll.c64(form.pack()), self.first_thread(0));
        let (stride, scale) = (ll.c64(stride as u64), ll.c64(scale as u64));
        let args = [self.scratch, base, length, table, data, form, site, thread, stride, scale];
        self.call_slow(slow_paths::offset::LINEAR, ll.void(), &args);
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
        let t = memory_type(ll, e.scalar);
        let bytes = u64::from(e.scalar.size());
        let n = offsets.len() as u64;
        let table = self.slow_buffer(0, 8 * n);
        let data = self.slow_buffer(1, n * e.count as u64 * bytes);
        let mut on = ll.c64(0);
        for (k, o) in offsets.iter().enumerate() {
            ll.store(*o, ll.gep_const(table, k as u64 * 8), 8);
            let bit = ll.zext(active[k], ll.int(64));
            on = ll.or(on, if k == 0 { bit } else { ll.shl(bit, ll.c64(k as u64)) });
        }
        let (bytes32, lanes, count, parts) = (e.scalar.size(), self.gang.lanes, e.count as u32, n as u32);
        let form = Form { bytes: bytes32, lanes, count, parts, ..Form::default() };
        let (form, thread) = (ll.c64(form.pack()), self.first_thread(0));
        let args = [self.scratch, base, length, table, data, form, site, thread, on];
        self.call_slow(slow_paths::offset::SCALARS, ll.void(), &args);
        (0..n * e.count as u64).map(|k| ll.load(t, ll.gep_const(data, k * bytes), e.scalar.size())).collect()
    }

    /// One scalar access: whether it may be done. Records a fault of `thread` if not and `active`.
    pub fn slow_check(&self, size: u64, length: V, offset: V, active: V, site: V, thread: V) -> V {
        let ll = self.ll;
        let on = ll.zext(active, ll.int(32));
        let args = [self.scratch, ll.c64(size), length, offset, on, site, thread];
        let good = self.call_slow(slow_paths::offset::CHECK, ll.int(32), &args);
        ll.ne(good, ll.c32(0))
    }

    /// Which lanes of a part may access `size` bytes at these addresses, by what they may point into. Where that is not all
    /// known, asks the host for the allocation around each other address.
    pub fn raw_check(&self, size: u64, addresses: V, mask: V, site: V, part: u32, into: &Candidates) -> V {
        let ll = self.ll;
        let known = self.in_candidates(size, addresses, into);
        let asked = known.map_or(mask, |known| ll.and(mask, ll.not(known)));
        if !into.others {
            self.record_lane(site, self.first_thread(part), addresses, asked);
            return known.map_or(mask, |known| ll.and(mask, known));
        }
        let table = self.slow_buffer(0, 8 * u64::from(self.gang.lanes));
        ll.store(addresses, table, 8);
        let (form, thread) = (self.form_of_lanes(0), self.first_thread(part));
        let args = [self.scratch, ll.c64(size), table, form, site, thread, self.wide_bits(asked)];
        let good = self.call_slow(slow_paths::offset::RESIDENT, ll.int(64), &args);
        let good = ll.bitcast(ll.trunc(good, ll.int(self.gang.lanes)), self.mask_type());
        known.map_or(good, |known| ll.or(good, ll.and(mask, known)))
    }

    /// What the pointer of an access may point into whose root differs from thread to thread, or is not known.
    pub fn candidates(&self, access: ValueId, is_store: bool) -> Candidates {
        use msl_ir::analysis::provenance::Root as From;
        let provenance = self.provenance.get_or_init(|| Provenance::new(self.module, self.f));
        let mut out = Candidates::default();
        let sources = match self.f.insts[access].op {
            Op::Load { ptr, .. } | Op::Store { ptr, .. } | Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => {
                provenance.roots(ptr)
            }
            Op::Copy { dst: ptr, .. } if is_store => provenance.roots(ptr),
            Op::Copy { src, .. } => provenance.roots(src),
            _ => &[],
        };
        for source in sources {
            match *source {
                From::Param(i) => out.roots.push(Root::Param(i)),
                From::Global(g) => out.roots.push(Root::Global(g)),
                From::Local(_) => {}
                From::Unknown { .. } => out.others = true,
            }
        }
        out.others |= sources.is_empty();
        if out.others {
            let escaped = provenance.escaped_globals().iter().copied();
            let constants = escaped.chain(self.module.addressed_constants()).map(Root::Global);
            out.roots.extend(constants);
        }
        out.roots.retain(|root| !self.is_shared(*root));
        let mut seen = HashSet::new();
        out.roots.retain(|root| seen.insert(*root));
        out
    }

    /// Registers an access of an address that can fault.
    pub fn raw_site(&mut self, kind: FaultKind, into: &Candidates, span: Span) -> V {
        let site = self.site(kind, Root::Raw, span);
        if !into.others
            && let Some(site) = self.sites.last_mut()
        {
            let names = into.roots.iter().filter_map(|root| match root {
                Root::Param(i) => self.entry.params.get(*i as usize).map(|p| p.name),
                Root::Global(g) => Some(self.module.globals[*g].name),
                Root::Local(_) | Root::Private | Root::Shared | Root::Raw => None,
            });
            site.message = Some(outside_of_all(kind, names));
        }
        site
    }

    /// Which lanes' bytes are in one of the candidates; `None` where there are none.
    fn in_candidates(&self, size: u64, addresses: V, into: &Candidates) -> Option<V> {
        let (ll, lanes) = (self.ll, self.gang.lanes);
        let tests = into.roots.iter().map(|root| {
            let (start, length) = self.root_address(*root);
            let start = ll.splat(ll.ptr_to_int(start), lanes);
            let room = ll.intrinsic1("usub.sat", ll.int(64), &[length, ll.c64(size - 1)]);
            ll.ult(ll.sub(addresses, start), ll.splat(room, lanes))
        });
        tests.reduce(|a, b| ll.or(a, b))
    }

    /// A fault of the whole threadgroup, where `bad`; `thread` is one that is missing.
    pub fn missing_at_barrier(&mut self, id: ValueId, bad: V, thread: V) {
        let site = self.site(FaultKind::Barrier, Root::Raw, self.f.insts[id].span);
        if let Some(s) = self.sites.last_mut() {
            s.message = Some("a threadgroup barrier is reached by some simdgroups of the threadgroup only".into());
        }
        let ll = self.ll;
        let (yes, no) = (ll.new_block("missing"), ll.new_block("met"));
        ll.cond_br(bad, yes, no);
        ll.at_end(yes);
        self.record(site, thread, ll.c64(0));
        ll.br(no);
        ll.at_end(no);
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
            self.record_lane(site, self.first_thread(p), zero, m);
        }
    }
}

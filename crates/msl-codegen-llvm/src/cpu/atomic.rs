//! Atomic operations. In device memory each active lane does a real one, in lane order, except
//! that an associative operation on one address whose result nobody reads is reduced over the
//! gang first. Threadgroup memory belongs to the host thread that runs the threadgroup: plain
//! reads and writes are atomic enough.

use llvm_sys::LLVMAtomicOrdering as Order;
use msl_base::Id;
use msl_ir::{AtomicOp, BinaryOp, FpFlags, Scalar, ValueId};

use super::check::Candidates;
use super::kernel::Emit;
use super::memory::{Access, Element};
use crate::CodegenError;
use crate::compiler::FaultKind;
use crate::emit::arith;
use crate::emit::shape::{Root, Shape};
use crate::emit::value::{Comp, Pointer, Val, Varying, memory_type, register_type};
use crate::llvm::{Ll, T, V};
use crate::remarks::Remarks;

impl Emit<'_> {
    pub fn atomic(
        &mut self,
        id: ValueId,
        op: AtomicOp,
        ptr: ValueId,
        value: Option<ValueId>,
    ) -> Result<Option<Val>, CodegenError> {
        let p = self.pointer(ptr);
        let types = &self.module.types;
        let s = match value {
            Some(v) => self.scalar_of(v),
            None => types.scalar_of(self.f.insts[id].ty).unwrap_or(Scalar::U32),
        };
        let plain = self.is_shared(p.root) || matches!(p.root, Root::Local(_) | Root::Private);
        let e = Element { scalar: s, count: 1 };
        if op == AtomicOp::Load {
            // Aligned vector and scalar loads do not tear; volatile keeps them where they are.
            let shape = self.flow.shapes[id.index()];
            let c = self.access(id, &p, e, &Access::Load, !plain)?;
            return Ok(Some(Val::Comps(vec![c[0].coerce(self.ll, self.gang, shape.c[0])])));
        }
        let Some(value) = value else { return Ok(None) };
        if op == AtomicOp::Store && plain {
            let c = self.comp(value, 0);
            self.access(id, &p, e, &Access::Store(&[c]), false)?;
            return Ok(None);
        }
        let v = self.comp(value, 0);
        let used = self.uses[id.index()] > 0;
        let reducible = !used
            && p.var.is_none()
            && !p.scalar.shape.parts()
            && matches!(
                op,
                AtomicOp::Add
                    | AtomicOp::Sub
                    | AtomicOp::Min
                    | AtomicOp::Max
                    | AtomicOp::And
                    | AtomicOp::Or
                    | AtomicOp::Xor
            )
            && !(s.is_float() && matches!(op, AtomicOp::Min | AtomicOp::Max))
            && s != Scalar::Bool
            && s != Scalar::F16
            && s != Scalar::BF16;
        if let Some(sink) = self.remarks {
            self.remark_atomic(sink, id, op, &p, reducible, plain, used);
        }
        let collected = if used { None } else { self.in_window(op, s, &p, &v) };
        let result = self.atomic_in_memory(id, op, s, &p, &v, plain, reducible)?;
        match collected {
            None => Ok(result),
            Some(done) => {
                self.ll.br(done);
                self.ll.at_end(done);
                Ok(None)
            }
        }
    }

    /// What changes memory, where it is.
    fn atomic_in_memory(
        &mut self,
        id: ValueId,
        op: AtomicOp,
        s: Scalar,
        p: &Pointer,
        v: &Comp,
        plain: bool,
        reducible: bool,
    ) -> Result<Option<Val>, CodegenError> {
        let used = self.uses[id.index()] > 0;
        if reducible {
            let total = self.reduce_for_atomic(op, s, v);
            let any = self.any(&self.mask);
            let ll = self.ll;
            let (yes, done) = (ll.new_block("any"), ll.new_block("done"));
            ll.cond_br(any, yes, done);
            ll.at_end(yes);
            let offset = p.scalar.get(ll, self.gang, 0, false);
            self.atomic_lane(id, op, s, p, offset, total, 0, ll.c32(0), plain, None);
            ll.br(done);
            ll.at_end(done);
            return Ok(None);
        }
        // On machines these are instructions of their own, but for floats.
        let is_short = plain || !s.is_float() && !matches!(op, AtomicOp::Min | AtomicOp::Max);
        if !used
            && is_short
            && !p.valid
            && s != Scalar::Bool
            && matches!(p.root, Root::Param(_) | Root::Global(_) | Root::Shared)
        {
            self.scatter(id, op, s, p, v, plain);
            return Ok(None);
        }
        let result = self.lane_results(s);
        self.for_each_active_lane(|me, part, lane| {
            let offset = me.lane_offset(p, part, lane);
            let x = me.ll.extract_at(v.get(me.ll, me.gang, part, true), lane);
            let old = me.atomic_lane(id, op, s, p, offset, x, part, lane, plain, None);
            me.set_lane_result(&result, part, lane, old);
        });
        if op == AtomicOp::Store {
            return Ok(None);
        }
        Ok(Some(self.get_lane_results(s, &result)))
    }

    /// Operations whose results nobody asks for. Where all threads do theirs within bounds, one after the other
    /// without a test.
    fn scatter(&mut self, id: ValueId, op: AtomicOp, s: Scalar, p: &Pointer, v: &Comp, plain: bool) {
        let ll = self.ll;
        let gang = self.gang;
        let (base, length) = self.root_address(p.root);
        let limit = ll.splat(self.limit(length, u64::from(s.size())), gang.lanes);
        let offsets: Vec<V> = (0..gang.parts)
            .map(|part| match &p.var {
                None => p.scalar.get(ll, gang, part, true),
                Some(var) => self.offsets64(p, var, part),
            })
            .collect();
        let mut tests: Vec<V> = offsets.iter().map(|o| ll.ult(*o, limit)).collect();
        tests.extend(self.mask.clone().into_iter().flatten());
        let ok = self.all_of(&tests);
        let (fast, slow, done) = (ll.new_block("all"), ll.new_block("some"), ll.new_block("done"));
        ll.cond_br(ok, fast, slow);
        ll.at_end(fast);
        let differs = |c: &Comp| c.shape.lanes() && c.shape.linear.is_none();
        let apart = p.var.as_ref().filter(|var| differs(&var.index));
        for (part, offset) in offsets.iter().enumerate() {
            let part = part as u32;
            let values = self.lanes_of(v.get(ll, gang, part, true), s.size(), differs(v));
            let index = apart.map(|var| self.indices_of(var, part));
            for lane in 0..gang.lanes {
                let place = match (&index, apart) {
                    (Some(index), Some(var)) => {
                        let first = p.scalar.get(ll, gang, part, false);
                        ll.add(first, ll.mul(index(lane), ll.c64(var.scale as u64)))
                    }
                    _ => ll.extract(*offset, lane),
                };
                let at = ll.gep(base, place);
                if plain {
                    self.plain_rmw(op, s, at, values(lane), None);
                } else {
                    self.real_rmw(op, s, at, values(lane), None);
                }
            }
        }
        ll.br(done);
        ll.at_end(slow);
        self.for_each_active_lane(|me, part, lane| {
            let offset = me.lane_offset(p, part, lane);
            let x = me.ll.extract_at(v.get(me.ll, me.gang, part, true), lane);
            me.atomic_lane(id, op, s, p, offset, x, part, lane, plain, None);
        });
        ll.br(done);
        ll.at_end(done);
    }

    /// The lanes of an index as 64-bit numbers, out of words of 64 bits that hold several. Indices that were widened
    /// are taken from before.
    pub fn indices_of(&self, var: &Varying, part: u32) -> impl Fn(u32) -> V {
        let ll = self.ll;
        let wide = var.index.get(ll, self.gang, part, true);
        let (v, is_signed) = match ll.widened(wide) {
            // What is zero-extended is not negative, whatever reads it.
            Some((narrow, is_signed)) if !is_signed || var.ty.is_signed() => (narrow, is_signed),
            _ => (wide, var.ty.is_signed()),
        };
        let bits = ll.bits(ll.elem(ll.type_of(v)));
        let whole = ll.int(64);
        let words: Vec<V> = match self.gang.lanes * bits / 64 {
            0 => Vec::new(),
            n => {
                let t = ll.vec(whole, n);
                (0..n).map(|i| ll.extract(ll.bitcast(v, t), i)).collect()
            }
        };
        move |lane| {
            let Some(word) = words.get((lane * bits / 64) as usize) else {
                let x = ll.extract(v, lane);
                return if is_signed { ll.sext(x, whole) } else { ll.zext(x, whole) };
            };
            let below = u64::from(lane * bits % 64);
            let above = 64 - u64::from(bits) - below;
            match (is_signed, above) {
                (false, 0) => ll.lshr(*word, ll.c64(below)),
                (false, _) => ll.and(ll.lshr(*word, ll.c64(below)), ll.c64(u64::MAX >> (64 - bits))),
                (true, _) => ll.ashr(ll.shl(*word, ll.c64(above)), ll.c64(above + below)),
            }
        }
    }

    /// The lanes of a vector as scalars of `bytes`. `through_memory`: loading them one by one costs less than to take them out
    /// of registers; volatile, or LLVM would do that again.
    pub fn lanes_of(&self, v: V, bytes: u32, through_memory: bool) -> impl Fn(u32) -> V {
        let ll = self.ll;
        let t = ll.type_of(v);
        let slot = through_memory.then(|| {
            let slot = ll.alloca(t, 64);
            ll.set_volatile(ll.store(v, slot, 64));
            slot
        });
        move |lane| match slot {
            None => ll.extract(v, lane),
            Some(slot) => {
                let x = ll.load(ll.elem(t), ll.gep_const(slot, u64::from(lane * bytes)), bytes);
                ll.set_volatile(x);
                x
            }
        }
    }

    pub fn compare_exchange(
        &mut self,
        id: ValueId,
        ptr: ValueId,
        expected: ValueId,
        desired: ValueId,
    ) -> Result<Val, CodegenError> {
        let p = self.pointer(ptr);
        let s = self.scalar_of(desired);
        let plain = self.is_shared(p.root) || matches!(p.root, Root::Local(_) | Root::Private);
        let (e, d) = (self.comp(expected, 0), self.comp(desired, 0));
        let result = self.lane_results(s);
        self.for_each_active_lane(|me, part, lane| {
            let ll = me.ll;
            let offset = me.lane_offset(&p, part, lane);
            let want = ll.extract_at(e.get(ll, me.gang, part, true), lane);
            let x = ll.extract_at(d.get(ll, me.gang, part, true), lane);
            let old = me.atomic_lane(id, AtomicOp::Exchange, s, &p, offset, x, part, lane, plain, Some(want));
            me.set_lane_result(&result, part, lane, old);
        });
        Ok(self.get_lane_results(s, &result))
    }

    fn remark_atomic(
        &self,
        sink: &Remarks,
        id: ValueId,
        op: AtomicOp,
        p: &Pointer,
        reducible: bool,
        plain: bool,
        used: bool,
    ) {
        let span = self.f.insts[id].span;
        let kind = if plain { "plain reads and writes" } else { "atomic operations" };
        if reducible {
            let message = format!("reduced over {} threads in registers, then one operation", self.gang.threads());
            sink.add(span, "reduced-atomic", message, None);
            return;
        }
        if !used && self.has_window_of(p) {
            let message = "done in memory of the host's thread, and in the buffer at the end of several threadgroups";
            sink.add(span, "collected-atomic", message.into(), None);
            return;
        }
        let same_place = p.var.is_none() && !p.scalar.shape.parts();
        let help = match op {
            AtomicOp::Exchange | AtomicOp::Store => None,
            _ if same_place && used => {
                Some("do not use the result: then the threads of a gang are reduced to one operation")
            }
            _ if same_place => Some("use integers of 32 or 64 bits, or float additions"),
            _ if plain => None,
            _ => Some("collect in threadgroup memory first, where atomic operations cost no more than plain ones"),
        };
        sink.add(span, "atomic-per-thread", format!("one after the other for each thread, as {kind}"), help);
    }

    // ---- results, one slot per lane --------------------------------------------------------------
    fn lane_results(&self, s: Scalar) -> Vec<V> {
        let t = self.vector_type(register_type(self.ll, s));
        (0..self.gang.parts)
            .map(|_| {
                let slot = self.ll.alloca(t, 0);
                self.ll.store(self.ll.zero(t), slot, 0);
                slot
            })
            .collect()
    }
    fn set_lane_result(&self, slots: &[V], part: u32, lane: V, v: V) {
        let ll = self.ll;
        let t = self.vector_type(ll.type_of(v));
        let old = ll.load(t, slots[part as usize], 0);
        ll.store(ll.insert_at(old, v, lane), slots[part as usize], 0);
    }
    fn get_lane_results(&self, s: Scalar, slots: &[V]) -> Val {
        let t = self.vector_type(register_type(self.ll, s));
        let v = slots.iter().map(|p| self.ll.load(t, *p, 0)).collect();
        Val::Comps(vec![Comp { shape: Shape::VARYING, v }])
    }
    fn lane_offset(&self, p: &Pointer, part: u32, lane: V) -> V {
        match &p.var {
            None => p.scalar.get(self.ll, self.gang, part, false),
            Some(v) => self.ll.extract_at(self.offsets64(p, v, part), lane),
        }
    }

    /// The values of all active lanes as one, identity for the others.
    pub fn reduce_for_atomic(&mut self, op: AtomicOp, s: Scalar, v: &Comp) -> V {
        let ll = self.ll;
        let t = self.vector_type(register_type(ll, s));
        let identity = identity(ll, op, s, t);
        let stem = match op {
            AtomicOp::Min => {
                if s.is_signed() {
                    "smin"
                } else {
                    "umin"
                }
            }
            AtomicOp::Max => {
                if s.is_signed() {
                    "smax"
                } else {
                    "umax"
                }
            }
            AtomicOp::And => "and",
            AtomicOp::Or => "or",
            AtomicOp::Xor => "xor",
            _ => "add",
        };
        let combine = match op {
            AtomicOp::Min => BinaryOp::Min,
            AtomicOp::Max => BinaryOp::Max,
            AtomicOp::And => BinaryOp::And,
            AtomicOp::Or => BinaryOp::Or,
            AtomicOp::Xor => BinaryOp::Xor,
            _ => BinaryOp::Add,
        };
        let parts: Vec<V> = (0..self.gang.parts)
            .map(|p| {
                let x = v.get(ll, self.gang, p, true);
                match &self.mask {
                    None => x,
                    Some(m) => ll.select(m[p as usize], x, identity),
                }
            })
            .collect();
        let all = parts.into_iter().reduce(|a, b| arith::binary(ll, combine, s, FpFlags::STRICT, a, b));
        let all = all.unwrap_or(identity);
        if s.is_float() {
            let mut sum = all;
            let mut n = ll.lanes(t);
            while n > 1 {
                n /= 2;
                sum = arith::binary(ll, combine, s, FpFlags::STRICT, ll.slice(sum, 0, n), ll.slice(sum, n, n));
            }
            return ll.extract(sum, 0);
        }
        ll.reduce(stem, all)
    }

    /// One lane's operation; gives what was there, or zero after a fault.
    fn atomic_lane(
        &mut self,
        id: ValueId,
        op: AtomicOp,
        s: Scalar,
        p: &Pointer,
        offset: V,
        value: V,
        part: u32,
        lane: V,
        plain: bool,
        expected: Option<V>,
    ) -> V {
        let ll = self.ll;
        if matches!(p.root, Root::Local(_) | Root::Private) {
            // One lane's private memory: done on the whole part under a one-lane mask.
            return self.private_atomic(op, s, p, value, part, lane, expected);
        }
        let span = self.f.insts[id].span;
        let (base, length) = if p.root == Root::Raw { (ll.null(), ll.c64(0)) } else { self.root_address(p.root) };
        let into = if p.root == Root::Raw { self.candidates(id, true) } else { Candidates::default() };
        let site = match p.root {
            Root::Raw => self.raw_site(FaultKind::Atomic, &into, span),
            root => self.site(FaultKind::Atomic, root, span),
        };
        let size = u64::from(s.size());
        let ok = if p.valid {
            ll.cbool(true)
        } else if p.root == Root::Raw {
            let a = ll.splat(offset, self.gang.lanes);
            let one = ll.bitcast(ll.cint(ll.int(self.gang.lanes), 1), self.mask_type());
            let m = self.raw_check(size, a, one, site, part, &into);
            ll.extract(m, 0)
        } else {
            let limit = ll.intrinsic1("usub.sat", ll.int(64), &[length, ll.c64(size - 1)]);
            ll.ult(offset, limit)
        };
        let (yes, no, done) = (ll.new_block("atomic"), ll.new_block("outside"), ll.new_block("atomicdone"));
        ll.likely_br(ok, yes, no);
        ll.at_end(no);
        if p.root != Root::Raw && !p.valid {
            self.slow_check(size, length, offset, ll.cbool(true), site, self.first_thread(part));
        }
        ll.br(done);
        let no_end = ll.current();
        ll.at_end(yes);
        let at = if p.root == Root::Raw { ll.int_to_ptr(offset) } else { ll.gep(base, offset) };
        let old =
            if plain { self.plain_rmw(op, s, at, value, expected) } else { self.real_rmw(op, s, at, value, expected) };
        let yes_end = ll.current();
        ll.br(done);
        ll.at_end(done);
        let t = register_type(ll, s);
        ll.phi(t, &[(old, yes_end), (ll.zero(t), no_end)])
    }

    fn combine(&self, op: AtomicOp, s: Scalar, old: V, value: V, expected: Option<V>) -> V {
        let ll = self.ll;
        if let Some(want) = expected {
            // Compared as bits, as hardware does.
            let bits = |v: V| if s == Scalar::Bool { v } else { ll.bitcast(v, ll.int(s.bits())) };
            return ll.select(ll.eq(bits(old), bits(want)), value, old);
        }
        let b = match op {
            AtomicOp::Add => BinaryOp::Add,
            AtomicOp::Sub => BinaryOp::Sub,
            AtomicOp::Min => BinaryOp::Min,
            AtomicOp::Max => BinaryOp::Max,
            AtomicOp::And => BinaryOp::And,
            AtomicOp::Or => BinaryOp::Or,
            AtomicOp::Xor => BinaryOp::Xor,
            AtomicOp::Load => return old,
            AtomicOp::Store | AtomicOp::Exchange => return value,
        };
        arith::binary(ll, b, s, FpFlags::STRICT, old, value)
    }

    pub fn plain_rmw(&self, op: AtomicOp, s: Scalar, at: V, value: V, expected: Option<V>) -> V {
        let ll = self.ll;
        // A row of elements where that is what is combined.
        let t = ll.like(memory_type(ll, s), value);
        let old = ll.load(t, at, s.size());
        self.annotate(old, Root::Shared);
        let old = if s == Scalar::Bool { arith::convert(ll, Scalar::U8, Scalar::Bool, old) } else { old };
        let new = self.combine(op, s, old, value, expected);
        let new = if s == Scalar::Bool { ll.zext(new, t) } else { new };
        let st = ll.store(new, at, s.size());
        self.annotate(st, Root::Shared);
        old
    }

    fn real_rmw(&self, op: AtomicOp, s: Scalar, at: V, value: V, expected: Option<V>) -> V {
        let ll = self.ll;
        let t = register_type(ll, s);
        let it = ll.int(s.size() * 8);
        let to_bits = |v: V| if s == Scalar::Bool { ll.zext(v, it) } else { ll.bitcast(v, it) };
        let from_bits =
            |v: V| if s == Scalar::Bool { arith::convert(ll, Scalar::U8, Scalar::Bool, v) } else { ll.bitcast(v, t) };
        if let Some(want) = expected {
            return from_bits(ll.cmpxchg(at, to_bits(want), to_bits(value)));
        }
        if op == AtomicOp::Store {
            let st = ll.store(to_bits(value), at, s.size());
            ll.set_ordering(st, Order::LLVMAtomicOrderingMonotonic);
            return value;
        }
        if let Some(d) = arith::atomic_rmw(op, s) {
            return from_bits(ll.atomic_rmw(d, at, to_bits(value)));
        }
        // The rest: compare and exchange until it holds.
        let first = ll.load(it, at, s.size());
        ll.set_ordering(first, Order::LLVMAtomicOrderingMonotonic);
        let before = ll.current();
        let (again, out) = (ll.new_block("retry"), ll.new_block("exchanged"));
        ll.br(again);
        ll.at_end(again);
        let seen = ll.phi(it, &[(first, before)]);
        let new = self.combine(op, s, from_bits(seen), value, None);
        let found = ll.cmpxchg(at, seen, to_bits(new));
        let end = ll.current();
        ll.add_incoming(seen, &[(found, end)]);
        ll.cond_br(ll.eq(found, seen), out, again);
        ll.at_end(out);
        from_bits(found)
    }

    fn private_atomic(
        &mut self,
        op: AtomicOp,
        s: Scalar,
        p: &Pointer,
        value: V,
        part: u32,
        lane: V,
        expected: Option<V>,
    ) -> V {
        let ll = self.ll;
        let e = Element { scalar: s, count: 1 };
        let all = self.private_access(p, e, &Access::Load);
        let old = ll.extract_at(all[0].v[part as usize], lane);
        let new = self.combine(op, s, old, value, expected);
        let saved = self.mask.clone();
        let mut m = vec![self.all_off(); self.gang.parts as usize];
        m[part as usize] = ll.insert_at(self.all_off(), ll.cbool(true), lane);
        self.mask = Some(m);
        self.private_access(p, e, &Access::Store(&[Comp::uniform(new)]));
        self.mask = saved;
        old
    }
}

/// What changes nothing.
pub fn identity(ll: &Ll, op: AtomicOp, s: Scalar, t: T) -> V {
    let bits = s.bits();
    match op {
        AtomicOp::Min if s.is_signed() => ll.cint(t, (1u64 << (bits - 1)) - 1),
        AtomicOp::Max if s.is_signed() => ll.cint(t, 1u64 << (bits - 1)),
        AtomicOp::Min | AtomicOp::And => ll.ones(t),
        _ => ll.zero(t),
    }
}

/// Combines an integer with what is in memory, in one step.
pub fn real_rmw(ll: &Ll, op: AtomicOp, s: Scalar, at: V, value: V) {
    if let Some(d) = arith::atomic_rmw(op, s) {
        ll.atomic_rmw(d, at, value);
    }
}

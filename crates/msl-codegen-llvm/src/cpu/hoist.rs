//! Bounds checks of a counted loop, done once before it.
//!
//! For an innermost loop `for (k = k0; k < n; k += step)` that all threads run together, every
//! access whose address is affine in `k` (modulo the width of its index) lies between its first
//! and its last place. Both are computed before the loop, in 64 bits; when all of them are within
//! bounds a version of the loop without checks runs, else the ordinary one, which finds the thread
//! to blame. Nothing is assumed: an index that wraps on the way has a last place out of bounds.
//! The addresses in the unchecked version count up from the first one, in 64 bits, which leaves
//! LLVM one pointer a row instead of 32-bit arithmetic it cannot take apart.
//!
//! The counter may also count up with the lane, where the loop runs only while all lanes are in
//! ([`super::in_step`]) or all of them leave it together: then it is the last lane's that stays below the limit.

use std::collections::HashSet;

use llvm_sys::LLVMIntPredicate as IP;
use msl_base::Id;
use msl_ir::{BinaryOp, Block, CompareOp, LocalId, Op, Scalar, ValueId};

use super::in_step::LeadingTest;
use super::kernel::Emit;
use crate::CodegenError;
use crate::emit::live::{Set, stored_in};
use crate::emit::shape::{Linear, Root, Shape};
use crate::emit::value::{Pointer, Val};
use crate::llvm::V;

const NO_COUNTER: &str = "it does not count from a number up to another that stays the same";
const NOT_AFFINE: &str = "their addresses are no sums and multiples of the counter";
const LIMIT_MOVES: &str = "the number that it counts to is computed or read again in each iteration";
const LIMIT_DIFFERS: &str = "threads count to different numbers";
const START_DIFFERS: &str = "threads start to count at numbers that are not in a row";
const NOT_32_BITS: &str = "its counter has not 32 bits";
const SEVERAL_STEPS: &str = "its counter changes in several places, or in the middle of it";
const NO_STEP: &str = "its counter does not move by a constant from 1 to 65535";

/// What to change about a loop whose checks stay in it.
fn help_for(reason: &str) -> Option<&'static str> {
    Some(match reason {
        NO_COUNTER | NO_STEP | SEVERAL_STEPS | NOT_AFFINE => {
            "count with `for (uint k = a; k < n; k += c)` and index by sums and multiples of k"
        }
        LIMIT_MOVES => "copy the limit to a variable before the loop",
        LIMIT_DIFFERS | START_DIFFERS => {
            "count from and to numbers that are the same for the threads of a simdgroup, or from the thread's number"
        }
        NOT_32_BITS => "count with `int` or `uint`",
        _ => return None,
    })
}

/// A loop that counts.
struct Counted {
    counter: LocalId,
    ty: Scalar,
    /// Loop invariant.
    limit: ValueId,
    step: u64,
    /// By how much the last lane is ahead of the first.
    across: u64,
    inside: HashSet<ValueId>,
    stored: Set,
    /// Instructions of the body from here on run only if the loop goes on.
    test: usize,
}

/// What to test, and for which instructions.
pub struct Hoisted {
    pub ok: V,
    pub accesses: Vec<(ValueId, Known)>,
}

/// An access that is known to be within bounds: its place for each part is
/// `first + (counter - start) · step`.
#[derive(Clone)]
pub struct Known {
    pub firsts: Vec<V>,
    step: V,
    counter: LocalId,
    start: V,
    ty: Scalar,
    /// By how much the next threadgroup is ahead, where it is worth to fetch what it accesses.
    pub ahead: Option<V>,
}

/// By how much a value changes when the counter does, modulo its width.
#[derive(Clone, Copy)]
enum Slope {
    Constant(i64),
    /// Loop invariant, the same for the gang.
    Value(V, Scalar),
}

impl Emit<'_> {
    /// Emits the tests for a loop, if there is anything to gain. `in_step`: the loop runs while all lanes pass this
    /// test.
    pub fn hoist_checks(
        &mut self,
        id: ValueId,
        body: &Block,
        continuing: &Block,
        in_step: Option<&LeadingTest>,
    ) -> Result<Option<Hoisted>, CodegenError> {
        let counted = match self.counted(id, body, continuing, in_step) {
            Ok(counted) => counted,
            Err(reason) => {
                self.remark_checks(id, body, 0, reason);
                return Ok(None);
            }
        };
        let mut accesses = Vec::new();
        // What comes before the test also runs when the loop ends.
        collect(self, &body.insts[counted.test + 1..], &mut accesses);
        accesses.retain(|a| {
            let ptr = self.accessed_pointer(*a);
            let shape = self.flow.shapes[ptr.index()];
            let root = shape.root.map(|r| r.0);
            let checked = matches!(root, Some(Root::Param(_) | Root::Global(_) | Root::Shared))
                && shape.root.is_some_and(|r| !r.1);
            let linear = !shape.c[1].lanes() || shape.c[1].linear.is_some_and(|l| l.stride > 0);
            checked && linear
        });
        let mut list = Vec::new();
        for a in accesses {
            let ptr = self.accessed_pointer(a);
            if let Some(slope) = self.slope(ptr, &counted, 12)? {
                list.push((a, slope));
            }
        }
        if list.is_empty() || list.len() > 24 {
            let reason = if list.is_empty() { NOT_AFFINE } else { "there are more than 24" };
            self.remark_checks(id, body, 0, reason);
            return Ok(None);
        }
        self.remark_checks(id, body, list.len(), NOT_AFFINE);
        let ll = self.ll;
        let k0 = self.counter_now(counted.counter);
        let n = self.comp(counted.limit, 0).get(ll, self.gang, 0, false);
        let step = ll.c64(counted.step);
        let (first, end) = (self.widen(k0, counted.ty), self.widen(n, counted.ty));
        let last = ll.add(first, ll.c64(counted.across));
        let runs = ll.icmp(IP::LLVMIntSLT, last, end);
        // How far the counter gets; meaningless unless the loop runs.
        let far = ll.sub(ll.sub(end, last), ll.c64(1));
        let far = if counted.step == 1 { far } else { ll.mul(ll.bin(llvm_sys::LLVMOpcode::LLVMUDiv, far, step), step) };
        // The counter itself must not wrap before it reaches the limit.
        let most = if counted.ty.is_signed() { 1u64 << 31 } else { 1 << 32 };
        let mut ok = ll.icmp(IP::LLVMIntSLE, ll.add(end, step), ll.c64(most));
        let saved = self.vals.clone();
        let mut done = HashSet::new();
        let mut accesses = Vec::new();
        for (a, slope) in list {
            let ptr = self.accessed_pointer(a);
            self.compute_now(ptr, &counted, &mut done)?;
            let p = self.pointer(ptr);
            let (step, leap) = match slope {
                Slope::Constant(c) => (ll.c64(c as u64), (c as u64).wrapping_mul(counted.step)),
                Slope::Value(v, _) => (v, 0),
            };
            if let Some((good, firsts)) = self.access_ok(a, &p, step, far) {
                ok = ll.and(ok, good);
                let ahead = self.distance_to_next_group(a, &p, leap, firsts[0], ll.mul(step, far));
                let (counter, ty) = (counted.counter, counted.ty);
                accesses.push((a, Known { firsts, step, counter, start: first, ty, ahead }));
            }
        }
        self.vals = saved;
        let ok = ll.or(ok, ll.not(runs));
        Ok(Some(Hoisted { ok, accesses }))
    }

    fn remark_checks(&self, id: ValueId, body: &Block, done: usize, reason: &str) {
        let Some(sink) = self.remarks else { return };
        let mut all = Vec::new();
        // Those of a loop inside are its own matter.
        let own = |x: &&ValueId| !matches!(self.f.insts[**x].op, Op::Loop { .. });
        let own: Vec<ValueId> = body.insts.iter().filter(own).copied().collect();
        collect(self, &own, &mut all);
        all.retain(|a| {
            let root = self.flow.shapes[self.accessed_pointer(*a).index()].root;
            matches!(root, Some((Root::Param(_) | Root::Global(_) | Root::Shared | Root::Raw, false)))
        });
        let (all, span) = (all.len(), self.f.insts[id].span);
        if done > 0 {
            let message = format!("bounds of {done} of {all} accesses are checked once before the loop");
            sink.add(span, "hoisted-checks", message, None);
        }
        if done < all {
            let message = format!("bounds of {} of {all} accesses are checked in each iteration: {reason}", all - done);
            sink.add(span, "checks-in-loop", message, help_for(reason));
        }
    }

    /// The places of a known access now.
    pub fn known_places(&mut self, known: &Known) -> Vec<V> {
        let ll = self.ll;
        let k = self.counter_now(known.counter);
        let k = self.widen(k, known.ty);
        let gone = if ll.as_const_int(known.start) == Some(0) { k } else { ll.sub(k, known.start) };
        let moved = ll.mul(gone, known.step);
        known.firsts.iter().map(|f| ll.add(*f, moved)).collect()
    }

    /// Whether an access stays in bounds while the counter moves by `far`, and where it starts.
    fn access_ok(&mut self, a: ValueId, p: &Pointer, step: V, far: V) -> Option<(V, Vec<V>)> {
        let ll = self.ll;
        let inst = &self.f.insts[a];
        let (ty, is_store, store_parts) = match &inst.op {
            Op::Load { .. } => (inst.ty, false, false),
            Op::Store { value, .. } => {
                let s = &self.flow.shapes[value.index()];
                (self.f.insts[*value].ty, true, s.c.iter().any(|c| c.parts()))
            }
            _ => return None,
        };
        let e = self.element(ty);
        let (_, length) = self.reach(p.root, is_store);
        let lanes = u64::from(self.gang.lanes);
        let parts = store_parts || p.scalar.shape.parts() || p.var.as_ref().is_some_and(|v| v.index.shape.parts());
        let n = if parts { self.gang.parts } else { 1 };
        let (mut extent, mut bound) = (e.size(), length);
        if let Some(var) = &p.var {
            let l = var.index.shape.linear?;
            let stride = (l.stride * var.scale) as u64;
            extent = lanes * stride.max(e.size());
            if !(l.exact || var.ty.is_signed() || var.ty.bits() == 64) {
                let most = (var.scale as u64).saturating_mul(1u64 << var.ty.bits());
                bound = ll.intrinsic1("umin", ll.int(64), &[length, ll.c64(most)]);
            }
        }
        let limit = self.limit(bound, extent);
        // Products of a slope and a count below 2^32 do not overflow.
        let mut ok = ll.ult(ll.add(step, ll.c64(1 << 30)), ll.c64(1 << 31));
        let way = ll.mul(step, far);
        let mut firsts = Vec::new();
        for part in 0..n {
            let s = p.scalar.get(ll, self.gang, part, false);
            let first = match &p.var {
                None => s,
                Some(v) => {
                    ok = ll.and(ok, ll.icmp(IP::LLVMIntSGE, s, ll.c64(0)));
                    let i = self.widen(v.index.base(ll, part), v.ty);
                    ll.add(s, ll.mul(i, ll.c64(v.scale as u64)))
                }
            };
            let last = ll.add(first, way);
            ok = ll.and(ok, ll.and(ll.ult(first, limit), ll.ult(last, limit)));
            firsts.push(first);
        }
        Some((ok, firsts))
    }

    fn accessed_pointer(&self, a: ValueId) -> ValueId {
        match &self.f.insts[a].op {
            Op::Load { ptr, .. } | Op::Store { ptr, .. } => *ptr,
            _ => a,
        }
    }

    /// The counter, of lane 0 if it counts with the lane.
    fn counter_now(&mut self, counter: LocalId) -> V {
        let shape = self.state[counter.index()].map_or(Shape::UNIFORM, |s| s.c[0]);
        let (_, s) = self.local_components(counter);
        self.read_slot(counter.index(), 0, shape, s).base(self.ll, 0)
    }

    /// Emits what a value would be in an iteration that began here.
    fn compute_now(&mut self, v: ValueId, counted: &Counted, done: &mut HashSet<ValueId>) -> Result<(), CodegenError> {
        if !counted.inside.contains(&v) || !done.insert(v) {
            return Ok(());
        }
        let mut operands = Vec::new();
        self.f.insts[v].op.for_each_operand(|o| operands.push(o));
        for o in operands {
            self.compute_now(o, counted, done)?;
        }
        self.value_inst(v)
    }

    /// The slope of a value in the loop, if it is affine in the counter. Of a pointer: in bytes, as
    /// a 64-bit number; of an integer: in its own width.
    fn slope(&mut self, v: ValueId, c: &Counted, depth: u32) -> Result<Option<Slope>, CodegenError> {
        const FLAT: Option<Slope> = Some(Slope::Constant(0));
        if !c.inside.contains(&v) {
            return Ok(FLAT);
        }
        if depth == 0 {
            return Ok(None);
        }
        let f = self.f;
        let ll = self.ll;
        Ok(match &f.insts[v].op {
            Op::Const(_) | Op::LocalAddr(_) | Op::GlobalAddr(_) | Op::Param(_) | Op::Builtin(_) => FLAT,
            Op::Load { ptr, .. } => match self.places.get(*ptr) {
                Some(p) if p.local == c.counter => Some(Slope::Constant(1)),
                Some(p) if !c.stored.has(p.local) => FLAT,
                _ => None,
            },
            Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
                let s = self.scalar_of(v);
                let (Some(x), Some(y)) = (self.slope(*a, c, depth - 1)?, self.slope(*b, c, depth - 1)?) else {
                    return Ok(None);
                };
                match (x, y) {
                    (Slope::Constant(x), Slope::Constant(y)) => {
                        Some(Slope::Constant(if *op == BinaryOp::Add { x + y } else { x - y }))
                    }
                    (x, Slope::Constant(0)) => Some(x),
                    (Slope::Constant(0), y) if *op == BinaryOp::Add => Some(y),
                    (x, y) => {
                        let t = ll.int(s.bits());
                        let as_value = |z| match z {
                            Slope::Constant(k) => ll.cint(t, k as u64),
                            Slope::Value(v, _) => v,
                        };
                        let (x, y) = (as_value(x), as_value(y));
                        let sum = if *op == BinaryOp::Add { ll.add(x, y) } else { ll.sub(x, y) };
                        Some(Slope::Value(sum, s))
                    }
                }
            }
            Op::Binary(BinaryOp::Mul, a, b) => {
                let (Some(x), Some(y)) = (self.slope(*a, c, depth - 1)?, self.slope(*b, c, depth - 1)?) else {
                    return Ok(None);
                };
                match (x, y) {
                    (Slope::Constant(0), Slope::Constant(0)) => FLAT,
                    (x, Slope::Constant(0)) => self.times(x, *b, c),
                    (Slope::Constant(0), y) => self.times(y, *a, c),
                    _ => None,
                }
            }
            Op::Binary(BinaryOp::Shl, a, b) => match (self.slope(*a, c, depth - 1)?, &f.insts[*b].op) {
                (Some(Slope::Constant(x)), Op::Const(k)) if *k < 24 => Some(Slope::Constant(x << k)),
                _ => None,
            },
            Op::Extract { vector, .. } => match self.slope(*vector, c, depth - 1)? {
                Some(Slope::Constant(0)) => FLAT,
                _ => None,
            },
            Op::Convert(a) => {
                // Only what cannot wrap keeps its slope when it is widened: the counter itself.
                let (from, to) = (self.scalar_of(*a), self.scalar_of(v));
                let is_counter = matches!(&f.insts[*a].op, Op::Load { .. });
                match self.slope(*a, c, depth - 1)? {
                    Some(Slope::Constant(0)) => FLAT,
                    _ if !from.is_integer() || !to.is_integer() => None,
                    Some(s) if to.bits() == from.bits() => Some(s),
                    Some(s) if to.bits() > from.bits() && is_counter => Some(s),
                    _ => None,
                }
            }
            Op::FieldAddr { base, .. } | Op::PtrCast(base) => self.slope(*base, c, depth - 1)?,
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let (Some(p), Some(i)) = (self.slope(*base, c, depth - 1)?, self.slope(*index, c, depth - 1)?) else {
                    return Ok(None);
                };
                match (p, i) {
                    (p, Slope::Constant(0)) => Some(p),
                    (Slope::Constant(0), i) => {
                        let scale = self.index_scale(*base, &f.insts[v].op);
                        Some(match i {
                            Slope::Constant(k) => Slope::Constant(k * scale),
                            Slope::Value(x, s) => {
                                let x = self.widen(x, s);
                                Slope::Value(ll.mul(x, ll.c64(scale as u64)), Scalar::I64)
                            }
                        })
                    }
                    _ => None,
                }
            }
            _ => None,
        })
    }

    /// A slope times a loop-invariant number.
    fn times(&mut self, slope: Slope, by: ValueId, c: &Counted) -> Option<Slope> {
        let ll = self.ll;
        if let Op::Const(k) = self.f.insts[by].op {
            let s = self.scalar_of(by);
            let shift = 64 - s.bits();
            let k = ((k as i64) << shift) >> shift;
            return Some(match slope {
                Slope::Constant(x) => Slope::Constant(x.checked_mul(k)?),
                Slope::Value(v, s) => Slope::Value(ll.mul(v, ll.cint(ll.type_of(v), k as u64)), s),
            });
        }
        // Computed outside of the loop, and the same in all lanes.
        if c.inside.contains(&by) || !self.flow.shapes[by.index()].c[0].is_gang_uniform() {
            return None;
        }
        let s = self.scalar_of(by);
        let v = self.comp(by, 0).get(ll, self.gang, 0, false);
        Some(match slope {
            Slope::Constant(1) => Slope::Value(v, s),
            Slope::Constant(k) => Slope::Value(ll.mul(v, ll.cint(ll.type_of(v), k as u64)), s),
            Slope::Value(x, s) => Slope::Value(ll.mul(x, v), s),
        })
    }

    /// Recognizes a counted loop without masks and without loops inside.
    fn counted(
        &self,
        id: ValueId,
        body: &Block,
        continuing: &Block,
        in_step: Option<&LeadingTest>,
    ) -> Result<Counted, &'static str> {
        let i = id.index();
        let Op::Loop { label, .. } = &self.f.insts[id].op else { return Err(NO_COUNTER) };
        let leaves_by_mask = self.flow.body_escaped[i] || self.flow.masked_break.contains(label);
        if self.flow.escaped[i] || (leaves_by_mask && in_step.is_none()) {
            return Err("threads leave it at different times");
        }
        let leading = in_step.map(|t| body.insts[t.at]);
        let mut inside = HashSet::new();
        let mut simple = true;
        for b in [body, continuing] {
            for x in &b.insts {
                if Some(*x) != leading {
                    gather(self, *x, &mut inside, &mut simple);
                }
            }
        }
        if !simple {
            return Err("there is another loop in it, or threads skip a part of it");
        }
        // The first `if` of the body compares the counter with the limit and leaves.
        let test = body.insts.iter().position(|x| matches!(self.f.insts[*x].op, Op::If { .. })).ok_or(NO_COUNTER)?;
        let Op::If { condition, then, otherwise } = &self.f.insts[body.insts[test]].op else { return Err(NO_COUNTER) };
        let leaves = |b: &Block| b.insts.len() == 1 && self.f.insts[b.insts[0]].op == Op::Break(*label);
        let Op::Compare(op, a, limit) = self.f.insts[*condition].op else { return Err(NO_COUNTER) };
        match op {
            CompareOp::Lt if leaves(otherwise) => {}
            CompareOp::Ge if leaves(then) => {}
            _ => return Err(NO_COUNTER),
        }
        let counter_of = |v: ValueId| match &self.f.insts[v].op {
            Op::Load { ptr, .. } => self.places.get(*ptr).filter(|p| p.component.is_none()).map(|p| p.local),
            _ => None,
        };
        let counter = counter_of(a).ok_or(NO_COUNTER)?;
        let ty = self.scalar_of(a);
        if !matches!(ty, Scalar::I32 | Scalar::U32) {
            return Err(NOT_32_BITS);
        }
        if inside.contains(&limit) {
            return Err(LIMIT_MOVES);
        }
        let Some(now) = self.state[counter.index()].map(|s| s.c[0]) else { return Err(NO_COUNTER) };
        let shape = |v: ValueId| self.flow.shapes[v.index()].c[0];
        let is_together = in_step.is_some() || shape(*condition).is_gang_uniform();
        // From lane 0 to the last lane.
        let across = match shape(a).linear {
            None if now.is_gang_uniform() && shape(a).is_gang_uniform() => 0,
            Some(Linear { stride: stride @ 1.., part_stride: Some(by @ 0..), .. })
                if is_together && now.linear.is_some_and(|l| (l.stride, l.part_stride) == (stride, Some(by))) =>
            {
                (stride * i64::from(self.gang.lanes - 1) + by * i64::from(self.gang.parts - 1)) as u64
            }
            _ => return Err(START_DIFFERS),
        };
        if !shape(limit).is_gang_uniform() {
            return Err(LIMIT_DIFFERS);
        }
        // One store, in `continuing` itself: counter + constant.
        let mut stores = Vec::new();
        for x in &inside {
            if let Op::Store { ptr, value, .. } = &self.f.insts[*x].op
                && self.places.get(*ptr).is_some_and(|p| p.local == counter)
            {
                stores.push((*x, *value));
            }
        }
        let [(store, value)] = stores[..] else { return Err(SEVERAL_STEPS) };
        if !continuing.insts.contains(&store) {
            return Err(SEVERAL_STEPS);
        }
        // Sums of `int` and `uint` are made without a sign; what wraps is not within bounds below.
        let plain = |v: ValueId| match self.f.insts[v].op {
            Op::Convert(x) if matches!(self.scalar_of(x), Scalar::I32 | Scalar::U32) => x,
            _ => v,
        };
        let Op::Binary(BinaryOp::Add, x, y) = self.f.insts[plain(value)].op else { return Err(NO_STEP) };
        // What is a constant in code for threadgroups of this size is one here: the number of their threads.
        let step = match (&self.f.insts[y].op, &self.vals[y.index()]) {
            (Op::Const(step), _) => Some(*step),
            (_, Some(Val::Comps(c))) if !inside.contains(&y) && c[0].shape.is_gang_uniform() => {
                self.ll.as_const_int(c[0].get(self.ll, self.gang, 0, false))
            }
            _ => None,
        };
        let step = step.filter(|k| (1..1 << 16).contains(k)).ok_or(NO_STEP)?;
        if counter_of(plain(x)) != Some(counter) {
            return Err(NO_STEP);
        }
        let mut stored = Set::new(self.f.locals.len());
        stored_in(self.f, self.places, id, &mut stored);
        Ok(Counted { counter, ty, limit, step, across, inside, stored, test })
    }
}

fn gather(e: &Emit, id: ValueId, inside: &mut HashSet<ValueId>, simple: &mut bool) {
    inside.insert(id);
    let op = &e.f.insts[id].op;
    if matches!(op, Op::Loop { .. }) || e.flow.masked_exit[id.index()] {
        *simple = false;
    }
    for b in op.blocks() {
        for x in &b.insts {
            gather(e, *x, inside, simple);
        }
    }
}

fn collect(e: &Emit, insts: &[ValueId], out: &mut Vec<ValueId>) {
    for id in insts {
        let op = &e.f.insts[*id].op;
        if let Op::Load { ptr, .. } | Op::Store { ptr, .. } = op
            && e.places.get(*ptr).is_none()
        {
            out.push(*id);
        }
        for b in op.blocks() {
            collect(e, &b.insts, out);
        }
    }
}

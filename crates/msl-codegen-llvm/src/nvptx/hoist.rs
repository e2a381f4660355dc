//! Bounds checks of a counted loop, and those of alignment, done once before it.
//!
//! For a loop `for (k = k0; k < n; k += step)`, every access whose address is affine in `k` lies between its
//! first and its last place. Both are computed before the loop, in 64 bits; when all of them are within bounds, a version
//! of the loop runs in which these accesses are not tested, else the ordinary one, which finds the thread to blame.
//! Nothing is assumed: an index that would wrap on the way does not pass. Addresses in the unchecked version
//! count up from the first one, in 64 bits, which leaves LLVM a pointer to increment.

use std::collections::{HashMap, HashSet};

use llvm_sys::LLVMIntPredicate as IP;
use llvm_sys::LLVMOpcode as O;
use msl_base::Id;
use msl_ir::analysis::Root;
use msl_ir::analysis::tree::walk;
use msl_ir::{AddressSpace, BinaryOp, Block, CompareOp, LocalId, Op, Scalar, Type, ValueId};

use super::kernel::Emit;
use crate::CodegenError;
use crate::llvm::V;

/// Accesses of a loop, at most.
const MOST: usize = 24;
/// Instructions of a loop, at most: it is emitted twice.
const LARGEST: usize = 1500;
/// The same with products of matrices. Tests between them would keep the assembler from moving anything past them, and
/// tensor cores wait meanwhile.
const LARGEST_OF_PRODUCTS: usize = 6000;

/// A loop that counts.
struct Counted {
    counter: LocalId,
    ty: Scalar,
    /// Loop invariant.
    limit: ValueId,
    step: u64,
    inside: HashSet<ValueId>,
    stored: HashSet<LocalId>,
    /// Instructions of the body from here on run only if the loop goes on.
    test: usize,
    /// The threads of the threadgroup meet inside.
    synchronizes: bool,
}

/// An access that is known to be within bounds.
#[derive(Clone, Copy)]
pub struct Known {
    start: V,
    /// Byte offset in the first iteration, and how it changes.
    first: V,
    step: V,
    counter: LocalId,
    from: V,
    ty: Scalar,
}

/// By how much a value changes when the counter does, modulo its width.
#[derive(Clone, Copy)]
enum Slope {
    Constant(i64),
    Value(V),
}

impl Emit<'_> {
    /// Emits the tests of a loop: whether they hold, and for which accesses.
    pub fn hoist_checks(
        &mut self,
        id: ValueId,
        body: &Block,
        continuing: &Block,
        label: msl_ir::LabelId,
    ) -> Result<Option<(V, HashMap<ValueId, Known>)>, CodegenError> {
        if !self.may_hoist {
            return Ok(None);
        }
        let Some(counted) = self.counted(body, continuing, label) else { return Ok(None) };
        if counted.synchronizes && !self.uniformity.lane_divergence().is_full_of_remaining(id) {
            return Ok(None);
        }
        let mut accesses = Vec::new();
        self.collect(&body.insts[counted.test + 1..], &mut accesses);
        if accesses.is_empty() || accesses.len() > MOST {
            return Ok(None);
        }
        let ll = self.ll;
        if self.vals[counted.limit.index()].is_none() {
            // A constant.
            self.vals[counted.limit.index()] = self.value(counted.limit)?;
        }
        let k0 = self.read_counter(counted.counter, counted.ty);
        let n = self.scalar(counted.limit);
        let (from, end) = (self.widen(k0, counted.ty), self.widen(n, counted.ty));
        let step = ll.c64(counted.step);
        let runs = ll.icmp(IP::LLVMIntSLT, from, end);
        // How far the counter gets; meaningless unless the loop runs.
        let far = ll.sub(ll.sub(end, from), ll.c64(1));
        let far = if counted.step == 1 { far } else { ll.mul(ll.bin(O::LLVMUDiv, far, step), step) };
        // The counter itself must not wrap before it reaches the limit.
        let most = if counted.ty.is_signed() { 1u64 << 31 } else { 1 << 32 };
        let mut ok = ll.icmp(IP::LLVMIntSLE, ll.add(end, step), ll.c64(most));
        let saved = self.vals.clone();
        let mut done = HashSet::new();
        let mut known = HashMap::new();
        for a in accesses {
            let mut conditions = Vec::new();
            let Some((ptr, size, _)) = self.access(a) else { continue };
            let Some(slope) = self.slope(ptr, &counted, far, k0, &mut done, &mut conditions, 12)? else { continue };
            self.compute_at(ptr, k0, &counted, &mut done)?;
            let p = self.pointer(ptr);
            let (Some(first), [root]) = (p.offset, self.provenance.roots(ptr)) else { continue };
            let Some((start, length)) = self.extent(*root) else { continue };
            let step = self.as_i64(slope);
            let last = ll.add(first, ll.mul(step, far));
            let limit = self.limit(length, size);
            // Products of a slope and a count below 2^32 do not overflow.
            let mut good = ll.ult(ll.add(step, ll.c64(1 << 30)), ll.c64(1 << 31));
            for c in conditions {
                good = ll.and(good, c);
            }
            good = ll.and(good, ll.and(ll.ult(first, limit), ll.ult(last, limit)));
            let alignment = self.alignment_of(a);
            if !alignment.is_sure() {
                let places = ll.or(ll.add(ll.ptr_to_int(start), first), step);
                good = ll.and(good, self.is_multiple(places, alignment.usual));
            }
            ok = ll.and(ok, good);
            known.insert(a, Known { start, first, step, counter: counted.counter, from, ty: counted.ty });
        }
        self.vals = saved;
        if known.is_empty() {
            return Ok(None);
        }
        let mut ok = ll.or(ok, ll.not(runs));
        if counted.synchronizes {
            // All threads of the threadgroup get here, and must take the same version.
            ok = ll.intrinsic("llvm.nvvm.barrier.cta.red.and.aligned.all", ll.int(1), &[ll.c32(0), ok]);
        }
        Ok(Some((ok, known)))
    }

    /// Where a known access is now.
    pub fn known_place(&self, known: Known) -> V {
        let ll = self.ll;
        let k = self.widen(self.read_counter(known.counter, known.ty), known.ty);
        let gone = if ll.as_const_int(known.from) == Some(0) { k } else { ll.sub(k, known.from) };
        ll.gep(known.start, ll.add(known.first, ll.mul(gone, known.step)))
    }

    fn read_counter(&self, counter: LocalId, ty: Scalar) -> V {
        self.ll.load(self.ll.int(ty.bits()), self.locals[counter.index()], ty.size())
    }
    fn widen(&self, v: V, s: Scalar) -> V {
        let i64t = self.ll.int(64);
        if s.is_signed() { self.ll.sext(v, i64t) } else { self.ll.zext(v, i64t) }
    }
    fn as_i64(&self, slope: Slope) -> V {
        match slope {
            Slope::Constant(c) => self.ll.c64(c as u64),
            Slope::Value(v) => v,
        }
    }

    /// Emits what a value would be with the counter at `k`.
    fn compute_at(
        &mut self,
        v: ValueId,
        k: V,
        counted: &Counted,
        done: &mut HashSet<ValueId>,
    ) -> Result<(), CodegenError> {
        if !counted.inside.contains(&v) || !done.insert(v) {
            return Ok(());
        }
        if self.counter_of(v) == Some(counted.counter) {
            self.vals[v.index()] = Some(super::kernel::Val::Comps(vec![k]));
            return Ok(());
        }
        let mut operands = Vec::new();
        self.f.insts[v].op.for_each_operand(|o| operands.push(o));
        for o in operands {
            self.compute_at(o, k, counted, done)?;
        }
        let value = self.value(v)?;
        self.vals[v.index()] = value;
        Ok(())
    }

    /// The slope of a value, if it is affine in the counter. Of a pointer: in bytes, 64 bits; of an integer: in
    /// its own width. What must hold besides, for an index that is widened, goes to `conditions`.
    fn slope(
        &mut self,
        v: ValueId,
        c: &Counted,
        far: V,
        k0: V,
        done: &mut HashSet<ValueId>,
        conditions: &mut Vec<V>,
        depth: u32,
    ) -> Result<Option<Slope>, CodegenError> {
        const FLAT: Option<Slope> = Some(Slope::Constant(0));
        if !c.inside.contains(&v) {
            return Ok(FLAT);
        }
        if depth == 0 {
            return Ok(None);
        }
        let (f, ll) = (self.f, self.ll);
        macro_rules! slope {
            ($v:expr) => {
                match self.slope($v, c, far, k0, done, conditions, depth - 1)? {
                    Some(s) => s,
                    None => return Ok(None),
                }
            };
        }
        Ok(match &f.insts[v].op {
            Op::Const(_) | Op::LocalAddr(_) | Op::GlobalAddr(_) | Op::Param(_) | Op::Builtin(_) => FLAT,
            Op::Load { ptr, .. } => match f.insts[*ptr].op {
                Op::LocalAddr(l) if l == c.counter => Some(Slope::Constant(1)),
                Op::LocalAddr(l) if !c.stored.contains(&l) => FLAT,
                _ => None,
            },
            Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b) => {
                let t = ll.int(self.scalar_of(v).bits());
                let value = |s| match s {
                    Slope::Constant(k) => ll.cint(t, k as u64),
                    Slope::Value(v) => v,
                };
                match (slope!(*a), slope!(*b)) {
                    (Slope::Constant(x), Slope::Constant(y)) => {
                        let sum = if *op == BinaryOp::Add { x.checked_add(y) } else { x.checked_sub(y) };
                        sum.map(Slope::Constant)
                    }
                    (x, Slope::Constant(0)) => Some(x),
                    (Slope::Constant(0), y) if *op == BinaryOp::Add => Some(y),
                    (x, y) if *op == BinaryOp::Add => Some(Slope::Value(ll.add(value(x), value(y)))),
                    (x, y) => Some(Slope::Value(ll.sub(value(x), value(y)))),
                }
            }
            Op::Binary(BinaryOp::Mul, a, b) => match (slope!(*a), slope!(*b)) {
                (Slope::Constant(0), Slope::Constant(0)) => FLAT,
                (x, Slope::Constant(0)) => self.times(x, *b, c),
                (Slope::Constant(0), y) => self.times(y, *a, c),
                _ => None,
            },
            Op::Binary(BinaryOp::Shl, a, b) => match (slope!(*a), &f.insts[*b].op) {
                (Slope::Constant(0), _) if !c.inside.contains(b) => FLAT,
                (Slope::Constant(x), Op::Const(k)) if *k < 24 && x.unsigned_abs() < 1 << 32 => {
                    Some(Slope::Constant(x << k))
                }
                _ => None,
            },
            Op::Extract { vector, .. } => match slope!(*vector) {
                Slope::Constant(0) => FLAT,
                _ => None,
            },
            Op::Convert(a) => {
                // Only what cannot wrap keeps its slope when it is widened: the counter itself.
                let (from, to) = (self.scalar_of(*a), self.scalar_of(v));
                match slope!(*a) {
                    Slope::Constant(0) => FLAT,
                    _ if !from.is_integer() || !to.is_integer() => None,
                    s if to.bits() == from.bits() => Some(s),
                    s if to.bits() > from.bits() && self.counter_of(*a) == Some(c.counter) => Some(s),
                    _ => None,
                }
            }
            Op::FieldAddr { base, .. } | Op::PtrCast(base) => Some(slope!(*base)),
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let scale = self.index_scale(v);
                match (slope!(*base), slope!(*index)) {
                    (p, Slope::Constant(0)) => Some(p),
                    (Slope::Constant(0), i) => {
                        let s = self.scalar_of(*index);
                        let by = match i {
                            Slope::Constant(k) => ll.c64(k as u64),
                            Slope::Value(x) => self.widen(x, s),
                        };
                        if s.bits() < 64 {
                            // The index as a number without width stays a number of its width.
                            self.compute_at(*index, k0, c, done)?;
                            let first = self.widen(self.scalar(*index), s);
                            let last = ll.add(first, ll.mul(by, far));
                            let shifted = if s.is_signed() { ll.add(last, ll.c64(1 << (s.bits() - 1))) } else { last };
                            conditions.push(ll.ult(shifted, ll.c64(1 << s.bits())));
                        }
                        Some(match i {
                            Slope::Constant(k) => Slope::Constant(k.saturating_mul(scale as i64)),
                            Slope::Value(_) => Slope::Value(ll.mul(by, ll.c64(scale))),
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
                Slope::Value(v) => Slope::Value(ll.mul(v, ll.cint(ll.type_of(v), k as u64))),
            });
        }
        if c.inside.contains(&by) {
            return None;
        }
        let v = self.scalar(by);
        Some(match slope {
            Slope::Constant(1) => Slope::Value(v),
            Slope::Constant(k) => Slope::Value(ll.mul(v, ll.cint(ll.type_of(v), k as u64))),
            Slope::Value(x) => Slope::Value(ll.mul(x, v)),
        })
    }

    fn index_scale(&self, v: ValueId) -> u64 {
        let types = &self.module.types;
        match &self.f.insts[v].op {
            Op::IndexAddr { base, .. } => match types.pointee(self.ty(*base)).map(|p| types.get(p.1)) {
                Some(Type::Array { elem, .. }) => types.size_of(*elem),
                Some(Type::Vector { elem, .. }) => u64::from(elem.size()),
                _ => 0,
            },
            Op::PtrOffset { base, .. } => types.pointee(self.ty(*base)).map_or(0, |p| types.size_of(p.1)),
            _ => 0,
        }
    }

    /// The local that a value is a load of.
    fn counter_of(&self, v: ValueId) -> Option<LocalId> {
        match self.f.insts[v].op {
            Op::Load { ptr, .. } => match self.f.insts[ptr].op {
                Op::LocalAddr(l) => Some(l),
                _ => None,
            },
            _ => None,
        }
    }

    /// Recognizes a counted loop without loops or synchronization inside.
    fn counted(&self, body: &Block, continuing: &Block, label: msl_ir::LabelId) -> Option<Counted> {
        let f = self.f;
        let mut inside = HashSet::new();
        let mut simple = true;
        let (mut synchronizes, mut count, mut most) = (false, 0, LARGEST);
        let mut stored = HashSet::new();
        for b in [body, continuing] {
            walk(f, b, &mut |v| {
                inside.insert(v);
                count += 1;
                if matches!(f.insts[v].op, Op::Simd(msl_ir::SimdOp::MatrixMultiply, _)) {
                    most = LARGEST_OF_PRODUCTS;
                }
                match &f.insts[v].op {
                    op @ Op::Barrier { .. } if !super::meetings::is_barrier(op) => {}
                    Op::Barrier { scope: msl_ir::BarrierScope::Threadgroup, .. } => synchronizes = true,
                    // Threads of a warp must arrive at these together, in one of the versions.
                    Op::Barrier { .. } | Op::Simd(..) | Op::Call { .. } => simple = false,
                    Op::Store { ptr, .. } | Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => {
                        for root in self.provenance.roots(*ptr) {
                            if let Root::Local(l) = root {
                                stored.insert(*l);
                            }
                        }
                    }
                    Op::Copy { dst, .. } => {
                        for root in self.provenance.roots(*dst) {
                            if let Root::Local(l) = root {
                                stored.insert(*l);
                            }
                        }
                    }
                    _ => {}
                }
            });
        }
        if !(simple || synchronizes) || count > most {
            return None;
        }
        // The first `if` of the body compares the counter with the limit and leaves.
        let test = body.insts.iter().position(|x| matches!(f.insts[*x].op, Op::If { .. }))?;
        let Op::If { condition, then, otherwise } = &f.insts[body.insts[test]].op else { return None };
        let leaves = |b: &Block| b.insts.len() == 1 && f.insts[b.insts[0]].op == Op::Break(label);
        let Op::Compare(op, a, limit) = f.insts[*condition].op else { return None };
        match op {
            CompareOp::Lt if leaves(otherwise) => {}
            CompareOp::Ge if leaves(then) => {}
            _ => return None,
        }
        let counter = self.counter_of(a)?;
        let ty = self.scalar_of(a);
        let is_constant = matches!(f.insts[limit].op, Op::Const(_));
        if !matches!(ty, Scalar::I32 | Scalar::U32) || (inside.contains(&limit) && !is_constant) {
            return None;
        }
        if self.vals[limit.index()].is_none() && !is_constant {
            return None;
        }
        // Of the counter there is one store, in `continuing` itself: counter + constant. No other pointer to it.
        let mut stores = Vec::new();
        let mut is_plain = true;
        for x in &inside {
            let op = &f.insts[*x].op;
            if let Op::Store { ptr, value, .. } = op
                && f.insts[*ptr].op == Op::LocalAddr(counter)
            {
                stores.push((*x, *value));
                continue;
            }
            op.for_each_operand(|o| {
                is_plain &= !self.provenance.roots(o).contains(&Root::Local(counter))
                    || matches!(op, Op::Load { .. }) && f.insts[o].op == Op::LocalAddr(counter)
                    || self.module.types.pointee(self.ty(o)).is_none();
            });
        }
        let [(store, value)] = stores[..] else { return None };
        if !is_plain || !continuing.insts.contains(&store) {
            return None;
        }
        let Op::Binary(BinaryOp::Add, x, y) = f.insts[value].op else { return None };
        let Op::Const(step) = &f.insts[y].op else { return None };
        if self.counter_of(x) != Some(counter) || !(1..1 << 16).contains(step) {
            return None;
        }
        Some(Counted { counter, ty, limit, step: *step, inside, stored, test, synchronizes })
    }

    /// Accesses of device and constant memory that would be tested.
    fn collect(&self, insts: &[ValueId], out: &mut Vec<ValueId>) {
        for id in insts {
            if let Some((ptr, ..)) = self.access(*id)
                && !self.provenance.is_trusted(ptr)
                && matches!(self.provenance.roots(ptr), [Root::Param(_) | Root::Global(_)])
                && matches!(self.space_of(ptr), AddressSpace::Device | AddressSpace::Constant)
            {
                out.push(*id);
            }
            if matches!(self.f.insts[*id].op, Op::Loop { .. }) {
                // Those of loops inside have a turn of their own.
                continue;
            }
            for b in self.f.insts[*id].op.blocks() {
                self.collect(&b.insts, out);
            }
        }
    }
}

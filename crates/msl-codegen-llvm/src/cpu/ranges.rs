//! The least and the greatest value that integers take over the threads of a threadgroup.
//!
//! In: a kernel, and what is known when a threadgroup starts. Out: for values computed from constants,
//! positions, sizes and memory that nothing writes, by operations for which bounds follow from those of the
//! operands, code that computes these bounds, in 64 bits as mathematical integers, and whether they count:
//! where a value could wrap in its own width they do not. [`Ranges::walk`] goes through the instructions in
//! order, for what locals hold, and tells a [`Visitor`] of branches and accesses.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use llvm_sys::LLVMIntPredicate as IP;
use msl_ir::analysis::tree::falls_through;
use msl_ir::{
    BinaryOp, Block, Builtin, CompareOp, FpFlags, Function, LabelId, LocalId, Module, Op, Scalar, UnaryOp, ValueId,
};

use super::kernel::Arg;
use crate::emit::arith;
use crate::emit::live::{Places, Set, stored_in};
use crate::emit::shape::Root;
use crate::emit::value::{memory_type, register_type};
use crate::llvm::{Ll, V};

/// What is at hand at the start of a threadgroup.
pub struct Start<'a> {
    pub ll: &'a Ll,
    pub module: &'a Module,
    pub f: &'a Function,
    pub places: &'a Places,
    pub read_only: &'a HashSet<Root>,
    pub args: &'a [Arg],
    /// Some memory that can be read, for loads that turn out not to count.
    pub readable: V,
    pub grid: [V; 3],
    pub groups: [V; 3],
    pub group: [V; 3],
    /// Of a full threadgroup.
    pub size: [u32; 3],
    /// Threadgroups that follow each other in x, if several are looked at.
    pub count: Option<V>,
}

/// What is known of a scalar for all threads of the threadgroup, if `ok`.
#[derive(Clone, Copy)]
pub enum Known {
    /// All values lie in `lo..=hi`: 64-bit integers.
    Range {
        lo: V,
        hi: V,
        ok: V,
        varies: bool,
        /// Not 0: only if `hi` also is below that power of two. What a sum of numbers without a sign is
        /// tested for need not be tested for its terms.
        pending: u32,
    },
    Truth {
        always: V,
        never: V,
        varies: bool,
    },
}

/// Where the value of a local comes from.
pub enum Source {
    Value(ValueId),
    Choice(ValueId, Rc<Source>, Rc<Source>),
}

pub type Locals = HashMap<(LocalId, Option<u8>), Rc<Source>>;

/// The evaluator.
pub struct Ranges<'a> {
    pub start: &'a Start<'a>,
    /// Bounds that no value may reach count too: good to prove something with, but a test of them may fail
    /// wherever it is made.
    loose: bool,
    known: HashMap<ValueId, Option<Vec<Known>>>,
    /// By load of a local.
    loaded: HashMap<ValueId, Rc<Source>>,
}

/// Who is told what a walk comes by.
pub trait Visitor {
    /// The direction that a branch takes, if that is settled; `rest` follows it.
    fn decide(
        &mut self,
        ranges: &mut Ranges,
        condition: ValueId,
        then: &Block,
        otherwise: &Block,
        rest: &[ValueId],
    ) -> Option<bool>;
    /// A load or store; `always`: every thread comes here once.
    fn access(&mut self, ranges: &mut Ranges, id: ValueId, always: bool);
    /// Anything else that has no blocks.
    fn value(&mut self, _ranges: &mut Ranges, _id: ValueId) {}
}

impl<'a> Ranges<'a> {
    pub fn new(start: &'a Start<'a>, loose: bool) -> Ranges<'a> {
        Ranges { start, loose, known: HashMap::new(), loaded: HashMap::new() }
    }

    pub fn walk(&mut self, visitor: &mut impl Visitor) {
        self.block(&self.start.f.body, &mut Locals::new(), true, visitor);
    }

    /// Walks the instructions in order, along the directions that are settled. Whether every thread that
    /// came reaches the end.
    fn block(&mut self, block: &Block, locals: &mut Locals, mut always: bool, visitor: &mut impl Visitor) -> bool {
        let f = self.start.f;
        for (i, id) in block.insts.iter().enumerate() {
            match &f.insts[*id].op {
                Op::Store { ptr, value, .. } => match self.start.places.get(*ptr) {
                    Some(p) => {
                        locals.retain(|k, _| k.0 != p.local || (p.component.is_some() && k.1.is_some()));
                        locals.insert((p.local, p.component), Rc::new(Source::Value(*value)));
                    }
                    None => visitor.access(self, *id, always),
                },
                Op::Load { ptr, .. } => match self.start.places.get(*ptr) {
                    Some(p) => {
                        if let Some(source) = locals.get(&(p.local, p.component)) {
                            self.loaded.insert(*id, source.clone());
                        }
                    }
                    None => visitor.access(self, *id, always),
                },
                Op::If { condition, then, otherwise } => {
                    let rest = &block.insts[i + 1..];
                    if let Some(direction) = visitor.decide(self, *condition, then, otherwise, rest) {
                        let taken = if direction { then } else { otherwise };
                        always = self.block(taken, locals, always, visitor);
                        if !falls_through(f, taken) {
                            return always;
                        }
                    } else {
                        self.undecided(*id, *condition, then, otherwise, locals, visitor);
                        always &= !leaves(f, then, None) && !leaves(f, otherwise, None);
                    }
                }
                op if op.blocks().is_empty() => visitor.value(self, *id),
                Op::Scope { body, label } => {
                    self.block(body, &mut locals.clone(), always, visitor);
                    self.forget(*id, locals);
                    always &= !leaves(f, body, Some(*label));
                }
                op => {
                    self.forget(*id, locals);
                    let own = match op {
                        Op::Loop { label, .. } | Op::Switch { label, .. } => Some(*label),
                        _ => None,
                    };
                    for b in op.blocks() {
                        self.block(b, &mut locals.clone(), false, visitor);
                        always &= !leaves(f, b, own);
                    }
                }
            }
        }
        always
    }

    /// Both sides may run; what they agree to store, or choose between, is still known after.
    fn undecided(
        &mut self,
        id: ValueId,
        condition: ValueId,
        then: &Block,
        otherwise: &Block,
        locals: &mut Locals,
        visitor: &mut impl Visitor,
    ) {
        let (mut a, mut b) = (locals.clone(), locals.clone());
        self.block(then, &mut a, false, visitor);
        self.block(otherwise, &mut b, false, visitor);
        self.forget(id, locals);
        let f = self.start.f;
        if falls_through(f, then) && falls_through(f, otherwise) && self.eval(condition).is_some() {
            for (key, x) in a {
                if let Some(y) = b.get(&key).filter(|_| !locals.contains_key(&key)) {
                    locals.insert(key, Rc::new(Source::Choice(condition, x, y.clone())));
                }
            }
        }
    }

    fn forget(&self, id: ValueId, locals: &mut Locals) {
        let mut stored = Set::new(self.start.f.locals.len());
        stored_in(self.start.f, self.start.places, id, &mut stored);
        locals.retain(|k, _| !stored.has(k.0));
    }

    pub fn eval(&mut self, v: ValueId) -> Option<Vec<Known>> {
        if let Some(k) = self.known.get(&v) {
            return k.clone();
        }
        let k = match self.loaded.get(&v) {
            Some(source) => self.source(&source.clone()),
            None => self.compute(v),
        };
        self.known.insert(v, k.clone());
        k
    }

    /// The bounds of an integer, whether they count, and whether it differs between threads.
    pub fn bounds_of(&mut self, v: ValueId) -> Option<(V, V, V, bool)> {
        let [k] = self.eval(v)?[..] else { return None };
        match self.settled(k) {
            Known::Range { lo, hi, ok, varies, .. } => Some((lo, hi, ok, varies)),
            Known::Truth { .. } => None,
        }
    }

    fn source(&mut self, source: &Source) -> Option<Vec<Known>> {
        match source {
            Source::Value(v) => self.eval(*v),
            Source::Choice(c, a, b) => {
                let c = self.one(*c)?;
                let (a, b) = (self.source(a)?, self.source(b)?);
                a.into_iter().zip(b).map(|(x, y)| self.choose(c, x, y)).collect()
            }
        }
    }

    fn one(&mut self, v: ValueId) -> Option<Known> {
        self.eval(v)?.first().copied()
    }

    pub fn scalar(&self, v: ValueId) -> Option<Scalar> {
        self.start.module.types.scalar_of(self.start.f.insts[v].ty)
    }

    fn uniform(&self, v: V, s: Scalar, ok: V) -> Known {
        let ll = self.start.ll;
        if s == Scalar::Bool {
            return Known::Truth { always: ll.and(v, ok), never: ll.and(ll.not(v), ok), varies: false };
        }
        let wide = self.widen(v, s);
        // Above that, 64-bit unsigned numbers are no 64-bit integers.
        let ok = if s == Scalar::U64 { ll.and(ok, ll.icmp(IP::LLVMIntSGE, wide, ll.c64(0))) } else { ok };
        Known::Range { lo: wide, hi: wide, ok, varies: false, pending: 0 }
    }

    fn widen(&self, v: V, s: Scalar) -> V {
        let ll = self.start.ll;
        match s.bits() {
            64 => v,
            _ if s.is_signed() => ll.sext(v, ll.int(64)),
            _ => ll.zext(v, ll.int(64)),
        }
    }

    /// With nothing pending.
    fn settled(&self, k: Known) -> Known {
        let ll = self.start.ll;
        match k {
            Known::Range { lo, hi, ok, varies, pending } if pending > 0 => {
                let fits = ll.ult(hi, ll.c64(1 << pending));
                Known::Range { lo, hi, ok: ll.and(ok, fits), varies, pending: 0 }
            }
            k => k,
        }
    }

    /// Whether the bounds are values of the type; those of 64 bits have to be looked at elsewhere.
    fn fits(&self, s: Scalar, lo: V, hi: V) -> V {
        let ll = self.start.ll;
        let bits = s.bits();
        let (least, most) = match (s.is_signed(), bits) {
            (_, 64) => return ll.cbool(true),
            (true, _) => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
            (false, _) => return ll.and(ll.icmp(IP::LLVMIntSGE, lo, ll.c64(0)), ll.ult(hi, ll.c64(1 << bits))),
        };
        let above = ll.icmp(IP::LLVMIntSGE, lo, ll.c64(least as u64));
        ll.and(above, ll.icmp(IP::LLVMIntSLE, hi, ll.c64(most as u64)))
    }

    fn compute(&mut self, v: ValueId) -> Option<Vec<Known>> {
        let f = self.start.f;
        let ll = self.start.ll;
        let inst = &f.insts[v];
        let s = self.scalar(v)?;
        let yes = ll.cbool(true);
        Some(match &inst.op {
            _ if !s.is_integer() && s != Scalar::Bool => return None,
            Op::Const(bits) if s == Scalar::Bool => vec![self.uniform(ll.cbool(*bits & 1 != 0), s, yes)],
            Op::Const(bits) => vec![self.uniform(ll.cint(register_type(ll, s), *bits), s, yes)],
            Op::Builtin(b) if s == Scalar::U32 => self.builtin(*b)?,
            Op::Load { ptr, volatile: false, .. } => self.load(*ptr, s, v)?,
            Op::Splat(a) => {
                let n = usize::from(self.start.module.types.component_count(inst.ty));
                vec![self.one(*a)?; n]
            }
            Op::Compose(list) => list.iter().map(|a| self.one(*a)).collect::<Option<_>>()?,
            Op::Extract { vector, index } => vec![*self.eval(*vector)?.get(usize::from(*index))?],
            Op::Shuffle { vector, components } => {
                let list = self.eval(*vector)?;
                components.iter().map(|i| list.get(usize::from(*i)).copied()).collect::<Option<_>>()?
            }
            Op::Unary(op, a) => {
                let list = self.eval(*a)?;
                list.into_iter().map(|x| self.unary(*op, s, self.settled(x))).collect::<Option<_>>()?
            }
            Op::Binary(op, a, b) => {
                let (x, y) = (self.eval(*a)?, self.eval(*b)?);
                // Sums of natural numbers pass on what they are still to be tested for.
                let keep = *op == BinaryOp::Add && !s.is_signed() && s.bits() < 64;
                let ready = |k: Known| if keep { k } else { self.settled(k) };
                x.into_iter().zip(y).map(|(x, y)| self.binary(*op, s, ready(x), ready(y))).collect::<Option<_>>()?
            }
            Op::Compare(op, a, b) => {
                let (x, y) = (self.eval(*a)?, self.eval(*b)?);
                x.into_iter()
                    .zip(y)
                    .map(|(x, y)| self.compare(*op, self.settled(x), self.settled(y)))
                    .collect::<Option<_>>()?
            }
            Op::Select { condition, a, b } => {
                let c = self.eval(*condition)?;
                let (x, y) = (self.eval(*a)?, self.eval(*b)?);
                let pairs = x.into_iter().zip(y).enumerate();
                pairs.map(|(i, (x, y))| self.choose(c[i.min(c.len() - 1)], x, y)).collect::<Option<_>>()?
            }
            Op::Convert(a) => {
                let list = self.eval(*a)?;
                list.into_iter().map(|x| self.convert(s, x)).collect::<Option<_>>()?
            }
            _ => return None,
        })
    }

    fn builtin(&self, b: Builtin) -> Option<Vec<Known>> {
        let ll = self.start.ll;
        let yes = ll.cbool(true);
        let one = |v: V| self.uniform(v, Scalar::U32, yes);
        let full = self.start.size.map(|s| ll.c32(s));
        let from = |lo: V, n: u32| {
            let hi = ll.add(lo, ll.c64(u64::from(n) - 1));
            Known::Range { lo, hi, ok: yes, varies: n > 1, pending: 0 }
        };
        let place = |i: usize| {
            let n = self.start.size[i];
            if let (0, Some(count)) = (i, self.start.count) {
                let wide = |v: V| ll.zext(v, ll.int(64));
                let first = ll.mul_nuw(wide(self.start.group[0]), ll.c64(u64::from(n)));
                let last = ll.add_nuw(first, ll.sub(ll.mul_nuw(wide(count), ll.c64(u64::from(n))), ll.c64(1)));
                return Known::Range { lo: first, hi: last, ok: yes, varies: true, pending: 0 };
            }
            from(ll.mul(ll.zext(self.start.group[i], ll.int(64)), ll.c64(u64::from(n))), n)
        };
        let three = |g: &dyn Fn(usize) -> Known| vec![g(0), g(1), g(2)];
        Some(match b {
            Builtin::ThreadPositionInGrid => three(&place),
            Builtin::ThreadPositionInThreadgroup => three(&|i| from(ll.c64(0), self.start.size[i])),
            Builtin::ThreadIndexInSimdgroup => vec![from(ll.c64(0), 32)],
            Builtin::SimdgroupIndexInThreadgroup => {
                vec![from(ll.c64(0), self.start.size.iter().product::<u32>().div_ceil(32))]
            }
            Builtin::ThreadIndexInThreadgroup => vec![from(ll.c64(0), self.start.size.iter().product())],
            Builtin::ThreadgroupPositionInGrid => three(&|i| one(self.start.group[i])),
            Builtin::ThreadsPerGrid => three(&|i| one(self.start.grid[i])),
            Builtin::ThreadgroupsPerGrid => three(&|i| one(self.start.groups[i])),
            // Of full threadgroups, the only ones the test is for.
            Builtin::ThreadsPerThreadgroup | Builtin::DispatchThreadsPerThreadgroup => three(&|i| one(full[i])),
            _ => return None,
        })
    }

    /// Memory at a constant place that nothing writes; what lies outside does not count.
    fn load(&mut self, ptr: ValueId, s: Scalar, v: ValueId) -> Option<Vec<Known>> {
        let ll = self.start.ll;
        let types = &self.start.module.types;
        let (param, offset) = self.place(ptr)?;
        if !self.start.read_only.contains(&Root::Param(param)) {
            return None;
        }
        let n = u64::from(types.component_count(self.start.f.insts[v].ty)).max(1);
        let size = u64::from(s.size());
        let arg = &self.start.args[param as usize];
        let inside = ll.icmp(IP::LLVMIntUGE, arg.length, ll.c64(offset + n * size));
        let from = ll.select(inside, ll.gep_const(arg.pointer, offset), self.start.readable);
        Some(
            (0..n)
                .map(|i| {
                    let x = ll.load(memory_type(ll, s), ll.gep_const(from, i * size), s.size());
                    let x = if s == Scalar::Bool { ll.ne(x, ll.zero(ll.int(8))) } else { x };
                    self.uniform(x, s, inside)
                })
                .collect(),
        )
    }

    /// The parameter that a pointer was derived from, and how far from it.
    pub fn place(&self, ptr: ValueId) -> Option<(u32, u64)> {
        let f = self.start.f;
        let types = &self.start.module.types;
        match &f.insts[ptr].op {
            Op::Param(i) => Some((*i, 0)),
            Op::PtrCast(base) | Op::AssumeValid(base) => self.place(*base),
            Op::FieldAddr { base, field } => {
                let (param, offset) = self.place(*base)?;
                let (_, pointee) = types.pointee(f.insts[*base].ty)?;
                let msl_ir::Type::Struct(s) = types.get(pointee) else { return None };
                let field = types.structure(*s).fields.get(*field as usize)?;
                Some((param, offset.checked_add(field.offset)?))
            }
            Op::IndexAddr { base, index } => {
                let (param, offset) = self.place(*base)?;
                let Op::Const(i) = f.insts[*index].op else { return None };
                let (_, element) = types.pointee(f.insts[ptr].ty)?;
                Some((param, offset.checked_add(i.checked_mul(types.size_of(element))?)?))
            }
            _ => None,
        }
    }

    fn unary(&self, op: UnaryOp, s: Scalar, a: Known) -> Option<Known> {
        let ll = self.start.ll;
        match (op, a) {
            (UnaryOp::Not, Known::Truth { always, never, varies }) => {
                Some(Known::Truth { always: never, never: always, varies })
            }
            (UnaryOp::Neg, Known::Range { lo, hi, ok, varies, .. }) if s.is_signed() && s.bits() < 64 => {
                let (lo, hi) = (ll.neg(hi), ll.neg(lo));
                Some(Known::Range { lo, hi, ok: ll.and(ok, self.fits(s, lo, hi)), varies, pending: 0 })
            }
            _ => None,
        }
    }

    fn binary(&self, op: BinaryOp, s: Scalar, a: Known, b: Known) -> Option<Known> {
        let ll = self.start.ll;
        let (
            Known::Range { lo: al, hi: ah, ok: a_ok, varies: av, .. },
            Known::Range { lo: bl, hi: bh, ok: b_ok, varies: bv, .. },
        ) = (a, b)
        else {
            return self.logical(op, a, b);
        };
        if self.loose
            && let Some(known) = self.loose_binary(op, s, a, b)
        {
            return Some(known);
        }
        let ok = ll.and(a_ok, b_ok);
        let is_natural = !s.is_signed() && s.bits() < 64;
        if (av || bv) && is_natural && op == BinaryOp::Add {
            return Some(Known::Range { lo: ll.add(al, bl), hi: ll.add(ah, bh), ok, varies: true, pending: s.bits() });
        }
        if !av && !bv {
            // Dividing is dear, and what it gives may be unspecified.
            if matches!(op, BinaryOp::Div | BinaryOp::Rem) {
                return None;
            }
            let t = register_type(ll, s);
            let narrow = |v: V| if s.bits() == 64 { v } else { ll.trunc(v, t) };
            return Some(self.uniform(arith::binary(ll, op, s, FpFlags::STRICT, narrow(al), narrow(bl)), s, ok));
        }
        let (lo, hi) = match op {
            BinaryOp::Add if s != Scalar::I64 => (ll.add(al, bl), ll.add(ah, bh)),
            BinaryOp::Sub if s != Scalar::I64 => (ll.sub(al, bh), ll.sub(ah, bl)),
            BinaryOp::Add | BinaryOp::Sub => {
                let ok = [al, ah, bl, bh].into_iter().fold(ok, |ok, x| ll.and(ok, self.is_below(x, 61)));
                let (lo, hi) = if op == BinaryOp::Add { (bl, bh) } else { (ll.neg(bh), ll.neg(bl)) };
                return Some(Known::Range { lo: ll.add(al, lo), hi: ll.add(ah, hi), ok, varies: true, pending: 0 });
            }
            // By what does not differ and is not negative.
            BinaryOp::Mul if is_natural && (!av || !bv) => {
                // The operands are below 2^32: the products are right as numbers without a sign.
                let (lo, hi) = (ll.mul(al, bl), ll.mul(ah, bh));
                let ok = ll.and(ok, ll.ult(hi, ll.c64(1 << s.bits())));
                return Some(Known::Range { lo, hi, ok, varies: true, pending: 0 });
            }
            BinaryOp::Mul if !av || !bv => {
                let ((lo, hi), by) = if bv { ((bl, bh), al) } else { ((al, ah), bl) };
                let (x, y) = (ll.mul(lo, by), ll.mul(hi, by));
                let ordered = ll.and(ll.icmp(IP::LLVMIntSGE, by, ll.c64(0)), ll.icmp(IP::LLVMIntSLE, x, y));
                let fits = match s.bits() {
                    64 => [lo, hi, by].into_iter().fold(ll.cbool(true), |ok, x| ll.and(ok, self.is_below(x, 31))),
                    _ => self.fits(s, x, y),
                };
                // Numbers without a sign stay numbers without one.
                let sign = if s == Scalar::U64 { ll.icmp(IP::LLVMIntSGE, x, ll.c64(0)) } else { ll.cbool(true) };
                let ok = ll.and(ll.and(ok, sign), ll.and(ordered, fits));
                return Some(Known::Range { lo: x, hi: y, ok, varies: true, pending: 0 });
            }
            BinaryOp::Shl if s.bits() < 64 && !bv && ll.as_const_int(bl).is_some_and(|n| n < u64::from(s.bits())) => {
                (ll.shl(al, bl), ll.shl(ah, bl))
            }
            BinaryOp::Shr if !bv && ll.as_const_int(bl).is_some_and(|n| n < u64::from(s.bits())) => {
                (ll.ashr(al, bl), ll.ashr(ah, bl))
            }
            BinaryOp::Min => {
                (ll.intrinsic1("smin", ll.int(64), &[al, bl]), ll.intrinsic1("smin", ll.int(64), &[ah, bh]))
            }
            BinaryOp::Max => {
                (ll.intrinsic1("smax", ll.int(64), &[al, bl]), ll.intrinsic1("smax", ll.int(64), &[ah, bh]))
            }
            _ => return None,
        };
        // Sums of 64-bit unsigned numbers that fit do not overflow but for the sign.
        let fits = match s {
            Scalar::U64 => {
                let sign = ll.or(lo, hi);
                ll.icmp(IP::LLVMIntSGE, sign, ll.c64(0))
            }
            _ => self.fits(s, lo, hi),
        };
        Some(Known::Range { lo, hi, ok: ll.and(ok, fits), varies: true, pending: 0 })
    }

    /// Whether a 64-bit number is of less magnitude than that power of two.
    pub fn is_below(&self, v: V, bits: u32) -> V {
        let ll = self.start.ll;
        ll.ult(ll.add(v, ll.c64(1 << bits)), ll.c64(2 << bits))
    }

    /// Bounds that follow from one operand, which no thread may come close to.
    fn loose_binary(&self, op: BinaryOp, s: Scalar, a: Known, b: Known) -> Option<Known> {
        let ll = self.start.ll;
        let (Known::Range { lo: al, ok: a_ok, varies: av, .. }, Known::Range { lo: bl, ok: b_ok, varies: bv, .. }) =
            (a, b)
        else {
            return None;
        };
        let zero = ll.c64(0);
        let (hi, ok) = match op {
            BinaryOp::Rem if !s.is_signed() && !bv => {
                (ll.sub(bl, ll.c64(1)), ll.and(b_ok, ll.icmp(IP::LLVMIntSGT, bl, zero)))
            }
            BinaryOp::And if !bv => (bl, ll.and(b_ok, ll.icmp(IP::LLVMIntSGE, bl, zero))),
            BinaryOp::And if !av => (al, ll.and(a_ok, ll.icmp(IP::LLVMIntSGE, al, zero))),
            _ => return None,
        };
        Some(Known::Range { lo: zero, hi, ok, varies: true, pending: 0 })
    }

    fn logical(&self, op: BinaryOp, a: Known, b: Known) -> Option<Known> {
        let ll = self.start.ll;
        let (Known::Truth { always: aa, never: an, varies: av }, Known::Truth { always: ba, never: bn, varies: bv }) =
            (a, b)
        else {
            return None;
        };
        let varies = av || bv;
        Some(match op {
            BinaryOp::And => Known::Truth { always: ll.and(aa, ba), never: ll.or(an, bn), varies },
            BinaryOp::Or => Known::Truth { always: ll.or(aa, ba), never: ll.and(an, bn), varies },
            BinaryOp::Xor => Known::Truth {
                always: ll.or(ll.and(aa, bn), ll.and(an, ba)),
                never: ll.or(ll.and(aa, ba), ll.and(an, bn)),
                varies,
            },
            _ => return None,
        })
    }

    fn compare(&self, op: CompareOp, a: Known, b: Known) -> Option<Known> {
        let ll = self.start.ll;
        let (
            Known::Range { lo: al, hi: ah, ok: a_ok, varies: av, .. },
            Known::Range { lo: bl, hi: bh, ok: b_ok, varies: bv, .. },
        ) = (a, b)
        else {
            return None;
        };
        let varies = av || bv;
        let less = |x: V, y: V| ll.icmp(IP::LLVMIntSLT, x, y);
        let at_most = |x: V, y: V| ll.icmp(IP::LLVMIntSLE, x, y);
        let (always, never) = match op {
            CompareOp::Lt => (less(ah, bl), at_most(bh, al)),
            CompareOp::Le => (at_most(ah, bl), less(bh, al)),
            CompareOp::Gt => (less(bh, al), at_most(ah, bl)),
            CompareOp::Ge => (at_most(bh, al), less(ah, bl)),
            CompareOp::Eq | CompareOp::Ne => {
                let apart = ll.or(less(ah, bl), less(bh, al));
                let same = if varies { ll.cbool(false) } else { ll.eq(al, bl) };
                if op == CompareOp::Eq { (same, apart) } else { (apart, same) }
            }
        };
        let ok = ll.and(a_ok, b_ok);
        Some(Known::Truth { always: ll.and(always, ok), never: ll.and(never, ok), varies })
    }

    fn choose(&self, c: Known, a: Known, b: Known) -> Option<Known> {
        let ll = self.start.ll;
        let (a, b) = (self.settled(a), self.settled(b));
        let Known::Truth { always, never, varies: cv } = c else { return None };
        Some(match (a, b) {
            (
                Known::Truth { always: aa, never: an, varies: av },
                Known::Truth { always: ba, never: bn, varies: bv },
            ) => {
                let pick = |x: V, y: V| {
                    let one = ll.or(ll.and(always, x), ll.and(never, y));
                    ll.or(one, ll.and(x, y))
                };
                Known::Truth { always: pick(aa, ba), never: pick(an, bn), varies: cv || av || bv }
            }
            (
                Known::Range { lo: al, hi: ah, ok: a_ok, varies: av, .. },
                Known::Range { lo: bl, hi: bh, ok: b_ok, varies: bv, .. },
            ) if !cv => {
                let decided = ll.or(always, never);
                let ok = ll.and(decided, ll.select(always, a_ok, b_ok));
                let (lo, hi) = (ll.select(always, al, bl), ll.select(always, ah, bh));
                Known::Range { lo, hi, ok, varies: av || bv, pending: 0 }
            }
            _ => return None,
        })
    }

    fn convert(&self, to: Scalar, a: Known) -> Option<Known> {
        let ll = self.start.ll;
        match self.settled(a) {
            Known::Range { lo, hi, ok, varies, .. } if to.is_integer() => {
                let fits = match to {
                    // Negative numbers would become great ones.
                    Scalar::U64 => ll.icmp(IP::LLVMIntSGE, lo, ll.c64(0)),
                    _ => self.fits(to, lo, hi),
                };
                Some(Known::Range { lo, hi, ok: ll.and(ok, fits), varies, pending: 0 })
            }
            Known::Range { lo, hi, ok, varies, .. } if to == Scalar::Bool => {
                let zero = ll.c64(0);
                let apart = ll.or(ll.icmp(IP::LLVMIntSGT, lo, zero), ll.icmp(IP::LLVMIntSLT, hi, zero));
                let same = ll.and(ll.eq(lo, zero), ll.eq(hi, zero));
                Some(Known::Truth { always: ll.and(apart, ok), never: ll.and(same, ok), varies })
            }
            Known::Truth { .. } if to == Scalar::Bool => Some(a),
            _ => None,
        }
    }
}

/// Whether a block holds something that goes on elsewhere than after the construct with the label `own`.
fn leaves(f: &Function, block: &Block, own: Option<LabelId>) -> bool {
    block.insts.iter().any(|id| match &f.insts[*id].op {
        Op::Return(_) | Op::Unreachable => true,
        Op::Break(l) | Op::Continue(l) => Some(*l) != own,
        op => op.blocks().iter().any(|b| leaves(f, b, own)),
    })
}

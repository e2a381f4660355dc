//! Conditions that whole threadgroups agree on.
//!
//! Most kernels start with `if (position.x >= width) return;`, treat the border of an image apart, or
//! store under such a condition. It differs between threads, but in nearly all threadgroups all
//! agree. In: a kernel, and what is known when a threadgroup starts. Out: [`Guards`], the direction
//! that each such condition is expected to take, and one test, emitted at the start of a threadgroup,
//! that holds only if it takes it in every thread. The caller then runs a version of the kernel that
//! takes the directions for granted, without masks.
//!
//! A condition qualifies if it is computed from constants, positions, sizes and memory that nothing
//! writes, by operations for which the least and the greatest value over a threadgroup follow from
//! those of the operands. The bounds are computed in 64 bits as mathematical integers; where a value
//! could wrap in its own width the test fails. Nothing but the test is decided here: a threadgroup for
//! which it fails runs the general version.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use llvm_sys::LLVMIntPredicate as IP;
use msl_ir::analysis::tree::falls_through;
use msl_ir::{BinaryOp, Block, Builtin, CompareOp, FpFlags, Function, LocalId, Module, Op, Scalar, UnaryOp, ValueId};

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
}

/// The conditions that were found, and whether they all go the expected way.
pub struct Guards {
    pub holds: V,
    pub directions: Vec<(ValueId, bool)>,
}

/// More would cost more to test than masks do.
const MOST: usize = 12;

/// What is known of a scalar for all threads of the threadgroup, if `ok`.
#[derive(Clone, Copy)]
enum Known {
    /// All values lie in `lo..=hi`: 64-bit integers.
    Range {
        lo: V,
        hi: V,
        ok: V,
        varies: bool,
    },
    Truth {
        always: V,
        never: V,
        varies: bool,
    },
}

/// Where the value of a local comes from.
enum Source {
    Value(ValueId),
    Choice(ValueId, Rc<Source>, Rc<Source>),
}

type Locals = HashMap<(LocalId, Option<u8>), Rc<Source>>;

struct Search<'a> {
    start: &'a Start<'a>,
    known: HashMap<ValueId, Option<Vec<Known>>>,
    /// By load of a local.
    loaded: HashMap<ValueId, Rc<Source>>,
    tests: Vec<V>,
    directions: Vec<(ValueId, bool)>,
}

impl Start<'_> {
    /// Emits the test where the builder stands, if there are such conditions.
    pub fn guards(&self) -> Option<Guards> {
        let mut search = Search {
            start: self,
            known: HashMap::new(),
            loaded: HashMap::new(),
            tests: Vec::new(),
            directions: Vec::new(),
        };
        search.block(&self.f.body, &mut Locals::new());
        let holds = search.tests.into_iter().reduce(|a, b| self.ll.and(a, b))?;
        Some(Guards { holds, directions: search.directions })
    }
}

impl Search<'_> {
    /// Walks the instructions in order, along the expected directions.
    fn block(&mut self, block: &Block, locals: &mut Locals) {
        let f = self.start.f;
        for (i, id) in block.insts.iter().enumerate() {
            match &f.insts[*id].op {
                Op::Store { ptr, value, .. } => {
                    if let Some(p) = self.start.places.get(*ptr) {
                        locals.retain(|k, _| k.0 != p.local || (p.component.is_some() && k.1.is_some()));
                        locals.insert((p.local, p.component), Rc::new(Source::Value(*value)));
                    }
                }
                Op::Load { ptr, .. } => {
                    if let Some(p) = self.start.places.get(*ptr)
                        && let Some(source) = locals.get(&(p.local, p.component))
                    {
                        self.loaded.insert(*id, source.clone());
                    }
                }
                Op::If { condition, then, otherwise } => {
                    let rest = &block.insts[i + 1..];
                    if let Some(direction) = self.decide(*condition, then, otherwise, rest) {
                        let taken = if direction { then } else { otherwise };
                        self.block(taken, locals);
                        if !falls_through(f, taken) {
                            return;
                        }
                    } else {
                        self.undecided(*id, *condition, then, otherwise, locals);
                    }
                }
                op if op.blocks().is_empty() => {}
                Op::Scope { body, .. } => {
                    self.block(body, &mut locals.clone());
                    self.forget(*id, locals);
                }
                op => {
                    self.forget(*id, locals);
                    for b in op.blocks() {
                        self.block(b, &mut locals.clone());
                    }
                }
            }
        }
    }

    /// Both sides may run; what they agree to store, or choose between, is still known after.
    fn undecided(&mut self, id: ValueId, condition: ValueId, then: &Block, otherwise: &Block, locals: &mut Locals) {
        let (mut a, mut b) = (locals.clone(), locals.clone());
        self.block(then, &mut a);
        self.block(otherwise, &mut b);
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

    /// The direction a branch is expected to take, if that can be tested and may hold.
    fn decide(&mut self, condition: ValueId, then: &Block, otherwise: &Block, rest: &[ValueId]) -> Option<bool> {
        if let Some((_, direction)) = self.directions.iter().find(|d| d.0 == condition) {
            return Some(*direction);
        }
        let [Known::Truth { always, never, varies: true }] = self.eval(condition)?[..] else { return None };
        let direction = self.expected(condition, then, otherwise, rest);
        let test = if direction { always } else { never };
        if self.directions.len() == MOST || self.start.ll.as_const_int(test) == Some(0) {
            return None;
        }
        self.tests.push(test);
        self.directions.push((condition, direction));
        Some(direction)
    }

    /// Threads that differ are rarely equal to something; else the greater part of the work counts.
    fn expected(&self, condition: ValueId, then: &Block, otherwise: &Block, rest: &[ValueId]) -> bool {
        let f = self.start.f;
        match f.insts[condition].op {
            Op::Compare(CompareOp::Eq, ..) => return false,
            Op::Compare(CompareOp::Ne, ..) => return true,
            _ => {}
        }
        let work = |b: &Block, other: &Block| {
            // Those that leave miss the rest.
            let more = if falls_through(f, b) && !falls_through(f, other) { weight(f, rest) + 1 } else { 0 };
            weight(f, &b.insts) + more
        };
        work(then, otherwise) >= work(otherwise, then)
    }

    // ---- values ------------------------------------------------------------------------------
    fn eval(&mut self, v: ValueId) -> Option<Vec<Known>> {
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

    fn scalar(&self, v: ValueId) -> Option<Scalar> {
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
        Known::Range { lo: wide, hi: wide, ok, varies: false }
    }

    fn widen(&self, v: V, s: Scalar) -> V {
        let ll = self.start.ll;
        match s.bits() {
            64 => v,
            _ if s.is_signed() => ll.sext(v, ll.int(64)),
            _ => ll.zext(v, ll.int(64)),
        }
    }

    /// Whether the bounds are values of the type; those of 64 bits have to be looked at elsewhere.
    fn fits(&self, s: Scalar, lo: V, hi: V) -> V {
        let ll = self.start.ll;
        let bits = s.bits();
        let (least, most) = match (s.is_signed(), bits) {
            (_, 64) => return ll.cbool(true),
            (true, _) => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
            (false, _) => (0, (1i64 << bits) - 1),
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
                list.into_iter().map(|x| self.unary(*op, s, x)).collect::<Option<_>>()?
            }
            Op::Binary(op, a, b) => {
                let (x, y) = (self.eval(*a)?, self.eval(*b)?);
                x.into_iter().zip(y).map(|(x, y)| self.binary(*op, s, x, y)).collect::<Option<_>>()?
            }
            Op::Compare(op, a, b) => {
                let (x, y) = (self.eval(*a)?, self.eval(*b)?);
                x.into_iter().zip(y).map(|(x, y)| self.compare(*op, x, y)).collect::<Option<_>>()?
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
            Known::Range { lo, hi, ok: yes, varies: n > 1 }
        };
        let place = |i: usize| {
            let n = self.start.size[i];
            from(ll.mul(ll.zext(self.start.group[i], ll.int(64)), ll.c64(u64::from(n))), n)
        };
        let three = |g: &dyn Fn(usize) -> Known| vec![g(0), g(1), g(2)];
        Some(match b {
            Builtin::ThreadPositionInGrid => three(&place),
            Builtin::ThreadPositionInThreadgroup => three(&|i| from(ll.c64(0), self.start.size[i])),
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
    fn place(&self, ptr: ValueId) -> Option<(u32, u64)> {
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
            _ => None,
        }
    }

    fn unary(&self, op: UnaryOp, s: Scalar, a: Known) -> Option<Known> {
        let ll = self.start.ll;
        match (op, a) {
            (UnaryOp::Not, Known::Truth { always, never, varies }) => {
                Some(Known::Truth { always: never, never: always, varies })
            }
            (UnaryOp::Neg, Known::Range { lo, hi, ok, varies }) if s.is_signed() && s.bits() < 64 => {
                let (lo, hi) = (ll.neg(hi), ll.neg(lo));
                Some(Known::Range { lo, hi, ok: ll.and(ok, self.fits(s, lo, hi)), varies })
            }
            _ => None,
        }
    }

    fn binary(&self, op: BinaryOp, s: Scalar, a: Known, b: Known) -> Option<Known> {
        let ll = self.start.ll;
        let (
            Known::Range { lo: al, hi: ah, ok: a_ok, varies: av },
            Known::Range { lo: bl, hi: bh, ok: b_ok, varies: bv },
        ) = (a, b)
        else {
            return self.logical(op, a, b);
        };
        let ok = ll.and(a_ok, b_ok);
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
            // By what does not differ and is not negative.
            BinaryOp::Mul if s.bits() < 64 && (!av || !bv) => {
                let ((lo, hi), by) = if bv { ((bl, bh), al) } else { ((al, ah), bl) };
                let (x, y) = (ll.mul(lo, by), ll.mul(hi, by));
                let ordered = ll.and(ll.icmp(IP::LLVMIntSGE, by, ll.c64(0)), ll.icmp(IP::LLVMIntSLE, x, y));
                let ok = ll.and(ok, ll.and(ordered, self.fits(s, x, y)));
                return Some(Known::Range { lo: x, hi: y, ok, varies: true });
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
        Some(Known::Range { lo, hi, ok: ll.and(ok, fits), varies: true })
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
            Known::Range { lo: al, hi: ah, ok: a_ok, varies: av },
            Known::Range { lo: bl, hi: bh, ok: b_ok, varies: bv },
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
                Known::Range { lo: al, hi: ah, ok: a_ok, varies: av },
                Known::Range { lo: bl, hi: bh, ok: b_ok, varies: bv },
            ) if !cv => {
                let decided = ll.or(always, never);
                let ok = ll.and(decided, ll.select(always, a_ok, b_ok));
                let (lo, hi) = (ll.select(always, al, bl), ll.select(always, ah, bh));
                Known::Range { lo, hi, ok, varies: av || bv }
            }
            _ => return None,
        })
    }

    fn convert(&self, to: Scalar, a: Known) -> Option<Known> {
        let ll = self.start.ll;
        match a {
            Known::Range { lo, hi, ok, varies } if to.is_integer() => {
                let fits = match to {
                    // Negative numbers would become great ones.
                    Scalar::U64 => ll.icmp(IP::LLVMIntSGE, lo, ll.c64(0)),
                    _ => self.fits(to, lo, hi),
                };
                Some(Known::Range { lo, hi, ok: ll.and(ok, fits), varies })
            }
            Known::Range { lo, hi, ok, varies } if to == Scalar::Bool => {
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

/// Instructions that a list runs, those of loops several times.
fn weight(f: &Function, list: &[ValueId]) -> u64 {
    list.iter()
        .map(|id| {
            let op = &f.insts[*id].op;
            let inner: u64 = op.blocks().iter().map(|b| weight(f, &b.insts)).sum();
            1 + if matches!(op, Op::Loop { .. }) { inner.saturating_mul(8) } else { inner }
        })
        .fold(0, u64::saturating_add)
}

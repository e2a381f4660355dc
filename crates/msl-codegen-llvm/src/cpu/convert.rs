//! Integers out of vectors of floats: to the nearest that there is, and 0 for NaN.
//!
//! x86 converts what it can and gives one number for all else, so that little is left to do around the instruction:
//! for a result without a sign NaN and negative numbers become 0 in the one instruction that takes the maximum with
//! 0, and narrow results are saturated by what makes them narrow (`vpmovsdb`, `vpackssdw`, `vpackuswb`). What is known
//! of the operand, as in `uchar(clamp(x, 0.0f, 255.0f))`, is not done again.

use llvm_sys::{LLVMOpcode as O, LLVMRealPredicate as RP};
use msl_base::Id;
use msl_ir::{BinaryOp, Op, Scalar, UnaryOp, ValueId};

use super::kernel::Emit;
use crate::emit::arith;
use crate::emit::value::Val;
use crate::llvm::V;
use crate::target::Truncation;

/// What is known of a float.
#[derive(Clone, Copy, Debug)]
struct Known {
    least: f64,
    most: f64,
    may_be_nan: bool,
}

const NOTHING: Known = Known { least: f64::NEG_INFINITY, most: f64::INFINITY, may_be_nan: true };

impl Known {
    fn is_finite(self) -> bool {
        self.least.is_finite() && self.most.is_finite() && !self.may_be_nan
    }

    /// One or the other.
    fn or(self, other: Known) -> Known {
        let may_be_nan = self.may_be_nan || other.may_be_nan;
        Known { least: self.least.min(other.least), most: self.most.max(other.most), may_be_nan }
    }

    /// The range of a monotonic operation on two ranges, with room for what is rounded.
    fn combine(self, other: Known, f: impl Fn(f64, f64) -> f64) -> Known {
        if !self.is_finite() || !other.is_finite() {
            return NOTHING;
        }
        let ends = [self.least, self.most].map(|a| [other.least, other.most].map(|b| f(a, b)));
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for x in ends.into_iter().flatten() {
            (least, most) = (least.min(x), most.max(x));
        }
        let room = 1e-6 * least.abs().max(most.abs());
        if least < -1e30 || most > 1e30 {
            return NOTHING;
        }
        Known { least: least - room, most: most + room, may_be_nan: false }
    }
}

/// How far back the range of an operand is looked for.
const DEPTH: u32 = 8;

impl Emit<'_> {
    pub fn float_to_int(&self, id: ValueId, operand: ValueId) -> Val {
        let ll = self.ll;
        let (from, to) = (self.scalar_of(operand), self.scalar_of(id));
        let known = self.known_float(operand, DEPTH);
        let shape = self.flow.shapes[id.index()];
        let n = self.count_of(id);
        let out = (0..n).map(|i| {
            let c = self.comp(operand, i);
            self.map(shape.c[i.min(3)], &[&c], |v| {
                let f = ll.type_of(v[0]);
                let lanes = if ll.is_vector(f) { ll.lanes(f) } else { 1 };
                if lanes != self.target.lanes || !matches!(from, Scalar::F32 | Scalar::F16 | Scalar::BF16) {
                    return arith::convert(ll, from, to, v[0]);
                }
                let v = arith::convert(ll, from, Scalar::F32, v[0]);
                self.lanes_to_int(to, known, v).unwrap_or_else(|| arith::convert(ll, Scalar::F32, to, v))
            })
        });
        Val::Comps(out.collect())
    }

    /// A full vector of `f32`; `None` where there is no better way than for any machine.
    fn lanes_to_int(&self, to: Scalar, known: Known, v: V) -> Option<V> {
        let ll = self.ll;
        let t = ll.like(ll.int(to.bits()), v);
        match (to.bits(), self.target.truncation) {
            (64, Truncation::IndefiniteOrMost) => Some(self.saturated(to, known, v)),
            (64, _) => None,
            (_, Truncation::Saturating) => {
                let i = ll.like(ll.int(32), v);
                let stem = if to.is_signed() || to.bits() < 32 { "fptosi" } else { "fptoui" };
                let (from, into) = (ll.suffix(ll.type_of(v)), ll.suffix(i));
                let r = ll.intrinsic(&format!("llvm.{stem}.sat.{into}.{from}"), i, &[v]);
                Some(if to.bits() < 32 { self.narrowed(to, r) } else { r })
            }
            (32, _) => Some(self.saturated(to, known, v)),
            (_, Truncation::IndefiniteOrMost) if !to.is_signed() => {
                let i = self.saturated(Scalar::U32, known, v);
                let most = ll.cint(ll.type_of(i), (1 << to.bits()) - 1);
                Some(ll.trunc(ll.intrinsic1("umin", ll.type_of(i), &[i, most]), t))
            }
            _ => {
                // What is below all integers becomes the least of them; above, it must not.
                let f = ll.type_of(v);
                let v = if to.is_signed() { v } else { self.at_least_zero(known, v) };
                let most = if to.is_signed() { (1u64 << (to.bits() - 1)) - 1 } else { (1 << to.bits()) - 1 };
                let x = if known.most < 2f64.powi(31) {
                    v
                } else {
                    let most = ll.creal(f, most as f64);
                    ll.select(ll.fcmp(RP::LLVMRealOLT, v, most), v, most)
                };
                let r = self.truncate(Scalar::I32, x);
                Some(self.narrowed(to, if to.is_signed() { self.without_nan(known, v, r) } else { r }))
            }
        }
    }

    /// To 32 or 64 bits on x86.
    fn saturated(&self, to: Scalar, known: Known, v: V) -> V {
        let ll = self.ll;
        let above = 2f64.powi(to.bits() as i32 - i32::from(to.is_signed()));
        let half = 2f64.powi(31);
        let f = ll.type_of(v);
        if to.is_signed() {
            let r = self.truncate(to, v);
            let t = ll.type_of(r);
            let r = if known.most < above {
                r
            } else {
                // The least number, which stands for what is too large, turns into the greatest.
                let is_above = ll.fcmp(RP::LLVMRealOGE, v, ll.creal(f, above));
                match self.target.truncation {
                    Truncation::Indefinite => ll.xor(r, ll.sext(is_above, t)),
                    _ => ll.select(is_above, ll.cint(t, u64::MAX >> (65 - to.bits())), r),
                }
            };
            return self.without_nan(known, v, r);
        }
        let v = self.at_least_zero(known, v);
        if self.target.truncation == Truncation::IndefiniteOrMost {
            return self.truncate(to, v);
        }
        let low = self.truncate(Scalar::I32, v);
        if known.most < half {
            return low;
        }
        // From 2^31 on `low` is 2^31; the rest comes from a second conversion, which has the sign bit where there is
        // too much of it.
        let t = ll.type_of(low);
        let rest = self.truncate(Scalar::I32, ll.bin(O::LLVMFSub, v, ll.creal(f, half)));
        let sign = |x: V| ll.ashr(x, ll.cint(t, 31));
        let rest = if known.most < above { rest } else { ll.or(rest, sign(rest)) };
        ll.or(low, ll.and(rest, sign(low)))
    }

    /// NaN and what is below 0 become 0: one instruction.
    fn at_least_zero(&self, known: Known, v: V) -> V {
        if known.least > -1.0 && !known.may_be_nan {
            return v;
        }
        let ll = self.ll;
        let zero = ll.zero(ll.type_of(v));
        ll.select(ll.fcmp(RP::LLVMRealOGT, v, zero), v, zero)
    }

    fn without_nan(&self, known: Known, v: V, r: V) -> V {
        if !known.may_be_nan {
            return r;
        }
        let ll = self.ll;
        let is_number = ll.fcmp(RP::LLVMRealORD, v, ll.zero(ll.type_of(v)));
        ll.select(is_number, r, ll.zero(ll.type_of(r)))
    }

    /// The instruction of x86 and nothing more; LLVM's own conversion has no value where this one is out of range.
    fn truncate(&self, to: Scalar, v: V) -> V {
        let ll = self.ll;
        let t = ll.like(ll.int(to.bits()), v);
        match (self.target.lanes, to) {
            (8, _) => ll.intrinsic("llvm.x86.avx.cvtt.ps2dq.256", t, &[v]),
            (4, _) => ll.intrinsic("llvm.x86.sse2.cvttps2dq", t, &[v]),
            (lanes, _) => {
                let name = match to {
                    Scalar::I32 => "ps2dq",
                    Scalar::U32 => "ps2udq",
                    Scalar::I64 => "ps2qq",
                    _ => "ps2uqq",
                };
                let name = format!("llvm.x86.avx512.mask.cvtt{name}.512");
                // 64 bytes at a time, all lanes, rounding as it is.
                let n = lanes.min(512 / to.bits());
                let parts = (0..lanes / n).map(|k| {
                    let part = ll.slice(v, k * n, n);
                    let t = ll.like(ll.int(to.bits()), part);
                    ll.intrinsic(&name, t, &[part, ll.zero(t), ll.ones(ll.int(n)), ll.c32(4)])
                });
                ll.concat(&parts.collect::<Vec<_>>())
            }
        }
    }

    /// 32 bits with a sign to fewer, saturating: packing instructions do that.
    fn narrowed(&self, to: Scalar, r: V) -> V {
        let ll = self.ll;
        let t = ll.type_of(r);
        let (least, most) = if to.is_signed() {
            ((-1i64 << (to.bits() - 1)) as u64, (1u64 << (to.bits() - 1)) - 1)
        } else {
            (0, (1 << to.bits()) - 1)
        };
        let r = ll.intrinsic1("smax", t, &[r, ll.cint(t, least)]);
        let r = ll.intrinsic1("smin", t, &[r, ll.cint(t, most)]);
        ll.trunc(r, ll.like(ll.int(to.bits()), r))
    }

    /// The range of a float, from how it was computed.
    fn known_float(&self, v: ValueId, depth: u32) -> Known {
        let Some(depth) = depth.checked_sub(1) else { return NOTHING };
        let inst = &self.f.insts[v];
        let s = self.scalar_of(v);
        let of = |v: ValueId| self.known_float(v, depth);
        match &inst.op {
            Op::Const(bits) => {
                let x = match s {
                    Scalar::F32 => f64::from(f32::from_bits(*bits as u32)),
                    Scalar::BF16 => f64::from(f32::from_bits((*bits as u32) << 16)),
                    _ => return NOTHING,
                };
                if x.is_nan() { NOTHING } else { Known { least: x, most: x, may_be_nan: false } }
            }
            Op::Splat(a) | Op::Extract { vector: a, .. } | Op::Shuffle { vector: a, .. } => of(*a),
            Op::Convert(a) => {
                let from = self.scalar_of(*a);
                match from {
                    Scalar::Bool => Known { least: 0.0, most: 1.0, may_be_nan: false },
                    from if from.is_integer() && s == Scalar::F32 => {
                        let most = 2f64.powi(from.bits() as i32 - i32::from(from.is_signed()));
                        let exact = if from.bits() <= 16 { most - 1.0 } else { most };
                        let least = if from.is_signed() { -most } else { 0.0 };
                        Known { least, most: exact, may_be_nan: false }
                    }
                    from if from.is_float() && s == Scalar::F32 => of(*a),
                    _ => NOTHING,
                }
            }
            // Of a number and NaN both give the number.
            Op::Binary(BinaryOp::Max, a, b) => {
                let (a, b) = (of(*a), of(*b));
                let or = |is: bool, least: f64| if is { least } else { f64::INFINITY };
                let least = a.least.max(b.least).min(or(a.may_be_nan, b.least)).min(or(b.may_be_nan, a.least));
                Known { least, most: a.most.max(b.most), may_be_nan: a.may_be_nan && b.may_be_nan }
            }
            Op::Binary(BinaryOp::Min, a, b) => {
                let (a, b) = (of(*a), of(*b));
                let or = |is: bool, most: f64| if is { most } else { f64::NEG_INFINITY };
                let most = a.most.min(b.most).max(or(a.may_be_nan, b.most)).max(or(b.may_be_nan, a.most));
                Known { least: a.least.min(b.least), most, may_be_nan: a.may_be_nan && b.may_be_nan }
            }
            // What is rounded to 16 bits may leave the range.
            Op::Binary(..) | Op::Fma(..) if s != Scalar::F32 => NOTHING,
            Op::Binary(BinaryOp::Add, a, b) => of(*a).combine(of(*b), |x, y| x + y),
            Op::Binary(BinaryOp::Sub, a, b) => of(*a).combine(of(*b), |x, y| x - y),
            Op::Binary(BinaryOp::Mul, a, b) => of(*a).combine(of(*b), |x, y| x * y),
            Op::Fma(a, b, c) => of(*a).combine(of(*b), |x, y| x * y).combine(of(*c), |x, y| x + y),
            Op::Unary(op @ (UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Trunc | UnaryOp::RoundEven), a) => {
                let a = of(*a);
                let f = |x: f64| match op {
                    UnaryOp::Floor => x.floor(),
                    UnaryOp::Ceil => x.ceil(),
                    UnaryOp::Trunc => x.trunc(),
                    _ => x.round_ties_even(),
                };
                Known { least: f(a.least), most: f(a.most), ..a }
            }
            Op::Unary(UnaryOp::Abs, a) => {
                let a = of(*a);
                Known { least: 0.0, most: a.least.abs().max(a.most.abs()), ..a }
            }
            Op::Select { a, b, .. } => of(*a).or(of(*b)),
            Op::Compose(list) => list.iter().map(|v| of(*v)).reduce(Known::or).unwrap_or(NOTHING),
            _ => NOTHING,
        }
    }
}

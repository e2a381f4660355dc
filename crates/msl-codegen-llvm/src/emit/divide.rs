//! Integer division and remainder of vectors, which no vector unit has. Nothing traps; by zero and of the least
//! number by -1 some value comes out. Everything else is exact.
//!
//! Up to 16 bits quotients go through `f32`, of 32 bits through `f64`, which both hold them exactly. Of 64 bits an
//! estimate in `f64` leaves a remainder that is small against the dividend, and a second one all but the last unit.
//! A divisor that is the same in all lanes has its reciprocal computed once, as a scalar where that is an integer, and
//! LLVM takes it out of loops. Constants of up to 32 bits are left to LLVM, which multiplies.

use llvm_sys::{LLVMIntPredicate as IP, LLVMOpcode as O};
use msl_ir::Scalar;

use crate::llvm::{Ll, V};

/// How a machine converts between integers and `f64`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversions {
    /// Vectors of all integers in one instruction (AVX-512).
    All,
    /// 64-bit numbers by their halves; unsigned 32-bit ones in several steps as well (other x86).
    Few,
    /// Not in use: lanes of 64 bits are divided one by one.
    OneByOne,
}

/// Division that cannot trap, of scalars or vectors.
pub fn divide(ll: &Ll, rem: bool, s: Scalar, a: V, b: V) -> V {
    if !ll.is_vector(ll.type_of(a)) || s.bits() == 64 {
        return divide_each(ll, rem, s, a, b);
    }
    divide_lanes(ll, Conversions::OneByOne, rem, s, a, b, None)
}

/// Division of vectors. `uniform` is the divisor as a scalar if it is the same in all lanes.
pub fn divide_lanes(ll: &Ll, ways: Conversions, rem: bool, s: Scalar, a: V, b: V, uniform: Option<V>) -> V {
    let t = ll.type_of(a);
    if !ll.is_vector(t) || (s.bits() == 64 && ways == Conversions::OneByOne) {
        return divide_each(ll, rem, s, a, b);
    }
    let first = || ll.is_constant(b).then(|| ll.extract(b, 0)).filter(|c| ll.splat(*c, ll.lanes(t)) == b);
    let uniform = uniform.or_else(first);
    if let Some(c) = uniform.and_then(|c| ll.as_const_int(c)) {
        let ones = u64::MAX >> (64 - s.bits());
        let is_safe = c & ones != 0 && !(s.is_signed() && c & ones == ones);
        let is_shift = c.is_power_of_two() && !(s.is_signed() && c >> (s.bits() - 1) == 1);
        if is_safe && (s.bits() <= 32 || is_shift) {
            return plain(ll, rem, s, a, b);
        }
    }
    match s.bits() {
        ..=16 => divide_16(ll, rem, s, a, b),
        32 => {
            let magnitudes = Signs::remove(ll, s, a, b, uniform);
            let (a, b, uniform) = (magnitudes.a, magnitudes.b, magnitudes.uniform);
            let r = match uniform {
                Some(d) if ways == Conversions::Few => by_uniform(ll, rem, a, d),
                _ => divide_32(ll, rem, a, b),
            };
            magnitudes.restore(ll, rem, r)
        }
        _ => {
            if let Some(r) = divide_short(ll, ways, rem, s, a, b, uniform) {
                return r;
            }
            let magnitudes = Signs::remove(ll, s, a, b, uniform);
            let (a, b, uniform) = (magnitudes.a, magnitudes.b, magnitudes.uniform);
            let r = match uniform {
                Some(d) if ways == Conversions::Few => by_uniform(ll, rem, a, d),
                _ if ways == Conversions::Few => divide_mostly_small(ll, rem, a, b),
                _ => divide_64(ll, ways, rem, a, b),
            };
            magnitudes.restore(ll, rem, r)
        }
    }
}

fn plain(ll: &Ll, rem: bool, s: Scalar, a: V, b: V) -> V {
    let op = match (rem, s.is_signed()) {
        (false, true) => O::LLVMSDiv,
        (false, false) => O::LLVMUDiv,
        (true, true) => O::LLVMSRem,
        (true, false) => O::LLVMURem,
    };
    ll.bin(op, a, b)
}

/// With the hardware's division, lane by lane.
fn divide_each(ll: &Ll, rem: bool, s: Scalar, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let mut bad = ll.eq(b, ll.zero(t));
    if s.is_signed() {
        let least = ll.cint(t, 1 << (s.bits() - 1));
        bad = ll.or(bad, ll.and(ll.eq(a, least), ll.eq(b, ll.ones(t))));
    }
    // Selecting the divisor keeps the hardware from trapping; constants fold away.
    plain(ll, rem, s, a, ll.select(bad, ll.cint(t, 1), b))
}

/// Quotients of 16 bits are exact in `f32`.
fn divide_16(ll: &Ll, rem: bool, s: Scalar, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let f = ll.like(ll.f32(), a);
    let to = |x: V| ll.cast(if s.is_signed() { O::LLVMSIToFP } else { O::LLVMUIToFP }, x, f);
    let i = ll.like(ll.int(32), a);
    let b = ll.select(ll.eq(b, ll.zero(t)), ll.cint(t, 1), b);
    let q = ll.bin(O::LLVMFDiv, to(a), to(b));
    let q = ll.trunc(ll.cast(O::LLVMFPToSI, q, i), t);
    if rem { ll.sub(a, ll.mul(q, b)) } else { q }
}

/// What a division of signed numbers is around one of their magnitudes.
struct Signs {
    a: V,
    b: V,
    uniform: Option<V>,
    /// All ones in lanes whose quotient, and in those whose remainder is negative.
    negative: Option<(V, V)>,
}

impl Signs {
    fn remove(ll: &Ll, s: Scalar, a: V, b: V, uniform: Option<V>) -> Signs {
        if !s.is_signed() {
            return Signs { a, b, uniform, negative: None };
        }
        let t = ll.type_of(a);
        let magnitude = |x: V| {
            let no = ll.cbool(false);
            ll.intrinsic1("abs", ll.type_of(x), &[x, no])
        };
        let sign = |x: V| ll.ashr(x, ll.cint(t, u64::from(s.bits()) - 1));
        let uniform = uniform.map(magnitude);
        let ub = match uniform {
            Some(d) => ll.splat(d, ll.lanes(t)),
            None => magnitude(b),
        };
        Signs { a: magnitude(a), b: ub, uniform, negative: Some((sign(ll.xor(a, b)), sign(a))) }
    }

    fn restore(&self, ll: &Ll, rem: bool, r: V) -> V {
        let Some((quotient, remainder)) = self.negative else { return r };
        let t = ll.type_of(r);
        let negative = if rem { remainder } else { quotient };
        let negative = if ll.bits(ll.type_of(negative)) < ll.bits(t) { ll.sext(negative, t) } else { negative };
        ll.sub(ll.xor(r, negative), negative)
    }
}

/// 32 bits through `f64`. The reciprocal is made slightly too large, by more than all rounding errors together (2^-51)
/// and by less than what separates a quotient from the next integer (2^-32), so that truncation is exact.
fn divide_32(ll: &Ll, rem: bool, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let d = ll.like(ll.f64(), a);
    let safe = ll.select(ll.eq(b, ll.zero(t)), ll.cint(t, 1), b);
    let numerator = ll.creal(d, 1.0 + 2f64.powi(-50));
    let r = ll.bin(O::LLVMFDiv, numerator, ll.cast(O::LLVMUIToFP, safe, d));
    let q = ll.bin(O::LLVMFMul, ll.cast(O::LLVMUIToFP, a, d), r);
    let q = ll.cast(O::LLVMFPToUI, q, t);
    if rem { ll.sub(a, ll.mul(q, safe)) } else { q }
}

/// By the same number in all lanes, of 32 or 64 bits: its reciprocal is `(2^bits - 1) / d`, rounded down, so that the
/// upper half of the product is the quotient or one less.
fn by_uniform(ll: &Ll, rem: bool, a: V, d: V) -> V {
    let (t, s) = (ll.type_of(a), ll.type_of(d));
    let splat = |x: V| ll.splat(x, ll.lanes(t));
    // LLVM sees that this is not zero, and takes the division out of loops.
    let d = ll.intrinsic1("umax", s, &[d, ll.cint(s, 1)]);
    let reciprocal = splat(ll.bin(O::LLVMUDiv, ll.ones(s), d));
    let d = splat(d);
    let q = mul_high(ll, a, reciprocal);
    let r = ll.sub(a, ll.mul(q, d));
    let is_less = ll.icmp(IP::LLVMIntUGE, r, d);
    if !rem {
        return ll.sub(q, ll.sext(is_less, t));
    }
    if ll.bits(s) == 32 {
        // Wraps to something larger where it must not be done.
        return ll.intrinsic1("umin", t, &[r, ll.sub(r, d)]);
    }
    ll.sub(r, ll.and(ll.sext(is_less, t), d))
}

/// The upper halves of unsigned products of vectors.
pub fn mul_high(ll: &Ll, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let bits = ll.bits(t);
    if bits < 64 {
        // LLVM has instructions for this.
        let w = ll.like(ll.int(2 * bits), a);
        let product = ll.mul(ll.zext(a, w), ll.zext(b, w));
        return ll.trunc(ll.lshr(product, ll.cint(w, u64::from(bits))), t);
    }
    let low = |x: V| ll.and(x, ll.cint(t, 0xffff_ffff));
    let high = |x: V| ll.lshr(x, ll.cint(t, 32));
    let middle = ll.add(ll.mul(high(a), low(b)), high(ll.mul(low(a), low(b))));
    let other = ll.add(ll.mul(low(a), high(b)), low(middle));
    ll.add(ll.add(ll.mul(high(a), high(b)), high(middle)), high(other))
}

/// 64-bit numbers both of which were widened from 32 bits.
fn divide_short(ll: &Ll, ways: Conversions, rem: bool, s: Scalar, a: V, b: V, uniform: Option<V>) -> Option<V> {
    let short = |v: V| ll.widened(v).filter(|(x, _)| ll.bits(ll.type_of(*x)) == 32);
    let (x, by_sign) = short(a)?;
    let (y, other) = short(uniform.unwrap_or(b))?;
    if by_sign != other || by_sign && !s.is_signed() {
        return None;
    }
    let t = ll.type_of(a);
    let scalar = uniform.map(|_| y);
    let y = if scalar.is_some() { ll.splat(y, ll.lanes(t)) } else { y };
    // The magnitude of a quotient of 32-bit numbers is one without a sign.
    let from = if by_sign { Scalar::I32 } else { Scalar::U32 };
    let signs = Signs::remove(ll, from, x, y, scalar);
    let r = divide_lanes(ll, ways, rem, Scalar::U32, signs.a, signs.b, signs.uniform);
    Some(signs.restore(ll, rem, ll.zext(r, t)))
}

/// 64 bits where conversions are dear: most numbers are below 2^52 anyway, are exact in `f64` and have quotients that
/// round to nothing else below the next integer.
fn divide_mostly_small(ll: &Ll, rem: bool, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let d = ll.like(ll.f64(), a);
    let is_small = ll.eq(ll.lshr(ll.or(a, b), ll.cint(t, 52)), ll.zero(t));
    let bits = ll.bitcast(is_small, ll.int(ll.lanes(t)));
    let all = ll.eq(bits, ll.ones(ll.type_of(bits)));
    let (small, large, done) = (ll.new_block("small"), ll.new_block("large"), ll.new_block("divided"));
    ll.likely_br(all, small, large);
    ll.at_end(large);
    let general = divide_64(ll, Conversions::Few, rem, a, b);
    let large_end = ll.current();
    ll.br(done);
    ll.at_end(small);
    let above = ll.creal(d, 2f64.powi(52));
    let exponent = ll.cint(t, 0x433 << 52);
    let float = |x: V| ll.bin(O::LLVMFSub, ll.bitcast(ll.or(x, exponent), d), above);
    let (x, y) = (float(a), float(b));
    let q = ll.intrinsic1("floor", d, &[ll.bin(O::LLVMFDiv, x, y)]);
    // The remainder is exact, too: no product is above the dividend.
    let whole = if rem { ll.bin(O::LLVMFSub, x, ll.bin(O::LLVMFMul, q, y)) } else { q };
    let quick = ll.xor(ll.bitcast(ll.bin(O::LLVMFAdd, whole, above), t), exponent);
    let small_end = ll.current();
    ll.br(done);
    ll.at_end(done);
    ll.phi(t, &[(quick, small_end), (general, large_end)])
}

/// 64 bits through `f64`. The reciprocal is made too small by more than all rounding errors together (2^-51), so that
/// no estimate is above the quotient. What the first leaves is less than the divisor and 2^-49 of the dividend; what the
/// second leaves is less than twice the divisor.
fn divide_64(ll: &Ll, ways: Conversions, rem: bool, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let d = ll.like(ll.f64(), a);
    let float = |x: V| ll.cast(O::LLVMUIToFP, x, d);
    // Conversions of infinity have no value in LLVM.
    let b = ll.sub(b, ll.sext(ll.eq(b, ll.zero(t)), t));
    let reciprocal = ll.bin(O::LLVMFDiv, ll.creal(d, 1.0 - 2f64.powi(-50)), float(b));
    let estimate = |x: V| ll.bin(O::LLVMFMul, float(x), reciprocal);
    let q1 = to_u64(ll, ways, estimate(a));
    let r1 = ll.sub(a, ll.mul(q1, b));
    let q2 = to_short(ll, ways, estimate(r1));
    let r2 = ll.sub(r1, ll.mul(q2, b));
    let is_less = ll.sext(ll.icmp(IP::LLVMIntUGE, r2, b), t);
    if rem { ll.sub(r2, ll.and(is_less, b)) } else { ll.sub(ll.add(q1, q2), is_less) }
}

/// Positive numbers below 2^64, rounded down.
fn to_u64(ll: &Ll, ways: Conversions, v: V) -> V {
    let (d, t) = (ll.type_of(v), ll.like(ll.int(64), v));
    if ways != Conversions::Few {
        return ll.cast(O::LLVMFPToUI, v, t);
    }
    let floor = |x: V| ll.intrinsic1("floor", d, &[x]);
    let upper = floor(ll.bin(O::LLVMFMul, v, ll.creal(d, 2f64.powi(-32))));
    let lower = ll.bin(O::LLVMFSub, v, ll.bin(O::LLVMFMul, upper, ll.creal(d, 2f64.powi(32))));
    // With 2^52 added, the lowest bits are those of the integer.
    let bits = |x: V| ll.bitcast(ll.bin(O::LLVMFAdd, x, ll.creal(d, 2f64.powi(52))), t);
    let lower = ll.and(bits(floor(lower)), ll.cint(t, 0xffff_ffff));
    ll.or(ll.shl(bits(upper), ll.cint(t, 32)), lower)
}

/// Positive numbers below 2^32, rounded down.
fn to_short(ll: &Ll, ways: Conversions, v: V) -> V {
    let (d, t) = (ll.type_of(v), ll.like(ll.int(64), v));
    if ways != Conversions::Few {
        return ll.cast(O::LLVMFPToUI, v, t);
    }
    let whole = ll.intrinsic1("floor", d, &[v]);
    let bits = ll.bitcast(ll.bin(O::LLVMFAdd, whole, ll.creal(d, 2f64.powi(52))), t);
    ll.and(bits, ll.cint(t, 0xffff_ffff))
}

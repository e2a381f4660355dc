//! Scalar arithmetic, written once for scalars and vectors: each function takes operands of one
//! LLVM type (a scalar, or a vector of lanes) and gives the result for all lanes.
//!
//! Implements the value semantics in the IR's module documentation: wrapping integers, division
//! that never traps, shifts modulo the width, NaN-aware minima, saturating conversions. No library
//! function is ever called. `f16` computes natively (LLVM widens), `bf16` is held as bits and
//! widened here.

use llvm_sys::{LLVMAtomicRMWBinOp as Rmw, LLVMIntPredicate as IP, LLVMOpcode as O, LLVMRealPredicate as RP};
use msl_ir::{AtomicOp, BinaryOp, CompareOp, FpFlags, Scalar, UnaryOp};

use super::divide::{divide, mul_high};
use super::value::register_type;
use crate::llvm::{CONTRACT, FAST, Ll, V};

fn fp(ll: &Ll, v: V, flags: FpFlags) -> V {
    ll.flags(
        v,
        if flags.is_fast() {
            FAST
        } else if flags.may_contract() {
            CONTRACT
        } else {
            0
        },
    )
}
/// Fast flags that do not assume NaN or infinity away.
fn fp_sane(ll: &Ll, v: V, flags: FpFlags) -> V {
    let no_values = llvm_sys::LLVMFastMathNoNaNs | llvm_sys::LLVMFastMathNoInfs;
    ll.flags(
        v,
        if flags.is_fast() {
            FAST & !no_values
        } else if flags.may_contract() {
            CONTRACT
        } else {
            0
        },
    )
}

/// `bf16` bits as `f32`.
pub fn bf16_to_f32(ll: &Ll, v: V) -> V {
    let i = ll.like(ll.int(32), v);
    let wide = ll.shl(ll.zext(v, i), ll.cint(i, 16));
    ll.bitcast(wide, ll.like(ll.f32(), v))
}
/// `f32` rounded to `bf16`, to nearest even; NaN stays NaN.
pub fn f32_to_bf16(ll: &Ll, v: V) -> V {
    let i = ll.like(ll.int(32), v);
    let bits = ll.bitcast(v, i);
    let odd = ll.and(ll.lshr(bits, ll.cint(i, 16)), ll.cint(i, 1));
    let rounded = ll.add(bits, ll.add(odd, ll.cint(i, 0x7fff)));
    let nan = ll.fcmp(RP::LLVMRealUNO, v, v);
    let quiet = ll.or(bits, ll.cint(i, 0x0040_0000));
    let chosen = ll.select(nan, quiet, rounded);
    ll.trunc(ll.lshr(chosen, ll.cint(i, 16)), ll.like(ll.int(16), v))
}

pub fn unary(ll: &Ll, op: UnaryOp, s: Scalar, flags: FpFlags, a: V) -> V {
    let t = ll.type_of(a);
    if s == Scalar::BF16 {
        if op == UnaryOp::Neg {
            return ll.xor(a, ll.cint(t, 0x8000));
        }
        if op == UnaryOp::Abs {
            return ll.and(a, ll.cint(t, 0x7fff));
        }
        let r = unary(ll, op, Scalar::F32, flags, bf16_to_f32(ll, a));
        return if matches!(op, UnaryOp::IsNan | UnaryOp::IsInf) { r } else { f32_to_bf16(ll, r) };
    }
    let call = |stem: &str| ll.intrinsic1(stem, t, &[a]);
    match op {
        UnaryOp::Neg if s.is_float() => fp(ll, ll.fneg(a), flags),
        UnaryOp::Neg => ll.neg(a),
        UnaryOp::Not => ll.not(a),
        UnaryOp::Abs if s.is_float() => fp(ll, call("fabs"), flags),
        UnaryOp::Abs if s.is_signed() => {
            let no = ll.cbool(false);
            ll.intrinsic1("abs", t, &[a, no])
        }
        UnaryOp::Abs => a,
        UnaryOp::Sqrt if s == Scalar::F16 => {
            let w = ll.like(ll.f32(), a);
            let r = ll.intrinsic1("sqrt", w, &[ll.cast(O::LLVMFPExt, a, w)]);
            ll.cast(O::LLVMFPTrunc, r, t)
        }
        // Square roots of the hardware are fast; the reciprocal form of LLVM loses zero.
        UnaryOp::Sqrt => call("sqrt"),
        UnaryOp::Rsqrt if s == Scalar::F16 => {
            let w = ll.like(ll.f32(), a);
            let r = unary(ll, op, Scalar::F32, flags, ll.cast(O::LLVMFPExt, a, w));
            ll.cast(O::LLVMFPTrunc, r, t)
        }
        UnaryOp::Rsqrt => rsqrt(ll, flags, a),
        UnaryOp::Floor => fp(ll, call("floor"), flags),
        UnaryOp::Ceil => fp(ll, call("ceil"), flags),
        UnaryOp::Trunc => fp(ll, call("trunc"), flags),
        UnaryOp::RoundEven => fp(ll, call("roundeven"), flags),
        UnaryOp::IsNan => ll.fcmp(RP::LLVMRealUNO, a, a),
        UnaryOp::IsInf => {
            let inf = ll.creal(t, f64::INFINITY);
            ll.fcmp(RP::LLVMRealOEQ, call("fabs"), inf)
        }
        UnaryOp::PopCount => call("ctpop"),
        UnaryOp::LeadingZeros | UnaryOp::TrailingZeros => {
            let stem = if op == UnaryOp::LeadingZeros { "ctlz" } else { "cttz" };
            let no = ll.cbool(false);
            ll.intrinsic1(stem, t, &[a, no])
        }
        UnaryOp::ReverseBits => call("bitreverse"),
    }
}

/// `1/sqrt`; fast: the estimate instruction where there is one, and a Newton step (2 ulp).
fn rsqrt(ll: &Ll, flags: FpFlags, a: V) -> V {
    let t = ll.type_of(a);
    let one = ll.creal(t, 1.0);
    let root = ll.intrinsic1("sqrt", t, &[a]);
    let q = ll.bin(O::LLVMFDiv, one, root);
    if !flags.is_fast() {
        return q;
    }
    // Recognized by LLVM as a reciprocal square root; one Newton step follows.
    ll.flags(root, FAST);
    ll.flags(q, FAST)
}

/// Fast `1/sqrt` on x86 without AVX-512, whose estimate is good to 1.5 · 2^-12 only: a Newton step would leave up to
/// 3.4 · 2^-24, so one of the third order follows, which leaves nothing but what is rounded.
pub fn rsqrt_of_12_bits(ll: &Ll, a: V) -> V {
    let t = ll.type_of(a);
    if !ll.is_vector(t) {
        return ll.extract(rsqrt_of_12_bits(ll, ll.splat(a, 4)), 0);
    }
    let lanes = ll.lanes(t);
    let name = if lanes == 8 { "llvm.x86.avx.rsqrt.ps.256" } else { "llvm.x86.sse.rsqrt.ps" };
    let y = ll.intrinsic(name, t, &[a]);
    let c = |x: f64| ll.creal(t, x);
    let mul = |a, b| ll.flags(ll.bin(O::LLVMFMul, a, b), CONTRACT);
    let add = |a, b| ll.flags(ll.bin(O::LLVMFAdd, a, b), CONTRACT);
    // y (1 + e / 2 + 3 e² / 8), where e = 1 - a y².
    let e = add(c(1.0), ll.fneg(mul(mul(a, y), y)));
    add(y, mul(mul(y, e), add(mul(e, c(0.375)), c(0.5))))
}

/// The same with AVX-512, where a Newton step is enough for 2 ulp.
pub fn rsqrt_of_14_bits(ll: &Ll, a: V) -> V {
    let t = ll.type_of(a);
    if !ll.is_vector(t) {
        return ll.extract(rsqrt_of_14_bits(ll, ll.splat(a, 4)), 0);
    }
    let lanes = ll.lanes(t);
    let mask = ll.int(lanes.max(8));
    let name = format!("llvm.x86.avx512.rsqrt14.ps.{}", lanes * 32);
    let y = ll.intrinsic(&name, t, &[a, ll.zero(t), ll.cint(mask, u64::MAX >> (64 - lanes.max(8)))]);
    let c = |x: f64| ll.creal(t, x);
    let mul = |a, b| ll.flags(ll.bin(O::LLVMFMul, a, b), CONTRACT);
    // -y / 2 (a y² - 3).
    let distance = ll.flags(ll.bin(O::LLVMFAdd, mul(mul(a, y), y), c(-3.0)), CONTRACT);
    mul(mul(y, c(-0.5)), distance)
}

pub fn binary(ll: &Ll, op: BinaryOp, s: Scalar, flags: FpFlags, a: V, b: V) -> V {
    if s == Scalar::BF16 {
        let r = binary(ll, op, Scalar::F32, flags, bf16_to_f32(ll, a), bf16_to_f32(ll, b));
        return f32_to_bf16(ll, r);
    }
    if s.is_float() { float_binary(ll, op, s, flags, a, b) } else { int_binary(ll, op, s, a, b) }
}

fn float_binary(ll: &Ll, op: BinaryOp, s: Scalar, flags: FpFlags, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let plain = |o: O| fp(ll, ll.bin(o, a, b), flags);
    match op {
        BinaryOp::Add => plain(O::LLVMFAdd),
        BinaryOp::Sub => plain(O::LLVMFSub),
        BinaryOp::Mul => plain(O::LLVMFMul),
        // The estimate-based form would turn 1/0 and inf/x into NaN.
        BinaryOp::Div => fp_sane(ll, ll.bin(O::LLVMFDiv, a, b), FpFlags(flags.0 & FpFlags::CONTRACT.0)),
        BinaryOp::Rem => ll.poison(t),
        BinaryOp::Min | BinaryOp::Max => {
            let p = if op == BinaryOp::Min { RP::LLVMRealOLT } else { RP::LLVMRealOGT };
            // A compare and select is one instruction on x86; where a NaN matters another select follows.
            let c = ll.fcmp(p, a, b);
            let r = ll.select(c, a, b);
            if flags.is_fast() {
                ll.flags(c, FAST);
                return ll.flags(r, FAST);
            }
            let b_is_nan = ll.fcmp(RP::LLVMRealUNO, b, b);
            ll.select(b_is_nan, a, r)
        }
        BinaryOp::CopySign => ll.intrinsic1("copysign", t, &[a, b]),
        BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr
        | BinaryOp::MulHigh
        | BinaryOp::AddSat
        | BinaryOp::SubSat => {
            let _ = s;
            ll.poison(t)
        }
    }
}

fn int_binary(ll: &Ll, op: BinaryOp, s: Scalar, a: V, b: V) -> V {
    let t = ll.type_of(a);
    let bits = s.bits();
    let by = |x: V| ll.and(x, ll.cint(t, u64::from(bits - 1)));
    let call = |stem: &str| ll.intrinsic1(stem, t, &[a, b]);
    match op {
        BinaryOp::Add => ll.add(a, b),
        BinaryOp::Sub => ll.sub(a, b),
        BinaryOp::Mul => ll.mul(a, b),
        BinaryOp::And => ll.and(a, b),
        BinaryOp::Or => ll.or(a, b),
        BinaryOp::Xor => ll.xor(a, b),
        BinaryOp::Shl if bits > 1 => ll.shl(a, by(b)),
        BinaryOp::Shr if bits > 1 && s.is_signed() => ll.ashr(a, by(b)),
        BinaryOp::Shr if bits > 1 => ll.lshr(a, by(b)),
        BinaryOp::Shl | BinaryOp::Shr => a,
        BinaryOp::Min => call(if s.is_signed() { "smin" } else { "umin" }),
        BinaryOp::Max => call(if s.is_signed() { "smax" } else { "umax" }),
        BinaryOp::AddSat => call(if s.is_signed() { "sadd.sat" } else { "uadd.sat" }),
        BinaryOp::SubSat => call(if s.is_signed() { "ssub.sat" } else { "usub.sat" }),
        BinaryOp::MulHigh if bits == 64 && ll.is_vector(t) => {
            let r = mul_high(ll, a, b);
            if !s.is_signed() {
                return r;
            }
            // A negative number is what it is without a sign, less 2^64.
            let of = |x: V, other: V| ll.and(ll.ashr(x, ll.cint(t, 63)), other);
            ll.sub(ll.sub(r, of(a, b)), of(b, a))
        }
        BinaryOp::MulHigh => {
            let w = ll.like(ll.int(bits * 2), a);
            let wide = |x: V| if s.is_signed() { ll.sext(x, w) } else { ll.zext(x, w) };
            let m = ll.mul(wide(a), wide(b));
            ll.trunc(ll.lshr(m, ll.cint(w, u64::from(bits))), t)
        }
        BinaryOp::Div | BinaryOp::Rem => divide(ll, op == BinaryOp::Rem, s, a, b),
        BinaryOp::CopySign => ll.poison(t),
    }
}

pub fn fma(ll: &Ll, s: Scalar, flags: FpFlags, a: V, b: V, c: V) -> V {
    match s {
        Scalar::BF16 if flags.is_fast() => {
            let r = fma(ll, Scalar::F32, flags, bf16_to_f32(ll, a), bf16_to_f32(ll, b), bf16_to_f32(ll, c));
            f32_to_bf16(ll, r)
        }
        Scalar::BF16 => {
            // The product is exact in f64; the sum is not where magnitudes lie far apart.
            let w = ll.like(ll.f64(), a);
            let x = |v| ll.cast(O::LLVMFPExt, bf16_to_f32(ll, v), w);
            let m = ll.bin(O::LLVMFMul, x(a), x(b));
            let r = round_f64_to_odd_f32(ll, add_to_odd(ll, m, x(c)));
            f32_to_bf16(ll, r)
        }
        Scalar::F16 => {
            // A product of two halves is exact in f64, and so is the rounding to half after the sum.
            let (w, t) = (ll.like(ll.f64(), a), ll.type_of(a));
            let x = |v| ll.cast(O::LLVMFPExt, v, w);
            let m = ll.bin(O::LLVMFMul, x(a), x(b));
            let r = ll.bin(O::LLVMFAdd, m, x(c));
            round_f64_to_f16(ll, r, t)
        }
        _ => fp(ll, ll.intrinsic1("fma", ll.type_of(a), &[a, b, c]), flags),
    }
}

/// The sum in `f64`, rounded to odd: what it lost is in its last bit.
fn add_to_odd(ll: &Ll, a: V, b: V) -> V {
    let i = ll.like(ll.int(64), a);
    let add = |x, y| ll.bin(O::LLVMFAdd, x, y);
    let sub = |x, y| ll.bin(O::LLVMFSub, x, y);
    let sum = add(a, b);
    let part = sub(sum, b);
    let lost = add(sub(a, part), sub(b, sub(sum, part)));
    let zero = ll.zero(ll.type_of(a));
    let bits = ll.bitcast(sum, i);
    let is_even = ll.icmp(IP::LLVMIntEQ, ll.and(bits, ll.cint(i, 1)), ll.zero(i));
    // Of infinities and NaN nothing is lost: the comparison is ordered.
    let is_inexact = ll.and(ll.fcmp(RP::LLVMRealONE, lost, zero), is_even);
    let grows = ll.xor(ll.fcmp(RP::LLVMRealOGT, lost, zero), ll.fcmp(RP::LLVMRealOLT, sum, zero));
    let odd = ll.select(grows, ll.add(bits, ll.cint(i, 1)), ll.sub(bits, ll.cint(i, 1)));
    ll.bitcast(ll.select(is_inexact, odd, bits), ll.type_of(a))
}

/// `f64` to `f16` through `f32`, rounding to odd on the way so that nothing is rounded twice.
fn round_f64_to_f16(ll: &Ll, v: V, t: crate::llvm::T) -> V {
    ll.cast(O::LLVMFPTrunc, round_f64_to_odd_f32(ll, v), t)
}

fn round_f64_to_odd_f32(ll: &Ll, v: V) -> V {
    let f = ll.like(ll.f32(), v);
    let i = ll.like(ll.int(32), v);
    let d = ll.type_of(v);
    let near = ll.cast(O::LLVMFPTrunc, v, f);
    let back = ll.cast(O::LLVMFPExt, near, d);
    let inexact = ll.fcmp(RP::LLVMRealONE, back, v);
    let bits = ll.bitcast(near, i);
    // Where rounding moved away from zero, step back; then set the lowest bit.
    let abs = |x| ll.intrinsic1("fabs", d, &[x]);
    let away = ll.fcmp(RP::LLVMRealOGT, abs(back), abs(v));
    let toward = ll.select(away, ll.sub(bits, ll.cint(i, 1)), bits);
    let odd = ll.select(inexact, ll.or(toward, ll.cint(i, 1)), bits);
    ll.bitcast(odd, f)
}

pub fn compare(ll: &Ll, op: CompareOp, s: Scalar, a: V, b: V) -> V {
    if s == Scalar::BF16 {
        return compare(ll, op, Scalar::F32, bf16_to_f32(ll, a), bf16_to_f32(ll, b));
    }
    if s.is_float() {
        let p = match op {
            CompareOp::Eq => RP::LLVMRealOEQ,
            CompareOp::Ne => RP::LLVMRealUNE,
            CompareOp::Lt => RP::LLVMRealOLT,
            CompareOp::Le => RP::LLVMRealOLE,
            CompareOp::Gt => RP::LLVMRealOGT,
            CompareOp::Ge => RP::LLVMRealOGE,
        };
        return ll.fcmp(p, a, b);
    }
    let p = match (op, s.is_signed()) {
        (CompareOp::Eq, _) => IP::LLVMIntEQ,
        (CompareOp::Ne, _) => IP::LLVMIntNE,
        (CompareOp::Lt, true) => IP::LLVMIntSLT,
        (CompareOp::Le, true) => IP::LLVMIntSLE,
        (CompareOp::Gt, true) => IP::LLVMIntSGT,
        (CompareOp::Ge, true) => IP::LLVMIntSGE,
        (CompareOp::Lt, false) => IP::LLVMIntULT,
        (CompareOp::Le, false) => IP::LLVMIntULE,
        (CompareOp::Gt, false) => IP::LLVMIntUGT,
        (CompareOp::Ge, false) => IP::LLVMIntUGE,
    };
    ll.icmp(p, a, b)
}

/// Conversion by value; see the IR's documentation.
pub fn convert(ll: &Ll, from: Scalar, to: Scalar, v: V) -> V {
    if from == to {
        return v;
    }
    let t = ll.like(register_type(ll, to), v);
    let vt = ll.type_of(v);
    if from == Scalar::BF16 {
        return convert(ll, Scalar::F32, to, bf16_to_f32(ll, v));
    }
    if to == Scalar::Bool {
        return if from.is_float() { ll.fcmp(RP::LLVMRealUNE, v, ll.zero(vt)) } else { ll.ne(v, ll.zero(vt)) };
    }
    if to == Scalar::BF16 {
        // Wide integers would be rounded twice on the way through f32.
        if from.is_integer() && from.bits() > 16 {
            let d = ll.like(ll.f64(), v);
            let v = if from.bits() > 53 { shortened_to_odd(ll, from, v) } else { v };
            let wide = ll.cast(if from.is_signed() { O::LLVMSIToFP } else { O::LLVMUIToFP }, v, d);
            return f32_to_bf16(ll, round_f64_to_odd_f32(ll, wide));
        }
        return f32_to_bf16(ll, convert(ll, from, Scalar::F32, v));
    }
    match (from.is_float(), to.is_float()) {
        (true, true) if to.bits() > from.bits() => ll.cast(O::LLVMFPExt, v, t),
        (true, true) => ll.cast(O::LLVMFPTrunc, v, t),
        (false, true) if from == Scalar::Bool => ll.cast(O::LLVMUIToFP, v, t),
        (false, true) => {
            let op = if from.is_signed() { O::LLVMSIToFP } else { O::LLVMUIToFP };
            if to == Scalar::F16 {
                // Every integer that is finite in f16 is exact in f32 up to 2^24; larger ones overflow.
                let w = ll.cast(op, v, ll.like(ll.f32(), v));
                return ll.cast(O::LLVMFPTrunc, if from.bits() > 16 { infinite_in_f16(ll, from, w) } else { w }, t);
            }
            ll.cast(op, v, t)
        }
        (false, false) if to.bits() < from.bits() => ll.trunc(v, t),
        (false, false) if to.bits() == from.bits() => v,
        (false, false) if from.is_signed() => ll.sext(v, t),
        (false, false) => ll.zext(v, t),
        (true, false) => float_to_int(ll, from, to, v),
    }
}

/// What is too large for `f16` as the least number that is. LLVM asks only for the bits of an integer, not for its size,
/// before it leaves out `f16` between an integer and `f32`: a large power of two would stay finite.
fn infinite_in_f16(ll: &Ll, from: Scalar, v: V) -> V {
    let t = ll.type_of(v);
    let limit = 2f64.powi(16);
    let v = ll.intrinsic1("minnum", t, &[v, ll.creal(t, limit)]);
    if from.is_signed() { ll.intrinsic1("maxnum", t, &[v, ll.creal(t, -limit)]) } else { v }
}

/// An integer of 64 bits that is exact in `f64`: the lowest of the bits that are kept is set where one below it was.
fn shortened_to_odd(ll: &Ll, from: Scalar, v: V) -> V {
    let t = ll.type_of(v);
    let c = |bits: u64| ll.cint(t, bits);
    let is_small = match from.is_signed() {
        true => ll.icmp(IP::LLVMIntULT, ll.add(v, c(1 << 53)), c(1 << 54)),
        false => ll.icmp(IP::LLVMIntULT, v, c(1 << 53)),
    };
    let is_cut = ll.ne(ll.and(v, c(0x7ff)), ll.zero(t));
    let kept = ll.and(v, c(!0x7ff));
    let odd = ll.select(is_cut, ll.or(kept, c(0x800)), kept);
    ll.select(is_small, v, odd)
}

/// Saturating; NaN gives 0.
fn float_to_int(ll: &Ll, from: Scalar, to: Scalar, v: V) -> V {
    let t = ll.like(register_type(ll, to), v);
    if from == Scalar::F16 {
        let w = ll.cast(O::LLVMFPExt, v, ll.like(ll.f32(), v));
        return float_to_int(ll, Scalar::F32, to, w);
    }
    let f = ll.type_of(v);
    // Narrow types go through i32, where the clamped value fits.
    let bits = to.bits();
    let via = if bits < 32 { ll.like(ll.int(32), v) } else { t };
    let (low, high) = if to.is_signed() {
        (-(2f64.powi(bits as i32 - 1)), 2f64.powi(bits as i32 - 1))
    } else {
        (0.0, 2f64.powi(bits as i32))
    };
    let (lo, hi) = (ll.creal(f, low), ll.creal(f, high));
    let too_high = ll.fcmp(RP::LLVMRealOGE, v, hi);
    let inside = ll.and(ll.fcmp(RP::LLVMRealOGT, v, lo), ll.fcmp(RP::LLVMRealOLT, v, hi));
    let safe = ll.select(inside, v, ll.zero(f));
    let op = if to.is_signed() || bits < 32 { O::LLVMFPToSI } else { O::LLVMFPToUI };
    let r = ll.cast(op, safe, via);
    let r = if bits < 32 { ll.trunc(r, t) } else { r };
    let (max, min) = if to.is_signed() {
        ((1u64 << (bits - 1)) - 1, 1u64 << (bits - 1))
    } else {
        (if bits == 64 { u64::MAX } else { (1 << bits) - 1 }, 0)
    };
    let r = ll.select(too_high, ll.cint(t, max), r);
    if to.is_signed() {
        let too_low = ll.fcmp(RP::LLVMRealOLE, v, lo);
        ll.select(too_low, ll.cint(t, min), r)
    } else {
        r
    }
}

/// LLVM's operation for an atomic one, where it has it: floating-point numbers and `bool` are for the devices.
pub fn atomic_rmw(op: AtomicOp, s: Scalar) -> Option<Rmw> {
    match op {
        AtomicOp::Exchange => Some(Rmw::LLVMAtomicRMWBinOpXchg),
        _ if s.is_float() || s == Scalar::Bool => None,
        AtomicOp::Add => Some(Rmw::LLVMAtomicRMWBinOpAdd),
        AtomicOp::Sub => Some(Rmw::LLVMAtomicRMWBinOpSub),
        AtomicOp::And => Some(Rmw::LLVMAtomicRMWBinOpAnd),
        AtomicOp::Or => Some(Rmw::LLVMAtomicRMWBinOpOr),
        AtomicOp::Xor => Some(Rmw::LLVMAtomicRMWBinOpXor),
        AtomicOp::Min if s.is_signed() => Some(Rmw::LLVMAtomicRMWBinOpMin),
        AtomicOp::Max if s.is_signed() => Some(Rmw::LLVMAtomicRMWBinOpMax),
        AtomicOp::Min => Some(Rmw::LLVMAtomicRMWBinOpUMin),
        AtomicOp::Max => Some(Rmw::LLVMAtomicRMWBinOpUMax),
        AtomicOp::Load | AtomicOp::Store => None,
    }
}

//! What the operations of the IR mean for one scalar: the definition that targets, constant
//! folding and tests are held against.
//!
//! Values are bits in the low end of a `u64`, zero extended, as in [`Op::Const`](crate::Op::Const).
//! Float operations are strict: one rounding to nearest even each, no contraction, subnormals
//! kept. Where the IR leaves a result unspecified, a fixed one is given: an integer divided by
//! zero is 0, its remainder the dividend; the least value divided by −1 wraps; of two zeros
//! `Min` and `Max` give the first operand. `Rsqrt` of `f16` and `bf16` is computed in `f32` and rounded once.

use half::{bf16, f16};

use crate::{BinaryOp, CompareOp, Scalar, UnaryOp};

/// The bits a value of the type can have.
pub fn mask(s: Scalar) -> u64 {
    if s.bits() == 64 { u64::MAX } else { (1 << s.bits()) - 1 }
}

/// The value of an integer or `bool`, extended by its signedness.
#[inline]
pub fn extend(s: Scalar, bits: u64) -> i64 {
    let shift = 64 - s.bits();
    if s.is_signed() { ((bits << shift) as i64) >> shift } else { bits as i64 }
}

/// The word that log records hold: an integer extended, a float as the bits of a `double`.
pub fn widen(s: Scalar, bits: u64) -> u64 {
    if s.is_float() { f64::from(to_f32(s, bits)).to_bits() } else { extend(s, bits) as u64 }
}

/// The value of a float, exactly.
#[inline]
pub fn to_f32(s: Scalar, bits: u64) -> f32 {
    match s {
        Scalar::F16 => f16::from_bits(bits as u16).to_f32(),
        Scalar::BF16 => bf16::from_bits(bits as u16).to_f32(),
        _ => f32::from_bits(bits as u32),
    }
}

/// Rounded to the type.
#[inline]
pub fn from_f32(s: Scalar, x: f32) -> u64 {
    match s {
        Scalar::F16 => u64::from(f16::from_f32(x).to_bits()),
        Scalar::BF16 => u64::from(bf16::from_f32(x).to_bits()),
        _ => u64::from(x.to_bits()),
    }
}

/// Rounded once to the type. `half` drops low bits of an `f64`, so this does the rounding itself.
fn from_f64(s: Scalar, x: f64) -> u64 {
    let (mantissa_bits, least_exponent) = match s {
        Scalar::F16 => (10, -14),
        Scalar::BF16 => (7, -126),
        _ => return u64::from((x as f32).to_bits()),
    };
    if x == 0.0 || !x.is_finite() {
        return from_f32(s, x as f32);
    }
    // Scale so that one unit in the last place is 1; scaling by powers of two is exact here, since
    // neither the least f16 nor the least bf16 unit comes near the ends of f64.
    let exponent = ((x.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(least_exponent);
    let unit = 2f64.powi(exponent - mantissa_bits);
    let rounded = (x / unit).round_ties_even() * unit;
    // Representable now, or beyond the largest value, where both steps give infinity.
    from_f32(s, rounded as f32)
}

pub fn unary(op: UnaryOp, s: Scalar, a: u64) -> u64 {
    let sign = 1u64 << (s.bits() - 1);
    let float = |f: fn(f32) -> f32| from_f32(s, f(to_f32(s, a)));
    match op {
        UnaryOp::Neg if s.is_float() => a ^ sign,
        UnaryOp::Neg => a.wrapping_neg() & mask(s),
        UnaryOp::Not => !a & mask(s),
        UnaryOp::Abs if s.is_float() => a & !sign,
        UnaryOp::Abs if s.is_signed() => extend(s, a).unsigned_abs() & mask(s),
        UnaryOp::Abs => a,
        UnaryOp::Sqrt => float(f32::sqrt),
        UnaryOp::Rsqrt => float(|x| 1.0 / x.sqrt()),
        UnaryOp::Floor => float(f32::floor),
        UnaryOp::Ceil => float(f32::ceil),
        UnaryOp::Trunc => float(f32::trunc),
        UnaryOp::RoundEven => float(f32::round_ties_even),
        UnaryOp::IsNan => u64::from(to_f32(s, a).is_nan()),
        UnaryOp::IsInf => u64::from(to_f32(s, a).is_infinite()),
        UnaryOp::PopCount => u64::from(a.count_ones()),
        UnaryOp::LeadingZeros => u64::from(a.leading_zeros() + s.bits() - 64),
        UnaryOp::TrailingZeros => u64::from(a.trailing_zeros().min(s.bits())),
        UnaryOp::ReverseBits => a.reverse_bits() >> (64 - s.bits()),
    }
}

pub fn binary(op: BinaryOp, s: Scalar, a: u64, b: u64) -> u64 {
    if s.is_float() { float_binary(op, s, a, b) } else { int_binary(op, s, a, b) & mask(s) }
}

fn float_binary(op: BinaryOp, s: Scalar, a: u64, b: u64) -> u64 {
    let (x, y) = (to_f32(s, a), to_f32(s, b));
    match op {
        // f32 carries more than twice the bits of f16 and bf16, so rounding twice is rounding once.
        BinaryOp::Add => from_f32(s, x + y),
        BinaryOp::Sub => from_f32(s, x - y),
        BinaryOp::Mul => from_f32(s, x * y),
        BinaryOp::Div => from_f32(s, x / y),
        BinaryOp::Min => {
            if x.is_nan() || y < x {
                b
            } else {
                a
            }
        }
        BinaryOp::Max => {
            if x.is_nan() || y > x {
                b
            } else {
                a
            }
        }
        BinaryOp::CopySign => {
            let sign = 1u64 << (s.bits() - 1);
            (a & !sign) | (b & sign)
        }
        // Not defined on floats; the verifier rejects them.
        BinaryOp::Rem
        | BinaryOp::And
        | BinaryOp::Or
        | BinaryOp::Xor
        | BinaryOp::Shl
        | BinaryOp::Shr
        | BinaryOp::MulHigh
        | BinaryOp::AddSat
        | BinaryOp::SubSat => 0,
    }
}

/// Bits above the type's width are the caller's to clear.
fn int_binary(op: BinaryOp, s: Scalar, a: u64, b: u64) -> u64 {
    let signed = s.is_signed();
    let (x, y) = (extend(s, a), extend(s, b));
    let shift = b as u32 & (s.bits() - 1);
    let saturate = |exact: i128| {
        let (least, most) = if signed {
            (-(1i128 << (s.bits() - 1)), (1i128 << (s.bits() - 1)) - 1)
        } else {
            (0, (1i128 << s.bits()) - 1)
        };
        exact.clamp(least, most) as u64
    };
    let wide = |x: i64| if signed { i128::from(x) } else { i128::from(x as u64) };
    let a_is_less = if signed { x < y } else { a < b };
    match op {
        BinaryOp::Add => a.wrapping_add(b),
        BinaryOp::Sub => a.wrapping_sub(b),
        BinaryOp::Mul => a.wrapping_mul(b),
        BinaryOp::Div if b == 0 => 0,
        BinaryOp::Div if signed => x.wrapping_div(y) as u64,
        BinaryOp::Div => a / b,
        BinaryOp::Rem if b == 0 => a,
        BinaryOp::Rem if signed => x.wrapping_rem(y) as u64,
        BinaryOp::Rem => a % b,
        BinaryOp::And => a & b,
        BinaryOp::Or => a | b,
        BinaryOp::Xor => a ^ b,
        BinaryOp::Shl => a << shift,
        BinaryOp::Shr if signed => (x >> shift) as u64,
        BinaryOp::Shr => a >> shift,
        BinaryOp::Min => {
            if a_is_less {
                a
            } else {
                b
            }
        }
        BinaryOp::Max => {
            if a_is_less {
                b
            } else {
                a
            }
        }
        BinaryOp::MulHigh if signed => ((wide(x) * wide(y)) >> s.bits()) as u64,
        BinaryOp::MulHigh => ((u128::from(a) * u128::from(b)) >> s.bits()) as u64,
        BinaryOp::AddSat => saturate(wide(x) + wide(y)),
        BinaryOp::SubSat => saturate(wide(x) - wide(y)),
        // Not defined on integers.
        BinaryOp::CopySign => 0,
    }
}

pub fn compare(op: CompareOp, s: Scalar, a: u64, b: u64) -> bool {
    use std::cmp::Ordering;
    let order = if s.is_float() {
        to_f32(s, a).partial_cmp(&to_f32(s, b))
    } else if s.is_signed() {
        Some(extend(s, a).cmp(&extend(s, b)))
    } else {
        Some(a.cmp(&b))
    };
    match op {
        CompareOp::Eq => order == Some(Ordering::Equal),
        CompareOp::Ne => order != Some(Ordering::Equal),
        CompareOp::Lt => order == Some(Ordering::Less),
        CompareOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        CompareOp::Gt => order == Some(Ordering::Greater),
        CompareOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// `a * b + c`, rounded once.
pub fn fma(s: Scalar, a: u64, b: u64, c: u64) -> u64 {
    let (x, y, z) = (to_f32(s, a), to_f32(s, b), to_f32(s, c));
    if s == Scalar::F32 {
        return u64::from(x.mul_add(y, z).to_bits());
    }
    // The product is exact in f64. The sum may not be; what it lost is folded into the last bit
    // (rounding to odd), so that the final rounding decides as if it saw everything.
    let (p, z) = (f64::from(x) * f64::from(y), f64::from(z));
    let sum = p + z;
    if !sum.is_finite() {
        return from_f64(s, sum);
    }
    let p_part = sum - z;
    let error = (p - p_part) + (z - (sum - p_part));
    let bits = sum.to_bits();
    let odd = if error == 0.0 || bits & 1 == 1 {
        sum
    } else if (error > 0.0) == (sum > 0.0) {
        f64::from_bits(bits + 1)
    } else {
        f64::from_bits(bits - 1)
    };
    from_f64(s, odd)
}

/// By value: to an integer saturating, NaN to 0; to `bool` whether it is not 0; to a float rounded.
pub fn convert(from: Scalar, to: Scalar, a: u64) -> u64 {
    if from == to {
        return a;
    }
    if from.is_float() {
        let x = to_f32(from, a);
        return match to {
            Scalar::Bool => u64::from(x != 0.0),
            Scalar::I8 => u64::from(x as i8 as u8),
            Scalar::U8 => u64::from(x as u8),
            Scalar::I16 => u64::from(x as i16 as u16),
            Scalar::U16 => u64::from(x as u16),
            Scalar::I32 => u64::from(x as i32 as u32),
            Scalar::U32 => u64::from(x as u32),
            Scalar::I64 => x as i64 as u64,
            Scalar::U64 => x as u64,
            Scalar::F16 | Scalar::BF16 | Scalar::F32 => from_f32(to, x),
        };
    }
    let value = extend(from, a);
    match to {
        Scalar::Bool => u64::from(a != 0),
        Scalar::F32 if from.is_signed() => u64::from((value as f32).to_bits()),
        Scalar::F32 => u64::from((a as f32).to_bits()),
        Scalar::F16 | Scalar::BF16 => {
            let magnitude = if from.is_signed() { value.unsigned_abs() } else { a };
            // More than 53 bits do not fit f64: keep whether any of the low ones was set.
            let x = if magnitude >> 53 == 0 {
                magnitude as f64
            } else {
                ((magnitude >> 11) | u64::from(magnitude & 0x7ff != 0)) as f64 * 2048.0
            };
            from_f64(to, if from.is_signed() && value < 0 { -x } else { x })
        }
        _ => value as u64 & mask(to),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEGERS: [Scalar; 8] =
        [Scalar::I8, Scalar::U8, Scalar::I16, Scalar::U16, Scalar::I32, Scalar::U32, Scalar::I64, Scalar::U64];

    fn samples(s: Scalar) -> Vec<u64> {
        let top = 1u64 << (s.bits() - 1);
        let mut v = vec![0, 1, 2, 3, 7, 100, top - 1, top, top + 1, mask(s), mask(s) - 1, 0x5a5a_5a5a_5a5a_5a5a];
        if s.is_float() {
            let one = from_f32(s, 1.0);
            let specials =
                [-1.0, 0.5, 1.5, -2.5, 3.75, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 300.0, -1e30, 1e-30];
            v.extend(specials.map(|x| from_f32(s, x)));
            v.extend([one + 1, one - 1]);
        }
        v.into_iter().map(|x| x & mask(s)).collect()
    }

    /// Every integer operation against exact arithmetic in 128 bits.
    #[test]
    fn integer_operations_agree_with_wide_arithmetic() {
        for s in INTEGERS {
            let bits = s.bits();
            let wide = |a: u64| if s.is_signed() { i128::from(extend(s, a)) } else { i128::from(a) };
            let wrap = |x: i128| x as u64 & mask(s);
            let (least, most) = if s.is_signed() {
                (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)
            } else {
                (0, (1i128 << bits) - 1)
            };
            for a in samples(s) {
                for b in samples(s) {
                    let (x, y) = (wide(a), wide(b));
                    let shift = (b % u64::from(bits)) as u32;
                    let expected = [
                        (BinaryOp::Add, wrap(x + y)),
                        (BinaryOp::Sub, wrap(x - y)),
                        (BinaryOp::Mul, wrap(x.wrapping_mul(y))),
                        (BinaryOp::Div, if y == 0 { 0 } else { wrap(x / y) }),
                        (BinaryOp::Rem, if y == 0 { a } else { wrap(x % y) }),
                        (BinaryOp::And, wrap(x & y)),
                        (BinaryOp::Or, wrap(x | y)),
                        (BinaryOp::Xor, wrap(x ^ y)),
                        (BinaryOp::Shl, wrap(x << shift)),
                        (BinaryOp::Shr, wrap(x >> shift)),
                        (BinaryOp::Min, wrap(x.min(y))),
                        (BinaryOp::Max, wrap(x.max(y))),
                        (BinaryOp::AddSat, wrap((x + y).clamp(least, most))),
                        (BinaryOp::SubSat, wrap((x - y).clamp(least, most))),
                    ];
                    for (op, e) in expected {
                        assert_eq!(binary(op, s, a, b), e, "{op:?} {s:?} {x} {y}");
                    }
                    let high = if s == Scalar::U64 {
                        ((u128::from(a) * u128::from(b)) >> 64) as u64
                    } else {
                        wrap((x * y) >> bits)
                    };
                    assert_eq!(binary(BinaryOp::MulHigh, s, a, b), high, "mul_high {s:?} {x} {y}");
                    assert_eq!(compare(CompareOp::Lt, s, a, b), x < y);
                    assert_eq!(compare(CompareOp::Ge, s, a, b), x >= y);
                }
                let x = wide(a);
                assert_eq!(unary(UnaryOp::Neg, s, a), wrap(-x));
                assert_eq!(unary(UnaryOp::Abs, s, a), wrap(x.abs()));
                assert_eq!(unary(UnaryOp::Not, s, a), wrap(!x));
                let ones = (0..bits).filter(|i| a >> i & 1 == 1);
                assert_eq!(unary(UnaryOp::PopCount, s, a), ones.clone().count() as u64);
                assert_eq!(unary(UnaryOp::TrailingZeros, s, a), u64::from(ones.clone().min().unwrap_or(bits)));
                assert_eq!(
                    unary(UnaryOp::LeadingZeros, s, a),
                    u64::from(ones.clone().max().map_or(bits, |m| bits - 1 - m))
                );
                assert_eq!(unary(UnaryOp::ReverseBits, s, a), ones.map(|i| 1u64 << (bits - 1 - i)).sum::<u64>());
            }
        }
    }

    #[test]
    fn float_operations_agree_with_f32_and_with_f64_rounded_by_search() {
        let same = |a: f32, b: f32| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        for a in samples(Scalar::F32) {
            for b in samples(Scalar::F32) {
                let (x, y) = (f32::from_bits(a as u32), f32::from_bits(b as u32));
                let got = |op| f32::from_bits(binary(op, Scalar::F32, a, b) as u32);
                assert!(same(got(BinaryOp::Add), x + y) && same(got(BinaryOp::Sub), x - y));
                assert!(same(got(BinaryOp::Mul), x * y) && same(got(BinaryOp::Div), x / y));
                assert!(same(got(BinaryOp::CopySign), x.copysign(y)));
                assert_eq!(got(BinaryOp::Min).is_nan(), x.is_nan() && y.is_nan());
                assert!(x.is_nan() || y.is_nan() || (got(BinaryOp::Min) <= x && got(BinaryOp::Max) >= y));
                assert_eq!(compare(CompareOp::Ne, Scalar::F32, a, b), x != y);
                assert_eq!(compare(CompareOp::Le, Scalar::F32, a, b), x <= y);
            }
        }
        for s in [Scalar::F16, Scalar::BF16] {
            for a in samples(s) {
                for b in samples(s) {
                    let (x, y) = (f64::from(to_f32(s, a)), f64::from(to_f32(s, b)));
                    for (op, exact) in [(BinaryOp::Add, x + y), (BinaryOp::Mul, x * y), (BinaryOp::Sub, x - y)] {
                        let got = binary(op, s, a, b);
                        assert!(is_nearest(s, got, exact), "{op:?} {s:?} {x} {y} gave {}", to_f32(s, got));
                    }
                }
            }
        }
    }

    /// Whether no neighbor is closer to the exact value, ties being even.
    fn is_nearest(s: Scalar, got: u64, exact: f64) -> bool {
        let value = |b: u64| f64::from(to_f32(s, b));
        if exact.is_nan() || value(got).is_nan() {
            return exact.is_nan() == value(got).is_nan();
        }
        if !value(got).is_finite() {
            // The least magnitude that rounds to infinity lies half a unit above the largest value.
            let infinity = from_f32(s, f32::INFINITY);
            let (largest, next) = (value(infinity - 1), value(infinity - 2));
            return exact.abs() >= largest + (largest - next) / 2.0 && (exact > 0.0) == (value(got) > 0.0);
        }
        let distance = (value(got) - exact).abs();
        [got.wrapping_add(1), got.wrapping_sub(1)].iter().all(|&n| {
            let n = n & mask(s);
            let d = (value(n) - exact).abs();
            !value(n).is_finite() || d > distance || (d == distance && (got & 1 == 0 || value(n) == value(got)))
        })
    }

    #[test]
    fn fma_of_short_floats_rounds_once() {
        // 1.0078125² = 1.01568603515625 lies on a tie of bf16 once a tiny addend is ignored.
        let s = Scalar::BF16;
        let tie = from_f32(s, 1.5);
        let factor = from_f32(s, 1.0078125);
        // 1.5 × 1.0078125 = 1.51171875 = a tie between 1.5078125 and 1.515625.
        let up = fma(s, tie, factor, from_f32(s, 1e-30));
        let down = fma(s, tie, factor, from_f32(s, -1e-30));
        assert_eq!((to_f32(s, up), to_f32(s, down)), (1.515625, 1.5078125));
        assert_eq!(f32::from_bits(fma(Scalar::F32, 0x3f80_0001, 0x3f80_0001, 0xbf80_0002) as u32), 2f32.powi(-46));
        for a in samples(Scalar::F16) {
            for b in samples(Scalar::F16) {
                let (x, y) = (f64::from(to_f32(Scalar::F16, a)), f64::from(to_f32(Scalar::F16, b)));
                assert!(is_nearest(Scalar::F16, fma(Scalar::F16, a, b, from_f32(Scalar::F16, 0.5)), x * y + 0.5));
            }
        }
    }

    #[test]
    fn conversions_saturate_and_round() {
        let f = |x: f32| u64::from(x.to_bits());
        let cases = [
            (Scalar::F32, Scalar::I8, f(200.0), 127),
            (Scalar::F32, Scalar::I8, f(-200.0), 0x80),
            (Scalar::F32, Scalar::U8, f(-1.0), 0),
            (Scalar::F32, Scalar::U32, f(1e20), 0xffff_ffff),
            (Scalar::F32, Scalar::I64, f(f32::NEG_INFINITY), 1 << 63),
            (Scalar::F32, Scalar::I32, f(f32::NAN), 0),
            (Scalar::F32, Scalar::I32, f(-1.99), 0xffff_ffff),
            (Scalar::F32, Scalar::Bool, f(f32::NAN), 1),
            (Scalar::F32, Scalar::Bool, f(-0.0), 0),
            (Scalar::F32, Scalar::F16, f(65520.0), 0x7c00),
            (Scalar::F32, Scalar::F16, f(65519.0), 0x7bff),
            (Scalar::I8, Scalar::U32, 0xff, 0xffff_ffff),
            (Scalar::U8, Scalar::I32, 0xff, 0xff),
            (Scalar::I32, Scalar::I8, 0x1234_56ff, 0xff),
            (Scalar::I32, Scalar::Bool, 0x100, 1),
            (Scalar::Bool, Scalar::F32, 1, f(1.0)),
            (Scalar::I32, Scalar::F32, 0xffff_ffff, f(-1.0)),
            (Scalar::U32, Scalar::F32, 0xffff_ffff, f(4294967296.0)),
            (Scalar::U64, Scalar::F32, u64::MAX, f(18446744073709551616.0)),
            (Scalar::I32, Scalar::F16, 2049, 0x6800),
            (Scalar::I32, Scalar::F16, 2051, 0x6802),
            (Scalar::I32, Scalar::F16, 100_000, 0x7c00),
            (Scalar::F16, Scalar::F32, 0x0001, f(5.9604645e-8)),
        ];
        for (from, to, input, expected) in cases {
            assert_eq!(convert(from, to, input), expected, "{from:?} {to:?} {input:#x}");
        }
        // A tie of bf16 but for the lowest of 64 bits.
        let x = (0x101u64 << 54) + 1;
        assert_eq!(to_f32(Scalar::BF16, convert(Scalar::U64, Scalar::BF16, x)), (0x102u64 << 54) as f32);
        assert_eq!(to_f32(Scalar::BF16, convert(Scalar::U64, Scalar::BF16, x - 1)), (0x100u64 << 54) as f32);
    }

    #[test]
    fn rounding_from_f64_agrees_with_every_f16() {
        for bits in 0..=0xffffu64 {
            let x = to_f32(Scalar::F16, bits);
            if !x.is_nan() {
                assert_eq!(from_f64(Scalar::F16, f64::from(x)), bits);
            }
            let b = to_f32(Scalar::BF16, bits);
            if !b.is_nan() {
                assert_eq!(from_f64(Scalar::BF16, f64::from(b)), bits);
            }
        }
    }

    #[test]
    fn roots_and_roundings() {
        let f = |x: f32| u64::from(x.to_bits());
        let go = |op, x| f32::from_bits(unary(op, Scalar::F32, f(x)) as u32);
        assert_eq!(go(UnaryOp::Sqrt, 2.0), 2f32.sqrt());
        assert!(go(UnaryOp::Sqrt, -1.0).is_nan());
        assert_eq!(go(UnaryOp::Rsqrt, 4.0), 0.5);
        assert_eq!(go(UnaryOp::Floor, -1.5), -2.0);
        assert_eq!(go(UnaryOp::Ceil, -1.5), -1.0);
        assert_eq!(go(UnaryOp::Trunc, -1.5), -1.0);
        assert_eq!(go(UnaryOp::RoundEven, 2.5), 2.0);
        assert_eq!(go(UnaryOp::Neg, 0.0).to_bits(), (-0.0f32).to_bits());
        assert_eq!(unary(UnaryOp::IsNan, Scalar::F16, 0x7c01), 1);
        assert_eq!(unary(UnaryOp::IsInf, Scalar::BF16, 0xff80), 1);
    }
}

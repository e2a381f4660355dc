//! The value of operations on constants.
//!
//! In: an operation and the bits of its operands, as [`Op::Const`] keeps them. Out: the bits of the result,
//! exactly what the interpreter computes, or nothing where the result is unspecified, depends on the target, or is
//! a NaN (whose bits are not specified).

use half::{bf16, f16};

use crate::ir::{BinaryOp, CompareOp, UnaryOp};
use crate::types::Scalar;

/// The low bits of a value of that type.
pub fn truncate(s: Scalar, bits: u64) -> u64 {
    match s {
        Scalar::Bool => u64::from(bits & 1 != 0),
        _ if s.bits() == 64 => bits,
        _ => bits & ((1 << s.bits()) - 1),
    }
}

/// The integer value of constant bits.
pub fn to_int(s: Scalar, bits: u64) -> i128 {
    crate::analysis::uniformity::constant_value(s, bits)
}

pub fn from_int(s: Scalar, value: i128) -> u64 {
    truncate(s, value as u64)
}

/// The value of constant float bits; exact.
pub fn to_f32(s: Scalar, bits: u64) -> f32 {
    match s {
        Scalar::F16 => f16::from_bits(bits as u16).to_f32(),
        Scalar::BF16 => bf16::from_bits(bits as u16).to_f32(),
        _ => f32::from_bits(bits as u32),
    }
}

/// Rounds to nearest even; `None` for NaN.
pub fn from_f32(s: Scalar, value: f32) -> Option<u64> {
    if value.is_nan() {
        return None;
    }
    Some(match s {
        Scalar::F16 => u64::from(f16::from_f32(value).to_bits()),
        Scalar::BF16 => u64::from(bf16::from_f32(value).to_bits()),
        _ => u64::from(value.to_bits()),
    })
}

pub fn unary(op: UnaryOp, s: Scalar, bits: u64) -> Option<u64> {
    if s.is_float() {
        let x = to_f32(s, bits);
        return match op {
            UnaryOp::Neg => from_f32(s, -x),
            UnaryOp::Abs => from_f32(s, x.abs()),
            UnaryOp::Sqrt => from_f32(s, x.sqrt()),
            UnaryOp::Floor => from_f32(s, x.floor()),
            UnaryOp::Ceil => from_f32(s, x.ceil()),
            UnaryOp::Trunc => from_f32(s, x.trunc()),
            UnaryOp::RoundEven => from_f32(s, x.round_ties_even()),
            UnaryOp::IsNan => Some(u64::from(x.is_nan())),
            UnaryOp::IsInf => Some(u64::from(x.is_infinite())),
            // How exact it is depends on the flags; left to the target.
            UnaryOp::Rsqrt => None,
            UnaryOp::Not
            | UnaryOp::PopCount
            | UnaryOp::LeadingZeros
            | UnaryOp::TrailingZeros
            | UnaryOp::ReverseBits => None,
        };
    }
    if s == Scalar::Bool {
        return (op == UnaryOp::Not).then_some(1 - (bits & 1));
    }
    let width = s.bits();
    let low = truncate(s, bits);
    Some(match op {
        UnaryOp::Neg => from_int(s, to_int(s, bits).wrapping_neg()),
        UnaryOp::Not => truncate(s, !low),
        UnaryOp::Abs => from_int(s, to_int(s, bits).abs()),
        UnaryOp::PopCount => u64::from(low.count_ones()),
        UnaryOp::LeadingZeros => u64::from(low.leading_zeros() - (64 - width)),
        UnaryOp::TrailingZeros => u64::from(low.trailing_zeros().min(width)),
        UnaryOp::ReverseBits => low.reverse_bits() >> (64 - width),
        UnaryOp::Sqrt
        | UnaryOp::Rsqrt
        | UnaryOp::Floor
        | UnaryOp::Ceil
        | UnaryOp::Trunc
        | UnaryOp::RoundEven
        | UnaryOp::IsNan
        | UnaryOp::IsInf => return None,
    })
}

pub fn binary(op: BinaryOp, s: Scalar, a: u64, b: u64) -> Option<u64> {
    if s.is_float() {
        let (x, y) = (to_f32(s, a), to_f32(s, b));
        if x.is_nan() || y.is_nan() {
            return None;
        }
        // One rounding to f32 and one to the narrow type give what one rounding would, for these operations.
        return match op {
            BinaryOp::Add => from_f32(s, x + y),
            BinaryOp::Sub => from_f32(s, x - y),
            BinaryOp::Mul => from_f32(s, x * y),
            BinaryOp::Div => from_f32(s, x / y),
            BinaryOp::Min if x != y => from_f32(s, x.min(y)),
            BinaryOp::Max if x != y => from_f32(s, x.max(y)),
            BinaryOp::CopySign => from_f32(s, x.copysign(y)),
            _ => None,
        };
    }
    if s == Scalar::Bool {
        let (a, b) = (a & 1, b & 1);
        return match op {
            BinaryOp::And => Some(a & b),
            BinaryOp::Or => Some(a | b),
            BinaryOp::Xor => Some(a ^ b),
            _ => None,
        };
    }
    let (x, y) = (to_int(s, a), to_int(s, b));
    let width = s.bits();
    let (low, high) = range(s);
    let shift = (b & u64::from(width - 1)) as u32;
    Some(match op {
        BinaryOp::Add => from_int(s, x + y),
        BinaryOp::Sub => from_int(s, x - y),
        BinaryOp::Mul => from_int(s, x.wrapping_mul(y)),
        BinaryOp::Div | BinaryOp::Rem if y == 0 || (s.is_signed() && x == low && y == -1) => return None,
        BinaryOp::Div => from_int(s, x / y),
        BinaryOp::Rem => from_int(s, x % y),
        BinaryOp::And => truncate(s, a & b),
        BinaryOp::Or => truncate(s, a | b),
        BinaryOp::Xor => truncate(s, a ^ b),
        BinaryOp::Shl => truncate(s, a << shift),
        BinaryOp::Shr => from_int(s, x >> shift),
        BinaryOp::Min => from_int(s, x.min(y)),
        BinaryOp::Max => from_int(s, x.max(y)),
        BinaryOp::MulHigh => from_int(s, x.wrapping_mul(y) >> width),
        BinaryOp::AddSat => from_int(s, (x + y).clamp(low, high)),
        BinaryOp::SubSat => from_int(s, (x - y).clamp(low, high)),
        BinaryOp::CopySign => return None,
    })
}

fn range(s: Scalar) -> (i128, i128) {
    let bits = s.bits();
    if s.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

pub fn compare(op: CompareOp, s: Scalar, a: u64, b: u64) -> u64 {
    use std::cmp::Ordering::{Equal, Greater, Less};
    let order =
        if s.is_float() { to_f32(s, a).partial_cmp(&to_f32(s, b)) } else { Some(to_int(s, a).cmp(&to_int(s, b))) };
    u64::from(match op {
        CompareOp::Eq => order == Some(Equal),
        CompareOp::Ne => order != Some(Equal),
        CompareOp::Lt => order == Some(Less),
        CompareOp::Le => matches!(order, Some(Less | Equal)),
        CompareOp::Gt => order == Some(Greater),
        CompareOp::Ge => matches!(order, Some(Greater | Equal)),
    })
}

pub fn convert(from: Scalar, to: Scalar, bits: u64) -> Option<u64> {
    if from.is_float() {
        let x = to_f32(from, bits);
        return match to {
            Scalar::Bool => Some(u64::from(x != 0.0)),
            _ if to.is_float() => from_f32(to, x),
            _ if x.is_nan() => Some(0),
            _ => {
                let (low, high) = range(to);
                // `as` saturates, and the range of every type lies within that of i128.
                Some(from_int(to, (f64::from(x) as i128).clamp(low, high)))
            }
        };
    }
    let x = to_int(from, bits);
    match to {
        Scalar::Bool => Some(u64::from(x != 0)),
        Scalar::F32 => from_f32(to, x as f32),
        // Not exact in f32: two roundings could differ from one.
        Scalar::F16 | Scalar::BF16 if x.unsigned_abs() >= 1 << 24 => None,
        Scalar::F16 | Scalar::BF16 => from_f32(to, x as f32),
        _ => Some(from_int(to, x)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_wrap_and_saturate_as_their_type_says() {
        assert_eq!(binary(BinaryOp::Add, Scalar::U8, 250, 10), Some(4));
        assert_eq!(binary(BinaryOp::AddSat, Scalar::I8, 0x7f, 1), Some(0x7f));
        assert_eq!(binary(BinaryOp::Shr, Scalar::I32, 0xffff_fff0, 2), Some(0xffff_fffc));
        assert_eq!(binary(BinaryOp::Shl, Scalar::U32, 1, 33), Some(2));
        assert_eq!(binary(BinaryOp::Div, Scalar::I32, 1, 0), None);
        assert_eq!(binary(BinaryOp::MulHigh, Scalar::U64, u64::MAX, 2), Some(1));
        assert_eq!(unary(UnaryOp::LeadingZeros, Scalar::U16, 0), Some(16));
        assert_eq!(convert(Scalar::F32, Scalar::U8, u64::from(300f32.to_bits())), Some(255));
        assert_eq!(convert(Scalar::F32, Scalar::I32, u64::from(f32::NAN.to_bits())), Some(0));
        assert_eq!(compare(CompareOp::Ne, Scalar::F32, u64::from(f32::NAN.to_bits()), 0), 1);
    }
}

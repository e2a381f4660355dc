//! Intrinsics with constant operands.

use msl_stdlib::Intrinsic;

use super::{Const, compare_scalar, convert_scalar, float_from_bits, float_to_bits, sign_extend, truncate};
use crate::checker::Checker;
use crate::hir::CompareOp;
use crate::types::*;

impl Checker<'_> {
    /// `None`: not known while compiling.
    pub fn fold_intrinsic(&mut self, intrinsic: Intrinsic, args: &[(Const, Ty)], ty: Ty) -> Option<Const> {
        match intrinsic {
            Intrinsic::Bitcast => {
                let (value, from) = args.first()?;
                let (mut bytes, pointers) = self.value_bytes(value, *from)?;
                if !pointers.is_empty() {
                    return None;
                }
                bytes.resize(bytes.len().max(self.size_of(ty) as usize), 0);
                return self.value_from_bytes(&bytes, ty);
            }
            Intrinsic::Convert => {
                let (value, from) = args.first()?;
                let (f, _) = self.program.types.as_numeric(*from)?;
                let (t, n) = self.program.types.as_numeric(ty)?;
                return match value {
                    Const::Scalar(b) if n == 1 => Some(Const::Scalar(convert_scalar(*b, f, t))),
                    Const::Scalar(b) => Some(Const::Vector(vec![convert_scalar(*b, f, t); usize::from(n)])),
                    Const::Vector(v) => Some(Const::Vector(v.iter().map(|b| convert_scalar(*b, f, t)).collect())),
                    _ => None,
                };
            }
            Intrinsic::Select => {
                let [(condition, _), (a, _), (b, _)] = args else { return None };
                return Some(match (condition, a, b) {
                    (Const::Scalar(c), a, b) => {
                        if *c != 0 {
                            a.clone()
                        } else {
                            b.clone()
                        }
                    }
                    (Const::Vector(c), Const::Vector(a), Const::Vector(b)) => Const::Vector(
                        c.iter().zip(a.iter().zip(b)).map(|(c, (a, b))| if *c != 0 { *a } else { *b }).collect(),
                    ),
                    _ => return None,
                });
            }
            _ => {}
        }
        // Elementwise on operands of one type.
        let (first, operand_ty) = args.first()?;
        let (s, n) = self.program.types.as_numeric(*operand_ty)?;
        let component = |i: usize| -> Option<u64> {
            let items: Vec<u64> = args
                .iter()
                .map(|(v, _)| match v {
                    Const::Scalar(b) => Some(*b),
                    Const::Vector(v) => v.get(i).copied(),
                    _ => None,
                })
                .collect::<Option<_>>()?;
            elementwise(intrinsic, &items, s)
        };
        match first {
            Const::Scalar(_) => component(0).map(Const::Scalar),
            Const::Vector(_) => (0..usize::from(n)).map(component).collect::<Option<_>>().map(Const::Vector),
            _ => None,
        }
    }
}

fn elementwise(intrinsic: Intrinsic, a: &[u64], s: Scalar) -> Option<u64> {
    let x = *a.first()?;
    let y = a.get(1).copied().unwrap_or(0);
    let width = s.size() as u32 * 8;
    let float = |f: fn(f64) -> f64| s.is_float().then(|| float_to_bits(f(float_from_bits(x, s)), s));
    Some(match intrinsic {
        Intrinsic::Abs if s.is_float() => x & !(1 << (width - 1)),
        Intrinsic::Abs if s.is_signed() => truncate(sign_extend(x, s).unsigned_abs(), s),
        Intrinsic::Abs => x,
        Intrinsic::Sqrt => float(f64::sqrt)?,
        Intrinsic::Rsqrt => float(|v| 1.0 / v.sqrt())?,
        Intrinsic::Floor => float(f64::floor)?,
        Intrinsic::Ceil => float(f64::ceil)?,
        Intrinsic::Trunc => float(f64::trunc)?,
        Intrinsic::RoundEven => float(f64::round_ties_even)?,
        Intrinsic::IsNan if s.is_float() => u64::from(float_from_bits(x, s).is_nan()),
        Intrinsic::IsInf if s.is_float() => u64::from(float_from_bits(x, s).is_infinite()),
        Intrinsic::PopCount => u64::from(truncate(x, s).count_ones()),
        Intrinsic::LeadingZeros => u64::from(truncate(x, s).leading_zeros() - (64 - width)),
        Intrinsic::TrailingZeros => u64::from(truncate(x, s).trailing_zeros().min(width)),
        Intrinsic::ReverseBits => truncate(x, s).reverse_bits() >> (64 - width),
        Intrinsic::Min | Intrinsic::Max => {
            // A NaN gives way to a number.
            let op = if intrinsic == Intrinsic::Min { CompareOp::Lt } else { CompareOp::Gt };
            let x_nan = s.is_float() && float_from_bits(x, s).is_nan();
            let y_nan = s.is_float() && float_from_bits(y, s).is_nan();
            if y_nan || (!x_nan && compare_scalar(op, x, y, s)) { x } else { y }
        }
        Intrinsic::CopySign if s.is_float() => {
            let sign = 1u64 << (width - 1);
            x & !sign | y & sign
        }
        Intrinsic::MulHigh if s.is_signed() => {
            truncate(((i128::from(sign_extend(x, s)) * i128::from(sign_extend(y, s))) >> width) as u64, s)
        }
        Intrinsic::MulHigh if s.is_integer() => {
            truncate(((u128::from(truncate(x, s)) * u128::from(truncate(y, s))) >> width) as u64, s)
        }
        Intrinsic::AddSat | Intrinsic::SubSat if s.is_integer() => {
            let value = |b: u64| if s.is_signed() { i128::from(sign_extend(b, s)) } else { i128::from(truncate(b, s)) };
            let r = if intrinsic == Intrinsic::AddSat { value(x) + value(y) } else { value(x) - value(y) };
            let (lo, hi) = if s.is_signed() {
                (-(1i128 << (width - 1)), (1i128 << (width - 1)) - 1)
            } else {
                (0, (1i128 << width) - 1)
            };
            truncate(r.clamp(lo, hi) as u64, s)
        }
        Intrinsic::Fma if s.is_float() => {
            let z = a.get(2).copied().unwrap_or(0);
            if s == Scalar::Float {
                let f = |b: u64| f32::from_bits(b as u32);
                u64::from(f(x).mul_add(f(y), f(z)).to_bits())
            } else {
                let f = |b: u64| float_from_bits(b, s);
                float_to_bits(f(x).mul_add(f(y), f(z)), s)
            }
        }
        _ => return None,
    })
}

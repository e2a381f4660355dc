//! Literals (MSL section 2.1: a floating-point literal without suffix is `float`).

use msl_base::Span;
use msl_syntax::ast::{FloatSuffix, IntegerSuffix};

use super::{Value, constant};
use crate::checker::Checker;
use crate::types::*;

impl Checker<'_> {
    pub fn check_integer(&mut self, value: u64, suffix: IntegerSuffix, is_decimal: bool, span: Span) -> Value {
        let fits_int = value <= i32::MAX as u64;
        let fits_uint = value <= u64::from(u32::MAX);
        let fits_long = value <= i64::MAX as u64;
        let ty = match suffix {
            IntegerSuffix::None if fits_int => Ty::INT,
            IntegerSuffix::None if fits_uint && !is_decimal => Ty::UINT,
            IntegerSuffix::None | IntegerSuffix::L | IntegerSuffix::LL if fits_long => Ty::LONG,
            IntegerSuffix::U if fits_uint => Ty::UINT,
            _ => Ty::ULONG,
        };
        Value::rvalue(constant(value, ty, span))
    }

    pub fn check_float(&mut self, value: f64, suffix: FloatSuffix, span: Span) -> Value {
        let scalar = match suffix {
            FloatSuffix::None | FloatSuffix::F => Scalar::Float,
            FloatSuffix::H => Scalar::Half,
            FloatSuffix::BF => Scalar::BFloat,
        };
        Value::rvalue(constant(crate::constant::float_to_bits(value, scalar), Ty::scalar(scalar), span))
    }
}

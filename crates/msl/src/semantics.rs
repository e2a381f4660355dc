//! The checker, as the façade calls it: one place that knows both vocabularies.

use msl_sema::hir::FpMode;
use msl_sema::types::Scalar;

use crate::library::FunctionConstant;
use crate::options::{CompileOptions, FunctionConstantValues, MathMode};

pub fn options(options: &CompileOptions) -> msl_sema::Options {
    let fp_mode = match options.math_mode {
        MathMode::Safe => FpMode::Strict,
        MathMode::Relaxed => FpMode::Contract,
        MathMode::Fast => FpMode::Fast,
    };
    msl_sema::Options { fp_mode }
}

pub fn constants(values: &FunctionConstantValues) -> msl_sema::FunctionConstantValues {
    let mut out = msl_sema::FunctionConstantValues::default();
    for (index, value) in values.indices() {
        out.set_index(index, value.bits);
    }
    for (name, value) in values.names() {
        out.set_name(name, value.bits);
    }
    out
}

pub fn function_constant(info: msl_sema::FunctionConstantInfo) -> FunctionConstant {
    FunctionConstant { name: info.name.to_string(), index: info.index, scalar: scalar(info.scalar), len: info.len }
}

fn scalar(scalar: Scalar) -> msl_ir::Scalar {
    match scalar {
        Scalar::Bool => msl_ir::Scalar::Bool,
        Scalar::Char => msl_ir::Scalar::I8,
        Scalar::UChar => msl_ir::Scalar::U8,
        Scalar::Short => msl_ir::Scalar::I16,
        Scalar::UShort => msl_ir::Scalar::U16,
        Scalar::Int => msl_ir::Scalar::I32,
        Scalar::UInt => msl_ir::Scalar::U32,
        Scalar::Long => msl_ir::Scalar::I64,
        Scalar::ULong => msl_ir::Scalar::U64,
        Scalar::Half => msl_ir::Scalar::F16,
        Scalar::BFloat => msl_ir::Scalar::BF16,
        Scalar::Float => msl_ir::Scalar::F32,
    }
}

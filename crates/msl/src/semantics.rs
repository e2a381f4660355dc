//! The checker, as the façade calls it: one place that knows its interface.

use std::sync::Arc;

use msl_base::Diagnostics;
use msl_sema::hir::{self, FpMode};
use msl_sema::types::Scalar;
use msl_sema::{Declarations, Options};
use msl_syntax::ast::TranslationUnit;

use crate::library::FunctionConstant;
use crate::options::{CompileOptions, FunctionConstantValues, MathMode};

/// Declarations of a source, on top of others.
pub enum Layer {
    Prelude(Arc<Declarations>),
    Library(msl_sema::Library),
}

pub fn declare(unit: &TranslationUnit, base: Option<&Arc<Layer>>, diagnostics: &mut Diagnostics) -> Layer {
    let prelude = match base.map(|b| &**b) {
        Some(Layer::Prelude(p)) => p.clone(),
        Some(Layer::Library(_)) | None => {
            let (declarations, found) = Declarations::prelude(unit);
            diagnostics.extend(found);
            return Layer::Prelude(declarations);
        }
    };
    let (library, found) = msl_sema::Library::new(&prelude, unit);
    diagnostics.extend(found);
    Layer::Library(library)
}

pub fn entry_points(layer: &Layer) -> Vec<String> {
    match layer {
        Layer::Prelude(_) => Vec::new(),
        Layer::Library(l) => l.entry_points().into_iter().map(|e| e.name.to_string()).collect(),
    }
}

pub fn function_constants(layer: &Layer) -> Vec<FunctionConstant> {
    let Layer::Library(library) = layer else { return Vec::new() };
    library
        .function_constants()
        .into_iter()
        .map(|c| FunctionConstant { name: c.name.to_string(), index: c.index, scalar: scalar(c.scalar), len: c.len })
        .collect()
}

fn scalar(s: Scalar) -> msl_ir::Scalar {
    use msl_ir::Scalar as Ir;
    match s {
        Scalar::Bool => Ir::Bool,
        Scalar::Char => Ir::I8,
        Scalar::UChar => Ir::U8,
        Scalar::Short => Ir::I16,
        Scalar::UShort => Ir::U16,
        Scalar::Int => Ir::I32,
        Scalar::UInt => Ir::U32,
        Scalar::Long => Ir::I64,
        Scalar::ULong => Ir::U64,
        Scalar::Half => Ir::F16,
        Scalar::BFloat => Ir::BF16,
        Scalar::Float => Ir::F32,
    }
}

pub fn check(
    layer: &Layer,
    entry: &str,
    options: &CompileOptions,
    constants: &FunctionConstantValues,
) -> (Option<hir::Program>, Diagnostics) {
    let Layer::Library(library) = layer else { return (None, Diagnostics::new()) };
    let fp_mode = match options.math_mode {
        MathMode::Safe => FpMode::Strict,
        MathMode::Relaxed => FpMode::Contract,
        MathMode::Fast => FpMode::Fast,
    };
    let mut values = msl_sema::FunctionConstantValues::default();
    for (index, value) in constants.indices() {
        values.set_index(index, value.bits);
    }
    for (name, value) in constants.names() {
        values.set_name(name, value.bits);
    }
    library.compile(entry, &Options { fp_mode }, &values)
}

//! The checker, as the façade calls it: one place that knows its interface.

use std::sync::Arc;

use msl_base::{Diagnostic, Diagnostics, Span};
use msl_sema::hir;
use msl_syntax::ast::TranslationUnit;

use crate::library::FunctionConstant;
use crate::options::{CompileOptions, FunctionConstantValues};

/// Declarations of a source, on top of others.
pub struct Layer;

pub fn declare(_unit: &TranslationUnit, _base: Option<&Arc<Layer>>, _diagnostics: &mut Diagnostics) -> Layer {
    Layer
}

pub fn entry_points(_layer: &Layer) -> Vec<String> {
    Vec::new()
}

pub fn function_constants(_layer: &Layer) -> Vec<FunctionConstant> {
    Vec::new()
}

pub fn check(
    _layer: &Layer,
    _entry: &str,
    _options: &CompileOptions,
    _constants: &FunctionConstantValues,
) -> (Option<hir::Program>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    diagnostics.push(Diagnostic::error("unsupported-check", Span::NONE, "the checker is not linked in yet"));
    (None, diagnostics)
}

//! Where the functions of a library come from: MSL through the front end, or the text form of the IR.

mod files;
mod msl_source;
mod remembered;

use std::collections::HashMap;
use std::sync::Arc;

use metallic_hal::{FunctionConstantValue, KernelCode, LibraryText};
use msl::{FileProvider, MathMode, VisibleFunction};
use msl_ir::{Module, Scalar};

pub(crate) use msl_source::open_msl;

use crate::{
    CompileError, CompileOptions, ConstantValue, Diagnostic, Error, FunctionConstant, FunctionConstantValues, Result,
};
use files::Files;

/// One entry point, as far as it has to be compiled by now.
pub(crate) struct Compiled {
    pub code: Arc<KernelCode>,
    /// As the source declares them.
    pub constants: Vec<FunctionConstantValue>,
}

pub(crate) trait Source: Send + Sync {
    fn function_names(&self) -> &[String];
    fn function_constants(&self) -> Vec<FunctionConstant>;
    /// What can be put into tables.
    fn visible_functions(&self) -> &[VisibleFunction];
    fn warnings(&self) -> Vec<Diagnostic>;
    fn compile(&self, name: &str, constants: &FunctionConstantValues) -> Result<Compiled>;
}

/// The values as the types that the source declares.
fn constant_values(
    declared: &[msl::FunctionConstant],
    values: &FunctionConstantValues,
) -> std::result::Result<msl::FunctionConstantValues, String> {
    let mut out = msl::FunctionConstantValues::new();
    for constant in declared {
        let Some(value) = values.get(constant.index, &constant.name) else { continue };
        let converted = convert(value, constant.scalar, constant.len).ok_or_else(|| {
            let (name, ty) = (&constant.name, type_name(constant.scalar, constant.len));
            format!("{value:?} is no value of function constant {name}, a {ty}")
        })?;
        out.set_index(constant.index, converted);
    }
    Ok(out)
}

/// Values of function constants as the front end takes them, for tools that call it themselves.
pub fn msl_constants(
    text: &str,
    options: &CompileOptions,
    values: &FunctionConstantValues,
) -> Result<msl::FunctionConstantValues> {
    if values.is_empty() {
        return Ok(msl::FunctionConstantValues::new());
    }
    let files = options.file_provider();
    let library = msl::Library::open(&options.source_name, text, &options.to_msl(), &files).map_err(compile_error)?;
    constant_values(&library.function_constants(), values).map_err(Error::Function)
}

/// The text form of the IR.
pub(crate) fn open_ir(text: &str) -> Result<Box<dyn Source>> {
    let fail = |rendered: String| Error::Compile(CompileError { rendered, diagnostics: Vec::new() });
    let module = msl_ir::text::parse(text).map_err(|error| fail(error.to_string()))?;
    msl_ir::verify(&module).map_err(|errors| fail(errors.iter().map(|e| format!("{e}\n")).collect::<String>()))?;
    let names: Vec<String> = module.entry_points.iter().map(|e| e.name.to_string()).collect();
    let by_name = names.iter().enumerate().map(|(i, name)| (name.clone(), i)).collect();
    Ok(Box::new(IrSource { module: Arc::new(module), names, by_name }))
}

struct IrSource {
    module: Arc<Module>,
    names: Vec<String>,
    by_name: HashMap<String, usize>,
}

impl Source for IrSource {
    fn function_names(&self) -> &[String] {
        &self.names
    }
    fn function_constants(&self) -> Vec<FunctionConstant> {
        Vec::new()
    }
    fn visible_functions(&self) -> &[VisibleFunction] {
        &[]
    }
    fn warnings(&self) -> Vec<Diagnostic> {
        Vec::new()
    }
    fn compile(&self, name: &str, _constants: &FunctionConstantValues) -> Result<Compiled> {
        let entry = *self.by_name.get(name).ok_or_else(|| Error::Function(format!("there is no function {name}")))?;
        let code = Arc::new(KernelCode::new(self.module.clone(), entry, None));
        Ok(Compiled { code, constants: Vec::new() })
    }
}

impl CompileOptions {
    /// As the front end takes them.
    pub fn to_msl(&self) -> msl::CompileOptions {
        let mut options = msl::CompileOptions::default();
        if let Some(version) = self.language_version {
            options.language_version = version;
        }
        options.math_mode = if self.fast_math_enabled { MathMode::Fast } else { MathMode::Safe };
        options.defines =
            self.preprocessor_macros.iter().map(|(name, value)| (name.clone(), Some(value.clone()))).collect();
        options
    }
    /// A source as a driver that compiles MSL itself takes it.
    pub(crate) fn to_text(&self, text: &str) -> LibraryText {
        LibraryText {
            text: msl::include_files(text, &self.source_name, &self.file_provider()),
            preprocessor_macros: self.preprocessor_macros.clone(),
            language_version: self.language_version,
            fast_math_enabled: self.fast_math_enabled,
        }
    }
    fn files(&self) -> Files {
        Files { headers: self.headers.clone(), directories: self.include_directories.clone() }
    }
    /// Where the front end finds included files.
    pub fn file_provider(&self) -> impl FileProvider + Send + Sync + 'static {
        self.files()
    }
}

fn compile_error(error: msl::CompileError) -> Error {
    let diagnostics = error.report().messages().into_iter().map(Diagnostic::from).collect();
    Error::Compile(CompileError { rendered: error.to_string(), diagnostics })
}

fn type_name(scalar: Scalar, len: u8) -> String {
    let base = scalar.msl_name();
    if len == 1 { base.into() } else { format!("{base}{len}") }
}

/// A value as a declared type; `None` for another number of components or an integer out of range.
fn convert(value: &ConstantValue, scalar: Scalar, len: u8) -> Option<msl::ConstantValue> {
    let one = std::slice::from_ref(value);
    let components = match value {
        ConstantValue::Vector(components) => components.as_slice(),
        _ => one,
    };
    if components.len() != usize::from(len) || components.len() > 4 {
        return None;
    }
    let mut bits = [0; 4];
    for (slot, component) in bits.iter_mut().zip(components) {
        *slot = convert_scalar(component, scalar)?;
    }
    Some(msl::ConstantValue { scalar, len, bits })
}

fn convert_scalar(value: &ConstantValue, scalar: Scalar) -> Option<u64> {
    let float = match value {
        ConstantValue::Bool(b) => f64::from(u8::from(*b)),
        ConstantValue::Int(i) => *i as f64,
        ConstantValue::UInt(u) => *u as f64,
        ConstantValue::Float(f) => *f,
        ConstantValue::Vector(_) => return None,
    };
    let integer = match value {
        ConstantValue::Bool(b) => i128::from(*b),
        ConstantValue::Int(i) => i128::from(*i),
        ConstantValue::UInt(u) => i128::from(*u),
        ConstantValue::Float(f) if f.fract() == 0.0 => *f as i128,
        _ if scalar.is_float() || scalar == Scalar::Bool => 0,
        _ => return None,
    };
    let width = scalar.bits();
    match scalar {
        Scalar::Bool => Some(u64::from(float != 0.0)),
        Scalar::F16 => Some(u64::from(half::f16::from_f64(float).to_bits())),
        Scalar::BF16 => Some(u64::from(half::bf16::from_f64(float).to_bits())),
        Scalar::F32 => Some(u64::from((float as f32).to_bits())),
        _ => {
            let (least, most) = if scalar.is_signed() {
                (-(1i128 << (width - 1)), (1i128 << (width - 1)) - 1)
            } else {
                (0, (1i128 << width) - 1)
            };
            let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
            (least..=most).contains(&integer).then_some(integer as u64 & mask)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_take_the_declared_type() {
        let bits = |value: ConstantValue, scalar| convert_scalar(&value, scalar);
        assert_eq!(bits((-1).into(), Scalar::I16), Some(0xffff));
        assert_eq!(bits((-1).into(), Scalar::U16), None);
        assert_eq!(bits(2.0f32.into(), Scalar::U8), Some(2));
        assert_eq!(bits(2.5f32.into(), Scalar::U8), None);
        assert_eq!(bits(true.into(), Scalar::F32), Some(0x3f80_0000));
        assert_eq!(bits(0.5f32.into(), Scalar::Bool), Some(1));
        let pair = ConstantValue::Vector(vec![1.into(), 2.into()]);
        assert_eq!(convert(&pair, Scalar::I32, 2).unwrap().bits, [1, 2, 0, 0]);
        assert_eq!(convert(&pair, Scalar::I32, 3), None);
    }
}

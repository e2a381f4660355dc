//! MSL: a source that the front end has opened, or one that the cache remembers, which the front end opens when
//! somebody needs more than is remembered.

use std::sync::{Arc, OnceLock};

use metallic_hal as hal;
use metallic_hal::cache::Key;
use metallic_hal::{FunctionConstantValue, KernelCode, KernelOrigin};
use msl::VisibleFunction;
use msl_base::SourceMap;
use msl_ir::Module;

use super::files::ReadFiles;
use super::remembered::{self, Contents};
use super::{Compiled, Source, compile_error, constant_values, type_name};
use crate::{CompileOptions, Diagnostic, Error, FunctionConstant, FunctionConstantValues, Result};

/// Sources with at most so many kernels are checked in full when they are opened.
const CHECKED_AT_ONCE: usize = 32;

pub(crate) fn open_msl(text: &str, options: &CompileOptions) -> Result<Box<dyn Source>> {
    let key = remembered::library_key(text, options);
    if let Some(key) = &key {
        let files = ReadFiles::new(options.files());
        if let Some((contents, digest)) = remembered::library(key, &files) {
            let how = How { text: text.into(), options: options.clone(), files };
            let inner = Inner { contents, digest: Some(digest), library: OnceLock::new(), how: Some(how) };
            return Ok(Box::new(MslSource(Arc::new(inner))));
        }
    }
    let files = ReadFiles::new(options.files());
    let library = open(text, options, &files)?;
    let contents = Contents {
        names: library.entry_points(),
        declared: library.function_constants(),
        visible: library.visible_functions(),
        has_warnings: !library.warnings().is_empty(),
    };
    // The front end checks bodies when they are compiled; a library with mistakes should not open.
    // Without values for its function constants a kernel may fail for want of them, so those wait.
    if options.checks_bodies && contents.names.len() <= CHECKED_AT_ONCE && contents.declared.is_empty() {
        for name in &contents.names {
            library.check(name, &msl::FunctionConstantValues::new()).map_err(compile_error)?;
        }
    }
    let digest = key.and_then(|key| remembered::remember_library(&key, &contents, &files));
    let inner = Inner { contents, digest, library: OnceLock::from(Ok(library)), how: None };
    Ok(Box::new(MslSource(Arc::new(inner))))
}

fn open(text: &str, options: &CompileOptions, files: &ReadFiles) -> Result<msl::Library> {
    msl::Library::open(&options.source_name, text, &options.to_msl(), files).map_err(compile_error)
}

struct MslSource(Arc<Inner>);

struct Inner {
    contents: Contents,
    /// Names all that decides what functions become, where there is a cache.
    digest: Option<Key>,
    library: OnceLock<Result<msl::Library>>,
    /// How to open the library, if that has not happened.
    how: Option<How>,
}

struct How {
    text: String,
    options: CompileOptions,
    /// With what was found when the library was recognized.
    files: ReadFiles,
}

impl Inner {
    fn library(&self) -> Result<&msl::Library> {
        let library = self.library.get_or_init(|| {
            let unknown = || Error::Device("internal error: a library without a source".into());
            let how = self.how.as_ref().ok_or_else(unknown)?;
            open(&how.text, &how.options, &how.files)
        });
        library.as_ref().map_err(Clone::clone)
    }

    fn module(&self, name: &str, values: &msl::FunctionConstantValues) -> Result<Arc<Module>> {
        let module = self.library()?.compile(name, values).map_err(compile_error)?.module;
        Ok(Arc::new(module))
    }
}

impl Source for MslSource {
    fn function_names(&self) -> &[String] {
        &self.0.contents.names
    }
    fn function_constants(&self) -> Vec<FunctionConstant> {
        let describe = |c: &msl::FunctionConstant| FunctionConstant {
            name: c.name.clone(),
            index: c.index,
            type_name: type_name(c.scalar, c.len),
        };
        self.0.contents.declared.iter().map(describe).collect()
    }
    fn visible_functions(&self) -> &[VisibleFunction] {
        &self.0.contents.visible
    }
    fn warnings(&self) -> Vec<Diagnostic> {
        if !self.0.contents.has_warnings {
            return Vec::new();
        }
        let library = self.0.library().ok();
        library.map_or_else(Vec::new, |l| l.warnings().messages().into_iter().map(Diagnostic::from).collect())
    }

    fn compile(&self, name: &str, constants: &FunctionConstantValues) -> Result<Compiled> {
        let values = constant_values(&self.0.contents.declared, constants)
            .map_err(|message| Error::Function(format!("function {name}: {message}")))?;
        let constants = values
            .indices()
            .map(|(index, v)| FunctionConstantValue { index, scalar: v.scalar, len: v.len, bits: v.bits })
            .collect();
        let key = self.0.digest.as_ref().map(|digest| remembered::function_key(digest, name, &values));
        if let Some((facts, digest)) = key.as_ref().and_then(remembered::function) {
            let origin = Box::new(Function { source: self.0.clone(), name: name.into(), values });
            return Ok(Compiled { code: Arc::new(KernelCode::remembered(facts, digest, origin)), constants });
        }
        let module = self.0.module(name, &values)?;
        let entry = module.entry_points.iter().position(|e| e.name == name).unwrap_or(0);
        let source_map = Some(self.0.library()?.source_map().clone());
        let code = KernelCode::new(module, entry, source_map);
        if let Some(key) = &key {
            remembered::remember_function(key, code.facts(), code.digest()?);
        }
        Ok(Compiled { code: Arc::new(code), constants })
    }
}

/// A function whose facts are remembered: its code is compiled when somebody needs it.
struct Function {
    source: Arc<Inner>,
    name: String,
    values: msl::FunctionConstantValues,
}

impl KernelOrigin for Function {
    fn module(&self) -> hal::Result<Arc<Module>> {
        self.source.module(&self.name, &self.values).map_err(|error| hal::Error::Device(error.to_string()))
    }
    fn source_map(&self) -> Option<Arc<SourceMap>> {
        Some(self.source.library().ok()?.source_map().clone())
    }
}

//! Libraries (`MTLLibrary`): compiled sources, and the functions in them.

use std::path::PathBuf;
use std::sync::Arc;

use metallic_hal::LibraryText;

use crate::source::{self, Source};
use crate::{Device, Diagnostic, Error, Function, FunctionConstant, FunctionConstantValues, Result};

/// `MTLCompileOptions`, and where included files are found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileOptions {
    /// Names the source in diagnostics.
    pub source_name: String,
    /// `MTLMathModeFast`: see the MSL specification, section 1.6.3.
    pub fast_math_enabled: bool,
    /// Major and minor version of MSL; the newest when absent.
    pub language_version: Option<(u32, u32)>,
    /// Names (perhaps with parameters) and their replacement.
    pub preprocessor_macros: Vec<(String, String)>,
    /// Directories that `#include` searches, in order.
    pub include_directories: Vec<PathBuf>,
    /// Files that `#include` finds by name, before any directory.
    pub headers: Vec<(String, String)>,
    /// Whether mistakes inside of functions are errors of the library, as in Metal; otherwise they
    /// are found when a pipeline is made. Very large libraries always wait.
    pub checks_bodies: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        CompileOptions {
            source_name: "program_source".into(),
            fast_math_enabled: true,
            language_version: None,
            preprocessor_macros: Vec::new(),
            include_directories: Vec::new(),
            headers: Vec::new(),
            checks_bodies: true,
        }
    }
}

/// A compiled source. Clones are the same library.
#[derive(Clone)]
pub struct Library {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub device: Device,
    pub source: Box<dyn Source>,
    /// MSL, when it was made of that and the device's driver compiles it.
    pub text: Option<Arc<LibraryText>>,
}

impl Library {
    pub(crate) fn new(device: &Device, text: &str, options: &CompileOptions) -> Result<Library> {
        let source = source::open_msl(text, options)?;
        let text = device.hal.compiles_text().then(|| Arc::new(options.to_text(text)));
        Ok(Library { inner: Arc::new(Inner { device: device.clone(), source, text }) })
    }
    pub(crate) fn from_ir(device: &Device, text: &str) -> Result<Library> {
        let source = source::open_ir(text)?;
        Ok(Library { inner: Arc::new(Inner { device: device.clone(), source, text: None }) })
    }

    pub fn device(&self) -> &Device {
        &self.inner.device
    }
    /// The kernels that `make_function` finds.
    pub fn function_names(&self) -> Vec<String> {
        self.inner.source.function_names().to_vec()
    }
    /// The `[[visible]]` functions, which `make_function` finds too: they go into tables.
    pub fn visible_function_names(&self) -> Vec<String> {
        self.inner.source.visible_functions().iter().map(|f| f.name.clone()).collect()
    }
    pub fn function_constants(&self) -> Vec<FunctionConstant> {
        self.inner.source.function_constants()
    }
    /// What the compiler remarked about a source that it accepted.
    pub fn warnings(&self) -> Vec<Diagnostic> {
        self.inner.source.warnings()
    }

    pub fn make_function(&self, name: &str) -> Result<Function> {
        self.make_function_with_constants(name, &FunctionConstantValues::default())
    }
    pub fn make_function_with_constants(&self, name: &str, constants: &FunctionConstantValues) -> Result<Function> {
        let names = self.inner.source.function_names();
        let visible = self.inner.source.visible_functions().iter().find(|f| f.name == name);
        if visible.is_none() && !names.iter().any(|n| n == name) {
            let known = match names.len() {
                0 => "the library has no kernel function".to_string(),
                1..=16 => format!("the library has {}", names.join(", ")),
                n => format!("the library has {n} others"),
            };
            return Err(Error::Function(format!("there is no kernel function \"{name}\"; {known}")));
        }
        if !constants.is_empty() {
            let declared = self.inner.source.function_constants();
            for (index, _) in constants.by_index() {
                if !declared.iter().any(|c| c.index == index) {
                    return Err(Error::Function(format!("the library has no function constant of index {index}")));
                }
            }
            for (name, _) in constants.by_name() {
                if !declared.iter().any(|c| c.name == name) {
                    return Err(Error::Function(format!("the library has no function constant {name}")));
                }
            }
        }
        let visible = visible.map(|f| Arc::new(f.clone()));
        Ok(Function { library: self.clone(), name: name.into(), constants: Arc::new(constants.clone()), visible })
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Library({:?})", self.function_names())
    }
}

//! Where the functions of a library come from: MSL through the front end, or the text form of the IR.

use std::collections::HashMap;
use std::sync::Arc;

use msl_base::SourceMap;
use msl_ir::Module;

use crate::{CompileError, CompileOptions, Error, FunctionConstant, FunctionConstantValues, Result};

/// One entry point, compiled.
pub(crate) struct Compiled {
    pub module: Arc<Module>,
    /// Index into the entry points of the module.
    pub entry: usize,
    pub source_map: Option<Arc<SourceMap>>,
}

pub(crate) trait Source: Send + Sync {
    fn function_names(&self) -> Vec<String>;
    fn function_constants(&self) -> Vec<FunctionConstant>;
    fn compile(&self, name: &str, constants: &FunctionConstantValues) -> Result<Compiled>;
}

/// MSL.
pub(crate) fn open_msl(_text: &str, _options: &CompileOptions) -> Result<Box<dyn Source>> {
    Err(Error::Compile(CompileError { rendered: "the front end is not linked in yet".into(), diagnostics: Vec::new() }))
}

/// The text form of the IR.
pub(crate) fn open_ir(text: &str) -> Result<Box<dyn Source>> {
    let module = msl_ir::text::parse(text)
        .map_err(|error| Error::Compile(CompileError { rendered: error.to_string(), diagnostics: Vec::new() }))?;
    let module = Arc::new(module);
    let names = module.entry_points.iter().enumerate().map(|(i, e)| (e.name.to_string(), i)).collect();
    Ok(Box::new(IrSource { module, names }))
}

struct IrSource {
    module: Arc<Module>,
    names: HashMap<String, usize>,
}

impl Source for IrSource {
    fn function_names(&self) -> Vec<String> {
        self.module.entry_points.iter().map(|e| e.name.to_string()).collect()
    }
    fn function_constants(&self) -> Vec<FunctionConstant> {
        Vec::new()
    }
    fn compile(&self, name: &str, _constants: &FunctionConstantValues) -> Result<Compiled> {
        let entry = *self.names.get(name).ok_or_else(|| Error::Function(format!("there is no function {name}")))?;
        Ok(Compiled { module: self.module.clone(), entry, source_map: None })
    }
}

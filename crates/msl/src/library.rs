//! A source, opened: its entry points can be listed, and compiled one at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use msl_base::{Diagnostic, Diagnostics, SourceMap, Span};
use msl_ir::Module;
use msl_ir::passes::pipeline;
use msl_ir::passes::remove_functions::remove_functions;
use msl_sema::hir;
use msl_syntax::ast::TranslationUnit;
use msl_syntax::parse::parse;
use msl_syntax::preprocess::{FileProvider, PreprocessOptions, Preprocessed, preprocess};

use crate::guard::{guarded, internal_error};
use crate::options::{CompileOptions, FunctionConstantValues, MathMode};
use crate::prelude::{Prelude, prelude};
use crate::report::{CompileError, Report};
use crate::semantics;

/// A source after parsing. Compiling entry points takes `&self` and may be done in parallel.
pub struct Library {
    name: String,
    options: CompileOptions,
    semantic: msl_sema::Library,
    source_map: Arc<SourceMap>,
    warnings: Report,
    times: OpenTimes,
}

/// Where the time of [`Library::open`] went.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenTimes {
    pub preprocess: Duration,
    pub parse: Duration,
    pub declare: Duration,
}

/// A function constant that a source declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionConstant {
    pub name: String,
    pub index: u32,
    pub scalar: msl_ir::Scalar,
    /// 1, or the components of a vector.
    pub len: u8,
}

/// A `[[visible]]` function, which hosts put into tables (MSL specification, section 2.15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibleFunction {
    pub name: String,
    /// What stands for it in a table.
    pub number: u64,
    /// As the type of a table is spelled: `int (float)`.
    pub type_name: String,
}

/// One entry point, compiled.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// Holds one entry point.
    pub module: Module,
    pub warnings: Report,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What the stages before checking give.
pub(crate) struct Parsed {
    pub prelude: &'static Prelude,
    pub source_map: SourceMap,
    pub preprocessed: Preprocessed,
    pub unit: TranslationUnit,
    pub diagnostics: Diagnostics,
    pub times: OpenTimes,
}

/// Preprocesses and parses. Not guarded; the callers are.
pub(crate) fn parse_source(
    name: &str,
    source: &str,
    options: &CompileOptions,
    provider: &dyn FileProvider,
) -> Result<Parsed, CompileError> {
    let prelude = prelude()?;
    let mut source_map = prelude.source_map.clone();
    let mut diagnostics = Diagnostics::new();
    let Some(file) = source_map.add(name, source, false) else {
        let message = "the source is too large";
        diagnostics.push(Diagnostic::error("source-too-large", Span::NONE, message));
        return Err(CompileError::new(diagnostics, source_map));
    };
    let start = Instant::now();
    let preprocess_options = PreprocessOptions {
        version: options.language_version,
        fast_math: options.math_mode == MathMode::Fast,
        defines: options
            .defines
            .iter()
            .map(|(name, value)| (name.clone(), value.clone().unwrap_or_else(|| "1".into())))
            .collect(),
        is_builtin_header: msl_stdlib::is_builtin_header,
        header_names: msl_stdlib::HEADER_NAMES,
        initial_macros: Some(prelude.macros.clone()),
        ..PreprocessOptions::default()
    };
    let preprocessed = preprocess(&mut source_map, file, &preprocess_options, provider, &mut diagnostics);
    let preprocess_time = start.elapsed();
    let start = Instant::now();
    let (unit, _) = parse(&preprocessed.tokens, &source_map, &prelude.scopes, &mut diagnostics);
    let times = OpenTimes { preprocess: preprocess_time, parse: start.elapsed(), declare: Duration::ZERO };
    Ok(Parsed { prelude, source_map, preprocessed, unit, diagnostics, times })
}

impl Library {
    /// Reads a source. Bodies of functions are checked when something is compiled that reaches them.
    pub fn open(
        name: &str,
        source: &str,
        options: &CompileOptions,
        provider: &(dyn FileProvider + Sync),
    ) -> Result<Library, CompileError> {
        let how = format!("metallic emit --stage ast {name}");
        guarded(&format!("reading {name}"), &how, || {
            let mut parsed = parse_source(name, source, options, provider)?;
            let start = Instant::now();
            let (semantic, messages) = msl_sema::Library::new(&parsed.prelude.declarations, &parsed.unit);
            parsed.diagnostics.extend(messages);
            parsed.times.declare = start.elapsed();
            if parsed.diagnostics.has_errors() {
                return Err(CompileError::new(parsed.diagnostics, parsed.source_map));
            }
            parsed.source_map.freeze();
            Ok(Library {
                name: name.to_owned(),
                options: options.clone(),
                semantic,
                warnings: Report::new(parsed.diagnostics, parsed.source_map.clone()),
                source_map: Arc::new(parsed.source_map),
                times: parsed.times,
            })
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }
    /// The kernels a host can ask for, in the order of the source.
    pub fn entry_points(&self) -> Vec<String> {
        self.semantic.entry_points().iter().map(|e| e.name.to_string()).collect()
    }
    pub fn function_constants(&self) -> Vec<FunctionConstant> {
        self.semantic.function_constants().into_iter().map(semantics::function_constant).collect()
    }
    /// In the order of the source.
    pub fn visible_functions(&self) -> Vec<VisibleFunction> {
        let describe = |f: msl_sema::VisibleFunctionInfo| VisibleFunction {
            name: f.name.to_string(),
            number: f.number,
            type_name: f.type_name,
        };
        self.semantic.visible_functions().into_iter().map(describe).collect()
    }
    /// What was remarked when the source was read.
    pub fn warnings(&self) -> &Report {
        &self.warnings
    }
    /// Resolves the spans of modules that [`Library::compile`] gives.
    pub fn source_map(&self) -> &Arc<SourceMap> {
        &self.source_map
    }
    pub fn times(&self) -> OpenTimes {
        self.times
    }

    /// Checks every function of the source that is not a template, whatever reaches it.
    pub fn check_all(&self) -> Result<Report, CompileError> {
        let how = format!("metallic check {}", self.name);
        guarded(&format!("checking {}", self.name), &how, || {
            let diagnostics = self.semantic.check(&semantics::options(&self.options));
            if diagnostics.has_errors() {
                return Err(CompileError::new(diagnostics, (*self.source_map).clone()));
            }
            Ok(Report::new(diagnostics, (*self.source_map).clone()))
        })
    }

    /// Checks one entry point, and everything that it reaches.
    pub fn check(
        &self,
        entry: &str,
        constants: &FunctionConstantValues,
    ) -> Result<(hir::Program, Report), CompileError> {
        guarded(&format!("checking {entry}"), &self.how("hir", entry), || self.check_inner(entry, constants))
    }

    fn check_inner(
        &self,
        entry: &str,
        constants: &FunctionConstantValues,
    ) -> Result<(hir::Program, Report), CompileError> {
        let (program, diagnostics) =
            self.semantic.compile(entry, &semantics::options(&self.options), &semantics::constants(constants));
        match program {
            Some(program) if !diagnostics.has_errors() => {
                Ok((program, Report::new(diagnostics, (*self.source_map).clone())))
            }
            _ => Err(CompileError::new(diagnostics, (*self.source_map).clone())),
        }
    }

    /// Compiles one entry point: checked, lowered, without calls, with the access of each argument inferred.
    pub fn compile(&self, entry: &str, constants: &FunctionConstantValues) -> Result<Compiled, CompileError> {
        guarded(&format!("compiling {entry}"), &self.how("ir", entry), || {
            let (program, warnings) = self.check_inner(entry, constants)?;
            let mut module = self.lower(entry, &program)?;
            self.infer_access(entry, &mut module)?;
            Ok(Compiled { module, warnings })
        })
    }

    /// Compiles one entry point as lowering leaves it, calls and all.
    pub fn compile_unoptimized(&self, entry: &str, constants: &FunctionConstantValues) -> Result<Module, CompileError> {
        guarded(&format!("compiling {entry}"), &self.how("ir", entry), || {
            let (program, _) = self.check_inner(entry, constants)?;
            self.lower(entry, &program)
        })
    }

    fn lower(&self, entry: &str, program: &hir::Program) -> Result<Module, CompileError> {
        let module = msl_lower::lower(program)
            .map_err(|diagnostics| CompileError::new(diagnostics, (*self.source_map).clone()))?;
        self.verify(entry, "lowering", &module)?;
        Ok(module)
    }

    /// Checks our own work where that is wanted: in debug builds.
    fn verify(&self, entry: &str, after: &str, module: &Module) -> Result<(), CompileError> {
        if !cfg!(debug_assertions) {
            return Ok(());
        }
        match msl_ir::verify(module) {
            Ok(()) => Ok(()),
            Err(errors) => {
                let list: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let message = format!("the module is malformed: {}", list.join("; "));
                Err(internal_error(&format!("compiling {entry}, after {after}"), &self.how("ir", entry), &message))
            }
        }
    }

    /// Runs the passes, which also learn what the host must know about each argument.
    fn infer_access(&self, entry: &str, module: &mut Module) -> Result<(), CompileError> {
        // What the standard library does is done where the user's code calls it: faults and remarks say so.
        for (_, function) in module.functions.iter_mut() {
            let file = self.source_map.file_at(self.source_map.use_site(function.span).start);
            if file.is_some_and(|file| file.is_builtin) {
                function.insts.iter_mut().for_each(|(_, inst)| inst.span = Span::NONE);
            }
        }
        let functions: Vec<_> = module.entry_points.iter().map(|e| e.function).collect();
        for function in functions {
            pipeline::run(module, function, pipeline::Options::default()).map_err(|d| self.error(*d))?;
        }
        remove_functions(module);
        self.verify(entry, "passes", module)
    }

    fn error(&self, diagnostic: Diagnostic) -> CompileError {
        let mut diagnostics = Diagnostics::new();
        diagnostics.push(diagnostic);
        CompileError::new(diagnostics, (*self.source_map).clone())
    }

    fn how(&self, stage: &str, entry: &str) -> String {
        format!("metallic emit --stage {stage} --function {entry} {}", self.name)
    }
}

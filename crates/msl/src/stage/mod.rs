//! What each phase makes of a source, as text: `metallic emit --stage`.

mod hir;
mod reflection;

use msl_ir::passes::pipeline;
use msl_syntax::preprocess::{FileProvider, print_tokens};

use crate::guard::guarded;
use crate::library::{Library, parse_source};
use crate::options::{CompileOptions, FunctionConstantValues};
use crate::report::CompileError;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Tokens,
    /// After preprocessing, as source.
    Preprocessed,
    Ast,
    Hir,
    Ir,
    Reflection,
}

impl Stage {
    pub const ALL: [Stage; 6] =
        [Stage::Tokens, Stage::Preprocessed, Stage::Ast, Stage::Hir, Stage::Ir, Stage::Reflection];

    /// As the command line spells it.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Tokens => "tokens",
            Stage::Preprocessed => "pp",
            Stage::Ast => "ast",
            Stage::Hir => "hir",
            Stage::Ir => "ir",
            Stage::Reflection => "reflection",
        }
    }
    pub fn from_name(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// What to show.
#[derive(Clone, Debug, Default)]
pub struct EmitOptions {
    pub compile: CompileOptions,
    pub constants: FunctionConstantValues,
    /// One entry point; all when absent.
    pub function: Option<String>,
    /// IR after this pass; as lowered when absent, after all passes for `last`.
    pub after: Option<String>,
}

/// The text of a stage.
pub fn emit(
    stage: Stage,
    name: &str,
    source: &str,
    options: &EmitOptions,
    provider: &(dyn FileProvider + Sync),
) -> Result<String, CompileError> {
    if matches!(stage, Stage::Tokens | Stage::Preprocessed | Stage::Ast) {
        return guarded("showing a stage", &format!("metallic emit --stage {} {name}", stage.name()), || {
            let parsed = parse_source(name, source, &options.compile, provider)?;
            let text = match stage {
                Stage::Tokens => parsed.preprocessed.tokens.iter().map(|t| format!("{:?}\n", t.kind)).collect(),
                Stage::Preprocessed => print_tokens(&parsed.preprocessed.tokens),
                _ => msl_syntax::dump::dump(&parsed.unit),
            };
            // A tree with errors can still be looked at; tokens always can.
            if stage == Stage::Ast && parsed.diagnostics.has_errors() {
                return Err(CompileError::new(parsed.diagnostics, parsed.source_map));
            }
            Ok(text)
        });
    }
    let library = Library::open(name, source, &options.compile, provider)?;
    let entries = match &options.function {
        Some(function) => vec![function.clone()],
        None => library.entry_points(),
    };
    let mut out = String::new();
    for entry in entries {
        out.push_str(&match stage {
            Stage::Hir => hir::print(&library.check(&entry, &options.constants)?.0),
            Stage::Reflection => reflection::print(&library.compile(&entry, &options.constants)?.module),
            _ => emit_ir(&library, &entry, options)?,
        });
    }
    Ok(out)
}

fn emit_ir(library: &Library, entry: &str, options: &EmitOptions) -> Result<String, CompileError> {
    let mut module = library.compile_unoptimized(entry, &options.constants)?;
    if let Some(after) = &options.after {
        let functions: Vec<_> = module.entry_points.iter().map(|e| e.function).collect();
        let known = pipeline::PASSES.iter().any(|p| p.name == after);
        for function in functions {
            let after = known.then_some(after.as_str());
            let result = pipeline::run(&mut module, function, pipeline::Options { after, ..Default::default() });
            if let Err(diagnostic) = result {
                let mut diagnostics = msl_base::Diagnostics::new();
                diagnostics.push(*diagnostic);
                return Err(CompileError::new(diagnostics, (**library.source_map()).clone()));
            }
        }
    }
    Ok(msl_ir::text::print(&module))
}

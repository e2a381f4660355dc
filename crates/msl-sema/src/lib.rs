//! Names, types, templates, overloads: the syntax tree to the [`hir`].
//!
//! In: translation units. Out: a [`hir::Program`] per entry point, and diagnostics. Opening a library walks its
//! declarations and checks nothing; compiling an entry point checks what it reaches. Total: any tree gives a program
//! or diagnostics.
//!
//! Does no IO, knows no target, knows no function of the standard library (the prelude is a library as any other).

mod body;
mod check;
mod checker;
mod class;
mod cleanup;
mod constant;
mod conversion;
mod declare;
mod diagnose;
mod entity;
mod entry;
mod expr;
pub mod hir;
mod lookup;
mod overload;
mod resolve;
mod resource;
mod stmt;
mod tail;
mod template;
pub mod types;
mod variable;
mod walk;

use std::collections::BTreeMap;
use std::sync::Arc;

use msl_base::stack::with_room;
use msl_base::{Diagnostic, Diagnostics, Span, Symbol};
use msl_syntax::ast::TranslationUnit;

use checker::Checker;
use declare::{Declarer, Layer, NsId};
use types::Scalar;

/// The declarations of a translation unit, shared by everything declared on top of them.
#[derive(Debug)]
pub struct Declarations {
    layer: Arc<Layer>,
    /// Global positions below this belong to it.
    end: u32,
}

impl Declarations {
    /// Declares the standard library.
    pub fn prelude(unit: &TranslationUnit) -> (Arc<Declarations>, Diagnostics) {
        let mut layer = Layer::on(None);
        let mut diags = Diagnostics::new();
        Declarer { layer: &mut layer, diags: &mut diags }.declare_all(&unit.decls, NsId::GLOBAL);
        let end = unit.decls.iter().map(|d| d.span.end).max().unwrap_or(0);
        (Arc::new(Declarations { layer: Arc::new(layer), end }), diags)
    }
}

/// How entry points are compiled.
#[derive(Clone, Debug)]
pub struct Options {
    /// What float operations allow where no pragma says otherwise.
    pub fp_mode: hir::FpMode,
}

impl Default for Options {
    fn default() -> Options {
        Options { fp_mode: hir::FpMode::Fast }
    }
}

/// Values of function constants, as bits per component. An index is looked at before a name.
#[derive(Clone, Debug, Default)]
pub struct FunctionConstantValues {
    by_index: BTreeMap<u32, [u64; 4]>,
    by_name: BTreeMap<String, [u64; 4]>,
}

impl FunctionConstantValues {
    pub fn set_index(&mut self, index: u32, bits: [u64; 4]) {
        self.by_index.insert(index, bits);
    }
    pub fn set_name(&mut self, name: &str, bits: [u64; 4]) {
        self.by_name.insert(name.to_owned(), bits);
    }
    pub fn get(&self, index: u32, name: &str) -> Option<[u64; 4]> {
        self.by_index.get(&index).or_else(|| self.by_name.get(name)).copied()
    }
}

/// A kernel that can be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryPointInfo {
    pub name: Symbol,
    pub span: Span,
}

/// A function that hosts put into tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibleFunctionInfo {
    pub name: Symbol,
    /// What stands for it in a table.
    pub number: u64,
    /// As the type of the table is spelled: `int (float)`.
    pub type_name: String,
}

/// A function constant that a library declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionConstantInfo {
    pub name: Symbol,
    pub index: u32,
    pub scalar: Scalar,
    /// 1, or the components of a vector.
    pub len: u8,
}

/// A source on top of the prelude. All methods take `&self` and may run in parallel.
#[derive(Debug)]
pub struct Library {
    layer: Layer,
}

impl Library {
    pub fn new(prelude: &Arc<Declarations>, unit: &TranslationUnit) -> (Library, Diagnostics) {
        let mut layer = Layer::on(Some(prelude.layer.clone()));
        layer.library_end = prelude.end;
        layer.files.clone_from(&unit.files);
        let mut diags = Diagnostics::new();
        Declarer { layer: &mut layer, diags: &mut diags }.declare_all(&unit.decls, NsId::GLOBAL);
        (Library { layer }, diags)
    }

    /// Every kernel that is not a template and every instantiation with a host name, in the order of the source.
    pub fn entry_points(&self) -> Vec<EntryPointInfo> {
        self.layer.entries.iter().map(|e| EntryPointInfo { name: e.name, span: e.span }).collect()
    }

    pub fn function_constants(&self) -> Vec<FunctionConstantInfo> {
        if self.layer.function_constants.is_empty() {
            return Vec::new();
        }
        let constants = FunctionConstantValues::default();
        with_room(|| {
            let options = Options::default();
            let mut checker = Checker::new(&self.layer, &options, &constants);
            self.layer.function_constants.iter().filter_map(|id| checker.describe_function_constant(*id)).collect()
        })
    }

    /// The `[[visible]]` functions, in the order of the source.
    pub fn visible_functions(&self) -> Vec<VisibleFunctionInfo> {
        if self.layer.visible.is_empty() {
            return Vec::new();
        }
        let constants = FunctionConstantValues::default();
        with_room(|| {
            let options = Options::default();
            let mut checker = Checker::new(&self.layer, &options, &constants);
            checker.ignore_unset = true;
            checker.describe_visible_functions()
        })
    }

    /// Checks every function, class and variable of the source that is not a template.
    pub fn check(&self, options: &Options) -> Diagnostics {
        let constants = FunctionConstantValues::default();
        with_room(|| {
            let mut checker = Checker::new(&self.layer, options, &constants);
            checker.check_everything();
            checker.diags
        })
    }

    /// Compiles one entry point.
    pub fn compile(
        &self,
        entry: &str,
        options: &Options,
        constants: &FunctionConstantValues,
    ) -> (Option<hir::Program>, Diagnostics) {
        with_room(|| {
            let mut checker = Checker::new(&self.layer, options, constants);
            let found = self.layer.entry_index.get(&Symbol::new(entry)).map(|i| &self.layer.entries[*i]);
            let Some(found) = found else {
                if let Some((function, what)) = self.layer.graphics_function(Symbol::new(entry)) {
                    checker.diags.push(
                        Diagnostic::error(
                            "unsupported-entry-point",
                            function.name.span,
                            format!("'{entry}' is {what} function"),
                        )
                        .help("only kernels can be run"),
                    );
                    return (None, checker.diags);
                }
                let names: Vec<Symbol> = self.layer.entries.iter().map(|e| e.name).collect();
                let mut d = Diagnostic::error(
                    "unknown-entry-point",
                    Span::NONE,
                    format!("the library has no kernel named '{entry}'"),
                );
                if let Some(close) = diagnose::closest(entry, &names) {
                    d = d.help(format!("did you mean '{close}'?"));
                }
                checker.diags.push(d);
                return (None, checker.diags);
            };
            let done = checker.compile_entry(found);
            let program = (done.is_some() && !checker.diags.has_errors()).then_some(checker.program);
            (program, checker.diags)
        })
    }
}

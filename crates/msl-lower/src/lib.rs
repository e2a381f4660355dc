//! The resolved program to the structured IR.
//!
//! In: a [`hir::Program`], complete and free of errors. Out: an [`ir::Module`] with every function
//! that an entry point reaches, constant and threadgroup globals, and reflection of the entry
//! points. Promised: the module verifies; every instruction carries the span of the
//! expression it came from; each expression is evaluated once, operands in the order of C++17.
//!
//! Not here: inlining, promotion of locals, any knowledge of a target. Lowering is direct and
//! leaves cleaning up to passes, with two exceptions made because they are free here: short
//! circuits and conditionals whose arms cannot have effects become plain operations, and
//! components of vectors in `thread` memory are read and written through the whole vector.
//!
//! Conventions of a lowered function: aggregates (classes and arrays) exist in memory only. A function that
//! returns one takes a pointer to `thread` memory as hidden first parameter; a parameter of
//! aggregate type is a pointer to a copy that belongs to the callee. Packed vectors are packed in
//! memory and plain vectors as values.

mod aggregate;
mod bits;
mod constant;
mod control;
mod convert;
mod entry;
mod expr;
mod function;
mod intrinsic;
mod lvalue;
mod types;
mod walk;

use msl_base::{Diagnostic, Diagnostics, FxMap, Span, Symbol};
use msl_ir as ir;
use msl_sema::hir;
use msl_sema::types::{ClassId, Ty};

use crate::constant::ConstantValue;

/// Lowers everything that the entry points of a program reach.
pub fn lower(program: &hir::Program) -> Result<ir::Module, Diagnostics> {
    let mut lowerer = Lowerer::new(program);
    for entry in &program.entry_points {
        lowerer.lower_entry_point(entry);
    }
    lowerer.lower_pending();
    if lowerer.diagnostics.has_errors() { Err(lowerer.diagnostics) } else { Ok(lowerer.module) }
}

/// Identifies a lowered function: the function, and what is known of its parameters where
/// an operation needs a constant (see [`constant`]).
type FunctionKey = (hir::FunctionId, Vec<Option<ConstantValue>>);

/// The state of lowering one program.
struct Lowerer<'p> {
    program: &'p hir::Program,
    module: ir::Module,
    value_types: FxMap<Ty, ir::TypeId>,
    memory_types: FxMap<Ty, ir::TypeId>,
    structs: FxMap<ClassId, ir::TypeId>,
    globals: FxMap<hir::GlobalId, ir::GlobalId>,
    strings: FxMap<Symbol, ir::GlobalId>,
    functions: FxMap<FunctionKey, ir::FunctionId>,
    /// Functions that have an id but no body yet.
    pending: Vec<(FunctionKey, ir::FunctionId)>,
    wants_constants: FxMap<hir::FunctionId, bool>,
    diagnostics: Diagnostics,
}

impl<'p> Lowerer<'p> {
    fn new(program: &'p hir::Program) -> Lowerer<'p> {
        Lowerer {
            program,
            module: ir::Module::default(),
            value_types: FxMap::default(),
            memory_types: FxMap::default(),
            structs: FxMap::default(),
            globals: FxMap::default(),
            strings: FxMap::default(),
            functions: FxMap::default(),
            pending: Vec::new(),
            wants_constants: FxMap::default(),
            diagnostics: Diagnostics::new(),
        }
    }

    fn error(&mut self, id: &'static str, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::error(id, span, message));
    }

    /// The IR global of a variable of namespace scope.
    fn global(&mut self, id: hir::GlobalId) -> ir::GlobalId {
        if let Some(&found) = self.globals.get(&id) {
            return found;
        }
        let program = self.program;
        let global = &program.globals[id];
        let ty = self.memory_type(global.ty);
        let align = global.align.max(self.module.types.align_of(ty));
        let (space, init) = match &global.storage {
            hir::GlobalStorage::Constant(bytes) => (ir::AddressSpace::Constant, Some(bytes.to_vec())),
            hir::GlobalStorage::Threadgroup => (ir::AddressSpace::Threadgroup, None),
            hir::GlobalStorage::Resource => {
                self.error("ice", global.span, "a resource of namespace scope is still used");
                (ir::AddressSpace::Constant, None)
            }
        };
        // What it points to comes first.
        let mut pointers = Vec::new();
        for p in &global.pointers {
            let target = self.global(p.target);
            pointers.push(ir::GlobalPointer { offset: p.offset, target, addend: p.addend });
        }
        let lowered = self.module.globals.push(ir::Global { name: global.name, ty, space, align, init, pointers });
        self.globals.insert(id, lowered);
        lowered
    }

    /// A constant global holding a zero-terminated text.
    fn string(&mut self, text: Symbol) -> ir::GlobalId {
        if let Some(&found) = self.strings.get(&text) {
            return found;
        }
        let mut bytes = text.as_str().as_bytes().to_vec();
        bytes.push(0);
        let elem = self.module.types.scalar(ir::Scalar::I8);
        let ty = self.module.types.array(elem, bytes.len() as u64);
        let name = Symbol::new(&format!("string{}", self.strings.len()));
        let space = ir::AddressSpace::Constant;
        let lowered =
            self.module.globals.push(ir::Global { name, ty, space, align: 1, init: Some(bytes), pointers: Vec::new() });
        self.strings.insert(text, lowered);
        lowered
    }
}

#[cfg(test)]
mod tests;

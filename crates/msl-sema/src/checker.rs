//! The state of one compilation, and what every part of the checker uses: reporting, speculative checking,
//! instantiation frames, scopes, the work list of bodies.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Diagnostics, FxMap, Span, Symbol};
use msl_syntax::ast;

use crate::constant::Const;
use crate::declare::{ClassDeclId, DeclEntity, EnumDeclId, FnDeclId, Layer, NameKey, NsId, VarDeclId};
use crate::entity::*;
use crate::hir::{self, FpMode, FunctionId, GlobalId};
use crate::types::*;
use crate::{FunctionConstantValues, Options};

/// Nested instantiations beyond this are an error.
pub const INSTANTIATION_DEPTH: u32 = 512;
/// Nested expressions and statements beyond this are an error.
pub const NESTING_DEPTH: u32 = 1024;
/// More instances than this in one compilation are an error.
pub const INSTANCE_LIMIT: usize = 200_000;

pub struct Checker<'a> {
    pub layer: &'a Layer,
    pub constants: &'a FunctionConstantValues,
    pub program: hir::Program,
    pub classes: Vec<ClassInfo>,
    pub functions: Vec<FnInfo>,
    pub enum_infos: Vec<EnumInfo>,
    pub global_values: FxMap<GlobalId, Rc<Const>>,
    pub scope: Rc<Scope>,
    pub fcx: FnCtx,
    pub diags: Diagnostics,
    /// While speculating: what would have been reported.
    pub trap: Option<Vec<Diagnostic>>,
    pub frame: Option<Rc<Frame>>,
    pub worklist: VecDeque<FunctionId>,
    /// In `sizeof`, `decltype` and the like: nothing used here needs a body.
    pub unevaluated: u32,
    pub nesting: u32,
    /// Lists in braces being tried inside each other.
    pub list_depth: u32,
    /// What `auto` means in the type being resolved.
    pub auto_binding: Option<QualTy>,
    /// The space of references without one in result types of methods.
    pub default_space: Option<AddressSpace>,
    pub fp: FpMode,
    serial: u32,
    ns_scopes: FxMap<NsId, Rc<Scope>>,
    fn_defs: FxMap<FnDeclId, Rc<FnDef>>,
    class_defs: FxMap<ClassDeclId, Rc<ClassDef>>,
    enum_defs: FxMap<EnumDeclId, Rc<EnumDef>>,
    alias_defs: FxMap<crate::declare::AliasDeclId, Rc<AliasDef>>,
    var_defs: FxMap<VarDeclId, Rc<VarDef>>,
    using_in_progress: Vec<crate::declare::UsingId>,
    /// How often a using-declaration led back to itself.
    using_cycles: u32,
    pub embedded_classes: FxMap<(usize, usize), Rc<ClassDef>>,
    pub embedded_enums: FxMap<(usize, usize), Rc<EnumDef>>,
    /// Function constants without a value are not an error: nothing is compiled.
    pub ignore_unset: bool,
    /// The function constant, if any, that something looked at depends on.
    pub late: Option<Symbol>,
    /// What is being checked has to be known while compiling.
    pub is_early: bool,
    /// The function constants met so far, by index.
    pub function_constant_indices: FxMap<i64, (Symbol, Span)>,
    /// Constants whose values depend on a function constant, and that.
    pub late_globals: FxMap<GlobalId, Symbol>,
    /// Some class met so far has a destructor that does something.
    pub any_destructor: bool,
    /// Resources bound at namespace scope, as parameters of kernels.
    pub resources: FxMap<GlobalId, (ast::ParamDecl, QualTy)>,
    /// The functions whose address the program takes, with the types of the pointers.
    pub addressed: Vec<(FunctionId, Ty)>,
    /// The member functions whose address it takes.
    pub methods: Vec<crate::expr::Method>,
    /// Some table of functions of the host is used.
    pub has_tables: bool,
    /// What calls through pointers call.
    pub dispatches: Vec<crate::expr::Dispatch>,
}

pub struct EnumInfo {
    pub def: Rc<EnumDef>,
    pub values: Vec<u64>,
    pub is_complete: bool,
    pub ns: NsId,
}

impl<'a> Checker<'a> {
    pub fn new(layer: &'a Layer, options: &Options, constants: &'a FunctionConstantValues) -> Checker<'a> {
        let global = Rc::new(Scope { parent: None, kind: ScopeKind::Namespace(NsId::GLOBAL) });
        Checker {
            layer,
            constants,
            program: hir::Program::default(),
            classes: Vec::new(),
            functions: Vec::new(),
            enum_infos: Vec::new(),
            global_values: FxMap::default(),
            scope: global.clone(),
            fcx: FnCtx::default(),
            diags: Diagnostics::new(),
            trap: None,
            frame: None,
            worklist: VecDeque::new(),
            unevaluated: 0,
            nesting: 0,
            list_depth: 0,
            auto_binding: None,
            default_space: None,
            fp: options.fp_mode,
            serial: 1,
            ns_scopes: FxMap::from_iter([(NsId::GLOBAL, global)]),
            fn_defs: FxMap::default(),
            class_defs: FxMap::default(),
            enum_defs: FxMap::default(),
            alias_defs: FxMap::default(),
            var_defs: FxMap::default(),
            using_in_progress: Vec::new(),
            using_cycles: 0,
            embedded_classes: FxMap::default(),
            embedded_enums: FxMap::default(),
            ignore_unset: false,
            late: None,
            is_early: false,
            function_constant_indices: FxMap::default(),
            late_globals: FxMap::default(),
            any_destructor: false,
            resources: FxMap::default(),
            addressed: Vec::new(),
            methods: Vec::new(),
            has_tables: false,
            dispatches: Vec::new(),
        }
    }

    pub fn types(&mut self) -> &mut TyTable {
        &mut self.program.types
    }
    pub fn kind(&self, ty: Ty) -> &TyKind {
        self.program.types.kind(ty)
    }
    pub fn next_serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    // ---- reporting ---------------------------------------------------------------------

    pub fn report(&mut self, mut diagnostic: Diagnostic) {
        if let Some(trap) = &mut self.trap {
            trap.push(diagnostic);
            return;
        }
        let mut frame = self.frame.clone();
        // What goes wrong inside the standard library went wrong where the program used it.
        if diagnostic.span.start < self.layer.library_end && diagnostic.is_error() {
            while let Some(f) = frame.clone()
                && diagnostic.span.start < self.layer.library_end
            {
                if f.span.start >= self.layer.library_end {
                    diagnostic.span = f.span;
                }
                frame = f.parent.clone();
            }
        }
        let mut shown = 0;
        while let Some(f) = frame {
            let what = match &f.what {
                FrameKind::Function(id) => format!("'{}'", self.program.functions[*id].name),
                FrameKind::Class(id) => format!("'{}'", self.program.classes[*id].name),
                FrameKind::Text(t) => t.clone(),
            };
            if shown < 8 {
                diagnostic = diagnostic.note_at(f.span, format!("while instantiating {what}"));
            }
            shown += 1;
            frame = f.parent.clone();
        }
        if shown > 8 {
            diagnostic = diagnostic.note(format!("and {} more instantiations around it", shown - 8));
        }
        self.diags.push(diagnostic);
    }

    pub fn error(&mut self, id: &'static str, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(id, span, message));
    }

    /// Runs `f`; errors in its immediate context make it fail instead of being reported.
    pub fn attempt<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> Result<R, Diagnostic> {
        let outer = self.trap.replace(Vec::new());
        let result = f(self);
        let caught = std::mem::replace(&mut self.trap, outer).unwrap_or_default();
        match caught.into_iter().find(Diagnostic::is_error) {
            Some(d) => Err(d),
            None => Ok(result),
        }
    }

    /// Runs `f` outside of any speculation: its errors are the program's.
    pub fn hard<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.trap.take();
        let result = f(self);
        self.trap = outer;
        result
    }

    pub fn is_speculating(&self) -> bool {
        self.trap.is_some()
    }

    // ---- context -----------------------------------------------------------------------

    pub fn in_scope<R>(&mut self, scope: &Rc<Scope>, f: impl FnOnce(&mut Self) -> R) -> R {
        let outer = std::mem::replace(&mut self.scope, scope.clone());
        let result = f(self);
        self.scope = outer;
        result
    }

    pub fn in_block<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        let scope = Scope::block(&self.scope);
        self.in_scope(&scope, f)
    }

    /// Runs `f` with a function context of its own.
    pub fn in_function<R>(&mut self, fcx: FnCtx, f: impl FnOnce(&mut Self) -> R) -> (R, FnCtx) {
        let outer = std::mem::replace(&mut self.fcx, fcx);
        let (outer_unevaluated, outer_default) = (std::mem::take(&mut self.unevaluated), self.default_space.take());
        let outer_auto = self.auto_binding.take();
        let (outer_late, outer_early) = (self.late.take(), std::mem::take(&mut self.is_early));
        let result = f(self);
        (self.late, self.is_early) = (outer_late, outer_early);
        self.unevaluated = outer_unevaluated;
        self.default_space = outer_default;
        self.auto_binding = outer_auto;
        (result, std::mem::replace(&mut self.fcx, outer))
    }

    /// Runs `f` one instantiation deeper. Gives `None`, with an error, when that is too deep.
    pub fn in_frame<R>(&mut self, what: FrameKind, span: Span, f: impl FnOnce(&mut Self) -> R) -> Option<R> {
        let depth = self.frame.as_ref().map_or(0, |f| f.depth) + 1;
        if depth > INSTANTIATION_DEPTH || self.nesting > NESTING_DEPTH {
            self.error("instantiation-depth", span, "templates are instantiated too deeply");
            return None;
        }
        if !self.has_room(span) {
            return None;
        }
        let parent = self.frame.clone();
        self.frame = Some(Rc::new(Frame { what, span, parent: parent.clone(), depth }));
        let result = f(self);
        self.frame = parent;
        Some(result)
    }

    /// Reports when there are too many instances already.
    pub fn has_room(&mut self, span: Span) -> bool {
        let fits = self.functions.len() + self.classes.len() < INSTANCE_LIMIT;
        if !fits {
            self.frame = None;
            self.hard(|c| c.error("instantiation-limit", span, "there are too many template instances"));
        }
        fits
    }

    pub fn nested<R>(&mut self, span: Span, error: impl FnOnce(&mut Self) -> R, f: impl FnOnce(&mut Self) -> R) -> R {
        if self.nesting >= NESTING_DEPTH {
            self.error("nesting-limit", span, "this is nested too deeply");
            return error(self);
        }
        self.nesting += 1;
        let result = f(self);
        self.nesting -= 1;
        result
    }

    // ---- definitions of declared things --------------------------------------------------

    pub fn ns_scope(&mut self, ns: NsId) -> Rc<Scope> {
        if let Some(s) = self.ns_scopes.get(&ns) {
            return s.clone();
        }
        let parent = self.layer.namespace(ns).parent.map(|p| self.ns_scope(p));
        let scope = Rc::new(Scope { parent, kind: ScopeKind::Namespace(ns) });
        self.ns_scopes.insert(ns, scope.clone());
        scope
    }

    /// Turns a declared entity into one of this compilation; using-declarations give several.
    pub fn entity(&mut self, declared: DeclEntity, out: &mut Vec<Entity>) {
        match declared {
            DeclEntity::Namespace(ns) => out.push(Entity::Namespace(ns)),
            DeclEntity::Class(id) => {
                let def = self.class_def(id);
                out.push(Entity::Class(def));
            }
            DeclEntity::Enum(id) => {
                let def = self.enum_def(id);
                out.push(Entity::Enum(def));
            }
            DeclEntity::Enumerator(id, i) => {
                let def = self.enum_def(id);
                out.push(Entity::Enumerator(def, i));
            }
            DeclEntity::Alias(id) => {
                let def = match self.alias_defs.get(&id) {
                    Some(d) => d.clone(),
                    None => {
                        let entry = self.layer.alias(id);
                        let (decl, scope) = (entry.decl.clone(), self.ns_scope(entry.ns));
                        let def = Rc::new(AliasDef { decl, scope, resolved: None.into(), resolving: false.into() });
                        self.alias_defs.insert(id, def.clone());
                        def
                    }
                };
                out.push(Entity::Alias(def));
            }
            DeclEntity::Function(id) => {
                let def = self.fn_def(id);
                out.push(Entity::Function(def));
            }
            DeclEntity::Variable(id) => {
                let def = self.var_def(id);
                out.push(Entity::Variable(def));
            }
            DeclEntity::Using(id) => {
                if self.using_in_progress.contains(&id) {
                    self.using_cycles += 1;
                    return;
                }
                let cycles = self.using_cycles;
                self.using_in_progress.push(id);
                let entry = self.layer.using(id);
                let scope = self.ns_scope(entry.ns);
                let name = entry.name.clone();
                let found = self.in_scope(&scope, |c| c.lookup(&name));
                self.using_in_progress.pop();
                // `using metal::uint;` where the library says `using ::uint;`: the way back finds nothing new, and
                // whoever began finds what else there is.
                let leads_back = self.using_cycles != cycles && !self.using_in_progress.is_empty();
                if found.entities.is_empty() && !leads_back {
                    self.hard(|c| c.report_unknown(&name));
                }
                out.extend(found.entities);
            }
        }
    }

    pub fn fn_def(&mut self, id: FnDeclId) -> Rc<FnDef> {
        if let Some(d) = self.fn_defs.get(&id) {
            return d.clone();
        }
        let entry = self.layer.function(id).clone();
        let scope = self.ns_scope(entry.ns);
        let mut specializations = Vec::new();
        for (ns, spec) in self.layer.fn_specializations(id) {
            specializations.push((self.ns_scope(ns), spec));
        }
        let key = entry.decl.name.segments.last().map_or(NameKey::Conversion, |s| NameKey::of(&s.ident));
        let mut def = self.make_fn_def(key, entry.decl, scope.clone(), None, true);
        let d = Rc::get_mut(&mut def).expect("just made");
        d.definition = RefCell::new(entry.definition.map(|f| (f, scope)));
        d.specializations = specializations;
        self.fn_defs.insert(id, def.clone());
        def
    }

    /// A definition from a declaration; parameters with `auto` make it a template.
    pub fn make_fn_def(
        &mut self,
        key: NameKey,
        decl: Arc<ast::FunctionDecl>,
        scope: Rc<Scope>,
        class: Option<ClassId>,
        is_static: bool,
    ) -> Rc<FnDef> {
        let decl = crate::template::desugar_auto_params(decl);
        let header = decl.templates.last().filter(|t| !t.params.is_empty()).cloned();
        Rc::new(FnDef {
            serial: self.next_serial(),
            key,
            decl,
            scope,
            class,
            is_static,
            header,
            definition: RefCell::new(None),
            specializations: Vec::new(),
            instances: RefCell::default(),
            signatures: RefCell::default(),
            lambda: None,
            access: ast::Access::Public,
            is_exposed: false.into(),
            inherited: None,
        })
    }

    pub fn class_def(&mut self, id: ClassDeclId) -> Rc<ClassDef> {
        if let Some(d) = self.class_defs.get(&id) {
            return d.clone();
        }
        let entry = self.layer.class(id);
        let (decl, ns) = (entry.decl.clone(), entry.ns);
        let scope = self.ns_scope(ns);
        let (mut specializations, mut out_of_class) = (Vec::new(), Vec::new());
        let extensions: Vec<_> =
            self.layer.class_extensions(id).map(|e| (e.specializations.clone(), e.members.clone())).collect();
        for (specs, members) in extensions {
            for (ns, spec) in specs {
                specializations.push((self.ns_scope(ns), spec));
            }
            for member in members {
                out_of_class.push((self.ns_scope(member.ns), member));
            }
        }
        let def = self.make_class_def(decl, scope, specializations, out_of_class);
        self.class_defs.insert(id, def.clone());
        def
    }

    pub fn make_class_def(
        &mut self,
        decl: Arc<ast::ClassDecl>,
        scope: Rc<Scope>,
        specializations: Vec<(Rc<Scope>, Arc<ast::ClassDecl>)>,
        out_of_class: Vec<(Rc<Scope>, crate::declare::OutOfClass)>,
    ) -> Rc<ClassDef> {
        let name = match decl.name.as_ref().and_then(|n| n.segments.last()).map(|s| &s.ident) {
            Some(ast::Ident::Name(n)) => *n,
            _ => Symbol::new(match decl.key {
                ast::ClassKey::Union => "(unnamed union)",
                _ => "(unnamed struct)",
            }),
        };
        let header = decl.templates.last().filter(|t| !t.params.is_empty()).cloned();
        let ns = scope.namespace();
        Rc::new(ClassDef {
            serial: self.next_serial(),
            name,
            decl,
            scope,
            header,
            specializations,
            out_of_class,
            instances: RefCell::default(),
            ns,
        })
    }

    pub fn enum_def(&mut self, id: EnumDeclId) -> Rc<EnumDef> {
        if let Some(d) = self.enum_defs.get(&id) {
            return d.clone();
        }
        let entry = self.layer.enumeration(id);
        let (decl, ns) = (entry.decl.clone(), entry.ns);
        let scope = self.ns_scope(ns);
        let key = (Arc::as_ptr(&decl) as usize, Rc::as_ptr(&scope) as usize);
        let def =
            self.embedded_enums.entry(key).or_insert_with(|| Rc::new(EnumDef { decl, scope, id: None.into() })).clone();
        self.enum_defs.insert(id, def.clone());
        def
    }

    pub fn var_def(&mut self, id: VarDeclId) -> Rc<VarDef> {
        if let Some(d) = self.var_defs.get(&id) {
            return d.clone();
        }
        let entry = self.layer.variable(id);
        let (decl, ns) = (entry.decl.clone(), entry.ns);
        let scope = self.ns_scope(ns);
        let mut specializations = Vec::new();
        for (ns, spec) in self.layer.var_specializations(id) {
            specializations.push((self.ns_scope(ns), spec));
        }
        let def = Rc::new(VarDef {
            decl,
            definition: None,
            scope,
            class: None,
            specializations,
            instances: RefCell::default(),
            in_progress: false.into(),
        });
        self.var_defs.insert(id, def.clone());
        def
    }

    // ---- bodies --------------------------------------------------------------------------

    /// Notes that the program needs the body of a function.
    pub fn mark_used(&mut self, id: FunctionId) {
        if self.unevaluated > 0 || self.fcx.dead > 0 {
            return;
        }
        let frame = self.frame.clone();
        let info = &mut self.functions[id.0 as usize];
        if info.state == BodyState::Declared {
            info.state = BodyState::Queued;
            if info.requested.is_none() {
                info.requested = frame;
            }
            self.worklist.push_back(id);
        }
    }

    /// Checks the bodies that are waiting, and those they ask for.
    pub fn drain(&mut self) {
        while let Some(id) = self.worklist.pop_front() {
            self.check_body(id);
        }
    }
}

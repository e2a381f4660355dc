//! Variables: of namespaces and classes, static and local ones, function constants, `auto`.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::declare::text_of;
use crate::entity::*;
use crate::expr::Value;
use crate::hir::{self, GlobalId, GlobalStorage, StmtKind};
use crate::resolve::{bind_params, mentions_auto};
use crate::template::{CallArg, Deduction};
use crate::types::*;

impl Checker<'_> {
    // ---- namespace scope and static members --------------------------------------------------

    pub fn variable_instance(&mut self, def: &Rc<VarDef>, name: &ast::Name) -> Option<Rc<LocalVar>> {
        let last = name.segments.last()?;
        let header = def.decl.templates.last().filter(|t| !t.params.is_empty()).cloned();
        let header = if def.class.is_some() && def.decl.templates.is_empty() { None } else { header };
        let args = match (&header, &last.template_args) {
            (Some(h), Some(written)) => {
                let scope = def.scope.clone();
                self.resolve_template_args(&h.params, written, &scope, name.span, symbol_of(last))?
            }
            (None, None) => Vec::new(),
            (Some(_), None) => {
                let message = format!("'{}' is a template and needs arguments", text_of(&last.ident));
                self.error("missing-template-arguments", name.span, message);
                return None;
            }
            (None, Some(_)) => {
                self.error("not-a-template", name.span, format!("'{}' is not a template", text_of(&last.ident)));
                return None;
            }
        };
        self.variable_with_args(def, args, name.span)
    }

    pub fn variable_with_args(&mut self, def: &Rc<VarDef>, args: Vec<Arg>, span: Span) -> Option<Rc<LocalVar>> {
        if let Some(v) = def.instances.borrow().get(&args) {
            return Some(v.clone());
        }
        if args.is_empty() && def.in_progress.replace(true) {
            self.error("recursive-initializer", span, "this variable's value depends on itself");
            return None;
        }
        let (decl, scope) = self.variable_specialization(def, &args);
        let frame = FrameKind::Text(format!(
            "'{}'",
            def.decl.name.segments.last().map(|s| text_of(&s.ident)).unwrap_or_default()
        ));
        let fcx = FnCtx { serial: self.next_serial(), ..FnCtx::default() };
        let var = self.hard(|c| {
            let run = |c: &mut Self| {
                let at = Scope::function(&scope);
                let (var, _) = c.in_function(fcx, |c| c.in_scope(&at, |c| c.define_global(def, &decl)));
                var
            };
            if args.is_empty() { Some(run(c)) } else { c.in_frame(frame, span, run) }
        });
        def.in_progress.set(false);
        let var = var?;
        def.instances.borrow_mut().insert(args, var.clone());
        Some(var)
    }

    fn variable_specialization(&mut self, def: &Rc<VarDef>, args: &[Arg]) -> (Arc<ast::VariableDecl>, Rc<Scope>) {
        let header = def.decl.templates.last().filter(|t| !t.params.is_empty()).cloned();
        if let Some(primary) = &header {
            for (scope, spec) in &def.specializations {
                let Some(written) = spec.name.segments.last().and_then(|s| s.template_args.clone()) else { continue };
                let bound = match spec.templates.last().filter(|t| !t.params.is_empty()) {
                    Some(h) => {
                        let mut d = Deduction::new(&h.params, Vec::new());
                        let placeholders = Scope::params(scope, d.placeholders());
                        if self.deduce_args(&written, &placeholders, args, &mut d).is_err() {
                            continue;
                        }
                        match self.finish_deduction(d, scope) {
                            Ok(found) => Scope::params(scope, bind_params(&h.params, &found)),
                            Err(_) => continue,
                        }
                    }
                    None => scope.clone(),
                };
                let (def_scope, name) = (def.scope.clone(), Symbol::new("variable"));
                let found = self.attempt(|c| {
                    c.in_scope(&bound, |c| {
                        c.resolve_template_args(&primary.params, &written, &def_scope, Span::NONE, name)
                    })
                });
                if matches!(found, Ok(Some(f)) if f == args) {
                    return (spec.clone(), bound);
                }
            }
        }
        let scope = match &header {
            Some(h) => Scope::params(&def.scope, bind_params(&h.params, args)),
            None => def.scope.clone(),
        };
        (def.decl.clone(), scope)
    }

    /// A variable of namespace scope that is an input of the kernel (MSL specification, section 5.9), or what is wrong with it.
    fn global_input(&mut self, decl: &ast::VariableDecl) -> Option<Place> {
        for a in &decl.attributes {
            if let Some((input, has_components)) = crate::entry::builtin(a.name.as_str()) {
                let ty = self.resolve_type(&decl.ty);
                let fits = match self.program.types.as_numeric(ty.ty) {
                    Some((Scalar::UInt | Scalar::UShort, len)) => has_components && len <= 3 || len == 1,
                    _ => false,
                };
                if fits || ty.is_error() {
                    return Some(if fits { Place::Input(input) } else { Place::Error });
                }
                let message = format!("'{}' is not of type '{}'", a.name, self.type_name(ty));
                self.error("invalid-input-type", decl.name.span, message);
                return Some(Place::Error);
            }
            if matches!(a.name.as_str(), "buffer" | "texture" | "sampler" | "threadgroup") {
                return Some(self.global_resource(decl));
            }
        }
        None
    }

    /// A resource of namespace scope. What is wrong with it is said when a kernel reaches it.
    fn global_resource(&mut self, decl: &ast::VariableDecl) -> Place {
        let ty = self.resolve_type(&decl.ty);
        if ty.is_error() {
            return Place::Error;
        }
        if decl.init.is_some() {
            self.error("invalid-initializer", decl.name.span, "what the host binds has no initialiser");
        }
        let name = decl.name.segments.last().map_or_else(|| Symbol::new(""), symbol_of);
        let span = decl.name.span;
        let storage = GlobalStorage::Resource;
        let stored = self.storage_type(ty);
        let id =
            self.program.globals.push(hir::Global { name, ty: stored, align: 0, storage, pointers: Vec::new(), span });
        let written = ast::ParamDecl {
            name: Some(name),
            ty: decl.ty.clone(),
            is_pack: false,
            default: None,
            attributes: decl.attributes.clone(),
            span,
        };
        self.resources.insert(id, (written, ty));
        Place::Global(id)
    }

    fn define_global(&mut self, def: &Rc<VarDef>, decl: &Arc<ast::VariableDecl>) -> Rc<LocalVar> {
        let name = decl.name.segments.last().map_or_else(|| Symbol::new(""), symbol_of);
        let span = decl.name.span;
        let failed =
            |ty: QualTy| Rc::new(LocalVar { name, place: Place::Error, ty, owner: 0, value: None.into(), span });
        if let Some(attribute) = decl.attributes.iter().find(|a| a.name == "function_constant") {
            return self.define_function_constant(decl, attribute, name);
        }
        if let Some(place) = self.global_input(decl) {
            if let Place::Error = place {
                return failed(QualTy::ERROR);
            }
            let ty = self.resolve_type(&decl.ty);
            return Rc::new(LocalVar { name, place, ty, owner: 0, value: None.into(), span });
        }
        let mut init = decl.init.clone();
        let mut init_scope = self.scope.clone();
        if init.is_none()
            && let Some((scope, out)) = &def.definition
        {
            init = out.init.clone();
            init_scope = Scope::function(scope);
        }
        let has_init = init.is_some();
        let (typed, late) = self.noting_late(|c| {
            c.asking_early(decl.flags.is_constexpr, |c| {
                c.in_scope(&init_scope, |c| c.typed_initializer(&decl.ty, init.as_ref(), span))
            })
        });
        let Some((mut ty, value)) = typed else { return failed(QualTy::ERROR) };
        if let Some(constant) = late
            && decl.flags.is_constexpr
        {
            self.report_late(&format!("the value of '{name}'"), constant, span);
        }
        // The type belongs to the declaration's own scope, the value to the definition's.
        if ty.is_error() {
            return failed(ty);
        }
        let is_constant_reference = matches!(self.kind(ty.ty), TyKind::Reference { space: AddressSpace::Constant, .. });
        match ty.space {
            Some(AddressSpace::Constant) => {}
            _ if is_constant_reference => {}
            None if decl.flags.is_constexpr => {}
            None if def.class.is_some() && ty.quals.is_const => {}
            Some(AddressSpace::Threadgroup) => {
                self.error(
                    "global-address-space",
                    span,
                    "a variable of namespace scope cannot be in address space 'threadgroup'",
                );
                return failed(QualTy::ERROR);
            }
            _ => {
                let d = Diagnostic::error(
                    "global-address-space",
                    span,
                    format!("'{name}' has to be in address space 'constant', as every variable of namespace scope"),
                )
                .help("write 'constant' in front of its type");
                self.report(d);
                return failed(QualTy::ERROR);
            }
        }
        ty.quals.is_const = true;
        ty.space = Some(AddressSpace::Constant);
        let value = match value {
            Some(e) if e.ty == Ty::ERROR => return failed(QualTy::ERROR),
            Some(e) => match self.evaluate_required(&e, &format!("the value of '{name}'")) {
                Some(v) => v,
                None => return failed(QualTy::ERROR),
            },
            None => {
                if !has_init && self.is_trivially_default(ty.ty) {
                    let d = Diagnostic::error(
                        "uninitialized-constant",
                        span,
                        format!("the constant '{name}' has no value"),
                    )
                    .help("initialise it, or make it a function constant with '[[function_constant(0)]]'");
                    self.report(d);
                    return failed(QualTy::ERROR);
                }
                let e = self.default_init(ty.ty, span);
                match e.map(|e| self.evaluate_required(&e, &format!("the value of '{name}'"))) {
                    Some(Some(v)) => v,
                    _ => return failed(QualTy::ERROR),
                }
            }
        };
        let align = self.alignment_of(&decl.attributes).unwrap_or(0);
        let id = self.make_constant(name, ty, value.clone(), align, span);
        if let Some(constant) = late {
            self.late_globals.insert(id, constant);
        }
        Rc::new(LocalVar { name, place: Place::Global(id), ty, owner: 0, value: Some(Rc::new(value)).into(), span })
    }

    pub fn make_constant(&mut self, name: Symbol, ty: QualTy, value: Const, align: u32, span: Span) -> GlobalId {
        let stored = self.storage_type(ty);
        let (bytes, pointers) = match self.value_bytes(&value, stored) {
            Some(found) => found,
            None => {
                let message = "this constant holds very many bytes, or the address of what is no constant";
                self.error("unsupported-constant", span, message);
                (Vec::new(), Vec::new())
            }
        };
        let align = align.max(self.align_of(ty.ty));
        let storage = GlobalStorage::Constant(bytes.into());
        let id = self.program.globals.push(hir::Global { name, ty: stored, align, storage, pointers, span });
        self.global_values.insert(id, Rc::new(value));
        id
    }

    fn define_function_constant(
        &mut self,
        decl: &Arc<ast::VariableDecl>,
        attribute: &ast::Attribute,
        name: Symbol,
    ) -> Rc<LocalVar> {
        let span = decl.name.span;
        let mut ty = self.resolve_type(&decl.ty);
        let index = match attribute.args.first() {
            Some(e) => self.constant_integer(e, "the index of a function constant"),
            None => {
                self.error(
                    "missing-argument",
                    attribute.span,
                    "a function constant has an index: '[[function_constant(0)]]'",
                );
                None
            }
        };
        if let Some(index) = index
            && self.program.types.as_numeric(ty.ty).is_some()
        {
            self.check_function_constant(decl, ty, index, attribute.span, name);
        }
        let numeric = self.program.types.as_numeric(ty.ty);
        if numeric.is_none() && !ty.is_error() {
            let text = self.type_name(QualTy { space: None, ..ty });
            self.error(
                "invalid-function-constant",
                span,
                format!("a function constant is a scalar or a vector, not '{text}'"),
            );
            ty = QualTy::ERROR;
        }
        let (Some(index), Some((s, n))) = (index, numeric) else {
            return Rc::new(LocalVar {
                name,
                place: Place::Error,
                ty: QualTy::ERROR,
                owner: 0,
                value: None.into(),
                span,
            });
        };
        if decl.init.is_some() {
            self.error(
                "invalid-function-constant",
                span,
                "a function constant gets its value from the host and has no initialiser",
            );
        }
        ty.quals.is_const = true;
        let Some(bits) = self.constants.get(index as u32, name.as_str()) else {
            return Rc::new(LocalVar { name, place: Place::Unset(name), ty, owner: 0, value: None.into(), span });
        };
        let value = if n == 1 && self.program.types.as_scalar(ty.ty).is_some() {
            Const::Scalar(crate::constant::truncate(bits[0], s))
        } else {
            Const::Vector((0..usize::from(n)).map(|i| crate::constant::truncate(bits[i], s)).collect())
        };
        ty.space = Some(AddressSpace::Constant);
        let id = self.make_constant(name, ty, value.clone(), 0, span);
        self.late_globals.insert(id, name);
        Rc::new(LocalVar { name, place: Place::Global(id), ty, owner: 0, value: Some(Rc::new(value)).into(), span })
    }

    /// MSL specification, section 5.8.1: indices are from 0 to 65535, one for each constant.
    fn check_function_constant(&mut self, decl: &ast::VariableDecl, ty: QualTy, index: i64, at: Span, name: Symbol) {
        let span = decl.name.span;
        if !ty.is_error() && ty.space != Some(AddressSpace::Constant) {
            let message = format!("the function constant '{name}' has to be in address space 'constant'");
            let d = Diagnostic::error("global-address-space", span, message);
            self.report(d.help("write 'constant' in front of its type"));
        }
        if !(0..=65535).contains(&index) {
            let message = format!("the index {index} of a function constant is not between 0 and 65535");
            self.error("index-out-of-range", at, message);
            return;
        }
        let (other, was) = *self.function_constant_indices.entry(index).or_insert((name, span));
        if was != span {
            let ((first, was), (other, span)) =
                if was.start < span.start { ((other, was), (name, span)) } else { ((name, span), (other, was)) };
            let at = if other == name { at } else { span };
            let message = format!("the function constants '{first}' and '{other}' both have the index {index}");
            let d = Diagnostic::error("duplicate-index", at, message)
                .note_at(was, format!("'{first}' is declared here"))
                .help("the host tells function constants apart by their indices: give each its own");
            self.report(d);
        }
    }

    // ---- types from initialisers -------------------------------------------------------------

    /// The declared type, `auto`, array bounds and class template arguments filled in, with the converted initialiser.
    pub fn typed_initializer(
        &mut self,
        written: &ast::TypeExpr,
        init: Option<&ast::Initializer>,
        span: Span,
    ) -> Option<(QualTy, Option<hir::Expr>)> {
        if mentions_auto(written) {
            let e = match init {
                Some(ast::Initializer::Copy(e)) => e,
                Some(ast::Initializer::Paren(list, _) | ast::Initializer::Brace(list, _)) if list.len() == 1 => {
                    &list[0]
                }
                _ => {
                    self.error(
                        "auto-without-initializer",
                        span,
                        "the type of an 'auto' variable comes from its initialiser",
                    );
                    return None;
                }
            };
            let arg = self.check_operand_arg(e);
            let auto = self.deduce_auto(written, &arg, span)?;
            let outer = self.auto_binding.replace(auto);
            let ty = self.resolve_type(written);
            self.auto_binding = outer;
            if ty.is_error() {
                return None;
            }
            let value = self.convert_arg(&arg, ty, e.span);
            return Some((ty, Some(value)));
        }
        if let Some(def) = self.deducible_class(written)
            && let Some(init) = init
        {
            let args = match init {
                ast::Initializer::Copy(ast::Expr { kind: ast::ExprKind::InitList(items), .. }) => {
                    self.check_args(items)
                }
                ast::Initializer::Copy(e) => vec![self.check_operand_arg(e)],
                ast::Initializer::Paren(list, _) | ast::Initializer::Brace(list, _) => self.check_args(list),
            };
            let value = self.construct_deduced(&def, &args, span);
            if value.is_error() {
                return None;
            }
            let quals = match &written.kind {
                ast::TypeExprKind::Qualified { quals, .. } => *quals,
                _ => ast::Qualifiers::default(),
            };
            let space = quals.address_space.and_then(crate::resolve::address_space);
            let q = Quals { is_const: quals.is_const, is_volatile: quals.is_volatile };
            return Some((QualTy::new(value.ty(), q, space), Some(value.expr)));
        }
        let mut ty = self.resolve_type(written);
        if ty.is_error() {
            // Names in the initialiser are still worth checking.
            if let Some(ast::Initializer::Copy(e)) = init
                && !matches!(e.kind, ast::ExprKind::InitList(_))
            {
                self.check_operand_arg(e);
            }
            return None;
        }
        if ty.ty == Ty::VOID {
            self.error("void-variable", span, "a variable cannot have type 'void'");
            return None;
        }
        if !self.require_complete(ty.ty, span) {
            return None;
        }
        let value = init.map(|i| self.check_initializer(ty, i, span));
        if let TyKind::Array { len: None, .. } = self.kind(ty.ty) {
            match &value {
                Some(e) => ty.ty = e.ty,
                None => {
                    self.error("unknown-array-size", span, "the size of this array is not known");
                    return None;
                }
            }
        }
        Some((ty, value))
    }

    /// What `auto` stands for in a written type.
    pub fn deduce_auto(&mut self, written: &ast::TypeExpr, arg: &CallArg<'_>, span: Span) -> Option<QualTy> {
        let value = match arg {
            CallArg::Value(v) => v.clone(),
            CallArg::Overloads(set) => self.function_value(set),
            CallArg::List(_, at) => {
                self.error("auto-list", *at, "'auto' cannot be deduced from a list in braces");
                return None;
            }
        };
        if value.is_error() {
            return None;
        }
        if value.ty() == Ty::VOID {
            self.error("void-variable", span, "a variable cannot have type 'void'");
            return None;
        }
        let mut d = Deduction::new(&[], Vec::new());
        let scope = self.scope.clone();
        let actual = value.qual_ty();
        let result = match &written.kind {
            ast::TypeExprKind::DecltypeAuto => {
                let space = value.space();
                return Some(match space {
                    Some(s) => self.types().reference(actual.ty, actual.quals, s, value.is_xvalue).into(),
                    None => actual.ty.into(),
                });
            }
            ast::TypeExprKind::RValueRef(inner)
                if value.is_lvalue() && matches!(inner.kind, ast::TypeExprKind::Auto) =>
            {
                let space = value.space().unwrap_or(AddressSpace::Thread);
                return Some(self.types().reference(actual.ty, actual.quals, space, false).into());
            }
            ast::TypeExprKind::LValueRef(inner) | ast::TypeExprKind::RValueRef(inner) => {
                let space = actual.space.filter(|s| *s != AddressSpace::Thread);
                self.deduce(inner, &scope, QualTy { space, ..actual }, &mut d)
            }
            _ => {
                let decayed = self.decayed_type(actual);
                let stripped = match &written.kind {
                    ast::TypeExprKind::Qualified { inner, .. } => inner,
                    _ => written,
                };
                self.deduce(stripped, &scope, decayed, &mut d)
            }
        };
        if let Err(reason) = result {
            let name = self.type_name(QualTy { space: None, ..actual });
            let d = Diagnostic::error("cannot-deduce", span, format!("the declared type does not fit '{name}'"))
                .note(reason);
            self.report(d);
            return None;
        }
        d.auto
    }

    // ---- locals --------------------------------------------------------------------------------

    pub fn check_local_variable(&mut self, v: &Arc<ast::VariableDecl>, out: &mut hir::Block) {
        let Some(last) = v.name.segments.last() else { return };
        let name = symbol_of(last);
        let span = v.name.span;
        let scope = self.scope.clone();
        if v.bits.is_some() {
            self.error("invalid-bit-field", span, "only members of classes can be bit-fields");
        }
        let block = self.scope.clone();
        if let Some(was) = self.parameter_named(&block, name) {
            let d =
                Diagnostic::error("redefinition", span, format!("'{name}' is a parameter of this function already"))
                    .note_at(was, "the parameter is here");
            self.report(d);
        }
        if self.is_declared(&block, name)
            && let Some(Entity::Local(old)) =
                self.lookup_unqualified(crate::declare::NameKey::Name(name)).entities.first()
        {
            let was = old.span;
            let d = Diagnostic::error("redefinition", span, format!("'{name}' is declared already in this block"))
                .note_at(was, "the other declaration is here");
            self.report(d);
        }
        let owner = self.fcx.serial;
        let declare = |c: &mut Self, place: Place, ty: QualTy, value: Option<Rc<Const>>| {
            let _ = c;
            if let ScopeKind::Block(b) = &scope.kind {
                // A later declaration of the name hides a wrong earlier one.
                b.names.borrow_mut().remove(&name);
            }
            scope.declare(name, Entity::Local(Rc::new(LocalVar { name, place, ty, owner, value: value.into(), span })));
        };
        if let Some(a) = v.attributes.iter().find(|a| a.name == "function_constant") {
            let message = "function constants are declared outside of functions";
            let d = Diagnostic::error("invalid-function-constant", a.span, message);
            self.report(d.help(format!("declare '{name}' in front of the function")));
        }
        let (typed, late) = self.noting_late(|c| {
            c.asking_early(v.flags.is_constexpr, |c| c.typed_initializer(&v.ty, v.init.as_ref(), span))
        });
        if let Some(constant) = late
            && v.flags.is_constexpr
        {
            self.report_late(&format!("the value of '{name}'"), constant, span);
        }
        let Some((ty, init)) = typed else {
            declare(self, Place::Error, QualTy::ERROR, None);
            return;
        };
        let failed = init.as_ref().is_some_and(|e| e.ty == Ty::ERROR);
        let is_reference = self.program.types.is_reference(ty.ty);
        match ty.space {
            Some(AddressSpace::Threadgroup) if !is_reference => {
                if !self.may_own_threadgroup_memory(span) {
                    let d = Diagnostic::error(
                        "threadgroup-variable",
                        span,
                        format!("'{name}' is in threadgroup memory, which only kernels can declare"),
                    )
                    .help(format!("declare it in the kernel and pass a pointer or reference: 'threadgroup T *{name}'"));
                    self.report(d);
                    declare(self, Place::Error, QualTy::ERROR, None);
                    return;
                }
                if init.is_some() {
                    // Metal's compiler accepts and ignores it.
                    let message =
                        "a threadgroup variable is not initialised where it is declared; the value is ignored";
                    self.report(Diagnostic::warning("threadgroup-initializer", span, message));
                }
                let align = self.alignment_of(&v.attributes).unwrap_or(0).max(self.align_of(ty.ty));
                let storage = GlobalStorage::Threadgroup;
                let id = self.program.globals.push(hir::Global {
                    name,
                    ty: ty.ty,
                    align,
                    storage,
                    pointers: Vec::new(),
                    span,
                });
                declare(self, Place::Global(id), ty, None);
                return;
            }
            Some(AddressSpace::Device) if !is_reference => {
                let d = Diagnostic::error(
                    "local-address-space",
                    span,
                    "a variable of a function cannot be in address space 'device'",
                )
                .help("a pointer into device memory is declared 'device T *p'");
                self.report(d);
                declare(self, Place::Error, QualTy::ERROR, None);
                return;
            }
            _ => {}
        }
        let is_static = v.flags.is_static || ty.space == Some(AddressSpace::Constant);
        if is_static && !is_reference {
            if !v.flags.is_constexpr && !ty.quals.is_const && ty.space != Some(AddressSpace::Constant) {
                self.error("static-variable", span, "static variables have to be constants in Metal");
            }
            let value = match init {
                Some(e) if e.ty != Ty::ERROR => self.evaluate_required(&e, &format!("the value of '{name}'")),
                Some(_) => None,
                None => {
                    self.error("uninitialized-constant", span, format!("the constant '{name}' has no value"));
                    None
                }
            };
            let Some(value) = value else {
                declare(self, Place::Error, QualTy::ERROR, None);
                return;
            };
            let align = self.alignment_of(&v.attributes).unwrap_or(0);
            let ty = QualTy { quals: ty.quals.with(Quals::CONST), space: Some(AddressSpace::Constant), ..ty };
            let id = self.make_constant(name, ty, value.clone(), align, span);
            if let Some(constant) = late {
                self.late_globals.insert(id, constant);
            }
            declare(self, Place::Global(id), ty, Some(Rc::new(value)));
            return;
        }
        if is_reference && init.is_none() {
            self.error("uninitialized-reference", span, format!("the reference '{name}' is not bound to anything"));
            declare(self, Place::Error, QualTy::ERROR, None);
            return;
        }
        let quals = match self.kind(ty.ty) {
            TyKind::Array { quals, .. } => ty.quals.with(*quals),
            _ => ty.quals,
        };
        let is_const = quals.is_const || v.flags.is_constexpr;
        let init = match init {
            Some(e) => Some(e),
            None => {
                if is_const && self.is_trivially_default(ty.ty) {
                    self.error("uninitialized-constant", span, format!("the constant '{name}' has no value"));
                }
                self.default_init(ty.ty, span)
            }
        };
        if let Some(class) = self.program.types.as_class(ty.ty) {
            self.check_destructor_access(class, span);
        }
        let stored = self.storage_type(ty);
        let align = self.alignment_of(&v.attributes).unwrap_or(0);
        let local = self.fcx.locals.push(hir::Local { name: Some(name), ty: stored, align, span });
        if let Some(constant) = late {
            self.fcx.late_locals.insert(local, constant);
        }
        let mut value = None;
        if let Some(e) = &init
            && !failed
        {
            if v.flags.is_constexpr && !is_reference {
                value = self.evaluate_required(e, &format!("the value of '{name}'"));
            } else if is_const && matches!(self.kind(ty.ty), TyKind::Scalar(_) | TyKind::Enum(_)) {
                value = self.evaluate_quietly(e);
            } else if is_const && matches!(self.kind(ty.ty), TyKind::Pointer { .. }) {
                // Known functions can be called.
                value = self.evaluate_quietly(e).filter(|v| matches!(v, Const::Scalar(_)));
            }
        }
        // What is known needs nothing that only computes it.
        let init = match &value {
            Some(v @ (Const::Scalar(_) | Const::Vector(_))) => self.constant_expr(v, stored, span).or(init),
            _ => init,
        };
        let value = value.map(|v| self.remember(local, v));
        let ty = QualTy { quals: if v.flags.is_constexpr { ty.quals.with(Quals::CONST) } else { ty.quals }, ..ty };
        if failed {
            declare(self, Place::Local(local), ty, None);
            return;
        }
        declare(self, Place::Local(local), ty, value);
        out.push(hir::Stmt { kind: StmtKind::Variable { local, init }, span });
    }

    /// In the body of a kernel (MSL specification, section 4.4); the library may do it anywhere.
    fn may_own_threadgroup_memory(&self, span: Span) -> bool {
        let Some(id) = self.fcx.function else { return true };
        crate::declare::is_kernel(&self.functions[id.0 as usize].def.decl) || self.is_library_span(span)
    }

    /// The parameter of that name, where the block is the outermost of a function.
    fn parameter_named(&self, block: &Rc<Scope>, name: Symbol) -> Option<Span> {
        let params = block.parent.as_ref()?;
        let ScopeKind::Block(names) = &params.kind else { return None };
        if !matches!(params.parent.as_ref()?.kind, ScopeKind::Function) {
            return None;
        }
        match names.names.borrow().get(&name)?.first()? {
            Entity::Local(v) if v.owner == self.fcx.serial => Some(v.span),
            _ => None,
        }
    }

    /// A nameless local with a value.
    pub fn hidden_local(&mut self, name: &str, init: hir::Expr, out: &mut hir::Block) -> Value {
        let (ty, span) = (init.ty, init.span);
        let local = self.fcx.locals.push(hir::Local { name: Some(Symbol::new(name)), ty, align: 0, span });
        out.push(hir::Stmt { kind: StmtKind::Variable { local, init: Some(init) }, span });
        Value::lvalue(hir::ExprKind::Local(local), ty, Quals::NONE, AddressSpace::Thread, span)
    }
}

fn symbol_of(segment: &ast::NameSegment) -> Symbol {
    match segment.ident {
        ast::Ident::Name(n) => n,
        _ => Symbol::new(&text_of(&segment.ident)),
    }
}

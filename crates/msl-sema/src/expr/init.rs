//! Initialisation: of classes by constructors, by default, and with deduced class template arguments. Lists in braces are in
//! `list.rs`.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use super::{Value, rvalue_expr};
use crate::checker::Checker;
use crate::conversion::error_expr;
use crate::declare::NameKey;
use crate::entity::*;
use crate::hir::{self, ExprKind, FunctionId, LocalId};
use crate::template::CallArg;
use crate::types::*;

impl Checker<'_> {
    // ---- classes ---------------------------------------------------------------------------

    /// A class value from constructor arguments.
    pub fn construct_class(
        &mut self,
        class: ClassId,
        args: &[CallArg<'_>],
        span: Span,
        allow_explicit: bool,
    ) -> hir::Expr {
        let ty = self.class_type(class);
        if super::call::has_error(args) || !self.require_complete(ty, span) {
            return error_expr(span);
        }
        if let [CallArg::List(items, at)] = args {
            return self.init_from_list(ty.into(), items, *at);
        }
        if let [CallArg::Value(v)] = args
            && let Some(from) = self.program.types.as_class(v.ty())
            && self.derives_from(from, class).is_some()
            && (!v.is_lvalue() && from == class || !self.user_copy_constructor(class))
        {
            let base = self.base_object(v.clone(), from, class);
            return self.rvalue(base);
        }
        let has_user = self.has_user_constructors(class);
        if args.is_empty() && !self.has_user_default(class) {
            if self.is_trivially_default(ty) {
                return rvalue_expr(ExprKind::Zero, ty, span);
            }
            if !has_user && self.is_aggregate(class) {
                // Members without an initialiser are zero, which they are not in `T x;`.
                return self.init_list(ty, &mut [], span);
            }
            if !has_user || self.has_defaulted_default(class) {
                let id = self.implicit_default(class, span);
                return rvalue_expr(ExprKind::ConstructorCall { function: id, args: Vec::new() }, ty, span);
            }
        }
        let mut ctors = self.constructors(class);
        if !allow_explicit {
            ctors.retain(|f| !f.decl.flags.is_explicit);
        }
        let this = self.object_placeholder(class);
        if has_user && !ctors.is_empty() {
            match self.resolve_overload(&ctors, None, Some(&this), args, true, span) {
                Ok(chosen) if matches!(chosen.def.decl.body, ast::FunctionBody::Defaulted) => match args {
                    [CallArg::Value(v)] => return self.rvalue(v.clone()),
                    _ => return rvalue_expr(ExprKind::Zero, ty, span),
                },
                Ok(chosen) => {
                    self.check_function_access(&chosen.def, span);
                    let id = self.function_instance(&chosen.def, chosen.args, Some(AddressSpace::Thread), span);
                    let exprs = self.bound_args(id, args, span);
                    self.mark_used(id);
                    if exprs.iter().any(|e| e.ty == Ty::ERROR) {
                        return error_expr(span);
                    }
                    return rvalue_expr(ExprKind::ConstructorCall { function: id, args: exprs }, ty, span);
                }
                Err(e) => {
                    if let [CallArg::Value(v)] = args
                        && let Some(done) = self.by_conversion_function(v, ty, span)
                    {
                        return done;
                    }
                    let name = self.class_name(class);
                    self.report_overload(e, &name, args, span);
                    return error_expr(span);
                }
            }
        }
        if let [CallArg::Value(v)] = args
            && let Some(done) = self.by_conversion_function(v, ty, span)
        {
            return done;
        }
        let name = self.class_name(class);
        let at = self.classes[class.0 as usize].decl.name.as_ref().map_or(Span::NONE, |n| n.span);
        let mut d =
            Diagnostic::error("no-constructor", span, format!("'{name}' has no constructor for these arguments"))
                .note_at(at, "the type is declared here");
        if self.is_aggregate(class) && !args.is_empty() {
            d = d.help("initialise its members with braces: '{…}'");
        }
        self.report(d);
        error_expr(span)
    }

    fn by_conversion_function(&mut self, v: &Value, ty: Ty, span: Span) -> Option<hir::Expr> {
        self.program.types.as_class(v.ty())?;
        let user = self.user_conversion(v, ty, true)?;
        if user.class.is_some() {
            return None;
        }
        let ics = crate::conversion::Ics { user: Some(user), ..crate::conversion::Ics::exact() };
        Some(self.apply(v.clone(), ty.into(), &ics, span))
    }

    /// A constructor with a body that can be called without arguments.
    pub fn has_user_default(&self, class: ClassId) -> bool {
        self.constructors(class).iter().any(|f| {
            !matches!(f.decl.body, ast::FunctionBody::Defaulted)
                && f.decl.params.iter().all(|p| {
                    p.default.is_some()
                        || p.is_pack
                        || matches!(p.ty.kind, ast::TypeExprKind::Pack(_))
                        || (p.name.is_none() && matches!(p.ty.kind, ast::TypeExprKind::Builtin(ast::BuiltinType::Void)))
                })
        })
    }

    pub fn has_defaulted_default(&self, class: ClassId) -> bool {
        self.constructors(class)
            .iter()
            .any(|f| matches!(f.decl.body, ast::FunctionBody::Defaulted) && f.decl.params.is_empty())
    }

    /// What `T x;` does: `None` leaves the object uninitialised.
    pub fn default_init(&mut self, ty: Ty, span: Span) -> Option<hir::Expr> {
        match *self.kind(ty) {
            TyKind::Class(c) => {
                if !self.require_complete(ty, span) {
                    return Some(error_expr(span));
                }
                if !self.has_user_default(c)
                    && (!self.has_user_constructors(c) || self.has_defaulted_default(c))
                    && self.is_trivially_default(ty)
                {
                    return None;
                }
                if !self.has_user_default(c) && !self.has_user_constructors(c) {
                    let id = self.implicit_default(c, span);
                    return Some(rvalue_expr(ExprKind::ConstructorCall { function: id, args: Vec::new() }, ty, span));
                }
                Some(self.construct_class(c, &[], span, true))
            }
            TyKind::Array { element, len, .. } => {
                let e = self.default_init(element, span)?;
                len.filter(|n| *n > 0)?;
                Some(rvalue_expr(ExprKind::FillArray(Vec::new(), Box::new(e)), ty, span))
            }
            _ => None,
        }
    }

    /// The default constructor nobody wrote: runs the initialisers of members.
    pub fn implicit_default(&mut self, class: ClassId, span: Span) -> FunctionId {
        if let Some(id) = self.classes[class.0 as usize].implicit_default {
            // The first use may have been in code that is not generated.
            self.mark_used(id);
            return id;
        }
        let decl = self.classes[class.0 as usize].decl.clone();
        let scope = self.classes[class.0 as usize].scope.clone();
        let at = decl.span;
        let function = ast::FunctionDecl {
            name: ast::Name { is_global: false, segments: Vec::new(), span: at },
            kind: ast::FunctionKind::Constructor,
            stage: ast::StageKeyword::None,
            flags: ast::DeclFlags { is_constexpr: true, ..Default::default() },
            templates: Vec::new(),
            attributes: Vec::new(),
            ret: ast::TypeExpr { kind: ast::TypeExprKind::Builtin(ast::BuiltinType::Void), span: at },
            params: Vec::new(),
            is_variadic: false,
            this_quals: ast::Qualifiers::default(),
            this_ref: ast::RefQualifier::None,
            body: ast::FunctionBody::Block {
                initializers: Vec::new(),
                body: Box::new(ast::Stmt { kind: ast::StmtKind::Compound(Vec::new()), span: at }),
            },
            fp_pragma: Vec::new(),
            span: at,
        };
        let def = self.make_fn_def(NameKey::Constructor, Arc::new(function), scope, Some(class), false);
        let id = self.function_instance(&def, Vec::new(), Some(AddressSpace::Thread), span);
        self.classes[class.0 as usize].implicit_default = Some(id);
        self.mark_used(id);
        id
    }

    // ---- initialisers of declarations ------------------------------------------------------

    /// The value of an initialiser; a pointer where the declared type is a reference.
    pub fn check_initializer(&mut self, ty: QualTy, init: &ast::Initializer, span: Span) -> hir::Expr {
        let text = match init {
            ast::Initializer::Copy(e) => Some(e),
            ast::Initializer::Brace(items, _) => items.first().filter(|_| items.len() == 1),
            ast::Initializer::Paren(..) => None,
        };
        if let Some(array) = text.and_then(|e| self.array_of_text(ty.ty, e)) {
            return array;
        }
        match init {
            ast::Initializer::Copy(e) => {
                let arg = self.check_operand_arg(e);
                if let (TyKind::Array { .. }, CallArg::Value(v)) = (self.kind(ty.ty), &arg) {
                    if v.ty() == ty.ty && !v.is_lvalue() {
                        return v.expr.clone();
                    }
                    if !v.is_error() {
                        self.error("invalid-initializer", e.span, "an array is initialised with a list in braces");
                    }
                    return error_expr(span);
                }
                self.convert_arg(&arg, ty, e.span)
            }
            ast::Initializer::Paren(args, at) => {
                let values = self.check_args(args);
                if self.program.types.is_reference(ty.ty) {
                    return match &values[..] {
                        [one] => self.convert_arg(one, ty, *at),
                        _ => {
                            self.error("invalid-initializer", *at, "a reference is bound to one object");
                            error_expr(span)
                        }
                    };
                }
                match (self.kind(ty.ty), &values[..]) {
                    (TyKind::Class(_) | TyKind::Vector(..) | TyKind::PackedVector(..), _) | (_, []) => {
                        self.construct(ty, &values, span).expr
                    }
                    (_, [one]) => self.convert_arg(one, ty, *at),
                    _ => self.construct(ty, &values, span).expr,
                }
            }
            ast::Initializer::Brace(items, at) => {
                if self.program.types.is_reference(ty.ty) {
                    return match &items[..] {
                        [one] if !matches!(one.kind, ast::ExprKind::InitList(_)) => self.check_expr_converted(one, ty),
                        _ => self.convert_arg(&CallArg::List(items, *at), ty, *at),
                    };
                }
                self.init_from_list(ty, items, *at)
            }
        }
    }

    // ---- class template argument deduction -------------------------------------------------

    /// The class template that a written type without arguments names.
    pub fn deducible_class(&mut self, ty: &ast::TypeExpr) -> Option<Rc<ClassDef>> {
        let inner = match &ty.kind {
            ast::TypeExprKind::Qualified { inner, .. } => inner,
            _ => ty,
        };
        let ast::TypeExprKind::Named { name, .. } = &inner.kind else { return None };
        if name.segments.last()?.template_args.is_some() {
            return None;
        }
        let found = self.attempt(|c| c.lookup(name)).ok()?;
        match found.entities.first() {
            Some(Entity::Class(def)) if def.header.is_some() => Some(def.clone()),
            _ => None,
        }
    }

    pub fn construct_deduced(&mut self, def: &Rc<ClassDef>, args: &[CallArg<'_>], span: Span) -> Value {
        if super::call::has_error(args) {
            return Value::error(span);
        }
        match self.deduce_class_type(def, args, span) {
            Some(ty) => {
                let Some(class) = self.program.types.as_class(ty) else { return Value::error(span) };
                self.complete_class(class, span);
                if self.is_aggregate(class) {
                    return Value::rvalue(self.aggregate_from_args(class, args, span));
                }
                self.construct(ty.into(), args, span)
            }
            None => Value::error(span),
        }
    }

    fn aggregate_from_args(&mut self, class: ClassId, args: &[CallArg<'_>], span: Span) -> hir::Expr {
        let ty = self.class_type(class);
        if let [CallArg::Value(v)] = args
            && v.ty() == ty
        {
            return self.rvalue(v.clone());
        }
        let infos = self.classes[class.0 as usize].fields.clone();
        // One array member takes all arguments.
        if let [only] = &infos[..]
            && let TyKind::Array { element, .. } = *self.kind(only.ty.ty)
        {
            let items = args.iter().map(|a| self.convert_arg(a, element.into(), a.span())).collect();
            let array = rvalue_expr(ExprKind::ConstructArray(items), only.ty.ty, span);
            return rvalue_expr(ExprKind::ConstructClass { fields: vec![(0, array)] }, ty, span);
        }
        let mut fields = Vec::new();
        for (i, (info, a)) in infos.iter().zip(args).enumerate() {
            fields.push((i as u32, self.convert_arg(a, info.ty, a.span())));
        }
        rvalue_expr(ExprKind::ConstructClass { fields }, ty, span)
    }

    /// The instance that constructor arguments ask for: by deduction guides, constructors, copying.
    pub fn deduce_class_type(&mut self, def: &Rc<ClassDef>, args: &[CallArg<'_>], span: Span) -> Option<Ty> {
        // An object of the template is copied before anything is made around it.
        if let [CallArg::Value(v)] = args
            && let Some(c) = self.program.types.as_class(v.ty())
            && Rc::ptr_eq(&self.classes[c.0 as usize].def, def)
        {
            return Some(v.ty());
        }
        for (ns, guide) in self.layer.deduction_guides(def.name) {
            let scope = self.ns_scope(ns);
            let f = self.make_fn_def(NameKey::Name(def.name), guide, scope, None, true);
            if let Ok(chosen) = self.resolve_overload(&[f], None, None, args, true, span)
                && let Some(ret) = chosen.signature.ret
            {
                return Some(ret.ty);
            }
        }
        let header = def.header.clone()?;
        let mut failures = Vec::new();
        for member in def.decl.members.iter().flatten() {
            let (params, own) = match &member.kind {
                ast::DeclKind::Function(f) if f.kind == ast::FunctionKind::Constructor => (&**f, f.templates.last()),
                _ => continue,
            };
            let mut f = params.clone();
            let mut all = header.clone();
            if let Some(own) = own {
                all.params.extend(own.params.iter().cloned());
            }
            f.kind = ast::FunctionKind::Ordinary;
            f.templates = vec![all];
            f.ret = ast::TypeExpr { kind: ast::TypeExprKind::Builtin(ast::BuiltinType::Void), span: f.span };
            let f = self.make_fn_def(NameKey::Name(def.name), Arc::new(f), def.scope.clone(), None, true);
            match self.resolve_overload(&[f], None, None, args, true, span) {
                Ok(chosen) => {
                    let class_args = chosen.args[..header.params.len().min(chosen.args.len())].to_vec();
                    let class = self.class_instance(def, class_args, span);
                    return Some(self.class_type(class));
                }
                Err(crate::overload::OverloadError::NoneViable(list)) => failures.extend(list),
                Err(_) => {}
            }
        }
        // An aggregate: its members as parameters.
        let has_ctor = def
            .decl
            .members
            .iter()
            .flatten()
            .any(|m| matches!(&m.kind, ast::DeclKind::Function(f) if f.kind == ast::FunctionKind::Constructor));
        if !has_ctor {
            let mut d = crate::template::Deduction::new(&header.params, Vec::new());
            let scope = Scope::params(&def.scope, d.placeholders());
            let fields: Vec<Arc<ast::VariableDecl>> = def
                .decl
                .members
                .iter()
                .flatten()
                .filter_map(|m| match &m.kind {
                    ast::DeclKind::Variable(v) if !v.flags.is_static => Some(v.clone()),
                    _ => None,
                })
                .collect();
            let deduced = fields.iter().zip(args).try_for_each(|(f, a)| self.deduce_param(&f.ty, &scope, a, &mut d));
            if deduced.is_ok()
                && let Ok(found) = self.finish_deduction(d, &def.scope)
            {
                let class = self.class_instance(def, found, span);
                return Some(self.class_type(class));
            }
        }
        let mut d = Diagnostic::error(
            "cannot-deduce",
            span,
            format!("the template arguments of '{}' cannot be deduced from this", def.name),
        );
        for (f, reason, _) in failures.iter().take(4) {
            d = d.note_at(f.span(), format!("this constructor does not fit: {reason}"));
        }
        self.report(d);
        None
    }

    /// The parameter of a synthesised or written constructor or method that `this` is.
    pub fn this_local(&mut self, class: ClassId, quals: Quals, space: AddressSpace, span: Span) -> LocalId {
        let ty = self.class_type(class);
        let pointer = self.types().pointer(ty, quals, space);
        self.fcx.locals.push(hir::Local { name: Some(Symbol::new("this")), ty: pointer, align: 0, span })
    }
}

//! Lambdas: a closure class with one field per capture and a call operator.
//!
//! What the body mentions of the enclosing function is captured when the lambda is met, so that the body of a generic
//! lambda can be checked later, at each call.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Span, Symbol};
use msl_syntax::ast::{self, CaptureDefault};

use super::{OverloadSet, Value, rvalue_expr};
use crate::checker::Checker;
use crate::declare::NameKey;
use crate::entity::*;
use crate::hir::{self, ExprKind};
use crate::types::*;

struct Captured {
    name: Symbol,
    /// Of the field: a reference where captured by reference.
    ty: QualTy,
    init: hir::Expr,
}

/// The name of a lambda's function without an object, which no program can write.
const INVOKER: &str = "(invoker)";

impl Checker<'_> {
    /// The functions a lambda without captures converts to pointers to.
    pub fn invoker_of(&self, ty: Ty, span: Span) -> Option<OverloadSet> {
        let class = self.program.types.as_class(ty)?;
        let info = &self.classes[class.0 as usize];
        info.lambda.as_ref()?;
        match info.members.get(&NameKey::Name(Symbol::new(INVOKER)))?.first()? {
            Entity::Function(f) => Some(OverloadSet {
                functions: vec![f.clone()],
                explicit: None,
                object: None,
                key: f.key,
                name: "(lambda)".into(),
                by_arguments: false,
                is_address: false,
                span,
            }),
            _ => None,
        }
    }

    fn is_function_pointer(&self, ty: Ty) -> bool {
        self.pointed_function(ty).is_some()
    }

    /// A lambda as the pointer to a function that is wanted.
    pub fn lambda_as_pointer(&mut self, v: &Value, to: Ty) -> Option<Value> {
        if !self.is_function_pointer(to) {
            return None;
        }
        let TyKind::Pointer { pointee, .. } = *self.kind(to) else { return None };
        let set = self.invoker_of(v.ty(), v.expr.span)?;
        self.attempt(|c| c.resolve_function_address(&set, pointee)).ok().flatten()
    }

    pub fn check_lambda(&mut self, lambda: &Arc<ast::LambdaExpr>, span: Span) -> Value {
        let mut captured: Vec<Captured> = Vec::new();
        let mut failed = false;
        for c in &lambda.captures {
            let Some(name) = c.name else {
                failed |= !self.capture_this(c.span, &mut captured);
                continue;
            };
            if let Some(init) = &c.init {
                let v = self.check_expr(init);
                if v.is_error() {
                    failed = true;
                    continue;
                }
                self.capture_value(name, v, c.by_reference, c.span, &mut captured);
                continue;
            }
            let found = self.lookup_unqualified(NameKey::Name(name));
            match found.entities.first() {
                Some(e) if self.is_capturable(e) => {
                    let e = e.clone();
                    failed |= !self.capture_entity(name, &e, c.by_reference, c.span, &mut captured);
                }
                Some(_) => {
                    self.error("invalid-capture", c.span, format!("'{name}' is not a local variable"));
                    failed = true;
                }
                None => {
                    let segment = ast::NameSegment { ident: ast::Ident::Name(name), template_args: None, span: c.span };
                    self.report_unknown(&ast::Name { is_global: false, segments: vec![segment], span: c.span });
                    failed = true;
                }
            }
        }
        if let Some(default) = lambda.default_capture {
            let mut names = Vec::new();
            crate::walk::names_in_stmt(&lambda.body, &mut names);
            names.sort_by_key(|n| n.as_str());
            names.dedup();
            let this = Symbol::new("this");
            for name in names {
                if captured.iter().any(|c| c.name == name) || lambda.params.iter().any(|p| p.name == Some(name)) {
                    continue;
                }
                let found = self.lookup_unqualified(NameKey::Name(name));
                let uses_this = name == this
                    || found.class.is_some()
                        && found.entities.iter().any(|e| match e {
                            Entity::Field(..) => true,
                            Entity::Function(f) => f.is_method(),
                            _ => false,
                        });
                if uses_this {
                    if !captured.iter().any(|c| c.name == this) && self.this_pointer(span).is_some() {
                        self.capture_this(span, &mut captured);
                    }
                    continue;
                }
                if let Some(e) = found.entities.first()
                    && self.is_capturable(e)
                {
                    let e = e.clone();
                    failed |=
                        !self.capture_entity(name, &e, default == CaptureDefault::ByReference, span, &mut captured);
                }
            }
        }
        if failed {
            return Value::error(span);
        }
        self.make_closure(lambda, captured, span)
    }

    fn is_capturable(&self, e: &Entity) -> bool {
        match e {
            // Of the function being checked; outer ones have been captured by the lambda around this one.
            Entity::Local(v) => matches!(v.place, Place::Local(_)) && v.owner == self.fcx.serial,
            Entity::Bound(_) => true,
            Entity::LocalPack(list) => list.iter().all(|v| v.owner == self.fcx.serial),
            _ => false,
        }
    }

    fn capture_entity(
        &mut self,
        name: Symbol,
        e: &Entity,
        by_reference: bool,
        span: Span,
        out: &mut Vec<Captured>,
    ) -> bool {
        let v = match e {
            Entity::Local(v) => {
                // Constants need no capture; they are copied where they are used.
                if v.value.borrow().as_ref().is_some_and(|c| matches!(**c, crate::constant::Const::Scalar(_))) {
                    return true;
                }
                self.local_value(v, span)
            }
            Entity::Bound(v) => (**v).clone(),
            Entity::LocalPack(list) => {
                for (i, v) in list.iter().enumerate() {
                    let value = self.local_value(v, span);
                    self.capture_value(Symbol::new(&format!("{name}#{i}")), value, by_reference, span, out);
                }
                return true;
            }
            _ => return true,
        };
        if v.is_error() {
            return false;
        }
        self.capture_value(name, v, by_reference, span, out);
        true
    }

    fn capture_value(&mut self, name: Symbol, v: Value, by_reference: bool, span: Span, out: &mut Vec<Captured>) {
        if by_reference && v.is_lvalue() {
            let space = v.space().unwrap_or(AddressSpace::Thread);
            let ty = self.types().reference(v.ty(), v.quals, space, false);
            let pointer = self.types().pointer(v.ty(), v.quals, space);
            let init = self.address_of_lvalue(v.expr, pointer, span);
            out.push(Captured { name, ty: ty.into(), init });
            return;
        }
        let is_array = matches!(self.kind(v.ty()), TyKind::Array { .. });
        let ty =
            QualTy { ty: v.ty(), quals: v.quals.without(Quals { is_const: false, is_volatile: true }), space: None };
        let init = if is_array && v.is_lvalue() {
            let at = v.expr.span;
            let ty = v.ty();
            rvalue_expr(ExprKind::Load(Box::new(v.expr)), ty, at)
        } else {
            self.copy_of(v, span)
        };
        out.push(Captured { name, ty, init });
    }

    fn capture_this(&mut self, span: Span, out: &mut Vec<Captured>) -> bool {
        match self.this_pointer(span) {
            Some(v) => {
                let init = self.rvalue(v);
                out.push(Captured { name: Symbol::new("this"), ty: init.ty.into(), init });
                true
            }
            None => {
                self.error("invalid-capture", span, "there is no 'this' to capture");
                false
            }
        }
    }

    fn make_closure(&mut self, lambda: &Arc<ast::LambdaExpr>, captured: Vec<Captured>, span: Span) -> Value {
        let class_decl = Arc::new(ast::ClassDecl {
            key: ast::ClassKey::Struct,
            name: None,
            templates: Vec::new(),
            attributes: Vec::new(),
            bases: Vec::new(),
            members: Some(Vec::new()),
            access: Vec::new(),
            pack: 0,
            span,
        });
        let scope = self.scope.clone();
        let mut def = self.make_class_def(class_decl, scope.clone(), Vec::new(), Vec::new());
        if let Some(d) = Rc::get_mut(&mut def) {
            d.name = Symbol::new("(lambda)");
        }
        let class = self.class_instance(&def, Vec::new(), span);
        self.complete_class(class, span);
        let ty = self.class_type(class);
        let mut offset = 0u64;
        let mut align = 1u32;
        let mut fields = Vec::new();
        let mut captures = Vec::new();
        for (i, c) in captured.into_iter().enumerate() {
            let stored = self.storage_type(c.ty);
            let (size, a) = (self.size_of(stored), self.align_of(stored));
            offset = offset.next_multiple_of(u64::from(a.max(1)));
            align = align.max(a);
            let name = Some(c.name);
            self.program.classes[class].fields.push(hir::Field {
                name,
                ty: stored,
                offset,
                is_base: false,
                id: None,
                bits: None,
            });
            let info = FieldInfo { name, ty: c.ty, is_base: false, is_mutable: false, decl: None };
            self.classes[class.0 as usize].fields.push(info);
            offset += size;
            captures.push((c.name, Entity::Field(class, Rc::from(vec![i as u32]))));
            fields.push((i as u32, c.init));
        }
        let hir_class = &mut self.program.classes[class];
        hir_class.align = align;
        hir_class.size = offset.max(1).next_multiple_of(u64::from(align));
        let info = Rc::new(LambdaInfo { captures });
        let decl = ast::FunctionDecl {
            name: ast::Name {
                is_global: false,
                segments: vec![ast::NameSegment {
                    ident: ast::Ident::Operator(ast::OverloadedOperator::Call),
                    template_args: None,
                    span,
                }],
                span,
            },
            kind: ast::FunctionKind::Ordinary,
            stage: ast::StageKeyword::None,
            flags: ast::DeclFlags { is_constexpr: true, ..Default::default() },
            templates: lambda.template.iter().cloned().collect(),
            attributes: Vec::new(),
            ret: lambda.ret.clone().unwrap_or(ast::TypeExpr { kind: ast::TypeExprKind::Auto, span }),
            params: lambda.params.clone(),
            is_variadic: false,
            this_quals: ast::Qualifiers { is_const: !lambda.is_mutable, ..Default::default() },
            this_ref: ast::RefQualifier::None,
            body: ast::FunctionBody::Block { initializers: Vec::new(), body: lambda.body.clone() },
            fp_pragma: Vec::new(),
            span,
        };
        let key = NameKey::Operator(ast::OverloadedOperator::Call);
        let mut def = self.make_fn_def(key, Arc::new(decl), scope, Some(class), false);
        if let Some(d) = Rc::get_mut(&mut def) {
            d.lambda = Some(info.clone());
            d.definition = RefCell::new(None);
        }
        if info.captures.is_empty() {
            // Without captures it needs no object, so that a pointer to a function can stand for it.
            let mut plain = ast::FunctionDecl::clone(&def.decl);
            plain.this_quals = ast::Qualifiers::default();
            let function = self.make_fn_def(
                NameKey::Name(Symbol::new(INVOKER)),
                Arc::new(plain),
                def.scope.clone(),
                Some(class),
                true,
            );
            self.classes[class.0 as usize]
                .members
                .insert(NameKey::Name(Symbol::new(INVOKER)), vec![Entity::Function(function)]);
        }
        self.classes[class.0 as usize].lambda = Some(info);
        self.classes[class.0 as usize].members.insert(key, vec![Entity::Function(def.clone())]);
        // Errors of a body that depends on nothing are reported even when the lambda is never called.
        if !def.is_template() && self.unevaluated == 0 && !self.is_speculating() {
            let id = self.function_instance(&def, Vec::new(), Some(AddressSpace::Thread), span);
            self.check_body(id);
        }
        Value::rvalue(rvalue_expr(ExprKind::ConstructClass { fields }, ty, span))
    }

    /// Binds the captured names for the body of a call operator; `this` is the closure.
    pub fn bind_captures(&mut self, info: &Rc<LambdaInfo>, closure: &Value, block: &Rc<Scope>, span: Span) {
        let mut packs: Vec<(Symbol, Vec<Value>)> = Vec::new();
        for (name, entity) in &info.captures {
            let Entity::Field(class, path) = entity else { continue };
            let v = self.field_value(closure.clone(), *class, path, span);
            match name.as_str().split_once('#') {
                Some((pack, _)) => {
                    let pack = Symbol::new(pack);
                    match packs.iter_mut().find(|(n, _)| *n == pack) {
                        Some((_, list)) => list.push(v),
                        None => packs.push((pack, vec![v])),
                    }
                }
                None => block.declare(*name, Entity::Bound(Rc::new(v))),
            }
        }
        for (name, list) in packs {
            // Each element is a reference to the field, under a local of its own.
            let vars = list.into_iter().map(|v| self.reference_local(name, v, span)).collect();
            block.declare(name, Entity::LocalPack(Rc::new(vars)));
        }
    }

    fn reference_local(&mut self, name: Symbol, v: Value, span: Span) -> Rc<LocalVar> {
        let space = v.space().unwrap_or(AddressSpace::Thread);
        let ty = self.types().reference(v.ty(), v.quals, space, false);
        let stored = self.storage_type(ty.into());
        let id = self.fcx.locals.push(hir::Local { name: Some(name), ty: stored, align: 0, span });
        let pointer = self.address_of_lvalue(v.expr, stored, span);
        self.fcx.prologue.push(hir::Stmt { kind: hir::StmtKind::Variable { local: id, init: Some(pointer) }, span });
        let owner = self.fcx.serial;
        Rc::new(LocalVar { name, place: Place::Local(id), ty: ty.into(), owner, value: None.into(), span })
    }
}

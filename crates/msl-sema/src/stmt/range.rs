//! Structured bindings and range-based `for`.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::entity::*;
use crate::expr::{Value, constant, rvalue_expr};
use crate::hir::{self, ExprKind, LoopHint, StmtKind};
use crate::template::CallArg;
use crate::types::*;

impl Checker<'_> {
    pub(super) fn check_structured_binding(
        &mut self,
        names: &[(Symbol, Span)],
        ty: &ast::TypeExpr,
        init: &ast::Expr,
        span: Span,
        out: &mut hir::Block,
    ) {
        let object = self.bind_range(ty, init, "binding", span, out);
        let scope = self.scope.clone();
        let declare_errors = || {
            for (n, _) in names {
                scope.declare(*n, Entity::Bound(Rc::new(Value::error(span))));
            }
        };
        let Some(mut object) = object else { return declare_errors() };
        let count = match *self.kind(object.ty()) {
            TyKind::Array { len, .. } => len.unwrap_or(0) as usize,
            TyKind::Vector(_, n) | TyKind::PackedVector(_, n) => usize::from(n),
            TyKind::Class(c) => {
                self.complete_class(c, span);
                match (self.program.classes[c].special, self.class_with_the_fields(c)) {
                    (hir::SpecialClass::Array { len }, _) => len as usize,
                    (_, Some(holder)) if !self.program.classes[c].is_union => {
                        if holder != c {
                            object = self.base_object(object, c, holder);
                        }
                        self.classes[holder.0 as usize].fields.iter().filter(|f| !f.is_base).count()
                    }
                    _ => {
                        let name = self.class_name(c);
                        let message = format!("'{name}' cannot be taken apart: its members are not those of one class");
                        self.error("invalid-binding", span, message);
                        return declare_errors();
                    }
                }
            }
            _ => {
                let name = self.type_name(object.ty());
                self.error("invalid-binding", span, format!("'{name}' cannot be taken apart"));
                return declare_errors();
            }
        };
        if count != names.len() {
            let name = self.type_name(object.ty());
            let message = format!("'{name}' has {count} parts, and there are {} names", names.len());
            self.error("binding-count", span, message);
            return declare_errors();
        }
        for (i, (name, at)) in names.iter().enumerate() {
            let part = self.part(object.clone(), i, *at);
            scope.declare(*name, Entity::Bound(Rc::new(part)));
        }
    }

    /// The class itself or one of its bases: the only one of them with members.
    fn class_with_the_fields(&self, class: ClassId) -> Option<ClassId> {
        let info = &self.classes[class.0 as usize];
        let mut bases = info.bases.iter().map(|b| b.class).filter(|b| !self.is_empty_class(*b));
        if info.fields.iter().any(|f| !f.is_base) {
            return bases.next().is_none().then_some(class);
        }
        match (bases.next(), bases.next()) {
            (None, _) => Some(class),
            (Some(one), None) => self.class_with_the_fields(one),
            (Some(_), Some(_)) => None,
        }
    }

    /// The i-th element or member.
    fn part(&mut self, object: Value, i: usize, span: Span) -> Value {
        match *self.kind(object.ty()) {
            TyKind::Class(c) => {
                if let hir::SpecialClass::Array { .. } = self.program.classes[c].special {
                    let inner = self.field_value(object, c, &[0], span);
                    return self.part(inner, i, span);
                }
                let fields = &self.classes[c.0 as usize].fields;
                let index = fields.iter().enumerate().filter(|(_, f)| !f.is_base).nth(i).map_or(0, |(k, _)| k as u32);
                self.field_value(object, c, &[index], span)
            }
            _ => {
                let index = Value::rvalue(constant(i as u64, Ty::INT, span));
                self.subscript(object, index, span)
            }
        }
    }

    /// Evaluates what is bound or iterated over once: a copy for `auto`, the object itself for references.
    fn bind_range(
        &mut self,
        ty: &ast::TypeExpr,
        init: &ast::Expr,
        name: &str,
        span: Span,
        out: &mut hir::Block,
    ) -> Option<Value> {
        let v = self.check_expr(init);
        if v.is_error() {
            return None;
        }
        let by_reference = matches!(ty.kind, ast::TypeExprKind::LValueRef(_) | ast::TypeExprKind::RValueRef(_));
        let is_const = match &ty.kind {
            ast::TypeExprKind::LValueRef(t) | ast::TypeExprKind::RValueRef(t) => {
                matches!(&t.kind, ast::TypeExprKind::Qualified { quals, .. } if quals.is_const)
            }
            ast::TypeExprKind::Qualified { quals, .. } => quals.is_const,
            _ => false,
        };
        let add = Quals { is_const, is_volatile: false };
        if by_reference && v.is_lvalue() && !is_const && self.has_no_address(&v.expr) {
            let what = "several components of a vector are no object that could be referred to";
            self.report(Diagnostic::error("no-conversion", v.expr.span, what).help("bind copies: 'auto [x, y] = …'"));
            return None;
        }
        let mut object = if by_reference && v.is_lvalue() && !self.has_no_address(&v.expr) {
            let space = v.space().unwrap_or(AddressSpace::Thread);
            let pointer = self.types().pointer(v.ty(), v.quals, space);
            let address = self.address_of_lvalue(v.expr, pointer, span);
            let local = self.hidden_local(name, address, out);
            let loaded = self.rvalue(local);
            self.deref(loaded, span)
        } else {
            let value = match self.kind(v.ty()) {
                TyKind::Array { .. } if v.is_lvalue() => {
                    let (ty, at) = (v.ty(), v.expr.span);
                    rvalue_expr(ExprKind::Load(Box::new(v.expr)), ty, at)
                }
                _ => self.copy_of(v, span),
            };
            self.hidden_local(name, value, out)
        };
        object.quals = object.quals.with(add);
        Some(object)
    }

    pub(super) fn check_range_for(
        &mut self,
        variable: &std::sync::Arc<ast::VariableDecl>,
        range: &ast::Expr,
        body: &ast::Stmt,
        hint: LoopHint,
        span: Span,
        out: &mut hir::Block,
    ) {
        if let ast::ExprKind::InitList(_) = range.kind {
            let message = "a list in braces cannot be iterated over: Metal has no 'std::initializer_list'";
            let d = Diagnostic::error("not-a-range", range.span, message);
            self.report(d.help("give it a name: 'const int list[] = {1, 2, 3};'"));
            return;
        }
        let mut block = Vec::new();
        self.in_block(|c| {
            let reference = ast::TypeExpr {
                kind: ast::TypeExprKind::RValueRef(Box::new(ast::TypeExpr { kind: ast::TypeExprKind::Auto, span })),
                span,
            };
            let Some(object) = c.bind_range(&reference, range, "range", span, &mut block) else { return };
            let array = match *c.kind(object.ty()) {
                TyKind::Array { len: Some(n), .. } => Some((object.clone(), n)),
                TyKind::Class(class) => match c.program.classes[class].special {
                    hir::SpecialClass::Array { len } => Some((c.field_value(object.clone(), class, &[0], span), len)),
                    _ => None,
                },
                _ => None,
            };
            match array {
                Some((array, len)) => {
                    let zero = constant(0, Ty::UINT, span);
                    let index = c.hidden_local("index", zero, &mut block);
                    let loaded = c.rvalue(index.clone());
                    let end = constant(len, Ty::UINT, span);
                    let kind = ExprKind::Compare(hir::CompareOp::Lt, Box::new(loaded.clone()), Box::new(end));
                    let condition = rvalue_expr(kind, Ty::BOOL, span);
                    let element = c.subscript(array, Value::rvalue(loaded), span);
                    let step = c.step_of(index, span);
                    let rounds = c.range_round(variable, element, body, span);
                    let kind = StmtKind::For { condition: Some(condition), step: Some(step), body: rounds, hint };
                    block.push(hir::Stmt { kind, span });
                }
                None => c.check_iterator_for(variable, object, body, hint, span, &mut block),
            }
        });
        out.push(hir::Stmt { kind: StmtKind::Block(block), span });
    }

    fn step_of(&mut self, v: Value, span: Span) -> hir::Expr {
        self.unary(ast::UnaryOperator::PreIncrement, v, span).expr
    }

    fn range_round(
        &mut self,
        variable: &std::sync::Arc<ast::VariableDecl>,
        element: Value,
        body: &ast::Stmt,
        span: Span,
    ) -> hir::Block {
        let mut round = Vec::new();
        self.in_block(|c| {
            // The element is found under a name no program can write.
            let hidden = Symbol::new("__element");
            let scope = c.scope.clone();
            scope.declare(hidden, Entity::Bound(Rc::new(element)));
            let segment = ast::NameSegment { ident: ast::Ident::Name(hidden), template_args: None, span };
            let name = ast::Name { is_global: false, segments: vec![segment], span };
            let mut v = ast::VariableDecl::clone(variable);
            v.init = Some(ast::Initializer::Copy(ast::Expr { kind: ast::ExprKind::Name(name), span }));
            c.check_local_variable(&std::sync::Arc::new(v), &mut round);
            round.extend(c.check_loop_body(body));
        });
        round
    }

    /// `begin()` and `end()`, as members or functions.
    fn check_iterator_for(
        &mut self,
        variable: &std::sync::Arc<ast::VariableDecl>,
        object: Value,
        body: &ast::Stmt,
        hint: LoopHint,
        span: Span,
        block: &mut hir::Block,
    ) {
        let mut ends = Vec::new();
        for name in ["begin", "end"] {
            let key = crate::declare::NameKey::Name(Symbol::new(name));
            let members = match *self.kind(object.ty()) {
                TyKind::Class(c) => self.lookup_in_class(c, key),
                _ => Vec::new(),
            };
            let is_member = !members.is_empty();
            let mut functions: Vec<Rc<FnDef>> = members
                .into_iter()
                .filter_map(|e| match e {
                    Entity::Function(f) => Some(f),
                    _ => None,
                })
                .collect();
            let args = if is_member { Vec::new() } else { vec![CallArg::Value(object.clone())] };
            if !is_member {
                self.lookup_by_arguments(key, &[object.ty()], &mut functions);
            }
            let this = is_member.then_some(&object);
            match self.resolve_overload(&functions, None, this, &args, true, span) {
                Ok(chosen) => {
                    let object = is_member.then(|| object.clone());
                    ends.push(self.finish_call(chosen, object, &args, span));
                }
                Err(_) => {
                    let ty = self.type_name(QualTy { space: None, ..object.qual_ty() });
                    self.error("not-a-range", span, format!("'{ty}' has no '{name}' to iterate with"));
                    return;
                }
            }
        }
        let (Some(end), Some(begin)) = (ends.pop(), ends.pop()) else { return };
        if begin.is_error() || end.is_error() {
            return;
        }
        let (begin, end) = (self.copy_of(begin, span), self.copy_of(end, span));
        let it = self.hidden_local("it", begin, block);
        let end = self.hidden_local("end", end, block);
        let differs = self.binary(ast::BinaryOperator::Ne, it.clone(), end, span, span);
        let condition = self.condition(differs, span);
        let step = self.unary(ast::UnaryOperator::PreIncrement, it.clone(), span);
        let element = self.unary(ast::UnaryOperator::Deref, it, span);
        if element.is_error() || step.is_error() || condition.ty == Ty::ERROR {
            return;
        }
        let rounds = self.range_round(variable, element, body, span);
        let kind = StmtKind::For { condition: Some(condition), step: Some(step.expr), body: rounds, hint };
        block.push(hir::Stmt { kind, span });
    }
}

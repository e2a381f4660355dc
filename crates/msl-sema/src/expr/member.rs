//! Member access and subscripts.

use std::rc::Rc;

use msl_base::{Diagnostic, Span};
use msl_syntax::ast::{self, OverloadedOperator};

use super::{Operand, OverloadSet, Value, rvalue_expr};
use crate::checker::Checker;
use crate::declare::{NameKey, text_of};
use crate::diagnose::closest;
use crate::entity::*;
use crate::hir::{self, Category, ExprKind};
use crate::lookup::Qualifier;
use crate::types::*;

impl Checker<'_> {
    pub fn check_member(&mut self, base: &ast::Expr, is_arrow: bool, name: &ast::Name, span: Span) -> Operand {
        let v = self.check_expr(base);
        self.member_of(v, is_arrow, name, span)
    }

    pub fn member_of(&mut self, v: Value, is_arrow: bool, name: &ast::Name, span: Span) -> Operand {
        if v.is_error() {
            return Operand::Value(v);
        }
        let Some(last) = name.segments.last() else { return Operand::Value(Value::error(span)) };
        let mut v = v;
        if is_arrow {
            // `operator->` until a pointer comes out.
            for _ in 0..16 {
                if self.program.types.as_class(v.ty()).is_none() {
                    break;
                }
                match self.try_operator(OverloadedOperator::Arrow, std::slice::from_ref(&v), span) {
                    Some(next) => v = next,
                    None => break,
                }
            }
            if v.is_error() {
                return Operand::Value(v);
            }
            let pointer = self.rvalue(v);
            if !self.program.types.is_pointer(pointer.ty) {
                let d = Diagnostic::error(
                    "not-a-pointer",
                    span,
                    format!("'{}' is not a pointer", self.type_name(pointer.ty)),
                )
                .help("use '.' instead of '->'");
                self.report(d);
                return Operand::Value(Value::error(span));
            }
            let at = pointer.span;
            v = self.deref(pointer, at);
        }
        match *self.kind(v.ty()) {
            TyKind::Class(class) => self.class_member(v, class, name, span),
            TyKind::Vector(..) | TyKind::PackedVector(..) => {
                let ast::Ident::Name(component) = last.ident else {
                    self.error("unknown-member", last.span, "vectors have components only");
                    return Operand::Value(Value::error(span));
                };
                Operand::Value(self.swizzle(v, component.as_str(), last.span, span))
            }
            TyKind::Pointer { .. } if !is_arrow => {
                let d = Diagnostic::error("pointer-member", span, format!("'{}' is a pointer", self.type_name(v.ty())))
                    .help("use '->' instead of '.'");
                self.report(d);
                Operand::Value(Value::error(span))
            }
            _ => {
                // `p->~T()` and `x.~T()` of a scalar do nothing.
                let message = format!("'{}' has no members", self.type_name(v.ty()));
                self.error("not-a-class", span, message);
                Operand::Value(Value::error(span))
            }
        }
    }

    fn class_member(&mut self, v: Value, class: ClassId, name: &ast::Name, span: Span) -> Operand {
        let Some(last) = name.segments.last() else { return Operand::Value(Value::error(span)) };
        if !self.require_complete(v.ty(), span) {
            return Operand::Value(Value::error(span));
        }
        let key = NameKey::of(&last.ident);
        let (mut v, mut class) = (v, class);
        if name.segments.len() > 1 {
            // `x.Base::f()`.
            let scope = self.classes[class.0 as usize].scope.clone();
            let found = self.attempt(|c| c.in_scope(&scope, |c| c.resolve_qualifier(name)));
            let qualifier = match found {
                Ok(Some(q)) => Some(q),
                _ => self.resolve_qualifier(name),
            };
            match qualifier {
                Some(Qualifier::Class(c)) if self.derives_from(class, c).is_some() => {
                    // The member of that base, though there may be other ways to it.
                    v = self.base_object(v, class, c);
                    class = c;
                }
                Some(_) => {
                    self.error("not-a-class", name.span, "this does not name a base class");
                    return Operand::Value(Value::error(span));
                }
                None => return Operand::Value(Value::error(span)),
            }
        }
        let found = match &last.ident {
            ast::Ident::Conversion(t) => return self.conversion_member(v, class, t, span),
            _ => self.lookup_in_class(class, key),
        };
        if self.report_ambiguous_member(class, key, &found, last.span) {
            return Operand::Value(Value::error(span));
        }
        match found.first() {
            None => {
                let wanted = text_of(&last.ident);
                let message = format!("'{}' has no member '{wanted}'", self.class_name(class));
                let mut d = Diagnostic::error("unknown-member", last.span, message);
                if let Some(close) = closest(&wanted, &self.class_member_names(class)) {
                    d = d.help(format!("did you mean '{close}'?"));
                }
                let at = self.classes[class.0 as usize].decl.span;
                let at = self.classes[class.0 as usize].decl.name.as_ref().map_or(at, |n| n.span);
                self.report(d.note_at(at, "the type is declared here"));
                Operand::Value(Value::error(span))
            }
            Some(Entity::Field(owner, path)) => {
                let (owner, path) = (*owner, path.clone());
                if !self.check_redeclared(class, key, last.span) {
                    self.check_access(owner, key, last.span);
                    self.check_base_access(class, owner, last.span);
                }
                let object = self.base_object(v, class, owner);
                Operand::Value(self.field_value(object, owner, &path, span))
            }
            Some(Entity::Function(_)) => {
                let functions: Vec<Rc<FnDef>> = found
                    .iter()
                    .filter_map(|e| match e {
                        Entity::Function(f) => Some(f.clone()),
                        _ => None,
                    })
                    .collect();
                if !self.check_redeclared(class, key, last.span)
                    && let Some(owner) = functions.first().and_then(|f| f.class)
                {
                    self.check_base_access(class, owner, last.span);
                }
                let explicit = match &last.template_args {
                    Some(args) => match self.expand_written_args(args) {
                        Some(a) => Some(Rc::new(a)),
                        None => return Operand::Value(Value::error(span)),
                    },
                    None => None,
                };
                Operand::Overloads(OverloadSet {
                    functions,
                    explicit,
                    object: Some(Box::new(v)),
                    key,
                    name: text_of(&last.ident),
                    by_arguments: false,
                    is_address: false,
                    span: last.span,
                })
            }
            Some(_) => {
                let single = ast::Name { is_global: false, segments: vec![last.clone()], span: last.span };
                let found = crate::lookup::Found { entities: found, class: Some(class), ..Default::default() };
                self.found_operand(&single, found)
            }
        }
    }

    fn conversion_member(&mut self, v: Value, class: ClassId, t: &ast::TypeExpr, span: Span) -> Operand {
        let to = self.resolve_type(t);
        let functions = self
            .lookup_in_class(class, NameKey::Conversion)
            .into_iter()
            .filter_map(|e| match e {
                Entity::Function(f) => Some(f),
                _ => None,
            })
            .filter(|f| {
                let s = self.attempt(|c| c.signature(f, &[], Some(AddressSpace::Thread)));
                s.is_ok_and(|s| s.ret.is_some_and(|r| r.ty == to.ty))
            })
            .collect();
        Operand::Overloads(OverloadSet {
            functions,
            explicit: None,
            object: Some(Box::new(v)),
            key: NameKey::Conversion,
            name: "operator".into(),
            by_arguments: false,
            is_address: false,
            span,
        })
    }

    /// A field by its path from a class (through anonymous members).
    pub fn field_value(&mut self, object: Value, class: ClassId, path: &[u32], span: Span) -> Value {
        let mut v = object;
        let mut at = class;
        for (i, index) in path.iter().enumerate() {
            let Some(info) = self.classes[at.0 as usize].fields.get(*index as usize).cloned() else {
                return Value::error(span);
            };
            let stored = self.storage_type(info.ty);
            if stored == Ty::ERROR {
                return Value::error(span);
            }
            let category = v.expr.category;
            let expr = hir::Expr {
                kind: ExprKind::Field { base: Box::new(v.expr), field: *index },
                ty: stored,
                category,
                span,
            };
            if self.program.types.is_reference(info.ty.ty) {
                let field = Value { expr, quals: Quals::NONE, is_xvalue: false };
                let pointer = self.rvalue(field);
                v = self.deref(pointer, span);
            } else {
                let object_quals = if info.is_mutable { Quals { is_const: false, ..v.quals } } else { v.quals };
                v = Value { expr, quals: object_quals.with(info.ty.quals), is_xvalue: v.is_xvalue };
            }
            if i + 1 < path.len() {
                match self.program.types.as_class(info.ty.ty) {
                    Some(c) => at = c,
                    None => return Value::error(span),
                }
            }
        }
        v
    }

    pub fn declared_member_type(&mut self, base: &ast::Expr, is_arrow: bool, name: &ast::Name) -> Option<QualTy> {
        let [segment] = &name.segments[..] else { return None };
        let v = self.attempt(|c| c.check_expr(base)).ok()?;
        let ty = if is_arrow {
            match *self.kind(v.ty()) {
                TyKind::Pointer { pointee, .. } => pointee,
                _ => return None,
            }
        } else {
            v.ty()
        };
        let class = self.program.types.as_class(ty)?;
        self.complete_class(class, name.span);
        match self.lookup_in_class(class, NameKey::of(&segment.ident)).first() {
            Some(Entity::Field(owner, path)) => self.declared_field_type(*owner, path),
            _ => None,
        }
    }

    // ---- subscripts ------------------------------------------------------------------------

    pub fn check_subscript(&mut self, base: &ast::Expr, index: &ast::Expr, span: Span) -> Value {
        let b = self.check_expr(base);
        if let ast::ExprKind::Comma(..) = &index.kind
            && self.program.types.as_class(b.ty()).is_some()
            && let Some(v) = self.subscript_with_several(&b, index, span)
        {
            return v;
        }
        let i = match &index.kind {
            ast::ExprKind::InitList(_) => {
                self.error("unexpected-list", index.span, "a list in braces is not an index");
                Value::error(index.span)
            }
            _ => self.check_expr(index),
        };
        self.subscript(b, i, span)
    }

    /// `t[x, y]`, for classes with an operator that takes several indices (C++23, which Metal 4 has for tensors).
    fn subscript_with_several(&mut self, base: &Value, index: &ast::Expr, span: Span) -> Option<Value> {
        let mut indices = Vec::new();
        let mut rest = index;
        while let ast::ExprKind::Comma(left, right) = &rest.kind {
            indices.push(&**right);
            rest = left;
        }
        indices.push(rest);
        let class = self.program.types.as_class(base.ty())?;
        self.complete_class(class, span);
        let key = NameKey::Operator(OverloadedOperator::Subscript);
        let takes_them = self.lookup_in_class(class, key).iter().any(|e| match e {
            Entity::Function(f) => f.decl.params.len() == indices.len() || f.decl.params.iter().any(|p| p.is_pack),
            _ => false,
        });
        if !takes_them {
            return None;
        }
        let mut operands = vec![base.clone()];
        operands.extend(indices.into_iter().rev().map(|i| self.check_expr(i)));
        if operands.iter().any(Value::is_error) {
            return Some(Value::error(span));
        }
        self.try_operator(OverloadedOperator::Subscript, &operands, span)
    }

    pub fn subscript(&mut self, b: Value, i: Value, span: Span) -> Value {
        if b.is_error() || i.is_error() {
            return Value::error(span);
        }
        let operands = [b, i];
        if self.program.types.as_class(operands[0].ty()).is_some()
            && let Some(v) = self.try_operator(OverloadedOperator::Subscript, &operands, span)
        {
            return v;
        }
        let [b, i] = operands;
        let b = self.builtin_operand(b, None);
        // `2[p]` is `p[2]`.
        let (b, i) = if self.program.types.as_scalar(b.ty()).is_some() && self.program.types.is_pointer(i.ty()) {
            (i, b)
        } else {
            (b, i)
        };
        let i = self.builtin_operand(i, Some(Ty::LONG));
        let index_span = i.expr.span;
        let index = self.rvalue(i);
        let index_scalar = match *self.kind(index.ty) {
            TyKind::Scalar(s) if s.is_integer() => Some(s),
            TyKind::Enum(e) if !self.program.enums[e].is_scoped => Some(self.promoted_enum(e)),
            _ => None,
        };
        let Some(s) = index_scalar else {
            let message = format!("an index is an integer, not '{}'", self.type_name(index.ty));
            self.error("invalid-index", index_span, message);
            return Value::error(span);
        };
        let index = self.convert_scalar(index, crate::conversion::promoted(s));
        let (element, element_quals, len) = match *self.kind(b.ty()) {
            TyKind::Array { element, quals, len } => (element, quals, len),
            TyKind::Vector(s, n) | TyKind::PackedVector(s, n) => (Ty::scalar(s), Quals::NONE, Some(u64::from(n))),
            TyKind::Pointer { pointee, .. } => {
                if pointee == Ty::VOID {
                    self.error("void-pointer-arithmetic", span, "a pointer to 'void' cannot be indexed");
                    return Value::error(span);
                }
                let pointer = self.rvalue(b);
                let sum = self.pointer_offset(pointer, index, false, span, span);
                return if sum.is_error() { sum } else { self.deref(sum.expr, span) };
            }
            _ => {
                let message = format!("'{}' cannot be indexed", self.type_name(b.ty()));
                self.error("not-indexable", span, message);
                return Value::error(span);
            }
        };
        if let (ExprKind::Constant(bits), Some(len)) = (&index.kind, len) {
            let value =
                crate::constant::sign_extend(*bits, self.program.types.as_scalar(index.ty).unwrap_or(Scalar::Long));
            if value < 0 || value as u64 >= len {
                let message = format!("the index {value} is outside of the {len} elements");
                self.report(Diagnostic::warning("index-out-of-bounds", index_span, message));
            }
        }
        let quals = b.quals.with(element_quals);
        let category = b.expr.category;
        let is_xvalue = b.is_xvalue;
        let expr = hir::Expr {
            kind: ExprKind::Index { base: Box::new(b.expr), index: Box::new(index) },
            ty: element,
            category,
            span,
        };
        if category == Category::RValue {
            return Value::rvalue(rvalue_expr(expr.kind, element, span));
        }
        Value { expr, quals, is_xvalue }
    }
}

//! Pointers to members: `&C::x`, `&C::f`, `object.*p`, `(object.*p)(…)`. C++ [expr.unary.op], [expr.mptr.oper].
//!
//! A pointer to a data member is its offset plus one. A pointer to a member function is its number among those whose
//! address the program takes plus one, and in the upper half the offset of the base it is called for. Zero is null. So a
//! pointer for a base becomes one for a derived class by adding the offset, whether it is known or not. What is
//! known while compiling becomes plain access and plain calls.

use std::rc::Rc;

use msl_base::{Diagnostic, Span};
use msl_syntax::ast::{self, BinaryOperator};

use super::{Operand, OverloadSet, Value, constant, rvalue_expr, strip_parens};
use crate::checker::Checker;
use crate::constant::Const;
use crate::entity::{Arg, Entity, FnDef};
use crate::hir::{self, BinaryOp, CompareOp, Conversion, ExprKind};
use crate::lookup::Found;
use crate::template::CallArg;
use crate::types::*;

/// A member function whose address the program takes.
#[derive(Clone)]
pub struct Method {
    pub def: Rc<FnDef>,
    pub args: Vec<Arg>,
    /// The type of the pointers to it.
    pub ty: Ty,
}

/// Such a function as one of another class.
pub(super) struct KnownMethod {
    pub method: Method,
    /// The pointer.
    pub number: u64,
    /// The steps from the other class to the base that is the function's own.
    pub base: Vec<(u32, ClassId)>,
    /// Where the function's class derives from the other one: where in it that base is.
    pub back: u64,
}

/// Where the offset of a base begins in a pointer to a member function.
const OFFSET_SHIFT: u32 = 32;

impl Checker<'_> {
    /// `T C::*`
    pub fn member_pointer_type(&mut self, class: &ast::TypeExpr, member: &ast::TypeExpr) -> QualTy {
        let of = self.resolve_type(class);
        let ty = self.resolve_type(member);
        if of.is_error() || ty.is_error() {
            return QualTy::ERROR;
        }
        let Some(class_id) = self.program.types.as_class(of.ty) else {
            let message = format!("'{}' is no class that could have members", self.type_name(of));
            self.error("not-a-class", class.span, message);
            return QualTy::ERROR;
        };
        if self.program.types.is_reference(ty.ty) || ty.ty == Ty::VOID {
            let message = format!("there is no pointer to a member of type '{}'", self.type_name(ty));
            self.error("invalid-member-pointer", member.span, message);
            return QualTy::ERROR;
        }
        let is_const = matches!(member.kind, ast::TypeExprKind::Function { is_const: true, .. });
        let quals = Quals { is_const: is_const || ty.quals.is_const, ..ty.quals };
        self.types().intern(TyKind::MemberPointer { class: class_id, member: ty.ty, quals }).into()
    }

    /// `&C::x`, where that is a member of an object.
    pub(super) fn address_of_member(&mut self, name: &ast::Name, span: Span) -> Option<Operand> {
        if name.segments.len() < 2 {
            return None;
        }
        let found = self.lookup(name);
        match found.entities.first() {
            Some(Entity::Field(class, path)) => {
                let (class, path) = (*class, path.clone());
                self.check_access(class, crate::declare::NameKey::of(&name.segments.last()?.ident), span);
                Some(Operand::Value(self.field_pointer(class, &path, span)))
            }
            Some(Entity::Function(f)) if f.is_method() => self.method_set(name, found),
            _ => None,
        }
    }

    fn method_set(&mut self, name: &ast::Name, found: Found) -> Option<Operand> {
        match self.found_operand(name, found) {
            Operand::Overloads(set) => Some(Operand::Overloads(OverloadSet { is_address: true, object: None, ..set })),
            other => Some(other),
        }
    }

    fn field_pointer(&mut self, class: ClassId, path: &[u32], span: Span) -> Value {
        let (mut at, mut offset, mut member) = (class, 0, None);
        for index in path {
            let info = self.classes[at.0 as usize].fields.get(*index as usize).cloned();
            let field = self.program.classes[at].fields.get(*index as usize).cloned();
            let (Some(info), Some(field)) = (info, field) else { return Value::error(span) };
            if field.bits.is_some() {
                self.error("address-of-bit-field", span, "a bit-field has no address");
                return Value::error(span);
            }
            offset += field.offset;
            at = self.program.types.as_class(info.ty.ty).unwrap_or(at);
            member = Some(info.ty);
        }
        let Some(member) = member.filter(|m| !m.is_error()) else { return Value::error(span) };
        if self.program.types.is_reference(member.ty) {
            self.error("invalid-member-pointer", span, "there is no pointer to a member that is a reference");
            return Value::error(span);
        }
        let ty = self.types().intern(TyKind::MemberPointer { class, member: member.ty, quals: member.quals });
        Value::rvalue(constant(offset + 1, ty, span))
    }

    /// `&C::f`
    pub(super) fn method_pointer(&mut self, def: &Rc<FnDef>, args: Vec<Arg>, span: Span) -> Option<Value> {
        let class = def.class?;
        let space = def.decl.this_quals.address_space.and_then(crate::resolve::address_space);
        let id = self.function_instance(def, args.clone(), space, span);
        let ret = self.result_type(id, span);
        let params = self.functions[id.0 as usize].signature.params.iter().map(|p| p.ty.ty).collect();
        let member = self.types().intern(TyKind::Function { ret: ret.ty, params });
        let quals = Quals { is_const: def.decl.this_quals.is_const, is_volatile: false };
        let ty = self.types().intern(TyKind::MemberPointer { class, member, quals });
        Some(self.number_of_method(Method { def: def.clone(), args, ty }, span))
    }

    fn number_of_method(&mut self, method: Method, span: Span) -> Value {
        let is_same = |m: &Method| Rc::ptr_eq(&m.def, &method.def) && m.args == method.args && m.ty == method.ty;
        let number = match self.methods.iter().position(is_same) {
            Some(known) => known,
            None => {
                self.methods.push(method.clone());
                self.methods.len() - 1
            }
        };
        Value::rvalue(constant(number as u64 + 1, method.ty, span))
    }

    /// The function behind a pointer for a class that is known.
    pub(super) fn known_method(&mut self, class: ClassId, bits: u64) -> Option<KnownMethod> {
        let index = (bits as u32).checked_sub(1)?;
        let method = self.methods.get(index as usize)?.clone();
        self.places_of_method(class, &method, index).into_iter().find(|m| m.number == bits)
    }

    /// All that pointers of a type may point to.
    pub(super) fn methods_behind(&mut self, pointer: Ty) -> Vec<KnownMethod> {
        let TyKind::MemberPointer { class, member, quals } = *self.kind(pointer) else { return Vec::new() };
        let mut out = Vec::new();
        for (i, method) in self.methods.clone().into_iter().enumerate() {
            if matches!(*self.kind(method.ty), TyKind::MemberPointer { member: m, quals: q, .. } if m == member && q == quals)
            {
                out.extend(self.places_of_method(class, &method, i as u32));
            }
        }
        out
    }

    /// A member function as one of another class: for each base of its class, or each derived class of it.
    fn places_of_method(&mut self, class: ClassId, method: &Method, index: u32) -> Vec<KnownMethod> {
        let TyKind::MemberPointer { class: own, .. } = *self.kind(method.ty) else { return Vec::new() };
        let number = u64::from(index) + 1;
        let known = |number, base, back| KnownMethod { method: method.clone(), number, base, back };
        let up = self.base_subobjects(class, own).into_iter();
        let mut out: Vec<_> = up.map(|(offset, base)| known(number + (offset << OFFSET_SHIFT), base, 0)).collect();
        let down = self.base_subobjects(own, class).into_iter().filter(|_| own != class);
        out.extend(down.map(|(offset, _)| known(number.wrapping_sub(offset << OFFSET_SHIFT), Vec::new(), offset)));
        // A base that begins where the class begins.
        out.dedup_by_key(|m| m.number);
        out
    }

    /// A pointer to a base as one to the derived class that begins some bytes before it.
    pub(super) fn derived_pointer(&mut self, e: hir::Expr, back: u64, to: Ty) -> hir::Expr {
        let span = e.span;
        rvalue_expr(ExprKind::Convert(Conversion::PointerAdjust(-(back as i64)), Box::new(e)), to, span)
    }

    /// Picks the member function of a given type out of a set.
    pub fn resolve_method_address(&mut self, set: &OverloadSet, target: Ty) -> Option<Value> {
        let TyKind::MemberPointer { member, quals, .. } = *self.kind(target) else { return None };
        let TyKind::Function { params, .. } = self.kind(member).clone() else { return None };
        for def in set.functions.clone() {
            if !def.is_method() || def.decl.this_quals.is_const != quals.is_const {
                continue;
            }
            let args = match &def.header {
                None => Vec::new(),
                Some(_) => {
                    let values: Vec<CallArg<'_>> =
                        params.iter().map(|t| CallArg::Value(self.declval((*t).into(), set.span))).collect();
                    match self.deduce_call(&def, set.explicit.as_ref(), &values) {
                        Ok(args) => args,
                        Err(_) => continue,
                    }
                }
            };
            let Some(v) = self.attempt(|c| c.method_pointer(&def, args, set.span)).ok().flatten() else { continue };
            if matches!(*self.kind(v.ty()), TyKind::MemberPointer { member: m, .. } if m == member) {
                return Some(v);
            }
        }
        let name = self.type_name(target);
        self.error("no-matching-function", set.span, format!("no '{}' has the type '{name}'", set.name));
        None
    }

    /// A pointer to a member of a base as one to a member of the derived class, or by a cast the other way round.
    pub(crate) fn convert_member_pointer(&mut self, e: hir::Expr, to: Ty) -> hir::Expr {
        let span = e.span;
        let (TyKind::MemberPointer { class: from, member, .. }, TyKind::MemberPointer { class: derived, .. }) =
            (self.kind(e.ty).clone(), self.kind(to).clone())
        else {
            return crate::conversion::error_expr(span);
        };
        let offset = match self.base_offset(derived, from) {
            Some(offset) => offset,
            None => self.base_offset(from, derived).unwrap_or(0).wrapping_neg(),
        };
        let offset = match self.kind(member) {
            TyKind::Function { .. } => offset << OFFSET_SHIFT,
            _ => offset,
        };
        match self.evaluate_quietly(&e) {
            Some(Const::Scalar(0)) => constant(0, to, span),
            Some(Const::Scalar(bits)) => constant(bits.wrapping_add(offset), to, span),
            _ if offset == 0 => rvalue_expr(ExprKind::Convert(Conversion::Bitcast, Box::new(e)), to, span),
            _ => {
                let mut stmts = Vec::new();
                let number = rvalue_expr(ExprKind::Convert(Conversion::Bitcast, Box::new(e)), Ty::ULONG, span);
                let kept = self.hidden_local("member", number, &mut stmts);
                let number = self.rvalue(kept);
                let is_null =
                    ExprKind::Compare(CompareOp::Eq, Box::new(number.clone()), Box::new(constant(0, Ty::ULONG, span)));
                let offset = Box::new(constant(offset, Ty::ULONG, span));
                let moved = ExprKind::Binary(BinaryOp::Add, Box::new(number), offset, self.fp);
                let kind = ExprKind::Conditional {
                    condition: Box::new(rvalue_expr(is_null, Ty::BOOL, span)),
                    then: Box::new(constant(0, Ty::ULONG, span)),
                    otherwise: Box::new(rvalue_expr(moved, Ty::ULONG, span)),
                };
                let moved = rvalue_expr(kind, Ty::ULONG, span);
                let block = ExprKind::Block(stmts, Some(Box::new(moved)));
                let moved = rvalue_expr(block, Ty::ULONG, span);
                rvalue_expr(ExprKind::Convert(Conversion::Bitcast, Box::new(moved)), to, span)
            }
        }
    }

    pub(super) fn compare_member_pointers(
        &mut self,
        op: BinaryOperator,
        l: hir::Expr,
        r: hir::Expr,
        op_span: Span,
        span: Span,
    ) -> Value {
        let op = match op {
            BinaryOperator::Eq => Some(CompareOp::Eq),
            BinaryOperator::Ne => Some(CompareOp::Ne),
            _ => None,
        };
        let is_null = |e: &hir::Expr| matches!(e.kind, ExprKind::Constant(0));
        let (l_null, r_null) = (is_null(&l), is_null(&r));
        let to = match op {
            Some(_) if self.standard_conversion(r.ty, l.ty, r_null).is_some() => Some(l.ty),
            Some(_) if self.standard_conversion(l.ty, r.ty, l_null).is_some() => Some(r.ty),
            _ => None,
        };
        let (Some(op), Some(to)) = (op, to) else {
            let (l, r) = (self.type_name(l.ty), self.type_name(r.ty));
            self.error("invalid-operands", op_span, format!("'{l}' and '{r}' cannot be combined so"));
            return Value::error(span);
        };
        let (l, r) = (self.standard(l, to), self.standard(r, to));
        Value::rvalue(rvalue_expr(ExprKind::Compare(op, Box::new(l), Box::new(r)), Ty::BOOL, span))
    }

    /// The object and the pointer of `object.*pointer`, the object as one of the pointer's class.
    fn pointed_parts(
        &mut self,
        base: &ast::Expr,
        is_arrow: bool,
        pointer: &ast::Expr,
        span: Span,
    ) -> Option<(Value, hir::Expr)> {
        let mut object = self.check_expr(base);
        let pointer = self.check_expr(pointer);
        if object.is_error() || pointer.is_error() {
            return None;
        }
        if is_arrow {
            object = self.unary(ast::UnaryOperator::Deref, object, base.span);
            if object.is_error() {
                return None;
            }
        }
        let pointer = self.rvalue(pointer);
        let TyKind::MemberPointer { class, .. } = *self.kind(pointer.ty) else {
            let name = self.type_name(pointer.ty);
            let message = format!("'{name}' is not a pointer to a member");
            self.error("invalid-member-pointer", pointer.span, message);
            return None;
        };
        let from = self.program.types.as_class(object.ty());
        if let Some(from) = from {
            self.complete_class(from, span);
        }
        match from.filter(|from| self.derives_from(*from, class).is_some()) {
            Some(from) => {
                let object = self.base_object(object, from, class);
                Some((object, pointer))
            }
            None => {
                let points = matches!(*self.kind(object.ty()), TyKind::Pointer { pointee, .. }
                    if matches!(self.kind(pointee), TyKind::Class(_)));
                let (object, class) = (self.type_name(object.ty()), self.class_name(class));
                let message = format!("'{object}' is not '{class}', whose member this is");
                let mut d = Diagnostic::error("invalid-member-pointer", span, message);
                if points {
                    d = d.help("use '->*' instead of '.*'");
                }
                self.report(d);
                None
            }
        }
    }

    /// `object.*pointer`
    pub(super) fn check_pointed_member(
        &mut self,
        base: &ast::Expr,
        is_arrow: bool,
        pointer: &ast::Expr,
        span: Span,
    ) -> Value {
        let Some((object, pointer)) = self.pointed_parts(base, is_arrow, pointer, span) else {
            return Value::error(span);
        };
        let TyKind::MemberPointer { class, member, quals } = *self.kind(pointer.ty) else { return Value::error(span) };
        if matches!(self.kind(member), TyKind::Function { .. }) {
            self.error("function-not-called", span, "this is a member function and has to be called");
            return Value::error(span);
        }
        if let Some(Const::Scalar(bits)) = self.evaluate_quietly(&pointer) {
            let Some(offset) = bits.checked_sub(1) else {
                self.report(Diagnostic::error("null-call", span, "this pointer to a member is null"));
                return Value::error(span);
            };
            let mut path = Vec::new();
            if self.find_field(class, offset, member, &mut path) {
                return self.field_value(object, class, &path, span);
            }
        }
        // The member is so many bytes behind the beginning of the object.
        let space = object.space().unwrap_or(AddressSpace::Thread);
        let object_quals = object.quals;
        let address = if object.is_lvalue() {
            let pointer = self.types().pointer(object.ty(), object_quals, space);
            self.address_of_lvalue(object.expr, pointer, span)
        } else {
            self.address_of_temporary(object.expr, object_quals)
        };
        let bytes = self.types().pointer(Ty::CHAR, object_quals, space);
        let address = rvalue_expr(ExprKind::Convert(Conversion::Pointer, Box::new(address)), bytes, span);
        let number = rvalue_expr(ExprKind::Convert(Conversion::Bitcast, Box::new(pointer)), Ty::LONG, span);
        let one = Box::new(constant(1, Ty::LONG, span));
        let offset = rvalue_expr(ExprKind::Binary(BinaryOp::Sub, Box::new(number), one, self.fp), Ty::LONG, span);
        let kind = ExprKind::PointerOffset { base: Box::new(address), offset: Box::new(offset) };
        let address = rvalue_expr(kind, bytes, span);
        let to = self.types().pointer(member, object_quals.with(quals), space);
        let address = rvalue_expr(ExprKind::Convert(Conversion::Pointer, Box::new(address)), to, span);
        self.deref(address, span)
    }

    /// The way to a member of a type at an offset.
    fn find_field(&mut self, class: ClassId, offset: u64, ty: Ty, path: &mut Vec<u32>) -> bool {
        let fields = self.program.classes[class].fields.clone();
        for (i, field) in fields.iter().enumerate() {
            if field.offset > offset || offset >= field.offset + self.size_of(field.ty).max(1) || field.bits.is_some() {
                continue;
            }
            path.push(i as u32);
            if field.offset == offset && field.ty == ty {
                return true;
            }
            if let Some(inner) = self.program.types.as_class(field.ty)
                && self.find_field(inner, offset - field.offset, ty, path)
            {
                return true;
            }
            path.pop();
        }
        false
    }

    /// `(object.*pointer)(args)`; `None` where the callee is something else.
    pub(super) fn check_method_pointer_call(
        &mut self,
        callee: &ast::Expr,
        args: &[ast::Expr],
        span: Span,
    ) -> Option<Value> {
        let ast::ExprKind::PointedMember { base, is_arrow, pointer } = &strip_parens(callee).kind else { return None };
        let Some((object, pointer)) = self.pointed_parts(base, *is_arrow, pointer, span) else {
            return Some(Value::error(span));
        };
        let TyKind::MemberPointer { class, member, quals } = *self.kind(pointer.ty) else { return None };
        let TyKind::Function { params, .. } = self.kind(member).clone() else {
            // A member that can be called itself, such as one that is a pointer to a function.
            let v = self.check_pointed_member(
                base,
                *is_arrow,
                match &strip_parens(callee).kind {
                    ast::ExprKind::PointedMember { pointer, .. } => pointer,
                    _ => callee,
                },
                span,
            );
            let args = self.check_args(args);
            return Some(self.call_value(v, &args, span));
        };
        let args = self.check_args(args);
        if args.iter().any(|a| matches!(a, CallArg::Value(v) if v.is_error()))
            || !self.check_argument_count(pointer.ty, params.len(), args.len(), span)
        {
            return Some(Value::error(span));
        }
        if object.quals.is_const && !quals.is_const {
            let message = "this calls a function that may change its object, which is const";
            self.error("no-matching-function", span, message);
            return Some(Value::error(span));
        }
        if let Some(Const::Scalar(bits)) = self.evaluate_quietly(&pointer) {
            match self.known_method(class, bits) {
                Some(known) if known.back == 0 => {
                    let object = self.along_bases(object, &known.base);
                    return Some(self.call_method(&known.method.def, known.method.args, object, &args, span));
                }
                None if bits == 0 => {
                    self.report(Diagnostic::error("null-call", span, "this calls through a null pointer"));
                    return Some(Value::error(span));
                }
                _ => {}
            }
        }
        let space =
            if object.is_lvalue() { object.space().unwrap_or(AddressSpace::Thread) } else { AddressSpace::Thread };
        let id = self.dispatch(pointer.ty, Some(space));
        let class = self.class_type(class);
        let this = if object.is_lvalue() {
            let to = self.types().pointer(class, quals, space);
            self.address_of_lvalue(object.expr, to, span)
        } else {
            self.address_of_temporary(object.expr, quals)
        };
        let first = [pointer, this].map(|e| CallArg::Value(Value::rvalue(e)));
        let all: Vec<CallArg<'_>> = first.into_iter().chain(args).collect();
        let exprs = self.bound_args(id, &all, span);
        Some(self.call_instance(id, exprs, span))
    }
}

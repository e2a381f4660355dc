//! Explicit conversions: casts and functional notation.

use msl_base::{Diagnostic, Span};
use msl_syntax::ast;

use super::{Value, rvalue_expr};
use crate::checker::Checker;
use crate::conversion::Ics;
use crate::hir::{self, Conversion, ExprKind};
use crate::template::CallArg;
use crate::types::*;

impl Checker<'_> {
    pub fn check_c_style_cast(&mut self, ty: &ast::TypeExpr, operand: &ast::Expr, span: Span) -> Value {
        let to = self.resolve_type(ty);
        let arg = self.check_operand_arg(operand);
        self.cast_arg(arg, to, span, true)
    }

    pub fn check_named_cast(
        &mut self,
        kind: ast::NamedCast,
        ty: &ast::TypeExpr,
        operand: &ast::Expr,
        span: Span,
    ) -> Value {
        let to = self.resolve_type(ty);
        let arg = self.check_operand_arg(operand);
        match kind {
            ast::NamedCast::Static => self.cast_arg(arg, to, span, false),
            ast::NamedCast::Const | ast::NamedCast::Reinterpret => {
                // The bits of an integer as a pointer and the like; plain values go the usual way.
                self.cast_arg(arg, to, span, true)
            }
            ast::NamedCast::Dynamic => {
                self.error("unsupported-dynamic-cast", span, "'dynamic_cast' does not exist in Metal");
                Value::error(span)
            }
        }
    }

    fn cast_arg(&mut self, arg: CallArg<'_>, to: QualTy, span: Span, is_reinterpret: bool) -> Value {
        if to.is_error() {
            return Value::error(span);
        }
        match arg {
            CallArg::Value(v) => self.explicit_cast(v, to, span, is_reinterpret),
            CallArg::List(items, at) => Value::rvalue(self.init_from_list(to, items, at)),
            overloads => Value::rvalue(self.convert_arg(&overloads, to, span)),
        }
    }

    /// `(T)v`. With `is_reinterpret`, pointers of one address space and integers convert into each other too.
    pub fn explicit_cast(&mut self, v: Value, to: QualTy, span: Span, is_reinterpret: bool) -> Value {
        use TyKind as K;
        if v.is_error() || to.is_error() {
            return Value::error(span);
        }
        if let K::Reference { referent, quals, space, is_rvalue } = *self.kind(to.ty) {
            return self.reference_cast(v, referent, quals, space, is_rvalue, to, span, is_reinterpret);
        }
        if to.ty == Ty::VOID {
            return Value::rvalue(rvalue_expr(ExprKind::Convert(Conversion::ToVoid, Box::new(v.expr)), Ty::VOID, span));
        }
        if self.program.types.as_any_vector(to.ty).is_some() {
            if self.program.types.as_class(v.ty()).is_some()
                && let Some(user) = self.user_conversion(&v, to.ty, true)
            {
                let ics = Ics { user: Some(user), ..Ics::exact() };
                return Value::rvalue(self.apply(v, to.ty.into(), &ics, span));
            }
            return self.construct_vector(to.ty, &[CallArg::Value(v)], span);
        }
        if let Some(class) = self.program.types.as_class(to.ty) {
            let e = self.construct_class(class, &[CallArg::Value(v)], span, true);
            return Value::rvalue(e);
        }
        if self.program.types.as_class(v.ty()).is_some() {
            return match self.user_conversion(&v, to.ty, true) {
                Some(user) => {
                    let ics = Ics { user: Some(user), ..Ics::exact() };
                    Value::rvalue(self.apply(v, to.ty.into(), &ics, span))
                }
                None => {
                    self.report_conversion(&v, to, span);
                    Value::error(span)
                }
            };
        }
        let is_null = v.is_null_constant();
        let (from_value, failure) = (v.clone(), v.qual_ty());
        let mut e = self.rvalue(v);
        e.span = span;
        let from = e.ty;
        if from == to.ty {
            return Value::rvalue(e);
        }
        let result = match (self.kind(from).clone(), self.kind(to.ty).clone()) {
            (K::Scalar(_) | K::Enum(_), K::Scalar(t)) => self.convert_scalar(e, t),
            (K::Scalar(_) | K::Enum(_), K::Enum(id)) => {
                self.complete_enum(id);
                let underlying = self.program.enums[id].underlying;
                let e = self.convert_scalar(e, underlying);
                match e.kind {
                    ExprKind::Constant(bits) => super::constant(bits, to.ty, span),
                    _ => rvalue_expr(ExprKind::Convert(Conversion::Bitcast, Box::new(e)), to.ty, span),
                }
            }
            (K::Pointer { pointee: fp, quals: fq, space: fs }, K::Pointer { pointee: tp, space: ts, .. }) => {
                if fs != ts {
                    return self.space_cast_error(from, to, span);
                }
                // Down and up a hierarchy by static_cast, otherwise the bits as they are.
                if let (Some(f), Some(t)) = (self.program.types.as_class(fp), self.program.types.as_class(tp))
                    && f != t
                {
                    if self.derives_from(f, t).is_some() {
                        let plain = self.types().pointer(tp, fq, ts);
                        let e = self.standard(e, plain);
                        return Value::rvalue(self.repointed(e, to.ty));
                    }
                    if self.derives_from(t, f).is_some() {
                        let offset = self.path_to_base(t, f).map_or(0, |p| {
                            let mut at = t;
                            let mut sum = 0i64;
                            for (field, class) in p {
                                sum += self.program.classes[at].fields[field as usize].offset as i64;
                                at = class;
                            }
                            sum
                        });
                        let kind = ExprKind::Convert(Conversion::PointerAdjust(-offset), Box::new(e));
                        return Value::rvalue(rvalue_expr(kind, to.ty, span));
                    }
                }
                self.repointed(e, to.ty)
            }
            (K::Pointer { .. }, K::Scalar(Scalar::Bool)) => self.standard(e, to.ty),
            (K::Pointer { .. }, K::Scalar(s)) if is_reinterpret && s.is_integer() => {
                let e = rvalue_expr(ExprKind::Convert(Conversion::PointerToInteger, Box::new(e)), Ty::ULONG, span);
                self.convert_scalar(e, s)
            }
            (K::Scalar(s), K::Pointer { .. }) if is_null && s.is_integer() => self.standard(e, to.ty),
            (K::Scalar(s), K::Pointer { .. }) if is_reinterpret && s.is_integer() => {
                let e = self.convert_scalar(e, Scalar::ULong);
                rvalue_expr(ExprKind::Convert(Conversion::IntegerToPointer, Box::new(e)), to.ty, span)
            }
            (K::NullPtr, K::Pointer { .. } | K::Scalar(Scalar::Bool)) => self.standard(e, to.ty),
            (
                K::MemberPointer { class: f, member: fm, quals: fq },
                K::MemberPointer { class: t, member: tm, quals: tq },
            ) if fm == tm
                && tq.includes(fq)
                && (self.derives_from(f, t).is_some() || self.derives_from(t, f).is_some()) =>
            {
                self.convert_member_pointer(e, to.ty)
            }
            _ => {
                let mut d = Diagnostic::error(
                    "invalid-cast",
                    span,
                    format!(
                        "'{}' cannot be cast to '{}'",
                        self.type_name(QualTy { space: None, ..failure }),
                        self.type_name(to)
                    ),
                );
                if let (K::Vector(_, n), K::Scalar(_)) = (self.kind(from), self.kind(to.ty)) {
                    d = d.help(format!("select one of its {n} components, such as '.x'"));
                }
                if matches!(self.kind(to.ty), K::Pointer { .. }) && !is_reinterpret {
                    d = d.help("use 'reinterpret_cast'");
                }
                let _ = from_value;
                self.report(d);
                return Value::error(span);
            }
        };
        Value::rvalue(result)
    }

    fn repointed(&mut self, e: hir::Expr, to: Ty) -> hir::Expr {
        if e.ty == to {
            return e;
        }
        let span = e.span;
        if let ExprKind::Constant(bits) = e.kind {
            return super::constant(bits, to, span);
        }
        rvalue_expr(ExprKind::Convert(Conversion::Pointer, Box::new(e)), to, span)
    }

    fn space_cast_error(&mut self, from: Ty, to: QualTy, span: Span) -> Value {
        let message =
            format!("'{}' cannot be cast to '{}': the address spaces differ", self.type_name(from), self.type_name(to));
        self.error("address-space-cast", span, message);
        Value::error(span)
    }

    fn reference_cast(
        &mut self,
        v: Value,
        referent: Ty,
        quals: Quals,
        space: AddressSpace,
        is_rvalue: bool,
        to: QualTy,
        span: Span,
        is_reinterpret: bool,
    ) -> Value {
        if let Some(from_space) = v.space() {
            let from_class = self.program.types.as_class(v.ty());
            let to_class = self.program.types.as_class(referent);
            let upcast = match (from_class, to_class) {
                (Some(f), Some(t)) => f != t && self.derives_from(f, t).is_some(),
                _ => false,
            };
            let downcast = match (from_class, to_class) {
                (Some(f), Some(t)) => f != t && self.derives_from(t, f).is_some(),
                _ => false,
            };
            if from_space != space && (v.ty() == referent || is_reinterpret) && !(quals.is_const && v.ty() == referent)
            {
                let message =
                    format!("a '{}' object cannot be cast to a '{}' reference", from_space.name(), space.name());
                self.error("address-space-cast", span, message);
                return Value::error(span);
            }
            if from_space == space && (v.ty() == referent || upcast || downcast || is_reinterpret) {
                let object = match (from_class, to_class) {
                    (Some(f), Some(t)) if upcast => self.base_object(v, f, t),
                    _ => v,
                };
                if object.ty() == referent {
                    let mut object = object;
                    object.quals = quals;
                    object.is_xvalue = is_rvalue;
                    object.expr.span = span;
                    return object;
                }
                let from_pointer = self.types().pointer(object.ty(), object.quals, space);
                let to_pointer = self.types().pointer(referent, quals, space);
                let address = self.address_of_lvalue(object.expr, from_pointer, span);
                let cast = self.explicit_cast(Value::rvalue(address), to_pointer.into(), span, true);
                let mut result = self.deref(cast.expr, span);
                result.is_xvalue = is_rvalue;
                return result;
            }
        }
        let pointer = self.convert(v, to, span);
        if pointer.ty == Ty::ERROR {
            return Value::error(span);
        }
        let mut result = self.deref(pointer, span);
        result.is_xvalue = is_rvalue;
        result
    }

    pub fn check_construct(&mut self, ty: &ast::TypeExpr, args: &[ast::Expr], span: Span) -> Value {
        if let Some(def) = self.deducible_class(ty) {
            let values = self.check_args(args);
            return self.construct_deduced(&def, &values, span);
        }
        let to = self.resolve_type(ty);
        let values = self.check_args(args);
        self.construct(to, &values, span)
    }

    pub fn check_brace_construct(&mut self, ty: &ast::TypeExpr, args: &[ast::Expr], span: Span) -> Value {
        if let Some(def) = self.deducible_class(ty) {
            let values = self.check_args(args);
            return self.construct_deduced(&def, &values, span);
        }
        let to = self.resolve_type(ty);
        if to.is_error() {
            return Value::error(span);
        }
        if self.program.types.is_reference(to.ty) {
            let list = CallArg::List(args, span);
            let pointer = self.convert_arg(&list, to, span);
            return self.deref(pointer, span);
        }
        Value::rvalue(self.init_from_list(to, args, span))
    }

    /// `T(args)`.
    pub fn construct(&mut self, ty: QualTy, args: &[CallArg<'_>], span: Span) -> Value {
        use TyKind as K;
        if ty.is_error() || super::call::has_error(args) {
            return Value::error(span);
        }
        match *self.kind(ty.ty) {
            K::Vector(..) | K::PackedVector(..) => {
                if let [CallArg::Value(v)] = args
                    && self.program.types.as_class(v.ty()).is_some()
                {
                    return self.explicit_cast(v.clone(), ty, span, false);
                }
                self.construct_vector(ty.ty, args, span)
            }
            K::Class(c) => Value::rvalue(self.construct_class(c, args, span, true)),
            K::Void if args.is_empty() => Value::rvalue(rvalue_expr(ExprKind::Zero, Ty::VOID, span)),
            // `a()` among the initializers of a constructor.
            K::Array { len: Some(_), .. } if args.is_empty() => Value::rvalue(self.init_list(ty.ty, &mut [], span)),
            K::Array { .. } | K::Function { .. } => {
                let name = self.type_name(ty);
                self.error("invalid-construction", span, format!("'{name}' cannot be made like this"));
                Value::error(span)
            }
            _ => match args {
                [] if self.program.types.is_reference(ty.ty) => {
                    self.error("invalid-construction", span, "a reference needs something to bind to");
                    Value::error(span)
                }
                [] => match self.kind(ty.ty) {
                    K::Scalar(_) | K::Enum(_) | K::Pointer { .. } | K::MemberPointer { .. } | K::NullPtr => {
                        Value::rvalue(super::constant(0, ty.ty, span))
                    }
                    _ => Value::rvalue(rvalue_expr(ExprKind::Zero, ty.ty, span)),
                },
                [one] => self.cast_arg(one.clone(), ty, span, true),
                _ => {
                    let message = format!("'{}' is made from one value, not {}", self.type_name(ty), args.len());
                    self.error("too-many-initializers", span, message);
                    Value::error(span)
                }
            },
        }
    }
}

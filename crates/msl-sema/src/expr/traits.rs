//! Questions about types that only the compiler can answer: `__is_same(T, U)` and the like, which the standard
//! library's type traits are built on.

use msl_base::Span;
use msl_syntax::ast;

use super::{Operand, Value, constant, rvalue_expr};
use crate::checker::Checker;
use crate::conversion::Rank;
use crate::hir::ExprKind;
use crate::template::CallArg;
use crate::types::*;

impl Checker<'_> {
    /// Types given as arguments of a query, packs expanded.
    fn query_types(&mut self, args: &[ast::Expr]) -> Option<Vec<QualTy>> {
        let mut out = Vec::new();
        for a in args {
            if let ast::ExprKind::Pack(pattern) = &a.kind {
                let mut names = Vec::new();
                crate::walk::names_in_expr(pattern, &mut names);
                for scope in self.expansion_scopes(&names, a.span)? {
                    out.push(self.in_scope(&scope, |c| c.query_type(pattern)));
                }
                continue;
            }
            if let ast::ExprKind::Type(ast::TypeExpr { kind: ast::TypeExprKind::Pack(inner), .. }) = &a.kind {
                self.expand_pack_type(inner, &mut |_, t| out.push(t));
                continue;
            }
            out.push(self.query_type(a));
        }
        (!out.iter().any(|t| t.is_error())).then_some(out)
    }

    fn query_type(&mut self, e: &ast::Expr) -> QualTy {
        match &e.kind {
            ast::ExprKind::Type(t) => self.resolve_type(t),
            ast::ExprKind::Name(n) => self.resolve_type_name(n),
            _ => match self.check_operand(e) {
                Operand::Type(t) => t,
                Operand::Value(v) if v.is_error() => QualTy::ERROR,
                _ => {
                    self.error("expected-type", e.span, "a type is expected here, not a value");
                    QualTy::ERROR
                }
            },
        }
    }

    /// `__underlying_type(E)` and others that give a type. `None`: it is not one of them.
    pub fn type_function(&mut self, e: &ast::Expr) -> Option<QualTy> {
        let ast::ExprKind::Call { callee, args } = &e.kind else { return None };
        let ast::ExprKind::Name(name) = &callee.kind else { return None };
        let ast::Ident::Name(symbol) = name.segments.last()?.ident else { return None };
        let text = symbol.as_str();
        if !text.starts_with("__") {
            return None;
        }
        let known = [
            "__underlying_type",
            "__remove_reference",
            "__remove_reference_t",
            "__remove_pointer",
            "__remove_cv",
            "__remove_const",
            "__remove_cvref",
            "__remove_extent",
            "__decay",
            "__add_lvalue_reference",
            "__add_rvalue_reference",
            "__add_pointer",
            "__make_unsigned",
            "__make_signed",
        ];
        if !known.contains(&text) {
            return None;
        }
        let Some(types) = self.query_types(args) else { return Some(QualTy::ERROR) };
        let [ty] = types[..] else {
            self.error("wrong-argument-count", e.span, format!("'{text}' takes one type"));
            return Some(QualTy::ERROR);
        };
        let plain = self.program.types.strip_reference(ty);
        Some(match text {
            "__underlying_type" => match *self.kind(ty.ty) {
                TyKind::Enum(id) => {
                    self.complete_enum(id);
                    Ty::scalar(self.program.enums[id].underlying).into()
                }
                _ => {
                    let name = self.type_name(ty);
                    self.error("not-an-enum", e.span, format!("'{name}' is not an enumeration"));
                    QualTy::ERROR
                }
            },
            "__remove_reference" | "__remove_reference_t" => {
                if self.program.types.is_reference(ty.ty) {
                    QualTy { space: plain.space.filter(|s| *s != AddressSpace::Thread), ..plain }
                } else {
                    ty
                }
            }
            "__remove_cvref" => plain.ty.into(),
            "__remove_cv" => QualTy { quals: Quals::NONE, ..ty },
            "__remove_const" => QualTy { quals: ty.quals.without(Quals::CONST), ..ty },
            "__remove_pointer" => match *self.kind(ty.ty) {
                TyKind::Pointer { pointee, quals, space } => {
                    QualTy::new(pointee, quals, Some(space).filter(|s| *s != AddressSpace::Thread))
                }
                _ => ty,
            },
            "__remove_extent" => match *self.kind(ty.ty) {
                TyKind::Array { element, quals, .. } => QualTy::new(element, quals, ty.space),
                _ => ty,
            },
            "__decay" => self.decayed_type(plain),
            "__add_lvalue_reference" => self.reference_to(ty, false, e.span),
            "__add_rvalue_reference" => self.reference_to(ty, true, e.span),
            "__add_pointer" => self.pointer_to(plain, e.span),
            "__make_unsigned" | "__make_signed" => {
                let unsigned = text == "__make_unsigned";
                match self.program.types.as_scalar(ty.ty) {
                    Some(s) => Ty::scalar(with_sign(s, unsigned)).into(),
                    None => ty,
                }
            }
            _ => QualTy::ERROR,
        })
    }

    pub fn check_trait(&mut self, text: &str, args: &[ast::Expr], span: Span) -> Option<Value> {
        if !text.starts_with("__is_") && !text.starts_with("__has_") {
            return None;
        }
        let Some(types) = self.query_types(args) else { return Some(Value::error(span)) };
        let answer = match &types[..] {
            [a] => self.unary_trait(text, *a, span),
            _ => None,
        }
        .or_else(|| self.other_trait(text, &types, span));
        Some(match answer {
            Some(b) => Value::rvalue(constant(u64::from(b), Ty::BOOL, span)),
            None => {
                self.error("unknown-trait", span, format!("'{text}' is not a known query about these types"));
                Value::error(span)
            }
        })
    }

    fn unary_trait(&mut self, text: &str, t: QualTy, span: Span) -> Option<bool> {
        let kind = self.kind(t.ty).clone();
        let scalar = match kind {
            TyKind::Scalar(s) => Some(s),
            _ => None,
        };
        Some(match text {
            "__is_void" => t.ty == Ty::VOID,
            "__is_pointer" => matches!(kind, TyKind::Pointer { .. }),
            "__is_reference" => matches!(kind, TyKind::Reference { .. }),
            "__is_lvalue_reference" => matches!(kind, TyKind::Reference { is_rvalue: false, .. }),
            "__is_rvalue_reference" => matches!(kind, TyKind::Reference { is_rvalue: true, .. }),
            "__is_array" => matches!(kind, TyKind::Array { .. }),
            "__is_enum" => matches!(kind, TyKind::Enum(_)),
            "__is_scoped_enum" => matches!(kind, TyKind::Enum(e) if self.program.enums[e].is_scoped),
            "__is_class" => matches!(kind, TyKind::Class(c) if !self.program.classes[c].is_union),
            "__is_union" => matches!(kind, TyKind::Class(c) if self.program.classes[c].is_union),
            "__is_function" => matches!(kind, TyKind::Function { .. }),
            "__is_const" => t.quals.is_const || matches!(kind, TyKind::Array { quals, .. } if quals.is_const),
            "__is_volatile" => t.quals.is_volatile,
            "__is_integral" => scalar.is_some_and(Scalar::is_integer),
            "__is_floating_point" => scalar.is_some_and(Scalar::is_float),
            "__is_arithmetic" => scalar.is_some(),
            "__is_fundamental" => scalar.is_some() || t.ty == Ty::VOID || t.ty == Ty::NULLPTR,
            "__is_scalar" => {
                scalar.is_some() || matches!(kind, TyKind::Pointer { .. } | TyKind::Enum(_) | TyKind::NullPtr)
            }
            "__is_object" => !matches!(kind, TyKind::Reference { .. } | TyKind::Function { .. } | TyKind::Void),
            "__is_signed" => scalar.is_some_and(Scalar::is_signed),
            "__is_unsigned" => scalar.is_some_and(|s| !s.is_signed()),
            "__is_vector" => matches!(kind, TyKind::Vector(..)),
            "__is_packed_vector" => matches!(kind, TyKind::PackedVector(..)),
            "__is_empty" => match kind {
                TyKind::Class(c) => {
                    self.complete_class(c, span);
                    self.is_empty_class(c)
                }
                _ => false,
            },
            "__is_trivially_copyable" => self.is_trivially_copyable(t.ty),
            "__is_trivial" | "__is_pod" => self.is_trivially_copyable(t.ty) && self.is_trivially_default(t.ty),
            "__is_standard_layout" => {
                !matches!(kind, TyKind::Reference { .. } | TyKind::Void | TyKind::Function { .. })
            }
            "__is_aggregate" => match kind {
                TyKind::Array { .. } => true,
                TyKind::Class(c) => {
                    self.complete_class(c, span);
                    self.is_aggregate(c)
                }
                _ => false,
            },
            "__is_polymorphic" | "__is_abstract" => false,
            "__is_final" => false,
            _ => return None,
        })
    }

    fn other_trait(&mut self, text: &str, types: &[QualTy], span: Span) -> Option<bool> {
        Some(match (text, types) {
            ("__is_same", [a, b]) => self.same_type(*a, *b),
            ("__is_base_of", [base, derived]) => {
                match (self.program.types.as_class(base.ty), self.program.types.as_class(derived.ty)) {
                    (Some(b), Some(d)) => self.derives_from(d, b).is_some(),
                    _ => false,
                }
            }
            ("__is_convertible_to" | "__is_convertible", [from, to]) => {
                if from.ty == Ty::VOID || to.ty == Ty::VOID {
                    return Some(from.ty == to.ty);
                }
                let v = self.declval(*from, span);
                self.value_conversion(&v, *to, true).is_some()
            }
            ("__is_constructible" | "__is_trivially_constructible" | "__is_nothrow_constructible", [to, from @ ..]) => {
                self.is_constructible(*to, from, span)
            }
            ("__is_assignable" | "__is_trivially_assignable", [to, from]) => {
                let (l, r) = (self.declval(*to, span), self.declval(*from, span));
                self.unevaluated += 1;
                let result = self.attempt(|c| c.assign(l, r, span)).is_ok();
                self.unevaluated -= 1;
                result
            }
            _ => return None,
        })
    }

    /// `thread` is where a type without a space lives.
    fn same_type(&self, a: QualTy, b: QualTy) -> bool {
        let space = |t: QualTy| t.space.filter(|s| *s != AddressSpace::Thread);
        a.ty == b.ty && a.quals == b.quals && space(a) == space(b)
    }

    pub(super) fn declval(&mut self, ty: QualTy, span: Span) -> Value {
        match *self.kind(ty.ty) {
            TyKind::Reference { referent, quals, space, is_rvalue } => {
                let mut v = Value::lvalue(ExprKind::Error, referent, quals, space, span);
                v.is_xvalue = is_rvalue;
                v
            }
            _ => Value::rvalue(rvalue_expr(ExprKind::Error, ty.ty, span)),
        }
    }

    fn is_constructible(&mut self, to: QualTy, from: &[QualTy], span: Span) -> bool {
        let args: Vec<CallArg<'_>> = from.iter().map(|t| CallArg::Value(self.declval(*t, span))).collect();
        if let (TyKind::Scalar(_), [CallArg::Value(v)]) = (self.kind(to.ty), &args[..]) {
            return self.value_conversion(v, to, true).is_some_and(|i| i.rank <= Rank::User)
                || matches!(self.kind(v.ty()), TyKind::Enum(_));
        }
        self.unevaluated += 1;
        let result = self.attempt(|c| c.construct(to, &args, span));
        self.unevaluated -= 1;
        result.is_ok_and(|v| !v.is_error())
    }
}

fn with_sign(s: Scalar, unsigned: bool) -> Scalar {
    match (s, unsigned) {
        (Scalar::Char | Scalar::UChar, true) => Scalar::UChar,
        (Scalar::Char | Scalar::UChar, false) => Scalar::Char,
        (Scalar::Short | Scalar::UShort, true) => Scalar::UShort,
        (Scalar::Short | Scalar::UShort, false) => Scalar::Short,
        (Scalar::Int | Scalar::UInt, true) => Scalar::UInt,
        (Scalar::Int | Scalar::UInt, false) => Scalar::Int,
        (Scalar::Long | Scalar::ULong, true) => Scalar::ULong,
        (Scalar::Long | Scalar::ULong, false) => Scalar::Long,
        (s, _) => s,
    }
}

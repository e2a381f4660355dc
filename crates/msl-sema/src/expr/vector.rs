//! Vectors: components by name and construction from parts (MSL sections 2.2.2 and 2.2.3).

use msl_base::{Diagnostic, Span};

use super::{Value, rvalue_expr};
use crate::checker::Checker;
use crate::hir::{self, Category, Conversion, ExprKind};
use crate::template::CallArg;
use crate::types::*;

impl Checker<'_> {
    pub fn swizzle(&mut self, v: Value, name: &str, name_span: Span, span: Span) -> Value {
        let Some((scalar, len)) = self.program.types.as_any_vector(v.ty()) else { return Value::error(span) };
        let positions = |set: &str| name.chars().map(|c| set.find(c)).collect::<Option<Vec<usize>>>();
        let components = match positions("xyzw").or_else(|| positions("rgba")) {
            Some(c) if (1..=4).contains(&c.len()) => c,
            _ => {
                let message = format!("'{}' has no member '{name}'", self.type_name(v.ty()));
                let mixed = name.chars().all(|c| "xyzwrgba".contains(c)) && name.len() <= 4;
                let mut d = Diagnostic::error("unknown-component", name_span, message);
                if mixed {
                    d = d.help("components are named with 'xyzw' or with 'rgba', not with both at once");
                }
                self.report(d);
                return Value::error(span);
            }
        };
        if let Some(c) = components.iter().find(|c| **c >= usize::from(len)) {
            let letter = name.chars().nth(components.iter().position(|x| x == c).unwrap_or(0)).unwrap_or('?');
            let message = format!("'{}' has no component '{letter}'", self.type_name(v.ty()));
            self.error("unknown-component", name_span, message);
            return Value::error(span);
        }
        let components: Vec<u8> = components.into_iter().map(|c| c as u8).collect();
        let ty = self.types().vector(scalar, components.len() as u8);
        let (quals, category, is_xvalue) = (v.quals, v.expr.category, v.is_xvalue);
        let base = if category == Category::RValue { self.unpacked(v) } else { v.expr };
        // A swizzle of a swizzle selects from the original.
        let (base, components) = match base.kind {
            ExprKind::Swizzle { base: inner, components: outer } => {
                let components = components.iter().map(|c| outer[usize::from(*c)]).collect();
                (*inner, components)
            }
            kind => (hir::Expr { kind, ..base }, components),
        };
        let expr = hir::Expr { kind: ExprKind::Swizzle { base: Box::new(base), components }, ty, category, span };
        Value { expr, quals, is_xvalue }
    }

    /// `float4(…)`: one scalar for all components, one vector converted, or parts that add up.
    pub fn construct_vector(&mut self, ty: Ty, args: &[CallArg<'_>], span: Span) -> Value {
        let Some((scalar, len)) = self.program.types.as_any_vector(ty) else { return Value::error(span) };
        let vector = self.types().vector(scalar, len);
        let mut parts = Vec::new();
        let mut count = 0u32;
        for arg in args {
            let v = match arg {
                CallArg::Value(v) => v.clone(),
                CallArg::List(items, at) => {
                    let target = QualTy::from(if args.len() == 1 { vector } else { Ty::scalar(scalar) });
                    Value::rvalue(self.init_from_list(target, items, *at))
                }
                CallArg::Overloads(set) => self.function_value(set),
            };
            if v.is_error() {
                return Value::error(span);
            }
            let v = if self.program.types.as_class(v.ty()).is_some() {
                let wanted = if args.len() == 1 { vector } else { Ty::scalar(scalar) };
                self.builtin_operand(v, Some(wanted))
            } else {
                v
            };
            let e = self.unpacked(v);
            match *self.kind(e.ty) {
                TyKind::Scalar(_) | TyKind::Enum(_) => {
                    let e = self.convert_scalar(e, scalar);
                    parts.push(e);
                    count += 1;
                }
                TyKind::Vector(s, n) => {
                    let target = self.types().vector(scalar, n);
                    let at = e.span;
                    let e = if s == scalar {
                        e
                    } else {
                        rvalue_expr(ExprKind::Convert(Conversion::Arithmetic, Box::new(e)), target, at)
                    };
                    parts.push(e);
                    count += u32::from(n);
                }
                _ => {
                    let message = format!("'{}' is not a part of a vector", self.type_name(e.ty));
                    self.error("invalid-vector-part", e.span, message);
                    return Value::error(span);
                }
            }
        }
        let e = match &parts[..] {
            [] => rvalue_expr(ExprKind::Zero, vector, span),
            [one] if one.ty == Ty::scalar(scalar) => {
                rvalue_expr(ExprKind::Convert(Conversion::Splat, Box::new(one.clone())), vector, span)
            }
            [one] if one.ty == vector => one.clone(),
            _ if count == u32::from(len) => rvalue_expr(ExprKind::ConstructVector(parts), vector, span),
            _ => {
                let name = self.type_name(ty);
                let message = format!("'{name}' has {len} components, and the arguments have {count}");
                let mut d = Diagnostic::error("component-count", span, message);
                if parts.len() == 1 && count > u32::from(len) {
                    d = d.help(format!("select components: '.{}'", &"xyzw"[..usize::from(len)]));
                }
                self.report(d);
                return Value::error(span);
            }
        };
        Value::rvalue(self.standard(e, ty))
    }
}

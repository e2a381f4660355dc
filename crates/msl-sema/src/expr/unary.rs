//! Unary operators, increments, address and dereference.

use msl_base::{Diagnostic, Span};
use msl_syntax::ast::{self, OverloadedOperator, PostfixOperator, UnaryOperator};

use super::{Operand, Value, constant, rvalue_expr};
use crate::checker::Checker;
use crate::conversion::promoted;
use crate::hir::{self, ExprKind, UnaryOp};
use crate::template::CallArg;
use crate::types::*;

impl Checker<'_> {
    pub fn check_unary(&mut self, op: UnaryOperator, operand: &ast::Expr, span: Span) -> Value {
        let v = self.check_expr(operand);
        self.unary(op, v, span)
    }

    /// `&x`. Of functions it is the same set of functions.
    pub fn check_address_of(&mut self, operand: &ast::Expr, span: Span) -> Operand {
        if let ast::ExprKind::Name(name) = &operand.kind
            && let Some(member) = self.address_of_member(name, span)
        {
            return member;
        }
        match self.check_operand(operand) {
            Operand::Overloads(set) => Operand::Overloads(set),
            Operand::Value(v) => Operand::Value(self.address_of(v, span)),
            Operand::Type(_) => {
                self.error("expected-value", span, "a type has no address");
                Operand::Value(Value::error(span))
            }
        }
    }

    fn address_of(&mut self, v: Value, span: Span) -> Value {
        if v.is_error() {
            return v;
        }
        if let Some(result) =
            self.try_operator(OverloadedOperator::Unary(UnaryOperator::AddressOf), std::slice::from_ref(&v), span)
        {
            return result;
        }
        // `&f` of a function pointer constant.
        if let TyKind::Pointer { pointee, .. } = *self.kind(v.ty())
            && !v.is_lvalue()
            && matches!(self.kind(pointee), TyKind::Function { .. })
        {
            return v;
        }
        if !v.is_lvalue() {
            self.error("address-of-value", span, "a value has no address");
            return Value::error(span);
        }
        if let ExprKind::Swizzle { components, .. } = &v.expr.kind
            && components.len() > 1
        {
            self.error("address-of-swizzle", span, "several components of a vector have no common address");
            return Value::error(span);
        }
        if self.bits_of(&v.expr).is_some() {
            self.error("address-of-bit-field", span, "a bit-field has no address");
            return Value::error(span);
        }
        let space = v.space().unwrap_or(AddressSpace::Thread);
        let pointer = self.types().pointer(v.ty(), v.quals, space);
        Value::rvalue(self.address_of_lvalue(v.expr, pointer, span))
    }

    pub fn unary(&mut self, op: UnaryOperator, v: Value, span: Span) -> Value {
        if v.is_error() {
            return Value::error(span);
        }
        if let Some(result) = self.try_operator(OverloadedOperator::Unary(op), std::slice::from_ref(&v), span) {
            return result;
        }
        match op {
            UnaryOperator::Deref => {
                let e = self.rvalue(v);
                match *self.kind(e.ty) {
                    TyKind::Pointer { pointee, .. } if matches!(self.kind(pointee), TyKind::Function { .. }) => {
                        Value::rvalue(e)
                    }
                    TyKind::Pointer { pointee, .. } if pointee != Ty::VOID => self.deref(e, span),
                    _ => self.invalid_unary("*", &e, span),
                }
            }
            UnaryOperator::AddressOf => self.address_of(v, span),
            UnaryOperator::PreIncrement | UnaryOperator::PreDecrement => {
                self.inc_dec(v, op == UnaryOperator::PreIncrement, true, span)
            }
            UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::BitNot => {
                if op == UnaryOperator::Plus
                    && let Some(set) = self.invoker_of(v.ty(), span)
                    && let Some(pointer) = self.sole_function(&set)
                {
                    return pointer;
                }
                let v = self.builtin_operand(v, None);
                let e = self.unpacked(v);
                let text = match op {
                    UnaryOperator::Plus => "+",
                    UnaryOperator::Minus => "-",
                    _ => "~",
                };
                let e = match *self.kind(e.ty) {
                    TyKind::Scalar(s) => self.convert_scalar(e, promoted(s)),
                    TyKind::Enum(id) if !self.program.enums[id].is_scoped => {
                        let s = self.promoted_enum(id);
                        self.convert_scalar(e, s)
                    }
                    TyKind::Vector(..) => e,
                    TyKind::Pointer { .. } if op == UnaryOperator::Plus => return Value::rvalue(e),
                    _ => return self.invalid_unary(text, &e, span),
                };
                let Some((s, _)) = self.program.types.as_numeric(e.ty) else { return Value::error(span) };
                if op == UnaryOperator::BitNot && s.is_float() {
                    return self.invalid_unary(text, &e, span);
                }
                if op == UnaryOperator::Plus {
                    return Value::rvalue(e);
                }
                let hir_op = if op == UnaryOperator::Minus { UnaryOp::Negate } else { UnaryOp::BitNot };
                let ty = e.ty;
                if let ExprKind::Constant(bits) = e.kind {
                    let bits = crate::constant::unary_scalar(hir_op, bits, s);
                    return Value::rvalue(constant(bits, ty, span));
                }
                let fp = self.fp;
                Value::rvalue(rvalue_expr(ExprKind::Unary(hir_op, Box::new(e), fp), ty, span))
            }
            UnaryOperator::Not => {
                let v = self.builtin_operand(v, Some(Ty::BOOL));
                let fp = self.fp;
                if let Some((s, n)) = self.program.types.as_any_vector(v.ty()) {
                    let e = self.unpacked(v);
                    let bools = self.types().vector(Scalar::Bool, n);
                    let e = if s == Scalar::Bool {
                        e
                    } else {
                        rvalue_expr(ExprKind::Convert(hir::Conversion::Arithmetic, Box::new(e)), bools, span)
                    };
                    return Value::rvalue(rvalue_expr(ExprKind::Unary(UnaryOp::Not, Box::new(e), fp), bools, span));
                }
                let e = self.condition(v, span);
                if e.ty == Ty::ERROR {
                    return Value::error(span);
                }
                if let ExprKind::Constant(bits) = e.kind {
                    return Value::rvalue(constant(u64::from(bits == 0), Ty::BOOL, span));
                }
                Value::rvalue(rvalue_expr(ExprKind::Unary(UnaryOp::Not, Box::new(e), fp), Ty::BOOL, span))
            }
        }
    }

    fn invalid_unary(&mut self, text: &str, e: &hir::Expr, span: Span) -> Value {
        let name = self.type_name(e.ty);
        self.error("invalid-operand", span, format!("'{text}' does not apply to '{name}'"));
        Value::error(span)
    }

    pub fn check_postfix(&mut self, op: PostfixOperator, operand: &ast::Expr, span: Span) -> Value {
        let v = self.check_expr(operand);
        if v.is_error() {
            return Value::error(span);
        }
        let is_increment = op == PostfixOperator::Increment;
        let overloaded = if is_increment { OverloadedOperator::Increment } else { OverloadedOperator::Decrement };
        // The postfix form has an extra `int`.
        let zero = Value::rvalue(constant(0, Ty::INT, span));
        if let Some(result) = self.try_operator(overloaded, &[v.clone(), zero], span) {
            return result;
        }
        self.inc_dec(v, is_increment, false, span)
    }

    fn inc_dec(&mut self, v: Value, is_increment: bool, is_prefix: bool, span: Span) -> Value {
        let text = if is_increment { "++" } else { "--" };
        let valid = match *self.kind(v.ty()) {
            TyKind::Scalar(s) => s != Scalar::Bool,
            TyKind::Vector(s, _) => s != Scalar::Bool,
            TyKind::PackedVector(..) => true,
            TyKind::Pointer { pointee, .. } => {
                pointee != Ty::VOID
                    && !matches!(self.kind(pointee), TyKind::Function { .. })
                    && self.require_complete(pointee, span)
            }
            _ => false,
        };
        if !valid {
            return self.invalid_unary(text, &v.expr, span);
        }
        if !self.require_mutable(&v, if is_increment { "incremented" } else { "decremented" }) {
            return Value::error(span);
        }
        let (ty, category, quals) = (v.ty(), v.expr.category, v.quals);
        let kind = ExprKind::IncDec { operand: Box::new(v.expr), is_increment, is_prefix };
        if is_prefix {
            return Value { expr: hir::Expr { kind, ty, category, span }, quals, is_xvalue: false };
        }
        Value::rvalue(rvalue_expr(kind, ty, span))
    }

    /// An operand of a builtin operator: objects of class type convert through their conversion functions. `wanted` is
    /// the type to try first.
    /// A bit-field whose values all fit in an `int` is one in arithmetic.
    fn promoted_bits(&mut self, v: Value) -> Value {
        if !v.is_lvalue() {
            return v;
        }
        let Some(bits) = self.bits_of(&v.expr) else { return v };
        match self.program.types.as_scalar(v.ty()) {
            Some(s) if bits.width < 32 || bits.width == 32 && s.is_signed() => {
                let e = self.rvalue(v);
                Value::rvalue(self.convert_scalar(e, Scalar::Int))
            }
            _ => v,
        }
    }

    pub fn builtin_operand(&mut self, v: Value, wanted: Option<Ty>) -> Value {
        let Some(class) = self.program.types.as_class(v.ty()) else { return self.promoted_bits(v) };
        let span = v.expr.span;
        self.complete_class(class, span);
        let mut targets: Vec<Ty> = wanted.into_iter().collect();
        for e in self.lookup_in_class(class, crate::declare::NameKey::Conversion) {
            if let crate::entity::Entity::Function(f) = e
                && !f.is_template()
                && !f.decl.flags.is_explicit
                && let Some(space) = self.method_space(&f, &v)
                && let Some(ret) = self.signature(&f, &[], Some(space)).ret
            {
                let ret = self.program.types.strip_reference(ret).ty;
                if matches!(
                    self.kind(ret),
                    TyKind::Scalar(_)
                        | TyKind::Vector(..)
                        | TyKind::PackedVector(..)
                        | TyKind::Pointer { .. }
                        | TyKind::Enum(_)
                ) {
                    targets.push(ret);
                }
            }
        }
        if wanted.is_none() && targets.is_empty() {
            targets.extend([Ty::FLOAT, Ty::HALF, Ty::INT, Ty::UINT]);
        }
        for target in targets {
            if let Some(user) = self.user_conversion(&v, target, false)
                && user.class.is_none()
            {
                let ics = crate::conversion::Ics { user: Some(user), ..crate::conversion::Ics::exact() };
                return Value::rvalue(self.apply(v, target.into(), &ics, span));
            }
        }
        v
    }

    /// A call of an overloaded operator, where an operand is of class or enumeration type and one is viable.
    /// `None`: the builtin operator is meant.
    pub fn try_operator(&mut self, op: OverloadedOperator, operands: &[Value], span: Span) -> Option<Value> {
        use crate::declare::NameKey;
        let overloadable = |c: &Self, v: &Value| matches!(c.kind(v.ty()), TyKind::Class(_) | TyKind::Enum(_));
        if !operands.iter().any(|v| overloadable(self, v)) {
            return None;
        }
        let key = NameKey::Operator(crate::declare::normalize_operator(op));
        let args: Vec<CallArg<'_>> = operands.iter().cloned().map(CallArg::Value).collect();
        // Members of the left operand.
        let mut members = Vec::new();
        if let Some(class) = self.program.types.as_class(operands[0].ty()) {
            self.complete_class(class, span);
            for e in self.lookup_in_class(class, key) {
                if let crate::entity::Entity::Function(f) = e {
                    members.push(f);
                }
            }
        }
        let mut others = Vec::new();
        let assignment_like = matches!(
            op,
            OverloadedOperator::Assign(None)
                | OverloadedOperator::Call
                | OverloadedOperator::Subscript
                | OverloadedOperator::Arrow
        );
        if !assignment_like {
            let found = self.lookup_operator(key);
            for e in found {
                if let crate::entity::Entity::Function(f) = e
                    && f.class.is_none()
                {
                    others.push(f);
                }
            }
            let types: Vec<Ty> = operands.iter().map(|v| v.ty()).collect();
            self.lookup_by_arguments(key, &types, &mut others);
        }
        // `operator&` of two operands is no candidate for the address of one.
        let takes = |f: &crate::entity::FnDef, n: usize| {
            f.decl.params.len() == n || f.decl.params.iter().any(|p| p.is_pack || p.default.is_some())
        };
        if op != OverloadedOperator::Call {
            members.retain(|f| takes(f, operands.len() - 1));
            others.retain(|f| takes(f, operands.len()));
        }
        if members.is_empty() && others.is_empty() {
            return None;
        }
        let member = self.resolve_overload(&members, None, Some(&operands[0]), &args[1..], true, span);
        // A defaulted assignment is what happens without one, whatever memory the objects are in.
        if let Ok(m) = &member
            && matches!(op, OverloadedOperator::Assign(None))
            && matches!(m.def.decl.body, ast::FunctionBody::Defaulted)
        {
            return None;
        }
        let other = self.resolve_overload(&others, None, None, &args, true, span);
        let name = format!("operator{}", crate::declare::operator_text(op));
        use crate::overload::OverloadError;
        match (member, other) {
            (Ok(m), Ok(o)) => {
                // Compare on the shared operands: the member's first is exact but for added `const`.
                let member_wins = {
                    let mut score = 0i32;
                    for (a, b) in m.ranks.iter().zip(o.ranks.iter().skip(1)) {
                        score += match a.compare(b) {
                            std::cmp::Ordering::Less => 1,
                            std::cmp::Ordering::Greater => -1,
                            std::cmp::Ordering::Equal => 0,
                        };
                    }
                    let first = o.ranks.first().map_or(0, |r| i32::from(r.rank != crate::conversion::Rank::Exact));
                    score + first > 0 || (score + first == 0 && (!m.def.is_template() || o.def.is_template()))
                };
                Some(if member_wins {
                    self.finish_call(m, Some(operands[0].clone()), &args[1..], span)
                } else {
                    self.finish_call(o, None, &args, span)
                })
            }
            (Ok(m), Err(_)) => Some(self.finish_call(m, Some(operands[0].clone()), &args[1..], span)),
            (Err(_), Ok(o)) => Some(self.finish_call(o, None, &args, span)),
            (Err(e @ (OverloadError::Ambiguous(_) | OverloadError::Deleted(_) | OverloadError::Unsupported(_))), _)
            | (_, Err(e @ (OverloadError::Ambiguous(_) | OverloadError::Deleted(_) | OverloadError::Unsupported(_)))) =>
            {
                self.report_overload(e, &name, &args, span);
                Some(Value::error(span))
            }
            (Err(OverloadError::NoneViable(mut m)), Err(OverloadError::NoneViable(o))) => {
                // The builtin operator may still apply through conversions.
                if matches!(op, OverloadedOperator::Assign(None) | OverloadedOperator::Comma)
                    || operands.iter().all(|v| self.has_builtin_form(v))
                {
                    return None;
                }
                m.extend(o);
                // Operators that only the library has: which of its templates do not fit is of no use to anyone.
                if m.iter().all(|(def, _, _)| self.is_library_span(def.span())) {
                    self.report_operator(op, operands, span);
                    return Some(Value::error(span));
                }
                self.report_overload(OverloadError::NoneViable(m), &name, &args, span);
                Some(Value::error(span))
            }
        }
    }

    fn report_operator(&mut self, op: OverloadedOperator, operands: &[Value], span: Span) {
        let types: Vec<String> = operands.iter().map(|v| format!("'{}'", self.type_name(v.ty()))).collect();
        let message = format!("'{}' does not apply to {}", crate::declare::operator_text(op), types.join(" and "));
        let mut d = Diagnostic::error("invalid-operands", span, message);
        let is_class = |c: &Self, v: &Value, name: &str| match c.kind(v.ty()) {
            TyKind::Class(id) => c.classes.get(id.0 as usize).is_some_and(|i| i.def.name == name),
            _ => false,
        };
        if operands.iter().any(|v| is_class(self, v, "atomic")) {
            d = d.help("read an atomic with 'atomic_load_explicit(&x, memory_order_relaxed)'");
        } else if operands.iter().any(|v| is_class(self, v, "matrix")) {
            d = d.help("a matrix 'floatCxR' multiplies vectors of C components and gives vectors of R components");
        }
        self.report(d);
    }

    fn has_builtin_form(&mut self, v: &Value) -> bool {
        match *self.kind(v.ty()) {
            TyKind::Class(c) => !self.lookup_in_class(c, crate::declare::NameKey::Conversion).is_empty(),
            _ => true,
        }
    }

    /// Unqualified lookup of an operator function; class members do not hide it.
    fn lookup_operator(&mut self, key: crate::declare::NameKey) -> Vec<crate::entity::Entity> {
        let ns = self.scope.namespace();
        let mut at = Some(ns);
        while let Some(ns) = at {
            let found = self.lookup_in_namespace(ns, key);
            if !found.is_empty() {
                return found;
            }
            at = self.layer.namespace(ns).parent;
        }
        Vec::new()
    }
}

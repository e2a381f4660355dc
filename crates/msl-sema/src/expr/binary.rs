//! Binary operators, assignment, the conditional operator and folds.

use msl_base::{Diagnostic, Span};
use msl_syntax::ast::{self, BinaryOperator, FoldOperator, OverloadedOperator};

use super::{Value, constant, rvalue_expr};
use crate::checker::Checker;
use crate::conversion::{promoted, usual_arithmetic};
use crate::declare::binary_text;
use crate::hir::{self, BinaryOp, CompareOp, Conversion, ExprKind};
use crate::types::*;

fn arithmetic(op: BinaryOperator) -> Option<BinaryOp> {
    use BinaryOperator as B;
    Some(match op {
        B::Add => BinaryOp::Add,
        B::Sub => BinaryOp::Sub,
        B::Mul => BinaryOp::Mul,
        B::Div => BinaryOp::Div,
        B::Rem => BinaryOp::Rem,
        B::Shl => BinaryOp::Shl,
        B::Shr => BinaryOp::Shr,
        B::BitAnd => BinaryOp::And,
        B::BitXor => BinaryOp::Xor,
        B::BitOr => BinaryOp::Or,
        B::Lt | B::Gt | B::Le | B::Ge | B::Eq | B::Ne | B::And | B::Or => return None,
    })
}

fn comparison(op: BinaryOperator) -> Option<CompareOp> {
    use BinaryOperator as B;
    Some(match op {
        B::Lt => CompareOp::Lt,
        B::Gt => CompareOp::Gt,
        B::Le => CompareOp::Le,
        B::Ge => CompareOp::Ge,
        B::Eq => CompareOp::Eq,
        B::Ne => CompareOp::Ne,
        _ => return None,
    })
}

impl Checker<'_> {
    pub fn check_binary(
        &mut self,
        op: BinaryOperator,
        left: &ast::Expr,
        right: &ast::Expr,
        op_span: Span,
        span: Span,
    ) -> Value {
        // Long chains of one operator lean to the left; follow them without recursion.
        let mut chain = vec![(op, right, op_span, span)];
        let mut first = left;
        while let ast::ExprKind::Binary { op, left, right, op_span } = &first.kind {
            chain.push((*op, right, *op_span, first.span));
            first = left;
        }
        let mut l = self.check_expr(first);
        while let Some((op, right, op_span, span)) = chain.pop() {
            // What an unset function constant would decide is not reached when the left side decides already.
            let decided = matches!(
                (op, self.quick_bool(&l)),
                (BinaryOperator::And, Some(false)) | (BinaryOperator::Or, Some(true))
            );
            self.fcx.dead += u32::from(decided);
            let r = self.check_expr(right);
            self.fcx.dead -= u32::from(decided);
            l = self.binary(op, l, r, op_span, span);
        }
        l
    }

    /// The value of a condition that is a literal after checking.
    pub fn quick_bool(&mut self, v: &Value) -> Option<bool> {
        match v.expr.kind {
            ExprKind::Constant(bits) if v.ty() == Ty::BOOL => Some(bits != 0),
            ExprKind::Global(_) if v.ty() == Ty::BOOL => match self.rvalue(v.clone()).kind {
                ExprKind::Constant(bits) => Some(bits != 0),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn binary(&mut self, op: BinaryOperator, left: Value, right: Value, op_span: Span, span: Span) -> Value {
        if left.is_error() || right.is_error() {
            return Value::error(span);
        }
        let operands = [left, right];
        if let Some(result) = self.try_operator(OverloadedOperator::Binary(op), &operands, span) {
            return result;
        }
        let [left, right] = operands;
        if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
            return self.logical(op, left, right, op_span, span);
        }
        let (lt, rt) = (left.ty(), right.ty());
        let wanted_left = self.program.types.as_class(lt).is_some().then(|| self.other_operand_type(rt)).flatten();
        let wanted_right = self.program.types.as_class(rt).is_some().then(|| self.other_operand_type(lt)).flatten();
        let left = self.builtin_operand(left, wanted_left);
        let right = self.builtin_operand(right, wanted_right);
        let l = self.unpacked(left);
        let r = self.unpacked(right);
        if [l.ty, r.ty].iter().any(|ty| matches!(self.kind(*ty), TyKind::MemberPointer { .. })) {
            return self.compare_member_pointers(op, l, r, op_span, span);
        }
        if self.program.types.is_pointer(l.ty)
            || self.program.types.is_pointer(r.ty)
            || l.ty == Ty::NULLPTR
            || r.ty == Ty::NULLPTR
        {
            return self.pointer_binary(op, l, r, op_span, span);
        }
        if let (TyKind::Enum(a), TyKind::Enum(b)) = (self.kind(l.ty).clone(), self.kind(r.ty).clone())
            && self.program.enums[a].is_scoped
            && a == b
            && let Some(cmp) = comparison(op)
        {
            self.complete_enum(a);
            let s = self.program.enums[a].underlying;
            let (l, r) = (self.convert_scalar(l, s), self.convert_scalar(r, s));
            return self.compare(cmp, l, r, span);
        }
        if matches!(op, BinaryOperator::Shl | BinaryOperator::Shr) {
            return self.shift(op, l, r, op_span, span);
        }
        let Some((l, r)) = self.common_operands(op, l, r, op_span) else { return Value::error(span) };
        let Some((s, _)) = self.program.types.as_numeric(l.ty) else { return Value::error(span) };
        if let Some(cmp) = comparison(op) {
            return self.compare(cmp, l, r, span);
        }
        let Some(hir_op) = arithmetic(op) else { return Value::error(span) };
        let needs_integer =
            matches!(op, BinaryOperator::Rem | BinaryOperator::BitAnd | BinaryOperator::BitOr | BinaryOperator::BitXor);
        if needs_integer && s.is_float() {
            let mut d = self.operand_error(op, l.ty, r.ty, op_span);
            if op == BinaryOperator::Rem {
                d = d.help("use 'fmod(x, y)'");
            }
            self.report(d);
            return Value::error(span);
        }
        self.arithmetic_value(hir_op, l, r, span)
    }

    fn arithmetic_value(&mut self, op: BinaryOp, l: hir::Expr, r: hir::Expr, span: Span) -> Value {
        let ty = l.ty;
        if let (ExprKind::Constant(a), ExprKind::Constant(b), TyKind::Scalar(s)) = (&l.kind, &r.kind, self.kind(ty))
            && let Ok(bits) = crate::constant::binary_scalar(op, *a, *b, *s)
        {
            return Value::rvalue(constant(bits, ty, span));
        }
        let fp = self.fp;
        Value::rvalue(rvalue_expr(ExprKind::Binary(op, Box::new(l), Box::new(r), fp), ty, span))
    }

    fn compare(&mut self, op: CompareOp, l: hir::Expr, r: hir::Expr, span: Span) -> Value {
        let ty = match self.program.types.as_vector(l.ty) {
            Some((_, n)) => self.types().vector(Scalar::Bool, n),
            None => Ty::BOOL,
        };
        if let (ExprKind::Constant(a), ExprKind::Constant(b), TyKind::Scalar(s)) = (&l.kind, &r.kind, self.kind(l.ty)) {
            let bits = u64::from(crate::constant::compare_scalar(op, *a, *b, *s));
            return Value::rvalue(constant(bits, ty, span));
        }
        Value::rvalue(rvalue_expr(ExprKind::Compare(op, Box::new(l), Box::new(r)), ty, span))
    }

    fn other_operand_type(&mut self, ty: Ty) -> Option<Ty> {
        match self.kind(ty) {
            TyKind::Scalar(_) | TyKind::Vector(..) => Some(ty),
            TyKind::PackedVector(s, n) => {
                let (s, n) = (*s, *n);
                Some(self.types().vector(s, n))
            }
            _ => None,
        }
    }

    fn operand_error(&self, op: BinaryOperator, l: Ty, r: Ty, span: Span) -> Diagnostic {
        let (l, r) = (self.type_name(l), self.type_name(r));
        Diagnostic::error("invalid-operands", span, format!("'{}' does not apply to '{l}' and '{r}'", binary_text(op)))
    }

    /// The scalar an operand of a builtin operator counts as.
    fn operand_scalar(&mut self, ty: Ty) -> Option<Scalar> {
        match *self.kind(ty) {
            TyKind::Scalar(s) => Some(s),
            TyKind::Enum(e) if !self.program.enums[e].is_scoped => Some(self.promoted_enum(e)),
            _ => None,
        }
    }

    /// Brings two arithmetic operands to one type: scalars by the usual conversions, a scalar beside a vector to the
    /// vector's type.
    fn common_operands(
        &mut self,
        op: BinaryOperator,
        l: hir::Expr,
        r: hir::Expr,
        op_span: Span,
    ) -> Option<(hir::Expr, hir::Expr)> {
        let (lv, rv) = (self.program.types.as_vector(l.ty), self.program.types.as_vector(r.ty));
        match (lv, rv) {
            (Some(_), Some(_)) if l.ty == r.ty => Some((l, r)),
            (Some((a, n)), Some((b, m))) => {
                let mut d = self.operand_error(op, l.ty, r.ty, op_span);
                if n == m {
                    d = d.help(format!("convert one side: '{}{n}(…)' or '{}{n}(…)'", a.name(), b.name()));
                } else {
                    d = d.help(format!("the vectors have {n} and {m} components"));
                }
                self.report(d);
                None
            }
            (Some((s, _)), None) => {
                let r = self.splat_operand(op, r, s, l.ty, op_span, false)?;
                Some((l, r))
            }
            (None, Some((s, _))) => {
                let l = self.splat_operand(op, l, s, r.ty, op_span, true)?;
                Some((l, r))
            }
            (None, None) => {
                let (Some(a), Some(b)) = (self.operand_scalar(l.ty), self.operand_scalar(r.ty)) else {
                    let d = self.operand_error(op, l.ty, r.ty, op_span);
                    self.report(d);
                    return None;
                };
                let common = usual_arithmetic(a, b);
                Some((self.convert_scalar(l, common), self.convert_scalar(r, common)))
            }
        }
    }

    fn splat_operand(
        &mut self,
        op: BinaryOperator,
        e: hir::Expr,
        s: Scalar,
        vector: Ty,
        op_span: Span,
        is_left: bool,
    ) -> Option<hir::Expr> {
        let from = self.operand_scalar(e.ty);
        let valid = match from {
            None => false,
            // A float beside an integer vector would lose its fraction.
            Some(f) => s.is_float() || f.is_integer(),
        };
        if !valid {
            let (l, r) = if is_left { (e.ty, vector) } else { (vector, e.ty) };
            let d = self.operand_error(op, l, r, op_span);
            self.report(d);
            return None;
        }
        let scalar = self.convert_scalar(e, s);
        let span = scalar.span;
        Some(rvalue_expr(ExprKind::Convert(Conversion::Splat, Box::new(scalar)), vector, span))
    }

    fn shift(&mut self, op: BinaryOperator, l: hir::Expr, r: hir::Expr, op_span: Span, span: Span) -> Value {
        let Some(hir_op) = arithmetic(op) else { return Value::error(span) };
        let (lv, rv) = (self.program.types.as_vector(l.ty), self.program.types.as_vector(r.ty));
        let is_integer = |c: &mut Self, ty: Ty| match c.program.types.as_vector(ty) {
            Some((s, _)) => s.is_integer(),
            None => c.operand_scalar(ty).is_some_and(Scalar::is_integer),
        };
        let lengths_fit = match (lv, rv) {
            (Some((_, n)), Some((_, m))) => n == m,
            _ => true,
        };
        if !is_integer(self, l.ty) || !is_integer(self, r.ty) || !lengths_fit {
            let d = self.operand_error(op, l.ty, r.ty, op_span);
            self.report(d);
            return Value::error(span);
        }
        let (l, r) = match (lv, rv) {
            (Some((s, _)), Some((t, _))) => {
                let (ty, at) = (l.ty, r.span);
                let r = if s == t {
                    r
                } else {
                    rvalue_expr(ExprKind::Convert(Conversion::Arithmetic, Box::new(r)), ty, at)
                };
                (l, r)
            }
            (Some((s, _)), None) => {
                let ty = l.ty;
                let r = self.convert_scalar(r, s);
                let at = r.span;
                (l, rvalue_expr(ExprKind::Convert(Conversion::Splat, Box::new(r)), ty, at))
            }
            (None, Some((s, _))) => {
                let ty = r.ty;
                let l = self.convert_scalar(l, s);
                let at = l.span;
                (rvalue_expr(ExprKind::Convert(Conversion::Splat, Box::new(l)), ty, at), r)
            }
            (None, None) => {
                let s = self.operand_scalar(l.ty).map_or(Scalar::Int, promoted);
                (self.convert_scalar(l, s), self.convert_scalar(r, s))
            }
        };
        self.arithmetic_value(hir_op, l, r, span)
    }

    fn logical(&mut self, op: BinaryOperator, left: Value, right: Value, op_span: Span, span: Span) -> Value {
        let (lv, rv) = (self.program.types.as_any_vector(left.ty()), self.program.types.as_any_vector(right.ty()));
        if let Some((_, n)) = lv.or(rv) {
            // Elementwise on vectors: no short circuit.
            let bools = self.types().vector(Scalar::Bool, n);
            let mut sides = Vec::new();
            for v in [left, right] {
                let e = self.unpacked(v);
                sides.push(match self.program.types.as_vector(e.ty) {
                    Some((_, m)) if m != n => {
                        let d = self.operand_error(op, e.ty, bools, op_span);
                        self.report(d);
                        return Value::error(span);
                    }
                    Some((Scalar::Bool, _)) => e,
                    Some(_) => {
                        let at = e.span;
                        rvalue_expr(ExprKind::Convert(Conversion::Arithmetic, Box::new(e)), bools, at)
                    }
                    None => {
                        let at = e.span;
                        let e = self.condition(Value::rvalue(e), at);
                        rvalue_expr(ExprKind::Convert(Conversion::Splat, Box::new(e)), bools, at)
                    }
                });
            }
            let (Some(r), Some(l)) = (sides.pop(), sides.pop()) else { return Value::error(span) };
            let hir_op = if op == BinaryOperator::And { BinaryOp::And } else { BinaryOp::Or };
            return self.arithmetic_value(hir_op, l, r, span);
        }
        let l = self.condition(left, span);
        let r = self.condition(right, span);
        if l.ty == Ty::ERROR || r.ty == Ty::ERROR {
            return Value::error(span);
        }
        match (op, &l.kind, &r.kind) {
            (BinaryOperator::And, ExprKind::Constant(0), _) => return Value::rvalue(constant(0, Ty::BOOL, span)),
            (BinaryOperator::And, ExprKind::Constant(_), _) => return Value::rvalue(r),
            (BinaryOperator::Or, ExprKind::Constant(0), _) => return Value::rvalue(r),
            (BinaryOperator::Or, ExprKind::Constant(_), _) => return Value::rvalue(constant(1, Ty::BOOL, span)),
            _ => {}
        }
        let kind = if op == BinaryOperator::And {
            ExprKind::And(Box::new(l), Box::new(r))
        } else {
            ExprKind::Or(Box::new(l), Box::new(r))
        };
        Value::rvalue(rvalue_expr(kind, Ty::BOOL, span))
    }

    fn pointer_binary(&mut self, op: BinaryOperator, l: hir::Expr, r: hir::Expr, op_span: Span, span: Span) -> Value {
        let (lp, rp) = (self.program.types.is_pointer(l.ty), self.program.types.is_pointer(r.ty));
        match op {
            BinaryOperator::Add | BinaryOperator::Sub if lp != rp => {
                if op == BinaryOperator::Sub && rp {
                    let d = self.operand_error(op, l.ty, r.ty, op_span);
                    self.report(d);
                    return Value::error(span);
                }
                let (base, offset) = if lp { (l, r) } else { (r, l) };
                self.pointer_offset(base, offset, op == BinaryOperator::Sub, op_span, span)
            }
            BinaryOperator::Sub
                if (l.ty == r.ty || self.same_pointee(l.ty, r.ty)) && self.pointed_function(l.ty).is_none() =>
            {
                Value::rvalue(rvalue_expr(ExprKind::PointerDifference(Box::new(l), Box::new(r)), Ty::LONG, span))
            }
            _ => {
                // Functions have no order.
                let has_order = [l.ty, r.ty].iter().all(|ty| self.pointed_function(*ty).is_none());
                let is_equality = |cmp: &CompareOp| matches!(cmp, CompareOp::Eq | CompareOp::Ne);
                let Some(cmp) = comparison(op).filter(|cmp| has_order || is_equality(cmp)) else {
                    let d = self.operand_error(op, l.ty, r.ty, op_span);
                    self.report(d);
                    return Value::error(span);
                };
                let is_null = |e: &hir::Expr| matches!(e.kind, ExprKind::Constant(0));
                let (lt, rt) = (l.ty, r.ty);
                if lt == Ty::NULLPTR && rt == Ty::NULLPTR {
                    return Value::rvalue(constant(u64::from(cmp == CompareOp::Eq), Ty::BOOL, span));
                }
                let (l, r) = if lp && (rt == Ty::NULLPTR || (!rp && is_null(&r))) {
                    (l, constant(0, lt, r.span))
                } else if rp && (lt == Ty::NULLPTR || (!lp && is_null(&l))) {
                    (constant(0, rt, l.span), r)
                } else if lt == rt || self.standard_conversion(rt, lt, false).is_some() && lp && rp {
                    let r = self.standard(r, lt);
                    (l, r)
                } else if lp && rp && self.standard_conversion(lt, rt, false).is_some() {
                    (self.standard(l, rt), r)
                } else if self.same_pointee(lt, rt) {
                    let at = r.span;
                    (l, rvalue_expr(ExprKind::Convert(Conversion::Pointer, Box::new(r)), lt, at))
                } else {
                    let d = self.operand_error(op, lt, rt, op_span);
                    self.report(d);
                    return Value::error(span);
                };
                Value::rvalue(rvalue_expr(ExprKind::Compare(cmp, Box::new(l), Box::new(r)), Ty::BOOL, span))
            }
        }
    }

    fn same_pointee(&self, a: Ty, b: Ty) -> bool {
        match (self.kind(a), self.kind(b)) {
            (TyKind::Pointer { pointee: p, space: s, .. }, TyKind::Pointer { pointee: q, space: t, .. }) => {
                p == q && s == t
            }
            _ => false,
        }
    }

    pub fn pointer_offset(
        &mut self,
        base: hir::Expr,
        offset: hir::Expr,
        negate: bool,
        op_span: Span,
        span: Span,
    ) -> Value {
        let TyKind::Pointer { pointee, .. } = *self.kind(base.ty) else { return Value::error(span) };
        let scalar = self.operand_scalar(offset.ty);
        let Some(s) = scalar.filter(|s| s.is_integer()) else {
            let d = self.operand_error(BinaryOperator::Add, base.ty, offset.ty, op_span);
            self.report(d);
            return Value::error(span);
        };
        if pointee == Ty::VOID || matches!(self.kind(pointee), TyKind::Function { .. }) {
            let name = self.type_name(base.ty);
            match self.kind(pointee) {
                TyKind::Function { .. } => {
                    self.error("function-not-called", span, "a function is used here as a value without being called");
                }
                _ => self.error("void-pointer-arithmetic", span, format!("'{name}' has no element size to step by")),
            }
            return Value::error(span);
        }
        if !self.require_complete(pointee, span) {
            return Value::error(span);
        }
        let mut offset = self.convert_scalar(offset, promoted(s));
        if negate {
            // Unsigned offsets would wrap at their own width.
            offset = self.convert_scalar(offset, Scalar::Long);
            let at = offset.span;
            offset = match offset.kind {
                ExprKind::Constant(bits) => constant((bits as i64).wrapping_neg() as u64, Ty::LONG, at),
                _ => {
                    let fp = self.fp;
                    rvalue_expr(ExprKind::Unary(hir::UnaryOp::Negate, Box::new(offset), fp), Ty::LONG, at)
                }
            };
        }
        let ty = base.ty;
        Value::rvalue(rvalue_expr(ExprKind::PointerOffset { base: Box::new(base), offset: Box::new(offset) }, ty, span))
    }

    // ---- assignment ------------------------------------------------------------------------

    pub fn check_assign(
        &mut self,
        op: Option<BinaryOperator>,
        left: &ast::Expr,
        right: &ast::Expr,
        op_span: Span,
        span: Span,
    ) -> Value {
        let l = self.check_expr(left);
        if let (None, ast::ExprKind::InitList(items)) = (op, &right.kind) {
            if l.is_error() {
                return l;
            }
            let e = self.init_from_list(l.ty().into(), items, right.span);
            if e.ty == Ty::ERROR {
                return Value::error(span);
            }
            return self.assign(l, Value::rvalue(e), span);
        }
        let r = match (op, self.check_operand_arg(right)) {
            (None, crate::template::CallArg::Overloads(set)) if !l.is_error() => {
                let e = self.convert_arg(&crate::template::CallArg::Overloads(set), l.ty().into(), right.span);
                Value::rvalue(e)
            }
            (_, crate::template::CallArg::Value(v)) => v,
            (_, crate::template::CallArg::Overloads(set)) => self.function_value(&set),
            (_, crate::template::CallArg::List(_, at)) => {
                self.error("unexpected-list", at, "a list in braces is not a value here");
                Value::error(at)
            }
        };
        if l.is_error() || r.is_error() {
            return Value::error(span);
        }
        match op {
            None => self.assign(l, r, span),
            Some(op) => self.compound_assign(op, l, r, op_span, span),
        }
    }

    pub fn assign(&mut self, l: Value, r: Value, span: Span) -> Value {
        let operands = [l, r];
        let user_defined = match self.program.types.as_class(operands[0].ty()) {
            Some(c) => {
                self.complete_class(c, span);
                let key = crate::declare::NameKey::Operator(OverloadedOperator::Assign(None));
                // `operator=(const T &) = default` is what happens anyway; bases' are hidden by the implicit one.
                self.classes[c.0 as usize].members.get(&key).is_some_and(|l| {
                    l.iter().any(|e| matches!(e, crate::entity::Entity::Function(f) if !matches!(f.decl.body, ast::FunctionBody::Defaulted)))
                })
            }
            None => false,
        };
        if user_defined && let Some(v) = self.try_operator(OverloadedOperator::Assign(None), &operands, span) {
            return v;
        }
        let [l, r] = operands;
        if !self.require_mutable(&l, "assigned to") {
            return Value::error(span);
        }
        if let TyKind::Array { .. } = self.kind(l.ty()) {
            self.error("not-assignable", span, "arrays cannot be assigned; use 'array<T, N>' or assign the elements");
            return Value::error(span);
        }
        let (ty, quals) = (l.ty(), l.quals);
        let right = self.convert(r, ty.into(), span);
        if right.ty == Ty::ERROR {
            return Value::error(span);
        }
        let category = l.expr.category;
        let kind = ExprKind::Assign { left: Box::new(l.expr), right: Box::new(right) };
        Value { expr: hir::Expr { kind, ty, category, span }, quals, is_xvalue: false }
    }

    pub fn compound_assign(&mut self, op: BinaryOperator, l: Value, r: Value, op_span: Span, span: Span) -> Value {
        let operands = [l, r];
        if let Some(v) = self.try_operator(OverloadedOperator::Assign(Some(op)), &operands, span) {
            return v;
        }
        let [l, r] = operands;
        let Some(hir_op) = arithmetic(op) else { return Value::error(span) };
        if !self.require_mutable(&l, "assigned to") {
            return Value::error(span);
        }
        if self.program.types.as_class(l.ty()).is_some() {
            // `a op= b` through `a op b` does not exist in C++.
            let d = self.operand_error(op, l.ty(), r.ty(), op_span);
            self.report(d.help(format!("define 'operator{}='", binary_text(op))));
            return Value::error(span);
        }
        let left_value = {
            // Typed like the loaded left side; thrown away.
            let e = hir::Expr { kind: ExprKind::Error, ..l.expr.clone() };
            Value { expr: e, ..l.clone() }
        };
        let wanted = self.other_operand_type(l.ty());
        let r = self.builtin_operand(r, wanted);
        if self.program.types.is_pointer(l.ty()) {
            if !matches!(op, BinaryOperator::Add | BinaryOperator::Sub) {
                let d = self.operand_error(op, l.ty(), r.ty(), op_span);
                self.report(d);
                return Value::error(span);
            }
            let base = self.rvalue(left_value);
            let offset = self.rvalue(r);
            let combined = self.pointer_offset(base, offset, false, op_span, span);
            let ExprKind::PointerOffset { offset, .. } = combined.expr.kind else { return Value::error(span) };
            return self.compound(hir_op, l, *offset, span);
        }
        let loaded = rvalue_expr(ExprKind::Error, l.ty(), l.expr.span);
        let loaded = match *self.kind(loaded.ty) {
            TyKind::PackedVector(s, n) => rvalue_expr(ExprKind::Error, self.types().vector(s, n), l.expr.span),
            _ => loaded,
        };
        // The operation itself is checked by the binary operator on stand-ins, which keeps the rules in one place.
        let result = self.binary(op, Value::rvalue(loaded), r, op_span, span);
        if result.is_error() {
            return Value::error(span);
        }
        let ExprKind::Binary(_, _, right, _) = result.expr.kind else {
            return Value::error(span);
        };
        // A vector result cannot go back into a scalar.
        if self.standard_conversion(result.expr.ty, l.ty(), false).is_none() {
            self.report_conversion(
                &Value::rvalue(rvalue_expr(ExprKind::Error, result.expr.ty, span)),
                l.ty().into(),
                span,
            );
            return Value::error(span);
        }
        self.compound(hir_op, l, *right, span)
    }

    fn compound(&mut self, op: BinaryOp, l: Value, right: hir::Expr, span: Span) -> Value {
        let (ty, category, quals) = (l.ty(), l.expr.category, l.quals);
        let fp = self.fp;
        let kind = ExprKind::CompoundAssign { op, left: Box::new(l.expr), right: Box::new(right), fp };
        Value { expr: hir::Expr { kind, ty, category, span }, quals, is_xvalue: false }
    }

    // ---- conditional -----------------------------------------------------------------------

    pub fn check_conditional(
        &mut self,
        condition: &ast::Expr,
        then: &ast::Expr,
        otherwise: &ast::Expr,
        span: Span,
    ) -> Value {
        let cond = self.check_condition(condition);
        let known = match cond.kind {
            ExprKind::Constant(bits) if cond.ty == Ty::BOOL => Some(bits != 0),
            _ => None,
        };
        self.fcx.dead += u32::from(known == Some(false));
        let a = self.check_conditional_arm(then);
        self.fcx.dead -= u32::from(known == Some(false));
        self.fcx.dead += u32::from(known == Some(true));
        let b = self.check_conditional_arm(otherwise);
        self.fcx.dead -= u32::from(known == Some(true));
        if cond.ty == Ty::ERROR || a.is_error() || b.is_error() {
            return Value::error(span);
        }
        let Some((a, b, is_lvalue)) = self.unify_arms(a, b, span) else { return Value::error(span) };
        if let Some(known) = known {
            return if known { a } else { b };
        }
        let quals = if is_lvalue { a.quals } else { Quals::NONE };
        let (ty, category) = (a.ty(), a.expr.category);
        let kind =
            ExprKind::Conditional { condition: Box::new(cond), then: Box::new(a.expr), otherwise: Box::new(b.expr) };
        Value { expr: hir::Expr { kind, ty, category, span }, quals, is_xvalue: false }
    }

    /// `a ?: b`: the first value is tested and taken, evaluated once.
    pub fn check_or_else(&mut self, first: &ast::Expr, otherwise: &ast::Expr, span: Span) -> Value {
        let value = self.check_expr(first);
        if value.is_error() {
            return Value::error(span);
        }
        let mut stmts = Vec::new();
        let value = self.copy_of(value, first.span);
        if value.ty == Ty::ERROR {
            return Value::error(span);
        }
        let kept = self.hidden_local("first", value, &mut stmts);
        let condition = self.condition(kept.clone(), first.span);
        let otherwise = self.check_expr(otherwise);
        if condition.ty == Ty::ERROR || otherwise.is_error() {
            return Value::error(span);
        }
        let first = Value::rvalue(self.rvalue(kept));
        let Some((a, b, _)) = self.unify_arms(first, otherwise, span) else { return Value::error(span) };
        let (a, b) = (self.rvalue(a), self.rvalue(b));
        let ty = a.ty;
        let kind = ExprKind::Conditional { condition: Box::new(condition), then: Box::new(a), otherwise: Box::new(b) };
        let chosen = rvalue_expr(kind, ty, span);
        Value::rvalue(rvalue_expr(ExprKind::Block(stmts, Some(Box::new(chosen))), ty, span))
    }

    fn check_conditional_arm(&mut self, e: &ast::Expr) -> Value {
        self.check_expr(e)
    }

    fn unify_arms(&mut self, mut a: Value, mut b: Value, span: Span) -> Option<(Value, Value, bool)> {
        // Several components of a vector are no object that could be referred to.
        let is_part =
            |c: &Self, v: &Value| matches!(&v.expr.kind, ExprKind::Swizzle { .. }) || c.bits_of(&v.expr).is_some();
        if a.ty() == b.ty()
            && a.is_lvalue()
            && a.expr.category == b.expr.category
            && (a.quals.includes(b.quals) || b.quals.includes(a.quals))
            && !is_part(self, &a)
            && !is_part(self, &b)
        {
            // An object that may be written and one that may not are both referred to as the latter.
            let quals = if a.quals.includes(b.quals) { a.quals } else { b.quals };
            (a.quals, b.quals) = (quals, quals);
            return Some((a, b, true));
        }
        let is_class = |c: &Self, v: &Value| c.program.types.as_class(v.ty()).is_some();
        if a.ty() == b.ty() && !matches!(self.kind(a.ty()), TyKind::Array { .. }) {
            let (x, y) = (self.copy_of(a, span), self.copy_of(b, span));
            return Some((Value::rvalue(x), Value::rvalue(y), false));
        }
        if is_class(self, &a) || is_class(self, &b) {
            // Convert the one that converts to the other's type.
            let a_to_b = self.value_conversion(&a, b.ty().into(), true);
            let b_to_a = self.value_conversion(&b, a.ty().into(), true);
            match (a_to_b, b_to_a) {
                (Some(ics), None) => {
                    let (x, y) = (self.apply(a, b.ty().into(), &ics, span), self.copy_of(b, span));
                    return Some((Value::rvalue(x), Value::rvalue(y), false));
                }
                (None, Some(ics)) => {
                    let (x, y) = (self.copy_of(a.clone(), span), self.apply(b, a.ty().into(), &ics, span));
                    return Some((Value::rvalue(x), Value::rvalue(y), false));
                }
                _ => {}
            }
        }
        let (x, y) = (self.unpacked(a), self.unpacked(b));
        let (xt, yt) = (x.ty, y.ty);
        let x_vector = self.program.types.as_vector(xt).is_some();
        let to = if xt == yt || (x_vector && self.operand_scalar(yt).is_some()) {
            Some(xt)
        } else if self.program.types.as_vector(yt).is_some() && self.operand_scalar(xt).is_some() {
            Some(yt)
        } else if let (Some(s), Some(t)) = (self.operand_scalar(xt), self.operand_scalar(yt)) {
            Some(Ty::scalar(usual_arithmetic(s, t)))
        } else if self.standard_conversion(yt, xt, matches!(y.kind, ExprKind::Constant(0))).is_some() {
            Some(xt)
        } else if self.standard_conversion(xt, yt, matches!(x.kind, ExprKind::Constant(0))).is_some() {
            Some(yt)
        } else {
            None
        };
        match to {
            Some(to) => {
                let (x, y) = (self.standard(x, to), self.standard(y, to));
                Some((Value::rvalue(x), Value::rvalue(y), false))
            }
            None => {
                let message =
                    format!("the arms have different types, '{}' and '{}'", self.type_name(xt), self.type_name(yt));
                self.error("incompatible-arms", span, message);
                None
            }
        }
    }

    // ---- folds -----------------------------------------------------------------------------

    pub fn check_fold(
        &mut self,
        op: FoldOperator,
        is_left: bool,
        pack: &ast::Expr,
        init: Option<&ast::Expr>,
        span: Span,
    ) -> Value {
        let mut names = Vec::new();
        crate::walk::names_in_expr(pack, &mut names);
        let Some(scopes) = self.expansion_scopes(&names, span) else { return Value::error(span) };
        let mut items = Vec::new();
        for scope in scopes {
            items.push(self.in_scope(&scope, |c| c.check_expr(pack)));
        }
        if let Some(e) = init {
            let v = self.check_expr(e);
            if is_left { items.insert(0, v) } else { items.push(v) }
        }
        if items.is_empty() {
            return match op {
                FoldOperator::Comma => Value::rvalue(rvalue_expr(ExprKind::Zero, Ty::VOID, span)),
                FoldOperator::Binary(BinaryOperator::And) => Value::rvalue(constant(1, Ty::BOOL, span)),
                FoldOperator::Binary(BinaryOperator::Or) => Value::rvalue(constant(0, Ty::BOOL, span)),
                FoldOperator::Binary(_) | FoldOperator::Assign(_) => {
                    let text = match op {
                        FoldOperator::Binary(op) => binary_text(op).to_owned(),
                        FoldOperator::Assign(op) => format!("{}=", op.map_or("", binary_text)),
                        FoldOperator::Comma => ",".to_owned(),
                    };
                    self.error("empty-fold", span, format!("a fold over '{text}' needs at least one element"));
                    Value::error(span)
                }
            };
        }
        let combine = |c: &mut Self, l: Value, r: Value| {
            if l.is_error() || r.is_error() {
                return Value::error(span);
            }
            match op {
                FoldOperator::Comma => c.comma(l, r, span),
                FoldOperator::Binary(op) => c.binary(op, l, r, span, span),
                FoldOperator::Assign(None) => c.assign(l, r, span),
                FoldOperator::Assign(Some(op)) => c.compound_assign(op, l, r, span, span),
            }
        };
        if is_left {
            let mut iter = items.into_iter();
            let Some(mut acc) = iter.next() else { return Value::error(span) };
            for v in iter {
                acc = combine(self, acc, v);
            }
            acc
        } else {
            let Some(mut acc) = items.pop() else { return Value::error(span) };
            while let Some(v) = items.pop() {
                acc = combine(self, v, acc);
            }
            acc
        }
    }
}

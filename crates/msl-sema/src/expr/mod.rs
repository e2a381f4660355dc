//! Expressions: from syntax to typed HIR.
//!
//! Every function here gives a value even after an error; the error type passes silently through everything.

mod binary;
mod call;
mod cast;
mod init;
mod lambda;
mod list;
mod literal;
mod member;
mod member_pointer;
mod name;
mod pointer_call;
mod traits;
mod unary;
mod vector;

pub use member_pointer::Method;
pub use pointer_call::Dispatch;

use std::rc::Rc;

use msl_base::{Diagnostic, Span};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::declare::NameKey;
use crate::entity::*;
use crate::hir::{self, Category, Conversion, ExprKind};
use crate::template::{CallArg, ExplicitArgs};
use crate::types::*;

/// A typed expression with what HIR leaves out: qualifiers of the object it designates.
#[derive(Clone, Debug)]
pub struct Value {
    pub expr: hir::Expr,
    pub quals: Quals,
    /// An lvalue that may be treated as a temporary (`static_cast<T &&>(x)`).
    pub is_xvalue: bool,
}

impl Value {
    pub fn rvalue(expr: hir::Expr) -> Value {
        Value { expr, quals: Quals::NONE, is_xvalue: false }
    }
    pub fn error(span: Span) -> Value {
        Value::rvalue(crate::conversion::error_expr(span))
    }
    pub fn lvalue(kind: ExprKind, ty: Ty, quals: Quals, space: AddressSpace, span: Span) -> Value {
        Value { expr: hir::Expr { kind, ty, category: Category::LValue(space), span }, quals, is_xvalue: false }
    }
    pub fn ty(&self) -> Ty {
        self.expr.ty
    }
    pub fn is_error(&self) -> bool {
        self.expr.ty == Ty::ERROR
    }
    pub fn is_lvalue(&self) -> bool {
        matches!(self.expr.category, Category::LValue(_))
    }
    pub fn space(&self) -> Option<AddressSpace> {
        match self.expr.category {
            Category::LValue(s) => Some(s),
            Category::RValue => None,
        }
    }
    pub fn qual_ty(&self) -> QualTy {
        QualTy { ty: self.expr.ty, quals: self.quals, space: self.space() }
    }
    pub fn is_null_constant(&self) -> bool {
        matches!(self.expr.kind, ExprKind::Constant(0))
    }
}

pub fn rvalue_expr(kind: ExprKind, ty: Ty, span: Span) -> hir::Expr {
    hir::Expr { kind, ty, category: Category::RValue, span }
}

pub fn constant(bits: u64, ty: Ty, span: Span) -> hir::Expr {
    rvalue_expr(ExprKind::Constant(bits), ty, span)
}

/// A name that means functions, before a call chooses one.
#[derive(Clone, Debug)]
pub struct OverloadSet {
    pub functions: Vec<Rc<FnDef>>,
    pub explicit: Option<ExplicitArgs>,
    /// What methods are called on.
    pub object: Option<Box<Value>>,
    pub key: NameKey,
    pub name: String,
    /// Unqualified: functions of the arguments' namespaces count too.
    pub by_arguments: bool,
    /// Of `&C::f`, which may be a pointer to a member.
    pub is_address: bool,
    pub span: Span,
}

pub enum Operand {
    Value(Value),
    Overloads(OverloadSet),
    Type(QualTy),
}

impl Checker<'_> {
    pub fn check_expr(&mut self, e: &ast::Expr) -> Value {
        match self.check_operand(e) {
            Operand::Value(v) => v,
            Operand::Overloads(set) => self.function_value(&set),
            Operand::Type(t) => {
                if !t.is_error() {
                    let name = self.type_name(t);
                    self.error("expected-value", e.span, format!("'{name}' is a type where a value is expected"));
                }
                Value::error(e.span)
            }
        }
    }

    pub fn check_expr_or_function(&mut self, e: &ast::Expr) -> Value {
        self.check_expr(e)
    }

    /// An expression as an argument: lists and overload sets stay what they are.
    pub fn check_operand_arg<'e>(&mut self, e: &'e ast::Expr) -> CallArg<'e> {
        if let ast::ExprKind::InitList(items) = &e.kind {
            return CallArg::List(items, e.span);
        }
        match self.check_operand(e) {
            Operand::Value(v) => CallArg::Value(v),
            Operand::Overloads(set) => CallArg::Overloads(set),
            Operand::Type(t) => {
                if !t.is_error() {
                    let name = self.type_name(t);
                    self.error("expected-value", e.span, format!("'{name}' is a type where a value is expected"));
                }
                CallArg::Value(Value::error(e.span))
            }
        }
    }

    /// Checks and converts to a type; for references the result is a pointer.
    pub fn check_expr_converted(&mut self, e: &ast::Expr, to: QualTy) -> hir::Expr {
        let arg = self.check_operand_arg(e);
        self.convert_arg(&arg, to, e.span)
    }

    /// A value of scalar, vector, pointer or class type as a value; conditions convert to `bool`.
    pub fn check_condition(&mut self, e: &ast::Expr) -> hir::Expr {
        if let ast::ExprKind::Assign { op: None, .. } = e.kind {
            let d = Diagnostic::warning("assignment-as-condition", e.span, "this assigns, and tests what it assigned")
                .help("compare with '=='; if the assignment is meant, put it in parentheses");
            self.report(d);
        }
        let v = self.check_expr(e);
        self.condition(v, e.span)
    }

    pub fn condition(&mut self, v: Value, span: Span) -> hir::Expr {
        if v.is_error() {
            return v.expr;
        }
        if let TyKind::Vector(s, n) = *self.kind(v.ty()) {
            let message = format!("a condition is a 'bool', not '{}{n}'", s.name());
            let d = Diagnostic::error("no-conversion", span, message)
                .help("combine the components with 'all(…)' or 'any(…)'");
            self.report(d);
            return crate::conversion::error_expr(span);
        }
        // Conversion to bool in a condition may be explicit.
        if self.program.types.as_class(v.ty()).is_some() {
            return match self.user_conversion(&v, Ty::BOOL, true) {
                Some(user) => {
                    let ics = crate::conversion::Ics { user: Some(user), ..crate::conversion::Ics::exact() };
                    self.apply(v, Ty::BOOL.into(), &ics, span)
                }
                None => {
                    self.report_conversion(&v, Ty::BOOL.into(), span);
                    crate::conversion::error_expr(span)
                }
            };
        }
        self.convert(v, Ty::BOOL.into(), span)
    }

    pub fn check_operand(&mut self, e: &ast::Expr) -> Operand {
        self.nested(e.span, |_| Operand::Value(Value::error(e.span)), |c| c.check_operand_inner(e))
    }

    fn check_operand_inner(&mut self, e: &ast::Expr) -> Operand {
        use ast::ExprKind as K;
        let span = e.span;
        let value = match &e.kind {
            K::Bool(b) => Value::rvalue(constant(u64::from(*b), Ty::BOOL, span)),
            K::Integer { value, suffix, is_decimal } => self.check_integer(*value, *suffix, *is_decimal, span),
            K::Float { value, suffix } => self.check_float(*value, *suffix, span),
            K::Char(c) => Value::rvalue(constant(*c as u64 & 0xff, Ty::CHAR, span)),
            K::String(s) => {
                let ty = self.types().pointer(Ty::CHAR, Quals::CONST, AddressSpace::Constant);
                Value::rvalue(rvalue_expr(ExprKind::String(*s), ty, span))
            }
            K::Nullptr => Value::rvalue(constant(0, Ty::NULLPTR, span)),
            K::This => match self.this_pointer(span) {
                Some(v) => v,
                None => {
                    self.error("invalid-this", span, "'this' only exists in methods");
                    Value::error(span)
                }
            },
            K::Name(name) => return self.check_name(name),
            K::Paren(inner) => return self.check_operand(inner),
            K::Unary { op: ast::UnaryOperator::AddressOf, operand } => return self.check_address_of(operand, span),
            K::Unary { op, operand } => return Operand::Value(self.check_unary(*op, operand, span)),
            K::Postfix { op, operand } => self.check_postfix(*op, operand, span),
            K::Binary { op, left, right, op_span } => self.check_binary(*op, left, right, *op_span, span),
            K::Assign { op, left, right, op_span } => self.check_assign(*op, left, right, *op_span, span),
            K::Comma(left, right) => self.check_comma(left, right, span),
            K::Conditional { condition, then: Some(then), otherwise } => {
                self.check_conditional(condition, then, otherwise, span)
            }
            K::Conditional { condition, then: None, otherwise } => self.check_or_else(condition, otherwise, span),
            K::Call { callee, args } => self.check_call(callee, args, span),
            K::Subscript { base, index } => self.check_subscript(base, index, span),
            K::Member { base, is_arrow, name } => return self.check_member(base, *is_arrow, name, span),
            K::PointedMember { base, is_arrow, pointer } => self.check_pointed_member(base, *is_arrow, pointer, span),
            K::CStyleCast { ty, operand } => self.check_c_style_cast(ty, operand, span),
            K::NamedCast { kind, ty, operand } => self.check_named_cast(*kind, ty, operand, span),
            K::Construct { ty, args } => self.check_construct(ty, args, span),
            K::BraceConstruct { ty, args } => self.check_brace_construct(ty, args, span),
            K::InitList(_) => {
                self.error("unexpected-list", span, "a list in braces is not a value here");
                Value::error(span)
            }
            K::Designated { .. } | K::DesignatedIndex { .. } => {
                self.error(
                    "unexpected-designator",
                    span,
                    "a designator only makes sense in the initialiser of a class",
                );
                Value::error(span)
            }
            K::SizeofType(t) => {
                let ty = self.resolve_type(t);
                self.size_value(ty, span, false)
            }
            K::AlignofType(t) => {
                let ty = self.resolve_type(t);
                self.size_value(ty, span, true)
            }
            // A literal is an array with a zero at its end.
            K::SizeofExpr(inner) if matches!(strip_parens(inner).kind, K::String(_)) => {
                let K::String(s) = strip_parens(inner).kind else { return Operand::Value(Value::error(span)) };
                Value::rvalue(constant(s.as_str().len() as u64 + 1, Ty::ULONG, span))
            }
            K::SizeofExpr(inner) => {
                self.unevaluated += 1;
                let (operand, _) = self.noting_late(|c| c.check_operand(inner));
                self.unevaluated -= 1;
                match operand {
                    Operand::Value(v) => self.size_value(v.ty().into(), span, false),
                    Operand::Type(t) => self.size_value(t, span, false),
                    // An address of a function, whichever it is.
                    Operand::Overloads(_)
                        if matches!(strip_parens(inner).kind, K::Unary { op: ast::UnaryOperator::AddressOf, .. }) =>
                    {
                        Value::rvalue(constant(8, Ty::ULONG, span))
                    }
                    Operand::Overloads(_) => {
                        self.error("invalid-sizeof", span, "functions have no size");
                        Value::error(span)
                    }
                }
            }
            K::SizeofPack(name) => {
                let found = self.lookup_unqualified(NameKey::Name(*name));
                let len = match found.entities.first() {
                    Some(Entity::Param(Binding::Bound(Arg::Pack(p)))) => Some(p.len()),
                    Some(Entity::LocalPack(p)) => Some(p.len()),
                    _ => None,
                };
                match len {
                    Some(n) => Value::rvalue(constant(n as u64, Ty::ULONG, span)),
                    None => {
                        self.error("not-a-pack", span, format!("'{name}' is not a parameter pack"));
                        Value::error(span)
                    }
                }
            }
            K::Pack(_) => {
                self.error("unexpected-pack", span, "a pack cannot be expanded here");
                Value::error(span)
            }
            K::Fold { op, is_left, pack, init } => self.check_fold(*op, *is_left, pack, init.as_deref(), span),
            K::Lambda(lambda) => self.check_lambda(lambda, span),
            K::Statements(body) => self.check_statement_expr(body, span),
            K::Type(t) => match &t.kind {
                // `f(T())` reads like a function type to the parser.
                ast::TypeExprKind::Function { ret, params, .. } if params.is_empty() => {
                    let ty = self.resolve_type(ret);
                    self.construct(ty, &[], span)
                }
                _ => return Operand::Type(self.resolve_type(t)),
            },
            K::Noexcept(_) => Value::rvalue(constant(1, Ty::BOOL, span)),
            K::Error => Value::error(span),
        };
        Operand::Value(value)
    }

    fn size_value(&mut self, ty: QualTy, span: Span, is_align: bool) -> Value {
        let ty = self.program.types.strip_reference(ty).ty;
        if ty == Ty::ERROR || !self.require_complete(ty, span) {
            return Value::error(span);
        }
        if matches!(self.kind(ty), TyKind::Void | TyKind::Function { .. } | TyKind::Array { len: None, .. }) {
            let name = self.type_name(ty);
            self.error("invalid-sizeof", span, format!("'{name}' has no size"));
            return Value::error(span);
        }
        let n = if is_align { u64::from(self.align_of(ty)) } else { self.size_of(ty) };
        Value::rvalue(constant(n, Ty::ULONG, span))
    }

    // ---- values ------------------------------------------------------------------------

    /// The value of an expression: loads lvalues, turns arrays into pointers.
    pub fn rvalue(&mut self, v: Value) -> hir::Expr {
        if !v.is_lvalue() {
            return v.expr;
        }
        let (ty, span) = (v.ty(), v.expr.span);
        if ty == Ty::ERROR {
            return v.expr;
        }
        if let TyKind::Array { element, quals, .. } = *self.kind(ty) {
            let space = v.space().unwrap_or(AddressSpace::Thread);
            let pointer = self.types().pointer(element, quals.with(v.quals), space);
            return rvalue_expr(ExprKind::Convert(Conversion::ArrayDecay, Box::new(v.expr)), pointer, span);
        }
        if let Some(bits) = self.known_scalar(&v.expr) {
            return constant(bits, ty, span);
        }
        rvalue_expr(ExprKind::Load(Box::new(v.expr)), ty, span)
    }

    /// The bits of a constant variable of scalar type.
    fn known_scalar(&self, e: &hir::Expr) -> Option<u64> {
        let value = match e.kind {
            ExprKind::Global(g) => self.global_values.get(&g)?,
            ExprKind::Local(l) => self.fcx.const_locals.get(&l)?,
            _ => return None,
        };
        match (&**value, self.kind(e.ty)) {
            (Const::Scalar(bits), TyKind::Scalar(_) | TyKind::Enum(_)) => Some(*bits),
            _ => None,
        }
    }

    /// An rvalue with its packed vector, if it is one, unpacked.
    pub fn unpacked(&mut self, v: Value) -> hir::Expr {
        let e = self.rvalue(v);
        match *self.kind(e.ty) {
            TyKind::PackedVector(s, n) => {
                let vector = self.types().vector(s, n);
                self.standard(e, vector)
            }
            _ => e,
        }
    }

    /// A pointer value dereferenced.
    pub fn deref(&mut self, pointer: hir::Expr, span: Span) -> Value {
        let TyKind::Pointer { pointee, quals, space } = *self.kind(pointer.ty) else {
            return Value::error(span);
        };
        if let ExprKind::AddressOf(inner) = pointer.kind {
            let mut inner = *inner;
            inner.span = span;
            if inner.ty == pointee {
                return Value { expr: inner, quals, is_xvalue: false };
            }
            let again = rvalue_expr(ExprKind::AddressOf(Box::new(inner)), pointer.ty, span);
            return Value::lvalue(ExprKind::Deref(Box::new(again)), pointee, quals, space, span);
        }
        Value::lvalue(ExprKind::Deref(Box::new(pointer)), pointee, quals, space, span)
    }

    fn check_comma(&mut self, left: &ast::Expr, right: &ast::Expr, span: Span) -> Value {
        let l = self.check_expr(left);
        let r = self.check_expr(right);
        if l.is_error() || r.is_error() {
            return Value::error(span);
        }
        self.comma(l, r, span)
    }

    pub fn comma(&mut self, l: Value, r: Value, span: Span) -> Value {
        let operands = [l, r];
        if let Some(v) = self.try_operator(ast::OverloadedOperator::Comma, &operands, span) {
            return v;
        }
        let [l, r] = operands;
        let (ty, category) = (r.ty(), r.expr.category);
        let expr = hir::Expr { kind: ExprKind::Comma(Box::new(l.expr), Box::new(r.expr)), ty, category, span };
        Value { expr, quals: r.quals, is_xvalue: r.is_xvalue }
    }

    /// Needs an lvalue that may be changed.
    pub fn require_mutable(&mut self, v: &Value, what: &str) -> bool {
        if v.is_error() {
            return false;
        }
        let span = v.expr.span;
        if !v.is_lvalue() || v.is_xvalue {
            self.error("not-assignable", span, format!("this is a value, not an object, and cannot be {what}"));
            return false;
        }
        if let ExprKind::Swizzle { components, .. } = &v.expr.kind {
            let repeats = components.iter().enumerate().any(|(i, c)| components[..i].contains(c));
            if repeats {
                self.error("not-assignable", span, format!("a vector with a repeated component cannot be {what}"));
                return false;
            }
        }
        if v.quals.is_const || v.space() == Some(AddressSpace::Constant) {
            let d = Diagnostic::error("const-object", span, format!("this is const and cannot be {what}"));
            let d = match self.variable_of(&v.expr) {
                Some((name, at)) => d.note_at(at, format!("'{name}' is declared here")),
                None => d,
            };
            self.report(d);
            return false;
        }
        true
    }

    /// The variable at the root of an lvalue.
    fn variable_of(&self, e: &hir::Expr) -> Option<(msl_base::Symbol, Span)> {
        match &e.kind {
            ExprKind::Local(l) => {
                let local = self.fcx.locals.get(*l)?;
                Some((local.name?, local.span))
            }
            ExprKind::Global(g) => {
                let global = self.program.globals.get(*g)?;
                Some((global.name, global.span))
            }
            ExprKind::Field { base, .. } | ExprKind::Index { base, .. } | ExprKind::Swizzle { base, .. } => {
                self.variable_of(base)
            }
            ExprKind::Deref(p) | ExprKind::Load(p) => self.variable_of(p),
            ExprKind::PointerOffset { base, .. } => self.variable_of(base),
            _ => None,
        }
    }
}

pub fn strip_parens(e: &ast::Expr) -> &ast::Expr {
    match &e.kind {
        ast::ExprKind::Paren(inner) => strip_parens(inner),
        _ => e,
    }
}

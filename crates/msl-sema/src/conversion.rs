//! Implicit conversions: which exist, how good they are, and how they are written out.
//!
//! Ranks follow C++ [over.ics.rank] with Metal's additions: a scalar becomes a vector of equal components (worse than
//! any scalar conversion), a packed vector a vector, and address spaces are part of what a reference binds to.

use std::cmp::Ordering;
use std::rc::Rc;

use msl_base::{Diagnostic, Span};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::declare::NameKey;
use crate::entity::*;
use crate::expr::{Value, constant, rvalue_expr};
use crate::hir::{self, Conversion, ExprKind};
use crate::template::CallArg;
use crate::types::*;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Rank {
    Exact,
    Promotion,
    Conversion,
    /// Scalar to vector.
    Splat,
    User,
    /// To the `...` of a C variadic function.
    Ellipsis,
}

/// An implicit conversion sequence.
#[derive(Clone, Debug)]
pub struct Ics {
    pub rank: Rank,
    /// Steps from derived to base.
    pub depth: u32,
    /// Qualifiers gained by a pointee or referent.
    pub quals: Quals,
    pub reference: Option<RefBinding>,
    pub user: Option<UserConversion>,
    /// Pointer to `bool` is worse than other conversions.
    pub to_bool: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct RefBinding {
    pub is_rvalue_ref: bool,
    pub from_rvalue: bool,
    /// Binds to a copy because the argument is elsewhere or of another type.
    pub copies: bool,
}

#[derive(Clone, Debug)]
pub struct UserConversion {
    pub def: Rc<FnDef>,
    pub args: Vec<Arg>,
    /// The target class for constructors; `None` for conversion functions.
    pub class: Option<ClassId>,
    pub second: Rank,
}

impl Ics {
    pub fn of(rank: Rank) -> Ics {
        Ics { rank, depth: 0, quals: Quals::NONE, reference: None, user: None, to_bool: false }
    }
    pub const fn exact() -> Ics {
        Ics { rank: Rank::Exact, depth: 0, quals: Quals::NONE, reference: None, user: None, to_bool: false }
    }

    /// `Less` is better.
    pub fn compare(&self, other: &Ics) -> Ordering {
        let by_rank = self.rank.cmp(&other.rank);
        if by_rank != Ordering::Equal {
            return by_rank;
        }
        if let (Some(a), Some(b)) = (&self.user, &other.user) {
            if !Rc::ptr_eq(&a.def, &b.def) {
                return Ordering::Equal;
            }
            return a.second.cmp(&b.second);
        }
        let by_bool = self.to_bool.cmp(&other.to_bool);
        if by_bool != Ordering::Equal {
            return by_bool;
        }
        let by_depth = self.depth.cmp(&other.depth);
        if by_depth != Ordering::Equal {
            return by_depth;
        }
        if let (Some(a), Some(b)) = (&self.reference, &other.reference) {
            let by_copy = a.copies.cmp(&b.copies);
            if by_copy != Ordering::Equal {
                return by_copy;
            }
            if a.from_rvalue && b.from_rvalue && a.is_rvalue_ref != b.is_rvalue_ref {
                return if a.is_rvalue_ref { Ordering::Less } else { Ordering::Greater };
            }
        }
        match (self.quals.includes(other.quals), other.quals.includes(self.quals)) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => Ordering::Equal,
        }
    }
}

/// The type arithmetic on a small type happens in.
pub fn promoted(s: Scalar) -> Scalar {
    match s {
        Scalar::Bool | Scalar::Char | Scalar::UChar | Scalar::Short | Scalar::UShort => Scalar::Int,
        other => other,
    }
}

/// The common type of two operands (MSL section 2.1 with the C++ rules).
pub fn usual_arithmetic(a: Scalar, b: Scalar) -> Scalar {
    use Scalar as S;
    match (a, b) {
        (S::Float, _) | (_, S::Float) => S::Float,
        (S::Half, S::BFloat) | (S::BFloat, S::Half) => S::Float,
        (S::Half, _) | (_, S::Half) => S::Half,
        (S::BFloat, _) | (_, S::BFloat) => S::BFloat,
        _ => match (promoted(a), promoted(b)) {
            (S::ULong, _) | (_, S::ULong) => S::ULong,
            (S::Long, _) | (_, S::Long) => S::Long,
            (S::UInt, _) | (_, S::UInt) => S::UInt,
            _ => S::Int,
        },
    }
}

impl Checker<'_> {
    /// The conversion of an argument to a parameter type, if there is one.
    pub fn implicit_conversion(&mut self, arg: &CallArg<'_>, to: QualTy, allow_user: bool) -> Option<Ics> {
        if to.is_error() {
            return Some(Ics::exact());
        }
        match arg {
            CallArg::Value(v) => self.value_conversion(v, to, allow_user),
            CallArg::Overloads(set) => {
                let target = self.program.types.strip_reference(to);
                let set = set.clone();
                match *self.kind(target.ty) {
                    TyKind::Pointer { pointee, .. } => {
                        self.attempt(|c| c.resolve_function_address(&set, pointee)).ok().flatten().map(|_| Ics::exact())
                    }
                    TyKind::MemberPointer { .. } => {
                        let v = self.attempt(|c| c.resolve_method_address(&set, target.ty)).ok().flatten()?;
                        self.value_conversion(&v, to, allow_user)
                    }
                    _ => {
                        let v = self.sole_function(&set)?;
                        self.value_conversion(&v, to, allow_user)
                    }
                }
            }
            CallArg::List(items, span) => self.list_conversion(items, *span, to, allow_user),
        }
    }

    fn list_conversion(&mut self, items: &[ast::Expr], span: Span, to: QualTy, allow_user: bool) -> Option<Ics> {
        let target = match *self.kind(to.ty) {
            TyKind::Reference { referent, quals, is_rvalue, space } => {
                if !(is_rvalue || quals.is_const) || space != AddressSpace::Thread {
                    return None;
                }
                QualTy::from(referent)
            }
            _ => to,
        };
        if let (TyKind::Scalar(_) | TyKind::Enum(_) | TyKind::Pointer { .. } | TyKind::MemberPointer { .. }, [one]) =
            (self.kind(target.ty), items)
        {
            let v = self.attempt(|c| c.check_operand_arg(one)).ok()?;
            return self.implicit_conversion(&v, target, allow_user);
        }
        if let (TyKind::Class(_), [one]) = (self.kind(target.ty), items)
            && !matches!(one.kind, ast::ExprKind::InitList(_) | ast::ExprKind::Designated { .. })
            && let Ok(CallArg::Value(v)) = self.attempt(|c| c.check_operand_arg(one))
            && v.ty() == target.ty
        {
            return Some(Ics::exact());
        }
        // Each level of braces is tried before it is carried out; deeper ones than this are not.
        if self.list_depth > 8 || (!allow_user && matches!(self.kind(target.ty), TyKind::Class(_))) {
            return None;
        }
        self.unevaluated += 1;
        self.list_depth += 1;
        let result = self.attempt(|c| c.init_from_list(target, items, span));
        self.list_depth -= 1;
        self.unevaluated -= 1;
        result.ok()?;
        Some(Ics::of(match self.kind(target.ty) {
            TyKind::Class(_) => Rank::User,
            _ => Rank::Conversion,
        }))
    }

    pub fn value_conversion(&mut self, v: &Value, to: QualTy, allow_user: bool) -> Option<Ics> {
        if v.ty() == Ty::ERROR || to.is_error() {
            return Some(Ics::exact());
        }
        if let TyKind::Reference { referent, quals, space, is_rvalue } = *self.kind(to.ty) {
            return self.reference_conversion(v, referent, quals, space, is_rvalue, allow_user);
        }
        if allow_user && self.lambda_as_pointer(v, to.ty).is_some() {
            return Some(Ics::of(Rank::Conversion));
        }
        self.plain_conversion(v, to.ty, allow_user)
    }

    fn reference_conversion(
        &mut self,
        v: &Value,
        referent: Ty,
        quals: Quals,
        space: AddressSpace,
        is_rvalue_ref: bool,
        allow_user: bool,
    ) -> Option<Ics> {
        let depth = self.related(v.ty(), referent);
        let mut v_quals = v.quals;
        if v.space() == Some(AddressSpace::Constant) {
            v_quals.is_const = false;
        }
        let may_copy = (is_rvalue_ref || (quals.is_const && !quals.is_volatile)) && space == AddressSpace::Thread;
        if v.is_lvalue() && depth.is_some() && self.has_no_address(&v.expr) {
            // A copy is bound.
            return may_copy.then(|| Ics {
                quals: quals.without(v_quals),
                reference: Some(RefBinding { is_rvalue_ref, from_rvalue: false, copies: true }),
                ..Ics::exact()
            });
        }
        if let hir::Category::LValue(from) = v.expr.category
            && let Some(depth) = depth
        {
            let usable = if is_rvalue_ref { v.is_xvalue } else { true };
            if usable && from == space && quals.includes(v_quals) {
                return Some(Ics {
                    depth,
                    rank: if depth > 0 { Rank::Conversion } else { Rank::Exact },
                    quals: quals.without(v_quals),
                    reference: Some(RefBinding { is_rvalue_ref, from_rvalue: v.is_xvalue, copies: false }),
                    ..Ics::exact()
                });
            }
            // `const T &` means `const thread T &`: something elsewhere is copied.
            if !is_rvalue_ref && may_copy && from != space && !matches!(self.kind(referent), TyKind::Array { .. }) {
                return Some(Ics {
                    depth,
                    quals: quals.without(v_quals),
                    reference: Some(RefBinding { is_rvalue_ref, from_rvalue: false, copies: true }),
                    ..Ics::exact()
                });
            }
            return None;
        }
        if !may_copy {
            return None;
        }
        if let Some(depth) = depth {
            return Some(Ics {
                depth,
                rank: if depth > 0 { Rank::Conversion } else { Rank::Exact },
                quals,
                reference: Some(RefBinding { is_rvalue_ref, from_rvalue: true, copies: false }),
                ..Ics::exact()
            });
        }
        let mut ics = self.plain_conversion(v, referent, allow_user)?;
        ics.reference = Some(RefBinding { is_rvalue_ref, from_rvalue: true, copies: true });
        Some(ics)
    }

    /// The same type, or derived from it by some steps.
    fn related(&mut self, from: Ty, to: Ty) -> Option<u32> {
        if from == to {
            return Some(0);
        }
        // Qualifiers of an array are those of its elements: `T[2]` is there for a `const T (&)[2]`.
        if matches!((self.kind(from), self.kind(to)), (TyKind::Array { .. }, TyKind::Array { .. })) {
            return self.similar_pointers(from, to, true).then_some(0);
        }
        match (self.program.types.as_class(from), self.program.types.as_class(to)) {
            (Some(f), Some(t)) => self.derives_from(f, t),
            _ => None,
        }
    }

    fn plain_conversion(&mut self, v: &Value, to: Ty, allow_user: bool) -> Option<Ics> {
        let from = self.decayed_type(v.qual_ty()).ty;
        if let Some(depth) = self.related(from, to) {
            return Some(Ics { depth, rank: if depth > 0 { Rank::Conversion } else { Rank::Exact }, ..Ics::exact() });
        }
        if let Some(ics) = self.standard_conversion(from, to, v.is_null_constant()) {
            return Some(ics);
        }
        if !allow_user {
            return None;
        }
        let user = self.user_conversion(v, to, false)?;
        Some(Ics { rank: Rank::User, user: Some(user), ..Ics::exact() })
    }

    pub fn standard_conversion(&mut self, from: Ty, to: Ty, is_null: bool) -> Option<Ics> {
        use TyKind as K;
        if from == to {
            return Some(Ics::exact());
        }
        let ics = match (self.kind(from).clone(), self.kind(to).clone()) {
            (K::Error, _) | (_, K::Error) => Ics::exact(),
            (K::Scalar(f), K::Scalar(t)) => {
                let is_promotion =
                    promoted(f) == t || (t == Scalar::Float && matches!(f, Scalar::Half | Scalar::BFloat));
                Ics::of(if is_promotion { Rank::Promotion } else { Rank::Conversion })
            }
            (K::Enum(e), K::Scalar(t)) => {
                if self.program.enums[e].is_scoped {
                    return None;
                }
                let is_promotion = self.promoted_enum(e) == t;
                Ics::of(if is_promotion { Rank::Promotion } else { Rank::Conversion })
            }
            (K::Scalar(_), K::Vector(..)) => Ics::of(Rank::Splat),
            (K::Enum(e), K::Vector(..)) if !self.program.enums[e].is_scoped => Ics::of(Rank::Splat),
            (K::Scalar(_), K::PackedVector(..)) => Ics::of(Rank::Splat),
            (K::PackedVector(f, n), K::Vector(t, m)) | (K::Vector(f, n), K::PackedVector(t, m)) if f == t && n == m => {
                Ics::of(Rank::Promotion)
            }
            (K::NullPtr, K::Pointer { .. } | K::MemberPointer { .. }) => Ics::of(Rank::Conversion),
            (K::Scalar(s), K::Pointer { .. } | K::MemberPointer { .. }) if is_null && s.is_integer() => {
                Ics::of(Rank::Conversion)
            }
            (
                K::MemberPointer { class: fc, member: fm, quals: fq },
                K::MemberPointer { class: tc, member: tm, quals: tq },
            ) => {
                let is_function = matches!(self.kind(fm), K::Function { .. });
                if fm != tm || (is_function && fq != tq) || !tq.includes(fq) {
                    return None;
                }
                if fc != tc {
                    // What a base has, the derived class has.
                    self.complete_class(tc, Span::NONE);
                    self.path_to_base(tc, fc)?;
                    return Some(Ics::of(Rank::Conversion));
                }
                Ics { quals: tq.without(fq), ..Ics::exact() }
            }
            (K::Pointer { .. } | K::MemberPointer { .. } | K::NullPtr, K::Scalar(Scalar::Bool)) => {
                Ics { to_bool: true, ..Ics::of(Rank::Conversion) }
            }
            (K::Pointer { pointee: fp, quals: fq, space: fs }, K::Pointer { pointee: tp, quals: tq, space: ts }) => {
                if fs != ts || !tq.includes(fq) {
                    return None;
                }
                if fp == tp {
                    return Some(Ics { quals: tq.without(fq), ..Ics::exact() });
                }
                if tp == Ty::VOID {
                    return Some(Ics { quals: tq.without(fq), depth: 100, ..Ics::of(Rank::Conversion) });
                }
                if self.similar_pointers(fp, tp, tq.is_const) {
                    return Some(Ics { quals: tq.without(fq), ..Ics::exact() });
                }
                let depth = self.related(fp, tp)?;
                Ics { depth, quals: tq.without(fq), ..Ics::of(Rank::Conversion) }
            }
            _ => return None,
        };
        Some(ics)
    }

    /// `T **` to `const T *const *`: qualifiers may be added below when every level above is `const`; and `T (*)[N]`
    /// to `const T (*)[N]`.
    fn similar_pointers(&self, from: Ty, to: Ty, above_const: bool) -> bool {
        match (self.kind(from), self.kind(to)) {
            (
                TyKind::Pointer { pointee: fp, quals: fq, space: fs },
                TyKind::Pointer { pointee: tp, quals: tq, space: ts },
            ) => {
                fs == ts
                    && tq.includes(*fq)
                    && (fq == tq || above_const)
                    && (fp == tp || self.similar_pointers(*fp, *tp, above_const && tq.is_const))
            }
            (TyKind::Array { element: fe, quals: fq, len: fl }, TyKind::Array { element: te, quals: tq, len: tl }) => {
                tq.includes(*fq) && fl == tl && (fe == te || self.similar_pointers(*fe, *te, above_const))
            }
            _ => false,
        }
    }

    pub fn promoted_enum(&mut self, e: EnumId) -> Scalar {
        self.complete_enum(e);
        let underlying = self.program.enums[e].underlying;
        let info = &self.enum_infos[e.0 as usize];
        if underlying == Scalar::UInt
            && info.def.decl.underlying.is_none()
            && info.values.iter().all(|v| *v <= i32::MAX as u64)
        {
            return Scalar::Int;
        }
        promoted(underlying)
    }

    // ---- user-defined ----------------------------------------------------------------------

    /// A converting constructor of the target or a conversion function of the source.
    pub fn user_conversion(&mut self, v: &Value, to: Ty, allow_explicit: bool) -> Option<UserConversion> {
        let from_class = self.program.types.as_class(v.ty());
        let to_class = self.program.types.as_class(to);
        if from_class.is_none() && to_class.is_none() {
            return None;
        }
        if self.nesting > 200 {
            return None;
        }
        self.nesting += 1;
        let result = self.user_conversion_inner(v, from_class, to_class, to, allow_explicit);
        self.nesting -= 1;
        result
    }

    fn user_conversion_inner(
        &mut self,
        v: &Value,
        from_class: Option<ClassId>,
        to_class: Option<ClassId>,
        to: Ty,
        allow_explicit: bool,
    ) -> Option<UserConversion> {
        let mut best: Option<(UserConversion, bool)> = None;
        if let Some(class) = to_class {
            if !self.complete_class(class, v.expr.span) {
                return None;
            }
            let ctors: Vec<Rc<FnDef>> = self
                .constructors(class)
                .into_iter()
                .filter(|f| (allow_explicit || !f.decl.flags.is_explicit) && !f.decl.params.is_empty())
                .collect();
            if !ctors.is_empty() {
                let args = [CallArg::Value(v.clone())];
                let this = self.object_placeholder(class);
                if let Ok(chosen) = self.resolve_overload(&ctors, None, Some(&this), &args, false, v.expr.span) {
                    let second = chosen.ranks.first().map_or(Rank::Exact, |i| i.rank);
                    best = Some((
                        UserConversion { def: chosen.def, args: chosen.args, class: Some(class), second },
                        false,
                    ));
                }
            }
        }
        if let Some(class) = from_class {
            self.complete_class(class, v.expr.span);
            for e in self.lookup_in_class(class, NameKey::Conversion) {
                let Entity::Function(f) = e else { continue };
                if f.decl.flags.is_explicit && !allow_explicit {
                    continue;
                }
                let Some((args, second)) = self.conversion_function(&f, v, to) else { continue };
                let conversion = UserConversion { def: f.clone(), args, class: None, second };
                let is_template = f.is_template();
                let better = match &best {
                    None => true,
                    // The exact constructor wins over an inexact conversion function and the other way round.
                    Some((b, b_template)) => (second, is_template) < (b.second, *b_template),
                };
                if better {
                    best = Some((conversion, is_template));
                }
            }
        }
        best.map(|(c, _)| c)
    }

    /// Whether a conversion function serves: its template arguments and the rank of what follows it.
    fn conversion_function(&mut self, f: &Rc<FnDef>, v: &Value, to: Ty) -> Option<(Vec<Arg>, Rank)> {
        let space = self.method_space(f, v)?;
        let args = match &f.header {
            None => Vec::new(),
            Some(header) => {
                let mut d = crate::template::Deduction::new(&header.params, Vec::new());
                let scope = Scope::params(&f.scope, d.placeholders());
                let decl = f.decl.clone();
                self.deduce(&decl.ret, &scope, to.into(), &mut d).ok()?;
                self.finish_deduction(d, &f.scope).ok()?
            }
        };
        let signature = self.attempt(|c| c.signature(f, &args, Some(space))).ok()?;
        let ret = signature.ret?;
        let ret = self.program.types.strip_reference(ret).ty;
        let rank = match self.related(ret, to) {
            Some(0) => Rank::Exact,
            Some(_) => Rank::Conversion,
            None => self.standard_conversion(ret, to, false)?.rank,
        };
        Some((args, rank))
    }

    /// The address space of `this` a method would run with on this object; `None` when it cannot.
    pub fn method_space(&mut self, f: &FnDef, object: &Value) -> Option<AddressSpace> {
        let space = object.space().unwrap_or(AddressSpace::Thread);
        let quals = f.decl.this_quals;
        // Nothing in `constant` space can be written; a method that is declared for it knows that.
        let is_const = match space {
            AddressSpace::Constant => quals.address_space.is_none(),
            _ => object.quals.is_const,
        };
        if is_const && !quals.is_const {
            return None;
        }
        match quals.address_space.map(crate::resolve::address_space) {
            None => Some(space),
            Some(Some(s)) if s == space => Some(space),
            _ => None,
        }
    }

    // ---- carrying out --------------------------------------------------------------------

    /// Converts to a type or binds to a reference (then the result is a pointer). Reports when it cannot.
    pub fn convert(&mut self, v: Value, to: QualTy, span: Span) -> hir::Expr {
        if v.ty() == Ty::ERROR || to.is_error() {
            return error_expr(span);
        }
        match self.value_conversion(&v, to, true) {
            Some(ics) => self.apply(v, to, &ics, span),
            None => {
                self.report_conversion(&v, to, span);
                error_expr(span)
            }
        }
    }

    pub fn convert_arg(&mut self, arg: &CallArg<'_>, to: QualTy, span: Span) -> hir::Expr {
        if to.is_error() {
            return error_expr(span);
        }
        match arg {
            CallArg::Value(v) => self.convert(v.clone(), to, span),
            CallArg::Overloads(set) => {
                let target = self.program.types.strip_reference(to);
                match *self.kind(target.ty) {
                    TyKind::Pointer { pointee, .. } => match self.resolve_function_address(set, pointee) {
                        Some(v) => v.expr,
                        None => error_expr(span),
                    },
                    TyKind::MemberPointer { .. } => match self.resolve_method_address(set, target.ty) {
                        Some(v) => self.convert(v, to, span),
                        None => error_expr(span),
                    },
                    _ => {
                        let v = self.function_value(set);
                        self.convert(v, to, span)
                    }
                }
            }
            CallArg::List(items, list_span) => match *self.kind(to.ty) {
                TyKind::Reference { referent, quals, space, is_rvalue } => {
                    let referent_q = QualTy::from(referent);
                    let e = self.init_from_list(referent_q, items, *list_span);
                    if e.ty == Ty::ERROR {
                        return e;
                    }
                    if !(is_rvalue || quals.is_const) || space != AddressSpace::Thread {
                        self.error(
                            "temporary-to-reference",
                            *list_span,
                            "a non-const reference cannot bind to a temporary",
                        );
                        return error_expr(span);
                    }
                    self.address_of_temporary(e, quals)
                }
                _ => self.init_from_list(to, items, *list_span),
            },
        }
    }

    pub fn address_of_temporary(&mut self, e: hir::Expr, quals: Quals) -> hir::Expr {
        let (ty, span) = (e.ty, e.span);
        let temporary = hir::Expr {
            kind: ExprKind::Temporary(Box::new(e)),
            ty,
            category: hir::Category::LValue(AddressSpace::Thread),
            span,
        };
        let pointer = self.types().pointer(ty, quals, AddressSpace::Thread);
        rvalue_expr(ExprKind::AddressOf(Box::new(temporary)), pointer, span)
    }

    pub fn apply(&mut self, v: Value, to: QualTy, ics: &Ics, span: Span) -> hir::Expr {
        if v.ty() == Ty::ERROR || to.is_error() {
            return error_expr(span);
        }
        let TyKind::Reference { referent, quals, space, .. } = *self.kind(to.ty) else {
            if let Some(pointer) = self.lambda_as_pointer(&v, to.ty) {
                return pointer.expr;
            }
            return self.apply_plain(v, to.ty, ics, span);
        };
        let binding = ics.reference.unwrap_or(RefBinding { is_rvalue_ref: false, from_rvalue: true, copies: true });
        if v.is_lvalue() && !binding.copies && ics.user.is_none() {
            let base = match (self.program.types.as_class(v.ty()), self.program.types.as_class(referent)) {
                (Some(f), Some(t)) if f != t => {
                    self.check_base_access(f, t, span);
                    self.base_object(v, f, t)
                }
                _ => v,
            };
            let pointer = self.types().pointer(referent, quals, space);
            return self.address_of_lvalue(base.expr, pointer, span);
        }
        if let (Some(from), Some(to)) = (self.program.types.as_class(v.ty()), self.program.types.as_class(referent))
            && from != to
            && ics.user.is_none()
        {
            // The base of a temporary: what it is a part of is there as well.
            self.check_base_access(from, to, span);
            let object = self.copy_of(v, span);
            let address = self.address_of_temporary(object, quals);
            let whole = self.deref(address, span);
            let base = self.base_object(whole, from, to);
            let pointer = self.types().pointer(referent, quals, space);
            return self.address_of_lvalue(base.expr, pointer, span);
        }
        let e = match self.related(v.ty(), referent) {
            Some(_) => self.apply_plain(v, referent, &Ics::exact(), span),
            None => self.apply_plain(v, referent, ics, span),
        };
        self.address_of_temporary(e, quals)
    }

    /// `&` of an lvalue, undoing a dereference.
    pub fn address_of_lvalue(&mut self, e: hir::Expr, pointer: Ty, span: Span) -> hir::Expr {
        if let ExprKind::Deref(inner) = e.kind {
            if inner.ty == pointer {
                return *inner;
            }
            return rvalue_expr(ExprKind::Convert(Conversion::Pointer, inner), pointer, span);
        }
        rvalue_expr(ExprKind::AddressOf(Box::new(e)), pointer, span)
    }

    /// The base subobject of an object.
    pub fn base_object(&mut self, v: Value, from: ClassId, to: ClassId) -> Value {
        match self.path_to_base(from, to) {
            Some(path) => self.along_bases(v, &path),
            None => v,
        }
    }

    /// The base at the end of some steps.
    pub fn along_bases(&mut self, mut v: Value, path: &[(u32, ClassId)]) -> Value {
        for &(field, class) in path {
            let ty = self.class_type(class);
            let span = v.expr.span;
            let category = v.expr.category;
            v = Value {
                expr: hir::Expr { kind: ExprKind::Field { base: Box::new(v.expr), field }, ty, category, span },
                ..v
            };
        }
        v
    }

    fn apply_plain(&mut self, v: Value, to: Ty, ics: &Ics, span: Span) -> hir::Expr {
        if let Some(user) = &ics.user {
            return self.apply_user(v, to, user, span);
        }
        if let (Some(f), Some(t)) = (self.program.types.as_class(v.ty()), self.program.types.as_class(to)) {
            let base = if f == t { v } else { self.base_object(v, f, t) };
            return self.copy_of(base, span);
        }
        let e = self.rvalue(v);
        self.standard(e, to)
    }

    /// The value of an object of class type: by its copy constructor where the class has one.
    pub fn copy_of(&mut self, v: Value, span: Span) -> hir::Expr {
        if v.is_lvalue()
            && let Some(class) = self.program.types.as_class(v.ty())
        {
            self.complete_class(class, span);
            if self.user_copy_constructor(class) {
                return self.construct_class(class, &[CallArg::Value(v)], span, true);
            }
        }
        self.rvalue(v)
    }

    fn apply_user(&mut self, v: Value, to: Ty, user: &UserConversion, span: Span) -> hir::Expr {
        self.check_function_access(&user.def, span);
        match user.class {
            Some(class) => {
                let id = self.function_instance(&user.def, user.args.clone(), Some(AddressSpace::Thread), span);
                let args = self.bound_args(id, &[CallArg::Value(v)], span);
                self.mark_used(id);
                let ty = self.class_type(class);
                rvalue_expr(ExprKind::ConstructorCall { function: id, args }, ty, span)
            }
            None => {
                let result = self.call_method(&user.def, user.args.clone(), v, &[], span);
                if result.ty() == Ty::ERROR {
                    return result.expr;
                }
                let from = result.ty();
                let ics = match self.related(from, to) {
                    Some(_) => Some(Ics::exact()),
                    None => self.standard_conversion(from, to, false),
                };
                match ics {
                    Some(ics) => self.apply_plain(result, to, &ics, span),
                    None => error_expr(span),
                }
            }
        }
    }

    /// A standard conversion of a value.
    pub fn standard(&mut self, e: hir::Expr, to: Ty) -> hir::Expr {
        use TyKind as K;
        if e.ty == to || e.ty == Ty::ERROR {
            return e;
        }
        let span = e.span;
        match (self.kind(e.ty).clone(), self.kind(to).clone()) {
            (K::Scalar(_) | K::Enum(_), K::Scalar(t)) => self.convert_scalar(e, t),
            (K::Scalar(_) | K::Enum(_), K::Vector(t, _)) => {
                let e = self.convert_scalar(e, t);
                rvalue_expr(ExprKind::Convert(Conversion::Splat, Box::new(e)), to, span)
            }
            (K::Scalar(_), K::PackedVector(t, n)) => {
                let vector = self.types().vector(t, n);
                let e = self.standard(e, vector);
                rvalue_expr(ExprKind::Convert(Conversion::Packing, Box::new(e)), to, span)
            }
            (K::PackedVector(..), K::Vector(..)) | (K::Vector(..), K::PackedVector(..)) => {
                rvalue_expr(ExprKind::Convert(Conversion::Packing, Box::new(e)), to, span)
            }
            (K::NullPtr, K::Pointer { .. } | K::MemberPointer { .. }) => constant(0, to, span),
            (K::NullPtr, K::Scalar(_)) => constant(0, to, span),
            (K::Scalar(_), K::Pointer { .. } | K::MemberPointer { .. }) => constant(0, to, span),
            (K::MemberPointer { .. }, K::MemberPointer { .. }) => self.convert_member_pointer(e, to),
            (K::Pointer { .. } | K::MemberPointer { .. }, K::Scalar(Scalar::Bool)) => {
                rvalue_expr(ExprKind::Convert(Conversion::PointerToBool, Box::new(e)), to, span)
            }
            (K::Pointer { pointee: fp, .. }, K::Pointer { pointee: tp, .. }) => {
                let offset = match (self.program.types.as_class(fp), self.program.types.as_class(tp)) {
                    (Some(f), Some(t)) if f != t => self.base_offset(f, t).unwrap_or(0),
                    _ => 0,
                };
                let conversion =
                    if offset == 0 { Conversion::Pointer } else { Conversion::PointerAdjust(offset as i64) };
                rvalue_expr(ExprKind::Convert(conversion, Box::new(e)), to, span)
            }
            _ => {
                self.error("ice-conversion", span, "this conversion was promised and is not implemented");
                error_expr(span)
            }
        }
    }

    pub fn base_offset(&self, from: ClassId, to: ClassId) -> Option<u64> {
        let path = self.path_to_base(from, to)?;
        let mut at = from;
        let mut offset = 0;
        for (field, class) in path {
            offset += self.program.classes[at].fields[field as usize].offset;
            at = class;
        }
        Some(offset)
    }

    /// A scalar (or enumeration) value to a scalar type; literals are converted on the spot.
    pub fn convert_scalar(&mut self, e: hir::Expr, to: Scalar) -> hir::Expr {
        let target = Ty::scalar(to);
        let from = match *self.kind(e.ty) {
            TyKind::Scalar(s) => s,
            TyKind::Enum(id) => {
                self.complete_enum(id);
                self.program.enums[id].underlying
            }
            _ => return e,
        };
        if e.ty == target {
            return e;
        }
        if let ExprKind::Constant(bits) = e.kind {
            return constant(crate::constant::convert_scalar(bits, from, to), target, e.span);
        }
        let span = e.span;
        rvalue_expr(ExprKind::Convert(Conversion::Arithmetic, Box::new(e)), target, span)
    }

    // ---- messages ------------------------------------------------------------------------

    pub fn report_conversion(&mut self, v: &Value, to: QualTy, span: Span) {
        let reason = self.conversion_failure(v, to);
        let at = if v.expr.span.is_none() { span } else { v.expr.span };
        let mut d = Diagnostic::error("no-conversion", at, reason.0);
        if let Some(help) = reason.1 {
            d = d.help(help);
        }
        self.report(d);
    }

    /// Why there is no conversion, and what would help.
    pub fn conversion_failure(&mut self, v: &Value, to: QualTy) -> (String, Option<String>) {
        let from_name = self.type_name(QualTy { space: None, ..v.qual_ty() });
        let to_name = self.type_name(to);
        if let TyKind::Reference { referent, quals, space, is_rvalue } = *self.kind(to.ty) {
            if let Some(from) = v.space()
                && self.related(v.ty(), referent).is_some()
            {
                if v.is_lvalue() && self.has_no_address(&v.expr) {
                    let what =
                        if self.bits_of(&v.expr).is_some() { "a bit-field" } else { "several components of a vector" };
                    return (
                        format!("'{to_name}' does not bind to {what}"),
                        Some("work on a copy, and assign it afterwards".into()),
                    );
                }
                if from != space {
                    return (
                        format!("a '{}' object cannot bind to a reference to '{}'", from.name(), space.name()),
                        Some(format!("the reference would have to be declared '{} …&'", from.name())),
                    );
                }
                if !quals.includes(v.quals) {
                    return (format!("binding '{from_name}' to '{to_name}' would drop 'const'"), None);
                }
                if is_rvalue {
                    return (format!("'{to_name}' does not bind to a variable"), None);
                }
            }
            if !v.is_lvalue() && !quals.is_const && !is_rvalue {
                return (format!("'{to_name}' is not const and cannot bind to a temporary"), None);
            }
        }
        if let (
            TyKind::Pointer { pointee: fp, quals: fq, space: fs },
            TyKind::Pointer { pointee: tp, quals: tq, space: ts },
        ) = (self.kind(v.ty()).clone(), self.kind(to.ty).clone())
        {
            if fs != ts {
                return (
                    format!("'{from_name}' does not convert to '{to_name}': the address spaces differ"),
                    (fp == tp).then(|| format!("the pointer would have to be declared '{} …*'", fs.name())),
                );
            }
            if fp == tp && !tq.includes(fq) {
                return (format!("converting '{from_name}' to '{to_name}' would drop 'const'"), None);
            }
        }
        let help = match (self.kind(v.ty()), self.kind(to.ty)) {
            (TyKind::Vector(_, n), TyKind::Vector(_, m)) if n == m => {
                Some(format!("write the conversion: '{to_name}(…)'"))
            }
            (TyKind::Pointer { .. }, TyKind::Scalar(_)) => Some("did you mean to dereference it with '*'?".into()),
            (TyKind::Enum(_), TyKind::Scalar(_)) => Some(format!("write 'static_cast<{to_name}>(…)'")),
            _ => None,
        };
        (format!("'{from_name}' does not convert to '{to_name}'"), help)
    }
}

pub fn error_expr(span: Span) -> hir::Expr {
    rvalue_expr(ExprKind::Error, Ty::ERROR, span)
}

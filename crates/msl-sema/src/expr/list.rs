//! Lists in braces: of aggregates, arrays and vectors, with brace elision and designators.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use super::{Value, constant, rvalue_expr};
use crate::checker::Checker;
use crate::conversion::error_expr;
use crate::declare::NameKey;
use crate::entity::*;
use crate::hir::{self, ExprKind};
use crate::template::CallArg;
use crate::types::*;

/// One element of a list in braces, with the scope it is read in (packs have been expanded).
pub(super) struct Item<'e> {
    expr: &'e ast::Expr,
    scope: Rc<Scope>,
    checked: Option<CallArg<'e>>,
}

struct Cursor<'i, 'e> {
    items: &'i mut [Item<'e>],
    next: usize,
}
impl Checker<'_> {
    pub fn init_from_list(&mut self, to: QualTy, items: &[ast::Expr], span: Span) -> hir::Expr {
        if to.is_error() {
            return error_expr(span);
        }
        let Some(mut items) = self.expand_items(items) else { return error_expr(span) };
        self.nested(span, |_| error_expr(span), |c| c.init_list(to.ty, &mut items, span))
    }

    fn expand_items<'e>(&mut self, items: &'e [ast::Expr]) -> Option<Vec<Item<'e>>> {
        let mut out = Vec::new();
        for e in items {
            match &e.kind {
                ast::ExprKind::Pack(pattern) => {
                    let mut names = Vec::new();
                    crate::walk::names_in_expr(pattern, &mut names);
                    for scope in self.expansion_scopes(&names, e.span)? {
                        out.push(Item { expr: pattern, scope, checked: None });
                    }
                }
                _ => out.push(Item { expr: e, scope: self.scope.clone(), checked: None }),
            }
        }
        Some(out)
    }

    fn item_arg<'e>(&mut self, item: &mut Item<'e>) -> CallArg<'e> {
        if let Some(v) = &item.checked {
            return v.clone();
        }
        let scope = item.scope.clone();
        let e = item.expr;
        let v = self.in_scope(&scope, |c| c.check_operand_arg(e));
        item.checked = Some(v.clone());
        v
    }

    pub(super) fn init_list(&mut self, ty: Ty, items: &mut [Item<'_>], span: Span) -> hir::Expr {
        use TyKind as K;
        match self.kind(ty).clone() {
            K::Error => error_expr(span),
            K::Vector(s, n) | K::PackedVector(s, n) => self.init_vector(ty, s, n, items, span),
            K::Array { .. } => {
                if let [one] = items
                    && let Some(array) = self.array_of_text(ty, one.expr)
                {
                    return array;
                }
                let mut cursor = Cursor { items, next: 0 };
                let e = self.init_aggregate(ty, &mut cursor, true, span);
                self.check_all_used(&cursor, ty);
                e
            }
            K::Class(class) => self.init_class(class, ty, items, span),
            K::Void | K::Function { .. } | K::Reference { .. } => {
                let name = self.type_name(ty);
                self.error("invalid-initializer", span, format!("'{name}' cannot be initialised with a list"));
                error_expr(span)
            }
            K::Scalar(_) | K::Enum(_) | K::Pointer { .. } | K::MemberPointer { .. } | K::NullPtr => match items {
                [] => match self.kind(ty) {
                    K::Scalar(_) | K::Enum(_) => constant(0, ty, span),
                    _ => constant(0, ty, span),
                },
                [one] => {
                    let arg = self.item_arg(one);
                    if let CallArg::Value(v) = &arg {
                        self.check_narrowing(v, ty);
                        if self.is_number_of_enum(v.ty(), ty) {
                            return self.explicit_cast(v.clone(), ty.into(), span, false).expr;
                        }
                    }
                    self.convert_arg(&arg, ty.into(), arg.span())
                }
                [_, second, ..] => {
                    let at = second.expr.span;
                    let name = self.type_name(ty);
                    self.error("too-many-initializers", at, format!("'{name}' is initialised with one value"));
                    error_expr(span)
                }
            },
        }
    }

    /// `E{2}`, of an enumeration whose underlying type is fixed.
    fn is_number_of_enum(&self, from: Ty, to: Ty) -> bool {
        let TyKind::Enum(e) = *self.kind(to) else { return false };
        let decl = &self.enum_infos[e.0 as usize].def.decl;
        (decl.is_scoped || decl.underlying.is_some())
            && self.program.types.as_scalar(from).is_some_and(Scalar::is_integer)
            && self.list_depth == 0
    }

    fn check_narrowing(&mut self, v: &Value, to: Ty) {
        let (Some(from), Some(target)) = (self.program.types.as_scalar(v.ty()), self.program.types.as_scalar(to))
        else {
            return;
        };
        if from.is_float() && target.is_integer() && target != Scalar::Bool {
            let message = format!("'{}' loses its fraction as '{}' inside braces", from.name(), target.name());
            self.report(Diagnostic::warning("narrowing", v.expr.span, message));
        }
    }

    fn init_vector(&mut self, ty: Ty, s: Scalar, n: u8, items: &mut [Item<'_>], span: Span) -> hir::Expr {
        let args: Vec<CallArg<'_>> = items.iter_mut().map(|i| self.item_arg(i)).collect();
        if super::call::has_error(&args) {
            return error_expr(span);
        }
        if args.is_empty() {
            return rvalue_expr(ExprKind::Zero, ty, span);
        }
        let mut count = 0u32;
        for a in &args {
            count += match a {
                CallArg::Value(v) => self.program.types.as_any_vector(v.ty()).map_or(1, |(_, m)| u32::from(m)),
                _ => 1,
            };
        }
        let mut args = args;
        if count == 1 {
            // `float4 v = {1}` has one component set, the others are zero.
            let is_scalar = matches!(&args[0], CallArg::Value(v) if self.program.types.as_class(v.ty()).is_none());
            if is_scalar && n > 1 {
                for _ in 1..n {
                    args.push(CallArg::Value(Value::rvalue(constant(0, Ty::scalar(s), span))));
                }
            }
        } else {
            for _ in count..u32::from(n) {
                args.push(CallArg::Value(Value::rvalue(constant(0, Ty::scalar(s), span))));
            }
        }
        self.construct_vector(ty, &args, span).expr
    }

    fn init_class(&mut self, class: ClassId, ty: Ty, items: &mut [Item<'_>], span: Span) -> hir::Expr {
        if !self.require_complete(ty, span) {
            return error_expr(span);
        }
        let has_user = self.has_user_constructors(class);
        let is_designated =
            |e: &ast::Expr| matches!(e.kind, ast::ExprKind::Designated { .. } | ast::ExprKind::DesignatedIndex { .. });
        if let [one] = items
            && !is_designated(one.expr)
        {
            let arg = self.item_arg(one);
            if let CallArg::Value(v) = &arg
                && let Some(from) = self.program.types.as_class(v.ty())
                && self.derives_from(from, class).is_some()
            {
                return self.construct_class(class, &[arg], span, true);
            }
        }
        if has_user {
            let args: Vec<CallArg<'_>> = items.iter_mut().map(|i| self.item_arg(i)).collect();
            if let [CallArg::List(inner, at)] = &args[..] {
                // `S{{1, 2}}`: either a constructor taking an aggregate, or doubled braces.
                let list = CallArg::List(inner, *at);
                let ctors = self.constructors(class);
                let this = self.object_placeholder(class);
                if let Ok(chosen) =
                    self.resolve_overload(&ctors, None, Some(&this), std::slice::from_ref(&list), true, span)
                {
                    let id = self.function_instance(&chosen.def, chosen.args, Some(AddressSpace::Thread), span);
                    let exprs = self.bound_args(id, &[list], span);
                    self.mark_used(id);
                    return rvalue_expr(ExprKind::ConstructorCall { function: id, args: exprs }, ty, span);
                }
                return self.init_from_list(ty.into(), inner, *at);
            }
            return self.construct_class(class, &args, span, true);
        }
        if items.is_empty() && (self.is_trivially_default(ty) || !self.is_aggregate(class)) {
            return self.construct_class(class, &[], span, true);
        }
        self.check_fields_access(class, span);
        let mut cursor = Cursor { items, next: 0 };
        let e = self.init_aggregate(ty, &mut cursor, true, span);
        self.check_all_used(&cursor, ty);
        e
    }

    /// A list gives values to all members, so all of them have to be for everyone.
    fn check_fields_access(&mut self, class: ClassId, span: Span) {
        let info = &self.classes[class.0 as usize];
        if info.access.is_empty() {
            return;
        }
        let names: Vec<Symbol> = info.fields.iter().filter_map(|f| f.name).collect();
        for name in names {
            let errors = self.diags.error_count();
            self.check_access(class, NameKey::Name(name), span);
            if self.diags.error_count() > errors {
                return;
            }
        }
    }

    fn check_all_used(&mut self, cursor: &Cursor<'_, '_>, ty: Ty) {
        if let Some(extra) = cursor.items.get(cursor.next) {
            let name = self.type_name(ty);
            self.error("too-many-initializers", extra.expr.span, format!("'{name}' has fewer elements than the list"));
        }
    }

    fn init_aggregate(&mut self, ty: Ty, cursor: &mut Cursor<'_, '_>, braced: bool, span: Span) -> hir::Expr {
        match *self.kind(ty) {
            TyKind::Array { element, quals, len } => self.init_array(ty, element, quals, len, cursor, braced, span),
            TyKind::Class(class) => self.init_fields(ty, class, cursor, braced, span),
            _ => error_expr(span),
        }
    }

    fn init_array(
        &mut self,
        ty: Ty,
        element: Ty,
        quals: Quals,
        len: Option<u64>,
        cursor: &mut Cursor<'_, '_>,
        braced: bool,
        span: Span,
    ) -> hir::Expr {
        // Also what keeps one line of source from becoming gigabytes of elements.
        const LIMIT: u64 = 1 << 18;
        let mut elements: Vec<hir::Expr> = Vec::new();
        let mut at = 0u64;
        while cursor.next < cursor.items.len() {
            let item = &cursor.items[cursor.next];
            let e = item.expr;
            let (first, last, value) = match &e.kind {
                ast::ExprKind::DesignatedIndex { first, last, value } if braced => {
                    let scope = item.scope.clone();
                    let lo = self.in_scope(&scope, |c| c.constant_integer(first, "the index of a designator"));
                    let hi = match last {
                        Some(l) => self.in_scope(&scope, |c| c.constant_integer(l, "the index of a designator")),
                        None => lo,
                    };
                    match (lo, hi) {
                        (Some(lo), Some(hi)) if lo >= 0 && hi >= lo => (lo as u64, hi as u64, Some(&**value)),
                        _ => return error_expr(span),
                    }
                }
                _ => (at, at, None),
            };
            if len.is_some_and(|n| last >= n) || last >= LIMIT {
                if value.is_some() || last >= LIMIT {
                    self.error("index-out-of-bounds", e.span, "the array has no such element");
                    return error_expr(span);
                }
                break;
            }
            let init = match value {
                Some(v) => {
                    let scope = cursor.items[cursor.next].scope.clone();
                    cursor.next += 1;
                    let mut one = Item { expr: v, scope, checked: None };
                    let mut inner = Cursor { items: std::slice::from_mut(&mut one), next: 0 };
                    self.init_element(element, &mut inner)
                }
                None => self.init_element(element, cursor),
            };
            if init.ty == Ty::ERROR {
                return error_expr(span);
            }
            for i in first..=last {
                while (elements.len() as u64) <= i {
                    let filler = self.filler(element, span);
                    elements.push(filler);
                }
                elements[i as usize] = init.clone();
            }
            at = last + 1;
        }
        let ty = match len {
            Some(n) => {
                // Elements whose default is not zero bytes.
                if (elements.len() as u64) < n && !self.is_trivially_default(element) {
                    let rest = self.filler(element, span);
                    if rest.ty == Ty::ERROR {
                        return error_expr(span);
                    }
                    return rvalue_expr(ExprKind::FillArray(elements, Box::new(rest)), ty, span);
                }
                ty
            }
            None => self.types().array(element, quals, Some(elements.len() as u64)),
        };
        rvalue_expr(ExprKind::ConstructArray(elements), ty, span)
    }

    /// What an element or member that a list leaves out gets: as from `{}`.
    fn filler(&mut self, element: Ty, span: Span) -> hir::Expr {
        if self.is_trivially_default(element) {
            return rvalue_expr(ExprKind::Zero, element, span);
        }
        self.init_list(element, &mut [], span)
    }

    fn init_fields(
        &mut self,
        ty: Ty,
        class: ClassId,
        cursor: &mut Cursor<'_, '_>,
        braced: bool,
        span: Span,
    ) -> hir::Expr {
        if !self.require_complete(ty, span) {
            return error_expr(span);
        }
        let infos = self.classes[class.0 as usize].fields.clone();
        let is_union = self.program.classes[class].is_union;
        let mut values: Vec<Option<hir::Expr>> = vec![None; infos.len()];
        let mut at = 0usize;
        while cursor.next < cursor.items.len() {
            let item = &cursor.items[cursor.next];
            if let ast::ExprKind::Designated { field, value } = &item.expr.kind {
                if !braced {
                    break;
                }
                let members = self.lookup_in_class(class, NameKey::Name(*field));
                let Some(Entity::Field(owner, path)) = members.first() else {
                    let message = format!("'{}' has no member '{field}'", self.class_name(class));
                    self.error("unknown-member", item.expr.span, message);
                    return error_expr(span);
                };
                let is_of_base = infos[path[0] as usize].is_base;
                if *owner != class || is_of_base {
                    let message = format!("'{field}' is a member of a base, which no designator reaches");
                    let d = Diagnostic::error("unknown-member", item.expr.span, message);
                    self.report(d.help("give the base a list of its own in front: '{{1}, .x = 2}'"));
                    return error_expr(span);
                }
                at = path[0] as usize;
                if path.len() > 1 {
                    // Members of a member without a name: it gets those that follow in a row.
                    let inner = self.init_anonymous(class, at, infos[at].ty.ty, cursor, span);
                    values[at] = Some(inner);
                    at += 1;
                    continue;
                }
                let scope = item.scope.clone();
                let value = &**value;
                cursor.next += 1;
                let mut one = Item { expr: value, scope, checked: None };
                let mut inner = Cursor { items: std::slice::from_mut(&mut one), next: 0 };
                let e = self.init_member(&infos[at], &mut inner);
                values[at] = Some(e);
                at += 1;
                continue;
            }
            if at >= infos.len() || (is_union && at > 0) {
                break;
            }
            let e = self.init_member(&infos[at], cursor);
            values[at] = Some(e);
            at += 1;
        }
        if values.iter().flatten().any(|e| e.ty == Ty::ERROR) {
            return error_expr(span);
        }
        if !(is_union && values.iter().any(Option::is_some)) {
            for (i, info) in infos.iter().enumerate() {
                if values[i].is_some() {
                    continue;
                }
                if let Some(decl) = &info.decl
                    && let Some(init) = &decl.init
                {
                    if self.reads_members(class, init) {
                        // It needs the object: made first, then its members one after the other.
                        return self.init_in_place(ty, class, &infos, values, span);
                    }
                    let scope = self.classes[class.0 as usize].scope.clone();
                    let e = self.in_scope(&scope, |c| c.check_initializer(info.ty, init, span));
                    values[i] = Some(e);
                } else if self.program.types.is_reference(info.ty.ty) {
                    let message =
                        format!("the reference member '{}' is not initialised", info.name.map_or("", Symbol::as_str));
                    self.error("uninitialized-reference", span, message);
                    return error_expr(span);
                } else {
                    // Those that are not named are zero.
                    values[i] = (!self.is_trivially_default(info.ty.ty)).then(|| self.filler(info.ty.ty, span));
                }
            }
        }
        let fields = values.into_iter().enumerate().filter_map(|(i, e)| Some((i as u32, e?))).collect();
        rvalue_expr(ExprKind::ConstructClass { fields }, ty, span)
    }

    /// A member without a name from the designators of its members that stand in a row.
    fn init_anonymous(
        &mut self,
        class: ClassId,
        field: usize,
        ty: Ty,
        cursor: &mut Cursor<'_, '_>,
        span: Span,
    ) -> hir::Expr {
        let first = cursor.next;
        while let Some(item) = cursor.items.get(cursor.next) {
            let ast::ExprKind::Designated { field: name, .. } = &item.expr.kind else { break };
            let members = self.lookup_in_class(class, NameKey::Name(*name));
            let Some(Entity::Field(owner, path)) = members.first() else { break };
            if *owner != class || path[0] as usize != field {
                break;
            }
            cursor.next += 1;
        }
        let mut inner = Cursor { items: &mut cursor.items[first..cursor.next], next: 0 };
        let e = self.init_aggregate(ty, &mut inner, true, span);
        self.check_all_used(&inner, ty);
        e
    }

    fn reads_members(&mut self, class: ClassId, init: &ast::Initializer) -> bool {
        let mut names = Vec::new();
        crate::walk::names_in_initializer(init, &mut names);
        names.into_iter().any(|n| {
            n == Symbol::new("this")
                || self.lookup_in_class(class, NameKey::Name(n)).iter().any(|e| match e {
                    Entity::Field(..) => true,
                    Entity::Function(f) => f.is_method(),
                    _ => false,
                })
        })
    }

    /// An aggregate whose members' own initialisers read other members.
    fn init_in_place(
        &mut self,
        ty: Ty,
        class: ClassId,
        infos: &[FieldInfo],
        values: Vec<Option<hir::Expr>>,
        span: Span,
    ) -> hir::Expr {
        let missing: Vec<usize> = (0..infos.len()).filter(|i| values[*i].is_none()).collect();
        let fields = values.into_iter().enumerate().filter_map(|(i, e)| Some((i as u32, e?))).collect();
        let mut stmts = Vec::new();
        let object =
            self.hidden_local("aggregate", rvalue_expr(ExprKind::ConstructClass { fields }, ty, span), &mut stmts);
        let pointer = self.types().pointer(ty, Quals::NONE, AddressSpace::Thread);
        let this = Value::rvalue(rvalue_expr(ExprKind::AddressOf(Box::new(object.expr.clone())), pointer, span));
        let scope = Scope::block(&self.classes[class.0 as usize].scope.clone());
        scope.declare(Symbol::new("this"), Entity::Bound(Rc::new(this)));
        for i in missing {
            let info = &infos[i];
            let value = match info.decl.as_ref().and_then(|d| d.init.as_ref()) {
                Some(init) => Some(self.in_scope(&scope, |c| c.check_initializer(info.ty, init, span))),
                None => self.default_init(info.ty.ty, span),
            };
            let Some(value) = value else { continue };
            if value.ty == Ty::ERROR {
                return error_expr(span);
            }
            let stored = self.storage_type(info.ty);
            let category = object.expr.category;
            let kind = ExprKind::Field { base: Box::new(object.expr.clone()), field: i as u32 };
            let target = hir::Expr { kind, ty: stored, category, span };
            let kind = ExprKind::Assign { left: Box::new(target), right: Box::new(value) };
            stmts.push(hir::Stmt { kind: hir::StmtKind::Expr(hir::Expr { kind, ty: stored, category, span }), span });
        }
        let made = self.rvalue(object);
        rvalue_expr(ExprKind::Block(stmts, Some(Box::new(made))), ty, span)
    }

    fn init_member(&mut self, info: &FieldInfo, cursor: &mut Cursor<'_, '_>) -> hir::Expr {
        if self.program.types.is_reference(info.ty.ty) {
            let item = &mut cursor.items[cursor.next];
            let arg = self.item_arg(item);
            cursor.next += 1;
            return self.convert_arg(&arg, info.ty, arg.span());
        }
        self.init_element(info.ty.ty, cursor)
    }

    /// An array of characters from a literal: its characters and a zero.
    pub(super) fn array_of_text(&mut self, ty: Ty, e: &ast::Expr) -> Option<hir::Expr> {
        let TyKind::Array { element, quals, len } = *self.kind(ty) else { return None };
        if !matches!(self.kind(element), TyKind::Scalar(Scalar::Char | Scalar::UChar)) {
            return None;
        }
        let ast::ExprKind::String(text) = super::strip_parens(e).kind else { return None };
        let bytes = text.as_str().as_bytes();
        let needed = bytes.len() as u64 + 1;
        if len.is_some_and(|n| n < needed) {
            let name = self.type_name(ty);
            let message =
                format!("'{name}' is too short for this text, which needs {needed} elements with the zero at its end");
            self.error("too-many-initializers", e.span, message);
            return Some(error_expr(e.span));
        }
        let elements = bytes.iter().chain(&[0]).map(|b| constant(u64::from(*b), element, e.span)).collect();
        let ty = self.types().array(element, quals, Some(len.unwrap_or(needed)));
        Some(rvalue_expr(ExprKind::ConstructArray(elements), ty, e.span))
    }

    /// One element of an aggregate: a nested list, a value that converts, or (braces left out) several items.
    fn init_element(&mut self, ty: Ty, cursor: &mut Cursor<'_, '_>) -> hir::Expr {
        let item = &mut cursor.items[cursor.next];
        let span = item.expr.span;
        if let ast::ExprKind::InitList(inner) = &item.expr.kind {
            let scope = item.scope.clone();
            cursor.next += 1;
            return self.in_scope(&scope, |c| c.init_from_list(ty.into(), inner, span));
        }
        if let Some(array) = self.array_of_text(ty, item.expr) {
            cursor.next += 1;
            return array;
        }
        let nested_aggregate = match *self.kind(ty) {
            TyKind::Array { .. } => true,
            TyKind::Class(c) => self.complete_class(c, span) && self.is_aggregate(c),
            _ => false,
        };
        let arg = self.item_arg(item);
        if nested_aggregate {
            let converts = !matches!(self.kind(ty), TyKind::Array { .. })
                && self.implicit_conversion(&arg, ty.into(), true).is_some();
            if !converts {
                // Something that is an array already has no braces to leave out.
                if let CallArg::Value(v) = &arg
                    && v.ty() == ty
                    && !v.is_lvalue()
                {
                    cursor.next += 1;
                    return v.expr.clone();
                }
                return self.nested(span, |_| error_expr(span), |c| c.init_aggregate(ty, cursor, false, span));
            }
        }
        cursor.next += 1;
        if let CallArg::Value(v) = &arg {
            self.check_narrowing(v, ty);
        }
        self.convert_arg(&arg, ty.into(), span)
    }
}

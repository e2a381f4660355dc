//! Initialisation: of classes by constructors, of aggregates and arrays by lists (with brace elision and designators),
//! by default, and with deduced class template arguments.

use std::rc::Rc;
use std::sync::Arc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use super::{Value, constant, rvalue_expr};
use crate::checker::Checker;
use crate::conversion::error_expr;
use crate::declare::NameKey;
use crate::entity::*;
use crate::hir::{self, ExprKind, FunctionId, LocalId};
use crate::template::CallArg;
use crate::types::*;

/// One element of a list in braces, with the scope it is read in (packs have been expanded).
struct Item<'e> {
    expr: &'e ast::Expr,
    scope: Rc<Scope>,
    checked: Option<CallArg<'e>>,
}

struct Cursor<'i, 'e> {
    items: &'i mut [Item<'e>],
    next: usize,
}

impl Checker<'_> {
    // ---- classes ---------------------------------------------------------------------------

    /// A class value from constructor arguments.
    pub fn construct_class(
        &mut self,
        class: ClassId,
        args: &[CallArg<'_>],
        span: Span,
        allow_explicit: bool,
    ) -> hir::Expr {
        let ty = self.class_type(class);
        if super::call::has_error(args) || !self.require_complete(ty, span) {
            return error_expr(span);
        }
        if let [CallArg::List(items, at)] = args {
            return self.init_from_list(ty.into(), items, *at);
        }
        if let [CallArg::Value(v)] = args
            && let Some(from) = self.program.types.as_class(v.ty())
            && self.derives_from(from, class).is_some()
            && (!v.is_lvalue() && from == class || !self.user_copy_constructor(class))
        {
            let base = self.base_object(v.clone(), from, class);
            return self.rvalue(base);
        }
        let has_user = self.has_user_constructors(class);
        if args.is_empty() && !self.has_user_default(class) {
            if self.is_trivially_default(ty) {
                return rvalue_expr(ExprKind::Zero, ty, span);
            }
            if !has_user && self.is_aggregate(class) {
                // Members without an initialiser are zero, which they are not in `T x;`.
                return self.init_list(ty, &mut [], span);
            }
            if !has_user || self.has_defaulted_default(class) {
                let id = self.implicit_default(class, span);
                return rvalue_expr(ExprKind::ConstructorCall { function: id, args: Vec::new() }, ty, span);
            }
        }
        let mut ctors = self.constructors(class);
        if !allow_explicit {
            ctors.retain(|f| !f.decl.flags.is_explicit);
        }
        let this = self.object_placeholder(class);
        if has_user && !ctors.is_empty() {
            match self.resolve_overload(&ctors, None, Some(&this), args, true, span) {
                Ok(chosen) if matches!(chosen.def.decl.body, ast::FunctionBody::Defaulted) => match args {
                    [CallArg::Value(v)] => return self.rvalue(v.clone()),
                    _ => return rvalue_expr(ExprKind::Zero, ty, span),
                },
                Ok(chosen) => {
                    let id = self.function_instance(&chosen.def, chosen.args, Some(AddressSpace::Thread), span);
                    let exprs = self.bound_args(id, args, span);
                    self.mark_used(id);
                    if exprs.iter().any(|e| e.ty == Ty::ERROR) {
                        return error_expr(span);
                    }
                    return rvalue_expr(ExprKind::ConstructorCall { function: id, args: exprs }, ty, span);
                }
                Err(e) => {
                    if let [CallArg::Value(v)] = args
                        && let Some(done) = self.by_conversion_function(v, ty, span)
                    {
                        return done;
                    }
                    let name = self.class_name(class);
                    self.report_overload(e, &name, args, span);
                    return error_expr(span);
                }
            }
        }
        if let [CallArg::Value(v)] = args
            && let Some(done) = self.by_conversion_function(v, ty, span)
        {
            return done;
        }
        let name = self.class_name(class);
        let at = self.classes[class.0 as usize].decl.name.as_ref().map_or(Span::NONE, |n| n.span);
        let mut d =
            Diagnostic::error("no-constructor", span, format!("'{name}' has no constructor for these arguments"))
                .note_at(at, "the type is declared here");
        if self.is_aggregate(class) && !args.is_empty() {
            d = d.help("initialise its members with braces: '{…}'");
        }
        self.report(d);
        error_expr(span)
    }

    fn by_conversion_function(&mut self, v: &Value, ty: Ty, span: Span) -> Option<hir::Expr> {
        self.program.types.as_class(v.ty())?;
        let user = self.user_conversion(v, ty, true)?;
        if user.class.is_some() {
            return None;
        }
        let ics = crate::conversion::Ics { user: Some(user), ..crate::conversion::Ics::exact() };
        Some(self.apply(v.clone(), ty.into(), &ics, span))
    }

    /// A constructor with a body that can be called without arguments.
    pub fn has_user_default(&self, class: ClassId) -> bool {
        self.constructors(class).iter().any(|f| {
            !matches!(f.decl.body, ast::FunctionBody::Defaulted)
                && f.decl.params.iter().all(|p| {
                    p.default.is_some()
                        || p.is_pack
                        || matches!(p.ty.kind, ast::TypeExprKind::Pack(_))
                        || (p.name.is_none() && matches!(p.ty.kind, ast::TypeExprKind::Builtin(ast::BuiltinType::Void)))
                })
        })
    }

    pub fn has_defaulted_default(&self, class: ClassId) -> bool {
        self.constructors(class)
            .iter()
            .any(|f| matches!(f.decl.body, ast::FunctionBody::Defaulted) && f.decl.params.is_empty())
    }

    /// What `T x;` does: `None` leaves the object uninitialised.
    pub fn default_init(&mut self, ty: Ty, span: Span) -> Option<hir::Expr> {
        match *self.kind(ty) {
            TyKind::Class(c) => {
                if !self.require_complete(ty, span) {
                    return Some(error_expr(span));
                }
                if !self.has_user_default(c)
                    && (!self.has_user_constructors(c) || self.has_defaulted_default(c))
                    && self.is_trivially_default(ty)
                {
                    return None;
                }
                if !self.has_user_default(c) && !self.has_user_constructors(c) {
                    let id = self.implicit_default(c, span);
                    return Some(rvalue_expr(ExprKind::ConstructorCall { function: id, args: Vec::new() }, ty, span));
                }
                Some(self.construct_class(c, &[], span, true))
            }
            TyKind::Array { element, len, .. } => {
                let e = self.default_init(element, span)?;
                let n = len.unwrap_or(0).min(1 << 16) as usize;
                Some(rvalue_expr(ExprKind::ConstructArray(vec![e; n]), ty, span))
            }
            _ => None,
        }
    }

    /// The default constructor nobody wrote: runs the initialisers of members.
    pub fn implicit_default(&mut self, class: ClassId, span: Span) -> FunctionId {
        if let Some(id) = self.classes[class.0 as usize].implicit_default {
            // The first use may have been in code that is not generated.
            self.mark_used(id);
            return id;
        }
        let decl = self.classes[class.0 as usize].decl.clone();
        let scope = self.classes[class.0 as usize].scope.clone();
        let at = decl.span;
        let function = ast::FunctionDecl {
            name: ast::Name { is_global: false, segments: Vec::new(), span: at },
            kind: ast::FunctionKind::Constructor,
            stage: ast::StageKeyword::None,
            flags: ast::DeclFlags { is_constexpr: true, ..Default::default() },
            templates: Vec::new(),
            attributes: Vec::new(),
            ret: ast::TypeExpr { kind: ast::TypeExprKind::Builtin(ast::BuiltinType::Void), span: at },
            params: Vec::new(),
            is_variadic: false,
            this_quals: ast::Qualifiers::default(),
            body: ast::FunctionBody::Block {
                initializers: Vec::new(),
                body: Box::new(ast::Stmt { kind: ast::StmtKind::Compound(Vec::new()), span: at }),
            },
            fp_pragma: Vec::new(),
            span: at,
        };
        let def = self.make_fn_def(NameKey::Constructor, Arc::new(function), scope, Some(class), false);
        let id = self.function_instance(&def, Vec::new(), Some(AddressSpace::Thread), span);
        self.classes[class.0 as usize].implicit_default = Some(id);
        self.mark_used(id);
        id
    }

    // ---- lists -----------------------------------------------------------------------------

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

    fn init_list(&mut self, ty: Ty, items: &mut [Item<'_>], span: Span) -> hir::Expr {
        use TyKind as K;
        match self.kind(ty).clone() {
            K::Error => error_expr(span),
            K::Vector(s, n) | K::PackedVector(s, n) => self.init_vector(ty, s, n, items, span),
            K::Array { .. } => {
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
            K::Scalar(_) | K::Enum(_) | K::Pointer { .. } | K::NullPtr => match items {
                [] => match self.kind(ty) {
                    K::Scalar(_) | K::Enum(_) => constant(0, ty, span),
                    _ => constant(0, ty, span),
                },
                [one] => {
                    let arg = self.item_arg(one);
                    if let CallArg::Value(v) = &arg {
                        self.check_narrowing(v, ty);
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
        let mut cursor = Cursor { items, next: 0 };
        let e = self.init_aggregate(ty, &mut cursor, true, span);
        self.check_all_used(&cursor, ty);
        e
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
                if !self.is_trivially_default(element) && n <= LIMIT {
                    while (elements.len() as u64) < n {
                        let filler = self.filler(element, span);
                        elements.push(filler);
                    }
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
                if *owner != class || path.len() != 1 {
                    self.error(
                        "unsupported-designator",
                        item.expr.span,
                        "designators of members of anonymous members or bases are not supported",
                    );
                    return error_expr(span);
                }
                at = path[0] as usize;
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

    /// One element of an aggregate: a nested list, a value that converts, or (braces left out) several items.
    fn init_element(&mut self, ty: Ty, cursor: &mut Cursor<'_, '_>) -> hir::Expr {
        let item = &mut cursor.items[cursor.next];
        let span = item.expr.span;
        if let ast::ExprKind::InitList(inner) = &item.expr.kind {
            let scope = item.scope.clone();
            cursor.next += 1;
            return self.in_scope(&scope, |c| c.init_from_list(ty.into(), inner, span));
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

    // ---- initialisers of declarations ------------------------------------------------------

    /// The value of an initialiser; a pointer where the declared type is a reference.
    pub fn check_initializer(&mut self, ty: QualTy, init: &ast::Initializer, span: Span) -> hir::Expr {
        match init {
            ast::Initializer::Copy(e) => {
                let arg = self.check_operand_arg(e);
                if let (TyKind::Array { .. }, CallArg::Value(v)) = (self.kind(ty.ty), &arg) {
                    if v.ty() == ty.ty && !v.is_lvalue() {
                        return v.expr.clone();
                    }
                    if !v.is_error() {
                        self.error("invalid-initializer", e.span, "an array is initialised with a list in braces");
                    }
                    return error_expr(span);
                }
                self.convert_arg(&arg, ty, e.span)
            }
            ast::Initializer::Paren(args, at) => {
                let values = self.check_args(args);
                if self.program.types.is_reference(ty.ty) {
                    return match &values[..] {
                        [one] => self.convert_arg(one, ty, *at),
                        _ => {
                            self.error("invalid-initializer", *at, "a reference is bound to one object");
                            error_expr(span)
                        }
                    };
                }
                match (self.kind(ty.ty), &values[..]) {
                    (TyKind::Class(_) | TyKind::Vector(..) | TyKind::PackedVector(..), _) | (_, []) => {
                        self.construct(ty, &values, span).expr
                    }
                    (_, [one]) => self.convert_arg(one, ty, *at),
                    _ => self.construct(ty, &values, span).expr,
                }
            }
            ast::Initializer::Brace(items, at) => {
                if self.program.types.is_reference(ty.ty) {
                    return match &items[..] {
                        [one] if !matches!(one.kind, ast::ExprKind::InitList(_)) => self.check_expr_converted(one, ty),
                        _ => self.convert_arg(&CallArg::List(items, *at), ty, *at),
                    };
                }
                self.init_from_list(ty, items, *at)
            }
        }
    }

    // ---- class template argument deduction -------------------------------------------------

    /// The class template that a written type without arguments names.
    pub fn deducible_class(&mut self, ty: &ast::TypeExpr) -> Option<Rc<ClassDef>> {
        let inner = match &ty.kind {
            ast::TypeExprKind::Qualified { inner, .. } => inner,
            _ => ty,
        };
        let ast::TypeExprKind::Named { name, .. } = &inner.kind else { return None };
        if name.segments.last()?.template_args.is_some() {
            return None;
        }
        let found = self.attempt(|c| c.lookup(name)).ok()?;
        match found.entities.first() {
            Some(Entity::Class(def)) if def.header.is_some() => Some(def.clone()),
            _ => None,
        }
    }

    pub fn construct_deduced(&mut self, def: &Rc<ClassDef>, args: &[CallArg<'_>], span: Span) -> Value {
        if super::call::has_error(args) {
            return Value::error(span);
        }
        match self.deduce_class_type(def, args, span) {
            Some(ty) => {
                let Some(class) = self.program.types.as_class(ty) else { return Value::error(span) };
                self.complete_class(class, span);
                if self.is_aggregate(class) {
                    return Value::rvalue(self.aggregate_from_args(class, args, span));
                }
                self.construct(ty.into(), args, span)
            }
            None => Value::error(span),
        }
    }

    fn aggregate_from_args(&mut self, class: ClassId, args: &[CallArg<'_>], span: Span) -> hir::Expr {
        let ty = self.class_type(class);
        if let [CallArg::Value(v)] = args
            && v.ty() == ty
        {
            return self.rvalue(v.clone());
        }
        let infos = self.classes[class.0 as usize].fields.clone();
        // One array member takes all arguments.
        if let [only] = &infos[..]
            && let TyKind::Array { element, .. } = *self.kind(only.ty.ty)
        {
            let items = args.iter().map(|a| self.convert_arg(a, element.into(), a.span())).collect();
            let array = rvalue_expr(ExprKind::ConstructArray(items), only.ty.ty, span);
            return rvalue_expr(ExprKind::ConstructClass { fields: vec![(0, array)] }, ty, span);
        }
        let mut fields = Vec::new();
        for (i, (info, a)) in infos.iter().zip(args).enumerate() {
            fields.push((i as u32, self.convert_arg(a, info.ty, a.span())));
        }
        rvalue_expr(ExprKind::ConstructClass { fields }, ty, span)
    }

    /// The instance that constructor arguments ask for: by deduction guides, constructors, copying.
    pub fn deduce_class_type(&mut self, def: &Rc<ClassDef>, args: &[CallArg<'_>], span: Span) -> Option<Ty> {
        for (ns, guide) in self.layer.deduction_guides(def.name) {
            let scope = self.ns_scope(ns);
            let f = self.make_fn_def(NameKey::Name(def.name), guide, scope, None, true);
            if let Ok(chosen) = self.resolve_overload(&[f], None, None, args, true, span)
                && let Some(ret) = chosen.signature.ret
            {
                return Some(ret.ty);
            }
        }
        if let [CallArg::Value(v)] = args
            && let Some(c) = self.program.types.as_class(v.ty())
            && Rc::ptr_eq(&self.classes[c.0 as usize].def, def)
        {
            return Some(v.ty());
        }
        let header = def.header.clone()?;
        let mut failures = Vec::new();
        for member in def.decl.members.iter().flatten() {
            let (params, own) = match &member.kind {
                ast::DeclKind::Function(f) if f.kind == ast::FunctionKind::Constructor => (&**f, f.templates.last()),
                _ => continue,
            };
            let mut f = params.clone();
            let mut all = header.clone();
            if let Some(own) = own {
                all.params.extend(own.params.iter().cloned());
            }
            f.kind = ast::FunctionKind::Ordinary;
            f.templates = vec![all];
            f.ret = ast::TypeExpr { kind: ast::TypeExprKind::Builtin(ast::BuiltinType::Void), span: f.span };
            let f = self.make_fn_def(NameKey::Name(def.name), Arc::new(f), def.scope.clone(), None, true);
            match self.resolve_overload(&[f], None, None, args, true, span) {
                Ok(chosen) => {
                    let class_args = chosen.args[..header.params.len().min(chosen.args.len())].to_vec();
                    let class = self.class_instance(def, class_args, span);
                    return Some(self.class_type(class));
                }
                Err(crate::overload::OverloadError::NoneViable(list)) => failures.extend(list),
                Err(_) => {}
            }
        }
        // An aggregate: its members as parameters.
        let has_ctor = def
            .decl
            .members
            .iter()
            .flatten()
            .any(|m| matches!(&m.kind, ast::DeclKind::Function(f) if f.kind == ast::FunctionKind::Constructor));
        if !has_ctor {
            let mut d = crate::template::Deduction::new(&header.params, Vec::new());
            let scope = Scope::params(&def.scope, d.placeholders());
            let fields: Vec<Arc<ast::VariableDecl>> = def
                .decl
                .members
                .iter()
                .flatten()
                .filter_map(|m| match &m.kind {
                    ast::DeclKind::Variable(v) if !v.flags.is_static => Some(v.clone()),
                    _ => None,
                })
                .collect();
            let deduced = fields.iter().zip(args).try_for_each(|(f, a)| self.deduce_param(&f.ty, &scope, a, &mut d));
            if deduced.is_ok()
                && let Ok(found) = self.finish_deduction(d, &def.scope)
            {
                let class = self.class_instance(def, found, span);
                return Some(self.class_type(class));
            }
        }
        let mut d = Diagnostic::error(
            "cannot-deduce",
            span,
            format!("the template arguments of '{}' cannot be deduced from this", def.name),
        );
        for (f, reason, _) in failures.iter().take(4) {
            d = d.note_at(f.span(), format!("this constructor does not fit: {reason}"));
        }
        self.report(d);
        None
    }

    /// The parameter of a synthesised or written constructor or method that `this` is.
    pub fn this_local(&mut self, class: ClassId, quals: Quals, space: AddressSpace, span: Span) -> LocalId {
        let ty = self.class_type(class);
        let pointer = self.types().pointer(ty, quals, space);
        self.fcx.locals.push(hir::Local { name: Some(Symbol::new("this")), ty: pointer, align: 0, span })
    }
}

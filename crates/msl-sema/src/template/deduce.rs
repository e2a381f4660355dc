//! Template argument deduction: written parameter types against concrete argument types.
//!
//! Deduction binds what it can and skips what is not deducible; whether the arguments really convert to the
//! resulting parameter types is overload resolution's question.

use std::rc::Rc;

use msl_base::{Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::entity::*;
use crate::expr::{OverloadSet, Value};
use crate::resolve::bind_params;
use crate::types::*;

/// An argument of a call.
#[derive(Clone, Debug)]
pub enum CallArg<'e> {
    Value(Value),
    /// `{…}`
    List(&'e [ast::Expr], Span),
    Overloads(OverloadSet),
}

impl CallArg<'_> {
    pub fn span(&self) -> Span {
        match self {
            CallArg::Value(v) => v.expr.span,
            CallArg::List(_, span) => *span,
            CallArg::Overloads(o) => o.span,
        }
    }
}

/// `f<…>` as written, each with the scope it is read in.
pub type ExplicitArgs = Rc<Vec<(ast::TemplateArg, Rc<Scope>)>>;

/// What deduction knows so far.
pub struct Deduction {
    pub params: Vec<ast::TemplateParam>,
    pub slots: Vec<Option<Arg>>,
    /// Given explicitly: deduction does not contradict these.
    fixed: usize,
    /// Elements found for packs while one element of an expansion is matched.
    element: Option<Vec<Option<Arg>>>,
    /// Bound by `auto`.
    pub auto: Option<QualTy>,
}

impl Deduction {
    pub fn new(params: &[ast::TemplateParam], explicit: Vec<Arg>) -> Deduction {
        let fixed = explicit.len();
        let mut slots: Vec<Option<Arg>> = explicit.into_iter().map(Some).collect();
        slots.resize(params.len(), None);
        Deduction { params: params.to_vec(), slots, fixed, element: None, auto: None }
    }

    fn name(&self, i: usize) -> Symbol {
        self.params[i].name.unwrap_or_else(|| Symbol::new("(unnamed)"))
    }

    pub fn placeholders(&self) -> Vec<(Symbol, Binding)> {
        self.params.iter().enumerate().filter_map(|(i, p)| Some((p.name?, Binding::Placeholder(i)))).collect()
    }
}

type Deduced = Result<(), String>;

impl Checker<'_> {
    /// Template arguments for a call, or why there are none.
    pub fn deduce_call(
        &mut self,
        def: &Rc<FnDef>,
        explicit: Option<&ExplicitArgs>,
        args: &[CallArg<'_>],
    ) -> Result<Vec<Arg>, String> {
        let Some(header) = &def.header else { return Ok(Vec::new()) };
        let leading = self.explicit_leading(def, header, explicit)?;
        let mut d = Deduction::new(&header.params, leading);
        // An explicit pack may be extended by deduction; a trailing one is taken as given only where nothing follows.
        let scope = Scope::params(&def.scope, d.placeholders());
        let mut next = 0;
        let params = &def.decl.params;
        for (i, p) in params.iter().enumerate() {
            if p.is_pack || matches!(p.ty.kind, ast::TypeExprKind::Pack(_)) {
                let pattern = match &p.ty.kind {
                    ast::TypeExprKind::Pack(inner) => inner,
                    _ => &p.ty,
                };
                let after = params.len() - i - 1;
                let end = args.len().saturating_sub(after);
                let from = next.min(end);
                self.deduce_pack(pattern, &scope, &args[from..end.max(from)], &mut d)?;
                next = end.max(from);
                continue;
            }
            let Some(arg) = args.get(next) else { break };
            next += 1;
            self.deduce_param(&p.ty, &scope, arg, &mut d)?;
        }
        self.finish_deduction(d, &def.scope)
    }

    fn explicit_leading(
        &mut self,
        def: &Rc<FnDef>,
        header: &ast::TemplateHeader,
        explicit: Option<&ExplicitArgs>,
    ) -> Result<Vec<Arg>, String> {
        let Some(written) = explicit else { return Ok(Vec::new()) };
        match self.attempt(|c| c.resolve_leading_args(&header.params, written, &def.scope)) {
            Ok(Some(args)) => Ok(args),
            Ok(None) => Err("the template arguments do not fit".into()),
            Err(d) => Err(d.message),
        }
    }

    fn deduce_pack(
        &mut self,
        pattern: &ast::TypeExpr,
        scope: &Rc<Scope>,
        args: &[CallArg<'_>],
        d: &mut Deduction,
    ) -> Deduced {
        let mut names = Vec::new();
        crate::walk::names_in_type(pattern, &mut names);
        let packs: Vec<usize> = (0..d.params.len())
            .filter(|i| d.params[*i].is_pack && d.params[*i].name.is_some_and(|n| names.contains(&n)))
            .collect();
        let mut lists: Vec<Vec<Arg>> = vec![Vec::new(); packs.len()];
        for (k, arg) in args.iter().enumerate() {
            d.element = Some(vec![None; d.params.len()]);
            // Elements given explicitly stay.
            for (slot, p) in packs.iter().enumerate() {
                if *p < d.fixed
                    && let Some(Arg::Pack(given)) = &d.slots[*p]
                    && let Some(a) = given.get(k)
                {
                    lists[slot].push(a.clone());
                    if let Some(e) = &mut d.element {
                        e[*p] = Some(a.clone());
                    }
                }
            }
            self.deduce_param(pattern, scope, arg, d)?;
            let element = d.element.take().unwrap_or_default();
            for (slot, p) in packs.iter().enumerate() {
                if lists[slot].len() == k {
                    match &element[*p] {
                        Some(a) => lists[slot].push(a.clone()),
                        None => return Err(format!("cannot deduce '{}'", d.name(*p))),
                    }
                }
            }
        }
        for (slot, p) in packs.iter().enumerate() {
            let list = std::mem::take(&mut lists[slot]);
            match &d.slots[*p] {
                Some(Arg::Pack(given)) if given.len() >= list.len() => {}
                _ => d.slots[*p] = Some(Arg::Pack(list)),
            }
        }
        Ok(())
    }

    /// Defaults for what was not deduced.
    pub fn finish_deduction(&mut self, d: Deduction, scope: &Rc<Scope>) -> Result<Vec<Arg>, String> {
        let mut args: Vec<Arg> = Vec::new();
        for i in 0..d.params.len() {
            let arg = match &d.slots[i] {
                Some(a) => a.clone(),
                None if d.params[i].is_pack => Arg::Pack(Vec::new()),
                None => match self.attempt(|c| c.default_template_arg(&d.params, i, &args, scope)) {
                    Ok(Some(Some(a))) => a,
                    Ok(Some(None)) => return Err(format!("the default for '{}' is not valid", d.name(i))),
                    Ok(None) => return Err(format!("cannot deduce '{}'", d.name(i))),
                    Err(e) => return Err(e.message),
                },
            };
            // A value deduced from an array bound or vector length takes the parameter's type.
            let arg = self.retype_value_arg(&d.params, i, arg, &args, scope);
            args.push(arg);
        }
        Ok(args)
    }

    fn retype_value_arg(
        &mut self,
        params: &[ast::TemplateParam],
        i: usize,
        arg: Arg,
        before: &[Arg],
        scope: &Rc<Scope>,
    ) -> Arg {
        let ast::TemplateParamKind::Value { ty, .. } = &params[i].kind else { return arg };
        if crate::resolve::mentions_auto(ty) {
            return arg;
        }
        let Arg::Value { bits, ty: has } = arg else { return arg };
        let bound = Scope::params(scope, bind_params(params, before));
        let wanted = self.attempt(|c| c.in_scope(&bound, |c| c.resolve_type(ty))).map_or(has, |t| t.ty);
        match self.program.types.as_scalar(wanted) {
            Some(s) if wanted != has => Arg::Value { bits: crate::constant::truncate(bits, s), ty: wanted },
            _ => Arg::Value { bits, ty: has },
        }
    }

    /// One parameter of a call against its argument.
    pub fn deduce_param(
        &mut self,
        p: &ast::TypeExpr,
        scope: &Rc<Scope>,
        arg: &CallArg<'_>,
        d: &mut Deduction,
    ) -> Deduced {
        // Where nothing is left to deduce, the argument may convert.
        let mut names = Vec::new();
        crate::walk::names_in_type(p, &mut names);
        let is_open = |i: usize| i >= d.fixed || d.params[i].is_pack;
        if !(0..d.params.len()).any(|i| is_open(i) && d.params[i].name.is_some_and(|n| names.contains(&n))) {
            return Ok(());
        }
        let value = match arg {
            CallArg::Value(v) => v.clone(),
            CallArg::List(items, _) => return self.deduce_list(p, scope, items, d),
            CallArg::Overloads(set) => match self.sole_function(set) {
                Some(v) => v,
                None => return Ok(()),
            },
        };
        if value.ty() == Ty::ERROR {
            return Ok(());
        }
        let mut actual = value.qual_ty();
        if actual.space == Some(AddressSpace::Constant) {
            // Everything there is const; the space says it.
            actual.quals.is_const = false;
        }
        match &p.kind {
            ast::TypeExprKind::Array { element, .. } => {
                // A parameter of array type is a pointer.
                let decayed = self.decayed_type(actual);
                let TyKind::Pointer { pointee, quals, space } = *self.kind(decayed.ty) else {
                    return Err(format!("'{}' is not a pointer", self.type_name(decayed)));
                };
                self.deduce_pointee(element, scope, QualTy::new(pointee, quals, Some(space)), d)
            }
            ast::TypeExprKind::RValueRef(inner) => {
                if value.is_lvalue()
                    && let Some(i) = self.bare_placeholder(inner, scope)
                {
                    let space = value.space().unwrap_or(AddressSpace::Thread);
                    let reference = self.types().reference(actual.ty, actual.quals, space, false);
                    return self.bind(i, Arg::Type(reference.into()), d);
                }
                self.deduce_with_bases(inner, scope, actual, d)
            }
            ast::TypeExprKind::LValueRef(inner) => {
                let mut actual = actual;
                let (is_const, has_space) = written_quals(inner);
                if !has_space && (is_const || actual.space == Some(AddressSpace::Thread)) {
                    // Binds to a copy where the argument is in another space.
                    actual.space = None;
                }
                self.deduce_with_bases(inner, scope, actual, d)
            }
            _ => {
                let decayed = self.decayed_type(actual);
                let p = strip_top_quals(p);
                self.deduce_with_bases(p, scope, decayed, d)
            }
        }
    }

    fn deduce_list(&mut self, p: &ast::TypeExpr, scope: &Rc<Scope>, items: &[ast::Expr], d: &mut Deduction) -> Deduced {
        // `T (&&)[N]` and `const T (&)[N]` from a list.
        let inner = match &p.kind {
            ast::TypeExprKind::RValueRef(t) | ast::TypeExprKind::LValueRef(t) => strip_top_quals(t),
            _ => return Ok(()),
        };
        let ast::TypeExprKind::Array { element, size } = &inner.kind else { return Ok(()) };
        for item in items {
            let value = self.attempt(|c| c.check_expr(item));
            if let Ok(v) = value {
                self.deduce_param(element, scope, &CallArg::Value(v), d)?;
            }
        }
        if let Some(size) = size {
            self.deduce_value(size, scope, items.len() as u64, Ty::ULONG, d)?;
        }
        Ok(())
    }

    /// What a value of the type is passed as: arrays and functions as pointers, without qualifiers.
    pub fn decayed_type(&mut self, ty: QualTy) -> QualTy {
        match *self.kind(ty.ty) {
            TyKind::Array { element, quals, .. } => {
                let space = ty.space.unwrap_or(AddressSpace::Thread);
                self.types().pointer(element, quals.with(ty.quals), space).into()
            }
            TyKind::Function { .. } => self.types().pointer(ty.ty, Quals::NONE, AddressSpace::Thread).into(),
            _ => ty.ty.into(),
        }
    }

    /// A class argument may match a template through one of its bases.
    fn deduce_with_bases(&mut self, p: &ast::TypeExpr, scope: &Rc<Scope>, a: QualTy, d: &mut Deduction) -> Deduced {
        let before = d.slots.clone();
        let first = self.deduce(p, scope, a, d);
        if first.is_ok() {
            return first;
        }
        let (class, pointer) = match *self.kind(a.ty) {
            TyKind::Class(c) => (c, None),
            TyKind::Pointer { pointee, quals, space } => match *self.kind(pointee) {
                TyKind::Class(c) => (c, Some((quals, space))),
                _ => return first,
            },
            _ => return first,
        };
        let after_first = std::mem::replace(&mut d.slots, before.clone());
        self.complete_class(class, Span::NONE);
        let bases: Vec<ClassId> = self.classes[class.0 as usize].bases.iter().map(|b| b.class).collect();
        for base in bases {
            let base = self.class_type(base);
            let a = match pointer {
                Some((quals, space)) => self.types().pointer(base, quals, space).into(),
                None => QualTy { ty: base, ..a },
            };
            if self.deduce_with_bases(p, scope, a, d).is_ok() {
                return Ok(());
            }
            d.slots.clone_from(&before);
        }
        d.slots = after_first;
        first
    }

    fn bare_placeholder(&mut self, p: &ast::TypeExpr, scope: &Rc<Scope>) -> Option<usize> {
        let ast::TypeExprKind::Named { name, .. } = &p.kind else { return None };
        match self.placeholder(name, scope)? {
            Binding::Placeholder(i) => Some(i),
            _ => None,
        }
    }

    /// The parameter under deduction that a one-word name is.
    fn placeholder(&mut self, name: &ast::Name, scope: &Rc<Scope>) -> Option<Binding> {
        if name.is_global || name.segments.len() != 1 {
            return None;
        }
        let key = crate::declare::NameKey::of(&name.segments[0].ident);
        let found = self.in_scope(scope, |c| c.lookup_unqualified(key));
        match found.entities.into_iter().next() {
            Some(Entity::Param(b)) => Some(b),
            _ => None,
        }
    }

    fn bind(&mut self, i: usize, arg: Arg, d: &mut Deduction) -> Deduced {
        let is_type_param = matches!(d.params[i].kind, ast::TemplateParamKind::Type { .. });
        if is_type_param != matches!(arg, Arg::Type(_)) && !d.params[i].is_pack {
            return Err(format!("'{}' is of another kind than its argument", d.name(i)));
        }
        if d.params[i].is_pack && !matches!(arg, Arg::Pack(_)) {
            if let Some(element) = &mut d.element {
                match &element[i] {
                    Some(old) if *old != arg && i >= d.fixed => return self.conflict(i, &old.clone(), &arg, d),
                    Some(_) => {}
                    None => element[i] = Some(arg),
                }
            }
            return Ok(());
        }
        match &d.slots[i] {
            Some(_) if i < d.fixed => Ok(()),
            Some(old) => {
                if same_arg(old, &arg) {
                    return Ok(());
                }
                // Of two deductions that differ in an address space or qualifier only, the plainer one stands.
                if let (Arg::Type(x), Arg::Type(y)) = (old, &arg)
                    && x.ty == y.ty
                {
                    let plain = QualTy { ty: x.ty, quals: Quals::NONE, space: None };
                    d.slots[i] = Some(Arg::Type(plain));
                    return Ok(());
                }
                self.conflict(i, &old.clone(), &arg, d)
            }
            None => {
                d.slots[i] = Some(arg);
                Ok(())
            }
        }
    }

    fn conflict(&self, i: usize, old: &Arg, new: &Arg, d: &Deduction) -> Deduced {
        Err(format!("'{}' is deduced as both '{}' and '{}'", d.name(i), self.arg_name(old), self.arg_name(new)))
    }

    /// A written type against a concrete one. `a.space` is set for what a pointer or reference designates.
    pub fn deduce(&mut self, p: &ast::TypeExpr, scope: &Rc<Scope>, a: QualTy, d: &mut Deduction) -> Deduced {
        use ast::TypeExprKind as K;
        if a.is_error() {
            return Ok(());
        }
        match &p.kind {
            K::Named { name, .. } => self.deduce_named(name, scope, a, d),
            K::Auto | K::DecltypeAuto => {
                d.auto = Some(a);
                Ok(())
            }
            K::Qualified { inner, quals } => {
                let mut a = a;
                if let Some(keyword) = quals.address_space {
                    let wanted = crate::resolve::address_space(keyword);
                    if a.space.is_some() && a.space != wanted {
                        return Err(self.space_mismatch(a, wanted));
                    }
                    a.space = None;
                }
                let drop = Quals { is_const: quals.is_const, is_volatile: quals.is_volatile };
                a.quals = a.quals.without(drop);
                if drop.is_const
                    && let TyKind::Array { element, quals, len } = *self.kind(a.ty)
                {
                    a.ty = self.types().array(element, quals.without(drop), len);
                }
                self.deduce(inner, scope, a, d)
            }
            K::Pointer(inner) => {
                let TyKind::Pointer { pointee, quals, space } = *self.kind(a.ty) else {
                    return Err(format!("'{}' is not a pointer", self.type_name(a)));
                };
                self.deduce_pointee(inner, scope, QualTy::new(pointee, quals, Some(space)), d)
            }
            K::LValueRef(inner) | K::RValueRef(inner) => match *self.kind(a.ty) {
                TyKind::Reference { referent, quals, space, .. } => {
                    self.deduce_pointee(inner, scope, QualTy::new(referent, quals, Some(space)), d)
                }
                _ => Err(format!("'{}' is not a reference", self.type_name(a))),
            },
            K::Array { element, size } => {
                let TyKind::Array { element: actual, quals, len } = *self.kind(a.ty) else {
                    return Err(format!("'{}' is not an array", self.type_name(a)));
                };
                self.deduce(element, scope, QualTy::new(actual, quals, a.space), d)?;
                match (size, len) {
                    (Some(size), Some(len)) => self.deduce_value(size, scope, len, Ty::ULONG, d),
                    _ => Ok(()),
                }
            }
            K::MemberPointer { class, member } => {
                let TyKind::MemberPointer { class: of, member: actual, quals } = *self.kind(a.ty) else {
                    return Err(format!("'{}' is not a pointer to a member", self.type_name(a)));
                };
                let is_const = matches!(member.kind, K::Function { is_const: true, .. });
                if matches!(member.kind, K::Function { .. }) && is_const != quals.is_const {
                    return Err(format!("'{}' is of functions that are const, or is not", self.type_name(a)));
                }
                let of = self.class_type(of);
                self.deduce(class, scope, of.into(), d)?;
                self.deduce(member, scope, QualTy::new(actual, quals, None), d)
            }
            K::Function { ret, params, .. } => {
                let TyKind::Function { ret: actual_ret, params: actual } = self.kind(a.ty).clone() else {
                    return Err(format!("'{}' is not a function", self.type_name(a)));
                };
                self.deduce(ret, scope, actual_ret.into(), d)?;
                let mut types = actual.into_iter();
                for p in params {
                    if p.is_pack || matches!(p.ty.kind, K::Pack(_)) {
                        let pattern = match &p.ty.kind {
                            K::Pack(inner) => inner,
                            _ => &p.ty,
                        };
                        let rest: Vec<Arg> = types.by_ref().map(|t| Arg::Type(t.into())).collect();
                        return self.deduce_arg_pack(&ast::TemplateArg::Type((*pattern).clone()), scope, &rest, d);
                    }
                    let Some(t) = types.next() else { break };
                    self.deduce(&p.ty, scope, t.into(), d)?;
                }
                Ok(())
            }
            K::Builtin(_) | K::Decltype(_) | K::Pack(_) | K::Class(_) | K::Enum(_) | K::Error => Ok(()),
        }
    }

    fn space_mismatch(&self, a: QualTy, wanted: Option<AddressSpace>) -> String {
        format!(
            "the argument is in address space '{}', the parameter in '{}'",
            a.space.unwrap_or(AddressSpace::Thread).name(),
            wanted.map_or("another", AddressSpace::name)
        )
    }

    /// A pattern without an address space means `thread`, except that a bare parameter takes the space along.
    fn deduce_pointee(&mut self, inner: &ast::TypeExpr, scope: &Rc<Scope>, a: QualTy, d: &mut Deduction) -> Deduced {
        let (_, has_space) = written_quals(inner);
        let mut a = a;
        if !has_space {
            let bare = strip_top_quals(inner);
            let takes_space =
                matches!(bare.kind, ast::TypeExprKind::Auto) || self.bare_placeholder(bare, scope).is_some();
            if a.space == Some(AddressSpace::Thread) {
                a.space = None;
            } else if !takes_space && !self.names_alias(bare, scope) {
                return Err(self.space_mismatch(a, Some(AddressSpace::Thread)));
            }
        }
        self.deduce(inner, scope, a, d)
    }

    /// An alias may bring its own address space.
    fn names_alias(&mut self, p: &ast::TypeExpr, scope: &Rc<Scope>) -> bool {
        let ast::TypeExprKind::Named { name, .. } = &p.kind else { return false };
        if name.segments.len() > 1 {
            return true;
        }
        let found = self.in_scope(scope, |c| c.lookup(name));
        matches!(
            found.entities.first(),
            Some(Entity::Alias(_) | Entity::Type(_) | Entity::Param(Binding::Bound(_) | Binding::Pattern(..)))
        )
    }

    fn deduce_named(&mut self, name: &ast::Name, scope: &Rc<Scope>, a: QualTy, d: &mut Deduction) -> Deduced {
        let Some(last) = name.segments.last() else { return Ok(()) };
        let Some(args) = &last.template_args else {
            return match self.placeholder(name, scope) {
                Some(Binding::Placeholder(i)) => self.bind(i, Arg::Type(a), d),
                Some(Binding::Pattern(written, at, _)) => match &written[..] {
                    [one] => self.deduce_arg(one, &at, &Arg::Type(a), d),
                    _ => Ok(()),
                },
                _ => Ok(()),
            };
        };
        if let ast::Ident::Name(n) = last.ident
            && name.segments.len() == 1
            && (n == "__vec" || n == "__packed_vec")
            && args.len() == 2
        {
            let (scalar, len) = match *self.kind(a.ty) {
                TyKind::Vector(s, len) if n == "__vec" => (s, len),
                TyKind::PackedVector(s, len) if n == "__packed_vec" => (s, len),
                // A packed vector converts to a vector, so it may stand where one is wanted.
                TyKind::PackedVector(s, len) => (s, len),
                TyKind::Class(c) if n == "__vec" => {
                    let info = &self.classes[c.0 as usize];
                    match &info.args[..] {
                        [element, len] if info.def.name == crate::resolve::LONG_VECTOR => {
                            let (element, len) = (element.clone(), len.clone());
                            self.deduce_arg(&args[0], scope, &element, d)?;
                            return self.deduce_arg(&args[1], scope, &len, d);
                        }
                        _ => return Err(format!("'{}' is not a vector", self.type_name(a))),
                    }
                }
                _ => return Err(format!("'{}' is not a vector", self.type_name(a))),
            };
            self.deduce_arg(&args[0], scope, &Arg::Type(Ty::scalar(scalar).into()), d)?;
            return self.deduce_arg(&args[1], scope, &Arg::Value { bits: u64::from(len), ty: Ty::INT }, d);
        }
        // Only names whose qualifiers are plain namespaces or classes are deducible.
        let found = match self.attempt(|c| c.in_scope(scope, |c| c.lookup(name))) {
            Ok(f) => f,
            Err(_) => return Ok(()),
        };
        for entity in found.entities {
            match entity {
                Entity::Alias(def) => {
                    let Some(header) = def.decl.template.clone() else { return Ok(()) };
                    let names = pattern_bindings(&header.params, args, scope);
                    let inner = Scope::params(&def.scope, names);
                    // Parameters the argument list leaves to their defaults are not deduced through.
                    return self.deduce(&def.decl.ty, &inner, a, d);
                }
                Entity::Class(def) => return self.deduce_class(&def, args, scope, a, d),
                Entity::Injected(c) => {
                    let def = self.classes[c.0 as usize].def.clone();
                    return self.deduce_class(&def, args, scope, a, d);
                }
                Entity::Param(Binding::Placeholder(i)) => {
                    let TyKind::Class(c) = *self.kind(a.ty) else {
                        return Err(format!("'{}' is not a class", self.type_name(a)));
                    };
                    let info = &self.classes[c.0 as usize];
                    let (def, actual) = (info.def.clone(), info.args.clone());
                    if def.header.is_none() {
                        return Err(format!("'{}' is not an instance of a template", def.name));
                    }
                    self.bind(i, Arg::Template(TemplateRef::Class(def)), d)?;
                    return self.deduce_args(args, scope, &actual, d);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn deduce_class(
        &mut self,
        def: &Rc<ClassDef>,
        args: &[ast::TemplateArg],
        scope: &Rc<Scope>,
        a: QualTy,
        d: &mut Deduction,
    ) -> Deduced {
        let TyKind::Class(c) = *self.kind(a.ty) else {
            return Err(format!("'{}' is not a '{}'", self.type_name(a), def.name));
        };
        let info = &self.classes[c.0 as usize];
        if !Rc::ptr_eq(&info.def, def) {
            return Err(format!("'{}' is not a '{}'", self.type_name(a), def.name));
        }
        let actual = info.args.clone();
        self.deduce_args(args, scope, &actual, d)
    }

    /// Written arguments of a template-id against those of an instance.
    pub fn deduce_args(
        &mut self,
        written: &[ast::TemplateArg],
        scope: &Rc<Scope>,
        actual: &[Arg],
        d: &mut Deduction,
    ) -> Deduced {
        // A pack parameter of the template holds its arguments in one place; lay them out.
        let mut flat: Vec<Arg> = Vec::new();
        for a in actual {
            match a {
                Arg::Pack(list) => flat.extend(list.iter().cloned()),
                other => flat.push(other.clone()),
            }
        }
        for (i, w) in written.iter().enumerate() {
            if let ast::TemplateArg::Pack(pattern) = w {
                // The pack of an alias stands for the arguments the alias was given.
                if let Some((given, at)) = self.alias_pack(pattern, scope) {
                    return self.deduce_args(&given, &at, flat.get(i..).unwrap_or(&[]), d);
                }
                return self.deduce_arg_pack(pattern, scope, flat.get(i..).unwrap_or(&[]), d);
            }
            let Some(a) = flat.get(i) else {
                return Err("there are fewer template arguments than the parameter names".into());
            };
            self.deduce_arg(w, scope, a, d)?;
        }
        Ok(())
    }

    fn alias_pack(
        &mut self,
        pattern: &ast::TemplateArg,
        scope: &Rc<Scope>,
    ) -> Option<(Rc<[ast::TemplateArg]>, Rc<Scope>)> {
        let name = match pattern {
            ast::TemplateArg::Type(ast::TypeExpr { kind: ast::TypeExprKind::Named { name, .. }, .. }) => name,
            ast::TemplateArg::Expr(ast::Expr { kind: ast::ExprKind::Name(name), .. }) => name,
            ast::TemplateArg::Ambiguous(name) => name,
            _ => return None,
        };
        match self.placeholder(name, scope)? {
            Binding::Pattern(given, at, true) => Some((given, at)),
            _ => None,
        }
    }

    fn deduce_arg_pack(
        &mut self,
        pattern: &ast::TemplateArg,
        scope: &Rc<Scope>,
        rest: &[Arg],
        d: &mut Deduction,
    ) -> Deduced {
        let mut names = Vec::new();
        crate::walk::names_in_arg(pattern, &mut names);
        let packs: Vec<usize> = (0..d.params.len())
            .filter(|i| d.params[*i].is_pack && d.params[*i].name.is_some_and(|n| names.contains(&n)))
            .collect();
        let mut lists: Vec<Vec<Arg>> = vec![Vec::new(); packs.len()];
        let outer = d.element.take();
        for a in rest {
            d.element = Some(vec![None; d.params.len()]);
            self.deduce_arg(pattern, scope, a, d)?;
            let element = d.element.take().unwrap_or_default();
            for (slot, p) in packs.iter().enumerate() {
                match &element[*p] {
                    Some(a) => lists[slot].push(a.clone()),
                    None => return Err(format!("cannot deduce '{}'", d.name(*p))),
                }
            }
        }
        d.element = outer;
        for (slot, p) in packs.iter().enumerate() {
            let list = Arg::Pack(std::mem::take(&mut lists[slot]));
            match &d.slots[*p] {
                Some(old) if *old != list && *p >= d.fixed => return self.conflict(*p, &old.clone(), &list, d),
                Some(_) => {}
                None => d.slots[*p] = Some(list),
            }
        }
        Ok(())
    }

    fn deduce_arg(&mut self, written: &ast::TemplateArg, scope: &Rc<Scope>, a: &Arg, d: &mut Deduction) -> Deduced {
        let name = match written {
            ast::TemplateArg::Type(t) => match &t.kind {
                ast::TypeExprKind::Named { name, .. } => Some(name),
                _ => None,
            },
            ast::TemplateArg::Expr(e) => match &e.kind {
                ast::ExprKind::Name(name) => Some(name),
                _ => None,
            },
            ast::TemplateArg::Ambiguous(name) => Some(name),
            ast::TemplateArg::Pack(_) => None,
        };
        if let Some(name) = name
            && name.segments.last().is_some_and(|s| s.template_args.is_none())
        {
            return match self.placeholder(name, scope) {
                Some(Binding::Placeholder(i)) => {
                    // No conversion makes `A<1>` of an `A<2>`.
                    if i < d.fixed
                        && let (Some(given @ Arg::Value { .. }), Arg::Value { .. }) = (&d.slots[i], a)
                        && !same_arg(given, a)
                    {
                        return self.conflict(i, &given.clone(), a, d);
                    }
                    self.bind(i, a.clone(), d)?;
                    self.deduce_type_of_value(i, scope, a, d)
                }
                Some(Binding::Pattern(written, at, _)) => match &written[..] {
                    [one] => self.deduce_arg(one, &at, a, d),
                    _ => Ok(()),
                },
                _ => Ok(()),
            };
        }
        match (written, a) {
            (ast::TemplateArg::Type(t), Arg::Type(actual)) => match (&t.kind, actual.space) {
                // Top-level spaces of a type argument are part of it.
                (_, None) => self.deduce(t, scope, *actual, d),
                (ast::TypeExprKind::Qualified { .. }, _) => self.deduce(t, scope, *actual, d),
                _ => self.deduce(t, scope, *actual, d),
            },
            (ast::TemplateArg::Ambiguous(n), Arg::Type(actual)) => self.deduce_named(n, scope, *actual, d),
            _ => Ok(()),
        }
    }

    /// A pointer to a function or member tells of what it is one: `template <typename C, typename T, T C::*p> struct S<p>`.
    fn deduce_type_of_value(&mut self, i: usize, scope: &Rc<Scope>, a: &Arg, d: &mut Deduction) -> Deduced {
        let (ast::TemplateParamKind::Value { ty, .. }, Arg::Value { ty: actual, .. }) = (&d.params[i].kind, a) else {
            return Ok(());
        };
        match (&ty.kind, self.kind(*actual)) {
            (ast::TypeExprKind::MemberPointer { .. }, TyKind::MemberPointer { .. })
            | (ast::TypeExprKind::Pointer(_), TyKind::Pointer { .. }) => {
                let ty = ty.clone();
                self.deduce(&ty, scope, (*actual).into(), d)
            }
            (ast::TypeExprKind::MemberPointer { .. }, _) => {
                Err(format!("'{}' is not a pointer to a member", self.type_name(*actual)))
            }
            _ => Ok(()),
        }
    }

    fn deduce_value(&mut self, e: &ast::Expr, scope: &Rc<Scope>, bits: u64, ty: Ty, d: &mut Deduction) -> Deduced {
        self.deduce_arg(&ast::TemplateArg::Expr(strip_parens(e).clone()), scope, &Arg::Value { bits, ty }, d)
    }
}

fn strip_parens(e: &ast::Expr) -> &ast::Expr {
    match &e.kind {
        ast::ExprKind::Paren(inner) => strip_parens(inner),
        _ => e,
    }
}

/// Whether a written type is `const`, and whether it names an address space, at the top.
fn written_quals(p: &ast::TypeExpr) -> (bool, bool) {
    match &p.kind {
        ast::TypeExprKind::Qualified { inner, quals } => {
            let (c, s) = written_quals(inner);
            (c || quals.is_const, s || quals.address_space.is_some())
        }
        ast::TypeExprKind::Array { element, .. } => written_quals(element),
        _ => (false, false),
    }
}

fn strip_top_quals(p: &ast::TypeExpr) -> &ast::TypeExpr {
    match &p.kind {
        ast::TypeExprKind::Qualified { inner, .. } => strip_top_quals(inner),
        _ => p,
    }
}

fn same_arg(a: &Arg, b: &Arg) -> bool {
    match (a, b) {
        // An array bound and an `int` parameter agree when their values do.
        (Arg::Value { bits: x, .. }, Arg::Value { bits: y, .. }) => x == y,
        _ => a == b,
    }
}

fn pattern_bindings(
    params: &[ast::TemplateParam],
    args: &[ast::TemplateArg],
    scope: &Rc<Scope>,
) -> Vec<(Symbol, Binding)> {
    let mut out = Vec::new();
    let mut next = args.iter();
    for p in params {
        let written: Rc<[ast::TemplateArg]> = if p.is_pack {
            next.by_ref().cloned().collect()
        } else {
            match next.next() {
                Some(a) => Rc::from(vec![a.clone()]),
                None => Rc::from(Vec::new()),
            }
        };
        if let Some(name) = p.name {
            out.push((name, Binding::Pattern(written, scope.clone(), p.is_pack)));
        }
    }
    out
}

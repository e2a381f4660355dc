//! Which of two templates is more specialised.
//!
//! Decided on what is written: `g` is at least as general as `f` where `g`'s parameters can be replaced so that its
//! types read like `f`'s. Nothing is instantiated for this.

use msl_base::{FxMap, Symbol};
use msl_syntax::ast;

/// Replacements found for the parameters of the more general side, as the text they stand for.
#[derive(Default)]
struct Matcher<'t> {
    params: Vec<Symbol>,
    packs: Vec<Symbol>,
    types: FxMap<Symbol, &'t ast::TypeExpr>,
    args: FxMap<Symbol, &'t ast::TemplateArg>,
}

fn names(header: &ast::TemplateHeader, packs: bool) -> Vec<Symbol> {
    header.params.iter().filter(|p| p.is_pack == packs).filter_map(|p| p.name).collect()
}

/// `f` is at least as specialised as `g`, as function templates called with `arity` arguments.
pub fn function_at_least(f: &ast::FunctionDecl, g: &ast::FunctionDecl, arity: usize) -> bool {
    let Some(header) = g.templates.last() else { return false };
    let mut m = Matcher { params: names(header, false), packs: names(header, true), ..Matcher::default() };
    let mut gi = g.params.iter();
    for fp in f.params.iter().take(arity.max(1)) {
        let f_pack = is_pack(fp);
        let Some(gp) = gi.clone().next() else { return false };
        let g_pack = is_pack(gp);
        if f_pack && !g_pack {
            return false;
        }
        if !g_pack {
            gi.next();
        }
        // Elements of a pack may differ from each other.
        if g_pack {
            m.types.retain(|n, _| !m.packs.contains(n));
            m.args.retain(|n, _| !m.packs.contains(n));
        }
        if !m.ty(strip_param(&gp.ty), strip_param(&fp.ty)) {
            return false;
        }
    }
    true
}

/// Where two templates match each other: the one with more `const`, or without a pack, is more specialised.
pub fn function_tie_break(f: &ast::FunctionDecl, g: &ast::FunctionDecl) -> std::cmp::Ordering {
    let score = |d: &ast::FunctionDecl| {
        let packs = d.params.iter().filter(|p| is_pack(p)).count() as i32;
        let consts = d
            .params
            .iter()
            .filter(|p| match &p.ty.kind {
                ast::TypeExprKind::LValueRef(t) | ast::TypeExprKind::RValueRef(t) => {
                    matches!(&t.kind, ast::TypeExprKind::Qualified { quals, .. } if quals.is_const)
                }
                _ => false,
            })
            .count() as i32;
        let spaces = d.params.iter().filter(|p| mentions_space(&p.ty)).count() as i32;
        (-packs, spaces, consts)
    };
    score(f).cmp(&score(g))
}

fn mentions_space(ty: &ast::TypeExpr) -> bool {
    use ast::TypeExprKind as K;
    match &ty.kind {
        K::Qualified { inner, quals } => quals.address_space.is_some() || mentions_space(inner),
        K::Pointer(t) | K::LValueRef(t) | K::RValueRef(t) | K::Pack(t) => mentions_space(t),
        K::Array { element, .. } => mentions_space(element),
        _ => false,
    }
}

/// `f` is at least as specialised as `g`, as partial specialisations of one class template.
pub fn class_at_least(f: &ast::ClassDecl, g: &ast::ClassDecl) -> bool {
    let Some(header) = g.templates.last() else { return false };
    let mut m = Matcher { params: names(header, false), packs: names(header, true), ..Matcher::default() };
    match (last_args(f), last_args(g)) {
        (Some(fa), Some(ga)) => m.arg_list(ga, fa),
        _ => false,
    }
}

fn last_args(c: &ast::ClassDecl) -> Option<&[ast::TemplateArg]> {
    c.name.as_ref()?.segments.last()?.template_args.as_deref()
}

fn is_pack(p: &ast::ParamDecl) -> bool {
    p.is_pack || matches!(p.ty.kind, ast::TypeExprKind::Pack(_))
}

/// References and top-level qualifiers do not count.
fn strip_param(t: &ast::TypeExpr) -> &ast::TypeExpr {
    match &t.kind {
        ast::TypeExprKind::LValueRef(t) | ast::TypeExprKind::RValueRef(t) | ast::TypeExprKind::Pack(t) => {
            strip_param(t)
        }
        ast::TypeExprKind::Qualified { inner, quals } if quals.address_space.is_none() => strip_param(inner),
        _ => t,
    }
}

impl<'t> Matcher<'t> {
    fn param_of(&self, name: &ast::Name) -> Option<Symbol> {
        if name.is_global || name.segments.len() != 1 || name.segments[0].template_args.is_some() {
            return None;
        }
        match name.segments[0].ident {
            ast::Ident::Name(n) if self.params.contains(&n) || self.packs.contains(&n) => Some(n),
            _ => None,
        }
    }

    fn ty(&mut self, g: &ast::TypeExpr, f: &'t ast::TypeExpr) -> bool {
        use ast::TypeExprKind as K;
        if let K::Named { name, .. } = &g.kind
            && let Some(p) = self.param_of(name)
        {
            return match self.types.get(&p) {
                Some(old) => same_type(old, f),
                None => {
                    self.types.insert(p, f);
                    true
                }
            };
        }
        match (&g.kind, &f.kind) {
            (K::Named { name: gn, has_typename }, K::Named { name: fn_, .. }) => {
                // `typename X<T>::type` says nothing about T.
                if *has_typename && gn.segments.len() > 1 {
                    return true;
                }
                self.name(gn, fn_)
            }
            (K::Named { name, .. }, _) if name.segments.len() > 1 => true,
            (K::Pointer(a), K::Pointer(b))
            | (K::LValueRef(a), K::LValueRef(b))
            | (K::RValueRef(a), K::RValueRef(b)) => self.ty(a, b),
            (K::Pack(a), K::Pack(b)) => self.ty(a, b),
            (K::Pack(a), _) => self.ty(a, f),
            (K::Array { element: a, size: sa }, K::Array { element: b, size: sb }) => {
                self.ty(a, b)
                    && match (sa, sb) {
                        (Some(x), Some(y)) => self.expr(x, y),
                        (None, None) => true,
                        _ => false,
                    }
            }
            (K::Qualified { inner: a, quals: qa }, K::Qualified { inner: b, quals: qb }) => {
                // The general side may have fewer qualifiers; its parameter takes the rest.
                let fits = (!qa.is_const || qb.is_const)
                    && (!qa.is_volatile || qb.is_volatile)
                    && (qa.address_space.is_none() || qa.address_space == qb.address_space);
                if qa == qb { self.ty(a, b) } else { fits && self.is_param(a) && self.ty(a, b) }
            }
            // The qualifiers of an array stand at its elements: `thread T` is there for a `thread U [2]`.
            (K::Qualified { inner: a, quals: qa }, K::Array { .. }) => {
                let K::Named { name, .. } = &a.kind else { return false };
                let (Some(p), K::Qualified { quals: qb, .. }) = (self.param_of(name), &innermost(f).kind) else {
                    return false;
                };
                if (qa.is_const && !qb.is_const)
                    || (qa.is_volatile && !qb.is_volatile)
                    || (qa.address_space.is_some() && qa.address_space != qb.address_space)
                {
                    return false;
                }
                match self.types.get(&p) {
                    Some(old) => same_array(old, f),
                    None => {
                        self.types.insert(p, f);
                        true
                    }
                }
            }
            (K::Function { ret: a, params: pa, .. }, K::Function { ret: b, params: pb, .. }) => {
                if !self.ty(a, b) {
                    return false;
                }
                let mut ga = pa.iter();
                for p in pb {
                    let Some(gp) = ga.clone().next() else { return false };
                    let variadic = is_pack(gp);
                    if is_pack(p) && !variadic {
                        return false;
                    }
                    if variadic {
                        self.types.retain(|n, _| !self.packs.contains(n));
                    } else {
                        ga.next();
                    }
                    if !self.ty(strip_pack(&gp.ty), strip_pack(&p.ty)) {
                        return false;
                    }
                }
                ga.all(is_pack)
            }
            (K::Builtin(a), K::Builtin(b)) => a == b,
            (K::Decltype(_), _) => true,
            _ => false,
        }
    }

    fn is_param(&self, g: &ast::TypeExpr) -> bool {
        matches!(&g.kind, ast::TypeExprKind::Named { name, .. } if self.param_of(name).is_some())
    }

    fn name(&mut self, g: &ast::Name, f: &'t ast::Name) -> bool {
        let (Some(gl), Some(fl)) = (g.segments.last(), f.segments.last()) else { return false };
        if let (None, ast::Ident::Name(n)) = (&gl.template_args, &gl.ident)
            && self.params.contains(n)
        {
            return true;
        }
        let template_param = matches!(gl.ident, ast::Ident::Name(n) if self.params.contains(&n));
        if !template_param && crate::declare::text_of(&gl.ident) != crate::declare::text_of(&fl.ident) {
            return false;
        }
        match (&gl.template_args, &fl.template_args) {
            (Some(ga), Some(fa)) => self.arg_list(ga, fa),
            (None, None) => true,
            _ => false,
        }
    }

    fn arg_list(&mut self, g: &[ast::TemplateArg], f: &'t [ast::TemplateArg]) -> bool {
        let mut gi = g.iter();
        for fa in f {
            let Some(ga) = gi.clone().next() else { return false };
            if let ast::TemplateArg::Pack(pattern) = ga {
                let inner = match fa {
                    ast::TemplateArg::Pack(p) => p,
                    other => other,
                };
                self.types.retain(|n, _| !self.packs.contains(n));
                self.args.retain(|n, _| !self.packs.contains(n));
                if !self.arg(pattern, inner) {
                    return false;
                }
                continue;
            }
            if matches!(fa, ast::TemplateArg::Pack(_)) {
                return false;
            }
            gi.next();
            if !self.arg(ga, fa) {
                return false;
            }
        }
        gi.all(|a| matches!(a, ast::TemplateArg::Pack(_)))
    }

    fn arg(&mut self, g: &ast::TemplateArg, f: &'t ast::TemplateArg) -> bool {
        let name = arg_name(g);
        if let Some(p) = name.and_then(|n| self.param_of(n)) {
            if let ast::TemplateArg::Type(ft) = f {
                return match self.types.get(&p) {
                    Some(old) => same_type(old, ft),
                    None => {
                        self.types.insert(p, ft);
                        true
                    }
                };
            }
            return match self.args.get(&p) {
                Some(old) => same_arg(old, f),
                None => {
                    self.args.insert(p, f);
                    true
                }
            };
        }
        match (g, f) {
            (ast::TemplateArg::Type(a), ast::TemplateArg::Type(b)) => self.ty(a, b),
            (ast::TemplateArg::Expr(a), ast::TemplateArg::Expr(b)) => self.expr(a, b),
            _ => match (name, arg_name(f)) {
                (Some(a), Some(b)) => self.name(a, b),
                _ => false,
            },
        }
    }

    fn expr(&mut self, g: &ast::Expr, f: &'t ast::Expr) -> bool {
        if let ast::ExprKind::Name(n) = &g.kind
            && self.param_of(n).is_some()
        {
            return true;
        }
        match (&g.kind, &f.kind) {
            (ast::ExprKind::Integer { value: a, .. }, ast::ExprKind::Integer { value: b, .. }) => a == b,
            (ast::ExprKind::Bool(a), ast::ExprKind::Bool(b)) => a == b,
            (ast::ExprKind::Name(a), ast::ExprKind::Name(b)) => self.name(a, b),
            (ast::ExprKind::Integer { .. } | ast::ExprKind::Bool(_), _) => false,
            // Computed values are not deduced from.
            _ => true,
        }
    }
}

fn strip_pack(t: &ast::TypeExpr) -> &ast::TypeExpr {
    match &t.kind {
        ast::TypeExprKind::Pack(t) => t,
        _ => t,
    }
}

fn arg_name(a: &ast::TemplateArg) -> Option<&ast::Name> {
    match a {
        ast::TemplateArg::Ambiguous(n) => Some(n),
        ast::TemplateArg::Type(ast::TypeExpr { kind: ast::TypeExprKind::Named { name, .. }, .. }) => Some(name),
        ast::TemplateArg::Expr(ast::Expr { kind: ast::ExprKind::Name(n), .. }) => Some(n),
        _ => None,
    }
}

fn same_type(a: &ast::TypeExpr, b: &ast::TypeExpr) -> bool {
    crate::declare::type_text(a) == crate::declare::type_text(b)
}

fn innermost(t: &ast::TypeExpr) -> &ast::TypeExpr {
    match &t.kind {
        ast::TypeExprKind::Array { element, .. } => innermost(element),
        _ => t,
    }
}

/// The same type but for qualifiers of the elements.
fn same_array(a: &ast::TypeExpr, b: &ast::TypeExpr) -> bool {
    use ast::TypeExprKind as K;
    match (&a.kind, &b.kind) {
        (K::Array { element: ea, size: sa }, K::Array { element: eb, size: sb }) => {
            let text = |e: &Option<Box<ast::Expr>>| e.as_deref().map(crate::declare::expr_text);
            text(sa) == text(sb) && same_array(ea, eb)
        }
        (K::Qualified { inner: a, .. }, K::Qualified { inner: b, .. }) => same_type(a, b),
        _ => same_type(a, b),
    }
}

fn same_arg(a: &ast::TemplateArg, b: &ast::TemplateArg) -> bool {
    crate::declare::arg_text(a) == crate::declare::arg_text(b)
}

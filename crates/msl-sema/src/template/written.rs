//! Template arguments as they are written: what is a type in one place is a value in another, and the syntax does not
//! always tell which.

use msl_base::Span;
use msl_syntax::ast;

use crate::checker::Checker;
use crate::entity::*;
use crate::types::*;

impl Checker<'_> {
    pub fn type_of_arg(&mut self, arg: &ast::TemplateArg) -> QualTy {
        match arg {
            ast::TemplateArg::Type(t) => self.resolve_type(t),
            ast::TemplateArg::Ambiguous(n) => self.resolve_type_name(n),
            ast::TemplateArg::Expr(e) => match &e.kind {
                ast::ExprKind::Name(n) => self.resolve_type_name(n),
                ast::ExprKind::Type(t) => self.resolve_type(t),
                ast::ExprKind::Error => QualTy::ERROR,
                _ => {
                    self.error("expected-type", e.span, "a type is expected here, not a value");
                    QualTy::ERROR
                }
            },
            ast::TemplateArg::Pack(_) => {
                self.error("unexpanded-pack", Span::NONE, "a pack cannot be expanded here");
                QualTy::ERROR
            }
        }
    }

    pub fn integer_of_arg(&mut self, arg: &ast::TemplateArg) -> Option<i64> {
        let e = self.expr_of_arg(arg)?;
        self.constant_integer(&e, "this template argument")
    }

    /// A template argument read as an expression.
    pub fn expr_of_arg(&mut self, arg: &ast::TemplateArg) -> Option<ast::Expr> {
        match arg {
            ast::TemplateArg::Expr(e) => Some(e.clone()),
            ast::TemplateArg::Ambiguous(n) => Some(ast::Expr { kind: ast::ExprKind::Name(n.clone()), span: n.span }),
            ast::TemplateArg::Type(t) => match &t.kind {
                ast::TypeExprKind::Named { name, .. } => {
                    Some(ast::Expr { kind: ast::ExprKind::Name(name.clone()), span: t.span })
                }
                // `__is_same(T, U)` reads like a function type to the parser.
                ast::TypeExprKind::Function { ret, params, .. } if matches!(&ret.kind, ast::TypeExprKind::Named { name, .. } if is_query(name)) =>
                {
                    let ast::TypeExprKind::Named { name, .. } = &ret.kind else { return None };
                    let callee = ast::Expr { kind: ast::ExprKind::Name(name.clone()), span: ret.span };
                    let args = params.iter().map(query_argument).collect();
                    Some(ast::Expr { kind: ast::ExprKind::Call { callee: Box::new(callee), args }, span: t.span })
                }
                ast::TypeExprKind::Decltype(e)
                    if matches!(&e.kind, ast::ExprKind::Call { callee, .. }
                        if matches!(&callee.kind, ast::ExprKind::Name(name) if is_query(name))) =>
                {
                    Some((**e).clone())
                }
                // `T::size()` reads like one too.
                ast::TypeExprKind::Function { ret, params, .. }
                    if params.is_empty() && matches!(ret.kind, ast::TypeExprKind::Named { .. }) =>
                {
                    let ast::TypeExprKind::Named { name, .. } = &ret.kind else { return None };
                    let callee = ast::Expr { kind: ast::ExprKind::Name(name.clone()), span: ret.span };
                    let kind = ast::ExprKind::Call { callee: Box::new(callee), args: Vec::new() };
                    Some(ast::Expr { kind, span: t.span })
                }
                ast::TypeExprKind::Function { ret, params, .. } if params.is_empty() => {
                    // `T()` where a value is wanted is a value-initialised T.
                    Some(ast::Expr {
                        kind: ast::ExprKind::Construct { ty: (**ret).clone(), args: Vec::new() },
                        span: t.span,
                    })
                }
                _ => {
                    self.error("expected-value", t.span, "a value is expected here, not a type");
                    None
                }
            },
            ast::TemplateArg::Pack(_) => None,
        }
    }

    pub fn template_of_arg(&mut self, arg: &ast::TemplateArg) -> Option<TemplateRef> {
        let name = match arg {
            ast::TemplateArg::Ambiguous(n) => n,
            ast::TemplateArg::Type(ast::TypeExpr { kind: ast::TypeExprKind::Named { name, .. }, .. }) => name,
            ast::TemplateArg::Expr(ast::Expr { kind: ast::ExprKind::Name(n), .. }) => n,
            _ => return None,
        };
        let found = self.lookup(name);
        for e in found.entities {
            match e {
                Entity::Class(c) => return Some(TemplateRef::Class(c)),
                Entity::Injected(c) => return Some(TemplateRef::Class(self.classes[c.0 as usize].def.clone())),
                Entity::Alias(a) => return Some(TemplateRef::Alias(a)),
                Entity::Param(Binding::Bound(Arg::Template(t))) => return Some(t),
                _ => {}
            }
        }
        self.error("expected-template", name.span, "a class template is expected here");
        None
    }
}

/// `__is_same` and the like.
fn is_query(name: &ast::Name) -> bool {
    matches!(&name.segments[..], [ast::NameSegment { ident: ast::Ident::Name(n), template_args: None, .. }]
        if n.as_str().starts_with("__is_") || n.as_str().starts_with("__has_"))
}

fn query_argument(p: &ast::ParamDecl) -> ast::Expr {
    let ty = match &p.ty.kind {
        ast::TypeExprKind::Pack(_) => p.ty.clone(),
        _ if p.is_pack => ast::TypeExpr { kind: ast::TypeExprKind::Pack(Box::new(p.ty.clone())), span: p.span },
        _ => p.ty.clone(),
    };
    ast::Expr { kind: ast::ExprKind::Type(ty), span: p.span }
}

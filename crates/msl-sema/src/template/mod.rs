//! Templates: arguments, deduction, ordering, and the instantiation of functions, classes and variables.
//!
//! There is no dependent type. A template is its syntax tree; an instance is that tree checked in a scope where the
//! parameters are bound to concrete arguments. Deduction matches the written types of parameters against concrete
//! types of arguments.

mod args;
mod deduce;
mod instantiate;
pub mod order;
mod written;

use std::sync::Arc;

use msl_base::Symbol;
use msl_syntax::ast;

pub use deduce::{CallArg, Deduction, ExplicitArgs};

/// `void f(auto x)` is `template<class T> void f(T x)`.
pub fn desugar_auto_params(decl: Arc<ast::FunctionDecl>) -> Arc<ast::FunctionDecl> {
    if !decl.params.iter().any(|p| crate::resolve::mentions_auto(&p.ty)) {
        return decl;
    }
    let mut decl = ast::FunctionDecl::clone(&decl);
    let mut invented = Vec::new();
    for (i, p) in decl.params.iter_mut().enumerate() {
        if crate::resolve::mentions_auto(&p.ty) {
            let name = Symbol::new(&format!("__auto_{i}"));
            replace_auto(&mut p.ty, name);
            invented.push(ast::TemplateParam {
                name: Some(name),
                kind: ast::TemplateParamKind::Type { default: None },
                is_pack: p.is_pack,
                span: p.span,
            });
        }
    }
    match decl.templates.last_mut() {
        Some(header) if !header.params.is_empty() => header.params.extend(invented),
        _ => decl.templates.push(ast::TemplateHeader { params: invented, span: decl.span }),
    }
    Arc::new(decl)
}

fn replace_auto(ty: &mut ast::TypeExpr, name: Symbol) {
    use ast::TypeExprKind as K;
    match &mut ty.kind {
        K::Auto | K::DecltypeAuto => {
            let segment = ast::NameSegment { ident: ast::Ident::Name(name), template_args: None, span: ty.span };
            let name = ast::Name { is_global: false, segments: vec![segment], span: ty.span };
            ty.kind = K::Named { name, has_typename: false };
        }
        K::Pointer(t) | K::LValueRef(t) | K::RValueRef(t) | K::Pack(t) => replace_auto(t, name),
        K::Qualified { inner, .. } => replace_auto(inner, name),
        K::Array { element, .. } => replace_auto(element, name),
        _ => {}
    }
}

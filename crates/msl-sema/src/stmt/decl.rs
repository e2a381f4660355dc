//! Declarations inside functions.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::entity::*;
use crate::hir;
use crate::types::TyKind;

impl Checker<'_> {
    pub(super) fn check_local_decl(&mut self, d: &ast::Decl, out: &mut hir::Block) {
        let scope = self.scope.clone();
        match &d.kind {
            ast::DeclKind::Variable(v) => {
                self.declare_embedded_locals(&v.ty);
                self.check_local_variable(v, out);
            }
            ast::DeclKind::Alias(a) => {
                self.declare_embedded_locals(&a.ty);
                let def =
                    AliasDef { decl: a.clone(), scope: scope.clone(), resolved: None.into(), resolving: false.into() };
                let def = Rc::new(def);
                if a.template.is_some() {
                    scope.declare(a.name, Entity::Alias(def));
                } else {
                    let ty = self.alias_type(&def, d.span);
                    scope.declare(a.name, Entity::Type(ty));
                }
            }
            ast::DeclKind::Class(_) | ast::DeclKind::Enum(_) => {
                let ty = match &d.kind {
                    ast::DeclKind::Class(c) => ast::TypeExprKind::Class(c.clone()),
                    ast::DeclKind::Enum(e) => ast::TypeExprKind::Enum(e.clone()),
                    _ => return,
                };
                self.declare_embedded_locals(&ast::TypeExpr { kind: ty, span: d.span });
            }
            ast::DeclKind::StaticAssert { condition, message } => self.check_static_assert(condition, *message, d.span),
            ast::DeclKind::UsingDirective(name) => {
                if let Some(crate::lookup::Qualifier::Namespace(ns)) = self.namespace_named(name)
                    && let ScopeKind::Block(b) = &scope.kind
                {
                    b.directives.borrow_mut().push(ns);
                }
            }
            ast::DeclKind::UsingEnum(name) => {
                if let Some(def) = self.enum_named(name) {
                    for (i, enumerator) in def.decl.enumerators.iter().flatten().enumerate() {
                        scope.declare(enumerator.name, Entity::Enumerator(def.clone(), i as u32));
                    }
                }
            }
            ast::DeclKind::NamespaceAlias { name, target } => {
                if let Some(crate::lookup::Qualifier::Namespace(ns)) = self.namespace_named(target) {
                    scope.declare(*name, Entity::Namespace(ns));
                }
            }
            ast::DeclKind::Using { name, .. } => {
                let found = self.lookup(name);
                if found.entities.is_empty() && !found.is_error {
                    self.report_unknown(name);
                }
                if let Some(ast::Ident::Name(n)) = name.segments.last().map(|s| &s.ident) {
                    for e in found.entities {
                        scope.declare(*n, e);
                    }
                }
            }
            ast::DeclKind::FpPragma(p) => self.apply_fp_pragma(*p),
            ast::DeclKind::Function(f) => {
                // A declaration of a function elsewhere; lookup finds the function itself.
                if !matches!(f.body, ast::FunctionBody::None) {
                    let d = Diagnostic::error(
                        "nested-function",
                        f.name.span,
                        "functions cannot be defined inside functions",
                    )
                    .help("use a lambda");
                    self.report(d);
                }
            }
            ast::DeclKind::Empty | ast::DeclKind::Error => {}
            _ => self.error("invalid-local-declaration", d.span, "this cannot be declared inside a function"),
        }
    }

    fn namespace_named(&mut self, name: &ast::Name) -> Option<crate::lookup::Qualifier> {
        let found = self.lookup(name);
        match found.entities.first() {
            Some(Entity::Namespace(ns)) => Some(crate::lookup::Qualifier::Namespace(*ns)),
            _ => {
                self.report(crate::diagnose::unknown_namespace(name));
                None
            }
        }
    }

    /// The enumeration of `using enum`.
    pub fn enum_named(&mut self, name: &ast::Name) -> Option<Rc<EnumDef>> {
        let found = self.lookup(name);
        if found.is_error {
            return None;
        }
        for entity in &found.entities {
            if let Entity::Enum(def) = entity {
                return Some(def.clone());
            }
        }
        if found.entities.is_empty() {
            self.report_unknown(name);
            return None;
        }
        let ty = self.resolve_type(&ast::TypeExpr {
            kind: ast::TypeExprKind::Named { name: name.clone(), has_typename: false },
            span: name.span,
        });
        match *self.kind(ty.ty) {
            TyKind::Enum(e) => Some(self.enum_infos[e.0 as usize].def.clone()),
            TyKind::Error => None,
            _ => {
                let message = format!("'using enum' names an enumeration, and '{}' is none", self.type_name(ty));
                self.error("invalid-using", name.span, message);
                None
            }
        }
    }

    fn declare_embedded_locals(&mut self, ty: &ast::TypeExpr) {
        match &ty.kind {
            ast::TypeExprKind::Class(c) => {
                let resolved = self.embedded_class(c, None);
                if c.members.is_some() {
                    self.require_complete(resolved.ty, c.span);
                }
            }
            ast::TypeExprKind::Enum(e) => {
                let def = self.embedded_enum_def(e);
                let scope = self.scope.clone();
                if let Some(ast::Ident::Name(n)) = e.name.as_ref().and_then(|n| n.segments.last()).map(|s| &s.ident) {
                    scope.declare(*n, Entity::Enum(def.clone()));
                }
                if !e.is_scoped {
                    for (i, enumerator) in e.enumerators.iter().flatten().enumerate() {
                        scope.declare(enumerator.name, Entity::Enumerator(def.clone(), i as u32));
                    }
                }
            }
            ast::TypeExprKind::Qualified { inner, .. }
            | ast::TypeExprKind::Pointer(inner)
            | ast::TypeExprKind::Array { element: inner, .. } => self.declare_embedded_locals(inner),
            _ => {}
        }
    }

    pub fn check_static_assert(&mut self, condition: &ast::Expr, message: Option<Symbol>, span: Span) {
        let what = "the condition of a static_assert";
        let value = self.early(what, condition.span, |c| {
            c.unevaluated += 1;
            let e = c.check_condition(condition);
            c.unevaluated -= 1;
            c.evaluate_required(&e, what)
        });
        if let Some(Const::Scalar(0)) = value {
            let text = match message {
                Some(m) => format!("static assertion failed: {m}"),
                None => "static assertion failed".into(),
            };
            let at = if condition.span.is_none() { span } else { condition.span };
            self.error("static-assert", at, text);
        }
    }
}

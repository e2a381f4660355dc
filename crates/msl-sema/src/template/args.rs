//! Template arguments: from syntax to values, defaults, and the expansion of packs.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::entity::*;
use crate::types::*;

impl Checker<'_> {
    /// Arguments for every parameter: written ones first, then defaults. Reports and gives `None` when they do not fit.
    pub fn resolve_template_args(
        &mut self,
        params: &[ast::TemplateParam],
        written: &[ast::TemplateArg],
        param_scope: &Rc<Scope>,
        span: Span,
        name: Symbol,
    ) -> Option<Vec<Arg>> {
        let expanded = self.expand_written_args(written)?;
        let mut next = expanded.iter();
        let mut args: Vec<Arg> = Vec::new();
        for (i, param) in params.iter().enumerate() {
            if param.is_pack {
                let mut pack = Vec::new();
                for (arg, scope) in next.by_ref() {
                    pack.push(self.resolve_template_arg(params, i, arg, scope, &args, param_scope)?);
                }
                args.push(Arg::Pack(pack));
                continue;
            }
            match next.next() {
                Some((arg, scope)) => {
                    let arg = self.resolve_template_arg(params, i, arg, scope, &args, param_scope)?;
                    args.push(arg);
                }
                None => match self.default_template_arg(params, i, &args, param_scope) {
                    Some(result) => args.push(result?),
                    None => {
                        let needed = params.iter().filter(|p| !p.is_pack && !has_default(p)).count();
                        let message = format!("'{name}' needs {needed} template arguments, not {}", expanded.len());
                        self.report(
                            Diagnostic::error("too-few-template-arguments", span, message)
                                .note_at(param.span, "this parameter has no argument"),
                        );
                        return None;
                    }
                },
            }
        }
        if next.next().is_some() {
            let message = format!("'{name}' takes {} template arguments, not {}", params.len(), expanded.len());
            self.error("too-many-template-arguments", span, message);
            return None;
        }
        Some(args)
    }

    /// Leading arguments of a function template; what is missing is deduced.
    pub fn resolve_leading_args(
        &mut self,
        params: &[ast::TemplateParam],
        written: &[(ast::TemplateArg, Rc<Scope>)],
        param_scope: &Rc<Scope>,
    ) -> Option<Vec<Arg>> {
        let mut next = written.iter();
        let mut args: Vec<Arg> = Vec::new();
        for (i, param) in params.iter().enumerate() {
            if param.is_pack {
                let mut pack = Vec::new();
                for (arg, scope) in next.by_ref() {
                    pack.push(self.resolve_template_arg(params, i, arg, scope, &args, param_scope)?);
                }
                args.push(Arg::Pack(pack));
                break;
            }
            let Some((arg, scope)) = next.next() else { break };
            let arg = self.resolve_template_arg(params, i, arg, scope, &args, param_scope)?;
            args.push(arg);
        }
        if let Some((extra, _)) = next.next() {
            let _ = extra;
            self.error("too-many-template-arguments", Span::NONE, "too many template arguments");
            return None;
        }
        Some(args)
    }

    /// Each argument with the scope to read it in; pack expansions repeat their pattern.
    pub fn expand_written_args(&mut self, written: &[ast::TemplateArg]) -> Option<Vec<(ast::TemplateArg, Rc<Scope>)>> {
        let mut out = Vec::new();
        for arg in written {
            match arg {
                ast::TemplateArg::Pack(inner) => {
                    let mut names = Vec::new();
                    crate::walk::names_in_arg(inner, &mut names);
                    for scope in self.expansion_scopes(&names, Span::NONE)? {
                        out.push(((**inner).clone(), scope));
                    }
                }
                other => out.push((other.clone(), self.scope.clone())),
            }
        }
        Some(out)
    }

    fn resolve_template_arg(
        &mut self,
        params: &[ast::TemplateParam],
        index: usize,
        arg: &ast::TemplateArg,
        scope: &Rc<Scope>,
        before: &[Arg],
        param_scope: &Rc<Scope>,
    ) -> Option<Arg> {
        let scope = scope.clone();
        match &params[index].kind {
            ast::TemplateParamKind::Type { .. } => {
                let ty = self.in_scope(&scope, |c| c.type_of_arg(arg));
                (!ty.is_error()).then_some(Arg::Type(ty))
            }
            ast::TemplateParamKind::Template { .. } => {
                self.in_scope(&scope, |c| c.template_of_arg(arg)).map(Arg::Template)
            }
            ast::TemplateParamKind::Value { ty, .. } => {
                let e = self.in_scope(&scope, |c| c.expr_of_arg(arg))?;
                let target = self.value_param_type(params, ty, before, param_scope)?;
                let refers = target.is_none() && matches!(ty.kind, ast::TypeExprKind::LValueRef(_));
                self.in_scope(&scope, |c| c.value_arg(&e, target, refers))
            }
        }
    }

    /// `None` for `auto`.
    fn value_param_type(
        &mut self,
        params: &[ast::TemplateParam],
        ty: &ast::TypeExpr,
        before: &[Arg],
        param_scope: &Rc<Scope>,
    ) -> Option<Option<QualTy>> {
        if crate::resolve::mentions_auto(ty) {
            return Some(None);
        }
        let scope = Scope::params(param_scope, crate::resolve::bind_params(params, before));
        let ty = self.in_scope(&scope, |c| c.resolve_type(ty));
        let ty = self.adjust_param(ty);
        (!ty.is_error()).then_some(Some(ty))
    }

    /// `refers` of what is taken for `auto &`.
    fn value_arg(&mut self, e: &ast::Expr, target: Option<QualTy>, refers: bool) -> Option<Arg> {
        self.early("a template argument", e.span, |c| c.value_arg_inner(e, target, refers))
    }

    fn value_arg_inner(&mut self, e: &ast::Expr, target: Option<QualTy>, refers: bool) -> Option<Arg> {
        self.unevaluated += 1;
        let mut reference = target.map(|t| t.ty).filter(|t| self.program.types.is_reference(*t));
        let expr = match target {
            Some(t) => self.check_expr_converted(e, t),
            None if refers => {
                let v = self.check_expr(e);
                reference = v.space().map(|space| self.types().reference(v.ty(), v.quals, space, false));
                match reference {
                    Some(ty) => {
                        let pointer = self.storage_type(ty.into());
                        self.address_of_lvalue(v.expr, pointer, e.span)
                    }
                    None => self.rvalue(v),
                }
            }
            None => {
                let v = self.check_expr_or_function(e);
                self.rvalue(v)
            }
        };
        self.unevaluated -= 1;
        if expr.ty == Ty::ERROR {
            return None;
        }
        let value = self.evaluate_required(&expr, "a template argument")?;
        match value {
            Const::Scalar(bits) => Some(Arg::Value { bits, ty: expr.ty }),
            Const::Pointer(None) => Some(Arg::Value { bits: 0, ty: expr.ty }),
            value if self.constant_expr(&value, expr.ty, e.span).is_some() => {
                Some(Arg::Object { value: Rc::new(value), ty: reference.take().unwrap_or(expr.ty) })
            }
            _ => {
                self.error(
                    "invalid-template-argument",
                    e.span,
                    "a template argument cannot point to what is no constant of the program's scope",
                );
                None
            }
        }
    }

    /// `None`: there is no default. `Some(None)`: it is wrong.
    pub fn default_template_arg(
        &mut self,
        params: &[ast::TemplateParam],
        index: usize,
        before: &[Arg],
        param_scope: &Rc<Scope>,
    ) -> Option<Option<Arg>> {
        let scope = Scope::params(param_scope, crate::resolve::bind_params(params, before));
        match &params[index].kind {
            ast::TemplateParamKind::Type { default } => {
                let t = default.as_ref()?;
                let ty = self.in_scope(&scope, |c| c.resolve_type(t));
                Some((!ty.is_error()).then_some(Arg::Type(ty)))
            }
            ast::TemplateParamKind::Value { ty, default } => {
                let e = default.as_ref()?;
                let target = self.value_param_type(params, ty, before, param_scope);
                Some(target.and_then(|t| self.in_scope(&scope, |c| c.value_arg(e, t, false))))
            }
            ast::TemplateParamKind::Template { default, .. } => {
                let name = default.as_ref()?;
                let arg = ast::TemplateArg::Ambiguous(name.clone());
                Some(self.in_scope(&scope, |c| c.template_of_arg(&arg)).map(Arg::Template))
            }
        }
    }

    // ---- packs -----------------------------------------------------------------------------

    /// One scope per element of the packs among `names`. Reports packs of different length and patterns without packs.
    pub fn expansion_scopes(&mut self, names: &[Symbol], span: Span) -> Option<Vec<Rc<Scope>>> {
        let mut packs: Vec<(Symbol, Vec<Entity>)> = Vec::new();
        for name in names {
            if packs.iter().any(|(n, _)| n == name) {
                continue;
            }
            let found = self.lookup_unqualified(crate::declare::NameKey::Name(*name));
            match found.entities.first() {
                Some(Entity::Param(Binding::Bound(Arg::Pack(args)))) => {
                    let list = args.iter().map(|a| Entity::Param(Binding::Bound(a.clone()))).collect();
                    packs.push((*name, list));
                }
                Some(Entity::LocalPack(vars)) => {
                    packs.push((*name, vars.iter().map(|v| Entity::Local(v.clone())).collect()));
                }
                _ => {}
            }
        }
        let Some(len) = packs.first().map(|(_, l)| l.len()) else {
            self.error("no-pack-to-expand", span, "there is no parameter pack to expand here");
            return None;
        };
        if let Some((name, other)) = packs.iter().find(|(_, l)| l.len() != len) {
            let message =
                format!("the packs '{}' and '{name}' have different lengths ({len} and {})", packs[0].0, other.len());
            self.error("pack-length-mismatch", span, message);
            return None;
        }
        let mut scopes = Vec::new();
        for i in 0..len {
            let scope = Scope::block(&self.scope);
            for (name, list) in &packs {
                scope.declare(*name, list[i].clone());
            }
            scopes.push(scope);
        }
        Some(scopes)
    }

    pub fn expand_pack_type(&mut self, pattern: &ast::TypeExpr, f: &mut dyn FnMut(&mut Self, QualTy)) {
        let pattern = match &pattern.kind {
            ast::TypeExprKind::Pack(inner) => inner,
            _ => pattern,
        };
        let mut names = Vec::new();
        crate::walk::names_in_type(pattern, &mut names);
        let Some(scopes) = self.expansion_scopes(&names, pattern.span) else { return };
        for scope in scopes {
            let ty = self.in_scope(&scope, |c| c.resolve_type(pattern));
            f(self, ty);
        }
    }
}

pub fn has_default(p: &ast::TemplateParam) -> bool {
    match &p.kind {
        ast::TemplateParamKind::Type { default } => default.is_some(),
        ast::TemplateParamKind::Value { default, .. } => default.is_some(),
        ast::TemplateParamKind::Template { default, .. } => default.is_some(),
    }
}

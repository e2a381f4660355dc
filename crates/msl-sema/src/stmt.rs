//! Statements.

use std::rc::Rc;

use msl_base::{Diagnostic, Span, Symbol};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::entity::*;
use crate::expr::{Value, constant, rvalue_expr};
use crate::hir::{self, ExprKind, LoopHint, StmtKind};
use crate::template::CallArg;
use crate::types::*;

fn hint(pragma: ast::LoopPragma) -> LoopHint {
    match pragma {
        ast::LoopPragma::None => LoopHint::None,
        ast::LoopPragma::Unroll(n) => LoopHint::Unroll(n),
        ast::LoopPragma::NoUnroll => LoopHint::NoUnroll,
    }
}

/// Whether control can reach the end of a block.
pub fn falls_through(block: &[hir::Stmt]) -> bool {
    match block.last().map(|s| &s.kind) {
        None => true,
        Some(StmtKind::Return(_) | StmtKind::Break | StmtKind::Continue) => false,
        Some(StmtKind::Block(b)) => falls_through(b),
        Some(StmtKind::If { then, otherwise, .. }) => falls_through(then) || falls_through(otherwise),
        Some(StmtKind::For { condition, body, .. }) => {
            let endless = condition.as_ref().is_none_or(|c| matches!(c.kind, ExprKind::Constant(b) if b != 0));
            !endless || has_break(body)
        }
        Some(StmtKind::DoWhile { body, condition, .. }) => {
            let endless = matches!(condition.kind, ExprKind::Constant(b) if b != 0);
            (!endless && falls_through(body)) || has_break(body)
        }
        Some(StmtKind::Switch { cases, .. }) => {
            !cases.iter().any(|c| c.is_default)
                || cases.iter().any(|c| has_break(&c.body))
                || cases.last().is_none_or(|c| falls_through(&c.body))
        }
        Some(StmtKind::Expr(e)) => !matches!(
            e.kind,
            ExprKind::Intrinsic { intrinsic: msl_stdlib::Intrinsic::Unreachable | msl_stdlib::Intrinsic::Trap, .. }
        ),
        Some(StmtKind::Variable { .. }) => true,
    }
}

/// A `break` that leaves the loop or switch the block is the body of.
fn has_break(block: &[hir::Stmt]) -> bool {
    block.iter().any(|s| match &s.kind {
        StmtKind::Break => true,
        StmtKind::Block(b) => has_break(b),
        StmtKind::If { then, otherwise, .. } => has_break(then) || has_break(otherwise),
        _ => false,
    })
}

impl Checker<'_> {
    /// The outermost block of a function: parameters and its locals share no scope, but may not clash silently.
    pub fn check_function_block(&mut self, body: &ast::Stmt, out: &mut hir::Block) {
        self.in_block(|c| match &body.kind {
            ast::StmtKind::Compound(stmts) => c.check_stmts(stmts, out),
            _ => c.check_stmt(body, out),
        });
    }

    fn check_stmts(&mut self, stmts: &[ast::Stmt], out: &mut hir::Block) {
        let fp = self.fp;
        for s in stmts {
            self.check_stmt(s, out);
        }
        self.fp = fp;
    }

    fn check_block(&mut self, s: &ast::Stmt) -> hir::Block {
        let mut out = Vec::new();
        self.in_block(|c| match &s.kind {
            ast::StmtKind::Compound(stmts) => c.check_stmts(stmts, &mut out),
            _ => c.check_stmt(s, &mut out),
        });
        out
    }

    pub fn check_stmt(&mut self, s: &ast::Stmt, out: &mut hir::Block) {
        self.nested(s.span, |_| (), |c| c.check_stmt_inner(s, out));
    }

    fn check_stmt_inner(&mut self, s: &ast::Stmt, out: &mut hir::Block) {
        let span = s.span;
        let mut push = |kind: StmtKind| out.push(hir::Stmt { kind, span });
        match &s.kind {
            ast::StmtKind::Compound(_) => {
                let block = self.check_block(s);
                push(StmtKind::Block(block));
            }
            ast::StmtKind::Decl(decls) => {
                for d in decls {
                    self.check_local_decl(d, out);
                }
            }
            ast::StmtKind::StructuredBinding { names, ty, init } => {
                self.check_structured_binding(names, ty, init, span, out)
            }
            ast::StmtKind::Expr(e) => {
                // `(f(xs), ...);` with nothing to expand, and plain expressions.
                let v = self.check_expr(e);
                if !v.is_error() {
                    push(StmtKind::Expr(v.expr));
                }
            }
            ast::StmtKind::If { init, condition, is_constexpr, then, otherwise } => {
                self.check_if(init.as_deref(), condition, *is_constexpr, then, otherwise.as_deref(), span, out);
            }
            ast::StmtKind::Switch { init, condition, body } => {
                self.check_switch(init.as_deref(), condition, body, span, out)
            }
            ast::StmtKind::Case { body, .. } | ast::StmtKind::Default(body) => {
                self.error("misplaced-case", span, "a case label belongs directly into the block of a switch");
                self.check_stmt(body, out);
            }
            ast::StmtKind::While { condition, body, hint: h } => {
                let block = self.in_block(|c| {
                    let mut prologue = Vec::new();
                    match condition {
                        ast::Condition::Expr(e) => {
                            let cond = c.check_condition(e);
                            let body = c.check_loop_body(body);
                            StmtKind::For { condition: Some(cond), step: None, body, hint: hint(*h) }
                        }
                        ast::Condition::Decl(v) => {
                            // The variable is made anew for each round.
                            let cond = c.check_condition_decl(v, &mut prologue);
                            let mut rounds = prologue;
                            let leave = hir::Stmt { kind: StmtKind::Break, span };
                            let test = StmtKind::If { condition: cond, then: Vec::new(), otherwise: vec![leave] };
                            rounds.push(hir::Stmt { kind: test, span });
                            rounds.extend(c.check_loop_body(body));
                            StmtKind::For { condition: None, step: None, body: rounds, hint: hint(*h) }
                        }
                    }
                });
                push(block);
            }
            ast::StmtKind::DoWhile { body, condition, hint: h } => {
                let body = self.check_loop_body(body);
                let condition = self.check_condition(condition);
                push(StmtKind::DoWhile { body, condition, hint: hint(*h) });
            }
            ast::StmtKind::For { init, condition, step, body, hint: h } => {
                let mut block = Vec::new();
                self.in_block(|c| {
                    if let Some(i) = init {
                        c.check_stmt(i, &mut block);
                    }
                    let mut rounds = Vec::new();
                    let condition = match condition {
                        None => None,
                        Some(ast::Condition::Expr(e)) => Some(c.check_condition(e)),
                        Some(ast::Condition::Decl(v)) => {
                            let cond = c.check_condition_decl(v, &mut rounds);
                            let leave = hir::Stmt { kind: StmtKind::Break, span };
                            let test = StmtKind::If { condition: cond, then: Vec::new(), otherwise: vec![leave] };
                            rounds.push(hir::Stmt { kind: test, span });
                            None
                        }
                    };
                    let step = step.as_ref().map(|e| c.check_expr(e).expr);
                    rounds.extend(c.check_loop_body(body));
                    block.push(hir::Stmt {
                        kind: StmtKind::For { condition, step, body: rounds, hint: hint(*h) },
                        span,
                    });
                });
                if let [_] = &block[..] {
                    out.append(&mut block);
                } else {
                    out.push(hir::Stmt { kind: StmtKind::Block(block), span });
                }
            }
            ast::StmtKind::RangeFor { variable, range, body, hint: h } => {
                self.check_range_for(variable, range, body, hint(*h), span, out);
            }
            ast::StmtKind::Break => {
                if self.fcx.loop_depth == 0 && self.fcx.switch_depth == 0 {
                    self.error("misplaced-break", span, "'break' is only meaningful inside a loop or switch");
                    return;
                }
                push(StmtKind::Break);
            }
            ast::StmtKind::Continue => {
                if self.fcx.loop_depth == 0 {
                    self.error("misplaced-continue", span, "'continue' is only meaningful inside a loop");
                    return;
                }
                push(StmtKind::Continue);
            }
            ast::StmtKind::Return(value) => self.check_return(value.as_ref(), span, out),
            ast::StmtKind::FpPragma(p) => self.apply_fp_pragma(*p),
            ast::StmtKind::Empty | ast::StmtKind::Error => {}
        }
    }

    fn check_loop_body(&mut self, body: &ast::Stmt) -> hir::Block {
        self.fcx.loop_depth += 1;
        let block = self.check_block(body);
        self.fcx.loop_depth -= 1;
        block
    }

    fn check_condition_decl(&mut self, v: &std::sync::Arc<ast::VariableDecl>, out: &mut hir::Block) -> hir::Expr {
        self.check_local_variable(v, out);
        let operand = self.check_name(&v.name);
        match operand {
            crate::expr::Operand::Value(value) => self.condition(value, v.span),
            _ => crate::conversion::error_expr(v.span),
        }
    }

    fn check_local_decl(&mut self, d: &ast::Decl, out: &mut hir::Block) {
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
                self.error("unknown-namespace", name.span, "no namespace of this name is declared");
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
        self.unevaluated += 1;
        let e = self.check_condition(condition);
        self.unevaluated -= 1;
        if e.ty == Ty::ERROR {
            return;
        }
        if let Some(Const::Scalar(0)) = self.evaluate_required(&e, "the condition of a static_assert") {
            let text = match message {
                Some(m) => format!("static assertion failed: {m}"),
                None => "static assertion failed".into(),
            };
            let at = if condition.span.is_none() { span } else { condition.span };
            self.error("static-assert", at, text);
        }
    }

    // ---- if and switch -----------------------------------------------------------------------

    fn check_if(
        &mut self,
        init: Option<&ast::Stmt>,
        condition: &ast::Condition,
        is_constexpr: bool,
        then: &ast::Stmt,
        otherwise: Option<&ast::Stmt>,
        span: Span,
        out: &mut hir::Block,
    ) {
        let mut block = Vec::new();
        self.in_block(|c| {
            if let Some(i) = init {
                c.check_stmt(i, &mut block);
            }
            let cond = match condition {
                ast::Condition::Expr(e) => c.check_condition(e),
                ast::Condition::Decl(v) => c.check_condition_decl(v, &mut block),
            };
            if is_constexpr {
                let known = c.evaluate_required(&cond, "the condition of 'if constexpr'");
                match known {
                    Some(Const::Scalar(0)) => {
                        if let Some(s) = otherwise {
                            let b = c.check_block(s);
                            block.push(hir::Stmt { kind: StmtKind::Block(b), span });
                        }
                    }
                    Some(_) => {
                        let b = c.check_block(then);
                        block.push(hir::Stmt { kind: StmtKind::Block(b), span });
                    }
                    None => {}
                }
                return;
            }
            let known = match cond.kind {
                ExprKind::Constant(bits) if cond.ty == Ty::BOOL => Some(bits != 0),
                _ => None,
            };
            c.fcx.dead += u32::from(known == Some(false));
            let a = c.check_block(then);
            c.fcx.dead -= u32::from(known == Some(false));
            c.fcx.dead += u32::from(known == Some(true));
            let b = otherwise.map(|s| c.check_block(s)).unwrap_or_default();
            c.fcx.dead -= u32::from(known == Some(true));
            let kind = match known {
                Some(true) => StmtKind::Block(a),
                Some(false) => StmtKind::Block(b),
                None => StmtKind::If { condition: cond, then: a, otherwise: b },
            };
            block.push(hir::Stmt { kind, span });
        });
        match block.len() {
            1 => out.append(&mut block),
            _ => out.push(hir::Stmt { kind: StmtKind::Block(block), span }),
        }
    }

    fn check_switch(
        &mut self,
        init: Option<&ast::Stmt>,
        condition: &ast::Condition,
        body: &ast::Stmt,
        span: Span,
        out: &mut hir::Block,
    ) {
        let mut block = Vec::new();
        self.in_block(|c| {
            if let Some(i) = init {
                c.check_stmt(i, &mut block);
            }
            let v = match condition {
                ast::Condition::Expr(e) => c.check_expr(e),
                ast::Condition::Decl(v) => {
                    c.check_local_variable(v, &mut block);
                    match c.check_name(&v.name) {
                        crate::expr::Operand::Value(v) => v,
                        _ => Value::error(span),
                    }
                }
            };
            let v = c.builtin_operand(v, Some(Ty::INT));
            let at = v.expr.span;
            let e = c.rvalue(v);
            let (label_ty, scalar) = match *c.kind(e.ty) {
                TyKind::Scalar(s) if s.is_integer() => (None, crate::conversion::promoted(s)),
                TyKind::Enum(id) => {
                    let scoped = c.program.enums[id].is_scoped;
                    c.complete_enum(id);
                    let s = c.program.enums[id].underlying;
                    (Some(e.ty).filter(|_| scoped), crate::conversion::promoted(s))
                }
                TyKind::Error => (None, Scalar::Int),
                _ => {
                    let name = c.type_name(e.ty);
                    c.error(
                        "invalid-switch",
                        at,
                        format!("a switch chooses by an integer or enumeration, not by '{name}'"),
                    );
                    (None, Scalar::Int)
                }
            };
            let value = if e.ty == Ty::ERROR { e } else { c.convert_scalar(e, scalar) };
            let mut cases: Vec<hir::Case> = Vec::new();
            c.fcx.switch_depth += 1;
            c.in_block(|c| {
                let stmts = match &body.kind {
                    ast::StmtKind::Compound(stmts) => &stmts[..],
                    _ => std::slice::from_ref(body),
                };
                for s in stmts {
                    c.check_case_stmt(s, label_ty, scalar, &mut cases);
                }
            });
            c.fcx.switch_depth -= 1;
            block.push(hir::Stmt { kind: StmtKind::Switch { value, cases }, span });
        });
        match block.len() {
            1 => out.append(&mut block),
            _ => out.push(hir::Stmt { kind: StmtKind::Block(block), span }),
        }
    }

    fn check_case_stmt(&mut self, s: &ast::Stmt, label_ty: Option<Ty>, scalar: Scalar, cases: &mut Vec<hir::Case>) {
        let mut s = s;
        let mut opened = false;
        loop {
            let (values, is_default, body) = match &s.kind {
                ast::StmtKind::Case { value, upper, body } => {
                    let lo = self.case_value(value, label_ty, scalar);
                    let hi = upper.as_ref().map_or(lo, |u| self.case_value(u, label_ty, scalar));
                    let values = match (lo, hi) {
                        (Some(lo), Some(hi)) if hi < lo => {
                            self.error("empty-case-range", s.span, "this range of cases is empty");
                            Vec::new()
                        }
                        (Some(lo), Some(hi)) if hi.saturating_sub(lo) > 4096 => {
                            self.error("unsupported-case-range", s.span, "this range of cases is too long");
                            Vec::new()
                        }
                        (Some(lo), Some(hi)) => (lo..=hi).collect(),
                        _ => Vec::new(),
                    };
                    (values, false, body)
                }
                ast::StmtKind::Default(body) => (Vec::new(), true, body),
                _ => break,
            };
            for v in &values {
                if cases.iter().any(|c| c.values.contains(v)) {
                    self.error("duplicate-case", s.span, format!("there is a case for {v} already"));
                }
            }
            if is_default && cases.iter().any(|c| c.is_default) {
                self.error("duplicate-case", s.span, "there is a default already");
            }
            match cases.last_mut() {
                // Labels in a row share one body.
                Some(case) if opened => {
                    case.values.extend(values);
                    case.is_default |= is_default;
                }
                _ => cases.push(hir::Case { values, is_default, body: Vec::new() }),
            }
            opened = true;
            s = body;
        }
        let mut out = Vec::new();
        self.check_stmt(s, &mut out);
        match cases.last_mut() {
            Some(case) => case.body.extend(out),
            None => {
                if !out.is_empty()
                    && !matches!(out[..], [hir::Stmt { kind: StmtKind::Variable { init: None, .. }, .. }])
                {
                    self.report(Diagnostic::warning(
                        "unreachable-code",
                        s.span,
                        "nothing in front of the first case is ever run",
                    ));
                }
            }
        }
    }

    fn case_value(&mut self, e: &ast::Expr, label_ty: Option<Ty>, scalar: Scalar) -> Option<i64> {
        let v = self.check_expr(e);
        if v.is_error() {
            return None;
        }
        let expr = match label_ty {
            Some(t) => {
                let converted = self.convert(v, t.into(), e.span);
                if converted.ty == Ty::ERROR {
                    return None;
                }
                self.convert_scalar(converted, scalar)
            }
            None => self.convert(v, Ty::scalar(scalar).into(), e.span),
        };
        match self.evaluate_required(&expr, "the value of a case")? {
            Const::Scalar(bits) => Some(crate::constant::sign_extend(bits, scalar)),
            _ => None,
        }
    }

    // ---- return ------------------------------------------------------------------------------

    fn check_return(&mut self, value: Option<&ast::Initializer>, span: Span, out: &mut hir::Block) {
        let Some(init) = value else {
            match self.fcx.ret {
                None => self.fcx.ret = Some(Ty::VOID.into()),
                Some(t) if t.ty != Ty::VOID && !t.is_error() => {
                    let name = self.type_name(t);
                    self.error("missing-return-value", span, format!("this function returns '{name}'"));
                }
                _ => {}
            }
            out.push(hir::Stmt { kind: StmtKind::Return(None), span });
            return;
        };
        let ret = match self.fcx.ret {
            Some(t) => t,
            None => {
                let e = match init {
                    ast::Initializer::Copy(e) => e,
                    _ => {
                        self.error("auto-list", span, "the result type cannot be deduced from a list in braces");
                        return;
                    }
                };
                let arg = self.check_operand_arg(e);
                if let CallArg::Value(v) = &arg
                    && (v.ty() == Ty::VOID || v.is_error())
                {
                    let ty = v.ty();
                    self.fcx.ret = Some(ty.into());
                    if ty == Ty::VOID {
                        out.push(hir::Stmt { kind: StmtKind::Expr(v.expr.clone()), span });
                        out.push(hir::Stmt { kind: StmtKind::Return(None), span });
                    }
                    return;
                }
                let Some(written) = self.fcx.auto_ret.clone() else { return };
                let Some(auto) = self.deduce_auto(&written, &arg, span) else {
                    self.fcx.ret = Some(QualTy::ERROR);
                    return;
                };
                let outer = self.auto_binding.replace(auto);
                let mut ty = self.resolve_type(&written);
                self.auto_binding = outer;
                if !self.program.types.is_reference(ty.ty) {
                    ty = ty.ty.into();
                }
                self.fcx.ret = Some(ty);
                let value = self.convert_arg(&arg, ty, e.span);
                if value.ty != Ty::ERROR {
                    out.push(hir::Stmt { kind: StmtKind::Return(Some(value)), span });
                }
                return;
            }
        };
        if ret.ty == Ty::VOID {
            if let ast::Initializer::Copy(e) = init {
                let v = self.check_expr(e);
                if v.ty() == Ty::VOID {
                    out.push(hir::Stmt { kind: StmtKind::Expr(v.expr), span });
                    out.push(hir::Stmt { kind: StmtKind::Return(None), span });
                    return;
                }
                if v.is_error() {
                    return;
                }
            }
            self.error("unexpected-return-value", span, "this function returns nothing");
            return;
        }
        if ret.is_error() {
            if let ast::Initializer::Copy(e) = init {
                self.check_operand_arg(e);
            }
            return;
        }
        let value = self.check_initializer(ret, init, span);
        if value.ty != Ty::ERROR {
            out.push(hir::Stmt { kind: StmtKind::Return(Some(value)), span });
        } else {
            // Keeps what follows from being taken for a missing return.
            out.push(hir::Stmt { kind: StmtKind::Return(None), span });
        }
    }

    // ---- structured bindings and range-for -----------------------------------------------------

    fn check_structured_binding(
        &mut self,
        names: &[(Symbol, Span)],
        ty: &ast::TypeExpr,
        init: &ast::Expr,
        span: Span,
        out: &mut hir::Block,
    ) {
        let object = self.bind_range(ty, init, "binding", span, out);
        let scope = self.scope.clone();
        let declare_errors = || {
            for (n, _) in names {
                scope.declare(*n, Entity::Bound(Rc::new(Value::error(span))));
            }
        };
        let Some(object) = object else { return declare_errors() };
        let count = match *self.kind(object.ty()) {
            TyKind::Array { len, .. } => len.unwrap_or(0) as usize,
            TyKind::Class(c) => {
                self.complete_class(c, span);
                match self.program.classes[c].special {
                    hir::SpecialClass::Array { len } => len as usize,
                    _ => self.classes[c.0 as usize].fields.iter().filter(|f| !f.is_base).count(),
                }
            }
            _ => {
                let name = self.type_name(object.ty());
                self.error("invalid-binding", span, format!("'{name}' cannot be taken apart"));
                return declare_errors();
            }
        };
        if count != names.len() {
            let name = self.type_name(object.ty());
            let message = format!("'{name}' has {count} parts, and there are {} names", names.len());
            self.error("binding-count", span, message);
            return declare_errors();
        }
        for (i, (name, at)) in names.iter().enumerate() {
            let part = self.part(object.clone(), i, *at);
            scope.declare(*name, Entity::Bound(Rc::new(part)));
        }
    }

    /// The i-th element or member.
    fn part(&mut self, object: Value, i: usize, span: Span) -> Value {
        match *self.kind(object.ty()) {
            TyKind::Class(c) => {
                if let hir::SpecialClass::Array { .. } = self.program.classes[c].special {
                    let inner = self.field_value(object, c, &[0], span);
                    return self.part(inner, i, span);
                }
                let fields = &self.classes[c.0 as usize].fields;
                let index = fields.iter().enumerate().filter(|(_, f)| !f.is_base).nth(i).map_or(0, |(k, _)| k as u32);
                self.field_value(object, c, &[index], span)
            }
            _ => {
                let index = Value::rvalue(constant(i as u64, Ty::INT, span));
                self.subscript(object, index, span)
            }
        }
    }

    /// Evaluates what is bound or iterated over once: a copy for `auto`, the object itself for references.
    fn bind_range(
        &mut self,
        ty: &ast::TypeExpr,
        init: &ast::Expr,
        name: &str,
        span: Span,
        out: &mut hir::Block,
    ) -> Option<Value> {
        let v = self.check_expr(init);
        if v.is_error() {
            return None;
        }
        let by_reference = matches!(ty.kind, ast::TypeExprKind::LValueRef(_) | ast::TypeExprKind::RValueRef(_));
        let is_const = match &ty.kind {
            ast::TypeExprKind::LValueRef(t) | ast::TypeExprKind::RValueRef(t) => {
                matches!(&t.kind, ast::TypeExprKind::Qualified { quals, .. } if quals.is_const)
            }
            ast::TypeExprKind::Qualified { quals, .. } => quals.is_const,
            _ => false,
        };
        let add = Quals { is_const, is_volatile: false };
        let mut object = if by_reference && v.is_lvalue() {
            let space = v.space().unwrap_or(AddressSpace::Thread);
            let pointer = self.types().pointer(v.ty(), v.quals, space);
            let address = self.address_of_lvalue(v.expr, pointer, span);
            let local = self.hidden_local(name, address, out);
            let loaded = self.rvalue(local);
            self.deref(loaded, span)
        } else {
            let value = match self.kind(v.ty()) {
                TyKind::Array { .. } if v.is_lvalue() => {
                    let (ty, at) = (v.ty(), v.expr.span);
                    rvalue_expr(ExprKind::Load(Box::new(v.expr)), ty, at)
                }
                _ => self.copy_of(v, span),
            };
            self.hidden_local(name, value, out)
        };
        object.quals = object.quals.with(add);
        Some(object)
    }

    fn check_range_for(
        &mut self,
        variable: &std::sync::Arc<ast::VariableDecl>,
        range: &ast::Expr,
        body: &ast::Stmt,
        hint: LoopHint,
        span: Span,
        out: &mut hir::Block,
    ) {
        let mut block = Vec::new();
        self.in_block(|c| {
            let reference = ast::TypeExpr {
                kind: ast::TypeExprKind::RValueRef(Box::new(ast::TypeExpr { kind: ast::TypeExprKind::Auto, span })),
                span,
            };
            let Some(object) = c.bind_range(&reference, range, "range", span, &mut block) else { return };
            let array = match *c.kind(object.ty()) {
                TyKind::Array { len: Some(n), .. } => Some((object.clone(), n)),
                TyKind::Class(class) => match c.program.classes[class].special {
                    hir::SpecialClass::Array { len } => Some((c.field_value(object.clone(), class, &[0], span), len)),
                    _ => None,
                },
                _ => None,
            };
            match array {
                Some((array, len)) => {
                    let zero = constant(0, Ty::UINT, span);
                    let index = c.hidden_local("index", zero, &mut block);
                    let loaded = c.rvalue(index.clone());
                    let end = constant(len, Ty::UINT, span);
                    let kind = ExprKind::Compare(hir::CompareOp::Lt, Box::new(loaded.clone()), Box::new(end));
                    let condition = rvalue_expr(kind, Ty::BOOL, span);
                    let element = c.subscript(array, Value::rvalue(loaded), span);
                    let step = c.step_of(index, span);
                    let rounds = c.range_round(variable, element, body, span);
                    let kind = StmtKind::For { condition: Some(condition), step: Some(step), body: rounds, hint };
                    block.push(hir::Stmt { kind, span });
                }
                None => c.check_iterator_for(variable, object, body, hint, span, &mut block),
            }
        });
        out.push(hir::Stmt { kind: StmtKind::Block(block), span });
    }

    fn step_of(&mut self, v: Value, span: Span) -> hir::Expr {
        self.unary(ast::UnaryOperator::PreIncrement, v, span).expr
    }

    fn range_round(
        &mut self,
        variable: &std::sync::Arc<ast::VariableDecl>,
        element: Value,
        body: &ast::Stmt,
        span: Span,
    ) -> hir::Block {
        let mut round = Vec::new();
        self.in_block(|c| {
            // The element is found under a name no program can write.
            let hidden = Symbol::new("__element");
            let scope = c.scope.clone();
            scope.declare(hidden, Entity::Bound(Rc::new(element)));
            let segment = ast::NameSegment { ident: ast::Ident::Name(hidden), template_args: None, span };
            let name = ast::Name { is_global: false, segments: vec![segment], span };
            let mut v = ast::VariableDecl::clone(variable);
            v.init = Some(ast::Initializer::Copy(ast::Expr { kind: ast::ExprKind::Name(name), span }));
            c.check_local_variable(&std::sync::Arc::new(v), &mut round);
            round.extend(c.check_loop_body(body));
        });
        round
    }

    /// `begin()` and `end()`, as members or functions.
    fn check_iterator_for(
        &mut self,
        variable: &std::sync::Arc<ast::VariableDecl>,
        object: Value,
        body: &ast::Stmt,
        hint: LoopHint,
        span: Span,
        block: &mut hir::Block,
    ) {
        let mut ends = Vec::new();
        for name in ["begin", "end"] {
            let key = crate::declare::NameKey::Name(Symbol::new(name));
            let members = match *self.kind(object.ty()) {
                TyKind::Class(c) => self.lookup_in_class(c, key),
                _ => Vec::new(),
            };
            let is_member = !members.is_empty();
            let mut functions: Vec<Rc<FnDef>> = members
                .into_iter()
                .filter_map(|e| match e {
                    Entity::Function(f) => Some(f),
                    _ => None,
                })
                .collect();
            let args = if is_member { Vec::new() } else { vec![CallArg::Value(object.clone())] };
            if !is_member {
                self.lookup_by_arguments(key, &[object.ty()], &mut functions);
            }
            let this = is_member.then_some(&object);
            match self.resolve_overload(&functions, None, this, &args, true, span) {
                Ok(chosen) => {
                    let object = is_member.then(|| object.clone());
                    ends.push(self.finish_call(chosen, object, &args, span));
                }
                Err(_) => {
                    let ty = self.type_name(QualTy { space: None, ..object.qual_ty() });
                    self.error("not-a-range", span, format!("'{ty}' has no '{name}' to iterate with"));
                    return;
                }
            }
        }
        let (Some(end), Some(begin)) = (ends.pop(), ends.pop()) else { return };
        if begin.is_error() || end.is_error() {
            return;
        }
        let (begin, end) = (self.copy_of(begin, span), self.copy_of(end, span));
        let it = self.hidden_local("it", begin, block);
        let end = self.hidden_local("end", end, block);
        let differs = self.binary(ast::BinaryOperator::Ne, it.clone(), end, span, span);
        let condition = self.condition(differs, span);
        let step = self.unary(ast::UnaryOperator::PreIncrement, it.clone(), span);
        let element = self.unary(ast::UnaryOperator::Deref, it, span);
        if element.is_error() || step.is_error() || condition.ty == Ty::ERROR {
            return;
        }
        let rounds = self.range_round(variable, element, body, span);
        let kind = StmtKind::For { condition: Some(condition), step: Some(step.expr), body: rounds, hint };
        block.push(hir::Stmt { kind, span });
    }
}

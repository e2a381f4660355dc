//! `if`, `if constexpr` and `switch`.

use msl_base::{Diagnostic, Span};
use msl_syntax::ast;

use crate::checker::Checker;
use crate::constant::Const;
use crate::expr::Value;
use crate::hir::{self, ExprKind, StmtKind};
use crate::types::*;

impl Checker<'_> {
    pub(super) fn check_if(
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
            let (cond, late) = c.noting_late(|c| {
                c.asking_early(is_constexpr, |c| match condition {
                    ast::Condition::Expr(e) => c.check_condition(e),
                    ast::Condition::Decl(v) => c.check_condition_decl(v, &mut block),
                })
            });
            if is_constexpr {
                let what = "the condition of 'if constexpr'";
                let known = c.evaluate_required(&cond, what);
                if let (Some(name), Some(_)) = (late, &known) {
                    c.report_late(what, name, cond.span);
                }
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

    pub(super) fn check_switch(
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
            self.check_skipped_initializers(s.span, cases);
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

    /// A label cannot lead into the life of a variable past its initializer.
    fn check_skipped_initializers(&mut self, span: Span, cases: &[hir::Case]) {
        let skipped = cases.iter().flat_map(|c| &c.body).find_map(|s| match &s.kind {
            StmtKind::Variable { local, init: Some(_) } => Some((*local, s.span)),
            _ => None,
        });
        let Some((local, declared)) = skipped else { return };
        let name = self.fcx.locals[local].name.map_or("", msl_base::Symbol::as_str);
        let at = Span { end: span.end.min(span.start + 4), ..span };
        let d = Diagnostic::error(
            "skipped-initializer",
            at,
            format!("the jump to this label would skip the initialization of '{name}'"),
        )
        .note_at(declared, "the variable is declared here, and known up to the end of the switch")
        .help("put what belongs to one case in braces: 'case 1: { … }'");
        self.report(d);
    }

    fn case_value(&mut self, e: &ast::Expr, label_ty: Option<Ty>, scalar: Scalar) -> Option<i64> {
        self.early("the value of a case", e.span, |c| c.case_value_inner(e, label_ty, scalar))
    }

    fn case_value_inner(&mut self, e: &ast::Expr, label_ty: Option<Ty>, scalar: Scalar) -> Option<i64> {
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
}

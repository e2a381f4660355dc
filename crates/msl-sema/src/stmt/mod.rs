//! Statements.
//!
//! Here: loops, jumps, `return`. Declarations are in `decl.rs`, `if` and `switch` in `branch.rs`, structured bindings
//! and range-based `for` in `range.rs`.

mod branch;
mod decl;
mod range;

use msl_base::Span;
use msl_syntax::ast;

use crate::checker::Checker;
use crate::expr::{Value, rvalue_expr};
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

    /// `({ …; value; })`: the value of the last statement, if that is an expression.
    pub fn check_statement_expr(&mut self, body: &ast::Stmt, span: Span) -> Value {
        let ast::StmtKind::Compound(stmts) = &body.kind else { return Value::error(span) };
        if self.fcx.function.is_none() && self.unevaluated == 0 {
            self.error("misplaced-statements", span, "statements in an expression belong into a function");
            return Value::error(span);
        }
        let mut out = Vec::new();
        let fp = self.fp;
        let value = self.in_block(|c| {
            let (value, before) = match stmts.split_last() {
                Some((ast::Stmt { kind: ast::StmtKind::Expr(e), .. }, before)) => (Some(e), before),
                _ => (None, &stmts[..]),
            };
            c.check_stmts(before, &mut out);
            value.map(|e| {
                let v = c.check_expr(e);
                c.copy_of(v, e.span)
            })
        });
        self.fp = fp;
        if value.as_ref().is_some_and(|v| v.ty == Ty::ERROR) {
            return Value::error(span);
        }
        let ends = out.iter().any(
            |s| matches!(s.kind, StmtKind::Variable { local, .. } if self.has_destructor(self.fcx.locals[local].ty)),
        );
        if ends {
            return self.value_before_lives_end(out, value, span);
        }
        let ty = value.as_ref().map_or(Ty::VOID, |v| v.ty);
        Value::rvalue(rvalue_expr(ExprKind::Block(out, value.map(Box::new)), ty, span))
    }

    /// `({ T result; { …; result = value; } result; })`: the variables end their lives with the inner block.
    fn value_before_lives_end(&mut self, mut inner: hir::Block, value: Option<hir::Expr>, span: Span) -> Value {
        let statement = |kind| hir::Stmt { kind, span };
        let Some(value) = value.filter(|v| v.ty != Ty::VOID) else {
            let block = vec![statement(StmtKind::Block(inner))];
            return Value::rvalue(rvalue_expr(ExprKind::Block(block, None), Ty::VOID, span));
        };
        let ty = value.ty;
        let local = self.fcx.locals.push(hir::Local { name: None, ty, align: 0, span });
        let category = hir::Category::LValue(AddressSpace::Thread);
        let result = hir::Expr { kind: ExprKind::Local(local), ty, category, span };
        let kind = ExprKind::Assign { left: Box::new(result.clone()), right: Box::new(value) };
        inner.push(statement(StmtKind::Expr(hir::Expr { kind, ty, category, span })));
        let declared = statement(StmtKind::Variable { local, init: None });
        let block = vec![declared, statement(StmtKind::Block(inner))];
        let read = rvalue_expr(ExprKind::Load(Box::new(result)), ty, span);
        Value::rvalue(rvalue_expr(ExprKind::Block(block, Some(Box::new(read))), ty, span))
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
}

//! Visits every expression of a block, operands after what holds them.

use msl_sema::hir::{Block, Expr, ExprKind, Stmt, StmtKind};

pub fn walk_block<'e>(block: &'e Block, visit: &mut impl FnMut(&'e Expr)) {
    block.iter().for_each(|stmt| walk_stmt(stmt, visit));
}

fn walk_stmt<'e>(stmt: &'e Stmt, visit: &mut impl FnMut(&'e Expr)) {
    match &stmt.kind {
        StmtKind::Variable { init, .. } => init.iter().for_each(|e| walk_expr(e, visit)),
        StmtKind::Expr(e) => walk_expr(e, visit),
        StmtKind::Block(block) => walk_block(block, visit),
        StmtKind::If { condition, then, otherwise } => {
            walk_expr(condition, visit);
            walk_block(then, visit);
            walk_block(otherwise, visit);
        }
        StmtKind::For { condition, step, body, .. } => {
            condition.iter().chain(step).for_each(|e| walk_expr(e, visit));
            walk_block(body, visit);
        }
        StmtKind::DoWhile { body, condition, .. } => {
            walk_block(body, visit);
            walk_expr(condition, visit);
        }
        StmtKind::Switch { value, cases } => {
            walk_expr(value, visit);
            cases.iter().for_each(|c| walk_block(&c.body, visit));
        }
        StmtKind::Return(value) => value.iter().for_each(|e| walk_expr(e, visit)),
        StmtKind::Break | StmtKind::Continue => {}
    }
}

pub fn walk_expr<'e>(expr: &'e Expr, visit: &mut impl FnMut(&'e Expr)) {
    visit(expr);
    match &expr.kind {
        ExprKind::Local(_)
        | ExprKind::Global(_)
        | ExprKind::Constant(_)
        | ExprKind::String(_)
        | ExprKind::Zero
        | ExprKind::Builtin(_)
        | ExprKind::Error => {}
        ExprKind::Deref(e)
        | ExprKind::Field { base: e, .. }
        | ExprKind::Swizzle { base: e, .. }
        | ExprKind::Temporary(e)
        | ExprKind::Load(e)
        | ExprKind::AddressOf(e)
        | ExprKind::Unary(_, e, _)
        | ExprKind::IncDec { operand: e, .. }
        | ExprKind::Convert(_, e) => walk_expr(e, visit),
        ExprKind::Index { base: a, index: b }
        | ExprKind::Binary(_, a, b, _)
        | ExprKind::Compare(_, a, b)
        | ExprKind::And(a, b)
        | ExprKind::Or(a, b)
        | ExprKind::Comma(a, b)
        | ExprKind::PointerOffset { base: a, offset: b }
        | ExprKind::PointerDifference(a, b)
        | ExprKind::Assign { left: a, right: b }
        | ExprKind::CompoundAssign { left: a, right: b, .. } => {
            walk_expr(a, visit);
            walk_expr(b, visit);
        }
        ExprKind::Conditional { condition, then, otherwise } => {
            walk_expr(condition, visit);
            walk_expr(then, visit);
            walk_expr(otherwise, visit);
        }
        ExprKind::ConstructVector(list)
        | ExprKind::ConstructArray(list)
        | ExprKind::ConstructorCall { args: list, .. }
        | ExprKind::Call { args: list, .. }
        | ExprKind::Intrinsic { args: list, .. } => list.iter().for_each(|e| walk_expr(e, visit)),
        ExprKind::FillArray(list, rest) => {
            list.iter().for_each(|e| walk_expr(e, visit));
            walk_expr(rest, visit);
        }
        ExprKind::ConstructClass { fields } => fields.iter().for_each(|(_, e)| walk_expr(e, visit)),
        ExprKind::Block(block, value) => {
            walk_block(block, visit);
            value.iter().for_each(|e| walk_expr(e, visit));
        }
    }
}

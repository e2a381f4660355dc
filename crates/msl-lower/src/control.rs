//! Statements.

use msl_ir as ir;
use msl_sema::hir::{Block, Case, Expr, LoopHint, Stmt, StmtKind};

use crate::function::FunctionLowerer;
use crate::lvalue::Memory;

fn lower_hint(hint: LoopHint) -> ir::LoopHint {
    match hint {
        LoopHint::None => ir::LoopHint::None,
        LoopHint::Unroll(count) => ir::LoopHint::Unroll(count),
        LoopHint::NoUnroll => ir::LoopHint::NoUnroll,
    }
}

impl FunctionLowerer<'_, '_> {
    pub fn lower_block(&mut self, block: &Block) {
        for stmt in block {
            // What follows a jump is never executed.
            if self.has_ended() {
                return;
            }
            self.at(stmt.span, |f| f.lower_stmt(stmt));
        }
    }

    fn lower_stmt(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Variable { local, init } => {
                if let Some(init) = init {
                    let (ptr, align) = self.variable(*local);
                    self.lower_into(init, Memory { ptr, align, volatile: false });
                }
            }
            StmtKind::Expr(expr) => self.lower_void(expr),
            StmtKind::Block(block) => self.lower_block(block),
            StmtKind::If { condition, then, otherwise } => {
                let condition = self.lower_value(condition);
                let then = self.block(|f| f.lower_block(then));
                let otherwise = self.block(|f| f.lower_block(otherwise));
                self.emit_if(condition, then, otherwise);
            }
            StmtKind::For { condition, step, body, hint } => {
                self.lower_for(condition.as_ref(), step.as_ref(), body, *hint);
            }
            StmtKind::DoWhile { body, condition, hint } => self.lower_do_while(body, condition, *hint),
            StmtKind::Switch { value, cases } => self.lower_switch(value, cases),
            StmtKind::Break => match self.break_labels.last() {
                Some(&label) => self.emit_void(ir::Op::Break(label)),
                None => self.cx.error("ice-lower-break", stmt.span, "break outside of a loop or switch"),
            },
            StmtKind::Continue => match self.continue_labels.last() {
                Some(&label) => self.emit_void(ir::Op::Continue(label)),
                None => self.cx.error("ice-lower-continue", stmt.span, "continue outside of a loop"),
            },
            StmtKind::Return(value) => self.lower_return(value.as_ref()),
        }
    }

    fn lower_return(&mut self, value: Option<&Expr>) {
        let result = match (value, self.result) {
            (None, _) => None,
            (Some(value), Some(target)) => {
                let align = self.pointee(target).map_or(1, |t| self.cx.module.types.align_of(t));
                self.lower_into(value, Memory { ptr: target, align, volatile: false });
                None
            }
            (Some(value), None) if self.cx.is_void(value.ty) => {
                self.lower_void(value);
                None
            }
            (Some(value), None) => Some(self.lower_value(value)),
        };
        self.emit_void(ir::Op::Return(result));
    }

    /// Leaves the loop unless the condition holds.
    fn break_unless(&mut self, condition: &Expr, label: ir::LabelId) {
        let value = self.lower_value(condition);
        self.at(condition.span, |f| {
            let stop = f.block(|f| f.emit_void(ir::Op::Break(label)));
            f.emit_if(value, ir::Block::default(), stop);
        });
    }

    fn lower_loop_body(&mut self, body: &Block, label: ir::LabelId) {
        self.break_labels.push(label);
        self.continue_labels.push(label);
        self.lower_block(body);
        self.break_labels.pop();
        self.continue_labels.pop();
    }

    fn lower_for(&mut self, condition: Option<&Expr>, step: Option<&Expr>, body: &Block, hint: LoopHint) {
        let label = self.out.make_label();
        let body = self.block(|f| {
            if let Some(condition) = condition {
                f.break_unless(condition, label);
            }
            f.lower_loop_body(body, label);
        });
        let continuing = self.block(|f| {
            if let Some(step) = step {
                f.lower_void(step);
            }
        });
        self.emit_void(ir::Op::Loop { label, body, continuing, hint: lower_hint(hint) });
    }

    fn lower_do_while(&mut self, body: &Block, condition: &Expr, hint: LoopHint) {
        let label = self.out.make_label();
        let body = self.block(|f| f.lower_loop_body(body, label));
        let continuing = self.block(|f| f.break_unless(condition, label));
        self.emit_void(ir::Op::Loop { label, body, continuing, hint: lower_hint(hint) });
    }

    fn lower_switch(&mut self, value: &Expr, cases: &[Case]) {
        let mut value = self.lower_value(value);
        let mut ty = self.type_of(value);
        let mut scalar = self.cx.module.types.scalar_of(ty).unwrap_or(ir::Scalar::I32);
        if !scalar.is_integer() {
            scalar = ir::Scalar::I32;
            value = self.convert_to(value, scalar);
            ty = self.type_of(value);
        }
        debug_assert_eq!(self.cx.module.types.component_count(ty), 1);
        let label = self.out.make_label();
        let cases = cases
            .iter()
            .map(|case| {
                let body = self.block(|f| {
                    f.break_labels.push(label);
                    f.lower_block(&case.body);
                    f.break_labels.pop();
                });
                let values = case.values.iter().map(|&v| extend(v, scalar)).collect();
                ir::Case { values, is_default: case.is_default, body }
            })
            .collect();
        self.emit_void(ir::Op::Switch { label, value, cases });
    }
}

/// A case value as the type of the switch spells it in 64 bits.
fn extend(value: i64, scalar: ir::Scalar) -> i64 {
    match scalar {
        ir::Scalar::I8 => i64::from(value as i8),
        ir::Scalar::U8 => i64::from(value as u8),
        ir::Scalar::I16 => i64::from(value as i16),
        ir::Scalar::U16 => i64::from(value as u16),
        ir::Scalar::I32 => i64::from(value as i32),
        ir::Scalar::U32 => i64::from(value as u32),
        _ => value,
    }
}

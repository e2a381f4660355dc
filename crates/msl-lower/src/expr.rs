//! Expressions that give values.

use msl_base::Symbol;
use msl_ir as ir;
use msl_sema::hir::{self, BinaryOp, CompareOp, Conversion, Expr, ExprKind, UnaryOp};
use msl_sema::types::{Ty, TyKind};

use crate::function::FunctionLowerer;
use crate::lvalue::{ComponentIndex, Memory};
use crate::types::lower_fp;

/// Conditional operands larger than this are branched around rather than computed in vain.
const MAX_SPECULATED_NODES: u32 = 8;

impl FunctionLowerer<'_, '_> {
    /// Evaluates an expression for its effects.
    pub fn lower_void(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Assign { .. } | ExprKind::CompoundAssign { .. } => {
                self.lower_place(expr);
            }
            ExprKind::Convert(Conversion::ToVoid, inner) => self.lower_void(inner),
            ExprKind::Zero | ExprKind::Constant(_) => {}
            // Nothing is read from an object whose value is not wanted, unless it is volatile.
            ExprKind::Load(inner) => {
                let place = self.lower_place(inner);
                if matches!(&place, crate::lvalue::Place::Memory(m) if m.volatile) && !self.cx.is_aggregate(expr.ty) {
                    self.load(&place);
                }
            }
            ExprKind::Comma(first, second) => {
                self.lower_void(first);
                self.lower_void(second);
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                let condition = self.lower_value(condition);
                let then = self.block(|f| f.lower_void(then));
                let otherwise = self.block(|f| f.lower_void(otherwise));
                self.at(expr.span, |f| f.emit_if(condition, then, otherwise));
            }
            ExprKind::Block(block, value) => {
                self.lower_block(block);
                if let Some(value) = value {
                    self.lower_void(value);
                }
            }
            _ if Self::is_lvalue(expr) => {
                self.lower_place(expr);
            }
            _ if self.cx.is_aggregate(expr.ty) => {
                let (ptr, align) = self.make_temporary(expr.ty);
                self.lower_into(expr, Memory { ptr, align, volatile: false });
            }
            _ => {
                self.lower_value(expr);
            }
        }
    }

    /// The value of an expression of scalar, vector or pointer type. Lvalues are read. Calls of type `void` give the
    /// call instruction.
    pub fn lower_value(&mut self, expr: &Expr) -> ir::ValueId {
        self.at(expr.span, |f| f.lower_value_inner(expr))
    }

    fn lower_value_inner(&mut self, expr: &Expr) -> ir::ValueId {
        match &expr.kind {
            ExprKind::Constant(bits) => {
                let ty = self.cx.value_type(expr.ty);
                self.constant(*bits, ty)
            }
            ExprKind::String(text) => self.lower_string(*text, expr.ty),
            ExprKind::Zero if self.cx.is_void(expr.ty) => self.undef(expr.ty),
            ExprKind::Zero => {
                let ty = self.cx.value_type(expr.ty);
                self.constant(0, ty)
            }
            // Of two objects one is read, rather than its place be chosen: that would say nothing about where it is.
            ExprKind::Load(object) if let ExprKind::Conditional { condition, then, otherwise } = &object.kind => {
                self.lower_conditional(expr, condition, then, otherwise)
            }
            ExprKind::Load(object) => {
                let place = self.lower_place(object);
                self.load(&place)
            }
            ExprKind::AddressOf(object) => {
                let memory = self.lower_memory(object);
                let ty = self.cx.value_type(expr.ty);
                self.pointer_cast(memory.ptr, ty)
            }
            ExprKind::Unary(op, operand, fp) => {
                let value = self.lower_value(operand);
                let ty = self.type_of(value);
                let op = match op {
                    UnaryOp::Negate => ir::UnaryOp::Neg,
                    UnaryOp::Not | UnaryOp::BitNot => ir::UnaryOp::Not,
                };
                let fp = self.fp_for(ty, lower_fp(*fp));
                self.emit_fp(ir::Op::Unary(op, value), ty, fp)
            }
            ExprKind::Binary(op, left, right, fp) => {
                let left = self.lower_value(left);
                let right = self.lower_value(right);
                self.binary(*op, left, right, lower_fp(*fp))
            }
            ExprKind::Compare(op, left, right) => {
                let left = self.lower_value(left);
                let mut right = self.lower_value(right);
                let operand = self.type_of(left);
                if self.type_of(right) != operand {
                    // A null pointer constant against a pointer.
                    right = self.pointer_cast(right, operand);
                }
                let ty = self.cx.value_type(expr.ty);
                self.emit(ir::Op::Compare(lower_compare(*op), left, right), ty)
            }
            ExprKind::And(left, right) => self.lower_short_circuit(left, right, ir::BinaryOp::And),
            ExprKind::Or(left, right) => self.lower_short_circuit(left, right, ir::BinaryOp::Or),
            ExprKind::Conditional { condition, then, otherwise } => {
                if self.cx.is_void(expr.ty) {
                    self.lower_void(expr);
                    return self.undef(expr.ty);
                }
                self.lower_conditional(expr, condition, then, otherwise)
            }
            ExprKind::Comma(first, second) => {
                self.lower_void(first);
                self.lower_value(second)
            }
            ExprKind::PointerOffset { base, offset } => {
                let base = self.lower_value(base);
                let offset = self.lower_value(offset);
                let ty = self.type_of(base);
                self.emit(ir::Op::PtrOffset { base, offset }, ty)
            }
            ExprKind::PointerDifference(left, right) => {
                let a = self.lower_value(left);
                let b = self.lower_value(right);
                let i64 = self.scalar_type(ir::Scalar::I64);
                let size = self.pointee(a).map_or(1, |t| self.cx.module.types.size_of(t)).max(1);
                let bytes = self.emit(ir::Op::PtrDiff(a, b), i64);
                let size = self.constant(size, i64);
                let count = self.emit(ir::Op::Binary(ir::BinaryOp::Div, bytes, size), i64);
                let ty = self.cx.value_type(expr.ty);
                self.convert_value(count, ty)
            }
            ExprKind::IncDec { operand, is_increment, is_prefix: false } => {
                let place = self.lower_place(operand);
                let old = self.load(&place);
                let new = self.step(old, *is_increment);
                self.store(&place, new);
                old
            }
            ExprKind::Convert(conversion, inner) => self.lower_conversion(*conversion, inner, expr.ty),
            ExprKind::ConstructVector(parts) => self.lower_vector(expr.ty, parts),
            ExprKind::Call { function, args } => self.lower_call(*function, args, None, 0),
            ExprKind::Intrinsic { intrinsic, args, fp } => self.lower_intrinsic(*intrinsic, args, lower_fp(*fp), expr),
            ExprKind::Builtin(builtin) => self.lower_builtin(*builtin, expr.ty),
            ExprKind::Block(block, Some(value)) => {
                self.lower_block(block);
                self.lower_value(value)
            }
            ExprKind::Block(block, None) => {
                self.lower_block(block);
                self.undef(expr.ty)
            }
            // Components and elements of values that are not in memory.
            ExprKind::Swizzle { base, components } if !Self::is_lvalue(base) => {
                let value = self.lower_value(base);
                self.shuffle(value, components)
            }
            ExprKind::Index { base, index } if !Self::is_lvalue(base) && !self.cx.is_aggregate(base.ty) => {
                let vector = self.lower_value(base);
                match self.constant_bits(Some(index)) {
                    Some(c) if c < 4 => self.extract(vector, ComponentIndex::Constant(c as u8)),
                    _ => {
                        let index = self.lower_value(index);
                        self.extract(vector, ComponentIndex::Value(index))
                    }
                }
            }
            ExprKind::Local(_)
            | ExprKind::Global(_)
            | ExprKind::Deref(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Swizzle { .. }
            | ExprKind::Temporary(_)
            | ExprKind::Assign { .. }
            | ExprKind::CompoundAssign { .. }
            | ExprKind::IncDec { .. } => {
                let place = self.lower_place(expr);
                self.load(&place)
            }
            ExprKind::ConstructClass { .. }
            | ExprKind::ConstructArray(_)
            | ExprKind::FillArray(..)
            | ExprKind::ConstructorCall { .. } => {
                self.unexpected(expr, "aggregate where a value is wanted");
                self.undef(expr.ty)
            }
            ExprKind::Error => {
                self.unexpected(expr, "error");
                self.undef(expr.ty)
            }
        }
    }

    pub fn binary(&mut self, op: BinaryOp, left: ir::ValueId, right: ir::ValueId, fp: ir::FpFlags) -> ir::ValueId {
        let ty = self.type_of(left);
        let op = match op {
            BinaryOp::Add => ir::BinaryOp::Add,
            BinaryOp::Sub => ir::BinaryOp::Sub,
            BinaryOp::Mul => ir::BinaryOp::Mul,
            BinaryOp::Div => ir::BinaryOp::Div,
            BinaryOp::Rem => ir::BinaryOp::Rem,
            BinaryOp::Shl => ir::BinaryOp::Shl,
            BinaryOp::Shr => ir::BinaryOp::Shr,
            BinaryOp::And => ir::BinaryOp::And,
            BinaryOp::Or => ir::BinaryOp::Or,
            BinaryOp::Xor => ir::BinaryOp::Xor,
        };
        // A shift count may have another sign than what is shifted.
        let right = if self.type_of(right) == ty { right } else { self.convert_value(right, ty) };
        let fp = self.fp_for(ty, fp);
        self.emit_fp(ir::Op::Binary(op, left, right), ty, fp)
    }

    fn lower_short_circuit(&mut self, left: &Expr, right: &Expr, op: ir::BinaryOp) -> ir::ValueId {
        let bool_ty = self.scalar_type(ir::Scalar::Bool);
        let value = self.lower_value(left);
        if self.is_speculatable(right) {
            let right = self.lower_value(right);
            return self.emit(ir::Op::Binary(op, value, right), bool_ty);
        }
        let (ptr, align) = self.make_local("condition".into(), bool_ty, 0);
        let slot = Memory { ptr, align, volatile: false };
        self.store_memory(slot, value);
        let evaluate = self.block(|f| {
            let right = f.lower_value(right);
            f.store_memory(slot, right);
        });
        match op {
            ir::BinaryOp::And => self.emit_if(value, evaluate, ir::Block::default()),
            _ => self.emit_if(value, ir::Block::default(), evaluate),
        }
        self.load_memory(slot)
    }

    fn lower_conditional(&mut self, expr: &Expr, condition: &Expr, then: &Expr, otherwise: &Expr) -> ir::ValueId {
        let condition = self.lower_value(condition);
        let ty = self.cx.value_type(expr.ty);
        if self.is_speculatable(then) && self.is_speculatable(otherwise) {
            let a = self.lower_value(then);
            let b = self.lower_value(otherwise);
            return self.emit(ir::Op::Select { condition, a, b }, ty);
        }
        let (ptr, align) = self.make_local("conditional".into(), ty, 0);
        let slot = Memory { ptr, align, volatile: false };
        let arm = |f: &mut Self, e: &Expr| {
            f.block(|f| {
                let value = f.lower_value(e);
                f.store_memory(slot, value);
            })
        };
        let then = arm(self, then);
        let otherwise = arm(self, otherwise);
        self.emit_if(condition, then, otherwise);
        self.load_memory(slot)
    }

    /// Whether an expression is cheap and can be evaluated without harm where the program would not.
    fn is_speculatable(&self, expr: &Expr) -> bool {
        let mut budget = MAX_SPECULATED_NODES;
        self.speculate(expr, &mut budget)
    }

    fn speculate(&self, expr: &Expr, budget: &mut u32) -> bool {
        if *budget == 0 || self.cx.is_aggregate(expr.ty) {
            return false;
        }
        *budget -= 1;
        match &expr.kind {
            ExprKind::Constant(_) | ExprKind::Builtin(_) => true,
            ExprKind::Load(object) => self.speculate_object(object),
            ExprKind::Local(_) => self.speculate_object(expr),
            ExprKind::Unary(_, a, _) | ExprKind::Convert(Conversion::Arithmetic | Conversion::Splat, a) => {
                self.speculate(a, budget)
            }
            ExprKind::Swizzle { base, .. } if !Self::is_lvalue(base) => self.speculate(base, budget),
            ExprKind::Binary(_, a, b, _)
            | ExprKind::Compare(_, a, b)
            | ExprKind::And(a, b)
            | ExprKind::Or(a, b)
            | ExprKind::PointerOffset { base: a, offset: b } => self.speculate(a, budget) && self.speculate(b, budget),
            ExprKind::ConstructVector(parts) => parts.iter().all(|p| self.speculate(p, budget)),
            _ => false,
        }
    }

    /// Variables of the function, and components of them, can always be read.
    fn speculate_object(&self, object: &Expr) -> bool {
        match &object.kind {
            ExprKind::Local(_) => !self.cx.is_aggregate(object.ty),
            ExprKind::Swizzle { base, .. } => self.speculate_object(base),
            _ => false,
        }
    }

    fn lower_vector(&mut self, ty: Ty, parts: &[Expr]) -> ir::ValueId {
        let to = self.cx.value_type(ty);
        let elem = self.cx.module.types.scalar_of(to).unwrap_or(ir::Scalar::F32);
        let mut components = Vec::new();
        for part in parts {
            let value = self.lower_value(part);
            let value = self.convert_to(value, elem);
            let part_ty = self.type_of(value);
            if part_ty == to {
                return value;
            }
            for index in 0..self.cx.module.types.component_count(part_ty) {
                components.push(self.extract(value, ComponentIndex::Constant(index)));
            }
        }
        if components.len() != usize::from(self.cx.module.types.component_count(to)) {
            self.cx.error("ice-lower-vector", self.span, "a vector from a wrong number of components");
            return self.undef(ty);
        }
        self.emit(ir::Op::Compose(components), to)
    }

    /// A text as a pointer to its first character.
    pub fn lower_string(&mut self, text: Symbol, ty: Ty) -> ir::ValueId {
        let global = self.cx.string(text);
        let array = self.cx.module.globals[global].ty;
        let pointer = self.cx.module.types.pointer(ir::AddressSpace::Constant, array);
        let ptr = self.emit(ir::Op::GlobalAddr(global), pointer);
        let zero = self.constant_u32(0);
        let first = self.element(Memory { ptr, align: 1, volatile: false }, zero);
        if matches!(self.cx.kind(ty), TyKind::Pointer { .. }) {
            let to = self.cx.value_type(ty);
            return self.pointer_cast(first.ptr, to);
        }
        first.ptr
    }

    /// A position or size, converted to the type the program gave it.
    pub fn lower_builtin(&mut self, builtin: hir::BuiltinInput, ty: Ty) -> ir::ValueId {
        let to = self.cx.value_type(ty);
        let Some(op) = crate::entry::lower_builtin_input(builtin) else {
            // The origin of the grid.
            return self.constant(0, to);
        };
        let count = self.cx.module.types.component_count(to).max(1);
        let u32x = self.cx.module.types.vector(ir::Scalar::U32, if op.is_vector() { 3 } else { 1 });
        let value = self.emit(ir::Op::Builtin(op), u32x);
        let value = if op.is_vector() && count < 3 {
            let components: Vec<u8> = (0..count).collect();
            self.shuffle(value, &components)
        } else {
            value
        };
        self.convert_value(value, to)
    }
}

fn lower_compare(op: CompareOp) -> ir::CompareOp {
    match op {
        CompareOp::Eq => ir::CompareOp::Eq,
        CompareOp::Ne => ir::CompareOp::Ne,
        CompareOp::Lt => ir::CompareOp::Lt,
        CompareOp::Le => ir::CompareOp::Le,
        CompareOp::Gt => ir::CompareOp::Gt,
        CompareOp::Ge => ir::CompareOp::Ge,
    }
}

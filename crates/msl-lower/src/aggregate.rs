//! Classes and arrays: built in the memory that is to hold them.

use msl_ir as ir;
use msl_sema::hir::{self, Expr, ExprKind};
use msl_sema::types::{Ty, TyKind};

use crate::function::FunctionLowerer;
use crate::lvalue::Memory;

/// Arrays with more elements than this are cleared by a loop.
const MAX_UNROLLED_ELEMENTS: u64 = 32;

impl FunctionLowerer<'_, '_> {
    /// Evaluates an expression into memory of its type.
    pub fn lower_into(&mut self, expr: &Expr, target: Memory) {
        if !self.cx.is_aggregate(expr.ty) {
            let value = self.lower_value(expr);
            self.at(expr.span, |f| f.store_memory(target, value));
            return;
        }
        self.at(expr.span, |f| f.lower_aggregate_into(expr, target));
    }

    fn lower_aggregate_into(&mut self, expr: &Expr, target: Memory) {
        match &expr.kind {
            ExprKind::Zero => self.clear(target),
            ExprKind::Load(object) => {
                let source = self.lower_memory(object);
                self.copy(target, source);
            }
            ExprKind::ConstructClass { fields } => self.lower_class_into(expr.ty, fields, target),
            ExprKind::ConstructArray(elements) => self.lower_array_into(expr.ty, elements, target),
            ExprKind::FillArray(elements, rest) => self.lower_filled_array_into(expr.ty, elements, rest, target),
            ExprKind::ConstructorCall { function, args } => {
                self.lower_call(*function, args, Some(target.ptr), 1);
            }
            ExprKind::Call { function, args } => {
                self.lower_call(*function, args, Some(target.ptr), 0);
            }
            ExprKind::Conditional { condition, then, otherwise } => {
                let condition = self.lower_value(condition);
                let then = self.block(|f| f.lower_into(then, target));
                let otherwise = self.block(|f| f.lower_into(otherwise, target));
                self.emit_if(condition, then, otherwise);
            }
            ExprKind::Comma(first, second) => {
                self.lower_void(first);
                self.lower_into(second, target);
            }
            ExprKind::Block(block, value) => {
                self.lower_block(block);
                if let Some(value) = value {
                    self.lower_into(value, target);
                }
            }
            // A base class of a value: the object is made, then the part is copied.
            ExprKind::Convert(_, inner) => {
                let source = self.lower_memory(inner);
                let ty = self.type_of(target.ptr);
                let ptr = self.emit(ir::Op::PtrCast(source.ptr), ty);
                self.copy(target, Memory { ptr, ..source });
            }
            ExprKind::Error => self.unexpected(expr, "error"),
            // Everything else designates an object (a field or element of a value, an assignment, …).
            ExprKind::Local(_)
            | ExprKind::Global(_)
            | ExprKind::Deref(_)
            | ExprKind::Field { .. }
            | ExprKind::Index { .. }
            | ExprKind::Temporary(_)
            | ExprKind::Assign { .. } => {
                let source = self.lower_memory(expr);
                self.copy(target, source);
            }
            ExprKind::Intrinsic { .. }
            | ExprKind::Swizzle { .. }
            | ExprKind::Constant(_)
            | ExprKind::String(_)
            | ExprKind::AddressOf(_)
            | ExprKind::Unary(..)
            | ExprKind::Binary(..)
            | ExprKind::Compare(..)
            | ExprKind::And(..)
            | ExprKind::Or(..)
            | ExprKind::PointerOffset { .. }
            | ExprKind::PointerDifference(..)
            | ExprKind::CompoundAssign { .. }
            | ExprKind::IncDec { .. }
            | ExprKind::ConstructVector(_)
            | ExprKind::Builtin(_) => self.unexpected(expr, "scalar expression of aggregate type"),
        }
    }

    /// Copies an object. Both pointers have one pointee type.
    pub fn copy(&mut self, target: Memory, source: Memory) {
        let align = target.align.min(source.align);
        self.emit_void(ir::Op::Copy { dst: target.ptr, src: source.ptr, align });
    }

    fn lower_class_into(&mut self, ty: Ty, fields: &[(u32, Expr)], target: Memory) {
        let (count, is_union, bits) = self.cx.class(ty).map_or((0, false, Vec::new()), |c| {
            (c.fields.len() as u32, c.is_union, c.fields.iter().map(|f| f.bits).collect())
        });
        // Bit-fields are written into what is there.
        let has_bits = bits.iter().any(Option::is_some);
        if has_bits {
            self.clear(target);
        }
        for (field, value) in fields {
            let memory = self.field(target, *field);
            match bits.get(*field as usize) {
                Some(Some(bits)) => {
                    let value = self.lower_value(value);
                    self.store_bits(memory, *bits, value);
                }
                _ => self.lower_into(value, memory),
            }
        }
        if has_bits {
            return;
        }
        if is_union {
            if fields.is_empty() {
                self.clear(target);
            }
            return;
        }
        for missing in (0..count).filter(|i| fields.iter().all(|(f, _)| f != i)) {
            let memory = self.field(target, missing);
            self.clear(memory);
        }
    }

    fn lower_array_into(&mut self, ty: Ty, elements: &[Expr], target: Memory) {
        let len = match *self.cx.kind(ty) {
            TyKind::Array { len, .. } => len.unwrap_or(elements.len() as u64),
            _ => 0,
        };
        let u32 = self.scalar_type(ir::Scalar::U32);
        if len > MAX_UNROLLED_ELEMENTS && (elements.len() as u64) < len {
            self.clear(target);
        }
        for (i, value) in elements.iter().enumerate() {
            let index = self.constant(i as u64, u32);
            let memory = self.element(target, index);
            self.lower_into(value, memory);
        }
        if len <= MAX_UNROLLED_ELEMENTS {
            for i in elements.len() as u64..len {
                let index = self.constant(i, u32);
                let memory = self.element(target, index);
                self.clear(memory);
            }
        }
    }

    fn lower_filled_array_into(&mut self, ty: Ty, elements: &[Expr], rest: &Expr, target: Memory) {
        let TyKind::Array { len: Some(len), .. } = *self.cx.kind(ty) else { return };
        for (i, value) in elements.iter().enumerate() {
            let index = self.constant_u32(i as u32);
            let memory = self.element(target, index);
            self.lower_into(value, memory);
        }
        let first = elements.len() as u64;
        if len - first <= MAX_UNROLLED_ELEMENTS {
            for i in first..len {
                let index = self.constant_u32(i as u32);
                let memory = self.element(target, index);
                self.lower_into(rest, memory);
            }
            return;
        }
        self.for_each_element(target, first, len, |f, memory| f.lower_into(rest, memory));
    }

    /// Makes every byte that belongs to a value zero.
    pub fn clear(&mut self, target: Memory) {
        let Some(ty) = self.pointee(target.ptr) else { return };
        match *self.cx.module.types.get(ty) {
            ir::Type::Void => {}
            ir::Type::Scalar(_) | ir::Type::Pointer { .. } => {
                let zero = self.constant(0, ty);
                self.store_memory(target, zero);
            }
            ir::Type::Vector { elem, len, .. } => {
                let unpacked = self.cx.module.types.vector(elem, len);
                let zero = self.constant(0, unpacked);
                self.store_memory(target, zero);
            }
            ir::Type::Struct(id) => {
                let fields: Vec<(u64, u64)> = {
                    let types = &self.cx.module.types;
                    types.structure(id).fields.iter().map(|f| (f.offset, types.size_of(f.ty))).collect()
                };
                // Of fields that overlap (unions) those that reach beyond what is cleared already.
                let mut order: Vec<usize> = (0..fields.len()).collect();
                order.sort_by_key(|&i| (fields[i].0, std::cmp::Reverse(fields[i].1)));
                let mut end = 0;
                for i in order {
                    let (offset, size) = fields[i];
                    if offset + size > end {
                        end = offset + size;
                        let memory = self.field(target, i as u32);
                        self.clear(memory);
                    }
                }
            }
            ir::Type::Array { len, .. } if len <= MAX_UNROLLED_ELEMENTS => {
                for i in 0..len {
                    let index = self.constant_u32(i as u32);
                    let memory = self.element(target, index);
                    self.clear(memory);
                }
            }
            ir::Type::Array { len, .. } => self.for_each_element(target, 0, len, |f, memory| f.clear(memory)),
        }
    }

    /// A loop over the elements of an array from `first` on.
    fn for_each_element(&mut self, target: Memory, first: u64, len: u64, mut visit: impl FnMut(&mut Self, Memory)) {
        let index_ty = self.scalar_type(ir::Scalar::U32);
        let bool_ty = self.scalar_type(ir::Scalar::Bool);
        let (ptr, align) = self.make_local("index".into(), index_ty, 0);
        let counter = Memory { ptr, align, volatile: false };
        let begin = self.constant(first, index_ty);
        self.store_memory(counter, begin);
        let label = self.out.make_label();
        let body = self.block(|f| {
            let index = f.load_memory(counter);
            let end = f.constant(len, index_ty);
            let more = f.emit(ir::Op::Compare(ir::CompareOp::Lt, index, end), bool_ty);
            let stop = f.block(|f| f.emit_void(ir::Op::Break(label)));
            f.emit_if(more, ir::Block::default(), stop);
            let memory = f.element(target, index);
            visit(f, memory);
        });
        let continuing = self.block(|f| {
            let index = f.load_memory(counter);
            let next = f.step(index, true);
            f.store_memory(counter, next);
        });
        self.emit_void(ir::Op::Loop { label, body, continuing, hint: ir::LoopHint::None });
    }

    /// A call. Where the function returns an aggregate, or is a constructor, `object` is where it
    /// goes; `skip` counts the parameters of the source that come before `args` (the object of a constructor).
    pub fn lower_call(
        &mut self,
        function: hir::FunctionId,
        args: &[Expr],
        object: Option<ir::ValueId>,
        skip: usize,
    ) -> ir::ValueId {
        let program = self.cx.program;
        let constants = self.constant_arguments(function, args, skip);
        let mut values: Vec<ir::ValueId> = object.into_iter().collect();
        for arg in args {
            values.push(if self.cx.is_aggregate(arg.ty) {
                let (ptr, align) = self.make_temporary(arg.ty);
                self.lower_into(arg, Memory { ptr, align, volatile: false });
                ptr
            } else {
                self.lower_value(arg)
            });
        }
        let ret = program.functions[function].ret;
        let ty = if self.cx.is_aggregate(ret) { self.cx.module.types.void() } else { self.cx.value_type(ret) };
        let function = self.cx.function((function, constants));
        self.emit(ir::Op::Call { function, args: values }, ty)
    }

    pub fn unexpected(&mut self, expr: &Expr, what: &str) {
        self.cx.error("ice-lower", expr.span, format!("lowering met an unexpected {what}"));
    }
}

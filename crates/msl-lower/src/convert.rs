//! Conversions.

use msl_ir as ir;
use msl_sema::hir::{Category, Conversion, Expr, ExprKind};
use msl_sema::types::{Ty, TyKind};

use crate::function::FunctionLowerer;
use crate::lvalue::Memory;

impl FunctionLowerer<'_, '_> {
    /// A value as another arithmetic type, by value. Types that are equal are left alone.
    pub fn convert_value(&mut self, value: ir::ValueId, to: ir::TypeId) -> ir::ValueId {
        let from = self.type_of(value);
        if from == to {
            return value;
        }
        let (from_count, to_count) = {
            let types = &self.cx.module.types;
            (types.component_count(from), types.component_count(to))
        };
        if from_count == 1 && to_count > 1 {
            let elem = self.cx.module.types.scalar_of(to).unwrap_or(ir::Scalar::F32);
            let scalar = self.convert_to(value, elem);
            return self.emit(ir::Op::Splat(scalar), to);
        }
        self.emit(ir::Op::Convert(value), to)
    }

    /// A value with other scalars, of the same length.
    pub fn convert_to(&mut self, value: ir::ValueId, scalar: ir::Scalar) -> ir::ValueId {
        let count = self.cx.module.types.component_count(self.type_of(value)).max(1);
        let to = self.cx.module.types.vector(scalar, count);
        self.convert_value(value, to)
    }

    pub fn lower_conversion(&mut self, conversion: Conversion, inner: &Expr, ty: Ty) -> ir::ValueId {
        let to = self.cx.value_type(ty);
        match conversion {
            Conversion::Arithmetic => {
                let value = self.lower_value(inner);
                self.convert_value(value, to)
            }
            Conversion::Splat => {
                let value = self.lower_value(inner);
                let elem = self.cx.module.types.scalar_of(to).unwrap_or(ir::Scalar::F32);
                let scalar = self.convert_to(value, elem);
                if self.type_of(scalar) == to { scalar } else { self.emit(ir::Op::Splat(scalar), to) }
            }
            Conversion::Bitcast => {
                let value = self.lower_value(inner);
                self.bitcast(value, to)
            }
            // Values of both are the same.
            Conversion::Packing => {
                let value = self.lower_value(inner);
                self.convert_value(value, to)
            }
            Conversion::Pointer => {
                if matches!(self.cx.kind(inner.ty), TyKind::NullPtr) {
                    self.lower_void(inner);
                    return self.constant(0, to);
                }
                let value = self.lower_value(inner);
                match self.base_field_path(inner.ty, ty, 0) {
                    Some(path) if !path.is_empty() => self.follow(value, &path, to),
                    _ => self.pointer_cast(value, to),
                }
            }
            Conversion::PointerAdjust(offset) => {
                let value = self.lower_value(inner);
                match self.base_field_path(inner.ty, ty, offset) {
                    Some(path) => self.follow(value, &path, to),
                    None => self.offset_bytes(value, offset, to),
                }
            }
            Conversion::PointerToInteger => {
                let value = self.lower_value(inner);
                // Functions are numbers already.
                let u64 = self.scalar_type(ir::Scalar::U64);
                let bits = self.pointer_cast(value, u64);
                self.convert_value(bits, to)
            }
            Conversion::IntegerToPointer => {
                let value = self.lower_value(inner);
                let bits = self.convert_to(value, ir::Scalar::U64);
                self.pointer_cast(bits, to)
            }
            Conversion::ArrayDecay => {
                if let ExprKind::String(text) = inner.kind {
                    return self.lower_string(text, ty);
                }
                let array = self.lower_memory(inner);
                let zero = self.constant_u32(0);
                let element = self.element(array, zero);
                self.pointer_cast(element.ptr, to)
            }
            Conversion::PointerToBool => {
                let value = self.lower_value(inner);
                let pointer = self.type_of(value);
                let null = self.constant(0, pointer);
                self.emit(ir::Op::Compare(ir::CompareOp::Ne, value, null), to)
            }
            Conversion::ToVoid => {
                self.lower_void(inner);
                self.undef(ty)
            }
        }
    }

    /// The same bits as another type.
    pub fn bitcast(&mut self, value: ir::ValueId, to: ir::TypeId) -> ir::ValueId {
        let from = self.type_of(value);
        if from == to {
            return value;
        }
        let is_pointer = |f: &Self, t| matches!(f.cx.module.types.get(t), ir::Type::Pointer { .. });
        if is_pointer(self, from) || is_pointer(self, to) {
            return self.pointer_cast(value, to);
        }
        self.emit(ir::Op::Bitcast(value), to)
    }

    /// Pointers and integers of their size to each other.
    pub fn pointer_cast(&mut self, value: ir::ValueId, to: ir::TypeId) -> ir::ValueId {
        let from = self.type_of(value);
        if from == to {
            return value;
        }
        let spaces = {
            let types = &self.cx.module.types;
            (types.pointee(from).map(|p| p.0), types.pointee(to).map(|p| p.0))
        };
        match spaces {
            (Some(a), Some(b)) if a == b => self.emit(ir::Op::PtrCast(value), to),
            (Some(_), Some(_)) => {
                let u64 = self.scalar_type(ir::Scalar::U64);
                let bits = self.emit(ir::Op::PtrToInt(value), u64);
                self.emit(ir::Op::IntToPtr(bits), to)
            }
            (Some(_), None) => {
                let u64 = self.scalar_type(ir::Scalar::U64);
                let bits = self.emit(ir::Op::PtrToInt(value), u64);
                self.convert_value(bits, to)
            }
            (None, Some(_)) => {
                let bits = self.convert_to(value, ir::Scalar::U64);
                self.emit(ir::Op::IntToPtr(bits), to)
            }
            (None, None) => self.convert_value(value, to),
        }
    }

    fn offset_bytes(&mut self, value: ir::ValueId, offset: i64, to: ir::TypeId) -> ir::ValueId {
        let space = self.cx.module.types.pointee(self.type_of(value)).map_or(ir::AddressSpace::Thread, |p| p.0);
        let byte = self.scalar_type(ir::Scalar::U8);
        let bytes = self.cx.module.types.pointer(space, byte);
        let i64 = self.scalar_type(ir::Scalar::I64);
        let base = self.pointer_cast(value, bytes);
        let offset = self.constant(offset as u64, i64);
        let moved = self.emit(ir::Op::PtrOffset { base, offset }, bytes);
        self.pointer_cast(moved, to)
    }

    /// The fields that lead from a class to a base at an offset, so that the conversion stays visible as field access.
    fn base_field_path(&self, from: Ty, to: Ty, offset: i64) -> Option<Vec<u32>> {
        let pointee = |ty| match *self.cx.kind(ty) {
            TyKind::Pointer { pointee, .. } => Some(pointee),
            _ => None,
        };
        let (from, to, mut offset) = (pointee(from)?, pointee(to)?, u64::try_from(offset).ok()?);
        let mut path = Vec::new();
        let mut class = from;
        while class != to || offset != 0 {
            let fields = &self.cx.class(class)?.fields;
            // The last base that starts at or before the offset holds it; an empty base may share its offset.
            let holds = |f: &&(usize, _)| -> bool {
                let f: &msl_sema::hir::Field = f.1;
                f.is_base && f.offset <= offset
            };
            let exact = fields.iter().enumerate().find(|(_, f)| f.is_base && f.offset == offset && f.ty == to);
            let (index, field) = exact.or_else(|| fields.iter().enumerate().rev().find(|f| holds(&f)))?;
            path.push(index as u32);
            offset -= field.offset;
            class = field.ty;
            if path.len() > 64 {
                return None;
            }
        }
        Some(path)
    }

    fn follow(&mut self, value: ir::ValueId, path: &[u32], to: ir::TypeId) -> ir::ValueId {
        let mut memory = Memory { ptr: value, align: 1, volatile: false };
        for &field in path {
            memory = self.field(memory, field);
        }
        self.pointer_cast(memory.ptr, to)
    }

    /// Whether an expression is an lvalue.
    pub fn is_lvalue(expr: &Expr) -> bool {
        matches!(expr.category, Category::LValue(_))
    }
}

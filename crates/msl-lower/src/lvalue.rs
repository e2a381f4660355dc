//! Lvalues: where an object is, and reading and writing it.
//!
//! Components of vectors in `thread` memory are read and written through the whole vector, so that the vector
//! can become a value. In memory that others see a single component is stored alone: its
//! neighbors belong, perhaps, to another thread.

use msl_ir as ir;
use msl_sema::hir::{self, Category, Expr, ExprKind};
use msl_sema::types::Ty;

use crate::function::FunctionLowerer;
use crate::types::{lower_fp, lower_space};

/// An object in memory. `ptr` points to its memory type.
#[derive(Clone, Copy)]
pub struct Memory {
    pub ptr: ir::ValueId,
    /// What is known of the address.
    pub align: u32,
    pub volatile: bool,
}

#[derive(Clone)]
pub enum Place {
    Memory(Memory),
    /// One component of a vector.
    Component(Memory, ComponentIndex),
    /// Several components of a vector.
    Swizzle(Memory, Vec<u8>),
    /// A bit-field of a type in the bytes that hold it.
    Bits(Memory, hir::Bits, Ty),
}

#[derive(Clone, Copy)]
pub enum ComponentIndex {
    Constant(u8),
    Value(ir::ValueId),
}

/// The greatest power of two that divides an offset from an aligned address.
pub fn align_at(align: u32, offset: u64) -> u32 {
    if offset == 0 {
        return align;
    }
    let of_offset = 1u64 << offset.trailing_zeros().min(31);
    align.min(of_offset as u32)
}

impl FunctionLowerer<'_, '_> {
    /// The object an lvalue designates. Rvalues are given temporary storage.
    pub fn lower_place(&mut self, expr: &Expr) -> Place {
        self.at(expr.span, |f| f.lower_place_inner(expr))
    }

    fn lower_place_inner(&mut self, expr: &Expr) -> Place {
        match &expr.kind {
            ExprKind::Local(local) => {
                let (ptr, align) = self.variable(*local);
                Place::Memory(Memory { ptr, align, volatile: false })
            }
            ExprKind::Global(global) => {
                let id = self.cx.global(*global);
                let (ty, space, align) = {
                    let g = &self.cx.module.globals[id];
                    (g.ty, g.space, g.align)
                };
                let pointer = self.cx.module.types.pointer(space, ty);
                let ptr = self.emit(ir::Op::GlobalAddr(id), pointer);
                Place::Memory(Memory { ptr, align, volatile: false })
            }
            ExprKind::Deref(pointer) => {
                let ptr = self.lower_value(pointer);
                let volatile = self.cx.is_volatile_pointer(pointer.ty);
                let align = self.pointee(ptr).map_or(1, |t| self.cx.module.types.align_of(t));
                Place::Memory(Memory { ptr, align, volatile })
            }
            ExprKind::Field { base, field } => {
                let bits = self.cx.class(base.ty).and_then(|c| c.fields.get(*field as usize)).and_then(|f| f.bits);
                let base = self.lower_memory(base);
                let memory = self.field(base, *field);
                match bits {
                    Some(bits) => Place::Bits(memory, bits, expr.ty),
                    None => Place::Memory(memory),
                }
            }
            ExprKind::Index { base, index } => self.lower_index(base, index),
            ExprKind::Swizzle { base, components } => {
                let base = self.lower_place(base);
                self.swizzle(base, components)
            }
            ExprKind::Temporary(value) => {
                let (ptr, align) = self.make_temporary(value.ty);
                self.lower_into(value, Memory { ptr, align, volatile: false });
                Place::Memory(Memory { ptr, align, volatile: false })
            }
            ExprKind::Assign { left, right } => self.lower_assign(left, right),
            ExprKind::CompoundAssign { op, left, right, fp } => self.lower_compound_assign(*op, left, right, *fp),
            ExprKind::IncDec { operand, is_increment, is_prefix: true } => {
                let place = self.lower_place(operand);
                let old = self.load(&place);
                let new = self.step(old, *is_increment);
                self.store(&place, new);
                place
            }
            ExprKind::Comma(first, second) => {
                self.lower_void(first);
                self.lower_place(second)
            }
            ExprKind::Conditional { condition, then, otherwise } if matches!(expr.category, Category::LValue(_)) => {
                self.lower_conditional_place(condition, then, otherwise)
            }
            ExprKind::Block(block, Some(value)) => {
                self.lower_block(block);
                self.lower_place(value)
            }
            // A value where an object is wanted.
            _ => {
                let (ptr, align) = self.make_temporary(expr.ty);
                let memory = Memory { ptr, align, volatile: false };
                self.lower_into(expr, memory);
                Place::Memory(memory)
            }
        }
    }

    /// An object that is not part of a vector.
    pub fn lower_memory(&mut self, expr: &Expr) -> Memory {
        let place = self.lower_place(expr);
        self.memory_of(&place)
    }

    /// The address of an lvalue.
    pub fn memory_of(&mut self, place: &Place) -> Memory {
        match place {
            Place::Memory(memory) => *memory,
            Place::Component(vector, index) => self.component_address(*vector, *index),
            Place::Swizzle(vector, _) => {
                self.cx.error(
                    "ice-lower-address",
                    self.span,
                    "several components of a vector have no address to choose between",
                );
                *vector
            }
            Place::Bits(memory, ..) => {
                self.cx.error("ice-lower-address", self.span, "a bit-field has no address");
                *memory
            }
        }
    }

    pub fn pointee(&self, ptr: ir::ValueId) -> Option<ir::TypeId> {
        self.cx.module.types.pointee(self.type_of(ptr)).map(|(_, pointee)| pointee)
    }

    /// A pointer in the space of another, to something else.
    fn pointer_like(&mut self, ptr: ir::ValueId, pointee: ir::TypeId) -> ir::TypeId {
        let space = self.cx.module.types.pointee(self.type_of(ptr)).map_or(ir::AddressSpace::Thread, |(s, _)| s);
        self.cx.module.types.pointer(space, pointee)
    }

    pub fn field(&mut self, base: Memory, field: u32) -> Memory {
        let found = self.pointee(base.ptr).and_then(|ty| match *self.cx.module.types.get(ty) {
            ir::Type::Struct(id) => {
                self.cx.module.types.structure(id).fields.get(field as usize).map(|f| (f.ty, f.offset))
            }
            _ => None,
        });
        let Some((ty, offset)) = found else {
            self.cx.error("ice-lower-field", self.span, "field of something that is not a structure");
            return base;
        };
        let pointer = self.pointer_like(base.ptr, ty);
        let ptr = self.emit(ir::Op::FieldAddr { base: base.ptr, field }, pointer);
        Memory { ptr, align: align_at(base.align, offset), volatile: base.volatile }
    }

    /// Element of an array, or component of a vector, by a value.
    pub fn element(&mut self, base: Memory, index: ir::ValueId) -> Memory {
        let elem = self.pointee(base.ptr).and_then(|ty| match *self.cx.module.types.get(ty) {
            ir::Type::Array { elem, .. } => Some(elem),
            ir::Type::Vector { elem, .. } => Some(self.cx.module.types.scalar(elem)),
            _ => None,
        });
        let Some(elem) = elem else {
            self.cx.error("ice-lower-index", self.span, "element of something that is not an array");
            return base;
        };
        let stride = self.cx.module.types.size_of(elem);
        let offset = match self.out.insts[index].op {
            ir::Op::Const(value) => stride.saturating_mul(value),
            _ => stride,
        };
        let pointer = self.pointer_like(base.ptr, elem);
        let ptr = self.emit(ir::Op::IndexAddr { base: base.ptr, index }, pointer);
        Memory { ptr, align: align_at(base.align, offset), volatile: base.volatile }
    }

    fn component_address(&mut self, vector: Memory, index: ComponentIndex) -> Memory {
        let index = match index {
            ComponentIndex::Constant(value) => self.constant_u32(u32::from(value)),
            ComponentIndex::Value(value) => value,
        };
        self.element(vector, index)
    }

    fn lower_index(&mut self, base: &Expr, index: &Expr) -> Place {
        let place = self.lower_place(base);
        match place {
            Place::Memory(memory) => {
                let is_vector = self
                    .pointee(memory.ptr)
                    .is_some_and(|t| matches!(self.cx.module.types.get(t), ir::Type::Vector { .. }));
                let constant = self.constant_bits(Some(index)).and_then(|bits| u8::try_from(bits).ok());
                match constant {
                    Some(c) if is_vector && c < 4 => Place::Component(memory, ComponentIndex::Constant(c)),
                    _ => {
                        let index = self.lower_value(index);
                        if is_vector {
                            Place::Component(memory, ComponentIndex::Value(index))
                        } else {
                            Place::Memory(self.element(memory, index))
                        }
                    }
                }
            }
            Place::Swizzle(vector, components) => {
                let known = self.constant_bits(Some(index)).and_then(|bits| components.get(bits as usize).copied());
                match known {
                    Some(c) => Place::Component(vector, ComponentIndex::Constant(c)),
                    None => {
                        let message = "a swizzled vector cannot be indexed by a value that is not constant";
                        self.cx.error("unsupported-swizzle-index", index.span, message);
                        Place::Component(vector, ComponentIndex::Constant(0))
                    }
                }
            }
            // Indexing a scalar does not exist.
            Place::Component(..) | Place::Bits(..) => place,
        }
    }

    fn swizzle(&mut self, base: Place, components: &[u8]) -> Place {
        let (vector, components) = match base {
            Place::Memory(memory) => (memory, components.to_vec()),
            Place::Swizzle(memory, outer) => {
                (memory, components.iter().filter_map(|&c| outer.get(usize::from(c)).copied()).collect())
            }
            Place::Component(..) | Place::Bits(..) => return base,
        };
        match components[..] {
            [one] => Place::Component(vector, ComponentIndex::Constant(one)),
            _ => Place::Swizzle(vector, components),
        }
    }

    fn lower_conditional_place(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr) -> Place {
        let condition = self.lower_value(condition);
        let space = match then.category {
            Category::LValue(space) => lower_space(space),
            Category::RValue => ir::AddressSpace::Thread,
        };
        let pointee = self.cx.memory_type(then.ty);
        let ty = self.cx.module.types.pointer(space, pointee);
        let (slot_ptr, slot_align) = self.make_local("lvalue".into(), ty, 0);
        let slot = Memory { ptr: slot_ptr, align: slot_align, volatile: false };
        let (mut align, mut volatile) = (u32::MAX, false);
        let mut arm = |f: &mut Self, e: &Expr| {
            f.block(|f| {
                let memory = f.lower_memory(e);
                (align, volatile) = (align.min(memory.align), volatile || memory.volatile);
                f.store_memory(slot, memory.ptr);
            })
        };
        let then = arm(self, then);
        let otherwise = arm(self, otherwise);
        self.emit_if(condition, then, otherwise);
        let ptr = self.load_memory(slot);
        Place::Memory(Memory { ptr, align, volatile })
    }

    // ---- reading and writing --------------------------------------------------------------

    fn is_private(&self, memory: Memory) -> bool {
        let space = self.cx.module.types.pointee(self.type_of(memory.ptr)).map(|(space, _)| space);
        space == Some(ir::AddressSpace::Thread) && !memory.volatile
    }

    /// The type a load from a pointer gives: packed vectors are unpacked.
    fn loaded_type(&mut self, ptr: ir::ValueId) -> ir::TypeId {
        let pointee = self.pointee(ptr);
        let types = &mut self.cx.module.types;
        match pointee {
            Some(ty) => match *types.get(ty) {
                ir::Type::Vector { elem, len, packed: true } => types.vector(elem, len),
                _ => ty,
            },
            None => types.void(),
        }
    }

    pub fn load_memory(&mut self, memory: Memory) -> ir::ValueId {
        let ty = self.loaded_type(memory.ptr);
        if matches!(self.cx.module.types.get(ty), ir::Type::Void | ir::Type::Array { .. } | ir::Type::Struct(_)) {
            self.cx.error("ice-lower-load", self.span, "load of something that is not a value");
        }
        let Memory { ptr, align, volatile } = memory;
        self.emit(ir::Op::Load { ptr, align, volatile }, ty)
    }

    pub fn store_memory(&mut self, memory: Memory, value: ir::ValueId) {
        let Memory { ptr, align, volatile } = memory;
        self.emit_void(ir::Op::Store { ptr, value, align, volatile });
    }

    pub fn load(&mut self, place: &Place) -> ir::ValueId {
        match place {
            Place::Memory(memory) => self.load_memory(*memory),
            Place::Component(vector, index) if self.is_private(*vector) => {
                let value = self.load_memory(*vector);
                self.extract(value, *index)
            }
            Place::Component(vector, index) => {
                let component = self.component_address(*vector, *index);
                self.load_memory(component)
            }
            Place::Swizzle(vector, components) => {
                let value = self.load_memory(*vector);
                self.shuffle(value, components)
            }
            Place::Bits(memory, bits, ty) => self.load_bits(*memory, *bits, *ty),
        }
    }

    pub fn store(&mut self, place: &Place, value: ir::ValueId) {
        match place {
            Place::Memory(memory) => self.store_memory(*memory, value),
            Place::Component(vector, index) if self.is_private(*vector) => {
                let old = self.load_memory(*vector);
                let ty = self.type_of(old);
                let new = match *index {
                    ComponentIndex::Constant(index) => ir::Op::Insert { vector: old, value, index },
                    ComponentIndex::Value(index) => {
                        let index = self.convert_to(index, ir::Scalar::U32);
                        ir::Op::InsertDynamic { vector: old, value, index }
                    }
                };
                let new = self.emit(new, ty);
                self.store_memory(*vector, new);
            }
            Place::Component(vector, index) => {
                let component = self.component_address(*vector, *index);
                self.store_memory(component, value);
            }
            Place::Swizzle(vector, components) if self.is_private(*vector) => {
                let mut whole = self.load_memory(*vector);
                let ty = self.type_of(whole);
                for (from, &to) in components.iter().enumerate() {
                    let component = self.extract(value, ComponentIndex::Constant(from as u8));
                    whole = self.emit(ir::Op::Insert { vector: whole, value: component, index: to }, ty);
                }
                self.store_memory(*vector, whole);
            }
            Place::Swizzle(vector, components) => {
                for (from, &to) in components.iter().enumerate() {
                    let component = self.extract(value, ComponentIndex::Constant(from as u8));
                    let memory = self.component_address(*vector, ComponentIndex::Constant(to));
                    self.store_memory(memory, component);
                }
            }
            Place::Bits(memory, bits, _) => self.store_bits(*memory, *bits, value),
        }
    }

    pub fn extract(&mut self, vector: ir::ValueId, index: ComponentIndex) -> ir::ValueId {
        let ty = self.type_of(vector);
        let elem = match *self.cx.module.types.get(ty) {
            ir::Type::Vector { elem, .. } => self.scalar_type(elem),
            // A scalar is its own component.
            _ => return vector,
        };
        match index {
            ComponentIndex::Constant(index) => self.emit(ir::Op::Extract { vector, index }, elem),
            ComponentIndex::Value(index) => {
                let index = self.convert_to(index, ir::Scalar::U32);
                self.emit(ir::Op::ExtractDynamic { vector, index }, elem)
            }
        }
    }

    pub fn shuffle(&mut self, vector: ir::ValueId, components: &[u8]) -> ir::ValueId {
        let ty = self.type_of(vector);
        let (elem, len) = match *self.cx.module.types.get(ty) {
            ir::Type::Vector { elem, len, .. } => (elem, len),
            ir::Type::Scalar(scalar) => {
                let result = self.cx.module.types.vector(scalar, components.len() as u8);
                return if components.len() == 1 { vector } else { self.emit(ir::Op::Splat(vector), result) };
            }
            _ => return vector,
        };
        if let [one] = *components {
            return self.extract(vector, ComponentIndex::Constant(one));
        }
        let is_identity = components.len() == usize::from(len) && components.iter().copied().eq(0..len);
        if is_identity {
            return vector;
        }
        let result = self.cx.module.types.vector(elem, components.len() as u8);
        self.emit(ir::Op::Shuffle { vector, components: components.to_vec() }, result)
    }

    // ---- assignment ------------------------------------------------------------------------

    fn lower_assign(&mut self, left: &Expr, right: &Expr) -> Place {
        if self.cx.is_aggregate(left.ty) {
            // The right side may read what the left side holds: it is complete before anything is stored.
            let source = match &right.kind {
                ExprKind::Load(object) => self.lower_memory(object),
                _ => self.lower_memory(right),
            };
            let target = self.lower_memory(left);
            self.copy(target, source);
            return Place::Memory(target);
        }
        let value = self.lower_value(right);
        let place = self.lower_place(left);
        self.store(&place, value);
        place
    }

    fn lower_compound_assign(&mut self, op: hir::BinaryOp, left: &Expr, right: &Expr, fp: hir::FpMode) -> Place {
        let operand = self.lower_value(right);
        let place = self.lower_place(left);
        let old = self.load(&place);
        let left_ty = self.type_of(old);
        let new = if matches!(self.cx.module.types.get(left_ty), ir::Type::Pointer { .. }) {
            let mut offset = self.convert_to(operand, ir::Scalar::I64);
            if op == hir::BinaryOp::Sub {
                let ty = self.type_of(offset);
                offset = self.emit(ir::Op::Unary(ir::UnaryOp::Neg, offset), ty);
            }
            self.emit(ir::Op::PtrOffset { base: old, offset }, left_ty)
        } else {
            let ty = self.type_of(operand);
            let converted = self.convert_value(old, ty);
            let result = self.binary(op, converted, operand, lower_fp(fp));
            self.convert_value(result, left_ty)
        };
        self.store(&place, new);
        place
    }

    /// One more or one less.
    pub fn step(&mut self, value: ir::ValueId, is_increment: bool) -> ir::ValueId {
        let ty = self.type_of(value);
        let Some(scalar) = self.cx.module.types.scalar_of(ty) else {
            let i64 = self.scalar_type(ir::Scalar::I64);
            let offset = self.constant(if is_increment { 1 } else { u64::MAX }, i64);
            return self.emit(ir::Op::PtrOffset { base: value, offset }, ty);
        };
        let one = match scalar {
            ir::Scalar::F32 => 0x3f80_0000,
            ir::Scalar::F16 => 0x3c00,
            ir::Scalar::BF16 => 0x3f80,
            _ => 1,
        };
        let one = self.constant(one, ty);
        let op = match (scalar, is_increment) {
            // Incrementing a truth value makes it true.
            (ir::Scalar::Bool, true) => ir::BinaryOp::Or,
            (ir::Scalar::Bool, false) => ir::BinaryOp::Xor,
            (_, true) => ir::BinaryOp::Add,
            (_, false) => ir::BinaryOp::Sub,
        };
        self.emit(ir::Op::Binary(op, value, one), ty)
    }
}

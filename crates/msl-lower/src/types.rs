//! Types of the program to types of the IR.
//!
//! Each type has two forms: what lies in memory, and what a value of it is. They differ for
//! packed vectors only (packed in memory, plain as a value).

use msl_base::Symbol;
use msl_ir as ir;
use msl_sema::hir;
use msl_sema::types::{AddressSpace, ClassId, Scalar, Ty, TyKind};

use crate::Lowerer;

pub fn lower_scalar(scalar: Scalar) -> ir::Scalar {
    match scalar {
        Scalar::Bool => ir::Scalar::Bool,
        Scalar::Char => ir::Scalar::I8,
        Scalar::UChar => ir::Scalar::U8,
        Scalar::Short => ir::Scalar::I16,
        Scalar::UShort => ir::Scalar::U16,
        Scalar::Int => ir::Scalar::I32,
        Scalar::UInt => ir::Scalar::U32,
        Scalar::Long => ir::Scalar::I64,
        Scalar::ULong => ir::Scalar::U64,
        Scalar::Half => ir::Scalar::F16,
        Scalar::BFloat => ir::Scalar::BF16,
        Scalar::Float => ir::Scalar::F32,
    }
}

pub fn lower_space(space: AddressSpace) -> ir::AddressSpace {
    match space {
        AddressSpace::Thread => ir::AddressSpace::Thread,
        AddressSpace::Device => ir::AddressSpace::Device,
        AddressSpace::Constant => ir::AddressSpace::Constant,
        AddressSpace::Threadgroup => ir::AddressSpace::Threadgroup,
    }
}

pub fn lower_fp(mode: hir::FpMode) -> ir::FpFlags {
    match mode {
        hir::FpMode::Strict => ir::FpFlags::STRICT,
        hir::FpMode::Contract => ir::FpFlags::CONTRACT,
        hir::FpMode::Fast => ir::FpFlags::FAST,
    }
}

impl Lowerer<'_> {
    pub fn kind(&self, ty: Ty) -> &TyKind {
        self.program.types.kind(ty)
    }

    /// Whether objects of the type live in memory only.
    pub fn is_aggregate(&self, ty: Ty) -> bool {
        matches!(self.kind(ty), TyKind::Class(_) | TyKind::Array { .. })
    }

    pub fn is_void(&self, ty: Ty) -> bool {
        matches!(self.kind(ty), TyKind::Void)
    }

    /// The type of a value. Aggregates have none; they give their type in memory.
    pub fn value_type(&mut self, ty: Ty) -> ir::TypeId {
        if let Some(&found) = self.value_types.get(&ty) {
            return found;
        }
        let lowered = match *self.kind(ty) {
            TyKind::PackedVector(elem, len) => self.module.types.vector(lower_scalar(elem), len),
            _ => self.memory_type(ty),
        };
        self.value_types.insert(ty, lowered);
        lowered
    }

    /// The type of an object in memory.
    pub fn memory_type(&mut self, ty: Ty) -> ir::TypeId {
        if let Some(&found) = self.memory_types.get(&ty) {
            return found;
        }
        let lowered = match *self.kind(ty) {
            // Errors have been reported and functions have no objects; any type does.
            TyKind::Error | TyKind::Void | TyKind::Function { .. } => self.module.types.void(),
            TyKind::NullPtr => {
                let byte = self.module.types.scalar(ir::Scalar::U8);
                self.module.types.pointer(ir::AddressSpace::Thread, byte)
            }
            TyKind::Scalar(scalar) => self.module.types.scalar(lower_scalar(scalar)),
            TyKind::Vector(elem, len) => self.module.types.vector(lower_scalar(elem), len),
            TyKind::PackedVector(elem, len) => self.module.types.packed_vector(lower_scalar(elem), len),
            // Functions and members are designated by numbers.
            TyKind::MemberPointer { .. } => self.module.types.scalar(ir::Scalar::U64),
            TyKind::Pointer { pointee, .. } if matches!(self.kind(pointee), TyKind::Function { .. }) => {
                self.module.types.scalar(ir::Scalar::U64)
            }
            TyKind::Pointer { pointee, space, .. } => self.pointer_type(space, pointee),
            TyKind::Reference { referent, space, .. } => self.pointer_type(space, referent),
            TyKind::Array { element, len, .. } => {
                let elem = self.memory_type(element);
                self.module.types.array(elem, len.unwrap_or(0))
            }
            // Interned before its fields are looked at: they may hold pointers to it.
            TyKind::Class(class) => return self.class_type(class),
            TyKind::Enum(id) => {
                let underlying = self.program.enums[id].underlying;
                self.module.types.scalar(lower_scalar(underlying))
            }
        };
        self.memory_types.insert(ty, lowered);
        lowered
    }

    /// Pointers to `void` are pointers to bytes.
    fn pointer_type(&mut self, space: AddressSpace, pointee: Ty) -> ir::TypeId {
        let pointee = match self.kind(pointee) {
            TyKind::Void | TyKind::Function { .. } | TyKind::Error => self.module.types.scalar(ir::Scalar::U8),
            _ => self.memory_type(pointee),
        };
        self.module.types.pointer(lower_space(space), pointee)
    }

    fn class_type(&mut self, id: ClassId) -> ir::TypeId {
        if let Some(&found) = self.structs.get(&id) {
            return found;
        }
        let program = self.program;
        let class = &program.classes[id];
        let (name, size, align) = (class.name, class.size, class.align.max(1));
        let structure = self.module.types.add_struct(ir::Struct { name, fields: Vec::new(), size, align });
        let ty = self.module.types.intern(ir::Type::Struct(structure));
        self.structs.insert(id, ty);
        let mut fields = Vec::with_capacity(class.fields.len());
        for (index, field) in class.fields.iter().enumerate() {
            let name = field.name.unwrap_or_else(|| Symbol::new(&format!("field{index}")));
            let ty = match field.bits {
                // The bytes that hold them; other bit-fields may share the first and the last.
                Some(bits) => {
                    let byte = self.module.types.scalar(ir::Scalar::U8);
                    self.module.types.array(byte, bits.byte_count())
                }
                None => self.memory_type(field.ty),
            };
            fields.push(ir::Field { name, ty, offset: field.offset });
        }
        self.module.types.define_struct(structure, ir::Struct { name, fields, size, align });
        ty
    }

    /// The class behind a class type.
    pub fn class(&self, ty: Ty) -> Option<&hir::Class> {
        match *self.kind(ty) {
            TyKind::Class(id) => Some(&self.program.classes[id]),
            _ => None,
        }
    }

    /// Whether accesses through a pointer of this type are volatile.
    pub fn is_volatile_pointer(&self, ty: Ty) -> bool {
        match self.kind(ty) {
            TyKind::Pointer { quals, .. } | TyKind::Reference { quals, .. } => quals.is_volatile,
            _ => false,
        }
    }
}

//! Types of the IR, interned in a [`TypeTable`]; sizes and alignments as MSL defines them
//! (MSL specification, section 2).

use msl_base::{Arena, FxMap, Symbol};

msl_base::define_id!(
    /// A type of a [`TypeTable`]. Equal types have equal ids.
    pub struct TypeId, "t"
);
msl_base::define_id!(
    /// A structure of a [`TypeTable`].
    pub struct StructId, "struct"
);

/// Scalar types. `Bool` is one byte in memory, 0 or 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scalar {
    Bool,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F16,
    BF16,
    F32,
}

impl Scalar {
    pub const ALL: [Scalar; 12] = [
        Scalar::Bool,
        Scalar::I8,
        Scalar::U8,
        Scalar::I16,
        Scalar::U16,
        Scalar::I32,
        Scalar::U32,
        Scalar::I64,
        Scalar::U64,
        Scalar::F16,
        Scalar::BF16,
        Scalar::F32,
    ];

    /// Size in bytes, in memory.
    pub fn size(self) -> u32 {
        self.bits().div_ceil(8)
    }
    /// Width of the value; 1 for `Bool`.
    pub fn bits(self) -> u32 {
        match self {
            Scalar::Bool => 1,
            Scalar::I8 | Scalar::U8 => 8,
            Scalar::I16 | Scalar::U16 | Scalar::F16 | Scalar::BF16 => 16,
            Scalar::I32 | Scalar::U32 | Scalar::F32 => 32,
            Scalar::I64 | Scalar::U64 => 64,
        }
    }
    pub fn is_float(self) -> bool {
        matches!(self, Scalar::F16 | Scalar::BF16 | Scalar::F32)
    }
    /// An integer type, not `Bool`.
    pub fn is_integer(self) -> bool {
        !self.is_float() && self != Scalar::Bool
    }
    pub fn is_signed(self) -> bool {
        matches!(self, Scalar::I8 | Scalar::I16 | Scalar::I32 | Scalar::I64) || self.is_float()
    }
    /// The spelling in MSL; for people.
    pub fn msl_name(self) -> &'static str {
        match self {
            Scalar::Bool => "bool",
            Scalar::I8 => "char",
            Scalar::U8 => "uchar",
            Scalar::I16 => "short",
            Scalar::U16 => "ushort",
            Scalar::I32 => "int",
            Scalar::U32 => "uint",
            Scalar::I64 => "long",
            Scalar::U64 => "ulong",
            Scalar::F16 => "half",
            Scalar::BF16 => "bfloat",
            Scalar::F32 => "float",
        }
    }
    /// The spelling in the text form.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "bool",
            Scalar::I8 => "i8",
            Scalar::U8 => "u8",
            Scalar::I16 => "i16",
            Scalar::U16 => "u16",
            Scalar::I32 => "i32",
            Scalar::U32 => "u32",
            Scalar::I64 => "i64",
            Scalar::U64 => "u64",
            Scalar::F16 => "f16",
            Scalar::BF16 => "bf16",
            Scalar::F32 => "f32",
        }
    }
}

/// Address spaces (MSL specification, section 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AddressSpace {
    Thread,
    Device,
    Constant,
    Threadgroup,
}

impl AddressSpace {
    pub fn name(self) -> &'static str {
        match self {
            AddressSpace::Thread => "thread",
            AddressSpace::Device => "device",
            AddressSpace::Constant => "constant",
            AddressSpace::Threadgroup => "threadgroup",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    Void,
    Scalar(Scalar),
    /// 2 to 4 components. `packed` changes the layout in memory only: a load gives the unpacked type.
    Vector {
        elem: Scalar,
        len: u8,
        packed: bool,
    },
    /// Memory only.
    Array {
        elem: TypeId,
        len: u64,
    },
    /// Memory only.
    Struct(StructId),
    /// Size 8. The pointee is any type that can be in memory.
    Pointer {
        space: AddressSpace,
        pointee: TypeId,
    },
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    pub name: Symbol,
    pub ty: TypeId,
    /// Byte offset from the start of the structure.
    pub offset: u64,
}

/// A structure with an explicit layout. Fields may overlap (unions) and need not be aligned (packed ones). Nominal: two structures
/// are two types even when their fields agree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Struct {
    pub name: Symbol,
    pub fields: Vec<Field>,
    pub size: u64,
    pub align: u32,
}

#[derive(Clone, Debug, Default)]
pub struct TypeTable {
    types: Arena<TypeId, Type>,
    ids: FxMap<Type, TypeId>,
    structs: Arena<StructId, Struct>,
}

impl TypeTable {
    pub fn new() -> TypeTable {
        TypeTable::default()
    }
    pub fn intern(&mut self, ty: Type) -> TypeId {
        if let Some(&id) = self.ids.get(&ty) {
            return id;
        }
        let id = self.types.push(ty.clone());
        self.ids.insert(ty, id);
        id
    }
    pub fn find(&self, ty: &Type) -> Option<TypeId> {
        self.ids.get(ty).copied()
    }
    pub fn get(&self, id: TypeId) -> &Type {
        &self.types[id]
    }
    pub fn iter(&self) -> impl Iterator<Item = (TypeId, &Type)> {
        self.types.iter()
    }
    pub fn add_struct(&mut self, s: Struct) -> StructId {
        self.structs.push(s)
    }
    /// Replaces the definition of a structure: for structures that hold pointers to themselves, which are
    /// first added without fields.
    pub fn define_struct(&mut self, id: StructId, s: Struct) {
        self.structs[id] = s;
    }
    pub fn structure(&self, id: StructId) -> &Struct {
        &self.structs[id]
    }
    pub fn structs(&self) -> &Arena<StructId, Struct> {
        &self.structs
    }

    pub fn void(&mut self) -> TypeId {
        self.intern(Type::Void)
    }
    pub fn scalar(&mut self, scalar: Scalar) -> TypeId {
        self.intern(Type::Scalar(scalar))
    }
    /// `len == 1` gives the scalar type.
    pub fn vector(&mut self, elem: Scalar, len: u8) -> TypeId {
        if len == 1 { self.scalar(elem) } else { self.intern(Type::Vector { elem, len, packed: false }) }
    }
    pub fn packed_vector(&mut self, elem: Scalar, len: u8) -> TypeId {
        self.intern(Type::Vector { elem, len, packed: true })
    }
    pub fn array(&mut self, elem: TypeId, len: u64) -> TypeId {
        self.intern(Type::Array { elem, len })
    }
    pub fn pointer(&mut self, space: AddressSpace, pointee: TypeId) -> TypeId {
        self.intern(Type::Pointer { space, pointee })
    }

    /// Size in bytes, in memory, trailing padding included. `Void` is 0.
    pub fn size_of(&self, id: TypeId) -> u64 {
        match *self.get(id) {
            Type::Void => 0,
            Type::Scalar(s) => u64::from(s.size()),
            Type::Vector { elem, len, packed } => {
                u64::from(elem.size()) * u64::from(if len == 3 && !packed { 4 } else { len })
            }
            Type::Array { elem, len } => self.size_of(elem).saturating_mul(len),
            Type::Struct(s) => self.structs[s].size,
            Type::Pointer { .. } => 8,
        }
    }
    /// Alignment in bytes, at least 1.
    pub fn align_of(&self, id: TypeId) -> u32 {
        match *self.get(id) {
            Type::Void => 1,
            Type::Scalar(s) => s.size(),
            Type::Vector { elem, packed: true, .. } => elem.size(),
            Type::Vector { elem, len, packed: false } => elem.size() * u32::from(if len == 3 { 4 } else { len }),
            Type::Array { elem, .. } => self.align_of(elem),
            Type::Struct(s) => self.structs[s].align,
            Type::Pointer { .. } => 8,
        }
    }
    /// The scalar type of a scalar or vector.
    pub fn scalar_of(&self, id: TypeId) -> Option<Scalar> {
        match *self.get(id) {
            Type::Scalar(s) => Some(s),
            Type::Vector { elem, .. } => Some(elem),
            _ => None,
        }
    }
    /// 1 for scalars and pointers, the component count for vectors, 0 for the rest.
    pub fn component_count(&self, id: TypeId) -> u8 {
        match *self.get(id) {
            Type::Scalar(_) | Type::Pointer { .. } => 1,
            Type::Vector { len, .. } => len,
            Type::Void | Type::Array { .. } | Type::Struct(_) => 0,
        }
    }
    /// Address space and pointee of a pointer.
    pub fn pointee(&self, id: TypeId) -> Option<(AddressSpace, TypeId)> {
        match *self.get(id) {
            Type::Pointer { space, pointee } => Some((space, pointee)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_component_vectors_are_as_large_as_four_unless_packed() {
        let mut t = TypeTable::new();
        let v3 = t.vector(Scalar::F32, 3);
        let p3 = t.packed_vector(Scalar::F32, 3);
        assert_eq!((t.size_of(v3), t.align_of(v3)), (16, 16));
        assert_eq!((t.size_of(p3), t.align_of(p3)), (12, 4));
        assert_eq!(t.vector(Scalar::F32, 3), v3);
        let a = t.array(v3, 5);
        assert_eq!(t.size_of(a), 80);
    }
}

//! Types of the MSL program: concrete always. Templates are instantiated from the syntax tree,
//! so there is no dependent type; deduction matches written types against these.

use std::collections::HashMap;

use msl_base::Arena;

msl_base::define_id!(
    /// An interned type. Equal types have equal ids.
    pub struct Ty, "ty"
);
msl_base::define_id!(
    /// A structure, class, union or closure (each specialisation is its own).
    pub struct ClassId, "class"
);
msl_base::define_id!(pub struct EnumId, "enum");

/// Arithmetic types. `long long` is `Long`; `char` is signed 8 bits; `size_t` is `ULong`, `ptrdiff_t` is `Long`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scalar {
    Bool,
    Char,
    UChar,
    Short,
    UShort,
    Int,
    UInt,
    Long,
    ULong,
    Half,
    BFloat,
    Float,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AddressSpace {
    Thread,
    Device,
    Constant,
    Threadgroup,
}

/// Cv-qualifiers of a pointee, element or object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Quals {
    pub is_const: bool,
    pub is_volatile: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum TyKind {
    /// Of an expression that already has a diagnostic; converts to and from everything silently.
    Error,
    Void,
    NullPtr,
    Scalar(Scalar),
    /// 2, 3 or 4 components.
    Vector(Scalar, u8),
    PackedVector(Scalar, u8),
    Pointer {
        pointee: Ty,
        quals: Quals,
        space: AddressSpace,
    },
    /// Types of declarations only: expressions of reference type are lvalues of the referent.
    Reference {
        referent: Ty,
        quals: Quals,
        space: AddressSpace,
        is_rvalue: bool,
    },
    /// `len` `None`: unknown bound.
    Array {
        element: Ty,
        quals: Quals,
        len: Option<u64>,
    },
    Class(ClassId),
    Enum(EnumId),
    Function {
        ret: Ty,
        params: Vec<Ty>,
    },
}

#[derive(Debug, Default, Clone)]
pub struct TyTable {
    kinds: Arena<Ty, TyKind>,
    ids: HashMap<TyKind, Ty>,
}

impl TyTable {
    pub fn intern(&mut self, kind: TyKind) -> Ty {
        if let Some(&id) = self.ids.get(&kind) {
            return id;
        }
        let id = self.kinds.push(kind.clone());
        self.ids.insert(kind, id);
        id
    }
    pub fn kind(&self, ty: Ty) -> &TyKind {
        &self.kinds[ty]
    }
}

//! Types of the MSL program: concrete always. Templates are instantiated from the syntax tree,
//! so there is no dependent type; deduction matches written types against these.

use msl_base::{Arena, FxMap};

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
    /// Of a data member: its offset plus one, or zero for null. Of a member function (`member` is a function, `quals` those of
    /// its objects): its number among those whose address is taken, plus one.
    MemberPointer {
        class: ClassId,
        member: Ty,
        quals: Quals,
    },
    Class(ClassId),
    Enum(EnumId),
    Function {
        ret: Ty,
        params: Vec<Ty>,
    },
}

#[derive(Debug, Clone)]
pub struct TyTable {
    kinds: Arena<Ty, TyKind>,
    ids: FxMap<TyKind, Ty>,
}

impl Default for TyTable {
    fn default() -> Self {
        TyTable::new()
    }
}

/// Types every table holds at the same place.
impl Ty {
    pub const ERROR: Ty = Ty(0);
    pub const VOID: Ty = Ty(1);
    pub const NULLPTR: Ty = Ty(2);
    pub const BOOL: Ty = Ty::scalar(Scalar::Bool);
    pub const CHAR: Ty = Ty::scalar(Scalar::Char);
    pub const UCHAR: Ty = Ty::scalar(Scalar::UChar);
    pub const SHORT: Ty = Ty::scalar(Scalar::Short);
    pub const USHORT: Ty = Ty::scalar(Scalar::UShort);
    pub const INT: Ty = Ty::scalar(Scalar::Int);
    pub const UINT: Ty = Ty::scalar(Scalar::UInt);
    pub const LONG: Ty = Ty::scalar(Scalar::Long);
    pub const ULONG: Ty = Ty::scalar(Scalar::ULong);
    pub const HALF: Ty = Ty::scalar(Scalar::Half);
    pub const BFLOAT: Ty = Ty::scalar(Scalar::BFloat);
    pub const FLOAT: Ty = Ty::scalar(Scalar::Float);

    pub const fn scalar(scalar: Scalar) -> Ty {
        Ty(3 + scalar as u32)
    }
}

impl Scalar {
    pub const ALL: [Scalar; 12] = [
        Scalar::Bool,
        Scalar::Char,
        Scalar::UChar,
        Scalar::Short,
        Scalar::UShort,
        Scalar::Int,
        Scalar::UInt,
        Scalar::Long,
        Scalar::ULong,
        Scalar::Half,
        Scalar::BFloat,
        Scalar::Float,
    ];
    pub fn size(self) -> u64 {
        match self {
            Scalar::Bool | Scalar::Char | Scalar::UChar => 1,
            Scalar::Short | Scalar::UShort | Scalar::Half | Scalar::BFloat => 2,
            Scalar::Int | Scalar::UInt | Scalar::Float => 4,
            Scalar::Long | Scalar::ULong => 8,
        }
    }
    pub fn is_float(self) -> bool {
        matches!(self, Scalar::Half | Scalar::BFloat | Scalar::Float)
    }
    /// `bool` counts as an integer.
    pub fn is_integer(self) -> bool {
        !self.is_float()
    }
    pub fn is_signed(self) -> bool {
        matches!(self, Scalar::Char | Scalar::Short | Scalar::Int | Scalar::Long) || self.is_float()
    }
    /// As MSL spells it in vector names.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::Bool => "bool",
            Scalar::Char => "char",
            Scalar::UChar => "uchar",
            Scalar::Short => "short",
            Scalar::UShort => "ushort",
            Scalar::Int => "int",
            Scalar::UInt => "uint",
            Scalar::Long => "long",
            Scalar::ULong => "ulong",
            Scalar::Half => "half",
            Scalar::BFloat => "bfloat",
            Scalar::Float => "float",
        }
    }
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

impl Quals {
    pub const NONE: Quals = Quals { is_const: false, is_volatile: false };
    pub const CONST: Quals = Quals { is_const: true, is_volatile: false };
    #[must_use]
    pub fn with(self, other: Quals) -> Quals {
        Quals { is_const: self.is_const || other.is_const, is_volatile: self.is_volatile || other.is_volatile }
    }
    #[must_use]
    pub fn without(self, other: Quals) -> Quals {
        Quals { is_const: self.is_const && !other.is_const, is_volatile: self.is_volatile && !other.is_volatile }
    }
    /// Every qualifier of `other` is here too.
    pub fn includes(self, other: Quals) -> bool {
        (self.is_const || !other.is_const) && (self.is_volatile || !other.is_volatile)
    }
}

/// A type with the qualifiers of the object or pointee it describes. `space` is set where a declaration wrote one
/// (or where it was deduced from an lvalue).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct QualTy {
    pub ty: Ty,
    pub quals: Quals,
    pub space: Option<AddressSpace>,
}

impl From<Ty> for QualTy {
    fn from(ty: Ty) -> QualTy {
        QualTy { ty, quals: Quals::NONE, space: None }
    }
}

impl QualTy {
    pub const ERROR: QualTy = QualTy { ty: Ty::ERROR, quals: Quals::NONE, space: None };
    pub fn new(ty: Ty, quals: Quals, space: Option<AddressSpace>) -> QualTy {
        QualTy { ty, quals, space }
    }
    pub fn is_error(self) -> bool {
        self.ty == Ty::ERROR
    }
    pub fn is_const(self) -> bool {
        self.quals.is_const
    }
}

impl TyTable {
    pub fn new() -> TyTable {
        let mut table = TyTable { kinds: Arena::new(), ids: FxMap::default() };
        table.intern(TyKind::Error);
        table.intern(TyKind::Void);
        table.intern(TyKind::NullPtr);
        for scalar in Scalar::ALL {
            table.intern(TyKind::Scalar(scalar));
        }
        table
    }
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
    pub fn vector(&mut self, elem: Scalar, len: u8) -> Ty {
        if len == 1 { Ty::scalar(elem) } else { self.intern(TyKind::Vector(elem, len)) }
    }
    /// In `constant` everything is const, so the qualifier is not part of the type there.
    pub fn pointer(&mut self, pointee: Ty, quals: Quals, space: AddressSpace) -> Ty {
        let quals = Quals { is_const: quals.is_const && space != AddressSpace::Constant, ..quals };
        self.intern(TyKind::Pointer { pointee, quals, space })
    }
    pub fn reference(&mut self, referent: Ty, quals: Quals, space: AddressSpace, is_rvalue: bool) -> Ty {
        let quals = Quals { is_const: quals.is_const && space != AddressSpace::Constant, ..quals };
        self.intern(TyKind::Reference { referent, quals, space, is_rvalue })
    }
    pub fn array(&mut self, element: Ty, quals: Quals, len: Option<u64>) -> Ty {
        self.intern(TyKind::Array { element, quals, len })
    }
    /// The scalar type, of scalars only.
    pub fn as_scalar(&self, ty: Ty) -> Option<Scalar> {
        match self.kind(ty) {
            TyKind::Scalar(s) => Some(*s),
            _ => None,
        }
    }
    pub fn as_class(&self, ty: Ty) -> Option<ClassId> {
        match self.kind(ty) {
            TyKind::Class(c) => Some(*c),
            _ => None,
        }
    }
    /// Element type and length of (unpacked) vectors.
    pub fn as_vector(&self, ty: Ty) -> Option<(Scalar, u8)> {
        match self.kind(ty) {
            TyKind::Vector(s, n) => Some((*s, *n)),
            _ => None,
        }
    }
    /// Element type and length of vectors, packed or not.
    pub fn as_any_vector(&self, ty: Ty) -> Option<(Scalar, u8)> {
        match self.kind(ty) {
            TyKind::Vector(s, n) | TyKind::PackedVector(s, n) => Some((*s, *n)),
            _ => None,
        }
    }
    /// Element type and length; scalars have length 1.
    pub fn as_numeric(&self, ty: Ty) -> Option<(Scalar, u8)> {
        match self.kind(ty) {
            TyKind::Vector(s, n) | TyKind::PackedVector(s, n) => Some((*s, *n)),
            TyKind::Scalar(s) => Some((*s, 1)),
            _ => None,
        }
    }
    pub fn is_pointer(&self, ty: Ty) -> bool {
        matches!(self.kind(ty), TyKind::Pointer { .. })
    }
    pub fn is_reference(&self, ty: Ty) -> bool {
        matches!(self.kind(ty), TyKind::Reference { .. })
    }
    /// What expressions of the type see: the referent, for references.
    pub fn strip_reference(&self, ty: QualTy) -> QualTy {
        match *self.kind(ty.ty) {
            TyKind::Reference { referent, quals, space, .. } => QualTy { ty: referent, quals, space: Some(space) },
            _ => ty,
        }
    }
}

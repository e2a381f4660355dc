//! How values vary over the threads of a gang.
//!
//! A *gang* is `parts` × `lanes` consecutive threads of a threadgroup. A scalar value may differ
//! between the lanes of a part ([`L`]), between parts ([`P`]) and between gangs ([`G`]); what does
//! not differ is emitted once. A target that runs one thread at a time has one lane, one part, and
//! no bit is ever set.

use msl_ir::{AddressSpace, GlobalId, LocalId};

/// Differs between the lanes of a part: a vector.
pub const L: u8 = 1;
/// Differs between parts: one value per part.
pub const P: u8 = 2;
/// Differs between gangs: must not be computed once for the whole threadgroup.
pub const G: u8 = 4;
/// A lane-varying integer that is likely to be consecutive, though this is not proved.
pub const NEAR: u8 = 8;
pub const ALL: u8 = L | P | G;

/// `base + stride · lane + part_stride · part`, modulo the width of the type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Linear {
    pub stride: i64,
    /// `None`: each part has a base of its own.
    pub part_stride: Option<i64>,
    /// The sum does not wrap as an unsigned number.
    pub exact: bool,
}

/// The shape of a scalar, or of one component of a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Shape {
    pub bits: u8,
    pub linear: Option<Linear>,
    /// So many of the lowest bits are zero in what does not differ between lanes, and in what lane 0 of a linear form
    /// holds: of the first part where parts are a stride apart, else of each. At most [`MOST_ALIGN`].
    pub align: u8,
}

/// More zeros are not counted: no gang has as many threads.
pub const MOST_ALIGN: u8 = 16;

impl Shape {
    pub const UNIFORM: Shape = Shape { bits: 0, linear: None, align: 0 };
    pub const VARYING: Shape = Shape { bits: ALL, linear: None, align: 0 };

    pub fn of(bits: u8) -> Shape {
        Shape { bits, linear: None, align: 0 }
    }
    pub fn linear(bits: u8, stride: i64, part_stride: Option<i64>, exact: bool) -> Shape {
        let mut bits = bits & !(L | P | NEAR);
        if stride != 0 {
            bits |= L;
        }
        if part_stride != Some(0) {
            bits |= P;
        }
        let linear = (bits & (L | P) != 0 && !(stride == 0 && part_stride.is_none())).then_some(Linear {
            stride,
            part_stride,
            exact,
        });
        Shape { bits, linear, align: 0 }
    }
    /// The same with so many zeros at the end, where there is a number that they can be said of.
    pub fn aligned(self, align: u8) -> Shape {
        let is_known = self.linear.is_some() || !self.lanes();
        Shape { align: if is_known { align.min(MOST_ALIGN) } else { 0 }, ..self }
    }
    /// The zeros at the end of what lane 0 of every part holds.
    pub fn part_align(self) -> u8 {
        match self.linear {
            Some(Linear { part_stride: Some(q), .. }) => self.align.min(zeros(q)),
            _ => self.align,
        }
    }
    /// Held in the same way as the other one.
    pub fn has_form_of(self, other: Shape) -> bool {
        self.linear == other.linear && self.bits == other.bits
    }
    /// Differs between lanes.
    pub fn lanes(self) -> bool {
        self.bits & L != 0
    }
    pub fn parts(self) -> bool {
        self.bits & P != 0
    }
    /// The same in every thread of a gang.
    pub fn is_gang_uniform(self) -> bool {
        self.bits & (L | P) == 0
    }
    /// The same in every thread of the threadgroup.
    pub fn is_uniform(self) -> bool {
        self.bits & ALL == 0
    }
    /// As a linear form, if it has one; what is the same in all lanes has stride 0.
    pub fn as_linear(self) -> Option<Linear> {
        match self.linear {
            Some(l) => Some(l),
            None if !self.lanes() => {
                Some(Linear { stride: 0, part_stride: if self.parts() { None } else { Some(0) }, exact: true })
            }
            None => None,
        }
    }
    /// How many LLVM values hold it.
    pub fn copies(self, parts: u32) -> u32 {
        match self.linear {
            Some(Linear { part_stride: Some(_), .. }) => 1,
            _ if self.parts() => parts,
            _ => 1,
        }
    }
    pub fn join(self, other: Shape) -> Shape {
        if self == other {
            return self;
        }
        let bits = (self.bits | other.bits) & ALL;
        if let (Some(a), Some(b)) = (self.as_linear(), other.as_linear())
            && a.stride == b.stride
        {
            let part = if a.part_stride == b.part_stride { a.part_stride } else { None };
            // Two different bases: what each says about G holds for its own base only.
            return Shape::linear(bits, a.stride, part, a.exact && b.exact).aligned(self.common_align(other, part));
        }
        Shape::of(bits | ((self.bits | other.bits) & NEAR))
    }
    /// The result of an operation that is not linear in its operands.
    pub fn mix(self, other: Shape) -> Shape {
        Shape::of((self.bits | other.bits) & ALL)
    }
    /// Like [`mix`](Self::mix), for operations that mostly keep consecutive numbers consecutive.
    pub fn mix_near(self, other: Shape) -> Shape {
        let near = |s: Shape| !s.lanes() || s.bits & NEAR != 0 || s.linear.is_some_and(|l| l.stride == 1);
        let bits = (self.bits | other.bits) & ALL;
        Shape::of(bits | if bits & L != 0 && near(self) && near(other) { NEAR } else { 0 })
    }
    pub fn plus(self, other: Shape) -> Shape {
        self.combine(other, |a, b| a.checked_add(b))
    }
    pub fn minus(self, other: Shape) -> Shape {
        self.combine(other, |a, b| a.checked_sub(b))
    }
    fn combine(self, other: Shape, f: impl Fn(i64, i64) -> Option<i64>) -> Shape {
        let bits = (self.bits | other.bits) & ALL;
        if let (Some(a), Some(b)) = (self.as_linear(), other.as_linear())
            && let Some(stride) = f(a.stride, b.stride).filter(|s| s.unsigned_abs() < 1 << 30)
        {
            let part =
                a.part_stride.zip(b.part_stride).and_then(|(x, y)| f(x, y)).filter(|s| s.unsigned_abs() < 1 << 30);
            return Shape::linear(bits, stride, part, false).aligned(self.common_align(other, part));
        }
        self.mix_near(other)
    }
    /// The zeros at the end of both, and so of their sum.
    fn common_align(self, other: Shape, part_stride: Option<i64>) -> u8 {
        match part_stride {
            Some(_) => self.align.min(other.align),
            None => self.part_align().min(other.part_align()),
        }
    }
    /// Times a constant.
    pub fn scale(self, by: i64) -> Shape {
        if let Some(a) = self.as_linear()
            && let Some(stride) = a.stride.checked_mul(by).filter(|s| s.unsigned_abs() < 1 << 30)
        {
            let part = a.part_stride.and_then(|s| s.checked_mul(by)).filter(|s| s.unsigned_abs() < 1 << 30);
            if by != 0 {
                let align = if part.is_some() { self.align } else { self.part_align() };
                return Shape::linear(self.bits & ALL, stride, part, false).aligned(align + zeros(by));
            }
        }
        Shape::of(self.bits & ALL)
    }
}

/// How many of the lowest bits are zero.
pub fn zeros(n: i64) -> u8 {
    (n.trailing_zeros() as u8).min(MOST_ALIGN)
}

/// The memory a pointer was derived from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Root {
    /// A parameter of the kernel: buffer, texture or threadgroup memory.
    Param(u32),
    Global(GlobalId),
    Local(LocalId),
    /// Somewhere in this thread's memory; the offset counts from the start of all of it.
    Private,
    /// Somewhere in the threadgroup's memory.
    Shared,
    /// An address.
    Raw,
}

impl Root {
    pub fn join(self, other: Root, space: AddressSpace) -> Root {
        if self == other { self } else { Root::unknown(space) }
    }
    pub fn unknown(space: AddressSpace) -> Root {
        match space {
            AddressSpace::Thread => Root::Private,
            AddressSpace::Threadgroup => Root::Shared,
            AddressSpace::Device | AddressSpace::Constant => Root::Raw,
        }
    }
}

/// The shape of a value: one per component. A pointer has two: its offset's part that is the
/// same in all lanes, and the part that is not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueShape {
    pub c: [Shape; 4],
    /// Pointers: where from, and whether trusted code vouches for it.
    pub root: Option<(Root, bool)>,
}

impl ValueShape {
    pub fn splat(s: Shape) -> ValueShape {
        ValueShape { c: [s; 4], root: None }
    }
    /// Held in the same way as the other one.
    pub fn has_form_of(&self, other: &ValueShape) -> bool {
        self.root == other.root && self.c.iter().zip(&other.c).all(|(a, b)| a.has_form_of(*b))
    }
    /// Nothing of it differs between the threads of the threadgroup.
    pub fn is_uniform(&self) -> bool {
        self.c.iter().all(|s| s.is_uniform())
    }
    pub fn bits(&self) -> u8 {
        self.c.iter().fold(0, |a, s| a | s.bits) & ALL
    }
}

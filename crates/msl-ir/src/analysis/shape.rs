//! How a value differs among the threads of a gang: the lattice of [`uniformity`](super::uniformity)
//! and its arithmetic.
//!
//! A gang consists of *parts*; a part is a run of threads that occupies the lanes of one vector.
//! [`Lanes`] speaks of the threads of one part, [`Parts`] of corresponding threads of
//! different parts. `Linear(s)` means: the value of lane l is `base + s·l`, where base is the
//! value of (or computed for) lane 0. For integers this holds *in the arithmetic of the type*,
//! that is modulo 2^bits, exactly. For pointers s counts bytes.
//!
//! # 32-bit indices
//!
//! MSL programs compute addresses in 32 bits. Where such a linear value is widened (or indexes
//! a pointer) and could have wrapped around inside a part, the result is still called linear, but
//! [`Shape::assumed`] is set: it is right unless the narrow computation wraps between two active
//! lanes or at an inactive lane 0 (`x - 1` for x = 0). Code generators may use an assumed
//! shape for addresses behind a guard (one scalar comparison); everything else asks
//! [`Shape::exact`]. `no_wrap` records that a linear value is known not to wrap in its type;
//! such values widen exactly. Narrower than 32 bits nothing is assumed.

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Lanes {
    /// The same for all active threads of a part.
    Uniform,
    /// `base + stride·lane`; the stride is not 0.
    Linear(i64),
    Varying,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Parts {
    /// Corresponding lanes of all parts agree.
    Same,
    Different,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shape {
    pub lanes: Lanes,
    pub parts: Parts,
    /// See the module documentation.
    pub assumed: bool,
    /// A linear value that does not wrap around, in its type, among the lanes of a part.
    pub no_wrap: bool,
    /// Log2 of a factor of the value of lane 0 of each part (0 when nothing is known, 63 for the value 0).
    pub align: u8,
    /// The value of every lane, as its type reads it, lies in `0..=max`; `u64::MAX` when that is not known.
    pub max: u64,
}

impl Shape {
    pub const UNKNOWN_MAX: u64 = u64::MAX;
    pub const UNIFORM: Shape = Shape {
        lanes: Lanes::Uniform,
        parts: Parts::Same,
        assumed: false,
        no_wrap: false,
        align: 0,
        max: Shape::UNKNOWN_MAX,
    };
    pub const VARYING: Shape = Shape { lanes: Lanes::Varying, parts: Parts::Different, ..Shape::UNIFORM };

    pub fn linear(stride: i64, parts: Parts) -> Shape {
        let lanes = if stride == 0 { Lanes::Uniform } else { Lanes::Linear(stride) };
        Shape { lanes, parts, ..Shape::UNIFORM }
    }
    pub fn constant(value: i128) -> Shape {
        let align = if value == 0 { 63 } else { (value.trailing_zeros() as u8).min(63) };
        let max = u64::try_from(value).unwrap_or(Shape::UNKNOWN_MAX);
        Shape { align, max, ..Shape::UNIFORM }
    }
    #[must_use]
    pub fn with_max(mut self, max: u64) -> Shape {
        self.max = self.max.min(max);
        self
    }

    /// The shape without the assumption about 32-bit wrapping: what may be relied on for anything but addresses.
    #[must_use]
    pub fn exact(self) -> Shape {
        if self.assumed && self.lanes != Lanes::Uniform {
            Shape { lanes: Lanes::Varying, assumed: false, ..self }
        } else {
            self
        }
    }
    /// The same for all threads of the gang.
    pub fn is_uniform(self) -> bool {
        self.is_lane_uniform() && self.parts == Parts::Same
    }
    /// The same for all threads of each part.
    pub fn is_lane_uniform(self) -> bool {
        self.lanes == Lanes::Uniform
    }
    /// The distance between neighboring lanes, 0 when uniform.
    pub fn stride(self) -> Option<i64> {
        match self.lanes {
            Lanes::Uniform => Some(0),
            Lanes::Linear(s) => Some(s),
            Lanes::Varying => None,
        }
    }
    /// The least shape that describes both, when the choice between them is the same for all threads of a part.
    #[must_use]
    pub fn join(self, other: Shape) -> Shape {
        Shape {
            lanes: if self.lanes == other.lanes { self.lanes } else { Lanes::Varying },
            parts: self.parts.max(other.parts),
            assumed: self.assumed || other.assumed,
            no_wrap: (self.no_wrap || self.is_lane_uniform()) && (other.no_wrap || other.is_lane_uniform()),
            align: self.align.min(other.align),
            max: self.max.max(other.max),
        }
        .normal()
    }
    /// What is left of facts about operands once a computation is not understood.
    #[must_use]
    pub fn opaque(self) -> Shape {
        let lanes = if self.is_lane_uniform() { Lanes::Uniform } else { Lanes::Varying };
        Shape { lanes, parts: self.parts, ..Shape::UNIFORM }
    }
    /// The opaque join: a function of both values, nothing else known.
    #[must_use]
    pub fn mix(self, other: Shape) -> Shape {
        let lanes = if self.is_lane_uniform() && other.is_lane_uniform() { Lanes::Uniform } else { Lanes::Varying };
        Shape { lanes, parts: self.parts.max(other.parts), ..Shape::UNIFORM }
    }
    fn normal(mut self) -> Shape {
        match self.lanes {
            Lanes::Linear(0) => self.lanes = Lanes::Uniform,
            Lanes::Varying => {
                self.no_wrap = false;
                self.assumed = false;
                self.align = 0;
            }
            _ => {}
        }
        if self.lanes == Lanes::Uniform {
            self.no_wrap = false;
            self.assumed = false;
        }
        self
    }
}

/// The integer type an operation works in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IntType {
    pub bits: u32,
    pub signed: bool,
}

impl IntType {
    fn greatest(self) -> u64 {
        let bits = self.bits - u32::from(self.signed);
        if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
    }
    fn clamp(self, max: Option<u64>) -> u64 {
        max.filter(|m| *m <= self.greatest() && *m != Shape::UNKNOWN_MAX).unwrap_or(Shape::UNKNOWN_MAX)
    }
}

fn known(max: u64) -> Option<u64> {
    (max != Shape::UNKNOWN_MAX).then_some(max)
}

fn flat(a: Shape) -> bool {
    a.no_wrap || a.is_lane_uniform()
}

pub fn add(a: Shape, b: Shape, ty: IntType) -> Shape {
    let (Some(s), Some(t)) = (a.stride(), b.stride()) else { return bounded_sum(a.mix(b), a, b, ty) };
    let sum = bounded_sum(Shape::linear(s.wrapping_add(t), a.parts.max(b.parts)), a, b, ty);
    let no_wrap = flat(a) && flat(b) && sum.max != Shape::UNKNOWN_MAX;
    Shape { assumed: a.assumed || b.assumed, no_wrap, align: a.align.min(b.align), ..sum }.normal()
}

fn bounded_sum(mut sum: Shape, a: Shape, b: Shape, ty: IntType) -> Shape {
    sum.max = ty.clamp(known(a.max).zip(known(b.max)).and_then(|(a, b)| a.checked_add(b)));
    sum
}

pub fn sub(a: Shape, b: Shape) -> Shape {
    let (Some(s), Some(t)) = (a.stride(), b.stride()) else { return a.mix(b) };
    let difference = Shape::linear(s.wrapping_sub(t), a.parts.max(b.parts));
    Shape { assumed: a.assumed || b.assumed, align: a.align.min(b.align), ..difference }.normal()
}

/// `factor` is the value of `b` where it is a constant.
pub fn mul(a: Shape, b: Shape, factor: Option<i128>, ty: IntType) -> Shape {
    let max = ty.clamp(known(a.max).zip(known(b.max)).and_then(|(a, b)| a.checked_mul(b)));
    let align = a.align.saturating_add(b.align).min(63);
    let parts = a.parts.max(b.parts);
    let lanes = match (a.lanes, factor) {
        (Lanes::Uniform, _) if b.is_lane_uniform() => Lanes::Uniform,
        (Lanes::Linear(s), Some(k)) => match i64::try_from(i128::from(s).wrapping_mul(k)) {
            Ok(s) => Lanes::Linear(s),
            Err(_) => Lanes::Varying,
        },
        _ => Lanes::Varying,
    };
    let no_wrap = a.no_wrap && max != Shape::UNKNOWN_MAX;
    Shape { lanes, parts, assumed: a.assumed, no_wrap, align, max }.normal()
}

/// The greatest distance of a lane from lane 0.
fn reach(a: Shape, lanes: u32) -> Option<u64> {
    let s = a.stride().and_then(|s| u64::try_from(s).ok())?;
    s.checked_mul(u64::from(lanes.saturating_sub(1)))
}

fn below(value: u64, power: u8) -> bool {
    power >= 63 || value < 1 << power
}

/// `a & (2^k − 1)`, also `a % 2^k` of a value that is not negative.
pub fn low_bits(a: Shape, k: u8, lanes: u32) -> Shape {
    let max = if k >= 64 { a.max } else { a.max.min((1 << k) - 1) };
    if a.is_lane_uniform() {
        let align = if a.align >= k { 63 } else { a.align };
        return Shape { align, max, ..a };
    }
    // No carry leaves the bits that the base leaves free, so the lanes count up from its low bits.
    match reach(a, lanes) {
        Some(r) if below(r, a.align.min(k)) => {
            Shape { no_wrap: true, assumed: false, max, align: if a.align >= k { 63 } else { a.align }, ..a }.normal()
        }
        _ => a.opaque().with_max(max),
    }
}

/// `a >> k`, also `a / 2^k` of a value that is not negative. `logical`: the shift brings in zeros or the value is not negative.
pub fn shift_right(a: Shape, k: u8, lanes: u32, logical: bool) -> Shape {
    let max = known(a.max).map_or(Shape::UNKNOWN_MAX, |m| m.checked_shr(u32::from(k)).unwrap_or(0));
    let align = if a.align == 63 { 63 } else { a.align.saturating_sub(k) };
    if a.is_lane_uniform() {
        return Shape { align, max, ..a };
    }
    match (a.lanes, reach(a, lanes)) {
        (_, Some(r)) if below(r, a.align.min(k)) => Shape { lanes: Lanes::Uniform, align, max, ..a }.normal(),
        (Lanes::Linear(s), _) if a.no_wrap && logical && k < 63 && s % (1 << k) == 0 => {
            Shape { lanes: Lanes::Linear(s >> k), align, max, ..a }.normal()
        }
        _ => a.opaque().with_max(max),
    }
}

/// A conversion between integer types.
pub fn convert(a: Shape, from: IntType, to: IntType) -> Shape {
    let fits = known(a.max).is_some_and(|m| m <= to.greatest());
    let max = if fits { a.max } else { Shape::UNKNOWN_MAX };
    let align = a.align;
    if a.is_lane_uniform() {
        return Shape { max, align: if to.bits < from.bits { align.min(63) } else { align }, ..a };
    }
    let Lanes::Linear(_) = a.lanes else { return a.opaque().with_max(max) };
    if to.bits <= from.bits {
        // Truncation keeps arithmetic modulo 2^bits; so does reading the bits with another sign.
        return Shape { no_wrap: a.no_wrap && fits, max, ..a };
    }
    if a.no_wrap && (fits || from.signed == to.signed || !from.signed) {
        return Shape { max, ..a };
    }
    if from.bits == 32 {
        return Shape { max, assumed: true, no_wrap: true, ..a };
    }
    a.opaque().with_max(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const U32: IntType = IntType { bits: 32, signed: false };
    const U64: IntType = IntType { bits: 64, signed: false };

    #[test]
    fn linear_values_stay_linear_under_uniform_arithmetic() {
        let x = Shape { no_wrap: true, max: 1023, align: 4, ..Shape::linear(1, Parts::Different) };
        let y = Shape::UNIFORM;
        let i = add(mul(x, Shape::constant(4), Some(4), U32), y, U32);
        assert_eq!(i.lanes, Lanes::Linear(4));
        assert!(!i.no_wrap);
        let wide = convert(i, U32, U64);
        assert!(wide.assumed);
        assert_eq!(wide.exact().lanes, Lanes::Varying);
        let bounded = convert(mul(x, Shape::constant(4), Some(4), U32), U32, U64);
        assert!(!bounded.assumed);
        assert_eq!(bounded.align, 6);
    }

    #[test]
    fn shifts_and_masks_of_aligned_runs() {
        let x = Shape { no_wrap: true, max: 1023, align: 4, ..Shape::linear(1, Parts::Different) };
        assert_eq!(shift_right(x, 4, 16, true).lanes, Lanes::Uniform);
        assert_eq!(shift_right(x, 3, 16, true).lanes, Lanes::Varying);
        assert_eq!(low_bits(x, 5, 16).lanes, Lanes::Linear(1));
        assert_eq!(low_bits(x, 3, 16).lanes, Lanes::Varying);
    }
}

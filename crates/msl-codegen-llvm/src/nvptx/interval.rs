//! The least and the greatest value that an integer can have in any thread, as far as the kernel's text and the size of
//! threadgroups say.
//!
//! In: a value computed from constants and positions in the threadgroup. Out: bounds as mathematical integers;
//! nothing where a value could wrap in its own width. With them a place in threadgroup memory is known to be within its
//! variable, needs no clamp, and shares the registers of its address with others at a constant distance.

use msl_ir::{BinaryOp, Builtin, Op, Scalar, Type, ValueId};

use super::kernel::Emit;

/// How far operands are followed.
const DEPTH: u32 = 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub lo: i128,
    pub hi: i128,
}

impl Interval {
    fn new(lo: i128, hi: i128) -> Interval {
        Interval { lo, hi }
    }
    fn up_to(hi: u64) -> Interval {
        Interval::new(0, i128::from(hi))
    }
    fn of(self, s: Scalar) -> Option<Interval> {
        let (lo, hi) = match (s.is_signed(), s.bits()) {
            (true, n) => (-(1i128 << (n - 1)), (1i128 << (n - 1)) - 1),
            (false, n) => (0, (1i128 << n) - 1),
        };
        (lo <= self.lo && self.hi <= hi).then_some(self)
    }
    fn corners(self, b: Interval, f: impl Fn(i128, i128) -> Option<i128>) -> Option<Interval> {
        let all = [f(self.lo, b.lo)?, f(self.lo, b.hi)?, f(self.hi, b.lo)?, f(self.hi, b.hi)?];
        Some(Interval::new(*all.iter().min()?, *all.iter().max()?))
    }
    fn is_natural(self) -> bool {
        self.lo >= 0
    }
    /// All bits up to the highest one that a natural number of the interval can have.
    fn bits(self) -> i128 {
        let n = 128 - self.hi.leading_zeros();
        if n >= 127 { i128::MAX } else { (1 << n) - 1 }
    }
}

impl Emit<'_> {
    /// The offset of a place in bytes from the start of the variable or argument that it is derived from.
    pub fn offset_interval(&self, pointer: ValueId) -> Option<Interval> {
        self.offset_within(pointer, DEPTH)
    }

    fn offset_within(&self, pointer: ValueId, depth: u32) -> Option<Interval> {
        self.remembered(pointer, |depth| self.find_offset(pointer, depth), depth)
    }
    fn interval_within(&self, v: ValueId, depth: u32) -> Option<Interval> {
        self.remembered(v, |depth| self.find_interval(v, depth), depth)
    }
    /// Expressions share their parts: each is looked at once.
    fn remembered(&self, v: ValueId, find: impl Fn(u32) -> Option<Interval>, depth: u32) -> Option<Interval> {
        let depth = depth.checked_sub(1)?;
        if let Some(known) = self.intervals.borrow().get(&v) {
            return *known;
        }
        let found = find(depth);
        self.intervals.borrow_mut().insert(v, found);
        found
    }

    fn find_offset(&self, pointer: ValueId, depth: u32) -> Option<Interval> {
        let types = &self.module.types;
        let pointee = |v: ValueId| types.pointee(self.ty(v)).map(|p| p.1);
        Some(match &self.f.insts[pointer].op {
            Op::Param(_) | Op::GlobalAddr(_) | Op::LocalAddr(_) => Interval::up_to(0),
            Op::PtrCast(a) | Op::AssumeValid(a) => self.offset_within(*a, depth)?,
            Op::FieldAddr { base, field } => {
                let from = self.offset_within(*base, depth)?;
                let Type::Struct(s) = types.get(pointee(*base)?) else { return None };
                let by = i128::from(types.structure(*s).fields.get(*field as usize)?.offset);
                Interval::new(from.lo + by, from.hi + by)
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let size = self.bytes_of_step(pointer)?;
                let from = self.offset_within(*base, depth)?;
                let i = self.interval_within(*index, depth)?;
                // Offsets beyond this are no places, and cannot overflow here.
                let by = |i: i128| i.checked_mul(i128::from(size)).filter(|n| n.abs() < 1 << 64);
                Interval::new(from.lo + by(i.lo)?, from.hi + by(i.hi)?)
            }
            _ => return None,
        })
    }

    fn find_interval(&self, v: ValueId, depth: u32) -> Option<Interval> {
        let s = self.module.types.scalar_of(self.ty(v)).filter(|s| s.is_integer())?;
        let of = |v: ValueId| self.interval_within(v, depth);
        let found = match &self.f.insts[v].op {
            Op::Const(k) => {
                let shift = 64 - s.bits();
                let bits = k << shift;
                let n = if s.is_signed() { i128::from(bits as i64 >> shift) } else { i128::from(bits >> shift) };
                Interval::new(n, n)
            }
            Op::Builtin(b) => self.builtin_interval(*b, 0)?,
            Op::Extract { vector, index } => match &self.f.insts[*vector].op {
                Op::Builtin(b) => self.builtin_interval(*b, *index as usize)?,
                Op::Compose(parts) if self.module.types.component_count(self.ty(*vector)) as usize == parts.len() => {
                    of(*parts.get(*index as usize)?)?
                }
                Op::Splat(a) => of(*a)?,
                _ => return None,
            },
            Op::Convert(a) => of(*a)?,
            Op::Select { a, b, .. } => {
                let (a, b) = (of(*a)?, of(*b)?);
                Interval::new(a.lo.min(b.lo), a.hi.max(b.hi))
            }
            Op::Binary(op, a, b) => self.binary_interval(*op, *a, *b, depth)?,
            _ => return None,
        };
        found.of(s)
    }

    fn binary_interval(&self, op: BinaryOp, a: ValueId, b: ValueId, depth: u32) -> Option<Interval> {
        let both = || Some((self.interval_within(a, depth)?, self.interval_within(b, depth)?));
        // Shifts by more take the amount modulo the width.
        let width = i128::from(self.scalar_of(a).bits());
        Some(match op {
            BinaryOp::Add => both().map(|(a, b)| Interval::new(a.lo + b.lo, a.hi + b.hi))?,
            BinaryOp::Sub => both().map(|(a, b)| Interval::new(a.lo - b.hi, a.hi - b.lo))?,
            BinaryOp::Mul => {
                let (a, b) = both()?;
                a.corners(b, i128::checked_mul)?
            }
            BinaryOp::Div => {
                let (a, b) = both()?;
                if b.lo <= 0 {
                    return None;
                }
                a.corners(b, i128::checked_div)?
            }
            BinaryOp::Rem => {
                let by = self.interval_within(b, depth).filter(|b| b.lo > 0)?;
                match self.interval_within(a, depth) {
                    Some(a) if a.is_natural() => Interval::new(0, a.hi.min(by.hi - 1)),
                    _ if self.scalar_of(b).is_signed() => Interval::new(1 - by.hi, by.hi - 1),
                    _ => Interval::new(0, by.hi - 1),
                }
            }
            BinaryOp::And => {
                // One natural operand is enough.
                let (a, b) = (self.interval_within(a, depth), self.interval_within(b, depth));
                let natural = [a, b].into_iter().flatten().filter(|i| i.is_natural());
                Interval::new(0, natural.map(|i| i.hi).min()?)
            }
            BinaryOp::Or | BinaryOp::Xor => {
                let (a, b) = both().filter(|(a, b)| a.is_natural() && b.is_natural())?;
                let lo = if op == BinaryOp::Or { a.lo.max(b.lo) } else { 0 };
                Interval::new(lo, a.bits() | b.bits())
            }
            BinaryOp::Shl => {
                let (a, b) = both().filter(|(_, b)| b.is_natural() && b.hi < width)?;
                a.corners(b, |x, n| x.checked_mul(1 << n))?
            }
            BinaryOp::Shr => {
                let (a, b) = both().filter(|(_, b)| b.is_natural() && b.hi < width)?;
                a.corners(b, |x, n| Some(x >> n))?
            }
            BinaryOp::Min => both().map(|(a, b)| Interval::new(a.lo.min(b.lo), a.hi.min(b.hi)))?,
            BinaryOp::Max => both().map(|(a, b)| Interval::new(a.lo.max(b.lo), a.hi.max(b.hi)))?,
            _ => return None,
        })
    }

    fn builtin_interval(&self, b: Builtin, axis: usize) -> Option<Interval> {
        let size = self.options.threadgroup;
        let all: u64 = size.iter().map(|n| u64::from(*n)).product();
        let extent = u64::from(*size.get(axis)?);
        Some(match b {
            Builtin::ThreadPositionInThreadgroup => Interval::up_to(extent - 1),
            Builtin::ThreadsPerThreadgroup => Interval::up_to(extent),
            Builtin::DispatchThreadsPerThreadgroup => Interval::new(i128::from(extent), i128::from(extent)),
            Builtin::ThreadIndexInThreadgroup => Interval::up_to(all - 1),
            Builtin::ThreadIndexInSimdgroup => Interval::up_to(31),
            Builtin::SimdgroupIndexInThreadgroup => Interval::up_to((all - 1) / 32),
            Builtin::SimdgroupsPerThreadgroup | Builtin::DispatchSimdgroupsPerThreadgroup => {
                Interval::up_to(all.div_ceil(32))
            }
            Builtin::ThreadsPerSimdgroup => Interval::new(32, 32),
            Builtin::ThreadIndexInQuadgroup => Interval::up_to(3),
            Builtin::QuadgroupIndexInThreadgroup => Interval::up_to((all - 1) / 4),
            Builtin::QuadgroupsPerThreadgroup | Builtin::DispatchQuadgroupsPerThreadgroup => {
                Interval::up_to(all.div_ceil(4))
            }
            Builtin::ThreadPositionInGrid
            | Builtin::ThreadgroupPositionInGrid
            | Builtin::ThreadsPerGrid
            | Builtin::ThreadgroupsPerGrid => return None,
        })
    }
}

//! Addresses as sums: what a warp's threads have in common, and what each of them adds to that.
//!
//! In: a pointer. Out: the memory that it leads into, multiples of values that are the same in all threads of a warp, and
//! a number for each thread that is known while compiling. Two places with the same values are a known distance apart in each
//! thread. Sums are those of the integers: where one wraps in its own width, the place is out of bounds.

use std::collections::BTreeMap;
use std::rc::Rc;

use msl_base::Id;
use msl_ir::analysis::Root;
use msl_ir::{BinaryOp, Builtin, CompareOp, Op, Scalar, Type, ValueId};

use super::kernel::Emit;

/// How far operands are followed.
const DEPTH: u32 = 40;
pub const THREADS: usize = 32;

/// A sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// Values, and by what they are multiplied.
    pub terms: BTreeMap<usize, i64>,
    /// By the thread's index in its simdgroup.
    pub threads: [i64; THREADS],
}

impl Sum {
    fn number(n: i64) -> Sum {
        Sum { terms: BTreeMap::new(), threads: [n; THREADS] }
    }

    fn plus(&self, other: &Sum, factor: i64) -> Option<Sum> {
        let mut sum = self.clone();
        for (v, n) in &other.terms {
            let term = sum.terms.entry(*v).or_default();
            *term = term.checked_add(n.checked_mul(factor)?)?;
        }
        sum.terms.retain(|_, n| *n != 0);
        for (a, b) in sum.threads.iter_mut().zip(other.threads) {
            *a = a.checked_add(b.checked_mul(factor)?)?;
        }
        Some(sum)
    }

    fn times(&self, factor: i64) -> Option<Sum> {
        Sum::number(0).plus(self, factor)
    }

    /// A number that is known.
    fn constant(&self) -> Option<i64> {
        let first = self.threads[0];
        (self.terms.is_empty() && self.threads.iter().all(|n| *n == first)).then_some(first)
    }

    /// Natural numbers that are known, by thread.
    fn naturals(&self) -> Option<&[i64; THREADS]> {
        (self.terms.is_empty() && self.threads.iter().all(|n| *n >= 0)).then_some(&self.threads)
    }

    /// What another place with the same values is behind this one, by thread.
    pub fn distance(&self, other: &Sum) -> Option<[i64; THREADS]> {
        let between = |i: usize| other.threads[i].checked_sub(self.threads[i]);
        let mut distance = [0; THREADS];
        for (i, d) in distance.iter_mut().enumerate() {
            *d = between(i)?;
        }
        (self.terms == other.terms).then_some(distance)
    }
}

/// A place in memory, in bytes from the start of what it is in.
#[derive(Clone, Debug)]
pub struct Place {
    pub root: Root,
    pub sum: Rc<Sum>,
}

impl Emit<'_> {
    pub fn place(&self, pointer: ValueId) -> Option<Place> {
        let [root] = self.provenance.roots(pointer) else { return None };
        if matches!(root, Root::Unknown { .. }) {
            return None;
        }
        Some(Place { root: *root, sum: self.sum_of(pointer, DEPTH)? })
    }

    /// Expressions share their parts: each is looked at once.
    fn sum_of(&self, v: ValueId, depth: u32) -> Option<Rc<Sum>> {
        let depth = depth.checked_sub(1)?;
        if let Some(known) = self.sums.borrow().get(&v) {
            return known.clone();
        }
        let found = if self.module.types.pointee(self.ty(v)).is_some() {
            self.offset_sum(v, depth)
        } else {
            self.integer_sum(v, depth)
        };
        let found = found.map(Rc::new);
        self.sums.borrow_mut().insert(v, found.clone());
        found
    }

    fn offset_sum(&self, pointer: ValueId, depth: u32) -> Option<Sum> {
        let types = &self.module.types;
        let pointee = |v: ValueId| types.pointee(self.ty(v)).map(|p| p.1);
        match &self.f.insts[pointer].op {
            Op::Param(_) | Op::GlobalAddr(_) | Op::LocalAddr(_) => Some(Sum::number(0)),
            Op::PtrCast(a) | Op::AssumeValid(a) => self.sum_of(*a, depth).map(|sum| (*sum).clone()),
            Op::FieldAddr { base, field } => {
                let Type::Struct(s) = types.get(pointee(*base)?) else { return None };
                let by = types.structure(*s).fields.get(*field as usize)?.offset;
                self.sum_of(*base, depth)?.plus(&Sum::number(1), i64::try_from(by).ok()?)
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let size = self.bytes_of_step(pointer)?;
                self.sum_of(*base, depth)?.plus(&*self.sum_of(*index, depth)?, i64::try_from(size).ok()?)
            }
            _ => None,
        }
    }

    fn integer_sum(&self, v: ValueId, depth: u32) -> Option<Sum> {
        let s = self.module.types.scalar_of(self.ty(v)).filter(|s| s.is_integer() || *s == Scalar::Bool)?;
        if self.module.types.component_count(self.ty(v)) > 1 {
            return None;
        }
        let of = |v: ValueId| self.sum_of(v, depth);
        let found = match &self.f.insts[v].op {
            Op::Const(bits) => {
                let shift = 64 - s.bits();
                let n = (bits << shift) as i64 >> shift;
                Some(Sum::number(if s.is_signed() || s.bits() == 64 { n } else { *bits as i64 }))
            }
            Op::Builtin(Builtin::ThreadIndexInSimdgroup) => {
                Some(Sum { terms: BTreeMap::new(), threads: std::array::from_fn(|i| i as i64) })
            }
            Op::Convert(a) if self.scalar_of(*a).is_integer() => of(*a).map(|sum| (*sum).clone()),
            Op::Binary(op, a, b) => of(*a).zip(of(*b)).and_then(|(a, b)| combined(*op, &a, &b)),
            Op::Compare(op, a, b) if self.scalar_of(*a).is_integer() => {
                of(*a).zip(of(*b)).and_then(|(a, b)| compared(*op, &a, &b))
            }
            Op::Select { condition, a, b } => {
                of(*condition).zip(of(*a).zip(of(*b))).and_then(|(c, (a, b))| chosen(&c, &a, &b))
            }
            _ => None,
        };
        let is_common = || self.uniformity.shape(v).is_lane_uniform();
        found.or_else(|| is_common().then(|| Sum { terms: BTreeMap::from([(v.index(), 1)]), threads: [0; THREADS] }))
    }
}

fn combined(op: BinaryOp, a: &Sum, b: &Sum) -> Option<Sum> {
    let each = |f: &dyn Fn(i64, i64) -> Option<i64>| {
        let (x, y) = (a.naturals()?, b.naturals()?);
        let mut threads = [0; THREADS];
        for (i, n) in threads.iter_mut().enumerate() {
            *n = f(x[i], y[i])?;
        }
        Some(Sum { terms: BTreeMap::new(), threads })
    };
    match op {
        BinaryOp::Add => a.plus(b, 1),
        BinaryOp::Sub => a.plus(b, -1),
        BinaryOp::Mul => match (a.constant(), b.constant()) {
            (_, Some(n)) => a.times(n),
            (Some(n), _) => b.times(n),
            _ => None,
        },
        BinaryOp::Shl => b.constant().filter(|n| (0..31).contains(n)).and_then(|n| a.times(1 << n)),
        BinaryOp::Shr => each(&|x, n| (n < 32).then(|| x >> n)),
        BinaryOp::And => each(&|x, y| Some(x & y)),
        BinaryOp::Or => each(&|x, y| Some(x | y)),
        BinaryOp::Xor => each(&|x, y| Some(x ^ y)),
        BinaryOp::Div => each(&|x, y| x.checked_div(y)),
        BinaryOp::Rem => each(&|x, y| x.checked_rem(y)),
        _ => None,
    }
}

/// One or zero.
fn compared(op: CompareOp, a: &Sum, b: &Sum) -> Option<Sum> {
    let (x, y) = (a.naturals()?, b.naturals()?);
    let holds = |i: usize| match op {
        CompareOp::Eq => x[i] == y[i],
        CompareOp::Ne => x[i] != y[i],
        CompareOp::Lt => x[i] < y[i],
        CompareOp::Le => x[i] <= y[i],
        CompareOp::Gt => x[i] > y[i],
        CompareOp::Ge => x[i] >= y[i],
    };
    Some(Sum { terms: BTreeMap::new(), threads: std::array::from_fn(|i| i64::from(holds(i))) })
}

fn chosen(condition: &Sum, a: &Sum, b: &Sum) -> Option<Sum> {
    let is_first = condition.naturals()?;
    let choice = |i: usize| if is_first[i] != 0 { a.threads[i] } else { b.threads[i] };
    (a.terms == b.terms).then(|| Sum { terms: a.terms.clone(), threads: std::array::from_fn(choice) })
}

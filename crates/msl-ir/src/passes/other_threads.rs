//! What another thread of the simdgroup has computed, computed again by this one.
//!
//! In: a value and the index of a thread in its simdgroup. Out: instructions that give the value as that thread has
//! it, where it follows from that index and from what all threads of the simdgroup have in common. Besides, how far
//! an address of one thread is from that of another.

use super::eliminate_common::is_pure;
use super::fold_constants as fold;
use super::rewrite::push;
use crate::BinaryOp;
use crate::analysis::layout::GangLayout;
use crate::analysis::uniformity::Uniformity;
use crate::ir::{Builtin, Function, Module, Op, ValueId};
use crate::types::{Scalar, TypeTable};
use msl_base::FxMap;
use std::rc::Rc;

/// Operations on the way from the index to the value.
const DEEPEST: u32 = 64;
/// Threads of a simdgroup.
const THREADS: usize = 32;

pub struct OtherThreads {
    shapes: Uniformity,
    known: FxMap<(ValueId, ValueId), Option<ValueId>>,
    forms: FxMap<ValueId, Option<Rc<Form>>>,
}

/// An integer, or the address of a pointer in bytes, of each thread: a number, and multiples of values that all have in
/// common. Arithmetic is that of 64 bits.
#[derive(Clone, PartialEq)]
struct Form {
    number: [u64; THREADS],
    multiples: Vec<(ValueId, [u64; THREADS])>,
}

impl OtherThreads {
    /// For a function that is run in threadgroups of this size.
    pub fn new(module: &Module, f: &Function, threads_per_threadgroup: [u32; 3]) -> OtherThreads {
        let layout = GangLayout::consecutive(Some(threads_per_threadgroup), 32, 1);
        OtherThreads {
            shapes: Uniformity::analyze(module, f, &layout),
            known: FxMap::default(),
            forms: FxMap::default(),
        }
    }

    /// Whether all threads of a simdgroup have the same value.
    pub fn is_uniform(&self, v: ValueId) -> bool {
        self.shapes.shape(v).is_uniform()
    }

    /// Values made so far may not be visible in the next block.
    pub fn forget(&mut self) {
        self.known.clear();
    }

    /// `v`, which was there when the function was looked at, as thread `thread` has it; what is new goes to `out`.
    pub fn value(
        &mut self,
        types: &TypeTable,
        f: &mut Function,
        v: ValueId,
        thread: ValueId,
        out: &mut Vec<ValueId>,
    ) -> Option<ValueId> {
        self.value_within(types, f, v, thread, out, DEEPEST)
    }

    /// The bytes from the address that thread `from` has to that of thread `to`, where it is the same number always.
    pub fn distance(&mut self, types: &TypeTable, f: &Function, p: ValueId, from: usize, to: usize) -> Option<u64> {
        let form = self.form(types, f, p, DEEPEST)?;
        let is_common = form.multiples.iter().all(|(_, times)| times[from] == times[to]);
        is_common.then(|| form.number[to].wrapping_sub(form.number[from]))
    }

    /// The bytes from an address of a thread to another one that it has, where it is the same number always.
    pub fn distance_between(
        &mut self,
        types: &TypeTable,
        f: &Function,
        p: ValueId,
        q: ValueId,
        thread: usize,
    ) -> Option<u64> {
        let (p, q) = (self.form(types, f, p, DEEPEST)?, self.form(types, f, q, DEEPEST)?);
        let difference = q.plus(&p.times([u64::MAX; THREADS]));
        let is_number = difference.multiples.iter().all(|(_, times)| times[thread] == 0);
        is_number.then_some(difference.number[thread])
    }

    fn form(&mut self, types: &TypeTable, f: &Function, v: ValueId, depth: u32) -> Option<Rc<Form>> {
        if let Some(known) = self.forms.get(&v) {
            return known.clone();
        }
        let form = self.new_form(types, f, v, depth).map(Rc::new);
        self.forms.insert(v, form.clone());
        form
    }

    fn new_form(&mut self, types: &TypeTable, f: &Function, v: ValueId, depth: u32) -> Option<Form> {
        let inst = &f.insts[v];
        let depth = depth.checked_sub(1)?;
        if let Op::Const(bits) = inst.op {
            let s = types.scalar_of(inst.ty).filter(|s| s.is_integer())?;
            return Some(Form::number([sign_extended(s, bits); THREADS]));
        }
        if self.shapes.shape(v).is_uniform() {
            return Some(Form { number: [0; THREADS], multiples: vec![(v, [1; THREADS])] });
        }
        match inst.op {
            Op::Builtin(Builtin::ThreadIndexInSimdgroup) => Some(Form::number(std::array::from_fn(|i| i as u64))),
            Op::PtrCast(a) | Op::AssumeValid(a) => Some((*self.form(types, f, a, depth)?).clone()),
            Op::PtrOffset { base, offset } => {
                let size = types.size_of(types.pointee(f.insts[base].ty)?.1);
                let base = self.form(types, f, base, depth)?;
                let scalar = types.scalar_of(f.insts[offset].ty)?;
                let offset = self.form(types, f, offset, depth)?.widened(scalar)?;
                Some(base.plus(&offset.times([size; THREADS])))
            }
            Op::Convert(a) => {
                let (from, to) = (types.scalar_of(f.insts[a].ty)?, types.scalar_of(inst.ty)?);
                if !from.is_integer() || !to.is_integer() {
                    return None;
                }
                let form = self.form(types, f, a, depth)?.widened(from)?;
                // Numbers that are not known may be others in a type that is not wider.
                let is_same = form.multiples.is_empty() || to.bits() > from.bits() || to.bits() == 64;
                is_same.then_some(form)?.narrowed(to)
            }
            Op::Binary(op, a, b) => {
                let s = types.scalar_of(inst.ty).filter(|s| s.is_integer())?;
                let (a, b) = (self.form(types, f, a, depth)?, self.form(types, f, b, depth)?);
                match op {
                    BinaryOp::Add => a.plus(&b).narrowed(s),
                    BinaryOp::Sub => a.plus(&b.times([u64::MAX; THREADS])).narrowed(s),
                    BinaryOp::Mul if b.multiples.is_empty() => a.times(b.number).narrowed(s),
                    BinaryOp::Mul if a.multiples.is_empty() => b.times(a.number).narrowed(s),
                    _ if a.multiples.is_empty() && b.multiples.is_empty() => {
                        let mut number = [0; THREADS];
                        for (n, (a, b)) in number.iter_mut().zip(a.number.into_iter().zip(b.number)) {
                            *n = sign_extended(s, fold::binary(op, s, fold::truncate(s, a), fold::truncate(s, b))?);
                        }
                        Some(Form::number(number))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn value_within(
        &mut self,
        types: &TypeTable,
        f: &mut Function,
        v: ValueId,
        thread: ValueId,
        out: &mut Vec<ValueId>,
        depth: u32,
    ) -> Option<ValueId> {
        if self.shapes.shape(v).is_uniform() {
            return Some(v);
        }
        if let Some(known) = self.known.get(&(v, thread)) {
            return *known;
        }
        let inst = &f.insts[v];
        let other = match &inst.op {
            Op::Builtin(Builtin::ThreadIndexInSimdgroup) => Some(thread),
            Op::Builtin(_) | Op::LocalAddr(_) => None,
            _ if depth == 0 || !is_pure(types, f, inst) => None,
            op => {
                let (mut op, ty, fp, span) = (op.clone(), inst.ty, inst.fp, inst.span);
                let mut all = true;
                op.map_operands(|operand| {
                    let other = self.value_within(types, f, operand, thread, out, depth - 1);
                    all &= other.is_some();
                    other.unwrap_or(operand)
                });
                all.then(|| {
                    let other = push(f, op, ty, span);
                    f.insts[other].fp = fp;
                    out.push(other);
                    other
                })
            }
        };
        self.known.insert((v, thread), other);
        other
    }
}

impl Form {
    fn number(number: [u64; THREADS]) -> Form {
        Form { number, multiples: Vec::new() }
    }

    fn times(&self, by: [u64; THREADS]) -> Form {
        let scaled = |n: &[u64; THREADS]| std::array::from_fn(|i| n[i].wrapping_mul(by[i]));
        Form {
            number: scaled(&self.number),
            multiples: self.multiples.iter().map(|(v, times)| (*v, scaled(times))).collect(),
        }
    }

    fn plus(&self, other: &Form) -> Form {
        let sum = |a: &[u64; THREADS], b: &[u64; THREADS]| std::array::from_fn(|i| a[i].wrapping_add(b[i]));
        let mut result = Form { number: sum(&self.number, &other.number), multiples: self.multiples.clone() };
        for (v, times) in &other.multiples {
            match result.multiples.iter_mut().find(|(w, _)| w == v) {
                Some((_, known)) => *known = sum(known, times),
                None => result.multiples.push((*v, *times)),
            }
        }
        result
    }

    /// As 64 bits of a number of this type: what may have wrapped around is not known.
    fn widened(&self, from: Scalar) -> Option<Form> {
        (from.bits() == 64 || self.multiples.is_empty() || self.is_one_value()).then(|| self.clone())
    }

    /// As the type has it.
    fn narrowed(self, to: Scalar) -> Option<Form> {
        match to.bits() {
            64 => Some(self),
            _ if self.multiples.is_empty() => Some(Form::number(self.number.map(|n| sign_extended(to, n)))),
            _ => self.is_one_value().then_some(self),
        }
    }

    /// The value of some other instruction as it is.
    fn is_one_value(&self) -> bool {
        self.number == [0; THREADS] && matches!(&self.multiples[..], [(_, times)] if *times == [1; THREADS])
    }
}

/// The bits of an integer as 64 of the same value.
fn sign_extended(s: Scalar, bits: u64) -> u64 {
    let shift = 64 - s.bits();
    if s.is_signed() { ((bits << shift) as i64 >> shift) as u64 } else { bits << shift >> shift }
}

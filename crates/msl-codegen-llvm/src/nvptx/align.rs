//! How well addresses are aligned.
//!
//! The form of an address says of how many bytes it is a multiple for sure; LLVM asks the same, but only so deep, and what
//! it does not find out costs it the wide accesses. Where that is less than the type of the access wants, as behind casts, the
//! address is tested when it is known: the hardware does not forgive what it forgives on a CPU (`msl-ir`, "What is
//! forgiven"). Members of structures that are accessed as something larger are taken apart without asking.

use std::cell::RefCell;
use std::collections::HashMap;

use msl_ir::{AddressSpace, BinaryOp, Builtin, Function, LocalId, Op, Scalar, Type, ValueId};

use super::kernel::Emit;

/// No alignment beyond 16 bytes matters.
const MOST: u32 = 4;
const DEPTH: u32 = 24;

/// What is stored in the locals that are only loaded and stored, as counters of loops are.
pub struct Locals {
    stored: HashMap<LocalId, Vec<ValueId>>,
    /// Those looked at right now: what is true of all other values stored is true of these.
    assumed: RefCell<Vec<LocalId>>,
}

impl Locals {
    pub fn new(f: &Function) -> Locals {
        let mut stored: HashMap<LocalId, Vec<ValueId>> = f.locals.iter().map(|(l, _)| (l, Vec::new())).collect();
        let local = |v: ValueId| match f.insts[v].op {
            Op::LocalAddr(l) => Some(l),
            _ => None,
        };
        for (_, inst) in f.insts.iter() {
            match &inst.op {
                Op::Load { .. } => {}
                Op::Store { ptr, value, .. } => {
                    if let Some(l) = local(*value) {
                        stored.remove(&l);
                    }
                    if let Some(values) = local(*ptr).and_then(|l| stored.get_mut(&l)) {
                        values.push(*value);
                    }
                }
                op => op.for_each_operand(|v| {
                    if let Some(l) = local(v) {
                        stored.remove(&l);
                    }
                }),
            }
        }
        Locals { stored, assumed: RefCell::default() }
    }
}

/// The alignment of an access, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// What the type of the access wants, as far as structures around it have it.
    pub usual: u32,
    /// What every address has that gets here.
    pub sure: u32,
}

impl Alignment {
    pub fn is_sure(self) -> bool {
        self.sure >= self.usual
    }
}

impl Emit<'_> {
    /// The alignment of an access whose type has `align`.
    pub fn alignment(&self, pointer: ValueId, align: u32) -> Alignment {
        let usual = align.max(1).min(self.alignment_of_structures(pointer));
        if self.provenance.is_trusted(pointer) {
            return Alignment { usual, sure: usual };
        }
        let sure = 1 << self.zeros_of_pointer(pointer, DEPTH);
        let is_shared = self.space_of(pointer) == AddressSpace::Threadgroup;
        Alignment { usual: if is_shared { usual.max(sure) } else { usual }, sure }
    }

    /// The alignment of a load or store.
    pub fn alignment_of(&self, access: ValueId) -> Alignment {
        match self.f.insts[access].op {
            Op::Load { ptr, align, .. } | Op::Store { ptr, align, .. } => self.alignment(ptr, align),
            _ => Alignment { usual: 1, sure: 1 },
        }
    }

    /// How many low bits of an integer are known to be zero.
    pub fn zero_bits(&self, v: ValueId) -> u32 {
        self.zeros(v, DEPTH).trailing_ones()
    }

    /// The least alignment of the structures that a pointer was led through. Other casts are taken at
    /// their word, as the usual case: `device char*` is how hosts pass arrays of everything.
    fn alignment_of_structures(&self, mut v: ValueId) -> u32 {
        let types = &self.module.types;
        let mut least = u32::MAX;
        loop {
            v = match &self.f.insts[v].op {
                Op::FieldAddr { base, .. } => {
                    if let Some((_, ty)) = types.pointee(self.ty(*base)) {
                        least = least.min(types.align_of(ty).max(1));
                    }
                    *base
                }
                Op::PtrCast(base) | Op::AssumeValid(base) | Op::IndexAddr { base, .. } | Op::PtrOffset { base, .. } => {
                    *base
                }
                _ => return least,
            };
        }
    }

    /// How many low bits of an address are zero.
    fn zeros_of_pointer(&self, v: ValueId, depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        let types = &self.module.types;
        let pointee = |base: ValueId| types.pointee(self.ty(base)).map(|p| p.1);
        let size = |n: u64| n.trailing_zeros().min(MOST);
        match &self.f.insts[v].op {
            // Variables start at multiples of 16, and threadgroup memory whoever declares it.
            Op::GlobalAddr(_) => MOST,
            Op::Param(i) => match self.args.get(*i as usize) {
                Some(arg) if !arg.is_aligned => 0,
                _ => MOST,
            },
            Op::LocalAddr(l) => size(u64::from(self.f.locals[*l].align.max(1))),
            Op::PtrCast(base) | Op::AssumeValid(base) => self.zeros_of_pointer(*base, depth - 1),
            Op::FieldAddr { base, field } => {
                let offset = match pointee(*base).map(|t| types.get(t)) {
                    Some(Type::Struct(s)) => {
                        types.structure(*s).fields.get(*field as usize).map_or(0, |f| size(f.offset))
                    }
                    _ => 0,
                };
                self.zeros_of_pointer(*base, depth - 1).min(offset)
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let scale = match pointee(*base) {
                    Some(t) if matches!(self.f.insts[v].op, Op::PtrOffset { .. }) => size(types.size_of(t)),
                    Some(t) => match types.get(t) {
                        Type::Array { elem, .. } => size(types.size_of(*elem)),
                        Type::Vector { elem, .. } => size(u64::from(elem.size())),
                        _ => 0,
                    },
                    None => 0,
                };
                let own = (scale + self.zeros(*index, depth - 1).trailing_ones()).min(MOST);
                self.zeros_of_pointer(*base, depth - 1).min(own)
            }
            Op::Select { a, b, .. } => self.zeros_of_pointer(*a, depth - 1).min(self.zeros_of_pointer(*b, depth - 1)),
            Op::Load { ptr, .. } if let Op::LocalAddr(l) = self.f.insts[*ptr].op => self.zeros_of_kept(l, depth - 1),
            // Hosts and programs that make addresses of numbers say what is there.
            _ => pointee(v).map_or(0, |t| size(u64::from(types.align_of(t).max(1)))),
        }
    }

    /// The least of all pointers that a local ever holds.
    fn zeros_of_kept(&self, local: LocalId, depth: u32) -> u32 {
        let Some(values) = self.alignments.stored.get(&local) else { return 0 };
        if self.alignments.assumed.borrow().contains(&local) {
            return MOST;
        }
        self.alignments.assumed.borrow_mut().push(local);
        let least = values.iter().map(|v| self.zeros_of_pointer(*v, depth)).min();
        self.alignments.assumed.borrow_mut().pop();
        least.unwrap_or(0)
    }

    /// The bits that are zero in everything that a local ever holds.
    fn zeros_of_local(&self, local: LocalId, depth: u32) -> u64 {
        let Some(values) = self.alignments.stored.get(&local) else { return 0 };
        if self.alignments.assumed.borrow().contains(&local) {
            return u64::MAX;
        }
        self.alignments.assumed.borrow_mut().push(local);
        let zeros = values.iter().fold(u64::MAX, |all, v| all & self.zeros(*v, depth));
        self.alignments.assumed.borrow_mut().pop();
        if values.is_empty() { 0 } else { zeros }
    }

    /// The bits of an integer that are known to be zero; those beyond its type are.
    fn zeros(&self, v: ValueId, depth: u32) -> u64 {
        let s = self.scalar_of(v);
        if depth == 0 || !s.is_integer() {
            return 0;
        }
        let beyond = u64::MAX.checked_shl(s.bits()).unwrap_or(0);
        beyond | self.zeros_within(v, s, depth - 1)
    }

    fn zeros_within(&self, v: ValueId, s: Scalar, depth: u32) -> u64 {
        let of = |v: ValueId| self.zeros(v, depth);
        let low = |n: u32| !u64::MAX.checked_shl(n).unwrap_or(0);
        let constant = |v: ValueId| match self.f.insts[v].op {
            Op::Const(bits) => Some(bits),
            _ => None,
        };
        let sign = 1u64 << (s.bits() - 1);
        match &self.f.insts[v].op {
            Op::Load { ptr, .. } => match self.f.insts[*ptr].op {
                Op::LocalAddr(local) => self.zeros_of_local(local, depth),
                _ => 0,
            },
            Op::Builtin(Builtin::ThreadIndexInSimdgroup) => !31,
            Op::Const(bits) => !bits,
            Op::Binary(op, a, b) => match op {
                BinaryOp::Or | BinaryOp::Xor => of(*a) & of(*b),
                BinaryOp::And => of(*a) | of(*b),
                BinaryOp::Add | BinaryOp::Sub => low(of(*a).trailing_ones().min(of(*b).trailing_ones())),
                BinaryOp::Mul => low(of(*a).trailing_ones() + of(*b).trailing_ones()),
                BinaryOp::Shl => constant(*b).filter(|k| *k < 64).map_or(0, |k| of(*a) << k | low(k as u32)),
                BinaryOp::Shr => match constant(*b).filter(|k| *k < u64::from(s.bits())) {
                    // The bits that come in from the left are those of the sign.
                    Some(k) if s.is_signed() && of(*a) & sign == 0 => of(*a) >> k & low(s.bits() - k as u32),
                    Some(k) => of(*a) >> k | !(u64::MAX >> k),
                    None => 0,
                },
                BinaryOp::Div | BinaryOp::Rem if !s.is_signed() => match constant(*b).filter(|n| n.is_power_of_two()) {
                    Some(n) if *op == BinaryOp::Rem => of(*a) | !(n - 1),
                    Some(n) => of(*a) >> n.trailing_zeros() | !(u64::MAX >> n.trailing_zeros()),
                    None => 0,
                },
                _ => 0,
            },
            Op::Convert(a) if self.scalar_of(*a).is_integer() => {
                let from = self.scalar_of(*a);
                let zeros = of(*a);
                let is_negative = from.is_signed() && zeros >> (from.bits() - 1) & 1 == 0;
                if is_negative { zeros & low(from.bits()) } else { zeros }
            }
            Op::Select { a, b, .. } => of(*a) & of(*b),
            Op::Splat(a) => of(*a),
            Op::Compose(list) => list.iter().fold(u64::MAX, |all, v| all & of(*v)),
            Op::Extract { vector, index } => match &self.f.insts[*vector].op {
                Op::Compose(list) if list.len() > usize::from(*index) => of(list[usize::from(*index)]),
                _ => of(*vector),
            },
            _ => 0,
        }
    }
}

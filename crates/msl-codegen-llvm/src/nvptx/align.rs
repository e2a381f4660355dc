//! How well addresses in threadgroup memory are aligned, from the form of their offsets.
//!
//! LLVM asks the same, but only so deep; what it does not find out costs it the wide accesses.

use std::cell::RefCell;
use std::collections::HashMap;

use msl_ir::analysis::Root;
use msl_ir::{AddressSpace, BinaryOp, Function, LocalId, Op, Type, ValueId};

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

impl Emit<'_> {
    /// The alignment of an access, at least `align`.
    pub fn alignment(&self, pointer: ValueId, align: u32) -> u32 {
        if self.space_of(pointer) != AddressSpace::Threadgroup {
            return align;
        }
        align.max(1 << self.zeros_of_pointer(pointer, DEPTH))
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
            // All threadgroup memory starts at a multiple of 16, whoever declares it.
            Op::GlobalAddr(_) => MOST,
            Op::Param(_) if matches!(self.provenance.roots(v), [Root::Param(_)]) => MOST,
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
                let own = (scale + self.zeros(*index, depth - 1)).min(MOST);
                self.zeros_of_pointer(*base, depth - 1).min(own)
            }
            Op::Select { a, b, .. } => self.zeros_of_pointer(*a, depth - 1).min(self.zeros_of_pointer(*b, depth - 1)),
            _ => 0,
        }
    }

    /// How many low bits are zero in everything that a local ever holds.
    fn zeros_of_local(&self, local: LocalId, depth: u32) -> u32 {
        let Some(values) = self.alignments.stored.get(&local) else { return 0 };
        if self.alignments.assumed.borrow().contains(&local) {
            return u64::BITS;
        }
        self.alignments.assumed.borrow_mut().push(local);
        let zeros = values.iter().map(|v| self.zeros(*v, depth)).min().unwrap_or(0);
        self.alignments.assumed.borrow_mut().pop();
        zeros
    }

    /// How many low bits of an integer are zero.
    fn zeros(&self, v: ValueId, depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        let of = |v: ValueId| self.zeros(v, depth - 1);
        if let Op::Load { ptr, .. } = self.f.insts[v].op
            && let Op::LocalAddr(local) = self.f.insts[ptr].op
        {
            return self.zeros_of_local(local, depth - 1);
        }
        let constant = |v: ValueId| match self.f.insts[v].op {
            Op::Const(bits) => Some(bits),
            _ => None,
        };
        let zeros = match &self.f.insts[v].op {
            Op::Const(bits) => bits.trailing_zeros(),
            Op::Binary(op, a, b) => match op {
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::Or | BinaryOp::Xor => of(*a).min(of(*b)),
                BinaryOp::And => of(*a).max(of(*b)),
                BinaryOp::Mul => of(*a) + of(*b),
                BinaryOp::Shl => constant(*b).map_or(0, |k| k.min(31) as u32) + of(*a),
                BinaryOp::Shr => constant(*b).map_or(0, |k| of(*a).saturating_sub(k.min(64) as u32)),
                _ => 0,
            },
            Op::Convert(a) if self.scalar_of(*a).is_integer() && self.scalar_of(v).is_integer() => of(*a),
            Op::Select { a, b, .. } => of(*a).min(of(*b)),
            Op::Splat(a) => of(*a),
            Op::Compose(list) => list.iter().map(|v| of(*v)).min().unwrap_or(0),
            Op::Extract { vector, index } => match &self.f.insts[*vector].op {
                Op::Compose(list) if list.len() > usize::from(*index) => of(list[usize::from(*index)]),
                _ => of(*vector),
            },
            _ => 0,
        };
        zeros.min(31)
    }
}

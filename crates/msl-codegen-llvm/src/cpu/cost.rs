//! Whether a region that lanes may be off in is jumped over when they all are, or runs for nobody.
//!
//! The unit is an instruction on one vector. Jumping over a region costs a test of the mask of each part, a branch, and
//! that branch's misprediction now and then; running it for nobody costs what is in it:
//!
//! | | units for each part |
//! | --- | --- |
//! | scalars, addresses that are linear, moves between components | 0 |
//! | arithmetic | 1 for each 32 bits of a lane |
//! | conversions | 2 |
//! | divisions and roots of floats, and what has 16 bits in fast or strict math | 4 |
//! | divisions of integers | 10 for each 32 bits of a lane |
//! | stores to variables | 1, for they blend |
//! | loads from device memory | 10, for what they bring into the caches; once if all lanes read the same |
//! | other loads, where lanes are side by side | 2 |
//! | stores, where lanes are side by side | 2 with AVX-512, else 6: there they are slow or go lane by lane |
//! | other loads and stores | 2 for each lane |
//! | loops, switches, atomic operations, copies, what threads do together | more than any jump |
//!
//! A construct inside costs what is in it, and no more than jumping over that.

use msl_base::Id;
use msl_ir::{AddressSpace, BinaryOp, Block, Op, UnaryOp, ValueId};

use super::kernel::Emit;
use crate::emit::shape::Root;

/// More than any jump.
const LARGE: u32 = 1000;

impl Emit<'_> {
    /// Whether jumping over the block when no lane needs it pays for the test.
    pub fn is_worth_a_test(&self, block: &Block) -> bool {
        self.cost(block) >= self.cost_of_jump()
    }

    fn cost_of_jump(&self) -> u32 {
        8 + self.gang.parts
    }

    fn cost(&self, block: &Block) -> u32 {
        block.insts.iter().fold(0, |sum, id| (sum + self.cost_of(*id)).min(LARGE))
    }

    fn cost_of(&self, id: ValueId) -> u32 {
        let inst = &self.f.insts[id];
        let parts = self.gang.parts;
        let bits = self.module.types.scalar_of(inst.ty).map_or(64, |s| s.bits());
        let words = bits.div_ceil(32);
        // The components that differ between lanes.
        let n = match self.module.types.pointee(inst.ty) {
            Some(_) => 0,
            None => {
                let shape = &self.flow.shapes[id.index()];
                (0..self.count_of(id)).filter(|i| shape.c[*i].lanes() && shape.c[*i].linear.is_none()).count() as u32
            }
        };
        let each = |units: u32| units * n * parts;
        match &inst.op {
            Op::Load { ptr, .. } if self.places.get(*ptr).is_some() => 0,
            Op::Store { ptr, value, .. } if self.places.get(*ptr).is_some() => parts * self.count_of(*value) as u32,
            Op::Load { ptr, .. } => self.cost_of_access(*ptr, self.count_of(id) as u32, false),
            Op::Store { ptr, value, .. } => self.cost_of_access(*ptr, self.count_of(*value) as u32, true),
            Op::Copy { .. }
            | Op::Atomic { .. }
            | Op::CompareExchange { .. }
            | Op::Simd(..)
            | Op::Log { .. }
            | Op::Trap(_)
            | Op::Loop { .. }
            | Op::Switch { .. } => LARGE,
            Op::If { .. } | Op::Scope { .. } => {
                // Two tests, at most, and what is inside.
                let jump = self.cost_of_jump();
                2 + inst.op.blocks().iter().map(|b| self.cost(b).min(jump)).sum::<u32>()
            }
            Op::Binary(BinaryOp::Div | BinaryOp::Rem, ..) if !self.scalar_of(id).is_float() => each(10 * words),
            Op::Binary(BinaryOp::Div, ..) | Op::Unary(UnaryOp::Sqrt | UnaryOp::Rsqrt, _) => each(4),
            Op::Unary(..) | Op::Binary(..) | Op::Fma(..) if self.scalar_of(id).is_float() && bits == 16 => each(4),
            Op::Convert(_) => each(2),
            Op::Unary(..) | Op::Binary(..) | Op::Fma(..) | Op::Compare(..) | Op::Select { .. } => each(words),
            // Chosen component by component.
            Op::ExtractDynamic { vector, .. } | Op::InsertDynamic { vector, .. } => {
                each(words) * self.count_of(*vector) as u32
            }
            _ => 0,
        }
    }

    /// Of `count` scalars that lie side by side.
    fn cost_of_access(&self, ptr: ValueId, count: u32, is_store: bool) -> u32 {
        let parts = self.gang.parts;
        let shape = &self.flow.shapes[ptr.index()];
        let (scalar, var) = (shape.c[0], shape.c[1]);
        let space = self.module.types.pointee(self.f.insts[ptr].ty).map(|p| p.0);
        if matches!(shape.root, Some((Root::Local(_) | Root::Private, _))) {
            return 2 * parts * count;
        }
        let is_far = space == Some(AddressSpace::Device) && !is_store;
        if !var.lanes() && !is_store {
            let times = if scalar.parts() { parts } else { 1 };
            return if is_far { 10 } else { times };
        }
        let is_side_by_side = var.linear.is_some_and(|l| l.stride != 0);
        if !is_side_by_side {
            return 2 * self.gang.lanes * parts * count;
        }
        match (is_store, self.target.has_mask_registers) {
            (false, _) if is_far => 10,
            (false, _) | (true, true) => 2 * parts * count,
            (true, false) => 6 * parts * count,
        }
    }
}

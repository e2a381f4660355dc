//! Loads, stores, copies and atomic operations.
//!
//! Threads access memory in ascending order, so a race within one instruction has a fixed
//! outcome; the detector reports it all the same.

use super::exec::{Exec, Frame, Outcome};
use super::memory::{Access, read, write};
use super::scalar;
use crate::*;

impl<'a> Exec<'_, 'a> {
    pub(super) fn memory_op(&mut self, frame: &Frame<'a>, value: ValueId, op: &'a Op, active: &[u32]) -> Outcome<()> {
        match *op {
            Op::Load { ptr, align, .. } => self.load(frame, value, ptr, align, active),
            Op::Store { ptr, value: stored, align, .. } => self.store(frame, value, ptr, stored, align, active),
            Op::Copy { dst, src, align } => self.copy(frame, value, dst, src, align, active),
            Op::Atomic { op, ptr, value: operand, .. } => self.atomic(frame, value, op, ptr, operand, active),
            Op::CompareExchange { ptr, expected, desired, .. } => {
                self.compare_exchange(frame, value, ptr, [expected, desired], active)
            }
            _ => Ok(()),
        }
    }

    fn space(&self, frame: &Frame<'a>, pointer: ValueId) -> AddressSpace {
        self.module.types.pointee(frame.function.insts[pointer].ty).map_or(AddressSpace::Thread, |(s, _)| s)
    }

    fn note(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        place: *mut u8,
        t: u32,
        access: Access,
        changes: bool,
    ) -> Outcome<()> {
        match self.memory.note(place, t, access, changes) {
            Ok(()) => Ok(()),
            Err(problem) => Err(self.problem(frame, value, t, problem)),
        }
    }

    fn load(&mut self, frame: &Frame<'a>, value: ValueId, ptr: ValueId, align: u32, active: &[u32]) -> Outcome<()> {
        let slot = self.slot(frame, value);
        let size = slot.scalar.map_or(8, Scalar::size);
        let (d, p) = (self.at(frame, value), self.at(frame, ptr));
        let access = Access {
            space: self.space(frame, ptr),
            len: u64::from(size) * u64::from(slot.components),
            align: u64::from(align),
            is_write: false,
            is_atomic: false,
        };
        let checks_races = self.memory.checks_races();
        let is_bool = slot.scalar == Some(Scalar::Bool);
        for &t in active {
            let place = self.access(frame, value, self.regs[p + t as usize], t, access)?;
            if checks_races {
                self.note(frame, value, place, t, access, false)?;
            }
            for c in 0..usize::from(slot.components) {
                let bits = read(place.wrapping_add(c * size as usize), size);
                self.regs[d + c * self.stride + t as usize] = if is_bool { u64::from(bits != 0) } else { bits };
            }
        }
        Ok(())
    }

    fn store(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        ptr: ValueId,
        stored: ValueId,
        align: u32,
        active: &[u32],
    ) -> Outcome<()> {
        let slot = self.slot(frame, stored);
        let size = slot.scalar.map_or(8, Scalar::size);
        let (v, p) = (self.at(frame, stored), self.at(frame, ptr));
        let access = Access {
            space: self.space(frame, ptr),
            len: u64::from(size) * u64::from(slot.components),
            align: u64::from(align),
            is_write: true,
            is_atomic: false,
        };
        let checks_races = self.memory.checks_races();
        let mask = slot.scalar.map_or(u64::MAX, scalar::mask);
        for &t in active {
            let place = self.access(frame, value, self.regs[p + t as usize], t, access)?;
            let mut changes = false;
            for c in 0..usize::from(slot.components) {
                let place = place.wrapping_add(c * size as usize);
                let bits = self.regs[v + c * self.stride + t as usize];
                changes |= checks_races && read(place, size) != bits & mask;
                write(place, size, bits);
            }
            if checks_races {
                self.note(frame, value, place, t, access, changes)?;
            }
        }
        Ok(())
    }

    fn copy(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        dst: ValueId,
        src: ValueId,
        align: u32,
        active: &[u32],
    ) -> Outcome<()> {
        let ty = frame.function.insts[dst].ty;
        let len = self.module.types.pointee(ty).map_or(0, |(_, ty)| self.module.types.size_of(ty));
        let (d, s) = (self.at(frame, dst), self.at(frame, src));
        let reading =
            Access { space: self.space(frame, src), len, align: u64::from(align), is_write: false, is_atomic: false };
        let writing = Access { space: self.space(frame, dst), is_write: true, ..reading };
        let checks_races = self.memory.checks_races();
        for &t in active {
            let from = self.access(frame, value, self.regs[s + t as usize], t, reading)?;
            let to = self.access(frame, value, self.regs[d + t as usize], t, writing)?;
            if checks_races {
                self.note(frame, value, from, t, reading, false)?;
            }
            // SAFETY: both places were checked for `len` bytes, and nothing was added to memory since.
            let changes = unsafe {
                let old = std::slice::from_raw_parts(to, len as usize).to_vec();
                std::ptr::copy(from, to, len as usize);
                checks_races && old != std::slice::from_raw_parts(to, len as usize)
            };
            if checks_races {
                self.note(frame, value, to, t, writing, changes)?;
            }
        }
        Ok(())
    }

    /// The place of an atomic object, checked.
    fn atomic_place(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        ptr: ValueId,
        s: Scalar,
        t: u32,
        is_write: bool,
    ) -> Outcome<*mut u8> {
        let access = Access {
            space: self.space(frame, ptr),
            len: u64::from(s.size()),
            align: u64::from(s.size()),
            is_write,
            is_atomic: true,
        };
        let pointer = self.regs[self.at(frame, ptr) + t as usize];
        let place = self.access(frame, value, pointer, t, access)?;
        if self.memory.checks_races() {
            self.note(frame, value, place, t, access, true)?;
        }
        Ok(place)
    }

    fn atomic(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        op: AtomicOp,
        ptr: ValueId,
        operand: Option<ValueId>,
        active: &[u32],
    ) -> Outcome<()> {
        let Some(&Type::Scalar(s)) = self.pointee(frame, ptr) else { return Ok(()) };
        let d = self.at(frame, value);
        let operand = operand.map(|v| self.at(frame, v));
        let arithmetic = match op {
            AtomicOp::Load | AtomicOp::Store | AtomicOp::Exchange => None,
            AtomicOp::Add => Some(BinaryOp::Add),
            AtomicOp::Sub => Some(BinaryOp::Sub),
            AtomicOp::Min => Some(BinaryOp::Min),
            AtomicOp::Max => Some(BinaryOp::Max),
            AtomicOp::And => Some(BinaryOp::And),
            AtomicOp::Or => Some(BinaryOp::Or),
            AtomicOp::Xor => Some(BinaryOp::Xor),
        };
        for &t in active {
            let place = self.atomic_place(frame, value, ptr, s, t, op != AtomicOp::Load)?;
            let old = read(place, s.size());
            if let Some(operand) = operand {
                let x = self.regs[operand + t as usize];
                write(place, s.size(), arithmetic.map_or(x, |op| scalar::binary(op, s, old, x)));
            }
            if op != AtomicOp::Store {
                self.regs[d + t as usize] = old;
            }
        }
        Ok(())
    }

    fn compare_exchange(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        ptr: ValueId,
        [expected, desired]: [ValueId; 2],
        active: &[u32],
    ) -> Outcome<()> {
        let Some(&Type::Scalar(s)) = self.pointee(frame, ptr) else { return Ok(()) };
        let (d, e, n) = (self.at(frame, value), self.at(frame, expected), self.at(frame, desired));
        for &t in active {
            let place = self.atomic_place(frame, value, ptr, s, t, true)?;
            let (old, t) = (read(place, s.size()), t as usize);
            // Bits are compared, as everywhere: −0 is not 0.
            if old == self.regs[e + t] {
                write(place, s.size(), self.regs[n + t]);
            }
            self.regs[d + t] = old;
        }
        Ok(())
    }
}

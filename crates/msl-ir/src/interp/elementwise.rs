//! Operations whose result for a thread depends on that thread's operands alone.
//!
//! [`scalar`] defines the arithmetic. The commonest types have loops of their own here, which
//! compute the same without deciding per thread what to do.

use super::exec::{Exec, Frame};
use super::scalar;
use crate::*;

impl<'a> Exec<'_, 'a> {
    /// Sets rows `d..` from rows `a..`, for each component and active thread.
    #[inline]
    fn map1(&mut self, d: usize, a: usize, components: usize, active: &[u32], f: impl Fn(u64) -> u64) {
        for row in 0..components {
            let (d, a) = (d + row * self.stride, a + row * self.stride);
            for &t in active {
                let t = t as usize;
                self.regs[d + t] = f(self.regs[a + t]);
            }
        }
    }
    #[inline]
    fn map2(&mut self, d: usize, [a, b]: [usize; 2], components: usize, active: &[u32], f: impl Fn(u64, u64) -> u64) {
        for row in 0..components {
            let offset = row * self.stride;
            let (d, a, b) = (d + offset, a + offset, b + offset);
            for &t in active {
                let t = t as usize;
                self.regs[d + t] = f(self.regs[a + t], self.regs[b + t]);
            }
        }
    }

    pub(super) fn elementwise(&mut self, frame: &Frame<'a>, value: ValueId, inst: &'a Inst, active: &[u32]) {
        let slot = self.slot(frame, value);
        let d = self.at(frame, value);
        let n = usize::from(slot.components);
        let stride = self.stride;
        match &inst.op {
            Op::Unary(op, a) => {
                let s = self.slot(frame, *a).scalar.unwrap_or(Scalar::U64);
                let a = self.at(frame, *a);
                self.map1(d, a, n, active, |x| scalar::unary(*op, s, x));
            }
            Op::Binary(op, a, b) => {
                let s = slot.scalar.unwrap_or(Scalar::U64);
                let places = [self.at(frame, *a), self.at(frame, *b)];
                self.binary(*op, s, d, places, n, active);
            }
            Op::Compare(op, a, b) => {
                let s = self.slot(frame, *a).scalar.unwrap_or(Scalar::U64);
                let places = [self.at(frame, *a), self.at(frame, *b)];
                if self.module.types.pointee(frame.function.insts[*a].ty).is_some() {
                    for &t in active {
                        let t = t as usize;
                        let [x, y] = places.map(|p| self.memory.address(self.regs[p + t]));
                        self.regs[d + t] = u64::from(scalar::compare(*op, Scalar::U64, x, y));
                    }
                } else {
                    self.compare(*op, s, d, places, n, active);
                }
            }
            Op::Select { condition, a, b } => {
                let is_vector = self.slot(frame, *condition).components > 1;
                let (c, a, b) = (self.at(frame, *condition), self.at(frame, *a), self.at(frame, *b));
                for row in 0..n {
                    let c = if is_vector { c + row * stride } else { c };
                    for &t in active {
                        let t = t as usize;
                        let from = if self.regs[c + t] != 0 { a } else { b };
                        self.regs[d + row * stride + t] = self.regs[from + row * stride + t];
                    }
                }
            }
            Op::Fma(a, b, c) => {
                let s = slot.scalar.unwrap_or(Scalar::F32);
                let (a, b, c) = (self.at(frame, *a), self.at(frame, *b), self.at(frame, *c));
                for row in 0..n {
                    for &t in active {
                        let i = row * stride + t as usize;
                        self.regs[d + i] = scalar::fma(s, self.regs[a + i], self.regs[b + i], self.regs[c + i]);
                    }
                }
            }
            Op::Convert(a) => {
                let from = self.slot(frame, *a).scalar.unwrap_or(Scalar::U64);
                let to = slot.scalar.unwrap_or(Scalar::U64);
                let a = self.at(frame, *a);
                self.map1(d, a, n, active, |x| scalar::convert(from, to, x));
            }
            Op::Bitcast(a) => self.bitcast(frame, value, *a, active),
            // All of these keep the word.
            Op::PtrCast(a) | Op::PtrToInt(a) | Op::IntToPtr(a) | Op::AssumeValid(a) => {
                let a = self.at(frame, *a);
                self.map1(d, a, 1, active, |x| x);
            }
            Op::PtrDiff(a, b) => {
                let places = [self.at(frame, *a), self.at(frame, *b)];
                for &t in active {
                    let t = t as usize;
                    let [x, y] = places.map(|p| self.memory.address(self.regs[p + t]));
                    self.regs[d + t] = x.wrapping_sub(y);
                }
            }
            Op::FieldAddr { base, field } => {
                let offset = match self.pointee(frame, *base) {
                    Some(&Type::Struct(s)) => self.module.types.structure(s).fields[*field as usize].offset,
                    _ => 0,
                };
                let a = self.at(frame, *base);
                self.map1(d, a, 1, active, |x| x.wrapping_add(offset));
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                // The pointee of the result is the element in both cases.
                let step = self.module.types.pointee(inst.ty).map_or(1, |(_, ty)| self.module.types.size_of(ty));
                let s = self.slot(frame, *index).scalar.unwrap_or(Scalar::U64);
                let places = [self.at(frame, *base), self.at(frame, *index)];
                self.map2(d, places, 1, active, |x, i| {
                    x.wrapping_add((scalar::extend(s, i) as u64).wrapping_mul(step))
                });
            }
            Op::Splat(a) => {
                let a = self.at(frame, *a);
                for row in 0..n {
                    self.map1(d + row * stride, a, 1, active, |x| x);
                }
            }
            Op::Compose(list) => {
                for (row, &a) in list.iter().enumerate() {
                    let a = self.at(frame, a);
                    self.map1(d + row * stride, a, 1, active, |x| x);
                }
            }
            Op::Extract { vector, index } => {
                let a = self.at(frame, *vector) + usize::from(*index) * stride;
                self.map1(d, a, 1, active, |x| x);
            }
            Op::Shuffle { vector, components } => {
                let a = self.at(frame, *vector);
                for (row, &c) in components.iter().enumerate() {
                    self.map1(d + row * stride, a + usize::from(c) * stride, 1, active, |x| x);
                }
            }
            Op::Insert { vector, value: component, index } => {
                let (a, c) = (self.at(frame, *vector), self.at(frame, *component));
                self.map1(d, a, n, active, |x| x);
                self.map1(d + usize::from(*index) * stride, c, 1, active, |x| x);
            }
            Op::ExtractDynamic { vector, index } => {
                let count = u64::from(self.slot(frame, *vector).components);
                let poison = self.poison_of(slot.scalar);
                let (a, index) = (self.at(frame, *vector), self.at(frame, *index));
                for &t in active {
                    let t = t as usize;
                    let i = self.regs[index + t];
                    self.regs[d + t] = if i < count { self.regs[a + i as usize * stride + t] } else { poison };
                }
            }
            Op::InsertDynamic { vector, value: component, index } => {
                let (a, c, index) = (self.at(frame, *vector), self.at(frame, *component), self.at(frame, *index));
                self.map1(d, a, n, active, |x| x);
                for &t in active {
                    let t = t as usize;
                    let i = self.regs[index + t] as usize;
                    if i < n {
                        self.regs[d + i * stride + t] = self.regs[c + t];
                    }
                }
            }
            // Handled before: constants, memory, threads and control.
            Op::Const(_)
            | Op::Undef
            | Op::Param(_)
            | Op::LocalAddr(_)
            | Op::GlobalAddr(_)
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::Copy { .. }
            | Op::Atomic { .. }
            | Op::CompareExchange { .. }
            | Op::Fence { .. }
            | Op::Builtin(_)
            | Op::Barrier { .. }
            | Op::Simd(..)
            | Op::Log { .. }
            | Op::Trap(_)
            | Op::Call { .. }
            | Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Unreachable => {}
        }
    }

    /// What a pointer value points to.
    pub(super) fn pointee(&self, frame: &Frame<'a>, pointer: ValueId) -> Option<&'a Type> {
        let (_, ty) = self.module.types.pointee(frame.function.insts[pointer].ty)?;
        Some(self.module.types.get(ty))
    }

    fn binary(&mut self, op: BinaryOp, s: Scalar, d: usize, places: [usize; 2], n: usize, active: &[u32]) {
        let f = |x: u64| f32::from_bits(x as u32);
        let g = |x: f32| u64::from(x.to_bits());
        match (op, s) {
            (BinaryOp::Add, Scalar::F32) => self.map2(d, places, n, active, |x, y| g(f(x) + f(y))),
            (BinaryOp::Sub, Scalar::F32) => self.map2(d, places, n, active, |x, y| g(f(x) - f(y))),
            (BinaryOp::Mul, Scalar::F32) => self.map2(d, places, n, active, |x, y| g(f(x) * f(y))),
            (BinaryOp::Div, Scalar::F32) => self.map2(d, places, n, active, |x, y| g(f(x) / f(y))),
            (BinaryOp::Add, Scalar::I32 | Scalar::U32) => {
                self.map2(d, places, n, active, |x, y| u64::from((x as u32).wrapping_add(y as u32)));
            }
            (BinaryOp::Sub, Scalar::I32 | Scalar::U32) => {
                self.map2(d, places, n, active, |x, y| u64::from((x as u32).wrapping_sub(y as u32)));
            }
            (BinaryOp::Mul, Scalar::I32 | Scalar::U32) => {
                self.map2(d, places, n, active, |x, y| u64::from((x as u32).wrapping_mul(y as u32)));
            }
            (BinaryOp::And, _) => self.map2(d, places, n, active, |x, y| x & y),
            (BinaryOp::Or, _) => self.map2(d, places, n, active, |x, y| x | y),
            (BinaryOp::Xor, _) => self.map2(d, places, n, active, |x, y| x ^ y),
            _ => self.map2(d, places, n, active, |x, y| scalar::binary(op, s, x, y)),
        }
    }

    fn compare(&mut self, op: CompareOp, s: Scalar, d: usize, places: [usize; 2], n: usize, active: &[u32]) {
        let f = |x: u64| f32::from_bits(x as u32);
        match (op, s) {
            (CompareOp::Lt, Scalar::F32) => self.map2(d, places, n, active, |x, y| u64::from(f(x) < f(y))),
            (CompareOp::Gt, Scalar::F32) => self.map2(d, places, n, active, |x, y| u64::from(f(x) > f(y))),
            (CompareOp::Lt, Scalar::U32) => self.map2(d, places, n, active, |x, y| u64::from(x < y)),
            (CompareOp::Ge, Scalar::U32) => self.map2(d, places, n, active, |x, y| u64::from(x >= y)),
            (CompareOp::Lt, Scalar::I32) => self.map2(d, places, n, active, |x, y| u64::from((x as i32) < y as i32)),
            (CompareOp::Ge, Scalar::I32) => self.map2(d, places, n, active, |x, y| u64::from(x as i32 >= y as i32)),
            _ => self.map2(d, places, n, active, |x, y| u64::from(scalar::compare(op, s, x, y))),
        }
    }

    /// Through bytes, without the padding of three-component vectors.
    fn bitcast(&mut self, frame: &Frame<'a>, value: ValueId, operand: ValueId, active: &[u32]) {
        let (to, from) = (self.slot(frame, value), self.slot(frame, operand));
        let (d, a) = (self.at(frame, value), self.at(frame, operand));
        let size = |s: Option<Scalar>| s.map_or(8, |s| s.size() as usize);
        let (to_size, from_size) = (size(to.scalar), size(from.scalar));
        let mut bytes = [0u8; 32];
        for &t in active {
            for c in 0..usize::from(from.components) {
                let word = self.regs[a + c * self.stride + t as usize].to_le_bytes();
                bytes[c * from_size..(c + 1) * from_size].copy_from_slice(&word[..from_size]);
            }
            for c in 0..usize::from(to.components) {
                let mut word = [0u8; 8];
                word[..to_size].copy_from_slice(&bytes[c * to_size..(c + 1) * to_size]);
                self.regs[d + c * self.stride + t as usize] = u64::from_le_bytes(word);
            }
        }
    }
}

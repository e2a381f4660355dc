//! What threads know of each other: positions and simdgroup operations.

use super::exec::{Exec, Frame};
use super::scalar;
use crate::*;

pub(super) const SIMDGROUP: u32 = 32;
const QUADGROUP: u32 = 4;

impl<'a> Exec<'_, 'a> {
    pub(super) fn builtin(&mut self, frame: &Frame<'a>, value: ValueId, builtin: Builtin, active: &[u32]) {
        let d = self.at(frame, value);
        let shape = self.shape;
        let dispatched: u32 = shape.dispatch_size.iter().product();
        for &t in active {
            let i = d + t as usize;
            let vector = match builtin {
                Builtin::ThreadPositionInGrid => self.position_in_grid(t),
                Builtin::ThreadPositionInThreadgroup => self.position_in_threadgroup(t),
                Builtin::ThreadgroupPositionInGrid => shape.position,
                Builtin::ThreadsPerGrid => shape.threads_per_grid,
                Builtin::ThreadsPerThreadgroup => shape.size,
                Builtin::DispatchThreadsPerThreadgroup => shape.dispatch_size,
                Builtin::ThreadgroupsPerGrid => shape.threadgroups_per_grid,
                Builtin::ThreadIndexInThreadgroup => [t, 0, 0],
                Builtin::ThreadIndexInSimdgroup => [t % SIMDGROUP, 0, 0],
                Builtin::SimdgroupIndexInThreadgroup => [t / SIMDGROUP, 0, 0],
                Builtin::SimdgroupsPerThreadgroup => [self.threads.div_ceil(SIMDGROUP), 0, 0],
                Builtin::DispatchSimdgroupsPerThreadgroup => [dispatched.div_ceil(SIMDGROUP), 0, 0],
                Builtin::ThreadsPerSimdgroup => [SIMDGROUP, 0, 0],
                Builtin::ThreadIndexInQuadgroup => [t % QUADGROUP, 0, 0],
                Builtin::QuadgroupIndexInThreadgroup => [t / QUADGROUP, 0, 0],
                Builtin::QuadgroupsPerThreadgroup => [self.threads.div_ceil(QUADGROUP), 0, 0],
                Builtin::DispatchQuadgroupsPerThreadgroup => [dispatched.div_ceil(QUADGROUP), 0, 0],
            };
            self.regs[i] = u64::from(vector[0]);
            if builtin.is_vector() {
                self.regs[i + self.stride] = u64::from(vector[1]);
                self.regs[i + 2 * self.stride] = u64::from(vector[2]);
            }
        }
    }

    pub(super) fn simd(&mut self, frame: &Frame<'a>, value: ValueId, op: SimdOp, args: &[ValueId], active: &[u32]) {
        let mut rest = active;
        while let Some(&first) = rest.first() {
            let group = first / SIMDGROUP;
            let count = rest.iter().take_while(|&&t| t / SIMDGROUP == group).count();
            self.simdgroup(frame, value, op, args, &rest[..count]);
            rest = &rest[count..];
        }
    }

    /// The operation for the active threads of one simdgroup, of which there is at least one.
    fn simdgroup(&mut self, frame: &Frame<'a>, value: ValueId, op: SimdOp, args: &[ValueId], lanes: &[u32]) {
        if op == SimdOp::MatrixMultiply {
            return self.matrix_multiply(frame, value, args, lanes);
        }
        if op == SimdOp::MatrixTranspose {
            return self.matrix_transpose(frame, value, args[0], lanes);
        }
        let slot = self.slot(frame, value);
        let s = slot.scalar.unwrap_or(Scalar::U32);
        let d = self.at(frame, value);
        let first = lanes[0];
        let a = args.first().map_or(0, |&a| self.at(frame, a));
        for c in 0..usize::from(slot.components) {
            let (d, a) = (d + c * self.stride, a + c * self.stride);
            match op {
                SimdOp::Shuffle => {
                    let index = self.at(frame, args[1]);
                    let poison = self.poison_of(slot.scalar);
                    for &t in lanes {
                        let from = first / SIMDGROUP * SIMDGROUP + self.regs[index + t as usize] as u32 % SIMDGROUP;
                        let is_active = lanes.binary_search(&from).is_ok();
                        self.regs[d + t as usize] = if is_active { self.regs[a + from as usize] } else { poison };
                    }
                }
                SimdOp::BroadcastFirst => {
                    let x = self.regs[a + first as usize];
                    self.set(d, lanes, x);
                }
                SimdOp::Ballot => {
                    let voters = lanes.iter().filter(|&&t| self.regs[a + t as usize] != 0);
                    let ballot = voters.fold(0, |bits, t| bits | 1u64 << (t % SIMDGROUP));
                    self.set(d, lanes, ballot);
                }
                SimdOp::IsFirst => {
                    self.set(d, lanes, 0);
                    self.regs[d + first as usize] = 1;
                }
                SimdOp::ReduceAdd => self.reduce(BinaryOp::Add, s, d, a, lanes),
                SimdOp::ReduceMul => self.reduce(BinaryOp::Mul, s, d, a, lanes),
                SimdOp::ReduceMin => self.reduce(BinaryOp::Min, s, d, a, lanes),
                SimdOp::ReduceMax => self.reduce(BinaryOp::Max, s, d, a, lanes),
                SimdOp::ReduceAnd => self.reduce(BinaryOp::And, s, d, a, lanes),
                SimdOp::ReduceOr => self.reduce(BinaryOp::Or, s, d, a, lanes),
                SimdOp::ReduceXor => self.reduce(BinaryOp::Xor, s, d, a, lanes),
                SimdOp::InclusiveAdd => self.scan(BinaryOp::Add, s, [d, a], lanes, true),
                SimdOp::ExclusiveAdd => self.scan(BinaryOp::Add, s, [d, a], lanes, false),
                SimdOp::InclusiveMul => self.scan(BinaryOp::Mul, s, [d, a], lanes, true),
                SimdOp::ExclusiveMul => self.scan(BinaryOp::Mul, s, [d, a], lanes, false),
                SimdOp::MatrixMultiply | SimdOp::MatrixTranspose => {}
            }
        }
    }

    fn matrix_multiply(&mut self, frame: &Frame<'a>, value: ValueId, args: &[ValueId], lanes: &[u32]) {
        let base = lanes[0] / SIMDGROUP * SIMDGROUP;
        let element = |me: &Self, arg: usize, lane: u32, component: usize| {
            let from = me.slot(frame, args[arg]).scalar.unwrap_or(Scalar::F32);
            let bits = me.regs[me.at(frame, args[arg]) + component * me.stride + (base + lane) as usize];
            f32::from_bits(scalar::convert(from, Scalar::F32, bits) as u32)
        };
        let d = self.at(frame, value);
        let mut results = Vec::with_capacity(2 * lanes.len());
        for &t in lanes {
            let lane = t % SIMDGROUP;
            for component in 0..2 {
                let mut sum = element(self, 2, lane, component);
                for k in 0..8u32 {
                    // The row of this thread in the one, its columns in the other.
                    let left = (lane & 0b10110) | ((k & 4) << 1) | ((k >> 1) & 1);
                    let right = (lane & 0b01001) | ((k & 4) << 2) | ((k & 3) << 1);
                    let a = element(self, 0, left, (k & 1) as usize);
                    sum = a.mul_add(element(self, 1, right, component), sum);
                }
                results.push((d + component * self.stride + t as usize, u64::from(sum.to_bits())));
            }
        }
        for (at, bits) in results {
            self.regs[at] = bits;
        }
    }

    fn matrix_transpose(&mut self, frame: &Frame<'a>, value: ValueId, matrix: ValueId, lanes: &[u32]) {
        let base = lanes[0] / SIMDGROUP * SIMDGROUP;
        let (a, d) = (self.at(frame, matrix), self.at(frame, value));
        let mut results = Vec::with_capacity(2 * lanes.len());
        for &t in lanes {
            let (row, column) = matrix::place(t % SIMDGROUP);
            for component in 0..2 {
                let (from, place) = matrix::holder(column + component, row);
                let bits = self.regs[a + place as usize * self.stride + (base + from) as usize];
                results.push((d + component as usize * self.stride + t as usize, bits));
            }
        }
        for (at, bits) in results {
            self.regs[at] = bits;
        }
    }

    fn set(&mut self, d: usize, lanes: &[u32], bits: u64) {
        for &t in lanes {
            self.regs[d + t as usize] = bits;
        }
    }

    /// The values of the simdgroup that these threads are of; nothing where a thread is not there.
    fn row(&self, a: usize, lanes: &[u32]) -> [Option<u64>; SIMDGROUP as usize] {
        let mut row = [None; SIMDGROUP as usize];
        for &t in lanes {
            row[(t % SIMDGROUP) as usize] = Some(self.regs[a + t as usize]);
        }
        row
    }

    fn reduce(&mut self, op: BinaryOp, s: Scalar, d: usize, a: usize, lanes: &[u32]) {
        let mut row = self.row(a, lanes);
        for by in [16, 8, 4, 2, 1] {
            for i in 0..by {
                row[i] = combine(op, s, row[i], row[i + by]);
            }
        }
        self.set(d, lanes, row[0].unwrap_or_default());
    }

    fn scan(&mut self, op: BinaryOp, s: Scalar, [d, a]: [usize; 2], lanes: &[u32], inclusive: bool) {
        let mut row = self.row(a, lanes);
        for by in [1, 2, 4, 8, 16] {
            for i in (by..row.len()).rev() {
                row[i] = combine(op, s, row[i], row[i - by]);
            }
        }
        let start = scalar::convert(Scalar::U32, s, u64::from(op == BinaryOp::Mul));
        for &t in lanes {
            let i = (t % SIMDGROUP) as usize;
            self.regs[d + t as usize] = if inclusive {
                row[i].unwrap_or_default()
            } else {
                let before = i.checked_sub(1).and_then(|i| row[i]);
                before.map_or(start, |x| scalar::binary(op, s, start, x))
            };
        }
    }
}

fn combine(op: BinaryOp, s: Scalar, a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(scalar::binary(op, s, a, b)),
        (a, b) => a.or(b),
    }
}

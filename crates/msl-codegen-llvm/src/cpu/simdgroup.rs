//! Operations between the 32 threads of a simdgroup. A gang holds one or more whole simdgroups,
//! each of which is `32 / lanes` parts side by side.

use msl_base::Id;
use msl_ir::{BinaryOp, FpFlags, Scalar, SimdOp, ValueId};

use super::kernel::Emit;
use crate::CodegenError;
use crate::emit::arith;
use crate::emit::shape::Shape;
use crate::emit::value::{Comp, Val, register_type};
use crate::llvm::V;

impl Emit<'_> {
    fn parts_per_simdgroup(&self) -> u32 {
        (32 / self.gang.lanes).max(1)
    }

    /// All 32 lanes of simdgroup `g` of the gang as one vector.
    fn joined(&self, c: &Comp, g: u32) -> V {
        let k = self.parts_per_simdgroup();
        let parts: Vec<V> = (g * k..(g + 1) * k).map(|p| c.get(self.ll, self.gang, p, true)).collect();
        self.ll.concat(&parts)
    }
    fn joined_mask(&self, g: u32) -> V {
        let k = self.parts_per_simdgroup();
        let parts: Vec<V> = (g * k..(g + 1) * k).map(|p| self.mask_part(&self.mask, p)).collect();
        self.ll.concat(&parts)
    }
    fn split(&self, v: V) -> Vec<V> {
        let n = self.gang.lanes;
        (0..self.parts_per_simdgroup()).map(|i| self.ll.slice(v, i * n, n)).collect()
    }
    /// One scalar per simdgroup, in the form of `shape`.
    fn per_simdgroup(&self, shape: Shape, list: &[V]) -> Comp {
        if !shape.parts() {
            return Comp { shape, v: vec![list[0]] };
        }
        let k = self.parts_per_simdgroup() as usize;
        Comp { shape, v: (0..self.gang.parts as usize).map(|p| list[p / k]).collect() }
    }

    pub fn simd(&mut self, id: ValueId, op: SimdOp, args: &[ValueId]) -> Result<Val, CodegenError> {
        let ll = self.ll;
        let groups = self.gang.threads() / 32;
        let shape = self.flow.shapes[id.index()];
        let fp = self.f.insts[id].fp;
        let uniform = self.layout.simdgroup_uniform();
        let bits32 = |v: V| ll.bitcast(v, ll.int(32));
        match op {
            SimdOp::Ballot => {
                let c = self.comp(args[0], 0);
                let list: Vec<V> = (0..groups)
                    .map(|g| {
                        let b = ll.and(self.joined(&c, g), self.joined_mask(g));
                        ll.zext(bits32(b), ll.int(64))
                    })
                    .collect();
                return Ok(Val::Comps(vec![self.per_simdgroup(uniform, &list)]));
            }
            SimdOp::IsFirst => {
                let mut v = Vec::new();
                for g in 0..groups {
                    let m = bits32(self.joined_mask(g));
                    let lowest = ll.and(m, ll.neg(m));
                    v.extend(self.split(ll.bitcast(lowest, ll.vec(ll.int(1), 32))));
                }
                return Ok(Val::Comps(vec![Comp { shape: Shape::VARYING, v }]));
            }
            _ => {}
        }
        let s = self.scalar_of(args[0]);
        let n = self.count_of(id);
        let mut out = Vec::new();
        for k in 0..n {
            let c = self.comp(args[0], k);
            out.push(match op {
                SimdOp::Shuffle => self.shuffle(&c, s, args[1], shape.c[k]),
                SimdOp::BroadcastFirst => {
                    let list: Vec<V> = (0..groups)
                        .map(|g| {
                            let m = bits32(self.joined_mask(g));
                            let lane = ll.intrinsic1("cttz", ll.int(32), &[m, ll.cbool(false)]);
                            ll.extract_at(self.joined(&c, g), ll.and(lane, ll.c32(31)))
                        })
                        .collect();
                    self.per_simdgroup(uniform, &list)
                }
                SimdOp::InclusiveAdd | SimdOp::ExclusiveAdd | SimdOp::InclusiveMul | SimdOp::ExclusiveMul => {
                    let mut v = Vec::new();
                    for g in 0..groups {
                        let scan = self.scan(op, self.joined(&c, g), self.joined_mask(g), s, fp);
                        v.extend(self.split(scan));
                    }
                    Comp { shape: Shape::VARYING, v }
                }
                _ => {
                    let list: Vec<V> =
                        (0..groups).map(|g| self.reduce(op, self.joined(&c, g), self.joined_mask(g), s, fp)).collect();
                    self.per_simdgroup(uniform, &list)
                }
            });
        }
        let (ll, gang) = (self.ll, self.gang);
        Ok(Val::Comps(out.iter().enumerate().map(|(i, c)| c.coerce(ll, gang, shape.c[i])).collect()))
    }

    /// The value of another lane. Patterns known here become fixed shuffles in LLVM.
    fn shuffle(&self, c: &Comp, s: Scalar, lane: ValueId, shape: Shape) -> Comp {
        let ll = self.ll;
        let groups = self.gang.threads() / 32;
        let lanes = self.comp(lane, 0);
        if lanes.shape.is_gang_uniform() {
            let i = ll.and(lanes.get(ll, self.gang, 0, false), ll.cint(ll.type_of(lanes.v[0]), 31));
            let list: Vec<V> = (0..groups).map(|g| ll.extract_at(self.joined(c, g), i)).collect();
            return self.per_simdgroup(shape, &list);
        }
        let mut v = Vec::new();
        for g in 0..groups {
            let values = self.joined(c, g);
            let index = self.joined(&lanes, g);
            v.extend(self.split(self.permute(values, index, s)));
        }
        Comp { shape: Shape::VARYING, v }
    }

    /// `values[index % 32]` in each lane.
    pub fn permute(&self, values: V, index: V, s: Scalar) -> V {
        let ll = self.ll;
        let it = ll.type_of(index);
        let index = ll.and(index, ll.cint(it, 31));
        if let Some(order) = self.constant_lanes(index) {
            return ll.shuffle1(values, &order);
        }
        let t = ll.type_of(values);
        if self.target.has_avx512 && s.size() == 4 {
            // Two registers hold the 32 lanes; one instruction picks from both.
            let i16 = ll.vec(ll.int(32), 16);
            let bits = ll.bitcast(values, ll.vec(ll.int(32), 32));
            let (a, b) = (ll.slice(bits, 0, 16), ll.slice(bits, 16, 16));
            let index = if ll.elem(it) == ll.int(32) { index } else { ll.trunc(index, ll.vec(ll.int(32), 32)) };
            let pick = |i: V| ll.intrinsic("llvm.x86.avx512.vpermi2var.d.512", i16, &[a, i, b]);
            let low = pick(ll.slice(index, 0, 16));
            let high = pick(ll.slice(index, 16, 16));
            return ll.bitcast(ll.concat(&[low, high]), t);
        }
        // Through memory.
        let e = if s == Scalar::Bool { ll.int(8) } else { register_type(ll, s) };
        let bytes = u64::from(s.size());
        let wide = ll.vec(e, 32);
        let values = if s == Scalar::Bool { ll.zext(values, wide) } else { values };
        let slot = ll.alloca(wide, 64);
        ll.store(values, slot, 64);
        let mut out = ll.poison(wide);
        for i in 0..32 {
            let at = ll.extract(index, i);
            let at = ll.zext(at, ll.int(64));
            let p = ll.gep(slot, ll.mul(at, ll.c64(bytes)));
            out = ll.insert(out, ll.load(e, p, s.size()), i);
        }
        if s == Scalar::Bool { ll.ne(out, ll.zero(wide)) } else { out }
    }

    fn constant_lanes(&self, index: V) -> Option<Vec<u32>> {
        // SAFETY: `index` is a live vector value of the module under construction.
        unsafe {
            if llvm_sys::core::LLVMIsConstant(index) == 0 {
                return None;
            }
            (0..32)
                .map(|i| {
                    let e = llvm_sys::core::LLVMGetAggregateElement(index, i);
                    if e.is_null() { None } else { self.ll.as_const_int(e).map(|x| x as u32 % 32) }
                })
                .collect()
        }
    }

    /// What changes nothing: added to −0, only −0 does; of a NaN and a number, `min` takes the number.
    fn identity(&self, op: SimdOp, s: Scalar, t: crate::llvm::T) -> V {
        let ll = self.ll;
        let bits = s.bits();
        let (low, high) = if s.is_signed() && s.is_integer() {
            (1u64 << (bits - 1), (1u64 << (bits - 1)) - 1)
        } else {
            (0, u64::MAX)
        };
        let real = |x: f64| match s {
            Scalar::BF16 => ll.cint(t, u64::from((x as f32).to_bits() >> 16)),
            _ => ll.creal(t, x),
        };
        match op {
            SimdOp::ReduceMul | SimdOp::InclusiveMul | SimdOp::ExclusiveMul if s.is_float() => real(1.0),
            SimdOp::ReduceAdd | SimdOp::InclusiveAdd if s.is_float() => real(-0.0),
            SimdOp::ReduceMin | SimdOp::ReduceMax if s.is_float() => real(f64::NAN),
            SimdOp::ReduceMul | SimdOp::InclusiveMul | SimdOp::ExclusiveMul => ll.cint(t, 1),
            SimdOp::ReduceMin => ll.cint(t, high),
            SimdOp::ReduceMax => ll.cint(t, low),
            SimdOp::ReduceAnd => ll.ones(t),
            _ => ll.zero(t),
        }
    }

    fn combine_op(op: SimdOp) -> BinaryOp {
        match op {
            SimdOp::ReduceMul | SimdOp::InclusiveMul | SimdOp::ExclusiveMul => BinaryOp::Mul,
            SimdOp::ReduceMin => BinaryOp::Min,
            SimdOp::ReduceMax => BinaryOp::Max,
            SimdOp::ReduceAnd => BinaryOp::And,
            SimdOp::ReduceOr => BinaryOp::Or,
            SimdOp::ReduceXor => BinaryOp::Xor,
            _ => BinaryOp::Add,
        }
    }

    /// Halving: lane i with lane i + 16, then 8, 4, 2, 1.
    fn reduce(&self, op: SimdOp, v: V, mask: V, s: Scalar, fp: FpFlags) -> V {
        let ll = self.ll;
        let t = ll.type_of(v);
        let mut v = if self.mask.is_some() { ll.select(mask, v, self.identity(op, s, t)) } else { v };
        let b = Self::combine_op(op);
        // Identities of min and max are NaN, which fast flags would call impossible.
        let fp = if matches!(b, BinaryOp::Min | BinaryOp::Max) { FpFlags::STRICT } else { fp };
        let mut n = 32;
        while n > 1 {
            n /= 2;
            let (a, c) = (ll.slice(v, 0, n), ll.slice(v, n, n));
            v = arith::binary(ll, b, s, fp, a, c);
        }
        ll.extract(v, 0)
    }

    /// Prefix sums or products over active lanes. Those that are exclusive begin with 0 or 1, which is what each lane
    /// combines with below the first one.
    fn scan(&self, op: SimdOp, v: V, mask: V, s: Scalar, fp: FpFlags) -> V {
        let ll = self.ll;
        let identity = self.identity(op, s, ll.type_of(v));
        let mut v = if self.mask.is_some() { ll.select(mask, v, identity) } else { v };
        let b = Self::combine_op(op);
        let shifted = |v: V, by: u32| {
            let order: Vec<u32> = (0..32).map(|i| if i >= by { i - by } else { 32 + i }).collect();
            ll.shuffle(v, identity, &order)
        };
        for by in [1, 2, 4, 8, 16] {
            v = arith::binary(ll, b, s, fp, v, shifted(v, by));
        }
        if matches!(op, SimdOp::ExclusiveAdd | SimdOp::ExclusiveMul) { shifted(v, 1) } else { v }
    }
}

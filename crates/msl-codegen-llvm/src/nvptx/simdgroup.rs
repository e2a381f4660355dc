//! Operations between the threads of a simdgroup, which is a warp.
//!
//! Every instruction names the threads that take part ([`super::masks`]). Reductions and scans by halving
//! need all 32; otherwise the active threads are visited one after another, or, where the order of a float sum is
//! promised (see [`SimdOp`]), each thread fetches all values and combines them as 32 threads would.

use msl_ir::{BinaryOp, FpFlags, Scalar, SimdOp, ValueId};

use super::kernel::Emit;
use super::math;
use crate::emit::value::register_type;
use crate::llvm::V;

impl Emit<'_> {
    pub fn simd(&mut self, id: ValueId, op: SimdOp, args: &[ValueId]) -> Vec<V> {
        let ll = self.ll;
        let i32t = ll.int(32);
        let mask = self.active_mask(id);
        let first = |mask: V| ll.intrinsic1("cttz", i32t, &[mask, ll.cbool(true)]);
        match op {
            SimdOp::Ballot => {
                let bits = ll.intrinsic("llvm.nvvm.vote.ballot.sync", i32t, &[mask, self.scalar(args[0])]);
                return vec![ll.zext(bits, ll.int(64))];
            }
            SimdOp::IsFirst => return vec![ll.eq(self.lane, first(mask))],
            _ => {}
        }
        let s = self.scalar_of(args[0]);
        let fp = self.f.insts[id].fp;
        let comps = self.comps(args[0]);
        match op {
            SimdOp::Shuffle => {
                let lane = ll.zext(self.scalar(args[1]), i32t);
                let mut lane = ll.and(ll.trunc(lane, i32t), ll.c32(31));
                if self.renumbered {
                    lane = super::matrix::warp_lane(ll, lane);
                }
                comps.into_iter().map(|v| self.shuffle("idx", s, mask, v, lane, 31)).collect()
            }
            SimdOp::BroadcastFirst => {
                let lane = first(mask);
                comps.into_iter().map(|v| self.shuffle("idx", s, mask, v, lane, 31)).collect()
            }
            SimdOp::ReduceAdd
            | SimdOp::ReduceMul
            | SimdOp::ReduceMin
            | SimdOp::ReduceMax
            | SimdOp::ReduceAnd
            | SimdOp::ReduceOr
            | SimdOp::ReduceXor => comps.into_iter().map(|v| self.reduce(op, s, fp, mask, v)).collect(),
            SimdOp::InclusiveAdd | SimdOp::ExclusiveAdd | SimdOp::InclusiveMul | SimdOp::ExclusiveMul => {
                comps.into_iter().map(|v| self.scan(op, s, fp, mask, v)).collect()
            }
            // Products are emitted by the list, see `matrix`.
            SimdOp::Ballot | SimdOp::IsFirst | SimdOp::MatrixMultiply => comps,
            SimdOp::MatrixTranspose if self.matrix_uses.rights.contains(&id) => comps,
            SimdOp::MatrixTranspose => self.matrix_transpose(args[0]),
        }
    }

    /// `shfl.sync` of any scalar type.
    fn shuffle(&self, kind: &str, s: Scalar, mask: V, v: V, by: V, clamp: u32) -> V {
        let ll = self.ll;
        let i32t = ll.int(32);
        let one = |v: V| {
            let name = format!("llvm.nvvm.shfl.sync.{kind}.i32");
            ll.intrinsic(&name, i32t, &[mask, v, by, ll.c32(clamp)])
        };
        if s.bits() == 64 {
            let i64t = ll.int(64);
            let low = one(ll.trunc(v, i32t));
            let high = one(ll.trunc(ll.lshr(v, ll.c64(32)), i32t));
            return ll.or(ll.zext(low, i64t), ll.shl(ll.zext(high, i64t), ll.c64(32)));
        }
        let t = register_type(ll, s);
        let bits = ll.int(s.bits());
        let word = ll.zext(ll.bitcast(v, bits), i32t);
        ll.bitcast(ll.trunc(one(word), bits), t)
    }

    /// What changes nothing: added to −0, only −0 does. Exclusive scans begin with 0.
    fn identity(&self, op: SimdOp, s: Scalar) -> V {
        let ll = self.ll;
        let t = register_type(ll, s);
        let mul = matches!(op, SimdOp::ReduceMul | SimdOp::InclusiveMul | SimdOp::ExclusiveMul);
        let real = match op {
            _ if mul => 1.0,
            SimdOp::ExclusiveAdd => 0.0,
            _ => -0.0,
        };
        match s {
            Scalar::BF16 => ll.cint(t, u64::from((real as f32).to_bits() >> 16)),
            s if s.is_float() => ll.creal(t, real),
            _ => ll.cint(t, u64::from(mul)),
        }
    }

    /// Whether the order of combination can be seen, and is promised.
    fn is_ordered(op: SimdOp, s: Scalar, fp: FpFlags) -> bool {
        s.is_float() && !fp.is_fast() && !matches!(op, SimdOp::ReduceMin | SimdOp::ReduceMax)
    }

    /// The values of 32 threads, those of absent ones replaced, combined as halving does. `source` gives a thread's index,
    /// perhaps beyond 31, for which there is no thread.
    fn tree(
        &self,
        op: SimdOp,
        s: Scalar,
        fp: FpFlags,
        mask: V,
        v: V,
        source: impl Fn(&Self, u32) -> V,
        near: bool,
    ) -> V {
        let ll = self.ll;
        let (i64t, t) = (ll.int(64), ll.type_of(v));
        let bits = ll.int(s.bits());
        let identity = ll.bitcast(self.identity(op, s), bits);
        let mask64 = ll.zext(mask, i64t);
        let mut row: Vec<V> = (0..32)
            .map(|i| {
                let index = source(self, i);
                let value = ll.bitcast(self.shuffle("idx", s, mask, v, index, 31), bits);
                // All ones or zero: for 32 conditions at a time, `ptxas` has too few predicates.
                let is_there = ll.plain_asm("bfe.s64 $0, $1, $2, 1;", "=l,l,r", i64t, &[mask64, index]);
                let is_there = ll.trunc(is_there, bits);
                ll.bitcast(ll.xor(identity, ll.and(ll.xor(value, identity), is_there)), t)
            })
            .collect();
        while row.len() > 1 {
            let half = row.len() / 2;
            let pair = |i: usize| if near { (row[2 * i], row[2 * i + 1]) } else { (row[i], row[i + half]) };
            row = (0..half).map(|i| self.combine(op, s, fp, pair(i).0, pair(i).1)).collect();
        }
        row[0]
    }

    fn combine(&self, op: SimdOp, s: Scalar, fp: FpFlags, a: V, b: V) -> V {
        let op = match op {
            SimdOp::ReduceMul | SimdOp::InclusiveMul | SimdOp::ExclusiveMul => BinaryOp::Mul,
            SimdOp::ReduceMin => BinaryOp::Min,
            SimdOp::ReduceMax => BinaryOp::Max,
            SimdOp::ReduceAnd => BinaryOp::And,
            SimdOp::ReduceOr => BinaryOp::Or,
            SimdOp::ReduceXor => BinaryOp::Xor,
            _ => BinaryOp::Add,
        };
        math::binary(self.ll, op, s, fp, a, b)
    }

    fn reduce(&self, op: SimdOp, s: Scalar, fp: FpFlags, mask: V, v: V) -> V {
        let ll = self.ll;
        let i32t = ll.int(32);
        // One instruction for 32-bit integers.
        if self.options.sm >= 80 && matches!(s, Scalar::I32 | Scalar::U32) {
            let name = match op {
                SimdOp::ReduceAdd => "add",
                SimdOp::ReduceMin if s.is_signed() => "min",
                SimdOp::ReduceMax if s.is_signed() => "max",
                SimdOp::ReduceMin => "umin",
                SimdOp::ReduceMax => "umax",
                SimdOp::ReduceAnd => "and",
                SimdOp::ReduceOr => "or",
                SimdOp::ReduceXor => "xor",
                _ => "",
            };
            if !name.is_empty() {
                return ll.intrinsic(&format!("llvm.nvvm.redux.sync.{name}"), i32t, &[v, mask]);
            }
        }
        self.full_or_one_by_one(
            mask,
            |me| {
                let mut v = v;
                // The steps of Metal's lanes.
                for by in if me.renumbered { [16, 2, 8, 4, 1] } else { [16, 8, 4, 2, 1] } {
                    v = me.combine(op, s, fp, v, me.shuffle("bfly", s, mask, v, ll.c32(by), 31));
                }
                v
            },
            |me| {
                if Self::is_ordered(op, s, fp) {
                    let source = |me: &Self, i: u32| {
                        let lane = ll.c32(i);
                        if me.renumbered { super::matrix::warp_lane(ll, lane) } else { lane }
                    };
                    return me.tree(op, s, fp, mask, v, source, false);
                }
                let first = ll.intrinsic1("cttz", i32t, &[mask, ll.cbool(true)]);
                let start = me.shuffle("idx", s, mask, v, first, 31);
                let rest = ll.and(mask, ll.sub(mask, ll.c32(1)));
                me.over_lanes(rest, start, |me, sum, lane| {
                    let x = me.shuffle("idx", s, mask, v, lane, 31);
                    me.combine(op, s, fp, sum, x)
                })
            },
        )
    }

    fn scan(&self, op: SimdOp, s: Scalar, fp: FpFlags, mask: V, v: V) -> V {
        let ll = self.ll;
        let exclusive = matches!(op, SimdOp::ExclusiveAdd | SimdOp::ExclusiveMul);
        let identity = self.identity(op, s);
        self.full_or_one_by_one(
            mask,
            |me| {
                let shifted = |v: V, by: u32| {
                    let x = me.shuffle("up", s, mask, v, ll.c32(by), 0);
                    ll.select(ll.ult(me.lane, ll.c32(by)), identity, x)
                };
                let mut v = v;
                for by in [1, 2, 4, 8, 16] {
                    v = me.combine(op, s, fp, v, shifted(v, by));
                }
                if exclusive { shifted(v, 1) } else { v }
            },
            |me| {
                if Self::is_ordered(op, s, fp) {
                    let below = ll.c32(u32::from(exclusive));
                    let source = |me: &Self, i: u32| ll.sub(ll.sub(me.lane, below), ll.c32(i));
                    return me.tree(op, s, fp, mask, v, source, true);
                }
                me.over_lanes(mask, identity, |me, sum, lane| {
                    let x = me.shuffle("idx", s, mask, v, lane, 31);
                    let counts = if exclusive { ll.ult(lane, me.lane) } else { me.ule(lane, me.lane) };
                    ll.select(counts, me.combine(op, s, fp, sum, x), sum)
                })
            },
        )
    }

    /// Two ways to the same value: one for 32 threads, one for fewer.
    fn full_or_one_by_one(&self, mask: V, full: impl FnOnce(&Self) -> V, other: impl FnOnce(&Self) -> V) -> V {
        let ll = self.ll;
        if ll.as_const_int(mask) == Some(u64::from(u32::MAX)) {
            return full(self);
        }
        let (all, some, done) = (ll.new_block("all"), ll.new_block("some"), ll.new_block("reduced"));
        ll.likely_br(ll.eq(mask, ll.c32(u32::MAX)), all, some);
        ll.at_end(all);
        let a = full(self);
        let all_end = ll.current();
        ll.br(done);
        ll.at_end(some);
        let b = other(self);
        let some_end = ll.current();
        ll.br(done);
        ll.at_end(done);
        ll.phi(ll.type_of(a), &[(a, all_end), (b, some_end)])
    }

    /// Folds over the set bits of `lanes`, lowest first.
    fn over_lanes(&self, lanes: V, start: V, step: impl FnOnce(&Self, V, V) -> V) -> V {
        let ll = self.ll;
        let i32t = ll.int(32);
        let from = ll.current();
        let (head, body, done) = (ll.new_block("lanes"), ll.new_block("lane"), ll.new_block("endlanes"));
        ll.br(head);
        ll.at_end(head);
        let left = ll.phi(i32t, &[(lanes, from)]);
        let sum = ll.phi(ll.type_of(start), &[(start, from)]);
        ll.cond_br(ll.ne(left, ll.c32(0)), body, done);
        ll.at_end(body);
        let lane = ll.intrinsic1("cttz", i32t, &[left, ll.cbool(true)]);
        let next = step(self, sum, lane);
        let rest = ll.and(left, ll.sub(left, ll.c32(1)));
        let end = ll.current();
        ll.add_incoming(left, &[(rest, end)]);
        ll.add_incoming(sum, &[(next, end)]);
        ll.br(head);
        ll.at_end(done);
        sum
    }
}

//! Atomic operations and fences.

use llvm_sys::LLVMAtomicRMWBinOp as Rmw;
use msl_ir::{AtomicOp, BinaryOp, FpFlags, MemoryScope, Op, Scalar, ValueId};

use super::kernel::{Emit, Val};
use super::math;
use crate::emit::arith;
use crate::llvm::V;

/// LLVM's name of the threads that see an access in order.
fn scope_name(scope: MemoryScope) -> &'static str {
    match scope {
        MemoryScope::Thread | MemoryScope::Simdgroup | MemoryScope::Threadgroup => "block",
        MemoryScope::Device => "device",
    }
}

impl Emit<'_> {
    pub fn atomic(&mut self, id: ValueId) -> Option<Val> {
        let (ll, f) = (self.ll, self.f);
        match f.insts[id].op {
            Op::Fence { scope, .. } => {
                if scope != MemoryScope::Thread {
                    ll.fence_in(scope_name(scope));
                }
                None
            }
            Op::CompareExchange { ptr, expected, desired, .. } => {
                let s = self.scalar_of(desired);
                let at = self.atomic_pointer(id, ptr, s);
                let (e, d) = (self.to_bits(s, self.scalar(expected)), self.to_bits(s, self.scalar(desired)));
                let found = ll.cmpxchg_in(at, e, d, "device");
                Some(Val::Comps(vec![self.of_bits(s, found)]))
            }
            Op::Atomic { op, ptr, value, .. } => {
                let s = match value {
                    Some(v) => self.scalar_of(v),
                    None => self.module.types.scalar_of(f.insts[id].ty).unwrap_or(Scalar::U32),
                };
                let at = self.atomic_pointer(id, ptr, s);
                if op == AtomicOp::Load {
                    let v = ll.load(ll.int(s.size() * 8), at, s.size());
                    ll.set_atomic_in(v, "device");
                    return Some(Val::Comps(vec![self.of_bits(s, v)]));
                }
                let x = self.scalar(value?);
                if op == AtomicOp::Store {
                    let st = ll.store(self.to_bits(s, x), at, s.size());
                    ll.set_atomic_in(st, "device");
                    return None;
                }
                Some(Val::Comps(vec![self.modify(op, s, at, x)]))
            }
            _ => None,
        }
    }

    fn to_bits(&self, s: Scalar, v: V) -> V {
        let ll = self.ll;
        let t = ll.int(s.size() * 8);
        if s == Scalar::Bool { ll.zext(v, t) } else { ll.bitcast(v, t) }
    }
    fn of_bits(&self, s: Scalar, v: V) -> V {
        if s == Scalar::Bool { self.loaded(s, v) } else { self.ll.bitcast(v, self.register(s)) }
    }

    fn modify(&mut self, op: AtomicOp, s: Scalar, at: V, x: V) -> V {
        let ll = self.ll;
        match op {
            AtomicOp::Add if s == Scalar::F32 => {
                return ll.atomic_rmw_in(Rmw::LLVMAtomicRMWBinOpFAdd, at, x, "device");
            }
            AtomicOp::Sub if s == Scalar::F32 => {
                return ll.atomic_rmw_in(Rmw::LLVMAtomicRMWBinOpFAdd, at, ll.fneg(x), "device");
            }
            _ => {}
        }
        if let Some(d) = arith::atomic_rmw(op, s) {
            return self.of_bits(s, ll.atomic_rmw_in(d, at, self.to_bits(s, x), "device"));
        }
        // The rest: compare and exchange until it holds.
        let t = ll.int(s.size() * 8);
        let first = ll.load(t, at, s.size());
        ll.set_atomic_in(first, "device");
        let before = ll.current();
        let (again, out) = (ll.new_block("retry"), ll.new_block("exchanged"));
        ll.br(again);
        ll.at_end(again);
        let seen = ll.phi(t, &[(first, before)]);
        let old = self.of_bits(s, seen);
        let combine = |b: BinaryOp| math::binary(ll, b, s, FpFlags::STRICT, old, x);
        let new = match op {
            AtomicOp::Add => combine(BinaryOp::Add),
            AtomicOp::Sub => combine(BinaryOp::Sub),
            AtomicOp::Min => combine(BinaryOp::Min),
            AtomicOp::Max => combine(BinaryOp::Max),
            AtomicOp::And => combine(BinaryOp::And),
            AtomicOp::Or => combine(BinaryOp::Or),
            AtomicOp::Xor => combine(BinaryOp::Xor),
            AtomicOp::Load => old,
            AtomicOp::Store | AtomicOp::Exchange => x,
        };
        let found = ll.cmpxchg_in(at, seen, self.to_bits(s, new), "device");
        let end = ll.current();
        ll.add_incoming(seen, &[(found, end)]);
        ll.cond_br(ll.eq(found, seen), out, again);
        ll.at_end(out);
        self.of_bits(s, found)
    }
}

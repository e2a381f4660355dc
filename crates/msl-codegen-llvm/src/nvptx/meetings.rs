//! Barriers that only some threads of a simdgroup reach.
//!
//! In Metal's meaning a simdgroup arrives at a threadgroup barrier when any of its threads does (`msl-ir`, "What is
//! forgiven"); the hardware waits for every thread of a warp that has not ended. So threads that wait for the others at the
//! end of a branch arrive with them: whoever comes to such a barrier, or to the end of a construct that holds one, tells the
//! threads of its warp how deep inside it is. While one of them is at a barrier, all of them go through a barrier; else
//! those go on that are deepest inside, for nobody of their construct is missing anymore.
//!
//! In: structured control, and where the threads of a warp diverge ([`msl_ir::analysis::divergence`]). Out: nothing, for
//! kernels without such barriers. The threads tell each other through a word of shared memory, since a vote counts
//! only who votes at the same instruction. Not here: which threads execute an operation of a simdgroup together (`masks`).

use msl_ir::analysis::tree::walk;
use msl_ir::{BarrierScope, Block, Function, MemFlags, Op, ValueId};

use super::kernel::Emit;
use crate::llvm::V;

/// How deep a thread is that is at a barrier: deeper than any end of a construct.
const AT_BARRIER: u32 = u32::MAX;

/// Whether threads wait for each other here. Nobody need come by a barrier of the threadgroup that orders no memory.
pub fn is_barrier(op: &Op) -> bool {
    matches!(op, Op::Barrier { scope, flags } if *scope == BarrierScope::Simdgroup || *flags != MemFlags::NONE)
}

/// Where threads of a construct wait for those that may still come to a barrier inside of it, by depth.
#[derive(Clone, Copy, Default)]
pub struct Meetings {
    /// At its end.
    pub end: Option<u32>,
    /// At the start of the second branch of an `if`, for those in the first one; at the end of a loop's round.
    pub between: Option<u32>,
}

/// The barriers of the threadgroup that threads of a warp may come to without the others.
fn partial_barriers(e: &Emit<'_>, block: &Block) -> u32 {
    let lanes = e.uniformity.lane_divergence();
    let mut count = 0;
    walk(e.f, block, &mut |v| {
        let op = &e.f.insts[v].op;
        let is_of_threadgroup = matches!(op, Op::Barrier { scope: BarrierScope::Threadgroup, .. });
        count += u32::from(is_of_threadgroup && is_barrier(op) && !lanes.is_full_of_remaining(v));
    });
    count
}

/// Whether a kernel has such barriers.
pub fn are_needed(e: &Emit<'_>) -> bool {
    partial_barriers(e, &e.f.body) > 0
}

impl Emit<'_> {
    /// Where threads meet in a construct. What is inside of it is deeper from here on, until [`leave`](Emit::leave).
    pub fn enter(&mut self, id: ValueId) -> Meetings {
        let f: &Function = self.f;
        if self.meeting.is_none() {
            return Meetings::default();
        }
        let op = &f.insts[id].op;
        let lanes = self.uniformity.lane_divergence();
        let has_barrier = |block: &&Block| partial_barriers(self, block) > 0;
        let blocks = op.blocks();
        let (ends, between) = match op {
            Op::If { .. } => (lanes.is_divergent(id), lanes.is_divergent(id) && blocks.iter().all(has_barrier)),
            Op::Switch { .. } => (lanes.is_divergent(id) || lanes.has_divergent_break(id), false),
            _ => (lanes.has_divergent_break(id), lanes.has_divergent_continue(id)),
        };
        if !blocks.iter().any(has_barrier) {
            return Meetings::default();
        }
        let mut next = || {
            self.depth += 1;
            Some(self.depth)
        };
        let end = if ends { next() } else { None };
        Meetings { end, between: if between { next() } else { None } }
    }

    /// Ends a construct; emits what threads that come out of it do first.
    pub fn leave(&mut self, meetings: Meetings) {
        self.wait_for_deeper(meetings.end);
        self.depth -= u32::from(meetings.end.is_some()) + u32::from(meetings.between.is_some());
    }

    /// Tells the threads of the warp how deep inside this one is, and learns what the deepest one is.
    fn meet(&self, word: V, depth: u32) -> V {
        let ll = self.ll;
        let wait = || ll.intrinsic("llvm.nvvm.bar.warp.sync", ll.void(), &[self.entry_mask]);
        let max = llvm_sys::LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpUMax;
        ll.atomic_rmw_in(max, word, ll.c32(depth), "block");
        wait();
        let deepest = ll.load(ll.int(32), word, 4);
        ll.set_volatile(deepest);
        wait();
        ll.set_volatile(ll.store(ll.c32(0), word, 4));
        wait();
        deepest
    }

    fn arrive(&self) {
        self.ll.intrinsic("llvm.nvvm.barrier.cta.sync.all", self.ll.void(), &[self.ll.c32(0)]);
    }

    /// A barrier of the threadgroup.
    pub fn threadgroup_barrier(&self, id: ValueId) {
        let ll = self.ll;
        match self.meeting {
            Some(word) if !self.uniformity.lane_divergence().is_full_of_remaining(id) => {
                self.meet(word, AT_BARRIER);
                self.arrive();
            }
            _ => {
                ll.intrinsic("llvm.nvvm.barrier.cta.sync.aligned.all", ll.void(), &[ll.c32(0)]);
            }
        }
    }

    /// Waits until no thread of the warp is deeper inside; at barriers meanwhile, with those that are.
    pub fn wait_for_deeper(&self, depth: Option<u32>) {
        let (Some(word), Some(depth)) = (self.meeting, depth) else { return };
        let ll = self.ll;
        let (round, wait, join, go) =
            (ll.new_block("meet"), ll.new_block("wait"), ll.new_block("join"), ll.new_block("met"));
        ll.br(round);
        ll.at_end(round);
        let deepest = self.meet(word, depth);
        ll.cond_br(ll.eq(deepest, ll.c32(depth)), go, wait);
        ll.at_end(wait);
        ll.cond_br(ll.eq(deepest, ll.c32(AT_BARRIER)), join, round);
        ll.at_end(join);
        self.arrive();
        ll.br(round);
        ll.at_end(go);
    }

    /// The words of the warps are in shared memory: this thread's, set to 0.
    pub fn begin_meetings(&mut self) {
        let Some(words) = self.meeting else { return };
        let ll = self.ll;
        let warp = ll.lshr(self.index, ll.c32(5));
        let word = ll.gep(words, ll.zext(ll.mul(warp, ll.c32(4)), ll.int(64)));
        ll.set_volatile(ll.store(ll.c32(0), word, 4));
        ll.intrinsic("llvm.nvvm.bar.warp.sync", ll.void(), &[self.entry_mask]);
        self.meeting = Some(word);
    }
}

//! Which threads of a warp execute an instruction together.
//!
//! Instructions of simdgroups name the threads that take part. `activemask` does not say which those are: it names the
//! threads that the hardware runs in step right now, and after a branch these may be fewer, as where threads have
//! returned before. So the mask follows from the structure of the program: a branch asks all of its threads what they
//! chose (`vote.ballot.sync`, which they come to together), and behind it those go on that did not leave.
//!
//! In: structured control, and where warps diverge ([`msl_ir::analysis::divergence`]). Out: a mask wherever an operation needs
//! one and not all threads of the warp are there. Where some of a branch's threads leave deep inside it, those that stay
//! meet first if the others returned; if those broke out of a loop, the hardware's word is taken.

use std::collections::HashSet;

use msl_ir::analysis::tree::{falls_through, walk};
use msl_ir::{Block, Case, LabelId, Op, ValueId};

use super::kernel::Emit;
use crate::llvm::V;

/// How threads leave a construct other than at its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Leaving {
    Never,
    /// They return, all that leave.
    Return,
    /// They go on elsewhere.
    Jump,
}

/// The mask in the rounds of a loop.
pub struct Rounds {
    /// Where it is kept from round to round.
    slot: V,
    /// The instruction of the body after which no thread leaves the loop in a round.
    last: Option<ValueId>,
    /// No thread is on its way to the next round before that.
    is_exact: bool,
}

/// The operations that need a mask.
pub fn find(e: &Emit<'_>) -> HashSet<ValueId> {
    let lanes = e.uniformity.lane_divergence();
    let mut found = HashSet::new();
    walk(e.f, &e.f.body, &mut |v| {
        let is_of_simdgroup = match &e.f.insts[v].op {
            Op::Simd(..) => true,
            Op::Barrier { scope, .. } => *scope == msl_ir::BarrierScope::Simdgroup,
            _ => false,
        };
        if is_of_simdgroup && !lanes.is_full(v) {
            found.insert(v);
        }
    });
    found
}

impl Emit<'_> {
    /// The threads that execute this instruction together.
    pub fn active_mask(&self, id: ValueId) -> V {
        if self.uniformity.lane_divergence().is_full(id) {
            return self.entry_mask;
        }
        self.mask.unwrap_or_else(|| self.hardware_mask())
    }

    fn hardware_mask(&self) -> V {
        self.ll.intrinsic("llvm.nvvm.activemask", self.ll.int(32), &[])
    }

    fn ballot(&self, mask: V, choice: V) -> V {
        self.ll.intrinsic("llvm.nvvm.vote.ballot.sync", self.ll.int(32), &[mask, choice])
    }

    pub fn needs_mask(&self, block: &Block) -> bool {
        let mut needs = false;
        if !self.masked.is_empty() {
            walk(self.f, block, &mut |v| needs |= self.masked.contains(&v));
        }
        needs
    }

    /// How threads leave what blocks belong to. `own`: the label of that construct, whose `break`s end there.
    fn leaving<'a>(&self, blocks: impl IntoIterator<Item = &'a Block>, own: Option<LabelId>) -> Leaving {
        let mut labels: HashSet<LabelId> = own.into_iter().collect();
        let mut left = Vec::new();
        let mut leaving = Leaving::Never;
        for block in blocks {
            walk(self.f, block, &mut |v| match &self.f.insts[v].op {
                Op::Loop { label, .. } | Op::Scope { label, .. } | Op::Switch { label, .. } => {
                    labels.insert(*label);
                }
                Op::Break(label) | Op::Continue(label) => left.push(*label),
                Op::Return(_) => leaving = leaving.max(Leaving::Return),
                _ => {}
            });
        }
        if left.iter().any(|label| !labels.contains(label)) { Leaving::Jump } else { leaving }
    }

    /// The mask behind a construct that threads left in a way.
    fn rejoined(&self, mask: Option<V>, leaving: Leaving) -> Option<V> {
        match (mask, leaving) {
            (Some(mask), Leaving::Never) => Some(mask),
            (Some(mask), Leaving::Return) => {
                // It waits for all that have not ended.
                self.ll.intrinsic("llvm.nvvm.bar.warp.sync", self.ll.void(), &[mask]);
                Some(self.hardware_mask())
            }
            _ => None,
        }
    }

    // ---- if --------------------------------------------------------------------------------

    /// The masks of the two branches; emits what they need before the branch.
    pub fn branch_masks(&self, id: ValueId, choice: V, then: &Block, otherwise: &Block) -> [Option<V>; 2] {
        let Some(mask) = self.mask else { return [None; 2] };
        if !self.uniformity.lane_divergence().is_divergent(id) {
            return [Some(mask); 2];
        }
        let goes_on = [then, otherwise].map(|block| falls_through(self.f, block));
        if goes_on[0] == goes_on[1] && !self.needs_mask(then) && !self.needs_mask(otherwise) {
            return [None; 2];
        }
        let ll = self.ll;
        let yes = self.ballot(mask, choice);
        [Some(yes), Some(ll.and(mask, ll.not(yes)))]
    }

    /// The mask behind an `if`; emits what it needs there. `before`: the mask in front of it.
    pub fn mask_after_if(
        &self,
        id: ValueId,
        before: Option<V>,
        branches: [Option<V>; 2],
        then: &Block,
        otherwise: &Block,
    ) -> Option<V> {
        let goes_on = [then, otherwise].map(|block| falls_through(self.f, block));
        let leaving = [then, otherwise].map(|block| self.leaving([block], None));
        let is_divergent = self.uniformity.lane_divergence().is_divergent(id);
        match goes_on {
            [true, true] => self.rejoined(before, leaving[0].max(leaving[1])),
            // All come from one of the branches.
            [true, false] => self.rejoined(if is_divergent { branches[0] } else { before }, leaving[0]),
            [false, true] => self.rejoined(if is_divergent { branches[1] } else { before }, leaving[1]),
            [false, false] => None,
        }
    }

    // ---- scopes and switches ---------------------------------------------------------------

    /// The mask behind a construct whose `break`s end there; emits what it needs there.
    pub fn mask_after<'a>(
        &self,
        before: Option<V>,
        label: LabelId,
        blocks: impl IntoIterator<Item = &'a Block>,
    ) -> Option<V> {
        self.rejoined(before, self.leaving(blocks, Some(label)))
    }

    /// The masks of a switch's cases; emits what they need before it.
    pub fn case_masks(&self, id: ValueId, value: V, bits: u32, cases: &[Case]) -> Vec<Option<V>> {
        let Some(mask) = self.mask else { return vec![None; cases.len()] };
        if !self.uniformity.lane_divergence().is_divergent(id) {
            return vec![Some(mask); cases.len()];
        }
        let ll = self.ll;
        let most = if bits >= 64 { u64::MAX } else { (1 << bits) - 1 };
        let is_one_of = |values: &mut dyn Iterator<Item = i64>| {
            let tests = values.map(|v| ll.eq(value, ll.cint(ll.type_of(value), v as u64 & most)));
            tests.reduce(|a, b| ll.or(a, b)).unwrap_or_else(|| ll.cbool(false))
        };
        let mut falls_in = false;
        let mut masks = Vec::with_capacity(cases.len());
        for case in cases {
            let is_known = !falls_in && self.needs_mask(&case.body);
            falls_in = falls_through(self.f, &case.body);
            masks.push(is_known.then(|| {
                let chosen = if case.is_default {
                    let others = cases.iter().filter(|other| !other.is_default);
                    ll.not(is_one_of(&mut others.flat_map(|other| other.values.iter().copied())))
                } else {
                    is_one_of(&mut case.values.iter().copied())
                };
                self.ballot(mask, chosen)
            }));
        }
        masks
    }

    // ---- loops -----------------------------------------------------------------------------

    /// Prepares the mask of a loop's rounds, in front of it, unless it is the same in all of them.
    pub fn rounds(&self, id: ValueId, label: LabelId, body: &Block, continuing: &Block) -> Option<Rounds> {
        let mask = self.mask?;
        let lanes = self.uniformity.lane_divergence();
        let stays = !lanes.has_divergent_break(id)
            && !lanes.has_divergent_continue(id)
            && self.leaving([body, continuing], Some(label)) == Leaving::Never;
        if stays {
            return None;
        }
        let slot = self.ll.alloca(self.ll.int(32), 4);
        self.ll.store(mask, slot, 4);
        // What breaks, or goes further; what only continues comes by again.
        let ends = |v: &ValueId| {
            let mut ends = false;
            let mut look = |v: ValueId| {
                ends |= match &self.f.insts[v].op {
                    Op::Return(_) => true,
                    Op::Break(to) => *to == label || !self.has_label(*to, body),
                    Op::Continue(to) => *to != label && !self.has_label(*to, body),
                    _ => false,
                }
            };
            look(*v);
            for block in self.f.insts[*v].op.blocks() {
                walk(self.f, block, &mut look);
            }
            ends
        };
        let last = body.insts.iter().rposition(ends);
        let mut is_exact = true;
        for v in body.insts.iter().take(last.map_or(0, |last| last + 1)) {
            let mut look = |v: ValueId| is_exact &= !matches!(self.f.insts[v].op, Op::Continue(to) if to == label);
            look(*v);
            for block in self.f.insts[*v].op.blocks() {
                walk(self.f, block, &mut look);
            }
        }
        Some(Rounds { slot, last: last.map(|last| body.insts[last]), is_exact })
    }

    /// Whether a label is of something in a block.
    fn has_label(&self, label: LabelId, block: &Block) -> bool {
        let mut is_there = false;
        walk(self.f, block, &mut |v| {
            is_there |= matches!(&self.f.insts[v].op,
                Op::Loop { label: l, .. } | Op::Scope { label: l, .. } | Op::Switch { label: l, .. } if *l == label);
        });
        is_there
    }

    /// The mask at the start of a round.
    pub fn mask_of_round(&self, rounds: &Rounds) -> V {
        self.ll.load(self.ll.int(32), rounds.slot, 4)
    }

    /// Whether a mask is to be noted behind one of these instructions.
    pub fn keeps_mask(&self, list: &[ValueId]) -> bool {
        self.rounds.iter().any(|rounds| rounds.last.is_some_and(|last| list.contains(&last)))
    }

    /// Notes the mask for the next round behind the instruction of a body that threads leave the loop in.
    pub fn keep_mask(&self, id: ValueId) {
        if let Some(rounds) = self.rounds.iter().rev().find(|rounds| rounds.is_exact && rounds.last == Some(id)) {
            let mask = self.mask.unwrap_or_else(|| self.hardware_mask());
            self.ll.store(mask, rounds.slot, 4);
        }
    }

    /// The mask where a round is over; emits what it needs there.
    pub fn mask_after_round(&self, rounds: &Rounds) -> V {
        if !rounds.is_exact {
            self.ll.store(self.hardware_mask(), rounds.slot, 4);
        }
        self.ll.load(self.ll.int(32), rounds.slot, 4)
    }
}

//! What is left of a block in two versions: one without tests, for threads that pass all of them before, and one with each
//! test where it belongs.
//!
//! In: the instructions that are left of a block with accesses that one branch cannot test because only
//! some threads come to them, or come to them after others could notice. Out: places that can be computed before all this are
//! tested there, also those that a thread might not come to. A thread that would leave a buffer at one of them runs the
//! ordinary version, which knows whether it gets there and what to report. Blocks with loops, barriers and operations
//! of simdgroups are left alone: two versions of them cost more, and what threads do together they must do in one.

use std::collections::HashSet;

use msl_base::Id;
use msl_ir::analysis::tree::walk;
use msl_ir::{AddressSpace, BinaryOp, Op, ValueId};

use super::ahead::is_quiet;
use super::kernel::{Emit, Val};
use crate::CodegenError;
use crate::llvm::V;

/// Instructions that are emitted twice, at most.
const LARGEST: usize = 250;
/// Accesses that one branch tests at most.
const MOST: usize = 32;
/// What a place may cost that a thread might not come to.
const DEAREST: usize = 4;

/// An access that may be tested before its turn.
struct Candidate {
    id: ValueId,
    /// Those with one number are tested together in any case.
    group: usize,
    is_conditional: bool,
    /// Variables may have changed when its turn comes.
    writes_locals: bool,
}

struct Search {
    here: HashSet<ValueId>,
    found: Vec<Candidate>,
    group: usize,
    writes_locals: bool,
}

impl Emit<'_> {
    /// Emits the list in two versions if that saves tests. Else nothing is done but computing places before their turn.
    pub fn in_two_versions(&mut self, list: &[ValueId]) -> Result<bool, CodegenError> {
        let starts = self.access(list[0]).is_some() || matches!(self.f.insts[list[0]].op, Op::If { .. });
        if !starts || !self.may_split || self.is_in_loop() || !self.may_be_emitted_twice(list) {
            return Ok(false);
        }
        let mut search = Search { here: HashSet::new(), found: Vec::new(), group: 0, writes_locals: false };
        self.search(list, false, &mut search);
        search.found.truncate(MOST);
        let saves = |found: &[Candidate]| found.iter().any(|c| c.group != found[0].group);
        if !saves(&search.found) {
            return Ok(false);
        }
        let mut tests: Vec<V> = Vec::new();
        let mut tested = Vec::new();
        for c in std::mem::take(&mut search.found) {
            let Some((ptr, size, _)) = self.access(c.id) else { continue };
            let mut cost = 0;
            self.cost(ptr, &search.here, &mut cost);
            if c.is_conditional && cost > DEAREST || !self.compute_ahead(ptr, &search.here, c.writes_locals)? {
                continue;
            }
            let p = self.pointer(ptr);
            tests.extend(self.bounds(ptr, p, size).map(|bounds| bounds.ok));
            tests.extend(self.alignment_test(c.id, (ptr, p), p.p, self.alignment_of(c.id)));
            tested.push(c);
        }
        if tests.is_empty() || !saves(&tested) {
            return Ok(false);
        }
        let ll = self.ll;
        let all = tests.into_iter().fold(ll.cbool(true), |all, test| ll.and(all, test));
        let (fast, slow, after) = (ll.new_block("untested"), ll.new_block("tested"), ll.new_block("either"));
        ll.likely_br(all, fast, slow);
        self.forget_pointers(&search.here);
        let saved = (self.vals.clone(), self.ahead.clone(), self.checked.clone(), self.aligned.clone());
        // Nothing in it needs to know, and threads of a warp may be in both.
        self.mask = None;
        self.may_split = false;
        self.checked.extend(tested.iter().map(|c| c.id));
        self.aligned.extend(tested.iter().map(|c| c.id));
        ll.at_end(fast);
        if self.list(list)? {
            ll.br(after);
        }
        (self.vals, self.ahead, self.checked, self.aligned) = saved;
        ll.at_end(slow);
        let end = self.end;
        if self.nesting == 0 {
            self.end = ll.new_block("exit");
        }
        self.hides_indices = true;
        if self.list(list)? {
            ll.br(if self.nesting == 0 { self.end } else { after });
        }
        if self.nesting == 0 {
            // Threads of the two versions need not meet again.
            ll.at_end(self.end);
            ll.intrinsic("llvm.nvvm.exit", ll.void(), &[]);
            ll.unreachable();
            self.end = end;
        }
        (self.may_split, self.hides_indices) = (true, false);
        ll.at_end(after);
        Ok(true)
    }

    /// Makes pointers that were computed ahead unknown again: each version computes its own.
    fn forget_pointers(&mut self, here: &HashSet<ValueId>) {
        for v in here {
            if matches!(self.vals[v.index()], Some(Val::Ptr(_))) && self.ahead.remove(v) {
                self.vals[v.index()] = None;
            }
        }
    }

    fn may_be_emitted_twice(&self, list: &[ValueId]) -> bool {
        let mut count = 0;
        let mut simple = true;
        for id in list {
            count += 1;
            let mut look = |v: ValueId| {
                let op = &self.f.insts[v].op;
                simple &= is_quiet(op)
                    || matches!(
                        op,
                        Op::If { .. }
                            | Op::Copy { .. }
                            | Op::Atomic { .. }
                            | Op::CompareExchange { .. }
                            | Op::Fence { .. }
                            | Op::Break(_)
                            | Op::Return(_)
                    );
            };
            look(*id);
            for block in self.f.insts[*id].op.blocks() {
                walk(self.f, block, &mut |v| {
                    count += 1;
                    look(v);
                });
            }
        }
        simple && count <= LARGEST
    }

    /// Finds accesses that are tested. False where some threads may have left, so that what follows is not for all.
    fn search(&self, list: &[ValueId], is_conditional: bool, search: &mut Search) -> bool {
        for id in list {
            search.here.insert(*id);
            let op = &self.f.insts[*id].op;
            match op {
                Op::Load { ptr, .. } | Op::Store { ptr, .. } => {
                    let space = self.space_of(*ptr);
                    if self.access(*id).is_some() {
                        if !self.checked.contains(id)
                            && !self.known.contains_key(id)
                            && !self.provenance.is_trusted(*ptr)
                        {
                            let (group, writes_locals) = (search.group, search.writes_locals);
                            search.found.push(Candidate { id: *id, group, is_conditional, writes_locals });
                        }
                    } else if matches!(op, Op::Store { .. }) && space == AddressSpace::Thread {
                        search.writes_locals = true;
                    }
                }
                Op::If { then, otherwise, .. } => {
                    for block in [then, otherwise] {
                        search.group += 1;
                        if !self.search(&block.insts, true, search) {
                            return false;
                        }
                    }
                    search.group += 1;
                }
                Op::Break(_) | Op::Return(_) => return false,
                Op::Copy { .. } | Op::Atomic { .. } | Op::CompareExchange { .. } => {
                    search.writes_locals = true;
                    search.group += 1;
                }
                op if is_quiet(op) => {}
                _ => search.group += 1,
            }
        }
        true
    }

    /// How many instructions it takes to know a value that is not known yet.
    fn cost(&self, v: ValueId, here: &HashSet<ValueId>, cost: &mut usize) {
        if self.vals[v.index()].is_some() || !here.contains(&v) || *cost > DEAREST {
            return;
        }
        let op = &self.f.insts[v].op;
        *cost += match op {
            Op::Const(_) | Op::Param(_) | Op::Extract { .. } | Op::Splat(_) | Op::Convert(_) | Op::Load { .. } => 0,
            Op::LocalAddr(_) | Op::GlobalAddr(_) | Op::FieldAddr { .. } | Op::PtrOffset { .. } => 0,
            Op::Binary(BinaryOp::Div | BinaryOp::Rem, ..) => DEAREST + 1,
            _ => 1,
        };
        op.for_each_operand(|o| self.cost(o, here, cost));
    }
}

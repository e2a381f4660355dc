//! Which copies a barrier waits for.
//!
//! In: the copies of a kernel ([`super::async_copy`]). Out: for each barrier, how many of the newest groups of copies may
//! still be under way after it; what is issued from one barrier to the next is a group. A group may be under way as long as
//! nothing touches what it writes before the next barrier, in any thread: a kernel that fills one buffer while it works on
//! others waits for what it works on next. With barriers of simdgroups among them every barrier waits for all: what a
//! thread waits for there, the other simdgroups do not see.

use std::collections::{BTreeSet, HashMap};

use msl_ir::{BarrierScope, Block, LabelId, Op, ValueId};

use super::async_copy::{Touched, touched};
use super::kernel::Emit;
use super::meetings::is_barrier;

/// Groups that may be under way at once.
const MOST: u32 = 4;

/// The barriers that a thread may have come to last; `None`: none yet.
type Last = BTreeSet<Option<ValueId>>;

#[derive(Default)]
struct Paths {
    before: HashMap<ValueId, Last>,
    breaks: HashMap<LabelId, Last>,
    continues: HashMap<LabelId, Last>,
}

/// By barrier, how many groups may be under way after it; none after one that is not there.
pub fn find(e: &Emit) -> HashMap<ValueId, u32> {
    let is_of_simdgroup = |op: &Op| matches!(op, Op::Barrier { scope: BarrierScope::Simdgroup, .. });
    if e.f.insts.values().any(|inst| is_of_simdgroup(&inst.op)) {
        return HashMap::new();
    }
    let mut paths = Paths::default();
    paths.walk(e, &e.f.body, Last::from([None]));
    let waits_here = |v: &ValueId| is_barrier(&e.f.insts[*v].op);
    let (mut copies, mut accesses): (Vec<(&Last, Touched)>, Vec<(&Last, Touched)>) = Default::default();
    for (v, last) in &paths.before {
        match &e.f.insts[*v].op {
            op if is_barrier(op) => {}
            _ => {
                if e.copies.contains(v) {
                    copies.push((last, touched(e, *v)));
                }
                accesses.push((last, touched(e, *v)));
            }
        }
    }
    let conflicts = |barrier: ValueId, copy: &Touched| {
        accesses.iter().any(|(last, access)| last.contains(&Some(barrier)) && access.may_meet(copy))
    };
    let mut waits = HashMap::new();
    for barrier in paths.before.keys().copied().filter(waits_here) {
        let conflicting: Vec<&Last> =
            copies.iter().filter(|(_, copy)| conflicts(barrier, copy)).map(|(last, _)| *last).collect();
        let mut ends = BTreeSet::from([barrier]);
        let mut count = 0;
        while count < MOST {
            // The group that ends at one of these barriers begins at one of those before it.
            let starts: Last = ends.iter().filter_map(|b| paths.before.get(b)).flatten().copied().collect();
            if conflicting.iter().any(|last| !last.is_disjoint(&starts)) {
                break;
            }
            count += 1;
            ends = starts.into_iter().flatten().collect();
        }
        waits.insert(barrier, count);
    }
    waits
}

impl Paths {
    /// Goes through a block; what is true at its end, nothing where that is not reached.
    fn walk(&mut self, e: &Emit, block: &Block, mut last: Last) -> Last {
        for id in &block.insts {
            if last.is_empty() {
                break;
            }
            match &e.f.insts[*id].op {
                op if is_barrier(op) => {
                    self.note(*id, &last);
                    last = Last::from([Some(*id)]);
                }
                Op::If { then, otherwise, .. } => {
                    let mut end = self.walk(e, then, last.clone());
                    end.extend(self.walk(e, otherwise, last));
                    last = end;
                }
                Op::Loop { label, body, continuing, .. } => {
                    loop {
                        let mut end = self.walk(e, body, last.clone());
                        end.extend(self.continues.get(label).into_iter().flatten());
                        let again = self.walk(e, continuing, end);
                        if again.is_subset(&last) {
                            break;
                        }
                        last.extend(again);
                    }
                    last = self.breaks.get(label).cloned().unwrap_or_default();
                }
                Op::Scope { label, body } => {
                    last = self.walk(e, body, last);
                    last.extend(self.breaks.get(label).into_iter().flatten());
                }
                Op::Switch { label, cases, .. } => {
                    // The end of a case falls into the next one.
                    let mut end = last.clone();
                    for case in cases {
                        end.extend(last.iter());
                        end = self.walk(e, &case.body, end);
                    }
                    last.extend(end);
                    last.extend(self.breaks.get(label).into_iter().flatten());
                }
                Op::Break(label) => {
                    self.breaks.entry(*label).or_default().extend(last.iter());
                    return Last::new();
                }
                Op::Continue(label) => {
                    self.continues.entry(*label).or_default().extend(last.iter());
                    return Last::new();
                }
                Op::Return(_) | Op::Unreachable => return Last::new(),
                op => {
                    if super::async_copy::is_threadgroup_access(e, op) {
                        self.note(*id, &last);
                    }
                }
            }
        }
        last
    }

    fn note(&mut self, v: ValueId, last: &Last) {
        self.before.entry(v).or_default().extend(last.iter());
    }
}

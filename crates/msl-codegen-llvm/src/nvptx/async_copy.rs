//! Copies from device to threadgroup memory that go past the registers (`cp.async`).
//!
//! In: stores of 16 bytes to threadgroup memory of what was just loaded from device memory. Where the thread
//! that stores cannot touch these bytes again before its next barrier, the hardware may copy them meanwhile: nothing holds
//! registers for them, and the thread goes on with what it can. Every barrier first waits for those copies of its thread that are
//! needed behind it ([`super::async_waits`]).

use std::collections::HashSet;

use msl_base::Id;
use msl_ir::analysis::Root;
use msl_ir::analysis::tree::Tree;
use msl_ir::{AddressSpace, Block, Function, Op, ValueId};

use super::ahead::is_quiet;
use super::interval::Interval;
use super::kernel::Emit;
use super::lanes::Place;
use super::meetings::is_barrier;
use crate::compiler::FaultKind;

/// The bytes of a copy: others do not go past the nearest cache, and gain less.
const SIZE: u64 = 16;

/// What an instruction may touch of threadgroup memory.
pub struct Touched {
    /// `None`: anything.
    root: Option<Root>,
    interval: Option<Interval>,
    place: Option<Place>,
    size: i128,
}

impl Touched {
    /// In whichever threads.
    pub fn may_meet(&self, other: &Touched) -> bool {
        if let (Some(a), Some(b)) = (self.root, other.root)
            && a != b
        {
            return false;
        }
        if self.root.is_none() || other.root.is_none() {
            return true;
        }
        if let (Some(a), Some(b)) = (self.interval, other.interval)
            && (a.hi + self.size <= b.lo || b.hi + other.size <= a.lo)
        {
            return false;
        }
        true
    }

    /// In the same thread.
    fn may_overlap(&self, other: &Touched) -> bool {
        if !self.may_meet(other) || self.root.is_none() || other.root.is_none() {
            return self.may_meet(other);
        }
        let apart = |d: &i64| i128::from(*d) >= self.size || i128::from(-*d) >= other.size;
        let distance = self.place.as_ref().zip(other.place.as_ref()).and_then(|(a, b)| a.sum.distance(&b.sum));
        !distance.is_some_and(|d| d.iter().all(apart))
    }
}

/// The stores that become such copies.
pub fn find(e: &Emit) -> HashSet<ValueId> {
    if e.options.sm < 80 {
        return HashSet::new();
    }
    let mut stores = Vec::new();
    note_copies(e, &e.f.body, &mut stores);
    if stores.is_empty() {
        return HashSet::new();
    }
    let tree = Tree::new(e.f);
    stores.into_iter().filter(|v| Search { e, tree: &tree, copy: touched(e, *v) }.is_left_alone(*v)).collect()
}

fn note_copies(e: &Emit, block: &Block, found: &mut Vec<ValueId>) {
    // Loads whose memory has not been written since.
    let mut fresh: HashSet<ValueId> = HashSet::new();
    for id in &block.insts {
        let op = &e.f.insts[*id].op;
        for inner in op.blocks() {
            note_copies(e, inner, found);
        }
        match op {
            Op::Load { ptr, volatile: false, .. }
                if matches!(e.space_of(*ptr), AddressSpace::Device | AddressSpace::Constant) =>
            {
                fresh.insert(*id);
            }
            Op::Store { ptr, value, align, volatile: false } if e.space_of(*ptr) == AddressSpace::Threadgroup => {
                let is_aligned = || e.alignment(*ptr, *align).usual >= SIZE as u32;
                if fresh.contains(value) && e.uses[value.index()] == 1 && is_plain_load(e, *value) && is_aligned() {
                    found.push(*id);
                }
            }
            Op::Store { ptr, .. } if e.space_of(*ptr) == AddressSpace::Thread => {}
            Op::Store { .. } => fresh.clear(),
            op if is_quiet(op) => {}
            _ => fresh.clear(),
        }
    }
}

/// Of so many bytes, and not of a pointer.
fn is_plain_load(e: &Emit, v: ValueId) -> bool {
    let Op::Load { ptr, align, .. } = e.f.insts[v].op else { return false };
    let types = &e.module.types;
    let ty = e.f.insts[v].ty;
    let size = types.scalar_of(ty).map(|s| u64::from(s.size()) * u64::from(types.component_count(ty)));
    types.pointee(ty).is_none() && size == Some(SIZE) && e.alignment(ptr, align).usual >= SIZE as u32
}

pub fn touched(e: &Emit, access: ValueId) -> Touched {
    let anything = Touched { root: None, interval: None, place: None, size: 0 };
    let types = &e.module.types;
    let (ptr, ty) = match &e.f.insts[access].op {
        Op::Load { ptr, .. } => (*ptr, e.ty(access)),
        Op::Store { ptr, value, .. } => (*ptr, e.ty(*value)),
        _ => return anything,
    };
    let size = match types.scalar_of(ty) {
        Some(s) if types.pointee(ty).is_none() => u64::from(s.size()) * u64::from(types.component_count(ty).max(1)),
        _ => 8,
    };
    match e.provenance.roots(ptr) {
        [Root::Unknown { .. }] => anything,
        [root] => {
            Touched { root: Some(*root), interval: e.offset_interval(ptr), place: e.place(ptr), size: i128::from(size) }
        }
        _ => anything,
    }
}

struct Search<'a> {
    e: &'a Emit<'a>,
    tree: &'a Tree,
    copy: Touched,
}

/// How control goes through a list of instructions, up to barriers.
#[derive(Clone, Copy, Default)]
struct Flow {
    /// Something may touch the bytes.
    touches: bool,
    /// It may come to the end.
    falls: bool,
    /// It may leave on the way.
    leaves: bool,
}

impl Search<'_> {
    /// Whether the thread comes to a barrier, or its end, before it could touch what the store writes.
    fn is_left_alone(&self, store: ValueId) -> bool {
        let f: &Function = self.e.f;
        let after = |v: ValueId| {
            let place = self.tree.place(v)?;
            Some(self.flow(&place.block.of(f).insts[place.position as usize + 1..]))
        };
        let Some(mut flow) = after(store) else { return false };
        let mut touches = flow.touches;
        for block in self.tree.ancestors(store) {
            // Which construct a `break` leaves is not looked at: it may leave all of them.
            if touches || !flow.falls && !flow.leaves {
                break;
            }
            let Some(owner) = block.owner else { break };
            match &f.insts[owner].op {
                Op::Loop { body, continuing, .. } => {
                    let (continuing, body) = (self.flow(&continuing.insts), self.flow(&body.insts));
                    touches |= continuing.touches || continuing.falls && body.touches;
                }
                // A case falls into the next one.
                Op::Switch { cases, .. } => touches |= cases.iter().any(|case| self.flow(&case.body.insts).touches),
                _ => {}
            }
            let Some(rest) = after(owner) else { return false };
            touches |= rest.touches;
            flow = Flow { touches, falls: rest.falls, leaves: flow.leaves || rest.leaves };
        }
        !touches
    }

    fn flow(&self, list: &[ValueId]) -> Flow {
        let mut all = Flow { falls: true, ..Flow::default() };
        for id in list {
            let op = &self.e.f.insts[*id].op;
            let inner = |block: &Block| self.flow(&block.insts);
            let flow = match op {
                op if is_barrier(op) => Flow::default(),
                Op::Break(_) | Op::Continue(_) | Op::Return(_) => Flow { leaves: true, ..Flow::default() },
                Op::If { then, otherwise, .. } => {
                    let (a, b) = (inner(then), inner(otherwise));
                    let (falls, leaves) = (a.falls || b.falls, a.leaves || b.leaves);
                    Flow { touches: a.touches || b.touches, falls, leaves }
                }
                Op::Loop { body, continuing, .. } => {
                    let (a, b) = (inner(body), inner(continuing));
                    let touches = a.touches || (a.falls || a.leaves) && b.touches;
                    Flow { touches, falls: a.leaves || b.leaves, leaves: a.leaves || b.leaves }
                }
                Op::Scope { body, .. } => {
                    let a = inner(body);
                    Flow { falls: a.falls || a.leaves, ..a }
                }
                Op::Switch { cases, .. } => {
                    let any = |is: fn(Flow) -> bool| cases.iter().any(|case| is(inner(&case.body)));
                    Flow { touches: any(|f| f.touches), falls: true, leaves: any(|f| f.leaves) }
                }
                _ => Flow { touches: self.touches(*id), falls: true, leaves: false },
            };
            all.touches |= flow.touches;
            all.leaves |= flow.leaves;
            if all.touches || !flow.falls {
                all.falls = false;
                break;
            }
        }
        all
    }

    fn touches(&self, v: ValueId) -> bool {
        let op = &self.e.f.insts[v].op;
        match op {
            Op::Load { .. } | Op::Store { .. } => {
                is_threadgroup_access(self.e, op) && touched(self.e, v).may_overlap(&self.copy)
            }
            op => is_threadgroup_access(self.e, op),
        }
    }
}

/// Whether an instruction may touch threadgroup memory.
pub fn is_threadgroup_access(e: &Emit, op: &Op) -> bool {
    let is_shared = |ptr: &ValueId| e.space_of(*ptr) == AddressSpace::Threadgroup;
    match op {
        Op::Load { ptr, .. } | Op::Store { ptr, .. } | Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => {
            is_shared(ptr)
        }
        Op::Copy { dst, src, .. } => is_shared(dst) || is_shared(src),
        Op::Call { .. } => true,
        _ => false,
    }
}

impl Emit<'_> {
    /// Emits a store as a copy, if it is one of those.
    pub fn copy_past_registers(&mut self, store: ValueId) -> bool {
        let Op::Store { ptr, value, align, .. } = self.f.insts[store].op else { return false };
        let Op::Load { ptr: source, align: source_align, .. } = self.f.insts[value].op else { return false };
        if !self.copies.contains(&store) {
            return false;
        }
        let (from, to) = (self.pointer(source), self.pointer(ptr));
        let from = self.place_of(value, source, from, SIZE, source_align, FaultKind::Read);
        let to = self.place_of(store, ptr, to, SIZE, align, FaultKind::Write);
        self.copy_past(&to, &from);
        true
    }

    /// Waits for the copies of the thread that are needed behind a barrier.
    pub fn finish_copies(&self, barrier: ValueId) {
        if self.copies.is_empty() {
            return;
        }
        let (ll, left) = (self.ll, self.waits.get(&barrier).copied().unwrap_or(0));
        ll.intrinsic("llvm.nvvm.cp.async.commit.group", ll.void(), &[]);
        ll.intrinsic("llvm.nvvm.cp.async.wait.group", ll.void(), &[ll.c32(left)]);
    }
}

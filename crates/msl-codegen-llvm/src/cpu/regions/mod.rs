//! Threadgroups of several gangs with barriers between them.
//!
//! The body is cut into regions at barriers and at the constructs that hold them. Those constructs
//! run once for the threadgroup; each region is a loop over the gangs. What a later region needs
//! is kept per gang in scratch memory: the locals that differ between gangs, values (unless they
//! are cheap to compute again), and, where lanes can leave before a barrier, the mask. Uniform
//! values are computed once, outside of the loops over gangs.

mod context;
mod control;

use std::collections::{HashMap, HashSet};

use msl_base::Id;
use msl_ir::{Block, LocalId, Op, ValueId};

use super::control::FrameKind;
use super::kernel::Emit;
use super::masks::Mask;
use crate::CodegenError;
use crate::emit::flow::State;
use crate::emit::value::Comp;
use crate::llvm::{B, V};

/// What regions share.
#[derive(Default)]
pub struct Regions {
    /// Scratch memory of locals with addresses: start and bytes per gang.
    pub private: Option<(u64, u64)>,
    slots: HashMap<Slot, (u64, u64)>,
    /// Lanes that are on, per gang; only where that can change.
    group_mask: Option<(u64, u64)>,
    /// Instructions waiting for the loop over gangs.
    pending: Vec<ValueId>,
    users: HashMap<ValueId, Vec<ValueId>>,
    /// Whether code of a gang is being emitted.
    in_gang: bool,
    /// By value: computed once for the threadgroup.
    at_group_level: Vec<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    /// A component of the storage of a local or captured value.
    Local(usize, usize),
    Value(ValueId, usize),
    Saved(ValueId),
    /// The mask at the start of an iteration.
    Iteration(ValueId),
}

impl Emit<'_> {
    /// Emits the body of a threadgroup whose gangs meet at barriers.
    pub fn emit_regions(&mut self, next: B) -> Result<(), CodegenError> {
        let f = self.f;
        self.regions.users = users(f, &f.body);
        self.end = self.ll.new_block("endregions");
        if self.needs_group_mask(&f.body) {
            let slot = self.take_mask_slot();
            self.regions.group_mask = Some(slot);
            self.for_each_gang(|me| {
                me.write_group_mask(slot, &me.entry_mask.clone());
                Ok(())
            })?;
        }
        if self.group_block(&f.body)? {
            self.flush()?;
            self.ll.br(self.end);
        }
        self.ll.at_end(self.end);
        self.ll.br(next);
        Ok(())
    }

    /// Whether lanes can be switched off from one region to the next.
    fn needs_group_mask(&self, block: &Block) -> bool {
        block.insts.iter().any(|id| {
            let op = &self.f.insts[*id].op;
            let leaves_gangs = match op {
                Op::Break(l) | Op::Continue(l) => self.flow.owner.get(l).is_none_or(|o| self.flow.barrier[o.index()]),
                _ => true,
            };
            (self.flow.masked_exit[id.index()] && leaves_gangs)
                || (self.flow.barrier[id.index()] && self.flow.divergent[id.index()])
                || op.blocks().iter().any(|b| self.needs_group_mask(b))
        })
    }

    fn take_mask_slot(&mut self) -> (u64, u64) {
        let size = u64::from(self.gang.parts) * 8;
        (self.plan.take(size * u64::from(self.layout.gangs), 64), size)
    }

    fn mask_address(&self, slot: (u64, u64), part: u32) -> V {
        let ll = self.ll;
        let g = ll.zext(self.gang_index, ll.int(64));
        let p = ll.gep(ll.gep_const(self.scratch, slot.0), ll.mul(g, ll.c64(slot.1)));
        ll.gep_const(p, u64::from(part) * 8)
    }
    fn write_group_mask(&self, slot: (u64, u64), m: &Mask) {
        for p in 0..self.gang.parts {
            let bits = self.ll.zext(self.mask_bits(self.mask_part(m, p)), self.ll.int(64));
            self.ll.store(bits, self.mask_address(slot, p), 8);
        }
    }
    fn read_group_mask(&self, slot: (u64, u64)) -> Mask {
        let ll = self.ll;
        Some(
            (0..self.gang.parts)
                .map(|p| {
                    let bits = ll.load(ll.int(64), self.mask_address(slot, p), 8);
                    ll.bitcast(ll.trunc(bits, ll.int(self.gang.lanes)), self.mask_type())
                })
                .collect(),
        )
    }

    /// Lanes leave for a construct around the loop over gangs: they are off in the regions that
    /// follow. `frames` from `first` on are left; those keep the lanes they would give back.
    pub fn group_escape_from(&mut self, first: usize) {
        let Some(slot) = self.regions.group_mask else { return };
        let off = self.mask.clone();
        let gone = self.mask_parts(&off);
        let clear = |me: &Self, slot| {
            let m = me.read_group_mask(slot);
            let m = me.mask_and_not(&m, &gone);
            me.write_group_mask(slot, &m);
        };
        clear(self, slot);
        let saved: Vec<(u64, u64)> = self.frames[first.min(self.frames.len())..]
            .iter()
            .filter_map(|fr| {
                let key = if fr.kind == FrameKind::LoopBody { Slot::Iteration(fr.id) } else { Slot::Saved(fr.id) };
                self.regions.slots.get(&key).copied()
            })
            .collect();
        for s in saved {
            clear(self, s);
        }
    }

    fn for_each_gang(&mut self, body: impl FnOnce(&mut Self) -> Result<(), CodegenError>) -> Result<(), CodegenError> {
        let ll = self.ll;
        let count = self.gang_count();
        // Around the loop there is no gang: what belongs to one would not reach there.
        let around = (
            self.gang_index,
            self.private_segment,
            self.linear_index.clone(),
            self.positions.clone(),
            self.entry_mask.clone(),
            self.mask.clone(),
        );
        let from = ll.current();
        let (head, out) = (ll.new_block("gang"), ll.new_block("endgang"));
        ll.br(head);
        ll.at_end(head);
        let g = ll.phi(ll.int(32), &[(ll.c32(0), from)]);
        self.begin_gang(g);
        if let Some((at, per_gang)) = self.regions.private {
            let offset = ll.mul(ll.zext(g, ll.int(64)), ll.c64(per_gang));
            self.private_segment = ll.gep(ll.gep_const(self.scratch, at), offset);
        }
        if let Some(slot) = self.regions.group_mask
            && self.regions.in_gang
        {
            self.mask = self.read_group_mask(slot);
        }
        body(self)?;
        let end = ll.current();
        let g1 = ll.add(g, ll.c32(1));
        ll.add_incoming(g, &[(g1, end)]);
        ll.stays(ll.cond_br(ll.ult(g1, count), head, out));
        ll.at_end(out);
        (self.gang_index, self.private_segment, self.linear_index, self.positions, self.entry_mask, self.mask) = around;
        Ok(())
    }

    /// Code that runs once for the threadgroup, of which lanes may have left.
    pub fn is_around_gangs(&self) -> bool {
        !self.regions.in_gang && self.regions.group_mask.is_some()
    }

    /// At a barrier below branches that threads take differently: a simdgroup of which no thread comes by, though some
    /// have not left, is missing, unless nobody comes by at all.
    fn check_arrivals(&mut self, barrier: ValueId) {
        let branches = self.frames.iter().filter(|frame| frame.kind == FrameKind::If);
        let outermost = branches.filter_map(|frame| self.regions.slots.get(&Slot::Saved(frame.id)).copied()).next();
        let (Some(saved), Some(now)) = (outermost, self.regions.group_mask) else { return };
        let ll = self.ll;
        let (int, word) = (ll.int(32), ll.int(64));
        let in_simdgroup = (32 / self.gang.lanes).max(1);
        let words = ll.mul(self.gang_count(), ll.c32(self.gang.parts));
        let (present, missing, who) = (ll.alloca(word, 8), ll.alloca(word, 8), ll.alloca(int, 4));
        ll.store(ll.c64(0), present, 8);
        ll.store(ll.c64(0), missing, 8);
        ll.store(ll.c32(0), who, 4);
        let (head, out) = (ll.new_block("arrivals"), ll.new_block("arrived"));
        let from = ll.current();
        ll.br(head);
        ll.at_end(head);
        let i = ll.phi(int, &[(ll.c32(0), from)]);
        // Masks of a simdgroup's parts are next to each other.
        let (mut on, mut was) = (ll.c64(0), ll.c64(0));
        for part in 0..in_simdgroup {
            let index = ll.add(i, ll.c32(part));
            // The last simdgroup may be short; what is read twice changes nothing.
            let index = ll.select(ll.ult(index, words), index, i);
            let offset = ll.mul(ll.zext(index, word), ll.c64(8));
            on = ll.or(on, ll.load(word, ll.gep(ll.gep_const(self.scratch, now.0), offset), 8));
            was = ll.or(was, ll.load(word, ll.gep(ll.gep_const(self.scratch, saved.0), offset), 8));
        }
        let comes = ll.ne(on, ll.c64(0));
        let is_missing = ll.and(ll.not(comes), ll.ne(was, ll.c64(0)));
        ll.store(ll.or(ll.load(word, present, 8), ll.zext(comes, word)), present, 8);
        ll.store(ll.or(ll.load(word, missing, 8), ll.zext(is_missing, word)), missing, 8);
        let thread = ll.mul(i, ll.c32(self.gang.lanes));
        ll.store(ll.select(is_missing, thread, ll.load(int, who, 4)), who, 4);
        let next = ll.add(i, ll.c32(in_simdgroup));
        ll.add_incoming(i, &[(next, head)]);
        ll.cond_br(ll.ult(next, words), head, out);
        ll.at_end(out);
        let bad = ll.ne(ll.and(ll.load(word, present, 8), ll.load(word, missing, 8)), ll.c64(0));
        let thread = ll.load(int, who, 4);
        self.missing_at_barrier(barrier, bad, thread);
    }

    /// Around the loops over gangs: whether any lane of the threadgroup is on.
    pub fn any_of_group(&self) -> V {
        let ll = self.ll;
        let Some(slot) = self.regions.group_mask else { return ll.cbool(true) };
        let (head, out) = (ll.new_block("any"), ll.new_block("anydone"));
        let from = ll.current();
        let words = ll.mul(self.gang_count(), ll.c32(self.gang.parts));
        ll.br(head);
        ll.at_end(head);
        let i = ll.phi(ll.int(32), &[(ll.c32(0), from)]);
        let at = ll.gep(ll.gep_const(self.scratch, slot.0), ll.mul(ll.zext(i, ll.int(64)), ll.c64(8)));
        let on = ll.ne(ll.load(ll.int(64), at, 8), ll.c64(0));
        let next = ll.add(i, ll.c32(1));
        ll.add_incoming(i, &[(next, head)]);
        ll.cond_br(ll.and(ll.not(on), ll.ult(next, words)), head, out);
        ll.at_end(out);
        on
    }

    /// Emits the waiting instructions as a loop over gangs.
    fn flush(&mut self) -> Result<(), CodegenError> {
        self.wide.forget();
        let run = std::mem::take(&mut self.regions.pending);
        if run.is_empty() {
            return Ok(());
        }
        let mut inside = HashSet::new();
        let (mut loads, mut stores) = (HashSet::new(), HashSet::new());
        for id in &run {
            tree(self.f, *id, &mut inside);
            self.accessed(*id, &mut loads, &mut stores);
        }
        let mut needed = Vec::new();
        for id in &inside {
            self.f.insts[*id].op.for_each_operand(|v| {
                if !inside.contains(&v) && self.vals[v.index()].is_none() && !needed.contains(&v) {
                    needed.push(v);
                }
            });
        }
        needed.sort();
        // Exits take the values of captured locals along.
        let mut captures: Vec<(ValueId, LocalId)> = Vec::new();
        if inside.iter().any(|id| self.flow.masked_exit[id.index()]) {
            for frame in self.frames.iter().filter(|fr| fr.kind == FrameKind::Loop) {
                for l in self.flow.captures.get(&frame.id).into_iter().flatten() {
                    captures.push((frame.id, *l));
                    loads.insert(*l);
                }
            }
        }
        let mut touched: Vec<LocalId> = loads.union(&stores).copied().collect();
        touched.sort();
        let mut stored: Vec<LocalId> = stores.iter().copied().collect();
        stored.sort();
        // What nothing outside of this region loads ends with it, unless it runs again.
        let in_loop = self.frames.iter().any(|fr| fr.kind == FrameKind::Loop);
        let saved: Vec<LocalId> =
            stored.iter().copied().filter(|l| in_loop || self.is_loaded_outside(&self.f.body, *l, &inside)).collect();
        self.regions.in_gang = true;
        let starts = self.starts(&stored);
        let before = self.vals.clone();
        self.regions.at_group_level = before.iter().map(Option::is_some).collect();
        self.for_each_gang(|me| {
            for (l, c, v) in &starts {
                me.write_slot(*l, *c, v);
            }
            for l in &touched {
                me.load_context(*l);
            }
            for (id, l) in &captures {
                me.load_capture(*id, *l);
            }
            for v in &needed {
                me.restore_value(*v)?;
            }
            for id in &run {
                // What was stored for all threads together since the instruction was put off is not
                // in the states of the points within it. Those locals keep the form they have now.
                let held = me.state.clone();
                for (i, state) in me.state.iter_mut().enumerate() {
                    if touched.binary_search(&LocalId::from_index(i)).is_err() {
                        *state = None;
                    }
                }
                let reached = me.block(&Block { insts: vec![*id] })?;
                debug_assert!(reached, "a region ends where it began");
                let (mut loads, mut stores) = (HashSet::new(), HashSet::new());
                me.accessed(*id, &mut loads, &mut stores);
                for (i, state) in held.into_iter().enumerate() {
                    if !stores.contains(&LocalId::from_index(i)) {
                        me.state[i] = state;
                    }
                }
            }
            for l in &saved {
                me.save_context(*l);
            }
            for (id, l) in &captures {
                me.save_capture(*id, *l);
            }
            for id in &run {
                me.save_value(*id, &inside);
            }
            // Values of a gang end with it, those computed again on the way included.
            me.vals.clone_from(&before);
            Ok(())
        })?;
        self.regions.in_gang = false;
        Ok(())
    }

    fn is_loaded_outside(&self, block: &Block, l: LocalId, inside: &HashSet<ValueId>) -> bool {
        block.insts.iter().any(|id| {
            let op = &self.f.insts[*id].op;
            match op {
                _ if inside.contains(id) => false,
                Op::Load { ptr, .. } => self.places.get(*ptr).is_some_and(|p| p.local == l),
                op => op.blocks().iter().any(|b| self.is_loaded_outside(b, l, inside)),
            }
        })
    }

    /// A local that was uniform so far starts every gang with that value, whatever the last gang did to it.
    fn starts(&mut self, locals: &[LocalId]) -> Vec<(usize, usize, Comp)> {
        let mut starts = Vec::new();
        for l in locals {
            if let Some(state) = self.state[l.index()] {
                let (n, s) = self.local_components(*l);
                for c in (0..n).filter(|c| state.c[*c].is_uniform()) {
                    let v = self.read_slot(l.index(), c, state.c[c], s);
                    starts.push((l.index(), c, v));
                }
            }
        }
        starts
    }

    /// Brings locals to the form of a join, for all gangs.
    fn group_coerce(&mut self, to: &State, except: &[LocalId]) -> Result<(), CodegenError> {
        let list: Vec<LocalId> = (0..to.len())
            .map(LocalId::from_index)
            .filter(|l| {
                let (from, to) = (self.state[l.index()], to[l.index()]);
                from.is_some() && to.is_some() && from != to && !except.contains(l) && self.places.promoted[l.index()]
            })
            .collect();
        // Differences that change neither form nor place need no code.
        let real: Vec<LocalId> = list
            .iter()
            .copied()
            .filter(|l| {
                let (Some(a), Some(b)) = (self.state[l.index()], to[l.index()]) else { return false };
                let n = self.local_components(*l).0;
                a.root != b.root
                    || (0..n).any(|c| {
                        a.c[c].linear != b.c[c].linear
                            || (a.c[c].bits ^ b.c[c].bits) & 3 != 0
                            || a.c[c].is_uniform() != b.c[c].is_uniform()
                    })
            })
            .collect();
        if !real.is_empty() {
            self.regions.in_gang = true;
            let before = self.state.clone();
            // An offset that becomes an address would otherwise get its base once for each gang.
            let starts = self.starts(&real);
            self.for_each_gang(|me| {
                for (l, c, v) in &starts {
                    me.write_slot(*l, *c, v);
                }
                for l in &real {
                    me.load_context(*l);
                }
                let mut target = me.state.clone();
                for l in &real {
                    target[l.index()] = to[l.index()];
                }
                me.coerce_state(&target, &[]);
                for l in &real {
                    me.save_context(*l);
                }
                Ok(())
            })?;
            self.state = before;
            self.regions.in_gang = false;
        }
        self.state = to.clone();
        Ok(())
    }
}

/// An instruction and everything nested in it.
fn tree(f: &msl_ir::Function, id: ValueId, out: &mut HashSet<ValueId>) {
    out.insert(id);
    for b in f.insts[id].op.blocks() {
        for i in &b.insts {
            tree(f, *i, out);
        }
    }
}

/// Who uses each value.
fn users(f: &msl_ir::Function, block: &Block) -> HashMap<ValueId, Vec<ValueId>> {
    fn walk(f: &msl_ir::Function, b: &Block, out: &mut HashMap<ValueId, Vec<ValueId>>) {
        for id in &b.insts {
            f.insts[*id].op.for_each_operand(|v| out.entry(v).or_default().push(*id));
            for b in f.insts[*id].op.blocks() {
                walk(f, b, out);
            }
        }
    }
    let mut out = HashMap::new();
    walk(f, block, &mut out);
    out
}

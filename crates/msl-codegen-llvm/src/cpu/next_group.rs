//! Fetching what the next threadgroup accesses.
//!
//! In `for (uint i = thread; i < n; i += threads)` a threadgroup walks through its row as one, but on a CPU its gangs
//! do so one after the other: each takes a piece, skips those of the others and returns to the start. Processors
//! fetch ahead what is accessed in order; such leaps they do not foresee, and every line would be waited for. So the
//! loop itself fetches: how far the places of a threadgroup are from those of the one before is measured, gang by
//! gang, and so far ahead of each vector a line is asked for. Whatever is asked for is a hint: a wrong guess, where a
//! row of the grid ends, costs a line of the cache and never a fault.
//!
//! In: the accesses of a loop that are known to be within bounds ([`super::hoist`]). Taken are those whose lanes are
//! side by side, whose gang leaps over what other gangs of its threadgroup access, whose place depends on the
//! threadgroup, and that are the first to touch their buffer. Where a threadgroup accesses so much that what was
//! fetched would be gone again ([`MOST`]), nothing is.

use std::collections::HashSet;

use msl_ir::{Builtin, Op, ValueId};

use super::kernel::Emit;
use crate::emit::shape::Root;
use crate::emit::value::Pointer;
use crate::llvm::V;

/// From the first to the last place of a gang, in bytes: a part of what the caches of one core hold.
const MOST: u64 = 128 << 10;
/// What is fetched at once, in bytes.
const LINE: u64 = 64;

impl Emit<'_> {
    /// Emits, before the loop, by how many bytes the next threadgroup is ahead, for an access that is worth it.
    /// `per_iteration`: by how much its place moves, in bytes; `way`: by how much in the whole loop.
    pub fn distance_to_next_group(
        &mut self,
        access: ValueId,
        p: &Pointer,
        per_iteration: u64,
        first: V,
        way: V,
    ) -> Option<V> {
        let (Op::Load { ptr, .. } | Op::Store { ptr, .. }) = self.f.insts[access].op else { return None };
        let Root::Param(i) = p.root else { return None };
        let size = self.accessed_size(access);
        let var = p.var.as_ref()?;
        let linear = var.index.shape.linear?;
        let is_run = linear.stride * var.scale == size as i64;
        let gang = u64::from(self.gang.threads()) * size;
        let leaps = 2 * gang <= per_iteration && per_iteration <= gang * u64::from(self.layout.gangs);
        if !is_run || !leaps || self.layout.edge || self.is_shared(p.root) || self.joined_group.is_some() {
            return None;
        }
        if self.fetched.contains(&i) || !self.depends_on_group(ptr) {
            return None;
        }
        self.fetched.insert(i);
        let ll = self.ll;
        let places = ll.zeroed_alloca(ll.array(ll.int(64), u64::from(self.layout.gangs)), 8);
        let place = ll.gep(places, ll.mul(ll.zext(self.gang_index, ll.int(64)), ll.c64(8)));
        let before = ll.load(ll.int(64), place, 8);
        ll.store(first, place, 8);
        // Nothing was before the first threadgroup, or was at the start of the buffer.
        let is_known = ll.and(ll.ne(before, ll.c64(0)), ll.ult(way, ll.c64(MOST)));
        Some(ll.select(is_known, ll.sub(first, before), ll.c64(0)))
    }

    /// Asks for the lines so far ahead of vectors of so many bytes.
    pub fn fetch_ahead(&self, places: &[V], bytes: u64, is_store: bool) {
        let ll = self.ll;
        let Some(distance) = self.ahead else { return };
        for (i, place) in places.iter().enumerate() {
            // Of vectors smaller than a line some share one.
            if !(i as u64 * bytes).is_multiple_of(LINE) {
                continue;
            }
            for line in 0..bytes.div_ceil(LINE) {
                let at = ll.gep_const(ll.gep(*place, distance), line * LINE);
                // Kept in all caches; data, not code.
                let arguments = [at, ll.c32(u32::from(is_store)), ll.c32(3), ll.c32(1)];
                ll.intrinsic("llvm.prefetch.p0", ll.void(), &arguments);
            }
        }
    }

    /// Whether a value can be another one in the next threadgroup.
    fn depends_on_group(&self, v: ValueId) -> bool {
        let (mut values, mut locals) = (HashSet::new(), HashSet::new());
        let mut open = vec![v];
        while let Some(v) = open.pop() {
            if !values.insert(v) {
                continue;
            }
            let op = &self.f.insts[v].op;
            if matches!(op, Op::Builtin(Builtin::ThreadPositionInGrid | Builtin::ThreadgroupPositionInGrid)) {
                return true;
            }
            op.for_each_operand(|o| open.push(o));
            // What a variable holds is what is stored to it.
            let Op::Load { ptr, .. } = op else { continue };
            let Some(local) = self.places.get(*ptr).map(|p| p.local).filter(|l| locals.insert(*l)) else { continue };
            for inst in self.f.insts.values() {
                if let Op::Store { ptr, value, .. } = &inst.op
                    && self.places.get(*ptr).is_some_and(|p| p.local == local)
                {
                    open.push(*value);
                }
            }
        }
        false
    }
}

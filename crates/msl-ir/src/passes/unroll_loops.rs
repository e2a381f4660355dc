//! Unrolls `for` loops with a constant trip count completely.
//!
//! Which: those with an unroll hint that covers the count, those that run once or
//! twice, and those that index a private array by their counter (the array can then be split into
//! members and live in registers). Anything else is left to the target, which may ask for those that go through the
//! neighborhood of a thread in memory ([`unroll_neighborhoods`]).
//!
//! The form that is recognized: a counter that is only stored whole, holds a constant when the loop starts,
//! is changed by one store of `counter ± constant` at the top level of `continuing`; a test at the
//! start of the body that computes from the counter and constants only and breaks the loop. The trip
//! count is found by executing the test.
//!
//! A copy of body and `continuing` is made per iteration. `break` leaves a scope around all copies, `continue` one
//! around the copy of the body. Stores of the counter stay as they are and become constants by forwarding.

use super::fold_constants as fold;
use super::rewrite::{Remap, clone_list, contains, count, push, put_nested, take_nested, with_function};
use crate::FunctionId;
use crate::analysis::provenance::LocalUse;
use crate::analysis::tree::{nested_count, walk};
use crate::analysis::{Provenance, Root};
use crate::ir::{Block, Function, LabelId, LocalId, LoopHint, Module, Op, SimdOp, ValueId};
use crate::types::{AddressSpace, TypeTable};
use msl_base::{FxMap, FxSet};

/// How large loops may become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Growth {
    /// As far as code is likely to run faster: what is indexed may as well lie in memory, and machine code for tens of
    /// thousands of instructions takes long to make.
    #[default]
    Moderate,
    /// Whatever it takes to keep private arrays in registers.
    Large,
}

impl Growth {
    /// Instructions that a loop with a hint may become.
    fn hinted(self) -> usize {
        match self {
            Growth::Moderate => 4_096,
            Growth::Large => 16_384,
        }
    }
    /// The same, of a loop in which no private array is indexed by the counter: all that is gained is the counting.
    fn hinted_plain(self) -> usize {
        match self {
            Growth::Moderate => 512,
            Growth::Large => 16_384,
        }
    }
    /// Instructions that all loops of a function together may become.
    fn total(self) -> usize {
        match self {
            Growth::Moderate => 16_384,
            Growth::Large => 200_000,
        }
    }
}

/// Instructions that a loop which indexes a private array may become.
const INDEXING_LIMIT: usize = 4_096;
const SMALL_LIMIT: usize = 64;
/// Instructions that a product of matrices becomes on most devices.
const PRODUCT_SIZE: usize = 32;
const MAX_TRIPS: usize = 1_024;
/// Iterations of a loop over neighbors, and instructions on scalars that it may become with the loops in it.
const NEIGHBORS: usize = 9;
const NEIGHBORHOOD_LIMIT: usize = 512;

pub fn unroll_loops(module: &mut Module, id: FunctionId, growth: Growth) -> bool {
    run(module, id, growth, false)
}

/// Unrolls small loops that load or store other than private memory, so that the places do not depend on counters.
pub fn unroll_neighborhoods(module: &mut Module, id: FunctionId) -> bool {
    run(module, id, Growth::Moderate, true)
}

fn run(module: &mut Module, id: FunctionId, growth: Growth, neighborhoods: bool) -> bool {
    if !contains(&module.functions[id], |op| matches!(op, Op::Loop { .. })) {
        return false;
    }
    let provenance = Provenance::new(module, &module.functions[id]);
    with_function(module, id, |module, f| {
        let void = module.types.void();
        let mut pass = Pass {
            types: &module.types,
            provenance,
            void,
            growth,
            neighborhoods,
            grown: 0,
            changed: false,
            written: FxMap::default(),
        };
        pass.written = count_stores(f, &pass.provenance);
        let body = std::mem::take(&mut f.body.insts);
        f.body.insts = pass.list(f, body, &FxMap::default());
        pass.changed
    })
}

struct Pass<'a> {
    types: &'a TypeTable,
    provenance: Provenance,
    void: crate::TypeId,
    growth: Growth,
    neighborhoods: bool,
    grown: usize,
    changed: bool,
    /// The stores to each local that is only used whole.
    written: FxMap<LocalId, Vec<ValueId>>,
}

fn tracked(f: &Function, provenance: &Provenance, ptr: ValueId) -> Option<LocalId> {
    match f.insts[ptr].op {
        Op::LocalAddr(l) if provenance.local_use(l) <= LocalUse::Whole => Some(l),
        _ => None,
    }
}

fn count_stores(f: &Function, provenance: &Provenance) -> FxMap<LocalId, Vec<ValueId>> {
    let mut out: FxMap<LocalId, Vec<ValueId>> = FxMap::default();
    walk(f, &f.body, &mut |v| {
        if let Op::Store { ptr, .. } = f.insts[v].op
            && let Some(l) = tracked(f, provenance, ptr)
        {
            out.entry(l).or_default().push(v);
        }
    });
    out
}

impl Pass<'_> {
    /// `start`: constants that locals hold at the start of the list.
    fn list(&mut self, f: &mut Function, list: Vec<ValueId>, start: &FxMap<LocalId, u64>) -> Vec<ValueId> {
        let mut constants = start.clone();
        let mut out = Vec::with_capacity(list.len());
        for v in list {
            if let Op::Store { ptr, value, .. } = f.insts[v].op
                && let Some(l) = tracked(f, &self.provenance, ptr)
            {
                match f.insts[value].op {
                    Op::Const(bits) => constants.insert(l, bits),
                    _ => constants.remove(&l),
                };
            }
            let blocks = nested_count(&f.insts[v].op);
            if blocks > 0 {
                // Inside and after, nothing is known of what is stored inside.
                let mut changed = FxSet::default();
                for b in f.insts[v].op.blocks() {
                    walk(f, b, &mut |w| {
                        if let Op::Store { ptr, .. } = f.insts[w].op
                            && let Some(l) = tracked(f, &self.provenance, ptr)
                        {
                            changed.insert(l);
                        }
                    });
                }
                let before = constants.clone();
                constants.retain(|l, _| !changed.contains(l));
                let is_loop = matches!(f.insts[v].op, Op::Loop { .. });
                for i in 0..blocks {
                    let inner = take_nested(f, v, i);
                    let known = if is_loop || i > 0 { &constants } else { &before };
                    let inner = self.list(f, inner, known);
                    put_nested(f, v, i, inner);
                }
                if is_loop && let Some(trips) = self.trips(f, v, &before) {
                    self.unroll(f, v, trips, &mut out);
                    continue;
                }
            }
            out.push(v);
        }
        out
    }

    /// The trip count of a loop that should be unrolled.
    fn trips(&self, f: &Function, v: ValueId, before: &FxMap<LocalId, u64>) -> Option<usize> {
        let Op::Loop { label, body, continuing, hint } = &f.insts[v].op else { return None };
        let (counter, step) = self.counter(f, v, continuing)?;
        let scalar = self.types.scalar_of(f.locals[counter].ty)?;
        let mut value = *before.get(&counter)?;
        let mut trips = 0;
        while !self.exits(f, body, *label, counter, value)? {
            trips += 1;
            if trips > MAX_TRIPS || (trips > 1 && *hint == LoopHint::NoUnroll) {
                return None;
            }
            value = fold::binary(step.0, scalar, value, step.1)?;
        }
        let size = count(f, &body.insts) + count(f, &continuing.insts);
        let total = size.saturating_mul(trips);
        if self.grown + total > self.growth.total() {
            return None;
        }
        let wanted = match *hint {
            // Not a loop at all, whatever the hint says.
            _ if trips <= 1 => true,
            LoopHint::Unroll(n) if n == 0 || n as usize >= trips => {
                let products = self.products(f, v).saturating_mul(trips * PRODUCT_SIZE);
                total + products <= self.growth.hinted_plain()
                    || (total <= self.growth.hinted() && self.indexes_private_array(f, v, counter))
            }
            LoopHint::Unroll(_) | LoopHint::NoUnroll => false,
            LoopHint::None if self.neighborhoods => {
                trips <= NEIGHBORS
                    && self.components(f, v).saturating_mul(trips) <= NEIGHBORHOOD_LIMIT
                    && self.accesses_memory(f, v)
            }
            LoopHint::None => {
                trips <= 2 && total <= SMALL_LIMIT * 4
                    || total <= SMALL_LIMIT
                    || (total <= INDEXING_LIMIT && self.indexes_private_array(f, v, counter))
            }
        };
        wanted.then_some(trips)
    }

    /// Instructions of a loop on scalars: those on vectors count for each of their components.
    fn components(&self, f: &Function, v: ValueId) -> usize {
        let mut count = 0;
        for b in f.insts[v].op.blocks() {
            walk(f, b, &mut |w| count += usize::from(self.types.component_count(f.insts[w].ty).max(1)));
        }
        count
    }

    /// Whether a loop accesses memory that other threads see, and holds nothing that is best done in one place.
    fn accesses_memory(&self, f: &Function, v: ValueId) -> bool {
        let (mut found, mut simple) = (false, true);
        for b in f.insts[v].op.blocks() {
            walk(f, b, &mut |w| match &f.insts[w].op {
                Op::Load { ptr, .. } | Op::Store { ptr, .. } => {
                    found |= self.types.pointee(f.insts[*ptr].ty).is_some_and(|(s, _)| s != AddressSpace::Thread);
                }
                Op::Loop { .. } | Op::Barrier { .. } | Op::Simd(..) | Op::Atomic { .. } | Op::Log { .. } => {
                    simple = false;
                }
                _ => {}
            });
        }
        found && simple
    }

    /// The counter of a loop, and how it changes.
    fn counter(&self, f: &Function, v: ValueId, continuing: &Block) -> Option<(LocalId, (crate::BinaryOp, u64))> {
        for &s in &continuing.insts {
            let Op::Store { ptr, value, .. } = f.insts[s].op else { continue };
            let Some(l) = tracked(f, &self.provenance, ptr) else { continue };
            let Op::Binary(op @ (crate::BinaryOp::Add | crate::BinaryOp::Sub), a, b) = f.insts[value].op else {
                continue;
            };
            let Op::Const(step) = f.insts[b].op else { continue };
            if !self.is_counter(f, a, l) {
                continue;
            }
            // No other store inside the loop.
            let mut inside = FxSet::default();
            for b in f.insts[v].op.blocks() {
                walk(f, b, &mut |w| {
                    inside.insert(w);
                });
            }
            let stores = self.written.get(&l)?.iter().filter(|w| inside.contains(w)).count();
            // Copies made of inner loops are not in the table; a counter of one is not a counter here.
            let now = inside
                .iter()
                .filter(|w| {
                    matches!(f.insts[**w].op, Op::Store { ptr, .. } if tracked(f, &self.provenance, ptr) == Some(l))
                })
                .count();
            if stores == 1 && now == 1 && inside.contains(&a) {
                return Some((l, (op, step)));
            }
        }
        None
    }

    fn is_counter(&self, f: &Function, v: ValueId, l: LocalId) -> bool {
        matches!(f.insts[v].op, Op::Load { ptr, .. } if tracked(f, &self.provenance, ptr) == Some(l))
    }

    /// Whether the test at the start of the body breaks the loop when the counter has this value.
    fn exits(&self, f: &Function, body: &Block, label: LabelId, counter: LocalId, value: u64) -> Option<bool> {
        for &v in &body.insts {
            match &f.insts[v].op {
                Op::If { condition, then, otherwise } => {
                    let breaks = |b: &Block| matches!(b.insts[..], [one] if f.insts[one].op == Op::Break(label));
                    let c = self.evaluate(f, *condition, counter, value, 0)?;
                    return match (breaks(then), breaks(otherwise)) {
                        (true, false) => Some(c & 1 != 0),
                        (false, true) => Some(c & 1 == 0),
                        _ => None,
                    };
                }
                Op::Load { .. } => {}
                op if super::remove_dead::is_removable(op) && !matches!(op, Op::Simd(..)) => {}
                _ => return None,
            }
        }
        None
    }

    fn evaluate(&self, f: &Function, v: ValueId, counter: LocalId, value: u64, depth: u32) -> Option<u64> {
        if depth > 16 {
            return None;
        }
        let next = |a: ValueId| self.evaluate(f, a, counter, value, depth + 1);
        let scalar = |a: ValueId| match self.types.get(f.insts[a].ty) {
            crate::Type::Scalar(s) => Some(*s),
            _ => None,
        };
        match &f.insts[v].op {
            Op::Const(bits) => Some(*bits),
            Op::Load { .. } if self.is_counter(f, v, counter) => Some(value),
            Op::Unary(op, a) => fold::unary(*op, scalar(*a)?, next(*a)?),
            Op::Binary(op, a, b) => fold::binary(*op, scalar(v)?, next(*a)?, next(*b)?),
            Op::Compare(op, a, b) => Some(fold::compare(*op, scalar(*a)?, next(*a)?, next(*b)?)),
            Op::Convert(a) => fold::convert(scalar(*a)?, scalar(v)?, next(*a)?),
            _ => None,
        }
    }

    /// Products of matrices in a loop.
    fn products(&self, f: &Function, v: ValueId) -> usize {
        let mut found = 0;
        for b in f.insts[v].op.blocks() {
            walk(f, b, &mut |w| found += usize::from(matches!(f.insts[w].op, Op::Simd(SimdOp::MatrixMultiply, _))));
        }
        found
    }

    fn indexes_private_array(&self, f: &Function, v: ValueId, counter: LocalId) -> bool {
        let mut found = false;
        for b in f.insts[v].op.blocks() {
            walk(f, b, &mut |w| {
                if let Op::IndexAddr { base, index } = f.insts[w].op {
                    let private = self.types.pointee(f.insts[base].ty).is_some_and(|(s, _)| s == AddressSpace::Thread)
                        && matches!(self.provenance.roots(base), [Root::Local(_)]);
                    found |= private && self.depends(f, index, counter, 0);
                }
            });
        }
        found
    }

    fn depends(&self, f: &Function, v: ValueId, counter: LocalId, depth: u32) -> bool {
        let mut found = self.is_counter(f, v, counter);
        if depth < 8 && !found {
            f.insts[v].op.for_each_operand(|a| found = found || self.depends(f, a, counter, depth + 1));
        }
        found
    }

    fn unroll(&mut self, f: &mut Function, v: ValueId, trips: usize, out: &mut Vec<ValueId>) {
        let Op::Loop { label, body, continuing, .. } = f.insts[v].op.clone() else { return };
        let span = f.insts[v].span;
        let before = f.insts.len();
        let outer = f.make_label();
        let mut copies = Vec::new();
        for _ in 0..trips {
            let inner = f.make_label();
            let mut map = Remap::default();
            map.labels.insert(label, outer);
            let copy = clone_list(None, f, &body.insts, &mut map);
            // `clone_list` gives `break` and `continue` the same label; tell them apart again.
            relabel_continues(f, &copy, outer, inner);
            copies.push(push(f, Op::Scope { label: inner, body: Block { insts: copy } }, self.void, span));
            // Values of the body are not visible in `continuing`.
            let mut map = Remap::default();
            map.labels.insert(label, outer);
            copies.extend(clone_list(None, f, &continuing.insts, &mut map));
        }
        self.grown += f.insts.len() - before;
        self.changed = true;
        out.push(push(f, Op::Scope { label: outer, body: Block { insts: copies } }, self.void, span));
    }
}

fn relabel_continues(f: &mut Function, list: &[ValueId], from: LabelId, to: LabelId) {
    for &v in list.iter() {
        if f.insts[v].op == Op::Continue(from) {
            f.insts[v].op = Op::Break(to);
        }
        for i in 0..nested_count(&f.insts[v].op) {
            let inner = take_nested(f, v, i);
            relabel_continues(f, &inner, from, to);
            put_nested(f, v, i, inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn a_loop_over_a_private_array_disappears() {
        let mut m = module(
            "fn k(%p: ptr<device, f32>) -> void {
               local i: u32
               local a: array<f32, 4>
               %i = local_addr i
               %a = local_addr a
               %zero: u32 = const 0
               %one: u32 = const 1
               %four: u32 = const 4
               store %i, %zero
               loop l {
                 %iv = load %i
                 %more = lt %iv, %four
                 if %more { } else { break l }
                 %q = ptr_offset %p, %iv
                 %x = load %q
                 %e = index_addr %a, %iv
                 store %e, %x
               } continuing {
                 %w = load %i
                 %next = add %w, %one
                 store %i, %next
               }
               %e1 = index_addr %a, %one
               %y = load %e1
               store %p, %y
             }
             kernel k = @k { p: buffer 0 device read_write f32 }",
        );
        let k = entry(&m);
        assert!(unroll_loops(&mut m, k, Growth::Moderate));
        super::super::pipeline::clean(&mut m, k);
        super::super::split_aggregates::split_aggregates(&mut m, k);
        super::super::pipeline::clean(&mut m, k);
        let t = text(&m, k);
        assert!(!t.contains("loop") && !t.contains("local_addr") && !t.contains("scope"), "{t}");
        assert_eq!(t.matches(" load ").count(), 1, "{t}");
    }

    /// A loop with a hint and 100 trips that adds up `size` numbers each time.
    fn hinted(size: usize) -> Module {
        let sums: String = (0..size).map(|k| format!("%s{k} = add %iv, %s{}\n", k.max(1) - 1)).collect();
        let sums = sums.replacen("%s0 = add %iv, %s0", "%s0 = add %iv, %one", 1);
        module(&format!(
            "fn k(%p: ptr<device, u32>) -> void {{
               local i: u32
               %i = local_addr i
               %zero: u32 = const 0
               %one: u32 = const 1
               %many: u32 = const 100
               store %i, %zero
               loop l unroll 0 {{
                 %iv = load %i
                 %more = lt %iv, %many
                 if %more {{ }} else {{ break l }}
                 {sums}
                 %q = ptr_offset %p, %iv
                 store %q, %s{}
               }} continuing {{
                 %w = load %i
                 %next = add %w, %one
                 store %i, %next
               }}
             }}
             kernel k = @k {{ p: buffer 0 device read_write u32 }}",
            size - 1
        ))
    }

    #[test]
    fn hints_are_followed_as_far_as_something_is_gained() {
        for (size, growth, is_unrolled) in
            [(40, Growth::Moderate, false), (40, Growth::Large, true), (200, Growth::Large, false)]
        {
            let mut m = hinted(size);
            let k = entry(&m);
            assert_eq!(unroll_loops(&mut m, k, growth), is_unrolled, "{size} {growth:?}");
        }
    }
}

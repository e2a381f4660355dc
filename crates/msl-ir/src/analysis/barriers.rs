//! Threadgroup barriers: the function as a tree of barrier-free *regions*.
//!
//! A target that runs the threads of a threadgroup one gang after the other runs each region
//! for all gangs, then goes on to the next. Control flow that contains barriers, and exits (`break`,
//! `continue`, `return`) that leave such control flow, stand outside of the regions: they are decided
//! once for the threadgroup. MSL requires their conditions to be the same for all threads.
//! Where that cannot be proven [`Barriers::diagnostics`] says so (`divergent-barrier`, a warning) and the target
//! should check it while running.
//!
//! A divergent `return` before a barrier stays inside its region ([`Region::may_return`]): later
//! regions run without the threads that returned.
//!
//! What lives from one region to another must be kept per thread, unless it is cheap to compute
//! again. Locals and values that are the same for the whole threadgroup need one copy only, where
//! [`CrossingLocal::single_copy`] says that running the regions gang by gang does not update it twice.

use msl_base::{Arena, Diagnostic, Id};

use super::bitset::BitSet;
use super::liveness::same_value_type;
use super::provenance::{LocalUse, Provenance, Root};
use super::tree::{BlockRef, Tree, nested_count};
use super::uniformity::{Split, Uniformity};
use crate::ir::{BarrierScope, Function, LocalId, Module, Op, ValueId};

msl_base::define_id!(
    /// A run of instructions without barriers.
    pub struct RegionId, "region"
);

#[derive(Clone, Debug)]
pub struct Region {
    pub block: BlockRef,
    /// Positions in the block.
    pub start: u32,
    pub end: u32,
    /// Everything in it is the same for all threads of the threadgroup, and it writes nothing but
    /// such locals: it may run once instead of once per gang.
    pub once: bool,
    /// Some threads may return in it.
    pub may_return: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Region(RegionId),
    Barrier(ValueId),
    /// An `if`, `loop`, `switch` or `scope` around barriers or exits, with the steps of its blocks.
    Control(ValueId, Vec<Vec<Step>>),
    /// A `break`, `continue`, `return` or `unreachable` taken by the whole threadgroup.
    Exit(ValueId),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossingValue {
    pub value: ValueId,
    /// The region that computes it.
    pub region: RegionId,
    /// The same for all threads of the threadgroup.
    pub uniform: bool,
    /// A short chain of pure operations on builtins, parameters and constants.
    pub rematerialize: bool,
    /// Decides control flow between regions.
    pub decides: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossingLocal {
    pub local: LocalId,
    /// What it holds is the same for all threads of the threadgroup.
    pub uniform: bool,
    /// Uniform, and each region that writes it either runs once or does not read what it held before.
    pub single_copy: bool,
}

#[derive(Clone, Debug)]
pub struct Barriers {
    pub regions: Arena<RegionId, Region>,
    pub steps: Vec<Step>,
    pub values: Vec<CrossingValue>,
    /// The locals that hold something from one region to another. All others can live in the registers of one gang.
    pub locals: Vec<CrossingLocal>,
    pub diagnostics: Vec<Diagnostic>,
    contains: BitSet,
    home: Vec<Option<RegionId>>,
}

/// Recomputing a value is cheaper than keeping it up to so many operations.
const REMATERIALIZE_LIMIT: u32 = 8;

impl Barriers {
    /// `threadgroup` is the uniformity under [`GangLayout::threadgroup`](super::GangLayout::threadgroup).
    pub fn new(
        module: &Module,
        function: &Function,
        tree: &Tree,
        provenance: &Provenance,
        threadgroup: &Uniformity,
    ) -> Barriers {
        let mut b = Builder {
            module,
            function,
            tree,
            provenance,
            uniformity: threadgroup,
            structural: BitSet::new(function.insts.len()),
            out: Barriers {
                regions: Arena::new(),
                steps: Vec::new(),
                values: Vec::new(),
                locals: Vec::new(),
                diagnostics: Vec::new(),
                contains: BitSet::new(function.insts.len()),
                home: vec![None; function.insts.len()],
            },
        };
        b.find_barriers();
        b.find_structural();
        b.out.steps = b.steps(BlockRef::BODY);
        b.crossing_values();
        b.crossing_locals();
        b.diagnose();
        b.out
    }

    /// Whether the function has a threadgroup barrier at all.
    pub fn any(&self) -> bool {
        self.contains.iter().next().is_some()
    }
    /// Whether an instruction is, or holds, a threadgroup barrier.
    pub fn contains_barrier(&self, v: ValueId) -> bool {
        self.contains.contains(v.index())
    }
    /// The region that an instruction belongs to; `None` for barriers and for control between regions.
    pub fn region_of(&self, v: ValueId) -> Option<RegionId> {
        self.home.get(v.index()).copied().flatten()
    }
}

struct Builder<'a> {
    module: &'a Module,
    function: &'a Function,
    tree: &'a Tree,
    provenance: &'a Provenance,
    uniformity: &'a Uniformity,
    /// Instructions that stand between regions.
    structural: BitSet,
    out: Barriers,
}

impl Builder<'_> {
    fn find_barriers(&mut self) {
        for &v in self.tree.order() {
            if matches!(self.function.insts[v].op, Op::Barrier { scope: BarrierScope::Threadgroup, .. }) {
                self.out.contains.insert(v.index());
                for block in self.tree.ancestors(v) {
                    if let Some(owner) = block.owner {
                        self.out.contains.insert(owner.index());
                    }
                }
            }
        }
    }

    fn find_structural(&mut self) {
        self.structural = self.out.contains.clone();
        if !self.out.any() {
            return;
        }
        loop {
            let mut changed = false;
            for &v in self.tree.order() {
                let target = match &self.function.insts[v].op {
                    Op::Break(label) | Op::Continue(label) => match self.tree.label(*label) {
                        Some(c) if self.structural.contains(c.index()) => Some(c),
                        _ => continue,
                    },
                    Op::Return(_) => {
                        // A return that all threads take together, through nothing but branches.
                        let mut inner = self.tree.ancestors(v).filter_map(|b| b.owner);
                        let plain = inner.all(|o| {
                            self.out.contains.contains(o.index())
                                || (matches!(self.function.insts[o].op, Op::If { .. })
                                    && self.uniformity.split(o) == Split::None)
                        });
                        if !plain || self.uniformity.split(v) != Split::None {
                            continue;
                        }
                        None
                    }
                    _ => continue,
                };
                changed |= self.structural.insert(v.index());
                for block in self.tree.ancestors(v) {
                    if block.owner == target {
                        break;
                    }
                    if let Some(owner) = block.owner {
                        changed |= self.structural.insert(owner.index());
                    }
                }
            }
            if !changed {
                return;
            }
        }
    }

    fn steps(&mut self, block: BlockRef) -> Vec<Step> {
        let function = self.function;
        let mut steps = Vec::new();
        let mut start = None;
        let list = &block.of(function).insts;
        for (i, &v) in list.iter().enumerate() {
            if !self.structural.contains(v.index()) {
                start.get_or_insert(i);
                continue;
            }
            if let Some(s) = start.take() {
                steps.push(self.region(block, s, i));
            }
            let count = nested_count(&function.insts[v].op);
            steps.push(if count > 0 {
                Step::Control(v, (0..count).map(|i| self.steps(BlockRef::new(v, i))).collect())
            } else if function.insts[v].op.is_terminator() {
                Step::Exit(v)
            } else {
                Step::Barrier(v)
            });
        }
        if let Some(s) = start {
            steps.push(self.region(block, s, list.len()));
        }
        steps
    }

    fn region(&mut self, block: BlockRef, start: usize, end: usize) -> Step {
        let id = self.out.regions.next_id();
        let mut once = true;
        let mut may_return = false;
        for &top in &block.of(self.function).insts[start..end] {
            for &v in std::iter::once(&top).chain(self.tree.inside(top)) {
                self.out.home[v.index()] = Some(id);
                once &= self.is_once(v);
                may_return |= matches!(self.function.insts[v].op, Op::Return(_));
            }
        }
        let once = once && !may_return;
        let region = Region { block, start: start as u32, end: end as u32, once, may_return };
        Step::Region(self.out.regions.push(region))
    }

    fn is_once(&self, v: ValueId) -> bool {
        let inst = &self.function.insts[v];
        match &inst.op {
            Op::Store { ptr, .. } => {
                let roots = self.provenance.roots(*ptr);
                !roots.is_empty()
                    && roots.iter().all(|r| matches!(r, Root::Local(l) if self.uniformity.local(*l).is_uniform()))
            }
            Op::Copy { .. }
            | Op::Atomic { .. }
            | Op::CompareExchange { .. }
            | Op::Fence { .. }
            | Op::Barrier { .. }
            | Op::Simd(..)
            | Op::Log { .. }
            | Op::Trap(_)
            | Op::Call { .. } => false,
            Op::If { .. } | Op::Switch { .. } | Op::Break(_) | Op::Continue(_) => {
                self.uniformity.split(v) == Split::None
            }
            _ => self.uniformity.shape(v).is_uniform(),
        }
    }

    fn crossing_values(&mut self) {
        for &v in self.tree.order() {
            let Some(region) = self.out.home[v.index()] else { continue };
            let mut crosses = false;
            let mut decides = false;
            for u in self.tree.uses(v) {
                match self.out.home[u.index()] {
                    Some(r) => crosses |= r != region,
                    None => {
                        crosses = true;
                        decides = true;
                    }
                }
            }
            if crosses {
                let uniform = self.uniformity.shape(v).is_uniform();
                let mut budget = REMATERIALIZE_LIMIT;
                let rematerialize = self.is_cheap(v, &mut budget);
                self.out.values.push(CrossingValue { value: v, region, uniform, rematerialize, decides });
            }
        }
    }

    fn is_cheap(&self, v: ValueId, budget: &mut u32) -> bool {
        let op = &self.function.insts[v].op;
        let cost = match op {
            Op::Const(_) | Op::Undef | Op::Param(_) | Op::LocalAddr(_) | Op::GlobalAddr(_) | Op::Builtin(_) => 0,
            Op::Splat(_)
            | Op::Compose(_)
            | Op::Extract { .. }
            | Op::Insert { .. }
            | Op::Shuffle { .. }
            | Op::Compare(..)
            | Op::Select { .. }
            | Op::Fma(..)
            | Op::Convert(_)
            | Op::Bitcast(_)
            | Op::FieldAddr { .. }
            | Op::IndexAddr { .. }
            | Op::PtrOffset { .. }
            | Op::PtrCast(_)
            | Op::AssumeValid(_) => 1,
            Op::Unary(op, _) => match op {
                crate::UnaryOp::Sqrt | crate::UnaryOp::Rsqrt => return false,
                _ => 1,
            },
            Op::Binary(op, ..) => match op {
                crate::BinaryOp::Div | crate::BinaryOp::Rem => return false,
                _ => 1,
            },
            _ => return false,
        };
        if *budget < cost {
            return false;
        }
        *budget -= cost;
        let mut cheap = true;
        op.for_each_operand(|a| cheap = cheap && self.is_cheap(a, budget));
        cheap
    }

    fn reads_local(&self, v: ValueId, l: LocalId) -> bool {
        let reads = |ptr: ValueId| self.provenance.roots(ptr).contains(&Root::Local(l));
        match &self.function.insts[v].op {
            Op::Load { ptr, .. } | Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => reads(*ptr),
            Op::Copy { src, .. } => reads(*src),
            Op::Call { args, .. } => args.iter().any(|a| reads(*a)),
            _ => false,
        }
    }

    fn writes_local(&self, v: ValueId, l: LocalId) -> bool {
        let writes = |ptr: ValueId| self.provenance.roots(ptr).contains(&Root::Local(l));
        match &self.function.insts[v].op {
            Op::Store { ptr, .. } | Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => writes(*ptr),
            Op::Copy { dst, .. } => writes(*dst),
            Op::Call { args, .. } => args.iter().any(|a| writes(*a)),
            _ => false,
        }
    }

    /// Whether a region may read what a local held before the region, and whether it writes it.
    fn exposure(&self, region: &Region, l: LocalId) -> (bool, bool) {
        let mut exposed = false;
        let mut written = false;
        let mut killed = false;
        for &top in &region.block.of(self.function).insts[region.start as usize..region.end as usize] {
            for &v in std::iter::once(&top).chain(self.tree.inside(top)) {
                exposed |= !killed && self.reads_local(v, l);
                written |= self.writes_local(v, l);
            }
            // A store under a condition, or to a part, leaves something of what was there.
            if let Op::Store { ptr, value, .. } = self.function.insts[top].op
                && matches!(self.function.insts[ptr].op, Op::LocalAddr(a) if a == l)
                && same_value_type(&self.module.types, self.function.locals[l].ty, self.function.insts[value].ty)
            {
                killed = true;
            }
        }
        (exposed, written)
    }

    fn crossing_locals(&mut self) {
        if self.out.regions.len() < 2 {
            return;
        }
        // Only the regions that mention a local matter to it.
        let mut mentions: Vec<BitSet> = vec![BitSet::default(); self.function.locals.len()];
        for &v in self.tree.order() {
            let Some(region) = self.out.home[v.index()] else { continue };
            self.function.insts[v].op.for_each_operand(|a| {
                for r in self.provenance.roots(a) {
                    if let Root::Local(l) = r {
                        mentions[l.index()].insert(region.index());
                    }
                }
            });
        }
        for l in self.function.locals.ids() {
            let facts: Vec<(RegionId, bool, bool)> = mentions[l.index()]
                .iter()
                .map(|r| {
                    let id = RegionId::from_index(r);
                    let (exposed, written) = self.exposure(&self.out.regions[id], l);
                    (id, exposed, written)
                })
                .collect();
            let repeats = |r: RegionId| {
                let mut at = self.out.regions[r].block.owner;
                while let Some(v) = at {
                    if matches!(self.function.insts[v].op, Op::Loop { .. }) {
                        return true;
                    }
                    at = self.tree.parent(v);
                }
                false
            };
            let escapes = self.provenance.local_use(l) == LocalUse::Escapes;
            let crosses = facts.iter().any(|(r, exposed, _)| {
                *exposed && facts.iter().any(|(s, _, written)| *written && (r != s || repeats(*r)))
            });
            if !crosses && !escapes {
                continue;
            }
            let uniform = !escapes && self.uniformity.local(l).is_uniform();
            let single_copy = uniform
                && facts.iter().all(|(r, exposed, written)| !*written || !*exposed || self.out.regions[*r].once);
            self.out.locals.push(CrossingLocal { local: l, uniform, single_copy });
        }
    }

    fn diagnose(&mut self) {
        let divergence = self.uniformity.divergence();
        for &v in self.tree.order() {
            let inst = &self.function.insts[v];
            if !matches!(inst.op, Op::Barrier { scope: BarrierScope::Threadgroup, .. }) || divergence.is_full(v) {
                continue;
            }
            let message = "not all threads of the threadgroup may reach this barrier";
            let mut d = Diagnostic::warning("divergent-barrier", inst.span, message);
            if divergence.is_full_of_remaining(v) {
                d = d.note("some threads may return before it");
            } else if let Some(branch) =
                self.tree.ancestors(v).filter_map(|b| b.owner).find(|o| {
                    self.uniformity.split(*o) != Split::None || self.uniformity.label_split(*o) != Split::None
                })
            {
                let what = match self.function.insts[branch].op {
                    Op::Loop { .. } => "threads may leave this loop at different times",
                    Op::Scope { .. } => "threads may leave this block at different places",
                    _ => "threads may take different branches here",
                };
                d = d.note_at(self.function.insts[branch].span, what);
            }
            let help = "move the barrier to where all threads execute it";
            self.out.diagnostics.push(d.help(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{GangLayout, Liveness};
    use super::*;
    use crate::passes::testing::{entry, find, local, module};

    const REDUCE: &str = "
        global tile: array<f32, 64> threadgroup
        fn reduce(%in: ptr<device, f32>, %out: ptr<device, f32>) -> void {
          local stride: u32
          %gid = builtin thread_position_in_grid
          %i = extract %gid, 0
          %lid = builtin thread_index_in_threadgroup
          %tile = global_addr @tile
          %mine = index_addr %tile, %lid
          %pin = ptr_offset %in, %i
          %x = load %pin
          store %mine, %x
          barrier threadgroup [threadgroup]
          %stride = local_addr stride
          %s0: u32 = const 32
          store %stride, %s0
          %zero: u32 = const 0
          %one: u32 = const 1
          loop halve {
            %s = load %stride
            %done = eq %s, %zero
            if %done { break halve }
            %active = lt %lid, %s
            if %active {
              %j = add %lid, %s
              %other = index_addr %tile, %j
              %u = load %mine
              %v = load %other
              %w = add %u, %v
              store %mine, %w
            }
            barrier threadgroup [threadgroup]
          } continuing {
            %s1 = load %stride
            %s2 = shr %s1, %one
            store %stride, %s2
          }
          %first = eq %lid, %zero
          if %first {
            %gp = builtin threadgroup_position_in_grid
            %g = extract %gp, 0
            %po = ptr_offset %out, %g
            %total = load %mine
            store %po, %total
          }
        }
        kernel reduce = @reduce { in: buffer 0 device read f32  out: buffer 1 device read_write f32 }";

    fn barriers(m: &Module) -> Barriers {
        let f = &m.functions[entry(m)];
        let tree = Tree::new(f);
        let p = Provenance::new(m, f);
        let l = Liveness::new(m, f, &p);
        let u = Uniformity::new(m, f, &tree, &p, &l, &GangLayout::threadgroup(Some([64, 1, 1])));
        Barriers::new(m, f, &tree, &p, &u)
    }

    #[test]
    fn a_reduction_splits_at_its_barriers_and_keeps_the_loop_outside() {
        let m = module(REDUCE);
        let f = entry(&m);
        let b = barriers(&m);
        assert!(b.diagnostics.is_empty(), "{:?}", b.diagnostics);
        assert!(matches!(
            &b.steps[..],
            [Step::Region(_), Step::Barrier(_), Step::Region(_), Step::Control(..), Step::Region(_)]
        ));
        let Step::Control(_, blocks) = &b.steps[3] else { unreachable!() };
        // The test and the branch of the loop, the body, the barrier; then the step.
        assert!(
            matches!(&blocks[0][..], [Step::Region(_), Step::Control(..), Step::Region(_), Step::Barrier(_)]),
            "{blocks:?}"
        );
        assert!(matches!(&blocks[1][..], [Step::Region(r)] if b.regions[*r].once));
        let stride = local(&m, f, "stride");
        assert_eq!(b.locals, [CrossingLocal { local: stride, uniform: true, single_copy: true }]);
        let mine = b.values.iter().find(|c| c.value == find(&m, f, "index_addr", 0)).unwrap();
        assert!(mine.rematerialize && !mine.uniform);
        let done = b.values.iter().find(|c| c.value == find(&m, f, "eq ", 0)).unwrap();
        assert!(done.uniform && done.decides);
    }

    #[test]
    fn a_barrier_under_a_varying_branch_is_reported() {
        let m = module(
            "fn k() -> void {
               %lid = builtin thread_index_in_threadgroup
               %one: u32 = const 1
               %c = lt %lid, %one
               if %c { barrier threadgroup [threadgroup] }
             }
             kernel k = @k { }",
        );
        let b = barriers(&m);
        assert_eq!(b.diagnostics.len(), 1);
        assert_eq!(b.diagnostics[0].id, "divergent-barrier");
        let m = module(
            "fn k() -> void {
               %lid = builtin thread_index_in_threadgroup
               %one: u32 = const 1
               %c = lt %lid, %one
               if %c { return }
               barrier threadgroup [threadgroup]
             }
             kernel k = @k { }",
        );
        let b = barriers(&m);
        assert_eq!(b.diagnostics.len(), 1);
        assert!(b.regions.values().next().unwrap().may_return);
    }
}

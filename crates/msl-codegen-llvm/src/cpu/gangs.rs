//! How many threads run in step.
//!
//! In: a version of a kernel with what is known of its variables. Out: its gang, the layout of threads in
//! lanes and the flow that follow from it, and what kept the gang from being larger. A gang is a simdgroup
//! by default. It is larger where control flow is the same for all of its threads and the vectors that are
//! live in loops still fit the registers, so that what the threads share is loaded once for more of them. It is
//! smaller where the vectors of a simdgroup do not fit and nobody can tell its threads apart from others.

use std::collections::HashSet;

use msl_base::Id;
use msl_ir::{AddressSpace, Block, Builtin, Function, LocalId, Module, Op, ValueId};

use super::layout::Layout;
use crate::compiler::CompileOptions;
use crate::emit::flow::{Flow, Gangs, analyze};
use crate::emit::live::{Liveness, Places};
use crate::emit::shape::{ALL, P, Root, Shape};
use crate::emit::value::Gang;
use crate::target::Target;

/// The shapes of a layout, for the analysis.
struct GangShapes<'a> {
    layout: Layout,
    is_split: bool,
    read_only: &'a HashSet<Root>,
}

impl Gangs for GangShapes<'_> {
    fn gang(&self) -> Gang {
        self.layout.gang
    }
    fn builtin(&self, b: Builtin) -> [Shape; 3] {
        self.layout.builtin(b)
    }
    fn simdgroup_uniform(&self) -> Shape {
        self.layout.simdgroup_uniform()
    }
    fn varying(&self) -> Shape {
        Shape::of(ALL)
    }
    fn is_split(&self) -> bool {
        self.is_split
    }
    fn starts_full(&self) -> bool {
        self.layout.is_full()
    }
    fn is_read_only(&self, root: Root) -> bool {
        self.read_only.contains(&root)
    }
}

pub fn any_inst(f: &Function, b: &Block, test: &dyn Fn(ValueId, &Op) -> bool) -> bool {
    find_inst(f, b, test).is_some()
}

pub fn find_inst(f: &Function, b: &Block, test: &dyn Fn(ValueId, &Op) -> bool) -> Option<ValueId> {
    b.insts.iter().find_map(|id| {
        let op = &f.insts[*id].op;
        if test(*id, op) { Some(*id) } else { op.blocks().iter().find_map(|b| find_inst(f, b, test)) }
    })
}

/// Whether a kernel asks for the number of a thread in its threadgroup or simdgroup. At the edges of a
/// grid those count only threads that exist; else lanes can stay in the rows of a full threadgroup.
pub fn counts_threads(f: &Function) -> bool {
    any_inst(f, &f.body, &|_, op| match op {
        Op::Builtin(b) => matches!(
            b,
            Builtin::ThreadIndexInThreadgroup
                | Builtin::ThreadIndexInSimdgroup
                | Builtin::SimdgroupIndexInThreadgroup
                | Builtin::ThreadIndexInQuadgroup
                | Builtin::QuadgroupIndexInThreadgroup
        ),
        Op::Simd(..) => true,
        _ => false,
    })
}

/// A version of a kernel for which gangs are chosen.
pub struct Kernel<'a> {
    pub module: &'a Module,
    pub f: &'a Function,
    pub places: &'a Places,
    pub live: &'a Liveness,
    pub target: &'a Target,
    pub options: &'a CompileOptions,
    pub read_only: &'a HashSet<Root>,
}

/// A gang and what follows from it.
pub struct Choice {
    pub gang: Gang,
    pub flow: Flow,
    pub layout: Layout,
    pub is_split: bool,
}

/// What kept a gang from being larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GangLimit {
    /// The caller chose.
    Requested,
    /// There is no loop or barrier.
    NothingToShare,
    /// There are loops, but what they read is different for all threads, and they have enough to do for each.
    NothingShared,
    /// An instruction that is best done for one simdgroup at a time.
    Costly(ValueId),
    /// Threads of a larger gang would part here.
    Diverges(ValueId),
    /// The threadgroup has no more threads, or does not divide evenly.
    Threadgroup,
    Registers {
        wanted: u32,
        have: u32,
    },
    /// The same of one simdgroup, which is run in pieces.
    SimdgroupRegisters {
        wanted: u32,
        have: u32,
    },
    /// It has many vector operations as it is.
    Size,
    Most,
}

/// How many vector operations gangs in lock step may come to: kernels with more have enough to do
/// between the loads they would share, and take long to compile.
const MOST_VECTORS: u32 = 400;

/// Vectors of a gang that was made small for the registers: one has the next instruction while the other waits.
const LEAST_PARTS: u32 = 2;

/// Whether the kernel is the same however its threads are put together: nothing is done by simdgroups, and nothing is
/// handed from thread to thread.
fn is_indifferent(module: &Module, f: &Function) -> bool {
    let in_threadgroup =
        |v: ValueId| module.types.pointee(f.insts[v].ty).is_some_and(|(space, _)| space == AddressSpace::Threadgroup);
    !counts_threads(f)
        && !any_inst(f, &f.body, &|_, op| {
            let mut exchanges = matches!(op, Op::Barrier { .. } | Op::Simd(..));
            op.for_each_operand(|v| exchanges |= in_threadgroup(v));
            exchanges
        })
}

/// How many threads run in step: see the head of this module.
pub fn choose_gang(kernel: &Kernel, edge: bool) -> (Choice, GangLimit) {
    let Kernel { module, f, places, live, target, options, read_only } = *kernel;
    let lanes = target.lanes;
    let base = 32 / lanes;
    let packed = counts_threads(f);
    let has_barrier =
        any_inst(f, &f.body, &|_, op| matches!(op, Op::Barrier { scope: msl_ir::BarrierScope::Threadgroup, .. }));
    let attempt = |parts: u32| {
        let gang = Gang { lanes, parts };
        let layout = Layout::new(gang, options.threadgroup, edge, packed);
        let is_split = has_barrier && layout.gangs > 1;
        let shapes = GangShapes { layout, is_split, read_only };
        let flow = analyze(module, f, places, live, &shapes);
        Choice { gang, flow, layout, is_split }
    };
    let threads: u32 = options.threadgroup.iter().product();
    let first = attempt(base);
    let least = if is_indifferent(module, f) { LEAST_PARTS.min(base) } else { base };
    let wanted = options.parts.map(|p| p.next_power_of_two().clamp(least, 64));
    if edge || wanted == Some(base) {
        return (first, GangLimit::Requested);
    }
    if let Some(p) = wanted {
        return (attempt(p), GangLimit::Requested);
    }
    let has_loop = any_inst(f, &f.body, &|_, op| matches!(op, Op::Loop { .. }));
    let parts_ways =
        |flow: &Flow| find_inst(f, &f.body, &|id, _| flow.divergent[id.index()] || flow.masked_exit[id.index()]);
    let costly = parts_ways(&first.flow).or_else(|| {
        find_inst(f, &f.body, &|_, op| {
            matches!(
                op,
                Op::Simd(..)
                    | Op::Atomic { .. }
                    | Op::CompareExchange { .. }
                    | Op::Barrier { scope: msl_ir::BarrierScope::Simdgroup, .. }
            )
        })
    });
    if !(has_loop || has_barrier) {
        return (first, GangLimit::NothingToShare);
    }
    let budget = if target.vector_registers == 32 { 26 } else { 13 };
    let wanted = pressure(module, f, &first.flow, &f.body, base);
    if wanted > budget {
        let smaller =
            std::iter::successors(Some(base / 2), |parts| Some(parts / 2)).take_while(|parts| *parts >= least);
        for t in smaller.map(attempt) {
            if pressure(module, f, &t.flow, &f.body, t.gang.parts) <= budget {
                return (t, GangLimit::SimdgroupRegisters { wanted, have: budget });
            }
        }
    }
    if let Some(at) = costly {
        return (first, GangLimit::Costly(at));
    }
    let vectors =
        first.flow.shapes.iter().filter(|s| s.c.iter().any(|s| s.lanes() && s.linear.is_none())).count() as u32;
    let mut best = first;
    // Larger gangs gain where what they read is the same for more threads, where one of them has the next instruction
    // while others wait for a result, and where barriers disappear.
    let gains = |t: &Choice| (has_barrier && !t.is_split) || shares(f, places, &t.flow, &f.body);
    let mut has_gain = are_short(f, &best.flow, &f.body);
    let limited = |limit, has_gain| if has_gain { limit } else { GangLimit::NothingShared };
    for parts in [32 / lanes * 2, 32 / lanes * 4, 32 / lanes * 8] {
        let n = parts * lanes;
        if n > threads || !threads.is_multiple_of(n) {
            return (best, limited(GangLimit::Threadgroup, has_gain));
        }
        if vectors * (parts / base) > MOST_VECTORS {
            return (best, limited(GangLimit::Size, has_gain));
        }
        let t = attempt(parts);
        if let Some(at) = parts_ways(&t.flow) {
            return (best, limited(GangLimit::Diverges(at), has_gain));
        }
        let alive = pressure(module, f, &t.flow, &f.body, parts);
        if alive > budget {
            return (best, limited(GangLimit::Registers { wanted: alive, have: budget }, has_gain));
        }
        has_gain |= gains(&t);
        if has_gain {
            best = t;
        }
    }
    (best, limited(GangLimit::Most, has_gain))
}

/// Whether a loop reads what is the same for all parts of the gang.
fn shares(f: &Function, places: &Places, flow: &Flow, block: &Block) -> bool {
    find_inst(f, block, &|_, op| {
        let Op::Loop { body, .. } = op else { return false };
        any_inst(f, body, &|_, op| match op {
            Op::Load { ptr, .. } if places.get(*ptr).is_none() => flow.shapes[ptr.index()].bits() & P == 0,
            _ => false,
        })
    })
    .is_some()
}

/// Vector operations of loops whose results one simdgroup would wait for.
const FEW: u32 = 24;

/// Whether the loops have few operations for each thread.
fn are_short(f: &Function, flow: &Flow, block: &Block) -> bool {
    let is_vector = |v: ValueId| flow.shapes[v.index()].c.iter().any(|s| s.lanes() && s.linear.is_none());
    let mut inside = HashSet::new();
    for id in &block.insts {
        if let Op::Loop { body, .. } = &f.insts[*id].op {
            collect(f, body, &mut inside, &mut HashSet::new());
        }
    }
    inside.into_iter().filter(|v| is_vector(*v)).count() as u32 <= FEW
}

/// Vectors alive around the innermost loops: varying locals at the head and one of what the body
/// computes at a time.
fn pressure(module: &Module, f: &Function, flow: &Flow, block: &Block, parts: u32) -> u32 {
    let mut most = 0;
    for id in &block.insts {
        let op = &f.insts[*id].op;
        for b in op.blocks() {
            most = most.max(pressure(module, f, flow, b, parts));
        }
        if let Op::Loop { body, .. } = op {
            let copies = |s: &Shape| {
                if !s.lanes() || s.linear.is_some() {
                    0
                } else if s.parts() {
                    parts
                } else {
                    1
                }
            };
            let mut sum = 2;
            if let Some(state) = flow.states.get(&(*id, crate::emit::flow::Point::Head)) {
                for (i, s) in state.iter().enumerate() {
                    let ty = f.locals[LocalId::from_index(i)].ty;
                    let n = usize::from(module.types.component_count(ty));
                    if let Some(s) = s {
                        sum += s.c[..n.min(4)].iter().map(copies).sum::<u32>();
                    }
                }
            }
            // Values from outside of the loop that it reads.
            let mut inside = HashSet::new();
            let mut outside = HashSet::new();
            collect(f, body, &mut inside, &mut outside);
            for v in outside.difference(&inside) {
                let ty = f.insts[*v].ty;
                let n = usize::from(module.types.component_count(ty));
                if module.types.pointee(ty).is_none() && !matches!(f.insts[*v].op, Op::Const(_)) {
                    sum += flow.shapes[v.index()].c[..n.min(4)].iter().map(copies).sum::<u32>();
                }
            }
            most = most.max(sum);
        }
    }
    most
}

fn collect(f: &Function, b: &Block, inside: &mut HashSet<ValueId>, outside: &mut HashSet<ValueId>) {
    for id in &b.insts {
        inside.insert(*id);
        f.insts[*id].op.for_each_operand(|v| {
            outside.insert(v);
        });
        for b in f.insts[*id].op.blocks() {
            collect(f, b, inside, outside);
        }
    }
}

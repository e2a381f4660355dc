//! The function around a kernel: arguments, the loop over the threadgroups of a range, a few versions
//! of the body, and in each the loop over gangs. See [`crate::abi`] for the contract with the host.
//!
//! One version is for full threadgroups and one for the smaller ones at the edges of the grid. Where
//! threads guard what they do ([`super::guards`]), the first is specialized for threadgroups in which
//! all threads pass, and the second, which has masks anyway, runs the others too.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};

use msl_base::Id;
use msl_ir::passes::assume_conditions::assume_conditions;
use msl_ir::{
    Access, AddressSpace, Block, Builtin, EntryPoint, Function, GlobalId, LocalId, Module, Op, ParamKind, Scalar,
    ValueId,
};

use super::access::Scopes;
use super::control::Frame;
use super::guards::Start;
use super::layout::{Layout, Rows};
use super::locals::Storage;
use super::masks::Mask;
use crate::CodegenError;
use crate::abi;
use crate::compiler::{CompileOptions, FaultSite, Groups};
use crate::emit::arith;
use crate::emit::flow::{Flow, Gangs, State, analyze};
use crate::emit::live::{Liveness, Places};
use crate::emit::shape::{ALL, Root, Shape};
use crate::emit::value::{Comp, Gang, Val};
use crate::llvm::{B, Ll, V};
use crate::remarks::Remarks;
use crate::target::Target;

/// An argument as loaded at the start of the kernel.
#[derive(Clone)]
pub struct Arg {
    pub pointer: V,
    pub address: V,
    pub length: V,
}

/// Scratch memory, handed out from the start; threadgroup memory sized by the host comes last.
#[derive(Default)]
pub struct Scratch {
    pub size: u64,
}

impl Scratch {
    pub fn take(&mut self, size: u64, align: u64) -> u64 {
        let at = self.size.next_multiple_of(align.max(1));
        self.size = at + size;
        at
    }
}

/// What the emission of a kernel learned.
#[derive(Default)]
pub struct Body {
    pub sites: Vec<FaultSite>,
    /// Has code for all threadgroups.
    pub covers_all: bool,
    pub scratch: u64,
    pub static_threadgroup: u64,
    pub gang: u32,
    pub gangs: u32,
    pub is_split: bool,
    /// Lanes of a vector.
    pub lanes: u32,
}

/// The emitter of one version of a kernel's body.
pub struct Emit<'a> {
    pub ll: &'a Ll,
    pub target: &'a Target,
    pub module: &'a Module,
    pub f: &'a Function,
    pub entry: &'a EntryPoint,
    pub places: &'a Places,
    pub flow: &'a Flow,
    pub layout: Layout,
    pub gang: Gang,
    pub is_split: bool,
    pub noalias: bool,
    /// By value: how many operands it is.
    pub uses: &'a [u32],
    pub wide: super::wide::Wide,
    pub read_only_roots: &'a HashSet<Root>,
    pub scopes: &'a Scopes,

    // The launch.
    pub context: V,
    pub scratch: V,
    pub args: &'a [Arg],
    pub grid: [V; 3],
    pub groups: [V; 3],
    pub group: [V; 3],
    pub group_size: [V; 3],
    /// Whether buffers that are only written are too large for the caches.
    pub streams: V,
    /// Set when a store was emitted that must be waited for.
    pub did_stream: &'a Cell<bool>,
    pub shared_globals: &'a HashMap<GlobalId, u64>,
    pub shared_start: u64,
    pub shared_size: V,
    pub constants: &'a RefCell<HashMap<GlobalId, V>>,
    pub plan: &'a mut Scratch,
    pub sites: &'a mut Vec<FaultSite>,
    /// Set in the number of every site.
    pub site_flag: u32,
    /// Who wants to know what is decided, if anybody does.
    pub remarks: Option<&'a Remarks>,

    // The gang.
    pub gang_index: V,
    pub linear_index: Comp,
    pub positions: Vec<Comp>,
    pub entry_mask: Mask,
    /// Memory of locals that are not promoted.
    pub private_layout: HashMap<LocalId, u64>,
    pub private_size: u64,
    pub private_segment: V,
    pub separate_locals: bool,
    pub private_slots: RefCell<HashMap<LocalId, V>>,

    // The point reached.
    pub vals: Vec<Option<Val>>,
    pub storage: Vec<Storage>,
    pub captured: HashMap<(ValueId, LocalId), usize>,
    pub state: State,
    pub mask: Mask,
    pub frames: Vec<Frame>,
    /// Where a return of all lanes goes.
    pub end: B,
    pub regions: super::regions::Regions,
    pub slow_buffers: RefCell<HashMap<(u8, u64), V>>,
    /// Accesses known to be within bounds where code is being emitted.
    pub unchecked: HashMap<ValueId, super::hoist::Known>,
}

/// The shapes of a layout, for the analysis.
struct GangShapes<'a> {
    layout: Layout,
    is_split: bool,
    read_only: &'a HashSet<Root>,
}

impl Gangs for GangShapes<'_> {
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

/// One of the bodies of a kernel: the function, with what is known of it, and the threadgroups it is for.
struct Version {
    /// Differs from the kernel's own where conditions are taken for granted.
    module: Option<Module>,
    edge: bool,
    name: &'static str,
}

/// Emits the entry function `name`.
pub fn emit_kernel(
    ll: &Ll,
    target: &Target,
    module: &Module,
    entry: &EntryPoint,
    options: &CompileOptions,
    name: &str,
    remarks: Option<&Remarks>,
) -> Result<Body, CodegenError> {
    let f = &module.functions[entry.function];
    let places = Places::find(f, &module.types);
    let read_only = read_only_roots(module, entry, options);
    let scopes = Scopes::new(ll, entry.params.len());
    let constants = RefCell::default();
    let mut out = Body::default();

    let ty = ll.fn_type(ll.void(), &[ll.ptr(), ll.int(64), ll.int(64), ll.ptr()]);
    let function = ll.add_function(name, ty, false);
    target.function_attributes(ll, function);
    for i in [1, 4] {
        ll.attr_at(function, i, "noalias");
    }
    let (context, first, last, scratch) =
        (ll.param(function, 0), ll.param(function, 1), ll.param(function, 2), ll.param(function, 3));
    let allocas = ll.block(function, "allocas");
    let start = ll.block(function, "start");
    ll.at_end(start);

    // Threadgroup memory: variables first, then the parameters the host sizes, last of all.
    let mut plan = Scratch::default();
    plan.take(abi::header::SIZE, 64);
    let mut shared_globals = HashMap::new();
    let shared_start = plan.size;
    for (id, g) in module.globals.iter() {
        if g.space == AddressSpace::Threadgroup {
            let at = plan.take(module.types.size_of(g.ty), u64::from(g.align.max(16)));
            shared_globals.insert(id, at);
        }
    }
    out.static_threadgroup = plan.size - shared_start;

    // Arguments.
    let table = ll.load(ll.ptr(), ll.gep_const(context, abi::offset::ARGUMENTS), 8);
    let mut args = Vec::new();
    let invariant = |v: V| {
        ll.set_md(v, "invariant.load", ll.md_node(&[]));
        v
    };
    // The end of static scratch is only known after the bodies: a global constant stands for it.
    let dynamic_start = ll.alloca(ll.int(64), 8);
    let mut dynamic = Vec::new();
    for (i, p) in entry.params.iter().enumerate() {
        let slot = ll.gep_const(table, i as u64 * 16);
        let address = invariant(ll.load(ll.int(64), slot, 8));
        let length = invariant(ll.load(ll.int(64), ll.gep_const(slot, 8), 8));
        let pointer = ll.int_to_ptr(address);
        if matches!(p.kind, ParamKind::Threadgroup { .. }) {
            dynamic.push(i);
        }
        args.push(Arg { pointer, address, length });
    }
    let mut shared_size = ll.c64(out.static_threadgroup);
    if !dynamic.is_empty() {
        let mut at = ll.load(ll.int(64), dynamic_start, 8);
        for i in &dynamic {
            args[*i].pointer = ll.gep(scratch, at);
            let up = ll.add(args[*i].length, ll.c64(15));
            at = ll.add(at, ll.and(up, ll.c64(!15)));
        }
        shared_size = ll.sub(at, ll.c64(shared_start));
    }
    let three =
        |offset: u64| [0u64, 1, 2].map(|i| invariant(ll.load(ll.int(32), ll.gep_const(context, offset + 4 * i), 4)));
    let grid = three(abi::offset::GRID);
    let groups = three(abi::offset::GROUPS);
    let stop = invariant(ll.load(ll.ptr(), ll.gep_const(context, abi::offset::STOP), 8));
    ll.store(context, ll.gep_const(scratch, abi::header::CONTEXT), 8);
    let flags = invariant(ll.load(ll.int(32), ll.gep_const(context, abi::offset::FLAGS), 4));
    let streams = ll.ne(ll.and(flags, ll.c32(abi::STREAM)), ll.c32(0));
    let did_stream = Cell::new(false);

    // The loop over threadgroups; the position is kept by counting, not by division.
    let (head, body, next, done) =
        (ll.new_block("groups"), ll.new_block("group"), ll.new_block("nextgroup"), ll.new_block("return"));
    let i32t = ll.int(32);
    // Linear indices fit in 32 bits in all but absurd grids; those are divided in 64.
    let wide = |v: V| ll.intrinsic1("umax", ll.int(64), &[ll.zext(v, ll.int(64)), ll.c64(1)]);
    let row = ll.bin(llvm_sys::LLVMOpcode::LLVMUDiv, first, wide(groups[0]));
    let x0 = ll.trunc(ll.sub(first, ll.mul(row, wide(groups[0]))), i32t);
    let plane = ll.bin(llvm_sys::LLVMOpcode::LLVMUDiv, row, wide(groups[1]));
    let y0 = ll.trunc(ll.sub(row, ll.mul(plane, wide(groups[1]))), i32t);
    let z0 = ll.trunc(plane, i32t);
    let from = ll.current();
    ll.br(head);
    ll.at_end(head);
    let linear = ll.phi(ll.int(64), &[(first, from)]);
    let group = [ll.phi(i32t, &[(x0, from)]), ll.phi(i32t, &[(y0, from)]), ll.phi(i32t, &[(z0, from)])];
    let stopped = ll.load(i32t, stop, 4);
    ll.set_ordering(stopped, llvm_sys::LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic);
    let go = ll.and(ll.ult(linear, last), ll.eq(stopped, ll.c32(0)));
    ll.cond_br(go, body, done);
    ll.at_end(body);
    for (i, g) in group.iter().enumerate() {
        ll.store(*g, ll.gep_const(scratch, abi::header::GROUP + 4 * i as u64), 4);
    }
    let size = options.threadgroup;
    let group_size: [V; 3] = std::array::from_fn(|i| {
        let left = ll.sub(grid[i], ll.mul(group[i], ll.c32(size[i])));
        ll.intrinsic1("umin", i32t, &[left, ll.c32(size[i])])
    });
    let full_size: [V; 3] = size.map(|s| ll.c32(s));

    // One version for any size of threadgroup needs no guards: it is for the few at the edges.
    let facts = Start {
        ll,
        module,
        f,
        places: &places,
        read_only: &read_only,
        args: &args,
        readable: context,
        grid,
        groups,
        group,
        size,
    };
    let guards = if options.groups == Groups::Any { None } else { facts.guards() };
    let edge_gang = Gang { lanes: target.lanes, parts: 32 / target.lanes };
    let packed = counts_threads(f);
    let edge_rows = Layout::new(edge_gang, size, true, packed).rows;
    let mut versions = Vec::new();
    let specialized = guards.as_ref().map(|g| {
        let mut m = module.clone();
        assume_conditions(&mut m, entry.function, &g.directions);
        m
    });
    let has_guards = specialized.is_some();
    // Where edges are laid out differently, threads that are counted have a masked version of their own.
    let needs_full = has_guards && edge_rows != Layout::new(edge_gang, size, false, packed).rows;
    out.covers_all = needs_full || options.groups != Groups::Full;
    if options.groups != Groups::Any {
        versions.push(Version { module: specialized, edge: false, name: if has_guards { "inner" } else { "full" } });
    }
    if needs_full {
        versions.push(Version { module: None, edge: false, name: "full" });
    }
    if out.covers_all {
        versions.push(Version { module: None, edge: true, name: "edge" });
    }
    let blocks: Vec<B> = versions.iter().map(|v| ll.new_block(v.name)).collect();
    let is_full = (0..3).map(|i| ll.eq(group_size[i], full_size[i])).reduce(|a, b| ll.and(a, b));
    let is_full = is_full.unwrap_or_else(|| ll.cbool(true));
    let first = match &guards {
        Some(g) => ll.and(is_full, g.holds),
        None => is_full,
    };
    match blocks[..] {
        [only] if options.groups == Groups::Any => ll.br(only),
        [only] => {
            let other = ll.new_block("edge");
            ll.likely_br(first, only, other);
            ll.at_end(other);
            let edge = ll.load(ll.ptr(), ll.gep_const(context, abi::offset::EDGE), 8);
            ll.call(ty, edge, &[context, linear, ll.add(linear, ll.c64(1)), scratch]);
            ll.br(next);
        }
        [a, b] => ll.likely_br(first, a, b),
        _ => {
            let rest = ll.new_block("rest");
            ll.likely_br(first, blocks[0], rest);
            ll.at_end(rest);
            ll.cond_br(is_full, blocks[1], blocks[2]);
        }
    }
    for (k, version) in versions.iter().enumerate() {
        ll.at_end(blocks[k]);
        let module = version.module.as_ref().unwrap_or(module);
        let f = &module.functions[entry.function];
        let places = Places::find(f, &module.types);
        let live = Liveness::compute(f, &places);
        let uses = count_uses(f);
        let kernel = Kernel { module, f, places: &places, live: &live, target, options, read_only: &read_only };
        let (Choice { gang, flow, layout, is_split }, limit) = choose_gang(&kernel, version.edge);
        // The first version is the one that runs but at edges.
        let remarks = remarks.filter(|_| k == 0);
        if k == 0 {
            (out.gang, out.gangs, out.is_split, out.lanes) = (gang.threads(), layout.gangs, is_split, gang.lanes);
        }
        let n = f.insts.len();
        let zero = Comp::uniform(ll.c32(0));
        let mut e = Emit {
            ll,
            target,
            module,
            f,
            entry,
            places: &places,
            flow: &flow,
            layout,
            gang,
            is_split,
            noalias: options.noalias,
            uses: &uses,
            wide: super::wide::Wide::default(),
            read_only_roots: &read_only,
            scopes: &scopes,
            context,
            scratch,
            args: &args,
            grid,
            groups,
            group,
            group_size: if version.edge { group_size } else { full_size },
            streams,
            did_stream: &did_stream,
            shared_globals: &shared_globals,
            shared_start,
            shared_size,
            constants: &constants,
            plan: &mut plan,
            sites: &mut out.sites,
            site_flag: if options.groups == Groups::Any { abi::EDGE_SITE } else { 0 },
            remarks,
            gang_index: ll.c32(0),
            linear_index: zero,
            positions: Vec::new(),
            entry_mask: None,
            private_layout: HashMap::new(),
            private_size: 0,
            private_segment: ll.null(),
            separate_locals: false,
            private_slots: RefCell::default(),
            vals: vec![None; n],
            storage: vec![Storage::default(); f.locals.len()],
            captured: HashMap::new(),
            state: vec![None; f.locals.len()],
            mask: None,
            frames: Vec::new(),
            end: next,
            regions: super::regions::Regions::default(),
            slow_buffers: RefCell::default(),
            unchecked: HashMap::new(),
        };
        e.place_private();
        if let Some(sink) = remarks {
            if let Some(g) = &guards {
                explain_guards(sink, e.f, g);
            }
            e.explain(sink, limit);
        }
        if is_split {
            e.emit_regions(next)?;
        } else {
            e.emit_gangs(next)?;
        }
    }

    ll.at_end(next);
    let linear_next = ll.add(linear, ll.c64(1));
    let x1 = ll.add(group[0], ll.c32(1));
    let wrap_x = ll.eq(x1, groups[0]);
    let x2 = ll.select(wrap_x, ll.c32(0), x1);
    let y1 = ll.add(group[1], ll.zext(wrap_x, i32t));
    let wrap_y = ll.eq(y1, groups[1]);
    let y2 = ll.select(wrap_y, ll.c32(0), y1);
    let z1 = ll.add(group[2], ll.zext(wrap_y, i32t));
    ll.add_incoming(linear, &[(linear_next, next)]);
    for (phi, v) in group.iter().zip([x2, y2, z1]) {
        ll.add_incoming(*phi, &[(v, next)]);
    }
    ll.br(head);
    ll.at_end(done);
    if did_stream.get() {
        // Such stores are not ordered with those that tell other threads that the work is done.
        ll.intrinsic("llvm.x86.sse.sfence", ll.void(), &[]);
    }
    ll.ret_void();

    out.scratch = plan.size.next_multiple_of(64);
    ll.at_end(allocas);
    ll.store(ll.c64(out.scratch), dynamic_start, 8);
    ll.br(start);
    Ok(out)
}

/// Buffers that nothing in this dispatch writes.
fn read_only_roots(module: &Module, entry: &EntryPoint, options: &CompileOptions) -> HashSet<Root> {
    let mut set = HashSet::new();
    for (i, p) in entry.params.iter().enumerate() {
        let constant = match &p.kind {
            ParamKind::Buffer { is_constant, .. } => *is_constant,
            ParamKind::Texture { .. } | ParamKind::Sampler => true,
            ParamKind::Threadgroup { .. } => false,
        };
        // `const device` memory may be written through another argument unless they are separate.
        if constant || (options.noalias && p.access == Access::ReadOnly && matches!(p.kind, ParamKind::Buffer { .. })) {
            set.insert(Root::Param(i as u32));
        }
    }
    for (id, g) in module.globals.iter() {
        if g.space == AddressSpace::Constant {
            set.insert(Root::Global(id));
        }
    }
    set
}

/// How many operands each value is.
fn count_uses(f: &Function) -> Vec<u32> {
    fn walk(f: &Function, b: &Block, uses: &mut [u32]) {
        for id in &b.insts {
            f.insts[*id].op.for_each_operand(|v| uses[v.index()] += 1);
            for b in f.insts[*id].op.blocks() {
                walk(f, b, uses);
            }
        }
    }
    let mut uses = vec![0; f.insts.len()];
    walk(f, &f.body, &mut uses);
    uses
}

fn any_inst(f: &Function, b: &Block, test: &dyn Fn(ValueId, &Op) -> bool) -> bool {
    find_inst(f, b, test).is_some()
}

fn find_inst(f: &Function, b: &Block, test: &dyn Fn(ValueId, &Op) -> bool) -> Option<ValueId> {
    b.insts.iter().find_map(|id| {
        let op = &f.insts[*id].op;
        if test(*id, op) { Some(*id) } else { op.blocks().iter().find_map(|b| find_inst(f, b, test)) }
    })
}

/// Whether a kernel asks for the number of a thread in its threadgroup or simdgroup. At the edges of a
/// grid those count only threads that exist; else lanes can stay in the rows of a full threadgroup.
fn counts_threads(f: &Function) -> bool {
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
struct Kernel<'a> {
    module: &'a Module,
    f: &'a Function,
    places: &'a Places,
    live: &'a Liveness,
    target: &'a Target,
    options: &'a CompileOptions,
    read_only: &'a HashSet<Root>,
}

/// A gang and what follows from it.
struct Choice {
    gang: Gang,
    flow: Flow,
    layout: Layout,
    is_split: bool,
}

/// What kept a gang from being larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GangLimit {
    /// The caller chose.
    Requested,
    /// No loop or barrier would gain.
    NothingToShare,
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
    /// It has many vector operations as it is.
    Size,
    Most,
}

/// How many vector operations gangs in lock step may come to: kernels with more have enough to do
/// between the loads they would share, and take long to compile.
const MOST_VECTORS: u32 = 400;

/// How many threads run in step. At least a simdgroup; more where control flow is the same for
/// all of them and the vectors that are live in loops still fit the registers.
fn choose_gang(kernel: &Kernel, edge: bool) -> (Choice, GangLimit) {
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
    // A simdgroup is never cut in two.
    let wanted = options.parts.map(|p| p.next_power_of_two().clamp(base, 64));
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
    if let Some(at) = costly {
        return (first, GangLimit::Costly(at));
    }
    let budget = if target.has_avx512 { 26 } else { 13 };
    let vectors =
        first.flow.shapes.iter().filter(|s| s.c.iter().any(|s| s.lanes() && s.linear.is_none())).count() as u32;
    let mut best = first;
    for parts in [32 / lanes * 2, 32 / lanes * 4, 32 / lanes * 8] {
        let n = parts * lanes;
        if n > threads || !threads.is_multiple_of(n) {
            return (best, GangLimit::Threadgroup);
        }
        if vectors * (parts / base) > MOST_VECTORS {
            return (best, GangLimit::Size);
        }
        let t = attempt(parts);
        if let Some(at) = parts_ways(&t.flow) {
            return (best, GangLimit::Diverges(at));
        }
        let alive = pressure(module, f, &t.flow, &f.body, parts);
        if alive > budget {
            return (best, GangLimit::Registers { wanted: alive, have: budget });
        }
        best = t;
    }
    (best, GangLimit::Most)
}

/// Says which conditions a version takes for granted.
fn explain_guards(sink: &Remarks, f: &Function, guards: &super::guards::Guards) {
    for (condition, direction) in &guards.directions {
        let message = format!(
            "tested once per threadgroup: where it is {direction} for all threads, a version without it runs; this \
             describes that version"
        );
        sink.add(f.insts[*condition].span, "versioned-guard", message, None);
    }
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

impl Emit<'_> {
    /// Gives memory to the locals that need an address.
    fn place_private(&mut self) {
        let f = self.f;
        let mut size = 0u64;
        let threads = u64::from(self.gang.threads());
        let mut list = Vec::new();
        for (l, local) in f.locals.iter() {
            if self.places.promoted[l.index()] {
                continue;
            }
            size = size.next_multiple_of(u64::from(local.align.max(8)));
            self.private_layout.insert(l, size);
            let n = self.module.types.size_of(local.ty).next_multiple_of(8);
            list.push((l, n));
            size += n;
        }
        self.private_size = size.max(8);
        if size == 0 {
            return;
        }
        let escapes = self.flow.shapes.iter().any(|s| matches!(s.root, Some((Root::Private, _))))
            || self.flow.states.values().flatten().flatten().any(|s| matches!(s.root, Some((Root::Private, _))))
            || any_inst(f, &f.body, &|_, op| {
                matches!(op, Op::PtrToInt(_) | Op::PtrDiff(..))
                    || matches!(op, Op::Store { value, .. } if self.module.types.pointee(f.insts[*value].ty).is_some_and(|p| p.0 == AddressSpace::Thread))
            });
        if self.is_split || size * threads > 1 << 16 {
            let per_gang = (size * threads).next_multiple_of(64);
            let copies = if self.is_split { u64::from(self.layout.gangs) } else { 1 };
            let at = self.plan.take(per_gang * copies, 64);
            self.regions.private = Some((at, per_gang));
            self.private_segment = self.ll.gep_const(self.scratch, at);
        } else if escapes {
            self.private_segment = self.ll.alloca(self.ll.array(self.ll.int(8), size * threads), 64);
        } else {
            self.separate_locals = true;
            for (l, n) in list {
                let slot = self.ll.alloca(self.ll.array(self.ll.int(8), n * threads), 64);
                self.private_slots.borrow_mut().insert(l, slot);
            }
        }
    }

    /// Number of gangs of this threadgroup.
    pub fn gang_count(&self) -> V {
        let ll = self.ll;
        if !self.layout.edge {
            return ll.c32(self.layout.gangs);
        }
        let n = self.gang.threads();
        let count = if self.layout.in_rows() {
            // Up to the last thread, in the rows of a full threadgroup.
            let [x, y, z] = self.group_size;
            let [sx, sy, _] = self.layout.size;
            let one = ll.c32(1);
            let rows = ll.add(ll.mul(ll.sub(z, one), ll.c32(sy)), ll.sub(y, one));
            ll.add(ll.mul(rows, ll.c32(sx)), x)
        } else {
            self.thread_count()
        };
        let up = ll.add(count, ll.c32(n - 1));
        ll.lshr(up, ll.c32(n.trailing_zeros()))
    }
    fn thread_count(&self) -> V {
        let [x, y, z] = self.group_size;
        self.ll.mul(self.ll.mul(x, y), z)
    }

    /// Without barriers between gangs: each runs the whole kernel.
    fn emit_gangs(&mut self, next: B) -> Result<(), CodegenError> {
        let f = self.f;
        if self.layout.gangs == 1 {
            self.begin_gang(self.ll.c32(0));
            self.end = self.ll.new_block("endgang");
            if self.block(&f.body)? {
                self.ll.br(self.end);
            }
            self.ll.at_end(self.end);
            self.ll.br(next);
            return Ok(());
        }
        let ll = self.ll;
        let count = self.gang_count();
        let from = ll.current();
        let (body, end) = (ll.new_block("gang"), ll.new_block("endgang"));
        ll.br(body);
        ll.at_end(body);
        let g = ll.phi(ll.int(32), &[(ll.c32(0), from)]);
        self.begin_gang(g);
        self.end = end;
        if self.block(&f.body)? {
            ll.br(end);
        }
        ll.at_end(end);
        let g1 = ll.add(g, ll.c32(1));
        ll.add_incoming(g, &[(g1, end)]);
        ll.cond_br(ll.ult(g1, count), body, next);
        Ok(())
    }

    /// Positions and mask of a gang.
    pub fn begin_gang(&mut self, index: V) {
        let ll = self.ll;
        let (gang, layout) = (self.gang, self.layout);
        self.gang_index = index;
        let first = ll.mul(index, ll.c32(gang.threads()));
        let linear = layout.builtin(Builtin::ThreadIndexInThreadgroup)[0];
        self.linear_index = Comp { shape: linear, v: vec![first] };
        let shapes = layout.position();
        let zero = Comp::uniform(ll.c32(0));
        let [sx, sy, sz] = layout.size;
        let rem = |a: V, b: u32| if b == 1 { ll.c32(0) } else { ll.bin(llvm_sys::LLVMOpcode::LLVMURem, a, ll.c32(b)) };
        let div = |a: V, b: u32| ll.bin(llvm_sys::LLVMOpcode::LLVMUDiv, a, ll.c32(b));
        self.positions = match layout.rows {
            Rows::Line => vec![self.linear_index.clone(), zero.clone(), zero],
            Rows::InRow => {
                let row = div(first, sx);
                let x = Comp { shape: shapes[0], v: vec![rem(first, sx)] };
                let y = Comp { shape: shapes[1], v: vec![rem(row, sy)] };
                let z = Comp { shape: shapes[2], v: vec![div(row, sy)] };
                vec![x, y, if sz == 1 { zero } else { z }]
            }
            Rows::PartInRow => {
                let part_first = |p: u32| ll.add(first, ll.c32(p * gang.lanes));
                let x = (0..shapes[0].copies(gang.parts)).map(|p| rem(part_first(p), sx)).collect();
                let y = (0..shapes[1].copies(gang.parts)).map(|p| rem(div(part_first(p), sx), sy)).collect();
                let z: Vec<V> = (0..shapes[2].copies(gang.parts)).map(|p| div(div(part_first(p), sx), sy)).collect();
                let x = if sx == gang.lanes { vec![ll.c32(0)] } else { x };
                let z = Comp { shape: shapes[2], v: z };
                vec![Comp { shape: shapes[0], v: x }, Comp { shape: shapes[1], v: y }, if sz == 1 { zero } else { z }]
            }
            Rows::Scattered => {
                let (mut x, mut y, mut z) = (Vec::new(), Vec::new(), Vec::new());
                let strict = msl_ir::FpFlags::STRICT;
                let quotient = |a: V, b: V| {
                    let b = ll.splat(b, gang.lanes);
                    let q = arith::binary(ll, msl_ir::BinaryOp::Div, Scalar::U32, strict, a, b);
                    (q, ll.sub(a, ll.mul(q, b)))
                };
                for p in 0..gang.parts {
                    let i = self.linear_index.get(ll, gang, p, true);
                    let (row, xx) = quotient(i, self.group_size[0]);
                    x.push(xx);
                    if sz == 1 {
                        y.push(row);
                    } else {
                        let (zz, yy) = quotient(row, self.group_size[1]);
                        y.push(yy);
                        z.push(zz);
                    }
                }
                let of = |v: Vec<V>| Comp { shape: Shape::of(ALL), v };
                vec![of(x), of(y), if sz == 1 { zero } else { of(z) }]
            }
        };
        self.entry_mask = if layout.is_full() {
            None
        } else if layout.in_rows() && layout.edge {
            let [gx, gy, gz] = self.group_size;
            let masks = (0..gang.parts).map(|p| {
                let [x, y, z] = [0, 1, 2].map(|i: usize| self.positions[i].get(ll, gang, p, i == 0));
                let row_exists = ll.and(ll.ult(y, gy), ll.ult(z, gz));
                let width = ll.select(row_exists, gx, ll.c32(0));
                ll.ult(x, ll.splat(width, gang.lanes))
            });
            Some(masks.collect())
        } else {
            let count = self.thread_count();
            let n = ll.splat(count, gang.lanes);
            Some((0..gang.parts).map(|p| ll.ult(self.linear_index.get(ll, gang, p, true), n)).collect())
        };
        self.mask.clone_from(&self.entry_mask);
    }
}

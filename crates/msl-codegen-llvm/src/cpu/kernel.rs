//! The function around a kernel: arguments, the loop over the threadgroups of a range, a few versions
//! of the body, and in each the loop over gangs. See [`crate::abi`] for the contract with the host.
//!
//! One version is for full threadgroups and one for the smaller ones at the edges of the grid. Where
//! threads guard what they do ([`super::guards`]), the first is specialized for threadgroups in which
//! all threads pass and stay within the bounds of what they access ([`super::bounds`]), and the second,
//! which has masks and checks anyway, runs the others too, unless it is laid out in another way: then the full ones
//! among them have a version of their own. Which versions are in one piece of code is up to [`Groups`].

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};

use msl_base::{Id, Span};
use msl_ir::analysis::Provenance;
use msl_ir::{
    Access, AddressSpace, Block, Builtin, EntryPoint, Function, GlobalId, HOST_SLACK, LocalId, Module, Op, ParamKind,
    Scalar, ValueId,
};

use super::access::Scopes;
use super::bounds::Bounds;
use super::control::Frame;
use super::gangs::{Choice, Kernel, any_inst, choose_gang, counts_threads};
use super::layout::{Layout, Rows};
use super::locals::Storage;
use super::masks::Mask;
use super::ranges::Start;
use super::runs::{self, Attempt};
use super::specialize::Specialized;
use super::windows::Windows;
use crate::CodegenError;
use crate::abi;
use crate::compiler::{CompileOptions, FaultSite, Groups, Watch};
use crate::emit::arith;
use crate::emit::flow::{Flow, State};
use crate::emit::live::{Liveness, Places};
use crate::emit::shape::{ALL, Root, Shape};
use crate::emit::value::{Comp, Gang, Val};
use crate::lines::Lines;
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
    /// Full threadgroups that it hands over are for [`Groups::Whole`].
    pub has_whole: bool,
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
    pub lines: Option<&'a Lines>,

    // The gang.
    pub gang_index: V,
    pub linear_index: Comp,
    /// The x of its threadgroup, where several are run as one.
    pub joined_group: Option<V>,
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
    /// What is known of vectors of integers: by LLVM value, so that it is there wherever the vector is.
    pub patterns: RefCell<HashMap<V, super::pattern::Pattern>>,
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
    /// By how much the next threadgroup is ahead of the access being emitted, if what it accesses is fetched.
    pub ahead: Option<V>,
    /// Parameters of which something is fetched for the next threadgroup.
    pub fetched: HashSet<u32>,
    /// Buffers that something stands for.
    pub windows: &'a Windows,
    /// Accesses known to be within bounds everywhere.
    pub bounds: &'a Bounds,
    /// The access being emitted is one of those.
    pub is_within: bool,
    /// Where pointers come from, once somebody asks.
    pub provenance: OnceCell<Provenance>,
}

/// One of the bodies of a kernel: the function, with what is known of it, and the threadgroups it is for.
struct Version {
    /// Differs from the kernel's own where conditions are taken for granted.
    module: Option<Module>,
    bounds: Option<Bounds>,
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
    watch: Watch,
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
    if let Some(lines) = watch.lines {
        lines.begin(ll, function);
    }
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
    if module.globals.values().any(|g| g.space == AddressSpace::Threadgroup)
        || entry.params.iter().any(|p| matches!(p.kind, ParamKind::Threadgroup { .. }))
    {
        // Nothing is at offset 0, which is what null pointers are.
        plan.take(64, 64);
    }
    let variables_start = plan.size;
    for (id, g) in module.globals.iter() {
        if g.space == AddressSpace::Threadgroup {
            let at = plan.take(module.types.size_of(g.ty), u64::from(g.align.max(16)));
            shared_globals.insert(id, at);
        }
    }
    out.static_threadgroup = plan.size - variables_start;

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
    let mut shared_size = ll.c64(plan.size - shared_start);
    if !dynamic.is_empty() {
        let mut at = ll.load(ll.int(64), dynamic_start, 8);
        for i in &dynamic {
            args[*i].pointer = ll.gep(scratch, at);
            let up = ll.add(args[*i].length, ll.c64(15));
            at = ll.add(at, ll.add(ll.and(up, ll.c64(!15)), ll.c64(HOST_SLACK)));
            args[*i].length = ll.add(args[*i].length, ll.c64(HOST_SLACK));
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
    let edge_gang = Gang { lanes: target.lanes, parts: 32 / target.lanes };
    let packed = counts_threads(f);
    let layout = Layout::new(edge_gang, options.threadgroup, false, packed);
    let size = options.threadgroup;
    // Where edges are laid out differently, threads that are counted have a masked version of their own: not
    // for bounds alone.
    let is_laid_out_alike = Layout::new(edge_gang, size, true, packed).rows == layout.rows;
    let (args, read_only) = (&args[..], &read_only);
    let facts = Start {
        ll,
        module,
        f,
        places: &places,
        read_only,
        args,
        readable: context,
        grid,
        groups,
        group: groups,
        size,
        count: None,
    };
    // Where one version runs all threadgroups that it is given, there is nothing to find out about them: it is for the
    // few that others leave.
    let looks_for_guards = matches!(options.groups, Groups::All | Groups::Full);
    let can_join = |m: &Module| {
        looks_for_guards
            && options.parts.is_none_or(|p| p <= edge_gang.parts)
            && runs::can_join(m, &m.functions[entry.function], &layout)
    };
    let unrolled = if looks_for_guards { facts.unroll(entry, is_laid_out_alike, can_join) } else { None };
    // The kernel as most threadgroups run it; at edges it keeps its loops.
    let most = unrolled.as_ref().unwrap_or(module);

    let windows = if options.noalias {
        let count = ll.sub(last, first);
        Windows::begin(ll, module, f, entry, &count_uses(f), args, &mut plan, scratch, count)
    } else {
        Windows::default()
    };
    let from = ll.current();
    ll.br(head);
    ll.at_end(head);
    let linear = ll.phi(ll.int(64), &[(first, from)]);
    let group = [ll.phi(i32t, &[(x0, from)]), ll.phi(i32t, &[(y0, from)]), ll.phi(i32t, &[(z0, from)])];
    let limit = can_join(most).then(|| Attempt::limit(ll, from));
    let stopped = ll.load(i32t, stop, 4);
    ll.set_ordering(stopped, llvm_sys::LLVMAtomicOrdering::LLVMAtomicOrderingMonotonic);
    let go = ll.and(ll.ult(linear, last), ll.eq(stopped, ll.c32(0)));
    ll.cond_br(go, body, done);
    ll.at_end(body);
    for (i, g) in group.iter().enumerate() {
        ll.store(*g, ll.gep_const(scratch, abi::header::GROUP + 4 * i as u64), 4);
    }
    let group_size: [V; 3] = std::array::from_fn(|i| {
        let left = ll.sub(grid[i], ll.mul(group[i], ll.c32(size[i])));
        ll.intrinsic1("umin", i32t, &[left, ll.c32(size[i])])
    });
    let full_size: [V; 3] = size.map(|s| ll.c32(s));

    let attempt = limit.map(|limit| Attempt::begin(ll, limit, ll.sub(groups[0], group[0]), ll.sub(last, linear)));
    let count = attempt.as_ref().map(|a| a.count);

    let found = if looks_for_guards {
        let f = &most.functions[entry.function];
        let places = Places::find(f, &most.types);
        Start { module: most, f, places: &places, group, count, ..facts }.specialize(entry, is_laid_out_alike)
    } else {
        Specialized::default()
    };
    let Specialized { guards, within, bounds, module: specialized } = found;
    let specialized = specialized.or(unrolled);
    let mut versions = Vec::new();
    let needs_full = (guards.is_some() || within.is_some()) && !is_laid_out_alike;
    out.has_whole = needs_full && options.groups == Groups::Full;
    if looks_for_guards {
        let name = match (&guards, within) {
            (Some(_), _) => "inner",
            (None, Some(_)) => "within",
            (None, None) => "full",
        };
        versions.push(Version { module: specialized, bounds, edge: false, name });
    }
    if needs_full && options.groups == Groups::All || options.groups == Groups::Whole {
        versions.push(Version { module: None, bounds: None, edge: false, name: "full" });
    }
    if matches!(options.groups, Groups::All | Groups::Any) {
        versions.push(Version { module: None, bounds: None, edge: true, name: "edge" });
    }
    let blocks: Vec<B> = versions.iter().map(|v| ll.new_block(v.name)).collect();
    let is_full = (0..3).map(|i| match count {
        Some(count) if i == 0 => {
            let wide = |v: V| ll.zext(v, ll.int(64));
            let left = ll.sub(grid[0], ll.mul(group[0], ll.c32(size[0])));
            ll.icmp(llvm_sys::LLVMIntPredicate::LLVMIntUGE, wide(left), ll.mul(wide(count), ll.c64(u64::from(size[0]))))
        }
        _ => ll.eq(group_size[i], full_size[i]),
    });
    let is_full = ll.all(&is_full.collect::<Vec<_>>());
    let holds = guards.as_ref().map(|g| g.holds).into_iter().chain(within);
    let first = ll.all(&[is_full].into_iter().chain(holds).collect::<Vec<_>>());
    let nothing = Bounds::default();
    let go_first = |rest: &str| match &attempt {
        Some(a) => a.decide(ll, first, blocks[0]),
        None => {
            let rest = ll.new_block(rest);
            ll.likely_br(first, blocks[0], rest);
            ll.at_end(rest);
        }
    };
    match blocks[..] {
        [only] if !looks_for_guards => ll.br(only),
        [_] => {
            go_first("others");
            let edge = ll.load(ll.ptr(), ll.gep_const(context, abi::offset::EDGE), 8);
            ll.call(ty, edge, &[context, linear, ll.add(linear, ll.c64(1)), scratch]);
            ll.br(next);
        }
        [_, b] => {
            go_first("rest");
            ll.br(b);
        }
        _ => {
            go_first("rest");
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
        let kernel = Kernel { module, f, places: &places, live: &live, target, options, read_only };
        let (Choice { gang, flow, layout, is_split }, limit) = choose_gang(&kernel, version.edge);
        // The first version is the one that runs but at edges.
        let remarks = watch.remarks.filter(|_| k == 0);
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
            read_only_roots: read_only,
            scopes: &scopes,
            context,
            scratch,
            args,
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
            site_flag: match options.groups {
                Groups::All | Groups::Full => 0,
                Groups::Whole => abi::WHOLE_SITE,
                Groups::Any => abi::EDGE_SITE,
            },
            remarks,
            lines: watch.lines,
            gang_index: ll.c32(0),
            linear_index: zero,
            joined_group: None,
            positions: Vec::new(),
            entry_mask: None,
            private_layout: HashMap::new(),
            private_size: 0,
            private_segment: ll.null(),
            separate_locals: false,
            private_slots: RefCell::default(),
            vals: vec![None; n],
            patterns: RefCell::default(),
            storage: vec![Storage::default(); f.locals.len()],
            captured: HashMap::new(),
            state: vec![None; f.locals.len()],
            mask: None,
            frames: Vec::new(),
            end: next,
            regions: super::regions::Regions::default(),
            slow_buffers: RefCell::default(),
            unchecked: HashMap::new(),
            ahead: None,
            fetched: HashSet::new(),
            windows: &windows,
            bounds: version.bounds.as_ref().unwrap_or(&nothing),
            is_within: false,
            provenance: OnceCell::new(),
        };
        e.place_private();
        if let Some(sink) = remarks {
            if let Some(g) = &guards {
                explain_guards(sink, e.f, g);
            }
            e.explain(sink, limit);
        }
        if let (0, Some(count)) = (k, count) {
            e.emit_joined(count, next)?;
        } else if is_split {
            e.emit_regions(next)?;
            if let Some(sink) = remarks {
                e.explain_kept(sink);
            }
        } else {
            e.emit_gangs(next)?;
        }
    }

    if let Some(lines) = watch.lines {
        lines.at(ll, Span::NONE);
    }
    ll.at_end(next);
    let step = count.unwrap_or_else(|| ll.c32(1));
    let linear_next = ll.add(linear, ll.zext(step, ll.int(64)));
    let x1 = ll.add(group[0], step);
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
    if let Some(a) = &attempt {
        a.end(ll, next);
    }
    ll.stays(ll.br_back(head));
    ll.at_end(done);
    windows.end(ll, args);
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

impl Emit<'_> {
    /// What is emitted from here on comes from this instruction.
    pub fn set_line(&self, id: ValueId) {
        if let Some(lines) = self.lines {
            lines.at(self.ll, self.f.insts[id].span);
        }
    }

    /// Gives memory to the locals that need an address.
    fn place_private(&mut self) {
        let f = self.f;
        // Nothing is at offset 0, which is what null pointers are.
        let mut size = 8u64;
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
        self.private_size = size;
        if list.is_empty() {
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
        ll.stays(ll.cond_br(ll.ult(g1, count), body, next));
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
                let (x, y) = (of(x), of(y));
                self.note_positions(&x, &y);
                vec![x, y, if sz == 1 { zero } else { of(z) }]
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

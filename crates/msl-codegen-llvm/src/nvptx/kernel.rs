//! The entry function: parameters, positions, and how a thread ends.
//!
//! The threads of a block, in order of their linear index, are the threads of the threadgroup. At an
//! edge of the grid, where the threadgroup is smaller than the block, the linear index is split by the
//! smaller size, so that simdgroups are what Metal makes them, and the threads left over end at once.
//! Barriers do not wait for threads that have ended.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use msl_base::{Id, Span};
use msl_ir::analysis::{GangLayout, Provenance, Root, Uniformity};
use msl_ir::{AddressSpace, Block, Builtin, EntryPoint, Function, GlobalId, LocalId, Module, Op, ParamKind, ValueId};

use super::control::Frame;
use super::interval::Interval;
use super::lanes::Sum;
use super::{NvptxKernel, NvptxOptions, SYMBOL, status};
use crate::CodegenError;
use crate::compiler::FaultSite;
use crate::llvm::{B, Ll, T, V};

/// What the hardware gives to a thread for its variables.
const MOST_THREAD_MEMORY: u64 = 512 << 10;
/// LLVM's number for the calling convention of kernels.
const PTX_KERNEL: u32 = 71;

/// LLVM's number for an address space. Constant memory is device memory that nobody writes.
pub fn space_number(space: AddressSpace) -> u32 {
    match space {
        AddressSpace::Thread => 0,
        AddressSpace::Device | AddressSpace::Constant => 1,
        AddressSpace::Threadgroup => 3,
    }
}

/// A pointer as it is computed.
#[derive(Clone, Copy)]
pub struct Ptr {
    pub p: V,
    /// Bytes from the start of the memory it was derived from, where that is known (`i64`).
    pub offset: Option<V>,
    /// Vouched for by trusted code.
    pub valid: bool,
}

/// A value of one thread.
#[derive(Clone)]
pub enum Val {
    /// One per component.
    Comps(Vec<V>),
    Ptr(Ptr),
}

/// An argument of the kernel.
#[derive(Clone, Copy)]
pub struct Arg {
    pub value: V,
    pub length: V,
    /// How many whole elements are bound, and bytes of one.
    pub count: Option<(V, u64)>,
    /// It starts at a multiple of 16.
    pub is_aligned: bool,
}

/// The emitter of one kernel.
pub struct Emit<'a> {
    pub ll: &'a Ll,
    pub module: &'a Module,
    pub f: &'a Function,
    pub entry: &'a EntryPoint,
    pub options: &'a NvptxOptions,
    pub provenance: Provenance,
    pub uniformity: Uniformity,
    pub args: Vec<Arg>,
    pub globals: HashMap<GlobalId, V>,
    pub locals: Vec<V>,

    // The launch.
    pub grid: [V; 3],
    pub groups: [V; 3],
    pub group: [V; 3],
    pub group_size: [V; 3],
    pub position: [V; 3],
    /// The first threadgroup of the launch.
    pub base: [V; 3],
    pub index: V,
    pub lane: V,
    /// The threads of the warp that belong to the grid.
    pub entry_mask: V,
    /// The threads of the warp that are here together, where that is known and wanted.
    pub mask: Option<V>,
    /// The operations that need it.
    pub masked: HashSet<ValueId>,
    /// The loops around that it changes in.
    pub rounds: Vec<super::masks::Rounds>,
    /// In kernels with barriers that only some threads of a warp reach: where a warp tells how deep inside its threads are.
    pub meeting: Option<V>,
    /// How many places where threads meet are around.
    pub depth: u32,
    pub dispatch: V,
    pub range_count: V,
    pub status: V,
    pub ranges: V,

    // What is learned on the way.
    pub sites: Vec<FaultSite>,
    pub fault_calls: u32,
    pub formats: Vec<String>,
    pub static_shared: u64,
    pub needs_ranges: bool,

    pub vals: Vec<Option<Val>>,
    /// How often each value is used.
    pub uses: Vec<u32>,
    /// Threads of a warp are numbered for tensor cores.
    pub renumbered: bool,
    /// Values that were computed before their turn.
    pub ahead: HashSet<ValueId>,
    /// Loops may be emitted in two versions.
    pub may_hoist: bool,
    /// What is left of a block may be emitted in two versions.
    pub may_split: bool,
    /// What addresses are computed from is something else to LLVM: this is the rare one of two versions, and what both of them
    /// compute would be in registers before the branch.
    pub hides_indices: bool,
    /// How many blocks are around the one that is being emitted.
    pub nesting: u32,
    /// Accesses that are tested.
    pub checked: HashSet<ValueId>,
    /// Accesses that were tested to have their usual alignment.
    pub aligned: HashSet<ValueId>,
    /// Tests of alignment that accesses share which come after each other.
    pub common_tests: HashMap<ValueId, V>,
    pub alignments: super::align::Locals,
    pub intervals: RefCell<HashMap<ValueId, Option<Interval>>>,
    pub sums: RefCell<HashMap<ValueId, Option<Rc<Sum>>>>,
    /// Loads of two elements that become a pair of a matrix, and the pair.
    pub pairs: HashMap<ValueId, ValueId>,
    pub matrix_uses: super::matrix_load::Uses,
    /// Pairs of the transposes of matrices that are nothing else.
    pub flipped: HashMap<ValueId, V>,
    /// Where locals that hold right operands keep the pairs of their transposes.
    pub rights: HashMap<LocalId, V>,
    /// Stores that are copies past the registers.
    pub copies: HashSet<ValueId>,
    /// By barrier, how many groups of them may be under way behind it.
    pub waits: HashMap<ValueId, u32>,
    /// Accesses that need no test where code is being emitted.
    pub known: HashMap<ValueId, super::hoist::Known>,
    pub frames: Vec<Frame>,
    /// The end of the thread.
    pub end: B,
}

pub fn emit_kernel(
    ll: &Ll,
    module: &Module,
    entry: &EntryPoint,
    options: &NvptxOptions,
) -> Result<NvptxKernel, CodegenError> {
    let f = &module.functions[entry.function];
    let (i32t, i64t, global) = (ll.int(32), ll.int(64), ll.ptr_in(1));
    let provenance = Provenance::new(module, f);
    let mut types: Vec<T> = Vec::new();
    // Where the parameters of the kernel are among those of the entry.
    let mut places = Vec::new();
    let mut inline = Vec::new();
    let mut elements = Vec::new();
    for (i, p) in entry.params.iter().enumerate() {
        let element = module.types.pointee(f.params[i]).map(|(_, t)| module.types.size_of(t));
        elements.push(element.filter(|n| *n > 0 && matches!(p.kind, ParamKind::Buffer { .. })));
        places.push(types.len() as u32);
        let bytes = options.by_value.get(i).copied().filter(|n| *n > 0);
        inline.push(bytes.filter(|_| is_read_plainly(f, module, &provenance, i as u32)));
        if inline[i].is_some() {
            types.push(ll.ptr());
            elements[i] = None;
            continue;
        }
        types.push(match p.kind {
            ParamKind::Buffer { .. } | ParamKind::Texture { .. } => global,
            ParamKind::Threadgroup { .. } | ParamKind::Sampler => i64t,
        });
        types.push(i64t);
        if elements[i].is_some() {
            types.push(i64t);
        }
    }
    let first = types.len() as u32;
    types.extend([global, global]);
    types.extend([i32t; 12]);
    let function = ll.add_function(SYMBOL, ll.fn_type(ll.void(), &types), false);
    ll.set_call_conv(function, PTX_KERNEL);
    let [x, y, z] = options.threadgroup;
    ll.string_attr(function, "nvvm.reqntid", &format!("{x},{y},{z}"));
    if options.few_threads {
        ll.string_attr(function, "nvvm.minctasm", "1");
    }
    if flushes_denormals(f, module) {
        ll.string_attr(function, "denormal-fp-math-f32", "preserve-sign");
    }
    for (i, p) in entry.params.iter().enumerate() {
        if let Some(bytes) = inline[i] {
            ll.by_value_param(function, places[i], ll.array(ll.int(8), u64::from(bytes)), 16);
            continue;
        }
        let is_texture = matches!(p.kind, ParamKind::Texture { .. });
        if !matches!(p.kind, ParamKind::Buffer { .. }) && !is_texture {
            continue;
        }
        if options.noalias {
            ll.attr_at(function, places[i] + 1, "noalias");
        }
        let used = provenance.param_use(i as u32);
        if !used.written && !used.escapes {
            ll.attr_at(function, places[i] + 1, "readonly");
        }
    }

    let start = ll.block(function, "start");
    let end = ll.block(function, "end");
    ll.at_end(start);
    // Two pointers, then words.
    let info = |i: u32| ll.param(function, first + 2 + i);
    let three = |i: u32| [info(i), info(i + 1), info(i + 2)];
    let dynamic_shared = ll.global_bytes("dynamic_shared", 0, None, 16, 3);

    let mut args = Vec::new();
    for (i, (p, ty)) in entry.params.iter().zip(&f.params).enumerate() {
        if let Some(bytes) = inline[i] {
            let length = ll.c64(u64::from(bytes));
            let value = ll.param(function, places[i]);
            args.push(Arg { value, length, count: None, is_aligned: true });
            continue;
        }
        let (a, b) = (ll.param(function, places[i]), ll.param(function, places[i] + 1));
        args.push(match &p.kind {
            ParamKind::Buffer { .. } | ParamKind::Sampler => {
                let count = elements[i].map(|n| (ll.param(function, places[i] + 2), n));
                Arg { value: a, length: b, count, is_aligned: options.aligned }
            }
            ParamKind::Threadgroup { .. } => {
                Arg { value: ll.gep(dynamic_shared, a), length: b, count: None, is_aligned: true }
            }
            // The runtime binds as many descriptors as the type says.
            ParamKind::Texture { array_len, .. } => {
                let one = module.types.pointee(*ty).map_or(0, |(_, t)| module.types.size_of(t));
                Arg { value: a, length: ll.c64(one * u64::from((*array_len).max(1))), count: None, is_aligned: true }
            }
        });
    }

    let layout = GangLayout::consecutive(Some(options.threadgroup), 32, 1);
    let zero = ll.c32(0);
    let mut e = Emit {
        ll,
        module,
        f,
        entry,
        options,
        uniformity: Uniformity::analyze(module, f, &layout),
        provenance,
        args,
        globals: HashMap::new(),
        locals: Vec::new(),
        grid: three(0),
        groups: three(3),
        group: [zero; 3],
        group_size: options.threadgroup.map(|n| ll.c32(n)),
        position: [zero; 3],
        base: three(6),
        index: zero,
        lane: zero,
        entry_mask: zero,
        mask: None,
        masked: HashSet::new(),
        rounds: Vec::new(),
        meeting: None,
        depth: 0,
        dispatch: info(9),
        range_count: info(11),
        status: ll.param(function, first),
        ranges: ll.param(function, first + 1),
        sites: Vec::new(),
        fault_calls: 0,
        formats: Vec::new(),
        static_shared: 0,
        needs_ranges: false,
        vals: vec![None; f.insts.len()],
        uses: count_uses(f),
        renumbered: super::matrix::are_used(f),
        ahead: HashSet::new(),
        may_hoist: true,
        may_split: true,
        hides_indices: false,
        nesting: 0,
        checked: HashSet::new(),
        aligned: HashSet::new(),
        common_tests: HashMap::new(),
        alignments: super::align::Locals::new(f),
        intervals: RefCell::default(),
        sums: RefCell::default(),
        pairs: HashMap::new(),
        matrix_uses: Default::default(),
        flipped: HashMap::new(),
        rights: HashMap::new(),
        copies: HashSet::new(),
        waits: HashMap::new(),
        known: HashMap::new(),
        frames: Vec::new(),
        end,
    };
    let thread_memory = f.locals.values().fold(0u64, |n, local| n.saturating_add(module.types.size_of(local.ty)));
    if thread_memory > MOST_THREAD_MEMORY {
        let message = format!(
            "the variables of a thread take {thread_memory} bytes; NVIDIA GPUs have {MOST_THREAD_MEMORY} bytes of memory for each"
        );
        return Err(CodegenError::unsupported("unsupported-thread-memory", message, Span::NONE));
    }
    for (_, local) in f.locals.iter() {
        let size = module.types.size_of(local.ty).max(1);
        let direct = e.value_type(local.ty);
        let ty = direct.unwrap_or_else(|| ll.array(ll.int(8), size));
        let slot = ll.alloca(ty, local.align.max(1));
        e.locals.push(slot);
    }
    e.make_globals(dynamic_shared);
    if e.renumbered {
        e.pairs = super::matrix_load::pairs(&e);
        e.matrix_uses = super::matrix_load::Uses::new(&e);
        let mut locals: Vec<_> = e.matrix_uses.locals.iter().copied().collect();
        locals.sort_by_key(|local| local.index());
        e.rights = locals.into_iter().map(|local| (local, ll.alloca(i32t, 4))).collect();
    }
    if e.meeting.is_none() {
        e.copies = super::async_copy::find(&e);
    }
    if !e.copies.is_empty() {
        e.waits = super::async_waits::find(&e);
    }
    e.begin();
    e.begin_meetings();
    e.masked = super::masks::find(&e);
    e.mask = Some(e.entry_mask).filter(|_| !e.masked.is_empty());
    if e.block(&f.body)? {
        ll.br(end);
    }
    ll.at_end(end);
    ll.ret_void();
    e.finish_faults();
    Ok(NvptxKernel {
        ptx: String::new(),
        inline,
        elements,
        static_shared: e.static_shared,
        sites: e.sites,
        formats: e.formats,
        needs_ranges: e.needs_ranges,
        threadgroup: options.threadgroup,
    })
}

impl Emit<'_> {
    fn sreg(&self, name: &str) -> V {
        self.ll.intrinsic(&format!("llvm.nvvm.read.ptx.sreg.{name}"), self.ll.int(32), &[])
    }

    /// `dynamic_shared`: where what is allocated with the launch begins.
    fn make_globals(&mut self, dynamic_shared: V) {
        let (ll, module) = (self.ll, self.module);
        let mut used = Vec::new();
        msl_ir::analysis::tree::walk(self.f, &self.f.body, &mut |v| {
            if let Op::GlobalAddr(g) = self.f.insts[v].op {
                used.push(g);
            }
        });
        let mut places = HashMap::new();
        for (id, g) in module.globals.iter().filter(|(_, g)| g.space == AddressSpace::Threadgroup) {
            let start = self.static_shared.next_multiple_of(u64::from(g.align.max(16)));
            places.insert(id, start);
            self.static_shared = start + module.types.size_of(g.ty);
        }
        let words = super::meetings::are_needed(self).then(|| {
            let warps = u64::from(self.options.threadgroup.iter().product::<u32>().div_ceil(32));
            let start = self.static_shared.next_multiple_of(4);
            self.static_shared = start + 4 * warps;
            (start, 4 * warps)
        });
        let is_dynamic = super::is_dynamic(self.static_shared);
        self.meeting = words.map(|(start, size)| match is_dynamic {
            true => ll.gep_const(dynamic_shared, start),
            false => ll.global_bytes("meetings", size, None, 4, 3),
        });
        // Those whose addresses stand in others come earlier in the module.
        for (id, g) in module.globals.iter().collect::<Vec<_>>().into_iter().rev() {
            if used.contains(&id) {
                used.extend(g.pointers.iter().map(|p| p.target));
            }
        }
        for (id, g) in module.globals.iter() {
            let size = module.types.size_of(g.ty);
            let is_shared = g.space == AddressSpace::Threadgroup;
            if !used.contains(&id) {
                continue;
            }
            let name = format!("global{}", id.index());
            let size = size.max(1);
            let v = if is_shared && is_dynamic {
                ll.gep_const(dynamic_shared, places[&id])
            } else if is_shared {
                ll.global_bytes(&name, size, None, g.align.max(16), 3)
            } else {
                let pointers: Vec<_> = g
                    .pointers
                    .iter()
                    .filter_map(|p| Some((p.offset, *self.globals.get(&p.target)?, p.addend)))
                    .collect();
                let bytes = g.init.as_deref().unwrap_or(&[]);
                ll.global_bytes(&name, size, Some((bytes, &pointers)), g.align.max(16), 1)
            };
            self.globals.insert(id, v);
        }
    }

    fn sreg_below(&self, name: &str, limit: u32) -> V {
        let ll = self.ll;
        let v = self.sreg(name);
        ll.set_md(v, "range", ll.md_node(&[ll.md_int(0), ll.md_int(limit)]));
        v
    }

    /// After a launch that faulted, later ones of its command list do nothing. The word is that of a launch
    /// before, so an ordinary load sees it.
    fn end_after_fault(&self) {
        let ll = self.ll;
        let (check, go) = (ll.new_block("later"), ll.new_block("go"));
        ll.likely_br(ll.eq(self.dispatch, ll.c32(0)), go, check);
        ll.at_end(check);
        let claimed = ll.load(ll.int(32), ll.gep_const(self.status, status::CLAIMED), 4);
        ll.likely_br(ll.eq(claimed, ll.c32(0)), go, self.end);
        ll.at_end(go);
    }

    /// Positions; threads outside of the grid end here.
    fn begin(&mut self) {
        let ll = self.ll;
        let i32t = ll.int(32);
        let axes = ["x", "y", "z"];
        let size = self.options.threadgroup;
        self.end_after_fault();
        let tid: [V; 3] = std::array::from_fn(|i| {
            if size[i] == 1 { ll.c32(0) } else { self.sreg_below(&format!("tid.{}", axes[i]), size[i]) }
        });
        // Launches are split along the second and third axis only.
        self.group = std::array::from_fn(|i| {
            let at = self.sreg_below(&format!("ctaid.{}", axes[i]), if i == 0 { i32::MAX as u32 } else { 65535 });
            if i == 0 { at } else { ll.add(at, self.base[i]) }
        });
        let row = ll.add(tid[1], ll.mul(tid[2], ll.c32(size[1])));
        self.index = ll.add(tid[0], ll.mul(row, ll.c32(size[0])));
        self.lane = ll.and(self.index, ll.c32(31));
        self.position = tid;
        if self.renumbered {
            use llvm_sys::LLVMOpcode::{LLVMUDiv, LLVMURem};
            self.lane = super::matrix::metal_lane(ll, self.lane);
            self.index = ll.or(ll.and(self.index, ll.c32(!31)), self.lane);
            let row = ll.bin(LLVMUDiv, self.index, ll.c32(size[0]));
            self.position = [
                ll.bin(LLVMURem, self.index, ll.c32(size[0])),
                ll.bin(LLVMURem, row, ll.c32(size[1])),
                ll.bin(LLVMUDiv, row, ll.c32(size[1])),
            ];
        }
        let threads: u32 = size.iter().product();
        let is_full = threads.is_multiple_of(32);
        let active = if is_full { ll.c32(u32::MAX) } else { ll.intrinsic("llvm.nvvm.activemask", i32t, &[]) };
        self.entry_mask = active;
        if !self.options.edge_groups {
            return;
        }
        let left: [V; 3] = std::array::from_fn(|i| {
            let first = ll.mul(self.group[i], ll.c32(size[i]));
            let rest = ll.sub(self.grid[i], first);
            ll.intrinsic1("umin", i32t, &[rest, ll.c32(size[i])])
        });
        let count = ll.mul(ll.mul(left[0], left[1]), left[2]);
        self.group_size = left;
        if size[1] != 1 || size[2] != 1 {
            let (small, joined) = (ll.new_block("edge"), ll.new_block("placed"));
            let full_end = ll.current();
            ll.likely_br(ll.eq(count, ll.c32(threads)), joined, small);
            ll.at_end(small);
            use llvm_sys::LLVMOpcode::{LLVMUDiv, LLVMURem};
            let row = ll.bin(LLVMUDiv, self.index, left[0]);
            let edge =
                [ll.bin(LLVMURem, self.index, left[0]), ll.bin(LLVMURem, row, left[1]), ll.bin(LLVMUDiv, row, left[1])];
            ll.br(joined);
            ll.at_end(joined);
            self.position = std::array::from_fn(|i| ll.phi(i32t, &[(tid[i], full_end), (edge[i], small)]));
        }
        let inside = ll.ult(self.index, count);
        self.entry_mask = ll.intrinsic("llvm.nvvm.vote.ballot.sync", i32t, &[active, inside]);
        let body = ll.new_block("body");
        ll.likely_br(inside, body, self.end);
        ll.at_end(body);
    }

    pub fn position_in_grid(&self) -> [V; 3] {
        let ll = self.ll;
        std::array::from_fn(|i| {
            let first = ll.mul(self.group[i], ll.c32(self.options.threadgroup[i]));
            ll.add(first, self.position[i])
        })
    }

    pub fn builtin(&self, b: Builtin) -> Vec<V> {
        let ll = self.ll;
        let dispatch = self.options.threadgroup;
        let threads = || {
            let [x, y, z] = self.group_size;
            ll.mul(ll.mul(x, y), z)
        };
        let groups_of = |n: V, of: u32| {
            let up = ll.add(n, ll.c32(of - 1));
            ll.lshr(up, ll.c32(of.trailing_zeros()))
        };
        let all: u32 = dispatch.iter().product();
        match b {
            Builtin::ThreadPositionInGrid => self.position_in_grid().to_vec(),
            Builtin::ThreadPositionInThreadgroup => self.position.to_vec(),
            Builtin::ThreadgroupPositionInGrid => self.group.to_vec(),
            Builtin::ThreadsPerGrid => self.grid.to_vec(),
            Builtin::ThreadsPerThreadgroup => self.group_size.to_vec(),
            Builtin::DispatchThreadsPerThreadgroup => dispatch.map(|n| ll.c32(n)).to_vec(),
            Builtin::ThreadgroupsPerGrid => self.groups.to_vec(),
            Builtin::ThreadIndexInThreadgroup => vec![self.index],
            Builtin::ThreadIndexInSimdgroup => vec![self.lane],
            Builtin::SimdgroupIndexInThreadgroup => vec![ll.lshr(self.index, ll.c32(5))],
            Builtin::SimdgroupsPerThreadgroup => vec![groups_of(threads(), 32)],
            Builtin::DispatchSimdgroupsPerThreadgroup => vec![ll.c32(all.div_ceil(32))],
            Builtin::ThreadsPerSimdgroup => vec![ll.c32(32)],
            Builtin::ThreadIndexInQuadgroup => vec![ll.and(self.index, ll.c32(3))],
            Builtin::QuadgroupIndexInThreadgroup => vec![ll.lshr(self.index, ll.c32(2))],
            Builtin::QuadgroupsPerThreadgroup => vec![groups_of(threads(), 4)],
            Builtin::DispatchQuadgroupsPerThreadgroup => vec![ll.c32(all.div_ceil(4))],
        }
    }

    pub fn ty(&self, v: ValueId) -> msl_ir::TypeId {
        self.f.insts[v].ty
    }
}

fn count_uses(f: &Function) -> Vec<u32> {
    let mut uses = vec![0; f.insts.len()];
    msl_ir::analysis::tree::walk(f, &f.body, &mut |v| {
        f.insts[v].op.for_each_operand(|o| uses[o.index()] += 1);
    });
    uses
}

/// Whether the kernel only loads from a parameter, through pointers that are derived from it and nothing else.
fn is_read_plainly(f: &Function, module: &Module, provenance: &Provenance, param: u32) -> bool {
    let used = provenance.param_use(param);
    if used.written || used.escapes || module.types.pointee(f.params[param as usize]).is_none() {
        return false;
    }
    let is_derived = |v: ValueId| provenance.roots(v).contains(&Root::Param(param));
    let mut plain = true;
    msl_ir::analysis::tree::walk(f, &f.body, &mut |v| {
        let op = &f.insts[v].op;
        let mut touches = false;
        op.for_each_operand(|o| touches |= is_derived(o));
        plain &= match op {
            Op::Load { .. } => !is_derived(v),
            Op::FieldAddr { .. } | Op::IndexAddr { .. } | Op::PtrOffset { .. } | Op::PtrCast(_) => {
                !touches || provenance.roots(v) == [Root::Param(param)]
            }
            _ => !touches,
        };
    });
    plain
}

/// Whether the whole kernel may treat denormal numbers as zero: LLVM decides that by function. Comparisons
/// tell them apart even in fast math, and so do `bf16` operations, which are done in `f32`, and those of `f16`.
fn flushes_denormals(f: &Function, module: &Module) -> bool {
    fn walk(f: &Function, module: &Module, block: &Block) -> bool {
        block.insts.iter().all(|id| {
            let inst = &f.insts[*id];
            let scalar = |v: ValueId| module.types.scalar_of(f.insts[v].ty);
            let own = match &inst.op {
                Op::Unary(_, a) | Op::Binary(_, a, _) | Op::Fma(a, ..) => match scalar(*a) {
                    Some(msl_ir::Scalar::F32) => inst.fp.is_fast(),
                    // The instructions for halves flush theirs, too.
                    s => !matches!(s, Some(msl_ir::Scalar::F16 | msl_ir::Scalar::BF16)),
                },
                Op::Compare(_, a, _) => !scalar(*a).is_some_and(msl_ir::Scalar::is_float),
                _ => true,
            };
            own && inst.op.blocks().iter().all(|b| walk(f, module, b))
        })
    }
    walk(f, module, &f.body)
}

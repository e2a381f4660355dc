//! Dispatches, frames and control flow.
//!
//! A block is executed for a list of threads, in ascending order, and gives back those that
//! reach its end. `break` and `continue` hand their threads to the construct they name, which
//! joins them with those that got there by themselves: that is where threads reconverge.

use msl_base::{Id, Span};

use super::decode::{Decoded, Slot, decode, reachable};
use super::memory::{Access, Memory, Problem};
use super::simd::SIMDGROUP;
use super::{Argument, DispatchKind, Fault, FaultKind, LogRecord, Machine, descriptor_bytes};
use crate::*;

/// Indices of threads within the threadgroup, ascending.
pub(super) type Threads = Vec<u32>;
pub(super) type Outcome<T> = Result<T, Box<Fault>>;

/// Most threads of a threadgroup. Metal has 1024; more cost only memory.
const MAX_THREADS: u64 = 1 << 14;

/// Log records of a dispatch; more are dropped, as Metal drops what its log buffer cannot hold.
const MAX_LOGS: usize = 1 << 16;

/// Bytes of globals and locals of a threadgroup in execution.
const MAX_MEMORY: u64 = 1 << 32;

/// A call in progress.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub id: FunctionId,
    pub function: &'a Function,
    /// First word of the frame in the registers.
    pub base: usize,
    /// Pointer to the first local; the others follow by `LOCAL_STEP`.
    pub first_local: u64,
}

/// Pointers to consecutive allocations differ by this.
const LOCAL_STEP: u64 = 1 << 40;

/// A construct that threads can leave early.
struct Construct {
    label: LabelId,
    breaks: Threads,
    continues: Threads,
}

/// Sizes and positions of the threadgroup being executed.
#[derive(Clone, Copy, Default)]
pub(super) struct Shape {
    pub threads_per_grid: [u32; 3],
    pub threadgroups_per_grid: [u32; 3],
    /// As dispatched.
    pub dispatch_size: [u32; 3],
    /// Of this one.
    pub size: [u32; 3],
    pub position: [u32; 3],
}

pub(super) struct Exec<'m, 'a> {
    pub module: &'a Module,
    entry: &'a EntryPoint,
    pub memory: Memory,
    /// By function; those that are not reached have none.
    decoded: Vec<Option<Decoded>>,
    /// All values: rows of `stride` words.
    pub regs: Vec<u64>,
    /// Words in a row: the threads of a whole threadgroup.
    pub stride: usize,
    pub shape: Shape,
    /// Threads of this threadgroup.
    pub threads: u32,
    /// Which of them have returned from the kernel.
    returned: Vec<bool>,
    strict: bool,
    /// Bits of unspecified values.
    pub poison: u64,
    constructs: Vec<Construct>,
    steps_left: u64,
    logs: &'m mut Vec<LogRecord>,
}

/// Executes the dispatch of a machine.
pub(super) fn run(machine: &mut Machine<'_>, grid: [u32; 3], threadgroup: [u32; 3], kind: DispatchKind) -> Outcome<()> {
    let Some(mut shape) = shape(grid, threadgroup, kind) else {
        let message = format!("a grid of {grid:?} in threadgroups of {threadgroup:?} exceeds the limits");
        return Err(dispatch_fault(machine.entry, message));
    };
    if shape.threadgroups_per_grid.contains(&0) {
        return Ok(());
    }
    let (mut exec, arguments) = Exec::new(machine)?;
    exec.stride = threadgroup.iter().map(|&n| n as usize).product();
    if exec.memory_needed() > MAX_MEMORY {
        let message = "the kernel needs more memory than a threadgroup is given".to_owned();
        return Err(dispatch_fault(exec.entry, message));
    }
    let body = exec.prepare();
    let [nx, ny, nz] = shape.threadgroups_per_grid;
    for z in 0..nz {
        for y in 0..ny {
            for x in 0..nx {
                shape.position = [x, y, z];
                shape.size = std::array::from_fn(|i| {
                    let start = u64::from(shape.position[i]) * u64::from(threadgroup[i]);
                    let left = u64::from(shape.threads_per_grid[i]) - start;
                    left.min(u64::from(threadgroup[i])) as u32
                });
                exec.shape = shape;
                exec.threads = shape.size.iter().product();
                exec.threadgroup(body, &arguments)?;
            }
        }
    }
    Ok(())
}

/// A fault that no instruction is to blame for.
fn dispatch_fault(entry: &EntryPoint, message: String) -> Box<Fault> {
    Box::new(Fault {
        kind: FaultKind::Dispatch,
        message,
        kernel: entry.name,
        function: None,
        inst: None,
        span: Span::NONE,
        argument: None,
        thread: None,
        threadgroup: None,
    })
}

fn shape(grid: [u32; 3], threadgroup: [u32; 3], kind: DispatchKind) -> Option<Shape> {
    let total: u64 = threadgroup.iter().map(|&n| u64::from(n)).try_fold(1u64, u64::checked_mul)?;
    if total == 0 || total > MAX_THREADS {
        return None;
    }
    let mut shape = Shape { dispatch_size: threadgroup, ..Shape::default() };
    for i in 0..3 {
        (shape.threads_per_grid[i], shape.threadgroups_per_grid[i]) = match kind {
            DispatchKind::Threads => (grid[i], grid[i].div_ceil(threadgroup[i])),
            DispatchKind::Threadgroups => (grid[i].checked_mul(threadgroup[i])?, grid[i]),
        };
    }
    Some(shape)
}

impl<'m, 'a> Exec<'m, 'a> {
    /// The executor, and the value of each argument.
    fn new(machine: &'m mut Machine<'a>) -> Outcome<(Exec<'m, 'a>, Vec<u64>)> {
        let options = machine.options;
        let mut memory = Memory::new(&options);
        for (buffer, address) in &machine.resident {
            memory.add_resident(buffer, *address);
        }
        let mut arguments = Vec::new();
        for (param, argument) in machine.entry.params.iter().zip(&machine.arguments) {
            let pointer = match (&param.kind, argument) {
                (_, Argument::Unbound) => 0,
                (ParamKind::Buffer { .. }, Argument::Buffer(b)) => memory.add_host(b, b.is_writable, param.name),
                (ParamKind::Buffer { .. }, Argument::Bytes(b)) => memory.add_constant(b, 0, param.name, true),
                (ParamKind::Threadgroup { .. }, Argument::Threadgroup(len)) => {
                    memory.add_threadgroup(u64::from(*len), param.name, true)
                }
                (ParamKind::Texture { .. }, Argument::Textures(list)) => {
                    let mut bytes = Vec::new();
                    for texture in list {
                        let mut descriptor = texture.descriptor;
                        let is_writable = texture.data.is_writable && param.access != crate::Access::ReadOnly;
                        descriptor.data = memory.add_host(&texture.data, is_writable, param.name);
                        bytes.extend(descriptor_bytes(&descriptor));
                    }
                    memory.add_constant(&bytes, 0, param.name, true)
                }
                (ParamKind::Sampler, Argument::Sampler(state)) => state.0,
                _ => {
                    let message = format!("argument '{}' is bound to something of another kind", param.name);
                    return Err(dispatch_fault(machine.entry, message));
                }
            };
            arguments.push(pointer);
        }
        let exec = Exec {
            module: machine.module,
            entry: machine.entry,
            memory,
            decoded: Vec::new(),
            regs: Vec::new(),
            stride: 0,
            shape: Shape::default(),
            threads: 0,
            returned: Vec::new(),
            strict: options.strict,
            poison: u64::from_le_bytes([options.poison.unwrap_or(0); 8]),
            constructs: Vec::new(),
            steps_left: options.step_limit.unwrap_or(u64::MAX),
            logs: &mut machine.logs,
        };
        Ok((exec, arguments))
    }

    /// A bound on the bytes of globals and locals.
    fn memory_needed(&self) -> u64 {
        let types = &self.module.types;
        let globals = self.module.globals.values().map(|g| types.size_of(g.ty));
        let functions = reachable(self.module, self.entry.function);
        let locals = functions
            .iter()
            .flat_map(|&f| self.module.functions[f].locals.values())
            .map(|l| types.size_of(l.ty).saturating_mul(self.stride as u64));
        globals.chain(locals).fold(0, u64::saturating_add)
    }
    /// Decodes the functions and fills the rows of constants. Gives the first word after them.
    fn prepare(&mut self) -> usize {
        let mut globals = Vec::new();
        for global in self.module.globals.values() {
            let len = self.module.types.size_of(global.ty);
            globals.push(match global.space {
                AddressSpace::Threadgroup => self.memory.add_threadgroup(len, global.name, false),
                _ => {
                    let pointer =
                        self.memory.add_constant(global.init.as_deref().unwrap_or(&[]), len, global.name, false);
                    for p in &global.pointers {
                        let target = globals.get(p.target.index()).copied().unwrap_or(0) + p.addend;
                        self.memory.set_constant(len, p.offset, target);
                    }
                    pointer
                }
            });
        }
        self.decoded = self.module.functions.ids().map(|_| None).collect();
        let mut rows = 0;
        for id in reachable(self.module, self.entry.function) {
            let mut decoded = decode(self.module, &self.module.functions[id]);
            decoded.constant_base = rows;
            rows += decoded.constant_rows;
            self.regs.resize(rows * self.stride, 0);
            for &v in &decoded.constants {
                let inst = &self.module.functions[id].insts[v];
                let slot = decoded.slots[v.index()];
                let bits = match inst.op {
                    Op::Const(bits) => bits,
                    Op::GlobalAddr(global) => globals[global.index()],
                    _ => self.poison_of(slot.scalar),
                };
                let start = (decoded.constant_base + slot.row as usize) * self.stride;
                self.regs[start..start + usize::from(slot.components) * self.stride].fill(bits);
            }
            self.decoded[id.index()] = Some(decoded);
        }
        rows * self.stride
    }

    pub fn poison_of(&self, scalar: Option<Scalar>) -> u64 {
        scalar.map_or(0, |s| self.poison & super::scalar::mask(s))
    }

    fn threadgroup(&mut self, base: usize, arguments: &[u64]) -> Outcome<()> {
        self.memory.start_threadgroup();
        self.returned.clear();
        self.returned.resize(self.threads as usize, false);
        let function = self.entry.function;
        let rows = self.decoded(function).frame_rows;
        let params = usize::from(self.decoded(function).result_components);
        self.regs.resize(base + rows * self.stride, 0);
        for (i, &bits) in arguments.iter().enumerate() {
            let start = base + (params + i) * self.stride;
            self.regs[start..start + self.stride].fill(bits);
        }
        self.call(function, base, (0..self.threads).collect())
    }

    fn decoded(&self, id: FunctionId) -> &Decoded {
        // Every reachable function was decoded before the first was called.
        self.decoded[id.index()].as_ref().expect("decoded")
    }

    /// Executes a function whose parameters are in the frame at `base`.
    fn call(&mut self, id: FunctionId, base: usize, active: Threads) -> Outcome<()> {
        let function = &self.module.functions[id];
        let locals = std::mem::take(&mut self.decoded[id.index()].as_mut().expect("decoded").locals);
        let (mark, pointers) = self.memory.open_locals(&locals, self.stride);
        self.decoded[id.index()].as_mut().expect("decoded").locals = locals;
        let first_local = pointers.first().copied().unwrap_or(0);
        let frame = Frame { id, function, base, first_local };
        self.block(&frame, &function.body, active)?;
        self.memory.close_locals(mark);
        Ok(())
    }

    // ---- values ----------------------------------------------------------------------------
    pub fn slot(&self, frame: &Frame<'a>, value: ValueId) -> Slot {
        self.decoded(frame.id).slots[value.index()]
    }
    /// The first word of a value's first row.
    #[inline]
    pub fn at(&self, frame: &Frame<'a>, value: ValueId) -> usize {
        let decoded = self.decoded(frame.id);
        let slot = decoded.slots[value.index()];
        if slot.is_constant {
            (decoded.constant_base + slot.row as usize) * self.stride
        } else {
            frame.base + slot.row as usize * self.stride
        }
    }

    // ---- faults ----------------------------------------------------------------------------
    #[cold]
    pub fn fault(
        &self,
        frame: &Frame<'a>,
        value: ValueId,
        thread: Option<u32>,
        kind: FaultKind,
        message: String,
    ) -> Box<Fault> {
        Box::new(Fault {
            kind,
            message,
            kernel: self.entry.name,
            function: Some(frame.function.name),
            inst: Some(text::print_inst(self.module, frame.function, value)),
            span: frame.function.insts[value].span,
            argument: None,
            thread: thread.map(|t| self.position_in_grid(t)),
            threadgroup: Some(self.shape.position),
        })
    }
    #[cold]
    pub fn problem(&self, frame: &Frame<'a>, value: ValueId, thread: u32, problem: Problem) -> Box<Fault> {
        let mut fault = self.fault(frame, value, Some(thread), problem.kind, problem.message);
        fault.argument = problem.argument;
        fault
    }
    pub fn position_in_threadgroup(&self, thread: u32) -> [u32; 3] {
        let [x, y, _] = self.shape.size;
        [thread % x, thread / x % y, thread / x / y]
    }
    pub fn position_in_grid(&self, thread: u32) -> [u32; 3] {
        let local = self.position_in_threadgroup(thread);
        std::array::from_fn(|i| self.shape.position[i] * self.shape.dispatch_size[i] + local[i])
    }

    // ---- control ---------------------------------------------------------------------------
    /// Executes a block; gives the threads that reach its end.
    pub fn block(&mut self, frame: &Frame<'a>, block: &'a Block, mut active: Threads) -> Outcome<Threads> {
        for &value in &block.insts {
            if active.is_empty() {
                break;
            }
            if self.steps_left == 0 {
                let message = "the kernel executed more instructions than allowed".to_owned();
                return Err(self.fault(frame, value, active.first().copied(), FaultKind::StepLimit, message));
            }
            self.steps_left -= 1;
            let inst = &frame.function.insts[value];
            match &inst.op {
                Op::If { condition, then, otherwise } => {
                    active = self.branch(frame, *condition, then, otherwise, active)?;
                }
                Op::Loop { label, body, continuing, .. } => {
                    active = self.repeat(frame, (value, *label), body, continuing, active)?;
                }
                Op::Switch { label, value, cases } => {
                    active = self.switch(frame, *label, *value, cases, active)?;
                }
                Op::Scope { label, body } => {
                    self.open(*label);
                    let rest = self.block(frame, body, active)?;
                    active = join(self.close().breaks, rest);
                }
                Op::Break(label) => {
                    let threads = std::mem::take(&mut active);
                    let construct = self.construct(*label);
                    construct.breaks = join(std::mem::take(&mut construct.breaks), threads);
                }
                Op::Continue(label) => {
                    let threads = std::mem::take(&mut active);
                    let construct = self.construct(*label);
                    construct.continues = join(std::mem::take(&mut construct.continues), threads);
                }
                Op::Return(result) => {
                    if let Some(result) = result {
                        // The result comes first in the frame.
                        self.copy_rows(self.at(frame, *result), frame.base, self.slot(frame, *result), &active);
                    }
                    if frame.id == self.entry.function {
                        active.iter().for_each(|&t| self.returned[t as usize] = true);
                    }
                    active.clear();
                }
                Op::Unreachable => {
                    let message = "control reached what the program promises to be unreachable".to_owned();
                    return Err(self.fault(frame, value, active.first().copied(), FaultKind::Unreachable, message));
                }
                Op::Call { function, args } => self.call_inst(frame, value, *function, args, &active)?,
                _ => self.simple(frame, value, inst, &active)?,
            }
        }
        Ok(active)
    }

    fn open(&mut self, label: LabelId) {
        self.constructs.push(Construct { label, breaks: Vec::new(), continues: Vec::new() });
    }
    fn close(&mut self) -> Construct {
        // Opened by the caller; whatever was opened inside was closed inside.
        self.constructs.pop().expect("a construct is open")
    }
    fn construct(&mut self, label: LabelId) -> &mut Construct {
        // The verifier checked that the label encloses the branch; inner calls have closed theirs.
        self.constructs.iter_mut().rev().find(|c| c.label == label).expect("the label encloses the branch")
    }

    fn branch(
        &mut self,
        frame: &Frame<'a>,
        condition: ValueId,
        then: &'a Block,
        otherwise: &'a Block,
        active: Threads,
    ) -> Outcome<Threads> {
        let at = self.at(frame, condition);
        let taken = active.iter().filter(|&&t| self.regs[at + t as usize] != 0).count();
        if taken == active.len() {
            return self.block(frame, then, active);
        }
        if taken == 0 {
            return self.block(frame, otherwise, active);
        }
        let (yes, no) = active.into_iter().partition(|&t| self.regs[at + t as usize] != 0);
        let yes = self.block(frame, then, yes)?;
        let no = self.block(frame, otherwise, no)?;
        Ok(join(yes, no))
    }

    fn repeat(
        &mut self,
        frame: &Frame<'a>,
        (value, label): (ValueId, LabelId),
        body: &'a Block,
        continuing: &'a Block,
        mut active: Threads,
    ) -> Outcome<Threads> {
        self.open(label);
        while !active.is_empty() {
            if self.steps_left == 0 {
                // Also ends loops without instructions.
                let message = "the kernel executed more instructions than allowed".to_owned();
                return Err(self.fault(frame, value, active.first().copied(), FaultKind::StepLimit, message));
            }
            self.steps_left -= 1;
            let rest = self.block(frame, body, active)?;
            let continued = std::mem::take(&mut self.construct(label).continues);
            active = self.block(frame, continuing, join(continued, rest))?;
        }
        Ok(self.close().breaks)
    }

    fn switch(
        &mut self,
        frame: &Frame<'a>,
        label: LabelId,
        value: ValueId,
        cases: &'a [Case],
        active: Threads,
    ) -> Outcome<Threads> {
        let at = self.at(frame, value);
        let scalar = self.slot(frame, value).scalar.unwrap_or(Scalar::I64);
        let default = cases.iter().position(|c| c.is_default);
        let mut entering = vec![Threads::new(); cases.len()];
        let mut after = Threads::new();
        for t in active {
            let v = super::scalar::extend(scalar, self.regs[at + t as usize]);
            match cases.iter().position(|c| c.values.contains(&v)).or(default) {
                Some(case) => entering[case].push(t),
                None => after.push(t),
            }
        }
        self.open(label);
        let mut falling = Threads::new();
        for (case, threads) in cases.iter().zip(entering) {
            falling = self.block(frame, &case.body, join(falling, threads))?;
        }
        let breaks = self.close().breaks;
        Ok(join(join(breaks, falling), after))
    }

    fn call_inst(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        callee: FunctionId,
        args: &[ValueId],
        active: &Threads,
    ) -> Outcome<()> {
        let base = frame.base + self.decoded(frame.id).frame_rows * self.stride;
        let rows = self.decoded(callee).frame_rows;
        if self.regs.len() < base + rows * self.stride {
            self.regs.resize(base + rows * self.stride, 0);
        }
        let mut row = usize::from(self.decoded(callee).result_components);
        for &arg in args {
            let slot = self.slot(frame, arg);
            self.copy_rows(self.at(frame, arg), base + row * self.stride, slot, active);
            row += usize::from(slot.components);
        }
        self.call(callee, base, active.clone())?;
        self.copy_rows(base, self.at(frame, value), self.slot(frame, value), active);
        Ok(())
    }

    /// Copies a value, for the active threads, between places in the registers.
    pub fn copy_rows(&mut self, from: usize, to: usize, slot: Slot, active: &[u32]) {
        for c in 0..usize::from(slot.components) {
            for &t in active {
                let i = c * self.stride + t as usize;
                self.regs[to + i] = self.regs[from + i];
            }
        }
    }

    // ---- instructions without blocks ---------------------------------------------------------
    fn simple(&mut self, frame: &Frame<'a>, value: ValueId, inst: &'a Inst, active: &[u32]) -> Outcome<()> {
        match &inst.op {
            // Their rows are filled already.
            Op::Const(_) | Op::Undef | Op::GlobalAddr(_) | Op::Param(_) => {}
            Op::Load { .. } | Op::Store { .. } | Op::Copy { .. } | Op::Atomic { .. } | Op::CompareExchange { .. } => {
                self.memory_op(frame, value, &inst.op, active)?;
            }
            Op::LocalAddr(local) => {
                let pointer = frame.first_local.wrapping_add(u64::from(local.0) * LOCAL_STEP);
                let at = self.at(frame, value);
                for &t in active {
                    self.regs[at + t as usize] = pointer;
                }
            }
            Op::Builtin(builtin) => self.builtin(frame, value, *builtin, active),
            Op::Fence { .. } => {}
            Op::Barrier { scope, flags } => self.barrier(frame, value, *scope, *flags, active)?,
            Op::Simd(op, args) => self.simd(frame, value, *op, args, active),
            Op::Log { format, args } => {
                let init = self.module.globals[*format].init.as_deref().unwrap_or(&[]);
                for &t in active.iter().take(MAX_LOGS.saturating_sub(self.logs.len())) {
                    let mut words = Vec::new();
                    for &a in args {
                        let (slot, at) = (self.slot(frame, a), self.at(frame, a));
                        for c in 0..usize::from(slot.components) {
                            let bits = self.regs[at + c * self.stride + t as usize];
                            words.push(slot.scalar.map_or(bits, |s| super::scalar::widen(s, bits)));
                        }
                    }
                    let record = log::record(init, &words);
                    self.logs.push(LogRecord { record, thread: self.position_in_grid(t), span: inst.span });
                }
            }
            Op::Trap(message) => {
                let message = message.as_str().to_owned();
                return Err(self.fault(frame, value, active.first().copied(), FaultKind::Trap, message));
            }
            // Control was handled by the caller; the rest has one result per thread.
            _ => self.elementwise(frame, value, inst, active),
        }
        Ok(())
    }

    /// A thread that a threadgroup barrier waits for in vain.
    fn missing_at_barrier(&self, active: &[u32]) -> Option<u32> {
        if active.len() == self.threads as usize {
            return None;
        }
        let mut arrived = vec![false; self.threads.div_ceil(SIMDGROUP) as usize];
        active.iter().for_each(|t| arrived[(t / SIMDGROUP) as usize] = true);
        (0..self.threads).find(|&t| {
            if self.strict {
                active.binary_search(&t).is_err()
            } else {
                !arrived[(t / SIMDGROUP) as usize] && !self.returned[t as usize]
            }
        })
    }

    fn barrier(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        scope: BarrierScope,
        flags: MemFlags,
        active: &[u32],
    ) -> Outcome<()> {
        let device = flags.0 & (MemFlags::DEVICE.0 | MemFlags::TEXTURE.0) != 0;
        let threadgroup = flags.0 & MemFlags::THREADGROUP.0 != 0;
        match scope {
            BarrierScope::Threadgroup => {
                let orders_nothing = flags.0 == 0 && !self.strict;
                if let Some(missing) = self.missing_at_barrier(active).filter(|_| !orders_nothing) {
                    let message = format!(
                        "a threadgroup barrier is reached by {} of {} threads; this one is not among them",
                        active.len(),
                        self.threads
                    );
                    return Err(self.fault(frame, value, Some(missing), FaultKind::DivergentBarrier, message));
                }
                self.memory.barrier(device, threadgroup);
            }
            BarrierScope::Simdgroup => {
                let mut last = None;
                for &t in active {
                    if last != Some(t / 32) {
                        last = Some(t / 32);
                        self.memory.simdgroup_barrier(t / 32, device, threadgroup);
                    }
                }
            }
        }
        Ok(())
    }

    /// Checks an access; the place is valid until memory is added.
    pub fn access(
        &mut self,
        frame: &Frame<'a>,
        value: ValueId,
        pointer: u64,
        thread: u32,
        access: Access,
    ) -> Outcome<*mut u8> {
        match self.memory.access(pointer, thread, access) {
            Ok(place) => Ok(place),
            Err(problem) => {
                let mut fault = self.problem(frame, value, thread, problem);
                if pointer == 0 {
                    fault.message.push_str(" (an argument that is not bound is null)");
                }
                Err(fault)
            }
        }
    }
}

/// Both lists, in ascending order.
fn join(a: Threads, b: Threads) -> Threads {
    if a.is_empty() {
        return b;
    }
    if b.is_empty() {
        return a;
    }
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] < b[j] {
            out.push(a[i]);
            i += 1;
        } else {
            out.push(b[j]);
            j += 1;
        }
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

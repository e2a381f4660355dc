//! Atomic operations on buffers that a kernel does nothing else with, and whose results nobody asks for: histograms,
//! counters, sums over all threadgroups. What order they are done in, and when, nobody can tell; so those near the
//! start of the buffer are done in scratch memory of the host's thread, a *window*, with plain instructions, and what came
//! together is added to the buffer once, at the end of the range of threadgroups.
//!
//! In: the function, and what the host promised of the buffers. Out: one [`Window`] for each such buffer, empty where the
//! range begins. Floats are left out: their sums depend on the order. So are kernels that access memory through
//! pointers from elsewhere, which could be the buffer's. A range of a few threadgroups goes without: windows are written
//! and read as a whole.

use std::collections::HashMap;

use llvm_sys::LLVMIntPredicate as IP;
use msl_base::Id;
use msl_ir::{AddressSpace, AtomicOp, Block, EntryPoint, Function, Module, Op, ParamKind, Scalar, ValueId};

use super::atomic::{identity, real_rmw};
use super::kernel::{Arg, Emit, Scratch};
use crate::emit::shape::Root;
use crate::emit::value::{Comp, Pointer};
use crate::llvm::{B, Ll, V};

/// Bytes of all windows of a kernel.
const SIZE: u64 = 8192;
/// Buffers that have one.
const MOST: usize = 4;
/// Ranges of more threadgroups than this use them.
const FEW: u64 = 3;

/// What stands for the first bytes of a buffer.
pub struct Window {
    op: AtomicOp,
    scalar: Scalar,
    /// Where it is, and for which offsets: none where it is not used.
    start: V,
    most: V,
    bytes: u64,
}

/// What is done with the pointers to a buffer.
#[derive(Clone, Copy, PartialEq)]
enum Use {
    Nothing,
    Atomic(AtomicOp, Scalar),
    Other,
}

struct Finder<'a> {
    module: &'a Module,
    f: &'a Function,
    uses: &'a [u32],
    /// The parameter that a pointer was derived from.
    roots: HashMap<ValueId, usize>,
    found: Vec<Use>,
    goes_elsewhere: bool,
}

impl Finder<'_> {
    fn block(&mut self, b: &Block) {
        for id in &b.insts {
            self.inst(*id);
            for b in self.f.insts[*id].op.blocks() {
                self.block(b);
            }
        }
    }

    fn inst(&mut self, id: ValueId) {
        let inst = &self.f.insts[id];
        match &inst.op {
            Op::Param(i) => {
                self.roots.insert(id, *i as usize);
            }
            Op::IndexAddr { base, .. }
            | Op::PtrOffset { base, .. }
            | Op::FieldAddr { base, .. }
            | Op::PtrCast(base) => {
                if let Some(root) = self.roots.get(base).copied() {
                    self.roots.insert(id, root);
                }
            }
            Op::Atomic { op, ptr, value: Some(v), .. } if self.roots.contains_key(ptr) => {
                let root = self.roots[ptr];
                let op = if *op == AtomicOp::Sub { AtomicOp::Add } else { *op };
                let s = self.module.types.scalar_of(self.f.insts[*v].ty);
                let combines = !matches!(op, AtomicOp::Load | AtomicOp::Store | AtomicOp::Exchange);
                let s = s.filter(|s| s.is_integer() && s.bits() >= 32 && combines && self.uses[id.index()] == 0);
                let now = s.map_or(Use::Other, |s| Use::Atomic(op, s));
                let before = self.found[root];
                self.found[root] = if before == Use::Nothing || before == now { now } else { Use::Other };
            }
            op => {
                let mut others = Vec::new();
                op.for_each_operand(|v| others.push(v));
                for v in others {
                    if let Some(root) = self.roots.get(&v) {
                        self.found[*root] = Use::Other;
                    } else if let Some((AddressSpace::Device, _)) = self.module.types.pointee(self.f.insts[v].ty) {
                        self.goes_elsewhere = true;
                    }
                }
            }
        }
    }
}

/// The buffers of which a kernel has windows, and what it does there.
fn find(module: &Module, f: &Function, entry: &EntryPoint, uses: &[u32]) -> Vec<(usize, AtomicOp, Scalar)> {
    let found = vec![Use::Nothing; entry.params.len()];
    let mut finder = Finder { module, f, uses, roots: HashMap::new(), found, goes_elsewhere: false };
    finder.block(&f.body);
    if finder.goes_elsewhere {
        return Vec::new();
    }
    let is_buffer = |i: usize| matches!(entry.params[i].kind, ParamKind::Buffer { is_constant: false, .. });
    let list = finder.found.iter().enumerate().filter_map(|(i, u)| match u {
        Use::Atomic(op, s) if is_buffer(i) => Some((i, *op, *s)),
        _ => None,
    });
    list.take(MOST).collect()
}

/// All windows of a kernel.
#[derive(Default)]
pub struct Windows {
    list: Vec<(usize, Window)>,
    /// Whether this range uses them.
    in_use: Option<V>,
}

impl Windows {
    /// Where the range of `count` threadgroups begins: windows are made to hold nothing.
    #[expect(clippy::too_many_arguments, reason = "what is there before there is an emitter")]
    pub fn begin(
        ll: &Ll,
        module: &Module,
        f: &Function,
        entry: &EntryPoint,
        uses: &[u32],
        args: &[Arg],
        plan: &mut Scratch,
        scratch: V,
        count: V,
    ) -> Windows {
        let found = find(module, f, entry, uses);
        if found.is_empty() {
            return Windows::default();
        }
        let bytes = SIZE / found.len().next_power_of_two() as u64;
        let in_use = ll.icmp(IP::LLVMIntUGT, count, ll.c64(FEW));
        let (fill, ready) = (ll.new_block("fill"), ll.new_block("ready"));
        let mut windows = Windows { list: Vec::new(), in_use: Some(in_use) };
        for (i, op, scalar) in found {
            let start = ll.gep_const(scratch, plan.take(bytes, 64));
            let least = ll.intrinsic1("umin", ll.int(64), &[args[i].length, ll.c64(bytes)]);
            let most = ll.intrinsic1("usub.sat", ll.int(64), &[least, ll.c64(u64::from(scalar.size()) - 1)]);
            let most = ll.select(in_use, most, ll.c64(0));
            windows.list.push((i, Window { op, scalar, start, most, bytes }));
        }
        ll.cond_br(in_use, fill, ready);
        ll.at_end(fill);
        for (_, w) in &windows.list {
            let (t, _) = w.line(ll);
            count_lines(ll, ll.c64(w.bytes), |at| {
                ll.store(identity(ll, w.op, w.scalar, t), ll.gep(w.start, at), 64);
            });
        }
        ll.br(ready);
        ll.at_end(ready);
        windows
    }

    /// Where it ends: what came together is added to the buffers.
    pub fn end(&self, ll: &Ll, args: &[Arg]) {
        let Some(in_use) = self.in_use else { return };
        let (add, done) = (ll.new_block("add"), ll.new_block("added"));
        ll.cond_br(in_use, add, done);
        ll.at_end(add);
        for (i, w) in &self.list {
            let (t, lanes) = w.line(ll);
            let size = u64::from(w.scalar.size());
            let filled = ll.intrinsic1("umin", ll.int(64), &[args[*i].length, ll.c64(w.bytes)]);
            count_lines(ll, filled, |at| {
                let line = ll.load(t, ll.gep(w.start, at), 64);
                let some = ll.ne(line, identity(ll, w.op, w.scalar, t));
                let bits_type = ll.int(lanes);
                let bits = ll.bitcast(some, bits_type);
                let from = ll.current();
                let (head, one, next) = (ll.new_block("elements"), ll.new_block("element"), ll.new_block("nextline"));
                ll.br(head);
                ll.at_end(head);
                let left = ll.phi(bits_type, &[(bits, from)]);
                ll.cond_br(ll.eq(left, ll.zero(bits_type)), next, one);
                ll.at_end(one);
                let lane = ll.intrinsic1("cttz", bits_type, &[left, ll.cbool(true)]);
                let offset = ll.add(at, ll.mul(ll.zext(lane, ll.int(64)), ll.c64(size)));
                let x = ll.load(ll.elem(t), ll.gep(w.start, offset), w.scalar.size());
                real_rmw(ll, w.op, w.scalar, ll.gep(args[*i].pointer, offset), x);
                let rest = ll.and(left, ll.sub(left, ll.cint(bits_type, 1)));
                ll.add_incoming(left, &[(rest, ll.current())]);
                let back = ll.br_back(head);
                ll.loop_hint(back, "llvm.loop.unroll.disable", None);
                ll.at_end(next);
            });
        }
        ll.br(done);
        ll.at_end(done);
    }

    fn of(&self, root: Root) -> Option<&Window> {
        let Root::Param(i) = root else { return None };
        self.list.iter().find(|(k, _)| *k == i as usize).map(|(_, w)| w)
    }
}

/// Emits what is done for each 64 bytes of the first `bytes`.
fn count_lines(ll: &Ll, bytes: V, each: impl FnOnce(V)) {
    let from = ll.current();
    let (head, line, out) = (ll.new_block("lines"), ll.new_block("line"), ll.new_block("endlines"));
    ll.br(head);
    ll.at_end(head);
    let at = ll.phi(ll.int(64), &[(ll.c64(0), from)]);
    ll.cond_br(ll.ult(at, bytes), line, out);
    ll.at_end(line);
    each(at);
    let next = ll.add(at, ll.c64(64));
    ll.add_incoming(at, &[(next, ll.current())]);
    let back = ll.br_back(head);
    ll.loop_hint(back, "llvm.loop.unroll.disable", None);
    ll.at_end(out);
}

impl Window {
    /// 64 bytes of it.
    fn line(&self, ll: &Ll) -> (crate::llvm::T, u32) {
        let lanes = 512 / self.scalar.bits();
        (ll.vec(ll.int(self.scalar.bits()), lanes), lanes)
    }
}

impl Emit<'_> {
    /// Whether operations whose results nobody asks for may be done in a window.
    pub fn has_window_of(&self, p: &Pointer) -> bool {
        !p.valid && self.windows.of(p.root).is_some()
    }

    /// Does an operation in the window, if there is one and all of it is there. Gives where that goes on; what is emitted
    /// next is for when it is not, and must go there as well.
    pub fn in_window(&mut self, op: AtomicOp, s: Scalar, p: &Pointer, v: &Comp) -> Option<B> {
        if p.valid {
            return None;
        }
        let w = self.windows.of(p.root)?;
        let (start, most) = (w.start, w.most);
        let (ll, gang) = (self.ll, self.gang);
        let size = u64::from(s.size());
        let (inside, outside, done) = (ll.new_block("inside"), ll.new_block("outside"), ll.new_block("collected"));
        // Elements of the window are elements of the buffer: what lies across two of them does not go there.
        let fits = |offset: V| {
            let t = ll.type_of(offset);
            let most = if ll.is_vector(t) { ll.splat(most, gang.lanes) } else { most };
            let is_aligned = ll.eq(ll.and(offset, ll.cint(t, size - 1)), ll.zero(t));
            ll.and(ll.ult(offset, most), is_aligned)
        };
        if p.var.is_none() && !p.scalar.shape.parts() {
            let offset = p.scalar.get(ll, gang, 0, false);
            ll.cond_br(fits(offset), inside, outside);
            ll.at_end(inside);
            let total = self.reduce_for_atomic(op, s, v);
            self.plain_rmw(op, s, ll.gep(start, offset), total, None);
            ll.br(done);
            ll.at_end(outside);
            return Some(done);
        }
        let offsets: Vec<V> = (0..gang.parts)
            .map(|part| match &p.var {
                None => p.scalar.get(ll, gang, part, true),
                Some(var) => self.offsets64(p, var, part),
            })
            .collect();
        let tests: Vec<V> = offsets.iter().map(|o| fits(*o)).collect();
        let is_row = p
            .var
            .as_ref()
            .is_some_and(|var| var.index.shape.linear.is_some_and(|l| l.stride.wrapping_mul(var.scale) == size as i64));
        if is_row {
            // Also where lanes are off: all of a row is read and written.
            ll.cond_br(self.all_of(&tests), inside, outside);
            ll.at_end(inside);
            for (part, offset) in offsets.iter().enumerate() {
                let at = ll.gep(start, ll.extract(*offset, 0));
                let x = self.values_or_identity(op, s, v, part as u32);
                self.plain_rmw(op, s, at, x, None);
            }
        } else {
            ll.cond_br(self.holds_where_active(&tests, &self.mask), inside, outside);
            ll.at_end(inside);
            let apart = p.var.as_ref().filter(|var| self.mask.is_none() && var.index.shape.linear.is_none());
            for (part, offset) in offsets.iter().enumerate() {
                let part = part as u32;
                let offset = match &self.mask {
                    None => *offset,
                    // Any place does for those that change nothing.
                    Some(m) => ll.select(m[part as usize], *offset, ll.zero(ll.type_of(*offset))),
                };
                let x = self.values_or_identity(op, s, v, part);
                let values = self.lanes_of(x, s.size(), v.shape.lanes());
                let index = apart.map(|var| self.indices_of(var, part));
                for lane in 0..gang.lanes {
                    let place = match (&index, apart) {
                        (Some(index), Some(var)) => {
                            let first = p.scalar.get(ll, gang, part, false);
                            ll.add(first, ll.mul(index(lane), ll.c64(var.scale as u64)))
                        }
                        _ => ll.extract(offset, lane),
                    };
                    self.plain_rmw(op, s, ll.gep(start, place), values(lane), None);
                }
            }
        }
        ll.br(done);
        ll.at_end(outside);
        Some(done)
    }

    /// A part of the operands, with what changes nothing where lanes are off.
    fn values_or_identity(&self, op: AtomicOp, s: Scalar, v: &Comp, part: u32) -> V {
        let ll = self.ll;
        let x = v.get(ll, self.gang, part, true);
        match &self.mask {
            None => x,
            Some(m) => ll.select(m[part as usize], x, identity(ll, op, s, ll.type_of(x))),
        }
    }
}

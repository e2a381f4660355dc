//! Addresses and accesses, with their tests.
//!
//! A pointer carries its offset from the memory it was derived from, so that a test is one comparison
//! that LLVM can fold, move out of loops and share. What a pointer was derived from is known from the
//! provenance analysis; where it is one of several, one of them must hold the access, and where it is
//! unknown (loaded from an argument buffer, made from an integer) the ranges of all resident buffers
//! are searched.

use llvm_sys::LLVMIntPredicate as IP;
use msl_base::Id;
use msl_ir::analysis::Root;
use msl_ir::{AddressSpace, Op, Scalar, Type, TypeId, ValueId};

use super::kernel::{Emit, Ptr, Val, space_number};
use super::misaligned;
use crate::compiler::FaultKind;
use crate::emit::arith;
use crate::emit::value::{memory_type, register_type};
use crate::llvm::{Ll, V};

/// The test of an access.
pub struct Bounds {
    pub ok: V,
    /// For the record.
    pub place: Place,
    pub param: Option<u32>,
    /// What the pointer may point into, where that is all known and more than one thing.
    pub among: Vec<Root>,
}

/// What a thread that may not go on tells about where.
#[derive(Clone, Copy)]
pub enum Place {
    /// An offset in the argument, or an address.
    Offset(V),
    /// How far a pointer is behind the start of the argument.
    Between { start: V, pointer: V },
}

impl Place {
    /// The number for the record, where it is needed. Threads that go on need the pointer and not the offset: it is found
    /// from the pointer in a way that LLVM does not see through, else the pointer would be computed in two steps.
    pub fn emit(self, ll: &Ll) -> V {
        match self {
            Place::Offset(v) => v,
            Place::Between { start, pointer } => {
                let operands = [ll.ptr_to_int(pointer), ll.ptr_to_int(start)];
                ll.plain_asm("sub.s64 $0, $1, $2;", "=l,l,l", ll.int(64), &operands)
            }
        }
    }
}

impl Emit<'_> {
    pub fn space_of(&self, v: ValueId) -> AddressSpace {
        self.module.types.pointee(self.ty(v)).map_or(AddressSpace::Device, |p| p.0)
    }
    fn pointee(&self, v: ValueId) -> TypeId {
        self.module.types.pointee(self.ty(v)).map_or(self.ty(v), |p| p.1)
    }

    /// How many bytes an index moves the pointer that [`Op::IndexAddr`] or [`Op::PtrOffset`] makes.
    pub fn bytes_of_step(&self, pointer: ValueId) -> Option<u64> {
        let types = &self.module.types;
        match &self.f.insts[pointer].op {
            Op::PtrOffset { base, .. } => Some(types.size_of(self.pointee(*base))),
            Op::IndexAddr { base, .. } => match types.get(self.pointee(*base)) {
                Type::Array { elem, .. } => Some(types.size_of(*elem)),
                Type::Vector { elem, .. } => Some(u64::from(elem.size())),
                _ => None,
            },
            _ => None,
        }
    }

    // ---- addresses -----------------------------------------------------------------------------
    pub fn address(&mut self, id: ValueId) -> Option<Val> {
        let (ll, f) = (self.ll, self.f);
        let types = &self.module.types;
        let zero = Some(ll.c64(0));
        let trusted = self.provenance.is_trusted(id);
        let ptr = |p: V, offset: Option<V>, valid: bool| Some(Val::Ptr(Ptr { p, offset, valid }));
        match &f.insts[id].op {
            Op::Param(i) => {
                let arg = self.args[*i as usize];
                match types.get(self.ty(id)) {
                    Type::Pointer { .. } => ptr(arg.value, zero, false),
                    _ => Some(Val::Comps(vec![arg.value])),
                }
            }
            Op::LocalAddr(l) => ptr(self.locals[l.index()], zero, false),
            Op::GlobalAddr(g) => ptr(self.globals[g], zero, false),
            Op::FieldAddr { base, field } => {
                let b = self.pointer(*base);
                let by = match types.get(self.pointee(*base)) {
                    Type::Struct(s) => types.structure(*s).fields.get(*field as usize).map_or(0, |f| f.offset),
                    _ => 0,
                };
                Some(Val::Ptr(self.moved(b, ll.c64(by))))
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let size = self.bytes_of_step(id).unwrap_or(0);
                Some(Val::Ptr(self.indexed(*base, *index, size)))
            }
            Op::PtrCast(a) => Some(Val::Ptr(self.pointer(*a))),
            Op::PtrDiff(a, b) => {
                let (a, b) = (ll.ptr_to_int(self.scalar(*a)), ll.ptr_to_int(self.scalar(*b)));
                Some(Val::Comps(vec![ll.sub(a, b)]))
            }
            Op::PtrToInt(a) => Some(Val::Comps(vec![ll.ptr_to_int(self.scalar(*a))])),
            Op::IntToPtr(a) => {
                let n = space_number(self.space_of(id));
                ptr(ll.int_to_ptr_in(self.scalar(*a), n), None, trusted)
            }
            Op::AssumeValid(a) => {
                let a = self.pointer(*a);
                ptr(a.p, a.offset, true)
            }
            _ => None,
        }
    }

    fn moved(&self, base: Ptr, by: V) -> Ptr {
        let ll = self.ll;
        if ll.as_const_int(by) == Some(0) {
            return base;
        }
        Ptr { p: ll.gep(base.p, by), offset: base.offset.map(|o| ll.add(o, by)), valid: base.valid }
    }
    fn indexed(&self, base: ValueId, index: ValueId, size: u64) -> Ptr {
        let ll = self.ll;
        let (b, s) = (self.pointer(base), self.scalar_of(index));
        let to = if s.is_signed() { Scalar::I64 } else { Scalar::U64 };
        let mut index = self.scalar(index);
        if self.hides_indices && s.bits() >= 32 && ll.as_const_int(index).is_none() {
            let (text, constraints) = if s.bits() == 32 { ("b32", "=r,r") } else { ("b64", "=l,l") };
            index = ll.plain_asm(&format!("mov.{text} $0, $1;"), constraints, ll.type_of(index), &[index]);
        }
        let index = arith::convert(ll, s, to, index);
        self.moved(b, if size == 1 { index } else { ll.mul(index, ll.c64(size)) })
    }

    // ---- tests ---------------------------------------------------------------------------------
    /// Start and length of the memory of a root.
    pub fn extent(&self, root: Root) -> Option<(V, V)> {
        let size = |ty: TypeId| self.ll.c64(self.module.types.size_of(ty));
        match root {
            Root::Param(i) => {
                let a = self.args[i as usize];
                Some((a.value, a.length))
            }
            Root::Global(g) => Some((self.globals[&g], size(self.module.globals[g].ty))),
            Root::Local(l) => Some((self.locals[l.index()], size(self.f.locals[l].ty))),
            Root::Unknown { .. } => None,
        }
    }

    /// Where `size` bytes may be accessed through a pointer. Threadgroup and thread memory: within the variable,
    /// at its end instead of beyond it; that needs no branch, so loops keep one exit. Device and constant
    /// memory: the thread ends unless the access is in bounds.
    pub fn check(&mut self, id: ValueId, pointer: ValueId, p: Ptr, size: u64, align: u32, kind: FaultKind) -> V {
        if !p.valid
            && size <= 16
            && matches!(self.space_of(pointer), AddressSpace::Thread | AddressSpace::Threadgroup)
            && let (Some(offset), [root]) = (p.offset, self.provenance.roots(pointer))
            && let Some((start, length)) = self.extent(*root)
        {
            if self.is_within(pointer, *root, size) {
                return p.p;
            }
            return self.clamped(start, length, offset, size, align);
        }
        if let Some(known) = self.known.get(&id) {
            return self.known_place(*known);
        }
        self.test(id, pointer, p, size, kind);
        p.p
    }

    /// Whether an access is known to be within a variable.
    pub fn is_within(&self, pointer: ValueId, root: Root, size: u64) -> bool {
        let ty = match root {
            Root::Global(g) => self.module.globals[g].ty,
            Root::Local(l) => self.f.locals[l].ty,
            Root::Param(_) | Root::Unknown { .. } => return false,
        };
        let length = i128::from(self.module.types.size_of(ty));
        self.offset_interval(pointer).is_some_and(|o| o.lo >= 0 && o.hi + i128::from(size) <= length)
    }

    pub fn clamped(&self, start: V, length: V, offset: V, size: u64, align: u32) -> V {
        let ll = self.ll;
        let i64t = ll.int(64);
        let aligned = !(u64::from(align.max(1)) - 1);
        let last = match ll.as_const_int(length) {
            Some(n) => ll.c64(n.saturating_sub(size) & aligned),
            None => ll.and(ll.intrinsic1("usub.sat", i64t, &[length, ll.c64(size)]), ll.c64(aligned)),
        };
        match (ll.as_const_int(offset), ll.as_const_int(last)) {
            (Some(o), Some(l)) => ll.gep_const(start, o.min(l)),
            _ => ll.gep(start, ll.intrinsic1("umin", i64t, &[offset, last])),
        }
    }

    fn test(&mut self, id: ValueId, pointer: ValueId, p: Ptr, size: u64, kind: FaultKind) {
        if self.checked.contains(&id) && matches!(self.f.insts[id].op, Op::Load { .. } | Op::Store { .. }) {
            return;
        }
        if let Some(bounds) = self.bounds(pointer, p, size) {
            self.branch_on(vec![(id, kind, bounds)]);
        }
    }

    /// Offsets from here on leave no room for so many bytes.
    pub fn limit(&self, length: V, size: u64) -> V {
        let ll = self.ll;
        match ll.as_const_int(length) {
            Some(n) => ll.c64(n.saturating_sub(size - 1)),
            None => ll.intrinsic1("usub.sat", ll.int(64), &[length, ll.c64(size - 1)]),
        }
    }

    /// Whether a whole element of an argument is within it, from its index alone.
    fn counted_access(&self, pointer: ValueId, param: u32, size: u64) -> Option<V> {
        let ll = self.ll;
        let (count, element) = self.args[param as usize].count?;
        let Op::PtrOffset { base, offset } = self.f.insts[pointer].op else { return None };
        if element != size || !matches!(self.f.insts[base].op, Op::Param(_)) || self.args.is_empty() {
            return None;
        }
        let (s, index) = (self.scalar_of(offset), self.scalar(offset));
        if s.bits() > 32 || !self.options.small {
            let to = if s.is_signed() { Scalar::I64 } else { Scalar::U64 };
            return Some(ll.ult(arith::convert(ll, s, to, index), count));
        }
        let to = if s.is_signed() { Scalar::I32 } else { Scalar::U32 };
        let mut count = ll.trunc(count, ll.int(32));
        if s.is_signed() {
            // Negative indices are larger.
            count = ll.intrinsic1("umin", ll.int(32), &[count, ll.c32(1 << 31)]);
        }
        Some(ll.ult(arith::convert(ll, s, to, index), count))
    }

    /// The test that an access needs, if any.
    pub fn bounds(&mut self, pointer: ValueId, p: Ptr, size: u64) -> Option<Bounds> {
        let ll = self.ll;
        if p.valid || self.provenance.is_trusted(pointer) {
            return None;
        }
        let roots = self.provenance.roots(pointer).to_vec();
        let space = self.space_of(pointer);
        let (ok, param, place);
        match roots[..] {
            [Root::Local(_)] if p.offset.is_none() => return None,
            [Root::Param(i)]
                if let Some((within, Some(o))) = self.counted_access(pointer, i, size).map(|ok| (ok, p.offset)) =>
            {
                let start = self.args[i as usize].value;
                // An index of bytes is the offset already.
                place = if size == 1 { Place::Offset(o) } else { Place::Between { start, pointer: p.p } };
                (ok, param) = (within, Some(i));
            }
            [root] if !matches!(root, Root::Unknown { .. }) => {
                let (start, length) = self.extent(root)?;
                let o = p.offset.unwrap_or_else(|| ll.sub(ll.ptr_to_int(p.p), ll.ptr_to_int(start)));
                (ok, place) = (ll.ult(o, self.limit(length, size)), Place::Offset(o));
                param = match root {
                    Root::Param(i) => Some(i),
                    _ => None,
                };
            }
            _ if space == AddressSpace::Thread => return None,
            _ if space == AddressSpace::Threadgroup => {
                // Anywhere in the threadgroup's own memory, which need not begin at address 0.
                let bytes = ll.intrinsic("llvm.nvvm.read.ptx.sreg.total_smem_size", ll.int(32), &[]);
                let at = ll.sub(ll.ptr_to_int(p.p), self.start_of_threadgroup_memory());
                let limit = self.limit(ll.zext(bytes, ll.int(64)), size);
                (ok, place, param) = (ll.ult(at, limit), Place::Offset(at), None);
            }
            _ => {
                let at = ll.ptr_to_int(p.p);
                let mut any = ll.cbool(false);
                for root in &roots {
                    any = match self.extent(*root) {
                        Some((start, length)) => {
                            let limit = self.limit(length, size);
                            ll.or(any, ll.ult(ll.sub(at, ll.ptr_to_int(start)), limit))
                        }
                        None => {
                            let resident = self.is_resident(at, size);
                            any = ll.or(any, resident);
                            for i in 0..self.args.len() as u32 {
                                let ty = self.module.types.pointee(self.f.params[i as usize]);
                                let is_near = matches!(ty, Some((AddressSpace::Threadgroup, _)) | None);
                                if is_near || !self.provenance.param_use(i).escapes {
                                    continue;
                                }
                                let Some((start, length)) = self.extent(Root::Param(i)) else { continue };
                                let limit = self.limit(length, size);
                                any = ll.or(any, ll.ult(ll.sub(at, ll.ptr_to_int(start)), limit));
                            }
                            let escaped = self.provenance.escaped_globals().iter().copied();
                            let addressed = self.module.addressed_constants();
                            for g in addressed.iter().copied().chain(escaped.filter(|g| !addressed.contains(g))) {
                                let Some((start, length)) =
                                    self.globals.contains_key(&g).then(|| self.extent(Root::Global(g))).flatten()
                                else {
                                    continue;
                                };
                                let limit = self.limit(length, size);
                                any = ll.or(any, ll.ult(ll.sub(at, ll.ptr_to_int(start)), limit));
                            }
                            any
                        }
                    };
                }
                (ok, place, param) = (any, Place::Offset(at), None);
            }
        }
        let is_known = roots.len() > 1 && !roots.iter().any(|root| matches!(root, Root::Unknown { .. }));
        Some(Bounds { ok, place, param, among: if is_known { roots } else { Vec::new() } })
    }

    /// The address of the first variable in threadgroup memory.
    fn start_of_threadgroup_memory(&self) -> V {
        let ll = self.ll;
        let is_shared = |g: &msl_ir::GlobalId| self.module.globals[*g].space == AddressSpace::Threadgroup;
        let mut shared: Vec<_> = self.globals.iter().filter(|(g, _)| is_shared(g)).collect();
        shared.sort_by_key(|(g, _)| g.index());
        let variables = shared.into_iter().map(|(_, v)| *v);
        let params = self.f.params.iter().enumerate().filter_map(|(i, ty)| match self.module.types.pointee(*ty) {
            Some((AddressSpace::Threadgroup, _)) => Some(self.args[i].value),
            _ => None,
        });
        let starts = variables.chain(params).map(|v| ll.ptr_to_int(v));
        starts.reduce(|a, b| ll.intrinsic1("umin", ll.int(64), &[a, b])).unwrap_or_else(|| ll.c64(0))
    }

    /// Whether some resident buffer holds the bytes.
    fn is_resident(&mut self, address: V, size: u64) -> V {
        let ll = self.ll;
        self.needs_ranges = true;
        let (i32t, i64t) = (ll.int(32), ll.int(64));
        let ty = ll.fn_type(ll.int(1), &[i64t, i64t, ll.ptr_in(1), i32t]);
        let f = ll.named_function("resident").unwrap_or_else(|| {
            let here = ll.current();
            let f = ll.add_function("resident", ty, true);
            ll.attr(f, "noinline");
            let (address, size, ranges, count) = (ll.param(f, 0), ll.param(f, 1), ll.param(f, 2), ll.param(f, 3));
            let (entry, head, body, next) =
                (ll.block(f, "entry"), ll.block(f, "head"), ll.block(f, "body"), ll.block(f, "next"));
            let (yes, no) = (ll.block(f, "yes"), ll.block(f, "no"));
            ll.at_end(entry);
            ll.br(head);
            ll.at_end(head);
            let i = ll.phi(i32t, &[(ll.c32(0), entry)]);
            ll.cond_br(ll.ult(i, count), body, no);
            ll.at_end(body);
            let range = ll.gep(ranges, ll.mul(ll.zext(i, i64t), ll.c64(16)));
            let (start, end) = (ll.load(i64t, range, 8), ll.load(i64t, ll.gep_const(range, 8), 8));
            let length = ll.sub(end, start);
            let room = ll.intrinsic1("usub.sat", i64t, &[length, ll.sub(size, ll.c64(1))]);
            ll.cond_br(ll.ult(ll.sub(address, start), room), yes, next);
            ll.at_end(next);
            let i1 = ll.add(i, ll.c32(1));
            ll.add_incoming(i, &[(i1, next)]);
            ll.br(head);
            ll.at_end(yes);
            ll.ret(ll.cbool(true));
            ll.at_end(no);
            ll.ret(ll.cbool(false));
            ll.at_end(here);
            f
        });
        ll.call(ty, f, &[address, ll.c64(size), self.ranges, self.range_count])
    }

    // ---- accesses ------------------------------------------------------------------------------
    pub fn memory(&mut self, id: ValueId) -> Option<Val> {
        let (ll, f) = (self.ll, self.f);
        match f.insts[id].op {
            Op::Load { .. } | Op::Store { .. } if self.access_right(id) => None,
            Op::Load { ptr, align, volatile } => {
                let p = self.pointer(ptr);
                let ty = f.insts[id].ty;
                let n = u32::from(self.module.types.component_count(ty)).max(1);
                if self.module.types.pointee(ty).is_some() {
                    let place = self.place_of(id, ptr, p, 8, align, FaultKind::Read);
                    let mark = |v: V| {
                        if volatile {
                            ll.set_volatile(v)
                        }
                    };
                    let v = self.load_at(&place, self.register_of(ty), mark);
                    return Some(Val::Ptr(Ptr { p: v, offset: None, valid: self.provenance.is_trusted(id) }));
                }
                let s = self.module.types.scalar_of(ty).unwrap_or(Scalar::U32);
                let place = self.place_of(id, ptr, p, u64::from(n * s.size()), align, FaultKind::Read);
                let m = memory_type(ll, s);
                let v = self.load_at(&place, if n == 1 { m } else { ll.vec(m, n) }, |v| {
                    if volatile {
                        ll.set_volatile(v);
                    } else if self.never_changes(ptr) {
                        ll.set_md(v, "invariant.load", ll.md_node(&[]));
                    }
                });
                let comps = (0..n).map(|i| if n == 1 { v } else { ll.extract(v, i) });
                Some(Val::Comps(comps.map(|v| self.loaded(s, v)).collect()))
            }
            Op::Store { .. } if self.copy_past_registers(id) => None,
            Op::Store { ptr, value, align, volatile } => {
                let p = self.pointer(ptr);
                let ty = self.ty(value);
                let (size, v) = if self.module.types.pointee(ty).is_some() {
                    (8, self.scalar(value))
                } else {
                    let s = self.scalar_of(value);
                    let c: Vec<V> = self.comps(value).into_iter().map(|v| self.to_memory(s, v)).collect();
                    let mut v = c[0];
                    if c.len() > 1 {
                        v = ll.poison(ll.vec(memory_type(ll, s), c.len() as u32));
                        for (i, x) in c.iter().enumerate() {
                            v = ll.insert(v, *x, i as u32);
                        }
                    }
                    (c.len() as u64 * u64::from(s.size()), v)
                };
                let place = self.place_of(id, ptr, p, size, align, FaultKind::Write);
                self.store_at(&place, v, |st| {
                    if volatile {
                        ll.set_volatile(st);
                    }
                });
                None
            }
            Op::Copy { dst, src, align } => {
                let size = self.module.types.size_of(self.pointee(dst));
                if size == 0 {
                    return None;
                }
                let (d, s) = (self.pointer(dst), self.pointer(src));
                let from = self.check(id, src, s, size, align, FaultKind::Read);
                let to = self.check(id, dst, d, size, align, FaultKind::Write);
                let (sd, ss) = (space_number(self.space_of(dst)), space_number(self.space_of(src)));
                let alignments = [self.alignment(dst, align), self.alignment(src, align)];
                self.copy_at(id, (to, sd), (from, ss), size, alignments);
                None
            }
            _ => None,
        }
    }

    /// The place of a load or store, after its test.
    pub fn place_of(
        &mut self,
        id: ValueId,
        pointer: ValueId,
        p: Ptr,
        size: u64,
        align: u32,
        kind: FaultKind,
    ) -> misaligned::Place {
        let alignment = self.alignment(pointer, align);
        let at = self.check(id, pointer, p, size, alignment.sure, kind);
        let test = self.alignment_test(id, (pointer, p), at, alignment);
        misaligned::Place { at, space: space_number(self.space_of(pointer)), size, alignment, test }
    }

    /// Nothing writes this memory while the kernel runs.
    pub fn never_changes(&self, ptr: ValueId) -> bool {
        let space = self.space_of(ptr);
        let constant = space == AddressSpace::Constant;
        (constant || (self.options.noalias && space == AddressSpace::Device))
            && self.provenance.is_read_only(self.module, self.f, ptr)
    }

    pub fn loaded(&self, s: Scalar, v: V) -> V {
        if s == Scalar::Bool { self.ll.ne(v, self.ll.zero(self.ll.int(8))) } else { v }
    }
    pub fn to_memory(&self, s: Scalar, v: V) -> V {
        if s == Scalar::Bool { self.ll.zext(v, self.ll.int(8)) } else { v }
    }

    /// The ends of an access, for atomics.
    pub fn atomic_pointer(&mut self, id: ValueId, ptr: ValueId, s: Scalar) -> V {
        let p = self.pointer(ptr);
        self.check(id, ptr, p, u64::from(s.size()), s.size(), FaultKind::Atomic)
    }
    pub fn register(&self, s: Scalar) -> crate::llvm::T {
        register_type(self.ll, s)
    }
    pub fn ule(&self, a: V, b: V) -> V {
        self.ll.icmp(IP::LLVMIntULE, a, b)
    }
}

//! Instructions that compute values: one LLVM scalar for each component.

use msl_base::Id;
use msl_ir::{GlobalId, Op, Scalar, Type, TypeId, ValueId};

use super::kernel::{Emit, Ptr, Val, space_number};
use super::{math, status};
use crate::CodegenError;
use crate::emit::arith;
use crate::emit::value::register_type;
use crate::llvm::{T, V};

impl Emit<'_> {
    // ---- operands ------------------------------------------------------------------------------
    pub fn comps(&self, v: ValueId) -> Vec<V> {
        match &self.vals[v.index()] {
            Some(Val::Comps(c)) => c.clone(),
            Some(Val::Ptr(p)) => vec![p.p],
            None => {
                let ty = self.ty(v);
                let n = usize::from(self.module.types.component_count(ty)).max(1);
                vec![self.ll.poison(self.register_of(ty)); n]
            }
        }
    }
    pub fn scalar(&self, v: ValueId) -> V {
        self.comps(v)[0]
    }
    pub fn pointer(&self, v: ValueId) -> Ptr {
        match &self.vals[v.index()] {
            Some(Val::Ptr(p)) => *p,
            _ => Ptr { p: self.ll.zero(self.register_of(self.ty(v))), offset: None, valid: false },
        }
    }
    pub fn scalar_of(&self, v: ValueId) -> Scalar {
        self.module.types.scalar_of(self.ty(v)).unwrap_or(Scalar::U32)
    }

    /// The LLVM type of a component.
    pub fn register_of(&self, ty: TypeId) -> T {
        match self.module.types.get(ty) {
            Type::Pointer { space, .. } => self.ll.ptr_in(space_number(*space)),
            _ => register_type(self.ll, self.module.types.scalar_of(ty).unwrap_or(Scalar::U32)),
        }
    }
    /// The LLVM type of a local that holds a value: memory that LLVM turns into registers.
    pub fn value_type(&self, ty: TypeId) -> Option<T> {
        let ll = self.ll;
        match self.module.types.get(ty) {
            Type::Scalar(s) => Some(crate::emit::value::memory_type(ll, *s)),
            Type::Vector { elem, len, .. } => {
                let n = if *len == 3 { 4 } else { u32::from(*len) };
                (self.module.types.size_of(ty) == u64::from(n * elem.size()))
                    .then(|| ll.vec(crate::emit::value::memory_type(ll, *elem), n))
            }
            Type::Pointer { space, .. } => Some(ll.ptr_in(space_number(*space))),
            Type::Void | Type::Array { .. } | Type::Struct(_) => None,
        }
    }

    fn of(&self, v: V) -> Option<Val> {
        Some(Val::Comps(vec![v]))
    }

    // ---- instructions --------------------------------------------------------------------------
    pub fn value(&mut self, id: ValueId) -> Result<Option<Val>, CodegenError> {
        let (ll, f, module) = (self.ll, self.f, self.module);
        let inst = &f.insts[id];
        let n = usize::from(module.types.component_count(inst.ty)).max(1);
        let is_pointer = module.types.pointee(inst.ty).is_some();
        let comps = |v: Vec<V>| Ok(Some(Val::Comps(v)));
        match &inst.op {
            Op::Const(bits) => {
                if is_pointer {
                    return Ok(Some(Val::Ptr(Ptr {
                        p: ll.zero(self.register_of(inst.ty)),
                        offset: None,
                        valid: false,
                    })));
                }
                let s = module.types.scalar_of(inst.ty).unwrap_or(Scalar::U32);
                comps(vec![self.constant(s, *bits); n])
            }
            Op::Undef => {
                let t = self.register_of(inst.ty);
                let v = ll.freeze(ll.poison(t));
                if is_pointer {
                    return Ok(Some(Val::Ptr(Ptr { p: ll.zero(t), offset: None, valid: false })));
                }
                comps(vec![v; n])
            }
            Op::Splat(a) => comps(vec![self.scalar(*a); n]),
            Op::Compose(list) => comps(list.iter().map(|v| self.scalar(*v)).collect()),
            Op::Extract { vector, index } => {
                let c = self.comps(*vector);
                Ok(self.of(c[usize::from(*index) % c.len()]))
            }
            Op::ExtractDynamic { vector, index } => {
                let (c, i) = (self.comps(*vector), self.scalar(*index));
                let mut out = c[0];
                for (k, v) in c.iter().enumerate().skip(1) {
                    out = ll.select(ll.eq(i, ll.cint(ll.type_of(i), k as u64)), *v, out);
                }
                Ok(self.of(out))
            }
            Op::Insert { vector, value, index } => {
                let mut c = self.comps(*vector);
                let k = usize::from(*index) % c.len();
                c[k] = self.scalar(*value);
                comps(c)
            }
            Op::InsertDynamic { vector, value, index } => {
                let (c, v, i) = (self.comps(*vector), self.scalar(*value), self.scalar(*index));
                let set = |(k, old): (usize, &V)| ll.select(ll.eq(i, ll.cint(ll.type_of(i), k as u64)), v, *old);
                comps(c.iter().enumerate().map(set).collect())
            }
            Op::Shuffle { vector, components } => {
                let c = self.comps(*vector);
                comps(components.iter().map(|k| c[usize::from(*k) % c.len()]).collect())
            }
            Op::Unary(op, a) => {
                let s = self.scalar_of(*a);
                comps(self.comps(*a).into_iter().map(|a| math::unary(ll, *op, s, inst.fp, a)).collect())
            }
            Op::Binary(op, a, b) => {
                let s = self.scalar_of(*a);
                let pairs = self.comps(*a).into_iter().zip(self.comps(*b));
                comps(pairs.map(|(a, b)| math::binary(ll, *op, s, inst.fp, a, b)).collect())
            }
            Op::Fma(a, b, c) => {
                let s = self.scalar_of(*a);
                let (a, b, c) = (self.comps(*a), self.comps(*b), self.comps(*c));
                comps((0..n).map(|i| math::fma(ll, s, inst.fp, a[i], b[i], c[i])).collect())
            }
            Op::Compare(op, a, b) => {
                if module.types.pointee(self.ty(*a)).is_some() {
                    let (a, b) = (ll.ptr_to_int(self.scalar(*a)), ll.ptr_to_int(self.scalar(*b)));
                    return Ok(self.of(arith::compare(ll, *op, Scalar::U64, a, b)));
                }
                let s = self.scalar_of(*a);
                let pairs = self.comps(*a).into_iter().zip(self.comps(*b));
                comps(pairs.map(|(a, b)| arith::compare(ll, *op, s, a, b)).collect())
            }
            Op::Select { condition, a, b } => {
                let c = self.comps(*condition);
                if is_pointer {
                    let (a, b) = (self.pointer(*a), self.pointer(*b));
                    let p = ll.select(c[0], a.p, b.p);
                    // An offset means something only when both count from one place.
                    let roots = self.provenance.roots(id);
                    let offset = match (a.offset, b.offset, roots.len()) {
                        (Some(x), Some(y), 1) => Some(ll.select(c[0], x, y)),
                        _ => None,
                    };
                    return Ok(Some(Val::Ptr(Ptr { p, offset, valid: a.valid && b.valid })));
                }
                let (a, b) = (self.comps(*a), self.comps(*b));
                comps((0..n).map(|i| ll.select(c[i % c.len()], a[i], b[i])).collect())
            }
            Op::Convert(a) => {
                let (from, to) = (self.scalar_of(*a), module.types.scalar_of(inst.ty).unwrap_or(Scalar::U32));
                comps(self.comps(*a).into_iter().map(|v| arith::convert(ll, from, to, v)).collect())
            }
            Op::Bitcast(a) => {
                let to = self.register_of(inst.ty);
                let c = self.comps(*a);
                if c.len() == n {
                    return comps(c.into_iter().map(|v| ll.bitcast(v, to)).collect());
                }
                let mut wide = ll.poison(ll.vec(ll.type_of(c[0]), c.len() as u32));
                for (i, v) in c.iter().enumerate() {
                    wide = if c.len() == 1 { *v } else { ll.insert(wide, *v, i as u32) };
                }
                let cast = ll.bitcast(wide, if n == 1 { to } else { ll.vec(to, n as u32) });
                comps((0..n).map(|i| if n == 1 { cast } else { ll.extract(cast, i as u32) }).collect())
            }
            Op::Builtin(b) => comps(self.builtin(*b)),
            Op::Simd(op, args) => comps(self.simd(id, *op, args)),
            op @ Op::Barrier { scope, .. } if super::meetings::is_barrier(op) => {
                self.finish_copies(id);
                match scope {
                    msl_ir::BarrierScope::Threadgroup => self.threadgroup_barrier(id),
                    msl_ir::BarrierScope::Simdgroup => {
                        let mask = self.active_mask(id);
                        ll.intrinsic("llvm.nvvm.bar.warp.sync", ll.void(), &[mask]);
                    }
                }
                Ok(None)
            }
            Op::Barrier { .. } => Ok(None),
            Op::Log { format, args } => {
                self.log(*format, args);
                Ok(None)
            }
            Op::Param(_)
            | Op::LocalAddr(_)
            | Op::GlobalAddr(_)
            | Op::FieldAddr { .. }
            | Op::IndexAddr { .. }
            | Op::PtrOffset { .. }
            | Op::PtrCast(_)
            | Op::PtrDiff(..)
            | Op::PtrToInt(_)
            | Op::IntToPtr(_)
            | Op::AssumeValid(_) => Ok(self.address(id)),
            Op::Load { .. } | Op::Store { .. } | Op::Copy { .. } => Ok(self.memory(id)),
            Op::Atomic { .. } | Op::CompareExchange { .. } | Op::Fence { .. } => Ok(self.atomic(id)),
            Op::Call { .. } => Err(CodegenError::unsupported(
                "unsupported-call",
                "a call that was not inlined reached the code generator",
                inst.span,
            )),
            Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Trap(_)
            | Op::Unreachable => Ok(None),
        }
    }

    fn constant(&self, s: Scalar, bits: u64) -> V {
        let ll = self.ll;
        let mask = if s.bits() >= 64 { u64::MAX } else { (1 << s.bits()) - 1 };
        match s {
            Scalar::F32 => ll.bitcast(ll.c32(bits as u32), ll.f32()),
            Scalar::F16 => ll.bitcast(ll.cint(ll.int(16), bits & mask), ll.f16()),
            s => ll.cint(register_type(ll, s), bits & mask),
        }
    }

    /// Appends a record if there is room: see [`status`].
    fn log(&mut self, format: GlobalId, args: &[ValueId]) {
        let ll = self.ll;
        let (i32t, i64t) = (ll.int(32), ll.int(64));
        let text = self.module.globals[format].init.clone().unwrap_or_default();
        let text = String::from_utf8_lossy(&text).trim_end_matches('\0').to_string();
        self.formats.push(text);
        let number = self.formats.len() as u64 - 1;
        let mut words = Vec::new();
        for a in args {
            let s = self.scalar_of(*a);
            for v in self.comps(*a) {
                words.push(if s.is_float() {
                    let wide = arith::convert(ll, s, Scalar::F32, v);
                    ll.bitcast(ll.cast(llvm_sys::LLVMOpcode::LLVMFPExt, wide, ll.f64()), i64t)
                } else {
                    arith::convert(ll, s, if s.is_signed() { Scalar::I64 } else { Scalar::U64 }, v)
                });
            }
        }
        let count = words.len() as u64;
        let add = llvm_sys::LLVMAtomicRMWBinOp::LLVMAtomicRMWBinOpAdd;
        let used = ll.gep_const(self.status, status::LOG_USED);
        let at = ll.atomic_rmw_in(add, used, ll.c32(count as u32 + 1), "device");
        let capacity = ll.load(i32t, ll.gep_const(self.status, status::LOG_CAPACITY), 4);
        let end = ll.add(at, ll.c32(count as u32 + 1));
        let (write, after) = (ll.new_block("log"), ll.new_block("logged"));
        let fits = ll.icmp(llvm_sys::LLVMIntPredicate::LLVMIntULE, end, capacity);
        ll.cond_br(fits, write, after);
        ll.at_end(write);
        let base = ll.gep_const(self.status, status::SIZE);
        let base = ll.gep(base, ll.mul(ll.zext(at, i64t), ll.c64(8)));
        ll.store(ll.c64(number | count << 32), base, 8);
        for (i, w) in words.into_iter().enumerate() {
            ll.store(w, ll.gep_const(base, 8 * (i as u64 + 1)), 8);
        }
        ll.br(after);
        ll.at_end(after);
    }
}

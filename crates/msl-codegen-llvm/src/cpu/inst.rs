//! Instructions that define values: each is emitted as often as its shape requires (once for the
//! gang, once per part, as one vector or as one vector per part).

use msl_base::Id;
use msl_ir::{AddressSpace, BinaryOp, Builtin, Op, Scalar, Type, TypeId, UnaryOp, ValueId};

use super::kernel::Emit;
use crate::CodegenError;
use crate::emit::arith;
use crate::emit::divide;
use crate::emit::shape::{Linear, Root, Shape};
use crate::emit::value::{Comp, Pointer, Val, Varying, register_type};
use crate::llvm::V;
use crate::target::RootEstimates;

impl Emit<'_> {
    pub fn value_inst(&mut self, id: ValueId) -> Result<(), CodegenError> {
        let val = self.make_value(id)?;
        if let Some(value) = &val
            && self.may_have_pattern(id)
        {
            self.note_patterns(id, value);
        }
        self.vals[id.index()] = val;
        Ok(())
    }

    pub fn comps(&self, v: ValueId) -> Vec<Comp> {
        match &self.vals[v.index()] {
            Some(Val::Comps(c)) => c.clone(),
            _ => vec![Comp::uniform(self.ll.c64(0))],
        }
    }
    pub fn comp(&self, v: ValueId, c: usize) -> Comp {
        match &self.vals[v.index()] {
            Some(Val::Comps(list)) => list[c.min(list.len() - 1)].clone(),
            _ => {
                debug_assert!(false, "{v} is not available");
                Comp::uniform(self.ll.c64(0))
            }
        }
    }
    pub fn pointer(&self, v: ValueId) -> Pointer {
        match &self.vals[v.index()] {
            Some(Val::Pointer(p)) => p.clone(),
            _ => {
                let zero = Comp::uniform(self.ll.c64(0));
                Pointer { root: Root::Raw, valid: false, scalar: zero, var: None }
            }
        }
    }
    pub fn scalar_of(&self, v: ValueId) -> Scalar {
        self.module.types.scalar_of(self.f.insts[v].ty).unwrap_or(Scalar::U64)
    }
    pub fn count_of(&self, v: ValueId) -> usize {
        usize::from(self.module.types.component_count(self.f.insts[v].ty)).max(1)
    }

    /// Applies `f` to operands as often as the result's shape asks.
    pub fn map(&self, shape: Shape, operands: &[&Comp], mut f: impl FnMut(&[V]) -> V) -> Comp {
        let n = shape.copies(self.gang.parts);
        let v = (0..n)
            .map(|p| {
                let args: Vec<V> = operands
                    .iter()
                    .map(|c| match shape.linear {
                        // What is linear is computed on the bases.
                        Some(_) => c.base(self.ll, p),
                        None => c.get(self.ll, self.gang, p, shape.lanes()),
                    })
                    .collect();
                f(&args)
            })
            .collect();
        Comp { shape, v }
    }

    pub fn unspecified(&self, ty: TypeId) -> Val {
        let types = &self.module.types;
        if let Some((space, _)) = types.pointee(ty) {
            let scalar = Comp::uniform(self.ll.c64(0));
            return Val::Pointer(Pointer { root: Root::unknown(space), valid: false, scalar, var: None });
        }
        let s = types.scalar_of(ty).unwrap_or(Scalar::U32);
        let zero = Comp::uniform(self.ll.zero(register_type(self.ll, s)));
        Val::Comps(vec![zero; usize::from(types.component_count(ty)).max(1)])
    }

    fn constant(&self, ty: TypeId, bits: u64) -> Val {
        let types = &self.module.types;
        let Some(s) = types.scalar_of(ty) else { return self.unspecified(ty) };
        let t = register_type(self.ll, s);
        let v = match s {
            Scalar::F32 => self.ll.bitcast(self.ll.c32(bits as u32), t),
            Scalar::F16 => self.ll.bitcast(self.ll.cint(self.ll.int(16), bits & 0xffff), t),
            Scalar::Bool => self.ll.cbool(bits != 0),
            _ => self.ll.cint(t, bits),
        };
        Val::Comps(vec![Comp::uniform(v); usize::from(types.component_count(ty)).max(1)])
    }

    /// A value's components as the analysis shapes them.
    fn shaped(&self, id: ValueId, comps: Vec<Comp>) -> Val {
        let s = &self.flow.shapes[id.index()];
        Val::Comps(comps.iter().enumerate().map(|(i, c)| c.coerce(self.ll, self.gang, s.c[i.min(3)])).collect())
    }

    fn make_value(&mut self, id: ValueId) -> Result<Option<Val>, CodegenError> {
        let f = self.f;
        let inst = &f.insts[id];
        let ll = self.ll;
        let shape = self.flow.shapes[id.index()];
        let n = self.count_of(id);
        let s = self.scalar_of(id);
        let fp = inst.fp;
        if let Some(value) = self.wide_value(id) {
            return Ok(Some(value));
        }
        Ok(Some(match &inst.op {
            Op::Const(bits) => self.constant(inst.ty, *bits),
            Op::Undef => self.unspecified(inst.ty),
            Op::Splat(a) => Val::Comps(vec![self.comp(*a, 0); n]),
            Op::Compose(list) => Val::Comps(list.iter().map(|v| self.comp(*v, 0)).collect()),
            Op::Extract { vector, index } => Val::Comps(vec![self.comp(*vector, usize::from(*index))]),
            Op::ExtractDynamic { vector, index } => {
                let list = self.comps(*vector);
                let i = self.comp(*index, 0);
                let operands: Vec<&Comp> = list.iter().chain([&i]).collect();
                let out = self.map(shape.c[0], &operands, |a| {
                    let (i, t) = (a[a.len() - 1], ll.type_of(a[a.len() - 1]));
                    let mut v = a[0];
                    for (k, x) in a[1..a.len() - 1].iter().enumerate() {
                        v = ll.select(ll.eq(i, ll.cint(t, k as u64 + 1)), *x, v);
                    }
                    v
                });
                Val::Comps(vec![out])
            }
            Op::Insert { vector, value, index } => {
                let mut list = self.comps(*vector);
                let at = usize::from(*index).min(list.len() - 1);
                list[at] = self.comp(*value, 0);
                Val::Comps(list)
            }
            Op::InsertDynamic { vector, value, index } => {
                let (list, v, i) = (self.comps(*vector), self.comp(*value, 0), self.comp(*index, 0));
                let out = list.iter().enumerate().map(|(k, c)| {
                    self.map(shape.c[k], &[c, &v, &i], |a| {
                        let hit = ll.eq(a[2], ll.cint(ll.type_of(a[2]), k as u64));
                        ll.select(hit, a[1], a[0])
                    })
                });
                Val::Comps(out.collect())
            }
            Op::Shuffle { vector, components } => {
                Val::Comps(components.iter().map(|i| self.comp(*vector, usize::from(*i))).collect())
            }
            Op::Unary(op, a) => {
                let from = self.scalar_of(*a);
                let estimates = *op == UnaryOp::Rsqrt && from == Scalar::F32 && fp.is_fast();
                match self.target.root_estimates {
                    RootEstimates::Bits12 if estimates => {
                        self.each(n, &shape.c, &[*a], |v| arith::rsqrt_of_12_bits(ll, v[0]))
                    }
                    RootEstimates::Bits14 if estimates => {
                        self.each(n, &shape.c, &[*a], |v| arith::rsqrt_of_14_bits(ll, v[0]))
                    }
                    _ => self.each(n, &shape.c, &[*a], |v| arith::unary(ll, *op, from, fp, v[0])),
                }
            }
            Op::Binary(op @ (BinaryOp::Div | BinaryOp::Rem), a, b) if s.is_integer() => {
                let ways = self.target.conversions;
                let out = (0..n).map(|i| {
                    let (x, y) = (self.comp(*a, i), self.comp(*b, i));
                    let uniform = y.shape.is_gang_uniform().then(|| y.get(ll, self.gang, 0, false));
                    self.map(shape.c[i], &[&x, &y], |v| {
                        divide::divide_lanes(ll, ways, *op == BinaryOp::Rem, s, v[0], v[1], uniform)
                    })
                });
                Val::Comps(out.collect())
            }
            Op::Binary(op, a, b) => self.each(n, &shape.c, &[*a, *b], |v| arith::binary(ll, *op, s, fp, v[0], v[1])),
            Op::Compare(op, a, b) => {
                if self.module.types.pointee(f.insts[*a].ty).is_some() {
                    let (x, y) = (self.address(&self.pointer(*a)), self.address(&self.pointer(*b)));
                    let c = Shape::of(shape.c[0].bits);
                    return Ok(Some(Val::Comps(vec![
                        self.map(c, &[&x, &y], |v| arith::compare(ll, *op, Scalar::U64, v[0], v[1])),
                    ])));
                }
                let from = self.scalar_of(*a);
                self.each(n, &shape.c, &[*a, *b], |v| arith::compare(ll, *op, from, v[0], v[1]))
            }
            Op::Select { condition, a, b } if self.module.types.pointee(inst.ty).is_some() => {
                let (c, x, y) = (self.comp(*condition, 0), self.pointer(*a), self.pointer(*b));
                let (root, valid) = shape.root.unwrap_or((Root::Raw, false));
                let (x, y) = (self.collapse(&x, root), self.collapse(&y, root));
                let lanes = shape.c[1].lanes();
                let to = if lanes { shape.c[1] } else { shape.c[0] };
                let v = self.map(Shape::of(to.bits), &[&c, &x, &y], |v| ll.select(v[0], v[1], v[2]));
                Val::Pointer(self.pointer_from_offset(root, valid, v))
            }
            Op::Select { condition, a, b } => {
                let wide = self.count_of(*condition) > 1;
                let out = (0..n).map(|i| {
                    let (c, x, y) =
                        (self.comp(*condition, if wide { i } else { 0 }), self.comp(*a, i), self.comp(*b, i));
                    // A uniform choice between vectors keeps its scalar condition.
                    if c.shape.is_gang_uniform() && shape.c[i].linear.is_none() {
                        let cond = c.get(ll, self.gang, 0, false);
                        return self.map(shape.c[i], &[&x, &y], |v| ll.select(cond, v[0], v[1]));
                    }
                    self.map(shape.c[i], &[&c, &x, &y], |v| ll.select(v[0], v[1], v[2]))
                });
                Val::Comps(out.collect())
            }
            Op::Fma(a, b, c) => self.each(n, &shape.c, &[*a, *b, *c], |v| arith::fma(ll, s, fp, v[0], v[1], v[2])),
            Op::Convert(a) => {
                let from = self.scalar_of(*a);
                if from.is_float() && s.is_integer() && s != Scalar::Bool {
                    return Ok(Some(self.float_to_int(id, *a)));
                }
                self.each(n, &shape.c, &[*a], |v| arith::convert(ll, from, s, v[0]))
            }
            Op::Bitcast(a) => self.bitcast(id, *a),
            Op::Param(i) => match self.module.types.pointee(inst.ty) {
                Some(_) => {
                    let scalar = Comp::uniform(ll.c64(0));
                    Val::Pointer(Pointer { root: Root::Param(*i), valid: false, scalar, var: None })
                }
                None => {
                    let v = self.args[*i as usize].address;
                    Val::Comps(vec![Comp::uniform(arith::convert(ll, Scalar::U64, s, v))])
                }
            },
            Op::LocalAddr(l) => self.root_pointer(Root::Local(*l)),
            Op::GlobalAddr(g) => self.root_pointer(Root::Global(*g)),
            Op::FieldAddr { base, field } => {
                let mut p = self.pointer(*base);
                let offset = self.field_offset(*base, *field);
                if offset != 0 {
                    let c = ll.c64(offset);
                    p.scalar.v = p.scalar.v.iter().map(|v| ll.add(*v, c)).collect();
                }
                Val::Pointer(p)
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let p = self.pointer(*base);
                let scale = self.index_scale(*base, &inst.op);
                let (i, ty) = self.exact_index(*index);
                Val::Pointer(self.offset_pointer(p, i, ty, scale))
            }
            Op::PtrCast(a) => Val::Pointer(self.pointer(*a)),
            Op::AssumeValid(a) => {
                let mut p = self.pointer(*a);
                p.valid = true;
                Val::Pointer(p)
            }
            Op::PtrDiff(a, b) => {
                let (x, y) = (self.pointer(*a), self.pointer(*b));
                let (x, y) = (self.address(&x), self.address(&y));
                Val::Comps(vec![self.map(shape.c[0], &[&x, &y], |v| ll.sub(v[0], v[1]))])
            }
            Op::PtrToInt(a) => {
                let p = self.pointer(*a);
                let x = self.address(&p);
                self.shaped(id, vec![x])
            }
            Op::IntToPtr(a) => {
                let space = self.module.types.pointee(inst.ty).map_or(AddressSpace::Device, |p| p.0);
                let c = self.comp(*a, 0);
                let to = Shape::of(c.shape.bits & crate::emit::shape::ALL);
                let from = self.scalar_of(*a);
                let v = self.map(to, &[&c], |v| arith::convert(ll, from, Scalar::U64, v[0]));
                Val::Pointer(self.pointer_from_offset(Root::unknown(space), false, v))
            }
            Op::Load { ptr, volatile, .. } => match self.places.get(*ptr) {
                Some(place) => self.load_local(id, place),
                None => self.load(id, *ptr, *volatile)?,
            },
            Op::Store { ptr, value, volatile, .. } => {
                match self.places.get(*ptr) {
                    Some(place) => {
                        let v = self.vals[value.index()].clone();
                        let v = v.unwrap_or_else(|| self.unspecified(f.insts[*value].ty));
                        self.store_local(id, place, &v)?;
                    }
                    None => self.store(id, *ptr, *value, *volatile)?,
                }
                return Ok(None);
            }
            Op::Copy { dst, src, align } => {
                self.copy(id, *dst, *src, *align)?;
                return Ok(None);
            }
            Op::Atomic { op, ptr, value, .. } => return self.atomic(id, *op, *ptr, *value),
            Op::CompareExchange { ptr, expected, desired, .. } => {
                self.compare_exchange(id, *ptr, *expected, *desired)?
            }
            Op::Fence { .. } => {
                ll.fence(llvm_sys::LLVMAtomicOrdering::LLVMAtomicOrderingAcquireRelease);
                return Ok(None);
            }
            // Lanes of one gang run in step, and a threadgroup runs on one thread of the host.
            Op::Barrier { .. } => return Ok(None),
            Op::Builtin(b) => {
                let comps = self.builtin(*b);
                self.shaped(id, comps.into_iter().take(n).collect())
            }
            Op::Simd(op, args) => self.simd(id, *op, args)?,
            Op::Log { format, args } => {
                self.log(*format, args);
                return Ok(None);
            }
            Op::Trap(message) => {
                self.trap(id, message);
                return Ok(None);
            }
            Op::Call { .. } => {
                return Err(CodegenError::unsupported(
                    "unsupported-call",
                    "a call that was not inlined reached the code generator",
                    inst.span,
                ));
            }
            Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Unreachable => return Ok(None),
        }))
    }

    fn each(&self, n: usize, shapes: &[Shape; 4], operands: &[ValueId], f: impl Fn(&[V]) -> V) -> Val {
        let out = (0..n).map(|i| {
            let list: Vec<Comp> = operands.iter().map(|v| self.comp(*v, i)).collect();
            let refs: Vec<&Comp> = list.iter().collect();
            self.map(shapes[i], &refs, &f)
        });
        Val::Comps(out.collect())
    }

    fn root_pointer(&self, root: Root) -> Val {
        Val::Pointer(Pointer { root, valid: false, scalar: Comp::uniform(self.ll.c64(0)), var: None })
    }

    fn field_offset(&self, base: ValueId, field: u32) -> u64 {
        let types = &self.module.types;
        match types.pointee(self.f.insts[base].ty).map(|p| types.get(p.1)) {
            Some(Type::Struct(s)) => types.structure(*s).fields.get(field as usize).map_or(0, |f| f.offset),
            _ => 0,
        }
    }
    /// Bytes per step of an index.
    pub fn index_scale(&self, base: ValueId, op: &Op) -> i64 {
        let types = &self.module.types;
        let Some((_, pointee)) = types.pointee(self.f.insts[base].ty) else { return 1 };
        let size = match (op, types.get(pointee)) {
            (Op::IndexAddr { .. }, Type::Array { elem, .. }) => types.size_of(*elem),
            (Op::IndexAddr { .. }, Type::Vector { elem, .. }) => u64::from(elem.size()),
            _ => types.size_of(pointee),
        };
        i64::try_from(size).unwrap_or(1)
    }

    /// An index as a 64-bit number.
    pub fn widen(&self, v: V, ty: Scalar) -> V {
        let t = self.ll.like(self.ll.int(64), v);
        if ty.bits() == 64 {
            v
        } else if ty.is_signed() {
            self.ll.sext(v, t)
        } else {
            self.ll.zext(v, t)
        }
    }

    fn offset_pointer(&self, mut p: Pointer, index: Comp, ty: Scalar, scale: i64) -> Pointer {
        let ll = self.ll;
        let times = |v: V| if scale == 1 { v } else { ll.mul(v, ll.cint(ll.type_of(v), scale as u64)) };
        if !index.shape.lanes() {
            let shape = Shape::of((p.scalar.shape.bits | index.shape.bits) & crate::emit::shape::ALL);
            p.scalar = self.map(shape, &[&p.scalar, &index], |v| ll.add(v[0], times(self.widen(v[1], ty))));
        } else if let Some(var) = p.var.take() {
            let shape = Shape::of(var.index.shape.bits | index.shape.bits);
            let sum = self.map(shape, &[&var.index, &index], |v| {
                let a = self.widen(v[0], var.ty);
                let a = if var.scale == 1 { a } else { ll.mul(a, ll.cint(ll.type_of(a), var.scale as u64)) };
                ll.add(a, times(self.widen(v[1], ty)))
            });
            p.var = Some(Varying { index: sum, ty: Scalar::I64, scale: 1 });
        } else {
            p.var = Some(Varying { index, ty, scale });
        }
        p
    }

    /// The whole offset of a pointer from another root, as one 64-bit number in the form the
    /// analysis gives it.
    pub fn collapse(&self, p: &Pointer, to: Root) -> Comp {
        let ll = self.ll;
        let c = match &p.var {
            None => p.scalar.clone(),
            Some(v) => {
                let exact = v.ty.is_signed() || v.ty.bits() == 64;
                let shape = match v.index.shape.linear {
                    Some(Linear { exact: e, .. }) if e || exact => p.scalar.shape.plus(v.index.shape.scale(v.scale)),
                    _ => Shape::of((p.scalar.shape.bits | v.index.shape.bits) & crate::emit::shape::ALL),
                };
                self.map(shape, &[&p.scalar, &v.index], |x| {
                    let i = self.widen(x[1], v.ty);
                    let i = if v.scale == 1 { i } else { ll.mul(i, ll.cint(ll.type_of(i), v.scale as u64)) };
                    ll.add(x[0], i)
                })
            }
        };
        self.rebase(c, p.root, to)
    }

    /// Turns an offset from one root into an offset from a more general one.
    pub fn rebase(&self, c: Comp, from: Root, to: Root) -> Comp {
        if from == to {
            return c;
        }
        let ll = self.ll;
        let base = match (from, to) {
            (Root::Local(l), Root::Private) => ll.c64(self.private_offset(l)),
            (Root::Param(_) | Root::Global(_), Root::Shared) => self.shared_offset(from),
            (Root::Param(_) | Root::Global(_), _) => {
                let p = self.root_address(from).0;
                ll.ptr_to_int(p)
            }
            _ => return c,
        };
        let base = Comp::uniform(base);
        self.map(c.shape, &[&c, &base], |v| ll.add(v[0], v[1]))
    }

    /// A number that identifies the location: an address, or an offset in private or shared memory.
    pub fn address(&self, p: &Pointer) -> Comp {
        let to = match p.root {
            Root::Local(_) | Root::Private => Root::Private,
            Root::Shared => Root::Shared,
            Root::Param(_) | Root::Global(_) if self.is_shared(p.root) => Root::Shared,
            Root::Param(_) | Root::Global(_) | Root::Raw => Root::Raw,
        };
        self.collapse(p, to)
    }

    fn bitcast(&self, id: ValueId, a: ValueId) -> Val {
        let ll = self.ll;
        let (from, to) = (self.scalar_of(a), self.scalar_of(id));
        let (n, m) = (self.count_of(a), self.count_of(id));
        let shape = &self.flow.shapes[id.index()];
        let (x, y) = (register_type(ll, from), register_type(ll, to));
        if n == m {
            return self.each(n, &shape.c, &[a], |v| if x == y { v[0] } else { ll.bitcast(v[0], ll.like(y, v[0])) });
        }
        let list = self.comps(a);
        let int = |v: V, bits: u32| ll.bitcast(v, ll.like(ll.int(bits), v));
        if from.bits() < to.bits() {
            let k = n / m;
            let out = (0..m).map(|i| {
                let refs: Vec<&Comp> = list[i * k..(i + 1) * k].iter().collect();
                self.map(shape.c[i], &refs, |v| {
                    let t = ll.like(ll.int(to.bits()), v[0]);
                    let mut sum = ll.zero(t);
                    for (j, e) in v.iter().enumerate() {
                        let wide = ll.zext(int(*e, from.bits()), t);
                        sum = ll.or(sum, ll.shl(wide, ll.cint(t, j as u64 * u64::from(from.bits()))));
                    }
                    ll.bitcast(sum, ll.like(y, v[0]))
                })
            });
            Val::Comps(out.collect())
        } else {
            let k = m / n;
            let out = (0..m).map(|i| {
                self.map(shape.c[i.min(3)], &[&list[i / k]], |v| {
                    let t = ll.like(ll.int(from.bits()), v[0]);
                    let bits = int(v[0], from.bits());
                    let part = ll.lshr(bits, ll.cint(t, (i % k) as u64 * u64::from(to.bits())));
                    let narrow = ll.trunc(part, ll.like(ll.int(to.bits()), v[0]));
                    ll.bitcast(narrow, ll.like(y, v[0]))
                })
            });
            Val::Comps(out.collect())
        }
    }

    fn log(&mut self, format: msl_ir::GlobalId, args: &[ValueId]) {
        let ll = self.ll;
        let text = self.module.globals[format].init.clone().unwrap_or_default();
        let bytes = ll.constant_bytes("format", &text, 1);
        let list: Vec<(Comp, Scalar)> =
            args.iter().flat_map(|a| self.comps(*a).into_iter().map(|c| (c, self.scalar_of(*a)))).collect();
        let slots = ll.alloca(ll.array(ll.int(64), list.len().max(1) as u64), 8);
        self.for_each_active_lane(|me, part, lane| {
            for (i, (c, s)) in list.iter().enumerate() {
                let v = c.get(ll, me.gang, part, true);
                let e = ll.extract_at(v, lane);
                let wide = |w| ll.bitcast(ll.cast(llvm_sys::LLVMOpcode::LLVMFPExt, w, ll.f64()), ll.int(64));
                let bits = match s {
                    Scalar::F32 => wide(e),
                    Scalar::F16 => wide(arith::convert(ll, Scalar::F16, Scalar::F32, e)),
                    Scalar::BF16 => wide(arith::bf16_to_f32(ll, e)),
                    s => arith::convert(ll, *s, if s.is_signed() { Scalar::I64 } else { Scalar::U64 }, e),
                };
                ll.store(bits, ll.gep_const(slots, i as u64 * 8), 8);
            }
            let f = ll.load(ll.ptr(), ll.gep_const(me.context, crate::abi::offset::ON_LOG), 8);
            let ty = ll.fn_type(ll.void(), &[ll.ptr(), ll.ptr(), ll.int(64), ll.ptr(), ll.int(64)]);
            ll.call(ty, f, &[me.context, bytes, ll.c64(text.len() as u64), slots, ll.c64(list.len() as u64)]);
        });
    }

    /// The value of a builtin, in whatever form is at hand.
    fn builtin(&self, b: Builtin) -> Vec<Comp> {
        let ll = self.ll;
        let u = |v: V| Comp::uniform(v);
        let three = |v: [V; 3]| v.iter().map(|x| Comp::uniform(*x)).collect::<Vec<_>>();
        let product = |v: [V; 3]| ll.mul(ll.mul(v[0], v[1]), v[2]);
        let groups_of = |n: V, k: u32| {
            let up = ll.add(n, ll.c32(k - 1));
            ll.lshr(up, ll.c32(k.trailing_zeros()))
        };
        let full = self.layout.size.map(|s| ll.c32(s));
        match b {
            Builtin::ThreadPositionInThreadgroup => self.positions.clone(),
            Builtin::ThreadPositionInGrid => {
                let out = self.positions.iter().enumerate().map(|(i, p)| {
                    // Only lanes that are no threads could be beyond the last number.
                    if self.layout.edge {
                        let start = Comp::uniform(ll.mul(self.group[i], full[i]));
                        return self.map(p.shape, &[p, &start], |v| ll.add(v[0], v[1]));
                    }
                    let first = ll.mul_nuw(self.group[i], full[i]);
                    let start = Comp::uniform(first);
                    let sum = self.map(p.shape, &[p, &start], |v| {
                        if p.shape.linear.is_some() { ll.add_nuw(v[0], v[1]) } else { ll.add(v[0], v[1]) }
                    });
                    self.note_moved(p, first, &sum);
                    sum
                });
                out.collect()
            }
            Builtin::ThreadgroupPositionInGrid => three(self.group),
            Builtin::ThreadsPerGrid => three(self.grid),
            Builtin::ThreadsPerThreadgroup => three(self.group_size),
            Builtin::DispatchThreadsPerThreadgroup => three(full),
            Builtin::ThreadgroupsPerGrid => three(self.groups),
            Builtin::ThreadIndexInThreadgroup => vec![self.linear_index.clone()],
            Builtin::ThreadIndexInSimdgroup => {
                let shape = self.layout.builtin(b)[0];
                let lanes = u64::from(self.gang.lanes);
                let v = (0..shape.copies(self.gang.parts)).map(|p| ll.c32((u64::from(p) * lanes % 32) as u32));
                vec![Comp { shape, v: v.collect() }]
            }
            Builtin::SimdgroupIndexInThreadgroup => {
                let shape = self.layout.builtin(b)[0];
                let v = (0..shape.copies(self.gang.parts)).map(|p| {
                    let first = self.linear_index.base(ll, p);
                    ll.lshr(first, ll.c32(5))
                });
                vec![Comp { shape, v: v.collect() }]
            }
            Builtin::ThreadIndexInQuadgroup => {
                let v: Vec<V> = (0..self.gang.lanes).map(|i| ll.c32(i % 4)).collect();
                vec![Comp { shape: Shape::of(crate::emit::shape::L), v: vec![ll.cvec(&v)] }]
            }
            Builtin::QuadgroupIndexInThreadgroup => {
                let i = &self.linear_index;
                vec![self.map(Shape::VARYING, &[i], |v| ll.lshr(v[0], ll.cint(ll.type_of(v[0]), 2)))]
            }
            Builtin::SimdgroupsPerThreadgroup => vec![u(groups_of(product(self.group_size), 32))],
            Builtin::DispatchSimdgroupsPerThreadgroup => vec![u(groups_of(product(full), 32))],
            Builtin::ThreadsPerSimdgroup => vec![u(ll.c32(32))],
            Builtin::QuadgroupsPerThreadgroup => vec![u(groups_of(product(self.group_size), 4))],
            Builtin::DispatchQuadgroupsPerThreadgroup => vec![u(groups_of(product(full), 4))],
        }
    }
}

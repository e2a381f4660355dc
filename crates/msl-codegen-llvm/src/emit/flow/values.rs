//! The shape of each value from those of its operands.

use msl_base::Id;
use msl_ir::{AddressSpace, AtomicOp, BinaryOp, CompareOp, Op, SimdOp, Type, UnaryOp, ValueId};

use super::Walk;
use crate::emit::aligned::{BitOp, Threads};
use crate::emit::shape::{ALL, G, Linear, Root, Shape, ValueShape, zeros};

impl Walk<'_> {
    /// Bytes per step of an index.
    pub(super) fn index_scale(&self, base: ValueId, op: &Op) -> i64 {
        let types = &self.module.types;
        let Some((_, pointee)) = types.pointee(self.f.insts[base].ty) else { return 1 };
        let size = match (op, types.get(pointee)) {
            (Op::IndexAddr { .. }, Type::Array { elem, .. }) => types.size_of(*elem),
            (Op::IndexAddr { .. }, Type::Vector { elem, .. }) => u64::from(elem.size()),
            _ => types.size_of(pointee),
        };
        i64::try_from(size).unwrap_or(1)
    }

    /// The index, extended to 64 bits, is known not to have wrapped.
    pub(super) fn is_exact_index(&self, index: ValueId) -> bool {
        self.module.types.scalar_of(self.f.insts[index].ty).is_some_and(|s| s.is_signed() || s.bits() == 64)
    }

    pub(super) fn memory_load(&self, id: ValueId, ptr: ValueId) -> ValueShape {
        let p = self.flow.shapes[ptr.index()];
        let (root, _) = p.root.unwrap_or((Root::Raw, false));
        let mut bits = p.bits();
        match root {
            Root::Local(_) | Root::Private => bits = self.gangs.varying().bits & ALL,
            r if !self.gangs.is_read_only(r) && self.gangs.is_split() => bits |= G,
            _ => {}
        }
        let mut out = ValueShape::splat(Shape::of(bits));
        if let Some(space) = self.space_of(self.f.insts[id].ty) {
            out.root = Some((Root::unknown(space), false));
            out = offset_parts(out);
        }
        out
    }

    /// The bits of a scalar constant, sign extended.
    pub(super) fn constant(&self, v: ValueId, component: usize) -> Option<i64> {
        let inst = &self.f.insts[v];
        match &inst.op {
            Op::Const(bits) => {
                let s = self.module.types.scalar_of(inst.ty)?;
                if !s.is_integer() {
                    return None;
                }
                let shift = 64 - s.bits();
                Some(((*bits as i64) << shift) >> shift)
            }
            Op::Splat(a) => self.constant(*a, 0),
            Op::Compose(list) => self.constant(*list.get(component)?, 0),
            _ => None,
        }
    }

    /// Whose numbers a value of integers holds.
    fn threads(&self, v: ValueId) -> Option<Threads> {
        let s = self.module.types.scalar_of(self.f.insts[v].ty)?;
        let bits = s.bits() - u32::from(s.is_signed());
        Some(Threads { gang: self.gangs.gang(), bits: bits as u8 })
    }

    /// Of an operation on a number that counts up from a multiple of a power of two, and a constant.
    fn of_aligned(&self, op: BinaryOp, [a, b]: [ValueId; 2], s: &[Shape], component: usize) -> Option<Shape> {
        let of = self.threads(a)?;
        let is_unsigned = !self.module.types.scalar_of(self.f.insts[a].ty)?.is_signed();
        let (x, y) = (s[0], self.constant(b, component));
        let power = y.filter(|k| is_unsigned && *k > 0 && k.count_ones() == 1);
        match op {
            BinaryOp::Shr => x.shifted_right(y.filter(|k| (0..31).contains(k))? as u8, of),
            BinaryOp::Div => x.shifted_right(zeros(power?), of),
            BinaryOp::Rem => x.bit_op(BitOp::And, power? - 1, of),
            _ => {
                let (x, k) = match (y, self.constant(a, component)) {
                    (Some(k), _) => (x, k),
                    (None, Some(k)) => (s[1], k),
                    _ => return None,
                };
                let op = match op {
                    BinaryOp::And => BitOp::And,
                    BinaryOp::Or => BitOp::Or,
                    _ => BitOp::Xor,
                };
                x.bit_op(op, k, of)
            }
        }
    }

    pub(super) fn value(&self, id: ValueId) -> ValueShape {
        let inst = &self.f.insts[id];
        let shape = |v: &ValueId| self.flow.shapes[v.index()];
        let types = &self.module.types;
        let is_integer = types.scalar_of(inst.ty).is_some_and(|s| s.is_integer());
        let pointer = |root: Root, valid: bool, scalar: Shape, var: Shape| ValueShape {
            c: [scalar, var, Shape::UNIFORM, Shape::UNIFORM],
            root: Some((root, valid)),
        };
        let each = |list: &[&ValueId], g: &dyn Fn(usize, &[Shape]) -> Shape| {
            let mut out = ValueShape::splat(Shape::UNIFORM);
            for (i, c) in out.c.iter_mut().enumerate() {
                let operands: Vec<Shape> = list.iter().map(|v| shape(v).c[i]).collect();
                *c = g(i, &operands);
            }
            out
        };
        let mixed = |list: &[&ValueId]| each(list, &|_, s| s.iter().fold(Shape::UNIFORM, |a, b| a.mix(*b)));
        match &inst.op {
            Op::Const(bits) if is_integer => ValueShape::splat(Shape::UNIFORM.aligned(zeros(*bits as i64))),
            Op::Const(_) | Op::Undef | Op::Fence { .. } | Op::Barrier { .. } | Op::Trap(_) | Op::Log { .. } => {
                match types.pointee(inst.ty) {
                    Some((space, _)) => pointer(Root::unknown(space), false, Shape::UNIFORM, Shape::UNIFORM),
                    None => ValueShape::splat(Shape::UNIFORM),
                }
            }
            Op::Splat(a) => ValueShape::splat(shape(a).c[0]),
            Op::Compose(list) => {
                let mut out = ValueShape::splat(Shape::UNIFORM);
                for (c, v) in out.c.iter_mut().zip(list) {
                    *c = shape(v).c[0];
                }
                out
            }
            Op::Extract { vector, index } => ValueShape::splat(shape(vector).c[usize::from(*index & 3)]),
            Op::ExtractDynamic { vector, index } => {
                let n = usize::from(types.component_count(self.f.insts[*vector].ty));
                let all = shape(vector).c[..n].iter().fold(shape(index).c[0], |a, b| a.mix(*b));
                ValueShape::splat(Shape::of(all.bits & ALL))
            }
            Op::Insert { vector, value, index } => {
                let mut out = shape(vector);
                out.c[usize::from(*index & 3)] = shape(value).c[0];
                out
            }
            Op::InsertDynamic { vector, value, index } => {
                let (v, i) = (shape(value).c[0], shape(index).c[0]);
                each(&[vector], &|_, s| s[0].mix(v).mix(i))
            }
            Op::Shuffle { vector, components } => {
                let v = shape(vector);
                let mut out = ValueShape::splat(Shape::UNIFORM);
                for (c, i) in out.c.iter_mut().zip(components) {
                    *c = v.c[usize::from(*i & 3)];
                }
                out
            }
            Op::Unary(UnaryOp::Neg, a) if is_integer => each(&[a], &|_, s| s[0].scale(-1)),
            Op::Unary(_, a) => mixed(&[a]),
            Op::Binary(op, a, b) if is_integer => each(&[a, b], &|i, s| match op {
                BinaryOp::Add => s[0].plus(s[1]),
                BinaryOp::Sub => s[0].minus(s[1]),
                BinaryOp::Mul => match (self.constant(*a, i), self.constant(*b, i)) {
                    (_, Some(k)) => s[0].scale(k),
                    (Some(k), _) => s[1].scale(k),
                    _ => s[0].mix(s[1]).aligned(s[0].part_align() + s[1].part_align()),
                },
                BinaryOp::Shl => match self.constant(*b, i) {
                    Some(k) if (0..31).contains(&k) => s[0].scale(1 << k),
                    _ => s[0].mix(s[1]),
                },
                BinaryOp::Div | BinaryOp::Rem | BinaryOp::And | BinaryOp::Or | BinaryOp::Xor | BinaryOp::Shr => {
                    let mixed = if *op == BinaryOp::Rem { s[0].mix_near(s[1]) } else { s[0].mix(s[1]) };
                    self.of_aligned(*op, [*a, *b], s, i).unwrap_or(mixed)
                }
                BinaryOp::Min | BinaryOp::Max => s[0].mix_near(s[1]),
                _ => s[0].mix(s[1]),
            }),
            // Addresses: what they vary by is not in their first part alone.
            Op::Compare(_, a, b) if types.pointee(self.f.insts[*a].ty).is_some() => {
                ValueShape::splat(Shape::of(shape(a).bits() | shape(b).bits()))
            }
            Op::Compare(op, a, b) if types.scalar_of(self.f.insts[*a].ty).is_some_and(|s| s.is_integer()) => {
                let turned = match op {
                    CompareOp::Lt => CompareOp::Gt,
                    CompareOp::Le => CompareOp::Ge,
                    CompareOp::Gt => CompareOp::Lt,
                    CompareOp::Ge => CompareOp::Le,
                    same => *same,
                };
                let of = self.threads(*a);
                each(&[a, b], &|i, s| {
                    let known = of.and_then(|of| {
                        let left = s[0].compared(*op, s[1], self.constant(*b, i), of);
                        left.or_else(|| s[1].compared(turned, s[0], self.constant(*a, i), of))
                    });
                    known.unwrap_or_else(|| s[0].mix(s[1]))
                })
            }
            Op::Binary(_, a, b) | Op::Compare(_, a, b) => mixed(&[a, b]),
            Op::Select { condition, a, b } => {
                let c = shape(condition);
                let is_vector = types.component_count(self.f.insts[*condition].ty) > 1;
                if let Some((space, _)) = types.pointee(inst.ty) {
                    let (x, y) = (self.collapse(shape(a)), self.collapse(shape(b)));
                    let root = match (x.root, y.root) {
                        (Some((r, v)), Some((s, w))) => (r.join(s, space), v && w),
                        _ => (Root::unknown(space), false),
                    };
                    let s = x.c[0].mix(y.c[0]).mix(c.c[0]);
                    return if s.lanes() {
                        let mut p = pointer(root.0, root.1, Shape::UNIFORM, s);
                        p.c[2] = scale_of(1, true);
                        p
                    } else {
                        pointer(root.0, root.1, s, Shape::UNIFORM)
                    };
                }
                each(&[a, b], &|i, s| {
                    let c = c.c[if is_vector { i } else { 0 }];
                    match (s[0].linear, s[1].linear) {
                        (Some(x), Some(y)) if c.is_gang_uniform() && x.stride == y.stride && is_integer => {
                            let part = if x.part_stride == y.part_stride { x.part_stride } else { None };
                            let align = s[0].part_align().min(s[1].part_align());
                            Shape::linear(s[0].bits | s[1].bits | c.bits, x.stride, part, x.exact && y.exact)
                                .aligned(align)
                        }
                        _ => s[0]
                            .mix_near(s[1])
                            .mix_near(Shape::of(c.bits))
                            .aligned(s[0].part_align().min(s[1].part_align())),
                    }
                })
            }
            Op::Fma(a, b, c) => mixed(&[a, b, c]),
            Op::Convert(a) => {
                let from = types.scalar_of(self.f.insts[*a].ty);
                let to = types.scalar_of(inst.ty);
                each(&[a], &|_, s| match (from, to) {
                    (Some(x), Some(y)) if x.is_integer() && y.is_integer() => match s[0].linear {
                        // Overflow of `int` is undefined; narrower numbers wrap when they are made.
                        Some(l) if y.bits() <= x.bits() || l.exact || (x.is_signed() && x.bits() >= 32) => {
                            let exact = l.exact && y.bits() >= 32;
                            Shape::linear(s[0].bits, l.stride, l.part_stride, exact).aligned(s[0].align)
                        }
                        _ => s[0].mix_near(Shape::UNIFORM).aligned(s[0].part_align()),
                    },
                    _ => s[0].mix(Shape::UNIFORM),
                })
            }
            Op::Bitcast(a) => {
                let from = types.scalar_of(self.f.insts[*a].ty);
                let to = types.scalar_of(inst.ty);
                let (n, m) = (types.component_count(self.f.insts[*a].ty), types.component_count(inst.ty));
                if from.zip(to).is_some_and(|(x, y)| x.is_integer() && y.is_integer()) && n == m {
                    return shape(a);
                }
                if n == m {
                    return mixed(&[a]);
                }
                let all = shape(a).c[..usize::from(n)].iter().fold(Shape::UNIFORM, |x, y| x.mix(*y));
                ValueShape::splat(all)
            }
            Op::Param(i) => match types.pointee(inst.ty) {
                Some(_) => pointer(Root::Param(*i), false, Shape::UNIFORM, Shape::UNIFORM),
                None => ValueShape::splat(Shape::UNIFORM),
            },
            Op::LocalAddr(l) => pointer(Root::Local(*l), false, Shape::UNIFORM, Shape::UNIFORM),
            Op::GlobalAddr(g) => pointer(Root::Global(*g), false, Shape::UNIFORM, Shape::UNIFORM),
            Op::FieldAddr { base, .. } | Op::PtrCast(base) => shape(base),
            Op::AssumeValid(base) => {
                let mut s = shape(base);
                s.root = s.root.map(|r| (r.0, true));
                s
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let (p, i) = (shape(base), shape(index).c[0]);
                let mut out = p;
                if !i.lanes() {
                    out.c[0] = Shape::of((p.c[0].bits | i.bits) & ALL);
                } else if !p.c[1].lanes() {
                    out.c[1] = i;
                    out.c[2] = scale_of(self.index_scale(*base, &inst.op), self.is_exact_index(*index));
                } else {
                    out.c[1] = p.c[1].mix_near(i);
                    out.c[2] = scale_of(1, true);
                }
                out
            }
            Op::PtrDiff(a, b) => {
                let (x, y) = (shape(a), shape(b));
                ValueShape::splat(Shape::of(x.bits() | y.bits()))
            }
            Op::PtrToInt(a) => ValueShape::splat(Shape::of(shape(a).bits())),
            Op::IntToPtr(a) => {
                let s = shape(a).c[0];
                let space = types.pointee(inst.ty).map_or(AddressSpace::Device, |p| p.0);
                if s.lanes() {
                    let mut p = pointer(Root::unknown(space), false, Shape::UNIFORM, Shape::of(s.bits & ALL));
                    p.c[2] = scale_of(1, true);
                    p
                } else {
                    pointer(Root::unknown(space), false, Shape::of(s.bits & ALL), Shape::UNIFORM)
                }
            }
            Op::Atomic { op: AtomicOp::Load, ptr, .. } => {
                let b = shape(ptr).bits();
                ValueShape::splat(Shape::of(if self.gangs.is_split() { b | G } else { b }))
            }
            Op::Atomic { .. } | Op::CompareExchange { .. } => ValueShape::splat(self.gangs.varying()),
            Op::Builtin(b) => {
                let s = self.gangs.builtin(*b);
                ValueShape { c: [s[0], s[1], s[2], Shape::UNIFORM], root: None }
            }
            Op::Simd(op, args) => match op {
                SimdOp::BroadcastFirst
                | SimdOp::Ballot
                | SimdOp::ReduceAdd
                | SimdOp::ReduceMul
                | SimdOp::ReduceMin
                | SimdOp::ReduceMax
                | SimdOp::ReduceAnd
                | SimdOp::ReduceOr
                | SimdOp::ReduceXor => ValueShape::splat(self.gangs.simdgroup_uniform()),
                SimdOp::Shuffle => {
                    let lane_uniform = args.get(1).is_some_and(|v| shape(v).c[0].is_gang_uniform());
                    ValueShape::splat(if lane_uniform {
                        let mut s = self.gangs.simdgroup_uniform();
                        s.bits |= args.get(1).map_or(0, |v| shape(v).c[0].bits) & ALL;
                        s
                    } else {
                        self.gangs.varying()
                    })
                }
                _ => ValueShape::splat(self.gangs.varying()),
            },
            Op::Copy { .. }
            | Op::Store { .. }
            | Op::Load { .. }
            | Op::Call { .. }
            | Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Unreachable => ValueShape::splat(Shape::UNIFORM),
        }
    }
}

/// A pointer read from a local: its offset is one number, which either differs between lanes or not.
pub(super) fn offset_parts(s: ValueShape) -> ValueShape {
    let o = s.c[0];
    let mut out = ValueShape { c: [Shape::UNIFORM; 4], root: s.root };
    if o.lanes() {
        out.c[1] = o;
        out.c[2] = scale_of(1, true);
    } else {
        out.c[0] = Shape::of(o.bits & ALL);
    }
    out
}

/// Records by how much a pointer's varying index is multiplied (its third component).
fn scale_of(scale: i64, exact: bool) -> Shape {
    Shape { linear: Some(Linear { stride: scale, part_stride: Some(0), exact }), ..Shape::UNIFORM }
}

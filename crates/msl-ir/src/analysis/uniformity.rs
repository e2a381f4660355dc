//! How each value and local differs among the threads of a gang ([`Shape`]), and which control
//! flow diverges.
//!
//! The function must be an entry point without calls: its parameters are the same for all threads. The result
//! for a value speaks of the threads that are active where it is computed. A pointer to the `thread` space is
//! described by its offset in the private memory of each thread: *uniform* means that every thread
//! accesses the same place of its own copy.
//!
//! The shape of a local describes its contents, as any thread that reads them sees them. It is as uniform as all
//! stores make it, unless a store happens under a mask and must leave the values of waiting threads in
//! place ([`needs_blend`](super::liveness::needs_blend)): then the lanes (or parts) differ. So a
//! local with a uniform shape can be kept as one scalar, written without a mask.
//!
//! Shapes, divergence and blends depend on each other; the analysis starts from "everything is
//! uniform" and repeats until nothing gets worse.

use msl_base::Id;

use super::divergence::Divergence;
use super::layout::GangLayout;
use super::liveness::{Liveness, needs_blend, same_value_type};
use super::provenance::{LocalUse, Provenance, Root};
use super::shape::{self, IntType, Lanes, Parts, Shape};
use super::tree::Tree;
use crate::ir::{BinaryOp, Builtin, CompareOp, Function, LocalId, Module, Op, SimdOp, UnaryOp, ValueId};
use crate::types::{AddressSpace, Scalar, Type, TypeId};

/// How threads may disagree at a branch, or where a store needs a blend.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Split {
    /// All threads of the gang agree.
    #[default]
    None,
    /// The threads of each part agree; parts may differ.
    Parts,
    /// Threads of one part may differ.
    Lanes,
}

type Shapes = [Shape; 4];

#[derive(Clone, Debug)]
pub struct Uniformity {
    values: Vec<Shapes>,
    locals: Vec<Shapes>,
    counts: Vec<u8>,
    blends: Vec<Split>,
    /// Where the parts of a gang or the lanes of a part disagree.
    any: Divergence,
    /// Where the lanes of a part disagree.
    lanes: Divergence,
}

impl Uniformity {
    pub fn new(
        module: &Module,
        function: &Function,
        tree: &Tree,
        provenance: &Provenance,
        liveness: &Liveness,
        layout: &GangLayout,
    ) -> Uniformity {
        let flat = |_| false;
        let start = Uniformity {
            values: vec![[Shape::UNIFORM; 4]; function.insts.len()],
            locals: Vec::new(),
            counts: function.insts.values().map(|i| module.types.component_count(i.ty)).collect(),
            blends: vec![Split::None; function.insts.len()],
            any: Divergence::new(function, tree, flat),
            lanes: Divergence::new(function, tree, flat),
        };
        let builder = Builder {
            module,
            function,
            tree,
            provenance,
            liveness,
            layout,
            out: start,
            known: vec![false; function.insts.len()],
            contents: vec![[None; 4]; function.locals.len()],
            kept: vec![Split::None; function.locals.len()],
            changed: false,
            rounds: 0,
        };
        builder.run()
    }

    /// Runs the analyses that this one needs, too.
    pub fn analyze(module: &Module, function: &Function, layout: &GangLayout) -> Uniformity {
        let provenance = Provenance::new(module, function);
        let liveness = Liveness::new(module, function, &provenance);
        Uniformity::new(module, function, &Tree::new(function), &provenance, &liveness, layout)
    }

    /// The shape of a value; for a vector, of all components together.
    pub fn shape(&self, v: ValueId) -> Shape {
        let Some(shapes) = self.values.get(v.index()) else { return Shape::VARYING };
        let count = self.counts[v.index()].clamp(1, 4) as usize;
        shapes[1..count].iter().fold(shapes[0], |a, b| a.join(*b))
    }
    /// The shape of one component of a vector.
    pub fn component(&self, v: ValueId, i: usize) -> Shape {
        self.values.get(v.index()).and_then(|s| s.get(i)).copied().unwrap_or(Shape::VARYING)
    }
    /// The shape of what a local holds (see the module documentation). Components as for values;
    /// arrays and structures have one shape for everything in them.
    pub fn local(&self, l: LocalId) -> Shape {
        self.locals.get(l.index()).map_or(Shape::VARYING, |s| s[1..].iter().fold(s[0], |a, b| a.join(*b)))
    }
    /// How threads may disagree at an `if` or `switch`, or which threads a `break`, `continue` or `return` may leave behind.
    pub fn split(&self, v: ValueId) -> Split {
        if self.lanes.is_divergent(v) {
            Split::Lanes
        } else if self.any.is_divergent(v) {
            Split::Parts
        } else {
            Split::None
        }
    }
    /// Which lanes must keep their values at a write to a local: `None` allows to overwrite all lanes.
    pub fn blend(&self, write: ValueId) -> Split {
        self.blends.get(write.index()).copied().unwrap_or(Split::Lanes)
    }
    /// Masks, where branches on which the parts of a gang disagree count as divergent.
    pub fn divergence(&self) -> &Divergence {
        &self.any
    }
    /// Masks within one part.
    pub fn lane_divergence(&self) -> &Divergence {
        &self.lanes
    }
    /// How threads may leave a labeled construct at different times.
    pub fn label_split(&self, construct: ValueId) -> Split {
        let list = self.any.breaks(construct).iter().chain(self.any.continues(construct));
        list.map(|b| self.split(*b)).max().unwrap_or_default()
    }
}

struct Builder<'a> {
    module: &'a Module,
    function: &'a Function,
    tree: &'a Tree,
    provenance: &'a Provenance,
    liveness: &'a Liveness,
    layout: &'a GangLayout,
    out: Uniformity,
    /// Values that depend on a local nothing has been stored to yet are not known.
    known: Vec<bool>,
    contents: Vec<[Option<Shape>; 4]>,
    kept: Vec<Split>,
    changed: bool,
    rounds: u32,
}

impl Builder<'_> {
    fn run(mut self) -> Uniformity {
        let mut last = false;
        loop {
            self.sweep();
            if !self.diverge() {
                if last {
                    break;
                }
                // What is never stored is unspecified: as uniform as one likes.
                last = true;
                for c in self.contents.iter_mut().flatten() {
                    c.get_or_insert(Shape::UNIFORM);
                }
            }
        }
        for l in self.function.locals.ids() {
            let shapes = self.load_local(l).unwrap_or([Shape::UNIFORM; 4]);
            self.out.locals.push(shapes);
        }
        self.out
    }

    fn sweep(&mut self) {
        loop {
            self.changed = false;
            self.rounds += 1;
            for i in 0..self.tree.order().len() {
                let v = self.tree.order()[i];
                match self.eval(v) {
                    Some(shapes) => {
                        self.known[v.index()] = true;
                        self.out.values[v.index()] = shapes;
                    }
                    None => self.known[v.index()] = false,
                }
                self.write(v);
            }
            if !self.changed {
                return;
            }
        }
    }

    /// Recomputes divergence and blends; whether some local got worse.
    fn diverge(&mut self) -> bool {
        let condition = |v: ValueId| match &self.function.insts[v].op {
            Op::If { condition, .. } => Some(*condition),
            Op::Switch { value, .. } => Some(*value),
            _ => None,
        };
        let values = &self.out.values;
        let shape = |v: ValueId| condition(v).map_or(Shape::UNIFORM, |c| values[c.index()][0].exact());
        let any = Divergence::new(self.function, self.tree, |v| !shape(v).is_uniform());
        let lanes = Divergence::new(self.function, self.tree, |v| !shape(v).is_lane_uniform());
        self.out.any = any;
        self.out.lanes = lanes;
        let mut worse = false;
        for &v in self.tree.order() {
            let ptr = match &self.function.insts[v].op {
                Op::Store { ptr, .. } | Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => *ptr,
                Op::Copy { dst, .. } => *dst,
                _ => continue,
            };
            if self.out.any.is_full(v) {
                continue;
            }
            for root in self.provenance.roots(ptr) {
                let Root::Local(l) = *root else { continue };
                let blend = |d: &Divergence| needs_blend(self.function, self.tree, self.liveness, d, v, l);
                let split = if blend(&self.out.lanes) {
                    Split::Lanes
                } else if blend(&self.out.any) {
                    Split::Parts
                } else {
                    Split::None
                };
                self.out.blends[v.index()] = self.out.blends[v.index()].max(split);
                worse |= self.kept[l.index()] < split;
                self.kept[l.index()] = self.kept[l.index()].max(split);
            }
        }
        worse
    }

    fn get(&self, v: ValueId) -> Option<Shapes> {
        self.known[v.index()].then(|| self.out.values[v.index()])
    }
    /// All components of an operand together.
    fn one(&self, v: ValueId) -> Option<Shape> {
        self.known[v.index()].then(|| self.out.shape(v))
    }
    fn ty(&self, v: ValueId) -> TypeId {
        self.function.insts[v].ty
    }
    fn int(&self, ty: TypeId) -> Option<IntType> {
        int_type(self.module.types.scalar_of(ty)?)
    }
    fn constant(&self, v: ValueId) -> Option<i128> {
        let inst = &self.function.insts[v];
        match &inst.op {
            Op::Const(bits) => Some(constant_value(self.module.types.scalar_of(inst.ty)?, *bits)),
            Op::Splat(s) => self.constant(*s),
            _ => None,
        }
    }

    fn load_local(&self, l: LocalId) -> Option<Shapes> {
        if self.provenance.local_use(l) == LocalUse::Escapes {
            return Some([Shape::VARYING; 4]);
        }
        let mut shapes = [Shape::UNIFORM; 4];
        // A vector of three has nothing in its fourth component.
        let count = match *self.module.types.get(self.function.locals[l].ty) {
            Type::Vector { len, .. } => usize::from(len),
            _ => 4,
        };
        for (s, c) in shapes.iter_mut().zip(&self.contents[l.index()]).take(count) {
            *s = (*c)?;
            match self.kept[l.index()] {
                Split::None => {}
                Split::Parts => s.parts = Parts::Different,
                Split::Lanes => *s = Shape::VARYING.with_max(s.max),
            }
        }
        Some(shapes)
    }

    /// The component of a vector local that a pointer names.
    fn path(&self, ptr: ValueId) -> Option<(LocalId, usize)> {
        let Op::IndexAddr { base, index } = self.function.insts[ptr].op else { return None };
        let Op::LocalAddr(l) = self.function.insts[base].op else { return None };
        let Type::Vector { len, .. } = *self.module.types.get(self.function.locals[l].ty) else { return None };
        let i = usize::try_from(self.constant(index)?).ok()?;
        (i < usize::from(len)).then_some((l, i))
    }

    fn store_content(&mut self, l: LocalId, component: Option<usize>, value: Shape) {
        let list = match component {
            Some(i) => i..i + 1,
            None => 0..4,
        };
        for i in list {
            let old = self.contents[l.index()][i];
            let mut new = old.map_or(value, |o| o.join(value));
            if old == Some(new) {
                continue;
            }
            // Bounds and alignments may shrink for long; give them up after some rounds.
            if self.rounds > 3 && old.is_some() {
                new = Shape { align: 0, max: Shape::UNKNOWN_MAX, no_wrap: false, ..new };
            }
            if old != Some(new) {
                self.contents[l.index()][i] = Some(new);
                self.changed = true;
            }
        }
    }

    /// The effect of an instruction on the contents of locals.
    fn write(&mut self, v: ValueId) {
        match self.function.insts[v].op {
            Op::Store { ptr, value, .. } => {
                if let (Some(at), Some(shapes)) = (self.one(ptr), self.get(value)) {
                    self.write_through(ptr, at, value, shapes);
                }
            }
            Op::Copy { dst, src, .. } => {
                if let (Some(at), Some(content)) = (self.one(dst), self.read(src, false)) {
                    let content = content.into_iter().reduce(Shape::join).unwrap_or(Shape::VARYING).opaque();
                    self.write_roots(dst, if at.is_uniform() { content } else { Shape::VARYING });
                }
            }
            Op::Atomic { ptr, .. } | Op::CompareExchange { ptr, .. } => self.write_roots(ptr, Shape::VARYING),
            _ => {}
        }
    }

    fn write_roots(&mut self, ptr: ValueId, value: Shape) {
        for r in self.provenance.roots(ptr).to_vec() {
            if let Root::Local(l) = r {
                self.store_content(l, None, value);
            }
        }
    }

    fn write_through(&mut self, ptr: ValueId, at: Shape, value: ValueId, shapes: Shapes) {
        let types = &self.module.types;
        if let Op::LocalAddr(l) = self.function.insts[ptr].op
            && same_value_type(types, self.function.locals[l].ty, self.ty(value))
        {
            let count = usize::from(types.component_count(self.ty(value))).clamp(1, 4);
            for (i, shape) in shapes.iter().enumerate() {
                self.store_content(l, Some(i), if i < count { *shape } else { shapes[0] });
            }
            return;
        }
        if let Some((l, i)) = self.path(ptr) {
            self.store_content(l, Some(i), shapes[0]);
            return;
        }
        let content = self.out.shape(value).opaque();
        self.write_roots(ptr, if at.exact().is_uniform() { content } else { Shape::VARYING });
    }

    /// What a load through a pointer gives. `typed`: bounds and strides survive a load of the stored type.
    fn read(&self, ptr: ValueId, typed: bool) -> Option<Shapes> {
        let at = self.one(ptr)?;
        let (space, _) = self.module.types.pointee(self.ty(ptr))?;
        if space != AddressSpace::Thread {
            let shape = if at.is_lane_uniform() { at.opaque() } else { Shape::VARYING };
            return Some([shape; 4]);
        }
        if let Op::LocalAddr(l) = self.function.insts[ptr].op {
            let shapes = self.load_local(l)?;
            return Some(if typed { shapes } else { shapes.map(Shape::opaque) });
        }
        if let Some((l, i)) = self.path(ptr) {
            return Some([self.load_local(l)?[i]; 4]);
        }
        let roots = self.provenance.roots(ptr);
        let mut all: Option<Shape> = None;
        for r in roots {
            let Root::Local(l) = *r else { return Some([Shape::VARYING; 4]) };
            for s in self.load_local(l)? {
                all = Some(all.map_or(s.opaque(), |a| a.mix(s)));
            }
        }
        let content = all.unwrap_or(Shape::VARYING);
        let shape = match at.lanes {
            Lanes::Uniform => content.mix(at),
            _ => Shape::VARYING,
        };
        Some([shape; 4])
    }

    fn index(&self, index: ValueId) -> Option<Shape> {
        let shape = self.get(index)?[0];
        let from = self.int(self.ty(index)).unwrap_or(IntType { bits: 64, signed: true });
        let wide = IntType { bits: 64, signed: from.signed };
        Some(if from.bits < 64 { shape::convert(shape, from, wide) } else { shape })
    }

    /// `base + scale * index` for pointers.
    fn offset(&self, base: ValueId, index: ValueId, scale: u64) -> Option<Shape> {
        let wide = IntType { bits: 64, signed: true };
        let base = Shape { max: Shape::UNKNOWN_MAX, ..self.get(base)?[0] };
        let index = self.index(index)?;
        let scale = i128::from(scale);
        let bytes = shape::mul(index, Shape::constant(scale), Some(scale), wide);
        Some(Shape { max: Shape::UNKNOWN_MAX, ..shape::add(base, bytes, wide) })
    }

    fn builtin(&self, b: Builtin) -> Shapes {
        let l = self.layout;
        let uniform = |max: u64| Shape::UNIFORM.with_max(max);
        let size = |i: usize| match l.threads_per_threadgroup {
            Some(s) => Shape::constant(i128::from(s[i])),
            None => uniform(1024),
        };
        let grid = |i: usize| {
            let p = l.position[i];
            let align = l.threads_per_threadgroup.map_or(0, |s| s[i].trailing_zeros().min(31) as u8);
            Shape { align: p.align.min(align), max: u64::from(u32::MAX - 1), ..p }
        };
        let scalar = |s: Shape| [s; 4];
        match b {
            Builtin::ThreadPositionInGrid => [grid(0), grid(1), grid(2), Shape::UNIFORM],
            Builtin::ThreadPositionInThreadgroup => [l.position[0], l.position[1], l.position[2], Shape::UNIFORM],
            Builtin::ThreadgroupPositionInGrid | Builtin::ThreadsPerGrid | Builtin::ThreadgroupsPerGrid => {
                scalar(uniform(u64::from(u32::MAX)))
            }
            // Smaller at the edges of a grid, but never larger.
            Builtin::ThreadsPerThreadgroup => [0, 1, 2, 2].map(|i| Shape { align: 0, ..size(i) }),
            Builtin::DispatchThreadsPerThreadgroup => [size(0), size(1), size(2), Shape::UNIFORM],
            Builtin::ThreadIndexInThreadgroup => scalar(l.index_in_threadgroup),
            Builtin::ThreadIndexInSimdgroup => scalar(l.index_in_simdgroup),
            Builtin::SimdgroupIndexInThreadgroup => scalar(l.simdgroup_index),
            Builtin::ThreadIndexInQuadgroup => scalar(l.index_in_quadgroup),
            Builtin::QuadgroupIndexInThreadgroup => scalar(l.quadgroup_index),
            Builtin::ThreadsPerSimdgroup => scalar(Shape::constant(32)),
            Builtin::SimdgroupsPerThreadgroup
            | Builtin::DispatchSimdgroupsPerThreadgroup
            | Builtin::QuadgroupsPerThreadgroup
            | Builtin::DispatchQuadgroupsPerThreadgroup => scalar(uniform(1024)),
        }
    }

    /// The shapes of the components of a value; `None` where they depend on something not known yet.
    fn eval(&self, v: ValueId) -> Option<Shapes> {
        let inst = &self.function.insts[v];
        let all = |s: Shape| Some([s; 4]);
        let mix = |list: &[ValueId]| -> Option<Shapes> {
            let mut out = [Shape::UNIFORM; 4];
            for &a in list {
                let a = self.get(a)?;
                for (o, s) in out.iter_mut().zip(a) {
                    *o = o.mix(s);
                }
            }
            Some(out)
        };
        let zip = |a: ValueId, b: ValueId, f: &dyn Fn(Shape, Shape) -> Shape| -> Option<Shapes> {
            let (a, b) = (self.get(a)?, self.get(b)?);
            Some(std::array::from_fn(|i| f(a[i], b[i])))
        };
        match &inst.op {
            Op::Const(bits) => match self.module.types.scalar_of(inst.ty) {
                Some(s) if s.is_integer() || s == Scalar::Bool => all(Shape::constant(constant_value(s, *bits))),
                _ => all(Shape::UNIFORM),
            },
            Op::Undef => all(Shape::UNIFORM),
            Op::Splat(a) => all(self.get(*a)?[0]),
            Op::Compose(list) => {
                let mut out = [Shape::UNIFORM; 4];
                for (o, a) in out.iter_mut().zip(list) {
                    *o = self.get(*a)?[0];
                }
                Some(out)
            }
            Op::Extract { vector, index } => all(*self.get(*vector)?.get(usize::from(*index))?),
            Op::ExtractDynamic { vector, index } => all(self.one(*vector)?.mix(self.get(*index)?[0])),
            Op::Insert { vector, value, index } => {
                let mut out = self.get(*vector)?;
                *out.get_mut(usize::from(*index))? = self.get(*value)?[0];
                Some(out)
            }
            Op::InsertDynamic { vector, value, index } => {
                all(self.one(*vector)?.mix(self.get(*value)?[0]).mix(self.get(*index)?[0]))
            }
            Op::Shuffle { vector, components } => {
                let from = self.get(*vector)?;
                let mut out = [Shape::UNIFORM; 4];
                for (o, c) in out.iter_mut().zip(components) {
                    *o = *from.get(usize::from(*c))?;
                }
                Some(out)
            }
            Op::Unary(op, a) => match (op, self.int(inst.ty)) {
                (UnaryOp::Neg, Some(_)) => Some(self.get(*a)?.map(|s| shape::sub(Shape::constant(0), s))),
                _ => mix(&[*a]),
            },
            Op::Binary(op, a, b) => match self.int(inst.ty) {
                Some(ty) => {
                    let (ka, kb) = (self.constant(*a), self.constant(*b));
                    zip(*a, *b, &|x, y| self.integer(*op, x, y, ka, kb, ty))
                }
                None => mix(&[*a, *b]),
            },
            Op::Compare(op, a, b) => zip(*a, *b, &|x, y| {
                // Equal strides cancel: modulo 2^bits for equality, else where nothing wraps.
                let cancels = matches!(op, CompareOp::Eq | CompareOp::Ne) || (x.no_wrap && y.no_wrap);
                if x.exact().lanes == y.exact().lanes && x.lanes != Lanes::Varying && cancels {
                    Shape { lanes: Lanes::Uniform, parts: x.parts.max(y.parts), ..Shape::UNIFORM }
                } else {
                    x.mix(y)
                }
            }),
            Op::Select { condition, a, b } => {
                let c = self.get(*condition)?;
                let scalar = self.module.types.component_count(self.ty(*condition)) == 1;
                let (x, y) = (self.get(*a)?, self.get(*b)?);
                Some(std::array::from_fn(|i| {
                    let c = c[if scalar { 0 } else { i }];
                    let joined = x[i].join(y[i]);
                    if a == b {
                        x[i]
                    } else if c.is_lane_uniform() {
                        Shape { parts: joined.parts.max(c.parts), ..joined }
                    } else {
                        Shape::VARYING.with_max(joined.max)
                    }
                }))
            }
            Op::Fma(a, b, c) => mix(&[*a, *b, *c]),
            Op::Convert(a) => match (self.int(self.ty(*a)), self.int(inst.ty)) {
                (Some(from), Some(to)) => Some(self.get(*a)?.map(|s| shape::convert(s, from, to))),
                _ => {
                    let from_bool = self.module.types.scalar_of(self.ty(*a)) == Some(Scalar::Bool);
                    let is_int = self.int(inst.ty).is_some();
                    Some(mix(&[*a])?.map(|s| if from_bool && is_int { s.with_max(1) } else { s }))
                }
            },
            Op::Bitcast(a) => match (self.int(self.ty(*a)), self.int(inst.ty)) {
                (Some(from), Some(to)) if from.bits == to.bits => {
                    Some(self.get(*a)?.map(|s| shape::convert(s, from, to)))
                }
                _ => all(self.one(*a)?.opaque()),
            },
            Op::Param(_) => {
                let align = self.module.types.pointee(inst.ty).map_or(1, |(_, p)| self.module.types.align_of(p));
                all(Shape { align: align.trailing_zeros().min(31) as u8, ..Shape::UNIFORM })
            }
            Op::LocalAddr(l) => {
                all(Shape { align: self.function.locals[*l].align.trailing_zeros().min(31) as u8, ..Shape::UNIFORM })
            }
            Op::GlobalAddr(g) => {
                all(Shape { align: self.module.globals[*g].align.trailing_zeros().min(31) as u8, ..Shape::UNIFORM })
            }
            Op::FieldAddr { base, field } => {
                let s = self.get(*base)?[0];
                let offset = self.module.types.pointee(self.ty(*base)).and_then(|(_, p)| {
                    let Type::Struct(id) = *self.module.types.get(p) else { return None };
                    self.module.types.structure(id).fields.get(*field as usize).map(|f| f.offset)
                });
                let align = offset.map_or(0, |o| if o == 0 { 63 } else { o.trailing_zeros() as u8 });
                all(Shape { align: s.align.min(align), ..s })
            }
            Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
                let size = self.module.types.pointee(inst.ty).map_or(1, |(_, p)| self.module.types.size_of(p));
                all(self.offset(*base, *index, size)?)
            }
            Op::PtrCast(a) | Op::AssumeValid(a) => self.get(*a),
            Op::PtrToInt(a) => {
                let s = self.get(*a)?[0];
                let thread = self.module.types.pointee(self.ty(*a)).is_none_or(|p| p.0 == AddressSpace::Thread);
                all(if thread { Shape::VARYING } else { s })
            }
            Op::IntToPtr(a) => {
                let thread = self.module.types.pointee(inst.ty).is_none_or(|p| p.0 == AddressSpace::Thread);
                all(if thread { Shape::VARYING } else { Shape { max: Shape::UNKNOWN_MAX, ..self.get(*a)?[0] } })
            }
            Op::PtrDiff(a, b) => {
                let (a, b) = (self.one(*a)?, self.one(*b)?);
                all(if a.lanes == b.lanes && !a.assumed && !b.assumed && a.lanes != Lanes::Varying {
                    Shape { parts: a.parts.max(b.parts), ..Shape::UNIFORM }
                } else {
                    a.mix(b)
                })
            }
            Op::Load { ptr, volatile, .. } => {
                let whole = match self.function.insts[*ptr].op {
                    Op::LocalAddr(l) => same_value_type(&self.module.types, self.function.locals[l].ty, inst.ty),
                    _ => false,
                };
                let shapes = self.read(*ptr, whole)?;
                let thread = self.module.types.pointee(self.ty(*ptr)).is_some_and(|p| p.0 == AddressSpace::Thread);
                let max = match self.module.types.scalar_of(inst.ty) {
                    Some(Scalar::Bool) => 1,
                    Some(Scalar::U8) => 0xff,
                    Some(Scalar::U16) => 0xffff,
                    Some(Scalar::U32) => 0xffff_ffff,
                    _ => Shape::UNKNOWN_MAX,
                };
                // Threads may see different values of volatile memory.
                Some(shapes.map(|s| if *volatile && !thread { Shape::VARYING } else { s }.with_max(max)))
            }
            Op::Builtin(b) => Some(self.builtin(*b)),
            Op::Simd(op, args) => {
                let result = self.layout.simd_result;
                let value = match args.first() {
                    Some(a) => self.get(*a)?,
                    None => [Shape::UNIFORM; 4],
                };
                match op {
                    SimdOp::BroadcastFirst => {
                        Some(value.map(|s| if s.is_uniform() { s } else { result.with_max(s.max) }))
                    }
                    SimdOp::Shuffle => {
                        let lane = args.get(1).map_or(Some(Shape::VARYING), |l| self.one(*l))?;
                        Some(value.map(|s| {
                            if s.is_uniform() {
                                s
                            } else if lane.is_lane_uniform() {
                                Shape { parts: lane.parts.max(result.parts), ..result }.with_max(s.max)
                            } else {
                                Shape::VARYING.with_max(s.max)
                            }
                        }))
                    }
                    SimdOp::Ballot
                    | SimdOp::ReduceAdd
                    | SimdOp::ReduceMul
                    | SimdOp::ReduceMin
                    | SimdOp::ReduceMax
                    | SimdOp::ReduceAnd
                    | SimdOp::ReduceOr
                    | SimdOp::ReduceXor => all(result),
                    SimdOp::IsFirst
                    | SimdOp::InclusiveAdd
                    | SimdOp::ExclusiveAdd
                    | SimdOp::InclusiveMul
                    | SimdOp::ExclusiveMul
                    | SimdOp::MatrixMultiply
                    | SimdOp::MatrixTranspose => all(Shape::VARYING),
                }
            }
            Op::Atomic { .. } | Op::CompareExchange { .. } | Op::Call { .. } => all(Shape::VARYING),
            Op::Store { .. }
            | Op::Copy { .. }
            | Op::Fence { .. }
            | Op::Barrier { .. }
            | Op::Log { .. }
            | Op::Trap(_)
            | Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Unreachable => all(Shape::UNIFORM),
        }
    }

    fn integer(&self, op: BinaryOp, x: Shape, y: Shape, ka: Option<i128>, kb: Option<i128>, ty: IntType) -> Shape {
        let power = |k: i128| (k > 0 && k & (k - 1) == 0).then(|| k.trailing_zeros() as u8);
        let not_negative = !ty.signed || x.max != Shape::UNKNOWN_MAX;
        let lanes = self.layout.lanes;
        match op {
            BinaryOp::Add => shape::add(x, y, ty),
            BinaryOp::Sub => shape::sub(x, y),
            BinaryOp::Mul if kb.is_none() && ka.is_some() => shape::mul(y, x, ka, ty),
            BinaryOp::Mul => shape::mul(x, y, kb, ty),
            BinaryOp::Shl => match kb {
                Some(k) if (0..i128::from(ty.bits.min(63))).contains(&k) => {
                    shape::mul(x, Shape::constant(1 << k), Some(1 << k), ty)
                }
                _ => x.mix(y),
            },
            BinaryOp::Shr => match kb {
                Some(k) if (0..i128::from(ty.bits)).contains(&k) => shape::shift_right(x, k as u8, lanes, not_negative),
                _ => x.mix(y),
            },
            BinaryOp::Div => match kb.and_then(power) {
                Some(k) if not_negative => shape::shift_right(x, k, lanes, true),
                _ => x.mix(y).with_max(if not_negative && (!ty.signed || y.max != Shape::UNKNOWN_MAX) {
                    x.max
                } else {
                    Shape::UNKNOWN_MAX
                }),
            },
            BinaryOp::Rem => match kb {
                Some(k) if not_negative && k > 0 => match power(k) {
                    Some(k) => shape::low_bits(x, k, lanes),
                    None => x.mix(y).with_max((k - 1) as u64),
                },
                _ => x.mix(y),
            },
            BinaryOp::And => {
                let (value, mask) = if kb.is_some() { (x, kb) } else { (y, ka) };
                match mask {
                    Some(m) if m >= 0 => match power(m + 1) {
                        Some(k) => shape::low_bits(value, k, lanes),
                        None => x.mix(y).with_max(m as u64),
                    },
                    _ => x.mix(y).with_max(x.max.min(y.max)),
                }
            }
            BinaryOp::Or | BinaryOp::Xor => {
                // Bits that do not overlap add up.
                let fits = |free: Shape, low: Shape| {
                    free.is_lane_uniform() && low.max < 1u64 << free.align.min(62) && free.align > 0
                };
                if fits(x, y) || fits(y, x) { shape::add(x, y, ty) } else { x.mix(y) }
            }
            BinaryOp::Min => {
                x.mix(y).with_max(if ty.signed && (x.max == Shape::UNKNOWN_MAX || y.max == Shape::UNKNOWN_MAX) {
                    Shape::UNKNOWN_MAX
                } else {
                    x.max.min(y.max)
                })
            }
            BinaryOp::Max => x.mix(y).with_max(x.max.max(y.max)),
            BinaryOp::CopySign | BinaryOp::MulHigh | BinaryOp::AddSat | BinaryOp::SubSat => x.mix(y),
        }
    }
}

fn int_type(s: Scalar) -> Option<IntType> {
    s.is_integer().then(|| IntType { bits: s.bits(), signed: s.is_signed() })
}

/// The value of a constant, as its type reads it.
pub fn constant_value(s: Scalar, bits: u64) -> i128 {
    let width = s.bits();
    let shift = 64 - width;
    if s.is_signed() && !s.is_float() {
        i128::from(((bits << shift) as i64) >> shift)
    } else {
        i128::from((bits << shift) >> shift)
    }
}

#[cfg(test)]
#[path = "uniformity_tests.rs"]
mod tests;

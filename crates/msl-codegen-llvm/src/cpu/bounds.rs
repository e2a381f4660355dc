//! Accesses of which a threadgroup knows at its start that they are within bounds.
//!
//! In: a version of a kernel, and what is known when a threadgroup starts. Out: [`Bounds`], the loads and
//! stores that every thread does and whose least and greatest place follow from the positions of the
//! threads ([`super::ranges`]), with one test for all of them. Where it holds, a version runs that does not
//! check them, and that may compute their addresses in 64 bits, for nothing on the way wraps. Elsewhere the
//! version for edges runs, which checks everything and finds the thread to blame.
//!
//! Accesses in loops are not looked at here: see [`super::hoist`].

use std::collections::HashSet;

use llvm_sys::LLVMIntPredicate as IP;
use msl_base::Id;
use msl_ir::{BinaryOp, Block, Op, ParamKind, Scalar, ValueId};

use super::kernel::Emit;
use super::ranges::{Known, Ranges, Start, Visitor};
use crate::emit::value::{Comp, Pointer};
use crate::llvm::V;

/// More tests than that at the start of a threadgroup are for kernels that have other worries.
const MOST: usize = 64;

/// What was found.
#[derive(Default)]
pub struct Bounds {
    pub accesses: HashSet<ValueId>,
    /// Sums and products that do not wrap in any thread.
    pub exact: HashSet<ValueId>,
}

struct Search<'a> {
    entry: &'a msl_ir::EntryPoint,
    bounds: Bounds,
    tests: Vec<V>,
    /// Pointers and sizes that are tested already.
    tested: HashSet<(ValueId, u64)>,
}

impl Start<'_> {
    /// Emits the test where the builder stands, if there is something to test.
    pub fn bounds(&self, entry: &msl_ir::EntryPoint) -> Option<(V, Bounds)> {
        let mut search = Search { entry, bounds: Bounds::default(), tests: Vec::new(), tested: HashSet::new() };
        Ranges::new(self, true).walk(&mut search);
        let holds = search.tests.into_iter().reduce(|a, b| self.ll.and(a, b))?;
        Some((holds, search.bounds))
    }
}

impl Visitor for Search<'_> {
    fn decide(&mut self, _: &mut Ranges, _: ValueId, _: &Block, _: &Block, _: &[ValueId]) -> Option<bool> {
        None
    }

    fn access(&mut self, ranges: &mut Ranges, id: ValueId, always: bool) {
        let f = ranges.start.f;
        let types = &ranges.start.module.types;
        let (ptr, ty) = match &f.insts[id].op {
            Op::Load { ptr, .. } => (*ptr, f.insts[id].ty),
            Op::Store { ptr, value, .. } => (*ptr, f.insts[*value].ty),
            _ => return,
        };
        let size = types.size_of(ty);
        if always && self.tested.contains(&(ptr, size)) {
            self.bounds.accesses.insert(id);
            return;
        }
        if !always || self.tests.len() == MOST {
            return;
        }
        let mut exact = Vec::new();
        let Some(Place { param, lo, hi, ok, is_natural, most }) = place(ranges, ptr, &mut exact) else { return };
        let kind = self.entry.params.get(param as usize).map(|p| &p.kind);
        if !matches!(kind, Some(ParamKind::Buffer { .. })) {
            return;
        }
        let ll = ranges.start.ll;
        let length = ranges.start.args[param as usize].length;
        let length = most.map_or(length, |most| ll.intrinsic1("umin", ll.int(64), &[length, ll.c64(most)]));
        // The difference is computed once per dispatch.
        let end = ll.icmp(IP::LLVMIntSLE, hi, ll.sub(length, ll.c64(size)));
        let inside = if is_natural { end } else { ll.and(ll.icmp(IP::LLVMIntSGE, lo, ll.c64(0)), end) };
        let test = ll.and(ok, inside);
        if ll.as_const_int(test) == Some(0) {
            return;
        }
        self.tests.push(test);
        self.tested.insert((ptr, size));
        self.bounds.accesses.insert(id);
        self.bounds.exact.extend(exact);
    }
}

/// Where a pointer points.
struct Place {
    param: u32,
    /// The least and the greatest distance from the start of the parameter, in bytes, if `ok`.
    lo: V,
    hi: V,
    ok: V,
    /// `lo` is not negative.
    is_natural: bool,
    /// What `hi` must be below too.
    most: Option<u64>,
}

/// Finds it, and notes the values that it takes for sums that do not wrap.
fn place(ranges: &mut Ranges, ptr: ValueId, exact: &mut Vec<ValueId>) -> Option<Place> {
    let f = ranges.start.f;
    let ll = ranges.start.ll;
    if let Some((param, offset)) = ranges.place(ptr) {
        let at = ll.c64(offset);
        return Some(Place { param, lo: at, hi: at, ok: ll.cbool(true), is_natural: true, most: None });
    }
    match &f.insts[ptr].op {
        Op::IndexAddr { base, index } | Op::PtrOffset { base, offset: index } => {
            let mut p = place(ranges, *base, exact)?;
            let [Known::Range { lo, hi, ok, pending, .. }] = ranges.eval(*index)?[..] else { return None };
            let scale = scale(ranges, *base, &f.insts[ptr].op)?;
            let s = ranges.scalar(*index)?;
            p.ok = ll.and(p.ok, ok);
            if s.bits() == 64 {
                p.ok = ll.and(p.ok, ll.and(ranges.is_below(lo, 40), ranges.is_below(hi, 40)));
            }
            if pending > 0 {
                // An offset below that has an index that is small enough.
                let most = scale.max(1) << pending;
                p.most = Some(p.most.map_or(most, |m| m.min(most)));
            }
            p.is_natural &= !s.is_signed();
            note_exact(ranges, *index, exact);
            let by = ll.c64(scale);
            p.lo = ll.add(p.lo, ll.mul(lo, by));
            p.hi = ll.add(p.hi, ll.mul(hi, by));
            Some(p)
        }
        // Of structures that lie in an array.
        Op::FieldAddr { base, .. } | Op::PtrCast(base) => {
            let mut p = place(ranges, *base, exact)?;
            let offset = ll.c64(field_offset(ranges, ptr)?);
            p.lo = ll.add(p.lo, offset);
            p.hi = ll.add(p.hi, offset);
            Some(p)
        }
        _ => None,
    }
}

fn scale(ranges: &Ranges, base: ValueId, op: &Op) -> Option<u64> {
    let types = &ranges.start.module.types;
    let (_, pointee) = types.pointee(ranges.start.f.insts[base].ty)?;
    let size = match (op, types.get(pointee)) {
        (Op::IndexAddr { .. }, msl_ir::Type::Array { elem, .. }) => types.size_of(*elem),
        (Op::IndexAddr { .. }, msl_ir::Type::Vector { elem, .. }) => u64::from(elem.size()),
        _ => types.size_of(pointee),
    };
    (size < 1 << 20).then_some(size)
}

fn field_offset(ranges: &Ranges, ptr: ValueId) -> Option<u64> {
    let f = ranges.start.f;
    let types = &ranges.start.module.types;
    match &f.insts[ptr].op {
        Op::FieldAddr { base, field } => {
            let (_, pointee) = types.pointee(f.insts[*base].ty)?;
            let msl_ir::Type::Struct(s) = types.get(pointee) else { return None };
            types.structure(*s).fields.get(*field as usize).map(|f| f.offset)
        }
        _ => Some(0),
    }
}

/// Notes the sums and products that the bounds of a value were made of. What does not vary may have wrapped.
fn note_exact(ranges: &mut Ranges, v: ValueId, exact: &mut Vec<ValueId>) {
    let Some([Known::Range { varies: true, .. }]) = ranges.eval(v).as_deref() else { return };
    match ranges.start.f.insts[v].op {
        Op::Binary(BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul, a, b) => {
            exact.push(v);
            note_exact(ranges, a, exact);
            note_exact(ranges, b, exact);
        }
        Op::Convert(a) if ranges.scalar(a).is_some_and(|s| s.is_integer()) => {
            exact.push(v);
            note_exact(ranges, a, exact);
        }
        _ => {}
    }
}

impl Emit<'_> {
    /// An index for an address: in 64 bits where nothing on the way to it wraps, so that neighbors differ by
    /// a constant.
    pub fn exact_index(&self, v: ValueId) -> (Comp, Scalar) {
        let shape = self.flow.shapes[v.index()].c[0];
        // In kernels that are split at barriers operands of operands may belong to another region.
        let is_exact = self.bounds.exact.contains(&v) && !self.is_split;
        if !is_exact || (shape.lanes() && shape.linear.is_none()) {
            return (self.comp(v, 0), self.scalar_of(v));
        }
        (self.wide_index(v), Scalar::I64)
    }

    fn wide_index(&self, v: ValueId) -> Comp {
        let ll = self.ll;
        let shape = self.flow.shapes[v.index()].c[0];
        let is_exact = self.bounds.exact.contains(&v);
        match self.f.insts[v].op {
            Op::Binary(op, a, b) if is_exact => {
                let (a, b) = (self.wide_index(a), self.wide_index(b));
                self.map(shape, &[&a, &b], |x| match op {
                    BinaryOp::Add => ll.add(x[0], x[1]),
                    BinaryOp::Sub => ll.sub(x[0], x[1]),
                    _ => ll.mul(x[0], x[1]),
                })
            }
            Op::Convert(a) if is_exact => self.wide_index(a),
            _ => {
                let s = self.scalar_of(v);
                self.map(shape, &[&self.comp(v, 0)], |x| self.widen(x[0], s))
            }
        }
    }

    /// The places of the present access if it is known to be within bounds, one for each part. Not those of lanes with
    /// gaps between them, which are read up to the next element.
    pub fn places_within(&self, p: &Pointer, size: u64) -> Option<Vec<V>> {
        if !self.is_within {
            return None;
        }
        let ll = self.ll;
        let part_first = |part: u32| {
            let scalar = p.scalar.get(ll, self.gang, part, false);
            match &p.var {
                None => scalar,
                Some(var) => {
                    let index = self.widen(var.index.base(ll, part), var.ty);
                    ll.add(scalar, ll.mul(index, ll.c64(var.scale as u64)))
                }
            }
        };
        match &p.var {
            Some(var)
                if !var.index.shape.linear.is_some_and(|l| (1..=size as i64).contains(&(l.stride * var.scale))) =>
            {
                None
            }
            _ => Some((0..self.gang.parts).map(part_first).collect()),
        }
    }
}

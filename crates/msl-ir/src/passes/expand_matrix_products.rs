//! Turns products of the matrices of a simdgroup into shuffles and fused multiply-adds.
//!
//! For targets without matrix units, and for products that theirs would not give in full precision. Where several
//! products of one block have an operand in common, it is shuffled once: threads that are active later were active
//! before. An operand that has just been loaded from threadgroup memory is not shuffled where that costs more than
//! a load: each thread loads what it would have been given. Of products that stay, the right operand is loaded as its
//! transpose where that is as good, since matrix units want that.

use std::collections::HashMap;

use super::other_threads::OtherThreads;
use super::pipeline::{Facts, MatrixProducts};
use super::rewrite::{Replacements, edit_blocks, push, push_const, with_function};
use crate::FunctionId;
use crate::ir::{BinaryOp, Builtin, CompareOp, Function, Module, Op, SimdOp, ValueId};
use crate::matrix::{self, COLUMN, ROW, column_bits, row_bits};
use crate::types::{AddressSpace, Scalar, Type, TypeTable};
use msl_base::{FxSet, Span};

/// Expands all products, but those of `f16` and `bf16` in fast mode where the facts leave them to the target.
pub fn expand_matrix_products(module: &mut Module, id: FunctionId, facts: &Facts) -> bool {
    let keep_halves = facts.matrix_products == MatrixProducts::Halves;
    let is_of_matrices = |op: &Op| matches!(op, Op::Simd(SimdOp::MatrixMultiply | SimdOp::MatrixTranspose, _));
    let has_products = |f: &Function| f.insts.iter().any(|(_, inst)| is_of_matrices(&inst.op));
    if !has_products(&module.functions[id]) {
        return false;
    }
    with_function(module, id, |module, f| {
        let mut replaced = Replacements::default();
        let (mut lefts, mut rights): (FxSet<ValueId>, FxSet<ValueId>) = Default::default();
        for (v, inst) in f.insts.iter() {
            if let Op::Simd(SimdOp::MatrixMultiply, args) = &inst.op
                && keep_halves
                && is_kept(&module.types, f, v, [args[0], args[1], args[2]])
            {
                lefts.insert(args[0]);
                rights.insert(args[1]);
            }
        }
        let threadgroup = facts.threads_per_threadgroup.filter(|_| facts.loads_for_shuffles);
        let mut others = threadgroup.map(|size| OtherThreads::new(module, f, size));
        edit_blocks(f, &mut |f, list| {
            let others = others.as_mut();
            let mut block = Block { out: Vec::with_capacity(list.len()), others, ..Block::default() };
            if let Some(others) = &mut block.others {
                others.forget();
            }
            for v in list {
                let args = match &f.insts[v].op {
                    Op::Simd(SimdOp::MatrixMultiply, args) => [args[0], args[1], args[2]],
                    Op::Simd(SimdOp::MatrixTranspose, args) if !keep_halves => {
                        let matrix = args[0];
                        let transpose = block.transpose(&mut module.types, f, v, matrix);
                        replaced.insert(v, transpose);
                        continue;
                    }
                    op => {
                        block.notice(&module.types, f, v, op);
                        block.out.push(v);
                        if rights.contains(&v)
                            && let Some(pair) = block.transposed_pair(&mut module.types, f, v)
                        {
                            let (ty, span) = (f.insts[v].ty, f.insts[v].span);
                            let matrix = block.add(f, Op::Simd(SimdOp::MatrixTranspose, vec![pair]), ty, span);
                            replaced.insert(v, matrix);
                        } else if lefts.contains(&v)
                            && let Some(pair) = block.pair(&mut module.types, f, v)
                        {
                            replaced.insert(v, pair);
                        }
                        continue;
                    }
                };
                if keep_halves && is_kept(&module.types, f, v, args) {
                    block.out.push(v);
                    continue;
                }
                let sum = block.product(&mut module.types, f, v, args);
                replaced.insert(v, sum);
            }
            block.out
        });
        let changed = !replaced.is_empty();
        replaced.apply(f);
        changed
    })
}

fn is_kept(types: &TypeTable, f: &Function, v: ValueId, [a, b, _]: [ValueId; 3]) -> bool {
    let scalar = |v: ValueId| types.scalar_of(f.insts[v].ty);
    f.insts[v].fp.is_fast() && scalar(a) == scalar(b) && matches!(scalar(a), Some(Scalar::F16 | Scalar::BF16))
}

#[derive(Default)]
struct Block<'a> {
    out: Vec<ValueId>,
    /// Operands as they were shuffled: of which value, for which k, from the left or the right.
    known: HashMap<(ValueId, u32, bool), ValueId>,
    lane: Option<ValueId>,
    holder: Option<ValueId>,
    /// The threads that hold what this one needs, by the parts of their index: what is kept of its own, what is set.
    threads: HashMap<(u32, u32), ValueId>,
    /// Halves of the row of the left operand that this thread needs.
    rows: HashMap<ValueId, Option<[ValueId; 2]>>,
    /// Loads from threadgroup memory that would still give the same.
    fresh: FxSet<ValueId>,
    others: Option<&'a mut OtherThreads>,
}

/// Pointers to the two elements of a pair, and what they have in common.
struct Fresh {
    p: ValueId,
    q: ValueId,
    align: u32,
    scalar: Scalar,
    span: Span,
}

impl Block<'_> {
    /// Keeps track of what memory holds.
    fn notice(&mut self, types: &TypeTable, f: &Function, v: ValueId, op: &Op) {
        let space = |ptr: &ValueId| types.pointee(f.insts[*ptr].ty).map(|(space, _)| space);
        match op {
            Op::Load { ptr, volatile: false, .. } if space(ptr) == Some(AddressSpace::Threadgroup) => {
                self.fresh.insert(v);
            }
            Op::Load { .. } | Op::Simd(..) => {}
            Op::Store { ptr, .. } if space(ptr) == Some(AddressSpace::Thread) => {}
            op if super::remove_dead::is_removable(op) => {}
            _ => self.fresh.clear(),
        }
    }

    /// Where the pair of elements of a matrix has just been loaded from.
    fn fresh_pair(&self, types: &TypeTable, f: &Function, v: ValueId) -> Option<Fresh> {
        let Op::Compose(pair) = &f.insts[v].op else { return None };
        let &[x, y] = &pair[..] else { return None };
        if !self.fresh.contains(&x) || !self.fresh.contains(&y) {
            return None;
        }
        let (&Op::Load { ptr: p, align, .. }, &Op::Load { ptr: q, .. }) = (&f.insts[x].op, &f.insts[y].op) else {
            return None;
        };
        Some(Fresh { p, q, align, scalar: types.scalar_of(f.insts[x].ty)?, span: f.insts[v].span })
    }

    /// The row of a matrix that has just been loaded, its elements one after the other in memory.
    fn row(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId) -> Option<[ValueId; 2]> {
        if let Some(row) = self.rows.get(&v) {
            return *row;
        }
        let row = self.new_row(types, f, v);
        self.rows.insert(v, row);
        row
    }

    fn new_row(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId) -> Option<[ValueId; 2]> {
        let Fresh { p, q, align, scalar, span } = self.fresh_pair(types, f, v)?;
        let size = u64::from(scalar.size());
        let others = self.others.as_mut()?;
        for thread in 0..32u32 {
            let holder = |pair: u32| (thread & ROW | column_bits(pair)) as usize;
            let is_next = others.distance_between(types, f, p, q, thread as usize) == Some(size);
            let along = |k: u32| others.distance(types, f, p, holder(0), holder(k)) == Some(u64::from(k) * size);
            if !is_next || !(2..8).step_by(2).all(along) {
                return None;
            }
        }
        let first = self.thread(types, f, ROW, 0, span);
        let start = self.others.as_mut()?.value(types, f, p, first, &mut self.out)?;
        let (four, space) = (types.vector(scalar, 4), types.pointee(f.insts[p].ty)?.0);
        let pointer = types.pointer(space, four);
        let start = self.add(f, Op::PtrCast(start), pointer, span);
        let one = push_const(types, f, Scalar::U32, 1);
        self.out.push(one);
        let end = self.add(f, Op::PtrOffset { base: start, offset: one }, pointer, span);
        let half = |me: &mut Self, f: &mut Function, types: &mut TypeTable, ptr: ValueId| {
            let loaded = me.add(f, Op::Load { ptr, align, volatile: false }, four, span);
            let wide = types.vector(Scalar::F32, 4);
            if wide == four { loaded } else { me.add(f, Op::Convert(loaded), wide, span) }
        };
        Some([half(self, f, types, start), half(self, f, types, end)])
    }

    /// This thread's pair of elements of a matrix that has just been loaded, by one load.
    fn pair(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId) -> Option<ValueId> {
        let Fresh { p, q, align, scalar, span } = self.fresh_pair(types, f, v)?;
        let others = self.others.as_mut()?;
        let size = u64::from(scalar.size());
        if !(0..32).all(|thread| others.distance_between(types, f, p, q, thread) == Some(size)) {
            return None;
        }
        let pair = types.vector(scalar, 2);
        let pointer = types.pointer(types.pointee(f.insts[p].ty)?.0, pair);
        let start = self.add(f, Op::PtrCast(p), pointer, span);
        Some(self.add(f, Op::Load { ptr: start, align, volatile: false }, pair, span))
    }

    /// The pair of elements of the transpose of a matrix that has just been loaded, which are one after the other in
    /// memory.
    fn transposed_pair(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId) -> Option<ValueId> {
        let Fresh { p, q, align, scalar, span } = self.fresh_pair(types, f, v)?;
        let size = u64::from(scalar.size());
        let others = self.others.as_mut()?;
        for thread in 0..32 {
            let (row, column) = matrix::place(thread);
            let ((first, part), (second, _)) = (matrix::holder(column, row), matrix::holder(column + 1, row));
            let from = if part == 0 { p } else { q };
            if others.distance(types, f, from, first as usize, second as usize) != Some(size) {
                return None;
            }
        }
        // From the first element of a pair to the second.
        let step = match f.insts[q].op {
            Op::PtrOffset { base, offset } if base == p && others.is_uniform(offset) => offset,
            _ => {
                let bytes = others.distance_between(types, f, p, q, 0)?;
                if !(1..32).all(|t| others.distance_between(types, f, p, q, t) == Some(bytes)) || bytes % size != 0 {
                    return None;
                }
                let step = push_const(types, f, Scalar::I64, (bytes as i64 / size as i64) as u64);
                self.out.push(step);
                step
            }
        };
        let holder = self.holder_of_transpose(types, f, span);
        let odd = self.is_odd_row(types, f, span);
        let start = self.others.as_mut()?.value(types, f, p, holder, &mut self.out)?;
        let ty = f.insts[step].ty;
        let none = self.add(f, Op::Const(0), ty, span);
        let offset = self.add(f, Op::Select { condition: odd, a: step, b: none }, ty, span);
        let start = self.add(f, Op::PtrOffset { base: start, offset }, f.insts[p].ty, span);
        let pair = types.vector(scalar, 2);
        let pointer = types.pointer(types.pointee(f.insts[p].ty)?.0, pair);
        let start = self.add(f, Op::PtrCast(start), pointer, span);
        Some(self.add(f, Op::Load { ptr: start, align, volatile: false }, pair, span))
    }

    /// The thread that holds the first element of this one's pair of the transpose; the second one's has bit 1 besides.
    fn holder_of_transpose(&mut self, types: &mut TypeTable, f: &mut Function, span: Span) -> ValueId {
        if let Some(holder) = self.holder {
            return holder;
        }
        // Bits of the row become bits of the column, and the other way round.
        let own = self.thread(types, f, u32::MAX, 0, span);
        let uint = types.scalar(Scalar::U32);
        let mut moved = |bit: u32, op: BinaryOp, by: u32| {
            let constants = [1 << bit, by].map(|n| push_const(types, f, Scalar::U32, u64::from(n)));
            self.out.extend(constants);
            let part = self.add(f, Op::Binary(BinaryOp::And, own, constants[0]), uint, span);
            self.add(f, Op::Binary(op, part, constants[1]), uint, span)
        };
        let parts = [
            moved(3, BinaryOp::Shl, 1),
            moved(4, BinaryOp::Shr, 1),
            moved(0, BinaryOp::Shl, 2),
            moved(2, BinaryOp::Shr, 2),
        ];
        let [first, rest @ ..] = parts;
        let holder = rest.iter().fold(first, |all, part| self.add(f, Op::Binary(BinaryOp::Or, all, *part), uint, span));
        *self.holder.insert(holder)
    }

    fn is_odd_row(&mut self, types: &mut TypeTable, f: &mut Function, span: Span) -> ValueId {
        let (two, zero) = (push_const(types, f, Scalar::U32, 2), push_const(types, f, Scalar::U32, 0));
        self.out.extend([two, zero]);
        let own = self.thread(types, f, u32::MAX, 0, span);
        let bit = self.add(f, Op::Binary(BinaryOp::And, own, two), types.scalar(Scalar::U32), span);
        self.add(f, Op::Compare(CompareOp::Ne, bit, zero), types.scalar(Scalar::Bool), span)
    }

    /// The transpose of a matrix, from the threads that hold its elements.
    fn transpose(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId, matrix: ValueId) -> ValueId {
        let (ty, span) = (f.insts[v].ty, f.insts[v].span);
        let (uint, element) = (types.scalar(Scalar::U32), types.scalar(types.scalar_of(ty).unwrap_or(Scalar::F32)));
        let (first, odd) = (self.holder_of_transpose(types, f, span), self.is_odd_row(types, f, span));
        let two = push_const(types, f, Scalar::U32, 2);
        self.out.push(two);
        let second = self.add(f, Op::Binary(BinaryOp::Or, first, two), uint, span);
        let elements = [first, second].map(|holder| {
            let pair = self.add(f, Op::Simd(SimdOp::Shuffle, vec![matrix, holder]), ty, span);
            let [a, b] = [1, 0].map(|index| self.add(f, Op::Extract { vector: pair, index }, element, span));
            self.add(f, Op::Select { condition: odd, a, b }, element, span)
        });
        self.add(f, Op::Compose(elements.to_vec()), ty, span)
    }

    /// A pair of elements that `thread` has loaded, loaded by this one.
    fn loaded(&mut self, types: &TypeTable, f: &mut Function, v: ValueId, thread: ValueId) -> Option<ValueId> {
        let Op::Compose(elements) = &f.insts[v].op else { return None };
        let elements = elements.clone();
        if !elements.iter().all(|load| self.fresh.contains(load)) {
            return None;
        }
        let others = self.others.as_mut()?;
        let mut loads = Vec::with_capacity(elements.len());
        for load in elements {
            let (mut op, ty, span) = (f.insts[load].op.clone(), f.insts[load].ty, f.insts[load].span);
            let Op::Load { ptr, .. } = &mut op else { return None };
            *ptr = others.value(types, f, *ptr, thread, &mut self.out)?;
            let load = push(f, op, ty, span);
            self.out.push(load);
            loads.push(load);
        }
        Some(self.add(f, Op::Compose(loads), f.insts[v].ty, f.insts[v].span))
    }

    fn product(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId, args: [ValueId; 3]) -> ValueId {
        let [a, b, mut sum] = args;
        let (ty, fp, span) = (f.insts[v].ty, f.insts[v].fp, f.insts[v].span);
        let float = types.scalar(Scalar::F32);
        for k in 0..8u32 {
            let x = if let Some(row) = self.row(types, f, a) {
                Op::Extract { vector: row[k as usize / 4], index: (k % 4) as u8 }
            } else {
                // Both elements of the pair come with one shuffle.
                Op::Extract { vector: self.shuffled(types, f, a, k & 6, true), index: (k & 1) as u8 }
            };
            let x = self.add(f, x, float, span);
            let x = self.add(f, Op::Splat(x), ty, span);
            let y = self.shuffled(types, f, b, k, false);
            sum = self.add(f, Op::Fma(x, y, sum), ty, span);
            f.insts[sum].fp = fp;
        }
        sum
    }

    /// An operand of the threads that this one needs, as `f32`.
    fn shuffled(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId, k: u32, is_left: bool) -> ValueId {
        if let Some(known) = self.known.get(&(v, k, is_left)) {
            return *known;
        }
        let span = f.insts[v].span;
        let (kept, set) = if is_left { (ROW, column_bits(k)) } else { (COLUMN, row_bits(k)) };
        let lane = self.thread(types, f, kept, set, span);
        let ty = f.insts[v].ty;
        let mut result = match self.loaded(types, f, v, lane) {
            Some(loaded) => loaded,
            None => self.add(f, Op::Simd(SimdOp::Shuffle, vec![v, lane]), ty, span),
        };
        if types.scalar_of(ty) != Some(Scalar::F32) {
            let wide = match *types.get(ty) {
                Type::Vector { len, .. } => types.vector(Scalar::F32, len),
                _ => types.scalar(Scalar::F32),
            };
            result = self.add(f, Op::Convert(result), wide, span);
        }
        self.known.insert((v, k, is_left), result);
        result
    }

    /// The index in the simdgroup of the thread with the bits `kept` of this one's and the bits `set`.
    fn thread(&mut self, types: &mut TypeTable, f: &mut Function, kept: u32, set: u32, span: Span) -> ValueId {
        if let Some(thread) = self.threads.get(&(kept, set)) {
            return *thread;
        }
        let uint = types.scalar(Scalar::U32);
        let own = match self.lane {
            Some(lane) => lane,
            None => {
                let lane = self.add(f, Op::Builtin(Builtin::ThreadIndexInSimdgroup), uint, span);
                *self.lane.insert(lane)
            }
        };
        let constants = [kept, set].map(|n| push_const(types, f, Scalar::U32, u64::from(n)));
        self.out.extend(constants);
        let same = self.add(f, Op::Binary(BinaryOp::And, own, constants[0]), uint, span);
        let thread = self.add(f, Op::Binary(BinaryOp::Or, same, constants[1]), uint, span);
        self.threads.insert((kept, set), thread);
        thread
    }

    fn add(&mut self, f: &mut Function, op: Op, ty: crate::TypeId, span: Span) -> ValueId {
        let v = push(f, op, ty, span);
        self.out.push(v);
        v
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    const SOURCE: &str = "fn k(%p: ptr<device, vec2<f16>>, %q: ptr<device, vec2<f32>>) -> void {
           %a = load %p
           %c = load %q
           %x = simd.matrix_multiply.fast %a, %a, %c
           %y = simd.matrix_multiply.fast %a, %a, %x
           store %q, %y
         }
         kernel k = @k { p: buffer 0 device read f16 q: buffer 1 device read_write f32 }";

    #[test]
    fn products_become_shuffles_once_for_each_operand() {
        let mut m = module(SOURCE);
        let k = entry(&m);
        let facts = |matrix_products| Facts { matrix_products, ..Facts::default() };
        assert!(!expand_matrix_products(&mut m, k, &facts(MatrixProducts::Halves)));
        assert!(expand_matrix_products(&mut m, k, &facts(MatrixProducts::Expanded)));
        let t = text(&m, k);
        assert_eq!(t.matches("simd.shuffle").count(), 4 + 8, "{t}");
        assert_eq!(t.matches(" fma").count(), 16, "{t}");
        crate::verify::verify(&m).unwrap();
    }

    /// Each simdgroup multiplies its own matrix by one that both have; it is laid out as Metal has it.
    const LOADED: &str = "global tile: array<f32, 256> threadgroup
         fn k(%p: ptr<device, f32>) -> void {
           %i = builtin thread_index_in_threadgroup
           %lane = builtin thread_index_in_simdgroup
           %simd = builtin simdgroup_index_in_threadgroup
           %one: u32 = const 1
           %two: u32 = const 2
           %three: u32 = const 3
           %four: u32 = const 4
           %ten: u32 = const 10
           %bound: u32 = const 64
           %base = global_addr @tile
           %zero: u32 = const 0
           %t = index_addr %base, %zero
           %place = mul %i, %four
           %own = ptr_offset %t, %place
           %from = ptr_offset %p, %place
           %v = load %from
           store %own, %v
           %a1 = ptr_offset %own, %one
           %b1 = ptr_offset %from, %one
           %v1 = load %b1
           store %a1, %v1
           %a2 = ptr_offset %own, %two
           %b2 = ptr_offset %from, %two
           %v2 = load %b2
           store %a2, %v2
           %a3 = ptr_offset %own, %three
           %b3 = ptr_offset %from, %three
           %v3 = load %b3
           store %a3, %v3
           barrier threadgroup [threadgroup]
           %r0 = shr %lane, %one
           %r1 = and %r0, %three
           %r2 = shr %lane, %two
           %r3 = and %r2, %four
           %row = or %r1, %r3
           %c0 = and %lane, %one
           %c1 = shl %c0, %one
           %c2 = shr %lane, %one
           %c3 = and %c2, %four
           %column = or %c1, %c3
           %ra = mul %row, %ten
           %at = add %ra, %column
           %first = mul %simd, %bound
           %xp = ptr_offset %t, %first
           %xq = ptr_offset %xp, %at
           %x0 = load %xq
           %xr = ptr_offset %xq, %one
           %x1 = load %xr
           %x: vec2<f32> = compose %x0, %x1
           %yq = ptr_offset %t, %at
           %y0 = load %yq
           %yr = ptr_offset %yq, %one
           %y1 = load %yr
           %y: vec2<f32> = compose %y0, %y1
           %n: vec2<f32> = const 0.5
           %z = simd.matrix_multiply %x, %y, %n
           MIDDLE
           %z2 = simd.matrix_multiply %y, %x, %z
           %e0 = extract %z2, 0
           %e1 = extract %z2, 1
           %out0 = ptr_offset %from, %one
           store %from, %e0
           store %out0, %e1
         }
         kernel k = @k { p: buffer 0 device read_write f32 }";

    fn run(m: &Module) -> Vec<u32> {
        use crate::interp::{Argument, BufferRef, DispatchKind, Machine, Options};
        let mut data: Vec<u32> = (0..256).map(|i| ((i * 37 % 101) as f32 / 8.0 - 5.0).to_bits()).collect();
        let mut machine = Machine::new(m, "k", Options::default()).unwrap();
        machine.bind(0, Argument::Buffer(BufferRef::of(&mut data)));
        machine.dispatch([64, 1, 1], [64, 1, 1], DispatchKind::Threads).unwrap();
        drop(machine);
        data
    }

    #[test]
    fn what_was_just_loaded_is_loaded_by_those_who_need_it() {
        for (middle, shuffles) in [("", 0), ("store %own, %x0", 4 + 8)] {
            let mut m = module(&LOADED.replace("MIDDLE", middle));
            let k = entry(&m);
            let size = [64, 1, 1];
            let facts = Facts {
                matrix_products: MatrixProducts::Expanded,
                threads_per_threadgroup: Some(size),
                loads_for_shuffles: true,
                ..Facts::default()
            };
            let expected = run(&m);
            assert!(expand_matrix_products(&mut m, k, &facts));
            crate::verify::verify(&m).unwrap();
            let t = text(&m, k);
            assert_eq!(t.matches("simd.shuffle").count(), shuffles, "{t}");
            assert_eq!(run(&m), expected, "{t}");
        }
    }

    /// Products of halves whose right operand lies in memory as the transpose would, or as pairs of rows.
    const RIGHT: &str = "global tile: array<f16, 256> threadgroup
         fn k(%p: ptr<device, f32>) -> void {
           %i = builtin thread_index_in_threadgroup
           %lane = builtin thread_index_in_simdgroup
           %simd = builtin simdgroup_index_in_threadgroup
           %one: u32 = const 1
           %two: u32 = const 2
           %three: u32 = const 3
           %four: u32 = const 4
           %stride: u32 = const 12
           %base = global_addr @tile
           %zero: u32 = const 0
           %t = index_addr %base, %zero
           %place = mul %i, %four
           %own = ptr_offset %t, %place
           %from = ptr_offset %p, %place
           %v0 = load %from
           %h0: f16 = convert %v0
           store %own, %h0
           %o1 = ptr_offset %own, %one
           %f1 = ptr_offset %from, %one
           %v1 = load %f1
           %h1: f16 = convert %v1
           store %o1, %h1
           %o2 = ptr_offset %own, %two
           %f2 = ptr_offset %from, %two
           %v2 = load %f2
           %h2: f16 = convert %v2
           store %o2, %h2
           %o3 = ptr_offset %own, %three
           %f3 = ptr_offset %from, %three
           %v3 = load %f3
           %h3: f16 = convert %v3
           store %o3, %h3
           barrier threadgroup [threadgroup]
           %r0 = shr %lane, %one
           %r1 = and %r0, %three
           %r2 = shr %lane, %two
           %r3 = and %r2, %four
           %row = or %r1, %r3
           %c0 = and %lane, %one
           %c1 = shl %c0, %one
           %c2 = and %r0, %four
           %column = or %c1, %c2
           INDEX
           %q0 = ptr_offset %t, %first
           %y0 = load %q0
           %q1 = ptr_offset SECOND
           %y1 = load %q1
           %y: vec2<f16> = compose %y0, %y1
           %x: vec2<f16> = compose %h0, %h1
           %n: vec2<f32> = const 0.5
           %z = simd.matrix_multiply.fast %x, %y, %n
           %z2 = simd.matrix_multiply.fast %y, %y, %z
           %e0 = extract %z2, 0
           %e1 = extract %z2, 1
           store %from, %e0
           store %f1, %e1
         }
         kernel k = @k { p: buffer 0 device read_write f32 }";

    #[test]
    fn right_operands_are_loaded_as_their_transposes() {
        let transposed = "%m = mul %column, %stride
           %first = add %m, %row";
        let paired = "%half = shr %row, %one
           %m = mul %half, %stride
           %m2 = add %m, %column
           %m3 = mul %m2, %two
           %low = and %row, %one
           %first = add %m3, %low";
        let plain = "%m = mul %row, %stride
           %first = add %m, %column";
        for (index, second, transposes) in [
            (transposed, "%q0, %stride", 1),
            (paired, "%q0, %two", 1),
            (paired, "%t, %second", 1),
            (plain, "%q0, %one", 0),
        ] {
            let other = "\n           %other = add %column, %one\n           %k2 = add %m, %other\n           %k3 = mul %k2, %two\n           %second = add %k3, %low";
            let index = if second.contains("second") { format!("{index}{other}") } else { index.to_string() };
            let mut m = module(&RIGHT.replace("INDEX", &index).replace("SECOND", second));
            let k = entry(&m);
            let mut facts = Facts {
                matrix_products: MatrixProducts::Halves,
                threads_per_threadgroup: Some([64, 1, 1]),
                loads_for_shuffles: true,
                ..Facts::default()
            };
            let expected = run(&m);
            expand_matrix_products(&mut m, k, &facts);
            crate::verify::verify(&m).unwrap();
            let t = text(&m, k);
            assert_eq!(t.matches("simd.matrix_transpose").count(), transposes, "{t}");
            assert_eq!(t.matches("simd.matrix_multiply").count(), 2, "{t}");
            assert_eq!(run(&m), expected, "{t}");
            facts.matrix_products = MatrixProducts::Expanded;
            expand_matrix_products(&mut m, k, &facts);
            crate::verify::verify(&m).unwrap();
            assert!(!text(&m, k).contains("simd.matrix"));
            assert_eq!(run(&m), expected, "{t}");
        }
    }
}

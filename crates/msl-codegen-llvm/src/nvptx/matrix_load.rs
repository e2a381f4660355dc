//! Matrices of 16-bit elements that all threads of a warp load from threadgroup memory together.
//!
//! `ldmatrix` takes the addresses of rows of 16 bytes from the threads, eight for each of up to four 8 × 8 matrices, and
//! gives each thread the pair of elements that it holds of each, of the matrix or its transpose. In: two loads of a
//! block that give a thread its pair, by whatever computation of their places. They are recognized by what the
//! threads' places have to do with each other ([`super::lanes`]). Loads that nothing separates share an instruction.

use std::collections::{HashMap, HashSet};

use msl_base::Id;
use msl_ir::matrix::place as element_of;
use msl_ir::{AddressSpace, LocalId, Op, SimdOp, ValueId};

use super::ahead::is_quiet;
use super::kernel::{Emit, Val};
use super::lanes::Place;
use crate::CodegenError;
use crate::llvm::V;

/// The bytes of a row.
const ROW: i64 = 16;
/// Matrices that are looked at together, at most.
const MOST: usize = 64;

/// A matrix in threadgroup memory.
struct Stored {
    /// The pair of elements.
    pair: ValueId,
    /// Where they are.
    pointers: [ValueId; 2],
    place: Place,
    /// Bytes from row to row.
    stride: i64,
    /// Rows in memory are columns of the matrix.
    is_transposed: bool,
}

/// The pairs of a function that are loaded, at once or as two elements, by each of the loads.
pub fn pairs(e: &Emit) -> HashMap<ValueId, ValueId> {
    let mut pairs = HashMap::new();
    let is_half_load = |v: ValueId| e.scalar_of(v).bits() == 16 && e.threadgroup_load(v).is_some();
    for (v, inst) in e.f.insts.iter() {
        match &inst.op {
            Op::Compose(list) => {
                if let &[a, b] = &list[..]
                    && a != b
                    && [a, b].iter().all(|x| e.uses[x.index()] == 1 && is_half_load(*x))
                {
                    pairs.extend([(a, v), (b, v)]);
                }
            }
            Op::Load { .. } if e.module.types.component_count(inst.ty) == 2 && is_half_load(v) => {
                pairs.insert(v, v);
            }
            _ => {}
        }
    }
    pairs
}

/// What a product takes: a value, or what a local holds that was loaded for a later step of a loop.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Operand {
    Value(ValueId),
    Local(LocalId),
}

/// How products use matrices.
#[derive(Default)]
pub struct Uses {
    /// Values that are nothing but right operands.
    pub rights: HashSet<ValueId>,
    /// Right operands, or what they are the transposes of.
    sources: HashSet<Operand>,
    /// What takes the place of a left operand or of one of these in the product that adds to the result.
    next: HashMap<Operand, Operand>,
    /// Where a value is kept.
    kept: HashMap<ValueId, LocalId>,
    /// Locals whose values are nothing but right operands, as what is loaded for the next round of a loop.
    pub locals: HashSet<LocalId>,
}

impl Uses {
    pub fn new(e: &Emit) -> Uses {
        let f = e.f;
        let (mut uses, mut others) = (Uses { locals: locals_of_rights(e), ..Uses::default() }, HashSet::new());
        let local = |ptr: ValueId| match f.insts[ptr].op {
            Op::LocalAddr(local) => Some(local),
            _ => None,
        };
        let source = |v: ValueId| {
            let v = match &f.insts[v].op {
                Op::Simd(SimdOp::MatrixTranspose, args) => args[0],
                _ => v,
            };
            match f.insts[v].op {
                Op::Load { ptr, .. } => local(ptr).map_or(Operand::Value(v), Operand::Local),
                _ => Operand::Value(v),
            }
        };
        for inst in f.insts.values() {
            let product = match &inst.op {
                Op::Simd(SimdOp::MatrixMultiply, args) => Some(args),
                _ => None,
            };
            let is_kept_right = match inst.op {
                Op::Store { ptr, .. } => local(ptr).is_some_and(|local| uses.locals.contains(&local)),
                _ => false,
            };
            let mut at = 0;
            inst.op.for_each_operand(|v| {
                if product.is_some() && at == 1 || is_kept_right {
                    uses.rights.insert(v)
                } else {
                    others.insert(v)
                };
                at += 1;
            });
            if let Op::Store { ptr, value, .. } = inst.op {
                uses.kept.extend(local(ptr).map(|local| (value, local)));
            }
            let Some(args) = product else { continue };
            uses.sources.insert(source(args[1]));
            if let Op::Simd(SimdOp::MatrixMultiply, before) = &f.insts[args[2]].op {
                uses.next.extend([0, 1].map(|i| (source(before[i]), source(args[i]))));
            }
        }
        uses.rights.retain(|v| !others.contains(v));
        uses
    }

    /// As what products may know a value.
    fn names(&self, v: ValueId) -> impl Iterator<Item = Operand> {
        [Some(Operand::Value(v)), self.kept.get(&v).map(|local| Operand::Local(*local))].into_iter().flatten()
    }
}

impl Emit<'_> {
    /// Where a plain load from threadgroup memory loads from.
    fn threadgroup_load(&self, v: ValueId) -> Option<ValueId> {
        match self.f.insts[v].op {
            Op::Load { ptr, volatile: false, .. } if self.space_of(ptr) == AddressSpace::Threadgroup => Some(ptr),
            _ => None,
        }
    }

    /// Loads the matrix that a list begins with, if it does, and those after it that can be loaded now.
    pub fn load_matrices_ahead(&mut self, list: &[ValueId]) -> Result<(), CodegenError> {
        if !self.pairs.contains_key(&list[0]) {
            return Ok(());
        }
        let here: HashSet<ValueId> = list.iter().copied().collect();
        let mut found: Vec<Stored> = Vec::new();
        let mut writes_locals = false;
        for id in list {
            let op = &self.f.insts[*id].op;
            if let Some(pair) = self.pairs.get(id).copied() {
                if self.ahead.contains(id) || found.iter().any(|m| m.pair == pair) {
                    continue;
                }
                let Some(matrix) = self.stored_matrix(pair) else {
                    // Not again for the other load, or the loads between this one and the end of the list.
                    self.pairs.retain(|_, p| *p != pair);
                    if *id == list[0] {
                        return Ok(());
                    }
                    continue;
                };
                let ready = here.contains(&pair) && self.compute_ahead(matrix.pointers[0], &here, writes_locals)?;
                if !ready || found.len() == MOST {
                    break;
                }
                found.push(matrix);
                continue;
            }
            match op {
                Op::Store { ptr, .. } if self.space_of(*ptr) == AddressSpace::Thread => writes_locals = true,
                Op::Store { ptr, .. } if self.space_of(*ptr) == AddressSpace::Threadgroup => break,
                Op::Simd(SimdOp::MatrixTranspose, _) => {}
                op if is_quiet(op) => {}
                _ => break,
            }
        }
        self.load_matrices(&found);
        for matrix in &found {
            if let Op::Compose(loads) = &self.f.insts[matrix.pair].op {
                self.ahead.extend(loads.iter().copied());
            }
            self.ahead.insert(matrix.pair);
        }
        Ok(())
    }

    /// What the pair is part of, if the threads' pairs are those of a matrix whose rows are whole and aligned.
    fn stored_matrix(&self, pair: ValueId) -> Option<Stored> {
        let (a, b) = match &self.f.insts[pair].op {
            Op::Compose(loads) => (*loads.first()?, *loads.get(1)?),
            _ => (pair, pair),
        };
        let divergence = self.uniformity.lane_divergence();
        if !divergence.is_full(a) || !divergence.is_full(b) {
            return None;
        }
        let pointers = [self.threadgroup_load(a)?, self.threadgroup_load(b)?];
        let (first, second) = (self.place(pointers[0])?, self.place(pointers[1])?);
        let to_second = match a == b {
            true => [2; 32],
            false => first.sum.distance(&second.sum).filter(|_| first.root == second.root)?,
        };
        let from = first.sum.threads[0];
        // Thread 0 holds (0, 0) and (0, 1), thread 1 (0, 2) and thread 2 (1, 0).
        let (right, down) = (first.sum.threads[1] - from, first.sum.threads[2] - from);
        let (stride, is_transposed) = if right == 4 { (down, false) } else { (right / 2, true) };
        let is_regular = (0..32usize).all(|t| {
            let (row, column) = element_of(t as u32);
            let (row, column) = (i64::from(row), i64::from(column));
            let (major, minor) = if is_transposed { (column, row) } else { (row, column) };
            let next = if is_transposed { stride } else { 2 };
            first.sum.threads[t] - from == major * stride + minor * 2 && to_second[t] == next
        });
        let is_aligned = stride % ROW == 0
            && from % ROW == 0
            && first.sum.terms.iter().all(|(v, n)| {
                let zeros = self.zero_bits(ValueId::from_index(*v)) + n.trailing_zeros();
                zeros >= ROW.trailing_zeros()
            });
        let has_length = self.extent(first.root).is_some();
        (is_regular && is_aligned && has_length && stride != 0).then_some(Stored {
            pair,
            pointers,
            place: first,
            stride,
            is_transposed,
        })
    }

    /// What an instruction of a tensor core takes together, one after the other: it wants neighboring registers. Of the
    /// left that is two rows of matrices for this step and the next, of the right one for both.
    fn in_order_of_use<'s>(&self, found: &'s [Stored]) -> Vec<&'s Stored> {
        let uses = &self.matrix_uses;
        let mut placed = vec![false; found.len()];
        let mut order = Vec::with_capacity(found.len());
        let follower = |i: usize, placed: &[bool]| {
            let next = uses.names(found[i].pair).find_map(|name| uses.next.get(&name))?;
            let is_next = |m: &Stored| uses.names(m.pair).any(|name| name == *next);
            found.iter().position(is_next).filter(|n| *n != i && !placed[*n])
        };
        for i in 0..found.len() {
            if placed[i] {
                continue;
            }
            placed[i] = true;
            let mut group = vec![i];
            if let Some(next) = follower(i, &placed) {
                placed[next] = true;
                let is_right = |i: usize| uses.names(found[i].pair).any(|name| uses.sources.contains(&name));
                let below = (i + 1..found.len())
                    .filter(|j| !placed[*j] && !is_right(i) && !is_right(*j))
                    .find_map(|j| Some((j, follower(j, &placed)?)));
                if let Some((j, after)) = below {
                    (placed[j], placed[after]) = (true, true);
                    group = vec![i, j, next, after];
                } else {
                    group.push(next);
                }
            }
            order.extend(group.into_iter().map(|i| &found[i]));
        }
        order
    }

    /// Loads or stores of a local that holds right operands: it keeps their transposes.
    pub fn access_right(&mut self, id: ValueId) -> bool {
        let ll = self.ll;
        let (ptr, value) = match self.f.insts[id].op {
            Op::Load { ptr, .. } => (ptr, None),
            Op::Store { ptr, value, .. } => (ptr, Some(value)),
            _ => return false,
        };
        let Op::LocalAddr(local) = self.f.insts[ptr].op else { return false };
        let Some(slot) = self.rights.get(&local).copied() else { return false };
        match value {
            Some(value) => {
                let word = self.right_operand(value);
                ll.store(word, slot, 4);
            }
            None => {
                self.flipped.insert(id, ll.load(ll.int(32), slot, 4));
            }
        }
        true
    }

    fn is_wanted_flipped(&self, m: &Stored) -> bool {
        self.matrix_uses.rights.contains(&m.pair)
    }

    fn load_matrices(&mut self, found: &[Stored]) {
        let mut left = self.in_order_of_use(found);
        while let Some(first) = left.first().copied() {
            // A known distance apart, in order of their places: addresses that differ by the same are computed once.
            let distance = |m: &Stored| {
                let is_like = m.place.root == first.place.root
                    && m.stride == first.stride
                    && m.is_transposed == first.is_transposed
                    && self.is_wanted_flipped(m) == self.is_wanted_flipped(first);
                first.place.sum.distance(&m.place.sum).filter(|d| is_like && d.iter().all(|n| *n == d[0])).map(|d| d[0])
            };
            let (mut group, others): (Vec<_>, Vec<_>) =
                left.iter().map(|m| (*m, distance(m))).partition(|(_, d)| d.is_some());
            let rest = if group.len() > 4 { group.split_off(4) } else { Vec::new() };
            left = rest.into_iter().chain(others).map(|(m, _)| m).collect();
            let group: Vec<(&Stored, i64)> = group.into_iter().map(|(m, d)| (m, d.unwrap_or(0))).collect();
            for part in parts(&group) {
                self.load_together(first, part);
            }
        }
    }

    /// One, two or four matrices at known distances from the first.
    fn load_together(&mut self, first: &Stored, group: &[(&Stored, i64)]) {
        let ll = self.ll;
        let (i32t, i64t) = (ll.int(32), ll.int(64));
        let lane = ll.zext(ll.intrinsic("llvm.nvvm.read.ptx.sreg.laneid", i32t, &[]), i64t);
        let bits = |from: u32, mask: u64| ll.and(ll.lshr(lane, ll.c64(u64::from(from))), ll.c64(mask));
        // From the thread's own element to the row whose address it gives.
        let (across, down) = if first.is_transposed { (first.stride * 2, 2) } else { (4, first.stride) };
        let scaled = |v: V, by: i64| ll.mul(v, ll.c64(by as u64));
        let own = ll.add(scaled(bits(2, 7), down), scaled(bits(0, 3), across));
        let mut offset = ll.sub(scaled(bits(0, 7), first.stride), own);
        let number = |d: i64| ll.c64(d as u64);
        if let [(_, one), (_, two)] = group {
            offset = ll.add(offset, ll.select(ll.eq(bits(3, 1), ll.c64(0)), number(*one), number(*two)));
        } else if let [(_, one), (_, two), (_, three), (_, four)] = group {
            let pick = |bit: u32, a: V, b: V| ll.select(ll.eq(bits(bit, 1), ll.c64(0)), a, b);
            let (low, high) = (pick(3, number(*one), number(*two)), pick(3, number(*three), number(*four)));
            offset = ll.add(offset, pick(4, low, high));
        } else if let [(_, one)] = group {
            offset = ll.add(offset, number(*one));
        }
        let p = self.pointer(first.pointers[0]);
        // All of a row belongs to some thread's pair.
        let is_inside = group.iter().all(|(m, _)| {
            let size = if m.pointers[0] == m.pointers[1] { 4 } else { 2 };
            m.pointers.iter().all(|p| self.is_within(*p, m.place.root, size))
        });
        let at = match self.extent(first.place.root).filter(|_| !is_inside && !p.valid) {
            Some((start, length)) => {
                let from = p.offset.unwrap_or_else(|| ll.sub(ll.ptr_to_int(p.p), ll.ptr_to_int(start)));
                self.clamped(start, length, ll.add(from, offset), ROW as u64, ROW as u32)
            }
            None => ll.gep(p.p, offset),
        };
        let count = group.len() as u32;
        let is_flipped = self.is_wanted_flipped(first);
        let transposed = if first.is_transposed != is_flipped { ".trans" } else { "" };
        let name = format!("llvm.nvvm.ldmatrix.sync.aligned.m8n8.x{count}{transposed}.b16.p3");
        let ty = if count == 1 { i32t } else { ll.structure(&vec![i32t; count as usize]) };
        let words = ll.intrinsic(&name, ty, &[at]);
        for (i, (m, _)) in group.iter().enumerate() {
            let word = if count == 1 { words } else { ll.extract_value(words, i as u32) };
            if is_flipped {
                self.flipped.insert(m.pair, word);
                continue;
            }
            let pair = ll.bitcast(word, ll.vec(self.register(self.scalar_of(m.pair)), 2));
            self.vals[m.pair.index()] = Some(Val::Comps(vec![ll.extract(pair, 0), ll.extract(pair, 1)]));
        }
    }
}

/// The locals of pairs of which every value that is loaded is a right operand and nothing else, and which are stored by all
/// threads of a warp together.
fn locals_of_rights(e: &Emit) -> HashSet<LocalId> {
    let f = e.f;
    let local = |ptr: ValueId| match f.insts[ptr].op {
        Op::LocalAddr(local) => Some(local),
        _ => None,
    };
    let is_pair = |v: ValueId| e.scalar_of(v).bits() == 16 && e.module.types.component_count(e.ty(v)) == 2;
    let mut loads: HashMap<ValueId, LocalId> = HashMap::new();
    let (mut found, mut others) = (HashSet::new(), HashSet::new());
    for (id, inst) in f.insts.iter() {
        match &inst.op {
            Op::Load { ptr, volatile: false, .. } if local(*ptr).is_some() && is_pair(id) => {
                loads.extend(local(*ptr).map(|local| (id, local)));
            }
            Op::Store { ptr, value, volatile: false, .. }
                if is_pair(*value) && e.uniformity.lane_divergence().is_full(id) =>
            {
                others.extend(local(*value));
                found.extend(local(*ptr));
            }
            op => op.for_each_operand(|v| others.extend(local(v))),
        }
    }
    for inst in f.insts.values() {
        let is_product = matches!(inst.op, Op::Simd(SimdOp::MatrixMultiply, _));
        let mut at = 0;
        inst.op.for_each_operand(|v| {
            if !(is_product && at == 1) {
                others.extend(loads.get(&v));
            }
            at += 1;
        });
    }
    let read: HashSet<LocalId> = loads.into_values().collect();
    found.retain(|local| read.contains(local) && !others.contains(local));
    found
}

/// Fours, twos and ones.
fn parts<T>(mut list: &[T]) -> Vec<&[T]> {
    let mut parts = Vec::new();
    while !list.is_empty() {
        let n = [4, 2, 1].into_iter().find(|n| list.len() >= *n).unwrap_or(1);
        let (part, rest) = list.split_at(n);
        parts.push(part);
        list = rest;
    }
    parts
}

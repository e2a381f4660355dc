//! Products of simdgroup matrices on tensor cores.
//!
//! `mma.m16n8k8` and `m16n8k16` multiply two or four 8 × 8 matrices on the left by one or two on the right.
//! Products of one block that have the right operand in common become one instruction, and so do
//! two that follow each other into the same sum. Operands lie as Metal lays them out, because threads of a warp are
//! numbered for it ([`metal_lane`]); the right one is transposed first, once for all products of a block that use it.

use std::collections::{HashMap, HashSet};

use msl_base::Id;
use msl_ir::{AddressSpace, Function, Module, Op, Scalar, SimdOp, ValueId};

use super::NvptxOptions;
use super::ahead::is_quiet;
use super::kernel::{Emit, Val};
use crate::CodegenError;
use crate::llvm::{Ll, V};

/// Products that are looked at together, at most.
const MOST: usize = 256;

/// Whether the products of a kernel may go to tensor cores: all threads of each warp belong to the threadgroup, and no
/// operation depends on the order of the warp's threads but those that know how they are numbered.
pub fn are_usable(module: &Module, options: &NvptxOptions) -> bool {
    let threads: u32 = options.threadgroup.iter().product();
    let mut has_products = false;
    let mut is_plain = true;
    for f in module.functions.values() {
        for inst in f.insts.values() {
            if let Op::Simd(op, _) = &inst.op {
                match op {
                    SimdOp::MatrixMultiply => has_products = true,
                    SimdOp::Shuffle
                    | SimdOp::MatrixTranspose
                    | SimdOp::ReduceAdd
                    | SimdOp::ReduceMul
                    | SimdOp::ReduceMin
                    | SimdOp::ReduceMax
                    | SimdOp::ReduceAnd
                    | SimdOp::ReduceOr
                    | SimdOp::ReduceXor => {}
                    SimdOp::BroadcastFirst
                    | SimdOp::Ballot
                    | SimdOp::IsFirst
                    | SimdOp::InclusiveAdd
                    | SimdOp::ExclusiveAdd
                    | SimdOp::InclusiveMul
                    | SimdOp::ExclusiveMul => is_plain = false,
                }
            }
        }
    }
    has_products && is_plain && options.sm >= 80 && !options.edge_groups && threads.is_multiple_of(32)
}

/// Whether any product is left for tensor cores.
pub fn are_used(f: &Function) -> bool {
    f.insts.values().any(|inst| matches!(inst.op, Op::Simd(SimdOp::MatrixMultiply, _)))
}

/// Metal's index in the simdgroup of a thread of a warp. NVIDIA: bits 4, 3, 2 are the row, 1, 0 the pair of columns;
/// Metal: 4, 2, 1 and 3, 0.
pub fn metal_lane(ll: &Ll, lane: V) -> V {
    let part = |mask: u32| ll.and(lane, ll.c32(mask));
    let moved = ll.or(ll.lshr(part(0b01100), ll.c32(1)), ll.shl(part(0b00010), ll.c32(2)));
    ll.or(part(0b10001), moved)
}
/// The inverse.
pub fn warp_lane(ll: &Ll, lane: V) -> V {
    let part = |mask: u32| ll.and(lane, ll.c32(mask));
    let moved = ll.or(ll.shl(part(0b00110), ll.c32(1)), ll.lshr(part(0b01000), ll.c32(2)));
    ll.or(part(0b10001), moved)
}

/// A product of the list that is being emitted.
#[derive(Clone, Copy)]
struct Product {
    id: ValueId,
    a: ValueId,
    b: ValueId,
    c: ValueId,
}

impl Emit<'_> {
    /// Emits the product that a list begins with, and those after it that can be emitted now.
    pub fn multiply_ahead(&mut self, list: &[ValueId]) -> Result<(), CodegenError> {
        if self.product(list[0]).is_none() {
            return Ok(());
        }
        let here: HashSet<ValueId> = list.iter().copied().collect();
        let mut products: Vec<Product> = Vec::new();
        let mut writes_locals = false;
        for id in list {
            let op = &self.f.insts[*id].op;
            if let Some(p) = self.product(*id) {
                let is_known = |v: ValueId| products.iter().any(|q| q.id == v);
                let c_is_known = is_known(p.c);
                if products.len() == MOST || self.ahead.contains(id) {
                    break;
                }
                let mut ready = true;
                for v in [p.a, p.b].into_iter().chain((!c_is_known).then_some(p.c)) {
                    ready = ready && self.compute_ahead(v, &here, writes_locals)?;
                }
                // Of the first one everything is known: it is its turn.
                if !ready && *id != list[0] {
                    break;
                }
                products.push(p);
                continue;
            }
            match op {
                Op::Store { ptr, .. } if self.space_of(*ptr) == AddressSpace::Thread => writes_locals = true,
                op if is_quiet(op) => {}
                _ => break,
            }
        }
        self.emit_products(&products);
        for p in products.iter().skip(1) {
            self.ahead.insert(p.id);
        }
        Ok(())
    }

    fn product(&self, id: ValueId) -> Option<Product> {
        match &self.f.insts[id].op {
            Op::Simd(SimdOp::MatrixMultiply, args) => Some(Product { id, a: args[0], b: args[1], c: args[2] }),
            _ => None,
        }
    }

    fn emit_products(&mut self, products: &[Product]) {
        // The product that adds to the result of each, where nothing else uses that.
        let mut next: HashMap<ValueId, usize> = HashMap::new();
        for (i, p) in products.iter().enumerate() {
            if self.uses[p.c.index()] == 1 {
                next.insert(p.c, i);
            }
        }
        let mut done = vec![false; products.len()];
        let mut transposed = HashMap::new();
        for i in 0..products.len() {
            if done[i] {
                continue;
            }
            let x = products[i];
            let x2 = next.get(&x.id).copied().filter(|j| self.scalar_of(products[*j].a) == self.scalar_of(x.a));
            let waits = |p: &Product| products.iter().position(|q| q.id == p.c).is_some_and(|q| !done[q]);
            // Another one with the same right operand, both for this step and, if there is one, the next.
            let partners = (i + 1..products.len()).filter(|j| {
                let y = &products[*j];
                !done[*j] && y.b == x.b && !waits(y) && self.scalar_of(y.a) == self.scalar_of(x.a)
            });
            let mut both = None;
            let mut one = None;
            for j in partners {
                let y2 = next.get(&products[j].id).copied();
                match (x2, y2) {
                    (Some(k), Some(l)) if k != l && products[k].b == products[l].b => {
                        both = Some((j, k, l));
                        break;
                    }
                    _ => one = one.or(Some(j)),
                }
            }
            match (both, one, x2) {
                (Some((j, k, l)), ..) => {
                    let (y, x2, y2) = (products[j], products[k], products[l]);
                    let sums = self.mma(
                        [Some(x.a), Some(y.a), Some(x2.a), Some(y2.a)],
                        [x.b, x2.b],
                        [Some(x.c), Some(y.c)],
                        &mut transposed,
                    );
                    for (p, sum) in [(x2, sums[0]), (y2, sums[1])] {
                        self.vals[p.id.index()] = Some(Val::Comps(sum.to_vec()));
                    }
                    for at in [i, j, k, l] {
                        done[at] = true;
                    }
                }
                (None, Some(j), _) => {
                    let y = products[j];
                    let sums = self.mma(
                        [Some(x.a), Some(y.a), None, None],
                        [x.b, x.b],
                        [Some(x.c), Some(y.c)],
                        &mut transposed,
                    );
                    for (p, sum) in [(x, sums[0]), (y, sums[1])] {
                        self.vals[p.id.index()] = Some(Val::Comps(sum.to_vec()));
                    }
                    (done[i], done[j]) = (true, true);
                }
                (None, None, Some(k)) => {
                    let x2 = products[k];
                    let sums =
                        self.mma([Some(x.a), None, Some(x2.a), None], [x.b, x2.b], [Some(x.c), None], &mut transposed);
                    self.vals[x2.id.index()] = Some(Val::Comps(sums[0].to_vec()));
                    (done[i], done[k]) = (true, true);
                }
                (None, None, None) => {
                    let sums = self.mma([Some(x.a), None, None, None], [x.b, x.b], [Some(x.c), None], &mut transposed);
                    self.vals[x.id.index()] = Some(Val::Comps(sums[0].to_vec()));
                    done[i] = true;
                }
            }
        }
    }

    /// One instruction: the left operands of two rows of matrices for one or two steps, the right operands of the
    /// steps, the sums. Two steps if the third or fourth left operand is there.
    fn mma(
        &self,
        a: [Option<ValueId>; 4],
        b: [ValueId; 2],
        c: [Option<ValueId>; 2],
        transposed: &mut HashMap<ValueId, V>,
    ) -> [[V; 2]; 2] {
        let ll = self.ll;
        let f32t = ll.f32();
        let has_two = a[2].is_some() || a[3].is_some();
        let kind = a[0].map_or(Scalar::F16, |a| self.scalar_of(a));
        let name = if kind == Scalar::BF16 { "bf16" } else { "f16" };
        let word = |v: Option<ValueId>| v.map_or(ll.c32(0), |v| self.packed(v));
        let mut right = |v: ValueId| *transposed.entry(v).or_insert_with(|| self.right_operand(v));
        let sum = |v: Option<ValueId>, i: usize| v.map_or(ll.creal(f32t, 0.0), |v| self.comps(v)[i]);
        let sums = [sum(c[0], 0), sum(c[0], 1), sum(c[1], 0), sum(c[1], 1)];
        let mut args = vec![word(a[0]), word(a[1])];
        let (text, constraints) = if has_two {
            args.extend([word(a[2]), word(a[3]), right(b[0]), right(b[1])]);
            (
                format!(
                    "mma.sync.aligned.m16n8k16.row.col.f32.{name}.{name}.f32 {{$0,$1,$2,$3}}, {{$4,$5,$6,$7}}, \
                     {{$8,$9}}, {{$10,$11,$12,$13}};"
                ),
                "=f,=f,=f,=f,r,r,r,r,r,r,f,f,f,f",
            )
        } else {
            args.push(right(b[0]));
            (
                format!(
                    "mma.sync.aligned.m16n8k8.row.col.f32.{name}.{name}.f32 {{$0,$1,$2,$3}}, {{$4,$5}}, {{$6}}, \
                     {{$7,$8,$9,$10}};"
                ),
                "=f,=f,=f,=f,r,r,r,f,f,f,f",
            )
        };
        args.extend(sums);
        let result = ll.convergent_asm(&text, constraints, ll.structure(&[f32t; 4]), &args);
        let part = |i: u32| ll.extract_value(result, i);
        [[part(0), part(1)], [part(2), part(3)]]
    }

    /// A matrix as an instruction takes it on the right: transposed.
    pub fn right_operand(&self, v: ValueId) -> V {
        if let Some(word) = self.flipped.get(&v) {
            return *word;
        }
        if let Op::Simd(SimdOp::MatrixTranspose, args) = &self.f.insts[v].op {
            return self.packed(args[0]);
        }
        self.transposed(self.packed(v))
    }

    /// A matrix of 16-bit elements in registers, transposed.
    fn transposed(&self, pair: V) -> V {
        let text = "movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;";
        self.ll.convergent_asm(text, "=r,r", self.ll.int(32), &[pair])
    }

    /// The operation on its own; the pass that makes it does so for elements of 16 bits and kernels whose threads are
    /// numbered for tensor cores.
    pub fn matrix_transpose(&self, v: ValueId) -> Vec<V> {
        let ll = self.ll;
        let t = ll.type_of(self.comps(v)[0]);
        let pair = ll.bitcast(self.transposed(self.packed(v)), ll.vec(t, 2));
        vec![ll.extract(pair, 0), ll.extract(pair, 1)]
    }

    /// Two 16-bit elements in one register.
    fn packed(&self, v: ValueId) -> V {
        let ll = self.ll;
        let c = self.comps(v);
        let t = ll.type_of(c[0]);
        let pair = ll.insert(ll.insert(ll.poison(ll.vec(t, 2)), c[0], 0), c[1], 1);
        ll.bitcast(pair, ll.int(32))
    }
}

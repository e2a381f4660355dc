//! Random kernels for differential tests: two executors, or the same one before and after a
//! pass, must agree on every word of the output.
//!
//! In: a seed. Out: a verified module with the kernel `k`, made of arithmetic on all scalar types
//! and vectors, nested divergent control flow, locals and arrays, calls with early returns,
//! simdgroup operations, and threadgroup memory exchanged over barriers. Promised: the same seed
//! gives the same module; the kernel ends, is free of races, stays in bounds, and its output does
//! not depend on anything the IR leaves unspecified (division by zero, the sign of a zero from
//! `min`, bits of a NaN, absent threads of a shuffle). Float operations carry no flags.
//!
//! How to run one: `in` and `out` hold [`WORDS`] words per thread; the grid is one-dimensional, in
//! threadgroups of at most [`MAX_THREADGROUP`] threads, edges included.

use crate::builder::FunctionBuilder;
use crate::*;

/// Words of input and output of each thread.
pub const WORDS: u32 = 4;
/// Threads that the kernel's threadgroup memory serves.
pub const MAX_THREADGROUP: u32 = 128;

/// The module of a seed; `size` is about how many statements it has (20 is small, 100 is large).
pub fn random_kernel(seed: u64, size: u32) -> Module {
    let mut module = Module::default();
    let u32_ty = module.types.scalar(Scalar::U32);
    let f32_ty = module.types.scalar(Scalar::F32);
    let void = module.types.void();
    let buffer = module.types.pointer(AddressSpace::Device, u32_ty);
    let tile_ty = module.types.array(u32_ty, u64::from(MAX_THREADGROUP));
    let tile = Global {
        name: "tile".into(),
        ty: tile_ty,
        space: AddressSpace::Threadgroup,
        align: 4,
        init: None,
        pointers: Vec::new(),
    };
    let tile_id = module.globals.push(tile.clone());
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);

    let mut helpers = Vec::new();
    for n in 0..2 {
        let b = FunctionBuilder::new(&mut module.types, format!("helper{n}").as_str(), vec![u32_ty, f32_ty], u32_ty);
        let mut g = Generator::new(b, &mut random, helpers.clone(), Some(u32_ty));
        let params = [g.b.param(0), g.b.param(1)];
        g.pool.extend(params);
        g.locals();
        g.statements(size / 4 + 1, 2);
        let result = g.digest();
        g.b.ret(Some(result));
        let function = g.b.finish();
        helpers.push((module.functions.push(function), u32_ty));
    }

    let b = FunctionBuilder::new(&mut module.types, "k", vec![buffer, buffer], void);
    let mut g = Generator::new(b, &mut random, helpers, None);
    let (input, output) = (g.b.param(0), g.b.param(1));
    let position = g.b.builtin(Builtin::ThreadPositionInGrid);
    let i = g.b.extract(position, 0);
    let words = g.b.const_u32(WORDS);
    let first = g.b.binary(BinaryOp::Mul, i, words);
    let (input, output) = (g.b.ptr_offset(input, first), g.b.ptr_offset(output, first));
    let lane = g.b.builtin(Builtin::ThreadIndexInSimdgroup);
    g.pool.extend([i, lane]);
    for n in 0..WORDS {
        let n = g.b.const_u32(n);
        let p = g.b.ptr_offset(input, n);
        let x = g.b.load(p);
        let f = g.b.bitcast(x, f32_ty);
        g.pool.extend([x, f]);
    }
    g.locals();
    for _ in 0..3 {
        g.statements(size / 4 + 1, 3);
        if g.random.chance(2) {
            g.uniform_loop(tile_id, &tile);
        } else {
            g.exchange(tile_id, &tile);
        }
    }
    for n in 0..WORDS {
        g.statements(size / 16 + 1, 2);
        let x = g.digest();
        let n = g.b.const_u32(n);
        let p = g.b.ptr_offset(output, n);
        g.b.store(p, x);
    }
    let function = g.b.finish();
    let function = module.functions.push(function);
    let param = |name: &str, index| Param {
        name: name.into(),
        kind: ParamKind::Buffer { is_constant: false, is_reference: false, element: HostType::Scalar(Scalar::U32) },
        index,
        access: Access::ReadWrite,
        used: true,
    };
    module.entry_points.push(EntryPoint {
        name: "k".into(),
        function,
        params: vec![param("in", 0), param("out", 1)],
        max_total_threads: Some(MAX_THREADGROUP),
        required_threads: None,
    });
    module
}

/// xorshift64*: reproducible everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 33) % n as u64) as usize
    }
    /// True once in `n` times.
    fn chance(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

struct Generator<'t, 'r> {
    b: FunctionBuilder<'t>,
    random: &'r mut Random,
    /// Values visible here.
    pool: Vec<ValueId>,
    /// `u32` variables and an array of 8, as pointers.
    variables: Vec<ValueId>,
    array: Option<ValueId>,
    helpers: Vec<(FunctionId, TypeId)>,
    /// Labels to break, and whether they can be continued.
    targets: Vec<(LabelId, bool)>,
    /// Set in functions that may return early.
    returns: Option<TypeId>,
}

const SCALARS: [Scalar; 10] = [
    Scalar::U32,
    Scalar::I32,
    Scalar::F32,
    Scalar::U32,
    Scalar::F32,
    Scalar::U64,
    Scalar::I16,
    Scalar::U8,
    Scalar::F16,
    Scalar::I64,
];

impl<'t, 'r> Generator<'t, 'r> {
    fn new(
        b: FunctionBuilder<'t>,
        random: &'r mut Random,
        helpers: Vec<(FunctionId, TypeId)>,
        returns: Option<TypeId>,
    ) -> Generator<'t, 'r> {
        let (pool, variables, targets) = (Vec::new(), Vec::new(), Vec::new());
        Generator { b, random, pool, variables, array: None, helpers, targets, returns }
    }

    /// Declares and initializes the variables.
    fn locals(&mut self) {
        let u32_ty = self.b.types.scalar(Scalar::U32);
        for _ in 0..3 {
            let local = self.b.local("v", u32_ty);
            let p = self.b.local_addr(local);
            let x = self.value(Scalar::U32);
            self.b.store(p, x);
            self.variables.push(p);
        }
        let array = self.b.types.array(u32_ty, 8);
        let local = self.b.local("a", array);
        let p = self.b.local_addr(local);
        for i in 0..8 {
            let i = self.b.const_u32(i);
            let element = self.b.index_addr(p, i);
            let x = self.value(Scalar::U32);
            self.b.store(element, x);
        }
        self.array = Some(p);
    }

    // ---- values ----------------------------------------------------------------------------
    /// A scalar of that type: from the pool, converted where nothing fits, or a constant.
    fn value(&mut self, scalar: Scalar) -> ValueId {
        if self.random.chance(5) || self.pool.is_empty() {
            let n = self.random.pick(&[0, 1, 2, 3, 7, 31, -1, -8, 100, 1 << 20]);
            return self.b.const_int(scalar, n);
        }
        let v = self.random.pick(&self.pool.clone());
        let v = match *self.b.types.get(self.b.type_of(v)) {
            Type::Vector { len, .. } => {
                let c = self.random.below(usize::from(len)) as u8;
                self.b.extract(v, c)
            }
            _ => v,
        };
        self.b.convert(v, scalar)
    }
    fn vector(&mut self, scalar: Scalar, len: u8) -> ValueId {
        let components = (0..len).map(|_| self.value(scalar)).collect();
        self.b.compose(components)
    }
    fn operand(&mut self, scalar: Scalar, len: u8) -> ValueId {
        if len == 1 { self.value(scalar) } else { self.vector(scalar, len) }
    }
    fn condition(&mut self) -> ValueId {
        let s = self.random.pick(&SCALARS);
        let op = self.random.pick(&[
            CompareOp::Eq,
            CompareOp::Ne,
            CompareOp::Lt,
            CompareOp::Le,
            CompareOp::Gt,
            CompareOp::Ge,
        ]);
        let (a, c) = (self.value(s), self.value(s));
        self.b.compare(op, a, c)
    }
    /// A constant of that type in every component.
    fn splat_int(&mut self, scalar: Scalar, len: u8, value: i64) -> ValueId {
        let x = self.b.const_int(scalar, value);
        self.b.splat(x, len)
    }

    /// A word that depends on much of what is known here.
    fn digest(&mut self) -> ValueId {
        let mut total = self.b.const_u32(0x811c_9dc5);
        let prime = self.b.const_u32(0x0100_0193);
        let recent: Vec<ValueId> = self.pool.iter().rev().take(12).copied().collect();
        for v in recent {
            let scalar = match *self.b.types.get(self.b.type_of(v)) {
                Type::Vector { len, .. } => {
                    let c = self.random.below(usize::from(len)) as u8;
                    self.b.extract(v, c)
                }
                _ => v,
            };
            let word = self.word(scalar);
            let x = self.b.binary(BinaryOp::Xor, total, word);
            total = self.b.binary(BinaryOp::Mul, x, prime);
        }
        for p in self.variables.clone() {
            let word = self.b.load(p);
            let x = self.b.binary(BinaryOp::Xor, total, word);
            total = self.b.binary(BinaryOp::Mul, x, prime);
        }
        total
    }
    /// The bits of a scalar as `u32`, all NaNs being one.
    fn word(&mut self, v: ValueId) -> ValueId {
        match self.b.scalar_of(v) {
            Some(s) if s.is_float() => {
                let x = self.b.convert(v, Scalar::F32);
                let ty = self.b.types.scalar(Scalar::U32);
                let bits = self.b.bitcast(x, ty);
                let is_nan = self.b.unary(UnaryOp::IsNan, x);
                let nan = self.b.const_u32(0x7fc0_0000);
                self.b.select(is_nan, nan, bits)
            }
            _ => self.b.convert(v, Scalar::U32),
        }
    }

    // ---- statements ------------------------------------------------------------------------
    fn statements(&mut self, count: u32, depth: u32) {
        for _ in 0..count {
            if self.b.is_terminated() {
                return;
            }
            match self.random.below(if depth == 0 { 12 } else { 18 }) {
                0..=5 => self.arithmetic(),
                6 => self.vector_shape(),
                7 => {
                    let p = self.random.pick(&self.variables.clone());
                    let v = self.b.load(p);
                    self.pool.push(v);
                }
                8 => {
                    let p = self.random.pick(&self.variables.clone());
                    let v = self.value(Scalar::U32);
                    self.b.store(p, v);
                }
                9 => self.array_access(),
                10 => self.simd(),
                11 => self.leave(),
                12 | 13 => self.branch(depth),
                14 | 15 => self.bounded_loop(depth),
                16 => self.switch(depth),
                _ if self.random.chance(2) => self.call(),
                _ => self.scope(depth),
            }
        }
    }

    /// What `body` adds to the pool is not visible after it.
    fn nested(&mut self, depth: u32, body: impl FnOnce(&mut Self, u32)) {
        let (pool, targets) = (self.pool.len(), self.targets.len());
        body(self, depth - 1);
        self.pool.truncate(pool);
        self.targets.truncate(targets);
    }

    fn arithmetic(&mut self) {
        let s = self.random.pick(&SCALARS);
        let len = if self.random.chance(4) { 2 + self.random.below(3) as u8 } else { 1 };
        let a = self.operand(s, len);
        let c = self.operand(s, len);
        let v = match (s.is_float(), self.random.below(13)) {
            (_, 0) => self.b.add(a, c),
            (_, 1) => self.b.sub(a, c),
            (_, 2) => self.b.mul(a, c),
            (true, 3) => self.b.div(a, c),
            (false, n @ (3 | 4)) => {
                // A positive divisor: nothing is unspecified.
                let low = self.splat_int(s, len, 0x7e);
                let one = self.splat_int(s, len, 1);
                let divisor = self.b.binary(BinaryOp::And, c, low);
                let divisor = self.b.binary(BinaryOp::Or, divisor, one);
                self.b.binary(if n == 3 { BinaryOp::Div } else { BinaryOp::Rem }, a, divisor)
            }
            (true, 4) => self.b.unary(UnaryOp::Sqrt, a),
            (is_float, n @ (5 | 6)) => {
                let v = self.b.binary(if n == 5 { BinaryOp::Min } else { BinaryOp::Max }, a, c);
                if is_float {
                    // −0 + 0 is 0: which zero it was no longer matters.
                    let zero = self.splat_int(s, len, 0);
                    self.b.add(v, zero)
                } else {
                    v
                }
            }
            (true, 7) => {
                let d = self.operand(s, len);
                self.b.fma(a, c, d)
            }
            (true, 8) => {
                let op = self.random.pick(&[UnaryOp::Floor, UnaryOp::Ceil, UnaryOp::Trunc, UnaryOp::RoundEven]);
                self.b.unary(op, a)
            }
            (true, 9 | 10) => {
                let op = self.random.pick(&[UnaryOp::Neg, UnaryOp::Abs]);
                self.b.unary(op, a)
            }
            (true, _) => {
                let to = self.random.pick(&SCALARS);
                self.b.convert(a, to)
            }
            (false, 7) => {
                let op = self.random.pick(&[
                    UnaryOp::PopCount,
                    UnaryOp::LeadingZeros,
                    UnaryOp::TrailingZeros,
                    UnaryOp::ReverseBits,
                    UnaryOp::Neg,
                    UnaryOp::Not,
                    UnaryOp::Abs,
                ]);
                self.b.unary(op, a)
            }
            (false, 8) => {
                let op = self.random.pick(&[BinaryOp::MulHigh, BinaryOp::AddSat, BinaryOp::SubSat]);
                self.b.binary(op, a, c)
            }
            (false, 9) => {
                let op = self.random.pick(&[BinaryOp::And, BinaryOp::Or, BinaryOp::Xor]);
                self.b.binary(op, a, c)
            }
            (false, 10) => {
                let op = self.random.pick(&[BinaryOp::Shl, BinaryOp::Shr]);
                self.b.binary(op, a, c)
            }
            (false, 11) => {
                let to = self.random.pick(&SCALARS);
                self.b.convert(a, to)
            }
            (false, _) => {
                let condition = self.condition();
                self.b.select(condition, a, c)
            }
        };
        self.pool.push(v);
    }

    fn vector_shape(&mut self) {
        let s = self.random.pick(&[Scalar::U32, Scalar::F32, Scalar::I32]);
        let v = self.vector(s, 4);
        let v = match self.random.below(4) {
            0 => {
                let components = (0..2 + self.random.below(3)).map(|_| self.random.below(4) as u8).collect();
                self.b.shuffle(v, components)
            }
            1 => {
                let x = self.value(s);
                let index = self.index(3);
                self.b.insert_dynamic(v, x, index)
            }
            2 => {
                let index = self.index(3);
                self.b.extract_dynamic(v, index)
            }
            _ => {
                let x = self.value(s);
                let w = self.b.insert(v, x, self.random.below(4) as u8);
                let zero = self.splat_int(s, 4, 0);
                let mask = self.b.compare(CompareOp::Lt, v, zero);
                self.b.select(mask, v, w)
            }
        };
        self.pool.push(v);
    }

    /// A varying index, masked.
    fn index(&mut self, mask: u32) -> ValueId {
        let i = self.value(Scalar::U32);
        let mask = self.b.const_u32(mask);
        self.b.binary(BinaryOp::And, i, mask)
    }

    fn array_access(&mut self) {
        let Some(array) = self.array else { return };
        let i = self.index(7);
        let p = self.b.index_addr(array, i);
        if self.random.chance(2) {
            let v = self.value(Scalar::U32);
            self.b.store(p, v);
        } else {
            let v = self.b.load(p);
            self.pool.push(v);
        }
    }

    /// Only of integers: the order of float sums is not specified.
    fn simd(&mut self) {
        let x = self.value(Scalar::U32);
        let v = match self.random.below(4) {
            0 => {
                let condition = self.condition();
                self.b.simd(SimdOp::Ballot, vec![condition])
            }
            1 => {
                // The value of a thread that may be absent is used only where the ballot has it.
                let all = self.b.const_bool(true);
                let ballot = self.b.simd(SimdOp::Ballot, vec![all]);
                let lane = self.index(31);
                let wide = self.b.convert(lane, Scalar::U64);
                let shifted = self.b.binary(BinaryOp::Shr, ballot, wide);
                let one = self.b.const_u64(1);
                let bit = self.b.binary(BinaryOp::And, shifted, one);
                let is_there = self.b.convert(bit, Scalar::Bool);
                let shuffled = self.b.simd(SimdOp::Shuffle, vec![x, lane]);
                let zero = self.b.const_u32(0);
                self.b.select(is_there, shuffled, zero)
            }
            2 => {
                let first = self.b.simd(SimdOp::IsFirst, vec![]);
                let y = self.value(Scalar::U32);
                self.b.select(first, x, y)
            }
            _ => {
                let op = self.random.pick(&[
                    SimdOp::ReduceAdd,
                    SimdOp::ReduceMul,
                    SimdOp::ReduceMin,
                    SimdOp::ReduceMax,
                    SimdOp::ReduceAnd,
                    SimdOp::ReduceOr,
                    SimdOp::ReduceXor,
                    SimdOp::InclusiveAdd,
                    SimdOp::ExclusiveAdd,
                    SimdOp::InclusiveMul,
                    SimdOp::ExclusiveMul,
                    SimdOp::BroadcastFirst,
                ]);
                self.b.simd(op, vec![x])
            }
        };
        self.pool.push(v);
    }

    /// Breaks, continues or returns, on a condition.
    fn leave(&mut self) {
        if self.targets.is_empty() && self.returns.is_none() {
            return;
        }
        let condition = self.condition();
        self.b.begin_if(condition);
        if self.targets.is_empty() || (self.returns.is_some() && self.random.chance(3)) {
            let v = self.value(Scalar::U32);
            self.b.ret(Some(v));
        } else {
            let (label, can_continue) = self.random.pick(&self.targets.clone());
            if can_continue && self.random.chance(2) {
                self.b.continue_(label);
            } else {
                self.b.break_(label);
            }
        }
        self.b.end();
    }

    fn branch(&mut self, depth: u32) {
        let condition = self.condition();
        self.b.begin_if(condition);
        self.nested(depth, |g, depth| g.statements(3, depth));
        if self.random.chance(2) {
            self.b.begin_else();
            self.nested(depth, |g, depth| g.statements(3, depth));
        }
        self.b.end();
    }

    fn scope(&mut self, depth: u32) {
        let label = self.b.begin_scope();
        self.nested(depth, |g, depth| {
            g.targets.push((label, false));
            g.statements(4, depth);
        });
        self.b.end();
    }

    /// At most 7 iterations, a different number for each thread.
    fn bounded_loop(&mut self, depth: u32) {
        let u32_ty = self.b.types.scalar(Scalar::U32);
        let counter = self.b.local("n", u32_ty);
        let counter = self.b.local_addr(counter);
        let trips = self.index(7);
        let (zero, one) = (self.b.const_u32(0), self.b.const_u32(1));
        self.b.store(counter, zero);
        let label = self.b.begin_loop();
        let n = self.b.load(counter);
        let done = self.b.compare(CompareOp::Ge, n, trips);
        self.b.begin_if(done);
        self.b.break_(label);
        self.b.end();
        self.nested(depth, |g, depth| {
            g.targets.push((label, true));
            g.pool.push(n);
            g.statements(3, depth);
        });
        self.b.begin_continuing();
        let n = self.b.load(counter);
        let next = self.b.add(n, one);
        self.b.store(counter, next);
        if self.random.chance(4) {
            let condition = self.condition();
            self.b.begin_if(condition);
            self.b.break_(label);
            self.b.end();
        }
        self.b.end();
    }

    fn switch(&mut self, depth: u32) {
        let s = self.random.pick(&[Scalar::U32, Scalar::I32, Scalar::U8, Scalar::I16]);
        let v = self.value(s);
        let label = self.b.begin_switch(v);
        let default = self.random.below(5) as i64;
        for case in 0..4 {
            let mut values = vec![case];
            if self.random.chance(2) {
                values.push(case + 100);
            }
            if s.is_signed() && self.random.chance(2) {
                values.push(-1 - case);
            }
            self.b.begin_case(values, case == default);
            self.nested(depth, |g, depth| {
                g.targets.push((label, false));
                g.statements(2, depth);
            });
            if self.random.chance(2) {
                self.b.break_(label);
            }
        }
        self.b.end();
    }

    fn call(&mut self) {
        if self.helpers.is_empty() {
            return;
        }
        let (function, ret) = self.random.pick(&self.helpers.clone());
        let args = vec![self.value(Scalar::U32), self.value(Scalar::F32)];
        let v = self.b.call(function, ret, args);
        self.pool.push(v);
    }

    /// Every thread writes its element of the tile and, after a barrier, reads another's.
    fn exchange(&mut self, tile: GlobalId, global: &Global) {
        let base = self.b.global_addr(tile, global);
        let index = self.b.builtin(Builtin::ThreadIndexInThreadgroup);
        let size = self.b.builtin(Builtin::ThreadsPerThreadgroup);
        let size = self.b.extract(size, 0);
        let mine = self.b.index_addr(base, index);
        let x = self.value(Scalar::U32);
        self.b.store(mine, x);
        self.b.barrier(BarrierScope::Threadgroup, MemFlags::THREADGROUP);
        let step = self.index(63);
        let other = self.b.add(index, step);
        let other = self.b.binary(BinaryOp::Rem, other, size);
        let other = self.b.index_addr(base, other);
        let y = self.b.load(other);
        self.b.barrier(BarrierScope::Threadgroup, MemFlags::THREADGROUP);
        self.pool.push(y);
    }

    /// Barriers in a loop that all threads run equally often.
    fn uniform_loop(&mut self, tile: GlobalId, global: &Global) {
        let u32_ty = self.b.types.scalar(Scalar::U32);
        let counter = self.b.local("u", u32_ty);
        let counter = self.b.local_addr(counter);
        let start = self.b.const_u32(1 + self.random.below(4) as u32);
        let (zero, one) = (self.b.const_u32(0), self.b.const_u32(1));
        self.b.store(counter, start);
        let label = self.b.begin_loop();
        let n = self.b.load(counter);
        let done = self.b.compare(CompareOp::Eq, n, zero);
        self.b.begin_if(done);
        self.b.break_(label);
        self.b.end();
        self.nested(3, |g, depth| {
            g.pool.push(n);
            g.statements(3, depth);
            g.exchange(tile, global);
            // What was exchanged must outlive the iteration.
            let p = g.variables[0];
            let x = g.digest();
            g.b.store(p, x);
        });
        self.b.begin_continuing();
        let n = self.b.load(counter);
        let next = self.b.sub(n, one);
        self.b.store(counter, next);
        self.b.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interp::{Argument, BufferRef, DispatchKind, Machine, Options, RaceCheck};

    const THREADS: u32 = 83;

    fn execute(module: &Module, threadgroup: u32, races: RaceCheck) -> Vec<u32> {
        let words = (THREADS * WORDS) as usize;
        let mut input: Vec<u32> = (0..words as u32).map(|i| i.wrapping_mul(2_654_435_761) >> (i % 29)).collect();
        let mut out = vec![0u32; words];
        let options = Options { races, step_limit: Some(10_000_000), ..Options::default() };
        let mut machine = Machine::new(module, "k", options).unwrap_or_else(|e| panic!("{e}\n{}", text::print(module)));
        machine.bind(0, Argument::Buffer(BufferRef::of(&mut input)));
        machine.bind(1, Argument::Buffer(BufferRef::of(&mut out)));
        machine
            .dispatch([THREADS, 1, 1], [threadgroup, 1, 1], DispatchKind::Threads)
            .unwrap_or_else(|e| panic!("{e}\n{}", text::print(module)));
        drop(machine);
        out
    }

    #[test]
    fn kernels_are_well_formed_race_free_and_print_exactly() {
        for seed in 0..25 {
            let module = random_kernel(seed, 24);
            let printed = text::print(&module);
            let parsed = text::parse(&printed).unwrap_or_else(|e| panic!("seed {seed}: {e}\n{printed}"));
            assert_eq!(text::print(&parsed), printed, "seed {seed}");
            let out = execute(&module, 64, RaceCheck::Grid);
            assert_eq!(execute(&parsed, 64, RaceCheck::Off), out, "seed {seed}");
            assert!(out.iter().any(|&w| w != out[0]), "seed {seed} computes something");
        }
    }

    #[test]
    fn the_pass_pipeline_keeps_the_meaning() {
        for seed in 0..25 {
            let module = random_kernel(seed, 24);
            let mut prepared = module.clone();
            let function = prepared.entry_points[0].function;
            let mut stages = Vec::new();
            let mut observe = |_: usize, name: &'static str, m: &Module| stages.push((name, m.clone()));
            let options = passes::Options { observe: Some(&mut observe), ..passes::Options::default() };
            passes::run_pipeline(&mut prepared, function, options).unwrap_or_else(|e| panic!("seed {seed}: {e:?}"));
            for threadgroup in [1, 40] {
                let expected = execute(&module, threadgroup, RaceCheck::Off);
                if execute(&prepared, threadgroup, RaceCheck::Off) == expected {
                    continue;
                }
                for (name, stage) in &stages {
                    assert_eq!(execute(stage, threadgroup, RaceCheck::Off), expected, "seed {seed}, after {name}");
                }
            }
        }
    }
}

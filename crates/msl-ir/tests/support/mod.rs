//! Random kernels that always end, never fault and read nothing unspecified.
//!
//! Each thread computes on integer, float and vector locals, a structure, an array and a walking
//! pointer, through nested branches, loops, switches, scopes and helper functions with early
//! returns, and stores everything it holds to its own part of the output.

use msl_base::Symbol;
use msl_ir::builder::FunctionBuilder;
use msl_ir::*;

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    pub fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as u32
    }
    pub fn below(&mut self, n: u32) -> u32 {
        self.next() % n
    }
    fn one_in(&mut self, n: u32) -> bool {
        self.below(n) == 0
    }
}

pub const INPUT: usize = 64;
/// Words that each thread stores.
pub const OUTPUT: u32 = 16;
const INTS: usize = 4;

struct Gen<'t> {
    b: FunctionBuilder<'t>,
    r: Random,
    ints: Vec<LocalId>,
    floats: Vec<LocalId>,
    vector: LocalId,
    record: LocalId,
    array: LocalId,
    pointer: Option<LocalId>,
    helpers: Vec<FunctionId>,
    /// Labels one may break, with whether they may be continued.
    labels: Vec<(LabelId, bool)>,
    counters: u32,
    u32_ty: TypeId,
    f32_ty: TypeId,
    budget: u32,
}

/// A module with one kernel named `k`: `(in: constant u32[64], out: device u32[])`.
pub fn kernel(seed: u64) -> Module {
    let mut m = Module::default();
    let u32_ty = m.types.scalar(Scalar::U32);
    let f32_ty = m.types.scalar(Scalar::F32);
    let vec_ty = m.types.vector(Scalar::U32, 3);
    let pair_ty = m.types.array(u32_ty, 2);
    let array_ty = m.types.array(u32_ty, 4);
    let field = |name: &str, ty, offset| Field { name: Symbol::new(name), ty, offset };
    let record = m.types.add_struct(Struct {
        name: Symbol::new("R"),
        fields: vec![field("a", u32_ty, 0), field("b", f32_ty, 4), field("c", pair_ty, 8), field("v", vec_ty, 16)],
        size: 32,
        align: 16,
    });
    let record_ty = m.types.intern(Type::Struct(record));
    let in_ty = m.types.pointer(AddressSpace::Constant, u32_ty);
    let out_ty = m.types.pointer(AddressSpace::Device, u32_ty);
    let void = m.types.void();
    let mut helpers = Vec::new();
    for (i, is_kernel) in [(0, false), (1, false), (2, true)] {
        let (params, ret) = if is_kernel { (vec![in_ty, out_ty], void) } else { (vec![u32_ty, in_ty], u32_ty) };
        let name = if is_kernel { "k".to_owned() } else { format!("h{i}") };
        let b = FunctionBuilder::new(&mut m.types, name.as_str(), params, ret);
        let mut g = Gen {
            b,
            r: Random::new(seed * 3 + i),
            ints: Vec::new(),
            floats: Vec::new(),
            vector: LocalId(0),
            record: LocalId(0),
            array: LocalId(0),
            pointer: None,
            helpers: helpers.clone(),
            labels: Vec::new(),
            counters: 0,
            u32_ty,
            f32_ty,
            budget: if is_kernel { 40 } else { 10 },
        };
        g.declare(vec_ty, record_ty, array_ty, in_ty, is_kernel);
        for _ in 0..if is_kernel { 6 } else { 2 } {
            g.statement(0, is_kernel);
        }
        if is_kernel {
            g.finish_kernel();
        } else {
            let v = g.int(0);
            g.b.ret(Some(v));
        }
        let function = g.b.finish();
        let id = m.functions.push(function);
        if is_kernel {
            let element = HostType::Scalar(Scalar::U32);
            let buffer = |name: &str, index, is_constant| Param {
                name: Symbol::new(name),
                kind: ParamKind::Buffer { is_constant, is_reference: false, element: element.clone() },
                index,
                access: if is_constant { Access::ReadOnly } else { Access::ReadWrite },
                used: true,
            };
            m.entry_points.push(EntryPoint {
                name: Symbol::new("k"),
                function: id,
                params: vec![buffer("in", 0, true), buffer("out", 1, false)],
                max_total_threads: None,
                required_threads: None,
            });
        } else {
            helpers.push(id);
        }
    }
    m
}

impl Gen<'_> {
    fn declare(&mut self, vec_ty: TypeId, record_ty: TypeId, array_ty: TypeId, in_ty: TypeId, is_kernel: bool) {
        let seed = if is_kernel {
            let gid = self.b.builtin(Builtin::ThreadPositionInGrid);
            self.b.extract(gid, 0)
        } else {
            self.b.param(0)
        };
        for i in 0..INTS {
            let l = self.b.local(format!("i{i}").as_str(), self.u32_ty);
            self.ints.push(l);
            let c = self.b.const_u32(i as u32 * 7 + 1);
            // Some start the same for all threads.
            let v = if i % 2 == 0 { c } else { self.b.add(seed, c) };
            self.set(l, v);
        }
        for i in 0..2 {
            let l = self.b.local(format!("f{i}").as_str(), self.f32_ty);
            self.floats.push(l);
            let v = self.b.const_f32(1.5 + i as f32);
            self.set(l, v);
        }
        self.vector = self.b.local("v", vec_ty);
        let v = self.b.splat(seed, 3);
        self.set(self.vector, v);
        self.record = self.b.local("r", record_ty);
        self.array = self.b.local("a", array_ty);
        let base = self.b.local_addr(self.array);
        for i in 0..4 {
            let at = self.b.const_u32(i);
            let p = self.b.index_addr(base, at);
            self.b.store(p, seed);
        }
        for path in 0..5 {
            let p = self.record_place(path, None);
            let ty = self.b.pointee(p).map_or(self.u32_ty, |p| p.1);
            let v = if ty == self.f32_ty {
                self.b.const_f32(2.0)
            } else if ty == self.u32_ty {
                seed
            } else {
                self.b.splat(seed, 3)
            };
            self.b.store(p, v);
        }
        let l = self.b.local("p", in_ty);
        let base = self.b.param(if is_kernel { 0 } else { 1 });
        let mask = self.b.const_u32(15);
        let offset = self.b.binary(BinaryOp::And, seed, mask);
        let p = self.b.ptr_offset(base, offset);
        self.set(l, p);
        self.pointer = Some(l);
    }

    fn record_place(&mut self, path: u32, index: Option<ValueId>) -> ValueId {
        let base = self.b.local_addr(self.record);
        match path {
            0 => self.b.field_addr(base, 0),
            1 => self.b.field_addr(base, 1),
            2 | 3 => {
                let pair = self.b.field_addr(base, 2);
                let i = index.unwrap_or_else(|| self.b.const_u32(path - 2));
                self.b.index_addr(pair, i)
            }
            _ => self.b.field_addr(base, 3),
        }
    }

    fn set(&mut self, l: LocalId, v: ValueId) {
        let p = self.b.local_addr(l);
        self.b.store(p, v);
    }
    fn get(&mut self, l: LocalId) -> ValueId {
        let p = self.b.local_addr(l);
        self.b.load(p)
    }

    /// An `u32` value.
    fn int(&mut self, depth: u32) -> ValueId {
        let choice = if depth > 3 { self.r.below(4) } else { self.r.below(15) };
        match choice {
            0 => {
                let c = self.r.below(9);
                self.b.const_u32(c)
            }
            1..=3 => {
                let l = self.ints[self.r.below(INTS as u32) as usize];
                self.get(l)
            }
            4 => {
                let path = [0, 2, 3][self.r.below(3) as usize];
                let p = self.record_place(path, None);
                self.b.load(p)
            }
            5 => {
                let v = self.get(self.vector);
                self.b.extract(v, (depth % 3) as u8)
            }
            6 => {
                let i = self.masked(3, depth);
                let base = self.b.local_addr(self.array);
                let p = self.b.index_addr(base, i);
                self.b.load(p)
            }
            7 => {
                let l = self.pointer.expect("declared");
                let p = self.get(l);
                let i = self.masked(15, depth);
                let p = self.b.ptr_offset(p, i);
                self.b.load(p)
            }
            8 => {
                let l = self.floats[self.r.below(2) as usize];
                let v = self.get(l);
                self.b.convert(v, Scalar::U32)
            }
            9 => {
                let c = self.condition(depth + 1);
                let (x, y) = (self.int(depth + 1), self.int(depth + 1));
                self.b.select(c, x, y)
            }
            10 => {
                let b = [Builtin::ThreadIndexInThreadgroup, Builtin::ThreadIndexInSimdgroup][self.r.below(2) as usize];
                self.b.builtin(b)
            }
            11 => {
                let v = self.b.builtin(Builtin::ThreadPositionInThreadgroup);
                let i = self.r.below(3) as u8;
                self.b.extract(v, i)
            }
            _ => {
                let ops = [
                    BinaryOp::Add,
                    BinaryOp::Sub,
                    BinaryOp::Mul,
                    BinaryOp::And,
                    BinaryOp::Or,
                    BinaryOp::Xor,
                    BinaryOp::Shl,
                    BinaryOp::Shr,
                    BinaryOp::Min,
                    BinaryOp::Max,
                    BinaryOp::Div,
                    BinaryOp::Rem,
                    BinaryOp::AddSat,
                ];
                let op = ops[self.r.below(ops.len() as u32) as usize];
                let x = self.int(depth + 1);
                let mut y = self.int(depth + 1);
                if matches!(op, BinaryOp::Div | BinaryOp::Rem) {
                    let one = self.b.const_u32(if self.r.one_in(2) { 8 } else { 1 });
                    y = if self.r.one_in(2) { one } else { self.b.binary(BinaryOp::Or, y, one) };
                }
                self.b.binary(op, x, y)
            }
        }
    }

    fn masked(&mut self, mask: u32, depth: u32) -> ValueId {
        if self.r.one_in(2) {
            let c = self.r.below(mask + 1);
            return self.b.const_u32(c);
        }
        let i = self.int(depth + 1);
        let m = self.b.const_u32(mask);
        self.b.binary(BinaryOp::And, i, m)
    }

    fn condition(&mut self, depth: u32) -> ValueId {
        let ops = [CompareOp::Eq, CompareOp::Ne, CompareOp::Lt, CompareOp::Ge];
        let op = ops[self.r.below(4) as usize];
        let (x, y) = (self.int(depth + 1), self.int(depth + 1));
        let c = self.b.compare(op, x, y);
        if self.r.one_in(4) { self.b.not(c) } else { c }
    }

    fn body(&mut self, depth: u32, is_kernel: bool) {
        for _ in 0..1 + self.r.below(3) {
            self.statement(depth + 1, is_kernel);
        }
    }

    fn statement(&mut self, depth: u32, is_kernel: bool) {
        if self.budget == 0 || self.b.is_terminated() {
            return;
        }
        self.budget -= 1;
        let choice = if depth > 3 { self.r.below(8) } else { self.r.below(16) };
        match choice {
            0..=2 => {
                let l = self.ints[self.r.below(INTS as u32) as usize];
                let v = self.int(0);
                self.set(l, v);
            }
            3 => {
                let l = self.floats[self.r.below(2) as usize];
                let x = self.get(self.floats[0]);
                let y = self.get(self.floats[1]);
                let c = self.b.const_f32(0.5);
                let s = self.b.add(x, y);
                let v = self.b.mul(s, c);
                self.set(l, v);
            }
            4 => {
                let path = [0, 2, 3][self.r.below(3) as usize];
                let index = if self.r.one_in(6) { Some(self.masked(1, 1)) } else { None };
                let v = self.int(1);
                let p = self.record_place(path, index);
                self.b.store(p, v);
            }
            5 => {
                let v = self.int(1);
                let i = self.masked(3, 1);
                let base = self.b.local_addr(self.array);
                let p = self.b.index_addr(base, i);
                self.b.store(p, v);
            }
            6 => {
                let v = self.int(1);
                let base = self.b.local_addr(self.vector);
                let i = self.masked(1, 1);
                let p = self.b.index_addr(base, i);
                self.b.store(p, v);
            }
            7 => match self.labels.last().copied() {
                Some((label, can_continue)) => {
                    let c = self.condition(1);
                    self.b.begin_if(c);
                    if can_continue && self.r.one_in(2) {
                        self.b.continue_(label);
                    } else {
                        let pick = self.r.below(self.labels.len() as u32) as usize;
                        self.b.break_(self.labels[pick].0);
                    }
                    self.b.end();
                }
                None if !is_kernel => {
                    let c = self.condition(1);
                    self.b.begin_if(c);
                    let v = self.int(1);
                    self.b.ret(Some(v));
                    self.b.end();
                }
                None => {
                    // Walk the pointer back to a fixed place.
                    let base = self.b.param(0);
                    let i = self.masked(15, 1);
                    let p = self.b.ptr_offset(base, i);
                    self.set(self.pointer.expect("declared"), p);
                }
            },
            8 | 9 => {
                let c = self.condition(0);
                self.b.begin_if(c);
                self.body(depth, is_kernel);
                if self.r.one_in(2) {
                    self.b.begin_else();
                    self.body(depth, is_kernel);
                }
                self.b.end();
            }
            10..=12 => self.for_loop(depth, is_kernel),
            13 => {
                let v = self.masked(3, 0);
                let label = self.b.begin_switch(v);
                self.labels.push((label, false));
                for k in 0..3 {
                    self.b.begin_case(if k == 2 { vec![] } else { vec![k] }, k == 2);
                    self.body(depth, is_kernel);
                    if self.r.one_in(2) {
                        self.b.break_(label);
                    }
                }
                self.labels.pop();
                self.b.end();
            }
            14 => {
                let label = self.b.begin_scope();
                self.labels.push((label, false));
                self.body(depth, is_kernel);
                self.labels.pop();
                self.b.end();
            }
            _ => {
                let l = self.ints[self.r.below(INTS as u32) as usize];
                let v = self.int(1);
                if self.helpers.is_empty() {
                    self.set(l, v);
                } else {
                    let h = self.helpers[self.r.below(self.helpers.len() as u32) as usize];
                    let base = self.b.param(if is_kernel { 0 } else { 1 });
                    let v = self.b.call(h, self.u32_ty, vec![v, base]);
                    self.set(l, v);
                }
            }
        }
    }

    fn for_loop(&mut self, depth: u32, is_kernel: bool) {
        self.counters += 1;
        let counter = self.b.local(format!("n{}", self.counters).as_str(), self.u32_ty);
        let zero = self.b.const_u32(0);
        self.set(counter, zero);
        let bound = if self.r.one_in(2) {
            self.masked(3, 0)
        } else {
            let n = 1 + self.r.below(4);
            self.b.const_u32(n)
        };
        let hint = if self.r.one_in(2) { LoopHint::Unroll(0) } else { LoopHint::None };
        let label = self.b.begin_loop_with(hint);
        let n = self.get(counter);
        let more = self.b.compare(CompareOp::Lt, n, bound);
        let done = self.b.not(more);
        self.b.begin_if(done);
        self.b.break_(label);
        self.b.end();
        self.labels.push((label, true));
        if self.r.one_in(2) {
            let base = self.b.local_addr(self.array);
            let n = self.get(counter);
            let mask = self.b.const_u32(3);
            let at = self.b.binary(BinaryOp::And, n, mask);
            let p = self.b.index_addr(base, at);
            let v = self.int(1);
            self.b.store(p, v);
        }
        self.body(depth, is_kernel);
        self.labels.pop();
        self.b.begin_continuing();
        let n = self.get(counter);
        let one = self.b.const_u32(1);
        let n = self.b.add(n, one);
        self.set(counter, n);
        self.b.end();
    }

    fn finish_kernel(&mut self) {
        let gid = self.b.builtin(Builtin::ThreadPositionInGrid);
        let (x, y) = (self.b.extract(gid, 0), self.b.extract(gid, 1));
        let size = self.b.builtin(Builtin::ThreadsPerGrid);
        let width = self.b.extract(size, 0);
        let row = self.b.mul(y, width);
        let i = self.b.add(row, x);
        let words = self.b.const_u32(OUTPUT);
        let start = self.b.mul(i, words);
        let out = self.b.param(1);
        let out = self.b.ptr_offset(out, start);
        let mut values: Vec<ValueId> = Vec::new();
        for l in self.ints.clone() {
            values.push(self.get(l));
        }
        for l in self.floats.clone() {
            let v = self.get(l);
            values.push(self.b.bitcast(v, self.u32_ty));
        }
        let v = self.get(self.vector);
        for c in 0..3 {
            values.push(self.b.extract(v, c));
        }
        for path in [0, 2, 3] {
            let p = self.record_place(path, None);
            values.push(self.b.load(p));
        }
        let base = self.b.local_addr(self.array);
        for k in 0..4 {
            let at = self.b.const_u32(k);
            let p = self.b.index_addr(base, at);
            values.push(self.b.load(p));
        }
        assert_eq!(values.len(), OUTPUT as usize);
        for (k, v) in values.into_iter().enumerate() {
            let at = self.b.const_u32(k as u32);
            let p = self.b.ptr_offset(out, at);
            self.b.store(p, v);
        }
    }
}

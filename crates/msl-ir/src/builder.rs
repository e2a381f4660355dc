//! Builds a function in program order.
//!
//! In: calls that append operations and open and close blocks. Out: a [`Function`]. Promised:
//! result types are derived from the operands; what follows a terminator in its block is
//! dropped, so that a caller may emit unreachable code without asking. Not here: checks (see
//! [`verify`](crate::verify)) and simplification. Misuse of the block calls (an `end` without a
//! `begin`) is a mistake of the caller and panics.
//!
//! ```
//! use msl_ir::{builder::FunctionBuilder, *};
//!
//! let mut module = Module::default();
//! let f32 = module.types.scalar(Scalar::F32);
//! let ptr = module.types.pointer(AddressSpace::Device, f32);
//! let void = module.types.void();
//! let mut b = FunctionBuilder::new(&mut module.types, "clear_negative", vec![ptr], void);
//! let base = b.param(0);
//! let gid = b.builtin(Builtin::ThreadPositionInGrid);
//! let i = b.extract(gid, 0);
//! let p = b.ptr_offset(base, i);
//! let x = b.load(p);
//! let zero = b.const_f32(0.0);
//! let is_negative = b.compare(CompareOp::Lt, x, zero);
//! b.begin_if(is_negative);
//! b.store(p, zero);
//! b.end();
//! let function = b.finish();
//! module.functions.push(function);
//! ```

use half::{bf16, f16};
use msl_base::{Span, Symbol};

use crate::*;

/// A function under construction. Operations are appended to the innermost open block.
pub struct FunctionBuilder<'t> {
    pub types: &'t mut TypeTable,
    pub function: Function,
    /// Given to every instruction that follows.
    pub span: Span,
    /// Given to every float operation that follows.
    pub fp: FpFlags,
    frames: Vec<Frame>,
}

/// An open block and what it belongs to.
struct Frame {
    kind: FrameKind,
    block: Block,
    /// A terminator was appended: the rest of the block cannot be reached.
    terminated: bool,
}

enum FrameKind {
    Function,
    Then {
        condition: ValueId,
    },
    Else {
        condition: ValueId,
        then: Block,
    },
    LoopBody {
        label: LabelId,
        hint: LoopHint,
    },
    Continuing {
        label: LabelId,
        hint: LoopHint,
        body: Block,
    },
    Scope {
        label: LabelId,
    },
    /// Between cases: nothing may be appended.
    Switch {
        label: LabelId,
        value: ValueId,
        cases: Vec<Case>,
    },
    Case {
        label: LabelId,
        value: ValueId,
        cases: Vec<Case>,
        values: Vec<i64>,
        is_default: bool,
    },
}

impl<'t> FunctionBuilder<'t> {
    pub fn new(
        types: &'t mut TypeTable,
        name: impl Into<Symbol>,
        params: Vec<TypeId>,
        ret: TypeId,
    ) -> FunctionBuilder<'t> {
        FunctionBuilder::resume(types, Function::new(name.into(), params, ret))
    }

    /// Appends to the body of a function that exists.
    pub fn resume(types: &'t mut TypeTable, mut function: Function) -> FunctionBuilder<'t> {
        let block = std::mem::take(&mut function.body);
        let terminated = block.insts.last().is_some_and(|&v| function.insts[v].op.is_terminator());
        FunctionBuilder {
            types,
            function,
            span: Span::NONE,
            fp: FpFlags::STRICT,
            frames: vec![Frame { kind: FrameKind::Function, block, terminated }],
        }
    }

    /// Closes the body. Where a function with a value can fall off its end, `unreachable` is appended.
    pub fn finish(mut self) -> Function {
        let void = self.types.void();
        if self.function.ret != void && !self.is_terminated() {
            self.emit(Op::Unreachable, void);
        }
        let frame = self.frames.pop().expect("the body is open");
        assert!(self.frames.is_empty() && matches!(frame.kind, FrameKind::Function), "a block is still open");
        self.function.body = frame.block;
        self.function
    }

    // ---- state ---------------------------------------------------------------------------
    /// Whether what is appended now is dropped, because control cannot get here.
    pub fn is_terminated(&self) -> bool {
        self.frames.iter().any(|f| f.terminated)
    }
    pub fn type_of(&self, value: ValueId) -> TypeId {
        self.function.insts[value].ty
    }
    /// The component type of a scalar or vector value.
    pub fn scalar_of(&self, value: ValueId) -> Option<Scalar> {
        self.types.scalar_of(self.type_of(value))
    }
    pub fn pointee(&self, pointer: ValueId) -> Option<(AddressSpace, TypeId)> {
        self.types.pointee(self.type_of(pointer))
    }
    /// The type that a load from a pointer to `ty` gives: `ty`, unpacked.
    pub fn loaded_type(&mut self, ty: TypeId) -> TypeId {
        match *self.types.get(ty) {
            Type::Vector { elem, len, packed: true } => self.types.vector(elem, len),
            _ => ty,
        }
    }
    fn pointee_or_void(&mut self, pointer: ValueId) -> (AddressSpace, TypeId) {
        let void = self.types.void();
        self.pointee(pointer).unwrap_or((AddressSpace::Thread, void))
    }
    fn shaped_like(&mut self, value: ValueId, elem: Scalar) -> TypeId {
        let len = self.types.component_count(self.type_of(value)).max(1);
        self.types.vector(elem, len)
    }

    /// Appends any instruction. The others are written with this.
    pub fn emit(&mut self, op: Op, ty: TypeId) -> ValueId {
        let is_terminator = op.is_terminator();
        let is_float = matches!(op, Op::Unary(..) | Op::Binary(..) | Op::Compare(..) | Op::Fma(..) | Op::Simd(..));
        let fp = if is_float && self.takes_float(&op, ty) { self.fp } else { FpFlags::STRICT };
        let value = self.function.insts.push(Inst { op, ty, fp, span: self.span });
        if let Some(frame) = self.frames.last_mut()
            && !frame.terminated
        {
            frame.block.insts.push(value);
            frame.terminated = is_terminator;
        }
        value
    }
    fn takes_float(&self, op: &Op, ty: TypeId) -> bool {
        let mut is_float = self.types.scalar_of(ty).is_some_and(Scalar::is_float);
        op.for_each_operand(|v| is_float |= self.scalar_of(v).is_some_and(Scalar::is_float));
        is_float
    }
    fn emit_void(&mut self, op: Op) -> ValueId {
        let void = self.types.void();
        self.emit(op, void)
    }
    fn emit_scalar(&mut self, op: Op, scalar: Scalar) -> ValueId {
        let ty = self.types.scalar(scalar);
        self.emit(op, ty)
    }

    // ---- constants -----------------------------------------------------------------------
    /// Bits of a scalar (or of every component of a vector), or 0 for a null pointer.
    pub fn constant(&mut self, ty: TypeId, bits: u64) -> ValueId {
        self.emit(Op::Const(bits), ty)
    }
    pub fn const_bool(&mut self, value: bool) -> ValueId {
        self.emit_scalar(Op::Const(u64::from(value)), Scalar::Bool)
    }
    pub fn const_i32(&mut self, value: i32) -> ValueId {
        self.emit_scalar(Op::Const(u64::from(value as u32)), Scalar::I32)
    }
    pub fn const_u32(&mut self, value: u32) -> ValueId {
        self.emit_scalar(Op::Const(u64::from(value)), Scalar::U32)
    }
    pub fn const_u64(&mut self, value: u64) -> ValueId {
        self.emit_scalar(Op::Const(value), Scalar::U64)
    }
    pub fn const_f32(&mut self, value: f32) -> ValueId {
        self.emit_scalar(Op::Const(u64::from(value.to_bits())), Scalar::F32)
    }
    /// An integer of any scalar type, truncated to it; of a float type, the nearest.
    pub fn const_int(&mut self, scalar: Scalar, value: i64) -> ValueId {
        let bits = match scalar {
            Scalar::Bool => u64::from(value != 0),
            Scalar::F16 => u64::from(f16::from_f32(value as f32).to_bits()),
            Scalar::BF16 => u64::from(bf16::from_f32(value as f32).to_bits()),
            Scalar::F32 => u64::from((value as f32).to_bits()),
            _ if scalar.bits() == 64 => value as u64,
            _ => value as u64 & ((1 << scalar.bits()) - 1),
        };
        self.emit_scalar(Op::Const(bits), scalar)
    }
    /// Zero, `false` or null of any value type.
    pub fn zero(&mut self, ty: TypeId) -> ValueId {
        self.constant(ty, 0)
    }
    pub fn undef(&mut self, ty: TypeId) -> ValueId {
        self.emit(Op::Undef, ty)
    }

    // ---- composition ---------------------------------------------------------------------
    /// A vector of `len` components; a scalar when `len` is 1.
    pub fn splat(&mut self, scalar: ValueId, len: u8) -> ValueId {
        if len == 1 {
            return scalar;
        }
        let ty = self.shaped_like(scalar, self.scalar_of(scalar).unwrap_or(Scalar::F32));
        let ty = match self.types.scalar_of(ty) {
            Some(elem) => self.types.vector(elem, len),
            None => ty,
        };
        self.emit(Op::Splat(scalar), ty)
    }
    /// A vector of the scalars; one scalar is itself.
    pub fn compose(&mut self, components: Vec<ValueId>) -> ValueId {
        if let [only] = components[..] {
            return only;
        }
        let elem = components.first().and_then(|&c| self.scalar_of(c)).unwrap_or(Scalar::F32);
        let ty = self.types.vector(elem, components.len() as u8);
        self.emit(Op::Compose(components), ty)
    }
    /// A component; component 0 of a scalar is itself.
    pub fn extract(&mut self, vector: ValueId, index: u8) -> ValueId {
        match *self.types.get(self.type_of(vector)) {
            Type::Vector { elem, .. } => self.emit_scalar(Op::Extract { vector, index }, elem),
            _ => vector,
        }
    }
    pub fn extract_dynamic(&mut self, vector: ValueId, index: ValueId) -> ValueId {
        let elem = self.scalar_of(vector).unwrap_or(Scalar::F32);
        self.emit_scalar(Op::ExtractDynamic { vector, index }, elem)
    }
    pub fn insert(&mut self, vector: ValueId, value: ValueId, index: u8) -> ValueId {
        self.emit(Op::Insert { vector, value, index }, self.type_of(vector))
    }
    pub fn insert_dynamic(&mut self, vector: ValueId, value: ValueId, index: ValueId) -> ValueId {
        self.emit(Op::InsertDynamic { vector, value, index }, self.type_of(vector))
    }
    /// Components of a vector; one component is an extract.
    pub fn shuffle(&mut self, vector: ValueId, components: Vec<u8>) -> ValueId {
        if let [only] = components[..] {
            return self.extract(vector, only);
        }
        let elem = self.scalar_of(vector).unwrap_or(Scalar::F32);
        let ty = self.types.vector(elem, components.len() as u8);
        self.emit(Op::Shuffle { vector, components }, ty)
    }

    // ---- arithmetic ----------------------------------------------------------------------
    pub fn unary(&mut self, op: UnaryOp, a: ValueId) -> ValueId {
        let ty = match op {
            UnaryOp::IsNan | UnaryOp::IsInf => self.shaped_like(a, Scalar::Bool),
            _ => self.type_of(a),
        };
        self.emit(Op::Unary(op, a), ty)
    }
    pub fn binary(&mut self, op: BinaryOp, a: ValueId, b: ValueId) -> ValueId {
        self.emit(Op::Binary(op, a, b), self.type_of(a))
    }
    pub fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.binary(BinaryOp::Add, a, b)
    }
    pub fn sub(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.binary(BinaryOp::Sub, a, b)
    }
    pub fn mul(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.binary(BinaryOp::Mul, a, b)
    }
    pub fn div(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.binary(BinaryOp::Div, a, b)
    }
    pub fn not(&mut self, a: ValueId) -> ValueId {
        self.unary(UnaryOp::Not, a)
    }
    pub fn compare(&mut self, op: CompareOp, a: ValueId, b: ValueId) -> ValueId {
        let ty = self.shaped_like(a, Scalar::Bool);
        self.emit(Op::Compare(op, a, b), ty)
    }
    pub fn select(&mut self, condition: ValueId, a: ValueId, b: ValueId) -> ValueId {
        self.emit(Op::Select { condition, a, b }, self.type_of(a))
    }
    pub fn fma(&mut self, a: ValueId, b: ValueId, c: ValueId) -> ValueId {
        self.emit(Op::Fma(a, b, c), self.type_of(a))
    }
    /// By value, elementwise; nothing where the type is the same.
    pub fn convert(&mut self, value: ValueId, to: Scalar) -> ValueId {
        if self.scalar_of(value) == Some(to) {
            return value;
        }
        let ty = self.shaped_like(value, to);
        self.emit(Op::Convert(value), ty)
    }
    pub fn bitcast(&mut self, value: ValueId, ty: TypeId) -> ValueId {
        if self.type_of(value) == ty { value } else { self.emit(Op::Bitcast(value), ty) }
    }

    // ---- pointers ------------------------------------------------------------------------
    pub fn param(&mut self, index: u32) -> ValueId {
        let ty = self.function.params[index as usize];
        self.emit(Op::Param(index), ty)
    }
    /// Declares a variable of its natural alignment.
    pub fn local(&mut self, name: impl Into<Symbol>, ty: TypeId) -> LocalId {
        let align = self.types.align_of(ty);
        self.function.locals.push(Local { name: name.into(), ty, align })
    }
    pub fn local_addr(&mut self, local: LocalId) -> ValueId {
        let ty = self.function.locals[local].ty;
        let ty = self.types.pointer(AddressSpace::Thread, ty);
        self.emit(Op::LocalAddr(local), ty)
    }
    pub fn global_addr(&mut self, id: GlobalId, global: &Global) -> ValueId {
        let ty = self.types.pointer(global.space, global.ty);
        self.emit(Op::GlobalAddr(id), ty)
    }
    pub fn field_addr(&mut self, base: ValueId, field: u32) -> ValueId {
        let (space, pointee) = self.pointee_or_void(base);
        let ty = match *self.types.get(pointee) {
            Type::Struct(s) => self.types.structure(s).fields[field as usize].ty,
            _ => pointee,
        };
        let ty = self.types.pointer(space, ty);
        self.emit(Op::FieldAddr { base, field }, ty)
    }
    pub fn index_addr(&mut self, base: ValueId, index: ValueId) -> ValueId {
        let (space, pointee) = self.pointee_or_void(base);
        let elem = match *self.types.get(pointee) {
            Type::Array { elem, .. } => elem,
            Type::Vector { elem, .. } => self.types.scalar(elem),
            _ => pointee,
        };
        let ty = self.types.pointer(space, elem);
        self.emit(Op::IndexAddr { base, index }, ty)
    }
    pub fn ptr_offset(&mut self, base: ValueId, offset: ValueId) -> ValueId {
        self.emit(Op::PtrOffset { base, offset }, self.type_of(base))
    }
    /// The same address as a pointer to another type; nothing where it is the same.
    pub fn ptr_cast(&mut self, pointer: ValueId, pointee: TypeId) -> ValueId {
        let (space, old) = self.pointee_or_void(pointer);
        if old == pointee {
            return pointer;
        }
        let ty = self.types.pointer(space, pointee);
        self.emit(Op::PtrCast(pointer), ty)
    }
    pub fn ptr_diff(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.emit_scalar(Op::PtrDiff(a, b), Scalar::I64)
    }
    pub fn ptr_to_int(&mut self, pointer: ValueId) -> ValueId {
        self.emit_scalar(Op::PtrToInt(pointer), Scalar::U64)
    }
    pub fn int_to_ptr(&mut self, address: ValueId, ty: TypeId) -> ValueId {
        self.emit(Op::IntToPtr(address), ty)
    }
    pub fn assume_valid(&mut self, pointer: ValueId) -> ValueId {
        self.emit(Op::AssumeValid(pointer), self.type_of(pointer))
    }

    // ---- memory --------------------------------------------------------------------------
    /// With the natural alignment of the pointee.
    pub fn load(&mut self, ptr: ValueId) -> ValueId {
        let align = self.natural_align(ptr);
        self.load_aligned(ptr, align, false)
    }
    pub fn load_aligned(&mut self, ptr: ValueId, align: u32, volatile: bool) -> ValueId {
        let (_, pointee) = self.pointee_or_void(ptr);
        let ty = self.loaded_type(pointee);
        self.emit(Op::Load { ptr, align, volatile }, ty)
    }
    pub fn store(&mut self, ptr: ValueId, value: ValueId) {
        let align = self.natural_align(ptr);
        self.store_aligned(ptr, value, align, false);
    }
    pub fn store_aligned(&mut self, ptr: ValueId, value: ValueId, align: u32, volatile: bool) {
        self.emit_void(Op::Store { ptr, value, align, volatile });
    }
    /// Copies one object of the pointee type.
    pub fn copy(&mut self, dst: ValueId, src: ValueId) {
        let align = self.natural_align(dst).min(self.natural_align(src));
        self.emit_void(Op::Copy { dst, src, align });
    }
    fn natural_align(&mut self, ptr: ValueId) -> u32 {
        let (_, pointee) = self.pointee_or_void(ptr);
        self.types.align_of(pointee)
    }
    pub fn atomic(&mut self, op: AtomicOp, ptr: ValueId, value: Option<ValueId>, space: MemoryScope) -> ValueId {
        let (_, pointee) = self.pointee_or_void(ptr);
        let ty = if op == AtomicOp::Store { self.types.void() } else { pointee };
        self.emit(Op::Atomic { op, ptr, value, space }, ty)
    }
    pub fn compare_exchange(
        &mut self,
        ptr: ValueId,
        expected: ValueId,
        desired: ValueId,
        space: MemoryScope,
    ) -> ValueId {
        self.emit(Op::CompareExchange { ptr, expected, desired, space }, self.type_of(expected))
    }
    pub fn fence(&mut self, scope: MemoryScope, flags: MemFlags) {
        self.emit_void(Op::Fence { scope, flags });
    }

    // ---- threads -------------------------------------------------------------------------
    pub fn builtin(&mut self, builtin: Builtin) -> ValueId {
        let ty = self.types.vector(Scalar::U32, if builtin.is_vector() { 3 } else { 1 });
        self.emit(Op::Builtin(builtin), ty)
    }
    pub fn barrier(&mut self, scope: BarrierScope, flags: MemFlags) {
        self.emit_void(Op::Barrier { scope, flags });
    }
    pub fn simd(&mut self, op: SimdOp, args: Vec<ValueId>) -> ValueId {
        let ty = match op {
            SimdOp::Ballot => self.types.scalar(Scalar::U64),
            SimdOp::IsFirst => self.types.scalar(Scalar::Bool),
            SimdOp::MatrixMultiply if args.len() == 3 => self.type_of(args[2]),
            _ => match args.first() {
                Some(&a) => self.type_of(a),
                None => self.types.void(),
            },
        };
        self.emit(Op::Simd(op, args), ty)
    }
    pub fn log(&mut self, format: GlobalId, args: Vec<ValueId>) {
        self.emit_void(Op::Log { format, args });
    }
    pub fn trap(&mut self, message: impl Into<Symbol>) {
        self.emit_void(Op::Trap(message.into()));
    }
    pub fn call(&mut self, function: FunctionId, ret: TypeId, args: Vec<ValueId>) -> ValueId {
        self.emit(Op::Call { function, args }, ret)
    }

    // ---- control -------------------------------------------------------------------------
    fn open(&mut self, kind: FrameKind) {
        self.frames.push(Frame { kind, block: Block::default(), terminated: false });
    }
    fn close(&mut self) -> Frame {
        assert!(self.frames.len() > 1, "no block is open");
        self.frames.pop().expect("checked above")
    }

    /// `if (condition) {`, to be followed by `begin_else` or `end`.
    pub fn begin_if(&mut self, condition: ValueId) {
        self.open(FrameKind::Then { condition });
    }
    /// `} else {`
    pub fn begin_else(&mut self) {
        let frame = self.close();
        let FrameKind::Then { condition } = frame.kind else { panic!("else without if") };
        self.open(FrameKind::Else { condition, then: frame.block });
    }
    /// `for (;;) {`, to be followed by `begin_continuing` or `end`.
    pub fn begin_loop(&mut self) -> LabelId {
        self.begin_loop_with(LoopHint::None)
    }
    pub fn begin_loop_with(&mut self, hint: LoopHint) -> LabelId {
        let label = self.function.make_label();
        self.open(FrameKind::LoopBody { label, hint });
        label
    }
    /// Starts what `continue` goes to and each iteration ends with.
    pub fn begin_continuing(&mut self) {
        let frame = self.close();
        let FrameKind::LoopBody { label, hint } = frame.kind else { panic!("continuing without loop") };
        self.open(FrameKind::Continuing { label, hint, body: frame.block });
    }
    /// A block that `break_` can leave.
    pub fn begin_scope(&mut self) -> LabelId {
        let label = self.function.make_label();
        self.open(FrameKind::Scope { label });
        label
    }
    /// To be followed by `begin_case` or `end`.
    pub fn begin_switch(&mut self, value: ValueId) -> LabelId {
        let label = self.function.make_label();
        self.open(FrameKind::Switch { label, value, cases: Vec::new() });
        label
    }
    /// Starts the next case of the switch; the one before falls through unless it was terminated.
    pub fn begin_case(&mut self, values: Vec<i64>, is_default: bool) {
        let frame = self.close();
        match frame.kind {
            FrameKind::Switch { label, value, cases } => {
                self.open(FrameKind::Case { label, value, cases, values, is_default });
            }
            FrameKind::Case { label, value, mut cases, values: old_values, is_default: old_default } => {
                cases.push(Case { values: old_values, is_default: old_default, body: frame.block });
                self.open(FrameKind::Case { label, value, cases, values, is_default });
            }
            _ => panic!("case outside of a switch"),
        }
    }
    /// Closes the innermost open construct and appends it to the block around it.
    pub fn end(&mut self) -> ValueId {
        let frame = self.close();
        let block = frame.block;
        let op = match frame.kind {
            FrameKind::Function => unreachable!("close keeps the body"),
            FrameKind::Then { condition } => Op::If { condition, then: block, otherwise: Block::default() },
            FrameKind::Else { condition, then } => Op::If { condition, then, otherwise: block },
            FrameKind::LoopBody { label, hint } => Op::Loop { label, body: block, continuing: Block::default(), hint },
            FrameKind::Continuing { label, hint, body } => Op::Loop { label, body, continuing: block, hint },
            FrameKind::Scope { label } => Op::Scope { label, body: block },
            FrameKind::Switch { label, value, cases } => Op::Switch { label, value, cases },
            FrameKind::Case { label, value, mut cases, values, is_default } => {
                cases.push(Case { values, is_default, body: block });
                Op::Switch { label, value, cases }
            }
        };
        self.emit_void(op)
    }
    pub fn break_(&mut self, label: LabelId) {
        self.emit_void(Op::Break(label));
    }
    pub fn continue_(&mut self, label: LabelId) {
        self.emit_void(Op::Continue(label));
    }
    pub fn ret(&mut self, value: Option<ValueId>) {
        self.emit_void(Op::Return(value));
    }
    pub fn unreachable(&mut self) {
        self.emit_void(Op::Unreachable);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_nest_and_unreachable_code_is_dropped() {
        let mut module = Module::default();
        let i32 = module.types.scalar(Scalar::I32);
        let mut b = FunctionBuilder::new(&mut module.types, "f", vec![i32], i32);
        let x = b.param(0);
        let seven = b.const_i32(7);
        let switch = b.begin_switch(x);
        b.begin_case(vec![1, 2], false);
        b.break_(switch);
        b.add(x, x);
        b.begin_case(vec![], true);
        let c = b.compare(CompareOp::Gt, x, seven);
        b.begin_if(c);
        b.ret(Some(seven));
        b.begin_else();
        let l = b.begin_loop();
        b.break_(l);
        b.begin_continuing();
        b.end();
        b.end();
        b.end();
        b.ret(Some(x));
        b.ret(Some(seven));
        let f = b.finish();
        module.functions.push(f);
        let expected = "\
fn f(i32) -> i32 {
  %0: i32 = param 0
  %1: i32 = const 7
  switch l0 %0 {
    case 1, 2 {
      break l0
    }
    case default {
      %4: bool = gt %0, %1
      if %4 {
        return %1
      } else {
        loop l1 {
          break l1
        }
      }
    }
  }
  return %0
}
";
        assert_eq!(text::print(&module), expected);
    }
}

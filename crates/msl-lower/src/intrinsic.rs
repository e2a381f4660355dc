//! The table from intrinsics to operations of the IR.

use msl_base::Symbol;
use msl_ir as ir;
use msl_ir::log::{self, LogLevel};
use msl_sema::hir::Expr;
use msl_stdlib::Intrinsic;

use crate::constant::ConstantValue;
use crate::function::FunctionLowerer;

/// What an intrinsic becomes.
enum Mapping {
    Unary(ir::UnaryOp),
    Binary(ir::BinaryOp),
    Atomic(ir::AtomicOp),
    Simd(ir::SimdOp),
    Barrier(ir::BarrierScope),
    /// None of the families; see [`FunctionLowerer::lower_special`].
    Special,
}

fn mapping(intrinsic: Intrinsic) -> Mapping {
    use Mapping::*;
    match intrinsic {
        Intrinsic::Abs => Unary(ir::UnaryOp::Abs),
        Intrinsic::Sqrt => Unary(ir::UnaryOp::Sqrt),
        Intrinsic::Rsqrt => Unary(ir::UnaryOp::Rsqrt),
        Intrinsic::Floor => Unary(ir::UnaryOp::Floor),
        Intrinsic::Ceil => Unary(ir::UnaryOp::Ceil),
        Intrinsic::Trunc => Unary(ir::UnaryOp::Trunc),
        Intrinsic::RoundEven => Unary(ir::UnaryOp::RoundEven),
        Intrinsic::IsNan => Unary(ir::UnaryOp::IsNan),
        Intrinsic::IsInf => Unary(ir::UnaryOp::IsInf),
        Intrinsic::PopCount => Unary(ir::UnaryOp::PopCount),
        Intrinsic::LeadingZeros => Unary(ir::UnaryOp::LeadingZeros),
        Intrinsic::TrailingZeros => Unary(ir::UnaryOp::TrailingZeros),
        Intrinsic::ReverseBits => Unary(ir::UnaryOp::ReverseBits),
        Intrinsic::Min => Binary(ir::BinaryOp::Min),
        Intrinsic::Max => Binary(ir::BinaryOp::Max),
        Intrinsic::CopySign => Binary(ir::BinaryOp::CopySign),
        Intrinsic::MulHigh => Binary(ir::BinaryOp::MulHigh),
        Intrinsic::AddSat => Binary(ir::BinaryOp::AddSat),
        Intrinsic::SubSat => Binary(ir::BinaryOp::SubSat),
        Intrinsic::AtomicLoad => Atomic(ir::AtomicOp::Load),
        Intrinsic::AtomicStore => Atomic(ir::AtomicOp::Store),
        Intrinsic::AtomicExchange => Atomic(ir::AtomicOp::Exchange),
        Intrinsic::AtomicAdd => Atomic(ir::AtomicOp::Add),
        Intrinsic::AtomicSub => Atomic(ir::AtomicOp::Sub),
        Intrinsic::AtomicMin => Atomic(ir::AtomicOp::Min),
        Intrinsic::AtomicMax => Atomic(ir::AtomicOp::Max),
        Intrinsic::AtomicAnd => Atomic(ir::AtomicOp::And),
        Intrinsic::AtomicOr => Atomic(ir::AtomicOp::Or),
        Intrinsic::AtomicXor => Atomic(ir::AtomicOp::Xor),
        Intrinsic::SimdShuffle => Simd(ir::SimdOp::Shuffle),
        Intrinsic::SimdMatrixMultiply => Simd(ir::SimdOp::MatrixMultiply),
        Intrinsic::SimdBroadcastFirst => Simd(ir::SimdOp::BroadcastFirst),
        Intrinsic::SimdBallot => Simd(ir::SimdOp::Ballot),
        Intrinsic::SimdIsFirst => Simd(ir::SimdOp::IsFirst),
        Intrinsic::SimdSum => Simd(ir::SimdOp::ReduceAdd),
        Intrinsic::SimdProduct => Simd(ir::SimdOp::ReduceMul),
        Intrinsic::SimdMin => Simd(ir::SimdOp::ReduceMin),
        Intrinsic::SimdMax => Simd(ir::SimdOp::ReduceMax),
        Intrinsic::SimdAnd => Simd(ir::SimdOp::ReduceAnd),
        Intrinsic::SimdOr => Simd(ir::SimdOp::ReduceOr),
        Intrinsic::SimdXor => Simd(ir::SimdOp::ReduceXor),
        Intrinsic::SimdPrefixInclusiveSum => Simd(ir::SimdOp::InclusiveAdd),
        Intrinsic::SimdPrefixExclusiveSum => Simd(ir::SimdOp::ExclusiveAdd),
        Intrinsic::SimdPrefixInclusiveProduct => Simd(ir::SimdOp::InclusiveMul),
        Intrinsic::SimdPrefixExclusiveProduct => Simd(ir::SimdOp::ExclusiveMul),
        Intrinsic::ThreadgroupBarrier => Barrier(ir::BarrierScope::Threadgroup),
        Intrinsic::SimdgroupBarrier => Barrier(ir::BarrierScope::Simdgroup),
        Intrinsic::Fma
        | Intrinsic::Select
        | Intrinsic::Convert
        | Intrinsic::Bitcast
        | Intrinsic::PointerCast
        | Intrinsic::AssumeValid
        | Intrinsic::CompareExchange
        | Intrinsic::Fence
        | Intrinsic::ThreadIndexInSimdgroup
        | Intrinsic::SimdgroupIndexInThreadgroup
        | Intrinsic::IsFastMath
        | Intrinsic::Log
        | Intrinsic::Trap
        | Intrinsic::Unreachable => Special,
    }
}

/// Device, threadgroup and texture memory.
const ALL_MEMORY: u64 = 7;

impl FunctionLowerer<'_, '_> {
    pub fn lower_intrinsic(
        &mut self,
        intrinsic: Intrinsic,
        args: &[Expr],
        fp: ir::FpFlags,
        expr: &Expr,
    ) -> ir::ValueId {
        let arity = intrinsic.arity();
        if arity != 255 && arity != args.len() {
            self.unexpected(expr, "number of arguments of an intrinsic");
            return self.undef(expr.ty);
        }
        let ty = self.cx.value_type(expr.ty);
        match mapping(intrinsic) {
            Mapping::Unary(op) => {
                let value = self.lower_value(&args[0]);
                // A test for NaN means something only where NaN is allowed for.
                let keeps_nan = matches!(op, ir::UnaryOp::IsNan | ir::UnaryOp::IsInf);
                let fp = if keeps_nan { ir::FpFlags::STRICT } else { self.fp_for(ty, fp) };
                self.emit_fp(ir::Op::Unary(op, value), ty, fp)
            }
            Mapping::Binary(op) => {
                let left = self.lower_value(&args[0]);
                let right = self.lower_value(&args[1]);
                let right = self.convert_value(right, ty);
                let fp = self.fp_for(ty, fp);
                self.emit_fp(ir::Op::Binary(op, left, right), ty, fp)
            }
            Mapping::Atomic(op) => {
                let ptr = self.lower_value(&args[0]);
                let value = args.get(1).map(|a| self.lower_value(a));
                let space = self.atomic_scope(ptr);
                self.emit(ir::Op::Atomic { op, ptr, value, space }, ty)
            }
            Mapping::Simd(op) => {
                let mut values: Vec<ir::ValueId> = args.iter().map(|a| self.lower_value(a)).collect();
                if op == ir::SimdOp::Shuffle {
                    values[1] = self.convert_to(values[1], ir::Scalar::U32);
                }
                let fp = self.fp_for(ty, fp);
                self.emit_fp(ir::Op::Simd(op, values), ty, fp)
            }
            Mapping::Barrier(scope) => {
                let flags = self.constant_bits(args.first()).unwrap_or(ALL_MEMORY);
                self.emit(ir::Op::Barrier { scope, flags: ir::MemFlags((flags & ALL_MEMORY) as u8) }, ty)
            }
            Mapping::Special => self.lower_special(intrinsic, args, fp, expr, ty),
        }
    }

    fn lower_special(
        &mut self,
        intrinsic: Intrinsic,
        args: &[Expr],
        fp: ir::FpFlags,
        expr: &Expr,
        ty: ir::TypeId,
    ) -> ir::ValueId {
        match intrinsic {
            Intrinsic::Fma => {
                let a = self.lower_value(&args[0]);
                let b = self.lower_value(&args[1]);
                let c = self.lower_value(&args[2]);
                let fp = self.fp_for(ty, fp);
                self.emit_fp(ir::Op::Fma(a, b, c), ty, fp)
            }
            Intrinsic::Select => {
                let condition = self.lower_value(&args[0]);
                let a = self.lower_value(&args[1]);
                let b = self.lower_value(&args[2]);
                self.emit(ir::Op::Select { condition, a, b }, ty)
            }
            Intrinsic::Convert => {
                let value = self.lower_value(&args[0]);
                self.convert_value(value, ty)
            }
            Intrinsic::Bitcast => {
                let value = self.lower_value(&args[0]);
                self.bitcast(value, ty)
            }
            Intrinsic::PointerCast => {
                let value = self.lower_value(&args[0]);
                self.pointer_cast(value, ty)
            }
            Intrinsic::AssumeValid => {
                let value = self.lower_value(&args[0]);
                let ty = self.type_of(value);
                self.emit(ir::Op::AssumeValid(value), ty)
            }
            Intrinsic::CompareExchange => {
                let ptr = self.lower_value(&args[0]);
                let expected = self.lower_value(&args[1]);
                let desired = self.lower_value(&args[2]);
                let space = self.atomic_scope(ptr);
                self.emit(ir::Op::CompareExchange { ptr, expected, desired, space }, ty)
            }
            Intrinsic::Fence => {
                let flags = self.constant_bits(args.first()).unwrap_or(ALL_MEMORY);
                let scope = match self.constant_bits(args.get(1)) {
                    Some(0) => ir::MemoryScope::Thread,
                    Some(1) => ir::MemoryScope::Simdgroup,
                    Some(2) => ir::MemoryScope::Threadgroup,
                    _ => ir::MemoryScope::Device,
                };
                self.emit(ir::Op::Fence { scope, flags: ir::MemFlags((flags & ALL_MEMORY) as u8) }, ty)
            }
            Intrinsic::ThreadIndexInSimdgroup | Intrinsic::SimdgroupIndexInThreadgroup => {
                let builtin = match intrinsic {
                    Intrinsic::ThreadIndexInSimdgroup => ir::Builtin::ThreadIndexInSimdgroup,
                    _ => ir::Builtin::SimdgroupIndexInThreadgroup,
                };
                let u32 = self.scalar_type(ir::Scalar::U32);
                let value = self.emit(ir::Op::Builtin(builtin), u32);
                self.convert_value(value, ty)
            }
            Intrinsic::Log => {
                let [level, subsystem, category, format, args @ ..] = args else { return self.undef(expr.ty) };
                let Some(ConstantValue::Text(format)) = self.constant_value(format) else {
                    let message = "the format of a log record must be a string literal";
                    self.cx.error("unsupported-log-format", expr.span, message);
                    return self.undef(expr.ty);
                };
                let level = self.constant_bits(Some(level)).and_then(LogLevel::from_number).unwrap_or(LogLevel::Notice);
                // Of a log that is not known while compiling, nothing is said.
                let name = |a| match self.constant_value(a) {
                    Some(ConstantValue::Text(text)) => text,
                    _ => Symbol::new(""),
                };
                let (subsystem, category) = (name(subsystem), name(category));
                let text = log::encode(level, subsystem.as_str(), category.as_str(), format.as_str());
                let format = self.cx.string(Symbol::new(&text));
                let args = args.iter().map(|a| self.lower_value(a)).collect();
                self.emit(ir::Op::Log { format, args }, ty)
            }
            Intrinsic::IsFastMath => self.constant(u64::from(fp.is_fast()), ty),
            Intrinsic::Trap => self.emit(ir::Op::Trap(Symbol::new("the kernel called trap")), ty),
            Intrinsic::Unreachable => self.emit(ir::Op::Unreachable, ty),
            _ => {
                self.unexpected(expr, "intrinsic");
                self.undef(expr.ty)
            }
        }
    }

    /// An atomic operation is seen as widely as its memory is.
    fn atomic_scope(&self, ptr: ir::ValueId) -> ir::MemoryScope {
        match self.cx.module.types.pointee(self.type_of(ptr)) {
            Some((ir::AddressSpace::Device | ir::AddressSpace::Constant, _)) => ir::MemoryScope::Device,
            Some((ir::AddressSpace::Threadgroup, _)) => ir::MemoryScope::Threadgroup,
            Some((ir::AddressSpace::Thread, _)) | None => ir::MemoryScope::Thread,
        }
    }
}

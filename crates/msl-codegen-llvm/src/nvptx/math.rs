//! Arithmetic where the GPU has an instruction of its own; the rest is shared with the other target.

use llvm_sys::LLVMOpcode as O;
use msl_ir::{BinaryOp, FpFlags, Scalar, UnaryOp};

use crate::emit::arith;
use crate::llvm::{Ll, V};

fn approximate(ll: &Ll, name: &str, args: &[V]) -> V {
    ll.intrinsic(&format!("llvm.nvvm.{name}"), ll.f32(), args)
}

pub fn unary(ll: &Ll, op: UnaryOp, s: Scalar, flags: FpFlags, a: V) -> V {
    let t = ll.type_of(a);
    if flags.is_fast() && matches!(s, Scalar::F32 | Scalar::F16) {
        // Within one or two units in the last place, as the specification allows.
        let name = match op {
            UnaryOp::Sqrt => "sqrt.approx.ftz.f",
            UnaryOp::Rsqrt => "rsqrt.approx.ftz.f",
            _ => return arith::unary(ll, op, s, flags, a),
        };
        let wide = ll.cast(O::LLVMFPExt, a, ll.f32());
        return ll.cast(O::LLVMFPTrunc, approximate(ll, name, &[wide]), t);
    }
    if s == Scalar::F16 && matches!(op, UnaryOp::Floor | UnaryOp::Ceil | UnaryOp::Trunc | UnaryOp::RoundEven) {
        let r = arith::unary(ll, op, Scalar::F32, flags, ll.cast(O::LLVMFPExt, a, ll.f32()));
        return ll.cast(O::LLVMFPTrunc, r, t);
    }
    arith::unary(ll, op, s, flags, a)
}

pub fn binary(ll: &Ll, op: BinaryOp, s: Scalar, flags: FpFlags, a: V, b: V) -> V {
    match (op, s) {
        (BinaryOp::Div, Scalar::F32) if flags.is_fast() => {
            // Within two units; one step more is the nearest number nearly always, where nothing overflows.
            let quotient = approximate(ll, "div.full.ftz", &[a, b]);
            let reciprocal = approximate(ll, "rcp.approx.ftz.f", &[b]);
            let rest = ll.intrinsic1("fma", ll.f32(), &[ll.fneg(quotient), b, a]);
            let better = ll.intrinsic1("fma", ll.f32(), &[rest, reciprocal, quotient]);
            let is_number = ll.fcmp(llvm_sys::LLVMRealPredicate::LLVMRealORD, better, better);
            ll.select(is_number, better, quotient)
        }
        (BinaryOp::Div, Scalar::F16) => {
            // Rounding twice is harmless: f32 has more than twice the bits.
            let wide = |v| ll.cast(O::LLVMFPExt, v, ll.f32());
            let q = binary(ll, op, Scalar::F32, flags, wide(a), wide(b));
            ll.cast(O::LLVMFPTrunc, q, ll.type_of(a))
        }
        (BinaryOp::Min, Scalar::F32 | Scalar::F16) => ll.intrinsic1("minimumnum", ll.type_of(a), &[a, b]),
        (BinaryOp::Max, Scalar::F32 | Scalar::F16) => ll.intrinsic1("maximumnum", ll.type_of(a), &[a, b]),
        (BinaryOp::CopySign, Scalar::F16) => {
            let i = ll.int(16);
            let magnitude = ll.and(ll.bitcast(a, i), ll.cint(i, 0x7fff));
            let sign = ll.and(ll.bitcast(b, i), ll.cint(i, 0x8000));
            ll.bitcast(ll.or(magnitude, sign), ll.f16())
        }
        _ => arith::binary(ll, op, s, flags, a, b),
    }
}

pub fn fma(ll: &Ll, s: Scalar, flags: FpFlags, a: V, b: V, c: V) -> V {
    if s == Scalar::F16 {
        return ll.intrinsic1("fma", ll.type_of(a), &[a, b, c]);
    }
    arith::fma(ll, s, flags, a, b, c)
}

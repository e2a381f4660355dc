//! Folds constants and applies identities, one instruction at a time.
//!
//! Identities hold exactly: for integers always, for floats only where the result has the same bits, or
//! where the flags of the instruction allow it. Values are only replaced by values that are visible
//! where they are; nothing is moved.

use super::fold_constants as fold;
use super::rewrite::{Replacements, edit_blocks, push};
use super::widths;
use crate::ir::{BinaryOp, FpFlags, Function, Module, Op, UnaryOp, ValueId};
use crate::types::{Scalar, Type, TypeId};
use crate::{FunctionId, TypeTable};

/// Whether anything changed.
pub fn simplify(module: &mut Module, id: FunctionId) -> bool {
    super::rewrite::with_function(module, id, |module, f| {
        let mut any = false;
        // Each round sees operands simplified by the one before; long chains settle in few.
        for _ in 0..8 {
            if !round(&mut module.types, f) {
                break;
            }
            any = true;
        }
        any
    })
}

fn round(types: &mut TypeTable, f: &mut Function) -> bool {
    let mut replaced = Replacements::default();
    let mut changed = false;
    edit_blocks(f, &mut |f, list| {
        let mut out = Vec::with_capacity(list.len());
        for v in list {
            f.insts[v].op.map_operands(|a| replaced.get(a));
            let outcome = Rules { types, f, before: &mut out }.apply(v);
            match outcome {
                Keep => out.push(v),
                Rewrite(op) => {
                    f.insts[v].op = op;
                    changed = true;
                    out.push(v);
                }
                Replace(new) => {
                    replaced.insert(v, new);
                    changed = true;
                }
            }
        }
        out
    });
    replaced.apply(f);
    changed
}

enum Outcome {
    Keep,
    /// Another operation gives the same value.
    Rewrite(Op),
    /// An existing value is the same.
    Replace(ValueId),
}

use Outcome::{Keep, Replace, Rewrite};

struct Rules<'a> {
    types: &'a mut TypeTable,
    f: &'a mut Function,
    /// Where new instructions go: right before the one looked at.
    before: &'a mut Vec<ValueId>,
}

impl Rules<'_> {
    /// The bits of a constant scalar, or of a vector with the same constant in every component.
    fn splat(&self, v: ValueId) -> Option<u64> {
        match &self.f.insts[v].op {
            Op::Const(bits) => {
                let s = self.types.scalar_of(self.f.insts[v].ty)?;
                Some(fold::truncate(s, *bits))
            }
            Op::Splat(a) => self.splat(*a),
            _ => None,
        }
    }
    fn ty(&self, v: ValueId) -> TypeId {
        self.f.insts[v].ty
    }
    fn op(&self, v: ValueId) -> &Op {
        &self.f.insts[v].op
    }
    fn new_const(&mut self, ty: TypeId, bits: u64) -> ValueId {
        let v = push(self.f, Op::Const(bits), ty, msl_base::Span::NONE);
        self.before.push(v);
        v
    }

    fn apply(&mut self, v: ValueId) -> Outcome {
        let inst = &self.f.insts[v];
        let (ty, fp) = (inst.ty, inst.fp);
        // Copying these would copy all that they hold.
        if let Op::If { .. } | Op::Loop { .. } | Op::Switch { .. } | Op::Scope { .. } | Op::Simd(..) | Op::Log { .. } =
            inst.op
        {
            return Keep;
        }
        match inst.op.clone() {
            Op::Unary(op, a) => self.unary(op, a, ty),
            Op::Binary(op, a, b) => self.binary(op, a, b, ty, fp),
            Op::Compare(op, a, b) => {
                let Some(s) = self.types.scalar_of(self.ty(a)) else { return Keep };
                match (self.splat(a), self.splat(b)) {
                    (Some(x), Some(y)) => Rewrite(Op::Const(fold::compare(op, s, x, y))),
                    _ if a == b && !s.is_float() => Rewrite(Op::Const(u64::from(matches!(
                        op,
                        crate::CompareOp::Eq | crate::CompareOp::Le | crate::CompareOp::Ge
                    )))),
                    // Nothing unsigned is below zero.
                    (_, Some(0)) if s.is_integer() && !s.is_signed() && op == crate::CompareOp::Lt => {
                        Rewrite(Op::Const(0))
                    }
                    (_, Some(0)) if s.is_integer() && !s.is_signed() && op == crate::CompareOp::Ge => {
                        Rewrite(Op::Const(1))
                    }
                    _ => Keep,
                }
            }
            Op::Select { condition, a, b } => match self.splat(condition) {
                Some(c) => Replace(if c != 0 { a } else { b }),
                None if a == b => Replace(a),
                None => match (self.op(condition), self.splat(a), self.splat(b)) {
                    (Op::Unary(UnaryOp::Not, c), ..) => {
                        let c = *c;
                        Rewrite(Op::Select { condition: c, a: b, b: a })
                    }
                    (_, Some(1), Some(0))
                        if self.types.scalar_of(ty) == Some(Scalar::Bool) && self.ty(condition) == ty =>
                    {
                        Replace(condition)
                    }
                    _ => Keep,
                },
            },
            Op::Fma(..) => Keep,
            Op::Convert(a) => {
                if self.ty(a) == ty {
                    return Replace(a);
                }
                let (Some(from), Some(to)) = (self.types.scalar_of(self.ty(a)), self.types.scalar_of(ty)) else {
                    return Keep;
                };
                if let Some(bits) = self.splat(a).and_then(|x| fold::convert(from, to, x)) {
                    return Rewrite(Op::Const(bits));
                }
                // A number that was a truth value, and is one again.
                if let Op::Convert(b) = *self.op(a)
                    && to == Scalar::Bool
                    && self.ty(b) == ty
                {
                    return Replace(b);
                }
                // Widening twice in the same sense is widening once.
                if let Op::Convert(b) = *self.op(a)
                    && let Some(first) = self.types.scalar_of(self.ty(b))
                    && first.is_integer()
                    && from.is_integer()
                    && to.is_integer()
                    && ((first.bits() <= from.bits()
                        && (first.is_signed() == from.is_signed() || to.bits() <= from.bits()))
                        || (first.bits() < from.bits() && !first.is_signed())
                        || to.bits() <= from.bits() && to.bits() <= first.bits())
                {
                    return if self.ty(b) == ty { Replace(b) } else { Rewrite(Op::Convert(b)) };
                }
                Keep
            }
            Op::Bitcast(a) => {
                if self.ty(a) == ty {
                    return Replace(a);
                }
                match (self.op(a), self.types.get(ty)) {
                    (Op::Bitcast(b), _) => {
                        let b = *b;
                        if self.ty(b) == ty { Replace(b) } else { Rewrite(Op::Bitcast(b)) }
                    }
                    (Op::Const(bits), Type::Scalar(s)) if matches!(self.types.get(self.ty(a)), Type::Scalar(_)) => {
                        Rewrite(Op::Const(fold::truncate(*s, *bits)))
                    }
                    _ => Keep,
                }
            }
            Op::Splat(a) => match self.op(a) {
                Op::Const(bits) => Rewrite(Op::Const(*bits)),
                _ => Keep,
            },
            Op::Compose(list) => self.compose(&list, ty),
            Op::Extract { vector, index } => self.extract(vector, index),
            Op::ExtractDynamic { vector, index } => match self.splat(index) {
                Some(i) if i < u64::from(self.types.component_count(self.ty(vector))) => {
                    Rewrite(Op::Extract { vector, index: i as u8 })
                }
                _ => Keep,
            },
            Op::InsertDynamic { vector, value, index } => match self.splat(index) {
                Some(i) if i < u64::from(self.types.component_count(ty)) => {
                    Rewrite(Op::Insert { vector, value, index: i as u8 })
                }
                _ => Keep,
            },
            Op::Insert { vector, value, index } => match self.op(vector) {
                // The earlier value of the component is not seen.
                Op::Insert { vector: inner, index: i, .. } if *i == index => {
                    let inner = *inner;
                    Rewrite(Op::Insert { vector: inner, value, index })
                }
                _ => Keep,
            },
            Op::Shuffle { vector, components } => {
                if self.ty(vector) == ty && components.iter().enumerate().all(|(i, c)| usize::from(*c) == i) {
                    return Replace(vector);
                }
                match self.op(vector) {
                    Op::Const(bits) => Rewrite(Op::Const(*bits)),
                    Op::Splat(a) => Rewrite(Op::Splat(*a)),
                    Op::Shuffle { vector: inner, components: first } => {
                        let inner = *inner;
                        let list = components.iter().filter_map(|c| first.get(usize::from(*c)).copied()).collect();
                        Rewrite(Op::Shuffle { vector: inner, components: list })
                    }
                    Op::Compose(parts) => {
                        let list: Vec<_> =
                            components.iter().filter_map(|c| parts.get(usize::from(*c)).copied()).collect();
                        if list.len() == components.len() { Rewrite(Op::Compose(list)) } else { Keep }
                    }
                    _ => Keep,
                }
            }
            Op::PtrCast(a) => {
                if self.ty(a) == ty {
                    return Replace(a);
                }
                match *self.op(a) {
                    Op::PtrCast(b) if self.ty(b) == ty => Replace(b),
                    Op::PtrCast(b) => Rewrite(Op::PtrCast(b)),
                    _ => Keep,
                }
            }
            Op::PtrOffset { base, offset } if self.splat(offset) == Some(0) => Replace(base),
            Op::PtrDiff(a, b) if a == b => Rewrite(Op::Const(0)),
            Op::Undef
            | Op::Const(_)
            | Op::Param(_)
            | Op::LocalAddr(_)
            | Op::GlobalAddr(_)
            | Op::FieldAddr { .. }
            | Op::IndexAddr { .. }
            | Op::PtrOffset { .. }
            | Op::PtrDiff(..)
            | Op::PtrToInt(_)
            | Op::IntToPtr(_)
            | Op::AssumeValid(_)
            | Op::Load { .. }
            | Op::Store { .. }
            | Op::Copy { .. }
            | Op::Atomic { .. }
            | Op::CompareExchange { .. }
            | Op::Fence { .. }
            | Op::Builtin(_)
            | Op::Barrier { .. }
            | Op::Simd(..)
            | Op::Log { .. }
            | Op::Trap(_)
            | Op::Call { .. }
            | Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(_)
            | Op::Unreachable => Keep,
        }
    }

    fn unary(&mut self, op: UnaryOp, a: ValueId, ty: TypeId) -> Outcome {
        let Some(s) = self.types.scalar_of(self.ty(a)) else { return Keep };
        if let Some(bits) = self.splat(a).and_then(|x| fold::unary(op, s, x)) {
            return Rewrite(Op::Const(bits));
        }
        match (op, self.op(a)) {
            (UnaryOp::Not, Op::Unary(UnaryOp::Not, b)) | (UnaryOp::Neg, Op::Unary(UnaryOp::Neg, b)) => Replace(*b),
            // A comparison of integers can be turned around; of floats only for (in)equality, because of NaN.
            (UnaryOp::Not, Op::Compare(c, x, y)) => {
                use crate::CompareOp::{Eq, Ge, Gt, Le, Lt, Ne};
                let (c, x, y) = (*c, *x, *y);
                let is_float = self.types.scalar_of(self.ty(x)).is_some_and(Scalar::is_float);
                let inverse = match c {
                    Eq => Ne,
                    Ne => Eq,
                    Lt => Ge,
                    Le => Gt,
                    Gt => Le,
                    Ge => Lt,
                };
                if (!is_float || matches!(c, Eq | Ne)) && self.types.scalar_of(ty) == Some(Scalar::Bool) {
                    Rewrite(Op::Compare(inverse, x, y))
                } else {
                    Keep
                }
            }
            _ => Keep,
        }
    }

    fn binary(&mut self, op: BinaryOp, a: ValueId, b: ValueId, ty: TypeId, fp: FpFlags) -> Outcome {
        use BinaryOp::{Add, AddSat, And, Div, Max, Min, Mul, Or, Rem, Shl, Shr, Sub, SubSat, Xor};
        let Some(s) = self.types.scalar_of(ty) else { return Keep };
        let (x, y) = (self.splat(a), self.splat(b));
        if let (Some(x), Some(y)) = (x, y)
            && let Some(bits) = fold::binary(op, s, x, y)
        {
            return Rewrite(Op::Const(bits));
        }
        if s.is_float() {
            return self.float_binary(op, a, b, s, fp);
        }
        let commutes = matches!(op, Add | Mul | And | Or | Xor | Min | Max);
        // Constants go to the right, so that the rules below look there only.
        if commutes && x.is_some() && y.is_none() {
            return Rewrite(Op::Binary(op, b, a));
        }
        let ones = fold::truncate(s, u64::MAX);
        match (op, y) {
            (Add | Sub | Or | Xor | Shl | Shr | AddSat | SubSat, Some(0)) | (Mul | Div, Some(1)) => return Replace(a),
            (And, Some(y)) if y == ones => return Replace(a),
            (Mul | And, Some(0)) => return Rewrite(Op::Const(0)),
            (Rem, Some(1)) => return Rewrite(Op::Const(0)),
            (Or, Some(y)) if y == ones => return Rewrite(Op::Const(ones)),
            (Min, Some(0)) if !s.is_signed() => return Rewrite(Op::Const(0)),
            (Max, Some(0)) if !s.is_signed() => return Replace(a),
            _ => {}
        }
        // Shifts and masks are what targets know most about.
        if let (Div | Rem, Some(y)) = (op, y)
            && y.is_power_of_two()
            && (!s.is_signed() || y <= ones >> 1 && widths::width(self.types, self.f, a).is_some())
        {
            let (op, by) = if op == Div { (Shr, u64::from(y.trailing_zeros())) } else { (And, y - 1) };
            let by = self.new_const(ty, by);
            return Rewrite(Op::Binary(op, a, by));
        }
        if let (Shl | Shr, Some(0)) = (op, x) {
            return Rewrite(Op::Const(0));
        }
        // Of a truth value widened only the lowest bit is ever set.
        if let (And, Some(y), Op::Convert(p)) = (op, y, self.op(a))
            && self.types.scalar_of(self.ty(*p)) == Some(Scalar::Bool)
        {
            return if y & 1 == 1 { Replace(a) } else { Rewrite(Op::Const(0)) };
        }
        // Truth values widened (as `a & b` has it) are combined as such.
        if let (And | Or | Xor, Op::Convert(p), Op::Convert(q)) = (op, self.op(a), self.op(b))
            && s != Scalar::Bool
            && let (p, q) = (*p, *q)
            && self.ty(p) == self.ty(q)
            && self.types.scalar_of(self.ty(p)) == Some(Scalar::Bool)
        {
            let both = push(self.f, Op::Binary(op, p, q), self.ty(p), msl_base::Span::NONE);
            self.before.push(both);
            return Rewrite(Op::Convert(both));
        }
        if a == b {
            match op {
                Sub | Xor => return Rewrite(Op::Const(0)),
                And | Or | Min | Max => return Replace(a),
                _ => {}
            }
        }
        // (x op c) op d → x op (c op d)
        if let (true, Some(d), Op::Binary(inner, p, q)) = (commutes, y, self.op(a))
            && *inner == op
        {
            let (p, q) = (*p, *q);
            if let Some(bits) = self.splat(q).and_then(|c| fold::binary(op, s, c, d)) {
                let c = self.new_const(ty, bits);
                return Rewrite(Op::Binary(op, p, c));
            }
        }
        Keep
    }

    fn float_binary(&mut self, op: BinaryOp, a: ValueId, b: ValueId, s: Scalar, fp: FpFlags) -> Outcome {
        let is = |v: Option<u64>, value: f32| {
            v.is_some_and(|bits| {
                let x = fold::to_f32(s, bits);
                x == value && x.is_sign_negative() == value.is_sign_negative()
            })
        };
        let (x, y) = (self.splat(a), self.splat(b));
        match op {
            BinaryOp::Mul | BinaryOp::Div if is(y, 1.0) => Replace(a),
            BinaryOp::Mul if is(x, 1.0) => Replace(b),
            BinaryOp::Add if is(y, -0.0) => Replace(a),
            BinaryOp::Add if is(x, -0.0) => Replace(b),
            BinaryOp::Sub if is(y, 0.0) => Replace(a),
            // Loses the sign of a zero.
            BinaryOp::Add if fp.is_fast() && is(y, 0.0) => Replace(a),
            BinaryOp::Add if fp.is_fast() && is(x, 0.0) => Replace(b),
            _ => Keep,
        }
    }

    fn compose(&mut self, list: &[ValueId], ty: TypeId) -> Outcome {
        // The components of a vector put together again.
        if let Some(Op::Extract { vector, index: 0 }) = list.first().map(|v| self.op(*v)) {
            let vector = *vector;
            let whole = self.ty(vector) == ty
                && list.iter().enumerate().all(|(i, v)| {
                    matches!(self.op(*v), Op::Extract { vector: w, index } if *w == vector && usize::from(*index) == i)
                });
            if whole {
                return Replace(vector);
            }
        }
        let first = list.first().and_then(|v| self.splat(*v));
        match first {
            Some(bits) if list.iter().all(|v| self.splat(*v) == Some(bits)) => Rewrite(Op::Const(bits)),
            _ => match list.first() {
                Some(one) if list.len() > 1 && list.iter().all(|v| v == one) => Rewrite(Op::Splat(*one)),
                _ => Keep,
            },
        }
    }

    fn extract(&mut self, vector: ValueId, index: u8) -> Outcome {
        match self.op(vector) {
            Op::Const(bits) => Rewrite(Op::Const(*bits)),
            Op::Splat(a) => Replace(*a),
            Op::Compose(list) => list.get(usize::from(index)).map_or(Keep, |v| Replace(*v)),
            Op::Insert { value, index: i, .. } if *i == index => Replace(*value),
            Op::Insert { vector: inner, .. } => Rewrite(Op::Extract { vector: *inner, index }),
            Op::Shuffle { vector: inner, components } => match components.get(usize::from(index)) {
                Some(c) => Rewrite(Op::Extract { vector: *inner, index: *c }),
                None => Keep,
            },
            _ => Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn truth_values_are_combined_as_such_and_unsigned_bounds_are_known() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>, %q: ptr<device, bool>) -> void {
               %a = load %p
               %zero: u32 = const 0
               %one: u32 = const 1
               %min = min %zero, %a
               %max = max %a, %zero
               %never = lt %a, %zero
               %always = ge %a, %zero
               %shifted = shr %zero, %a
               %c = gt %a, %one
               %d = lt %max, %one
               %ci: i32 = convert %c
               %di: i32 = convert %d
               %both = and %ci, %di
               %ni: i32 = convert %never
               %all: i32 = const 3
               %same = and %both, %all
               %three = or %same, %ni
               %b: bool = convert %three
               %e = and %b, %always
               store %q, %e
               %sum = add %min, %shifted
               store %p, %sum
             }
             kernel k = @k { p: buffer 0 device read_write u32 q: buffer 1 device read_write bool }",
        );
        let k = entry(&m);
        assert!(simplify(&mut m, k));
        super::super::remove_dead::remove_dead(&mut m, k);
        let t = text(&m, k);
        for gone in [" convert ", " min ", " max ", " shr ", " ge ", " or ", " add "] {
            assert!(!t.contains(gone), "{gone}: {t}");
        }
        assert_eq!(t.matches(" and ").count(), 1, "{t}");
    }

    #[test]
    fn powers_of_two_divide_by_bits() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>, %h: ptr<device, u16>, %s: ptr<device, i32>) -> void {
               %a = load %p
               %b = load %h
               %c = load %s
               %k: u32 = const 32
               %i: i32 = const 8
               %least: i32 = const -2147483648
               %d = div %a, %k
               %e = rem %a, %k
               %small: i32 = convert %b
               %f = div %small, %i
               %g = rem %small, %i
               %y = div %c, %i
               %z = rem %small, %least
               %d1 = add %d, %e
               store %p, %d1
               %f1 = add %f, %g
               %f2 = add %f1, %y
               %f3 = add %f2, %z
               store %s, %f3
             }
             kernel k = @k { p: buffer 0 device read_write u32 h: buffer 1 device read u16 s: buffer 2 device read_write i32 }",
        );
        let k = entry(&m);
        assert!(simplify(&mut m, k));
        let t = text(&m, k);
        // Where a number may be negative, or the divisor is, it stays.
        let count = |op: &str| t.matches(&format!(" = {op} ")).count();
        assert_eq!((count("shr"), count("and"), count("div"), count("rem")), (2, 2, 1, 1), "{t}");
    }

    #[test]
    fn constants_fold_and_identities_hold() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>, %q: ptr<device, f32>) -> void {
               %a = load %p
               %two: u32 = const 2
               %three: u32 = const 3
               %zero: u32 = const 0
               %six = mul %two, %three
               %b = add %a, %zero
               %c = add %six, %b
               %d = add %c, %two
               %v = compose %d, %a
               %e = extract %v, 0
               store %p, %e
               %f = load %q
               %fz: f32 = const 0.0
               %g = add %f, %fz
               store %q, %g
             }
             kernel k = @k { p: buffer 0 device read_write u32 q: buffer 1 device read_write f32 }",
        );
        let k = entry(&m);
        assert!(simplify(&mut m, k));
        super::super::remove_dead::remove_dead(&mut m, k);
        let t = text(&m, k);
        assert_eq!(t.matches(" add ").count(), 2, "{t}");
        assert!(t.contains("const 8"), "{t}");
        assert!(!t.contains("compose"), "{t}");
    }
}

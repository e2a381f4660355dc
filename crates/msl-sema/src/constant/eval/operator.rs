//! Arithmetic, comparisons and conversions of values.

use msl_base::Span;

use super::*;
use crate::constant::{binary_scalar, compare_scalar, convert_scalar};
use crate::hir::{BinaryOp, CompareOp, Conversion};

impl Machine<'_, '_> {
    pub(super) fn offset(&mut self, p: Const, n: i64, span: Span) -> Eval<Const> {
        let Const::Pointer(Some(mut p)) = p else {
            return fail(span, "what this points to is not known while compiling");
        };
        match p.path.last_mut() {
            Some(last) => match last.checked_add_signed(n) {
                Some(i) => *last = i,
                None => return fail(span, "this points outside of an array"),
            },
            None if n == 0 => {}
            None => return fail(span, "this points outside of an object"),
        }
        Ok(Const::Pointer(Some(p)))
    }

    pub(super) fn incremented(&mut self, old: Const, ty: Ty, up: bool, span: Span) -> Eval<Const> {
        if self.c.program.types.is_pointer(ty) {
            return self.offset(old, if up { 1 } else { -1 }, span);
        }
        let Some((s, _)) = self.c.program.types.as_numeric(ty) else {
            return fail(span, "this cannot be counted");
        };
        let one = convert_scalar(1, Scalar::Int, s);
        let op = if up { BinaryOp::Add } else { BinaryOp::Sub };
        map(old, span, |b| binary_scalar(op, b, one, s))
    }

    pub(super) fn binary(&mut self, op: BinaryOp, a: Const, b: Const, ty: Ty, span: Span) -> Eval<Const> {
        let Some((s, _)) = self.c.program.types.as_numeric(ty) else {
            return fail(span, "this is not known while compiling");
        };
        let one = |x: u64, y: u64| binary_scalar(op, x, y, s).map_err(|m| EvalError { span, message: m.into() });
        Ok(match (a, b) {
            (Const::Scalar(x), Const::Scalar(y)) => Const::Scalar(one(x, y)?),
            (Const::Vector(x), Const::Vector(y)) => {
                Const::Vector(x.into_iter().zip(y).map(|(x, y)| one(x, y)).collect::<Result<_, _>>()?)
            }
            _ => return fail(span, "this is not known while compiling"),
        })
    }

    pub(super) fn compare(&mut self, op: CompareOp, a: Const, b: Const, ty: Ty, span: Span) -> Eval<Const> {
        let answer = |b: bool| Const::Scalar(u64::from(b));
        Ok(match (a, b) {
            (Const::Scalar(x), Const::Scalar(y)) => {
                let s = self.c.bits_scalar(ty).unwrap_or(Scalar::ULong);
                answer(compare_scalar(op, x, y, s))
            }
            (Const::Vector(x), Const::Vector(y)) => {
                let Some((s, _)) = self.c.program.types.as_any_vector(ty) else {
                    return fail(span, "this is not known");
                };
                Const::Vector(x.iter().zip(&y).map(|(x, y)| u64::from(compare_scalar(op, *x, *y, s))).collect())
            }
            (Const::Pointer(x), Const::Pointer(y)) => match op {
                CompareOp::Eq => answer(x == y),
                CompareOp::Ne => answer(x != y),
                _ => match (x, y) {
                    (Some(x), Some(y)) if x.object == y.object && x.path.len() == y.path.len() => {
                        let o = x.path.cmp(&y.path);
                        answer(match op {
                            CompareOp::Lt => o.is_lt(),
                            CompareOp::Le => o.is_le(),
                            CompareOp::Gt => o.is_gt(),
                            _ => o.is_ge(),
                        })
                    }
                    _ => return fail(span, "these pointers are not into one array"),
                },
            },
            _ => return fail(span, "this is not known while compiling"),
        })
    }

    pub(super) fn convert(&mut self, v: Const, from: Ty, to: Ty, span: Span) -> Eval<Const> {
        let scalar = |m: &mut Self, ty: Ty| match m.c.program.types.as_any_vector(ty) {
            Some((s, _)) => Some(s),
            None => m.c.bits_scalar(ty),
        };
        match (scalar(self, from), scalar(self, to)) {
            (Some(f), Some(t)) if f == t => Ok(v),
            (Some(f), Some(t)) => map(v, span, |b| Ok(convert_scalar(b, f, t))),
            _ => fail(span, "this is not known while compiling"),
        }
    }

    pub(super) fn conversion(&mut self, conversion: Conversion, inner: &Expr, to: Ty, span: Span) -> Eval<Const> {
        Ok(match conversion {
            Conversion::ArrayDecay => match self.base_place(inner)? {
                Place::At(mut p) => {
                    p.path.push(0);
                    Const::Pointer(Some(p))
                }
                Place::Swizzle(..) => return fail(span, "this is not an array"),
            },
            Conversion::Arithmetic => {
                let v = self.rvalue(inner)?;
                self.convert(v, inner.ty, to, span)?
            }
            Conversion::Splat => {
                let n = self.c.program.types.as_any_vector(to).map_or(1, |(_, n)| n);
                match self.rvalue(inner)? {
                    Const::Scalar(b) => Const::Vector(vec![b; usize::from(n)]),
                    _ => return fail(span, "this is not known while compiling"),
                }
            }
            Conversion::Packing => self.rvalue(inner)?,
            Conversion::Bitcast => {
                let v = self.rvalue(inner)?;
                match self.c.fold_intrinsic(msl_stdlib::Intrinsic::Bitcast, &[(v, inner.ty)], to) {
                    Some(v) => v,
                    None => return fail(span, "the bits of this are not known while compiling"),
                }
            }
            Conversion::Pointer => {
                let v = self.rvalue(inner)?;
                self.pointer_to_base(v, inner.ty, to, span)?
            }
            Conversion::PointerAdjust(_) => {
                let v = self.rvalue(inner)?;
                self.pointer_to_base(v, inner.ty, to, span)?
            }
            Conversion::PointerToBool => match self.rvalue(inner)? {
                Const::Pointer(p) => Const::Scalar(u64::from(p.is_some())),
                Const::Scalar(b) => Const::Scalar(u64::from(b != 0)),
                _ => return fail(span, "this is not known while compiling"),
            },
            Conversion::ToVoid => {
                self.effect(inner)?;
                Const::Void
            }
            Conversion::PointerToInteger | Conversion::IntegerToPointer => {
                return fail(span, "addresses are not known while compiling");
            }
        })
    }

    fn pointer_to_base(&mut self, v: Const, from: Ty, to: Ty, span: Span) -> Eval<Const> {
        let (TyKind::Pointer { pointee: f, .. }, TyKind::Pointer { pointee: t, .. }) =
            (self.c.kind(from).clone(), self.c.kind(to).clone())
        else {
            return Ok(v);
        };
        let (Some(f), Some(t)) = (self.c.program.types.as_class(f), self.c.program.types.as_class(t)) else {
            return Ok(v);
        };
        let Const::Pointer(Some(mut p)) = v else { return Ok(v) };
        if f == t {
            return Ok(Const::Pointer(Some(p)));
        }
        if let Some(path) = self.c.path_to_base(f, t) {
            p.path.extend(path.iter().map(|(field, _)| u64::from(*field)));
            return Ok(Const::Pointer(Some(p)));
        }
        if let Some(path) = self.c.path_to_base(t, f)
            && p.path.len() >= path.len()
        {
            p.path.truncate(p.path.len() - path.len());
            return Ok(Const::Pointer(Some(p)));
        }
        fail(span, "this cast is not known while compiling")
    }
}

pub(super) fn map(v: Const, span: Span, f: impl Fn(u64) -> Result<u64, &'static str>) -> Eval<Const> {
    let f = |b: u64| f(b).map_err(|m| EvalError { span, message: m.into() });
    Ok(match v {
        Const::Scalar(b) => Const::Scalar(f(b)?),
        Const::Vector(items) => Const::Vector(items.into_iter().map(f).collect::<Result<_, _>>()?),
        _ => return fail(span, "this is not known while compiling"),
    })
}

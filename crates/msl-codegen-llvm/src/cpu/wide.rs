//! `half` and `bfloat` in fast math: a statement is computed in `float` and rounded once, at its end.
//!
//! There is no arithmetic on 16-bit floats in the vector units of most CPUs: every operation widens its
//! operands and rounds its result. What a statement computes on the way to its result has one use, by
//! another operation; that one takes the wide form, and LLVM removes the rounding that nobody asks for.
//! A value with a name of its own that is read twice is the same number each time: it is rounded. Under
//! strict math nothing is done here.

use std::collections::HashMap;

use msl_base::Id;
use msl_ir::{BinaryOp, Op, Scalar, UnaryOp, ValueId};

use super::kernel::Emit;
use crate::emit::arith;
use crate::emit::value::{Comp, Val};

/// Results before they are rounded.
#[derive(Default)]
pub struct Wide {
    values: HashMap<ValueId, Vec<Comp>>,
}

impl Wide {
    /// What follows may not be dominated by what was emitted so far, or repeats it.
    pub fn forget(&mut self) {
        self.values.clear();
    }
}

impl Emit<'_> {
    /// Operands of an operation that is done in `float`.
    fn wide_operands(&self, id: ValueId) -> Option<Vec<ValueId>> {
        let inst = &self.f.insts[id];
        if !inst.fp.is_fast() || !matches!(self.scalar_of(id), Scalar::F16 | Scalar::BF16) {
            return None;
        }
        match &inst.op {
            Op::Unary(UnaryOp::Neg | UnaryOp::Abs, a) => Some(vec![*a]),
            Op::Binary(
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Min | BinaryOp::Max,
                a,
                b,
            ) => Some(vec![*a, *b]),
            Op::Fma(a, b, c) => Some(vec![*a, *b, *c]),
            _ => None,
        }
    }

    /// The value of such an operation; `None` if it is another.
    pub fn wide_value(&mut self, id: ValueId) -> Option<Val> {
        let operands = self.wide_operands(id)?;
        let ll = self.ll;
        let (s, fp, n) = (self.scalar_of(id), self.f.insts[id].fp, self.count_of(id));
        let shape = self.flow.shapes[id.index()];
        let convert = |c: &Comp, from, to| Comp {
            shape: c.shape,
            v: c.v.iter().map(|v| arith::convert(ll, from, to, *v)).collect(),
        };
        let lists: Vec<Vec<Comp>> = operands
            .iter()
            .map(|v| match self.wide.values.get(v) {
                Some(wide) if self.uses[v.index()] == 1 => wide.clone(),
                _ => (0..n).map(|i| convert(&self.comp(*v, i), s, Scalar::F32)).collect(),
            })
            .collect();
        let op = &self.f.insts[id].op;
        let results: Vec<Comp> = (0..n)
            .map(|i| {
                let operands: Vec<&Comp> = lists.iter().map(|list| &list[i]).collect();
                self.map(shape.c[i.min(3)], &operands, |v| match op {
                    Op::Unary(op, _) => arith::unary(ll, *op, Scalar::F32, fp, v[0]),
                    Op::Binary(op, ..) => arith::binary(ll, *op, Scalar::F32, fp, v[0], v[1]),
                    _ => arith::fma(ll, Scalar::F32, fp, v[0], v[1], v[2]),
                })
            })
            .collect();
        let rounded = results.iter().map(|c| convert(c, Scalar::F32, s)).collect();
        self.wide.values.insert(id, results);
        Some(Val::Comps(rounded))
    }
}

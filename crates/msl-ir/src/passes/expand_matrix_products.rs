//! Turns products of the matrices of a simdgroup into shuffles and fused multiply-adds.
//!
//! For targets without matrix units, and for products that theirs would not give in full precision. Where several
//! products of one block have an operand in common, it is shuffled once: threads that are active later were active
//! before.

use std::collections::HashMap;

use super::rewrite::{Replacements, edit_blocks, push, push_const, with_function};
use crate::FunctionId;
use crate::ir::{Builtin, Function, Module, Op, SimdOp, ValueId};
use crate::types::{Scalar, Type, TypeTable};

/// Expands all products, or with `keep_halves` only those that are not of `f16` or `bf16` in fast mode.
pub fn expand_matrix_products(module: &mut Module, id: FunctionId, keep_halves: bool) -> bool {
    with_function(module, id, |module, f| {
        let mut replaced = Replacements::default();
        edit_blocks(f, &mut |f, list| {
            let mut block = Block { out: Vec::with_capacity(list.len()), known: HashMap::new(), lane: None };
            for v in list {
                let args = match &f.insts[v].op {
                    Op::Simd(SimdOp::MatrixMultiply, args) => [args[0], args[1], args[2]],
                    _ => {
                        block.out.push(v);
                        continue;
                    }
                };
                if keep_halves && is_kept(&module.types, f, v, args) {
                    block.out.push(v);
                    continue;
                }
                let sum = block.product(&mut module.types, f, v, args);
                replaced.insert(v, sum);
            }
            block.out
        });
        let changed = !replaced.is_empty();
        replaced.apply(f);
        changed
    })
}

fn is_kept(types: &TypeTable, f: &Function, v: ValueId, [a, b, _]: [ValueId; 3]) -> bool {
    let scalar = |v: ValueId| types.scalar_of(f.insts[v].ty);
    f.insts[v].fp.is_fast() && scalar(a) == scalar(b) && matches!(scalar(a), Some(Scalar::F16 | Scalar::BF16))
}

struct Block {
    out: Vec<ValueId>,
    /// Operands as they were shuffled: of which value, for which k, from the left or the right.
    known: HashMap<(ValueId, u32, bool), ValueId>,
    lane: Option<ValueId>,
}

impl Block {
    fn product(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId, args: [ValueId; 3]) -> ValueId {
        let [a, b, mut sum] = args;
        let (ty, fp, span) = (f.insts[v].ty, f.insts[v].fp, f.insts[v].span);
        let float = types.scalar(Scalar::F32);
        for k in 0..8u32 {
            // Both elements of the pair come with one shuffle.
            let pair = self.shuffled(types, f, a, k & 6, true);
            let x = self.add(f, Op::Extract { vector: pair, index: (k & 1) as u8 }, float, span);
            let x = self.add(f, Op::Splat(x), ty, span);
            let y = self.shuffled(types, f, b, k, false);
            sum = self.add(f, Op::Fma(x, y, sum), ty, span);
            f.insts[sum].fp = fp;
        }
        sum
    }

    /// An operand of the threads that this one needs, as `f32`.
    fn shuffled(&mut self, types: &mut TypeTable, f: &mut Function, v: ValueId, k: u32, is_left: bool) -> ValueId {
        if let Some(known) = self.known.get(&(v, k, is_left)) {
            return *known;
        }
        let span = f.insts[v].span;
        let uint = types.scalar(Scalar::U32);
        let own = match self.lane {
            Some(lane) => lane,
            None => {
                let lane = self.add(f, Op::Builtin(Builtin::ThreadIndexInSimdgroup), uint, span);
                *self.lane.insert(lane)
            }
        };
        // The row of this thread in the left operand, its columns in the right one.
        let (mask, bits) =
            if is_left { (0b10110, (k & 4) << 1 | (k >> 1 & 1)) } else { (0b01001, (k & 4) << 2 | (k & 3) << 1) };
        let constant = |me: &mut Self, types: &mut TypeTable, f: &mut Function, n: u32| {
            let c = push_const(types, f, Scalar::U32, u64::from(n));
            me.out.push(c);
            c
        };
        let mask = constant(self, types, f, mask);
        let bits = constant(self, types, f, bits);
        let kept = self.add(f, Op::Binary(crate::BinaryOp::And, own, mask), uint, span);
        let lane = self.add(f, Op::Binary(crate::BinaryOp::Or, kept, bits), uint, span);
        let ty = f.insts[v].ty;
        let mut result = self.add(f, Op::Simd(SimdOp::Shuffle, vec![v, lane]), ty, span);
        if types.scalar_of(ty) != Some(Scalar::F32) {
            let wide = match *types.get(ty) {
                Type::Vector { len, .. } => types.vector(Scalar::F32, len),
                _ => types.scalar(Scalar::F32),
            };
            result = self.add(f, Op::Convert(result), wide, span);
        }
        self.known.insert((v, k, is_left), result);
        result
    }

    fn add(&mut self, f: &mut Function, op: Op, ty: crate::TypeId, span: msl_base::Span) -> ValueId {
        let v = push(f, op, ty, span);
        self.out.push(v);
        v
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    const SOURCE: &str = "fn k(%p: ptr<device, vec2<f16>>, %q: ptr<device, vec2<f32>>) -> void {
           %a = load %p
           %c = load %q
           %x = simd.matrix_multiply.fast %a, %a, %c
           %y = simd.matrix_multiply.fast %a, %a, %x
           store %q, %y
         }
         kernel k = @k { p: buffer 0 device read f16 q: buffer 1 device read_write f32 }";

    #[test]
    fn products_become_shuffles_once_for_each_operand() {
        let mut m = module(SOURCE);
        let k = entry(&m);
        assert!(!expand_matrix_products(&mut m, k, true));
        assert!(expand_matrix_products(&mut m, k, false));
        let t = text(&m, k);
        assert_eq!(t.matches("simd.shuffle").count(), 4 + 8, "{t}");
        assert_eq!(t.matches(" fma").count(), 16, "{t}");
        crate::verify::verify(&m).unwrap();
    }
}

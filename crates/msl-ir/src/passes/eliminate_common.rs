//! Uses one value where the same pure operation was computed before on the same operands.
//!
//! Also loads of constant memory, which nothing changes. "Before" means visible: earlier in the
//! same block or in a block around it.

use msl_base::FxMap;
use msl_base::hash::FxHasher;
use std::hash::{Hash, Hasher};

use super::rewrite::{Replacements, put_nested, take_nested};
use crate::FunctionId;
use crate::analysis::tree::nested_count;
use crate::ir::{Function, Inst, Module, Op, ValueId};
use crate::types::{AddressSpace, TypeTable};

pub fn eliminate_common(module: &mut Module, id: FunctionId) -> bool {
    let f = &mut module.functions[id];
    let mut pass =
        Pass { types: &module.types, heads: FxMap::default(), entries: Vec::new(), replaced: Replacements::default() };
    let body = std::mem::take(&mut f.body.insts);
    f.body.insts = pass.list(f, body);
    let changed = !pass.replaced.is_empty();
    pass.replaced.apply(f);
    changed
}

/// A value that is visible here. Those with equal hashes are a chain.
struct Entry {
    value: ValueId,
    key: u64,
    next: Option<usize>,
}

struct Pass<'a> {
    types: &'a TypeTable,
    heads: FxMap<u64, Option<usize>>,
    /// In the order in which they became visible.
    entries: Vec<Entry>,
    replaced: Replacements,
}

impl Pass<'_> {
    fn list(&mut self, f: &mut Function, list: Vec<ValueId>) -> Vec<ValueId> {
        let mut out = Vec::with_capacity(list.len());
        let mark = self.entries.len();
        for v in list {
            f.insts[v].op.map_operands(|a| self.replaced.get(a));
            if is_pure(self.types, f, &f.insts[v]) {
                let key = hash(&f.insts[v]);
                let head = self.heads.entry(key).or_default();
                let chain = std::iter::successors(*head, |i| self.entries[*i].next).map(|i| self.entries[i].value);
                // The first that was computed, which is the last of the chain.
                if let Some(same) = chain.filter(|w| equal(&f.insts[*w], &f.insts[v])).last() {
                    self.replaced.insert(v, same);
                    continue;
                }
                self.entries.push(Entry { value: v, key, next: *head });
                *head = Some(self.entries.len() - 1);
            }
            for i in 0..nested_count(&f.insts[v].op) {
                let inner = take_nested(f, v, i);
                let inner = self.list(f, inner);
                put_nested(f, v, i, inner);
            }
            out.push(v);
        }
        // What was computed here is not visible outside.
        while self.entries.len() > mark {
            let Some(entry) = self.entries.pop() else { break };
            self.heads.insert(entry.key, entry.next);
        }
        out
    }
}

fn equal(a: &Inst, b: &Inst) -> bool {
    a.ty == b.ty && a.fp == b.fp && a.op == b.op
}

fn hash(inst: &Inst) -> u64 {
    let mut h = FxHasher::default();
    std::mem::discriminant(&inst.op).hash(&mut h);
    inst.ty.hash(&mut h);
    match &inst.op {
        Op::Const(bits) => bits.hash(&mut h),
        Op::Builtin(b) => b.hash(&mut h),
        Op::LocalAddr(l) => l.hash(&mut h),
        Op::Param(i) => i.hash(&mut h),
        Op::Binary(op, ..) => op.hash(&mut h),
        Op::FieldAddr { field, .. } => field.hash(&mut h),
        Op::Extract { index, .. } => index.hash(&mut h),
        _ => {}
    }
    inst.op.for_each_operand(|v| v.hash(&mut h));
    h.finish()
}

/// Whether computing it again gives the same value, always.
pub fn is_pure(types: &TypeTable, f: &Function, inst: &Inst) -> bool {
    match &inst.op {
        Op::Load { ptr, volatile: false, .. } => {
            types.pointee(f.insts[*ptr].ty).is_some_and(|(s, _)| s == AddressSpace::Constant)
        }
        Op::Load { .. } | Op::Simd(..) => false,
        op => super::remove_dead::is_removable(op),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn equal_values_are_shared_with_nested_blocks_but_not_between_them() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>, %c: ptr<constant, u32>) -> void {
               %a = load %c
               %b = load %c
               %s = add %a, %b
               %z: u32 = const 0
               %t = ne %s, %z
               if %t {
                 %u = add %b, %a
                 %v = add %a, %a
                 %w = mul %v, %v
                 store %p, %w
               } else {
                 %x = mul %s, %s
                 store %p, %x
               }
             }
             kernel k = @k { p: buffer 0 device read_write u32 c: buffer 1 constant read u32 }",
        );
        let k = entry(&m);
        assert!(eliminate_common(&mut m, k));
        let t = text(&m, k);
        assert_eq!(t.matches(" load ").count(), 1, "{t}");
        assert_eq!(t.matches(" add ").count(), 1, "{t}");
        assert_eq!(t.matches(" mul ").count(), 2, "{t}");
    }
}

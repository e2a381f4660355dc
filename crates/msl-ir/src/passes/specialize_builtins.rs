//! Replaces position and size builtins by what is known about the dispatch.
//!
//! In: [`Facts`]. With a known threadgroup size, `dispatch_threads_per_threadgroup` and
//! what is computed from it are constants; the size of *this* threadgroup (smaller at the edges of a grid) only when
//! all threadgroups are full. An axis of extent 1 makes the position on it 0.

use super::pipeline::Facts;
use super::rewrite::{edit_blocks, push, with_function};
use crate::FunctionId;
use crate::ir::{Builtin, Module, Op};
use crate::types::Scalar;
use msl_base::FxMap;

pub fn specialize_builtins(module: &mut Module, id: FunctionId, facts: &Facts) -> bool {
    with_function(module, id, |module, f| {
        let u32_ty = module.types.scalar(Scalar::U32);
        let mut changed = false;
        edit_blocks(f, &mut |f, list| {
            let mut out = Vec::with_capacity(list.len());
            // The components of a partly known vector, put together again behind the builtin.
            for v in list {
                let Op::Builtin(b) = f.insts[v].op else {
                    out.push(v);
                    continue;
                };
                let span = f.insts[v].span;
                let known = known_components(b, facts);
                if !b.is_vector() {
                    if let Some(value) = known[0] {
                        f.insts[v].op = Op::Const(u64::from(value));
                        changed = true;
                    }
                    out.push(v);
                    continue;
                }
                if known.iter().all(Option::is_none) {
                    out.push(v);
                    continue;
                }
                changed = true;
                let ty = f.insts[v].ty;
                let mut parts: FxMap<usize, crate::ValueId> = FxMap::default();
                let mut rest = None;
                for (i, value) in known.iter().enumerate() {
                    let part = match value {
                        Some(value) => push(f, Op::Const(u64::from(*value)), u32_ty, span),
                        None => {
                            let whole = *rest.get_or_insert_with(|| {
                                let whole = push(f, Op::Builtin(b), ty, span);
                                out.push(whole);
                                whole
                            });
                            push(f, Op::Extract { vector: whole, index: i as u8 }, u32_ty, span)
                        }
                    };
                    out.push(part);
                    parts.insert(i, part);
                }
                f.insts[v].op = Op::Compose((0..3).filter_map(|i| parts.get(&i).copied()).collect());
                out.push(v);
            }
            out
        });
        changed
    })
}

fn known_components(b: Builtin, facts: &Facts) -> [Option<u32>; 3] {
    let size = facts.threads_per_threadgroup;
    let full = size.filter(|_| facts.full_threadgroups);
    let total = |s: [u32; 3]| s[0].saturating_mul(s[1]).saturating_mul(s[2]);
    let one = |v: Option<u32>| [v, None, None];
    let zero_where_one = |s: Option<[u32; 3]>| match s {
        Some(s) => s.map(|n| (n == 1).then_some(0)),
        None => [None; 3],
    };
    match b {
        Builtin::ThreadPositionInGrid => zero_where_one(facts.threads_per_grid),
        Builtin::ThreadPositionInThreadgroup => zero_where_one(size),
        Builtin::ThreadgroupPositionInGrid => match groups(facts) {
            Some(g) => g.map(|n| (n <= 1).then_some(0)),
            None => [None; 3],
        },
        Builtin::ThreadsPerGrid => facts.threads_per_grid.map_or([None; 3], |g| g.map(Some)),
        Builtin::ThreadsPerThreadgroup => match (full, size) {
            (Some(s), _) => s.map(Some),
            // An axis of one thread cannot get smaller.
            (None, Some(s)) => s.map(|n| (n == 1).then_some(1)),
            (None, None) => [None; 3],
        },
        Builtin::DispatchThreadsPerThreadgroup => size.map_or([None; 3], |s| s.map(Some)),
        Builtin::ThreadgroupsPerGrid => groups(facts).map_or([None; 3], |g| g.map(Some)),
        Builtin::ThreadIndexInThreadgroup => one(size.filter(|s| total(*s) == 1).map(|_| 0)),
        Builtin::ThreadIndexInSimdgroup => one(size.filter(|s| total(*s) == 1).map(|_| 0)),
        Builtin::ThreadIndexInQuadgroup => one(size.filter(|s| total(*s) == 1).map(|_| 0)),
        Builtin::SimdgroupIndexInThreadgroup => one(size.filter(|s| total(*s) <= 32).map(|_| 0)),
        Builtin::QuadgroupIndexInThreadgroup => one(size.filter(|s| total(*s) <= 4).map(|_| 0)),
        Builtin::SimdgroupsPerThreadgroup => one(full.map(|s| total(s).div_ceil(32))),
        Builtin::DispatchSimdgroupsPerThreadgroup => one(size.map(|s| total(s).div_ceil(32))),
        Builtin::QuadgroupsPerThreadgroup => one(full.map(|s| total(s).div_ceil(4))),
        Builtin::DispatchQuadgroupsPerThreadgroup => one(size.map(|s| total(s).div_ceil(4))),
        Builtin::ThreadsPerSimdgroup => one(Some(32)),
    }
}

fn groups(facts: &Facts) -> Option<[u32; 3]> {
    let (grid, size) = (facts.threads_per_grid?, facts.threads_per_threadgroup?);
    Some(std::array::from_fn(|i| grid[i].div_ceil(size[i].max(1))))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;

    #[test]
    fn sizes_become_constants_and_flat_axes_zero() {
        let mut m = module(
            "fn k(%p: ptr<device, u32>) -> void {
               %s = builtin dispatch_threads_per_threadgroup
               %t = builtin thread_position_in_threadgroup
               %x = extract %t, 0
               %y = extract %t, 1
               %w = extract %s, 0
               %a = mul %y, %w
               %b = add %a, %x
               store %p, %b
             }
             kernel k = @k { p: buffer 0 device read_write u32 }",
        );
        let k = entry(&m);
        let facts = Facts { threads_per_threadgroup: Some([64, 1, 1]), ..Facts::default() };
        assert!(specialize_builtins(&mut m, k, &facts));
        super::super::simplify::simplify(&mut m, k);
        super::super::remove_dead::remove_dead(&mut m, k);
        let t = text(&m, k);
        assert!(!t.contains("mul") && !t.contains("add "), "{t}");
    }
}

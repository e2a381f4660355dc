//! Loads of neighbors become one load of a vector, and stores one store.
//!
//! For targets on which the threads of a simdgroup access memory together: the fields of structures that lie in an
//! array, or `a[2 * i]` and `a[2 * i + 1]`, are then vectors that are shuffled, not elements with gaps between them.
//! Where threads side by side are closer to each other than what would be joined, each access is of consecutive
//! elements as it is, and stays. Accesses of one block move to the first load and to the last store; nothing between
//! them may access what they do, or leave.

use std::collections::HashMap;

use msl_base::Span;

use super::other_threads::OtherThreads;
use super::pipeline::Facts;
use super::remove_dead::is_removable;
use super::rewrite::{Replacements, edit_blocks, push, push_const, with_function};
use crate::FunctionId;
use crate::analysis::Provenance;
use crate::ir::{BinaryOp, Block, Function, Module, Op, ValueId};
use crate::types::{AddressSpace, Scalar, Type, TypeId, TypeTable};

/// Most components of a vector.
const MOST: usize = 4;

pub fn join_accesses(module: &mut Module, id: FunctionId, facts: &Facts) -> bool {
    let f = &module.functions[id];
    let accesses = f.insts.iter().filter(|(_, i)| matches!(i.op, Op::Load { .. } | Op::Store { .. })).count();
    if accesses < 2 {
        return false;
    }
    let provenance = Provenance::new(module, f);
    let loads = f.insts.iter().filter_map(|(v, inst)| match inst.op {
        Op::Load { ptr, .. } => Some((v, provenance.is_read_only(module, f, ptr))),
        _ => None,
    });
    let read_only: HashMap<ValueId, bool> = loads.collect();
    if !has_runs(&module.types, f, &f.body, &read_only) {
        return false;
    }
    let size = facts.threads_per_threadgroup.unwrap_or([1024, 1, 1]);
    let mut others = OtherThreads::new(module, f, size);
    with_function(module, id, |module, f| {
        let mut replaced = Replacements::default();
        let mut changed = false;
        edit_blocks(f, &mut |f, list| {
            let mut plan = Plan::default();
            for group in find_groups(&module.types, f, &list, &read_only) {
                for run in group.runs() {
                    let bytes = run.members.len() as i64 * run.size;
                    let ptr = run.pointer(f);
                    let step = others.distance(&module.types, f, ptr, 0, 1).map(|d| d as i64);
                    if (group.key.is_apart(bytes) || step.is_some_and(|d| d >= bytes)) && !others.is_uniform(ptr) {
                        plan.add(&list, &group, run);
                    }
                }
            }
            if plan.is_empty() {
                return list;
            }
            changed = true;
            plan.apply(&mut module.types, f, list, &mut replaced)
        });
        replaced.apply(f);
        changed
    })
}

/// Whether there are neighbors at all.
fn has_runs(types: &TypeTable, f: &Function, block: &Block, read_only: &HashMap<ValueId, bool>) -> bool {
    find_groups(types, f, &block.insts, read_only).iter().any(|g| !g.runs().is_empty())
        || block.insts.iter().any(|v| f.insts[*v].op.blocks().iter().any(|b| has_runs(types, f, b, read_only)))
}

/// What accesses must have in common: where they start from, the values that are added to it, times their sizes in
/// bytes, and the type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Key {
    base: ValueId,
    /// The value, what it is multiplied by for sure, in bytes.
    terms: Vec<(ValueId, i64)>,
    scalar: Scalar,
    is_store: bool,
}

impl Key {
    /// Whatever the values are, threads for which one of them differs are at least so far from each other.
    fn is_apart(&self, bytes: i64) -> bool {
        !self.terms.is_empty() && self.terms.iter().all(|(_, step)| step.abs() >= bytes)
    }
}

struct Group {
    key: Key,
    /// The instruction and its distance from the place of the key, in bytes.
    members: Vec<(ValueId, i64)>,
    /// Of loads: from where to where something was stored since the first one. Later loads of it must stay.
    stored: Vec<(i64, i64)>,
}

/// Neighbors, by address.
struct Run {
    members: Vec<ValueId>,
    size: i64,
}

impl Run {
    fn pointer(&self, f: &Function) -> ValueId {
        match f.insts[self.members[0]].op {
            Op::Load { ptr, .. } | Op::Store { ptr, .. } => ptr,
            _ => self.members[0],
        }
    }
}

impl Group {
    fn runs(&self) -> Vec<Run> {
        let size = i64::from(self.key.scalar.size());
        let mut sorted = self.members.clone();
        sorted.sort_by_key(|(_, at)| *at);
        let mut runs = Vec::new();
        let mut i = 0;
        while i < sorted.len() {
            let start = sorted[i].1;
            let follows = |n: usize| sorted.get(i + n).is_some_and(|m| m.1 == start + n as i64 * size);
            let n = (1..MOST).take_while(|n| follows(*n)).count() + 1;
            if n > 1 {
                runs.push(Run { members: sorted[i..i + n].iter().map(|m| m.0).collect(), size });
            }
            i += n;
        }
        runs
    }
}

/// A pointer's place: what it starts from, terms, and bytes.
struct Place {
    base: ValueId,
    terms: Vec<(ValueId, i64)>,
    offset: i64,
}

fn place(types: &TypeTable, f: &Function, v: ValueId) -> Option<Place> {
    match &f.insts[v].op {
        Op::PtrCast(base) | Op::AssumeValid(base) => {
            // A promise of what is accessed is one of this pointer only.
            if matches!(f.insts[v].op, Op::AssumeValid(_)) {
                return Some(Place { base: v, terms: Vec::new(), offset: 0 });
            }
            place(types, f, *base)
        }
        Op::FieldAddr { base, field } => {
            let (_, pointee) = types.pointee(f.insts[*base].ty)?;
            let Type::Struct(s) = types.get(pointee) else { return None };
            let mut p = place(types, f, *base)?;
            p.offset += i64::try_from(types.structure(*s).fields.get(*field as usize)?.offset).ok()?;
            Some(p)
        }
        op @ (Op::PtrOffset { base, offset: index } | Op::IndexAddr { base, index }) => {
            let (_, pointee) = types.pointee(f.insts[*base].ty)?;
            let size = match (op, types.get(pointee)) {
                (Op::IndexAddr { .. }, Type::Array { elem, .. }) => types.size_of(*elem),
                (Op::IndexAddr { .. }, Type::Vector { elem, .. }) => u64::from(elem.size()),
                _ => types.size_of(pointee),
            };
            let size = i64::try_from(size).ok().filter(|s| *s < 1 << 20)?;
            let mut p = place(types, f, *base)?;
            let (value, number) = sum(types, f, *index, 8);
            p.offset = p.offset.checked_add(number.checked_mul(size)?)?;
            if let Some(value) = value {
                p.terms.push((value, size.checked_mul(multiple(types, f, value))?));
                p.terms.sort();
            }
            Some(p)
        }
        _ => Some(Place { base: v, terms: Vec::new(), offset: 0 }),
    }
}

fn number(types: &TypeTable, f: &Function, v: ValueId) -> Option<i64> {
    let Op::Const(bits) = f.insts[v].op else { return None };
    let s = types.scalar_of(f.insts[v].ty).filter(|s| s.is_integer() && s.bits() >= 32)?;
    let shift = 64 - s.bits();
    Some(((bits as i64) << shift) >> shift)
}

/// An index as a value plus a number. What wraps on the way is an index that is out of bounds anyway.
fn sum(types: &TypeTable, f: &Function, v: ValueId, depth: u32) -> (Option<ValueId>, i64) {
    if let Some(n) = number(types, f, v) {
        return (None, n);
    }
    let wide = types.scalar_of(f.insts[v].ty).is_some_and(|s| s.bits() >= 32);
    if let (Op::Binary(op @ (BinaryOp::Add | BinaryOp::Sub), a, b), true, true) = (&f.insts[v].op, wide, depth > 0) {
        let (x, y) = match (op, number(types, f, *a), number(types, f, *b)) {
            (BinaryOp::Add, Some(n), None) => (*b, n),
            (BinaryOp::Add, None, Some(n)) => (*a, n),
            (BinaryOp::Sub, None, Some(n)) => (*a, -n),
            _ => return (Some(v), 0),
        };
        let (value, n) = sum(types, f, x, depth - 1);
        return (value, n.wrapping_add(y));
    }
    (Some(v), 0)
}

/// A number that a value is a multiple of.
fn multiple(types: &TypeTable, f: &Function, v: ValueId) -> i64 {
    let known = |n: i64| if (1..1 << 16).contains(&n) { n } else { 1 };
    match &f.insts[v].op {
        Op::Binary(BinaryOp::Mul, a, b) => known(number(types, f, *b).or(number(types, f, *a)).unwrap_or(1)),
        Op::Binary(BinaryOp::Shl, _, b) => {
            known(number(types, f, *b).filter(|n| (0..16).contains(n)).map_or(1, |n| 1 << n))
        }
        _ => 1,
    }
}

/// The accesses of a block that might be joined.
fn find_groups(types: &TypeTable, f: &Function, list: &[ValueId], read_only: &HashMap<ValueId, bool>) -> Vec<Group> {
    let mut done = Vec::new();
    let mut open: Vec<Group> = Vec::new();
    for v in list {
        let op = &f.insts[*v].op;
        let (ptr, ty, is_store) = match *op {
            Op::Load { ptr, volatile: false, .. } => (ptr, f.insts[*v].ty, false),
            Op::Store { ptr, value, volatile: false, .. } => (ptr, f.insts[value].ty, true),
            _ if is_removable(op) => continue,
            _ => {
                done.append(&mut open);
                continue;
            }
        };
        let space = types.pointee(f.insts[ptr].ty).map(|(space, _)| space);
        if space == Some(AddressSpace::Thread) {
            continue;
        }
        let key = key(types, f, ptr, ty, is_store);
        // What may be the same memory must not be passed: loads by stores, stores by anything.
        let reads_only = !is_store && read_only.get(v).copied().unwrap_or(false);
        let size = i64::try_from(types.size_of(ty)).unwrap_or(i64::MAX);
        let mut k = 0;
        while k < open.len() {
            let group = &mut open[k];
            let near = match &key {
                Some((key, at)) if key.base == group.key.base && key.terms == group.key.terms => Some((*at, at + size)),
                _ => None,
            };
            let own = i64::from(group.key.scalar.size());
            let meets = match near {
                // Moving to the first load, others pass it; moving to the last store, it passes this.
                Some(range) if is_store && !group.key.is_store => {
                    group.stored.push(range);
                    false
                }
                Some((from, to)) => group.members.iter().any(|(_, o)| *o < to && from < o + own),
                None => true,
            };
            if meets && (is_store || group.key.is_store) && !reads_only {
                done.push(open.swap_remove(k));
            } else {
                k += 1;
            }
        }
        let Some((key, at)) = key else { continue };
        let Type::Scalar(s) = *types.get(ty) else { continue };
        if s == Scalar::Bool {
            continue;
        }
        match open.iter_mut().find(|g| g.key == key) {
            // Of equal places the first one is enough.
            Some(g) if g.members.iter().any(|m| m.1 == at) => {}
            Some(g) if g.stored.iter().any(|(from, to)| *from < at + size && at < *to) => {}
            Some(g) => g.members.push((*v, at)),
            None => open.push(Group { key, members: vec![(*v, at)], stored: Vec::new() }),
        }
    }
    done.append(&mut open);
    done.retain(|g| g.members.len() > 1);
    done.sort_by_key(|g| g.members[0].0);
    done
}

fn key(types: &TypeTable, f: &Function, ptr: ValueId, ty: TypeId, is_store: bool) -> Option<(Key, i64)> {
    let Place { base, terms, offset } = place(types, f, ptr)?;
    let scalar = types.scalar_of(ty)?;
    Some((Key { base, terms, scalar, is_store }, offset))
}

/// What becomes of the accesses of a block.
#[derive(Default)]
struct Plan {
    /// By the load that comes first, or the store that comes last: all of them by address.
    joined: HashMap<ValueId, Vec<ValueId>>,
    /// Stores that are done later.
    dropped: Vec<ValueId>,
    /// Loads that are done: of which vector (by the first load), which component.
    loaded: HashMap<ValueId, (ValueId, usize)>,
}

impl Plan {
    fn is_empty(&self) -> bool {
        self.joined.is_empty()
    }

    fn add(&mut self, list: &[ValueId], group: &Group, run: Run) {
        let position = |v: &ValueId| list.iter().position(|x| x == v);
        let at = if group.key.is_store {
            run.members.iter().copied().max_by_key(position)
        } else {
            run.members.iter().copied().min_by_key(position)
        };
        let Some(at) = at else { return };
        if group.key.is_store {
            self.dropped.extend(run.members.iter().filter(|v| **v != at));
        } else {
            self.loaded.extend(run.members.iter().enumerate().map(|(i, v)| (*v, (at, i))));
        }
        self.joined.insert(at, run.members);
    }

    fn apply(
        &self,
        types: &mut TypeTable,
        f: &mut Function,
        list: Vec<ValueId>,
        replaced: &mut Replacements,
    ) -> Vec<ValueId> {
        let mut out = Vec::with_capacity(list.len());
        let mut vectors = HashMap::new();
        for v in list {
            if self.dropped.contains(&v) {
                continue;
            }
            if let Some(members) = self.joined.get(&v) {
                let vector = join(types, f, v, members, &mut out);
                vectors.insert(v, vector);
            } else if !self.loaded.contains_key(&v) {
                out.push(v);
                continue;
            }
            if let Some((first, i)) = self.loaded.get(&v) {
                let op = Op::Extract { vector: vectors[first], index: *i as u8 };
                let (ty, span) = (f.insts[v].ty, f.insts[v].span);
                let part = add(f, &mut out, op, ty, span);
                replaced.insert(v, part);
            }
        }
        out
    }
}

fn add(f: &mut Function, out: &mut Vec<ValueId>, op: Op, ty: TypeId, span: Span) -> ValueId {
    let v = push(f, op, ty, span);
    out.push(v);
    v
}

/// One access at the place of `at` for all members, which are neighbors.
fn join(types: &mut TypeTable, f: &mut Function, at: ValueId, members: &[ValueId], out: &mut Vec<ValueId>) -> ValueId {
    let span = f.insts[at].span;
    let pointer = |f: &Function, v: ValueId| match f.insts[v].op {
        Op::Load { ptr, align, .. } | Op::Store { ptr, align, .. } => (ptr, align),
        _ => (v, 1),
    };
    let (own, _) = pointer(f, at);
    let align = pointer(f, members[0]).1;
    let is_store = matches!(f.insts[at].op, Op::Store { .. });
    let scalar_type = match f.insts[at].op {
        Op::Store { value, .. } => f.insts[value].ty,
        _ => f.insts[at].ty,
    };
    let scalar = types.scalar_of(scalar_type).unwrap_or(Scalar::U32);
    let n = members.len();
    let space = types.pointee(f.insts[own].ty).map_or(AddressSpace::Device, |(space, _)| space);
    // The first member's place, counted from that of the one whose pointer is there already.
    let before = members.iter().position(|m| *m == at).unwrap_or(0);
    let mut start = own;
    let one = types.pointer(space, scalar_type);
    if f.insts[start].ty != one {
        start = add(f, out, Op::PtrCast(start), one, span);
    }
    if before > 0 {
        let back = push_const(types, f, Scalar::I32, (-(before as i32)) as u32 as u64);
        out.push(back);
        start = add(f, out, Op::PtrOffset { base: start, offset: back }, one, span);
    }
    let packed = types.packed_vector(scalar, n as u8);
    let wide = types.pointer(space, packed);
    let start = add(f, out, Op::PtrCast(start), wide, span);
    let ty = types.vector(scalar, n as u8);
    if !is_store {
        return add(f, out, Op::Load { ptr: start, align, volatile: false }, ty, span);
    }
    let values = members.iter().filter_map(|m| match f.insts[*m].op {
        Op::Store { value, .. } => Some(value),
        _ => None,
    });
    let values: Vec<ValueId> = values.collect();
    let value = add(f, out, Op::Compose(values), ty, span);
    let ty = f.insts[at].ty;
    add(f, out, Op::Store { ptr: start, value, align, volatile: false }, ty, span)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{entry, module, text};
    use super::*;
    use crate::passes::pipeline::clean;

    /// A body between the position `%i` and the end, after the pass.
    fn joined(body: &str) -> String {
        let source = format!(
            "struct P size 16 align 4 {{\n  x: f32 @0\n  y: f32 @4\n  z: f32 @8\n  w: f32 @12\n}}\n\
             fn k(%a: ptr<device, f32>, %o: ptr<device, f32>, %s: ptr<device, P>) -> void {{
               %gid = builtin thread_position_in_grid
               %i = extract %gid, 0
               %one: u32 = const 1
               %two: u32 = const 2
               {body}
             }}
             kernel k = @k {{ a: buffer 0 device read f32 o: buffer 1 device read_write f32 s: buffer 2 device read_write f32 }}"
        );
        let mut m = module(&source);
        let f = entry(&m);
        let facts = Facts { threads_per_threadgroup: Some([64, 1, 1]), ..Facts::default() };
        join_accesses(&mut m, f, &facts);
        clean(&mut m, f);
        text(&m, f)
    }

    const PAIR: &str = "%j = mul %i, %two
        %k = add %j, %one
        %p = ptr_offset %a, %j
        %q = ptr_offset %a, %k
        %x = load %p
        %y = load %q
        %t = ptr_offset %o, %j
        %u = ptr_offset %o, %k
        %m = mul %x, %y
        %n = add %x, %y";

    #[test]
    fn pairs_are_loaded_and_stored_at_once() {
        let out = joined(&format!("{PAIR}\nstore %u, %m\nstore %t, %n"));
        assert_eq!(out.matches(" load ").count(), 1, "{out}");
        assert_eq!(out.matches("store ").count(), 1, "{out}");
        assert!(out.contains("packed_vec2<f32>"), "{out}");
    }

    #[test]
    fn what_may_be_the_same_memory_is_not_passed() {
        // A load of what may have been stored, from a place that is not known to be another.
        let out = joined(&format!("{PAIR}\nstore %u, %m\n%v = load %o\nstore %t, %v"));
        assert_eq!(out.matches("store ").count(), 2, "{out}");
        let out = joined(&format!("{PAIR}\nstore %u, %m\nbarrier threadgroup [device]\nstore %t, %n"));
        assert_eq!(out.matches("store ").count(), 2, "{out}");
    }

    #[test]
    fn consecutive_threads_stay_consecutive() {
        let out = joined(
            "%k = add %i, %one\n%p = ptr_offset %a, %i\n%q = ptr_offset %a, %k\n%x = load %p\n%y = load %q\n%m = add %x, %y\n%t = ptr_offset %o, %i\nstore %t, %m",
        );
        assert_eq!(out.matches(" load ").count(), 2, "{out}");
    }

    #[test]
    fn fields_are_updated_at_once() {
        let out = joined(
            "%p = ptr_offset %s, %i
             %px = field_addr %p, 0
             %py = field_addr %p, 1
             %x = load %px
             %x1 = add %x, %x
             store %px, %x1
             %y = load %py
             %y1 = mul %y, %x
             store %py, %y1",
        );
        assert_eq!(out.matches(" load ").count(), 1, "{out}");
        assert_eq!(out.matches("store ").count(), 1, "{out}");
    }
}

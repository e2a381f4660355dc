//! What passes share: editing blocks, cloning trees, replacing values.

use msl_base::{FxMap, Id, Span};

use crate::analysis::tree::{nested, nested_count};
use crate::ir::{Block, FpFlags, Function, Inst, LabelId, LocalId, Module, Op, ValueId};
use crate::types::{AddressSpace, Scalar, TypeId};
use crate::{FunctionId, TypeTable};

/// The block at a place among [`Op::blocks_mut`].
pub fn nested_mut(op: &mut Op, index: usize) -> Option<&mut Block> {
    match (op, index) {
        (Op::If { then, .. }, 0) => Some(then),
        (Op::If { otherwise, .. }, 1) => Some(otherwise),
        (Op::Loop { body, .. } | Op::Scope { body, .. }, 0) => Some(body),
        (Op::Loop { continuing, .. }, 1) => Some(continuing),
        (Op::Switch { cases, .. }, i) => cases.get_mut(i).map(|c| &mut c.body),
        _ => None,
    }
}

pub fn take_nested(function: &mut Function, v: ValueId, index: usize) -> Vec<ValueId> {
    nested_mut(&mut function.insts[v].op, index).map(|b| std::mem::take(&mut b.insts)).unwrap_or_default()
}

pub fn put_nested(function: &mut Function, v: ValueId, index: usize, insts: Vec<ValueId>) {
    if let Some(b) = nested_mut(&mut function.insts[v].op, index) {
        b.insts = insts;
    }
}

/// Gives the list of each block to `edit`, those inside an instruction before the one that holds
/// it, and puts the returned list in its place.
pub fn edit_blocks(function: &mut Function, edit: &mut dyn FnMut(&mut Function, Vec<ValueId>) -> Vec<ValueId>) {
    let body = std::mem::take(&mut function.body.insts);
    function.body.insts = edit_list(function, body, edit);
}

fn edit_list(
    function: &mut Function,
    list: Vec<ValueId>,
    edit: &mut dyn FnMut(&mut Function, Vec<ValueId>) -> Vec<ValueId>,
) -> Vec<ValueId> {
    for &v in &list {
        for i in 0..nested_count(&function.insts[v].op) {
            let inner = take_nested(function, v, i);
            let inner = edit_list(function, inner, edit);
            put_nested(function, v, i, inner);
        }
    }
    edit(function, list)
}

/// Values to be replaced by others, followed to the end of a chain.
#[derive(Clone, Debug, Default)]
pub struct Replacements {
    /// By the index of the old value; what is missing at the end stays as it is.
    new: Vec<ValueId>,
    count: usize,
}

impl Replacements {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    pub fn insert(&mut self, old: ValueId, new: ValueId) {
        let new = self.get(new);
        if old != new {
            while self.new.len() <= old.index() {
                self.new.push(ValueId::from_index(self.new.len()));
            }
            self.new[old.index()] = new;
            self.count += 1;
        }
    }
    pub fn get(&self, mut v: ValueId) -> ValueId {
        while let Some(&next) = self.new.get(v.index()).filter(|next| **next != v) {
            v = next;
        }
        v
    }
    /// Rewrites the operands of every instruction.
    pub fn apply(&self, function: &mut Function) {
        if !self.is_empty() {
            for (_, inst) in function.insts.iter_mut() {
                inst.op.map_operands(|v| self.get(v));
            }
        }
    }
}

/// How ids of a tree that is cloned change.
#[derive(Clone, Debug, Default)]
pub struct Remap {
    pub values: FxMap<ValueId, ValueId>,
    pub labels: FxMap<LabelId, LabelId>,
    pub locals: FxMap<LocalId, LocalId>,
}

/// Clones a list of instructions with everything nested in it from `source` (`None`: the same function)
/// to `target`. Values, labels and locals without an entry in `map` keep their ids; labels of cloned
/// constructs get new ids.
pub fn clone_list(source: Option<&Function>, target: &mut Function, list: &[ValueId], map: &mut Remap) -> Vec<ValueId> {
    let mut out = Vec::with_capacity(list.len());
    for &v in list {
        let mut inst = match source {
            Some(s) => s.insts[v].clone(),
            None => target.insts[v].clone(),
        };
        match &mut inst.op {
            Op::Loop { label, .. } | Op::Switch { label, .. } | Op::Scope { label, .. } => {
                let new = target.make_label();
                map.labels.insert(*label, new);
                *label = new;
            }
            Op::Break(label) | Op::Continue(label) => {
                if let Some(new) = map.labels.get(label) {
                    *label = *new;
                }
            }
            Op::LocalAddr(l) => {
                if let Some(new) = map.locals.get(l) {
                    *l = *new;
                }
            }
            _ => {}
        }
        inst.op.map_operands(|v| map.values.get(&v).copied().unwrap_or(v));
        for i in 0..nested_count(&inst.op) {
            let inner = nested_mut(&mut inst.op, i).map(|b| std::mem::take(&mut b.insts)).unwrap_or_default();
            let inner = clone_list(source, target, &inner, map);
            if let Some(b) = nested_mut(&mut inst.op, i) {
                b.insts = inner;
            }
        }
        let new = target.insts.push(inst);
        map.values.insert(v, new);
        out.push(new);
    }
    out
}

/// Appends an instruction to the arena; the caller puts it in a block.
pub fn push(function: &mut Function, op: Op, ty: TypeId, span: Span) -> ValueId {
    function.insts.push(Inst { op, ty, fp: FpFlags::STRICT, span })
}

pub fn push_local_addr(types: &mut TypeTable, function: &mut Function, l: LocalId, span: Span) -> ValueId {
    let ty = types.pointer(AddressSpace::Thread, function.locals[l].ty);
    push(function, Op::LocalAddr(l), ty, span)
}

pub fn push_const(types: &mut TypeTable, function: &mut Function, scalar: Scalar, bits: u64) -> ValueId {
    let ty = types.scalar(scalar);
    push(function, Op::Const(bits), ty, Span::NONE)
}

/// Takes a function out of its module, so that both can be changed, and puts it back.
pub fn with_function<R>(module: &mut Module, id: FunctionId, f: impl FnOnce(&mut Module, &mut Function) -> R) -> R {
    let empty = Function::new(module.functions[id].name, Vec::new(), module.functions[id].ret);
    let mut function = std::mem::replace(&mut module.functions[id], empty);
    let result = f(module, &mut function);
    module.functions[id] = function;
    result
}

/// Whether some instruction of the function is of this kind: most passes have nothing to do in most functions.
pub fn contains(function: &Function, test: impl Fn(&Op) -> bool) -> bool {
    fn inside(function: &Function, block: &Block, test: &impl Fn(&Op) -> bool) -> bool {
        block.insts.iter().any(|v| {
            let op = &function.insts[*v].op;
            test(op) || (0..nested_count(op)).filter_map(|i| nested(op, i)).any(|b| inside(function, b, test))
        })
    }
    inside(function, &function.body, &test)
}

/// The number of instructions in a list, nested ones included.
pub fn count(function: &Function, list: &[ValueId]) -> usize {
    let mut n = 0;
    for &v in list {
        n += 1;
        let op = &function.insts[v].op;
        for i in 0..nested_count(op) {
            n += nested(op, i).map_or(0, |b| count(function, &b.insts));
        }
    }
    n
}

/// Removes unused entries of the arenas where they are most of it: analyses take time for each entry.
pub fn compact_sparse(function: &mut Function) {
    if function.insts.len() > 2 * count(function, &function.body.insts) {
        compact(function);
    }
}

/// Removes unused entries of the arenas, keeping the order of what stays. Ids change.
pub fn compact(function: &mut Function) {
    let mut order = Vec::new();
    crate::analysis::tree::walk(function, &function.body, &mut |v| order.push(v));
    let mut used_locals = vec![false; function.locals.len()];
    for &v in &order {
        if let Op::LocalAddr(l) = function.insts[v].op {
            used_locals[l.index()] = true;
        }
    }
    let mut out = Function::new(function.name, std::mem::take(&mut function.params), function.ret);
    out.span = function.span;
    out.next_label = function.next_label;
    let mut locals: Vec<Option<LocalId>> = vec![None; function.locals.len()];
    for (l, local) in function.locals.iter() {
        if used_locals[l.index()] {
            locals[l.index()] = Some(out.locals.push(local.clone()));
        }
    }
    let mut values: Vec<ValueId> = function.insts.ids().collect();
    for (i, v) in order.iter().enumerate() {
        values[v.index()] = ValueId::from_index(i);
    }
    let at = |v: &ValueId| values.get(v.index()).copied().unwrap_or(*v);
    for &v in &order {
        let inst = &mut function.insts[v];
        let mut inst = Inst { op: std::mem::replace(&mut inst.op, Op::Undef), ..*inst };
        inst.op.map_operands(|v| at(&v));
        if let Op::LocalAddr(l) = &mut inst.op
            && let Some(new) = locals[l.index()]
        {
            *l = new;
        }
        for i in 0..nested_count(&inst.op) {
            if let Some(b) = nested_mut(&mut inst.op, i) {
                b.insts.iter_mut().for_each(|v| *v = at(v));
            }
        }
        out.insts.push(inst);
    }
    out.body = Block { insts: function.body.insts.iter().map(at).collect() };
    *function = out;
}

//! Where each instruction stands in the tree, who uses each value, which construct a label names.

use std::collections::BTreeMap;

use msl_base::Id;

use crate::ir::{Block, Function, LabelId, Op, ValueId};

/// A block, named by the instruction that holds it and its place among [`Op::blocks`]; the
/// body of the function has no owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockRef {
    pub owner: Option<ValueId>,
    pub index: u32,
}

impl BlockRef {
    pub const BODY: BlockRef = BlockRef { owner: None, index: 0 };

    pub fn new(owner: ValueId, index: usize) -> BlockRef {
        BlockRef { owner: Some(owner), index: index as u32 }
    }
    /// The block itself.
    pub fn of(self, function: &Function) -> &Block {
        match self.owner {
            None => &function.body,
            Some(owner) => nested(&function.insts[owner].op, self.index as usize).unwrap_or(&function.body),
        }
    }
}

/// The block at a place among [`Op::blocks`], without building the list.
pub fn nested(op: &Op, index: usize) -> Option<&Block> {
    match (op, index) {
        (Op::If { then, .. }, 0) => Some(then),
        (Op::If { otherwise, .. }, 1) => Some(otherwise),
        (Op::Loop { body, .. } | Op::Scope { body, .. }, 0) => Some(body),
        (Op::Loop { continuing, .. }, 1) => Some(continuing),
        (Op::Switch { cases, .. }, i) => cases.get(i).map(|c| &c.body),
        _ => None,
    }
}

/// The number of blocks that an instruction holds.
pub fn nested_count(op: &Op) -> usize {
    match op {
        Op::If { .. } | Op::Loop { .. } => 2,
        Op::Scope { .. } => 1,
        Op::Switch { cases, .. } => cases.len(),
        _ => 0,
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub block: BlockRef,
    /// Index in [`Block::insts`].
    pub position: u32,
    /// Number in a walk that meets an instruction before what it holds, and the number of the last
    /// instruction that it holds (its own when it holds none).
    pub first: u32,
    pub last: u32,
}

#[derive(Clone, Debug)]
pub struct Tree {
    places: Vec<Option<Place>>,
    order: Vec<ValueId>,
    labels: BTreeMap<LabelId, ValueId>,
    /// The users of all values, those of one value together, and where those of each value start.
    users: Vec<ValueId>,
    first_user: Vec<u32>,
}

impl Tree {
    pub fn new(function: &Function) -> Tree {
        let mut tree = Tree {
            places: vec![None; function.insts.len()],
            order: Vec::new(),
            labels: BTreeMap::new(),
            users: Vec::new(),
            first_user: vec![0; function.insts.len() + 1],
        };
        tree.add(function, BlockRef::BODY);
        tree.find_users(function);
        tree
    }

    fn add(&mut self, function: &Function, block: BlockRef) {
        for (position, &v) in block.of(function).insts.iter().enumerate() {
            let first = self.order.len() as u32;
            self.order.push(v);
            let op = &function.insts[v].op;
            if let Op::Loop { label, .. } | Op::Switch { label, .. } | Op::Scope { label, .. } = op {
                self.labels.insert(*label, v);
            }
            for i in 0..nested_count(op) {
                self.add(function, BlockRef::new(v, i));
            }
            let last = self.order.len() as u32 - 1;
            self.places[v.index()] = Some(Place { block, position: position as u32, first, last });
        }
    }

    fn find_users(&mut self, function: &Function) {
        let mut total = 0;
        for &v in &self.order {
            function.insts[v].op.for_each_operand(|operand| {
                self.first_user[operand.index() + 1] += 1;
                total += 1;
            });
        }
        for i in 1..self.first_user.len() {
            self.first_user[i] += self.first_user[i - 1];
        }
        let mut next = self.first_user.clone();
        self.users = vec![ValueId::from_index(0); total];
        for &v in &self.order {
            function.insts[v].op.for_each_operand(|operand| {
                let at = &mut next[operand.index()];
                self.users[*at as usize] = v;
                *at += 1;
            });
        }
    }

    /// Every instruction of the tree, an instruction before what it holds.
    pub fn order(&self) -> &[ValueId] {
        &self.order
    }
    /// `None` for instructions that are in no block.
    pub fn place(&self, v: ValueId) -> Option<Place> {
        self.places.get(v.index()).copied().flatten()
    }
    /// The instruction whose block holds this one.
    pub fn parent(&self, v: ValueId) -> Option<ValueId> {
        self.place(v).and_then(|p| p.block.owner)
    }
    /// The constructs around an instruction, innermost first, each with the block taken.
    pub fn ancestors(&self, v: ValueId) -> impl Iterator<Item = BlockRef> + '_ {
        let mut at = Some(v);
        std::iter::from_fn(move || {
            let block = self.place(at?)?.block;
            at = block.owner;
            Some(block)
        })
        .take_while(|b| b.owner.is_some())
    }
    /// The construct that a label names.
    pub fn label(&self, label: LabelId) -> Option<ValueId> {
        self.labels.get(&label).copied()
    }
    pub fn labels(&self) -> impl Iterator<Item = (LabelId, ValueId)> + '_ {
        self.labels.iter().map(|(&l, &v)| (l, v))
    }
    /// The instructions with this value among their operands (one entry per use).
    pub fn uses(&self, v: ValueId) -> &[ValueId] {
        match (self.first_user.get(v.index()), self.first_user.get(v.index() + 1)) {
            (Some(start), Some(end)) => &self.users[*start as usize..*end as usize],
            _ => &[],
        }
    }
    /// Whether `inner` stands in a block of `outer`, at any depth.
    pub fn contains(&self, outer: ValueId, inner: ValueId) -> bool {
        match (self.place(outer), self.place(inner)) {
            (Some(o), Some(i)) => o.first < i.first && i.first <= o.last,
            _ => false,
        }
    }
    /// The instructions that stand in the blocks of `outer`, at any depth.
    pub fn inside(&self, outer: ValueId) -> &[ValueId] {
        match self.place(outer) {
            Some(p) => &self.order[p.first as usize + 1..=p.last as usize],
            None => &[],
        }
    }
    /// Whether `a` has always been executed when `b` is (in the same iteration of the loops around
    /// `a`): its value may be used there.
    pub fn dominates(&self, a: ValueId, b: ValueId) -> bool {
        let Some(at) = self.place(a) else { return false };
        let mut b = b;
        while let Some(place) = self.place(b) {
            if place.block == at.block {
                return at.position < place.position;
            }
            match place.block.owner {
                Some(owner) => b = owner,
                None => return false,
            }
        }
        false
    }
    /// The loops around an instruction, innermost first, up to but without `within`.
    pub fn loops_around<'a>(
        &'a self,
        function: &'a Function,
        v: ValueId,
        within: Option<ValueId>,
    ) -> impl Iterator<Item = ValueId> + 'a {
        self.ancestors(v)
            .filter_map(|b| b.owner)
            .take_while(move |o| Some(*o) != within)
            .filter(|o| matches!(function.insts[*o].op, Op::Loop { .. }))
    }
}

/// Whether control can reach the end of a block. Conservative: true where unsure.
pub fn falls_through(function: &Function, block: &Block) -> bool {
    let Some(&last) = block.insts.last() else { return true };
    match &function.insts[last].op {
        Op::Break(_) | Op::Continue(_) | Op::Return(_) | Op::Unreachable => false,
        Op::If { then, otherwise, .. } => falls_through(function, then) || falls_through(function, otherwise),
        _ => true,
    }
}

/// Calls `f` for each instruction of a block and of the blocks in it, in order.
pub fn walk(function: &Function, block: &Block, f: &mut impl FnMut(ValueId)) {
    for &v in &block.insts {
        f(v);
        let op = &function.insts[v].op;
        for i in 0..nested_count(op) {
            if let Some(b) = nested(op, i) {
                walk(function, b, f);
            }
        }
    }
}

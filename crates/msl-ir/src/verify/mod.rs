//! Whether a module is well formed.
//!
//! In: a [`Module`], from the front end, a pass or a text. Out: every rule it breaks, each naming
//! the function, the instruction as it prints and the rule. A module without errors can be
//! printed, transformed, executed and compiled without a panic. Total: any module, however
//! malformed, is judged rather than crashed on. Not here: whether the *program* is right (races,
//! bounds, divergence), which the interpreter checks when it runs.
//!
//! This file checks structure: layouts, globals, entry points, the tree, scopes and labels;
//! `inst` checks operand and result types.

mod inst;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fmt;

use msl_base::{Id, Span};

use crate::*;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// Where in the module: the function's name, or the struct, global or kernel.
    pub place: String,
    /// The instruction on one line, where it is about one.
    pub inst: Option<String>,
    pub span: Span,
    /// What is required.
    pub rule: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}: {}", self.place, self.rule)?;
        match &self.inst {
            Some(inst) => write!(f, " (`{inst}`)"),
            None => Ok(()),
        }
    }
}
impl std::error::Error for VerifyError {}

/// Checks every rule; errors come in the order of the module. At most 100 are kept.
pub fn verify(module: &Module) -> Result<(), Vec<VerifyError>> {
    let mut v = Verifier { module, type_count: module.types.iter().count(), errors: Vec::new() };
    v.types();
    // Everything below asks about sizes and pointees, which must be answerable.
    if v.errors.is_empty() {
        v.globals();
        for id in module.functions.ids() {
            v.function(id);
        }
        v.recursion();
        v.entry_points();
    }
    if v.errors.is_empty() { Ok(()) } else { Err(v.errors) }
}

const MAX_ERRORS: usize = 100;

struct Verifier<'m> {
    module: &'m Module,
    type_count: usize,
    errors: Vec<VerifyError>,
}

impl Verifier<'_> {
    fn error(&mut self, place: String, rule: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(VerifyError { place, inst: None, span: Span::NONE, rule: rule.into() });
        }
    }

    fn is_type(&self, ty: TypeId) -> bool {
        ty.index() < self.type_count
    }
    /// A type that an SSA value can have.
    fn is_value_type(&self, ty: TypeId) -> bool {
        self.is_type(ty)
            && match self.module.types.get(ty) {
                Type::Scalar(_) | Type::Vector { packed: false, .. } | Type::Pointer { .. } => true,
                Type::Void | Type::Vector { .. } | Type::Array { .. } | Type::Struct(_) => false,
            }
    }
    fn is_memory_type(&self, ty: TypeId) -> bool {
        self.is_type(ty) && *self.module.types.get(ty) != Type::Void
    }

    // ---- types and globals -----------------------------------------------------------------
    fn types(&mut self) {
        let types = &self.module.types;
        for (id, ty) in types.iter() {
            let problem = match *ty {
                Type::Void | Type::Scalar(_) => None,
                Type::Vector { len, .. } => (!(2..=4).contains(&len)).then_some("a vector has 2 to 4 components"),
                Type::Array { elem, .. } => (!self.is_memory_type(elem) || elem >= id)
                    .then_some("the element of an array is an earlier type of memory"),
                Type::Struct(s) => types.structs().get(s).is_none().then_some("the structure does not exist"),
                Type::Pointer { pointee, .. } => {
                    (!self.is_memory_type(pointee)).then_some("the pointee is a type of memory")
                }
            };
            if let Some(rule) = problem {
                self.error(format!("type {id}"), rule);
            }
        }
        if !self.errors.is_empty() {
            return;
        }
        for (id, s) in types.structs().iter() {
            let place = || format!("struct {}", s.name);
            if !s.align.is_power_of_two() {
                self.error(place(), "an alignment is a power of two");
            } else if s.size % u64::from(s.align) != 0 {
                self.error(place(), "the size is a multiple of the alignment");
            }
            for f in &s.fields {
                if !self.is_memory_type(f.ty) {
                    self.error(place(), format!("field {} has a type of memory", f.name));
                } else if f.offset.checked_add(types.size_of(f.ty)).is_none_or(|end| end > s.size) {
                    self.error(place(), format!("field {} lies within the structure", f.name));
                }
            }
            if self.errors.is_empty() && self.contains_itself(id) {
                self.error(place(), "a structure does not contain itself");
            }
        }
    }

    fn contains_itself(&self, id: StructId) -> bool {
        let types = &self.module.types;
        let (mut pending, mut seen) = (vec![id], HashSet::new());
        while let Some(s) = pending.pop() {
            for field in &types.structure(s).fields {
                let mut ty = field.ty;
                while self.is_type(ty)
                    && let Type::Array { elem, .. } = *types.get(ty)
                {
                    ty = elem;
                }
                if self.is_type(ty)
                    && let Type::Struct(inner) = *types.get(ty)
                {
                    if inner == id {
                        return true;
                    }
                    if seen.insert(inner) {
                        pending.push(inner);
                    }
                }
            }
        }
        false
    }

    fn globals(&mut self) {
        for (id, global) in self.module.globals.iter() {
            let place = || format!("global {}", global.name);
            if !self.is_memory_type(global.ty) {
                self.error(place(), "a global has a type of memory");
                continue;
            }
            self.alignment(place(), global.align, global.ty);
            let size = self.module.types.size_of(global.ty);
            for p in &global.pointers {
                let is_constant = self.module.globals.get(p.target).is_some_and(|g| g.space == AddressSpace::Constant);
                if p.target >= id || !is_constant || global.space != AddressSpace::Constant {
                    self.error(place(), "constants hold addresses of earlier constants");
                }
                if p.offset.saturating_add(8) > size {
                    self.error(place(), "the addresses fit the type");
                }
            }
            match (global.space, &global.init) {
                (AddressSpace::Constant, Some(bytes)) => {
                    if bytes.len() as u64 > self.module.types.size_of(global.ty) {
                        self.error(place(), "the bytes fit the type");
                    }
                }
                (AddressSpace::Threadgroup, None) => {}
                (AddressSpace::Constant, None) => self.error(place(), "a constant has bytes"),
                (AddressSpace::Threadgroup, Some(_)) => self.error(place(), "threadgroup memory has no bytes"),
                (AddressSpace::Thread | AddressSpace::Device, _) => {
                    self.error(place(), "a global is constant or threadgroup memory");
                }
            }
        }
    }

    fn alignment(&mut self, place: String, align: u32, ty: TypeId) {
        if !align.is_power_of_two() {
            self.error(place, "an alignment is a power of two");
        } else if align < self.module.types.align_of(ty) {
            self.error(place, "the alignment is at least that of the type");
        }
    }

    // ---- entry points ----------------------------------------------------------------------
    fn entry_points(&mut self) {
        let mut names = HashSet::new();
        for entry in &self.module.entry_points {
            let place = || format!("kernel {}", entry.name);
            if !names.insert(entry.name) {
                self.error(place(), "kernels have different names");
            }
            let Some(function) = self.module.functions.get(entry.function) else {
                self.error(place(), "the function exists");
                continue;
            };
            if !self.is_void(function.ret) {
                self.error(place(), "a kernel returns nothing");
            }
            if function.params.len() != entry.params.len() {
                self.error(place(), "a kernel describes each parameter of its function");
                continue;
            }
            if let Some(required) = entry.required_threads
                && required.contains(&0)
            {
                self.error(place(), "required threads are not 0");
            }
            for (param, &ty) in entry.params.iter().zip(&function.params) {
                let expected = match &param.kind {
                    ParamKind::Buffer { is_constant: true, .. } => Some(AddressSpace::Constant),
                    ParamKind::Buffer { is_constant: false, .. } => Some(AddressSpace::Device),
                    ParamKind::Threadgroup { .. } => Some(AddressSpace::Threadgroup),
                    ParamKind::Texture { .. } => Some(AddressSpace::Constant),
                    ParamKind::Sampler => None,
                };
                if !self.is_type(ty) {
                    continue; // The function was reported.
                }
                let space = self.module.types.pointee(ty).map(|(space, _)| space);
                let is_u64 = *self.module.types.get(ty) == Type::Scalar(Scalar::U64);
                match expected {
                    Some(expected) if space != Some(expected) => {
                        let name = param.name;
                        self.error(place(), format!("parameter {name} is a {} pointer", expected.name()));
                    }
                    None if !is_u64 => self.error(place(), format!("parameter {} is u64", param.name)),
                    _ => {}
                }
            }
        }
    }

    fn is_void(&self, ty: TypeId) -> bool {
        self.is_type(ty) && *self.module.types.get(ty) == Type::Void
    }

    // ---- call graph ------------------------------------------------------------------------
    fn recursion(&mut self) {
        // Callees per function, then a depth-first walk without recursion of our own.
        let functions = &self.module.functions;
        let callees: Vec<Vec<usize>> = functions
            .values()
            .map(|f| {
                let calls = f.insts.values().filter_map(|i| match i.op {
                    Op::Call { function, .. } => Some(function.index()).filter(|&c| c < functions.len()),
                    _ => None,
                });
                calls.collect()
            })
            .collect();
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut state = vec![State::New; callees.len()];
        for root in 0..callees.len() {
            let mut stack = vec![(root, 0)];
            while let Some((f, next)) = stack.pop() {
                if next == 0 && state[f] == State::Done {
                    continue;
                }
                state[f] = State::Open;
                match callees[f].get(next) {
                    None => state[f] = State::Done,
                    Some(&callee) => {
                        stack.push((f, next + 1));
                        match state[callee] {
                            State::New => stack.push((callee, 0)),
                            State::Open => {
                                let name = functions[FunctionId::from_index(callee)].name;
                                self.error(format!("fn {name}"), "functions are not recursive");
                                return;
                            }
                            State::Done => {}
                        }
                    }
                }
            }
        }
    }

    // ---- functions -------------------------------------------------------------------------
    fn function(&mut self, id: FunctionId) {
        let function = &self.module.functions[id];
        let place = || format!("fn {}", function.name);
        let before = self.errors.len();
        for &p in &function.params {
            if !self.is_value_type(p) {
                self.error(place(), "a parameter is a scalar, vector or pointer");
            }
        }
        if !self.is_value_type(function.ret) && !self.is_void(function.ret) {
            self.error(place(), "a function returns a scalar, vector, pointer or nothing");
        }
        for local in function.locals.values() {
            if !self.is_memory_type(local.ty) {
                self.error(place(), "a local has a type of memory");
            } else {
                self.alignment(place(), local.align, local.ty);
            }
        }
        if self.errors.len() > before {
            return;
        }
        let mut body = Body {
            v: self,
            function,
            visible: vec![false; function.insts.len()],
            placed: vec![false; function.insts.len()],
            labels: HashSet::new(),
            targets: Vec::new(),
        };
        body.block(&function.body);
        let returns_value = !self.is_void(function.ret);
        if returns_value && self.errors.len() == before && completes(function, &function.body) {
            self.error(place(), "a function with a value does not reach its end without a return");
        }
    }
}

/// Something that `break` or `continue` can name, or a border that they cannot cross.
#[derive(Clone, Copy)]
enum Target {
    Loop(LabelId),
    /// `switch` or `scope`.
    Block(LabelId),
    /// The continuing part of the loop: leaves by breaking that loop only.
    Continuing(LabelId),
}

struct Body<'v, 'm> {
    v: &'v mut Verifier<'m>,
    function: &'m Function,
    visible: Vec<bool>,
    placed: Vec<bool>,
    labels: HashSet<LabelId>,
    targets: Vec<Target>,
}

impl Body<'_, '_> {
    fn error(&mut self, value: ValueId, rule: impl Into<String>) {
        if self.v.errors.len() < MAX_ERRORS {
            let function = self.function;
            self.v.errors.push(VerifyError {
                place: format!("fn {}", function.name),
                inst: Some(text::print_inst(self.v.module, function, value)),
                span: function.insts.get(value).map_or(Span::NONE, |i| i.span),
                rule: rule.into(),
            });
        }
    }

    fn block(&mut self, block: &Block) {
        let mut defined = Vec::new();
        for (position, &value) in block.insts.iter().enumerate() {
            let Some(inst) = self.function.insts.get(value) else {
                self.error(value, "a block lists instructions of its function");
                continue;
            };
            if std::mem::replace(&mut self.placed[value.index()], true) {
                // Checking it again could go on for ever.
                self.error(value, "an instruction is in one block, once");
                continue;
            }
            if inst.op.is_terminator() && position + 1 != block.insts.len() {
                self.error(value, "nothing follows a terminator in its block");
            }
            self.inst(value, inst);
            // Uses of a value without a type cannot be judged.
            self.visible[value.index()] = self.v.is_type(inst.ty);
            defined.push(value);
        }
        for value in defined {
            self.visible[value.index()] = false;
        }
    }

    fn inst(&mut self, value: ValueId, inst: &Inst) {
        if !self.v.is_type(inst.ty) {
            return self.error(value, "the type exists");
        }
        let mut usable = true;
        let mut invisible = None;
        inst.op.for_each_operand(|operand| {
            if !self.visible.get(operand.index()).is_some_and(|&v| v) {
                usable = false;
                invisible = invisible.or(Some(operand));
            }
        });
        if let Some(operand) = invisible {
            self.error(value, format!("the definition of {operand} encloses its use and comes before it"));
        }
        if usable && let Err(rule) = inst::check(self.v, self.function, inst) {
            self.error(value, rule);
        }
        self.control(value, inst);
    }

    fn declare(&mut self, value: ValueId, label: LabelId) {
        if !self.labels.insert(label) {
            self.error(value, format!("{label} names one construct"));
        }
        if label.0 >= self.function.next_label {
            self.error(value, format!("{label} is below the next unused label"));
        }
    }

    fn inside(&mut self, target: Target, block: &Block) {
        self.targets.push(target);
        self.block(block);
        self.targets.pop();
    }

    fn control(&mut self, value: ValueId, inst: &Inst) {
        match &inst.op {
            Op::If { then, otherwise, .. } => {
                self.block(then);
                self.block(otherwise);
            }
            Op::Loop { label, body, continuing, .. } => {
                self.declare(value, *label);
                self.inside(Target::Loop(*label), body);
                self.inside(Target::Continuing(*label), continuing);
            }
            Op::Switch { label, cases, .. } => {
                self.declare(value, *label);
                for case in cases {
                    self.inside(Target::Block(*label), &case.body);
                }
            }
            Op::Scope { label, body } => {
                self.declare(value, *label);
                self.inside(Target::Block(*label), body);
            }
            Op::Break(label) => {
                for target in self.targets.iter().rev() {
                    match *target {
                        Target::Loop(l) | Target::Block(l) | Target::Continuing(l) if l == *label => return,
                        Target::Continuing(_) => {
                            return self.error(value, "a continuing block leaves by breaking its own loop");
                        }
                        Target::Loop(_) | Target::Block(_) => {}
                    }
                }
                self.error(value, format!("{label} encloses the break"));
            }
            Op::Continue(label) => {
                for target in self.targets.iter().rev() {
                    match *target {
                        Target::Loop(l) if l == *label => return,
                        Target::Continuing(_) => {
                            return self.error(value, "a continuing block leaves by breaking its own loop");
                        }
                        Target::Loop(_) | Target::Block(_) => {}
                    }
                }
                self.error(value, format!("{label} is a loop around the continue"));
            }
            Op::Return(_) if self.targets.iter().any(|t| matches!(t, Target::Continuing(_))) => {
                self.error(value, "a continuing block does not return");
            }
            _ => {}
        }
    }
}

/// Whether control can reach the end of the block, as far as its form tells.
fn completes(function: &Function, block: &Block) -> bool {
    let Some(last) = block.insts.last() else { return true };
    // An earlier construct that never completes makes the end unreachable, too.
    let before = block.insts[..block.insts.len() - 1].iter().all(|&v| inst_completes(function, v));
    before && inst_completes(function, *last)
}

fn inst_completes(function: &Function, value: ValueId) -> bool {
    match &function.insts[value].op {
        op if op.is_terminator() => false,
        Op::If { then, otherwise, .. } => completes(function, then) || completes(function, otherwise),
        Op::Loop { label, body, continuing, .. } => {
            breaks(function, body, *label) || breaks(function, continuing, *label)
        }
        Op::Switch { label, cases, .. } => {
            !cases.iter().any(|c| c.is_default)
                || cases.iter().any(|c| breaks(function, &c.body, *label))
                || cases.last().is_none_or(|c| completes(function, &c.body))
        }
        Op::Scope { label, body } => completes(function, body) || breaks(function, body, *label),
        _ => true,
    }
}

fn breaks(function: &Function, block: &Block, label: LabelId) -> bool {
    block.insts.iter().any(|&v| match &function.insts[v].op {
        Op::Break(l) => *l == label,
        op => op.blocks().into_iter().any(|b| breaks(function, b, label)),
    })
}

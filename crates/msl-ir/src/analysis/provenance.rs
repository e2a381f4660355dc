//! Where pointers come from.
//!
//! Each pointer value gets the set of things it may have been derived from: parameters,
//! globals, locals, or something unknown (loaded from a buffer, made from an integer).
//! Pointer-typed locals that are only loaded and stored whole are looked through. The
//! result also says how each parameter is accessed, and which locals *escape*: their address is kept
//! somewhere that is not looked through, so that an unknown pointer may point to them.

use msl_base::Id;

use crate::ir::{Function, LocalId, Module, Op, ValueId};
use crate::types::{AddressSpace, Type};
use crate::{AtomicOp, GlobalId};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Root {
    Param(u32),
    Global(GlobalId),
    Local(LocalId),
    /// Neither of these. `trusted`: accesses need no bounds check (see [`Op::AssumeValid`]).
    Unknown {
        trusted: bool,
    },
}

/// How the memory behind a parameter is accessed through that parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ParamUse {
    /// Some instruction uses it.
    pub used: bool,
    pub read: bool,
    pub written: bool,
    /// Its address is kept where it cannot be followed; `read` and `written` are then set.
    pub escapes: bool,
}

/// How a local is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LocalUse {
    #[default]
    Unused,
    /// Only loaded and stored whole, at its own type, directly through its address.
    Whole,
    /// Also through derived addresses, which are all known to be derived from it.
    Parts,
    /// Its address is kept or compared; unknown pointers may point to it.
    Escapes,
}

#[derive(Clone, Debug)]
pub struct Provenance {
    values: Vec<Vec<Root>>,
    trusted: Vec<bool>,
    locals: Vec<LocalUse>,
    contents: Vec<Vec<Root>>,
    params: Vec<ParamUse>,
    escaped_globals: Vec<GlobalId>,
    unknown_writes: [bool; 4],
}

impl Provenance {
    pub fn new(module: &Module, function: &Function) -> Provenance {
        Builder::new(module, function).run()
    }

    /// The one root of a pointer; `Unknown` when there are several or none.
    pub fn root(&self, v: ValueId) -> Root {
        match self.roots(v) {
            [one] => *one,
            _ => Root::Unknown { trusted: self.is_trusted(v) },
        }
    }
    /// Everything a pointer may have been derived from, sorted. Empty for a null pointer and for
    /// values that are not pointers.
    pub fn roots(&self, v: ValueId) -> &[Root] {
        self.values.get(v.index()).map_or(&[], |r| r)
    }
    /// Whether accesses through the pointer are promised to be in bounds.
    pub fn is_trusted(&self, v: ValueId) -> bool {
        self.trusted.get(v.index()).copied().unwrap_or(false)
    }
    pub fn local_use(&self, l: LocalId) -> LocalUse {
        self.locals.get(l.index()).copied().unwrap_or_default()
    }
    pub fn param_use(&self, i: u32) -> ParamUse {
        self.params.get(i as usize).copied().unwrap_or_default()
    }
    /// The globals whose address is kept where it cannot be followed, in order: unknown pointers may point to them, beside
    /// those whose addresses [constants hold](Module::addressed_constants).
    pub fn escaped_globals(&self) -> &[GlobalId] {
        &self.escaped_globals
    }
    /// What pointers kept in a pointer-typed local may be derived from.
    pub fn contents(&self, l: LocalId) -> &[Root] {
        self.contents.get(l.index()).map_or(&[], |r| r)
    }
    /// Whether memory of this space is written through a pointer of unknown root.
    pub fn has_unknown_writes(&self, space: AddressSpace) -> bool {
        self.unknown_writes[space as usize]
    }
    /// Whether a thread can read memory of this pointer while nobody writes it during the kernel:
    /// constant memory, or a parameter through which nothing is written. Different parameters may
    /// name the same memory: the caller must know that they do not, or that nothing at all is written.
    pub fn is_read_only(&self, module: &Module, function: &Function, v: ValueId) -> bool {
        let space = module.types.pointee(function.insts[v].ty).map(|p| p.0);
        if space == Some(AddressSpace::Constant) {
            return true;
        }
        let roots = self.roots(v);
        !roots.is_empty()
            && roots.iter().all(|r| match r {
                Root::Param(i) => !self.param_use(*i).written,
                Root::Global(g) => module.globals[*g].space == AddressSpace::Constant,
                Root::Local(_) | Root::Unknown { .. } => false,
            })
    }
}

struct Builder<'a> {
    module: &'a Module,
    function: &'a Function,
    out: Provenance,
    changed: bool,
}

impl<'a> Builder<'a> {
    fn new(module: &'a Module, function: &'a Function) -> Builder<'a> {
        let count = function.insts.len();
        let out = Provenance {
            values: vec![Vec::new(); count],
            trusted: vec![false; count],
            locals: vec![LocalUse::Unused; function.locals.len()],
            contents: vec![Vec::new(); function.locals.len()],
            params: vec![ParamUse::default(); function.params.len()],
            escaped_globals: Vec::new(),
            unknown_writes: [false; 4],
        };
        Builder { module, function, out, changed: false }
    }

    fn run(mut self) -> Provenance {
        let mut order = Vec::new();
        super::tree::walk(self.function, &self.function.body, &mut |v| order.push(v));
        // Roots flow through pointer locals in loops, and a local that turns out to escape makes
        // what is loaded from it unknown: sets only grow, so this ends.
        loop {
            self.changed = false;
            for &v in &order {
                self.visit(v);
                self.function.insts[v].op.for_each_operand(|a| {
                    if let Op::Param(i) = self.function.insts[a].op
                        && let Some(p) = self.out.params.get_mut(i as usize)
                    {
                        p.used = true;
                    }
                });
            }
            if !self.changed {
                return self.out;
            }
        }
    }

    fn is_pointer(&self, v: ValueId) -> bool {
        matches!(self.module.types.get(self.function.insts[v].ty), Type::Pointer { .. })
    }

    fn add(&mut self, v: ValueId, roots: &[Root]) {
        let set = &mut self.out.values[v.index()];
        for r in roots {
            if let Err(at) = set.binary_search(r) {
                set.insert(at, *r);
                self.changed = true;
            }
        }
    }

    fn raise(&mut self, l: LocalId, to: LocalUse) {
        if self.out.locals[l.index()] < to {
            self.out.locals[l.index()] = to;
            self.changed = true;
        }
    }

    fn escape(&mut self, v: ValueId) {
        let roots = std::mem::take(&mut self.out.values[v.index()]);
        for &r in &roots {
            match r {
                Root::Local(l) => self.raise(l, LocalUse::Escapes),
                Root::Param(i) => {
                    let written = self.can_write(v);
                    if let Some(p) = self.out.params.get_mut(i as usize) {
                        let next = ParamUse { used: true, read: true, written: p.written | written, escapes: true };
                        self.changed |= *p != next;
                        *p = next;
                    }
                }
                Root::Global(g) => {
                    if let Err(at) = self.out.escaped_globals.binary_search(&g) {
                        self.out.escaped_globals.insert(at, g);
                        self.changed = true;
                    }
                }
                Root::Unknown { .. } => {}
            }
        }
        self.out.values[v.index()] = roots;
    }

    fn can_write(&self, ptr: ValueId) -> bool {
        self.module.types.pointee(self.function.insts[ptr].ty).is_none_or(|(s, _)| s != AddressSpace::Constant)
    }

    /// An access through `ptr` of a thing of type `ty`.
    fn access(&mut self, ptr: ValueId, whole: bool, read: bool, write: bool) {
        let space = self.module.types.pointee(self.function.insts[ptr].ty).map(|p| p.0);
        let direct = matches!(self.function.insts[ptr].op, Op::LocalAddr(_)) && whole;
        let mut unknown = self.out.values[ptr.index()].is_empty();
        let roots = std::mem::take(&mut self.out.values[ptr.index()]);
        for &r in &roots {
            match r {
                Root::Local(l) => self.raise(l, if direct { LocalUse::Whole } else { LocalUse::Parts }),
                Root::Param(i) => {
                    if let Some(p) = self.out.params.get_mut(i as usize) {
                        let next = ParamUse { read: p.read | read, written: p.written | write, ..*p };
                        self.changed |= *p != next;
                        *p = next;
                    }
                }
                Root::Global(_) => {}
                Root::Unknown { .. } => unknown = true,
            }
        }
        self.out.values[ptr.index()] = roots;
        if let (true, true, Some(space)) = (unknown, write, space) {
            self.out.unknown_writes[space as usize] = true;
        }
    }

    fn visit(&mut self, v: ValueId) {
        let function = self.function;
        let inst = &function.insts[v];
        match &inst.op {
            Op::Param(i) => {
                if self.is_pointer(v) {
                    self.add(v, &[Root::Param(*i)]);
                }
            }
            Op::LocalAddr(l) => self.add(v, &[Root::Local(*l)]),
            Op::GlobalAddr(g) => self.add(v, &[Root::Global(*g)]),
            Op::FieldAddr { base, .. }
            | Op::IndexAddr { base, .. }
            | Op::PtrOffset { base, .. }
            | Op::PtrCast(base)
            | Op::AssumeValid(base) => {
                let trusted = matches!(inst.op, Op::AssumeValid(_)) || self.out.trusted[base.index()];
                if trusted != self.out.trusted[v.index()] {
                    self.out.trusted[v.index()] = trusted;
                    self.changed = true;
                }
                let mut roots = std::mem::take(&mut self.out.values[base.index()]);
                if trusted && roots.contains(&Root::Unknown { trusted: false }) {
                    let of_base = roots.clone();
                    roots.iter_mut().filter(|r| matches!(r, Root::Unknown { .. })).for_each(|r| {
                        *r = Root::Unknown { trusted: true };
                    });
                    self.add(v, &roots);
                    roots = of_base;
                } else {
                    self.add(v, &roots);
                }
                self.out.values[base.index()] = roots;
            }
            Op::Select { a, b, .. } => {
                if self.is_pointer(v) {
                    let roots = [self.out.values[a.index()].clone(), self.out.values[b.index()].clone()].concat();
                    self.add(v, &roots);
                }
            }
            Op::IntToPtr(_) => self.add(v, &[Root::Unknown { trusted: false }]),
            Op::PtrToInt(p) => self.escape(*p),
            Op::PtrDiff(..) | Op::Compare(..) => {}
            Op::Load { ptr, .. } => {
                let ty = inst.ty;
                let whole = self.is_whole(*ptr, ty);
                self.access(*ptr, whole, true, false);
                if self.is_pointer(v) {
                    match function.insts[*ptr].op {
                        Op::LocalAddr(l) if self.out.locals[l.index()] <= LocalUse::Whole => {
                            let roots = self.out.contents[l.index()].clone();
                            self.add(v, &roots);
                        }
                        _ => self.add(v, &[Root::Unknown { trusted: false }]),
                    }
                }
            }
            Op::Store { ptr, value, .. } => {
                let whole = self.is_whole(*ptr, function.insts[*value].ty);
                self.access(*ptr, whole, false, true);
                if self.is_pointer(*value) {
                    match function.insts[*ptr].op {
                        Op::LocalAddr(l) if self.out.locals[l.index()] <= LocalUse::Whole => {
                            for r in self.out.values[value.index()].clone() {
                                let set = &mut self.out.contents[l.index()];
                                if let Err(at) = set.binary_search(&r) {
                                    set.insert(at, r);
                                    self.changed = true;
                                }
                            }
                        }
                        _ => self.escape(*value),
                    }
                }
            }
            Op::Copy { dst, src, .. } => {
                self.access(*src, false, true, false);
                self.access(*dst, false, false, true);
                // A copied object may hold pointers; they were stored to it, and so escaped, before.
            }
            Op::Atomic { op, ptr, value, .. } => {
                self.access(*ptr, false, *op != AtomicOp::Store, *op != AtomicOp::Load);
                if let Some(value) = value {
                    self.escape(*value);
                }
            }
            Op::CompareExchange { ptr, expected, desired, .. } => {
                self.access(*ptr, false, true, true);
                self.escape(*expected);
                self.escape(*desired);
            }
            Op::Call { args, .. } => {
                for a in args {
                    self.escape(*a);
                    if self.is_pointer(*a)
                        && let Some((space, _)) = self.module.types.pointee(function.insts[*a].ty)
                    {
                        self.out.unknown_writes[space as usize] = true;
                    }
                }
                if self.is_pointer(v) {
                    self.add(v, &[Root::Unknown { trusted: false }]);
                }
            }
            Op::Simd(_, args) | Op::Log { args, .. } => args.iter().for_each(|a| self.escape(*a)),
            Op::Return(Some(value)) => self.escape(*value),
            Op::Undef if self.is_pointer(v) => self.add(v, &[Root::Unknown { trusted: false }]),
            Op::Const(_)
            | Op::Undef
            | Op::Splat(_)
            | Op::Compose(_)
            | Op::Extract { .. }
            | Op::ExtractDynamic { .. }
            | Op::Insert { .. }
            | Op::InsertDynamic { .. }
            | Op::Shuffle { .. }
            | Op::Unary(..)
            | Op::Binary(..)
            | Op::Fma(..)
            | Op::Convert(_)
            | Op::Bitcast(_)
            | Op::Fence { .. }
            | Op::Builtin(_)
            | Op::Barrier { .. }
            | Op::Trap(_)
            | Op::If { .. }
            | Op::Loop { .. }
            | Op::Switch { .. }
            | Op::Scope { .. }
            | Op::Break(_)
            | Op::Continue(_)
            | Op::Return(None)
            | Op::Unreachable => {}
        }
    }

    /// Whether an access of type `ty` through `ptr` covers the whole local it points to.
    fn is_whole(&self, ptr: ValueId, ty: crate::TypeId) -> bool {
        let Op::LocalAddr(l) = self.function.insts[ptr].op else { return false };
        super::liveness::same_value_type(&self.module.types, self.function.locals[l].ty, ty)
    }
}

//! The version of a kernel for threadgroups whose threads agree and stay within bounds: nearly all of them.
//!
//! In: a kernel, and what is known when a threadgroup starts. Out: [`Specialized`], the kernel with what
//! [`super::guards`] and [`super::bounds`] find taken for granted, and the tests for it. Before, small loops over
//! the neighbors of a thread are unrolled, for then the places of the neighbors follow from the position of the
//! thread; where that would not make all of them known, the loops stay.

use msl_base::Id;
use msl_ir::passes::assume_conditions::assume_conditions;
use msl_ir::passes::pipeline::clean;
use msl_ir::passes::unroll_loops::unroll_neighborhoods;
use msl_ir::{EntryPoint, Function, Module, Op, ValueId};

use super::bounds::Bounds;
use super::gangs::any_inst;
use super::guards::Guards;
use super::ranges::Start;
use crate::emit::live::Places;
use crate::llvm::V;

#[derive(Default)]
pub struct Specialized {
    pub guards: Option<Guards>,
    /// Whether accesses are within bounds, and which.
    pub within: Option<V>,
    pub bounds: Option<Bounds>,
    /// Differs from the kernel's own where something is taken for granted.
    pub module: Option<Module>,
}

impl Start<'_> {
    /// The kernel with small loops over neighbors unrolled, if all places in them are known to a version for it.
    /// The tests that this takes go where control never comes.
    pub fn unroll(
        &self,
        entry: &EntryPoint,
        for_bounds_alone: bool,
        joins: impl Fn(&Module) -> bool,
    ) -> Option<Module> {
        if !any_inst(self.f, &self.f.body, &|_, op| matches!(op, Op::Loop { .. })) {
            return None;
        }
        let mut module = self.module.clone();
        let mut changed = false;
        // An outer loop is small enough once its inner one is unrolled and simplified.
        while unroll_neighborhoods(&mut module, entry.function) {
            changed = true;
            clean(&mut module, entry.function);
        }
        if !changed {
            return None;
        }
        let ll = self.ll;
        let (here, aside) = (ll.current(), ll.new_block("aside"));
        ll.at_end(aside);
        let f = &module.functions[entry.function];
        let places = Places::find(f, &module.types);
        let count = joins(&module).then(|| ll.c32(1));
        let start = Start { module: &module, f, places: &places, count, ..*self };
        let found = start.specialize(entry, for_bounds_alone);
        ll.unreachable();
        ll.at_end(here);
        let f = &found.module.as_ref().unwrap_or(&module).functions[entry.function];
        let knows_all = found.bounds.is_some_and(|b| knows_all(f, self.f.insts.len(), &b));
        knows_all.then_some(module)
    }

    /// Emits the tests where the builder stands. Without guards bounds are only looked at if `for_bounds_alone`.
    pub fn specialize(&self, entry: &EntryPoint, for_bounds_alone: bool) -> Specialized {
        let guards = self.guards();
        let module = guards.as_ref().map(|g| {
            let mut m = self.module.clone();
            assume_conditions(&mut m, entry.function, &g.directions, &g.equal);
            m
        });
        if guards.is_none() && !for_bounds_alone {
            return Specialized::default();
        }
        let m = module.as_ref().unwrap_or(self.module);
        let f = &m.functions[entry.function];
        let (within, bounds) =
            Start { module: m, f, places: &Places::find(f, &m.types), ..*self }.bounds(entry).unzip();
        Specialized { guards, within, bounds, module }
    }
}

/// Whether all accesses from the instruction with number `first` on, those that unrolling made, are within bounds.
fn knows_all(f: &Function, first: usize, bounds: &Bounds) -> bool {
    let is_unknown = |id: ValueId, op: &Op| {
        let (Op::Load { ptr, .. } | Op::Store { ptr, .. }) = op else { return false };
        id.index() >= first && !matches!(f.insts[*ptr].op, Op::LocalAddr(_)) && !bounds.accesses.contains(&id)
    };
    !any_inst(f, &f.body, &is_unknown)
}

//! The passes in the order in which a code generator wants them run.
//!
//! In: a module and the function of an entry point. Out: the same function, free of calls and
//! simpler. [`PASSES`] gives for each step the reason for its place. A pass may appear more than once.

use msl_base::{Diagnostic, Span};

use super::unroll_loops::Growth;

use super::{
    eliminate_common, expand_copies, expand_matrix_products, expand_switches, forward_stores, hoist_invariants,
    infer_access, inline_calls, join_accesses, legalize_pointers, remove_dead, rewrite, simplify, simplify_control,
    specialize_builtins, split_aggregates, unroll_loops, whole_vectors,
};
use crate::ir::{FunctionId, Module};

/// What is known about how the kernel will run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Facts {
    /// The size of a full threadgroup.
    pub threads_per_threadgroup: Option<[u32; 3]>,
    /// Every threadgroup is full: the grid is a multiple of the threadgroup.
    pub full_threadgroups: bool,
    pub threads_per_grid: Option<[u32; 3]>,
    pub matrix_products: MatrixProducts,
    /// How large loops may become when they are unrolled.
    pub growth: Growth,
    /// Loading from threadgroup memory is as good as a shuffle, or better.
    pub loads_for_shuffles: bool,
    /// Threads access memory together, as vectors: neighbors are better accessed at once.
    pub joins_accesses: bool,
}

/// Who executes products of simdgroup matrices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MatrixProducts {
    /// Not known yet, or the interpreter: they stay.
    #[default]
    Undecided,
    /// Nobody: they become other operations.
    Expanded,
    /// The target, those of `f16` and `bf16` in fast mode, summing in an order of its own.
    Halves,
}

type Result = std::result::Result<(), Box<Diagnostic>>;

pub struct Pass {
    pub name: &'static str,
    /// Why it stands where it does.
    pub reason: &'static str,
    run: fn(&mut Module, FunctionId, &Facts) -> Result,
}

/// What happens between passes.
#[derive(Default)]
pub struct Options<'a> {
    pub facts: Facts,
    /// Check the module after each pass; a mistake is reported as `ice-invalid-ir`.
    pub verify: bool,
    /// Stop after the pass of this name (its last occurrence where it runs more than once).
    pub after: Option<&'a str>,
    /// Called after each pass with its position and name, for dumps.
    pub observe: Option<&'a mut dyn FnMut(usize, &'static str, &Module)>,
}

pub const PASSES: &[Pass] = &[
    Pass {
        name: "inline_calls",
        reason: "everything else looks at one function only",
        run: |m, f, _| inline_calls::inline_calls(m, f),
    },
    Pass {
        name: "specialize_builtins",
        reason: "constants should be there before anything folds",
        run: |m, f, facts| {
            specialize_builtins::specialize_builtins(m, f, facts);
            Ok(())
        },
    },
    Pass {
        name: "split_aggregates",
        reason: "members must be locals of their own before their values can be forwarded",
        run: |m, f, _| {
            split(m, f);
            Ok(())
        },
    },
    Pass {
        name: "clean",
        reason: "loop bounds and indices become visible constants",
        run: |m, f, _| {
            clean(m, f);
            // Forwarding removes stored addresses (`this`), after which more members can be split off.
            for _ in 0..3 {
                if !split(m, f) {
                    break;
                }
                clean(m, f);
            }
            Ok(())
        },
    },
    Pass {
        name: "expand_switches",
        reason: "late enough that switches on constants are gone; code generators split no switch at its barriers",
        run: |m, f, _| {
            if expand_switches::expand_switches(m, f) {
                clean(m, f);
            }
            Ok(())
        },
    },
    Pass {
        name: "unroll_loops",
        reason: "needs constant bounds; gives constant indices, which let arrays split",
        run: |m, f, facts| {
            // An outer loop may become countable when an inner one is gone.
            for _ in 0..4 {
                if !unroll_loops::unroll_loops(m, f, facts.growth) {
                    break;
                }
                clean(m, f);
                if split(m, f) {
                    clean(m, f);
                }
            }
            Ok(())
        },
    },
    Pass {
        name: "legalize_pointers",
        reason: "pointers that were forwarded are gone; those that walk in loops are left",
        run: |m, f, _| {
            if legalize_pointers::legalize_pointers(m, f) {
                clean(m, f);
            }
            Ok(())
        },
    },
    Pass {
        name: "hoist_invariants",
        reason: "late: hoisted values would only have been copied by unrolling",
        run: |m, f, _| {
            if hoist_invariants::hoist_invariants(m, f) {
                clean(m, f);
            }
            Ok(())
        },
    },
    Pass {
        name: "join_accesses",
        reason: "after unrolling and when equal addresses are one value, so that neighbors are seen",
        run: |m, f, facts| {
            if facts.joins_accesses && join_accesses::join_accesses(m, f, facts) {
                clean(m, f);
            }
            Ok(())
        },
    },
    Pass {
        name: "expand_matrix_products",
        reason: "after unrolling, so that products of one block share what they shuffle",
        run: |m, f, facts| {
            if facts.matrix_products != MatrixProducts::Undecided
                && expand_matrix_products::expand_matrix_products(m, f, facts)
            {
                clean(m, f);
            }
            Ok(())
        },
    },
    Pass {
        name: "infer_access",
        reason: "last: an argument whose every use was removed need not be bound",
        run: |m, f, _| {
            rewrite::with_function(m, f, |_, f| rewrite::compact(f));
            infer_access::infer_access(m, f);
            Ok(())
        },
    },
];

fn split(m: &mut Module, f: FunctionId) -> bool {
    let copies = expand_copies::expand_copies(m, f);
    let parts = split_aggregates::split_aggregates(m, f);
    let vectors = whole_vectors::whole_vectors(m, f);
    copies || parts || vectors
}

/// The passes that make a function smaller, until it stays as it is (or some rounds have passed).
///
/// A pass that changed nothing runs again only when another one has changed what it looks at.
pub fn clean(m: &mut Module, f: FunctionId) {
    rewrite::compact_sparse(&mut m.functions[f]);
    // `simplify` looks at operands, which only replaced values change; `eliminate_common` also at which
    // values are visible, which control flow decides; `remove_dead` at everything.
    let (mut operands, mut visibility, mut anything) = (true, true, true);
    for _ in 0..4 {
        let forwarded = forward_stores::forward_stores(m, f);
        let simplified = (operands || forwarded) && simplify::simplify(m, f);
        let merged = (visibility || forwarded || simplified) && eliminate_common::eliminate_common(m, f);
        let straightened = simplify_control::simplify_control(m, f);
        anything |= forwarded | simplified | merged | straightened;
        let removed = anything && remove_dead::remove_dead(m, f);
        if !(forwarded | simplified | merged | straightened | removed) {
            break;
        }
        (operands, visibility, anything) = (merged, straightened, false);
    }
}

/// What can be done for a function before it is known where it is called.
pub(super) fn clean_callee(m: &mut Module, f: FunctionId) {
    /// Smaller ones are not worth the analyses.
    const SMALL: usize = 8;
    if rewrite::count(&m.functions[f], &m.functions[f].body.insts) <= SMALL {
        return;
    }
    clean(m, f);
    if split(m, f) {
        clean(m, f);
    }
    rewrite::compact(&mut m.functions[f]);
}

/// Prepares one entry point for code generation.
pub fn run(module: &mut Module, function: FunctionId, mut options: Options<'_>) -> Result {
    // The source may promise a size.
    if options.facts.threads_per_threadgroup.is_none() {
        let entry = module.entry_points.iter().find(|e| e.function == function);
        options.facts.threads_per_threadgroup = entry.and_then(|e| e.required_threads);
    }
    let end = options.after.and_then(|name| PASSES.iter().rposition(|p| p.name == name)).unwrap_or(PASSES.len());
    for (i, pass) in PASSES.iter().enumerate().take(end.saturating_add(1)) {
        (pass.run)(module, function, &options.facts)?;
        if let Some(observe) = &mut options.observe {
            observe(i, pass.name, module);
        }
        if options.verify
            && let Err(errors) = crate::verify::verify(module)
        {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            let message = format!("the pass {} made an invalid function: {first}", pass.name);
            return Err(Box::new(Diagnostic::error("ice-invalid-ir", Span::NONE, message)));
        }
    }
    Ok(())
}

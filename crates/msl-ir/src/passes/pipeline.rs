//! The passes in the order in which a code generator wants them run.
//!
//! In: a module and the function of an entry point. Out: the same function, free of calls and
//! simpler. [`PASSES`] gives for each step the reason for its place.

use msl_base::Diagnostic;

use crate::ir::{FunctionId, Module};

/// What is known about how the kernel will run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The size of a full threadgroup.
    pub threads_per_threadgroup: Option<[u32; 3]>,
    /// Every threadgroup is full: the grid is a multiple of the threadgroup.
    pub full_threadgroups: bool,
    pub threads_per_grid: Option<[u32; 3]>,
}

pub struct Pass {
    pub name: &'static str,
    /// Why it stands where it does.
    pub reason: &'static str,
    run: fn(&mut Module, FunctionId, &Facts) -> Result<(), Box<Diagnostic>>,
}

/// What happens between passes.
#[derive(Default)]
pub struct Options<'a> {
    pub facts: Facts,
    /// Stop after the pass of this name (its last occurrence where it runs more than once).
    pub after: Option<&'a str>,
    /// Called after each pass with its position and name.
    pub observe: Option<&'a mut dyn FnMut(usize, &'static str, &Module)>,
}

pub const PASSES: &[Pass] = &[
    Pass {
        name: "inline_calls",
        reason: "everything else looks at one function only",
        run: |m, f, _| super::inline_calls::inline_calls(m, f),
    },
    Pass {
        name: "infer_access",
        reason: "last: an argument whose every use was removed need not be bound",
        run: |m, f, _| {
            super::infer_access::infer_access(m, f);
            Ok(())
        },
    },
];

/// Prepares one entry point for code generation.
pub fn run(module: &mut Module, function: FunctionId, mut options: Options<'_>) -> Result<(), Box<Diagnostic>> {
    let end = options.after.and_then(|name| PASSES.iter().rposition(|p| p.name == name)).unwrap_or(PASSES.len());
    for (i, pass) in PASSES.iter().enumerate().take(end.saturating_add(1)) {
        (pass.run)(module, function, &options.facts)?;
        if let Some(observe) = &mut options.observe {
            observe(i, pass.name, module);
        }
    }
    Ok(())
}

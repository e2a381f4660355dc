//! Code for the threadgroups of a dispatch that its main code does not cover: those that are not full and those
//! whose threads part at a condition. It is compiled when the first of them comes up, on the thread that meets it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use msl_codegen_llvm::Groups;
use msl_codegen_llvm::abi::{EDGE_SITE, LaunchContext, WHOLE_SITE};

use crate::encoder::Bound;
use crate::pipeline::{CpuPipeline, Shape, Variant};
use crate::scratch::with_edge_scratch;

pub(crate) struct Edge<'a> {
    pipeline: &'a CpuPipeline,
    main: &'a Variant,
    /// Lengths of host-sized threadgroup memory.
    threadgroup_memory: &'a [u64],
    /// For threadgroups of any size.
    any: Code,
    /// For full ones, where they have code of their own.
    whole: Code,
}

type Code = OnceLock<Result<Arc<Variant>, String>>;

impl<'a> Edge<'a> {
    pub fn new(pipeline: &'a CpuPipeline, main: &'a Variant, threadgroup_memory: &'a [u64]) -> Edge<'a> {
        Edge { pipeline, main, threadgroup_memory, any: OnceLock::new(), whole: OnceLock::new() }
    }

    /// The code for a threadgroup that is full or not, compiled now if need be.
    pub fn code(&self, is_full: impl FnOnce() -> bool) -> Result<&Arc<Variant>, &str> {
        let (code, groups) = match self.main.kernel().has_whole() && is_full() {
            true => (&self.whole, Groups::Whole),
            false => (&self.any, Groups::Any),
        };
        let code = code.get_or_init(|| {
            let shape = Shape { groups, ..self.main.shape.clone() };
            self.pipeline.edge(&shape).map_err(|error| error.to_string())
        });
        code.as_ref().map_err(String::as_str)
    }

    /// Fails if code was needed that could not be made.
    pub fn check(&self) -> Result<(), &str> {
        let mut made = [&self.any, &self.whole].into_iter().filter_map(OnceLock::get);
        made.try_for_each(|code| code.as_ref().map(drop).map_err(String::as_str))
    }

    /// The code that a fault site belongs to, if it is not the main code.
    pub fn owner(&self, site: u32) -> Option<&Variant> {
        let code = match () {
            () if site & EDGE_SITE != 0 => &self.any,
            () if site & WHOLE_SITE != 0 => &self.whole,
            () => return None,
        };
        code.get()?.as_deref().ok()
    }
}

/// [`LaunchContext::edge`], for one threadgroup. The caller's scratch memory is in use, so that this takes its own.
pub(crate) unsafe extern "C" fn run(context: *const LaunchContext, first: u64, end: u64, _scratch: *mut u8) {
    // SAFETY: called by a kernel with the context it was given, whose `user` is a `Bound`.
    let (context, bound) = unsafe { (&*context, &*(*context).user.cast::<Bound<'_>>()) };
    let code = bound.edge.code(|| is_full(context, first));
    let ran = code.is_ok_and(|code| {
        code.count(end - first);
        let kernel = code.kernel();
        let size = kernel.scratch_size(bound.edge.threadgroup_memory);
        with_edge_scratch(usize::try_from(size).unwrap_or(usize::MAX), |scratch| {
            // SAFETY: as for the main code: it was made for the same arguments and threadgroup size, for all
            // groups of the grid or for those that are full, as this one is.
            unsafe { (kernel.entry())(context, first, end, scratch) }
        })
    });
    if !ran {
        bound.is_out_of_memory.store(code.is_ok(), Ordering::Relaxed);
        // SAFETY: the flag outlives the dispatch.
        unsafe { (*context.stop).store(1, Ordering::Relaxed) };
    }
}

/// Whether a threadgroup, by its number, has all of its threads.
fn is_full(context: &LaunchContext, group: u64) -> bool {
    let [x, y, _] = context.groups.map(|n| u64::from(n).max(1));
    let position = [group % x, group / x % y, group / x / y];
    (0..3).all(|i| (position[i] + 1) * u64::from(context.threadgroup[i]) <= u64::from(context.grid_threads[i]))
}

//! Code for the threadgroups of a dispatch that its main code does not cover: those that are not full and those
//! whose threads part at a condition. It is compiled when the first of them comes up, on the thread that meets it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use msl_codegen_llvm::Groups;
use msl_codegen_llvm::abi::LaunchContext;

use crate::encoder::Bound;
use crate::pipeline::{CpuPipeline, Shape, Variant};
use crate::scratch::with_edge_scratch;

pub(crate) struct Edge<'a> {
    pipeline: &'a CpuPipeline,
    /// Of the main code.
    shape: &'a Shape,
    /// Lengths of host-sized threadgroup memory.
    threadgroup_memory: &'a [u64],
    code: OnceLock<Result<Arc<Variant>, String>>,
}

impl<'a> Edge<'a> {
    pub fn new(pipeline: &'a CpuPipeline, shape: &'a Shape, threadgroup_memory: &'a [u64]) -> Edge<'a> {
        Edge { pipeline, shape, threadgroup_memory, code: OnceLock::new() }
    }

    /// The code, compiled now if need be.
    pub fn code(&self) -> Result<&Arc<Variant>, &str> {
        let code = self.code.get_or_init(|| {
            let shape = Shape { groups: Groups::Any, ..self.shape.clone() };
            self.pipeline.variant(&shape).map_err(|error| error.to_string())
        });
        code.as_ref().map_err(String::as_str)
    }

    /// The code if it was needed, or why there is none.
    pub fn used(&self) -> Option<Result<&Arc<Variant>, &str>> {
        self.code.get().map(|code| code.as_ref().map_err(String::as_str))
    }
}

/// [`LaunchContext::edge`]. The caller's scratch memory is in use, so that this takes its own.
pub(crate) unsafe extern "C" fn run(context: *const LaunchContext, first: u64, end: u64, _scratch: *mut u8) {
    // SAFETY: called by a kernel with the context it was given, whose `user` is a `Bound`.
    let bound = unsafe { &*(*context).user.cast::<Bound<'_>>() };
    let ran = bound.edge.code().ok().is_some_and(|code| {
        let size = code.kernel.scratch_size(bound.edge.threadgroup_memory);
        with_edge_scratch(usize::try_from(size).unwrap_or(usize::MAX), |scratch| {
            // SAFETY: as for the main code: it was made for the same arguments and threadgroup size, for all
            // groups of the grid.
            unsafe { (code.kernel.entry())(context, first, end, scratch) }
        })
    });
    if !ran {
        bound.is_out_of_memory.store(bound.edge.code().is_ok(), Ordering::Relaxed);
        // SAFETY: the flag outlives the dispatch.
        unsafe { (*(*context).stop).store(1, Ordering::Relaxed) };
    }
}

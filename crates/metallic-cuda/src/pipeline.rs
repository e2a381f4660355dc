//! A kernel on this device: PTX for each way it is dispatched, cached on disk, and what the driver makes of it.

use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError, RwLock};

use metallic_hal::cache::Cache;
use metallic_hal::{Argument, Dispatch, Error, Pipeline, PipelineSource, Result};
use msl_codegen_llvm::nvptx::SYMBOL;
use msl_codegen_llvm::{NvptxKernel, NvptxOptions};
use msl_ir::Access;
use msl_ir::reflect::Param;

use crate::context::{Attribute, Context, Function};
use crate::library;

/// Arguments of more bytes go through memory.
const MOST_INLINE: usize = 256;
/// Parameters that may be passed by value.
const MOST_BY_VALUE: usize = 24;

pub struct CudaPipeline {
    pub source: PipelineSource,
    context: Arc<Context>,
    sm: u32,
    multiprocessors: u32,
    static_memory: u32,
    has_logs: bool,
    variants: RwLock<Vec<Arc<Variant>>>,
    /// Held while a variant is compiled: nothing is compiled twice.
    compiling: Mutex<()>,
}

/// PTX for one way of dispatching, and the function the driver made of it once it was needed.
pub struct Variant {
    arguments: Arguments,
    pub kernel: NvptxKernel,
    function: OnceLock<Function>,
}

impl Variant {
    /// The function, which [`CudaPipeline::function`] made before.
    pub fn loaded(&self) -> Result<&Function> {
        self.function.get().ok_or_else(|| Error::Device("internal error: a kernel is not loaded".into()))
    }
}

/// What the code of a dispatch depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Arguments {
    threadgroup: [u32; 3],
    edge_groups: bool,
    noalias: bool,
    /// By parameter, for the first ones: how many bytes are passed by value, or 0.
    by_value: [u16; MOST_BY_VALUE],
    small: bool,
    aligned: bool,
    few_threads: bool,
}

impl Arguments {
    pub fn of(
        dispatch: &Dispatch,
        params: &[Param],
        threadgroup: [u32; 3],
        grid: [u32; 3],
        multiprocessors: u32,
    ) -> Arguments {
        // Address, length and whether it is written, of each buffer.
        let bound = |i: usize| match &dispatch.arguments[i] {
            Argument::Buffer { buffer, offset } => {
                let start = buffer.gpu_address();
                Some((start + offset, start + buffer.length(), params[i].access != Access::ReadOnly))
            }
            _ => None,
        };
        let n = dispatch.arguments.len().min(params.len());
        let overlaps = |i: usize, j: usize| match (bound(i), bound(j)) {
            (Some((a, b, w)), Some((c, d, v))) => (w || v) && a < d && c < b,
            _ => false,
        };
        let noalias = dispatch.resident.is_empty() && !(0..n).any(|i| (0..i).any(|j| overlaps(i, j)));
        let edge_groups = (0..3).any(|i| !grid[i].is_multiple_of(threadgroup[i]));
        let mut by_value = [0; MOST_BY_VALUE];
        for (size, argument) in by_value.iter_mut().zip(&dispatch.arguments) {
            if let Argument::Bytes(bytes) = argument
                && bytes.len() <= MOST_INLINE
            {
                *size = bytes.len() as u16;
            }
        }
        let small = (0..n).all(|i| bound(i).is_none_or(|(start, end, _)| end - start < 1 << 32));
        let aligned = (0..n).all(|i| bound(i).is_none_or(|(start, ..)| start.is_multiple_of(16)));
        let along = |i: usize| u64::from(grid[i].div_ceil(threadgroup[i].max(1))) * u64::from(threadgroup[i]);
        let threads = along(0).saturating_mul(along(1)).saturating_mul(along(2));
        let few_threads = threads <= u64::from(multiprocessors) * 1024;
        Arguments { threadgroup, edge_groups, noalias, by_value, small, aligned, few_threads }
    }
}

/// Machine code of this process's devices on disk.
static CACHE: LazyLock<Cache> = LazyLock::new(|| if cfg!(test) { Cache::at(None, 0) } else { Cache::of_user() });

impl CudaPipeline {
    pub fn new(source: &PipelineSource, context: &Arc<Context>) -> Result<CudaPipeline> {
        context.check_alive()?;
        let pipeline = CudaPipeline {
            source: source.clone(),
            context: context.clone(),
            sm: context.capability(),
            multiprocessors: context.attribute(Attribute::Multiprocessors),
            static_memory: source.facts().static_threadgroup_memory_length,
            has_logs: source.facts().has_logs,
            variants: RwLock::default(),
            compiling: Mutex::new(()),
        };
        if source.eager {
            // Errors of code generation belong to the creation of the pipeline.
            let entry = source.entry_point();
            let most = entry.max_total_threads.unwrap_or(256).clamp(1, 256);
            let threadgroup = entry.required_threads.unwrap_or([most, 1, 1]);
            pipeline.variant(&Arguments {
                threadgroup,
                edge_groups: false,
                noalias: true,
                by_value: [0; MOST_BY_VALUE],
                small: true,
                aligned: true,
                few_threads: true,
            })?;
        }
        Ok(pipeline)
    }

    /// Whether the kernel writes log records.
    pub fn has_logs(&self) -> bool {
        self.has_logs
    }

    fn find(&self, arguments: &Arguments) -> Option<Arc<Variant>> {
        let variants = self.variants.read().unwrap_or_else(PoisonError::into_inner);
        variants.iter().find(|v| v.arguments == *arguments).cloned()
    }

    pub fn arguments_of(&self, dispatch: &Dispatch, threadgroup: [u32; 3], grid: [u32; 3]) -> Arguments {
        let params = &self.source.entry_point().params;
        Arguments::of(dispatch, params, threadgroup, grid, self.multiprocessors)
    }

    fn arguments(&self, dispatch: &Dispatch) -> Option<Arguments> {
        let (grid, _) = dispatch.resolve_grid().ok()?;
        let threadgroup = dispatch.threads_per_threadgroup.to_array();
        Some(self.arguments_of(dispatch, threadgroup, grid.to_array()))
    }

    /// Whether a dispatch needs nothing that takes time. Its grid is not indirect.
    pub fn is_ready(&self, dispatch: &Dispatch) -> bool {
        let Some(arguments) = self.arguments(dispatch) else { return true };
        self.find(&arguments).is_some_and(|variant| variant.function.get().is_some())
    }
    /// Does what takes time.
    pub fn make_ready(&self, dispatch: &Dispatch) {
        let Some(arguments) = self.arguments(dispatch) else { return };
        // Errors come again when the dispatch is encoded.
        let _ = self.variant(&arguments).and_then(|variant| self.function(&variant).map(drop));
    }

    pub fn variant(&self, arguments: &Arguments) -> Result<Arc<Variant>> {
        if let Some(variant) = self.find(arguments) {
            return Ok(variant);
        }
        let _guard = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(variant) = self.find(arguments) {
            return Ok(variant);
        }
        let options = NvptxOptions {
            threadgroup: arguments.threadgroup,
            edge_groups: arguments.edge_groups,
            noalias: arguments.noalias,
            sm: self.sm,
            run_passes: true,
            by_value: arguments.by_value.map(u32::from).to_vec(),
            small: arguments.small,
            aligned: arguments.aligned,
            few_threads: arguments.few_threads,
        };
        let kernel = library::compile_cached(&self.source, &options, &CACHE)?;
        let variant = Arc::new(Variant { arguments: *arguments, kernel, function: OnceLock::new() });
        self.variants.write().unwrap_or_else(PoisonError::into_inner).push(variant.clone());
        Ok(variant)
    }

    pub fn function<'a>(&self, variant: &'a Variant) -> Result<&'a Function> {
        if let Some(function) = variant.function.get() {
            return Ok(function);
        }
        let _guard = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = variant.function.get() {
            return Ok(function);
        }
        let function = Function::load(&self.context, &variant.kernel.ptx, SYMBOL)?;
        Ok(variant.function.get_or_init(|| function))
    }
}

impl Pipeline for CudaPipeline {
    fn max_total_threads_per_threadgroup(&self) -> u32 {
        1024
    }
    fn static_threadgroup_memory_length(&self) -> u32 {
        self.static_memory
    }
}

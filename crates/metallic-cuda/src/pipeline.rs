//! A kernel on this device: machine code for each way it is dispatched.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use metallic_hal::{Pipeline, PipelineSource, Result};
use msl_codegen_llvm::nvptx::SYMBOL;
use msl_codegen_llvm::{NvptxKernel, NvptxOptions};

use crate::driver::{Context, Function};
use crate::library;

pub struct CudaPipeline {
    pub source: PipelineSource,
    context: Arc<Context>,
    sm: u32,
    static_memory: u32,
    variants: RwLock<Vec<Arc<Variant>>>,
    /// Held while a variant is compiled: nothing is compiled twice.
    compiling: Mutex<()>,
}

/// PTX for one threadgroup size, and the function the driver made of it once it was needed.
pub struct Variant {
    options: NvptxOptions,
    pub kernel: NvptxKernel,
    function: OnceLock<Function>,
}

impl CudaPipeline {
    pub fn new(source: &PipelineSource, context: &Arc<Context>) -> Result<CudaPipeline> {
        let pipeline = CudaPipeline {
            source: source.clone(),
            context: context.clone(),
            sm: context.capability(),
            static_memory: source.static_threadgroup_memory_length(),
            variants: RwLock::default(),
            compiling: Mutex::new(()),
        };
        // Errors of code generation belong to the creation of the pipeline.
        let entry = source.entry_point();
        let most = entry.max_total_threads.unwrap_or(256).clamp(1, 256);
        pipeline.variant(entry.required_threads.unwrap_or([most, 1, 1]), false, true)?;
        Ok(pipeline)
    }

    pub fn variant(&self, threadgroup: [u32; 3], edge_groups: bool, noalias: bool) -> Result<Arc<Variant>> {
        let options = NvptxOptions { threadgroup, edge_groups, noalias, sm: self.sm, run_passes: true };
        let find = || {
            let variants = self.variants.read().unwrap_or_else(PoisonError::into_inner);
            variants.iter().find(|v| v.options == options).cloned()
        };
        if let Some(variant) = find() {
            return Ok(variant);
        }
        let _guard = self.compiling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(variant) = find() {
            return Ok(variant);
        }
        let kernel = library::compile(&self.source, &options)?;
        let variant = Arc::new(Variant { options, kernel, function: OnceLock::new() });
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

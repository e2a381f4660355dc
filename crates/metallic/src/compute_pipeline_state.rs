//! Compute pipeline states (`MTLComputePipelineState`): kernels ready to run.

use std::sync::Arc;

use metallic_hal::{self as hal, KernelCode, PipelineSource, SourceText};
use msl_ir::{EntryPoint, Module, Param, ParamKind};

use crate::{
    Device, Error, Function, FunctionHandle, FunctionType, Result, VisibleFunctionTable,
    VisibleFunctionTableDescriptor, limits,
};

/// A kernel, compiled for a device. Clones are the same pipeline.
#[derive(Clone)]
pub struct ComputePipelineState {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub device: Device,
    pub function: Function,
    pub hal: Arc<dyn hal::Pipeline>,
    pub label: Arc<str>,
    pub code: Arc<KernelCode>,
    pub max_threads: u32,
    /// What its tables may hold.
    pub linked: Vec<Function>,
}

impl ComputePipelineState {
    pub(crate) fn new(device: &Device, function: &Function, linked: &[Function]) -> Result<ComputePipelineState> {
        device.check_own(function.library().device(), "the function")?;
        if function.function_type() != FunctionType::Kernel {
            let name = function.name();
            return Err(Error::Pipeline(format!(
                "{name} is a visible function, not a kernel: link it to the pipeline of a kernel that calls it"
            )));
        }
        linked.iter().try_for_each(|linked| check_linked(function, linked))?;
        let (name, source) = (function.name(), pipeline_source(function)?);
        let entry = source.entry_point();
        check_indices(name, entry)?;
        let static_memory = source.facts().static_threadgroup_memory_length;
        let limit = device.max_threadgroup_memory_length();
        if static_memory > limit {
            return Err(Error::Pipeline(format!(
                "kernel {name} declares {static_memory} bytes of threadgroup memory; device {} has {limit}",
                device.id()
            )));
        }
        let hal = device.hal.make_compute_pipeline_state(&source)?;
        let asked = entry.max_total_threads.unwrap_or(u32::MAX);
        let max_threads =
            asked.min(hal.max_total_threads_per_threadgroup()).min(device.info().max_total_threads_per_threadgroup);
        let inner = Inner {
            device: device.clone(),
            function: function.clone(),
            hal,
            label: name.into(),
            code: source.code,
            max_threads,
            linked: linked.to_vec(),
        };
        Ok(ComputePipelineState { inner: Arc::new(inner) })
    }

    pub fn device(&self) -> &Device {
        &self.inner.device
    }
    pub fn function(&self) -> &Function {
        &self.inner.function
    }
    pub fn label(&self) -> &str {
        &self.inner.label
    }
    pub fn max_total_threads_per_threadgroup(&self) -> u32 {
        self.inner.max_threads
    }
    /// The functions that its tables may hold.
    pub fn linked_functions(&self) -> &[Function] {
        &self.inner.linked
    }
    /// What stands for a linked function in the tables of this pipeline.
    pub fn function_handle(&self, function: &Function) -> Result<FunctionHandle> {
        FunctionHandle::new(self, function)
    }
    /// A table without functions yet.
    pub fn make_visible_function_table(
        &self,
        descriptor: &VisibleFunctionTableDescriptor,
    ) -> Result<VisibleFunctionTable> {
        VisibleFunctionTable::new(self, descriptor)
    }
    /// Threads of a simdgroup.
    pub fn thread_execution_width(&self) -> u32 {
        self.inner.hal.thread_execution_width()
    }
    /// Bytes of threadgroup memory that the kernel declares itself.
    pub fn static_threadgroup_memory_length(&self) -> u32 {
        self.inner.code.facts().static_threadgroup_memory_length
    }
    /// The arguments of the kernel.
    pub fn reflection(&self) -> &[Param] {
        &self.entry_point().params
    }
    pub fn entry_point(&self) -> &EntryPoint {
        &self.inner.code.facts().entry
    }
    /// The code, as it is handed to the device; compiled now where the pipeline came from the cache.
    pub fn module(&self) -> Result<Arc<Module>> {
        Ok(self.inner.code.module()?.clone())
    }
}

impl std::fmt::Debug for ComputePipelineState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ComputePipelineState({})", self.inner.label)
    }
}

/// Fails where a kernel cannot call a function through tables.
fn check_linked(kernel: &Function, linked: &Function) -> Result<()> {
    let (name, kernel_name) = (linked.name(), kernel.name());
    let fail = |reason: &str| Err(Error::Pipeline(format!("kernel {kernel_name}: linked function {name} {reason}")));
    if linked.function_type() != FunctionType::Visible {
        return fail("is not [[visible]]");
    }
    if !Arc::ptr_eq(&linked.library.inner, &kernel.library.inner) {
        return fail(
            "is of another library: functions of several libraries are not linked here, put them into one source",
        );
    }
    if !linked.constants.is_empty() && linked.constants != kernel.constants {
        return fail("has other values of function constants than the kernel");
    }
    Ok(())
}

/// Compiles a function as far as all devices share.
pub(crate) fn pipeline_source(function: &Function) -> Result<PipelineSource> {
    let name = function.name();
    let compiled = function.library.inner.source.compile(name, &function.constants)?;
    Ok(PipelineSource {
        code: compiled.code,
        text: function.library.inner.text.clone().map(|library| SourceText { library, constants: compiled.constants }),
        label: name.into(),
        eager: false,
    })
}

/// Fails for arguments that no encoder could bind.
fn check_indices(name: &str, entry: &EntryPoint) -> Result<()> {
    for param in &entry.params {
        let (what, limit) = match &param.kind {
            ParamKind::Buffer { .. } => ("buffer", limits::BUFFERS),
            ParamKind::Threadgroup { .. } => ("threadgroup", limits::THREADGROUP_MEMORIES),
            ParamKind::Texture { .. } => ("texture", limits::TEXTURES),
            ParamKind::Sampler => ("sampler", limits::SAMPLERS),
        };
        let count = match param.kind {
            ParamKind::Texture { array_len, .. } => array_len.max(1),
            _ => 1,
        };
        if param.index.checked_add(count).is_none_or(|end| end > limit) {
            let (argument, index) = (param.name, param.index);
            return Err(Error::Pipeline(format!(
                "kernel {name}: argument {argument} has {what} index {index}; the highest is {}",
                limit - 1
            )));
        }
    }
    Ok(())
}

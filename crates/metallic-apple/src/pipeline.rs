//! Compute pipeline states.

use std::any::Any;
use std::ptr::NonNull;

use metallic_hal::{Error, FunctionConstantValue, Pipeline, PipelineSource, Result, SourceText};
use msl_ir::{Param, ParamKind};
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_foundation::NSString;
use objc2_metal::{
    MTLComputePipelineDescriptor, MTLComputePipelineState, MTLDevice, MTLFunctionConstantValues, MTLLibrary,
    MTLPipelineOption,
};

use crate::convert;
use crate::device::Context;
use crate::library;

/// An `MTLComputePipelineState`, and where its arguments go.
pub struct ApplePipeline {
    pub raw: Retained<ProtocolObject<dyn MTLComputePipelineState>>,
    /// Parameters of the entry point, in order.
    pub arguments: Vec<Place>,
}

/// The table and index of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Buffer(usize),
    Texture(usize),
    Sampler(usize),
    Threadgroup(usize),
}

impl Place {
    fn of(param: &Param) -> Place {
        let index = param.index as usize;
        match param.kind {
            ParamKind::Buffer { .. } => Place::Buffer(index),
            ParamKind::Texture { .. } => Place::Texture(index),
            ParamKind::Sampler => Place::Sampler(index),
            ParamKind::Threadgroup { .. } => Place::Threadgroup(index),
        }
    }
}

impl ApplePipeline {
    pub fn new(context: &Context, source: &PipelineSource) -> Result<ApplePipeline> {
        let Some(text) = &source.text else {
            let (id, label) = (&context.id, &source.label);
            return Err(Error::Unsupported(format!(
                "device {id} compiles MSL only; the library of kernel {label} was not made of it"
            )));
        };
        let entry = source.entry_point();
        let raw = make(context, text, entry.name.as_str(), &source.label)
            .map_err(|reason| Error::Pipeline { message: format!("kernel {}: {reason}", source.label) })?;
        Ok(ApplePipeline { raw, arguments: entry.params.iter().map(Place::of).collect() })
    }

    /// A kernel of our own; whoever encodes it knows where its arguments go.
    pub fn internal(context: &Context, text: &SourceText, name: &str) -> std::result::Result<ApplePipeline, String> {
        Ok(ApplePipeline { raw: make(context, text, name, name)?, arguments: Vec::new() })
    }

    /// The pipeline behind a trait object.
    pub fn of(pipeline: &dyn Pipeline) -> Option<&ApplePipeline> {
        (pipeline as &dyn Any).downcast_ref()
    }
}

impl Pipeline for ApplePipeline {
    fn max_total_threads_per_threadgroup(&self) -> u32 {
        self.raw.maxTotalThreadsPerThreadgroup() as u32
    }
    fn thread_execution_width(&self) -> u32 {
        self.raw.threadExecutionWidth() as u32
    }
    fn static_threadgroup_memory_length(&self) -> u32 {
        self.raw.staticThreadgroupMemoryLength() as u32
    }
}

/// Fails with what the compiler said.
fn make(
    context: &Context,
    text: &SourceText,
    name: &str,
    label: &str,
) -> std::result::Result<Retained<ProtocolObject<dyn MTLComputePipelineState>>, String> {
    autoreleasepool(|_| {
        let library = context.libraries.get(&context.raw, &text.library)?;
        let function = library
            .newFunctionWithName_constantValues_error(&NSString::from_str(name), &constant_values(&text.constants))
            .map_err(|error| library::message(&error))?;
        let descriptor = MTLComputePipelineDescriptor::new();
        descriptor.setComputeFunction(Some(&function));
        descriptor.setLabel(Some(&NSString::from_str(label)));
        // Binary archives would save nothing: the system keeps what it has compiled, by itself.
        context
            .raw
            .newComputePipelineStateWithDescriptor_options_reflection_error(&descriptor, MTLPipelineOption::None, None)
            .map_err(|error| library::message(&error))
    })
}

fn constant_values(values: &[FunctionConstantValue]) -> Retained<MTLFunctionConstantValues> {
    /// Aligned for every type.
    #[repr(align(32))]
    struct Aligned([u8; 32]);
    let out = MTLFunctionConstantValues::new();
    for value in values {
        let bytes = Aligned(value.to_bytes());
        // SAFETY: Metal copies as many bytes as the type has, at most 32.
        unsafe {
            out.setConstantValue_type_atIndex(
                NonNull::from(&bytes.0).cast(),
                convert::data_type(value),
                value.index as usize,
            );
        }
    }
    out
}

//! PTX of a kernel.

use metallic_hal::cache::{Cache, Key};
use metallic_hal::{Error, PipelineSource, Result};
use msl_codegen_llvm::{CodegenError, NvptxCompiler, NvptxKernel, NvptxOptions};
use msl_ir::Access;
use msl_ir::reflect::ParamKind;

use crate::sass;

/// The architecture that text is made for where there is no GPU.
const DEFAULT_SM: u32 = 90;

/// Distinguishes builds of ourselves whose version is the same.
const BUILD: &str = concat!("ptx ", env!("CARGO_PKG_VERSION"), " ", env!("METALLIC_CUDA_BUILD"));

/// PTX and what a launch must know, from disk where it is there.
pub(crate) fn compile_cached(source: &PipelineSource, options: &NvptxOptions, cache: &Cache) -> Result<NvptxKernel> {
    let key = if cache.is_enabled() {
        let options = format!("{options:?} {BUILD}");
        let digest = source.code.digest()?.as_str();
        Some(Key::of(&[source.entry_point().name.as_str().as_bytes(), options.as_bytes(), digest.as_bytes()]))
    } else {
        None
    };
    if let Some(kernel) = key.as_ref().and_then(|key| cache.get(key)).and_then(|bytes| NvptxKernel::from_bytes(&bytes))
    {
        return Ok(kernel);
    }
    let kernel = compile(source, options)?;
    if let Some(key) = &key {
        cache.put(key, &kernel.to_bytes());
    }
    Ok(kernel)
}

pub(crate) fn compile(source: &PipelineSource, options: &NvptxOptions) -> Result<NvptxKernel> {
    let entry = source.entry_point().name.as_str();
    NvptxCompiler.compile(source.module()?, entry, options).map_err(|error| describe(source, &error))
}

/// PTX, machine code or LLVM IR of a kernel as text; needs no GPU.
pub fn emit(source: &PipelineSource, stage: &str, threadgroup: [u32; 3], sm: Option<u32>) -> Result<String> {
    // As if references were bound by value and the grid were a multiple of the threadgroup: the usual dispatch.
    let by_value = source.entry_point().params.iter().map(|param| match &param.kind {
        ParamKind::Buffer { is_reference: true, element, .. } if param.access == Access::ReadOnly => {
            u32::try_from(element.size()).unwrap_or(0)
        }
        _ => 0,
    });
    let options = NvptxOptions {
        sm: sm.unwrap_or(DEFAULT_SM),
        by_value: by_value.collect(),
        edge_groups: false,
        ..NvptxOptions::new(threadgroup)
    };
    let entry = source.entry_point().name.as_str();
    let text = match stage {
        "ptx" => return compile(source, &options).map(|kernel| kernel.ptx),
        "sass" => return compile(source, &options).and_then(|kernel| sass::disassemble(&kernel.ptx, options.sm)),
        "llvm" => NvptxCompiler.emit_llvm_ir(source.module()?, entry, &options, true),
        "llvm-raw" => NvptxCompiler.emit_llvm_ir(source.module()?, entry, &options, false),
        _ => {
            return Err(Error::Unsupported(format!(
                "cuda devices have the stages ptx, sass, llvm and llvm-raw, not {stage}"
            )));
        }
    };
    text.map_err(|error| describe(source, &error))
}

fn describe(source: &PipelineSource, error: &CodegenError) -> Error {
    let location = match error {
        CodegenError::Unsupported { span, .. } => source.location(*span),
        CodegenError::NoEntryPoint(_) | CodegenError::ThreadgroupSize(_) | CodegenError::Llvm(_) => None,
    };
    let message = location.map_or_else(|| error.to_string(), |location| format!("{location}: {error}"));
    Error::Pipeline { message: format!("kernel {}: {message}", source.label) }
}

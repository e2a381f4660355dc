//! PTX of a kernel.

use metallic_hal::{Error, PipelineSource, Result};
use msl_codegen_llvm::{CodegenError, NvptxCompiler, NvptxKernel, NvptxOptions};

/// The architecture that text is made for where there is no GPU.
const DEFAULT_SM: u32 = 80;

pub(crate) fn compile(source: &PipelineSource, options: &NvptxOptions) -> Result<NvptxKernel> {
    let entry = source.entry_point().name.as_str();
    NvptxCompiler.compile(&source.module, entry, options).map_err(|error| describe(source, &error))
}

/// PTX or LLVM IR of a kernel as text; needs no GPU.
pub fn emit(source: &PipelineSource, stage: &str, threadgroup: [u32; 3], sm: Option<u32>) -> Result<String> {
    let options = NvptxOptions { sm: sm.unwrap_or(DEFAULT_SM), ..NvptxOptions::new(threadgroup) };
    let entry = source.entry_point().name.as_str();
    let text = match stage {
        "ptx" => return compile(source, &options).map(|kernel| kernel.ptx),
        "llvm" => NvptxCompiler.emit_llvm_ir(&source.module, entry, &options, true),
        "llvm-raw" => NvptxCompiler.emit_llvm_ir(&source.module, entry, &options, false),
        _ => {
            return Err(Error::Unsupported(format!(
                "cuda devices have the stages ptx, llvm and llvm-raw, not {stage}"
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

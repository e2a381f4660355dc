//! NVIDIA GPUs. The emitter's gang of one lane (every value one scalar) is meant for this target:
//! the shape analysis then finds no divergence and every branch is a real one, with barriers,
//! simdgroup operations and memory left to the hardware. Not written yet: [`compile`] says so.

use msl_ir::Module;

use crate::CodegenError;

/// PTX for an entry point.
pub fn compile(_module: &Module, entry: &str) -> Result<String, CodegenError> {
    Err(CodegenError::unsupported(
        "unsupported-target-nvptx",
        format!("cannot compile `{entry}` for NVIDIA GPUs yet"),
        msl_base::Span::NONE,
    ))
}

//! What can go wrong while generating code.

use msl_base::Span;

#[derive(Debug, Clone, PartialEq)]
pub enum CodegenError {
    /// The program is fine; this target cannot do it yet. The id begins with `unsupported-`.
    Unsupported { id: &'static str, message: String, span: Span },
    /// The module has no entry point of this name.
    NoEntryPoint(String),
    /// The threadgroup is empty or has more than 1024 threads.
    ThreadgroupSize([u32; 3]),
    /// A mistake of ours: LLVM refused what we gave it.
    Llvm(String),
}

impl std::fmt::Display for CodegenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            CodegenError::Unsupported { id, message, .. } => write!(f, "{message} [{id}]"),
            CodegenError::NoEntryPoint(name) => write!(f, "no kernel named `{name}`"),
            CodegenError::ThreadgroupSize([x, y, z]) => {
                write!(f, "a threadgroup of {x} x {y} x {z} threads: 1 to 1024 threads are possible")
            }
            CodegenError::Llvm(text) => write!(f, "code generation failed: {text}"),
        }
    }
}

impl std::error::Error for CodegenError {}

impl CodegenError {
    pub(crate) fn unsupported(id: &'static str, message: impl Into<String>, span: Span) -> CodegenError {
        CodegenError::Unsupported { id, message: message.into(), span }
    }
}

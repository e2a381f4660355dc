//! The preprocessor: a file and what it includes to the tokens the parser reads.
//!
//! In: a file of a [`SourceMap`], options, a [`FileProvider`]. Out: tokens, the macros in force
//! at the end, diagnostics. Implements C++ [cpp] with Clang's common extensions (GNU variadic
//! macros, `__VA_OPT__`, `__has_include`, `#warning`, `push_macro`, …) and the predefined macros of the
//! MSL specification, chapter 1.5.
//!
//! Promised: total. Any text gives tokens and diagnostics; [`Limits`] bound time and memory.
//! Spans: a token from a replacement list is spelled at the definition and carries the expansion
//! that used it. A token from a macro *argument* keeps the span it had where the caller wrote
//! it, so that a message about it points at the very characters. Results of `#` and `##` belong
//! to the expansion.
//!
//! Not here: reading files, and the headers of the standard library: those are parsed once as a
//! prelude whose macros arrive in [`PreprocessOptions::initial_macros`], and including one of
//! them ([`PreprocessOptions::is_builtin_header`]) adds nothing.

mod condition;
mod define;
mod directive;
mod engine;
mod expand;
mod include;
mod literal;
mod pragma;
mod predefined;
mod print;
mod substitute;
mod table;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use msl_base::{Diagnostics, FileId, SourceMap};

pub use include::{FileProvider, IncludedFile, MemoryFiles, NoFiles};
pub use print::print_tokens;
pub use table::{Macro, MacroTable};

use crate::token::TokenStream;

/// What the program's surroundings decide about preprocessing.
#[derive(Clone, Debug)]
pub struct PreprocessOptions {
    /// The version of MSL, as major and minor.
    pub version: (u32, u32),
    pub platform: Platform,
    pub fast_math: bool,
    /// `-D`: a name (or `NAME(params)`) and its replacement.
    pub defines: Vec<(String, String)>,
    /// `-U`, after all defines.
    pub undefines: Vec<String>,
    /// Whether a header (`metal_stdlib`, `simd/simd.h`) belongs to the standard library, which is always there.
    pub is_builtin_header: fn(&str) -> bool,
    /// Names to suggest for headers that are not found.
    pub header_names: &'static [&'static str],
    /// The macros of the prelude. Their spans must belong to the source map in use.
    pub initial_macros: Option<Arc<MacroTable>>,
    pub limits: Limits,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Platform {
    MacOs,
    Ios,
}

/// Bounds on what one compilation may use. Reaching one is the error `preprocessor-limit`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Tokens handed to the parser, and tokens of a single file.
    pub tokens: usize,
    /// Tokens looked at, from files and from expansions at every level.
    pub steps: usize,
    /// Macro expansions.
    pub expansions: usize,
    /// Macro expansions inside each other.
    pub nesting: usize,
    /// Macro arguments expanded inside each other; this one costs stack.
    pub argument_nesting: usize,
    /// Files including each other.
    pub includes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            tokens: 4_000_000,
            steps: 20_000_000,
            expansions: 1_000_000,
            nesting: 20_000,
            argument_nesting: 200,
            includes: 200,
        }
    }
}

impl Default for PreprocessOptions {
    fn default() -> PreprocessOptions {
        PreprocessOptions {
            version: (3, 2),
            platform: Platform::MacOs,
            fast_math: true,
            defines: Vec::new(),
            undefines: Vec::new(),
            is_builtin_header: predefined::is_standard_header,
            header_names: &["metal_stdlib"],
            initial_macros: None,
            limits: Limits::default(),
        }
    }
}

/// The result: the tokens end in one `Eof`.
#[derive(Clone, Debug)]
pub struct Preprocessed {
    pub tokens: TokenStream,
    pub macros: Arc<MacroTable>,
}

/// Preprocesses `file`. Always returns tokens; what is wrong is in `diagnostics`.
pub fn preprocess(
    source_map: &mut SourceMap,
    file: FileId,
    options: &PreprocessOptions,
    provider: &dyn FileProvider,
    diagnostics: &mut Diagnostics,
) -> Preprocessed {
    engine::Preprocessor::new(source_map, options, provider, diagnostics).run(file)
}

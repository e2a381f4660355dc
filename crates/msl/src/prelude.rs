//! The standard library, parsed and declared once per process: what every program starts with.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use msl_base::{Diagnostics, SourceMap};
use msl_sema::Declarations;
use msl_syntax::parse::{Scopes, parse};
use msl_syntax::preprocess::{MacroTable, NoFiles, PreprocessOptions, preprocess};

use crate::guard::guarded;
use crate::report::CompileError;

/// What the headers declare. Programs extend copies; the prelude itself never changes.
pub struct Prelude {
    /// The headers; programs are added behind them.
    pub source_map: SourceMap,
    pub macros: Arc<MacroTable>,
    pub scopes: Scopes,
    pub declarations: Arc<Declarations>,
    /// How long it took to make.
    pub time: Duration,
}

static PRELUDE: OnceLock<Result<Prelude, CompileError>> = OnceLock::new();

/// Makes the prelude when first asked for it. It fails only when the headers themselves are wrong.
pub fn prelude() -> Result<&'static Prelude, CompileError> {
    let made = PRELUDE
        .get_or_init(|| guarded("reading the standard library", "metallic doctor", || make(msl_stdlib::HEADERS)));
    made.as_ref().map_err(Clone::clone)
}

/// Starts making the prelude in the background, once: whoever asks for it first then waits only for the rest.
pub fn begin() {
    static BEGUN: std::sync::Once = std::sync::Once::new();
    BEGUN.call_once(|| {
        if PRELUDE.get().is_none() {
            // Without a thread it is made when it is asked for.
            let _ = std::thread::Builder::new().name("msl prelude".into()).spawn(|| prelude().is_ok());
        }
    });
}

/// The heap of a thread of glibc grows page by page, each a system call: 1,600 of them, a tenth of the time of making
/// the prelude. Here it grows in large steps, and something behind the room keeps it from shrinking again.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn make_room() {
    /// Below the size from which memory is mapped by itself.
    const STEP: usize = 96 << 10;
    const STEPS: usize = 96;
    let room: Vec<Vec<u8>> = (0..STEPS).map(|_| std::hint::black_box(Vec::with_capacity(STEP))).collect();
    std::mem::forget(std::hint::black_box(Vec::<u8>::with_capacity(2048)));
    drop(room);
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn make_room() {}

fn make(headers: &[msl_stdlib::Header]) -> Result<Prelude, CompileError> {
    let start = Instant::now();
    make_room();
    let mut source_map = SourceMap::new();
    let mut diagnostics = Diagnostics::new();
    let mut macros = None;
    let mut scopes = Scopes::default();
    let mut decls = Vec::new();
    for header in headers {
        let Some(file) = source_map.add(header.name, header.text, true) else { continue };
        let options = PreprocessOptions {
            is_builtin_header: msl_stdlib::is_builtin_header,
            initial_macros: macros.clone(),
            ..PreprocessOptions::default()
        };
        let preprocessed = preprocess(&mut source_map, file, &options, &NoFiles, &mut diagnostics);
        let (unit, after) = parse(&preprocessed.tokens, &source_map, &scopes, &mut diagnostics);
        scopes = after;
        decls.extend(unit.decls);
        macros = Some(preprocessed.macros);
    }
    let unit = msl_syntax::ast::TranslationUnit { decls, files: Vec::new() };
    let (declarations, messages) = Declarations::prelude(&unit);
    diagnostics.extend(messages);
    if diagnostics.has_errors() {
        return Err(CompileError::new(diagnostics, source_map));
    }
    let macros = macros.unwrap_or_default();
    source_map.freeze();
    Ok(Prelude { source_map, macros, scopes, declarations, time: start.elapsed() })
}

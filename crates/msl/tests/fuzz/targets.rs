//! What is fuzzed: functions from bytes that must end in time, in bounded memory, and without a panic.
//!
//! The test beside this file replays findings, and mutates seeds for some seconds.

use msl::{CompileOptions, FunctionConstantValues, Library, NoFiles};
use msl_base::stack::with_room;
use msl_base::{Diagnostics, SourceMap};
use msl_ir::interp::{Argument, BufferRef, DispatchKind, Machine, Options, RaceCheck};
use msl_ir::passes::pipeline;
use msl_ir::{Module, ParamKind};
use msl_syntax::dump::dump;
use msl_syntax::parse::{Scopes, parse};
use msl_syntax::preprocess::{MemoryFiles, PreprocessOptions, preprocess};

/// Entry points of one input that are compiled; mutation likes to multiply them.
const ENTRIES: usize = 4;

pub type Target = fn(&[u8]);

pub const TARGETS: [(&str, Target); 4] =
    [("preprocess", preprocess_text), ("parse", parse_text), ("front_end", front_end), ("ir_text", ir_text)];

/// Text to tokens. Files that include each other are there to be included.
pub fn preprocess_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut map = SourceMap::new();
    let mut diagnostics = Diagnostics::new();
    let Some(file) = map.add("fuzz.metal", &text, false) else { return };
    let mut files = MemoryFiles::new();
    files.insert("self.h", &text);
    files.insert("a.h", "#pragma once\n#define A(x) x x\n#include \"b.h\"\n");
    files.insert("b.h", "#ifndef B\n#define B A(B2)\n#include \"a.h\"\n#endif\n");
    let tokens = preprocess(&mut map, file, &PreprocessOptions::default(), &files, &mut diagnostics);
    std::hint::black_box(tokens.tokens.len());
}

/// Text to the syntax tree; what is dropped is said.
pub fn parse_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    with_room(|| {
        let mut map = SourceMap::new();
        let mut diagnostics = Diagnostics::new();
        let Some(file) = map.add("fuzz.metal", &text, false) else { return };
        let options = PreprocessOptions::default();
        let tokens = preprocess(&mut map, file, &options, &MemoryFiles::new(), &mut diagnostics).tokens;
        let (unit, _) = parse(&tokens, &map, &Scopes::builtin(), &mut diagnostics);
        let tree = dump(&unit);
        assert!(!tree.contains("<error>") || diagnostics.has_errors(), "silent error");
    });
}

/// Text to verified IR, before and after the passes.
pub fn front_end(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let library = match Library::open("fuzz.metal", &text, &CompileOptions::default(), &NoFiles) {
        Ok(library) => library,
        Err(e) => return no_ice(&e),
    };
    let constants = FunctionConstantValues::default();
    for entry in library.entry_points().iter().take(ENTRIES) {
        match library.compile_unoptimized(entry, &constants) {
            Ok(module) => verified(&module),
            Err(e) => no_ice(&e),
        }
        match library.compile(entry, &constants) {
            Ok(compiled) => verified(&compiled.module),
            Err(e) => no_ice(&e),
        }
    }
}

/// The compiler catches its own panics, for the sake of its hosts.
fn no_ice(e: &msl::CompileError) {
    let ice = e.diagnostics().iter().find(|d| d.id.starts_with("ice"));
    assert!(ice.is_none(), "{ice:?}");
}

fn verified(module: &Module) {
    if let Err(errors) = msl_ir::verify(module) {
        panic!("malformed IR: {errors:?}");
    }
}

/// Text of the IR to a module; what is verified prints and reads again, bears the passes, and can be interpreted.
pub fn ir_text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    with_room(|| {
        let Ok(module) = msl_ir::text::parse(&text) else { return };
        if msl_ir::verify(&module).is_err() {
            return;
        }
        let printed = msl_ir::text::print(&module);
        let again = match msl_ir::text::parse(&printed) {
            Ok(again) => again,
            Err(e) => panic!("what was printed cannot be read: {e}\n{printed}"),
        };
        assert_eq!(msl_ir::text::print(&again), printed);
        let entries: Vec<_> = module.entry_points.iter().map(|e| e.name.to_string()).take(ENTRIES).collect();
        for entry in &entries {
            interpret(&module, entry);
        }
        let mut optimized = module.clone();
        let functions: Vec<_> = optimized.entry_points.iter().map(|e| e.function).take(ENTRIES).collect();
        for function in functions {
            if pipeline::run(&mut optimized, function, pipeline::Options::default()).is_err() {
                return;
            }
        }
        verified(&optimized);
    });
}

/// Runs a kernel for a little while, with whatever arguments.
fn interpret(module: &Module, entry: &str) {
    let options = Options { poison: Some(0xa5), races: RaceCheck::Grid, step_limit: Some(2000), ..Options::default() };
    let Ok(mut machine) = Machine::new(module, entry, options) else { return };
    let Some(point) = module.entry_points.iter().find(|e| e.name.as_str() == entry) else { return };
    let mut memory = vec![vec![0x11u8; 4096]; point.params.len()];
    for ((at, param), bytes) in point.params.iter().enumerate().zip(&mut memory) {
        let argument = match &param.kind {
            ParamKind::Buffer { .. } => Argument::Buffer(BufferRef::new(bytes)),
            ParamKind::Threadgroup { .. } => Argument::Threadgroup(256),
            _ => Argument::Unbound,
        };
        machine.bind(at, argument);
    }
    // A fault is an answer.
    let _ = machine.dispatch([5, 2, 1], [4, 1, 1], DispatchKind::Threads);
}

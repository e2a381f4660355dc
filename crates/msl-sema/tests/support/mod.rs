//! Sources through preprocessor, parser and checker, on top of the standard library.

#![allow(dead_code)]

use std::sync::{Arc, OnceLock};

use msl_base::{Diagnostics, SourceMap};
use msl_sema::{Declarations, FunctionConstantValues, Library, Options, hir};
use msl_syntax::ast::TranslationUnit;
use msl_syntax::parse::{Scopes, parse};
use msl_syntax::preprocess::{MacroTable, NoFiles, PreprocessOptions, preprocess};

struct Prelude {
    map: SourceMap,
    macros: Option<Arc<MacroTable>>,
    scopes: Scopes,
    declarations: Arc<Declarations>,
}

static PRELUDE: OnceLock<Prelude> = OnceLock::new();

fn prelude() -> &'static Prelude {
    PRELUDE.get_or_init(|| {
        let mut map = SourceMap::new();
        let mut diags = Diagnostics::new();
        let (mut macros, mut scopes, mut decls) = (None, Scopes::default(), Vec::new());
        for header in msl_stdlib::HEADERS {
            let Some(file) = map.add(header.name, header.text, true) else { continue };
            let pp = preprocess(&mut map, file, &options(&macros), &NoFiles, &mut diags);
            let (unit, after) = parse(&pp.tokens, &map, &scopes, &mut diags);
            (scopes, macros) = (after, Some(pp.macros));
            decls.extend(unit.decls);
        }
        let (declarations, found) = Declarations::prelude(&TranslationUnit { decls, files: Vec::new() });
        diags.extend(found);
        assert!(!diags.has_errors(), "the standard library: {diags:?}");
        Prelude { map, macros, scopes, declarations }
    })
}

fn options(macros: &Option<Arc<MacroTable>>) -> PreprocessOptions {
    PreprocessOptions {
        is_builtin_header: msl_stdlib::is_builtin_header,
        initial_macros: macros.clone(),
        ..PreprocessOptions::default()
    }
}

pub struct Source {
    pub library: Library,
    pub map: SourceMap,
    pub diags: Diagnostics,
}

/// Opens a source that starts with the usual two lines.
pub fn open(body: &str) -> Source {
    let prelude = prelude();
    let text = format!("#include <metal_stdlib>\nusing namespace metal;\n{body}\n");
    open_plain(prelude, &text)
}

fn open_plain(prelude: &Prelude, text: &str) -> Source {
    let mut map = prelude.map.clone();
    let mut diags = Diagnostics::new();
    let file = map.add("test.metal", text, false).expect("small");
    let pp = preprocess(&mut map, file, &options(&prelude.macros), &NoFiles, &mut diags);
    let (unit, _) = parse(&pp.tokens, &map, &prelude.scopes, &mut diags);
    let (library, found) = Library::new(&prelude.declarations, &unit);
    diags.extend(found);
    Source { library, map, diags }
}

impl Source {
    /// `line:column severity id: message`, notes and help indented. Lines count from the body.
    pub fn render(&self, diags: &Diagnostics) -> String {
        let mut out = String::new();
        for d in self.diags.iter().chain(diags.iter()) {
            let severity = if d.is_error() { "error" } else { "warning" };
            out += &format!("{} {severity} {}: {}\n", self.at(d.span), d.id, d.message);
            for n in &d.notes {
                out += &match n.span {
                    Some(s) => format!("  {} note: {}\n", self.at(s), n.message),
                    None => format!("  note: {}\n", n.message),
                };
            }
            if let Some(h) = &d.help {
                out += &format!("  help: {h}\n");
            }
        }
        out
    }

    fn at(&self, span: msl_base::Span) -> String {
        match self.map.location(span) {
            Some(l) if l.file == "test.metal" => format!("{}:{}", l.line.saturating_sub(2), l.column),
            Some(_) => "library".into(),
            None => "?".into(),
        }
    }
}

/// Everything in the source checks without a word.
#[track_caller]
pub fn accept(body: &str) {
    let source = open(body);
    let diags = source.library.check(&Options::default());
    let text = source.render(&diags);
    assert!(text.is_empty(), "{text}");
    for entry in source.library.entry_points() {
        compile(&source, entry.name.as_str(), &FunctionConstantValues::default());
    }
}

#[track_caller]
pub fn compile(source: &Source, entry: &str, constants: &FunctionConstantValues) -> hir::Program {
    let (program, diags) = source.library.compile(entry, &Options::default(), constants);
    match program {
        Some(p) => p,
        None => panic!("{entry}: {}", source.render(&diags)),
    }
}

/// Checking gives exactly these messages.
#[track_caller]
pub fn reject(body: &str, expected: &str) {
    let source = open(body);
    let diags = source.library.check(&Options::default());
    same(&source.render(&diags), expected);
}

/// Compiling the kernel `k` gives exactly these messages.
#[track_caller]
pub fn reject_kernel(body: &str, expected: &str) {
    let source = open(body);
    let (_, diags) = source.library.compile("k", &Options::default(), &FunctionConstantValues::default());
    same(&source.render(&diags), expected);
}

#[track_caller]
fn same(got: &str, expected: &str) {
    let trim = |s: &str| {
        let lines: Vec<&str> = s.lines().skip_while(|l| l.trim().is_empty()).collect();
        let indent =
            lines.iter().filter(|l| !l.trim().is_empty()).map(|l| l.len() - l.trim_start().len()).min().unwrap_or(0);
        lines
            .iter()
            .map(|l| l.get(indent..).unwrap_or("").trim_end().to_owned() + "\n")
            .collect::<String>()
            .trim_end()
            .to_owned()
    };
    let (got, expected) = (trim(got), trim(expected));
    assert!(got == expected, "expected\n{expected}\ngot\n{got}\n");
}

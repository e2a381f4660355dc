//! Compiles every entry point of a file to HIR and counts what fails, by message:
//! `cargo run -p msl-sema --example survey -- FILE… [-I DIR] [-c NAME_OR_INDEX=BITS]`.
//!
//! Function constants without a value given are zero.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use msl_base::{Diagnostics, SourceMap};
use msl_sema::{Declarations, FunctionConstantValues, Library, Options};
use msl_syntax::ast::TranslationUnit;
use msl_syntax::parse::{Scopes, parse};
use msl_syntax::preprocess::{FileProvider, IncludedFile, NoFiles, PreprocessOptions, preprocess};

struct Files(Vec<PathBuf>);

impl FileProvider for Files {
    fn read(&self, path: &str, includer: &str, _system: bool) -> Result<Option<IncludedFile>, String> {
        let beside = Path::new(includer).parent().unwrap_or(Path::new("")).to_path_buf();
        for dir in std::iter::once(&beside).chain(&self.0) {
            let full = dir.join(path);
            if full.is_file() {
                let text = std::fs::read_to_string(&full).map_err(|e| e.to_string())?;
                return Ok(Some(IncludedFile { name: full.to_string_lossy().into_owned(), text: text.into() }));
            }
        }
        Ok(None)
    }
}

fn main() {
    let (mut files, mut dirs, mut constants) = (Vec::new(), Vec::new(), FunctionConstantValues::default());
    let mut given = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(a) = args.next() {
        match a.as_str() {
            "-I" => dirs.extend(args.next().map(PathBuf::from)),
            "-c" => given.extend(args.next()),
            _ => files.push(a),
        }
    }
    let mut map = SourceMap::new();
    let mut diags = Diagnostics::new();
    let (mut macros, mut scopes, mut decls) = (None, Scopes::default(), Vec::new());
    for header in msl_stdlib::HEADERS {
        let Some(file) = map.add(header.name, header.text, true) else { continue };
        let options = PreprocessOptions {
            is_builtin_header: msl_stdlib::is_builtin_header,
            initial_macros: macros.clone(),
            ..PreprocessOptions::default()
        };
        let pp = preprocess(&mut map, file, &options, &NoFiles, &mut diags);
        let (unit, after) = parse(&pp.tokens, &map, &scopes, &mut diags);
        (scopes, macros) = (after, Some(pp.macros));
        decls.extend(unit.decls);
    }
    let (prelude, found) = Declarations::prelude(&TranslationUnit { decls, files: Vec::new() });
    diags.extend(found);
    show(&map, &diags, "prelude");
    for name in files {
        let text = std::fs::read_to_string(&name).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut map = map.clone();
        let mut diags = Diagnostics::new();
        let Some(file) = map.add(&name, &text, false) else { continue };
        let options = PreprocessOptions {
            is_builtin_header: msl_stdlib::is_builtin_header,
            initial_macros: macros.clone(),
            ..PreprocessOptions::default()
        };
        let pp = preprocess(&mut map, file, &options, &Files(dirs.clone()), &mut diags);
        let (unit, _) = parse(&pp.tokens, &map, &scopes, &mut diags);
        let (library, found) = Library::new(&prelude, &unit);
        diags.extend(found);
        show(&map, &diags, &name);
        for c in library.function_constants() {
            constants.set_name(c.name.as_str(), [0; 4]);
        }
        for g in &given {
            if let Some((n, v)) = g.split_once('=') {
                constants.set_name(n, [v.parse().unwrap_or(0), 0, 0, 0]);
            }
        }
        let start = Instant::now();
        let (mut good, mut bad) = (0, 0);
        let mut messages: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for entry in library.entry_points() {
            let (program, diags) = library.compile(entry.name.as_str(), &Options::default(), &constants);
            if program.is_some() {
                good += 1;
                continue;
            }
            bad += 1;
            if let Some(d) = diags.iter().find(|d| d.is_error()) {
                let at = |s| map.location(s).map_or(String::new(), |l| format!("{}:{}:{}", l.file, l.line, l.column));
                let mut text = format!("{}: {} [{}]", at(d.span), d.message, d.id);
                for n in &d.notes {
                    text += &format!("\n      {} {}", n.span.map(at).unwrap_or_default(), n.message);
                }
                let key = format!("{}: {}", at(d.span), d.message);
                messages.entry(key).or_insert((0, format!("{}\n    {text}", entry.name))).0 += 1;
            }
        }
        for (count, text) in messages.values() {
            println!("  {count} × {text}");
        }
        let short = Path::new(&name).file_name().map_or(name.clone(), |n| n.to_string_lossy().into_owned());
        println!("{short}: {good} good, {bad} bad, {:?}", start.elapsed());
    }
}

fn show(map: &SourceMap, diags: &Diagnostics, name: &str) {
    for d in diags.iter().filter(|d| d.is_error()) {
        let at = map.location(d.span).map_or(name.to_owned(), |l| format!("{}:{}:{}", l.file, l.line, l.column));
        println!("{at}: {} [{}]", d.message, d.id);
    }
}

//! The likeliest mistakes and what is said about them: `tests/diagnostics/*.txt`.
//!
//! A case is `## name`, a source, `>>`, and the text a terminal shows. With `UPDATE_EXPECT=1` in the environment the
//! texts are written anew; read them before they are committed.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use msl::{CompileOptions, FunctionConstantValues, Library, NoFiles, Style};

struct Case {
    name: String,
    source: String,
    expected: String,
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/diagnostics");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "txt"));
    files.sort();
    files
}

fn parse(text: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    for block in text.split("## ").skip(1) {
        let (name, rest) = block.split_once('\n').expect("a name takes a line");
        let (source, expected) = rest.split_once("\n>>\n").unwrap_or_else(|| panic!("'{name}' has no '>>'"));
        cases.push(Case {
            name: name.trim().to_owned(),
            source: format!("{source}\n"),
            expected: expected.trim_end().to_owned(),
        });
    }
    cases
}

/// Everything that a host would be told on its way to a pipeline: reading, bodies, entry points.
fn messages(source: &str) -> String {
    let show = |e: &msl::CompileError| e.report().render(Style::Plain);
    let library = match Library::open("kernel.metal", source, &CompileOptions::default(), &NoFiles) {
        Ok(library) => library,
        Err(e) => return show(&e),
    };
    let mut out = library.warnings().render(Style::Plain);
    match library.check_all() {
        Ok(report) => out += &report.render(Style::Plain),
        Err(e) => return out + &show(&e),
    }
    for entry in library.entry_points() {
        if let Err(e) = library.compile(&entry, &FunctionConstantValues::default()) {
            out += &show(&e);
        }
    }
    out
}

#[test]
fn mistakes_get_the_messages_that_are_written_down() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let (mut count, mut wrong) = (0, String::new());
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut updated = String::new();
        for case in parse(&text) {
            count += 1;
            let got = messages(&case.source);
            let got = got.trim_end();
            if got != case.expected {
                let _ = writeln!(
                    wrong,
                    "{}: {}\n--- expected\n{}\n--- got\n{got}\n",
                    file.display(),
                    case.name,
                    case.expected
                );
            }
            let separator = if updated.is_empty() { "" } else { "\n" };
            let _ = write!(updated, "{separator}## {}\n{}>>\n{got}\n", case.name, case.source);
        }
        if update {
            std::fs::write(&file, updated).unwrap();
        }
    }
    assert!(update || wrong.is_empty(), "{wrong}\nUPDATE_EXPECT=1 writes what is said now");
    assert!(count >= 100, "{count} mistakes");
}

/// The `metal` blocks of a page, each with whether the sentence before it announces a remedy.
fn blocks(page: &str) -> Vec<(bool, String)> {
    let mut out = Vec::new();
    let mut before = "";
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == "```metal" {
            let block: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            out.push((before.ends_with(':'), block.join("\n") + "\n"));
        } else if !line.is_empty() {
            before = line;
        }
    }
    out
}

#[test]
fn pages_about_errors_show_the_error_and_its_remedy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    pages.sort();
    let mut wrong = String::new();
    for page in pages {
        let id = page.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&page).unwrap();
        if !text.starts_with(&format!("# {id}\n")) {
            let _ = writeln!(wrong, "{id}: its title is another one");
        }
        for (is_remedy, block) in blocks(&text) {
            let got = messages(&block);
            let is_right = if is_remedy { !got.contains("error: ") } else { got.contains(&format!("[{id}]")) };
            if !is_right {
                let what = if is_remedy { "the remedy has errors" } else { "the example shows something else" };
                let _ = writeln!(wrong, "{id}: {what}\n{block}{got}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

//! Runs `tests/run/*.metal` and `tests/spec/*.metal` on the interpreter. The format is described in `msl::conformance`.
//!
//! `METALLIC_TEST=name` runs the files whose names hold the word.

use std::path::Path;

mod files;

use files::Files;
use msl::conformance::{Interpreter, run_file};

fn run_all(folder: &str, is_unoptimized: bool) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(folder);
    let wanted = std::env::var("METALLIC_TEST").unwrap_or_default();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().filter_map(|e| e.ok().map(|e| e.path())).collect();
    files.sort();
    let mut failures = Vec::new();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "metal")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.contains(&wanted) {
            continue;
        }
        let text = std::fs::read_to_string(file).unwrap();
        let mut executor = if is_unoptimized { Interpreter::unoptimized() } else { Interpreter::new() };
        if let Err(e) = run_file(&name, &text, &Files, &mut executor) {
            failures.push(e);
        }
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn kernels_give_what_they_should_after_passes() {
    run_all("run", false);
}

#[test]
fn kernels_give_what_they_should_as_lowered() {
    run_all("run", true);
}

#[test]
fn the_specification_is_kept_after_passes() {
    run_all("spec", false);
}

#[test]
fn the_specification_is_kept_as_lowered() {
    run_all("spec", true);
}

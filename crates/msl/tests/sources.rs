//! Every source of the repository can be read without a message.

use std::path::{Path, PathBuf};

mod files;

use files::Files;
use msl::{CompileOptions, Library};

fn metal_files(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "metal"))
        .collect();
    files.sort();
    files
}

#[test]
fn the_standard_library_can_be_read() {
    if let Err(e) = msl::prelude_time() {
        panic!("{e}");
    }
}

#[test]
fn the_kernels_of_the_package_can_be_read() {
    let files = metal_files("python/pymetallic/kernels");
    assert!(!files.is_empty());
    for file in files {
        let source = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        match Library::open(&name, &source, &CompileOptions::default(), &Files) {
            Ok(library) => assert!(library.warnings().is_empty(), "{}", library.warnings()),
            Err(e) => panic!("{e}"),
        }
    }
}

#[test]
fn the_run_time_tests_can_be_read() {
    for file in metal_files("tests/run") {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        for case in msl::conformance::parse_file(&name, &text).unwrap_or_else(|e| panic!("{e}")) {
            if case.error.is_none()
                && let Err(e) = Library::open(&case.name, &case.source, &case.options, &Files)
            {
                panic!("{e}");
            }
        }
    }
}

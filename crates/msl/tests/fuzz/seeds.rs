//! What fuzzing starts from: the sources of the other tests, read where they are.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|p| p.join("tests/run").is_dir()).unwrap().to_path_buf()
}

/// Files with one of the endings in a folder, in order.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = std::fs::read_dir(root().join(folder))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| endings.iter().any(|x| e.path().extension().is_some_and(|have| have == *x)))
        .filter_map(|e| Some((e.file_name().into_string().ok()?, std::fs::read_to_string(e.path()).ok()?)))
        .collect();
    out.sort();
    out
}

/// Sources in MSL: the cases of `tests/run` and `tests/spec`, the mistakes of `tests/diagnostics`, the package's kernels.
pub fn sources() -> Vec<String> {
    let mut out = Vec::new();
    for (_, text) in files("tests/run", &["metal"]).into_iter().chain(files("tests/spec", &["metal"])) {
        out.extend(text.split("\n//---").skip(1).map(|case| format!("//---{case}")));
    }
    for (_, text) in files("tests/diagnostics", &["txt"]) {
        for case in text.split("\n## ") {
            let source = case.split("\n>>").next().unwrap_or("");
            out.extend(source.split_once('\n').map(|(_, source)| source.to_string()));
        }
    }
    out.extend(files("python/pymetallic/kernels", &["metal"]).into_iter().map(|f| f.1));
    out
}

/// Text of the IR: what the sources become, and what tests of the code generator are made of.
pub fn modules() -> Vec<String> {
    let mut out: Vec<String> =
        files("crates/msl-codegen-llvm/tests/kernels", &["ir"]).into_iter().map(|f| f.1).collect();
    let (options, constants) = (msl::CompileOptions::default(), msl::FunctionConstantValues::default());
    for source in sources().iter().step_by(3) {
        let Ok(library) = msl::Library::open("seed.metal", source, &options, &msl::NoFiles) else { continue };
        for (at, entry) in library.entry_points().iter().take(2).enumerate() {
            let module = match at {
                0 => library.compile_unoptimized(entry, &constants).ok(),
                _ => library.compile(entry, &constants).ok().map(|c| c.module),
            };
            out.extend(module.map(|m| msl_ir::text::print(&m)).filter(|text| text.len() < 16_000));
        }
    }
    out.extend((1..30).map(|seed| msl_ir::text::print(&msl_ir::random_kernel::random_kernel(seed, 8))));
    out
}

/// What was found before, in the folder of a target.
#[allow(dead_code)]
pub fn findings(target: &str) -> Vec<(String, String)> {
    files(&format!("crates/msl/tests/fuzz/findings/{target}"), &["metal", "ir"])
}

//! ARCHITECTURE.md tells the truth: every path it names exists, and no crate is left out.

use std::path::Path;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// The words between backticks that look like paths of the repository.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let is_top = |p: &str| {
        ["crates/", "python/", "tests/", "docs/", "tools/", "benches", ".ci/", "docs"]
            .iter()
            .any(|top| p.starts_with(top))
    };
    text.split('`').skip(1).step_by(2).filter(move |p| is_top(p) && !p.contains([' ', '*', '<']))
}

#[test]
fn every_path_that_it_names_exists() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let missing: Vec<&str> = paths(&text).filter(|p| !root().join(p).exists()).collect();
    assert!(paths(&text).count() > 20, "no paths were found in ARCHITECTURE.md");
    assert!(missing.is_empty(), "ARCHITECTURE.md names what does not exist: {missing:?}");
}

#[test]
fn no_crate_is_left_out() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let mut left_out = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).expect("crates/ can be listed") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name");
        if !text.contains(&format!("`crates/{name}`")) {
            left_out.push(name);
        }
    }
    assert!(left_out.is_empty(), "ARCHITECTURE.md says nothing of {left_out:?}");
}

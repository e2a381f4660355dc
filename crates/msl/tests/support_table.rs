//! `docs/msl-support.md` says for each feature of the specification what becomes of it. It is made from `tests/spec`.
//!
//! With `UPDATE_EXPECT=1` in the environment it is written anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use msl::conformance::{Case, parse_file};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn cases(path: &Path) -> Vec<Case> {
    let name = path.file_name().unwrap().to_string_lossy();
    parse_file(&name, &read(path)).unwrap_or_else(|e| panic!("{e}"))
}

/// What follows the name of the file.
fn feature(case: &Case) -> &str {
    case.name.split_once(" (").and_then(|(_, f)| f.strip_suffix(')')).unwrap_or(&case.name)
}

fn page(id: &str) -> String {
    if root().join(format!("docs/errors/{id}.md")).is_file() {
        format!("[`{id}`](errors/{id}.md)")
    } else {
        format!("`{id}`")
    }
}

fn status(case: &Case) -> String {
    match (&case.known_failure, &case.error) {
        (Some(reason), _) => format!("not yet: {reason}"),
        (None, Some(id)) if case.is_graphics => format!("graphics only: {}", page(id)),
        (None, Some(id)) if id.starts_with("unsupported-") => format!("not supported: {}", page(id)),
        (None, Some(id)) => format!("rejected, as it must be: {}", page(id)),
        (None, None) => "supported".into(),
    }
}

/// A case of another file that shows the feature: it has to exist.
fn check_reference(reference: &str, known: &mut BTreeMap<String, Vec<String>>) {
    let (file, name) = reference.split_once(" (").unwrap_or_else(|| panic!("'{reference}' names no case"));
    let name = name.strip_suffix(')').unwrap_or(name);
    let names = known
        .entry(file.to_owned())
        .or_insert_with(|| cases(&root().join(file)).iter().map(|c| feature(c).to_owned()).collect());
    assert!(names.iter().any(|n| n == name), "{file} has no case '{name}'");
}

fn table() -> String {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(root().join("tests/spec")).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "metal"));
    files.sort();
    let (mut body, mut counts, mut known) = (String::new(), BTreeMap::<&str, usize>::new(), BTreeMap::new());
    for file in files {
        let text = read(&file);
        let title = text.lines().next().and_then(|l| l.strip_prefix("// ")).expect("a title comes first");
        let _ = write!(body, "\n## {title}\n\n| feature | |\n| --- | --- |\n");
        for case in cases(&file) {
            let status = status(&case);
            if let Some(reference) = &case.see {
                check_reference(reference, &mut known);
            }
            let kind = ["supported", "rejected", "graphics only", "not supported", "not yet"];
            *counts.entry(kind.into_iter().find(|k| status.starts_with(k)).unwrap()).or_default() += 1;
            let _ = writeln!(body, "| {} | {status} |", feature(&case).replace('|', "\\|"));
        }
    }
    let count = |kind| counts.get(kind).copied().unwrap_or(0);
    format!(
        "# The Metal Shading Language, section by section\n\n\
         What becomes of each feature of the specification (version 4) here. The table is made from `tests/spec`, which has a\n\
         file for each section: what is supported is run on every device and the results compared, what is rejected is\n\
         rejected with the diagnostic named.\n\n\
         Of {} features, {} are supported, {} are mistakes and rejected as such, {} serve graphics only and are rejected, {} are\n\
         not supported, and {} are not done yet.\n{body}",
        counts.values().sum::<usize>(),
        count("supported"),
        count("rejected"),
        count("graphics only"),
        count("not supported"),
        count("not yet"),
    )
}

#[test]
fn the_table_of_features_is_up_to_date() {
    let path = root().join("docs/msl-support.md");
    let table = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let is_same = std::fs::read_to_string(&path).is_ok_and(|written| written == table);
    assert!(is_same, "docs/msl-support.md is not what tests/spec says; UPDATE_EXPECT=1 writes it anew");
}

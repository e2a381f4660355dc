//! Hashes the sources that decide what the front end makes of a text, so that what one build remembers is not taken for
//! the work of another whose version is the same.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

const FRONT_END: [&str; 7] = ["msl-base", "msl-stdlib", "msl-syntax", "msl-sema", "msl-ir", "msl-lower", "msl"];

fn main() {
    let mut hasher = DefaultHasher::new();
    let mut add = |folder: &str| {
        println!("cargo::rerun-if-changed={folder}");
        hash(Path::new(folder), &mut hasher);
    };
    FRONT_END.iter().for_each(|name| add(&format!("../{name}/src")));
    // The headers of the language, and how facts about kernels are written down.
    ["../msl-stdlib/msl", "../metallic-hal/src", "src"].iter().for_each(|folder| add(folder));
    println!("cargo::rustc-env=METALLIC_BUILD={:016x}", hasher.finish());
}

/// Folders that are not there (in a package) add nothing.
fn hash(folder: &Path, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            hash(&path, hasher);
        } else if let Ok(bytes) = std::fs::read(&path) {
            path.hash(hasher);
            bytes.hash(hasher);
        }
    }
}

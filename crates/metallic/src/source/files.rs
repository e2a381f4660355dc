//! Where `#include` finds files, and what it found.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use msl::{FileProvider, IncludedFile};

/// Headers by name, then beside the including file, then in directories.
pub(super) struct Files {
    pub headers: Vec<(String, String)>,
    pub directories: Vec<PathBuf>,
}

impl Files {
    fn candidates(&self, path: &str, includer: &str, system: bool) -> Vec<PathBuf> {
        let beside = Path::new(includer).parent().filter(|_| !system).map(Path::to_path_buf);
        beside.into_iter().chain(self.directories.iter().cloned()).map(|directory| directory.join(path)).collect()
    }
}

impl FileProvider for Files {
    fn read(&self, path: &str, includer: &str, system: bool) -> Result<Option<IncludedFile>, String> {
        if let Some((name, text)) = self.headers.iter().find(|(name, _)| name == path) {
            return Ok(Some(IncludedFile { name: name.clone(), text: text.as_str().into() }));
        }
        // Sources that are not files include nothing but what was named.
        for candidate in self.candidates(path, includer, system) {
            // Reading a pipe or a device may never end.
            if std::fs::metadata(&candidate).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
                return Err(format!("{} is not a file", candidate.display()));
            }
            match std::fs::read(&candidate) {
                Ok(bytes) => {
                    let text = msl::decode(bytes).map_err(|error| format!("{}: {error}", candidate.display()))?;
                    let name = normalize(&candidate);
                    return Ok(Some(IncludedFile { name, text: text.into() }));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(_) if candidate.is_dir() => {}
                Err(error) => return Err(format!("{}: {error}", candidate.display())),
            }
        }
        Ok(None)
    }
    fn searched(&self, path: &str, includer: &str, system: bool) -> Vec<String> {
        self.candidates(path, includer, system).iter().map(|p| p.display().to_string()).collect()
    }
}

/// One name per file: without `.` and, where that is safe to see, without `..`.
fn normalize(path: &Path) -> String {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out.display().to_string()
}

/// Files that are read once: whoever asks again gets what the first one got, whatever happened to the file since.
pub(super) struct ReadFiles {
    files: Files,
    found: Mutex<Vec<Found>>,
}

/// What was asked for, as [`FileProvider::read`] is asked, and what was found.
#[derive(Clone)]
pub(super) struct Found {
    pub path: String,
    pub includer: String,
    pub system: bool,
    pub file: Result<Option<IncludedFile>, String>,
}

impl ReadFiles {
    pub fn new(files: Files) -> ReadFiles {
        ReadFiles { files, found: Mutex::default() }
    }
    /// Everything that was asked for, in order.
    pub fn found(&self) -> Vec<Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl FileProvider for ReadFiles {
    fn read(&self, path: &str, includer: &str, system: bool) -> Result<Option<IncludedFile>, String> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = found.iter().find(|f| f.path == path && f.includer == includer && f.system == system) {
            return before.file.clone();
        }
        let file = self.files.read(path, includer, system);
        found.push(Found { path: path.into(), includer: includer.into(), system, file: file.clone() });
        file
    }
    fn searched(&self, path: &str, includer: &str, system: bool) -> Vec<String> {
        self.files.searched(path, includer, system)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn devices_are_not_included() {
        let files = Files { headers: Vec::new(), directories: Vec::new() };
        let found = files.read("/dev/zero", "a.metal", false).map(|found| found.is_some());
        assert_eq!(found, Err("/dev/zero is not a file".into()));
    }
}

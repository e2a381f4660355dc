//! Included files, from the root of the repository.

use std::path::Path;

use msl::{FileProvider, IncludedFile};

pub struct Files;

impl FileProvider for Files {
    fn read(&self, path: &str, _includer: &str, _system: bool) -> Result<Option<IncludedFile>, String> {
        let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        if !full.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(full).map_err(|e| e.to_string())?;
        Ok(Some(IncludedFile { name: path.to_owned(), text: text.into() }))
    }
}

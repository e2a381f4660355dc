//! Machine code on disk, by the hash of all it was made of.
//!
//! One file per entry, written beside and moved in place, so that readers see all of it or
//! nothing; whatever is damaged counts as absent. When the files exceed a limit, those not used
//! for longest go first. Every failure of the file system means "no cache" and nothing else.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::env;

/// First bytes of a file; the number changes with the format of entries.
const MAGIC: &[u8; 8] = b"pymtlc03";
const EXTENSION: &str = "kernel";
const DEFAULT_LIMIT: u64 = 256 << 20;
/// The size is looked at once per so many new entries.
const TRIM_INTERVAL: u64 = 32;

pub struct Cache {
    directory: Option<PathBuf>,
    limit: u64,
    written: AtomicU64,
}

/// Names an entry: 128 bits of hash.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key(String);

impl Key {
    /// Names something that is no entry itself: what a part of another key was made of.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// What [`Key::as_str`] gave.
    pub fn from_text(text: &str) -> Option<Key> {
        (text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))).then(|| Key(text.into()))
    }
    /// The key of everything that decides about the contents of an entry.
    pub fn of(parts: &[&[u8]]) -> Key {
        let half = |seed: u8| {
            let mut hasher = DefaultHasher::new();
            hasher.write_u8(seed);
            for part in parts {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
            hasher.finish()
        };
        Key(format!("{:016x}{:016x}", half(1), half(2)))
    }
}

impl Cache {
    /// Where `PYMETALLIC_CACHE_DIR` says, or among the caches of the user.
    pub fn of_user() -> Cache {
        let directory = match env::CACHE_DIR.get() {
            Some(path) if path.is_empty() => None,
            Some(path) => Some(PathBuf::from(path)),
            None => user_caches().map(|caches| caches.join("pymetallic")),
        };
        let limit = env::CACHE_SIZE.get().and_then(|v| v.parse().ok()).unwrap_or(DEFAULT_LIMIT);
        Cache::at(directory, limit)
    }

    pub fn at(directory: Option<PathBuf>, limit: u64) -> Cache {
        Cache { directory: directory.filter(|_| limit > 0), limit, written: AtomicU64::new(0) }
    }

    pub fn is_enabled(&self) -> bool {
        self.directory.is_some()
    }

    pub fn get(&self, key: &Key) -> Option<Vec<u8>> {
        let path = self.path(key)?;
        let mut bytes = std::fs::read(&path).ok()?;
        let header = bytes.get(..16)?;
        if &header[..8] != MAGIC || header[8..] != checksum(key, &bytes[16..]).to_le_bytes() {
            let _ = std::fs::remove_file(&path);
            return None;
        }
        bytes.drain(..16);
        // Marks the entry as used.
        if let Ok(file) = std::fs::File::options().append(true).open(&path) {
            let _ = file.set_modified(SystemTime::now());
        }
        Some(bytes)
    }

    pub fn put(&self, key: &Key, bytes: &[u8]) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let Some(path) = self.path(key) else { return };
        let Some(directory) = path.parent() else { return };
        let name = format!("{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let temporary = directory.join(name);
        let mut contents = Vec::with_capacity(bytes.len() + 16);
        contents.extend(MAGIC);
        contents.extend(checksum(key, bytes).to_le_bytes());
        contents.extend(bytes);
        let result = std::fs::create_dir_all(directory)
            .and_then(|()| std::fs::write(&temporary, contents))
            .and_then(|()| std::fs::rename(&temporary, &path));
        if result.is_err() {
            let _ = std::fs::remove_file(&temporary);
            return;
        }
        if self.written.fetch_add(1, Ordering::Relaxed).is_multiple_of(TRIM_INTERVAL) {
            trim(directory, self.limit);
        }
    }

    fn path(&self, key: &Key) -> Option<PathBuf> {
        Some(self.directory.as_ref()?.join(&key.0).with_extension(EXTENSION))
    }
}

/// The key is part of it: an entry in the place of another is damage.
fn checksum(key: &Key, bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key.0.as_bytes());
    hasher.write(bytes);
    hasher.finish()
}

fn user_caches() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    from("XDG_CACHE_HOME").filter(|p| p.is_absolute()).or_else(|| from("HOME").map(|home| home.join(".cache")))
}

/// Removes the entries not used for longest until the rest takes three quarters of the limit.
fn trim(directory: &Path, limit: u64) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    let mut files: Vec<_> = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|e| e == EXTENSION || e == "tmp"))
        .filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        })
        .collect();
    let mut size: u64 = files.iter().map(|(_, length, _)| length).sum();
    if size <= limit {
        return;
    }
    files.sort();
    for (_, length, path) in files {
        if size <= limit / 4 * 3 {
            break;
        }
        // Another process may have removed it already.
        let _ = std::fs::remove_file(path);
        size -= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("metallic-cache-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    #[test]
    fn entries_come_back_and_damaged_ones_do_not() {
        let at = directory("damage");
        let cache = Cache::at(Some(at.clone()), 1 << 20);
        let key = Key::of(&[b"a", b"b"]);
        assert_ne!(key, Key::of(&[b"ab", b""]));
        assert_eq!(cache.get(&key), None);
        cache.put(&key, b"machine code");
        assert_eq!(cache.get(&key).as_deref(), Some(&b"machine code"[..]));
        let path = cache.path(&key).unwrap();
        for damage in [&b""[..], b"pymtlc03", b"pymtlc02........machine code"] {
            std::fs::write(&path, damage).unwrap();
            assert_eq!(cache.get(&key), None);
        }
        cache.put(&key, b"machine code");
        let other = Key::of(&[b"other"]);
        std::fs::rename(&path, cache.path(&other).unwrap()).unwrap();
        assert_eq!(cache.get(&other), None);
        let _ = std::fs::remove_dir_all(at);
    }

    #[test]
    fn the_size_is_bounded() {
        let at = directory("size");
        let cache = Cache::at(Some(at.clone()), 10_000);
        for i in 0..=TRIM_INTERVAL {
            cache.put(&Key::of(&[&i.to_le_bytes()]), &[0; 1000]);
        }
        let files = std::fs::read_dir(&at).unwrap().count();
        assert!(files <= 8, "{files} files are left");
        let _ = std::fs::remove_dir_all(at);
    }

    #[test]
    fn an_unwritable_directory_is_no_cache() {
        let cache = Cache::at(Some(PathBuf::from("/proc/nowhere")), 1 << 20);
        cache.put(&Key::of(&[b"x"]), b"y");
        assert_eq!(cache.get(&Key::of(&[b"x"])), None);
        assert!(!Cache::at(None, 1).is_enabled());
    }
}

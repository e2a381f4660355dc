//! Counts native objects that were released because their Python objects died.

use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::prelude::*;

static RELEASED: AtomicU64 = AtomicU64::new(0);

/// A field of every class whose objects own something native. It dies with them.
#[derive(Default)]
pub struct CountRelease;

impl Drop for CountRelease {
    fn drop(&mut self) {
        RELEASED.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many native objects (of all classes but Device) were released when their Python objects died.
#[pyfunction]
pub fn released_objects() -> u64 {
    RELEASED.load(Ordering::Relaxed)
}

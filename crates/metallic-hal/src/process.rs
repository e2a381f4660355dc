//! Whether this process is the one in which devices were opened.
//!
//! A `fork` copies memory, but neither the threads of a device nor what a driver knows of the process;
//! locks that other threads held stay locked for ever. So devices do not survive it: whoever is about to
//! use one asks [`is_forked`] first and reports an error instead of waiting for what will not come.

use std::sync::atomic::{AtomicBool, Ordering};

static IS_FORKED: AtomicBool = AtomicBool::new(false);

/// Called before anything that does not survive a `fork` exists: from now on forks are noticed.
pub fn watch() {
    #[cfg(unix)]
    {
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| {
            // SAFETY: the handler only stores to an atomic, which is allowed after a fork.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
    }
}

#[cfg(unix)]
unsafe extern "C" fn in_child() {
    IS_FORKED.store(true, Ordering::Relaxed);
}

/// Whether this process was forked from one that called [`watch`].
pub fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

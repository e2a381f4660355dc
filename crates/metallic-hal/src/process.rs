//! Whether this process is the one in which devices were opened.
//!
//! A `fork` copies memory, but neither the threads of a device nor what a driver knows of the process;
//! locks that other threads held stay locked for ever. So devices do not survive it: whoever is about to
//! use one asks [`is_forked`] first and reports an error instead of waiting for what will not come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

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

/// What [`at_exit`] was given.
static AT_EXIT: Mutex<Vec<extern "C" fn()>> = Mutex::new(Vec::new());

/// Has `f` called before the process ends or before, by whoever knows that it is about to ([`exit`]); perhaps more than once.
pub fn at_exit(f: extern "C" fn()) {
    watch();
    let mut all = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner);
    if all.is_empty() {
        #[cfg(unix)]
        // SAFETY: the function may be called at any time.
        unsafe {
            libc::atexit(call_at_exit);
        }
    }
    all.push(f);
}

/// The process is about to end: calls what was given to [`at_exit`].
pub fn exit() {
    // A child of a fork may have the lock of a thread that it has not.
    if is_forked() {
        return;
    }
    let all = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.into_iter().for_each(|f| f());
}

#[cfg(unix)]
extern "C" fn call_at_exit() {
    exit();
}

#[cfg(unix)]
unsafe extern "C" fn in_child() {
    IS_FORKED.store(true, Ordering::Relaxed);
}

/// Whether this process was forked from one that called [`watch`].
pub fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

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

/// What [`at_exit`] and [`at_end`] were given.
static AT_EXIT: Mutex<Vec<(Stage, extern "C" fn())>> = Mutex::new(Vec::new());
static IS_PROMISED: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Exit,
    End,
}

/// Has `f` called when the process is about to end ([`exit`]); perhaps more than once. Nothing that goes on by itself
/// may begin after it.
pub fn at_exit(f: extern "C" fn()) {
    register(Stage::Exit, f);
}

/// Has `f` called when nobody has use for us any longer ([`end`]); perhaps more than once. Nothing at all may begin after it.
pub fn at_end(f: extern "C" fn()) {
    register(Stage::End, f);
}

fn register(stage: Stage, f: extern "C" fn()) {
    watch();
    AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).push((stage, f));
    // Each time: what others register in between is to go later.
    #[cfg(unix)]
    // SAFETY: the function may be called at any time.
    unsafe {
        libc::atexit(call_at_exit);
    }
}

/// From now on [`exit`] and [`end`] will be called before the C library's exit functions. Those alone come too late for
/// threads at work in libraries in C++: what such a library made after ours was registered is destroyed before.
pub fn promise_exit() {
    IS_PROMISED.store(true, Ordering::Relaxed);
}

/// Whether there was such a promise, so that threads may work on what nobody waits for.
pub fn is_exit_promised() -> bool {
    IS_PROMISED.load(Ordering::Relaxed)
}

/// The process is about to end: calls what was given to [`at_exit`]. Devices can still be used.
pub fn exit() {
    call(Stage::Exit);
}

/// The process ends, and whoever used devices is gone: calls what was given to [`at_exit`] and [`at_end`].
pub fn end() {
    call(Stage::Exit);
    call(Stage::End);
}

fn call(stage: Stage) {
    // A child of a fork may have the lock of a thread that it has not.
    if is_forked() {
        return;
    }
    let all = AT_EXIT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    all.into_iter().filter(|(s, _)| *s == stage).for_each(|(_, f)| f());
}

#[cfg(unix)]
extern "C" fn call_at_exit() {
    end();
}

#[cfg(unix)]
unsafe extern "C" fn in_child() {
    IS_FORKED.store(true, Ordering::Relaxed);
}

/// Whether this process was forked from one that called [`watch`].
pub fn is_forked() -> bool {
    IS_FORKED.load(Ordering::Relaxed)
}

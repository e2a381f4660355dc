//! The end of the interpreter, while threads of the runtime are still at work.
//!
//! A thread that wants to run Python code when the interpreter goes away would be stopped for ever in the middle of
//! its work. So, when Python calls its exit functions, handlers that run are waited for and no new ones start.
//! Code that is being made for later is waited for as well. Exit functions that come after ours may still use devices;
//! when the interpreter is gone and the C library's exit functions are to come, nobody does: the compiler is closed.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::ffi;
use pyo3::prelude::*;

static IS_OVER: AtomicBool = AtomicBool::new(false);
static RUNNING: AtomicUsize = AtomicUsize::new(0);

/// How long a handler that runs is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `f` with the interpreter, from a thread of the runtime; not at all when Python is about to exit.
pub fn call_back(f: impl FnOnce(Python<'_>)) {
    RUNNING.fetch_add(1, Ordering::SeqCst);
    // Announced first and looked at then; `_shutdown` does it the other way round, so one sees the other.
    if !IS_OVER.load(Ordering::SeqCst) {
        Python::try_attach(f);
    }
    RUNNING.fetch_sub(1, Ordering::SeqCst);
}

/// Sees to it that all this happens.
pub fn install(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let shutdown = wrap_pyfunction!(_shutdown, module)?;
    module.py().import("atexit")?.call_method1("register", (shutdown,))?;
    // SAFETY: the interpreter is attached; the function neither needs it nor unwinds.
    if unsafe { ffi::Py_AtExit(Some(end)) } == 0 {
        metallic::hal::process::promise_exit();
    }
    Ok(())
}

/// Called when the interpreter is gone.
extern "C" fn end() {
    metallic::hal::process::end();
}

/// Called by `atexit`.
#[pyfunction]
fn _shutdown(py: Python<'_>) {
    IS_OVER.store(true, Ordering::SeqCst);
    // A child of a fork has none of the threads that were counted.
    if metallic::hal::process::is_forked() {
        return;
    }
    py.detach(|| {
        let start = Instant::now();
        while RUNNING.load(Ordering::SeqCst) > 0 && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_micros(200));
        }
        metallic::hal::process::exit();
    });
}

//! A fake of Metal: enough of the Objective-C runtime, of Foundation and of Metal to run the device
//! against, where there is neither.
//!
//! Objects count their references; whatever is used after its end, released too often, autoreleased without
//! a pool or never released is found. Command buffers run on a thread per queue and move real bytes;
//! kernels are closures of the test, by name. Nothing is validated that Metal itself does not need to
//! work: what the device promises beyond Metal is for the tests to check.

pub mod commands;
pub mod foundation;
pub mod resources;
pub mod runtime;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use commands::add_kernel;
pub use resources::Kind;

static SESSION: Mutex<()> = Mutex::new(());

/// Exclusive use of the fake. Dropped, it checks that every object has been released.
pub struct Session {
    _guard: MutexGuard<'static, ()>,
}

/// A machine of a kind, with nothing on it.
pub fn session(kind: Kind) -> Session {
    let guard = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
    runtime::take_log();
    runtime::reset();
    resources::set_kind(kind);
    Session { _guard: guard }
}

impl Drop for Session {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // Threads of queues let go of their last objects on their own time.
        let start = Instant::now();
        while !runtime::live().is_empty() && start.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(runtime::live(), Vec::<String>::new(), "objects were never released");
        assert_eq!(runtime::violations(), Vec::<String>::new());
    }
}

//! Waiting for what may take long: the interpreter is left to other threads meanwhile, Ctrl-C interrupts.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::error::ToPython;

/// How often a waiting thread looks for signals.
const INTERVAL: Duration = Duration::from_millis(20);

/// Calls `attempt`, which waits for at most the time it is given, until it says that it is done. Between two calls
/// the handlers of signals run; an exception of one (`KeyboardInterrupt`) ends the wait, and nothing else.
pub fn wait(py: Python<'_>, attempt: impl Fn(Duration) -> metallic::Result<bool> + Sync) -> PyResult<()> {
    // The first attempt is enough in almost all cases.
    while !py.detach(|| attempt(INTERVAL)).python()? {
        py.check_signals()?;
    }
    Ok(())
}

/// The same, for at most `timeout`; whether it is done.
pub fn wait_timeout(py: Python<'_>, timeout: Duration, attempt: impl Fn(Duration) -> bool + Sync) -> PyResult<bool> {
    let start = Instant::now();
    loop {
        let left = timeout.saturating_sub(start.elapsed());
        if py.detach(|| attempt(left.min(INTERVAL))) {
            return Ok(true);
        }
        py.check_signals()?;
        if start.elapsed() >= timeout {
            return Ok(false);
        }
    }
}

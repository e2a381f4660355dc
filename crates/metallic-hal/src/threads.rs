//! Threads for work that may block: driving queues and running completion handlers.
//!
//! A thread that finishes waits a few seconds for more work before it ends, so a burst of work
//! starts few threads and an idle process keeps none.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

type Work = Box<dyn FnOnce() + Send>;

struct State {
    waiting: VecDeque<Work>,
    idle: usize,
}

static STATE: Mutex<State> = Mutex::new(State { waiting: VecDeque::new(), idle: 0 });
static READY: Condvar = Condvar::new();
const IDLE_TIME: Duration = Duration::from_secs(5);

/// Runs `work` on another thread, soon. It runs here when the system has no thread left to give.
pub fn spawn(work: impl FnOnce() + Send + 'static) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    state.waiting.push_back(Box::new(work));
    if state.idle >= state.waiting.len() {
        READY.notify_one();
        return;
    }
    drop(state);
    if std::thread::Builder::new().name("metallic-queue".into()).spawn(serve).is_err() {
        let work = STATE.lock().unwrap_or_else(PoisonError::into_inner).waiting.pop_front();
        if let Some(work) = work {
            work();
        }
    }
}

fn serve() {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(work) = state.waiting.pop_front() {
            drop(state);
            // A panic is the work's own failure and must not end the thread.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        state.idle += 1;
        let (back, timeout) = READY.wait_timeout(state, IDLE_TIME).unwrap_or_else(PoisonError::into_inner);
        state = back;
        state.idle -= 1;
        if timeout.timed_out() && state.waiting.is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    #[test]
    fn works_that_wait_for_each_other_all_run() {
        let barrier = Arc::new(Barrier::new(5));
        for _ in 0..4 {
            let barrier = barrier.clone();
            super::spawn(move || {
                barrier.wait();
            });
        }
        barrier.wait();
    }
}

//! Events: a counter that command lists and the host signal and wait for (`MTLSharedEvent`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

type Callback = Box<dyn FnOnce() + Send>;

/// A value that only grows.
#[derive(Default)]
pub struct Event {
    value: AtomicU64,
    waiters: Mutex<Vec<(u64, Callback)>>,
    signaled: Condvar,
}

impl Event {
    pub fn new() -> Event {
        Event::default()
    }
    pub fn value(&self) -> u64 {
        self.value.load(Ordering::Acquire)
    }

    /// Raises the value (a smaller one changes nothing) and runs what waited for it.
    pub fn signal(&self, value: u64) {
        let mut waiters = self.lock();
        // The lock keeps others from raising it in between. (Not by `fetch_max`: ThreadSanitizer does not know that.)
        let reached = value.max(self.value());
        self.value.store(reached, Ordering::Release);
        let mut ready = Vec::new();
        let mut i = 0;
        while i < waiters.len() {
            if waiters[i].0 <= reached { ready.push(waiters.remove(i).1) } else { i += 1 }
        }
        drop(waiters);
        self.signaled.notify_all();
        for callback in ready {
            callback();
        }
    }

    /// Calls `callback` when the value has been reached: now, or from the thread that signals it.
    pub fn notify(&self, value: u64, callback: impl FnOnce() + Send + 'static) {
        let mut waiters = self.lock();
        if self.value() >= value {
            drop(waiters);
            callback();
        } else {
            waiters.push((value, Box::new(callback)));
        }
    }

    /// Blocks until the value has been reached; false when the time is over first.
    pub fn wait(&self, value: u64, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|t| Instant::now().checked_add(t));
        let mut waiters = self.lock();
        while self.value() < value {
            waiters = match deadline {
                None => self.signaled.wait(waiters).unwrap_or_else(|e| e.into_inner()),
                Some(deadline) => {
                    let Some(left) = deadline.checked_duration_since(Instant::now()) else { return false };
                    self.signaled.wait_timeout(waiters, left).unwrap_or_else(|e| e.into_inner()).0
                }
            };
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, Callback)>> {
        self.waiters.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn callbacks_run_once_their_value_is_reached() {
        let event = Event::new();
        let seen = Arc::new(AtomicU64::new(0));
        for value in [1, 3] {
            let seen = seen.clone();
            event.notify(value, move || {
                seen.fetch_add(value, Ordering::Relaxed);
            });
        }
        event.signal(2);
        assert_eq!(seen.load(Ordering::Relaxed), 1);
        event.signal(1);
        assert_eq!(event.value(), 2);
        event.signal(3);
        assert_eq!(seen.load(Ordering::Relaxed), 4);
        assert!(event.wait(3, None));
        assert!(!event.wait(4, Some(Duration::from_millis(1))));
    }
}

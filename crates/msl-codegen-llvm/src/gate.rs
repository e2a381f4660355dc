//! Who is in LLVM, and the end of that.
//!
//! When a process ends, what LLVM consists of is torn down, whoever uses it: threads are not stopped before. Whoever knows
//! that the end is near calls [`close`] first. It waits for those who are in LLVM; whoever comes later gets an error.
//! Code that was made runs on: nothing of LLVM is in it.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, PoisonError};

use crate::CodegenError;

/// See the module. There is one for the process; others are for tests.
struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

struct State {
    inside: usize,
    is_closed: bool,
}

static GATE: Gate = Gate::new();

thread_local! {
    /// How many of those inside are this thread.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// Somebody in LLVM, who leaves when this is dropped, on the same thread.
pub(crate) struct Inside {
    gate: &'static Gate,
    /// It stays on its thread.
    _here: std::marker::PhantomData<*const ()>,
}

/// Lets the calling thread in.
pub(crate) fn enter() -> Result<Inside, CodegenError> {
    GATE.enter()
}

/// The process ends: waits until no other thread is in LLVM, and lets none in again.
pub fn close() {
    GATE.close();
}

impl Gate {
    const fn new() -> Gate {
        Gate { state: Mutex::new(State { inside: 0, is_closed: false }), left: Condvar::new() }
    }

    fn enter(&'static self) -> Result<Inside, CodegenError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.is_closed {
            return Err(CodegenError::Llvm("the process is ending".into()));
        }
        state.inside += 1;
        HERE.set(HERE.get() + 1);
        Ok(Inside { gate: self, _here: std::marker::PhantomData })
    }

    fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_closed = true;
        // LLVM itself may end the process, in the middle of what this thread asked it for.
        while state.inside > HERE.get() {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.gate.state.lock().unwrap_or_else(PoisonError::into_inner).inside -= 1;
        HERE.set(HERE.get() - 1);
        self.gate.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn closing_waits_for_others_and_lets_nobody_in() {
        static GATE: Gate = Gate::new();
        let (send, told) = channel();
        let (may_leave, wait) = channel::<()>();
        let (is_inside, inside) = channel();
        std::thread::scope(|scope| {
            let leave = send.clone();
            scope.spawn(move || {
                let _inside = GATE.enter().unwrap();
                is_inside.send(()).unwrap();
                wait.recv().unwrap();
                leave.send("left").unwrap();
            });
            inside.recv().unwrap();
            scope.spawn(move || {
                GATE.close();
                send.send("closed").unwrap();
            });
            // The gate is closed for newcomers while the one inside is waited for.
            while GATE.enter().is_ok() {
                std::thread::yield_now();
            }
            may_leave.send(()).unwrap();
        });
        assert_eq!(told.iter().collect::<Vec<_>>(), ["left", "closed"]);
        assert!(GATE.enter().is_err());
    }

    #[test]
    fn whoever_closes_does_not_wait_for_himself() {
        static GATE: Gate = Gate::new();
        let _outer = GATE.enter().unwrap();
        let _inner = GATE.enter().unwrap();
        GATE.close();
        assert!(GATE.enter().is_err());
    }
}

//! With what code kernels start: code that is made well, or at first code that is made quickly.
//!
//! Good code takes LLVM five times as long as code that is up to six times slower. A kernel may start with the
//! latter, while a thread makes the former; it takes over at the next threadgroup, or after so many that a slice of time
//! is over ([`crate::encoder`]). Both give the same results to the bit, in fast mode as well, so nobody can tell when
//! that was. The thread has no lower priority than others: whoever runs a kernel waits for what it makes.
//!
//! At the end of the process the thread is waited for and starts nothing more: LLVM must not be in use when
//! what it consists of is torn down. Where a process ends by `exit` alone that comes too late for what LLVM made after
//! [`finish`] was registered, and the process may crash at its very end. So this is the default only where somebody has
//! promised to say in time that the process ends ([`process::promise_exit`]), as the Python package does; others ask for
//! it, and call [`process::exit`] before they leave.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};

use metallic_hal::{Error, Result, env, process, threads};

use crate::pipeline::Variant;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Kernels wait for good code.
    Well,
    /// Good code takes over when it is ready.
    Quickly,
    /// It never does.
    OnlyQuickly,
    /// The thread that runs a kernel makes good code after so many threadgroups.
    QuicklyFor(u64),
}

impl Start {
    /// What the environment asks for.
    pub fn of_environment() -> Result<Start> {
        let value = env::QUICK.get().unwrap_or_default();
        match value.trim() {
            "" if process::is_exit_promised() => Ok(Start::Quickly),
            "" | "off" => Ok(Start::Well),
            "on" => Ok(Start::Quickly),
            "only" => Ok(Start::OnlyQuickly),
            number => number.parse().map(Start::QuicklyFor).map_err(|_| {
                Error::Device(format!(
                    "{}: `{number}` is none of on, off, only and a number of threadgroups",
                    env::QUICK.name
                ))
            }),
        }
    }
}

/// A variant that is gone before its turn has come is forgotten, unless it ran so many threadgroups: who makes a
/// pipeline for each dispatch finds good code on disk, then.
const USED: u64 = 256;

struct State {
    waiting: VecDeque<Arc<Variant>>,
    /// Threads that make code.
    running: usize,
    is_over: bool,
}

static STATE: Mutex<State> = Mutex::new(State { waiting: VecDeque::new(), running: 0, is_over: false });
static ENDED: Condvar = Condvar::new();

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has good code made for a variant, on one thread for the process.
pub(crate) fn improve_later(variant: &Arc<Variant>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| process::at_exit(finish));
    let mut state = state();
    if state.is_over {
        return;
    }
    state.waiting.push_back(variant.clone());
    if state.running == 0 {
        state.running = 1;
        drop(state);
        threads::spawn(serve);
    }
}

/// Puts a variant that runs before others that wait.
pub(crate) fn improve_next(variant: &Variant) {
    let mut state = state();
    let at = state.waiting.iter().position(|v| std::ptr::eq(&**v, variant));
    if let Some(job) = at.filter(|at| *at > 0).and_then(|at| state.waiting.remove(at)) {
        state.waiting.push_front(job);
    }
}

thread_local! {
    /// Whether this is the thread that makes code.
    static IS_MAKER: Cell<bool> = const { Cell::new(false) };
}

fn serve() {
    IS_MAKER.set(true);
    make_all();
    // The thread has other work as well.
    IS_MAKER.set(false);
}

fn make_all() {
    loop {
        let variant = {
            let mut state = state();
            let Some(variant) = state.waiting.pop_front() else {
                state.running = 0;
                ENDED.notify_all();
                return;
            };
            variant
        };
        let is_used = Arc::strong_count(&variant) > 1 || variant.groups() >= USED;
        // A panic is our own mistake; the kernel keeps the code it has.
        if is_used && catch_unwind(AssertUnwindSafe(|| variant.improve())).is_err() {
            variant.stay();
        }
    }
}

/// Called at the end of the process.
extern "C" fn finish() {
    // A child of a fork has none of the threads, and perhaps the lock of one.
    if process::is_forked() {
        return;
    }
    let mut state = state();
    state.is_over = true;
    // What they are made of goes with the process.
    std::mem::take(&mut state.waiting).into_iter().for_each(std::mem::forget);
    // However long it takes, which is no longer than others may wait for a kernel: the code of large ones is not made here.
    // LLVM itself may end the process, on the thread that makes code.
    while state.running > 0 && !IS_MAKER.get() {
        state = ENDED.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

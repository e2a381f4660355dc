//! A queue for devices that execute on the host.
//!
//! Command lists run one after another; whoever *drives* the queue runs them. That is a thread of
//! the device's choice ([`Executor::schedule`]) or, to save the hand-over, a thread that waits for
//! one of the lists. A list that waits for an event blocks its queue but no thread.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{
    Command, CommandList, Completion, Fault, OnComplete, Queue, Submission, Times, history, threads, timestamp,
};

/// How a device executes one command.
pub trait Executor: Send + Sync + 'static {
    /// Any command but those about events.
    fn execute(&self, command: &Command) -> Result<(), Fault>;
    /// Waits for everything executed so far, whose results are then visible to the host and to other
    /// queues. Called before a list signals or awaits an event and at its end; for devices that execute
    /// without waiting. A fault is that of an earlier command.
    fn flush(&self) -> Result<(), Fault> {
        Ok(())
    }
    /// Has [`SerialQueue::drive`] called soon by another thread.
    fn schedule(&self, queue: Arc<SerialQueue>) {
        threads::spawn(move || queue.drive());
    }
    /// Whether [`Executor::schedule`] has a thread to count on; without, waiting threads do all the work.
    fn has_threads(&self) -> bool {
        true
    }
    /// Whether threads that [`Executor::schedule`] uses may be held up by completion handlers.
    fn may_run_handlers(&self) -> bool {
        true
    }
    /// Lends the calling thread, which waits, to the device for a moment; false when there is nothing to do.
    fn help(&self) -> bool {
        false
    }
}

/// See the module.
pub struct SerialQueue {
    executor: Arc<dyn Executor>,
    inner: Mutex<Inner>,
    this: std::sync::Weak<SerialQueue>,
}

struct Inner {
    pending: VecDeque<Arc<HostSubmission>>,
    /// Whether some thread runs the first list, or an event holds it up.
    is_busy: bool,
}

struct HostSubmission {
    queue: Arc<SerialQueue>,
    /// Of lists alike; `None` for one that takes no time.
    history: Option<history::Key>,
    /// Taken by the thread that drives the queue; put back when an event holds it up.
    work: Mutex<Option<Work>>,
    done: AtomicBool,
    parked: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
}

struct Work {
    list: CommandList,
    next: usize,
    start: f64,
    on_complete: OnComplete,
}

/// How far a list came.
enum Progress {
    Done { on_complete: OnComplete, completion: Completion, has_handlers: bool },
    Blocked(Arc<crate::Event>, u64),
}

/// How long a waiting thread spins before it parks.
const SPIN: Duration = Duration::from_micros(40);
/// What a thread in [`Submission::wait_timeout`] takes upon itself.
const SHORT: Duration = Duration::from_millis(10);

impl SerialQueue {
    pub fn new(executor: Arc<dyn Executor>) -> Arc<SerialQueue> {
        Arc::new_cyclic(|this| SerialQueue {
            executor,
            inner: Mutex::new(Inner { pending: VecDeque::new(), is_busy: false }),
            this: this.clone(),
        })
    }

    /// Runs lists until none is left that can run.
    pub fn drive(&self) {
        self.drive_until(None, false);
    }

    /// Runs lists until `last` is complete. The caller is a waiting thread when there is a `last`, one that
    /// leaves what may take long to others when it `is_hasty`.
    fn drive_until(&self, last: Option<&HostSubmission>, is_hasty: bool) {
        let mut has_driven = false;
        loop {
            let submission = {
                let mut inner = self.lock();
                if inner.is_busy {
                    return;
                }
                let Some(first) = inner.pending.front().cloned() else { return };
                // Others have been told of the list already, by `submit` or below. But if this thread has driven
                // the queue since, they came, found it busy and left.
                if is_hasty && !first.is_short() && self.executor.has_threads() {
                    drop(inner);
                    if has_driven {
                        self.schedule();
                    }
                    return;
                }
                inner.is_busy = true;
                has_driven = true;
                first
            };
            match submission.run(&*self.executor) {
                Progress::Blocked(event, value) => {
                    let this = self.this.clone();
                    event.notify(value, move || {
                        if let Some(queue) = this.upgrade() {
                            queue.lock().is_busy = false;
                            queue.executor.schedule(queue.clone());
                        }
                    });
                    return;
                }
                Progress::Done { on_complete, completion, has_handlers } => {
                    let has_more = {
                        let mut inner = self.lock();
                        inner.pending.pop_front();
                        inner.is_busy = false;
                        !inner.pending.is_empty()
                    };
                    let is_last = last.is_some_and(|last| std::ptr::eq(last, &*submission));
                    // The thread that waits for this list leaves the rest to others; do not let
                    // them wait for its handlers.
                    if is_last && has_more {
                        self.schedule();
                    }
                    if has_handlers && last.is_none() && !self.executor.may_run_handlers() {
                        threads::spawn(move || submission.complete(on_complete, completion));
                        continue;
                    }
                    submission.complete(on_complete, completion);
                    if is_last {
                        return;
                    }
                }
            }
        }
    }

    fn schedule(&self) {
        if let Some(this) = self.this.upgrade() {
            self.executor.schedule(this);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue for SerialQueue {
    fn submit(&self, list: CommandList, on_complete: OnComplete) -> Arc<dyn Submission> {
        let submission = Arc::new(HostSubmission {
            queue: self.this.upgrade().expect("the queue is borrowed from its `Arc`"),
            history: history::Key::of(&list.commands),
            work: Mutex::new(Some(Work { list, next: 0, start: f64::NAN, on_complete })),
            done: AtomicBool::new(false),
            parked: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let mut inner = self.lock();
        let is_first = inner.pending.is_empty() && !inner.is_busy;
        inner.pending.push_back(submission.clone());
        drop(inner);
        if is_first {
            self.schedule();
        }
        submission
    }
}

impl HostSubmission {
    /// Whether lists like this one are known to be done soon.
    fn is_short(&self) -> bool {
        self.history.is_none_or(|key| key.estimate().is_some_and(|time| time <= SHORT))
    }

    /// Called by the thread that drives the queue, so by one at a time.
    fn run(&self, executor: &dyn Executor) -> Progress {
        let mut slot = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mut work = slot.take().expect("a pending list has its work");
        if work.next == 0 {
            work.start = timestamp();
        }
        let started = Instant::now();
        let mut result = Ok(());
        while let Some(command) = work.list.commands.get(work.next) {
            result = match command {
                Command::SignalEvent { event, value } => {
                    let flushed = flush(executor);
                    if flushed.is_ok() {
                        event.signal(*value);
                    }
                    flushed
                }
                Command::WaitEvent { event, value } => {
                    let flushed = flush(executor);
                    if flushed.is_ok() && event.value() < *value {
                        let progress = Progress::Blocked(event.clone(), *value);
                        *slot = Some(work);
                        return progress;
                    }
                    flushed
                }
                command => catch_unwind(AssertUnwindSafe(|| executor.execute(command)))
                    .unwrap_or_else(|panic| Err(internal_error(&*panic))),
            };
            if result.is_err() {
                break;
            }
            work.next += 1;
        }
        // A fault that only shows now is of an earlier command than one that was known.
        let result = flush(executor).and(result);
        let completion = Completion { result, times: Times::known(work.start, timestamp()) };
        if let Some(key) = self.history {
            key.took(started.elapsed());
        }
        let has_handlers = work.list.has_handlers;
        drop(work.list);
        Progress::Done { on_complete: work.on_complete, completion, has_handlers }
    }

    fn complete(&self, on_complete: OnComplete, completion: Completion) {
        // Nobody is there to catch a panicking handler.
        let _ = catch_unwind(AssertUnwindSafe(|| on_complete(completion)));
        self.done.store(true, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
    }
}

impl Submission for HostSubmission {
    fn is_completed(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    fn wait(&self) {
        if self.is_completed() {
            return;
        }
        self.queue.drive_until(Some(self), false);
        let start = Instant::now();
        while !self.is_completed() {
            if self.queue.executor.help() {
                continue;
            }
            if start.elapsed() > SPIN {
                break;
            }
            std::hint::spin_loop();
        }
        // The queue may have become free since: it was held up by an event, or its driver left.
        if !self.is_completed() {
            self.queue.drive_until(Some(self), false);
        }
        self.park(None);
    }

    fn wait_timeout(&self, timeout: Duration) -> bool {
        if self.is_completed() {
            return true;
        }
        let start = Instant::now();
        self.queue.drive_until(Some(self), true);
        while !self.is_completed() && start.elapsed() < SPIN.min(timeout) {
            std::hint::spin_loop();
        }
        self.is_completed() || self.park(start.checked_add(timeout))
    }
}

impl HostSubmission {
    /// Sleeps until it is complete, or until the deadline; whether it is complete.
    fn park(&self, deadline: Option<Instant>) -> bool {
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.parked.fetch_add(1, Ordering::SeqCst);
        let mut is_done = self.done.load(Ordering::SeqCst);
        while !is_done {
            guard = match deadline {
                None => self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let Some(left) = deadline.checked_duration_since(Instant::now()) else { break };
                    self.wake.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            is_done = self.done.load(Ordering::SeqCst);
        }
        self.parked.fetch_sub(1, Ordering::SeqCst);
        is_done
    }
}

fn flush(executor: &dyn Executor) -> Result<(), Fault> {
    catch_unwind(AssertUnwindSafe(|| executor.flush())).unwrap_or_else(|panic| Err(internal_error(&*panic)))
}

fn internal_error(panic: &(dyn std::any::Any + Send)) -> Fault {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Fault::new(format!("internal error: {}", text.unwrap_or("panic")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Event, HostBuffer, StorageMode, transfer};
    use std::sync::atomic::AtomicU32;

    struct Host;
    impl Executor for Host {
        fn execute(&self, command: &Command) -> Result<(), Fault> {
            match command {
                Command::Synchronize { .. } => panic!("on purpose"),
                command => transfer::execute(command),
            }
        }
    }

    fn fill(value: u8) -> (Arc<dyn crate::Buffer>, Command) {
        let buffer = HostBuffer::make("test", 4, StorageMode::Shared).unwrap();
        (buffer.clone(), Command::FillBuffer { buffer, offset: 0, length: 4, value })
    }
    fn list(commands: Vec<Command>) -> CommandList {
        CommandList { commands, ..CommandList::default() }
    }

    #[test]
    fn lists_complete_with_and_without_a_waiting_thread() {
        let queue = SerialQueue::new(Arc::new(Host));
        let count = Arc::new(AtomicU32::new(0));
        let submit = || {
            let count = count.clone();
            queue.submit(
                list(vec![fill(1).1]),
                Box::new(move |completion| {
                    completion.result.unwrap();
                    count.fetch_add(1, Ordering::SeqCst);
                }),
            )
        };
        for _ in 0..100 {
            submit().wait();
        }
        let all: Vec<_> = (0..100).map(|_| submit()).collect();
        all.last().unwrap().wait();
        while !all.iter().all(|s| s.is_completed()) {
            std::thread::yield_now();
        }
        assert_eq!(count.load(Ordering::SeqCst), 200);
    }

    #[test]
    fn an_event_holds_up_its_queue_and_no_other() {
        let (first, second) = (SerialQueue::new(Arc::new(Host)), SerialQueue::new(Arc::new(Host)));
        let event = Arc::new(Event::new());
        let (buffer, command) = fill(9);
        let waits = Command::WaitEvent { event: event.clone(), value: 1 };
        let blocked = first.submit(list(vec![waits, command]), Box::new(|c| c.result.unwrap()));
        std::thread::sleep(Duration::from_millis(5));
        assert!(!blocked.is_completed());
        let signals = Command::SignalEvent { event, value: 1 };
        second.submit(list(vec![signals]), Box::new(|_| ())).wait();
        blocked.wait();
        let mut bytes = [0; 4];
        transfer::read_buffer(&*buffer, 0, &mut bytes);
        assert_eq!(bytes, [9; 4]);
    }

    /// An executor whose dispatches nobody but the thread that it gives may run.
    struct Slow {
        runner: Mutex<Vec<std::thread::ThreadId>>,
        has_threads: bool,
    }
    impl Executor for Slow {
        fn execute(&self, _: &Command) -> Result<(), Fault> {
            self.runner.lock().unwrap().push(std::thread::current().id());
            std::thread::sleep(Duration::from_millis(30));
            Ok(())
        }
        fn schedule(&self, queue: Arc<SerialQueue>) {
            if self.has_threads {
                threads::spawn(move || queue.drive());
            }
        }
        fn has_threads(&self) -> bool {
            self.has_threads
        }
    }

    #[test]
    fn a_wait_with_a_timeout_leaves_long_work_to_others() {
        let slow = Arc::new(Slow { runner: Mutex::default(), has_threads: true });
        let queue = SerialQueue::new(slow.clone());
        // Unlike those of other tests, which the table of times knows.
        let command = Command::FillBuffer { buffer: fill(1).0, offset: 0, length: 3, value: 1 };
        let submission = queue.submit(list(vec![command]), Box::new(|_| ()));
        let mut rounds = 0;
        while !submission.wait_timeout(Duration::from_millis(1)) {
            rounds += 1;
        }
        assert!(rounds >= 1);
        assert!(submission.is_completed() && submission.wait_timeout(Duration::ZERO));
        let me = std::thread::current().id();
        assert!(slow.runner.lock().unwrap().iter().all(|id| *id != me));
        // Nobody else is there: the wait does the work.
        let alone = Arc::new(Slow { runner: Mutex::default(), has_threads: false });
        let queue = SerialQueue::new(alone.clone());
        assert!(queue.submit(list(vec![fill(1).1]), Box::new(|_| ())).wait_timeout(Duration::from_millis(1)));
        assert_eq!(*alone.runner.lock().unwrap(), [me]);
    }

    /// An executor whose threads come at the worst time: while somebody else executes.
    #[derive(Default)]
    struct Late {
        asked: Mutex<Vec<Arc<SerialQueue>>>,
    }
    impl Late {
        /// How many threads came.
        fn come(&self) -> usize {
            let asked = std::mem::take(&mut *self.asked.lock().unwrap());
            asked.iter().for_each(|queue| queue.drive());
            asked.len()
        }
    }
    impl Executor for Late {
        fn execute(&self, _: &Command) -> Result<(), Fault> {
            self.come();
            Ok(())
        }
        fn schedule(&self, queue: Arc<SerialQueue>) {
            self.asked.lock().unwrap().push(queue);
        }
    }

    #[test]
    fn a_wait_with_a_timeout_leaves_no_list_to_nobody() {
        let late = Arc::new(Late::default());
        let queue = SerialQueue::new(late.clone());
        let fill_some = |length| list(vec![Command::FillBuffer { buffer: fill(1).0, offset: 0, length, value: 1 }]);
        // The lengths are those of no other test, and the time of only one is known.
        let short = fill_some(1);
        history::Key::of(&short.commands).unwrap().took(Duration::ZERO);
        let first = queue.submit(short, Box::new(|_| ()));
        let second = queue.submit(fill_some(2), Box::new(|_| ()));
        assert!(!second.wait_timeout(Duration::ZERO));
        assert!(first.is_completed() && !second.is_completed());
        assert_eq!(late.come(), 1);
        assert!(second.is_completed());
    }

    #[test]
    fn a_wait_with_a_timeout_ends_while_an_event_holds_up_the_queue() {
        let queue = SerialQueue::new(Arc::new(Host));
        let event = Arc::new(Event::new());
        let waits = Command::WaitEvent { event: event.clone(), value: 1 };
        let submission = queue.submit(list(vec![waits]), Box::new(|_| ()));
        assert!(!submission.wait_timeout(Duration::from_millis(2)));
        event.signal(1);
        while !submission.wait_timeout(Duration::from_millis(50)) {}
    }

    #[test]
    fn what_a_list_owns_is_released_before_it_completes() {
        let queue = SerialQueue::new(Arc::new(Host));
        let owned = Arc::new(());
        let (weak, seen) = (Arc::downgrade(&owned), Arc::new(AtomicBool::new(true)));
        let is_alive = seen.clone();
        let list = CommandList { owned: vec![Box::new(owned)], ..list(vec![fill(1).1]) };
        let on_complete = Box::new(move |_| is_alive.store(weak.upgrade().is_some(), Ordering::SeqCst));
        queue.submit(list, on_complete).wait();
        assert!(!seen.load(Ordering::SeqCst));
    }

    #[test]
    fn a_panic_in_a_command_is_a_fault() {
        let queue = SerialQueue::new(Arc::new(Host));
        let result = Arc::new(Mutex::new(None));
        let seen = result.clone();
        let command = Command::Synchronize { buffer: fill(0).0 };
        queue.submit(list(vec![command]), Box::new(move |c| *seen.lock().unwrap() = Some(c.result))).wait();
        let fault = result.lock().unwrap().take().unwrap().unwrap_err();
        assert_eq!(fault.message, "internal error: on purpose");
    }
}

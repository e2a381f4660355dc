//! Queues: command lists on their way to the GPU, and their completion.
//!
//! A list that the GPU can execute alone is handed to the driver by the thread that submits it. Others wait in a
//! backlog, with all behind them, for a thread that drives the queue. The end of a list is noticed by a thread that waits
//! for it, which asks for it again and again, or by a thread that watches the queue.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use metallic_hal::{
    Command, CommandList, Completion, Fault, OnComplete, Queue, Result, Submission, Times as LaterTimes, threads,
    timestamp,
};

use crate::clock::Times;
use crate::encoder::{Encoder, Encoding, SLOTS, needs_host};
use crate::flight::InFlight;
use crate::transfer::Transfers;

/// How long a waiting thread looks before it sleeps.
const SPIN: Duration = Duration::from_millis(2);
/// How often the watching thread looks, at first and at last.
const WATCH: (Duration, Duration) = (Duration::from_micros(50), Duration::from_millis(1));
/// Lists that somebody may be about to wait for.
const YOUNG: Duration = Duration::from_micros(200);
/// Lists on their way of which some are completed by whoever submits.
const MANY: usize = 16;
/// How long whoever submits waits for those before: with a slot, and without a backlog, a list needs no other thread.
const ROOM: Duration = Duration::from_micros(100);
/// Lists of the backlog that are a pile.
const PILE: usize = 8;
/// How often it looks at least, where lists go on coming: whoever submits them completes those before.
const BUSY: Duration = Duration::from_millis(2);
/// How long it stays when there is nothing to watch.
const LINGER: Duration = Duration::from_millis(200);

type Outcome = std::result::Result<(), Fault>;

/// See the module.
pub struct CudaQueue {
    encoder: Arc<Encoder>,
    inner: Mutex<Inner>,
    /// Held by whoever completes lists: they complete in order.
    completing: Mutex<()>,
    /// When a list was handed over, in microseconds since `made`; read without a lock, which whoever submits would wait for.
    last_submit: AtomicU64,
    /// Lists on their way for which somebody is called back.
    with_handlers: AtomicUsize,
    made: Instant,
    this: Weak<CudaQueue>,
}

#[derive(Default)]
struct Inner {
    flying: VecDeque<Flying>,
    backlog: VecDeque<Work>,
    /// Some thread works on the backlog, or an event holds it up.
    is_driven: bool,
    /// The list that an event holds up.
    held: Option<Partial>,
    is_watched: bool,
}

struct Flying {
    flight: InFlight,
    work: Work,
    /// Of the commands that were not handed over.
    failed: Outcome,
    since: Instant,
}

struct Work {
    list: CommandList,
    on_complete: OnComplete,
    submission: Arc<CudaSubmission>,
}

/// A list of the backlog that has begun.
struct Partial {
    work: Work,
    next: usize,
    span: Span,
}

/// When a list ran that took several parts.
#[derive(Default)]
struct Span {
    first: Option<(Arc<Times>, f64)>,
    last: Option<(Arc<Times>, f64)>,
}

struct CudaSubmission {
    queue: Arc<CudaQueue>,
    done: AtomicBool,
    /// Somebody completes it.
    is_taken: AtomicBool,
    parked: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
}

impl CudaQueue {
    pub fn make(transfers: &Arc<Transfers>) -> Result<Arc<CudaQueue>> {
        let encoder = Arc::new(Encoder::new(transfers)?);
        Ok(Arc::new_cyclic(|this| CudaQueue {
            encoder,
            inner: Mutex::default(),
            completing: Mutex::new(()),
            last_submit: AtomicU64::new(0),
            with_handlers: AtomicUsize::new(0),
            made: Instant::now(),
            this: this.clone(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- handing over ----------------------------------------------------------------------

    /// Hands a whole list to the driver, if that can be done at once; gives it back if not.
    fn launch(&self, inner: &mut Inner, work: Work) -> std::result::Result<(), Work> {
        let commands = &work.list.commands;
        let encoder = &self.encoder;
        if commands.iter().any(needs_host) || encoder.is_contended(commands) || !encoder.is_ready(commands) {
            return Err(work);
        }
        let Some(mut encoding) = begin(encoder, inner, commands) else {
            // All slots are taken.
            return Err(work);
        };
        let failed = encode_all(encoder, &mut encoding, commands);
        self.push(inner, encoder.finish(encoding), work, failed);
        Ok(())
    }

    /// A list is on its way.
    fn push(&self, inner: &mut Inner, flight: InFlight, work: Work, failed: Outcome) {
        let since = Instant::now();
        self.last_submit.store((since - self.made).as_micros() as u64, Ordering::Relaxed);
        self.with_handlers.fetch_add(usize::from(work.list.has_handlers), Ordering::Relaxed);
        inner.flying.push_back(Flying { flight, work, failed, since });
    }

    /// Whether lists come one after the other, and nobody is called back.
    fn is_busy(&self) -> bool {
        let last = Duration::from_micros(self.last_submit.load(Ordering::Relaxed));
        self.with_handlers.load(Ordering::Relaxed) == 0 && self.made.elapsed().saturating_sub(last) < YOUNG
    }

    /// Hands a list of the backlog to the driver as soon as that can be done; gives it back if it needs the host.
    fn hand_over(&self, work: Work) -> Option<Work> {
        let (commands, encoder) = (&work.list.commands, &self.encoder);
        if commands.iter().any(needs_host) {
            return Some(work);
        }
        encoder.make_ready(commands);
        loop {
            let is_contended = encoder.is_contended(commands);
            if !is_contended {
                let begun = begin(encoder, &self.lock(), commands);
                if let Some(mut encoding) = begun {
                    let failed = encode_all(encoder, &mut encoding, commands);
                    let flight = encoder.finish(encoding);
                    let mut inner = self.lock();
                    self.push(&mut inner, flight, work, failed);
                    self.watch_if_needed(&mut inner);
                    return None;
                }
            }
            // The one before has what this one needs: a slot, or a buffer.
            let _order = self.completing.lock().unwrap_or_else(PoisonError::into_inner);
            if self.wait_for_first(None, None) {
                self.complete_first(true);
            } else if is_contended {
                // A list of another queue writes what this one uses, and the host looks on: events are the user's
                // matter.
                return Some(work);
            }
        }
    }

    /// Works on the backlog until it is empty or an event holds it up.
    fn drive(&self) {
        let mut inner = self.lock();
        if inner.is_driven {
            return;
        }
        inner.is_driven = true;
        drop(inner);
        self.drive_on();
    }

    /// The same, by the one that set `is_driven`.
    fn drive_on(&self) {
        loop {
            let mut inner = self.lock();
            let partial = match inner.held.take() {
                Some(partial) => {
                    drop(inner);
                    partial
                }
                None => match inner.backlog.pop_front() {
                    Some(work) => {
                        drop(inner);
                        match self.hand_over(work) {
                            None => continue,
                            Some(work) => Partial { work, next: 0, span: Span::default() },
                        }
                    }
                    None => {
                        inner.is_driven = false;
                        return;
                    }
                },
            };
            // Everything before must be complete: this list needs the host in between.
            self.complete_all();
            let Some(held) = self.run(partial) else { continue };
            let Some(Command::WaitEvent { event, value }) = held.work.list.commands.get(held.next) else { continue };
            let (event, value) = (event.clone(), *value);
            self.lock().held = Some(held);
            let this = self.this.clone();
            event.notify(value, move || {
                threads::spawn(move || {
                    if let Some(queue) = this.upgrade() {
                        queue.drive_on();
                    }
                });
            });
            return;
        }
    }

    /// Executes a list part by part; gives it back when an event holds it up.
    fn run(&self, mut partial: Partial) -> Option<Partial> {
        let mut part: Option<Encoding> = None;
        let mut result = Ok(());
        while let Some(command) = partial.work.list.commands.get(partial.next) {
            result = if needs_host(command) {
                self.end_part(part.take(), &mut partial.span).and_then(|()| match command {
                    Command::SignalEvent { event, value } => {
                        event.signal(*value);
                        Ok(())
                    }
                    Command::WaitEvent { .. } => Ok(()),
                    Command::Dispatch(_) => {
                        let mut alone = self.begin_part()?;
                        let encoded = catch(|| self.encoder.encode(&mut alone, command));
                        let ended = self.end_part(Some(alone), &mut partial.span);
                        ended.and(encoded)
                    }
                    _ => catch(|| self.encoder.execute_on_host(command)),
                })
            } else {
                match part.take().map_or_else(|| self.begin_part(), Ok) {
                    Ok(mut encoding) => {
                        let encoded = catch(|| self.encoder.encode(&mut encoding, command));
                        part = Some(encoding);
                        encoded
                    }
                    Err(fault) => Err(fault),
                }
            };
            if result.is_err() {
                break;
            }
            if let Command::WaitEvent { event, value } = command
                && event.value() < *value
            {
                return Some(partial);
            }
            partial.next += 1;
        }
        // A fault that only shows now is of an earlier command than one that was known.
        let result = self.end_part(part, &mut partial.span).and(result);
        let Partial { work, span, .. } = partial;
        let now = timestamp();
        let completion = match (span.first, span.last) {
            (Some((first, seen)), Some((last, end_seen))) => {
                let times = LaterTimes::later(move || (first.resolve(seen).0, last.resolve(end_seen).1));
                Completion { result, times }
            }
            _ => Completion { result, times: LaterTimes::known(now, now) },
        };
        work.submission.is_taken.store(true, Ordering::Release);
        finish(work, completion);
        None
    }

    fn begin_part(&self) -> std::result::Result<Encoding, Fault> {
        let begun = self.encoder.begin(None, &[]);
        begun.ok_or_else(|| Fault::new("internal error: too many command lists are on their way"))
    }
    fn end_part(&self, part: Option<Encoding>, span: &mut Span) -> Outcome {
        let Some(part) = part else { return Ok(()) };
        let flight = self.encoder.finish(part);
        wait_for(&flight);
        if let Some(times) = flight.events() {
            let ran = (times, timestamp());
            span.first.get_or_insert_with(|| ran.clone());
            span.last = Some(ran);
        }
        flight.complete(true).0
    }

    // ---- completion ------------------------------------------------------------------------

    /// Completes the first list on its way, which the GPU is done with. The caller holds `completing`.
    fn complete_first(&self, observed: bool) {
        let Some(Flying { flight, work, failed, .. }) = self.lock().flying.pop_front() else { return };
        self.with_handlers.fetch_sub(usize::from(work.list.has_handlers), Ordering::Relaxed);
        work.submission.is_taken.store(true, Ordering::Release);
        let (result, times) = flight.complete(observed);
        finish(work, Completion { result: result.and(failed), times });
    }

    /// Completes lists that are done, where that is seen without the driver and many are on their way: whoever submits
    /// more than it waits for makes room itself.
    fn complete_some(&self) {
        let is_next = |inner: &Inner| {
            inner.flying.len() > MANY && inner.flying.front().is_some_and(|first| first.flight.is_marked_done())
        };
        if !is_next(&self.lock()) {
            return;
        }
        let Ok(_order) = self.completing.try_lock() else { return };
        for _ in 0..2 {
            if is_next(&self.lock()) {
                self.complete_first(false);
            }
        }
    }

    /// Waits for a moment where all slots are taken or lists pile up in the backlog, as Metal does where a queue has 64
    /// command buffers. Once others work on a backlog it would never be empty while lists come.
    fn make_room(&self) {
        self.complete_some();
        let mut start = None;
        loop {
            let (is_full, is_behind) = {
                let inner = self.lock();
                let has_backlog = inner.is_driven || !inner.backlog.is_empty();
                (!has_backlog && inner.flying.len() + 1 >= SLOTS, inner.backlog.len() >= PILE && inner.held.is_none())
            };
            if !is_full && !is_behind {
                return;
            }
            let start = *start.get_or_insert_with(Instant::now);
            if is_full {
                let Ok(_order) = self.completing.try_lock() else { return };
                if self.wait_for_first(None, Some(start + ROOM)) {
                    self.complete_first(true);
                }
                return;
            }
            if start.elapsed() > ROOM {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Completes all lists that are on their way, waiting for each.
    fn complete_all(&self) {
        let _order = self.completing.lock().unwrap_or_else(PoisonError::into_inner);
        while self.wait_for_first(None, None) {
            self.complete_first(true);
        }
    }

    /// Waits for the first list on its way; false when there is none, `last` is complete, or the time is over. The caller
    /// holds `completing`, so that the first list stays the first.
    fn wait_for_first(&self, last: Option<&CudaSubmission>, deadline: Option<Instant>) -> bool {
        if last.is_some_and(|last| last.is_taken.load(Ordering::Acquire)) {
            return false;
        }
        let start = Instant::now();
        let sleeper = {
            let inner = self.lock();
            let Some(first) = inner.flying.front() else { return false };
            first.flight.sleeper()
        };
        // Looking takes no lock of the queue, so that others can submit.
        while !sleeper.is_done() && !self.encoder.context().is_lost() {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return false;
            }
            if now - start > SPIN {
                std::thread::sleep(((now - start) / 32).min(WATCH.1));
            }
            std::hint::spin_loop();
        }
        true
    }

    fn watch_if_needed(&self, inner: &mut Inner) {
        if inner.is_watched || inner.flying.is_empty() {
            return;
        }
        inner.is_watched = true;
        let Some(this) = self.this.upgrade() else { return };
        threads::spawn(move || this.watch());
    }

    /// Completes lists that nobody waits for.
    fn watch(&self) {
        let mut idle_since: Option<Instant> = None;
        let mut pause = WATCH.0;
        let mut looked = Instant::now();
        loop {
            if self.is_busy() && looked.elapsed() < BUSY {
                std::thread::sleep(YOUNG);
                continue;
            }
            looked = Instant::now();
            match self.completing.try_lock() {
                Ok(_order) => {
                    // Young lists are left to those who wait: asking the driver would hold them up.
                    let is_done = || {
                        let inner = self.lock();
                        let is_old = |f: &Flying| f.work.list.has_handlers || f.since.elapsed() > YOUNG;
                        inner.flying.front().is_some_and(|f| is_old(f) && f.flight.is_done())
                            || self.encoder.context().is_lost()
                    };
                    while is_done() {
                        if self.lock().flying.is_empty() {
                            break;
                        }
                        self.complete_first(false);
                        pause = WATCH.0;
                    }
                }
                // Somebody waits and completes.
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Poisoned(_)) => self.completing.clear_poison(),
            }
            let mut inner = self.lock();
            let sleeper = match inner.flying.front() {
                None => {
                    let since = *idle_since.get_or_insert_with(Instant::now);
                    if since.elapsed() > LINGER || self.this.strong_count() == 1 {
                        inner.is_watched = false;
                        return;
                    }
                    None
                }
                Some(first) => {
                    idle_since = None;
                    // Handlers should not be late, and long lists need not be looked at.
                    (first.work.list.has_handlers || pause >= WATCH.1).then(|| first.flight.sleeper())
                }
            };
            // What nobody is called back for may be noticed later: each look takes the lock from whoever submits.
            if !inner.flying.iter().any(|f| f.work.list.has_handlers) {
                pause = pause.max(YOUNG);
            }
            drop(inner);
            match sleeper {
                Some(sleeper) => sleeper.sleep(),
                None => std::thread::sleep(pause),
            }
            pause = (pause * 2).min(WATCH.1);
        }
    }
}

/// Begins a list; `None` when too many are on their way.
fn begin(encoder: &Arc<Encoder>, inner: &Inner, commands: &[Command]) -> Option<Encoding> {
    let last = inner.flying.back().map(|last| &last.flight);
    let are_dispatches = commands.iter().all(|command| matches!(command, Command::Dispatch(_)));
    encoder.begin(last.and_then(InFlight::end_event), if are_dispatches { commands } else { &[] })
}

/// Waits for a part that only this thread knows of.
fn wait_for(flight: &InFlight) {
    let start = Instant::now();
    while !flight.is_done() {
        if start.elapsed() > SPIN {
            flight.sleeper().sleep();
            return;
        }
        std::hint::spin_loop();
    }
}

fn encode_all(encoder: &Encoder, encoding: &mut Encoding, commands: &[Command]) -> Outcome {
    let encoded = commands.iter().try_for_each(|command| catch(|| encoder.encode(encoding, command)));
    // What comes first is told.
    catch(|| encoder.flush(encoding)).and(encoded)
}

/// A panic of ours is a fault of the command.
fn catch(f: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Err(Fault::new(format!("internal error: {}", text.unwrap_or("panic"))))
    })
}

/// Releases what the list used and tells everyone.
fn finish(work: Work, completion: Completion) {
    let Work { list, on_complete, submission } = work;
    let has_handlers = list.has_handlers;
    drop(list);
    if has_handlers {
        // Handlers may take long, or wait for the next list.
        threads::spawn(move || submission.complete(on_complete, completion));
    } else {
        submission.complete(on_complete, completion);
    }
}

impl Queue for CudaQueue {
    fn submit(&self, list: CommandList, on_complete: OnComplete) -> Arc<dyn Submission> {
        let queue = self.this.upgrade().expect("the queue is borrowed from its `Arc`");
        let submission = Arc::new(CudaSubmission {
            queue,
            done: AtomicBool::new(false),
            is_taken: AtomicBool::new(false),
            parked: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        });
        let work = Work { list, on_complete, submission: submission.clone() };
        self.make_room();
        let mut inner = self.lock();
        let is_next = inner.backlog.is_empty() && !inner.is_driven;
        let left = if is_next { self.launch(&mut inner, work).err() } else { Some(work) };
        let Some(work) = left else {
            self.watch_if_needed(&mut inner);
            return submission;
        };
        inner.backlog.push_back(work);
        if !inner.is_driven {
            inner.is_driven = true;
            drop(inner);
            let this = submission.queue.clone();
            threads::spawn(move || this.drive_on());
        }
        submission
    }
}

impl CudaSubmission {
    fn is_over(&self) -> bool {
        self.done.load(Ordering::Acquire)
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

impl Submission for CudaSubmission {
    fn is_completed(&self) -> bool {
        self.is_over()
    }

    fn wait(&self) {
        self.wait_until(None);
    }
    fn wait_timeout(&self, timeout: Duration) -> bool {
        self.wait_until(Some(Instant::now() + timeout))
    }
}

impl CudaSubmission {
    /// Waits, until a moment if there is one; whether it is over.
    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        const PATIENCE: Duration = Duration::from_millis(1);
        let start = Instant::now();
        while !self.is_over() {
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return false;
            }
            // Lists before this one, and this one, if they are on their way.
            if let Ok(_order) = self.queue.completing.try_lock() {
                while self.queue.wait_for_first(Some(self), deadline) {
                    self.queue.complete_first(true);
                }
            }
            if self.is_over() {
                return true;
            }
            if start.elapsed() < Duration::from_micros(50) {
                std::hint::spin_loop();
                continue;
            }
            if deadline.is_none() {
                // Driving the queue may take long.
                self.queue.drive();
            }
            let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.parked.fetch_add(1, Ordering::SeqCst);
            if !self.done.load(Ordering::SeqCst) {
                drop(self.wake.wait_timeout(guard, PATIENCE));
            }
            self.parked.fetch_sub(1, Ordering::SeqCst);
        }
        true
    }
}

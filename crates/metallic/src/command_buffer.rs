//! Command buffers (`MTLCommandBuffer`): recorded, committed once, completed later.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use metallic_hal::{self as hal, Command, CommandList, Completion, Submission, Times};

use crate::device::check_process;
use crate::{BlitCommandEncoder, CommandQueue, ComputeCommandEncoder, Device, Error, Event, LogState, Result};

/// `MTLCommandBufferStatus`, with its numbers. It only ever grows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CommandBufferStatus {
    NotEnqueued = 0,
    Enqueued = 1,
    Committed = 2,
    Scheduled = 3,
    Completed = 4,
    Error = 5,
}

/// `MTLCommandBufferDescriptor`.
#[derive(Clone, Debug, Default)]
pub struct CommandBufferDescriptor {
    /// Where log records of kernels go, instead of where the queue says.
    pub log_state: Option<Arc<LogState>>,
}

pub(crate) type Handler = Box<dyn FnOnce(&CommandBuffer) + Send>;

/// Commands on their way to a device. Clones are the same command buffer.
#[derive(Clone)]
pub struct CommandBuffer {
    inner: Arc<Inner>,
}

struct Inner {
    queue: CommandQueue,
    log_state: Option<Arc<LogState>>,
    status: AtomicU8,
    state: Mutex<State>,
    submitted: Condvar,
}

#[derive(Default)]
struct State {
    commands: Vec<Command>,
    /// What the commands need besides.
    owned: Vec<Box<dyn Any + Send>>,
    /// The kind of the encoder that is open.
    encoder: Option<&'static str>,
    label: String,
    scheduled_handlers: Vec<Handler>,
    completed_handlers: Vec<Handler>,
    /// Those of [`CommandBuffer::notify_completed`].
    listeners: Vec<Handler>,
    /// Runs the handlers: a wait of that thread must not wait for itself.
    handler_thread: Option<ThreadId>,
    submission: Option<Arc<dyn Submission>>,
    /// Whether someone waits for `submission`.
    has_waiting_threads: bool,
    error: Option<Error>,
    times: Option<Times>,
}

impl CommandBuffer {
    pub(crate) fn new(queue: &CommandQueue, log_state: Option<Arc<LogState>>) -> CommandBuffer {
        let inner = Inner {
            queue: queue.clone(),
            log_state,
            status: AtomicU8::new(CommandBufferStatus::NotEnqueued as u8),
            state: Mutex::default(),
            submitted: Condvar::new(),
        };
        CommandBuffer { inner: Arc::new(inner) }
    }

    pub fn device(&self) -> &Device {
        self.inner.queue.device()
    }
    /// Where log records of its kernels go; to standard output where there is none.
    pub fn log_state(&self) -> Option<&Arc<LogState>> {
        self.inner.log_state.as_ref()
    }
    pub fn command_queue(&self) -> &CommandQueue {
        &self.inner.queue
    }
    pub fn label(&self) -> String {
        self.lock().label.clone()
    }
    pub fn set_label(&self, label: &str) {
        self.lock().label = label.into();
    }

    pub fn status(&self) -> CommandBufferStatus {
        use CommandBufferStatus::*;
        match self.inner.status.load(Ordering::Acquire) {
            0 => NotEnqueued,
            1 => Enqueued,
            2 => Committed,
            3 => Scheduled,
            4 => Completed,
            _ => Error,
        }
    }
    /// Why it failed.
    pub fn error(&self) -> Option<Error> {
        self.lock().error.clone()
    }
    /// When the first command started, in seconds; 0 before completion.
    pub fn gpu_start_time(&self) -> f64 {
        self.times().map_or(0.0, |times| times.get().0)
    }
    /// When the last command ended, in seconds; 0 before completion.
    pub fn gpu_end_time(&self) -> f64 {
        self.times().map_or(0.0, |times| times.get().1)
    }

    pub fn make_compute_command_encoder(&self) -> Result<ComputeCommandEncoder> {
        self.open_encoder("compute command encoder")?;
        Ok(ComputeCommandEncoder::new(self))
    }
    pub fn make_blit_command_encoder(&self) -> Result<BlitCommandEncoder> {
        self.open_encoder("blit command encoder")?;
        Ok(BlitCommandEncoder::new(self))
    }

    /// Raises an event when everything encoded before has completed.
    pub fn encode_signal_event(&self, event: &Event, value: u64) -> Result<()> {
        self.push_between_encoders(Command::SignalEvent { event: event.hal.clone(), value })
    }
    /// Holds up everything encoded after until the event has reached the value.
    pub fn encode_wait_for_event(&self, event: &Event, value: u64) -> Result<()> {
        self.push_between_encoders(Command::WaitEvent { event: event.hal.clone(), value })
    }

    /// Calls `handler` when the command buffer has been handed to the device.
    pub fn add_scheduled_handler(&self, handler: impl FnOnce(&CommandBuffer) + Send + 'static) -> Result<()> {
        let mut state = self.lock();
        self.check_recording(format_args!("add a scheduled handler"))?;
        state.scheduled_handlers.push(Box::new(handler));
        Ok(())
    }
    /// Calls `handler` when the command buffer has completed or failed, before waits return.
    pub fn add_completed_handler(&self, handler: impl FnOnce(&CommandBuffer) + Send + 'static) -> Result<()> {
        let mut state = self.lock();
        self.check_recording(format_args!("add a completed handler"))?;
        state.completed_handlers.push(Box::new(handler));
        Ok(())
    }

    /// Calls `listener` once the command buffer has completed or failed. Unlike a handler it may be added at any
    /// time, is called at once when there is nothing to wait for, and no wait waits for it; it runs on any thread.
    pub fn notify_completed(&self, listener: impl FnOnce(&CommandBuffer) + Send + 'static) {
        let mut state = self.lock();
        if self.status() < CommandBufferStatus::Completed {
            state.listeners.push(Box::new(listener));
            return;
        }
        drop(state);
        listener(self);
    }

    /// Takes a place in the queue without committing yet.
    pub fn enqueue(&self) -> Result<()> {
        let _state = self.lock();
        match self.status() {
            CommandBufferStatus::NotEnqueued => {
                self.raise(CommandBufferStatus::Enqueued);
                self.inner.queue.enqueue(self);
                Ok(())
            }
            CommandBufferStatus::Enqueued => Ok(()),
            _ => Err(Error::invalid("cannot enqueue a command buffer that is committed already")),
        }
    }

    /// Hands the commands to the queue and returns at once.
    pub fn commit(&self) -> Result<()> {
        check_process()?;
        let state = self.lock();
        if self.status() >= CommandBufferStatus::Committed {
            return Err(Error::invalid("the command buffer is committed already"));
        }
        if let Some(encoder) = state.encoder {
            return Err(Error::invalid(format!("the {encoder} has not ended: call end_encoding before commit")));
        }
        let was_enqueued = self.status() == CommandBufferStatus::Enqueued;
        self.raise(CommandBufferStatus::Committed);
        drop(state);
        self.inner.queue.commit(self, was_enqueued);
        Ok(())
    }

    /// Returns when the command buffer has been handed to the device.
    pub fn wait_until_scheduled(&self) -> Result<()> {
        self.submission(None).map(drop)
    }
    /// The same for at most `timeout`; whether it has been handed over.
    pub fn wait_until_scheduled_timeout(&self, timeout: Duration) -> Result<bool> {
        Ok(self.submission(Some(timeout))?.is_some())
    }

    /// Returns when the commands have completed and the handlers have run; fails when a command did.
    pub fn wait_until_completed(&self) -> Result<()> {
        if let Some(submission) = self.submission(None)?
            && !self.is_waited_for_by_its_handler()
        {
            submission.wait();
        }
        self.error().map_or(Ok(()), Err)
    }
    /// The same for at most about `timeout`; whether the command buffer has completed. For threads that have to
    /// look at other things in between: unlike [`CommandBuffer::wait_until_completed`], it does not lend the thread
    /// to work that may take long.
    pub fn wait_until_completed_timeout(&self, timeout: Duration) -> Result<bool> {
        let Some(submission) = self.submission(Some(timeout))? else { return Ok(false) };
        if !self.is_waited_for_by_its_handler() && !submission.wait_timeout(timeout) {
            return Ok(false);
        }
        self.error().map_or(Ok(true), Err)
    }

    /// A handler that waits for the end of its own command buffer has it already.
    fn is_waited_for_by_its_handler(&self) -> bool {
        self.status() >= CommandBufferStatus::Completed
            && self.lock().handler_thread == Some(std::thread::current().id())
    }

    fn times(&self) -> Option<Times> {
        self.lock().times.clone()
    }

    // ---- for the queue and encoders --------------------------------------------------------

    /// Whether it has been committed.
    pub(crate) fn is_ready(&self) -> bool {
        self.status() >= CommandBufferStatus::Committed
    }

    /// Hands the commands to the device. Called once, by the queue, in order; the caller runs the
    /// handlers, when it holds no lock.
    #[must_use]
    pub(crate) fn submit(&self) -> Vec<Handler> {
        let mut state = self.lock();
        let scheduled_handlers = std::mem::take(&mut state.scheduled_handlers);
        let list = CommandList {
            label: state.label.clone(),
            commands: std::mem::take(&mut state.commands),
            owned: std::mem::take(&mut state.owned),
            has_handlers: !state.completed_handlers.is_empty(),
        };
        drop(state);
        let this = self.clone();
        let submission = self.inner.queue.inner.hal.submit(list, Box::new(move |completion| this.complete(completion)));
        self.raise(CommandBufferStatus::Scheduled);
        let mut state = self.lock();
        state.submission = Some(submission);
        if state.has_waiting_threads {
            self.inner.submitted.notify_all();
        }
        scheduled_handlers
    }

    fn complete(&self, completion: Completion) {
        let mut state = self.lock();
        state.times = Some(completion.times);
        let status = match completion.result {
            Ok(()) => CommandBufferStatus::Completed,
            Err(fault) => {
                state.error = Some(Error::Execution(fault));
                CommandBufferStatus::Error
            }
        };
        self.raise(status);
        let handlers = std::mem::take(&mut state.completed_handlers);
        let listeners = std::mem::take(&mut state.listeners);
        if !handlers.is_empty() {
            state.handler_thread = Some(std::thread::current().id());
            drop(state);
            for handler in handlers {
                // One that panics does not keep the others from running.
                let _ = catch_unwind(AssertUnwindSafe(|| handler(self)));
            }
            self.lock().handler_thread = None;
        } else {
            drop(state);
        }
        if !listeners.is_empty() {
            // What they do may take long, and this thread has others to serve.
            let this = self.clone();
            hal::threads::spawn(move || {
                for listener in listeners {
                    let _ = catch_unwind(AssertUnwindSafe(|| listener(&this)));
                }
            });
        }
    }

    pub(crate) fn push(&self, command: Command) {
        self.lock().commands.push(command);
    }
    /// Keeps something alive until the commands have completed.
    pub(crate) fn own(&self, thing: Box<dyn Any + Send>) {
        self.lock().owned.push(thing);
    }
    pub(crate) fn close_encoder(&self) {
        self.lock().encoder = None;
    }

    fn open_encoder(&self, kind: &'static str) -> Result<()> {
        let mut state = self.lock();
        self.check_recording(format_args!("make a {kind}"))?;
        if let Some(open) = state.encoder {
            return Err(Error::invalid(format!(
                "cannot make a {kind} while a {open} is open: call its end_encoding first"
            )));
        }
        state.encoder = Some(kind);
        Ok(())
    }

    fn push_between_encoders(&self, command: Command) -> Result<()> {
        let mut state = self.lock();
        self.check_recording(format_args!("encode an event"))?;
        if let Some(open) = state.encoder {
            return Err(Error::invalid(format!(
                "cannot encode an event while a {open} is open: call its end_encoding first"
            )));
        }
        state.commands.push(command);
        Ok(())
    }

    fn check_recording(&self, action: std::fmt::Arguments<'_>) -> Result<()> {
        if self.status() >= CommandBufferStatus::Committed {
            return Err(Error::invalid(format!("cannot {action}: the command buffer is committed already")));
        }
        Ok(())
    }

    /// The submission of a committed command buffer; waits while others are ahead of it, for at most `timeout`.
    fn submission(&self, timeout: Option<Duration>) -> Result<Option<Arc<dyn Submission>>> {
        check_process()?;
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.lock();
        if self.status() < CommandBufferStatus::Committed {
            return Err(Error::invalid("the command buffer has not been committed: waiting would never end"));
        }
        loop {
            if let Some(submission) = &state.submission {
                return Ok(Some(submission.clone()));
            }
            state.has_waiting_threads = true;
            state = match deadline {
                None => self.inner.submitted.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let Some(left) = deadline.checked_duration_since(Instant::now()) else { return Ok(None) };
                    self.inner.submitted.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn raise(&self, status: CommandBufferStatus) {
        let status = status as u8;
        // As `fetch_max`, which ThreadSanitizer does not know.
        let raised = |now| (now < status).then_some(status);
        let _ = self.inner.status.fetch_update(Ordering::AcqRel, Ordering::Acquire, raised);
    }
    fn lock(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for CommandBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CommandBuffer({:?}, {:?})", self.device(), self.status())
    }
}

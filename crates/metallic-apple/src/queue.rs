//! Queues: from a command list to its completion.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use block2::RcBlock;
use metallic_hal::{
    CommandList, Completion, Error, Fault, OnComplete, Queue, Result, Submission, Times, threads, timestamp,
};
use objc2::rc::{Retained, autoreleasepool};
use objc2::runtime::ProtocolObject;
use objc2_foundation::{NSArray, NSError, NSProcessInfo, NSString};
use objc2_metal::{
    MTLCommandBuffer, MTLCommandBufferDescriptor, MTLCommandBufferEncoderInfo, MTLCommandBufferEncoderInfoErrorKey,
    MTLCommandBufferErrorOption, MTLCommandBufferStatus, MTLCommandEncoderErrorState, MTLCommandQueue, MTLDevice,
};

use crate::device::Context;
use crate::encoder::{self, Encoding};
use crate::library;

/// How many command buffers Metal holds for a queue. The next one would block the caller, who was
/// promised that `submit` returns at once, so further lists wait here.
const MAX_IN_FLIGHT: usize = 256;

/// An `MTLCommandQueue`.
pub struct AppleQueue {
    context: Arc<Context>,
    raw: Retained<ProtocolObject<dyn MTLCommandQueue>>,
    state: Mutex<State>,
    this: Weak<AppleQueue>,
}

#[derive(Default)]
struct State {
    in_flight: usize,
    backlog: VecDeque<Work>,
}

struct Work {
    list: CommandList,
    on_complete: OnComplete,
    submission: Arc<AppleSubmission>,
}

impl AppleQueue {
    pub(crate) fn make(context: &Arc<Context>) -> Result<Arc<AppleQueue>> {
        // A few more than we use: completed command buffers count until Metal has let go of them.
        let raw = autoreleasepool(|_| context.raw.newCommandQueueWithMaxCommandBufferCount(MAX_IN_FLIGHT + 64));
        let raw = raw.ok_or_else(|| Error::Device(format!("device {} made no command queue", context.id)))?;
        Ok(Arc::new_cyclic(|this| AppleQueue {
            context: context.clone(),
            raw,
            state: Mutex::default(),
            this: this.clone(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called with the state locked, so that lists start in order.
    fn start(&self, work: Work) {
        let Some(queue) = self.this.upgrade() else { return };
        autoreleasepool(|_| {
            let descriptor = MTLCommandBufferDescriptor::new();
            // The list owns what its commands use, until they have completed.
            descriptor.setRetainedReferences(false);
            descriptor.setErrorOptions(MTLCommandBufferErrorOption::EncoderExecutionStatus);
            let Some(buffer) = self.raw.commandBufferWithDescriptor(&descriptor) else {
                let now = timestamp();
                let result = Err(Fault::new("the device gave no command buffer"));
                let done = Done { queue, work, encoding: Encoding::default(), result: Ok(()) };
                threads::spawn(move || done.finish(Completion { result, times: Times::known(now, now) }));
                return;
            };
            if !work.list.label.is_empty() {
                buffer.setLabel(Some(&NSString::from_str(&work.list.label)));
            }
            let (encoding, result) = encoder::encode(&self.context, &buffer, &work.list.commands);
            // Metal calls the block once, from a thread of its own.
            let done = Mutex::new(Some(Done { queue, work, encoding, result }));
            let block = RcBlock::new(move |buffer: NonNull<ProtocolObject<dyn MTLCommandBuffer>>| {
                let Some(mut done) = done.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
                // Nothing may unwind into Metal.
                let _ = catch_unwind(AssertUnwindSafe(|| {
                    // SAFETY: Metal passes the command buffer, which lives during the call.
                    let buffer = unsafe { buffer.as_ref() };
                    let completion = completion(buffer, std::mem::replace(&mut done.result, Ok(())));
                    done.finish(completion);
                }));
            });
            // SAFETY: the block is valid, and Metal copies it.
            unsafe { buffer.addCompletedHandler(RcBlock::as_ptr(&block)) };
            buffer.commit();
        });
    }
}

impl Queue for AppleQueue {
    fn submit(&self, list: CommandList, on_complete: OnComplete) -> Arc<dyn Submission> {
        let submission = Arc::new(AppleSubmission::default());
        let work = Work { list, on_complete, submission: submission.clone() };
        let mut state = self.lock();
        if state.in_flight < MAX_IN_FLIGHT {
            state.in_flight += 1;
            self.start(work);
        } else {
            state.backlog.push_back(work);
        }
        submission
    }
}

/// A list whose commands have completed.
struct Done {
    queue: Arc<AppleQueue>,
    work: Work,
    encoding: Encoding,
    /// Of the encoding.
    result: std::result::Result<(), Fault>,
}

// SAFETY: what is not `Send` by itself are shared events, which any thread may use and release.
unsafe impl Send for Done {}

impl Done {
    fn finish(self, completion: Completion) {
        let Done { queue, work: Work { list, on_complete, submission }, encoding, result: _ } = self;
        if completion.result.is_ok() {
            for (event, value) in &encoding.signals {
                event.signal(*value);
            }
        }
        let has_handlers = list.has_handlers;
        drop(encoding);
        drop(list);
        let mut state = queue.lock();
        match state.backlog.pop_front() {
            Some(next) => queue.start(next),
            None => state.in_flight -= 1,
        }
        drop(state);
        drop(queue);
        // Metal completes one command buffer after another; handlers of a user, which may wait for
        // the next one, must not hold it up.
        if has_handlers {
            threads::spawn(move || submission.complete(on_complete, completion));
        } else {
            submission.complete(on_complete, completion);
        }
    }
}

fn completion(buffer: &ProtocolObject<dyn MTLCommandBuffer>, encoded: std::result::Result<(), Fault>) -> Completion {
    autoreleasepool(|_| {
        let executed = if buffer.status() == MTLCommandBufferStatus::Error {
            Err(buffer.error().map_or_else(|| Fault::new("the command buffer failed"), |error| fault(&error)))
        } else {
            Ok(())
        };
        let (start, end) = (buffer.GPUStartTime(), buffer.GPUEndTime());
        // Metal counts from the start of the system, on the clock that `systemUptime` reads.
        let now = timestamp();
        let shift = now - NSProcessInfo::processInfo().systemUptime();
        // A command buffer without work never starts on the device.
        let at = |time: f64| if time > 0.0 { time + shift } else { now };
        Completion { result: executed.and(encoded), times: Times::known(at(start), at(end)) }
    })
}

fn fault(error: &NSError) -> Fault {
    Fault { kernel: faulted_encoder(error), ..Fault::new(library::message(error)) }
}

/// The label of the encoder that failed: see `encoder`.
fn faulted_encoder(error: &NSError) -> Option<String> {
    // SAFETY: a constant of Metal.
    let key = unsafe { MTLCommandBufferEncoderInfoErrorKey };
    let infos = error.userInfo().objectForKey(key)?;
    // SAFETY: Metal documents what is behind this key.
    let infos: Retained<NSArray<ProtocolObject<dyn MTLCommandBufferEncoderInfo>>> =
        unsafe { Retained::cast_unchecked(infos) };
    let faulted = infos.iter().find(|info| info.errorState() == MTLCommandEncoderErrorState::Faulted)?;
    Some(faulted.label().to_string()).filter(|label| !label.is_empty())
}

/// A list on its way.
#[derive(Default)]
struct AppleSubmission {
    is_done: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl AppleSubmission {
    fn complete(&self, on_complete: OnComplete, completion: Completion) {
        // Nobody is there to catch a panicking handler.
        let _ = catch_unwind(AssertUnwindSafe(|| on_complete(completion)));
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_done.store(true, Ordering::Release);
        drop(guard);
        self.wake.notify_all();
    }
}

impl Submission for AppleSubmission {
    fn is_completed(&self) -> bool {
        self.is_done.load(Ordering::Acquire)
    }
    fn wait(&self) {
        if self.is_completed() {
            return;
        }
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_completed() {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    }
    fn wait_timeout(&self, timeout: Duration) -> bool {
        if self.is_completed() {
            return true;
        }
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        let still_waits = |(): &mut ()| !self.is_completed();
        drop(self.wake.wait_timeout_while(guard, timeout, still_waits).unwrap_or_else(PoisonError::into_inner));
        self.is_completed()
    }
}

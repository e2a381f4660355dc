//! Command queues and command buffers.
//!
//! Encoding functions of the Swift bridge return nothing, so that a caller may miss their errors. What
//! was encoded with an error must not run as if it was complete: the first error of an encoding
//! call stays with the command buffer ([`Recording`]), and committing it fails.

use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use metallic::{CommandBufferStatus, CommandQueue, Device};

use crate::error::{self, Failure, LastError, Result, done, guard, make};
use crate::handle::{self, Handle, get, lock};
use crate::{alloc, convert, object};

/// A command buffer and what its encoders and handlers share.
#[derive(Clone)]
pub struct CommandBuffer {
    pub inner: metallic::CommandBuffer,
    pub recording: Arc<Recording>,
}

#[derive(Default)]
pub struct Recording {
    /// The first error of an encoding call.
    error: Mutex<Option<LastError>>,
    handlers: Mutex<Vec<Arc<Handler>>>,
}

impl Recording {
    /// Keeps the last error of this thread, if it is the first of the command buffer.
    pub fn fail(&self) {
        if let Some(last) = error::last_error() {
            lock(&self.error).get_or_insert(last);
        }
    }
    fn error(&self) -> Option<LastError> {
        lock(&self.error).clone()
    }
}

/// `metal_completed_handler`.
pub type CompletedHandler = Option<unsafe extern "C" fn(command_buffer: Handle, user_data: *mut c_void)>;

/// A function of the caller that is called once.
struct Handler {
    function: unsafe extern "C" fn(Handle, *mut c_void),
    user_data: *mut c_void,
    command_buffer: Handle,
    was_called: AtomicBool,
}

// SAFETY: the caller promised in `metal_command_buffer_add_completed_handler` that the function may be called
// with its data from any thread; the handle is a number.
unsafe impl Send for Handler {}
// SAFETY: as above; `was_called` lets one thread through.
unsafe impl Sync for Handler {}

impl Handler {
    fn call(&self, command_buffer: CommandBuffer) {
        if !self.was_called.swap(true, Ordering::AcqRel) {
            // SAFETY: the caller promised that it may be called so.
            handle::lend(self.command_buffer, command_buffer, || unsafe {
                (self.function)(self.command_buffer, self.user_data);
            });
        }
    }
}

// ---- command queues ------------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_make_command_queue(device: Handle) -> Handle {
    make("metal_device_make_command_queue", || Ok(get::<Device>(device, "device")?.make_command_queue()?))
}

/// # Safety
/// `label` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_command_queue_set_label(queue: Handle, label: *const c_char) -> bool {
    done("metal_command_queue_set_label", || {
        let queue: CommandQueue = get(queue, "queue")?;
        // SAFETY: the caller's promise.
        queue.set_label(unsafe { convert::text(label, "label") }?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_queue_get_label(queue: Handle) -> *mut c_char {
    alloc::text("metal_command_queue_get_label", || Ok(Some(get::<CommandQueue>(queue, "queue")?.label())))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_queue_release(queue: Handle) {
    object::release::<CommandQueue>("metal_command_queue_release", queue);
}

// ---- command buffers -----------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_queue_make_command_buffer(queue: Handle) -> Handle {
    make("metal_command_queue_make_command_buffer", || {
        let inner = get::<CommandQueue>(queue, "queue")?.make_command_buffer()?;
        Ok(CommandBuffer { inner, recording: Arc::default() })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_commit(command_buffer: Handle) {
    done("metal_command_buffer_commit", || {
        let command_buffer = own(command_buffer)?;
        let Some(first) = command_buffer.recording.error() else {
            return Ok(command_buffer.inner.commit()?);
        };
        // Whoever counts on a handler learns of the failure there.
        let handlers = std::mem::take(&mut *lock(&command_buffer.recording.handlers));
        for handler in handlers {
            handler.call(command_buffer.clone());
        }
        Err(Failure::argument(format!("nothing is committed because an earlier call failed: {}", first.text)))
    });
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_wait_until_completed(command_buffer: Handle) {
    wait("metal_command_buffer_wait_until_completed", command_buffer, metallic::CommandBuffer::wait_until_completed);
}

/// Returns when the device has it.
#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_wait_until_scheduled(command_buffer: Handle) {
    wait("metal_command_buffer_wait_until_scheduled", command_buffer, metallic::CommandBuffer::wait_until_scheduled);
}

fn wait(
    function: &str,
    command_buffer: Handle,
    wait: impl FnOnce(&metallic::CommandBuffer) -> metallic::Result<()>,
) -> bool {
    done(function, || {
        let command_buffer = own(command_buffer)?;
        match (command_buffer.inner.status(), command_buffer.recording.error()) {
            (CommandBufferStatus::NotEnqueued, Some(first)) => {
                Err(Failure::argument(format!("nothing was committed because an earlier call failed: {}", first.text)))
            }
            _ => Ok(wait(&command_buffer.inner)?),
        }
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_get_status(command_buffer: Handle) -> i32 {
    guard("metal_command_buffer_get_status", -1, || {
        use CommandBufferStatus::*;
        Ok(match own(command_buffer)?.inner.status() {
            Completed => 1,
            Committed | Scheduled => 0,
            NotEnqueued | Enqueued | Error => -1,
        })
    })
}

/// Why it failed; NULL when it did not.
#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_get_error(command_buffer: Handle) -> *mut c_char {
    alloc::text("metal_command_buffer_get_error", || {
        let command_buffer = own(command_buffer)?;
        let recording = || command_buffer.recording.error().map(|first| first.text);
        Ok(command_buffer.inner.error().map(|error| error.to_string()).or_else(recording))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_get_gpu_start_time(command_buffer: Handle) -> f64 {
    guard("metal_command_buffer_get_gpu_start_time", 0.0, || Ok(own(command_buffer)?.inner.gpu_start_time()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_get_gpu_end_time(command_buffer: Handle) -> f64 {
    guard("metal_command_buffer_get_gpu_end_time", 0.0, || Ok(own(command_buffer)?.inner.gpu_end_time()))
}

/// # Safety
/// `handler` is NULL or may be called from any thread, once, with `user_data`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_command_buffer_add_completed_handler(
    command_buffer: Handle,
    handler: CompletedHandler,
    user_data: *mut c_void,
) -> bool {
    done("metal_command_buffer_add_completed_handler", || {
        let CommandBuffer { inner, recording } = own(command_buffer)?;
        let function = handler.ok_or_else(|| Failure::argument("handler is NULL"))?;
        let handler = Arc::new(Handler { function, user_data, command_buffer, was_called: AtomicBool::new(false) });
        let (called, shared) = (handler.clone(), recording.clone());
        inner.add_completed_handler(move |inner| {
            called.call(CommandBuffer { inner: inner.clone(), recording: shared });
        })?;
        lock(&recording.handlers).push(handler);
        Ok(())
    })
}

/// # Safety
/// `label` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_command_buffer_set_label(command_buffer: Handle, label: *const c_char) -> bool {
    done("metal_command_buffer_set_label", || {
        let command_buffer = own(command_buffer)?;
        // SAFETY: the caller's promise.
        command_buffer.inner.set_label(unsafe { convert::text(label, "label") }?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_get_label(command_buffer: Handle) -> *mut c_char {
    alloc::text("metal_command_buffer_get_label", || Ok(Some(own(command_buffer)?.inner.label())))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_release(command_buffer: Handle) {
    object::release::<CommandBuffer>("metal_command_buffer_release", command_buffer);
}

// ---- for encoders --------------------------------------------------------------------------

pub fn own(command_buffer: Handle) -> Result<CommandBuffer> {
    get(command_buffer, "command_buffer")
}

/// An encoder and the command buffer it writes to.
pub struct Encoder<E> {
    pub inner: E,
    recording: Arc<Recording>,
}

impl<E> Encoder<E> {
    pub fn new(inner: E, command_buffer: &CommandBuffer) -> Arc<Encoder<E>> {
        Arc::new(Encoder { inner, recording: command_buffer.recording.clone() })
    }
}

/// Runs an encoding call. A failure stays with the command buffer.
pub fn encode<E>(function: &str, encoder: Handle, body: impl FnOnce(&E) -> Result<()>) -> bool
where
    Arc<Encoder<E>>: handle::Typed,
{
    let mut recording = None;
    let is_done = done(function, || {
        let encoder: Arc<Encoder<E>> = get(encoder, "encoder")?;
        recording = Some(encoder.recording.clone());
        body(&encoder.inner)
    });
    if let (false, Some(recording)) = (is_done, recording) {
        recording.fail();
    }
    is_done
}

/// Runs a call that encodes between encoders, likewise.
pub fn encode_between(function: &str, command_buffer: Handle, body: impl FnOnce(&CommandBuffer) -> Result<()>) -> bool {
    let mut recording = None;
    let is_done = done(function, || {
        let command_buffer = own(command_buffer)?;
        recording = Some(command_buffer.recording.clone());
        body(&command_buffer)
    });
    if let (false, Some(recording)) = (is_done, recording) {
        recording.fail();
    }
    is_done
}

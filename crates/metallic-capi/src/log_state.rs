//! Log states: what kernels log (`os_log`), handed to functions of the caller.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use metallic::{CommandBufferDescriptor, CommandQueue, CommandQueueDescriptor, Device, LogLevel, LogRecord, LogState};

use crate::command_buffer::CommandBuffer;
use crate::error::{Failure, done, guard, make};
use crate::handle::{Handle, get};
use crate::object;

/// `metal_log_handler`.
pub type LogHandler = Option<
    unsafe extern "C" fn(
        subsystem: *const c_char,
        category: *const c_char,
        level: i32,
        message: *const c_char,
        user_data: *mut c_void,
    ),
>;

/// A function of the caller and what it asked to get.
struct Handler {
    function: unsafe extern "C" fn(*const c_char, *const c_char, i32, *const c_char, *mut c_void),
    user_data: *mut c_void,
}

// SAFETY: the caller promised in `metal_log_state_add_log_handler` that the function may be called with its data from
// any thread.
unsafe impl Send for Handler {}
// SAFETY: likewise, also from several threads at once.
unsafe impl Sync for Handler {}

impl Handler {
    fn call(&self, record: &LogRecord) {
        let (subsystem, category) = (record.subsystem.as_deref().map(text), record.category.as_deref().map(text));
        let message = text(&record.message);
        let pointer = |name: &Option<CString>| name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr());
        let (subsystem, category, level) = (pointer(&subsystem), pointer(&category), record.level as i32);
        // SAFETY: the caller promised that it may be called so; the texts live until it returns.
        unsafe { (self.function)(subsystem, category, level, message.as_ptr(), self.user_data) }
    }
}

/// Text for C, which ends at the first NUL.
fn text(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_make_log_state(device: Handle, level: i32) -> Handle {
    make("metal_device_make_log_state", || {
        let device: Device = get(device, "device")?;
        let level = u64::try_from(level)
            .ok()
            .and_then(LogLevel::from_number)
            .ok_or_else(|| Failure::argument(format!("level is {level}, not between 1 and 5")))?;
        Ok(device.make_log_state(level))
    })
}

/// # Safety
/// `handler` is NULL or may be called with `user_data` from any thread, as often as kernels log, as long as the state or
/// a command buffer that uses it exists.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_log_state_add_log_handler(
    log_state: Handle,
    handler: LogHandler,
    user_data: *mut c_void,
) -> bool {
    done("metal_log_state_add_log_handler", || {
        let state: Arc<LogState> = get(log_state, "log_state")?;
        let function = handler.ok_or_else(|| Failure::argument("handler is NULL"))?;
        let handler = Handler { function, user_data };
        state.add_log_handler(move |record| handler.call(record));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_log_state_get_level(log_state: Handle) -> i32 {
    guard("metal_log_state_get_level", 0, || Ok(get::<Arc<LogState>>(log_state, "log_state")?.level() as i32))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_log_state_release(log_state: Handle) {
    object::release::<Arc<LogState>>("metal_log_state_release", log_state);
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_make_command_queue_with_log_state(device: Handle, log_state: Handle) -> Handle {
    make("metal_device_make_command_queue_with_log_state", || {
        let device: Device = get(device, "device")?;
        let log_state = Some(get(log_state, "log_state")?);
        Ok(device.make_command_queue_with_descriptor(&CommandQueueDescriptor { log_state })?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_queue_make_command_buffer_with_log_state(queue: Handle, log_state: Handle) -> Handle {
    make("metal_command_queue_make_command_buffer_with_log_state", || {
        let queue: CommandQueue = get(queue, "queue")?;
        let log_state = Some(get(log_state, "log_state")?);
        let inner = queue.make_command_buffer_with_descriptor(&CommandBufferDescriptor { log_state })?;
        Ok(CommandBuffer { inner, recording: Arc::default() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_c_ends_at_the_first_nul() {
        assert_eq!(text("a\0b").as_bytes(), b"a");
        assert_eq!(text("").as_bytes(), b"");
    }
}

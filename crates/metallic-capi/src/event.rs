//! Shared events: order between command queues, and with the host.

use std::time::Duration;

use metallic::{Device, SharedEvent};

use crate::command_buffer::encode_between;
use crate::error::{done, guard, make};
use crate::handle::{Handle, get};
use crate::object;

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_make_shared_event(device: Handle) -> Handle {
    make("metal_device_make_shared_event", || Ok(get::<Device>(device, "device")?.make_shared_event()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_shared_event_get_signaled_value(event: Handle) -> u64 {
    guard("metal_shared_event_get_signaled_value", 0, || Ok(get::<SharedEvent>(event, "event")?.signaled_value()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_shared_event_set_signaled_value(event: Handle, value: u64) -> bool {
    done("metal_shared_event_set_signaled_value", || {
        get::<SharedEvent>(event, "event")?.set_signaled_value(value);
        Ok(())
    })
}

/// False also when the time was over first, which is no error.
#[unsafe(no_mangle)]
pub extern "C" fn metal_shared_event_wait_until_signaled_value(event: Handle, value: u64, milliseconds: u64) -> bool {
    guard("metal_shared_event_wait_until_signaled_value", false, || {
        let event: SharedEvent = get(event, "event")?;
        let timeout = (milliseconds != u64::MAX).then(|| Duration::from_millis(milliseconds));
        Ok(event.wait_until_signaled_value(value, timeout))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_encode_signal_event(command_buffer: Handle, event: Handle, value: u64) -> bool {
    encode_between("metal_command_buffer_encode_signal_event", command_buffer, |command_buffer| {
        Ok(command_buffer.inner.encode_signal_event(&get::<SharedEvent>(event, "event")?, value)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_command_buffer_encode_wait_for_event(
    command_buffer: Handle,
    event: Handle,
    value: u64,
) -> bool {
    encode_between("metal_command_buffer_encode_wait_for_event", command_buffer, |command_buffer| {
        Ok(command_buffer.inner.encode_wait_for_event(&get::<SharedEvent>(event, "event")?, value)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_shared_event_release(event: Handle) {
    object::release::<SharedEvent>("metal_shared_event_release", event);
}

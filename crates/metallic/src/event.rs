//! Events (`MTLEvent`, `MTLSharedEvent`): order between queues, and with the host.

use std::sync::Arc;
use std::time::Duration;

use metallic_hal as hal;

/// A counter that command buffers and the host raise and wait for. Clones are the same event.
#[derive(Clone, Default)]
pub struct Event {
    pub(crate) hal: Arc<hal::Event>,
}

/// Every event can be shared with the host.
pub type SharedEvent = Event;

impl Event {
    pub(crate) fn new() -> Event {
        Event::default()
    }
    pub fn signaled_value(&self) -> u64 {
        self.hal.value()
    }
    /// Raises the value; a smaller one changes nothing.
    pub fn set_signaled_value(&self, value: u64) {
        self.hal.signal(value);
    }
    /// Calls `listener` once the value has been reached, from the thread that raises it.
    pub fn notify_listener(&self, value: u64, listener: impl FnOnce() + Send + 'static) {
        self.hal.notify(value, listener);
    }
    /// Waits for the value; false when the time was over first.
    pub fn wait_until_signaled_value(&self, value: u64, timeout: Option<Duration>) -> bool {
        self.hal.wait(value, timeout)
    }
}

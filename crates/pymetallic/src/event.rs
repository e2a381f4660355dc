//! `Event`, also shared.

use std::time::Duration;

use pyo3::prelude::*;

use crate::wait::wait_timeout;

/// A counter that command buffers and the host raise and wait for; made by `Device.make_shared_event`.
#[pyclass(frozen, module = "pymetallic")]
pub struct Event {
    pub inner: metallic::Event,
}

impl Event {
    pub fn from_inner(inner: metallic::Event) -> Event {
        Event { inner }
    }
}

#[pymethods]
impl Event {
    /// The value that it has reached. Setting it raises it; a smaller one changes nothing.
    #[getter]
    fn get_signaled_value(&self) -> u64 {
        self.inner.signaled_value()
    }
    /// Raises the value; a smaller one changes nothing.
    #[setter]
    fn set_signaled_value(&self, py: Python<'_>, value: u64) {
        py.detach(|| self.inner.set_signaled_value(value));
    }
    /// Waits until the value has been reached: True, or False when `timeout` seconds were over first (None: no
    /// limit).
    #[pyo3(signature = (value, timeout=None))]
    fn wait_until_signaled_value(&self, py: Python<'_>, value: u64, timeout: Option<f64>) -> PyResult<bool> {
        let timeout =
            timeout.map_or(Duration::MAX, |s| Duration::try_from_secs_f64(s.max(0.0)).unwrap_or(Duration::MAX));
        wait_timeout(py, timeout, |time| self.inner.wait_until_signaled_value(value, Some(time)))
    }
}

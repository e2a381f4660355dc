//! `LogState`: what kernels log, handed to Python.

use std::sync::Arc;

use metallic::{LogLevel, LogRecord};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::released::CountRelease;
use crate::shutdown::call_back;

/// Takes what kernels log with `os_log`; made by `Device.make_log_state`, given to a command queue or command buffer.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct LogState {
    pub inner: Arc<metallic::LogState>,
    _released: CountRelease,
}

impl LogState {
    pub fn from_inner(inner: Arc<metallic::LogState>) -> LogState {
        LogState { inner, _released: CountRelease }
    }
}

/// A level by its name.
pub fn level(name: &str) -> PyResult<LogLevel> {
    let all = [LogLevel::Debug, LogLevel::Info, LogLevel::Notice, LogLevel::Error, LogLevel::Fault];
    let names = || all.map(LogLevel::name).join(", ");
    all.into_iter()
        .find(|l| l.name() == name)
        .ok_or_else(|| PyValueError::new_err(format!("level {name:?} is none of {}", names())))
}

#[pymethods]
impl LogState {
    /// Calls `handler(subsystem, category, level, message)` for each record, from any thread, before the command buffer
    /// completes.
    ///
    /// The first two are None of `os_log_default`; the level is "debug", "info", "notice", "error" or "fault". Without
    /// handlers, records are printed.
    fn add_log_handler(&self, handler: Py<PyAny>) {
        self.inner.add_log_handler(move |record: &LogRecord| {
            call_back(|py| {
                let LogRecord { subsystem, category, level, message } = record;
                let arguments = (subsystem.as_deref(), category.as_deref(), level.name(), message.as_str());
                if let Err(error) = handler.call1(py, arguments) {
                    error.write_unraisable(py, Some(handler.bind(py)));
                }
            });
        });
    }
    /// Records below it are dropped.
    #[getter]
    fn level(&self) -> &'static str {
        self.inner.level().name()
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.LogState from {}>", self.inner.level().name())
    }
}

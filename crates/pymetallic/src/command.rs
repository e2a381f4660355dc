//! `CommandQueue` and `CommandBuffer`.

use metallic::CommandBufferStatus;
use pyo3::prelude::*;

use crate::device::Device;
use crate::encoder::{BlitCommandEncoder, ComputeCommandEncoder};
use crate::error::{ToPython, to_python};
use crate::event::Event;
use crate::log::LogState;
use crate::released::CountRelease;
use crate::shutdown::call_back;
use crate::wait::wait;

/// Executes command buffers in order.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct CommandQueue {
    pub inner: metallic::CommandQueue,
    _released: CountRelease,
}

impl CommandQueue {
    pub fn from_inner(inner: metallic::CommandQueue) -> CommandQueue {
        CommandQueue { inner, _released: CountRelease }
    }
}

#[pymethods]
impl CommandQueue {
    #[new]
    fn new(device: &Device) -> PyResult<CommandQueue> {
        device.inner.make_command_queue().python().map(CommandQueue::from_inner)
    }
    /// A new, empty command buffer.
    ///
    /// log_state: takes what its kernels log, instead of the queue's.
    #[pyo3(signature = (log_state = None))]
    fn make_command_buffer(&self, log_state: Option<&LogState>) -> PyResult<CommandBuffer> {
        let descriptor = metallic::CommandBufferDescriptor { log_state: log_state.map(|s| s.inner.clone()) };
        self.inner.make_command_buffer_with_descriptor(&descriptor).python().map(CommandBuffer::from_inner)
    }
    /// The device that executes.
    #[getter]
    fn device(&self) -> Device {
        Device::from_inner(self.inner.device().clone())
    }
    /// A name for messages; empty at first, and yours to set.
    #[getter]
    fn get_label(&self) -> String {
        self.inner.label()
    }
    #[setter]
    fn set_label(&self, label: &str) {
        self.inner.set_label(label);
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.CommandQueue on {}>", self.inner.device().id())
    }
}

/// Commands on their way to a device; made by `CommandQueue.make_command_buffer`.
///
/// `await command_buffer` commits it if nobody has, waits without blocking the event loop, and raises its error.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct CommandBuffer {
    pub inner: metallic::CommandBuffer,
    _released: CountRelease,
}

impl CommandBuffer {
    pub fn from_inner(inner: metallic::CommandBuffer) -> CommandBuffer {
        CommandBuffer { inner, _released: CountRelease }
    }
}

#[pymethods]
impl CommandBuffer {
    /// An encoder for kernels. One encoder at a time: MetalValidationError while another has not ended, or after
    /// `commit`.
    fn make_compute_command_encoder(&self) -> PyResult<ComputeCommandEncoder> {
        ComputeCommandEncoder::of(&self.inner)
    }
    /// Same as `make_compute_command_encoder`.
    fn compute_command_encoder(&self) -> PyResult<ComputeCommandEncoder> {
        ComputeCommandEncoder::of(&self.inner)
    }
    /// An encoder for copies. Raises as `make_compute_command_encoder` does.
    fn make_blit_command_encoder(&self) -> PyResult<BlitCommandEncoder> {
        BlitCommandEncoder::of(&self.inner)
    }

    /// Hands the commands to the device and returns at once. Once only.
    fn commit(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.inner.commit()).python()
    }
    /// Takes a place in the queue without committing yet.
    fn enqueue(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.inner.enqueue()).python()
    }
    /// Returns when the commands have completed and handlers have run. Raises MetalExecutionError when one failed.
    ///
    /// Other threads run meanwhile. Ctrl-C raises KeyboardInterrupt here; the commands go on, and one may wait again.
    fn wait_until_completed(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, |timeout| self.inner.wait_until_completed_timeout(timeout))
    }
    /// Returns when the commands have been handed to the device.
    fn wait_until_scheduled(&self, py: Python<'_>) -> PyResult<()> {
        wait(py, |timeout| self.inner.wait_until_scheduled_timeout(timeout))
    }

    /// 1: completed; 0: in progress; -1: failed, or not committed.
    fn get_status(&self) -> i32 {
        match self.inner.status() {
            CommandBufferStatus::Completed => 1,
            CommandBufferStatus::Committed | CommandBufferStatus::Scheduled => 0,
            _ => -1,
        }
    }
    /// Metal's status: "not_enqueued", "enqueued", "committed", "scheduled", "completed" or "error".
    #[getter(status)]
    fn metal_status(&self) -> &'static str {
        match self.inner.status() {
            CommandBufferStatus::NotEnqueued => "not_enqueued",
            CommandBufferStatus::Enqueued => "enqueued",
            CommandBufferStatus::Committed => "committed",
            CommandBufferStatus::Scheduled => "scheduled",
            CommandBufferStatus::Completed => "completed",
            CommandBufferStatus::Error => "error",
        }
    }
    /// The exception that `wait_until_completed` raises, or None.
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.inner.error().map(|e| to_python(e).into_value(py).into_bound(py).into_any())
    }
    /// When the device started, in seconds of its clock; 0.0 before completion.
    #[getter]
    fn gpu_start_time(&self) -> f64 {
        self.inner.gpu_start_time()
    }
    /// When the device was done, in seconds of its clock; 0.0 before completion.
    #[getter]
    fn gpu_end_time(&self) -> f64 {
        self.inner.gpu_end_time()
    }

    /// Calls `handler(command_buffer)` after completion or failure, on a thread of the runtime, before waits return.
    ///
    /// An exception goes to `sys.unraisablehook`. Raises MetalValidationError after `commit`, as Metal does; see
    /// `future` for what may be asked for at any time.
    fn add_completed_handler(&self, handler: Py<PyAny>) -> PyResult<()> {
        self.inner.add_completed_handler(call(handler)).python()
    }
    /// Calls `handler(command_buffer)` once the commands have been handed to the device.
    fn add_scheduled_handler(&self, handler: Py<PyAny>) -> PyResult<()> {
        self.inner.add_scheduled_handler(call(handler)).python()
    }
    /// Calls `listener` once the commands have completed or failed, also when that is long past.
    fn _notify_completed(&self, py: Python<'_>, listener: Py<PyAny>) {
        let listener = call(listener);
        py.detach(|| self.inner.notify_completed(listener));
    }
    /// A future whose result is this command buffer, or its error. May be asked for at any time; it neither commits
    /// nor cancels. `asyncio.wrap_future`, `concurrent.futures.wait` and `as_completed` take it.
    fn future<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("pymetallic._async")?.getattr("future")?.call1((slf,))
    }
    /// Raises `event` to `value` when everything encoded so far has completed.
    fn encode_signal_event(&self, event: &Event, value: u64) -> PyResult<()> {
        self.inner.encode_signal_event(&event.inner, value).python()
    }
    /// Holds up everything encoded from now on until `event` has reached `value`.
    fn encode_wait_for_event(&self, event: &Event, value: u64) -> PyResult<()> {
        self.inner.encode_wait_for_event(&event.inner, value).python()
    }

    /// `await command_buffer`: completes when the commands have; raises MetalError when one failed.
    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        py.import("pymetallic._async")?.getattr("wait")?.call1((slf,))?.call_method0("__await__")
    }

    /// The device that executes.
    #[getter]
    fn device(&self) -> Device {
        Device::from_inner(self.inner.device().clone())
    }
    /// The queue that it came from.
    #[getter]
    fn command_queue(&self) -> CommandQueue {
        CommandQueue::from_inner(self.inner.command_queue().clone())
    }
    /// A name for messages; empty at first, and yours to set.
    #[getter]
    fn get_label(&self) -> String {
        self.inner.label()
    }
    #[setter]
    fn set_label(&self, label: &str) {
        self.inner.set_label(label);
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.CommandBuffer, {}>", self.metal_status())
    }
}

/// A handler that calls into Python; an exception there is reported as unraisable.
fn call(handler: Py<PyAny>) -> impl FnOnce(&metallic::CommandBuffer) + Send + 'static {
    move |command_buffer| {
        let command_buffer = CommandBuffer::from_inner(command_buffer.clone());
        call_back(|py| {
            if let Err(error) = handler.call1(py, (command_buffer,)) {
                error.write_unraisable(py, Some(handler.bind(py)));
            }
            // Released while attached.
            drop(handler);
        });
    }
}

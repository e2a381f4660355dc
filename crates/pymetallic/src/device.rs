//! `Device`.

use metallic::CompileOptions;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use crate::buffer::{Buffer, make_buffer, make_buffer_from_numpy};
use crate::command::{CommandBuffer, CommandQueue};
use crate::encoder::ComputeCommandEncoder;
use crate::error::ToPython;
use crate::event::Event;
use crate::library::{ComputePipelineState, Function, Library, compile_options};
use crate::log::LogState;
use crate::texture::{SamplerState, Texture, make_sampler_state, make_texture};

/// A device that runs kernels. `Device("cpu")` is one by its id, `Device()` the default one. Equal when the same.
#[pyclass(frozen, module = "pymetallic", eq, weakref)]
#[derive(PartialEq, Clone)]
pub struct Device {
    pub inner: metallic::Device,
}

impl Device {
    pub fn from_inner(inner: metallic::Device) -> Device {
        Device { inner }
    }
}

#[pymethods]
impl Device {
    #[new]
    #[pyo3(signature = (name=None))]
    fn new(py: Python<'_>, name: Option<&str>) -> PyResult<Device> {
        py.detach(|| match name {
            Some(name) => metallic::Device::by_name(name),
            None => metallic::Device::system_default(),
        })
        .python()
        .map(Device::from_inner)
    }

    /// The device that `PYMETALLIC_DEVICE` names, or the best there is. Raises MetalError when there is none.
    #[classmethod]
    fn get_default_device(_cls: &Bound<'_, PyType>, py: Python<'_>) -> PyResult<Device> {
        py.detach(metallic::Device::system_default).python().map(Device::from_inner)
    }

    /// All devices that do real work, the default one first.
    #[classmethod]
    fn get_all_devices(_cls: &Bound<'_, PyType>, py: Python<'_>) -> Vec<Device> {
        py.detach(metallic::Device::all).into_iter().map(Device::from_inner).collect()
    }

    /// What people call it: "CPU (AMD EPYC)".
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }
    /// What `Device(name)` accepts: "cpu", "interp", …
    #[getter]
    fn id(&self) -> &str {
        self.inner.id()
    }
    /// A number that tells devices of one process apart.
    #[getter]
    fn registry_id(&self) -> u64 {
        self.inner.registry_id()
    }
    /// Whether kernels work on memory of the host, so that arrays need not be copied.
    #[getter]
    fn has_unified_memory(&self) -> bool {
        self.inner.has_unified_memory()
    }
    /// The most threads along x, y and z. Kernels may allow fewer in all.
    #[getter]
    fn max_threads_per_threadgroup(&self) -> (u32, u32, u32) {
        let size = self.inner.max_threads_per_threadgroup();
        (size.width, size.height, size.depth)
    }
    /// In bytes, of all threadgroup variables and arguments of a kernel together.
    #[getter]
    fn max_threadgroup_memory_length(&self) -> u32 {
        self.inner.max_threadgroup_memory_length()
    }
    /// The largest buffer, in bytes.
    #[getter]
    fn max_buffer_length(&self) -> u64 {
        self.inner.max_buffer_length()
    }
    /// Memory that is kept for the next uploads (see `async_buffer_from_numpy`), in bytes; given back when idle.
    #[getter]
    fn free_staging_length(&self) -> u64 {
        self.inner.free_staging_length()
    }
    /// Whether fragment shaders see barycentric coordinates: False, but on Apple GPUs that have them. We compute only.
    fn supports_shader_barycentric_coordinates(&self) -> bool {
        self.inner.supports_shader_barycentric_coordinates()
    }

    /// A new queue of this device. Raises MetalDeviceError when its driver fails.
    ///
    /// log_state: takes what kernels of its command buffers log; by default that is printed.
    #[pyo3(signature = (log_state = None))]
    fn make_command_queue(&self, log_state: Option<&LogState>) -> PyResult<CommandQueue> {
        let descriptor = metallic::CommandQueueDescriptor { log_state: log_state.map(|s| s.inner.clone()) };
        self.inner.make_command_queue_with_descriptor(&descriptor).python().map(CommandQueue::from_inner)
    }
    /// Takes what kernels log with `os_log`, from a level on: "debug", "info", "notice", "error" or "fault".
    #[pyo3(signature = (level = "debug"))]
    fn make_log_state(&self, level: &str) -> PyResult<LogState> {
        Ok(LogState::from_inner(self.inner.make_log_state(crate::log::level(level)?)))
    }
    /// A new command queue each time.
    #[getter]
    fn command_queue(&self) -> PyResult<CommandQueue> {
        self.make_command_queue(None)
    }
    /// A new command buffer of a new queue each time.
    #[getter]
    fn command_buffer(&self) -> PyResult<CommandBuffer> {
        self.inner.make_command_queue().and_then(|q| q.make_command_buffer()).python().map(CommandBuffer::from_inner)
    }
    /// A new encoder of a new command buffer each time; its `commit` and `wait_until_completed` act on that.
    #[getter]
    fn command_encoder(&self) -> PyResult<ComputeCommandEncoder> {
        let command_buffer = self.inner.make_command_queue().and_then(|q| q.make_command_buffer()).python()?;
        ComputeCommandEncoder::of(&command_buffer)
    }

    /// Compiles MSL. Raises MetalCompileError with file, line, column and message.
    ///
    /// options: fast_math (bool), language_version ("3.1"), macros (dict of name and text), include_directories (list
    /// of paths), headers (dict of name and text), name (of the source in messages).
    #[pyo3(signature = (source, options=None))]
    fn make_library(&self, py: Python<'_>, source: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Library> {
        let options = options.map_or_else(|| Ok(CompileOptions::default()), compile_options)?;
        py.detach(|| self.inner.make_library(source, &options)).python().map(Library::from_inner)
    }
    /// Compiles a function for this device. Raises MetalError when the device cannot run it.
    ///
    /// linked_functions: the visible functions of the same library that its tables may hold.
    #[pyo3(signature = (function, linked_functions=None))]
    fn make_compute_pipeline_state(
        &self,
        function: &Bound<'_, Function>,
        linked_functions: Option<Vec<Bound<'_, Function>>>,
    ) -> PyResult<ComputePipelineState> {
        ComputePipelineState::make(&self.inner, function, linked_functions)
    }

    /// `size` bytes of zeros, shared by default. Raises MetalMemoryError when there is not enough memory.
    #[pyo3(signature = (size, storage_mode=None))]
    fn make_buffer(&self, py: Python<'_>, size: i64, storage_mode: Option<i64>) -> PyResult<Buffer> {
        make_buffer(py, &self.inner, size, storage_mode)
    }
    /// A buffer with a copy of an array of any dtype and layout.
    #[pyo3(signature = (array, storage_mode=None))]
    fn make_buffer_from_numpy(&self, array: &Bound<'_, PyAny>, storage_mode: Option<i64>) -> PyResult<Buffer> {
        make_buffer_from_numpy(&self.inner, array, storage_mode)
    }

    /// A texture.
    ///
    /// pixel_format: "rgba32float" (the default), "r8unorm", … in any case, or Metal's number.
    /// texture_type: "1d", "1d_array", "2d", "2d_array", "cube", "cube_array", "3d" or "buffer"; by default "2d",
    /// or "3d" when depth exceeds 1. usage: what kernels may do with it.
    #[pyo3(signature = (width, height=1, depth=1, *, pixel_format=None, texture_type=None, mipmap_level_count=1, array_length=1, storage_mode=None, usage="read_write"))]
    #[expect(clippy::too_many_arguments)]
    fn make_texture(
        &self,
        py: Python<'_>,
        width: i64,
        height: i64,
        depth: i64,
        pixel_format: Option<&Bound<'_, PyAny>>,
        texture_type: Option<&str>,
        mipmap_level_count: i64,
        array_length: i64,
        storage_mode: Option<i64>,
        usage: &str,
    ) -> PyResult<Texture> {
        let size = [width, height, depth];
        let counts = (mipmap_level_count, array_length);
        make_texture(py, &self.inner, size, pixel_format, texture_type, counts, storage_mode, usage)
    }
    /// A sampler state.
    ///
    /// address, or s_address, t_address, r_address: "clamp_to_edge" (the default), "mirror_clamp_to_edge", "repeat",
    /// "mirrored_repeat", "clamp_to_zero", "clamp_to_border". filter, or min_filter, mag_filter: "nearest" (the
    /// default), "linear". mip_filter: "none" (the default), "nearest", "linear". normalized_coordinates: bool.
    /// compare_function: "never" (the default), "less", "equal", "less_equal", "greater", "not_equal",
    /// "greater_equal", "always". border_color: "transparent_black", "opaque_black", "opaque_white".
    /// max_anisotropy: 1 to 16. lod_min_clamp, lod_max_clamp: float. reduction_mode: "weighted_average" (the default),
    /// "minimum", "maximum".
    #[pyo3(signature = (**options))]
    fn make_sampler_state(&self, options: Option<&Bound<'_, PyDict>>) -> PyResult<SamplerState> {
        make_sampler_state(&self.inner, options)
    }
    /// An event that starts at 0, for the command buffers of this device.
    fn make_event(&self) -> Event {
        Event::from_inner(self.inner.make_event())
    }
    /// An event that starts at 0 and that the host can wait for, too.
    fn make_shared_event(&self) -> Event {
        Event::from_inner(self.inner.make_shared_event())
    }

    /// Same as `Kernel(device, source, func, constants, options)`.
    #[pyo3(signature = (source, func, constants=None, options=None))]
    fn make_kernel<'py>(
        slf: &Bound<'py, Self>,
        source: &str,
        func: &str,
        constants: Option<&Bound<'py, PyAny>>,
        options: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        py.import("pymetallic._kernel")?.getattr("Kernel")?.call1((slf, source, func, constants, options))
    }
    /// Element `i` of a buffer of any storage mode, as a Python scalar.
    fn read_scalar<'py>(
        slf: &Bound<'py, Self>,
        buffer: &Bound<'py, PyAny>,
        dtype: &Bound<'py, PyAny>,
        i: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py().import("pymetallic._functions")?.getattr("read_scalar")?.call1((
            slf.getattr("command_queue")?,
            buffer,
            dtype,
            i,
        ))
    }

    fn __hash__(&self) -> u64 {
        self.inner.registry_id()
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.Device \"{}\" ({})>", self.inner.id(), self.inner.name())
    }
}

//! `Buffer`.

use std::ptr::NonNull;

use metallic::StorageMode;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};

use crate::array::{as_array, contiguous, host_array, numpy};
use crate::device::Device;
use crate::dlpack;
use crate::error::{ToPython, invalid};
use crate::released::CountRelease;

/// Memory of a device: `size` bytes of zeros.
///
/// storage_mode: STORAGE_SHARED (the default), STORAGE_MANAGED or STORAGE_PRIVATE; anything else raises ValueError.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct Buffer {
    pub inner: metallic::Buffer,
    _released: CountRelease,
}

impl Buffer {
    pub fn from_inner(inner: metallic::Buffer) -> Buffer {
        Buffer { inner, _released: CountRelease }
    }
}

/// What the views that NumPy makes of a buffer are views of: while it lives, the host may touch the bytes.
#[pyclass(frozen, module = "pymetallic._native", name = "_Contents")]
pub struct Contents {
    view: metallic::View,
}

#[pymethods]
impl Contents {
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        array_interface(py, self.view.buffer(), self.view.pointer())
    }
}

/// NumPy's description of a buffer's bytes.
fn array_interface<'py>(
    py: Python<'py>,
    buffer: &metallic::Buffer,
    contents: NonNull<u8>,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("version", 3)?;
    dict.set_item("shape", (buffer.length(),))?;
    dict.set_item("typestr", "|u1")?;
    dict.set_item("data", (contents.as_ptr() as usize, buffer.is_read_only()))?;
    Ok(dict)
}

/// Keeps a Python object alive until native code is done with it, from any thread.
///
/// A thread of the runtime must not wait for the interpreter here: whoever holds the interpreter may wait for
/// that thread. Dropping a `Py` without it leaves the release to the next call into this module.
pub struct Owner {
    pub _object: Py<PyAny>,
    /// Of an array: see [`crate::array::Owner`].
    pub _capsule: Option<Py<PyCapsule>>,
}

impl Owner {
    /// Keeps the memory of an array.
    pub fn new(array: crate::array::Owner<'_>) -> Owner {
        Owner { _object: array.object.unbind(), _capsule: Some(array.capsule.unbind()) }
    }
}

pub fn storage_mode(value: Option<i64>) -> PyResult<StorageMode> {
    let value = value.unwrap_or(0);
    u32::try_from(value).ok().and_then(StorageMode::from_raw).ok_or_else(|| {
        PyValueError::new_err(format!(
            "storage mode {value} is none of STORAGE_SHARED (0), STORAGE_MANAGED (1), STORAGE_PRIVATE (2)"
        ))
    })
}

pub fn make_buffer(py: Python<'_>, device: &metallic::Device, size: i64, mode: Option<i64>) -> PyResult<Buffer> {
    let mode = storage_mode(mode)?;
    let length = u64::try_from(size).map_err(|_| invalid(format!("a buffer cannot have {size} bytes")))?;
    py.detach(|| device.make_buffer(length, mode)).python().map(Buffer::from_inner)
}

pub fn make_buffer_from_numpy(
    device: &metallic::Device,
    array: &Bound<'_, PyAny>,
    mode: Option<i64>,
) -> PyResult<Buffer> {
    let mode = storage_mode(mode)?;
    let array = contiguous(array)?;
    let host = host_array(&array)?.ok_or_else(|| invalid("expected a NumPy array"))?;
    let bytes = host.bytes();
    array.py().detach(|| device.make_buffer_with_bytes(bytes, mode)).python().map(Buffer::from_inner)
}

/// A shared buffer that is the memory of an array, read-only when the array is.
fn make_buffer_over(device: &metallic::Device, array: &Bound<'_, PyAny>) -> PyResult<Buffer> {
    let host = host_array(array)?.ok_or_else(|| invalid("expected an array"))?;
    if host.length == 0 {
        return Err(invalid("the array is empty: a buffer must have at least one byte"));
    }
    let pointer = NonNull::new(host.data).ok_or_else(|| invalid("the array has no memory"))?;
    let (length, is_writable) = (host.length, host.is_writable);
    let owner = Box::new(Owner::new(host.owner));
    // SAFETY: the array's memory stays where it is while the array lives (NumPy refuses to resize an
    // array that is referenced), and `owner` keeps it alive.
    let buffer = unsafe {
        if is_writable {
            device.make_buffer_with_bytes_no_copy(pointer, length, owner)
        } else {
            device.make_read_only_buffer_with_bytes_no_copy(pointer, length, owner)
        }
    };
    buffer.python().map(Buffer::from_inner)
}

/// The device that was asked for, or the default one.
fn device_or_default(py: Python<'_>, device: Option<&Device>) -> PyResult<metallic::Device> {
    match device {
        Some(device) => Ok(device.inner.clone()),
        None => py.detach(metallic::Device::system_default).python(),
    }
}

#[pymethods]
impl Buffer {
    /// Visible to host and device.
    #[classattr]
    const STORAGE_SHARED: u32 = 0;
    /// Host and device may have a copy each, synchronised at commit and completion.
    #[classattr]
    const STORAGE_MANAGED: u32 = 1;
    /// Of the device alone; reached by blits.
    #[classattr]
    const STORAGE_PRIVATE: u32 = 2;

    #[new]
    #[pyo3(signature = (device, size, storage_mode=0))]
    fn new(py: Python<'_>, device: &Device, size: i64, storage_mode: Option<i64>) -> PyResult<Buffer> {
        make_buffer(py, &device.inner, size, storage_mode)
    }

    /// A buffer with a copy of an array of any dtype and layout (made contiguous).
    #[staticmethod]
    #[pyo3(signature = (device, array, storage_mode=0))]
    fn from_numpy(device: &Device, array: &Bound<'_, PyAny>, storage_mode: Option<i64>) -> PyResult<Buffer> {
        make_buffer_from_numpy(&device.inner, array, storage_mode)
    }

    /// A shared buffer that *is* the memory of a writable C-contiguous array, of any dtype and shape; it keeps the
    /// array alive.
    ///
    /// Raises MetalError on devices that do not share memory with the host.
    #[staticmethod]
    fn from_numpy_no_copy(device: &Device, array: &Bound<'_, PyAny>) -> PyResult<Buffer> {
        let host = host_array(array)?.ok_or_else(|| invalid("expected a NumPy array"))?;
        if !host.is_writable {
            return Err(invalid("the array is read-only; pass a copy"));
        }
        make_buffer_over(&device.inner, array)
    }

    /// A shared buffer with the bytes of an array: a NumPy array, anything with the buffer protocol (bytes,
    /// memoryview, array.array, mmap) or with DLPack (PyTorch, JAX), of any dtype and shape.
    ///
    /// copy: False makes a buffer that *is* the array's memory, in no time that depends on its size, and raises
    /// MetalError where that cannot be (an array that is not C-contiguous, a device that cannot use memory of the
    /// host); True always copies; None copies where it must. Kernels and the array see each other's writes.
    /// A read-only array makes a read-only buffer, which kernels may only read. The array is kept alive.
    /// device: the default device when not given.
    #[staticmethod]
    #[pyo3(signature = (array, *, copy=None, device=None))]
    fn from_array(array: &Bound<'_, PyAny>, copy: Option<bool>, device: Option<&Device>) -> PyResult<Buffer> {
        let device = device_or_default(array.py(), device)?;
        match copy {
            Some(true) => make_buffer_from_numpy(&device, array, None),
            Some(false) => make_buffer_over(&device, &as_array(array)?),
            None => {
                let shared = crate::array::shared_array(array)?;
                let array = shared.as_ref().unwrap_or(array);
                let is_usable = device.has_unified_memory() && host_array(array).is_ok_and(|a| a.is_some());
                if is_usable { make_buffer_over(&device, array) } else { make_buffer_from_numpy(&device, array, None) }
            }
        }
    }

    /// A shared buffer that *is* the memory of a DLPack tensor, C-contiguous and in memory of the host, of any
    /// dtype and shape; the tensor is kept alive.
    ///
    /// Raises TypeError for objects without DLPack, MetalError for tensors that the device cannot use.
    #[staticmethod]
    #[pyo3(signature = (tensor, *, device=None))]
    fn from_dlpack(tensor: &Bound<'_, PyAny>, device: Option<&Device>) -> PyResult<Buffer> {
        let py = tensor.py();
        let device = device_or_default(py, device)?;
        let name = tensor.get_type().name()?;
        let no_dlpack = || PyTypeError::new_err(format!("{name} has no __dlpack__"));
        let place = dlpack::place(tensor)?.ok_or_else(no_dlpack)?;
        if place.kind == dlpack::CUDA {
            let array = crate::gpu_array::import(&device, tensor)?.ok_or_else(no_dlpack)?;
            return Ok(array.buffer);
        }
        if !place.is_host() {
            let place = place.name();
            return Err(invalid(format!("the tensor is in memory of {place}; device {} uses the host's", device.id())));
        }
        let tensor = dlpack::import(tensor, None)?.ok_or_else(no_dlpack)?;
        make_buffer_over(&device, &numpy(py)?.call_method1(pyo3::intern!(py, "asarray"), (tensor,))?)
    }

    /// DLPack: a capsule with the bytes (uint8, one-dimensional), which keeps the memory alive. Raises BufferError
    /// for private storage, or where the consumer cannot take a read-only buffer.
    #[pyo3(signature = (*, stream=None, max_version=None, dl_device=None, copy=None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<&Bound<'py, PyAny>>,
        max_version: Option<(u32, u32)>,
        dl_device: Option<(i32, i32)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // Memory of the host has no streams.
        let _ = stream;
        dlpack::export(py, &self.inner, &dlpack::Request { max_version, place: dl_device, copy })
    }
    /// DLPack: (device type, device number); (1, 0) is memory of the host.
    fn __dlpack_device__(&self) -> PyResult<(i32, i32)> {
        dlpack::place_of(&self.inner).map(|place| (place.kind, place.number))
    }

    /// The contents as an array: a view, not a copy, writable unless the buffer is read-only. It keeps the memory
    /// alive.
    ///
    /// dtype: of an element. shape: one-dimensional by default, with as many elements as there are.
    /// Raises MetalError for private storage, a size that is no multiple of the dtype, or a shape of another element
    /// count.
    #[pyo3(signature = (dtype, shape=None))]
    pub fn to_numpy<'py>(
        slf: &Bound<'py, Self>,
        dtype: &Bound<'py, PyAny>,
        shape: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let numpy = numpy(py)?;
        let dtype = numpy.call_method1(pyo3::intern!(py, "dtype"), (dtype,))?;
        let item: u64 = dtype.getattr(pyo3::intern!(py, "itemsize"))?.extract()?;
        let length = slf.get().inner.length();
        let inner = &slf.get().inner;
        let Some(view) = py.detach(|| inner.view()) else {
            return Err(invalid(
                "a buffer of private storage has no contents for the host; copy it to a shared one with a blit",
            ));
        };
        if item == 0 || !length.is_multiple_of(item) {
            return Err(invalid(format!(
                "a buffer of {length} bytes does not hold whole elements of {item} bytes ({dtype})"
            )));
        }
        let contents = Bound::new(py, Contents { view })?;
        let bytes = numpy.call_method1(pyo3::intern!(py, "asarray"), (contents,))?;
        let view = bytes.call_method1(pyo3::intern!(py, "view"), (dtype,))?;
        match shape {
            None => Ok(view),
            Some(shape) => view.call_method1(pyo3::intern!(py, "reshape"), (shape,)).map_err(|_| {
                invalid(format!("a buffer of {} elements does not have the shape {shape}", length / item))
            }),
        }
    }

    /// NumPy's protocol: the bytes, as uint8.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let contents = self.inner.contents().ok_or_else(|| {
            pyo3::exceptions::PyAttributeError::new_err("a private buffer has no contents for the host")
        })?;
        array_interface(py, &self.inner, contents)
    }

    /// The bytes in memory of an NVIDIA GPU, for CuPy, Numba and others; what the device was given before is done.
    #[getter]
    fn __cuda_array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        if self.inner.device().gpu_number().is_none() {
            return Err(pyo3::exceptions::PyAttributeError::new_err("the buffer is not in memory of a CUDA device"));
        }
        let address = py.detach(|| self.inner.share_device_memory()).python()?;
        let dict = PyDict::new(py);
        dict.set_item("version", 3)?;
        dict.set_item("shape", (self.inner.length(),))?;
        dict.set_item("typestr", "|u1")?;
        dict.set_item("strides", py.None())?;
        dict.set_item("stream", py.None())?;
        dict.set_item("data", (address, self.inner.is_read_only()))?;
        Ok(dict)
    }

    /// Tells that the host wrote bytes start..end of a managed buffer.
    fn did_modify_range(&self, start: u64, end: u64) -> PyResult<()> {
        self.inner.did_modify_range(start, end).python()
    }

    /// Its size in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.inner.length()
    }
    /// Metal's name of `size`.
    #[getter]
    fn length(&self) -> u64 {
        self.inner.length()
    }
    /// The device that the memory belongs to.
    #[getter]
    fn device(&self) -> Device {
        Device::from_inner(self.inner.device().clone())
    }
    /// STORAGE_SHARED, STORAGE_MANAGED or STORAGE_PRIVATE.
    #[getter]
    fn storage_mode(&self) -> u32 {
        self.inner.storage_mode() as u32
    }
    /// Whether the buffer lies over memory that must not be written.
    #[getter]
    fn is_read_only(&self) -> bool {
        self.inner.is_read_only()
    }
    /// What kernels see as its address; for argument buffers, with `use_resource`.
    #[getter]
    fn gpu_address(&self) -> u64 {
        self.inner.gpu_address()
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
    /// Its size in bytes.
    fn __len__(&self) -> usize {
        self.inner.length() as usize
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.Buffer of {} bytes on {}>", self.inner.length(), self.inner.device().id())
    }
}

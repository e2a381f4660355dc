//! Uploads and downloads as part of a command buffer.

use pyo3::prelude::*;

use crate::array::{contiguous, host_array, numpy};
use crate::buffer::Buffer;
use crate::command::CommandBuffer;
use crate::device::Device;
use crate::error::{ToPython, invalid};

/// A buffer that holds a copy of `array` once `command_buffer` has run that far.
///
/// array: any dtype and shape; an array of NumPy, or anything with the buffer protocol or DLPack. It is staged before the
/// function returns (other Python threads run meanwhile), so it may change afterwards. The copy from the staging memory
/// is recorded on `command_buffer`, which is neither committed nor waited for: later encoders of the same command
/// buffer see the data. The staging memory is kept until the command buffer has completed, and used again.
///
/// Raises MetalValidationError when the command buffer belongs to another device, is committed, or has an open encoder.
#[pyfunction]
#[pyo3(signature = (device, array, command_buffer, storage_mode=2))]
pub fn async_buffer_from_numpy(
    device: &Device,
    array: &Bound<'_, PyAny>,
    command_buffer: &CommandBuffer,
    storage_mode: Option<i64>,
) -> PyResult<Buffer> {
    if device.inner != *command_buffer.inner.device() {
        let (is, wanted) = (command_buffer.inner.device().id(), device.inner.id());
        return Err(invalid(format!("the command buffer belongs to device {is}, not to device {wanted}")));
    }
    let mode = crate::buffer::storage_mode(storage_mode.or(Some(2)))?;
    let array = contiguous(array)?;
    let host = host_array(&array)?.ok_or_else(|| invalid("expected an array"))?;
    let bytes = host.bytes();
    let upload = || {
        let buffer = device.inner.make_buffer(bytes.len() as u64, mode)?;
        let encoder = command_buffer.inner.make_blit_command_encoder()?;
        encoder.copy_from_bytes(bytes, &buffer, 0)?;
        encoder.end_encoding()?;
        Ok(buffer)
    };
    array.py().detach(upload).python().map(Buffer::from_inner)
}

/// An array that holds a copy of `buffer` once `command_buffer` has completed.
///
/// buffer: of any storage mode. The copy is recorded on `command_buffer`, after everything encoded so far; the command
/// buffer is neither committed nor waited for, and until it has completed the array reads as zeros or as part of the
/// data. dtype: what one element is; shape: all of them by default, one-dimensional.
///
/// Raises MetalValidationError when the buffer belongs to another device, has no whole number of elements or not the
/// shape, or when the command buffer is committed or has an open encoder.
#[pyfunction]
#[pyo3(signature = (buffer, dtype, command_buffer, shape=None))]
pub fn async_buffer_to_numpy<'py>(
    buffer: &Buffer,
    dtype: &Bound<'py, PyAny>,
    command_buffer: &CommandBuffer,
    shape: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = dtype.py();
    let device = command_buffer.inner.device();
    let length = buffer.inner.length();
    let target = py.detach(|| device.make_buffer(length, metallic::StorageMode::Shared)).python()?;
    let target = Bound::new(py, Buffer::from_inner(target))?;
    // Fails for what does not fit, before anything is recorded.
    let dtype = numpy(py)?.call_method1(pyo3::intern!(py, "dtype"), (dtype,))?;
    let array = Buffer::to_numpy(&target, &dtype, shape)?;
    let encoder = command_buffer.inner.make_blit_command_encoder().python()?;
    encoder.copy_from_buffer(&buffer.inner, 0, &target.get().inner, 0, length).python()?;
    encoder.end_encoding().python()?;
    Ok(array)
}

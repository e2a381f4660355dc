//! Uploads and downloads as part of a command buffer.

use std::ptr::NonNull;

use metallic::BlitCommandEncoder;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::array::{as_array, contiguous, host_array, numpy};
use crate::buffer::{Buffer, Owner};
use crate::command::CommandBuffer;
use crate::device::Device;
use crate::error::{ToPython, invalid};

/// A buffer that holds a copy of `array` once `command_buffer` has run that far; until then it may hold anything.
///
/// array: any dtype and shape; an array of NumPy, or anything with the buffer protocol or DLPack. The copy is recorded on
/// `command_buffer`, which is neither committed nor waited for: later encoders of the same command buffer see the data.
///
/// copy: True copies the array to staging memory before the function returns (other Python threads run meanwhile), so
/// it may change afterwards. The staging memory is kept until the command buffer has completed, and used again. False
/// copies nothing before the function returns, which takes no time that depends on the size: the device reads the array
/// itself when it runs the command buffer. The array is kept alive, and must not change before that has completed.
/// Raises MetalError where that cannot be, as Buffer.from_array does. None, the default, stages what may change: not
/// bytes, nor arrays that are read-only together with all that they are views of.
///
/// Raises MetalValidationError when the command buffer belongs to another device, is committed, or has an open encoder.
#[pyfunction]
#[pyo3(signature = (device, array, command_buffer, storage_mode=2, *, copy=None))]
pub fn async_buffer_from_numpy(
    device: &Device,
    array: &Bound<'_, PyAny>,
    command_buffer: &CommandBuffer,
    storage_mode: Option<i64>,
    copy: Option<bool>,
) -> PyResult<Buffer> {
    let py = array.py();
    if device.inner != *command_buffer.inner.device() {
        let (is, wanted) = (command_buffer.inner.device().id(), device.inner.id());
        return Err(invalid(format!("the command buffer belongs to device {is}, not to device {wanted}")));
    }
    let mode = crate::buffer::storage_mode(storage_mode.or(Some(2)))?;
    let source = array;
    let array = if copy == Some(false) { as_array(source)? } else { contiguous(source)? };
    let host = host_array(&array)?.ok_or_else(|| invalid("expected an array"))?;
    let length = host.length as u64;
    let make = |record: &dyn Fn(&BlitCommandEncoder, &metallic::Buffer) -> metallic::Result<()>| {
        let buffer = device.inner.make_buffer_for_overwrite(length, mode)?;
        let encoder = command_buffer.inner.make_blit_command_encoder()?;
        record(&encoder, &buffer)?;
        encoder.end_encoding()?;
        Ok(buffer)
    };
    // What had to be made contiguous is a copy already, which nobody else knows.
    let is_copy = || Ok::<bool, PyErr>(!array.is(source) && array.getattr(pyo3::intern!(py, "base"))?.is_none());
    let stays = match copy {
        Some(false) => true,
        _ if !device.inner.has_unified_memory() => false,
        Some(true) => is_copy()?,
        None => is_copy()? || is_immutable(&array)?,
    };
    if let Some(pointer) = NonNull::new(host.data).filter(|_| stays) {
        let buffer = make(&|encoder, buffer| {
            let owner = Box::new(Owner::new(host.owner.clone()));
            // SAFETY: the array's memory stays where it is while the array lives, and `owner` keeps it alive. That
            // nobody writes is the caller's promise, or the array's own; a program that breaks it gets a mixture of
            // old and new bytes.
            unsafe { encoder.copy_from_bytes_no_copy(pointer, host.length, owner, buffer, 0) }
        });
        // A device may refuse some memory; staging gives the other errors once more.
        if buffer.is_ok() || copy == Some(false) {
            return buffer.python().map(Buffer::from_inner);
        }
    }
    let bytes = host.bytes();
    let buffer = py.detach(|| make(&|encoder, buffer| encoder.copy_from_bytes(bytes, buffer, 0)));
    buffer.python().map(Buffer::from_inner)
}

/// Whether no array and no object gives write access to the memory of a NumPy array.
fn is_immutable(array: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = array.py();
    let ndarray = numpy(py)?.getattr(pyo3::intern!(py, "ndarray"))?;
    let mut owner = array.clone();
    while owner.is_instance(&ndarray)? {
        let flags = owner.getattr(pyo3::intern!(py, "flags"))?;
        if flags.getattr(pyo3::intern!(py, "writeable"))?.extract()? {
            return Ok(false);
        }
        owner = owner.getattr(pyo3::intern!(py, "base"))?;
    }
    // A `memoryview`, which NumPy puts between itself and what has the buffer protocol, names its object.
    if let Ok(object) = owner.getattr(pyo3::intern!(py, "obj")) {
        owner = object;
    }
    Ok(owner.is_none() || owner.is_instance_of::<PyBytes>())
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

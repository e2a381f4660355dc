//! Arrays in memory of a GPU: whatever has DLPack or `__cuda_array_interface__` (PyTorch, CuPy, JAX, Numba).
//!
//! The memory is used as it is. DLPack producers are asked to let the device's own stream wait for their work; the
//! other protocol names a stream, or none, where version 2 means the default stream.
//! <https://numba.readthedocs.io/en/stable/cuda/cuda_array_interface.html>

use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::buffer::{Buffer, Owner};
use crate::device::Device;
use crate::dlpack;
use crate::error::{ToPython, invalid};

/// The default stream of old, by the driver's number.
const LEGACY_STREAM: u64 = 1;

/// An array in memory of a GPU as it is described to Python.
pub struct GpuArray {
    pub buffer: Buffer,
    /// NumPy's name of an element.
    pub type_string: String,
    pub shape: Vec<i64>,
}

/// What an object holds in memory of a GPU; `None` when it is not there.
pub fn import(device: &metallic::Device, object: &Bound<'_, PyAny>) -> PyResult<Option<GpuArray>> {
    let py = object.py();
    if let Some(place) = dlpack::place(object)? {
        if place.kind != dlpack::CUDA {
            return Ok(None);
        }
        check_device(device, Some(place.number))?;
        let stream = device.import_stream().and_then(|s| i64::try_from(s).ok());
        let Some(tensor) = dlpack::import(object, stream)? else { return Ok(None) };
        let t = tensor.get();
        let length = t.contiguous_length().ok_or_else(not_contiguous)?;
        let (type_string, shape) = t.element()?;
        let (address, is_read_only) = (t.address as u64, t.is_read_only);
        let owner = tensor.into_any().unbind();
        let buffer = over(py, device, address, length, None, owner, is_read_only)?;
        return Ok(Some(GpuArray { buffer, type_string, shape }));
    }
    let Ok(interface) = object.getattr(pyo3::intern!(py, "__cuda_array_interface__")) else { return Ok(None) };
    let interface = interface.cast_into::<PyDict>().map_err(|_| invalid("__cuda_array_interface__ is no dict"))?;
    check_device(device, None)?;
    let get = |key: &str| -> PyResult<Bound<'_, PyAny>> {
        interface.get_item(key)?.ok_or_else(|| invalid(format!("__cuda_array_interface__ has no {key}")))
    };
    let (address, is_read_only): (u64, bool) = get("data")?.extract()?;
    let shape: Vec<i64> = get("shape")?.extract()?;
    let type_string: String = get("typestr")?.extract()?;
    let item: i64 = crate::array::numpy(py)?
        .call_method1(pyo3::intern!(py, "dtype"), (&type_string,))?
        .getattr(pyo3::intern!(py, "itemsize"))?
        .extract()?;
    let strides: Option<Vec<i64>> = match interface.get_item("strides")? {
        Some(strides) => strides.extract()?,
        None => None,
    };
    let mut length = item;
    for (i, n) in shape.iter().enumerate().rev() {
        if strides.as_ref().is_some_and(|s| *n > 1 && s.get(i) != Some(&length)) {
            return Err(not_contiguous());
        }
        length = length.checked_mul(*n).ok_or_else(|| invalid("an array of impossible size"))?;
    }
    let length = u64::try_from(length).map_err(|_| invalid("an array of negative size"))?;
    let version: i64 = get("version")?.extract()?;
    let after = match interface.get_item("stream")? {
        Some(stream) if !stream.is_none() => Some(stream.extract()?),
        _ => (version < 3).then_some(LEGACY_STREAM),
    };
    let buffer = over(py, device, address, length, after, object.clone().unbind(), is_read_only)?;
    Ok(Some(GpuArray { buffer, type_string, shape }))
}

fn not_contiguous() -> PyErr {
    invalid("the array is not C-contiguous")
}

/// `number`: where the array is, if that is known.
fn check_device(device: &metallic::Device, number: Option<i32>) -> PyResult<()> {
    match (device.gpu_number(), number) {
        (Some(own), Some(number)) if i64::from(own) != i64::from(number) => Err(invalid(format!(
            "the array is in memory of CUDA device {number}; device {} cannot use it",
            device.id()
        ))),
        (Some(_), _) => Ok(()),
        (None, number) => {
            let place = number.map_or("a CUDA device".into(), |n| format!("CUDA device {n}"));
            let id = device.id();
            Err(invalid(format!(
                "the array is in memory of {place}; copy it to the host first: device {id} cannot use it"
            )))
        }
    }
}

fn over(
    py: Python<'_>,
    device: &metallic::Device,
    address: u64,
    length: u64,
    after: Option<u64>,
    owner: Py<PyAny>,
    is_read_only: bool,
) -> PyResult<Buffer> {
    if length == 0 {
        return Err(invalid("the array is empty: a buffer must have at least one byte"));
    }
    let memory =
        metallic::DeviceMemory { address, length, after, owner: Box::new(Owner { _object: owner, _capsule: None }) };
    // SAFETY: the protocols promise memory of this length; who writes it when is the program's matter.
    let buffer = py.detach(|| unsafe { device.make_buffer_over_device_memory(memory, is_read_only) });
    buffer.python().map(Buffer::from_inner)
}

/// The buffer, element type and shape of an array in memory of a GPU; None when the object is none.
#[pyfunction]
pub fn gpu_array(device: &Device, object: &Bound<'_, PyAny>) -> PyResult<Option<(Buffer, String, Vec<i64>)>> {
    Ok(import(&device.inner, object)?.map(|array| (array.buffer, array.type_string, array.shape)))
}

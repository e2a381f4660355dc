//! Arrays of the host: NumPy arrays and whatever else has `__array_struct__`, the buffer protocol or DLPack.
//!
//! The stable ABI of Python 3.10 has no buffer protocol; NumPy's array interface
//! (`__array_struct__`, a capsule) serves in its place and costs no copy: NumPy makes an array of
//! a `memoryview` or of a DLPack tensor that shares its memory and keeps it alive.

use std::ffi::{c_char, c_int, c_void};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyCapsule, PyModule};

use crate::dlpack;
use crate::error::invalid;

/// `PyArrayInterface` of NumPy's array interface, version 3.
#[repr(C)]
struct PyArrayInterface {
    two: c_int,
    nd: c_int,
    typekind: c_char,
    itemsize: c_int,
    flags: c_int,
    shape: *const isize,
    strides: *const isize,
    data: *mut c_void,
    descr: *mut c_void,
}

const C_CONTIGUOUS: c_int = 0x1;
const NOT_SWAPPED: c_int = 0x200;
const WRITEABLE: c_int = 0x400;

/// The memory of an array, valid while `owner` is alive and nobody resizes it.
pub struct HostArray<'py> {
    pub data: *mut u8,
    pub length: usize,
    pub is_writable: bool,
    pub owner: Owner<'py>,
}

/// Keeps the memory of an array alive: the object that was asked, and the capsule that it gave. A scalar of NumPy
/// gives the memory of an array that is made on the spot and belongs to the capsule alone.
#[derive(Clone)]
pub struct Owner<'py> {
    pub object: Bound<'py, PyAny>,
    pub capsule: Bound<'py, PyCapsule>,
}

impl HostArray<'_> {
    /// The bytes. The array may be written to by other threads of the program meanwhile, which NumPy
    /// leaves to the program as well; therefore copy, do not keep.
    pub fn bytes(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: the interface promises `length` readable bytes at `data` while `owner` lives, and
        // the slice borrows `self`, which holds it.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }
}

pub fn numpy<'py>(py: Python<'py>) -> PyResult<&'py Bound<'py, PyModule>> {
    static NUMPY: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    NUMPY.get_or_try_init(py, || PyModule::import(py, "numpy").map(Bound::unbind)).map(|m| m.bind(py))
}

/// The memory of a C-contiguous array; fails for others.
pub fn host_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<HostArray<'py>>> {
    let py = object.py();
    let Ok(capsule) = object.getattr(pyo3::intern!(py, "__array_struct__")) else { return Ok(None) };
    let Ok(capsule) = capsule.cast_into::<PyCapsule>() else { return Ok(None) };
    let pointer = capsule.pointer_checked(None)?.cast::<PyArrayInterface>();
    // SAFETY: an `__array_struct__` capsule holds this structure, alive as long as the capsule;
    // `two == 2` is the interface's own check.
    let interface = unsafe { pointer.as_ref() };
    // NumPy leaves no flags at all for arrays of structures: those are asked themselves.
    let flags = if interface.typekind == b'V' as c_char { flags_of(object)? } else { interface.flags };
    if interface.two != 2 || flags & NOT_SWAPPED == 0 {
        return Err(invalid("the array is not in the byte order of this machine"));
    }
    if flags & C_CONTIGUOUS == 0 {
        return Err(invalid("the array is not C-contiguous; pass numpy.ascontiguousarray(array)"));
    }
    let mut length = interface.itemsize as usize;
    for i in 0..interface.nd as usize {
        // SAFETY: `shape` has `nd` entries.
        length *= unsafe { *interface.shape.add(i) } as usize;
    }
    Ok(Some(HostArray {
        data: interface.data.cast(),
        length,
        is_writable: flags & WRITEABLE != 0,
        owner: Owner { object: object.clone(), capsule },
    }))
}

/// The flags of the array interface, from NumPy's attributes.
fn flags_of(object: &Bound<'_, PyAny>) -> PyResult<c_int> {
    let py = object.py();
    let flags = object.getattr(pyo3::intern!(py, "flags"))?;
    let mut bits = 0;
    for (name, bit) in [("c_contiguous", C_CONTIGUOUS), ("writeable", WRITEABLE)] {
        if flags.getattr(name)?.extract()? {
            bits |= bit;
        }
    }
    if object.getattr(pyo3::intern!(py, "dtype"))?.getattr(pyo3::intern!(py, "isnative"))?.extract()? {
        bits |= NOT_SWAPPED;
    }
    Ok(bits)
}

/// The NumPy array that shares the memory of an object: of an array, of whatever has the buffer protocol (bytes,
/// memoryview, array.array, mmap, ctypes), of a DLPack tensor in memory of the host. `None` for anything else.
pub fn shared_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    let numpy = numpy(py)?;
    if object.is_instance(&numpy.getattr(pyo3::intern!(py, "ndarray"))?)? {
        return Ok(Some(object.clone()));
    }
    let asarray = pyo3::intern!(py, "asarray");
    if object.hasattr(pyo3::intern!(py, "__array_interface__"))? {
        return numpy.call_method1(asarray, (object,)).map(Some);
    }
    // SAFETY: the object is alive and the interpreter attached; the result is a new reference or null with an
    // exception set.
    match unsafe { Bound::from_owned_ptr_or_err(py, pyo3::ffi::PyMemoryView_FromObject(object.as_ptr())) } {
        Ok(view) => {
            let array = numpy.call_method1(asarray, (&view,));
            return array
                .map(Some)
                .map_err(|error| invalid(format!("the elements of the buffer cannot be used: {}", error.value(py))));
        }
        Err(error) if error.is_instance_of::<pyo3::exceptions::PyTypeError>(py) => {}
        Err(error) => return Err(error),
    }
    match dlpack::place(object)? {
        None => Ok(None),
        Some(place) if place.is_host() => match dlpack::import(object, None)? {
            Some(tensor) => numpy.call_method1(asarray, (tensor,)).map(Some),
            None => Ok(None),
        },
        Some(place) => Err(invalid(format!("the tensor is in memory of {}; copy it to the host first", place.name()))),
    }
}

/// The NumPy array that shares the memory of an array, of anything with the buffer protocol (bytes, memoryview,
/// array.array, mmap, ctypes arrays) or of a DLPack tensor in memory of the host.
///
/// dtype and shape are the object's own; types that NumPy lacks (bfloat16) become unsigned integers of their size.
/// No copy is made, and the object is kept alive. Raises MetalValidationError for everything else.
#[pyfunction]
pub fn as_array<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    shared_array(object)?.ok_or_else(|| {
        let name = object.get_type().name().map_or_else(|_| "the object".into(), |n| n.to_string());
        invalid(format!("{name} is no array: it has neither the buffer protocol nor DLPack"))
    })
}

/// Calls `f` with the bytes of an array of any layout, a bytes object, a scalar or a sequence of numbers.
pub fn with_bytes<T>(object: &Bound<'_, PyAny>, f: impl FnOnce(&[u8]) -> PyResult<T>) -> PyResult<T> {
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return f(bytes.as_bytes());
    }
    if let Ok(Some(array)) = host_array(object) {
        return f(array.bytes());
    }
    let array = contiguous(object)?;
    match host_array(&array)? {
        Some(array) => f(array.bytes()),
        None => Err(invalid("expected an array or bytes")),
    }
}

/// `numpy.ascontiguousarray`, which also turns lists and scalars into arrays.
pub fn contiguous<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let shared = shared_array(object)?;
    let object = shared.as_ref().unwrap_or(object);
    let array = numpy(py)?.call_method1(pyo3::intern!(py, "ascontiguousarray"), (object,))?;
    if array.getattr("dtype")?.getattr("hasobject")?.extract::<bool>()? {
        return Err(invalid("arrays of Python objects cannot be passed to a device"));
    }
    Ok(array)
}

//! `memoryview(buffer)`, also with the stable ABI of Python 3.10.
//!
//! That ABI has no names for the buffer protocol (3.11 has), so the two functions are put into the type object by
//! hand. Where they belong is checked with a type whose functions are known: where an interpreter
//! keeps them elsewhere, buffers have no buffer protocol and everything else works.

use std::ffi::{c_char, c_int, c_void};

use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

use crate::buffer::Buffer;

/// `Py_buffer`, which is the same in all versions of Python 3.
#[repr(C)]
pub struct View {
    buf: *mut c_void,
    obj: *mut ffi::PyObject,
    len: isize,
    itemsize: isize,
    readonly: c_int,
    ndim: c_int,
    format: *mut c_char,
    shape: *mut isize,
    strides: *mut isize,
    suboffsets: *mut isize,
    internal: *mut c_void,
}

const WRITABLE: c_int = 0x1;
const FORMAT: c_int = 0x4;
const ND: c_int = 0x8;
const STRIDES: c_int = 0x10 | ND;

/// `PyBufferProcs`.
#[repr(C)]
struct Procs {
    get: Option<unsafe extern "C" fn(*mut ffi::PyObject, *mut View, c_int) -> c_int>,
    release: *mut c_void,
}

/// `Py_bf_getbuffer` and `Py_bf_releasebuffer`.
const SLOTS: [c_int; 2] = [1, 2];
/// Where `PyTypeObject` has its `tp_as_buffer`, in words: 17 after the head, which is larger in an interpreter without
/// the global lock.
const POSITION: usize = size_of::<ffi::PyVarObject>() / size_of::<usize>() + 17;

/// Gives `Buffer` the buffer protocol, if this interpreter is as we know it.
pub fn install(py: Python<'_>) {
    let known = py.get_type::<PyByteArray>().as_type_ptr();
    let ours = py.get_type::<Buffer>().as_type_ptr();
    // SAFETY: type objects are far larger than `POSITION` words, whatever is in them. The word there is only followed
    // when it is not null, for `bytearray` and then, where the functions behind it are those that Python itself
    // tells, for our own type, which nobody else uses yet.
    unsafe {
        let procs = *known.cast::<*mut Procs>().add(POSITION);
        let slots = SLOTS.map(|slot| ffi::PyType_GetSlot(known, slot));
        if slots.iter().any(|slot| slot.is_null()) || procs.is_null() || !procs.is_aligned() {
            ffi::PyErr_Clear();
            return;
        }
        let is_known = (*procs).get.is_some_and(|get| std::ptr::eq(get as *const c_void, slots[0]))
            && std::ptr::eq((*procs).release, slots[1]);
        let target = *ours.cast::<*mut Procs>().add(POSITION);
        if is_known && !target.is_null() && (*target).get.is_none() {
            (*target).get = Some(get_view);
            ffi::PyType_Modified(ours);
        }
    }
}

unsafe extern "C" fn get_view(object: *mut ffi::PyObject, view: *mut View, flags: c_int) -> c_int {
    Python::attach(|py| {
        // SAFETY: Python calls this with an object of the type and a view of its own, which is ours to fill.
        let result = unsafe {
            (*view).obj = std::ptr::null_mut();
            let object = Bound::from_borrowed_ptr(py, object);
            object.cast::<Buffer>().map_err(PyErr::from).and_then(|buffer| fill(buffer, view, flags))
        };
        match result {
            Ok(()) => 0,
            Err(error) => {
                error.restore(py);
                -1
            }
        }
    })
}

/// # Safety
/// `view` must be valid for writes, and stay where it is while it is in use.
unsafe fn fill(buffer: &Bound<'_, Buffer>, view: *mut View, flags: c_int) -> PyResult<()> {
    let inner = &buffer.get().inner;
    let contents = inner
        .contents()
        .ok_or_else(|| PyBufferError::new_err("a buffer of private storage has no contents for the host"))?;
    let is_read_only = inner.is_read_only();
    if is_read_only && flags & WRITABLE != 0 {
        return Err(PyBufferError::new_err("the buffer lies over read-only memory"));
    }
    let length = isize::try_from(inner.length()).map_err(|_| PyBufferError::new_err("the buffer is too large"))?;
    let asked = |flag: c_int| flags & flag == flag;
    // SAFETY: the caller's promise. The object that the view holds keeps the memory; it never moves.
    unsafe {
        (*view).buf = contents.as_ptr().cast();
        (*view).len = length;
        (*view).itemsize = 1;
        (*view).readonly = c_int::from(is_read_only);
        (*view).ndim = 1;
        (*view).format = if asked(FORMAT) { c"B".as_ptr().cast_mut() } else { std::ptr::null_mut() };
        (*view).shape = if asked(ND) { &raw mut (*view).len } else { std::ptr::null_mut() };
        (*view).strides = if asked(STRIDES) { &raw mut (*view).itemsize } else { std::ptr::null_mut() };
        (*view).suboffsets = std::ptr::null_mut();
        (*view).internal = std::ptr::null_mut();
        (*view).obj = buffer.clone().into_any().into_ptr();
    }
    Ok(())
}

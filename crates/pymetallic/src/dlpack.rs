//! DLPack: tensors of other libraries come in and buffers go out, without a copy.
//!
//! The structures are those of `dlpack.h`; [`import`] takes over what `__dlpack__` of another library
//! gives (versions 0 and 1 of the protocol), [`export`] gives a buffer away as one-dimensional bytes.
//! Which memory a device can use is not decided here: a [`Tensor`] says where it is.
//! <https://dmlc.github.io/dlpack/latest/python_spec.html>

use std::ffi::{CStr, c_void};
use std::ptr::NonNull;

use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyCapsule, PyDict, PyTuple};

use crate::error::{ToPython, invalid};

/// `DLDeviceType`: memory of the host.
pub const CPU: i32 = 1;
/// Memory of an NVIDIA GPU.
pub const CUDA: i32 = 2;
/// Memory of the host that an NVIDIA GPU reaches.
pub const CUDA_HOST: i32 = 3;
/// Memory of the host that an AMD GPU reaches.
const ROCM_HOST: i32 = 11;

/// `DLDevice`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    pub kind: i32,
    pub number: i32,
}

impl Place {
    pub const HOST: Place = Place { kind: CPU, number: 0 };

    /// For messages.
    pub fn name(self) -> String {
        let number = self.number;
        match self.kind {
            CPU => "the host".into(),
            CUDA => format!("CUDA device {number}"),
            kind => format!("DLPack device ({kind}, {number})"),
        }
    }

    /// Whether the host may read it at its address.
    pub fn is_host(self) -> bool {
        matches!(self.kind, CPU | CUDA_HOST | ROCM_HOST)
    }
}

/// `DLDataType`.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DataType {
    pub code: u8,
    pub bits: u8,
    pub lanes: u16,
}

impl DataType {
    const BYTE: DataType = DataType { code: 1, bits: 8, lanes: 1 };

    /// NumPy's name of one lane. Types that NumPy does not have (bfloat16, the 8-bit floats) become unsigned
    /// integers of their size.
    fn type_string(self) -> PyResult<String> {
        let kind = match (self.code, self.bits) {
            (6, 8) => 'b',
            (0, 8 | 16 | 32 | 64) => 'i',
            (2, 16 | 32 | 64) => 'f',
            (5, 64 | 128) => 'c',
            (1 | 4.., 8 | 16 | 32 | 64) => 'u',
            _ => {
                return Err(invalid(format!("a tensor of DLPack type {} with {} bits", self.code, self.bits)));
            }
        };
        Ok(format!("{}{kind}{}", if cfg!(target_endian = "big") { '>' } else { '<' }, self.bits / 8))
    }
}

/// `DLTensor`.
#[repr(C)]
struct RawTensor {
    data: *mut c_void,
    place: Place,
    dimensions: i32,
    data_type: DataType,
    shape: *mut i64,
    strides: *mut i64,
    byte_offset: u64,
}

/// `DLManagedTensor`.
#[repr(C)]
struct Unversioned {
    tensor: RawTensor,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Unversioned)>,
}

/// `DLManagedTensorVersioned`.
#[repr(C)]
struct Versioned {
    major: u32,
    minor: u32,
    context: *mut c_void,
    deleter: Option<unsafe extern "C" fn(*mut Versioned)>,
    flags: u64,
    tensor: RawTensor,
}

const READ_ONLY: u64 = 1;
const IS_COPIED: u64 = 2;
/// What we speak.
const MAJOR: u32 = 1;

/// How the two forms are called in capsules, before and after somebody has taken them.
trait Form: Sized {
    const NAME: &'static CStr;
    const USED_NAME: &'static CStr;
    fn delete(this: NonNull<Self>);
}

impl Form for Unversioned {
    const NAME: &'static CStr = c"dltensor";
    const USED_NAME: &'static CStr = c"used_dltensor";
    fn delete(this: NonNull<Unversioned>) {
        // SAFETY: whoever owns the structure calls this once; the deleter is the producer's own.
        unsafe {
            if let Some(deleter) = (*this.as_ptr()).deleter {
                deleter(this.as_ptr());
            }
        }
    }
}

impl Form for Versioned {
    const NAME: &'static CStr = c"dltensor_versioned";
    const USED_NAME: &'static CStr = c"used_dltensor_versioned";
    fn delete(this: NonNull<Versioned>) {
        // SAFETY: as above.
        unsafe {
            if let Some(deleter) = (*this.as_ptr()).deleter {
                deleter(this.as_ptr());
            }
        }
    }
}

// ---- in ------------------------------------------------------------------------------------------

enum Owned {
    Unversioned(NonNull<Unversioned>),
    Versioned(NonNull<Versioned>),
}

/// A tensor that another library made and that lives as long as this object.
///
/// It is a Python object so that it dies with the interpreter attached, whoever lets it go: the deleters of
/// most producers need that.
#[pyclass(frozen, module = "pymetallic._native", name = "_Tensor")]
pub struct Tensor {
    owned: Owned,
    pub place: Place,
    /// Of the first element.
    pub address: usize,
    pub data_type: DataType,
    pub shape: Vec<i64>,
    /// In elements; `None` when the elements follow each other in C order.
    pub strides: Option<Vec<i64>>,
    pub is_read_only: bool,
}

// SAFETY: the structure behind the pointer is read in `new` and otherwise only handed to its deleter, which
// may be called from any thread.
unsafe impl Send for Tensor {}
// SAFETY: as above; `&Tensor` gives out numbers.
unsafe impl Sync for Tensor {}

impl Drop for Tensor {
    fn drop(&mut self) {
        match self.owned {
            Owned::Unversioned(managed) => Form::delete(managed),
            Owned::Versioned(managed) => Form::delete(managed),
        }
    }
}

impl Tensor {
    /// NumPy's name of an element, and the shape, with lanes as one more axis.
    pub fn element(&self) -> PyResult<(String, Vec<i64>)> {
        let mut shape = self.shape.clone();
        shape.extend((self.data_type.lanes > 1).then_some(i64::from(self.data_type.lanes)));
        Ok((self.data_type.type_string()?, shape))
    }
    /// Bytes of a tensor whose elements follow each other in C order; `None` for others.
    pub fn contiguous_length(&self) -> Option<u64> {
        let mut length = 1i64;
        for (i, n) in self.shape.iter().enumerate().rev() {
            if self.strides.as_ref().is_some_and(|s| *n > 1 && s[i] != length) {
                return None;
            }
            length = length.checked_mul(*n)?;
        }
        let item = i64::from(self.data_type.bits / 8) * i64::from(self.data_type.lanes.max(1));
        u64::try_from(length.checked_mul(item)?).ok()
    }

    /// # Safety
    /// `raw` must belong to `owned`, which is the caller's to give away.
    unsafe fn new(owned: Owned, raw: *const RawTensor, is_read_only: bool) -> PyResult<Tensor> {
        // From here on, whatever happens releases it.
        let mut tensor = Tensor {
            owned,
            place: Place::HOST,
            address: 0,
            data_type: DataType::BYTE,
            shape: Vec::new(),
            strides: None,
            is_read_only,
        };
        // SAFETY: the producer's structure is alive; `shape` and, where it is there, `strides` have as many
        // entries as there are dimensions.
        unsafe {
            let count = usize::try_from((*raw).dimensions).map_err(|_| invalid("a tensor of negative rank"))?;
            let list = |p: *const i64| if count == 0 { &[][..] } else { std::slice::from_raw_parts(p, count) };
            tensor.shape = list((*raw).shape).to_vec();
            tensor.strides = (!(*raw).strides.is_null()).then(|| list((*raw).strides).to_vec());
            tensor.place = (*raw).place;
            tensor.data_type = (*raw).data_type;
            tensor.address = ((*raw).data as usize).wrapping_add((*raw).byte_offset as usize);
        }
        if tensor.shape.iter().any(|n| *n < 0) {
            return Err(invalid("a tensor of negative size"));
        }
        Ok(tensor)
    }
}

#[pymethods]
impl Tensor {
    /// NumPy's view of it. Lanes are one more axis.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        if !self.place.is_host() {
            return Err(pyo3::exceptions::PyAttributeError::new_err("the tensor is not in memory of the host"));
        }
        let item = i64::from(self.data_type.bits / 8);
        let lanes = i64::from(self.data_type.lanes.max(1));
        let mut shape = self.shape.clone();
        let mut strides: Option<Vec<i64>> =
            self.strides.as_ref().map(|s| s.iter().map(|n| n.wrapping_mul(item * lanes)).collect());
        if lanes > 1 {
            shape.push(lanes);
            strides.iter_mut().for_each(|s| s.push(item));
        }
        let dict = PyDict::new(py);
        dict.set_item("version", 3)?;
        dict.set_item("shape", PyTuple::new(py, shape)?)?;
        dict.set_item("strides", strides.map(|s| PyTuple::new(py, s)).transpose()?)?;
        dict.set_item("typestr", self.data_type.type_string()?)?;
        dict.set_item("data", (self.address, self.is_read_only))?;
        Ok(dict)
    }
}

/// Where the tensor of an object is; `None` for objects without DLPack.
pub fn place(object: &Bound<'_, PyAny>) -> PyResult<Option<Place>> {
    let py = object.py();
    let Ok(method) = object.getattr(pyo3::intern!(py, "__dlpack_device__")) else { return Ok(None) };
    let pair = method.call0()?;
    let number = |i: usize| pair.get_item(i)?.call_method0(pyo3::intern!(py, "__int__"))?.extract::<i32>();
    Ok(Some(Place { kind: number(0)?, number: number(1)? }))
}

/// Takes over the tensor of an object; `None` for objects without DLPack. `stream` is what the protocol says
/// for the tensor's place: work that is ordered after the tensor's own.
pub fn import<'py>(object: &Bound<'py, PyAny>, stream: Option<i64>) -> PyResult<Option<Bound<'py, Tensor>>> {
    let py = object.py();
    let Ok(method) = object.getattr(pyo3::intern!(py, "__dlpack__")) else { return Ok(None) };
    let arguments = PyDict::new(py);
    if let Some(stream) = stream {
        arguments.set_item("stream", stream)?;
    }
    arguments.set_item("max_version", (MAJOR, 0))?;
    let capsule = match method.call((), Some(&arguments)) {
        // Producers of version 0 know no `max_version`.
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            arguments.del_item("max_version")?;
            method.call((), Some(&arguments))?
        }
        capsule => capsule?,
    };
    let tensor = match take::<Versioned>(&capsule)? {
        Some(managed) => {
            // SAFETY: alive until its deleter has been called. The layout of everything but the version may
            // differ in another major version, where only the deleter may be used.
            let (major, flags) = unsafe { ((*managed.as_ptr()).major, (*managed.as_ptr()).flags) };
            if major != MAJOR {
                Form::delete(managed);
                return Err(invalid(format!("a tensor of DLPack version {major}; version {MAJOR} is known")));
            }
            // SAFETY: the tensor is the structure's own.
            unsafe {
                Tensor::new(Owned::Versioned(managed), &raw const (*managed.as_ptr()).tensor, flags & READ_ONLY != 0)
            }
        }
        None => {
            let managed = take::<Unversioned>(&capsule)?
                .ok_or_else(|| invalid("__dlpack__ gave no DLPack capsule, or one that was used already"))?;
            // SAFETY: as above.
            unsafe { Tensor::new(Owned::Unversioned(managed), &raw const (*managed.as_ptr()).tensor, false) }
        }
    }?;
    Bound::new(py, tensor).map(Some)
}

/// Takes the structure out of a capsule of this form.
fn take<T: Form>(capsule: &Bound<'_, PyAny>) -> PyResult<Option<NonNull<T>>> {
    // A producer may give one capsule to several threads: where there is no global lock, looking at the name and
    // changing it must be one step, so that one of them takes the tensor.
    //
    // SAFETY: the object is alive, and the interpreter attached. A valid capsule of this name holds this
    // structure; renamed, the capsule does not own it any more.
    with_critical_section(capsule, || unsafe {
        if ffi::PyCapsule_IsValid(capsule.as_ptr(), T::NAME.as_ptr()) == 0 {
            return Ok(None);
        }
        let pointer = ffi::PyCapsule_GetPointer(capsule.as_ptr(), T::NAME.as_ptr());
        if ffi::PyCapsule_SetName(capsule.as_ptr(), T::USED_NAME.as_ptr()) != 0 {
            return Err(PyErr::fetch(capsule.py()));
        }
        Ok(NonNull::new(pointer.cast()))
    })
}

// ---- out -----------------------------------------------------------------------------------------

/// What the deleter releases.
struct Exported<T> {
    managed: T,
    length: i64,
    stride: i64,
    _buffer: metallic::Buffer,
}

unsafe extern "C" fn delete_unversioned(managed: *mut Unversioned) {
    // SAFETY: `export` put the address of the whole there.
    drop(unsafe { Box::from_raw((*managed).context.cast::<Exported<Unversioned>>()) });
}

unsafe extern "C" fn delete_versioned(managed: *mut Versioned) {
    // SAFETY: as above.
    drop(unsafe { Box::from_raw((*managed).context.cast::<Exported<Versioned>>()) });
}

/// Releases what nobody has taken.
unsafe extern "C" fn destroy<T: Form>(capsule: *mut ffi::PyObject) {
    // SAFETY: called by the interpreter for a capsule that `export` made.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, T::NAME.as_ptr()) != 0
            && let Some(managed) = NonNull::new(ffi::PyCapsule_GetPointer(capsule, T::NAME.as_ptr()).cast::<T>())
        {
            // The interpreter is attached; saying so releases Python objects at once.
            Python::try_attach(|_| T::delete(managed)).unwrap_or_else(|| T::delete(managed));
        }
    }
}

/// Where a buffer's bytes are for other libraries.
pub fn place_of(buffer: &metallic::Buffer) -> PyResult<Place> {
    if let Some(number) = buffer.device().gpu_number() {
        return Ok(Place { kind: CUDA, number: number as i32 });
    }
    if buffer.storage_mode() == metallic::StorageMode::Private {
        return Err(PyBufferError::new_err("a buffer of private storage has no memory that others may use"));
    }
    Ok(Place::HOST)
}

/// What a consumer asks `__dlpack__` for.
pub struct Request {
    /// The highest version that the consumer knows.
    pub max_version: Option<(u32, u32)>,
    /// Where it wants the tensor.
    pub place: Option<(i32, i32)>,
    pub copy: Option<bool>,
}

/// A capsule with the bytes of a buffer: `uint8`, one-dimensional.
pub fn export<'py>(py: Python<'py>, buffer: &metallic::Buffer, request: &Request) -> PyResult<Bound<'py, PyCapsule>> {
    let mut place = place_of(buffer)?;
    if request.place == Some((CPU, 0)) && buffer.storage_mode() != metallic::StorageMode::Private {
        // The host's side of a buffer that has two.
        place = Place::HOST;
    }
    if request.place.is_some_and(|wanted| wanted != (place.kind, place.number)) {
        let place = place.name();
        return Err(PyBufferError::new_err(format!("the buffer's memory is {place}'s; it cannot be given elsewhere")));
    }
    let is_copy = request.copy == Some(true);
    let buffer = if is_copy { py.detach(|| copy_of(buffer)).python()? } else { buffer.clone() };
    let contents = if place == Place::HOST {
        let contents = buffer.contents().ok_or_else(|| invalid("the buffer has no contents"))?;
        contents.as_ptr().cast::<c_void>()
    } else {
        let address = py.detach(|| buffer.share_device_memory()).python()?;
        std::ptr::with_exposed_provenance_mut(address as usize)
    };
    let length = i64::try_from(buffer.length()).map_err(|_| invalid("the buffer is too large"))?;
    let raw = |length: *mut i64, stride: *mut i64| RawTensor {
        data: contents,
        place,
        dimensions: 1,
        data_type: DataType::BYTE,
        shape: length,
        strides: stride,
        byte_offset: 0,
    };
    let is_versioned = request.max_version.is_some_and(|(major, _)| major >= MAJOR);
    if !is_versioned && buffer.is_read_only() {
        return Err(PyBufferError::new_err("a read-only buffer can only be given to consumers of DLPack 1"));
    }
    let empty = raw(std::ptr::null_mut(), std::ptr::null_mut());
    if is_versioned {
        let flags = if buffer.is_read_only() { READ_ONLY } else { 0 } | if is_copy { IS_COPIED } else { 0 };
        let managed = Versioned {
            major: MAJOR,
            minor: 0,
            context: std::ptr::null_mut(),
            deleter: Some(delete_versioned),
            flags,
            tensor: empty,
        };
        let whole = Box::into_raw(Box::new(Exported { managed, length, stride: 1, _buffer: buffer }));
        // SAFETY: the box was just made; the deleter gets it back.
        unsafe {
            (*whole).managed.context = whole.cast();
            (*whole).managed.tensor = raw(&raw mut (*whole).length, &raw mut (*whole).stride);
            capsule::<Versioned>(py, NonNull::new_unchecked(&raw mut (*whole).managed))
        }
    } else {
        let managed = Unversioned { tensor: empty, context: std::ptr::null_mut(), deleter: Some(delete_unversioned) };
        let whole = Box::into_raw(Box::new(Exported { managed, length, stride: 1, _buffer: buffer }));
        // SAFETY: as above.
        unsafe {
            (*whole).managed.context = whole.cast();
            (*whole).managed.tensor = raw(&raw mut (*whole).length, &raw mut (*whole).stride);
            capsule::<Unversioned>(py, NonNull::new_unchecked(&raw mut (*whole).managed))
        }
    }
}

fn copy_of(buffer: &metallic::Buffer) -> metallic::Result<metallic::Buffer> {
    if buffer.storage_mode() == metallic::StorageMode::Private {
        return buffer.device().copy_of_buffer(buffer);
    }
    let copy = buffer.device().make_buffer(buffer.length(), metallic::StorageMode::Shared)?;
    copy.copy_bytes_from(buffer)?;
    Ok(copy)
}

/// # Safety
/// `managed` must be the caller's to give away.
unsafe fn capsule<T: Form>(py: Python<'_>, managed: NonNull<T>) -> PyResult<Bound<'_, PyCapsule>> {
    // SAFETY: the name is static; the destructor fits the name.
    let capsule = unsafe { ffi::PyCapsule_New(managed.as_ptr().cast(), T::NAME.as_ptr(), Some(destroy::<T>)) };
    if capsule.is_null() {
        T::delete(managed);
        return Err(PyErr::fetch(py));
    }
    // SAFETY: a new reference to a capsule.
    Ok(unsafe { Bound::from_owned_ptr(py, capsule).cast_into_unchecked() })
}

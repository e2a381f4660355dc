//! Rust errors as Python exceptions; all derive from `MetalError`.

use metallic::{CompileError, Error};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

create_exception!(
    pymetallic,
    MetalError,
    PyException,
    "Something that Metal reports. All errors of this package derive from it."
);
create_exception!(
    pymetallic,
    MetalCompileError,
    MetalError,
    "The source is not valid MSL, or uses something that is not supported yet. The text shows file, line and column."
);
create_exception!(pymetallic, MetalValidationError, MetalError, "Wrong use of the API, found before anything ran.");
create_exception!(pymetallic, MetalDeviceError, MetalError, "No such device, or its driver failed.");
create_exception!(pymetallic, MetalMemoryError, MetalError, "Not enough memory.");
create_exception!(
    pymetallic,
    MetalExecutionError,
    MetalError,
    "A command failed while it ran: the text names the kernel and what it did."
);

pub fn add_exceptions(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("MetalError", py.get_type::<MetalError>())?;
    module.add("MetalCompileError", py.get_type::<MetalCompileError>())?;
    module.add("MetalValidationError", py.get_type::<MetalValidationError>())?;
    module.add("MetalDeviceError", py.get_type::<MetalDeviceError>())?;
    module.add("MetalMemoryError", py.get_type::<MetalMemoryError>())?;
    module.add("MetalExecutionError", py.get_type::<MetalExecutionError>())?;
    Ok(())
}

/// The Python exception for an error.
pub fn to_python(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::Compile(compile) => compile_error(&compile).unwrap_or_else(|e| e),
        Error::Validation { .. } => MetalValidationError::new_err(text),
        Error::Function(_) | Error::Pipeline(_) => MetalError::new_err(text),
        Error::Device(_) => MetalDeviceError::new_err(text),
        Error::Memory(_) => MetalMemoryError::new_err(text),
        Error::Execution(_) => MetalExecutionError::new_err(text),
    }
}

/// `result.python()?` in bindings.
pub trait ToPython<T> {
    fn python(self) -> PyResult<T>;
}
impl<T> ToPython<T> for metallic::Result<T> {
    fn python(self) -> PyResult<T> {
        self.map_err(to_python)
    }
}

/// An integer of the caller in the range that `what` has.
pub fn unsigned<T: TryFrom<i64>>(value: i64, what: &str) -> PyResult<T> {
    T::try_from(value).map_err(|_| invalid(format!("{what} cannot be {value}")))
}

pub fn invalid(message: impl Into<String>) -> PyErr {
    MetalValidationError::new_err(message.into())
}

fn compile_error(error: &CompileError) -> PyResult<PyErr> {
    Python::attach(|py| {
        let list = PyList::empty(py);
        for d in &error.diagnostics {
            let dict = PyDict::new(py);
            dict.set_item("id", &d.id)?;
            dict.set_item("severity", if d.is_error { "error" } else { "warning" })?;
            dict.set_item("message", &d.message)?;
            set_place(&dict, d.place.as_ref())?;
            let notes = PyList::empty(py);
            for note in &d.notes {
                let entry = PyDict::new(py);
                entry.set_item("message", &note.message)?;
                set_place(&entry, note.place.as_ref())?;
                notes.append(entry)?;
            }
            dict.set_item("notes", notes)?;
            dict.set_item("help", &d.help)?;
            list.append(dict)?;
        }
        let exception = MetalCompileError::new_err(error.to_string());
        exception.value(py).setattr("diagnostics", list)?;
        Ok(exception)
    })
}

fn set_place(dict: &Bound<'_, PyDict>, place: Option<&metallic::Place>) -> PyResult<()> {
    dict.set_item("file", place.map(|p| &p.file))?;
    dict.set_item("line", place.map(|p| p.line))?;
    dict.set_item("column", place.map(|p| p.column))
}

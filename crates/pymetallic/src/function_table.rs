//! `FunctionHandle` and `VisibleFunctionTable`.

use pyo3::prelude::*;

use crate::buffer::Buffer;
use crate::error::{ToPython, unsigned};

/// A function as the tables of one pipeline hold it; made by `ComputePipelineState.function_handle`.
#[pyclass(frozen, module = "pymetallic")]
pub struct FunctionHandle {
    pub inner: metallic::FunctionHandle,
}

#[pymethods]
impl FunctionHandle {
    /// The function's name.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.FunctionHandle {}>", self.inner.name())
    }
}

/// Functions by number, for kernels to call; made by `ComputePipelineState.make_visible_function_table`.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct VisibleFunctionTable {
    pub inner: metallic::VisibleFunctionTable,
}

#[pymethods]
impl VisibleFunctionTable {
    /// Puts a function of the table's pipeline into an entry; None takes away what is there.
    fn set_function(&self, function: Option<&FunctionHandle>, index: i64) -> PyResult<()> {
        self.inner.set_function(function.map(|f| &f.inner), unsigned(index, "an entry of a table")?).python()
    }
    /// The same for the entries from `first` on.
    #[pyo3(signature = (functions, first=0))]
    fn set_functions(&self, functions: Vec<Option<Bound<'_, FunctionHandle>>>, first: i64) -> PyResult<()> {
        let functions: Vec<_> = functions.into_iter().map(|f| f.map(|f| f.get().inner.clone())).collect();
        self.inner.set_functions(&functions, unsigned(first, "an entry of a table")?).python()
    }
    /// Where kernels find the table, for argument buffers; announce `buffer` with `use_resource` then.
    #[getter]
    fn gpu_address(&self) -> u64 {
        self.inner.gpu_address()
    }
    /// The memory of the table.
    #[getter]
    fn buffer(&self) -> Buffer {
        Buffer::from_inner(self.inner.buffer().clone())
    }
    fn __len__(&self) -> usize {
        self.inner.function_count() as usize
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.VisibleFunctionTable of {} functions>", self.inner.function_count())
    }
}

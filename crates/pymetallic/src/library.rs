//! `Library`, `Function` and `ComputePipelineState`.

use metallic::{Access, CompileOptions, ConstantValue, FunctionConstantValues, FunctionType, HostType, ParamKind};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::device::Device;
use crate::error::{ToPython, invalid, unsigned};
use crate::function_table::{FunctionHandle, VisibleFunctionTable};
use crate::released::CountRelease;

/// `fast_math`, `language_version`, `macros`, `include_directories`, `name`.
pub fn compile_options(dict: &Bound<'_, PyDict>) -> PyResult<CompileOptions> {
    let mut options = CompileOptions::default();
    for (key, value) in dict.iter() {
        let key: String = key.extract()?;
        match key.as_str() {
            "fast_math" => options.fast_math_enabled = value.extract()?,
            "name" => options.source_name = value.extract()?,
            "include_directories" => options.include_directories = value.extract()?,
            "headers" => {
                options.headers = value
                    .cast::<PyDict>()?
                    .iter()
                    .map(|(k, v)| Ok((k.extract()?, v.extract()?)))
                    .collect::<PyResult<_>>()?
            }
            "macros" => {
                let macros = value.cast::<PyDict>()?;
                let pair = |(k, v): (Bound<'_, PyAny>, Bound<'_, PyAny>)| Ok((k.extract()?, v.str()?.to_string()));
                options.preprocessor_macros = macros.iter().map(pair).collect::<PyResult<_>>()?;
            }
            "language_version" => {
                let text = value.str()?.to_string();
                let parsed = text.split_once('.').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                options.language_version = Some(
                    parsed.ok_or_else(|| invalid(format!("language_version {text:?} is not of the form \"3.1\"")))?,
                );
            }
            _ => {
                return Err(PyTypeError::new_err(format!(
                    "there is no compile option {key:?}; there are: fast_math, headers, include_directories, language_version, macros, name"
                )));
            }
        }
    }
    Ok(options)
}

fn constant_value(value: &Bound<'_, PyAny>) -> PyResult<ConstantValue> {
    if let Ok(b) = value.cast::<PyBool>() {
        return Ok(ConstantValue::Bool(b.is_true()));
    }
    if value.cast::<PyInt>().is_ok() {
        return match value.extract::<i64>() {
            Ok(i) => Ok(ConstantValue::Int(i)),
            Err(_) => Ok(ConstantValue::UInt(value.extract()?)),
        };
    }
    if value.cast::<PyFloat>().is_ok() {
        return Ok(ConstantValue::Float(value.extract()?));
    }
    if value.cast::<PyTuple>().is_ok() || value.cast::<PyList>().is_ok() {
        let parts = value.try_iter()?.map(|v| constant_value(&v?)).collect::<PyResult<_>>()?;
        return Ok(ConstantValue::Vector(parts));
    }
    // NumPy scalars and arrays.
    match value.call_method0("tolist") {
        Ok(plain) if !plain.is(value) => constant_value(&plain),
        _ => Err(PyTypeError::new_err(format!("a function constant cannot be {value}"))),
    }
}

/// Values of function constants: a dict from index or name to bool, int, float or a sequence of those.
pub fn constant_values(dict: Option<&Bound<'_, PyDict>>) -> PyResult<FunctionConstantValues> {
    let mut values = FunctionConstantValues::new();
    for (key, value) in dict.iter().flat_map(|d| d.iter()) {
        let value = constant_value(&value)?;
        match key.cast::<PyString>() {
            Ok(name) => values.set_with_name(&name.to_cow()?, value),
            Err(_) => values.set(key.extract()?, value),
        };
    }
    Ok(values)
}

/// Compiled MSL source; options: fast_math (bool), language_version ("3.1"),
/// macros (dict), include_directories (list), headers (dict of name and text), name (of the source in messages).
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct Library {
    pub inner: metallic::Library,
    _released: CountRelease,
}

impl Library {
    pub fn from_inner(inner: metallic::Library) -> Library {
        Library { inner, _released: CountRelease }
    }
}

#[pymethods]
impl Library {
    #[new]
    #[pyo3(signature = (device, source, options=None))]
    fn new(py: Python<'_>, device: &Device, source: &str, options: Option<&Bound<'_, PyDict>>) -> PyResult<Library> {
        let options = options.map_or_else(|| Ok(CompileOptions::default()), compile_options)?;
        py.detach(|| device.inner.make_library(source, &options)).python().map(Library::from_inner)
    }

    /// The kernel or visible function `name`. Raises MetalError when unknown.
    ///
    /// constants: values of function constants by index or name; bool, int, float or a sequence of those.
    #[pyo3(signature = (name, constants=None))]
    fn make_function(slf: &Bound<'_, Self>, name: &str, constants: Option<&Bound<'_, PyDict>>) -> PyResult<Function> {
        let values = constant_values(constants)?;
        let inner = &slf.get().inner;
        let inner = slf.py().detach(|| inner.make_function_with_constants(name, &values)).python()?;
        Ok(Function { inner, library: slf.clone().unbind(), _released: CountRelease })
    }
    /// The functions that are `[[visible]]`, which `make_function` finds too, to be linked to pipelines.
    #[getter]
    fn visible_function_names(&self) -> Vec<String> {
        self.inner.visible_function_names()
    }
    /// The kernels that `make_function` finds.
    #[getter]
    fn function_names(&self) -> Vec<String> {
        self.inner.function_names()
    }
    /// (name, index, type) of each function constant that the source declares.
    #[getter]
    fn function_constants(&self) -> Vec<(String, u32, String)> {
        self.inner.function_constants().into_iter().map(|c| (c.name, c.index, c.type_name)).collect()
    }
    /// The device that it is compiled for.
    #[getter]
    fn device(&self) -> Device {
        Device::from_inner(self.inner.device().clone())
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.Library with {}>", self.inner.function_names().join(", "))
    }
}

/// A kernel of a library, or a function that kernels call through tables.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct Function {
    pub inner: metallic::Function,
    library: Py<Library>,
    _released: CountRelease,
}

#[pymethods]
impl Function {
    /// As `make_function` was asked for it.
    #[getter]
    fn name(&self) -> &str {
        self.inner.name()
    }
    /// "kernel" or "visible".
    #[getter]
    fn function_type(&self) -> &'static str {
        match self.inner.function_type() {
            FunctionType::Kernel => "kernel",
            FunctionType::Visible => "visible",
        }
    }
    /// The library that it comes from.
    #[getter]
    fn library(&self, py: Python<'_>) -> Py<Library> {
        self.library.clone_ref(py)
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.Function {}>", self.inner.name())
    }
}

/// A kernel compiled for a device.
#[pyclass(frozen, module = "pymetallic", weakref)]
pub struct ComputePipelineState {
    pub inner: metallic::ComputePipelineState,
    function: Py<Function>,
    _released: CountRelease,
}

impl ComputePipelineState {
    pub fn make(
        device: &metallic::Device,
        function: &Bound<'_, Function>,
        linked_functions: Option<Vec<Bound<'_, Function>>>,
    ) -> PyResult<ComputePipelineState> {
        let of = &function.get().inner;
        let linked: Vec<_> = linked_functions.iter().flatten().map(|f| f.get().inner.clone()).collect();
        let make = || device.make_compute_pipeline_state_with_linked_functions(of, &linked);
        let inner = function.py().detach(make).python()?;
        Ok(ComputePipelineState { inner, function: function.clone().unbind(), _released: CountRelease })
    }
}

#[pymethods]
impl ComputePipelineState {
    #[new]
    #[pyo3(signature = (device, function, linked_functions=None))]
    fn new(
        device: &Device,
        function: &Bound<'_, Function>,
        linked_functions: Option<Vec<Bound<'_, Function>>>,
    ) -> PyResult<ComputePipelineState> {
        ComputePipelineState::make(&device.inner, function, linked_functions)
    }
    /// The device that it is compiled for.
    #[getter]
    fn device(&self) -> Device {
        Device::from_inner(self.inner.device().clone())
    }
    /// The function that was compiled.
    #[getter]
    fn function(&self, py: Python<'_>) -> Py<Function> {
        self.function.clone_ref(py)
    }
    /// What stands for a linked function in this pipeline's tables. Raises MetalError for others.
    fn function_handle(&self, function: &Function) -> PyResult<FunctionHandle> {
        self.inner.function_handle(&function.inner).python().map(|inner| FunctionHandle { inner })
    }
    /// A table of so many entries, without functions yet, for `ComputeCommandEncoder.set_visible_function_table`.
    fn make_visible_function_table(&self, function_count: i64) -> PyResult<VisibleFunctionTable> {
        let descriptor =
            metallic::VisibleFunctionTableDescriptor { function_count: unsigned(function_count, "a function count")? };
        self.inner.make_visible_function_table(&descriptor).python().map(|inner| VisibleFunctionTable { inner })
    }
    /// The most threads, width times height times depth, that a threadgroup of this kernel may have.
    #[getter]
    fn max_total_threads_per_threadgroup(&self) -> u32 {
        self.inner.max_total_threads_per_threadgroup()
    }
    /// Threads of a simdgroup.
    #[getter]
    fn thread_execution_width(&self) -> u32 {
        self.inner.thread_execution_width()
    }
    /// Bytes of the threadgroup variables that the kernel declares.
    #[getter]
    fn static_threadgroup_memory_length(&self) -> u32 {
        self.inner.static_threadgroup_memory_length()
    }
    /// The kernel's arguments in order.
    ///
    /// Dicts with name, kind, index, access, used; for buffers also type, size (bytes of an element), dtype (a NumPy
    /// dtype specification, or None), is_constant and by_value (a reference, not a pointer).
    #[getter]
    fn reflection<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for param in self.inner.reflection() {
            let dict = PyDict::new(py);
            dict.set_item("name", param.name.as_str())?;
            dict.set_item("index", param.index)?;
            dict.set_item("used", param.used)?;
            let access = match param.access {
                Access::ReadOnly => "read",
                Access::WriteOnly => "write",
                Access::ReadWrite => "read_write",
            };
            dict.set_item("access", access)?;
            match &param.kind {
                ParamKind::Buffer { is_constant, is_reference, element } => {
                    dict.set_item("kind", "buffer")?;
                    dict.set_item("is_constant", is_constant)?;
                    dict.set_item("by_value", is_reference)?;
                    dict.set_item("size", element.size())?;
                    dict.set_item("type", element.msl_name())?;
                    dict.set_item("dtype", dtype(py, element)?)?;
                }
                ParamKind::Threadgroup { element } => {
                    dict.set_item("kind", "threadgroup")?;
                    dict.set_item("size", element.size())?;
                    dict.set_item("type", element.msl_name())?;
                }
                ParamKind::Texture { array_len, .. } => {
                    dict.set_item("kind", "texture")?;
                    dict.set_item("count", array_len)?;
                }
                ParamKind::Sampler => dict.set_item("kind", "sampler")?,
            }
            list.append(dict)?;
        }
        Ok(list)
    }
    fn __repr__(&self) -> String {
        format!("<pymetallic.ComputePipelineState {} on {}>", self.inner.label(), self.inner.device().id())
    }
}

/// A `numpy.dtype` specification of the type's memory layout, or `None` where NumPy has none (`bfloat`, pointers).
fn dtype<'py>(py: Python<'py>, ty: &HostType) -> PyResult<Option<Bound<'py, PyAny>>> {
    use metallic::Scalar::*;
    let scalar = |s: metallic::Scalar| {
        Some(match s {
            Bool => "?",
            I8 => "<i1",
            U8 => "<u1",
            I16 => "<i2",
            U16 => "<u2",
            I32 => "<i4",
            U32 => "<u4",
            I64 => "<i8",
            U64 => "<u8",
            F16 => "<f2",
            F32 => "<f4",
            BF16 => return None,
        })
    };
    let sub_array = |base: Bound<'py, PyAny>, len: u64| (base, (len,)).into_pyobject(py).map(|t| Some(t.into_any()));
    match ty {
        HostType::Scalar(s) => Ok(scalar(*s).map(|t| PyString::new(py, t).into_any())),
        HostType::Vector { elem, len, size } => match scalar(*elem) {
            // Three components in the space of four: the dtype says so with the item size.
            Some(base) if u32::from(*len) * elem.size() != *size => {
                let dict = PyDict::new(py);
                dict.set_item("names", ["v"])?;
                dict.set_item("formats", [(base, (u64::from(*len),))])?;
                dict.set_item("offsets", [0])?;
                dict.set_item("itemsize", size)?;
                Ok(Some(dict.into_any()))
            }
            Some(base) => sub_array(PyString::new(py, base).into_any(), u64::from(*len)),
            None => Ok(None),
        },
        HostType::Array { elem, len, stride } if elem.size() == *stride => match dtype(py, elem)? {
            Some(base) => sub_array(base, *len),
            None => Ok(None),
        },
        HostType::Struct { size, fields, .. } => {
            let (mut names, mut formats, mut offsets) = (Vec::new(), Vec::new(), Vec::new());
            for field in fields {
                let Some(format) = dtype(py, &field.ty)? else { return Ok(None) };
                names.push(field.name.as_str());
                formats.push(format);
                offsets.push(field.offset);
            }
            let dict = PyDict::new(py);
            dict.set_item("names", names)?;
            dict.set_item("formats", formats)?;
            dict.set_item("offsets", offsets)?;
            dict.set_item("itemsize", size)?;
            Ok(Some(dict.into_any()))
        }
        _ => Ok(None),
    }
}

//! `pymetallic._native`: the classes of the Python package over the objects of [`metallic`].
//!
//! Translates and does nothing else: arguments in, errors out ([`error`] is the one place that turns
//! Rust errors into Python exceptions). The interpreter's lock is released around everything that
//! compiles, waits or copies.

mod array;
mod buffer;
mod buffer_protocol;
mod command;
mod device;
mod dlpack;
mod encoder;
mod error;
mod event;
mod function_table;
mod gpu_array;
mod library;
mod log;
mod released;
mod shutdown;
mod texture;
mod transfer;
mod wait;

use pyo3::prelude::*;

// Threads may use everything at once, also where Python has no global lock: all classes are frozen and hold
// handles of `metallic`, which are `Sync`; what is shared beside them are a counter and a cell that is set once.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", python_version(env!("CARGO_PKG_VERSION")))?;
    error::add_exceptions(module)?;
    module.add_class::<device::Device>()?;
    module.add_class::<buffer::Buffer>()?;
    module.add_class::<buffer::Contents>()?;
    module.add_class::<log::LogState>()?;
    module.add_class::<texture::Texture>()?;
    module.add_class::<texture::SamplerState>()?;
    module.add_class::<library::Library>()?;
    module.add_class::<library::Function>()?;
    module.add_class::<library::ComputePipelineState>()?;
    module.add_class::<function_table::FunctionHandle>()?;
    module.add_class::<function_table::VisibleFunctionTable>()?;
    module.add_class::<command::CommandQueue>()?;
    module.add_class::<command::CommandBuffer>()?;
    module.add_class::<encoder::ComputeCommandEncoder>()?;
    module.add_class::<encoder::BlitCommandEncoder>()?;
    module.add_class::<event::Event>()?;
    buffer_protocol::install(module.py());
    module.add_function(wrap_pyfunction!(array::as_array, module)?)?;
    module.add_function(wrap_pyfunction!(gpu_array::gpu_array, module)?)?;
    module.add_function(wrap_pyfunction!(released::released_objects, module)?)?;
    module.add_function(wrap_pyfunction!(transfer::async_buffer_from_numpy, module)?)?;
    module.add_function(wrap_pyfunction!(transfer::async_buffer_to_numpy, module)?)?;
    shutdown::install(module)?;
    module.add_function(wrap_pyfunction!(run_command_line, module)?)?;
    Ok(())
}

/// Runs the `metallic` command with the arguments of a process, the first of which is its name.
///
/// Prints to the process's own standard output and error, not to `sys.stdout`. Returns the exit code.
#[pyfunction]
fn run_command_line(py: Python<'_>, arguments: Vec<String>) -> u8 {
    py.detach(|| metallic_cli::run(arguments))
}

/// Cargo's spelling of a version as Python spells it: `1.0.0-dev` is `1.0.0.dev0`.
fn python_version(version: &str) -> String {
    version.replace("-dev", ".dev0")
}

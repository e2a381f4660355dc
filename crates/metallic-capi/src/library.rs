//! Libraries, their compile options, functions and compute pipeline states.

use std::ffi::c_char;
use std::sync::{Arc, Mutex};

use metallic::{CompileOptions, ComputePipelineState, Device, Diagnostic, Function, FunctionConstantValues, Library};

use crate::error::{Failure, Result, done, guard, make};
use crate::handle::{Handle, get, lock};
use crate::{alloc, convert, object};

type Options = Arc<Mutex<CompileOptions>>;

// ---- libraries -----------------------------------------------------------------------------

/// # Safety
/// `source` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_make_library_with_source(device: Handle, source: *const c_char) -> Handle {
    make("metal_device_make_library_with_source", || {
        let device: Device = get(device, "device")?;
        // SAFETY: the caller's promise.
        let source = unsafe { convert::text(source, "source") }?;
        Ok(device.make_library(source, &CompileOptions::default())?)
    })
}

/// # Safety
/// `source` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_make_library_with_options(
    device: Handle,
    source: *const c_char,
    options: Handle,
) -> Handle {
    make("metal_device_make_library_with_options", || {
        let device: Device = get(device, "device")?;
        let options = lock(&*get::<Options>(options, "options")?).clone();
        // SAFETY: the caller's promise.
        let source = unsafe { convert::text(source, "source") }?;
        Ok(device.make_library(source, &options)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_library_get_function_count(library: Handle) -> i32 {
    guard("metal_library_get_function_count", -1, || {
        Ok(i32::try_from(get::<Library>(library, "library")?.function_names().len()).unwrap_or(i32::MAX))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_library_get_function_name(library: Handle, index: i32) -> *mut c_char {
    alloc::text("metal_library_get_function_name", || {
        let names = get::<Library>(library, "library")?.function_names();
        let position = convert::unsigned(index, "index")? as usize;
        let count = names.len();
        names
            .into_iter()
            .nth(position)
            .map(Some)
            .ok_or_else(|| Failure::argument(format!("index is {index}; the library has {count} functions")))
    })
}

/// What the compiler remarked about an accepted source; NULL when nothing.
#[unsafe(no_mangle)]
pub extern "C" fn metal_library_get_warnings(library: Handle) -> *mut c_char {
    alloc::text("metal_library_get_warnings", || {
        let warnings = get::<Library>(library, "library")?.warnings();
        let lines: Vec<String> = warnings.iter().map(line).collect();
        Ok(if lines.is_empty() { None } else { Some(lines.join("\n")) })
    })
}

/// `file:line:column: warning: message [id]`.
fn line(diagnostic: &Diagnostic) -> String {
    let place = diagnostic.place.as_ref().map(|p| format!("{}:{}:{}: ", p.file, p.line, p.column)).unwrap_or_default();
    let severity = if diagnostic.is_error { "error" } else { "warning" };
    format!("{place}{severity}: {} [{}]", diagnostic.message, diagnostic.id)
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_library_release(library: Handle) {
    object::release::<Library>("metal_library_release", library);
}

// ---- functions -----------------------------------------------------------------------------

/// # Safety
/// `name` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_library_make_function(library: Handle, name: *const c_char) -> Handle {
    make("metal_library_make_function", || {
        let library: Library = get(library, "library")?;
        // SAFETY: the caller's promise.
        let name = unsafe { convert::text(name, "name") }?;
        Ok(library.make_function(name)?)
    })
}

/// # Safety
/// `name` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_library_make_function_with_constants(
    library: Handle,
    name: *const c_char,
    values: Handle,
) -> Handle {
    make("metal_library_make_function_with_constants", || {
        let library: Library = get(library, "library")?;
        let values = lock(&*get::<Arc<Mutex<FunctionConstantValues>>>(values, "values")?).clone();
        // SAFETY: the caller's promise.
        let name = unsafe { convert::text(name, "name") }?;
        Ok(library.make_function_with_constants(name, &values)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_function_get_name(function: Handle) -> *mut c_char {
    alloc::text("metal_function_get_name", || Ok(Some(get::<Function>(function, "function")?.name().into())))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_function_release(function: Handle) {
    object::release::<Function>("metal_function_release", function);
}

// ---- compute pipeline states ---------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_make_compute_pipeline_state(device: Handle, function: Handle) -> Handle {
    make("metal_device_make_compute_pipeline_state", || {
        let device: Device = get(device, "device")?;
        let function: Function = get(function, "function")?;
        Ok(device.make_compute_pipeline_state(&function)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_pipeline_state_get_max_total_threads_per_threadgroup(pipeline: Handle) -> u64 {
    guard("metal_compute_pipeline_state_get_max_total_threads_per_threadgroup", 0, || {
        Ok(get::<ComputePipelineState>(pipeline, "pipeline")?.max_total_threads_per_threadgroup().into())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_pipeline_state_get_thread_execution_width(pipeline: Handle) -> u64 {
    guard("metal_compute_pipeline_state_get_thread_execution_width", 0, || {
        Ok(get::<ComputePipelineState>(pipeline, "pipeline")?.thread_execution_width().into())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_pipeline_state_get_static_threadgroup_memory_length(pipeline: Handle) -> u64 {
    guard("metal_compute_pipeline_state_get_static_threadgroup_memory_length", 0, || {
        Ok(get::<ComputePipelineState>(pipeline, "pipeline")?.static_threadgroup_memory_length().into())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compute_pipeline_state_release(pipeline: Handle) {
    object::release::<ComputePipelineState>("metal_compute_pipeline_state_release", pipeline);
}

// ---- compile options -----------------------------------------------------------------------

#[unsafe(no_mangle)]
pub extern "C" fn metal_make_compile_options() -> Handle {
    make("metal_make_compile_options", || Ok(Options::default()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compile_options_set_fast_math_enabled(options: Handle, enabled: i32) -> bool {
    change("metal_compile_options_set_fast_math_enabled", options, |options| {
        options.fast_math_enabled = enabled != 0;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compile_options_set_language_version(options: Handle, major: i32, minor: i32) -> bool {
    change("metal_compile_options_set_language_version", options, |options| {
        options.language_version = Some((convert::unsigned(major, "major")?, convert::unsigned(minor, "minor")?));
        Ok(())
    })
}

/// # Safety
/// `name` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_compile_options_set_source_name(options: Handle, name: *const c_char) -> bool {
    change("metal_compile_options_set_source_name", options, |options| {
        // SAFETY: the caller's promise.
        options.source_name = unsafe { convert::text(name, "name") }?.into();
        Ok(())
    })
}

/// # Safety
/// `name` and `value` are NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_compile_options_add_preprocessor_macro(
    options: Handle,
    name: *const c_char,
    value: *const c_char,
) -> bool {
    change("metal_compile_options_add_preprocessor_macro", options, |options| {
        // SAFETY: the caller's promise.
        let (name, value) = unsafe { (convert::text(name, "name")?, convert::text(value, "value")?) };
        options.preprocessor_macros.push((name.into(), value.into()));
        Ok(())
    })
}

/// # Safety
/// `path` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_compile_options_add_include_directory(options: Handle, path: *const c_char) -> bool {
    change("metal_compile_options_add_include_directory", options, |options| {
        // SAFETY: the caller's promise.
        options.include_directories.push(unsafe { convert::text(path, "path") }?.into());
        Ok(())
    })
}

/// # Safety
/// `name` and `text` are NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_compile_options_add_header(
    options: Handle,
    name: *const c_char,
    text: *const c_char,
) -> bool {
    change("metal_compile_options_add_header", options, |options| {
        // SAFETY: the caller's promise.
        let (name, text) = unsafe { (convert::text(name, "name")?, convert::text(text, "text")?) };
        options.headers.push((name.into(), text.into()));
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_compile_options_release(options: Handle) {
    object::release::<Options>("metal_compile_options_release", options);
}

fn change(function: &str, options: Handle, body: impl FnOnce(&mut CompileOptions) -> Result<()>) -> bool {
    done(function, || body(&mut lock(&*get::<Options>(options, "options")?)))
}

//! What all objects have in common: counting, errors, text; and the version.

use std::ffi::{c_char, c_void};

use crate::alloc;
use crate::error::{self, Result, done, guard};
use crate::handle::{self, Handle, Typed};

/// Holds an object once more.
#[unsafe(no_mangle)]
pub extern "C" fn metal_retain_object(object: Handle) -> Handle {
    guard("metal_retain_object", std::ptr::null_mut(), || handle::retain(object, "object"))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_release_object(object: Handle) {
    release_any("metal_release_object", object);
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_get_live_object_count() -> u64 {
    guard("metal_get_live_object_count", 0, || Ok(handle::live_count() as u64))
}

/// The text of the last error of this thread, which is forgotten then.
#[unsafe(no_mangle)]
pub extern "C" fn metal_get_last_error() -> *mut c_char {
    let Some(last) = error::take_last_error() else { return std::ptr::null_mut() };
    alloc::text("metal_get_last_error", || Ok(Some(last.text)))
}

/// What kind of error [`metal_get_last_error`] would return; it is not forgotten.
#[unsafe(no_mangle)]
pub extern "C" fn metal_get_last_error_code() -> i32 {
    error::last_error().map_or(error::code::NONE, |last| last.code)
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_clear_last_error() {
    error::take_last_error();
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_free_string(text: *mut c_char) {
    done("metal_free_string", || alloc::take_back(text.cast(), "the string"));
}

/// Frees a list of devices, but not the devices.
#[unsafe(no_mangle)]
pub extern "C" fn metal_free_device_list(devices: *mut Handle) {
    done("metal_free_device_list", || alloc::take_back(devices.cast::<c_void>(), "the list"));
}

/// Stays valid: nobody frees it.
#[unsafe(no_mangle)]
pub extern "C" fn metal_get_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// Releases an object of one kind. NULL is nothing to release, so that cleaning up needs no questions.
pub fn release<T: Typed>(function: &str, object: Handle) {
    release_checked(function, object, || handle::release(object, "the object", Some(T::KIND)));
}

fn release_any(function: &str, object: Handle) {
    release_checked(function, object, || handle::release(object, "the object", None));
}

fn release_checked(function: &str, object: Handle, body: impl FnOnce() -> Result<()>) {
    if !object.is_null() {
        done(function, body);
    }
}

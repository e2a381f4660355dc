//! Devices. What they make is in the file of what is made.

use std::ffi::{c_char, c_void};

use metallic::Device;

use crate::error::{Result, done, guard};
use crate::handle::{self, Handle, get};
use crate::{alloc, convert, object};

#[unsafe(no_mangle)]
pub extern "C" fn metal_get_default_device() -> Handle {
    guard("metal_get_default_device", std::ptr::null_mut(), || handle::insert_device(&Device::system_default()?))
}

/// A list from `malloc` that ends with NULL.
#[unsafe(no_mangle)]
pub extern "C" fn metal_get_all_devices() -> *mut Handle {
    guard("metal_get_all_devices", std::ptr::null_mut(), || {
        let mut handles = Device::all().iter().map(handle::insert_device).collect::<Result<Vec<Handle>>>()?;
        handles.push(std::ptr::null_mut());
        alloc::give(&handles)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_get_device_count() -> i32 {
    guard("metal_get_device_count", 0, || Ok(i32::try_from(Device::all().len()).unwrap_or(i32::MAX)))
}

/// # Safety
/// `name` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_get_device_by_name(name: *const c_char) -> Handle {
    guard("metal_get_device_by_name", std::ptr::null_mut(), || {
        // SAFETY: the caller's promise.
        let name = unsafe { convert::text(name, "name") }?;
        handle::insert_device(&Device::by_name(name)?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_get_name(device: Handle) -> *mut c_char {
    alloc::text("metal_device_get_name", || Ok(Some(get::<Device>(device, "device")?.name().into())))
}

/// What `metal_get_device_by_name` finds the device by.
#[unsafe(no_mangle)]
pub extern "C" fn metal_device_get_id(device: Handle) -> *mut c_char {
    alloc::text("metal_device_get_id", || Ok(Some(get::<Device>(device, "device")?.id().into())))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_supports_shader_barycentric_coordinates(device: Handle) -> bool {
    guard("metal_device_supports_shader_barycentric_coordinates", false, || {
        Ok(get::<Device>(device, "device")?.supports_shader_barycentric_coordinates())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_has_unified_memory(device: Handle) -> bool {
    guard("metal_device_has_unified_memory", false, || Ok(get::<Device>(device, "device")?.has_unified_memory()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_get_max_buffer_length(device: Handle) -> u64 {
    guard("metal_device_get_max_buffer_length", 0, || Ok(get::<Device>(device, "device")?.max_buffer_length()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_get_max_threadgroup_memory_length(device: Handle) -> u64 {
    guard("metal_device_get_max_threadgroup_memory_length", 0, || {
        Ok(u64::from(get::<Device>(device, "device")?.max_threadgroup_memory_length()))
    })
}

/// # Safety
/// `xyz` is NULL or has room for three numbers.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_get_max_threads_per_threadgroup(device: Handle, xyz: *mut u32) -> bool {
    done("metal_device_get_max_threads_per_threadgroup", || {
        let size = get::<Device>(device, "device")?.max_threads_per_threadgroup();
        let numbers = size.to_array().map(u32::to_ne_bytes);
        // SAFETY: the caller's promise; three numbers are twelve bytes.
        let out = unsafe { convert::bytes_mut(xyz.cast::<c_void>(), 12, "xyz") }?;
        out.copy_from_slice(numbers.as_flattened());
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_release(device: Handle) {
    object::release::<Device>("metal_device_release", device);
}

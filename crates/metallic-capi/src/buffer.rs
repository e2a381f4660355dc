//! Buffers.

use std::ffi::{c_char, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use metallic::{Buffer, Device};

use crate::error::{Failure, Result, done, guard, make};
use crate::handle::{Handle, get};
use crate::{alloc, convert, object};

#[unsafe(no_mangle)]
pub extern "C" fn metal_device_make_buffer(device: Handle, length: u64, options: i32) -> Handle {
    make("metal_device_make_buffer", || {
        let device: Device = get(device, "device")?;
        Ok(device.make_buffer(length, convert::storage_mode(options)?)?)
    })
}

/// # Safety
/// `bytes` is NULL or points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_make_buffer_with_bytes(
    device: Handle,
    bytes: *const c_void,
    length: u64,
    options: i32,
) -> Handle {
    make("metal_device_make_buffer_with_bytes", || {
        let device: Device = get(device, "device")?;
        let mode = convert::storage_mode(options)?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { convert::bytes(bytes, length, "bytes") }?;
        Ok(device.make_buffer_with_bytes(bytes, mode)?)
    })
}

/// `metal_deallocator`.
pub type Deallocator = Option<unsafe extern "C" fn(pointer: *mut c_void, length: u64, user_data: *mut c_void)>;

/// Tells the owner of memory that it is free again.
pub struct Owner {
    pointer: NonNull<c_void>,
    length: u64,
    deallocator: Deallocator,
    user_data: *mut c_void,
    /// Not before the buffer exists: until then the memory is the caller's.
    is_armed: Arc<AtomicBool>,
}

// SAFETY: the pointers are only handed back to their owner, who promised in `Lent::new` that this may happen in any
// thread.
unsafe impl Send for Owner {}
// SAFETY: as above; a shared reference gives access to nothing.
unsafe impl Sync for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(deallocator) = self.deallocator.filter(|_| self.is_armed.load(Ordering::Acquire)) {
            // SAFETY: the owner promised that it may be called so, once.
            unsafe { deallocator(self.pointer.as_ptr(), self.length, self.user_data) };
        }
    }
}

/// Memory that the caller lends until its deallocator is called.
pub struct Lent {
    pointer: NonNull<u8>,
    length: usize,
    owner: Box<Owner>,
    is_armed: Arc<AtomicBool>,
}

impl Lent {
    /// # Safety
    /// `bytes` is NULL or points to `length` bytes that stay valid until `deallocator` is called, or for good without
    /// one; `deallocator` may be called from any thread.
    pub unsafe fn new(
        bytes: *mut c_void,
        length: u64,
        deallocator: Deallocator,
        user_data: *mut c_void,
    ) -> Result<Lent> {
        let pointer = NonNull::new(bytes).ok_or_else(|| Failure::argument("bytes is NULL"))?;
        let size =
            isize::try_from(length).map_err(|_| Failure::argument(format!("bytes cannot have {length} bytes")))?;
        let is_armed = Arc::new(AtomicBool::new(false));
        let owner = Box::new(Owner { pointer, length, deallocator, user_data, is_armed: is_armed.clone() });
        Ok(Lent { pointer: pointer.cast(), length: size.cast_unsigned(), owner, is_armed })
    }

    /// Hands the memory over with `lend`; when that fails, it is the caller's again and the deallocator is not called.
    pub fn hand_over<T>(self, lend: impl FnOnce(NonNull<u8>, usize, Box<Owner>) -> metallic::Result<T>) -> Result<T> {
        let result = lend(self.pointer, self.length, self.owner)?;
        self.is_armed.store(true, Ordering::Release);
        Ok(result)
    }
}

/// # Safety
/// `bytes` is NULL or points to `length` bytes that stay valid for reads and writes from any thread until
/// `deallocator` is called, or for good without one; `deallocator` may be called from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_device_make_buffer_with_bytes_no_copy(
    device: Handle,
    bytes: *mut c_void,
    length: u64,
    options: i32,
    deallocator: Deallocator,
    user_data: *mut c_void,
) -> Handle {
    make("metal_device_make_buffer_with_bytes_no_copy", || {
        let device: Device = get(device, "device")?;
        if convert::storage_mode(options)? != metallic::StorageMode::Shared {
            return Err(Failure::argument("a buffer over memory of the host must have shared storage"));
        }
        // SAFETY: the caller's promise.
        let lent = unsafe { Lent::new(bytes, length, deallocator, user_data) }?;
        lent.hand_over(|pointer, length, owner| {
            // SAFETY: the memory is valid until the deallocator is called, which `owner` does when it is dropped.
            unsafe { device.make_buffer_with_bytes_no_copy(pointer, length, owner) }
        })
    })
}

/// NULL for private storage, which is no error.
#[unsafe(no_mangle)]
pub extern "C" fn metal_buffer_get_contents(buffer: Handle) -> *mut c_void {
    guard("metal_buffer_get_contents", std::ptr::null_mut(), || {
        let contents = get::<Buffer>(buffer, "buffer")?.contents();
        Ok(contents.map_or(std::ptr::null_mut(), |contents| contents.as_ptr().cast()))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_buffer_get_length(buffer: Handle) -> u64 {
    guard("metal_buffer_get_length", 0, || Ok(get::<Buffer>(buffer, "buffer")?.length()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_buffer_get_storage_mode(buffer: Handle) -> i32 {
    guard("metal_buffer_get_storage_mode", -1, || Ok(get::<Buffer>(buffer, "buffer")?.storage_mode() as i32))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_buffer_get_gpu_address(buffer: Handle) -> u64 {
    guard("metal_buffer_get_gpu_address", 0, || Ok(get::<Buffer>(buffer, "buffer")?.gpu_address()))
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_buffer_did_modify_range(buffer: Handle, offset: u64, length: u64) -> bool {
    done("metal_buffer_did_modify_range", || {
        let buffer: Buffer = get(buffer, "buffer")?;
        Ok(buffer.did_modify_range(offset, offset.saturating_add(length))?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_buffer_get_label(buffer: Handle) -> *mut c_char {
    alloc::text("metal_buffer_get_label", || Ok(Some(get::<Buffer>(buffer, "buffer")?.label())))
}

/// # Safety
/// `label` is NULL or text that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn metal_buffer_set_label(buffer: Handle, label: *const c_char) -> bool {
    done("metal_buffer_set_label", || -> Result<()> {
        let buffer: Buffer = get(buffer, "buffer")?;
        // SAFETY: the caller's promise.
        buffer.set_label(unsafe { convert::text(label, "label") }?);
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn metal_buffer_release(buffer: Handle) {
    object::release::<Buffer>("metal_buffer_release", buffer);
}

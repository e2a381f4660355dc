//! Memory that callers own: text and lists, from `malloc`.
//!
//! Both `free` and the functions of this library end it. What this library gave out and did not take back yet is written
//! down, so that freeing twice or freeing foreign memory through us is an error and not a crash.

use std::collections::BTreeSet;
use std::ffi::{c_char, c_void};
use std::sync::{Mutex, PoisonError};

use crate::error::{Failure, Result, guard};

/// Addresses given out. One that a caller gave to `free` stays until it is given out again.
static GIVEN: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

/// A function that returns text; NULL when there is none or it failed.
pub fn text(function: &str, body: impl FnOnce() -> Result<Option<String>>) -> *mut c_char {
    guard(function, std::ptr::null_mut(), || match body()? {
        Some(text) => give_text(&text),
        None => Ok(std::ptr::null_mut()),
    })
}

/// A copy that ends with NUL. A NUL within, which C could not see past, becomes a replacement character.
pub fn give_text(text: &str) -> Result<*mut c_char> {
    let mut bytes = text.replace('\0', "\u{fffd}").into_bytes();
    bytes.push(0);
    Ok(give(&bytes)?.cast())
}

/// A copy of the values.
pub fn give<T: Copy>(values: &[T]) -> Result<*mut T> {
    // SAFETY: any size may be asked for; the result is checked.
    let memory = unsafe { libc::malloc(size_of_val(values).max(1)) }.cast::<T>();
    if memory.is_null() {
        return Err(Failure::Metal(metallic::Error::Memory("not enough memory for a result".into())));
    }
    // SAFETY: `memory` is new, has the size of `values`, and malloc aligns for every primitive type.
    unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), memory, values.len()) };
    GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(memory as usize);
    Ok(memory)
}

/// Frees what [`give`] gave. NULL is nothing to free.
pub fn take_back(memory: *mut c_void, what: &str) -> Result<()> {
    if memory.is_null() {
        return Ok(());
    }
    if !GIVEN.lock().unwrap_or_else(PoisonError::into_inner).remove(&(memory as usize)) {
        return Err(Failure::argument(format!("{what} is not from this library or was freed already")));
    }
    // SAFETY: the address came from malloc in `give` and was taken off the list: it is freed once.
    unsafe { libc::free(memory) };
    Ok(())
}

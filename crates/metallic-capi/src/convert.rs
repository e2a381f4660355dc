//! Numbers, text and memory of C as `metallic` takes them.

use std::ffi::{CStr, c_char, c_void};

use metallic::{Size, StorageMode};

use crate::error::{Failure, Result};

/// An index or count that the interface declares signed.
pub fn unsigned(value: i32, what: &str) -> Result<u32> {
    u32::try_from(value).map_err(|_| Failure::argument(format!("{what} is {value}; it cannot be negative")))
}

pub fn size([x, y, z]: [i32; 3], what: &str) -> Result<Size> {
    match (u32::try_from(x), u32::try_from(y), u32::try_from(z)) {
        (Ok(x), Ok(y), Ok(z)) => Ok(Size::new(x, y, z)),
        _ => Err(Failure::argument(format!("{what} is ({x}, {y}, {z}); it cannot be negative"))),
    }
}

/// The storage mode of `MTLResourceOptions`. Cache modes and hazard tracking are hints and change nothing.
pub fn storage_mode(options: i32) -> Result<StorageMode> {
    const CACHE_MODES: i32 = 0xf;
    const HAZARD_TRACKING_MODES: i32 = 0x300;
    let mode = options & !(CACHE_MODES | HAZARD_TRACKING_MODES);
    let is_known = options & CACHE_MODES <= 1 && mode & 0xf == 0;
    u32::try_from(mode >> 4).ok().filter(|_| is_known).and_then(StorageMode::from_raw).ok_or_else(|| {
        Failure::argument(format!("options are {options:#x}; storage is 0 shared, 0x10 managed, 0x20 private"))
    })
}

/// One of the numbers of an enumeration.
pub fn one_of<T: Copy>(all: &[T], number: u32, what: &str) -> Result<T> {
    let most = all.len().saturating_sub(1);
    all.get(number as usize)
        .copied()
        .ok_or_else(|| Failure::argument(format!("{what} is {number}, not between 0 and {most}")))
}

/// Text of the caller.
///
/// # Safety
/// `text` is NULL or points to characters that end with NUL and stay as they are for `'a`.
pub unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str> {
    if text.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    // SAFETY: not NULL, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|error| {
        Failure::argument(format!("{what} is not UTF-8: the byte at {} is wrong", error.valid_up_to()))
    })
}

/// Memory of the caller, to read.
///
/// # Safety
/// `bytes` is NULL or points to `length` bytes that stay as they are for `'a`.
pub unsafe fn bytes<'a>(bytes: *const c_void, length: u64, what: &str) -> Result<&'a [u8]> {
    let length = check_memory(bytes, length, what)?;
    // SAFETY: not NULL, no longer than any object, and the caller promises the rest.
    Ok(unsafe { std::slice::from_raw_parts(bytes.cast(), length) })
}

/// Memory of the caller, to write.
///
/// # Safety
/// `bytes` is NULL or points to `length` bytes that nobody else uses for `'a`. (Memory that C has not written
/// yet has some value as far as Rust can tell: it comes from outside.)
pub unsafe fn bytes_mut<'a>(bytes: *mut c_void, length: u64, what: &str) -> Result<&'a mut [u8]> {
    let length = check_memory(bytes, length, what)?;
    // SAFETY: as in `bytes`.
    Ok(unsafe { std::slice::from_raw_parts_mut(bytes.cast(), length) })
}

/// A structure of the caller, copied.
///
/// # Safety
/// `structure` is NULL or points to a `T`, aligned or not.
pub unsafe fn structure<T: Copy>(structure: *const T, what: &str) -> Result<T> {
    if structure.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    // SAFETY: not NULL, and the caller promises the rest.
    Ok(unsafe { structure.read_unaligned() })
}

fn check_memory(memory: *const c_void, length: u64, what: &str) -> Result<usize> {
    if memory.is_null() {
        return Err(Failure::argument(format!("{what} is NULL")));
    }
    // No object is larger than this; more comes from a negative number that was converted.
    isize::try_from(length)
        .map(isize::cast_unsigned)
        .map_err(|_| Failure::argument(format!("{what} cannot have {length} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resource_options_have_the_storage_mode_in_bits_4_to_7() {
        let mode = |options| storage_mode(options).ok();
        assert_eq!(mode(0), Some(StorageMode::Shared));
        assert_eq!(mode(0x10), Some(StorageMode::Managed));
        assert_eq!(mode(0x20), Some(StorageMode::Private));
        assert_eq!(mode(0x121), Some(StorageMode::Private));
        for wrong in [2, 3, 0x30, 0x400, -1, i32::MIN] {
            assert_eq!(mode(wrong), None, "{wrong:#x}");
        }
    }
}

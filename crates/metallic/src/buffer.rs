//! Buffers (`MTLBuffer`).

use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use metallic_hal::{self as hal, StorageMode};

use crate::{Device, Error, Result};

/// Memory of a device. Clones are the same buffer.
#[derive(Clone)]
pub struct Buffer {
    inner: Arc<Inner>,
}

struct Inner {
    device: Device,
    hal: Arc<dyn hal::Buffer>,
    /// Memory of the host that nobody may write: kernels that do are rejected.
    is_read_only: bool,
    label: Mutex<String>,
}

impl Buffer {
    pub(crate) fn new(device: &Device, hal: Arc<dyn hal::Buffer>) -> Buffer {
        Buffer::with_access(device, hal, false)
    }
    pub(crate) fn with_access(device: &Device, hal: Arc<dyn hal::Buffer>, is_read_only: bool) -> Buffer {
        Buffer { inner: Arc::new(Inner { device: device.clone(), hal, is_read_only, label: Mutex::default() }) }
    }

    pub fn device(&self) -> &Device {
        &self.inner.device
    }
    pub fn length(&self) -> u64 {
        self.inner.hal.length()
    }
    pub fn storage_mode(&self) -> StorageMode {
        self.inner.hal.storage_mode()
    }
    /// Whether it lies over memory that must not be written, see
    /// [`Device::make_read_only_buffer_with_bytes_no_copy`].
    pub fn is_read_only(&self) -> bool {
        self.inner.is_read_only
    }
    /// The address that kernels see, for argument buffers. Command encoders must be told with
    /// `use_resource` what a kernel reaches this way.
    pub fn gpu_address(&self) -> u64 {
        self.inner.hal.gpu_address()
    }
    pub fn label(&self) -> String {
        self.inner.label.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    pub fn set_label(&self, label: &str) {
        *self.inner.label.lock().unwrap_or_else(PoisonError::into_inner) = label.into();
    }

    /// The bytes, valid as long as the buffer lives; `None` for private storage. Kernels may
    /// access them at the same time: whoever makes references of it waits for them first. Not to be
    /// written when [`Buffer::is_read_only`].
    pub fn contents(&self) -> Option<NonNull<u8>> {
        self.inner.hal.contents()
    }

    /// The bytes for as long as the view lives. Devices with memory of their own keep the two sides equal meanwhile.
    pub fn view(&self) -> Option<View> {
        Some(View { pointer: self.inner.hal.contents()?, buffer: self.clone() })
    }

    /// Copies bytes into the buffer and marks them modified.
    pub fn write_bytes(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check_writable("the buffer")?;
        self.check_host_range("write", offset, bytes.len())?;
        self.inner.hal.write(offset, bytes);
        if self.storage_mode() == StorageMode::Managed {
            self.inner.hal.did_modify_range(offset, offset + bytes.len() as u64);
        }
        Ok(())
    }

    /// Copies bytes out of the buffer.
    pub fn read_bytes(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.check_host_range("read", offset, bytes.len())?;
        self.inner.hal.read(offset, bytes);
        Ok(())
    }

    /// Copies all bytes of another buffer, which is no longer than this one. Both have contents.
    pub fn copy_bytes_from(&self, source: &Buffer) -> Result<()> {
        let length = usize::try_from(source.length()).unwrap_or(usize::MAX);
        source.check_host_range("read", 0, length)?;
        let Some(view) = source.view() else { return Ok(()) };
        // SAFETY: the view has the buffer's length; nobody makes references into either buffer but this one,
        // which ends before it is given away.
        self.write_bytes(0, unsafe { std::slice::from_raw_parts(view.pointer().as_ptr(), length) })
    }

    /// Copies values into the buffer.
    pub fn write<T: Plain>(&self, offset: u64, values: &[T]) -> Result<()> {
        self.write_bytes(offset, T::as_bytes(values))
    }

    /// The whole buffer as values; trailing bytes that do not fill one are left out.
    pub fn to_vec<T: Plain>(&self) -> Result<Vec<T>> {
        let mut values = vec![T::default(); self.length() as usize / size_of::<T>()];
        self.read_bytes(0, T::as_bytes_mut(&mut values))?;
        Ok(values)
    }

    /// Tells that the host wrote bytes `start..end` of a managed buffer.
    pub fn did_modify_range(&self, start: u64, end: u64) -> Result<()> {
        if start > end || end > self.length() {
            return Err(Error::invalid(format!("range {start}..{end} is not in a buffer of {} bytes", self.length())));
        }
        if self.storage_mode() != StorageMode::Managed {
            return Err(Error::invalid("did_modify_range is for buffers of managed storage"));
        }
        self.inner.hal.did_modify_range(start, end);
        Ok(())
    }

    /// Gives the device's memory to other libraries, who may read and write it from now on: its address.
    pub fn share_device_memory(&self) -> Result<u64> {
        Ok(self.inner.hal.share_device_memory()?)
    }

    pub(crate) fn hal(&self) -> &Arc<dyn hal::Buffer> {
        &self.inner.hal
    }

    /// Fails when `offset + length` is beyond the end.
    pub(crate) fn check_range(&self, what: &str, offset: u64, length: u64) -> Result<()> {
        match offset.checked_add(length) {
            Some(end) if end <= self.length() => Ok(()),
            _ => {
                let size = self.length();
                Err(Error::invalid(format!("{what} of {length} bytes at {offset} exceeds the buffer of {size} bytes")))
            }
        }
    }

    /// Fails for memory that must not be written.
    pub(crate) fn check_writable(&self, what: &str) -> Result<()> {
        if self.is_read_only() {
            return Err(Error::invalid(format!("{what} is read-only: it lies over read-only memory of the host")));
        }
        Ok(())
    }

    fn check_host_range(&self, what: &str, offset: u64, length: usize) -> Result<()> {
        self.check_range(what, offset, length as u64)?;
        if self.storage_mode() == StorageMode::Private {
            return Err(Error::invalid(format!("cannot {what} a buffer of private storage; copy it with a blit")));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({:?}, {} bytes, {:?})", self.device(), self.length(), self.storage_mode())
    }
}

/// A look at the bytes of a buffer, which it keeps alive.
pub struct View {
    pointer: NonNull<u8>,
    buffer: Buffer,
}

// SAFETY: a pointer to plain memory and its owner; whoever follows it minds other threads, see `Buffer::contents`.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    pub fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }
    pub fn buffer(&self) -> &Buffer {
        &self.buffer
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.buffer.hal().release_contents();
    }
}

/// Numbers without padding, for which every bit pattern is a value.
pub trait Plain: Copy + Default + private::Sealed {
    fn as_bytes(values: &[Self]) -> &[u8] {
        // SAFETY: the implementors are primitive numbers or arrays of them: no padding, no
        // uninitialised bytes; alignment of `u8` is 1.
        unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
    }
    fn as_bytes_mut(values: &mut [Self]) -> &mut [u8] {
        // SAFETY: as above, and every bit pattern is a valid value.
        unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
    }
}

mod private {
    pub trait Sealed {}
}

macro_rules! plain {
    ($($t:ty)*) => {$(
        impl private::Sealed for $t {}
        impl Plain for $t {}
        impl private::Sealed for [$t; 2] {}
        impl Plain for [$t; 2] {}
        impl private::Sealed for [$t; 3] {}
        impl Plain for [$t; 3] {}
        impl private::Sealed for [$t; 4] {}
        impl Plain for [$t; 4] {}
    )*};
}
plain!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

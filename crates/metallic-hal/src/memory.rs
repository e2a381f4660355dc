//! Memory of the host, for devices that share it.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::any::Any;
use std::ptr::NonNull;
use std::sync::Arc;

#[cfg(unix)]
use crate::mapping::Mapping;
use crate::{Buffer, StorageMode};

/// A range of bytes that host and kernels may touch at the same time, and its owner.
///
/// Invariant: `pointer` is valid for reads and writes of `length` bytes until drop. No Rust
/// reference to the bytes is kept; accesses go through raw pointers, so that racing kernels are
/// the user's matter and not undefined behaviour of aliasing references.
pub struct HostMemory {
    pointer: NonNull<u8>,
    length: usize,
    owner: Owner,
}

enum Owner {
    Allocation {
        base: NonNull<u8>,
        layout: Layout,
    },
    /// There until drop.
    #[cfg(unix)]
    Mapping(Option<Mapping>),
    /// Keeps the memory alive.
    External {
        _owner: Box<dyn Any + Send + Sync>,
    },
}

// SAFETY: the struct is a pointer and its exclusive owner; the owner is `Send + Sync`, and the
// bytes are plain memory that any thread may access.
unsafe impl Send for HostMemory {}
// SAFETY: as above; `&HostMemory` gives out the pointer only.
unsafe impl Sync for HostMemory {}

/// From so many bytes on, memory is a mapping of its own, which is used again or goes back to the system when it is
/// dropped, whatever else is in the heap: see [`crate::mapping`]. Miri knows no mapping of which a part is given back.
#[cfg(unix)]
const MAPPED: usize = if cfg!(miri) { usize::MAX } else { 1 << 20 };

impl HostMemory {
    /// Zeroed memory, aligned to a cache line, or to a page where it is larger than one. `None` when
    /// there is not enough.
    pub fn allocate(length: usize) -> Option<HostMemory> {
        let align = if length >= 16384 { 16384 } else { 64 };
        #[cfg(unix)]
        if length >= MAPPED {
            return Some(HostMemory::mapped(Mapping::fresh(length.checked_add(64)?)?, length));
        }
        // The allocator zeroes lazily (fresh pages) only for small alignments, so the
        // alignment is made by hand. One more cache line follows the last byte.
        let layout = Layout::from_size_align(length.checked_add(align + 64)?, 16).ok()?;
        // SAFETY: the size is not zero.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        let skip = base.as_ptr().align_offset(align);
        // SAFETY: `skip < align`, which the allocation has in excess of `length`.
        let pointer = unsafe { base.add(skip) };
        Some(HostMemory { pointer, length, owner: Owner::Allocation { base, layout } })
    }

    /// The same with anything in it, for those who write all of it before anybody reads: quicker, where memory is
    /// used again.
    pub fn allocate_for_overwrite(length: usize) -> Option<HostMemory> {
        #[cfg(unix)]
        if length >= MAPPED
            && let Some(mapping) = length.checked_add(64).and_then(Mapping::reused)
        {
            return Some(HostMemory::mapped(mapping, length));
        }
        HostMemory::allocate(length)
    }

    #[cfg(unix)]
    fn mapped(mapping: Mapping, length: usize) -> HostMemory {
        HostMemory { pointer: mapping.base(), length, owner: Owner::Mapping(Some(mapping)) }
    }

    /// Memory that something else owns.
    ///
    /// # Safety
    /// `pointer` must be valid for reads and writes of `length` bytes, from any thread, as long as `owner` lives.
    pub unsafe fn external(pointer: NonNull<u8>, length: usize, owner: Box<dyn Any + Send + Sync>) -> HostMemory {
        HostMemory { pointer, length, owner: Owner::External { _owner: owner } }
    }

    pub fn as_ptr(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }
    pub fn pointer(&self) -> NonNull<u8> {
        self.pointer
    }
    pub fn len(&self) -> usize {
        self.length
    }
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl Drop for HostMemory {
    fn drop(&mut self) {
        match &mut self.owner {
            // SAFETY: `base` came from `alloc_zeroed` with this layout and is freed once.
            Owner::Allocation { base, layout } => unsafe { dealloc(base.as_ptr(), *layout) },
            #[cfg(unix)]
            Owner::Mapping(mapping) => {
                if let Some(mapping) = mapping.take() {
                    mapping.recycle();
                }
            }
            Owner::External { .. } => {}
        }
    }
}

/// A buffer in memory of the host. Private buffers hide their contents but are no different.
pub struct HostBuffer {
    memory: HostMemory,
    storage_mode: StorageMode,
}

impl HostBuffer {
    pub fn new(memory: HostMemory, storage_mode: StorageMode) -> HostBuffer {
        HostBuffer { memory, storage_mode }
    }
    /// What `Device::make_buffer` of a host device does.
    pub fn make(device: &str, length: u64, storage_mode: StorageMode) -> crate::Result<Arc<dyn Buffer>> {
        HostBuffer::make_in(HostMemory::allocate, device, length, storage_mode)
    }
    /// What `Device::make_buffer_for_overwrite` of a host device does.
    pub fn make_for_overwrite(device: &str, length: u64, storage_mode: StorageMode) -> crate::Result<Arc<dyn Buffer>> {
        HostBuffer::make_in(HostMemory::allocate_for_overwrite, device, length, storage_mode)
    }
    fn make_in(
        allocate: fn(usize) -> Option<HostMemory>,
        device: &str,
        length: u64,
        storage_mode: StorageMode,
    ) -> crate::Result<Arc<dyn Buffer>> {
        let memory = usize::try_from(length)
            .ok()
            .and_then(allocate)
            .ok_or_else(|| crate::Error::OutOfMemory { device: device.into(), requested: length })?;
        Ok(Arc::new(HostBuffer::new(memory, storage_mode)))
    }
    /// The memory, whatever the storage mode.
    pub fn memory(&self) -> &HostMemory {
        &self.memory
    }
    /// The host buffer behind a trait object.
    pub fn of(buffer: &dyn Buffer) -> Option<&HostBuffer> {
        (buffer as &dyn Any).downcast_ref()
    }
}

impl Buffer for HostBuffer {
    fn length(&self) -> u64 {
        self.memory.length as u64
    }
    fn storage_mode(&self) -> StorageMode {
        self.storage_mode
    }
    fn contents(&self) -> Option<NonNull<u8>> {
        (self.storage_mode != StorageMode::Private).then_some(self.memory.pointer)
    }
    fn gpu_address(&self) -> u64 {
        self.memory.pointer.as_ptr() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_and_aligned() {
        for length in [0, 1, 63, 100_000, (1 << 20) - 1, 1 << 20, 5_000_001] {
            let memory = HostMemory::allocate(length).unwrap();
            assert_eq!(memory.as_ptr() as usize % 64, 0);
            // An interpreter needs minutes for all of them.
            let step = if cfg!(miri) { 1021 } else { 1 };
            // SAFETY: valid for `length` bytes.
            let is_zero = |i| unsafe { memory.as_ptr().add(i).read() } == 0;
            assert!((0..length).step_by(step).chain(length.checked_sub(1)).all(is_zero));
        }
        assert!(HostMemory::allocate(usize::MAX - 8).is_none());
    }

    #[test]
    fn zeros_are_zeros_after_others_used_the_memory() {
        // As above.
        let step = if cfg!(miri) { 1021 } else { 1 };
        for _ in 0..3 {
            let memory = HostMemory::allocate_for_overwrite(5_000_001).unwrap();
            // SAFETY: valid for so many bytes.
            unsafe { memory.as_ptr().write_bytes(7, 5_000_001) };
            drop(memory);
            let memory = HostMemory::allocate(5_000_001).unwrap();
            // SAFETY: as above.
            assert!((0..5_000_001).step_by(step).all(|i| unsafe { memory.as_ptr().add(i).read() } == 0));
        }
    }

    #[test]
    fn external_memory_releases_its_owner() {
        let owner = Arc::new(vec![7u8; 8]);
        let pointer = NonNull::new(owner.as_ptr().cast_mut()).unwrap();
        // SAFETY: the vector is kept by the owner and never written.
        let memory = unsafe { HostMemory::external(pointer, 8, Box::new(owner.clone())) };
        assert_eq!(Arc::strong_count(&owner), 2);
        drop(memory);
        assert_eq!(Arc::strong_count(&owner), 1);
    }
}

//! Memory of the GPU and pinned memory of the host, kept for reuse.
//!
//! Both are slow to get from the driver, and giving them back stops the GPU. Freed blocks are kept by size, up to a
//! limit, and given back when the driver has no more. Blocks are freed when no command uses them any more, so the
//! next owner need not wait for anything.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::ffi::c_uint;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic_hal::{Error, Result};

use crate::context::Context;
use crate::driver::Address;

/// Bytes of each kind that are kept at most.
const KEPT: usize = 1 << 30;
/// Smaller blocks of pinned memory are cut from pieces of this size.
const SLAB: usize = 1 << 20;
/// What is smaller stays: it may be part of a piece, and is little.
const LEAST_FREED: usize = SLAB;
const MIB: usize = 1 << 20;
/// Pinned memory is the process's own, registered with the driver: it outlives a context that is lost.
const ALIGN: usize = 16384;

#[derive(Default)]
pub struct Pools {
    device: Mutex<Blocks>,
    pinned: Mutex<Blocks>,
}

/// Free blocks by size.
#[derive(Default)]
struct Blocks {
    free: HashMap<usize, Vec<u64>>,
    bytes: usize,
    /// Pinned memory only: the pieces that small blocks are cut from.
    slabs: Vec<u64>,
}

impl Blocks {
    fn take(&mut self, size: usize) -> Option<u64> {
        let block = self.free.get_mut(&size)?.pop()?;
        self.bytes -= size;
        Some(block)
    }
    /// Whether the block is kept.
    fn put(&mut self, size: usize, block: u64) -> bool {
        // Parts of a piece cannot be given back alone.
        if self.bytes + size > KEPT && size >= LEAST_FREED {
            return false;
        }
        self.bytes += size;
        self.free.entry(size).or_default().push(block);
        true
    }
    /// Takes out all blocks that are allocations of their own.
    fn drain(&mut self, least: usize) -> Vec<(usize, u64)> {
        let mut all = Vec::new();
        for (size, blocks) in &mut self.free {
            if *size >= least {
                self.bytes -= size * blocks.len();
                all.extend(blocks.drain(..).map(|block| (*size, block)));
            }
        }
        all
    }
}

fn lock(blocks: &Mutex<Blocks>) -> MutexGuard<'_, Blocks> {
    blocks.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The size of the block for `length` bytes.
fn rounded(length: usize, least: usize) -> Option<usize> {
    if length <= MIB { Some(length.next_power_of_two().max(least)) } else { length.checked_next_multiple_of(2 * MIB) }
}

impl Pools {
    /// Gives everything back to the driver.
    pub fn clear(context: &Context) {
        Pools::trim(context);
        let mut pinned = lock(&context.pools.pinned);
        let slabs = std::mem::take(&mut pinned.slabs);
        pinned.free.clear();
        pinned.bytes = 0;
        drop(pinned);
        for slab in slabs {
            free_host(context, slab, SLAB);
        }
    }

    /// Gives back all blocks that are allocations of their own.
    fn trim(context: &Context) {
        let device = lock(&context.pools.device).drain(0);
        for (_, block) in device {
            // SAFETY: the block came from `mem_alloc` and has no owner.
            let _ = context.call("free", |d| unsafe { (d.mem_free)(block) });
        }
        let pinned = lock(&context.pools.pinned).drain(SLAB);
        for (size, block) in pinned {
            free_host(context, block, size);
        }
    }
}

fn free_host(context: &Context, block: u64, size: usize) {
    let pointer = ptr::with_exposed_provenance_mut::<u8>(block as usize);
    // SAFETY: the block came from `get_host` with this size and has no owner.
    unsafe {
        let unregistered = context.call("free host memory", |d| (d.host_unregister)(pointer.cast()));
        if let (Ok(()), Ok(layout)) = (unregistered, Layout::from_size_align(size, ALIGN)) {
            dealloc(pointer, layout);
        }
    }
}

/// Memory of the GPU, its contents undefined.
pub struct DeviceMemory {
    context: Arc<Context>,
    pub address: Address,
    size: usize,
}

impl DeviceMemory {
    pub fn allocate(context: &Arc<Context>, length: usize) -> Result<DeviceMemory> {
        let out_of_memory = || Error::OutOfMemory { device: context.id.clone(), requested: length as u64 };
        let size = rounded(length, 512).ok_or_else(out_of_memory)?;
        let made = |address| Ok(DeviceMemory { context: context.clone(), address, size });
        if let Some(address) = lock(&context.pools.device).take(size) {
            return made(address);
        }
        let mut address = 0;
        // SAFETY: `address` outlives the call.
        let mut get = || context.call("allocate", |d| unsafe { (d.mem_alloc)(&raw mut address, size) });
        if get().is_err() {
            context.check_alive()?;
            Pools::trim(context);
            get().map_err(|_| out_of_memory())?;
        }
        made(address)
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        if self.context.is_lost() || lock(&self.context.pools.device).put(self.size, self.address) {
            return;
        }
        // SAFETY: allocated in `allocate`; command lists keep what they use until they are complete.
        let _ = self.context.call("free", |d| unsafe { (d.mem_free)(self.address) });
    }
}

/// Memory of the host that the GPU reaches at the same address, and that copies run fast from and to. Its contents
/// are undefined.
pub struct PinnedMemory {
    context: Arc<Context>,
    pub pointer: *mut u8,
    size: usize,
}

// SAFETY: plain memory and its owner.
unsafe impl Send for PinnedMemory {}
// SAFETY: as above; `&PinnedMemory` gives out the pointer only.
unsafe impl Sync for PinnedMemory {}

impl PinnedMemory {
    pub fn allocate(context: &Arc<Context>, length: usize) -> Result<PinnedMemory> {
        let out_of_memory = || Error::OutOfMemory { device: context.id.clone(), requested: length as u64 };
        let size = rounded(length, 4096).ok_or_else(out_of_memory)?;
        let made = |block: u64| {
            let pointer = ptr::with_exposed_provenance_mut(block as usize);
            Ok(PinnedMemory { context: context.clone(), pointer, size })
        };
        let mut pinned = lock(&context.pools.pinned);
        if let Some(block) = pinned.take(size) {
            return made(block);
        }
        if size < SLAB {
            let slab = get_host(context, SLAB)?;
            pinned.slabs.push(slab);
            for at in (size..SLAB).step_by(size) {
                pinned.bytes += size;
                pinned.free.entry(size).or_default().push(slab + at as u64);
            }
            return made(slab);
        }
        drop(pinned);
        made(get_host(context, size)?)
    }

    /// Bytes of the block, at least what was asked for.
    pub fn size(&self) -> usize {
        self.size
    }

    pub fn zeroed(context: &Arc<Context>, length: usize) -> Result<PinnedMemory> {
        let memory = PinnedMemory::allocate(context, length)?;
        // SAFETY: the allocation is at least this long.
        unsafe { ptr::write_bytes(memory.pointer, 0, length) };
        Ok(memory)
    }
}

fn get_host(context: &Arc<Context>, size: usize) -> Result<u64> {
    const PORTABLE_AND_MAPPED: c_uint = 3;
    let out_of_memory = || Error::OutOfMemory { device: context.id.clone(), requested: size as u64 };
    let layout = Layout::from_size_align(size, ALIGN).map_err(|_| out_of_memory())?;
    // SAFETY: the size is not zero; the memory is freed after it was unregistered, or at once.
    unsafe {
        let pointer = alloc(layout);
        if pointer.is_null() {
            return Err(out_of_memory());
        }
        let registered =
            context.call("pin host memory", |d| (d.host_register)(pointer.cast(), size, PORTABLE_AND_MAPPED));
        if let Err(error) = registered {
            dealloc(pointer, layout);
            return Err(error);
        }
        Ok(pointer.expose_provenance() as u64)
    }
}

impl Drop for PinnedMemory {
    fn drop(&mut self) {
        // Memory of a lost context stays: threads of the program may still look at it.
        let block = self.pointer.expose_provenance() as u64;
        if self.context.is_lost() || lock(&self.context.pools.pinned).put(self.size, block) {
            return;
        }
        free_host(&self.context, block, self.size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded_so_that_blocks_are_found_again() {
        assert_eq!(rounded(1, 512), Some(512));
        assert_eq!(rounded(513, 512), Some(1024));
        assert_eq!(rounded(MIB, 512), Some(MIB));
        assert_eq!(rounded(MIB + 1, 512), Some(2 * MIB));
        assert_eq!(rounded(usize::MAX, 512), None);
    }

    #[test]
    fn no_more_is_kept_than_the_limit() {
        let mut blocks = Blocks::default();
        assert!(blocks.put(KEPT / 2, 1) && blocks.put(KEPT / 2, 2));
        assert!(!blocks.put(SLAB, 3));
        assert_eq!(blocks.take(SLAB), None);
        assert_eq!(blocks.take(KEPT / 2), Some(2));
        assert_eq!(blocks.drain(0), [(KEPT / 2, 1)]);
        assert_eq!(blocks.bytes, 0);
    }
}

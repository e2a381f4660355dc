//! Memory for the variables of threadgroups: one piece for each thread, kept from one kernel to the next.

use std::cell::RefCell;
use std::thread::LocalKey;

use metallic_hal::HostMemory;

/// A pointer is what is moved out and in around each use: what is longer is read back in larger pieces than it was written
/// in, which waits until all that the kernel stored is in the cache.
type Slot = RefCell<Option<Box<HostMemory>>>;

thread_local! {
    static MAIN: Slot = const { RefCell::new(None) };
    static EDGE: Slot = const { RefCell::new(None) };
}

/// Gives whether there was enough memory.
pub(crate) fn with_scratch(size: usize, f: impl FnOnce(*mut u8)) -> bool {
    with(&MAIN, size, f)
}

/// The same inside of [`with_scratch`].
pub(crate) fn with_edge_scratch(size: usize, f: impl FnOnce(*mut u8)) -> bool {
    with(&EDGE, size, f)
}

fn with(slot: &'static LocalKey<Slot>, size: usize, f: impl FnOnce(*mut u8)) -> bool {
    slot.with(|slot| {
        let mut memory = slot.take().filter(|memory| memory.len() >= size);
        if memory.is_none() {
            let size = size.checked_next_power_of_two().unwrap_or(size).max(4096);
            memory = HostMemory::allocate(size).map(Box::new);
        }
        let Some(memory) = memory else { return false };
        f(memory.as_ptr());
        slot.replace(Some(memory));
        true
    })
}

//! Mappings: large memory of the host, a range of addresses of its own each, and the few that are kept for reuse.
//!
//! Fresh memory costs more than a copy into it, since the system clears every page when it is first touched.
//! Therefore a mapping that is free again is kept for the next one that is about to be overwritten as a whole
//! ([`Mapping::reused`]): what is uploaded again and again goes to memory that is there. Who asks for zeros gets fresh
//! memory, which costs nothing until it is touched.
//!
//! The policy: [`LIMIT`] bytes are kept at most, the most recent ones; whenever memory is taken or given, those that
//! nobody wanted for [`IDLE_TIME`] go back to the system. All that is kept is marked as free to be taken by the system
//! should it run out (`MADV_FREE`), so it stands in nobody's way.
//!
//! Large mappings begin at a boundary of huge pages and ask for them (`MADV_HUGEPAGE`), as NumPy's arrays do: one
//! page fault for 2 MiB instead of 512.

use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// So many free bytes are kept at most: two mappings of 16 MiB, with what lies behind the last byte of each. More would
/// stay resident where a program sees that its buffers are gone.
const LIMIT: usize = 33 << 20;
/// For so long, if nobody wants them.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// Alignment and multiple of what is mapped, unless pages of the system are larger.
const GRAIN: usize = 16 << 10;
/// What a huge page most often is; mappings of that size and more start at a multiple of it.
const HUGE_PAGE: usize = 2 << 20;

/// Memory for reads and writes, private to this process. Unmapped when dropped; [`Mapping::recycle`] keeps it.
pub struct Mapping {
    base: NonNull<u8>,
    length: usize,
}

// SAFETY: the struct owns the range of addresses; the bytes are plain memory that any thread may access.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives out the pointer only.
unsafe impl Sync for Mapping {}

struct Free {
    mapping: Mapping,
    since: Instant,
}

/// What is kept in this process.
static KEPT: Kept = Kept { free: Mutex::new(Vec::new()) };

struct Kept {
    /// The oldest first.
    free: Mutex<Vec<Free>>,
}

impl Mapping {
    /// At least `length` bytes of zeros. `None` when there is not enough memory.
    pub fn fresh(length: usize) -> Option<Mapping> {
        let page = page_size();
        let length = rounded(length)?;
        let align = if length >= HUGE_PAGE { HUGE_PAGE } else { GRAIN.max(page) };
        let whole = length.checked_add(align - page)?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new anonymous mapping touches no other memory.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), whole, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        let start = NonNull::new(start.cast::<u8>())?;
        let skip = (start.as_ptr() as usize).next_multiple_of(align) - start.as_ptr() as usize;
        // SAFETY: the start is a multiple of the page size, so `skip <= align - page`, which the mapping has in excess.
        let base = unsafe { start.add(skip) };
        // SAFETY: `skip + length` is within the mapping.
        let end = unsafe { base.add(length) };
        for (pointer, excess) in [(start, skip), (end, whole - skip - length)] {
            if excess > 0 {
                // SAFETY: whole pages of the mapping just made, outside of what is kept of it.
                unsafe { libc::munmap(pointer.as_ptr().cast(), excess) };
            }
        }
        #[cfg(target_os = "linux")]
        if length >= HUGE_PAGE {
            // SAFETY: advice about the mapping just made. The system may decline.
            unsafe { libc::madvise(base.as_ptr().cast(), length, libc::MADV_HUGEPAGE) };
        }
        Some(Mapping { base, length })
    }

    /// At least `length` bytes with anything in them that this process has left there, if such memory is kept.
    pub fn reused(length: usize) -> Option<Mapping> {
        KEPT.take(length)
    }

    /// Gives memory back that nobody uses any more.
    pub fn recycle(self) {
        KEPT.give(self);
    }

    pub fn base(&self) -> NonNull<u8> {
        self.base
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by `fresh` and is unmapped once.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
    }
}

/// Takes out what is too old, and the oldest of what is too much.
fn trim(free: &mut Vec<Free>) -> Vec<Free> {
    let mut total: usize = free.iter().map(|f| f.mapping.length).sum();
    let count = free.iter().take_while(|f| {
        let goes = total > LIMIT || f.since.elapsed() > IDLE_TIME;
        total -= f.mapping.length;
        goes
    });
    let count = count.count();
    free.drain(..count).collect()
}

impl Kept {
    /// What fits best and wastes little.
    fn take(&self, length: usize) -> Option<Mapping> {
        let needed = rounded(length)?;
        let most = needed.checked_add(needed / 4)?;
        let mut free = self.lock();
        let old = trim(&mut free);
        let fits = free.iter().enumerate().filter(|(_, f)| (needed..=most).contains(&f.mapping.length));
        let position = fits.min_by_key(|(_, f)| f.mapping.length).map(|(i, _)| i);
        let mapping = position.map(|i| free.remove(i).mapping);
        drop(free);
        // Unmapping takes time; no other thread has to wait for it.
        drop(old);
        mapping
    }

    fn give(&self, mapping: Mapping) {
        if mapping.length > LIMIT {
            return;
        }
        // SAFETY: advice about our own memory, whose contents are no longer of interest. Where the system does not
        // know it, the memory merely stays.
        unsafe { libc::madvise(mapping.base.as_ptr().cast(), mapping.length, libc::MADV_FREE) };
        let mut free = self.lock();
        free.push(Free { mapping, since: Instant::now() });
        let old = trim(&mut free);
        drop(free);
        drop(old);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Free>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn rounded(length: usize) -> Option<usize> {
    length.max(1).checked_next_multiple_of(GRAIN.max(page_size()))
}

fn page_size() -> usize {
    // SAFETY: asks for a constant of the system.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(GRAIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_aligned_and_as_long_as_asked_for() {
        for length in [1, GRAIN + 1, HUGE_PAGE - 1, HUGE_PAGE, 5 * HUGE_PAGE + 1] {
            let mapping = Mapping::fresh(length).unwrap();
            let align = if mapping.length >= HUGE_PAGE { HUGE_PAGE } else { GRAIN };
            assert_eq!(mapping.base.as_ptr() as usize % align, 0);
            assert!(mapping.length >= length && mapping.length < length + GRAIN.max(page_size()));
            // SAFETY: the last byte of the mapping.
            unsafe { mapping.base.add(mapping.length - 1).write(1) };
        }
        assert!(Mapping::fresh(usize::MAX).is_none() && Mapping::fresh(usize::MAX - HUGE_PAGE).is_none());
    }

    #[test]
    fn what_is_free_is_used_again() {
        let kept = Kept { free: Mutex::default() };
        let lengths = || kept.lock().iter().map(|f| f.mapping.length).collect::<Vec<_>>();
        assert!(kept.take(HUGE_PAGE).is_none());

        // The best fit, and nothing that wastes much.
        let (small, large) = (Mapping::fresh(4 * HUGE_PAGE).unwrap(), Mapping::fresh(5 * HUGE_PAGE).unwrap());
        let (at_small, at_large) = (small.base, large.base);
        kept.give(large);
        kept.give(small);
        assert!(kept.take(3 * HUGE_PAGE).is_none() && kept.take(6 * HUGE_PAGE).is_none());
        let (first, second) = (kept.take(4 * HUGE_PAGE).unwrap(), kept.take(4 * HUGE_PAGE).unwrap());
        assert_eq!((first.base, second.base), (at_small, at_large));
        assert!(kept.take(4 * HUGE_PAGE).is_none());

        // No more than the limit, the most recent, and twice 16 MiB are no more.
        for _ in 0..4 {
            kept.give(Mapping::fresh((16 << 20) + 64).unwrap());
        }
        kept.give(Mapping::fresh(LIMIT + 1).unwrap());
        assert_eq!(lengths().len(), 2);
        kept.give(first);
        assert!(lengths().len() == 2 && lengths().iter().sum::<usize>() <= LIMIT);
        assert_eq!(lengths()[1], 4 * HUGE_PAGE);

        // Nor what is old.
        kept.lock().iter_mut().for_each(|f| f.since -= 2 * IDLE_TIME);
        kept.give(second);
        assert_eq!(lengths(), [5 * HUGE_PAGE]);
    }
}

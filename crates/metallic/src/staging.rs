//! Staging memory: what bytes of the host wait in until a command copies them to where they belong.
//!
//! A pool per device. Fresh memory costs more than the copy into it, since the system clears each page
//! first; memory of the pool was cleared and mapped before. A command list owns what it copies from
//! ([`Staged`]), so the memory comes back when the list has completed, or was never committed. Memory that
//! nobody wanted for a while goes back to the system.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use metallic_hal::{self as hal, StorageMode};

use crate::Result;

/// The smallest piece; larger ones are powers of two, up to where they waste too much.
const LEAST: u64 = 4096;
const LARGE: u64 = 1 << 22;
/// The pool keeps so many free bytes at most.
const LIMIT: u64 = 256 << 20;
/// For so long.
const IDLE_TIME: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct StagingPool {
    free: Mutex<Vec<Free>>,
}

struct Free {
    buffer: Arc<dyn hal::Buffer>,
    since: Instant,
}

/// Staging memory in use; goes back to its pool when it is dropped.
pub(crate) struct Staged {
    buffer: Option<Arc<dyn hal::Buffer>>,
    pool: Weak<StagingPool>,
}

impl StagingPool {
    /// Shared memory of at least `length` bytes, with anything in it.
    pub fn take(self: &Arc<StagingPool>, device: &dyn hal::Device, length: u64) -> Result<Staged> {
        let size = size_class(length);
        let reused = {
            let mut free = self.lock();
            trim(&mut free);
            let position = free.iter().rposition(|f| f.buffer.length() == size);
            position.map(|i| free.remove(i).buffer)
        };
        let buffer = match reused {
            Some(buffer) => buffer,
            None => device.make_buffer_for_overwrite(size, StorageMode::Shared)?,
        };
        Ok(Staged { buffer: Some(buffer), pool: Arc::downgrade(self) })
    }

    /// Free memory that is kept, in bytes.
    pub fn free_bytes(&self) -> u64 {
        self.lock().iter().map(|f| f.buffer.length()).sum()
    }

    fn give(&self, buffer: Arc<dyn hal::Buffer>) {
        let mut free = self.lock();
        free.push(Free { buffer, since: Instant::now() });
        trim(&mut free);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Free>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what is too old, and the oldest of what is too much. The oldest come first.
fn trim(free: &mut Vec<Free>) {
    let mut total: u64 = free.iter().map(|f| f.buffer.length()).sum();
    let too_many = free.iter().take_while(|f| {
        let goes = total > LIMIT || f.since.elapsed() > IDLE_TIME;
        total -= f.buffer.length();
        goes
    });
    let count = too_many.count();
    free.drain(..count);
}

fn size_class(length: u64) -> u64 {
    if length > LARGE { length.next_multiple_of(LARGE / 4) } else { length.max(LEAST).next_power_of_two() }
}

impl Staged {
    pub fn buffer(&self) -> &Arc<dyn hal::Buffer> {
        self.buffer.as_ref().expect("it is there until drop")
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let (Some(buffer), Some(pool)) = (self.buffer.take(), self.pool.upgrade()) {
            pool.give(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use metallic_hal::null::NullDevice;

    #[test]
    fn memory_comes_back_and_is_used_again() {
        let (device, pool) = (NullDevice::new(), Arc::new(StagingPool::default()));
        let first = pool.take(&device, 5000).unwrap();
        let address = first.buffer().gpu_address();
        assert!(first.buffer().length() >= 5000);
        let second = pool.take(&device, 5000).unwrap();
        assert_ne!(second.buffer().gpu_address(), address);
        drop(first);
        assert_eq!(pool.free_bytes(), size_class(5000));
        assert_eq!(pool.take(&device, 6000).unwrap().buffer().gpu_address(), address);
        assert_ne!(pool.take(&device, 20_000).unwrap().buffer().gpu_address(), address);
        let weak = Arc::downgrade(&pool);
        drop(pool);
        assert!(weak.upgrade().is_none());
        drop(second);
    }

    #[test]
    fn no_more_than_the_limit_is_kept() {
        let (device, pool) = (NullDevice::new(), Arc::new(StagingPool::default()));
        let length = LIMIT / 4;
        let all: Vec<_> = (0..6).map(|_| pool.take(&device, length).unwrap()).collect();
        drop(all);
        assert_eq!(pool.free_bytes(), LIMIT);
        for length in [1, LEAST, LEAST + 1, LARGE, LARGE + 1, 100_000_000] {
            let size = size_class(length);
            assert!(size >= length && size <= (2 * length).max(LEAST), "{length}: {size}");
        }
    }
}

//! Transfers between host and GPU on streams of their own, so that kernels run meanwhile.
//!
//! Uploads and initial fills of a GPU share one stream and are counted; a queue that uses memory makes its stream
//! wait for what was counted so far ([`Transfers::order`]). Bytes of ordinary memory go through pinned blocks,
//! copied there by several threads where there are many.

use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use metallic_hal::{Result, threads};

use crate::context::{Context, Event, Stream};
use crate::driver::Address;
use crate::pool::PinnedMemory;

/// Bytes that go through one pinned block.
const CHUNK: usize = 512 << 10;
/// From so many bytes on, several threads copy.
const MANY: usize = 4 << 20;
const THREADS: usize = 16;
/// Blocks that may be on their way before the first is looked at again.
const KEPT: usize = 64;

/// See the module. One for each GPU that is open.
pub struct Transfers {
    pub context: Arc<Context>,
    pub up: Stream,
    pub down: Stream,
    /// How many operations `up` was given.
    given: AtomicU64,
    /// Blocks that copies still read.
    busy: Mutex<VecDeque<(Event, PinnedMemory)>>,
}

impl Transfers {
    pub fn new(context: &Arc<Context>) -> Result<Arc<Transfers>> {
        Ok(Arc::new(Transfers {
            context: context.clone(),
            up: Stream::new(context)?,
            down: Stream::new(context)?,
            given: AtomicU64::new(0),
            busy: Mutex::default(),
        }))
    }

    /// Counts an operation that `up` was given.
    pub fn count(&self) {
        self.given.fetch_add(1, Ordering::AcqRel);
    }

    /// Lets nothing after this start on `stream` before what `up` was given so far; `seen` is what the stream
    /// already waits for.
    pub fn order(&self, stream: &Stream, seen: &mut u64) -> Result<()> {
        let given = self.given.load(Ordering::Acquire);
        if *seen != given {
            let event = Event::new(&self.context, false)?;
            self.up.record(&event)?;
            stream.wait_for(&event)?;
            *seen = given;
        }
        Ok(())
    }

    /// Zeroes memory before its first use.
    pub fn clear(&self, to: Address, length: usize) -> Result<()> {
        // SAFETY: the caller owns the memory, which has this length.
        unsafe { self.up.fill(to, 0, length)? };
        self.count();
        Ok(())
    }

    /// # Safety
    /// `from` is pinned, readable for `length` bytes and stays so until commands after it are complete; `to` is
    /// device memory of as many.
    pub unsafe fn upload_pinned(&self, to: Address, from: *const u8, length: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        unsafe { self.up.upload(to, from, length)? };
        self.count();
        Ok(())
    }

    /// Copies bytes to the GPU; they may change as soon as this returns.
    ///
    /// # Safety
    /// `to` is device memory of that length which stays alive until commands after it are complete.
    pub unsafe fn upload(&self, to: Address, bytes: &[u8]) -> Result<()> {
        // SAFETY: the caller's promise, for each part.
        unsafe {
            if bytes.len() < MANY {
                for (i, part) in bytes.chunks(CHUNK).enumerate() {
                    self.upload_part(to + (i * CHUNK) as u64, part)?;
                }
            } else {
                self.upload_many(to, bytes)?;
            }
        }
        self.count();
        Ok(())
    }

    /// A pinned block and an event that is recorded once the block has been read.
    fn block(&self, length: usize) -> Result<(Event, PinnedMemory)> {
        // Blocks become free in order. Asking costs more than memory: a few stay.
        let oldest = {
            let mut busy = self.lock();
            if busy.len() < KEPT { None } else { busy.pop_front() }
        };
        if let Some((event, memory)) = oldest {
            event.wait()?;
            if memory.size() >= length {
                return Ok((event, memory));
            }
        }
        Ok((Event::new(&self.context, false)?, PinnedMemory::allocate(&self.context, length)?))
    }

    /// # Safety
    /// As for [`Transfers::upload`].
    unsafe fn upload_part(&self, to: Address, bytes: &[u8]) -> Result<()> {
        let (event, memory) = self.block(bytes.len())?;
        // SAFETY: the block has this length and is kept until the event; the caller vouches for `to`.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), memory.pointer, bytes.len());
            self.up.upload(to, memory.pointer, bytes.len())?;
        }
        self.up.record(&event)?;
        self.lock().push_back((event, memory));
        Ok(())
    }

    /// # Safety
    /// As for [`Transfers::upload`].
    unsafe fn upload_many(&self, to: Address, bytes: &[u8]) -> Result<()> {
        let count = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let job = Arc::new(Job {
            transfers: ptr::from_ref(self),
            to,
            bytes: bytes.as_ptr(),
            length: bytes.len(),
            next: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            running: Mutex::new(count - 1),
            ended: Condvar::new(),
        });
        for _ in 1..count {
            let job = job.clone();
            threads::spawn(move || {
                job.run();
                *job.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
                job.ended.notify_one();
            });
        }
        job.run();
        let mut running = job.running.lock().unwrap_or_else(PoisonError::into_inner);
        while *running > 0 {
            running = job.ended.wait(running).unwrap_or_else(PoisonError::into_inner);
        }
        if job.failed.load(Ordering::Acquire) {
            // Once more, for the error.
            // SAFETY: the caller's promise.
            return unsafe { self.upload_part(to, &bytes[..CHUNK]) };
        }
        Ok(())
    }

    /// The GPU's bytes to memory of the host, complete on return. Commands that wrote them are complete.
    ///
    /// # Safety
    /// `to` is writable for `length` bytes, `from` is device memory of as many.
    pub unsafe fn download(&self, to: *mut u8, from: Address, length: usize) -> Result<()> {
        let mut seen = u64::MAX;
        self.order(&self.down, &mut seen)?;
        // SAFETY: the caller's promise.
        unsafe { self.down.download(to, from, length)? };
        self.down.synchronize()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(Event, PinnedMemory)>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Transfers {
    fn drop(&mut self) {
        // Pinned blocks must not go back while they are read.
        let _ = self.up.synchronize();
    }
}

/// An upload by several threads. The one that made it waits for the others.
struct Job {
    transfers: *const Transfers,
    to: Address,
    bytes: *const u8,
    length: usize,
    next: AtomicUsize,
    failed: AtomicBool,
    running: Mutex<usize>,
    ended: Condvar,
}

// SAFETY: what the pointers point to outlives the job's threads, see `upload_many`, and may be read by all.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    fn run(&self) {
        // SAFETY: `upload_many` returns after this; its caller vouches for the memory of the GPU.
        unsafe {
            let transfers = &*self.transfers;
            loop {
                let at = self.next.fetch_add(1, Ordering::Relaxed) * CHUNK;
                if at >= self.length || self.failed.load(Ordering::Acquire) {
                    return;
                }
                let part = std::slice::from_raw_parts(self.bytes.add(at), CHUNK.min(self.length - at));
                if transfers.upload_part(self.to + at as u64, part).is_err() {
                    self.failed.store(true, Ordering::Release);
                }
            }
        }
    }
}

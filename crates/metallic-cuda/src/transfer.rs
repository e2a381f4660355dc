//! Transfers between host and GPU on streams of their own, so that kernels run meanwhile.
//!
//! Uploads and initial fills of a GPU share one stream and are counted; a queue that uses memory makes its stream
//! wait for what was counted so far ([`Transfers::order`]). Bytes of ordinary memory go through pinned blocks,
//! copied there by several threads where there are many (`upload`).

use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metallic_hal::Result;

use crate::context::{Context, Event, Stream};
use crate::driver::Address;
use crate::pool::PinnedMemory;
use crate::upload::{self, Crew};

/// Bytes that go through one pinned block.
pub const BLOCK: usize = 4 << 20;
/// From so many bytes on, several threads copy.
const MANY: usize = 2 << 20;
/// Blocks that may be on their way before the first is looked at again.
const KEPT: usize = 12;

/// See the module. One for each GPU that is open.
pub struct Transfers {
    pub context: Arc<Context>,
    pub up: Stream,
    pub down: Stream,
    /// How many operations `up` was given.
    given: AtomicU64,
    /// Blocks that copies still read.
    busy: Mutex<VecDeque<Arc<Block>>>,
    crew: Arc<Crew>,
}

/// A pinned block and an event that is recorded once the block has been read.
pub struct Block {
    event: Event,
    pub memory: PinnedMemory,
}

impl Transfers {
    pub fn new(context: &Arc<Context>) -> Result<Arc<Transfers>> {
        Ok(Arc::new(Transfers {
            context: context.clone(),
            up: Stream::new(context)?,
            down: Stream::new(context)?,
            given: AtomicU64::new(0),
            busy: Mutex::default(),
            crew: Arc::default(),
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
        if bytes.len() < MANY {
            let block = self.block(bytes.len())?;
            // SAFETY: the block is as long, and nobody else's until it is submitted; the caller vouches for `to`.
            unsafe {
                ptr::copy_nonoverlapping(bytes.as_ptr(), block.memory.pointer, bytes.len());
                self.submit(to, block, bytes.len())?;
            }
        } else {
            // SAFETY: the caller's promise.
            unsafe { upload::by_many(self, &self.crew, to, bytes)? };
        }
        self.count();
        Ok(())
    }

    /// A block that nothing reads.
    pub fn block(&self, length: usize) -> Result<Arc<Block>> {
        // Blocks become free in order. Asking costs more than memory: a few stay.
        let oldest = {
            let mut busy = self.lock();
            if busy.len() < KEPT { None } else { busy.pop_front() }
        };
        if let Some(block) = oldest {
            block.event.wait()?;
            if block.memory.size() >= length {
                return Ok(block);
            }
        }
        let event = Event::new(&self.context, false)?;
        Ok(Arc::new(Block { event, memory: PinnedMemory::allocate(&self.context, length)? }))
    }

    /// Lets the GPU copy from a block, which is kept until then.
    ///
    /// # Safety
    /// Nobody writes to the block any more; `to` is device memory as for [`Transfers::upload`].
    pub unsafe fn submit(&self, to: Address, block: Arc<Block>, length: usize) -> Result<()> {
        // SAFETY: the block has this length and is kept until the event; the caller vouches for the rest.
        unsafe { self.up.upload(to, block.memory.pointer, length)? };
        self.up.record(&block.event)?;
        self.lock().push_back(block);
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

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Block>>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Transfers {
    fn drop(&mut self) {
        // Pinned blocks must not go back while they are read.
        let _ = self.up.synchronize();
    }
}

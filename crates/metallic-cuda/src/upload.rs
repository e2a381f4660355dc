//! Uploads of ordinary memory by several threads.
//!
//! The bytes are cut into blocks, each of which goes to the GPU in one copy, and blocks into pieces, which threads take
//! one after the other; who finishes the last piece of a block submits it. Threads stay for a moment after an upload,
//! since waking them takes as long as copying megabytes: where uploads follow each other, the next finds them there.

use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use metallic_hal::{Error, Result, threads};

use crate::driver::Address;
use crate::transfer::{BLOCK, Block, Transfers};

/// Bytes that a thread copies at a time.
const PIECE: usize = 256 << 10;
/// Bytes of a job for which another thread comes.
const SHARE: usize = 1 << 20;
const THREADS: usize = 16;
/// How long a thread waits for another upload.
const STAY: Duration = Duration::from_micros(200);

/// The threads of a GPU's uploads.
#[derive(Default)]
pub struct Crew {
    job: Mutex<Option<Arc<Job>>>,
    /// How many jobs there were.
    jobs: AtomicU64,
    members: AtomicUsize,
}

/// One upload. Whoever made it waits until all of its pieces are done; threads that come later do not look further.
struct Job {
    transfers: *const Transfers,
    to: Address,
    bytes: *const u8,
    length: usize,
    next: AtomicUsize,
    /// Pieces that are not done.
    left: AtomicUsize,
    parts: Vec<Part>,
    failure: Mutex<Option<Error>>,
    maker: Thread,
}

/// What goes through one block.
struct Part {
    block: OnceLock<Option<Arc<Block>>>,
    left: AtomicUsize,
}

// SAFETY: what the pointers point to outlives the pieces, see `by_many`, and may be read by all.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

/// Copies bytes to the GPU; they may change as soon as this returns.
///
/// # Safety
/// As for [`Transfers::upload`].
pub unsafe fn by_many(transfers: &Transfers, crew: &Arc<Crew>, to: Address, bytes: &[u8]) -> Result<()> {
    let parts = bytes
        .chunks(BLOCK)
        .map(|part| Part { block: OnceLock::new(), left: AtomicUsize::new(part.len().div_ceil(PIECE)) });
    let job = Arc::new(Job {
        transfers: ptr::from_ref(transfers),
        to,
        bytes: bytes.as_ptr(),
        length: bytes.len(),
        next: AtomicUsize::new(0),
        left: AtomicUsize::new(bytes.len().div_ceil(PIECE)),
        parts: parts.collect(),
        failure: Mutex::default(),
        maker: thread::current(),
    });
    crew.take(&job);
    job.run();
    while job.left.load(Ordering::Acquire) != 0 {
        thread::park();
    }
    crew.leave(&job);
    let failure = job.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    failure.map_or(Ok(()), Err)
}

impl Crew {
    /// Gives a job to the threads that are there, and calls more.
    fn take(self: &Arc<Crew>, job: &Arc<Job>) {
        let wanted = thread::available_parallelism().map_or(1, usize::from).min(THREADS);
        let wanted = wanted.min(job.length / SHARE);
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job.clone());
        let number = self.jobs.fetch_add(1, Ordering::AcqRel) + 1;
        let others = self.members.load(Ordering::Acquire);
        for _ in others + 1..wanted {
            self.members.fetch_add(1, Ordering::AcqRel);
            let (crew, job) = (self.clone(), job.clone());
            threads::spawn(move || crew.serve(job, number));
        }
    }

    fn leave(&self, job: &Arc<Job>) {
        let mut current = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|other| Arc::ptr_eq(other, job)) {
            *current = None;
        }
    }

    /// The life of a thread.
    fn serve(&self, job: Arc<Job>, mut number: u64) {
        job.run();
        drop(job);
        let mut begin = Instant::now();
        while begin.elapsed() < STAY {
            std::hint::spin_loop();
            let now = self.jobs.load(Ordering::Acquire);
            if now == number {
                continue;
            }
            number = now;
            let job = self.job.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(job) = job {
                job.run();
                begin = Instant::now();
            }
        }
        self.members.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Job {
    fn run(&self) {
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece * PIECE >= self.length {
                return;
            }
            // SAFETY: the piece is not done, so `by_many` waits, and what its caller vouched for is there.
            if let Err(error) = unsafe { self.copy(piece) } {
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
            if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.maker.unpark();
            }
        }
    }

    /// # Safety
    /// The pointers are valid.
    unsafe fn copy(&self, piece: usize) -> Result<()> {
        // SAFETY: the caller's promise.
        let transfers = unsafe { &*self.transfers };
        let (at, number) = (piece * PIECE, piece * PIECE / BLOCK);
        let (part, start) = (&self.parts[number], number * BLOCK);
        let length = BLOCK.min(self.length - start);
        let mut failure = None;
        let block = part.block.get_or_init(|| transfers.block(length).map_err(|e| failure = Some(e)).ok());
        if let Some(block) = block {
            // SAFETY: the block holds the part, and this piece of it is nobody else's.
            unsafe {
                let to = block.memory.pointer.add(at - start);
                ptr::copy_nonoverlapping(self.bytes.add(at), to, PIECE.min(self.length - at));
            }
        }
        if part.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(block) = block
        {
            // SAFETY: all of its pieces are there.
            unsafe { transfers.submit(self.to + start as u64, block.clone(), length)? };
        }
        failure.map_or(Ok(()), Err)
    }
}

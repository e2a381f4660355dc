//! The threads of the device.
//!
//! A pool of `n` has `n` workers. A worker drives queues that became ready and helps with ranges
//! ([`Pool::run`]) that other threads opened; at most `n` threads, the opener included, work on
//! one range. Idle workers, at most `n − 1` of them, spin for a moment before they park, because
//! waking a thread costs more than a small kernel.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use metallic_hal::SerialQueue;

/// How long a thread without work spins before it parks.
const SPIN: Duration = Duration::from_micros(50);

/// See the module. Threads are started on first use and live as long as the process.
pub struct Pool {
    threads: usize,
    /// Starts the workers on first use.
    once: Once,
    /// How many there are; fewer than `threads` where the system had no more to give.
    workers: AtomicUsize,
    ready: Mutex<VecDeque<Arc<SerialQueue>>>,
    /// Length of `ready`.
    ready_count: AtomicUsize,
    ranges: Mutex<Vec<Arc<Range>>>,
    /// Length of `ranges`.
    range_count: AtomicUsize,
    spinning: AtomicUsize,
    parked: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
    queues_scheduled: AtomicU64,
    ranges_opened: AtomicU64,
    wakes: AtomicU64,
}

/// What a pool has done: how often it cost something beyond the calling thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Queues that workers were asked to drive.
    pub queues: u64,
    /// Ranges that were opened to several threads.
    pub ranges: u64,
    /// Threads that were woken.
    pub wakes: u64,
}

/// Indices that several threads work through, in chunks.
struct Range {
    next: AtomicU64,
    end: u64,
    least_chunk: u64,
    threads: u64,
    /// Threads beside the opener that may still join; changed under the lock of [`Pool::ranges`].
    free: AtomicUsize,
    /// Threads beside the opener at work.
    active: AtomicUsize,
    opener: Thread,
    is_opener_parked: AtomicBool,
    work: *const (dyn Fn(u64, u64) + Sync),
}

// SAFETY: `work` points to a `Sync` closure that outlives the range: `Pool::run` returns only after
// the range has left the list and `active` is 0.
unsafe impl Send for Range {}
// SAFETY: as above.
unsafe impl Sync for Range {}

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

impl Pool {
    pub fn new(threads: usize) -> Arc<Pool> {
        Arc::new(Pool {
            threads: threads.max(1),
            once: Once::new(),
            workers: AtomicUsize::new(0),
            ready: Mutex::default(),
            ready_count: AtomicUsize::new(0),
            ranges: Mutex::default(),
            range_count: AtomicUsize::new(0),
            spinning: AtomicUsize::new(0),
            parked: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
            queues_scheduled: AtomicU64::new(0),
            ranges_opened: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
        })
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    /// What has happened so far.
    pub fn counts(&self) -> Counts {
        let [queues, ranges, wakes] =
            [&self.queues_scheduled, &self.ranges_opened, &self.wakes].map(|count| count.load(Ordering::Relaxed));
        Counts { queues, ranges, wakes }
    }

    /// Has a worker drive the queue.
    pub fn schedule(self: &Arc<Pool>, queue: Arc<SerialQueue>) {
        self.start();
        self.queues_scheduled.fetch_add(1, Ordering::Relaxed);
        lock(&self.ready).push_back(queue);
        self.ready_count.fetch_add(1, Ordering::SeqCst);
        // A spinning worker sees it; were it about to park, it would look again first.
        if self.spinning.load(Ordering::SeqCst) == 0 {
            self.wake_one();
        }
    }

    /// Calls `work(first, end)` for chunks that make up `start..end`, on this thread and on workers.
    /// Returns when all calls have returned.
    pub fn run(self: &Arc<Pool>, start: u64, end: u64, least_chunk: u64, work: &(dyn Fn(u64, u64) + Sync)) {
        let chunks = (end - start).div_ceil(least_chunk.max(1));
        let helpers = (self.threads as u64 - 1).min(chunks.saturating_sub(1)) as usize;
        if helpers == 0 {
            work(start, end);
            return;
        }
        self.start();
        self.ranges_opened.fetch_add(1, Ordering::Relaxed);
        // SAFETY: only the lifetime changes; see `Range` for why the closure outlives its uses.
        let work: &'static (dyn Fn(u64, u64) + Sync) = unsafe { std::mem::transmute(work) };
        let range = Arc::new(Range {
            next: AtomicU64::new(start),
            end,
            least_chunk: least_chunk.max(1),
            threads: helpers as u64 + 1,
            free: AtomicUsize::new(helpers),
            active: AtomicUsize::new(0),
            opener: std::thread::current(),
            is_opener_parked: AtomicBool::new(false),
            work,
        });
        lock(&self.ranges).push(range.clone());
        self.range_count.fetch_add(1, Ordering::SeqCst);
        if self.spinning.load(Ordering::SeqCst) < helpers {
            self.wake_one();
        }
        // Leaves the list and waits for the helpers even when a chunk panics here.
        let _close = Close { pool: self, range: &range };
        range.work_through();
    }

    /// Lends this thread to an open range; false when there is none.
    pub fn help(&self) -> bool {
        if self.range_count.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let (range, has_room) = {
            let ranges = lock(&self.ranges);
            let open = ranges.iter().find(|r| r.free.load(Ordering::Relaxed) > 0 && r.has_more());
            let Some(range) = open else { return false };
            range.active.fetch_add(1, Ordering::SeqCst);
            let has_room = range.free.fetch_sub(1, Ordering::Relaxed) > 1;
            (range.clone(), has_room)
        };
        if has_room {
            self.wake_one();
        }
        let _leave = Leave(&range);
        range.work_through();
        true
    }

    /// Whether the calling thread is a worker of any pool.
    pub fn is_worker() -> bool {
        IS_WORKER.get()
    }

    fn start(self: &Arc<Pool>) {
        self.once.call_once(|| {
            for index in 0..self.threads {
                let pool = self.clone();
                let name = format!("metallic-{index}");
                // Without workers, waiting threads still do all the work.
                if std::thread::Builder::new().name(name).spawn(move || pool.serve()).is_ok() {
                    self.workers.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }

    /// Whether there is a thread besides those of the callers. Known once something was scheduled.
    pub fn has_workers(&self) -> bool {
        self.workers.load(Ordering::Relaxed) > 0
    }

    fn serve(&self) {
        IS_WORKER.set(true);
        loop {
            if !self.work_once() && !self.spin() {
                self.park();
            }
        }
    }

    fn work_once(&self) -> bool {
        if self.ready_count.load(Ordering::SeqCst) > 0 {
            let (queue, has_more) = {
                let mut ready = lock(&self.ready);
                let queue = ready.pop_front();
                self.ready_count.store(ready.len(), Ordering::SeqCst);
                (queue, !ready.is_empty())
            };
            if let Some(queue) = queue {
                // Nobody was woken for those that came while this thread was spinning.
                if has_more {
                    self.wake_one();
                }
                queue.drive();
                return true;
            }
        }
        self.help()
    }

    fn has_work(&self) -> bool {
        self.ready_count.load(Ordering::SeqCst) > 0 || self.range_count.load(Ordering::SeqCst) > 0
    }

    /// Waits a moment for work; false when none came or enough others wait.
    fn spin(&self) -> bool {
        let mut found = false;
        if self.spinning.fetch_add(1, Ordering::SeqCst) + 1 < self.threads {
            let start = Instant::now();
            while !found && start.elapsed() < SPIN {
                for _ in 0..32 {
                    std::hint::spin_loop();
                }
                // Where threads outnumber processors, others go first.
                std::thread::yield_now();
                found = self.has_work();
            }
        }
        self.spinning.fetch_sub(1, Ordering::SeqCst);
        found
    }

    fn park(&self) {
        let guard = lock(&self.lock);
        self.parked.fetch_add(1, Ordering::SeqCst);
        if self.ready_count.load(Ordering::SeqCst) == 0 && !self.has_room() {
            drop(self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner));
        }
        self.parked.fetch_sub(1, Ordering::SeqCst);
    }

    /// Whether a range wants another thread.
    fn has_room(&self) -> bool {
        self.range_count.load(Ordering::SeqCst) > 0
            && lock(&self.ranges).iter().any(|r| r.free.load(Ordering::Relaxed) > 0 && r.has_more())
    }

    fn wake_one(&self) {
        if self.parked.load(Ordering::SeqCst) > 0 {
            self.wakes.fetch_add(1, Ordering::Relaxed);
            drop(lock(&self.lock));
            self.wake.notify_one();
        }
    }
}

impl Range {
    fn has_more(&self) -> bool {
        self.next.load(Ordering::Relaxed) < self.end
    }

    /// Guided: chunks get smaller towards the end, where they even out.
    fn work_through(&self) {
        // SAFETY: the thread is the opener or counted in `active`, so the closure lives.
        let work = unsafe { &*self.work };
        let mut next = self.next.load(Ordering::Relaxed);
        while next < self.end {
            let left = self.end - next;
            let chunk = (left / (4 * self.threads)).max(self.least_chunk).min(left);
            match self.next.compare_exchange_weak(next, next + chunk, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    work(next, next + chunk);
                    next = self.next.load(Ordering::Relaxed);
                }
                Err(now) => next = now,
            }
        }
    }
}

struct Close<'a> {
    pool: &'a Pool,
    range: &'a Arc<Range>,
}

impl Drop for Close<'_> {
    fn drop(&mut self) {
        // Only a panic leaves indices behind; nobody shall take them.
        self.range.next.store(self.range.end, Ordering::Relaxed);
        {
            let mut ranges = lock(&self.pool.ranges);
            ranges.retain(|r| !Arc::ptr_eq(r, self.range));
            self.pool.range_count.store(ranges.len(), Ordering::SeqCst);
        }
        let start = Instant::now();
        while self.range.active.load(Ordering::SeqCst) > 0 {
            if start.elapsed() < SPIN {
                std::hint::spin_loop();
                continue;
            }
            self.range.is_opener_parked.store(true, Ordering::SeqCst);
            if self.range.active.load(Ordering::SeqCst) > 0 {
                std::thread::park();
            }
        }
    }
}

struct Leave<'a>(&'a Range);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if self.0.active.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.is_opener_parked.load(Ordering::SeqCst) {
            self.0.opener.unpark();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use metallic_hal::{Command, CommandList, Completion, Executor, Fault, HostBuffer, Queue, StorageMode};

    #[test]
    fn every_index_is_visited_once() {
        for threads in [1, 2, 4] {
            let pool = Pool::new(threads);
            for (start, end, chunk) in [(0, 1, 1), (3, 1003, 1), (0, 10_000, 64), (5, 5, 1)] {
                let counts: Vec<AtomicUsize> = (0..end).map(|_| AtomicUsize::new(0)).collect();
                pool.run(start, end, chunk, &|first, last| {
                    for i in first..last {
                        counts[i as usize].fetch_add(1, Ordering::Relaxed);
                    }
                });
                let visited = |i: u64| counts[i as usize].load(Ordering::Relaxed) == usize::from(i >= start);
                assert!((0..end).all(visited));
            }
        }
    }

    /// With plain memory, as kernels write it: ThreadSanitizer sees whether the end of a range orders it.
    #[test]
    fn what_helpers_write_is_there_when_the_range_is_through() {
        struct Place(*mut u64);
        // SAFETY: each index belongs to one chunk, and between ranges to the opener.
        unsafe impl Sync for Place {}
        impl Place {
            fn at(&self, i: u64) -> *mut u64 {
                // SAFETY: `i` is an index of the memory below.
                unsafe { self.0.add(i as usize) }
            }
        }
        let pool = Pool::new(3);
        let mut memory = vec![0u64; 500];
        let place = Place(memory.as_mut_ptr());
        for round in 0..200 {
            pool.run(0, 500, 1, &|first, last| {
                for i in first..last {
                    // SAFETY: see `Place`.
                    unsafe { *place.at(i) += i + round };
                }
            });
            // SAFETY: see `Place`.
            let sum: u64 = (0..500).map(|i| unsafe { std::mem::take(&mut *place.at(i)) }).sum();
            assert_eq!(sum, 500 * 499 / 2 + 500 * round);
        }
    }

    #[test]
    fn ranges_may_be_open_at_the_same_time_and_nested() {
        let pool = Pool::new(3);
        let total = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        pool.run(0, 20, 1, &|first, last| {
                            pool.run(first, last, 1, &|a, b| {
                                total.fetch_add(b - a, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(total.load(Ordering::Relaxed), 4 * 50 * 20);
    }

    #[test]
    fn several_threads_take_part() {
        let pool = Pool::new(2);
        let seen = Mutex::new(std::collections::HashSet::new());
        let start = Instant::now();
        while lock(&seen).len() < 2 && start.elapsed() < Duration::from_secs(10) {
            pool.run(0, 8, 1, &|_, _| {
                lock(&seen).insert(std::thread::current().id());
                std::thread::sleep(Duration::from_millis(1));
            });
        }
        assert_eq!(lock(&seen).len(), 2);
    }

    /// Executes a command when another thread executes one too.
    struct Meet {
        pool: Arc<Pool>,
        arrived: AtomicUsize,
    }
    impl Executor for Meet {
        fn execute(&self, _: &Command) -> Result<(), Fault> {
            let round = self.arrived.fetch_add(1, Ordering::SeqCst) / 2;
            let start = Instant::now();
            while self.arrived.load(Ordering::SeqCst) < 2 * (round + 1) {
                if start.elapsed() > Duration::from_secs(5) {
                    return Err(Fault::new("nobody came"));
                }
                std::thread::yield_now();
            }
            Ok(())
        }
        fn schedule(&self, queue: Arc<SerialQueue>) {
            self.pool.schedule(queue);
        }
    }

    #[test]
    fn queues_that_become_ready_together_run_together() {
        let meet = Arc::new(Meet { pool: Pool::new(2), arrived: AtomicUsize::new(0) });
        let queues = [SerialQueue::new(meet.clone()), SerialQueue::new(meet)];
        let buffer = HostBuffer::make("test", 4, StorageMode::Shared).unwrap();
        for _ in 0..200 {
            let faults = Arc::new(AtomicUsize::new(0));
            let submit = |queue: &Arc<SerialQueue>| {
                let (faults, buffer) = (faults.clone(), buffer.clone());
                let command = Command::FillBuffer { buffer, offset: 0, length: 4, value: 0 };
                let list = CommandList { commands: vec![command], ..CommandList::default() };
                let count = move |completion: Completion| {
                    faults.fetch_add(usize::from(completion.result.is_err()), Ordering::SeqCst);
                };
                queue.submit(list, Box::new(count))
            };
            let both = queues.each_ref().map(submit);
            // Nobody waits: that would lend the queues a thread.
            while !both.iter().all(|submission| submission.is_completed()) {
                std::thread::yield_now();
            }
            assert_eq!(faults.load(Ordering::SeqCst), 0);
        }
    }

    #[test]
    fn a_panic_reaches_the_opener_after_all_helpers_left() {
        let pool = Pool::new(2);
        let has_panicked = AtomicBool::new(false);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pool.run(0, 100, 1, &|_, _| {
                // Helpers leave enough to the opener for it to get something.
                while Pool::is_worker() && !has_panicked.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                if !Pool::is_worker() {
                    has_panicked.store(true, Ordering::SeqCst);
                    panic!("on purpose");
                }
            });
        }));
        assert!(result.is_err());
        assert_eq!(pool.range_count.load(Ordering::SeqCst), 0);
    }
}

//! Lists of launches that come again, whose end the GPU writes into memory of the host.
//!
//! The launches and a kernel of one thread after them are one [`Graph`]: that kernel (`mark.ptx`) writes the number of the
//! mark, the time, and the record of a thread that faulted into a ring. Handing over such a chain takes the driver less
//! time than a single launch and an event, and whoever waits looks at memory instead of asking the driver.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metallic_hal::{Result, timestamp};
use msl_codegen_llvm::nvptx::status;

use crate::context::{Context, Function, Launch, Stream};
use crate::driver::Address;
use crate::encoder::SLOTS;
use crate::graph::{self, Graph};
use crate::pool::{DeviceMemory, PinnedMemory};
use crate::transfer::Transfers;

const PTX: &str = include_str!("mark.ptx");
const SYMBOL: &str = "metallic_mark";
/// Bytes of a ring's entry.
const ENTRY: usize = 128;
/// Where the record is: in an entry, and in the state.
const RECORD: usize = 64;
/// The parts of an entry's first word: the number, a bit for a fault, the GPU's clock.
const NUMBER: u32 = 20;
const FAULTED: u64 = 1 << NUMBER;
const TIME: u32 = NUMBER + 1;
/// Seconds of the clock's steps.
const TICK: f64 = 32e-9;
/// Bytes of the state: a status block, a record, the count.
const STATE: usize = 192;
/// Chains that are kept ready, and launches in one at most.
const KEPT: usize = 8;
pub const LONGEST: usize = 256;
/// Lists of the same kernels before they are a chain.
const SIGHTINGS: u32 = 3;
/// Lists of which it is known how often they came.
const REMEMBERED: usize = 32;
/// Lists of a queue before the first of these: making a graph takes as long as ten launches.
const AFTER: u32 = 16;
/// How long to look before the driver is asked.
const ASK: Duration = Duration::from_micros(200);
/// Clocks of the GPU and the host part by less than this, seconds per second.
const DRIFT: f64 = 1e-4;

/// Of one queue.
pub struct Marks {
    ring: PinnedMemory,
    state: DeviceMemory,
    function: Function,
    kept: Mutex<Kept>,
    clock: Mutex<Clock>,
}

#[derive(Default)]
struct Kept {
    chains: Vec<Chain>,
    /// Marks handed over.
    count: u32,
    /// Uses, to know which chain was not used for longest.
    uses: u64,
}

struct Chain {
    graph: Graph,
    keys: Vec<Key>,
    used: u64,
}

impl Chain {
    fn is_of(&self, launches: &[Launch]) -> bool {
        self.keys.len() == launches.len() && self.keys.iter().zip(launches).all(|(key, launch)| key.is_of(launch))
    }
    fn has_kernels_of(&self, launches: &[Launch]) -> bool {
        let numbers = launches.iter().map(|launch| launch.function.number);
        self.keys.len() == launches.len() && self.keys.iter().map(|key| key.function).eq(numbers)
    }
}

/// What a launch of a chain is.
struct Key {
    function: u64,
    shape: [u32; 7],
    parameters: Vec<u8>,
}

impl Key {
    fn is_of(&self, launch: &Launch) -> bool {
        self.function == launch.function.number && self.shape == shape(launch) && self.parameters == launch.parameters
    }
    fn of(launch: &Launch) -> Key {
        let parameters = launch.parameters.to_vec();
        Key { function: launch.function.number, shape: shape(launch), parameters }
    }
}

fn shape(launch: &Launch) -> [u32; 7] {
    let ([a, b, c], [d, e, f]) = (launch.groups, launch.threads);
    [a, b, c, d, e, f, launch.shared]
}

/// How the GPU's clock compares with the host's.
#[derive(Default)]
struct Clock {
    /// Seconds to add to the GPU's, and when that was found out, by the host's.
    offset: Option<(f64, f64)>,
    /// Ticks of the GPU's clock that count as 0, so that seconds are exact.
    origin: u64,
    /// When the last list ended.
    last_end: f64,
}

/// The end of a list that was handed over.
#[derive(Clone)]
pub struct Mark {
    marks: Arc<Marks>,
    number: u32,
    /// When it was handed over.
    since: f64,
}

impl Marks {
    /// `None` where the driver has no graphs, or the GPU cannot write memory of the host.
    pub fn new(transfers: &Arc<Transfers>) -> Option<Arc<Marks>> {
        let context = &transfers.context;
        graph::calls(context.driver)?;
        Marks::make(transfers).ok()
    }

    fn make(transfers: &Arc<Transfers>) -> Result<Arc<Marks>> {
        let context = &transfers.context;
        let function = Function::load(context, PTX, SYMBOL)?;
        let ring = PinnedMemory::zeroed(context, SLOTS * ENTRY)?;
        let state = DeviceMemory::allocate(context, STATE)?;
        let mut bytes = [0u8; STATE];
        // Threads that fault write the record beside the block; the mark takes it along.
        bytes[status::HOST as usize..][..8].copy_from_slice(&(state.address + RECORD as u64).to_le_bytes());
        // SAFETY: the memory has as many bytes.
        unsafe { transfers.upload(state.address, &bytes)? };
        Ok(Arc::new(Marks { ring, state, function, kept: Mutex::default(), clock: Mutex::default() }))
    }

    /// The status block of the launches.
    pub fn status(&self) -> Address {
        self.state.address
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands over launches and their mark. At most [`SLOTS`] marks are on their way at a time, all on this stream.
    ///
    /// # Safety
    /// As for [`Stream::launch`].
    pub unsafe fn launch(
        self: &Arc<Self>,
        context: &Arc<Context>,
        stream: &Stream,
        launches: &[Launch],
    ) -> Result<Mark> {
        let mut kept = self.kept();
        kept.uses += 1;
        let now = kept.uses;
        let at = match kept.chains.iter().position(|chain| chain.is_of(launches)) {
            Some(at) => at,
            None => {
                let chains = kept.chains.iter().enumerate();
                let oldest = chains.filter(|(_, c)| c.has_kernels_of(launches)).min_by_key(|(_, c)| c.used);
                match oldest.map(|(at, _)| at) {
                    // Two of a kind may take turns.
                    Some(at) if kept.chains.len() == KEPT => {
                        change(&mut kept.chains[at], launches)?;
                        at
                    }
                    _ => {
                        let chain = self.chain(context, launches)?;
                        if kept.chains.len() == KEPT {
                            let chains = kept.chains.iter().enumerate();
                            let oldest = chains.min_by_key(|(_, c)| c.used).map_or(0, |(at, _)| at);
                            kept.chains.swap_remove(oldest);
                        }
                        kept.chains.push(chain);
                        kept.chains.len() - 1
                    }
                }
            }
        };
        kept.chains[at].used = now;
        // SAFETY: the caller's promise; functions whose kernels are gone are not asked for again.
        unsafe { kept.chains[at].graph.launch(stream)? };
        kept.count = kept.count.wrapping_add(1);
        Ok(Mark { marks: self.clone(), number: kept.count, since: timestamp() })
    }

    fn chain(&self, context: &Arc<Context>, launches: &[Launch]) -> Result<Chain> {
        let mut parameters = self.state.address.to_le_bytes().to_vec();
        parameters.extend((self.ring.pointer.expose_provenance() as u64).to_le_bytes());
        let [groups, threads] = [[1; 3]; 2];
        let mark = Launch { function: &self.function, groups, threads, shared: 0, parameters: &parameters };
        let all: Vec<Launch> = launches.iter().copied().chain([mark]).collect();
        Ok(Chain { graph: Graph::new(context, &all)?, keys: launches.iter().map(Key::of).collect(), used: 0 })
    }
}

/// Makes a chain one of these launches, of the same kernels.
fn change(chain: &mut Chain, launches: &[Launch]) -> Result<()> {
    for (i, launch) in launches.iter().enumerate() {
        if !chain.keys[i].is_of(launch) {
            let key = Key::of(launch);
            // Should the driver refuse, the chain is of nothing.
            chain.keys[i].function = u64::MAX;
            chain.graph.set(i, launch)?;
            chain.keys[i] = key;
        }
    }
    Ok(())
}

/// How often lists of the same kernels came, the last one first.
#[derive(Default)]
pub struct Sightings(Vec<(u64, u32)>);

impl Sightings {
    /// Whether a list comes often enough to be a chain. `kernels` says which kernels it has.
    pub fn see(&mut self, kernels: u64) -> bool {
        let known = self.0.iter().position(|(k, _)| *k == kernels);
        let (_, count) = known.map_or((kernels, 0), |at| self.0.remove(at));
        self.0.truncate(REMEMBERED - 1);
        self.0.insert(0, (kernels, count.saturating_add(1)));
        count + 1 >= SIGHTINGS
    }
}

impl Mark {
    fn entry(&self) -> *mut u8 {
        let at = self.number.wrapping_sub(1) as usize % SLOTS;
        // SAFETY: the ring has as many entries.
        unsafe { self.marks.ring.pointer.add(at * ENTRY) }
    }

    /// What the GPU wrote last to the entry.
    fn word(&self) -> u64 {
        // SAFETY: the entry begins with a word that the GPU writes at once, and lives as long as the ring.
        unsafe { AtomicU64::from_ptr(self.entry().cast()) }.load(Ordering::Acquire)
    }

    /// Whether the GPU wrote it, or one that came to its entry later.
    pub fn is_there(&self) -> bool {
        is_at_or_after(self.word(), self.number)
    }

    /// The record of a thread that faulted, if one did: the mark is there, and its entry not in use again.
    pub fn record(&self) -> Option<[u32; 8]> {
        if self.word() & FAULTED == 0 {
            return None;
        }
        // SAFETY: the GPU is done with the entry.
        Some(std::array::from_fn(|i| unsafe { self.entry().add(RECORD).cast::<u32>().add(i).read_volatile() }))
    }

    /// When the list ran, on the host's clock; the mark is there, and lists before it are complete. It starts when it was
    /// handed over or the list before it ended. `seen`: when that was noticed.
    pub fn times(&self, seen: f64) -> (f64, f64) {
        let word = self.word();
        let mut clock = self.marks.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if clock.offset.is_none() {
            clock.origin = word >> TIME;
        }
        let about = clock.offset.map_or(0.0, |(offset, _)| (seen - offset) / TICK) as i64;
        let stamp = ticks_since(word, clock.origin, about) as f64 * TICK;
        // It ended before it was seen: the least difference is the best.
        let most = seen - stamp;
        let offset = clock.offset.map_or(most, |(offset, at)| (offset + DRIFT * (seen - at)).min(most));
        clock.offset = Some((offset, seen));
        let end = (stamp + offset).max(self.since);
        let start = self.since.max(clock.last_end).min(end);
        clock.last_end = end;
        (start, end)
    }
}

/// Whether a word is the mark of this number, or a later one.
fn is_at_or_after(word: u64, number: u32) -> bool {
    sign_extended(word.wrapping_sub(u64::from(number)), NUMBER) >= 0
}

/// A word's time since a tick. The word has the last bits of the clock only, for 78 hours: the others are those of a time
/// that is known roughly.
fn ticks_since(word: u64, origin: u64, about: i64) -> i64 {
    let after = (word >> TIME).wrapping_sub(origin).wrapping_sub(about as u64);
    about.wrapping_add(sign_extended(after, u64::BITS - TIME))
}

/// The number that the last bits of a word are.
fn sign_extended(word: u64, bits: u32) -> i64 {
    let rest = u64::BITS - bits;
    ((word << rest) as i64) >> rest
}

/// Whether it is time to make them for a queue that has begun so many lists.
pub fn is_due(lists: u32) -> bool {
    lists == AFTER
}

/// Says when to ask the driver, since a mark that never comes says nothing of why.
#[derive(Default)]
pub struct Patience {
    looks: u32,
    asked: Option<Instant>,
}

impl Patience {
    /// Whether it is time to ask.
    pub fn is_over(&mut self) -> bool {
        self.looks = self.looks.wrapping_add(1);
        if !self.looks.is_multiple_of(256) {
            return false;
        }
        let now = Instant::now();
        let is_over = self.asked.is_some_and(|asked| now - asked > ASK);
        if is_over || self.asked.is_none() {
            self.asked = Some(now);
        }
        is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(number: u32, ticks: u64) -> u64 {
        ticks << TIME | u64::from(number % (1 << NUMBER))
    }

    #[test]
    fn numbers_of_marks_begin_again() {
        for number in [1, 2, 63, 64, 65, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (1 << 31) + 5, u32::MAX, 0] {
            assert!(is_at_or_after(word(number, 77), number), "{number}");
            assert!(is_at_or_after(word(number, 77) | FAULTED, number), "{number}");
            // What an entry has before and after.
            assert!(!is_at_or_after(word(number.wrapping_sub(SLOTS as u32), 77), number), "{number}");
            assert!(is_at_or_after(word(number.wrapping_add(SLOTS as u32), 77), number), "{number}");
        }
        assert!(!is_at_or_after(0, 1));
    }

    #[test]
    fn clocks_of_marks_begin_again() {
        let day = (86400.0 / TICK) as u64;
        for origin in [0, 5, (1 << 43) - 3] {
            for passed in [0, 1, day, 3 * day, 4 * day, 400 * day] {
                let word = word(9, origin + passed);
                for error in [0, 1_000_000, -1_000_000] {
                    assert_eq!(ticks_since(word, origin, passed as i64 + error), passed as i64, "{origin} {passed}");
                }
            }
        }
    }
}

//! What was handed to the driver for a list: when the GPU is done, and what came of it.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use metallic_hal::{Buffer, Error, Fault, Times as LaterTimes, timestamp};
use msl_codegen_llvm::nvptx::status;

use crate::clock::Times;
use crate::context::Event;
use crate::convert::{self, Record};
use crate::encoder::{Encoder, Encoding, SLOTS, STATUS};
use crate::marks::{Mark, Patience};

/// See the module.
pub struct InFlight {
    encoder: Arc<Encoder>,
    encoding: Encoding,
    /// Whether written buffers come back with it.
    fetched: Vec<bool>,
    end: End,
}

/// What comes last.
#[derive(Clone)]
enum End {
    Event(Arc<Event>),
    Mark(Mark),
    /// The driver did not take it.
    Nothing,
}

/// Tells when a list is done; outlives it.
pub struct Sleeper {
    encoder: Arc<Encoder>,
    end: End,
    patience: RefCell<Patience>,
}

impl Encoder {
    /// Ends what was begun.
    pub fn finish(self: &Arc<Self>, encoding: Encoding) -> InFlight {
        let mut flight = InFlight { encoder: self.clone(), encoding, fetched: Vec::new(), end: End::Nothing };
        // What fails here shows when the end is waited for.
        let _ = self.end(&mut flight);
        flight
    }

    fn end(&self, flight: &mut InFlight) -> metallic_hal::Result<()> {
        if let Some(mark) = &flight.encoding.mark {
            flight.end = End::Mark(mark.clone());
            return Ok(());
        }
        let times = self.start(&mut flight.encoding)?;
        flight.end = End::Event(times.end.clone());
        self.stream.record(&times.end)?;
        let down = &self.transfers.down;
        let mut is_first = true;
        for buffer in &flight.encoding.written {
            let cuda = self.buffer(&**buffer)?;
            let Some(to) = cuda.watched() else {
                flight.fetched.push(false);
                continue;
            };
            if is_first {
                down.wait_for(&times.end)?;
                is_first = false;
            }
            // SAFETY: both sides have the buffer's length, and the list keeps the buffer until it is complete.
            unsafe { down.download(to, cuda.gpu_address(), cuda.length() as usize)? };
            flight.fetched.push(true);
        }
        if !is_first {
            let event = Event::new(self.context(), true)?;
            down.record(&event)?;
            flight.end = End::Event(Arc::new(event));
        }
        Ok(())
    }
}

impl InFlight {
    /// Whether the GPU is done, or will never be. Errors show in [`InFlight::complete`].
    pub fn is_done(&self) -> bool {
        match &self.end {
            End::Event(event) => event.is_done().unwrap_or(true),
            End::Mark(mark) => mark.is_there() || self.encoder.context().is_lost(),
            End::Nothing => true,
        }
    }
    /// Whether looking costs nothing and shows that the GPU is done.
    pub fn is_marked_done(&self) -> bool {
        matches!(&self.end, End::Mark(mark) if mark.is_there())
    }
    /// What tells when the GPU is done.
    pub fn sleeper(&self) -> Sleeper {
        Sleeper { encoder: self.encoder.clone(), end: self.end.clone(), patience: RefCell::default() }
    }
    /// The end of its last kernel, where that is an event.
    pub fn end_event(&self) -> Option<Arc<Event>> {
        self.events().map(|times| times.end.clone())
    }

    /// When it ran, where events tell; to be asked for after completion.
    pub fn events(&self) -> Option<Arc<Times>> {
        self.encoding.times.clone()
    }

    /// After the GPU is done: what came of it and when it ran. `observed`: the caller saw it happen just now.
    pub fn complete(self, observed: bool) -> (Result<(), Fault>, LaterTimes) {
        let encoder = self.encoder.clone();
        let seen = timestamp();
        let times = match (&self.end, self.events()) {
            (End::Mark(mark), _) if mark.is_there() => {
                let (start, end) = mark.times(seen);
                LaterTimes::known(start, end)
            }
            (_, Some(times)) => {
                if observed {
                    encoder.clock.observe(&times, seen);
                }
                LaterTimes::later(move || times.resolve(seen))
            }
            _ => LaterTimes::known(seen, seen),
        };
        let result = self.outcome();
        for (i, buffer) in self.encoding.written.iter().enumerate() {
            if let Ok(cuda) = encoder.buffer(&**buffer) {
                let _ = cuda.written(self.fetched.get(i).copied().unwrap_or(false));
            }
        }
        encoder.release(self.encoding);
        (result, times)
    }

    fn outcome(&self) -> Result<(), Fault> {
        let encoder = &self.encoder;
        let failed = |error: Error| convert::fault(self.suspects().as_deref(), &error);
        match &self.end {
            // Once more where somebody only slept: the caller may not have asked.
            End::Event(end) => end.wait().map_err(failed)?,
            End::Mark(mark) => {
                if !mark.is_there() {
                    encoder.stream.check().map_err(failed)?;
                    return Err(failed(Error::Device("the GPU did not say that the kernel is over".into())));
                }
                return mark.record().map_or(Ok(()), |words| self.fault(to_record(words)));
            }
            End::Nothing => {
                encoder.stream.check().map_err(failed)?;
                return Err(failed(Error::Device("the driver did not take the commands".into())));
            }
        }
        if self.encoding.has_logs {
            let printed = encoder.print_logs(&self.encoding.launches);
            printed.map_err(|error| convert::fault(None, &error))?;
        }
        let slot = if self.encoding.has_logs { SLOTS } else { self.encoding.slot };
        let first = self.record(self.encoding.slot);
        let record = first.or_else(|| self.record(slot));
        record.map_or(Ok(()), |record| self.fault(record))
    }

    fn fault(&self, record: Record) -> Result<(), Fault> {
        match self.encoding.launches.get(record.dispatch as usize) {
            Some(launch) => {
                Err(convert::describe(&launch.pipeline, &launch.variant, &launch.label, &launch.lengths, record))
            }
            None => Err(Fault::new("a kernel failed at an unknown place")),
        }
    }

    /// The kernels that may have failed.
    fn suspects(&self) -> Option<String> {
        let mut labels: Vec<&str> = self.encoding.launches.iter().map(|l| &*l.label).collect();
        labels.dedup();
        if labels.is_empty() { None } else { Some(labels.join(" or ")) }
    }

    /// The record of a slot, which is then empty again.
    fn record(&self, slot: usize) -> Option<Record> {
        let encoder = &self.encoder;
        let mut words = [0u32; STATUS as usize / 4];
        // SAFETY: the record is in the pinned memory, and the GPU is done with it.
        unsafe {
            let from = encoder.host.pointer.add(slot * STATUS as usize).cast::<u32>();
            if from.read_volatile() == 0 {
                return None;
            }
            for (i, word) in words.iter_mut().enumerate() {
                *word = from.add(i).read_volatile();
                from.add(i).write_volatile(0);
            }
        }
        let block =
            if slot == SLOTS { encoder.log_block().ok()? } else { encoder.status.address + slot as u64 * STATUS };
        // SAFETY: the word is in the status block; later lists come after this on the stream.
        let _ = unsafe { encoder.stream.fill(block + status::CLAIMED, 0, 4) };
        let mut first = [0; 8];
        first.copy_from_slice(&words[..8]);
        Some(to_record(first))
    }
}

fn to_record(words: [u32; 8]) -> Record {
    let at = |offset: u64| words[offset as usize / 4];
    Record {
        site: at(status::SITE),
        dispatch: at(status::DISPATCH),
        thread: [at(status::THREAD), at(status::THREAD + 4), at(status::THREAD + 8)],
        offset: u64::from(at(status::OFFSET)) | u64::from(at(status::OFFSET + 4)) << 32,
    }
}

impl Sleeper {
    pub fn is_done(&self) -> bool {
        match &self.end {
            End::Event(event) => event.is_done().unwrap_or(true),
            End::Mark(mark) => {
                mark.is_there() || (self.patience.borrow_mut().is_over() && self.encoder.stream.check().is_err())
            }
            End::Nothing => true,
        }
    }
    /// Returns when the GPU is done or has failed.
    pub fn sleep(&self) {
        match &self.end {
            End::Event(event) => drop(event.wait()),
            End::Mark(mark) => {
                let start = Instant::now();
                while !mark.is_there() && self.encoder.stream.check().is_ok() {
                    let pause = (start.elapsed() / 32).clamp(Duration::from_micros(20), Duration::from_millis(1));
                    std::thread::sleep(pause);
                }
            }
            End::Nothing => {}
        }
    }
}

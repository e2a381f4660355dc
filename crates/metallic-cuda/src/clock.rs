//! When command lists ran, on the host's clock.
//!
//! The driver tells the time between two events only, as `f32` milliseconds. The end of a recent list whose host time
//! is known serves as the origin, renewed often enough that the number stays exact.

use std::sync::{Arc, Mutex, PoisonError};

use metallic_hal::{Result, timestamp};

use crate::context::{Context, Event, Stream};

/// An origin older than this many seconds is renewed.
const RENEW: f64 = 0.25;
/// Events kept for reuse.
const KEPT: usize = 128;

pub struct Clock {
    context: Arc<Context>,
    origin: Mutex<(Arc<Event>, f64)>,
    spare: Mutex<Vec<Arc<Event>>>,
}

/// The first and the last moment of a list.
pub struct Times {
    pub start: Arc<Event>,
    pub end: Arc<Event>,
    clock: Arc<Clock>,
}

impl Clock {
    pub fn new(stream: &Stream) -> Result<Arc<Clock>> {
        let event = Arc::new(Event::new(&stream.context, true)?);
        stream.record(&event)?;
        stream.synchronize()?;
        let origin = Mutex::new((event, timestamp()));
        Ok(Arc::new(Clock { context: stream.context.clone(), origin, spare: Mutex::default() }))
    }

    fn event(&self) -> Result<Arc<Event>> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.map_or_else(|| Ok(Arc::new(Event::new(&self.context, true)?)), Ok)
    }

    /// Events for a list; it starts when the one before it on the stream ends, if there is one.
    pub fn times(self: &Arc<Self>, before: Option<Arc<Event>>) -> Result<Arc<Times>> {
        let start = before.map_or_else(|| self.event(), Ok)?;
        Ok(Arc::new(Times { start, end: self.event()?, clock: self.clone() }))
    }

    /// The end of a list was seen at this time.
    pub fn observe(&self, times: &Times, now: f64) {
        let mut origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        if now - origin.1 > RENEW {
            *origin = (times.end.clone(), now);
        }
    }
}

impl Times {
    /// In seconds; the list is complete. `seen`: when that was noticed, for when the driver cannot tell.
    pub fn resolve(&self, seen: f64) -> (f64, f64) {
        let origin = self.clock.origin.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let at = |event: &Event| event.since(&origin.0).map(|ms| origin.1 + ms * 1e-3);
        match (at(&self.start), self.end.since(&self.start)) {
            // What is seen later cannot have ended later.
            (Ok(start), Ok(ms)) => {
                let end = (start + ms * 1e-3).min(seen);
                (end - ms * 1e-3, end)
            }
            _ => (seen, seen),
        }
    }
}

impl Drop for Times {
    fn drop(&mut self) {
        let mut spare = self.clock.spare.lock().unwrap_or_else(PoisonError::into_inner);
        // An event that serves as origin, or as the start of the next list, must not be recorded again.
        for event in [&self.start, &self.end] {
            if spare.len() < KEPT && Arc::strong_count(event) == 1 {
                spare.push(event.clone());
            }
        }
    }
}

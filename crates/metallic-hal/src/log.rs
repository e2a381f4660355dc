//! Log records of kernels (`os_log`) on their way to the host.
//!
//! A dispatch names a log state, whose handlers get its records; those of other dispatches go to standard output.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

pub use msl_ir::log::{LogLevel, LogRecord, record};

type Handler = Arc<dyn Fn(&LogRecord) + Send + Sync>;

/// Where records go (`MTLLogState`). Handlers run while the kernel does, on any thread, before its command buffer completes.
pub struct LogState {
    level: LogLevel,
    handlers: Mutex<Vec<Handler>>,
}

impl LogState {
    /// Records below the level are dropped.
    pub fn new(level: LogLevel) -> LogState {
        LogState { level, handlers: Mutex::default() }
    }
    pub fn level(&self) -> LogLevel {
        self.level
    }
    /// Called for each record. A panic of the handler ends that call and nothing else.
    pub fn add_log_handler(&self, handler: impl Fn(&LogRecord) + Send + Sync + 'static) {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(handler));
    }

    fn deliver(&self, record: &LogRecord) {
        if record.level < self.level {
            return;
        }
        // Handlers may add handlers.
        let handlers = self.handlers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if handlers.is_empty() {
            print(record);
        }
        for handler in handlers {
            let _ = catch_unwind(AssertUnwindSafe(|| handler(record)));
        }
    }
}

impl std::fmt::Debug for LogState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogState({})", self.level.name())
    }
}

/// Hands a record to the handlers of the state or, where there is none, to standard output.
pub fn emit(state: Option<&LogState>, record: &LogRecord) {
    match state {
        Some(state) => state.deliver(record),
        None => print(record),
    }
}

/// One line on standard output, behind the subsystem and category where the record has them.
fn print(record: &LogRecord) {
    use std::io::Write;
    let end = if record.message.ends_with('\n') { "" } else { "\n" };
    let names = match (&record.subsystem, &record.category) {
        (None, None) => String::new(),
        (subsystem, category) => {
            format!("[{}:{}] ", subsystem.as_deref().unwrap_or(""), category.as_deref().unwrap_or(""))
        }
    };
    let _ = write!(std::io::stdout().lock(), "{names}{}{end}", record.message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_drops_what_is_below_its_level_and_survives_handlers() {
        let state = LogState::new(LogLevel::Notice);
        let seen = Arc::new(Mutex::new(Vec::new()));
        state.add_log_handler(|_| panic!("a handler of a test"));
        let sink = seen.clone();
        state.add_log_handler(move |record| sink.lock().unwrap().push(record.message.clone()));
        for (level, message) in [(LogLevel::Debug, "a"), (LogLevel::Notice, "b"), (LogLevel::Fault, "c")] {
            let record = LogRecord { subsystem: None, category: None, level, message: message.into() };
            emit(Some(&state), &record);
        }
        assert_eq!(*seen.lock().unwrap(), ["b", "c"]);
    }
}

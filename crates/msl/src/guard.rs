//! Runs a compilation so that nothing it does can end the host process: on a thread with
//! room for deep input, with panics caught and turned into a diagnostic.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use msl_base::{Diagnostic, Diagnostics, SourceMap, Span};

use crate::report::CompileError;

/// Enough for the deepest tree that the limits of parser and checker allow, in a debug build.
const STACK_BYTES: usize = 256 << 20;

thread_local! {
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

/// `what` and `how` go into the message when the compiler itself fails: what was being done, and a command that shows it.
pub fn guarded<R: Send>(
    what: &str,
    how: &str,
    compile: impl FnOnce() -> Result<R, CompileError> + Send,
) -> Result<R, CompileError> {
    let caught = move || {
        catch_unwind(AssertUnwindSafe(compile)).unwrap_or_else(|panic| {
            let message = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("panic");
            Err(internal_error(what, how, message))
        })
    };
    if HAS_ROOM.get() {
        return caught();
    }
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("msl".into()).stack_size(STACK_BYTES);
        let spawned = builder.spawn_scoped(scope, || {
            HAS_ROOM.set(true);
            caught()
        });
        match spawned.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(internal_error(what, how, "panic")),
            Err(e) => Err(internal_error(what, how, &format!("cannot start a thread: {e}"))),
        }
    })
}

pub fn internal_error(what: &str, how: &str, message: &str) -> CompileError {
    let mut diagnostics = Diagnostics::new();
    let text = format!("internal compiler error while {what}: {message}");
    let help = format!("this is a bug of the compiler, not of the program; `{how}` shows it again");
    diagnostics.push(Diagnostic::error("ice", Span::NONE, text).help(help));
    CompileError::new(diagnostics, SourceMap::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_diagnostic() {
        let error = guarded::<()>("testing", "metallic emit", || panic!("on purpose")).unwrap_err();
        assert_eq!(error.diagnostics()[0].id, "ice");
        assert!(error.to_string().contains("on purpose"));
    }

    #[test]
    fn deep_recursion_has_room() {
        fn deep(n: u32) -> u32 {
            let buffer = [n; 64];
            if n == 0 { 0 } else { std::hint::black_box(buffer)[3].min(deep(n - 1)) + 1 }
        }
        assert!(guarded("testing", "", || Ok(deep(100_000))).is_ok());
    }
}

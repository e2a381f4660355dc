//! Runs a compilation so that nothing it does can end the host process: on a thread with
//! room for deep input, with panics caught and turned into a diagnostic.

use std::panic::{AssertUnwindSafe, catch_unwind};

use msl_base::stack::with_room;
use msl_base::{Diagnostic, Diagnostics, SourceMap, Span};

use crate::report::CompileError;

/// `what` and `how` go into the message when the compiler itself fails: what was being done, and a command that shows it.
pub fn guarded<R: Send>(
    what: &str,
    how: &str,
    compile: impl FnOnce() -> Result<R, CompileError> + Send,
) -> Result<R, CompileError> {
    catch_unwind(AssertUnwindSafe(|| with_room(compile))).unwrap_or_else(|panic| {
        let message = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("panic");
        Err(internal_error(what, how, message))
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
}

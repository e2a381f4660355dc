//! Errors: kept per thread until `metal_get_last_error` fetches them; and the fence around every function.
//!
//! The numbers of [`code`] are those of `enum metal_error_code` in the header.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::handle::{self, Handle, Typed};

pub type Result<T> = std::result::Result<T, Failure>;

/// Why a function of this library failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// An argument that does not even reach `metallic`.
    Argument(String),
    Metal(metallic::Error),
    /// A fault of ours.
    Internal(String),
}

/// `enum metal_error_code`.
pub mod code {
    pub const NONE: i32 = 0;
    pub const COMPILE: i32 = 1;
    pub const FUNCTION: i32 = 2;
    pub const PIPELINE: i32 = 3;
    pub const VALIDATION: i32 = 4;
    pub const DEVICE: i32 = 5;
    pub const MEMORY: i32 = 6;
    pub const EXECUTION: i32 = 7;
    pub const INTERNAL: i32 = 8;
}

impl Failure {
    pub fn argument(text: impl Into<String>) -> Failure {
        Failure::Argument(text.into())
    }
    pub fn code(&self) -> i32 {
        match self {
            Failure::Argument(_) => code::VALIDATION,
            Failure::Internal(_) => code::INTERNAL,
            Failure::Metal(error) => match error {
                metallic::Error::Compile(_) => code::COMPILE,
                metallic::Error::Function(_) => code::FUNCTION,
                metallic::Error::Pipeline(_) => code::PIPELINE,
                metallic::Error::Validation { .. } => code::VALIDATION,
                metallic::Error::Device(_) => code::DEVICE,
                metallic::Error::Memory(_) => code::MEMORY,
                metallic::Error::Execution(_) => code::EXECUTION,
            },
        }
    }
    pub fn text(&self) -> String {
        match self {
            Failure::Argument(text) | Failure::Internal(text) => text.clone(),
            Failure::Metal(error) => error.to_string(),
        }
    }
}

impl From<metallic::Error> for Failure {
    fn from(error: metallic::Error) -> Failure {
        Failure::Metal(error)
    }
}

/// A failure as callers read it.
#[derive(Clone, Debug)]
pub struct LastError {
    pub code: i32,
    pub text: String,
}

thread_local! {
    static LAST: RefCell<Option<LastError>> = const { RefCell::new(None) };
}

/// The last error of this thread, left in place.
pub fn last_error() -> Option<LastError> {
    // A thread that is ending has no errors any more.
    LAST.try_with(|last| last.borrow().clone()).ok().flatten()
}

/// The last error of this thread, forgotten.
pub fn take_last_error() -> Option<LastError> {
    LAST.try_with(RefCell::take).ok().flatten()
}

pub fn set_last_error(error: LastError) {
    let _ = LAST.try_with(|last| last.replace(Some(error)));
}

/// Runs the body of an exported function. Failures and panics become the last error, and `failed` the result.
pub fn guard<T>(function: &str, failed: T, body: impl FnOnce() -> Result<T>) -> T {
    // What a panic may leave half done is behind locks that ignore poisoning, and handles stay valid.
    let failure = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return value,
        Ok(Err(failure)) => failure,
        Err(panic) => Failure::Internal(format!("internal error: {}", panic_text(panic))),
    };
    // What is wrong with an argument is clear only with the function whose argument it is.
    let text = match &failure {
        Failure::Metal(_) => failure.text(),
        Failure::Argument(_) | Failure::Internal(_) => format!("{function}: {}", failure.text()),
    };
    set_last_error(LastError { code: failure.code(), text });
    failed
}

/// A function that does something; false when it failed.
pub fn done(function: &str, body: impl FnOnce() -> Result<()>) -> bool {
    guard(function, false, || body().map(|()| true))
}

/// A function that makes an object; NULL when it failed.
pub fn make<T: Typed>(function: &str, body: impl FnOnce() -> Result<T>) -> Handle {
    guard(function, std::ptr::null_mut(), || handle::insert(body()?))
}

fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_string(),
        (_, Some(text)) => text.clone(),
        _ => "panic".to_string(),
    };
    // Its end could panic again, outside of the fence.
    std::mem::forget(panic);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_errors() {
        let value = guard("metal_test", 7, || panic!("lost {}", "it"));
        assert_eq!(value, 7);
        let error = take_last_error().unwrap();
        assert_eq!((error.code, error.text.as_str()), (code::INTERNAL, "metal_test: internal error: lost it"));
        assert!(take_last_error().is_none());
    }

    #[test]
    fn success_keeps_an_earlier_error() {
        assert!(!done("metal_test", || Err(Failure::argument("x is NULL"))));
        assert!(done("metal_test", || Ok(())));
        assert_eq!(last_error().unwrap().text, "metal_test: x is NULL");
        assert!(take_last_error().is_some());
    }
}

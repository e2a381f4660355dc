//! What a device reports: [`Error`] when it cannot make an object, [`Fault`] when a command failed.

use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

/// A device could not make an object.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot allocate {requested} bytes on {device}")]
    OutOfMemory { device: String, requested: u64 },
    #[error("{0}")]
    Unsupported(String),
    /// The kernel is valid, but this device cannot run it; the message names what and where.
    #[error("{message}")]
    Pipeline { message: String },
    /// The driver or the operating system failed.
    #[error("{0}")]
    Device(String),
}

/// A command failed while it ran.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Kebab-case, stable: `out-of-bounds`. Empty where there is none.
    pub id: &'static str,
    /// What happened, in one sentence.
    pub message: String,
    /// The kernel, or the label of the command.
    pub kernel: Option<String>,
    /// The argument it touched.
    pub argument: Option<String>,
    /// `file:line:column`.
    pub location: Option<Box<str>>,
    /// `thread_position_in_grid` of the thread that faulted.
    pub thread: Option<[u32; 3]>,
}

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), ..Fault::default() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(argument) = &self.argument {
            write!(f, ", argument {argument}")?;
        }
        if let Some(kernel) = &self.kernel {
            write!(f, ", in kernel {kernel}")?;
        }
        if let Some([x, y, z]) = self.thread {
            write!(f, ", thread ({x}, {y}, {z})")?;
        }
        if !self.id.is_empty() {
            write!(f, " [{}]", self.id)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

//! What can go wrong, grouped as Metal groups it.

use std::fmt;

use metallic_hal::Fault;

pub type Result<T> = std::result::Result<T, Error>;

/// See the variants. Messages name kernel, argument and reason.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The source is not valid MSL, or uses something we do not support yet.
    #[error(transparent)]
    Compile(CompileError),
    /// No such function in the library, or function constants that do not fit.
    #[error("{0}")]
    Function(String),
    /// The device cannot run this function.
    #[error("{0}")]
    Pipeline(String),
    /// Wrong use of the API, found before anything ran.
    #[error("{}", Validation(.kernel, .argument, .reason))]
    Validation { kernel: Option<String>, argument: Option<String>, reason: String },
    /// No such device, or its driver failed.
    #[error("{0}")]
    Device(String),
    /// Not enough memory.
    #[error("{0}")]
    Memory(String),
    /// A command failed while it ran.
    #[error("execution failed: {0}")]
    Execution(Fault),
}

struct Validation<'a>(&'a Option<String>, &'a Option<String>, &'a str);

impl fmt::Display for Validation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(kernel) = self.0 {
            write!(f, "kernel {kernel}: ")?;
        }
        if let Some(argument) = self.1 {
            write!(f, "argument {argument}: ")?;
        }
        f.write_str(self.2)
    }
}

impl Error {
    pub(crate) fn invalid(reason: impl Into<String>) -> Error {
        Error::Validation { kernel: None, argument: None, reason: reason.into() }
    }
}

impl From<metallic_hal::Error> for Error {
    fn from(error: metallic_hal::Error) -> Error {
        match error {
            metallic_hal::Error::OutOfMemory { .. } => Error::Memory(error.to_string()),
            metallic_hal::Error::Pipeline { message } => Error::Pipeline(message),
            metallic_hal::Error::Unsupported(message) | metallic_hal::Error::Device(message) => Error::Device(message),
        }
    }
}

/// Diagnostics, rendered for people and as data. Warnings may be among them.
#[derive(Clone, Debug)]
pub struct CompileError {
    /// All diagnostics with the source lines they point at.
    pub rendered: String,
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rendered.trim_end())
    }
}

impl std::error::Error for CompileError {}

/// One message about the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Kebab-case, stable: `unknown-identifier`.
    pub id: String,
    pub is_error: bool,
    pub message: String,
    pub place: Option<Place>,
    pub notes: Vec<DiagnosticNote>,
    pub help: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiagnosticNote {
    pub message: String,
    pub place: Option<Place>,
}

/// A range of a source file; lines and columns count from 1, columns count characters, the end is exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
}

impl From<msl::Message> for Diagnostic {
    fn from(message: msl::Message) -> Diagnostic {
        let note =
            |(place, message): (Option<msl::Place>, String)| DiagnosticNote { message, place: place.map(Place::from) };
        Diagnostic {
            id: message.id.into(),
            is_error: message.severity == msl_base::Severity::Error,
            message: message.message,
            place: message.place.map(Place::from),
            notes: message.notes.into_iter().map(note).collect(),
            help: message.help,
        }
    }
}

impl From<msl::Place> for Place {
    fn from(place: msl::Place) -> Place {
        let msl::Place { file, line, column, end_line, end_column } = place;
        Place { file, line, column, end_line, end_column }
    }
}

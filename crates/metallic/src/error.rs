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

/// A position in a source file; line and column count from 1, columns count characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
}

impl Diagnostic {
    /// Resolves a diagnostic of the compiler.
    pub fn resolve(diagnostic: &msl_base::Diagnostic, map: &msl_base::SourceMap) -> Diagnostic {
        let place = |span: msl_base::Span| {
            let location = map.location(span)?;
            Some(Place { file: location.file, line: location.line, column: location.column })
        };
        let labels =
            diagnostic.labels.iter().map(|l| DiagnosticNote { message: l.message.clone(), place: place(l.span) });
        let notes = diagnostic
            .notes
            .iter()
            .map(|n| DiagnosticNote { message: n.message.clone(), place: n.span.and_then(place) });
        Diagnostic {
            id: diagnostic.id.into(),
            is_error: diagnostic.is_error(),
            message: diagnostic.message.clone(),
            place: place(diagnostic.span),
            notes: labels.chain(notes).collect(),
            help: diagnostic.help.clone(),
        }
    }
}

//! Diagnostics with their places resolved: what a host keeps when a compilation is over.

use std::fmt;

use msl_base::{Diagnostic, Diagnostics, ExpansionId, Severity, SourceMap, Span};

use crate::json;
use crate::render::{self, Style};

/// The messages of one compilation and the texts they point into.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    source_map: SourceMap,
}

/// A place in a file, for people: lines and columns count from 1, columns count characters; the end is exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
    pub end_line: u32,
    pub end_column: u32,
}

/// One message with its places resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub id: &'static str,
    pub severity: Severity,
    pub message: String,
    /// Where the text was used: for text from a macro, the outermost call.
    pub place: Option<Place>,
    /// Second places of the same message, follow-ups, and the macros the text came through.
    pub notes: Vec<(Option<Place>, String)>,
    pub help: Option<String>,
}

impl Report {
    pub fn new(diagnostics: Diagnostics, source_map: SourceMap) -> Report {
        Report { diagnostics: diagnostics.into_vec(), source_map }
    }
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }
    pub fn source_map(&self) -> &SourceMap {
        &self.source_map
    }
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
    /// Text as a terminal shows it.
    pub fn render(&self, style: Style) -> String {
        render::render(&self.diagnostics, &self.source_map, style)
    }
    /// An array of objects, one per message.
    pub fn to_json(&self) -> String {
        json::messages(&self.messages())
    }
    pub fn messages(&self) -> Vec<Message> {
        self.diagnostics.iter().map(|d| message(d, &self.source_map)).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Style::Plain))
    }
}

/// A compilation that failed: at least one of the messages is an error.
#[derive(Clone, Debug)]
pub struct CompileError(Box<Report>);

impl CompileError {
    pub fn new(diagnostics: Diagnostics, source_map: SourceMap) -> CompileError {
        CompileError(Box::new(Report::new(diagnostics, source_map)))
    }
    pub fn report(&self) -> &Report {
        &self.0
    }
}

impl std::ops::Deref for CompileError {
    type Target = Report;
    fn deref(&self) -> &Report {
        &self.0
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

impl std::error::Error for CompileError {}

/// Where a span is spelled.
pub fn spelled_at(span: Span, map: &SourceMap) -> Option<Place> {
    if span.is_none() {
        return None;
    }
    let start = map.position(span.start)?;
    let end = map.position(span.end.max(span.start)).filter(|e| e.file == start.file).unwrap_or_else(|| start.clone());
    Some(Place { file: start.file, line: start.line, column: start.column, end_line: end.line, end_column: end.column })
}

/// A span, what used it, and so on outwards. The last is in no macro.
pub fn expansion_chain(span: Span, map: &SourceMap) -> Vec<Span> {
    let mut chain = vec![span];
    let mut current = span;
    while current.expansion != ExpansionId::NONE {
        current = map.expansion(current.expansion).call_site;
        chain.push(current);
    }
    chain
}

fn message(d: &Diagnostic, map: &SourceMap) -> Message {
    let place = |span| spelled_at(map.use_site(span), map);
    let chain = expansion_chain(d.span, map);
    let expansions = chain.iter().rev().skip(1).map(|&span| {
        let name = &map.expansion(span.expansion).macro_name;
        (spelled_at(span, map), format!("expanded from macro '{name}'"))
    });
    let labels = d.labels.iter().map(|l| (place(l.span), l.message.clone()));
    let notes = d.notes.iter().map(|n| (n.span.and_then(place), n.message.clone()));
    Message {
        id: d.id,
        severity: d.severity,
        message: d.message.clone(),
        place: place(d.span),
        notes: expansions.chain(labels).chain(notes).collect(),
        help: d.help.clone(),
    }
}

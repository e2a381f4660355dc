//! `#include`: finding the file, once-only files, the standard library's headers.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use msl_base::similar::closest;
use msl_base::{Diagnostic, Span, Symbol};

use super::engine::{Frame, Preprocessor};
use crate::lexer::{PpKind, PpToken, SPACE, lex};
use crate::token::Punct;

/// A file a provider found.
#[derive(Clone, Debug)]
pub struct IncludedFile {
    /// The resolved name: what diagnostics show, what nested includes are relative to, and what
    /// `#pragma once` goes by. Two spellings of one file should give one name.
    pub name: String,
    pub text: Arc<str>,
}

/// Where included files come from. The preprocessor itself reads nothing.
pub trait FileProvider {
    /// Finds `path` as written in a file of the resolved name `includer`; `system` for `<path>`.
    /// `Ok(None)` where there is none; `Err` where it exists and cannot be read (or is not UTF-8).
    fn read(&self, path: &str, includer: &str, system: bool) -> Result<Option<IncludedFile>, String>;

    /// The places `read` looks at, for the message when it finds nothing.
    fn searched(&self, _path: &str, _includer: &str, _system: bool) -> Vec<String> {
        Vec::new()
    }
}

/// A provider without files.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFiles;

impl FileProvider for NoFiles {
    fn read(&self, _: &str, _: &str, _: bool) -> Result<Option<IncludedFile>, String> {
        Ok(None)
    }
}

/// Files in memory, by name. A path is tried beside its includer (not for `<…>`), then as it is.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles {
    files: BTreeMap<String, Arc<str>>,
}

impl MemoryFiles {
    pub fn new() -> MemoryFiles {
        MemoryFiles::default()
    }
    pub fn insert(&mut self, name: &str, text: &str) {
        self.files.insert(normalize("", name), text.into());
    }
    fn candidates(path: &str, includer: &str, system: bool) -> Vec<String> {
        let mut names = Vec::new();
        if let (false, Some((folder, _))) = (system, includer.rsplit_once('/')) {
            names.push(normalize(folder, path));
        }
        names.push(normalize("", path));
        names
    }
}

impl FileProvider for MemoryFiles {
    fn read(&self, path: &str, includer: &str, system: bool) -> Result<Option<IncludedFile>, String> {
        let names = MemoryFiles::candidates(path, includer, system);
        let found = names.into_iter().find_map(|name| self.files.get(&name).map(|t| (name, t.clone())));
        Ok(found.map(|(name, text)| IncludedFile { name, text }))
    }
    fn searched(&self, path: &str, includer: &str, system: bool) -> Vec<String> {
        MemoryFiles::candidates(path, includer, system)
    }
}

/// Joins and removes `.` and `..` where possible, textually.
fn normalize(folder: &str, path: &str) -> String {
    let full = if folder.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("{folder}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for (i, part) in full.split('/').enumerate() {
        match part {
            "." => {}
            "" if i > 0 => {}
            ".." if parts.last().is_some_and(|p| !p.is_empty() && *p != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// A file that has been read, so that including it again costs no lexing and no new positions.
pub(crate) struct KnownFile {
    pub text: Arc<str>,
    pub tokens: Rc<Vec<PpToken>>,
}

impl Preprocessor<'_> {
    /// `#include` and `#import` (`once`), given the tokens behind the directive's name.
    pub(crate) fn include(&mut self, directive: PpToken, line: &[PpToken], once: bool) {
        let Some((path, system, span)) = self.header_name(directive, line) else { return };
        if self.is_collecting() {
            let message = "a file cannot be included inside the arguments of a macro";
            self.diagnostics.push(Diagnostic::error("include-in-macro-arguments", span, message));
            return;
        }
        let is_builtin = (self.options.is_builtin_header)(&path);
        if system && is_builtin {
            return;
        }
        let includer = self.frame_name();
        match self.provider.read(&path, &includer, system) {
            Ok(Some(found)) => self.enter_file(found, span, once),
            Ok(None) if is_builtin => {}
            Ok(None) => {
                let mut diagnostic =
                    Diagnostic::error("include-not-found", span, format!("the file '{path}' is not found"));
                if let Some(remedy) = crate::foreign::header_remedy(&path) {
                    diagnostic = diagnostic.help(remedy);
                } else if !self.diagnostics.is_full()
                    && let Some(similar) = closest(&path, self.options.header_names.iter().copied())
                {
                    diagnostic = diagnostic.help(format!("did you mean '<{similar}>'?"));
                }
                let searched = self.provider.searched(&path, &includer, system);
                if !searched.is_empty() {
                    diagnostic = diagnostic.note(format!("searched: {}", searched.join(", ")));
                }
                self.diagnostics.push(diagnostic);
            }
            Err(reason) => {
                let message = format!("the file '{path}' cannot be read: {reason}");
                self.diagnostics.push(Diagnostic::error("include-unreadable", span, message));
            }
        }
    }

    /// Whether an `#include` would find the file, for `__has_include`.
    pub(crate) fn include_exists(&self, path: &str, system: bool) -> bool {
        (self.options.is_builtin_header)(path)
            || matches!(self.provider.read(path, &self.frame_name(), system), Ok(Some(_)))
    }

    fn enter_file(&mut self, found: IncludedFile, span: Span, once: bool) {
        let name = Symbol::new(&found.name);
        if self.once.contains_key(&name) {
            return;
        }
        if once {
            self.once.insert(name, ());
        }
        if self.frames.len() > self.options.limits.includes {
            self.halt(span, "files include each other too deeply");
            return;
        }
        let tokens = match self.known_files.get(&name) {
            Some(known) if Arc::ptr_eq(&known.text, &found.text) || known.text == found.text => known.tokens.clone(),
            _ => {
                let Some(id) = self.source_map.add(&found.name, &found.text, false) else {
                    self.halt(span, "the included files are too large together");
                    return;
                };
                let file = self.source_map.file(id);
                let tokens = Rc::new(lex(&file.text, file.start, self.options.limits.tokens, self.diagnostics));
                let known = KnownFile { text: found.text, tokens: tokens.clone() };
                self.known_files.insert(name, known);
                tokens
            }
        };
        self.frames.push(Frame::new(tokens, name));
    }

    /// The path of an include, from a header name or from what macros make of the line.
    fn header_name(&mut self, directive: PpToken, line: &[PpToken]) -> Option<(String, bool, Span)> {
        if let Some(token) = line.first()
            && let PpKind::HeaderName(name) = token.kind
        {
            self.check_line_ends("#include", &line[1..]);
            return self.checked_path(name.as_str(), token.span);
        }
        let expanded = self.expand_line(line);
        let span = line.first().map_or(directive.span, |t| t.span);
        match expanded.first().map(|t| t.kind) {
            Some(PpKind::String(name)) => {
                self.check_line_ends("#include", &expanded[1..]);
                self.checked_path(name.as_str(), span)
            }
            Some(PpKind::Punct(Punct::Less)) => {
                let mut spelling = String::new();
                for token in &expanded {
                    if token.has(SPACE) && !spelling.is_empty() {
                        spelling.push(' ');
                    }
                    token.spell(&mut spelling);
                    if token.is(Punct::Greater) {
                        return self.checked_path(&spelling, span);
                    }
                }
                self.expected_header_name(span)
            }
            _ => self.expected_header_name(span),
        }
    }

    fn expected_header_name(&mut self, span: Span) -> Option<(String, bool, Span)> {
        let message = "expected \"file\" or <file>";
        self.diagnostics.push(Diagnostic::error("invalid-include", span, message));
        None
    }

    /// Takes the delimiters off.
    fn checked_path(&mut self, spelling: &str, span: Span) -> Option<(String, bool, Span)> {
        let inner = spelling.get(1..spelling.len().saturating_sub(1)).unwrap_or("").trim();
        if inner.is_empty() {
            self.diagnostics.push(Diagnostic::error("invalid-include", span, "the file name is empty"));
            return None;
        }
        Some((inner.to_owned(), spelling.starts_with('<'), span))
    }
}

//! Diagnostics as text for a terminal, in the form that editors know from other compilers:
//! `file:line:column: error: message [id]`, the line, and a mark under the range.
//!
//! Out: text ending in a newline, the same for the same input. Not here: deciding whether a terminal shows color.

use std::fmt::Write;

use msl_base::{Diagnostic, Severity, SourceMap, Span};

use crate::report::expansion_chain;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Style {
    #[default]
    Plain,
    /// With ANSI escapes.
    Color,
}

/// A line longer than this is shown in part.
const MAX_WIDTH: usize = 160;
const TAB: usize = 4;
/// Macros within macros beyond this are counted, not shown.
const MAX_EXPANSIONS: usize = 6;

pub fn render(diagnostics: &[Diagnostic], map: &SourceMap, style: Style) -> String {
    let mut r = Renderer { out: String::new(), map, style };
    for d in diagnostics {
        r.diagnostic(d);
    }
    r.summary(diagnostics);
    r.out
}

struct Renderer<'m> {
    out: String,
    map: &'m SourceMap,
    style: Style,
}

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const MAGENTA: &str = "\x1b[1;35m";
const CYAN: &str = "\x1b[1;36m";
const GREEN: &str = "\x1b[1;32m";
const RESET: &str = "\x1b[0m";

impl Renderer<'_> {
    fn paint(&self, color: &str, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Color => format!("{color}{text}{RESET}"),
        }
    }

    fn diagnostic(&mut self, d: &Diagnostic) {
        let chain = expansion_chain(d.span, self.map);
        let (word, color) = match d.severity {
            Severity::Error => ("error", RED),
            Severity::Warning => ("warning", MAGENTA),
        };
        let site = chain.last().copied().unwrap_or(d.span);
        let message = format!("{} [{}]", self.paint(BOLD, &d.message), d.id);
        self.headline(site, word, color, &message);
        self.snippet(site, color);
        if let Some(help) = &d.help {
            let _ = writeln!(self.out, "      = {} {help}", self.paint(CYAN, "help:"));
        }
        let inner = &chain[..chain.len() - 1];
        for &span in inner.iter().rev().take(MAX_EXPANSIONS) {
            let name = &self.map.expansion(span.expansion).macro_name;
            self.note(Some(span), &format!("expanded from macro '{name}'"));
        }
        if inner.len() > MAX_EXPANSIONS {
            self.note(None, &format!("and {} more macros inside", inner.len() - MAX_EXPANSIONS));
        }
        for label in &d.labels {
            self.note(Some(self.map.use_site(label.span)), &label.message);
        }
        for note in &d.notes {
            self.note(note.span.map(|s| self.map.use_site(s)), &note.message);
        }
    }

    fn note(&mut self, span: Option<Span>, message: &str) {
        let span = span.unwrap_or(Span::NONE);
        self.headline(span, "note", CYAN, message);
        // Lines of the standard library say little to who has not written them.
        if self.map.file_at(span.start).is_some_and(|f| !f.is_builtin) {
            self.snippet(span, GREEN);
        }
    }

    fn headline(&mut self, span: Span, word: &str, color: &str, message: &str) {
        if let Some(at) = self.map.position(span.start) {
            let place = format!("{}:{}:{}:", at.file, at.line, at.column);
            let _ = write!(self.out, "{} ", self.paint(BOLD, &place));
        }
        let _ = writeln!(self.out, "{} {message}", self.paint(color, &format!("{word}:")));
    }

    /// The line a span starts on, with a mark under the part that it covers.
    fn snippet(&mut self, span: Span, color: &str) {
        if span.is_none() {
            return;
        }
        let (Some(file), Some(at)) = (self.map.file_at(span.start), self.map.position(span.start)) else { return };
        let offset = (span.start - file.start) as usize;
        let Some(before) = file.text.get(..offset) else { return };
        let start = before.rfind('\n').map_or(0, |i| i + 1);
        let end = file.text[offset..].find('\n').map_or(file.text.len(), |i| offset + i);
        let mut line = file.text.get(start..end).unwrap_or("");
        line = line.strip_suffix('\r').unwrap_or(line);
        let to = (span.end.saturating_sub(file.start) as usize).clamp(offset, end.max(offset));
        let mut from_column = width(&line[..(offset - start).min(line.len())]);
        let to_text = file.text.get(offset..to).unwrap_or("");
        let mut marked = width_from(to_text.trim_end(), from_column).max(1);
        let mut shown: Vec<char> = expand_tabs(line);
        let mut left = "";
        if shown.len() > MAX_WIDTH {
            // A window that shows the start of the range and some of what stands before it.
            let begin = from_column.saturating_sub(MAX_WIDTH / 3).min(shown.len());
            let finish = (begin + MAX_WIDTH).min(shown.len());
            shown = shown[begin..finish].to_vec();
            from_column -= begin;
            if begin > 0 {
                left = "…";
                from_column += 1;
            }
        }
        let text: String = shown.iter().collect();
        marked = marked.min((text.chars().count() + 1).saturating_sub(from_column).max(1));
        let mark = format!("^{}", "~".repeat(marked - 1));
        let _ = writeln!(self.out, "{:>5} | {left}{text}", at.line);
        let _ = writeln!(self.out, "      | {}{}", " ".repeat(from_column), self.paint(color, &mark));
    }

    fn summary(&mut self, diagnostics: &[Diagnostic]) {
        let errors = diagnostics.iter().filter(|d| d.is_error()).count();
        let warnings = diagnostics.len() - errors;
        if errors + warnings < 2 {
            return;
        }
        let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let text = match (errors, warnings) {
            (e, 0) => count(e, "error"),
            (0, w) => count(w, "warning"),
            (e, w) => format!("{} and {}", count(w, "warning"), count(e, "error")),
        };
        let _ = writeln!(self.out, "{text} generated");
    }
}

/// A line as shown: tabs are spaces, other control characters a visible stand-in.
fn expand_tabs(line: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(line.len());
    for c in line.chars() {
        match c {
            '\t' => out.extend(std::iter::repeat_n(' ', TAB - out.len() % TAB)),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

fn width(text: &str) -> usize {
    expand_tabs(text).len()
}

/// Width of text that starts at a column.
fn width_from(text: &str, column: usize) -> usize {
    let mut end = column;
    for c in text.chars() {
        end += if c == '\t' { TAB - end % TAB } else { 1 };
    }
    end - column
}

#[cfg(test)]
mod tests {
    use super::*;
    use msl_base::Expansion;

    #[test]
    fn a_range_is_marked_under_its_line_with_notes_and_help() {
        let mut map = SourceMap::new();
        map.add("a.metal", "kernel void f() {\n\tint x = y + 1;\n}\n", false).unwrap();
        let span = Span::new(28, 29);
        let d = Diagnostic::error("unknown-identifier", span, "use of undeclared identifier 'y'")
            .note_at(Span::new(1, 7), "in this kernel")
            .help("declare it first");
        let expected = "\
a.metal:2:10: error: use of undeclared identifier 'y' [unknown-identifier]
    2 |     int x = y + 1;
      |             ^
      = help: declare it first
a.metal:1:1: note: in this kernel
    1 | kernel void f() {
      | ^~~~~~
";
        assert_eq!(render(std::slice::from_ref(&d), &map, Style::Plain), expected);
        assert!(render(&[d], &map, Style::Color).contains("\x1b[1;31merror:\x1b[0m"));
    }

    #[test]
    fn text_from_a_macro_is_reported_at_the_call_and_then_in_the_definition() {
        let mut map = SourceMap::new();
        map.add("a.metal", "#define F(x) x+z\nF(1)", false).unwrap();
        let call_site = Span::new(18, 22);
        let id = map.add_expansion(Expansion { macro_name: "F".into(), call_site, definition: Span::new(9, 10) });
        let span = Span { start: 16, end: 17, expansion: id };
        let text = render(&[Diagnostic::error("e", span, "wrong")], &map, Style::Plain);
        let expected = "\
a.metal:2:1: error: wrong [e]
    2 | F(1)
      | ^~~~
a.metal:1:16: note: expanded from macro 'F'
    1 | #define F(x) x+z
      |                ^
";
        assert_eq!(text, expected);
    }

    #[test]
    fn long_lines_and_places_that_do_not_exist_do_no_harm() {
        let mut map = SourceMap::new();
        map.add("long.metal", &format!("{}é{}", "x".repeat(500), "y".repeat(500)), false).unwrap();
        let text = render(&[Diagnostic::error("e", Span::new(500, 900), "m")], &map, Style::Plain);
        assert!(text.lines().all(|l| l.chars().count() < 200), "{text}");
        // In the middle of a character, and beyond the end.
        for span in [Span::new(502, 503), Span::new(5000, 5001), Span::new(1000, 1), Span::NONE] {
            render(&[Diagnostic::error("e", span, "m")], &map, Style::Plain);
        }
    }
}

//! Directives and conditional groups. C++ [cpp], [cpp.cond], [cpp.line], [cpp.error].

use msl_base::similar::closest;
use msl_base::{Diagnostic, Symbol};

use super::engine::{Conditional, Preprocessor};
use crate::lexer::{LINE_START, PpKind, PpToken};
use crate::token::{IntegerBase, Punct, TokenKind};

const DIRECTIVES: &[&str] = &[
    "define", "elif", "elifdef", "elifndef", "else", "endif", "error", "if", "ifdef", "ifndef", "import", "include",
    "line", "pragma", "undef", "warning",
];

impl Preprocessor<'_> {
    /// Carries out the directive whose `#` has just been read. A pragma may leave a token.
    pub(crate) fn directive(&mut self, hash: PpToken) -> Option<PpToken> {
        let frame = self.frames.last_mut()?;
        let tokens = frame.tokens.clone();
        let begin = frame.pos;
        let end = frame.line_end();
        frame.pos = end;
        if !self.spend(end - begin + 1, hash.span) {
            return None;
        }
        // An empty directive does nothing.
        let name_token = *tokens[begin..end].first()?;
        let line = &tokens[begin + 1..end];
        let name = match name_token.kind {
            PpKind::Identifier(name) => name.as_str(),
            // `# 12 "file"` is what other preprocessors leave behind.
            PpKind::Number(_) => {
                self.line(name_token, &tokens[begin..end]);
                return None;
            }
            _ => {
                let message = "expected the name of a directive after '#'";
                self.diagnostics.push(Diagnostic::error("unknown-directive", name_token.span, message));
                return None;
            }
        };
        match name {
            "define" => self.define(name_token, line),
            "undef" => self.undefine(name_token, line),
            "include" | "include_next" => self.include(name_token, line, false),
            "import" => self.include(name_token, line, true),
            "if" | "ifdef" | "ifndef" => {
                let taken = self.condition(name, name_token, line);
                let conditional = Conditional { span: hash.span.to(name_token.span), taken, else_span: None };
                if let Some(frame) = self.frames.last_mut() {
                    frame.conditionals.push(conditional);
                }
                if !taken {
                    self.skip_groups();
                }
            }
            "elif" | "elifdef" | "elifndef" | "else" => {
                if self.next_group(name, name_token, line) {
                    self.skip_groups();
                }
            }
            "endif" => self.endif(name_token, line),
            "line" => self.line(name_token, line),
            "pragma" => return self.pragma(hash, line),
            "error" | "warning" => self.message(name == "error", name_token, line),
            // Left by other tools; nothing to us.
            "ident" | "sccs" | "assert" | "unassert" => {}
            _ => {
                let message = format!("'#{name}' is not a directive");
                let mut diagnostic = Diagnostic::error("unknown-directive", name_token.span, message);
                if !self.diagnostics.is_full()
                    && let Some(similar) = closest(name, DIRECTIVES.iter().copied())
                {
                    diagnostic = diagnostic.help(format!("did you mean '#{similar}'?"));
                }
                self.diagnostics.push(diagnostic);
            }
        }
        None
    }

    /// Evaluates the condition of an `#if`, `#elif` or one of their `def` forms.
    fn condition(&mut self, name: &str, name_token: PpToken, line: &[PpToken]) -> bool {
        let wanted = match name {
            "if" | "elif" => return self.evaluate_condition(name_token, line),
            "ifdef" | "elifdef" => true,
            _ => false,
        };
        let Some(macro_token) = self.macro_name(name_token, line) else { return false };
        self.check_line_ends(&format!("#{name}"), &line[1..]);
        let defined = macro_token.identifier().is_some_and(|n| self.table.get(n).is_some());
        defined == wanted
    }

    /// An `#elif` or `#else` met while its group's predecessor was processed or skipped. Returns whether the
    /// group behind it is to be skipped.
    fn next_group(&mut self, name: &str, name_token: PpToken, line: &[PpToken]) -> bool {
        let Some(conditional) = self.frames.last_mut().and_then(|f| f.conditionals.last_mut()) else {
            let message = format!("'#{name}' without an '#if'");
            self.diagnostics.push(Diagnostic::error("unmatched-conditional", name_token.span, message));
            return false;
        };
        let taken = conditional.taken;
        let opening = conditional.span;
        if let Some(else_span) = conditional.else_span {
            let message = format!("'#{name}' after the '#else' of its '#if'");
            let diagnostic = Diagnostic::error("unmatched-conditional", name_token.span, message)
                .note_at(else_span, "the '#else' is here")
                .note_at(opening, "the condition starts here");
            self.diagnostics.push(diagnostic);
            return true;
        }
        if name == "else" {
            conditional.else_span = Some(name_token.span);
            conditional.taken = true;
            self.check_line_ends("#else", line);
            return taken;
        }
        // The condition of a group that cannot be taken is not even looked at.
        if taken {
            return true;
        }
        let holds = self.condition(name, name_token, line);
        if let Some(conditional) = self.frames.last_mut().and_then(|f| f.conditionals.last_mut()) {
            conditional.taken = holds;
        }
        !holds
    }

    fn endif(&mut self, name_token: PpToken, line: &[PpToken]) {
        self.check_line_ends("#endif", line);
        if self.frames.last_mut().and_then(|f| f.conditionals.pop()).is_none() {
            let message = "'#endif' without an '#if'";
            self.diagnostics.push(Diagnostic::error("unmatched-conditional", name_token.span, message));
        }
    }

    /// Skips to the group that is to be processed, or behind the `#endif`.
    fn skip_groups(&mut self) {
        let mut depth = 0usize;
        loop {
            let Some(frame) = self.frames.last_mut() else { return };
            let tokens = frame.tokens.clone();
            let begin = frame.pos;
            let rest = &tokens[begin..];
            let is_directive = |t: &PpToken| t.is_eof() || (t.has(LINE_START) && t.is(Punct::Hash));
            let hash = begin + rest.iter().position(is_directive).unwrap_or(rest.len() - 1);
            if tokens[hash].is_eof() {
                frame.pos = hash;
                return;
            }
            frame.pos = hash + 1;
            let end = frame.line_end();
            frame.pos = end;
            if !self.spend(end - begin, tokens[hash].span) {
                return;
            }
            let Some(name_token) = tokens[hash + 1..end].first().copied() else { continue };
            let Some(name) = name_token.identifier() else { continue };
            let line = &tokens[hash + 2..end];
            match name.as_str() {
                "if" | "ifdef" | "ifndef" => depth += 1,
                "endif" if depth > 0 => depth -= 1,
                "endif" => {
                    self.endif(name_token, line);
                    return;
                }
                name @ ("elif" | "elifdef" | "elifndef" | "else")
                    if depth == 0 && !self.next_group(name, name_token, line) =>
                {
                    return;
                }
                _ => {}
            }
        }
    }

    /// `#line number ["name"]`.
    fn line(&mut self, directive: PpToken, line: &[PpToken]) {
        let expanded = self.expand_line(line);
        let number = match expanded.first().map(|t| t.kind) {
            Some(PpKind::Number(spelling)) => match super::literal::parse_number(spelling.as_str()) {
                Ok(TokenKind::Integer(literal))
                    if matches!(literal.base, IntegerBase::Decimal | IntegerBase::Octal) =>
                {
                    // `#line 010` is line ten.
                    spelling.as_str().parse::<i64>().ok().filter(|n| *n <= i64::from(i32::MAX))
                }
                _ => None,
            },
            _ => None,
        };
        let name = match expanded.get(1).map(|t| t.kind) {
            Some(PpKind::String(spelling)) => Some(spelling),
            None => None,
            Some(_) => {
                let message = "'#line' takes a line number and a file name in quotes";
                self.diagnostics.push(Diagnostic::error("invalid-line", directive.span, message));
                return;
            }
        };
        let Some(number) = number else {
            let message = "'#line' needs a line number";
            self.diagnostics.push(Diagnostic::error("invalid-line", directive.span, message));
            return;
        };
        let here = self.source_map.position(directive.span.start).map_or(0, |l| i64::from(l.line));
        if let Some(frame) = self.frames.last_mut() {
            frame.line_offset = number - (here + 1);
            if let Some(name) = name {
                let text = name.as_str();
                frame.presumed_name = Symbol::new(text.get(1..text.len() - 1).unwrap_or(""));
            }
        }
    }

    /// `#error` and `#warning`.
    fn message(&mut self, is_error: bool, directive: PpToken, line: &[PpToken]) {
        let text = match (line.first(), line.last()) {
            (Some(first), Some(last)) => self.source_map.text(first.span.to(last.span)).trim().to_owned(),
            _ => String::new(),
        };
        let span = directive.span.to(line.last().map_or(directive.span, |t| t.span));
        self.diagnostics.push(if is_error {
            let message = if text.is_empty() { "'#error'".to_owned() } else { text };
            Diagnostic::error("error-directive", span, message)
        } else {
            let message = if text.is_empty() { "'#warning'".to_owned() } else { text };
            Diagnostic::warning("warning-directive", span, message)
        });
    }

    /// Warns about what follows a complete directive.
    pub(crate) fn check_line_ends(&mut self, directive: &str, rest: &[PpToken]) {
        if let (Some(first), Some(last)) = (rest.first(), rest.last()) {
            let message = format!("this text after '{directive}' is ignored");
            let diagnostic = Diagnostic::warning("extra-tokens-after-directive", first.span.to(last.span), message);
            self.diagnostics.push(diagnostic.help("make it a comment"));
        }
    }
}

//! Errors and how parsing goes on after them.
//!
//! Promised: one message per mistake, at the place where the reader would correct it (a missing `;` is reported
//! after the token it should follow), and a position from which the next statement or declaration can be read.
//! Nothing here steps over a `}` that closes an enclosing block.

use msl_base::{Diagnostic, Span};

use super::{NO_MATCH, Parser};
use crate::token::{Kw, Punct, TokenKind};

impl Parser<'_> {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        if self.error_at == Some(self.pos) && diagnostic.is_error() {
            return;
        }
        if diagnostic.is_error() {
            self.error_at = Some(self.pos);
        }
        self.diagnostics.push(diagnostic);
    }
    pub(super) fn error(&mut self, id: &'static str, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(id, span, message));
    }
    pub(super) fn error_here(&mut self, id: &'static str, message: impl Into<String>) {
        let span = self.span();
        self.error(id, span, message);
    }
    /// Something C++ has and MSL has not. Parsing goes on as C++ would, so it does not count as the one error of
    /// this token.
    pub(super) fn not_in_msl(&mut self, span: Span, what: &str, help: &str) {
        let mut diagnostic = Diagnostic::error("not-in-msl", span, format!("the Metal Shading Language has no {what}"));
        if !help.is_empty() {
            diagnostic = diagnostic.help(help);
        }
        self.diagnostics.push(diagnostic);
    }

    /// At `concept` or `requires`.
    pub(super) fn no_concepts(&mut self) {
        let help = "constrain the template by 'enable_if_t', a specialization or 'if constexpr'";
        self.not_in_msl(self.span(), "concepts, which are C++20", help);
    }

    /// The empty place after the last token.
    pub(super) fn after_previous(&self) -> Span {
        let p = self.prev_span;
        if p.is_none() { self.span() } else { Span { start: p.end, end: p.end, expansion: p.expansion } }
    }

    /// `;`, or a message after the previous token. `after` says what ended: "expression", "declaration".
    pub(super) fn expect_semicolon(&mut self, after: &str) {
        if self.eat(Punct::Semi) {
            return;
        }
        let place = self.after_previous();
        self.report(
            Diagnostic::error("expected-semicolon", place, format!("expected ';' after this {after}"))
                .help("insert ';' here"),
        );
        // What follows on a new line is most likely a new statement; the rest of this line is not.
        if !self.at_resumable() {
            self.skip_to_statement_end();
        }
    }

    /// Whether a new statement or declaration plausibly starts at this token.
    fn at_resumable(&self) -> bool {
        let token = self.cur();
        match token.kind {
            TokenKind::Eof | TokenKind::Pragma(_) => true,
            TokenKind::Punct(p) => {
                matches!(p, Punct::RBrace | Punct::LBrace) && (token.at_line_start || p == Punct::RBrace)
            }
            TokenKind::Keyword(k) => token.at_line_start || starts_statement(k),
            _ => token.at_line_start,
        }
    }

    /// Skips to after the next `;`, or to a `}` that closes the enclosing block, or to a keyword at the start of a
    /// line that begins a statement. Whole bracket pairs are skipped at once.
    pub(super) fn skip_to_statement_end(&mut self) {
        let start = self.pos;
        loop {
            let token = *self.cur();
            match token.kind {
                TokenKind::Eof => return,
                TokenKind::Punct(Punct::Semi) => {
                    self.bump();
                    return;
                }
                TokenKind::Punct(Punct::RBrace) => return,
                TokenKind::Punct(Punct::LBrace) => {
                    self.skip_brackets();
                    // A body ends what it belongs to, unless the text goes on as an expression would.
                    let goes_on = matches!(
                        self.kind(),
                        TokenKind::Punct(Punct::Semi | Punct::Comma | Punct::RParen | Punct::RBracket)
                    );
                    if !goes_on {
                        return;
                    }
                }
                TokenKind::Punct(Punct::LParen | Punct::LBracket) => self.skip_brackets(),
                TokenKind::Keyword(k) if token.at_line_start && self.pos > start && starts_statement(k) => return,
                _ => {
                    self.bump();
                }
            }
        }
    }

    /// Steps over a bracket pair, or over the bracket alone where it has no partner.
    pub(super) fn skip_brackets(&mut self) {
        match self.matching[self.pos] {
            NO_MATCH => {
                self.bump();
            }
            close => {
                self.pos = close as usize;
                self.bump();
            }
        }
    }

    /// The closing bracket that belongs to the opener at token `open`. After a message, skips to it where it exists.
    pub(super) fn expect_close(&mut self, open: usize, close: Punct) -> bool {
        if self.eat(close) {
            return true;
        }
        let opener = self.tokens[open].span;
        let place = if self.cur().is_eof() || self.cur().at_line_start { self.after_previous() } else { self.span() };
        self.report(
            Diagnostic::error("expected-closing-bracket", place, format!("expected '{close}'"))
                .note_at(opener, format!("to match this '{}'", self.tokens[open])),
        );
        if let Some(partner) = self.reachable_partner(open, close) {
            self.pos = partner;
            self.bump();
        }
        false
    }

    /// The partner of an opener that is worth skipping to. A `;` says that the bracket was forgotten and whatever
    /// closes it belongs to something else, unless all is on one line.
    fn reachable_partner(&self, open: usize, close: Punct) -> Option<usize> {
        let partner = self.matching[open];
        if partner == NO_MATCH || (partner as usize) < self.pos {
            return None;
        }
        let partner = partner as usize;
        let is_on_one_line = || !self.tokens[self.pos..=partner].iter().any(|t| t.at_line_start);
        let may = !self.at(Punct::Semi) || (close == Punct::RParen && is_on_one_line());
        may.then_some(partner)
    }

    /// A token that must stand here; stays in front of whatever stands there instead.
    pub(super) fn expect(&mut self, punct: Punct, context: &str) -> bool {
        if self.eat(punct) {
            return true;
        }
        self.error_here("expected-token", format!("expected '{punct}' {context}"));
        false
    }
}

/// Keywords that begin a statement or declaration and never continue an expression.
pub(super) fn starts_statement(keyword: Kw) -> bool {
    matches!(
        keyword,
        Kw::If
            | Kw::For
            | Kw::While
            | Kw::Do
            | Kw::Return
            | Kw::Break
            | Kw::Continue
            | Kw::Switch
            | Kw::Case
            | Kw::Default
            | Kw::Kernel
            | Kw::Vertex
            | Kw::Fragment
            | Kw::Template
            | Kw::Namespace
            | Kw::Using
            | Kw::Typedef
            | Kw::Struct
            | Kw::Static
            | Kw::Constexpr
            | Kw::StaticAssert
    )
}

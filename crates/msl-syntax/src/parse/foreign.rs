//! Words of other kernel languages where a declaration or statement begins: they are named, and left out.
//!
//! What to write instead is in [`crate::foreign`]. Names that the program declared are its own.

use msl_base::{Diagnostic, Symbol};

use super::Parser;
use super::lookahead::At;
use crate::foreign::{is_mark, remedy};
use crate::token::{Kw, Punct, TokenKind};

impl Parser<'_> {
    fn foreign_word(&self, at: At) -> Option<Symbol> {
        match self.kind_at(at) {
            TokenKind::Identifier(name) if self.lookup(name).is_none() => Some(name),
            _ => None,
        }
    }

    /// Whether a word stands here as `__shared__` does in `__shared__ float x`.
    pub(super) fn is_foreign_mark(&self, at: At) -> bool {
        let Some(name) = self.foreign_word(at) else { return false };
        is_mark(name.as_str())
            && match self.kind_at(at.next()) {
                TokenKind::Identifier(_) | TokenKind::Keyword(_) => true,
                TokenKind::Punct(Punct::LParen) => name == "__launch_bounds__",
                _ => false,
            }
    }

    pub(super) fn skip_foreign_mark(&mut self) {
        let (span, text) = (self.span(), self.source.text(self.span()).to_owned());
        self.bump();
        if self.at(Punct::LParen) {
            self.skip_brackets();
        }
        let mut d = Diagnostic::error("unknown-identifier", span, format!("'{text}' is not declared"));
        if let Some(remedy) = remedy(&text) {
            d = d.help(remedy);
        }
        self.diagnostics.push(d);
    }

    /// `layout(…) …`, `cbuffer name {…}`, `precision highp float;`: as a whole. Returns whether it was one.
    pub(super) fn skip_foreign_declaration(&mut self) -> bool {
        let Some(name) = self.foreign_word(At::new(self.pos)) else { return false };
        let is_foreign = match name.as_str() {
            "layout" => self.peek_is(1, Punct::LParen),
            "cbuffer" | "tbuffer" | "precision" => matches!(self.peek(1).kind, TokenKind::Identifier(_)),
            _ => false,
        };
        if is_foreign {
            let help = remedy(name.as_str()).unwrap_or_default();
            self.not_in_msl(self.span(), &format!("'{name}'"), &help);
            self.skip_to_statement_end();
            // The name behind the braces of a block in GLSL.
            if matches!(self.kind(), TokenKind::Identifier(_)) && self.peek_is(1, Punct::Semi) {
                self.bump();
            }
            self.eat(Punct::Semi);
        }
        is_foreign
    }

    /// An attribute in single brackets, `[numthreads(64, 1, 1)]` or `[unroll]`. Returns whether it was one.
    pub(super) fn skip_foreign_attribute(&mut self) -> bool {
        // A capture of a lambda is a name of the program.
        let Some(name) = self.foreign_word(At::new(self.pos + 1)) else { return false };
        let follows = match name.as_str() {
            "numthreads" => true,
            "unroll" | "loop" | "branch" | "flatten" | "fastopt" | "allow_uav_condition" => {
                self.after_brackets(At::new(self.pos)).is_some_and(|at| {
                    matches!(self.kind_at(at), TokenKind::Keyword(Kw::For | Kw::While | Kw::Do | Kw::If | Kw::Switch))
                })
            }
            _ => false,
        };
        let is_foreign = follows && self.at(Punct::LBracket);
        if is_foreign {
            let start = self.span();
            self.skip_brackets();
            let help = remedy(name.as_str()).unwrap_or_default();
            self.not_in_msl(self.since(start), &format!("attribute '[{name}]'"), &help);
        }
        is_foreign
    }

    /// A semantic of HLSL behind a name, `: register(t0)` or `: SV_GroupID`.
    pub(super) fn skip_foreign_semantic(&mut self) {
        if !self.at(Punct::Colon) {
            return;
        }
        let span = self.peek(1).span;
        let text = self.source.text(span).to_owned();
        let is_place = matches!(text.as_str(), "register" | "packoffset") && self.peek_is(2, Punct::LParen);
        if !is_place && !text.starts_with("SV_") {
            return;
        }
        self.bump();
        self.bump();
        if is_place {
            self.skip_brackets();
        }
        let help = remedy(&text).unwrap_or_default();
        self.not_in_msl(span, "semantics after names", &help);
    }
}

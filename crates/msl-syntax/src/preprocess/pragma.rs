//! Pragmas: the few that mean something, `_Pragma`, and silence about the rest.
//! MSL specification, chapters 1.5.3 and 1.6.3 (`#pragma METAL fp`), and Clang's loop hints.

use msl_base::{Diagnostic, Diagnostics, Symbol};

use super::engine::Preprocessor;
use super::literal::parse_number;
use crate::lexer::{LINE_START, PpKind, PpToken, SPACE, lex};
use crate::token::{ContractMode, MathMode, PackPragma, Pragma, Punct, TokenKind, UnrollHint};

impl Preprocessor<'_> {
    /// Carries out a pragma, given the tokens behind `#pragma`. Those for the parser leave a token.
    pub(crate) fn pragma(&mut self, hash: PpToken, line: &[PpToken]) -> Option<PpToken> {
        let first = *line.first()?;
        let span = hash.span.to(line.last().map_or(first.span, |t| t.span));
        let second = word(line.get(1));
        let pragma = match (word(Some(&first)), second) {
            ("once", _) => {
                self.pragma_once(first);
                None
            }
            ("unroll", _) => Some(Pragma::Unroll(self.unroll_count(&line[1..]))),
            ("GCC", "unroll") => Some(Pragma::Unroll(self.unroll_count(&line[2..]))),
            ("pack", _) => self.pack(first, &line[1..]).map(Pragma::Pack),
            ("nounroll", _) => Some(Pragma::Unroll(UnrollHint::Disable)),
            ("clang", "loop") => self.clang_loop(&line[2..]).map(Pragma::Unroll),
            ("METAL" | "clang", "fp") => self.floating_point(&line[2..]),
            ("STDC", "FP_CONTRACT") => match word(line.get(2)) {
                "ON" | "DEFAULT" => Some(Pragma::Contract(ContractMode::On)),
                "OFF" => Some(Pragma::Contract(ContractMode::Off)),
                _ => None,
            },
            ("message", _) => {
                self.pragma_message(false, first, &line[1..]);
                None
            }
            ("GCC" | "clang", "error" | "warning") => {
                self.pragma_message(second == "error", first, &line[2..]);
                None
            }
            ("push_macro" | "pop_macro", _) => {
                self.saved_macro(first, line);
                None
            }
            _ => None,
        }?;
        Some(PpToken { kind: PpKind::Pragma(pragma), span, flags: LINE_START })
    }

    /// `_Pragma("…")`, whose first word has been read.
    pub(crate) fn pragma_operator(&mut self, word: PpToken) -> Option<PpToken> {
        let open = self.next_is_paren();
        let mut string = None;
        let mut closed = false;
        if open {
            self.next_raw();
            let token = self.next_expanded();
            if let PpKind::String(spelling) = token.kind {
                string = Some((spelling, token));
                closed = self.next_expanded().is(Punct::RParen);
            }
        }
        let Some((spelling, token)) = string.filter(|_| closed) else {
            let message = "'_Pragma' takes a string in parentheses";
            self.diagnostics.push(Diagnostic::error("invalid-pragma-operator", word.span, message));
            return None;
        };
        let text = spelling.as_str();
        let text = text.get(1..text.len() - 1).unwrap_or("").replace("\\\"", "\"").replace("\\\\", "\\");
        let mut tokens = lex(&text, 0, self.options.limits.tokens, &mut Diagnostics::new());
        tokens.pop();
        for inner in &mut tokens {
            inner.span = token.span;
            inner.flags &= !LINE_START;
        }
        let mut pragma = self.pragma(word, &tokens)?;
        pragma.span = word.span.to(token.span);
        pragma.flags |= word.flags & SPACE;
        Some(pragma)
    }

    fn pragma_once(&mut self, token: PpToken) {
        if self.frames.len() == 1 {
            let message = "'#pragma once' means nothing in a file that is not included";
            self.diagnostics.push(Diagnostic::warning("pragma-once-in-main-file", token.span, message));
        } else if let Some(frame) = self.frames.last() {
            self.once.insert(frame.name, ());
        }
    }

    /// `unroll`, `unroll N`, `unroll(N)`. A count that is no number is left to the optimizer.
    /// `(n)`, `()`, `(push)`, `(push, n)`, `(pop)`.
    fn pack(&mut self, first: PpToken, line: &[PpToken]) -> Option<PackPragma> {
        let expanded = self.expand_line(line);
        let inner = match &expanded[..] {
            [open, inner @ .., close] if open.is(Punct::LParen) && close.is(Punct::RParen) => inner,
            _ => {
                let message = "expected '(n)', '(push, n)' or '(pop)' after '#pragma pack'";
                self.diagnostics.push(Diagnostic::warning("ignored-pragma", first.span, message));
                return None;
            }
        };
        let number = |token: &PpToken| match token.kind {
            PpKind::Number(spelling) => match parse_number(spelling.as_str()) {
                Ok(TokenKind::Integer(n)) if matches!(n.value, 0 | 1 | 2 | 4 | 8 | 16) => Some(n.value as u32),
                _ => None,
            },
            _ => None,
        };
        let found = match inner {
            [] => Some(PackPragma::Set(0)),
            [only] if word(Some(only)) == "push" => Some(PackPragma::Push(None)),
            [only] if word(Some(only)) == "pop" => Some(PackPragma::Pop),
            [only] => number(only).map(PackPragma::Set),
            [push, comma, n] if word(Some(push)) == "push" && comma.is(Punct::Comma) => {
                number(n).map(|n| PackPragma::Push(Some(n)))
            }
            _ => None,
        };
        if found.is_none() {
            let message = "'#pragma pack' takes 1, 2, 4, 8 or 16, 'push' or 'pop'; this one is ignored";
            self.diagnostics.push(Diagnostic::warning("ignored-pragma", first.span, message));
        }
        found
    }

    fn unroll_count(&mut self, line: &[PpToken]) -> UnrollHint {
        let expanded = self.expand_line(line);
        let mut tokens = expanded.as_slice();
        while let [open, inner @ .., close] = tokens
            && open.is(Punct::LParen)
            && close.is(Punct::RParen)
        {
            tokens = inner;
        }
        match tokens {
            [token] => match token.kind {
                PpKind::Number(spelling) => match parse_number(spelling.as_str()) {
                    Ok(TokenKind::Integer(literal)) => match literal.value {
                        // Clang reads 0 and 1 as "do not".
                        0 | 1 => UnrollHint::Disable,
                        count => UnrollHint::Count(u32::try_from(count).unwrap_or(u32::MAX)),
                    },
                    _ => UnrollHint::Enable,
                },
                PpKind::Identifier(name) if name == "full" => UnrollHint::Full,
                PpKind::Identifier(name) if name == "disable" => UnrollHint::Disable,
                _ => UnrollHint::Enable,
            },
            _ => UnrollHint::Enable,
        }
    }

    /// `#pragma clang loop option(value) …`. Options that are not about unrolling are hints we do not take.
    fn clang_loop(&mut self, line: &[PpToken]) -> Option<UnrollHint> {
        let mut hint = None;
        let mut rest = line;
        while let Some((option, inner, after)) = option(rest) {
            match option.as_str() {
                "unroll" | "unroll_count" => hint = Some(self.unroll_count(inner)),
                _ => {}
            }
            rest = after;
        }
        hint
    }

    fn floating_point(&mut self, line: &[PpToken]) -> Option<Pragma> {
        let (option, inner, _) = option(line)?;
        let value = word(inner.first());
        let pragma = match (option.as_str(), value) {
            ("math_mode", "fast") => Pragma::MathMode(MathMode::Fast),
            ("math_mode", "relaxed") => Pragma::MathMode(MathMode::Relaxed),
            ("math_mode", "safe") => Pragma::MathMode(MathMode::Safe),
            ("contract", "off") => Pragma::Contract(ContractMode::Off),
            ("contract", "on") => Pragma::Contract(ContractMode::On),
            ("contract", "fast") => Pragma::Contract(ContractMode::Fast),
            ("math_mode", _) => return self.unknown_mode(inner, line, "'fast', 'relaxed' or 'safe'"),
            ("contract", _) => return self.unknown_mode(inner, line, "'off', 'on' or 'fast'"),
            _ => return None,
        };
        Some(pragma)
    }

    fn unknown_mode(&mut self, inner: &[PpToken], line: &[PpToken], known: &str) -> Option<Pragma> {
        let token = inner.first().or(line.first())?;
        let message = format!("expected {known}; the pragma is ignored");
        self.diagnostics.push(Diagnostic::warning("unknown-pragma-argument", token.span, message));
        None
    }

    fn pragma_message(&mut self, is_error: bool, name: PpToken, line: &[PpToken]) {
        let expanded = self.expand_line(line);
        let mut text = String::new();
        for token in &expanded {
            if let PpKind::String(spelling) = token.kind {
                let spelling = spelling.as_str();
                text.push_str(&spelling.get(1..spelling.len() - 1).unwrap_or("").replace("\\\"", "\""));
            }
        }
        self.diagnostics.push(if is_error {
            Diagnostic::error("error-directive", name.span, text)
        } else {
            Diagnostic::warning("warning-directive", name.span, text)
        });
    }

    /// `push_macro("NAME")` and `pop_macro("NAME")`.
    fn saved_macro(&mut self, pragma: PpToken, line: &[PpToken]) {
        let Some((option, inner, _)) = option(line) else { return };
        let Some(PpKind::String(spelling)) = inner.first().map(|t| t.kind) else {
            let message = format!("'{option}' takes the name of a macro in quotes");
            self.diagnostics.push(Diagnostic::warning("unknown-pragma-argument", pragma.span, message));
            return;
        };
        let text = spelling.as_str();
        let name = Symbol::new(text.get(1..text.len() - 1).unwrap_or(""));
        if option == "push_macro" {
            let definition = self.table.get(name).cloned();
            self.saved_macros.entry(name).or_default().push(definition);
        } else if let Some(saved) = self.saved_macros.get_mut(&name).and_then(Vec::pop) {
            match saved {
                Some(definition) => self.table.insert(definition),
                None => self.table.remove(name),
            };
        }
    }
}

fn word(token: Option<&PpToken>) -> &'static str {
    token.and_then(PpToken::identifier).map_or("", Symbol::as_str)
}

/// Takes `name(…)` off the front: the name, what is between the parentheses, what follows.
fn option(line: &[PpToken]) -> Option<(Symbol, &[PpToken], &[PpToken])> {
    let name = line.first()?.identifier()?;
    if !line.get(1)?.is(Punct::LParen) {
        return None;
    }
    let mut depth = 0usize;
    for (i, token) in line.iter().enumerate().skip(1) {
        match token.kind {
            PpKind::Punct(Punct::LParen) => depth += 1,
            PpKind::Punct(Punct::RParen) if depth == 1 => return Some((name, &line[2..i], &line[i + 1..])),
            PpKind::Punct(Punct::RParen) => depth -= 1,
            _ => {}
        }
    }
    None
}

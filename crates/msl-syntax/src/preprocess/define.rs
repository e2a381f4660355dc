//! `#define` and `#undef`: reading and analyzing definitions. C++ [cpp.replace].

use std::sync::Arc;

use msl_base::{Diagnostic, FxMap, Span, Symbol};

use super::engine::Preprocessor;
use super::expand::NAMES;
use super::table::{Macro, MacroKind, Piece};
use crate::lexer::{LINE_START, PpKind, PpToken, SPACE};
use crate::token::Punct;

/// The parameters of the macro being defined.
struct Params {
    names: Vec<Symbol>,
    index: FxMap<Symbol, usize>,
    variadic: bool,
}

impl Preprocessor<'_> {
    pub(crate) fn define(&mut self, directive: PpToken, line: &[PpToken]) {
        let Some(name_token) = self.macro_name(directive, line) else { return };
        let Some(name) = name_token.identifier() else { return };
        let is_function = line.get(1).is_some_and(|t| t.is(Punct::LParen) && !t.has(SPACE));
        let (kind, body) = if is_function {
            let Some((params, length)) = self.define_params(line) else { return };
            let body = replacement(&line[length..]);
            let Some(pieces) = self.analyze(&body, Some(&params), false) else { return };
            (MacroKind::Function { params: params.names.into(), variadic: params.variadic, pieces }, body)
        } else {
            let body = replacement(&line[1..]);
            if body.iter().any(|t| t.is(Punct::HashHash)) {
                let Some(pieces) = self.analyze(&body, None, false) else { return };
                (MacroKind::ObjectPieces(pieces), body)
            } else {
                (MacroKind::Object, body)
            }
        };
        let definition = Macro { name, definition: name_token.span, is_builtin: self.in_predefined, kind, body };
        if let Some(old) = self.table.get(name)
            && !self.in_predefined
            && !old.same_as(&definition)
        {
            let old = old.clone();
            self.warn_changed(name_token, &old, "redefined");
        }
        self.table.insert(Arc::new(definition));
    }

    pub(crate) fn undefine(&mut self, directive: PpToken, line: &[PpToken]) {
        let Some(name_token) = self.macro_name(directive, line) else { return };
        self.check_line_ends("#undef", &line[1..]);
        let Some(name) = name_token.identifier() else { return };
        if let Some(old) = self.table.remove(name)
            && old.is_builtin
            && !self.in_predefined
        {
            self.warn_changed(name_token, &old, "undefined");
        }
    }

    fn warn_changed(&mut self, name: PpToken, old: &Macro, what: &str) {
        let diagnostic = if old.is_builtin {
            let message = format!("the predefined macro '{}' is {what}", old.name);
            Diagnostic::warning("builtin-macro-redefined", name.span, message)
        } else {
            let message = format!("macro '{}' is {what} with a different replacement", old.name);
            Diagnostic::warning("macro-redefined", name.span, message)
                .note_at(old.definition, "the previous definition is here")
                .help(format!("write '#undef {}' before the new definition", old.name))
        };
        self.diagnostics.push(diagnostic);
    }

    /// The name at the start of a directive's line, where a macro is to be named.
    pub(crate) fn macro_name(&mut self, directive: PpToken, line: &[PpToken]) -> Option<PpToken> {
        let Some(token) = line.first() else {
            self.diagnostics.push(Diagnostic::error("invalid-macro-name", directive.span, "a macro name is missing"));
            return None;
        };
        match token.kind {
            PpKind::Identifier(name) if name == NAMES.defined || name == NAMES.va_args || name == NAMES.va_opt => {
                let message = format!("'{name}' cannot be used as a macro name");
                self.diagnostics.push(Diagnostic::error("invalid-macro-name", token.span, message));
                None
            }
            PpKind::Identifier(_) => Some(*token),
            _ => {
                let message = "a macro name must be an identifier";
                self.diagnostics.push(Diagnostic::error("invalid-macro-name", token.span, message));
                None
            }
        }
    }

    /// Parameters from `NAME(` to `)`, and how many tokens of the line that is.
    fn define_params(&mut self, line: &[PpToken]) -> Option<(Params, usize)> {
        let mut params = Params { names: Vec::new(), index: FxMap::default(), variadic: false };
        let mut pos = 2;
        let fail = |this: &mut Self, pos: usize, message: &str| {
            let token = line.get(pos).or(line.last());
            let span = token.map_or(Span::NONE, |t| t.span);
            this.diagnostics.push(Diagnostic::error("invalid-macro-parameters", span, message));
            None
        };
        if line.get(pos).is_some_and(|t| t.is(Punct::RParen)) {
            return Some((params, pos + 1));
        }
        loop {
            let name = match line.get(pos).map(|t| t.kind) {
                Some(PpKind::Identifier(name)) if name == NAMES.va_args || name == NAMES.va_opt => {
                    return fail(self, pos, "this name is reserved and cannot be a parameter");
                }
                Some(PpKind::Identifier(name)) => name,
                Some(PpKind::Punct(Punct::Ellipsis)) => {
                    params.variadic = true;
                    NAMES.va_args
                }
                Some(_) => return fail(self, pos, "expected a parameter name or '...'"),
                None => return fail(self, pos, "the list of parameters has no closing parenthesis"),
            };
            if params.index.insert(name, params.names.len()).is_some() {
                return fail(self, pos, "this parameter name is used twice");
            }
            params.names.push(name);
            pos += 1;
            if !params.variadic && line.get(pos).is_some_and(|t| t.is(Punct::Ellipsis)) {
                params.variadic = true;
                pos += 1;
            }
            match line.get(pos).map(|t| t.kind) {
                Some(PpKind::Punct(Punct::RParen)) => return Some((params, pos + 1)),
                Some(PpKind::Punct(Punct::Comma)) if !params.variadic => pos += 1,
                Some(_) if params.variadic => return fail(self, pos, "expected ')' after '...'"),
                Some(_) => return fail(self, pos, "expected ',' or ')' in the list of parameters"),
                None => return fail(self, pos, "the list of parameters has no closing parenthesis"),
            }
        }
    }

    /// Turns a replacement list into pieces. Object-like macros have no `params`.
    fn analyze(&mut self, body: &[PpToken], params: Option<&Params>, in_va_opt: bool) -> Option<Box<[Piece]>> {
        let mut pieces = Vec::with_capacity(body.len());
        if let (Some(first), Some(last)) = (body.first(), body.last()) {
            for (token, place) in [(first, "start"), (last, "end")] {
                if token.is(Punct::HashHash) {
                    let message = format!("'##' cannot stand at the {place} of a replacement");
                    self.diagnostics.push(Diagnostic::error("misplaced-paste", token.span, message));
                    return None;
                }
            }
        }
        let mut pos = 0;
        while let Some(token) = body.get(pos) {
            pos += 1;
            let beside_paste = matches!(pieces.last(), Some(Piece::Paste(_)));
            match (token.kind, params) {
                (PpKind::Punct(Punct::HashHash), _) => {
                    // A second `##` in a row would have no left operand of its own.
                    if !beside_paste {
                        pieces.push(Piece::Paste(*token));
                    }
                }
                (PpKind::Punct(Punct::Hash), Some(params)) => {
                    let next = body.get(pos).and_then(PpToken::identifier);
                    if let Some(index) = next.and_then(|n| params.index.get(&n)) {
                        let span = token.span.to(body[pos].span);
                        pieces.push(Piece::Stringize { index: *index, token: PpToken { span, ..*token } });
                        pos += 1;
                    } else if next == Some(NAMES.va_opt) && params.variadic && !in_va_opt {
                        pos += 1;
                        pieces.push(self.va_opt(body, &mut pos, *token, params, true)?);
                    } else {
                        let message = "'#' must be followed by a parameter of the macro";
                        self.diagnostics.push(Diagnostic::error("misplaced-stringize", token.span, message));
                        return None;
                    }
                }
                (PpKind::Identifier(name), Some(params)) if name == NAMES.va_opt && params.variadic => {
                    if in_va_opt {
                        let message = "'__VA_OPT__' cannot stand inside another";
                        self.diagnostics.push(Diagnostic::error("invalid-va-opt", token.span, message));
                        return None;
                    }
                    pieces.push(self.va_opt(body, &mut pos, *token, params, false)?);
                }
                (PpKind::Identifier(name), params) => {
                    let index = params.and_then(|p| p.index.get(&name));
                    if let Some(index) = index {
                        let raw = beside_paste || body.get(pos).is_some_and(|t| t.is(Punct::HashHash));
                        pieces.push(Piece::Param { index: *index, token: *token, raw });
                    } else {
                        if name == NAMES.va_args {
                            let message = "'__VA_ARGS__' means nothing in a macro without '...'";
                            self.diagnostics.push(Diagnostic::warning("misplaced-va-args", token.span, message));
                        }
                        pieces.push(Piece::Token(*token));
                    }
                }
                _ => pieces.push(Piece::Token(*token)),
            }
        }
        Some(pieces.into())
    }

    /// `(…)` behind a `__VA_OPT__`; `pos` goes behind it.
    fn va_opt(
        &mut self,
        body: &[PpToken],
        pos: &mut usize,
        token: PpToken,
        params: &Params,
        stringize: bool,
    ) -> Option<Piece> {
        let begin = *pos + 1;
        let mut depth = 0usize;
        let mut end = None;
        for (i, token) in body.iter().enumerate().skip(*pos) {
            match token.kind {
                PpKind::Punct(Punct::LParen) => depth += 1,
                PpKind::Punct(Punct::RParen) if depth == 1 => {
                    end = Some(i);
                    break;
                }
                PpKind::Punct(Punct::RParen) => depth = depth.saturating_sub(1),
                // The parenthesis must follow at once.
                _ if depth == 0 => break,
                _ => {}
            }
        }
        let Some(end) = end.filter(|end| *end >= begin) else {
            let message = "'__VA_OPT__' must be followed by text in parentheses";
            self.diagnostics.push(Diagnostic::error("invalid-va-opt", token.span, message));
            return None;
        };
        *pos = end + 1;
        let pieces = self.analyze(&body[begin..end], Some(params), true)?;
        Some(Piece::VaOpt { pieces, token, stringize })
    }
}

/// The replacement list; white space in front of it does not belong to it.
fn replacement(tokens: &[PpToken]) -> Box<[PpToken]> {
    let mut body: Box<[PpToken]> = tokens.into();
    if let Some(first) = body.first_mut() {
        first.flags &= !(SPACE | LINE_START);
    }
    body
}

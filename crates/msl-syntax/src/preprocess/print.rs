//! Tokens back to text, for `emit --stage pp`.

use std::fmt::Write;

use crate::token::{Punct, Token, TokenKind};

/// The tokens as MSL. Lines break where they did; reading the text again gives the same tokens
/// (but for a stray `#` at the very start, which no macro can hide from the preprocessor).
pub fn print_tokens(tokens: &[Token]) -> String {
    let mut out = String::with_capacity(tokens.len() * 4);
    let mut previous: Option<TokenKind> = None;
    for token in tokens {
        if token.is_eof() {
            break;
        }
        let is_pragma = matches!(token.kind, TokenKind::Pragma(_));
        let after_pragma = matches!(previous, Some(TokenKind::Pragma(_)));
        // A `#` at the start of a line would read as a directive.
        let breaks = (token.at_line_start && !token.is(Punct::Hash)) || is_pragma || after_pragma;
        if previous.is_some() {
            if breaks {
                out.push('\n');
            } else if token.has_space_before || glues(previous, token.kind) {
                out.push(' ');
            }
        }
        let _ = write!(out, "{token}");
        previous = Some(token.kind);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// Whether two tokens without a space between them would read as something else.
fn glues(previous: Option<TokenKind>, next: TokenKind) -> bool {
    let Some(previous) = previous else { return false };
    match (previous, next) {
        (TokenKind::Punct(a), TokenKind::Punct(b)) => {
            let mut joined = a.as_str().to_owned();
            joined.extend(b.as_str().chars().take(1));
            // `..` is the beginning of `...` without being an operator itself.
            joined == "//" || joined == "/*" || joined == ".." || Punct::ALL.iter().any(|p| p.as_str() == joined)
        }
        (TokenKind::Punct(a), b) => a == Punct::Dot && is_number(b),
        (a, TokenKind::Punct(b)) => is_number(a) && (b.as_str().starts_with(['.', '+', '-'])),
        // Words, numbers and literals: a prefix before a quote would change the literal.
        (TokenKind::String(_) | TokenKind::Char(_), TokenKind::String(_) | TokenKind::Char(_)) => false,
        _ => true,
    }
}

fn is_number(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::Integer(_) | TokenKind::Float(_))
}

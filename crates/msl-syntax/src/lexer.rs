//! Characters to preprocessing tokens (C++ translation phases 2 and 3).
//!
//! In: the text of one file. Out: its preprocessing tokens, the last one `Eof`.
//! Promised: linear time, total, no per-token allocation (names are interned symbols); line
//! splices vanish inside any token; comments count as white space.
//! Not here: keywords, literal values and complaints about characters that may still turn out
//! to stand in a skipped group; those belong to [`crate::preprocess`]. Digraphs, trigraphs and
//! universal character names are not MSL practice and are left out.

use msl_base::{Diagnostic, Diagnostics, FxMap, Span, Symbol};

use crate::token::{Pragma, Punct};

/// A preprocessing token. The span's expansion says which macro it came through.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PpToken {
    pub kind: PpKind,
    pub span: Span,
    pub flags: u8,
}

/// First token of its logical line.
pub const LINE_START: u8 = 1;
/// White space or a comment before it on its line.
pub const SPACE: u8 = 2;
/// An identifier that named a macro while that macro was being expanded: never expanded again.
pub const NO_EXPAND: u8 = 4;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PpKind {
    Identifier(Symbol),
    /// A preprocessing number: anything that starts like a number.
    Number(Symbol),
    /// A character literal as written, with its quotes.
    Char(Symbol),
    /// A string literal as written, with its quotes. Raw strings appear with escapes instead.
    String(Symbol),
    /// The file name of an `#include` with its delimiters.
    HeaderName(Symbol),
    Punct(Punct),
    /// A quote without its partner, together with the rest of its line.
    Unterminated(char),
    /// A character that starts no token.
    Stray(char),
    Pragma(Pragma),
    /// Stands for an empty argument beside `##`; never leaves macro substitution.
    Placemarker,
    Eof,
}

impl PpToken {
    pub fn is(&self, punct: Punct) -> bool {
        self.kind == PpKind::Punct(punct)
    }
    pub fn is_eof(&self) -> bool {
        self.kind == PpKind::Eof
    }
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }
    pub fn identifier(&self) -> Option<Symbol> {
        match self.kind {
            PpKind::Identifier(name) => Some(name),
            _ => None,
        }
    }
    /// Appends the characters of the token, as `#` and `##` see them.
    pub fn spell(&self, out: &mut String) {
        match self.kind {
            PpKind::Identifier(s) | PpKind::Number(s) | PpKind::Char(s) | PpKind::String(s) | PpKind::HeaderName(s) => {
                out.push_str(s.as_str())
            }
            PpKind::Punct(p) => out.push_str(p.as_str()),
            PpKind::Unterminated(c) | PpKind::Stray(c) => out.push(c),
            PpKind::Pragma(_) | PpKind::Placemarker | PpKind::Eof => {}
        }
    }
}

/// Splits `text` into tokens. `start` is the global position of its first byte. Stops with an
/// error after `limit` tokens.
pub fn lex(text: &str, start: u32, limit: usize, diagnostics: &mut Diagnostics) -> Vec<PpToken> {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        start,
        pos: 0,
        names: FxMap::default(),
        tokens: Vec::with_capacity((text.len() / 4).min(limit) + 1),
    };
    lexer.run(limit, diagnostics);
    lexer.tokens
}

/// The one token that `text` spells, for the results of `##`.
pub fn lex_single(text: &str) -> Option<PpKind> {
    let first = *text.as_bytes().first()?;
    if (CLASS[first as usize] & IDENTIFIER_START != 0 || first >= 0x80) && text.chars().all(is_identifier_char) {
        return Some(PpKind::Identifier(Symbol::new(text)));
    }
    if let Some(punct) = Punct::ALL.iter().find(|p| p.as_str() == text) {
        return Some(PpKind::Punct(*punct));
    }
    if matches!(first, b'0'..=b'9' | b'.' | b'"' | b'\'') {
        let tokens = lex(text, 0, 4, &mut Diagnostics::new());
        if let [token, eof] = tokens.as_slice() {
            return (eof.is_eof() && !matches!(token.kind, PpKind::Unterminated(_))).then_some(token.kind);
        }
    }
    None
}

/// Appends `text` to `out` with `\` and `"` escaped, as inside a string literal.
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' | '"' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            _ => out.push(c),
        }
    }
}

pub fn is_identifier_char(c: char) -> bool {
    c == '_' || if c.is_ascii() { c.is_ascii_alphanumeric() } else { c.is_alphanumeric() }
}

const IDENTIFIER_START: u8 = 1;
const IDENTIFIER: u8 = 2;
const DIGIT: u8 = 4;
const BLANK: u8 = 8;

static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        table[i] = match i as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => IDENTIFIER_START | IDENTIFIER,
            b'0'..=b'9' => IDENTIFIER | DIGIT,
            b' ' | b'\t' | b'\r' | 0x0b | 0x0c => BLANK,
            _ => 0,
        };
        i += 1;
    }
    table
};

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    start: u32,
    pos: usize,
    /// Spares the process-wide symbol table a look-up per occurrence.
    names: FxMap<&'a str, Symbol>,
    tokens: Vec<PpToken>,
}

/// How far the line has come on its way to being an `#include`.
#[derive(PartialEq)]
enum Directive {
    No,
    Hash,
    Include,
}

impl<'a> Lexer<'a> {
    fn run(&mut self, limit: usize, diagnostics: &mut Diagnostics) {
        let includes = ["include", "include_next", "import"].map(Symbol::new);
        if self.text.starts_with('\u{feff}') {
            self.pos = 3;
        }
        let mut flags = LINE_START;
        let mut directive = Directive::No;
        while let Some(&byte) = self.bytes.get(self.pos) {
            let class = CLASS[byte as usize];
            if class & BLANK != 0 {
                self.pos += 1;
                flags |= SPACE;
                continue;
            }
            let begin = self.pos;
            let kind = match byte {
                b'\n' => {
                    self.pos += 1;
                    flags = LINE_START;
                    continue;
                }
                b'\\' => match self.splice_end(begin) {
                    Some(end) => {
                        self.pos = end;
                        continue;
                    }
                    None => self.stray(),
                },
                b'/' if self.skip_comment(diagnostics) => {
                    flags |= SPACE;
                    continue;
                }
                b'<' | b'"' if directive == Directive::Include && flags & LINE_START == 0 => {
                    self.header_name(byte).unwrap_or_else(|| self.other(byte))
                }
                _ if class & IDENTIFIER_START != 0 => self.identifier(),
                _ => self.other(byte),
            };
            directive = match kind {
                PpKind::Punct(Punct::Hash) if flags & LINE_START != 0 => Directive::Hash,
                PpKind::Identifier(name)
                    if directive == Directive::Hash && flags & LINE_START == 0 && includes.contains(&name) =>
                {
                    Directive::Include
                }
                _ => Directive::No,
            };
            let span = self.span(begin, self.pos);
            if self.tokens.len() >= limit {
                diagnostics.push(Diagnostic::error("preprocessor-limit", span, "the file has too many tokens"));
                break;
            }
            self.tokens.push(PpToken { kind, span, flags });
            flags = 0;
        }
        let span = self.span(self.bytes.len(), self.bytes.len());
        self.tokens.push(PpToken { kind: PpKind::Eof, span, flags: LINE_START });
    }

    fn span(&self, begin: usize, end: usize) -> Span {
        Span::new(self.start + begin as u32, self.start + end as u32)
    }

    fn intern(&mut self, text: &'a str) -> Symbol {
        *self.names.entry(text).or_insert_with(|| Symbol::new(text))
    }

    /// The position after a backslash and the line end behind it. Clang lets blanks stand between.
    fn splice_end(&self, pos: usize) -> Option<usize> {
        if self.bytes.get(pos) != Some(&b'\\') {
            return None;
        }
        let rest = &self.bytes[pos + 1..];
        let blanks = rest.iter().take_while(|b| CLASS[**b as usize] & BLANK != 0).count();
        (rest.get(blanks) == Some(&b'\n')).then_some(pos + 2 + blanks)
    }

    fn skip_splices(&self, mut pos: usize) -> usize {
        while let Some(end) = self.splice_end(pos) {
            pos = end;
        }
        pos
    }

    /// The next byte at or after `pos` that is not part of a splice, and its position; 0 at the end.
    fn peek(&self, pos: usize) -> (u8, usize) {
        match self.bytes.get(pos) {
            Some(b'\\') => {
                let pos = self.skip_splices(pos);
                (self.bytes.get(pos).copied().unwrap_or(0), pos)
            }
            Some(&byte) => (byte, pos),
            None => (0, pos),
        }
    }

    fn stray(&mut self) -> PpKind {
        let c = self.text[self.pos..].chars().next().unwrap_or('\0');
        self.pos += c.len_utf8();
        PpKind::Stray(c)
    }

    /// Skips a comment at `pos`, where a slash stands. A comment that never ends takes the rest of the file.
    fn skip_comment(&mut self, diagnostics: &mut Diagnostics) -> bool {
        let begin = self.pos;
        let (next, mut pos) = self.peek(begin + 1);
        match next {
            b'/' => loop {
                let line = &self.bytes[pos..];
                let Some(end) = line.iter().position(|b| *b == b'\n') else {
                    self.pos = self.bytes.len();
                    return true;
                };
                let last = line[..end].iter().rposition(|b| CLASS[*b as usize] & BLANK == 0);
                if last.is_none_or(|last| line[last] != b'\\') {
                    self.pos = pos + end;
                    return true;
                }
                pos += end + 1;
            },
            b'*' => {
                pos += 1;
                loop {
                    let Some(star) = self.bytes[pos..].iter().position(|b| *b == b'*') else {
                        let message = "this comment is never closed";
                        diagnostics.push(
                            Diagnostic::error("unterminated-comment", self.span(begin, begin + 2), message)
                                .help("close it with '*/'"),
                        );
                        self.pos = self.bytes.len();
                        return true;
                    };
                    pos += star + 1;
                    let (slash, at) = self.peek(pos);
                    if slash == b'/' {
                        self.pos = at + 1;
                        return true;
                    }
                }
            }
            _ => false,
        }
    }

    fn identifier(&mut self) -> PpKind {
        let begin = self.pos;
        let mut end = begin;
        while self.bytes.get(end).is_some_and(|b| CLASS[*b as usize] & IDENTIFIER != 0) {
            end += 1;
        }
        let name = match self.bytes.get(end) {
            Some(b'"') if &self.text[begin..end] == "R" => {
                if let Some(kind) = self.raw_string(end) {
                    return kind;
                }
                self.intern(&self.text[begin..end])
            }
            // Every text is UTF-8 here.
            Some(quote @ (b'"' | b'\'')) if &self.text[begin..end] == "u8" => {
                self.pos = end;
                return self.quoted(*quote);
            }
            Some(b'\\' | 0x80..) => {
                let spelling = self.slow(begin, &mut end, |_, c| is_identifier_char(c));
                Symbol::new(&spelling)
            }
            _ => self.intern(&self.text[begin..end]),
        };
        self.pos = end;
        PpKind::Identifier(name)
    }

    /// Collects characters from `begin` past splices while `accept` takes them, given what came before.
    fn slow(&self, begin: usize, end: &mut usize, accept: impl Fn(&str, char) -> bool) -> String {
        let mut spelling = String::new();
        let mut pos = begin;
        loop {
            let at = self.skip_splices(pos);
            match self.text[at..].chars().next() {
                Some(c) if accept(&spelling, c) => {
                    spelling.push(c);
                    pos = at + c.len_utf8();
                }
                _ => break,
            }
        }
        *end = pos;
        spelling
    }

    fn without_splices(&self, begin: usize, end: usize) -> String {
        let mut spelling = String::new();
        let mut pos = begin;
        while pos < end {
            let at = self.skip_splices(pos).min(end);
            let Some(c) = self.text[at..end].chars().next() else { break };
            spelling.push(c);
            pos = at + c.len_utf8();
        }
        spelling
    }

    fn number(&mut self) -> PpKind {
        let begin = self.pos;
        let mut end = begin + 1;
        loop {
            let previous = self.bytes[end - 1];
            match self.bytes.get(end) {
                Some(b'+' | b'-') if matches!(previous, b'e' | b'E' | b'p' | b'P') => end += 1,
                Some(b'\'') if self.bytes.get(end + 1).is_some_and(|b| CLASS[*b as usize] & IDENTIFIER != 0) => {
                    end += 2;
                }
                Some(b) if *b == b'.' || CLASS[*b as usize] & IDENTIFIER != 0 => end += 1,
                _ => break,
            }
        }
        let name = if self.splice_end(end).is_some() {
            let spelling = self.slow(begin, &mut end, |before, c| match c {
                '+' | '-' => before.ends_with(['e', 'E', 'p', 'P']),
                _ => c == '.' || c == '_' || c.is_ascii_alphanumeric(),
            });
            Symbol::new(&spelling)
        } else {
            self.intern(&self.text[begin..end])
        };
        self.pos = end;
        PpKind::Number(name)
    }

    /// A string or character literal, escapes left as they are.
    fn quoted(&mut self, quote: u8) -> PpKind {
        let begin = self.pos;
        let mut pos = begin + 1;
        let mut spliced = false;
        let name = loop {
            match self.bytes.get(pos) {
                Some(b'\\') => match self.splice_end(pos) {
                    Some(end) => {
                        spliced = true;
                        pos = end;
                    }
                    // The escaped character may itself stand behind a splice.
                    None => {
                        let at = self.skip_splices(pos + 1);
                        spliced |= at != pos + 1;
                        pos = if self.bytes.get(at).is_none_or(|b| *b == b'\n') { at } else { at + 1 };
                    }
                },
                None | Some(b'\n') => {
                    self.pos = pos;
                    return PpKind::Unterminated(quote as char);
                }
                Some(b) if *b == quote => {
                    pos += 1;
                    break if spliced {
                        let spelling = self.without_splices(begin, pos);
                        Symbol::new(&spelling)
                    } else {
                        self.intern(&self.text[begin..pos])
                    };
                }
                Some(_) => pos += 1,
            }
        };
        self.pos = pos;
        if quote == b'"' { PpKind::String(name) } else { PpKind::Char(name) }
    }

    /// `R"delimiter(…)delimiter"`, where `quote` is the position of the quote.
    fn raw_string(&mut self, quote: usize) -> Option<PpKind> {
        let rest = &self.text[quote + 1..];
        let open = rest.bytes().take(17).position(|b| b == b'(')?;
        let delimiter = &rest[..open];
        if delimiter.contains([' ', ')', '\\', '\t', '\n', '"']) {
            return None;
        }
        let closing = format!("){delimiter}\"");
        let Some(length) = rest[open + 1..].find(&closing) else {
            let line = rest.find('\n').unwrap_or(rest.len());
            self.pos = quote + 1 + line;
            return Some(PpKind::Unterminated('"'));
        };
        let mut spelling = String::from("\"");
        escape(&rest[open + 1..open + 1 + length], &mut spelling);
        spelling.push('"');
        self.pos = quote + 1 + open + 1 + length + closing.len();
        Some(PpKind::String(Symbol::new(&spelling)))
    }

    fn header_name(&mut self, open: u8) -> Option<PpKind> {
        let close = if open == b'<' { b'>' } else { b'"' };
        let rest = &self.bytes[self.pos + 1..];
        let length = rest.iter().position(|b| *b == close || *b == b'\n').filter(|i| rest[*i] == close)?;
        let begin = self.pos;
        self.pos += length + 2;
        let name = self.intern(&self.text[begin..self.pos]);
        Some(PpKind::HeaderName(name))
    }

    /// Everything that does not start with an ASCII letter.
    fn other(&mut self, byte: u8) -> PpKind {
        match byte {
            b'0'..=b'9' => self.number(),
            b'.' if CLASS[self.peek(self.pos + 1).0 as usize] & DIGIT != 0 => self.number(),
            b'"' | b'\'' => self.quoted(byte),
            0x80.. => {
                let c = self.text[self.pos..].chars().next().unwrap_or('\0');
                if !c.is_alphabetic() {
                    return self.stray();
                }
                let begin = self.pos;
                let mut end = begin;
                let spelling = self.slow(begin, &mut end, |_, c| is_identifier_char(c));
                self.pos = end;
                PpKind::Identifier(Symbol::new(&spelling))
            }
            _ => match self.punct(byte) {
                Some(punct) => PpKind::Punct(punct),
                None => self.stray(),
            },
        }
    }

    fn punct(&mut self, first: u8) -> Option<Punct> {
        let (second, at2) = self.peek(self.pos + 1);
        let one = self.pos + 1;
        let two = at2 + 1;
        // The third character matters to a few operators only.
        let third = || self.peek(two);
        let (punct, end) = match (first, second) {
            (b'{', _) => (Punct::LBrace, one),
            (b'}', _) => (Punct::RBrace, one),
            (b'[', _) => (Punct::LBracket, one),
            (b']', _) => (Punct::RBracket, one),
            (b'(', _) => (Punct::LParen, one),
            (b')', _) => (Punct::RParen, one),
            (b';', _) => (Punct::Semi, one),
            (b',', _) => (Punct::Comma, one),
            (b'?', _) => (Punct::Question, one),
            (b'~', _) => (Punct::Tilde, one),
            (b':', b':') => (Punct::ColonColon, two),
            (b':', b'>') => (Punct::RBracket, two),
            (b':', _) => (Punct::Colon, one),
            (b'.', b'*') => (Punct::DotStar, two),
            (b'.', b'.') if third().0 == b'.' => (Punct::Ellipsis, third().1 + 1),
            (b'.', _) => (Punct::Dot, one),
            (b'-', b'>') if third().0 == b'*' => (Punct::ArrowStar, third().1 + 1),
            (b'-', b'>') => (Punct::Arrow, two),
            (b'-', b'-') => (Punct::MinusMinus, two),
            (b'-', b'=') => (Punct::MinusEq, two),
            (b'-', _) => (Punct::Minus, one),
            (b'+', b'+') => (Punct::PlusPlus, two),
            (b'+', b'=') => (Punct::PlusEq, two),
            (b'+', _) => (Punct::Plus, one),
            (b'*', b'=') => (Punct::StarEq, two),
            (b'*', _) => (Punct::Star, one),
            (b'/', b'=') => (Punct::SlashEq, two),
            (b'/', _) => (Punct::Slash, one),
            (b'%', b'>') => (Punct::RBrace, two),
            (b'%', b':') => match third() {
                (b'%', at) if self.peek(at + 1).0 == b':' => (Punct::HashHash, self.peek(at + 1).1 + 1),
                _ => (Punct::Hash, two),
            },
            (b'%', b'=') => (Punct::PercentEq, two),
            (b'%', _) => (Punct::Percent, one),
            (b'^', b'=') => (Punct::CaretEq, two),
            (b'^', _) => (Punct::Caret, one),
            (b'&', b'&') => (Punct::AmpAmp, two),
            (b'&', b'=') => (Punct::AmpEq, two),
            (b'&', _) => (Punct::Amp, one),
            (b'|', b'|') => (Punct::PipePipe, two),
            (b'|', b'=') => (Punct::PipeEq, two),
            (b'|', _) => (Punct::Pipe, one),
            (b'!', b'=') => (Punct::BangEq, two),
            (b'!', _) => (Punct::Bang, one),
            (b'=', b'=') => (Punct::EqEq, two),
            (b'=', _) => (Punct::Eq, one),
            // `<:` is `[`, but `vec<::metal::x>` begins a list of arguments.
            (b'<', b':') if third().0 == b':' && !matches!(self.peek(third().1 + 1).0, b':' | b'>') => {
                (Punct::Less, one)
            }
            (b'<', b':') => (Punct::LBracket, two),
            (b'<', b'%') => (Punct::LBrace, two),
            (b'<', b'<') if third().0 == b'=' => (Punct::LessLessEq, third().1 + 1),
            (b'<', b'<') => (Punct::LessLess, two),
            (b'<', b'=') => (Punct::LessEq, two),
            (b'<', _) => (Punct::Less, one),
            (b'>', b'>') if third().0 == b'=' => (Punct::GreaterGreaterEq, third().1 + 1),
            (b'>', b'>') => (Punct::GreaterGreater, two),
            (b'>', b'=') => (Punct::GreaterEq, two),
            (b'>', _) => (Punct::Greater, one),
            (b'#', b'#') => (Punct::HashHash, two),
            (b'#', _) => (Punct::Hash, one),
            _ => return None,
        };
        self.pos = end;
        Some(punct)
    }
}

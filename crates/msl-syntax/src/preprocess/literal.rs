//! Preprocessing tokens to tokens: keywords, numbers, characters, strings.
//! C++ [lex.key], [lex.literal]; MSL specification, chapter 2.1 (suffixes `h` and `bf`).

use msl_base::{Diagnostic, Diagnostics, FxMap, Span, Symbol};

use crate::lexer::{PpKind, PpToken};
use crate::token::{FloatLiteral, FloatSuffix, IntegerBase, IntegerLiteral, IntegerSuffix, Kw, Punct, TokenKind};

/// Converts tokens and remembers what names and numbers came to.
#[derive(Default)]
pub(crate) struct Literals {
    known: FxMap<Symbol, TokenKind>,
}

/// What is wrong with a number, without its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NumberError {
    id: &'static str,
    message: String,
    help: Option<String>,
}

impl NumberError {
    fn new(id: &'static str, message: impl Into<String>) -> NumberError {
        NumberError { id, message: message.into(), help: None }
    }
    pub fn at(self, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::error(self.id, span, self.message);
        match self.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

impl Literals {
    /// The token for the parser; `None` after a complaint where nothing can stand for it.
    pub fn convert(&mut self, token: &PpToken, diagnostics: &mut Diagnostics) -> Option<TokenKind> {
        Some(match token.kind {
            PpKind::Identifier(name) => *self.known.entry(name).or_insert_with(|| word(name)),
            PpKind::Number(spelling) => {
                if let Some(kind) = self.known.get(&spelling) {
                    return Some(*kind);
                }
                match parse_number(spelling.as_str()) {
                    Ok(kind) => {
                        if matches!(kind, TokenKind::Float(f) if f.value.is_infinite()) {
                            let message = "this number is too large and becomes infinity";
                            diagnostics.push(Diagnostic::warning("float-overflow", token.span, message));
                        }
                        self.known.insert(spelling, kind);
                        kind
                    }
                    Err(error) => {
                        diagnostics.push(error.at(token.span));
                        // A zero in its place spares the parser a second complaint.
                        TokenKind::Integer(IntegerLiteral {
                            value: 0,
                            suffix: IntegerSuffix::None,
                            base: IntegerBase::Decimal,
                        })
                    }
                }
            }
            PpKind::Punct(punct) => TokenKind::Punct(punct),
            PpKind::String(spelling) => convert_string(spelling, token.span, diagnostics),
            PpKind::Char(_) => convert_char(token, diagnostics).unwrap_or(TokenKind::Char(0)),
            PpKind::Pragma(pragma) => TokenKind::Pragma(pragma),
            PpKind::HeaderName(spelling) => {
                let message = format!("'{spelling}' can only stand in an '#include'");
                diagnostics.push(Diagnostic::error("stray-character", token.span, message));
                return None;
            }
            PpKind::Unterminated(quote) => {
                let what = if quote == '"' { "string" } else { "character" };
                let message = format!("this {what} literal has no closing '{quote}'");
                diagnostics.push(Diagnostic::error("unterminated-literal", token.span, message));
                return None;
            }
            PpKind::Stray(c) => {
                diagnostics.push(stray(c, token.span));
                return None;
            }
            PpKind::Placemarker | PpKind::Eof => return None,
        })
    }
}

fn word(name: Symbol) -> TokenKind {
    if let Some(keyword) = Kw::from_symbol(name) {
        return TokenKind::Keyword(keyword);
    }
    match Punct::from_alternative(name) {
        Some(punct) => TokenKind::Punct(punct),
        None => TokenKind::Identifier(name),
    }
}

fn stray(c: char, span: Span) -> Diagnostic {
    let look_alike = match c {
        '\u{201c}' | '\u{201d}' => Some("\""),
        '\u{2018}' | '\u{2019}' => Some("'"),
        '\u{2013}' | '\u{2014}' | '\u{2212}' => Some("-"),
        '\u{d7}' => Some("*"),
        '\u{37e}' | '\u{ff1b}' => Some(";"),
        '\u{ff08}' => Some("("),
        '\u{ff09}' => Some(")"),
        '\u{ff0c}' => Some(","),
        _ if c.is_whitespace() || matches!(c, '\u{200b}' | '\u{feff}') => Some("a space"),
        _ => None,
    };
    let message = if c.is_ascii_graphic() {
        format!("'{c}' has no meaning here")
    } else {
        format!("the character U+{:04X} has no meaning here", c as u32)
    };
    let diagnostic = Diagnostic::error("stray-character", span, message);
    match look_alike {
        Some("a space") => diagnostic.help("replace it with an ordinary space"),
        Some(other) => diagnostic.help(format!("replace it with '{other}'")),
        None if c == char::REPLACEMENT_CHARACTER => {
            diagnostic.help("it stands for bytes that are not UTF-8: save the file as UTF-8")
        }
        None => diagnostic,
    }
}

/// A number with a suffix of the program's own stands for a call: `5_x` is `operator""_x(5ull)`. C++ [lex.ext].
pub(super) fn user_literal(spelling: &str) -> Option<[TokenKind; 6]> {
    let (number, _) = spelling.split_once('_')?;
    let suffix = &spelling[number.len()..];
    let value = match parse_number(number).ok()? {
        TokenKind::Integer(literal) => TokenKind::Integer(IntegerLiteral { suffix: IntegerSuffix::UL, ..literal }),
        other => other,
    };
    Some([
        TokenKind::Keyword(Kw::Operator),
        TokenKind::String(Symbol::new("")),
        TokenKind::Identifier(Symbol::new(suffix)),
        TokenKind::Punct(Punct::LParen),
        value,
        TokenKind::Punct(Punct::RParen),
    ])
}

/// The value of a preprocessing number.
pub(crate) fn parse_number(spelling: &str) -> Result<TokenKind, NumberError> {
    let clean: String;
    let text = if spelling.contains('\'') {
        clean = spelling.replace('\'', "");
        &clean
    } else {
        spelling
    };
    let lower = text.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        if digits.contains(['.', 'p']) {
            return hexadecimal_float(digits);
        }
        return integer(digits, IntegerBase::Hexadecimal);
    }
    if let Some(digits) = lower.strip_prefix("0b")
        && !digits.starts_with('f')
    {
        return integer(digits, IntegerBase::Binary);
    }
    let mantissa = lower.trim_start_matches(|c: char| c.is_ascii_digit());
    if mantissa.starts_with(['.', 'e']) {
        return decimal_float(&lower);
    }
    if lower.starts_with('0') {
        return integer(&lower, IntegerBase::Octal);
    }
    integer(&lower, IntegerBase::Decimal)
}

fn integer(text: &str, base: IntegerBase) -> Result<TokenKind, NumberError> {
    let radix = match base {
        IntegerBase::Binary => 2,
        IntegerBase::Octal => 8,
        IntegerBase::Decimal => 10,
        IntegerBase::Hexadecimal => 16,
    };
    // Digits that are too large for the base are digits all the same, for the sake of the message.
    let is_digit = |c: char| c.is_digit(radix.max(10));
    let length = text.find(|c: char| !is_digit(c)).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(length);
    let suffix = match suffix {
        "" => IntegerSuffix::None,
        "u" => IntegerSuffix::U,
        "l" | "ll" => IntegerSuffix::L,
        "ul" | "lu" | "ull" | "llu" => IntegerSuffix::UL,
        _ => return Err(integer_suffix_error(digits, suffix)),
    };
    if digits.is_empty() {
        return Err(NumberError::new("invalid-number", "this number has no digits"));
    }
    if let Some(wrong) = digits.chars().find(|c| !c.is_digit(radix)) {
        let name = if radix == 8 { "an octal" } else { "a binary" };
        return Err(NumberError::new("invalid-number", format!("'{wrong}' is not a digit of {name} number")));
    }
    let value = u64::from_str_radix(digits, radix)
        .map_err(|_| NumberError::new("integer-too-large", "this number does not fit in 64 bits"))?;
    Ok(TokenKind::Integer(IntegerLiteral { value, suffix, base }))
}

fn integer_suffix_error(digits: &str, suffix: &str) -> NumberError {
    let mut error = NumberError::new("invalid-number", format!("'{suffix}' is not a suffix of an integer"));
    if matches!(suffix, "f" | "h" | "bf") && !digits.is_empty() {
        error.help = Some(format!("write '{digits}.0{suffix}'"));
    }
    error
}

fn float_suffix(suffix: &str) -> Result<FloatSuffix, NumberError> {
    Ok(match suffix {
        "" => FloatSuffix::None,
        "f" => FloatSuffix::F,
        "h" => FloatSuffix::H,
        "bf" => FloatSuffix::BF,
        "l" => {
            let message = "MSL has no 'long double'";
            let mut error = NumberError::new("invalid-number", message);
            error.help = Some("remove the suffix".to_owned());
            return Err(error);
        }
        _ => {
            let message = format!("'{suffix}' is not a suffix of a floating-point number");
            return Err(NumberError::new("invalid-number", message));
        }
    })
}

fn decimal_float(text: &str) -> Result<TokenKind, NumberError> {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if bytes.get(end) == Some(&b'e') {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let after = digits(end + 1 + sign);
        if after == end + 1 + sign {
            return Err(NumberError::new("invalid-number", "the exponent of this number has no digits"));
        }
        end = after;
    }
    let suffix = float_suffix(&text[end..])?;
    let invalid = || NumberError::new("invalid-number", "this is not a number");
    let value = match suffix {
        FloatSuffix::None | FloatSuffix::F => f64::from(text[..end].parse::<f32>().map_err(|_| invalid())?),
        FloatSuffix::H | FloatSuffix::BF => text[..end].parse::<f64>().map_err(|_| invalid())?,
    };
    Ok(TokenKind::Float(FloatLiteral { value, suffix }))
}

/// `digits` come without `0x`, in lower case.
fn hexadecimal_float(text: &str) -> Result<TokenKind, NumberError> {
    let mut mantissa = 0u64;
    let mut exponent = 0i64;
    let mut seen_point = false;
    let mut seen_digit = false;
    let mut end = text.len();
    for (at, c) in text.char_indices() {
        match c.to_digit(16) {
            Some(digit) => {
                seen_digit = true;
                // What no longer fits only has to be known to exist, for rounding.
                if mantissa >> 59 == 0 {
                    mantissa = mantissa << 4 | u64::from(digit);
                    exponent -= 4 * i64::from(seen_point);
                } else {
                    mantissa |= u64::from(digit != 0);
                    exponent += 4 * i64::from(!seen_point);
                }
            }
            None if c == '.' && !seen_point => seen_point = true,
            None => {
                end = at;
                break;
            }
        }
    }
    if !seen_digit {
        return Err(NumberError::new("invalid-number", "this number has no digits"));
    }
    let Some(rest) = text[end..].strip_prefix('p') else {
        let message = "a hexadecimal floating-point number needs an exponent";
        let mut error = NumberError::new("invalid-number", message);
        error.help = Some("append 'p0'".to_owned());
        return Err(error);
    };
    let (negative, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest.strip_prefix('+').unwrap_or(rest)),
    };
    let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if length == 0 {
        return Err(NumberError::new("invalid-number", "the exponent of this number has no digits"));
    }
    let power = rest[..length].parse::<i64>().unwrap_or(i64::MAX).min(1 << 20);
    exponent += if negative { -power } else { power };
    let suffix = float_suffix(&rest[length..])?;
    let mut value = scale(mantissa as f64, exponent);
    if matches!(suffix, FloatSuffix::None | FloatSuffix::F) {
        value = f64::from(value as f32);
    }
    Ok(TokenKind::Float(FloatLiteral { value, suffix }))
}

/// `value` times two to the power of `exponent`.
fn scale(mut value: f64, exponent: i64) -> f64 {
    let mut left = exponent.clamp(-4000, 4000);
    while left != 0 && value != 0.0 && value.is_finite() {
        let step = left.clamp(-500, 500);
        value *= 2f64.powi(step as i32);
        left -= step;
    }
    value
}

/// The value of a character literal; `None` after a complaint.
pub(crate) fn convert_char(token: &PpToken, diagnostics: &mut Diagnostics) -> Option<TokenKind> {
    let PpKind::Char(spelling) = token.kind else { return None };
    let text = unescape(spelling.as_str(), token.span, diagnostics);
    let mut value = 0u32;
    for c in text.chars() {
        let Ok(byte) = u8::try_from(u32::from(c)) else {
            let message = "this character does not fit in a 'char'";
            diagnostics.push(Diagnostic::error("invalid-character-literal", token.span, message));
            return None;
        };
        value = value << 8 | u32::from(byte);
    }
    match text.chars().count() {
        0 => {
            let message = "a character literal must not be empty";
            diagnostics.push(Diagnostic::error("invalid-character-literal", token.span, message));
            return None;
        }
        1 => {}
        2..=4 => {
            let message = "this character literal holds several characters";
            diagnostics.push(
                Diagnostic::warning("multi-character-literal", token.span, message)
                    .help("use double quotes for a string"),
            );
        }
        _ => {
            let message = "this character literal is too long";
            diagnostics.push(
                Diagnostic::error("invalid-character-literal", token.span, message)
                    .help("use double quotes for a string"),
            );
            return None;
        }
    }
    Some(TokenKind::Char(value))
}

fn convert_string(spelling: Symbol, span: Span, diagnostics: &mut Diagnostics) -> TokenKind {
    let text = spelling.as_str();
    if text.contains('\\') {
        return TokenKind::String(Symbol::new(&unescape(text, span, diagnostics)));
    }
    TokenKind::String(Symbol::new(text.get(1..text.len() - 1).unwrap_or("")))
}

/// Resolves the escapes of a literal and takes its quotes off.
fn unescape(spelling: &str, span: Span, diagnostics: &mut Diagnostics) -> String {
    let inner = spelling.get(1..spelling.len().saturating_sub(1)).unwrap_or("");
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let digits = |chars: &mut std::iter::Peekable<std::str::Chars<'_>>, radix: u32, most: usize| {
            let mut value = None;
            let mut count = 0;
            while count < most
                && let Some(digit) = chars.peek().and_then(|c| c.to_digit(radix))
            {
                value = Some(value.unwrap_or(0u32).saturating_mul(radix).saturating_add(digit));
                count += 1;
                chars.next();
            }
            value
        };
        let mut problem = None;
        let resolved = match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('a') => '\x07',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('v') => '\x0b',
            Some('e') => '\x1b',
            Some(c @ ('\\' | '\'' | '"' | '?')) => c,
            Some(first @ '0'..='7') => {
                let mut value = first as u32 - '0' as u32;
                for _ in 0..2 {
                    if let Some(digit) = digits(&mut chars, 8, 1) {
                        value = value * 8 + digit;
                    }
                }
                char::from_u32(value).filter(|_| value <= 0xff).unwrap_or_else(|| {
                    problem = Some("this octal escape is larger than a byte".to_owned());
                    '\u{fffd}'
                })
            }
            Some('x') => match digits(&mut chars, 16, usize::MAX) {
                Some(value) if value <= 0xff => char::from_u32(value).unwrap_or('\u{fffd}'),
                Some(_) => {
                    problem = Some("this hexadecimal escape is larger than a byte".to_owned());
                    '\u{fffd}'
                }
                None => {
                    problem = Some("'\\x' needs hexadecimal digits".to_owned());
                    'x'
                }
            },
            Some(kind @ ('u' | 'U')) => {
                let most = if kind == 'u' { 4 } else { 8 };
                let complete = chars.clone().take(most).filter(char::is_ascii_hexdigit).count() == most;
                match digits(&mut chars, 16, most).and_then(char::from_u32) {
                    Some(c) if complete => c,
                    _ => {
                        problem = Some(format!("'\\{kind}' needs the {most} digits of a Unicode character"));
                        '\u{fffd}'
                    }
                }
            }
            Some(other) => {
                let message = format!("'\\{other}' is not an escape sequence");
                diagnostics.push(Diagnostic::warning("unknown-escape", span, message));
                other
            }
            None => '\\',
        };
        if let Some(message) = problem {
            diagnostics.push(Diagnostic::error("invalid-escape", span, message));
        }
        out.push(resolved);
    }
    out
}

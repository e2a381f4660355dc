//! Log records of kernels (MSL specification, section 6.19): what the text of [`Op::Log`](crate::ir::Op::Log) says, and
//! formatting as of `printf`.
//!
//! The text holds the level, the subsystem and the category of the log, and the format, with U+001F between them
//! ([`encode`]); a text without is a format alone. Values are words of 64 bits: integers extended, floats as the bits of a
//! `double`; a vector takes as many as it has components. Total: a conversion without a value prints as it is written.
//! Vectors are written `%v4f`; the components are separated by commas.

/// Metal's `MTLLogLevel`, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug = 1,
    Info = 2,
    Notice = 3,
    Error = 4,
    Fault = 5,
}

impl LogLevel {
    /// Of the number in the text of a record, and of the standard library's `log_with_type`.
    pub fn from_number(number: u64) -> Option<LogLevel> {
        Some(match number {
            1 => LogLevel::Debug,
            2 => LogLevel::Info,
            3 => LogLevel::Notice,
            4 => LogLevel::Error,
            5 => LogLevel::Fault,
            _ => return None,
        })
    }
    pub fn name(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Notice => "notice",
            LogLevel::Error => "error",
            LogLevel::Fault => "fault",
        }
    }
}

/// What a kernel logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// None of `os_log_default`.
    pub subsystem: Option<String>,
    pub category: Option<String>,
    pub level: LogLevel,
    pub message: String,
}

const SEPARATOR: char = '\u{1f}';

/// The text of an operation.
pub fn encode(level: LogLevel, subsystem: &str, category: &str, format: &str) -> String {
    if level == LogLevel::Notice && subsystem.is_empty() && category.is_empty() {
        return format.to_owned();
    }
    format!("{}{SEPARATOR}{subsystem}{SEPARATOR}{category}{SEPARATOR}{format}", level as u32)
}

/// The record of a text and its values. What follows a NUL is no part of the text.
pub fn record(text: &[u8], words: &[u64]) -> LogRecord {
    let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
    let text = String::from_utf8_lossy(&text[..end]);
    let mut parts = text.splitn(4, SEPARATOR);
    let name = |part: &str| (!part.is_empty()).then(|| part.to_owned());
    if let (Some(level), Some(subsystem), Some(category), Some(rest)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && let Some(level) = level.parse().ok().and_then(LogLevel::from_number)
    {
        return LogRecord { subsystem: name(subsystem), category: name(category), level, message: format(rest, words) };
    }
    LogRecord { subsystem: None, category: None, level: LogLevel::Notice, message: format(&text, words) }
}

/// A conversion such as `%-8.3v4hf`, without its last letter.
#[derive(Default)]
struct Spec {
    left: bool,
    plus: bool,
    space: bool,
    alternative: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    /// Components of a vector.
    count: usize,
    /// Bits of an integer, where the length says so.
    bits: Option<u32>,
}

pub fn format(format: &str, words: &[u64]) -> String {
    let mut out = String::with_capacity(format.len());
    let mut words = words.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (spec, conversion, length) = parse(rest);
        match conversion {
            Some('%') => out.push('%'),
            Some(c) if "diuoxXpcfFeEgGaA".contains(c) => {
                for i in 0..spec.count {
                    let Some(&word) = words.next() else {
                        if i == 0 {
                            out.push_str(&rest[..length]);
                        }
                        break;
                    };
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&pad(&spec, one(&spec, c, word)));
                }
            }
            _ => out.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

/// The conversion at the start of the text, its letter, and its length in bytes.
fn parse(text: &str) -> (Spec, Option<char>, usize) {
    let bytes = text.as_bytes();
    let mut spec = Spec { count: 1, ..Spec::default() };
    let mut at = 1;
    while let Some(&c) = bytes.get(at) {
        match c {
            b'-' => spec.left = true,
            b'+' => spec.plus = true,
            b' ' => spec.space = true,
            b'#' => spec.alternative = true,
            b'0' => spec.zero = true,
            _ => break,
        }
        at += 1;
    }
    // Widths beyond a line of text are mistakes; they must not cost memory.
    let number = |at: &mut usize| {
        let mut n = 0usize;
        while let Some(d) = bytes.get(*at).filter(|b| b.is_ascii_digit()) {
            n = (n * 10 + usize::from(d - b'0')).min(256);
            *at += 1;
        }
        n
    };
    spec.width = number(&mut at);
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        spec.precision = Some(number(&mut at));
    }
    if bytes.get(at) == Some(&b'v') {
        at += 1;
        spec.count = number(&mut at).clamp(1, 16);
    }
    let length = at;
    while matches!(bytes.get(at), Some(b'h' | b'l' | b'j' | b'z' | b't' | b'L')) {
        at += 1;
    }
    spec.bits = match &bytes[length..at] {
        b"hh" => Some(8),
        b"h" => Some(16),
        b"hl" => Some(32),
        b"" => None,
        _ => Some(64),
    };
    match bytes.get(at) {
        Some(c) if c.is_ascii_alphabetic() || *c == b'%' => (spec, Some(char::from(*c)), at + 1),
        _ => (spec, None, at),
    }
}

fn one(spec: &Spec, conversion: char, word: u64) -> String {
    // Without a length, 32 bits are meant; what is longer is a slip that need not cost the upper half.
    let is_small = i32::try_from(word as i64).is_ok() || u32::try_from(word).is_ok();
    let bits = spec.bits.unwrap_or(if is_small { 32 } else { 64 });
    let above = 64 - bits;
    let signed_word = ((word << above) as i64) >> above;
    let unsigned = (word << above) >> above;
    let prefix = |p: &str| if spec.alternative { p.to_owned() } else { String::new() };
    match conversion {
        'd' | 'i' => signed(spec, signed_word < 0, signed_word.unsigned_abs().to_string()),
        'u' => digits(spec, unsigned.to_string()),
        'o' => prefix("0") + &digits(spec, format!("{unsigned:o}")),
        'x' => prefix("0x") + &digits(spec, format!("{unsigned:x}")),
        'X' => prefix("0X") + &digits(spec, format!("{unsigned:X}")),
        'p' => format!("{word:#x}"),
        'c' => char::from(word as u8).to_string(),
        _ => {
            let x = f64::from_bits(word);
            signed(spec, x.is_sign_negative() && !x.is_nan(), magnitude(spec, conversion, x.abs()))
        }
    }
}

fn digits(spec: &Spec, text: String) -> String {
    let least = spec.precision.unwrap_or(0);
    "0".repeat(least.saturating_sub(text.len())) + &text
}

fn signed(spec: &Spec, is_negative: bool, magnitude: String) -> String {
    let sign = match (is_negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    let is_integer = magnitude.bytes().all(|b| b.is_ascii_digit());
    sign.to_owned() + &if is_integer && !magnitude.contains('.') { digits(spec, magnitude) } else { magnitude }
}

fn magnitude(spec: &Spec, conversion: char, x: f64) -> String {
    let is_upper = conversion.is_ascii_uppercase();
    let text = if !x.is_finite() {
        if x.is_nan() { "nan" } else { "inf" }.to_owned()
    } else {
        let precision = spec.precision.unwrap_or(6);
        match conversion.to_ascii_lowercase() {
            'f' => format!("{x:.precision$}"),
            'e' => exponential(x, precision),
            'g' => {
                let significant = precision.max(1);
                let scientific = exponential(x, significant - 1);
                let exponent: i32 = scientific.rsplit_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
                if exponent < -4 || exponent >= significant as i32 {
                    let (digits, e) = scientific.rsplit_once('e').unwrap_or((&scientific, "+00"));
                    format!("{}e{e}", trim(digits))
                } else {
                    trim(&format!("{x:.*}", (significant as i32 - 1 - exponent).max(0) as usize)).to_owned()
                }
            }
            _ => hexadecimal(x, spec.precision),
        }
    };
    if is_upper { text.to_ascii_uppercase() } else { text }
}

fn exponential(x: f64, precision: usize) -> String {
    let text = format!("{x:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
}

fn trim(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn pad(spec: &Spec, text: String) -> String {
    let missing = spec.width.saturating_sub(text.chars().count());
    if missing == 0 {
        text
    } else if spec.left {
        text + &" ".repeat(missing)
    } else if spec.zero && spec.precision.is_none_or(|_| text.contains('.')) {
        let sign = usize::from(text.starts_with(['-', '+', ' ']));
        format!("{}{}{}", &text[..sign], "0".repeat(missing), &text[sign..])
    } else {
        " ".repeat(missing) + &text
    }
}

/// As `%a`: the first digit is 1, but of zero.
fn hexadecimal(x: f64, precision: Option<usize>) -> String {
    if x == 0.0 {
        let zeros = "0".repeat(precision.unwrap_or(0));
        return if zeros.is_empty() { "0x0p+0".into() } else { format!("0x0.{zeros}p+0") };
    }
    // What is logged was a `float` or less, whose values are normal in double precision.
    let (mut exponent, mut fraction) = ((x.to_bits() >> 52) as i64 - 1023, x.to_bits() & ((1 << 52) - 1));
    let mut first = 1;
    if let Some(kept) = precision.filter(|p| *p < 13) {
        let dropped = 52 - 4 * kept as u32;
        let (half, rest) = (1u64 << (dropped - 1), fraction & ((1 << dropped) - 1));
        let mut kept_bits = (1 << (52 - dropped)) | fraction >> dropped;
        if rest > half || rest == half && kept_bits & 1 == 1 {
            kept_bits += 1;
        }
        first = kept_bits >> (52 - dropped);
        fraction = (kept_bits << dropped) & ((1 << 52) - 1);
        if first == 2 {
            (first, exponent) = (1, exponent + 1);
        }
    }
    let mut digits = format!("{fraction:013x}");
    match precision {
        Some(p) => digits.truncate(p),
        None => digits.truncate(digits.trim_end_matches('0').len()),
    }
    let point = if digits.is_empty() { "" } else { "." };
    format!("0x{first}{point}{digits}p{exponent:+}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f(x: f32) -> u64 {
        f64::from(x).to_bits()
    }
    fn i(x: i64) -> u64 {
        x as u64
    }

    #[test]
    fn conversions_print_as_in_c() {
        let cases: &[(&str, Vec<u64>, &str)] = &[
            ("x = %d, %u%%", vec![i(-3), i(-1)], "x = -3, 4294967295%"),
            ("[%5d][%-5d][%05d][%+d]", vec![i(42), i(42), i(-42), i(42)], "[   42][42   ][-0042][+42]"),
            ("%x %#X %o %.3d", vec![i(255), i(255), i(8), i(7)], "ff 0XFF 10 007"),
            (
                "%f %.2f %e %g %g",
                vec![f(1.5), f(-0.125), f(12345.0), f(0.0001), f(1e10)],
                "1.500000 -0.12 1.234500e+04 0.0001 1e+10",
            ),
            ("%8.3f|%-8.1f|", vec![f(2.5), f(2.5)], "   2.500|2.5     |"),
            ("%f %F", vec![f(f32::INFINITY), f(f32::NAN)], "inf NAN"),
            ("%v2f", vec![f(1.0), f(2.0)], "1.000000,2.000000"),
            ("%v4hhu %v2hld", vec![i(255), i(-1), i(2), i(3), i(-5), i(6)], "255,255,2,3 -5,6"),
            ("%d and %d", vec![i(1)], "1 and %d"),
            ("100%", vec![], "100%"),
            ("%c%lld %d %lu", vec![i(65), i(7), i(1 << 40), i(-1)], "A7 1099511627776 18446744073709551615"),
            ("%a %a %.1a %.0a", vec![f(1.0), f(-0.15625), f(1.97), f(1.5)], "0x1p+0 -0x1.4p-3 0x1.0p+1 0x1p+1"),
            ("%s %d", vec![i(4)], "%s 4"),
        ];
        for (text, args, expected) in cases {
            assert_eq!(&format(text, args), expected, "{text}");
        }
    }

    #[test]
    fn texts_say_where_a_record_comes_from() {
        let text = encode(LogLevel::Error, "org.example", "tiles", "%d of 3\n");
        let found = record(format!("{text}\0").as_bytes(), &[2]);
        assert_eq!((found.subsystem.as_deref(), found.category.as_deref()), (Some("org.example"), Some("tiles")));
        assert_eq!((found.level, found.message.as_str()), (LogLevel::Error, "2 of 3\n"));
        let plain = record(encode(LogLevel::Notice, "", "", "%d").as_bytes(), &[2]);
        assert_eq!((plain.subsystem, plain.level, plain.message.as_str()), (None, LogLevel::Notice, "2"));
    }
}

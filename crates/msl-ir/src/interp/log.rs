//! `printf` formatting of what kernels log (MSL specification, section 6.19).
//!
//! In: a format string and values as bits. Out: text. Total: a conversion without a value prints
//! as it is written. Vectors are written `%v4f`; the components are separated by commas.

use half::{bf16, f16};

use super::scalar;
use crate::Scalar;

/// A logged argument: a pointer where there is no scalar type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogValue {
    pub scalar: Option<Scalar>,
    /// One for scalars and pointers.
    pub components: Vec<u64>,
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
}

pub fn format(format: &str, args: &[LogValue]) -> String {
    let mut out = String::new();
    let mut args = args.iter();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (spec, conversion, length) = parse(rest);
        match conversion {
            Some('%') => out.push('%'),
            Some(c) => match args.next() {
                Some(value) => {
                    for (i, &bits) in value.components.iter().enumerate() {
                        if i > 0 {
                            out.push(',');
                        }
                        out.push_str(&pad(&spec, one(&spec, c, value.scalar, bits)));
                    }
                }
                None => out.push_str(&rest[..length]),
            },
            None => out.push_str(&rest[..length]),
        }
        rest = &rest[length..];
    }
    out + rest
}

/// The conversion at the start of the text, its letter, and its length in bytes.
fn parse(text: &str) -> (Spec, Option<char>, usize) {
    let bytes = text.as_bytes();
    let mut spec = Spec::default();
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
        number(&mut at);
    }
    while matches!(bytes.get(at), Some(b'h' | b'l' | b'j' | b'z' | b't' | b'L')) {
        at += 1;
    }
    match bytes.get(at) {
        Some(c) if c.is_ascii_alphabetic() || *c == b'%' => (spec, Some(char::from(*c)), at + 1),
        _ => (spec, None, at),
    }
}

fn one(spec: &Spec, conversion: char, scalar: Option<Scalar>, bits: u64) -> String {
    let s = scalar.unwrap_or(Scalar::U64);
    let integer = || {
        if s.is_float() {
            scalar::extend(Scalar::I64, scalar::convert(s, Scalar::I64, bits))
        } else {
            scalar::extend(s, bits)
        }
    };
    let unsigned = || if s.is_float() { integer() as u64 } else { bits };
    let float = || match s {
        Scalar::F16 => f64::from(f16::from_bits(bits as u16)),
        Scalar::BF16 => f64::from(bf16::from_bits(bits as u16)),
        Scalar::F32 => f64::from(f32::from_bits(bits as u32)),
        _ if s.is_signed() => scalar::extend(s, bits) as f64,
        _ => bits as f64,
    };
    let prefix = |p: &str| if spec.alternative { p.to_owned() } else { String::new() };
    match conversion {
        'd' | 'i' => signed(spec, integer() < 0, integer().unsigned_abs().to_string()),
        'u' => digits(spec, unsigned().to_string()),
        'o' => prefix("0") + &digits(spec, format!("{:o}", unsigned())),
        'x' => prefix("0x") + &digits(spec, format!("{:x}", unsigned())),
        'X' => prefix("0X") + &digits(spec, format!("{:X}", unsigned())),
        'p' => format!("{bits:#x}"),
        'c' => char::from(bits as u8).to_string(),
        'f' | 'F' | 'e' | 'E' | 'g' | 'G' | 'a' | 'A' => {
            let x = float();
            signed(spec, x.is_sign_negative(), magnitude(spec, conversion, x.abs()))
        }
        _ => match scalar {
            Some(s) if s.is_float() => float().to_string(),
            _ => integer().to_string(),
        },
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
            _ => format!("{x:e}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn f(x: f32) -> LogValue {
        LogValue { scalar: Some(Scalar::F32), components: vec![u64::from(x.to_bits())] }
    }
    fn i(x: i32) -> LogValue {
        LogValue { scalar: Some(Scalar::I32), components: vec![u64::from(x as u32)] }
    }

    #[test]
    fn conversions_print_as_in_c() {
        let cases: &[(&str, Vec<LogValue>, &str)] = &[
            ("x = %d, %u%%", vec![i(-3), i(-1)], "x = -3, 4294967295%"),
            ("[%5d][%-5d][%05d][%+d]", vec![i(42), i(42), i(-42), i(42)], "[   42][42   ][-0042][+42]"),
            ("%x %#X %o", vec![i(255), i(255), i(8)], "ff 0XFF 10"),
            (
                "%f %.2f %e %g %g",
                vec![f(1.5), f(-0.125), f(12345.0), f(0.0001), f(1e10)],
                "1.500000 -0.12 1.234500e+04 0.0001 1e+10",
            ),
            ("%8.3f|%-8.1f|", vec![f(2.5), f(2.5)], "   2.500|2.5     |"),
            ("%f %F", vec![f(f32::INFINITY), f(f32::NAN)], "inf NAN"),
            ("%v2f", vec![LogValue { components: vec![0x3f80_0000, 0x4000_0000], ..f(0.0) }], "1.000000,2.000000"),
            ("%d and %d", vec![i(1)], "1 and %d"),
            ("100%", vec![], "100%"),
            ("%c%lld", vec![i(65), i(7)], "A7"),
        ];
        for (text, args, expected) in cases {
            assert_eq!(&format(text, args), expected, "{text}");
        }
    }
}

//! Values of numbers, characters and strings.

use super::*;
use crate::token::{FloatSuffix, IntegerBase, IntegerSuffix};

fn one(text: &str) -> TokenKind {
    let outcome = run(text);
    assert!(outcome.diagnostics.is_empty(), "{text}: {:?}", outcome.diagnostics);
    assert_eq!(outcome.tokens.len(), 2, "{text}");
    outcome.tokens[0].kind
}

#[test]
fn integers() {
    use IntegerBase::*;
    use IntegerSuffix::*;
    let cases = [
        ("0", 0, None, Octal),
        ("42", 42, None, Decimal),
        ("1'000'000", 1_000_000, None, Decimal),
        ("0x1F", 31, None, Hexadecimal),
        ("0XFFu", 255, U, Hexadecimal),
        ("0x1bf", 0x1bf, None, Hexadecimal),
        ("0b1011", 11, None, Binary),
        ("017L", 15, L, Octal),
        ("7ul", 7, UL, Decimal),
        ("7LU", 7, UL, Decimal),
        ("7ll", 7, L, Decimal),
        ("18446744073709551615", u64::MAX, None, Decimal),
        ("0xffffffffffffffffUL", u64::MAX, UL, Hexadecimal),
    ];
    for (text, value, suffix, base) in cases {
        let TokenKind::Integer(literal) = one(text) else { panic!("{text} is no integer") };
        assert_eq!((literal.value, literal.suffix, literal.base), (value, suffix, base), "{text}");
    }
}

#[test]
fn floats() {
    let cases = [
        ("1.0", 1.0, FloatSuffix::None),
        ("1.", 1.0, FloatSuffix::None),
        (".5f", 0.5, FloatSuffix::F),
        ("1.5F", 1.5, FloatSuffix::F),
        ("0.1", f64::from(0.1f32), FloatSuffix::None),
        ("1e3", 1000.0, FloatSuffix::None),
        ("2.5e-3f", f64::from(2.5e-3f32), FloatSuffix::F),
        ("0.1h", 0.1, FloatSuffix::H),
        ("1.H", 1.0, FloatSuffix::H),
        ("3.0bf", 3.0, FloatSuffix::BF),
        ("3.0BF", 3.0, FloatSuffix::BF),
        ("1e1h", 10.0, FloatSuffix::H),
        ("0x1p-3", 0.125, FloatSuffix::None),
        ("0x1.8p1f", 3.0, FloatSuffix::F),
        ("0x.8p0", 0.5, FloatSuffix::None),
        ("0x1.fffffeP+127f", f64::from(f32::MAX), FloatSuffix::F),
        ("0x123456789abcdef01p0", f64::from(0x1234_5678_9abc_def0_u64 as f32) * 16.0, FloatSuffix::None),
        ("3.4028234663852886e38", f64::from(f32::MAX), FloatSuffix::None),
        ("1.4e-45", f64::from(f32::from_bits(1)), FloatSuffix::None),
        ("09.5", 9.5, FloatSuffix::None),
        ("1'0.2'5", 10.25, FloatSuffix::None),
    ];
    for (text, value, suffix) in cases {
        let TokenKind::Float(literal) = one(text) else { panic!("{text} is no float") };
        assert_eq!((literal.value, literal.suffix), (value, suffix), "{text}");
    }
    let outcome = run("1e39f");
    assert_eq!(outcome.ids(), ["float-overflow"]);
    assert!(matches!(outcome.kinds()[0], TokenKind::Float(f) if f.value == f64::INFINITY));
}

#[test]
fn malformed_numbers() {
    let cases = [
        ("1f", "invalid-number"),
        ("1h", "invalid-number"),
        ("0x", "invalid-number"),
        ("0b2", "invalid-number"),
        ("089", "invalid-number"),
        ("1e", "invalid-number"),
        ("1e+", "invalid-number"),
        ("1.0l", "invalid-number"),
        ("1.2.3", "invalid-number"),
        ("12abc", "invalid-number"),
        ("0x1.8", "invalid-number"),
        ("0x1p", "invalid-number"),
        ("1.0q", "invalid-number"),
        ("18446744073709551616", "integer-too-large"),
        ("0x10000000000000000", "integer-too-large"),
    ];
    for (text, id) in cases {
        let outcome = run(text);
        assert_eq!(outcome.ids(), [id], "{text}");
        // The parser still finds an operand.
        assert_eq!(outcome.text(), "0", "{text}");
    }
    assert_eq!(run("2f").diagnostics.iter().next().unwrap().help.as_deref(), Some("write '2.0f'"));
}

#[test]
fn characters() {
    let cases = [
        ("'a'", 97),
        (r"'\n'", 10),
        (r"'\0'", 0),
        (r"'\''", 39),
        ("'\"'", 34),
        (r"'\x41'", 65),
        (r"'\101'", 65),
        (r"'\xff'", 255),
        (r"'\\'", 92),
    ];
    for (text, value) in cases {
        assert_eq!(one(text), TokenKind::Char(value), "{text}");
    }
    for (text, ids) in [
        ("''", vec!["invalid-character-literal"]),
        ("'é→'", vec!["invalid-character-literal"]),
        ("'ab'", vec!["multi-character-literal"]),
        ("'abcde'", vec!["invalid-character-literal"]),
        (r"'\q'", vec!["unknown-escape"]),
        (r"'\x'", vec!["invalid-escape"]),
        (r"'\400'", vec!["invalid-escape", "invalid-character-literal"]),
        ("'a", vec!["unterminated-literal"]),
        ("'", vec!["unterminated-literal"]),
    ] {
        assert_eq!(run(text).ids(), ids, "{text}");
    }
    assert_eq!(run("'ab'").kinds()[0], TokenKind::Char(0x6162));
}

#[test]
fn strings() {
    let cases = [
        (r#""""#, ""),
        (r#""a b""#, "a b"),
        (r#""\t\"\\\x41\u00e9\1012""#, "\t\"\\Aé\u{41}2"),
        ("\"héllo\"", "héllo"),
        (r#""\U0001F600""#, "\u{1f600}"),
    ];
    for (text, value) in cases {
        assert_eq!(one(text), TokenKind::String(Symbol::new(value)), "{text}");
    }
    assert_eq!(run("\"abc\nx").ids(), ["unterminated-literal"]);
    assert_eq!(run("\"abc\nx").text(), "x");
    assert_eq!(run(r#""\u12""#).ids(), ["invalid-escape"]);
    assert_eq!(run(r#""\ud800""#).ids(), ["invalid-escape"]);
}

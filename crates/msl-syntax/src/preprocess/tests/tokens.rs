//! Characters to tokens: splices, comments, odd characters, and back to text.

use super::*;
use crate::token::{Kw, Punct};

#[test]
fn line_splices_vanish_inside_any_token() {
    check_table(&[
        ("int ab\\\nc = 1\\\n2;", "int abc = 12;"),
        ("a +\\\n+ b <\\\n<\\\r\n= c .\\\n.\\\n.", "a ++ b <<= c ..."),
        ("\"a\\\nb\" '\\\nx' \"\\\\\nn\"", "\"ab\" 'x' \"\\n\""),
        ("/\\\n/ comment\n1 /\\\n* x *\\\n/ 2", "1 2"),
        ("// comment \\\n still comment\n3", "3"),
        ("#def\\\nine X \\\n  4\nX", "4"),
        ("1\\\ne+\\\n5 0x\\\nff", "1e+5 0xff"),
        ("a\\  \nb", "ab"),
        ("\\\n\\\n\\\n#define Y 5\nY", "5"),
        ("\"quote\\\n\\\"d\"", "\"quote\\\"d\""),
    ]);
}

#[test]
fn carriage_returns_alone_end_lines() {
    check_table(&[
        ("// comment\rint x;\r", "int x;"),
        ("#define X 1\r#define Y X + \\\r 2\rY", "1 + 2"),
        ("#if 0\ra\r#else\rb\r#endif\r", "b"),
    ]);
    let outcome = run("int x;\r\rint y @;");
    let place = outcome.source_map.location(outcome.diagnostics.iter().next().unwrap().span).unwrap();
    assert_eq!((place.line, place.column), (3, 7));
    let mut files = MemoryFiles::new();
    files.insert("a.h", "// text\r#define Z 3\rint a;\r");
    assert_eq!(run_with("#include \"a.h\"\rZ", &PreprocessOptions::default(), &files).text(), "int a ; 3");
}

#[test]
fn comments_are_white_space() {
    check_table(&[
        ("a/**/b", "a b"),
        ("a/* // */b // /*\nc", "a b c"),
        ("#define X 1 /* two\nlines */ + 2\nX", "1 + 2"),
        ("/* x */ #define Z 1\nZ", "1"),
        ("\"/* no comment */\" '/' '*'", "\"/* no comment */\" '/' '*'"),
        ("/***/1/****/", "1"),
    ]);
    let flags = run("a/**/b\n/**/c").tokens;
    assert!(!flags[0].has_space_before && flags[1].has_space_before);
    assert!(flags[2].at_line_start && flags[2].has_space_before);
}

#[test]
fn operators_match_as_long_as_they_can() {
    for punct in Punct::ALL.iter().filter(|p| !matches!(p, Punct::Hash | Punct::HashHash)) {
        let outcome = run(&format!("x{punct}y"));
        assert_eq!(outcome.kinds()[1], TokenKind::Punct(*punct));
        assert_eq!(outcome.tokens.len(), 4);
    }
    check_table(&[
        ("a+++++b", "a ++ ++ + b"),
        ("x>>=y>>z", "x >>= y >> z"),
        ("a<b::c>d", "a < b :: c > d"),
        ("p->*q..r", "p ->* q . . r"),
    ]);
}

#[test]
fn keywords_and_alternative_operators() {
    use TokenKind::*;
    let outcome = run("kernel device half uint and not_eq bfloat main __inline__");
    assert_eq!(
        outcome.kinds(),
        [
            Keyword(Kw::Kernel),
            Keyword(Kw::Device),
            Keyword(Kw::Half),
            Identifier(Symbol::new("uint")),
            Punct(crate::token::Punct::AmpAmp),
            Punct(crate::token::Punct::BangEq),
            Keyword(Kw::Bfloat),
            Identifier(Symbol::new("main")),
            Keyword(Kw::Inline),
            Eof,
        ]
    );
    // To the preprocessor a keyword is a name like any other.
    check_table(&[("#define kernel 1\nkernel", "1")]);
}

#[test]
fn names_may_use_letters_of_any_language() {
    assert_eq!(expand("float größe = π2 * dé\\\nf;"), "float größe = π2 * déf ;");
    assert_eq!(expand("\u{feff}int x;"), "int x ;");
}

#[test]
fn stray_characters_are_errors_with_a_remedy() {
    let outcome = run("a @ b \u{201c} c \u{a0}d \\ e `");
    assert_eq!(outcome.ids(), ["stray-character"; 5]);
    assert_eq!(outcome.text(), "a b c d e");
    let remedies: Vec<_> = outcome.diagnostics.iter().map(|d| d.help.clone().unwrap_or_default()).collect();
    assert_eq!(remedies, ["", "replace it with '\"'", "replace it with an ordinary space", "", ""]);
}

#[test]
fn printing_and_reading_again_gives_the_same_tokens() {
    let inputs = [
        "kernel void f(device float *a [[buffer(0)]]) { a[0] = -(-1.5f) + 0x1p4 - 'a'; }\n#pragma unroll 4\nfor (;;) {}",
        "#define J(a,b) a b\nJ(+,+) J(-,-) J(<,<) J(x,1) J(1,.x) J(/,/) J(.,.)J(.,5) J(>,>=) a##b \"s\" \"t\"",
        "#define M -1\nx -M - M\n#define P +\nP+P P",
        "\"\\x01\\177é\\n\" '\\n' '\\'' '\"' 'ab' 1.0h 2.5bf 1e30 017ul 0b11",
    ];
    for input in inputs {
        let first = run(input);
        let second = run(&print_tokens(&first.tokens));
        assert_eq!(first.kinds(), second.kinds(), "{}", print_tokens(&first.tokens));
    }
    assert_eq!(print_tokens(&run("#define A(x) x\nint a;\n  A(1\n) A(b);\n").tokens), "int a;\n1 b;\n");
}

#[test]
fn raw_strings() {
    check_table(&[
        (r#"R"(a\n"b")""#, r#""a\\n\"b\"""#),
        ("R\"x(a)\" )x\" R", "\"a)\\\" \" R"),
        ("R\"(two\nlines)\"", "\"two\\nlines\""),
    ]);
}

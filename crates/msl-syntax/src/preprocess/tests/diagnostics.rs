//! What the messages say, and where.

use super::*;

/// Input, id, message, the text the span covers.
#[test]
fn messages_point_at_their_cause() {
    let cases = [
        ("#defin X 1", "unknown-directive", "'#defin' is not a directive", "defin"),
        ("#define F(a, b) a\nF(1);", "macro-argument-count", "macro 'F' takes 2 arguments, but 1 was given", "F(1)"),
        ("#define F(a) a\nF(1, 2);", "macro-argument-count", "macro 'F' takes 1 argument, but 2 were given", "F(1, 2)"),
        ("#define F() a\nF(1);", "macro-argument-count", "macro 'F' takes 0 arguments, but 1 was given", "F(1)"),
        (
            "#define F(a, b, ...) a\nF(1);",
            "macro-argument-count",
            "macro 'F' takes at least 2 arguments, but 1 was given",
            "F(1)",
        ),
        (
            "#define F(a) a\nF(1;",
            "unterminated-macro-call",
            "the arguments of macro 'F' have no closing parenthesis",
            "F",
        ),
        ("#define A B ##\n", "misplaced-paste", "'##' cannot stand at the end of a replacement", "##"),
        ("#define A() ## B\n", "misplaced-paste", "'##' cannot stand at the start of a replacement", "##"),
        ("#define A(x) #y\n", "misplaced-stringize", "'#' must be followed by a parameter of the macro", "#"),
        ("#define P(a,b) a##b\nP(+,x)", "invalid-paste", "'##' joins its operands to '+x', which is not a token", "##"),
        ("#define P(a,b) a##b\nP(/,/)", "invalid-paste", "'##' joins its operands to '//', which is not a token", "##"),
        ("#define 1 2", "invalid-macro-name", "a macro name must be an identifier", "1"),
        ("#define", "invalid-macro-name", "a macro name is missing", "define"),
        ("#define defined 1", "invalid-macro-name", "'defined' cannot be used as a macro name", "defined"),
        ("#define F(a", "invalid-macro-parameters", "the list of parameters has no closing parenthesis", "a"),
        ("#define F(a,a) 1", "invalid-macro-parameters", "this parameter name is used twice", "a"),
        ("#define F(..., a) 1", "invalid-macro-parameters", "expected ')' after '...'", ","),
        ("#define F(1) 1", "invalid-macro-parameters", "expected a parameter name or '...'", "1"),
        ("#define F(a b) 1", "invalid-macro-parameters", "expected ',' or ')' in the list of parameters", "b"),
        (
            "#define F(...) __VA_OPT__ x",
            "invalid-va-opt",
            "'__VA_OPT__' must be followed by text in parentheses",
            "__VA_OPT__",
        ),
        (
            "#define F(...) __VA_OPT__(__VA_OPT__(x))",
            "invalid-va-opt",
            "'__VA_OPT__' cannot stand inside another",
            "__VA_OPT__",
        ),
        (
            "#define F(a) __VA_ARGS__",
            "misplaced-va-args",
            "'__VA_ARGS__' means nothing in a macro without '...'",
            "__VA_ARGS__",
        ),
        ("#error you can't  do \"this", "error-directive", "you can't  do \"this", "error you can't  do \"this"),
        ("#warning careful // really", "warning-directive", "careful", "warning careful"),
        ("#pragma message(\"note \\\"this\\\"\")", "warning-directive", "note \"this\"", "message"),
        ("#pragma GCC error \"no\"", "error-directive", "no", "GCC"),
        ("#line x", "invalid-line", "'#line' needs a line number", "line"),
        ("#line 1 x", "invalid-line", "'#line' takes a line number and a file name in quotes", "line"),
        ("#define X 1\n#define X 2", "macro-redefined", "macro 'X' is redefined with a different replacement", "X"),
        ("#undef __METAL__", "builtin-macro-redefined", "the predefined macro '__METAL__' is undefined", "__METAL__"),
        ("#define __LINE__ 1", "builtin-macro-redefined", "the predefined macro '__LINE__' is redefined", "__LINE__"),
        ("#undef X Y", "extra-tokens-after-directive", "this text after '#undef' is ignored", "Y"),
        ("a /* b", "unterminated-comment", "this comment is never closed", "/*"),
        ("_Pragma(1)", "invalid-pragma-operator", "'_Pragma' takes a string in parentheses", "_Pragma"),
        (
            "#pragma METAL fp contract(maybe)",
            "unknown-pragma-argument",
            "expected 'off', 'on' or 'fast'; the pragma is ignored",
            "maybe",
        ),
        ("#if F(1)\n#endif", "invalid-condition", "the function-like macro 'F' is not defined", "F"),
        ("# \"x\"", "unknown-directive", "expected the name of a directive after '#'", "\"x\""),
    ];
    for (text, id, message, place) in cases {
        let outcome = run(text);
        assert_eq!(outcome.ids(), [id], "{text}");
        let diagnostic = outcome.diagnostics.iter().next().unwrap();
        assert_eq!(diagnostic.message, message, "{text}");
        assert_eq!(outcome.source_map.text(diagnostic.span), place, "{text}");
    }
}

#[test]
fn unknown_directives_get_a_suggestion() {
    for (wrong, right) in
        [("defin", "define"), ("inlcude", "include"), ("ednif", "endif"), ("elsif", "elif"), ("pargma", "pragma")]
    {
        let outcome = run(&format!("#{wrong} x"));
        let help = outcome.diagnostics.iter().next().unwrap().help.clone();
        assert_eq!(help, Some(format!("did you mean '#{right}'?")));
    }
    assert_eq!(run("#frobnicate").diagnostics.iter().next().unwrap().help, None);
}

#[test]
fn a_wrong_argument_count_shows_the_definition_and_a_way_out() {
    let outcome = run("#define LOAD(p) *(p)\nLOAD(pair<int, int>())");
    let diagnostic = outcome.diagnostics.iter().next().unwrap();
    assert_eq!(outcome.source_map.text(diagnostic.notes[0].span.unwrap()), "LOAD");
    assert_eq!(diagnostic.help.as_deref(), Some("put an argument that contains commas into parentheses"));
    // Expansion goes on with what there is.
    assert_eq!(outcome.text(), "* ( pair < int )");
}

#[test]
fn equal_redefinitions_are_fine() {
    for text in [
        "#define X a + b\n#define X   a +  b",
        "#define X a + b\n#define X a/**/ + /* */ b",
        "#define F(x) x\n#define F(x) x",
        "#define X 1\n#undef X\n#define X 2",
    ] {
        assert!(run(text).diagnostics.is_empty(), "{text}");
    }
    for text in ["#define X a+b\n#define X a + b", "#define F(x) x\n#define F(y) y", "#define F(x) x\n#define F x"] {
        assert_eq!(run(text).ids(), ["macro-redefined"], "{text}");
    }
    let outcome = run("#define X 1\n#define X 2\nX");
    assert_eq!(outcome.text(), "2");
    let note = outcome.diagnostics.iter().next().unwrap().notes[0].span.unwrap();
    assert_eq!(outcome.source_map.location(note).unwrap().line, 1);
}

#[test]
fn errors_inside_expansions_know_their_way_out() {
    let outcome = run("#define BAD 1.2.3\nint x = BAD;");
    let span = outcome.diagnostics.iter().next().unwrap().span;
    assert_eq!(outcome.source_map.text(span), "1.2.3");
    assert_eq!(outcome.source_map.location(span).unwrap().line, 2);
}

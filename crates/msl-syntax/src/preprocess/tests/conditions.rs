//! Conditional groups and their expressions.

use super::*;

#[test]
fn expressions() {
    let holds = [
        "1",
        "!0",
        "1 + 1 == 2",
        "2 * 3 + 4 == 10",
        "2 + 3 * 4 == 14",
        "(1 ? 2 : 3) == 2",
        "0 ? 0 : 1",
        "-1 < 0",
        "-1 > 0u",
        "~0 == -1",
        "7 / 2 == 3 && 7 % 2 == 1",
        "-7 / 2 == -3",
        "1 << 4 == 16",
        "-8 >> 1 == -4",
        "0xffffffffffffffff > 0",
        "'a' == 97",
        "'\\377' < 0 || 1",
        "0 && (1 / 0) || 1",
        "1 || (1 / 0)",
        "1 ? 1 : 1 / 0",
        "undefined_name == 0",
        "true && !false",
        "1 and not 0",
        "5 bitand 4",
        "(2 | 1) == 3 && (3 ^ 1) == 2",
        "1, 1",
        "10'000 == 10000",
        "__METAL_VERSION__ >= 300",
        "defined __METAL__",
        "defined(__METAL__) && !defined(NOPE)",
        "1 ? 2 ? 3 : 0 : 0",
        "9223372036854775807 + 1 < 0",
        "1 << 64 == 0",
        "1 - - 1 == 2",
        "3 - 2 - 1 == 0",
        "__has_feature(cxx_constexpr) && !__has_feature(no_such)",
        "__has_attribute(__unused__)",
        "!__has_builtin(__builtin_x)",
        "__has_cpp_attribute(clang::fallthrough)",
        "__is_identifier(foo) && !__is_identifier(int)",
        "defined __has_include && defined(__LINE__)",
        "__LINE__ == 1",
    ];
    for condition in holds {
        assert_eq!(expand(&format!("#if {condition}\nyes\n#else\nno\n#endif")), "yes", "{condition}");
    }
}

#[test]
fn malformed_expressions() {
    let cases = [
        ("", "invalid-condition"),
        ("1 +", "invalid-condition"),
        ("(1", "invalid-condition"),
        ("1 1", "invalid-condition"),
        ("1 ? 2", "invalid-condition"),
        ("1.0", "invalid-condition"),
        ("\"s\"", "invalid-condition"),
        ("a = 1", "invalid-condition"),
        ("F(1)", "invalid-condition"),
        ("defined", "invalid-condition"),
        ("defined(X", "invalid-condition"),
        ("defined 1", "invalid-condition"),
        ("1 / 0", "division-by-zero-in-condition"),
        ("1 % (1 - 1)", "division-by-zero-in-condition"),
        ("99999999999999999999", "integer-too-large"),
        ("__has_include", "invalid-condition"),
        ("__has_include(x)", "invalid-condition"),
        ("__has_include(<x>", "invalid-condition"),
        ("@", "invalid-condition"),
    ];
    for (condition, id) in cases {
        let outcome = run(&format!("#if {condition}\nyes\n#else\nno\n#endif"));
        assert_eq!(outcome.ids(), [id], "{condition}");
        assert_eq!(outcome.text(), "no", "{condition}");
    }
}

#[test]
fn macros_in_conditions() {
    check_table(&[
        ("#define V 3\n#if V == 3 && defined V && defined(V)\nok\n#endif", "ok"),
        ("#define GE(a, b) ((a) >= (b))\n#if GE(__METAL_VERSION__, 200)\nok\n#endif", "ok"),
        ("#define HAS defined(X) || 1\n#if HAS\nok\n#endif", "ok"),
        ("#define EMPTY\n#if EMPTY 1\nok\n#endif", "ok"),
        ("#define X\n#ifdef X\na\n#endif\n#ifndef X\nb\n#endif\n#undef X\n#ifdef X\nc\n#endif", "a"),
    ]);
}

#[test]
fn groups() {
    check_table(&[
        ("#if 0\na\n#elif 1\nb\n#elif 1\nc\n#else\nd\n#endif", "b"),
        ("#if 0\na\n#elif 0\nb\n#else\nd\n#endif\ne", "d e"),
        ("#if 1\na\n#elif 1 / 0\nb\n#else\nc\n#endif", "a"),
        ("#if 0\n#if 1\na\n#else\nb\n#endif\n#elif 1\nc\n#endif", "c"),
        ("#if 1\n#if 0\na\n#else\nb\n#endif\n#else\nc\n#endif", "b"),
        ("#ifdef A\n#elifdef __METAL__\nx\n#elifndef A\ny\n#endif", "x"),
        // What is skipped need not make sense.
        ("#if 0\nit's \"broken\n#error no\n#include <nothing>\n#unknown\n1.2.3 @ '\n#endif\n1", "1"),
        ("#if 0\n#else\n#define Q 1\n#endif\nQ", "1"),
        ("# if 1\n#  define R 2\n# endif\n#\nR", "2"),
        ("#define F(x) x\nF(\n#if 1\n1\n#else\n2\n#endif\n)", "1"),
    ]);
}

#[test]
fn mismatched_groups() {
    let cases = [
        ("#if 1\na", vec!["unterminated-conditional"], "a"),
        ("#if 0\na", vec!["unterminated-conditional"], ""),
        ("#ifdef X\n#if 1\n#endif\n", vec!["unterminated-conditional"], ""),
        ("#endif\na", vec!["unmatched-conditional"], "a"),
        ("#else\na", vec!["unmatched-conditional"], "a"),
        ("#elif 1\na", vec!["unmatched-conditional"], "a"),
        ("#if 1\na\n#else\nb\n#else\nc\n#endif d", vec!["unmatched-conditional", "extra-tokens-after-directive"], "a"),
        ("#if 0\na\n#else\nb\n#elif 1\nc\n#endif\nd", vec!["unmatched-conditional"], "b d"),
        ("#ifdef\na\n#endif", vec!["invalid-macro-name"], ""),
        ("#ifdef 1\na\n#endif", vec!["invalid-macro-name"], ""),
        ("#ifdef X Y\na\n#endif", vec!["extra-tokens-after-directive"], ""),
    ];
    for (text, ids, tokens) in cases {
        let outcome = run(text);
        assert_eq!((outcome.ids(), outcome.text().as_str()), (ids, tokens), "{text}");
    }
    let outcome = run("int x;\n#if 1\nint y;\n");
    let diagnostic = outcome.diagnostics.iter().next().unwrap();
    assert_eq!(outcome.source_map.text(diagnostic.span), "#if");
    assert_eq!(outcome.source_map.location(diagnostic.span).unwrap().line, 2);
}

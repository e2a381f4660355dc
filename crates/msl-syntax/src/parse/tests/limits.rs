//! Depth and length: what is too deep is an error, what is long is fine.

use super::{messages, parse_text};

#[track_caller]
fn is_limited(source: String) {
    let parsed = parse_text(&source);
    assert!(parsed.diagnostics.iter().any(|d| d.id == "nesting-limit"), "{}", messages(&parsed));
}
#[track_caller]
fn is_clean(source: String) {
    let parsed = parse_text(&source);
    assert_eq!(messages(&parsed), "");
}
fn in_function(body: &str) -> String {
    format!("void f(int a, int b) {{ {body} }}")
}

#[test]
fn deep_nesting_is_reported_in_every_construct() {
    for n in [300, 100_000] {
        let r = |s: &str| s.repeat(n);
        is_limited(in_function(&format!("a = {}a{};", r("("), r(")"))));
        is_limited(in_function(&format!("a = {}a;", r("- "))));
        is_limited(in_function(&format!("a = {}a;", r("(int)"))));
        is_limited(in_function(&format!("a = {}a;", r("f("))));
        is_limited(in_function(&r("{")));
        is_limited(in_function(&r("if (a) ")));
        is_limited(in_function(&r("for (;;) while (a) ")));
        is_limited(in_function(&format!("a = {}b;", r("b = "))));
        is_limited(in_function(&format!("a = {}b;", r("a ? b : "))));
        is_limited(in_function(&format!("int x = {}1;", r("{"))));
        is_limited(in_function(&r("[&] { ")));
        is_limited(format!("{}int{} x;", r("vec<"), r(", 1>")));
        is_limited(format!("int {}x;", r("*")));
        is_limited(format!("int x{};", r("[1]")));
        is_limited(format!("int {}x{};", r("("), r(")")));
        is_limited(r("namespace a { "));
        is_limited(r("struct S { "));
        is_limited(format!("void f({}int x", r("void g(")));
        is_limited(format!("template <{}int", r("template <")));
        is_limited(in_function(&r("sizeof ")));
        is_limited(in_function(&format!("a = {}", r("decltype("))));
    }
}

#[test]
fn long_chains_are_limited_by_their_height() {
    let chain = |n: usize| in_function(&format!("a = b{};", " + a".repeat(n)));
    is_clean(chain(900));
    is_limited(chain(100_000));
    is_limited(in_function(&format!("a{};", ".x".repeat(5000))));
    is_limited(in_function(&format!("a{};", "[0]".repeat(5000))));
    is_limited(in_function(&format!("a = {}1;", "a, ".repeat(5000))));
}

#[test]
fn long_lists_are_fine() {
    is_clean(format!("constant int t[] = {{{}}};", "1 + 2, f(3), ".repeat(20_000)));
    is_clean(in_function(&"a = b + (a < b) * 2; ".repeat(20_000)));
    is_clean(in_function(&format!("if (a) a; {}", "else if (b) b; ".repeat(900))));
    is_clean(in_function(&format!("switch (a) {{ {} }}", "case 1: ".repeat(900))));
    is_clean(in_function(&format!("switch (a) {{ {} }}", "case 1: a = b; break; ".repeat(5000))));
    is_clean("struct S { int f() { return 1; } };".repeat(500));
}

#[test]
fn nesting_just_below_the_limit_is_clean() {
    let n = 200;
    is_clean(in_function(&format!("a = {}a{};", "(".repeat(n), ")".repeat(n))));
    is_clean(in_function(&format!("{}{}", "{".repeat(n), "}".repeat(n))));
    is_clean(format!("{}int{} x;", "vec<".repeat(n), ", 1>".repeat(n)));
}

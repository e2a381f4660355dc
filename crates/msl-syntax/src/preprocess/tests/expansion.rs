//! Macro expansion: C++ [cpp.replace] and Clang's extensions.

use super::*;

#[test]
fn examples_of_the_standard() {
    let example_3 = "
        #define x 3
        #define f(a) f(x * (a))
        #undef x
        #define x 2
        #define g f
        #define z z[0]
        #define h g(~
        #define m(a) a(w)
        #define w 0,1
        #define t(a) a
        #define p() int
        #define q(x) x
        #define r(x,y) x ## y
        #define str(x) # x
        f(y+1) + f(f(z)) % t(t(g)(0) + t)(1);
        g(x+(3,4)-w) | h 5) & m
            (f)^m(m);
        p() i[q()] = { q(1), r(2,3), r(4,), r(,5), r(,) };
        char c[2][6] = { str(hello), str() };";
    check_table(&[(
        example_3,
        "f(2 * (y+1)) + f(2 * (f(2 * (z[0])))) % f(2 * (0)) + t(1);
         f(2 * (2+(3,4)-0,1)) | f(2 * (~ 5)) & f(2 * (0,1))^m(0,1);
         int i[] = { 1, 23, 4, 5, };
         char c[2][6] = { \"hello\", \"\" };",
    )]);
    let example_4 = r##"
        #define str(s) # s
        #define xstr(s) str(s)
        #define debug(s, t) printf("x" # s "= %d, x" # t "= %s", \
            x ## s, x ## t)
        #define INCFILE(n) vers ## n
        #define glue(a, b) a ## b
        #define xglue(a, b) glue(a, b)
        #define HIGHLOW "hello"
        #define LOW LOW ", world"
        debug(1, 2);
        fputs(str(strncmp("abc\0d", "abc", '\4') // this goes away
        == 0) str(: @\n), s);
        xstr(INCFILE(2).h)
        glue(HIGH, LOW);
        xglue(HIGH, LOW)"##;
    check_table(&[(
        example_4,
        r#"printf("x" "1" "= %d, x" "2" "= %s", x1, x2);
           fputs("strncmp(\"abc\\0d\", \"abc\", '\\4') == 0" ": @\\n", s);
           "vers2.h" "hello"; "hello" ", world""#,
    )]);
    // [cpp.subst]: placemarkers.
    check_table(&[(
        "#define t(x,y,z) x ## y ## z
         int j[] = { t(1,2,3), t(,4,5), t(6,,7), t(8,9,), t(10,,), t(,11,), t(,,12), t(,,) };",
        "int j[] = { 123, 45, 67, 89, 10, 11, 12, };",
    )]);
    // [cpp.concat]: a pasted `##` is no operator.
    check_table(&[(
        "#define hash_hash # ## #
         #define mkstr(a) # a
         #define in_between(a) mkstr(a)
         #define join(c, d) in_between(c hash_hash d)
         join(x, y);",
        "\"x ## y\";",
    )]);
    // [cpp.replace]: variable arguments.
    check_table(&[(
        r##"#define debug(...) fprintf(stderr, __VA_ARGS__)
            #define showlist(...) puts(#__VA_ARGS__)
            #define report(test, ...) ((test) ? puts(#test) : printf(__VA_ARGS__))
            debug("Flag");
            debug("X = %d\n", x);
            showlist(The first, second, and third items.);
            report(x>y, "x is %d but y is %d", x, y);"##,
        r#"fprintf(stderr, "Flag");
           fprintf(stderr, "X = %d\n", x);
           puts("The first, second, and third items.");
           ((x>y) ? puts("x>y") : printf("x is %d but y is %d", x, y));"#,
    )]);
}

#[test]
fn va_opt_examples_of_the_standard() {
    check_table(&[
        (
            "#define F(...) f(0 __VA_OPT__(,) __VA_ARGS__)
             #define G(X, ...) f(0, X __VA_OPT__(,) __VA_ARGS__)
             #define SDEF(sname, ...) S sname __VA_OPT__(= { __VA_ARGS__ })
             #define EMP
             F(a, b, c) F() F(EMP) G(a, b, c) G(a,) G(a) SDEF(foo); SDEF(bar, 1, 2);",
            "f(0, a, b, c) f(0) f(0) f(0, a, b, c) f(0, a) f(0, a) S foo; S bar = { 1, 2 };",
        ),
        (
            "#define H2(X, Y, ...) __VA_OPT__(X ## Y,) __VA_ARGS__
             #define H3(X, ...) #__VA_OPT__(X##X X##X)
             #define H4(X, ...) __VA_OPT__(a X ## X) ## b
             #define H5A(...) __VA_OPT__()/**/__VA_OPT__()
             #define H5B(X) a ## X ## b
             #define H5C(X) H5B(X)
             H2(a, b, c, d) H3(, 0) H4(, 1) H5C(H5A())",
            "ab, c, d \"\" a b ab",
        ),
    ]);
}

#[test]
fn rescanning_and_recursion() {
    check_table(&[
        ("#define f(a) a*g\n#define g(a) f(a)\nf(2)(9)", "2*9*g"),
        ("#define f(x) x f\nf(1)(2)(3)", "1 f(2)(3)"),
        ("#define f(a) a\nf(f)(1)", "f(1)"),
        ("#define A B\n#define B A\nA B", "A B"),
        ("#define foo foo + 1\nfoo", "foo + 1"),
        ("#define f(x) x\nf(f(f(f(1))))", "1"),
        ("#define NIL(xxx) xxx\n#define G_0(arg) NIL(G_1)(arg)\n#define G_1(arg) NIL(arg)\nG_0(42)", "42"),
        ("#define EMPTY\n#define DEFER(id) id EMPTY\n#define A() 123\nDEFER(A)()", "A ()"),
        (
            "#define EMPTY()\n#define DEFER(id) id EMPTY()\n#define EXPAND(...) __VA_ARGS__\n#define A() 123
             DEFER(A)() EXPAND(DEFER(A)())",
            "A () 123",
        ),
        ("#define a a b\n#define b b a\na", "a b a"),
        ("#define f() g\n#define g() 7\nf()()", "7"),
        ("#define lparen (\n#define f(x) <x>\nf lparen 1)", "f ( 1)"),
        ("#define lparen (\n#define f(x) <x>\n#define e(x) x\ne(f lparen 1))", "<1>"),
        ("#define obj() x\nobj", "obj"),
        ("#define f(x) [x]\nf\n\n (1)\nf", "[1] f"),
        // A name once disabled stays so, even where its macro is active again.
        ("#define x x y\n#define id(a) a\nid(x)", "x y"),
    ]);
}

#[test]
fn recursion_by_repeated_evaluation() {
    // The FOR_EACH idiom that kernels use to instantiate themselves.
    let input = "
        #define PARENS ()
        #define EXPAND(...) EXPAND3(EXPAND3(EXPAND3(__VA_ARGS__)))
        #define EXPAND3(...) EXPAND2(EXPAND2(EXPAND2(__VA_ARGS__)))
        #define EXPAND2(...) EXPAND1(EXPAND1(EXPAND1(__VA_ARGS__)))
        #define EXPAND1(...) __VA_ARGS__
        #define FOR_EACH(macro, ...) __VA_OPT__(EXPAND(FOR_EACH_HELPER(macro, __VA_ARGS__)))
        #define FOR_EACH_HELPER(macro, a1, ...) macro(a1) __VA_OPT__(FOR_EACH_AGAIN PARENS (macro, __VA_ARGS__))
        #define FOR_EACH_AGAIN() FOR_EACH_HELPER
        #define CASE(x) case x:
        FOR_EACH(CASE, a, b, c, d, e)";
    check_table(&[(input, "case a: case b: case c: case d: case e:")]);
}

#[test]
fn pasting_and_stringizing() {
    check_table(&[
        ("#define cat(a,b) a##b\ncat(x,1) cat(1,e5) cat(<,<=) cat(-,>) cat(.,5)", "x1 1e5 <<= -> .5"),
        ("#define cat(a,b) a##b\n#define xy 9\ncat(x,y)", "9"),
        ("#define AB ok\n#define A B ## C\nA", "BC"),
        ("#define str(...) #__VA_ARGS__\nstr( a,  b\n c /* x */ d )", "\"a, b c d\""),
        (
            r#"#define str(x) #x
            str("a\n" '"')"#,
            r#""\"a\\n\" '\"'""#,
        ),
        ("#define str(x) #x\n#define y 1\nstr(y) str(str(y))", "\"y\" \"str(y)\""),
        ("#define f(x) # x\nf(  )", "\"\""),
        ("#define TYPE(n) float ## n\nTYPE(4) v;", "float4 v;"),
        ("#define op(o) operator o ## =\nop(+) op(<<)", "operator += operator <<="),
    ]);
}

#[test]
fn directives_do_not_come_from_macros() {
    assert_eq!(expand("#define hash #\nhash define X\nX"), "# define X X");
}

#[test]
fn white_space_survives_macros_that_come_to_nothing() {
    check_table(&[
        (
            "#define E\n#define S(x) #x\n#define X(x) S(x)\nX(a E b) X(f( E)) X(f(E)) X(a E(b))",
            r#""a b" "f( )" "f()" "a (b)""#,
        ),
        ("#define S(x) #x\n#define X(x) S(x)\n#define P(a, b) [a b]\nX(P(,1)) X(P(1,))", r#""[ 1]" "[1 ]""#),
    ]);
    let outcome = run("#define INLINE\nint a;\nINLINE int b;\n");
    assert_eq!(print_tokens(&outcome.tokens), "int a;\nint b;\n");
}

#[test]
fn gnu_variadics() {
    check_table(&[
        ("#define e(fmt, args...) f(fmt, ##args)\ne(1) e(1,) e(1,2,3)", "f(1) f(1) f(1,2,3)"),
        ("#define e(fmt, ...) f(fmt, ##__VA_ARGS__)\ne(1) e(1,2,3)", "f(1) f(1,2,3)"),
        ("#define v 7\n#define e(fmt, ...) f(fmt, ##__VA_ARGS__)\ne(1,v)", "f(1,7)"),
        ("#define e(...) [__VA_ARGS__]\ne() e(,) e((a,b))", "[] [,] [(a,b)]"),
    ]);
}

#[test]
fn dynamic_macros() {
    check_table(&[
        ("__LINE__\n\n__LINE__", "1 3"),
        ("#define L __LINE__\n\nL\n#define F(x) x L\nF(\n1)", "3 1 5"),
        (
            "#line 100\n__LINE__ __FILE__\n#line 7 \"other.metal\"\n__LINE__ __FILE__",
            "100 \"main.metal\" 7 \"other.metal\"",
        ),
        ("# 41 \"pre.metal\" 1\n__LINE__ __FILE__", "41 \"pre.metal\""),
        ("__COUNTER__ __COUNTER__ __COUNTER__", "0 1 2"),
        ("__INCLUDE_LEVEL__ __BASE_FILE__", "0 \"main.metal\""),
        ("#define C2(a,b) a##b\n#define C(a,b) C2(a,b)\nC(x,__LINE__) C(y,__COUNTER__) C(y,__COUNTER__)", "x3 y0 y1"),
    ]);
}

#[test]
fn predefined_macros_follow_the_options() {
    let text = "__METAL_VERSION__ __cplusplus __METAL__ __METAL_MACOS__ __HAVE_BFLOAT__";
    let options = PreprocessOptions { version: (4, 0), ..PreprocessOptions::default() };
    assert_eq!(run_with(text, &options, &NoFiles).text(), "400 201703l 1 1 1");
    let options = PreprocessOptions { version: (2, 4), ..PreprocessOptions::default() };
    assert_eq!(run_with(text, &options, &NoFiles).text(), "240 201402l 1 1 __HAVE_BFLOAT__");
}

#[test]
fn options_define_and_undefine() {
    let options = PreprocessOptions {
        defines: vec![("N".into(), "4".into()), ("SQ(x)".into(), "((x)*(x))".into()), ("GONE".into(), "1".into())],
        undefines: vec!["GONE".into()],
        ..PreprocessOptions::default()
    };
    let outcome = run_with("SQ(N) GONE", &options, &NoFiles);
    assert!(outcome.diagnostics.is_empty());
    assert_eq!(outcome.text(), "( ( 4 ) * ( 4 ) ) GONE");
    for bad in ["", "1x", "a b", "x\n#error"] {
        let options = PreprocessOptions { defines: vec![(bad.into(), "1".into())], ..PreprocessOptions::default() };
        assert_eq!(run_with("", &options, &NoFiles).ids(), ["invalid-define-option"], "{bad:?}");
    }
}

#[test]
fn macros_travel_from_one_run_to_the_next() {
    let prelude = run("#define TWO 2\n#define TWICE(x) ((x) * TWO)\n");
    let options = PreprocessOptions { initial_macros: Some(prelude.macros.clone()), ..PreprocessOptions::default() };
    let mut source_map = prelude.source_map.clone();
    let mut diagnostics = Diagnostics::new();
    let file = source_map.add("user.metal", "TWICE(3)\n#undef TWO\n", false).unwrap();
    let result = preprocess(&mut source_map, file, &options, &NoFiles, &mut diagnostics);
    assert!(diagnostics.is_empty());
    assert_eq!(print_tokens(&result.tokens), "((3) * 2)\n");
    assert!(prelude.macros.is_defined("TWO") && !result.macros.is_defined("TWO"));
}

#[test]
fn spans_say_where_text_was_written_and_used() {
    let text = "#define ADD(a, b) a + b##c\n\nint x = ADD(first, sec);";
    let outcome = run(text);
    let find = |name: &str| outcome.tokens.iter().find(|t| t.to_string() == name).unwrap().span;
    let map = &outcome.source_map;
    // An argument is where the caller wrote it.
    assert_eq!(map.text(find("first")), "first");
    assert_eq!(map.location(find("first")).unwrap().column, 13);
    // The body is where the definition has it, and used at the call.
    let plus = find("+");
    assert_eq!(map.text(plus), "+");
    assert_eq!(map.position(plus.start).unwrap().line, 1);
    assert_eq!(map.location(plus).unwrap().line, 3);
    assert_eq!(map.text(map.use_site(plus)), "ADD(first, sec)");
    let expansion = map.expansion(plus.expansion);
    assert_eq!((expansion.macro_name.as_str(), map.text(expansion.definition)), ("ADD", "ADD"));
    assert_eq!(map.location(find("secc")).unwrap().line, 3);
}

#[test]
fn nested_expansions_chain_to_the_outermost_call() {
    let outcome = run("#define IN 1\n#define OUT(x) IN + x\nOUT(2)");
    let one = outcome.tokens[0].span;
    let map = &outcome.source_map;
    let inner = map.expansion(one.expansion);
    assert_eq!(inner.macro_name, "IN");
    assert_eq!(map.expansion(inner.call_site.expansion).macro_name, "OUT");
    assert_eq!(map.location(one).unwrap().line, 3);
}

#[test]
fn saved_macros_come_back() {
    check_table(&[(
        "#define X 1
         #pragma push_macro(\"X\")
         #undef X
         #define X 2
         X
         #pragma pop_macro(\"X\")
         X
         #pragma push_macro(\"Y\")
         #define Y 3
         #pragma pop_macro(\"Y\")
         Y",
        "2 1 Y",
    )]);
}

#[test]
fn macros_describe_themselves() {
    let outcome = run("#define A\n#define B 1 +2\n#define C(x, ...) #x __VA_ARGS__\n#define D(a, r...) a##r\n");
    let describe = |name: &str| outcome.macros.get(Symbol::new(name)).unwrap().describe();
    assert_eq!(describe("A"), "A");
    assert_eq!(describe("B"), "B 1 +2");
    assert_eq!(describe("C"), "C(x, ...) #x __VA_ARGS__");
    assert_eq!(describe("D"), "D(a, r...) a##r");
}

//! `#include`, pragmas, and what they leave in the stream.

use super::*;
use crate::token::{ContractMode, MathMode, Pragma, UnrollHint};

fn with_files(files: &[(&str, &str)], text: &str) -> Outcome {
    let mut provider = MemoryFiles::new();
    for (name, text) in files {
        provider.insert(name, text);
    }
    run_with(text, &PreprocessOptions::default(), &provider)
}

#[test]
fn files_are_found_beside_their_includer() {
    let files = [
        ("lib/a.h", "a #include_is_no_directive_here\n#include \"b.h\"\n#include <b.h>\n#include \"../c.h\""),
        ("lib/b.h", "lib_b"),
        ("b.h", "top_b"),
        ("c.h", "c __FILE__ __LINE__ __INCLUDE_LEVEL__"),
    ];
    let outcome =
        with_files(&files, "#include \"lib/a.h\"\n#define D <b.h>\n#include D\n#define E \"c.h\"\n#include E\nend");
    assert_eq!(outcome.text(), "a # include_is_no_directive_here lib_b top_b c \"c.h\" 1 2 top_b c \"c.h\" 1 1 end");
    assert!(outcome.diagnostics.is_empty(), "{:?}", outcome.diagnostics);
}

#[test]
fn once_and_guards() {
    let files =
        [("once.h", "#pragma once\nonce"), ("guard.h", "#ifndef G\n#define G\nguard\n#endif"), ("x.h", "X(a) X(b)\n")];
    let text = "#include \"once.h\"\n#include \"./once.h\"\n#include \"guard.h\"\n#include \"guard.h\"
        #import \"x.h\"\n#import \"x.h\"\n#define X(a) [a]\n#include \"x.h\"";
    assert_eq!(with_files(&files, text).text(), "once guard X ( a ) X ( b )");
    let text = "#define X(a) [a]\n#include \"x.h\"\n#undef X\n#define X(a) {a}\n#include \"x.h\"";
    assert_eq!(with_files(&files, text).text(), "[ a ] [ b ] { a } { b }");
    assert_eq!(run("#pragma once\n").ids(), ["pragma-once-in-main-file"]);
}

#[test]
fn builtin_headers_are_always_there() {
    let text =
        "#include <metal_stdlib>\n#include <simd/simd.h>\n#include <metal_simdgroup_matrix>\n#include \"simd/simd.h\"
        #if __has_include(<metal_stdlib>) && !__has_include(\"none.h\")\nok\n#endif";
    assert_eq!(expand(text), "ok");
}

#[test]
fn has_include_asks_the_provider() {
    let outcome = with_files(
        &[("a/b.h", "")],
        "#define H <a/b.h>\n#if __has_include(\"a/b.h\") && __has_include(<a/b.h>) && __has_include(H) && !__has_include(<c.h>)\nok\n#endif",
    );
    assert_eq!(outcome.text(), "ok");
    assert!(outcome.diagnostics.is_empty());
}

#[test]
fn includes_that_fail() {
    let cases = [
        ("#include \"none.h\"", "include-not-found"),
        ("#include <none.h>", "include-not-found"),
        ("#include none", "invalid-include"),
        ("#include", "invalid-include"),
        ("#include <abc", "invalid-include"),
        ("#include \"\"", "invalid-include"),
        ("#include \"abc", "invalid-include"),
        ("#define F(x) x\nF(\n#include \"a.h\"\n)", "include-in-macro-arguments"),
    ];
    for (text, id) in cases {
        assert_eq!(run(text).ids(), [id], "{text}");
    }
    let outcome = with_files(&[("lib/a.h", "#include \"none.h\"")], "#include \"lib/a.h\"");
    assert_eq!(outcome.diagnostics.iter().next().unwrap().notes[0].message, "searched: lib/none.h, none.h");
}

#[test]
fn files_that_include_themselves_end_in_one_error() {
    let outcome = with_files(&[("a.h", "#include \"a.h\"\n#include \"a.h\"\n")], "#include \"a.h\"\nx");
    assert_eq!(outcome.ids(), ["preprocessor-limit"]);
}

#[test]
fn a_call_does_not_reach_out_of_its_file() {
    let outcome = with_files(&[("a.h", "#define F(x) <x>\nF(1")], "#include \"a.h\"\n)");
    assert_eq!(outcome.ids(), ["unterminated-macro-call"]);
    let outcome = with_files(&[("a.h", "#if 1\n")], "#include \"a.h\"\n#endif");
    assert_eq!(outcome.ids(), ["unterminated-conditional", "unmatched-conditional"]);
}

#[test]
fn positions_are_those_of_the_included_file() {
    let outcome = with_files(&[("a.h", "\n  here")], "#include \"a.h\"\n");
    let location = outcome.source_map.location(outcome.tokens[0].span).unwrap();
    assert_eq!((location.file.as_str(), location.line, location.column), ("a.h", 2, 3));
}

fn pragmas(text: &str) -> Vec<Pragma> {
    let outcome = run(text);
    let only_pragmas = outcome.tokens.iter().filter_map(|t| match t.kind {
        TokenKind::Pragma(pragma) => Some(pragma),
        _ => None,
    });
    only_pragmas.collect()
}

#[test]
fn pragmas_for_the_parser() {
    use UnrollHint::*;
    let cases = [
        ("#pragma unroll", Pragma::Unroll(Enable)),
        ("#pragma unroll 4", Pragma::Unroll(Count(4))),
        ("#pragma unroll(8)", Pragma::Unroll(Count(8))),
        ("#pragma unroll (N)", Pragma::Unroll(Enable)),
        ("#pragma unroll 1", Pragma::Unroll(Disable)),
        ("#define N 16\n#pragma unroll N", Pragma::Unroll(Count(16))),
        ("#pragma nounroll", Pragma::Unroll(Disable)),
        ("#pragma GCC unroll 2", Pragma::Unroll(Count(2))),
        ("#pragma clang loop unroll(full)", Pragma::Unroll(Full)),
        ("#pragma clang loop unroll(disable)", Pragma::Unroll(Disable)),
        ("#pragma clang loop vectorize(enable) unroll_count(4)", Pragma::Unroll(Count(4))),
        ("_Pragma(\"clang loop unroll(full)\")", Pragma::Unroll(Full)),
        ("#define U _Pragma(\"unroll\")\nU", Pragma::Unroll(Enable)),
        ("#define P(x) _Pragma(#x)\nP(unroll(3))", Pragma::Unroll(Count(3))),
        ("#define ID(x) x\nID(_Pragma(\"unroll 5\"))", Pragma::Unroll(Count(5))),
        ("#define ID(x) x\nID(\n#pragma unroll 6\n)", Pragma::Unroll(Count(6))),
        ("#pragma METAL fp math_mode(fast)", Pragma::MathMode(MathMode::Fast)),
        ("#pragma METAL fp math_mode(relaxed)", Pragma::MathMode(MathMode::Relaxed)),
        ("#pragma METAL fp math_mode(safe)", Pragma::MathMode(MathMode::Safe)),
        ("#pragma METAL fp contract(off)", Pragma::Contract(ContractMode::Off)),
        ("#pragma METAL fp contract(on)", Pragma::Contract(ContractMode::On)),
        ("#pragma clang fp contract(fast)", Pragma::Contract(ContractMode::Fast)),
        ("#pragma STDC FP_CONTRACT OFF", Pragma::Contract(ContractMode::Off)),
    ];
    for (text, pragma) in cases {
        assert_eq!(pragmas(text), [pragma], "{text}");
        assert!(run(text).diagnostics.is_empty(), "{text}");
    }
}

#[test]
fn other_pragmas_are_ignored() {
    let text = "#pragma\n#pragma mark - x\n#pragma clang diagnostic push\n#pragma clang diagnostic ignored \"-Wx\"
        #pragma METAL internals : enable\n#pragma clang loop vectorize(enable)\n_Pragma(\"mark\") x";
    assert_eq!(expand(text), "x");
}

#[test]
fn a_pragma_stands_where_it_was() {
    let outcome = run("{\n#pragma unroll\nfor (;;) ;\n}");
    assert_eq!(print_tokens(&outcome.tokens), "{\n#pragma unroll\nfor (;;) ;\n}\n");
    assert_eq!(outcome.source_map.text(outcome.tokens[1].span), "#pragma unroll");
}

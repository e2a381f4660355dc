//! Totality: anything ends, in bounded time and memory, without a panic.

use super::*;

/// A small generator of numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

fn small_limits() -> PreprocessOptions {
    let limits = Limits { tokens: 20_000, steps: 50_000, expansions: 5_000, ..Limits::default() };
    PreprocessOptions { limits, ..PreprocessOptions::default() }
}

#[test]
fn random_text_ends_in_tokens_and_diagnostics() {
    const PIECES: &[&str] = &[
        "#define ",
        "#define F(x, y) ",
        "#define G(...) ",
        "#undef ",
        "#if ",
        "#ifdef ",
        "#elif ",
        "#else",
        "#endif",
        "#include ",
        "#pragma ",
        "#line ",
        "#error ",
        "#",
        "##",
        "\n",
        "\n",
        "\n",
        " ",
        " ",
        "\\\n",
        "\\",
        "F",
        "G",
        "x",
        "y",
        "A",
        "B",
        "(",
        ")",
        "(",
        ")",
        ",",
        "F(",
        "G(",
        "A B",
        "__VA_ARGS__",
        "__VA_OPT__",
        "__VA_OPT__(",
        "defined",
        "__has_include",
        "__has_include(<",
        "__has_feature(",
        "_Pragma",
        "_Pragma(\"unroll",
        "\"",
        "'",
        "\"s\"",
        "'c'",
        "1",
        "0x1p",
        "1e+",
        "1.5h",
        "/*",
        "*/",
        "//",
        "<",
        ">",
        "\"a.h\"",
        "<metal_stdlib>",
        "?",
        ":",
        "&&",
        "||",
        "/",
        "%",
        "+",
        "-",
        "!",
        "\u{e9}",
        "\u{201c}",
        "\u{0}",
        "\r",
        "\t",
        "unroll",
        "once",
        "METAL fp math_mode(",
        "push_macro(\"A\")",
        "pop_macro(\"A\")",
        "__LINE__",
        "__COUNTER__",
        "__FILE__",
        "R\"(",
        ")\"",
        "99999999999999999999",
        "...",
        "args...",
    ];
    let mut provider = MemoryFiles::new();
    provider.insert("a.h", "#pragma once\n#define A B F(A,\n");
    let options = small_limits();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..3000 {
        let mut text = String::new();
        for _ in 0..random.below(60) {
            text.push_str(PIECES[random.below(PIECES.len())]);
        }
        let outcome = run_with(&text, &options, &provider);
        assert!(outcome.tokens.last().is_some_and(|t| t.is_eof()), "round {round}: {text:?}");
        // Every span resolves, and what was printed can be read.
        for token in &outcome.tokens {
            outcome.source_map.location(token.span);
            outcome.source_map.text(token.span);
        }
        for diagnostic in outcome.diagnostics.iter() {
            outcome.source_map.location(diagnostic.span);
        }
        run_with(&print_tokens(&outcome.tokens), &options, &provider);
    }
}

#[test]
fn random_bytes_end_in_tokens_and_diagnostics() {
    let options = small_limits();
    let mut random = Random(42);
    for _ in 0..2000 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
        run_with(&String::from_utf8_lossy(&bytes), &options, &NoFiles);
        let ascii: String = bytes.iter().map(|b| (b & 0x7f) as char).collect();
        run_with(&ascii, &options, &NoFiles);
    }
}

#[test]
fn expansion_bombs_meet_a_limit() {
    let mut doubling = String::from("#define X0 x x\n");
    let mut pasting = String::from("#define CAT_(a,b) a##b\n#define CAT(a,b) CAT_(a,b)\n#define P0 abcdefgh\n");
    for i in 1..60 {
        doubling.push_str(&format!("#define X{i} X{0} X{0}\n", i - 1));
        pasting.push_str(&format!("#define P{i} CAT(P{0},P{0})\n", i - 1));
    }
    doubling.push_str("X59\n");
    pasting.push_str("P59\n");
    let stringizing = format!(
        "#define S(...) #__VA_ARGS__\n#define D(...) __VA_ARGS__ __VA_ARGS__\n#define E(...) S(__VA_ARGS__)\nE({}x{})",
        "D(".repeat(40),
        ")".repeat(40)
    );
    let wide = format!("#define W(x) {}\nW({})", "x ".repeat(2000), "y ".repeat(2000));
    for text in [doubling, pasting, stringizing, wide] {
        let outcome = run_with(&text, &small_limits(), &NoFiles);
        assert_eq!(outcome.ids(), ["preprocessor-limit"]);
        assert!(outcome.tokens.last().is_some_and(|t| t.is_eof()));
    }
}

#[test]
fn deep_nesting_costs_no_stack() {
    let limited = |text: String| {
        let ids = run(&text).ids();
        assert!(ids.is_empty() || ids == ["preprocessor-limit"] || ids == ["invalid-condition"], "{ids:?}");
    };
    limited(format!("#define F(x) x\n{}1{}", "F(".repeat(5000), ")".repeat(5000)));
    limited(format!("#if {}1{}\n#endif", "(".repeat(50_000), ")".repeat(50_000)));
    limited(format!("#if {}1\n#endif", "!".repeat(50_000)));
    limited(format!("#if {}1\n#endif", "1 ? ".repeat(50_000)));
    limited(format!("#define F(x) x\nF{}1{}", "(".repeat(100_000), ")".repeat(100_000)));
    let mut chain = String::new();
    for i in 0..5000 {
        chain.push_str(&format!("#define A{i} A{}\n", i + 1));
    }
    chain.push_str("A0");
    assert_eq!(expand(&chain), "A5000");
    let conditionals = format!("{}x\n{}", "#if 1\n".repeat(20_000), "#endif\n".repeat(20_000));
    assert_eq!(expand(&conditionals), "x");
}

#[test]
fn ordinary_nesting_is_no_problem() {
    let text = format!("#define F(x) x\n{}1{}", "F(".repeat(150), ")".repeat(150));
    assert_eq!(expand(&text), "1");
}

/// Linear behavior: these take seconds if something rescans what it has seen.
#[test]
fn large_inputs_take_linear_time() {
    let mut text = String::from("#define MAC(a, b) ((a) * (b) + 1)\n#define N 16\n");
    for i in 0..15_000 {
        text.push_str(&format!("  float value_{} = MAC(in[{i}], scale) + helper(N, {i}.5f); // comment\n", i % 700));
    }
    let start = std::time::Instant::now();
    let outcome = run(&text);
    let elapsed = start.elapsed();
    assert!(outcome.diagnostics.is_empty());
    assert!(outcome.tokens.len() > 300_000);
    assert!(elapsed.as_secs() < 20, "{elapsed:?}");
    run(&"\\\n".repeat(200_000));
    run(&"/*".repeat(200_000));
    run(&"\"".repeat(200_000));
    run(&"<\\\n".repeat(100_000));
    run(&"#if 0\n#else\n#endif\n".repeat(50_000));
}

//! Tests of the parser: trees, messages, and totality.

mod errors;
mod forms;
mod fuzz;
mod kernels;
mod limits;

use msl_base::{Diagnostics, SourceMap};

use crate::dump::dump;
use crate::parse::{Scopes, parse};
use crate::preprocess::{MemoryFiles, PreprocessOptions, preprocess};
use crate::token::Token;

/// What the standard library declares, as far as the tests use it.
const PRELUDE: &str = "
namespace metal {
template <typename T, int N> struct vec;
using float2 = __vec<float, 2>; using float4 = __vec<float, 4>; using half4 = __vec<half, 4>;
using int2 = __vec<int, 2>; using uint2 = __vec<uint, 2>;
enum class access { sample, read, write };
template <typename T, access A = access::sample> struct texture2d {
  template <typename S> T sample(S s, float2 p) const;
  T read(uint2 p) const;
};
template <typename T> struct atomic {};
using atomic_int = atomic<int>;
template <typename T> T min(T a, T b);
template <typename T> T max(T a, T b);
float sin(float x);
template <typename T, typename U> T as_type(U u);
template <bool B, typename T = void> struct enable_if;
template <bool B, typename T = void> using enable_if_t = typename enable_if<B, T>::type;
template <typename T, typename U> constexpr constant bool is_same_v = false;
template <typename T, T V> struct integral_constant { static constexpr constant T value = V; };
enum class mem_flags { mem_none, mem_threadgroup };
void threadgroup_barrier(mem_flags f);
}
using namespace metal;
";

struct Parsed {
    map: SourceMap,
    tree: String,
    diagnostics: Diagnostics,
}

fn tokens(map: &mut SourceMap, name: &str, text: &str, diagnostics: &mut Diagnostics) -> Vec<Token> {
    let file = map.add(name, text, false).expect("test sources are small");
    preprocess(map, file, &PreprocessOptions::default(), &MemoryFiles::new(), diagnostics).tokens
}

fn prelude(map: &mut SourceMap) -> Scopes {
    let mut diagnostics = Diagnostics::new();
    let tokens = tokens(map, "prelude", PRELUDE, &mut diagnostics);
    let (_, scopes) = parse(&tokens, map, &Scopes::builtin(), &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    scopes
}

fn parse_text(text: &str) -> Parsed {
    let mut map = SourceMap::new();
    let scopes = prelude(&mut map);
    let mut diagnostics = Diagnostics::new();
    let tokens = tokens(&mut map, "t.metal", text, &mut diagnostics);
    let (unit, _) = parse(&tokens, &map, &scopes, &mut diagnostics);
    Parsed { tree: dump(&unit), map, diagnostics }
}

/// The messages as `line:column id message`, notes and remedies indented below.
fn messages(parsed: &Parsed) -> String {
    let mut out = String::new();
    let at = |span| parsed.map.location(span).map_or("?".to_string(), |l| format!("{}:{}", l.line, l.column));
    for d in parsed.diagnostics.iter() {
        out += &format!("{} {} {}\n", at(d.span), d.id, d.message);
        for note in &d.notes {
            let place = note.span.map_or(String::new(), |s| format!("{} ", at(s)));
            out += &format!("  note {place}{}\n", note.message);
        }
        if let Some(help) = &d.help {
            out += &format!("  help {help}\n");
        }
    }
    out
}

fn trim(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    let margin = lines.iter().map(|l| l.len() - l.trim_start().len()).min().unwrap_or(0);
    lines.iter().map(|l| format!("{}\n", &l[margin..])).collect()
}

/// Parses without complaint to the given tree.
#[track_caller]
fn check(source: &str, expected: &str) {
    let parsed = parse_text(source);
    assert_eq!(messages(&parsed), "", "in {source}");
    assert_eq!(parsed.tree, trim(expected), "in {source}");
}

/// The statement or statements, inside a function with some names to use.
#[track_caller]
fn check_stmt(source: &str, expected: &str) {
    let text = format!(
        "template <typename T, int N, typename... Ts> void f(int a, int b, int c, device float *p, Ts... ts) {{ {source} }}"
    );
    let parsed = parse_text(&text);
    assert_eq!(messages(&parsed), "", "in {source}");
    let tree: String = parsed.tree.lines().skip(1).map(|l| format!("{l}\n")).collect();
    assert_eq!(trim(&tree), trim(expected), "in {source}");
}

/// Exactly these messages.
#[track_caller]
fn check_errors(source: &str, expected: &str) {
    let parsed = parse_text(source);
    assert_eq!(messages(&parsed), trim(expected), "in {source}\n{}", parsed.tree);
}

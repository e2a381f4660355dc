//! Tests by area. Most are tables: an input, and what must come out.

mod conditions;
mod diagnostics;
mod expansion;
mod includes;
mod literals;
mod robustness;
mod tokens;

use msl_base::{Diagnostics, SourceMap, Symbol};

use super::*;
use crate::token::TokenKind;

/// A finished run with everything one may want to look at.
pub(super) struct Outcome {
    pub tokens: TokenStream,
    pub macros: Arc<MacroTable>,
    pub diagnostics: Diagnostics,
    pub source_map: SourceMap,
}

impl Outcome {
    /// The tokens with one space between them; lines do not matter.
    pub fn text(&self) -> String {
        let words: Vec<String> = self.tokens.iter().filter(|t| !t.is_eof()).map(|t| t.to_string()).collect();
        words.join(" ")
    }
    pub fn ids(&self) -> Vec<&'static str> {
        self.diagnostics.iter().map(|d| d.id).collect()
    }
    pub fn kinds(&self) -> Vec<TokenKind> {
        self.tokens.iter().map(|t| t.kind).collect()
    }
}

pub(super) fn run_with(text: &str, options: &PreprocessOptions, provider: &dyn FileProvider) -> Outcome {
    let mut source_map = SourceMap::new();
    let mut diagnostics = Diagnostics::new();
    let file = source_map.add("main.metal", text, false).expect("test inputs are small");
    let result = preprocess(&mut source_map, file, options, provider, &mut diagnostics);
    Outcome { tokens: result.tokens, macros: result.macros, diagnostics, source_map }
}

pub(super) fn run(text: &str) -> Outcome {
    run_with(text, &PreprocessOptions::default(), &NoFiles)
}

/// What `text` becomes; there must be no complaint.
pub(super) fn expand(text: &str) -> String {
    let outcome = run(text);
    assert!(outcome.diagnostics.is_empty(), "{text}\n{:#?}", outcome.diagnostics);
    outcome.text()
}

/// Each case is an input and the text it must become, compared token by token.
pub(super) fn check_table(cases: &[(&str, &str)]) {
    for (input, expected) in cases {
        let expected: Vec<String> = run(expected).tokens.iter().map(|t| t.to_string()).collect();
        assert_eq!(expand(input), expected[..expected.len() - 1].join(" "), "input:\n{input}");
    }
}

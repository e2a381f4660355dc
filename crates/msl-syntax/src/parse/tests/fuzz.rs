//! Deterministic mutations of valid sources: whatever comes, the parser ends without a panic, and where it drops
//! something it says so.

use msl_base::{Diagnostics, SourceMap};

use super::kernels::MIXED;
use crate::dump::dump;
use crate::parse::parse;
use crate::token::Token;

/// xorshift64*, so that failures repeat.
struct Random(u64);

impl Random {
    fn next(&mut self) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize
    }
    fn below(&mut self, n: usize) -> usize {
        self.next() % n.max(1)
    }
}

fn mutate(tokens: &mut Vec<Token>, original: &[Token], random: &mut Random) {
    for _ in 0..1 + random.below(4) {
        let at = random.below(tokens.len() - 1);
        let from = random.below(original.len() - 1);
        match random.below(6) {
            0 => {
                tokens.remove(at);
            }
            1 => tokens.insert(at, original[from]),
            2 => tokens[at] = original[from],
            3 => {
                let other = random.below(tokens.len() - 1);
                tokens.swap(at, other);
            }
            4 => {
                let end = (from + random.below(20)).min(original.len() - 1);
                let piece = original[from..end].to_vec();
                tokens.splice(at..at, piece);
            }
            _ => {
                let end = (at + random.below(20)).min(tokens.len() - 1);
                tokens.drain(at..end);
            }
        }
        if tokens.len() < 2 {
            return;
        }
    }
}

#[test]
fn mutated_programs_never_panic() {
    let mut map = SourceMap::new();
    let scopes = super::prelude(&mut map);
    let mut lexing = Diagnostics::new();
    let original = super::tokens(&mut map, "mixed.metal", MIXED, &mut lexing);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let rounds = std::env::var("MSL_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    for round in 0..rounds {
        let mut tokens = original.clone();
        mutate(&mut tokens, &original, &mut random);
        let mut diagnostics = Diagnostics::new();
        let (unit, _) = parse(&tokens, &map, &scopes, &mut diagnostics);
        let tree = dump(&unit);
        assert!(!tree.contains("<error>") || diagnostics.has_errors(), "round {round}: silent error in\n{tree}");
    }
}

#[test]
fn every_prefix_and_suffix_parses_to_something() {
    let mut map = SourceMap::new();
    let scopes = super::prelude(&mut map);
    let mut lexing = Diagnostics::new();
    let original = super::tokens(&mut map, "mixed.metal", MIXED, &mut lexing);
    for end in (0..original.len()).step_by(3) {
        let mut diagnostics = Diagnostics::new();
        parse(&original[..end], &map, &scopes, &mut diagnostics);
        parse(&original[end..], &map, &scopes, &mut diagnostics);
    }
}

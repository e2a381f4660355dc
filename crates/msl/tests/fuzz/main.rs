//! Fuzzing without coverage, for every change: past findings are replayed, and seeds are mutated for some seconds.
//!
//! `METALLIC_FUZZ_SECONDS` says for how long each target is fed mutations, `METALLIC_FUZZ_FIRST` with which number they
//! begin. An input that fails is written to `target/tmp/fuzz`; what is made of it for good is a file in `findings`.

mod mutate;
mod seeds;
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use mutate::{Random, mutate};
use targets::{TARGETS, Target};

/// Far more than any input needs, in a debug build on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

fn seeds_of(target: &str) -> Vec<String> {
    if target == "ir_text" { seeds::modules() } else { seeds::sources() }
}

/// Runs a target; an input that fails is kept.
fn survives(name: &str, target: Target, text: &str, what: &str) {
    let begin = Instant::now();
    let panic = catch_unwind(AssertUnwindSafe(|| target(text.as_bytes()))).is_err();
    if panic || begin.elapsed() > PATIENCE {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}-failed"));
        std::fs::write(&path, text).unwrap();
        panic!("{name}: {what} fails after {:?}; see {}", begin.elapsed(), path.display());
    }
}

fn findings_are_survived(name: &str) {
    let target = TARGETS.iter().find(|t| t.0 == name).unwrap().1;
    for (file, text) in seeds::findings(name) {
        survives(name, target, &text, &file);
    }
}

fn mutations_are_survived(name: &str) {
    let target = TARGETS.iter().find(|t| t.0 == name).unwrap().1;
    let seeds = seeds_of(name);
    assert!(seeds.len() > 50, "{} seeds of {name}", seeds.len());
    let number = |name| std::env::var(name).ok().and_then(|s| s.parse().ok());
    let seconds = number("METALLIC_FUZZ_SECONDS").unwrap_or(5);
    let first = number("METALLIC_FUZZ_FIRST").unwrap_or(1);
    let begin = Instant::now();
    let mut n = first;
    while begin.elapsed() < Duration::from_secs(seconds) {
        let mut random = Random::new(n);
        let mut text = seeds[random.below(seeds.len())].clone();
        for _ in 0..1 + random.below(3) {
            text = mutate(&text, &seeds[random.below(seeds.len())], &mut random, 64 << 10);
        }
        survives(name, target, &text, &format!("mutation {n}"));
        n += 1;
    }
    println!("{name}: {} mutations of {} seeds in {:.0?}", n - first, seeds.len(), begin.elapsed());
}

macro_rules! targets {
    ($($name:ident)*) => { $(mod $name {
        #[test]
        fn findings() {
            super::findings_are_survived(stringify!($name));
        }
        #[test]
        fn mutations() {
            super::mutations_are_survived(stringify!($name));
        }
    })* };
}
targets! { preprocess parse front_end ir_text }

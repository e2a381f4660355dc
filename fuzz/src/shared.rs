//! What the targets have in common: the functions under test, and a mutator that keeps tokens whole half of the time.

#[path = "../../crates/msl/tests/fuzz/mutate.rs"]
pub mod mutate;
#[path = "../../crates/msl/tests/fuzz/targets.rs"]
#[allow(dead_code)]
pub mod targets;

/// Writes the mutated input over the old one, and gives its length.
pub fn mutated(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = mutate::Random::new(u64::from(seed));
    let text = String::from_utf8_lossy(&data[..size]).into_owned();
    if text.is_empty() || random.below(3) == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let out = mutate::mutate(&text, &text, &mut random, max_size);
    data[..out.len()].copy_from_slice(out.as_bytes());
    out.len()
}

macro_rules! target {
    ($function:path) => {
        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            shared::mutated(data, size, max_size, seed)
        });
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $function(data));
    };
}
pub(crate) use target;

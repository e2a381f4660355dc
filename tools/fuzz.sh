#!/bin/sh
# Fuzzing with libFuzzer, each target for FUZZ_SECONDS (180). Ends with an error at the first crash, at an input that
# takes 10 seconds, or 2 GB of memory; the input is then in fuzz/artifacts. Corpora grow in fuzz/corpus from the sources
# of the tests. Usage: tools/fuzz.sh [TARGET...]
set -eu
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-180}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
PATH="$target/tools/bin:$PATH"
export PATH

cargo fuzz --version >/dev/null 2>&1 || cargo install --quiet --root "$target/tools" cargo-fuzz
cargo run --quiet --release -p msl --example fuzz_seeds fuzz/corpus
# Instrumentation for coverage is in the stable compiler, behind flags that it otherwise refuses. Without a sanitizer:
# what is fuzzed is safe Rust; but with the checks of a debug build. Its files are apart from those of the workspace.
export RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target/fuzz"
for name in ${*:-preprocess parse front_end ir_text}; do
    echo "== $name: $seconds s"
    cargo fuzz run --sanitizer none --debug-assertions "$name" -- -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=2048 -max_len=32768 -len_control=0 -print_final_stats=1 -close_fd_mask=1
done

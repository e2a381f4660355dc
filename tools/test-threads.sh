#!/usr/bin/env bash
# Looks for data races and undefined behavior where threads meet: command queues, events, the thread pool, the caches
# of machine code and of staging memory, pipelines made and used by many threads.
#
#   tools/test-threads.sh [miri|tsan]...
#
# Miri executes the tests of the code below the devices and checks each access to memory; it also chooses other orders
# of threads than processors do. ThreadSanitizer runs the same tests, those of the CPU device's pool and cache and those
# of the object model, as machine code. Both need a nightly Rust with its sources; rustup installs them. LLVM itself
# is not instrumented: what happens inside of it is not looked at (see tools/tsan.supp).
set -euo pipefail
cd "$(dirname "$0")/.."
toolchain=${NIGHTLY:-nightly}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
host=$(rustc -vV | sed -n 's/^host: //p')
parts=("${@:-all}")

installed=$(rustup "+$toolchain" component list --installed 2>/dev/null || true)
for component in rust-src miri; do
  grep -q "^$component" <<<"$installed" || rustup toolchain install "$toolchain" --profile minimal --component rust-src,miri
done

wants() { [[ " ${parts[*]} " == *" all "* || " ${parts[*]} " == *" $1 "* ]]; }

if wants miri; then
  # Clocks and threads of the system are used. Threads that wait for work outlive the tests, with what they hold.
  export MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-ignore-leaks ${MIRIFLAGS:-}"
  CARGO_TARGET_DIR=$target/miri cargo "+$toolchain" miri test -p metallic-hal --lib -- queue event threads memory history
  echo "test-threads: miri: ok"
fi

if wants tsan; then
  export TSAN_OPTIONS="halt_on_error=1 suppressions=$PWD/tools/tsan.supp ${TSAN_OPTIONS:-}"
  # With a target of its own, build scripts and macros are built without. The standard library is built with.
  sanitized() {
    RUSTFLAGS="-Zsanitizer=thread ${RUSTFLAGS:-}" CARGO_TARGET_DIR=$target/tsan \
      cargo "+$toolchain" test -Zbuild-std --target "$host" "$@"
  }
  sanitized -p metallic-hal --lib
  sanitized -p metallic-cpu --lib -- pool cache
  # The object model on the null device and on those that execute.
  sanitized -p metallic --lib --test validation --test execution --test threads
  echo "test-threads: tsan: ok"
fi

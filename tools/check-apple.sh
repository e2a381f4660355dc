#!/usr/bin/env bash
# Checks and tests the Apple device where there is no Metal.
#
# The bindings compile anywhere but for one attribute, which asks for Apple's linker. So a copy of
# them under target/ loses that line, and a copy of the crates makes a workspace of its own,
# for the lock file of the repository must not learn of the patch. The tests bring a fake of the
# Objective-C runtime; the libraries that would be linked are empty.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(uname)" = Darwin ] && { echo "check-apple: this is a Mac, which checks the crate itself"; exit 0; }

cargo=${CARGO:-cargo}
target=${CARGO_TARGET_DIR:-$PWD/target}
work=$target/check-apple
version=$(sed -n '/^name = "objc2-metal"$/{n;s/version = "\(.*\)"/\1/p}' Cargo.lock)
mkdir -p "$work/lib"

bindings=$work/objc2-metal-$version
if [ ! -e "$bindings/.patched" ]; then
  # Cargo fetches, and says where it put the sources.
  source=$($cargo metadata --format-version 1 --all-features |
    tr ',' '\n' | sed -n 's/.*"manifest_path":"\(.*objc2-metal-'"$version"'\)\/Cargo.toml".*/\1/p' | head -n 1)
  rm -rf "$bindings"
  cp -R "$source" "$bindings"
  sed -i '/^#\[link(.*kind = "framework".*)\]$/d' "$bindings"/src/generated/mod.rs
  touch "$bindings/.patched"
fi

for library in objc gnustep-base; do
  [ -e "$work/lib/lib$library.a" ] || ar rcs "$work/lib/lib$library.a"
done

rm -rf "$work/crates"
cp -Rp crates "$work/"
[ -e "$work/Cargo.lock" ] && [ ! Cargo.lock -nt "$work/Cargo.lock" ] || cp Cargo.lock "$work/Cargo.lock"
sed -e '/^default-members = \[/,/^\]/d' -e 's/^members = .*/members = ["crates\/*"]/' Cargo.toml >"$work/Cargo.toml"

cd "$work"
export CARGO_TARGET_DIR=$work/build RUSTFLAGS="${RUSTFLAGS:-} -L native=$work/lib"
options=(--quiet --package metallic-apple --features gnustep --config "patch.crates-io.objc2-metal.path='$bindings'")
$cargo clippy "${options[@]}" --all-targets -- -D warnings
$cargo test "${options[@]}"
echo "check-apple: ok"

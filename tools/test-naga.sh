#!/bin/sh
# Shaders in WGSL, `tests/wgsl/shaders`: wgpu runs them on Mesa's lavapipe and writes what they leave to
# `target/wgsl/results`; our devices run what naga makes of them and are compared with that. Results of new shaders
# become those of the repository (`tests/wgsl/results`, what `make test` compares with), and with BLESS=1 all.
# Usage: tools/test-naga.sh
set -eu
cd "$(dirname "$0")/.."
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")

has_lavapipe() { ls /usr/share/vulkan/icd.d/lvp_icd*.json >/dev/null 2>&1; }
if ! has_lavapipe; then
    tools/as-root.sh apt-get install -y -q mesa-vulkan-drivers libvulkan1
fi
# The directory would hold sockets of a window system, which there is none of.
XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-$target}
export XDG_RUNTIME_DIR
CARGO_TARGET_DIR="$target/lavapipe" cargo run --quiet --manifest-path tests/wgsl/lavapipe/Cargo.toml -- \
    tests/wgsl/shaders "$target/wgsl/results"
for file in "$target"/wgsl/results/*.txt; do
    known=tests/wgsl/results/$(basename "$file")
    if [ ! -e "$known" ] || [ -n "${BLESS:-}" ]; then
        cmp -s "$file" "$known" || echo "new: $known"
        cp "$file" "$known"
    elif ! cmp -s "$file" "$known"; then
        # Another version of Mesa rounds otherwise within the bounds, so this is no error by itself.
        echo "differs from what is in the repository: $known"
    fi
done
rm -rf "$target/wgsl/shaders"
cp -r tests/wgsl/shaders "$target/wgsl/shaders"
METALLIC_WGSL="$target/wgsl" cargo test -p metallic --test wgsl -- --nocapture

#!/usr/bin/env bash
# Installs from sources, as those do for whom there is no wheel, and uses what came of it.
#
#   tools/test-install.sh [sdist|clone]...
#
# The source package and a clean clone of what is committed go into an empty virtual environment each, with nothing
# but their own build requirements. Before that, without LLVM: the message must say what to install. Two builds with
# all optimizations, so some minutes; their files are under target/install.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^LLVM_VERSION := //p' Makefile)
work=$(realpath -m "${CARGO_TARGET_DIR:-target}")/install
maturin=$PWD/.venv/bin/maturin
python=$PWD/.venv/bin/python
parts=("$@")
[ $# -gt 0 ] || parts=(sdist clone)

rm -rf "$work" && mkdir -p "$work"
# Builds of a user's: nothing that was built here before is used.
unset CARGO_TARGET_DIR

empty_environment() {
  "$python" -m venv "$work/$1"
}

# The first argument names an environment, the second is what pip installs there.
install() {
  echo "test-install: $1"
  empty_environment "$1"
  "$work/$1/bin/python" -m pip install --quiet --disable-pip-version-check "$2"
  local extension
  extension=$(cd / && "$work/$1/bin/python" -c 'import pymetallic._native as native; print(native.__file__)')
  if [ "$(uname)" = Linux ] && ldd "$extension" | grep -E 'LLVM|stdc\+\+|zstd|libz\.'; then
    echo "test-install: the extension needs libraries that may not be there" >&2
    exit 1
  fi
  (
    cd /
    export PATH=$work/$1/bin:/usr/bin:/bin
    metallic-smoke
    PYMETALLIC_DEVICE=interp metallic-smoke
    metallic-demo --quick_test --device cpu | tail -n 1
  )
}

"$maturin" sdist --out "$work" 2>"$work/sdist.log" || { cat "$work/sdist.log" >&2; exit 1; }
sdist=$(echo "$work"/*.tar.gz)

empty_environment without-llvm
mkdir "$work/no-llvm"
if LLVM_SYS_221_PREFIX=$work/no-llvm "$work/without-llvm/bin/python" -m pip install --disable-pip-version-check "$sdist" \
  >"$work/without-llvm.log" 2>&1; then
  echo "test-install: there is an LLVM that should not be" >&2
  exit 1
fi
grep -q "LLVM $version is missing: install llvm-$version-dev" "$work/without-llvm.log" ||
  { cat "$work/without-llvm.log" >&2; echo "test-install: the message does not say what is missing" >&2; exit 1; }

for part in "${parts[@]}"; do
  case $part in
    sdist) install sdist "$sdist" ;;
    clone)
      git clone --quiet . "$work/repository"
      install clone "$work/repository"
      ;;
    *) echo "test-install: what is $part?" >&2; exit 2 ;;
  esac
done
echo "test-install: ok"

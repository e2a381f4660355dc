#!/bin/sh
# Installs the LLVM development files from Debian when they are missing.
set -e
version=$1
[ -x "/usr/lib/llvm-$version/bin/llvm-config" ] && [ -e "/usr/lib/llvm-$version/lib/libPolly.a" -o ! -e /usr/bin/apt-get ] && exit 0
if ! command -v apt-get >/dev/null 2>&1; then
  [ -n "$LLVM_SYS_221_PREFIX" ] && [ -x "$LLVM_SYS_221_PREFIX/bin/llvm-config" ] && exit 0
  echo "install LLVM $version and set LLVM_SYS_221_PREFIX to its prefix" >&2
  exit 1
fi
here=$(dirname "$0")
"$here/as-root.sh" apt-get update -q
"$here/as-root.sh" apt-get install -y -q "llvm-$version-dev" "libpolly-$version-dev" zlib1g-dev libzstd-dev build-essential

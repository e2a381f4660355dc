#!/usr/bin/env bash
# Installs a wheel where nothing else is and uses it.
#
#   tools/test-wheel.sh WHEEL [SUITE...]
#
# First what can be said of the file: its size, its platform tag, its use of Python's stable interface. Then, for
# each release of Debian (each brings another CPython), a minimal root with nothing but Python; in it, cut off from
# the network, an empty virtual environment into which the wheel goes, and the programs of the package. With
# PYTHON_TESTS=1 the Python suite runs there too. Needs root, for chroot. The roots are kept under target/roots.
set -euo pipefail
cd "$(dirname "$0")/.."
wheel=$(realpath "$1")
shift
suites=("${@:-trixie}")
target=$(realpath "${CARGO_TARGET_DIR:-target}")
python=$PWD/.venv/bin/python
limit=$((45 * 1000 * 1000))

[ "$(id -u)" = 0 ] || { echo "test-wheel: needs root" >&2; exit 1; }
"$python" -m pip install --quiet auditwheel abi3audit
command -v debootstrap >/dev/null || tools/as-root.sh apt-get install -y -q debootstrap

size=$(stat -c %s "$wheel")
[ "$size" -le "$limit" ] || { echo "test-wheel: $size bytes are more than $limit" >&2; exit 1; }
tag=$("$python" -m auditwheel show "$wheel" | tr '\n' ' ' | sed -n 's/.*following platform tag: "\([a-z0-9_]*\)".*/\1/p')
case $wheel in
  *-"$tag".whl) ;;
  *) echo "test-wheel: the name promises another platform than $tag" >&2; exit 1 ;;
esac
case $wheel in
  *-abi3-*) "$python" -m abi3audit --strict "$wheel" ;;
esac
echo "test-wheel: $(basename "$wheel"), $((size / 1000000)) MB"

# What runs inside of a root; its arguments are of no concern to the outside.
inside='
set -eu
export PATH=/venv/bin:/usr/bin:/bin HOME=/root LC_ALL=C.UTF-8
rm -rf /venv /tmp/use && mkdir -p /tmp/use && cd /tmp/use
if ls /usr/lib/*/libLLVM* /usr/lib/llvm-* 2>/dev/null; then echo "there is an LLVM here" >&2; exit 1; fi
python3 -m venv /venv
pip install --quiet --no-index --find-links /wheels pymetallic
metallic-smoke
PYMETALLIC_DEVICE=interp metallic-smoke
metallic doctor >doctor.txt
kernels=$(python -c "import pymetallic.kernels as k; print(k.__path__[0])")
metallic check --device cpu "$kernels"/*.metal
metallic emit --stage ptx "$kernels"/demo_kernels.metal >demo.ptx 2>emit.txt || { cat emit.txt >&2; exit 1; }
metallic-demo --quick_test --device cpu >demo.txt 2>&1 || { cat demo.txt >&2; exit 1; }
tail -n 1 demo.txt
if [ -d /suite ]; then
  pip install --quiet --no-index --find-links /wheels pytest pillow tqdm
  python -m pytest -q -p no:cacheprovider /suite/tests/python
fi
'

for suite in "${suites[@]}"; do
  root=$target/roots/$suite
  if [ ! -e "$root/.made" ]; then
    rm -rf "$root" && mkdir -p "$root"
    debootstrap --variant=minbase --include=python3,python3-venv "$suite" "$root" >"$target/roots/$suite.log"
    touch "$root/.made"
  fi
  version=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  rm -rf "$root/wheels" "$root/suite"
  mkdir -p "$root/wheels"
  packages=(numpy)
  if [ -n "${PYTHON_TESTS:-}" ]; then
    packages+=(pytest pillow tqdm)
    mkdir "$root/suite"
    cp -R tests pyproject.toml README.md docs "$root/suite/"
  fi
  "$python" -m pip download --quiet --only-binary=:all: --python-version "$version" \
    --platform "$tag" --platform manylinux_2_28_"$(uname -m)" --platform manylinux_2_17_"$(uname -m)" \
    --platform manylinux2014_"$(uname -m)" --dest "$root/wheels" "${packages[@]}"
  cp "$wheel" "$root/wheels/"
  echo "test-wheel: $suite, CPython $version"
  # Everything in there ends with this process; no network, its own processes.
  timeout 1800 unshare --mount --pid --net --fork --kill-child sh -c \
    'mount -t proc proc "$1/proc" && exec chroot "$1" env -i sh -c "$2"' sh "$root" "$inside"
done
echo "test-wheel: ok"

#!/usr/bin/env bash
# Builds the extension for a Python without its global lock and runs the Python suite there.
#
#   tools/test-free-threaded.sh PYTHON
#
# PYTHON is such an interpreter, 3.14t or newer. The stable interface has no such build, so this one is for
# exactly that version; the wheel is installed into a virtual environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
venv=$target/free-threaded

"$python" -c 'import sysconfig, sys; sys.exit(not sysconfig.get_config_var("Py_GIL_DISABLED"))' ||
  { echo "test-free-threaded: $python has a global lock" >&2; exit 1; }
[ -x "$venv/bin/python" ] || "$python" -m venv --without-pip "$venv"
pip=(.venv/bin/python -m pip --python "$venv/bin/python")
# Wheels only: a NumPy from source takes longer than all the rest.
"${pip[@]}" install --quiet --only-binary=:all: numpy pytest pillow tqdm
rm -rf "$venv/wheels"
.venv/bin/maturin build --profile release --features pyo3/extension-module --interpreter "$venv/bin/python" \
  --auditwheel skip --out "$venv/wheels" --quiet
"${pip[@]}" install --quiet --no-deps --force-reinstall "$venv"/wheels/*.whl
"$venv/bin/python" -m pytest tests/python -p no:cacheprovider "${@:2}"
